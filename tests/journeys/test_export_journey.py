"""A store is exported, the export is served as a store, and that one exported: it is the same store."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.served import ONLINE_RETAIL, environment, served

TAJO = [sys.executable, "-m", "tajo"]
REAL = pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the data set is not beside this checkout")
NOBODY = {"api_key": "xkeysib-none", "url": "http://127.0.0.1:9/v3"}  # an export asks Brevo nothing


def export(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Serve a store and export it with the command."""
    with served("bigcommerce", "--plan", "unlimited", *flags) as shop:
        env = os.environ | environment(shop, NOBODY, f"sqlite:///{folder}.db")
        done = subprocess.run(
            [*TAJO, "export", str(folder)], env=env, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    return done


def read(folder: Path) -> dict[str, Any]:
    """Everything in an export; rows by id, since the API promises no order for some lists."""
    found: dict[str, Any] = {"store.json": json.loads((folder / "store.json").read_text())}
    for path in folder.glob("*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        found[path.name] = {row.get("id", row.get("category_id")): row for row in rows}
        assert len(found[path.name]) == len(rows)
    return found


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--customers", "400", "--orders", "600", "--products", "40"), id="generated"),
        pytest.param(("--data", str(ONLINE_RETAIL)), id="online retail", marks=REAL),
    ],
)
def test_an_export_served_as_a_store_is_exported_as_the_same(tmp_path: Path, flags: tuple[str, ...]) -> None:
    export(tmp_path / "first", *flags)
    export(tmp_path / "second", "--data", str(tmp_path / "first"))
    assert read(tmp_path / "second") == read(tmp_path / "first")


@REAL
def test_the_data_set_comes_back_as_it_was_loaded(tmp_path: Path) -> None:
    done = export(tmp_path / "copy", "--data", str(ONLINE_RETAIL))
    assert done.stdout == ""
    assert "2,030 customers, 2,188 subscribers, 7,409 orders, 200 products" in done.stderr
    assert "These files hold personal data; only you may read them" in done.stderr
    copy, original = read(tmp_path / "copy"), read(ONLINE_RETAIL)
    for name in ("customers", "subscribers", "orders", "products", "categories"):
        rows, wanted = copy[f"{name}.jsonl.gz"], original[f"{name}.jsonl.gz"]
        assert rows.keys() == wanted.keys()
        for number, row in wanted.items():
            _contains(rows[number], row, f"{name}/{number}")


def _contains(exported: Any, loaded: Any, where: str) -> None:
    """All that was loaded is in the export, which may know more fields."""
    if isinstance(loaded, dict):
        for name, value in loaded.items():
            assert name in exported, f"{where}.{name}"
            _contains(exported[name], value, f"{where}.{name}")
    elif isinstance(loaded, list):
        assert len(exported) == len(loaded), where
        for number, (one, other) in enumerate(zip(exported, loaded, strict=True)):
            _contains(one, other, f"{where}[{number}]")
    else:
        assert exported == loaded, where
