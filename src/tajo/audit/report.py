"""What an audit found, out of its notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from msgspec import Struct

from tajo.answers import Audit, Changed, Example, Part
from tajo.brevo.holdings import LISTS
from tajo.sync.ledger import findings
from tajo.sync.ledger.findings import (
    AGREED,
    CONTACTS,
    DIFFERENT,
    GONE,
    MISSING,
    PARKED,
    WAITING,
    Finding,
)
from tajo.sync.ledger.store import Ledger
from tajo.sync.model import Resource

KINDS = (CONTACTS, *dict.fromkeys(LISTS.values()))
"""Under what notes are taken: contacts, and what Brevo lists of goods."""

EXAMPLES = 20
"""Of each resource and state."""

SHOWN = (MISSING, DIFFERENT, GONE, WAITING, PARKED)

UNSPOKEN = (
    "contacts: {:,} that Brevo was told of, and of whom nothing in the store's lists tells now (known by a "
    "cart, a deleted order or an earlier address alone), or only what cannot be told"
)
DELETED = (
    "orders: {:,} that Brevo was told of, and that were deleted in the store, whose lists do not show them"
)
PHONELESS = "contacts: {:,} that lack their phone in Brevo, which refuses some numbers (a sync says how many)"


class Looked(Struct, frozen=True, kw_only=True):
    """What the looks came to beside their notes. `hidden`: by kind, fields that Brevo's lists do not show.

    `resources`: those that are kept in Brevo. `phoneless`: contacts that lack their phone there.
    """

    resources: Collection[Resource]
    hidden: Mapping[str, Collection[str]]
    phoneless: int
    repaired: int
    troubles: Sequence[str]
    calls: Mapping[str, int]
    seconds: float


async def report(name: str, ledger: Ledger, notes: Ledger, looked: Looked) -> Audit:
    """The report on a connector. `ledger`: what was told; `notes`: what was found."""
    async with notes.begin() as tx:
        counts = await findings.counts(tx)
    fields = await _fields(notes)
    met = {resource for resource, _ in counts}
    resources = {
        str(resource): await _part(notes, resource, counts, fields.get(resource, Counter()))
        for resource in Resource
        if resource in met
    }
    differences = sum(part.missing + part.different + part.gone for part in resources.values())
    return Audit(
        connector=name,
        agrees=not differences and not looked.troubles,
        differences=differences,
        resources=resources,
        not_compared=(*_unseen(looked), *[words async for words in _unspoken(name, ledger, notes, looked)]),
        troubles=tuple(dict.fromkeys(looked.troubles)),
        repaired=looked.repaired,
        calls=dict(looked.calls),
        seconds=round(looked.seconds, 3),
    )


async def _part(
    notes: Ledger,
    resource: Resource,
    counts: Mapping[tuple[Resource, str], int],
    fields: Counter[str],
) -> Part:
    tallies = {state: counts.get((resource, state), 0) for state in (AGREED, *SHOWN)}
    examples = []
    async with notes.begin() as tx:
        for state in SHOWN:
            if tallies[state]:
                found = await findings.examples(tx, resource, [state], EXAMPLES)
                examples += [_example(notes, one) for one in found]
    return Part(
        checked=sum(tallies.values()),
        fields=dict(fields.most_common()),
        examples=tuple(examples),
        **tallies,
    )


def _example(notes: Ledger, one: Finding) -> Example:
    if one.state == PARKED:
        return Example(key=str(one.key), state=one.state, reason=one.words[0])
    values = notes.secret.unseal(one.sealed, one.name, tuple[Changed, ...]) if one.sealed else ()
    return Example(key=str(one.key), state=one.state, fields=one.words, values=values)


async def _fields(notes: Ledger) -> dict[Resource, Counter[str]]:
    found: dict[Resource, Counter[str]] = {}
    async for _, part in findings.all_of(notes, KINDS, [DIFFERENT]):
        for one in part:
            found.setdefault(one.key.resource, Counter()).update(one.words)
    return found


def _unseen(looked: Looked) -> list[str]:
    phones = [PHONELESS.format(looked.phoneless)] if looked.phoneless else []
    return phones + [
        f"{kind}: Brevo's list does not show {', '.join(sorted(names))}"
        for kind, names in sorted(looked.hidden.items())
    ]


async def _unspoken(name: str, ledger: Ledger, notes: Ledger, looked: Looked) -> AsyncIterator[str]:
    """What was told, and is in no list of the store."""
    if Resource.CUSTOMERS in looked.resources:
        count = 0
        async for persons in findings.told_people(ledger, name):
            async with notes.begin() as tx:
                count += len(await findings.unjudged(tx, CONTACTS, persons))
        if count:
            yield UNSPOKEN.format(count)
    if Resource.ORDERS in looked.resources:
        count = 0
        async for ids in findings.told_orders(ledger, name):
            async with notes.begin() as tx:
                count += len(await findings.unjudged_ids(tx, Resource.ORDERS, ids))
        if count:
            yield DELETED.format(count)
