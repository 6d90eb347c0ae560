"""`/v1` beside its verbs: what is written down of who called, audits in the background, the server's log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar.response import ServerSentEventMessage

from tajo import answers, config
from tajo import client as sdk
from tajo.access import Doorkeeper, Scope
from tajo.app import Tajo
from tajo.client import AsyncTajoClient, TajoClient
from tajo.errors import Mend
from tajo.journal import Journal
from tajo.meters import Meters
from tajo.server import make_app, serve
from tajo.sync.ledger import queue
from tajo.sync.ledger.inbox import open_inbox
from tajo.sync.model import Key, Resource
from tajo.web import Outlook, api, open_faces
from tajo.web.activity import as_it_happens
from tajo.wiring import Wiring, open_wiring

KEY = "of-the-tests"
NAME = "bigcommerce"
ENV = {"BREVO_API_KEY": "x", "BC_STORE_HASH": "abc123", "BC_ACCESS_TOKEN": "t", "TAJO_SECRET_KEY": "s" * 32}
FORGET = {"email": "ada@example.com"}


class Slow(Tajo):
    """Its audits end when they are let; nobody is asked anything."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self.let = asyncio.Event()
        self.trouble: Exception | None = None

    async def audit(self, name: str, **_: Any) -> answers.Audit:
        await self.let.wait()
        if self.trouble:
            raise self.trouble
        return answers.Audit(connector=name, agrees=True, differences=0, resources={})

    async def rehearse(self, name: str, **_: Any) -> answers.Rehearsal:
        raise Mend("Brevo refuses the key", "make another one.")

    async def sync(self, name: str, **_: Any) -> answers.Run:
        raise Mend("Brevo refuses the key", "make another one.")

    async def forget(self, email: str) -> answers.Forgotten:
        raise Mend("Brevo refuses the key", "make another one.")


class House:
    """The faces of a server, and who may call it."""

    def __init__(
        self,
        app: Any,
        wiring: Wiring,
        tajo: Slow,
        keeper: Doorkeeper,
        journal: Journal,
        client: httpx.AsyncClient,
    ) -> None:
        self.app = app
        self.wiring = wiring
        self.tajo = tajo
        self.keeper = keeper
        self.journal = journal
        self.client = client

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = KEY) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def log(self) -> list[tuple[str, str, str, str]]:
        """The audit log, the oldest first."""
        deeds = (await self.ask("GET", "/v1/audit-log")).json()["deeds"]
        return [(one["who"], one["verb"], one["about"], one["outcome"]) for one in reversed(deeds)]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    env = {**ENV, "TAJO_DATABASE_URL": f"sqlite:///{folder}/t.db"}
    async with open_wiring(config.load(None, env), env) as wiring:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=KEY)
        tajo, journal = Slow(wiring), Journal(lambda _: None, wiring.now)
        minutes = Meters(wiring.now).minutes
        outlook = Outlook(wiring=wiring, keeper=keeper, journal=journal, standing=dict, minutes=minutes)
        async with open_faces(tajo, keeper, outlook=outlook) as app:
            transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                yield House(app, wiring, tajo, keeper, journal, client)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


@asynccontextmanager
async def watching(house: House, path: str, *, key: str = KEY) -> AsyncIterator[asyncio.Queue[str]]:
    """The status of an answer that goes on, then its pieces. With the block whoever reads them goes away."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    gone = asyncio.Event()
    rest = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if rest:
            return rest.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said = str(message["status"]) if "status" in message else message["body"].decode()
        if said:
            heard.put_nowait(said)

    headers = {"authorization": f"Bearer {key}", "host": "127.0.0.1"}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 9),
    }
    answer = asyncio.ensure_future(house.app(scope, receive, send))
    try:
        yield heard
    finally:
        gone.set()
        async with asyncio.timeout(5):
            await answer


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The address of a server with these faces."""
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with open_inbox(house.wiring.ledger, lambda _: None) as inbox:
        doors = make_app({}, None, inbox, house.wiring.ready, faces=house.app)
        server = asyncio.ensure_future(
            serve(doors, "127.0.0.1", 0, stop=stop, listening=listening.set_result)
        )
        try:
            yield await listening
        finally:
            stop.set()
            await server


