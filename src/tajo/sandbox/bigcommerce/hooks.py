"""/v3/hooks and /v3/hooks/admin: our webhooks and their rules (facts, section 7; webhooks.v3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .deliveries import EXCEPTIONS, Hook
from .wire import Answer, Call, Problem, Route, not_found, one, truth, v3_page

if TYPE_CHECKING:
    from .shapes import Record

PER_SCOPE = 10
HEADERS, NAME_BYTES, VALUE_BYTES = 64, 64, 8192
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
CHANGES: Final = "created updated deleted"
METAFIELD: Final = "metafield/created metafield/updated metafield/deleted"
EVENTS: Final = {
    "app": "uninstalled",
    "brand": f"metafield/* {METAFIELD}",
    "cart": f"* {CHANGES} abandoned converted couponApplied lineItem/* lineItem/created lineItem/updated "
    f"lineItem/deleted {METAFIELD}",
    "category": f"* {CHANGES} {METAFIELD}",
    "channel": f"* created updated {METAFIELD}",
    "customer": f"* {CHANGES} address/* address/created address/updated address/deleted "
    "channel/login/access/updated payment/instrument/default/updated",
    "hook": "deliveryException",
    "information": "updated",
    "inventory": "location/created location/updated",
    "metafield": f"* {CHANGES}",
    "modifier": "updated",
    "option": "updated",
    "order": f"* created updated archived statusUpdated message/created refund/created transaction/created "
    f"transaction/updated {METAFIELD}",
    "priceList": f"{CHANGES} activated deactivated assignment/updated assignment/deleted record/created "
    "record/updated record/deleted records/created records/updated records/deleted",
    "product": f"* {CHANGES} inventory/updated inventory/order/updated metafield/* {METAFIELD}",
    "shipment": f"* {CHANGES}",
    "sku": f"* {CHANGES} inventory/updated inventory/order/updated",
    "subscriber": f"* {CHANGES}",
}
SCOPES: Final = frozenset(f"store/{entity}/{e}" for entity, text in EVENTS.items() for e in text.split())
CHANNEL_SCOPE: Final = re.compile(r"store/channel/(\d+|\*)/[a-zA-Z_]+(/[a-zA-Z_]+)*(/\*)?")


def listing(call: Call) -> Answer:
    """GET /v3/hooks with is_active, scope and destination."""
    call.world.deliveries.sweep()
    found = _own(call)
    for name, text in call.query.items():
        if name == "is_active":
            found = [h for h in found if (h.state == "active") == truth(text)]
        elif name in {"scope", "destination"}:
            found = [h for h in found if getattr(h, name) == text]
    return v3_page(call, found, lambda hook: _shown(call, hook))


def read(call: Call) -> Answer:
    """GET /v3/hooks/{id}."""
    return one(_shown(call, _find(call)))


def create(call: Call) -> Answer:
    """POST /v3/hooks: answers 200, not 201."""
    fields = call.fields()
    hooks = call.world.deliveries.hooks
    scope, destination = _checked(call, fields.get("scope"), fields.get("destination"), None)
    now = call.world.now()
    key = max(hooks, default=30_000_000) + 1
    state = "active" if fields.get("is_active", True) else "inactive"
    headers = _headers(fields.get("headers"))
    hooks[key] = Hook(key, call.account, scope, destination, headers, state, now, now, call.world.clock())
    return one(_shown(call, hooks[key]))


def update(call: Call) -> Answer:
    """PUT /v3/hooks/{id}: any of scope, destination, is_active, headers; re-activates a deactivated hook."""
    hook, fields = _find(call), call.fields()
    if not fields:
        raise Problem(422, "At least one field is required.", {"": "no field was given"})
    scope, destination = fields.get("scope", hook.scope), fields.get("destination", hook.destination)
    hook.scope, hook.destination = _checked(call, scope, destination, hook)
    if "headers" in fields:
        hook.headers = _headers(fields["headers"])
    if "is_active" in fields:
        hook.state = "active" if fields["is_active"] else "inactive"
        hook.last_event = call.world.clock()
    hook.updated_at = call.world.now()
    return one(_shown(call, hook))


def delete(call: Call) -> Answer:
    """DELETE /v3/hooks/{id}: answers 200 with the hook that is no more."""
    hook = _find(call)
    del call.world.deliveries.hooks[hook.id]
    return one(_shown(call, hook))


def admin(call: Call) -> Answer:
    """GET /v3/hooks/admin: the state of every hook and the blocked domains."""
    deliveries, now = call.world.deliveries, call.world.clock()
    deliveries.sweep()
    found = _own(call)
    if "is_active" in call.query:
        found = [h for h in found if (h.state == "active") == truth(call.query["is_active"])]
    blocked = [
        {
            "destination": name,
            "time_left": int(domain.blocked_until - now),
            "reasons": [
                {
                    "failure_description": "Success ratio below 90 %",
                    "count": domain.failures,
                    "timestamp": int(domain.blocked_at),
                }
            ],
        }
        for (client, name), domain in deliveries.domains.items()
        if domain.blocked_until > now and client == call.account.client_id
    ]
    page = v3_page(call, found, lambda hook: {**_shown(call, hook), "status": hook.state})
    body = {"emails": call.world.emails, "hooks_list": page.body["data"], "blocked_domains": blocked}
    return Answer(200, {"data": body, "meta": page.body["meta"]})


def set_admin(call: Call) -> Answer:
    """PUT /v3/hooks/admin: the addresses that hear of deactivated hooks."""
    emails = call.fields().get("emails")
    if not isinstance(emails, list) or not all(isinstance(e, str) and "@" in e for e in emails):
        raise Problem(422, "Invalid emails.", {"emails": "must be a list of e-mail addresses"})
    call.world.emails = emails
    return Answer(204)


def _own(call: Call) -> list[Hook]:
    """The hooks of the caller's client id: nobody sees those of another API account."""
    return [h for h in call.world.deliveries.hooks.values() if h.account.client_id == call.account.client_id]


