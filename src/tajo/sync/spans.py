"""Spans of OpenTelemetry around what takes long: without an SDK in the process they are nothing.

A span's name and attributes are words and numbers: no key, no person, no text of an error.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from opentelemetry import trace

_tracer = trace.get_tracer("tajo")


def span(what: str, connector: str, **counts: int) -> AbstractContextManager[trace.Span]:
    """Some work for a connector. `counts`: how much it is, such as `records=200`."""
    attributes: dict[str, str | int] = {f"tajo.{name}": count for name, count in counts.items()}
    attributes["tajo.connector"] = connector
    return _tracer.start_as_current_span(
        what, attributes=attributes, record_exception=False, set_status_on_exception=False
    )
