"""Tests that say what must not be said, each at the place which its docstring names.

`tests/test_overheard.py` runs them and wants each to fail, but for those without a docstring.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from tajo import cli
from tajo.errors import Later, Mend, Refused
from tajo.http import Client
from tajo.journal import Journal
from tajo.sync.account import Account
from tajo.sync.ledger import callers, queue, runs
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import open_ledger
from tajo.sync.model import Key, Resource
from tajo.sync.spans import span

ADDRESS = "ann@example.com"
SAYING = f"import sys; print('about {ADDRESS}', file=sys.%s)"


def saying(stream: str, *words: str) -> list[str]:
    """A command that is called as `tajo` would be, and says it."""
    return [sys.executable, "-c", SAYING % stream, "tajo", *words]


# --- this process


def test_printing() -> None:
    """stdout of the test"""
    print(ADDRESS)


def test_complaining() -> None:
    """stderr of the test"""
    print(ADDRESS, file=sys.stderr)


def test_printing_to_somebody_who_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout of the test"""
    print(ADDRESS)
    assert capsys.readouterr().out


def test_a_command_that_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout of tajo failures list --help"""
    cli.run(["failures", "list", "--help"])
    print(ADDRESS)
    assert capsys.readouterr().out


def test_logging() -> None:
    """the log"""
    logging.getLogger("tajo.server").warning("a callback of %s", ADDRESS)


@pytest.fixture
def hasty() -> None:
    print(ADDRESS)


def test_before_it_begins(hasty: None) -> None:
    """stdout of the test"""


@pytest.fixture
def late() -> Iterator[None]:
    yield
    print(ADDRESS)


def test_after_its_end(late: None) -> None:
    """stdout of the test"""


# --- the product


def test_the_journal() -> None:
    """the journal"""
    Journal(lambda _: None, lambda: 0.0).tell(f"told {ADDRESS}", connector="shop")


@pytest.mark.parametrize("kind", [Mend, Later, Refused])
def test_an_error(kind: type[Exception]) -> None:
    """an error"""
    with pytest.raises(kind):
        raise kind(f"no contact {ADDRESS}")


def test_how_to_mend_an_error() -> None:
    """an error"""
    with pytest.raises(Mend):
        raise Mend("no such contact", f"look for {ADDRESS}")


def test_a_span() -> None:
    """a span"""
    with span("sync", "shop") as here:
        here.set_attribute("tajo.person", ADDRESS)


async def test_the_name_of_a_span() -> None:
    """a span"""
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    client = Client("http://brevo.test", {}, Unlimited(), transport=transport)
    await client.request("GET", "/contacts", route=f"GET /contacts/{ADDRESS}")
    await client.close()


class Unlimited:
    async def admit(self, route: str) -> None:
        pass

    def learn(self, route: str, status: int, headers: Any) -> float | None:
        return None


async def test_problem_details() -> None:
    """problem details"""
    problem = {"detail": f"no contact {ADDRESS}"}
    answer = httpx.Response(404, json=problem, headers={"content-type": "application/problem+json"})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as client:
        await client.get("http://tajo.test/")


async def test_the_reason_of_a_failure(database_url: str) -> None:
    """the ledger's table parked"""
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    async with ledger.begin() as tx:
        await queue.park(tx, "shop", [(Key(Resource.ORDERS, 1), f"HTTP 400, {ADDRESS}", None)], now=0.0)
    await ledger.close()


async def test_the_notes_of_a_run(database_url: str) -> None:
    """the ledger's table runs"""
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    async with ledger.begin() as tx:
        run = await runs.begin_run(tx, "shop", mode="full", scope="", rules="", now=0.0)
        account = Account(troubles=[f"cut short at {ADDRESS}"]).summary()
        await runs.save_run(tx, "shop", msgspec.structs.replace(run, account=account))
    await ledger.close()


async def test_what_somebody_did(database_url: str) -> None:
    """the ledger's table doings"""
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    async with ledger.begin() as tx:
        await callers.note(tx, at=0.0, who="ada", verb="forget", about=ADDRESS, outcome="done")
    await ledger.close()


# --- other processes


def test_a_process_that_is_waited_for() -> None:
    """stderr of tajo sync --full"""
    subprocess.run(saying("stderr", "sync", "--full"), capture_output=True, check=True)


def test_a_process_that_is_read() -> None:
    """stdout of tajo status"""
    with subprocess.Popen(saying("stdout", "status"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()


def test_a_process_that_is_read_line_by_line() -> None:
    """stdout of tajo status"""
    with subprocess.Popen(saying("stdout", "status"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert list(process.stdout)


def test_a_process_that_writes_into_a_file(tmp_path: Path) -> None:
    """stderr of tajo serve"""
    with (tmp_path / "log").open("w") as log:
        subprocess.run(saying("stderr", "serve"), stderr=log, check=True)


def test_a_process_that_prints_where_we_do() -> None:
    """stderr of the test"""
    subprocess.run(saying("stderr", "serve"), check=True)


async def test_a_process_beside_the_loop() -> None:
    """stderr of tajo serve"""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*saying("stderr", "serve"), stderr=pipe)
    await process.communicate()


# --- secrets without a shape of their own


def test_a_credential_of_the_configuration() -> None:
    """an error"""
    token = SecretStr("quite-an-ordinary-word")
    Mend(f"{token.get_secret_value()} is not accepted")


def test_a_credential_in_the_environment() -> None:
    """an error"""
    env = {"BC_ACCESS_TOKEN": "another-ordinary-word"}
    subprocess.run([sys.executable, "-c", ""], env=env, check=True)
    Mend("another-ordinary-word is not accepted")


def test_a_session() -> None:
    """an error"""
    Mend(f"{secrets.token_urlsafe(16)} is over")


def test_the_secret_of_our_webhooks() -> None:
    """an error"""
    Mend(f"{Secret(b's' * 32).token('webhooks')} is wrong")


def test_a_password() -> None:
    """an error"""
    PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("harbours are not ladders")
    Mend("you said: harbours are not ladders")


# --- what may be said


def test_a_preview() -> None:
    subprocess.run(saying("stdout", "preview", "customer", "1"), capture_output=True, check=True)


def test_a_server_that_lets_the_first_person_in() -> None:
    words = "this link lets the first person in: http://127.0.0.1:8000/setup?token=abcdefghijklmnop"
    command = [sys.executable, "-c", f"import sys; print({words!r}, file=sys.stderr)", "tajo", "serve"]
    subprocess.run(command, capture_output=True, check=True)


def test_what_is_nobodys() -> None:
    Mend("brevo: HTTP 404 for contact 17", "write `brevo.api_key`, see https://tajo.example.com")
