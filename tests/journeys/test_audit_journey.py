"""`tajo audit`: whatever Brevo lost, or somebody changed there by hand, is found, named and repaired."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tajo.answers import Audit, Changed, Example
from tajo.audit import audit
from tajo.cli import tell_audit
from tajo.errors import Busy, Usage
from tajo.sync.ledger import queue
from tajo.sync.model import Key, Resource
from tests.staged import NAME, Staged, staged


class Meddler:
    """Stands before Brevo. `lost`: ids of orders that it does not list, until they are told again; `late`:
    those that only the next list but one shows.

    `swallowed`: ids of goods that it takes, and drops without a word. `hidden`: fields that its
    lists do not show.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.state = app.state
        self.lost: set[str] = set()
        self.late: set[str] = set()
        self.swallowed: set[str] = set()
        self.hidden: set[str] = set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        kind = scope["path"].split("/")[2] if scope["path"].startswith("/v3/") else ""
        if kind not in ("orders", "products", "categories"):
            await self._app(scope, receive, send)
            return
        asked, answered = await self._read(receive), list[dict[str, Any]]()
        if scope["method"] == "POST":
            asked = self._taken(kind, asked)
            if not asked:
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body"})
                return
            headers = [h for h in scope["headers"] if h[0] != b"content-length"]
            scope = {**scope, "headers": [*headers, (b"content-length", str(len(asked)).encode())]}

        async def body() -> dict[str, Any]:
            return {"type": "http.request", "body": asked, "more_body": False}

        async def gather(message: dict[str, Any]) -> None:
            answered.append(message)

        await self._app(scope, body, gather)
        told = b"".join(message.get("body", b"") for message in answered)
        if scope["method"] == "GET":
            told = self._listed(kind, told)
        start = answered[0]
        headers = [h for h in start["headers"] if h[0] != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(told)).encode())]})
        await send({"type": "http.response.body", "body": told})

    @staticmethod
    async def _read(receive: Any) -> bytes:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        return body

    def _taken(self, kind: str, asked: bytes) -> bytes:
        body = json.loads(asked)
        self.lost -= {row["id"] for row in body.get(kind, [body])}
        if body.get("id") in self.swallowed:
            return b""
        if kind in body:
            body[kind] = [row for row in body[kind] if row["id"] not in self.swallowed]
        return json.dumps(body).encode()

    def _listed(self, kind: str, told: bytes) -> bytes:
        body = json.loads(told)
        if kind not in body:
            return told
        absent = self.lost | self.late if kind == "orders" else set()
        self.late -= absent
        rows = [row for row in body[kind] if row["id"] not in absent]
        body["count"] -= len(body[kind]) - len(rows)
        body[kind] = [{name: row[name] for name in row if name not in self.hidden} for row in rows]
        return json.dumps(body).encode()


def meddled(brevo: Any) -> Meddler:
    """From now on somebody meddles with all that Tajo and this Brevo tell each other."""
    brevo.app = meddler = Meddler(brevo.app)
    return meddler


@asynccontextmanager
async def town(folder: Path, text: str = "", **options: Any) -> AsyncIterator[tuple[Staged, Meddler]]:
    """A store and a Brevo, synced, and who may meddle with Brevo's orders."""
    async with staged(folder, text, **options) as tajo:
        meddler = meddled(tajo.brevo)
        await tajo.sync(NAME)
        await settled(tajo)
        yield tajo, meddler


async def settled(tajo: Staged) -> None:
    """Whatever was told has long taken effect."""
    await tajo._clock.sleep(5000)


def differences(found: Audit) -> dict[str, Example]:
    """What differs, by key."""
    examples = [one for part in found.resources.values() for one in part.examples]
    return {one.key: one for one in examples if one.state in ("missing", "different", "gone")}


def sentences(found: Audit) -> list[str]:
    return sorted(one.sentence() for one in differences(found).values())


