"""The dashboard without a browser: who comes in, what the pages say, what the buttons do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from litestar import Litestar

from tajo import config
from tajo.access import Doorkeeper
from tajo.answers import Status
from tajo.app import Tajo
from tajo.config import Credentials
from tajo.doctor import Heed
from tajo.errors import Busy, Unknown
from tajo.journal import Journal
from tajo.sync.account import Account
from tajo.sync.ledger import queue
from tajo.sync.ledger.glance import Part
from tajo.sync.model import Key, Resource
from tajo.web import Outlook, open_faces
from tajo.web.activity import as_it_happens
from tajo.web.callers import COOKIE
from tajo.web.dashboard import errands, preview
from tajo.web.dashboard.charts import Serie, Span, chart, gathered
from tajo.web.dashboard.door import own_path
from tajo.web.dashboard.verdict import State, View, judge
from tajo.web.dashboard.words import prose, span, when
from tajo.web.headers import host_of
from tajo.web.snapshot import Seen
from tajo.wiring import Watch, Wiring, open_wiring
from tajo.worker import Standing

EMPTY = {"BREVO_API_KEY": "x", "TAJO_SECRET_KEY": "s" * 32}
ENV = {**EMPTY, "BC_STORE_HASH": "abc123", "BC_ACCESS_TOKEN": "t0k3n"}
PASSWORD = "violet ladder harbour"
PAGES = [
    "/",
    "/connectors/bigcommerce",
    "/activity",
    "/runs",
    "/failures",
    "/preview",
    "/skills",
    "/doctor",
    "/settings",
]
HTML = {"accept": "text/html"}
OURS = {**HTML, "sec-fetch-site": "same-origin"}


class Replaying:
    """A runner for whom every replay gets through, unless it is told otherwise."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.asked: list[Sequence[Key] | None] = []
        self.refuses = ""

    async def sync(self, name: str, *, watch: Watch | None, **_: Any) -> Account:
        raise Busy(f"{name} is not at work", "try again soon.")

    async def replay(self, name: str, keys: Sequence[Key] | None, *, watch: Watch | None) -> Account:
        self.asked.append(keys)
        if self.refuses:
            raise Busy(self.refuses)
        there = await self._wiring.parked(name, None) if keys is None else keys
        async with self._wiring.ledger.begin() as tx:
            await queue.unpark(tx, name, list(there))
        return Account("replay")

    async def settings_changed(self) -> None:
        pass

    def wake(self, name: str) -> None:
        pass


class House:
    def __init__(self, wiring: Wiring, keeper: Doorkeeper, app: Litestar, client: httpx.AsyncClient) -> None:
        self.wiring = wiring
        self.keeper = keeper
        self.app = app
        self.client = client
        self.runner: Replaying
        self.journal: Journal
        self.standing: dict[str, Standing] = {}

    async def come_in(self) -> None:
        token = await self.keeper.setup_token()
        assert token
        self.client.cookies.set(COOKIE, await self.keeper.set_up(token, "ada", PASSWORD))

    async def see(self, path: str) -> str:
        answer = await self.client.get(path, headers=HTML)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def press(self, path: str, **form: Any) -> str:
        """Press a button; the page that follows."""
        answer = await self.client.post(path, data=form, headers=OURS)
        assert answer.status_code == 303, (path, answer.status_code, answer.text)
        return await self.see(answer.headers["location"])

    async def park(self, *numbers: int, reason: str = "the e-mail address cannot exist") -> None:
        refusals = [(Key(Resource.ORDERS, number), reason, None) for number in numbers]
        async with self.wiring.ledger.begin() as tx:
            await queue.park(tx, "bigcommerce", refusals, now=self.wiring.now())
        await self.app.state.house.snapshot.look()

    async def parked(self) -> list[int]:
        return [entry.key.id for entry in await self.wiring.failures("bigcommerce")]


@asynccontextmanager
async def _house(tmp_path: Path, env: dict[str, str], **faces: Any) -> AsyncIterator[House]:
    env = {**env, "TAJO_DATABASE_URL": f"sqlite:///{tmp_path}/t.db"}
    async with open_wiring(config.load(None, env), env) as wiring:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=None)
        standing: dict[str, Standing] = {}
        runner, journal = Replaying(wiring), Journal(lambda _: None, wiring.now)
        outlook = Outlook(
            wiring=wiring,
            keeper=keeper,
            journal=journal,
            standing=lambda: standing,
            minutes=lambda *_: [],
        )
        async with open_faces(Tajo(wiring, runner), keeper, outlook=outlook, **faces) as app:
            transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                house = House(wiring, keeper, app, client)
                house.runner, house.journal, house.standing = runner, journal, standing
                await app.state.house.snapshot.look()
                yield house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with _house(tmp_path, ENV, hosts={"127.0.0.1", "tajo.example"}) as house:
        yield house


@pytest.fixture
async def inside(house: House) -> House:
    await house.come_in()
    return house


