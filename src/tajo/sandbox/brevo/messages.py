"""Messages that would leave Brevo: `/smtp/email`, `/transactionalSMS`, `/whatsapp`, and its own.

Nothing is sent; everything accepted is kept for `/_sandbox/messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .phones import phone_number
from .wire import Answer, email_address, invalid, missing

if TYPE_CHECKING:
    from .account import Account
    from .wire import Call


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what kind, to whom, and its content as it was asked for."""

    n: int
    kind: str
    to: list[str]
    content: dict[str, Any]


class Messages:
    """Everything that was accepted for sending, in order."""

    def __init__(self) -> None:
        self.items: list[Message] = []

    def add(self, kind: str, to: list[str], content: dict[str, Any]) -> Message:
        """Keep a message."""
        message = Message(len(self.items) + 1, kind, to, content)
        self.items.append(message)
        return message


def send_email(account: Account, call: Call) -> Answer:
    """POST /smtp/email: 201 with a messageId, 202 when scheduled."""
    body = call.json()
    templated = body.get("templateId") is not None
    if not body.get("to") and not body.get("messageVersions"):
        raise missing("to is missing")
    for name in () if templated else ("sender", "subject"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if not templated and not body.get("htmlContent") and not body.get("textContent"):
        raise missing("Either of htmlContent or textContent is missing")
    people = body.get("to") or []
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise invalid("to should be a list of objects")
    recipients = [email_address(person.get("email")) for person in people]
    if None in recipients:
        raise invalid("email is not valid in to")
    message = account.messages.add("email", [to for to in recipients if to], body)
    answer = {"messageId": f"<{account.now()}.{message.n}@smtp-relay.mailin.fr>"}
    return Answer(202 if body.get("scheduledAt") else 201, answer)


def send_sms(account: Account, call: Call) -> Answer:
    """POST /transactionalSMS/sms: 201 with a messageId, parts and credits."""
    body = call.json()
    for name in ("sender", "recipient"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if not body.get("content") and body.get("templateId") is None:
        raise missing("content or templateId is missing")
    if phone_number(body["recipient"]) is None:
        raise invalid("Invalid telephone number")
    message = account.messages.add("sms", [str(body["recipient"])], body)
    parts = max(1, -(-len(str(body.get("content") or "")) // 160))
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
    if not isinstance(body["contactNumbers"], list):
        raise invalid("contactNumbers should be a list of strings")
    message = account.messages.add("whatsapp", [str(number) for number in body["contactNumbers"]], body)
    return Answer(201, {"messageId": str(UUID(int=message.n))})