async def person(tajo: Staged, number: int) -> dict[str, Any]:
    (row,) = await tajo.shop.data("/v3/customers", id__in=number)
    return dict(row)


async def edit(tajo: Staged, email: str, body: Mapping[str, Any] | None) -> None:
    """Somebody changes a contact in Brevo by hand, or deletes it (None)."""
    method = "DELETE" if body is None else "PUT"
    path = f"/contacts/{email.lower().replace('@', '%40')}"
    answer = await tajo.brevo(method, path, body, identifierType="email_id")
    assert answer.status_code == 204, answer.text


async def writes(tajo: Staged) -> Counter[str]:
    return Counter(route for route in tajo.calls if not route.startswith("GET"))


# -- nothing differs


@pytest.mark.parametrize("consent", ["blocklist", "skip", "ignore"])
async def test_after_a_sync_both_sides_agree(tmp_path: Path, consent: str) -> None:
    options = "lists: {all_customers: Everybody, buyers: Buyers, subscribers: News}\n"
    async with town(tmp_path, f"consent: {consent}\n{options}") as (tajo, _):
        tajo.calls.clear()
        found = await audit(tajo, NAME)
        assert (sentences(found), found.agrees, found.not_compared) == ([], True, ())
        for part in found.resources.values():
            assert part.checked == part.agreed + part.parked > 0
        assert {"customers", "guests", "subscribers", "orders", "products", "variants", "categories"} <= set(
            found.resources
        )
        assert not await writes(tajo)
        assert found.calls["brevo"] == len(tajo.calls)


