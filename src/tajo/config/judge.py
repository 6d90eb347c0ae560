"""What is wrong with an arranged tree of settings, in words that name the mend."""

from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from tajo.config.arrange import STORE_ENVIRONMENT, connectors
from tajo.config.document import UNKNOWN, Trail
from tajo.config.model import DEFAULT_MAPPING, Block, Connector, Options, Settings, keys
from tajo.config.values import nearest
from tajo.sync.mapping import rule

B = TypeVar("B", bound=Block)

SENDERS = {
    "send-sms": ("text messages", "sms_sender"),
    "send-whatsapp": ("messages on WhatsApp", "whatsapp_sender"),
}
"""By the verb of a step: what it sends, and the key of `messages` that says who sends it."""


class Complaint(NamedTuple):
    """What is wrong at a place of the tree."""

    trail: Trail
    text: str


def judge(tree: Mapping[str, Any], common: Mapping[str, Any]) -> Iterator[Complaint]:
    """Everything that is wrong; what comes from the common defaults may be told more than once."""
    yield from _shape(Options, common)
    settings = yield from _shape(Settings, tree)
    yield from _same_stores(tree)
    for name, body in connectors(tree):
        yield from _mapping(("connectors", name), body)
    yield from _strict(settings) if settings else ()
    yield from _senders(settings) if settings else ()


def _shape(model: type[B], data: Mapping[str, Any]) -> Generator[Complaint, None, B | None]:
    """What the model has against the data; returns what it makes of it if that is nothing."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
    for one in found:
        trail: Trail = tuple(part for part in one["loc"] if part != "[key]")
        if one["input"] is UNKNOWN:
            continue
        match one["type"]:
            case "value_error":
                text = str(one["ctx"]["error"])
            case "missing":
                text = _missing(str(trail[-1]))
            case "extra_forbidden":
                text = _unknown(trail)
            case "tuple_type" | "frozen_set_type":
                text = "must be a list, such as `[1, 2]`"
            case _:
                text = "must be a block of keys, each on a line of its own and indented below it"
        yield Complaint(trail, text)
    return None


def _missing(key: str) -> str:
    variables = {"api_key": "BREVO_API_KEY"} | {key: name for name, key in STORE_ENVIRONMENT.items()}
    if key in variables:
        return f"is missing; set {variables[key]} in the environment, or write `{key}: ${{{variables[key]}}}`"
    return "is missing; add it"


def _unknown(trail: Trail) -> str:
    key = str(trail[-1])
    if ":" in key:
        return "unknown key; put a blank after the colon"
    if key == "language" and "storefronts" in trail[:-1]:
        return "never had an effect; leave it out, and tell contacts of this channel apart by its `lists`"
    if key == "field_mapping":
        return "is another name of `customer_mapping`; keep one of them"
    if len(trail) == 1 and key in Connector.model_fields:
        return f"unknown key; it belongs to a connector: `connectors.bigcommerce.{key}`"
    known = _siblings(trail)
    return "unknown key" + (nearest(key, known) or "; known here: " + ", ".join(f"`{key}`" for key in known))


def _siblings(trail: Trail) -> list[str]:
    """The keys that may stand where the last of the trail stands."""
    paths = [path for path, _ in (*keys(Settings), *keys(Options)) if len(path) == len(trail)]
    return [path[-1] for path in paths if all(map(_fits, path[:-1], trail[:-1]))]


def _fits(part: str, step: str | int) -> bool:
    return part == step or part[0] in "<["


def _same_stores(tree: Mapping[str, Any]) -> Iterator[Complaint]:
    owners: dict[str, str] = {}
    for name, body in connectors(tree):
        store = body.get("store_hash")
        if isinstance(store, str) and store.strip() and owners.setdefault(store.strip(), name) != name:
            trail = ("connectors", name, "store_hash")
            yield Complaint(trail, f"is the store of `{owners[store.strip()]}` too; keep one of the two")


def _strict(settings: Settings) -> Iterator[Complaint]:
    """A signature is proved by the client secret alone: without it every webhook would be refused."""
    for name, store in settings.connectors.items():
        if store.signatures == "strict" and not store.client_secret:
            yield Complaint(
                ("connectors", name, "signatures"),
                "`strict` needs `client_secret`, with which the store signs: add it, or write `auto`",
            )


def _senders(settings: Settings) -> Iterator[Complaint]:
    """Messages that an enabled skill sends, and of which nobody says from whom they are."""
    for verb, (what, key) in SENDERS.items():
        silent = [
            f"`{skill.name}`"
            for skill in settings.skills.skills.values()
            if skill.enabled and any(one.verb == verb and "sender" not in one.params for one in skill.steps)
        ]
        for name, connector in settings.connectors.items() if silent else ():
            if connector.enabled and getattr(connector.messages, key) is None:
                text = f"is missing, and {' and '.join(silent)} would send {what}"
                yield Complaint(
                    ("connectors", name, "messages", key), f"{text}; add it, or `sender` to the steps"
                )


def _mapping(trail: Trail, body: Mapping[str, Any]) -> Iterator[Complaint]:
    """Lines of the mapping that are right in themselves, but not together."""
    taken: dict[str, str] = {}
    for block, prefix in (("customer_mapping", ""), ("custom_fields", "custom_fields.")):
        lines = body.get(block, {} if prefix else DEFAULT_MAPPING)
        for name, target in lines.items() if isinstance(lines, dict) else ():
            text = _pair(prefix + name, target.strip(), taken) if isinstance(target, str) else ""
            if text:
                yield Complaint((*trail, block, name), text)


def _pair(path: str, target: str, taken: dict[str, str]) -> str:
    """Why this line cannot stand beside those before it; empty if it can. Adds it to `taken`."""
    if target.lower() == "email":
        return "" if path == "email" else "would change the contact's e-mail; map it to another attribute"
    if taken.setdefault(target, path) != path:
        return f"fills `{target}`, as `{taken[target]}` does; keep one of them"
    try:
        rule(path, target)
    except ValueError as error:
        return "" if str(error).startswith("unknown path") else str(error)
    return ""
