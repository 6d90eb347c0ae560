"""Who waits in which skill: counts and moments, by step, and nobody's name."""

from __future__ import annotations

from datetime import UTC, datetime

from tajo import answers, config
from tajo.app import Tajo
from tajo.sync.ledger import sequences
from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.sequences import DONE, Kept
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Key, Resource
from tajo.wiring import open_wiring
from tests.virtual_clock import VirtualClock

SHOP, SKILL = "bigcommerce", "abandoned-cart"
ENV = {"BREVO_API_KEY": "x", "BC_STORE_HASH": "abc123", "BC_ACCESS_TOKEN": "t", "TAJO_SECRET_KEY": "s" * 32}
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0


async def wait(tx: Tx, number: int, *, step: int, due: float, connector: str = SHOP) -> None:
    """A sequence about the order of this number, which has yet to do this step."""
    kept = Kept(
        skill=SKILL,
        subject=Key(Resource.ORDERS, number),
        person=b"p%d" % number,
        occasion="",
        step=step,
        began=NOW - DAY,
        due=due,
        event="cart_abandoned",
        sealed=b"ada@example.com",
    )
    await sequences.begin(tx, connector, [kept], restart=False)


async def do(tx: Tx, number: int, *, at: float, state: str = DONE, connector: str = SHOP) -> None:
    """A deed of the skill."""
    row = {"name": b"%d%s" % (number, connector.encode()), "connector": connector, "skill": SKILL}
    about = {"resource": "orders", "id": number, "person": b"p", "step": 0, "verb": "send-email"}
    await sequences.note_deed(
        tx, {**row, **about, "variant": "", "marketing": True, "at": at, "state": state}
    )


async def test_it_is_told_by_step_who_waits_and_what_was_done(database_url: str) -> None:
    env = {**ENV, "TAJO_DATABASE_URL": database_url}
    async with open_wiring(config.load(None, env), env, clock=VirtualClock(NOW)) as wiring:
        async with wiring.ledger.begin() as tx:
            await wait(tx, 1, step=0, due=NOW + 2 * HOUR)
            await wait(tx, 2, step=0, due=NOW + HOUR)
            await wait(tx, 3, step=1, due=PARKED)
            await wait(tx, 4, step=0, due=NOW, connector="other")
            await do(tx, 1, at=NOW - HOUR)
            await do(tx, 2, at=NOW - 2 * DAY)
            await do(tx, 3, at=NOW - HOUR, state="begun")
            await do(tx, 4, at=NOW - HOUR, connector="other")
        (told,) = (await Tajo(wiring).skills_at_work(SHOP)).skills
    assert told == answers.Waiting(
        skill=SKILL,
        enabled=False,
        waiting=3,
        steps={1: 2, 2: 1},
        next=datetime.fromtimestamp(NOW + HOUR, UTC),
        stopped=1,
        done=2,
        done_last_day=1,
    )


async def test_a_skill_that_is_off_and_in_which_nobody_waits_is_left_out(database_url: str) -> None:
    env = {**ENV, "TAJO_DATABASE_URL": database_url}
    async with open_wiring(config.load(None, env), env, clock=VirtualClock(NOW)) as wiring:
        async with wiring.ledger.begin() as tx:
            await do(tx, 1, at=NOW - HOUR)
        assert (await Tajo(wiring).skills_at_work(SHOP)).skills == []
