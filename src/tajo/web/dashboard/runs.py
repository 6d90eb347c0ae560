"""`/runs`: every sync, and how far the one is that is under way."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery

from tajo.answers import Run
from tajo.errors import TajoError, Unknown
from tajo.web.dashboard.errands import told
from tajo.web.dashboard.frame import Asked, Page, page
from tajo.web.dashboard.house import House, InHouse


@get("/runs")
async def runs(
    request: Asked, house: InHouse, connector: FromQuery[str] = "", after: FromQuery[str] = ""
) -> Page:
    """Runs, the newest first."""
    chosen = house.pick(connector) if connector else None
    found = await house.tajo.runs(chosen, after=after, limit=25)
    rows = [(run, *_far(run), _written(run)) for run in found.runs]
    return page(
        request,
        house,
        "runs.html",
        rows=rows,
        next=found.next,
        after=after,
        connector=chosen or "",
        live=any(run.state == "running" for run in found.runs),
    )


@get("/runs/{run:str}")
async def run(request: Asked, house: InHouse, run: FromPath[str]) -> Page:
    """One run: what became of the records of each resource."""
    found, problem, mend = await _found(house, run)
    seen, expected = _far(found)
    bars = [
        (name, counts, max(found.expected.get(name) or 0, counts.seen))
        for name, counts in found.resources.items()
    ]
    goes_on = house.jobs.is_running(run) or (found.state == "running" and _under_way(house, found.connector))
    return page(
        request,
        house,
        "run.html",
        run=found,
        bars=bars,
        seen=seen,
        expected=expected,
        goes_on=goes_on,
        problem=problem,
        mend=mend,
    )


HANDLERS = [runs, run]


async def _found(house: House, run: str) -> tuple[Run, str, str]:
    """The run, and why it came to no end if it was started here and failed."""
    try:
        found = await house.jobs.run(run)
        if found.started_at is None:  # one that goes on knows its tallies, the ledger when it began
            began = (await house.tajo.run(run)).started_at
            found = msgspec.structs.replace(found, started_at=began)
        return found, "", ""
    except Unknown:
        raise
    except TajoError as error:
        return await house.tajo.run(run), *told(error)


def _under_way(house: House, connector: str) -> bool:
    standing = house.standing().get(connector)
    return bool(standing and standing.expected)


def _far(run: Run) -> tuple[int, int]:
    """Records seen and expected."""
    seen = sum(run.resources[name].seen for name in run.expected if name in run.resources)
    expected = sum(
        max(total or 0, run.resources[name].seen)
        for name, total in run.expected.items()
        if name in run.resources
    )
    return seen, expected


def _written(run: Run) -> tuple[int, int, int]:
    """Records written, that will be tried again, and parked."""
    counts = run.resources.values()
    return (
        sum(one.written for one in counts),
        sum(one.failed for one in counts),
        sum(one.parked for one in counts),
    )
