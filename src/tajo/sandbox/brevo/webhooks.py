"""Webhooks: `/webhooks`, and the payloads of marketing events in the shapes people really receive.

`contact_updated` follows GH:sendinblue/APIv3-php-library#175: no e-mail at the top, a `content` list, and two
date formats, one for attributes and one for lists and flags. `api_key_name` is there since 1 November 2026
(changelog 2026/11/1): the key that made the change, empty when no API call did. `campaign name` really has a
space.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .wire import Answer, Refusal, invalid, iso, missing, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .account import Account
    from .book import Contact
    from .changes import Outcome
    from .deliveries import Deliveries
    from .wire import Call

MOST_WEBHOOKS = 40
API_KEY_NAME: Final = "sandbox"
"""The name of the account's only API key."""

_EMAIL_EVENTS = {"spam", "opened", "click", "hardBounce", "softBounce", "unsubscribed", "delivered"}
_EVENTS: Final = {
    "transactional": _EMAIL_EVENTS
    | {"sent", "request", "blocked", "invalid", "deferred", "uniqueOpened", "reply"},
    "marketing": _EMAIL_EVENTS | {"listAddition", "contactUpdated", "contactDeleted"},
    "inbound": {"inboundEmailProcessed"},
}


class Webhook(msgspec.Struct, kw_only=True):
    """One registered webhook; `created` and `modified` in milliseconds since 1970."""

    id: int
    url: str
    type: str
    events: list[str]
    created: int
    modified: int
    description: str = ""
    batched: bool = False
    channel: str = "email"
    token: str | None = None
    headers: dict[str, str] = {}

    def shown(self) -> dict[str, Any]:
        """Give the webhook as GET does."""
        item: dict[str, Any] = {
            "id": self.id,
            "url": self.url,
            "type": self.type,
            "events": self.events,
            "description": self.description,
            "batched": self.batched,
            "channel": self.channel,
            "createdAt": iso(self.created),
            "modifiedAt": iso(self.modified),
            "headers": [{"key": key, "value": value} for key, value in self.headers.items()],
        }
        if self.token is not None:
            item["auth"] = {"type": "bearer", "token": self.token}
        return item


class Hooks:
    """The webhooks of the account, and what they are told."""

    def __init__(self, deliveries: Deliveries) -> None:
        self.items: dict[int, Webhook] = {}
        self.next_id = 1
        self._deliveries = deliveries

    def contact_created(self, outcome: Outcome) -> None:
        """A new contact tells only the lists it joined."""
        if outcome.joined:
            self.list_addition(outcome.contact, outcome.joined)

    def contact_updated(self, outcome: Outcome) -> None:
        """An API call changed a contact: `contactUpdated`, and `listAddition` for new lists."""
        lists: dict[str, list[int]] = {}
        if outcome.joined:
            lists["addition"] = list(outcome.joined)
        if outcome.left:
            lists["deletion"] = list(outcome.left)
        content: dict[str, Any] = {"email": outcome.contact.email, "list": lists}
        if outcome.attributes:
            content["attributes"] = outcome.attributes
        if outcome.email_blocked is not None:
            content["emailBlacklist"] = outcome.email_blocked
        self._contact_updated(outcome.contact, content, by_attribute=bool(outcome.attributes))
        if outcome.joined:
            self.list_addition(outcome.contact, outcome.joined)

    def list_addition(self, contact: Contact, joined: tuple[int, ...]) -> None:
        """A contact joined lists."""
        payload = {
            "event": "list_addition",
            "email": contact.email,
            "list_id": list(joined),
            "api_key_name": API_KEY_NAME,
            **_when(contact.modified),
        }
        self._send("listAddition", payload)

    def contact_deleted(self, contact: Contact) -> None:
        """A contact is gone."""
        payload = {"event": "contact_deleted", "email": contact.email, **_when(contact.modified)}
        self._send("contactDeleted", payload)

    def unsubscribed(self, contact: Contact) -> None:
        """A person clicked the unsubscribe link of a campaign: both events come, neither by an API key."""
        at = contact.modified
        payload = {
            "event": "unsubscribe",
            "email": contact.email,
            "camp_id": 1,
            "campaign name": "Sandbox campaign",
            "date_sent": _when(at)["date"],
            "date_event": _when(at)["date"],
            "ts_sent": at // 1000,
            "ts_event": at // 1000,
            "tag": "",
            "segment_ids": [],
            "list_id": list(contact.lists),
            "ts": at // 1000,
        }
        self._send("unsubscribed", payload)
        content = {"email": contact.email, "emailBlacklist": True}
        self._contact_updated(contact, content, by_attribute=False, key_name="")

    def _contact_updated(
        self,
        contact: Contact,
        content: dict[str, Any],
        *,
        by_attribute: bool,
        key_name: str = API_KEY_NAME,
    ) -> None:
        when = _when(contact.modified)
        if by_attribute:
            when["date"] = iso(contact.modified)
        payload = {"event": "contact_updated", "content": [content], "api_key_name": key_name, **when}
        self._send("contactUpdated", payload)

    def _send(self, event: str, payload: dict[str, Any]) -> None:
        for webhook in self.items.values():
            if webhook.type == "marketing" and event in webhook.events:
                self._deliveries.hand_over(webhook, {"id": webhook.id, **payload})


