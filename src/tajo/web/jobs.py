"""Syncs and audits that somebody asked for and does not wait for: they run in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from secrets import token_hex
from typing import NamedTuple

from tajo import answers
from tajo.app import Tajo, told
from tajo.errors import Busy, Unknown
from tajo.sync.account import Account
from tajo.wiring import Line

GLANCE = 0.05
"""Seconds between two looks at whether a sync has begun."""

KEPT = 100
"""Runs that are over and whose end is remembered: what they ended with may be no record of the ledger."""


class Job:
    """One sync on its way. `account`: how far it is, once it has begun."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.account: Account | None = None
        self._line: Line | None = None
        self._before: Account | None = None

    def watch(self, line: Line) -> None:
        """The connector is at hand; the account that it has now is of what it did before."""
        self._line, self._before = line, line.account

    def look(self) -> Account | None:
        """The account of this sync, once it has one with a name."""
        account = self._line.account if self._line else None
        if account is not None and account is not self._before and account.run:
            self.account = account
        return self.account

    @property
    def seen(self) -> int:
        """How many records were read so far."""
        return sum(tally.seen for tally in self._line.account.resources.values()) if self._line else 0


class Jobs:
    """Starts syncs, and knows how far they are."""

    def __init__(self, tajo: Tajo) -> None:
        self._tajo = tajo
        self._running: dict[str, Job] = {}
        self._ended: dict[str, answers.Run | Exception] = {}
        self._tasks: set[asyncio.Task[answers.Run]] = set()

    async def start(
        self, name: str, *, full: bool, resources: Sequence[str], believe_losses: bool
    ) -> answers.Run:
        """Start a sync; returns as soon as it has a name, or is over. Raises what it raises before."""
        job = Job(name)
        task = asyncio.create_task(
            self._tajo.sync(
                name, full=full, resources=resources, believe_losses=believe_losses, watch=job.watch
            )
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        while not task.done():
            account = job.look()
            if account is not None:
                self._running[account.run] = job
                task.add_done_callback(partial(self._end, account.run))
                return told(name, account, state="running")
            await asyncio.wait([task], timeout=GLANCE)
        return task.result()

    def _end(self, run: str, task: asyncio.Task[answers.Run]) -> None:
        self._running.pop(run, None)
        if task.cancelled():
            return
        error = task.exception()
        self._ended[run] = error if isinstance(error, Exception) else task.result()
        while len(self._ended) > KEPT:
            del self._ended[next(iter(self._ended))]

    async def run(self, run: str) -> answers.Run:
        """How far a run is. One that was started here and failed raises why; others are as recorded."""
        if run in self._running:
            job = self._running[run]
            account = job.look()
            if account is not None:
                return told(job.name, account, state="running")
        ended = self._ended.get(run)
        if isinstance(ended, Exception):
            raise ended
        return ended or await self._tajo.run(run)

    def is_running(self, run: str) -> bool:
        """It was started here, and goes on."""
        return run in self._running

    async def close(self) -> None:
        """Let what runs end where it is: the next sync goes on with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Audits:
    """Makes audits, one of each connector at a time, and knows how far they are."""

    def __init__(self, tajo: Tajo) -> None:
        self._tajo = tajo
        self._all: dict[str, Audited] = {}

    def start(self, name: str, *, repair: bool, values: bool) -> answers.AuditRun:
        """Start one. Raises `Unknown`, and `Busy` while another one of this connector goes on."""
        self._tajo.names(name)
        if any(one.name == name and not one.task.done() for one in self._all.values()):
            raise Busy(f"an audit of {name} is under way", "wait for its end.")
        job = Job(name)
        task = asyncio.create_task(self._tajo.audit(name, repair=repair, values=values, watch=job.watch))
        over = [id_ for id_, one in self._all.items() if one.task.done()]
        for id_ in over[: max(0, len(self._all) - KEPT)]:
            del self._all[id_]
        id_ = token_hex(8)
        self._all[id_] = Audited(name, job, task)
        return self.audit(id_)

    def audit(self, id_: str) -> answers.AuditRun:
        """How far one is, and what it found. Raises `Unknown`, and what it failed with."""
        if id_ not in self._all:
            raise Unknown(
                f"there is no audit `{id_[:64]}` since this server was started", "start another one."
            )
        name, job, task = self._all[id_]
        if not task.done():
            return answers.AuditRun(connector=name, audit=id_, state="running", seen=job.seen)
        found = task.result()
        return answers.AuditRun(connector=name, audit=id_, state="done", seen=job.seen, found=found)

    def is_running(self, id_: str) -> bool:
        """It goes on."""
        return id_ in self._all and not self._all[id_].task.done()

    async def close(self) -> None:
        """Let those that run end where they are."""
        tasks = [one.task for one in self._all.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Audited(NamedTuple):
    """An audit that was started."""

    name: str
    job: Job
    task: asyncio.Task[answers.Audit]
