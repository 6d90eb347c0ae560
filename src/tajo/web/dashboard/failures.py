"""`/failures`: what could not be delivered, and why; and another try, for one, some or all of it.

What can never be mended is dismissed: it moves to a list of its own, from which it can be replayed.
"""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlencode

from litestar import get, post
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect
from msgspec import Struct

from tajo.app import as_key
from tajo.sync.ledger import queue
from tajo.web.dashboard.errands import Errand, sentences
from tajo.web.dashboard.frame import Asked, Page, act, page
from tajo.web.dashboard.house import Flash, House, InHouse
from tajo.web.dashboard.words import many

KINDS = {"customers": "customer", "orders": "order", "products": "product"}
"""What of the failures can be previewed, and as what."""


class Chosen(Struct, frozen=True, forbid_unknown_fields=True):
    """The form. `keys`: those that were chosen; `one`: the button in a row; `all`: the one for all."""

    connector: str
    keys: str | list[str] = ""
    one: str = ""
    all: str = ""

    @property
    def wanted(self) -> list[str]:
        """The keys; empty for all of them, and where nothing was chosen."""
        if self.all or self.one:
            return [] if self.all else [self.one]
        return [key for key in ([self.keys] if isinstance(self.keys, str) else self.keys) if key]


@get("/failures")
async def failures(
    request: Asked,
    house: InHouse,
    connector: FromQuery[str] = "",
    after: FromQuery[str] = "",
    dismissed: FromQuery[bool] = False,
) -> Page:
    """A page of failures, or of dismissed ones, the oldest first."""
    name = house.pick(connector)
    found = await house.tajo.failures(name, after=after, limit=50, dismissed=dismissed) if name else None
    rows = found.failures if found else []
    left = found.dismissed_count if found else 0
    seen = house.snapshot.seen.get(name)
    count = left if dismissed else seen.status.failures_count if seen else 0
    return page(
        request,
        house,
        "failures.html",
        connector=name,
        rows=[(one, *_previewed(one.key)) for one in rows],
        reasons=Counter(one.reason for one in rows).most_common(),
        count=max(count, len(rows)),
        dismissed=dismissed,
        left=left,
        next=found.next if found else None,
        after=after,
        errand=house.errands.last("replay", name),
    )


@post("/failures/replay", status_code=303)
async def replay(request: Asked, house: InHouse, data: URLEncodedBody[Chosen]) -> Redirect:
    """Look at failed records again and deliver them."""
    name, wanted = house.pick(data.connector), data.wanted

    async def again(_: Errand) -> Flash:
        keys = await _there(house, name, wanted)
        if wanted and not keys:
            return Flash("What you chose is no failure any more: it got through, or it is gone.")
        before = await _left(house, name, keys)
        run = await house.tajo.replay(name, keys)
        left = await _left(house, name, keys)
        await house.snapshot.soon(name)
        if run.troubles:
            return Flash(f"The replay was cut short: {run.troubles[0]}", bad=True)
        if left == before == 1:
            return Flash("It failed again.", bad=True)
        if left:
            return Flash(f"Of {many(before, 'record')}, {left:,} failed again.", bad=True)
        return Flash(f"{many(before, 'record').capitalize()} got through.")

    async def work() -> Flash:
        if not wanted and not data.all:
            return Flash("Choose at least one failure.", bad=True)
        last = house.errands.last("replay", name)
        if last and last.runs:
            return Flash("Another replay goes on: try again when it is over.", bad=True)
        errand = await house.errands.run("replay", name, again)
        if errand.runs:
            return Flash("The replay goes on; this page shows when it is over.")
        if errand.words:
            return Flash(sentences("not replayed", errand.why), bad=True)
        flash: Flash = errand.result
        return flash

    to = f"/failures?{urlencode({'connector': name})}"
    return await act(request, house, work(), verb="replay", about=name, to=to)


@post("/failures/dismiss", status_code=303)
async def dismiss(request: Asked, house: InHouse, data: URLEncodedBody[Chosen]) -> Redirect:
    """Leave failed records as they are."""
    name = house.pick(data.connector)

    async def work() -> Flash:
        if not data.wanted:
            return Flash("Choose at least one failure.", bad=True)
        keys = await _there(house, name, data.wanted)
        if not keys:
            return Flash("What you chose is no failure any more: it got through, or it is gone.")
        await house.tajo.dismiss(name, keys)
        return Flash(f"{many(len(keys), 'record').capitalize()} dismissed. Replay what you want back.")

    to = f"/failures?{urlencode({'connector': name})}"
    return await act(request, house, work(), verb="dismiss", about=name, to=to)


HANDLERS = [failures, replay, dismiss]


async def _there(house: House, name: str, keys: list[str]) -> list[str]:
    """Those of these that are failures still, dismissed or not: somebody else may have been faster."""
    async with house.wiring.ledger.begin() as tx:
        there = await queue.parked_of(tx, name, [as_key(key) for key in keys])
    return [str(one.key) for one in there]


async def _left(house: House, name: str, keys: list[str]) -> int:
    """How many of these are among the failures; none named: how many there are."""
    async with house.wiring.ledger.begin() as tx:
        if not keys:
            return await queue.count_parked(tx, name)
        return len(await queue.parked_of(tx, name, [as_key(key) for key in keys]))


def _previewed(key: str) -> tuple[str, str]:
    """As what it can be previewed, and its number; empty where it cannot."""
    resource, _, number = key.partition("/")
    return KINDS.get(resource, ""), number
