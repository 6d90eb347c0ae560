"""Cron expressions of five fields: minute, hour, day of the month, month, day of the week. Pure.

As crontab(5): lists, ranges, steps, names of months and days; where both days are restricted, either will do.
A time that daylight saving leaves out comes after the change, one that it repeats comes once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_FAR = 366 * 8 + 2
"""Days until the 29th of February has come round, whatever the century."""


class Cron(Struct, frozen=True):
    """When something happens, by a clock on the wall. `days` of the week: 0 is Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    dates: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]
    either: bool
    written: str

    def after(self, moment: float, zone: ZoneInfo) -> float:
        """The next time after this moment, seconds since 1970."""
        first = datetime.fromtimestamp(moment, zone).date()
        for ahead in range(_FAR):
            day = first + timedelta(days=ahead)
            if self._on(day):
                later = [at for at in self._times(day, zone) if at > moment]
                if later:
                    return min(later)  # in a gap the clock on the wall is not in order
        raise AssertionError(f"`{self.written}` never comes")  # `cron` lets none such pass

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.dates, day.isoweekday() % 7 in self.days
        return in_month or in_week if self.either else in_month and in_week

    def _times(self, day: date, zone: ZoneInfo) -> Iterator[float]:
        for hour in self.hours:
            for minute in self.minutes:
                # Through UTC: two moments that stand in one zone are compared by their walls.
                yield datetime.combine(day, time(hour, minute), zone).astimezone(UTC).timestamp()


def cron(value: object) -> Cron:
    """Read an expression. Raises `ValueError`."""
    words = value.lower().split() if isinstance(value, str) else []
    if len(words) != 5:
        raise ValueError('must be a cron expression of five fields, such as `"0 9 * * *"`')
    minutes, hours, dates = _field(words[0], 0, 59), _field(words[1], 0, 23), _field(words[2], 1, 31)
    months = _field(words[3], 1, 12, MONTHS)
    days = frozenset(day % 7 for day in _field(words[4], 0, 7, DAYS))
    either = not words[2].startswith("*") and not words[4].startswith("*")
    longest = max(29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in months)
    if not either and min(dates) > longest:
        raise ValueError("never comes: none of these months has such a day")
    return Cron(minutes, hours, dates, months, days, either, " ".join(words))


def _field(word: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    numbers = {name: low + i for i, name in enumerate(names)}
    found: set[int] = set()
    for part in word.split(","):
        shape = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/([0-9]{1,2}))?", part)
        if not shape:
            raise ValueError(f"`{part}` is no field of a cron expression; write `*`, `5`, `1-5` or `*/10`")
        every, first, last, step = shape.groups()
        start = low if every else _number(first, numbers, low, high)
        end = _number(last, numbers, low, high) if last else high if every or step else start
        if start > end or step == "0":
            raise ValueError(f"`{part}` is an empty range; the smaller number goes first")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(word: str, names: dict[str, int], low: int, high: int) -> int:
    number = names[word] if word in names else int(word) if word.isascii() and word.isdecimal() else -1
    if not low <= number <= high:
        raise ValueError(f"`{word}` is not from {low} to {high}")
    return number
