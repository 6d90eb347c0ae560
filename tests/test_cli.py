"""The command line's manners: what is wrong is said in a sentence, on stderr, with the right exit code."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tajo import config
from tajo.cli import run
from tajo.sync.ledger import queue
from tajo.sync.model import Key, Resource
from tajo.wiring import open_wiring

CONNECTED = {
    "BREVO_API_KEY": "x",
    "BC_STORE_HASH": "abc123",
    "BC_ACCESS_TOKEN": "t",
    "TAJO_SECRET_KEY": "s" * 32,
}


@pytest.fixture(autouse=True)
def _nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration: an empty folder, an environment without credentials."""
    monkeypatch.chdir(tmp_path)
    for name in ("TAJO_CONFIG", "BREVO_API_KEY", "BC_STORE_HASH", "BC_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("sync --nonsense", "No such option: --nonsense"),
        ("sync --resource carts", "unknown resource `carts`"),
        ("preview", "Missing argument"),
        ("preview customer seven", "Invalid value for 'ID'"),
        ("preview cart 7", "cannot preview a `cart`"),
        ("export", "Missing argument 'DIR'"),
        ("failures replay nobody", "`nobody` names no record"),
        ("failures dismiss nobody", "`nobody` names no record"),
        ("failures dismiss", "Missing argument 'keys'"),
        ("hooks nonsense", "No such command 'nonsense'"),
        ("forget", "Missing argument 'EMAIL'"),
        ("serve --port x", "Invalid value for '--port'"),
        ("sync --plan", "brevo.api_key"),
        ("serve", "brevo.api_key"),
        ("hooks register", "brevo.api_key"),
    ],
)
def test_wrong_words_are_named_with_exit_code_2(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert "Traceback" not in err
    assert out == ""


async def _parked(*keys: Key) -> None:
    settings = config.load(None, os.environ)
    async with open_wiring(settings, os.environ) as wiring, wiring.ledger.begin() as tx:
        await queue.park(tx, "bigcommerce", [(key, "no e-mail", None) for key in keys], now=1.0)


def test_what_was_dismissed_leaves_the_list_is_counted_and_is_shown_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in CONNECTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAJO_DATABASE_URL", f"sqlite:///{tmp_path}/t.db")
    asyncio.run(_parked(Key(Resource.ORDERS, 3), Key(Resource.ORDERS, 4)))

    def said(words: str, code: int) -> str:
        assert run(words.split()) == code
        return capsys.readouterr().out

    assert "bigcommerce: 2 failures" in said("failures list", 1)
    told = said("failures dismiss orders/3", 0)
    assert "dismissed orders/3" in told
    assert "1 failures are left; 1 dismissed" in told
    told = said("failures list", 1)
    assert "bigcommerce: 1 failures" in told
    assert "orders/3" not in told
    assert "1 dismissed: tajo failures list --dismissed" in told
    said("failures dismiss orders/4", 0)
    assert "2 dismissed" in said("failures list", 0)
    told = said("failures list --dismissed", 0)
    assert all(words in told for words in ("bigcommerce: 2 dismissed", "orders/3", "orders/4", "no e-mail"))


def test_whoever_dismisses_what_is_no_failure_is_told_so_and_nothing_is_dismissed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in CONNECTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAJO_DATABASE_URL", f"sqlite:///{tmp_path}/t.db")
    asyncio.run(_parked(Key(Resource.ORDERS, 3)))
    assert run(["failures", "dismiss", "orders/3", "orders/5"]) == 2
    assert "not among the failures: orders/5" in capsys.readouterr().err
    assert run(["failures", "list"]) == 1


def test_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sync", "--help"]) == 0
    assert "--dry-run" in capsys.readouterr().out
