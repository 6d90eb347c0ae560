"""What an examination comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

Grade = Literal["fine", "note", "mend"]
GRADES: tuple[Grade, ...] = ("fine", "note", "mend")


class Finding(Struct, frozen=True):
    """One thing seen by the check of that id: `words` for a person, and how to `mend` it, if need be.

    Grades: `fine`; `note`, good to know; `mend`, a human must act.
    """

    check: str
    grade: Grade
    words: str
    mend: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """All findings, the worst last. `storefronts`: lines for tajo.yaml, empty where none are of use.

    `left_out`: the checks that were not made, because one that they need found its door closed.
    """

    findings: list[Finding]
    storefronts: str = ""
    left_out: list[str] = []

    @property
    def exit_code(self) -> int:
        """0, or 3 where a human must mend something."""
        return 3 if any(finding.grade == "mend" for finding in self.findings) else 0

    def summary(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "healthy": self.exit_code == 0,
            "findings": [
                {"check": one.check, "grade": one.grade, "words": one.words, "mend": one.mend}
                for one in self.findings
            ],
            "left_out": self.left_out,
            "storefronts": self.storefronts,
        }


def fine(words: str) -> Finding:
    """All is well; the table of checks knows whose finding it is."""
    return Finding("", "fine", words)


def note(words: str, how: str = "") -> Finding:
    """Good to know."""
    return Finding("", "note", words, how)


def mend(words: str, how: str) -> Finding:
    """A human must act."""
    return Finding("", "mend", words, how)


def many(number: int, what: str) -> str:
    """`1 order`, `4,500 orders`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def some(words: Iterable[str]) -> str:
    """Each word once, but five at the most."""
    once = list(dict.fromkeys(words))
    return ", ".join(once[:5]) + (", …" if len(once) > 5 else "")
