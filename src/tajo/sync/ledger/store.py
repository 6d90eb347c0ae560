"""Open the ledger: one code path for SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from threading import Thread
from typing import Any
from weakref import WeakKeyDictionary

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tajo.errors import Busy, Mend, Usage
from tajo.sync.ledger.secret import Secret, wrong_secret
from tajo.sync.ledger.tables import OTHERS, facts, metadata

Tx = AsyncConnection
Row = Mapping[str, Any]

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


#: Seconds that a connection in a hurry waits for a lock: less than PostgreSQL waits before it looks for a
#: deadlock (1 s), so that in a deadlock it is never the other side that fails.
HURRY = 0.5

#: Who migrates holds this advisory lock of PostgreSQL; any number of our own will do.
_MIGRATION = 0x74616A6F

#: The version of the tables that the code expects.
LATEST = "0011"


class Ledger:
    """The memory of all connectors: an engine, and the secret behind its hashes."""

    def __init__(self, engine: AsyncEngine, secret: Secret) -> None:
        self._engine = engine
        self._locks = _Locks(engine)
        self.secret = secret

    @asynccontextmanager
    async def begin(self, *, turn: str | None = None) -> AsyncIterator[Tx]:
        """One transaction: all of it, or nothing.

        `turn`: a connector of which only one such transaction runs at a time, because it finds
        differences, and two would find the same one. In SQLite all of them take turns anyway.
        """
        async with self._engine.begin() as tx:
            if turn is not None and tx.dialect.name == "postgresql":
                await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"turn:{turn}", 0))))
            yield tx

    @asynccontextmanager
    async def alone(self, connector: str) -> AsyncIterator[None]:
        """Be the only one, on all machines, who works on this connector. Raises `Mend` if somebody else does.

        The lock is the operating system's or PostgreSQL's: it ends with the process, however that ends.
        """
        async with AsyncExitStack() as stack:
            if self._engine.dialect.name == "postgresql":
                got = await self._locks.take(connector)
                if got:
                    stack.push_async_callback(self._locks.release, connector)
            else:
                got = self._lock_file(connector, stack)
            if not got:
                raise Busy(
                    f"another process is working on the connector {connector}",
                    "wait until it has finished, or stop it; two at once would do everything twice. "
                    "`tajo serve` sweeps by itself, so beside it nothing else need run.",
                )
            yield

    def _lock_file(self, connector: str, stack: AsyncExitStack) -> bool:
        """Lock a file beside the database; a database in memory has no others to fear."""
        database = self._engine.url.database
        if not database or database == ":memory:":
            return True
        try:
            lock = os.open(f"{database}.{connector}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise Mend(
                f"cannot lock {database}: {error.strerror}",
                f"remove {database}.{connector}.lock, and let Tajo write into that folder.",
            ) from None
        stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def take_stock(self) -> None:
        """Let the database count its rows roughly, so that it chooses the right index.

        Without statistics SQLite takes all rows of a connector for a handful, and reads them all.
        """
        async with self.begin() as tx:
            if tx.dialect.name == "sqlite":
                await tx.exec_driver_sql("PRAGMA analysis_limit=400")
            await tx.exec_driver_sql("ANALYZE")

    @contextmanager
    def beside(self) -> Iterator[Engine]:
        """One more connection to the database, for a thread that waits `HURRY` at the most for a lock."""
        engine = _engine_beside(self._engine.url)
        try:
            yield engine
        finally:
            engine.dispose()

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Ledger]:
        """The same on connections of its own, for whoever reads for long and shall stand in nobody's way."""
        address = self._engine.url
        plain = address.set(drivername=address.drivername.partition("+")[0])
        other = Ledger(_engine(plain.render_as_string(hide_password=False)), self.secret)
        try:
            yield other
        finally:
            await other.close()

    async def close(self) -> None:
        """Let go of the database."""
        await _dispose(self._engine)


