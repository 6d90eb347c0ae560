"""From what was written to what the model expects: other spellings, the environment, common defaults.

Everything here works in place on plain data and keeps `Origins` true, so that a mistake can be told
where it was made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tajo.config.document import Trail
from tajo.config.model import Block, Options
from tajo.skills.format import ELSEWHERE

ENVIRONMENT: dict[str, Trail] = {
    "TAJO_API_KEY": ("api_key",),
    "BREVO_API_KEY": ("brevo", "api_key"),
    "TAJO_BREVO_API_URL": ("brevo", "api_url"),
    "TAJO_DATABASE_URL": ("database_url",),
}
"""What these variables fill where the file leaves it out."""

STORE_ENVIRONMENT = {
    "BC_STORE_HASH": "store_hash",
    "BC_ACCESS_TOKEN": "access_token",
    "BC_CLIENT_ID": "client_id",
    "BC_CLIENT_SECRET": "client_secret",
}
"""What these fill of the connector `bigcommerce`, or of the only one."""

API_URL_VARIABLE = "TAJO_BIGCOMMERCE_API_URL"
"""Fills the `api_url` of every connector."""


class Origin(NamedTuple):
    """Where a value was written and under which name; `line` 0 if it was not in the file."""

    line: int
    trail: Trail
    variable: str = ""


Origins = dict[Trail, Origin]


def origin(origins: Mapping[Trail, Origin], trail: Trail) -> Origin:
    """Where this was written; for what was left out, the block in which it is missing."""
    if trail in origins:
        return origins[trail]
    if not trail:
        return Origin(0, ())
    around = origin(origins, trail[:-1])
    return Origin(around.line, (*around.trail, trail[-1]))


def connectors(tree: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The connectors that are blocks of keys at all, by name."""
    found = tree.get("connectors")
    bodies = found.items() if isinstance(found, dict) else ()
    return [(name, body) for name, body in bodies if isinstance(body, dict)]


def arrange(tree: dict[str, Any], origins: Origins, env: Mapping[str, str]) -> dict[str, Any]:
    """Complete the tree with the environment and the top-level defaults, which it returns."""
    for name in ("brevo", "connectors"):
        if tree.get(name) is None:
            tree[name] = {}
    stores = tree["connectors"]
    if isinstance(stores, dict):
        if not stores and env.get("BC_STORE_HASH"):
            stores["bigcommerce"] = None
        stores.update({name: {} for name, body in stores.items() if body is None})
    for name, body in connectors(tree):
        _respell(body, ("connectors", name), origins)
    _respell(tree, (), origins)
    _respell_skills(tree, origins)
    _respell(tree, (), origins)  # what came from a skill may be spelt otherwise, too
    _fill(tree, origins, env)
    common = {key: tree.pop(key) for key in Options.model_fields if key in tree}
    for name, body in connectors(tree):
        _inherit(body, common, name, origins)
    return common


def _respell(block: dict[str, Any], trail: Trail, origins: Origins) -> None:
    """`field_mapping` is `customer_mapping`, if that is not there too; `firstName` is `first_name`."""
    if "field_mapping" in block and "customer_mapping" not in block:
        _move(block, "field_mapping", "customer_mapping", trail, origins)
    lines = block.get("customer_mapping")
    if isinstance(lines, dict):
        for camel, snake in (("firstName", "first_name"), ("lastName", "last_name")):
            if camel in lines and snake not in lines:
                _move(lines, camel, snake, (*trail, "customer_mapping"), origins)


def _respell_skills(tree: dict[str, Any], origins: Origins) -> None:
    """Options of skills that are settings of connectors become these, if nothing there contradicts them.

    What contradicts stays where it is, for the skill to refuse.
    """
    skills = tree.get("skills")
    for skill, spellings in ELSEWHERE.items() if isinstance(skills, dict) else ():
        for old, new in spellings.items():
            *around, key = (skill, *old)
            block = _at(skills, around)
            if not isinstance(block, dict) or block.get(key) is None:
                continue
            homes = [tree, *(body for _, body in connectors(tree))]
            there = [value for home in homes if (value := _at(home, new)) is not None]
            if not there:
                target: Any = tree
                for part in new[:-1]:
                    if target.get(part) is None:
                        target[part] = {}
                    target = target[part]
                if not isinstance(target, dict):
                    continue
                target[new[-1]] = block[key]
                _adopt(origins, ("skills", *around, key), new)
            if all(value == block[key] for value in there):
                del block[key]


def _at(block: Any, trail: Sequence[str]) -> Any:
    """What stands there; None if there is no such place."""
    for part in trail:
        block = block.get(part) if isinstance(block, dict) else None
    return block


def _move(block: dict[str, Any], old: str, new: str, trail: Trail, origins: Origins) -> None:
    block[new] = block.pop(old)
    _adopt(origins, (*trail, old), (*trail, new))


def _adopt(origins: Origins, old: Trail, new: Trail) -> None:
    """What now stands at `new` was written at `old`."""
    origins |= {(*new, *at[len(old) :]): origins[at] for at in list(origins) if at[: len(old)] == old}


def _fill(tree: dict[str, Any], origins: Origins, env: Mapping[str, str]) -> None:
    """Put the environment where the file is silent."""
    names = [name for name, _ in connectors(tree)]
    wanted = [*ENVIRONMENT.items(), (API_URL_VARIABLE, ("api_url",))]
    for name in names:
        if name == "bigcommerce" or len(names) == 1:
            wanted += [(variable, ("connectors", name, key)) for variable, key in STORE_ENVIRONMENT.items()]
    for variable, trail in wanted:
        block: Any = tree
        for part in trail[:-1]:
            block = block[part]
        if env.get(variable) and isinstance(block, dict) and block.get(trail[-1]) is None:
            block[trail[-1]] = env[variable]
            origins[trail] = Origin(0, trail, variable)


def _inherit(body: dict[str, Any], common: Mapping[str, Any], name: str, origins: Origins) -> None:
    """Give a connector the defaults: blocks of fixed keys key by key, all else as a whole."""
    trail: Trail = ("connectors", name)
    for key, value in common.items():
        own = body.get(key)
        if own is None:
            body[key] = value
            _adopt(origins, (key,), (*trail, key))
        elif isinstance(Options.model_fields[key].default, Block) and isinstance(own, dict):
            for part, inner in value.items() if isinstance(value, dict) else ():
                if own.get(part) is None:
                    own[part] = inner
                    _adopt(origins, (key, part), (*trail, key, part))
    if body.get("type") is None:
        body["type"] = name
