"""Time, and what is to happen later.

The clock is the seam that lets a test stand still; the agenda runs asynchronous work (imports, order batches,
webhooks) after a delay that `time_scale` multiplies: 1 is Brevo's pace as we guess it, 0.01 a hundred times
faster.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("tajo.sandbox.brevo")


class Clock(Protocol):
    """What the simulator asks of time."""

    def now(self) -> float:
        """Give seconds since 1970, UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Give seconds since 1970, UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to, for tests."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        """Give the seconds it stands at."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved past the end of the sleep."""
        waker = asyncio.Event()
        self._sleepers.append((self._now + seconds, waker))
        self._wake()
        await waker.wait()

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each sleeper on the way, and let everything due run to its next sleep."""
        end = self._now + seconds
        await self._breathe()
        while due := [at for at, _ in self._sleepers if at <= end]:
            self._now = max(self._now, min(due))
            self._wake()
            await self._breathe()
        self._now = end

    def _wake(self) -> None:
        for at, waker in self._sleepers:
            if at <= self._now:
                waker.set()
        self._sleepers = [(at, waker) for at, waker in self._sleepers if at > self._now]

    async def _breathe(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


class Agenda:
    """Work that happens by itself, later: each entry is one task that sleeps, then acts."""

    def __init__(self, clock: Clock, time_scale: float) -> None:
        self._clock = clock
        self._time_scale = time_scale
        self._tasks: set[asyncio.Task[None]] = set()

    async def pause(self, seconds: float) -> None:
        """Sleep for a scaled number of seconds."""
        await self._clock.sleep(seconds * self._time_scale)

    def after(self, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` once the scaled delay has passed."""
        task = asyncio.get_running_loop().create_task(self._run(seconds, action))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop everything still to come."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
        await self.pause(seconds)
        try:
            await action()
        except Exception:
            logger.exception("the simulated Brevo failed at a piece of its own asynchronous work")
