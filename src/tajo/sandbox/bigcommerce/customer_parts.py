"""What hangs on a customer: addresses, attributes, form fields (customers.v3; facts, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from . import dates
from .shapes import ADDRESS
from .store import Parts
from .wire import Answer, Call, Listing, Problem, Route, cursor_page, dated, equal, ids, lower, one, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_customers"
MOST_ATTRIBUTES = 50
COUNTRIES: Final = {
    **{
        "US": "United States",
        "CA": "Canada",
        "GB": "United Kingdom",
        "DE": "Germany",
        "FR": "France",
        "PL": "Poland",
    },
    **{"ES": "Spain", "AU": "Australia", "JP": "Japan", "IE": "Ireland", "IT": "Italy", "NL": "Netherlands"},
}
NEEDED: Final = ("first_name", "last_name", "address1", "city", "country_code")
WRITABLE: Final = frozenset(ADDRESS) - {"id", "customer_id", "country"}
ADDRESSES: Final = Listing(
    {**ids("customer_id"), **ids("id"), **ids("company", lower), **ids("name", lower)},
    other=frozenset({"include"}),
)
ATTRIBUTES: Final = Listing({**equal("name", lower), **equal("type", str), **dated("date_created")})
VALUES: Final = Listing(
    {**ids("customer_id"), **ids("attribute_id"), **dated("date_created"), **dated("date_modified")},
    other=frozenset({"name"}),
)
FIELDS: Final = Listing(
    {**equal("customer_id"), **equal("name", str)},
    other=frozenset({"address_id", "field_name", "field_type", "after", "before"}),
)
READS: Final[dict[str, Callable[[Record], Any]]] = {
    "company": lambda row: str(row["company"]).lower(),
    "name": lambda row: f"{row['first_name']} {row['last_name']}".strip().lower(),
}


def _rows(call: Call, name: str, listing: Listing, owners: Sequence[int] | None) -> Sequence[Any]:
    """The rows of one field that meet the request's filters, of the given customers or of all."""
    customers = call.store.customers
    conditions = [c for c in listing.conditions(call) if c.field != "customer_id"]
    if owners is None:
        everything: Sequence[Any] = customers.remember(name, lambda: Parts(customers, name, customers.ids))
        owned = everything
    else:
        owned = Parts(customers, name, [key for key in sorted(set(owners)) if key in customers])
    if not conditions:
        return owned
    return [row for row in owned if all(c.holds(_value(row, c.field)) for c in conditions)]


def _value(row: Record, name: str) -> Any:
    if name in READS:
        return READS[name](row)
    return dates.or_zero(row.get(name)) if name.startswith("date_") else row.get(name)


def _owners(call: Call, name: str = "customer_id:in") -> list[int] | None:
    return call.numbers(name) if name in call.query else None


# -- addresses


def addresses(call: Call) -> Answer:
    """GET /v3/customers/addresses: by customer_id:in or id:in, or all of them."""
    call.includes({"formfields"})
    owners = _owners(call)
    if owners is None and "id:in" in call.query:
        owners = [_owner(call, key) for key in call.numbers("id:in")]
    return v3_page(call, _rows(call, "addresses", ADDRESSES, owners))


def create_addresses(call: Call) -> Answer:
    """POST /v3/customers/addresses: `customer/address/created`, and nothing about the customer."""
    made = []
    for n, fields in enumerate(call.items()):
        key = fields.get("customer_id", 0)
        missing = {f"{n}.{name}": f"{name} is required" for name in NEEDED if not fields.get(name)}
        if key not in call.store.customers:
            missing[f"{n}.customer_id"] = "invalid customer id"
        if missing:
            raise Problem(422, "Create addresses failed.", missing)
        made.append((key, fields))
    rows = []
    for key, fields in made:
        customer = call.store.customers[key]
        row = new_address(call, fields, key)
        call.store.customers.put(key, {**customer, "addresses": [*customer["addresses"], row]})
        _tell(call, "created", row)
        rows.append(row)
    return one(rows)


def update_addresses(call: Call) -> Answer:
    """PUT /v3/customers/addresses."""
    rows = []
    for n, fields in enumerate(call.items()):
        old = _address(call, fields.get("id", 0))
        if old is None:
            raise Problem(422, "Update addresses failed.", {f"{n}.id": "invalid address id"})
        known = {k: v for k, v in fields.items() if k in WRITABLE}
        rows.append(old | known | _country(known))
    for row in rows:
        _replace(call, row["id"], row)
        _tell(call, "updated", row)
    return one(rows)


def delete_addresses(call: Call) -> Answer:
    """DELETE /v3/customers/addresses?id:in=."""
    for key in call.numbers("id:in"):
        row = _address(call, key)
        if row is not None:
            _replace(call, key, None)
            _tell(call, "deleted", row)
    return Answer(204)


def new_address(call: Call, fields: Record, customer: int) -> Record:
    """A complete address of a customer, with an id of its own."""
    known = {k: v for k, v in fields.items() if k in WRITABLE}
    row = {**ADDRESS, **known, **_country(known), "id": next(call.store.serial), "customer_id": customer}
    call.store.new_addresses[row["id"]] = customer
    return row


