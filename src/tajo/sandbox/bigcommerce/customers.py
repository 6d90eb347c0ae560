"""/v3/customers, their addresses, attributes and form fields (customers.v3; facts, section 4).

An address edit does not change the customer's `date_modified` (not documented; this is the harder case for
a client), and neither does an attribute: both are silent but for the address events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .customer_parts import new_address, new_attribute
from .shapes import CUSTOMER
from .store import Condition
from .wire import Answer, Call, Filter, Listing, Problem, Route, cursor_page, dated, ids, listed, lower, one

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .shapes import Record

SCOPE: Final = "store_v2_customers"
EMBEDDED = 10  # included addresses and attributes stop here
INCLUDES: Final = (
    "addresses",
    "storecredit",
    "attributes",
    "formfields",
    "shopper_profile_id",
    "segment_ids",
)
PARTS: Final = {  # include word -> field of the record
    "addresses": "addresses",
    "storecredit": "store_credit_amounts",
    "attributes": "attributes",
    "formfields": "form_fields",
}
LISTING: Final = Listing(
    filters={
        **ids("id"),
        **ids("customer_group_id"),
        **ids("email", lower),
        **ids("company", lower),
        **ids("phone", str),
        **ids("registration_ip_address", str),
        **ids("name", lower),
        "name:like": Filter("name", "like", listed(lower)),
        **dated("date_created"),
        **dated("date_modified"),
    },
    sorts=frozenset({"date_created", "date_modified", "last_name"}),
    other=frozenset({"include", "after", "before"}),
)
WRITABLE: Final = frozenset(CUSTOMER) - {"id", "date_created", "date_modified", "addresses", "attributes"}
NEEDED: Final = ("email", "first_name", "last_name")


def listing(call: Call) -> Answer:
    """GET /v3/customers."""
    words = call.includes(INCLUDES)
    customers = call.store.customers
    return cursor_page(call, LISTING.select(call, customers), lambda key: shown(customers[key], words))


def shown(record: Record, words: frozenset[str]) -> Record:
    """A customer as the list shows it: counts always; parts when included, two of them cut at ten."""
    out = dict(record)
    for word, name in PARTS.items():
        rows = out.pop(name)
        if word in words:
            out[name] = rows[:EMBEDDED] if name in {"addresses", "attributes"} else rows
    out["address_count"] = len(record["addresses"])
    out["attribute_count"] = len(record["attributes"])
    return out


def create(call: Call) -> Answer:
    """POST /v3/customers: all of them or none."""
    made = [_new(call, n, fields) for n, fields in enumerate(call.items())]
    for n, record in enumerate(made):
        _unique(call, record, made[:n])
    for record in made:
        call.store.customers.put(record["id"], record)
        call.world.emit("store/customer/created", "customer", record["id"])
    return one([shown(record, frozenset(PARTS)) for record in made])


def _new(call: Call, number: int, fields: Record) -> Record:
    missing = {f"{number}.{name}": f"{name} is required" for name in NEEDED if not fields.get(name)}
    if missing:
        raise Problem(422, "Create customers failed.", missing)
    key, today = call.store.customers.new_id(), call.world.today()
    given = fields.get("attributes", [])
    return {
        **CUSTOMER,
        **{k: v for k, v in fields.items() if k in WRITABLE},
        "id": key,
        "date_created": today,
        "date_modified": today,
        "form_fields": _form_fields(fields, key),
        "addresses": [new_address(call, a, key) for a in fields.get("addresses", [])],
        "attributes": [new_attribute(call, a["attribute_id"], a["attribute_value"], key) for a in given],
    }


def update(call: Call) -> Answer:
    """PUT /v3/customers: nothing is written unless all of it can be."""
    changed = []
    for n, fields in enumerate(call.items()):
        old = call.store.customers.get(fields.get("id", 0))
        if old is None:
            raise Problem(422, "Update customers failed.", {f"{n}.id": "invalid customer id"})
        record = {**old, **{k: v for k, v in fields.items() if k in WRITABLE - {"origin_channel_id"}}}
        if "form_fields" in fields:
            named = {f["name"]: f for f in old["form_fields"]}
            named |= {f["name"]: f for f in _form_fields(fields, old["id"])}
            record["form_fields"] = list(named.values())
        record["date_modified"] = call.world.today()
        _unique(call, record)
        changed.append((old, record, fields))
    for old, record, fields in changed:
        call.store.customers.put(record["id"], record)
        # edits of existing form fields raise no event (facts, section 7)
        if set(fields) - {"id", "form_fields"} or len(record["form_fields"]) > len(old["form_fields"]):
            call.world.emit("store/customer/updated", "customer", record["id"])
    return one([shown(record, frozenset(PARTS)) for _, record, _ in changed])


def delete(call: Call) -> Answer:
    """DELETE /v3/customers: without `id:in` it does nothing, and answers 204 all the same."""
    for key in call.numbers("id:in"):
        if key in call.store.customers:
            call.store.customers.remove(key)
            call.world.emit("store/customer/deleted", "customer", key)
    return Answer(204)


def _unique(call: Call, record: Record, batch: Sequence[Record] = ()) -> None:
    """E-mails are unique per channel; `channel_ids: null` is every channel."""
    email, mine = record["email"].lower(), record["channel_ids"]
    same = Condition("email", "in", frozenset({email}))
    others = [call.store.customers[key] for key in call.store.customers.select([same])]
    for other in [*others, *(o for o in batch if o["email"].lower() == email)]:
        theirs = other["channel_ids"]
        if other["id"] != record["id"] and (mine is None or theirs is None or set(mine) & set(theirs)):
            raise Problem(422, "Set customers failed.", {".email": f"email {record['email']} already in use"})


def _form_fields(fields: Record, key: int) -> list[Record]:
    return [
        {"name": f["name"], "value": f["value"], "customer_id": key} for f in fields.get("form_fields", [])
    ]


ROUTES = (
    Route("GET", "/v3/customers", listing, SCOPE, LISTING.params),
    Route("POST", "/v3/customers", create, SCOPE),
    Route("PUT", "/v3/customers", update, SCOPE),
    Route("DELETE", "/v3/customers", delete, SCOPE, frozenset({"id:in"})),
)
