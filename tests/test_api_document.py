"""Whatever the OpenAPI document allows, and much that it forbids, is answered as it says, never by a 5xx."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.types import ASGIApp

from tajo import config
from tajo.access import Doorkeeper
from tajo.app import Tajo
from tajo.server import make_app, serve
from tajo.sync.ledger.inbox import open_inbox
from tajo.web import open_faces
from tajo.web.app import faces_of
from tajo.web.jobs import Audits, Jobs
from tajo.wiring import open_wiring
from tests.served import PLAIN, both

KEY = "of-the-tests"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


class Server:
    """The HTTP face in a thread of its own, on a port of its own."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with (
            open_wiring(config.load(None, self._env), self._env) as wiring,
            open_inbox(wiring.ledger, lambda _: None) as inbox,
            open_faces(Tajo(wiring), Doorkeeper(wiring.ledger, wiring.now, master=KEY)) as faces,
        ):
            app = make_app({}, None, inbox, wiring.ready, faces=cast(ASGIApp, faces))
            await serve(app, "127.0.0.1", 0, stop=self._stop, listening=self._heard)

    def _heard(self, url: str) -> None:
        self.url = url
        self._listening.set()

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._listening.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("api")
    small = ("--customers", "5", "--orders", "5", "--products", "3", "--plan", "unlimited")
    with both(small, ("--tier", "unlimited"), f"sqlite:///{folder}/t.db") as env, Server(env) as server:
        yield server.url


def document() -> dict[str, Any]:
    """It needs nobody to answer."""
    nobody = cast(Any, None)
    return faces_of(nobody, nobody, Jobs(nobody), Audits(nobody), nobody).openapi_schema.to_schema()


@schemathesis.openapi.from_dict(document()).parametrize()
@settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
def test_it_answers_as_the_document_says(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(url, headers={"authorization": f"Bearer {KEY}"}, checks=CHECKS)


OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in OPERATIONS])
def test_nobody_gets_in_without_a_key(url: str, method: str, path: str) -> None:
    refused(httpx.request(method, url + path.replace("{record}", "1"), verify=PLAIN))


@pytest.mark.parametrize("shown", ["Bearer nonsense", "Bearer", "Basic b2Y6dGhl", "nonsense", "Bearer a b"])
def test_nobody_gets_in_with_a_wrong_one(url: str, shown: str) -> None:
    refused(httpx.get(f"{url}/v1/runs", headers={"authorization": shown}, verify=PLAIN))


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_operation_is_described_and_named_once() -> None:
    assert all(operation.get("description") or operation.get("summary") for _, _, operation in OPERATIONS)
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(names) == len(set(names))
