"""The troubleshooting table, executable: for each symptom, what the doctor says and how it is mended."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.brevo import Api as BrevoApi
from tajo.cli import tell
from tajo.doctor import CHECKS, Heed, Report, unheeded
from tajo.doctor.checks import PATIENCE, consult
from tajo.doctor.report import fine
from tajo.doctor.visit import Check, Hurried, Visit
from tajo.wiring import Wiring
from tests.virtual_clock import VirtualClock

TOKEN, API_KEY = "sekret-token", "xkeysib-sekret"
CONFIG = (
    f"connectors: {{bigcommerce: {{store_hash: abc123, access_token: {TOKEN}}}}}\n"
    f"brevo: {{api_key: {API_KEY}}}\n"
)
LISTS = "lists: {all_customers: Everybody, buyers: Buyers}\n"
DOC = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
CART_MAILS = "/v3/abandoned-carts/settings"
NO_ENTRANCE = "/v3/carts/00000000-0000-0000-0000-000000000000/redirect_urls"
NO_CODE = "/v3/promotions/0/codes/0"
QUOTA = {
    "x-rate-limit-requests-quota": "150",
    "x-rate-limit-requests-left": "140",
    "x-rate-limit-time-reset-ms": "30000",
    "x-rate-limit-time-window-ms": "30000",
}


def refusal(status: int, words: str = "No.") -> httpx.Response:
    return httpx.Response(status, json={"status": status, "title": words})


def rows(found: list[Any], **pagination: Any) -> dict[str, Any]:
    said = {"total": len(found), "per_page": 250, "total_pages": 1} | pagination
    return {"data": found, "meta": {"pagination": said}}


def customer(number: int, email: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "email": email, "date_created": "2026-01-01T00:00:00Z"} | more


def order(number: int, email: str = "", customer_id: int = 0, **more: Any) -> dict[str, Any]:
    money = {"default_currency_code": "GBP", "store_default_currency_code": "GBP"}
    billing = {"email": email}
    return (
        {"id": number, "customer_id": customer_id, "status_id": 10, "billing_address": billing} | money | more
    )


ATTRIBUTES = {
    "text": ["FIRSTNAME", "LASTNAME", "COMPANY", "CITY", "STATE", "COUNTRY", "ZIP", "CUSTOMER_GROUP"],
    "float": ["ORDER_COUNT", "TOTAL_SPENT", "AVERAGE_ORDER_VALUE"],
    "date": ["FIRST_ORDER_DATE", "LAST_ORDER_DATE", "SIGNUP_DATE"],
}


def attributes(*without: str, **types: str) -> dict[str, Any]:
    """Those of the default mapping, `without` some, and others by name and type."""
    usual = {name: kind for kind, names in ATTRIBUTES.items() for name in names if name not in without}
    return {"attributes": [{"name": n, "category": "normal", "type": t} for n, t in (usual | types).items()]}


class Practice:
    """A healthy store and a healthy Brevo account; `shop` and `brevo` are their answers by path."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.asked: list[tuple[str, str]] = []
        self.shop: dict[str, Any] = {
            "/v2/time": {"time": int(self.clock.now())},
            "/v2/store": {"name": "Shop", "currency": "GBP", "plan_level": "Standard"},
            "/v2/customer_groups": [{"id": 1, "name": "VIP"}],
            "/v2/orders": httpx.Response(204),
            "/v2/orders/count": {"count": 0, "statuses": []},
            "/v3/channels": rows([{"id": 1, "name": "Shop", "type": "storefront", "status": "active"}]),
            "/v3/carts/00000000-0000-0000-0000-000000000000": refusal(404),
            "/v3/hooks/admin": {"data": {"blocked_domains": []}},
            CART_MAILS: {"data": {"enable_notification": False}},
            **{f"{CART_MAILS}/channels/{n}": {"data": {"enable_notification": None}} for n in (1, 7)},
        }
        self.brevo: dict[str, Any] = {
            "/account": {"plan": [{"type": "free"}, {"type": "sms"}]},
            "/ecommerce/config/displayCurrency": {"code": "GBP"},
            "/contacts/attributes": attributes(),
            "/contacts/lists": {"lists": [{"id": 2, "name": "everybody"}, {"id": 3, "name": "Buyers"}]},
        }

    async def examine(
        self, text: str = LISTS, checks: tuple[Check, ...] = CHECKS, heed: Heed = unheeded
    ) -> Report:
        settings = config.load(self.file(text), {})
        connector = settings.connectors["bigcommerce"]
        hurried = Hurried(self.clock)
        store = StoreApi(
            connector.store_hash,
            connector.access_token.get_secret_value(),
            clock=hurried,
            patience=PATIENCE,
            transport=self.transport("/stores/abc123", self.shop, QUOTA, rows([])),
        )
        brevo = BrevoApi(
            settings.brevo.api_key.get_secret_value(),
            clock=hurried,
            patience=PATIENCE,
            transport=self.transport("/v3", self.brevo, {}, {}),
        )
        rules = Wiring(settings, ledger=None, clock=hurried).rules("bigcommerce")
        try:
            return await consult(Visit(store, brevo, rules, connector, settings), checks, heed)
        finally:
            await store.close()
            await brevo.close()

    def file(self, text: str) -> Path:
        path = Path("tajo.yaml")
        path.write_text(CONFIG + text, encoding="utf-8")
        return path

    def transport(
        self, base: str, answers: dict[str, Any], headers: dict[str, str], otherwise: Any
    ) -> httpx.MockTransport:
        def handle(request: httpx.Request) -> Any:
            path = request.url.path.removeprefix(base)
            self.asked.append((request.method, path))
            answer = answers.get(path, otherwise)
            if callable(answer):
                answer = answer(dict(request.url.params))
            if asyncio.iscoroutine(answer):
                return answer  # for ever
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, httpx.Response):
                said = {**headers, **answer.headers}
                return httpx.Response(answer.status_code, headers=said, content=answer.content)
            return httpx.Response(200, headers=headers, content=msgspec.json.encode(answer))

        return httpx.MockTransport(handle)


