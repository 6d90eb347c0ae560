"""What just happened: the newest lines of the journal, and those that follow, as they are said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from litestar.response import ServerSentEventMessage

from tajo.answers import Said
from tajo.journal import Journal, Line
from tajo.sync.moments import moment

PULSE = 15.0
"""Seconds after which a line without words keeps the connection open."""

LONGEST = 600.0
"""Seconds after which one has to ask again: by then a session may be over, or a key be revoked."""


def said(line: Line) -> Said:
    """A line as it is told to those who look."""
    return Said(
        number=line.number, at=moment(line.at), connector=line.connector, level=line.level, words=bare(line)
    )


async def as_it_happens(
    journal: Journal, after: int, connector: str = ""
) -> AsyncGenerator[ServerSentEventMessage, None]:
    """The lines after this one, an event each, as `Said`. `connector`: only those about it."""
    until = asyncio.get_running_loop().time() + LONGEST
    while asyncio.get_running_loop().time() < until:
        for line in journal.after(after):
            after = line.number
            if not connector or line.connector == connector:
                told = msgspec.json.encode(said(line)).decode()
                yield ServerSentEventMessage(told, event="line", id=str(after))
        try:
            async with asyncio.timeout(PULSE):
                await journal.more()
        except TimeoutError:
            yield ServerSentEventMessage(comment="nothing new")


def bare(line: Line) -> str:
    """Its words without the name of the connector in front."""
    return line.words.removeprefix(line.connector).strip() if line.connector else line.words
