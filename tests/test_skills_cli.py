"""`tajo skills`: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tajo.cli import run
from tajo.config import EXAMPLE

ENV = {"BREVO_API_KEY": "k", "BC_STORE_HASH": "abc", "BC_ACCESS_TOKEN": "t", "BC_CLIENT_ID": "c"}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAJO_CONFIG", raising=False)
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)


def answer(words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert run(["skills", *words.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def on(capsys: pytest.CaptureFixture[str]) -> set[str]:
    return {row["name"] for row in answer("list", capsys)["skills"] if row["enabled"]}


DATA = {"customer-sync", "order-sync", "product-sync", "event-tracking"}


def test_the_list_needs_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer("list", capsys)["skills"]
    assert len(rows) == 10
    assert {row["name"] for row in rows if row["enabled"]} == DATA
    first = next(row for row in rows if row["name"] == "abandoned-cart")
    assert (first["version"], first["category"], first["actions"]) == (
        "3.0.0",
        "email-marketing",
        ["brevo/send-email"],
    )
    assert first["steps"][1] == {
        "delay": 86400.0,
        "action": "brevo/send-email",
        "subject": "Your cart is waiting",
        "discount_percent": 10,
    }
    assert run(["skills", "list"]) == 0
    assert "abandoned-cart" in capsys.readouterr().out


def test_what_the_connector_does_itself_is_on_where_it_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tajo.yaml").write_text(EXAMPLE.replace("orders: true", "orders: false"))
    assert on(capsys) == DATA - {"order-sync"}


def test_showing_a_skill_shows_its_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "show", "win-back"]) == 0
    out = capsys.readouterr().out
    assert "win-back 1.0.0, off" in out
    assert "begins: schedule 0 9 * * *, conditions days_since_order >= 90" in out
    assert "ends:   order_placed, unsubscribe" in out
    assert "customers who were lost before the skill was enabled" in out
    assert answer("show win-back", capsys)["documentation"].startswith("# Win-back")


def test_enabling_writes_the_options_and_keeps_the_comments(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("tajo.yaml")
    file.write_text(EXAMPLE)
    file.chmod(0o600)
    assert run(["skills", "enable", "win-back", "--template", "151", "--template", "152"]) == 0
    added = "skills:\n  win-back:\n    enabled: true\n    templates: [151, 152]\n"
    assert file.read_text() == EXAMPLE + added
    assert file.stat().st_mode & 0o777 == 0o600
    assert on(capsys) == DATA | {"win-back"}
    assert run(["skills", "enable", "win-back"]) == 0
    assert run(["skills", "enable", "post-purchase", "--template", "1", "--template", "2"]) == 0
    assert file.read_text().startswith(EXAMPLE + added)
    assert on(capsys) == DATA | {"win-back", "post-purchase"}
    assert [path.name for path in Path().iterdir()] == ["tajo.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show win-bak", "there is no skill `win-bak`; did you mean `win-back`?"),
        ("enable win-bak", "there is no skill `win-bak`; did you mean `win-back`?"),
        ("enable win-back", "tajo skills enable win-back --template ID --template ID"),
        ("enable win-back --template 1", "names 1 templates for 2 messages"),
        ("test customer-sync", "`customer-sync` has no steps"),
        ("test win-back --event order_placed", "`order_placed` does not begin win-back"),
        ("test win-back --at tomorrow", "`tomorrow` is no moment"),
        ("test win-back --spent much", "--spent: must be a number"),
    ],
)
def test_wrong_words_are_refused_and_nothing_is_written(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("tajo.yaml").write_text(EXAMPLE)
    assert run(["skills", *words.split()]) == 2
    assert said in capsys.readouterr().err
    assert Path("tajo.yaml").read_text() == EXAMPLE
    assert [path.name for path in Path().iterdir()] == ["tajo.yaml"]


def test_enabling_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "enable", "win-back", "--template", "1", "--template", "2"]) == 2
    assert "there is no such file; `tajo init` writes one" in capsys.readouterr().err


def test_trying_out_says_step_by_step_what_would_happen(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tajo.yaml").write_text(
        EXAMPLE + 'messages: {quiet_hours: "21:00-08:00", timezone: Europe/Berlin}\n'
    )
    assert run(["skills", "test", "abandoned-cart", "--at", "2026-03-28T20:30", "--cart-total", "80"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Sat 2026-03-28 20:30 CET  cart_abandoned",
        "Sat 2026-03-28 22:30 CET  step 1: waits until Sun 2026-03-29 08:00 CEST: "
        "quiet hours, 21:00-08:00 in Europe/Berlin",
        "Sun 2026-03-29 08:00 CEST  step 1: send-email, template still to be named, “Forgot something?”",
        "Mon 2026-03-30 08:00 CEST  step 2: send-email, template still to be named, "
        "“Your cart is waiting”, 10 % off",
        "Wed 2026-04-01 08:00 CEST  step 3: send-email, template still to be named, "
        "“Last chance - items selling fast”, 15 % off",
    ]
    assert err == "Nothing was sent.\n"


def test_trying_out_for_somebody_else(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer("test abandoned-cart --no-consent", capsys)
    assert [step["decision"] for step in told["steps"]] == ["skip", "skip", "skip"]
    told = answer("test abandoned-cart --unsubscribed", capsys)
    assert told["steps"][0]["why"] == "they have unsubscribed"
    told = answer("test abandoned-cart --cart-total 30 --email bo@shop.example", capsys)
    assert [step["discount"] for step in told["steps"]] == [0, 0, 0]
    assert answer("test order-notifications --event order_status_changed", capsys)["begins"] is False
