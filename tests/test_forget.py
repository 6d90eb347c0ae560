"""`tajo forget`: nothing of the person is left in Brevo or in the ledger, and no sync brings them back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.responses import Response

from tajo.errors import Later, Mend, Usage
from tajo.forget import ORDERS, RECORDS, forget
from tajo.sync import unsubscribes
from tajo.sync.account import Account
from tajo.sync.connector import Connector
from tajo.sync.ledger import carts, erasure, known, outgoing, people, queue, runs
from tajo.sync.ledger.outgoing import EVENTS, PARKED, Waiting
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, copy_ledger, open_ledger
from tajo.sync.ledger.tables import metadata
from tajo.sync.model import Customer, Key, Resource, Write
from tajo.sync.shipping import event_key
from tajo.sync.weigh import Policy, Ticket
from tests.memory import MemoryPlatform, MemoryStore, Ticking, customer, order, refund, subscriber
from tests.staged import NAME, Staged, staged

R = Resource
ALL = frozenset(Resource) - {R.VARIANTS, R.CARTS, R.EVENTS}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an SQLite file the records lie in the current folder."""
    monkeypatch.chdir(tmp_path)


Rows = dict[str, list[dict[str, Any]]]


async def everything(ledger: Ledger) -> Rows:
    """All rows of all tables."""
    async with ledger.begin() as tx:
        return {
            table.name: [dict(row) for row in (await tx.execute(select(table))).mappings()]
            for table in metadata.sorted_tables
        }


def naming(rows: Rows, *hashes: bytes) -> set[str]:
    """The tables in which one of these hashes stands."""
    return {table for table, found in rows.items() if any(v in hashes for row in found for v in row.values())}


# -- the ledger


@dataclass
class Shop:
    """A store, a platform and the ledger between them."""

    store: MemoryStore
    platform: MemoryPlatform
    ledger: Ledger
    clock: Ticking

    async def sync(self, *, full: bool = False) -> Account:
        policy = Policy(resources=ALL, counted=frozenset({10}), rules="r", overlap=0.0)
        connector = Connector("shop", self.store, self.platform, self.ledger, policy, self.clock)
        async with connector.attended():
            return await connector.sync(full=full)

    def person(self, email: str) -> bytes:
        return self.ledger.secret.person(email)

    async def erase(self, email: str) -> erasure.Erased:
        async with self.ledger.begin() as tx:
            await erasure.remember_wish(tx, ["shop"], self.person(email), self.clock())
            return await erasure.erase(tx, "shop", self.person(email))


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield Shop(MemoryStore(now=clock), MemoryPlatform(), ledger, clock)
    await ledger.close()


def two_people(shop: Shop) -> None:
    """Ann and Bob, of whom the store knows the same things: account 1 and 2, orders 11 to 13 and 21 to 23."""
    for number, name in ((1, "ann"), (2, "bob")):
        email, first = f"{name}@x.test", 10 * number
        shop.store.put(R.CUSTOMERS, customer(number, email, phone=f"+3161234567{number}"))
        shop.store.put(
            R.ORDERS,
            order(first + 1, email, customer_id=number),
            order(first + 2, email),  # as a guest
            order(first + 3, "office@x.test", customer_id=number),
        )
        shop.store.put(R.REFUNDS, refund(number, first + 1, "5"))
        shop.store.put(R.SUBSCRIBERS, subscriber(number, email, granted=True))


async def more_of(shop: Shop, number: int, email: str) -> None:
    """What else the ledger may know of a person: a cart, what waits, what is due, what is parked."""
    person, now = shop.person(email), shop.clock()
    cart = {"id": number, "uuid": "u", "person": person, "state": "open", "amount": 1, "updated_at": now}
    keys = [Key(R.CUSTOMERS, number), Key(R.ORDERS, 10 * number + 1), Key(R.GUESTS, 10 * number + 2)]
    keys += [Key(R.SUBSCRIBERS, number), Key(R.CARTS, number)]
    sealed = shop.ledger.secret.seal(Customer(email=email), person)
    async with shop.ledger.begin() as tx:
        await carts.remember(tx, "shop", [{**cart, "read_at": now, "sealed": b"s"}])
        await people.seal_guests(tx, "shop", [people.Guest(person, R.ORDERS, number, sealed, now)])
        await people.depart(tx, "shop", [shop.person(f"gone-{email}")], now)
        await queue.enqueue(tx, "shop", keys, now=now)
        await queue.park(tx, "shop", [(key, "refused", b"f") for key in keys], now=now)


