"""Strangers at the API and the dashboard: forged origins, other people's addresses, bodies without end.

The doors for webhooks, links and wishes have their own: tests/journeys/test_attack_on_public_doors.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tajo import config
from tajo.access import Doorkeeper, Scope
from tajo.app import Tajo
from tajo.live import may_call
from tajo.web import open_faces, patience
from tajo.web.callers import COOKIE
from tajo.wiring import open_wiring

KEY = "of-the-tests"
ENV = {"BREVO_API_KEY": "x", "BC_STORE_HASH": "abc123", "BC_ACCESS_TOKEN": "t", "TAJO_SECRET_KEY": "s" * 32}
REPLAY = "/v1/connectors/bigcommerce/failures/replay"
NOTICE = "/v1/connectors/bigcommerce/webhooks/received"
BODY = {"topic": "store/order/created", "payload": {"id": 7}}


class House:
    def __init__(self, keeper: Doorkeeper, client: httpx.AsyncClient, app: Any) -> None:
        self.keeper = keeper
        self.client = client
        self.app = app

    async def session(self) -> str:
        token = await self.keeper.setup_token()
        assert token is not None
        return await self.keeper.set_up(token, "ada", "violet ladder harbour")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    env = {**ENV, "TAJO_DATABASE_URL": f"sqlite:///{tmp_path}/t.db"}
    settings = config.load(None, env)
    async with open_wiring(settings, env) as wiring:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=KEY)
        allowed = partial(may_call, settings.model_copy(update={"server": PUBLIC}), "127.0.0.1")
        async with open_faces(Tajo(wiring), keeper, may_call=allowed, hosts={"tajo.example"}) as app:
            transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="https://tajo.example") as client:
                yield House(keeper, client, app)


PUBLIC = config.load(None, {**ENV}).server.model_copy(update={"public_url": "https://tajo.example"})


class TestOtherPages:
    """A page of somebody else's, in a browser whose owner is signed in here."""

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "https://tajo.example.evil.example"},
            {"origin": "https://tajo.example", "sec-fetch-site": "cross-site"},
        ],
    )
    async def test_they_change_nothing(self, house: House, headers: dict[str, str]) -> None:
        house.client.cookies.set(COOKIE, await house.session())
        answer = await house.client.post(NOTICE, json=BODY, headers=headers)
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "headers", [{"sec-fetch-site": "same-origin"}, {"origin": "https://tajo.example"}]
    )
    async def test_ours_may(self, house: House, headers: dict[str, str]) -> None:
        house.client.cookies.set(COOKIE, await house.session())
        assert (await house.client.post(NOTICE, json=BODY, headers=headers)).status_code == 202

    async def test_a_key_needs_no_page(self, house: House) -> None:
        answer = await house.client.post(NOTICE, json=BODY, headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 202


class TestKeys:
    async def test_a_key_does_what_its_scope_allows_and_no_more(self, house: House) -> None:
        expected = {Scope.READ: (200, 403, 403), Scope.WRITE: (200, 202, 403), Scope.ADMIN: (200, 202, 422)}
        for scope, statuses in expected.items():
            _, key = await house.keeper.make_key("program", scope)
            headers = {"authorization": f"Bearer {key}"}
            told = [
                (await house.client.get("/v1/connectors", headers=headers)).status_code,
                (await house.client.post(NOTICE, json=BODY, headers=headers)).status_code,
                (await house.client.post("/v1/forget", json={"email": "x"}, headers=headers)).status_code,
            ]
            assert tuple(told) == statuses

    async def test_guesses_must_wait_and_whoever_has_one_need_not(self, house: House) -> None:
        statuses = [
            (await house.client.get("/v1/runs", headers={"authorization": f"Bearer {n}"})).status_code
            for n in range(30)
        ]
        assert statuses[:20] == [401] * 20
        assert set(statuses[22:]) == {429}
        answer = await house.client.get("/v1/runs", headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200

    async def test_one_that_asks_without_end_is_slowed_down(self, house: House) -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        statuses = [(await house.client.get("/v1/runs", headers=headers)).status_code for _ in range(400)]
        assert 429 in statuses


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1",
        "https://127.0.0.1:5432",
        "http://127.0.0.1:6379",
        "https://localhost",
        "https://[::1]",
        "https://api.bigcommerce.com.evil.example",
        "https://api.bigcommerce.com@evil.example",
        "https://intranet.example",
    ],
)
async def test_no_caller_has_the_server_call_an_address_of_theirs(
    house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def called(*_: Any, **__: Any) -> None:
        raise AssertionError("the address was called")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", called)
    body = {"store_hash": "abc123", "access_token": "t", "api_url": url}
    headers = {"authorization": f"Bearer {KEY}"}
    answer = await house.client.post("/v1/connectors/other/connect", json=body, headers=headers)
    assert answer.status_code == 422
    assert url not in answer.text


JSON = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


class TestBodies:
    async def test_one_without_end_is_not_read(self, house: House) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 65_536
                yield b" " * 65_536

        answer = await house.client.post(NOTICE, content=endless(), headers=JSON)
        assert answer.status_code == 413
        assert sent < 3_000_000

    async def test_one_that_does_not_come_is_not_waited_for(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(patience, "SECONDS", 0.05)

        async def dripping() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        answer = await house.client.post(NOTICE, content=dripping(), headers=JSON)
        assert answer.status_code == 408

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'{"topic": 7}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000]
    )
    async def test_garbage_is_refused_in_a_sentence(self, house: House, body: bytes) -> None:
        answer = await house.client.post(NOTICE, content=body, headers=JSON)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connectors/..%2f..%2fetc%2fpasswd/status",
        "/v1/connectors/%2e%2e/status",
        "/v1/runs/..%5c..%5ctajo.db",
        "/v1/runs/%00",
        "/v1/connectors/a%0d%0aset-cookie:%20x=1/status",
        "/v1/connectors/%ff%fe/status",
        "/v1/connectors/" + "x" * 5000 + "/status",
        "/v1/connectors/bigcommerce/preview/customer/99999999999999999999999",
        "/v1/connectors/bigcommerce/preview/customer/-1",
        "/..%2f..%2ftajo.yaml",
    ],
)
async def test_odd_paths_lead_nowhere(house: House, path: str) -> None:
    answer = await house.client.get(path, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code in (400, 404, 422)
    assert "set-cookie" not in answer.headers
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "tajo.example.evil.example", "10.0.0.1", ""])
async def test_another_name_that_points_here_is_not_ours(house: House, host: str) -> None:
    answer = await house.client.get("/openapi.json", headers={"host": host})
    assert answer.status_code == 400
    assert (await house.client.get("/openapi.json")).status_code == 200


async def test_browsers_are_told_to_be_careful(house: House) -> None:
    for path, key in (("/v1/connectors", KEY), ("/v1/connectors", "wrong"), ("/nowhere", KEY)):
        answer = await house.client.get(path, headers={"authorization": f"Bearer {key}"})
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


async def test_a_session_or_a_key_of_somebody_else_is_none(house: House) -> None:
    session = await house.session()
    for text in (session[:-1], session.upper(), "", "null"):
        answer = await house.client.get("/v1/connectors", headers={"cookie": f"{COOKIE}={text}"})
        assert answer.status_code == 401
    answer = await house.client.get("/v1/connectors", headers={"authorization": f"Bearer {session}"})
    assert answer.status_code == 401
