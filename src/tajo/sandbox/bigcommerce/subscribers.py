"""/v3/customers/subscribers (subscribers.v3; facts, section 4): a record is not consent, `consents` is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .shapes import SUBSCRIBER
from .store import Condition
from .wire import Answer, Call, Listing, Problem, Route, dated, equal, ids, lower, not_found, one, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_customers"
CONSENTS: Final = frozenset({"marketing_newsletter", "abandoned_cart"})
WRITABLE: Final = frozenset(SUBSCRIBER) - {"id", "date_created", "date_modified"}
LISTING: Final = Listing(
    {
        **ids("id"),
        **equal("id"),
        **equal("email", lower),
        **equal("first_name", str),
        **equal("last_name", str),
        **equal("source", str),
        **equal("order_id"),
        **dated("date_created"),
        **dated("date_modified"),
    }
)


def listing(call: Call) -> Answer:
    """GET /v3/customers/subscribers."""
    subscribers = call.store.subscribers
    return v3_page(call, LISTING.select(call, subscribers), subscribers.__getitem__)


def read(call: Call) -> Answer:
    """GET /v3/customers/subscribers/{id}."""
    return one(_find(call))


def create(call: Call) -> Answer:
    """POST: 409 when the e-mail has a subscriber on that channel already."""
    fields, today = _known(call), call.world.today()
    if "@" not in str(fields.get("email", "")):
        raise Problem(422, "Invalid subscriber.", {"email": "A valid email is required."})
    record = {**SUBSCRIBER, **fields, "date_created": today, "date_modified": today}
    _no_twin(call, record)
    key = record["id"] = call.store.subscribers.new_id()
    call.store.subscribers.put(key, record)
    call.world.emit("store/subscriber/created", "subscriber", key)
    return one(record)


def update(call: Call) -> Answer:
    """PUT /v3/customers/subscribers/{id}."""
    record = {**_find(call), **_known(call)}
    _no_twin(call, record)
    return one(_change(call, record))


def of_checkout(call: Call, order: Record) -> Record:
    """A checkout leaves a subscriber (docs#273); its consents are empty unless the shopper ticked the box."""
    email, channel = order["billing_address"]["email"], order["channel_id"]
    consents = ["marketing_newsletter"] if order["is_email_opt_in"] else []
    known = _of_email(call, email, channel)
    if known is None:
        today, key = call.world.today(), call.store.subscribers.new_id()
        whose = {"id": key, "email": email, "channel_id": channel, "consents": consents}
        origin = {"source": "order", "order_id": order["id"], "date_created": today, "date_modified": today}
        names = {name: order["billing_address"][name] for name in ("first_name", "last_name")}
        call.world.emit("store/subscriber/created", "subscriber", key)
        return call.store.subscribers.put(key, {**SUBSCRIBER, **whose, **names, **origin})
    if set(consents) <= set(known["consents"]):
        return known
    return _change(call, {**known, "consents": [*known["consents"], *consents]})


def _change(call: Call, record: Record) -> Record:
    changed = {**record, "date_modified": call.world.today()}
    call.store.subscribers.put(changed["id"], changed)
    call.world.emit("store/subscriber/updated", "subscriber", changed["id"])
    return changed


def delete(call: Call) -> Answer:
    """DELETE /v3/customers/subscribers/{id}."""
    _remove(call, _find(call)["id"])
    return Answer(204)


def delete_all(call: Call) -> Answer:
    """DELETE /v3/customers/subscribers: without a filter it deletes all of them, as the real one does."""
    for key in list(LISTING.select(call, call.store.subscribers)):
        _remove(call, key)
    return Answer(204)


def _remove(call: Call, key: int) -> None:
    call.store.subscribers.remove(key)
    call.world.emit("store/subscriber/deleted", "subscriber", key)


def _find(call: Call) -> Record:
    record = call.store.subscribers.get(call.key())
    if record is None:
        raise not_found("v3")
    return record


def _known(call: Call) -> Record:
    fields = {k: v for k, v in call.fields().items() if k in WRITABLE}
    if not set(fields.get("consents", ())) <= CONSENTS:
        raise Problem(422, "Invalid subscriber.", {"consents": f"must be of {', '.join(sorted(CONSENTS))}"})
    return fields


def _of_email(call: Call, email: str, channel: int) -> Record | None:
    """The subscriber of an e-mail on a channel: there is one at most."""
    same = Condition("email", "in", frozenset({email.lower()}))
    found = [call.store.subscribers[key] for key in call.store.subscribers.select([same])]
    return next((row for row in found if row["channel_id"] == channel), None)


def _no_twin(call: Call, record: Record) -> None:
    twin = _of_email(call, record["email"], record["channel_id"])
    if twin and twin["id"] != record["id"]:
        raise Problem(409, "Subscriber conflict.", {"email": "The email is already subscribed."})


PATH = "/v3/customers/subscribers"
ROUTES = (
    Route("GET", PATH, listing, SCOPE, LISTING.params),
    Route("POST", PATH, create, SCOPE),
    Route("DELETE", PATH, delete_all, SCOPE, LISTING.params),
    Route("GET", f"{PATH}/{{id}}", read, SCOPE),
    Route("PUT", f"{PATH}/{{id}}", update, SCOPE),
    Route("DELETE", f"{PATH}/{{id}}", delete, SCOPE),
)
