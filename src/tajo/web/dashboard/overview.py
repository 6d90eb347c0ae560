"""`/`: is everything in agreement, and what is to be done where it is not? `/connectors/…`: one of them."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from litestar import get, post
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect
from msgspec import Struct

from tajo.config import Credentials
from tajo.errors import Usage
from tajo.series import Name
from tajo.web.dashboard.charts import Chart, Serie, Span, chart, gathered, seconds, share
from tajo.web.dashboard.frame import Asked, Page, act, page
from tajo.web.dashboard.house import Flash, House, InHouse

RANGES: dict[str, tuple[float, float]] = {
    "1h": (3600.0, 60.0),
    "6h": (6 * 3600.0, 300.0),
    "24h": (24 * 3600.0, 900.0),
}
"""Seconds that a chart covers, and of each of its steps."""

FEW = 10
"""Connectors of which the overview draws charts together; of more, each has its own on its page."""


class Store(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that connects a store."""

    name: str
    store_hash: str
    access_token: str
    client_id: str = ""
    client_secret: str = ""
    api_url: str = ""


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that starts a sync."""

    type: Literal["full", "incremental"] = "incremental"
    believe_losses: str = ""


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """A form about a connector."""

    connector: str


@get("/")
async def overview(request: Asked, house: InHouse) -> Page:
    """All connectors; at the first start the form that connects one."""
    if not house.names:
        return page(request, house, "welcome.html")
    views = house.views()
    return page(
        request,
        house,
        "overview.html",
        views=views,
        tally=Counter(view.state for view in views),
        todo=[todo for view in views for todo in view.todo],
        charts=_charts(house, house.names, "1h") if len(house.names) <= FEW else [],
    )


@get("/connectors/{name:str}")
async def connector(request: Asked, house: InHouse, name: FromPath[str], span: FromQuery[str] = "1h") -> Page:
    """One connector, part by part, with its charts."""
    house.pick(name)
    span = span if span in RANGES else "1h"
    return page(
        request,
        house,
        "connector.html",
        view=house.view(name),
        settings=house.wiring.settings.connectors[name],
        written=name in house.wiring.written,
        standing=house.standing().get(name),
        runs=(await house.tajo.runs(name, limit=5)).runs,
        charts=_charts(house, [name], span),
        span=span,
        ranges=list(RANGES),
    )


@post("/connectors/{name:str}/sync", status_code=303)
async def sync(request: Asked, house: InHouse, name: FromPath[str], data: URLEncodedBody[Wish]) -> Redirect:
    """Start a sync, and show how far it is."""
    house.pick(name)

    async def work() -> Flash:
        run = await house.jobs.start(
            name, full=data.type == "full", resources=(), believe_losses=bool(data.believe_losses)
        )
        words = "The sync has begun." if house.jobs.is_running(run.run) else "The sync is over."
        return Flash(words, to=f"/runs/{run.run}" if run.run else "")

    return await act(request, house, work(), verb="sync", about=name, to=f"/connectors/{name}")


@post("/connect", status_code=303)
async def connect(request: Asked, house: InHouse, data: URLEncodedBody[Store]) -> Redirect:
    """Connect a store, once its credentials have been seen to open what is needed."""
    name = data.name.strip()

    async def work() -> Flash:
        if data.api_url and not house.may_call(data.api_url):
            raise Usage("this server calls no such host", "name it as `api_url` in its configuration.")
        found = await house.tajo.connect(
            name,
            Credentials(
                store_hash=data.store_hash.strip(),
                access_token=data.access_token.strip(),
                client_id=data.client_id.strip(),
                client_secret=data.client_secret.strip(),
                api_url=data.api_url.strip(),
                type="bigcommerce",
            ),
        )
        await house.snapshot.soon(name)
        notes = f" Good to know: {' '.join(found.notes)}" if found.notes else ""
        return Flash(f"{found.store} is connected as {name}; its history is being told.{notes}")

    return await act(request, house, work(), verb="connect", about=_short(name), to="/")


@post("/disconnect", status_code=303)
async def disconnect(request: Asked, house: InHouse, data: URLEncodedBody[Named]) -> Redirect:
    """Remove our webhooks and forget the credentials."""
    name = house.pick(data.connector)

    async def work() -> str:
        await house.tajo.disconnect(name)
        return f"{name} is disconnected. What was synced stays in Brevo."

    return await act(request, house, work(), verb="disconnect", about=name, to="/settings")


HANDLERS = [overview, connector, sync, connect, disconnect]


def _charts(house: House, names: list[str], wanted: str) -> list[Chart]:
    """Records told, how long they took, and how much of both sides' limits is used."""
    length, step = RANGES[wanted]
    since = (house.now - length) // step * step
    span = Span(since, house.now // step * step + step, step)

    def serie(name: Name, label: str, colour: Literal["one", "two"]) -> Serie:
        found = sorted(point for one in names for point in house.minutes(name, one, since))
        return Serie(label, colour, gathered(found, step, total=name == "told"))

    per = "minute" if step == 60.0 else f"{step / 60:.0f} minutes"
    lags = [serie("lag_p50", "half of them within", "one"), serie("lag_p95", "95 of 100 within", "two")]
    limits = [serie("limit_bigcommerce", "BigCommerce", "one"), serie("limit_brevo", "Brevo", "two")]
    told = [serie("told", "records", "one")]
    return [
        chart("told", f"Records told to Brevo, per {per}", told, span, bars=True),
        chart("lag", "From a webhook to Brevo", lags, span, words=seconds),
        chart("limits", "Limits in use", limits, span, words=share, most=1.0),
    ]


def _short(name: str) -> str:
    """A name for the audit log: as a connector may be called, or nothing."""
    return name if name.isascii() and len(name) <= 64 and name.replace("-", "").isalnum() else ""
