"""Numbers and moments as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from markupsafe import Markup, escape

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

CODE = re.compile(r"`([^`]+)`")


def number(value: float) -> str:
    """`1,234`."""
    return f"{value:,.0f}"


def many(count: int, what: str) -> str:
    """`1 record`, `1,234 records`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def span(seconds: float) -> str:
    """`1.8 s`, `5 min`, `3 h`, `2 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def when(moment: float | datetime | None, now: float, never: str = "never") -> Markup:
    """`3 min ago`, `in 12 min`: a `<time>` with the exact moment in its title."""
    if moment is None or moment == 0:
        return Markup("{}").format(never)
    at = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    away = at.timestamp() - now
    if abs(away) < 5:
        words = "now"
    elif away > 0:
        words = f"in {_whole(away)}"
    else:
        words = f"{_whole(-away)} ago"
    exact = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact, exact.replace("T", " ").replace("Z", " UTC"), words
    )


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 10 else span(seconds)


def clock(moment: float) -> Markup:
    """`08:41:07`, as the clock shows it (UTC)."""
    at = datetime.fromtimestamp(moment, UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S} UTC", f"{at:%H:%M:%S}"
    )


def listed(words: Iterable[str]) -> str:
    """`customers, orders and products`."""
    *rest, last = list(words) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def stopped(text: str) -> str:
    """A sentence as others said it, with the full stop that it may lack."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def prose(text: str) -> Markup:
    """A sentence as others said it: it begins with a capital letter, and what stands in backticks is code."""
    safe = str(escape(text[:1].upper() + text[1:]))
    return Markup(CODE.sub(r"<code>\1</code>", safe))  # noqa: S704 - it is escaped


def json(value: Any) -> str:
    """A value as JSON, on lines of its own."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def plain(value: Any) -> str:
    """A value of a payload on one line: text as it is, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
