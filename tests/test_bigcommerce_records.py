"""What BigCommerce's JSON means: each rule with the shape that makes it necessary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.values import Unreadable, at_rate, moment, money, plain_text
from tajo.sync.model import (
    Address,
    Cart,
    CartLine,
    Line,
    Order,
    Product,
    Refund,
    Resource,
    Store,
    Storefront,
    cart_key,
)

STORE = Store(name="Shop", currency="GBP", groups={2: "Wholesale"}, default_storefront=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(row: type[Any], **fields: Any) -> Any:
    """A row as it comes from the wire."""
    return msgspec.json.decode(msgspec.json.encode(fields), type=row, strict=False)


def order(**fields: Any) -> Order:
    row = read(
        wire.Order,
        **{
            "id": 7,
            "status_id": 11,
            "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
            "total_inc_tax": "10.0000",
        }
        | fields,
    )
    return records.order(row, records.embedded_lines(row) or (), STORE)


def product(**fields: Any) -> Product:
    return records.product(read(wire.Product, id=7, **fields), {3: "Acme"})


# -- values


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_every_rfc_2822_date_is_read_as_the_standard_library_reads_it(when: datetime) -> None:
    assert moment(format_datetime(when), "date") == when.replace(microsecond=0)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_dates_of_every_zone_become_utc(when: datetime, zone: timezone) -> None:
    when = when.replace(tzinfo=zone, microsecond=0)
    for text in (format_datetime(when), when.isoformat()):
        found = moment(text, "date")
        assert found == when
        assert found is not None
        assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 01 Mar 2026 12:00:00 +0000",
        "Sun, 1 Mar 2026 12:00:00 -0000",
        "01 Mar 2026 13:00:00 +0100",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T12:00:00.000Z",
        "2026-03-01 12:00:00",
    ],
)
def test_the_forms_that_bigcommerce_writes(text: str) -> None:
    assert moment(text, "date") == NOON


@pytest.mark.parametrize("text", ["", None])
def test_an_unset_date_is_none(text: str | None) -> None:
    assert moment(text, "date_shipped") is None


@given(st.text(min_size=1))
def test_any_text_is_a_date_or_unreadable_and_the_reason_does_not_quote_it(text: str) -> None:
    try:
        assert moment(text, "date_created") is not None
    except Unreadable as flaw:
        assert str(flaw) == "date_created: expected a date"


@given(st.decimals(-(10**12), 10**12, places=4))
def test_money_is_exact(amount: Decimal) -> None:
    assert money(str(amount), "total") == amount


@pytest.mark.parametrize(
    ("wire", "amount"),
    [("361.9500", "361.95"), ("0", "0"), (5, "5"), (8.82, "8.82"), ("", "0"), (None, "0"), ("-1.5", "-1.5")],
)
def test_money_comes_as_text_number_or_nothing(wire: Any, amount: str) -> None:
    assert money(wire, "total") == Decimal(amount)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "12,50", "1e99", "free", float("inf")])
def test_what_is_no_amount_is_unreadable(amount: Any) -> None:
    with pytest.raises(Unreadable, match=r"^total: expected an amount$"):
        money(amount, "total")


@given(st.decimals(0, 10**9, places=4), st.decimals("0.0001", 10**5, places=6))
def test_an_amount_at_a_rate_and_back_differs_by_less_than_the_fourth_decimal(
    amount: Decimal, rate: Decimal
) -> None:
    assert abs(at_rate(amount, rate) * rate - amount) <= rate * Decimal("0.00005")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (None, ""),
        ("plain words", "plain words"),
        ("<p>Tea &amp; cake</p><p>for two</p>", "Tea & cake for two"),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("b<b>o</b>ld &lt;3", "bold <3"),
        ("a<br>b<br/>c", "a b c"),
        ("<style>p {color: red}</style>x<script>if (a < b) run()</script>y", "x y"),
        ("before<!-- not this -->after", "beforeafter"),
        ("nice <![nonsense[ text", "nice"),
        ("<p>open", "open"),
    ],
)
def test_descriptions_become_plain_text(html: str | None, text: str) -> None:
    assert plain_text(html) == text


def test_a_long_description_is_cut_after_a_word() -> None:
    text = plain_text("<p>" + "word " * 5000 + "</p>")
    assert len(text) <= 1000
    assert text.endswith("word…")


@given(st.text(alphabet=st.sampled_from("ab <>/!-[]&;#x\"'=pscript")), st.integers(2, 50))
def test_any_html_becomes_text_of_at_most_that_length(html: str, longest: int) -> None:
    assert len(plain_text(html, longest)) <= longest


# -- pages


def test_a_broken_row_costs_none_of_its_neighbours() -> None:
    decode = wire.pages_of(wire.Customer)
    page = decode(
        b'{"data": [{"id": 1, "email": "a@example.com"}, {"id": 2, "email": {"secret": "x"}},'
        b' 5, {"id": "4", "email": "d@example.com"}, {"email": "e@example.com"}], "meta": []}'
    )
    found = records.changes(Resource.CUSTOMERS, page.rows, lambda row: records.customer(row, STORE, {}))
    assert [(change.key.id, change.record is not None) for change in found] == [
        (1, True),
        (2, False),
        (0, False),
        (4, True),
        (0, False),
    ]
    assert found[1].flaw == "Expected `str | null`, got `object` - at `$.email`"
    assert found[4].flaw == "id: expected a number"


def test_a_broken_category_keeps_its_own_id() -> None:
    page = wire.pages_of(wire.Category)(b'{"data": [{"category_id": 9, "name": []}]}')
    assert page.rows == [wire.Flaw(9, "Expected `str | null`, got `array` - at `$.name`")]


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b"[]", b'{"data": {}}', b'"x"'])
def test_what_is_no_list_is_not_taken_for_an_empty_one(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.pages_of(wire.Customer)(body)


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (wire.pages_of(wire.Order), b'{"data": [{"id": 1, "status": "Ship'),
        (wire.pages_of(wire.Order), b'{"data": [{"id": 1, "status": 5}, {"id'),
        (wire.lists_of(wire.Order), b'[{"id": 1, "status": 5}, {"id'),
        (wire.single_of(wire.Order), b'{"id": 1, "status": 5, "total'),
    ],
)
def test_a_body_that_breaks_off_is_not_taken_for_one_of_another_shape(decode: Any, body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode(body)
    assert not isinstance(caught.value, msgspec.ValidationError)


def test_v2_has_an_empty_body_where_there_is_nothing() -> None:
    assert wire.lists_of(wire.Order)(b"").rows == []
    assert wire.single_of(wire.Order)(b"") is None


def test_php_writes_empty_objects_as_arrays() -> None:
    page = wire.pages_of(wire.Customer)(b'{"data": [], "meta": {"pagination": [], "cursor_pagination": []}}')
    assert (page.pagination, page.cursor) == (wire.Pagination(), wire.CursorPagination())
    row = read(wire.Order, id=1, consignments=[], billing_address=[])
    assert records.embedded_lines(row) is None


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=5)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", ["Customer", "Subscriber", "Order", "Refund", "Product"])
@given(data=st.data())
def test_no_row_however_odd_raises_or_vanishes(name: str, data: st.DataObject) -> None:
    row: type[Any] = getattr(wire, name)
    fields = st.fixed_dictionaries(
        {}, optional={field.encode_name: ANYTHING for field in msgspec.structs.fields(row)}
    )
    odd = data.draw(st.lists(fields | ANYTHING, max_size=3))
    rows = wire.pages_of(row)(msgspec.json.encode({"data": odd})).rows
    convert = {
        "Customer": lambda row: records.customer(row, STORE, {1: "Age"}),
        "Subscriber": lambda row: records.subscriber(row, STORE),
        "Order": lambda row: records.order(row, records.embedded_lines(row) or (), STORE),
        "Refund": records.refund,
        "Product": lambda row: records.product(row, {}),
    }[name]
    found = records.changes(Resource.ORDERS, rows, convert)
    assert len(found) == len(odd)
    assert all((change.record is None) == bool(change.flaw) for change in found)


# -- the store


def test_every_channel_is_kept_with_the_address_of_its_site() -> None:
    store = records.store(
        read(
            wire.Store,
            name="Shop",
            currency="EUR",
            secure_url="https://shop.example.com/",
            plan_level="Pro",
            timezone={"name": "Europe/Berlin"},
        ),
        [
            read(wire.Named, id=1, name="Shop"),
            read(wire.Named, id=1002, name="Trade"),
            read(wire.Named, id=9, name="Till"),
        ],
        [
            read(wire.Site, id=1000, channel_id=1, url="https://www.example.com/"),
            read(wire.Site, id=1001, channel_id=1002, url="https://trade.example.com"),
            read(wire.Site, id=1002, channel_id=1002, url="https://old.example.com"),
        ],
        [read(wire.Named, id=2, name="VIP")],
    )
    assert store == Store(
        name="Shop",
        currency="EUR",
        timezone="Europe/Berlin",
        plan="Pro",
        default_storefront=1,
        storefronts={
            1: Storefront(1, "Shop", "https://www.example.com"),
            1002: Storefront(1002, "Trade", "https://trade.example.com"),
            9: Storefront(9, "Till", ""),
        },
        groups={2: "VIP"},
    )


def test_a_store_without_sites_has_its_own_address() -> None:
    store = records.store(
        read(wire.Store, secure_url="https://shop.example.com", default_channel_id=1), [], [], []
    )
    assert store.storefronts[1].url == "https://shop.example.com"
    assert store.timezone == "UTC"


# -- customers and subscribers


def test_a_customer() -> None:
    row = read(
        wire.Customer,
        id=5,
        email=" Jane@Example.com ",
        first_name="Jane",
        last_name=None,
        customer_group_id=2,
        date_created="2026-03-01T12:00:00Z",
        channel_ids=[1, 1002],
        origin_channel_id=1002,
        store_credit_amounts=[{"amount": 43.15}],
        addresses=[
            {"id": 1, "address1": "1 High Street", "city": "Cork", "country_code": "ie", "phone": None}
        ],
        form_fields=[
            {"name": "Birthday", "value": "1980-02-29"},
            {"name": "Hobbies", "value": ["tea", "cake"]},
            {"name": "Shoe size", "value": 42},
            {"name": "VAT", "value": None},
        ],
        attributes=[
            {"attribute_id": 1, "attribute_value": "gold"},
            {"attribute_id": 99, "attribute_value": "?"},
        ],
    )
    customer = records.customer(row, STORE, {1: "Level"})
    assert customer.email == "Jane@Example.com"
    assert (customer.first_name, customer.last_name) == ("Jane", "")
    assert (customer.group_id, customer.group) == (2, "Wholesale")
    assert customer.created == NOON
    assert (customer.storefront, customer.storefronts) == (1002, (1, 1002))
    assert customer.store_credit == Decimal("43.15")
    assert customer.addresses == (Address(address1="1 High Street", city="Cork", country_code="IE"),)
    assert customer.fields == {
        "Birthday": "1980-02-29",
        "Hobbies": ["tea", "cake"],
        "Shoe size": 42,
        "Level": "gold",
    }


def test_a_customer_who_may_sign_in_everywhere_has_no_list_of_storefronts() -> None:
    row = read(wire.Customer, id=5, email="a@example.com", channel_ids=None)
    assert records.customer(row, STORE, {}).storefronts is None


def test_an_attribute_hides_a_form_field_of_its_name() -> None:
    row = read(
        wire.Customer,
        id=5,
        email="a@example.com",
        form_fields=[{"name": "Level", "value": "old"}],
        attributes=[{"attribute_id": 1, "attribute_value": "new"}],
    )
    assert records.customer(row, STORE, {1: "Level"}).fields == {"Level": "new"}


def test_nobody_is_contacted_without_an_email() -> None:
    with pytest.raises(Unreadable, match="email"):
        records.customer(read(wire.Customer, id=5, email=""), STORE, {})
    with pytest.raises(Unreadable, match="email"):
        records.subscriber(read(wire.Subscriber, id=5), STORE)


def test_consent_is_in_the_consents_and_nowhere_else() -> None:
    none = records.subscriber(read(wire.Subscriber, id=1, email="a@example.com", consents=[]), STORE)
    both = records.subscriber(
        read(
            wire.Subscriber, id=1, email="a@example.com", consents=["abandoned_cart", "marketing_newsletter"]
        ),
        STORE,
    )
    assert none.consents == frozenset()
    assert both.consents == {"abandoned_cart", "marketing_newsletter"}


@pytest.mark.parametrize("field", ["channel_id", "origin_channel_id"])
def test_a_subscribers_storefront_has_two_names(field: str) -> None:
    row = read(wire.Subscriber, id=1, email="a@example.com", **{field: 1002})
    assert records.subscriber(row, STORE).storefront == 1002


# -- orders


def line(number: int, quantity: int = 1, **fields: Any) -> dict[str, Any]:
    return {"id": number, "quantity": quantity, "price_inc_tax": "5.0000", "total_inc_tax": "5.0000"} | fields


def test_an_order() -> None:
    found = order(
        customer_id=5,
        status="Awaiting Fulfillment",
        date_modified="Sun, 01 Mar 2026 12:00:00 +0000",
        default_currency_code="GBP",
        store_default_currency_code="GBP",
        channel_id=1002,
        payment_method="Cash",
        cart_id=None,
        billing_address={
            "first_name": "Jane",
            "street_1": "1 High Street",
            "state": "Munster",
            "zip": "T12",
            "country_iso2": "IE",
            "email": "jane@example.com",
        },
        items_total=1,
        consignments={
            "shipping": [{"line_items": [line(1, product_id=77, variant_id=8, name="Tea", sku="T")]}]
        },
    )
    assert found == Order(
        id=7,
        customer_id=5,
        email="jane@example.com",
        status_id=11,
        status="Awaiting Fulfillment",
        created=NOON,
        modified=NOON,
        total=Decimal(10),
        currency="GBP",
        storefront=1002,
        payment_method="Cash",
        billing=Address(
            first_name="Jane",
            address1="1 High Street",
            state_or_province="Munster",
            postal_code="T12",
            country_code="IE",
        ),
        lines=(
            Line(
                product_id=77,
                variant_id=8,
                name="Tea",
                sku="T",
                quantity=1,
                price=Decimal(5),
                total=Decimal(5),
            ),
        ),
    )


def test_lines_lie_in_four_places_and_are_told_in_the_order_of_their_ids() -> None:
    found = order(
        items_total=5,
        consignments={
            "shipping": [{"line_items": [line(4), line(1)]}],
            "pickups": [{"line_items": [line(3)]}],
            "downloads": [{"line_items": line(5)}],
            "email": {"gift_certificates": [{"line_items": [line(2, product_id=0, name="Gift")]}]},
        },
    )
    assert [row.name for row in found.lines] == ["", "Gift", "", "", ""]


@pytest.mark.parametrize(
    ("fields", "complete"),
    [
        ({"items_total": 3, "consignments": {"shipping": [{"line_items": [line(1, 2), line(2)]}]}}, True),
        ({"items_total": 0, "consignments": {"shipping": []}}, True),
        # cut at 50: `__warning__` (bigcommerce/docs#960)
        (
            {
                "items_total": 1,
                "consignments": {"shipping": [{"line_items": [line(1)], "__warning__": {"message": "50"}}]},
            },
            False,
        ),
        # empty although there are some (bigcommerce/dev-docs#2052)
        ({"items_total": 3, "consignments": {"shipping": [{"line_items": []}]}}, False),
        ({"items_total": 3, "consignments": []}, False),
        ({"items_total": 3}, False),
        # links instead of lines
        (
            {
                "items_total": 1,
                "consignments": {"shipping": [{"line_items": [{"url": "x", "resource": "y"}]}]},
            },
            False,
        ),
        # a bundle's parts may count or not
        (
            {
                "items_total": 1,
                "consignments": {"shipping": [{"line_items": [line(1), line(2, parent_order_product_id=1)]}]},
            },
            True,
        ),
        (
            {
                "items_total": 2,
                "consignments": {"shipping": [{"line_items": [line(1), line(2, parent_order_product_id=1)]}]},
            },
            True,
        ),
    ],
)
def test_embedded_lines_are_trusted_only_if_they_add_up(fields: dict[str, Any], complete: bool) -> None:
    assert (records.embedded_lines(read(wire.Order, id=1, **fields)) is not None) == complete


def test_an_order_in_another_currency_is_told_in_the_stores_own() -> None:
    """`default_currency_code` is what was paid in; 100 of it make one of the store's (orders.v2)."""
    found = order(
        total_inc_tax="361.9500",
        currency_code="CHF",
        default_currency_code="EUR",
        store_default_currency_code="GBP",
        store_default_to_transactional_exchange_rate="1.1500000000",
        items_total=1,
        consignments={
            "shipping": [{"line_items": [line(1, price_inc_tax="361.9500", total_inc_tax="361.9500")]}]
        },
    )
    assert (found.currency, found.rate) == ("EUR", Decimal("1.15"))
    assert found.total == found.lines[0].price == found.lines[0].total == Decimal("314.7391")


