"""The reference of the command line says what `--help` says. `make docs` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tajo.cli.commands import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
BEGIN, END = "<!-- commands -->\n", "<!-- end -->\n"


def reference() -> str:
    """Every command with its arguments and options, from the commands themselves."""
    return "\n".join(_command("tajo", typer.main.get_command(app)))


def with_reference(page: str) -> str:
    """The page with the reference between its marks."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}{reference()}{END}{rest.partition(END)[2]}"


def _command(name: str, command: Any) -> Iterator[str]:
    """A command, or a group with its commands; the tree's classes are typer's own."""
    inner = getattr(command, "commands", None)
    context = command.context_class(command)
    if inner is None:
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield from (f"### `{usage}`\n", f"{_words(command.help)}\n")
        rows = [_row(parameter, context) for parameter in command.params]
        yield from ("| | |", "|---|---|", *rows, "") if rows else ()
    else:
        if name != "tajo":
            yield from (f"### `{name}`\n", f"{_words(command.help)}\n")
        for word, one in inner.items():
            yield from _command(f"{name} {word}", one)


def _row(parameter: Any, context: Any) -> str:
    """Its names with what they take, and its help with its default."""
    names, text = (_words(part).replace("|", "\\|") for part in parameter.get_help_record(context))
    assert parameter.help, f"{context.command.name}: {parameter.name} has no help"
    return f"| `{names}` | {text} |"


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def test_the_reference_has_every_command_and_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    if page != with_reference(page):
        pytest.fail(f"`make docs` puts this between the marks of {PAGE.name}:\n{reference()}", pytrace=False)


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
