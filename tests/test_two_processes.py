"""A second process at the database file: a command beside a server takes nothing from under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tajo.sync.ledger import counts
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger

LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM tallies").fetchone()[0])
connection.close()
"""


def seen_by_another(file: Path) -> int:
    """How many rows another process sees, which comes, looks, and goes."""
    done = subprocess.run([sys.executable, "-c", LOOK, file], capture_output=True, text=True, check=True)
    return int(done.stdout)


async def write(ledger: Ledger, name: str) -> None:
    async with ledger.begin() as tx:
        await counts.add(tx, name, "healed", 1, now=0.0)


async def test_whoever_comes_and_goes_leaves_the_log_that_we_write_to(tmp_path: Path) -> None:
    file, log = tmp_path / "tajo.db", tmp_path / "tajo.db-wal"
    server = await open_ledger(f"sqlite:///{file}", Secret(b"for tests"))
    async with server.apart():  # as the pages of a server do
        await write(server, "one")
        ours = log.stat().st_ino
        assert seen_by_another(file) == 1
        assert log.stat().st_ino == ours
        await write(server, "two")
        assert seen_by_another(file) == 2
    await server.close()


async def test_so_does_whoever_opens_the_ledger_again_in_this_process(tmp_path: Path) -> None:
    file = tmp_path / "tajo.db"
    server = await open_ledger(f"sqlite:///{file}", Secret(b"for tests"))
    await write(server, "one")
    again = await open_ledger(f"sqlite:///{file}", Secret(b"for tests"))
    assert seen_by_another(file) == 1
    await again.close()
    await write(server, "two")
    assert seen_by_another(file) == 2
    await server.close()