async def test_no_row_leads_to_a_person_who_is_erased(shop: Shop) -> None:
    two_people(shop)
    await shop.sync()
    await more_of(shop, 1, "ann@x.test")
    ann, phone = shop.person("ann@x.test"), shop.ledger.secret.phone("+31612345671")
    before = naming(await everything(shop.ledger), ann, phone)
    assert before == {"contacts", "phones", "customers", "orders", "subscribers", "carts", "guests"}
    erased = await shop.erase("ann@x.test")
    rows = await everything(shop.ledger)
    assert naming(rows, ann, phone) == {"forgotten"}
    assert erased.rows.keys() == before | {"known", "refunds", "due", "parked"}
    assert rows["due"] == rows["parked"] == []
    assert {row["id"] for row in rows["known"]} == {13, 21, 22, 23}  # 13 is told of another e-mail
    assert {row["order_id"] for row in rows["refunds"]} == {21}


async def test_everybody_else_stays_as_they_are(shop: Shop) -> None:
    two_people(shop)
    await shop.sync()
    await more_of(shop, 1, "ann@x.test")
    await more_of(shop, 2, "bob@x.test")
    before = await everything(shop.ledger)
    await shop.erase("ann@x.test")
    after = await everything(shop.ledger)
    ann = {"id": {1, 11, 12}, "order_id": {11}, "person": {shop.person("ann@x.test")}}
    for table, rows in before.items():
        others = [row for row in rows if not any(row.get(column) in ann[column] for column in ann)]
        assert [row for row in after[table] if table != "forgotten"] == others


async def test_what_the_destination_was_told_of_them_is_said_once(shop: Shop) -> None:
    two_people(shop)
    await shop.sync()
    erased = await shop.erase("ann@x.test")
    assert erased.told == (11, 12)
    assert erased.elsewhere == 1
    again = await shop.erase("ann@x.test")
    assert again == erasure.Erased(rows={}, told=(), elsewhere=0)


async def test_no_sync_brings_a_forgotten_person_back(shop: Shop) -> None:
    two_people(shop)
    await shop.sync()
    await shop.erase("ann@x.test")
    del shop.platform.contacts["ann@x.test"]
    shop.platform.told.clear()
    now = shop.clock.moment
    shop.store.put(R.CUSTOMERS, customer(1, "Ann@x.test", first_name="Anna", modified=now))
    shop.store.put(R.ORDERS, order(11, "ann@x.test", "99", customer_id=1, modified=now))
    shop.store.put(R.ORDERS, order(14, "ann@x.test", customer_id=1, created=now, modified=now))
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "ann@x.test", granted=False, modified=now))
    for full in (False, True):
        account = await shop.sync(full=full)
        assert account.clean
        assert "ann@x.test" not in shop.platform.contacts
        assert not {11, 12, 14} & {w.key.id for w in shop.platform.told if w.key.resource == R.ORDERS}
        assert naming(await everything(shop.ledger), shop.person("ann@x.test")) == {"forgotten"}


async def test_a_wish_holds_for_connectors_that_come_later_and_for_a_rehearsal(
    shop: Shop, tmp_path: Path
) -> None:
    ann, bob = shop.person("ann@x.test"), shop.person("bob@x.test")
    async with shop.ledger.begin() as tx:
        await erasure.remember_wish(tx, ["shop"], ann, 1.0)
        assert await erasure.forgotten(tx, "shop", [ann, bob]) == {ann}
        assert await erasure.forgotten(tx, "another", [ann, bob]) == {ann}
    scratch = await open_ledger(f"sqlite:///{tmp_path}/scratch.db", shop.ledger.secret)
    await copy_ledger(shop.ledger, scratch, "shop")
    async with scratch.begin() as tx:
        assert await erasure.forgotten(tx, "shop", [ann, bob]) == {ann}
    await scratch.close()
    later = await open_ledger(f"sqlite:///{tmp_path}/later.db", shop.ledger.secret)
    await copy_ledger(shop.ledger, later, "another")
    async with later.begin() as tx:
        assert await erasure.forgotten(tx, "another", [ann, bob]) == {ann}
    await later.close()


async def test_the_date_of_the_first_wish_stands(shop: Shop) -> None:
    async with shop.ledger.begin() as tx:
        await erasure.remember_wish(tx, ["shop"], b"p" * 16, 1.0)
        await erasure.remember_wish(tx, ["shop"], b"p" * 16, 2.0)
    rows = (await everything(shop.ledger))["forgotten"]
    assert {(row["connector"], row["at"]) for row in rows} == {("shop", 1.0), (erasure.OTHERS, 1.0)}


# -- the verb


@asynccontextmanager
async def synced(folder: Path, database_url: str = "") -> AsyncIterator[Staged]:
    """Both simulators, agreed by a sync."""
    url = database_url or f"sqlite:///{folder}/t.db"
    async with staged(folder, f"database_url: '{url}'\n", database_url=url) as tajo:
        await tajo.sync(NAME)
        yield tajo


