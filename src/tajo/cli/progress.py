"""Progress while a sync runs: live bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tajo.sync.account import Tally
from tajo.wiring import Line, Watch

_EVERY = 5.0


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Show on stderr how far the line that is given to the watch has come; `quiet`: show nothing."""
    lines: list[Line] = []
    if quiet:
        yield lines.append
    elif sys.stderr.isatty():
        began = time.monotonic()
        with Live(
            get_renderable=lambda: _bars(lines, time.monotonic() - began),
            console=Console(stderr=True),
            refresh_per_second=4,
            transient=True,
        ):
            yield lines.append
    else:
        done = threading.Event()
        reporter = threading.Thread(target=_report, args=(lines, done), daemon=True)
        reporter.start()
        try:
            yield lines.append
        finally:
            done.set()
            reporter.join()


def _report(lines: list[Line], done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(_EVERY):
        for line in lines:
            words = [
                f"{resource} {tally.seen:,}" + (f" of {tally.total:,}" if tally.total is not None else "")
                for resource, tally in line.account.resources.items()
                if not tally.done
            ]
            seconds = time.monotonic() - began
            print(f"{seconds:5.0f} s  {', '.join(words) or 'finishing'}{_waits(line)}", file=sys.stderr)


def _bars(lines: list[Line], seconds: float) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(no_wrap=True)
    for line in lines:
        for resource, tally in line.account.resources.items():
            table.add_row(str(resource), _bar(tally), _numbers(tally), _pace(tally, seconds))
        table.add_row("", f"[dim]{seconds:.0f} s{_waits(line)}[/dim]")
    return table


def _bar(tally: Tally) -> ProgressBar:
    total = tally.seen if tally.done else tally.total
    return ProgressBar(
        total=max(total or 1, 1), completed=tally.seen if total or not tally.done else 1, width=16
    )


def _numbers(tally: Tally) -> str:
    return f"{tally.seen:,}" + (f" / {tally.total:,}" if tally.total and not tally.done else "")


def _pace(tally: Tally, seconds: float) -> str:
    """Records a second, and how long the rest takes at that pace."""
    if tally.done or not tally.seen or not tally.total or seconds < 1:
        return "done" if tally.done else ""
    rate = tally.seen / seconds
    return f"{rate:,.0f}/s, {max(0.0, (tally.total - tally.seen) / rate):,.0f} s left"


def _waits(line: Line) -> str:
    """How long the limits of either side have held us up."""
    waits = {"BigCommerce": line.source.waited, "Brevo": line.destination.waited}
    words = [f"{name}'s limits {seconds:.0f} s" for name, seconds in waits.items() if seconds >= 1]
    return f"; waited for {' and '.join(words)}" if words else ""
