"""A newcomer asks the installed `tajo doctor` about both simulated services, in good and bad order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

TAJO = Path(sys.executable).parent / "tajo"


@contextmanager
def served(service: str, *options: str) -> Iterator[dict[str, str]]:
    """A simulator until the end of the block; what it says of itself in its first line."""
    command = [sys.executable, "-m", f"tajo.sandbox.{service}", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=20)


def environment(store: dict[str, str], brevo: dict[str, str], folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "BC_STORE_HASH": store["store_hash"],
        "BC_ACCESS_TOKEN": store["access_token"],
        "TAJO_BIGCOMMERCE_API_URL": store["url"],
        "BREVO_API_KEY": brevo["api_key"],
        "TAJO_BREVO_API_URL": brevo["url"],
    }


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a small store and an account that are in order."""
    small = ("--customers", "40", "--orders", "80", "--products", "10")
    with ExitStack() as stack:
        store = stack.enter_context(served("bigcommerce", *small))
        brevo = stack.enter_context(served("brevo"))
        yield environment(store, brevo, tmp_path_factory.mktemp("home"))


def doctor(env: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [TAJO, "doctor", *words]
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def report(env: dict[str, str], folder: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON; nothing but these, and no traceback."""
    done = doctor(env, folder, "--json")
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


def mends(found: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["words"] for one in found["findings"] if one["grade"] == "mend"}


def test_two_accounts_in_order(healthy: dict[str, str], tmp_path: Path) -> None:
    code, found = report(healthy, tmp_path)
    assert (code, mends(found), found["left_out"]) == (0, {}, [])
    words = [one["words"] for one in found["findings"]]
    assert "40 customers can be read." in words
    assert "Standard: 150 requests per 30 s, shared with all apps of the store." in words
    told = json.dumps(found)
    assert healthy["BC_ACCESS_TOKEN"] not in told
    assert healthy["BREVO_API_KEY"] not in told
    assert "@" not in told


def test_the_proposed_storefronts_are_those_of_the_store(healthy: dict[str, str], tmp_path: Path) -> None:
    _, found = report(healthy, tmp_path)
    block = YAML(typ="safe", pure=True).load(found["storefronts"])["storefronts"]
    assert len(block) > 1
    assert all(entry["lists"] for entry in block.values())


def test_the_same_in_words(healthy: dict[str, str], tmp_path: Path) -> None:
    done = doctor(healthy, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "BigCommerce accepts the access token" in done.stdout
    assert "storefronts:" in done.stdout


def test_a_missing_scope_is_named(healthy: dict[str, str], tmp_path: Path) -> None:
    with served("bigcommerce", "--customers", "5", "--without-scope", "store_v2_orders") as store:
        env = healthy | {"TAJO_BIGCOMMERCE_API_URL": store["url"], "BC_ACCESS_TOKEN": store["access_token"]}
        code, found = report(env, tmp_path)
    assert code == 3
    assert set(mends(found)) == {"scope-orders"}
    assert "store_v2_orders_read_only (Orders)" in mends(found)["scope-orders"]
    assert found["left_out"] == ["data-orders"]


def test_a_wrong_key(healthy: dict[str, str], tmp_path: Path) -> None:
    code, found = report(healthy | {"BREVO_API_KEY": "xkeysib-wrong"}, tmp_path)
    assert code == 3
    assert set(mends(found)) == {"brevo-key"}
    assert "xkeysib-wrong" not in json.dumps(found)


def test_a_wrong_token(healthy: dict[str, str], tmp_path: Path) -> None:
    code, found = report(healthy | {"BC_ACCESS_TOKEN": "wrong-token"}, tmp_path)
    assert (code, set(mends(found))) == (3, {"store-token"})


def test_ecommerce_that_is_off(healthy: dict[str, str], tmp_path: Path) -> None:
    with served("brevo", "--without-ecommerce") as brevo:
        env = healthy | {"TAJO_BREVO_API_URL": brevo["url"], "BREVO_API_KEY": brevo["api_key"]}
        code, found = report(env, tmp_path)
    assert (code, set(mends(found))) == (3, {"brevo-ecommerce"})


def test_a_host_that_does_not_answer(healthy: dict[str, str], tmp_path: Path) -> None:
    env = healthy | {"TAJO_BIGCOMMERCE_API_URL": "http://127.0.0.1:9"}
    code, found = report(env, tmp_path)
    assert code == 3
    assert mends(found)["store-token"].startswith("BigCommerce cannot be reached at 127.0.0.1:9")


def test_a_french_account(healthy: dict[str, str], tmp_path: Path) -> None:
    with served("brevo", "--language", "fr") as brevo:
        env = healthy | {"TAJO_BREVO_API_URL": brevo["url"], "BREVO_API_KEY": brevo["api_key"]}
        code, found = report(env, tmp_path)
    (names,) = [one for one in found["findings"] if one["check"] == "brevo-names"]
    assert (code, "`first_name: PRENOM` and `last_name: NOM`" in names["mend"]) == (0, True)
