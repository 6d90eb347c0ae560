"""Results in words and tables, on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tajo.answers import (
    Connected,
    Diagnosis,
    Difference,
    Dismissed,
    Failures,
    Hook,
    HookChanges,
    Plan,
    Preview,
    Progress,
    Rehearsal,
    Run,
    Status,
)
from tajo.plan import duration

_SIDES = {"bigcommerce": "BigCommerce", "brevo": "Brevo"}
_KINDS = ("seen", "written", "unchanged", "skipped", "failed", "parked")
_MARKS = {"fine": "[green]✓[/green]", "note": "[yellow]·[/yellow]", "mend": "[red]✗[/red]"}


def run(run: Run, title: str = "") -> None:
    """The tallies of a run, what is worth noting, and what to do next. `title`: else the connector's name."""
    console = Console()
    rehearsal = isinstance(run, Rehearsal)
    title = title or (f"{run.connector}: what would be done" if rehearsal else run.connector)
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("")
    for kind in _KINDS:
        table.add_column("to write" if rehearsal and kind == "written" else kind, justify="right")
    for resource, counts in run.resources.items():
        table.add_row(resource, *(f"{getattr(counts, kind):,}" for kind in _KINDS))
    console.print(table)
    calls = ", ".join(f"{_SIDES[side]} {number:,}" for side, number in run.calls.items())
    console.print(f"{run.seconds:.1f} s (the limits allow {run.floor_seconds:.1f} s); calls: {calls}")
    for one in run.differences if isinstance(run, Rehearsal) else ():
        _difference(console, one)
    for note, times in run.notes.items():
        console.print(f"{times:,} times: {note}", highlight=False)
    for trouble in run.troubles:
        console.print(f"[yellow]Cut short:[/yellow] {trouble}\n  Run it again: it goes on where it stopped.")
    if any(counts.parked for counts in run.resources.values()):
        console.print("Parked records and their reasons: tajo failures list")


def runs(found: Sequence[Run]) -> None:
    """A line for each run."""
    table = Table(box=None)
    for heading in ("run", "connector", "mode", "began", "state", "written", "parked"):
        table.add_column(heading)
    for one in found:
        began = f"{one.started_at:%Y-%m-%d %H:%M}" if one.started_at else ""
        written, parked = (
            f"{sum(getattr(counts, kind) for counts in one.resources.values()):,}"
            for kind in ("written", "parked")
        )
        table.add_row(one.run, one.connector, one.mode, began, one.state, written, parked)
    Console().print(table)


def connected(one: Connected) -> None:
    """A store that was connected, and what is good to know."""
    console = Console()
    console.print(f"{one.connector}: connected to {escape(one.store)} ({one.currency})")
    for note in one.notes:
        console.print(f"· {note}", markup=False, highlight=False)
    console.print(f"Next: tajo sync {one.connector}")


def _difference(console: Console, one: Difference) -> None:
    console.print(f"{one.key}: {one.summary}", highlight=False)
    for change in one.fields:
        now = "nothing" if change.now is None else repr(change.now)
        console.print(f"    {change.field}: {now} → {change.then!r}", markup=False)


def plan(name: str, plan: Plan) -> None:
    """Calls and time, before anything starts."""
    console = Console()
    console.print(f"[bold]{name}[/bold]")
    for line in plan.sentences:
        console.print(f"  {line}", highlight=False)


def status(status: Status) -> None:
    """One connector in a few lines."""
    console = Console()
    if not status.connected:
        console.print(f"{status.connector}: never synced. Start with: tajo sync")
        return
    last = f"{status.last_sync:%Y-%m-%dT%H:%M:%SZ}" if status.last_sync else "not finished yet"
    console.print(f"[bold]{status.connector}[/bold]: last sync {last}", highlight=False)
    counts = ("customers", "orders", "products", "contacts")
    console.print("  " + ", ".join(f"{getattr(status, f'{what}_count'):,} {what}" for what in counts))
    if status.failures_count:
        console.print(f"  {status.failures_count:,} failures: tajo failures list")
    if status.dismissed_count:
        console.print(f"  {status.dismissed_count:,} dismissed: tajo failures list --dismissed")
    if status.queued_count:
        console.print(f"  {status.queued_count:,} to be looked at again")
    if status.outgoing_count:
        console.print(f"  {status.outgoing_count:,} ready and waiting to be told")
    for skill in sorted(status.sequences.keys() | status.deeds.keys()):
        waiting, done = status.sequences.get(skill, 0), status.deeds.get(skill, 0)
        console.print(f"  {skill}: {waiting:,} in progress, {done:,} steps done")
    if status.progress:
        console.print(f"  a sync is under way: {_progress(status.progress)}", highlight=False)
    if status.last_webhook:
        last = f"{status.last_webhook:%Y-%m-%dT%H:%M:%SZ}"
        told = f"{status.webhooks_count:,} webhooks heard, the last one {last}"
        console.print(f"  {told}; {status.healed_count:,} records healed without one", highlight=False)