@pytest.mark.parametrize("rate", ["0", "0.0000000000", "", None])
def test_without_a_rate_amounts_stay(rate: str | None) -> None:
    found = order(default_currency_code="EUR", store_default_to_transactional_exchange_rate=rate)
    assert (found.total, found.rate) == (Decimal(10), Decimal(1))


def test_a_rate_between_equal_currencies_does_not_count() -> None:
    """`store_default_currency_code` may be empty: then it is the store's (orders.v2 example)."""
    found = order(
        default_currency_code="GBP",
        store_default_currency_code="",
        store_default_to_transactional_exchange_rate="100",
    )
    assert (found.total, found.rate) == (Decimal(10), Decimal(1))


def test_a_line_is_worth_what_was_paid_for_it() -> None:
    found = order(
        items_total=1,
        consignments={"shipping": [{"line_items": [line(1, discounted_total_inc_tax="3.5000")]}]},
    )
    assert found.lines[0].total == Decimal("3.5")


def test_coupons_are_the_codes_of_the_lines_discounts() -> None:
    discounts = [{"code": "SPRING"}, {"code": None, "name": "Manual Discount"}, {"code": "ALE"}]
    found = order(
        items_total=2,
        consignments={
            "shipping": [
                {"line_items": [line(1, applied_discounts=discounts), line(2, applied_discounts=discounts)]}
            ]
        },
    )
    assert found.coupons == ("ALE", "SPRING")


