"""/v3/promotions and their codes (promotions.v3; the promotions guide of BigCommerce's docs).

Errors are a list of status and title here, unlike elsewhere in V3 (ErrorResponse), and a bulk deletion says
how far it came (BulkDeleteResponse). The titles are ours but for the bulk ones. A promotion that has ended
keeps its status; checkouts refuse its codes.
"""

from __future__ import annotations

import base64
import json
import secrets
import string
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from . import dates
from .promotion_bodies import Batch, Code, Draft, Patch, dropped, plain
from .wire import (
    Answer,
    Call,
    Filter,
    Listing,
    Problem,
    Route,
    equal,
    lower,
    not_found,
    one,
    v3_page,
    window,
)

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_marketing"
MOST, MOST_PROMOTIONS, MOST_CODES = 250, 50, 250
READ_ONLY: Final = frozenset({"id", "created_from", "current_uses", "multiple_codes"})
PROMOTION: Final[Record] = {
    "id": 0,
    "redemption_type": "",
    "name": "",
    "display_name": "",
    "channels": [],
    "customer": {"group_ids": [], "minimum_order_count": 0, "excluded_group_ids": [], "segments": None},
    "rules": [],
    "current_uses": 0,
    "max_uses": None,
    "status": "ENABLED",
    "start_date": "",
    "end_date": None,
    "stop": False,
    "can_be_used_with_other_promotions": True,
    "currency_code": "",
    "notifications": [],
    "shipping_address": None,
    "schedule": None,
    "created_from": "api",
}
OVERRIDES: Final = (
    *("coupon_overrides_other_promotions", "coupon_overrides_automatic_when_offering_higher_discounts"),
)
OF_COUPONS: Final[Record] = {"coupon_type": "SINGLE", **dict.fromkeys(OVERRIDES, False)}
STATUSES, REDEMPTIONS = ("ENABLED", "DISABLED", "INVALID"), ("automatic", "coupon")


def _status(text: str) -> str:
    if text.upper() not in STATUSES:
        raise ValueError(text)
    return text.upper()


def _redemption(text: str) -> frozenset[str]:
    """The kinds of promotion that are asked for: all, when the parameter is empty, as it may be."""
    if text not in {"", *REDEMPTIONS}:
        raise ValueError(text)
    return frozenset(kind.upper() for kind in REDEMPTIONS if text in {"", kind})


LISTING: Final = Listing(
    {
        **equal("id"),
        **equal("name", lower),
        **equal("currency_code", str),
        **equal("status", _status),
        "redemption_type": Filter("redemption_type", "in", _redemption),
    },
    sorts=frozenset({"id", "name", "priority", "start_date"}),
    other=frozenset({"code", "query", "channels"}),
)
Body = TypeVar("Body", bound=msgspec.Struct)


class Refusal(Problem):
    """An error in the words of this API; `meta` is that of a bulk action."""

    def __init__(self, problem: Problem, meta: Record | None = None) -> None:
        super().__init__(problem.status, problem.title, problem.errors)
        self.meta = meta

    def body(self, version: str) -> Any:
        """ErrorResponse, BulkDeleteResponse or ErrorResponse405 (whose status is a string)."""
        if self.meta is not None:
            return {"errors": [super().body(version)], "meta": self.meta}
        if self.status == 405:
            return {"status": str(self.status), "title": self.title, "error": self.title}
        wrong = "".join(f" {name}: {what}" for name, what in (self.errors or {}).items())
        return {"errors": [{"status": self.status, "title": self.title + wrong}]}


# -- /v3/promotions


def listing(call: Call) -> Answer:
    """GET /v3/promotions; promotions for all channels are among those of any channel."""
    conditions, channels = LISTING.conditions(call), set(call.numbers("channels"))
    code, words = call.query.get("code", "").lower(), call.query.get("query", "").lower()

    def meets(row: Record) -> bool:
        targets = {channel["id"] for channel in row["channels"]}
        known = {**row, "name": row["name"].lower()}
        return (
            all(c.holds(known[c.field]) for c in conditions)
            and (not code or code in row["codes"])
            and (not words or words in known["name"] or any(words in name for name in row["codes"]))
            and (not channels or not targets or not targets.isdisjoint(channels))
        )

    rows = [row for row in call.store.promotions if meets(row)]
    sort, direction = call.query.get("sort") or "id", call.query.get("direction") or "asc"
    if sort not in LISTING.sorts or direction not in {"asc", "desc"}:
        raise Problem(422, "Invalid sort.", {"sort": f"{sort} {direction} is not valid"})
    # priority is not a field; promotions that nobody has moved have that of their making
    rows.sort(key=lambda row: row["id" if sort == "priority" else sort], reverse=direction == "desc")
    return v3_page(call, rows, _shown, MOST, "refuse")