class TestTheDoor:
    async def test_who_is_not_signed_in_may_do_so_first_and_sees_what_they_wanted(self, house: House) -> None:
        for path in PAGES[1:]:
            answer = await house.client.get(f"{path}?connector=bigcommerce", headers=HTML)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/signin?next=%2F")
        await house.come_in()
        house.client.cookies.clear()
        form = {"name": "ada", "password": PASSWORD, "next": "/failures?connector=bigcommerce"}
        answer = await house.client.post("/signin", data=form, headers=OURS)
        assert answer.headers["location"] == "/failures?connector=bigcommerce"

    async def test_a_program_is_told_in_its_own_way(self, house: House) -> None:
        answer = await house.client.get("/failures")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")

    async def test_a_key_opens_no_page(self, house: House) -> None:
        _, key = await house.keeper.make_key("program", cast(Any, "admin"))
        answer = await house.client.get("/settings", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 401

    async def test_the_first_person_comes_in_by_the_link_and_once(self, house: House) -> None:
        token = await house.keeper.setup_token()
        assert token
        form = {"token": token, "name": "ada", "password": PASSWORD}
        assert token in (await house.client.get(f"/setup?token={token}", headers=HTML)).text
        answer = await house.client.post("/setup", data=form, headers=OURS)
        assert answer.status_code == 303
        assert "Welcome, ada" in await house.see("/")
        house.client.cookies.clear()
        again = await house.client.post("/setup", data={**form, "name": "eve"}, headers=OURS)
        assert again.status_code == 422
        assert "does not work any more" in again.text

    async def test_a_link_that_lets_nobody_in_asks_for_nothing(self, house: House) -> None:
        token = await house.keeper.setup_token()
        await house.come_in()
        for spent in (token, "x", ""):
            answer = await house.client.get(f"/setup?token={spent}", headers=HTML)
            assert answer.status_code == 422
            assert "does not work any more" in answer.text
            assert "<form" not in answer.text

    async def test_whoever_fails_to_come_in_is_noted_but_not_what_they_typed(self, inside: House) -> None:
        here = inside.client.cookies[COOKIE]
        inside.client.cookies.clear()
        await inside.client.post("/signin", data={"name": PASSWORD, "password": "ada"}, headers=OURS)
        inside.client.cookies.set(COOKIE, here)
        newest = (await inside.keeper.doings())[0]
        assert (newest.who, newest.verb, newest.outcome) == ("a stranger", "sign in", "refused")
        assert PASSWORD not in await inside.see("/settings")

    async def test_the_cookie_is_for_this_server_and_no_script(self, house: House) -> None:
        await house.come_in()
        house.client.cookies.clear()
        form = {"name": "ada", "password": PASSWORD}
        for base, secure in (("http", False), ("https", True)):
            answer = await house.client.post(f"{base}://tajo.example/signin", data=form, headers=OURS)
            cookie = answer.headers["set-cookie"].lower()
            assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
            assert ("secure" in cookie) is secure

    async def test_a_wrong_password_says_nothing_of_names_and_too_many_must_wait(self, house: House) -> None:
        await house.come_in()
        house.client.cookies.clear()
        answers = [
            await house.client.post("/signin", data={"name": name, "password": "wrong"}, headers=OURS)
            for name in ("ada", "eve")
        ]
        assert answers[0].status_code == answers[1].status_code == 401
        assert answers[0].text == answers[1].text
        for _ in range(4):
            last = await house.client.post("/signin", data={"name": "ada", "password": "w"}, headers=OURS)
        assert last.status_code == 429
        assert "wait before you try again" in last.text

    async def test_whoever_signs_out_is_out(self, inside: House) -> None:
        session = inside.client.cookies[COOKIE]
        answer = await inside.client.post("/signout", headers=OURS)
        assert answer.headers["location"] == "/signin"
        assert await inside.keeper.by_session(session) is None

    async def test_no_page_of_somebody_elses_does_anything(self, inside: House) -> None:
        form = {"name": "ada", "password": PASSWORD, "token": "x", "connector": "bigcommerce"}
        paths = ("/signin", "/setup", "/signout", "/failures/replay", "/failures/dismiss", "/hooks/repair")
        paths += ("/settings/keys",)
        theirs = (
            {},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
        )
        for path in paths:
            for headers in theirs:
                answer = await inside.client.post(path, data=form, headers={**HTML, **headers})
                assert answer.status_code == 403, (path, headers)
        assert await inside.keeper.keys() == []

    @given(st.text() | st.from_regex(r"[/\\]{1,3}[\w.:@]{0,9}.*", fullmatch=True))
    def test_the_way_on_never_leads_elsewhere(self, text: str) -> None:
        for base in ("https://tajo.example/signin", "http://tajo.example/signin"):
            there = urlsplit(urljoin(base, own_path(text)))
            assert there.netloc == "tajo.example"
        assert not re.match(r"[/\\]{2}|.*[\t\n\r]", own_path(text))

    @pytest.mark.parametrize("path", PAGES[1:])
    def test_ways_to_pages_of_ours_are_kept(self, path: str) -> None:
        assert own_path(f"{path}?connector=a&after=1.5/orders/2") == f"{path}?connector=a&after=1.5/orders/2"


class TestHeaders:
    async def test_every_answer_is_careful(self, house: House) -> None:
        for path in ("/signin", "/nowhere", "/static/style.css", "/v1/connectors", "/", "/openapi.json"):
            answer = await house.client.get(path, headers=HTML)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            page = answer.headers["content-type"].startswith("text/html")
            assert answer.headers["referrer-policy"] == ("same-origin" if page else "no-referrer")
            kept = "no-store" not in answer.headers["cache-control"]
            assert kept is path.startswith("/static/")

    async def test_pages_need_nothing_inline_and_nobody_else(self, inside: House) -> None:
        await inside.park(1)
        for path in [*PAGES, "/signin", "/nowhere"]:
            text = (await inside.client.get(path, headers=HTML)).text
            assert not re.search(r"<style|<script(?! src=\"/static/)|\sstyle=|\son\w+=|javascript:", text), (
                path
            )
            assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), path

    async def test_whoever_asks_what_a_page_can_do_is_told_nothing_and_breaks_nothing(
        self, house: House
    ) -> None:
        for path in PAGES:
            assert (await house.client.options(path)).status_code in (204, 401), path

    async def test_other_names_are_not_ours(self, house: House) -> None:
        ours = ("127.0.0.1:8000", "tajo.example", "TAJO.example.:443")
        theirs = ("evil.example", "tajo.example.evil.example", "", "127.0.0.1.evil.example:8000")
        for host in (*ours, *theirs):
            answer = await house.client.get("/signin", headers={**HTML, "host": host})
            assert answer.status_code == (200 if host in ours else 400), host

    async def test_a_program_with_a_key_may_call_us_as_it_likes(self, house: House) -> None:
        _, key = await house.keeper.make_key("program", cast(Any, "read"))
        headers = {"host": "tajo:8000", "authorization": f"Bearer {key}"}
        assert (await house.client.get("/v1/connectors", headers=headers)).status_code == 200

    def test_hosts_are_read_with_and_without_ports(self) -> None:
        assert [host_of(text) for text in ("[::1]:8000", "[::1]", "a.example:1", "A.example.")] == [
            "::1",
            "::1",
            "a.example",
            "a.example",
        ]


