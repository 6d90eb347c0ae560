"""The log of a server: lines for people or objects for machines, and nobody's data in either."""

from __future__ import annotations

import json
import logging

import pytest

from tajo.cli.logs import Form, open_log
from tajo.journal import Journal


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_people_read_a_time_a_connector_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    say = open_log(Form.TEXT)
    journal = Journal(say, lambda: 5.0)
    say("listening on http://127.0.0.1:8000")
    journal.tell("at work", connector="shop")
    told = [line.split("  ", 1) for line in lines(capsys)]
    assert [words for _, words in told] == ["listening on http://127.0.0.1:8000", "shop  at work"]
    assert all(len(time) == len("2026-01-01T00:00:00Z") for time, _ in told)


def test_machines_read_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say = open_log(Form.JSON)
    journal = Journal(say, lambda: 5.0)
    journal.tell("stopped: no\n  Mend: yes", connector="shop", level="error")
    say("stopped; what has not been told goes on")
    told = [json.loads(line) for line in lines(capsys)]
    assert [set(one) for one in told] == [{"time", "level", "connector", "words"}] * 2
    assert [(one["level"], one["connector"], one["words"]) for one in told] == [
        ("error", "shop", "stopped: no\n  Mend: yes"),
        ("info", None, "stopped; what has not been told goes on"),
    ]


def test_the_journal_keeps_what_it_says_with_its_connector_and_level() -> None:
    said: list[str] = []
    journal = Journal(said.append, lambda: 5.0)
    journal.tell("at work", connector="shop")
    journal.tell("stopped", connector="shop", level="error")
    assert said == ["shop  at work", "shop  stopped"]
    assert [(line.words, line.connector, line.level) for line in journal.after(1)] == [
        ("shop  stopped", "shop", "error")
    ]


@pytest.mark.parametrize("form", list(Form))
def test_an_error_of_a_library_is_named_and_placed_but_not_quoted(
    form: Form, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process of its own
    open_log(form)
    try:
        raise ValueError("ann@example.com")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    logging.getLogger("tajo.server.ingestion").warning("a callback of %s cannot be kept now", "shop")
    logging.getLogger("httpx").info("GET https://api.example.com/contacts/ann@example.com")
    [error, warning] = lines(capsys)
    assert "Exception in ASGI application (ValueError at tests.test_logs:" in error
    assert "a callback of shop cannot be kept now" in warning
    assert "ann@" not in error + warning
