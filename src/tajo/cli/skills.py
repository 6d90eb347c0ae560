"""`tajo skills`: what runs by itself, how to switch it on, and what it would do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from tajo import answers, config
from tajo.app import Tajo
from tajo.cli import skill_words
from tajo.cli.running import Config, Json, Name, noted, print_json, with_tajo, with_wiring
from tajo.config import Settings
from tajo.errors import Usage
from tajo.skill_list import described
from tajo.skill_trial import Question, seconds_of, try_skill
from tajo.skills import Manners, Shelf, shelf
from tajo.skills.model import CONNECTOR_SKILLS, Skill, templated
from tajo.skills.tryout import Sample, try_out
from tajo.skills.values import amount, nearest, zone_of
from tajo.wiring import Wiring

skills = typer.Typer(help="Automations: what is sent by itself, to whom and when.", no_args_is_help=True)

SkillName = Annotated[
    str, typer.Argument(metavar="NAME", help="A skill's name, as `tajo skills list` shows it.")
]

SAMPLE = ("email", "cart_total", "status", "guest", "orders", "spent", "no_consent", "unsubscribed")
"""The options that invent somebody."""


@skills.command("list")
def list_skills(json: Json = False, config: Config = None) -> int:
    """List all skills: the shipped ones, and those of your own folder."""
    settings, found = _read(config)
    rows = [described(skill, settings) for skill in found.skills.values()]
    if json:
        print_json(answers.Skills(rows))
        return 0
    table = Table(box=None)
    for heading in ("skill", "state", "category", "what it does"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.name, "on" if row.enabled else "off", row.category, row.description)
    Console().print(table)
    return 0


@skills.command()
def waiting(connector: Name = None, json: Json = False, config: Config = None) -> int:
    """Say how many wait in each skill, and when the next of them goes on."""

    async def verb(tajo: Tajo) -> int:
        found = [await tajo.skills_at_work(name) for name in tajo.names(connector)]
        if json:
            print_json(found[0] if len(found) == 1 else {"connectors": {one.connector: one for one in found}})
        else:
            Console().print(skill_words.at_work(found))
        return 0

    return with_tajo(config, verb)


@skills.command("show")
def show_skill(name: SkillName, json: Json = False, config: Config = None) -> int:
    """Show a skill: what begins and ends it, its steps, and its documentation."""
    settings, found = _read(config)
    skill = _named(found, name)
    if json:
        print_json(msgspec.to_builtins(described(skill, settings)) | {"documentation": skill.body})
        return 0
    Console().print(skill_words.page(skill, settings), markup=False, highlight=False, soft_wrap=True)
    return 0


@skills.command("enable")
def enable_skill(
    name: SkillName,
    template: Annotated[
        list[int] | None,
        typer.Option(
            "--template", help="A template in Brevo, one for each message, in their order. Repeatable."
        ),
    ] = None,
    config: Config = None,
) -> int:
    """Switch a skill on in the configuration file; its comments stay."""
    path = config or Path(os.environ.get("TAJO_CONFIG") or "tajo.yaml")
    _, found = _read(path)  # a file that is wrong already is told as it is
    unnamed = sum("template_id" not in step.params for step in templated(_named(found, name).steps))
    if unnamed and not template:
        words = " ".join(["--template ID"] * unnamed)
        raise Usage(f"{name} sends {unnamed} templates of yours", f"tajo skills enable {name} {words}")
    text = _with_options(
        path, name, {"enabled": True} | ({"templates": _in_a_row(template)} if template else {})
    )
    draft = path.with_name(f".{path.name}.tajo")
    try:
        draft.touch(path.stat().st_mode & 0o777)
        draft.write_text(text, encoding="utf-8")
        _read(draft)
        draft.replace(path.resolve())
    except Usage as error:
        raise Usage(str(error).replace(str(draft), str(path))) from None
    except OSError as error:
        raise Usage(f"cannot write {path}: {error.strerror}", "check its permissions.") from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{name} is on. See what it would do: tajo skills test {name}", err=True)
    return 0


@skills.command("test")
def test_skill(
    context: typer.Context,
    name: SkillName,
    *,
    contact: Annotated[
        str,
        typer.Option(
            "--contact",
            metavar="EMAIL",
            help="For whom: somebody whom the store or Brevo knows; `-`: read it from standard input.",
        ),
    ] = "",
    cart: Annotated[str, typer.Option("--cart", metavar="UUID", help="About this cart of the store.")] = "",
    order: Annotated[
        int | None, typer.Option("--order", metavar="ID", help="About this order of the store.")
    ] = None,
    product: Annotated[
        int | None,
        typer.Option("--product", metavar="ID", help="About this product of the store, for --contact."),
    ] = None,
    connector: Annotated[
        str | None, typer.Option("--connector", help="Whose store (default: the first that is enabled).")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", help="What happens (default: the first trigger).")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="When it happens, such as 2026-03-28T20:30 (default: now).")
    ] = None,
    email: Annotated[str, typer.Option("--email", help="The sample's address.")] = "sample@shop.example",
    cart_total: Annotated[
        str, typer.Option("--cart-total", help="What the sample's cart, order or product is worth.")
    ] = "75",
    status: Annotated[
        str, typer.Option("--status", help="The status of the sample's order.")
    ] = "Awaiting Fulfillment",
    guest: Annotated[bool, typer.Option("--guest", help="The sample has no account.")] = False,
    orders: Annotated[int, typer.Option("--orders", help="How many orders the sample has placed.")] = 0,
    spent: Annotated[str, typer.Option("--spent", help="What the sample has spent in all.")] = "0",
    no_consent: Annotated[
        bool, typer.Option("--no-consent", help="The sample did not agree to marketing.")
    ] = False,
    unsubscribed: Annotated[
        bool, typer.Option("--unsubscribed", help="The sample has unsubscribed.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> int:
    """Say step by step, with times, what a skill would do: for a contact, a cart or an order, else for a
    sample. Nothing is sent.
    """
    settings, found = _read(config)
    skill = _named(found, name)
    if skill.name in CONNECTOR_SKILLS:
        raise Usage(f"`{name}` has no steps", "the connector does it by itself, whenever it runs.")
    begins, when = _event(skill, event), _moment(at)
    real = [
        option
        for option, given in {"contact": contact, "cart": cart, "order": order, "product": product}.items()
        if given not in ("", None)
    ]
    if real:
        _refuse_sample(context, real[0])
        question = Question(
            email=sys.stdin.readline() if contact == "-" else contact,
            cart=cart,
            order=order,
            product=product,
            event=begins,
            at=when,
        )
        return with_wiring(config, partial(_try_real, name, connector, question, json=json))
    manners = _manners(settings, connector)
    zone = zone_of(skill.timezone or manners.timezone) or ZoneInfo("UTC")
    sample = Sample(
        now=seconds_of(when, zone) if when else time.time(),
        event=begins or skill.triggers[0].event,
        email=email,
        total=_amount("--cart-total", cart_total),
        status=status,
        guest=guest,
        orders=orders,
        spent=_amount("--spent", spent),
        consent=not no_consent,
        unsubscribed=unsubscribed,
    )
    trial = try_out(skill, manners, sample)
    if json:
        print_json(skill_words.trial_row(name, trial, zone))
    else:
        _say(skill_words.trial(trial, zone))
    return 0


async def _try_real(
    name: str, connector: str | None, question: Question, wiring: Wiring, *, json: bool
) -> int:
    skill = _named(wiring.settings.skills, name)
    where = wiring.names(connector)[0]
    async with noted(Tajo(wiring), "test skill", where):
        answer = await try_skill(wiring, where, skill, question)
    if json:
        print_json(skill_words.answer_row(name, answer))
    else:
        _say(skill_words.answer(answer))
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
    typer.echo("Nothing was sent.", err=True)


def _refuse_sample(context: typer.Context, real: str) -> None:
    """What invents a sample says nothing of somebody who exists."""
    for option in SAMPLE:
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            words = option.replace("_", "-")
            raise Usage(f"--{words} is of the sample, --{real} of the store", "leave one of the two out.")


def _read(path: Path | None) -> tuple[Settings | None, Shelf]:
    """The settings and the skills as they say; the shipped skills where there is no configuration."""
    if path is None and not os.environ.get("TAJO_CONFIG") and not Path("tajo.yaml").exists():
        return None, shelf()
    settings = config.load(path, os.environ)
    return settings, settings.skills


def _named(found: Shelf, name: str) -> Skill:
    if name not in found.skills:
        raise Usage(f"there is no skill `{name}`{nearest(name, found.skills)}")
    return found.skills[name]


def _with_options(path: Path, name: str, options: dict[str, Any]) -> str:
    """The text of the file with these options of a skill."""
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(path.read_text(encoding="utf-8-sig"))
    block = tree
    for key in ("skills", name):
        if block.get(key) is None:
            block[key] = {}
        block = block[key]
    block.update(options)
    text = StringIO()
    yaml.dump(tree, text)
    return text.getvalue()


def _in_a_row(numbers: list[int]) -> CommentedSeq:
    row = CommentedSeq(numbers)
    row.fa.set_flow_style()
    return row


def _manners(settings: Settings | None, connector: str | None) -> Manners:
    """A connector's, else the first one's, as far as they can be known without asking the store."""
    connectors = settings.connectors if settings else {}
    if connector is not None and connector not in connectors:
        raise Usage(f"there is no connector `{connector}`{nearest(connector, connectors)}")
    messages = connectors[connector or next(iter(connectors))].messages if connectors else None
    if messages is None:
        return Manners()
    return Manners(
        daily_cap=messages.daily_cap,
        quiet=messages.quiet_hours,
        timezone=messages.timezone or "UTC",
        sms_sender=messages.sms_sender or "",
        whatsapp_sender=messages.whatsapp_sender or "",
    )


def _event(skill: Skill, wanted: str | None) -> str:
    """The event that was named; empty if none was."""
    known = [trigger.event for trigger in skill.triggers if trigger.event]
    if wanted is not None and wanted not in known:
        mend = (
            f"use one of these: {', '.join(known)}." if known else "it goes by the clock: leave --event out."
        )
        raise Usage(f"`{wanted}` does not begin {skill.name}", mend)
    return wanted or ""


def _amount(option: str, value: str) -> Any:
    try:
        return amount(value)
    except ValueError as error:
        raise Usage(f"{option}: {error}") from None


def _moment(written: str | None) -> datetime | None:
    try:
        return None if written is None else datetime.fromisoformat(written)
    except ValueError:
        raise Usage(f"`{written}` is no moment", "write it as 2026-03-28T20:30.") from None
