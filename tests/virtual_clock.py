"""A clock that jumps: sleeping takes no time, yet sleepers wake in the right order."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush

from tajo.http import Clock


class VirtualClock(Clock):
    """Time moves to the earliest sleeper's hour as soon as nobody else has anything to do.

    `slept`: the length of each sleep, in the order in which they began.
    """

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []
        self._beds: list[tuple[float, int]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        bed = (self.time + seconds, len(self.slept))
        self.slept.append(seconds)
        heappush(self._beds, bed)
        while True:
            for _ in range(25):  # let everyone else come to rest first
                await asyncio.sleep(0)
            if self._beds[0] == bed:
                heappop(self._beds)
                self.time = max(self.time, bed[0])
                return
