"""What can go wrong goes wrong: each story ends in a clear sentence or a parked record, and nothing is lost.

Whatever happens, no run shows a traceback, a credential or an e-mail address, and with `--json` stdout is one
JSON object or empty.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.served import PLAIN, control, environment, holdings, served

SMALL = ("--customers", "60", "--orders", "100", "--products", "15", "--plan", "unlimited")
LARGE = ("--customers", "300", "--orders", "600", "--products", "60", "--seed", "5")
QUICK = ("--tier", "unlimited", "--time-scale", "0.05")
HURRIED = Path(__file__).with_name("hurried.py")
PACE = 50.0
E_MAIL = re.compile(r"[^\s\"'<>]+@[^\s\"'<>]+\.\w+")
OURS = ("BC_", "TAJO_", "BREVO_")

Env = dict[str, str]


# --- the command line, watched


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def tallies(self) -> dict[str, dict[str, int]]:
        return self.answer["resources"]  # type: ignore[no-any-return]

    def total(self, kind: str) -> int:
        return sum(tally[kind] for tally in self.tallies.values())


class Desk:
    """Where somebody types `tajo …`: a folder and an environment. Every command is looked at for leaks."""

    def __init__(self, folder: Path, env: Env, since: float | None = None) -> None:
        self.folder = folder
        self.env = env
        self._since = since

    def with_(self, **changes: str) -> Desk:
        """The same desk with other variables."""
        return Desk(self.folder, self.env | changes, self._since)

    def hurried(self) -> Desk:
        """The same desk where waiting takes less time."""
        return Desk(self.folder, self.env, time.time())

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tajo"]
        if self._since is not None:
            command = [sys.executable, str(HURRIED), str(PACE), str(self._since)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return subprocess.Popen(
            [*command, *words],
            cwd=self.folder,
            env=inherited | self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], *words: str) -> Ran:
        with process:
            out, err = process.communicate(timeout=100)
        secrets = [self.env[n] for n in ("BC_ACCESS_TOKEN", "BREVO_API_KEY", "TAJO_SECRET_KEY")]
        assert "Traceback" not in out + err, err
        assert [secret for secret in secrets if secret in out + err] == []
        assert E_MAIL.findall(err) == []
        if "--json" in words:
            assert err == "" or out == ""
            assert out == "" or (isinstance(json.loads(out), dict) and out.count("\n") == 1)
        return Ran(process.returncode, out, err)

    def tajo(self, *words: str) -> Ran:
        """Type a command and read what comes."""
        return self.finish(self.start(*words), *words)

    def sync(self, *words: str) -> Ran:
        return self.tajo("sync", "--json", *words)


def refused(ran: Ran, *words: str, code: int = 3) -> None:
    """It ended with this code, nothing on stdout, and a problem and a mend that hold these words."""
    assert (ran.code, ran.out) == (code, ""), ran.err
    problem, mend = ran.err.strip().split("\n  Mend: ")
    assert "\n" not in problem + mend
    for word in words:
        assert word in ran.err


def no_writes(env: Env) -> bool:
    """Brevo was asked, and told nothing."""
    counts = control(env, "brevo", "counts").json()
    return not any(counts["stored"].values())


@contextmanager
def town(folder: Path, store: Sequence[str] = SMALL, account: Sequence[str] = QUICK) -> Iterator[Desk]:
    """A store and an account, and somebody in front of a desk."""
    folder.mkdir(exist_ok=True)
    with served("bigcommerce", *store) as shop, served("brevo", *account) as brevo:
        yield Desk(folder, environment(shop, brevo, f"sqlite:///{folder}/t.db"))


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One for all stories in which nothing is written."""
    with town(tmp_path_factory.mktemp("quiet")) as desk:
        yield desk


@pytest.fixture
def desk(quiet_town: Desk, tmp_path: Path) -> Desk:
    """A new desk in the quiet town, with a ledger of its own."""
    return Desk(tmp_path, quiet_town.env | {"TAJO_DATABASE_URL": f"sqlite:///{tmp_path}/t.db"})


def shop(desk: Desk) -> httpx.Client:
    """The merchant, who changes things in the store."""
    env = desk.env
    return httpx.Client(
        base_url=f"{env['TAJO_BIGCOMMERCE_API_URL']}/stores/{env['BC_STORE_HASH']}",
        headers={"x-auth-token": env["BC_ACCESS_TOKEN"], "accept": "application/json"},
        verify=PLAIN,
    )


# --- credentials