@pytest.fixture
def practice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Practice:
    monkeypatch.chdir(tmp_path)
    return Practice()


def said(report: Report, check: str) -> list[tuple[str, str]]:
    """Grade and words of what a check found."""
    return [(one.grade, one.words) for one in report.findings if one.check == check]


def only(report: Report, check: str) -> tuple[str, str, str]:
    """Grade, words and mend of the one thing that a check found."""
    (one,) = [one for one in report.findings if one.check == check]
    return one.grade, one.words, one.mend


def mends(report: Report) -> set[str]:
    return {one.check for one in report.findings if one.grade == "mend"}


# All well


async def test_a_healthy_connector_is_told_so(practice: Practice) -> None:
    report = await practice.examine()
    assert report.exit_code == 0
    assert {one.grade for one in report.findings} == {"fine"}
    assert (report.left_out, report.storefronts) == ([], "")


async def test_whoever_waits_is_told_at_which_check_it_is(practice: Practice) -> None:
    heard: list[tuple[str, int, int]] = []
    report = await practice.examine(heed=lambda *at: heard.append(at))
    assert {one.check for one in report.findings} <= {check for check, _, _ in heard}
    assert [(made, of) for _, made, of in heard] == [(made, len(heard)) for made in range(len(heard))]


async def test_an_examination_changes_nothing_and_costs_two_of_brevos_hundred_calls(
    practice: Practice,
) -> None:
    practice.brevo["/ecommerce/config/displayCurrency"] = refusal(403)
    await practice.examine("lists: {all_customers: New, buyers: 99}\n")
    assert {method for method, _ in practice.asked} == {"GET"}
    paths = [path for _, path in practice.asked]
    assert paths.count("/account") + paths.count("/ecommerce/config/displayCurrency") == 2
    assert len([path for path in paths if path.startswith(("/v2/", "/v3/"))]) <= 17


async def test_a_report_as_json_has_each_finding_with_its_mend(practice: Practice) -> None:
    practice.shop["/v2/orders/count"] = refusal(403)
    summary = json.loads(msgspec.json.encode((await practice.examine()).summary()))
    assert set(summary) == {"healthy", "findings", "left_out", "storefronts"}
    assert summary["healthy"] is False
    assert all(set(one) == {"check", "grade", "words", "mend"} for one in summary["findings"])
    assert [one["grade"] for one in summary["findings"]][-1] == "mend", "the worst comes last"


async def test_a_report_on_a_terminal_shows_words_mends_and_what_was_left_out(
    practice: Practice, capsys: pytest.CaptureFixture[str]
) -> None:
    practice.shop["/v2/orders/count"] = refusal(403)
    practice.brevo["/contacts/lists"] = {"lists": [{"id": 7, "name": "[bold]x[/bold]"}]}
    tell.diagnosis("bigcommerce", await practice.examine("lists: {all_customers: 99}\n"))
    shown = " ".join(capsys.readouterr().out.split())
    assert "store_v2_orders_read_only (Orders)" in shown
    assert "Left out, until that is mended: data-orders" in shown
    assert "7 [bold]x[/bold]" in shown, "a list's name is no markup"


# 401


async def test_a_wrong_token_is_said_once_and_the_rest_of_the_store_is_left_out(practice: Practice) -> None:
    practice.shop["/v2/time"] = refusal(401, "Unauthorized")
    report = await practice.examine()
    assert (report.exit_code, mends(report)) == (3, {"store-token"})
    _grade, words, mend = only(report, "store-token")
    assert "refused the access token for store abc123 (401)" in words
    assert "check store hash and token" in mend
    assert "create a new account" in mend
    assert set(report.left_out) > {"scope-orders", "webhooks", "data-customers", "storefronts"}
    assert said(report, "brevo-key"), "Brevo is examined all the same"
    assert TOKEN not in str(report)


async def test_an_unknown_store_hash_is_told_as_such(practice: Practice) -> None:
    practice.shop["/v2/time"] = refusal(404)
    grade, words, mend = only(await practice.examine(), "store-token")
    assert (grade, words) == ("mend", "BigCommerce knows no store abc123")
    assert "store hash" in mend


async def test_a_token_that_may_not_even_ask_for_the_time_is_still_a_token(practice: Practice) -> None:
    practice.shop["/v2/time"] = refusal(403)
    report = await practice.examine()
    assert report.exit_code == 0
    assert said(report, "store-clock") == []


