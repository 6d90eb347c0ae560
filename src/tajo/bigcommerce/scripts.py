"""Our script on a store's pages: put there, kept as it should be, and taken away.

A list shows the scripts of our API account only (scripts.v3: getScripts). Ours are known by their name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct

from tajo.bigcommerce import wire
from tajo.bigcommerce.api import Api
from tajo.bigcommerce.resources import every

SCRIPTS, ONE = "/v3/content/scripts", "/v3/content/scripts/{uuid}"
NAME = "Tajo: back in stock"

_decode = wire.pages_of(wire.Script)


class Installed(Struct, frozen=True, kw_only=True):
    """What was done, as channels: the script was put there, mended, or taken away."""

    made: tuple[int, ...] = ()
    mended: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


class Scripts:
    """The script of one API account at one store."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def install(self, src: str, channels: Collection[int]) -> Installed:
        """Have one script on the pages of each of these channels, loaded from `src`, and on no others.

        Raises `Mend` without the scope to modify content.
        """
        ours = await self._ours()
        kept: dict[int, str] = {}
        for script in ours:
            kept.setdefault(script.channel_id or 0, script.uuid)
        made, mended = [], []
        for channel in sorted(channels):
            body = _body(src, channel)
            uuid = kept.get(channel)
            if uuid and await self._api.send("PUT", f"{SCRIPTS}/{uuid}", body, route=ONE):
                mended.append(channel)
            else:
                await self._api.send("POST", SCRIPTS, body)
                made.append(channel)
        stays = {kept[channel] for channel in mended}
        removed = await self._delete(script for script in ours if script.uuid not in stays)
        return Installed(made=tuple(made), mended=tuple(mended), removed=removed)

    async def remove(self) -> Installed:
        """Take our script away from all pages."""
        return Installed(removed=await self._delete(await self._ours()))

    async def _ours(self) -> list[wire.Script]:
        rows = await every(self._api, SCRIPTS, _decode)
        found = [row for row in rows if isinstance(row, wire.Script) and row.name == NAME]
        return list({script.uuid: script for script in found}.values())

    async def _delete(self, scripts: Iterable[wire.Script]) -> tuple[int, ...]:
        gone = []
        for script in scripts:
            await self._api.send("DELETE", f"{SCRIPTS}/{script.uuid}", route=ONE)
            gone.append(script.channel_id or 0)
        return tuple(gone)


def _body(src: str, channel: int) -> dict[str, Any]:
    """Without a category of consent a shop with a cookie banner never shows it (scripts.v3: script_Base)."""
    return {
        "name": NAME,
        "description": "Lets shoppers ask to be told when a product that is sold out is back in stock.",
        "kind": "src",
        "src": src,
        "load_method": "defer",
        "location": "footer",
        "visibility": "storefront",
        "consent_category": "functional",
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": channel,
    }
