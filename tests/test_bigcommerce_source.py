"""How a store is read: which calls are made, in which order, and what each trap of the API does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.bigcommerce import Api, BigCommerceSource, Declined
from tajo.bigcommerce.resources import LISTINGS
from tajo.errors import Later, Mend
from tajo.http import Lost, Patience
from tajo.sync.model import (
    Batch,
    Category,
    Change,
    Customer,
    Key,
    Order,
    Refund,
    Resource,
    Storefront,
    cart_key,
)
from tests.virtual_clock import VirtualClock

Params = dict[str, str]
Answer = Callable[[Params], Any]  # a body, a response, or an exception of the connection
SINCE = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))


class Shop:
    """A store made of one answer for each path; everything else is empty. It notes what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.clock = VirtualClock()
        self.answers: dict[str, Any] = {
            "/v2/store": {"name": "Shop", "currency": "GBP", "secure_url": "https://shop.example.com"},
            "/v2/customer_groups": httpx.Response(204),
            "/v3/channels": listed([{"id": 1, "name": "Shop"}]),
        }
        self.asked: list[tuple[str, Params]] = []
        self.requests: list[httpx.Request] = []
        self.api = Api(
            "abc123",
            "t0ken",
            client_id="client-7",
            clock=self.clock,
            patience=Patience(attempts=2),
            transport=httpx.MockTransport(self.answer),
        )
        self.source = BigCommerceSource(self.api)

    def on(self, path: str, answer: Any) -> Shop:
        self.answers[path] = answer
        return self

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/stores/abc123")
        params = dict(request.url.params)
        self.requests.append(request)
        self.asked.append((path, params))
        self.clock.time += 1
        answer = self.answers.get(path, listed([]))
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return httpx.Response(
            200, content=answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        )

    def calls(self, path: str) -> list[Params]:
        return [params for at, params in self.asked if at == path]

    async def pages(
        self, resource: Resource, *, since: datetime | None = None, cursor: str = ""
    ) -> list[Batch]:
        return [batch async for batch in self.source.pages(resource, since=since, cursor=cursor)]


def listed(rows: list[Any], **pagination: Any) -> dict[str, Any]:
    """A V3 list that fits on one page, unless told otherwise."""
    said = {"total": len(rows), "per_page": 250, "total_pages": 1} | pagination
    return {"data": rows, "meta": {"pagination": said}}


