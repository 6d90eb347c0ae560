"""What an audit found, in words and a table, on stdout."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tajo.answers import Audit, Example, Part

_KINDS = ("checked", "agreed", "missing", "different", "gone", "waiting", "parked")


def audit(found: Audit) -> None:
    """The tallies, each difference that is an example, and what could not be compared."""
    console = Console()
    table = Table(title=found.connector, title_justify="left", box=None)
    table.add_column("")
    for kind in _KINDS:
        table.add_column(kind, justify="right")
    for resource, part in found.resources.items():
        table.add_row(resource, *(f"{getattr(part, kind):,}" for kind in _KINDS))
    console.print(table)
    for part in found.resources.values():
        _part(console, part)
    for words in found.not_compared:
        console.print(f"Not compared: {words}", markup=False, highlight=False)
    for words in found.troubles:
        console.print(f"[yellow]Cut short:[/yellow] {escape(words)}", highlight=False)
    calls = f"BigCommerce {found.calls['bigcommerce']:,}, Brevo {found.calls['brevo']:,}"
    console.print(f"{found.seconds:.1f} s; calls: {calls}", highlight=False)
    console.print(_verdict(found), highlight=False)


def _part(console: Console, part: Part) -> None:
    for one in part.examples:
        console.print(f"· {one.sentence()}", markup=False, highlight=False)
        _values(console, one)
    rest = part.checked - part.agreed - len(part.examples)
    if rest:
        console.print(f"· and {rest:,} more", highlight=False)
    if part.different > 1:
        fields = ", ".join(f"{name} {times:,} times" for name, times in part.fields.items())
        console.print(f"  fields: {fields}", markup=False, highlight=False)


def _values(console: Console, one: Example) -> None:
    for change in one.values:
        now = "nothing" if change.now is None else repr(change.now)
        console.print(f"    {change.field}: {now} → {change.then!r}", markup=False, highlight=False)


def _verdict(found: Audit) -> str:
    repaired = f"{found.repaired:,} repaired. " if found.repaired else ""
    if found.troubles:
        return f"{repaired}Not everything could be read: run it again."
    if found.differences:
        mend = "" if found.repaired else f" Mend: tajo audit {found.connector} --repair"
        count = f"{found.differences:,} differences" if found.differences > 1 else "1 difference"
        return f"{repaired}{count}.{mend}"
    return f"{repaired}Both sides agree."
