"""Contact attributes: the account's catalogue, what values it takes, and `/contacts/attributes`.

Types: text, date, float, boolean, multiple-choice and user only under `normal`, id only under
`transactional`; `category` needs an enumeration (SDK `create_attribute`). The type never changes after
creation (`update_attribute`).
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from .wire import Answer, Refusal, invalid, missing, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account
    from .wire import Call

Value = str | int | float | bool | list[str]

CATEGORIES: Final = ("normal", "transactional", "category", "calculated", "global")
_TYPES: Final = {
    "normal": {"text", "date", "float", "boolean", "multiple-choice", "user"},
    "transactional": {"text", "date", "float", "boolean", "id"},
    "category": {"category"},
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_OPTION = 200

IDENTIFYING: Final = {
    "EMAIL": "email",
    "EXT_ID": "ext_id",
    "SMS": "sms",
    "WHATSAPP": "whatsapp",
    "LANDLINE_NUMBER": "landline",
}
"""Attribute names that are identifiers, unique across contacts, and the field of `Contact` for each."""


class Attribute(msgspec.Struct):
    """One attribute; `options` maps what a category stores (an integer or text) to its label."""

    name: str
    category: str
    type: str
    options: dict[int | str, str] = {}
    choices: list[str] = []
    formula: str | None = None

    def shown(self) -> dict[str, Any]:
        """Give the item of `GET /contacts/attributes`; `valueStr` accompanies `value` since 1 May 2026."""
        item: dict[str, Any] = {"name": self.name, "category": self.category}
        if self.category in {"normal", "transactional"}:
            item["type"] = self.type
        if self.options:
            item["enumeration"] = [
                {"value": value if isinstance(value, int) else 0, "label": label, "valueStr": str(value)}
                for value, label in self.options.items()
            ]
        if self.choices:
            item["multiCategoryOptions"] = self.choices
        if self.formula is not None:
            item["calculatedValue"] = self.formula
        return item

    def read(self, value: object) -> Value | UnsetType:
        """Give the value as stored, or UNSET when its type does not fit: Brevo ignores it silently.

        A date of the wrong format is refused with a 400 instead (GH:studiomitte/brevo#10); the SDK's text
        says "ignored". Strings are not turned into numbers or booleans (GH:sendinblue/APIv3-java-library#30).
        """
        reading: Value | UnsetType = UNSET
        match self.type, value:
            case "date", str(text):
                reading = date_value(text)
            case "text" | "user" | "id", str(text):
                reading = text
            case "boolean", bool(truth):
                reading = truth
            case "float", int(number) | float(number) if not isinstance(number, bool):
                reading = number
            case "category", int(option) | str(option) if not isinstance(option, bool):
                reading = self._option(option)
            case "multiple-choice", list(choices):
                reading = [choice for choice in choices if choice in self.choices] or UNSET
        return reading

    def read_cell(self, text: str) -> Value | UnsetType:
        """Give the value of a CSV cell, where everything is text ("true/false is expected in files")."""
        if self.type == "float":
            try:
                return float(text)
            except ValueError:
                return UNSET
        if self.type == "boolean":
            return {"true": True, "false": False}.get(text.lower(), UNSET)
        if self.type == "multiple-choice":
            return self.read([part.strip() for part in text.split(",")])
        return self.read(text)

    def _option(self, value: int | str) -> Value | UnsetType:
        for stored, label in self.options.items():
            if value in {stored, str(stored), label}:
                return stored
        return UNSET


def date_value(text: str) -> str:
    """Check a `YYYY-MM-DD`; any other format is a 400."""
    if _DATE.fullmatch(text):
        try:
            date.fromisoformat(text)
        except ValueError:
            pass
        else:
            return text
    raise invalid("invalid date format")


class Catalogue:
    """The attributes of the account, by upper-case name."""

    def __init__(self, language: str) -> None:
        first, last = ("PRENOM", "NOM") if language == "fr" else ("FIRSTNAME", "LASTNAME")
        counts = {"BLACKLIST": "BLACKLISTED", "READERS": "READ", "CLICKERS": "CLICKED"}
        identifiers = ("SMS", "EXT_ID", "WHATSAPP", "LANDLINE_NUMBER")
        texts = (last, first, *identifiers, "CONTACT_TIMEZONE", "JOB_TITLE", "LINKEDIN")
        attributes = [
            *(
                Attribute(name, "global", "calculated", formula=f"COUNT[{field},{field},<,NOW()]")
                for name, field in counts.items()
            ),
            Attribute("DOUBLE_OPT-IN", "category", "category", {1: "Yes", 2: "No"}),
            *(Attribute(name, "normal", "text") for name in texts),
        ]
        self._by_name = {attribute.name: attribute for attribute in attributes}

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Attribute | None:
        """Find an attribute by its exact, upper-case name."""
        return self._by_name.get(name)

    def settable(self) -> dict[str, Attribute]:
        """Give the attributes a contact can hold a value of (identifiers and formulas apart)."""
        return {
            name: attribute
            for name, attribute in self._by_name.items()
            if name not in IDENTIFYING and attribute.type != "calculated"
        }

    def add(self, attribute: Attribute) -> None:
        """Add an attribute under a name not taken yet."""
        self._by_name[attribute.name] = attribute

    def remove(self, name: str) -> None:
        """Forget an attribute."""
        del self._by_name[name]

    def lacks_transactional_key(self) -> bool:
        """Tell the state in which contact creation fails (GH:sendinblue/APIv3-php-library#102)."""
        types = {attribute.type for attribute in self if attribute.category == "transactional"}
        return bool(types) and "id" not in types


def index(account: Account, _call: Call) -> Answer:
    """GET /contacts/attributes."""
    return Answer(200, {"attributes": [attribute.shown() for attribute in account.attributes]})


def create(account: Account, call: Call) -> Answer:
    """POST /contacts/attributes/{category}/{name}: 201 without a body."""
    category, name, body = _category(call), call.params["name"].upper(), call.json()
    if not _NAME.fullmatch(name):
        raise invalid("Attribute name is not valid")
    if name == "EMAIL" or account.attributes.get(name):
        raise invalid("Attribute name must be unique")
    account.attributes.add(_described(category, name, body))
    return Answer(201)


def update(account: Account, call: Call) -> Answer:
    """PUT /contacts/attributes/{category}/{name}: options and formulas only, never the type."""
    attribute, body = _existing(account, call), call.json()
    if attribute.category == "category":
        attribute.options = _enumeration(body)
    elif attribute.category in {"calculated", "global"}:
        attribute.formula = _formula(body)
    elif attribute.type == "multiple-choice":
        attribute.choices = list(dict.fromkeys([*attribute.choices, *_choices(body)]))
    else:
        raise invalid("Only category, calculated, global and multiple-choice attributes can be updated")
    return Answer(204)


def delete(account: Account, call: Call) -> Answer:
    """DELETE /contacts/attributes/{category}/{name}: the contacts lose its values."""
    attribute = _existing(account, call)
    if attribute.name in IDENTIFYING:
        raise invalid("This attribute can not be deleted")
    account.attributes.remove(attribute.name)
    for contact in account.book:
        contact.attributes.pop(attribute.name, None)
    return Answer(204)


def delete_option(account: Account, call: Call) -> Answer:
    """DELETE /contacts/attributes/multiple-choice/{name}/{option}."""
    attribute = account.attributes.get(call.params["name"].upper())
    if attribute is None or attribute.type != "multiple-choice":
        raise not_found("Attribute not found")
    if call.params["option"] not in attribute.choices:
        raise not_found("Attribute option not found")
    attribute.choices.remove(call.params["option"])
    return Answer(204)


def _category(call: Call) -> str:
    category = call.params["category"]
    if category not in CATEGORIES:
        raise invalid("Attribute category is not valid")
    return category


def _existing(account: Account, call: Call) -> Attribute:
    category = _category(call)
    attribute = account.attributes.get(call.params["name"].upper())
    if attribute is None or attribute.category != category:
        raise not_found("Attribute not found")
    return attribute


def _described(category: str, name: str, body: dict[str, Any]) -> Attribute:
    if category in {"calculated", "global"}:
        return Attribute(name, category, "calculated", formula=_formula(body))
    if category == "category":
        if body.get("type", "category") != "category":
            raise invalid("Type category is the only one available if the category is category")
        return Attribute(name, category, "category", _enumeration(body))
    kind = body.get("type")
    if kind is None:
        raise missing("Attribute type is missing")
    if not isinstance(kind, str) or kind not in _TYPES[category]:
        raise invalid("Attribute type is not valid")
    choices = _choices(body) if kind == "multiple-choice" else []
    return Attribute(name, category, kind, choices=choices)


def _formula(body: dict[str, Any]) -> str:
    value = body.get("value")
    if not isinstance(value, str) or not value:
        raise missing("Attribute value is missing")
    return value


def _enumeration(body: dict[str, Any]) -> dict[int | str, str]:
    items = body.get("enumeration")
    if not items:
        raise missing("Attribute enumeration is missing")
    options: dict[int | str, str] = {}
    for item in items if isinstance(items, list) else [items]:
        value, label = (item.get("value"), item.get("label")) if isinstance(item, dict) else (None, None)
        if not isinstance(value, int | str) or isinstance(value, bool) or not isinstance(label, str):
            raise invalid("Attribute enumeration should be a list of value and label")
        _short(label)
        options[value] = label
    return options


def _choices(body: dict[str, Any]) -> list[str]:
    choices = body.get("multiCategoryOptions")
    if not choices:
        raise missing("multiCategoryOptions is missing")
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise invalid("multiCategoryOptions should be a list of strings")
    for choice in choices:
        _short(choice)
    return choices


def _short(option: str) -> None:
    if len(option) > _LONGEST_OPTION:
        raise Refusal(400, "out_of_range", f"An option can not exceed {_LONGEST_OPTION} characters")