class TestTheAuditLog:
    async def test_it_says_who_did_what_and_what_came_of_it(self, house: House) -> None:
        key, text = await house.keeper.make_key("reports", Scope.READ)
        reports = f"key {key.id} (reports)"
        await house.ask("DELETE", f"/v1/connectors/{NAME}")  # tajo.yaml describes it
        await house.ask("POST", "/v1/forget", FORGET, key=text)
        await house.ask("POST", "/v1/forget", FORGET)
        assert await house.log() == [
            ("TAJO_API_KEY", "disconnect", NAME, "failed"),
            (reports, "forget", "", "refused"),
            ("TAJO_API_KEY", "forget", "", "failed"),
        ]

    async def test_it_does_not_say_who_looked_at_numbers(self, house: House) -> None:
        for path in ("/v1/connectors", f"/v1/connectors/{NAME}/status", "/v1/runs", "/v1/audit-log"):
            assert (await house.ask("GET", path)).status_code == 200
        assert await house.log() == []

    async def test_whoever_looks_where_they_may_not_is_noted(self, house: House) -> None:
        key, text = await house.keeper.make_key("reports", Scope.READ)
        received = {"topic": "store/order/updated", "payload": {"id": 1}}
        await house.ask("GET", "/v1/keys", key=text)
        await house.ask("GET", "/v1/audit-log", key=text)
        await house.ask("POST", f"/v1/connectors/{NAME}/webhooks/received", received, key=text)
        await house.ask("POST", f"/v1/connectors/{NAME}/webhooks/received", received)
        reports = f"key {key.id} (reports)"
        assert await house.log() == [
            (reports, "keys", "", "refused"),
            (reports, "auditLog", "", "refused"),
            (reports, "handleWebhook", NAME, "refused"),
        ]

    async def test_it_does_not_say_who_rehearsed_a_sync(self, house: House) -> None:
        path = f"/v1/connectors/{NAME}/sync"
        await house.ask("POST", path, {"dry_run": True, "resources": ["products"]})
        assert await house.log() == []
        await house.ask("POST", path, {"resources": ["products"]})
        assert [deed[1:3] for deed in await house.log()] == [("sync", NAME)]

    async def test_strangers_cannot_fill_it_and_nobody_else_can_quickly(self, house: House) -> None:
        _, text = await house.keeper.make_key("reports", Scope.READ)
        for _ in range(30):
            assert (await house.ask("POST", "/v1/forget", FORGET, key=text)).status_code == 403
            assert (await house.client.post("/v1/forget", json=FORGET)).status_code == 401
        assert len(await house.log()) == 20

    async def test_it_repeats_no_name_that_nothing_has(self, house: House) -> None:
        answer = await house.ask("POST", "/v1/connectors/somebody/failures/replay", {})
        assert answer.status_code == 404
        assert await house.log() == [("TAJO_API_KEY", "replay", "", "failed")]

    async def test_it_is_read_page_by_page(self, house: House) -> None:
        for number in range(5):
            await house.keeper.note("ada", f"deed {number}")
        found, after = [], ""
        while after is not None:
            page = (await house.ask("GET", f"/v1/audit-log?limit=2&after={after}")).json()
            found += [deed["verb"] for deed in page["deeds"]]
            after = page["next"]
        assert found == [f"deed {number}" for number in (4, 3, 2, 1, 0)]


class TestPlaces:
    @pytest.mark.parametrize("place", ["there", "inf", "nan", "1e30", "-1", "1_0", "9" * 19, "9" * 5000])
    async def test_what_is_no_place_in_the_audit_log_is_refused(self, house: House, place: str) -> None:
        answer = await house.ask("GET", f"/v1/audit-log?after={place}")
        assert (answer.status_code, answer.json()["kind"]) == (422, "usage")

    @pytest.mark.parametrize("place", ["there", "1/orders", "1/orders/" + "9" * 19, "1/orders/" + "9" * 5000])
    async def test_what_is_no_place_among_the_failures_is_refused(self, house: House, place: str) -> None:
        answer = await house.ask("GET", f"/v1/connectors/{NAME}/failures?after={place}")
        assert (answer.status_code, answer.json()["kind"]) == (422, "usage")

    async def test_a_key_that_is_too_large_for_any_record_names_none(self, house: House) -> None:
        keys = {"keys": ["orders/" + "9" * 5000]}
        answer = await house.ask("POST", f"/v1/connectors/{NAME}/failures/replay", keys)
        assert (answer.status_code, len(answer.json()["detail"]) < 100) == (422, True)