async def held(tajo: Staged) -> dict[str, Any]:
    """What Brevo holds, by e-mail."""
    lines = (await tajo.brevo.control("GET", "contacts")).text.splitlines()
    return {row["email"]: row for row in map(json.loads, lines)}


async def buyer(tajo: Staged) -> str:
    """The e-mail of somebody whose orders Brevo was told of."""
    lines = (await tajo.brevo.control("GET", "orders")).text.splitlines()
    told = [json.loads(line)["identifiers"]["email_id"] for line in lines]
    contacts = await held(tajo)
    return next(email for email in told if email in contacts)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / RECORDS).read_text().splitlines()]


async def test_the_contact_is_gone_and_stays_gone(tmp_path: Path, database_url: str) -> None:
    async with synced(tmp_path, database_url) as tajo:
        email, before = await buyer(tajo), await held(tajo)
        record = await forget(tajo, f" {email.upper()} ")
        assert record.contact_deleted
        assert record.orders
        del before[email]
        assert await held(tajo) == before
        for full in (False, True):
            assert not (await tajo.sync(NAME, full=full)).troubles
            assert await held(tajo) == before
        person = tajo.ledger.secret.person(email)
        assert naming(await everything(tajo.ledger), person) == {"forgotten"}
        assert records(tmp_path)[0]["person"] == person.hex()


async def test_what_was_done_is_written_down_without_naming_the_person(tmp_path: Path) -> None:
    async with synced(tmp_path) as tajo:
        email = await buyer(tajo)
        record = await forget(tajo, email)
    file = tmp_path / RECORDS
    assert file.stat().st_mode & 0o777 == 0o600
    (written,) = records(tmp_path)
    assert written == {
        "date": record.date,
        "person": record.person,
        "contact_deleted": True,
        "erased": record.erased,
        "orders": record.orders,
        "remains": record.remains,
    }
    assert record.date.endswith("Z")
    assert record.erased[NAME]["contacts"] == 1
    assert record.erased[NAME]["orders"] == record.erased[NAME]["known"] == len(record.orders)
    said = file.read_text() + "\n".join(record.sentences())
    assert email not in said.lower()
    assert f"Remains: {ORDERS}" in record.sentences()


async def test_a_connector_that_is_not_configured_any_more_forgets_them_too(tmp_path: Path) -> None:
    async with synced(tmp_path) as tajo:
        email = await buyer(tajo)
        person = tajo.ledger.secret.person(email)
        facts = {
            "customer_id": 0,
            "storefront": 1,
            "status_id": 10,
            "counted": True,
            "amount": 1,
            "refunded": 0,
        }
        facts |= {"placed_at": 1.0, "read_at": 1.0, "modified_at": 1.0, "placed": True}
        told = {"resource": R.ORDERS, "fingerprint": b"f", "read_at": 1.0, "parent": None}
        async with tajo.ledger.begin() as tx:
            await runs.connection(tx, "outlet", 1.0)
            await known.remember_orders(tx, "outlet", [{"id": 7, "person": person, **facts}])
            await known.remember(tx, "outlet", [{"id": 7, **told}])
        record = await forget(tajo, email)
        assert record.erased["outlet"] == {"orders": 1, "known": 1}
        assert "outlet-7" in record.orders
        assert naming(await everything(tajo.ledger), person) == {"forgotten"}


async def test_to_forget_twice_is_harmless(tmp_path: Path) -> None:
    async with synced(tmp_path) as tajo:
        email = await buyer(tajo)
        await forget(tajo, email)
        again = await forget(tajo, email)
        assert not again.contact_deleted
        assert again.erased == {NAME: {}}
        assert again.orders == []
    assert [entry["contact_deleted"] for entry in records(tmp_path)] == [True, False]


async def test_somebody_unknown_can_wish_to_stay_so(tmp_path: Path) -> None:
    async with synced(tmp_path) as tajo:
        before = await held(tajo)
        record = await forget(tajo, "Nobody@Example.com")
        assert not record.contact_deleted
        await tajo._clock.sleep(5000)
        answer = await tajo.shop.send(
            "POST", "/v3/customers", [{"email": "nobody@example.com", "first_name": "N", "last_name": "B"}]
        )
        assert answer.status_code == 200
        assert not (await tajo.sync(NAME)).troubles
        assert await held(tajo) == before


@pytest.mark.parametrize("word", ["", "nobody", "a@b", "@x.test", "a b@example.com", "a@example.com,b@c.de"])
async def test_what_is_no_address_is_refused_without_being_repeated(tmp_path: Path, word: str) -> None:
    async with staged(tmp_path, f"database_url: 'sqlite:///{tmp_path}/t.db'\n") as tajo:
        with pytest.raises(Usage) as refusal:
            await forget(tajo, word)
        assert not word or word not in str(refusal.value)
        assert not (tmp_path / RECORDS).exists()


