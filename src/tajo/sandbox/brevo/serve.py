"""Serving the simulated Brevo on this machine: `tajo simulate brevo`, `python -m tajo.sandbox.brevo`.

One JSON line on standard output says where it listens and with which key; nothing else is printed.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .account import API_KEY
from .app import Language, create_app
from .faults import Faults
from .limits import Tier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

HOST = "127.0.0.1"


class CuttableProtocol(H11Protocol):
    """An HTTP/1.1 connection that lends the application a knife: `scope["state"]["cut"]`."""

    def connection_made(self, transport: Any) -> None:
        """Take the connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "cut": transport.abort}


class QuietServer(uvicorn.Server):
    """A server that says once where it listens, and ends on a signal without raising it again."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then tell."""
        await super().startup(sockets)
        for listener in sockets or ():
            address = {"url": f"http://{HOST}:{listener.getsockname()[1]}/v3", "api_key": API_KEY}
            print(msgspec.json.encode(address).decode(), flush=True)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def serve(app: Starlette, *, port: int = 0) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT; port 0 takes any free one, a taken one is an OSError."""
    # Naming TCP lets asyncio switch Nagle off: without that every answer may wait 40 ms for an ACK.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        asyncio.run(_serve(app, listener))


async def _serve(app: Starlette, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        access_log=False,
        log_level="critical",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        backlog=512,
    )
    server = QuietServer(config)

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def brevo(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    tier: Annotated[
        Tier, typer.Option(help="Rate limits of the account; unlimited for benchmarks.")
    ] = Tier.GENERAL,
    faults: Annotated[
        int | None, typer.Option(metavar="SEED", help="Bad weather, repeatable by its seed.")
    ] = None,
    language: Annotated[
        Literal["en", "fr"], typer.Option(help="Language of the default attributes (fr: PRENOM, NOM).")
    ] = "en",
    without_ecommerce: Annotated[
        bool, typer.Option(help="Start with eCommerce not activated (403).")
    ] = False,
    time_scale: Annotated[
        float, typer.Option(min=0.0, help="Multiplies asynchronous delays; 0.01 is a hundred times faster.")
    ] = 1.0,
) -> None:
    """Serve a simulated Brevo; its URL and API key are printed as one line of JSON."""
    chosen: Language = language
    app = create_app(
        tier=tier,
        language=chosen,
        commerce_active=not without_ecommerce,
        faults=None if faults is None else Faults.mild(faults),
        time_scale=time_scale,
    )
    try:
        serve(app, port=port)
    except OSError as error:
        typer.echo(f"The simulated Brevo can not listen on {HOST}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
