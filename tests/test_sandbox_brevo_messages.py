"""What the simulated Brevo does with e-mails: templates, keys that send once, who is not reached."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.sandbox.brevo.rendering import rendered

from .test_sandbox_brevo import Brevo, refused

TEMPLATE = {
    "templateName": "Cart",
    "subject": '{{ contact.FIRSTNAME|default:"You" }} left {{ params.total }}',
    "sender": {"email": "shop@example.com"},
    "htmlContent": "<ul>{% for item in params.items %}<li>{{ item.name }}</li>{% endfor %}</ul>",
    "isActive": True,
}
TO = [{"email": "ada@example.com"}]
KEY = {"headers": {"idempotencyKey": "0b8a3f6e-3c1a-4a37-9a7e-1f0d6a1f2b3c"}}


@pytest.fixture
async def brevo() -> AsyncIterator[Brevo]:
    made = Brevo()
    yield made
    await made.client.aclose()
    await made.app.state.account.agenda.close()


async def kept(brevo: Brevo, **query: str) -> list[dict[str, Any]]:
    path = "messages?" + "&".join(f"{name}={value}" for name, value in query.items())
    return [json.loads(line) for line in (await brevo.control("GET", path)).text.splitlines()]


async def test_a_template_is_filled_in_with_params_and_the_contact(brevo: Brevo) -> None:
    contact = {"email": "ada@example.com", "attributes": {"FIRSTNAME": "Ada"}}
    await brevo("POST", "/contacts", contact)
    number = (await brevo("POST", "/smtp/templates", TEMPLATE)).json()["id"]
    params = {"total": 12.5, "items": [{"name": "Tea & mug"}, {"name": "Lamp"}]}
    mail = {"templateId": number, "to": TO, "params": params, "tags": ["cart"]}
    assert (await brevo("POST", "/smtp/email", mail)).status_code == 201
    (message,) = await kept(brevo)
    assert message["subject"] == "Ada left 12.5"
    assert message["html"] == "<ul><li>Tea &amp; mug</li><li>Lamp</li></ul>"
    assert (message["template"], message["params"], message["tags"]) == (number, params, ["cart"])
    assert (message["to"], message["sender"]) == (["ada@example.com"], "shop@example.com")
    assert message["at"].endswith("Z")
    page = await brevo.control("GET", "messages/1.html")
    assert (page.text, page.headers["content-type"]) == (message["html"], "text/html; charset=utf-8")


@pytest.mark.parametrize("number", [99, 0, "1"])
async def test_an_unknown_template_is_refused(brevo: Brevo, number: Any) -> None:
    await brevo("POST", "/smtp/templates", TEMPLATE)
    refused(await brevo("POST", "/smtp/email", {"templateId": number, "to": TO}), 400, "invalid_parameter")
    assert await kept(brevo) == []


async def test_only_an_active_template_is_sent_and_only_an_inactive_one_deleted(brevo: Brevo) -> None:
    await brevo("POST", "/smtp/templates", {**TEMPLATE, "isActive": False})
    mail = {"templateId": 1, "to": TO}
    refused(await brevo("POST", "/smtp/email", mail), 400, "invalid_parameter")
    assert (await brevo("PUT", "/smtp/templates/1", {"isActive": True})).status_code == 204
    assert (await brevo("POST", "/smtp/email", mail)).status_code == 201
    refused(await brevo("DELETE", "/smtp/templates/1"), 400, "invalid_parameter")
    listed = (await brevo("GET", "/smtp/templates?templateStatus=true")).json()
    assert (listed["count"], listed["templates"][0]["name"]) == (1, "Cart")


async def test_an_idempotency_key_sends_once_in_thirty_minutes(brevo: Brevo) -> None:
    mail = {"templateId": 1, "to": TO, **KEY}
    assert (await brevo("POST", "/smtp/email", mail)).status_code == 201
    refused(await brevo("POST", "/smtp/email", mail), 400, "duplicate_parameter")
    await brevo.clock.advance(29 * 60)
    refused(await brevo("POST", "/smtp/email", mail), 400, "duplicate_parameter")
    await brevo.clock.advance(60)
    assert (await brevo("POST", "/smtp/email", mail)).status_code == 201
    assert len(await kept(brevo)) == 2


async def test_a_refused_request_does_not_use_up_its_key(brevo: Brevo) -> None:
    refused(await brevo("POST", "/smtp/email", {"templateId": 1, **KEY}), 400, "missing_parameter")
    assert (await brevo("POST", "/smtp/email", {"templateId": 1, "to": TO, **KEY})).status_code == 201


async def test_another_spelling_of_the_key_has_no_effect(brevo: Brevo) -> None:
    mail = {"templateId": 1, "to": TO, "headers": {"Idempotency-Key": "a"}}
    for _ in range(2):
        assert (await brevo("POST", "/smtp/email", mail)).status_code == 201


async def test_versions_are_messages_of_their_own(brevo: Brevo) -> None:
    versions = [{"to": [{"email": f"{name}@example.com"}], "params": {"n": name}} for name in ("a", "b")]
    answer = await brevo("POST", "/smtp/email", {"templateId": 1, "messageVersions": versions})
    assert len(set(answer.json()["messageIds"])) == 2
    assert [message["params"] for message in await kept(brevo)] == [{"n": "a"}, {"n": "b"}]
    assert [message["to"] for message in await kept(brevo, to="b@example.com")] == [["b@example.com"]]


async def test_who_is_blocklisted_for_campaigns_gets_transactional_mails(brevo: Brevo) -> None:
    await brevo("POST", "/contacts", {"email": "ada@example.com", "emailBlacklisted": True})
    await brevo("POST", "/smtp/email", {"templateId": 1, "to": TO})
    (event, _) = (await brevo("GET", "/smtp/statistics/events?sort=desc")).json()["events"]
    assert event["event"] == "delivered"


async def test_who_unsubscribed_from_transactional_mails_is_not_reached(brevo: Brevo) -> None:
    await brevo.control("POST", "unsubscribe", {"email": "Ada@example.com", "transactional": True})
    assert (await brevo("POST", "/smtp/email", {"templateId": 1, "to": TO})).status_code == 201
    (message,) = await kept(brevo)
    assert message["blocked"] == ["ada@example.com"]
    found = (await brevo("GET", "/smtp/statistics/events?email=ada@example.com&sort=asc")).json()["events"]
    assert [event["event"] for event in found] == ["requests", "blocked"]
    blocked = (await brevo("GET", "/smtp/blockedContacts")).json()
    assert blocked["contacts"][0]["email"] == "ada@example.com"
    assert (await brevo("DELETE", "/smtp/blockedContacts/ada%40example.com")).status_code == 204
    assert (await brevo("GET", "/smtp/blockedContacts")).json()["count"] == 0


async def test_sent_mails_are_listed_by_person_template_or_id(brevo: Brevo) -> None:
    sent = await brevo("POST", "/smtp/email", {"templateId": 4, "to": TO})
    await brevo("POST", "/smtp/email", {"templateId": 5, "to": [{"email": "bob@example.com"}]})
    refused(await brevo("GET", "/smtp/emails"), 400, "missing_parameter")
    for query in ("email=ada@example.com", "templateId=4"):
        found = (await brevo("GET", f"/smtp/emails?{query}")).json()
        assert [mail["messageId"] for mail in found["transactionalEmails"]] == [sent.json()["messageId"]]


async def test_texts_and_whatsapp_messages_are_kept_as_they_read(brevo: Brevo) -> None:
    sms = {"sender": "Shop", "recipient": "+33612345678", "content": "Hi {{ params.name }}"}
    await brevo("POST", "/transactionalSMS/send", {**sms, "params": {"name": "Ada"}})
    refused(
        await brevo("POST", "/transactionalSMS/send", {**sms, "sender": "Far too long"}),
        400,
        "invalid_parameter",
    )
    chat = {"contactNumbers": ["33612345678"], "senderNumber": "33600000000", "templateId": 3}
    await brevo("POST", "/whatsapp/sendMessage", {**chat, "params": {"total": 3}})
    text, message = await kept(brevo)
    assert (text["kind"], text["html"]) == ("sms", "Hi Ada")
    assert (message["kind"], message["template"], message["params"]) == ("whatsapp", 3, {"total": 3})
    refused(
        await brevo("POST", "/whatsapp/sendMessage", {**chat, "contactNumbers": ["12"]}),
        400,
        "invalid_parameter",
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ params.a.b }}-{{ params.none }}", "1-"),
        ('{{ params.none|default:"you" }}', "you"),
        ("{% if params.a %}yes{% else %}no{% endif %}", "yes"),
        ("{% if params.none %}yes{% else %}no{% endif %}", "no"),
        ("{% for x in params.rows %}{% if x.on %}{{ x.n }}{% endif %}{% endfor %}", "2"),
        ("{% for x in params.rows %}{% for y in x.in %}{{ y.n }}{% endfor %};{% endfor %}", "7;;"),
        ("{{ 1 + 1 }} {% block x %}", "{{ 1 + 1 }} {% block x %}"),
    ],
)
def test_the_template_language(template: str, text: str) -> None:
    rows = [{"n": 1, "on": False, "in": [{"n": 7}]}, {"n": 2, "on": True}]
    assert rendered(template, {"params": {"a": {"b": 1}, "rows": rows}}) == text


@given(st.text(alphabet='{}%|"abc .forindelse', max_size=60))
def test_no_template_is_too_strange(template: str) -> None:
    assert isinstance(rendered(template, {"params": {"abc": [1]}}), str)


@given(st.text(max_size=40), st.text(max_size=40).filter(bool))
def test_a_value_never_becomes_markup(before: str, value: str) -> None:
    plain = before.replace("{", "")
    text = rendered(f"{plain}{{{{ params.v }}}}", {"params": {"v": value}})
    assert text == plain + html.escape(value)
