"""What automations do at Brevo: what each verb says there, what a second time does, and what is refused."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.brevo import Api
from tajo.brevo.actions import Actions
from tajo.brevo.coupons import collection_name
from tajo.brevo.limits import OTHER, row_of
from tajo.errors import Later, Mend
from tajo.sync.automation import Deed, Done, Standing
from tajo.sync.model import Verdict

from .virtual_clock import VirtualClock

ANN = "ann+shop@x.test"
NAME = "0123456789abcdef0123456789abcdef"
ATTRIBUTES = [
    {"name": "FIRSTNAME", "category": "normal", "type": "text"},
    {"name": "VISITS", "category": "normal", "type": "float"},
    {"name": "VIP", "category": "normal", "type": "boolean"},
]
REFUSAL = {"code": "invalid_parameter", "message": f"Invalid template for {ANN} at +49 170 1234567"}
HALF_AN_HOUR = 1800.0


class Account:
    """An account as its specification has it: contacts, lists, messages, coupons, each behind its routes.

    `answers`: what a route answers instead, and whether it does its work before that. `others`: how many of
    the hundred calls an hour have gone.
    """

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {
            ANN: {"attributes": {"SMS": "491701234567"}, "listIds": []}
        }
        self.lists: dict[int, str] = {7: "VIPs"}
        self.folders: dict[int, str] = {}
        self.emails: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.whatsapps: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.collections: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[httpx.Response | httpx.TransportError, bool]] = {}
        self.calls: Counter[str] = Counter()
        self.others = 0
        self._keys: dict[str, float] = {}
        self._ids = itertools.count(100)
        self.clock = VirtualClock()
        transport = httpx.MockTransport(self._handle)
        self.api = Api("xkeysib-1", clock=self.clock, transport=transport)
        self.actions = Actions(self.api)

    async def act(self, verb: str, name: str = NAME, phone: str = "", **params: Any) -> Done:
        return await self.actions.act(Deed(name=name, verb=verb, email=ANN, phone=phone, params=params))

    def answer(self, route: str, status: int, body: Any = None, *, after: bool = False) -> None:
        """Let a route answer this from now on; `after` it has done its work."""
        self.answers[route] = httpx.Response(status, json=body or {}), after

    def lose(self, route: str) -> None:
        """Let a route do its work, and its answers get lost."""
        self.answers[route] = httpx.ReadTimeout("no answer"), True

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.decode().partition("?")[0]).removeprefix("/v3")
        kind, _, rest = path.removeprefix("/").partition("/")
        special = (
            kind == "contacts" and rest and rest.partition("/")[0] not in ("lists", "folders", "attributes")
        )
        route = f"{request.method} /{'contacts/{id}' if special else kind + ('/' + rest if rest else '')}"
        self.calls[route] += 1
        await asyncio.sleep(0)  # as every network makes its callers wait
        words = json.loads(request.content or b"{}")
        instead, after = self.answers.get(route, (None, True))
        done = self._routes[route](self, rest, words) if after else httpx.Response(204)
        if isinstance(instead, httpx.TransportError):
            raise instead
        answer = instead or done
        if row_of(route) == OTHER:
            self.others += 1
            spoken = {"limit": 100, "remaining": max(0, 100 - self.others), "reset": 3600}
            answer.headers.update({f"x-sib-ratelimit-{name}": str(value) for name, value in spoken.items()})
        return answer

    def _get_contact(self, email: str, _: dict[str, Any]) -> httpx.Response:
        found = self.contacts.get(email)
        return httpx.Response(200, json={"email": email, **found}) if found else missing("Contact")

    def _put_contact(self, email: str, words: dict[str, Any]) -> httpx.Response:
        if email not in self.contacts:
            return missing("Contact")
        if set(words.get("listIds", [])) - set(self.lists):
            return httpx.Response(400, json={"code": "invalid_parameter", "message": "List does not exist"})
        contact = self.contacts[email]
        contact["attributes"] |= words.get("attributes", {})
        on = {*contact["listIds"], *words.get("listIds", [])} - set(words.get("unlinkListIds", []))
        contact["listIds"] = sorted(on)
        return httpx.Response(204)

    def _post_contact(self, _: str, words: dict[str, Any]) -> httpx.Response:
        if words["email"] in self.contacts:
            return self._put_contact(words["email"], words)
        self.contacts[words["email"]] = {"attributes": words.get("attributes", {}), "listIds": []}
        return httpx.Response(201, json={"id": next(self._ids)})

    def _delete_contact(self, email: str, _: dict[str, Any]) -> httpx.Response:
        return httpx.Response(204) if self.contacts.pop(email, None) else missing("Contact")

    def _send_email(self, _: str, words: dict[str, Any]) -> httpx.Response:
        key, now = words["headers"]["idempotencyKey"], self.clock.now()
        if now - self._keys.get(key, -HALF_AN_HOUR) < HALF_AN_HOUR:
            return httpx.Response(
                400, json={"code": "duplicate_parameter", "message": "Request already processed"}
            )
        self._keys[key] = now
        self.emails.append(words)
        return httpx.Response(201, json={"messageId": "<1@relay>"})

    def _send(self, where: list[dict[str, Any]], words: dict[str, Any]) -> httpx.Response:
        where.append(words)
        return httpx.Response(201, json={"messageId": 1511882900176220, "reference": "ab1c"})

    def _made(self, where: dict[int, str], words: dict[str, Any]) -> httpx.Response:
        number = next(self._ids)
        where[number] = words["name"]
        return httpx.Response(201, json={"id": number})

    def _create_collection(self, _: str, words: dict[str, Any]) -> httpx.Response:
        number = str(UUID(int=next(self._ids)))
        self.collections[number] = {**words, "id": number, "codes": []}
        return httpx.Response(201, json={"id": number})

    def _add_coupons(self, _: str, words: dict[str, Any]) -> httpx.Response:
        if words["collectionId"] not in self.collections:
            return missing("Collection")
        codes = self.collections[words["collectionId"]]["codes"]
        if len(set(words["coupons"])) < len(words["coupons"]) or set(words["coupons"]) & set(codes):
            return httpx.Response(
                400, json={"code": "duplicate_parameter", "message": "Coupons must be unique"}
            )
        codes += words["coupons"]
        return httpx.Response(204)

    _routes: Mapping[str, Callable[[Account, str, dict[str, Any]], httpx.Response]] = {
        "GET /contacts/{id}": _get_contact,
        "PUT /contacts/{id}": _put_contact,
        "POST /contacts": _post_contact,
        "DELETE /contacts/{id}": _delete_contact,
        "GET /contacts/attributes": lambda self, _, __: httpx.Response(200, json={"attributes": ATTRIBUTES}),
        "GET /contacts/lists": lambda self, _, __: listed("lists", self.lists),
        "GET /contacts/folders": lambda self, _, __: listed("folders", self.folders),
        "POST /contacts/lists": lambda self, _, words: self._made(self.lists, words),
        "POST /contacts/folders": lambda self, _, words: self._made(self.folders, words),
        "POST /smtp/email": _send_email,
        "POST /transactionalSMS/sms": lambda self, _, words: self._send(self.texts, words),
        "POST /whatsapp/sendMessage": lambda self, _, words: self._send(self.whatsapps, words),
        "POST /events": lambda self, _, words: self._send(self.events, words),
        "GET /couponCollections": lambda self, _, __: httpx.Response(
            200, json={"collections": list(self.collections.values())}
        ),
        "POST /couponCollections": _create_collection,
        "POST /coupons": _add_coupons,
    }


def missing(what: str) -> httpx.Response:
    return httpx.Response(404, json={"code": "document_not_found", "message": f"{what} does not exist"})


def listed(word: str, named: Mapping[int, str]) -> httpx.Response:
    return httpx.Response(200, json={word: [{"id": number, "name": name} for number, name in named.items()]})


def delivered(done: Done) -> bool:
    return done == Done(verdict=Verdict.DELIVERED)


SENDING: dict[str, tuple[str, dict[str, Any]]] = {
    "send-sms": ("POST /transactionalSMS/sms", {"sender": "Shop", "content": "Hello"}),
    "send-whatsapp": ("POST /whatsapp/sendMessage", {"templateId": 3, "senderNumber": "4930123456"}),
    "track-event": ("POST /events", {"event_name": "cart_saved"}),
}
"""What would be done twice if it were said twice."""

EVERY: dict[str, tuple[str, dict[str, Any]]] = {
    "send-email": ("POST /smtp/email", {"templateId": 101}),
    **SENDING,
    "create-contact": ("POST /contacts", {}),
    "update-contact": ("PUT /contacts/{id}", {"attributes": {"FIRSTNAME": "Ann"}}),
    "delete-contact": ("DELETE /contacts/{id}", {}),
    "add-to-list": ("PUT /contacts/{id}", {"list": 7}),
    "remove-from-list": ("PUT /contacts/{id}", {"list": 7}),
}


# --- how somebody stands


async def test_a_contact_is_shown_with_its_flags_and_attributes() -> None:
    account = Account()
    account.contacts[ANN] |= {"emailBlacklisted": True, "smsBlacklisted": False, "whatsappBlacklisted": True}
    assert await account.actions.standing(ANN) == Standing(
        exists=True, email_blocked=True, whatsapp_blocked=True, attributes={"SMS": "491701234567"}
    )


async def test_who_is_no_contact_does_not_exist() -> None:
    assert await Account().actions.standing("bob@x.test") == Standing(exists=False)


async def test_an_address_that_brevo_does_not_take_is_no_contact() -> None:
    account = Account()
    account.answer("GET /contacts/{id}", 400, REFUSAL)
    assert await account.actions.standing(ANN) == Standing(exists=False)


# --- e-mail


async def test_an_email_is_the_template_with_its_subject_params_and_tags() -> None:
    account = Account()
    items = [{"name": "Cup", "price": 10.5}]
    done = await account.act(
        "send-email", templateId=101, subject="Forgotten?", params={"items": items}, tags=["cart"]
    )
    assert delivered(done)
    [email] = account.emails
    key = email.pop("headers")["idempotencyKey"]
    assert email == {
        "templateId": 101,
        "to": [{"email": ANN}],
        "subject": "Forgotten?",
        "params": {"items": items},
        "tags": ["cart"],
    }
    assert str(UUID(key)) == key


async def test_what_is_not_said_of_an_email_is_left_to_the_template() -> None:
    account = Account()
    await account.act("send-email", templateId="101", params={})
    assert set(account.emails[0]) == {"templateId", "to", "headers"}
    assert account.emails[0]["templateId"] == 101


async def test_an_email_of_the_same_name_is_sent_once_within_half_an_hour() -> None:
    account = Account()
    assert delivered(await account.act("send-email", templateId=101))
    assert delivered(await account.act("send-email", templateId=101))
    assert len(account.emails) == 1
    account.clock.time += HALF_AN_HOUR
    assert delivered(await account.act("send-email", templateId=101))
    assert len(account.emails) == 2


async def test_emails_of_two_names_are_two() -> None:
    account = Account()
    for name in (NAME, NAME[::-1]):
        await account.act("send-email", name, templateId=101)
    assert len(account.emails) == 2


async def test_an_email_whose_answer_gets_lost_is_sent_once() -> None:
    account = Account()
    account.lose("POST /smtp/email")
    done = await account.act("send-email", templateId=101)
    assert (done.verdict, done.seconds > 0) == (Verdict.RETRY, True)
    account.answers.clear()
    assert delivered(await account.act("send-email", templateId=101))
    assert len(account.emails) == 1


# --- SMS, WhatsApp, events


async def test_an_sms_says_its_content_to_the_digits_of_the_phone() -> None:
    account = Account()
    done = await account.act("send-sms", phone="+436601234567", sender="MyShop", content="10 € für dich")
    assert delivered(done)
    assert account.texts == [
        {
            "sender": "MyShop",
            "recipient": "436601234567",
            "content": "10 € für dich",
            "type": "marketing",
            "unicodeEnabled": False,
        }
    ]


async def test_an_sms_that_the_plain_alphabet_cannot_say_is_unicode() -> None:
    account = Account()
    await account.act("send-sms", sender="Shop", content="Привет", type="transactional", tag="order")
    assert account.texts[0]["unicodeEnabled"] is True
    assert (account.texts[0]["type"], account.texts[0]["tag"]) == ("transactional", "order")


async def test_a_phone_that_the_deed_does_not_name_is_the_contacts_own() -> None:
    account = Account()
    await account.act("send-sms", sender="Shop", content="Hello")
    await account.act("send-whatsapp", templateId=3, senderNumber="+4930123456")
    account.contacts[ANN]["attributes"]["WHATSAPP"] = "49999"
    await account.act("send-whatsapp", templateId=3, senderNumber="+4930123456", params={"NAME": "Ann"})
    assert account.texts[0]["recipient"] == "491701234567"
    assert account.whatsapps == [
        {"templateId": 3, "senderNumber": "4930123456", "contactNumbers": ["491701234567"]},
        {
            "templateId": 3,
            "senderNumber": "4930123456",
            "contactNumbers": ["49999"],
            "params": {"NAME": "Ann"},
        },
    ]


@pytest.mark.parametrize("verb", ["send-sms", "send-whatsapp"])
async def test_who_has_no_phone_is_refused_with_what_to_do(verb: str) -> None:
    account = Account()
    account.contacts[ANN]["attributes"].clear()
    done = await account.act(verb, **SENDING[verb][1])
    assert done.verdict is Verdict.REFUSED
    assert "no phone number" in done.reason
    assert not account.texts + account.whatsapps


async def test_an_event_has_its_name_and_properties() -> None:
    account = Account()
    assert delivered(
        await account.act("track-event", event_name="cart_saved", event_properties={"total": 12.5})
    )
    assert account.events == [
        {
            "event_name": "cart_saved",
            "identifiers": {"email_id": ANN},
            "event_properties": {"total": 12.5},
        }
    ]


@pytest.mark.parametrize("verb", SENDING)
async def test_what_may_have_been_done_is_not_done_again(verb: str) -> None:
    account = Account()
    route, params = SENDING[verb]
    account.lose(route)
    done = await account.act(verb, **params)
    assert done.verdict is Verdict.ACCEPTED
    assert "may have been done" in done.reason
    assert account.calls[route] == 1


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("verb", SENDING)
async def test_what_brevo_says_it_could_not_do_is_tried_again_later(verb: str, status: int) -> None:
    account = Account()
    route, params = SENDING[verb]
    account.answer(route, status)
    done = await account.act(verb, **params)
    assert (done.verdict, done.seconds > 0) == (Verdict.RETRY, True)


# --- contacts


async def test_a_contact_is_created_with_values_of_its_attributes_types() -> None:
    account = Account()
    del account.contacts[ANN]
    for _ in range(2):
        done = await account.act(
            "create-contact", attributes={"firstname": "Ann", "VISITS": "3", "VIP": "yes", "LASTNAME": ""}
        )
        assert delivered(done)
    assert account.contacts[ANN]["attributes"] == {"FIRSTNAME": "Ann", "VISITS": 3.0, "VIP": True}


async def test_a_contact_is_updated_and_keeps_what_is_empty() -> None:
    account = Account()
    account.contacts[ANN]["attributes"] = {"FIRSTNAME": "Ann", "VISITS": 1}
    assert delivered(await account.act("update-contact", attributes={"FIRSTNAME": "", "VISITS": 2}))
    assert account.contacts[ANN]["attributes"] == {"FIRSTNAME": "Ann", "VISITS": 2}


async def test_an_update_of_nobody_is_refused_with_what_to_do() -> None:
    account = Account()
    account.contacts.clear()
    done = await account.act("update-contact", attributes={"VISITS": 2})
    assert done.verdict is Verdict.REFUSED
    assert "create-contact" in done.reason


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"VISIT": 1}, "no contact attribute VISIT"),
        ({"VISITS": "secret"}, "not a number"),
        ({"Email": "zoe@x.test"}, "never changes the address"),
    ],
)
@pytest.mark.parametrize("verb", ["create-contact", "update-contact"])
async def test_an_attribute_that_brevo_would_drop_or_that_is_the_address_is_refused(
    verb: str, attributes: dict[str, Any], word: str
) -> None:
    account = Account()
    done = await account.act(verb, attributes=attributes)
    assert done.verdict is Verdict.REFUSED
    assert word in done.reason
    assert "secret" not in done.reason
    assert "zoe" not in done.reason
    assert account.contacts[ANN]["attributes"] == {"SMS": "491701234567"}


async def test_a_contact_is_deleted_and_one_that_is_gone_has_gone() -> None:
    account = Account()
    for _ in range(2):
        assert delivered(await account.act("delete-contact"))
    assert not account.contacts


# --- lists


@pytest.mark.parametrize("name", [7, "vips"])
async def test_a_list_is_joined_and_left_by_number_or_name_as_often_as_one_likes(name: int | str) -> None:
    account = Account()
    for verb, lists in (("add-to-list", [7]), ("remove-from-list", [])):
        for _ in range(2):
            assert delivered(await account.act(verb, list=name))
            assert account.contacts[ANN]["listIds"] == lists


async def test_a_list_that_only_has_a_name_is_made_once_whoever_asks() -> None:
    account = Account()
    await asyncio.gather(*(account.act("add-to-list", list="Left behind") for _ in range(5)))
    assert list(account.lists.values()) == ["VIPs", "Left behind"]
    [number] = account.contacts[ANN]["listIds"]
    assert account.lists[number] == "Left behind"


async def test_a_number_that_no_list_has_is_refused_with_what_to_do() -> None:
    done = await Account().act("add-to-list", list=8)
    assert done.verdict is Verdict.REFUSED
    assert "no list 8; correct the number" in done.reason


async def test_who_is_no_contact_cannot_join_a_list_but_is_off_it() -> None:
    account = Account()
    account.contacts.clear()
    assert (await account.act("add-to-list", list=7)).verdict is Verdict.REFUSED
    assert delivered(await account.act("remove-from-list", list=7))


async def test_a_list_that_does_not_exist_is_left_already() -> None:
    account = Account()
    for name in (8, "Nobody"):
        assert delivered(await account.act("remove-from-list", list=name))
    assert list(account.lists.values()) == ["VIPs"]


async def test_a_list_that_vanished_is_made_anew_at_the_next_attempt() -> None:
    account = Account()
    await account.act("add-to-list", list="Left behind")
    account.lists.clear()
    with pytest.raises(Mend):
        await account.act("add-to-list", list="Left behind")
    assert delivered(await account.act("add-to-list", list="Left behind"))
    assert list(account.lists.values()) == ["Left behind"]


# --- what cannot be done


@pytest.mark.parametrize(
    ("verb", "params", "word"),
    [
        ("send-fax", {}, "no such action"),
        ("send-email", {}, "templateId"),
        ("send-email", {"templateId": "zoe@x.test"}, "templateId"),
        ("send-email", {"templateId": 0}, "templateId"),
        ("send-email", {"templateId": 1, "to": "zoe@x.test"}, "unknown field `to`"),
        ("send-email", {"templateId": 1, "params": ["zoe@x.test"]}, "params"),
        ("send-sms", {"sender": "Shop"}, "content"),
        ("send-sms", {"content": "a"}, "sender"),
        ("send-sms", {"sender": "My lovely shop", "content": "a"}, "sender"),
        ("send-sms", {"sender": "Shop", "content": "a", "type": "zoe@x.test"}, "type"),
        ("send-whatsapp", {"templateId": 1}, "senderNumber"),
        ("send-whatsapp", {"templateId": 1, "senderNumber": "zoe@x.test"}, "senderNumber"),
        ("track-event", {"event_name": "cart saved"}, "event_name"),
        ("delete-contact", {"list": 1}, "unknown field `list`"),
        ("add-to-list", {"list": ""}, "list"),
    ],
)
async def test_wrong_params_are_refused_by_name_and_nothing_is_said_to_brevo(
    verb: str, params: dict[str, Any], word: str
) -> None:
    account = Account()
    done = await account.act(verb, **params)
    assert done.verdict is Verdict.REFUSED
    assert done.reason.startswith(f"{verb}: ")
    assert word in done.reason
    assert "zoe" not in done.reason
    assert not account.calls


@pytest.mark.parametrize("verb", EVERY)
async def test_what_brevo_refuses_is_refused_in_its_words_without_the_person(verb: str) -> None:
    account = Account()
    route, params = EVERY[verb]
    account.answer(route, 400, REFUSAL)
    done = await account.act(verb, **params)
    assert done.verdict is Verdict.REFUSED
    assert "Invalid template" in done.reason
    assert "ann" not in done.reason
    assert "170" not in done.reason


@pytest.mark.parametrize("refusal", [(402, {}), (400, {"code": "not_enough_credits"}), (403, {}), (401, {})])
@pytest.mark.parametrize("verb", EVERY)
async def test_what_will_pass_for_nobody_is_for_a_human_to_mend(
    verb: str, refusal: tuple[int, dict[str, Any]]
) -> None:
    account = Account()
    route, params = EVERY[verb]
    account.answer(route, *refusal)
    with pytest.raises(Mend):
        await account.act(verb, **params)


@pytest.mark.parametrize("verb", EVERY)
async def test_what_does_not_pass_now_is_tried_again_after_a_while(verb: str) -> None:
    account = Account()
    route, params = EVERY[verb]
    account.answer(route, 425)
    done = await account.act(verb, **params)
    assert (done.verdict, done.seconds > 0) == (Verdict.RETRY, True)


async def test_a_deed_does_not_wait_for_the_hundred_calls_of_the_next_hour() -> None:
    account = Account()
    dones = [await account.act("send-whatsapp", **SENDING["send-whatsapp"][1]) for _ in range(101)]
    assert [done.verdict for done in dones] == [Verdict.DELIVERED] * 100 + [Verdict.RETRY]
    assert 3500 < dones[-1].seconds <= 3601
    assert max(account.clock.slept, default=0.0) < 30
    assert delivered(await account.act("send-email", templateId=101))


async def test_a_thousand_emails_go_in_a_second() -> None:
    account = Account()
    for number in range(1000):
        await account.act("send-email", f"{number:032x}", templateId=101)
    assert len(account.emails) == 1000
    assert account.api.limits.waited == 0


# --- coupons


async def test_codes_of_one_discount_lie_in_one_collection() -> None:
    account = Account()
    for code in ("A1", "B2"):
        await account.actions.coupon(10, 86400, code)
    await account.actions.coupon(15, 0, "C3")
    assert {one["name"]: one["codes"] for one in account.collections.values()} == {
        "Tajo 10 % 24 h": ["A1", "B2"],
        "Tajo 15 %": ["C3"],
    }


async def test_a_collection_that_is_there_is_used() -> None:
    account = Account()
    await account.actions.coupon(10, 86400, "A1")
    await Actions(account.api).coupon(10, 86400, "B2")
    [collection] = account.collections.values()
    assert collection["codes"] == ["A1", "B2"]


async def test_a_code_is_there_once_however_often_it_is_added() -> None:
    account = Account()
    for _ in range(2):
        await account.actions.coupon(10, 86400, "A1")
    await asyncio.gather(*(account.actions.coupon(10, 86400, code) for code in ("A1", "B2", "B2")))
    [collection] = account.collections.values()
    assert sorted(collection["codes"]) == ["A1", "B2"]


async def test_codes_that_come_while_a_call_is_under_way_share_the_next() -> None:
    account = Account()
    await account.actions.coupon(10, 86400, "FIRST")
    await asyncio.gather(*(account.actions.coupon(10, 86400, f"C{number}") for number in range(200)))
    [collection] = account.collections.values()
    assert len(collection["codes"]) == 201
    assert account.calls["POST /coupons"] < 5


async def test_a_collection_that_was_deleted_is_made_anew_at_the_next_attempt() -> None:
    account = Account()
    await account.actions.coupon(10, 86400, "A1")
    account.collections.clear()
    with pytest.raises(Later):
        await account.actions.coupon(10, 86400, "B2")
    await account.actions.coupon(10, 86400, "B2")
    [collection] = account.collections.values()
    assert collection["codes"] == ["B2"]


async def test_everybody_hears_why_their_code_did_not_get_there() -> None:
    account = Account()
    await account.actions.coupon(10, 86400, "A1")
    account.answer("POST /coupons", 400, REFUSAL)
    codes = (account.actions.coupon(10, 86400, f"B{number}") for number in range(4))
    heard = await asyncio.gather(*codes, return_exceptions=True)
    assert [type(one) for one in heard] == [Mend] * 4


async def test_an_account_without_coupons_is_told_that_discounts_need_them() -> None:
    account = Account()
    account.answer("POST /couponCollections", 403, {"code": "permission_denied", "message": "No."})
    with pytest.raises(Mend) as said:
        await account.actions.coupon(10, 86400, "A1")
    assert "no coupon codes for this account" in said.value.problem
    assert "leave discounts out" in said.value.mend


async def test_codes_of_a_call_that_was_broken_off_are_not_believed_to_be_there() -> None:
    account = Account()
    before, sender, other = (
        asyncio.create_task(account.actions.coupon(10, 86400, code)) for code in ("A0", "A1", "B2")
    )
    await before
    while account.calls["POST /coupons"] < 2:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    sender.cancel()
    with pytest.raises(Later):
        await other
    await account.actions.coupon(10, 86400, "B2")
    [collection] = account.collections.values()
    assert collection["codes"] == ["A0", "B2"]


async def test_a_code_does_not_wait_for_the_hundred_calls_of_the_next_hour() -> None:
    account = Account()
    for number in range(98):
        await account.actions.coupon(10, 86400, f"C{number}")
    with pytest.raises(Later) as late:
        await account.actions.coupon(10, 86400, "LATE")
    assert 3500 < late.value.seconds <= 3601


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100_000)), min_size=2, max_size=2, unique=True))
def test_two_discounts_share_no_collection_unless_they_end_in_the_same_minute(
    discounts: list[tuple[int, int]],
) -> None:
    one, other = discounts
    same = one[0] == other[0] and -(-one[1] // 60) == -(-other[1] // 60)
    assert (collection_name(*one) == collection_name(*other)) is same