def numbered(rows: Callable[[], list[Any]] | list[Any], size: int | None = None) -> Answer:
    """A V3 list with numbered pages; the server may lower the page size to `size`."""

    def answer(params: Params) -> Any:
        now = rows() if callable(rows) else rows
        per_page, page = min(int(params["limit"]), size or 250), int(params.get("page", 1))
        part = now[(page - 1) * per_page : page * per_page]
        return listed(part, total=len(now), per_page=per_page, total_pages=-(-len(now) // per_page))

    return answer


def by_cursor(rows: list[Any], size: int = 250) -> Answer:
    """V3 customers: page one has both paginations, the others only the cursor (customers.v3)."""

    def answer(params: Params) -> Any:
        last = int(params.get("after", "id:0").removeprefix("id:"))
        per_page = min(int(params["limit"]), size)
        part = [row for row in rows if row["id"] > last][:per_page]
        cursor: dict[str, Any] = {"per_page": per_page, "links": []}
        if part:
            cursor["end_cursor"] = f"id:{part[-1]['id']}"
        meta: dict[str, Any] = {"cursor_pagination": cursor}
        if "after" not in params:
            meta["pagination"] = {"total": len(rows), "per_page": per_page}
        return {"data": part, "meta": meta}

    return answer


def by_key(rows: list[Any], name: str = "id:greater") -> Answer:
    """V3 products: all rows with a higher id."""

    def answer(params: Params) -> Any:
        left = [row for row in rows if row["id"] > int(params[name])]
        size = int(params["limit"])
        return listed(left[:size], total=len(left), per_page=size, total_pages=-(-len(left) // size))

    return answer


def v2_orders(rows: list[Any]) -> Answer:
    """V2 orders: a bare array, and 204 without a body where there is nothing."""

    def answer(params: Params) -> Any:
        part = [row for row in rows if row["id"] >= int(params["min_id"])][: int(params["limit"])]
        return part or httpx.Response(204)

    return answer


def customer(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "email": f"c{number}@example.com"} | fields


def order(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "status_id": 11,
        "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
        "total_inc_tax": "10.0000",
        "items_total": 1,
        "consignments": {"shipping": [{"line_items": [{"id": 1, "quantity": 1, "name": "Tea"}]}]},
    } | fields


def ids(batches: list[Batch]) -> list[int]:
    return [change.key.id for batch in batches for change in batch.changes]


def records(batch: Batch) -> list[Any]:
    return [change.record for change in batch.changes]


# -- opening


async def test_opening_takes_four_calls() -> None:
    shop = (
        Shop()
        .on("/v3/channels", listed([{"id": 1, "name": "Shop"}, {"id": 1002, "name": "Trade"}]))
        .on("/v3/sites", listed([{"id": 1000, "channel_id": 1002, "url": "https://trade.example.com/"}]))
        .on("/v2/customer_groups", [{"id": 2, "name": "VIP", "date_created": "2023-07-17 06:30:41"}])
    )
    store = await shop.source.open()
    assert [path for path, _ in shop.asked] == [
        "/v2/store",
        "/v3/channels",
        "/v3/sites",
        "/v2/customer_groups",
    ]
    assert store.currency == "GBP"
    assert store.groups == {2: "VIP"}
    assert store.storefronts == {
        1: Storefront(1, "Shop", "https://shop.example.com"),
        1002: Storefront(1002, "Trade", "https://trade.example.com"),
    }
    assert shop.source.calls == 4
    await shop.api.close()


async def test_every_call_is_signed_and_goes_to_the_store() -> None:
    shop = Shop()
    await shop.source.open()
    for request in shop.requests:
        assert str(request.url).startswith("https://api.bigcommerce.com/stores/abc123/v")
        assert request.headers["x-auth-token"] == "t0ken"
        assert request.headers["accept"] == "application/json"
        assert not request.url.path.endswith("/")


@pytest.mark.parametrize("status", [204, 403, 404])
async def test_a_plan_without_customer_groups_is_no_trouble(status: int) -> None:
    shop = Shop().on("/v2/customer_groups", httpx.Response(status, content=b"[]" if status == 404 else b""))
    assert (await shop.source.open()).groups == {}


async def test_many_channels_come_on_many_pages() -> None:
    channels = [{"id": number, "name": str(number)} for number in range(1, 8)]
    shop = Shop().on("/v3/channels", numbered(channels, size=3))
    assert list((await shop.source.open()).storefronts) == list(range(1, 8))


# -- refusals


async def test_an_unknown_store_is_for_a_human_to_mend() -> None:
    shop = Shop().on("/v2/store", httpx.Response(404, content=b'[{"status":404,"message":"Not found"}]'))
    with pytest.raises(Mend, match="knows no store abc123"):
        await shop.source.open()


async def test_a_refused_token_is_for_a_human_to_mend() -> None:
    shop = Shop().on("/v2/store", httpx.Response(401, content=b'{"code":401,"message":"Bad token"}'))
    with pytest.raises(
        Mend, match=r"client-7 for store abc123 \(401\) at GET /v2/store: Bad token"
    ) as caught:
        await shop.source.open()
    assert "Store-level API accounts" in caught.value.mend
    assert "t0ken" not in str(caught.value)
    assert len(shop.asked) == 1


@pytest.mark.parametrize(
    ("resource", "path", "scope"),
    [
        (Resource.CUSTOMERS, "/v3/customers", "store_v2_customers_read_only"),
        (Resource.SUBSCRIBERS, "/v3/customers/subscribers", "store_v2_customers_read_only"),
        (Resource.ORDERS, "/v2/orders", "store_v2_orders_read_only"),
        (Resource.REFUNDS, "/v3/orders/payment_actions/refunds", "store_v2_orders_read_only"),
        (Resource.PRODUCTS, "/v3/catalog/products", "store_v2_products_read_only"),
        (Resource.CATEGORIES, "/v3/catalog/trees/categories", "store_v2_products_read_only"),
    ],
)
async def test_a_missing_scope_is_named(resource: Resource, path: str, scope: str) -> None:
    body = b'{"error":"You are authorized but your scope does not include this resource."}'
    shop = Shop().on(path, httpx.Response(403, content=body))
    with pytest.raises(Mend, match=rf"(?s){scope}.*lapsed"):
        await shop.pages(resource)


async def test_a_store_that_stays_away_is_in_maintenance_or_suspended() -> None:
    shop = Shop().on("/v3/customers", httpx.Response(503))
    with pytest.raises(Mend, match="maintenance, being upgraded or suspended"):
        await shop.pages(Resource.CUSTOMERS)


@pytest.mark.parametrize("trouble", [httpx.Response(502), httpx.ReadTimeout("x"), b'{"data": [', b""])
async def test_other_troubles_are_for_later(trouble: Any) -> None:
    shop = Shop().on("/v3/customers", trouble)
    with pytest.raises(Later):
        await shop.pages(Resource.CUSTOMERS)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'[{"status":413,"message":"The limit exceeds the maximum.","details":{"max_limit":250}}]',
            "The limit exc",
        ),
        (b'{"status":422,"title":"Bad filter","errors":{"email":"jane@example.com is odd"}}', "Bad filter"),
        (b'{"title":"jane@example.com is odd"}', r"\(e-mail\) is odd"),
        (b'{"title":"' + b"x" * 5000 + b'"}', "x{200} "),
        (b'{"status":500,"title":"","errors":{}}', r"customers \("),
        (b"<html>Bad</html>", r"customers \("),
        (b"[]", r"customers \("),
        (b'"no"', r"customers \("),
        (b'{"title":{"a":1}}', r"customers \("),
        (b"[" * 5000, r"customers \("),
        (b"", r"customers \("),
    ],
)
async def test_a_refusals_words_are_told_and_nothing_personal(body: bytes, words: str) -> None:
    shop = Shop().on("/v3/customers", httpx.Response(422, content=body))
    with pytest.raises(Mend, match=words) as caught:
        await shop.pages(Resource.CUSTOMERS)
    assert "jane" not in str(caught.value)


async def test_an_unknown_shape_is_no_empty_list() -> None:
    shop = Shop().on("/v3/customers", {"message": "hello"})
    with pytest.raises(Mend, match="shape"):
        await shop.pages(Resource.CUSTOMERS)


async def test_a_list_that_does_not_exist_is_no_empty_list() -> None:
    shop = Shop().on("/v3/customers", httpx.Response(404))
    with pytest.raises(Mend, match="has no /v3/customers"):
        await shop.pages(Resource.CUSTOMERS)


# -- any resource


@pytest.mark.parametrize("resource", LISTINGS, ids=str)
async def test_a_store_without_records_yields_one_empty_batch(resource: Resource) -> None:
    shop = Shop().on("/v2/orders", httpx.Response(204))
    (batch,) = await shop.pages(resource)
    assert (batch.resource, batch.changes, batch.cursor) == (resource, [], "")


@pytest.mark.parametrize(
    ("resource", "path", "filter"),
    [
        (Resource.CUSTOMERS, "/v3/customers", "date_modified:min"),
        (Resource.SUBSCRIBERS, "/v3/customers/subscribers", "date_modified:min"),
        (Resource.ORDERS, "/v2/orders", "min_date_modified"),
        (Resource.REFUNDS, "/v3/orders/payment_actions/refunds", "created:min"),
        (Resource.PRODUCTS, "/v3/catalog/products", "date_modified:min"),
    ],
)
async def test_since_is_a_full_timestamp_in_utc(resource: Resource, path: str, filter: str) -> None:  # noqa: A002
    shop = Shop().on("/v2/orders", httpx.Response(204))
    await shop.pages(resource, since=SINCE)
    await shop.pages(resource)
    with_since, without = shop.calls(path)
    assert with_since[filter] == "2026-03-01T12:00:00Z"
    assert filter not in without


async def test_read_at_is_when_we_asked() -> None:
    shop = Shop().on("/v3/customers", by_cursor([customer(number) for number in range(1, 4)], size=2))
    await shop.source.open()
    before = shop.clock.now()
    first, second = await shop.pages(Resource.CUSTOMERS)
    assert (first.read_at, second.read_at) == (before, before + 1)


async def test_a_list_that_leads_nowhere_is_not_followed_for_ever() -> None:
    full = [customer(number) for number in range(250)]
    endless = {"data": full, "meta": {"cursor_pagination": {"end_cursor": "same", "per_page": 250}}}
    shop = Shop().on("/v3/customers", endless)
    with pytest.raises(Mend, match="leads back"):
        await shop.pages(Resource.CUSTOMERS)


# -- customers


async def test_customers_are_read_cursor_by_cursor() -> None:
    shop = Shop().on("/v3/customers", by_cursor([customer(number) for number in range(1, 601)]))
    batches = await shop.pages(Resource.CUSTOMERS)
    assert ids(batches) == list(range(1, 601))
    assert [batch.cursor for batch in batches] == ["id:250", "id:500", ""]
    first, second, _ = shop.calls("/v3/customers")
    assert first == {"include": "addresses,attributes,formfields,storecredit", "limit": "250"}
    assert second == first | {"after": "id:250"}


async def test_customers_may_end_with_a_full_page() -> None:
    shop = Shop().on("/v3/customers", by_cursor([customer(number) for number in range(1, 501)]))
    batches = await shop.pages(Resource.CUSTOMERS)
    assert [(len(batch.changes), batch.cursor) for batch in batches] == [
        (250, "id:250"),
        (250, "id:500"),
        (0, ""),
    ]


async def test_a_sweep_goes_on_after_a_cursor() -> None:
    shop = Shop().on("/v3/customers", by_cursor([customer(number) for number in range(1, 601)]))
    assert ids(await shop.pages(Resource.CUSTOMERS, cursor="id:500")) == list(range(501, 601))


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_a_cursor_that_has_expired_starts_over(status: int) -> None:
    fresh = by_cursor([customer(1)])
    shop = Shop().on(
        "/v3/customers", lambda asked: httpx.Response(status) if "after" in asked else fresh(asked)
    )
    assert ids(await shop.pages(Resource.CUSTOMERS, cursor="old")) == [1]


async def test_a_refusal_that_is_not_the_cursors_fault_is_told() -> None:
    shop = Shop().on("/v3/customers", httpx.Response(422))
    with pytest.raises(Mend):
        await shop.pages(Resource.CUSTOMERS, cursor="old")
    assert len(shop.calls("/v3/customers")) == 2


async def test_addresses_and_attributes_beyond_ten_are_read_for_all_of_a_page_together() -> None:
    def addresses(of: int, numbers: range) -> list[dict[str, Any]]:
        return [{"id": 100 * of + n, "customer_id": of, "address1": str(n)} for n in numbers]

    def values(of: int, numbers: range) -> list[dict[str, Any]]:
        return [{"attribute_id": n, "customer_id": of, "attribute_value": f"v{n}"} for n in numbers]

    many = [
        customer(
            1,
            address_count=12,
            addresses=addresses(1, range(10)),
            attribute_count=1,
            attributes=values(1, range(1)),
        ),
        customer(2, address_count=1, addresses=addresses(2, range(1))),
        customer(
            3,
            address_count=11,
            addresses=addresses(3, range(10)),
            attribute_count=11,
            attributes=values(3, range(10)),
        ),
    ]
    shop = (
        Shop()
        .on("/v3/customers", by_cursor(many))
        .on(
            "/v3/customers/addresses",
            numbered(addresses(1, range(12)) + addresses(3, range(11))[::-1], size=8),
        )
        .on("/v3/customers/attribute-values", listed(values(3, range(11))))
        .on("/v3/customers/attributes", listed([{"id": n, "name": f"A{n}"} for n in range(12)]))
    )
    (batch,) = await shop.pages(Resource.CUSTOMERS)
    first, second, third = records(batch)
    assert [len(one.addresses) for one in (first, second, third)] == [12, 1, 11]
    assert [address.address1 for address in third.addresses] == [str(n) for n in range(11)]
    assert first.fields == {"A0": "v0"}
    assert third.fields == {f"A{n}": f"v{n}" for n in range(11)}
    assert {asked["customer_id:in"] for asked in shop.calls("/v3/customers/addresses")} == {"1,3"}
    assert [asked["customer_id:in"] for asked in shop.calls("/v3/customers/attribute-values")] == ["3"]


async def test_ten_addresses_without_a_count_may_be_all_or_not() -> None:
    ten = [{"id": number, "customer_id": 1} for number in range(10)]
    shop = (
        Shop()
        .on("/v3/customers", by_cursor([customer(1, addresses=ten), customer(2, addresses=ten[:9])]))
        .on("/v3/customers/addresses", listed([*ten, {"id": 10, "customer_id": 1}]))
    )
    (batch,) = await shop.pages(Resource.CUSTOMERS)
    assert [len(one.addresses) for one in records(batch)] == [11, 9]
    assert [asked["customer_id:in"] for asked in shop.calls("/v3/customers/addresses")] == ["1"]


async def test_attribute_names_are_read_once_for_a_sweep_and_again_for_the_next() -> None:
    names = [{"id": 1, "name": "Level"}]
    valued = [
        customer(n, attribute_count=1, attributes=[{"attribute_id": 1, "attribute_value": "x"}])
        for n in range(1, 6)
    ]
    shop = (
        Shop()
        .on("/v3/customers", by_cursor(valued, size=2))
        .on("/v3/customers/attributes", lambda _: listed(names))
    )
    await shop.pages(Resource.CUSTOMERS)
    assert len(shop.calls("/v3/customers/attributes")) == 1
    names[0]["name"] = "Rank"
    (batch, *_) = await shop.pages(Resource.CUSTOMERS)
    assert records(batch)[0].fields == {"Rank": "x"}


async def test_without_attributes_their_names_are_not_asked_for() -> None:
    shop = Shop().on("/v3/customers", by_cursor([customer(1)]))
    await shop.pages(Resource.CUSTOMERS)
    assert not shop.calls("/v3/customers/attributes")


# -- subscribers and refunds: numbered pages


async def test_a_lowered_page_size_skips_nobody() -> None:
    rows = [customer(number) for number in range(1, 8)]
    shop = Shop().on("/v3/customers/subscribers", numbered(rows, size=3))
    assert ids(await shop.pages(Resource.SUBSCRIBERS)) == list(range(1, 8))


async def test_when_rows_vanish_between_two_pages_it_goes_back() -> None:
    rows = [customer(number) for number in range(1, 8)]
    read = numbered(lambda: rows, size=3)

    def answer(params: Params) -> Any:
        if params.get("page") == "2":
            rows[:] = [row for row in rows if row["id"] != 1]  # 4 is now on page one, which we had
        return read(params)

    shop = Shop().on("/v3/customers/subscribers", answer)
    assert set(ids(await shop.pages(Resource.SUBSCRIBERS))) == set(range(1, 8))


async def test_a_sweep_of_numbered_pages_goes_on_where_it_was_even_if_rows_vanished_meanwhile() -> None:
    rows = [customer(number) for number in range(1, 10)]
    shop = Shop().on("/v3/customers/subscribers", numbered(lambda: rows, size=3))
    first, *_ = await shop.pages(Resource.SUBSCRIBERS)
    del rows[:2]
    assert set(ids(await shop.pages(Resource.SUBSCRIBERS, cursor=first.cursor))) >= set(range(4, 10))


@pytest.mark.parametrize("resource", [Resource.SUBSCRIBERS, Resource.PRODUCTS, Resource.ORDERS])
async def test_a_cursor_that_is_not_ours_starts_over(resource: Resource) -> None:
    shop = Shop().on("/v2/orders", httpx.Response(204))
    (batch,) = await shop.pages(resource, cursor="eyJpZCI6MjA0fQ")
    assert batch.cursor == ""


class Melting:
    """A list from which rows vanish while it is read, `deaths[n]` of them before call n."""

    def __init__(self, count: int, deaths: list[list[int]]) -> None:
        self.rows = [customer(number) for number in range(1, count + 1)]
        self.deaths = iter(deaths)

    def __call__(self) -> list[Any]:
        for place in next(self.deaths, []):
            if self.rows:
                del self.rows[place % len(self.rows)]
        return self.rows


@settings(deadline=None, max_examples=150)
@given(
    count=st.integers(0, 30),
    size=st.integers(1, 7),
    deaths=st.lists(st.lists(st.integers(0, 30), max_size=6), max_size=8),
)
def test_every_row_that_stays_is_met_whatever_else_vanishes(
    count: int, size: int, deaths: list[list[int]]
) -> None:
    melting = Melting(count, deaths)
    shop = Shop().on("/v3/customers/subscribers", numbered(melting, size=size))
    met = ids(asyncio.run(shop.pages(Resource.SUBSCRIBERS)))
    assert set(met) >= {row["id"] for row in melting.rows}


@settings(deadline=None, max_examples=60)
@given(
    present=st.sets(st.integers(1, 60)),
    size=st.integers(1, 9),
    changes=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=10),
)
@pytest.mark.parametrize(
    ("resource", "path", "pages"),
    [(Resource.CUSTOMERS, "/v3/customers", by_cursor), (Resource.PRODUCTS, "/v3/catalog/products", by_key)],
)
def test_cursors_and_keys_meet_every_row_that_is_there_all_the_time(
    resource: Resource, path: str, pages: Any, present: set[int], size: int, changes: list[tuple[bool, int]]
) -> None:
    rows = {number: customer(number) for number in present}
    stayed = set(present)
    coming = iter(changes)

    def answer(params: Params) -> Any:
        added, number = next(coming, (False, 0))
        if added:
            rows[number] = customer(number)
        elif rows.pop(number, None):
            stayed.discard(number)
        now = [rows[number] for number in sorted(rows)]
        return pages(now)(params | {"limit": str(size)})

    shop = Shop().on(path, answer)
    assert set(ids(asyncio.run(shop.pages(resource)))) >= stayed


