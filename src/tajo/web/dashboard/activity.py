"""`/activity`: what just changed, in words, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from litestar import get
from litestar.params import FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from tajo.journal import Journal, Line
from tajo.web.dashboard.frame import Asked, Page, page
from tajo.web.dashboard.house import InHouse

SHOWN = 100
"""Lines that a page begins with."""

PULSE = 15.0
"""Seconds after which a line without words keeps the connection open."""

LONGEST = 600.0
"""Seconds after which a browser has to come again: by then its session may be over."""


@get("/activity")
async def activity(request: Asked, house: InHouse, connector: FromQuery[str] = "") -> Page:
    """The newest lines of the journal, and the place where the next appear."""
    chosen = house.pick(connector) if connector else ""
    lines = [line for line in house.journal.since(0) if not chosen or line.connector == chosen]
    newest = house.journal.since(0)
    return page(
        request,
        house,
        "activity.html",
        lines=[(line, bare(line)) for line in reversed(lines[-SHOWN:])],
        last=newest[-1].number if newest else 0,
        connector=chosen,
    )


@get("/activity/events", media_type="text/event-stream")
async def events(
    request: Asked, house: InHouse, connector: FromQuery[str] = "", after: FromQuery[int] = 0
) -> ServerSentEvent:
    """The lines that follow, one event each."""
    seen = request.headers.get("last-event-id", "")
    return ServerSentEvent(_lines(house.journal, connector, int(seen) if seen.isdecimal() else after))


HANDLERS = [activity, events]


async def _lines(
    journal: Journal, connector: str, after: int
) -> AsyncGenerator[ServerSentEventMessage, None]:
    lines = journal.since(0)
    if not lines or lines[-1].number < after:
        after = 0  # the server was started anew since
    until = asyncio.get_running_loop().time() + LONGEST
    while asyncio.get_running_loop().time() < until:
        for line in journal.since(after):
            after = line.number
            if not connector or line.connector == connector:
                told = {"at": line.at, "connector": line.connector, "level": line.level, "words": bare(line)}
                yield ServerSentEventMessage(msgspec.json.encode(told).decode(), event="line", id=str(after))
        try:
            async with asyncio.timeout(PULSE):
                await journal.more()
        except TimeoutError:
            yield ServerSentEventMessage(comment="nothing new")


def bare(line: Line) -> str:
    """Its words without the name of the connector in front."""
    return line.words.removeprefix(line.connector).strip() if line.connector else line.words
