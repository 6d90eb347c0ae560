"""Our webhooks at a store and at Brevo: what `tajo hooks` and `tajo serve` do with them, what a call must
show to be believed, and taking in one that somebody else received.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce.callbacks import DOOR as STORE_DOOR
from tajo.bigcommerce.callbacks import Malformed, Trust, from_parts
from tajo.bigcommerce.hooks import Health, Hooks, Report, wanted
from tajo.brevo import Api as BrevoApi
from tajo.brevo.callbacks import DOOR as BREVO_DOOR
from tajo.brevo.hooks import BrevoHooks
from tajo.errors import Usage
from tajo.sync.ledger.inbox import open_inbox
from tajo.wiring import Wiring


def public_url(settings: config.Settings) -> str:
    """Where the world reaches us. Raises `Usage` if nobody said."""
    if not settings.server.public_url:
        raise Usage(
            "webhooks need an address at which BigCommerce reaches this server",
            "set `server.public_url` in tajo.yaml, such as https://tajo.example.com.",
        )
    return settings.server.public_url


def secret(wiring: Wiring, name: str) -> str:
    """What BigCommerce sends back with each callback of this connector, to prove that it is ours."""
    return wiring.ledger.secret.token(f"webhooks of {name}")


def brevo_token(wiring: Wiring) -> str:
    """What Brevo sends back with each callback."""
    return wiring.ledger.secret.token("webhooks of Brevo")


def trust(wiring: Wiring, name: str) -> Trust:
    """What a callback of this store must show."""
    settings = wiring.settings.connectors[name]
    return Trust(
        producer=f"stores/{settings.store_hash}",
        secret=secret(wiring, name),
        client_secret=settings.client_secret.get_secret_value() if settings.client_secret else None,
        strict=settings.signatures == "strict",
    )


async def register(wiring: Wiring, name: str, store: StoreApi, brevo: BrevoApi) -> Report:
    """See that store and Brevo call us; doing it again mends what is broken. Raises `Mend`."""
    report = await register_at_store(wiring, name, store)
    await register_at_brevo(wiring, brevo)
    return report


async def register_at_store(wiring: Wiring, name: str, store: StoreApi) -> Report:
    """See that the store calls us. Raises `Mend`."""
    url = f"{public_url(wiring.settings)}{STORE_DOOR}/{name}"
    return await _hooks(wiring, name, store).register(url, secret(wiring, name))


async def register_at_brevo(wiring: Wiring, brevo: BrevoApi) -> None:
    """See that Brevo tells us who unsubscribes. Raises `Mend`."""
    await BrevoHooks(brevo).register(f"{public_url(wiring.settings)}{BREVO_DOOR}", brevo_token(wiring))


async def remove(wiring: Wiring, name: str, store: StoreApi, brevo: BrevoApi) -> Report:
    """The store shall not call us any more, nor Brevo, whose one webhook serves all connectors."""
    report = await remove_at_store(wiring, name, store)
    url = wiring.settings.server.public_url
    await BrevoHooks(brevo).remove(f"{url}{BREVO_DOOR}" if url else "", brevo_token(wiring))
    return report


async def remove_at_store(wiring: Wiring, name: str, store: StoreApi) -> Report:
    """The store shall not call us any more."""
    return await _hooks(wiring, name, store).remove(secret(wiring, name))


async def health(wiring: Wiring, name: str, store: StoreApi) -> Health:
    """How our webhooks at the store fare."""
    return await _hooks(wiring, name, store).health(secret(wiring, name))


async def listed(wiring: Wiring, name: str, store: StoreApi) -> list[dict[str, Any]]:
    """All webhooks of the API account: scope, address, whether it is on and ours."""
    ours = secret(wiring, name)
    return [
        {
            "id": hook.id,
            "scope": hook.scope,
            "destination": hook.destination,
            "active": hook.active,
            "ours": hook.secret == ours,
        }
        for hook in await _hooks(wiring, name, store).listed()
    ]


def summary(report: Report) -> dict[str, Any]:
    """The report as a JSON object."""
    found: dict[str, Any] = msgspec.to_builtins(report)
    return found


async def handle_webhook(
    wiring: Wiring, name: str, topic: str, payload: Mapping[str, Any], wake: Callable[[str], None]
) -> bool:
    """Note a webhook that somebody received in an application of their own. Raises `Usage`.

    `payload`: the whole body that BigCommerce sent, or just its `data`. `wake`: called with `name` once it is
    on disk. Returns whether it names anything to look at; one that does not was only counted.
    """
    wiring.names(name)
    try:
        notice = from_parts(topic, payload)
    except Malformed as error:
        raise Usage(
            f"that is no webhook of BigCommerce: {error}", "pass on its scope and its body."
        ) from None
    async with open_inbox(wiring.ledger, wake) as inbox:
        await inbox.take(name, notice)
    return bool(notice.keys)


def _hooks(wiring: Wiring, name: str, store: StoreApi) -> Hooks:
    sync = wiring.settings.connectors[name].sync
    scopes = wanted(carts=sync.carts, products=sync.products, orders=sync.orders, customers=sync.customers)
    return Hooks(store, scopes)