# -- orders


async def test_orders_are_read_id_by_id_with_their_lines() -> None:
    shop = Shop().on("/v2/orders", v2_orders([order(number) for number in range(100, 400)]))
    batches = await shop.pages(Resource.ORDERS)
    assert ids(batches) == list(range(100, 400))
    first, second = shop.calls("/v2/orders")
    assert first == {
        "include": "consignments.line_items",
        "consignment_structure": "object",
        "sort": "id:asc",
        "limit": "250",
        "min_id": "1",
    }
    assert second["min_id"] == "350"
    found = batches[0].changes[0].record
    assert isinstance(found, Order)
    assert [line.name for line in found.lines] == ["Tea"]


async def test_orders_may_end_with_a_full_page() -> None:
    shop = Shop().on("/v2/orders", v2_orders([order(number) for number in range(1, 251)]))
    first, last = await shop.pages(Resource.ORDERS)
    assert (len(first.changes), last.changes, last.cursor) == (250, [], "")


async def test_a_filter_that_is_ignored_does_not_read_for_ever() -> None:
    shop = Shop().on("/v2/orders", [order(number) for number in range(1, 251)])
    with pytest.raises(Mend, match="min_id"):
        await shop.pages(Resource.ORDERS)


async def test_lines_that_were_cut_off_are_read_page_by_page() -> None:
    lines = [{"id": number, "quantity": 1, "name": f"T{number}"} for number in range(1, 301)]
    cut = {"shipping": [{"line_items": lines[:50], "__warning__": {"message": "more than 50"}}]}

    def products(params: Params) -> Any:
        page = int(params.get("page", 1))
        return lines[(page - 1) * 250 : page * 250]

    shop = (
        Shop()
        .on("/v2/orders", v2_orders([order(7), order(8, items_total=300, consignments=cut)]))
        .on("/v2/orders/8/products", products)
    )
    (batch,) = await shop.pages(Resource.ORDERS)
    assert [len(found.lines) for found in records(batch)] == [1, 300]
    assert shop.calls("/v2/orders/8/products") == [{"limit": "250"}, {"limit": "250", "page": "2"}]