def _country(fields: Record) -> Record:
    code = fields.get("country_code")
    return {"country": COUNTRIES.get(code, code)} if code else {}


def _owner(call: Call, key: int) -> int:
    return call.store.new_addresses.get(key) or call.store.address_owner(key)


def _address(call: Call, key: int) -> Record | None:
    customer = call.store.customers.get(_owner(call, key))
    return next((row for row in customer["addresses"] if row["id"] == key), None) if customer else None


def _replace(call: Call, key: int, row: Record | None) -> None:
    owner = _owner(call, key)
    customer = call.store.customers[owner]
    kept = [row if a["id"] == key else a for a in customer["addresses"]]
    call.store.customers.put(owner, {**customer, "addresses": [a for a in kept if a is not None]})


def _tell(call: Call, what: str, row: Record) -> None:
    about = {"customer_id": row["customer_id"]}
    call.world.emit(f"store/customer/address/{what}", "customer", row["id"], address=about)


# -- attributes


def attributes(call: Call) -> Answer:
    """GET /v3/customers/attributes."""
    conditions = ATTRIBUTES.conditions(call)
    found = [a for a in call.store.attributes if all(c.holds(_value(a, c.field)) for c in conditions)]
    return v3_page(call, found)


def create_attributes(call: Call) -> Answer:
    """POST /v3/customers/attributes: at most 50 in a store."""
    made: list[Record] = []
    for n, fields in enumerate(call.items()):
        if not fields.get("name") or fields.get("type") not in {"string", "number", "date"}:
            raise Problem(
                422, "Create attributes failed.", {f"{n}.type": "name and a valid type are required"}
            )
        today = call.world.today()
        key = max((a["id"] for a in [*call.store.attributes, *made]), default=0) + 1
        named = {"name": fields["name"], "type": fields["type"]}
        made.append({"id": key, **named, "date_created": today, "date_modified": today})
    if len(call.store.attributes) + len(made) > MOST_ATTRIBUTES:
        raise Problem(422, "Create attributes failed.", {"": f"at most {MOST_ATTRIBUTES} attributes"})
    call.store.attributes.extend(made)
    return one(made)


def values(call: Call) -> Answer:
    """GET /v3/customers/attribute-values."""
    rows = _rows(call, "attributes", VALUES, _owners(call))
    if "name" in call.query:
        wanted = {a["id"] for a in call.store.attributes if a["name"] == call.query["name"]}
        rows = [row for row in rows if row["attribute_id"] in wanted]
    return v3_page(call, rows)


def upsert_values(call: Call) -> Answer:
    """PUT /v3/customers/attribute-values: no webhook, and the customer's date stays (facts, section 7)."""
    known = {a["id"] for a in call.store.attributes}
    for n, fields in enumerate(call.items()):
        if (
            fields.get("customer_id", 0) not in call.store.customers
            or fields.get("attribute_id") not in known
        ):
            raise Problem(
                422, "Set attribute values failed.", {f"{n}.attribute_id": "unknown customer or attribute"}
            )
    rows = []
    for fields in call.items():
        customer = call.store.customers[fields["customer_id"]]
        row = new_attribute(call, fields["attribute_id"], str(fields.get("value", "")), customer["id"])
        others = []
        for old in customer["attributes"]:
            if old["attribute_id"] == row["attribute_id"]:
                row = {**row, "id": old["id"], "date_created": old["date_created"]}
            else:
                others.append(old)
        call.store.customers.put(customer["id"], {**customer, "attributes": [*others, row]})
        rows.append(row)
    return one(rows)


def new_attribute(call: Call, attribute: int, value: str, customer: int) -> Record:
    """A complete attribute value of a customer."""
    today = call.world.today()
    return {
        "id": next(call.store.serial),
        "attribute_id": attribute,
        "attribute_value": value,
        "customer_id": customer,
        "date_created": today,
        "date_modified": today,
    }


# -- form fields


def field_values(call: Call) -> Answer:
    """GET /v3/customers/form-field-values, of customers (addresses have none here); has cursors."""
    if "address_id" in call.query:
        return v3_page(call, [])
    rows = _rows(call, "form_fields", FIELDS, _owners(call, "customer_id"))
    if "field_name" in call.query:
        rows = [row for row in rows if row["name"] == call.query["field_name"]]
    return cursor_page(call, range(len(rows)), rows.__getitem__)


PARTS = "/v3/customers"
ROUTES = (
    Route("GET", f"{PARTS}/addresses", addresses, SCOPE, ADDRESSES.params),
    Route("POST", f"{PARTS}/addresses", create_addresses, SCOPE),
    Route("PUT", f"{PARTS}/addresses", update_addresses, SCOPE),
    Route("DELETE", f"{PARTS}/addresses", delete_addresses, SCOPE, frozenset({"id:in"})),
    Route("GET", f"{PARTS}/attributes", attributes, SCOPE, ATTRIBUTES.params),
    Route("POST", f"{PARTS}/attributes", create_attributes, SCOPE),
    Route("GET", f"{PARTS}/attribute-values", values, SCOPE, VALUES.params),
    Route("PUT", f"{PARTS}/attribute-values", upsert_values, SCOPE),
    Route("GET", f"{PARTS}/form-field-values", field_values, SCOPE, FIELDS.params),
)
