"""All routes of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tajo.bigcommerce import callbacks as store
from tajo.brevo import callbacks as marketing
from tajo.server import back_in_stock, recovery
from tajo.server.ingestion import BrevoDoor, Door, FromBigCommerce, FromBrevo
from tajo.server.problems import problem
from tajo.sync.ledger.inbox import Inbox
from tajo.sync.ledger.wishes import WishBox

PATIENCE = 5.0  # seconds in which the ledger must answer to be called ready


def make_app(
    doors: Mapping[str, Door],
    brevo: BrevoDoor | None,
    inbox: Inbox,
    ready: Callable[[], Awaitable[bool]],
    *,
    origins: Mapping[str, Collection[str]] = MappingProxyType({}),
    wishes: WishBox | None = None,
    links: recovery.Recovery | None = None,
    faces: ASGIApp | None = None,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """The ASGI application. `doors`: per connector; `brevo` None: Brevo calls nobody; `ready`: may work come?

    `origins`: by connector those of its storefronts, from which shoppers may wish to be told. `links`:
    brings carts back. `faces`: answers whatever is none of these doors.

    Exceptions of deliveries are callbacks like others, but BigCommerce wants them elsewhere
    (webhooks: events, `store/hook/deliveryException`).
    """

    async def readyz(_request: Request) -> Response:
        try:
            answered = await asyncio.wait_for(ready(), PATIENCE)
        except Exception:  # whatever it was, work must not come now
            answered = False
        if not answered:
            raise HTTPException(503, "the ledger does not answer")
        return PlainTextResponse("ready\n")

    stores = FromBigCommerce(doors, inbox, now)
    paths = (store.DOOR, f"{store.DOOR}/{{connector}}", f"{store.DOOR}/{{connector}}{store.FAILED}")
    routes = [
        *(Route(path, stores, methods=["POST"]) for path in paths),
        *([Route(marketing.DOOR, FromBrevo(brevo), methods=["POST"])] if brevo else []),
        *(back_in_stock.routes(origins, wishes, now) if wishes else []),
        *([Route(recovery.ROUTE, links)] if links else []),
        Route("/healthz", _alive),
        Route("/readyz", readyz),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: problem, Exception: problem})
    app.router.redirect_slashes = False
    if faces:  # no mount: it would answer for the doors whose method is another
        app.router.default = faces
    return app


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("alive\n")
