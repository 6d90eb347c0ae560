"""One examination: the doors that checks knock at, and what they learn for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce import wire
from tajo.brevo import Api as BrevoApi
from tajo.brevo import Rules
from tajo.doctor.report import Finding
from tajo.errors import Later, Mend
from tajo.http import Clock

T = TypeVar("T")

GONE = frozenset({"archived", "deleted", "terminated"})  # channels.v3: status

NO_ANSWER = 60.0  # seconds; long enough for a quota to be refilled


class Channel(Struct, frozen=True):
    """channels.v3: channel."""

    id: int = 0
    name: str | None = None
    type: str | None = None
    status: str | None = None


class Visit:
    """Both accounts, open, and the settings of the connector between them; then, what checks have learned.

    `whole`: the settings that all connectors share, with this one's among them.
    `ahead`: seconds that this machine's clock is before the store's. `customers`: the first page of them,
    `more_customers` where the next one starts. `statuses`: how many orders are in each status.
    """

    def __init__(
        self,
        store: StoreApi,
        brevo: BrevoApi,
        rules: Rules,
        settings: config.Connector,
        whole: config.Settings,
    ) -> None:
        self.store = store
        self.brevo = brevo
        self.rules = rules
        self.settings = settings
        self.whole = whole
        self.ahead: float | None = None
        self.shop = wire.Store()
        self.customers: list[wire.Customer | wire.Flaw] = []
        self.more_customers = ""
        self.statuses: dict[int, int] = {}
        self.channels: list[Channel] = []
        self.sites: list[wire.Site] = []
        self.attribute_names: frozenset[str] = frozenset()
        self.storefronts = ""

    @property
    def shops(self) -> list[Channel]:
        """The channels that are storefronts, and not gone."""
        return [
            one for one in self.channels if one.id and one.type == "storefront" and one.status not in GONE
        ]


Look = Callable[[Visit], Awaitable[Sequence[Finding]]]


class Check(Struct, frozen=True):
    """One row of the table: `look`, unless one of the checks that it `needs` found its door closed.

    `when`: whether these settings make it worth a call. A check finds its door closed by raising.
    """

    id: str
    look: Look
    needs: tuple[str, ...] = ()
    when: Callable[[config.Connector], bool] = lambda settings: True


class Exhausted(Later):
    """The limits of an account allow no call for longer than a person would wait."""


class Hurried(Clock):
    """A clock for somebody who waits for the answer: longer sleeps than `longest` seconds are refused."""

    def __init__(self, clock: Clock, longest: float = 45.0) -> None:
        self._clock = clock
        self._longest = longest

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait. Raises `Exhausted` instead of waiting long."""
        if seconds > self._longest:
            raise Exhausted("its limits are used up for now", seconds)
        await self._clock.sleep(seconds)


async def knock(side: str, url: str, status_page: str, call: Awaitable[T]) -> T:
    """The very first call to one side. Raises `Mend` if it comes to nothing."""
    host = urlsplit(url).netloc
    try:
        async with asyncio.timeout(NO_ANSWER):
            return await call
    except Exhausted as error:
        raise Mend(
            f"{side} cannot be examined: {error}",
            "another program, or a sync that is running, uses them: try again when it has ended, "
            "at the latest in an hour",
        ) from None
    except (Later, TimeoutError) as error:
        why = str(error) or f"no answer within {NO_ANSWER:.0f} s"
        raise Mend(
            f"{side} cannot be reached at {host}: {why}",
            f"see that `api_url` is right and that this machine may reach {host} (network, proxy, firewall); "
            f"if it may, see {status_page} and try again later",
        ) from None


def sound(rows: Iterable[T | wire.Flaw]) -> list[T]:
    """The rows that could be understood."""
    return [row for row in rows if not isinstance(row, wire.Flaw)]
