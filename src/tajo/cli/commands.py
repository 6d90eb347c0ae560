"""The commands, each a thin face of a verb."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tajo import answers, config
from tajo.app import Tajo, as_key, as_kind
from tajo.cli import tell, tell_audit
from tajo.cli.access import audit_log, keys, password, secret
from tajo.cli.connectors import connectors, runs
from tajo.cli.logs import Form, open_log
from tajo.cli.progress import watching
from tajo.cli.running import Config, Json, Name, each, exit_code, noted, print_json, with_tajo, with_wiring
from tajo.errors import Mend, Usage
from tajo.export import export
from tajo.sandbox.cli import simulate
from tajo.telemetry import exported
from tajo.wiring import Wiring, parts

app = typer.Typer(
    name="tajo",
    help="Keep a BigCommerce store and a Brevo account in agreement.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
hooks = typer.Typer(help="Our webhooks at the store and at Brevo.", no_args_is_help=True)
failures = typer.Typer(help="Records that could not be delivered.", no_args_is_help=True)
app.add_typer(connectors, name="connectors")
app.add_typer(keys, name="keys")
app.command("audit-log")(audit_log)
app.add_typer(password, name="password")
app.add_typer(secret, name="secret")
app.command("runs")(runs)
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
    parts(resource or [])  # before anything is opened
    wanted: dict[str, Any] = {"full": full, "resources": resource or []}

    async def verb(tajo: Tajo) -> int:
        names = tajo.names(connector)
        if plan:
            return await _plan(tajo, names, wanted, json=json)
        runs: list[answers.Run] = []

        async def one(name: str) -> answers.Run:
            with watching(quiet=json) as watch:
                if dry_run:
                    run: answers.Run = await tajo.rehearse(name, **wanted, watch=watch)
                else:
                    async with noted(tajo, "sync", name):
                        run = await tajo.sync(name, **wanted, believe_losses=believe_losses, watch=watch)
            runs.append(run)
            if not json:
                tell.run(run)
            return run

        with exported(os.environ, partial(typer.echo, err=True)):
            answer = await each(names, one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=all(run.clean for run in runs))

    return with_tajo(config, verb)


async def _plan(tajo: Tajo, names: list[str], wanted: dict[str, Any], *, json: bool) -> int:
    plans = {name: await tajo.plan(name, **wanted) for name in names}
    if json:
        print_json(next(iter(plans.values())) if len(plans) == 1 else {"connectors": plans})
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

    as_kind(kind)

    async def verb(tajo: Tajo) -> int:
        name = tajo.names(connector)[0]
        async with noted(tajo, "preview", name):
            shown = await tajo.preview(name, kind, record_id)
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

    async def verb(wiring: Wiring) -> int:
        name = wiring.names(connector)[0]
        async with noted(Tajo(wiring), "export", name):
            counts = await export(wiring, name, folder)
        typer.echo(
            ", ".join(f"{count:,} {name}" for name, count in counts.items()) + f" in {folder}", err=True
        )
        typer.echo("These files hold personal data; only you may read them (mode 600).", err=True)
        return 0

    return with_wiring(config, verb)


@app.command()
def doctor(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Examine credentials, scopes, limits, lists and the store's data; each finding comes with its mend."""

    async def verb(tajo: Tajo) -> int:
        found = {name: await tajo.doctor(name) for name in tajo.names(connector)}
        if json:
            print_json(next(iter(found.values())) if len(found) == 1 else {"connectors": found})
        else:
            for name, diagnosis in found.items():
                tell.diagnosis(name, diagnosis)
        return 0 if all(one.healthy for one in found.values()) else Mend.exit_code

    return with_tajo(config, verb)


