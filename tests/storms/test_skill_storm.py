"""A storm of carts: shoppers leave, return, buy and unsubscribe, and Tajo dies. Who got which mails?

The oracle reads the diary of what shoppers did, and shares no code with the product: it plays every cart by
the rules as merchants read them.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.skills import Manners, Playbook, Shop, settled, shelf
from tajo.sync.automation import Deed, Done, Standing
from tajo.sync.connector import Connector
from tajo.sync.ledger import carts, queue
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Cart, CartLine, Key, Resource, Verdict, cart_key
from tajo.sync.sequences import Sequences
from tajo.sync.weigh import Policy
from tests.memory import MemoryPlatform, MemoryStore, Ticking, order, subscriber

R = Resource
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STEP = 10 * MINUTE
ABANDONED = 1 * HOUR
DELAYS = (1 * HOUR, 24 * HOUR, 48 * HOUR)
CAP = 2
SHOPPERS = 400
STORMS = int(os.environ.get("TAJO_STORMS", "100")) // 25  # each has some three hundred carts


class Killed(BaseException):
    """What a kill -9 looks like from inside."""


@dataclass
class Diary:
    """What one shopper did: moments in seconds since 1970."""

    agreed: bool
    touched: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bought: list[float] = field(default_factory=list)
    unsubscribed: float | None = None


@dataclass
class Mailbox:
    """Carries deeds out; `fuse`: so many deeds later the process dies, the deed done and nobody told."""

    clock: Ticking
    fuse: int = 0
    blocked: set[str] = field(default_factory=set)
    sent: dict[str, tuple[float, str, int]] = field(default_factory=dict)

    async def standing(self, email: str) -> Standing:
        return Standing(exists=True, email_blocked=email in self.blocked)

    async def coupon(self, percent: int, seconds: float, code: str) -> None:
        pass

    async def act(self, deed: Deed) -> Done:
        self.sent.setdefault(deed.name, (self.clock.seconds, deed.email, deed.params["templateId"]))
        self.fuse -= 1
        if self.fuse == 0:
            raise Killed
        return Done(verdict=Verdict.DELIVERED)


@dataclass
class Town:
    """A store with some hundred shoppers, each with a cart or two."""

    dice: Random
    folder: Path
    clock: Ticking = field(default_factory=Ticking)
    diaries: dict[str, Diary] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)  # cart by shopper
    named: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = MemoryStore(now=self.clock, page=100)
        self.mailbox = Mailbox(self.clock)
        options: dict[str, Any] = {"enabled": True, "templates": [1, 2, 3], "timing": {}}
        found, wrong = settled(shelf(), {"abandoned-cart": options})
        assert not wrong
        self.playbook = Playbook(found.skills.values(), Manners(daily_cap=CAP), Shop(currency="EUR"))
        for number in range(SHOPPERS):
            email = f"shopper{number}@x.test"
            self.diaries[email] = Diary(agreed=self.dice.random() < 0.8)
            if self.diaries[email].agreed:
                self.store.put(R.SUBSCRIBERS, subscriber(number + 1, email, granted=True))

    # --- what shoppers do

    def happen(self) -> set[Key]:
        """A few shoppers do something; what the webhooks of it name."""
        keys = set()
        for email in self.dice.sample(sorted(self.diaries), self.dice.randrange(40)):
            match self.dice.randrange(12):
                case 0 | 1 | 2 | 3 | 4:
                    keys.add(self._fill(email))
                case 5 | 6 if email in self.open:
                    keys |= self._buy(email)
                case 7 if self.diaries[email].unsubscribed is None and self.dice.random() < 0.2:
                    self.diaries[email].unsubscribed = self.clock.seconds
                    self.mailbox.blocked.add(email)
                case _:
                    pass
        return keys

    def _fill(self, email: str) -> Key:
        """A new cart, or one thing more in the one that there is."""
        now, number = self.clock.moment, len(self.named)
        uuid = self.open.setdefault(email, f"{number:08x}-0000-4000-8000-{number:012x}")
        key = cart_key(uuid)
        self.named[key.id] = uuid
        old = self.store.records[R.CARTS].get(key.id)
        line = CartLine(product_id=1, name="P", price=Decimal(60), total=Decimal(60))
        if isinstance(old, Cart):
            made = replace(old, lines=(*old.lines, line), total=old.total + 60, updated=now)
        else:
            made = Cart(
                id=key.id, uuid=uuid, email=email, total=Decimal(60), lines=(line,), created=now, updated=now
            )
        self.store.put(R.CARTS, made)
        self.diaries[email].touched[uuid].append(now.timestamp())
        return key

    def _buy(self, email: str) -> set[Key]:
        uuid, now = self.open.pop(email), self.clock.moment
        key, number = cart_key(uuid), len(self.store.records[R.ORDERS]) + 1
        del self.store.records[R.CARTS][key.id]
        sale = order(number, email, "60", status_id=11, created=now, modified=now, cart_id=uuid)
        self.store.put(R.ORDERS, sale)
        self.diaries[email].bought.append(now.timestamp())
        # Of a third nobody hears: what has begun must find out by itself.
        return {key, Key(R.ORDERS, number)} if self.dice.random() < 0.7 else set()

    # --- Tajo

    async def begin(self) -> None:
        """A process starts, and looks at everything if it is the first."""
        self._ledger = await open_ledger(f"sqlite:///{self.folder}/ledger.db", Secret(b"k" * 32))
        self._connector = self._made(self._ledger)
        await self._connector.open()

    async def end(self) -> None:
        """The process ends, in whichever way."""
        await self._ledger.close()

    async def first_sync(self) -> None:
        async with self._connector.attended():
            await self._connector.sync()

    async def look(self, keys: set[Key]) -> None:
        """Follow what was named and lead what is due; if the process dies of it, another one starts."""
        try:
            async with self._ledger.begin() as tx:
                mine = {key.id: self.named[key.id] for key in keys if key.resource is R.CARTS}
                await carts.named(tx, "shop", mine)
                await queue.enqueue(tx, "shop", keys, now=self.clock())
            async with self._connector.attended():
                await self._connector.follow()
                await Sequences(
                    *("shop", self.store, self.mailbox, self._ledger, lambda: self.playbook, self.clock),
                    link=lambda _cart: "",
                    journal=lambda _words: None,
                ).lead()
        except BaseExceptionGroup as error:
            if error.split(Killed)[1]:
                raise
            await self.end()
            await self.begin()
            self.mailbox.fuse = 0
            await self.look(set())

    def _made(self, ledger: Ledger) -> Connector:
        policy = Policy(
            resources=frozenset(R) - {R.VARIANTS, R.EVENTS, R.SEQUENCES},
            counted=frozenset({11}),
            placed=frozenset({11}),
            rules="r",
            overlap=0.0,
            abandoned_after=ABANDONED,
        )
        return Connector(
            *("shop", self.store, MemoryPlatform(), ledger, policy, self.clock),
            automation=lambda _: self.playbook,
        )


async def storm(seed: int) -> list[str]:
    """What is wrong after four days."""
    dice = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        town = Town(dice, Path(folder))
        await town.begin()
        await town.first_sync()
        began = town.clock.seconds
        while town.clock.seconds < began + 4 * DAY:
            lively = town.clock.seconds < began + 1 * DAY
            keys = town.happen() if lively and dice.random() < 0.5 else set()
            town.mailbox.fuse = dice.randint(1, 4) if dice.random() < 0.3 else 0
            town.clock.seconds += 1
            await town.look(keys)
            town.clock.seconds = began + (int((town.clock.seconds - began) / STEP) + 1) * STEP
        await town.end()
        return [
            complaint
            for email, diary in town.diaries.items()
            for complaint in complaints(email, diary, town.mailbox, town.clock.seconds)
        ]


# --- the oracle


def complaints(email: str, diary: Diary, mailbox: Mailbox, now: float) -> list[str]:
    """What a shopper got and should not have, or did not get and should have."""
    got = sorted((at, template) for at, whose, template in mailbox.sent.values() if whose == email)
    wanted = due(diary, now)
    if not diary.agreed:
        return [f"{email} got {got} without having agreed"] if got else []
    found = []
    if got and diary.unsubscribed and got[-1][0] > diary.unsubscribed:
        found.append(f"{email} got {got} after unsubscribing at {diary.unsubscribed}")
    if crowded([at for at, _ in got], CAP + 1):
        found.append(f"{email} got more than {CAP} in a day: {got}")
    if crowded([mail.at for mail in wanted], CAP + 1):  # some had to wait, and what came meanwhile decided
        return found if len(got) <= len(wanted) else [*found, f"{email} got {got}, due were only {wanted}"]
    left = list(got)
    for mail in wanted:
        mine = [one for one in left if one[1] == mail.template and mail.at <= one[0] <= mail.latest]
        if mine:
            left.remove(mine[0])
        elif mail.sure:
            found.append(f"{email} did not get {mail}, but {got}")
    return found + [f"{email} got {one}, due were {wanted}" for one in left]


def crowded(moments: list[float], many: int) -> bool:
    """Whether so many of these lie within a day."""
    return any(later - first < DAY for first, later in zip(moments, moments[many - 1 :], strict=False))


@dataclass(frozen=True)
class Mail:
    """A mail that is due between two moments; `sure`: nothing can have come between."""

    template: int
    at: float
    latest: float
    sure: bool


def due(diary: Diary, now: float) -> list[Mail]:
    """The mails that the rules grant to one shopper, oldest first."""
    mails = []
    for moves in diary.touched.values():
        ends = min((at for at in diary.bought if at > moves[0]), default=float("inf"))
        pauses = zip(moves, [*moves[1:], ends], strict=True)
        left = [at for at, then in pauses if then - at > ABANDONED + MINUTE]
        at = left[0] + ABANDONED if left else float("inf")
        until = min(ends, diary.unsubscribed or float("inf"), now)
        for number, delay in enumerate(DELAYS, 1):
            at += delay
            latest = at + 2 * number * STEP + MINUTE
            if at < until:
                mails.append(Mail(number, at, latest, latest < until))
    return sorted(mails, key=lambda mail: mail.at)


@settings(
    max_examples=STORMS,
    derandomize="TAJO_STORMS" not in os.environ,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 10**8))
def test_every_shopper_gets_exactly_the_mails_that_the_rules_grant(seed: int) -> None:
    assert asyncio.run(storm(seed)) == []
