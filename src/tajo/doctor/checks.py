"""The table of checks, in the order in which they are made, and the examination that makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tajo import config
from tajo.doctor import account, carts, data, discounts, hooks, scopes, store
from tajo.doctor.report import GRADES, Finding, Report, mend, note
from tajo.doctor.scopes import allowed
from tajo.doctor.storefronts import storefronts
from tajo.doctor.visit import Check, Hurried, Visit
from tajo.errors import Mend, TajoError
from tajo.http import Clock, Patience
from tajo.wiring import Wiring

PATIENCE = Patience(attempts=3, longest=5.0)  # somebody waits for the answer


def _syncs(*names: str) -> Callable[[config.Connector], bool]:
    """Is one of these resources kept in Brevo?"""
    return lambda settings: any(getattr(settings.sync, name) for name in names)


def _maps(path: str) -> Callable[[config.Connector], bool]:
    return lambda settings: any(rule.path == path for rule in settings.rules)


SHOP, BREVO = ("store-token",), ("brevo-key",)

Heed = Callable[[str, int, int], None]
"""Told at which check an examination is: its id, how many were made, how many there are."""


def unheeded(_check: str, _made: int, _of: int) -> None:
    """Nobody watches."""


CHECKS: tuple[Check, ...] = (
    Check("store-token", store.token),
    Check("store-clock", store.clock, SHOP),
    Check(
        "scope-information",
        allowed("/v2/store", "nothing can be synced without it", scopes.information),
        SHOP,
    ),
    Check(
        "scope-channels", allowed("/v3/channels", "nothing can be synced without it", scopes.channels), SHOP
    ),
    Check("scope-sites", allowed("/v3/sites", "nothing can be synced without it", scopes.sites), SHOP),
    Check(
        "scope-customers",
        allowed("/v3/customers", "neither customers nor subscribers can be read", scopes.customers),
        SHOP,
        _syncs("customers"),
    ),
    Check(
        "scope-orders",
        allowed("/v2/orders", "neither orders nor guests nor metrics can be read", scopes.orders),
        SHOP,
        _syncs("orders"),
    ),
    Check(
        "scope-products",
        allowed("/v3/catalog", "neither products nor categories can be read", scopes.products),
        SHOP,
        _syncs("products"),
    ),
    Check("scope-carts", scopes.carts, SHOP, _syncs("carts")),
    Check("store-quota", store.quota, SHOP),
    Check("customer-groups", store.groups, (*SHOP, "scope-customers"), _maps("customer_group_id")),
    Check("webhooks", hooks.webhooks, SHOP),
    Check("webhooks-blocked", hooks.blocked, SHOP),
    Check("cart-mails", carts.mails, SHOP, _syncs("carts")),
    Check("cart-links", carts.links, SHOP, _syncs("carts")),
    Check("discounts", discounts.codes, SHOP),
    Check("brevo-key", account.key),
    Check("brevo-ecommerce", account.ecommerce, BREVO, _syncs("orders", "products")),
    Check("brevo-attributes", account.attributes, BREVO),
    Check("brevo-names", account.names, (*BREVO, "brevo-attributes")),
    Check("brevo-lists", account.lists, BREVO),
    Check("brevo-limits", account.limits, BREVO),
    Check("data-subscribers", data.subscribers, (*SHOP, "scope-customers"), _syncs("customers")),
    Check("data-customers", data.customers, (*SHOP, "scope-customers"), _syncs("customers")),
    Check("data-orders", data.orders, (*SHOP, "scope-orders"), _syncs("orders")),
    Check("storefronts", storefronts, (*SHOP, "scope-channels")),
)


async def examine(wiring: Wiring, name: str, heed: Heed = unheeded) -> Report:
    """Look at everything that the connector of this name stands on. Changes nothing; never raises `Mend`.

    `heed` is told of each check before it is made.
    """
    async with wiring.accounts(name, clock=Hurried(Clock()), patience=PATIENCE) as (shop, brevo):
        settings = wiring.settings.connectors[name]
        return await consult(Visit(shop, brevo, wiring.rules(name), settings, wiring.settings), heed=heed)


async def consult(visit: Visit, checks: Sequence[Check] = CHECKS, heed: Heed = unheeded) -> Report:
    """Make the checks, and leave out those that need one whose door was closed."""
    findings: list[Finding] = []
    left_out: list[str] = []
    closed: set[str] = set()
    wanted = [check for check in checks if check.when(visit.settings)]
    for number, check in enumerate(wanted):
        heed(check.id, number, len(wanted))
        if closed.intersection(check.needs):
            left_out.append(check.id)
            closed.add(check.id)
            continue
        found, passed = await _make(check, visit)
        findings += [replace(one, check=check.id) for one in found]
        if not passed:
            closed.add(check.id)
    findings.sort(key=lambda one: GRADES.index(one.grade))
    return Report(findings=findings, storefronts=visit.storefronts, left_out=left_out)


async def _make(check: Check, visit: Visit) -> tuple[Sequence[Finding], bool]:
    """Its findings, and whether its door was open. Whatever happens here takes no other check down."""
    try:
        return await check.look(visit), True
    except Mend as error:
        return [mend(error.problem, error.mend)], False
    except TajoError as error:
        return [note(f"{check.id} could not be looked at: {error}", "try again later")], False
    except Exception as error:
        words = f"{check.id} could not be looked at: {type(error).__name__} in Tajo itself."
        return [note(words, "report it with this sentence, which holds no data of yours")], False
