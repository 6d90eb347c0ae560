"""How much waits, for all connectors at once: what a server that is watched reads again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Engine, Select, func, select

from tajo.sync.ledger.store import Ledger
from tajo.sync.ledger.tables import due, heard, outgoing, parked, runs, sequences


class Depth(Struct, frozen=True):
    """What waits for a connector, and when what happened last. Moments are seconds since 1970, 0: never.

    `due`: records that are to be looked at, `oldest`: since when the first of them is; `outgoing`: contacts
    and events that are ready; `parked`: failures that were not dismissed. `synced`: when a sync last came to
    its end, `looked`: when one that looks at everything did. `heard`: when the last webhook came.
    """

    due: int = 0
    oldest: float = 0.0
    outgoing: int = 0
    sequences: int = 0
    parked: int = 0
    synced: float = 0.0
    looked: float = 0.0
    heard: float = 0.0


class Sounding:
    """Reads depths with a connection of its own, so that counting a million rows stands in nobody's way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self) -> dict[str, Depth]:
        """By connector, how much waits; those of whom nothing is known are missing. Blocks: for a thread."""
        found: dict[str, Depth] = {}
        with self._engine.connect() as tx:
            for fields, query in _QUERIES:
                for connector, *values in tx.execute(query):
                    told = {name: value or 0 for name, value in zip(fields, values, strict=True)}
                    found[connector] = structs.replace(found.get(connector, Depth()), **told)
        return found


@contextmanager
def sounding(ledger: Ledger) -> Iterator[Sounding]:
    """A sounding, with its connection."""
    with ledger.beside() as engine:
        yield Sounding(engine)


def _count(table: Any, *more: Any) -> Select[Any]:
    return select(table.c.connector, func.count(), *more).group_by(table.c.connector)


_ENDED = select(runs.c.connector, func.max(runs.c.finished_at)).where(runs.c.state == "done")

_QUERIES: tuple[tuple[tuple[str, ...], Select[Any]], ...] = (
    (("due", "oldest"), _count(due, func.min(due.c.at))),
    (("outgoing",), _count(outgoing)),
    (("sequences",), _count(sequences)),
    (("parked",), _count(parked).where(parked.c.dismissed_at.is_(None))),
    (("synced",), _ENDED.group_by(runs.c.connector)),
    (("looked",), _ENDED.where(runs.c.mode == "full").group_by(runs.c.connector)),
    (("heard",), select(heard.c.connector, func.max(heard.c.heard_at)).group_by(heard.c.connector)),
)
