"""`/skills`: who waits where. Nobody is named: a cart, an order or a customer by its number."""

from __future__ import annotations

from litestar import get
from litestar.params import FromQuery

from tajo.errors import Unknown
from tajo.sync.ledger import glance
from tajo.web.dashboard.frame import Asked, Page, page
from tajo.web.dashboard.house import InHouse

SHOWN = 50
"""Sequences of one skill that are shown, the next first."""


@get("/skills")
async def skills(
    request: Asked, house: InHouse, connector: FromQuery[str] = "", skill: FromQuery[str] = ""
) -> Page:
    """All skills: whether they are on, how many wait in each, when it goes on."""
    name = house.pick(connector)
    shelf = house.wiring.settings.skills.skills
    if skill and skill not in shelf:
        raise Unknown(f"there is no skill `{skill[:64]}`", "see the list of skills.")
    seen = house.snapshot.seen.get(name)
    waiting = seen.waiting if seen else {}
    done = seen.status.deeds if seen else {}
    found = [
        (one, waiting.get(one.name), done.get(one.name, 0))
        for one in sorted(shelf.values(), key=lambda one: (not one.enabled, one.name))
        if one.steps
    ]
    stepless = sorted(one.name for one in shelf.values() if not one.steps)
    rows = []
    if name and skill:
        async with house.wiring.ledger.begin() as tx:
            rows = await glance.upcoming(tx, name, skill, limit=SHOWN)
    return page(
        request,
        house,
        "skills.html",
        connector=name,
        skills=found,
        stepless=stepless,
        chosen=shelf.get(skill),
        rows=rows,
        count=waiting[skill].count if skill in waiting else len(rows),
    )


HANDLERS = [skills]
