"""`{{ contact.FIRSTNAME }}` in texts and params. Pure: names and nothing else, no code runs.

What is not known is empty. A text that is one name alone keeps the type of its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tajo.skills.values import nearest

ROOTS = (
    "contact",
    "cart",
    "order",
    "product",
    "customer",
    "event",
    "recovery_url",
    "discount_code",
    "discount_percent",
    "discount_expires",
)
"""What a name may begin with. `event`: what only the event knew that began the sequence."""

_NAME = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")


def check(value: Any) -> None:
    """Raises `ValueError` where a template names what is never there, in texts at any depth."""
    match value:
        case dict():
            for inner in value.values():
                check(inner)
        case list():
            for inner in value:
                check(inner)
        case str():
            for name in _NAME.findall(value):
                root = name.partition(".")[0]
                if root not in ROOTS:
                    raise ValueError(f"`{{{{ {name} }}}}` is never known" + nearest(root, ROOTS))
            rest = _NAME.sub("", value)
            if "{{" in rest or "{%" in rest:
                raise ValueError("holds a `{{` that is no name; write `{{ contact.FIRSTNAME }}`")


def render(value: Any, data: Mapping[str, Any]) -> Any:
    """The value with its names filled in, at any depth."""
    match value:
        case dict():
            return {key: render(inner, data) for key, inner in value.items()}
        case list():
            return [render(inner, data) for inner in value]
        case str():
            alone = _NAME.fullmatch(value.strip())
            if alone:
                found = _look(alone[1], data)
                return "" if found is None else found
            return _NAME.sub(lambda found: _shown(_look(found[1], data)), value)
        case _:
            return value


def _look(name: str, data: Mapping[str, Any]) -> Any:
    found: Any = data
    for part in name.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isascii() and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _shown(value: Any) -> str:
    """A value within a text: money with its cents, and no lists."""
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value) if isinstance(value, str | int) else ""
