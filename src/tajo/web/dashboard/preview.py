"""`/preview`: what Brevo would be told of one record, exactly, and where each value comes from."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from litestar import get, post
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect
from msgspec import Struct

from tajo.answers import Preview
from tajo.app import is_count
from tajo.errors import Later, TajoError, Usage
from tajo.sync.ledger import people
from tajo.web.dashboard.errands import told
from tajo.web.dashboard.frame import Asked, Page, page, session_of
from tajo.web.dashboard.house import Flash, House, InHouse

KINDS = ("customer", "order", "product")

PATIENCE = 20.0
"""Seconds for which the store and Brevo may be asked."""


class Whom(Struct, frozen=True, forbid_unknown_fields=True):
    """The form. `record`: a number, or the e-mail of somebody; it is posted, for e-mails belong in no URL."""

    connector: str
    kind: str = "customer"
    record: str = ""


@get("/preview")
async def preview(
    request: Asked,
    house: InHouse,
    connector: FromQuery[str] = "",
    kind: FromQuery[str] = "customer",
    id: FromQuery[str] = "",  # noqa: A002 - the name in the address
) -> Page:
    """The form, and the payloads of the record that the address names."""
    name = house.pick(connector)
    found: Preview | None = None
    problem = mend = ""
    if name and id:
        try:
            found = await _previewed(house, name, kind, id)
            await house.keeper.note(request.user.who, "preview", name)
        except TajoError as error:
            problem, mend = told(error)
    return page(
        request,
        house,
        "preview.html",
        status=422 if problem else 200,
        connector=name,
        kind=kind if kind in KINDS else "customer",
        kinds=KINDS,
        id=id if is_count(id) else "",
        found=found,
        problem=problem,
        mend=mend,
    )


@post("/preview", status_code=303)
async def look(request: Asked, house: InHouse, data: URLEncodedBody[Whom]) -> Redirect:
    """Find the record that is meant, and go to its page."""
    name, record = house.pick(data.connector), data.record.strip()
    kind, number = data.kind, record
    if "@" in record:
        kind, number = await _of(house, name, record)
        if not number:
            words = "Nobody with this e-mail is known here. See whether it is typed right, or sync first."
            house.flashes.put(session_of(request), Flash(words, bad=True))
    elif not is_count(number):
        house.flashes.put(session_of(request), Flash("Type a number, or an e-mail address.", bad=True))
        number = ""
    query = {"connector": name, "kind": kind, **({"id": number} if number else {})}
    return Redirect(f"/preview?{urlencode(query)}", status_code=303)


HANDLERS = [preview, look]


async def _previewed(house: House, name: str, kind: str, id_: str) -> Preview:
    if not (is_count(id_) and int(id_)):
        raise Usage("this is no number of a record", "use the one that the store's control panel shows.")
    try:
        async with asyncio.timeout(PATIENCE):
            return await house.tajo.preview(name, kind, int(id_))
    except TimeoutError:
        raise Later("the store or Brevo does not answer now: try again soon") from None


async def _of(house: House, name: str, email: str) -> tuple[str, str]:
    """The account of somebody, or the last order of a guest, as far as the ledger has met them."""
    person = house.wiring.ledger.secret.person(email)
    async with house.wiring.ledger.begin() as tx:
        accounts = (await people.accounts_of(tx, name, [person])).get(person)
        order = (await people.last_orders(tx, name, [person])).get(person)
    if accounts:
        return "customer", str(accounts[0])
    return ("order", str(order)) if order else ("customer", "")
