"""`tajo back-in-stock`: the form that asks shoppers, on the pages of what is sold out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import typer

from tajo import storefront
from tajo.cli.running import Config, Json, Name, each, exit_code, print_json, with_wiring
from tajo.wiring import Wiring

back_in_stock = typer.Typer(
    help="The form that asks who wishes to be told, on pages of what is sold out.", no_args_is_help=True
)


@back_in_stock.command("install")
def install(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Put the script on the pages of every storefront; what is missing or broken is made right."""
    return _change(config, connector, storefront.install, json=json)


@back_in_stock.command("remove")
def remove(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Take the script away from all pages; wishes that were made stand."""
    return _change(config, connector, storefront.remove, json=json)


def _change(
    path: Path | None, connector: str | None, change: Callable[..., Awaitable[Any]], *, json: bool
) -> int:
    async def verb(wiring: Wiring) -> int:
        async def one(name: str) -> dict[str, Any]:
            async with wiring.accounts(name) as (store, _):
                done: dict[str, Any] = msgspec.to_builtins(await change(wiring, name, store))
            if not json:
                words = [f"{what} on channel {channel}" for what, where in done.items() for channel in where]
                typer.echo(f"{name}: {', '.join(words) or 'nothing to do'}")
            return done

        answer = await each(wiring.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=True)

    return with_wiring(path, verb)
