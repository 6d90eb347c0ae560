"""What is thanked for is on disk; whoever is not believed learns nothing; nobody holds our memory."""

from __future__ import annotations

import asyncio
import hmac
import json
import signal
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tajo.bigcommerce.callbacks import SECRET_HEADER
from tajo.bigcommerce.callbacks import Trust as StoreTrust
from tajo.brevo.callbacks import Trust as BrevoTrust
from tajo.brevo.callbacks import Unsubscribe
from tajo.errors import Later, Mend
from tajo.server import BrevoDoor, Door, bodies, make_app, serve
from tajo.sync.ledger.inbox import Inbox, open_inbox
from tajo.sync.ledger.queue import due_keys
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Key, Notice, Resource

NOW = 1_700_000_000.0
SHOP = StoreTrust(producer="stores/abc123", secret="the header's secret", client_secret="client secret")
OTHER = StoreTrust(producer="stores/xyz789", secret="the header's secret")
PATH = "/webhooks/bigcommerce"
ORDER = {
    "scope": "store/order/created",
    "store_id": "1025646",
    "data": {"type": "order", "id": 250},
    "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d",
    "created_at": NOW - 3,
    "producer": "stores/abc123",
}
LEFT = {"event": "unsubscribe", "email": "Ann@Example.com", "ts_event": NOW, "id": 7}


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await open_ledger(
        f"sqlite:///{tmp_path}/t.db", Secret(b"a secret for tests, and for nothing else")
    )
    yield opened
    await opened.close()


@pytest.fixture
async def inbox(ledger: Ledger) -> AsyncIterator[Inbox]:
    async with open_inbox(ledger, lambda _connector: None) as opened:
        yield opened


class Full(Inbox):
    """An inbox whose disk is full."""

    def __init__(self) -> None:
        pass

    async def take(self, connector: str, notice: Notice) -> None:
        raise Later("the ledger cannot take notices: database or disk is full")


class Broken(Inbox):
    """An inbox with a mistake in it."""

    def __init__(self) -> None:
        pass

    async def take(self, connector: str, notice: Notice) -> None:
        raise ValueError("ann@example.com")


