"""Our webhook at Brevo: made once, kept right, and nobody else's touched."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tajo.brevo import Api
from tajo.brevo.hooks import DESCRIPTION, EVENTS, BrevoHooks
from tajo.errors import Mend
from tajo.http import Lost

from .virtual_clock import VirtualClock

URL = "https://tajo.shop.test/webhooks/brevo"
TOKEN = "s3cret-token"
OURS = {
    "url": URL,
    "description": DESCRIPTION,
    "type": "marketing",
    "events": list(EVENTS),
    "batched": True,
    "auth": {"type": "bearer", "token": TOKEN},
}
FOREIGN = {
    "id": 1,
    "url": "https://crm.test/hook",
    "description": "CRM",
    "type": "marketing",
    "events": ["unsubscribed"],
}
ANOTHER = {
    **OURS,
    "id": 2,
    "url": "https://tajo.other.test/webhooks/brevo",
    "auth": {"type": "bearer", "token": "else"},
}


class Account:
    """An account's webhooks, behind the four routes. `most`: how many it takes. `slow`: answers get lost."""

    def __init__(self, *hooks: Mapping[str, Any], most: int = 40, slow: bool = False) -> None:
        self.hooks: dict[int, dict[str, Any]] = {hook["id"]: dict(hook) for hook in hooks}
        self.most, self.slow = most, slow
        self.calls: list[str] = []
        self._ids = itertools.count(100)
        self.api = Api("xkeysib-1", clock=VirtualClock(), transport=httpx.MockTransport(self._handle))
        self.ours = BrevoHooks(self.api)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.method)
        number = int(request.url.path.rpartition("/")[2] or 0) if request.method in ("PUT", "DELETE") else 0
        if number and number not in self.hooks:
            return httpx.Response(404, json={"code": "document_not_found", "message": "no such webhook"})
        match request.method:
            case "GET":
                kind = request.url.params.get("type", "transactional")
                found = [hook for hook in self.hooks.values() if hook["type"] == kind]
                return httpx.Response(200, json={"webhooks": found})
            case "POST" if len(self.hooks) >= self.most:
                return httpx.Response(400, json={"code": "invalid_parameter", "message": "Limit reached"})
            case "POST":
                number = next(self._ids)
                self.hooks[number] = {**json.loads(request.content), "id": number}
                return httpx.Response(502 if self.slow else 201, json={"id": number})
            case "PUT":
                self.hooks[number] |= json.loads(request.content)
                return httpx.Response(204)
        del self.hooks[number]
        return httpx.Response(204)

    def others(self) -> dict[int, dict[str, Any]]:
        return {number: hook for number, hook in self.hooks.items() if hook["url"] != URL}


async def test_a_webhook_is_made_for_unsubscribes_complaints_and_changes_with_our_token() -> None:
    account = Account(FOREIGN)
    number = await account.ours.register(URL, TOKEN)
    assert account.hooks[number] == {**OURS, "id": number}
    assert account.calls == ["GET", "POST"]