async def open_ledger(url: str, secret: Secret) -> Ledger:
    """Connect, bring the tables up to date, check the secret.

    `url`: `sqlite:///file.db` or `postgresql://user@host/name`. Raises `Usage` for another one, `Mend`
    when the database cannot be used.
    """
    engine = _engine(url)
    try:
        async with engine.begin() as tx:
            await _take_turn(tx)
            await tx.run_sync(_migrate)
            await upsert(tx, facts, [{"name": "proof", "value": secret.proof}], overwrite=())
            proof = await tx.scalar(select(facts.c.value).where(facts.c.name == "proof"))
        if proof != secret.proof:
            raise wrong_secret()
    except (DBAPIError, CommandError) as error:
        await _dispose(engine)
        raise Mend(
            f"the database cannot be used: {_first_line(error)}",
            "check database_url (or TAJO_DATABASE_URL), that the server runs and the file may be written.",
        ) from None
    except BaseException:
        await _dispose(engine)
        raise
    return Ledger(engine, secret)


class _Locks:
    """PostgreSQL's locks of all connectors of this process, in one session: a server may follow hundreds."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._session: AsyncConnection | None = None
        self._held: set[str] = set()
        self._turn = asyncio.Lock()

    async def take(self, connector: str) -> bool:
        """Whether nobody else has it: of this process neither, for a session would get it twice."""
        async with self._turn:
            if connector in self._held:
                return False
            got = bool(await self._ask(func.pg_try_advisory_lock(_lock_of(connector))))
            if got:
                self._held.add(connector)
            await self._rest()
            return got

    async def release(self, connector: str) -> None:
        """Give it back. A session that broke has given all of them back already."""
        async with self._turn:
            self._held.discard(connector)
            with suppress(DBAPIError):
                await self._ask(func.pg_advisory_unlock(_lock_of(connector)))
            await self._rest()

    async def _ask(self, question: Any) -> Any:
        if self._session is None:
            session = await self._engine.connect()
            self._session = await session.execution_options(isolation_level="AUTOCOMMIT")
        try:
            return await self._session.scalar(select(question))
        except DBAPIError:
            await self._end()
            raise

    async def _rest(self) -> None:
        """Without a lock there is nothing to hold the session for."""
        if not self._held:
            await self._end()

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _lock_of(connector: str) -> Any:
    return func.hashtextextended(f"tajo:{connector}", 0)


async def _take_turn(tx: Tx) -> None:
    """One process migrates at a time, and all of it or nothing: a kill leaves no half-made tables.

    Left to itself, SQLite's driver would commit each `CREATE TABLE` by itself.
    """
    if tx.dialect.name == "sqlite":
        await tx.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        await tx.execute(select(func.pg_advisory_xact_lock(_MIGRATION)))


async def upsert(
    tx: Tx,
    table: Table,
    rows: Iterable[Row],
    *,
    overwrite: Collection[str] | None = None,
    when: Callable[[Any], ColumnElement[bool]] | None = None,
    merge: Callable[[Any], dict[str, Any]] | None = None,
) -> None:
    """Insert rows; where one with the same primary key stands, overwrite these columns (None: all).

    `when` gets the new values' columns and says which rows are worth it, `merge` what to set instead.
    Of rows with one key the last counts; they go in the order of the key, because PostgreSQL refuses
    doubles and deadlocks on disorder.
    """
    keys = [column.name for column in table.primary_key]
    unique = {tuple(row[key] for key in keys): row for row in rows}
    ordered = [unique[key] for key in sorted(unique)]
    if not ordered:
        return
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    named = [name for name in ordered[0] if name not in keys] if overwrite is None else overwrite
    if named:
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=keys,
            set_=merge(new) if merge else {name: new[name] for name in named},
            where=when(new) if when else None,
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    await tx.execute(statement, ordered)


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername]
    except (ArgumentError, KeyError):
        raise Usage(
            "database_url is neither sqlite:// nor postgresql://",
            "write `sqlite:///tajo.db` or `postgresql://user:password@host/database`.",
        ) from None
    parsed = parsed.set(drivername=driver)
    if driver.startswith("postgresql"):
        return create_async_engine(parsed, pool_size=5)
    _keep_to_ourselves(parsed.database)
    arguments, options = parsed.get_dialect()().create_connect_args(parsed)
    workers: list[Thread] = []

    async def connect() -> aiosqlite.Connection:
        # A filter of five hundred ids makes a large statement, and each number of ids another one.
        connection = aiosqlite.connect(*arguments, **options, timeout=60, cached_statements=24)
        workers.append(connection._thread)
        return await connection

    # One connection: SQLite has one writer, and waiting for it in the pool costs no retries.
    engine = create_async_engine(parsed, pool_size=1, max_overflow=0, async_creator=connect)
    event.listen(engine.sync_engine, "connect", _tune_sqlite)
    _workers[engine.sync_engine] = workers
    return engine


def _keep_to_ourselves(database: str | None) -> None:
    """Make the file so that only its owner may read it; SQLite makes those beside it likewise.

    One that is there is not even opened: whoever closes a file drops all locks that this process has on it.
    Then the next process to leave would take itself for the last, and remove the log that ours writes to.
    """
    if database and database != ":memory:":
        with suppress(OSError):  # it is there, or connecting tells what is wrong
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _engine_beside(address: URL) -> Engine:
    if address.drivername.startswith("postgresql"):
        engine = create_engine(address, pool_size=1, max_overflow=0)
        event.listen(engine, "connect", _hurry_postgresql)
        return engine
    engine = create_engine(
        address.set(drivername="sqlite"), pool_size=1, max_overflow=0, connect_args={"timeout": HURRY}
    )
    event.listen(engine, "connect", _tune_sqlite)
    return engine


async def _dispose(engine: AsyncEngine) -> None:
    """Close all connections, and wait for SQLite's worker threads.

    A transaction that was cancelled leaves its worker to end by itself; one that outlives the event
    loop dies with a traceback on stderr.
    """
    await engine.dispose()
    for worker in _workers.pop(engine.sync_engine, ()):
        await asyncio.to_thread(worker.join, 10.0)


#: The threads in which aiosqlite works, by engine; it tells them nowhere else.
_workers: WeakKeyDictionary[Engine, list[Thread]] = WeakKeyDictionary()


def _tune_sqlite(connection: Any, _record: object) -> None:
    """WAL lets others read while we write; FULL makes a commit survive a power cut.

    People lie in the order of their hashes, so each transaction touches pages everywhere: the more of
    them a checkpoint gathers (40 MB here), the fewer are written twice.
    """
    cursor = connection.cursor()
    _into_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA wal_autocheckpoint=10000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _into_wal(cursor: Any) -> None:
    """Changing the mode of a new file waits for no lock, whatever the timeout: of several that open it at
    once all but one are told that it is locked, and a moment later it is done.
    """
    for left in reversed(range(100)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except Exception as error:  # of whichever of the two drivers it is
            if not left or "locked" not in str(error):
                raise
            time.sleep(0.02)


def _hurry_postgresql(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = {HURRY * 1000:.0f}")
    cursor.close()
    connection.commit()


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "tajo.sync.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, LATEST)


def _first_line(error: Exception) -> str:
    """The driver's own words, without the statement and its parameters."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    return words[0] if words else type(error).__name__


async def copy_ledger(source: Ledger, target: Ledger, connector: str) -> None:
    """Copy what is remembered of one connector into an empty ledger, a thousand rows at a time.

    Who asked to be forgotten before it was connected is remembered of it, too.
    """
    async with source.begin() as reading, target.begin() as writing:
        for table in metadata.sorted_tables:
            if "connector" not in table.c:
                continue
            rows = await reading.stream(select(table).where(table.c.connector.in_((connector, OTHERS))))
            async for part in rows.mappings().partitions(1000):
                await writing.execute(table.insert(), [dict(row) for row in part])
