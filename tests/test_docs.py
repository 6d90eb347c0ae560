"""The pages that list what the code holds list all of it, as it is."""

import json
import re
from collections.abc import Iterator
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tajo.config.arrange import API_URL_VARIABLE, ENVIRONMENT, STORE_ENVIRONMENT
from tajo.config.model import DEFAULT_MAPPING, Block, Options, keys
from tajo.skills import Shelf
from tajo.sync.ledger.tables import metadata
from tajo.sync.mapping import ADDRESS, NAMED, PLAIN

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def table() -> str:
    """All keys; within a block those that must be given come first."""
    rows = ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    return "\n".join(rows + [row for path, field in keys() for row in _row(path, field)])


def _row(path: tuple[str, ...], field: FieldInfo) -> Iterator[str]:
    name = ".".join(path).replace(".[]", "[]")
    default, example = field.default, (field.examples or [None])[0]
    word = next((inner.title for inner in (field, *_inner(field)) if inner.title), "block")
    if default is PydanticUndefined:
        shown = "" if word == "block" else "**required**"
    elif isinstance(default, Block | Shelf) or default in (None, {}, ()):
        shown = ""
    else:
        shown = "see *Mapping*" if default == DEFAULT_MAPPING else f"`{_written(default)}`"
    cells = (f"`{name}`", word, shown, field.description, f"`{_written(example)}`" if example else "")
    yield f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _inner(field: FieldInfo) -> Iterator[FieldInfo]:
    """What is said of the type of an optional field."""
    for optional in get_args(field.annotation):
        yield from (inner for inner in get_args(optional) if isinstance(inner, FieldInfo))


def _written(value: Any) -> str:
    """A value as one writes it in YAML."""
    match value:
        case timedelta():
            hours, rest = divmod(value, timedelta(hours=1))
            return f"{value // timedelta(minutes=1)}m" if rest else f"{hours}h"
        case time():
            return f'"{value:%H:%M}"'
        case frozenset():
            return str(sorted(value))
        case dict():
            return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
        case bool():
            return json.dumps(value)
        case Decimal() | str() | int():
            return str(value)
    return str(value).replace("'", "")


def test_the_reference_has_every_key_with_its_type_default_and_meaning() -> None:
    written = PAGE.read_text(encoding="utf-8").partition("<!-- keys -->\n")[2].partition("\n<!-- end -->")[0]
    if written != table():
        pytest.fail(f"put this between the marks of {PAGE.name}:\n{table()}", pytrace=False)


@pytest.mark.parametrize("variable", [*ENVIRONMENT, *STORE_ENVIRONMENT, API_URL_VARIABLE, "TAJO_CONFIG"])
def test_the_reference_has_every_variable(variable: str) -> None:
    assert f"| `{variable}` |" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*PLAIN, *(f"addresses[N].{name}" for name in ADDRESS), *NAMED])
def test_the_reference_has_every_path_of_the_mapping(path: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert (f"`{path}<name>`" if path.endswith(".") else f"`{path}`") in text


def test_the_reference_has_the_default_mapping() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for path, attribute in DEFAULT_MAPPING.items():
        assert f"\n  {path}: {attribute.replace('EMAIL', 'email')}\n" in text


def test_every_common_key_is_a_key_of_a_connector() -> None:
    assert {path[2] for path, _ in keys() if path[:2] == ("connectors", "<name>")} > {*Options.model_fields}


def test_the_architecture_has_every_table_of_the_ledger() -> None:
    page = (PAGE.parent / "architecture.md").read_text()
    ledger = page.partition("## The ledger")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", ledger, re.MULTILINE)) == sorted(metadata.tables)
