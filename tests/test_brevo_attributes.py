"""Contact attributes: what exists, and how a value must look to be taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.brevo.attributes import FITTERS, Attribute, Attributes, coerce
from tajo.sync.mapping import Value, rule

ANSWER = [
    {"name": "VORNAME", "category": "normal", "type": "text"},
    {"name": "Age", "category": "normal", "type": "float"},
    {"name": "BORN", "category": "normal", "type": "date"},
    {"name": "VIP", "category": "normal", "type": "boolean"},
    {
        "name": "TAGS",
        "category": "normal",
        "type": "multiple-choice",
        "multiCategoryOptions": ["Red", "Blue"],
    },
    {
        "name": "GENDER",
        "category": "category",
        "type": "text",
        "enumeration": [{"value": 1, "label": "Women"}, {"value": 2, "valueStr": "2", "label": "Men"}],
    },
    {
        "name": "LANGUAGE",
        "category": "category",
        "enumeration": [
            {"value": 0, "valueStr": "en", "label": "English"},
            {"value": 0, "valueStr": "fr", "label": "French"},
        ],
    },
    {"name": "SCORE", "category": "calculated", "calculatedValue": "1+1"},
    {"name": "OWNER", "category": "normal", "type": "user"},
    {"name": "ORDER_ID", "category": "transactional", "type": "id"},
]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fitted(name: str, value: Value) -> Any:
    return coerce(value, Attributes.read(ANSWER).of(rule("first_name", name)))[0]


@pytest.mark.parametrize(
    ("name", "value", "json"),
    [
        ("VORNAME", "Ann", "Ann"),
        ("vorname", 12, "12"),
        ("VORNAME", Decimal("12.50"), "12.50"),
        ("VORNAME", True, "true"),
        ("VORNAME", ["a", "b"], "a, b"),
        ("VORNAME", NOON, "2026-03-01"),
        ("AGE", 7, 7),
        ("AGE", Decimal("19.999"), 20.0),
        ("AGE", " 4.5 ", 4.5),
        ("AGE", "about 4", None),
        ("AGE", "nan", None),
        ("AGE", float("inf"), None),
        ("AGE", Decimal("NaN"), None),
        ("AGE", ["4"], None),
        ("BORN", NOON, "2026-03-01"),
        ("BORN", datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28"),
        ("BORN", "1989-11-23", "1989-11-23"),
        ("BORN", "1989-11-23T10:00:00Z", "1989-11-23"),
        ("BORN", "11/02/1989", None),
        ("BORN", 1989, None),
        ("VIP", True, True),
        ("VIP", "Yes", True),
        ("VIP", 0, False),
        ("VIP", "perhaps", None),
        ("GENDER", "women", 1),
        ("GENDER", "2", 2),
        ("GENDER", 1, 1),
        ("GENDER", "robots", None),
        ("LANGUAGE", "French", "fr"),
        ("LANGUAGE", "EN", "en"),
        ("TAGS", ["red", "green"], ["Red"]),
        ("TAGS", "blue", ["Blue"]),
        ("TAGS", ["green"], None),
        ("SCORE", 1, None),
        ("OWNER", "x@y.test", None),
        ("ORDER_ID", 1, None),
        ("NOT_THERE_YET", "text", "text"),
    ],
)
def test_a_value_takes_the_form_of_its_attribute_or_is_left_out(name: str, value: Value, json: Any) -> None:
    assert fitted(name, value) == json
    assert type(fitted(name, value)) is type(json)


def test_what_is_left_out_says_why() -> None:
    for name, value in [
        ("AGE", "x"),
        ("BORN", "x"),
        ("VIP", "x"),
        ("GENDER", "x"),
        ("TAGS", "x"),
        ("SCORE", 1),
    ]:
        _, note = coerce(value, Attributes.read(ANSWER).of(rule("first_name", name)))
        assert note


def test_only_what_is_missing_is_created_in_the_type_of_its_path() -> None:
    mapping = [
        rule("email", "email"),  # the address itself is no attribute
        rule("phone", "SMS"),  # built in
        rule("phone", "LANDLINE_NUMBER"),
        rule("first_name", "vorname"),  # there
        rule("last_name", "NACHNAME"),
        rule("orders_count", "Order_Count"),
        rule("date_created", "SIGNUP_DATE"),
    ]
    missing = Attributes.read(ANSWER).missing(mapping)
    assert missing == {"NACHNAME": "text", "ORDER_COUNT": "float", "SIGNUP_DATE": "date"}


def test_a_missing_attribute_is_treated_as_it_will_be_created() -> None:
    assert Attributes().of(rule("total_spent", "Total")).type == "float"
    assert Attributes().of(rule("total_spent", "Total")).name == "TOTAL"


@given(
    value=st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.decimals(),
        st.datetimes(timezones=st.timezones()),
        st.lists(st.text()),
    ),
    kind=st.sampled_from([*FITTERS, "user", "calculated", "id"]),
)
def test_no_value_raises_and_all_that_fits_is_json(value: Any, kind: str) -> None:
    json, note = coerce(value, Attribute("X", kind, {"a": "a"}))
    assert (json is None) == bool(note)
    msgspec.json.encode(json)