# 403


@pytest.mark.parametrize(
    ("check", "path", "scope", "left_out"),
    [
        ("scope-information", "/v2/store", "store_v2_information_read_only (Information & Settings)", []),
        (
            "scope-channels",
            "/v3/channels",
            "store_channel_settings_read_only (Channel Settings)",
            ["storefronts"],
        ),
        ("scope-sites", "/v3/sites", "store_sites_read_only (Sites & Routes)", []),
        (
            "scope-customers",
            "/v3/customers",
            "store_v2_customers_read_only (Customers)",
            ["customer-groups", "data-subscribers", "data-customers"],
        ),
        ("scope-orders", "/v2/orders/count", "store_v2_orders_read_only (Orders)", ["data-orders"]),
        ("scope-products", "/v3/catalog/products", "store_v2_products_read_only (Products)", []),
    ],
)
async def test_a_missing_scope_is_named(
    practice: Practice, check: str, path: str, scope: str, left_out: list[str]
) -> None:
    practice.shop[path] = refusal(403, "You do not have permission to make this request.")
    report = await practice.examine()
    _grade, words, mend = only(report, check)
    assert (report.exit_code, mends(report)) == (3, {check})
    assert f"lacks the scope {scope}" in words
    assert "create a new account with this scope too" in mend
    assert report.left_out == left_out, "what needs it is left out, not repeated"


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b'[{"status":403,"message":"No."}]'])
async def test_a_403_is_a_403_whatever_its_body(practice: Practice, body: bytes) -> None:
    practice.shop["/v2/orders/count"] = httpx.Response(403, content=body)
    assert "store_v2_orders_read_only" in only(await practice.examine(), "scope-orders")[1]


async def test_a_scope_that_the_settings_do_not_need_is_not_asked_for(practice: Practice) -> None:
    practice.shop |= {"/v2/orders/count": refusal(403), "/v3/catalog/products": refusal(403)}
    report = await practice.examine(LISTS + "sync: {orders: false, products: false, carts: false}\n")
    assert report.exit_code == 0
    assert not {"/v2/orders", "/v2/orders/count"} & {path for _, path in practice.asked}


async def test_a_sync_needs_no_carts_so_their_scope_is_a_note(practice: Practice) -> None:
    practice.shop["/v3/carts/00000000-0000-0000-0000-000000000000"] = refusal(403)
    report = await practice.examine()
    assert report.exit_code == 0
    grade, words, mend = only(report, "scope-carts")
    assert (grade, "store_cart_read_only (Carts)" in words, "carts: false" in mend) == ("note", True, True)


# Out of reach


async def test_a_host_that_cannot_be_reached_is_told_in_a_sentence(practice: Practice) -> None:
    practice.shop["/v2/time"] = httpx.ConnectError("refused")
    report = await practice.examine()
    assert mends(report) == {"store-token"}
    _grade, words, mend = only(report, "store-token")
    assert words.startswith(
        "BigCommerce cannot be reached at api.bigcommerce.com: GET /v2/time failed 3 times"
    )
    assert "`api_url`" in mend
    assert sum(practice.clock.slept) < 10, "nobody likes to wait for that"


async def test_a_brevo_that_cannot_be_reached_is_told_in_a_sentence(practice: Practice) -> None:
    practice.brevo["/account"] = httpx.ConnectTimeout("too long")
    report = await practice.examine()
    assert mends(report) == {"brevo-key"}
    assert only(report, "brevo-key")[1].startswith("Brevo cannot be reached at api.brevo.com: GET /account")


