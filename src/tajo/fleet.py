"""All workers of one server: a connector that is enabled has one, and whoever wants something asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from tajo import config, webhooks
from tajo.bigcommerce.cart_recovery import CartRecovery
from tajo.errors import Busy
from tajo.http import Clock, Patience
from tajo.journal import Journal
from tajo.server import Door, origins_of
from tajo.sync.account import Account
from tajo.sync.model import Key, Resource, Store
from tajo.wiring import DEAF, Ears, Watch, Wiring
from tajo.worker import Standing, Worker

SHOPPER = Patience(attempts=3, first=0.3, longest=2.0)
"""Whoever follows a recovery link waits at a browser."""

NOTICED = 60.0
"""Seconds after which it is looked whether another process has connected a store, or disconnected one."""


class Fleet:
    """A worker for every connector that is enabled. It runs what people ask for, too.

    `ears`: by the name of a connector, who hears of what is done for it.
    """

    def __init__(
        self, wiring: Wiring, journal: Journal, clock: Clock, ears: Callable[[str], Ears] = lambda _: DEAF
    ) -> None:
        self._wiring = wiring
        self._journal = journal
        self._clock = clock
        self._ears = ears
        self._workers: dict[str, Worker] = {}
        self._settings: dict[str, config.Connector] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stores: dict[str, AsyncExitStack] = {}
        self.doors: dict[str, Door] = {}
        self.tills: dict[str, CartRecovery] = {}
        self.origins: dict[str, frozenset[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._workers

    @property
    def names(self) -> list[str]:
        """The connectors that are followed."""
        return list(self._workers)

    def trouble(self, name: str) -> str:
        """Why a connector's worker has stopped, in words for a human; empty if it works."""
        return self._workers[name].trouble if name in self._workers else ""

    def standing(self) -> dict[str, Standing]:
        """How each connector that is followed stands right now."""
        return {name: worker.standing for name, worker in self._workers.items()}

    def wake(self, name: str) -> None:
        """There is something to look at."""
        if name in self._workers:
            self._workers[name].wake()

    async def sync(
        self,
        name: str,
        *,
        full: bool,
        resources: frozenset[Resource] | None,
        believe_losses: bool,
        watch: Watch | None,
    ) -> Account:
        """Sweep now. Raises `Mend`, and `Busy` while the worker cannot work."""
        worker = self._worker(name)
        return await worker.sync(full=full, resources=resources, believe_losses=believe_losses, watch=watch)

    async def replay(self, name: str, keys: Sequence[Key] | None, *, watch: Watch | None) -> Account:
        """Try failures again."""
        return await self._worker(name).replay(await self._wiring.parked(name, keys), watch=watch)

    def _worker(self, name: str) -> Worker:
        if name not in self._workers:
            raise Busy(f"{name} is not enabled", "set `enabled: true` in its configuration.")
        return self._workers[name]

    async def settings_changed(self) -> None:
        """Follow the connectors that there are now, as they are now, and no others."""
        there = self._wiring.settings.connectors
        for name in [name for name, one in self._settings.items() if there.get(name) != one]:
            await self._dismiss(name)
        for name, one in there.items():
            if name not in self._settings:
                self._settings[name] = one
                self.doors[name] = Door(webhooks.trust(self._wiring, name))
                if one.enabled:
                    await self._hire(name)

    async def meet_connections(self) -> None:
        """Follow the stores that are connected by now, whichever process connected them."""
        await self._wiring.meet_connections()
        await self.settings_changed()

    async def _notice(self) -> None:
        while True:
            await self._clock.sleep(NOTICED)
            try:
                await self.meet_connections()
            except Exception as error:  # its text may hold anything
                words = f"whether another store is connected cannot be seen now: {type(error).__name__}"
                self._journal.tell(words, level="warning")

    async def _hire(self, name: str) -> None:
        self._stores[name] = stack = AsyncExitStack()
        ears, say = self._ears(name), partial(self._journal.tell, connector=name)
        store, _ = await stack.enter_async_context(self._wiring.accounts(name, patience=SHOPPER, ears=ears))
        self.tills[name] = CartRecovery(store, locations=self._wiring.locations(name))
        worker = Worker(self._wiring, name, self._clock, say, partial(self._met, name), ears)
        self._workers[name] = worker
        self._tasks[name] = asyncio.create_task(worker.run())

    async def _dismiss(self, name: str) -> None:
        del self._settings[name], self.doors[name]
        if name in self._workers:
            del self._workers[name], self.tills[name]
            self.origins.pop(name, None)
            task = self._tasks.pop(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._stores.pop(name).aclose()

    def _met(self, name: str, store: Store) -> None:
        """From the storefronts of this store shoppers may wish to be told."""
        settings = self._wiring.settings.connectors[name]
        if settings.sync.inventory and settings.sync.products:
            own = (storefront.url or "" for storefront in settings.storefronts.values())
            told = (storefront.url for storefront in store.storefronts.values())
            self.origins[name] = origins_of([*told, *own])

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Follow every connector until this ends."""
        noticing = asyncio.create_task(self._notice())
        try:
            await self.settings_changed()
            yield
        finally:
            noticing.cancel()
            await asyncio.gather(noticing, return_exceptions=True)
            await asyncio.gather(*map(self._dismiss, list(self._settings)))  # each may need seconds
