"""What skills there are, and who waits in them: for people and programs that look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tajo import answers
from tajo.config import Settings
from tajo.skills.model import CONNECTOR_SKILLS, Skill
from tajo.sync.ledger import glance, sequences
from tajo.sync.ledger.store import Tx
from tajo.sync.moments import moment

DAY = 86400.0

PARTS = {"customer-sync": "customers", "order-sync": "orders", "product-sync": "products"}
"""What a connector does by itself, by the skill that stands for it."""


def described(skill: Skill, settings: Settings | None) -> answers.Skill:
    """A skill. `settings`: whose connectors do what they do; None: nobody has any yet."""
    return answers.Skill(
        name=skill.name,
        version=skill.version,
        description=skill.description,
        category=skill.category,
        status=skill.status,
        featured=skill.featured,
        enabled=is_on(skill, settings),
        marketing=skill.marketing,
        triggers=[
            answers.Trigger(
                event=trigger.event,
                schedule=trigger.schedule.written if trigger.schedule else "",
                timezone=trigger.timezone,
                conditions=[one.written for one in trigger.conditions],
                debounce=trigger.debounce,
            )
            for trigger in skill.triggers
        ],
        actions=[f"brevo/{verb}" for verb in skill.actions],
        steps=[
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
        stop_on=sorted(skill.stop_on),
        permissions=list(skill.permissions),
        brevo_endpoints=list(skill.endpoints),
        related_skills=list(skill.related),
    )


def is_on(skill: Skill, settings: Settings | None) -> bool:
    """What connectors do by themselves is on where one of them does it."""
    if skill.name not in PARTS or settings is None:
        return skill.enabled
    part = PARTS[skill.name]
    return any(one.enabled and getattr(one.sync, part) for one in settings.connectors.values())


async def at_work(tx: Tx, connector: str, shelf: Iterable[Skill], now: float) -> answers.SkillsAtWork:
    """The skills that are on, or in which somebody waits still. Nobody is named."""
    waiting, steps = await glance.waiting(tx, connector), await glance.steps(tx, connector)
    done = await sequences.done(tx, connector)
    lately = await sequences.done(tx, connector, now - DAY)
    on = {skill.name for skill in shelf if skill.enabled and skill.name not in CONNECTOR_SKILLS}
    found = []
    for name in sorted(on | waiting.keys()):
        here = waiting.get(name, glance.Waiting(0, None, 0))
        found.append(
            answers.Waiting(
                skill=name,
                enabled=name in on,
                waiting=here.count,
                steps={step + 1: count for step, count in steps.get(name, {}).items()},
                next=None if here.next is None else moment(int(here.next)),
                stopped=here.stopped,
                done=done.get(name, 0),
                done_last_day=lately.get(name, 0),
            )
        )
    return answers.SkillsAtWork(connector=connector, skills=found)


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], 0)}