async def test_an_order_whose_lines_are_gone_keeps_the_rest() -> None:
    empty = order(8, consignments={"shipping": []})
    shop = Shop().on("/v2/orders", v2_orders([empty])).on("/v2/orders/8/products", httpx.Response(404))
    (batch,) = await shop.pages(Resource.ORDERS)
    assert records(batch)[0].lines == ()


async def test_an_order_with_a_broken_line_is_flawed_not_shortened() -> None:
    empty = order(8, consignments={"shipping": []})
    shop = (
        Shop()
        .on("/v2/orders", v2_orders([empty]))
        .on("/v2/orders/8/products", [{"id": 1, "quantity": "two"}])
    )
    (batch,) = await shop.pages(Resource.ORDERS)
    assert batch.changes == [
        Change(Key(Resource.ORDERS, 8), None, "line: Expected `int | null`, got `str` - at `$.quantity`")
    ]


async def test_refunds_are_sorted_out_of_all_orders() -> None:
    rows = [{"id": 1, "order_id": 8, "total_amount": 5, "payments": []}, {"id": 2, "total_amount": 5}]
    shop = Shop().on("/v3/orders/payment_actions/refunds", listed(rows))
    (batch,) = await shop.pages(Resource.REFUNDS)
    assert records(batch)[0].amount == Decimal(5)
    assert batch.changes[1].flaw == "order_id: expected a number"


