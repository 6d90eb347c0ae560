"""The log of a server that runs, on stderr: lines for people, or an object a line for machines."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from tajo.journal import Said


class Form(StrEnum):
    """How it is written."""

    TEXT = "text"
    JSON = "json"


def open_log(form: Form) -> Callable[[str], None]:
    """Where words go from now on; what libraries warn of goes there, too, in the same form."""
    write = _json if form is Form.JSON else _text
    logging.basicConfig(handlers=[_Warnings(write)], level=logging.WARNING)

    def say(words: str) -> None:
        said = words if isinstance(words, Said) else Said(words)
        write(said)

    return say


class _Warnings(logging.Handler):
    """What is not said by us. Of an error only its name and place are told: its text may hold anything."""

    def __init__(self, write: Callable[[Said], None]) -> None:
        super().__init__(logging.WARNING)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._write(Said(record.getMessage().splitlines()[0] + _place(record), level=level))


def _place(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
    return f" ({type(error).__name__}{where})"


def _text(said: Said) -> None:
    print(f"{_now()}  {said}", file=sys.stderr, flush=True)


def _json(said: Said) -> None:
    line = {"time": _now(), "level": said.level, "connector": said.connector or None, "words": said.bare}
    print(msgspec.json.encode(line).decode(), file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
