"""The ASGI application of `/v1` and the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from tajo.errors import TajoError
from tajo.meters import Meters
from tajo.verbs import Verbs
from tajo.web.api import provide_jobs, provide_may_call, provide_verbs, v1
from tajo.web.callers import Callers, Gate, Limits
from tajo.web.headers import HEADERS, known_as
from tajo.web.jobs import Jobs
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
    verbs: Verbs,
    gate: Gate,
    *,
    may_call: Callable[[str], bool] = lambda _url: True,
    hosts: Collection[str] = ("*",),
    meters: Meters | None = None,
) -> AsyncIterator[Litestar]:
    """`verbs`: what callers can do; `gate`: knows who they are. With it ends what runs for them.

    `may_call`: whether an address that a caller names is one that this machine shall call. `hosts`: the names
    under which it is reached. `meters`: what is told at `/metrics`; None: there is nothing of the kind.
    """
    jobs = Jobs(verbs)
    try:
        yield faces_of(verbs, gate, jobs, may_call, hosts=hosts, meters=meters)
    finally:
        await jobs.close()


def faces_of(
    verbs: Verbs,
    gate: Gate,
    jobs: Jobs,
    may_call: Callable[[str], bool],
    *,
    hosts: Collection[str] = ("*",),
    meters: Meters | None = None,
) -> Litestar:
    """The application over these."""
    state = {"verbs": verbs, "jobs": jobs, "gate": gate, "may_call": may_call, "limits": Limits()}
    return Litestar(
        [v1(), *([metrics] if meters else [])],
        state=State({**state, "meters": meters}),
        dependencies={
            "verbs": Provide(provide_verbs),
            "jobs": Provide(provide_jobs),
            "may_call": Provide(provide_may_call),
        },
        middleware=[Patience, DefineMiddleware(Callers, exclude=["^/openapi.json$"])],
        exception_handlers={TajoError: refused, Exception: refused},
        openapi_config=OPENAPI,
        logging_config=None,
        request_max_body_size=LARGEST,
        response_headers=HEADERS,
        allowed_hosts=known_as(hosts),
    )
