"""What a storm rages over: a store with its crowd, a Brevo account, Tajo between them, and the post.

All of it lives in this process, on a clock that moves only when somebody looks at it or sleeps, and the
same seed makes the same storm: SQLite works in the event loop instead of a thread of its own, and whatever
is drawn, is drawn from the seed.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import UUID

import aiosqlite.core
import httpx
import pytest

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce import callbacks
from tajo.brevo import Api as BrevoApi
from tajo.brevo import batch_outbox
from tajo.brevo import callbacks as marketing
from tajo.brevo.hooks import BrevoHooks
from tajo.errors import Later
from tajo.http import Clock, Patience
from tajo.sandbox.bigcommerce import TOKEN, carts, generate
from tajo.sandbox.brevo import Faults, ManualClock
from tajo.sandbox.brevo.account import API_KEY
from tajo.sandbox.brevo.faults import Weather
from tajo.sandbox.shoppers import Shoppers
from tajo.sync import unsubscribes
from tajo.sync.ledger import runs
from tajo.sync.ledger.inbox import Inbox
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, Tx, open_ledger
from tajo.wiring import DEAF, Ears, Line, Wiring
from tests.sandbox_shop import Shop
from tests.staged import Together
from tests.storms.history import History, agreed, occasion
from tests.test_sandbox_brevo import Brevo

NAME = "bigcommerce"
SECRET = Secret(b"of a storm")
CONFIG = """
brevo: {api_key: of-the-sandbox}
connectors:
  bigcommerce:
    store_hash: sandbox1
    access_token: of-the-sandbox
    sync: {inventory: true}
    cart: {brevo_events: none}
    lists: {all_customers: Everybody, buyers: Buyers, subscribers: Newsletter}
    webhooks:
      - {scope: store/customer/created, destination: customer_created}
      - {scope: store/customer/updated, destination: customer_updated}
      - {scope: store/order/created, destination: order_placed}
      - {scope: store/order/updated, destination: order_updated}
      - {scope: store/order/statusUpdated, destination: order_status_changed}
      - {scope: store/order/refund/created, destination: order_refunded}
      - {scope: store/cart/created, destination: cart_created}
      - {scope: store/cart/updated, destination: cart_updated}
      - {scope: store/cart/abandoned, destination: cart_abandoned}
      - {scope: store/cart/converted, destination: cart_recovered}
      - {scope: store/cart/deleted, destination: cart_deleted}
      - {scope: store/inventory/updated, destination: inventory_changed, contact: stock@shop.example}
"""

HOUR = 3600.0
LOST, DOUBLED, DELAYED = 0.1, 0.1, 0.2
LATEST = 48 * HOUR
PAUSES = (1.0, 20.0, 300.0, 1800.0, 4000.0, 8 * HOUR)
HASTE = (1.0, 20.0)

BAD_STORE = {
    **{"throttled": 0.02, "overloaded": 0.01, "broken": 0.03, "truncated": 0.01},
    **{"dropped": 0.01, "unanswered": 0.01, "slow": 0.0},
}
BAD_BREVO = {
    **{"storm": 0.01, "server_error": 0.02, "late_error": 0.01, "dropped": 0.01},
    **{"too_early": 0.01, "failed_import": 0.05, "slow_batch": 0.9, "slow_batch_seconds": 550.0},
}


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing after it runs, nothing catches it."""


