"""Events as Brevo gets them: what each says, how it travels, and what becomes of those that do not arrive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.brevo import Api, BrevoDestination, Lists, Rules
from tajo.brevo.commerce_payloads import CommercePayloads
from tajo.brevo.event_payloads import MAX_BYTES, EventPayloads
from tajo.brevo.events import FEW, KEPT, ROWS, Events
from tajo.brevo.tracing import encode
from tajo.errors import Mend
from tajo.http import Patience
from tajo.sync.model import (
    Cart,
    CartLine,
    Customer,
    Event,
    EventKind,
    Farewell,
    Key,
    Line,
    Order,
    Outcome,
    Product,
    Resource,
    Store,
    Storefront,
    Variant,
    Verdict,
    Write,
    cart_key,
)

from .virtual_clock import VirtualClock

DAY = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
STORE = Store(name="Shop", currency="EUR", storefronts={1: Storefront(1, "Shop", "https://shop.test")})
NAMES = {kind: str(kind) for kind in EventKind}
UUID = "0f2ad1a5-52ae-4d3b-9f7e-1c2d3e4f5a6b"

ORDER = Order(
    id=17,
    email="Ann@X.test",
    status_id=2,
    status="Shipped",
    created=DAY,
    modified=DAY,
    total=Decimal("30.5"),
    currency="USD",
    coupons=("SPRING",),
    lines=(
        Line(
            product_id=7,
            variant_id=71,
            name="Cup",
            sku="C7",
            quantity=3,
            price=Decimal(10),
            total=Decimal("30"),
        ),
        Line(product_id=0, name="Gift wrap", quantity=1, price=Decimal("0.5"), total=Decimal("0.5")),
    ),
)
CART = Cart(
    id=cart_key(UUID).id,
    uuid=UUID,
    email="ann@x.test",
    currency="USD",
    total=Decimal("20"),
    coupons=("SPRING",),
    updated=DAY,
    lines=(
        CartLine(
            product_id=7,
            variant_id=71,
            name="Cup",
            sku="C7",
            options="Red / XL",
            quantity=2,
            price=Decimal(10),
            total=Decimal(20),
            url="https://shop.test/cup/",
            image="https://cdn.test/cup.jpg",
        ),
    ),
)
PRODUCT = Product(
    id=7,
    name="Cup",
    sku="C",
    price=Decimal(10),
    path="/cup/",
    image="https://cdn.test/cup.jpg",
    storefronts=(1,),
    variants=(Variant(id=71, sku="C7", options="Red", price=Decimal("9.5"), stock=4),),
)


def order_event(kind: EventKind = EventKind.ORDER_PLACED, **more: Any) -> Event:
    record = more.pop("record", ORDER)
    return Event(
        **{
            "kind": kind,
            "key": Key(Resource.ORDERS, record.id),
            "at": DAY,
            "email": record.email,
            "record": record,
            **more,
        }
    )


def cart_event(kind: EventKind = EventKind.CART_UPDATED, **more: Any) -> Event:
    cart = more.pop("record", CART)
    return Event(
        **{"kind": kind, "key": cart_key(cart.uuid), "at": DAY, "email": cart.email, "record": cart, **more}
    )


def stock_event(kind: EventKind = EventKind.BACK_IN_STOCK, **more: Any) -> Event:
    return Event(**{"kind": kind, "key": Key(Resource.PRODUCTS, 7), "at": DAY, "record": PRODUCT, **more})


def write(event: Event, **rules: Any) -> Write | None:
    return next(iter(EventPayloads(Rules(**{"events": NAMES, **rules}), STORE).writes(event)), None)


def told(event: Event, **rules: Any) -> dict[str, Any]:
    written = write(event, **rules)
    assert written is not None
    body: dict[str, Any] = json.loads(written.body)
    return body


def properties(event: Event, **rules: Any) -> dict[str, Any]:
    found: dict[str, Any] = told(event, **rules)["event_properties"]
    return found


# --- what an event says


def test_an_event_has_the_merchants_name_a_moment_and_a_person() -> None:
    body = told(order_event(), events={EventKind.ORDER_PLACED: "bought"})
    assert {name: body[name] for name in body if name != "event_properties"} == {
        "event_name": "bought",
        "event_date": "2026-03-01T12:30:00Z",
        "identifiers": {"email_id": "ann@x.test"},
    }


def test_an_order_says_what_was_bought_for_how_much_and_leaves_out_what_is_not_known() -> None:
    assert properties(order_event()) == {
        "order_id": "17",
        "status": "shipped",
        "total": 30.5,
        "currency": "EUR",
        "storefront": "Shop",
        "coupons": ["SPRING"],
        "items": [
            {
                "product_id": "7",
                "variant_id": "7-71",
                "name": "Cup",
                "sku": "C7",
                "quantity": 3,
                "price": 10.0,
                "total": 30.0,
            },
            {"name": "Gift wrap", "quantity": 1, "price": 0.5, "total": 0.5},
        ],
    }


def test_a_change_of_status_says_both_in_the_words_that_orders_have() -> None:
    event = order_event(EventKind.ORDER_STATUS_CHANGED, status_before=11)
    said = properties(event)
    assert (said["status_before"], said["status"]) == ("awaiting_fulfillment", "shipped")


def test_a_refund_says_this_refund_and_all_of_them() -> None:
    record = replace(ORDER, refunded=Decimal("12.5"))
    said = properties(order_event(EventKind.ORDER_REFUNDED, record=record, refunded=Decimal("2.5")))
    assert (said["refunded"], said["refunded_total"]) == (2.5, 12.5)


def test_a_cart_has_the_flat_layout_of_brevos_cart_events() -> None:
    assert properties(cart_event()) == {
        "cart_id": UUID,
        "total": 20.0,
        "currency": "USD",
        "storefront": "Shop",
        "coupons": ["SPRING"],
        "items_count": 2,
        "items": [
            {
                "product_id": "7",
                "variant_id": "7-71",
                "name": "Cup",
                "variant_name": "Red / XL",
                "sku": "C7",
                "quantity": 2,
                "price": 10.0,
                "total": 20.0,
                "url": "https://shop.test/cup/",
                "image": "https://cdn.test/cup.jpg",
            }
        ],
    }


@pytest.mark.parametrize(
    ("variant", "named"),
    [
        (71, {"variant_id": "7-71", "name": "Cup \u2013 Red", "sku": "C7", "price": 9.5}),
        (0, {"name": "Cup", "sku": "C", "price": 10.0}),
        (72, {"variant_id": "7-72", "name": "Cup", "sku": "C", "price": 10.0}),
    ],
    ids=["a variant", "the product", "a variant that is gone"],
)
def test_stock_is_told_of_the_product_or_its_variant(variant: int, named: dict[str, Any]) -> None:
    event = stock_event(variant_id=variant, stock_before=0, stock=4)
    assert properties(event, event_contacts={EventKind.BACK_IN_STOCK: "stock@shop.test"}) == {
        "product_id": "7",
        "url": "https://shop.test/cup/",
        "image": "https://cdn.test/cup.jpg",
        "stock_before": 0,
        "stock": 4,
        **named,
    }


def test_a_customer_says_who_it_is_by_number_and_not_by_name() -> None:
    customer = Customer(id=3, email="ann@x.test", first_name="Ann", group="VIP", created=DAY)
    event = Event(
        kind=EventKind.CUSTOMER_CREATED,
        key=Key(Resource.CUSTOMERS, 3),
        at=DAY,
        email="ann@x.test",
        record=customer,
    )
    assert properties(event) == {
        "customer_id": "3",
        "storefront": "Shop",
        "group": "VIP",
        "created": "2026-03-01T12:30:00Z",
    }


def test_ids_bear_the_prefix_under_which_brevo_knows_the_things() -> None:
    said = properties(order_event(), id_prefix="eu-")
    assert (said["order_id"], said["items"][0]["product_id"]) == ("eu-17", "eu-7")
    order = json.loads(CommercePayloads(Rules(id_prefix="eu-"), STORE).order(ORDER, historical=False).body)
    assert order["id"] == said["order_id"]
    assert order["products"][0]["variantId"] == said["items"][0]["variant_id"]


def test_a_kind_that_is_not_named_is_not_told() -> None:
    assert write(order_event(), events={EventKind.CART_UPDATED: "cart_updated"}) is None


def test_stock_belongs_to_nobody_and_is_told_of_the_contact_that_the_merchant_named() -> None:
    event = stock_event(stock_before=0, stock=4)
    assert write(event) is None
    assert told(event, event_contacts={EventKind.BACK_IN_STOCK: "Stock@Shop.test"})["identifiers"] == {
        "email_id": "stock@shop.test"
    }


def test_an_event_of_a_person_is_told_of_that_person_whatever_contact_is_named() -> None:
    body = told(order_event(), event_contacts={EventKind.ORDER_PLACED: "else@shop.test"})
    assert body["identifiers"] == {"email_id": "ann@x.test"}


def test_what_events_are_called_lets_no_record_be_told_anew() -> None:
    named = Rules(events=NAMES, event_contacts={EventKind.LOW_STOCK: "stock@shop.test"})
    assert named.fingerprint() == Rules().fingerprint()


@given(st.lists(st.text(max_size=250), max_size=400))
def test_properties_never_exceed_what_brevo_takes_and_no_line_goes_uncounted(names: list[str]) -> None:
    lines = tuple(Line(product_id=7, name=name, quantity=1, price=Decimal(1)) for name in names)
    said = properties(order_event(record=replace(ORDER, lines=lines)))
    assert len(encode(said)) <= MAX_BYTES
    kept = [item.get("name", "") for item in said["items"]]
    assert kept == names[: len(kept)]
    assert len(kept) + said.get("items_left_out", 0) == len(names)


def test_a_cart_of_a_thousand_lines_is_cut_and_says_how_many_are_missing() -> None:
    said = properties(cart_event(record=replace(CART, lines=CART.lines * 1000)))
    assert 100 < len(said["items"]) < 1000
    assert said["items_left_out"] == 1000 - len(said["items"])
    assert said["items_count"] == 2000


# --- what names an event


@pytest.mark.parametrize(
    "event",
    [
        order_event(EventKind.ORDER_STATUS_CHANGED, status_before=11),
        order_event(EventKind.ORDER_REFUNDED, refunded=Decimal("2.5")),
        cart_event(),
        stock_event(email="stock@shop.test", stock=4),
    ],
    ids=lambda event: str(event.kind),
)
def test_the_same_event_found_again_has_the_same_name_whatever_it_is_called(event: Event) -> None:
    first = write(event)
    again = write(replace(event, at=DAY + timedelta(hours=1)), events={event.kind: "else"}, id_prefix="eu-")
    assert first is not None
    assert again is not None
    assert first.key == event.key
    assert (first.fingerprint, len(first.fingerprint)) == (again.fingerprint, 16)
    assert first.body != again.body


def test_the_way_an_amount_or_a_moment_is_written_names_no_other_event() -> None:
    summer = timezone(timedelta(hours=2))
    one = write(order_event(EventKind.ORDER_UPDATED))
    other = write(
        order_event(
            EventKind.ORDER_UPDATED,
            record=replace(ORDER, total=Decimal("30.500"), modified=DAY.astimezone(summer)),
        )
    )
    assert one is not None
    assert other is not None
    assert one.fingerprint == other.fingerprint


def test_another_event_has_another_name() -> None:
    later = DAY + timedelta(minutes=1)
    changed = EventKind.ORDER_STATUS_CHANGED
    events = [
        order_event(),
        order_event(record=replace(ORDER, id=18)),
        order_event(changed, status_before=11),
        order_event(changed, status_before=9),
        order_event(changed, status_before=11, record=replace(ORDER, status_id=10)),
        order_event(changed, status_before=11, record=replace(ORDER, modified=later)),
        order_event(EventKind.ORDER_REFUNDED, refunded=Decimal(2)),
        order_event(EventKind.ORDER_REFUNDED, refunded=Decimal(3)),
        order_event(
            EventKind.ORDER_REFUNDED, refunded=Decimal(2), record=replace(ORDER, refunded=Decimal(4))
        ),
        cart_event(),
        cart_event(EventKind.CART_ABANDONED),
        cart_event(record=replace(CART, total=Decimal(21))),
        cart_event(record=replace(CART, updated=later)),
        stock_event(email="s@shop.test", stock_before=0, stock=4),
        stock_event(email="s@shop.test", stock_before=0, stock=5),
        stock_event(email="s@shop.test", stock_before=1, stock=4),
        stock_event(email="s@shop.test", stock_before=0, stock=4, variant_id=71),
        stock_event(EventKind.INVENTORY_CHANGED, email="s@shop.test", stock_before=0, stock=4),
    ]
    names = Counter(found.fingerprint for event in events if (found := write(event)))
    assert set(names.values()) == {1}
    assert len(names) == len(events)


# --- how events travel

Answer = Callable[[httpx.Request], httpx.Response]


class Account:
    """What Brevo got, and what it answers: 204 and 202 unless `answer` says otherwise."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.clock = VirtualClock()
        self.requests: list[httpx.Request] = []
        self.api = Api(
            "xkeysib-1",
            clock=self.clock,
            patience=Patience(attempts=3),
            transport=httpx.MockTransport(self._handle),
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answer:
            return self.answer(request)
        return httpx.Response(204) if request.url.path == "/v3/events" else httpx.Response(202, json={})

    @property
    def paths(self) -> Counter[str]:
        return Counter(f"{request.method} {request.url.path}" for request in self.requests)

    def orders(self) -> list[str]:
        """The order of each event that arrived, in the order of their arrival."""
        found = []
        for request in self.requests:
            body = json.loads(request.content)
            events = body["events"] if request.url.path.endswith("/batch") else [body]
            found += [event["event_properties"]["order_id"] for event in events]
        return found

    async def tell(self, writes: list[Write]) -> list[Outcome]:
        outcomes = await Events(self.api).tell(writes)
        assert Counter(id(o.write) for o in outcomes) == Counter(map(id, writes))
        return outcomes


def writes(count: int) -> list[Write]:
    made = [write(order_event(record=replace(ORDER, id=number))) for number in range(1, count + 1)]
    return [one for one in made if one is not None]


def verdicts(outcomes: list[Outcome]) -> Counter[Verdict]:
    return Counter(outcome.verdict for outcome in outcomes)


def faulty(status: int, *places: list[int]) -> httpx.Response:
    failed = sum(map(len, places))
    return httpx.Response(
        status,
        json={
            "status": "partial",
            "total_events": ROWS,
            "successful_events": ROWS - failed,
            "failed_events": failed,
            "errors": [{"eventIndex": rows, "message": "ann@x.test is no contact"} for rows in places],
        },
    )


async def test_a_few_events_go_singly_each_by_itself() -> None:
    account = Account()
    assert verdicts(await account.tell(writes(FEW))) == {Verdict.DELIVERED: FEW}
    assert account.paths == {"POST /v3/events": FEW}


async def test_many_go_in_batches_of_a_hundred_and_the_rest_singly() -> None:
    account = Account()
    sent = writes(2 * ROWS + 3)
    assert verdicts(await account.tell(sent)) == {Verdict.DELIVERED: len(sent)}
    assert account.paths == {"POST /v3/events/batch": 2, "POST /v3/events": 3}
    assert sorted(account.orders(), key=int) == [str(number) for number in range(1, len(sent) + 1)]
    assert account.orders()[: 2 * ROWS] == [str(number) for number in range(1, 2 * ROWS + 1)]


@pytest.mark.parametrize(("left", "batches"), [(KEPT, 0), (KEPT + 1, 1)])
async def test_batches_go_while_more_than_enough_of_the_hundred_calls_are_left(
    left: int, batches: int
) -> None:
    said = {"limit": "100", "remaining": str(left), "reset": "1800"}
    headers = {f"x-sib-ratelimit-{name}": value for name, value in said.items()}
    account = Account(lambda _: httpx.Response(200, json={}, headers=headers))
    await account.api.account()
    account.requests.clear()
    account.answer = None
    await account.tell(writes(ROWS))
    assert account.paths["POST /v3/events/batch"] == batches
    assert account.paths["POST /v3/events"] == (1 - batches) * ROWS


async def test_events_of_one_thing_arrive_in_their_order() -> None:
    account = Account()
    kinds = [EventKind.ORDER_PLACED, EventKind.ORDER_UPDATED, EventKind.ORDER_REFUNDED]
    sent = [
        found
        for kind in kinds
        for number in (1, 2, 3, 4, 5)
        if (found := write(order_event(kind, record=replace(ORDER, id=number))))
    ]
    await account.tell(sent)
    arrived: dict[str, list[str]] = {}
    for request in account.requests:
        body = json.loads(request.content)
        arrived.setdefault(body["event_properties"]["order_id"], []).append(body["event_name"])
    assert list(arrived.values()) == [list(map(str, kinds))] * 5


async def test_of_a_batch_that_is_taken_in_part_only_the_named_ones_are_refused_and_none_is_repeated() -> (
    None
):
    account = Account(lambda _: faulty(207, [0, 2], [99]))
    outcomes = await account.tell(writes(ROWS))
    refused = {o.write.key.id: o.reason for o in outcomes if o.verdict is Verdict.REFUSED}
    assert refused == dict.fromkeys((1, 3, 100), "<e-mail> is no contact")
    assert verdicts(outcomes)[Verdict.DELIVERED] == ROWS - 3
    assert account.paths == {"POST /v3/events/batch": 1}


async def test_a_batch_that_is_refused_refuses_whom_it_names_and_the_others_go_singly() -> None:
    account = Account(
        lambda request: faulty(400, [0]) if request.url.path.endswith("/batch") else httpx.Response(204)
    )
    outcomes = await account.tell(writes(60))
    assert verdicts(outcomes) == {Verdict.REFUSED: 1, Verdict.DELIVERED: 59}
    assert account.paths == {"POST /v3/events/batch": 1, "POST /v3/events": 59}


async def test_a_refusal_of_a_batch_that_names_nobody_is_explained_by_each_single_event() -> None:
    account = Account(lambda _: httpx.Response(400, json={"code": "bad_request", "message": "no ann@x.test"}))
    outcomes = await account.tell(writes(60))
    assert verdicts(outcomes) == {Verdict.REFUSED: 60}
    assert {o.reason for o in outcomes} == {"POST /events: HTTP 400, no <e-mail>"}


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"\xff"])
async def test_a_batch_taken_in_part_without_saying_which_is_told_again_later(body: bytes) -> None:
    account = Account(lambda _: httpx.Response(207, content=body))
    assert verdicts(await account.tell(writes(60))) == {Verdict.RETRY: 60}


