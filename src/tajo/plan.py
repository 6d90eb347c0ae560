"""`tajo sync --plan`: how many calls a sync will take, and how long at least, before it starts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import BrevoDestination, forecast
from tajo.sync.ledger import runs
from tajo.sync.model import Resource
from tajo.sync.moments import moment
from tajo.wiring import Wiring

#: What is never read by itself: it comes with something else.
UNREAD = frozenset({Resource.GUESTS, Resource.VARIANTS, Resource.CARTS})

CUT_LINES = "one more read for each order whose lines come cut short (more than 50)"
OTHER_PEOPLE = "contacts of guests, subscribers and buyers come on top; only reading tells how many"

PLURALS = {"read": "reads", "import": "imports", "batch": "batches", "single": "singles"}
SINGULARS = {resource: resource.removesuffix("s") for resource in Resource} | {
    Resource.CATEGORIES: "category"
}


class Part(Struct, frozen=True):
    """One resource: how many records are to be read, in how many calls; `writes`: calls by their kind."""

    records: int
    reads: int
    writes: dict[str, int]

    def __str__(self) -> str:
        writes = [_counted(number, kind) for kind, number in self.writes.items()]
        return "; ".join([_counted(self.reads, "read"), *writes])


class Plan(Struct, frozen=True, kw_only=True):
    """What a sync will take, if every record that it reads has changed.

    `scope`: what is read, and why; `census`: contacts in Brevo that are met first, None where that is not
    needed; `calls`: all in all, by side; `seconds`: the least time that the limits allow; `pace`: the limits.
    """

    mode: str
    scope: str
    parts: dict[Resource, Part]
    census: int | None
    calls: dict[str, int]
    seconds: float
    pace: str

    def sentences(self) -> list[str]:
        """For people; how long it takes comes last."""
        told = [f"{self.scope}:"]
        read = {resource: part.records for resource, part in self.parts.items()}
        for resource, part in self.parts.items():
            name = SINGULARS[resource] if part.records == 1 else resource
            told.append(f"{part.records:,} {name}: {part}")
        if read.get(Resource.ORDERS):
            told.append(CUT_LINES)
        if Resource.CUSTOMERS in read and (read.get(Resource.ORDERS) or read.get(Resource.SUBSCRIBERS)):
            told.append(OTHER_PEOPLE)
        if self.census:
            reads = forecast.census(self.census).total()
            told.append(f"{self.census:,} contacts are in Brevo already: {_counted(reads, 'read')}")
        calls = ", ".join(f"{side} {number:,}" for side, number in self.calls.items())
        return [*told, f"calls in all: {calls}", f"about {duration(self.seconds)} on your plan ({self.pace})"]

    def summary(self) -> dict[str, Any]:
        """The JSON object of `tajo sync --plan --json`."""
        return {
            "mode": self.mode,
            "resources": {
                str(resource): {
                    "records": part.records,
                    "reads": part.reads,
                    "writes": sum(part.writes.values()),
                }
                for resource, part in self.parts.items()
            },
            "calls": {side.lower(): number for side, number in self.calls.items()},
            "seconds": self.seconds,
        }


async def make_plan(wiring: Wiring, name: str, *, full: bool, resources: frozenset[Resource] | None) -> Plan:
    """Count what is to be read, in one call a resource, and reckon. Nothing is written anywhere."""
    policy = wiring.policy(name)
    wanted = policy.resources & (resources or policy.resources)
    async with wiring.ledger.begin() as tx:
        outlook = await runs.outlook(tx, name, full=full, scope=",".join(sorted(wanted)), rules=policy.rules)
    since = {resource: outlook.since.get(resource) for resource in Resource if resource in wanted - UNREAD}
    async with wiring.accounts(name) as (store, brevo):
        source, destination = BigCommerceSource(store), BrevoDestination(brevo, wiring.rules(name))
        await destination.open(await source.open(), create=False)
        reads, besides = source.calls, Counter(brevo.calls)  # a sync opens both, too
        records = {
            resource: await source.count(resource, since=None if start is None else moment(start))
            for resource, start in since.items()
        }
        census = None
        if Resource.CUSTOMERS in since and since[Resource.CUSTOMERS] is None:
            census = await brevo.count_contacts()
            besides += forecast.census(census)
        told = forecast.tell(records, besides, brevo.limits)
        parts = {
            resource: Part(
                count,
                max(1, -(-count // source.page_size(resource))),
                dict(forecast.writes(told[resource])),
            )
            for resource, count in records.items()
        }
        reads += sum(part.reads for part in parts.values())
        writes = sum(told.values(), besides)
        return Plan(
            mode="full" if all(start is None for start in since.values()) else "incremental",
            scope=_scope(since, outlook.why),
            parts=parts,
            census=census,
            calls={"BigCommerce": reads, "Brevo": writes.total()},
            seconds=max(source.floor_seconds(reads), brevo.limits.floor_seconds(writes), 1.0),
            pace=_pace(store.limits.quota, wiring.settings.brevo.plan),
        )


def duration(seconds: float) -> str:
    """`40 s`, `2 min` or `1.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _scope(since: dict[Resource, float | None], why: str) -> str:
    starts = [start for start in since.values() if start is not None]
    if why:
        return f"everything is read, {why}; what stays the same is not written"
    if not starts:
        return "everything is read, for the first time"
    new = [str(resource) for resource, start in since.items() if start is None]
    unread = f", and all {', '.join(new)} for the first time" if new else ""
    began = f"{moment(min(starts)):%Y-%m-%d %H:%M} UTC"
    return f"what changed since {began} is read{unread}; what stays the same is not written"


def _pace(quota: tuple[int, float] | None, tier: str) -> str:
    store = f"{quota[0]:,} requests per {quota[1]:.0f} s" if quota else "no limit told"
    return f"BigCommerce: {store}; Brevo: {tier}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else PLURALS[what]}"
