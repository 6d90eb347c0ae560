"""Our webhooks at a store: what we want to be told, and that it stays so.

BigCommerce has no upsert of webhooks, so they are listed, compared and put right (facts, section 7). A list
shows those of our API account only, perhaps with some that others made with it: these are left alone.
Ours are known by the secret in our own header, or by leading to our own destination, or as former selves
(`plan`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tajo.bigcommerce import wire
from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.callbacks import FAILED, SECRET_HEADER
from tajo.bigcommerce.resources import every, read
from tajo.errors import Mend

PER_SCOPE = 10  # webhooks of one API account for one scope, wherever they lead (webhooks overview: limits)
EXCEPTIONS = (
    "store/hook/deliveryException"  # one per API account, at a destination of its own (webhook events)
)
PRIVATE = (".local", ".localhost", ".internal")  # names that lead nowhere outside (RFC 6761, RFC 6762)

#: Whether a wildcard delivers what lies deeper is nowhere said, so it is named as well: what comes twice is
#: looked at once. `store/channel/*` would bring all events of all channels; of what it hides we need one.
_CUSTOMERS = ("store/customer/*", "store/customer/address/*", "store/subscriber/*")
_ORDERS = ("store/order/*", "store/order/refund/created")
_PRODUCTS = (
    "store/product/*",
    "store/product/inventory/updated",
    "store/product/inventory/order/updated",
    "store/sku/*",
    "store/sku/inventory/updated",
    "store/sku/inventory/order/updated",
    "store/channel/*/inventory/product/stock_changed",
    "store/category/*",
)
#: One by one: the wildcard would also tell of every line of every cart.
_CARTS = (
    "store/cart/created",
    "store/cart/updated",
    "store/cart/deleted",
    "store/cart/converted",
    "store/cart/abandoned",
    "store/cart/couponApplied",
)


def wanted(*, carts: bool, products: bool, orders: bool, customers: bool) -> tuple[str, ...]:
    """The scopes that keep these up to date, and the one that tells of failed deliveries."""
    parts = ((customers, _CUSTOMERS), (orders, _ORDERS), (products, _PRODUCTS), (carts, _CARTS))
    return (*(scope for asked, scopes in parts if asked for scope in scopes), EXCEPTIONS)


WANTED = wanted(carts=True, products=True, orders=True, customers=True)


class Hook(Struct, frozen=True, gc=False, kw_only=True):
    """A webhook of our API account. `secret`: what our own header would bring; empty without it."""

    id: int
    scope: str
    destination: str
    active: bool = True
    secret: str = ""

    def __repr__(self) -> str:
        return f"Hook({self.id}, {self.scope})"


class Report(Struct, frozen=True, kw_only=True):
    """What was done, as scopes: webhooks made, mended, removed, and those that were well as they were.

    `refused`: scopes that are not to be had, and why.
    """

    made: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: dict[str, str] = {}


class Health(Struct, frozen=True, kw_only=True):
    """How our webhooks fare: the scopes of those that are on and off, and the hosts that are blocked.

    BigCommerce switches one off after 48 hours of failures, or 90 days without an event. It blocks a host
    for some minutes when fewer than 90 % of its answers are good: here with the seconds that are left.
    """

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    blocked: dict[str, int] = {}


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be done. `change`: by scope, the id of the webhook to mend, 0 where one is to be made."""

    change: dict[str, int] = {}
    remove: tuple[Hook, ...] = ()
    kept: tuple[str, ...] = ()
    refused: dict[str, str] = {}


HOOK, ONE = "/v3/hooks", "/v3/hooks/{id}"
HOOKS = wire.pages_of(wire.Hook)
ADMIN = wire.enclosed(wire.HooksAdmin)


class Hooks:
    """The webhooks of one API account at one store. `scopes`: what we want to be told; see `wanted`."""

    def __init__(self, api: Api, scopes: Sequence[str] = WANTED) -> None:
        self._api = api
        self._scopes = scopes

    async def listed(self) -> list[Hook]:
        """All webhooks of the API account, ours or not."""
        rows = await every(self._api, HOOK, HOOKS)
        hooks = [hook(row) for row in rows if isinstance(row, wire.Hook) and row.id]
        return list({one.id: one for one in hooks}.values())

    async def register(self, destination: str, secret: str) -> Report:
        """Have one webhook for each scope that leads to `destination` and brings `secret`, and no other.

        Only what is not so is changed, so it may be called again and again: that is how webhooks are
        repaired that were switched off or deleted. Delivery exceptions go to `{destination}/exceptions`.
        Raises `Mend` before any call where BigCommerce cannot reach the destination, and before any change
        where it would allow no further webhook.
        """
        check(destination)
        leads = dict.fromkeys(self._scopes, destination)
        if EXCEPTIONS in leads:
            leads[EXCEPTIONS] = f"{destination}{FAILED}"
        todo = plan(await self.listed(), leads, secret)
        made: list[str] = []
        mended: list[str] = []
        refused = dict(todo.refused)
        for scope, number in todo.change.items():
            body = _body(scope, leads[scope], secret)
            try:
                was_there = number > 0 and await self._api.send("PUT", f"{HOOK}/{number}", body, route=ONE)
                if not was_there:
                    await self._api.send("POST", HOOK, body)
            except Declined as no:
                if no.status in (401, 403):
                    raise
                refused[scope] = no.problem
            else:
                (mended if was_there else made).append(scope)
        if todo.change and not (made or mended or todo.kept):
            raise Mend(
                f"BigCommerce takes no webhook to {host(destination)}: {' '.join(set(refused.values()))}",
                "see that it answers over https with a valid certificate",
            )
        return Report(
            made=tuple(made),
            mended=tuple(mended),
            removed=await self._remove(todo.remove),
            kept=todo.kept,
            refused=refused,
        )

    async def remove(self, secret: str) -> Report:
        """Delete all webhooks that bring `secret`, wherever they lead."""
        return Report(
            removed=await self._remove([one for one in await self.listed() if _brings(one, secret)])
        )

    async def health(self, secret: str) -> Health:
        """How the webhooks that bring `secret` fare, and which hosts are blocked.

        A blocked host gets no webhook of the API account, whoever spoiled it (webhooks.v3: getHooksAdmin).
        """
        found = await read(self._api, f"{HOOK}/admin", ADMIN, {})
        if isinstance(found, wire.Flaw):
            raise Mend(
                f"BigCommerce answered GET /v3/hooks/admin in a shape that Tajo does not know: {found.why}"
            )
        ours = [one for row in found.hooks_list or () if _brings(one := hook(row), secret)]
        return Health(
            on=tuple(one.scope for one in ours if one.active),
            off=tuple(one.scope for one in ours if not one.active),
            blocked={host(row.destination or ""): row.time_left or 0 for row in found.blocked_domains or ()},
        )

    async def _remove(self, hooks: Sequence[Hook]) -> tuple[str, ...]:
        for one in hooks:
            await self._api.send("DELETE", f"{HOOK}/{one.id}", route=ONE)
        return tuple(one.scope for one in hooks)


