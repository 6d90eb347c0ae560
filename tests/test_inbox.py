"""Notices are kept: each key once, nothing lost, whoever calls at the same time."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tajo.errors import Later, Refused
from tajo.sync.ledger.inbox import OTHER, SCOPES, open_inbox
from tajo.sync.ledger.queue import due_keys, enqueue, looked_at
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger, upsert
from tajo.sync.ledger.tables import carts, due, heard
from tajo.sync.model import Key, Notice, Resource, cart_key

SECRET = Secret(b"a secret for tests, and for nothing else")
NOW = 1_000_000.0
CART = "0c1a2b3c-0000-4000-8000-00000000000a"


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, SECRET)
    yield opened
    await opened.close()


def no_wake(_connector: str) -> None:
    pass


def clock() -> float:
    return NOW


def orders(*ids: int, scope: str = "store/order/updated", created: float = 0.0) -> Notice:
    return Notice(
        scope=scope, keys=tuple(Key(Resource.ORDERS, id_) for id_ in ids), known=True, created=created
    )


async def waiting(ledger: Ledger) -> dict[tuple[str, Key], tuple[float, float]]:
    """Per connector and key: queued_at, at."""
    async with ledger.begin() as tx:
        rows = await tx.execute(select(due))
        return {(row.connector, Key(Resource(row.resource), row.id)): (row.queued_at, row.at) for row in rows}


async def tallied(ledger: Ledger) -> dict[tuple[str, str], tuple[int, float, float]]:
    async with ledger.begin() as tx:
        rows = await tx.execute(select(heard))
        return {(r.connector, r.scope): (r.notices, r.happened_at, r.heard_at) for r in rows}


async def test_a_notice_is_on_disk_when_take_returns(ledger: Ledger) -> None:
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        await inbox.take("shop", orders(7, created=NOW - 5))
        assert await waiting(ledger) == {("shop", Key(Resource.ORDERS, 7)): (NOW, NOW)}
        assert await tallied(ledger) == {("shop", "store/order/updated"): (1, NOW - 5, NOW)}


async def test_callers_at_the_same_time_share_commits(ledger: Ledger) -> None:
    woken: list[str] = []
    async with open_inbox(ledger, woken.append) as inbox:
        await asyncio.gather(*(inbox.take("shop", orders(id_)) for id_ in range(1, 301)))
        assert len(await waiting(ledger)) == 300
    assert woken in (["shop"], ["shop", "shop"])


async def test_after_a_commit_those_are_woken_for_whom_there_is_something(ledger: Ledger) -> None:
    woken: list[str] = []
    async with open_inbox(ledger, woken.append) as inbox:
        await asyncio.gather(inbox.take("a", orders(1)), inbox.take("b", orders(1)))
    assert set(woken) == {"a", "b"}


async def test_a_wish_for_later_comes_forward(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await enqueue(tx, "shop", [Key(Resource.ORDERS, 7)], now=NOW - 60, at=NOW + 3600)
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        await inbox.take("shop", orders(7))
    assert await waiting(ledger) == {("shop", Key(Resource.ORDERS, 7)): (NOW, NOW)}


async def test_an_earlier_wish_is_not_put_off(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await enqueue(tx, "shop", [Key(Resource.ORDERS, 7)], now=NOW - 60)
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        await inbox.take("shop", orders(7))
    assert await waiting(ledger) == {("shop", Key(Resource.ORDERS, 7)): (NOW, NOW - 60)}


async def test_a_clock_that_was_set_back_makes_no_wish_older(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await enqueue(tx, "shop", [Key(Resource.ORDERS, 7)], now=NOW + 60)
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        await inbox.take("shop", orders(7))
    assert await waiting(ledger) == {("shop", Key(Resource.ORDERS, 7)): (NOW + 60, NOW)}


async def test_a_look_from_before_the_notice_does_not_fulfil_it(ledger: Ledger) -> None:
    key = Key(Resource.ORDERS, 7)
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        await inbox.take("shop", orders(7))
    async with ledger.begin() as tx:
        await looked_at(tx, "shop", [key], NOW - 1)
        assert list(await due_keys(tx, "shop", [Resource.ORDERS], now=NOW, limit=9)) == [key]
        await looked_at(tx, "shop", [key], NOW + 1)
        assert not await due_keys(tx, "shop", [Resource.ORDERS], now=NOW, limit=9)


async def test_a_new_cart_is_remembered_by_its_uuid_and_a_known_one_stays_as_it_is(ledger: Ledger) -> None:
    known = "ffffffff-0000-4000-8000-00000000000b"
    row = {
        "connector": "shop",
        "id": cart_key(known).id,
        "uuid": known,
        "person": b"p",
        "state": "abandoned",
        "amount": 5,
        "updated_at": 3.0,
        "read_at": 4.0,
        "sealed": b"s",
    }
    async with ledger.begin() as tx:
        await upsert(tx, carts, [row])
    notice = Notice(
        scope="store/cart/updated", keys=(cart_key(CART), cart_key(known)), carts=(CART.upper(), known)
    )
    async with open_inbox(ledger, no_wake) as inbox:
        await asyncio.gather(*(inbox.take("shop", notice) for _ in range(3)))
    async with ledger.begin() as tx:
        found = [tuple(r) for r in await tx.execute(select(carts).order_by(carts.c.id))]
    fresh = ("shop", cart_key(CART).id, CART, b"", "open", 0, None, 0.0, None)
    assert found == [fresh, tuple(row.values())]
    assert {key for _, key in await waiting(ledger)} == {cart_key(CART), cart_key(known)}


async def test_scopes_are_counted_with_the_newest_moment_and_never_the_future(ledger: Ledger) -> None:
    async with open_inbox(ledger, no_wake, now=clock) as inbox:
        for created in (NOW - 10, NOW - 50):
            await inbox.take("shop", Notice(scope="store/strange", known=False, created=created))
        await inbox.take("shop", orders(1, created=NOW + 1e6))
    assert await tallied(ledger) == {
        ("shop", "store/strange"): (2, NOW - 10, NOW),
        ("shop", "store/order/updated"): (1, NOW, NOW),
    }


async def test_no_flood_of_strange_scopes_fills_the_disk(ledger: Ledger) -> None:
    async with open_inbox(ledger, no_wake) as inbox:
        strange = [Notice(scope=f"store/{n}/" + "x" * 500, known=False) for n in range(SCOPES + 50)]
        await asyncio.gather(*(inbox.take("shop", notice) for notice in strange))
    async with open_inbox(ledger, no_wake) as inbox:  # nor after a new start
        await inbox.take("shop", Notice(scope="store/one/more", known=False))
    found = await tallied(ledger)
    assert len(found) == SCOPES + 1
    assert found["shop", OTHER][0] == 51
    assert all(len(scope) <= 128 for _, scope in found)


@pytest.mark.parametrize("scope", ["store/\0", "store/ü", "a\nb"])
async def test_a_scope_that_is_no_name_is_counted_among_the_others(ledger: Ledger, scope: str) -> None:
    async with open_inbox(ledger, no_wake) as inbox:
        await inbox.take("shop", Notice(scope=scope, known=False))
    assert list(await tallied(ledger)) == [("shop", OTHER)]


@pytest.mark.parametrize(
    "bad",
    [
        orders(2**63),
        orders(-1),
        Notice(scope="store/cart/updated", carts=("no uuid",)),
    ],
)
async def test_a_notice_that_cannot_be_written_is_refused_and_takes_nobody_with_it(
    ledger: Ledger, bad: Notice
) -> None:
    async with open_inbox(ledger, no_wake) as inbox:
        answers = await asyncio.gather(
            *(inbox.take("shop", notice) for notice in (orders(1), bad, orders(2))), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [type(None), Refused, type(None)]
    assert {key.id for _, key in await waiting(ledger)} == {1, 2}


async def test_while_the_database_is_locked_every_caller_hears_later(ledger: Ledger) -> None:
    woken: list[str] = []
    async with open_inbox(ledger, woken.append, patience=0) as inbox:
        async with ledger.begin() as tx:
            await enqueue(tx, "shop", [Key(Resource.ORDERS, 1)], now=NOW, at=NOW + 9)
            answers = await asyncio.gather(
                *(inbox.take("shop", orders(1, id_)) for id_ in range(2, 9)), return_exceptions=True
            )
        assert {type(answer) for answer in answers} == {Later}
        assert len(await waiting(ledger)) == 1
        assert woken == []
        await inbox.take("shop", orders(1))
    assert woken == ["shop"]


async def test_a_lock_that_is_released_in_time_costs_nobody_anything(ledger: Ledger) -> None:
    async with open_inbox(ledger, no_wake) as inbox:
        async with ledger.begin() as tx:
            await enqueue(tx, "shop", [Key(Resource.ORDERS, 1)], now=NOW, at=NOW + 9)
            taking = asyncio.create_task(inbox.take("shop", orders(1, 2)))
            await due_keys(tx, "shop", [Resource.ORDERS], now=NOW, limit=1)
            assert not taking.done()
        await taking
    assert len(await waiting(ledger)) == 2


async def test_leaving_waits_for_what_was_taken_even_if_its_caller_has_gone(ledger: Ledger) -> None:
    async with open_inbox(ledger, no_wake) as inbox:
        first = asyncio.create_task(inbox.take("shop", orders(1)))
        second = asyncio.create_task(inbox.take("shop", orders(2)))
        await asyncio.sleep(0)
        first.cancel()
    assert (await asyncio.gather(first, second, return_exceptions=True))[1] is None
    assert {key.id for _, key in await waiting(ledger)} == {1, 2}


KEYS = st.builds(
    Key, st.sampled_from([Resource.ORDERS, Resource.PRODUCTS]), st.sampled_from([1, 2, 3, 2**63 - 1])
)
NOTICES = st.builds(
    Notice,
    scope=st.sampled_from(["store/order/updated", "store/strange"]),
    keys=st.lists(KEYS, max_size=3, unique=True).map(tuple),
    carts=st.lists(st.uuids().map(str), max_size=1).map(tuple),
)
TAKES = st.lists(st.tuples(st.sampled_from(["a", "b"]), NOTICES), max_size=40)


@given(waves=st.lists(TAKES, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_whatever_comes_in_whatever_order_each_key_is_due_once_and_nothing_is_lost(
    waves: list[Sequence[tuple[str, Notice]]],
) -> None:
    async def story() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ledger = await open_ledger(f"sqlite:///{Path(folder) / 't.db'}", SECRET)
            async with open_inbox(ledger, no_wake) as inbox:
                tasks = []
                for wave in waves:  # each wave comes while the commit of the one before may still run
                    tasks += [asyncio.create_task(inbox.take(*take)) for take in wave]
                    await asyncio.sleep(0)
                await asyncio.gather(*tasks)
            takes = [take for wave in waves for take in wave]
            assert set(await waiting(ledger)) == {
                (connector, key) for connector, notice in takes for key in notice.keys
            }
            counted = {name: row[0] for name, row in (await tallied(ledger)).items()}
            assert counted == Counter((connector, notice.scope) for connector, notice in takes)
            async with ledger.begin() as tx:
                found = {tuple(r) for r in await tx.execute(select(carts.c.connector, carts.c.uuid))}
            assert found == {(connector, uuid) for connector, notice in takes for uuid in notice.carts}
            await ledger.close()

    asyncio.run(story())
