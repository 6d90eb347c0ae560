"""Dates in BigCommerce's four spellings, from and to epoch seconds.

V3 writes ISO 8601 (`...Z` on customers, `...+00:00` in the catalogue), V2 orders RFC 2822 in UTC, V2
customer groups `2023-07-17 06:30:41` without a zone (facts, section 1).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = 86400


def zulu(seconds: int) -> str:
    """`2026-01-31T12:00:00Z`, as customers and subscribers have it."""
    t = time.gmtime(seconds)
    return f"{t[0]}-{t[1]:02d}-{t[2]:02d}T{t[3]:02d}:{t[4]:02d}:{t[5]:02d}Z"


def offset(seconds: int) -> str:
    """`2026-01-31T12:00:00+00:00`, as the catalogue has it."""
    return f"{zulu(seconds)[:-1]}+00:00"


def rfc2822(seconds: int) -> str:
    """`Sat, 31 Jan 2026 12:00:00 +0000`, as V2 orders have it."""
    t = time.gmtime(seconds)
    return f"{DAYS[t[6]]}, {t[2]:02d} {MONTHS[t[1]]} {t[0]} {t[3]:02d}:{t[4]:02d}:{t[5]:02d} +0000"


def plain(seconds: int) -> str:
    """`2026-01-31 12:00:00`, as V2 customer groups have it."""
    return zulu(seconds)[:-1].replace("T", " ")


def parse(text: str) -> int:
    """Epoch seconds of any of the spellings, of a bare date and of Unix time; else ValueError."""
    text = text.strip()
    if text.isdigit() and len(text) >= 9:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def or_zero(text: object) -> int:
    """`parse`, with 0 for what is empty or not a date."""
    try:
        return parse(text) if isinstance(text, str) and text else 0
    except ValueError:
        return 0
