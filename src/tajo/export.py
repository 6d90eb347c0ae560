"""`tajo export`: a store as a folder of files that the simulated BigCommerce loads again."""

from __future__ import annotations

from pathlib import Path

from tajo.bigcommerce import export_store
from tajo.wiring import Wiring


async def export(wiring: Wiring, name: str, folder: Path) -> dict[str, int]:
    """Write the store of this connector into a new or empty folder; returns how many rows each file has.

    Raises `Usage` for a folder that holds an export already or cannot be written.
    """
    async with wiring.accounts(name) as (store, _):
        return await export_store(store, folder)
