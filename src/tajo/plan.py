"""`tajo sync --plan`: how many calls a sync will take, and how long at least, before it starts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from tajo.app import Tajo
from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import BrevoDestination, forecast
from tajo.sync.ledger import runs
from tajo.sync.model import Resource
from tajo.sync.moments import moment

#: What is never read by itself: it comes with something else.
UNREAD = frozenset({Resource.GUESTS, Resource.VARIANTS})


class Part(Struct, frozen=True):
    """One resource: how many records are to be read, in how many calls; `writes` by their kind."""

    records: int
    reads: int
    writes: dict[str, int]

    @property
    def words(self) -> str:
        """`33 reads; 1 import`."""
        writes = [_count(number, kind) for kind, number in self.writes.items()]
        return "; ".join([_count(self.reads, "read"), *writes])


class Plan(Struct, frozen=True, kw_only=True):
    """What a sync will take. `scope`: what is read and why; `there`: contacts in Brevo that are met first.

    `calls`: of either side, all in all; `seconds`: the least time that the limits allow; `pace`: the limits.
    """

    mode: str
    scope: str
    parts: dict[Resource, Part]
    there: int | None
    calls: dict[str, int]
    seconds: float
    pace: str

    def sentences(self) -> list[str]:
        """For people, the most important last."""
        told = [f"{self.scope}:"]
        told += [f"{part.records:,} {resource}: {part.words}" for resource, part in self.parts.items()]
        if Resource.CUSTOMERS in self.parts:
            told.append("guests and mere subscribers come on top; how many, only reading tells")
        if self.there:
            told.append(f"{self.there:,} contacts are in Brevo already: {_count(forecast.pages(self.there), 'read')}")
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


async def make_plan(
    tajo: Tajo, name: str, *, full: bool, resources: frozenset[Resource] | None
) -> Plan:
    """Count what is to be read, one call a resource, and reckon. Nothing is written anywhere."""
    policy = tajo.policy(name)
    wanted = policy.resources & (resources or policy.resources)
    async with tajo.ledger.begin() as tx:
        outlook = await runs.outlook(tx, name, full=full, scope=",".join(sorted(wanted)), rules=policy.rules)
    async with tajo.accounts(name) as (store, brevo):
        source, destination = BigCommerceSource(store), BrevoDestination(brevo, tajo.rules(name))
        await destination.open(await source.open(), create=False)
        reads, besides = source.calls, Counter(brevo.calls)
        records = {
            resource: await source.count(resource, since=_since(outlook, resource))
            for resource in Resource
            if resource in wanted - UNREAD
        }
        there = None
        if Resource.CUSTOMERS in wanted and _since(outlook, Resource.CUSTOMERS) is None:
            there = await brevo.count_contacts()
            besides += forecast.census(there)
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
            mode="incremental" if outlook.since else "full",
            scope=_scope(outlook),
            parts=parts,
            there=there,
            calls={"BigCommerce": reads, "Brevo": writes.total()},
            seconds=max(source.floor_seconds(reads), brevo.limits.floor_seconds(writes), 1.0),
            pace=_pace(store.limits.quota, tajo.settings.brevo.plan),
        )
