"""What a single value of a skill may be. A reader returns the value, or raises a `ValueError` with the mend.

Spans are seconds. Times of day and zones are kept as words until a moment is asked for: only then does a day
have an hour that is missing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import time
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def nearest(word: Any, known: Iterable[str]) -> str:
    """` did you mean …?`, or all that is known, to be put behind a sentence."""
    words = list(known)
    near = difflib.get_close_matches(str(word).lower(), words, n=1)
    if near:
        return f"; did you mean `{near[0]}`?"
    return "; known here: " + ", ".join(f"`{one}`" for one in words)


def text(value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text; put it in quotes")
    return value.strip()


def matching(pattern: str, what: str) -> Callable[[Any], str]:
    """A reader of words of a certain form."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"must be {what}")
        return value

    return read


def one_of(*words: str) -> Callable[[Any], str]:
    """A reader of one of these words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError("is unknown" + nearest(value, words))
        return str(value)

    return read


def flag(value: Any) -> bool:
    """True or false."""
    answer = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(answer, bool):
        raise ValueError("must be `true` or `false`")
    return answer


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers from `low` to `high`; text as well, as an environment variable gives it."""

    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return read


def amount(value: Any) -> Decimal:
    """A number that is not negative."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise ValueError("must be a number such as `25` or `25.50`")
    return number


def span(value: Any) -> float:
    """A time span in seconds, from a number and `s`, `m`, `h` or `d`; 0 needs no unit."""
    found = re.fullmatch(r"([0-9]{1,5}) ?([smhd])", value.strip()) if isinstance(value, str) else None
    if found:
        return int(found[1]) * UNITS[found[2]]
    if value in (0, "0") and not isinstance(value, bool):
        return 0.0
    raise ValueError("must be a time span such as `30m`, `1h` or `2d`")


class Quiet(Struct, frozen=True):
    """From `start` to `end`, by the clock on the wall; over midnight if `end` is the earlier."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def quiet_hours(value: Any) -> Quiet:
    """Two times of day, `21:00-08:00`."""
    one = r"([01]?[0-9]|2[0-3]):([0-5][0-9])"
    found = re.fullmatch(rf"{one} ?- ?{one}", value.strip()) if isinstance(value, str) else None
    if not found or found.group(1, 2) == found.group(3, 4):
        raise ValueError('must be two times of day in quotes, such as `"21:00-08:00"`')
    return Quiet(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))


def zone(value: Any) -> str:
    """A time zone by its name in the tz database."""
    if not isinstance(value, str) or zone_of(value) is None:
        raise ValueError("must be a time zone such as `Europe/Berlin`")
    return value


@cache
def zone_of(name: str) -> ZoneInfo | None:
    """The zone with this name, if there is one."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path, a folder of zones, an unknown name
        return None
