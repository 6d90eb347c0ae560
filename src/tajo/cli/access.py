"""`tajo keys`, `tajo password`, `tajo secret`: who gets in, and what keeps the ledger closed."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tajo.access import ApiKey, Doorkeeper, Scope
from tajo.cli.running import Config, Json, print_json, with_wiring
from tajo.errors import Usage
from tajo.sync.ledger.rotation import rotate
from tajo.sync.ledger.secret import add_secret
from tajo.wiring import Wiring

keys = typer.Typer(help="Keys with which programs come in over HTTP.", no_args_is_help=True)
password = typer.Typer(help="How people sign in on the dashboard.", no_args_is_help=True)
secret = typer.Typer(help="What keeps the ledger closed.", no_args_is_help=True)

TERMINAL = "terminal"
"""Who did it, in the audit log: whoever may run commands here."""


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The program that uses it.")],
    scope: Annotated[Scope, typer.Option("--scope", help="What it may do.")] = Scope.READ,
    json: Json = False,
    config: Config = None,
) -> int:
    """Make a key. It is shown now and never again."""

    async def act(keeper: Doorkeeper) -> int:
        key, text = await keeper.make_key(name, scope)
        await keeper.note(TERMINAL, "create key", key.id)
        print_json({"id": key.id, "key": text}) if json else typer.echo(text)
        return 0

    return _with_keeper(config, act)


@keys.command("list")
def list_(json: Json = False, config: Config = None) -> int:
    """List all keys, without the keys themselves."""

    async def act(keeper: Doorkeeper) -> int:
        found = await keeper.keys()
        print_json({"keys": found}) if json else Console().print(_table(found))
        return 0

    return _with_keeper(config, act)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="As `tajo keys list` shows it.")],
    config: Config = None,
) -> int:
    """End a key: it opens nothing any more."""

    async def act(keeper: Doorkeeper) -> int:
        await keeper.revoke(key)
        await keeper.note(TERMINAL, "revoke key", key)
        typer.echo(f"{key} opens nothing any more", err=True)
        return 0

    return _with_keeper(config, act)


@password.command()
def reset(config: Config = None) -> int:
    """Send everybody away, and print a link by which one person comes in and sets a password."""

    async def act(wiring: Wiring) -> int:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=None)
        token = await keeper.reset()
        await keeper.note(TERMINAL, "reset password")
        typer.echo(f"{wiring.address}/setup?token={token}")
        return 0

    return with_wiring(config, act, without_stores=True)


@secret.command("rotate")
def rotate_command(config: Config = None) -> int:
    """Seal everything anew under another secret key, while no server runs; cut off, it goes on next time."""
    counts: list[int] = []

    async def seal(wiring: Wiring) -> int:
        for name in wiring.settings.connectors:  # a server that runs could open nothing that was sealed anew
            async with wiring.ledger.alone(name):
                pass
        counts.append(await rotate(wiring.ledger))
        return 0

    async def add(wiring: Wiring) -> int:
        if os.environ.get("TAJO_SECRET_KEY"):
            if len(os.environ["TAJO_SECRET_KEY"].strip().splitlines()) == 1:
                raise Usage(
                    "TAJO_SECRET_KEY holds one key",
                    "put another one before it, on a line of its own, and come back.",
                )
        else:
            add_secret(wiring.folder / "tajo.key")
        return 0

    async def note(wiring: Wiring) -> int:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=None)
        await keeper.note(TERMINAL, "rotate secret")
        return 0

    with_wiring(config, seal)
    if not counts[0]:  # else that was the rest of a rotation that was cut off
        with_wiring(config, add)
        with_wiring(config, seal)
    with_wiring(config, note)
    typer.echo(
        f"{sum(counts):,} values sealed anew. Keep the older keys: the oldest draws hashes, "
        "and any of them may have sealed links in mails of the last 30 days.",
        err=True,
    )
    return 0


def _with_keeper(path: Path | None, act: Callable[[Doorkeeper], Coroutine[Any, Any, int]]) -> int:
    return with_wiring(
        path, lambda wiring: act(Doorkeeper(wiring.ledger, wiring.now, master=None)), without_stores=True
    )


def _table(found: list[ApiKey]) -> Table:
    table = Table(box=None)
    for heading in ("id", "name", "scope", "made", "last used", ""):
        table.add_column(heading)
    for key in found:
        made, used = (f"{at:%Y-%m-%d}" if at else "never" for at in (key.made_at, key.used_at))
        table.add_row(key.id, escape(key.name), key.scope, made, used, "revoked" if key.revoked_at else "")
    return table
