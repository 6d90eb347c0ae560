"""Invented goods: the products, variants, categories and brands of the generated store.

Everything follows from the product id and one 64-bit number. Variant ids are `product_id * 100 + n`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .dates import DAY, offset
from .shapes import BRAND, CATEGORY, IMAGE, PRODUCT, VARIANT, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

ADJECTIVES: Final = (
    "Red",
    "Old",
    "Small",
    "Blue",
    "Smooth",
    "Heavy",
    "Retro",
    "Crème",
    "Nordic",
    "Striped",
    "Ünique",
)
NOUNS: Final = (
    "Lantern",
    "Mug",
    "Towel",
    "Teapot",
    "Cushion",
    "Clock",
    "Apron",
    "Basket",
    "Candle",
    "T-Shirt",
    "Bag",
)
BRANDS: Final = ("Hearth & Home", "Ofs", "Sagaform", "Køkken", "Common Good", "Thomas Kent", "L'Atelier")
ROOMS: Final = ("Kitchen", "Bath", "Garden", "Bed & Linen", "Sale")
COLOURS: Final = ("Red", "Blue", "Green", "Beige", "Black", "White", "Rosé", "Grey", "Sand", "Mint")
SIZES: Final = ("XS", "S", "M", "L", "XL", "XXL")
FIRST_CATEGORY = 20
CDN = "https://cdn.example.com/s-sandbox"


class Item(NamedTuple):
    """What an order line needs to know of a product; `cents` is what the shopper pays."""

    id: int
    name: str
    sku: str
    cents: int
    variants: int
    digital: bool
    brand: str


def item(key: int, h: int) -> Item:
    """The short form of product `key`."""
    h, adjective = divmod(h, len(ADJECTIVES))
    h, noun = divmod(h, len(NOUNS))
    h, brand = divmod(h, len(BRANDS) + 1)
    h, price = divmod(h, 9000)
    return Item(
        id=key,
        name=f"{ADJECTIVES[adjective]} {NOUNS[noun]} {key}",
        sku=f"{NOUNS[noun][:3].upper()}-{key}" if h % 50 else "",
        cents=199 + price,
        variants=60 if h % 97 == 3 else (1, 1, 1, 2, 3, 4, 6, 10)[h % 8],
        digital=key % 29 == 5,
        brand=BRANDS[brand - 1] if brand else "",
    )


def variant_sku(goods: Item, number: int) -> str:
    """The SKU of a variant: the product's own for a product without options."""
    return goods.sku if goods.variants == 1 else f"{goods.sku or 'V'}-{number}"