async def test_each_list_is_read_once(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        tajo.calls.clear()
        await audit(tajo, NAME)
        lists = ("GET /contacts", "GET /orders", "GET /products", "GET /categories")
        assert {route: Counter(tajo.calls)[route] for route in lists} == dict.fromkeys(lists, 1)


async def test_looking_changes_nothing_and_twice_says_the_same(tmp_path: Path, database_url: str) -> None:
    async with town(tmp_path, database_url=database_url) as (tajo, meddler):
        await edit(tajo, (await person(tajo, 7))["email"], {"attributes": {"LASTNAME": "Edited"}})
        meddler.lost.add("105")
        before = await tajo.status(NAME)
        tajo.calls.clear()
        once, twice = await audit(tajo, NAME), await audit(tajo, NAME)
        assert once.resources == twice.resources
        assert len(differences(once)) == 2
        assert await tajo.status(NAME) == before
        assert not await writes(tajo)


async def test_before_the_first_sync_there_is_nothing_to_agree_with(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        with pytest.raises(Usage, match="never synced"):
            await audit(tajo, NAME)


# -- something differs


async def test_what_somebody_did_by_hand_is_named_repaired_and_gone(
    tmp_path: Path, database_url: str
) -> None:
    async with town(tmp_path, database_url=database_url) as (tajo, meddler):
        seven, eight = await person(tajo, 7), await person(tajo, 8)
        await edit(tajo, seven["email"], {"attributes": {"LASTNAME": "Edited"}})
        await edit(tajo, eight["email"], None)
        meddler.lost.add("105")
        renamed = {"id": "101", "name": "Renamed by hand", "updateEnabled": True}
        assert (await tajo.brevo("POST", "/products", renamed)).is_success
        renamed = {"id": "25", "name": "Renamed, too", "updateEnabled": True}
        assert (await tajo.brevo("POST", "/categories", renamed)).is_success
        found = await audit(tajo, NAME)
        assert sentences(found) == [
            "categories/25: name is not what it should be",
            "customers/7: LASTNAME is not what it should be",
            "customers/8 is missing in Brevo",
            "orders/105 is missing in Brevo",
            "products/101: name is not what it should be",
        ]
        assert found.resources["customers"].fields == {"LASTNAME": 1}
        assert not found.agrees

        mended = await audit(tajo, NAME, repair=True)
        assert (sentences(mended), mended.agrees, mended.repaired) == ([], True, 5)
        await settled(tajo)
        assert (await audit(tajo, NAME)).agrees
        contact = await tajo.brevo.contact(seven["email"].lower())
        assert contact["attributes"]["LASTNAME"] == seven["last_name"]
        assert (await tajo.brevo.contact(eight["email"].lower()))["id"]


async def test_nothing_but_what_differs_is_told_again(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        await edit(tajo, (await person(tajo, 7))["email"], {"attributes": {"LASTNAME": "Edited"}})
        tajo.calls.clear()
        await audit(tajo, NAME, repair=True)
        assert await writes(tajo) == Counter({"POST /contacts": 1})


async def test_values_are_shown_to_those_who_ask(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        seven = await person(tajo, 7)
        await edit(tajo, seven["email"], {"attributes": {"LASTNAME": "Edited"}})
        plain, shown = await audit(tajo, NAME), await audit(tajo, NAME, values=True)
        assert "Edited" not in json.dumps(msgspec.to_builtins(plain))
        assert seven["last_name"] not in json.dumps(msgspec.to_builtins(plain))
        assert differences(shown)["customers/7"].values == (
            Changed("LASTNAME", "Edited", seven["last_name"]),
        )


async def test_who_left_one_of_our_lists_is_put_back_and_what_is_not_ours_is_left_alone(
    tmp_path: Path,
) -> None:
    async with town(tmp_path, "lists: {all_customers: Everybody}\n") as (tajo, _):
        email = (await person(tajo, 7))["email"].lower()
        ours = (await tajo.brevo.contact(email))["listIds"]
        other = (await tajo.brevo("POST", "/contacts/lists", {"name": "Other", "folderId": 1})).json()["id"]
        assert (await tajo.brevo("POST", "/contacts/attributes/normal/OTHER", {"type": "text"})).is_success
        await edit(tajo, email, {"listIds": [other], "attributes": {"OTHER": "theirs"}})
        assert (await audit(tajo, NAME)).agrees
        await edit(tajo, email, {"unlinkListIds": ours[:1]})
        found = await audit(tajo, NAME, repair=True)
        assert (found.agrees, found.repaired) == (True, 1)
        await settled(tajo)
        contact = await tajo.brevo.contact(email)
        assert sorted(contact["listIds"]) == sorted([*ours, other])
        assert contact["attributes"]["OTHER"] == "theirs"


async def test_who_unsubscribed_or_was_freed_in_brevo_does_not_differ(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        rows = (await tajo.brevo.control("GET", "contacts")).text.splitlines()
        contacts = [json.loads(row) for row in rows]
        for blocked in (True, False):
            one = next(c for c in contacts if c["emailBlacklisted"] is not blocked)
            await edit(tajo, one["email"], {"emailBlacklisted": blocked})
        assert (await audit(tajo, NAME)).agrees


async def test_an_attribute_that_was_deleted_in_brevo_is_made_anew(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        assert (await tajo.brevo("DELETE", "/contacts/attributes/normal/CITY")).is_success
        found = await audit(tajo, NAME)
        assert {one.fields for one in differences(found).values()} == {("CITY",)}
        assert (await audit(tajo, NAME, repair=True)).agrees


async def test_what_a_batch_dropped_without_a_word_is_found(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        meddler = meddled(tajo.brevo)
        meddler.swallowed = {"103", "107"}
        await tajo.sync(NAME)
        await settled(tajo)
        found = await audit(tajo, NAME)
        missing = [key for key, one in differences(found).items() if one.state == "missing"]
        assert {"orders/107", "products/103"} <= set(missing)
        assert not (await audit(tajo, NAME, repair=True)).agrees  # they are swallowed still
        meddler.swallowed = set()
        assert (await audit(tajo, NAME, repair=True)).repaired > 0
        await settled(tajo)
        assert (await audit(tajo, NAME)).agrees


async def test_an_account_that_was_emptied_is_filled_again(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        rows = (await tajo.brevo.control("GET", "contacts")).text.splitlines()
        for row in rows:
            await tajo._clock.sleep(1)
            await edit(tajo, json.loads(row)["email"], None)
        found = await audit(tajo, NAME)
        people = ("customers", "guests", "subscribers")
        assert sum(found.resources[kind].missing for kind in people) == len(rows)
        mended = await audit(tajo, NAME, repair=True)
        assert (mended.agrees, mended.repaired) == (True, len(rows))


async def test_what_a_list_shows_late_is_looked_at_once_more_and_agrees(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, meddler):
        meddler.late = {"105", "106"}
        tajo.calls.clear()
        found = await audit(tajo, NAME)
        assert (sentences(found), found.agrees) == ([], True)
        assert found.resources["orders"].agreed == found.resources["orders"].checked - 1  # and one failure
        assert Counter(tajo.calls)["GET /orders"] == 2


async def test_a_lost_phone_is_told_but_no_difference(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        rows = map(json.loads, (await tajo.brevo.control("GET", "contacts")).text.splitlines())
        email = next(row["email"] for row in rows if row["attributes"].get("SMS"))
        await edit(tajo, email, {"attributes": {"SMS": ""}})
        found = await audit(tajo, NAME)
        assert found.agrees
        assert [
            words for words in found.not_compared if words.startswith("contacts: 1 that lack their phone")
        ]


# -- the store moved on


async def test_what_is_gone_in_the_store_and_still_there_is_let_go(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        readers = {row["email"].lower() for row in await tajo.shop.data("/v3/customers/subscribers")}
        rows = await tajo.shop.data("/v3/customers")
        leaver = next(row for row in rows if "@" in row["email"] and row["email"].lower() not in readers)
        sold = next(row for row in (await tajo.brevo("GET", "/products")).json()["products"] if _sold(row))
        assert (await tajo.shop.send("DELETE", "/v3/customers", id__in=leaver["id"])).is_success
        assert (await tajo.shop.send("DELETE", f"/v3/catalog/products/{sold['id']}")).is_success
        found = await audit(tajo, NAME)
        gone = {key for key, one in differences(found).items() if one.state == "gone"}
        assert {f"customers/{leaver['id']}", f"products/{sold['id']}"} <= gone
        mended = await audit(tajo, NAME, repair=True)
        assert (sentences(mended), mended.agrees) == ([], True)
        await settled(tajo)
        assert (await tajo.brevo.contact(leaver["email"].lower()))["listIds"] == []
        assert (await tajo.brevo("GET", f"/products/{sold['id']}")).json()["isDeleted"] is True
        assert (await audit(tajo, NAME)).agrees


async def test_an_order_that_was_deleted_in_the_store_is_marked_and_then_in_no_list(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        orders = await tajo.shop.data("/v2/orders", limit=90)
        order = next(one["id"] for one in orders if one["status_id"] == 10)
        assert (await tajo.shop.send("DELETE", f"/v2/orders/{order}")).is_success
        found = await audit(tajo, NAME)
        assert "metaInfo.archived" in differences(found)[f"orders/{order}"].fields
        assert (await audit(tajo, NAME, repair=True)).agrees
        await settled(tajo)
        found = await audit(tajo, NAME)
        assert found.agrees
        (words,) = found.not_compared
        assert words.startswith("orders: 1 that Brevo was told of, and that were deleted in the store")


def _sold(product: dict[str, Any]) -> bool:
    return not product.get("isDeleted") and not product.get("parentId")


async def test_what_no_sync_has_told_yet_differs_unless_it_is_queued(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        await tajo.change("/v3/customers", id=7, first_name="Else")
        await tajo.change("/v3/catalog/products/101", name="Renamed")
        assert {"customers/7", "products/101"} <= differences(await audit(tajo, NAME)).keys()
        keys = [Key(Resource.CUSTOMERS, 7), Key(Resource.PRODUCTS, 101)]
        async with tajo.ledger.begin() as tx:
            await queue.enqueue(tx, NAME, keys, now=tajo.now())
        found = await audit(tajo, NAME)
        assert found.agrees
        assert (found.resources["customers"].waiting, found.resources["products"].waiting) == (1, 1)
        assert found.resources["variants"].waiting == found.resources["variants"].checked - (
            found.resources["variants"].agreed
        )


async def test_an_order_that_is_queued_makes_its_buyer_wait_too(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        orders = await tajo.shop.data("/v2/orders", limit=90)
        order = next(o for o in orders if o["customer_id"] and o["status_id"] == 10)
        await tajo.change(f"/v2/orders/{order['id']}", status_id=5)
        async with tajo.ledger.begin() as tx:
            await queue.enqueue(tx, NAME, [Key(Resource.ORDERS, order["id"])], now=tajo.now())
        found = await audit(tajo, NAME)
        assert found.agrees
        assert (found.resources["orders"].waiting, found.resources["customers"].waiting) == (1, 1)


async def test_an_order_that_was_just_told_may_take_its_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        meddler = meddled(tajo.brevo)
        await tajo.sync(NAME)
        meddler.lost.add("105")
        found = await audit(tajo, NAME)
        assert found.agrees
        assert found.resources["orders"].waiting == 1


async def test_known_failures_are_told_with_their_reason(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        found = await audit(tajo, NAME)
        parked = {
            one.key: one.reason
            for part in found.resources.values()
            for one in part.examples
            if one.state == "parked"
        }
        assert parked == {str(entry.key): entry.reason for entry in await tajo.failures(NAME)}
        assert parked


async def test_what_was_dismissed_is_known_and_no_difference(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, _):
        before = await audit(tajo, NAME)
        first = (await tajo.failures(NAME))[0]
        async with tajo.ledger.begin() as tx:
            await queue.dismiss(tx, NAME, [first.key], tajo.now())
        found = await audit(tajo, NAME)
        assert found.agrees
        assert {name: part.parked for name, part in found.resources.items()} == {
            name: part.parked for name, part in before.resources.items()
        }
        told = {one.key: one.reason for part in found.resources.values() for one in part.examples}
        assert told[str(first.key)] == f"{first.reason} (dismissed)"


# -- what cannot be compared, and who is in the way


async def test_a_field_that_the_list_does_not_show_is_said_not_to_be_compared(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, meddler):
        meddler.hidden = {"metaInfo", "brand"}
        found = await audit(tajo, NAME)
        assert found.agrees
        assert "orders: Brevo's list does not show metaInfo" in found.not_compared
        assert any(words.startswith("products: Brevo's list does not show") for words in found.not_compared)


async def test_a_repair_waits_for_nobody_else_who_is_at_work(tmp_path: Path) -> None:
    async with town(tmp_path) as (tajo, meddler):
        meddler.lost.add("105")
        async with tajo.ledger.alone(NAME):
            assert len(differences(await audit(tajo, NAME))) == 1
            with pytest.raises(Busy):
                await audit(tajo, NAME, repair=True)


async def test_it_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with town(tmp_path) as (tajo, _):
        seven = await person(tajo, 7)
        await edit(tajo, seven["email"], {"attributes": {"LASTNAME": "Edited"}})
        tell_audit.audit(await audit(tajo, NAME))
        words = capsys.readouterr().out
        assert "customers/7: LASTNAME is not what it should be" in words
        assert "1 difference. Mend: tajo audit bigcommerce --repair" in words
        assert "Edited" not in words
        tell_audit.audit(await audit(tajo, NAME, values=True))
        assert "LASTNAME: 'Edited' →" in capsys.readouterr().out
        tell_audit.audit(await audit(tajo, NAME, repair=True))
        assert "1 repaired. Both sides agree." in capsys.readouterr().out
