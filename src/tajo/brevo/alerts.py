"""Brevo's own waiting list: who wishes to be told when a product is back in stock."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from tajo.brevo.api import Api, Rejected, SwitchedOff

ALERT = "POST /products/{id}/alerts/back_in_stock"

KEPT = 50
"""So many of the hundred calls an hour are left to those who have no other way."""


class Alerts:
    """The waiting lists of one account's products. `id_prefix`: see `Rules`."""

    def __init__(self, api: Api, id_prefix: str) -> None:
        self._api = api
        self._prefix = id_prefix

    @property
    def headroom(self) -> int:
        """How many wishes may be told now: each is one of the hundred calls an hour."""
        return max(0, self._api.limits.headroom(ALERT) - KEPT)

    async def wish(self, product: int, variant: int, email: str) -> bool:
        """Have somebody wait for a product, or one variant of it (0: any); whether Brevo lets them.

        It does not where alerts are switched off in the account (403), where it does not know the product
        (404) or the address is none (SDK: create_product_alert). Raises `Later`, and `Mend`.
        """
        name = f"{self._prefix}{product}-{variant}" if variant else f"{self._prefix}{product}"
        try:
            await self._api.send(
                "POST",
                f"/products/{quote(name, safe='')}/alerts/back_in_stock",
                route=ALERT,
                body=msgspec.json.encode({"contactIdentifiers": {"email": email}}),
                decode=lambda _: None,
            )
        except (Rejected, SwitchedOff):
            return False
        return True
