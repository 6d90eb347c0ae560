"""Tajo keeps a BigCommerce store and a Brevo account in agreement.

`tajo.app` holds what it can do, `tajo.cli` offers that in a terminal, `tajo.web` over HTTP and
`tajo.client` to programs. `tajo.sync` is the machine between `tajo.bigcommerce` (where data comes from) and
`tajo.brevo` (where it goes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tajo.client import AsyncTajoClient, TajoClient

__all__ = ["AsyncTajoClient", "TajoClient"]


def __getattr__(name: str) -> Any:
    """The clients, once somebody wants them: all else loads without HTTP."""
    if name in __all__:
        from tajo import client  # noqa: PLC0415 - late on purpose

        return getattr(client, name)
    raise AttributeError(f"module `tajo` has no attribute `{name}`")
