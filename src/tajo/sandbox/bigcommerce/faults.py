"""Faults: what goes wrong between a healthy store and its clients, drawn from one seeded stream.

A fault never harms the store's data. At most a write is applied and its answer lost, which happens to
everybody.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

# status, body: odd and empty bodies as seen in the wild (facts, section 1)
BROKEN: Final[tuple[tuple[int, bytes], ...]] = (
    (500, b'{"status":500,"title":"Internal Server Error","type":"about:blank"}'),
    (500, b""),
    (502, b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
    (503, b"Service Temporarily Unavailable"),
    (503, b'[{"status":503,"message":"The store is temporarily unavailable."}]'),
    (504, b'{"status":504,"title":"","errors":{}}'),
)


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong, as shares of all requests or of all webhook deliveries."""

    seed: int = 1
    throttled: float = 0.010  # 429 with the rate limit headers
    overloaded: float = 0.005  # 429 without them, empty body
    broken: float = 0.020  # 500, 502, 503, 504
    truncated: float = 0.005  # half a JSON body
    dropped: float = 0.005  # the connection ends before the request is applied
    unanswered: float = 0.005  # the request is applied, then the connection ends
    slow: float = 0.010
    slow_seconds: float = 2.0
    hook_lost: float = 0.10
    hook_doubled: float = 0.10
    hook_delayed: float = 0.20  # which also reorders them
    hook_delay_seconds: float = 20.0


CALM: Final = Faults(
    **{"throttled": 0, "overloaded": 0, "broken": 0, "truncated": 0, "dropped": 0, "unanswered": 0},
    **{"slow": 0, "hook_lost": 0, "hook_doubled": 0, "hook_delayed": 0},
)
"""Nothing goes wrong."""


class Dropped(httpx.ReadError):
    """The connection ended; over httpx.ASGITransport it is the transport error that a socket gives."""


class Stream:
    """The faults of one app, in the order of its requests; can be switched off and on, and changed."""

    def __init__(self, faults: Faults | None) -> None:
        self.faults = faults or CALM
        self.on = faults is not None
        self._random = random.Random(self.faults.seed)  # noqa: S311 - repeatable on purpose

    def change(self, rates: dict[str, Any]) -> None:
        """Give some faults other shares from now on; a new `seed` begins the stream again."""
        self.faults = replace(self.faults, **rates)
        if "seed" in rates:
            self._random = random.Random(self.faults.seed)  # noqa: S311 - repeatable on purpose

    def next_request(self) -> str:
        """The fault that meets the next request; empty for none."""
        names = ("throttled", "overloaded", "broken", "truncated", "dropped", "unanswered", "slow")
        return self._draw(names)

    def next_delivery(self) -> str:
        """The fault that meets the next webhook delivery; empty for none."""
        return self._draw(("hook_lost", "hook_doubled", "hook_delayed"))

    def broken(self) -> tuple[int, bytes]:
        """A status and body that no client expects."""
        return self._random.choice(BROKEN)

    def fraction(self) -> float:
        """A number from 0 to 1, for lengths and delays."""
        return self._random.random()

    def _draw(self, names: tuple[str, ...]) -> str:
        if not self.on:
            return ""
        dice = self._random.random()
        for name in names:
            dice -= getattr(self.faults, name)
            if dice < 0:
                return name
        return ""
