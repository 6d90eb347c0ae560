"""/v3/content/scripts, and which of them a page shows (scripts.v3; facts, section 5).

An app sees only its own scripts, and has ten at most; a storefront has fifty. Pages show a new one at once
(the real ones take some twenty seconds).
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from .wire import Answer, Call, Filter, Listing, Problem, Route, listed, not_found, one, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SCOPE, CHECKOUT_SCOPE = "store_v2_content", "store_content_checkout"
PER_APP, PER_CHANNEL = 10, 50
SCRIPT: Final[Record] = {
    "name": "",
    "description": "",
    "html": "",
    "src": "",
    "auto_uninstall": False,
    "load_method": "default",
    "location": "footer",
    "visibility": "storefront",
    "kind": "src",
    "consent_category": "unknown",
    "enabled": True,
    "channel_id": 1,
    "integrity_hashes": [],
}
CHOICES: Final = {
    "load_method": ("default", "async", "defer"),
    "location": ("head", "footer"),
    "visibility": ("storefront", "all_pages", "checkout", "order_confirmation"),
    "kind": ("src", "script_tag"),
    "consent_category": ("essential", "functional", "analytics", "targeting", "unknown"),
}
ONE_TAG: Final = re.compile(r"\s*<script\b[^>]*>(?:(?!<script\b).)*</script>\s*", re.S | re.I)
LONGEST_NAME, LONGEST_HTML, MOST_HASHES = 255, 65_536, 5
LISTING: Final = Listing(
    {"channel_id:in": Filter("channel_id", "in", listed(int))},
    sorts=frozenset({"name", "description", "date_created", "date_modified"}),
    other=frozenset({"direction"}),
)


def listing(call: Call) -> Answer:
    """GET /v3/content/scripts: those of the caller's own API account."""
    conditions = LISTING.conditions(call)
    rows = [row for row in _own(call) if all(c.holds(row[c.field]) for c in conditions)]
    sort = call.query.get("sort", "date_created")
    if sort not in LISTING.sorts:
        raise Problem(422, "Invalid sort.", {"sort": f"cannot sort by {sort}"})
    rows.sort(key=lambda row: row[sort], reverse=call.query.get("direction") == "desc")
    return v3_page(call, rows)


def read(call: Call) -> Answer:
    """GET /v3/content/scripts/{uuid}."""
    return one(_find(call))


def create(call: Call) -> Answer:
    """POST /v3/content/scripts: answers 200."""
    fields = call.fields()
    record = _checked(call, {**SCRIPT, **_known(fields)}, fields)
    if len(_own(call)) >= PER_APP:
        raise Problem(422, f"An app can have {PER_APP} scripts.", {"": f"at most {PER_APP} scripts"})
    here = [s for s in call.world.scripts.values() if s["channel_id"] == record["channel_id"]]
    if len(here) >= PER_CHANNEL:
        raise Problem(422, f"A channel can have {PER_CHANNEL} scripts.", {"channel_id": "has too many"})
    today, key = call.world.today(), str(uuid4())
    made = {"uuid": key, "date_created": today, "date_modified": today}
    call.world.scripts[key] = {**record, **made, "api_client_id": call.account.client_id}
    _tell(call, record["channel_id"], "created", key)
    return one(call.world.scripts[key])


def update(call: Call) -> Answer:
    """PUT /v3/content/scripts/{uuid}."""
    old, fields = _find(call), call.fields()
    record = _checked(call, {**old, **_known(fields)}, fields)
    record["date_modified"] = call.world.today()
    call.world.scripts[old["uuid"]] = record
    _tell(call, record["channel_id"], "updated", old["uuid"])
    return one(record)


def delete(call: Call) -> Answer:
    """DELETE /v3/content/scripts/{uuid}."""
    del call.world.scripts[_find(call)["uuid"]]
    return Answer(204)


