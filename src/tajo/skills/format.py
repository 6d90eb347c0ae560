"""From the frontmatter of a skill, as plain data, to a `Skill`; or to everything that is wrong with it. Pure.

The fields are those of Tajo's format of skills, and of its page of the abandoned cart for sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from tajo.skills import templates
from tajo.skills import values as v
from tajo.skills.conditions import Condition, condition
from tajo.skills.cron import cron
from tajo.skills.model import (
    CONNECTOR_SKILLS,
    UNSUBSCRIBE,
    Kind,
    Skill,
    Step,
    Timing,
    Trigger,
    Variant,
    templated,
)
from tajo.sync.model import EventKind

Trail = tuple[str | int, ...]
Reader = Callable[[Any, Trail], Any]

DELETED = "customer_deleted"
"""An event in Tajo's documents that nobody is told of: the connector itself lets such people go."""

EVENTS = (*EventKind, DELETED)

CATEGORIES = ("data-sync", "email-marketing", "sms-whatsapp", "loyalty", "analytics", "integrations")
STATUSES = ("stable", "beta", "experimental")
NAME = r"[a-z0-9]+(-[a-z0-9]+)*"

ELSEWHERE: Mapping[str, Mapping[tuple[str, ...], tuple[str, ...]]] = {
    "customer-sync": {
        ("enabled",): ("sync", "customers"),
        ("field_mapping",): ("customer_mapping",),
        ("options", "sync_mode"): ("sync_mode",),
        ("options", "delete_behavior"): ("delete_behavior",),
        ("options", "list_id"): ("lists", "all_customers"),
    },
    "order-sync": {("enabled",): ("sync", "orders")},
    "product-sync": {("enabled",): ("sync", "products")},
    "abandoned-cart": {
        ("detection", "inactivity_threshold"): ("cart", "abandoned_after"),
        ("detection", "min_cart_value"): ("cart", "min_value"),
    },
}
"""Options of skills that are other spellings of settings of a connector."""


class Mistake(NamedTuple):
    """What is wrong at a place of the frontmatter, and how to mend it."""

    trail: Trail
    text: str


def _template(value: Any) -> Any:
    templates.check(v.text(value))
    return value


def _templates(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a block of keys and values")
    templates.check(value)
    return value


def _to(value: Any) -> str:
    if not isinstance(value, str) or value.replace(" ", "") != "{{contact.email}}":
        raise ValueError('is always the contact of the sequence; write `"{{ contact.email }}"`, or nothing')
    return value


def _list(value: Any) -> int | str:
    if isinstance(value, str) and value.strip() and not value.strip().isdigit():
        return value.strip()
    return v.whole(1, 2**53)(value)


_template_id = v.whole(1, 2**53)
_event_name = v.matching(r"[A-Za-z0-9_-]{1,255}", "an event name: letters, digits, - and _")

VERBS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "send-email": {"template_id": _template_id, "subject": _template, "params": _templates, "to": _to},
    "send-sms": {"content": _template, "sender": v.text},
    "send-whatsapp": {"template_id": _template_id, "sender": v.text, "params": _templates},
    "track-event": {"event": _event_name, "params": _templates},
    "create-contact": {"attributes": _templates},
    "update-contact": {"attributes": _templates},
    "delete-contact": {},
    "add-to-list": {"list": _list},
    "remove-from-list": {"list": _list},
}
"""Every verb with what it takes besides what every step does."""

_NEEDED = {
    "send-email": ("template_id",),
    "send-whatsapp": ("template_id",),
    "send-sms": ("content",),
    "track-event": ("event",),
    "add-to-list": ("list",),
    "remove-from-list": ("list",),
}
"""Without these a verb cannot be carried out; asked for once the skill is enabled."""


def read(tree: Any, body: str = "") -> tuple[Skill | None, list[Mistake]]:
    """The skill that plain data says, and what is wrong; no skill where anything is."""
    reading = _Reading()
    skill = reading.skill(tree, body)
    return (None if reading.mistakes else skill), reading.mistakes


def _prefixed(value: Any) -> str:
    known = [f"brevo/{verb}" for verb in VERBS]
    if value not in known:
        raise ValueError("is no action" + v.nearest(value, known))
    return str(value).removeprefix("brevo/")