class TestFailures:
    async def park(self, house: House, *numbers: int) -> None:
        keys = [Key(Resource.ORDERS, number) for number in numbers]
        async with house.wiring.ledger.begin() as tx:
            await queue.park(tx, NAME, [(key, "no e-mail", None) for key in keys], now=1.0)

    async def listed(self, house: House, query: str = "") -> list[str]:
        answer = (await house.ask("GET", f"/v1/connectors/{NAME}/failures{query}")).json()
        return [one["key"] for one in answer["failures"]]

    async def test_what_was_dismissed_is_in_a_list_of_its_own_and_counted(self, house: House) -> None:
        await self.park(house, 1, 2, 3)
        path = f"/v1/connectors/{NAME}/failures/dismiss"
        answer = await house.ask("POST", path, {"keys": ["orders/3", "orders/1"]})
        assert answer.json() == {
            "connector": NAME,
            "keys": ["orders/3", "orders/1"],
            "failures_count": 1,
            "dismissed_count": 2,
        }
        assert await self.listed(house) == ["orders/2"]
        assert await self.listed(house, "?dismissed=true") == ["orders/1", "orders/3"]
        status = (await house.ask("GET", f"/v1/connectors/{NAME}/status")).json()
        assert (status["failures_count"], status["dismissed_count"]) == (1, 2)
        assert await house.log() == [("TAJO_API_KEY", "dismiss", NAME, "done")]

    async def test_what_was_dismissed_is_read_page_by_page_too(self, house: House) -> None:
        await self.park(house, *range(1, 8))
        keys = [f"orders/{number}" for number in (1, 3, 4, 6, 7)]
        await house.ask("POST", f"/v1/connectors/{NAME}/failures/dismiss", {"keys": keys})
        found, after = [], ""
        while after is not None:
            path = f"/v1/connectors/{NAME}/failures?dismissed=true&limit=2&after={after}"
            page = (await house.ask("GET", path)).json()
            found += [one["key"] for one in page["failures"]]
            after = page["next"]
        assert found == keys

    @pytest.mark.parametrize(
        ("keys", "status", "words"),
        [
            ([], 422, "no failure is named"),
            (["nobody"], 422, "`nobody` names no record"),
            (["orders/1", "orders/9"], 404, "not among the failures: orders/9"),
        ],
    )
    async def test_what_cannot_be_dismissed_is_said_and_nothing_is(
        self, house: House, keys: list[str], status: int, words: str
    ) -> None:
        await self.park(house, 1)
        answer = await house.ask("POST", f"/v1/connectors/{NAME}/failures/dismiss", {"keys": keys})
        assert (answer.status_code, answer.json()["detail"]) == (status, words)
        assert await self.listed(house) == ["orders/1"]

    async def test_whoever_may_only_read_dismisses_nothing(self, house: House) -> None:
        await self.park(house, 1)
        _, text = await house.keeper.make_key("reports", Scope.READ)
        path = f"/v1/connectors/{NAME}/failures/dismiss"
        assert (await house.ask("POST", path, {"keys": ["orders/1"]}, key=text)).status_code == 403
        assert await self.listed(house) == ["orders/1"]

    async def test_a_replay_of_all_leaves_what_was_dismissed_unless_it_is_named(self, house: House) -> None:
        await self.park(house, 1, 2)
        await house.tajo.dismiss(NAME, ["orders/1"])
        first, second = Key(Resource.ORDERS, 1), Key(Resource.ORDERS, 2)
        assert await house.wiring.parked(NAME, None) == [second]
        assert await house.wiring.parked(NAME, [first]) == [first]