def read(call: Call) -> Answer:
    """GET /v3/promotions/{id}."""
    return one(_shown(_found(call)))


def create(call: Call) -> Answer:
    """POST /v3/promotions: a name, a redemption type, and at least one rule with an action."""
    fields = _read(call, Draft)
    own = OF_COUPONS if fields["redemption_type"] == "COUPON" else {}
    made = {"start_date": call.world.today(dates.offset), "currency_code": call.store.info["currency"]}
    record = _checked(call, {**PROMOTION, **own, **made}, fields)
    record |= {"id": _new_id(call), "codes": {}}
    call.store.promotions.append(record)
    return one(_shown(record), 201)


def update(call: Call) -> Answer:
    """PUT /v3/promotions/{id}: what the body names is replaced."""
    record, fields = _found(call), _read(call, Patch)
    for name in ("redemption_type", "coupon_type"):
        if name in record and fields.get(name, record[name]) != record[name]:
            raise Problem(422, "Invalid promotion.", {name: "cannot be changed"})
    record.update(_checked(call, record, fields))
    return one(_shown(record))


def delete(call: Call) -> Answer:
    """DELETE /v3/promotions/{id}: with its codes; 204 also when there is none."""
    call.store.promotions[:] = [row for row in call.store.promotions if str(row["id"]) != call.path["id"]]
    return Answer(204)


def delete_many(call: Call) -> Answer:
    """DELETE /v3/promotions?id:in=: 50 at most, and none that still has codes."""
    keys = _batch(call, MOST_PROMOTIONS)
    found = {row["id"]: row for row in call.store.promotions}
    held = {f"{n}.code": key for n, key in enumerate(keys) if key in found and found[key]["codes"]}
    gone = set(keys) - set(held.values())
    call.store.promotions[:] = [row for row in call.store.promotions if row["id"] not in gone]
    if held:
        text = "Failed for id={}. Error: some relating codes are still present."
        errors = {name: text.format(key) for name, key in held.items()}
        meta = {"total": len(keys), "success": len(keys) - len(held), "failed": len(held)}
        raise Refusal(Problem(422, "Errors occurred in bulk delete action.", errors), meta)
    return Answer(204)


def _shown(record: Record) -> Record:
    """A promotion as the API shows it: its codes are elsewhere."""
    return {k: v for k, v in record.items() if k != "codes"}


def _checked(call: Call, old: Record, fields: Record) -> Record:
    """A promotion that may be stored: `old` with those fields of a body that its redemption type has."""
    record = old | {name: value for name, value in fields.items() if name in old}
    for name in ("start_date", "end_date"):
        record[name] = record[name] and dates.offset(dates.parse(record[name]))
    wrong: dict[str, str] = {}
    if record["end_date"] and record["end_date"] <= record["start_date"]:
        wrong["end_date"] = "must be after start_date"
    transactional = {c["currency_code"] for c in call.store.currencies if c["is_transactional"]}
    if record["currency_code"] not in {"*", *transactional}:
        wrong["currency_code"] = "is not a transactional currency of this store"
    if any(call.store.channel(channel["id"]) is None for channel in record["channels"]):
        wrong["channels"] = "not all are channels of this store"
    combines = record["redemption_type"] == "AUTOMATIC" or record["can_be_used_with_other_promotions"]
    for name in OVERRIDES:
        if combines and fields.get(name, record.get(name)):
            wrong[name] = "needs a coupon promotion that cannot be used with other promotions"
    if wrong:
        raise Problem(422, "Invalid promotion.", wrong)
    return record


# -- their codes


def codes(call: Call) -> Answer:
    """GET /v3/promotions/{id}/codes."""
    rows = list(_found(call)["codes"].values())
    code = call.query.get("code", "").lower()
    return _code_page(call, [row for row in rows if not code or row["code"].lower() == code])


def code_by_name(call: Call) -> Answer:
    """GET /v3/promotions/codes?code=: a list of one, or of none."""
    code = _code_asked(call)
    return _code_page(call, [row["codes"][code] for row in call.store.promotions if code in row["codes"]])


