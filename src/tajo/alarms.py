"""Whoever should know that a connector needs a human is told: once, and once more when it is well again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from tajo.meters import Answering, Reading
from tajo.sync.ledger import counts
from tajo.sync.ledger.store import Ledger

CALM = 600.0
"""Seconds for which all must be well before it is said: a worker that is stopped tries again every 300."""

GAP = 3600.0
"""Seconds between two words about failures of one connector."""

FEW = 10
"""So many failures are worth a word, and then twice as many as were told of last."""


class Kind(StrEnum):
    """What may be wrong with a connector."""

    STOPPED = "stopped"
    WEBHOOKS = "webhooks"
    FAILURES = "failures"
    SYNC = "sync"
    BIGCOMMERCE = "bigcommerce"
    BREVO = "brevo"


PATIENCE = {Kind.WEBHOOKS: 3600.0, Kind.SYNC: 3600.0, Kind.BIGCOMMERCE: 900.0, Kind.BREVO: 900.0}
"""Seconds for which something must be wrong before it is said; all else is said at once."""

NAMES = {Kind.BIGCOMMERCE: "the store", Kind.BREVO: "Brevo"}


class Alarm(Struct, frozen=True):
    """Something to say. `well`: it is over. `at`: when it was found, in seconds since 1970."""

    connector: str
    kind: Kind
    words: str
    at: float
    well: bool = False


class Watched(Struct):
    """One kind of trouble of one connector. `level`: 0: calm, else it was told (failures: how many were)."""

    level: int = 0
    told_at: float = 0.0
    wrong_since: float | None = None
    well_since: float | None = None


class Found(Struct, frozen=True):
    """What a look says of one kind. `wrong` None: it cannot say. `words`: for people; `level`: how bad."""

    wrong: bool | None
    words: str
    level: int = 1


Tell = Callable[[Sequence[Alarm]], Awaitable[None]]
"""Tells people. It never raises: what cannot be told is said in the log."""


class Alarms:
    """Remembers what was told, in the ledger, so that a restart says nothing twice. `now`: since 1970."""

    def __init__(self, ledger: Ledger, tell: Tell, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._tell = tell
        self._now = now
        self._watched: dict[str, dict[Kind, Watched]] = {}

    async def consider(
        self, readings: Mapping[str, Reading], answering: Callable[[str, str], Answering]
    ) -> None:
        """Tell what is new in these. `answering`: whether a side of a connector answers."""
        now = self._now()
        alarms: list[Alarm] = []
        for connector, reading in readings.items():
            if reading.standing.busy:  # whoever is at work on it tells
                continue
            if connector not in self._watched:
                self._watched[connector] = await self._recall(connector)
            sides = {kind: answering(connector, kind) for kind in NAMES}
            watched = self._watched[connector]
            for kind, found in judge(reading, sides, watched).items():
                if turn(watched[kind], found, kind, now):
                    alarms.append(Alarm(connector, kind, found.words, now, well=not watched[kind].level))
        if alarms:
            await self._tell(alarms)
            await self._remember(alarms)

    async def _recall(self, connector: str) -> dict[Kind, Watched]:
        async with self._ledger.begin() as tx:
            marks = await counts.marks(tx, connector)
        return {kind: Watched(*marks.get(f"alarm {kind}", (0, 0.0))) for kind in Kind}

    async def _remember(self, alarms: Sequence[Alarm]) -> None:
        async with self._ledger.begin() as tx:
            for alarm in alarms:
                level = self._watched[alarm.connector][alarm.kind].level
                await counts.mark(tx, alarm.connector, f"alarm {alarm.kind}", level, alarm.at)


def turn(watched: Watched, found: Found, kind: Kind, now: float) -> bool:
    """Take note of a look; whether something is to be said now: that it is wrong (a level), or well (0)."""
    if found.wrong is None:
        watched.wrong_since = watched.well_since = None
        return False
    if found.wrong:
        watched.well_since = None
        watched.wrong_since = now if watched.wrong_since is None else watched.wrong_since
        if watched.level >= found.level or now - watched.wrong_since < PATIENCE.get(kind, 0.0):
            return False
        if watched.level and now - watched.told_at < GAP:
            return False
        watched.level, watched.told_at = found.level, now
        return True
    watched.wrong_since = None
    watched.well_since = now if watched.well_since is None else watched.well_since
    if not watched.level or now - watched.well_since < CALM:
        return False
    watched.level, watched.told_at = 0, now
    return True


def judge(
    reading: Reading, sides: Mapping[Kind, Answering], watched: Mapping[Kind, Watched]
) -> dict[Kind, Found]:
    """What a look says. Well is only what was seen to be: after a restart much cannot be said for a while."""
    standing, depth = reading.standing, reading.depth
    told_at = {kind: one.told_at for kind, one in watched.items()}
    many = max(FEW, 2 * watched[Kind.FAILURES].level)
    table: dict[Kind, tuple[object, str, bool, str]] = {  # wrong, in words; well, in words
        Kind.STOPPED: (
            standing.stuck,
            standing.trouble if standing.working else f"it has stopped: {standing.trouble}",
            standing.working and not standing.stuck,
            "it is at work again",
        ),
        Kind.WEBHOOKS: (
            standing.silent,
            "its webhooks have been silent for an hour; the store is looked at every minute instead",
            depth.heard > told_at[Kind.WEBHOOKS],
            "its webhooks speak again",
        ),
        Kind.FAILURES: (
            depth.parked >= many,
            f"{depth.parked:,} records could not be delivered; see `tajo failures list`",
            not depth.parked,
            "all that could not be delivered is delivered, dismissed or gone",
        ),
        Kind.SYNC: (
            standing.cut_short,
            f"the look at everything has not come to its end: {standing.cut_short}",
            depth.looked > told_at[Kind.SYNC],
            "everything was looked at",
        ),
        **{
            kind: (
                sides[kind].silent_since,
                f"{name} has not answered for 15 minutes; what waits is told later",
                sides[kind].answered > told_at[kind],
                f"{name} answers again",
            )
            for kind, name in NAMES.items()
        },
    }
    return {
        kind: Found(True, words, depth.parked if kind is Kind.FAILURES else 1)
        if wrong
        else Found(False if well else None, relief)
        for kind, (wrong, words, well, relief) in table.items()
    }
