"""A store that is computed, not stored: every record is a pure function of (seed, index).

    shop = GeneratedStore(seed=1, customers=1_000_000, orders=3_000_000, products=5_000)
    shop.customer(0), shop.order(2_999_999), shop.product(17), shop.subscriber(3), shop.refund(0)

Customers get the ids from 1 upward, orders from 100, products from 101, subscribers and refunds from 1:
contiguous, in the order of their creation, over the two years before `END`. The store is as dirty as real
ones: see each method. Shapes are those of `tajo.sandbox.bigcommerce.shapes`, complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from .bigcommerce import goods, sales
from .bigcommerce.dates import DAY, zulu
from .bigcommerce.people import (
    BAD_EMAILS,
    DOMAINS,
    FIRST,
    FIRST_SLUGS,
    LAST,
    LAST_SLUGS,
    PLACES,
    Place,
    address,
    phone,
)
from .bigcommerce.shapes import ADDRESS, CUSTOMER, SUBSCRIBER, Record

END: Final = 1790812800  # 2026-10-01T00:00:00Z
START: Final = END - 730 * DAY
FIRST_PRODUCT: Final = 101
MASK: Final = (1 << 64) - 1
SALTS: Final = {"customer": 1, "guest": 2, "order": 3, "product": 4, "refund": 5, "line": 6, "subscriber": 7}

CHANNELS: Final = (1, 1002)
GROUPS: Final = ("VIP", "Wholesale", "Staff", "Press")
ATTRIBUTES: Final = (
    *(
        ("Loyalty points", "number"),
        ("Favourite colour", "string"),
        ("Member since", "date"),
        ("Shoe size", "number"),
    ),
    *(("Sales person", "string"), ("Language", "string"), ("Tier", "string"), ("Referred by", "string")),
    *(
        ("Last survey", "date"),
        ("Score", "number"),
        ("Region", "string"),
        ("Segment", "string"),
        ("ERP id", "string"),
    ),
)
NEWS: Final = ("marketing_newsletter",)
CONSENTS: Final = (NEWS, (*NEWS, "abandoned_cart"), ("abandoned_cart",), (), ())
COLOURS: Final = ("red", "Blue", "grün", "#00ff00", "n/a", "black & white")


def mix(x: int) -> int:
    """A 64-bit number that looks random and depends on nothing but `x` (the finaliser of splitmix64)."""
    x = x * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


@dataclass(frozen=True)
class GeneratedStore:
    """The functions of one seed. Sizes are fixed; nothing but small per-product facts is ever kept."""

    seed: int = 1
    customers: int = 200
    orders: int = 400
    products: int = 60
    _items: dict[int, goods.Item] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def guests(self) -> int:
        """How many people buy without an account; they come back."""
        return max(1, self.orders // 6)

    @cached_property
    def subscribers(self) -> int:
        """Three in five customers, every second guest, and newsletter-only people."""
        return self._customer_subscribers + self.guests // 2 + self.customers // 10

    @cached_property
    def refunds(self) -> int:
        """One order in fourteen has a refund."""
        return self.orders // sales.PER_REFUND

    @cached_property
    def _customer_subscribers(self) -> int:
        return self.customers * 3 // 5

    @property
    def end(self) -> int:
        """Epoch seconds after which nothing has happened yet."""
        return END

    def hash(self, kind: str, index: int) -> int:
        """The 64 bits from which a record of this kind and index is drawn."""
        return mix((self.seed << 44) + (SALTS[kind] << 40) + index)

    def moment(self, index: int, total: int) -> int:
        """When number `index` of `total` happened: spread evenly over the two years, rising."""
        return START + index * 730 * DAY // max(1, total)

    def item(self, index: int) -> goods.Item:
        """The few facts of a product that an order line needs."""
        if index not in self._items:
            self._items[index] = goods.item(index + FIRST_PRODUCT, self.hash("product", index))
        return self._items[index]

    def product(self, index: int) -> Record:
        """A whole product with its variants, images and custom fields."""
        created = START + index * DAY // 8 % (365 * DAY)
        return goods.product(self.item(index), self.hash("product", index), created, END)

    def categories(self) -> list[Record]:
        """Two trees of two levels, one a channel."""
        return goods.categories(CHANNELS)

    def brands(self) -> list[Record]:
        """The brands that products name."""
        return goods.brands()

    # -- people

    def person(self, kind: str, index: int) -> tuple[str, str, Place]:
        """First name, last name and place of a customer or guest."""
        h, place = divmod(self.hash(kind, index), len(PLACES))
        h, first = divmod(h, len(FIRST))
        return FIRST[first], LAST[h % len(LAST)], PLACES[place]

    def _mailbox(self, kind: str, index: int, mark: str) -> str:
        h, _ = divmod(self.hash(kind, index), len(PLACES))
        h, first = divmod(h, len(FIRST))
        h, last = divmod(h, len(LAST))
        h, domain = divmod(h, len(DOMAINS))
        text = f"{FIRST_SLUGS[first]}.{LAST_SLUGS[last]}{mark}{index + 1}@{DOMAINS[domain]}"
        match h % 24:
            case 0:
                return text.upper()
            case 1 | 2:
                return text.title()
            case 3:
                return text.replace("@", "+shop@")
            case _:
                return text

    def email(self, index: int) -> str:
        """A customer's address: some in capitals, one in 500 impossible, one in 200 a neighbour's."""
        if index % 211 == 210:
            return self.email(index - 1).swapcase()
        if index % 509 == 17:
            return BAD_EMAILS[index // 509 % len(BAD_EMAILS)]
        return self._mailbox("customer", index, ".")

    def guest_email(self, index: int) -> str:
        """A guest's address; one guest in nine has an account under it, typed in another case."""
        if index % 9 == 4 and self.customers:
            return self.email(index * 7 % self.customers).lower()
        return self._mailbox("guest", index, ".g")

    def phone(self, index: int) -> str:
        """A customer's phone; one in 97 shares it with the customer before."""
        if index % 97 == 96:
            index -= 1
        return phone(self.person("customer", index)[2], self.hash("customer", index) >> 20)

    def customer_created(self, index: int) -> int:
        """Epoch seconds; rises with the index."""
        return self.moment(index, self.customers)

    def customer_modified(self, index: int) -> int:
        """Epoch seconds; three in four were never changed after their creation."""
        h = self.hash("customer", index) >> 7
        created = self.customer_created(index)
        return created if h % 4 else created + h % max(1, END - created)

    def customer_channels(self, index: int) -> tuple[list[int] | None, int]:
        """(`channel_ids`, `origin_channel_id`): those who share an e-mail have each one storefront."""
        if index % 211 in {209, 210}:
            channel = CHANNELS[index % 211 - 209]
            return [channel], channel
        return None, CHANNELS[index % 5 == 3]

    def address_count(self, index: int) -> int:
        """Mostly one; none for one in ten; up to fourteen for one in 400."""
        dice = self.hash("customer", index) >> 30
        if dice % 400 == 7:
            return 11 + dice % 4
        return (0, 1, 1, 1, 1, 1, 1, 2, 2, 3)[dice % 10]

    def attribute_count(self, index: int) -> int:
        """None for most, a few for some, all thirteen for one in 300."""
        dice = self.hash("customer", index) >> 33
        if dice % 300 == 5:
            return len(ATTRIBUTES)
        return (0, 0, 0, 0, 1, 2, 3)[dice % 7]

    def form_fields(self, index: int) -> list[Record]:
        """A birthday for one in four, interests (a list) for one in eight, a VAT number for one in 16."""
        h, key = self.hash("customer", index), index + 1
        fields: list[Record] = []
        if h >> 9 & 3 == 0:
            born = f"{1940 + h % 68}-{h % 12 + 1:02d}-{h % 28 + 1:02d}"
            fields.append({"name": "Birthday", "value": born, "customer_id": key})
        if h >> 11 & 7 == 0:
            fields.append({"name": "Interests", "value": ["garden", "kitchen"][: h % 3], "customer_id": key})
        if h >> 14 & 15 == 0:
            fields.append({"name": "VAT number", "value": f"EU{h % 10**9:09d}", "customer_id": key})
        return fields

    def customer(self, index: int) -> Record:
        """A whole customer with addresses, attributes and form fields."""
        h = self.hash("customer", index)
        key = index + 1
        person = self.person("customer", index)
        number = self.phone(index)
        modified = zulu(self.customer_modified(index))
        channel_ids, origin = self.customer_channels(index)
        addresses = [
            {
                **ADDRESS,
                **address(person, h >> (8 + n)),
                "id": key * 100 + n,
                "customer_id": key,
                "phone": number,
            }
            for n in range(self.address_count(index))
        ]
        return {
            **CUSTOMER,
            "id": key,
            "email": self.email(index),
            "first_name": person[0],
            "last_name": person[1] if h >> 18 & 31 else "",
            "company": addresses[0]["company"] if addresses else "",
            "phone": number,
            "customer_group_id": (0, 0, 0, 1, 2, 3)[h % 6],
            "date_created": zulu(self.customer_created(index)),
            "date_modified": modified,
            "registration_ip_address": f"192.0.2.{h % 254 + 1}",
            "notes": "" if h >> 17 & 63 else "asked twice; *do not call* — Æ",
            "origin_channel_id": origin,
            "channel_ids": channel_ids,
            "accepts_product_review_abandoned_cart_emails": h & 4 == 0,
            "store_credit_amounts": [{"amount": 0 if h >> 21 & 15 else h % 50 + 0.5}],
            "addresses": addresses,
            "attributes": [self._attribute(key, n, h, modified) for n in range(self.attribute_count(index))],
            "form_fields": self.form_fields(index),
        }

    def _attribute(self, key: int, number: int, h: int, modified: str) -> Record:
        values = {
            "number": str(h % 5000),
            "string": COLOURS[(h + number) % len(COLOURS)],
            "date": modified[:10],
        }
        return {
            "id": key * 100 + number,
            "attribute_id": number + 1,
            "attribute_value": values[ATTRIBUTES[number][1]],
            "customer_id": key,
            "date_created": modified,
            "date_modified": modified,
        }

    def subscriber_created(self, index: int) -> int:
        """Epoch seconds; rises with the index."""
        return self.moment(index, self.subscribers)

    def subscriber_modified(self, index: int) -> int:
        """Epoch seconds; one in four changed something within 90 days."""
        h, created = self.hash("subscriber", index), self.subscriber_created(index)
        return created if h >> 5 & 3 else min(END, created + h % (90 * DAY))

    def subscribed(self, index: int) -> tuple[str, tuple[str, str, Place], str, int]:
        """(e-mail, person, source, channel): a customer, a guest from the checkout, or somebody else."""
        people = self._customer_subscribers
        if index < people:
            owner = index * 5 // 3
            channel = self.customer_channels(owner)[1]
            return self.email(owner), self.person("customer", owner), "storefront", channel
        if index < people + self.guests // 2:
            owner = (index - people) * 2
            return self.guest_email(owner), self.person("guest", owner), "order", CHANNELS[owner % 5 == 3]
        source = ("storefront", "custom")[index & 1]
        return f"news{index}@example.net", ("", "", PLACES[0]), source, CHANNELS[index >> 1 & 1]

    def subscriber(self, index: int) -> Record:
        """A whole subscriber. Two in five consent to nothing."""
        h = self.hash("subscriber", index)
        email, person, source, channel = self.subscribed(index)
        return {
            **SUBSCRIBER,
            "id": index + 1,
            "email": email,
            "first_name": person[0],
            "last_name": person[1],
            "source": source,
            "order_id": sales.FIRST_ORDER + h % self.orders if source == "order" else None,
            "channel_id": channel,
            "consents": list(CONSENTS[h % len(CONSENTS)]),
            "date_created": zulu(self.subscriber_created(index)),
            "date_modified": zulu(self.subscriber_modified(index)),
        }

    # -- sales

    def order(self, index: int) -> Record:
        """A whole V2 order with its lines and coupons."""
        return sales.order(self, index)

    def refund(self, index: int) -> Record:
        """A whole V3 refund."""
        return sales.refund(self, index)
