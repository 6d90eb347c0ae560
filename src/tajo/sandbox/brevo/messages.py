"""Messages that would leave Brevo: `/smtp/email`, `/transactionalSMS`, `/whatsapp`, and its own.

Nothing is sent; everything accepted is kept for `/_sandbox/messages`, e-mails with their subject and body
filled in. An `idempotencyKey` among the `headers` of the body is good for one request in thirty minutes; the
second one is a `duplicate_parameter` and sends nothing
(developers.brevo.com/docs/heterogenous-versions-batch-emails; other spellings of the name have no effect,
GH:getbrevo/brevo-node#94).

A contact that is blocklisted for campaigns gets transactional e-mails all the same: that list concerns
campaigns (SDK). Who unsubscribed from transactional e-mails is on a list of its own: the request is accepted,
and the e-mail ends as `blocked`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from .phones import phone_number
from .rendering import rendered
from .templates import to_send
from .wire import Answer, Refusal, email_address, instant, invalid, iso, missing, not_found, page_of

if TYPE_CHECKING:
    from .account import Account
    from .templates import Template
    from .wire import Call

_KEY_SECONDS = 30 * 60
_MOST_RECIPIENTS, _MOST_VERSION_RECIPIENTS, _MOST_PARAMS = 2000, 99, 100_000
_LONGEST_SENDER, _MOST_SENDER_DIGITS = 11, 15
_NAMESPACE = UUID(int=0)
_EVENTS = frozenset(
    {"bounces", "hardBounces", "softBounces", "delivered", "spam", "requests", "opened", "clicks", "invalid"}
    | {"deferred", "blocked", "unsubscribed", "error", "loadedByProxy"}
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what kind, to whom, its content as it was asked for, and as it reads.

    `at` in milliseconds since 1970; `blocked` are recipients that it did not reach.
    """

    n: int
    kind: str
    to: list[str]
    content: dict[str, Any]
    at: int
    id: str = ""
    subject: str = ""
    html: str = ""
    sender: str = ""
    template: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """Give the message for people to read: when, to whom, what it says."""
        return {
            "n": self.n,
            "kind": self.kind,
            "at": iso(self.at),
            "to": self.to,
            "subject": self.subject,
            "html": self.html,
            "sender": self.sender,
            "template": self.template,
            "params": self.params,
            "tags": self.tags,
            "blocked": self.blocked,
            "messageId": self.id,
            "content": self.content,
        }


class Messages:
    """Everything that was accepted for sending, in order; `blocked` says since when an address is (ms)."""

    def __init__(self) -> None:
        self.items: list[Message] = []
        self.keys: dict[str, int] = {}
        self.blocked: dict[str, int] = {}

    def add(self, account: Account, kind: str, to: list[str], content: dict[str, Any], **how: Any) -> Message:
        """Keep a message."""
        message = Message(len(self.items) + 1, kind, to, content, account.now(), **how)
        self.items.append(message)
        return message