def test_archived_and_migrated_orders_say_so() -> None:
    assert order(is_deleted=True).archived
    assert order(external_source="M-MIG").migrated
    assert not order(external_source="POS").migrated


@pytest.mark.parametrize("missing", ["date_created", "status_id"])
def test_an_order_without_date_or_status_cannot_be_understood(missing: str) -> None:
    with pytest.raises(Unreadable, match=missing):
        order(**{missing: None})


@pytest.mark.parametrize(
    ("payments", "amount"),
    [
        ([], "50"),
        ([(50, False)], "50"),
        ([(30, True), (20, False)], "20"),
        ([(30, True), (20, True)], "0"),
        ([(20, None)], "50"),
    ],
)
def test_declined_payments_are_not_given_back(payments: list[tuple[int, bool]], amount: str) -> None:
    row = read(
        wire.Refund,
        id=12,
        order_id=180,
        created="2026-03-01T12:00:00+00:00",
        total_amount=50,
        payments=[{"amount": paid, "is_declined": declined} for paid, declined in payments],
    )
    assert records.refund(row) == Refund(id=12, order_id=180, amount=Decimal(amount), created=NOON)


# -- the catalogue


def category(number: int, name: str, parent: int | None = 0) -> wire.Category:
    row: wire.Category = read(wire.Category, category_id=number, name=name, parent_id=parent)
    return row