def _progress(progress: Progress) -> str:
    words = f"{progress.seen:,} of {progress.expected:,} records"
    left = progress.seconds_left
    return words if left is None else f"{words}, about {duration(left)} left"


def failures(found: Mapping[str, Failures]) -> None:
    """What could not be delivered, connector by connector, and how much was dismissed."""
    console = Console()
    for name, here in found.items():
        console.print(f"[bold]{name}[/bold]: {len(here.failures):,} failures")
        if here.failures:
            console.print(_listed(here))
            console.print("Mended? Then: tajo failures replay")
            console.print("Never to be mended? Then: tajo failures dismiss KEY")
        if here.dismissed_count:
            console.print(f"{here.dismissed_count:,} dismissed: tajo failures list --dismissed")


def dismissed(found: Mapping[str, Failures]) -> None:
    """What was dismissed, connector by connector."""
    console = Console()
    for name, here in found.items():
        console.print(f"[bold]{name}[/bold]: {len(here.failures):,} dismissed")
        if here.failures:
            console.print(_listed(here))
            console.print("To be tried again after all? Then: tajo failures replay KEY")


def _listed(here: Failures) -> Table:
    table = Table(box=None, show_header=False)
    for entry in here.failures:
        table.add_row(entry.key, f"{entry.since:%Y-%m-%d}", entry.reason)
    return table


def left_as_they_are(found: Dismissed) -> None:
    """How many failures were dismissed just now, and how many are left."""
    console = Console()
    console.print(f"{found.connector}: dismissed {', '.join(found.keys)}", highlight=False)
    console.print(f"{found.failures_count:,} failures are left; {found.dismissed_count:,} dismissed")


def preview(shown: Preview) -> None:
    """The payloads, each value with its origin, and what else should be known."""
    console = Console()
    for payload in shown.payloads:
        console.print(f"[bold]{payload.request}[/bold]")
        table = Table(box=None, show_header=False)
        for value in payload.values:
            told = "" if value.value in (None, "") else repr(value.value)
            table.add_row(value.field, escape(told), f"[dim]{escape(value.origin)}[/dim]")
        console.print(table)
        console.print_json(data=payload.body)
    for note in shown.notes:
        console.print(f"· {note}", markup=False, highlight=False)


def diagnosis(name: str, found: Diagnosis) -> None:
    """What the doctor found, worst last so that it stays in sight."""
    console = Console()
    console.print(f"[bold]{name}[/bold]")
    for finding in found.findings:
        words = f"{_MARKS[finding.grade]} {escape(finding.words)}"
        console.print(
            words if finding.grade == "fine" else f"{words} [dim]({finding.check})[/dim]", highlight=False
        )
        if finding.mend:
            console.print(f"  → {finding.mend}", markup=False, highlight=False)
    if found.left_out:
        console.print(f"Left out, until that is mended: {', '.join(found.left_out)}", highlight=False)
    if found.storefronts:
        console.print("Proposed for tajo.yaml:")
        console.print(found.storefronts, markup=False, highlight=False, soft_wrap=True)


def hooks(found: Sequence[Hook]) -> None:
    """All webhooks; of those of others only where they lead to."""
    console = Console()
    for name in dict.fromkeys(hook.connector for hook in found):
        rows = [hook for hook in found if hook.connector == name]
        table = Table(title=f"{name}: {len(rows)} webhooks", title_justify="left", box=None)
        for heading in ("scope", "leads to", "state"):
            table.add_column(heading)
        for row in rows:
            state = "on" if row.active else "switched off"
            table.add_row(row.scope, escape(row.destination), state if row.ours else f"{state}, not ours")
        console.print(table)


def hooks_changed(name: str, changes: HookChanges) -> None:
    """What was done to our webhooks."""
    console = Console()
    done = {what: getattr(changes, what) for what in ("made", "mended", "removed", "kept")}
    kinds = [f"{len(scopes)} {what}" for what, scopes in done.items() if scopes]
    console.print(f"{name}: webhooks {', '.join(kinds) or 'none'}")
    for scope, why in changes.refused.items():
        console.print(f"  no webhook for {escape(scope)}: {escape(why)}")
