"""What the store no longer shows is gone, unless so much is missing that its answer may be wrong.

A list that lost much is not believed before a human says so, and a look that lost much, not before a second
one. Nothing of what is doubted is told or forgotten, so that whoever dies meanwhile has lost nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from tajo.sync import weigh
from tajo.sync.ledger import queue, unmet
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Key, Resource
from tajo.sync.moments import moment
from tajo.sync.ports import Destination

#: More than this share of what is known, and more than so many, is much.
SHARE, FEW = 0.1, 10

#: Seconds between a look that is not believed and the second one.
SECOND_LOOK = 300.0


async def of_list(
    tx: Tx, connector: str, destination: Destination, resource: Resource, since: float
) -> tuple[list[Key], str]:
    """What a full list, begun at `since`, did not show: it may be gone. And why to doubt that, if so."""
    missing, known_ones = await unmet.unmet(tx, connector, resource, since)
    lost = weigh.told_as_there(destination, resource, missing)
    known_ones -= len(missing) - len(lost)
    doubt = ""
    if _much(len(lost), known_ones):
        doubt = (
            f"{resource}: {len(lost):,} of {known_ones:,} are missing in the store's list, so "
            "nothing is deleted. If they are gone, run `tajo sync --full --believe-losses`"
        )
    return [Key(resource, id_) for id_ in missing], doubt


async def of_look(
    tx: Tx, connector: str, destination: Destination, batch: Batch, *, believe: bool
) -> tuple[Batch, list[str]]:
    """The batch without what is missing in it and not believed to be gone, and what to say of it.

    Wrong answers come as one: of few ids a look is believed. `believe`: of many, too.
    """
    named = {change.key for change in batch.changes}
    missing = {change.key for change in batch.changes if change.record is None and not change.flaw}
    denied = await queue.denied(tx, connector, named)
    if not missing and not denied:
        return batch, []
    known_ones = await unmet.recall(tx, connector, batch.resource, [key.id for key in named])
    there = weigh.told_as_there(destination, batch.resource, known_ones)
    fresh = missing - denied.keys()
    lost = there & {key.id for key in fresh}
    many = _much(len(lost), len(there)) and not believe
    early = {key for key in missing - fresh if batch.read_at < denied[key] + SECOND_LOOK}
    doubtful = set() if believe else early | fresh if many else early
    await queue.found(tx, connector, denied.keys() - missing)
    await queue.deny(tx, connector, doubtful, batch.read_at, again_after=SECOND_LOOK)
    words = []
    if many:
        missed = f"{len(lost):,} of {len(there):,} {batch.resource} are missing in the store's answer"
        words.append(f"{missed}: looked at again at {moment(batch.read_at + SECOND_LOOK):%H:%M:%S} UTC")
    if gone := missing - fresh - doubtful:
        words.append(f"{len(gone):,} {batch.resource} are missing at the second look, too: they are gone")
    return replace(batch, changes=[change for change in batch.changes if change.key not in doubtful]), words


def _much(lost: int, known_ones: int) -> bool:
    return lost > max(FEW, SHARE * known_ones)