class Fuse:
    """Kills at the n-th dangerous moment (0: never): the `victim`, and whatever it tries afterwards."""

    def __init__(self, length: int = 0) -> None:
        self._left = length
        self.burnt = False
        self.victim: asyncio.Task[None] | None = None

    def burn(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.burnt = True
            if self.victim:
                self.victim.cancel()
        if self.burnt:
            raise Killed


class Ticking(Together):
    """No two looks at it are the same moment."""

    def now(self) -> float:
        self.shop.now += 0.001
        return self.shop.now


class Brittle(Ledger):
    """Dies before a commit, too. What was not committed is gone, as after a real kill."""

    fuse = Fuse()

    @asynccontextmanager
    async def begin(self, **more: Any) -> AsyncIterator[Tx]:
        async with super().begin(**more) as tx:
            yield tx
            self.fuse.burn()


class Wire(httpx.AsyncBaseTransport):
    """The way to an application. The process may die before a call and after it, and meanwhile life goes on.

    On `street.unsure` are the events of every call whose answer did not come, or said nothing.
    """

    def __init__(self, app: Any, fuse: Fuse, street: Street) -> None:
        self._way = httpx.ASGITransport(app)
        self._fuse = fuse
        self._street = street

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        events, unsure = _events(request), self._street.unsure
        unsure.update(events)
        freed, doubts = _freed(request), self._street.history.doubts
        if freed:
            doubts.setdefault(freed, []).append((self._street.shop.now, inf))
        self._fuse.burn()
        await self._street.meanwhile()
        with self._street.watched(request):
            answer = await self._way.handle_async_request(request)
        self._fuse.burn()
        if answer.status_code < 500:
            unsure.subtract(events)
        if freed and answer.is_success:
            since = min(begun for begun, ended in doubts[freed] if ended == inf)
            known = [doubt for doubt in doubts[freed] if doubt[1] < inf]
            doubts[freed] = [*known, (since, self._street.shop.now)]
        return answer


def _freed(request: httpx.Request) -> str:
    """Whom a request frees in Brevo."""
    if request.method not in ("POST", "PUT") or "/contacts" not in request.url.path or not request.content:
        return ""
    body = json.loads(request.content)
    if body.get("emailBlacklisted") is not False:
        return ""
    return str(body.get("email") or body["attributes"]["EMAIL"]).lower()


def _events(request: httpx.Request) -> list[str]:
    """The events that a request tells."""
    if request.method != "POST" or not request.url.path.removesuffix("/batch").endswith("/events"):
        return []
    body = json.loads(request.content)
    return [
        occasion(
            event["event_name"],
            datetime.fromisoformat(event["event_date"]).timestamp(),
            event["event_properties"],
        )
        for event in body.get("events", [body])
    ]


def _gone(body: bytes) -> set[tuple[str, int]]:
    """Of whom a call of Brevo's says that they may not be written to, and since which second."""
    said = json.loads(body)
    return {
        (entry["email"].lower(), event["ts"])
        for event in (said if isinstance(said, list) else [said])
        for entry in event.get("content", [event])
        if event["event"] == "unsubscribe" or entry.get("emailBlacklist") is True
    }


class Wired(Wiring):
    """Tajo whose calls go over wires. `calls`: how many Brevo got."""

    def __init__(self, settings: config.Settings, ledger: Ledger, street: Street, fuse: Fuse) -> None:
        super().__init__(settings, ledger, street.clock)
        self._street, self._fuse = street, fuse

    @asynccontextmanager
    async def accounts(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        left_to_others: float = 0.0,
        ears: Ears = DEAF,
    ) -> AsyncIterator[tuple[StoreApi, BrevoApi]]:
        street = self._street
        store = StoreApi(
            street.shop.store.hash,
            TOKEN,
            api_url="http://sandbox",
            clock=street.clock,
            transport=Wire(street.shop.app, self._fuse, street),
        )
        brevo = BrevoApi(
            API_KEY,
            api_url="http://brevo.test/v3",
            clock=street.clock,
            transport=Wire(street.brevo.app, self._fuse, street),
        )
        try:
            yield store, brevo
        finally:
            await store.close()
            await brevo.close()


class Street:
    """The world of one storm. `history`: what happened in the store; `unsure`: how often Tajo could not know
    whether an event had arrived. `tidy`: it never stops in the middle, unless it is killed. `restless`: how
    often something happens while it waits for an answer. `faithful`: the post may be late, but is never lost.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.dice = random.Random(seed)
        self.folder = folder
        self.shop = Shop(generate(customers=0, orders=0, products=4, seed=seed % 7), plan="unlimited")
        time = ManualClock(self.shop.now)
        self.brevo = Brevo(clock=time, outgoing=httpx.MockTransport(self._hear_brevo))
        self.clock = Ticking(self.shop, time)
        self.shoppers = Shoppers(
            *("http://sandbox", self.shop.store.hash, TOKEN, "http://brevo.test/v3", API_KEY, seed),
            store=self.shop.http,
            brevo=self.brevo.client,
        )
        self.brevo.client.event_hooks = {"response": [self._see_off]}  # Tajo has a client of its own
        self.history = History(self.shop.world)
        self._departed: dict[tuple[str, int], float] = {}
        self.unsure: Counter[str] = Counter()
        self.restless = 0.0
        self.tidy = self.dice.random() < 0.5
        self.faithful = self.dice.random() < 0.4
        self._fickle = self.dice.choice((0.0, 0.3, 0.7))
        self._pauses = self.dice.choice((PAUSES, HASTE))
        self._post: list[tuple[float, int, str, bytes]] = []
        self._sent = self._raised = 0
        self._busy = False
        self._inbox = Inbox(None, None, lambda _: None, self.clock.now, 0.0)  # type: ignore[arg-type]
        self._settings: config.Settings | None = None

    async def begin(self) -> None:
        file = self.folder / "tajo.yaml"
        file.write_text(CONFIG)
        self._settings = config.load(file, {})
        brevo = httpx.ASGITransport(self.brevo.app)
        api = BrevoApi(API_KEY, api_url="http://brevo.test/v3", clock=self.clock, transport=brevo)
        await BrevoHooks(api).register("https://tajo.example/webhooks/brevo", "of-a-storm")
        await api.close()

    async def end(self) -> None:
        await self.shop.__aexit__()
        await self.brevo.client.aclose()
        await self.brevo.app.state.account.agenda.close()

    # --- what people do

    async def happen(self) -> None:
        """Time passes, and somebody does something."""
        await self.clock.sleep(self.dice.choice(self._pauses))
        await self._act(0.15)
        self.look()

    async def meanwhile(self) -> None:
        """Something may happen while Tajo waits for an answer."""
        if self.restless and not self._busy and self.dice.random() < self.restless:
            self._busy = True
            await self.clock.sleep(self.dice.choice((0.5, 5.0)))
            await self._act(0.3)
            self._busy = False
        self.look()

    async def _act(self, meddling: float) -> None:
        """Somebody changes their mind, or meddles this often, or the crowd goes on."""
        if self.dice.random() < self._fickle:
            await self._decide()
        else:
            await (self._meddle() if self.dice.random() < meddling else self._step())

    async def _step(self) -> None:
        """What the crowd does next. It is not its browsers that fail."""
        account = self.brevo.app.state.account
        bad, account.weather = account.weather, Weather(Faults())
        await self.shoppers.step()
        account.weather = bad

    async def _meddle(self) -> None:
        """One person as guest, reader and customer: what the crowd, in which everybody is new, never does."""
        accounts = {row["email"].lower(): row["id"] for row in self.shop.store.customers}
        if not (email := self._somebody()):
            return
        panel = f"/_sandbox/panel/stores/{self.shop.store.hash}/v3"
        product = next(iter(self.shop.store.products), None)
        match self.dice.randrange(4):
            case 0 if email not in accounts:
                made = [{"email": email.upper(), "first_name": "Re", "last_name": "Turning"}]
                await self._ask("POST", f"{panel}/customers", made)
            case 1 if email not in accounts and accounts:
                changed = [{"id": self.dice.choice(sorted(accounts.values())), "email": email}]
                await self._ask("PUT", f"{panel}/customers", changed)
            case 2 if product:
                item = {"product_id": product["id"], "quantity": 1}
                cart = await self._ask("POST", "/_sandbox/carts", {"line_items": [item], "email": email})
                if cart and self.dice.random() < 0.7:
                    paid = {"status_id": self.dice.choice((0, 7, 11)), "is_email_opt_in": False}
                    await self._ask("POST", f"/_sandbox/carts/{cart['id']}/checkout", paid)
            case _:
                await self._wish(email, granted=self.dice.random() < 0.6)

    async def _decide(self) -> None:
        """Whom Brevo may write to leaves there, or somebody agrees in the store, or takes that back."""
        if not (email := self._somebody()):
            return
        contact = self.brevo.app.state.account.book.find("email", email)
        if contact is None or contact.email_blocked or self.dice.random() < 0.5:
            await self._wish(email, granted=self.dice.random() < 0.8)
        else:
            await self._leave(email)

    def _somebody(self) -> str:
        """Some do a lot; empty if there is nobody yet."""
        emails = sorted({person for person in self.history.emails if "@" in person})
        return self.dice.choice(emails[:2] if self.dice.random() < 0.5 else emails) if emails else ""

    async def _wish(self, email: str, *, granted: bool) -> None:
        path = f"/_sandbox/panel/stores/{self.shop.store.hash}/v3/customers/subscribers"
        readers = {row["email"].lower(): row["id"] for row in self.shop.store.subscribers}
        wish = ["marketing_newsletter"] if granted else []
        if email in readers:
            await self._ask("PUT", f"{path}/{readers[email]}", {"consents": wish})
        else:
            await self._ask("POST", path, {"email": email, "channel_id": 1, "consents": wish})

    async def _leave(self, email: str) -> None:
        """A click on the link in a mail, or a member of staff who blocklists them in Brevo."""
        account = self.brevo.app.state.account
        bad, account.weather = account.weather, Weather(Faults())
        if self.dice.random() < 0.6:
            await self.brevo.control("POST", "unsubscribe", {"email": email})
        else:
            await self.brevo("PUT", f"/contacts/{quote(email, safe='')}", {"emailBlacklisted": True})
        account.weather = bad

    async def _see_off(self, response: httpx.Response) -> None:
        """Note who leaves in Brevo. Its clock and the store's are not quite the same."""
        request = response.request
        match request.method, request.url.path.rpartition("/")[2]:
            case "POST", "unsubscribe":
                email = json.loads(request.content)["email"].lower()
            case "PUT", email:
                pass
            case _:
                return
        if not response.is_success:
            return
        self.history.left.setdefault(email, {})[self.shop.now] = inf
        self._departed[email, int(self.clock.brevo.now())] = self.shop.now

    async def _ask(self, method: str, path: str, body: Any) -> Any:
        answer = await self.shop.http.request(method, f"http://sandbox{path}", json=body)
        return answer.json() if answer.is_success and answer.content else None

    # --- the post

    def look(self) -> None:
        """Note what happened, and send what the store tells of it."""
        self.history.look(self.shop.now)
        for email in self.history.left:
            contact = self.brevo.app.state.account.book.find("email", email)
            if contact and not contact.email_blocked:
                self.history.freed[email] = self.shop.now
        raised = self.shop.world.deliveries.events
        for event in list(raised)[self._raised :]:
            body = {**event, "producer": f"stores/{self.shop.store.hash}"}
            del body["hooks"]
            self._mail("store", json.dumps(body).encode())
        self._raised = len(raised)

    @contextmanager
    def watched(self, request: httpx.Request) -> Iterator[None]:
        """Note whose consent in the store Tajo takes by this."""
        before = agreed(self.shop.store)
        try:
            yield
        finally:
            if request.method == "PUT" and "/customers/subscribers/" in request.url.path:
                after = agreed(self.shop.store)
                self.look()
                for email in [email for email, wish in before.items() if wish and not after[email]]:
                    freed = self.history.freed.get(email, 0.0)
                    self.history.taken.setdefault(email, []).append((self.shop.now, freed))

    def _hear_brevo(self, request: httpx.Request) -> httpx.Response:
        self._mail("brevo", request.content)
        return httpx.Response(200)

    def _mail(self, sender: str, body: bytes) -> None:
        if not self.faithful and self.dice.random() < LOST:
            return
        for _ in range(2 if self.dice.random() < DOUBLED else 1):
            delay = self.dice.uniform(0, LATEST) if self.dice.random() < DELAYED else self.dice.uniform(0, 5)
            self._sent += 1
            self._post.append((self.shop.now + delay, self._sent, sender, body))

    async def deliver(self, ledger: Ledger) -> None:
        """Take in what has arrived, by the inbox's own statements, but without its thread.

        Who hears no thanks, because Tajo died, calls again.
        """
        now = self.shop.now
        arrived = sorted(mail for mail in self._post if mail[0] <= now)
        if notices := [(NAME, callbacks.read(body)) for _, _, sender, body in arrived if sender == "store"]:
            async with ledger.begin() as tx:
                await tx.run_sync(self._inbox._keep, notices)
            heard = self.history.heard
            for _, notice in notices:
                heard |= {uuid: max(notice.created, heard.get(uuid, 0.0)) for uuid in notice.carts}
        calls = [body for _, _, sender, body in arrived if sender == "brevo"]
        for gone in map(marketing.read, calls):
            said = {who.email: who.at for who in gone if who.sure}
            await unsubscribes.note(ledger, [NAME], said, [who.email for who in gone if not who.sure])
        for email, second in {one for body in calls for one in _gone(body)} & self._departed.keys():
            left, when = self.history.left[email], self._departed[email, second]
            left[when] = min(left[when], now)
        self._post = [mail for mail in self._post if mail[0] > now]

    # --- Tajo

    async def process(self, fuse: Fuse, work: Callable[[Line, Ledger], Awaitable[None]]) -> None:
        """Tajo at work, until it is done, gives up for now, or is killed."""
        kept = await open_ledger(f"sqlite:///{self.folder}/tajo.db", SECRET)
        ledger = Brittle(kept._engine, kept.secret)
        ledger.fuse = fuse
        before, told, error = asyncio.all_tasks(), len(self.told()), None
        fuse.victim = asyncio.create_task(self._attend(fuse, ledger, work))
        await asyncio.wait([fuse.victim])
        if fuse.burnt:
            await _end(fuse.victim, before)
        elif (error := fuse.victim.exception()) and not _only(error, Later):
            raise error
        if fuse.burnt or error or not self.tidy:  # what was answered may not have been noted
            self.unsure.update(occasion(e["name"], e["at"], e["properties"]) for e in self.told()[told:])
        await ledger.close()
        self.look()

    async def _attend(
        self, fuse: Fuse, ledger: Ledger, work: Callable[[Line, Ledger], Awaitable[None]]
    ) -> None:
        assert self._settings is not None
        async with Wired(self._settings, ledger, self, fuse).attend(NAME, lambda _: None) as line:
            await work(line, ledger)
            if self.tidy:
                await line.connector.replay([])

    async def follow(self, line: Line, ledger: Ledger) -> None:
        await line.connector.send_due()
        await line.connector.follow()
        await unsubscribes.write_back(
            ledger, NAME, line.source, line.destination, lambda _: None, self.clock.now
        )

    async def live_since(self) -> float:
        ledger = await open_ledger(f"sqlite:///{self.folder}/tajo.db", SECRET)
        try:
            async with ledger.begin() as tx:
                return (await runs.connection(tx, NAME, self.clock.now())).live_since
        finally:
            await ledger.close()

    async def weather(self, *, bad: bool) -> None:
        """What both APIs have to offer from now on."""
        await self.shop.control("POST", "faults", {**BAD_STORE, "on": bad})
        await self.brevo.control("POST", "faults", BAD_BREVO if bad else {})

    def told(self) -> list[dict[str, Any]]:
        """The events that Brevo was told of, in their order; `at` in seconds since 1970."""
        return [
            {
                "name": event.name,
                "at": event.at / 1000,
                "email": event.identifiers["email_id"],
                "properties": json.loads(bytes(event.properties)),
            }
            for event in self.brevo.app.state.account.events
        ]

    async def found(self, what: str) -> list[dict[str, Any]]:
        """What Brevo holds of it."""
        answer = await self.brevo.control("GET", what)
        return [json.loads(line) for line in answer.text.splitlines()]


def _only(error: BaseException, kind: type[BaseException]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only(inner, kind) for inner in error.exceptions)
    return isinstance(error, kind)


async def _end(victim: asyncio.Task[Any], before: set[asyncio.Task[Any]]) -> None:
    """Nothing of a dead process goes on, or holds a lock. The simulators do not belong to it, and
    whatever puts a connection back may do so.
    """

    def left(*others: str) -> list[asyncio.Task[Any]]:
        tasks = {victim} | asyncio.all_tasks() - before
        files = {task: task.get_coro().cr_code.co_filename for task in tasks}  # type: ignore[union-attr]
        found = [task for task, file in files.items() if not any(other in file for other in others)]
        return sorted(found, key=lambda task: int(task.get_name().rpartition("-")[2]))

    for task in left("/sandbox/", "/sqlalchemy/"):
        task.cancel()
    while not all(task.done() for task in left("/sandbox/")):
        await asyncio.gather(*left("/sandbox/"), return_exceptions=True)
    _AtOnce.end()


# --- repeatable


class _Nobody:
    """Stands where aiosqlite wants a thread."""

    daemon = True

    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...

    def join(self, _timeout: float) -> None: ...


class _Letting(sqlite3.Connection):
    """Lets go of its locks when it is closed, whatever still stands in the middle of a result."""

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):
            self.rollback()
        super().close()


