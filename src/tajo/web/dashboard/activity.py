"""`/activity`: what just changed, in words, as it happens."""

from __future__ import annotations

from litestar import get
from litestar.params import FromQuery
from litestar.response import ServerSentEvent

from tajo.web.activity import as_it_happens, bare
from tajo.web.dashboard.frame import Asked, Page, page
from tajo.web.dashboard.house import InHouse

SHOWN = 100
"""Lines that a page begins with."""


@get("/activity")
async def activity(request: Asked, house: InHouse, connector: FromQuery[str] = "") -> Page:
    """The newest lines of the journal, and the place where the next appear."""
    chosen = house.pick(connector) if connector else ""
    lines = [line for line in house.journal.after(0) if not chosen or line.connector == chosen]
    return page(
        request,
        house,
        "activity.html",
        lines=[(line, bare(line)) for line in reversed(lines[-SHOWN:])],
        last=house.journal.last,
        connector=chosen,
    )


@get("/activity/events", media_type="text/event-stream")
async def events(
    request: Asked, house: InHouse, connector: FromQuery[str] = "", after: FromQuery[int] = 0
) -> ServerSentEvent:
    """The lines that follow, one event each."""
    seen = request.headers.get("last-event-id", "")
    return ServerSentEvent(as_it_happens(house.journal, int(seen) if seen.isdecimal() else after, connector))


HANDLERS = [activity, events]
