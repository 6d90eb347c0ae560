"""The commands, each a thin face of a verb."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tajo import config, webhooks
from tajo.app import Tajo, parts
from tajo.cli import tell
from tajo.cli.progress import watching
from tajo.cli.running import Config, Json, Name, each, exit_code, print_json, with_tajo
from tajo.doctor import examine
from tajo.errors import Usage
from tajo.export import export
from tajo.forget import forget
from tajo.plan import make_plan
from tajo.preview import KINDS, preview
from tajo.sandbox.cli import simulate
from tajo.sync.model import Key, Resource

app = typer.Typer(
    name="tajo",
    help="Keep a BigCommerce store and a Brevo account in agreement.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
hooks = typer.Typer(help="Our webhooks at the store and at Brevo.", no_args_is_help=True)
failures = typer.Typer(help="Records that could not be delivered.", no_args_is_help=True)
app.add_typer(failures, name="failures")
app.add_typer(hooks, name="hooks")
app.add_typer(simulate, name="simulate")

Resources = Annotated[
    list[str] | None, typer.Option("--resource", help="Only this: customers, orders or products. Repeatable.")
]


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("tajo.yaml"),
) -> int:
    """Write a commented configuration file."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(config.EXAMPLE)
    except FileExistsError:
        raise Usage(f"{path} exists already", "name another file, or delete that one first.") from None
    except OSError as error:
        raise Usage(f"cannot write {path}: {error.strerror}", "name another place.") from None
    typer.echo(f"Wrote {path}. Fill in the credentials, then: tajo doctor", err=True)
    return 0


