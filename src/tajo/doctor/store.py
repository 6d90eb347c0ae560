"""Checks of the store: its door, the clock, the quota, customer groups."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from tajo.bigcommerce import Declined, wire
from tajo.bigcommerce.resources import every
from tajo.doctor.report import Finding, fine, many, mend, note
from tajo.doctor.visit import Visit, knock, sound
from tajo.errors import Mend

T = TypeVar("T")


class Time(Struct, frozen=True):
    """store_information.v2: timeStamp_Full."""

    time: int | None = None


TIME = msgspec.json.Decoder(Time, strict=False).decode
GROUPS = wire.lists_of(wire.Named)

SKEW = 120.0  # seconds; signatures and the order of changes bear no more


async def token(visit: Visit) -> Sequence[Finding]:
    """Who are we? The time needs no more than a token that is known."""
    asked_at = visit.store.clock.now()
    call = visit.store.get("/v2/time", TIME)
    try:
        told = await knock("BigCommerce", visit.settings.api_url, "https://status.bigcommerce.com", call)
    except Declined as no:
        if no.status != 403:
            raise
        told = Time()
    if told is None:
        raise Mend(
            f"BigCommerce knows no store {visit.store.store_hash}",
            "the store hash is the word in the API path that is shown with the access token: "
            "https://api.bigcommerce.com/stores/<store hash>/v3/",
        )
    if told.time:
        visit.ahead = (asked_at + visit.store.clock.now()) / 2 - told.time
    return [fine(f"BigCommerce accepts the access token for store {visit.store.store_hash}.")]


async def clock(visit: Visit) -> Sequence[Finding]:
    """Does this machine agree with BigCommerce on the time?"""
    if visit.ahead is None:
        return []
    off = abs(visit.ahead)
    if off <= SKEW:
        return [fine("This machine's clock agrees with BigCommerce's.")]
    way = "ahead of" if visit.ahead > 0 else "behind"
    return [
        mend(
            f"This machine's clock is {_span(off)} {way} BigCommerce's.",
            "let it follow a time server, for instance by `timedatectl set-ntp true`: with a wrong clock "
            "changes are taken for older or newer than they are, and signed messages are refused",
        )
    ]


async def quota(visit: Visit) -> Sequence[Finding]:
    """How fast may it go?"""
    if not visit.store.limits.quota:
        return []
    calls, seconds = visit.store.limits.quota
    plan = visit.shop.plan_level or "The store's plan"
    return [fine(f"{plan}: {calls:,} requests per {seconds:.0f} s, shared with all apps of the store.")]


async def groups(visit: Visit) -> Sequence[Finding]:
    """Customer groups are V2 and only on some plans; without them the attribute stays empty."""
    rows = await readable(every(visit.store, "/v2/customer_groups", GROUPS), [])
    if found := sound(rows):
        return [fine(f"{many(len(found), 'customer group')} can be read.")]
    return [
        note(
            "The store has no customer groups that can be read, so `customer_group_id` stays empty.",
            "nothing, if none are used; some plans have none",
        )
    ]


async def readable(call: Awaitable[T], otherwise: T) -> T:
    """What a call brings, or `otherwise` where that is not for us or not there."""
    try:
        return await call
    except Declined as no:
        if no.status not in (403, 404):
            raise
        return otherwise


def _span(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.0f} hours"
