"""The command line's manners: what is wrong is said in a sentence, on stderr, with the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tajo.cli import run


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


def test_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sync", "--help"]) == 0
    assert "--dry-run" in capsys.readouterr().out
