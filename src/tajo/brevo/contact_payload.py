"""What Brevo is told of a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tajo.brevo.attributes import BUILT_IN, EMAIL, Attributes, coerce
from tajo.brevo.phones import e164
from tajo.brevo.rules import ConsentMode, ListName, Rules
from tajo.brevo.tracing import Traced, digest, encode
from tajo.sync.model import Consent, Contact, Farewell, Key, Resource, Write

_INTO_ATTRIBUTES = "attributes."


class _Row(Struct):
    email: str


_row = msgspec.json.Decoder(_Row)


def email_of(write: Write) -> str:
    """The address in lower case, by which Brevo names a row; it is in the body, and nowhere else."""
    return _row.decode(write.body).email


class Lane(Struct, frozen=True, array_like=True):
    """What writes that travel together share: the lists that they join, and what they say of blocklisting.

    `leaves`: lists that the contact is taken off afterwards, which only a write that goes alone can say.
    """

    lists: tuple[int, ...] = ()
    blocked: bool | None = None
    leaves: tuple[int, ...] = ()


_lane = msgspec.json.Decoder(Lane)


def lane_of(word: str) -> Lane:
    """The lane that a write's word names."""
    return _lane.decode(word)


class ContactPayload:
    """Renders contacts by the rules. `lists`: the ids of the lists that the rules name, as far as known."""

    def __init__(self, rules: Rules, attributes: Attributes, lists: Mapping[ListName, int]) -> None:
        self._rules = rules
        self._lists = lists
        self._storefronts = {number: storefront.lists for number, storefront in rules.storefronts.items()}
        self._fields = [
            (rule, attribute, _INTO_ATTRIBUTES + attribute.name)
            for rule in rules.mapping
            if rule.attribute.upper() != EMAIL and (attribute := attributes.of(rule))
        ]
        self._lanes: dict[Lane, str] = {}
        self._phones = [rule for rule in rules.mapping if rule.kind == "phone"]

    def phone(self, contact: Contact) -> str:
        """The first valid phone that the mapping names, read with the country of the first address."""
        home = next((a.country_code for a in contact.customer.addresses if a.country_code), "")
        numbers = (e164(str(rule.read(contact) or ""), home) for rule in self._phones)
        return next(filter(None, numbers), "")

    def traced(self, contact: Contact) -> list[Traced]:
        """Every field of the contact, those that are left out included."""
        traced = [Traced("email", contact.customer.email.lower(), "email")]
        for rule, attribute, field in self._fields:
            value: Any = contact.phone if rule.kind == "phone" else rule.read(contact)
            if value is None or value == "":
                traced.append(Traced(field, None, rule.path))
                continue
            fitted, note = coerce(value, attribute)
            traced.append(Traced(field, fitted, f"{rule.path} (left out: {note})" if note else rule.path))
        lists, why = self._joined(contact)
        traced.append(Traced("listIds", lists, why))
        blocked, why = block(contact, self._rules.consent)
        traced.append(Traced("emailBlacklisted", blocked, why))
        return traced

    def write(self, contact: Contact) -> Write | None:
        """The write that tells this person; None where the consent rule says not to tell.

        Its body is a row of an import, `{"email", "attributes"}`; what an import says once for all its
        rows, the lists and the blocklisting, is the lane. The fingerprint covers the consent itself
        rather than the flag, so that whoever stays as they were is left alone.
        """
        mode, consent = self._rules.consent, contact.consent
        if mode is ConsentMode.SKIP and consent is Consent.WITHHELD and contact.told is None:
            return None
        traced = self.traced(contact)
        email, lists, blocked = traced[0].value, traced[-2].value, traced[-1].value
        attributes = {
            field[len(_INTO_ATTRIBUTES) :]: value
            for field, value, _ in traced
            if value is not None and value != "" and field.startswith(_INTO_ATTRIBUTES)
        }
        told = None if mode is ConsentMode.IGNORE else consent
        # What was told before they left may have been the same.
        anew = (contact.left_at,) if contact.left_at is not None and blocked is False else ()
        leaves = self._left(contact)
        return Write(
            key=contact.key,
            body=encode({"email": email, "attributes": attributes}),
            fingerprint=digest(encode((email, attributes, lists, told, *anew))),
            lane=self._lane(Lane(tuple(lists), blocked, leaves)),
            # An import drops booleans (sendinblue/APIv3-python-library#95) and can only blocklist.
            alone=blocked is False
            or bool(leaves)
            or contact.rename is not None
            or any(isinstance(value, bool) for value in attributes.values()),
            person=contact.person,
            consent=told,
            blocks=blocked is True,
            new=not contact.exists,
            rename=contact.rename,
        )

    def farewell(self, person: bytes, contact_id: int, how: Farewell, *, withdrawn: bool) -> Write:
        """The write that takes a person off our lists, or out of the account.

        Off the lists of all rules; blocklisted, too, if they had agreed to marketing mail until now.
        """
        told = {"unlinkListIds": sorted(set(self._lists.values()))} | _flag(True if withdrawn else None)
        return Write(
            key=Key(Resource.EVENTS, int.from_bytes(person[:8]) >> 1),
            body=encode(told),
            fingerprint=digest(encode((how, told))),
            alone=True,
            person=person,
            consent=Consent.WITHHELD if withdrawn else None,
            blocks=withdrawn,
            rename=contact_id,
            farewell=how,
        )

    def _lane(self, lane: Lane) -> str:
        """One object per lane, as an import holds tens of thousands of writes."""
        word = self._lanes.get(lane)
        if word is None:
            word = self._lanes[lane] = encode(lane).decode()
        return word

    def _left(self, contact: Contact) -> tuple[int, ...]:
        """The list that the contact has left, once their cart is no longer one that was left behind."""
        name = self._rules.lists.abandoned_cart
        left = contact.told_abandoned and not contact.abandoned
        return (self._lists[name],) if left and name is not None and name in self._lists else ()

    def _joined(self, contact: Contact) -> tuple[list[int], str]:
        """The ids of the lists that the contact joins, ascending, and what they are for."""
        lists = self._rules.lists
        joined: list[tuple[ListName | None, str]] = [(lists.all_customers, "all_customers")]
        if contact.metrics.orders_count > 0:
            joined.append((lists.buyers, "buyers"))
        if contact.consent is Consent.GRANTED:
            joined.append((lists.subscribers, "subscribers"))
        if contact.abandoned:
            joined.append((lists.abandoned_cart, "abandoned_cart"))
        if self._storefronts:
            for number in sorted(contact.storefronts):
                joined.extend((name, f"storefront {number}") for name in self._storefronts.get(number, ()))
        ids = sorted({self._lists[name] for name, _ in joined if name is not None and name in self._lists})
        return ids, "lists: " + ", ".join(dict.fromkeys(why for name, why in joined if name is not None))


