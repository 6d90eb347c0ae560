"""A real half-year of orders goes through: every contact has the metrics that ten lines of Python find."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.served import ONLINE_RETAIL, both, holdings

pytestmark = [
    pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the data set is not beside this checkout"),
    pytest.mark.timeout(600),
]

NOT_COUNTED = {0, 1, 4, 5, 6}


def rows(name: str) -> list[dict[str, object]]:
    with gzip.open(ONLINE_RETAIL / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def expected() -> dict[str, tuple[int, Decimal]]:
    """ORDER_COUNT and TOTAL_SPENT by e-mail, from the files alone."""
    accounts = {row["id"]: str(row["email"]).lower() for row in rows("customers")}
    found: dict[str, list[Decimal]] = {email: [] for email in accounts.values()}
    for row in rows("subscribers"):
        found.setdefault(str(row["email"]).lower(), [])
    for row in rows("orders"):
        billed = str(row["billing_address"]["email"]).lower()  # type: ignore[index]
        bought = found.setdefault(accounts.get(row["customer_id"], billed), [])
        if row["status_id"] not in NOT_COUNTED:
            bought.append(Decimal(str(row["total_inc_tax"])))
    return {email: (len(bought), sum(bought, Decimal(0))) for email, bought in found.items()}


def tajo(env: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tajo", *words]
    return subprocess.Popen(
        command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def sync(env: dict[str, str], *words: str) -> dict[str, object]:
    process = tajo(env, "sync", "--json", *words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    return json.loads(out)  # type: ignore[no-any-return]


def metrics(held: dict[str, list[str]]) -> dict[str, tuple[int, Decimal]]:
    found = {}
    for line in held["contacts"]:
        contact = json.loads(line)
        attributes = contact["attributes"]
        found[contact["email"]] = (
            attributes["ORDER_COUNT"],
            Decimal(str(attributes["TOTAL_SPENT"])).quantize(Decimal("0.01")),
        )
    return found


def test_every_contact_has_the_metrics_of_the_data(database_url: str) -> None:
    wanted = {email: (n, total.quantize(Decimal("0.01"))) for email, (n, total) in expected().items()}
    with both(("--data", str(ONLINE_RETAIL)), (), database_url) as env:
        first = sync(env)
        assert metrics(holdings(env)) == wanted
        assert first["resources"]["orders"]["seen"] == 7409  # type: ignore[index]
        assert first["resources"]["customers"]["written"] == 2030  # type: ignore[index]
        before = holdings(env)
        for words in ((), ("--full",)):
            again = sync(env, *words)
            assert {r["written"] for r in again["resources"].values()} == {0}  # type: ignore[attr-defined]
        assert holdings(env) == before


def test_killed_thirty_times_it_ends_like_an_undisturbed_run(tmp_path: Path) -> None:
    store = ("--data", str(ONLINE_RETAIL), "--plan", "unlimited")
    account = ("--tier", "unlimited", "--time-scale", "0.2")
    with both(store, account, f"sqlite:///{tmp_path}/calm.db") as env:
        began = time.monotonic()
        sync(env)
        undisturbed, seconds = holdings(env), time.monotonic() - began
    chance = random.Random(20110531)
    deaths: defaultdict[str, int] = defaultdict(int)
    with both(store, account, f"sqlite:///{tmp_path}/storm.db") as env:
        while deaths["killed"] < 30:
            # A full sweep each time there is nothing left to resume, so that every kill hits work.
            process = tajo(env, "sync", "--json", *(["--full"] if deaths["finished"] else []))
            try:
                process.wait(chance.uniform(0.3, min(seconds, 4.0)))
                deaths["finished"] += 1
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                deaths["killed"] += 1
            process.communicate()
        sync(env)
        assert holdings(env) == undisturbed
