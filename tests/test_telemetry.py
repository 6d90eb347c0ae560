"""Spans that leave the process: to a collector on loopback, as `docs/observability.md` promises."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from opentelemetry.sdk.trace import TracerProvider

from tajo.telemetry import VARIABLES, exported
from tests.leaks import leaks
from tests.served import both, control


class Collector:
    """Where spans arrive. `url`: its address; `headers`: of the requests; `batches`: what they held.

    Names of headers are in lower case. `met` is set when a whole sync was among the spans.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: list[Mapping[str, str]] = []
        self.batches: list[ResourceSpans] = []
        self.met = threading.Event()

    @property
    def spans(self) -> list[Span]:
        return [span for batch in self.batches for scope in batch.scope_spans for span in scope.spans]

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        whole = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.headers.append(headers)
        self.batches.extend(ExportTraceServiceRequest.FromString(whole).resource_spans)
        if any(span.name == "sync" for span in self.spans):
            self.met.set()


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector of OTLP over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                taken.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()


WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry.sdk.trace"] = None
from tajo.__main__ import main
main()
"""
"""`python -c` of it is `tajo` where `tajo[otel]` is not installed."""

STORE = ("--customers", "40", "--orders", "30", "--products", "5", "--plan", "unlimited")
ACCOUNT = ("--tier", "unlimited", "--time-scale", "0.01")


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Of this process without its variables of OpenTelemetry, and these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {**env}


def sync(env: Mapping[str, str], folder: Path, *start: str) -> subprocess.CompletedProcess[str]:
    """`tajo sync`, as a process of its own."""
    command = [sys.executable, *(start or ("-m", "tajo")), "sync"]
    return subprocess.run(
        command, env=environment(env), cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    with both(STORE, ACCOUNT, f"sqlite:///{tmp_path}/tajo.db") as found:
        yield found


def told(env: dict[str, str]) -> int:
    """How many contacts Brevo holds."""
    return len(control(env, "brevo", "contacts").text.splitlines())


def test_the_spans_of_a_sync_arrive(env: dict[str, str], tmp_path: Path) -> None:
    with collector() as there:
        done = sync(
            {
                **env,
                "OTEL_EXPORTER_OTLP_ENDPOINT": there.url,
                "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=shops",
                "OTEL_SERVICE_NAME": "shop sync",
            },
            tmp_path,
        )
    assert (done.stderr, told(env) > 0) == ("", True)
    assert {headers["x-tenant"] for headers in there.headers} == {"shops"}
    named = {entry.key: entry.value.string_value for entry in there.batches[0].resource.attributes}
    assert named["service.name"] == "shop sync"

    [run] = [span for span in there.spans if span.name == "sync"]
    assert attributes(run) == {
        "tajo.connector": "bigcommerce",
        "tajo.mode": "full",
        "tajo.run": attributes(run)["tajo.run"],
    }
    below = {span.name for span in there.spans if span.parent_span_id == run.span_id}
    assert below >= {"GET /v3/customers", "GET /v2/orders", "POST /orders/status/batch"}
    deliveries = {span.span_id: span for span in there.spans if span.name == "tell contacts"}
    calls = [span for span in there.spans if span.name in ("POST /contacts", "POST /contacts/import")]
    assert calls
    assert all(call.parent_span_id in deliveries for call in calls)
    for call in calls:
        delivery = deliveries[call.parent_span_id]
        assert call.trace_id == delivery.trace_id
        assert delivery.start_time_unix_nano <= call.start_time_unix_nano
        assert call.end_time_unix_nano <= delivery.end_time_unix_nano
        assert call.kind == Span.SPAN_KIND_CLIENT


def test_no_span_holds_anybodys_data_or_a_secret(env: dict[str, str], tmp_path: Path) -> None:
    with collector() as there:
        sync({**env, "OTEL_EXPORTER_OTLP_ENDPOINT": there.url}, tmp_path)
    assert {key for span in there.spans for key in attributes(span)} == {
        *("tajo.connector", "tajo.mode", "tajo.records", "tajo.run"),
        *("http.request.method", "http.response.status_code", "server.address"),
    }
    assert not any(span.events or span.status.message for span in there.spans)
    assert leaks("".join(map(str, there.batches))) == []
    contacts = [json.loads(line) for line in control(env, "brevo", "contacts").text.splitlines()]
    for word in [contact["email"] for contact in contacts] + [env["BREVO_API_KEY"], env["BC_ACCESS_TOKEN"]]:
        assert word not in str(there.batches)


def test_the_spans_of_a_server_arrive_while_it_runs(env: dict[str, str], tmp_path: Path) -> None:
    with collector() as there:
        here = env | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{there.url}/v1/traces"}
        here["OTEL_BSP_SCHEDULE_DELAY"] = "100"  # milliseconds
        command = [sys.executable, "-m", "tajo", "serve", "--port", "0"]
        with subprocess.Popen(
            command, env=environment(here), cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as server:
            try:
                assert there.met.wait(60)
            finally:
                server.terminate()
                said = server.communicate(timeout=30)[1]
    assert "stopped" in said
    assert "no spans are sent" not in said


def test_a_collector_that_is_away_changes_nothing(env: dict[str, str], tmp_path: Path) -> None:
    with collector() as there:
        away = there.url
    done = sync({**env, "OTEL_EXPORTER_OTLP_ENDPOINT": away, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}, tmp_path)
    assert told(env) > 0
    assert "Traceback" not in done.stderr
    assert leaks(done.stderr) == []


@pytest.mark.parametrize("name", VARIABLES)
def test_without_the_extra_a_sync_says_once_what_to_do_and_goes_on(
    env: dict[str, str], tmp_path: Path, name: str
) -> None:
    done = sync({**env, name: "http://127.0.0.1:9"}, tmp_path, "-c", WITHOUT_THE_EXTRA)
    assert done.stderr == f"no spans are sent: install `tajo[otel]`, or unset {name}\n"
    assert told(env) > 0


@pytest.mark.parametrize(
    "env",
    [{}, dict.fromkeys(VARIABLES, ""), {VARIABLES[0]: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}],
)
def test_where_none_are_asked_for_none_are_sent(env: dict[str, str]) -> None:
    said: list[str] = []
    with exported(env, said.append):
        assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert said == []


def attributes(span: Span) -> dict[str, Any]:
    return {
        entry.key: getattr(entry.value, str(entry.value.WhichOneof("value"))) for entry in span.attributes
    }