def block(contact: Contact, mode: ConsentMode) -> tuple[bool | None, str]:
    """What to say about e-mail blocklisting, and why: True, False, or None for not a word.

    Brevo's flag has three states, and False resubscribes whoever unsubscribed in Brevo
    (activepieces/activepieces#15502): only a block that we set ourselves is ever lifted, or that of somebody
    who has agreed anew since.
    """
    if mode is ConsentMode.IGNORE:
        return None, "consent is ignored"
    if contact.consent is Consent.GRANTED:
        if contact.blocked_by_us or contact.left_at is not None:
            by = "our own block" if contact.blocked_by_us else "the block of before"
            return False, f"consent given, {by} lifted"
        return None, "consent given"
    if contact.told is Consent.GRANTED:
        return True, "consent withdrawn"
    if mode is ConsentMode.BLOCKLIST and not contact.exists:
        return True, "no consent, not in Brevo before"
    return None, "no consent, blocklisted by us" if contact.blocked_by_us else "no consent, in Brevo before"


def single(row: bytes, lane: Lane) -> bytes:
    """The body of `POST /contacts` for a row of an import: an upsert that joins the lists."""
    return _splice(row, {"listIds": lane.lists, "updateEnabled": True} | _flag(lane.blocked))


def renaming(row: bytes, lane: Lane) -> bytes:
    """The body of `PUT /contacts/{id}` that gives a contact the address of this row, and all the rest."""
    content = msgspec.json.decode(row)
    attributes = content["attributes"] | {EMAIL: content["email"]}
    told = {"attributes": attributes, "listIds": lane.lists}
    leaves = {"unlinkListIds": lane.leaves} if lane.leaves else {}
    return encode(told | leaves | _flag(lane.blocked))


def bulk(rows: Iterable[bytes], lane: Lane) -> Iterator[bytes]:
    """The body of `POST /contacts/import` in pieces: rows spliced as they are, megabytes of them.

    Without `disableNotification` the owner gets a mail per import; `emptyContactsAttributes` would
    erase what the rows do not mention; the blocklist flag holds for all rows.
    """
    settings = {
        "listIds": lane.lists,
        "updateExistingContacts": True,
        "emptyContactsAttributes": False,
        "disableNotification": True,
    } | ({"emailBlacklist": True} if lane.blocked else {})
    between = encode(settings)[:-1] + b',"jsonBody":['
    for row in rows:
        yield between
        yield row
        between = b","
    yield b"]}"


def without_phone(row: bytes) -> tuple[bytes, str]:
    """The row without its phone identifiers, and their names; no names if it has none."""
    content = msgspec.json.decode(row)
    phones = sorted(BUILT_IN & content["attributes"].keys())
    for name in phones:
        del content["attributes"][name]
    return encode(content), ", ".join(phones)


def _flag(blocked: bool | None) -> dict[str, bool]:
    return {} if blocked is None else {"emailBlacklisted": blocked}


def _splice(row: bytes, more: dict[str, Any]) -> bytes:
    """The row's object with more members, without decoding it."""
    return row[:-1] + b"," + encode(more)[1:]
