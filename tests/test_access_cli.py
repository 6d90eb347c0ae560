"""`tajo keys`, `tajo password`, `tajo secret`: what they print, what they change, and what they refuse."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tajo.access import Doorkeeper, Scope
from tajo.cli import run
from tajo.sync.ledger import connections
from tajo.sync.ledger.secret import Secret, find_secret
from tajo.sync.ledger.store import Ledger, open_ledger

T = TypeVar("T")

CREDENTIALS = {"store_hash": "abc", "access_token": "t"}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "DATABASE_URL", "SECRET_KEY", "API_KEY", "PUBLIC_URL"):
        monkeypatch.delenv(f"TAJO_{name}", raising=False)
    for name in ("BC_STORE_HASH", "BC_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BREVO_API_KEY", "k")


def said(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that succeeds prints on stdout."""
    assert run(words.split()) == 0
    return capsys.readouterr().out


def in_ledger(look: Callable[[Ledger], Awaitable[T]], secret: Secret | None = None) -> T:
    """What the ledger in this folder answers."""

    async def ask() -> T:
        ledger = await open_ledger("sqlite:///tajo.db", secret or find_secret(None, Path("tajo.key")))
        try:
            return await look(ledger)
        finally:
            await ledger.close()

    return asyncio.run(ask())


def doings() -> list[tuple[str, str, str]]:
    found = in_ledger(lambda ledger: Doorkeeper(ledger, lambda: 0.0, master=None).doings())
    return [(one.who, one.verb, one.about) for one in reversed(found)]


def test_a_key_is_printed_alone_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = said("keys create CI --scope write", capsys).removesuffix("\n")
    caller = in_ledger(lambda ledger: Doorkeeper(ledger, lambda: 0.0, master=None).by_key(text))
    assert caller is not None
    assert caller.scope is Scope.WRITE
    (row,) = json.loads(said("keys list --json", capsys))["keys"]
    assert (row["name"], row["scope"], row["revoked_at"]) == ("CI", "write", None)
    told = said("keys list", capsys)
    assert row["id"] in told
    assert text not in told
    assert doings() == [("terminal", "create key", row["id"])]


def test_a_key_reads_unless_more_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(said("keys create reports --json", capsys))
    (row,) = json.loads(said("keys list --json", capsys))["keys"]
    assert (row["id"], row["scope"]) == (made["id"], "read")


def test_a_key_that_is_revoked_opens_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(said("keys create CI --json", capsys))
    said(f"keys revoke {made['id']}", capsys)
    assert in_ledger(lambda one: Doorkeeper(one, lambda: 0.0, master=None).by_key(made["key"])) is None
    assert "revoked" in said("keys list", capsys)
    assert run(["keys", "revoke", made["id"]]) == 2
    assert "tajo keys list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("keys create", "Missing argument"),
        ("keys create CI --scope all", "Invalid value for '--scope'"),
        ("keys revoke nobody", "there is no key `nobody` that works"),
        ("secret rotate", "no store is connected"),
    ],
)
def test_wrong_words_are_named(words: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 2
    out, err = capsys.readouterr()
    assert problem in err
    assert out == ""


def test_a_reset_prints_a_link_by_which_one_person_comes_in(capsys: pytest.CaptureFixture[str]) -> None:
    link = said("password reset", capsys).strip()
    address, _, token = link.partition("/setup?token=")
    assert address == "http://127.0.0.1:8000"

    async def come_in(ledger: Ledger) -> str:
        return await Doorkeeper(ledger, time.time, master=None).set_up(token, "ada", "violet ladder harbour")

    assert in_ledger(come_in)
    assert doings() == [("terminal", "reset password", "")]


class TestRotation:
    @pytest.fixture(autouse=True)
    def _something_sealed(self, _somewhere: None) -> None:
        async def put(ledger: Ledger) -> None:
            async with ledger.begin() as tx:
                await connections.put(tx, ledger.secret, "shop", CREDENTIALS, 0.0)

        in_ledger(put)

    @staticmethod
    def opened(*lines: str) -> dict[str, Any]:
        """What this secret alone opens of the ledger that is opened with these."""

        async def look(ledger: Ledger) -> dict[str, Any]:
            async with ledger.begin() as tx:
                return await connections.all_of(tx, Secret(lines[0].encode()))

        return in_ledger(look, Secret(*(line.encode() for line in lines)))

    def test_the_key_file_gets_another_key_that_seals_everything(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (old,) = Path("tajo.key").read_text().split()
        assert run(["secret", "rotate"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("1 values sealed anew")
        new, oldest = Path("tajo.key").read_text().split()
        assert oldest == old
        assert new not in err
        assert self.opened(new, old) == {"shop": CREDENTIALS}
        assert doings() == [("terminal", "rotate secret", "")]
        assert run(["secret", "rotate"]) == 0
        assert len(Path("tajo.key").read_text().split()) == 3

    def test_one_that_was_cut_off_goes_on_with_the_same_key(self, capsys: pytest.CaptureFixture[str]) -> None:
        old = Path("tajo.key").read_text()
        Path("tajo.key").write_text(f"{'n' * 64}\n{old}\n")
        assert run(["secret", "rotate"]) == 0
        assert Path("tajo.key").read_text().split() == ["n" * 64, old]
        assert self.opened("n" * 64, old) == {"shop": CREDENTIALS}

    def test_a_variable_must_hold_the_new_key_already(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = Path("tajo.key").read_text()
        monkeypatch.setenv("TAJO_SECRET_KEY", f"{old}\n")
        assert run(["secret", "rotate"]) == 2
        assert "holds one key" in capsys.readouterr().err
        monkeypatch.setenv("TAJO_SECRET_KEY", f"new\n{old}")
        for _ in range(2):
            assert run(["secret", "rotate"]) == 0
        assert self.opened("new", old) == {"shop": CREDENTIALS}
        assert Path("tajo.key").read_text() == old

    def test_not_while_somebody_works_with_the_older_key(self, capsys: pytest.CaptureFixture[str]) -> None:
        old = Path("tajo.key").read_text()

        async def meanwhile(ledger: Ledger) -> int:
            async with ledger.alone("shop"):
                return await asyncio.to_thread(run, ["secret", "rotate"])

        assert in_ledger(meanwhile) == 3
        assert "another process is working on the connector shop" in capsys.readouterr().err
        assert Path("tajo.key").read_text() == old
