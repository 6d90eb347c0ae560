"""Operating does what its page says: the commands are run as they stand there, and old ledgers go on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from sqlite3 import connect as sqlite
from typing import Any

import httpx
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, select

from tajo.sync.ledger import migrations, store
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger, upsert
from tajo.sync.ledger.tables import metadata, tallies
from tests import postgres
from tests.served import PLAIN, both, control, holdings

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
SECRET = Secret(b"s" * 32)

DOCKER = """#!/bin/sh
case "$1 $2" in
    'compose stop' | 'compose start') [ "$3" = tajo ] ;;
    'compose exec') [ "$3 $4" = '-T db' ] && shift 4 && exec "$@" ;;
    *) exit 9 ;;
esac
"""
"""Docker Compose, as far as the page needs it: what runs in the container `db` runs here."""


def commands(heading: str) -> str:
    """The commands under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    found = re.search(r"^```sh\n(.*?)^```", section.partition("\n### ")[0], re.M | re.S)
    assert found, f"no commands under {heading}"
    return found[1]


async def run(script: str, folder: Path, **env: str) -> None:
    """Type this into a shell in that folder; it must succeed."""
    path = [folder / "bin", Path(sys.executable).parent, Path(postgres.binary("pg_dump")).parent]
    env = {"PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]), **env}
    process = await asyncio.create_subprocess_exec(
        "sh", "-euc", script, cwd=folder, env=env, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 0, told.decode()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Ledger]:
    ledger = await open_ledger(url, SECRET)
    try:
        yield ledger
    finally:
        await ledger.close()


async def asked(url: str, question: Callable[[Connection], Any]) -> Any:
    async with opened(url) as ledger, ledger.begin() as tx:
        return await tx.run_sync(question)


def drift(connection: Connection) -> list[Any]:
    """What alembic would have to migrate for the tables to be as the code has them."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


# --- a backup beside a writer, and back


async def put(ledger: Ledger, count: int) -> None:
    """Always the same in two rows: whoever sees one without the other has seen half a transaction."""
    rows = [{"connector": name, "name": "n", "count": count, "last": 0.0} for name in ("a", "b")]
    async with ledger.begin() as tx:
        await upsert(tx, tallies, rows)


async def counted(url: str) -> int:
    async with opened(url) as ledger, ledger.begin() as tx:
        first, second = await tx.scalars(select(tallies.c.count))
    assert first == second
    return int(first)


async def while_written(ledger: Ledger, work: Awaitable[None]) -> tuple[int, int]:
    """What was last put down when the work began, and when it ended; it goes on being written meanwhile."""
    task, count = asyncio.ensure_future(work), 100
    began = count
    await put(ledger, count)
    while not task.done():
        count += 1
        await put(ledger, count)
    await task
    assert count > began, "nobody wrote"
    return began, count


async def test_a_backup_of_sqlite_beside_a_writer_is_whole_and_can_be_restored(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/tajo.db", tmp_path / "tajo.db"
    async with opened(url) as ledger:
        await put(ledger, 1)
        began, ended = await while_written(ledger, run(commands("SQLite, backing up"), tmp_path))
        await put(ledger, 1_000_000)
        killed = {suffix: Path(f"{file}{suffix}").read_bytes() for suffix in ("-wal", "-shm")}
    for suffix, left in killed.items():  # as a kill leaves them
        Path(f"{file}{suffix}").write_bytes(left)
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    await run(commands("SQLite, restoring"), tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert began <= await counted(url) <= ended
    assert await asked(url, drift) == []


async def test_a_backup_in_the_wrong_folder_fails_instead_of_saving_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unable to open database file"):
        await run(commands("SQLite, backing up"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["PostgreSQL", "Compose"])
async def test_a_backup_of_postgresql_beside_a_writer_is_whole_and_can_be_restored(
    tmp_path: Path, _postgres: str, place: str
) -> None:
    name = "tajo" if place == "Compose" else f"backup{os.getpid()}"
    with psycopg.connect(postgres.url(_postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    env = {"PGHOST": _postgres, "PGUSER": "tajo", "PGDATABASE": name}
    if place == "Compose":
        del env["PGUSER"], env["PGDATABASE"]
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "docker").write_text(DOCKER)
        (tmp_path / "bin" / "docker").chmod(0o755)
    url = postgres.url(_postgres, name)
    try:
        async with opened(url) as ledger:
            await put(ledger, 1)
            began, ended = await while_written(ledger, run(commands(f"{place}, backing up"), tmp_path, **env))
            await put(ledger, 1_000_000)
        assert (tmp_path / "backup.dump").stat().st_mode & 0o777 == 0o600
        await run(commands(f"{place}, restoring"), tmp_path, **env)
        assert began <= await counted(url) <= ended
        assert await asked(url, drift) == []
    finally:
        with psycopg.connect(postgres.url(_postgres, "postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# --- old ledgers


REVISIONS = sorted(
    one.revision for one in ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()
)


def reflected(connection: Connection) -> dict[str, Table]:
    """The tables that are there, whatever the code has; without alembic's own."""
    found = MetaData()
    found.reflect(connection)
    return {name: table for name, table in found.tables.items() if name != "alembic_version"}


def sample(kind: type, number: int) -> Any:
    """A value for a column."""
    values = {str: f"{number}", bytes: bytes([number]), int: number, float: number / 2, bool: True}
    return values[kind]


def fill(connection: Connection) -> None:
    """Two rows in every table, with a value in every column; the ledger's own facts stay."""
    for table in reflected(connection).values():
        for number in (1, 2):
            row = {column.name: sample(column.type.python_type, number) for column in table.columns}
            connection.execute(table.insert(), row)


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    tables = reflected(connection)
    return {
        name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for name, table in tables.items()
    }


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_a_ledger_of_any_earlier_version_becomes_todays_and_keeps_its_rows(
    database_url: str, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LATEST", revision)
    async with opened(database_url) as ledger, ledger.begin() as tx:
        await tx.run_sync(fill)
        before = await tx.run_sync(rows_of)
    monkeypatch.undo()
    assert await asked(database_url, drift) == []
    after = await asked(database_url, rows_of)
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]]
        assert sorted(map(repr, kept)) == sorted(map(repr, rows)), name


