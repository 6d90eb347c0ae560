"""When may a call to Brevo go? Filled to the brim, never over it.

Brevo limits each account by *rows*: contacts, events, single orders, single products, e-mails and SMS have
rows of their own, every other endpoint shares about a hundred calls an hour. Each answer of a limited
endpoint says how much is left (`x-sib-ratelimit-limit`, `-remaining`, `-reset`), so the table below
is only the start. Sources: developers.brevo.com docs/api-limits and docs/limit-headers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from tajo.http import Clock

SECOND, HOUR = 1.0, 3600.0
MARGIN = 0.02
"""Seconds added to a window: two calls need not be equally long on their way."""

UNLIMITED = 1_000_000
FORGOTTEN = 60.0
"""Seconds after which a call without an answer no longer counts as under way."""

NAP = 60.0
"""The longest sleep in one piece: an answer to another call may show meanwhile that more is left."""

OTHER = "other"
ROWS = {
    "POST /events": "events",
    "POST /orders/status": "orders",
    "POST /products": "products",
    "POST /smtp/email": "emails",
    "POST /transactionalSMS/sms": "sms",
}
TIERS: dict[str, dict[str, dict[float, int]]] = {
    "general": {
        "contacts": {SECOND: 10, HOUR: 36_000},
        "events": {SECOND: 10, HOUR: 36_000},
        "orders": {SECOND: 5, HOUR: 18_000},
        "products": {SECOND: 2, HOUR: 7_200},
        "emails": {SECOND: 1_000, HOUR: 3_600_000},
        "sms": {SECOND: 150, HOUR: 540_000},
        OTHER: {HOUR: 100},
    },
    "advanced": {
        "contacts": {SECOND: 20, HOUR: 72_000},
        "events": {SECOND: 20, HOUR: 72_000},
        "orders": {SECOND: 10, HOUR: 36_000},
        "products": {SECOND: 4, HOUR: 14_400},
        "emails": {SECOND: 2_000, HOUR: 7_200_000},
        "sms": {SECOND: 200, HOUR: 720_000},
        OTHER: {HOUR: 200},
    },
    "extended": {
        "contacts": {SECOND: 60},
        "events": {SECOND: 60},
        "orders": {SECOND: 15},
        "products": {HOUR: 21_600},
        "emails": {SECOND: 6_000},
        "sms": {SECOND: 250},
        OTHER: {HOUR: 600},
    },
}


def row_of(route: str) -> str:
    """The row of the table that a route such as `POST /contacts/import` falls under."""
    path = route.partition(" ")[2]
    return "contacts" if path == "/contacts" or path.startswith("/contacts/") else ROWS.get(route, OTHER)


class Window:
    """At most `limit` calls in any `seconds`.

    Calls are kept in grains of a 3,600th of the window, so that an hour at full speed stays small.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._used = 0
        self._grains: deque[list[float]] = deque()  # [first call, last call, calls]
        self._ends = 0.0  # when the other side says that its window ends, 0: not told

    def count(self, now: float, calls: int = 1) -> None:
        """Note calls that go now."""
        self._used += calls
        if self._grains and now - self._grains[-1][0] < self.seconds / 3600:
            self._grains[-1][1] = now
            self._grains[-1][2] += calls
        else:
            self._grains.append([now, now, calls])

    def left(self, now: float) -> int:
        """How many calls may go now."""
        aged = now - self.seconds - MARGIN
        over = self._ends if self._ends <= now else 0.0
        while self._grains and (self._grains[0][1] <= aged or self._grains[0][1] < over):
            self._used -= int(self._grains.popleft()[2])
        return max(0, self.limit - self._used)

    def wait(self, now: float) -> float:
        """Seconds until a call may go."""
        if self.left(now):
            return 0.0
        until = self._ends if self._ends > now else now + self.seconds
        # A lowered limit may leave more calls counted than allowed: as many must age first.
        surplus = self._used - self.limit
        for _, last, calls in self._grains:
            surplus -= int(calls)
            if surplus < 0:
                until = min(until, last + self.seconds + MARGIN)
                break
        return max(until - now, 0.001)

    def correct(self, now: float, used: int, reset: float) -> None:
        """Believe the other side's count, and that its window ends in `reset` seconds.

        Should the other side's window slide instead of ending, its next answer corrects us again.
        """
        self.left(now)
        if used > self._used:  # somebody else uses the account, too
            self._grains.append([now, now, used - self._used])
        surplus = self._used - used
        while surplus > 0:
            taken = min(surplus, int(self._grains[0][2]))
            self._grains[0][2] -= taken
            surplus -= taken
            if not self._grains[0][2]:
                self._grains.popleft()
        self._used = used
        if reset > 0:
            self._ends = now + reset + 1.0  # it is told in whole seconds


