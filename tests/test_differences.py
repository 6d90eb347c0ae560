"""The differences of a rehearsal: what Brevo holds beside what it would be told, for a handful of records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tajo.brevo.differences import Change, contact_changes, product_changes
from tajo.brevo.tracing import encode
from tajo.sync.model import Key, Resource, Write
from tests.staged import NAME, Staged, staged


def write(attributes: dict[str, Any], lists: tuple[int, ...] = (), blocked: bool | None = None) -> Write:
    body = msgspec.json.encode({"email": "ann@example.com", "attributes": attributes})
    return Write(
        key=Key(Resource.CUSTOMERS, 1),
        body=body,
        fingerprint=b"",
        lane=encode((lists, blocked)).decode(),
        person=b"p",
    )


def held(**more: Any) -> dict[str, Any]:
    usual = {"id": 5, "email": "ann@example.com", "emailBlacklisted": False, "listIds": [], "attributes": {}}
    return usual | more


# -- one contact


def test_an_attribute_that_stays_is_no_difference() -> None:
    now = held(attributes={"FIRSTNAME": "Ann", "ORDER_COUNT": 2, "CITY": "Cork"})
    told = write({"FIRSTNAME": "Anna", "ORDER_COUNT": 2.0})
    assert contact_changes(told, now) == [Change("attributes.FIRSTNAME", "Ann", "Anna")]


def test_a_phone_is_the_same_with_and_without_its_plus() -> None:
    assert contact_changes(write({"SMS": "+353465515321"}), held(attributes={"SMS": "353465515321"})) == []


def test_lists_are_joined_and_never_left() -> None:
    now = held(listIds=[9, 3])
    assert contact_changes(write({}, lists=(3,)), now) == []
    assert contact_changes(write({}, lists=(3, 4)), now) == [Change("listIds", [3, 9], [3, 4, 9])]


@pytest.mark.parametrize(
    ("now", "then", "shown"),
    [(False, None, []), (False, True, [True]), (True, True, []), (True, False, [False]), (True, None, [])],
)
def test_the_blocklist_changes_only_where_something_is_said_of_it(
    now: bool, then: bool | None, shown: list[bool]
) -> None:
    changes = contact_changes(write({}, blocked=then), held(emailBlacklisted=now))
    assert [change.then for change in changes] == shown


def test_of_a_new_contact_everything_is_new() -> None:
    changes = contact_changes(write({"FIRSTNAME": "Ann"}, lists=(3,), blocked=True), {})
    assert changes == [
        Change("email", None, "ann@example.com"),
        Change("attributes.FIRSTNAME", None, "Ann"),
        Change("listIds", [], [3]),
        Change("emailBlacklisted", None, True),
    ]


# -- one product


def test_a_product_is_compared_field_by_field() -> None:
    now = {"id": "7", "name": "Mug", "price": 5, "stock": None, "isDeleted": None, "createdAt": "2026-01-01"}
    then = {"id": "7", "name": "Mug", "price": 6.5, "stock": 3, "isDeleted": False}
    assert product_changes(then, now) == [Change("price", 5, 6.5), Change("stock", None, 3)]


# -- a rehearsal


async def rehearsed(tajo: Staged) -> dict[str, Any]:
    tajo.calls.clear()
    _, differences = await tajo.rehearse(NAME)
    return {entry.pop("key"): entry for entry in differences}


async def test_a_change_in_the_store_is_shown_with_both_its_values(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        assert await rehearsed(tajo) == {}
        (person,) = await tajo.shop.data("/v3/customers", id__in=7)
        await tajo.change("/v3/customers", id=7, first_name="Else", company="Else & Co.")
        await tajo.change("/v3/catalog/products/101", name="Renamed", sale_price=0, price=99.5)
        found = await rehearsed(tajo)
        assert found["customers/7"]["summary"] == "2 fields change"
        assert {change["field"]: change["then"] for change in found["customers/7"]["fields"]} == {
            "attributes.FIRSTNAME": "Else",
            "attributes.COMPANY": "Else & Co.",
        }
        assert found["customers/7"]["fields"][0]["now"] == person["first_name"]
        renamed = {change["field"]: change["then"] for change in found["products/101"]["fields"]}
        assert renamed["name"] == "Renamed"
        assert {route.partition(" ")[0] for route in tajo.calls} == {"GET"}
        (after,) = [entry for key, entry in (await rehearsed(tajo)).items() if key == "customers/7"]
        assert after == found["customers/7"]  # nothing was told, nothing remembered


async def test_before_the_first_sync_five_of_each_are_shown_and_three_products_are_looked_up(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as tajo:
        found = await rehearsed(tajo)
        shown = Counter(key.partition("/")[0] for key in found)
        assert shown["customers"] == shown["orders"] == shown["categories"] == 5
        assert shown["guests"] + shown["subscribers"] >= 5  # people without an account
        assert shown["products"] == shown["variants"] == 5
        asked = Counter(tajo.calls)
        assert asked["GET /contacts/{id}"] == shown["customers"] + shown["guests"] + shown["subscribers"]
        assert asked["GET /products/{id}"] == 3
        assert found["categories/20"] == {"summary": "new or changed", "fields": []}
        assert {entry["summary"] for key, entry in found.items() if key.startswith("customers")} == {
            "new contact"
        }


async def test_a_contact_that_is_in_brevo_already_is_not_new(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        (person,) = await tajo.shop.data("/v3/customers", id__in=1)
        await tajo.brevo("POST", "/contacts", {"email": person["email"], "attributes": {"FIRSTNAME": "Old"}})
        first = (await rehearsed(tajo))["customers/1"]
        assert first["summary"].endswith("fields change")
        changes = {change["field"]: (change["now"], change["then"]) for change in first["fields"]}
        assert changes["attributes.FIRSTNAME"] == ("Old", person["first_name"])
        assert "email" not in changes


async def test_without_ecommerce_every_product_is_new(tmp_path: Path) -> None:
    async with staged(tmp_path, ecommerce=False) as tajo:
        found = await rehearsed(tajo)
        assert found["products/101"]["summary"] == "new product"
