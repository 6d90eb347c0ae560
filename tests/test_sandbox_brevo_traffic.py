"""How the simulated Brevo behaves as a server: limits, bad weather, webhooks, the back door, the SDK."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from brevo import Brevo as OfficialClient
from brevo.core.api_error import ApiError

from tajo.sandbox.brevo import Faults, Tier
from tajo.sandbox.brevo.limits import Limits

from .test_sandbox_brevo import Brevo, refused


@pytest.fixture
async def brevo() -> AsyncIterator[Brevo]:
    made = Brevo()
    yield made
    await made.client.aclose()
    await made.app.state.account.agenda.close()


class Receiver:
    """The other end of webhooks: keeps what arrives, answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.statuses: list[int | None] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise httpx.ReadTimeout("too slow", request=request)
        return httpx.Response(status)

    def payloads(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def rates(response: httpx.Response) -> tuple[int, int, int]:
    names = ("limit", "remaining", "reset")
    limit, remaining, reset = (int(response.headers[f"x-sib-ratelimit-{name}"]) for name in names)
    return limit, remaining, reset


class TestLimits:
    async def test_contacts_have_ten_a_second(self) -> None:
        brevo = Brevo(tier="general")
        answers = [await brevo("GET", "/contacts") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert rates(answers[0]) == (10, 9, 1)
        assert rates(answers[-1]) == (10, 0, 1)
        assert "retry-after" not in answers[-1].headers
        await brevo.clock.advance(1)
        assert (await brevo("GET", "/contacts/lists")).status_code == 200

    def test_the_hour_binds_too(self) -> None:
        limits = Limits(Tier.EXTENDED)
        assert all(limits.admit("POST", "/products", now=0.0).allowed for _ in range(21_600))
        verdict = limits.admit("POST", "/products", now=1_000.0)
        assert not verdict.allowed
        assert list(verdict.headers.values()) == ["21600", "0", "2600"]
        assert limits.admit("POST", "/products", now=3_600.0).allowed

    async def test_unlisted_routes_share_a_hundred_an_hour(self) -> None:
        brevo = Brevo(tier="general")
        for path in ("/account", "/processes", "/webhooks", "/products") * 25:
            assert (await brevo("GET", path)).status_code == 200
        refusal = await brevo("POST", "/orders/status/batch", {"orders": []})
        refused(refusal, 429, "too_many_requests")
        assert rates(refusal) == (100, 0, 3600)
        assert (await brevo("POST", "/products", {"id": "1", "name": "One"})).status_code == 201

    @pytest.mark.parametrize(
        ("tier", "limits"),
        [
            ("general", (10, 5, 2, 100)),
            ("advanced", (20, 10, 4, 200)),
            ("extended", (60, 15, 21_600, 600)),
        ],
    )
    async def test_tiers(self, tier: str, limits: tuple[int, ...]) -> None:
        brevo = Brevo(tier=tier)
        for (method, path), limit in zip(
            [("GET", "/contacts"), ("POST", "/orders/status"), ("POST", "/products"), ("GET", "/account")],
            limits,
            strict=True,
        ):
            assert rates(await brevo(method, path, {}))[0] == limit

    async def test_unlimited_says_nothing(self, brevo: Brevo) -> None:
        assert not [name for name in (await brevo("GET", "/contacts")).headers if "ratelimit" in name]


class TestBadWeather:
    async def test_a_storm_of_429(self) -> None:
        brevo = Brevo(tier="general", faults=Faults(seed=3, storm=0.2, storm_length=2))
        statuses = [(await brevo("GET", "/contacts")).status_code for _ in range(10)]
        assert "429, 429, 429" in ", ".join(map(str, statuses))

    async def test_errors_may_have_odd_or_empty_bodies(self) -> None:
        brevo = Brevo(faults=Faults(server_error=1.0))
        answers = [await brevo("POST", "/contacts", {"email": "a@example.com"}) for _ in range(30)]
        assert {answer.status_code for answer in answers} == {500, 502, 503, 524}
        assert b"" in {answer.content for answer in answers}
        assert (await brevo.control("GET", "contacts")).text == "", "nothing was applied"

    async def test_a_connection_may_be_cut_after_the_write(self) -> None:
        brevo = Brevo(faults=Faults(dropped=1.0))
        with pytest.raises(httpx.RemoteProtocolError):
            await brevo("POST", "/contacts", {"email": "a@example.com"})
        assert "a@example.com" in (await brevo.control("GET", "contacts")).text
        assert (await brevo.control("GET", "outbox")).json()["requests"][0]["status"] == 0

    async def test_an_error_may_hide_a_write(self) -> None:
        brevo = Brevo(faults=Faults(late_error=1.0))
        assert (await brevo("POST", "/contacts", {"email": "a@example.com"})).status_code >= 500
        assert "a@example.com" in (await brevo.control("GET", "contacts")).text

    async def test_contacts_may_be_too_early(self) -> None:
        brevo = Brevo(faults=Faults(too_early=1.0))
        refused(await brevo("POST", "/contacts", {"email": "a@example.com"}), 425, "account_in_process")

    async def test_answers_may_be_slow(self) -> None:
        brevo = Brevo(faults=Faults(slow=1.0, slow_seconds=30.0))
        answer = asyncio.create_task(brevo("GET", "/account"))
        await brevo.clock.advance(29)
        assert not answer.done()
        await brevo.clock.advance(1)
        assert (await answer).status_code == 200

    async def test_the_same_seed_brings_the_same_weather(self) -> None:
        async def statuses(seed: int) -> list[int]:
            brevo = Brevo(faults=Faults(seed=seed, storm=0.1, server_error=0.1))
            return [(await brevo("GET", "/account")).status_code for _ in range(50)]

        assert await statuses(7) == await statuses(7) != await statuses(8)

    async def test_a_patient_client_gets_through_mild_weather(self) -> None:
        brevo = Brevo(faults=Faults.mild(1))
        await brevo.control("POST", "faults", {"slow": 0})
        created = 0
        for number in range(300):
            for _ in range(10):
                try:
                    body = {"email": f"{number}@example.com", "updateEnabled": True}
                    status = (await brevo("POST", "/contacts", body)).status_code
                except httpx.RemoteProtocolError:
                    continue
                if status < 300:
                    created += 1
                    break
        assert created == 300

    async def test_weather_changes_on_request(self, brevo: Brevo) -> None:
        await brevo.control("POST", "faults", {"server_error": 1.0})
        assert (await brevo("GET", "/account")).status_code >= 500
        await brevo.control("POST", "faults", {})
        assert (await brevo("GET", "/account")).status_code == 200
        assert (await brevo.control("POST", "faults", {"frogs": 1})).status_code == 400


def webhook(*events: str, **more: Any) -> dict[str, Any]:
    return {"url": "http://shop.test/hook", "type": "marketing", "events": list(events), **more}


class TestWebhooks:
    async def test_crud_and_the_limit_of_forty(self, brevo: Brevo) -> None:
        assert (await brevo("POST", "/webhooks", webhook("unsubscribed"))).json() == {"id": 1}
        await brevo("PUT", "/webhooks/1", {"description": "ours"})
        assert (await brevo("GET", "/webhooks/1")).json()["description"] == "ours"
        refused(await brevo("POST", "/webhooks", webhook("listening")), 400, "invalid_parameter")
        refused(await brevo("POST", "/webhooks", webhook()), 400, "missing_parameter")
        refused(
            await brevo("POST", "/webhooks", {**webhook("spam"), "url": "shop"}), 400, "invalid_parameter"
        )
        for _ in range(39):
            assert (await brevo("POST", "/webhooks", webhook("unsubscribed"))).status_code == 201
        refused(await brevo("POST", "/webhooks", webhook("unsubscribed")), 400, "out_of_range")
        assert (await brevo("DELETE", "/webhooks/1")).status_code == 204
        refused(await brevo("GET", "/webhooks/1"), 404, "document_not_found")

    async def test_an_unsubscription_is_told_with_the_webhooks_credentials(self) -> None:
        receiver = Receiver()
        brevo = Brevo(outgoing=receiver.transport)
        await brevo(
            "POST",
            "/webhooks",
            webhook(
                "unsubscribed",
                auth={"type": "bearer", "token": "secret"},
                headers=[{"key": "x-shop", "value": "1"}],
            ),
        )
        await brevo("POST", "/contacts", {"email": "ada@example.com", "listIds": [2]})
        assert (await brevo.control("POST", "unsubscribe", {"email": "ADA@example.com"})).status_code == 204
        await brevo.clock.advance(0)
        (request,), (payload,) = receiver.requests, receiver.payloads()
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["x-shop"] == "1"
        assert payload["event"] == "unsubscribe"
        assert payload["email"] == "ada@example.com"
        assert payload["campaign name"]
        assert payload["list_id"] == [2]
        assert payload["ts_event"] == int(brevo.clock.now())
        assert (await brevo.contact("ada@example.com"))["emailBlacklisted"] is True

    async def test_our_own_writes_come_back(self) -> None:
        receiver = Receiver()
        brevo = Brevo(outgoing=receiver.transport)
        await brevo("POST", "/webhooks", webhook("contactUpdated", "contactDeleted", "listAddition"))
        await brevo("POST", "/contacts", {"email": "ada@example.com", "listIds": [2]})
        await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": "Ada"}})
        await brevo("PUT", "/contacts/1", {"emailBlacklisted": True})
        await brevo("DELETE", "/contacts/1")
        await brevo.clock.advance(0)
        added, named, blocked, deleted = receiver.payloads()
        assert (added["event"], added["list_id"]) == ("list_addition", [2])
        assert named["content"] == [
            {"email": "ada@example.com", "list": {}, "attributes": {"FIRSTNAME": "Ada"}}
        ]
        assert "email" not in named
        assert named["api_key_name"] != ""
        assert named["date"].endswith("Z")
        assert blocked["content"][0]["emailBlacklist"] is True
        assert " " in blocked["date"], "two date formats, and this one is Paris time"
        assert (deleted["event"], deleted["email"]) == ("contact_deleted", "ada@example.com")

    @pytest.mark.parametrize(
        ("statuses", "seconds", "requests"),
        [
            ([429, None, 429, None, 429], 45_000, 5),
            ([429, 200], 45_000, 2),
            ([429], 599, 1),
            ([500], 45_000, 1),
            ([503], 45_000, 1),
            ([404], 45_000, 1),
        ],
    )
    async def test_only_timeouts_and_429_are_tried_again(
        self, statuses: list[int | None], seconds: float, requests: int
    ) -> None:
        receiver = Receiver()
        receiver.statuses = statuses
        brevo = Brevo(outgoing=receiver.transport)
        await brevo("POST", "/webhooks", webhook("contactDeleted"))
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        await brevo("DELETE", "/contacts/1")
        await brevo.clock.advance(seconds)
        assert len(receiver.requests) == requests

    async def test_batches_wait_five_minutes_and_hold_five_hundred(self) -> None:
        receiver = Receiver()
        brevo = Brevo(outgoing=receiver.transport)
        await brevo("POST", "/webhooks", webhook("contactUpdated", batched=True))
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        for number in range(501):
            await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": f"Ada {number}"}})
        await brevo.clock.advance(299)
        assert receiver.requests == []
        await brevo.clock.advance(1)
        assert [len(payload) for payload in receiver.payloads()] == [500, 1]

    async def test_an_import_calls_back(self) -> None:
        receiver = Receiver()
        brevo = Brevo(outgoing=receiver.transport)
        await brevo.imported([{"email": "a@example.com"}], notifyUrl="http://shop.test/done")
        assert receiver.payloads() == [{"processId": 1}]

    async def test_an_import_fetches_its_file(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            return httpx.Response(
                404 if "nothing" in request.url.path else 200, text="EMAIL\na@example.com\n"
            )

        brevo = Brevo(outgoing=httpx.MockTransport(answer))
        assert (await brevo.imported(fileUrl="http://shop.test/people.csv"))["status"] == "completed"
        assert (await brevo("GET", "/contacts")).json()["count"] == 1
        assert (await brevo.imported(fileUrl="http://shop.test/nothing.csv"))["status"] == "failed"


class TestTheBackDoor:
    async def test_it_tells_what_came(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "a@example.com"})
        await brevo("GET", "/contacts", limit=1)
        first, second = (await brevo.control("GET", "outbox")).json()["requests"]
        assert (first["method"], first["path"], first["status"], first["bytes"]) == (
            "POST",
            "/v3/contacts",
            201,
            25,
        )
        assert second["query"] == "limit=1"
        assert (await brevo.control("GET", "outbox?since=1")).json()["requests"] == [second]
        counts = (await brevo.control("GET", "counts")).json()
        assert counts["routes"] == {"GET /v3/contacts": 1, "POST /v3/contacts": 1}
        bodies = (await brevo.control("GET", "bodies?last=2")).json()["bodies"]
        assert [item["body"] for item in bodies] == [{"email": "a@example.com"}, None]

    async def test_dumps_are_sorted_and_free_of_accidents(self) -> None:
        people = [{"email": f"{name}@example.com", "listIds": [2]} for name in ("b", "a")]
        dumps = []
        for order in (people, people[::-1]):
            brevo = Brevo()
            await brevo.control("POST", "contacts", order)
            dumps.append((await brevo.control("GET", "contacts")).text)
            await brevo.clock.advance(100)
        assert dumps[0] == dumps[1]
        assert json.loads(dumps[0].splitlines()[0]) == {
            "email": "a@example.com",
            "ext_id": None,
            "attributes": {},
            "listIds": [2],
            "emailBlacklisted": False,
            "smsBlacklisted": False,
        }

    @pytest.mark.parametrize("path", ["outbox?since=x", "bodies?last=1001"])
    async def test_nonsense_is_refused_with_a_reason(self, brevo: Brevo, path: str) -> None:
        answer = await brevo.control("GET", path)
        assert answer.status_code == 400
        assert answer.json()["error"]


Served = tuple[str, str]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start the simulator as its own process; gives its URL and key."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Served:
        command = [sys.executable, "-m", "tajo.sandbox.brevo", "--time-scale", "0.1", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        return line["url"], line["api_key"]

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


class TestServed:
    def test_the_official_sdk_works_against_it(self, serve: Callable[..., Served]) -> None:
        url, key = serve("--tier", "unlimited")
        with httpx.Client() as http:
            brevo = OfficialClient(api_key=key, base_url=url, httpx_client=http)
            assert brevo.account.get_account().email == "owner@sandbox.example"
            brevo.contacts.create_attribute("normal", "ORDERS", type="float")
            folder = brevo.contacts.create_folder(name="Shop").id
            made = brevo.contacts.create_list(name="Customers", folder_id=folder).id
            created = brevo.contacts.create_contact(
                email="ada@example.com", ext_id="1", list_ids=[made], attributes={"ORDERS": 2}
            )
            assert created is not None
            brevo.contacts.update_contact("1", identifier_type="ext_id", attributes={"FIRSTNAME": "Ada"})
            assert brevo.contacts.get_contact_info("ada%40example.com").list_ids == [made]
            process = brevo.contacts.import_contacts(
                json_body=[{"email": "bob@example.com", "attributes": {"FIRSTNAME": "Bob"}}],
                list_ids=[made],
                disable_notification=True,
            ).process_id
            for _ in range(1000):
                if brevo.process.get_process(process).status == "completed":
                    break
            listed = brevo.contacts.get_contacts_from_list(made, limit=500)
            assert {contact.email for contact in listed.contacts} == {"ada@example.com", "bob@example.com"}
            brevo.ecommerce.create_update_product(id="p1", name="Lamp", price=9.5)
            brevo.ecommerce.create_order(
                id="1",
                created_at="2026-01-01T00:00:00Z",
                updated_at="2026-01-01T00:00:00Z",
                status="completed",
                amount=9.5,
                products=[{"productId": "p1", "price": 9.5, "quantity": 1}],
                identifiers={"email_id": "ada@example.com"},
            )
            assert brevo.ecommerce.get_products().count == 1
            brevo.event.create_event(event_name="cart_updated", identifiers={"email_id": "ada@example.com"})
            assert brevo.event.get_events().count == 1
            with pytest.raises(ApiError) as caught:
                brevo.contacts.update_contact("nobody%40example.com", attributes={})
            assert caught.value.status_code == 404

    def test_a_cut_connection_is_really_cut(self, serve: Callable[..., Served]) -> None:
        url, key = serve("--faults", "1")
        with httpx.Client(headers={"api-key": key}) as http:
            http.post(
                url.replace("/v3", "/_sandbox/faults"), json={"dropped": 1.0, "server_error": 0, "storm": 0}
            )
            with pytest.raises(httpx.RemoteProtocolError):
                http.post(f"{url}/contacts", json={"email": "a@example.com"})

    def test_flags(self, serve: Callable[..., Served]) -> None:
        url, key = serve("--language", "fr", "--without-ecommerce")
        with httpx.Client(headers={"api-key": key}) as http:
            assert "PRENOM" in http.get(f"{url}/contacts/attributes").text
            assert http.get(f"{url}/products").status_code == 403

    @pytest.mark.parametrize("options", [["--tier", "gold"], ["--port", "70000"], ["--language", "de"]])
    def test_bad_options_are_named(self, options: list[str]) -> None:
        command = [sys.executable, "-m", "tajo.sandbox.brevo", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2
        assert options[0] in done.stderr
        assert done.stdout == ""

    def test_a_taken_port_is_said(self, serve: Callable[..., Served]) -> None:
        port = serve()[0].split(":")[2].removesuffix("/v3")
        command = [sys.executable, "-m", "tajo.sandbox.brevo", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert port in done.stderr