def test_a_category_is_called_by_its_path() -> None:
    rows = [category(3, "Spades", 2), category(1, "Garden"), category(2, "Tools ", 1)]
    assert records.category_paths(rows) == {
        1: "Garden",
        2: "Garden > Tools",
        3: "Garden > Tools > Spades",
    }


def test_missing_parents_and_circles_end_a_path() -> None:
    rows = [category(1, "Orphan", 99), category(2, "Hen", 3), category(3, "Egg", 2), category(4, "Self", 4)]
    assert records.category_paths(rows) == {1: "Orphan", 2: "Egg > Hen", 3: "Hen > Egg", 4: "Self"}


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9)), max_size=12))
def test_any_family_of_categories_has_finite_paths(family: list[tuple[int, int]]) -> None:
    rows = [category(child, f"c{child}", parent) for child, parent in family]
    paths = records.category_paths(rows)
    assert all(path.endswith(f"c{number}") for number, path in paths.items())


def test_a_category_belongs_to_the_channel_of_its_tree() -> None:
    row = read(wire.Category, category_id=9, name="Tea", tree_id=2, url={"path": "/tea/"}, is_visible=False)
    found = records.category(row, {9: "Tea"}, {2: 1002})
    assert (found.storefront, found.path, found.visible) == (1002, "/tea/", False)
    assert records.category(row, {9: "Tea"}, {}).storefront is None