def tags(call: Call, channel: int, page: str, location: str) -> str:
    """The script tags that a page of a storefront has in its head or footer, as HTML.

    `storefront` covers all pages but the checkout and the order's confirmation, `all_pages` covers all.
    Behind a cookie banner only essential scripts run: nobody here gives consent.
    """
    allowed = {"essential"} if call.world.cookie_banner else set(CHOICES["consent_category"])
    return "".join(
        _tag(script)
        for script in call.world.scripts.values()
        if script["enabled"]
        and script["channel_id"] == channel
        and script["location"] == location
        and script["visibility"] in {page, "all_pages"}
        and script["consent_category"] in allowed
    )


def _tag(script: Record) -> str:
    if script["kind"] == "script_tag":
        return str(script["html"])
    loading = "" if script["load_method"] == "default" else f" {script['load_method']}"
    hashes = " ".join(script["integrity_hashes"])
    integrity = f' integrity="{escape(hashes)}" crossorigin="anonymous"' if hashes else ""
    return f'<script src="{escape(script["src"])}"{loading}{integrity}></script>'


def _tell(call: Call, channel: int, what: str, key: str) -> None:
    call.world.deliveries.emit(f"store/channel/{channel}/script/{what}", {"uuid": key})


def _own(call: Call) -> list[Record]:
    return [s for s in call.world.scripts.values() if s["api_client_id"] == call.account.client_id]


def _find(call: Call) -> Record:
    found = next((s for s in _own(call) if s["uuid"] == call.path["uuid"]), None)
    if found is None:
        raise not_found("v3")
    return found


def _known(fields: Record) -> Record:
    return {k: v for k, v in fields.items() if k in SCRIPT}


def _checked(call: Call, record: Record, fields: Record) -> Record:
    """A script that may be stored; pages of the checkout need a scope of their own (403)."""
    wrong: dict[str, str] = {}
    for name, choices in CHOICES.items():
        if record[name] not in choices:
            wrong[name] = f"must be one of {', '.join(choices)}"
    if not isinstance(record["name"], str) or not 0 < len(record["name"]) <= LONGEST_NAME:
        wrong["name"] = f"must have 1 to {LONGEST_NAME} characters"
    wrong |= _wrong_content(record, fields)
    if call.store.channel(record["channel_id"]) is None:
        wrong["channel_id"] = "is not a channel of this store"
    if len(record["integrity_hashes"]) > MOST_HASHES:
        wrong["integrity_hashes"] = f"at most {MOST_HASHES}"
    if wrong:
        raise Problem(422, "JSON data is missing or invalid", wrong)
    if record["visibility"] in {"all_pages", "checkout"} and CHECKOUT_SCOPE not in call.account.scopes:
        raise Problem(403, "You don't have a required scope to access the endpoint")
    return record


def _wrong_content(record: Record, fields: Record) -> dict[str, Any]:
    """What is wrong with `src` and `html`: each kind of script has one of the two, not the other."""
    if record["kind"] == "src":
        if fields.get("html"):
            return {"html": "must not be given with kind src"}
        fine = isinstance(record["src"], str) and record["src"].startswith(("http://", "https://", "//"))
        return {} if fine else {"src": "must be a URL"}
    wrong = {}
    if fields.get("src"):
        wrong["src"] = "must not be given with kind script_tag"
    html = record["html"]
    if not isinstance(html, str) or len(html) > LONGEST_HTML or not ONE_TAG.fullmatch(html):
        wrong["html"] = "must be exactly one script tag"
    if record["load_method"] != "default":
        wrong["load_method"] = "must be default with kind script_tag"
    return wrong


PATH: Final = "/v3/content/scripts"
ROUTES = (
    Route("GET", PATH, listing, SCOPE, LISTING.params),
    Route("POST", PATH, create, SCOPE),
    Route("GET", f"{PATH}/{{uuid}}", read, SCOPE),
    Route("PUT", f"{PATH}/{{uuid}}", update, SCOPE),
    Route("DELETE", f"{PATH}/{{uuid}}", delete, SCOPE),
)