def _when(milliseconds: int) -> dict[str, Any]:
    """Give `date` in CET or CEST without saying so, as Brevo does, and `ts` in seconds UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    summer = _last_sunday(moment.year, 3) <= moment < _last_sunday(moment.year, 10)
    local = moment + timedelta(hours=2 if summer else 1)
    return {"date": f"{local:%Y-%m-%d %H:%M:%S}", "ts": milliseconds // 1000}


def _last_sunday(year: int, month: int) -> datetime:
    """Give the moment European clocks change in a month of 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


def index(account: Account, call: Call) -> Answer:
    """GET /webhooks."""
    kind = call.one("type")
    if kind is not None and kind not in _EVENTS:
        raise invalid("type is not valid")
    found = [webhook.shown() for webhook in account.hooks.items.values() if kind in {None, webhook.type}]
    return Answer(200, {"webhooks": found if call.ascending() else found[::-1]})


def create(account: Account, call: Call) -> Answer:
    """POST /webhooks: 201 with its id; at most 40 an account (help.brevo.com 360007666479)."""
    body = call.json()
    if len(account.hooks.items) >= MOST_WEBHOOKS:
        raise Refusal(400, "out_of_range", f"Maximum {MOST_WEBHOOKS} webhooks are allowed")
    if not body.get("url"):
        raise missing("url is missing")
    kind = body.get("type") or "transactional"
    if kind not in list(_EVENTS):
        raise invalid("type is not valid")
    if not body.get("events") and kind != "inbound":
        raise missing("events is missing")
    now = account.now()
    webhook = Webhook(id=account.hooks.next_id, url="", type=kind, events=[], created=now, modified=now)
    _fill(webhook, {"events": ["inboundEmailProcessed"], **body})
    account.hooks.items[webhook.id] = webhook
    account.hooks.next_id += 1
    return Answer(201, {"id": webhook.id})


def read(account: Account, call: Call) -> Answer:
    """GET /webhooks/{webhookId}."""
    return Answer(200, _webhook(account, call).shown())


def update(account: Account, call: Call) -> Answer:
    """PUT /webhooks/{webhookId}: 204."""
    webhook = _webhook(account, call)
    _fill(webhook, call.json())
    webhook.modified = account.now()
    return Answer(204)


def delete(account: Account, call: Call) -> Answer:
    """DELETE /webhooks/{webhookId}: 204."""
    del account.hooks.items[_webhook(account, call).id]
    return Answer(204)


def _webhook(account: Account, call: Call) -> Webhook:
    webhook = account.hooks.items.get(call.number("webhookId"))
    if webhook is None:
        raise not_found("Webhook id does not exist")
    return webhook


def _fill(webhook: Webhook, body: dict[str, Any]) -> None:
    """Check the given fields, all of them, then take them over."""
    url, events = body.get("url", webhook.url), body.get("events", webhook.events)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("url is not valid")
    if not isinstance(events, list) or not all(event in list(_EVENTS[webhook.type]) for event in events):
        raise invalid(f"events is not valid for type {webhook.type}")
    auth = body.get("auth") or {}
    if auth and not (isinstance(auth, dict) and auth.get("type") == "bearer" and auth.get("token")):
        raise invalid("auth should have type bearer and a token")
    channel = body.get("channel", webhook.channel)
    if channel not in ("email", "sms"):
        raise invalid("channel is not valid")
    webhook.url, webhook.events, webhook.channel = url, events, channel
    webhook.description = str(body.get("description", webhook.description))
    webhook.batched = bool(body.get("batched", webhook.batched))
    webhook.token = auth.get("token", webhook.token)
    if "headers" in body:
        webhook.headers = _headers(body["headers"])


def _headers(items: Iterable[Any]) -> dict[str, str]:
    try:
        return {str(item["key"]): str(item["value"]) for item in items}
    except (TypeError, KeyError):
        raise invalid("headers should be a list of key and value") from None