class Bucket:
    """One row of the table: all its windows bind at once."""

    def __init__(self, row: str, windows: Mapping[float, int]) -> None:
        self.row = row
        self.turn = asyncio.Lock()
        self._windows = {seconds: Window(limit, seconds) for seconds, limit in windows.items()}
        self._spoken = False  # an answer has carried a limit
        self._free = False  # an answer came without one: this account is not limited here
        self._closed_until = 0.0
        self._under_way: deque[float] = deque()

    def headroom(self, now: float) -> int:
        """How many calls may go now."""
        if now < self._closed_until:
            return 0
        if self._free:
            return UNLIMITED
        return min(window.left(now) for window in self._windows.values())

    def wait(self, now: float) -> float:
        """Seconds until a call may go."""
        closed = max(0.0, self._closed_until - now)
        return closed if self._free else max(closed, *(w.wait(now) for w in self._windows.values()))

    def used(self, now: float) -> float:
        """The share of what may go, from 0 to 1, that has gone in the fullest of its windows."""
        if now < self._closed_until:
            return 1.0
        return 0.0 if self._free else max(1.0 - w.left(now) / w.limit for w in self._windows.values())

    def count(self, now: float) -> None:
        """Note a call that goes now."""
        self._under_way.append(now)
        for window in self._windows.values():
            window.count(now)

    def answered(self, now: float, *, limited: bool, ok: bool) -> None:
        """Note that a call came back, and whether its answer spoke of limits."""
        while self._under_way and self._under_way[0] < now - FORGOTTEN:
            self._under_way.popleft()
        if self._under_way:
            self._under_way.popleft()
        if limited:
            self._spoken, self._free = True, False
        elif ok and not self._spoken:
            self._free = True

    def refuse(self, now: float, seconds: float | None) -> None:
        """A 429: nothing goes for so long, and the table holds again where no header ever spoke."""
        self._spoken, self._free = True, False
        self._closed_until = max(self._closed_until, now + (seconds or 0.0))

    def learn(self, now: float, seconds: float, limit: int, remaining: int | None, reset: float) -> None:
        """Take over what a header says; a limit that no tier knows replaces all that we believed."""
        if seconds not in self._windows or self._windows[seconds].limit != limit:
            tier = next((t[self.row] for t in TIERS.values() if t[self.row].get(seconds) == limit), None)
            old = self._windows
            self._windows = {s: Window(n, s) for s, n in (tier or {seconds: limit}).items()}
            for key, window in self._windows.items():
                if key in old:  # what has gone has gone
                    window.count(now, old[key].limit - old[key].left(now))
        # A second is over before its answer is back, so only the hour's count is worth believing.
        if remaining is not None and seconds == HOUR:
            self._windows[seconds].correct(now, max(0, limit - remaining) + len(self._under_way), reset)

    def span(self, limit: int, reset: float) -> float:
        """Whether a limit counts per second or per hour; the header does not say.

        A number that we or some tier know tells; otherwise more than a second until the reset can
        only be an hour's.
        """
        known = {window.limit: window.seconds for window in self._windows.values()}
        for tier in TIERS.values():
            known |= {number: seconds for seconds, number in tier[self.row].items()}
        return known.get(limit) or (HOUR if reset > SECOND else SECOND)

    def least_seconds(self, calls: int) -> float:
        """The least time in which so many calls can have gone."""
        if self._free or not calls:
            return 0.0
        return max((calls - 1) // w.limit * w.seconds for w in self._windows.values())


class AccountLimits:
    """The limits of one Brevo account, shared by all calls to it; implements `tajo.http.Limits`.

    `tier`: `general`, `advanced` or `extended`, where to start from. `waited`: seconds that calls
    have been held back so far.
    """

    def __init__(self, tier: str = "general", *, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._rows = {row: Bucket(row, windows) for row, windows in TIERS[tier].items()}
        self._own: dict[str, Bucket] = {}  # routes of the last row that turned out to have their own
        self.waited = 0.0

    def _bucket(self, route: str) -> Bucket:
        return self._own.get(route) or self._rows[row_of(route)]

    def headroom(self, route: str) -> int:
        """How many calls to this route may go now."""
        return self._bucket(route).headroom(self._clock.now())

    def wait(self, route: str) -> float:
        """Seconds until the next call to this route may go."""
        return self._bucket(route).wait(self._clock.now())

    @property
    def used(self) -> dict[str, float]:
        """By row, the share of its limits that is used now, from 0 to 1."""
        now = self._clock.now()
        return {row: bucket.used(now) for row, bucket in self._rows.items()}

    def floor_seconds(self, calls: Mapping[str, int]) -> float:
        """The least time in which the limits allow these calls, given by route; buckets fill side by side."""
        totals: dict[Bucket, int] = {}
        for route, count in calls.items():
            bucket = self._bucket(route)
            totals[bucket] = totals.get(bucket, 0) + count
        return max((bucket.least_seconds(count) for bucket, count in totals.items()), default=0.0)

    async def admit(self, route: str) -> None:
        """Return as soon as a call to this route may go, first come first served, and count it."""
        bucket = self._bucket(route)
        async with bucket.turn:
            while (seconds := min(bucket.wait(self._clock.now()), NAP)) > 0:
                await self._clock.sleep(seconds)
                self.waited += seconds
            bucket.count(self._clock.now())

    def learn(self, route: str, status: int, headers: Mapping[str, str]) -> float | None:
        """Note the `x-sib-ratelimit-*` headers; on a 429, the seconds to wait (None: not told)."""
        now, bucket = self._clock.now(), self._bucket(route)
        limit, remaining = _whole(headers, "limit"), _whole(headers, "remaining")
        reset = _seconds(headers)
        bucket.answered(now, limited=bool(limit), ok=status < 400)
        if limit:
            seconds = bucket.span(limit, reset or 0.0)
            reset = min(reset, seconds) if reset else None
            if row_of(route) == OTHER and seconds == SECOND and route not in self._own:
                bucket = self._own[route] = Bucket(OTHER, {SECOND: limit})
                bucket.answered(now, limited=True, ok=True)
            bucket.learn(now, seconds, limit, remaining, reset or 0.0)
        if status != 429:
            return None
        bucket.refuse(now, reset)
        return reset


def _whole(headers: Mapping[str, str], name: str) -> int | None:
    """A header as a whole number; None if it is absent or something else."""
    text = headers.get(f"x-sib-ratelimit-{name}", "")
    return int(text) if text.isdecimal() else None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds until the reset, None if not told.

    More than an hour's worth must be milliseconds, as an integrator met them
    (mission-apprentissage/labonnealternance#2710).
    """
    value = _whole(headers, "reset")
    if not value:
        return None
    return float(value) if value <= HOUR else min(value / 1000, HOUR)
