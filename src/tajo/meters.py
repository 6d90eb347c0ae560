"""What this server has done and how it stands, as Prometheus reads it; and its last day, minute by minute.

Labels are connectors, sides, groups of routes, resources and outcomes: never a person, never an id. What
the metrics mean to people stands in `docs/observability.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from msgspec import Struct
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tajo.http import Call
from tajo.series import Measured, Name, Series
from tajo.sync.ledger.depths import Depth
from tajo.sync.model import Resource, Verdict
from tajo.wiring import Ears
from tajo.worker import Standing

CONTENT_TYPE = CONTENT_TYPE_LATEST.partition("; charset")[0]

SIDES = ("bigcommerce", "brevo")

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)

OUTCOMES = {
    Verdict.DELIVERED: "delivered",
    Verdict.ACCEPTED: "delivered",
    Verdict.REFUSED: "refused",
    Verdict.RETRY: "put_off",
}


class Reading(Struct, frozen=True):
    """How a connector stands, and how much waits for it, when it was looked at last: at `at`."""

    at: float
    standing: Standing
    depth: Depth


class Answering(Struct):
    """When a side answered last, and since when it does not (0: it does, or nobody has asked)."""

    answered: float = 0.0
    silent_since: float = 0.0


class Meters:
    """Counts what happens; knows how each connector stood when it was looked at last. `now`: since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._series = Series(now)
        self._sides: dict[tuple[str, str], Answering] = {}
        self.readings: Mapping[str, Reading] = {}
        self._registry = registry = CollectorRegistry()
        self._calls = Counter(
            "tajo_calls",
            "Calls to a side by what came of them.",
            ("connector", "side", "group", "outcome"),
            registry=registry,
        )
        self._call_seconds = Histogram(
            "tajo_call_seconds",
            "How long a side took to answer.",
            ("side", "group"),
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self._waited = Counter(
            "tajo_limit_wait_seconds",
            "Seconds in which calls stood still because of a side's limits.",
            ("connector", "side"),
            registry=registry,
        )
        self._notices = Counter(
            "tajo_notices",
            "Webhooks that came, by what came of them.",
            ("connector", "side", "outcome"),
            registry=registry,
        )
        self._told = Counter(
            "tajo_records_told",
            "Records that Brevo answered for, by what it answered.",
            ("connector", "resource", "outcome"),
            registry=registry,
        )
        self._lag = Histogram(
            "tajo_lag_seconds",
            "From the webhook that named a record, or the moment it fell due, to Brevo's acceptance.",
            ("connector",),
            buckets=LAG_SECONDS,
            registry=registry,
        )
        registry.register(_Gauges(lambda: self.readings))
        ProcessCollector(registry=registry)

    # --- what happens

    def ears(self, connector: str) -> Ears:
        """Who hears of what is done for this connector."""
        store, brevo = (partial(self._called, connector, side) for side in SIDES)
        return Ears(store=store, brevo=brevo, told=partial(self._answered_for, connector))

    def noticed(self, side: str, connector: str, outcome: str) -> None:
        """A webhook came. `connector`: empty where its address names none that there is."""
        self._notices.labels(connector, side, outcome).inc()

    def _called(self, connector: str, side: str, call: Call) -> None:
        group = group_of(call.route)
        self._calls.labels(connector, side, group, outcome_of(call.status)).inc()
        if call.status:
            self._call_seconds.labels(side, group).observe(call.seconds)
        self._waited.labels(connector, side).inc(max(0.0, call.waited))
        self._series.count("calls_bigcommerce" if side == "bigcommerce" else "calls_brevo", connector)
        there = self.answering(connector, side)
        if call.status and call.status < 500:
            there.answered, there.silent_since = self._now(), 0.0
        else:
            there.silent_since = there.silent_since or self._now()

    def _answered_for(self, connector: str, resource: Resource, verdict: Verdict, since: float) -> None:
        self._told.labels(connector, resource, OUTCOMES[verdict]).inc()
        if OUTCOMES[verdict] != "delivered":
            return
        self._series.count("told", connector)
        if since:
            seconds = max(0.0, self._now() - since)
            self._lag.labels(connector).observe(seconds)
            self._series.lag(connector, seconds)

    # --- how it stands

    def show(self, readings: Mapping[str, Reading]) -> None:
        """These are how the connectors stand now; there are no others."""
        self.readings = readings
        for connector, reading in readings.items():
            for side in SIDES:
                shares = [share for (of, _), share in reading.standing.limits.items() if of == side]
                if shares:
                    name: Measured = "limit_bigcommerce" if side == "bigcommerce" else "limit_brevo"
                    self._series.peak(name, connector, max(shares))

    def answering(self, connector: str, side: str) -> Answering:
        """Whether `bigcommerce` or `brevo` answers."""
        return self._sides.setdefault((connector, side), Answering())

    # --- for those who ask

    def exposition(self) -> bytes:
        """All metrics, as Prometheus reads them: of the type `CONTENT_TYPE`. May be called in any thread."""
        return generate_latest(self._registry)

    def minutes(self, name: Name, connector: str, since: float) -> list[tuple[int, float]]:
        """A series, minute by minute, for a day at the most: when each began, since 1970, and its value.

        What is counted (`told`, `calls_…`) is 0 in a minute without any; what is measured lacks that minute.
        """
        return self._series.minutes(name, connector, since)


class _Gauges(Collector):
    """What was seen at the last look: a connector that is gone has none any more."""

    def __init__(self, readings: Callable[[], Mapping[str, Reading]]) -> None:
        self._readings = readings

    def describe(self) -> Iterable[Metric]:
        """Their names, without looking."""
        return [GaugeMetricFamily(name, words) for name, words, _ in GAUGES] + [_limits()]

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        readings = self._readings()
        for name, words, look in GAUGES:
            family = GaugeMetricFamily(name, words, labels=("connector",))
            for connector, reading in readings.items():
                value = look(reading)
                if value is not None:
                    family.add_metric((connector,), value)
            yield family
        limits = _limits()
        for connector, reading in readings.items():
            for (side, limit), share in reading.standing.limits.items():
                limits.add_metric((connector, side, limit), share)
        yield limits


def _limits() -> GaugeMetricFamily:
    words = "The share of a side's limit that is in use, from 0 to 1."
    return GaugeMetricFamily("tajo_limit_used_ratio", words, labels=("connector", "side", "limit"))


def _oldest(reading: Reading) -> float:
    """Seconds for which the first thing that is due has been so."""
    return max(0.0, reading.at - reading.depth.oldest) if reading.depth.oldest else 0.0


def _progress(reading: Reading) -> float | None:
    """How far the sweep is that is under way; None without one."""
    standing = reading.standing
    return standing.seen / standing.expected if standing.expected else None


GAUGES: tuple[tuple[str, str, Callable[[Reading], float | None]], ...] = (
    ("tajo_failures_parked", "Records that could not be delivered.", lambda r: r.depth.parked),
    ("tajo_queue_depth", "Records that are to be looked at, now or later.", lambda r: r.depth.due),
    ("tajo_queue_oldest_seconds", "For how long the first of them has been due.", _oldest),
    ("tajo_outgoing_depth", "Contacts and events that are ready to be told.", lambda r: r.depth.outgoing),
    ("tajo_sequences_waiting", "Sequences of skills that go on later.", lambda r: r.depth.sequences),
    (
        "tajo_last_sync_timestamp_seconds",
        "When a sync last came to its end; missing before the first.",
        lambda r: r.depth.synced or None,
    ),
    ("tajo_sync_progress_ratio", "How far the sweep is that is under way; missing without one.", _progress),
    ("tajo_hooks_silent", "1 while the store's webhooks do not come.", lambda r: r.standing.silent),
    ("tajo_needs_human", "1 while a connector waits for a human.", lambda r: r.standing.stuck),
    ("tajo_working", "1 while this process keeps the connector in agreement.", lambda r: r.standing.working),
)


def group_of(route: str) -> str:
    """What a route is about: `customers` of `GET /v3/customers/attribute-values`."""
    parts = [part for part in route.partition(" ")[2].split("/") if part not in ("", "v2", "v3")]
    return parts[0] if parts else "other"


def outcome_of(status: int) -> str:
    """What came of a call: ok, refused, limited, failed, or lost where there was no answer."""
    if status == 0:
        return "lost"
    if status == 429:
        return "limited"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"
