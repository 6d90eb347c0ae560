"""Whatever is said while a test runs is searched for secrets and people's data.

`Listener` is a plugin of pytest. It hears what this process and those it starts print, their logs, Tajo's
journal, errors, problem details and spans, and what the ledger keeps for people to read. It fails the test in
which there was a leak, unless `SHOWN` says that just this is the purpose of just that place.
"""

from __future__ import annotations

import asyncio.subprocess
import inspect
import logging
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import argon2
import httpx
import pydantic
import pytest
from opentelemetry import trace
from sqlalchemy import Engine, event

import tajo.cli
from tajo.errors import TajoError
from tajo.journal import Journal
from tajo.sync.ledger.secret import Secret
from tests.leaks import KNOWN, Leak, leaks

# --- where it may be


class Shown(NamedTuple):
    """A place whose purpose is to show such things. `where`, `line`: patterns; `why`: for whoever reads."""

    where: str
    kinds: tuple[str, ...]
    why: str
    line: str = ""


PEOPLE = ("e-mail", "phone", "name", "street")

SHOWN = (
    Shown("", ("e-mail",), "nobody's: it shows how one is written", line="such as name@example.com"),
    Shown("^stdout of tajo simulate", ("secret",), "a simulator tells with which credentials it is reached"),
    Shown("^stdout of .*tajo preview", PEOPLE, "the payload of a record, for whoever may see it"),
    Shown("^stdout of .*tajo sync.* --dry-run", PEOPLE, "what would be written, old and new"),
    Shown("^stdout of .*tajo audit.* --values", PEOPLE, "what differs, since the values were asked for"),
    Shown("^stdout of the test$", PEOPLE, "the same, told without a command", line=r"^    [A-Z]+: '.*' → '"),
    Shown(
        "^stdout of .*tajo skills test .*--contact",
        ("secret",),
        "what a skill would send to this contact, the link to their cart included",
        line='"recovery_url"|/r/',
    ),
    Shown("^stdout of .*tajo keys create", ("secret",), "a key is shown once, to whoever makes it"),
    Shown("^stdout of .*tajo password reset", ("secret",), "the link lets in whoever asked for it"),
    Shown(
        "^std(out|err) of .*tajo serve",
        ("secret",),
        "while the dashboard has nobody, its link stands in the log of whoever started it, for a day",
        line="this link lets the first person in",
    ),
)


def shown(where: str, leak: Leak) -> bool:
    """Whether it is meant to be there. `where`: such as `stdout of tajo preview`."""
    return any(
        re.search(one.where, where) and leak.kind in one.kinds and re.search(one.line, leak.line)
        for one in SHOWN
    )


# --- what is heard


class Ear:
    """What was said since the last test, by place; each only once."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, None]] = {}
        self.files: list[tuple[str, Path]] = []
        self.commands: dict[str, None] = {}

    def hear(self, where: str, text: str | bytes) -> None:
        if text:
            plain = text if isinstance(text, str) else text.decode(errors="replace")
            self.said.setdefault(where, {})[plain] = None

    def printed(self, stream: str, text: str) -> None:
        """What this process printed, by whichever of its commands."""
        self.hear(f"{stream} of {', '.join(self.commands) or 'the test'}", text)

    def found(self) -> list[tuple[str, Leak]]:
        """Leaks by place; from now on it hears anew."""
        for where, path in self.files:
            if path.is_file():
                self.hear(where, path.read_bytes())
        said, self.said, self.files = self.said, {}, []
        found = ((where, leak) for where, texts in said.items() for leak in leaks("\n".join(texts)))
        return [(where, leak) for where, leak in found if not shown(where, leak)]


EAR = Ear()


class Listener:
    """The plugin."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        for name, text in report.sections:
            if name in (f"Captured stdout {report.when}", f"Captured stderr {report.when}"):
                EAR.printed(name.split()[1], text)
        found = EAR.found()
        if report.when == "teardown":
            EAR.commands.clear()
        if found and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = "\n".join(told(where, leak) for where, leak in found[:9])
        return report


def told(where: str, leak: Leak) -> str:
    """A leak in words."""
    return f"{where} holds this {leak.kind}: {leak.what!r}, in {leak.line[:300]!r}"


def command(words: Any) -> str:
    """A command of Tajo as people write it, whatever it was started with; else `python`, if it is one.

    Of other programs, such as the driver of a browser, it is empty: what they say is not ours.
    """
    parts = [os.fsdecode(word) for word in ([words] if isinstance(words, str | bytes | Path) else words)]
    for place, word in enumerate(parts):
        if word.startswith("tajo.sandbox."):
            return f"tajo simulate {word.rpartition('.')[2]}"
        if word == "tajo" or word.endswith("/tajo"):
            return " ".join(["tajo", *parts[place + 1 :]])
        if word.endswith("hurried.py"):
            return " ".join(["tajo", *(part for part in parts[place + 3 :] if "=" not in part)])
    return "python" if parts[0] == sys.executable else ""


