"""Command line, HTTP and SDK are faces of the same verbs: whatever is asked, all of them answer the same."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from tajo import config
from tajo.access import Doorkeeper
from tajo.app import Tajo, as_key
from tajo.cli import run
from tajo.client import AsyncConnectors, AsyncKeys, AsyncTajoClient, Connectors, Keys, TajoClient
from tajo.errors import TajoError
from tajo.sync.ledger import queue
from tajo.web import open_faces
from tajo.wiring import open_wiring
from tests.served import both

KEY = "of-the-tests"
NAME = "bigcommerce"
CHANGING = {"seconds", "floor_seconds", "started_at", "finished_at", "run", "calls", "last_sync", "date"}
CONFIG = """
brevo: {}
connectors: {bigcommerce: {}}
server: {public_url: "http://127.0.0.1:9/"}
"""
ORDER = {"type": "order", "id": 101}
SEEN = "orders/999998"
TOPIC = "store/order/updated"

Ask = Callable[[AsyncTajoClient], Awaitable[Any]]


class Verb(NamedTuple):
    """One question in the words of each face."""

    cli: str
    http: tuple[str, str, Any]
    sdk: Ask
    typed: str = ""


VERBS = {
    "connectors": Verb(
        "connectors list", ("GET", "/v1/connectors", None), lambda client: client.connectors.list()
    ),
    "status": Verb(
        f"status {NAME}", ("GET", f"/v1/connectors/{NAME}/status", None), lambda c: c.connectors.status(NAME)
    ),
    "sync": Verb(
        f"sync {NAME} --full --resource products",
        ("POST", f"/v1/connectors/{NAME}/sync", {"type": "full", "resources": ["products"]}),
        lambda c: c.connectors.sync(NAME, type="full", resources=["products"]),
    ),
    "rehearse": Verb(
        f"sync {NAME} --dry-run",
        ("POST", f"/v1/connectors/{NAME}/sync", {"dry_run": True}),
        lambda c: c.connectors.rehearse(NAME),
    ),
    "plan": Verb(
        f"sync {NAME} --plan --full",
        ("GET", f"/v1/connectors/{NAME}/plan?full=true", None),
        lambda c: c.connectors.plan(NAME, full=True),
    ),
    "runs": Verb(
        f"runs --connector {NAME}", ("GET", f"/v1/runs?connector={NAME}", None), lambda c: c.runs(NAME)
    ),
    "run": Verb("runs RUN", ("GET", "/v1/runs/RUN", None), lambda c: c.run("RUN")),
    "failures": Verb(
        f"failures list {NAME}",
        ("GET", f"/v1/connectors/{NAME}/failures", None),
        lambda c: c.connectors.failures(NAME),
    ),
    "replay": Verb(
        f"failures replay --connector {NAME}",
        ("POST", f"/v1/connectors/{NAME}/failures/replay", {}),
        lambda c: c.connectors.replay(NAME),
    ),
    "dismiss": Verb(
        f"failures dismiss {SEEN} --connector {NAME}",
        ("POST", f"/v1/connectors/{NAME}/failures/dismiss", {"keys": [SEEN]}),
        lambda c: c.connectors.dismiss(NAME, [SEEN]),
    ),
    "what was dismissed": Verb(
        f"failures list {NAME} --dismissed",
        ("GET", f"/v1/connectors/{NAME}/failures?dismissed=true", None),
        lambda c: c.connectors.failures(NAME, dismissed=True),
    ),
    "hooks": Verb(
        f"hooks list {NAME}",
        ("GET", f"/v1/connectors/{NAME}/webhooks", None),
        lambda c: c.connectors.hooks(NAME),
    ),
    "register hooks": Verb(
        f"hooks register {NAME}",
        ("POST", f"/v1/connectors/{NAME}/webhooks", None),
        lambda c: c.connectors.register_hooks(NAME),
    ),
    "remove hooks": Verb(
        f"hooks remove {NAME}",
        ("DELETE", f"/v1/connectors/{NAME}/webhooks", None),
        lambda c: c.connectors.remove_hooks(NAME),
    ),
    "handle a webhook": Verb(
        f"hooks receive {TOPIC}",
        (
            "POST",
            f"/v1/connectors/{NAME}/webhooks/received",
            {"topic": "store/order/updated", "payload": ORDER},
        ),
        lambda c: c.connectors.handle_webhook(NAME, topic="store/order/updated", payload=ORDER),
        typed=json.dumps(ORDER),
    ),
    "preview": Verb(
        "preview customer 1",
        ("GET", f"/v1/connectors/{NAME}/preview/customer/1", None),
        lambda c: c.connectors.preview(NAME, "customer", 1),
    ),
    "doctor": Verb(
        f"doctor {NAME}", ("GET", f"/v1/connectors/{NAME}/doctor", None), lambda c: c.connectors.doctor(NAME)
    ),
    "audit": Verb(
        f"audit {NAME}",
        ("POST", f"/v1/connectors/{NAME}/audit", {}),
        lambda c: c.connectors.audit(NAME),
    ),
    "forget": Verb(
        "forget nobody@example.com",
        ("POST", "/v1/forget", {"email": "nobody@example.com"}),
        lambda c: c.forget("nobody@example.com"),
    ),
    "skills": Verb("skills list", ("GET", "/v1/skills", None), lambda c: c.skills()),
    "skills at work": Verb(
        f"skills waiting {NAME}",
        ("GET", f"/v1/connectors/{NAME}/skills", None),
        lambda c: c.connectors.skills(NAME),
    ),
    "keys": Verb("keys list", ("GET", "/v1/keys", None), lambda c: c.keys.list()),
    "a key that is none": Verb(
        "keys revoke nobody", ("DELETE", "/v1/keys/nobody", None), lambda c: c.keys.revoke("nobody")
    ),
    "audit log": Verb(
        "audit-log --limit 5", ("GET", "/v1/audit-log?limit=5", None), lambda c: c.audit_log(limit=5)
    ),
    "a place that is none": Verb(
        "audit-log --after there",
        ("GET", "/v1/audit-log?after=there", None),
        lambda c: c.audit_log(after="there"),
    ),
    "a connector that is not there": Verb(
        "status shop", ("GET", "/v1/connectors/shop/status", None), lambda c: c.connectors.status("shop")
    ),
    "a run that is not there": Verb(
        "runs nobody", ("GET", "/v1/runs/nobody", None), lambda c: c.run("nobody")
    ),
    "a failure that is none": Verb(
        "failures replay orders/999",
        ("POST", f"/v1/connectors/{NAME}/failures/replay", {"keys": ["orders/999"]}),
        lambda c: c.connectors.replay(NAME, ["orders/999"]),
    ),
    "a failure that is none, and is to be dismissed": Verb(
        f"failures dismiss {SEEN} orders/999",
        ("POST", f"/v1/connectors/{NAME}/failures/dismiss", {"keys": [SEEN, "orders/999"]}),
        lambda c: c.connectors.dismiss(NAME, [SEEN, "orders/999"]),
    ),
    "no key at all": Verb(
        "failures replay nobody",
        ("POST", f"/v1/connectors/{NAME}/failures/replay", {"keys": ["nobody"]}),
        lambda c: c.connectors.replay(NAME, ["nobody"]),
    ),
    "a record that is not there": Verb(
        "preview order 999999",
        ("GET", f"/v1/connectors/{NAME}/preview/order/999999", None),
        lambda c: c.connectors.preview(NAME, "order", 999999),
    ),
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A small store, synced once, and a failure that somebody has dismissed."""
    folder = tmp_path_factory.mktemp("faces")
    small = ("--customers", "30", "--orders", "60", "--products", "8", "--seed", "5", "--plan", "unlimited")
    with (
        both(small, ("--tier", "unlimited"), f"sqlite:///{folder}/t.db") as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        (folder / "tajo.yaml").write_text(
            'brevo: {}\nconnectors: {bigcommerce: {}}\nserver: {public_url: "http://127.0.0.1:9/"}\n'
        )
        found["TAJO_CONFIG"] = str(folder / "tajo.yaml")
        for name, value in found.items():
            patch.setenv(name, value)
        assert run(["sync", "--json"]) in (0, 1)
        asyncio.run(dismissed(found))
        yield found


async def dismissed(env: dict[str, str]) -> None:
    async with open_wiring(config.load(None, env), env) as wiring, wiring.ledger.begin() as tx:
        await queue.park(tx, NAME, [(as_key(SEEN), "no such thing", b"told")], now=wiring.now())
        await queue.dismiss(tx, NAME, [as_key(SEEN)], wiring.now())


@asynccontextmanager
async def faces(env: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP face, as programs see it."""
    async with open_wiring(config.load(None, env), env) as wiring:
        keeper = Doorkeeper(wiring.ledger, wiring.now, master=KEY)
        async with open_faces(Tajo(wiring), keeper) as app:
            transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
            headers = {"authorization": f"Bearer {KEY}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
                yield client


def stable(answer: Any) -> Any:
    """An answer without what is another at every time."""
    if isinstance(answer, dict):
        return {key: stable(value) for key, value in answer.items() if key not in CHANGING}
    return [stable(one) for one in answer] if isinstance(answer, list) else answer


def in_terminal(words: list[str], typed: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """What the command says: its JSON, or the words of its refusal."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    capsys.readouterr()
    code = run([*words, "--json"])
    said, complaint = capsys.readouterr()
    return json.loads(said) if said else {"refused": complaint.strip(), "code": code}


async def over_http(client: httpx.AsyncClient, method: str, path: str, body: Any) -> Any:
    answer = await client.request(method, path, json=body)
    if not answer.is_success:
        problem = answer.json()
        mend = f"\n  Mend: {problem['mend']}" if problem.get("mend") else ""
        return {"refused": problem["detail"] + mend, "code": 2}
    told = answer.json()
    for kind in ("run", "audit"):
        while answer.status_code == 202 and kind in told and told["state"] == "running":
            await asyncio.sleep(0.05)
            told = (await client.get(f"/v1/{kind}s/{told[kind]}")).json()
    return told.get("found", told)


async def by_sdk(client: AsyncTajoClient, ask: Ask) -> Any:
    try:
        return msgspec.json.decode(msgspec.json.encode(await ask(client)))
    except TajoError as error:
        return {"refused": str(error), "code": 2}


@pytest.mark.parametrize("verb", VERBS)
async def test_all_faces_answer_the_same(
    verb: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli, (method, path, body), sdk, typed = VERBS[verb]

    async def typing(words: list[str]) -> Any:
        return await asyncio.to_thread(in_terminal, words, typed, monkeypatch, capsys)

    number = (await typing(["runs"]))["runs"][0]["run"]
    words = cli.replace("RUN", number).split()
    await typing(words)  # what it changes is changed by now
    told = await typing(words)
    async with faces(env) as client:
        by_http = await over_http(client, method, path.replace("RUN", number), body)
        assert stable(by_http) == stable(told)
    if "RUN" in cli:
        sdk = lambda client: client.run(number)  # noqa: E731
    async with AsyncTajoClient() as inside:
        assert stable(await by_sdk(inside, sdk)) == stable(told)


@pytest.mark.parametrize(
    "verb", ["sync", "replay", "dismiss", "register hooks", "remove hooks", "preview", "audit", "forget"]
)
async def test_the_audit_log_has_one_word_for_it_whoever_did_it(
    verb: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli, (method, path, body), sdk, _ = VERBS[verb]
    await asyncio.to_thread(in_terminal, cli.split(), "", monkeypatch, capsys)
    async with faces(env) as client, AsyncTajoClient() as inside:
        await over_http(client, method, path, body)
        await by_sdk(inside, sdk)
        log = (await inside.audit_log(limit=3)).deeds
    assert [one.who for one in log] == ["this program", "TAJO_API_KEY", "terminal"]
    assert len({(one.verb, one.about, one.outcome) for one in log}) == 1


def test_the_table_has_every_verb_of_the_sdk() -> None:
    asked = {name for name in vars(AsyncConnectors) if not name.startswith("_")}
    tried = {"list", "status", "sync", "rehearse", "plan", "failures", "replay", "hooks", "register_hooks"}
    tried |= {"dismiss", "remove_hooks", "handle_webhook", "preview", "doctor", "audit", "skills"}
    assert asked - tried == {"connect", "disconnect"}  # see the test below
    asked = {name for name in vars(AsyncTajoClient) if not name.startswith("_")}
    tried = {"runs", "run", "forget", "skills", "audit_log"}
    assert asked - tried == {"activity", "follow_activity", "close"}  # no command has them
    assert {name for name in vars(AsyncKeys) if not name.startswith("_")} == {"list", "create", "revoke"}


async def test_where_no_server_is_nothing_is_said(env: dict[str, str]) -> None:
    async with faces(env) as client, AsyncTajoClient() as inside:
        by_http = await over_http(client, "GET", "/v1/activity", None)
        assert by_http == msgspec.to_builtins(await inside.activity()) == {"lines": [], "next": 0}
        assert (await client.get("/v1/activity/events")).text.strip() == ""


def test_both_clients_have_the_same_methods() -> None:
    for plain, real in ((TajoClient, AsyncTajoClient), (Connectors, AsyncConnectors), (Keys, AsyncKeys)):
        names = [{name for name in vars(one) if not name.startswith("_")} for one in (plain, real)]
        assert names[0] == names[1]


def said(connected: dict[str, Any]) -> dict[str, Any]:
    """Without the doctor's notes: some tell of the moment, such as how much of a limit is in use."""
    return {key: value for key, value in connected.items() if key != "notes"}


async def test_a_store_is_connected_by_one_face_and_seen_by_all(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hash_, token = env["BC_STORE_HASH"], env["BC_ACCESS_TOKEN"]
    empty = {
        **env,
        "TAJO_CONFIG": str(tmp_path / "tajo.yaml"),
        "TAJO_DATABASE_URL": f"sqlite:///{tmp_path}/t.db",
    }
    (tmp_path / "tajo.yaml").write_text("brevo: {}\n")
    for name, value in empty.items():
        monkeypatch.setenv(name, value)
    for name in ("BC_STORE_HASH", "BC_ACCESS_TOKEN", "BC_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    empty = {name: value for name, value in empty.items() if not name.startswith("BC_")}
    words = ["connectors", "connect", NAME, "--store-hash", hash_]
    by_terminal = await asyncio.to_thread(in_terminal, words, f"{token}\n", monkeypatch, capsys)
    async with faces(empty) as client:
        body = {"store_hash": hash_, "access_token": token}
        again = await client.post(f"/v1/connectors/{NAME}/connect", json=body)
        assert said(again.json()) == said(by_terminal)
        assert (await client.get("/v1/connectors")).json()["connectors"][0]["connector"] == NAME
    async with AsyncTajoClient() as inside:
        told = await inside.connectors.connect(NAME, store_hash=hash_, access_token=token)
        assert said(msgspec.to_builtins(told)) == said(by_terminal)
        assert (await inside.connectors.sync(NAME, resources=["products"])).state == "done"
        await inside.connectors.disconnect(NAME)
        assert (await inside.connectors.list()).connectors == []
    assert token.encode() not in (tmp_path / "t.db").read_bytes()


async def test_a_key_is_made_by_one_face_seen_by_all_and_ended_by_another(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def typing(words: str) -> Any:
        return await asyncio.to_thread(in_terminal, words.split(), "", monkeypatch, capsys)

    by_terminal = await typing("keys create reports --scope write")
    async with faces(env) as client, AsyncTajoClient() as inside:
        by_http = (await client.post("/v1/keys", json={"name": "reports", "scope": "write"})).json()
        by_sdk = msgspec.to_builtins(await inside.keys.create("reports", scope="write"))
        made = [by_terminal, by_http, by_sdk]
        assert {frozenset(one) for one in made} == {frozenset({"id", "key"})}
        scopes = [
            (one.id, one.name, one.scope, one.revoked_at)
            for one in (await inside.keys.list()).keys
            if one.name == "reports"
        ]
        assert sorted(scopes) == sorted((one["id"], "reports", "write", None) for one in made)

        ended = await typing(f"keys revoke {by_sdk['id']}")
        assert (await client.delete(f"/v1/keys/{by_terminal['id']}")).json().keys() == ended.keys()
        assert (await inside.keys.revoke(by_http["id"])).revoked_at
        assert {one.id for one in (await inside.keys.list()).keys if one.revoked_at} >= {
            one["id"] for one in made
        }

        log = [(one.who, one.verb, one.about, one.outcome) for one in (await inside.audit_log(limit=6)).deeds]
        assert log == [
            ("this program", "revoke key", by_http["id"], "done"),
            ("TAJO_API_KEY", "revoke key", by_terminal["id"], "done"),
            ("terminal", "revoke key", by_sdk["id"], "done"),
            ("this program", "create key", by_sdk["id"], "done"),
            ("TAJO_API_KEY", "create key", by_http["id"], "done"),
            ("terminal", "create key", by_terminal["id"], "done"),
        ]