def synced(env: dict[str, str], folder: Path) -> dict[str, Any]:
    """What `tajo sync` says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "tajo", "sync", "--json"],
        cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A store with some history, Brevo, and a ledger in `tajo.db`; the environment for `tajo`."""
    sizes = ("--customers", "40", "--orders", "60", "--products", "8", "--plan", "unlimited")
    account = ("--tier", "unlimited", "--time-scale", "0.01")
    with both(sizes, account, f"sqlite:///{tmp_path}/tajo.db") as env:
        yield env


def events(env: dict[str, str]) -> Counter[str]:
    """How often which event was told to Brevo."""
    lines = control(env, "brevo", "events").text.splitlines()
    return Counter(json.loads(line)["event_name"] for line in lines)


async def test_a_ledger_of_the_first_version_tells_nothing_twice(
    shop: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(shop, tmp_path)
    told, file = holdings(shop), tmp_path / "tajo.db"
    today = file.rename(tmp_path / "today.db")
    monkeypatch.setattr(store, "LATEST", REVISIONS[0])
    async with opened(shop["TAJO_DATABASE_URL"]):
        pass
    monkeypatch.undo()
    # what the first version remembered of it all
    with closing(sqlite(file)) as connection, connection:
        connection.execute("DELETE FROM facts")
        connection.execute("ATTACH ? AS today", [str(today)])
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            if name != "alembic_version":
                columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({name})"))
                copy = f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM today.{name}"  # noqa: S608
                connection.execute(copy)
    account = synced(shop, tmp_path)
    assert sum(tally["written"] for tally in account["resources"].values()) == 0
    assert sum(tally["seen"] for tally in account["resources"].values()) > 0
    assert holdings(shop) == told
    assert events(shop) == Counter()


def ship(env: dict[str, str]) -> None:
    """In the control panel of the store, the newest order gets another status."""
    order = json.loads(control(env, "bigcommerce", "orders").text.splitlines()[-1])
    panel = f"{env['TAJO_BIGCOMMERCE_API_URL']}/_sandbox/panel/stores/{env['BC_STORE_HASH']}"
    status = {"status_id": 10 if order["status_id"] == 2 else 2}
    headers = {"x-auth-token": env["BC_ACCESS_TOKEN"]}
    url = f"{panel}/v2/orders/{order['id']}"
    httpx.put(url, json=status, headers=headers, timeout=60, verify=PLAIN).raise_for_status()


async def test_after_an_old_backup_brevo_ends_as_the_store_is_and_hears_of_that_time_again(
    shop: dict[str, str], tmp_path: Path
) -> None:
    synced(shop, tmp_path)
    await run(commands("SQLite, backing up"), tmp_path)
    ship(shop)
    synced(shop, tmp_path)
    told, heard = holdings(shop), events(shop)
    assert heard["order_status_changed"] == 1
    await run(commands("SQLite, restoring"), tmp_path)
    synced(shop, tmp_path)
    assert holdings(shop) == told
    assert events(shop) == heard + heard


async def test_a_ledger_that_is_built_anew_with_the_old_key_tells_of_nothing_again(
    shop: dict[str, str], tmp_path: Path
) -> None:
    synced(shop, tmp_path)
    ship(shop)
    synced(shop, tmp_path)
    told, heard = holdings(shop), events(shop)
    await run("rm tajo.db*", tmp_path)
    synced(shop, tmp_path)
    assert holdings(shop) == told
    assert events(shop) == heard
