"""Checks of carts that are left behind: who writes about them, and whether links bring them back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tajo.bigcommerce import Declined
from tajo.bigcommerce.api import scope
from tajo.brevo import CartLayout
from tajo.doctor.report import Finding, fine, note, some
from tajo.doctor.scopes import NEW_SCOPE, NO_CART
from tajo.doctor.store import readable
from tajo.doctor.visit import Visit
from tajo.sync.model import EventKind

SETTINGS = "/v3/abandoned-carts/settings"
OF_CHANNEL = f"{SETTINGS}/channels/{{id}}"


class CartSettings(Struct, frozen=True):
    """abandoned_carts.v3: AbandonedCartSettings. Of a channel, None is what the store says."""

    enable_notification: bool | None = None


class Enveloped(Struct, frozen=True):
    """V3's single: `{"data": {...}}`."""

    data: CartSettings = CartSettings()


_read = msgspec.json.Decoder(Enveloped, strict=False).decode


async def mails(visit: Visit) -> Sequence[Finding]:
    """Does the store write about them by itself, while we do, or help Brevo to?"""
    ours = [*_skills(visit), *_listed(visit), *_events(visit)]
    if not ours or not (where := await _where_on(visit)):
        return []
    return [
        note(
            f"BigCommerce's own abandoned-cart mails are on ({some(where)}): with a series that is begun by "
            f"{some(ours)}, shoppers would get two.",
            "switch one of them off (control panel: Settings > Abandoned cart notifications)",
        )
    ]


async def links(visit: Visit) -> Sequence[Finding]:
    """Can a link bring a cart back? Of a cart that cannot be, an entrance is asked for: nothing is made."""
    if not visit.whole.server.public_url:
        wanting = [*_skills(visit), *_listed(visit)]
        if not wanting:
            return []
        return [
            note(
                f"There is no `server.public_url`, so webhooks tell nothing of carts to {some(wanting)}, and "
                "nothing that is told has a link that brings a cart back.",
                "write there where `tajo serve` is reached from outside, over https",
            )
        ]
    try:
        await visit.store.send("POST", f"{NO_CART}/redirect_urls", {}, route="/v3/carts/{id}/redirect_urls")
    except Declined as no:
        if no.status == 401:
            raise
        if no.status == 403:
            needed = scope(NO_CART).replace("_read_only", "")
            return [
                note(
                    f"The access token lacks the scope {needed}, to modify: recovery links lead to addresses "
                    "of the store's checkout, which take one coupon and no products with modifiers.",
                    f"nothing, if that is enough; else {NEW_SCOPE}",
                )
            ]
    return [fine("Recovery links can bring carts back.")]


def _skills(visit: Visit) -> list[str]:
    """The skills that write to whoever left a cart behind."""
    return [
        f"the skill {name}"
        for name, skill in visit.whole.skills.skills.items()
        if skill.enabled and skill.steps
        if any(trigger.event == EventKind.CART_ABANDONED for trigger in skill.triggers)
    ]


def _listed(visit: Visit) -> list[str]:
    return ["the list `abandoned_cart`"] if visit.rules.lists.abandoned_cart is not None else []


def _events(visit: Visit) -> list[str]:
    rules = visit.rules
    told = EventKind.CART_ABANDONED in rules.events or rules.cart_layout is not CartLayout.NONE
    return ["events of carts"] if told else []


async def _where_on(visit: Visit) -> list[str]:
    """The channels in which the store's own mails are on. What cannot be read counts as off."""
    usual = await _is_on(visit, SETTINGS, otherwise=False)
    if not visit.shops:
        return ["all channels"] if usual else []
    return [
        shop.name or f"channel {shop.id}"
        for shop in visit.shops
        if await _is_on(visit, f"{SETTINGS}/channels/{shop.id}", otherwise=usual)
    ]


async def _is_on(visit: Visit, path: str, *, otherwise: bool) -> bool:
    """Whether these settings switch them on; `otherwise` where they say nothing."""
    found = await readable(visit.store.get(path, _read, route=OF_CHANNEL if path != SETTINGS else ""), None)
    said = found.data.enable_notification if found else None
    return otherwise if said is None else said
