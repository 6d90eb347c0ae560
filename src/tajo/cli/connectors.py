"""`tajo connectors`: stores that are connected at run time, beside those of the file; and `tajo runs`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tajo.app import Tajo
from tajo.cli import tell
from tajo.cli.running import Config, Json, noted, print_json, with_tajo
from tajo.config import Credentials
from tajo.errors import Usage

connectors = typer.Typer(help="The stores that are connected.", no_args_is_help=True)


@connectors.command("list")
def list_(json: Json = False, config: Config = None) -> int:
    """List all connectors, and how far each is."""

    async def verb(tajo: Tajo) -> int:
        found = await tajo.connectors()
        if json:
            print_json(found)
        else:
            for one in found.connectors:
                tell.status(one)
        return 0

    return with_tajo(config, verb)


@connectors.command()
def connect(
    name: Annotated[str, typer.Argument(help="How to call it; the first is best called bigcommerce.")],
    store_hash: Annotated[str, typer.Option("--store-hash", envvar="BC_STORE_HASH", help="Whose store.")],
    access_token: Annotated[
        str | None,
        typer.Option(
            "--access-token",
            envvar="BC_ACCESS_TOKEN",
            help="Of the API account. Others can read a process's arguments: left out, it is asked for.",
        ),
    ] = None,
    client_id: Annotated[
        str, typer.Option("--client-id", envvar="BC_CLIENT_ID", help="Of the API account.")
    ] = "",
    client_secret: Annotated[
        str,
        typer.Option(
            "--client-secret", envvar="BC_CLIENT_SECRET", help="With which BigCommerce signs webhooks."
        ),
    ] = "",
    json: Json = False,
    config: Config = None,
) -> int:
    """Connect a store: its credentials are tried, and kept in the ledger, encrypted."""
    credentials = Credentials(
        store_hash=store_hash,
        access_token=access_token or _asked_for("Access token"),
        client_id=client_id,
        client_secret=client_secret,
    )

    async def verb(tajo: Tajo) -> int:
        async with noted(tajo, "connect", name):
            connected = await tajo.connect(name, credentials)
        if json:
            print_json(connected)
        else:
            tell.connected(connected)
        return 0

    return with_tajo(config, verb, without_stores=True)


@connectors.command()
def disconnect(
    name: Annotated[str, typer.Argument(help="Which connector.")], json: Json = False, config: Config = None
) -> int:
    """Remove our webhooks and forget the credentials; what was synced stays in Brevo."""

    async def verb(tajo: Tajo) -> int:
        async with noted(tajo, "disconnect", name):
            removed = await tajo.disconnect(name)
        if json:
            print_json(removed)
        else:
            tell.hooks_changed(name, removed)
        return 0

    return with_tajo(config, verb)


def runs(
    run: Annotated[str | None, typer.Argument(help="One of them, by its id (default: the newest).")] = None,
    connector: Annotated[str | None, typer.Option("--connector", help="Whose runs.")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Show past runs, and how far one is that goes on."""

    async def verb(tajo: Tajo) -> int:
        if run is None:
            found = await tajo.runs(connector)
            if json:
                print_json(found)
            else:
                tell.runs(found.runs)
            return 0
        one = await tajo.run(run)
        if json:
            print_json(one)
        else:
            tell.run(one)
        return 0

    return with_tajo(config, verb)


def _asked_for(what: str) -> str:
    """A line of standard input, which is not shown where somebody types it."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    line = sys.stdin.readline().strip()
    if not line:
        raise Usage(f"{what}: there is nothing on standard input", "pipe it in, or set its variable.")
    return line
