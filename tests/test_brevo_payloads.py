"""What Brevo is told: contacts, orders, products, categories; the rules and the fingerprint of it all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.brevo import Api, BrevoDestination, ConsentMode, Lists, Rules, StorefrontRules, Traced
from tajo.brevo.api import mask
from tajo.brevo.attributes import Attributes
from tajo.brevo.commerce_payloads import HISTORY, NOBODY, CommercePayloads
from tajo.brevo.contact_payload import (
    ContactPayload,
    Lane,
    block,
    bulk,
    lane_of,
    renaming,
    single,
    without_phone,
)
from tajo.brevo.tracing import assemble
from tajo.sync.mapping import rule
from tajo.sync.model import (
    Address,
    Category,
    Consent,
    Contact,
    Customer,
    Key,
    Line,
    Metrics,
    Order,
    Product,
    Resource,
    Store,
    Storefront,
    Variant,
    Write,
)

DAY = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SEED = {
    "email": "email",
    "first_name": "FIRSTNAME",
    "last_name": "LASTNAME",
    "phone": "SMS",
    "addresses[0].city": "CITY",
    "orders_count": "ORDER_COUNT",
    "total_spent": "TOTAL_SPENT",
    "date_created": "SIGNUP_DATE",
    "form_fields.VIP": "VIP",
    "form_fields.Born": "BORN",
}
MAPPING = tuple(rule(path, attribute) for path, attribute in SEED.items())
KNOWN = Attributes.read(
    [
        {"name": "VIP", "category": "normal", "type": "boolean"},
        {"name": "BORN", "category": "normal", "type": "date"},
    ]
)
LISTS = {"Customers": 5, "Buyers": 4, "News": 9, 40: 40, "Nordic": 3}
STORE = Store(
    name="Shop",
    currency="EUR",
    default_storefront=1,
    storefronts={
        1: Storefront(1, "Shop", "https://shop.test"),
        2: Storefront(2, "Nordic", "https://nordic.test"),
        3: Storefront(3, "POS"),
    },
)
ANN = Customer(
    id=1,
    email="Ann@X.test",
    first_name="Ann",
    created=DAY,
    addresses=(Address(city="Lyon", country_code="FR", phone="06 12 34 56 78"),),
)


def contact(**more: Any) -> Contact:
    return Contact(**({"person": b"p", "key": Key(Resource.CUSTOMERS, 1), "customer": ANN} | more))


def payload(**rules: Any) -> ContactPayload:
    return ContactPayload(Rules(**({"mapping": MAPPING} | rules)), KNOWN, LISTS)


def told(write: Write | None) -> Any:
    assert write is not None
    return json.loads(write.body)


class TestContact:
    def test_holds_what_the_mapping_names_zeros_included_empties_omitted(self) -> None:
        write = payload().write(contact(metrics=Metrics(total_spent=Decimal("19.999"))))
        assert told(write) == {
            "email": "ann@x.test",
            "attributes": {
                "FIRSTNAME": "Ann",
                "CITY": "Lyon",
                "ORDER_COUNT": 0,
                "TOTAL_SPENT": 20.0,
                "SIGNUP_DATE": "2026-03-01",
            },
        }

    def test_the_phone_is_only_what_was_found_free_of_clashes(self) -> None:
        shopper = replace(ANN, phone="+33699999999")
        assert "SMS" not in told(payload().write(contact(customer=shopper)))["attributes"]
        write = payload().write(contact(customer=shopper, phone="+33612345678"))
        assert told(write)["attributes"]["SMS"] == "+33612345678"

    @pytest.mark.parametrize(("phone", "found"), [("", ""), ("06 99 99 99 99", "+33699999999"), ("x", "")])
    def test_the_phone_is_read_with_the_country_of_the_address(self, phone: str, found: str) -> None:
        assert payload().phone(contact(customer=replace(ANN, phone=phone))) == found

    def test_without_a_phone_in_the_mapping_there_is_none(self) -> None:
        assert payload(mapping=MAPPING[:3]).phone(contact()) == ""

    def test_joins_lists_by_orders_consent_and_storefront(self) -> None:
        rules = {
            "lists": Lists(subscribers="News"),
            "storefronts": {2: StorefrontRules(lists=(40, "Nordic", "not made yet"))},
        }
        everybody = payload(**rules).write(contact())
        buyer = payload(**rules).write(
            contact(
                metrics=Metrics(orders_count=1), consent=Consent.GRANTED, storefronts=frozenset({1, 2, 3})
            )
        )
        assert everybody is not None and lane_of(everybody.lane) == Lane(lists=(5,), blocked=True)
        assert buyer is not None and lane_of(buyer.lane) == Lane(lists=(3, 4, 5, 9, 40))

    def test_a_boolean_travels_alone(self) -> None:
        """Imports drop booleans (sendinblue/APIv3-python-library#95)."""
        vip, plain = replace(ANN, fields={"VIP": "yes"}), replace(ANN, fields={"VIP": "perhaps"})
        assert (write := payload().write(contact(customer=vip))) and write.alone
        assert (write := payload().write(contact(customer=plain))) and not write.alone

    def test_so_does_a_new_address(self) -> None:
        write = payload().write(contact(rename=7))
        assert write is not None
        assert write.alone
        assert write.rename == 7

    def test_the_fingerprint_sees_payload_and_consent_not_what_brevo_had(self) -> None:
        def print_of(**more: Any) -> bytes:
            write = payload().write(contact(**more))
            assert write is not None
            return write.fingerprint

        same = print_of()
        assert len(same) == 16
        assert print_of(exists=True) == print_of(blocked_by_us=True) == print_of(person=b"q") == same
        assert print_of(customer=replace(ANN, email="ANN@x.TEST")) == same
        assert print_of(told=Consent.WITHHELD) == same
        for change in (
            {"customer": replace(ANN, email="ben@x.test")},
            {"customer": replace(ANN, first_name="Bea")},
            {"metrics": Metrics(orders_count=1)},
            {"consent": Consent.GRANTED},
            {"phone": "+33612345678"},
        ):
            assert print_of(**change) != same

    def test_consent_leaves_no_trace_when_it_is_ignored(self) -> None:
        ignoring = payload(consent=ConsentMode.IGNORE)
        granted, withheld = (ignoring.write(contact(consent=consent)) for consent in Consent)
        assert granted and withheld
        assert granted.fingerprint == withheld.fingerprint
        assert granted.consent is None
        assert lane_of(withheld.lane).blocked is None


G, W = Consent.GRANTED, Consent.WITHHELD


@pytest.mark.parametrize(
    ("mode", "consent", "told", "exists", "ours", "flag"),
    [
        ("blocklist", W, None, False, False, True),  # a new contact without consent
        ("blocklist", W, None, True, False, None),  # Brevo knew them: its word stands
        ("blocklist", W, G, True, False, True),  # a withdrawal
        ("blocklist", W, W, True, False, None),
        ("blocklist", G, None, False, False, None),
        ("blocklist", G, W, True, True, False),  # we blocked, we lift
        ("blocklist", G, W, True, False, None),  # they unsubscribed in Brevo: not ours to lift
        ("skip", W, None, True, False, None),
        ("skip", W, G, False, False, True),
        ("skip", W, W, False, False, None),
        ("skip", G, W, False, True, False),
        ("ignore", W, G, False, False, None),
        ("ignore", G, W, True, True, None),
    ],
)
def test_the_three_states_of_blocklisting(
    mode: str, consent: Consent, told: Consent | None, exists: bool, ours: bool, flag: bool | None
) -> None:
    person = contact(consent=consent, told=told, exists=exists, blocked_by_us=ours)
    assert block(person, ConsentMode(mode))[0] is flag
    write = payload(consent=ConsentMode(mode)).write(person)
    if mode == "skip" and consent is W and told is None:
        assert write is None
    else:
        assert write is not None
        assert lane_of(write.lane).blocked is flag
        assert write.blocks is (flag is True)
        assert write.alone is (flag is False)


@given(
    consent=st.sampled_from(Consent),
    told=st.sampled_from([None, *Consent]),
    exists=st.booleans(),
    mode=st.sampled_from(ConsentMode),
)
def test_nobody_is_ever_resubscribed_against_a_block_that_is_not_ours(
    consent: Consent, told: Consent | None, exists: bool, mode: ConsentMode
) -> None:
    assert block(contact(consent=consent, told=told, exists=exists), mode)[0] is not False
    if consent is Consent.WITHHELD:
        assert block(contact(consent=consent, told=told, exists=exists, left_at=1.0), mode)[0] is not False


def test_whoever_agreed_anew_since_they_left_is_told_so_each_time_though_the_same_was_told_before() -> None:
    told = []
    for left_at in (None, 1.0, 2.0):
        person = contact(consent=Consent.GRANTED, told=Consent.GRANTED, exists=True, left_at=left_at)
        write = payload().write(person)
        assert write is not None
        assert lane_of(write.lane).blocked is (None if left_at is None else False)
        told.append(write.fingerprint)
    assert len(set(told)) == 3


class TestBodies:
    ROW = b'{"email":"a@x.test","attributes":{"SMS":"+33612345678","A":1}}'

    def test_a_single_upsert(self) -> None:
        assert json.loads(single(self.ROW, Lane((1, 2), True))) == {
            "email": "a@x.test",
            "attributes": {"SMS": "+33612345678", "A": 1},
            "listIds": [1, 2],
            "updateEnabled": True,
            "emailBlacklisted": True,
        }
        assert "emailBlacklisted" not in json.loads(single(self.ROW, Lane((1,), None)))
        assert json.loads(single(self.ROW, Lane((1,), False)))["emailBlacklisted"] is False

    def test_a_new_address_goes_into_the_attributes(self) -> None:
        body = json.loads(renaming(self.ROW, Lane((1,), None)))
        assert body == {"attributes": {"SMS": "+33612345678", "A": 1, "EMAIL": "a@x.test"}, "listIds": [1]}

    def test_an_import_erases_nothing_and_writes_to_nobody(self) -> None:
        body = json.loads(b"".join(bulk([self.ROW, self.ROW], Lane((1,), None))))
        assert len(body.pop("jsonBody")) == 2
        assert body == {
            "listIds": [1],
            "updateExistingContacts": True,
            "emptyContactsAttributes": False,
            "disableNotification": True,
        }
        assert json.loads(b"".join(bulk([self.ROW], Lane((1,), True))))["emailBlacklist"] is True

    def test_a_phone_can_be_taken_out(self) -> None:
        row, names = without_phone(self.ROW)
        assert names == "SMS"
        assert json.loads(row)["attributes"] == {"A": 1}
        assert without_phone(row)[1] == ""


ORDER = Order(
    id=118,
    customer_id=1,
    email="Ann@X.test",
    status_id=11,
    status="Renamed by the merchant",
    created=DAY,
    modified=datetime(2026, 3, 2, 8, 0, 1, 999, tzinfo=UTC),
    total=Decimal("59.90"),
    currency="EUR",
    storefront=2,
    payment_method="paypal",
    coupons=("TEN",),
    billing=Address(
        address1="1 rue X",
        address2="B",
        city="Lyon",
        country="France",
        country_code="FR",
        postal_code="69001",
        phone="06 12 34 56 78",
    ),
    lines=(
        Line(product_id=7, variant_id=71, name="Cup", quantity=2, price=Decimal("19.95")),
        Line(product_id=0, name="Gift wrap!", quantity=1, price=Decimal(20)),
        Line(product_id=8, name="Plate", quantity=1, price=Decimal(0)),
    ),
)


class TestOrder:
    def commerce(self, **rules: Any) -> CommercePayloads:
        return CommercePayloads(Rules(**rules), STORE)

    def test_has_the_shape_of_orders_status(self) -> None:
        write = self.commerce().order(ORDER, historical=True)
        assert write.key == Key(Resource.ORDERS, 118)
        assert write.lane == HISTORY
        assert told(write) == {
            "id": "118",
            "createdAt": "2026-03-01T12:30:00Z",
            "updatedAt": "2026-03-02T08:00:01Z",
            "status": "awaiting_fulfillment",
            "amount": 59.9,
            "storeId": "2",
            "identifiers": {"email_id": "ann@x.test"},
            "products": [
                {"productId": "7", "variantId": "7-71", "quantity": 2, "price": 19.95},
                {"productId": "custom-gift-wrap", "quantity": 1, "price": 20.0},
                {"productId": "8", "quantity": 1, "price": 0.0},
            ],
            "coupons": ["TEN"],
            "billing": {
                "address": "1 rue X, B",
                "city": "Lyon",
                "country": "France",
                "countryCode": "FR",
                "paymentMethod": "paypal",
                "phone": "+33612345678",
                "postCode": "69001",
            },
            "metaInfo": {"currency": "EUR", "storefront": "Nordic"},
        }

    def test_tells_refunds_and_the_rate_as_text(self) -> None:
        """`metaInfo` takes texts, integers and booleans."""
        foreign = replace(ORDER, refunded=Decimal("5.5"), currency="USD", rate=Decimal("1.08"), archived=True)
        assert told(self.commerce().order(foreign, historical=False))["metaInfo"] == {
            "refunded_amount": "5.50",
            "currency": "USD",
            "exchange_rate": "1.08",
            "storefront": "Nordic",
            "archived": True,
        }

    def test_a_phone_that_is_none_is_left_out(self) -> None:
        write = self.commerce().order(replace(ORDER, billing=Address(phone="none")), historical=False)
        assert told(write)["billing"] == {"paymentMethod": "paypal"}

    def test_status_words_follow_the_id(self) -> None:
        orders = self.commerce()
        assert told(orders.order(replace(ORDER, status_id=2), historical=False))["status"] == "shipped"
        for unknown in (99, -1):
            own = replace(ORDER, status_id=unknown, status="On Hold")
            assert told(orders.order(own, historical=False))["status"] == "on_hold"

    def test_without_an_e_mail_the_phone_identifies_else_nobody(self) -> None:
        caller = self.commerce().order(replace(ORDER, email=""), historical=False)
        assert told(caller)["identifiers"] == {"phone_id": "+33612345678"}
        nobody = self.commerce().order(replace(ORDER, email="", billing=Address()), historical=False)
        assert nobody.lane == NOBODY

    def test_the_prefix_is_on_every_id(self) -> None:
        body = told(self.commerce(id_prefix="eu-").order(ORDER, historical=False))
        assert body["id"] == "eu-118"
        assert body["products"][0]["productId"] == "eu-7"
        assert body["products"][0]["variantId"] == "eu-7-71"
        assert body["products"][1]["productId"] == "eu-custom-gift-wrap"


CUP = Product(
    id=7,
    name="Cup",
    sku="C",
    brand="Acme",
    description="A cup.",
    categories=(2, 3),
    price=Decimal("19.95"),
    was=Decimal(25),
    stock=0,
    image="https://img.test/c.jpg",
    path="/cup/",
    storefronts=(2, 1),
    custom_fields={"Material": "Clay"},
    variants=(Variant(id=71, sku="C-R", options="Red / XL", price=Decimal(21), stock=3),),
)


class TestProduct:
    def told(self, product: Product, **rules: Any) -> list[Any]:
        return [told(write) for write in CommercePayloads(Rules(**rules), STORE).product(product)]

    def test_is_followed_by_its_variants(self) -> None:
        writes = CommercePayloads(Rules(), STORE).product(CUP)
        assert [write.key for write in writes] == [Key(Resource.PRODUCTS, 7), Key(Resource.VARIANTS, 71)]
        assert [told(write) for write in writes] == [
            {
                "id": "7",
                "name": "Cup",
                "brand": "Acme",
                "description": "A cup.",
                "categories": ["2", "3"],
                "imageUrl": "https://img.test/c.jpg",
                "url": "https://shop.test/cup/",
                "sku": "C",
                "price": 19.95,
                "alternativePrice": 25.0,
                "stock": 0,
                "metaInfo": {"Material": "Clay"},
                "isDeleted": False,
            },
            {
                "id": "7-71",
                "parentId": "7",
                "name": "Cup \u2013 Red / XL",
                "brand": "Acme",
                "categories": ["2", "3"],
                "imageUrl": "https://img.test/c.jpg",
                "url": "https://shop.test/cup/",
                "sku": "C-R",
                "price": 21.0,
                "stock": 3,
                "isDeleted": False,
            },
        ]

    @pytest.mark.parametrize(
        ("storefronts", "url"),
        [
            ((1, 2), "https://shop.test/cup/"),
            ((2, 1), "https://shop.test/cup/"),
            ((3, 2), "https://nordic.test/cup/"),
            ((3,), None),
            ((9,), "https://nine.test/cup/"),
        ],
    )
    def test_its_url_is_on_the_default_storefront_or_the_first_with_a_site(
        self, storefronts: tuple[int, ...], url: str | None
    ) -> None:
        rules = {
            9: StorefrontRules(url="https://nine.test/"),
            1: StorefrontRules(url="https://the-channel-knows-better.test"),
        }
        assert self.told(replace(CUP, storefronts=storefronts), storefronts=rules)[0].get("url") == url

    @pytest.mark.parametrize(
        ("change", "deleted"),
        [({}, [False, False]), ({"visible": False}, [True, True]), ({"storefronts": ()}, [True, True])],
    )
    def test_what_nobody_can_buy_is_deleted(self, change: dict[str, Any], deleted: list[bool]) -> None:
        assert [body["isDeleted"] for body in self.told(replace(CUP, **change))] == deleted

    def test_a_variant_may_be_off_the_shelf_alone(self) -> None:
        off = replace(CUP, variants=(replace(CUP.variants[0], purchasable=False),))
        assert [body["isDeleted"] for body in self.told(off)] == [False, True]

    @given(fields=st.dictionaries(st.text(max_size=50), st.text(max_size=9_000), max_size=30))
    def test_custom_fields_stay_within_brevos_limits(self, fields: dict[str, str]) -> None:
        meta = self.told(replace(CUP, custom_fields=fields))[0].get("metaInfo", {})
        assert len(meta) <= 20
        assert sum(len(name) + len(value) for name, value in meta.items()) <= 20_000


def test_a_category_is_named_by_its_path() -> None:
    commerce = CommercePayloads(Rules(id_prefix="eu-"), STORE)
    mugs = Category(id=3, name="Kitchen > Mugs", path="/mugs/", storefront=2)
    assert told(commerce.category(mugs)) == {
        "id": "eu-3",
        "name": "Kitchen > Mugs",
        "url": "https://nordic.test/mugs/",
        "isDeleted": False,
    }
    assert told(commerce.category(replace(mugs, visible=False, storefront=None))) == {
        "id": "eu-3",
        "name": "Kitchen > Mugs",
        "url": "https://shop.test/mugs/",
        "isDeleted": True,
    }


async def test_a_preview_is_the_very_list_from_which_the_payload_is_made() -> None:
    api = Api("key")
    destination = BrevoDestination(api, Rules(mapping=MAPPING))
    for record, write in [
        (ORDER, destination.order(ORDER, historical=True)),
        (CUP, destination.product(CUP)[0]),
        (Category(id=3, name="C"), destination.category(Category(id=3, name="C"))),
    ]:
        assert assemble(destination.traced(record)[0]) == told(write)  # type: ignore[arg-type]
    assert len(destination.traced(CUP)) == 2
    traced = assemble(destination.traced(contact())[0])
    assert traced["attributes"] == told(destination.contact(contact()))["attributes"]
    await api.close()


def test_a_preview_says_why_a_value_is_left_out() -> None:
    odd = contact(customer=replace(ANN, fields={"Born": "in spring"}))
    assert Traced("attributes.BORN", None, "form_fields.Born (left out: not a date (YYYY-MM-DD))") in (
        payload().traced(odd)
    )


def test_the_rules_fingerprint_moves_with_whatever_moves_a_payload() -> None:
    plain = Rules(mapping=MAPPING)
    changed = [
        Rules(mapping=MAPPING[:-1]),
        Rules(mapping=MAPPING, lists=Lists(subscribers="News")),
        Rules(mapping=MAPPING, consent=ConsentMode.SKIP),
        Rules(mapping=MAPPING, id_prefix="x"),
        Rules(mapping=MAPPING, storefronts={1: StorefrontRules(lists=(1,))}),
    ]
    assert Rules(mapping=tuple(rule(p, a) for p, a in SEED.items())).fingerprint() == plain.fingerprint()
    assert len({rules.fingerprint() for rules in [plain, *changed]}) == len(changed) + 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("email Ann.Lee+x@shop.test is taken", "email <e-mail> is taken"),
        ("SMS +33 6 12 34 56 78 is taken", "SMS <number> is taken"),
        ("33612345678", "<number>"),
        ("listIds should be an array, 3 given", "listIds should be an array, 3 given"),
    ],
)
def test_brevos_words_are_kept_without_personal_data(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert len(mask("x" * 1000)) == 200
