"""`tajo back-in-stock`: the script by which pages ask who wishes to be told, put there or taken away."""

from __future__ import annotations

from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce import BigCommerceSource
from tajo.bigcommerce.scripts import Installed, Scripts
from tajo.errors import Usage
from tajo.webhooks import public_url
from tajo.wiring import Wiring

SCRIPT = "/storefront.js"


async def install(wiring: Wiring, name: str, store: StoreApi) -> Installed:
    """Have the script on the pages of every storefront of this connector. Raises `Usage`, `Mend`.

    Doing it again mends what is broken.
    """
    src = f"{public_url(wiring.settings)}{SCRIPT}"
    sync = wiring.settings.connectors[name].sync
    if not (sync.inventory and sync.products):
        raise Usage(
            f"nobody would be told: the stock of {name} is not followed",
            "set `sync.inventory` and `sync.products` to true in tajo.yaml.",
        )
    opened = await BigCommerceSource(store).open()
    return await Scripts(store).install(src, [one.id for one in opened.storefronts.values() if one.url])


async def remove(_tajo: Wiring, _name: str, store: StoreApi) -> Installed:
    """Take the script away from all pages of this store."""
    return await Scripts(store).remove()