class _Reading:
    """Reads one frontmatter and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def skill(self, tree: Any, body: str) -> Skill | None:
        found = self._block(
            tree,
            (),
            {
                "name": self._leaf(v.matching(NAME, "a name of small letters, digits and hyphens")),
                "version": self._leaf(v.matching(r"\d+\.\d+\.\d+", 'a version in quotes, such as `"1.0.0"`')),
                "description": self._leaf(_description),
                "category": self._leaf(v.one_of(*CATEGORIES)),
                "triggers": self._each(self._trigger),
                "actions": self._each(self._action),
                "status": self._leaf(v.one_of(*STATUSES)),
                "brevoEndpoints": self._each(
                    self._leaf(
                        v.matching(r"(GET|POST|PUT|PATCH|DELETE) /v3/\S+", "such as `POST /v3/contacts`")
                    )
                ),
                "permissions": self._each(
                    self._leaf(v.matching(r"[a-z]+:[a-z]+", "such as `contacts:write`"))
                ),
                "relatedSkills": self._each(self._leaf(v.matching(NAME, "the name of a skill"))),
                "featured": self._leaf(v.flag),
                "enabled": self._leaf(v.flag),
                "marketing": self._leaf(v.flag),
                "sequence": self._each(self._step),
                "templates": self._each(self._leaf(_template_id)),
                "stop_on": self._each(self._leaf(v.one_of(*EVENTS, UNSUBSCRIBE))),
                "timing": self._timing,
                "vip": self._conditions,
                "ab_testing": self._variants,
                "detection": self._detection,
                "quiet_hours": self._leaf(v.quiet_hours),
                "timezone": self._leaf(v.zone),
                "source": self._leaf(v.one_of("bigcommerce")),
                "options": self._options,
                "field_mapping": self._leaf(_moved("customer_mapping")),
            },
            ("name", "version", "description", "category", "triggers", "actions"),
        )
        if self.mistakes:
            return None
        listed: tuple[Step, ...] = found["actions"]
        steps = self._named(found.get("sequence", listed), found)
        own = found["name"] not in CONNECTOR_SKILLS
        if own and found.get("enabled"):
            self._complete(steps, "sequence" if "sequence" in found else "actions")
        if own and any(trigger.schedule and not _selects(trigger) for trigger in found["triggers"]):
            self._wrong(
                ("triggers",),
                'a schedule selects people by their last order; add a condition `days_since_order: ">= 90"`',
            )
        if own:
            self._hears(found)
        if not own and "enabled" in found:
            key = ".".join(ELSEWHERE.get(found["name"], {}).get(("enabled",), ("webhooks",)))
            self._wrong(("enabled",), f"is another spelling of the connector's `{key}`; keep one of the two")
        return Skill(
            name=found["name"],
            version=found["version"],
            description=found["description"],
            category=found["category"],
            status=found.get("status", "stable"),
            endpoints=found.get("brevoEndpoints", ()),
            permissions=found.get("permissions", ()),
            related=found.get("relatedSkills", ()),
            featured=found.get("featured", False),
            enabled=found.get("enabled", not own),
            marketing=found.get("marketing", True),
            triggers=found["triggers"],
            actions=tuple(step.verb for step in listed),
            steps=steps if own else (),
            stop_on=frozenset(found.get("stop_on", ())),
            timing=found.get("timing", {}),
            vip=found.get("vip", ()),
            variants=found.get("ab_testing", ()),
            guests=found.get("detection", True),
            quiet=found.get("quiet_hours"),
            timezone=found.get("timezone", ""),
            body=body,
        )

    def _named(self, steps: tuple[Step, ...], found: Mapping[str, Any]) -> tuple[Step, ...]:
        """The steps with the ids that `templates` names, in their order."""
        if "templates" not in found:
            return steps
        ids = found["templates"]
        wanting = templated(steps)
        if len(ids) != len(wanting):
            self._wrong(
                ("templates",), f"names {len(ids)} templates for {len(wanting)} messages; name one for each"
            )
            return steps
        numbers = iter(ids)
        return tuple(
            replace(step, params={**step.params, "template_id": next(numbers)}) if step in wanting else step
            for step in steps
        )

    def _complete(self, steps: tuple[Step, ...], key: str) -> None:
        for i, step in enumerate(steps):
            for name in _NEEDED.get(step.verb, ()):
                if name not in step.params:
                    hint = (
                        "; create it in Brevo, then `templates: [101, …]` names one for each message"
                        if name == "template_id"
                        else "; add it"
                    )
                    self._wrong((key, i), f"`{name}` is missing" + hint)

    def _hears(self, found: Mapping[str, Any]) -> None:
        """Only what the connector does itself may name a deletion: nothing else would ever hear of it."""
        why = "skills never hear of it: the connector lets such people go (`delete_behavior`); leave it out"
        for i, trigger in enumerate(found["triggers"]):
            if trigger.event == DELETED:
                self._wrong(("triggers", i, "event"), why)
        for i, event in enumerate(found.get("stop_on", ())):
            if event == DELETED:
                self._wrong(("stop_on", i), why)

    def _trigger(self, value: Any, trail: Trail) -> Trigger | None:
        keys: dict[str, Reader] = {
            "event": self._leaf(v.one_of(*EVENTS)),
            "schedule": self._leaf(cron),
            "timezone": self._leaf(v.zone),
            "conditions": self._conditions,
            "debounce": self._leaf(v.span),
        }
        found = self._block(value, trail, keys)
        if isinstance(value, dict) and ("event" in value) == ("schedule" in value):
            self._wrong(trail, "needs one of `event` and `schedule`, and not both")
        return Trigger(**found) if found.get("event") or found.get("schedule") else None

    def _conditions(self, value: Any, trail: Trail) -> tuple[Condition, ...]:
        """A block of conditions, or a list of such blocks; all must hold."""
        if isinstance(value, list):
            return tuple(one for i, inner in enumerate(value) for one in self._conditions(inner, (*trail, i)))
        if not isinstance(value, dict):
            self._wrong(trail, 'must be conditions such as `cart_value: "> 50"`')
            return ()
        read = [
            self._try(partial(condition, field), given, (*trail, field)) for field, given in value.items()
        ]
        return tuple(one for one in read if one is not None)

    def _action(self, value: Any, trail: Trail) -> Step | None:
        """A plain word, or a map of one key that is the word, with its params."""
        if isinstance(value, dict) and len(value) == 1:
            ((name, params),) = value.items()
            verb = self._try(_prefixed, name, trail)
            return self._made(verb, {} if params is None else params, (*trail, name))
        verb = self._try(_prefixed, value, trail)
        return Step(verb=verb) if verb else None

    def _step(self, value: Any, trail: Trail) -> Step | None:
        if not isinstance(value, dict):
            self._wrong(trail, "must be a block of keys, such as `{delay: 1h, template_id: 101}`")
            return None
        verb = self._try(_prefixed, value.get("action") or "brevo/send-email", (*trail, "action"))
        return self._made(verb, {key: one for key, one in value.items() if key != "action"}, trail)

    def _made(self, verb: str | None, value: Any, trail: Trail) -> Step | None:
        """A step of this verb, from its own keys and those that every step has.

        Of a verb that is unknown any key is let pass, as nobody knows which it takes.
        """
        keys: dict[str, Reader] = {
            "delay": self._leaf(v.span),
            "conditions": self._conditions,
            "include_discount": self._leaf(v.flag),
            "discount_percent": self._leaf(v.whole(1, 100)),
            "discount_expiry": self._leaf(v.span),
        }
        before = len(self.mistakes)
        taken = VERBS[verb] if verb else {name: read for one in VERBS.values() for name, read in one.items()}
        own = {name: self._leaf(read) for name, read in taken.items()}
        found = self._block(value, trail, keys | own)
        if found.get("include_discount") and "discount_percent" not in found and before == len(self.mistakes):
            self._wrong(trail, "`include_discount` needs `discount_percent`; add it")
        if verb is None:
            return None
        return Step(
            verb=verb,
            delay=found.get("delay", 0.0),
            params={name: found[name] for name in own if name in found and name != "to"},
            conditions=found.get("conditions", ()),
            discount=found.get("discount_percent", 0) if found.get("include_discount") else 0,
            discount_seconds=found.get("discount_expiry", 0.0),
        )

    def _timing(self, value: Any, trail: Trail) -> dict[Kind, Timing]:
        found = self._block(value, trail, dict.fromkeys(Kind, self._kind))
        return {Kind(name): timing for name, timing in found.items()}

    def _kind(self, value: Any, trail: Trail) -> Timing:
        keys = {"first_email": self._leaf(v.span), "discount_threshold": self._leaf(v.amount)}
        found = self._block(value, trail, keys)
        return Timing(first=found.get("first_email"), threshold=found.get("discount_threshold", Decimal(0)))

    def _variants(self, value: Any, trail: Trail) -> tuple[Variant, ...]:
        found = self._block(
            value, trail, {"enabled": self._leaf(v.flag), "variants": self._each(self._variant)}
        )
        variants: tuple[Variant, ...] = found.get("variants", ())
        if len({variant.name for variant in variants}) < len(variants):
            self._wrong((*trail, "variants"), "two of them have one name; give each its own")
        return variants if found.get("enabled", True) else ()

    def _variant(self, value: Any, trail: Trail) -> Variant | None:
        keys = {
            "name": self._leaf(v.text),
            "subject": self._leaf(_template),
            "template_id": self._leaf(_template_id),
            "weight": self._leaf(v.whole(1, 1_000_000)),
        }
        found = self._block(value, trail, keys, ("name", "weight"))
        if not found.keys() >= {"name", "weight"}:
            return None
        return Variant(**found)

    def _options(self, value: Any, trail: Trail) -> None:
        keys = {key: _moved(key) for key in ("sync_mode", "delete_behavior")} | {
            "list_id": _moved("lists.all_customers")
        }
        self._block(value, trail, {key: self._leaf(read) for key, read in keys.items()})

    def _detection(self, value: Any, trail: Trail) -> bool:
        """Whether guests are welcome."""
        keys = {
            "exclude_logged_out": self._leaf(v.flag),
            "inactivity_threshold": self._leaf(_moved("cart.abandoned_after")),
            "min_cart_value": self._leaf(_moved("cart.min_value")),
        }
        return not self._block(value, trail, keys).get("exclude_logged_out", False)

    def _block(
        self, value: Any, trail: Trail, keys: Mapping[str, Reader], needed: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The values of a block's keys, of those that are right. A key without a value is left out."""
        if not isinstance(value, dict):
            self._wrong(trail, "must be a block of keys and values")
            return {}
        found = {}
        for key, given in value.items():
            if key not in keys:
                self._wrong((*trail, key), "unknown key" + v.nearest(key, keys))
            elif given is not None:
                found[key] = keys[key](given, (*trail, key))
        for key in needed:
            if value.get(key) is None:
                self._wrong((*trail, key), "is missing; add it")
        return {key: one for key, one in found.items() if one is not None}

    def _each(self, read: Reader) -> Reader:
        def reader(value: Any, trail: Trail) -> tuple[Any, ...]:
            if not isinstance(value, list):
                self._wrong(trail, "must be a list, each item behind a `-`")
                return ()
            read_ = [read(one, (*trail, i)) for i, one in enumerate(value)]
            return tuple(one for one in read_ if one is not None)

        return reader

    def _leaf(self, read: Callable[[Any], Any]) -> Reader:
        return lambda value, trail: self._try(read, value, trail)

    def _try(self, read: Callable[[Any], Any], value: Any, trail: Trail) -> Any:
        try:
            return read(value)
        except ValueError as error:
            self._wrong(trail, str(error))
            return None

    def _wrong(self, trail: Trail, text: str) -> None:
        self.mistakes.append(Mistake(trail, text))


def _moved(key: str) -> Callable[[Any], Any]:
    """A reader of what another key says: `ELSEWHERE` has moved all that does not contradict it."""

    def read(value: Any) -> None:
        raise ValueError(f"is another spelling of the connector's `{key}`; keep one of the two")

    return read


def _description(value: Any) -> str:
    words = v.text(value)
    if len(words) > 160:
        raise ValueError(f"has {len(words)} characters; 160 are the most")
    return words


def _selects(trigger: Trigger) -> bool:
    return any(one.field == "days_since_order" and one.way in (">", ">=") for one in trigger.conditions)
