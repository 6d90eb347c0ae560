"""The examples in the documents run as they stand there, one after the other, against both simulators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import both

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.S)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A store and an account, and an empty folder without a configuration."""
    small = ("--customers", "20", "--orders", "30", "--products", "6", "--plan", "unlimited")
    with both(small, ("--tier", "unlimited"), f"sqlite:///{tmp_path}/t.db") as found:
        monkeypatch.chdir(tmp_path)
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        yield found


def test_the_examples_of_the_sdk_work_as_they_read(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[str, Any] = {}
    for block in BLOCK.findall((ROOT / "docs/api.md").read_text(encoding="utf-8")):
        code = block.replace("https://api.bigcommerce.com", env["TAJO_BIGCOMMERCE_API_URL"])
        exec(compile(code, "docs/api.md", "exec"), known)  # noqa: S102 - that is what examples are for
    assert len(known["data"]) == known["meta"]["pagination"]["total"] == 20
    status = known["status"]
    assert (status.connected, status.products_count) == (True, 6)
    assert "customers_count=" in capsys.readouterr().out
    hook = {"scope": "store/order/updated", "data": {"type": "order", "id": 101}}
    answer = known["bigcommerce_webhook"]
    assert answer({**hook, "producer": "stores/other"}) == (401, "Unauthorized")
    assert answer({**hook, "producer": f"stores/{env['BC_STORE_HASH']}"}) == (200, "OK")
    assert known["tajo"].connectors.status("bigcommerce").queued_count == 1
    known["tajo"].close()
