"""/v3/inventory/locations: where a store keeps its stock (locations.v3).

The first location is the default one, the shipping origin, and stays. Deleting another one deletes its stock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from .descriptions import LOCATION
from .wire import (
    Answer,
    Call,
    Filter,
    Listing,
    Problem,
    Route,
    equal,
    ids,
    listed,
    not_found,
    truth,
    v3_page,
)

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_locations"
MOST_ACTIVE = 100
ADDRESS: Final = ("address1", "city", "state", "zip", "email", "geo_coordinates", "country_code")
WRITABLE: Final = frozenset(LOCATION) - {"id", "created_at", "updated_at"}
LISTING: Final = Listing(
    {
        "location_id:in": Filter("id", "in", listed(int)),
        "location_code:in": Filter("code", "in", listed(str)),
        **ids("type_id", str),
        **equal("managed_by_external_source", truth),
        **equal("storefront_visibility", truth),
        "is_active": Filter("enabled", "in", lambda text: frozenset({truth(text)})),
        "is_default": Filter("is_default", "in", lambda text: frozenset({truth(text)})),
    },
    most=1000,
)


def listing(call: Call) -> Answer:
    """GET /v3/inventory/locations: a thousand a page."""
    conditions = LISTING.conditions(call)

    def meets(place: Record) -> bool:
        known = {**place, "is_default": place["id"] == LOCATION["id"]}
        return all(c.holds(known[c.field]) for c in conditions)

    return v3_page(call, [place for place in call.store.locations if meets(place)], most=1000)


def create(call: Call) -> Answer:
    """POST /v3/inventory/locations: an array; a physical one needs its address."""
    made: list[Record] = []
    for n, fields in enumerate(_rows(call)):
        record = {**LOCATION, **{k: v for k, v in fields.items() if k in WRITABLE}}
        if not fields.get("label"):
            raise Problem(422, "Payload contains invalid fields", {f"location.{n}.label": "is required"})
        missing = [name for name in ADDRESS if name not in record["address"]]
        if record["type_id"] == "PHYSICAL" and missing:
            wrong = {f"location.{n}.address.{name}": "is required" for name in missing}
            raise Problem(422, "Payload contains invalid fields", wrong)
        taken = [place["code"] for place in (*call.store.locations, *made)]
        if not fields.get("code") or record["code"] in taken:
            raise Problem(422, "Payload contains invalid fields", {f"location.{n}.code": "must be unique"})
        made.append(record)
    if sum(place["enabled"] for place in (*call.store.locations, *made)) > MOST_ACTIVE:
        raise Problem(422, f"A store can have {MOST_ACTIVE} active locations.")
    today = call.world.today()
    for record in made:
        record |= {"id": max(p["id"] for p in call.store.locations) + 1, "created_at": today}
        call.store.locations.append({**record, "updated_at": today})
        _tell(call, "created", record["id"])
    return _done(call)


def update(call: Call) -> Answer:
    """PUT /v3/inventory/locations: an array of what has an id."""
    by_id = {place["id"]: place for place in call.store.locations}
    rows = _rows(call)
    unknown = {f"location.{n}.id": "unknown" for n, row in enumerate(rows) if row.get("id") not in by_id}
    if unknown:
        raise Problem(422, "Payload contains invalid fields", unknown)
    for row in rows:
        known = {k: v for k, v in row.items() if k in WRITABLE}
        by_id[row["id"]].update(known, updated_at=call.world.today())
        _tell(call, "updated", row["id"])
    return _done(call)


def delete(call: Call) -> Answer:
    """DELETE /v3/inventory/locations: only with location_id:in, and never the shipping origin."""
    keys = set(call.numbers("location_id:in"))
    known = {place["id"]: place for place in call.store.locations}
    if not keys:
        raise Problem(422, "A filter is required.", {"location_id:in": "is required"})
    if keys - known.keys():
        raise not_found("v3")
    if LOCATION["id"] in keys:
        label = known[LOCATION["id"]]["label"]
        reason = f"{label} is set as a shipping origin for this store and can't be deleted."
        raise Problem(422, f"Location can't be deleted. {reason}")
    call.store.locations = [place for place in call.store.locations if place["id"] not in keys]
    call.store.shelves = {at: shelf for at, shelf in call.store.shelves.items() if at[1] not in keys}
    return _done(call)


def _rows(call: Call) -> list[Record]:
    if not isinstance(call.body, list) or not all(isinstance(row, dict) for row in call.body):
        raise Problem(422, "Payload contains invalid fields", {"": "must be an array of objects"})
    return call.body


def _tell(call: Call, what: str, key: int) -> None:
    call.world.deliveries.emit(f"store/inventory/location/{what}", {"location_id": key})


def _done(call: Call) -> Answer:
    return Answer(200, {"transaction_id": str(UUID(int=next(call.store.serial)))})


PATH: Final = "/v3/inventory/locations"
ROUTES = (
    Route("GET", PATH, listing, SCOPE, LISTING.params),
    Route("POST", PATH, create, SCOPE),
    Route("PUT", PATH, update, SCOPE),
    Route("DELETE", PATH, delete, SCOPE, frozenset({"location_id:in"})),
)
