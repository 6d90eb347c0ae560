"""What the pages stand on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256

from litestar.datastructures import State
from litestar.di import NamedDependency
from msgspec import Struct

from tajo.access import Doorkeeper
from tajo.app import Tajo
from tajo.journal import Journal
from tajo.series import Name
from tajo.web.dashboard.errands import Errands
from tajo.web.dashboard.verdict import View, judge, todo_of
from tajo.web.jobs import Jobs
from tajo.web.snapshot import Snapshot, open_snapshot
from tajo.wiring import Wiring
from tajo.worker import Standing

REMEMBERED = 1000
"""Sessions for whom words are kept that they have not read yet."""

LATELY = 3600.0
"""Seconds that count as of late."""

Minutes = Callable[[Name, str, float], list[tuple[int, float]]]


class Outlook(Struct, frozen=True, kw_only=True):
    """What a server can see of itself. `standing`: how each connector stands that is followed.

    `minutes`: a series by name and connector, since a moment.
    """

    wiring: Wiring
    keeper: Doorkeeper
    journal: Journal
    standing: Callable[[], Mapping[str, Standing]]
    minutes: Minutes


class Flash(Struct, frozen=True):
    """What somebody is told on the next page: without personal data. `secret`: shown once, and nowhere else.

    `to`: the page, if it is another one than was thought.
    """

    words: str
    bad: bool = False
    secret: str = ""
    to: str = ""


class Flashes:
    """Words for the next page of a session, in memory: whoever restarts the server has other ways."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Flash] = OrderedDict()

    def put(self, session: str, flash: Flash) -> None:
        """Tell it on their next page."""
        self._kept[_digest(session)] = flash
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    def take(self, session: str) -> Flash | None:
        """What they are to be told now, once."""
        return self._kept.pop(_digest(session), None)


class House:
    """All of it. `may_call`: whether a store may be looked for at an address that somebody names."""

    def __init__(
        self,
        outlook: Outlook,
        tajo: Tajo,
        jobs: Jobs,
        may_call: Callable[[str], bool],
        snapshot: Snapshot,
    ) -> None:
        self.wiring = outlook.wiring
        self.keeper = outlook.keeper
        self.journal = outlook.journal
        self.standing = outlook.standing
        self.minutes = outlook.minutes
        self.tajo = tajo
        self.jobs = jobs
        self.may_call = may_call
        self.snapshot = snapshot
        self.errands = Errands(outlook.wiring.now)
        self.flashes = Flashes()

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.wiring.now()

    @property
    def names(self) -> list[str]:
        """All connectors, by their names."""
        return sorted(self.wiring.settings.connectors)

    def pick(self, wanted: str) -> str:
        """The connector that a page is about: the one that is wanted, or the first. Raises `Unknown`.

        Empty where there is none at all.
        """
        if wanted:
            return self.tajo.names(wanted)[0]
        return next(iter(self.names), "")

    def humans(self) -> int:
        """How many connectors need a human."""
        standing, seen = self.standing(), self.snapshot.seen
        return sum(bool(todo_of(name, seen.get(name), standing.get(name))) for name in self.names)

    def views(self) -> list[View]:
        """How all connectors stand: those that need a human first."""
        found = [self.view(name) for name in self.names]
        order = ("HUMAN", "BEHIND", "SYNC", "OFF")
        return sorted(found, key=lambda view: (order.index(view.state.name), view.name))

    def view(self, name: str) -> View:
        """How a connector stands."""
        settings, now = self.wiring.settings, self.now
        lags = self.minutes("lag_p50", name, now - LATELY)
        return judge(
            name,
            settings.connectors[name],
            self.snapshot.seen.get(name),
            self.standing().get(name),
            now=now,
            lag=lags[-1][1] if lags else None,
            public=bool(settings.server.public_url),
        )


InHouse = NamedDependency[House]


async def provide_house(state: State) -> House:
    """What the pages stand on."""
    house: House = state.house
    return house


@asynccontextmanager
async def open_house(
    outlook: Outlook, tajo: Tajo, jobs: Jobs, may_call: Callable[[str], bool]
) -> AsyncIterator[House]:
    """The house; with it ends what looks for it and runs in it."""
    async with open_snapshot(outlook.wiring) as snapshot:
        house = House(outlook, tajo, jobs, may_call, snapshot)
        try:
            yield house
        finally:
            await house.errands.close()


def _digest(session: str) -> bytes:
    return sha256(session.encode()).digest()
