"""How fast a store may be read: one quota per window of 30 s, shared with every other app on the store.

Nothing about a plan is assumed: each answer says how much is left and when it is refilled
(api-rate-limits: `X-Rate-Limit-*`). We go at full speed until nothing is left, then wait for the refill.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from tajo.http import Clock
from tajo.sync.ports import urgent

WINDOW = 30.0  # seconds; said of every plan, so true until an answer says otherwise (api-rate-limits)
UNKNOWN = 3  # calls in flight before the first answer: a safe number on every route (facts, section 8)
HEADERS = ("requests-quota", "requests-left", "time-reset-ms", "time-window-ms")
FOR_LIVE = 0.1  # of the quota: kept by sweeps for what somebody waits for, where we share it anyway
LOST = 30.0  # seconds after which a call without an answer no longer counts as in flight


class StoreLimits:
    """The quota of one store, learned from its answers. Implements `tajo.http.Limits`.

    `left_to_others`: the share of the quota, from 0 to 1, that we do not use. `waited`: seconds in which
    calls stood still because of the quota.
    """

    def __init__(self, clock: Clock | None = None, *, left_to_others: float = 0.0) -> None:
        self._clock = clock or Clock()
        self._left_to_others = left_to_others
        self._quota: int | None = None  # calls per window
        self._window = WINDOW
        self._left: int | None = None  # calls that may still go before `_reset`, those in flight included
        self._reset = 0.0  # when the quota is refilled
        self._flying: deque[float] = deque()  # until when each call counts as in flight
        self._gates = {hurry: asyncio.Lock() for hurry in (False, True)}  # each first come, first served
        self.waited = 0.0

    async def admit(self, route: str) -> None:
        """Return as soon as the quota allows one more call, and count it as in flight."""
        async with self._gates[urgent.get()]:
            while (pause := self._pause()) > 0:
                self.waited += pause
                await self._clock.sleep(pause)
            self._flying.append(self._clock.now() + LOST)

    def learn(self, route: str, status: int, headers: Mapping[str, str]) -> float | None:
        """Note quota, rest and refill; on a 429 with a time, return the seconds until then.

        A 429 without a time means an overloaded store, not an empty quota: None, so the client backs off
        by itself (api-rate-limits: 429 without headers).
        """
        now = self._clock.now()
        said = {name.lower(): text for name, text in headers.items()}
        quota, left, reset, window = (_whole(said.get(f"x-rate-limit-{name}")) for name in HEADERS)
        if self._flying:
            self._flying.popleft()
            if left is None and self._left:
                self._left -= 1
        self._quota = quota or self._quota
        self._window = window / 1000 if window else self._window
        if status == 429:
            wait = reset / 1000 if reset else float(_whole(said.get("x-retry-after")) or 0)
            if not wait:
                return None
            self._left, self._reset = 0, now + wait
            return wait
        if left is not None:
            self._note(left, now + (self._window if reset is None else reset / 1000))
        return None

    @property
    def quota(self) -> tuple[int, float] | None:
        """Calls that go in a window of so many seconds; None until an answer has told."""
        return (self._quota, self._window) if self._quota else None

    @property
    def used(self) -> float:
        """The share of the window's quota, from 0 to 1, that all its callers have used; 0 while unknown."""
        if not self._quota or self._left is None or self._clock.now() >= self._reset:
            return 0.0
        return max(0.0, 1.0 - self._left / self._quota)

    def floor_seconds(self, calls: int) -> float:
        """The least time for that many calls in windows of full quota; 0 while the quota is unknown."""
        return max(calls - 1, 0) // self._quota * self._window if self._quota else 0.0

    def _note(self, left: int, reset: float) -> None:
        """Take an answer's word on the running window.

        Answers may overtake each other, so within one window the smallest rest holds. Every refill time
        that we compute is late by the answer's way to us, so the earliest one is the closest.
        """
        if self._left is None or reset > self._reset + self._window / 2:
            self._left, self._reset = left, reset
        else:
            self._left, self._reset = min(self._left, left), min(self._reset, reset)

    def _pause(self) -> float:
        """Seconds until the next call may go; 0: now."""
        now = self._clock.now()
        while self._flying and self._flying[0] <= now:
            self._flying.popleft()
        if self._left is None:
            return 0.0 if len(self._flying) < UNKNOWN else 0.02
        if now >= self._reset:
            self._left, self._reset = self._quota or UNKNOWN, now + self._window
        share = self._left_to_others + (FOR_LIVE if self._left_to_others and not urgent.get() else 0.0)
        spared = share * (self._quota or 0)
        return 0.0 if self._left - spared > len(self._flying) else self._reset - now


def _whole(text: str | None) -> int | None:
    """A header's number; None where there is none that makes sense."""
    return int(text) if text and text.isdecimal() else None
