"""`/doctor`: everything that a connector stands on, examined when somebody asks for it."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import get, post
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from tajo.web.dashboard.errands import sentences
from tajo.web.dashboard.frame import Asked, Page, act, page
from tajo.web.dashboard.house import Flash, InHouse
from tajo.web.dashboard.overview import Named


@get("/doctor")
async def doctor(request: Asked, house: InHouse, connector: FromQuery[str] = "") -> Page:
    """The findings of the last examination, the worst first."""
    name = house.pick(connector)
    errand = house.errands.last("doctor", name)
    findings = errand.result.findings if errand and errand.result else []
    return page(
        request,
        house,
        "doctor.html",
        connector=name,
        errand=errand,
        mends=[one for one in findings if one.grade == "mend"],
        notes=[one for one in findings if one.grade == "note"],
        fine=[one for one in findings if one.grade == "fine"],
        diagnosis=errand.result if errand else None,
    )


@post("/doctor", status_code=303)
async def examine(request: Asked, house: InHouse, data: URLEncodedBody[Named]) -> Redirect:
    """Begin an examination. It changes nothing."""
    name = house.pick(data.connector)

    async def work() -> Flash:
        errand = await house.errands.run("doctor", name, lambda errand: house.tajo.doctor(name, errand.heed))
        if errand.runs:
            return Flash("The doctor is looking; this page shows what is found.")
        if errand.words:
            return Flash(sentences("not examined", errand.why), bad=True)
        return Flash("Examined.")

    to = f"/doctor?{urlencode({'connector': name})}"
    return await act(request, house, work(), verb="doctor", about=name, to=to)


HANDLERS = [doctor, examine]