def test_a_product() -> None:
    found = product(
        name="Teapot",
        sku="TP",
        brand_id=3,
        description="<p>Nice</p>",
        categories=[20, 21],
        price=35.24,
        sale_price=30,
        calculated_price=30,
        inventory_tracking="product",
        inventory_level=5,
        is_visible=True,
        availability="available",
        custom_url={"url": "/teapot/"},
        primary_image={"url_standard": "https://cdn.example.com/t.jpg"},
        base_variant_id=70,
        variants=[{"id": 70, "option_values": []}],
        custom_fields=[{"name": "Material", "value": "Tin"}, {"name": "Material", "value": "Wood"}],
        channels=[1, 1002],
        date_modified="2026-03-01T12:00:00+00:00",
    )
    assert found == Product(
        id=7,
        name="Teapot",
        sku="TP",
        brand="Acme",
        description="Nice",
        categories=(20, 21),
        price=Decimal(30),
        was=Decimal("35.24"),
        stock=5,
        image="https://cdn.example.com/t.jpg",
        path="/teapot/",
        storefronts=(1, 1002),
        custom_fields={"Material": "Tin, Wood"},
        modified=NOON,
    )


@pytest.mark.parametrize(
    ("fields", "price", "was"),
    [
        ({"price": 10, "sale_price": 0, "calculated_price": 10}, "10", None),
        ({"price": 10, "sale_price": 8, "calculated_price": 8}, "8", "10"),
        ({"price": 10, "sale_price": 8}, "8", "10"),
        ({"price": 10, "sale_price": 0}, "10", None),
        ({"price": "8.8200"}, "8.82", None),
        ({}, "0", None),
    ],
)
def test_the_price_is_the_storefronts_and_was_the_one_it_replaces(
    fields: dict[str, Any], price: str, was: str | None
) -> None:
    found = product(**fields)
    assert (found.price, found.was) == (Decimal(price), Decimal(was) if was else None)


