"""`tajo keys`, `audit-log`, `password`, `secret`: who gets in, and what was done."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tajo.access import Doorkeeper, Scope
from tajo.answers import ApiKey, AuditLog
from tajo.app import DONE, Tajo
from tajo.cli.running import TERMINAL, Config, Json, print_json, with_tajo, with_wiring
from tajo.errors import Usage
from tajo.sync.ledger.rotation import rotate
from tajo.sync.ledger.secret import add_secret
from tajo.wiring import Wiring

keys = typer.Typer(help="Keys with which programs come in over HTTP.", no_args_is_help=True)
password = typer.Typer(help="How people sign in on the dashboard.", no_args_is_help=True)
secret = typer.Typer(help="What keeps the ledger closed.", no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The program that uses it.")],
    scope: Annotated[Scope, typer.Option("--scope", help="What it may do.")] = Scope.READ,
    json: Json = False,
    config: Config = None,
) -> int:
    """Make a key. It is shown now and never again."""

    async def verb(tajo: Tajo) -> int:
        made = await tajo.create_key(name, scope)
        await tajo.note(TERMINAL, "create key", made.id, DONE)
        print_json(made) if json else typer.echo(made.key)
        return 0

    return with_tajo(config, verb, without_stores=True)


@keys.command("list")
def list_(json: Json = False, config: Config = None) -> int:
    """List all keys, without the keys themselves."""

    async def verb(tajo: Tajo) -> int:
        found = await tajo.keys()
        print_json(found) if json else Console().print(_table(found.keys))
        return 0

    return with_tajo(config, verb, without_stores=True)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="As `tajo keys list` shows it.")],
    json: Json = False,
    config: Config = None,
) -> int:
    """End a key: it opens nothing any more."""

    async def verb(tajo: Tajo) -> int:
        revoked = await tajo.revoke_key(key)
        await tajo.note(TERMINAL, "revoke key", key, DONE)
        print_json(revoked) if json else typer.echo(f"{key} opens nothing any more", err=True)
        return 0

    return with_tajo(config, verb, without_stores=True)


def audit_log(
    after: Annotated[str, typer.Option("--after", help="The `next` of the page before.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 100,
    json: Json = False,
    config: Config = None,
) -> int:
    """Show what people and programs did, the newest first."""

    async def verb(tajo: Tajo) -> int:
        found = await tajo.audit_log(after=after, limit=limit)
        print_json(found) if json else Console().print(_deeds(found))
        return 0

    return with_tajo(config, verb, without_stores=True)


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


def _table(found: list[ApiKey]) -> Table:
    table = Table(box=None)
    for heading in ("id", "name", "scope", "made", "last used", ""):
        table.add_column(heading)
    for key in found:
        made, used = (f"{at:%Y-%m-%d}" if at else "never" for at in (key.made_at, key.used_at))
        table.add_row(key.id, escape(key.name), key.scope, made, used, "revoked" if key.revoked_at else "")
    return table


def _deeds(found: AuditLog) -> Table:
    table = Table(box=None)
    for heading in ("when", "who", "what", "about", "outcome"):
        table.add_column(heading)
    for deed in found.deeds:
        told = (escape(words) for words in (deed.who, deed.verb, deed.about, deed.outcome))
        table.add_row(f"{deed.at:%Y-%m-%d %H:%M:%S}", *told)
    if found.next:
        table.caption = f"older ones: --after {found.next}"
    return table
