"""The simulated Brevo as one ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from starlette.applications import Starlette
from starlette.routing import Mount

from .account import API_KEY, Account
from .clock import Clock, SystemClock
from .control import Control
from .faults import Faults
from .gateway import Gateway
from .limits import Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

Language = Literal["en", "fr"]


def create_app(
    *,
    api_key: str = API_KEY,
    tier: Tier | str = Tier.GENERAL,
    language: Language = "en",
    commerce_active: bool = True,
    product_alerts: bool = True,
    faults: Faults | None = None,
    clock: Clock | None = None,
    time_scale: float = 1.0,
    outgoing: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """Make a fresh account and the application that serves it: API under `/v3`, control under `/_sandbox`.

    `time_scale` multiplies asynchronous delays; `clock` and `outgoing` (the transport of webhooks) are seams
    for tests. The account is at `app.state.account`.
    """
    account = Account(
        api_key=api_key,
        tier=Tier(tier),
        language=language,
        commerce_active=commerce_active,
        product_alerts=product_alerts,
        faults=faults or Faults(),
        clock=clock or SystemClock(),
        time_scale=time_scale,
        outgoing=outgoing,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await account.agenda.close()

    routes = [Mount("/v3", app=Gateway(account)), Mount("/_sandbox", routes=Control(account).routes())]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.account = account
    return app
