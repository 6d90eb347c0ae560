"""Single values, as BigCommerce writes them, read into ours. Pure.

An `Unreadable` names the field and what was expected, never the value, which may be personal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

from tajo.sync.model import ZERO

FOUR_DECIMALS = Decimal("0.0001")  # V2 amounts have four decimals (orders.v2: Float-As-String)
YEAR = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MONTHS = {name: number for number, name in enumerate(YEAR, start=1)}


class Unreadable(ValueError):
    """A value that cannot be understood: `field: expected ...`."""


def moment(text: str | None, field: str) -> datetime | None:
    """A date in UTC; None for an unset one, which is null or `""` (orders.v2: date_shipped).

    V2 orders write RFC 2822 (`Wed, 01 Dec 2010 14:12:00 +0000`), V3 ISO 8601 with `Z` or `+00:00`.
    A date without a zone is in UTC (orders.v2: "always in UTC in the api response").
    """
    if not text:
        return None
    try:
        if text[4:5] == "-":
            found = datetime.fromisoformat(text)
        elif len(text) == 31 and text.endswith(" +0000"):
            # the only form that V2 writes, by fixed places: over twice as fast as email.utils
            return datetime(
                int(text[12:16]),
                MONTHS[text[8:11]],
                int(text[5:7]),
                int(text[17:19]),
                int(text[20:22]),
                int(text[23:25]),
                tzinfo=UTC,
            )
        else:
            found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, KeyError, OverflowError, TypeError, IndexError):
        raise Unreadable(f"{field}: expected a date") from None


def money(amount: str | int | float | Decimal | None, field: str) -> Decimal:
    """An amount: a string with up to four decimals, or a number; null and `""` are 0."""
    if amount is None or amount == "":
        return ZERO
    try:
        found = Decimal(str(amount) if isinstance(amount, float) else amount)
    except ArithmeticError:
        raise Unreadable(f"{field}: expected an amount") from None
    if not found.is_finite() or found.adjusted() > 15:
        raise Unreadable(f"{field}: expected an amount")
    return found


def at_rate(amount: Decimal, rate: Decimal) -> Decimal:
    """`amount` in the currency of which one unit is `rate` units of the amount's; to four decimals."""
    try:
        return amount if rate == 1 else (amount / rate).quantize(FOUR_DECIMALS)
    except ArithmeticError:
        raise Unreadable("exchange rate: expected a likely one") from None


def plain_text(html: str | None, longest: int = 1000) -> str:
    """The words of a piece of HTML, cut after a word at `longest` characters (then ending in `…`)."""
    if not html:
        return ""
    text = _Words.of(html, longest) if "<" in html or "&" in html else html
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


class _Words(HTMLParser):
    """Collects text; blocks and line breaks become spaces, scripts and styles nothing."""

    SILENT = frozenset({"script", "style", "template", "iframe", "object", "noscript"})
    INLINE = frozenset(
        {
            "a",
            "abbr",
            "b",
            "code",
            "em",
            "font",
            "i",
            "mark",
            "s",
            "small",
            "span",
            "strong",
            "sub",
            "sup",
            "u",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.length = 0
        self._silent = 0

    @classmethod
    def of(cls, html: str, enough: int) -> str:
        """The text of `html`, reading no further than needed for `enough` characters and some."""
        words = cls()
        try:
            for start in range(0, len(html), 4096):
                words.feed(html[start : start + 4096])
                if words.length > 2 * enough:
                    break
            words.close()
        except AssertionError:
            pass  # the parser gives up at `<![` followed by nonsense: keep what came before
        return "".join(words.parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self.SILENT
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in self.SILENT and self._silent > 0
        self._space(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._space(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)
            self.length += len(data)

    def _space(self, tag: str) -> None:
        if tag not in self.INLINE:
            self.parts.append(" ")