@pytest.mark.parametrize(
    "words",
    [
        ("sync",),
        ("sync", "--dry-run", "--json"),
        ("sync", "--plan", "--json"),
        ("preview", "customer", "1", "--json"),
        ("export", "folder"),
    ],
    ids=" ".join,
)
def test_a_wrong_store_token_is_told_by_every_verb(desk: Desk, words: tuple[str, ...]) -> None:
    stranger = desk.with_(BC_ACCESS_TOKEN="a-token-of-nobody")
    refused(stranger.tajo(*words), "access token", "401", "check store hash and token")
    assert no_writes(desk.env)


def test_an_unknown_store_hash_is_named(desk: Desk) -> None:
    refused(desk.with_(BC_STORE_HASH="nosuchshop").sync(), "nosuchshop", "401", "check store hash")


def test_a_wrong_brevo_key_is_told_with_where_to_find_the_right_one(desk: Desk) -> None:
    stranger = desk.with_(BREVO_API_KEY="xkeysib-nobody")
    refused(stranger.sync(), "API key", "401", "SMTP & API", "Authorised IPs")


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("store_v2_orders", "store_v2_orders_read_only (Orders)"),
        ("store_v2_customers", "store_v2_customers_read_only (Customers)"),
        ("store_sites", "store_sites_read_only (Sites & Routes)"),
    ],
)
def test_a_missing_scope_is_named(tmp_path: Path, scope: str, name: str) -> None:
    with town(tmp_path, (*SMALL, "--without-scope", scope)) as desk:
        refused(desk.sync(), f"it needs the scope {name}", "Store-level API accounts", "403")
        if scope == "store_v2_orders":  # what needs no orders has gone over
            stored = control(desk.env, "brevo", "counts").json()["stored"]
            assert stored["products"] > 0
            assert stored["contacts"] == stored["orders"] == 0


def test_a_key_that_is_withdrawn_and_given_back(tmp_path: Path) -> None:
    with town(tmp_path) as desk:
        assert desk.sync().total("written") > 0
        control(desk.env, "brevo", "key", {"valid": False})
        refused(desk.sync("--full"), "API key", "401")
        control(desk.env, "brevo", "key", {"valid": True})
        again = desk.sync("--full")
        assert (again.total("written"), again.total("failed")) == (0, 0)


# --- the configuration and what it names


def test_a_list_that_does_not_exist_is_told_with_those_that_do(desk: Desk) -> None:
    (desk.folder / "tajo.yaml").write_text("lists: {all_customers: 4711, buyers: 2}\n")
    refused(desk.sync(), "4711", "Your first list", "use a name instead")
    assert no_writes(desk.env)


SECRETIVE = """\
brevo:
  api_key: xkeysib-a-secret-in-the-file
  aip_url: https://api.brevo.com/v3
connectors:
  bigcommerce:
    store_hash: abc123
    access_token: [hunter2]
    sync: {orders: perhaps}
customer_mapping:
  addresses[0].town: CITY
"""


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (SECRETIVE, ["tajo.yaml:3", "tajo.yaml:7", "tajo.yaml:8", "tajo.yaml:10"]),
        ("brevo:\n  api_key: 'xkeysib-a-secret-in-the-file\n", ["tajo.yaml:3"]),
        ("brevo:\n\tapi_key: x\n", ["tajo.yaml:2"]),
        ("- a\n- list\n", ["tajo.yaml:1"]),
        ("brevo: {api_key: '${NOT_SET_ANYWHERE}'}\n", ["tajo.yaml:1"]),
        ("brevo: {api_url: 'http://api.brevo.com/v3'}\n", ["tajo.yaml:1"]),
    ],
    ids=["several mistakes", "open quote", "tab", "a list", "missing variable", "http"],
)
def test_mistakes_in_the_file_are_told_with_their_lines(desk: Desk, text: str, mistakes: list[str]) -> None:
    (desk.folder / "tajo.yaml").write_text(text)
    ran = desk.sync()
    assert (ran.code, ran.out) == (2, "")
    assert [line.split(": ")[0] for line in ran.err.splitlines()] == mistakes, ran.err
    assert "a-secret-in-the-file" not in ran.err
    assert "hunter2" not in ran.err


def test_a_file_or_a_word_that_is_not_there_is_a_usage_error(desk: Desk) -> None:
    for words in (
        ("sync", "--config", "nowhere.yaml"),
        ("sync", "nobody"),
        ("sync", "--resource", "carts"),
        ("sync", "--fast"),
        ("failures", "replay", "orders/one"),
    ):
        ran = desk.tajo(*words)
        assert (ran.code, ran.out) == (2, ""), (words, ran)
        assert ran.err.strip()


# --- places that are not there, or not now


