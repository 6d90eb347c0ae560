"""The ledger's tables: the migrations build what the code expects, and what cannot be used is told."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, inspect, select, text

from tajo.errors import Mend, Usage
from tajo.sync.ledger import migrations, store
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.tables import metadata

SECRET = Secret(b"s" * 32)


@asynccontextmanager
async def opened(url: str, secret: Secret = SECRET) -> AsyncIterator[Ledger]:
    ledger = await open_ledger(url, secret)
    try:
        yield ledger
    finally:
        await ledger.close()


async def asked(url: str, question: Any) -> Any:
    """What a synchronous question about the database is answered."""
    async with opened(url) as ledger, ledger.begin() as tx:
        return await tx.run_sync(question)


def drift(connection: Connection) -> list[Any]:
    """What alembic would have to migrate for the tables to be as the code has them."""
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def primary_keys(connection: Connection) -> dict[str, list[str]]:
    """They decide what an upsert overwrites, and `compare_metadata` does not look at them."""
    look = inspect(connection)
    return {name: look.get_pk_constraint(name)["constrained_columns"] for name in metadata.tables}


def contents(connection: Connection) -> dict[str, list[Any]]:
    """All that stands in the database, and how its tables are made."""
    look = inspect(connection)
    found: dict[str, list[Any]] = {}
    everything = MetaData()
    everything.reflect(connection)
    for name, table in sorted(everything.tables.items()):
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)]
        indexes = sorted((str(i["name"]), i["column_names"]) for i in look.get_indexes(name))
        rows = sorted(map(repr, connection.execute(select(table)).all()))
        found[name] = [columns, indexes, look.get_pk_constraint(name)["constrained_columns"], rows]
    return found


async def test_the_migrated_tables_are_those_of_the_code(database_url: str) -> None:
    assert await asked(database_url, drift) == []
    wanted = {name: [column.name for column in table.primary_key] for name, table in metadata.tables.items()}
    assert await asked(database_url, primary_keys) == wanted


async def test_a_drift_would_be_seen(database_url: str) -> None:
    def harm(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE orders ADD COLUMN extra INTEGER"))
        connection.execute(text("DROP INDEX orders_by_person"))

    await asked(database_url, harm)
    assert {change[0] for change in await asked(database_url, drift)} == {"remove_column", "add_index"}


async def test_opening_twice_changes_nothing(database_url: str) -> None:
    before = await asked(database_url, contents)
    assert before["facts"][-1]
    assert before["alembic_version"][-1]
    assert await asked(database_url, contents) == before


OLD = {
    "connector": "shop",
    "skill": "post-purchase",
    "id": 7,
    "person": b"p",
    "step": 1,
    "began": 1.0,
    "due": 2.0,
    "event": "order_placed",
    "sealed": b"s",
}


async def test_a_database_of_an_earlier_version_keeps_what_waits_in_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LATEST", "0006")
    async with opened(database_url) as ledger, ledger.begin() as tx:
        before = Table("sequences", MetaData(), *(Column(name) for name in (*OLD, "resource")))
        await tx.execute(before.insert(), [OLD | {"resource": one} for one in ("orders", "carts")])
    monkeypatch.undo()
    assert await asked(database_url, drift) == []
    async with opened(database_url) as ledger, ledger.begin() as tx:
        rows = (await tx.execute(select(metadata.tables["sequences"]))).mappings().all()
    kept = {row["resource"]: dict(row) for row in rows}
    assert kept["orders"] == OLD | {"resource": "orders", "occasion": "order_placed"}
    assert kept["carts"] == OLD | {"resource": "carts", "occasion": ""}


async def test_the_migrations_are_one_line_without_branches() -> None:
    script = ScriptDirectory(str(Path(str(migrations.__file__)).parent))
    assert len(script.get_bases()) == 1
    assert script.get_heads() == [store.LATEST]


async def test_a_migration_that_breaks_off_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate = store._migrate

    def die_at_the_end(connection: Connection) -> None:
        migrate(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_migrate", die_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        await open_ledger(database_url, SECRET)
    monkeypatch.undo()
    assert await asked(database_url, drift) == []


OPENER = """
import asyncio, sys
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import open_ledger

async def main():
    ledger = await open_ledger(sys.argv[1], Secret(b"s" * 32))
    await ledger.close()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


async def test_several_that_open_an_empty_database_at_once_all_can(database_url: str) -> None:
    command = [sys.executable, "-c", OPENER, database_url]
    with contextlib.ExitStack() as stack:
        openers = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            for _ in range(4)
        ]
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write("go\n")
            opener.stdin.flush()
        assert [opener.communicate(timeout=60)[1][-300:] for opener in openers] == [""] * 4
    assert await asked(database_url, drift) == []


async def test_another_secret_is_refused_with_the_mend(database_url: str) -> None:
    before = await asked(database_url, contents)
    with pytest.raises(Mend, match="another secret key") as refused:
        await open_ledger(database_url, Secret(b"t" * 32))
    assert refused.value.exit_code == 3
    assert "TAJO_SECRET_KEY" in refused.value.mend
    assert await asked(database_url, contents) == before


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@host/shop", "postgresql+asyncpg://me:hunter2@host/shop", "tajo.db", "", "://"]
)
async def test_another_kind_of_database_is_a_usage_error(url: str) -> None:
    with pytest.raises(Usage, match="neither sqlite:// nor postgresql://") as refused:
        await open_ledger(url, SECRET)
    assert refused.value.exit_code == 2
    assert "hunter2" not in str(refused.value)


async def refusal(url: str) -> str:
    """The words of the `Mend` with which a database is refused."""
    with pytest.raises(Mend, match=r"the database cannot be used: \w") as refused:
        await open_ledger(url, SECRET)
    assert refused.value.exit_code == 3
    assert "database_url" in refused.value.mend
    assert "Traceback" not in str(refused.value)
    return str(refused.value)


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    await refusal(f"sqlite:///{tmp_path}/missing/t.db")
    await refusal(f"sqlite:///{tmp_path}")
    (tmp_path / "file").write_text("")
    await refusal(f"sqlite:///{tmp_path}/file/t.db")


async def test_a_database_that_may_only_be_read_is_told(tmp_path: Path) -> None:
    await asked(f"sqlite:///{tmp_path}/t.db", contents)
    with contextlib.closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    assert "readonly" in await refusal(f"sqlite:///file:{tmp_path}/t.db?mode=ro&uri=true")


async def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "t.db"
    file.write_text("Dear diary, " * 100)
    assert "not a database" in await refusal(f"sqlite:///{file}")
    assert file.read_text() == "Dear diary, " * 100


async def test_a_server_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    for place in ("127.0.0.1:9/shop", f"/shop?host={tmp_path}"):
        assert "hunter2" not in await refusal(f"postgresql://me:hunter2@{place}")


async def test_a_database_of_a_newer_tajo_is_refused_and_left_alone(database_url: str) -> None:
    def from_the_future(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await asked(database_url, from_the_future)
    words = await refusal(database_url)
    assert "9999" in words
