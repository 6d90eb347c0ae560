"""How many calls it takes to tell so much, before anything is told. Pure, from the outboxes' own sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from tajo.brevo.api import PAGE, PROCESS
from tajo.brevo.batch_outbox import WAYS
from tajo.brevo.contacts import FEW, IMPORT_BYTES
from tajo.brevo.limits import AccountLimits
from tajo.sync.model import Resource

ROW_BYTES = 400
"""Of one contact in an import, with a dozen attributes."""

POLLS = 3
"""How often an import is asked whether it is done."""

IMPORT = "POST /contacts/import"
LISTING = "GET /contacts"

Calls = Counter[str]
"""Calls by route, as the limits know them."""


def census(contacts: int) -> Calls:
    """To meet everybody whom Brevo holds already."""
    return Calls({LISTING: contacts // PAGE + 1})


def tell(records: Mapping[Resource, int], besides: Calls, limits: AccountLimits) -> dict[Resource, Calls]:
    """To tell so many records of each resource, in the way that passes soonest beside some other calls.

    Of resources that are only remembered (refunds, subscribers) nothing is told.
    """
    calls: dict[Resource, Calls] = {
        resource: _calls(resource, count)
        for resource, count in records.items()
        if resource is not Resource.PRODUCTS
    }
    if Resource.PRODUCTS in records:
        others = sum(calls.values(), besides)
        calls[Resource.PRODUCTS] = min(
            _mixtures(records[Resource.PRODUCTS]), key=lambda way: limits.floor_seconds(others + way)
        )
    return calls


def writes(calls: Calls) -> Calls:
    """Those of the calls that write, by their kind: `import`, `batch` or `single`."""
    kinds = Calls()
    for route, count in calls.items():
        if route == IMPORT:
            kinds["import"] += count
        elif route.startswith("POST"):
            kinds["batch" if route.endswith("/batch") else "single"] += count
    return kinds


def _calls(resource: Resource, count: int) -> Calls:
    if not count:
        return Calls()
    if resource is Resource.CUSTOMERS:
        return _contacts(count)
    if resource in WAYS:
        way = WAYS[resource]
        return Calls({f"POST {way.path}": -(-count // way.rows)})
    return Calls()


def _contacts(count: int) -> Calls:
    """Few go singly; of an import it is asked when it is done, and what arrived is read back."""
    if count <= FEW:
        return Calls({"POST /contacts": count})
    imports = -(-count * ROW_BYTES // IMPORT_BYTES)
    return Calls({IMPORT: imports, PROCESS: POLLS * imports, LISTING: count // PAGE + 1})


def _mixtures(products: int) -> Iterator[Calls]:
    """All in batches, or ever more of them singly: only batches share the hundred calls an hour."""
    way = WAYS[Resource.PRODUCTS]
    for batches in range(-(-products // way.rows), -1, -1):
        singles = max(0, products - batches * way.rows)
        yield +Calls({f"POST {way.path}": batches, f"POST {way.single('')}": singles})