@app.command()
def sync(
    connector: Name = None,
    resource: Resources = None,
    full: Annotated[
        bool, typer.Option("--full", help="Look at everything again, not only at changes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; write nothing.")
    ] = False,
    believe_losses: Annotated[
        bool,
        typer.Option("--believe-losses", help="What is missing in the store's lists is gone, however much."),
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how many calls and how long it would take.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> int:
    """Bring Brevo up to date with the store; a sync that was cut off goes on where it stopped."""
    wanted = parts(resource or [])

    async def verb(tajo: Tajo) -> int:
        names = tajo.names(connector)
        if plan:
            return await _plan(tajo, names, full=full, resources=wanted, json=json)
        clean = True

        async def one(name: str) -> dict[str, Any]:
            nonlocal clean
            with watching(quiet=json) as watch:
                if dry_run:
                    account, differences = await tajo.rehearse(name, full=full, resources=wanted, watch=watch)
                else:
                    account = await tajo.sync(
                        name, full=full, resources=wanted, believe_losses=believe_losses, watch=watch
                    )
                    differences = []
            clean = clean and account.clean
            if not json:
                tell.account(name, account, differences, dry_run=dry_run)
            answer = tell.summary(account)
            return {**answer, "dry_run": True, "differences": differences} if dry_run else answer

        answer = await each(names, one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=clean)

    return with_tajo(config, verb)


async def _plan(
    tajo: Tajo, names: list[str], *, full: bool, resources: frozenset[Resource] | None, json: bool
) -> int:
    plans = {name: await make_plan(tajo, name, full=full, resources=resources) for name in names}
    if json:
        answers = {name: one.summary() for name, one in plans.items()}
        print_json(answers[names[0]] if len(names) == 1 else {"connectors": answers})
    else:
        for name, one in plans.items():
            tell.plan(name, one)
    return 0


@app.command()
def status(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Show how far each connector is, and what waits."""

    async def verb(tajo: Tajo) -> int:
        names = tajo.names(connector)
        if json:
            print_json(await each(names, tajo.status))
        else:
            for name in names:
                tell.status(await tajo.status(name))
        return 0

    return with_tajo(config, verb)


@app.command("preview")
def preview_command(
    kind: Annotated[str, typer.Argument(help="customer, order or product.")],
    record_id: Annotated[int, typer.Argument(metavar="ID", help="Its id in BigCommerce.")],
    connector: Annotated[str | None, typer.Option("--connector", help="Whose store.")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Show the exact payload that Brevo would get, and where each value came from."""
    if kind not in KINDS:
        raise Usage(f"cannot preview a `{kind}`", f"use one of these: {', '.join(KINDS)}.")

    async def verb(tajo: Tajo) -> int:
        shown = await preview(tajo, tajo.names(connector)[0], kind, record_id)
        if json:
            print_json(shown)
        else:
            tell.preview(shown)
        return 0

    return with_tajo(config, verb)


@app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or new folder.")],
    connector: Annotated[str | None, typer.Option("--connector", help="Whose store.")] = None,
    config: Config = None,
) -> int:
    """Write the store's customers, orders, products and more into a folder, as the API returns them."""

    async def verb(tajo: Tajo) -> int:
        counts = await export(tajo, tajo.names(connector)[0], folder)
        typer.echo(
            ", ".join(f"{count:,} {name}" for name, count in counts.items()) + f" in {folder}", err=True
        )
        typer.echo("These files hold personal data; only you may read them (mode 600).", err=True)
        return 0

    return with_tajo(config, verb)


@app.command()
def doctor(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Examine credentials, scopes, limits, lists and the store's data; each finding comes with its mend."""

    async def verb(tajo: Tajo) -> int:
        reports = {name: await examine(tajo, name) for name in tajo.names(connector)}
        if json:
            found = {name: report.summary() for name, report in reports.items()}
            print_json(next(iter(found.values())) if len(found) == 1 else {"connectors": found})
        else:
            for name, report in reports.items():
                tell.diagnosis(name, report)
        return max(report.exit_code for report in reports.values())

    return with_tajo(config, verb)


@failures.command("list")
def failures_list(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """List what could not be delivered, and why."""

    async def verb(tajo: Tajo) -> int:
        found = {name: await tajo.failures(name) for name in tajo.names(connector)}
        if json:
            rows = [tell.failure(name, entry) for name, entries in found.items() for entry in entries]
            print_json({"failures": rows})
        else:
            tell.failures(found)
        return 1 if any(found.values()) else 0

    return with_tajo(config, verb)


@failures.command("replay")
def failures_replay(
    keys: Annotated[list[str] | None, typer.Argument(help="Such as orders/17 (default: all).")] = None,
    connector: Annotated[str | None, typer.Option("--connector", help="Whose failures.")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Look at failed records again and deliver them."""
    wanted = [_key(word) for word in keys or []]

    async def verb(tajo: Tajo) -> int:
        clean = True

        async def one(name: str) -> dict[str, Any]:
            nonlocal clean
            with watching(quiet=json) as watch:
                account = await tajo.replay(name, wanted or None, watch=watch)
            clean = clean and account.clean
            if not json:
                tell.account(name, account, [], dry_run=False)
            return tell.summary(account)

        answer = await each(tajo.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=clean)

    return with_tajo(config, verb)


def _key(word: str) -> Key:
    resource, _, id_ = word.partition("/")
    if resource not in list(Resource) or not (id_.isascii() and id_.isdecimal()):
        raise Usage(f"`{word}` names no record", "write it as `tajo failures list` does, e.g. orders/17.")
    return Key(Resource(resource), int(id_))


@app.command("serve")
def serve_command(
    host: Annotated[
        str | None, typer.Option("--host", help="Where to listen (default: server.host).")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port (default: server.port).")] = None,
    config: Config = None,
) -> int:
    """Take webhooks and keep every store and Brevo in agreement, until stopped."""
    from tajo.live import serve  # noqa: PLC0415 - no other command needs a server

    async def verb(tajo: Tajo) -> int:
        settings = tajo.settings.server
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(
            tajo,
            host=host or settings.host,
            port=settings.port if port is None else port,
            stop=stop,
            say=tell.log,
            listening=lambda url: tell.log(f"listening on {url}"),
        )
        tell.log("stopped; what has not been told goes on at the next start")
        return 0

    return with_tajo(config, verb)


@hooks.command("list")
def hooks_list(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """List all webhooks of the store's API account, ours and others."""

    async def verb(tajo: Tajo) -> int:
        found = {}
        for name in tajo.names(connector):
            async with tajo.accounts(name) as (store, _):
                found[name] = await webhooks.listed(tajo, name, store)
        if json:
            print_json(
                {"hooks": [{"connector": name, **row} for name, rows in found.items() for row in rows]}
            )
        else:
            tell.hooks(found)
        return 0

    return with_tajo(config, verb)


@hooks.command("register")
def hooks_register(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """See that store and Brevo call this server; whatever is missing or broken is made right."""
    return _change_hooks(config, connector, webhooks.register, json=json)


@hooks.command("repair")
def hooks_repair(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """The same as register: it mends what is there and makes what is missing."""
    return _change_hooks(config, connector, webhooks.register, json=json)


@hooks.command("remove")
def hooks_remove(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Remove our webhooks; those of others stay."""
    return _change_hooks(config, connector, webhooks.remove, json=json)


def _change_hooks(
    path: Path | None, connector: str | None, change: Callable[..., Awaitable[Any]], *, json: bool
) -> int:
    async def verb(tajo: Tajo) -> int:
        async def one(name: str) -> dict[str, Any]:
            async with tajo.accounts(name) as (store, brevo):
                report = webhooks.summary(await change(tajo, name, store, brevo))
            if not json:
                tell.hooks_changed(name, report)
            return report

        answer = await each(tajo.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=True)

    return with_tajo(path, verb)


@app.command("forget")
def forget_command(
    email: Annotated[
        str, typer.Argument(metavar="EMAIL", help="Who is to be forgotten; `-`: read it from standard input.")
    ],
    json: Json = False,
    config: Config = None,
) -> int:
    """Delete a person from Brevo and from Tajo's memory for good, and write down that it was done."""
    who = sys.stdin.readline() if email == "-" else email  # others can read a process's arguments

    async def verb(tajo: Tajo) -> int:
        record = await forget(tajo, who)
        if json:
            print_json(msgspec.to_builtins(record))
        else:
            for sentence in record.sentences():
                typer.echo(sentence)
        return 0

    return with_tajo(config, verb)


@app.command()
def demo(
    seed: Annotated[int, typer.Option("--seed", help="Which invented store.")] = 7,
) -> int:
    """Sync an invented store into an invented account, on this machine alone, and show what came of it."""
    from tajo.demo import play  # noqa: PLC0415 - it pulls in both simulators' clients

    return asyncio.run(play(seed))
