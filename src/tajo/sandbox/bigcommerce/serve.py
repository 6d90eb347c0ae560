"""Serve a simulated store on 127.0.0.1, and the command that does it.

Once the port listens, one JSON line on stdout says where and with which credentials; nothing else is printed.
"""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from .app import create_app
from .faults import Faults
from .limits import PLANS
from .sources import generate, load
from .world import FAMILIES

if TYPE_CHECKING:
    from types import FrameType

    from starlette.applications import Starlette

CUSTOMERS, ORDERS, PRODUCTS, SEED = 200, 400, 60, 1


class _Server(uvicorn.Server):
    """A server that announces itself when it listens."""

    announcement = ""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal is the ordinary end: leave with 0, not with the signal."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        print(self.announcement, flush=True)


def serve(app: Starlette, port: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes any free one."""
    world = app.state.world
    token, account = next(iter(world.accounts.items()))
    # the protocol is named so that asyncio knows TCP and sends small packets at once
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise typer.BadParameter(
                f"cannot listen on {port}: {error.strerror}", param_hint="--port"
            ) from None
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        server = _Server(config)
        server.announcement = json.dumps(
            {
                "url": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "store_hash": world.store.hash,
                "access_token": token,
                "client_id": account.client_id,
                "client_secret": account.client_secret,
            }
        )
        asyncio.run(server.serve(sockets=[listener]))


def _option(text: str, least: int | None = None) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(help=text, min=least)
    return found


def bigcommerce(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: any free one.")] = 0,
    data: Annotated[Path | None, _option("Serve the store of this export folder.")] = None,
    customers: Annotated[int | None, _option(f"Customers to generate [{CUSTOMERS}].", 0)] = None,
    orders: Annotated[int | None, _option(f"Orders to generate [{ORDERS}].", 0)] = None,
    products: Annotated[int | None, _option(f"Products to generate [{PRODUCTS}].", 1)] = None,
    seed: Annotated[int | None, _option(f"Seed of the generated store [{SEED}].", 0)] = None,
    plan: Annotated[str, _option(f"Request quota: {', '.join(PLANS)}.")] = "standard",
    faults: Annotated[int | None, _option("Seed of a stream of faults; none without it.", 0)] = None,
    other_apps: Annotated[int, _option("Requests that other apps use up in each 30 seconds.", 0)] = 0,
    time_scale: Annotated[float, _option("How much faster hooks are retried and carts abandoned.")] = 1.0,
    without_scope: Annotated[list[str] | None, _option("Take a scope from the token; repeatable.")] = None,
) -> None:
    """Simulate a BigCommerce store on this machine."""
    size = {"--customers": customers, "--orders": orders, "--products": products, "--seed": seed}
    given = [name for name, value in size.items() if value is not None]
    missing = set(without_scope or ()) - set(FAMILIES)
    if plan not in PLANS:
        raise typer.BadParameter(f"{plan!r} is not one of {', '.join(PLANS)}", param_hint="--plan")
    if time_scale <= 0:
        raise typer.BadParameter("must be greater than 0", param_hint="--time-scale")
    if missing:
        names = ", ".join(FAMILIES)
        raise typer.BadParameter(f"{missing.pop()!r} is not one of {names}", param_hint="--without-scope")
    if data is not None and given:
        raise typer.BadParameter(
            f"a loaded store has its contents: drop {', '.join(given)}", param_hint="--data"
        )
    if data is not None and not (data / "store.json").is_file():
        raise typer.BadParameter(f"{data} is not an export folder: it has no store.json", param_hint="--data")
    store = (
        load(data)
        if data is not None
        else generate(
            customers=CUSTOMERS if customers is None else customers,
            orders=ORDERS if orders is None else orders,
            products=PRODUCTS if products is None else products,
            seed=SEED if seed is None else seed,
        )
    )
    app = create_app(
        store,
        plan=plan,
        faults=None if faults is None else Faults(seed=faults),
        scopes=set(FAMILIES) - set(without_scope or ()),
        other_apps=other_apps,
        time_scale=time_scale,
    )
    serve(app, port)