class People:
    """Who unsubscribed; `trouble` is raised instead of keeping them."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.kept: list[Unsubscribe] = []
        self.trouble = trouble

    async def keep(self, people: list[Unsubscribe]) -> None:
        if self.trouble:
            raise self.trouble
        self.kept += people


def app_of(inbox: Inbox, people: People | None = None, **doors: Door) -> Any:
    async def ready() -> bool:
        return True

    brevo = BrevoDoor(BrevoTrust("token"), people.keep) if people else None
    return make_app(doors or {"shop": Door(SHOP)}, brevo, inbox, ready, now=lambda: NOW)


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tajo.example") as client:
        yield client


async def post(
    app: Any, path: str, body: Any, *, secret: str | None = SHOP.secret, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {name.replace("_", "-"): text for name, text in headers.items()}
    if secret is not None:
        said[SECRET_HEADER] = secret
    async with client_of(app) as client:
        return await client.post(path, content=content, headers=httpx.Headers(said, "latin-1"))


def signed(body: bytes, key: str = "client secret") -> dict[str, str]:
    proof = hmac.digest(key.encode(), b"msg_1.%d." % NOW + body, "sha256")
    return {
        "webhook_id": "msg_1",
        "webhook_timestamp": f"{NOW:.0f}",
        "webhook_signature": f"v1,{b64encode(proof).decode()}",
    }


async def due(ledger: Ledger, connector: str = "shop") -> list[Key]:
    async with ledger.begin() as tx:
        return list(await due_keys(tx, connector, list(Resource), now=4e9, limit=99))


# -- BigCommerce


@pytest.mark.parametrize("path", [PATH, f"{PATH}/shop", f"{PATH}/shop/exceptions"])
async def test_a_believed_callback_is_on_disk_and_thanked_for_with_nothing(
    ledger: Ledger, inbox: Inbox, path: str
) -> None:
    answer = await post(app_of(inbox), path, ORDER)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await due(ledger) == [Key(Resource.ORDERS, 250)]


async def test_a_signature_that_holds_is_believed_and_one_that_does_not_is_not(
    ledger: Ledger, inbox: Inbox
) -> None:
    body = json.dumps(ORDER).encode()
    assert (await post(app_of(inbox), PATH, body, **signed(body, "guessed"))).status_code == 401
    assert await due(ledger) == []
    assert (await post(app_of(inbox), PATH, body, **signed(body))).status_code == 200
    assert await due(ledger) == [Key(Resource.ORDERS, 250)]


@pytest.mark.parametrize("secret", [None, "", "guessed", "the header's secret "[::-1], "sécret"])
async def test_without_the_secret_nothing_is_believed(
    ledger: Ledger, inbox: Inbox, secret: str | None
) -> None:
    for path in (PATH, f"{PATH}/shop"):
        assert (await post(app_of(inbox), path, ORDER, secret=secret)).status_code == 401
    assert await due(ledger) == []


async def test_a_door_without_a_secret_lets_nobody_in(ledger: Ledger, inbox: Inbox) -> None:
    app = app_of(inbox, shop=Door(StoreTrust(producer="stores/abc123", secret="")))
    assert [(await post(app, PATH, ORDER, secret=secret)).status_code for secret in (None, "")] == [401, 401]
    assert await due(ledger) == []


async def test_another_stores_callback_is_not_believed(ledger: Ledger, inbox: Inbox) -> None:
    answer = await post(app_of(inbox), PATH, ORDER | {"producer": "stores/evil"})
    assert answer.status_code == 401
    assert await due(ledger) == []


async def test_of_several_connectors_the_producer_says_whose_it_is(ledger: Ledger, inbox: Inbox) -> None:
    app = app_of(inbox, one=Door(SHOP), two=Door(OTHER))
    statuses = [
        (await post(app, PATH, ORDER | {"producer": producer})).status_code
        for producer in ("stores/xyz789", "stores/nobody")
    ]
    assert statuses == [200, 401]
    assert (await post(app, PATH, {"no": "producer"})).status_code == 400
    assert (await post(app, f"{PATH}/one", ORDER | {"producer": "stores/xyz789"})).status_code == 401
    assert (await due(ledger, "one"), await due(ledger, "two")) == ([], [Key(Resource.ORDERS, 250)])


async def test_the_secret_of_one_store_opens_no_other(ledger: Ledger, inbox: Inbox) -> None:
    app = app_of(inbox, one=Door(SHOP), two=Door(StoreTrust(producer="stores/xyz789", secret="another")))
    for path in (PATH, f"{PATH}/two"):
        answer = await post(app, path, ORDER | {"producer": "stores/xyz789"})
        assert answer.status_code == 401
    assert await due(ledger, "two") == []


async def test_a_scope_that_nobody_knows_is_thanked_for(ledger: Ledger, inbox: Inbox) -> None:
    answer = await post(app_of(inbox), PATH, ORDER | {"scope": "store/something/new"})
    assert answer.status_code == 200
    assert await due(ledger) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"scope": "store/order/created"}', b"\xff"])
async def test_what_is_no_callback_is_malformed(inbox: Inbox, body: bytes) -> None:
    assert (await post(app_of(inbox), PATH, body)).status_code == 400


async def test_a_ledger_that_cannot_take_it_is_said_so_that_the_store_tries_again() -> None:
    answer = await post(app_of(Full()), PATH, ORDER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


# -- Brevo


@pytest.mark.parametrize("body", [LEFT, [LEFT], {"events": [LEFT]}])
async def test_unsubscribes_are_kept_before_brevo_is_thanked(inbox: Inbox, body: Any) -> None:
    people = People()
    answer = await post(app_of(inbox, people), "/webhooks/brevo", body, authorization="Bearer token")
    assert (answer.status_code, answer.content) == (200, b"")
    assert people.kept == [Unsubscribe("ann@example.com", NOW)]


async def test_other_news_of_brevo_is_thanked_for(inbox: Inbox) -> None:
    people = People(trouble=Later("never asked"))
    answer = await post(
        app_of(inbox, people), "/webhooks/brevo", {"event": "click"}, authorization="Bearer token"
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic token"])
async def test_brevo_must_know_the_token(inbox: Inbox, authorization: str) -> None:
    people = People()
    answer = await post(app_of(inbox, people), "/webhooks/brevo", LEFT, authorization=authorization)
    assert answer.status_code == 401
    assert people.kept == []


@pytest.mark.parametrize("trouble", [Later("full"), Mend("broken"), OSError("no such thing")])
async def test_brevo_never_hears_of_our_troubles_as_anything_but_too_many(
    inbox: Inbox, trouble: Exception
) -> None:
    app = app_of(inbox, People(trouble))
    answer = await post(app, "/webhooks/brevo", LEFT, authorization="Bearer token")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


async def test_what_brevo_does_not_send_is_malformed(inbox: Inbox) -> None:
    answer = await post(app_of(inbox, People()), "/webhooks/brevo", b"{", authorization="Bearer token")
    assert answer.status_code == 400


async def test_without_a_door_for_brevo_there_is_none(inbox: Inbox) -> None:
    answer = await post(app_of(inbox), "/webhooks/brevo", LEFT, authorization="Bearer token")
    assert answer.status_code == 404


# -- bodies


async def raw(
    app: Any, messages: Sequence[dict[str, Any]], headers: dict[str, str], path: str = PATH
) -> tuple[int, int]:
    """The status, and how many of the messages were asked for; after the last the client stalls."""
    asked = 0
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked == len(messages):
            await asyncio.Event().wait()
        asked += 1
        return messages[asked - 1]

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    await app(scope, receive, send)
    return answers[0]["status"], asked


def chunks(size: int, count: int) -> list[dict[str, Any]]:
    return [{"type": "http.request", "body": b"x" * size, "more_body": True}] * count


KNOWN = {SECRET_HEADER: SHOP.secret}
BEARER = {"authorization": "Bearer token"}


async def test_who_does_not_know_the_secret_is_not_even_read(inbox: Inbox) -> None:
    app = app_of(inbox, People())
    assert await raw(app, chunks(1000, 9), {SECRET_HEADER: "guessed"}) == (401, 0)
    assert await raw(app, chunks(1000, 9), {"authorization": "Bearer x"}, "/webhooks/brevo") == (401, 0)


async def test_a_body_is_read_no_further_than_its_limit(inbox: Inbox) -> None:
    app = app_of(inbox, People())
    assert await raw(app, chunks(100_000, 99), KNOWN) == (413, 3)
    assert await raw(app, chunks(100_000, 99), BEARER, "/webhooks/brevo") == (413, 21)


async def test_a_body_that_is_announced_as_too_large_is_not_read(inbox: Inbox) -> None:
    app = app_of(inbox, People())
    assert await raw(app, chunks(9, 9), KNOWN | {"content-length": "256001"}) == (413, 0)
    assert await raw(app, chunks(9, 9), BEARER | {"content-length": "2000001"}, "/webhooks/brevo") == (413, 0)


async def test_a_client_that_stalls_is_let_go(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.01)
    app = app_of(inbox, People())
    assert await raw(app, chunks(1000, 2), KNOWN) == (408, 2)
    # of all that is no success, only this makes Brevo try again
    assert await raw(app, chunks(1000, 2), BEARER, "/webhooks/brevo") == (429, 2)


async def test_a_body_that_breaks_off_is_no_callback(ledger: Ledger, inbox: Inbox) -> None:
    body = json.dumps(ORDER).encode()
    messages = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert (await raw(app_of(inbox), messages, KNOWN))[0] == 400
    assert await due(ledger) == []


async def test_a_body_may_come_in_pieces(ledger: Ledger, inbox: Inbox) -> None:
    body = json.dumps(ORDER).encode()
    messages = [
        {"type": "http.request", "body": body[:40], "more_body": True},
        {"type": "http.request", "body": body[40:], "more_body": False},
    ]
    assert await raw(app_of(inbox), messages, KNOWN) == (200, 2)
    assert await due(ledger) == [Key(Resource.ORDERS, 250)]


# -- problems


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{PATH}/nobody", 404),
        ("POST", f"{PATH}/nobody/exceptions", 404),
        ("POST", "/nowhere", 404),
        ("POST", f"{PATH}/", 404),
        ("GET", PATH, 405),
        ("PUT", "/webhooks/brevo", 405),
        ("POST", "/healthz", 405),
    ],
)
async def test_what_is_not_there_is_told_as_a_problem(
    inbox: Inbox, method: str, path: str, status: int
) -> None:
    async with client_of(app_of(inbox, People())) as client:
        answer = await client.request(method, path, headers=KNOWN)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == answer.json()["status"] == status
    assert answer.json()["type"] == "about:blank"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, b'{"scope": 1, "data": "ann@example.com", "producer": "stores/abc123"}'),
        (PATH, json.dumps(ORDER | {"producer": "ann@example.com"}).encode()),
        (f"{PATH}/ann@example.com", b"{}"),
        ("/webhooks/brevo", b"ann@example.com"),
    ],
)
async def test_no_problem_quotes_what_was_received(
    inbox: Inbox, path: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await post(app_of(inbox, People()), path, body, authorization="Bearer token")
    assert answer.is_client_error
    for secret in ("ann@", SHOP.secret, "token"):
        assert secret not in answer.text + str(answer.headers)
    assert caplog.text == ""


async def test_a_trouble_is_logged_without_what_was_received(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(Broken(), People(ValueError("ann@example.com")))
    assert (await post(app, "/webhooks/brevo", LEFT, authorization="Bearer token")).status_code == 429
    assert (await post(app, PATH, ORDER)).status_code == 503
    assert caplog.text.count("ValueError") == 2
    assert "ann@" not in caplog.text


# -- health


async def test_the_server_is_alive_whatever_the_ledger_does(inbox: Inbox) -> None:
    async def no() -> bool:
        return False

    async def broken() -> bool:
        raise OSError("ann@example.com")

    async def yes() -> bool:
        return True

    found = []
    for ready in (yes, no, broken):
        async with client_of(make_app({}, None, inbox, ready)) as client:
            found.append([(await client.get(path)).status_code for path in ("/healthz", "/readyz")])
    assert found == [[200, 200], [200, 503], [200, 503]]


# -- serving


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[str]:
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, "127.0.0.1", 0, stop=stop, listening=url.set_result))
        yield await url
        stop.set()


async def test_it_serves_until_it_is_told_to_stop_and_leaves_signals_alone(
    ledger: Ledger, inbox: Inbox
) -> None:
    before = [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)]
    async with running(app_of(inbox)) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(PATH, json=ORDER, headers=KNOWN)
        assert [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)] == before
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert await due(ledger) == [Key(Resource.ORDERS, 250)]
    async with httpx.AsyncClient() as late:
        with pytest.raises(httpx.ConnectError):
            await late.get(f"{url}/healthz")


async def test_a_port_that_is_taken_is_for_a_human_to_mend(inbox: Inbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Mend, match=f"cannot listen on 127.0.0.1:{port}"):
            await serve(app_of(inbox), "127.0.0.1", port, stop=asyncio.Event())