# -- the catalogue


async def test_products_are_read_id_by_id_with_what_we_show_of_them() -> None:
    rows = [{"id": number, "name": "x", "brand_id": number % 2} for number in range(1, 301)]
    shop = (
        Shop()
        .on("/v3/catalog/products", by_key(rows))
        .on("/v3/catalog/brands", listed([{"id": 1, "name": "Acme"}]))
    )
    batches = await shop.pages(Resource.PRODUCTS)
    assert ids(batches) == list(range(1, 301))
    assert [found.brand for found in records(batches[0])[:3]] == ["Acme", "", "Acme"]
    assert len(shop.calls("/v3/catalog/brands")) == 1
    first, second = shop.calls("/v3/catalog/products")
    assert first == {
        "include": "variants,primary_image,custom_fields,channels",
        "sort": "id",
        "direction": "asc",
        "limit": "250",
        "id:greater": "0",
    }
    assert second["id:greater"] == "250"


async def test_a_brand_that_is_new_is_looked_up_and_one_that_is_nowhere_only_once() -> None:
    brands = [{"id": 1, "name": "Acme"}]
    rows = [{"id": 1, "brand_id": 1}]
    shop = (
        Shop()
        .on("/v3/catalog/products", lambda _: listed(rows))
        .on("/v3/catalog/brands", lambda _: listed(brands))
    )
    await shop.source.fetch(Resource.PRODUCTS, [1])
    brands.append({"id": 2, "name": "Bolt"})
    rows[0]["brand_id"] = 2
    assert records(await shop.source.fetch(Resource.PRODUCTS, [1]))[0].brand == "Bolt"
    rows[0]["brand_id"] = 3
    for _ in range(3):
        assert records(await shop.source.fetch(Resource.PRODUCTS, [1]))[0].brand == ""
    assert len(shop.calls("/v3/catalog/brands")) == 3


@pytest.mark.parametrize(
    "trouble", [httpx.Response(500), httpx.Response(502), httpx.Response(504), httpx.ReadTimeout("x")]
)
async def test_a_page_of_products_that_is_too_heavy_is_halved_and_grows_again(trouble: Any) -> None:
    rows = [{"id": number} for number in range(1, 1001)]
    light = by_key(rows)

    def answer(params: Params) -> Any:
        heavy = int(params["id:greater"]) < 100 and int(params["limit"]) > 70
        return trouble if heavy else light(params)

    shop = Shop().on("/v3/catalog/products", answer)
    batches = await shop.pages(Resource.PRODUCTS)
    assert ids(batches) == list(range(1, 1001))
    assert [len(batch.changes) for batch in batches][:5] == [62, 62, 124, 248, 250]


async def test_a_page_of_ten_products_that_does_not_come_is_for_later() -> None:
    shop = Shop().on("/v3/catalog/products", httpx.Response(504))
    with pytest.raises(Later):
        await shop.pages(Resource.PRODUCTS)
    sizes = [int(asked["limit"]) for asked in shop.calls("/v3/catalog/products")]
    assert sizes == [250, 125, 62, 31, 15, 10, 10]  # only the smallest is tried again as it is


async def test_categories_come_with_path_and_channel_in_batches_that_can_be_resumed() -> None:
    rows = [
        {
            "category_id": number,
            "name": f"C{number}",
            "parent_id": number - 1 if number <= 3 else 0,
            "tree_id": 2,
        }
        for number in range(300, 0, -1)
    ]
    shop = (
        Shop()
        .on("/v3/catalog/trees", listed([{"id": 1, "channels": []}, {"id": 2, "channels": [1002]}]))
        .on("/v3/catalog/trees/categories", numbered(rows))
    )
    first, second = await shop.pages(Resource.CATEGORIES)
    assert ids([first, second]) == list(range(1, 301))
    assert records(first)[2] == Category(id=3, name="C1 > C2 > C3", storefront=1002)
    assert shop.calls("/v3/catalog/trees") == [{}]
    assert ids(await shop.pages(Resource.CATEGORIES, cursor=first.cursor)) == list(range(251, 301))


# -- looking at ids


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (Resource.CUSTOMERS, "/v3/customers"),
        (Resource.SUBSCRIBERS, "/v3/customers/subscribers"),
        (Resource.PRODUCTS, "/v3/catalog/products"),
        (Resource.REFUNDS, "/v3/orders/payment_actions/refunds"),
    ],
)
async def test_ids_are_looked_at_a_hundred_a_call_and_what_is_missing_is_gone(
    resource: Resource, path: str
) -> None:
    def answer(params: Params) -> Any:
        wanted = [int(word) for word in params["id:in"].split(",")]
        return listed([customer(number, order_id=1) for number in reversed(wanted) if number != 77])

    shop = Shop().on(path, answer)
    wanted = [*range(1, 221), 5]
    batch = await shop.source.fetch(resource, wanted)
    assert ids([batch]) == list(range(1, 221))
    assert [change.key.id for change in batch.changes if change.record is None] == [77]
    assert [len(asked["id:in"].split(",")) for asked in shop.calls(path)] == [100, 100, 20]
    assert all(asked["limit"] == "250" for asked in shop.calls(path))


