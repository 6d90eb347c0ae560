"""The ASGI application of `/v1` and the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from tajo.app import Tajo
from tajo.errors import TajoError
from tajo.meters import Meters
from tajo.web.api import (
    provide_audits,
    provide_jobs,
    provide_journal,
    provide_may_call,
    provide_tajo,
    v1,
)
from tajo.web.callers import Callers, Gate, Limits
from tajo.web.dashboard import Outlook, answered, open_house, routes
from tajo.web.dashboard.house import House
from tajo.web.headers import Hosts, careful
from tajo.web.jobs import Audits, Jobs
from tajo.web.metrics import metrics
from tajo.web.patience import Patience
from tajo.web.refusals import refused

LARGEST = 1_000_000
"""Bytes of a request's body: a webhook handed over is the largest of them."""

OPENAPI = OpenAPIConfig(
    title="Tajo",
    version=version("tajo"),
    description="Keeps a BigCommerce store and a Brevo account in agreement.",
    path="/openapi.json",
    render_plugins=[JsonRenderPlugin(path="/")],
    components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
    security=[{"key": []}],
    use_handler_docstrings=True,
)


@asynccontextmanager
async def open_faces(
    tajo: Tajo,
    gate: Gate,
    *,
    may_call: Callable[[str], bool] = lambda _url: True,
    hosts: Collection[str] = ("*",),
    meters: Meters | None = None,
    outlook: Outlook | None = None,
) -> AsyncIterator[Litestar]:
    """`tajo`: what callers can do; `gate`: knows who they are. With it ends what runs for them.

    `may_call`: whether an address that a caller names is one that this machine shall call. `hosts`: the names
    under which it is reached. `meters`: what is told at `/metrics`; None: there is nothing of the kind.
    `outlook`: what the dashboard shows; None: there is none.
    """
    jobs, audits = Jobs(tajo), Audits(tajo)
    try:
        async with AsyncExitStack() as stack:
            house = None
            if outlook:
                house = await stack.enter_async_context(open_house(outlook, tajo, jobs, may_call))
            yield faces_of(tajo, gate, jobs, audits, may_call, hosts=hosts, meters=meters, house=house)
    finally:
        await jobs.close()
        await audits.close()


def faces_of(
    tajo: Tajo,
    gate: Gate,
    jobs: Jobs,
    audits: Audits,
    may_call: Callable[[str], bool],
    *,
    hosts: Collection[str] = ("*",),
    meters: Meters | None = None,
    house: House | None = None,
) -> Litestar:
    """The application over these."""
    state = {"tajo": tajo, "jobs": jobs, "audits": audits, "journal": house.journal if house else None}
    state |= {"gate": gate, "may_call": may_call, "limits": Limits()}
    return Litestar(
        [v1(), *([metrics] if meters else []), *(routes() if house else [])],
        state=State({**state, "meters": meters, "hosts": frozenset(hosts), "house": house}),
        dependencies={
            "tajo": Provide(provide_tajo),
            "jobs": Provide(provide_jobs),
            "audits": Provide(provide_audits),
            "journal": Provide(provide_journal),
            "may_call": Provide(provide_may_call),
        },
        middleware=[Hosts, Patience, DefineMiddleware(Callers, exclude=["^/openapi.json$", "^/static/"])],
        exception_handlers=dict.fromkeys((TajoError, Exception), answered if house else refused),
        openapi_config=OPENAPI,
        logging_config=None,
        request_max_body_size=LARGEST,
        before_send=[careful],
    )