TWO = [
    {"id": 71, "inventory_level": 3, "option_values": [{"label": "Red"}, {"label": "XL"}]},
    {"id": 72, "inventory_level": None, "option_values": [{"label": "Red"}, {"label": "S"}]},
]


@pytest.mark.parametrize(
    ("tracking", "stock", "of_variants"),
    [
        ("none", None, [None, None]),
        ("product", 9, [None, None]),
        ("variant", 3, [3, 0]),
        (None, None, [None, None]),
    ],
)
def test_stock_is_what_is_tracked(
    tracking: str | None, stock: int | None, of_variants: list[int | None]
) -> None:
    found = product(inventory_tracking=tracking, inventory_level=9, variants=TWO)
    assert found.stock == stock
    assert [variant.stock for variant in found.variants] == of_variants


def test_a_variant_inherits_what_it_does_not_have() -> None:
    found = product(
        price=10,
        calculated_price=9,
        primary_image={"url_standard": "https://cdn.example.com/p.jpg"},
        variants=[
            TWO[0] | {"price": None, "image_url": "", "sku": "R-XL"},
            TWO[1]
            | {
                "calculated_price": 12,
                "image_url": "https://cdn.example.com/v.jpg",
                "purchasing_disabled": True,
            },
        ],
    )
    first, second = found.variants
    assert (first.options, first.sku, first.price, first.image, first.purchasable) == (
        "Red / XL",
        "R-XL",
        Decimal(9),
        "https://cdn.example.com/p.jpg",
        True,
    )
    assert (second.price, second.image, second.purchasable) == (
        Decimal(12),
        "https://cdn.example.com/v.jpg",
        False,
    )


@pytest.mark.parametrize(
    ("fields", "visible"),
    [
        ({"is_visible": True, "availability": "available", "channels": [1]}, True),
        ({"is_visible": True, "availability": "preorder", "channels": [1]}, True),
        ({"is_visible": True, "availability": "disabled", "channels": [1]}, False),
        ({"is_visible": False, "availability": "available", "channels": [1]}, False),
        ({"is_visible": True, "availability": "available", "channels": []}, False),
    ],
)
def test_a_product_is_visible_if_a_shopper_can_find_and_buy_it(fields: dict[str, Any], visible: bool) -> None:
    assert product(**fields).visible == visible


# -- carts

UUID = "09346904-4175-44fd-be53-f7e598531b6c"


def cart(**fields: Any) -> Cart:
    return records.cart(read(wire.Cart, **{"id": UUID} | fields), STORE, {12: "jane@example.com"})


