"""`tajo skills`: what runs by itself, how to switch it on, and what it would do."""

from __future__ import annotations

import os
import time
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from tajo import config
from tajo.cli.running import Config, Json, print_json
from tajo.config import Settings
from tajo.errors import Usage
from tajo.skills import Manners, Shelf, shelf
from tajo.skills.model import CONNECTOR_SKILLS, Skill, templated
from tajo.skills.tryout import Moment, Sample, try_out
from tajo.skills.values import amount, nearest, zone_of
from tajo.sync.automation import Act, Stop, Wait
from tajo.sync.model import EventKind

skills = typer.Typer(help="Automations: what is sent by itself, to whom and when.", no_args_is_help=True)

SkillName = Annotated[
    str, typer.Argument(metavar="NAME", help="A skill's name, as `tajo skills list` shows it.")
]


@skills.command("list")
def list_skills(json: Json = False, config: Config = None) -> int:
    """List all skills: the shipped ones, and those of your own folder."""
    settings, found = _read(config)
    rows = [_row(skill, settings) for skill in found.skills.values()]
    if json:
        print_json({"skills": rows})
        return 0
    table = Table(box=None)
    for heading in ("skill", "state", "category", "what it does"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row["name"], "on" if row["enabled"] else "off", row["category"], row["description"])
    Console().print(table)
    return 0