def _find(call: Call) -> Hook:
    call.world.deliveries.sweep()
    key = call.key()
    hook = next((h for h in _own(call) if h.id == key), None)
    if hook is None:
        raise not_found("v3")
    return hook


def _shown(call: Call, hook: Hook) -> Record:
    return {
        "id": hook.id,
        "client_id": hook.account.client_id,
        "store_hash": call.store.hash,
        "scope": hook.scope,
        "destination": hook.destination,
        "headers": hook.headers or None,
        "is_active": hook.state == "active",
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
    }


def _checked(call: Call, scope: object, destination: object, itself: Hook | None) -> tuple[str, str]:
    """Scope and destination, if allowed: https on 443 (or loopback, our leniency), 10 a scope, no twins.

    The hook that hears of failed deliveries is alone in its scope, and at a destination of its own.
    """
    if not isinstance(scope, str) or not (scope in SCOPES or CHANNEL_SCOPE.fullmatch(scope)):
        raise Problem(422, "Invalid scope.", {"scope": "The scope is not valid."})
    if not isinstance(destination, str) or not _reachable(destination):
        raise Problem(
            422, "Invalid destination.", {"destination": "The destination must be an https URL on port 443."}
        )
    everything = [hook for hook in _own(call) if hook is not itself]
    others = [hook for hook in everything if hook.scope == scope]
    alarms = [hook for hook in everything if EXCEPTIONS in {scope, hook.scope}]
    if any(EXCEPTIONS == hook.scope == scope or hook.destination == destination for hook in alarms):
        text = f"{EXCEPTIONS} has one webhook, and no other webhook has its destination."
        raise Problem(422, "Invalid webhook.", {"destination": text})
    if any(h.destination == destination for h in others):
        raise Problem(
            422, "Duplicate webhook.", {"destination": "A webhook with this scope and destination exists."}
        )
    if len(others) >= PER_SCOPE:
        raise Problem(
            422, "Too many webhooks.", {"scope": f"At most {PER_SCOPE} webhooks per scope are allowed."}
        )
    return scope, destination


def _reachable(destination: str) -> bool:
    url = urlsplit(destination)
    if url.hostname in LOOPBACK:
        return url.scheme in {"http", "https"}
    return url.scheme == "https" and bool(url.hostname) and url.port in {None, 443}


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > HEADERS:
        raise Problem(422, "Invalid headers.", {"headers": f"must be an object of at most {HEADERS} strings"})
    for name, text in value.items():
        if not isinstance(text, str) or len(name.encode()) > NAME_BYTES or len(text.encode()) > VALUE_BYTES:
            raise Problem(422, "Invalid headers.", {f"headers.{name}": "must be a string of at most 8 kB"})
    return value


FLAGS = frozenset({"is_active"})
ROUTES = (
    Route("GET", "/v3/hooks", listing, "default", FLAGS | {"page", "limit", "scope", "destination"}),
    Route("POST", "/v3/hooks", create, "default"),
    Route("GET", "/v3/hooks/admin", admin, "default", FLAGS | {"page", "limit"}),
    Route("PUT", "/v3/hooks/admin", set_admin, "default"),
    Route("GET", "/v3/hooks/{id}", read, "default"),
    Route("PUT", "/v3/hooks/{id}", update, "default"),
    Route("DELETE", "/v3/hooks/{id}", delete, "default"),
)
