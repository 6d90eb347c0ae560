"""Settings become a source, a destination and the connector between them: what every verb stands on.

What people and programs can ask for is in `tajo.app`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct
from sqlalchemy.engine import make_url

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce import BigCommerceSource
from tajo.bigcommerce.inventory import Locations
from tajo.bigcommerce.scopes import EVENTS, STOCK, UNSCOPED
from tajo.bigcommerce.statuses import UNFINISHED, UNSOLD
from tajo.brevo import Api as BrevoApi
from tajo.brevo import BrevoDestination, CartLayout, ConsentMode, Lists, Rules, StorefrontRules
from tajo.errors import Unknown, Usage
from tajo.http import Clock, Heard, Patience
from tajo.skills import Manners, Playbook, Shop
from tajo.sync.account import Account
from tajo.sync.automation import Automation
from tajo.sync.connector import Connector
from tajo.sync.ledger import connections, counts, known, outgoing, people, queue, runs
from tajo.sync.ledger import sequences as sequence_rows
from tajo.sync.ledger.queue import Parked
from tajo.sync.ledger.secret import Secret, find_secret
from tajo.sync.ledger.store import Ledger, Tx, copy_ledger, open_ledger
from tajo.sync.mapping import Rule
from tajo.sync.model import EventKind, Farewell, Key, Resource, Store, Write
from tajo.sync.moments import moment
from tajo.sync.parts import PARTS
from tajo.sync.ports import Told
from tajo.sync.recovery import link
from tajo.sync.rehearsal import Rehearsal
from tajo.sync.sequences import Sequences
from tajo.sync.weigh import Policy

#: What a sync can be confined to. Carts cannot be listed.
LISTED_PARTS = tuple(part for part in PARTS if part != "carts")

Watch = Callable[["Line"], None]


class Ears(Struct, frozen=True):
    """Who hears of what is done for a connector: each call to a side, each record that was answered for."""

    store: Heard = lambda _: None
    brevo: Heard = lambda _: None
    told: Told = lambda *_: None


DEAF = Ears()


class Line(Struct, frozen=True):
    """A connector at work, for those who watch: its account grows while it runs.

    `rehearsed`: in a rehearsal, the first few writes of each resource; they grow, too.
    """

    name: str
    source: BigCommerceSource
    destination: BrevoDestination
    connector: Connector
    sequences: Sequences
    apis: tuple[StoreApi, BrevoApi]
    rehearsed: Mapping[Resource, Sequence[Write]] = {}

    @property
    def account(self) -> Account:
        """How far it has come."""
        return self.connector.account


class Wiring:
    """All connectors of the settings, on one ledger. Made by `open_wiring`."""

    def __init__(self, settings: config.Settings, ledger: Ledger, clock: Clock) -> None:
        self.settings = settings
        self.written = frozenset(settings.connectors)
        self._ledger = ledger
        self._clock = clock

    def join(self, stores: Mapping[str, config.Connector]) -> None:
        """From now on there are these connectors, too: stores that were connected at run time."""
        both = {**self.settings.connectors, **stores}
        self.settings = self.settings.model_copy(update={"connectors": both})

    def leave(self, name: str) -> None:
        """From now on there is no such connector."""
        others = {key: one for key, one in self.settings.connectors.items() if key != name}
        self.settings = self.settings.model_copy(update={"connectors": others})

    async def meet_connections(self) -> None:
        """Know the stores that are connected at run time by now, whichever process connected them.

        A name that the configuration uses is the configuration's.
        """
        async with self._ledger.begin() as tx:
            found = await connections.all_of(tx, self._ledger.secret)
        stores = {
            name: config.joined(self.settings.common, name, msgspec.convert(kept, config.Credentials))
            for name, kept in found.items()
            if name not in self.written
        }
        for name in self.settings.connectors.keys() - self.written - stores.keys():
            self.leave(name)
        self.join(stores)

    def with_settings(self, settings: config.Settings) -> Self:
        """The same with other settings, for whoever wants to try something out."""
        other = copy(self)
        other.settings = settings
        return other

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now()

    def names(self, wanted: str | None = None) -> list[str]:
        """The connectors that run, or the one that is wanted. Raises `Usage` where there is none."""
        connectors = self.settings.connectors
        if wanted is not None and wanted not in connectors:
            known_names = ", ".join(connectors) or "none"
            raise Unknown(f"there is no connector `{wanted}`", f"use one of these: {known_names}.")
        names = [wanted] if wanted else [name for name, one in connectors.items() if one.enabled]
        if not names:
            raise Usage("no store is connected", "write a tajo.yaml (`tajo init`), or set BC_STORE_HASH.")
        return names

    async def sync(
        self,
        name: str,
        *,
        full: bool = False,
        resources: frozenset[Resource] | None = None,
        believe_losses: bool = False,
        watch: Watch | None = None,
    ) -> Account:
        """Bring Brevo up to date with the store. Raises `Mend` when a human must act.

        `believe_losses`: what is missing in the store's lists is gone, however much it is.
        """
        async with self._line(name, self._ledger) as line:
            if watch:
                watch(line)
            await line.connector.open()
            async with line.connector.attended():
                account = await line.connector.sync(
                    full=full, resources=resources, believe_losses=believe_losses
                )
                for why in line.connector.barred.values():  # all else was done
                    raise why
                return account

    async def rehearse(
        self,
        name: str,
        *,
        full: bool = False,
        resources: frozenset[Resource] | None = None,
        watch: Watch | None = None,
    ) -> tuple[Account, list[dict[str, Any]]]:
        """What `sync` would do: its account, and field by field the difference of a few records."""
        with tempfile.TemporaryDirectory(prefix="tajo-") as folder:
            scratch = await open_ledger(f"sqlite:///{folder}/rehearsal.db", self._ledger.secret)
            try:
                await copy_ledger(self._ledger, scratch, name)
                async with self._line(name, scratch, rehearse=True) as line:
                    if watch:
                        watch(line)
                    await line.connector.open(create=False)
                    async with line.connector.attended():
                        account = await line.connector.sync(full=full, resources=resources)
                    return account, await line.destination.differences(line.rehearsed)
            finally:
                await scratch.close()

    async def status(self, name: str, ledger: Ledger | None = None) -> dict[str, Any]:
        """The SDK's fields (`connected, last_sync, customers_count, …`) and what waits or is parked.

        `ledger`: the same on another connection, because counting takes long.
        """
        async with (ledger or self._ledger).begin() as tx:
            told, met = await known.counts(tx, name), await people.counts(tx, name)
            last = await runs.last_run(tx, name, "done")
            newest = await runs.last_run(tx, name)
            parked = await queue.count_parked(tx, name)
            dismissed = await queue.count_parked(tx, name, dismissed=True)
            waiting = await queue.count_due(tx, name)
            outgoing_ = await outgoing.count(tx, name)
            heard = await counts.heard(tx, name)
            tallies = await counts.tallies(tx, name)
            sequences = await sequence_rows.counts(tx, name)
            deeds = await sequence_rows.done(tx, name)
        last_heard = max((one.heard_at for one in heard.values()), default=None)
        running = newest if newest and newest.state == "running" else None
        return {
            "connector": name,
            "connected": newest is not None,
            "last_sync": last and last.finished_at and _iso(last.finished_at),
            "syncing": running is not None,
            "progress": running and _progress(running, self._clock.now()),
            "customers_count": met["customers"],
            "orders_count": met["orders"],
            "products_count": told.get(Resource.PRODUCTS, 0),
            "contacts_count": met["contacts"],
            "failures_count": parked,
            "dismissed_count": dismissed,
            "queued_count": waiting,
            "outgoing_count": outgoing_,
            "webhooks_count": sum(one.notices for one in heard.values()),
            "last_webhook": last_heard and _iso(last_heard),
            "healed_count": tallies.get("healed", 0),
            "sequences": sequences,
            "deeds": deeds,
        }

    async def failures(self, name: str) -> list[Parked]:
        """Everything that could not be delivered, with its reason, but for what was dismissed."""
        async with self._ledger.begin() as tx:
            return await queue.all_parked(tx, name)

    async def replay(
        self, name: str, keys: Sequence[Key] | None = None, *, watch: Watch | None = None
    ) -> Account:
        """Try these failures again (None: all of them, but for what was dismissed)."""
        wanted = await self.parked(name, keys)
        async with self._line(name, self._ledger) as line:
            if watch:
                watch(line)
            await line.connector.open()
            async with line.connector.attended():
                return await line.connector.replay(wanted)

    async def parked(self, name: str, keys: Sequence[Key] | None) -> Sequence[Key]:
        """These keys, or all that are among the failures. Raises `Unknown` for one that is not.

        What was dismissed must be named.
        """
        if keys is None:
            return [entry.key for entry in await self.failures(name)]
        async with self._ledger.begin() as tx:
            return await _among(tx, name, keys)

    async def dismiss(self, name: str, keys: Sequence[Key]) -> None:
        """Leave these failures as they are, until they are refused for something else, or replayed.

        It needs neither side, and may be done beside a server. Raises `Unknown` for what is no failure.
        """
        async with self._ledger.begin(turn=name) as tx:
            await queue.dismiss(tx, name, await _among(tx, name, keys), self.now())

    def rules(self, name: str) -> Rules:
        """What the merchant of this connector wants to see in Brevo."""
        return _rules(name, self.settings.connectors[name])

    def policy(self, name: str) -> Policy:
        """What the merchant of this connector wants of the machine."""
        return _policy(self.settings.connectors[name], self.rules(name))

    @property
    def ledger(self) -> Ledger:
        """What is remembered of all connectors."""
        return self._ledger

    @asynccontextmanager
    async def attend(
        self, name: str, journal: Callable[[str], None], ears: Ears = DEAF
    ) -> AsyncIterator[Line]:
        """A connector at work for good: nobody else may work on it. Raises `Mend`, and `Later`."""
        left = self.settings.connectors[name].left_to_others / 100
        async with self._line(name, self._ledger, journal=journal, left_to_others=left, ears=ears) as line:
            await line.connector.open()
            async with line.connector.attended():
                yield line

    def automation(self, name: str, store: Store) -> Automation:
        """What the enabled skills do, for this store."""
        settings = self.settings.connectors[name]
        own = {int(id_): one.url for id_, one in settings.storefronts.items() if one.url}
        urls = {id_: one.url for id_, one in store.storefronts.items() if one.url} | own
        messages = settings.messages
        manners = Manners(
            daily_cap=messages.daily_cap,
            quiet=messages.quiet_hours,
            timezone=messages.timezone or store.timezone,
            sms_sender=messages.sms_sender or "",
            whatsapp_sender=messages.whatsapp_sender or "",
        )
        return Playbook(
            self.settings.skills.skills.values(), manners, Shop(currency=store.currency, urls=urls)
        )

    def recovery_link(self, name: str, cart: Key) -> str:
        """The address that brings a cart back; empty where nobody could reach us."""
        url = self.settings.server.public_url
        return link(self._ledger.secret, url, name, cart.id, self._clock.now()) if url else ""

    def locations(self, name: str) -> Locations | None:
        """The locations whose stock counts; None: what the catalogue says."""
        named = self.settings.connectors[name].inventory
        if named == "default_location":
            return None
        return Locations(frozenset() if isinstance(named, str) else frozenset(named))

    async def ready(self) -> bool:
        """The ledger answers."""
        async with self._ledger.begin() as tx:
            await queue.count_due(tx, "")
        return True

    @property
    def address(self) -> str:
        """Where people find this server, without a slash at the end."""
        server = self.settings.server
        host = f"[{server.host}]" if ":" in server.host else server.host
        return (server.public_url or f"http://{host}:{server.port}").rstrip("/")

    @property
    def folder(self) -> Path:
        """Where files of our own lie: beside the SQLite file, or the current folder."""
        return folder_of(self.settings)

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
        """Store and Brevo account of one connector, to be called directly; closed afterwards."""
        settings, brevo = self.settings.connectors[name], self.settings.brevo
        async with AsyncExitStack() as stack:
            store = StoreApi(
                settings.store_hash,
                settings.access_token.get_secret_value(),
                api_url=settings.api_url,
                client_id=settings.client_id or "",
                clock=clock or self._clock,
                patience=patience,
                left_to_others=left_to_others,
                heard=ears.store,
            )
            stack.push_async_callback(store.close)
            account = BrevoApi(
                brevo.api_key.get_secret_value(),
                api_url=brevo.api_url,
                tier=brevo.plan,
                clock=clock or self._clock,
                patience=patience,
                heard=ears.brevo,
            )
            stack.push_async_callback(account.close)
            yield store, account

    @asynccontextmanager
    async def _line(
        self,
        name: str,
        ledger: Ledger,
        *,
        rehearse: bool = False,
        journal: Callable[[str], None] = lambda _: None,
        left_to_others: float = 0.0,
        ears: Ears = DEAF,
    ) -> AsyncIterator[Line]:
        """Source, destination and connector of one store, with their connections open."""
        async with self.accounts(name, left_to_others=left_to_others, ears=ears) as (store, brevo):
            source = BigCommerceSource(store, clock=self._clock, locations=self.locations(name))
            destination = BrevoDestination(
                brevo, self.rules(name), clock=self._clock, link=partial(self.recovery_link, name)
            )
            rehearsal = Rehearsal(destination) if rehearse else None
            connector = Connector(
                name,
                source,
                rehearsal or destination,
                ledger,
                self.policy(name),
                self._clock.now,
                automation=partial(self.automation, name),
                journal=journal,
                told=ears.told,
            )
            sequences = Sequences(
                name,
                source,
                destination.actions,
                ledger,
                lambda: connector.automation,
                self._clock.now,
                link=partial(self.recovery_link, name),
                journal=journal,
            )
            samples = rehearsal.samples if rehearsal else {}
            yield Line(name, source, destination, connector, sequences, (store, brevo), samples)


@asynccontextmanager
async def open_wiring(
    settings: config.Settings, env: Mapping[str, str], *, clock: Clock | None = None
) -> AsyncIterator[Wiring]:
    """Open the ledger that the settings name. Raises `Mend` when it cannot be used.

    The stores that were connected at run time are there, too.
    """
    ledger = await open_ledger(settings.database_url, _secret(settings, env))
    try:
        wiring = Wiring(settings, ledger, clock or Clock())
        await wiring.meet_connections()
        yield wiring
    finally:
        await ledger.close()


def parts(words: list[str]) -> frozenset[Resource] | None:
    """The resources that the words of `--resource` stand for. Raises `Usage` for an unknown one."""
    unknown = [word for word in words if word not in LISTED_PARTS]
    if unknown:
        raise Usage(f"unknown resource `{unknown[0]}`", f"use one of these: {', '.join(LISTED_PARTS)}.")
    return frozenset().union(*(PARTS[word] for word in words)) if words else None


async def _among(tx: Tx, name: str, keys: Sequence[Key]) -> Sequence[Key]:
    """These keys. Raises `Unknown` for one that is not among the failures, dismissed or not."""
    there = {entry.key for entry in await queue.parked_of(tx, name, keys)}
    unknown = [str(key) for key in keys if key not in there]
    if unknown:
        raise Unknown(f"not among the failures: {', '.join(unknown)}", "see `tajo failures list`.")
    return keys


def _rules(name: str, settings: config.Connector) -> Rules:
    lists = settings.lists
    return Rules(
        mapping=_mapping(settings),
        lists=Lists(
            all_customers=lists.all_customers,
            buyers=lists.buyers,
            subscribers=lists.subscribers,
            abandoned_cart=lists.abandoned_cart,
        ),
        storefronts={
            int(id_): StorefrontRules(lists=one.lists, url=one.url or "")
            for id_, one in settings.storefronts.items()
        },
        consent=ConsentMode(settings.consent),
        id_prefix="" if name == "bigcommerce" else f"{name}-",
        events=_events(name, settings),
        event_contacts=_event_contacts(settings),
        cart_layout=CartLayout(settings.cart.brevo_events),
    )


def _event_contacts(settings: config.Connector) -> dict[EventKind, str]:
    """Whose the events are that are about no person: of all about stock, unless it has a line of its own."""
    named = {EVENTS[line.scope]: line.contact for line in settings.webhooks if line.contact}
    stock = named.get(EventKind.INVENTORY_CHANGED)
    return (dict.fromkeys(STOCK, stock) if stock else {}) | named


def _events(name: str, settings: config.Connector) -> dict[EventKind, str]:
    """Which events are told, and under which name."""
    if not settings.webhooks:
        return {kind: str(kind) for kind in EventKind}
    unknown = [line.scope for line in settings.webhooks if line.scope not in EVENTS]
    if unknown:
        raise Usage(
            f"connectors.{name}.webhooks: `{unknown[0]}` stands for no event",
            f"use some of these: {', '.join(EVENTS)}.",
        )
    own = {kind: str(kind) for kind in UNSCOPED}
    return own | {EVENTS[line.scope]: line.destination for line in settings.webhooks}


def _mapping(settings: config.Connector) -> tuple[Rule, ...]:
    """Without orders there are no metrics, and a zero would be a lie."""
    metrics = {"orders_count", "total_spent", "first_order_date", "last_order_date", "average_order_value"}
    return tuple(rule for rule in settings.rules if settings.sync.orders or rule.path not in metrics)


def _policy(settings: config.Connector, rules: Rules) -> Policy:
    resources = [PARTS[part] for part in PARTS if getattr(settings.sync, part)]
    counted = settings.order_statuses.counted
    return Policy(
        resources=frozenset().union(*resources),
        counted=counted,
        placed=settings.order_statuses.placed,
        unfinished=UNFINISHED,
        unsold=UNSOLD,
        stock=settings.sync.inventory,
        abandoned_after=settings.cart.abandoned_after.total_seconds(),
        abandoned_value=settings.cart.min_value,
        abandoned_listed=settings.sync.customers and settings.lists.abandoned_cart is not None,
        farewell=Farewell(settings.delete_behavior),
        rules=f"{rules.fingerprint()}:{_digest(sorted(counted), settings.inventory)}",
    )


def _digest(*words: object) -> str:
    return blake2b(repr(words).encode(), digest_size=8).hexdigest()


def folder_of(settings: config.Settings) -> Path:
    """Where files of our own lie: beside the SQLite file, or the current folder."""
    url = make_url(settings.database_url)
    in_file = url.drivername.startswith("sqlite") and url.database and url.database != ":memory:"
    return Path(str(url.database)).parent if in_file else Path()


def remembers(settings: config.Settings) -> bool:
    """Whether there may be a ledger already: a file is looked for, a server is not asked."""
    url = make_url(settings.database_url)
    return not url.drivername.startswith("sqlite") or Path(url.database or "").is_file()


def _secret(settings: config.Settings, env: Mapping[str, str]) -> Secret:
    return find_secret(env.get("TAJO_SECRET_KEY"), folder_of(settings) / "tajo.key")


def _progress(run: runs.RunRecord, now: float) -> dict[str, Any]:
    """Records seen and expected, and how many seconds the rest takes at the pace so far (None: unknown)."""
    tallies: dict[str, dict[str, int]] = run.account.get("resources", {})
    totals: dict[str, int | None] = run.account.get("expected", {})
    seen = sum(tallies[name]["seen"] for name in totals)
    expected = sum(max(total or 0, tallies[name]["seen"]) for name, total in totals.items())
    spent = now - run.started_at
    left = round((expected - seen) * spent / seen) if seen and spent > 0 else None
    return {"seen": seen, "expected": expected, "seconds_left": left}


def _iso(seconds: float) -> str:
    return moment(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")
