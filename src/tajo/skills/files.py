"""Files of skills: YAML between two lines of `---`, and below it the page for merchants.

The shipped ones lie in `library`; a folder of one's own adds more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tajo.errors import Usage
from tajo.skills.format import Mistake, Trail, read
from tajo.skills.model import Skill
from tajo.skills.values import nearest

LIBRARY = Path(__file__).parent / "library"


class File(Struct, frozen=True):
    """A skill as its file says it: the frontmatter as plain data, and the text below it."""

    path: Path
    tree: Mapping[str, Any]
    body: str


class Shelf(Struct, frozen=True):
    """All skills by name, with the settings of the merchant; and their files."""

    skills: Mapping[str, Skill] = {}
    files: Mapping[str, File] = {}


def shelf(folder: Path | None = None) -> Shelf:
    """The shipped skills, and those of the folder. Raises `Usage`, which holds every mistake on its line."""
    return shipped() if folder is None else _and_more(shipped(), _paths(folder))


@cache
def shipped() -> Shelf:
    """The skills that come with Tajo."""
    return _and_more(Shelf(), sorted(LIBRARY.glob("*.md")))


def _and_more(shelf: Shelf, paths: Iterable[Path]) -> Shelf:
    files, skills = dict(shelf.files), dict(shelf.skills)
    wrong: list[str] = []
    for path in paths:
        file, skill, mistakes = _opened(path)
        if skill and file:
            if skill.name in skills:
                other = files[skill.name].path.name
                mistakes = [f"{path}: name: `{skill.name}` is the skill of {other} too; choose another"]
            files[skill.name] = file
            skills[skill.name] = skill
        wrong += mistakes
    if wrong:
        raise Usage("\n".join(wrong))
    return Shelf(skills, files)


def settled(shelf: Shelf, options: Mapping[str, Any]) -> tuple[Shelf, list[Mistake]]:
    """The shelf with the merchant's options, each a key of the frontmatter; and what is wrong with them.

    An option replaces its key as a whole.
    """
    skills = dict(shelf.skills)
    wrong: list[Mistake] = []
    for name, given in options.items():
        if name not in shelf.files:
            wrong.append(Mistake((name,), "unknown skill" + nearest(name, shelf.files)))
        elif given is not None and not isinstance(given, dict):
            wrong.append(Mistake((name,), "must be a block of keys, such as `enabled: true`"))
        elif given:
            skill, mistakes = _with(shelf.files[name], given)
            if skill:
                skills[name] = skill
            wrong += [Mistake((name, *trail), text) for trail, text in mistakes]
    return Shelf(skills, shelf.files), wrong


def _with(file: File, options: Mapping[str, Any]) -> tuple[Skill | None, list[Mistake]]:
    fixed = [
        Mistake((key,), "says which skill this is; leave it as it is")
        for key in ("name", "version")
        if options.get(key) is not None
    ]
    given = {key: value for key, value in options.items() if value is not None}
    skill, mistakes = read({**file.tree, **given}, file.body)
    return (None if fixed else skill), [*fixed, *mistakes]


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise Usage(f"{folder}: there is no such folder; create it, or leave `skills_folder` out")
    return sorted(folder.glob("*.md"))


def _opened(path: Path) -> tuple[File | None, Skill | None, list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return None, None, [f"{path}: cannot be read ({error.strerror}); check its permissions"]
    except ValueError:
        return None, None, [f"{path}: is not UTF-8 text; save it as UTF-8"]
    head, fence, rest = text.partition("\n---\n")
    if not head.startswith("---\n") or not fence:
        return None, None, [f"{path}:1: must begin with `---`, the frontmatter and another `---`"]
    try:
        # The first line of the frontmatter is the second of the file: its `---` stays, so lines are true.
        tree = YAML(typ="rt", pure=True).load(head)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return (
            None,
            None,
            [f"{path}:{line}: bad YAML: {error.problem}; look at quotes, colons and indentation"],
        )
    except (YAMLError, ValueError, RecursionError):
        return None, None, [f"{path}:1: bad YAML; look at quotes, colons and indentation"]
    plain = _plain(tree)
    skill, mistakes = read(plain, rest.strip() + "\n")
    said = sorted((_line(tree, trail), _label(trail), what) for trail, what in mistakes)
    told = [
        f"{path}:{line}: {label}: {what}" if label else f"{path}:{line}: {what}" for line, label, what in said
    ]
    return (File(path, plain, rest.strip() + "\n") if skill else None), skill, told


def _plain(value: Any) -> Any:
    """Plain data of what remembers its lines."""
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)


def _line(tree: Any, trail: Trail) -> int:
    """The line of the file where this was written; of what is missing, of the block that lacks it."""
    line = 2
    for part in trail:
        try:
            place = tree.lc.item(part) if isinstance(part, int) else tree.lc.key(part)
            tree = tree[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line = place[0] + 1
    return line


def _label(trail: Trail) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in trail).removeprefix(".")