def create_code(call: Call) -> Answer:
    """POST /v3/promotions/{id}/codes: one of one's own choice; a SINGLE promotion has one."""
    record, fields = _found(call), _read(call, Code)
    if record["redemption_type"] != "COUPON":
        raise Problem(422, "An automatic promotion has no codes.")
    if record["coupon_type"] == "SINGLE" and record["codes"]:
        raise Problem(422, "A promotion with coupon_type SINGLE has one code.")
    return one(_new_code(call, record, fields), 201)


def generate_codes(call: Call) -> Answer:
    """POST /v3/promotions/{id}/codegen: up to 250 random ones for a promotion of BULK codes."""
    record = _found(call)
    if record.get("coupon_type") != "BULK":
        title = "Bulk code generation is only supported for coupon promotions with coupon_type BULK."
        raise Problem(405, title)
    fields = _read(call, Batch)
    letters = sorted(set(string.ascii_uppercase + string.digits) - set(fields["exclude_characters"]))
    if not letters:
        raise Problem(422, "Invalid codes.", {"exclude_characters": "nothing is left"})
    limits = {name: fields[name] for name in ("max_uses", "max_uses_per_customer")}
    made = []
    for _ in range(fields["batch_size"]):
        middle = "".join(secrets.choice(letters) for _ in range(fields["code_length"]))
        parts = (part for part in (fields["prefix"], middle, fields["suffix"]) if part)
        made.append(_new_code(call, record, {**limits, "code": fields["delimiter"].join(parts)}))
    shown = {**limits, "batch_size": len(made), "codes": [{"code": row["code"]} for row in made]}
    return one({**shown, "created": call.world.today(dates.offset)}, 201)


def delete_code(call: Call) -> Answer:
    """DELETE /v3/promotions/{id}/codes/{code}: 204 also when there is none."""
    _take_codes(call, lambda record, row: (str(record["id"]), str(row["id"])) == _pair(call))
    return Answer(204)


def delete_code_by_name(call: Call) -> Answer:
    """DELETE /v3/promotions/codes?code=: 204 also when there is none."""
    wanted = _code_asked(call)
    _take_codes(call, lambda _, row: row["code"].lower() == wanted)
    return Answer(204)


def delete_codes(call: Call) -> Answer:
    """DELETE /v3/promotions/{id}/codes?id:in=: 250 at most; `code` chooses among them."""
    itself, keys = _found(call), set(_batch(call, MOST_CODES))
    code = call.query.get("code", "").lower()

    def meant(record: Record, row: Record) -> bool:
        return record is itself and row["id"] in keys and code in {"", row["code"].lower()}

    _take_codes(call, meant)
    return Answer(204)


def _pair(call: Call) -> tuple[str, str]:
    return call.path["id"], call.path["code"]


def _take_codes(call: Call, meant: Callable[[Record, Record], bool]) -> None:
    for record in call.store.promotions:
        record["codes"] = {name: row for name, row in record["codes"].items() if not meant(record, row)}


def _new_code(call: Call, record: Record, fields: Record) -> Record:
    """A new code; 422 when another promotion or a coupon of the store has it, in whatever case."""
    name = fields["code"].lower()
    coupons = {coupon["code"].lower() for coupon in call.store.coupons}
    if name in coupons or any(name in each["codes"] for each in call.store.promotions):
        raise Problem(422, "Invalid code.", {"code": "is in use already"})
    limits = {key: fields[key] for key in ("max_uses", "max_uses_per_customer")}
    made = {"id": _new_id(call), "code": fields["code"], "current_uses": 0}
    record["codes"][name] = {**made, **limits, "created": call.world.today(dates.offset)}
    row: Record = record["codes"][name]
    return row


# -- what both need


def _new_id(call: Call) -> int:
    return next(call.store.serial) % 10**12 + 1


def _found(call: Call) -> Record:
    found = next((row for row in call.store.promotions if row["id"] == call.key()), None)
    if found is None:
        raise not_found("v3")
    return found


def _read(call: Call, kind: type[Body]) -> Record:
    """The body as a type has it; 422 when it does not fit, and a note of what the real API drops."""
    body = call.fields()
    try:
        fields = plain(msgspec.convert(body, kind))
    except msgspec.ValidationError as error:
        raise Problem(422, f"{error}.") from None
    for path in dropped({k: v for k, v in body.items() if k not in READ_ONLY}, fields):
        call.world.suspect(f"dropped from the body: {path}")
    return fields


