"""The listener at the tests: it finds what it looks for, everywhere it listens, and nothing else."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import indiscreet
from tests.leaks import PATTERNS, leaks

ROOT = Path(__file__).parents[1]

LEAKS = {
    "e-mail": (
        "no contact ann@example.com",
        "GET /contacts/ANN.O'Brien+shop%40shop.example.org?identifierType=email_id",
        "<x@mail.example>",
    ),
    "phone": (
        "SMS +4915112345678",
        "'+44 1632 960 961'",
        "+49 (0)15112345678",
        "+49 30 901820",
        "06 12 34 56 78",
        "0033 612345678",
        "(512) 555-0147",
        "phone=%2B33612345678",
        "512.555.0147 ext. 51",
    ),
    "name": ("of Frédéric Dubois", "dear Katarzyna,", '{"first_name":"Al"}', "Tanaka: 3 orders"),
    "street": ("12 High Street", "240 Rua Nova, Berlin"),
    "secret": (
        "api-key: xkeysib-5a5a",
        f"tajo_{'a' * 43}",
        f"http://127.0.0.1:8000/setup?token={'Ab1_' * 10}",
        f"https://tajo.example.com/r/{'Ab1-' * 20}",
        "postgresql+psycopg://tajo:hunter22@db/tajo",
        f"cookie {'Ab1-' * 10}Ab1",
        f"x-tajo-secret: {'0f' * 32}",
        "sandbox-access-token",
        "https://store.example/?client=1&secret=sandbox-client-secret",
    ),
}

HARMLESS = (
    "2026-01-01T00:00:00+00:00  shop  customer 17: kept among the failures: HTTP 400, <e-mail>",
    "1,234,567 records in 1234567890 s; run 0b8ccf377748; at 1790812800.5",
    "see Brevo > Settings > SMTP & API > API keys, it starts with xkeysib-",
    "postgresql://tajo:***@db/tajo",
    "write `sqlite:///tajo.db` or `postgresql://user:password@host/database`",
    "Green Mug, Brown, 12 High, GET /v3/customers?limit=250",
    "https://tajo.example.com/signin?next=%2Ffailures%3Fconnector%3Dbigcommerce",
    "tmp/pytest-of-root/pytest-376/test_the_spans_of_a_sync_arriv0/tajo.db",
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in LEAKS.items() for text in texts])
def test_a_leak_is_found_and_named(kind: str, text: str) -> None:
    found = leaks(f"all is well\n{text}\nagain")
    assert {leak.kind for leak in found} == {kind}
    assert "all is well" not in found[0].line


def test_every_kind_is_tried() -> None:
    assert LEAKS.keys() == PATTERNS.keys()


@pytest.mark.parametrize("text", HARMLESS)
def test_other_words_are_no_leak(text: str) -> None:
    assert leaks(text) == []


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What was said of each indiscreet test; empty where it passed."""
    report = tmp_path_factory.mktemp("indiscreet") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run(
        [*command, "tests/indiscreet.py"], cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=100
    )
    told: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - we made it
        words = "".join(part.text or "" for kind in ("failure", "error") for part in case.iter(kind))
        told[case.attrib["name"]] = told.get(case.attrib["name"], "") + words
    return told


@pytest.mark.parametrize(
    ("name", "where"),
    [(name, inspect.getdoc(one)) for name, one in vars(indiscreet).items() if name.startswith("test_")],
)
def test_what_is_said_there_is_heard(complaints: dict[str, str], name: str, where: str | None) -> None:
    heard = [words for case, words in complaints.items() if case.partition("[")[0] == name]
    assert heard
    for words in heard:
        assert words.startswith(f"{where} holds this ") if where else words == ""
