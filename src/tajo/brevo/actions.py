"""What automations do at Brevo: the verbs of deeds, each as one request.

| verb | params, in Brevo's words (* needed) | the same deed once more |
|---|---|---|
| `send-email` | `templateId`*, `subject`, `params`, `tags` | nothing, within half an hour |
| `send-sms` | `sender`*, `content`*, `type`, `tag` | is a second one |
| `send-whatsapp` | `templateId`*, `senderNumber`*, `params` | is a second one |
| `track-event` | `event_name`*, `event_properties` | is a second one |
| `create-contact`, `update-contact` | `attributes` | nothing |
| `delete-contact` | none | nothing |
| `add-to-list`, `remove-from-list` | `list`*: its number or name | nothing |

An e-mail carries its deed's name as its idempotency key, which must be a UUID and is known for 30 minutes.
The second is refused as a duplicate and not sent (docs/heterogenous-versions-batch-emails). Nothing else has
such a key, so where the answer to another message or an event gets lost it counts as done: `ACCEPTED`, with
a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from tajo.brevo.account import find_lists, ready_lists
from tajo.brevo.api import DUPLICATE, SAID_NO, Api, Rejected, mask
from tajo.brevo.attributes import EMAIL, Attributes, coerce
from tajo.brevo.coupons import Coupons
from tajo.brevo.rules import ListName, Lists, Rules
from tajo.brevo.tracing import encode
from tajo.errors import Later, Mend, Refused
from tajo.http import Lost
from tajo.sync.automation import Deed, Done, Standing
from tajo.sync.mapping import rule
from tajo.sync.model import Verdict

AGAIN = 300.0
"""Seconds until a deed is tried again that Brevo could not do."""

NOBODY = "Brevo has no such contact; put `brevo/create-contact` before it, or wait until a sync tells them"

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)
"""What an SMS can say without being sent as Unicode, which halves its length (3GPP TS 23.038)."""

Id = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
Sender = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]{1,11}|[0-9]{12,15})$")]
Number = Annotated[str, Meta(pattern=r"^\+?[0-9]{6,15}$")]
EventName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,255}$")]


class Email(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """`subject`: instead of the template's. `params`: what the template calls `params.…`."""

    template_id: Id
    subject: str = ""
    params: dict[str, Any] = {}
    tags: list[str] = []


class Sms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`type`: marketing, unless something else is said: that is held to the stricter rules."""

    sender: Sender
    content: Text
    type: Literal["marketing", "transactional"] = "marketing"
    tag: str = ""


class Whatsapp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """`sender_number`: the account's own, with its country code."""

    template_id: Id
    sender_number: Number
    params: dict[str, Any] = {}


