"""What shoppers and staff know of the store: what they were told at first, and what came of their deeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Record = dict[str, Any]

AWAITING_PAYMENT, PARTIALLY_SHIPPED, SHIPPED, CANCELLED, COMPLETED, PAID = 7, 3, 2, 5, 10, 11
PARTIALLY_REFUNDED: Final = 14
KNOWN: Final = frozenset({AWAITING_PAYMENT, PARTIALLY_SHIPPED, SHIPPED, CANCELLED, COMPLETED, PAID})


def cents(text: object) -> int:
    """Cents of money, however it is written (`"361.9500"`, 12.5)."""
    return round(float(str(text)) * 100)


@dataclass
class Goods:
    """A product: its variants by id, and where its stock is kept (`none`, `product` or `variant`)."""

    variants: list[int]
    tracking: str
    visible: bool = True


@dataclass
class Basket:
    """A cart: the ids of its items, its customer (0: none), and whether an e-mail was typed."""

    items: list[str]
    customer: int
    named: bool


@dataclass
class Line:
    """A line of an order: how many are not refunded yet, and cents for one."""

    left: int
    each: int


@dataclass
class Sale:
    """An order: what was paid and given back, in cents, and its lines by id."""

    status: int
    total: int
    refunded: int
    lines: dict[int, Line]


@dataclass
class Person:
    """A customer: the e-mail, and an address id (0: none known)."""

    email: str
    address: int


@dataclass
class Town:
    """Everything known, by the store's ids.

    `consents` says of subscribers whether they want the newsletter, `subscribers` their e-mails; `mail` are
    those that Brevo may have written to.
    """

    goods: dict[int, Goods] = field(default_factory=dict)
    categories: list[int] = field(default_factory=list)
    people: dict[int, Person] = field(default_factory=dict)
    baskets: dict[str, Basket] = field(default_factory=dict)
    sales: dict[int, Sale] = field(default_factory=dict)
    consents: dict[int, bool] = field(default_factory=dict)
    subscribers: set[str] = field(default_factory=set)
    mail: list[str] = field(default_factory=list)

    def meet_product(self, row: Record) -> None:
        """Remember a product of V3, with its `variants`."""
        variants = [variant["id"] for variant in row["variants"]]
        self.goods[row["id"]] = Goods(variants, row["inventory_tracking"], row["is_visible"])

    def meet_customer(self, row: Record) -> None:
        """Remember a customer of V3, with its `addresses`."""
        address = row["addresses"][0]["id"] if row["addresses"] else 0
        self.people[row["id"]] = Person(row["email"], address)
        self.hear_of(row["email"])

    def meet_subscriber(self, row: Record) -> None:
        """Remember a subscriber of V3."""
        self.consents[row["id"]] = "marketing_newsletter" in row["consents"]
        self.subscribers.add(row["email"].lower())
        self.hear_of(row["email"])

    def meet_order(self, key: int, row: Record, lines: list[Record]) -> None:
        """Remember an order of V2 of which nothing was given back, if something is left to do with it."""
        if row["status_id"] in KNOWN:
            paid = {
                line["id"]: Line(
                    line["quantity"], cents(line["discounted_total_inc_tax"]) // line["quantity"]
                )
                for line in lines
                if cents(line["discounted_total_inc_tax"]) % line["quantity"] == 0
            }
            self.sales[key] = Sale(row["status_id"], cents(row["total_inc_tax"]), 0, paid)

    def meet_cart(self, row: Record) -> None:
        """Remember a cart of V3 as it is now."""
        lines = row["line_items"]
        items = [item["id"] for kind in ("physical_items", "digital_items") for item in lines[kind]]
        self.baskets[row["id"]] = Basket(items, row["customer_id"], bool(row["email"]))
        self.hear_of(row["email"])

    def knows(self, basket: Basket) -> bool:
        """Whether somebody can check out: an e-mail was typed, or there is an account (still)."""
        return basket.named or basket.customer in self.people

    def hear_of(self, email: str) -> None:
        """Remember an e-mail that a newsletter can reach."""
        if "@" in email and email not in self.mail:
            self.mail.append(email)