@pytest.mark.parametrize(
    ("variable", "address", "place"),
    [
        ("TAJO_BIGCOMMERCE_API_URL", "http://127.0.0.1:9", "127.0.0.1:9"),
        ("TAJO_BREVO_API_URL", "http://127.0.0.1:9/v3", "127.0.0.1:9"),
    ],
)
def test_a_host_that_is_not_there_is_named(desk: Desk, variable: str, address: str, place: str) -> None:
    ran = desk.hurried().with_(**{variable: address}).sync()
    refused(ran, f"nobody answers at {place}", "run the same command again later", code=1)


def test_ecommerce_is_activated_and_the_next_sync_goes_on(tmp_path: Path) -> None:
    with town(tmp_path, account=("--tier", "unlimited", "--time-scale", "3", "--without-ecommerce")) as desk:
        refused(desk.sync("--resource", "products"), "switched off", "activated just now", "5 minutes")
        url = f"{desk.env['TAJO_BREVO_API_URL']}/ecommerce/config/displayCurrency"
        key = {"api-key": desk.env["BREVO_API_KEY"]}
        while httpx.get(url, headers=key, verify=PLAIN).status_code != 200:
            pass  # Brevo is at it
        ran = desk.sync("--resource", "products")
        assert ran.code == 0
        assert (ran.tallies["products"]["written"], ran.total("failed")) == (15, 0)


# --- storms


@contextmanager
def stormy_town(folder: Path, seed: int, rates: dict[str, float] | None = None) -> Iterator[Desk]:
    """The store misbehaves, at its usual rates or at these, and all clocks run fast."""
    since = time.time()
    command = (str(HURRIED), str(PACE), str(since))
    store = ("simulate", "bigcommerce", *LARGE, "--faults", str(seed))
    account = ("simulate", "brevo", "--tier", "unlimited", "--faults", str(seed))
    worse = [f"{name}={rate}" for name, rate in (rates or {}).items()]
    with announced(*command, *worse, *store) as shop_, announced(*command, *account) as brevo:
        yield Desk(folder, environment(shop_, brevo, f"sqlite:///{folder}/t.db"), since)


@contextmanager
def announced(*words: str) -> Iterator[dict[str, Any]]:
    """A simulator as a process; what it announces, until the block ends."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What Brevo holds after one sync in fair weather."""
    with town(tmp_path_factory.mktemp("calm"), (*LARGE, "--plan", "unlimited")) as desk:
        ran = desk.sync()
        assert ran.total("failed") == 0
        return holdings(desk.env)


#: Three requests in ten go wrong, one import in five fails, one row in twenty vanishes.
HARSH_STORE = {
    "throttled": 0.05,
    "overloaded": 0.05,
    "broken": 0.1,
    "truncated": 0.04,
    "dropped": 0.03,
    "unanswered": 0.03,
}
HARSH_ACCOUNT = {
    "storm": 0.05,
    "server_error": 0.1,
    "late_error": 0.05,
    "dropped": 0.05,
    "too_early": 0.1,
    "failed_import": 0.2,
    "lost_row": 0.05,
}


@pytest.mark.parametrize(("seed", "harsh"), [(1, False), (3, False), (3, True), (10, True)], ids=str)
def test_after_a_storm_brevo_holds_what_a_calm_day_gives(
    tmp_path: Path, undisturbed: dict[str, list[str]], seed: int, harsh: bool
) -> None:
    with stormy_town(tmp_path, seed, HARSH_STORE if harsh else None) as desk:
        if harsh:
            control(desk.env, "brevo", "faults", HARSH_ACCOUNT)
        for _ in range(8):
            ran = desk.sync()
            assert ran.code in {0, 1}, ran.err
            if ran.out and not ran.total("failed") and not ran.answer["troubles"]:
                break
        assert holdings(desk.env) == undisturbed
        counts = control(desk.env, "brevo", "counts").json()
        assert set(counts["orders"]) == {"historical"}, "a storm must not start the merchant's automations"
        if harsh:
            store = control(desk.env, "bigcommerce", "counts").json()["statuses"]
            assert troubles(store) >= 2
            assert troubles(counts["statuses"]) >= 5


def troubles(statuses: dict[str, int]) -> int:
    """How many requests went wrong, those without an answer (0) included."""
    return sum(count for status, count in statuses.items() if status in {"0", "425", "429"} or status >= "5")


