"""How our webhooks are made, kept and repaired at a store, and what is never touched."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.bigcommerce import Api
from tajo.bigcommerce.callbacks import SECRET_HEADER
from tajo.bigcommerce.hooks import WANTED, Health, Hook, Hooks, check, plan, wanted
from tajo.errors import Later, Mend
from tajo.http import Patience
from tests.virtual_clock import VirtualClock

US = "https://tajo.example.com/webhooks/bigcommerce"
EXCEPTIONS = "store/hook/deliveryException"
ORDERS, CARTS = "store/order/*", "store/cart/updated"


class Shop:
    """A store that keeps webhooks as webhooks.v3 says. `refuse`: what it answers to a scope it will not take.

    `lose`: the answers to so many POSTs get lost after they were taken.
    """

    def __init__(self, *hooks: dict[str, Any], per_page: int = 250) -> None:
        self.hooks = {
            number: {"id": number, "is_active": True, "headers": None} | row
            for number, row in enumerate(hooks, 1)
        }
        self.newest = len(hooks)
        self.per_page = per_page
        self.refuse: dict[str, httpx.Response] = {}
        self.lose = 0
        self.vanishing: set[int] = set()
        self.asked: list[str] = []
        self.admin: Any = {}
        self.api = Api(
            "abc123",
            "t0ken",
            clock=VirtualClock(),
            patience=Patience(attempts=2),
            transport=httpx.MockTransport(self.answer),
        )

    def hooks_for(self, *scopes: str) -> Hooks:
        return Hooks(self.api, scopes or WANTED)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/stores/abc123")
        self.asked.append(f"{request.method} {path}")
        if path == "/v3/hooks/admin":
            return httpx.Response(200, json={"data": self.admin, "meta": {}})
        if request.method == "GET":
            page, rows = int(request.url.params.get("page", 1)), list(self.hooks.values())
            said = {
                "total": len(rows),
                "per_page": self.per_page,
                "total_pages": -(-len(rows) // self.per_page),
            }
            part = rows[(page - 1) * self.per_page : page * self.per_page]
            return httpx.Response(200, json={"data": part, "meta": {"pagination": said}})
        if request.method == "POST":
            self.newest += 1
        number = self.newest if request.method == "POST" else int(path.rpartition("/")[2])
        if request.method != "POST" and (number in self.vanishing or number not in self.hooks):
            self.hooks.pop(number, None)
            return httpx.Response(404, json={"status": 404, "title": "Webhook not found"})
        if request.method == "DELETE":
            return httpx.Response(200, json={"data": self.hooks.pop(number), "meta": {}})
        row = msgspec.json.decode(request.content)
        if row["scope"] in self.refuse:
            found = self.refuse[row["scope"]]
            return httpx.Response(found.status_code, content=found.content)
        clash = [one for one in self.hooks.values() if one["scope"] == row["scope"] and one["id"] != number]
        assert row["destination"] not in {one["destination"] for one in clash}
        assert len(clash) < 10
        self.hooks[number] = {"id": number} | row
        if request.method == "POST" and self.lose:
            self.lose -= 1
            raise httpx.ReadTimeout("lost")
        return httpx.Response(200, json={"data": self.hooks[number], "meta": {}})

    @property
    def writes(self) -> list[str]:
        return [asked for asked in self.asked if not asked.startswith("GET")]

    def leads(self) -> dict[str, str]:
        return {row["scope"]: row["destination"] for row in self.hooks.values()}


def ours(scope: str, destination: str = US, **fields: Any) -> dict[str, Any]:
    headers = {SECRET_HEADER: fields.pop("secret", "s3cret")}
    return {"scope": scope, "destination": destination, "headers": headers} | fields


def foreign(scope: str, host: str = "erp.example.com", **fields: Any) -> dict[str, Any]:
    return {"scope": scope, "destination": f"https://{host}/hook", "headers": {"x-erp": "1"}} | fields


# -- what we want to be told


def test_only_what_is_used_is_wanted() -> None:
    assert wanted(carts=False, products=False, orders=True, customers=False) == (
        "store/order/*",
        "store/order/refund/created",
        EXCEPTIONS,
    )
    assert "store/cart/abandoned" in wanted(carts=True, products=False, orders=False, customers=False)
    assert set(WANTED) > set(wanted(carts=False, products=True, orders=True, customers=True))


def test_nothing_is_wanted_twice_and_no_floods() -> None:
    assert len(WANTED) == len(set(WANTED))
    assert not {"store/channel/*", "store/cart/*", "store/cart/lineItem/*"} & set(WANTED)


# -- registering


async def test_a_store_without_webhooks_gets_one_for_each_scope() -> None:
    shop = Shop()
    report = await shop.hooks_for().register(US, "s3cret")
    assert report.made == WANTED
    assert shop.leads() == dict.fromkeys(WANTED, US) | {EXCEPTIONS: f"{US}/exceptions"}
    for row in shop.hooks.values():
        assert row["headers"] == {"x-tajo-secret": "s3cret"}
        assert row["is_active"] is True


async def test_registering_again_changes_nothing() -> None:
    shop = Shop()
    await shop.hooks_for().register(US, "s3cret")
    before = len(shop.writes)
    report = await shop.hooks_for().register(US, "s3cret")
    assert len(shop.writes) == before
    assert (report.kept, report.made, report.mended, report.removed) == (WANTED, (), (), ())


async def test_many_webhooks_come_on_many_pages() -> None:
    shop = Shop(per_page=4)
    await shop.hooks_for().register(US, "s3cret")
    assert (await shop.hooks_for().register(US, "s3cret")).kept == WANTED


@pytest.mark.parametrize(
    "row",
    [
        ours(ORDERS, is_active=False),
        ours(ORDERS, secret="old"),
        ours(ORDERS, headers=None),
        ours(ORDERS, headers=[]),
        ours(ORDERS, "https://old-tunnel.example.com/webhooks/bigcommerce"),
        ours(ORDERS, "https://lost-self.example.com/webhooks/bigcommerce", secret="lost", is_active=False),
    ],
    ids=["switched off", "old secret", "no headers", "empty headers", "old address", "former self"],
)
async def test_a_webhook_of_ours_that_is_not_right_is_mended(row: dict[str, Any]) -> None:
    shop = Shop(row)
    report = await shop.hooks_for(ORDERS).register(US, "s3cret")
    assert report.mended == (ORDERS,)
    assert shop.writes == ["PUT /v3/hooks/1"]
    assert shop.hooks == {1: {"id": 1} | ours(ORDERS) | {"is_active": True}}


async def test_header_names_are_read_in_any_case() -> None:
    shop = Shop(ours(ORDERS, headers={"X-Tajo-Secret": "s3cret"}))
    assert (await shop.hooks_for(ORDERS).register(US, "s3cret")).kept == (ORDERS,)


async def test_doubles_and_former_destinations_are_removed() -> None:
    shop = Shop(
        ours(ORDERS, "https://old-tunnel.example.com/webhooks/bigcommerce"),
        ours(ORDERS),
        ours(ORDERS, "https://older-tunnel.example.com/webhooks/bigcommerce"),
    )
    report = await shop.hooks_for(ORDERS).register(US, "s3cret")
    assert (report.kept, report.removed) == ((ORDERS,), (ORDERS, ORDERS))
    assert list(shop.hooks) == [2]


async def test_a_scope_that_is_no_longer_wanted_is_removed() -> None:
    shop = Shop(ours(ORDERS), ours(CARTS))
    report = await shop.hooks_for(ORDERS).register(US, "s3cret")
    assert report.removed == (CARTS,)
    assert shop.leads() == {ORDERS: US}


async def test_what_others_made_is_never_touched() -> None:
    others = [
        foreign(ORDERS),
        foreign(CARTS, is_active=False),
        ours(ORDERS, "https://staging.example.com/webhooks/bigcommerce", secret="theirs"),
    ]
    shop = Shop(*others)
    hooks = shop.hooks_for(ORDERS)
    await hooks.register(US, "s3cret")
    await hooks.remove("s3cret")
    assert [row["destination"] for row in shop.hooks.values()] == [row["destination"] for row in others]
    assert shop.writes == ["POST /v3/hooks", "DELETE /v3/hooks/4"]


async def test_one_that_vanishes_meanwhile_is_made_again() -> None:
    shop = Shop(ours(ORDERS, is_active=False))
    shop.vanishing = {1}
    report = await shop.hooks_for(ORDERS).register(US, "s3cret")
    assert (report.made, report.mended) == ((ORDERS,), ())
    assert shop.leads() == {ORDERS: US}


async def test_a_webhook_whose_answer_got_lost_is_not_made_twice() -> None:
    shop = Shop()
    shop.lose = 1
    with pytest.raises(Later):
        await shop.hooks_for(ORDERS, CARTS).register(US, "s3cret")
    assert shop.writes == ["POST /v3/hooks"]
    report = await shop.hooks_for(ORDERS, CARTS).register(US, "s3cret")
    assert (report.kept, report.made) == ((ORDERS,), (CARTS,))


@given(
    st.lists(
        st.builds(
            Hook,
            id=st.just(0),
            scope=st.sampled_from([ORDERS, CARTS, EXCEPTIONS]),
            destination=st.sampled_from(
                [US, f"{US}/exceptions", "https://old.example.com/w", "https://erp.example.com"]
            ),
            active=st.booleans(),
            secret=st.sampled_from(["", "s3cret", "other"]),
        ),
        max_size=9,
        unique_by=lambda hook: (hook.scope, hook.destination),
    )
)
def test_whatever_is_there_one_plan_makes_it_right(found: list[Hook]) -> None:
    hooks = [msgspec.structs.replace(hook, id=number) for number, hook in enumerate(found, 1)]
    leads = {ORDERS: US, EXCEPTIONS: f"{US}/exceptions"}
    first = plan(hooks, leads, "s3cret")
    gone = {hook.id for hook in first.remove}
    kept = [hook for hook in hooks if hook.id not in {*gone, *first.change.values()}]
    made = [
        Hook(id=number or 100 + at, scope=scope, destination=leads[scope], secret="s3cret")
        for at, (scope, number) in enumerate(first.change.items())
    ]
    second = plan([*kept, *made], leads, "s3cret")
    assert (second.change, second.remove) == ({}, ())
    assert {*second.kept, *second.refused} == set(leads)
    foreign = [hook for hook in hooks if not hook.secret and hook.destination not in leads.values()]
    assert not {hook.id for hook in foreign} & {*gone, *first.change.values()}


# -- limits and refusals


async def test_ten_webhooks_of_others_leave_no_room_and_nothing_is_changed() -> None:
    shop = Shop(*(foreign(CARTS, f"erp{number}.example.com") for number in range(10)))
    with pytest.raises(Mend, match="10 webhooks for store/cart/updated") as caught:
        await shop.hooks_for(ORDERS, CARTS).register(US, "s3cret")
    assert "API account of its own" in caught.value.mend
    assert shop.writes == []


async def test_nine_of_others_and_one_of_ours_are_not_too_many() -> None:
    shop = Shop(*(foreign(CARTS, f"erp{number}.example.com") for number in range(9)), ours(CARTS))
    assert (await shop.hooks_for(CARTS).register(US, "s3cret")).kept == (CARTS,)


async def test_delivery_exceptions_that_somebody_else_receives_are_left_to_them() -> None:
    shop = Shop(foreign(EXCEPTIONS))
    report = await shop.hooks_for(ORDERS, EXCEPTIONS).register(US, "s3cret")
    assert report.made == (ORDERS,)
    assert list(report.refused) == [EXCEPTIONS]


async def test_a_scope_that_the_store_does_not_take_is_told_and_the_others_go_on() -> None:
    shop = Shop()
    shop.refuse = {CARTS: httpx.Response(422, json={"status": 422, "title": "Unknown scope"})}
    report = await shop.hooks_for(CARTS, ORDERS).register(US, "s3cret")
    assert report.made == (ORDERS,)
    assert "Unknown scope (422)" in report.refused[CARTS]


async def test_a_store_that_takes_none_is_for_a_human_to_mend() -> None:
    shop = Shop()
    no = httpx.Response(422, json={"status": 422, "title": "Bad destination"})
    shop.refuse = {CARTS: no, ORDERS: no}
    with pytest.raises(Mend, match=r"no webhook to tajo\.example\.com: .*Bad destination") as caught:
        await shop.hooks_for(CARTS, ORDERS).register(US, "s3cret")
    assert "s3cret" not in str(caught.value)


async def test_a_refused_token_ends_it_at_once() -> None:
    shop = Shop()
    shop.refuse = dict.fromkeys(WANTED, httpx.Response(401, json={"status": 401, "title": "No"}))
    with pytest.raises(Mend, match="access token"):
        await shop.hooks_for().register(US, "s3cret")
    assert len(shop.writes) == 1


# -- removing, health


async def test_removing_deletes_ours_wherever_they_lead() -> None:
    shop = Shop(foreign(ORDERS), ours(ORDERS), ours(CARTS, "https://old.example.com/w"))
    report = await shop.hooks_for().remove("s3cret")
    assert report.removed == (ORDERS, CARTS)
    assert list(shop.hooks) == [1]


async def test_to_have_no_secret_in_common_is_no_likeness() -> None:
    shop = Shop(foreign(ORDERS))
    assert (await shop.hooks_for().remove("")).removed == ()
    await shop.hooks_for(ORDERS).register(US, "")
    assert shop.hooks[1]["destination"] == "https://erp.example.com/hook"


async def test_health_tells_what_is_on_off_and_blocked() -> None:
    shop = Shop()
    shop.admin = {
        "emails": ["jane@example.com"],
        "hooks_list": [
            ours(ORDERS, id=1, is_active=True, status="active"),
            ours(CARTS, id=2, is_active=True, status="deactivated"),
            ours(EXCEPTIONS, id=3, is_active=False, status="inactive"),
            foreign(CARTS, id=4, is_active=False, status="deactivated"),
        ],
        "blocked_domains": [
            {"destination": "https://tajo.example.com", "time_left": 170, "reasons": [{"count": 20}]},
            {"destination": "erp.example.com", "time_left": 5},
        ],
    }
    assert await shop.hooks_for().health("s3cret") == Health(
        on=(ORDERS,), off=(CARTS, EXCEPTIONS), blocked={"tajo.example.com": 170, "erp.example.com": 5}
    )


@pytest.mark.parametrize("admin", [{}, {"hooks_list": None, "blocked_domains": None}])
async def test_health_of_nothing_is_empty(admin: Any) -> None:
    shop = Shop()
    shop.admin = admin
    assert await shop.hooks_for().health("s3cret") == Health()


async def test_health_in_an_unknown_shape_is_told() -> None:
    shop = Shop()
    shop.admin = []
    with pytest.raises(Mend, match="shape"):
        await shop.hooks_for().health("s3cret")


async def test_a_webhook_shows_no_secret() -> None:
    shop = Shop(ours(ORDERS))
    assert repr(await shop.hooks_for().listed()) == "[Hook(1, store/order/*)]"


# -- destinations that BigCommerce cannot reach


@pytest.mark.parametrize(
    "destination",
    [
        US,
        "https://tajo.example.com:443/webhooks/bigcommerce/main-shop",
        "https://tajo.example.com",
        "http://localhost:8080/webhooks/bigcommerce",
        "http://127.0.0.1/webhooks/bigcommerce",
        "http://127.1.2.3:9",
        "http://[::1]:8080/webhooks",
    ],
)
def test_an_address_that_can_be_reached_passes(destination: str) -> None:
    check(destination)


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        ("", "https only"),
        ("tajo.example.com/webhooks", "https only"),
        ("http://tajo.example.com/webhooks", "https only"),
        ("http://10.0.0.4/webhooks", "https only"),
        ("ftp://tajo.example.com/webhooks", "https only"),
        ("https://tajo.example.com:8443/webhooks", "port 443"),
        ("https://tajo.example.com:99999/webhooks", "no address"),
        ("https://[tajo/webhooks", "no address"),
        ("https://localhost/webhooks", "host name"),
        ("https://127.0.0.1/webhooks", "host name"),
        ("https://203.0.113.7/webhooks", "host name"),
        ("https://[2001:db8::1]/webhooks", "host name"),
        ("https://2130706433/webhooks", "host name"),
        ("https://tajo/webhooks", "host name"),
        ("https://tajo.local/webhooks", "host name"),
        ("https://", "host name"),
        ("https://jane:hunter2@tajo.example.com/webhooks", "user name"),
        ("https://tajo.example.com/webhooks?key=hunter2", "path"),
        ("https://tajo.example.com/webhooks#top", "path"),
        ("https://tajo.example.com/webhooks/", "path"),
        ("https://tajo.example.com//webhooks", "path"),
        ("https://tajo.example.com/../webhooks", "path"),
        ("https://tajo.example.com/web hooks", "path"),
    ],
)
async def test_an_address_that_cannot_be_reached_is_told_before_any_call(destination: str, why: str) -> None:
    shop = Shop()
    with pytest.raises(Mend, match=why) as caught:
        await shop.hooks_for().register(destination, "s3cret")
    assert shop.asked == []
    assert "hunter2" not in str(caught.value)
    assert "server.public_url" in caught.value.mend
