"""Results in words and tables, on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tajo.doctor import Report
from tajo.plan import Plan, duration
from tajo.sync.account import Account
from tajo.sync.ledger.queue import Parked
from tajo.sync.moments import moment

_KINDS = ("seen", "written", "unchanged", "skipped", "failed", "parked")
_MARKS = {"fine": "[green]✓[/green]", "note": "[yellow]·[/yellow]", "mend": "[red]✗[/red]"}


def summary(account: Account) -> dict[str, Any]:
    """The JSON object of a run, with each side's calls by its name."""
    calls = {"bigcommerce": account.source_calls, "brevo": account.destination_calls}
    return {**account.summary(), "calls": calls}


def account(name: str, account: Account, differences: list[dict[str, Any]], *, dry_run: bool) -> None:
    """The tallies of a run, what is worth noting, and what to do next."""
    console = Console()
    table = Table(title=f"{name}: what would be done" if dry_run else name, title_justify="left", box=None)
    table.add_column("")
    for kind in _KINDS:
        heading = "to write" if dry_run and kind == "written" else kind
        table.add_column(heading, justify="right")
    for resource, tally in account.resources.items():
        table.add_row(str(resource), *(f"{getattr(tally, kind):,}" for kind in _KINDS))
    console.print(table)
    console.print(
        f"{account.seconds:.1f} s (the limits allow {account.floor_seconds:.1f} s); "
        f"calls: BigCommerce {account.source_calls:,}, Brevo {account.destination_calls:,}"
    )
    for one in differences:
        _difference(console, one)
    for note, times in account.notes.items():
        console.print(f"{times:,} times: {note}", highlight=False)
    for trouble in account.troubles:
        console.print(f"[yellow]Cut short:[/yellow] {trouble}\n  Run it again: it goes on where it stopped.")
    if any(tally.parked for tally in account.resources.values()):
        console.print("Parked records and their reasons: tajo failures list")


def _difference(console: Console, one: dict[str, Any]) -> None:
    console.print(f"{one['key']}: {one['summary']}", highlight=False)
    for change in one["fields"]:
        now = "nothing" if change["now"] is None else repr(change["now"])
        console.print(f"    {change['field']}: {now} → {change['then']!r}", markup=False)


def plan(name: str, plan: Plan) -> None:
    """Calls and time, before anything starts."""
    console = Console()
    console.print(f"[bold]{name}[/bold]")
    for line in plan.sentences():
        console.print(f"  {line}", highlight=False)


def status(status: dict[str, Any]) -> None:
    """One connector in a few lines."""
    console = Console()
    if not status["connected"]:
        console.print(f"{status['connector']}: never synced. Start with: tajo sync")
        return
    last = status["last_sync"] or "not finished yet"
    console.print(f"[bold]{status['connector']}[/bold]: last sync {last}", highlight=False)
    counts = ("customers", "orders", "products", "contacts")
    console.print("  " + ", ".join(f"{status[f'{what}_count']:,} {what}" for what in counts))
    if status["failures_count"]:
        console.print(f"  {status['failures_count']:,} failures: tajo failures list")
    if status["queued_count"]:
        console.print(f"  {status['queued_count']:,} to be looked at again")
    if status["outgoing_count"]:
        console.print(f"  {status['outgoing_count']:,} ready and waiting to be told")
    for skill in sorted(status["sequences"].keys() | status["deeds"].keys()):
        waiting, done = status["sequences"].get(skill, 0), status["deeds"].get(skill, 0)
        console.print(f"  {skill}: {waiting:,} in progress, {done:,} steps done")
    if status["progress"]:
        console.print(f"  a sync is under way: {_progress(status['progress'])}", highlight=False)
    if status["last_webhook"]:
        told = f"{status['webhooks_count']:,} webhooks heard, the last one {status['last_webhook']}"
        console.print(f"  {told}; {status['healed_count']:,} records healed without one", highlight=False)


def _progress(progress: dict[str, Any]) -> str:
    words = f"{progress['seen']:,} of {progress['expected']:,} records"
    left = progress["seconds_left"]
    return words if left is None else f"{words}, about {duration(left)} left"


def failure(name: str, entry: Parked) -> dict[str, Any]:
    """One failure as JSON."""
    return {
        "connector": name,
        "key": str(entry.key),
        "reason": entry.reason,
        "since": moment(entry.since).isoformat(timespec="seconds"),
        "attempts": entry.attempts,
    }


def failures(found: dict[str, list[Parked]]) -> None:
    """What could not be delivered, connector by connector."""
    console = Console()
    for name, entries in found.items():
        console.print(f"[bold]{name}[/bold]: {len(entries):,} failures")
        table = Table(box=None, show_header=False)
        for entry in entries:
            table.add_row(str(entry.key), f"{moment(entry.since):%Y-%m-%d}", entry.reason)
        if entries:
            console.print(table)
            console.print("Mended? Then: tajo failures replay")


def preview(shown: dict[str, Any]) -> None:
    """The payloads, each value with its origin, and what else should be known."""
    console = Console()
    for payload in shown["payloads"]:
        console.print(f"[bold]{payload['request']}[/bold]")
        table = Table(box=None, show_header=False)
        for value in payload["values"]:
            told = "" if value["value"] in (None, "") else repr(value["value"])
            table.add_row(value["field"], escape(told), f"[dim]{escape(value['origin'])}[/dim]")
        console.print(table)
        console.print_json(data=payload["body"])
    for note in shown["notes"]:
        console.print(f"· {note}", markup=False, highlight=False)


def diagnosis(name: str, report: Report) -> None:
    """What the doctor found, worst last so that it stays in sight."""
    console = Console()
    console.print(f"[bold]{name}[/bold]")
    for finding in report.findings:
        words = f"{_MARKS[finding.grade]} {escape(finding.words)}"
        console.print(
            words if finding.grade == "fine" else f"{words} [dim]({finding.check})[/dim]", highlight=False
        )
        if finding.mend:
            console.print(f"  → {finding.mend}", markup=False, highlight=False)
    if report.left_out:
        console.print(f"Left out, until that is mended: {', '.join(report.left_out)}", highlight=False)
    if report.storefronts:
        console.print("Proposed for tajo.yaml:")
        console.print(report.storefronts, markup=False, highlight=False, soft_wrap=True)


def log(words: str) -> None:
    """One line of a server that runs, with the time, on stderr."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    print(f"{now}  {words}", file=sys.stderr, flush=True)


def hooks(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """All webhooks; of those of others only where they lead to."""
    console = Console()
    for name, rows in found.items():
        table = Table(title=f"{name}: {len(rows)} webhooks", title_justify="left", box=None)
        for heading in ("scope", "leads to", "state"):
            table.add_column(heading)
        for row in rows:
            state = "on" if row["active"] else "switched off"
            table.add_row(
                row["scope"], escape(row["destination"]), state if row["ours"] else f"{state}, not ours"
            )
        console.print(table)


def hooks_changed(name: str, report: Mapping[str, Any]) -> None:
    """What was done to our webhooks."""
    console = Console()
    kinds = [f"{len(report[what])} {what}" for what in ("made", "mended", "removed", "kept") if report[what]]
    console.print(f"{name}: webhooks {', '.join(kinds) or 'none'}")
    for scope, why in report["refused"].items():
        console.print(f"  no webhook for {escape(scope)}: {escape(why)}")