def test_a_cart_as_it_comes() -> None:
    found = cart(
        customer_id=12,
        channel_id=1002,
        email=" guest@example.com ",
        currency={"code": "usd"},
        cart_amount=33.3,
        coupons=[{"code": "TEN", "id": 1}, {"code": "TEN"}, {"code": None}],
        created_time="2026-03-01T12:00:00+00:00",
        updated_time="2026-03-01T13:00:00Z",
        line_items={
            "physical_items": [
                {
                    "id": "6e193ce6-f327-4dcc-b75e-72cf6738525e",
                    "product_id": 7,
                    "variant_id": 70,
                    "name": "Shirt",
                    "sku": "S-7",
                    "quantity": 2,
                    "list_price": 12.5,
                    "sale_price": 10.1,
                    "extended_list_price": 25,
                    "extended_sale_price": 20.2,
                    "url": "https://shop.example.com/shirt/",
                    "image_url": "https://cdn.example.com/s.png",
                    "options": [{"name": "Color", "value": "Red"}, {"name": "Size", "value": 42}],
                }
            ],
            "digital_items": [
                {"product_id": 8, "name": "Song", "quantity": 1, "list_price": 1, "sale_price": 0}
            ],
            "custom_items": [{"name": "Engraving", "quantity": "3", "list_price": "2.05"}],
            "gift_certificates": [{"name": "Gift", "amount": 5, "recipient": {"email": "joe@example.com"}}],
        },
    )
    assert found == Cart(
        id=cart_key(UUID).id,
        uuid=UUID,
        customer_id=12,
        email="guest@example.com",
        storefront=1002,
        currency="USD",
        total=Decimal("33.3"),
        coupons=("TEN",),
        created=NOON,
        updated=NOON + timedelta(hours=1),
        lines=(
            CartLine(
                product_id=7,
                variant_id=70,
                name="Shirt",
                sku="S-7",
                options="Red / 42",
                quantity=2,
                price=Decimal("10.1"),
                total=Decimal("20.2"),
                url="https://shop.example.com/shirt/",
                image="https://cdn.example.com/s.png",
            ),
            CartLine(product_id=8, name="Song", price=Decimal(0), total=Decimal(0)),
            CartLine(name="Engraving", quantity=3, price=Decimal("2.05"), total=Decimal("6.15")),
            CartLine(name="Gift", price=Decimal(5), total=Decimal(5)),
        ),
    )


@given(st.decimals(0, 10**9, places=4))
def test_an_amount_of_a_cart_is_the_number_that_was_written(amount: Decimal) -> None:
    row = msgspec.json.decode(f'{{"id": "{UUID}", "cart_amount": {amount}}}', type=wire.Cart, strict=False)
    assert records.cart(row, STORE, {}).total == amount


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        ({"customer_id": 12, "email": "typed@example.com"}, "typed@example.com"),
        ({"customer_id": 12, "email": ""}, "jane@example.com"),
        ({"customer_id": 12, "email": None}, "jane@example.com"),
        ({"customer_id": 13}, ""),
        ({"customer_id": 0, "email": " "}, ""),
    ],
)
def test_a_carts_e_mail_is_what_was_typed_else_that_of_the_account(
    fields: dict[str, Any], email: str
) -> None:
    assert cart(**fields).email == email


def test_a_cart_of_nothing_is_read() -> None:
    empty = Cart(id=cart_key(UUID).id, uuid=UUID)
    assert cart() == cart(line_items=[], currency=[], coupons=[], channel_id=None) == empty


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"id": "17"}, "id: expected a UUID"),
        ({"id": ""}, "id: expected a UUID"),
        ({"updated_time": "yesterday"}, "updated_time: expected a date"),
        ({"cart_amount": "NaN"}, "cart_amount: expected an amount"),
        ({"line_items": {"physical_items": [{"sale_price": "Infinity"}]}}, "price: expected an amount"),
    ],
)
def test_a_cart_that_cannot_be_understood_says_why(fields: dict[str, Any], flaw: str) -> None:
    with pytest.raises(Unreadable, match=flaw):
        cart(**fields)


def test_a_v3_single_is_read_or_flawed_and_nothing_else_is_one() -> None:
    decode = wire.enclosed(wire.Cart)
    assert decode(b'{"data": {"id": "x"}, "meta": {}}') == wire.Cart(id="x")
    assert isinstance(decode(b'{"data": {"id": 17}}'), wire.Flaw)
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"id": "x"}')