class _AtOnce:
    """Stands where aiosqlite hands its thread something to do: done at once, and heard of a turn later."""

    _opened: ClassVar[list[sqlite3.Connection]] = []

    @classmethod
    def end(cls) -> None:
        """Take all connections away, as the operating system does when a process dies."""
        while cls._opened:
            cls._opened.pop().close()

    def put_nowait(self, job: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, work = job
        try:
            result, error = work(), None
            if isinstance(result, sqlite3.Connection):
                self._opened.append(result)
        except Exception as raised:
            result, error = None, raised
        if future is None:
            return
        if error is None:
            future.get_loop().call_soon(aiosqlite.core.set_result, future, result)
        else:
            future.get_loop().call_soon(aiosqlite.core.set_exception, future, error)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Nothing in here depends on anything but the seed."""
    dice, before = random.Random(seed), random.getstate()
    random.seed(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiosqlite.core, "Thread", _Nobody)
        patch.setattr(aiosqlite.core, "SimpleQueue", _AtOnce)
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=_Letting))
        patch.setattr(batch_outbox, "FEW", seed % 3)  # or no day would have enough orders for a batch
        patch.setattr(carts, "uuid4", lambda: UUID(int=dice.getrandbits(128), version=4))
        try:
            yield
        finally:
            random.setstate(before)
            _AtOnce.end()
