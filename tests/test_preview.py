"""`tajo preview`: what is shown is what a sync would send, value by value; looking changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tajo.errors import Usage
from tajo.preview import preview
from tajo.sync.ledger import runs
from tests.staged import NAME, Staged, staged


async def held(tajo: Staged, kind: str) -> dict[str, dict[str, Any]]:
    """What Brevo holds, by e-mail or id."""
    lines = (await tajo.brevo.control("GET", kind)).text.splitlines()
    return {row.get("email") or row["id"]: row for row in map(json.loads, lines)}


def values(payload: dict[str, Any]) -> dict[str, Any]:
    """The values that are shown one by one, without those that are left out."""
    return {one["field"]: one["value"] for one in payload["values"] if one["value"] not in (None, "")}


def flat(body: dict[str, Any], *nested: str) -> dict[str, Any]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}` for the named objects."""
    found = {}
    for name, value in body.items():
        found |= {f"{name}.{inner}": v for inner, v in value.items()} if name in nested else {name: value}
    return found


# -- customers


async def test_a_customer_is_shown_as_a_sync_tells_them(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        contacts = await held(tajo, "contacts")
        for number in range(1, 31):
            shown = await preview(tajo, NAME, "customer", number)
            for payload in shown["payloads"]:
                body = payload["body"]
                contact = contacts[body["email"]]
                told = body["attributes"] | ({"SMS": body["attributes"].get("SMS", "").lstrip("+")})
                assert {name: value for name, value in told.items() if value} == {
                    name: value for name, value in contact["attributes"].items() if value
                }
                assert body["listIds"] == contact["listIds"]


async def test_each_value_has_its_origin(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        shown = await preview(tajo, NAME, "customer", 7)
        (payload,) = shown["payloads"]
        assert payload["request"] == "POST /v3/contacts"
        body = payload["body"]
        assert body.pop("updateEnabled") is True  # the one value that comes from nowhere
        assert values(payload) == flat(body, "attributes")
        origins = {one["field"]: one["origin"] for one in payload["values"]}
        assert origins["attributes.FIRSTNAME"] == "first_name"
        assert origins["attributes.CITY"] == "addresses[0].city"
        assert origins["listIds"].startswith("lists: all_customers")
        assert "consent" in origins["emailBlacklisted"]


async def test_a_change_is_shown_before_it_is_synced(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        await tajo.change("/v3/customers", id=7, first_name="Else")
        (payload,) = (await preview(tajo, NAME, "customer", 7))["payloads"]
        assert payload["body"]["attributes"]["FIRSTNAME"] == "Else"


async def test_a_changed_address_is_shown_as_the_renaming_that_it_is(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        made = await tajo.shop.send(
            "POST", "/v3/customers", [{"email": "old@example.com", "first_name": "A", "last_name": "B"}]
        )
        number = made.json()["data"][0]["id"]
        await tajo.sync(NAME)
        await tajo.change("/v3/customers", id=number, email="new@example.com")
        (payload,) = (await preview(tajo, NAME, "customer", number))["payloads"]
        assert payload["request"].startswith("PUT /v3/contacts/")
        assert payload["body"]["attributes"]["EMAIL"] == "new@example.com"


async def test_looking_changes_nothing(tmp_path: Path, database_url: str) -> None:
    async with staged(tmp_path, database_url=database_url) as tajo:
        for kind, number in (("customer", 7), ("order", 105), ("product", 101)):
            await preview(tajo, NAME, kind, number)
        assert {route.partition(" ")[0] for route in tajo.calls} == {"GET"}
        assert (await tajo.status(NAME))["customers_count"] == 0
        async with tajo.ledger.begin() as tx:
            assert (await runs.connection(tx, NAME, 12.0)).live_since == 12.0  # not connected before


async def test_before_the_first_sync_it_says_what_may_be_missing(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        notes = (await preview(tajo, NAME, "customer", 7))["notes"]
        assert any(note.startswith("Brevo lacks the contact attributes") for note in notes)
        assert notes[-1] == (
            "never synced to the end yet: customers, orders, subscribers; so this may lack that Brevo holds "
            "the person already and what the person bought and what the person consented to"
        )
        await tajo.sync(NAME)
        assert not any("synced" in note for note in (await preview(tajo, NAME, "customer", 7))["notes"])


async def test_who_gave_no_consent_is_left_out_and_it_says_so(tmp_path: Path) -> None:
    async with staged(tmp_path, "consent: skip\n") as tajo:
        await tajo.sync(NAME)
        contacts = await held(tajo, "contacts")
        for number in range(1, 20):
            shown = await preview(tajo, NAME, "customer", number)
            (row,) = await tajo.shop.data("/v3/customers", id__in=number)
            left_out = any("`consent: skip`" in note for note in shown["notes"])
            refused = any("among the failures" in note for note in shown["notes"])
            assert (
                bool(shown["payloads"])
                == (row["email"].lower() in contacts)
                == (not left_out and not refused)
            )
        assert 0 < len(contacts) < 60


async def test_somebody_with_two_accounts_speaks_through_the_one_changed_last(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        twins = [{"email": "twin@example.com", "first_name": n, "last_name": "T"} for n in ("Ann", "Bea")]
        ids = []
        for channel, twin in zip((1, 1002), twins, strict=True):
            tajo.shop.now += 60
            made = await tajo.shop.send("POST", "/v3/customers", [twin | {"channel_ids": [channel]}])
            ids.append(made.json()["data"][0]["id"])
        await tajo.sync(NAME)
        older, newer = [await preview(tajo, NAME, "customer", number) for number in ids]
        assert older["payloads"] == []
        assert f"customer {ids[1]} has the same e-mail address" in older["notes"][-1]
        assert newer["payloads"][0]["body"]["attributes"]["FIRSTNAME"] == "Bea"


@pytest.mark.parametrize("kind", ["customer", "order", "product"])
async def test_what_is_not_in_the_store_cannot_be_shown(tmp_path: Path, kind: str) -> None:
    async with staged(tmp_path) as tajo:
        with pytest.raises(Usage, match=f"there is no {kind} 99999 in the store"):
            await preview(tajo, NAME, kind, 99999)


async def test_what_is_not_kept_in_brevo_is_shown_with_a_word(tmp_path: Path) -> None:
    async with staged(tmp_path, "sync: {products: false}\n") as tajo:
        shown = await preview(tajo, NAME, "product", 101)
        assert shown["payloads"]
        assert shown["notes"] == ["a sync would not send this: `sync.products` is off"]


# -- orders


async def test_an_order_of_the_past_is_shown_as_one_and_as_brevo_holds_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        orders = await held(tajo, "orders")
        assert orders
        for number, order in list(orders.items())[:20]:
            shown = await preview(tajo, NAME, "order", int(number))
            (payload,) = shown["payloads"]
            assert payload["request"] == "POST /v3/orders/status/batch"
            assert payload["body"]["historical"] is True
            (body,) = payload["body"]["orders"]
            assert body == {name: order[name] for name in body}
            assert values(payload) == flat(body, "identifiers", "billing", "metaInfo")


async def test_the_refunds_that_are_known_are_in_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        refunds = await tajo.shop.data("/v3/orders/payment_actions/refunds")
        await tajo.sync(NAME)
        orders = await held(tajo, "orders")
        refunded = [str(refund["order_id"]) for refund in refunds if str(refund["order_id"]) in orders]
        assert refunded
        for number in refunded:
            (payload,) = (await preview(tajo, NAME, "order", int(number)))["payloads"]
            assert float(payload["body"]["orders"][0]["metaInfo"]["refunded_amount"]) > 0


async def test_an_order_that_was_never_paid_would_not_be_sent(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        rows = await tajo.shop.data("/v2/orders", limit=250, status_id=0)
        shown = await preview(tajo, NAME, "order", rows[0]["id"])
        assert shown["payloads"] == []
        assert "no sale yet" in shown["notes"][-1]


# -- products


async def test_each_variant_is_a_payload_of_its_own(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        rows = await tajo.shop.data("/v3/catalog/products", limit=250, include="variants")
        many = next(row for row in rows if len(row["variants"]) > 1)
        await tajo.sync(NAME)
        products = await held(tajo, "products")
        shown = await preview(tajo, NAME, "product", many["id"])
        assert len(shown["payloads"]) == 1 + len(many["variants"])
        for payload in shown["payloads"]:
            assert payload["request"] == "POST /v3/products"
            body = payload["body"]
            assert body.pop("updateEnabled") is True
            assert body == {name: products[body["id"]].get(name) for name in body}
            assert values(payload) == body
        assert {p["body"].get("parentId") for p in shown["payloads"]} == {None, str(many["id"])}
