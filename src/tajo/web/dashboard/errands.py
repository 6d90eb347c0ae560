"""What somebody asked for on a page and takes longer than a page may: it goes on, and pages show how far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tajo.errors import Mend, TajoError, gravest
from tajo.web.dashboard.words import stopped
from tajo.web.refusals import problem_of

PATIENCE = 1.5
"""Seconds for which a page waits: most errands are over by then."""


class Errand:
    """One errand. `result`: what it came to, once it is over; `words` and `mend`: why it did not.

    `at`, `made`, `of`: what is done right now, how much was done before, of how much (0: unknown).
    """

    def __init__(self, began: float) -> None:
        self.began = began
        self.ended: float | None = None
        self.at, self.made, self.of = "", 0, 0
        self.result: Any = None
        self.words = ""
        self.mend = ""

    def heed(self, at: str, made: int, of: int) -> None:
        """It has come this far."""
        self.at, self.made, self.of = at, made, of

    @property
    def why(self) -> str:
        """Why it came to nothing, in sentences."""
        return sentences(self.words, self.mend)

    @property
    def runs(self) -> bool:
        """It goes on."""
        return self.ended is None


class Errands:
    """The last errand of each kind for each connector. `now`: seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._found: dict[tuple[str, str], Errand] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def last(self, kind: str, connector: str) -> Errand | None:
        """The one that goes on, or was over last."""
        return self._found.get((kind, connector))

    async def run(
        self, kind: str, connector: str, work: Callable[[Errand], Awaitable[Any]], *, fresh: float = 0.0
    ) -> Errand:
        """Begin, unless one goes on, or ended within `fresh` seconds; returns when it is over, or soon."""
        last = self.last(kind, connector)
        if last and (last.runs or (last.ended or 0.0) > self._now() - fresh):
            errand = last
        else:
            errand = self._found[kind, connector] = Errand(self._now())
            task = asyncio.create_task(self._do(errand, work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.wait([task], timeout=PATIENCE)
        return errand

    def forget(self, kind: str, connector: str) -> None:
        """What the last one came to does not hold any more."""
        self._found.pop((kind, connector), None)

    async def close(self) -> None:
        """Let what goes on end where it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _do(self, errand: Errand, work: Callable[[Errand], Awaitable[Any]]) -> None:
        try:
            errand.result = await work(errand)
        except Exception as error:
            errand.words, errand.mend = told(error)
        finally:
            errand.ended = self._now()


def sentences(*parts: str) -> str:
    """The parts as sentences, one after the other."""
    whole = (part.strip() for part in parts if part.strip())
    return " ".join(f"{one[0].upper()}{one[1:]}" for one in map(stopped, whole))


def told(error: BaseException) -> tuple[str, str]:
    """Why something could not be done, and the mend, in words for a person."""
    error = gravest(error)
    if isinstance(error, Mend):
        return error.problem, error.mend
    if isinstance(error, TajoError):
        return str(error), ""
    problem, _ = problem_of(error)
    return problem.detail, ""
