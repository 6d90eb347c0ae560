"""How all connectors stand, looked at again and again: pages are made of it, so none waits for a count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
from msgspec import Struct

from tajo.answers import Status
from tajo.sync.ledger import glance
from tajo.sync.ledger.glance import Part, Waiting
from tajo.sync.ledger.store import Ledger
from tajo.wiring import Wiring

EVERY = 15.0
"""Seconds between two looks at everything; ten times as long as one took, where counting takes long."""

PATIENCE = 0.5
"""Seconds for which somebody waits who has just changed something; the page after that is right anyway."""

BREATH = 0.02
"""Seconds between two connectors: whoever waits for a page comes first."""

_log = logging.getLogger(__name__)


class Seen(Struct, frozen=True):
    """A connector as it was `at` a moment (seconds since 1970). `parts` by resource, `waiting` by skill."""

    at: float
    status: Status
    parts: Mapping[str, Part]
    waiting: Mapping[str, Waiting]


class Snapshot:
    """What was seen of each connector last. It reads on a connection of its own."""

    def __init__(self, wiring: Wiring, ledger: Ledger) -> None:
        self._wiring = wiring
        self._ledger = ledger
        self._looks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self.seen: Mapping[str, Seen] = {}

    async def look(self, names: Collection[str] | None = None) -> None:
        """Look at these connectors; None: at all, and forget those that are gone."""
        there = self._wiring.settings.connectors
        for place, name in enumerate(there if names is None else names):
            if place:
                await asyncio.sleep(BREATH)
            if name in there and not self._over.is_set():
                self.seen = {**self.seen, name: await self._look(name)}
        self.seen = {
            name: seen for name, seen in self.seen.items() if name in self._wiring.settings.connectors
        }

    async def soon(self, name: str) -> None:
        """Something has changed: look at this connector now, and wait for it a moment at the most."""
        look = asyncio.create_task(self._careful([name]))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        await asyncio.wait([look], timeout=PATIENCE)

    async def watch(self) -> None:
        """Look, until it is closed."""
        clock = asyncio.get_running_loop().time
        while not self._over.is_set():
            began = clock()
            await self._careful(None)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), max(EVERY, 10 * (clock() - began)))

    async def close(self) -> None:
        """Look no more. What is being read is read to its end: a dropped connection leaves its thread."""
        self._over.set()
        await asyncio.gather(*self._looks)

    async def _look(self, name: str) -> Seen:
        now = self._wiring.now()
        told = await self._wiring.status(name, self._ledger)
        async with self._ledger.begin() as tx:
            parts = await glance.parts(tx, name, now)
            waiting = await glance.waiting(tx, name)
        return Seen(now, msgspec.convert(told, Status, strict=False), parts, waiting)

    async def _careful(self, names: Collection[str] | None) -> None:
        """Whatever goes wrong is said and tried again: a database may be away, and be back."""
        try:
            await self.look(names)
        except Exception as error:
            _log.warning("how the connectors stand cannot be read now: %s", type(error).__name__)


@asynccontextmanager
async def open_snapshot(wiring: Wiring) -> AsyncIterator[Snapshot]:
    """A snapshot that looks until this ends."""
    async with wiring.ledger.apart() as ledger:
        snapshot = Snapshot(wiring, ledger)
        task = asyncio.create_task(snapshot.watch())
        try:
            yield snapshot
        finally:
            await snapshot.close()
            await task
