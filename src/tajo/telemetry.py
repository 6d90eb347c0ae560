"""Spans leave the process where OpenTelemetry's variables say so, `OTEL_EXPORTER_OTLP_ENDPOINT` and others.

The spans themselves are made with `opentelemetry-api`, which does nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def exported(env: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, spans are sent to where the environment says; what is left at its end goes, too."""
    asked = [name for name in VARIABLES if env.get(name)]
    if not asked or env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        yield
        return
    try:  # they are an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        say(f"no spans are sent: install `tajo[otel]`, or unset {' and '.join(asked)}")
        yield
        return
    name = env.get("OTEL_SERVICE_NAME") or "tajo"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
