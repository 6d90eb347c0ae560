"""`TajoClient`: Tajo within your own program, with the configuration that the command line would find."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tajo import config
from tajo.app import Tajo, open_tajo
from tajo.live import handle_webhook

T = TypeVar("T")


class TajoClient:
    """The verbs of Tajo as plain calls. `config_file`: else $TAJO_CONFIG, `./tajo.yaml`, the environment.

    Not to be used within a running event loop. Raises `tajo.errors.Usage` for a wrong configuration.
    """

    def __init__(self, *, config_file: Path | None = None) -> None:
        self.connectors = Connectors(config.load(config_file, os.environ))


class Connectors:
    """What can be done with the connectors of the configuration, by name."""

    def __init__(self, settings: config.Settings) -> None:
        self._settings = settings

    def handle_webhook(self, name: str, *, topic: str, payload: Mapping[str, Any]) -> None:
        """Note a webhook that BigCommerce sent to your own application.

        `topic`: its scope. `payload`: the whole body that came, or just its `data`. On return it is on
        disk; a `tajo serve` or `tajo sync` on the same database follows it. You have checked that it is
        genuine. Raises `Usage` for a connector that does not exist, or a payload that names nothing.
        """
        self._run(lambda tajo: handle_webhook(tajo, name, topic, payload))

    def status(self, name: str) -> dict[str, Any]:
        """How far the connector is: `connected, last_sync, customers_count, orders_count, …`."""
        return self._run(lambda tajo: tajo.status(tajo.names(name)[0]))

    def _run(self, verb: Callable[[Tajo], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            async with open_tajo(self._settings, os.environ) as tajo:
                return await verb(tajo)

        return asyncio.run(run())
