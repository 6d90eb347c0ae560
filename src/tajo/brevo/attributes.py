"""Contact attributes: which exist, of which type, and how a value must look to be taken.

Brevo ignores a value of the wrong type without a word, refuses the whole contact for a wrong date
(studiomitte/brevo#10), drops unknown attributes from an import and takes no booleans as text
(sendinblue/APIv3-java-library#30). So a value that does not fit is left out here, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from tajo.sync.mapping import Rule, Value

BUILT_IN = frozenset({"SMS", "WHATSAPP", "LANDLINE_NUMBER"})
"""Identifiers that every account has, unique over all contacts; they take a phone number."""

EMAIL = "EMAIL"
"""The address itself: never among the attributes of a new contact (sendinblue/APIv3-php-library#169)."""

TYPE_OF_KIND = {"text": "text", "number": "float", "date": "date", "phone": "text"}

Json = str | int | float | bool | list[str]
Fitted = tuple[Json | None, str]
"""A value as Brevo takes it, or None and a note that says why it is left out."""


class Attribute(Struct, frozen=True):
    """An attribute of the account. `options`: what a category or choice may be, by casefolded word."""

    name: str
    type: str
    options: dict[str, str | int] = {}


def coerce(value: Value, attribute: Attribute) -> Fitted:
    """`value` in the JSON form that an attribute of this type takes. Never raises."""
    fit = FITTERS.get(attribute.type)
    return fit(value, attribute) if fit else (None, f"Brevo itself fills {attribute.type} attributes")


def _text(value: Value, _: Attribute) -> Fitted:
    if isinstance(value, str):
        return value, ""
    if isinstance(value, list):
        return ", ".join(map(str, value)), ""
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    if isinstance(value, datetime):
        return _day(value), ""
    return str(value), ""


def _float(value: Value, _: Attribute) -> Fitted:
    if isinstance(value, int):
        return int(value), ""
    if isinstance(value, Decimal):
        return (float(round(value, 2)), "") if value.is_finite() else (None, "not a number")
    if isinstance(value, str):
        try:
            value = float(Decimal(value.strip()))
        except (InvalidOperation, OverflowError):
            return None, "not a number"
    if isinstance(value, float) and math.isfinite(value):
        return value, ""
    return None, "not a number"


def _date(value: Value, _: Attribute) -> Fitted:
    if isinstance(value, datetime):
        return _day(value), ""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip()[:10]).isoformat(), ""
        except ValueError:
            pass
    return None, "not a date (YYYY-MM-DD)"


def _day(moment: datetime) -> str:
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).date().isoformat()


TRUTHS = dict.fromkeys(("true", "yes", "1", "on"), True) | dict.fromkeys(("false", "no", "0", "off"), False)


def _boolean(value: Value, _: Attribute) -> Fitted:
    if isinstance(value, bool):
        return value, ""
    truth = TRUTHS.get(str(value).strip().casefold())
    return (None, "neither yes nor no") if truth is None else (truth, "")


def _category(value: Value, attribute: Attribute) -> Fitted:
    option = attribute.options.get(str(value).strip().casefold())
    return (None, "not one of the attribute's options") if option is None else (option, "")


def _choices(value: Value, attribute: Attribute) -> Fitted:
    wanted = value if isinstance(value, list) else [str(value)]
    found = [str(o) for w in wanted if (o := attribute.options.get(w.strip().casefold())) is not None]
    return (found, "") if found else (None, "none of the attribute's options")


FITTERS: dict[str, Callable[[Value, Attribute], Fitted]] = {
    "text": _text,
    "float": _float,
    "date": _date,
    "boolean": _boolean,
    "category": _category,
    "multiple-choice": _choices,
}


class Attributes:
    """The attributes of an account, by their name in any case."""

    def __init__(self, known: Iterable[Attribute] = ()) -> None:
        self._known = {attribute.name.upper(): attribute for attribute in known}

    @classmethod
    def read(cls, items: Sequence[Mapping[str, Any]]) -> Attributes:
        """From the items of `GET /contacts/attributes`."""
        return cls(_attribute(item) for item in items if item.get("name"))

    def missing(self, mapping: Iterable[Rule]) -> dict[str, str]:
        """The attributes that a mapping needs and the account lacks: name to type of creation."""
        wanted = {rule.attribute.upper(): TYPE_OF_KIND[rule.kind] for rule in mapping}
        return {n: t for n, t in wanted.items() if n not in self._known and n not in BUILT_IN and n != EMAIL}

    def option(self, name: str, held: Any) -> Any:
        """What Brevo holds of an attribute with options, as it is told; all else as it is."""
        attribute = self._known.get(name.upper())
        if attribute is None or attribute.type not in ("category", "multiple-choice"):
            return held
        words = [str(word) for word in held] if isinstance(held, list) else held
        fitted, _ = coerce(words, attribute)
        return held if fitted is None else fitted

    def of(self, rule: Rule) -> Attribute:
        """The attribute that a rule fills; if the account lacks it, as it would be created."""
        name = rule.attribute.upper()
        if name in BUILT_IN:
            return Attribute(name, "text")
        return self._known.get(name) or Attribute(name, TYPE_OF_KIND[rule.kind])


def _attribute(item: Mapping[str, Any]) -> Attribute:
    category, name = item.get("category"), str(item["name"])
    if category == "category":
        return Attribute(name, "category", _options(item.get("enumeration") or ()))
    if category != "normal":  # calculated, global, transactional
        return Attribute(name, str(category))
    kind = str(item.get("type") or "text")
    choices = item.get("multiCategoryOptions") if kind == "multiple-choice" else None
    return Attribute(name, kind, {str(choice).casefold(): str(choice) for choice in choices or ()})


def _options(enumeration: Iterable[Mapping[str, Any]]) -> dict[str, str | int]:
    """Every word for an option (label, number, text form) to the value that Brevo lists for it.

    `value` is 0 for an option that is no number, since May 2026; `valueStr` is always the real one.
    """
    options: dict[str, str | int] = {}
    for option in enumeration:
        text = str(option.get("valueStr") or option.get("value") or "")
        value = int(text) if text.isdecimal() else text or str(option.get("label", ""))
        for word in (str(option.get("label", "")), text):
            if word:
                options.setdefault(word.strip().casefold(), value)
    return options