async def test_orders_are_looked_at_one_by_one() -> None:
    shop = (
        Shop()
        .on("/v2/orders/8", order(8))
        .on("/v2/orders/9", httpx.Response(404, content=b'[{"status":404,"message":"Not found"}]'))
        .on("/v2/orders/10", order(10, status_id="?"))
    )
    batch = await shop.source.fetch(Resource.ORDERS, [8, 9, 10])
    assert records(batch)[0].id == 8
    assert batch.changes[1] == Change(Key(Resource.ORDERS, 9), None)
    assert batch.changes[2].flaw == "Expected `int | null`, got `str` - at `$.status_id`"
    assert shop.calls("/v2/orders/8") == [
        {"include": "consignments.line_items", "consignment_structure": "object"}
    ]


async def test_categories_are_looked_at_all_together_for_the_sake_of_their_paths() -> None:
    rows = [{"category_id": 1, "name": "Tea"}, {"category_id": 2, "name": "Green", "parent_id": 1}]
    shop = Shop().on("/v3/catalog/trees/categories", listed(rows))
    batch = await shop.source.fetch(Resource.CATEGORIES, [2, 3])
    assert batch.changes == [
        Change(Key(Resource.CATEGORIES, 2), Category(id=2, name="Tea > Green")),
        Change(Key(Resource.CATEGORIES, 3), None),
    ]


async def test_looking_at_nothing_makes_no_call() -> None:
    shop = Shop()
    await shop.source.open()
    assert (await shop.source.fetch(Resource.CUSTOMERS, [])).changes == []
    assert shop.source.calls == 4


async def test_an_ignored_filter_makes_nobody_gone() -> None:
    shop = Shop().on("/v3/customers", listed([customer(number) for number in range(1, 51)]))
    with pytest.raises(Mend, match="id:in"):
        await shop.source.fetch(Resource.CUSTOMERS, [900])


async def test_a_row_whose_id_is_unreadable_makes_nobody_gone() -> None:
    shop = Shop().on("/v3/customers", listed([customer(1), {"id": "?", "email": "x@example.com"}]))
    first, second = (await shop.source.fetch(Resource.CUSTOMERS, [1, 2])).changes
    assert isinstance(first.record, Customer)
    assert second.flaw.startswith("Expected `int`")


async def test_an_error_while_looking_at_many_orders_is_the_one_that_is_told() -> None:
    shop = Shop().on("/v2/orders/8", httpx.Response(403))
    with pytest.raises(Mend, match="Orders"):
        await shop.source.fetch(Resource.ORDERS, [7, 8, 9, 10, 11])


# -- carts, which only somebody else can name


def uuid(number: int) -> str:
    return f"09346904-4175-44fd-be53-{number:012x}"


def cart(number: int, **fields: Any) -> dict[str, Any]:
    return {"data": {"id": uuid(number), "customer_id": 0, "email": ""} | fields, "meta": {}}


async def test_carts_are_looked_at_one_by_one_with_the_options_of_their_lines() -> None:
    shop = Shop()
    for number in (1, 2):
        shop.on(f"/v3/carts/{uuid(number)}", cart(number, email=f"g{number}@example.com", cart_amount=number))
    batch = await shop.source.fetch_carts([uuid(2), uuid(1), uuid(2)])
    assert batch.resource is Resource.CARTS
    assert [change.key for change in batch.changes] == [cart_key(uuid(2)), cart_key(uuid(1))]
    assert [record.email for record in records(batch)] == ["g2@example.com", "g1@example.com"]
    assert shop.calls(f"/v3/carts/{uuid(1)}") == [
        {"include": "line_items.physical_items.options,line_items.digital_items.options"}
    ]
    assert shop.calls("/v3/customers") == []


async def test_a_cart_that_is_gone_has_no_record() -> None:
    shop = Shop().on(f"/v3/carts/{uuid(1)}", httpx.Response(404, content=b'{"status":404,"title":"No cart"}'))
    assert (await shop.source.fetch_carts([uuid(1)])).changes == [Change(cart_key(uuid(1)), None)]


async def test_the_e_mails_of_accounts_come_in_one_call_for_all_carts() -> None:
    shop = Shop().on("/v3/customers", listed([customer(5), {"id": 6, "email": None}]))
    shop.on(f"/v3/carts/{uuid(1)}", cart(1, customer_id=5))
    shop.on(f"/v3/carts/{uuid(2)}", cart(2, customer_id=6))
    shop.on(f"/v3/carts/{uuid(3)}", cart(3, customer_id=5))
    shop.on(f"/v3/carts/{uuid(4)}", cart(4, customer_id=7, email="typed@example.com"))
    shop.on(f"/v3/carts/{uuid(5)}", cart(5))
    batch = await shop.source.fetch_carts([uuid(number) for number in range(1, 6)])
    assert [record.email for record in records(batch)] == [
        "c5@example.com",
        "",
        "c5@example.com",
        "typed@example.com",
        "",
    ]
    (asked,) = shop.calls("/v3/customers")
    assert sorted(asked["id:in"].split(",")) == ["5", "6"]


async def test_a_cart_that_cannot_be_understood_costs_no_other() -> None:
    shop = Shop()
    shop.on(f"/v3/carts/{uuid(1)}", cart(1, cart_amount={"value": 1}))
    shop.on(f"/v3/carts/{uuid(2)}", cart(2, created_time="soon"))
    shop.on(f"/v3/carts/{uuid(3)}", cart(3))
    first, second, third = (await shop.source.fetch_carts([uuid(1), uuid(2), uuid(3)])).changes
    assert first.key == cart_key(uuid(1))
    assert "cart_amount" in first.flaw
    assert second.flaw == "created_time: expected a date"
    assert third.record