class Track(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event in Brevo's words."""

    event_name: EventName
    event_properties: dict[str, Any] = {}


class Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`attributes`: of the contact, by name in any case; what is empty is left as it is."""

    attributes: dict[str, Any] = {}


class Listed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`list`: its number, or its name."""

    list: Id | Text


class Bare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No params."""


Shape = TypeVar("Shape", bound=Struct)

DELIVERED = Done(verdict=Verdict.DELIVERED)


class Actions:
    """Carries out the deeds of automations at one account; implements `tajo.sync.automation.Performer`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._coupons = Coupons(api)
        self._lists: dict[ListName, int] = {}
        self._turn = asyncio.Lock()
        self._verbs: Mapping[str, tuple[str, Callable[[Deed], Awaitable[Done]]]] = {
            "send-email": ("POST /smtp/email", self._send_email),
            "send-sms": ("POST /transactionalSMS/sms", self._send_sms),
            "send-whatsapp": ("POST /whatsapp/sendMessage", self._send_whatsapp),
            "track-event": ("POST /events", self._track),
            "create-contact": ("POST /contacts", self._create),
            "update-contact": ("PUT /contacts/{id}", self._update),
            "delete-contact": ("DELETE /contacts/{id}", self._delete),
            "add-to-list": ("PUT /contacts/{id}", self._join),
            "remove-from-list": ("PUT /contacts/{id}", self._leave),
        }

    async def standing(self, email: str) -> Standing:
        """How this contact stands at Brevo now. Raises `Later` and `Mend`.

        The flags concern campaigns. Who is blocked for transactional e-mail alone is no part of a contact.
        """
        try:
            found = await self._api.contact_details(email)
        except Rejected as error:  # an address that Brevo does not even look for
            if error.status != 400:
                raise Later(str(error), AGAIN) from None
            return Standing()
        if not found:
            return Standing()
        attributes = found.get("attributes")
        return Standing(
            exists=True,
            email_blocked=found.get("emailBlacklisted") is True,
            sms_blocked=found.get("smsBlacklisted") is True,
            whatsapp_blocked=found.get("whatsappBlacklisted") is True,
            attributes=attributes if isinstance(attributes, dict) else {},
        )

    async def coupon(self, percent: int, seconds: float, code: str) -> None:
        """Put this code into the collection of its discount; see `coupons`. Twice is once."""
        await self._coupons.add(percent, seconds, code)

    async def act(self, deed: Deed) -> Done:
        """Do it, or say why not: `REFUSED` until the skill is mended, `RETRY` after `seconds`.

        Raises `Mend` where no deed of this kind will pass: no credits, a feature that is off, a wrong key.
        """
        if deed.verb not in self._verbs:
            return _refused(deed, f"there is no such action; there is: {', '.join(self._verbs)}")
        route, perform = self._verbs[deed.verb]
        try:
            self._api.soon(route)
            return await perform(deed)
        except Refused as error:
            if isinstance(error, Rejected) and error.status in SAID_NO:
                return Done(verdict=Verdict.RETRY, reason=str(error), seconds=AGAIN)
            return _refused(deed, str(error))
        except Later as error:
            return Done(verdict=Verdict.RETRY, reason=str(error), seconds=error.seconds)

    # --- messages

    async def _send_email(self, deed: Deed) -> Done:
        """OpenAPI of 2025-08: sendTransacEmail. The sender is the template's."""
        email = _read(deed, Email)
        body = {
            "templateId": email.template_id,
            "to": [{"email": deed.email}],
            "subject": email.subject,
            "params": email.params,
            "tags": email.tags,
            "headers": {"idempotencyKey": str(UUID(deed.name, version=4))},
        }
        try:
            await self._api.send_email(_body(body))
        except Rejected as error:
            if error.code not in DUPLICATE:
                raise
        return DELIVERED

    async def _send_sms(self, deed: Deed) -> Done:
        """SDK 5.1.0: send_transac_sms. Of its two routes the one that tells of missing credits."""
        sms = _read(deed, Sms)
        body = {
            "sender": sms.sender,
            "recipient": await self._number(deed, "SMS"),
            "content": sms.content,
            "type": sms.type,
            "tag": sms.tag,
            "unicodeEnabled": not GSM.issuperset(sms.content),
        }
        return await self._once("/transactionalSMS/sms", body)

    async def _send_whatsapp(self, deed: Deed) -> Done:
        """OpenAPI of 2025-08: sendWhatsappMessageTemplate. One of the hundred calls an hour."""
        whatsapp = _read(deed, Whatsapp)
        body = {
            "templateId": whatsapp.template_id,
            "senderNumber": whatsapp.sender_number.lstrip("+"),
            "contactNumbers": [await self._number(deed, "WHATSAPP", "SMS")],
            "params": whatsapp.params,
        }
        return await self._once("/whatsapp/sendMessage", body)

    async def _track(self, deed: Deed) -> Done:
        track = _read(deed, Track)
        body = {
            "event_name": track.event_name,
            "identifiers": {"email_id": deed.email},
            "event_properties": track.event_properties,
        }
        return await self._once("/events", body)

    async def _once(self, path: str, body: Mapping[str, Any]) -> Done:
        try:
            await self._api.do_once(path, _body(body))
        except Lost as error:
            reason = f"{error}; it may have been done, so it is not done again"
            return Done(verdict=Verdict.ACCEPTED, reason=reason)
        return DELIVERED

    async def _number(self, deed: Deed, *names: str) -> str:
        """The digits of the deed's phone, else of the first of these attributes that the contact has."""
        if not deed.phone:
            attributes = (await self.standing(deed.email)).attributes
            known = next((str(attributes[name]) for name in names if attributes.get(name)), "")
        digits = (deed.phone or known).lstrip("+")
        if not digits.isdecimal():
            raise Refused(
                f"the contact has no phone number; map one to the attribute {names[-1]} or drop this step"
            )
        return digits

    # --- contacts

    async def _create(self, deed: Deed) -> Done:
        """One that exists is updated. Nothing is said of consent, so nobody is blocked or unblocked by it."""
        attributes = await self._fitted(_read(deed, Written).attributes)
        body = {"email": deed.email, "attributes": attributes, "updateEnabled": True}
        await self._api.upsert_contact(_body(body))
        return DELIVERED

    async def _update(self, deed: Deed) -> Done:
        attributes = await self._fitted(_read(deed, Written).attributes)
        if attributes and not await self._change(deed, {"attributes": attributes}):
            raise Refused(NOBODY)
        return DELIVERED

    async def _delete(self, deed: Deed) -> Done:
        _read(deed, Bare)
        await self._api.delete_contact(deed.email)
        return DELIVERED

    async def _change(self, deed: Deed, body: Mapping[str, Any]) -> bool:
        """Change the contact; False if there is none."""
        try:
            await self._api.update_contact(deed.email, encode(body))
        except Rejected as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _fitted(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes as the account takes them: it drops those of a wrong type without a word (SDK)."""
        fitted: dict[str, Any] = {}
        told = {name.upper(): value for name, value in wanted.items() if value not in (None, "")}
        known = Attributes.read(await self._api.attributes()) if told else Attributes()
        for name, value in told.items():
            if name == EMAIL:
                raise Refused("an automation never changes the address of a contact; leave EMAIL out")
            line = rule("email", name)  # as a mapping names an attribute; what it reads does not matter
            if known.missing([line]):
                raise Refused(
                    f"Brevo has no contact attribute {name}; create it there (Contacts > Settings > "
                    "Contact attributes) or correct its name in the skill"
                )
            fit, note = coerce(value, known.of(line))
            if fit is None:
                raise Refused(f"the value for the contact attribute {name} is no good ({note}); correct it")
            fitted[known.of(line).name] = fit
        return fitted

    # --- lists

    async def _join(self, deed: Deed) -> Done:
        """By the contact, not by the list: that route refuses whoever is on it (APIv3-php-library#134)."""
        name = _read(deed, Listed).list
        number = await self._list(name, create=True)
        if not number:
            raise Refused(
                f"Brevo has no list {name}; correct the number, or use a name: such a list is created"
            )
        if not await self._relist(name, deed, {"listIds": [number]}):
            raise Refused(NOBODY)
        return DELIVERED

    async def _leave(self, deed: Deed) -> Done:
        """Nobody is on a list that does not exist, nor is somebody who is no contact."""
        name = _read(deed, Listed).list
        if number := await self._list(name, create=False):
            await self._relist(name, deed, {"unlinkListIds": [number]})
        return DELIVERED

    async def _list(self, name: ListName, *, create: bool) -> int | None:
        """The id of a list; None if there is none. Only by a name can one be created."""
        async with self._turn:  # names need not be unique: two who miss a list would make two
            if name not in self._lists:
                if create and isinstance(name, str):
                    rules = Rules(lists=Lists(all_customers=name, buyers=None))
                    found, _ = await ready_lists(self._api, rules, create=True)
                else:
                    found, _ = await find_lists(self._api, [name])
                self._lists |= found
            return self._lists.get(name)

    async def _relist(self, name: ListName, deed: Deed, body: Mapping[str, Any]) -> bool:
        try:
            return await self._change(deed, body)
        except Mend:  # it may have vanished meanwhile, so it is looked for again
            self._lists.pop(name, None)
            raise


def _read(deed: Deed, shape: type[Shape]) -> Shape:
    """The params of a deed. Raises `Refused`, which quotes no value."""
    try:
        return msgspec.convert(dict(deed.params), shape, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(
            f"its params are wrong: {mask(str(error))}; correct the skill, or the sender under `messages`"
        ) from None


def _body(words: Mapping[str, Any]) -> bytes:
    """The body without what is empty: Brevo refuses `params` without any."""
    return encode({word: value for word, value in words.items() if value not in ("", None, {}, [])})


def _refused(deed: Deed, reason: str) -> Done:
    return Done(verdict=Verdict.REFUSED, reason=f"{deed.verb}: {reason}")
