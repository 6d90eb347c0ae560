"""`tajo serve`: the server that takes webhooks, and a worker for each connector."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from tajo import webhooks
from tajo.app import Tajo
from tajo.bigcommerce.callbacks import Malformed, from_parts
from tajo.bigcommerce.cart_recovery import CartRecovery
from tajo.brevo import callbacks as marketing
from tajo.errors import Usage
from tajo.http import Clock, Patience
from tajo.server import BrevoDoor, Door, make_app
from tajo.server import serve as listen
from tajo.server.back_in_stock import origins_of
from tajo.server.recovery import Recovery
from tajo.sync import unsubscribes
from tajo.sync.ledger.inbox import open_inbox
from tajo.sync.ledger.wishes import open_wishes
from tajo.sync.model import Store
from tajo.worker import Worker

SHOPPER = Patience(attempts=3, first=0.3, longest=2.0)
"""Whoever follows a recovery link waits at a browser."""


async def serve(
    tajo: Tajo,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    say: Callable[[str], None],
    clock: Clock | None = None,
    listening: Callable[[str], None] = lambda _: None,
) -> None:
    """Take webhooks and follow every connector until `stop` is set. Raises `Mend` if it cannot listen."""
    names = tajo.names()
    origins: dict[str, frozenset[str]] = {}

    def met(name: str, store: Store) -> None:
        settings = tajo.settings.connectors[name]
        if settings.sync.inventory and settings.sync.products:
            own = (storefront.url or "" for storefront in settings.storefronts.values())
            told = (storefront.url for storefront in store.storefronts.values())
            origins[name] = origins_of([*told, *own])

    workers = {name: Worker(tajo, name, clock or Clock(), say, partial(met, name)) for name in names}

    def wake(name: str) -> None:
        if name in workers:
            workers[name].wake()

    async def unsubscribed(people: Sequence[marketing.Unsubscribe]) -> None:
        await unsubscribes.note(tajo.ledger, names, [person.email for person in people])
        for worker in workers.values():
            worker.wake()

    async with (
        open_inbox(tajo.ledger, wake) as inbox,
        open_wishes(tajo.ledger, wake) as wishes,
        AsyncExitStack() as stores,
    ):
        tills = {}
        for name in names:
            store, _ = await stores.enter_async_context(tajo.accounts(name, patience=SHOPPER))
            tills[name] = CartRecovery(store, locations=tajo.locations(name))
        links = Recovery(tills, tajo.ledger, (clock or Clock()).now)
        doors = {
            name: Door(webhooks.trust(tajo, name), enabled=name in workers)
            for name in tajo.settings.connectors
        }
        brevo = BrevoDoor(marketing.Trust(webhooks.brevo_token(tajo)), unsubscribed)
        app = make_app(doors, brevo, inbox, tajo.ready, origins=origins, wishes=wishes, links=links)
        tasks = [asyncio.create_task(worker.run()) for worker in workers.values()]
        try:
            await listen(app, host, port, stop=stop, listening=listening)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def handle_webhook(tajo: Tajo, name: str, topic: str, payload: Mapping[str, Any]) -> None:
    """Note a webhook that somebody received in an application of their own. Raises `Usage`.

    `payload`: the whole body that BigCommerce sent, or just its `data`. A server that runs follows it.
    """
    tajo.names(name)
    try:
        notice = from_parts(topic, payload)
    except Malformed as error:
        raise Usage(
            f"that is no webhook of BigCommerce: {error}", "pass on its scope and its body."
        ) from None
    async with open_inbox(tajo.ledger, lambda _: None) as inbox:
        await inbox.take(name, notice)