async def test_a_place_that_the_batch_does_not_have_refuses_nobody() -> None:
    account = Account(lambda _: faulty(207, [0, 100, -1]))
    assert verdicts(await account.tell(writes(60))) == {Verdict.REFUSED: 1, Verdict.DELIVERED: 59}


def timeout(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too slow", request=request)


@pytest.mark.parametrize("count", [1, 60], ids=["single", "batch"])
@pytest.mark.parametrize(
    "answer", [timeout, lambda _: httpx.Response(502)], ids=["no answer", "a gateway's answer"]
)
async def test_an_event_whose_answer_got_lost_is_put_off_and_not_repeated_at_once(
    count: int, answer: Answer
) -> None:
    account = Account(answer)
    outcomes = await account.tell(writes(count))
    assert {(o.verdict, o.seconds > 0) for o in outcomes} == {(Verdict.RETRY, True)}
    assert len(account.requests) == 1


async def test_an_event_that_was_certainly_not_taken_is_said_again_at_once() -> None:
    answers = iter([httpx.Response(429), httpx.Response(204)])
    account = Account(lambda _: next(answers))
    assert verdicts(await account.tell(writes(1))) == {Verdict.DELIVERED: 1}


async def test_a_wrong_key_is_for_a_human_to_mend() -> None:
    account = Account(lambda _: httpx.Response(401, json={"message": "no"}))
    with pytest.raises(Mend, match="API key"):
        await account.tell(writes(3))


@pytest.mark.parametrize("count", [20, ROWS + 20], ids=["singles", "a batch and singles"])
async def test_a_key_that_is_revoked_meanwhile_lets_nothing_be_told_twice(count: int) -> None:
    account = Account()
    account.answer = lambda request: (
        httpx.Response(202 if request.url.path.endswith("/batch") else 204)
        if len(account.requests) <= 5
        else httpx.Response(401)
    )
    outcomes = await account.tell(writes(count))
    assert set(verdicts(outcomes)) == {Verdict.DELIVERED, Verdict.RETRY}
    arrived = {o.write.key.id for o in outcomes if o.verdict is Verdict.DELIVERED}
    taken = 5 if count < ROWS else ROWS + 4
    assert len(arrived) == taken


async def test_nothing_to_tell_takes_no_call() -> None:
    account = Account()
    assert await account.tell([]) == []
    assert not account.requests


# --- what is gone, and who


def gone(prefix: str = "") -> CommercePayloads:
    return CommercePayloads(Rules(id_prefix=prefix), STORE)


def test_a_product_that_is_gone_is_marked_with_its_variants_the_product_first_and_keeps_its_name() -> None:
    found = gone("eu-").gone_product(7, [71, 72])
    assert [one.key for one in found] == [
        Key(Resource.PRODUCTS, 7),
        Key(Resource.VARIANTS, 71),
        Key(Resource.VARIANTS, 72),
    ]
    assert [json.loads(one.body) for one in found] == [
        {"id": "eu-7", "isDeleted": True},
        {"id": "eu-7-71", "parentId": "eu-7", "isDeleted": True},
        {"id": "eu-7-72", "parentId": "eu-7", "isDeleted": True},
    ]


def test_a_category_that_is_gone_is_marked() -> None:
    found = gone().gone_category(5)
    assert found.key == Key(Resource.CATEGORIES, 5)
    assert json.loads(found.body) == {"id": "5", "isDeleted": True}


def test_what_comes_back_is_told_again() -> None:
    assert gone().gone_product(7, [])[0].fingerprint != gone().product(PRODUCT)[0].fingerprint


def destination(account: Account, **rules: Any) -> BrevoDestination:
    return BrevoDestination(account.api, Rules(**rules), clock=account.clock)


async def test_somebody_is_forgotten_by_their_address_whatever_it_looks_like() -> None:
    account = Account(lambda _: httpx.Response(204))
    assert await account.api.delete_contact("a/b?%+c@x.test")
    (request,) = account.requests
    assert request.method == "DELETE"
    assert request.url.raw_path == b"/v3/contacts/a%2Fb%3F%25%2Bc%40x.test?identifierType=email_id"


async def test_to_forget_who_is_not_there_is_fine() -> None:
    account = Account(lambda _: httpx.Response(404, json={"code": "document_not_found"}))
    assert not await account.api.delete_contact("ann@x.test")


LISTS = [{"id": 4, "name": "All"}, {"id": 9, "name": "Buyers"}, {"id": 11, "name": "Not ours"}]


def opening(request: httpx.Request) -> httpx.Response:
    """An account in which everything is there already."""
    match request.url.path:
        case "/v3/contacts/lists":
            return httpx.Response(200, json={"lists": LISTS})
        case "/v3/contacts/attributes":
            return httpx.Response(200, json={"attributes": []})
        case _:
            return httpx.Response(200, json={"code": "EUR"})


async def leaving(
    account: Account, how: Farewell, answer: httpx.Response, *, withdrawn: bool = False
) -> tuple[Outcome, httpx.Request]:
    """What becomes of somebody's farewell, and how it was said."""
    brevo = destination(account, lists=Lists(all_customers="All", buyers="Buyers"))
    await brevo.open(STORE)
    account.answer = lambda _: answer
    (outcome,) = await brevo.tell([brevo.farewell(b"p", 123, how, withdrawn=withdrawn)])
    return outcome, account.requests[-1]


@pytest.mark.parametrize(
    ("withdrawn", "told"),
    [
        (False, {"unlinkListIds": [4, 9]}),
        (True, {"unlinkListIds": [4, 9], "emailBlacklisted": True}),
    ],
)
async def test_who_leaves_the_lists_leaves_those_that_the_rules_name_and_no_other(
    withdrawn: bool, told: dict[str, Any]
) -> None:
    account = Account(opening)
    outcome, request = await leaving(account, Farewell.SOFT, httpx.Response(204), withdrawn=withdrawn)
    assert (request.method, request.url.path) == ("PUT", "/v3/contacts/123")
    assert json.loads(request.content) == told
    assert (outcome.verdict, outcome.contact_id) == (Verdict.DELIVERED, 123)


async def test_who_leaves_for_good_is_deleted() -> None:
    account = Account(opening)
    outcome, request = await leaving(account, Farewell.HARD, httpx.Response(204))
    assert (request.method, request.url.path) == ("DELETE", "/v3/contacts/123")
    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("how", Farewell)
async def test_who_has_left_already_has_left(how: Farewell) -> None:
    gone = httpx.Response(404, json={"code": "document_not_found"})
    outcome, _ = await leaving(Account(opening), how, gone)
    assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("how", Farewell)
async def test_a_farewell_that_brevo_declines_is_refused(how: Farewell) -> None:
    declined = httpx.Response(400, json={"code": "invalid_parameter", "message": "no"})
    outcome, _ = await leaving(Account(opening), how, declined)
    assert outcome.verdict is Verdict.REFUSED


async def test_the_destination_tells_events_by_the_stores_own_words_once_it_is_open() -> None:
    account = Account(opening)
    brevo = destination(account, events=NAMES, lists=Lists(all_customers="All", buyers=None))
    await brevo.open(STORE)
    account.answer = None
    (written,) = brevo.event_writes(order_event())
    assert written is not None
    assert verdicts(list(await brevo.tell_events([written]))) == {Verdict.DELIVERED: 1}
    assert json.loads(account.requests[-1].content)["event_properties"]["currency"] == "EUR"