@skills.command("show")
def show_skill(name: SkillName, json: Json = False, config: Config = None) -> int:
    """Show a skill: what begins and ends it, its steps, and its documentation."""
    settings, found = _read(config)
    skill = _named(found, name)
    row = _row(skill, settings)
    if json:
        print_json(row | {"documentation": skill.body})
        return 0
    lines = [
        f"{skill.name} {skill.version}, {'on' if row['enabled'] else 'off'}",
        skill.description,
        *(f"  begins: {_sentence(trigger)}" for trigger in row["triggers"]),
        *(f"  step:   {_sentence(step)}" for step in row["steps"]),
        *([f"  ends:   {', '.join(row['stop_on'])}"] if skill.stop_on else []),
        "",
        skill.body,
    ]
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
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
    name: SkillName,
    *,
    event: Annotated[
        str | None, typer.Option("--event", help="What happens (default: the first trigger).")
    ] = None,
    email: Annotated[str, typer.Option("--email", help="The contact's address.")] = "sample@shop.example",
    cart_total: Annotated[
        str, typer.Option("--cart-total", help="What the cart, the order or the product is worth.")
    ] = "75",
    status: Annotated[str, typer.Option("--status", help="The order's status.")] = "Awaiting Fulfillment",
    guest: Annotated[bool, typer.Option("--guest", help="They have no account.")] = False,
    orders: Annotated[int, typer.Option("--orders", help="How many orders they have placed.")] = 0,
    spent: Annotated[str, typer.Option("--spent", help="What they have spent in all.")] = "0",
    no_consent: Annotated[
        bool, typer.Option("--no-consent", help="They did not agree to marketing.")
    ] = False,
    unsubscribed: Annotated[bool, typer.Option("--unsubscribed", help="They have unsubscribed.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="When it happens, such as 2026-03-28T20:30 (default: now).")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Say step by step, with times, what a skill would do for somebody; nothing is sent."""
    settings, found = _read(config)
    skill = _named(found, name)
    if skill.name in CONNECTOR_SKILLS:
        raise Usage(f"`{name}` has no steps", "the connector does it by itself, whenever it runs.")
    manners = _manners(settings)
    zone = zone_of(skill.timezone or manners.timezone) or ZoneInfo("UTC")
    sample = Sample(
        now=_moment(at, zone),
        event=_event(skill, event),
        email=email,
        total=_amount("--cart-total", cart_total),
        status=status,
        guest=guest,
        orders=orders,
        spent=_amount("--spent", spent),
        consent=not no_consent,
        unsubscribed=unsubscribed,
    )
    begin, moments = try_out(skill, manners, sample)
    if json:
        print_json(
            {"skill": name, "begins": begin is not None, "steps": [_told(one, zone) for one in moments]}
        )
        return 0
    typer.echo(f"{_clock(sample.now, zone)}  {sample.event or 'the clock strikes'}")
    if begin is None:
        typer.echo("nothing begins: a condition does not hold")
    for one in moments:
        typer.echo(f"{_clock(one.at, zone)}  step {one.step + 1}: {_words(one, zone)}")
    typer.echo("Nothing was sent.", err=True)
    return 0


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


def _manners(settings: Settings | None) -> Manners:
    """The first connector's, as far as they can be known without asking the store."""
    messages = next((one.messages for one in settings.connectors.values()), None) if settings else None
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
    known = [trigger.event for trigger in skill.triggers if trigger.event in list(EventKind)]
    if wanted is None:
        return skill.triggers[0].event
    if wanted not in known:
        raise Usage(f"`{wanted}` does not begin {skill.name}", f"use one of these: {', '.join(known)}.")
    return wanted


def _amount(option: str, value: str) -> Any:
    try:
        return amount(value)
    except ValueError as error:
        raise Usage(f"{option}: {error}") from None


def _moment(written: str | None, zone: ZoneInfo) -> float:
    if written is None:
        return time.time()
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise Usage(f"`{written}` is no moment", "write it as 2026-03-28T20:30.") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def _clock(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%a %Y-%m-%d %H:%M %Z}"


def _words(one: Moment, zone: ZoneInfo) -> str:
    """A decision in a sentence."""
    match one.decision:
        case Act() as act:
            mail = act.verb == "send-email"
            notes = [
                f"template {act.params.get('templateId', 'still to be named')}" if mail else "",
                f"“{act.params['subject']}”" if act.params.get("subject") else "",
                f"{act.discount} % off" if act.discount else "",
                f"variant {act.variant}" if act.variant else "",
            ]
            return ", ".join([act.verb, *filter(None, notes)])
        case Wait() as wait:
            return f"waits until {_clock(wait.until, zone)}: {wait.why}"
        case Stop() as stop:
            return f"over: {stop.why}"
        case skip:
            return f"left out: {skip.why}"


def _told(one: Moment, zone: ZoneInfo) -> dict[str, Any]:
    """A decision as JSON."""
    row = {
        "step": one.step + 1,
        "at": datetime.fromtimestamp(one.at, zone).isoformat(timespec="seconds"),
        "decision": type(one.decision).__name__.lower(),
    }
    match one.decision:
        case Act() as act:
            return row | {
                "verb": act.verb,
                "params": act.params,
                "discount": act.discount,
                "variant": act.variant,
            }
        case Wait() as wait:
            until = datetime.fromtimestamp(wait.until, zone).isoformat(timespec="seconds")
            return row | {"why": wait.why, "until": until}
        case other:
            return row | {"why": other.why}


def _row(skill: Skill, settings: Settings | None) -> dict[str, Any]:
    """A skill as JSON. Spans are in seconds."""
    return {
        "name": skill.name,
        "version": skill.version,
        "description": skill.description,
        "category": skill.category,
        "status": skill.status,
        "featured": skill.featured,
        "enabled": _is_on(skill, settings),
        "marketing": skill.marketing,
        "triggers": [
            _known(
                event=trigger.event,
                schedule=trigger.schedule.written if trigger.schedule else "",
                timezone=trigger.timezone,
                conditions=[one.written for one in trigger.conditions],
                debounce=trigger.debounce,
            )
            for trigger in skill.triggers
        ],
        "actions": [f"brevo/{verb}" for verb in skill.actions],
        "steps": [
            _known(
                delay=step.delay,
                action=f"brevo/{step.verb}",
                **step.params,
                conditions=[one.written for one in step.conditions],
                discount_percent=step.discount,
                discount_expiry=step.discount_seconds,
            )
            for step in skill.steps
        ],
        "stop_on": sorted(skill.stop_on),
        "permissions": list(skill.permissions),
        "brevo_endpoints": list(skill.endpoints),
        "related_skills": list(skill.related),
    }


def _is_on(skill: Skill, settings: Settings | None) -> bool:
    """What connectors do by themselves is on where one of them does it."""
    parts = {"customer-sync": "customers", "order-sync": "orders", "product-sync": "products"}
    if skill.name not in parts or settings is None:
        return skill.enabled
    return any(one.enabled and getattr(one.sync, parts[skill.name]) for one in settings.connectors.values())


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], 0)}


def _sentence(row: dict[str, Any]) -> str:
    """`delay 1h, action brevo/send-email, subject Forgot something?`"""
    return ", ".join(f"{name.replace('_', ' ')} {_shown(name, value)}" for name, value in row.items())


def _shown(name: str, value: Any) -> str:
    if name in ("delay", "debounce", "discount_expiry"):
        sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1}
        unit = next(unit for unit, size in sizes.items() if value % size == 0)
        return f"{value // sizes[unit]:.0f}{unit}"
    return "; ".join(value) if isinstance(value, list) else str(value)