async def test_read_at_of_carts_is_before_the_first_is_asked_for() -> None:
    shop = Shop().on(f"/v3/carts/{uuid(1)}", cart(1))
    await shop.source.open()
    before = shop.clock.time
    assert (await shop.source.fetch_carts([uuid(1)])).read_at == before


async def test_a_missing_scope_for_carts_is_named() -> None:
    shop = Shop().on(f"/v3/carts/{uuid(1)}", httpx.Response(403))
    with pytest.raises(Mend, match=r"GET /v3/carts/\{id\} \(403\); it needs the scope store_cart_read_only"):
        await shop.source.fetch_carts([uuid(1)])


async def test_no_carts_need_no_call() -> None:
    shop = Shop()
    await shop.source.open()
    before = shop.source.calls
    assert (await shop.source.fetch_carts([])).changes == []
    assert shop.source.calls == before


# -- the refunds of some orders

REFUNDS = "/v3/orders/payment_actions/refunds"


def looked_at(*orders: Order) -> Batch:
    """What a look at these orders found."""
    return Batch(Resource.ORDERS, [Change(Key(Resource.ORDERS, one.id), one) for one in orders], 0.0)


def refunded(number: int, status: int = 4) -> Order:
    return Order(id=number, status_id=status, created=SINCE, total=Decimal(20))


async def refunds_of(shop: Shop, *orders: int) -> Batch:
    """The refunds that come with these orders, all of which say that there are some."""
    (batch,) = await shop.source.companions(looked_at(*map(refunded, orders)))
    return batch


async def test_refunds_are_asked_for_by_a_hundred_orders_at_a_time() -> None:
    def answer(params: Params) -> Any:
        orders = [int(one) for one in params["order_id:in"].split(",")]
        return listed([{"id": 1000 + one, "order_id": one, "total_amount": 1.5} for one in orders if one % 2])

    shop = Shop().on(REFUNDS, answer)
    batch = await refunds_of(shop, *range(1, 121), 1)
    assert len(shop.calls(REFUNDS)) == 2
    assert records(batch) == [
        Refund(id=1000 + one, order_id=one, amount=Decimal("1.5")) for one in range(1, 121, 2)
    ]


async def test_only_orders_that_say_so_are_asked_for_refunds() -> None:
    shop = Shop()
    gone = Change(Key(Resource.ORDERS, 99), None)
    batch = looked_at(*(refunded(status + 1, status) for status in range(15)))
    await shop.source.companions(replace(batch, changes=[*batch.changes, gone]))
    assert shop.calls(REFUNDS) == [{"order_id:in": "5,15", "limit": "250"}]


async def test_what_brings_no_refunds_needs_no_call() -> None:
    shop = Shop()
    account = Change(Key(Resource.CUSTOMERS, 4), Customer(id=4, email="ann@example.com"))
    assert await shop.source.companions(looked_at(refunded(7, status=2))) == []
    assert await shop.source.companions(Batch(Resource.CUSTOMERS, [account], 0.0)) == []
    assert shop.source.calls == 0


async def test_read_at_of_refunds_is_before_the_first_is_asked_for() -> None:
    shop = Shop()
    await shop.source.open()
    before = shop.clock.time
    assert (await refunds_of(shop, 7)).read_at == before


async def test_many_refunds_of_one_order_come_on_many_pages() -> None:
    rows = [{"id": number, "order_id": 7, "total_amount": number} for number in range(1, 6)]
    shop = Shop().on(REFUNDS, numbered(rows, size=2))
    assert ids([await refunds_of(shop, 7)]) == [1, 2, 3, 4, 5]


async def test_a_filter_of_refunds_that_is_ignored_is_noticed() -> None:
    shop = Shop().on(REFUNDS, listed([{"id": 1, "order_id": 8}]))
    with pytest.raises(Mend, match="ignored the filter order_id:in"):
        await refunds_of(shop, 7)


async def test_a_payment_that_was_declined_gives_nothing_back() -> None:
    payments = [{"amount": 4, "is_declined": True}, {"amount": 6, "is_declined": False}]
    shop = Shop().on(REFUNDS, listed([{"id": 1, "order_id": 7, "total_amount": 10, "payments": payments}]))
    assert records(await refunds_of(shop, 7)) == [Refund(id=1, order_id=7, amount=Decimal(6))]


# -- the newest


async def test_the_newest_of_each_takes_one_call() -> None:
    shop = Shop()
    shop.on("/v3/customers", listed([customer(5, date_modified="2026-03-01T12:00:00Z")]))
    shop.on("/v2/orders", [order(9, date_modified="Sun, 01 Mar 2026 12:00:01 +0000")])
    shop.on("/v3/catalog/products", listed([{"id": 3, "date_modified": "2026-03-01T12:00:02+00:00"}]))
    noon = SINCE.timestamp()
    dated = [Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS]
    assert [await shop.source.newest(one) for one in dated] == [noon, noon + 1, noon + 2]
    assert shop.asked == [
        ("/v3/customers", {"sort": "date_modified:desc", "limit": "1"}),
        ("/v2/orders", {"sort": "date_modified:desc", "limit": "1"}),
        ("/v3/catalog/products", {"sort": "date_modified", "direction": "desc", "limit": "1"}),
    ]


async def test_what_is_empty_or_illegible_has_no_newest() -> None:
    shop = Shop().on("/v2/orders", httpx.Response(204))
    shop.on("/v3/customers", listed([customer(5, date_modified="soon")]))
    shop.on("/v3/catalog/products", listed([{"id": {}, "date_modified": "2026-03-01T12:00:02+00:00"}]))
    for resource in (Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS):
        assert await shop.source.newest(resource) is None


# -- taking a consent back


def subscribers(*rows: dict[str, Any]) -> dict[str, Any]:
    return listed([{"id": number, "email": "jane@example.com"} | row for number, row in enumerate(rows, 1)])


def bodies(shop: Shop) -> dict[str, Any]:
    """What was written, by path."""
    return {
        request.url.path.removeprefix("/stores/abc123"): msgspec.json.decode(request.content)
        for request in shop.requests
        if request.method != "GET"
    }


