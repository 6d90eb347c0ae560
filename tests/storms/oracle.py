"""What both sides must hold, and what Brevo must have been told, after a storm: by plain loops.

It shares nothing with the machine. Each function yields complaints in words; none means that all is well.

Contacts, orders, products and categories are functions of what the store holds now, with two exceptions
that depend on when somebody looked. Of a customer who was deleted Brevo keeps a contact on no list, or none
at all, and whoever was anybody's address once may be left behind there. Of an order that was deleted
(archived) it keeps what it was told, marked as such.

The store holds the consents that people gave, but for those of whoever left in Brevo since, if Brevo's call
came through. A consent that was given before that call first came, or is not known in Brevo yet, may be lost
with the old one. One that has freed them there stands, however often the call comes. One that was given
after Tajo took the old one frees them. Of whoever leaves while an answer is missing to that they are free,
only Brevo's call tells.

Events are differences between two looks, so what was overwritten before anybody looked was never there.
These must have been told at least once, of what was made since the connector is live and is still in the
store: that a customer was created; that an order was placed, if it is in a status that means so; the final
status of an order of which anything was told, and all that was given back for it; the final stock of
whatever a change of stock was told of; that a cart is there of whose last change a webhook told, and that
it was left behind; and of every cart of which that was told, that it was bought. None may be told that did
not happen, in an order in which it did not happen, or twice, but where an answer got lost on its way or
with the process: Brevo knows no event again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import Any

from tests.storms.history import History, Sale, agreed, occasion, stocks

Row = dict[str, Any]

STATUSES = (
    *("incomplete", "pending", "shipped", "partially_shipped", "refunded", "cancelled", "declined"),
    *("awaiting_payment", "awaiting_pickup", "awaiting_shipment", "completed", "awaiting_fulfillment"),
    *("manual_verification_required", "disputed", "partially_refunded"),
)
COUNTED = {2, 3, 7, 8, 9, 10, 11, 12, 13, 14}
PLACED = {2, 3, 7, 8, 9, 10, 11, 12}
EVERYBODY, BUYERS, NEWSLETTER = 3, 4, 5
HOUR = 3600.0
BLUNT = 2.0  # the store's dates are whole seconds


# --- what Brevo holds


def contacts(history: History, found: list[Row]) -> Iterator[str]:
    store, held = history.world.store, {row["email"]: row for row in found}
    accounts = {row["id"]: row["email"].lower() for row in store.customers}
    count, spent = Counter[str](), Counter[str]()
    people = set(accounts.values())
    for order in store.orders:
        email = accounts.get(order["customer_id"], order["billing_address"]["email"].lower())
        people.add(email)
        if order["status_id"] in COUNTED:
            count[email] += 1
            spent[email] += _cents(order["total_inc_tax"]) - history.sales[order["id"]][-1].refunded
    granted = agreed(store)
    people |= granted.keys()
    departed = {whose for gone in history.deleted for whose in history.owned(gone)}
    departed -= {*accounts.values(), *granted}
    for email in sorted(people - departed):
        if email not in held:
            yield f"{email} is missing"
            continue
        row = held[email]
        bought = (row["attributes"].get("ORDER_COUNT"), _cents(row["attributes"].get("TOTAL_SPENT", -1)))
        if bought != (count[email], spent[email]):
            yield f"{email} bought {(count[email], spent[email])}, not {bought}"
        wish = granted.get(email, False)
        lists = [EVERYBODY, *[BUYERS] * (count[email] > 0), *[NEWSLETTER] * wish]
        missing = set(lists) - set(row["listIds"])
        if missing:
            yield f"{email} is on {row['listIds']}, not on {lists}"
        yield from _consent(history, email, wish, row)
    names = _names(store)
    for email, name in names.items():
        row = held.get(email, {"attributes": {}})["attributes"]
        if email in people - departed and (row.get("FIRSTNAME", ""), row.get("LASTNAME", "")) != name:
            yield f"{email} has an older name"
    for email in sorted(departed & held.keys() - people):
        if held[email]["listIds"]:
            yield f"{email} was deleted, and is on {held[email]['listIds']}"
    for email in sorted(held.keys() - history.emails):
        yield f"{email} was never anybody's"


def _names(store: Any) -> dict[str, tuple[str, str]]:
    """The names of those who have one account."""
    found: dict[str, list[Row]] = {}
    for row in store.customers:
        found.setdefault(row["email"].lower(), []).append(row)
    return {
        email: (rows[0]["first_name"], rows[0]["last_name"])
        for email, rows in found.items()
        if len(rows) == 1
    }


def _consent(history: History, email: str, wish: bool, row: Row) -> Iterator[str]:
    blocked, left = row["emailBlacklisted"], history.left.get(email, {})
    if not wish and not blocked:
        yield f"{email} did not agree, and is not blocklisted"
    if wish and blocked and not left:
        yield f"{email} agreed, and is blocklisted"
    agreed_at = history.wishes[email][-1][0] if wish else 0.0
    if wish and not blocked and left and max(left) > agreed_at and not _unnoticed(history, email):
        yield f"{email} left in Brevo, and is free again"
    if wish and blocked and left and max(left) < max(_taken(history, email), default=0.0) < agreed_at:
        yield f"{email} agreed anew since they left, and is blocklisted"


def _unnoticed(history: History, email: str) -> bool:
    """Whether they left while Brevo was told, maybe not for the first time, that they are free."""
    gone, heard = max(history.left[email].items())
    return heard == inf and any(since <= gone <= until for since, until in history.doubts.get(email, []))


def _taken(history: History, email: str) -> list[float]:
    """When Tajo took their consent in the store."""
    return [at for at, _ in history.taken.get(email, [])]


# --- what the store holds


def consents(history: History) -> Iterator[str]:
    """Whoever left in Brevo lost their consent in the store by that, and nobody else did."""
    now = agreed(history.world.store)
    for email, left in history.left.items():
        heard = [at for at, heard in left.items() if heard < inf]
        if heard and now.get(email) and history.wishes[email][-1][0] < max(heard):
            yield f"{email} left in Brevo, and the store still has their consent"
    for email, moments in history.taken.items():
        for at, freed in moments:
            given = max((since for since, wish in history.wishes[email] if wish and since < at), default=0.0)
            left = history.left.get(email, {})
            if not any(gone < at and (freed <= gone or given <= heard) for gone, heard in left.items()):
                yield f"{email} did not leave in Brevo, and lost the consent in the store"


# --- what Brevo holds of goods


def orders(history: History, found: list[Row]) -> Iterator[str]:
    store, held = history.world.store, {int(row["id"]): row for row in found}
    for order in store.orders:
        id_, state = order["id"], history.sales[order["id"]][-1]
        if not state.status:
            continue
        if id_ not in held:
            yield f"order {id_} is missing"
            continue
        row = held[id_]
        told = (row["status"], _cents(row["amount"]), _cents(row["metaInfo"].get("refunded_amount", 0)))
        wanted = (STATUSES[state.status], _cents(order["total_inc_tax"]), state.refunded)
        if told != wanted:
            yield f"order {id_} is {wanted}, not {told}"
        if row["identifiers"]["email_id"] != order["billing_address"]["email"].lower():
            yield f"order {id_} is somebody else's"
    for id_ in sorted(held):
        if id_ in store.archived and not held[id_]["metaInfo"].get("archived"):
            yield f"order {id_} was archived, and Brevo does not know"
        elif id_ not in history.sales:
            yield f"order {id_} never was"


def products(history: History, found: list[Row]) -> Iterator[str]:
    store, held = history.world.store, {row["id"]: row for row in found}
    alive = set()
    for product in store.products:
        for (id_, variant), level in stocks(product).items() or [((product["id"], 0), None)]:
            key = f"{id_}-{variant}" if variant else str(id_)
            row = held.get(key)
            if row is None or (row.get("stock") != level and level is not None):
                yield f"product {key} has {level} in stock, not {row and row.get('stock')}"
        row = held.get(str(product["id"]))
        sold = product["is_visible"] and product["availability"] in ("available", "preorder")
        sold = sold and bool(product["channels"])
        if row is None or (row["name"], not row["isDeleted"]) != (product["name"], sold):
            yield f"product {product['id']} is not as it was told"
        alive |= {str(product["id"]), *(f"{product['id']}-{v['id']}" for v in product["variants"])}
    for key in sorted(held.keys() - alive):
        if not held[key]["isDeleted"]:
            yield f"product {key} is gone, and Brevo does not know"


def categories(history: History, found: list[Row]) -> Iterator[str]:
    rows, held = {row["category_id"]: row for row in history.world.store.categories}, {}
    held = {int(row["id"]): row for row in found}
    for id_, row in rows.items():
        path, parent = [row["name"]], row["parent_id"]
        while parent:
            path.insert(0, rows[parent]["name"])
            parent = rows[parent]["parent_id"]
        if id_ not in held or held[id_]["name"] != " > ".join(path):
            yield f"category {id_} has another name"


# --- what it was told


def events(
    history: History, found: list[Row], *, live: float, now: float, unsure: Counter[str]
) -> Iterator[str]:
    told: dict[str, list[Row]] = {}
    for row in found:
        told.setdefault(row["name"], []).append({"email": row["email"], **row["properties"]})
    for what, times in Counter(occasion(r["name"], r["at"], r["properties"]) for r in found).items():
        if times > 1 + unsure[what]:
            yield f"told {times} times: {what}"
    yield from _of_orders(history, told, live)
    yield from _of_customers(history, told, live)
    yield from _of_stock(history, told)
    yield from _of_carts(history, told, live, now)


def _of_orders(history: History, told: dict[str, list[Row]], live: float) -> Iterator[str]:
    store = history.world.store
    names = ("order_placed", "order_updated", "order_status_changed", "order_refunded")
    of = {name: _by(told.get(name, []), "order_id") for name in names}
    for name, rows in of.items():
        for id_ in rows.keys() - {str(id_) for id_ in history.sales}:
            yield f"{name} of order {id_}, which never was"
    for id_, states in history.sales.items():
        key, words = str(id_), [STATUSES[state.status] for state in states]
        mine = {name: rows.get(key, []) for name, rows in of.items()}
        first = next((s.at for s in states if s.status in PLACED), None)
        if mine["order_placed"] and (first is None or states[-1].at < live - BLUNT):
            yield f"order {id_} was not placed, and was told to be"
        for row in mine["order_status_changed"]:
            if not _follows(words, row["status_before"], row["status"]):
                yield f"order {id_} never went from {row['status_before']} to {row['status']}"
        yield from _of_refunds(id_, states, mine["order_refunded"])
        if id_ in store.archived or id_ not in store.orders:
            continue
        anything = [row["status"] for rows in mine.values() for row in rows]
        if anything and words[-1] not in anything:
            yield f"order {id_} was told of up to {anything}, and is {words[-1]}"
        if states[0].at < live + BLUNT:
            continue
        if states[-1].status in PLACED and not mine["order_placed"]:
            yield f"order {id_} was placed, and nobody was told"
        back = {(_cents(r["refunded"]), _cents(r["refunded_total"])) for r in mine["order_refunded"]}
        if sum(part for part, _ in back) != states[-1].refunded:
            yield f"order {id_}: {states[-1].refunded} was given back, {sorted(back)} was told"


def _of_refunds(id_: int, states: list[Sale], rows: list[Row]) -> Iterator[str]:
    sums = {0, *(state.refunded for state in states)}
    for row in rows:
        part, total = _cents(row["refunded"]), _cents(row["refunded_total"])
        if not {total, total - part} <= sums:
            yield f"order {id_}: nobody gave back {part} of {total}"


def _of_customers(history: History, told: dict[str, list[Row]], live: float) -> Iterator[str]:
    created = _by(told.get("customer_created", []), "customer_id")
    for id_, states in history.customers.items():
        rows, at = created.pop(str(id_), []), states[0][0]
        if rows and at < live - BLUNT:
            yield f"customer {id_} was there before we were"
        if not rows and at > live + BLUNT and id_ not in history.deleted:
            yield f"customer {id_} was created, and nobody was told"
    for id_ in created:
        yield f"customer {id_} never was"
    for id_ in _by(told.get("customer_updated", []), "customer_id"):
        if len(history.customers.get(int(id_), [])) < 2:
            yield f"customer {id_} was never updated"


def _of_stock(history: History, told: dict[str, list[Row]]) -> Iterator[str]:
    latest: dict[tuple[int, int], list[Any]] = {}
    for row in told.get("inventory_changed", []):
        variant = row.get("variant_id", "").partition("-")[2]
        key, change = (int(row["product_id"]), int(variant or 0)), (row.get("stock_before"), row.get("stock"))
        if not _follows(history.stocks.get(key, []), *change):
            yield f"the stock of {key} never went {change}"
        latest.setdefault(key, []).append(row.get("stock"))
    alive = {key for product in history.world.store.products for key in stocks(product)}
    for key, levels in latest.items():
        if key in alive and history.stocks[key][-1] not in levels:
            yield f"the stock of {key} is {history.stocks[key][-1]}, which was never told: {levels}"


def _of_carts(history: History, told: dict[str, list[Row]], live: float, now: float) -> Iterator[str]:
    what = ("created", "updated", "abandoned", "recovered", "deleted")
    of = {name: Counter(row.get("cart_id") for row in told.get(f"cart_{name}", [])) for name in what}
    bought: dict[str, Row] = {}
    for order in [*history.world.store.orders, *history.world.store.archived.values()]:
        paid = any(state.status for state in history.sales[order["id"]])
        if paid and order["cart_id"] in history.vanished:
            bought[order["cart_id"]] = order
    sold = {row["order_id"] for row in told.get("cart_recovered", [])}
    for uuid, states in history.baskets.items():
        last, left = states[-1], history.vanished.get(uuid)
        ends = [*(state.at for state in states[1:]), left or now]
        alone = any(e - s.touched >= HOUR - BLUNT and s.email for s, e in zip(states, ends, strict=True))
        if of["created"][uuid] and not any(state.email for state in states):
            yield f"nobody knows whose cart {uuid} is, and it was told"
        if of["abandoned"][uuid] and not alone:
            yield f"cart {uuid} was never left alone, and was told to be"
        if of["deleted"][uuid] and (left is None or uuid in bought):
            yield f"cart {uuid} was {'bought' if left else 'never deleted'}, and was told to be deleted"
        order = bought.get(uuid)
        placed = order and order["id"] in history.world.store.orders and order["status_id"] in PLACED
        if order and placed and of["abandoned"][uuid] and str(order["id"]) not in sold:
            yield f"cart {uuid} was left behind and then bought, and nobody was told"
        heard = last.email and history.heard.get(uuid, 0.0) >= int(last.touched)
        if left is None and heard and last.touched > live + BLUNT:
            named = next(state.at for state in states if state.email)
            if named > live + BLUNT and not of["created"][uuid]:
                yield f"cart {uuid} is there, and nobody was told"
            if last.touched + HOUR + BLUNT < now and not of["abandoned"][uuid]:
                yield f"cart {uuid} was left behind, and nobody was told"
    known = {str(row["id"]) for row in bought.values()}
    for order_id in sorted(sold - known):
        yield f"order {order_id} came of no cart that was left behind"


def _by(rows: list[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row[name]), []).append(row)
    return found


def _follows(states: list[Any], before: Any, after: Any) -> bool:
    """Whether one state was ever followed by the other, with others between them perhaps."""
    return before in states and after in states[states.index(before) + 1 :]


def _cents(value: Any) -> int:
    return round(float(value) * 100)
