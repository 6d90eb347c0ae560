"""Many small things on disk with few commits.

A commit costs one flush to the disk however much it holds. So while one runs, whatever comes meanwhile
gathers for the next, and each caller returns when the commit that holds theirs is done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from tajo.errors import Later

T = TypeVar("T")

_log = logging.getLogger(__name__)

PAUSE = 0.1  # seconds between two tries of a commit


class _Group(Struct, Generic[T]):
    """What one commit takes. `failure`: why it did not, once `done`."""

    items: list[T]
    done: asyncio.Event
    failure: str = ""


class GroupCommit(Generic[T]):
    """Keeps things through a connection and a thread of its own.

    `keep` writes some of them within a transaction; `kept` is told of them afterwards. `full`: so many may
    wait; `patience`: seconds for which a locked or absent database is tried again.
    """

    def __init__(
        self,
        engine: Engine,
        thread: Executor,
        keep: Callable[[Connection, Sequence[T]], None],
        kept: Callable[[Sequence[T]], None],
        *,
        full: int,
        patience: float,
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._keep = keep
        self._kept = kept
        self._full = full
        self._patience = patience
        self._gathering = _Group[T]([], asyncio.Event())
        self._committing: asyncio.Task[None] | None = None

    async def take(self, item: T) -> None:
        """Return when it is on disk. Who is cancelled while waiting has left it with us. Raises `Later`."""
        group = self._gathering
        if len(group.items) >= self._full:
            raise Later("more waits than the ledger can take", seconds=60)
        group.items.append(item)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        await group.done.wait()
        if group.failure:
            raise Later(group.failure, seconds=60)

    async def close(self) -> None:
        """Wait until all that was taken is on disk."""
        if self._committing:
            await self._committing

    async def _commit_all(self) -> None:
        """One commit after the other, as long as there is something to keep."""
        loop = asyncio.get_running_loop()
        while self._gathering.items:
            group, self._gathering = self._gathering, _Group[T]([], asyncio.Event())
            try:
                await loop.run_in_executor(self._thread, self._commit, group.items)
            except Exception as error:  # whatever it was, nobody may be left waiting
                group.failure = f"the ledger cannot take more: {_reason(error)}"
                _log.error("%s", group.failure)
            else:
                loop.call_soon(self._kept, group.items)
            group.done.set()
        self._committing = None

    def _commit(self, items: Sequence[T]) -> None:
        """One transaction, tried again for a while where somebody else holds a lock. Runs in the thread."""
        end = time.monotonic() + self._patience
        while True:
            try:
                with self._engine.begin() as tx:
                    self._keep(tx, items)
            except OperationalError:
                if time.monotonic() >= end:
                    raise
                time.sleep(PAUSE)
            else:
                return


def _reason(error: Exception) -> str:
    """The driver's own words, without the statement and its parameters; of anything else its kind."""
    words = str(getattr(error, "orig", None) or "").strip().splitlines()
    return words[0] if words and isinstance(error, SQLAlchemyError) else type(error).__name__
