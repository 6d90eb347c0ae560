"""Is a connector in agreement, and what is a human to do where it is not? Pure: from what was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from tajo import config
from tajo.answers import Progress
from tajo.sync.ledger.glance import Part
from tajo.sync.parts import PARTS
from tajo.web.dashboard.words import many, span
from tajo.web.snapshot import Seen
from tajo.worker import Standing

LATE = 60.0
"""Seconds for which something may be due before it counts as behind."""

SLACK = 600.0
"""Seconds by which a sweep may be late before that is worth telling."""


class State(StrEnum):
    """How something stands. The worst comes first."""

    HUMAN = "needs a human"
    BEHIND = "behind"
    SYNC = "in sync"
    OFF = "off"


class Todo(Struct, frozen=True, kw_only=True):
    """What a human is to do. `href`: where; `repair`: it is done by a button, not by looking there."""

    connector: str
    words: str
    mend: str = ""
    label: str
    href: str
    repair: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """One part of a connector. `count`: how much is known of it, None: not counted. `swept`: 0: never."""

    part: str
    state: State
    words: str
    count: int | None = None
    failures: int = 0
    swept: float = 0.0


class View(Struct, frozen=True, kw_only=True):
    """A connector as a page shows it. Moments are seconds since 1970; `taken`: when it was looked at.

    `following`: when it is looked at next by the clock; `lag`: seconds from a webhook to Brevo, of late.
    `obstacle`: what is in its way besides, and goes by itself.
    """

    name: str
    state: State
    words: str
    lines: list[Line]
    todo: list[Todo]
    seen: Seen | None
    obstacle: str = ""
    last: datetime | None = None
    following: float | None = None
    lag: float | None = None
    progress: Progress | None = None
    waiting: int = 0
    failures: int = 0
    taken: float = 0.0


def judge(
    name: str,
    settings: config.Connector,
    seen: Seen | None,
    standing: Standing | None,
    *,
    now: float,
    lag: float | None = None,
    public: bool,
) -> View:
    """`standing` None: nobody follows it. `public`: webhooks can reach this server."""
    todo = todo_of(name, seen, standing)
    if not settings.enabled:
        return View(name=name, state=State.OFF, words="not enabled", lines=[], todo=[], seen=seen)
    if seen is None:
        state = State.HUMAN if todo else State.BEHIND
        return View(
            name=name, state=state, words="it is being looked at", lines=[], todo=todo, seen=None, lag=lag
        )
    status = seen.status
    hears = public and settings.sync_mode != "batch"
    lines = _lines(settings, seen, now, hears=hears, begun=standing is None or standing.working)
    last = status.last_sync
    if todo:
        state, words = State.HUMAN, todo[0].words
    else:
        state, words = _pace(settings, seen, standing, lines, now)
    return View(
        name=name,
        state=state,
        words=words,
        lines=lines,
        todo=todo,
        seen=seen,
        obstacle=_obstacle(standing) if todo and standing and not standing.stuck else "",
        last=last,
        following=_following(settings, last, now) if standing and standing.working else None,
        lag=lag,
        progress=_progress(status.progress, standing) if status.syncing else None,
        waiting=status.outgoing_count + sum(part.due for part in seen.parts.values()),
        failures=status.failures_count,
        taken=seen.at,
    )


def todo_of(name: str, seen: Seen | None, standing: Standing | None) -> list[Todo]:
    """What a human is to do, the most pressing first."""
    found = []
    if standing and standing.stuck:
        problem, _, mend = standing.trouble.partition("\n  Mend: ")
        found.append(
            Todo(
                connector=name,
                words=problem,
                mend=mend,
                label="Ask the doctor",
                href=f"/doctor?connector={name}",
            )
        )
    if standing and standing.silent:
        found.append(
            Todo(
                connector=name,
                words="webhooks do not come, so the store is looked at every minute",
                mend="Repair the webhooks; if they stay silent, see whether the store reaches this server.",
                label="Repair webhooks",
                href="/hooks/repair",
                repair=True,
            )
        )
    if standing and standing.cut_short:
        found.append(
            Todo(
                connector=name,
                words=f"the last look at everything came to no end: {standing.cut_short}",
                label="See the runs",
                href=f"/runs?connector={name}",
            )
        )
    if seen and seen.status.failures_count:
        count = seen.status.failures_count
        found.append(
            Todo(
                connector=name,
                words=f"{many(count, 'record')} could not be delivered",
                mend="Put right what their reasons say, then replay them; dismiss what never can be.",
                label=f"See {'it' if count == 1 else 'them'}",
                href=f"/failures?connector={name}",
            )
        )
    return found


def _pace(
    settings: config.Connector, seen: Seen, standing: Standing | None, lines: list[Line], now: float
) -> tuple[State, str]:
    """Whether it keeps up, and how."""
    status, last = seen.status, seen.status.last_sync
    if standing and (obstacle := _obstacle(standing)):
        return State.BEHIND, obstacle
    if last is None:
        return State.BEHIND, "its history is being told" if status.syncing else "it was never synced"
    behind = [line for line in lines if line.state is State.BEHIND]
    if behind:
        return State.BEHIND, f"{behind[0].part.lower()}: {behind[0].words}"
    late = now - last.timestamp() - 2 * settings.reconcile_every.total_seconds()
    if late > SLACK and not status.syncing:
        return State.BEHIND, f"the last sync was {span(now - last.timestamp())} ago"
    return State.SYNC, "all that is known has been told"


def _obstacle(standing: Standing) -> str:
    """What is in its way, and goes by itself; empty: nothing."""
    if standing.busy:
        return "another process is at work on it"
    if standing.trouble:
        return f"stopped for a while: {standing.trouble}"
    if not standing.working:
        return "it has not begun yet: the store or Brevo has still to answer"
    return standing.hindered and f"the last try came to nothing: {standing.hindered}"


def _lines(settings: config.Connector, seen: Seen, now: float, *, hears: bool, begun: bool) -> list[Line]:
    status = seen.status
    counts: dict[str, int | None] = {
        "customers": status.customers_count,
        "orders": status.orders_count,
        "products": status.products_count,
        "carts": None,
    }
    lines = []
    for part, resources in PARTS.items():
        name = part.capitalize()
        if not getattr(settings.sync, part):
            lines.append(Line(part=name, state=State.OFF, words="left out by the settings"))
            continue
        if part == "carts" and not hears:
            lines.append(Line(part=name, state=State.OFF, words="not followed without webhooks"))
            continue
        if part == "carts" and not begun:
            lines.append(Line(part=name, state=State.BEHIND, words="not followed right now"))
            continue
        there = [seen.parts[one] for one in resources if one in seen.parts]
        # newsletter records that were read to the end are no customers yet
        main = seen.parts.get(part)
        state, words = _line(there, now, read=part == "carts" or bool(main and main.swept))
        lines.append(
            Line(
                part=name,
                state=state,
                words=words,
                count=counts[part],
                failures=sum(one.parked for one in there),
                swept=max((one.swept for one in there), default=0.0),
            )
        )
    return lines


def _line(there: list[Part], now: float, *, read: bool) -> tuple[State, str]:
    """How a part stands. `read`: it was looked at to the end, once at least."""
    parked = sum(one.parked for one in there)
    if parked:
        return State.HUMAN, f"{many(parked, 'failure')}"
    waits = sum(one.due + one.outgoing for one in there)
    oldest = min((one.oldest for one in there if one.oldest), default=now)
    if now - oldest > LATE:
        return State.BEHIND, f"{waits:,} wait, for up to {span(now - oldest)}"
    if not read:
        return State.BEHIND, "not read to the end yet"
    return State.SYNC, f"{waits:,} on their way" if waits else "all told"


def _progress(recorded: Progress | None, standing: Standing | None) -> Progress | None:
    """What is under way knows better than what was written down."""
    if standing and standing.expected:
        left = recorded.seconds_left if recorded else None
        return Progress(seen=standing.seen, expected=standing.expected, seconds_left=left)
    return recorded


def _following(settings: config.Connector, last: datetime | None, now: float) -> float | None:
    """When the next sweep by the clock is, at the latest."""
    if last is None:
        return None
    at = datetime.fromtimestamp(now, UTC)
    daily = datetime.combine(at.date(), settings.full_sync_at, UTC)
    daily = daily if daily > at else daily + timedelta(days=1)
    if settings.sync_mode == "realtime":
        return daily.timestamp()
    usual = last.timestamp() + settings.reconcile_every.total_seconds()
    return min(max(usual, now), daily.timestamp())
