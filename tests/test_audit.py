"""What means the same in Brevo, which fields its lists show, and how an audit keeps its findings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.answers import Example
from tajo.brevo.attributes import Attributes
from tajo.brevo.differences import Change, product_changes, same
from tajo.brevo.holdings import Shown
from tajo.sync.ledger import findings
from tajo.sync.ledger.findings import (
    AGREED,
    CONTACTS,
    DIFFERENT,
    FAILURES,
    MISSING,
    OPEN,
    PARKED,
    WAITING,
    Finding,
)
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Key, Resource

LINE = {"productId": "21", "quantity": 2, "price": 19.9, "variantId": "21-3"}
OTHER = {"productId": "22", "quantity": 1, "price": 5.0}


# -- what means the same


@pytest.mark.parametrize(
    ("field", "now", "then"),
    [
        ("attributes.ORDER_COUNT", 2, 2.0),
        ("attributes.TOTAL_SPENT", "19.90", 19.9),
        ("attributes.VIP", None, False),
        ("attributes.VIP", "true", True),
        ("attributes.SMS", "353465515321", "+353465515321"),
        ("billing.phone", 353465515321, "+353465515321"),
        ("billing.postCode", 110001, "110001"),
        ("attributes.BIRTHDAY", "1986-05-02T00:00:00.000Z", "1986-05-02"),
        ("createdAt", "2026-11-25T10:00:00.000Z", "2026-11-25T10:00:00Z"),
        ("createdAt", "2026-11-25T11:00:00.000+01:00", "2026-11-25T10:00:00Z"),
        ("identifiers.email_id", "Ann@Example.com", "ann@example.com"),
        ("attributes.COMPANY", "Else & Co. ", "Else & Co."),
        ("coupons", ["FLAT40", "flat50"], ["flat50", "flat40"]),
        ("categories", [28, "31"], ["28", "31"]),
        ("categories", None, []),
        ("isDeleted", None, False),
        ("products", [OTHER | {"productId": 22}, LINE | {"quantityFloat": 0}], [LINE, OTHER]),
        (
            "products",
            [{"productId": "21", "quantity": 0, "quantityFloat": 2, "price": 19.9, "variantId": "21-3"}],
            [LINE],
        ),
    ],
)
def test_what_brevo_writes_in_its_own_way_is_the_same(field: str, now: Any, then: Any) -> None:
    assert same(field, now, then)


@pytest.mark.parametrize(
    ("field", "now", "then"),
    [
        ("attributes.ZIP", 1234, "01234"),
        ("attributes.ORDER_COUNT", "many", 2.0),
        ("attributes.ORDER_COUNT", None, 0.0),
        ("attributes.VIP", False, True),
        ("attributes.VIP", "perhaps", False),
        ("attributes.BIRTHDAY", "1986-05-03", "1986-05-02"),
        ("attributes.LASTNAME", "ann", "Ann"),
        ("createdAt", "2026-11-25T10:00:01Z", "2026-11-25T10:00:00Z"),
        ("createdAt", "2026-99-25T10:00:01Z", "2026-11-25T10:00:00Z"),
        ("categories", ["28"], ["28", "28"]),
        ("products", [LINE, LINE], [LINE]),
        ("products", [LINE | {"quantity": 3}], [LINE]),
        ("products", None, [LINE]),
        ("isDeleted", True, False),
    ],
)
def test_what_means_something_else_is_not(field: str, now: Any, then: Any) -> None:
    assert not same(field, now, then)


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e9, 1e9),
    st.text(max_size=20),
    st.just([LINE, OTHER]),
)


@given(VALUES)
def test_what_was_told_is_what_was_told(value: Any) -> None:
    assert same("attributes.ANY", value, value)


def test_each_field_of_an_object_is_compared_by_itself() -> None:
    told = {"id": "7", "billing": {"city": "Cork", "phone": "+353465515321"}, "metaInfo": {"currency": "EUR"}}
    now = {"id": 7, "billing": {"city": "Kinsale", "phone": 353465515321}, "contact_id": 3}
    assert product_changes(told, now) == [
        Change("billing.city", "Kinsale", "Cork"),
        Change("metaInfo.currency", None, "EUR"),
    ]


@pytest.mark.parametrize(("held", "told"), [(2, 2), ("2", 2), ("Gold", 2), ("gold", 2), ("Bronze", "Bronze")])
def test_an_option_is_meant_whether_its_label_or_its_value_is_shown(held: Any, told: Any) -> None:
    options = [
        {"value": 1, "valueStr": "1", "label": "Silver"},
        {"value": 2, "valueStr": "2", "label": "Gold"},
    ]
    attributes = Attributes.read([{"name": "TIER", "category": "category", "enumeration": options}])
    assert attributes.option("TIER", held) == told
    assert attributes.option("CITY", held) == held


# -- what the lists show


def test_a_field_that_no_row_shows_is_not_compared_and_that_is_remembered() -> None:
    shown = Shown()
    shown.note("orders", [{"id": "1", "status": "shipped"}, {"id": "2", "billing": {"city": "Cork"}}])
    told = {
        "status": "completed",
        "billing": {"region": "Munster"},
        "metaInfo": {"currency": "EUR"},
        "identifiers": {"phone_id": "+353465515321"},
        "isDeleted": True,
    }
    seen = shown.comparable("orders", product_changes(told, {"id": "1", "status": "shipped"}))
    assert [change.field for change in seen] == ["status", "billing.region", "isDeleted"]
    assert shown.hidden == {"orders": {"metaInfo", "identifiers"}}


# -- in words


@pytest.mark.parametrize(
    ("example", "words"),
    [
        (Example(key="orders/5", state="missing"), "orders/5 is missing in Brevo"),
        (
            Example(key="customers/17", state="different", fields=("LASTNAME",)),
            "customers/17: LASTNAME is not what it should be",
        ),
        (
            Example(key="customers/17", state="different", fields=("CITY", "ZIP")),
            "customers/17: CITY, ZIP are not what they should be",
        ),
        (
            Example(key="products/3", state="gone"),
            "products/3 is gone in the store, and still there in Brevo",
        ),
        (Example(key="guests/9", state="waiting"), "guests/9 is on its way"),
        (Example(key="orders/5", state="parked", reason="no"), "orders/5 is among the failures: no"),
    ],
)
def test_each_finding_is_a_sentence(example: Example, words: str) -> None:
    assert example.sentence() == words


# -- the findings


@pytest.fixture
async def notes(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = await open_ledger(f"sqlite:///{tmp_path}/findings.db", Secret(b"for tests"))
    async with ledger.begin() as tx:
        await findings.make(tx)
    yield ledger
    await ledger.close()


def finding(number: int, state: str, look: int = 1, *words: str) -> Finding:
    key = Key(Resource.CUSTOMERS, number)
    return Finding(name=number.to_bytes(4), key=key, state=state, look=look, words=words)


async def counts(notes: Ledger) -> dict[str, int]:
    async with notes.begin() as tx:
        return {state: count for (_, state), count in (await findings.counts(tx)).items()}


async def test_a_judgement_is_made_once_of_each_thing_and_the_last_one_counts(notes: Ledger) -> None:
    async with notes.begin() as tx:
        await findings.hold(tx, CONTACTS, {(1).to_bytes(4): b"held"})
        await findings.judge(tx, CONTACTS, [finding(1, DIFFERENT, 1, "CITY"), finding(2, MISSING)])
        await findings.judge(tx, CONTACTS, [finding(1, AGREED, 2)])
        assert await findings.held(tx, CONTACTS, [(1).to_bytes(4), (2).to_bytes(4)]) == {
            (1).to_bytes(4): b"held"
        }
        assert await findings.count_held(tx, CONTACTS) == 1
    assert await counts(notes) == {AGREED: 1, MISSING: 1}


async def test_all_of_a_state_are_met_however_many_there_are(notes: Ledger) -> None:
    many = 2 * findings.AT_ONCE + 7
    async with notes.begin() as tx:
        await findings.judge(tx, CONTACTS, [finding(n, MISSING if n % 2 else AGREED) for n in range(many)])
    met = [one.key.id async for _, part in findings.all_of(notes, [CONTACTS], OPEN) for one in part]
    assert met == list(range(1, many, 2))


async def test_what_a_later_look_says_nothing_of_has_settled_unless_it_is_parked(notes: Ledger) -> None:
    async with notes.begin() as tx:
        await findings.judge(tx, CONTACTS, [finding(n, DIFFERENT) for n in (1, 2, 3)])
        await findings.judge(tx, CONTACTS, [finding(3, DIFFERENT, 2)])
        await findings.judge(tx, FAILURES, [finding(2, PARKED, 2, "refused")])
        await findings.settle(tx, 2)
    assert await counts(notes) == {AGREED: 1, DIFFERENT: 1, PARKED: 1}


async def test_only_what_differs_is_put_off(notes: Ledger) -> None:
    async with notes.begin() as tx:
        await findings.judge(tx, CONTACTS, [finding(1, MISSING), finding(2, AGREED), finding(3, DIFFERENT)])
        await findings.put_off(tx, CONTACTS, [(1).to_bytes(4), (2).to_bytes(4)])
        await findings.put_off_keys(tx, [Key(Resource.CUSTOMERS, 3)])  # a contact waits under its person
    assert await counts(notes) == {WAITING: 1, AGREED: 1, DIFFERENT: 1}
