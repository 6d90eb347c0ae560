"""The simulated BigCommerce as a process: start and end, real sockets, BigCommerce's own SDK."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import bigcommerce.api
import httpx
import pytest
import typer
from typer.testing import CliRunner

from tajo.sandbox.bigcommerce.serve import bigcommerce as command

COMMAND = [sys.executable, "-m", "tajo.sandbox.bigcommerce"]


def start(*flags: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen([*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    return out, err


@pytest.fixture(scope="module")
def served():
    process, where = start("--customers", "30", "--orders", "600", "--products", "12", "--plan", "pro")
    yield where
    assert stop(process) == ("", "")


def client(where: dict[str, Any]) -> httpx.Client:
    headers = {"X-Auth-Token": where["access_token"], "Accept": "application/json"}
    return httpx.Client(base_url=f"{where['url']}/stores/{where['store_hash']}", headers=headers)


def test_one_line_says_where_it_is(served):
    assert set(served) == {"url", "store_hash", "access_token", "client_id", "client_secret"}
    with client(served) as http:
        answer = http.get("/v2/orders/count")
        assert answer.json()["count"] == 600
        assert answer.headers["x-rate-limit-requests-quota"] == "450"
        assert http.get("/v2/orders", params={"page": 99}).status_code == 204


def test_the_official_sdk_works(served, monkeypatch):
    """The SDK can be given a host but not plain http: only its scheme is replaced here."""

    def full_path(self: Any, url: str) -> str:
        return "http://" + self.host + self.api_path.format(self.store_hash, url)

    monkeypatch.setattr(bigcommerce.connection.OAuthConnection, "full_path", full_path)
    monkeypatch.setenv("BC_API_ENDPOINT", served["url"].removeprefix("http://"))
    api = bigcommerce.api.BigcommerceApi(
        client_id=served["client_id"], store_hash=served["store_hash"], access_token=served["access_token"]
    )
    try:
        assert api.Store.all()["id"] == served["store_hash"]
        assert [order.id for order in api.Orders.iterall()] == list(range(100, 700))
        order = api.Orders.get(105)
        lines = order.products()
        assert sum(line.quantity for line in lines) == order.items_total
        assert api.Orders.count() == 600
        assert order.update(status_id=5).status == "Cancelled"
        assert [status.id for status in api.OrderStatuses.all()] == list(range(15))
        assert {group.name for group in api.CustomerGroups.all()} >= {"VIP"}
        assert {currency.currency_code for currency in api.Currencies.all()} == {"USD", "EUR"}
        with pytest.raises(bigcommerce.exception.ClientRequestException, match="404"):
            api.Orders.get(9999)
        assert api.connection.rate_limit["requests_quota"] == 450
    finally:
        api.connection._session.close()


def test_faults_reach_the_socket_and_nothing_is_printed():
    process, where = start("--faults", "4", "--plan", "unlimited")
    seen: set[object] = set()
    with client(where) as http:
        for _ in range(400):
            try:
                answer = http.get("/v3/customers", params={"limit": 3})
                seen.add(answer.status_code)
                seen.add("truncated" if answer.status_code == 200 and _broken(answer) else "")
            except httpx.TransportError as error:
                seen.add(type(error))
    assert {200, 429, "truncated", httpx.RemoteProtocolError} <= seen
    assert stop(process) == ("", "")


def _broken(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return True
    return False


def test_webhooks_reach_another_process_of_this_machine(served):
    """The second simulator is the receiver: whatever it answers, it has been asked."""
    process, receiver = start("--customers", "1", "--orders", "1", "--products", "1")
    with client(served) as http:
        hook = {"scope": "store/order/updated", "destination": f"{receiver['url']}/stores/here"}
        assert http.post("/v3/hooks", json=hook).status_code == 200
        http.put("/v2/orders/110", json={"staff_notes": "x"})
        outbox: list[dict[str, Any]] = []
        while not outbox:
            outbox = httpx.get(f"{receiver['url']}/_sandbox/outbox").json()["requests"]
    assert (outbox[0]["method"], outbox[0]["path"]) == ("POST", "/stores/here")
    assert outbox[0]["body"]["data"] == {"type": "order", "id": 110}
    stop(process)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--plan", "gold"], "'gold' is not one of standard, plus, pro, unlimited"),
        (["--data", "/nowhere"], "has no store.json"),
        (["--data", "/nowhere", "--customers", "5"], "drop --customers"),
        (["--without-scope", "orders"], "'orders' is not one of"),
        (["--time-scale", "0"], "must be greater than 0"),
        (["--port", "70000"], "'--port'"),
        (["--customers", "-1"], "'--customers'"),
    ],
)
def test_wrong_flags_are_explained(flags, message):
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, flags, env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_taken_port_is_explained(served):
    port = served["url"].rpartition(":")[2]
    result = subprocess.run(
        [*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 2
    assert "cannot listen" in result.stderr


def test_scopes_can_be_taken_away():
    process, where = start("--without-scope", "store_v2_orders")
    with client(where) as http:
        assert http.get("/v2/orders").status_code == 403
        assert http.get("/v3/customers").status_code == 200
    stop(process)