async def test_a_host_that_never_answers_is_not_waited_for_long(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tajo.doctor.visit.NO_ANSWER", 0.01)
    practice.shop["/v2/time"] = lambda params: asyncio.Event().wait()
    grade, words, _ = only(await practice.examine(), "store-token")
    assert (grade, words.startswith("BigCommerce cannot be reached at api.bigcommerce.com: no")) == (
        "mend",
        True,
    )


async def test_a_suspended_store_is_told_as_such(practice: Practice) -> None:
    practice.shop["/v2/time"] = httpx.Response(503)
    assert "maintenance, being upgraded or suspended" in only(await practice.examine(), "store-token")[1]


async def test_something_that_fails_for_the_moment_is_a_note(practice: Practice) -> None:
    practice.shop["/v3/hooks"] = httpx.Response(502)
    grade, words, mend = only(await practice.examine(), "webhooks")
    assert (grade, mend) == ("note", "try again later")
    assert "HTTP 502" in words


async def test_a_check_that_breaks_takes_no_other_down(practice: Practice) -> None:
    async def broken(visit: Visit) -> list[Any]:
        raise RuntimeError("jane@example.com")

    async def sound(visit: Visit) -> list[Any]:
        return [fine("Well.")]

    report = await practice.examine(checks=(Check("a", broken), Check("b", sound, ("a",)), Check("c", sound)))
    assert said(report, "c") == [("fine", "Well.")]
    assert report.left_out == ["b"]
    assert only(report, "a")[1] == "a could not be looked at: RuntimeError in Tajo itself."


# 429


async def test_the_quota_is_learned_and_told(practice: Practice) -> None:
    words = "Standard: 150 requests per 30 s, shared with all apps of the store."
    assert said(await practice.examine(), "store-quota") == [("fine", words)]


async def test_an_hourly_limit_that_is_nearly_used_up_is_noted(practice: Practice) -> None:
    headers = {"x-sib-ratelimit-limit": "100", "x-sib-ratelimit-reset": "1800"}
    practice.brevo["/ecommerce/config/displayCurrency"] = httpx.Response(
        200, json={"code": "GBP"}, headers={**headers, "x-sib-ratelimit-remaining": "4"}
    )
    report = await practice.examine()
    grade, words, _ = only(report, "brevo-limits")
    assert (report.exit_code, grade) == (0, "note")
    assert "only 4 more calls this hour" in words


async def test_a_limit_that_is_used_up_is_told_rather_than_waited_for(practice: Practice) -> None:
    practice.brevo["/account"] = httpx.Response(
        429,
        headers={
            "x-sib-ratelimit-limit": "100",
            "x-sib-ratelimit-remaining": "0",
            "x-sib-ratelimit-reset": "3000",
        },
    )
    grade, words, mend = only(await practice.examine(), "brevo-key")
    assert (grade, words) == ("mend", "Brevo cannot be examined: its limits are used up for now")
    assert "at the latest in an hour" in mend
    assert max(practice.clock.slept, default=0) < 60


# Clock


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (300, "This machine's clock is 5 minutes behind BigCommerce's."),
        (-300, "This machine's clock is 5 minutes ahead of BigCommerce's."),
        (-10_800, "This machine's clock is 3 hours ahead of BigCommerce's."),
    ],
)
async def test_a_clock_that_is_off_is_to_be_mended(practice: Practice, off: int, words: str) -> None:
    practice.shop["/v2/time"] = {"time": int(practice.clock.now()) + off}
    grade, told, mend = only(await practice.examine(), "store-clock")
    assert (grade, told) == ("mend", words)
    assert "time server" in mend


@pytest.mark.parametrize("off", [-100, 0, 100])
async def test_two_minutes_are_no_matter(practice: Practice, off: int) -> None:
    practice.shop["/v2/time"] = {"time": int(practice.clock.now()) + off}
    assert only(await practice.examine(), "store-clock")[0] == "fine"


# Customer groups


@pytest.mark.parametrize("answer", [refusal(403), refusal(404), httpx.Response(204)])
async def test_a_plan_without_customer_groups_is_a_note(practice: Practice, answer: httpx.Response) -> None:
    practice.shop["/v2/customer_groups"] = answer
    report = await practice.examine()
    assert (report.exit_code, only(report, "customer-groups")[0]) == (0, "note")


async def test_groups_that_nobody_maps_are_not_asked_for(practice: Practice) -> None:
    await practice.examine(LISTS + "customer_mapping: {email: EMAIL, first_name: FIRSTNAME}\n")
    assert ("GET", "/v2/customer_groups") not in practice.asked


# Webhooks and carts


def hook(number: int, scope: str, *, active: bool = True) -> dict[str, Any]:
    destination = "https://tajo.example.com/webhooks/sekret-path"
    return {"id": number, "scope": scope, "destination": destination, "is_active": active}


async def test_webhooks_that_were_switched_off_are_to_be_mended(practice: Practice) -> None:
    practice.shop["/v3/hooks"] = rows(
        [
            hook(1, "store/order/*"),
            hook(2, "store/cart/*", active=False),
            hook(3, "store/sku/*", active=False),
        ]
    )
    report = await practice.examine()
    grade, words, mend = only(report, "webhooks")
    assert grade == "mend"
    assert words.startswith(
        "2 of 3 webhooks are switched off (store/cart/*, store/sku/*; to tajo.example.com)"
    )
    assert "is_active: true" in mend
    assert "sekret-path" not in str(report)


async def test_a_scope_that_takes_no_more_webhooks_is_a_note(practice: Practice) -> None:
    practice.shop["/v3/hooks"] = rows([hook(number, "store/order/*") for number in range(10)])
    grade, words, _ = only(await practice.examine(), "webhooks")
    assert (grade, "10 webhooks" in words, "store/order/*" in words) == ("note", True, True)


async def test_a_server_that_bigcommerce_blocks_is_to_be_mended(practice: Practice) -> None:
    domain = {"destination": "https://tajo.example.com/hook", "time_left": 120, "reasons": []}
    practice.shop["/v3/hooks/admin"] = {"data": {"blocked_domains": [domain]}}
    grade, words, _ = only(await practice.examine(), "webhooks-blocked")
    assert (grade, "no webhooks to tajo.example.com" in words) == ("mend", True)


SKILL = "skills: {abandoned-cart: {enabled: true, templates: [1, 2, 3]}}\n"
SERVER = "server: {public_url: https://tajo.example.com}\n"
UNTOLD = (
    "cart: {brevo_events: none}\n"
    "webhooks: [{scope: store/order/created, destination: order_placed}]\nsync: {inventory: false}\n"
)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("", "events of carts"),
        (UNTOLD + SKILL, "the skill abandoned-cart"),
        (UNTOLD + "lists: {abandoned_cart: 3}\n", "the list `abandoned_cart`"),
        (SKILL, "the skill abandoned-cart, events of carts"),
    ],
)
async def test_the_stores_own_cart_mails_beside_ours_are_noted(
    practice: Practice, text: str, ours: str
) -> None:
    practice.shop[CART_MAILS] = {"data": {"enable_notification": True}}
    grade, words, mend = only(await practice.examine(text), "cart-mails")
    assert (grade, f"is begun by {ours}, shoppers would get two" in words) == ("note", True)
    assert "Abandoned cart notifications" in mend


