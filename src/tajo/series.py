"""What happened minute by minute, for a day: what charts are drawn from. In memory, and of bounded size."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from math import ceil, isnan, nan
from typing import Literal, get_args

MINUTE, KEPT = 60, 1440
"""Seconds of a step, and how many steps are kept."""

SAMPLES = 1000
"""Seconds of waiting that are remembered of the minute that runs; of more, a fair choice."""

Counted = Literal["told", "calls_bigcommerce", "calls_brevo"]
Measured = Literal["lag_p50", "lag_p95", "limit_bigcommerce", "limit_brevo"]
Name = Counted | Measured
"""Records told and calls, in each minute; the lag that half, and 95 of 100, did not exceed, in seconds; the
share of the limits in use at its peak, from 0 to 1."""

COUNTED = frozenset(get_args(Counted))


class Ring:
    """A number for each of the last `KEPT` minutes (NaN: none). It takes 12 KB."""

    def __init__(self) -> None:
        self._values = array("d", [nan]) * KEPT
        self._newest = 0

    def __getitem__(self, minute: int) -> float:
        return self._values[minute % KEPT] if self._newest - KEPT < minute <= self._newest else nan

    def put(self, minute: int, value: float) -> None:
        """Note it; whatever is a day older is forgotten. What comes a day late is not noted."""
        if minute <= self._newest - KEPT:
            return
        for between in range(max(self._newest + 1, minute - KEPT + 1), minute):
            self._values[between % KEPT] = nan
        self._newest = max(self._newest, minute)
        self._values[minute % KEPT] = value


class Series:
    """All rings, by name and connector. `now`: seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = self._minute()
        self._rings: dict[tuple[Name, str], Ring] = {}
        self._lags: dict[str, Lags] = {}

    def count(self, name: Counted, connector: str) -> None:
        """One more."""
        ring, minute = self._ring(name, connector), self._minute()
        before = ring[minute]
        ring.put(minute, 1.0 if isnan(before) else before + 1)

    def peak(self, name: Measured, connector: str, value: float) -> None:
        """Of what is seen in a minute, the highest counts."""
        ring, minute = self._ring(name, connector), self._minute()
        before = ring[minute]
        ring.put(minute, value if isnan(before) else max(before, value))

    def lag(self, connector: str, seconds: float) -> None:
        """Somebody waited so long."""
        lags, minute = self._lags.setdefault(connector, Lags()), self._minute()
        if lags.minute != minute:
            self._settle(connector)
            lags.begin(minute)
        lags.add(seconds)

    def minutes(self, name: Name, connector: str, since: float) -> list[tuple[int, float]]:
        """From that moment on, or as far back as is known: when a minute began, in seconds since 1970, and
        its value. What is counted is 0 in a minute without any; what is measured lacks that minute."""
        self._settle(connector)
        ring, last = self._rings.get((name, connector), _EMPTY), self._minute()
        first = max(int(since // MINUTE), self._began, last - KEPT + 1)
        found = ((minute * MINUTE, ring[minute]) for minute in range(first, last + 1))
        if name in COUNTED:
            return [(at, 0.0 if isnan(value) else value) for at, value in found]
        return [(at, value) for at, value in found if not isnan(value)]

    def _minute(self) -> int:
        return int(self._now() // MINUTE)

    def _ring(self, name: Name, connector: str) -> Ring:
        ring = self._rings.get((name, connector))
        if ring is None:
            ring = self._rings[name, connector] = Ring()
        return ring

    def _settle(self, connector: str) -> None:
        """Draw the sum of the lags of the minute that runs, or ran last."""
        lags = self._lags.get(connector)
        if lags and lags.seconds:
            for name, share in SHARES:
                self._ring(name, connector).put(lags.minute, quantile(lags.seconds, share))


SHARES: tuple[tuple[Measured, float], ...] = (("lag_p50", 0.5), ("lag_p95", 0.95))
_EMPTY = Ring()


class Lags:
    """How long was waited in one minute."""

    def __init__(self) -> None:
        self.minute = 0
        self.seconds: list[float] = []
        self._met = 0

    def begin(self, minute: int) -> None:
        """Another minute."""
        self.minute, self.seconds, self._met = minute, [], 0

    def add(self, seconds: float) -> None:
        """One more. Beyond `SAMPLES` each that was met is among those that are kept with equal chance."""
        self._met += 1
        if len(self.seconds) < SAMPLES:
            self.seconds.append(seconds)
        elif (place := random.randrange(self._met)) < SAMPLES:  # noqa: S311 - a choice, not a secret
            self.seconds[place] = seconds


def quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