async def test_one_that_is_right_is_left_alone_and_costs_one_call() -> None:
    account = Account(FOREIGN, {**OURS, "id": 5})
    assert await account.ours.register(URL, TOKEN) == 5
    assert account.calls == ["GET"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": ["unsubscribed"]},
        {"batched": False},
        {"auth": {"type": "bearer", "token": "old"}},
        {"auth": None},
        {"description": None, "events": None},
        {"url": "http://old.test/webhooks/brevo"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_one_that_is_wrong_is_put_right_and_stays_the_same_webhook(wrong: dict[str, Any]) -> None:
    account = Account({**OURS, "id": 5, **wrong})
    assert await account.ours.register(URL, TOKEN) == 5
    assert account.hooks == {5: {**OURS, "id": 5}}
    assert account.calls == ["GET", "PUT"]


async def test_of_several_at_our_address_the_oldest_stays() -> None:
    account = Account(FOREIGN, {**OURS, "id": 9}, {**OURS, "id": 5}, {**OURS, "id": 7, "batched": False})
    assert await account.ours.register(URL, TOKEN) == 5
    assert sorted(account.hooks) == [1, 5]


async def test_webhooks_of_others_are_never_touched_another_tajos_included() -> None:
    transactional = {**FOREIGN, "id": 3, "type": "transactional"}
    account = Account(FOREIGN, ANOTHER, transactional)
    before = account.others()
    await account.ours.register(URL, TOKEN)
    await account.ours.remove(URL, TOKEN)
    assert account.others() == before
    assert len(account.hooks) == 3


async def test_one_whose_token_is_not_shown_is_known_by_its_address_alone() -> None:
    hidden = {**OURS, "id": 5, "auth": {"type": "bearer"}}
    elsewhere = {**ANOTHER, "auth": {"type": "bearer"}}
    account = Account(hidden, elsewhere)
    assert await account.ours.register(URL, TOKEN) == 5
    assert account.others() == {2: elsewhere}


async def test_one_that_vanishes_meanwhile_is_made_anew() -> None:
    account = Account({**OURS, "id": 5, "batched": False})
    listing = await account.api.webhooks()
    del account.hooks[5]

    async def stale() -> list[dict[str, Any]]:
        return listing

    account.api.webhooks = stale  # type: ignore[method-assign]
    number = await account.ours.register(URL, TOKEN)
    assert account.hooks == {number: {**OURS, "id": number}}


async def test_an_account_that_is_full_is_for_a_human_to_mend() -> None:
    account = Account(FOREIGN, ANOTHER, most=2)
    with pytest.raises(Mend, match="40 webhooks") as caught:
        await account.ours.register(URL, TOKEN)
    assert TOKEN not in str(caught.value)


async def test_an_answer_that_got_lost_leaves_one_webhook_once_it_is_tried_again() -> None:
    account = Account(slow=True)
    with pytest.raises(Lost):
        await account.ours.register(URL, TOKEN)
    account.slow = False
    await account.ours.register(URL, TOKEN)
    assert len(account.hooks) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://tajo.shop.test/webhooks/brevo",
        "ftp://tajo.shop.test/",
        "tajo.shop.test/webhooks/brevo",
        "https:///webhooks/brevo",
        "https://user:pass-word@tajo.shop.test/webhooks/brevo",
        "https://tajo.shop.test/webhooks/brevo#part",
        "",
    ],
)
async def test_an_address_that_brevo_cannot_call_is_not_registered(url: str) -> None:
    account = Account()
    with pytest.raises(Mend, match=r"server\.public_url") as caught:
        await account.ours.register(url, TOKEN)
    assert "pass-word" not in str(caught.value)
    assert account.calls == []


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
async def test_this_very_machine_may_be_called_without_https(host: str) -> None:
    account = Account()
    await account.ours.register(f"http://{host}/webhooks/brevo", TOKEN)
    assert len(account.hooks) == 1


async def test_those_that_any_tajo_made_are_listed_and_show_no_token() -> None:
    account = Account(FOREIGN, ANOTHER, {**OURS, "id": 5})
    listed = await account.ours.listed()
    assert [(hook.id, hook.url) for hook in listed] == [(2, ANOTHER["url"]), (5, URL)]
    assert TOKEN not in repr(listed)


async def test_removing_tells_how_many_there_were() -> None:
    account = Account(FOREIGN, {**OURS, "id": 5}, {**OURS, "id": 6})
    assert await account.ours.remove(URL, TOKEN) == 2
    assert await account.ours.remove(URL, TOKEN) == 0
    assert sorted(account.hooks) == [1]


@pytest.mark.parametrize("url", ["https://new.example.com/webhooks/brevo", ""])
async def test_one_that_calls_where_we_were_before_is_removed_too(url: str) -> None:
    account = Account(FOREIGN, ANOTHER, {**OURS, "id": 5})
    assert await account.ours.remove(url, TOKEN) == 1
    assert sorted(account.hooks) == [1, 2]
