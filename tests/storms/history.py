"""What happened in a simulated store, noted by looking at it after everything that anybody does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Sale(NamedTuple):
    """An order as it was for a while: `refunded` in cents."""

    at: float
    status: int
    refunded: int


class Account(NamedTuple):
    """A customer as they were for a while; `modified` is the store's own date of it."""

    at: float
    modified: str
    email: str


class Basket(NamedTuple):
    """A cart as it was for a while; `email` of its account if none was typed. `touched`: by a shopper."""

    at: float
    touched: float
    email: str
    total: float


@dataclass
class History:
    """Everything by the store's ids, each state with the moment from which on it was true.

    `wishes`: who agreed to marketing, by e-mail. `left`: who left in Brevo, when, and when Tajo heard of it
    (inf: not yet). `freed`: when Brevo last might write to whoever had left before. `taken`: when Tajo took
    somebody's consent in the store, and when they were `freed` before that (0: never). `doubts`: from when to
    when it was not known whether Brevo had been told that they are free.
    """

    world: Any
    sales: dict[int, list[Sale]] = field(default_factory=dict)
    stocks: dict[tuple[int, int], list[int | None]] = field(default_factory=dict)
    customers: dict[int, list[Account]] = field(default_factory=dict)
    deleted: dict[int, float] = field(default_factory=dict)
    baskets: dict[str, list[Basket]] = field(default_factory=dict)
    vanished: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    emails: set[str] = field(default_factory=set)
    wishes: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    left: dict[str, dict[float, float]] = field(default_factory=dict)
    freed: dict[str, float] = field(default_factory=dict)
    taken: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    doubts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def look(self, now: float) -> None:
        """Note what is not as it was."""
        store = self.world.store
        back: dict[int, int] = {}
        for refund in store.refunds:
            order = refund["order_id"]
            back[order] = back.get(order, 0) + round(float(refund["total_amount"]) * 100)
        for order in [*store.orders, *store.archived.values()]:
            seen = self.sales.setdefault(order["id"], [])
            state = Sale(now, order["status_id"], back.get(order["id"], 0))
            if not seen or seen[-1][1:] != state[1:]:
                seen.append(state)
            self.emails.add(order["billing_address"]["email"].lower())
        accounts = {}
        for row in store.customers:
            accounts[row["id"]] = row["email"].lower()
            known = self.customers.setdefault(row["id"], [])
            face = Account(now, row["date_modified"], row["email"].lower())
            if not known or known[-1][1:] != face[1:]:
                known.append(face)
        self.emails |= set(accounts.values())
        for gone in self.customers.keys() - accounts.keys():
            self.deleted.setdefault(gone, now)
        granted = dict.fromkeys(self.wishes, False) | agreed(store)
        for email, wish in granted.items():
            states = self.wishes.setdefault(email, [])
            if not states or states[-1][1] != wish:
                states.append((now, wish))
        self.emails |= granted.keys()
        for product in store.products:
            for key, level in stocks(product).items():
                levels = self.stocks.setdefault(key, [])
                if not levels or levels[-1] != level:
                    levels.append(level)
        self._look_at_carts(now, accounts)

    @property
    def complete(self) -> bool:
        """Whether everything that ever was in the store, but carts, is still there."""
        store = self.world.store
        readers = {row["email"].lower() for row in store.subscribers}
        products = {product["id"] for product in store.products}
        return not (self.deleted or store.archived or self.wishes.keys() - readers) and all(
            id_ in products for id_, _ in self.stocks
        )

    def owned(self, customer: int) -> set[str]:
        """The addresses that an account ever had."""
        return {face.email for face in self.customers[customer]}

    def _look_at_carts(self, now: float, accounts: dict[int, str]) -> None:
        for uuid, cart in self.world.carts.items():
            row = cart.record
            email = (row["email"] or accounts.get(row["customer_id"], "")).lower()
            seen = self.baskets.setdefault(uuid, [])
            state = Basket(now, cart.touched, email, row["cart_amount"])
            if not seen or seen[-1][1:] != state[1:]:
                seen.append(state)
        for uuid in self.baskets.keys() - self.world.carts.keys():
            self.vanished.setdefault(uuid, now)


def agreed(store: Any) -> dict[str, bool]:
    """Who has a newsletter record, by e-mail, and whether any of theirs holds a consent to marketing."""
    found: dict[str, bool] = {}
    for row in store.subscribers:
        email = row["email"].lower()
        found[email] = found.get(email, False) or "marketing_newsletter" in row["consents"]
    return found


def stocks(product: dict[str, Any]) -> dict[tuple[int, int], int | None]:
    """Levels by product and variant (0: the product itself, which has all the stock or none is tracked)."""
    tracking, variants = product["inventory_tracking"], product["variants"]
    options = len(variants) > 1 or variants[0]["option_values"]
    if options and tracking == "variant":
        return {(product["id"], variant["id"]): variant["inventory_level"] for variant in variants}
    return {(product["id"], 0): product["inventory_level"] if tracking == "product" else None}


def occasion(name: str, at: float, properties: dict[str, Any]) -> str:
    """What makes it this event: told again, it says the same of the same second."""
    return json.dumps([name, int(at), properties], sort_keys=True)
