"""Skills, and what they would do, in sentences and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.table import Table

from tajo import answers
from tajo.config import Settings
from tajo.skill_list import described
from tajo.skill_trial import Answer
from tajo.skills.model import Skill
from tajo.skills.tryout import Moment, Trial
from tajo.sync.automation import Act, Situation, Stop, Wait
from tajo.sync.ledger.outgoing import PARKED


def page(skill: Skill, settings: Settings | None) -> str:
    """A skill for people: what begins and ends it, its steps, its documentation."""
    row = msgspec.to_builtins(described(skill, settings))
    return "\n".join(
        [
            f"{skill.name} {skill.version}, {'on' if row['enabled'] else 'off'}",
            skill.description,
            *(f"  begins: {_sentence(trigger)}" for trigger in row["triggers"]),
            *(f"  step:   {_sentence(step)}" for step in row["steps"]),
            *([f"  ends:   {', '.join(row['stop_on'])}"] if skill.stop_on else []),
            "",
            skill.body,
        ]
    )


def at_work(found: list[answers.SkillsAtWork]) -> Table:
    """Who waits where, a row for each skill."""
    table = Table(box=None)
    for heading in ("connector", "skill", "wait", "for step", "next at", "refused", "done", "in a day"):
        table.add_column(heading)
    for one in found:
        for row in one.skills:
            name = row.skill if row.enabled else f"{row.skill} (off)"
            at = f"{row.next:%Y-%m-%d %H:%M} UTC" if row.next else ""
            steps = ", ".join(f"{step}: {count}" for step, count in row.steps.items())
            counts = (str(number or "") for number in (row.stopped, row.done, row.done_last_day))
            table.add_row(one.connector, name, str(row.waiting), steps, at, *counts)
    return table


def trial(trial: Trial, zone: ZoneInfo) -> Iterator[str]:
    """What would be done, a line for each moment."""
    if trial.waits:
        yield f"{_clock(trial.at, zone)}  runs since {_clock(trial.waits.began, zone)}: {_stand(trial, zone)}"
    else:
        yield f"{_clock(trial.at, zone)}  {trial.event or 'the clock strikes'}"
    if trial.why:
        yield f"nothing begins: {trial.why}"
    for one in trial.moments:
        yield f"{_clock(one.at, zone)}  step {one.step + 1}: {_words(one, zone)}"


def answer(answer: Answer) -> Iterator[str]:
    """The same for somebody who exists: also what was seen of them, and notes."""
    if answer.subject:
        named = answer.cart or answer.subject.id
        yield f"{answer.connector}, {answer.subject.resource.removesuffix('s')} {named}"
    if answer.seen:
        yield _seen(answer.seen)
    yield from trial(answer.trial, answer.zone)
    yield from (f"· {note}" for note in answer.notes)


def trial_row(skill: str, trial: Trial, zone: ZoneInfo) -> dict[str, Any]:
    """What would be done, as JSON."""
    waits = trial.waits
    return {
        "skill": skill,
        "event": trial.event,
        "at": _iso(trial.at, zone),
        "begins": not trial.why and waits is None,
        "why": trial.why,
        "waiting": waits
        and {
            "step": waits.step + 1,
            "since": _iso(waits.began, zone),
            "due": None if waits.due >= PARKED else _iso(waits.due, zone),
        },
        "steps": [_told(one, zone) for one in trial.moments],
    }


def answer_row(skill: str, answer: Answer) -> dict[str, Any]:
    """The same for somebody who exists. It holds what they would be told, so personal data."""
    seen = answer.seen
    return {
        "connector": answer.connector,
        "subject": answer.subject and str(answer.subject),
        **({"cart": answer.cart} if answer.cart else {}),
        **trial_row(skill, answer.trial, answer.zone),
        "seen": seen
        and {
            "exists": seen.standing.exists,
            "unsubscribed": seen.standing.email_blocked,
            "consent": seen.consent,
            "orders_count": seen.metrics.orders_count,
            "total_spent": float(seen.metrics.total_spent),
            "sent_today": seen.sent_today,
        },
        "notes": list(answer.notes),
    }


def _seen(seen: Situation) -> str:
    brevo = "no contact in Brevo" if not seen.standing.exists else "a contact in Brevo"
    told = f"{seen.sent_today} marketing messages in 24 hours"
    spent = f"{seen.metrics.orders_count} orders worth {seen.metrics.total_spent}"
    return ", ".join(
        [
            brevo + (" that has unsubscribed" if seen.standing.email_blocked else ""),
            f"consent {seen.consent}",
            spent,
            told,
        ]
    )


def _stand(trial: Trial, zone: ZoneInfo) -> str:
    waits = trial.waits
    if waits is None or waits.due >= PARKED:
        return f"step {waits.step + 1 if waits else 1} was refused"
    return f"step {waits.step + 1} is due {_clock(waits.due, zone)}"


def _clock(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%a %Y-%m-%d %H:%M %Z}"


def _iso(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")


def _words(one: Moment, zone: ZoneInfo) -> str:
    """A decision in a sentence."""
    match one.decision:
        case Act() as act:
            templated = act.verb in ("send-email", "send-whatsapp")
            notes = [
                f"template {act.params.get('templateId', 'still to be named')}" if templated else "",
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
        "at": _iso(one.at, zone),
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
            return row | {"why": wait.why, "until": _iso(wait.until, zone)}
        case other:
            return row | {"why": other.why}


def _sentence(row: dict[str, Any]) -> str:
    """`delay 1h, action brevo/send-email, subject Forgot something?`"""
    return ", ".join(f"{name.replace('_', ' ')} {_shown(name, value)}" for name, value in row.items())


def _shown(name: str, value: Any) -> str:
    if name in ("delay", "debounce", "discount_expiry"):
        sizes = {"d": 86400, "h": 3600, "m": 60, "s": 1}
        unit = next(unit for unit, size in sizes.items() if value % size == 0)
        return f"{value // sizes[unit]:.0f}{unit}"
    return "; ".join(value) if isinstance(value, list) else str(value)
