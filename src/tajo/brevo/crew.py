"""The common part of every outbox: what it holds, who works on it in the background, what has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from types import TracebackType
from typing import Self

from tajo.sync.model import Outcome, Write
from tajo.sync.ports import Settle

Work = Callable[[], Coroutine[None, None, None]]


class Crew:
    """Tasks that work off the writes of one outbox, as an async context that ends them.

    A write is held from `take` until its outcome has been settled. Outcomes are settled in groups:
    all that came in while the last group was being settled. The first error of any task ends the
    work: it is raised by every `until` from then on.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._held: dict[Hashable, int] = {}
        self.bytes = 0
        self._answers: list[Outcome] = []
        self._settler: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._error: Exception | None = None
        self._moved = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._settler:  # what Brevo has answered shall be remembered even when we stop
            await asyncio.gather(self._settler, return_exceptions=True)

    @property
    def count(self) -> int:
        """How many writes are held."""
        return len(self._held)

    def holds(self, write: Write) -> bool:
        """Whether an older write of the same thing or person is still held."""
        return _name(write) in self._held

    def take(self, write: Write) -> None:
        """Hold a write; from now on somebody must `answer` it."""
        self._held[_name(write)] = len(write.body)
        self.bytes += len(write.body)

    def start(self, work: Work) -> None:
        """Let a task work until the outbox is left."""
        self._tasks.append(asyncio.create_task(self._guard(work)))

    async def until(self, ready: Callable[[], object]) -> None:
        """Wait until `ready()`, asked whenever something moved. Raises the error that ended the work."""
        while True:
            if self._error:
                raise self._error
            if ready():
                return
            self._moved.clear()
            await self._moved.wait()

    def moved(self) -> None:
        """Something changed that somebody may wait for."""
        self._moved.set()

    def answer(self, outcomes: Iterable[Outcome]) -> None:
        """Have outcomes settled."""
        self._answers.extend(outcomes)
        if self._answers and (self._settler is None or self._settler.done()):
            self._settler = asyncio.create_task(self._guard(self._settle_answers))

    async def _settle_answers(self) -> None:
        while self._answers:
            group, self._answers = self._answers, []
            await self._settle(group)
            for outcome in group:
                self.bytes -= self._held.pop(_name(outcome.write))
            self.moved()

    async def _guard(self, work: Work) -> None:
        try:
            await work()
        except Exception as error:
            self._error = self._error or error
            self.moved()


def _name(write: Write) -> Hashable:
    """Two writes with one name must not be under way at once: the older one might land last."""
    return write.person or write.key
