"""What must never stand in a log or an error: secrets and people's data, by shapes that nothing else has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from tajo.sandbox.bigcommerce import CLIENT_SECRET, TOKEN
from tajo.sandbox.bigcommerce.people import FIRST, LAST, STREETS
from tajo.sandbox.brevo.account import API_KEY


class Leak(NamedTuple):
    """`kind`: e-mail, phone, name, street or secret; `line`: the one that holds it; `what`: it itself."""

    kind: str
    what: str
    line: str


_WORDS_TOO = {"Grace", "Green", "Brown", "Hall", "Victor", "Walker", "Clark", "Martin"}
"""Names of invented people that may also mean something else."""

_PEOPLE = {name for name in FIRST + LAST if len(name) > 3 or not name.isascii()} - _WORDS_TOO
_NAMES = sorted(_PEOPLE | {"Ada", "Ann", "Byron", "Jane", "Lovelace"})  # those live in single tests

PATTERNS = {
    "e-mail": r"[\w.+'%-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}",
    "phone": "|".join(
        (
            r"(?<![\w+])\+[1-9]\d{7,14}(?!\d)",
            r"(?<![\w+])\+[1-9]\d{0,2}[ (][\d ()./-]{5,}\d",
            r"(?<![\d.])0\d(?: \d\d){4}(?!\d)",
            r"(?<!\d)00\d{1,3} \d{9,11}(?!\d)",
            r"\(\d{3}\) \d{3}-\d{4}",
            r"\d{3}\.\d{3}\.\d{3,5} ext",
        )
    ),
    "name": rf"(?<!\w)(?:{'|'.join(map(re.escape, _NAMES))})(?!\w)|(?:[\"'](?:first_?|last_?)name\b[\"']:)",
    "street": rf"(?<!\w)\d+ (?:{'|'.join(STREETS)})",
    "secret": "|".join(
        (
            r"xkeysib-\w",
            r"tajo_[\w-]{40,}",
            r"/r/[\w-]{40,}",
            r"token=[\w-]{16,}",
            r"://[^/\s:@]+:(?!\*\*\*@|password@)[^@\s/]+@",  # a password in a URL
            r"(?<![\w-])[0-9a-f]{64}(?![\w-])",
            r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{43}(?![\w-])",
        )
    ),
}
"""Shapes that nothing else has."""

_PATTERN = re.compile("|".join(f"(?P<_{kind.replace('-', '')}>{shape})" for kind, shape in PATTERNS.items()))
_KINDS = {f"_{kind.replace('-', '')}": kind for kind in PATTERNS}
_WORD = re.compile(r"[\w-]{12,}")


class Known:
    """Secrets that were made or given in this process, to be found whatever their shape."""

    def __init__(self) -> None:
        self._words = {TOKEN, CLIENT_SECRET, API_KEY}
        self._phrases: set[str] = set()

    def add(self, value: str) -> None:
        """What is shorter than 12 characters might be a word of any sentence."""
        if len(value) >= 12:
            (self._words if _WORD.fullmatch(value) else self._phrases).add(value)

    def within(self, text: str) -> Iterator[str]:
        yield from self._words.intersection(_WORD.findall(text))
        yield from (phrase for phrase in self._phrases if phrase in text)


KNOWN = Known()


def leaks(text: str) -> list[Leak]:
    """Every leak in a text, which may also be one that is quoted as in a URL."""
    plain = unquote(text) if "%" in text else text
    return [
        *(Leak(_KINDS[str(m.lastgroup)], m[0], _line(plain, m[0])) for m in _PATTERN.finditer(plain)),
        *(Leak("secret", value, _line(plain, value)) for value in KNOWN.within(plain)),
    ]


def _line(text: str, what: str) -> str:
    return next((line for line in text.splitlines() if what in line), what)
