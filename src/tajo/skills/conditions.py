"""Conditions: `cart_value: "> 50"`, `status: [shipped, completed]`, `guest: no`. Pure.

A condition about what is not known (an order has no cart value) does not hold, unless it says `!=`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct

from tajo.skills.values import amount, flag, nearest, span, text
from tajo.sync.automation import Subject
from tajo.sync.model import Cart, Customer, Metrics, Order, Product

DAY = 86400.0


class Facts(Struct, frozen=True, kw_only=True):
    """What conditions are about. `event`: the kind that began the sequence; `bought_at`: the last order."""

    now: float
    event: str = ""
    subject: Subject | None = None
    metrics: Metrics = Metrics()
    bought_at: float | None = None


Value = Decimal | float | str | bool


def word(value: str) -> str:
    """Words as conditions compare them: `Awaiting Fulfillment` is `awaiting-fulfillment`."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")


def _word(value: Any) -> str:
    return word(text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value))


def _yes(value: Any) -> bool:
    return {"yes": True, "no": False}[value] if value in ("yes", "no") else flag(value)


def _items(facts: Facts) -> int | None:
    match facts.subject:
        case Cart() | Order():
            return sum(line.quantity for line in facts.subject.lines)
        case _:
            return None


def _since_order(facts: Facts) -> float | None:
    last = facts.metrics.last_order_date
    at = facts.bought_at if last is None else max(last.timestamp(), facts.bought_at or 0.0)
    return None if at is None else (facts.now - at) / DAY


def _since_activity(facts: Facts) -> float | None:
    match facts.subject:
        case Cart(updated=updated, created=created) if updated or created:
            return facts.now - (updated or created).timestamp()  # type: ignore[union-attr]
        case _:
            return None


def _storefront(facts: Facts) -> Decimal | None:
    match facts.subject:
        case Cart() | Order() | Customer():
            return Decimal(facts.subject.storefront)
        case _:
            return None


def _guest(facts: Facts) -> bool | None:
    match facts.subject:
        case Cart() | Order():
            return facts.subject.customer_id == 0
        case Customer():
            return facts.subject.id == 0
        case _:
            return None


def _statuses(facts: Facts) -> tuple[str, ...] | None:
    """An order's status answers to its name and to its number."""
    order = facts.subject
    return (word(order.status), str(order.status_id)) if isinstance(order, Order) else None


class Field(NamedTuple):
    """How a value is written, and the fact it is compared with (None: not known).

    `ordered`: whether `<` and `>` mean something.
    """

    value: Callable[[Any], Value]
    fact: Callable[[Facts], Any]
    ordered: bool = True


def _of(kind: type, name: str) -> Callable[[Facts], Any]:
    return lambda facts: getattr(facts.subject, name) if isinstance(facts.subject, kind) else None


FIELDS: dict[str, Field] = {
    "cart_value": Field(amount, _of(Cart, "total")),
    "items_count": Field(amount, _items),
    "order_total": Field(amount, _of(Order, "total")),
    "product_price": Field(amount, _of(Product, "price")),
    "orders_count": Field(amount, lambda facts: facts.metrics.orders_count),
    "total_spent": Field(amount, lambda facts: facts.metrics.total_spent),
    "days_since_order": Field(amount, _since_order),
    "time_since_activity": Field(span, _since_activity),
    "status": Field(_word, _statuses, ordered=False),
    "event": Field(_word, lambda facts: word(facts.event), ordered=False),
    "group": Field(
        _word, lambda facts: word(facts.subject.group) if isinstance(facts.subject, Customer) else None, False
    ),
    "currency": Field(
        _word, lambda facts: word(getattr(facts.subject, "currency", "")) or None, ordered=False
    ),
    "storefront": Field(amount, _storefront, ordered=False),
    "guest": Field(_yes, _guest, ordered=False),
}

_WAYS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Condition(Struct, frozen=True):
    """`field` compared with any of `values`. `way`: one of `> >= < <= = !=`; `written`: for people."""

    field: str
    way: str
    values: tuple[Value, ...]
    written: str

    def holds(self, facts: Facts) -> bool:
        """Whether it is so."""
        fact = FIELDS[self.field].fact(facts)
        if self.way in _WAYS:
            return fact is not None and any(_WAYS[self.way](fact, value) for value in self.values)
        known = fact if isinstance(fact, tuple) else (fact,)
        return any(one == value for one in known for value in self.values) == (self.way == "=")


def condition(field: str, value: Any) -> Condition:
    """Read one condition. Raises `ValueError`."""
    if field not in FIELDS:
        raise ValueError("unknown condition" + nearest(field, FIELDS))
    read, _, ordered = FIELDS[field]
    if isinstance(value, list):
        if not value:
            raise ValueError("is an empty list; name at least one value")
        return Condition(
            field, "=", tuple(read(one) for one in value), f"{field}: {', '.join(map(str, value))}"
        )
    way, rest = "=", value
    if isinstance(value, str):
        shape = re.fullmatch(r"\s*(>=|<=|==|!=|>|<|=)?\s*(.*?)\s*", value, re.S)
        if shape:
            way, rest = (shape[1] or "=").replace("==", "="), shape[2]
    if way in _WAYS and not ordered:
        raise ValueError(f"cannot be compared with `{way}`; write a value, a list of values, or `!=`")
    return Condition(field, way, (read(rest),), f"{field} {way} {rest}")


def first_failing(conditions: Iterable[Condition], facts: Facts) -> Condition | None:
    """The first that does not hold; None if all do."""
    return next((one for one in conditions if not one.holds(facts)), None)
