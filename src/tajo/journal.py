"""What happens, line by line: told to the log, and the newest lines kept for people who look."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Self

REMEMBERED = 500
"""Lines that are kept."""


class Line(NamedTuple):
    """One line of the journal. `at`: seconds since 1970; `number`: counts them, so that none is missed.

    `words` begin with the connector's name, where it is about one. `level`: info, warning or error.
    """

    number: int
    at: float
    words: str
    connector: str = ""
    level: str = "info"


class Said(str):
    """Words for the log, which it may print as they are; and what they are about, for a log that sorts."""

    bare: str
    connector: str
    level: str

    def __new__(cls, words: str, connector: str = "", level: str = "info") -> Self:
        """`words` of a connector; `bare` they are without its name in front."""
        self = super().__new__(cls, f"{connector}  {words}" if connector else words)
        self.bare, self.connector, self.level = words, connector, level
        return self


class Journal:
    """What the workers say: told to the log, and the newest lines kept for those who watch."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say = say
        self._now = now
        self._lines: deque[Line] = deque(maxlen=REMEMBERED)
        self._more = asyncio.Event()

    def tell(self, words: str, *, connector: str = "", level: str = "info") -> None:
        """Say a line: to the log as `Said`."""
        said = Said(words, connector, level)
        self._say(said)
        self._lines.append(Line(self.last + 1, self._now(), str(said), connector, level))
        self._more.set()
        self._more = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the newest line; 0: nothing was said yet."""
        return self._lines[-1].number if self._lines else 0

    def after(self, number: int) -> list[Line]:
        """The lines after this one, the oldest first: all, if it was one of a server that ran before."""
        number = number if number <= self.last else 0
        return [line for line in self._lines if line.number > number]

    async def more(self) -> None:
        """Wait for the next line."""
        await self._more.wait()