def option_values(goods: Item, number: int) -> list[Record]:
    """The options that make a variant; none for the base variant of a product without options."""
    if goods.variants == 1:
        return []
    values = [(1, "Color", COLOURS[number % len(COLOURS)])]
    if goods.variants > len(COLOURS):
        values.append((2, "Size", SIZES[number // len(COLOURS) % len(SIZES)]))
    return [
        {
            "id": goods.id * 1000 + option * 100 + number,
            "label": label,
            "option_id": goods.id * 10 + option,
            "option_display_name": name,
        }
        for option, name, label in values
    ]


def product(goods: Item, h: int, created: int, end: int) -> Record:
    """The whole product."""
    h >>= 8
    on_sale = h % 6 == 0
    price = goods.cents / 100
    list_price = round(price * 1.25, 2) if on_sale else price
    tracking = (
        ("none", "product", "variant")[h % 3] if goods.variants > 1 else ("none", "product", "product")[h % 3]
    )
    levels = [(h >> n % 32) % 40 for n in range(goods.variants)]
    room = h % len(ROOMS)
    trees = [1] if h % 7 else [1, 2]
    modified = min(end, created + h % (300 * DAY))
    images = [_image(goods.id, n, modified) for n in range((1, 1, 2, 3, 0)[h % 5])]
    path = f"/{goods.name.lower().replace(' ', '-')}/"
    return {
        **PRODUCT,
        "id": goods.id,
        "name": goods.name,
        "type": "digital" if goods.digital else "physical",
        "sku": goods.sku,
        "description": f"<p>{goods.name} — for the home &amp; garden.</p>",
        "weight": 0 if goods.digital else 1.5,
        "price": list_price,
        "sale_price": price if on_sale else 0,
        "calculated_price": price,
        "categories": [category_id(tree, room, h % 2) for tree in trees],
        "brand_id": BRANDS.index(goods.brand) + 1 if goods.brand else 0,
        "inventory_tracking": tracking,
        "inventory_level": sum(levels) if tracking != "none" else 0,
        "inventory_warning_level": 3,
        "total_sold": h % 300,
        "is_visible": h % 23 != 4,
        "availability": ("disabled", "preorder")[h % 2] if h % 19 == 6 else "available",
        "date_created": offset(created),
        "date_modified": offset(modified),
        "custom_url": {"url": path, "is_customized": False},
        "base_variant_id": goods.id * 100 if goods.variants == 1 else None,
        "variants": [_variant(goods, n, level) for n, level in enumerate(levels)],
        "images": images,
        "custom_fields": [{"id": goods.id * 3, "name": "Material", "value": ("Tin", "Øak", "Cotton")[h % 3]}][
            : h % 4
        ],
        "channels": ([1], [1], [1, 1002], [1002], [])[h % 5] if h % 7 else [1, 1002],
    }


def _variant(goods: Item, number: int, level: int) -> Record:
    dearer = number % 4 == 3
    price = goods.cents / 100
    return {
        **VARIANT,
        "id": goods.id * 100 + number,
        "product_id": goods.id,
        "sku": variant_sku(goods, number),
        "sku_id": goods.id * 100 + number,
        "price": round(price + 1, 2) if dearer else None,
        "calculated_price": round(price + 1, 2) if dearer else price,
        "calculated_weight": 1.5,
        "inventory_level": level,
        "inventory_warning_level": 1,
        "image_url": f"{CDN}/{goods.id}-v{number}.jpg" if number % 5 == 1 else "",
        "purchasing_disabled": number % 17 == 16,
        "option_values": option_values(goods, number),
    }


def _image(key: int, number: int, modified: int) -> Record:
    base = f"{CDN}/products/{key}/images/{number}/photo"
    return {
        **IMAGE,
        "id": key * 10 + number,
        "product_id": key,
        "is_thumbnail": number == 0,
        "sort_order": number,
        "image_file": f"p/{number}/photo.jpg",
        "url_zoom": f"{base}.1280.1280.jpg",
        "url_standard": f"{base}.386.513.jpg",
        "url_thumbnail": f"{base}.220.290.jpg",
        "url_tiny": f"{base}.44.58.jpg",
        "date_modified": offset(modified),
    }


def category_id(tree: int, room: int, child: int) -> int:
    """The id of a room (child 0) or of its one sub-category (child 1) in a tree."""
    return FIRST_CATEGORY + (tree - 1) * 2 * len(ROOMS) + room * 2 + child


def categories(channels: Sequence[int]) -> list[Record]:
    """A tree for each channel: the rooms, and in each one sub-category; the last room is hidden."""
    found = []
    for tree in range(1, len(channels) + 1):
        for room, name in enumerate(ROOMS):
            for child in (0, 1):
                key = category_id(tree, room, child)
                title = f"{name} {'Classics' if child else ''}".strip()
                found.append(
                    {
                        **CATEGORY,
                        "category_id": key,
                        "category_uuid": f"00000000-0000-4000-8000-{key:012d}",
                        "parent_id": category_id(tree, room, 0) if child else 0,
                        "tree_id": tree,
                        "name": title,
                        "sort_order": room,
                        "is_visible": name != "Sale",
                        "url": {"path": f"/{title.lower().replace(' ', '-')}/", "is_customized": False},
                    }
                )
    return found


def brands() -> list[Record]:
    """Every brand that a product names."""
    return [
        {
            **BRAND,
            "id": n,
            "name": name,
            "page_title": name,
            "image_url": f"{CDN}/brands/{n}.png",
            "custom_url": {"url": f"/brands/{n}/", "is_customized": False},
        }
        for n, name in enumerate(BRANDS, start=1)
    ]
