"""Fixtures that every test may use: `database_url`, an empty database, once SQLite and once PostgreSQL.

PostgreSQL is one server for the whole run. With xdist the controller starts it and hands its directory
to the workers; otherwise the first test that wants it does.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import overheard, postgres

_shared: list[postgres.Server] = []


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests are imported, which take some functions by their names."""
    overheard.listen()
    config.pluginmanager.register(overheard.Listener())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller, before a worker starts."""
    try:
        if not _shared and _wanted():
            _shared.append(postgres.Server())
        node.workerinput["postgres"] = str(_shared[0].directory) if _shared else ""
    except postgres.NoPostgres as absent:
        node.workerinput["no_postgres"] = str(absent)


def pytest_unconfigure() -> None:
    while _shared:
        _shared.pop().close()


@pytest.fixture(scope="session")
def _postgres(request: pytest.FixtureRequest) -> str:
    """The directory of the server. Fails, rather than skips, where there is none."""
    if not _wanted():
        pytest.skip("TAJO_TEST_POSTGRES=0")
    handed: dict[str, str] = getattr(request.config, "workerinput", {})
    if "no_postgres" in handed:
        pytest.fail(handed["no_postgres"], pytrace=False)
    if "postgres" in handed:
        return handed["postgres"]
    try:
        _shared.append(postgres.Server())
    except postgres.NoPostgres as absent:
        pytest.fail(str(absent), pytrace=False)
    return str(_shared[0].directory)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty database is, as a `database_url` of tajo.yaml."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/t.db"
        return
    directory = request.getfixturevalue("_postgres")
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.url(directory, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url(directory, name)
    with psycopg.connect(postgres.url(directory, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


_numbers = itertools.count(1)


def _wanted() -> bool:
    return os.environ.get("TAJO_TEST_POSTGRES") != "0"