class TestPages:
    async def test_each_is_whole(self, inside: House) -> None:
        for path in PAGES:
            text = await inside.see(path)
            assert text.count("<h1") == 1, path
            assert 'lang="en"' in text
            assert 'href="#main"' in text
            assert len(re.findall(r"<table", text)) == len(re.findall(r"<caption", text)), path
            ids = re.findall(r"\sid=\"([^\"]+)\"", text)
            assert len(ids) == len(set(ids)), path

    async def test_what_is_not_there_is_said_in_a_page(self, inside: House) -> None:
        for path in ("/nowhere", "/runs/abc", "/connectors/other", "/failures?connector=other"):
            answer = await inside.client.get(path, headers=HTML)
            assert answer.status_code == 404
            assert "There is nothing here" in answer.text

    async def test_a_mistake_of_ours_says_nothing_of_what_was_in_the_way(
        self, inside: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("ada@shop.example")

        monkeypatch.setattr(inside.journal, "after", broken)
        answer = await inside.client.get("/activity", headers=HTML)
        assert answer.status_code == 500
        assert "Something is wrong in Tajo itself" in answer.text
        assert "ada@shop.example" not in answer.text

    async def test_a_sentence_that_ends_with_a_stop_gets_no_other(self, inside: House) -> None:
        for path in ("/", "/connectors/bigcommerce"):
            for said in ("the token is refused.", "the token is refused"):
                inside.standing["bigcommerce"] = Standing(
                    stuck=True, trouble=f"{said}\n  Mend: make another."
                )
                text = await inside.see(path)
                assert "he token is refused.</p>" in text
                assert "refused.." not in text

    @pytest.mark.parametrize("number", ["7", "999999"])
    async def test_the_number_that_was_asked_for_stays_in_the_form(
        self, inside: House, monkeypatch: pytest.MonkeyPatch, number: str
    ) -> None:
        async def nobody(*_: Any) -> None:
            raise Unknown("there is no customer of this number", "look it up.")

        monkeypatch.setattr(Tajo, "preview", nobody)
        path = f"/preview?connector=bigcommerce&kind=customer&id={number}"
        answer = await inside.client.get(path, headers=HTML)
        assert f'name="record" value="{number}"' in answer.text

    @pytest.mark.parametrize("number", ["9" * 19, "9" * 30, "9" * 5000])
    async def test_a_number_that_nothing_can_have_is_refused_in_a_sentence(
        self, inside: House, number: str
    ) -> None:
        for path in (
            f"/preview?connector=bigcommerce&kind=order&id={number}",
            f"/failures?after=1.5/orders/{number}",
            f"/settings?before={number}",
            f"/v1/audit-log?after={number}",
            f"/v1/connectors/bigcommerce/failures?after=1.5/orders/{number}",
        ):
            answer = await inside.client.get(path, headers=HTML)
            assert answer.status_code == 422, path
            assert len(answer.text) < 10_000
        form = {"connector": "bigcommerce", "one": f"orders/{number}"}
        for path in ("/failures/replay", "/failures/dismiss"):
            assert "names no record" in await inside.press(path, **form)
        form = {"connector": "bigcommerce", "record": number}
        assert "Type a number" in await inside.press("/preview", **form)

    async def test_what_is_told_once_is_told_to_people_and_to_no_script(self, inside: House) -> None:
        form = {"name": "CI", "scope": "read"}
        await inside.client.post("/settings/keys", data=form, headers=OURS)
        fetched = await inside.client.get("/", headers={**HTML, "sec-fetch-dest": "empty"})
        assert "is made" not in fetched.text
        assert 'class="secret"' in await inside.see("/settings")

    async def test_secrets_of_the_settings_are_on_no_page(self, inside: House) -> None:
        for path in PAGES:
            text = await inside.see(path)
            assert "t0k3n" not in text
            assert PASSWORD not in text

    async def test_what_others_say_is_no_markup(self, inside: House) -> None:
        evil = "<script>alert(1)</script>"
        await inside.park(1, reason=evil)
        inside.journal.tell(evil, connector="bigcommerce", level="error")
        inside.standing["bigcommerce"] = Standing(stuck=True, trouble=f"{evil}\n  Mend: `{evil}`")
        for path in ("/", "/failures", "/activity", "/connectors/bigcommerce", f"/signin?next=/{evil}"):
            text = (await inside.client.get(path, headers=HTML)).text
            assert "<script>alert" not in text

    async def test_at_the_first_start_it_asks_for_a_store(self, tmp_path: Path) -> None:
        async with _house(tmp_path, EMPTY) as house:
            await house.come_in()
            assert 'action="/connect"' in await house.see("/")
            for path in PAGES[2:]:
                await house.see(path)

    async def test_a_run_that_goes_on_knows_how_far_it_is(self, inside: House) -> None:
        from tajo.sync.ledger import runs

        account = {
            "resources": {"orders": {"seen": 50, "written": 20, "parked": 1}},
            "expected": {"orders": 200},
            "seconds": 3.0,
        }
        async with inside.wiring.ledger.begin() as tx:
            run = await runs.begin_run(
                tx, "bigcommerce", mode="full", scope="s", rules="r", now=inside.wiring.now()
            )
            await runs.save_run(tx, "bigcommerce", runs.RunRecord(**{**_fields(run), "account": account}))
        assert '<progress value="50" max="200"' in await inside.see("/runs")
        assert "50 of 200" in await inside.see(f"/runs/{run.id}")


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


async def test_skills_without_steps_are_named_too(inside: House) -> None:
    text = await inside.see("/skills")
    assert [name for name in inside.wiring.settings.skills.skills if name not in text] == []


async def test_whoever_does_not_answer_is_not_taken_for_the_other(
    inside: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Tajo, "preview", never)
    monkeypatch.setattr(preview, "PATIENCE", 0.0)
    answer = await inside.client.get("/preview?connector=bigcommerce&kind=customer&id=7", headers=HTML)
    assert "The store or Brevo does not answer now" in answer.text


class TestWhatIsToBeDone:
    async def test_each_trouble_is_told_once(self, inside: House) -> None:
        inside.standing["bigcommerce"] = Standing(stuck=True, trouble="the token is refused")
        assert (await inside.see("/")).count("the token is refused") == 1

    async def test_the_overview_begins_with_it(self, inside: House) -> None:
        await inside.park(1, 2)
        text = await inside.see("/")
        assert "1 connector needs a human" in text
        assert "2 records could not be delivered" in text
        assert 'href="/failures?connector=bigcommerce"' in text

    async def test_why_a_connector_has_stopped_comes_with_its_mend(self, inside: House) -> None:
        trouble = "the token is refused\n  Mend: make a new `access_token`."
        inside.standing["bigcommerce"] = Standing(stuck=True, trouble=trouble)
        text = await inside.see("/")
        assert "the token is refused" in text
        assert "Make a new <code>access_token</code>." in text


class TestReplay:
    async def test_one(self, inside: House) -> None:
        await inside.park(1, 2, 3)
        text = await inside.press(
            "/failures/replay", connector="bigcommerce", one="orders/2", keys="orders/1"
        )
        assert "1 record got through." in text
        assert await inside.parked() == [1, 3]
        assert "orders/2" not in text

    async def test_some(self, inside: House) -> None:
        await inside.park(1, 2, 3)
        await inside.press("/failures/replay", connector="bigcommerce", keys=["orders/1", "orders/3"])
        assert await inside.parked() == [2]

    async def test_all(self, inside: House) -> None:
        await inside.park(1, 2, 3)
        text = await inside.press("/failures/replay", connector="bigcommerce", all="yes")
        assert "nothing failed" in text

    async def test_none_chosen_is_none_replayed(self, inside: House) -> None:
        await inside.park(1)
        assert "Choose at least one" in await inside.press("/failures/replay", connector="bigcommerce")
        assert inside.runner.asked == []

    async def test_what_somebody_else_has_replayed_meanwhile_is_no_mistake(self, inside: House) -> None:
        await inside.park(1, 2)
        await inside.press("/failures/replay", connector="bigcommerce", one="orders/1")
        both = await inside.press("/failures/replay", connector="bigcommerce", keys=["orders/1", "orders/2"])
        assert "1 record got through." in both
        assert await inside.parked() == []
        text = await inside.press("/failures/replay", connector="bigcommerce", one="orders/2")
        assert "no failure any more" in text
        assert len(inside.runner.asked) == 2

    async def test_while_one_goes_on_another_is_not_taken_for_it(
        self, inside: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await inside.park(1, 2)
        go_on = asyncio.Event()

        async def slowly(_self: Tajo, _name: str, _keys: Sequence[str] = ()) -> None:
            await go_on.wait()

        monkeypatch.setattr(Tajo, "replay", slowly)
        monkeypatch.setattr(errands, "PATIENCE", 0.0)
        await inside.press("/failures/replay", connector="bigcommerce", one="orders/1")
        text = await inside.press("/failures/replay", connector="bigcommerce", one="orders/2")
        assert "Another replay goes on" in text
        go_on.set()

    async def test_why_it_cannot_be_is_said_and_noted(self, inside: House) -> None:
        await inside.park(1)
        inside.runner.refuses = "bigcommerce is not at work"
        text = await inside.press("/failures/replay", connector="bigcommerce", all="yes")
        assert "Not replayed. Bigcommerce is not at work." in text
        newest = (await inside.keeper.doings())[0]
        assert (newest.who, newest.verb, newest.about, newest.outcome) == (
            "user ada",
            "replay",
            "bigcommerce",
            "failed",
        )

    async def test_what_came_of_it_is_said_once(self, inside: House) -> None:
        await inside.park(1)
        text = await inside.press("/failures/replay", connector="bigcommerce", all="yes")
        assert text.count("1 record got through") == 1
        assert (await inside.see("/failures")).count("1 record got through") == 1

    async def test_what_is_tried_again_has_not_been_told_yet(
        self, inside: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on = asyncio.Event()

        async def slowly(*_: Any, **__: Any) -> Account:
            await go_on.wait()
            return Account("replay")

        monkeypatch.setattr(inside.runner, "replay", slowly)
        monkeypatch.setattr(errands, "PATIENCE", 0.0)
        text = await inside.press("/failures/replay", connector="bigcommerce", all="yes")
        assert "What failed is being tried again" in text
        assert "nothing failed" not in text
        go_on.set()


class TestDismissing:
    async def test_one_leaves_the_list_and_needs_no_human_any_more(self, inside: House) -> None:
        await inside.park(1)
        assert "1 connector needs a human" in await inside.see("/")
        text = await inside.press("/failures/dismiss", connector="bigcommerce", one="orders/1")
        assert "1 record dismissed." in text
        assert "nothing failed" in text
        assert "1 dismissed" in text
        assert await inside.parked() == []
        assert "needs a human" not in await inside.see("/")
        newest = (await inside.keeper.doings())[0]
        assert (newest.who, newest.verb, newest.about, newest.outcome) == (
            "user ada",
            "dismiss",
            "bigcommerce",
            "done",
        )

    async def test_some(self, inside: House) -> None:
        await inside.park(1, 2, 3)
        text = await inside.press("/failures/dismiss", connector="bigcommerce", keys=["orders/1", "orders/3"])
        assert "2 records dismissed." in text
        assert await inside.parked() == [2]
        assert "2 dismissed" in text

    async def test_those_that_were_dismissed_are_shown_and_replayed_on_request(self, inside: House) -> None:
        await inside.park(1, 2)
        await inside.press("/failures/dismiss", connector="bigcommerce", one="orders/1")
        text = await inside.see("/failures?connector=bigcommerce&dismissed=true")
        assert "Replay<span" in text
        assert "orders/1" in text
        assert "orders/2" not in text
        assert "Dismiss selected" not in text
        assert "Replay all" not in text
        text = await inside.press("/failures/replay", connector="bigcommerce", one="orders/1")
        assert "1 record got through." in text
        assert await inside.parked() == [2]
        assert "Nothing of bigcommerce is dismissed." in await inside.see("/failures?dismissed=true")

    async def test_a_replay_of_all_leaves_them_alone(self, inside: House) -> None:
        await inside.park(1, 2)
        await inside.press("/failures/dismiss", connector="bigcommerce", one="orders/1")
        text = await inside.press("/failures/replay", connector="bigcommerce", all="yes")
        assert "1 record got through." in text
        assert "1 dismissed" in text

    async def test_none_chosen_is_none_dismissed(self, inside: House) -> None:
        await inside.park(1)
        for form in ({}, {"all": "yes"}):
            text = await inside.press("/failures/dismiss", connector="bigcommerce", **form)
            assert "Choose at least one" in text
        assert await inside.parked() == [1]

    async def test_what_has_got_through_meanwhile_is_no_mistake(self, inside: House) -> None:
        await inside.park(1, 2)
        await inside.press("/failures/replay", connector="bigcommerce", one="orders/1")
        text = await inside.press("/failures/dismiss", connector="bigcommerce", keys=["orders/1", "orders/2"])
        assert "1 record dismissed." in text
        text = await inside.press("/failures/dismiss", connector="bigcommerce", one="orders/1")
        assert "no failure any more" in text

    async def test_the_page_of_a_connector_counts_them(self, inside: House) -> None:
        path = "/connectors/bigcommerce"
        assert "dismissed" not in await inside.see(path)
        await inside.park(1)
        await inside.press("/failures/dismiss", connector="bigcommerce", one="orders/1")
        link = '<a href="/failures?connector=bigcommerce&amp;dismissed=true">1</a>'
        assert link in await inside.see(path)

    async def test_they_are_leafed_through_by_themselves(self, inside: House) -> None:
        await inside.park(*range(1, 61))
        keys = [f"orders/{number}" for number in range(1, 56)]
        await inside.press("/failures/dismiss", connector="bigcommerce", keys=keys)
        text = await inside.see("/failures?connector=bigcommerce&dismissed=true")
        assert "55 dismissed" in text
        [path] = re.findall(r'rel="next" href="([^"]+)"', text)
        text = await inside.see(unescape(path))
        assert text.count('type="checkbox" name="keys"') == 5
        assert 'value="orders/55"' in text


class TestTheDoctor:
    async def test_the_page_says_at_which_check_it_is(
        self, inside: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on = asyncio.Event()

        async def slowly(_self: Tajo, _name: str, heed: Heed) -> None:
            heed("store-clock", 1, 25)
            await go_on.wait()

        monkeypatch.setattr(Tajo, "doctor", slowly)
        monkeypatch.setattr(errands, "PATIENCE", 0.0)
        text = await inside.press("/doctor", connector="bigcommerce")
        assert 'max="25" value="1"' in text
        assert "<code>store-clock</code>, 2 of 25" in text
        go_on.set()


class TestSettings:
    async def test_a_key_is_shown_once_and_works_until_it_is_revoked(self, inside: House) -> None:
        text = await inside.press("/settings/keys", name="CI", scope="read")
        found = re.search(r"tajo_[\w-]+", text)
        assert found
        assert found[0] not in await inside.see("/settings")
        caller = await inside.keeper.by_key(found[0])
        assert caller
        (key,) = await inside.keeper.keys()
        assert "opens nothing any more" in await inside.press("/settings/keys/revoke", id=key.id)
        assert await inside.keeper.by_key(found[0]) is None

    async def test_another_password_ends_the_other_sessions(self, inside: House) -> None:
        other = await inside.keeper.sign_in("ada", PASSWORD)
        assert other
        new = "four or five words"
        assert "is changed" in await inside.press("/settings/password", old=PASSWORD, new=new)
        assert await inside.keeper.by_session(other) is None
        assert await inside.keeper.sign_in("ada", new)

    async def test_whoever_left_a_session_open_elsewhere_ends_it_from_here(self, inside: House) -> None:
        forgotten, kept = [await inside.keeper.sign_in("ada", PASSWORD) for _ in range(2)]
        assert forgotten
        assert kept
        text = await inside.see("/settings")
        ids = re.findall(
            r'action="/settings/sessions/end"><input type="hidden" name="id" value="(\w+)"', text
        )
        assert len(ids) == 2
        assert "Sign out everywhere else" in text
        assert forgotten not in text
        assert kept not in text
        (here,) = [one.id for one in await inside.keeper.sessions("ada", forgotten) if one.here]
        assert "You are signed out there" in await inside.press("/settings/sessions/end", id=here)
        assert await inside.keeper.by_session(forgotten) is None
        assert await inside.keeper.by_session(kept)
        assert "over already" in await inside.press("/settings/sessions/end", id=here)
        assert "signed out everywhere else" in await inside.press("/settings/sessions/end")
        assert await inside.keeper.by_session(kept) is None
        assert "signed in nowhere else" in await inside.press("/settings/sessions/end")

    async def test_nobody_ends_a_session_that_is_not_theirs(self, inside: House) -> None:
        theirs = await inside.keeper.sign_in("ada", PASSWORD)
        assert theirs
        (id_,) = [one.id for one in await inside.keeper.sessions("ada", theirs) if one.here]
        assert await inside.keeper.sign_out_elsewhere("eve", "", id_) == 0
        assert await inside.keeper.by_session(theirs)

    async def test_what_people_did_is_told_page_by_page(self, inside: House) -> None:
        for number in range(30):
            await inside.keeper.note("user ada", f"deed {number}")
        text = await inside.see("/settings")
        assert "deed 29" in text
        assert "deed 0<" not in text
        older = re.search(r"/settings\?before=\d+", text)
        assert older
        assert "deed 0<" in await inside.see(older[0])

    async def test_a_store_of_the_file_is_not_disconnected_here(self, inside: House) -> None:
        text = await inside.press("/disconnect", connector="bigcommerce")
        assert "Not done. The connector <code>bigcommerce</code> is described in the configuration" in text

    async def test_the_server_looks_for_no_store_at_somebodys_address(self, tmp_path: Path) -> None:
        async with _house(tmp_path, ENV, may_call=lambda _: False) as house:
            await house.come_in()
            form = {
                "name": "other",
                "store_hash": "abc",
                "access_token": "s3cret",
                "api_url": "http://10.0.0.1",
            }
            text = await house.press("/connect", **form)
            assert "Not done. This server calls no such host." in text
            assert "s3cret" not in text


class TestPreview:
    async def test_an_email_is_in_no_address(self, inside: House) -> None:
        form = {"connector": "bigcommerce", "kind": "customer", "record": "ada@shop.example"}
        answer = await inside.client.post("/preview", data=form, headers=OURS)
        assert "@" not in answer.headers["location"]
        assert "%40" not in answer.headers["location"]
        assert "Nobody with this e-mail is known here" in await inside.see(answer.headers["location"])

    async def test_somebody_known_is_found_by_their_email_in_any_writing(self, inside: House) -> None:
        from tajo.sync.ledger import people

        person = inside.wiring.ledger.secret.person("ada@shop.example")
        row = {"id": 17, "person": person, "storefront": 1, "modified_at": 0.0, "read_at": 1.0}
        async with inside.wiring.ledger.begin() as tx:
            await people.remember_customers(tx, "bigcommerce", [row])
        form = {"connector": "bigcommerce", "kind": "order", "record": " Ada@Shop.example "}
        answer = await inside.client.post("/preview", data=form, headers=OURS)
        assert answer.headers["location"] == "/preview?connector=bigcommerce&kind=customer&id=17"

    async def test_no_number_is_no_record(self, inside: House) -> None:
        for number in ("-1", "0", "x", "9" * 30, "1 or 1"):
            answer = await inside.client.get(f"/preview?kind=order&id={number}", headers=HTML)
            assert answer.status_code == 422
            assert "no number of a record" in answer.text


class TestActivity:
    async def test_the_newest_is_on_top(self, inside: House) -> None:
        for number in range(3):
            inside.journal.tell(f"order {number}: new", connector="bigcommerce")
        text = await inside.see("/activity")
        assert text.index("order 2: new") < text.index("order 0: new")
        assert "after=3" in text

    async def test_what_happens_next_is_an_event(self, inside: House) -> None:
        inside.journal.tell("order 1: new", connector="bigcommerce")
        inside.journal.tell("order 2: new", connector="other")
        lines = as_it_happens(inside.journal, 0, "bigcommerce")
        first = await anext(lines)
        assert '"words":"order 1: new"' in str(first.data)
        waits = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        inside.journal.tell("order 3: new", connector="bigcommerce")
        assert (await waits).id == "3"
        await lines.aclose()


class TestTheSnapshot:
    async def test_it_says_what_the_status_says(self, inside: House) -> None:
        await inside.park(1, 2)
        seen = inside.app.state.house.snapshot.seen["bigcommerce"]
        assert seen.status == await Tajo(inside.wiring).status("bigcommerce")
        assert seen.parts["orders"].parked == 2

    async def test_what_is_gone_is_forgotten(self, inside: House) -> None:
        inside.wiring.leave("bigcommerce")
        await inside.app.state.house.snapshot.look()
        assert inside.app.state.house.snapshot.seen == {}

    async def test_pages_do_without_it_until_it_has_looked(self, inside: House) -> None:
        inside.app.state.house.snapshot.seen = {}
        for path in PAGES:
            await inside.see(path)

    async def test_it_reads_while_somebody_writes(self, inside: House) -> None:
        async with inside.wiring.ledger.begin() as tx:
            await queue.park(tx, "bigcommerce", [(Key(Resource.ORDERS, 1), "x", None)], now=1.0)
            async with asyncio.timeout(10):
                await inside.app.state.house.snapshot.look()


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETTINGS = config.joined({}, "shop", Credentials(store_hash="abc", access_token="t", type="bigcommerce"))
QUIET = Status(
    connector="shop",
    connected=True,
    last_sync=NOW - timedelta(minutes=5),
    syncing=False,
    progress=None,
    customers_count=3,
    orders_count=2,
    products_count=1,
    contacts_count=3,
    failures_count=0,
    queued_count=0,
    outgoing_count=0,
    webhooks_count=9,
    last_webhook=NOW,
    healed_count=0,
    sequences={},
    deeds={},
)
SWEPT = {one: Part(swept=NOW.timestamp() - 300) for one in ("customers", "orders", "products")}


def judged(
    standing: Standing | None = Standing(working=True),  # noqa: B008 - frozen
    parts: dict[str, Part] | None = None,
    **status: Any,
) -> View:
    told = Status(**{**_fields(QUIET), **status})
    seen = Seen(NOW.timestamp(), told, {**SWEPT, **(parts or {})}, {})
    return judge("shop", SETTINGS, seen, standing, now=NOW.timestamp(), public=True)


class TestTheVerdict:
    def test_all_told_is_in_sync_and_says_when_it_looks_again(self) -> None:
        view = judged()
        assert view.state is State.SYNC
        assert view.todo == []
        assert view.following == (NOW + timedelta(minutes=10)).timestamp()
        assert {line.state for line in view.lines} == {State.SYNC}

    @pytest.mark.parametrize(
        "standing",
        [
            Standing(stuck=True, trouble="the token is refused\n  Mend: make a new one."),
            Standing(working=True, silent=True),
            Standing(working=True, cut_short="a tenth of the orders is missing"),
        ],
    )
    def test_what_only_a_human_mends_needs_a_human(self, standing: Standing) -> None:
        view = judged(standing)
        assert view.state is State.HUMAN
        assert view.todo[0].words == view.words

    def test_a_failure_needs_a_human_in_its_part_alone(self) -> None:
        view = judged(parts={"orders": Part(parked=1, swept=1.0)}, failures_count=1)
        assert view.state is State.HUMAN
        assert {line.part: line.state for line in view.lines} == {
            "Customers": State.SYNC,
            "Orders": State.HUMAN,
            "Products": State.SYNC,
            "Carts": State.SYNC,
        }

    def test_what_is_on_its_way_is_in_sync_and_what_waits_long_is_behind(self) -> None:
        waits = {"orders": Part(due=5, oldest=NOW.timestamp() - 10, swept=1.0)}
        assert judged(parts=waits).state is State.SYNC
        waits = {"orders": Part(due=5, oldest=NOW.timestamp() - 600, swept=1.0)}
        assert judged(parts=waits).state is State.BEHIND

    @pytest.mark.parametrize(
        ("standing", "status"),
        [
            (Standing(busy=True, trouble="another process"), {}),
            (Standing(trouble="the store does not answer"), {}),
            (Standing(working=True, hindered="the store does not answer"), {}),
            (Standing(), {}),
            (Standing(working=True), {"last_sync": None, "connected": False}),
            (Standing(working=True), {"last_sync": NOW - timedelta(hours=3)}),
        ],
    )
    def test_what_mends_itself_is_behind(self, standing: Standing, status: dict[str, Any]) -> None:
        view = judged(standing, **status)
        assert (view.state, view.todo) == (State.BEHIND, [])

    def test_what_needs_a_human_does_not_hide_what_goes_by_itself(self) -> None:
        away = Standing(working=True, hindered="the store does not answer")
        view = judged(away, {"orders": Part(parked=1, swept=1.0)}, failures_count=1)
        assert (view.state, view.words) == (State.HUMAN, "1 record could not be delivered")
        assert "the store does not answer" in view.obstacle
        assert judged(Standing(stuck=True, trouble="no token")).obstacle == ""

    def test_where_nothing_has_begun_no_part_is_in_sync(self) -> None:
        never: dict[str, Part] = dict.fromkeys(SWEPT, Part())
        view = judged(Standing(), never, last_sync=None)
        assert {line.state for line in view.lines} == {State.BEHIND}
        assert "still to answer" in view.words

    def test_customers_are_not_read_before_they_are_whatever_else_is(self) -> None:
        view = judged(parts={"customers": Part(), "subscribers": Part(swept=NOW.timestamp())})
        assert [line.state for line in view.lines if line.part == "Customers"] == [State.BEHIND]

    def test_without_webhooks_carts_are_not_followed(self) -> None:
        seen = Seen(0.0, QUIET, SWEPT, {})
        view = judge("shop", SETTINGS, seen, None, now=NOW.timestamp(), public=False)
        assert [line.state for line in view.lines if line.part == "Carts"] == [State.OFF]


Minutes = st.lists(
    st.tuples(st.integers(0, 10_000).map(lambda n: n * 60.0), st.floats(0, 1e9)), unique_by=lambda p: p[0]
).map(sorted)


class TestCharts:
    @given(Minutes, st.sampled_from([60.0, 300.0, 900.0]))
    def test_gathering_loses_nothing(self, points: list[tuple[float, float]], step: float) -> None:
        summed = gathered(points, step, total=True)
        assert sum(value for _, value in summed) == pytest.approx(sum(value for _, value in points))
        highest = gathered(points, step, total=False)
        assert max((v for _, v in highest), default=0) == max((v for _, v in points), default=0)

    @given(Minutes, st.booleans())
    @example([(0.0, 5e-324)], True)
    def test_whatever_is_drawn_lies_within_the_frame(
        self, points: list[tuple[float, float]], bars: bool
    ) -> None:
        drawn = chart("a", "A", [Serie("x", "one", points)], Span(0.0, 600_060.0, 60.0), bars=bars)
        assert bool(drawn.svg) is any(value for _, value in points)
        ys = [float(y) for y in re.findall(r"\by=\"([\d.-]+)\"", drawn.svg)]
        assert all(0 <= y <= 150 for y in ys)

    def test_nothing_measured_is_said_and_not_drawn(self) -> None:
        drawn = chart("a", "A", [Serie("x", "one", [(0.0, 0.0)])], Span(0.0, 60.0, 60.0))
        assert (drawn.summary, drawn.svg) == ("Nothing measured yet.", "")

    def test_names_are_no_markup(self) -> None:
        drawn = chart("a", "<b>", [Serie("<i>", "one", [(0.0, 1.0)])], Span(0.0, 60.0, 60.0))
        assert "<b>" not in drawn.svg
        assert "<i>" not in drawn.svg


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(0.25, "0.2 s"), (9.96, "10.0 s"), (59, "59 s"), (300, "5 min"), (7200, "2 h"), (172800, "2 days")],
    )
    def test_spans(self, seconds: float, words: str) -> None:
        assert span(seconds) == words

    def test_moments_are_relative_in_words_and_exact_in_the_title(self) -> None:
        at = NOW.timestamp()
        told = when(at - 180, at)
        assert "3 min ago" in told
        assert 'datetime="2026-06-01T11:57:00Z"' in told
        assert 'title="2026-06-01 11:57:00 UTC"' in told
        assert "in 5 min" in when(at + 300, at)
        assert when(None, at) == "never"

    @given(st.text())
    def test_no_sentence_is_markup_but_for_code(self, text: str) -> None:
        plain = re.sub(r"</?code>", "", str(prose(text)))
        assert "<" not in plain
        assert ">" not in plain