async def test_the_stores_own_cart_mails_are_well_where_nobody_else_writes(practice: Practice) -> None:
    practice.shop[CART_MAILS] = {"data": {"enable_notification": True}}
    assert said(await practice.examine(UNTOLD), "cart-mails") == []


@pytest.mark.parametrize(
    ("usual", "own", "where"),
    [
        (True, {1: None, 7: None}, "Main, Outlet"),
        (True, {1: False, 7: None}, "Outlet"),
        (True, {1: False, 7: False}, ""),
        (False, {1: None, 7: True}, "Outlet"),
        (False, {1: None, 7: False}, ""),
    ],
)
async def test_cart_mails_are_looked_at_channel_by_channel(
    practice: Practice, usual: bool, own: dict[int, bool | None], where: str
) -> None:
    practice.shop |= {"/v3/channels": rows(CHANNELS), CART_MAILS: {"data": {"enable_notification": usual}}}
    for channel, on in own.items():
        practice.shop[f"{CART_MAILS}/channels/{channel}"] = {"data": {"enable_notification": on}}
    found = said(await practice.examine(), "cart-mails")
    assert [f"are on ({where})" in words for _, words in found] == ([True] if where else [])


async def test_a_channel_whose_cart_settings_cannot_be_read_is_like_the_store(practice: Practice) -> None:
    practice.shop |= {
        CART_MAILS: {"data": {"enable_notification": True}},
        f"{CART_MAILS}/channels/1": refusal(404),
    }
    assert "are on (Shop)" in only(await practice.examine(), "cart-mails")[1]


@pytest.mark.parametrize("status", [403, 404])
async def test_cart_settings_that_cannot_be_read_are_passed_over(practice: Practice, status: int) -> None:
    practice.shop[CART_MAILS] = refusal(status)
    assert said(await practice.examine(), "cart-mails") == []


@pytest.mark.parametrize("text", [SKILL, "lists: {abandoned_cart: 3}\n"])
async def test_without_a_public_url_there_are_no_carts_and_no_links(practice: Practice, text: str) -> None:
    grade, words, _ = only(await practice.examine(text), "cart-links")
    assert (grade, "no `server.public_url`" in words) == ("note", True)


async def test_whoever_wants_nothing_of_carts_needs_no_public_url(practice: Practice) -> None:
    assert said(await practice.examine(), "cart-links") == []


async def test_a_token_that_may_not_make_carts_is_told_what_links_do_instead(practice: Practice) -> None:
    practice.shop[NO_ENTRANCE] = refusal(403)
    report = await practice.examine(SERVER + SKILL)
    grade, words, mend = only(report, "cart-links")
    assert (report.exit_code, grade) == (0, "note")
    assert "the scope store_cart (Carts), to modify" in words
    assert "checkout" in words
    assert "create a new account with this scope too" in mend


@pytest.mark.parametrize("answer", [refusal(404), refusal(422), {"data": {}}])
async def test_whether_carts_can_be_made_is_asked_without_making_one(practice: Practice, answer: Any) -> None:
    practice.shop[NO_ENTRANCE] = answer
    report = await practice.examine(SERVER + SKILL)
    assert said(report, "cart-links") == [("fine", "Recovery links can bring carts back.")]
    assert [path for method, path in practice.asked if method == "POST"] == [NO_ENTRANCE]


async def test_a_token_that_may_not_make_codes_is_told_which_skills_will_wait(practice: Practice) -> None:
    practice.shop[NO_CODE] = refusal(403)
    report = await practice.examine(SKILL)
    grade, words, mend = only(report, "discounts")
    assert (report.exit_code, grade) == (3, "mend")
    assert "the scope store_v2_marketing (Marketing), to modify" in words
    assert "the steps of the skill abandoned-cart that promise one will wait" in words
    assert "leave discounts out" in mend
    assert "create a new account with this scope too" in mend


@pytest.mark.parametrize("answer", [httpx.Response(204), refusal(404), refusal(422)])
async def test_whether_codes_can_be_made_is_asked_without_making_one(practice: Practice, answer: Any) -> None:
    practice.shop[NO_CODE] = answer
    found = said(await practice.examine(SKILL), "discounts")
    assert found == [("fine", "Discount codes can be made valid in the store.")]
    assert [path for method, path in practice.asked if method == "DELETE"] == [NO_CODE]


async def test_whoever_promises_no_discounts_is_not_asked_for_their_scope(practice: Practice) -> None:
    practice.shop[NO_CODE] = refusal(403)
    skill = SKILL.replace("{enabled", "{sequence: [{template_id: 1}], enabled").replace(
        ", templates: [1, 2, 3]", ""
    )
    report = await practice.examine(skill + "lists: {all_customers: Everybody, buyers: Buyers}\n")
    assert said(report, "discounts") == []