def test_a_store_suspended_in_the_middle_goes_on_where_it_stopped(
    tmp_path: Path, undisturbed: dict[str, list[str]]
) -> None:
    slow = dict.fromkeys(("throttled", "overloaded", "broken", "truncated", "dropped", "unanswered"), 0.0)
    with stormy_town(tmp_path, 1, slow | {"slow": 1.0, "slow_seconds": 20.0}) as desk:
        control(desk.env, "brevo", "faults", {})  # fair weather there: an import that fails is another story
        process = desk.start("sync", "--json")
        while control(desk.env, "bigcommerce", "counts").json()["total"] < 10:
            assert process.poll() is None
        control(desk.env, "bigcommerce", "suspend", {"on": True})
        control(desk.env, "bigcommerce", "faults", {"on": False})
        told = ("503", "maintenance, being upgraded or suspended", "open and paid for")
        refused(desk.finish(process, "--json"), *told)
        assert holdings(desk.env) != undisturbed
        refused(desk.sync(), *told)
        control(desk.env, "bigcommerce", "suspend", {"on": False})
        ran = desk.sync()
        assert ran.total("failed") == 0
        assert holdings(desk.env) == undisturbed


# --- records


def test_what_brevo_refuses_is_parked_while_the_rest_goes_on(tmp_path: Path) -> None:
    """A customer with an address that Brevo does not take, and a guest whose address cannot exist."""
    with town(tmp_path) as calm_desk, shop(calm_desk) as merchant:
        desk = calm_desk.hurried()
        jane = {"email": "jane@münchen.example", "first_name": "Jane", "last_name": "Doe"}
        (made,) = merchant.post("/v3/customers", json=[jane]).raise_for_status().json()["data"]
        sold = {
            "status_id": 11,
            "billing_address": {"email": "guest@no_such.example", "first_name": "G", "last_name": "H"},
            "products": [{"product_id": 101, "quantity": 1}],
        }
        order = merchant.post("/v2/orders", json=sold).raise_for_status().json()["id"]
        before = {parked["key"] for parked in desk.tajo("failures", "list", "--json").answer["failures"]}
        assert before == set()

        ran = desk.sync()
        assert ran.code == 1
        assert ran.tallies["customers"]["written"] > 50
        stored = control(desk.env, "brevo", "counts").json()["stored"]
        assert ran.tallies["orders"]["written"] == stored["orders"], (
            "none is told as written that is not there"
        )

        listed = desk.tajo("failures", "list", "--json")
        assert listed.code == 1
        reasons = {row["key"]: row["reason"] for row in listed.answer["failures"]}
        assert reasons[f"customers/{made['id']}"] == "POST /contacts: HTTP 400, Invalid email address"
        assert reasons[f"orders/{order}"] == "the e-mail address cannot exist"
        assert f"customers/{made['id']}" in desk.tajo("failures", "list").out
        assert not E_MAIL.findall(listed.out)

        # Not mended: it stays, and is not sent again and again.
        asked = control(desk.env, "brevo", "counts").json()["routes"]["POST /v3/contacts"]
        assert desk.sync("--full").tallies["customers"]["parked"] >= 1
        assert control(desk.env, "brevo", "counts").json()["routes"]["POST /v3/contacts"] == asked

        mended = {"id": made["id"], "email": "jane@xn--mnchen-3ya.example"}
        merchant.put("/v3/customers", json=[mended]).raise_for_status()
        mended_order = {"billing_address": {**sold["billing_address"], "email": "guest@such.example"}}  # type: ignore[dict-item]
        merchant.put(f"/v2/orders/{order}", json=mended_order).raise_for_status()
        desk.tajo("failures", "replay", f"customers/{made['id']}", f"orders/{order}", "--json")
        left = {row["key"] for row in desk.tajo("failures", "list", "--json").answer["failures"]}
        assert left == reasons.keys() - {f"customers/{made['id']}", f"orders/{order}", f"guests/{order}"}
        held = "\n".join(holdings(desk.env)["contacts"])
        assert mended["email"] in held
        assert "guest@such.example" in held


def test_an_unreadable_word_on_the_command_line_of_replay_is_told(desk: Desk) -> None:
    ran = desk.tajo("failures", "replay", "orders/99999", "--json")
    refused(ran, "not among the failures: orders/99999", code=2)


# --- what succeeds is one JSON object and nothing else


def test_with_json_stdout_is_one_object_in_every_case_that_succeeds(tmp_path: Path) -> None:
    with town(tmp_path) as desk:
        for words in (
            ("status",),
            ("sync", "--plan"),
            ("sync", "--dry-run"),
            ("sync",),
            ("failures", "list"),
            ("failures", "replay"),
            ("preview", "order", "150"),
            ("doctor",),
        ):
            ran = desk.tajo(*words, "--json")
            assert ran.code in {0, 1}, (words, ran.err)
            assert ran.answer, words
            assert ran.err == "", words
