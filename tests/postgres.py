"""A PostgreSQL server of the tests' own: an ordinary user's, on a socket in a temporary directory."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

ABSENT = (
    "PostgreSQL's `initdb` and `postgres` are not here. Install Debian's package `postgresql` "
    "(`apt-get install postgresql`), or leave these tests out with TAJO_TEST_POSTGRES=0."
)


class NoPostgres(Exception):
    """There is no server to be had; the text says why and what to do."""


def binary(name: str) -> str:
    """The path of one of PostgreSQL's programs, the newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    if not found:
        raise NoPostgres(ABSENT)
    return found


class Server:
    """A running server that knows one user, `tajo`, and asks for no password. `close` leaves nothing behind.

    It also ends when the process that started it does, in whatever way: its life hangs on a pipe.
    """

    def __init__(self) -> None:
        initdb, postgres = binary("initdb"), binary("postgres")
        self.directory = Path(tempfile.mkdtemp(prefix="tajo-pg-", dir="/tmp"))  # sockets want short paths
        user = _ordinary_user()
        if user:
            os.chown(self.directory, pwd.getpwnam(user).pw_uid, -1)
        as_user = {"user": user, "extra_groups": []} if user else {}
        data = self.directory / "data"
        made = subprocess.run(
            [initdb, "-D", data, "-U", "tajo", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **as_user,
        )
        if made.returncode:
            shutil.rmtree(self.directory)
            raise NoPostgres(f"initdb failed: {made.stderr.strip()}")
        options = {"listen_addresses": "", "unix_socket_directories": self.directory, "max_connections": 200}
        options |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes", "autovacuum"), "off")
        self._process = subprocess.Popen(
            [
                *(
                    "sh",
                    "-c",
                    '"$@" >"$0/log" 2>&1 </dev/null & cat >/dev/null; kill -INT $!; wait; rm -rf "$0"',
                ),
                *(self.directory, postgres, "-D", data),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
            **as_user,
        )
        self._wait()

    def url(self, database: str) -> str:
        """`postgresql://…` of a database of this server."""
        return url(self.directory, database)

    def close(self) -> None:
        """Stop it and wait until it has cleaned up."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _wait(self) -> None:
        for _ in range(300):
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError as error:
                trouble = error
                time.sleep(0.05)
            else:
                return
        log = (self.directory / "log").read_text(errors="replace")[-2000:]
        self.close()
        raise NoPostgres(f"PostgreSQL does not start: {trouble}\n{log}")


def url(directory: Path | str, database: str) -> str:
    """Where a database of the server in `directory` is."""
    return f"postgresql://tajo@/{database}?host={directory}"


def _ordinary_user() -> str:
    """PostgreSQL refuses to run as root: who runs it then; empty if we are an ordinary user."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