# Brevo


async def test_the_plan_of_brevo_is_told(practice: Practice) -> None:
    assert said(await practice.examine(), "brevo-key") == [
        ("fine", "Brevo accepts the API key (plan: free, sms).")
    ]


async def test_a_wrong_key_is_said_once_with_the_other_cause_that_it_may_have(practice: Practice) -> None:
    practice.brevo["/account"] = httpx.Response(
        401, json={"code": "unauthorized", "message": "Key not found"}
    )
    report = await practice.examine()
    _grade, words, mend = only(report, "brevo-key")
    assert (report.exit_code, mends(report)) == (3, {"brevo-key"})
    assert "does not accept the API key" in words
    assert "Authorised IPs" in mend
    assert {"brevo-ecommerce", "brevo-attributes", "brevo-names", "brevo-lists"} <= set(report.left_out)
    assert API_KEY not in str(report)


async def test_ecommerce_that_is_off_is_to_be_mended(practice: Practice) -> None:
    practice.brevo["/ecommerce/config/displayCurrency"] = httpx.Response(
        403, json={"code": "permission_denied"}
    )
    grade, words, mend = only(await practice.examine(), "brevo-ecommerce")
    assert (grade, "not activated" in words, "5 minutes" in mend) == ("mend", True, True)


async def test_another_currency_in_brevo_is_a_note(practice: Practice) -> None:
    practice.brevo["/ecommerce/config/displayCurrency"] = {"code": "EUR"}
    grade, words, _ = only(await practice.examine(), "brevo-ecommerce")
    assert (grade, words) == ("note", "Brevo shows all amounts in EUR, but those of the store are in GBP.")


async def test_attributes_that_are_missing_will_be_created(practice: Practice) -> None:
    practice.brevo["/contacts/attributes"] = attributes("CITY", "ORDER_COUNT")
    grade, words, mend = only(await practice.examine(), "brevo-attributes")
    assert (grade, words) == ("note", "Brevo lacks the contact attributes CITY (text), ORDER_COUNT (float).")
    assert "creates them" in mend


@pytest.mark.parametrize(
    ("name", "kind", "grade"),
    [
        ("CITY", "float", "mend"),
        ("CITY", "boolean", "mend"),
        ("CITY", "date", "mend"),
        ("ORDER_COUNT", "date", "mend"),
        ("ORDER_COUNT", "text", "note"),
        ("LAST_ORDER_DATE", "float", "mend"),
        ("LAST_ORDER_DATE", "text", "note"),
        ("LAST_ORDER_DATE", "user", "mend"),
    ],
)
async def test_an_attribute_of_a_type_that_does_not_fit_is_named(
    practice: Practice, name: str, kind: str, grade: str
) -> None:
    practice.brevo["/contacts/attributes"] = attributes(**{name: kind})
    found, words, mend = only(await practice.examine(), "brevo-attributes")
    assert (found, f"{name} is {kind} in Brevo" in words) == (grade, True)
    wanted = next(right for right, names in ATTRIBUTES.items() if name in names)
    assert f"create it as {wanted}" in mend


async def test_an_attribute_that_brevo_computes_cannot_be_filled(practice: Practice) -> None:
    found = attributes("CITY")
    found["attributes"].append({"name": "CITY", "category": "calculated", "calculatedValue": "COUNT[X]"})
    practice.brevo["/contacts/attributes"] = found
    assert "CITY is calculated in Brevo" in only(await practice.examine(), "brevo-attributes")[1]


async def test_a_field_of_the_merchant_may_be_of_any_type(practice: Practice) -> None:
    practice.brevo["/contacts/attributes"] = attributes(BIRTHDAY="date", POINTS="float")
    fields = "custom_fields: {Birthday: BIRTHDAY, Points: POINTS}\n"
    assert only(await practice.examine(LISTS + fields), "brevo-attributes")[0] == "fine"


async def test_a_french_account_gets_the_lines_for_its_names(practice: Practice) -> None:
    practice.brevo["/contacts/attributes"] = attributes("FIRSTNAME", "LASTNAME", PRENOM="text", NOM="text")
    grade, words, mend = only(await practice.examine(), "brevo-names")
    assert (grade, "PRENOM and NOM" in words) == ("note", True)
    assert "`first_name: PRENOM` and `last_name: NOM`" in mend


async def test_a_french_account_whose_names_are_mapped_gets_none(practice: Practice) -> None:
    practice.brevo["/contacts/attributes"] = attributes("FIRSTNAME", "LASTNAME", PRENOM="text", NOM="text")
    mapping = "customer_mapping: {email: EMAIL, first_name: PRENOM, last_name: NOM}\n"
    assert said(await practice.examine(LISTS + mapping), "brevo-names") == []


async def test_a_list_by_number_must_exist(practice: Practice) -> None:
    grade, words, mend = only(
        await practice.examine("lists: {all_customers: 99, buyers: 3}\n"), "brevo-lists"
    )
    assert (grade, words) == ("mend", "Brevo has no list with the number 99; it has 2 everybody, 3 Buyers.")
    assert "`lists`" in mend


