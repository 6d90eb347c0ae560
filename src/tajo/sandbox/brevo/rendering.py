"""Templates filled in: the part of Brevo's template language that shop mails use.

    {{ params.total }}   {{ contact.FIRSTNAME }}   {{ params.name|default:"you" }}
    {% for item in params.items %}{{ item.name }}{% endfor %}
    {% if params.code %}...{% else %}...{% endif %}

What is unknown is empty. Values are escaped for HTML. Everything else of the language is left as it stands.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PARTS: Final = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.S)
_VALUE: Final = re.compile(r'\{\{\s*([\w.]+)\s*(?:\|\s*default\s*:\s*"([^"]*)"\s*)?\}\}')
_FOR: Final = re.compile(r"\{%-?\s*for\s+(\w+)\s+in\s+([\w.]+)\s*-?%\}")
_IF: Final = re.compile(r"\{%-?\s*if\s+([\w.]+)\s*-?%\}")
_WORD: Final = re.compile(r"\{%-?\s*(else|endif|endfor)\s*-?%\}")


def rendered(template: str, known: Mapping[str, Any]) -> str:
    """Fill in a template; `known` are the names it may use, like `params` and `contact`."""
    return _block(iter(_PARTS.split(template)), known)[0]


def _block(parts: Iterator[str], known: Mapping[str, Any]) -> tuple[str, str]:
    """The text up to the end of a block, and the word that ended it."""
    text = ""
    for part in parts:
        if (value := _VALUE.fullmatch(part)) is not None:
            found = _found(value[1], known)
            text += escape(str(found)) if found not in (None, "") else value[2] or ""
        elif (loop := _FOR.fullmatch(part)) is not None:
            text += _loop(parts, known, loop[1], loop[2])
        elif (condition := _IF.fullmatch(part)) is not None:
            text += _choice(parts, known, condition[1])
        elif (word := _WORD.fullmatch(part)) is not None:
            return text, word[1]
        else:
            text += part
    return text, ""


def _loop(parts: Iterator[str], known: Mapping[str, Any], name: str, path: str) -> str:
    body, depth = [], 1
    for part in parts:
        depth += bool(_FOR.fullmatch(part))
        word = _WORD.fullmatch(part)
        depth -= word is not None and word[1] == "endfor"
        if not depth:
            break
        body.append(part)
    items = _found(path, known)
    rows = items if isinstance(items, list) else []
    return "".join(_block(iter(body), {**known, name: row})[0] for row in rows)


def _choice(parts: Iterator[str], known: Mapping[str, Any], path: str) -> str:
    first, word = _block(parts, known)
    second = _block(parts, known)[0] if word == "else" else ""
    return first if _found(path, known) else second


def _found(path: str, known: Mapping[str, Any]) -> Any:
    """The value at a dotted path, or None."""
    value: Any = known
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
