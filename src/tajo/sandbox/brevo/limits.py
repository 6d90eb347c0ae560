"""Brevo's rate limits: per account and route, by tier (developers.brevo.com/docs/api-limits).

A bucket counts requests in fixed windows that begin with their first request: a second and an hour, both
binding. Routes without a row of their own share ONE bucket of 100 requests an hour (General); whether Brevo
shares it is not stated, so the simulator takes the harsher reading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """The rate tier of the account; `unlimited` is the simulator's own, for benchmarks."""

    GENERAL = "general"
    ADVANCED = "advanced"
    EXTENDED = "extended"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests allowed in each second and each hour; None where the table gives no figure."""

    per_second: int | None = None
    per_hour: int | None = None


_TABLE: Final[dict[str, dict[Tier, Rate]]] = {
    "contacts": {
        Tier.GENERAL: Rate(10, 36_000),
        Tier.ADVANCED: Rate(20, 72_000),
        Tier.EXTENDED: Rate(60),
    },
    "POST /events": {
        Tier.GENERAL: Rate(10, 36_000),
        Tier.ADVANCED: Rate(20, 72_000),
        Tier.EXTENDED: Rate(60),
    },
    "POST /orders/status": {
        Tier.GENERAL: Rate(5, 18_000),
        Tier.ADVANCED: Rate(10, 36_000),
        Tier.EXTENDED: Rate(15),
    },
    "POST /products": {
        Tier.GENERAL: Rate(2, 7_200),
        Tier.ADVANCED: Rate(4, 14_400),
        Tier.EXTENDED: Rate(None, 21_600),
    },
    "POST /smtp/email": {
        Tier.GENERAL: Rate(1_000),
        Tier.ADVANCED: Rate(2_000),
        Tier.EXTENDED: Rate(6_000),
    },
    "other smtp": {
        Tier.GENERAL: Rate(None, 300),
        Tier.ADVANCED: Rate(None, 600),
        Tier.EXTENDED: Rate(None, 1_800),
    },
    "everything else": {
        Tier.GENERAL: Rate(None, 100),
        Tier.ADVANCED: Rate(None, 200),
        Tier.EXTENDED: Rate(None, 600),
    },
}


def bucket_of(method: str, template: str) -> str:
    """Name the bucket a route counts in; rows name exact routes, so `/products/batch` is not `/products`."""
    if template.startswith("/contacts"):
        return "contacts"
    row = f"{method} {template}"
    if template.startswith("/smtp") and row not in _TABLE:
        return "other smtp"
    return row if row in _TABLE else "everything else"


@dataclass(slots=True)
class Window:
    """At most `limit` requests in `length` seconds, counted from the first one."""

    limit: int
    length: float
    opened: float = -math.inf
    used: int = 0

    def turn(self, now: float) -> None:
        """Start afresh when the window has run out."""
        if now >= self.opened + self.length:
            self.opened, self.used = now, 0

    def left(self) -> int:
        """Give how many requests may still come."""
        return self.limit - self.used

    def reset(self, now: float) -> int:
        """Give the whole seconds until the window ends, at least one."""
        return max(1, math.ceil(self.opened + self.length - now))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the three headers that say how much is left."""

    allowed: bool
    headers: dict[str, str] = field(default_factory=dict)


class Limits:
    """The buckets of one account."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self._buckets: dict[str, list[Window]] = {}

    def admit(self, method: str, template: str, now: float) -> Verdict:
        """Count a request, or refuse it without counting; the headers speak of the more binding window."""
        windows = self._windows(bucket_of(method, template))
        if not windows:
            return Verdict(True)
        for window in windows:
            window.turn(now)
        allowed = all(window.left() > 0 for window in windows)
        if allowed:
            for window in windows:
                window.used += 1
        tightest = min(windows, key=lambda window: (window.left(), -window.length))
        return Verdict(
            allowed,
            {
                "x-sib-ratelimit-limit": str(tightest.limit),
                "x-sib-ratelimit-remaining": str(tightest.left()),
                "x-sib-ratelimit-reset": str(tightest.reset(now)),
            },
        )

    def _windows(self, bucket: str) -> list[Window]:
        if self.tier is Tier.UNLIMITED:
            return []
        if bucket not in self._buckets:
            rate = _TABLE[bucket][self.tier]
            lengths = ((rate.per_second, 1.0), (rate.per_hour, 3600.0))
            self._buckets[bucket] = [Window(limit, length) for limit, length in lengths if limit is not None]
        return self._buckets[bucket]