def _code_asked(call: Call) -> str:
    if not call.query.get("code"):
        raise Problem(422, "Parameter code is required")
    return call.query["code"].lower()


def _batch(call: Call, most: int) -> list[int]:
    """The ids of a bulk deletion; without them, malformed or too many nothing happens at all."""
    nothing = {"total": 0, "success": 0, "failed": 0}
    if not call.query.get("id:in"):
        raise Refusal(Problem(422, "Parameter id:in is required"), nothing)
    try:
        keys = call.numbers("id:in")
    except Problem as problem:
        raise Refusal(problem, nothing) from None
    if len(keys) > most:
        raise Refusal(Problem(422, f"Batches are limited to {most}."), nothing)
    return keys


def _code_page(call: Call, rows: list[Record]) -> Answer:
    """A page of codes, by number (deprecated) or cursor; without either, both (OptionalCursorCollectionMeta).

    A page that is not empty names a next one, even the last.
    """
    asked = call.query.keys() & {"page", "before", "after"}
    if len(asked) > 1:
        raise Problem(422, f"The parameters {' and '.join(sorted(asked))} exclude each other.")
    _, limit = window(call, MOST, "refuse")
    if asked <= {"page"}:
        answer = v3_page(call, rows, most=MOST, ceiling="refuse")
        if not asked:
            answer.body["meta"]["cursor_pagination"] = _cursors(rows[:limit], limit, first=True)
        return answer
    (side,) = asked
    key = _key(side, call.query[side])
    if side == "after":
        part = [row for row in rows if row["id"] > key][:limit]
    else:
        part = [row for row in rows if row["id"] < key][-limit:]
    first = bool(part) and part[0] is rows[0]
    return Answer(200, {"data": part, "meta": {"cursor_pagination": _cursors(part, limit, first=first)}})


def _cursors(part: list[Record], limit: int, *, first: bool) -> Record:
    if not part:
        return {"count": 0, "per_page": limit, "links": {}}
    start, end = _cursor(part[0]["id"]), _cursor(part[-1]["id"])
    links = {"next": "?" + urlencode({"limit": limit, "after": end})}
    if not first:
        links["previous"] = "?" + urlencode({"limit": limit, "before": start})
    return {
        "count": len(part),
        "per_page": limit,
        "start_cursor": start,
        "end_cursor": end,
        "links": links,
    }


def _cursor(key: int) -> str:
    """The opaque cursor of an id, as the official example has it: base64 of `{"id":"7"}`."""
    return base64.b64encode(json.dumps({"id": str(key)}, separators=(",", ":")).encode()).decode()


def _key(side: str, cursor: str) -> int:
    try:
        return int(json.loads(base64.b64decode(cursor, validate=True))["id"])
    except (ValueError, KeyError, TypeError):
        raise Problem(422, "Invalid cursor.", {side: "not a cursor"}) from None


def _worded(route: Route) -> Route:
    """The route with every problem in the words of this API."""

    def handler(call: Call) -> Answer:
        try:
            return route.handler(call)
        except Refusal:
            raise
        except Problem as problem:
            raise Refusal(problem) from None

    return replace(route, handler=handler)


PATH: Final = "/v3/promotions"
ONE, CODES, BY_NAME = f"{PATH}/{{id}}", f"{PATH}/{{id}}/codes", f"{PATH}/codes"
BULK, NAMED = frozenset({"id:in"}), frozenset({"code"})
PAGES: Final = frozenset({"page", "limit", "before", "after"})
ROUTES = tuple(
    _worded(route)
    for route in (
        Route("GET", PATH, listing, SCOPE, LISTING.params),
        Route("POST", PATH, create, SCOPE),
        Route("DELETE", PATH, delete_many, SCOPE, BULK),
        Route("GET", BY_NAME, code_by_name, SCOPE, NAMED),
        Route("DELETE", BY_NAME, delete_code_by_name, SCOPE, NAMED),
        Route("GET", ONE, read, SCOPE),
        Route("PUT", ONE, update, SCOPE),
        Route("DELETE", ONE, delete, SCOPE),
        Route("GET", CODES, codes, SCOPE, PAGES | NAMED),
        Route("POST", CODES, create_code, SCOPE),
        Route("DELETE", CODES, delete_codes, SCOPE, BULK | NAMED),
        Route("DELETE", f"{CODES}/{{code}}", delete_code, SCOPE),
        Route("POST", f"{PATH}/{{id}}/codegen", generate_codes, SCOPE),
    )
)