@app.command("audit")
def audit_command(
    connector: Name = None,
    repair: Annotated[bool, typer.Option("--repair", help="Tell Brevo anew whatever differs.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Show what differing fields are: personal data.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> int:
    """Read both sides, and show each difference between what Brevo should hold and what it holds, or none."""

    async def verb(tajo: Tajo) -> int:
        found: list[answers.Audit] = []

        async def one(name: str) -> answers.Audit:
            with watching(quiet=json) as watch:
                async with noted(tajo, "audit", name):
                    found.append(await tajo.audit(name, repair=repair, values=values, watch=watch))
            if not json:
                tell_audit.audit(found[-1])
            return found[-1]

        answer = await each(tajo.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=all(one.agrees for one in found))

    return with_tajo(config, verb)


@failures.command("list")
def failures_list(
    connector: Name = None,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="List what was dismissed instead.")] = False,
    json: Json = False,
    config: Config = None,
) -> int:
    """List what could not be delivered, and why."""

    async def verb(tajo: Tajo) -> int:
        found = {name: await tajo.all_failures(name, dismissed=dismissed) for name in tajo.names(connector)}
        if json:
            print_json(
                answers.Failures(
                    failures=[one for some in found.values() for one in some.failures],
                    dismissed_count=sum(some.dismissed_count for some in found.values()),
                )
            )
        elif dismissed:
            tell.dismissed(found)
        else:
            tell.failures(found)
        return 1 if not dismissed and any(some.failures for some in found.values()) else 0

    return with_tajo(config, verb)


@failures.command("replay")
def failures_replay(
    keys: Annotated[
        list[str] | None, typer.Argument(help="Such as orders/17 (default: all that were not dismissed).")
    ] = None,
    connector: Annotated[str | None, typer.Option("--connector", help="Whose failures.")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Look at failed records again and deliver them."""

    for word in keys or []:
        as_key(word)

    async def verb(tajo: Tajo) -> int:
        runs: list[answers.Run] = []

        async def one(name: str) -> answers.Run:
            with watching(quiet=json) as watch:
                async with noted(tajo, "replay", name):
                    runs.append(await tajo.replay(name, keys or [], watch=watch))
            if not json:
                tell.run(runs[-1])
            return runs[-1]

        answer = await each(tajo.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=all(run.clean for run in runs))

    return with_tajo(config, verb)


@failures.command("dismiss")
def failures_dismiss(
    keys: Annotated[list[str], typer.Argument(help="Such as orders/17.")],
    connector: Annotated[str | None, typer.Option("--connector", help="Whose failures.")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Leave failed records as they are: they do not count as failures any more. Replay brings them back."""

    for word in keys:
        as_key(word)

    async def verb(tajo: Tajo) -> int:
        async def one(name: str) -> answers.Dismissed:
            async with noted(tajo, "dismiss", name):
                left = await tajo.dismiss(name, keys)
            if not json:
                tell.left_as_they_are(left)
            return left

        answer = await each(tajo.names(connector), one)
        if json:
            print_json(answer)
        return exit_code(answer, clean=True)

    return with_tajo(config, verb)


@app.command("serve")
def serve_command(
    host: Annotated[
        str | None, typer.Option("--host", help="Where to listen (default: server.host).")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port (default: server.port).")] = None,
    log: Annotated[
        Form, typer.Option("--log", help="Lines for people, or one JSON object a line.")
    ] = Form.TEXT,
    config: Config = None,
) -> int:
    """Take webhooks and keep every store and Brevo in agreement, until stopped."""
    from tajo.live import serve  # noqa: PLC0415 - no other command needs a server

    async def verb(wiring: Wiring) -> int:
        settings = wiring.settings.server
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        say = open_log(log)
        with exported(os.environ, say):
            await serve(
                wiring,
                host=host or settings.host,
                port=settings.port if port is None else port,
                stop=stop,
                say=say,
                listening=lambda url: say(f"listening on {url}"),
            )
        say("stopped; what has not been told goes on at the next start")
        return 0

    return with_wiring(config, verb, without_stores=True)


@hooks.command("list")
def hooks_list(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """List all webhooks of the store's API account, ours and others."""

    async def verb(tajo: Tajo) -> int:
        found = [await tajo.hooks(name) for name in tajo.names(connector)]
        rows = [hook for one in found for hook in one.hooks]
        if json:
            print_json(answers.Hooks(rows))
        else:
            tell.hooks(rows)
        return 0

    return with_tajo(config, verb)


@hooks.command("register")
def hooks_register(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """See that store and Brevo call this server; whatever is missing or broken is made right."""
    return _change_hooks(config, connector, Tajo.register_hooks, "repair webhooks", json=json)


@hooks.command("repair")
def hooks_repair(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """The same as register: it mends what is there and makes what is missing."""
    return _change_hooks(config, connector, Tajo.register_hooks, "repair webhooks", json=json)


@hooks.command("receive")
def hooks_receive(
    topic: Annotated[str, typer.Argument(help="The scope, such as store/order/updated.")],
    connector: Annotated[str, typer.Option("--connector", help="Whose webhook.")] = "bigcommerce",
    json: Json = False,
    config: Config = None,
) -> int:
    """Note a webhook that you received yourself: its body, or the `data` of it, on standard input."""
    try:
        payload = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise Usage("standard input holds no JSON object", "pipe in the body as it came.") from None

    async def verb(tajo: Tajo) -> int:
        answer = await tajo.handle_webhook(connector, topic=topic, payload=payload)
        if json:
            print_json(answer)
        else:
            words = "noted" if answer.noted else f"{topic} tells nothing that is followed; it was counted"
            typer.echo(f"{connector}: {words}", err=True)
        return 0

    return with_tajo(config, verb)


@hooks.command("remove")
def hooks_remove(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Remove our webhooks; those of others stay."""
    return _change_hooks(config, connector, Tajo.remove_hooks, "remove webhooks", json=json)


def _change_hooks(
    path: Path | None,
    connector: str | None,
    change: Callable[[Tajo, str], Awaitable[answers.HookChanges]],
    words: str,
    *,
    json: bool,
) -> int:
    async def verb(tajo: Tajo) -> int:
        async def one(name: str) -> answers.HookChanges:
            async with noted(tajo, words, name):
                changes = await change(tajo, name)
            if not json:
                tell.hooks_changed(name, changes)
            return changes

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
        async with noted(tajo, "forget"):
            record = await tajo.forget(who)
        if json:
            print_json(record)
        else:
            for sentence in record.sentences:
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