async def test_unsubscribing_takes_the_consent_to_marketing_and_no_other() -> None:
    shop = Shop().on(
        "/v3/customers/subscribers",
        subscribers(
            {"consents": ["abandoned_cart", "marketing_newsletter"]},
            {"consents": ["marketing_newsletter"], "email": "Jane@Example.com"},
            {"consents": ["abandoned_cart"]},
            {"consents": []},
        ),
    )
    assert await shop.source.unsubscribe("jane@example.com")
    assert bodies(shop) == {
        "/v3/customers/subscribers/1": {"consents": ["abandoned_cart"]},
        "/v3/customers/subscribers/2": {"consents": []},
    }
    assert {request.method for request in shop.requests} == {"GET", "PUT"}
    assert shop.calls("/v3/customers/subscribers") == [{"email": "jane@example.com", "limit": "250"}]


@pytest.mark.parametrize(
    "rows", [[], [{"consents": []}], [{"consents": None}], [{"consents": ["abandoned_cart"]}]]
)
async def test_who_has_given_no_consent_is_left_as_they_are(rows: list[dict[str, Any]]) -> None:
    shop = Shop().on("/v3/customers/subscribers", subscribers(*rows))
    assert not await shop.source.unsubscribe("jane@example.com")
    assert bodies(shop) == {}


async def test_a_filter_that_is_ignored_unsubscribes_nobody_else() -> None:
    shop = Shop().on(
        "/v3/customers/subscribers",
        subscribers({"consents": ["marketing_newsletter"], "email": "joe@example.com"}),
    )
    assert not await shop.source.unsubscribe("jane@example.com")
    assert bodies(shop) == {}


async def test_a_newsletter_record_that_has_gone_meanwhile_is_no_change() -> None:
    shop = Shop().on("/v3/customers/subscribers", subscribers({"consents": ["marketing_newsletter"]}))
    shop.on("/v3/customers/subscribers/1", httpx.Response(404))
    assert not await shop.source.unsubscribe("jane@example.com")


async def test_a_token_that_may_only_read_says_so_and_is_no_error() -> None:
    shop = Shop().on("/v3/customers/subscribers", subscribers({"consents": ["marketing_newsletter"]}))
    shop.on("/v3/customers/subscribers/1", httpx.Response(403))
    assert await shop.source.unsubscribe("jane@example.com") is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/v3/customers/subscribers", status) for status in (401, 403, 422, 503)),
        *(("/v3/customers/subscribers/1", status) for status in (401, 422, 503)),
    ],
)
async def test_an_unsubscribe_that_the_store_did_not_hear_rises(path: str, status: int) -> None:
    shop = Shop().on("/v3/customers/subscribers", subscribers({"consents": ["marketing_newsletter"]}))
    shop.on(path, httpx.Response(status))
    with pytest.raises(Mend) as caught:
        await shop.source.unsubscribe("jane@example.com")
    assert "jane" not in str(caught.value)


# -- writing


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("trouble", [httpx.Response(502), httpx.ReadTimeout("x"), httpx.Response(429)])
async def test_what_may_be_said_twice_is_tried_again(method: str, trouble: Any) -> None:
    answers = [trouble, httpx.Response(204)]
    shop = Shop().on("/v3/hooks/1", lambda params: answers.pop(0))
    assert await shop.api.send(method, "/v3/hooks/1", None)
    assert answers == []


@pytest.mark.parametrize("trouble", [httpx.Response(502), httpx.ReadTimeout("x")])
async def test_what_would_be_made_twice_is_not_tried_again(trouble: Any) -> None:
    shop = Shop().on("/v3/hooks", trouble)
    with pytest.raises(Lost):
        await shop.api.send("POST", "/v3/hooks", {"scope": "store/order/*"})
    assert len(shop.asked) == 1


async def test_there_must_be_somewhere_to_make_a_thing() -> None:
    shop = Shop().on("/v3/hooks", httpx.Response(404)).on("/v3/hooks/1", httpx.Response(404))
    with pytest.raises(Declined, match=r"POST /v3/hooks \(404\)"):
        await shop.api.send("POST", "/v3/hooks", {})
    assert not await shop.api.send("DELETE", "/v3/hooks/1")


@pytest.mark.parametrize("trouble", [httpx.ConnectError("x"), httpx.Response(429)])
async def test_what_was_certainly_not_taken_is_tried_again(trouble: Any) -> None:
    answers = [trouble, b"<html>taken</html>"]
    shop = Shop().on("/v3/hooks", lambda params: answers.pop(0))
    assert await shop.api.send("POST", "/v3/hooks", {"scope": "store/order/*"})


# -- counting and the limits


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (Resource.CUSTOMERS, "/v3/customers"),
        (Resource.SUBSCRIBERS, "/v3/customers/subscribers"),
        (Resource.PRODUCTS, "/v3/catalog/products"),
        (Resource.CATEGORIES, "/v3/catalog/trees/categories"),
        (Resource.REFUNDS, "/v3/orders/payment_actions/refunds"),
    ],
)
async def test_counting_takes_one_call_for_one_row(resource: Resource, path: str) -> None:
    shop = Shop().on(path, listed([customer(1)], total=8200, per_page=1, total_pages=8200))
    assert await shop.source.count(resource, since=None) == 8200
    assert [asked["limit"] for asked in shop.calls(path)] == ["1"]


async def test_orders_have_a_count_of_their_own() -> None:
    shop = Shop().on("/v2/orders/count", {"count": 133, "statuses": []})
    assert await shop.source.count(Resource.ORDERS, since=SINCE) == 133
    assert shop.asked == [("/v2/orders/count", {"min_date_modified": "2026-03-01T12:00:00Z"})]


async def test_the_least_time_follows_from_the_quota_that_the_store_told() -> None:
    headers = {
        "X-Rate-Limit-Requests-Left": "149",
        "X-Rate-Limit-Requests-Quota": "150",
        "X-Rate-Limit-Time-Reset-Ms": "30000",
        "X-Rate-Limit-Time-Window-Ms": "30000",
    }
    shop = Shop().on("/v3/channels", httpx.Response(200, headers=headers, content=b'{"data": []}'))
    assert shop.source.floor_seconds(1000) == 0
    await shop.source.open()
    assert shop.source.floor_seconds(1000) == 180
    assert shop.source.page_size(Resource.ORDERS) == 250
