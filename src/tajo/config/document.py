"""YAML text -> plain data that remembers its lines. It knows no key and collects mistakes, never raises."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

Trail = tuple[str | int, ...]

UNKNOWN: Final = object()
"""Stands where a variable is missing: wrong already, so not to be complained about twice."""


class Mistake(NamedTuple):
    """What is wrong, and where; an empty trail is the file as a whole."""

    line: int
    trail: Trail
    text: str


@dataclass
class Document:
    """`data`: mappings with text keys, lists, text, numbers, booleans, None. `lines`: where each begins."""

    data: Any = None
    lines: dict[Trail, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def parse(text: str, env: Mapping[str, str]) -> Document:
    """Read one document and put `env` into its text values. After bad YAML there is only the mistake."""
    document = Document()
    try:
        node = _compose(text)
        if node is not None:
            document.data = _Walk(document, env).value(node, (), ())
    except _Bad as bad:
        return Document(mistakes=[Mistake(bad.line, (), bad.text)])
    except RecursionError:
        return Document(mistakes=[Mistake(1, (), "bad YAML: nested too deeply")])
    return document


class _Bad(Exception):
    """Nothing beyond this point can be understood."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # What stands in quotes comes from the file and might be a secret.
        problem = re.sub(r"'([^']*)'", _harmless, str(error.problem or error.context))
        raise _Bad(
            line, f"bad YAML: {problem}; look at quotes, colons and indentation here and just above"
        ) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Bad(line, "bad YAML: an invisible control character; type the line again") from None
    except RecursionError:
        raise
    except Exception:  # the parser has many more words for text that is no YAML
        raise _Bad(1, "bad YAML: a directive or an escape that cannot be read; look for % and \\") from None
    return node


def _harmless(quoted: re.Match[str]) -> str:
    return quoted[0] if re.fullmatch(r"\\?.?", quoted[1]) else "something else"


_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_MOST = 20_000  # values; a settings file has hundreds


class _Walk:
    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self._document = document
        self._env = env

    def value(self, node: Node, trail: Trail, above: tuple[Node, ...]) -> Any:
        self._document.lines.setdefault(trail, node.start_mark.line + 1)
        if len(self._document.lines) > _MOST:
            raise _Bad(
                node.start_mark.line + 1,
                "bad YAML: too long for a settings file; look at anchors and aliases",
            )
        if any(node is outer for outer in above):
            raise _Bad(node.start_mark.line + 1, "bad YAML: an anchor holds itself; write it out")
        if isinstance(node, MappingNode):
            return self._mapping(node, trail, (*above, node))
        if isinstance(node, SequenceNode):
            return [self.value(item, (*trail, i), (*above, node)) for i, item in enumerate(node.value)]
        return self._scalar(str(node.tag), str(node.value), node.start_mark.line + 1, trail)

    def _mapping(self, node: MappingNode, trail: Trail, above: tuple[Node, ...]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._wrong(line, trail, "a key must be one word; write `key: value`")
            elif key.value in data:
                first = self._document.lines[*trail, key.value]
                self._wrong(line, (*trail, key.value), f"stands here twice, first on line {first}; keep one")
            else:
                self._document.lines[*trail, key.value] = line
                data[key.value] = self.value(item, (*trail, key.value), above)
        return data

    def _scalar(self, tag: str, text: str, line: int, trail: Trail) -> Any:
        if tag not in _SCALARS:
            return self._wrong(line, trail, "has a YAML tag that is not known here; leave `!…` out")
        try:
            match tag.removeprefix(_TAG):
                case "null":
                    return None
                case "bool":
                    return text.lower() in ("true", "yes", "on", "y")
                case "int":
                    return int(text)
                case "float":
                    return float(text)
        except ValueError:
            pass  # an octal or the like: left as text, for the type of the key to judge
        return self._filled(text, line, trail)

    def _filled(self, text: str, line: int, trail: Trail) -> Any:
        missing = []

        def fill(found: re.Match[str]) -> str:
            name, default = found[1], found[2]
            if default is not None:
                return self._env.get(name) or default
            if name not in self._env:
                missing.append(name)
            return self._env.get(name, "")

        filled = _VARIABLE.sub(fill, text)
        if "${" in _VARIABLE.sub("", text):
            return self._wrong(line, trail, "has a `${` that is neither `${NAME}` nor `${NAME:-default}`")
        for name in missing:
            self._wrong(
                line, trail, f"the variable {name} is not set; set it, or write `${{{name}:-default}}`"
            )
        return UNKNOWN if missing else filled

    def _wrong(self, line: int, trail: Trail, text: str) -> object:
        self._document.mistakes.append(Mistake(line, trail, text))
        return UNKNOWN


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
