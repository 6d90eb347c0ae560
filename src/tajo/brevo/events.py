"""Events on their way to Brevo: singly as a rule, in batches where many wait.

Brevo knows no event again: one that is told twice has happened twice, and starts its automations twice. We
promise that an event is told at least once. So it is said again after a lost answer, because a loss would
be worse, but only then, and not at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from tajo.brevo.api import EVENTS, Api, Rejected
from tajo.errors import Later, Mend
from tajo.sync.model import Key, Outcome, Verdict, Write

ROWS = 100
"""Of one batch; Brevo documents no limit, an integrator chose this (odiseoteam/sylius-brevo-plugin)."""

FEW = 50
"""So many events go singly in five seconds: they are not worth one of the hundred calls an hour."""

KEPT = 50
"""So many of the hundred calls are left to those who have no calls of their own, as categories."""

SINGLES = 4


class Events:
    """Tells events. Those of one thing go in their order, one after the other."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def tell(self, writes: Sequence[Write]) -> list[Outcome]:
        """Tell events; returns when each has been answered.

        `RETRY` where the answer got lost. Raises `Mend` only if nothing was answered before: else what was
        told would be told again, so the rest is put off instead, and the next call raises.
        """
        told: list[Outcome] = []
        try:
            await self._singly(await self._in_batches(writes, told), told)
        except Mend as error:
            if not told:
                raise
            answered = {id(outcome.write) for outcome in told}
            told += [_retry(write, Later(str(error))) for write in writes if id(write) not in answered]
        return told

    async def _in_batches(self, writes: Sequence[Write], told: list[Outcome]) -> list[Write]:
        """Tell most of them by hundreds while that pays; those that must go singly are returned."""
        alone: list[Write] = []
        while len(writes) > FEW and self._api.limits.headroom(EVENTS) > KEPT:
            batch, writes = writes[:ROWS], writes[ROWS:]
            try:
                faults = await self._api.events(b'{"events":[' + b",".join(w.body for w in batch) + b"]}")
            except Rejected as error:
                faults = error.faults
                alone += [write for place, write in enumerate(batch) if place not in faults]
            except Later as error:
                told += [_retry(write, error) for write in batch]
                continue
            else:
                told += [_delivered(write) for place, write in enumerate(batch) if place not in faults]
            told += [_refused(write, faults[place]) for place, write in enumerate(batch) if place in faults]
        return [*alone, *writes]

    async def _singly(self, writes: Sequence[Write], told: list[Outcome]) -> None:
        queues: dict[Key, list[Write]] = {}
        for write in writes:
            queues.setdefault(write.key, []).append(write)
        waiting = deque(queues.values())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._work(waiting, told)) for _ in range(SINGLES)]
        for trouble in filter(None, [task.result() for task in tasks]):
            raise trouble

    async def _work(self, waiting: deque[list[Write]], told: list[Outcome]) -> Mend | None:
        """Tell one queue after the other; what stops all of them is returned, so that each answer is kept."""
        try:
            while waiting:
                for write in waiting.popleft():
                    told.append(await self._one(write))
        except Mend as error:
            return error
        return None

    async def _one(self, write: Write) -> Outcome:
        try:
            await self._api.event(write.body)
        except Rejected as error:
            return _refused(write, str(error))
        except Later as error:
            return _retry(write, error)
        return _delivered(write)


def _delivered(write: Write) -> Outcome:
    return Outcome(write=write, verdict=Verdict.DELIVERED)


def _refused(write: Write, reason: str) -> Outcome:
    return Outcome(write=write, verdict=Verdict.REFUSED, reason=reason)


def _retry(write: Write, error: Later) -> Outcome:
    return Outcome(write=write, verdict=Verdict.RETRY, reason=str(error), seconds=error.seconds)