class TestAudits:
    async def test_one_goes_on_behind_its_answer_and_another_must_wait(self, house: House) -> None:
        begun = await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})
        assert (begun.status_code, begun.json()["state"]) == (202, "running")
        path = f"/v1/audits/{begun.json()['audit']}"
        assert (await house.ask("GET", path)).json()["state"] == "running"
        second = await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})
        assert (second.status_code, second.json()["kind"]) == (409, "busy")
        house.tajo.let.set()
        await asyncio.sleep(0)
        over = (await house.ask("GET", path)).json()
        assert (over["state"], over["found"]["agrees"]) == ("done", True)
        assert (await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})).status_code == 202

    async def test_one_that_failed_says_why(self, house: House) -> None:
        house.tajo.trouble = Mend("Brevo refuses the key", "make another one.")
        begun = (await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})).json()
        house.tajo.let.set()
        await asyncio.sleep(0)
        answer = await house.ask("GET", f"/v1/audits/{begun['audit']}")
        assert (answer.status_code, answer.json()["mend"]) == (424, "make another one.")

    async def test_one_can_be_watched_to_its_end(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "PULSE", 0.01)
        begun = (await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})).json()
        async with watching(house, f"/v1/audits/{begun['audit']}/events") as heard:
            assert await heard.get() == "200"
            assert "event: progress" in await heard.get()
            house.tajo.let.set()
            while "event: progress" in (last := await heard.get()):
                pass
        assert "event: end" in last
        assert '"agrees":true' in last

    async def test_whoever_watches_one_that_fails_is_told_why(self, house: House) -> None:
        house.tajo.trouble = Mend("Brevo refuses the key", "make another one.")
        begun = (await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})).json()
        async with watching(house, f"/v1/audits/{begun['audit']}/events") as heard:
            assert (await heard.get(), "progress" in await heard.get()) == ("200", True)
            house.tajo.let.set()
            assert "event: problem" in (last := await heard.get())
        assert '"mend":"make another one."' in last

    async def test_one_that_is_not_there_cannot_be_watched(self, house: House) -> None:
        assert (await house.ask("GET", "/v1/audits/nobody/events")).status_code == 404

    async def test_the_last_hundred_are_remembered(self, house: House) -> None:
        house.tajo.let.set()
        ids = []
        for _ in range(102):
            ids.append((await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})).json()["audit"])
            await asyncio.sleep(0)
        answers_ = [(await house.ask("GET", f"/v1/audits/{id_}")).status_code for id_ in (ids[0], ids[-1])]
        assert answers_ == [404, 200]

    async def test_with_the_server_end_its_audits(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as house:
            await house.ask("POST", f"/v1/connectors/{NAME}/audit", {})
            before = len(asyncio.all_tasks())
        assert len(asyncio.all_tasks()) < before


class TestActivity:
    async def test_what_was_said_is_told_from_any_line_on(self, house: House) -> None:
        house.journal.tell("listening")
        house.journal.tell("order 17 was told", connector=NAME)
        told = (await house.ask("GET", "/v1/activity")).json()
        assert [(one["words"], one["connector"]) for one in told["lines"]] == [
            ("listening", ""),
            ("order 17 was told", NAME),
        ]
        house.journal.tell("stopped", connector=NAME, level="error")
        rest = (await house.ask("GET", f"/v1/activity?after={told['next']}")).json()
        assert [(one["words"], one["level"]) for one in rest["lines"]] == [("stopped", "error")]

    async def test_who_knew_a_server_that_ran_before_is_told_everything(self, house: House) -> None:
        house.journal.tell("listening")
        assert len((await house.ask("GET", "/v1/activity?after=900")).json()["lines"]) == 1

    async def test_what_follows_is_told_as_it_is_said(self, house: House) -> None:
        async with watching(house, "/v1/activity/events") as heard:
            assert await heard.get() == "200"
            house.journal.tell("order 17 was told", connector=NAME)
            assert '"words":"order 17 was told"' in await heard.get()
            house.journal.tell("order 18 was told", connector=NAME)
            assert '"words":"order 18 was told"' in await heard.get()

    async def test_a_key_watches_ten_things_at_once_and_no_more(self, house: House) -> None:
        _, other = await house.keeper.make_key("reports", Scope.READ)
        async with AsyncExitStack() as stack:
            for _ in range(10):
                heard = await stack.enter_async_context(watching(house, "/v1/activity/events"))
                assert await heard.get() == "200"
            assert (await house.ask("GET", "/v1/activity/events")).status_code == 429
            assert (await house.ask("GET", "/v1/activity")).status_code == 200
            async with watching(house, "/v1/activity/events", key=other) as heard:
                assert await heard.get() == "200"
        async with watching(house, "/v1/activity/events") as heard:
            assert await heard.get() == "200"


class TestWhoFollows:
    async def test_is_told_the_newest_lines_and_then_each_as_it_is_said(self, house: House) -> None:
        house.journal.tell("listening")
        async with served(house) as url, AsyncTajoClient(api_key=KEY, base_url=url) as client:
            lines = client.follow_activity()
            assert (await anext(lines)).words == "listening"
            house.journal.tell("order 17 was told", connector=NAME)
            assert (await anext(lines)).words == "order 17 was told"
            await lines.aclose()

    async def test_misses_nothing_when_the_server_lets_go(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def brief(*asked: Any) -> AsyncIterator[ServerSentEventMessage]:
            yield await anext(as_it_happens(*asked))

        monkeypatch.setattr(api, "as_it_happens", brief)
        monkeypatch.setattr(sdk, "GLANCE", 0.0)
        async with served(house) as url, AsyncTajoClient(api_key=KEY, base_url=url) as client:
            lines = client.follow_activity()
            for number in range(3):
                house.journal.tell(f"order {number} was told")
            found = [(await anext(lines)).words for _ in range(3)]
            await lines.aclose()
        assert found == ["order 0 was told", "order 1 was told", "order 2 was told"]

    async def test_is_not_told_that_there_is_nothing_new(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quiet = asyncio.Event()

        async def later(*_: Any) -> AsyncIterator[ServerSentEventMessage]:
            yield ServerSentEventMessage(comment="nothing new")
            quiet.set()
            async for message in as_it_happens(house.journal, 0):
                yield message

        monkeypatch.setattr(api, "as_it_happens", later)
        async with served(house) as url, AsyncTajoClient(api_key=KEY, base_url=url) as client:
            lines = client.follow_activity()
            first = asyncio.ensure_future(anext(lines))
            await quiet.wait()
            house.journal.tell("listening")
            assert (await first).words == "listening"
            await lines.aclose()

    async def test_does_so_without_await_too(self, house: House) -> None:
        house.journal.tell("listening")
        house.journal.tell("order 17 was told", connector=NAME)

        def two(url: str) -> list[str]:
            with TajoClient(api_key=KEY, base_url=url) as client:
                return [line.words for _, line in zip(range(2), client.follow_activity(), strict=False)]

        async with served(house) as url:
            assert await asyncio.to_thread(two, url) == ["listening", "order 17 was told"]

    async def test_is_refused_like_anybody_else(self, house: House) -> None:
        async with served(house) as url, AsyncTajoClient(api_key="another", base_url=url) as client:
            with pytest.raises(Mend, match="not known"):
                await anext(client.follow_activity())

    async def test_hears_nothing_where_no_server_is(self, tmp_path: Path) -> None:
        (tmp_path / "tajo.yaml").write_text("brevo: {}\n")
        async with AsyncTajoClient(config_file=tmp_path / "tajo.yaml") as client:
            assert [line async for line in client.follow_activity()] == []


class TestWebhooksThatAreHandedOver:
    async def test_whoever_follows_the_connector_is_woken_once_it_is_on_disk(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        woken: list[tuple[str, int]] = []
        file = Path(str(house.wiring.settings.database_url).removeprefix("sqlite:///"))

        def wake(name: str) -> None:
            with sqlite3.connect(file) as beside:
                woken.append((name, beside.execute("SELECT count(*) FROM due").fetchone()[0]))

        monkeypatch.setattr(house.tajo._runner, "wake", wake)
        body = {"topic": "store/order/updated", "payload": {"id": 7}}
        answer = await house.ask("POST", f"/v1/connectors/{NAME}/webhooks/received", body)
        assert (answer.status_code, answer.json()["noted"]) == (202, True)
        assert woken == [(NAME, 1)]

    @pytest.mark.parametrize(
        ("topic", "status", "noted"), [("store/information/updated", 202, False), ("order", 422, None)]
    )
    async def test_what_names_nothing_is_said_to(
        self, house: House, topic: str, status: int, noted: bool | None
    ) -> None:
        body = {"topic": topic, "payload": {"id": 7}}
        answer = await house.ask("POST", f"/v1/connectors/{NAME}/webhooks/received", body)
        assert (answer.status_code, answer.json().get("noted")) == (status, noted)
