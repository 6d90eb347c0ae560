"""What the commands have in common: options, and how a verb is run and its answers are told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tajo import config
from tajo.app import DONE, FAILED, Tajo
from tajo.errors import Mend, Usage
from tajo.wiring import Wiring, open_wiring, remembers

TERMINAL = "terminal"
"""Who did it, in the audit log: whoever may run commands here."""

Config = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file (default: $TAJO_CONFIG, then ./tajo.yaml)."),
]
Name = Annotated[str | None, typer.Argument(help="A connector's name (default: all that are enabled).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]


def with_wiring(
    path: Path | None, verb: Callable[[Wiring], Coroutine[Any, Any, int]], *, without_stores: bool = False
) -> int:
    """Load the settings, open the ledger, do something. `without_stores`: it can be done without any."""
    settings = config.load(path, os.environ)
    if not (settings.connectors or without_stores or remembers(settings)):  # before a ledger is made
        raise Usage("no store is connected", "write a tajo.yaml (`tajo init`), or set BC_STORE_HASH.")

    async def run() -> int:
        async with open_wiring(settings, os.environ) as wiring:
            return await verb(wiring)

    return asyncio.run(run())


def with_tajo(
    path: Path | None, verb: Callable[[Tajo], Coroutine[Any, Any, int]], *, without_stores: bool = False
) -> int:
    """The same with the verbs, which all faces share."""
    return with_wiring(path, lambda wiring: verb(Tajo(wiring)), without_stores=without_stores)


@asynccontextmanager
async def noted(tajo: Tajo, verb: str, about: str = "") -> AsyncIterator[None]:
    """What is done here stands in the audit log, whatever comes of it. `about`: a connector, if any."""
    outcome = FAILED
    try:
        yield
        outcome = DONE
    finally:
        await tajo.note(TERMINAL, verb, about, outcome)


async def each(names: list[str], verb: Callable[[str], Awaitable[object]]) -> object:
    """The verb's answer for one connector, or `{"connectors": {name: answer}}` for several.

    Of several, one that needs a human does not stop the others: its answer is `{"error": …}`.
    """
    if len(names) == 1:
        return await verb(names[0])
    answers: dict[str, object] = {}
    for name in names:
        try:
            answers[name] = await verb(name)
        except Mend as error:
            typer.echo(f"{name}: {error}", err=True)
            answers[name] = {"error": error.problem}
    return {"connectors": answers}


def exit_code(answer: object, *, clean: bool) -> int:
    """3 if any connector needs a human, else 0 or 1."""
    each_one = answer.get("connectors", {}).values() if isinstance(answer, dict) else ()
    broken = any(isinstance(one, dict) and "error" in one for one in each_one)
    return Mend.exit_code if broken else int(not clean)


def print_json(value: object) -> None:
    """One object on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
