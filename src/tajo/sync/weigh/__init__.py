"""Weigh what was read against what is remembered: what must be told, and what need not?

One function per resource, each within the transaction that it is given: recall, drop what is older
than that, note the facts, see what happened, map, drop what is unchanged. None of them talks to the
destination.
"""

from tajo.sync.weigh.carts import carts
from tajo.sync.weigh.contacts import customers, farewells, guests, subscribers
from tajo.sync.weigh.desk import Desk, Policy, Ticket, Weighed
from tajo.sync.weigh.goods import categories, products, told_as_there
from tajo.sync.weigh.orders import orders, refunds

__all__ = [
    "Desk",
    "Policy",
    "Ticket",
    "Weighed",
    "carts",
    "categories",
    "customers",
    "farewells",
    "guests",
    "orders",
    "products",
    "refunds",
    "subscribers",
    "told_as_there",
]