class Tapped:
    """The pipe of a process, each reading of which is heard."""

    def __init__(self, pipe: Any, where: str) -> None:
        self._pipe, self._where = pipe, where

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pipe, name)
        if name not in ("read", "readline", "read1"):
            return found

        def reading(*args: Any) -> Any:
            text = found(*args)
            EAR.hear(self._where, text)
            return text

        return reading

    def __iter__(self) -> Iterator[Any]:
        for line in self._pipe:
            EAR.hear(self._where, line)
            yield line


def around(owner: Any, name: str, after: Callable[..., None]) -> None:
    """Whenever this function was called, `after` is told its answer and its arguments."""
    original = getattr(owner, name)

    @wraps(original)
    def heard(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        after(answer, *args, **kwargs)
        return answer

    @wraps(original)
    async def heard_later(*args: Any, **kwargs: Any) -> Any:
        answer = await original(*args, **kwargs)
        after(answer, *args, **kwargs)
        return answer

    setattr(owner, name, heard_later if inspect.iscoroutinefunction(original) else heard)


def started(__: None, process: subprocess.Popen[Any], args: Any, *_: Any, **how: Any) -> None:
    """A process: what it prints into pipes and files, and the secrets that it was given."""
    for name, value in (how.get("env") or {}).items():
        if re.search("TOKEN|KEY|SECRET|PASSWORD", os.fsdecode(name)):
            KNOWN.add(os.fsdecode(value))
    name = command(args)
    for stream in ("stdout", "stderr") if name else ():
        where = f"{stream} of {name}"
        pipe, given = getattr(process, stream), how.get(stream)
        if pipe is not None:
            setattr(process, stream, Tapped(pipe, where))
        elif isinstance(path := getattr(given, "name", None), str):
            EAR.files.append((where, Path(path)))


def communicated(answer: tuple[Any, Any], process: subprocess.Popen[Any], *_: Any, **__: Any) -> None:
    name = command(process.args)
    for stream, text in zip(("stdout", "stderr"), answer, strict=True):
        if name and text:
            EAR.hear(f"{stream} of {name}", text)


def piped(_: None, protocol: Any, fd: int, data: bytes) -> None:
    """What a process of asyncio printed."""
    name = command(protocol._transport.get_extra_info("subprocess").args)
    if name:
        EAR.hear(f"{'stdout' if fd == 1 else 'stderr'} of {name}", data)


def answered(body: bytes, response: httpx.Response) -> None:
    if response.headers.get("content-type", "") == "application/problem+json":
        EAR.hear("problem details", body)


def keeps(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
    """What a statement writes into those tables of the ledger that people read."""
    table = re.match(r"INSERT INTO (parked|runs|doings|tallies) ", statement)
    if table:
        rows = values if isinstance(values, list) else [values]
        for row in rows:
            for value in row.values() if isinstance(row, Mapping) else row:
                if isinstance(value, str):
                    EAR.hear(f"the ledger's table {table[1]}", value)


def read_out(answer: Any, *_: Any) -> None:
    EAR.printed("stdout", answer.out)
    EAR.printed("stderr", answer.err)


class Handler(logging.Handler):
    """Of a log record its words, which is all that `tajo.cli.logs` writes of it."""

    def emit(self, record: logging.LogRecord) -> None:
        EAR.hear("the log", record.getMessage())


def span_begun(_: Any, __: Any, name: str, *___: Any, **how: Any) -> None:
    EAR.hear("a span", f"{name} {how.get('attributes')}")


def listen() -> None:
    """From now on, for as long as this process lives."""
    logging.getLogger().addHandler(Handler())
    event.listen(Engine, "before_cursor_execute", keeps)

    around(TajoError, "__init__", lambda _, error, *__, **___: EAR.hear("an error", str(error)))
    around(Journal, "tell", lambda _, __, words, **___: EAR.hear("the journal", words))
    around(trace.ProxyTracer, "start_as_current_span", span_begun)
    around(trace.NonRecordingSpan, "set_attribute", lambda _, __, *words: EAR.hear("a span", str(words)))
    around(trace.NonRecordingSpan, "set_attributes", lambda _, __, words: EAR.hear("a span", str(words)))
    around(httpx.Response, "read", answered)
    around(httpx.Response, "aread", answered)

    around(tajo.cli, "run", lambda _, words: EAR.commands.setdefault(" ".join(["tajo", *words])))
    around(pytest.CaptureFixture, "readouterr", read_out)
    around(subprocess.Popen, "__init__", started)
    around(subprocess.Popen, "communicate", communicated)
    around(asyncio.subprocess.SubprocessStreamProtocol, "pipe_data_received", piped)

    around(pydantic.SecretStr, "__init__", lambda _, __, value: KNOWN.add(value))
    around(secrets, "token_urlsafe", lambda value, *_: KNOWN.add(value))
    around(Secret, "token", lambda value, *_: KNOWN.add(value))
    around(argon2.PasswordHasher, "hash", lambda _, __, password, **___: KNOWN.add(password))
