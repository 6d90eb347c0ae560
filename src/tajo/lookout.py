"""Looks at all connectors again and again, so that nobody who asks has to wait for a count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

from tajo.alarms import Alarms
from tajo.errors import TajoError
from tajo.fleet import Fleet
from tajo.http import Clock
from tajo.meters import Meters, Reading
from tajo.sync.ledger.depths import Depth, Sounding, sounding
from tajo.sync.ledger.store import Ledger

EVERY = 15.0
"""Seconds between two looks; ten times as long as one took, where counting takes long."""


class Lookout:
    """Shows the meters what it sees, and the alarms (None: nobody wants to be told). `say`: for the log."""

    def __init__(
        self, fleet: Fleet, meters: Meters, alarms: Alarms | None, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._fleet = fleet
        self._meters = meters
        self._alarms = alarms
        self._clock = clock
        self._say = say

    @asynccontextmanager
    async def kept(self, ledger: Ledger) -> AsyncIterator[None]:
        """While this lasts, it looks."""
        with sounding(ledger) as soundings, ThreadPoolExecutor(1, "tajo-lookout") as thread:
            tasks = [asyncio.create_task(self._watch(soundings, thread)), asyncio.create_task(self._tell())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, soundings: Sounding, thread: Executor) -> None:
        while True:
            began = self._clock.now()
            with self._excused("how much waits cannot be counted now"):
                await self.look(soundings, thread)
            await self._clock.sleep(max(EVERY, 10 * (self._clock.now() - began)))

    async def look(self, soundings: Sounding, thread: Executor) -> None:
        """One look."""
        depths = await asyncio.get_running_loop().run_in_executor(thread, soundings.take)
        now = self._clock.now()
        standing = self._fleet.standing()
        self._meters.show(
            {name: Reading(now, one, depths.get(name, Depth())) for name, one in standing.items()}
        )

    async def _tell(self) -> None:
        """Beside the looking, for whoever is to be told may not answer."""
        while self._alarms:
            await self._clock.sleep(EVERY)
            with self._excused("nobody can be told of alarms now"):
                await self._alarms.consider(self._meters.readings, self._meters.answering)

    @contextmanager
    def _excused(self, words: str) -> Iterator[None]:
        """Whatever went wrong is said and tried again: a database may be away, and be back."""
        try:
            yield
        except Exception as error:
            self._say(f"{words}: {error if isinstance(error, TajoError) else type(error).__name__}")