async def test_a_list_by_name_will_be_created(practice: Practice) -> None:
    lists = "lists: {all_customers: Everybody, buyers: New}\nstorefronts: {1: {lists: [Newer]}}\n"
    assert said(await practice.examine(lists), "brevo-lists") == [
        ("note", "Brevo lacks the lists New, Newer.")
    ]


# The store's data


async def test_what_there_is_to_read_is_told(practice: Practice) -> None:
    practice.shop |= {
        "/v3/customers": rows([customer(1, "a@example.com")], total=8200),
        "/v3/customers/subscribers": rows([], total=3000),
        "/v2/orders/count": {"count": 4500, "statuses": []},
        "/v3/catalog/products": rows([{"id": 1, "name": "Cup"}], total=620),
    }
    report = await practice.examine()
    words = {one.words for one in report.findings}
    assert words > {"8,200 customers can be read.", "4,500 orders can be read.", "620 products can be read."}
    assert "3,000 newsletter records can be read." in words


async def test_e_mails_that_are_missing_or_impossible_are_counted(practice: Practice) -> None:
    emails = ["", "  ", "nobody", "a@b", "a b@example.com", "a@@example.com", "fine@example.co.uk"]
    practice.shop["/v3/customers"] = rows([customer(n, email) for n, email in enumerate(emails, 1)])
    grade, words, _ = only(await practice.examine(), "data-customers")
    assert (grade, words) == (
        "note",
        "Among 7 customers looked at: 2 without an e-mail address, 4 with an impossible one.",
    )


async def test_accounts_that_share_an_e_mail_are_counted(practice: Practice) -> None:
    emails = [
        "a@example.com",
        "A@example.com",
        "b@example.com",
        "b@example.com",
        "b@example.com",
        "c@example.com",
    ]
    practice.shop["/v3/customers"] = rows([customer(n, email) for n, email in enumerate(emails, 1)])
    assert only(await practice.examine(), "data-customers")[1] == (
        "Among 6 customers looked at: 5 with an e-mail address that others have, too "
        "(shared addresses: 2, of which 1 differ in upper and lower case)."
    )


async def test_phones_that_are_unusable_or_shared_are_counted(practice: Practice) -> None:
    german = {"addresses": [{"id": 1, "country_code": "DE"}]}
    practice.shop["/v3/customers"] = rows(
        [
            customer(1, "a@example.com", phone="030 901820", **german),
            customer(2, "b@example.com", phone="+49 30 901820"),
            customer(3, "B@example.com", phone="+49 30 901820"),
            customer(4, "c@example.com", phone="12"),
            customer(5, "d@example.com", phone="030 901820"),  # of which country?
            customer(6, "e@example.com"),
        ]
    )
    words = [words for _, words in said(await practice.examine(), "data-customers")]
    assert "Among 6 customers looked at: 2 with a phone that is no valid number of their country." in words
    assert "Among 6 customers looked at: 2 with a phone that others have, too (shared phones: 1)." in words


async def test_guests_are_counted_and_those_of_them_who_have_an_account(practice: Practice) -> None:
    practice.shop["/v3/customers"] = rows([customer(1, "a@example.com")])
    practice.shop["/v2/orders"] = [
        order(1, "A@example.com"),
        order(2, "b@example.com"),
        order(3, "b@example.com"),
        order(4, ""),
        order(5, "a@example.com", customer_id=1),
    ]
    words = [words for _, words in said(await practice.examine(), "data-orders")]
    assert words == [
        "Among 5 newest orders looked at: 4 by guests (e-mail addresses: 2, "
        "of which 1 also belong to one of the customers looked at).",
        "Among 5 newest orders looked at: 1 with neither an account nor an e-mail address.",
    ]


async def test_incomplete_orders_are_counted_over_the_whole_store(practice: Practice) -> None:
    statuses = [{"id": 0, "count": 87}, {"id": 10, "count": 4413}]
    practice.shop["/v2/orders/count"] = {"count": 4500, "statuses": statuses}
    assert ("note", "Incomplete orders, which were never paid: 87 of 4,500.") in said(
        await practice.examine(), "data-orders"
    )


async def test_foreign_currencies_are_counted(practice: Practice) -> None:
    foreign = [order(n, customer_id=1, default_currency_code="EUR") for n in (1, 2)]
    practice.shop["/v2/orders"] = [*foreign, order(3, customer_id=1)]
    assert said(await practice.examine(), "data-orders") == [
        ("note", "Among 3 newest orders looked at: 2 paid in another currency than GBP (2 in EUR).")
    ]


async def test_rows_that_cannot_be_understood_are_counted(practice: Practice) -> None:
    practice.shop["/v3/customers"] = rows([customer(1, "a@example.com"), {"id": 2, "email": ["no"]}])
    assert said(await practice.examine(), "data-customers") == [
        ("note", "Among 2 customers looked at: 1 that cannot be understood.")
    ]


