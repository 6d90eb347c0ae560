"""A hundred thousand sequences that wait, and some hundreds whose time comes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from tajo.sync.automation import Act, Deed, Done, Nothing, Running, Situation, Standing
from tajo.sync.ledger import sequences as ledger
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.sequences import Kept
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Batch, Change, Customer, Key, Resource, Verdict
from tajo.sync.ports import Source
from tajo.sync.sequences import Sequences, Whose

Row = tuple[str, str, str, str]

WAITING, DUE, SPAN, IDLE = 100_000, 600, 20.0, 10.0
"""How many wait, how many of them are due within so many seconds, and the seconds of waiting before."""


class _Mails(Nothing):
    """One mail, and it is over."""

    def decide(self, running: Running, situation: Situation) -> Act:
        return Act(verb="send-email", params={}, then=None)


class _People:
    """A store in which everybody is there, and an account that takes every mail.

    `at`: when, by the e-mail of whoever got it; `over`: those that were due are out.
    """

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.over = asyncio.Event()

    async def fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        changes = [Change(Key(resource, id_), Customer(id=id_, email=f"{id_}@x.test")) for id_ in ids]
        return Batch(resource, changes, time.time())

    async def standing(self, _email: str) -> Standing:
        return Standing(exists=True)

    async def coupon(self, percent: int, seconds: float, code: str) -> None:
        """Nobody asks for one."""

    async def act(self, deed: Deed) -> Done:
        self.at[deed.email] = time.time()
        if len(self.at) == DUE:
            self.over.set()
        return Done(verdict=Verdict.DELIVERED)


def waiting() -> Iterator[Row]:
    """Whoever waits costs nothing, and hears of it in time."""
    with tempfile.TemporaryDirectory() as folder:
        idle, late = asyncio.run(_waiting(f"sqlite:///{folder}/ledger.db"))
    yield f"CPU seconds in a minute while {WAITING:,} sequences wait", f"{idle:.2f}", "", ""
    for share in (0.5, 0.99):
        yield (
            f"seconds late, {share:.0%} of {DUE} steps within",
            f"{late[int(share * len(late))]:.2f}",
            "5",
            "",
        )


async def _waiting(url: str) -> tuple[float, Sequence[float]]:
    kept = await open_ledger(url, Secret(b"of a benchmark"))
    people = _People()
    mails = Sequences(
        *("shop", cast(Source, people), people, kept, _Mails, time.time),
        link=lambda _cart: "",
        journal=lambda _words: None,
    )
    await _fill(kept, {}, WAITING)
    leading = asyncio.create_task(_lead(mails))
    await asyncio.sleep(1)
    spent = time.process_time()
    await asyncio.sleep(IDLE)
    idle = (time.process_time() - spent) * 60 / IDLE
    begin = time.time() + 2
    due = {id_: begin + SPAN * id_ / DUE for id_ in range(DUE)}
    await _fill(kept, due, DUE)
    leading.cancel()
    leading = asyncio.create_task(_lead(mails))
    await people.over.wait()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    await kept.close()
    return idle, sorted(people.at[f"{id_}@x.test"] - at for id_, at in due.items())


async def _lead(mails: Sequences) -> None:
    """As the worker of a connector does."""
    while True:
        await mails.lead()
        due = await mails.next_due()
        await asyncio.sleep(60.0 if due is None else min(max(due - time.time(), 0.0), 60.0))


async def _fill(kept: Ledger, due: Mapping[int, float], count: int) -> None:
    """Sequences due at these moments, all others tomorrow."""
    secret, now = kept.secret, time.time()

    def one(id_: int) -> Kept:
        email = f"{id_}@x.test"
        person = secret.person(email)
        about: dict[str, Any] = {"skill": "mails", "subject": Key(Resource.CUSTOMERS, id_), "person": person}
        sealed = secret.seal(Whose(email=email), person)
        return Kept(**about, step=0, began=now, due=due.get(id_, now + 86400), event="", sealed=sealed)

    for start in range(0, count, 5000):
        rows = [one(id_) for id_ in range(start, min(start + 5000, count))]
        async with kept.begin() as tx:
            await ledger.begin(tx, "shop", rows, restart=True)
