"""Stock by location, joined to products while they are read.

The catalogue tells one number for each product. Whether it is that of the default location or of all, its
docs contradict each other (facts, section 6). Where the merchant says which locations count, the inventory
tells (inventory.v3: get-inventory-items).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tajo.bigcommerce import wire
from tajo.bigcommerce.api import Api
from tajo.bigcommerce.resources import Products, chunks, every, heeded, joined, three_at_once
from tajo.errors import Mend

ITEMS = "/v3/inventory/items"
FULL = 1000  # items a page (inventory.v3: limits)
TRACKED = frozenset({"product", "variant"})  # otherwise stock means nothing (products_catalog.v3)

_decode = wire.pages_of(wire.Item)


class Locations(Struct, frozen=True):
    """The locations whose stock counts, each by its code or its id as text; without any, all of them.

    One that is not enabled sells nothing.
    """

    names: frozenset[str] = frozenset()

    def __contains__(self, one: wire.ItemAtLocation) -> bool:
        return not self.names or not self.names.isdisjoint({one.location_code, str(one.location_id)})


class Inventory:
    """The stock of one store at these locations."""

    def __init__(self, api: Api, locations: Locations) -> None:
        self._api = api
        self._locations = locations

    async def restock(self, products: Products) -> Products:
        """The products with the stock that counts, in one call for a hundred of those that are tracked.

        What the inventory does not list keeps the catalogue's. Raises `Mend` where the locations do not
        exist: nothing would be in stock.
        """
        tracked = [
            row.id for row in products if isinstance(row, wire.Product) and row.inventory_tracking in TRACKED
        ]
        levels: dict[int, dict[int, int]] = defaultdict(dict)
        for items in await three_at_once(self._items, chunks(tracked)):
            for item in items:
                levels[item.identity.product_id][item.identity.variant_id] = available(item, self._locations)
        return [
            restocked(row, levels[row.id]) if isinstance(row, wire.Product) and row.id in levels else row
            for row in products
        ]

    async def _items(self, products: Sequence[int]) -> list[wire.Item]:
        rows = await every(self._api, ITEMS, _decode, {"product_id:in": joined(products)}, limit=FULL)
        items = [row for row in rows if isinstance(row, wire.Item)]
        heeded(ITEMS, "product_id:in", products, (item.identity.product_id for item in items))
        places = [place for item in items for place in item.locations or ()]
        if places and not any(place in self._locations for place in places):
            raise Mend(
                "the inventory of the store has none of the locations that `inventory` names",
                f"use some of these codes: {', '.join(sorted({p.location_code or '' for p in places}))}.",
            )
        return items


def available(item: wire.Item, locations: Locations) -> int:
    """How many of an item can be sold at these locations."""
    return sum(
        place.available_to_sell or 0
        for place in item.locations or ()
        if place in locations and place.location_enabled is not False and not _held(place)
    )


def _held(place: wire.ItemAtLocation) -> bool:
    return isinstance(place.settings, wire.ItemSettings) and place.settings.is_in_stock is False


def restocked(row: wire.Product, levels: Mapping[int, int]) -> wire.Product:
    """A product whose variants have these levels, by variant; its own is the sum."""
    variants = [
        replace(variant, inventory_level=levels[variant.id]) if variant.id in levels else variant
        for variant in row.variants or ()
    ]
    return replace(row, inventory_level=sum(levels.values()), variants=variants)
