"""The mapping language reads what a shop owner would expect, and never fails on a poor record."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.sync.mapping import ADDRESS, NAMED, PLAIN, rule
from tajo.sync.model import Address, Contact, Customer, Key, Metrics, Resource

FIRST = datetime(2023, 5, 1, tzinfo=UTC)
LAST = datetime(2024, 5, 1, tzinfo=UTC)


def contact(customer: Customer, metrics: Metrics = Metrics()) -> Contact:  # noqa: B008 - frozen
    return Contact(person=b"", key=Key(Resource.CUSTOMERS, customer.id), customer=customer, metrics=metrics)


ADA = contact(
    Customer(
        id=7,
        email="ada@example.com",
        first_name="Ada",
        last_name="King",
        company="Analytical",
        phone="020 7946 0000",
        notes="likes engines",
        group_id=3,
        group="Wholesale",
        created=FIRST,
        modified=LAST,
        storefront=2,
        store_credit=Decimal("5.50"),
        addresses=(
            Address(city="London", state_or_province="Greater London", postal_code="W1", country_code="GB"),
            Address(city="Ockham", country="United Kingdom"),
        ),
        fields={"VAT number": "GB1", "Birthday": "1815-12-10", "Hobbies": ["maths", "horses"], "Empty": ""},
    ),
    Metrics(orders_count=3, total_spent=Decimal("100"), first_order_date=FIRST, last_order_date=LAST),
)
NOBODY = contact(Customer(email=""))


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("email", "ada@example.com", "text"),
        ("first_name", "Ada", "text"),
        ("last_name", "King", "text"),
        ("company", "Analytical", "text"),
        ("phone", "020 7946 0000", "text"),
        ("notes", "likes engines", "text"),
        ("customer_group_id", "Wholesale", "text"),
        ("date_created", FIRST, "date"),
        ("date_modified", LAST, "date"),
        ("store_credit", Decimal("5.50"), "number"),
        ("origin_channel_id", 2, "number"),
        ("orders_count", 3, "number"),
        ("total_spent", Decimal(100), "number"),
        ("first_order_date", FIRST, "date"),
        ("last_order_date", LAST, "date"),
        ("average_order_value", Decimal("33.33"), "number"),
        ("addresses[0].city", "London", "text"),
        ("addresses[0].state", "Greater London", "text"),
        ("addresses[0].state_or_province", "Greater London", "text"),
        ("addresses[0].zip", "W1", "text"),
        ("addresses[0].postal_code", "W1", "text"),
        ("addresses[0].country_code", "GB", "text"),
        ("addresses[1].country", "United Kingdom", "text"),
        ("addresses[1].zip", None, "text"),
        ("addresses[2].city", None, "text"),
        ("form_fields.VAT number", "GB1", "text"),
        ("form_fields.vat NUMBER", "GB1", "text"),
        ("attributes.birthday", "1815-12-10", "text"),
        ("custom_fields.Hobbies", ["maths", "horses"], "text"),
        ("form_fields.Empty", None, "text"),
        ("form_fields.Shoe size", None, "text"),
    ],
)
def test_a_path_reads_its_value(path: str, value: object, kind: str) -> None:
    compiled = rule(path, "X")
    assert (compiled.read(ADA), compiled.kind) == (value, kind)


def test_zero_and_no_are_values_of_a_field_but_nothing_is_none() -> None:
    someone = contact(Customer(email="a@b.c", fields={"Points": 0, "Member": False, "Sizes": []}))
    assert rule("attributes.points", "X").read(someone) == 0
    assert rule("attributes.member", "X").read(someone) is False
    assert rule("attributes.sizes", "X").read(someone) is None


def test_a_group_without_a_name_is_its_number_and_no_group_is_nothing() -> None:
    assert rule("customer_group_id", "X").read(contact(Customer(email="", group_id=4))) == "4"
    assert rule("customer_group_id", "X").read(NOBODY) is None


@pytest.mark.parametrize("attribute", ["SMS", "WHATSAPP", "LANDLINE_NUMBER"])
@pytest.mark.parametrize("path", ["phone", "addresses[0].phone", "form_fields.Mobile"])
def test_what_fills_a_phone_attribute_is_a_phone(path: str, attribute: str) -> None:
    assert rule(path, attribute).kind == "phone"


def test_a_number_is_no_phone() -> None:
    with pytest.raises(ValueError, match="`total_spent` is no phone number"):
        rule("total_spent", "SMS")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("adresses[0].city", "addresses[0].city"),
        ("addresses[3].ziip", "addresses[3].zip"),
        ("addresses.city", "addresses[0].city"),
        ("firstname", "first_name"),
        ("order_count", "orders_count"),
        ("customer_group_name", "customer_group_id"),
        ("form_field.VAT number", "form_fields.VAT number"),
    ],
)
def test_an_unknown_path_names_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(ValueError) as error:
        rule(wrong, "X")
    assert str(error.value) == f"unknown path `{wrong}`; did you mean `{right}`?"


@pytest.mark.parametrize(
    "path", ["", "%", "form_fields.", "form_fields. ", "addresses[-1].city", "addresses[99999].city"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="unknown path"):
        rule(path, "X")


values = st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text())
customers = st.builds(
    Customer,
    email=st.text(),
    first_name=st.text(),
    group_id=st.integers(0, 9),
    group=st.text(),
    created=st.none() | st.datetimes(timezones=st.just(UTC)),
    addresses=st.lists(st.builds(Address, city=st.text(), phone=st.text()), max_size=3).map(tuple),
    fields=st.dictionaries(st.text(), values, max_size=4),
)
paths = (
    st.sampled_from([*PLAIN])
    | st.builds("addresses[{}].{}".format, st.integers(0, 12), st.sampled_from([*ADDRESS]))
    | st.builds("{}{}".format, st.sampled_from(NAMED), st.text(min_size=1).filter(str.strip))
)


@given(paths, customers)
def test_no_valid_path_fails_on_any_customer(path: str, customer: Customer) -> None:
    value = rule(path, "X").read(contact(customer))
    assert value is None or value not in ("", [])


@given(st.text() | st.text("adres[0].city_", max_size=20))
def test_any_text_is_a_path_or_a_value_error(path: str) -> None:
    try:
        assert rule(path, "X").path == path
    except ValueError as error:
        assert str(error).startswith(f"unknown path `{path}`")


@given(st.text(min_size=1).filter(str.strip), values)
def test_a_field_is_found_by_its_name(name: str, value: str | int | float | bool | list[str]) -> None:
    found = rule(f"form_fields.{name}", "X").read(contact(Customer(email="", fields={name.strip(): value})))
    assert found is value or value in ("", [])