def send_email(account: Account, call: Call) -> Answer:
    """POST /smtp/email: 201 with a messageId (one for each of `messageVersions`), 202 when scheduled."""
    body = call.json()
    template = None if body.get("templateId") is None else to_send(account, body["templateId"])
    if not body.get("to") and not body.get("messageVersions"):
        raise missing("to is missing")
    for name in () if body.get("templateId") is not None else ("sender", "subject"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if body.get("templateId") is None and not body.get("htmlContent") and not body.get("textContent"):
        raise missing("Either of htmlContent or textContent is missing")
    if body.get("scheduledAt") is not None:
        instant(body["scheduledAt"], "scheduledAt")
    versions = body.get("messageVersions") or [{}]
    mails = [{**body, **version} for version in versions]
    recipients = [_recipients(mail.get("to")) for mail in mails]
    if sum(map(len, recipients)) > _MOST_RECIPIENTS:
        raise Refusal(400, "out_of_range", f"At most {_MOST_RECIPIENTS} recipients are allowed")
    _check_lists(mails)
    _spend_key(account, body)
    ids = [_keep(account, mail, to, template) for mail, to in zip(mails, recipients, strict=True)]
    answer = {"messageIds": ids} if body.get("messageVersions") else {"messageId": ids[0]}
    return Answer(202 if body.get("scheduledAt") else 201, answer)


def _recipients(people: object) -> list[str]:
    if not isinstance(people, list) or not people or not all(isinstance(person, dict) for person in people):
        raise invalid("to should be a list of objects")
    found = [email_address(person.get("email")) for person in people]
    if len(found) > _MOST_VERSION_RECIPIENTS:
        raise Refusal(400, "out_of_range", f"At most {_MOST_VERSION_RECIPIENTS} recipients are allowed")
    if None in found:
        raise invalid("email is not valid in to")
    return [address for address in found if address]


def _check_lists(mails: list[dict[str, Any]]) -> None:
    """Refuse params that are not an object or too long, and tags that are not texts."""
    for mail in mails:
        params, tags = mail.get("params", {}), mail.get("tags", [])
        if not isinstance(params, dict):
            raise invalid("params should be an object")
        if len(str(params)) > _MOST_PARAMS:
            raise Refusal(400, "out_of_range", "params can not exceed 100 KB")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise invalid("tags should be a list of strings")


def _spend_key(account: Account, body: dict[str, Any]) -> None:
    """Use up the idempotency key of a request; 400 when it was used in the last thirty minutes."""
    headers = body.get("headers") or {}
    if not isinstance(headers, dict):
        raise invalid("headers should be an object")
    key = next((str(v) for name, v in headers.items() if name.lower() == "idempotencykey"), None)
    if key is None:
        return
    keys, now = account.messages.keys, account.now()
    if now - keys.get(key, -_KEY_SECONDS * 1000) < _KEY_SECONDS * 1000:
        raise Refusal(400, "duplicate_parameter", "idempotencyKey has been used already")
    keys[key] = now


def _keep(account: Account, mail: dict[str, Any], to: list[str], template: Template | None) -> str:
    """Fill in an e-mail and keep it; its messageId."""
    contact = account.book.find("email", to[0])
    about = {"email": to[0], **(contact.all_attributes() if contact else {})}
    known = {"params": mail.get("params") or {}, "contact": about}
    subject = mail.get("subject") or (template.subject if template else "")
    html = template.html if template else mail.get("htmlContent") or mail.get("textContent") or ""
    sender = mail.get("sender") or (template.sender if template else {})
    number = f"<{account.now()}.{len(account.messages.items) + 1}@smtp-relay.mailin.fr>"
    account.messages.add(
        account,
        "email",
        to,
        mail,
        id=number,
        subject=rendered(str(subject), known),
        html=rendered(str(html), known),
        sender=str(sender.get("email", "")),
        template=mail.get("templateId"),
        params=known["params"],
        tags=mail.get("tags", []),
        blocked=[address for address in to if address in account.messages.blocked],
    )
    return number


# -- what became of them


def emails(account: Account, call: Call) -> Answer:
    """GET /smtp/emails: needs one of email, templateId and messageId; one row for each recipient."""
    if not any(call.one(name) for name in ("email", "templateId", "messageId")):
        raise missing("Either email, templateId or messageId is required")
    limit, offset = call.page(default=500, most=1000)
    rows = [
        {
            "email": to,
            "subject": message.subject,
            "messageId": message.id,
            "uuid": str(uuid5(_NAMESPACE, message.id + to)),
            "date": iso(message.at),
            **_asked(message, "templateId", "from", "tags"),
        }
        for message, to in _mails(account, call)
    ]
    page = page_of(rows, limit, offset, ascending=call.ascending())
    return Answer(200, {"count": len(rows), "transactionalEmails": page})


def email_events(account: Account, call: Call) -> Answer:
    """GET /smtp/statistics/events: `requests`, then `delivered` or `blocked`; nobody opens or clicks here."""
    wanted = call.one("event")
    if wanted is not None and wanted not in _EVENTS:
        raise invalid("event is not valid")
    limit, offset = call.page(default=2500, most=5000)
    rows = [
        {
            "email": to,
            "date": iso(message.at),
            "subject": message.subject,
            "messageId": message.id,
            "event": event,
            **({"reason": "blocked : due to unsubscribed user"} if event == "blocked" else {}),
            **_asked(message, "templateId", "from", "tag"),
        }
        for message, to in _mails(account, call)
        for event in ("requests", "blocked" if to in message.blocked else "delivered")
        if wanted in {None, event}
    ]
    return Answer(200, {"events": page_of(rows, limit, offset, ascending=call.ascending())})


def _mails(account: Account, call: Call) -> list[tuple[Message, str]]:
    """The e-mails that the request's filters leave, each with each of its recipients."""
    email, number, template = call.one("email"), call.one("messageId"), call.integers("templateId")
    return [
        (message, to)
        for message in account.messages.items
        if message.kind == "email"
        for to in message.to
        if (email is None or to == email.lower())
        and (number is None or message.id == number)
        and (not template or message.template in template)
    ]


def _asked(message: Message, *names: str) -> dict[str, Any]:
    """Those of the optional fields that the message has something for."""
    fields = {
        "templateId": message.template,
        "from": message.sender,
        "tags": message.tags,
        "tag": message.tags[0] if message.tags else "",
    }
    return {name: fields[name] for name in names if fields[name]}


def blocked_contacts(account: Account, call: Call) -> Answer:
    """GET /smtp/blockedContacts: who unsubscribed from transactional e-mails."""
    limit, offset = call.page(default=50, most=100)
    rows = [
        {
            "email": address,
            "senderEmail": "",
            "reason": {"code": "unsubscribedViaEmail", "message": "Unsubscribed via email"},
            "blockedAt": iso(since),
        }
        for address, since in account.messages.blocked.items()
    ]
    page = page_of(rows, limit, offset, ascending=call.ascending())
    return Answer(200, {"count": len(rows), "contacts": page})


def unblock(account: Account, call: Call) -> Answer:
    """DELETE /smtp/blockedContacts/{email}: 204."""
    if account.messages.blocked.pop(call.params["email"].lower(), None) is None:
        raise not_found("Contact does not exist in the blocklist")
    return Answer(204)


# -- other channels


def send_sms(account: Account, call: Call) -> Answer:
    """POST /transactionalSMS/sms: 201 with a messageId, parts and credits."""
    body = call.json()
    for name in ("sender", "recipient"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if not body.get("content") and body.get("templateId") is None:
        raise missing("content or templateId is missing")
    if body.get("type", "transactional") not in {"transactional", "marketing"}:
        raise invalid("type should be transactional or marketing")
    _check_sms_sender(body["sender"])
    number = phone_number(body["recipient"])
    if number is None:
        raise invalid("Invalid telephone number")
    known = {"params": body.get("params") or {}, "contact": {}}
    text = rendered(str(body.get("content") or ""), known)
    how = {"html": text, "sender": body["sender"], "template": body.get("templateId")}
    message = account.messages.add(account, "sms", [str(body["recipient"])], body, **how)
    parts = max(1, -(-len(text) // 160))
    return Answer(
        201,
        {
            "messageId": message.n,
            "reference": f"sandbox{message.n}",
            "smsCount": parts,
            "usedCredits": float(parts),
            "remainingCredits": 1000.0,
        },
    )


def _check_sms_sender(sender: object) -> None:
    """Eleven letters and digits, or fifteen digits (SDK)."""
    text = str(sender)
    fine = text.isdigit() and len(text) <= _MOST_SENDER_DIGITS
    if not fine and not (text.isascii() and text.isalnum() and len(text) <= _LONGEST_SENDER):
        raise invalid("sender should have at most 11 letters and digits, or 15 digits")


def send_plain_sms(account: Account, call: Call) -> Answer:
    """POST /transactionalSMS/send: as `sms`, answering the messageId only."""
    return Answer(201, {"messageId": send_sms(account, call).body["messageId"]})


def send_whatsapp(account: Account, call: Call) -> Answer:
    """POST /whatsapp/sendMessage: 201 with a messageId."""
    body = call.json()
    for name in ("contactNumbers", "senderNumber"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if body.get("templateId") is None and not body.get("text"):
        raise missing("templateId or text is missing")
    numbers = body["contactNumbers"]
    if not isinstance(numbers, list) or not all(isinstance(number, str) for number in numbers):
        raise invalid("contactNumbers should be a list of strings")
    if any(phone_number(number) is None for number in numbers):
        raise invalid("Invalid telephone number")
    how = {"html": str(body.get("text") or ""), "template": body.get("templateId")}
    how["params"] = body.get("params") or {}
    message = account.messages.add(account, "whatsapp", list(numbers), body, **how)
    return Answer(201, {"messageId": str(UUID(int=message.n))})