def hook(row: wire.Hook) -> Hook:
    """A webhook as it is; header names are read in any case."""
    headers = row.headers if isinstance(row.headers, dict) else {}
    return Hook(
        id=row.id,
        scope=row.scope or "",
        destination=row.destination or "",
        active=row.is_active is not False and row.status in (None, "active"),
        secret=next((text or "" for name, text in headers.items() if name.lower() == SECRET_HEADER), ""),
    )


def plan(hooks: Sequence[Hook], leads: Mapping[str, str], secret: str) -> Plan:
    """Compare what is with what shall be: `leads` says where each scope shall lead.

    Ours is what brings `secret` or leads to one of these destinations. So is what brings another value of
    our header and was switched off: a former self that nobody keeps alive. What others have is left alone,
    and another Tajo's as long as it is on. Raises `Mend` where there are too many.
    """
    ours: dict[str, list[Hook]] = defaultdict(list)
    for one in hooks:
        if _brings(one, secret) or one.destination in leads.values() or (one.secret and not one.active):
            ours[one.scope].append(one)
    there = Counter(one.scope for one in hooks)
    change: dict[str, int] = {}
    kept: list[str] = []
    refused: dict[str, str] = {}
    remove = [one for scope, those in ours.items() if scope not in leads for one in those]
    for scope, destination in leads.items():
        right = Hook(id=0, scope=scope, destination=destination, secret=secret)
        # the one that is most as it shall be, so that a second one of its destination never comes to be
        those = sorted(ours[scope], key=lambda one: (one.destination != right.destination, one.id))
        remove += those[1:]
        if those:
            if msgspec.structs.replace(those[0], id=0) == right:
                kept.append(scope)
            else:
                change[scope] = those[0].id
        elif scope == EXCEPTIONS and there[scope]:
            refused[scope] = "this API account may have one only, and has one that is not ours"
        elif there[scope] >= PER_SCOPE:
            raise Mend(
                f"This API account has {there[scope]} webhooks for {scope}, none of them ours: BigCommerce "
                f"allows {PER_SCOPE}",
                "delete those of servers that are gone (DELETE /v3/hooks/{id}), or give Tajo an API account "
                "of its own",
            )
        else:
            change[scope] = 0
    return Plan(change=change, remove=tuple(remove), kept=tuple(kept), refused=refused)


def _brings(one: Hook, secret: str) -> bool:
    return bool(secret) and one.secret == secret  # to have no secret in common is no likeness


def check(destination: str) -> None:
    """Raise `Mend` where BigCommerce could never reach it (webhooks overview: https, port 443, valid chain).

    Plain http is for a store that is simulated on this machine: any port, but only a loopback address.
    """
    try:
        url = urlsplit(destination)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise _unreachable("it is no address of the web") from None
    if url.username is not None or url.password is not None:
        raise _unreachable("it holds a user name or a password")
    local = url.scheme == "http" and _loopback(host)
    if url.scheme != "https" and not local:
        raise _unreachable("BigCommerce calls https only")
    if url.query or url.fragment or not re.fullmatch(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)*", url.path):
        raise _unreachable(
            "its path must be plain words between single slashes, without `?`, `#` or a last `/`"
        )
    if local:
        return
    if port not in (None, 443):
        raise _unreachable(f"BigCommerce calls port 443 only, not {port}")
    if _is_ip(host) or not re.fullmatch(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*", host) or host.endswith(PRIVATE):
        raise _unreachable("BigCommerce needs a host name that the whole internet knows")


def _unreachable(why: str) -> Mend:
    return Mend(
        f"BigCommerce cannot send webhooks to the address it was to be given: {why}",
        "set server.public_url to an https address with a valid certificate that leads to this server, "
        "for instance that of a reverse proxy or a tunnel",
    )


def _loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _body(scope: str, destination: str, secret: str) -> dict[str, object]:
    """webhooks.v3: webhook_Base."""
    return {
        "scope": scope,
        "destination": destination,
        "is_active": True,
        "headers": {SECRET_HEADER: secret},
    }


def host(address: str) -> str:
    """Only the host: a path may hold what is nobody's business."""
    return urlsplit(address if "//" in address else f"//{address}").hostname or "?"