def waiting_event(tajo: Staged, name: bytes, email: str, at: float) -> Waiting:
    body = json.dumps({"event_name": "order_placed", "identifiers": {"email_id": email}}).encode()
    write = Write(key=Key(R.ORDERS, 1), body=body, fingerprint=name)
    sealed = tajo.ledger.secret.seal(Ticket(write=write, about=write.key), name)
    return Waiting(name, None, len(body), name, sealed, at)


async def test_what_waits_about_the_person_is_never_told(tmp_path: Path, database_url: str) -> None:
    async with synced(tmp_path, database_url) as tajo:
        email, other = await buyer(tajo), "other@example.com"
        person, stranger = tajo.ledger.secret.person(email), tajo.ledger.secret.person(other)
        events = [
            waiting_event(
                tajo, n.to_bytes(16), email if n % 2 else other, PARKED if n > 600 else 1.0 * (n % 3)
            )
            for n in range(1, 1003)
        ]
        theirs = {event.name for event in events if int.from_bytes(event.name) % 2}
        parkings = [(event_key(bytes([n]) * 16), "refused", None) for n in (1, 2)]
        events += [waiting_event(tajo, bytes([n]) * 16, email if n % 2 else other, PARKED) for n in (1, 2)]
        async with tajo.ledger.begin() as tx:
            await outgoing.put(tx, NAME, EVENTS, events)
            await queue.park(tx, NAME, parkings, now=1.0)
            contact = Waiting(person, None, 1, b"f", b"sealed")
            await outgoing.put(tx, NAME, outgoing.CONTACTS, [contact, Waiting(stranger, None, 1, b"f", b"s")])
        await unsubscribes.note(tajo.ledger, [NAME], {email: 0.0}, [email])
        record = await forget(tajo, email)
        assert record.erased[NAME]["outgoing"] == len(theirs) + 2
        async with tajo.ledger.begin() as tx:
            left = await outgoing.fingerprints(tx, NAME, EVENTS, [event.name for event in events])
            assert left.keys() == {e.name for e in events} - theirs - {bytes([1]) * 16}
            assert set(await outgoing.fingerprints(tx, NAME, outgoing.CONTACTS, [person, stranger])) == {
                stranger
            }
            parked = [
                entry.key for entry in await queue.all_parked(tx, NAME) if entry.key.resource == R.EVENTS
            ]
            assert parked == [event_key(bytes([2]) * 16)]
            for kind in (unsubscribes.UNSUBSCRIBES, unsubscribes.BLOCKS):
                assert not await outgoing.fingerprints(tx, NAME, kind, [person])


class Unwilling:
    """A Brevo that answers every deletion with a status."""

    def __init__(self, app: Any, status: int) -> None:
        self.app, self.state, self.status = app, app.state, status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = Response(status_code=self.status) if scope["method"] == "DELETE" else self.app
        await answer(scope, receive, send)


@pytest.mark.parametrize(("status", "error"), [(405, Mend), (401, Mend), (503, Later)])
async def test_where_brevo_does_not_delete_nothing_is_erased_but_the_wish_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    async with synced(tmp_path) as tajo:
        email = await buyer(tajo)
        person = tajo.ledger.secret.person(email)
        before = naming(await everything(tajo.ledger), person)
        with monkeypatch.context() as patch, pytest.raises(error) as refusal:
            patch.setattr(tajo.brevo, "app", Unwilling(tajo.brevo.app, status))
            await forget(tajo, email)
        assert email not in str(refusal.value)
        assert naming(await everything(tajo.ledger), person) == before | {"forgotten"}
        assert records(tmp_path) == []
        record = await forget(tajo, email)
        assert record.contact_deleted
        assert naming(await everything(tajo.ledger), person) == {"forgotten"}


async def test_what_cannot_be_recorded_is_not_begun(tmp_path: Path) -> None:
    async with synced(tmp_path) as tajo:
        (tmp_path / RECORDS).mkdir()
        before = await held(tajo), await everything(tajo.ledger)
        with pytest.raises(Mend, match=RECORDS):
            await forget(tajo, await buyer(tajo))
        assert (await held(tajo), await everything(tajo.ledger)) == before


async def test_a_person_is_forgotten_beside_a_sync_that_is_at_work(tmp_path: Path, database_url: str) -> None:
    async with synced(tmp_path, database_url) as tajo:
        email = await buyer(tajo)
        syncing = asyncio.create_task(tajo.sync(NAME, full=True))
        await asyncio.sleep(0)
        await forget(tajo, email)
        assert not (await syncing).troubles
        await forget(tajo, email)
        await tajo.sync(NAME, full=True)
        assert email not in await held(tajo)
        person = tajo.ledger.secret.person(email)
        assert naming(await everything(tajo.ledger), person) == {"forgotten"}