async def test_the_sample_is_four_pages_of_each(practice: Practice) -> None:
    def customers(params: dict[str, str]) -> Any:
        first = int(params.get("after", "0")) + 1
        page = [customer(n, f"{n}@example.com") for n in range(first, first + 250)]
        cursor = {"per_page": 250, "end_cursor": str(first + 249)}
        return {"data": page, "meta": {"pagination": {"total": 9000}, "cursor_pagination": cursor}}

    def orders(params: dict[str, str]) -> Any:
        start = 9000 - 250 * int(params["page"])
        return [order(n, f"{n}@example.com") for n in range(start + 250, start, -1)]

    practice.shop |= {"/v3/customers": customers, "/v2/orders": orders}
    report = await practice.examine()
    assert said(report, "data-customers") == [("fine", "Nothing unusual among 1,000 customers looked at.")]
    assert said(report, "data-orders")[0][1].startswith(
        "Among 1,000 newest orders looked at: 1,000 by guests"
    )
    paths = [path for _, path in practice.asked]
    assert (paths.count("/v3/customers"), paths.count("/v2/orders")) == (4, 4)


async def test_no_finding_holds_a_personal_datum(practice: Practice) -> None:
    people = [
        customer(1, "jane.roe@example.com", phone="+49 30 901820", first_name="Jane"),
        customer(2, "JANE.ROE@example.com", phone="+49 30 901820", first_name="Jane"),
        customer(3, "jane roe", phone="0000000", first_name="Jane"),
    ]
    practice.shop |= {
        "/v3/customers": rows(people),
        "/v2/orders": [order(1, "jane.roe@example.com"), order(2, "john@example.com")],
        "/v3/hooks": refusal(422, "jane.roe@example.com is wrong"),
    }
    practice.brevo["/contacts/lists"] = httpx.Response(
        400, json={"message": "jane.roe@example.com: +4930901820"}
    )
    told = str((await practice.examine()).summary())
    assert not re.search(r"jane|john|@|901820|0000000", told, re.IGNORECASE), told


# Storefronts

CHANNELS = [
    {"id": 1, "name": "Main", "type": "storefront", "status": "active"},
    {"id": 7, "name": "Outlet", "type": "storefront", "status": "prelaunch"},
    {"id": 8, "name": "Till", "type": "pos", "status": "connected"},
    {"id": 9, "name": "Old", "type": "storefront", "status": "archived"},
]
SITES = [{"id": 1000, "channel_id": 1, "url": "https://main.example.com"}]


async def test_storefronts_are_proposed_ready_to_paste(practice: Practice) -> None:
    practice.shop |= {"/v3/channels": rows(CHANNELS), "/v3/sites": rows(SITES)}
    report = await practice.examine()
    assert (report.exit_code, only(report, "storefronts")[0]) == (0, "note")
    assert report.storefronts == (
        "    storefronts:\n"
        "      1: # Main, https://main.example.com\n"
        '        lists: ["Main customers"]\n'
        "      7: # Outlet\n"
        '        lists: ["Outlet customers"]\n'
    )


NAMES = [
    "Main: the # 1",
    'Say "hi"',
    "${HOME} & co",
    "a\nb\u2028c\x07",
    "Käse 🧀",
    "",
    "- x",
    "{a: b}",
    "\\n",
]


@pytest.mark.parametrize("name", NAMES)
async def test_the_proposal_loads_under_a_connector(practice: Practice, name: str) -> None:
    channels = [
        {"id": 1, "name": name, "type": "storefront"},
        {"id": 7, "name": "Outlet", "type": "storefront"},
    ]
    practice.shop |= {"/v3/channels": rows(channels), "/v3/sites": rows(SITES)}
    report = await practice.examine()
    text = (
        "brevo: {api_key: k}\nconnectors:\n  bigcommerce:\n    store_hash: abc123\n    access_token: t\n"
        f"{report.storefronts}consent: skip\n"
    )
    path = Path("pasted.yaml")
    path.write_text(text, encoding="utf-8")
    settings = config.load(path, {})
    found = settings.connectors["bigcommerce"].storefronts
    assert set(found) == {1, 7}
    assert found[7].lists == ("Outlet customers",)
    ((list_name,),) = [found[1].lists]
    assert str(list_name).endswith(" customers")
    assert settings.connectors["bigcommerce"].consent == "skip"


async def test_one_storefront_needs_no_proposal(practice: Practice) -> None:
    practice.shop["/v3/channels"] = rows([CHANNELS[0], CHANNELS[2], CHANNELS[3]])
    assert (await practice.examine()).storefronts == ""


async def test_storefronts_that_are_configured_are_not_proposed_again(practice: Practice) -> None:
    practice.shop |= {"/v3/channels": rows(CHANNELS), "/v3/sites": rows(SITES)}
    report = await practice.examine(LISTS + "storefronts: {1: {lists: [2]}}\n")
    assert "Outlet" in report.storefronts
    assert "Main" not in report.storefronts
    report = await practice.examine(LISTS + "storefronts: {1: {lists: [2]}, 7: {lists: [3]}}\n")
    assert report.storefronts == ""


# The document


def test_the_document_has_every_check_and_no_other() -> None:
    text = DOC.read_text(encoding="utf-8")
    written = re.findall(r"^\| [^|]* \| `([a-z-]+)` \|", text, re.MULTILINE)
    assert set(written) == {check.id for check in CHECKS}


def test_checks_need_only_what_comes_before_them() -> None:
    met: set[str] = set()
    for check in CHECKS:
        assert check.id not in met
        assert met >= set(check.needs)
        met.add(check.id)
