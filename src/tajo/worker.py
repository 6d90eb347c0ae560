"""The clock of one connector: it follows what is due, sweeps by the hour, and keeps the webhooks in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from msgspec import Struct

from tajo import webhooks
from tajo.bigcommerce.hooks import EXCEPTIONS
from tajo.brevo.alerts import Alerts
from tajo.errors import Busy, Later, Mend, gravest
from tajo.http import Clock
from tajo.sync import back_in_stock as waiting
from tajo.sync import unsubscribes
from tajo.sync.account import Account
from tajo.sync.barred import MENDED
from tajo.sync.ledger import counts, runs
from tajo.sync.model import Key, Resource, Store
from tajo.sync.moments import moment
from tajo.wiring import DEAF, Ears, Line, Watch, Wiring


class Say(Protocol):
    """Where words go."""

    def __call__(self, words: str, *, level: str = "info") -> None:
        """`level`: info; warning where something will be tried again; error where a human must act."""
        ...


GATHERED, MOST_GATHERED, FEW = 0.25, 5.0, 20
"""Seconds without a notice after which a burst is over, and that it may last; few things do not wait."""

IDLE = 60.0
"""Seconds after which the queue is looked at even if nobody called."""

TAKEN = 10.0
"""Seconds after which it is seen whether another process has finished."""

BROKEN = 30.0
"""Seconds after which it is tried again when nobody knows what is wrong: a database may be back."""

HOURLY, CANARY, POLLING = 3600.0, 300.0, 60.0
"""Seconds between two looks at our webhooks, at whether they speak, and at the store while they do not."""

QUIET = 180.0
"""Seconds that a change in the store may be old before its webhook is missed."""

_GROUPS = {
    Resource.CUSTOMERS: "store/customer",
    Resource.ORDERS: "store/order",
    Resource.PRODUCTS: "store/product",
}


class Standing(Struct, frozen=True):
    """How a connector stands right now. `busy`: another process is at work on it.

    `trouble`: why it has stopped, or what it must do without, and `stuck`: only a human can mend that.
    `silent`: its webhooks do not come. `cut_short`: why the last look at everything came to no end.
    `hindered`: why it could not read or tell something last, which it tries again by itself. `seen`,
    `expected`: records of the sweep that is under way. `limits`: the share in use, from 0 to 1, by side and
    limit.
    """

    working: bool = False
    busy: bool = False
    stuck: bool = False
    trouble: str = ""
    silent: bool = False
    cut_short: str = ""
    hindered: str = ""
    seen: int = 0
    expected: int = 0
    limits: Mapping[tuple[str, str], float] = {}


class Worker:
    """One connector, kept in agreement for as long as it runs.

    `say` is told in words, without personal data, what is done and what a human must do. `met`: told of
    the store whenever it is opened. `ears` hear of each call and each record.
    """

    def __init__(
        self,
        wiring: Wiring,
        name: str,
        clock: Clock,
        say: Say,
        met: Callable[[Store], None] = lambda _: None,
        ears: Ears = DEAF,
    ) -> None:
        self.name = name
        self._wiring = wiring
        self._settings = wiring.settings.connectors[name]
        self._clock = clock
        self._say = say
        self._met = met
        self._ears = ears
        self._line: Line | None = None
        self._sweeps = asyncio.Lock()
        self.trouble = ""
        self._stuck = self._busy = False
        self._cut_short = ""
        self._hindered = {"follow": "", "sweep": ""}
        self._barred: frozenset[Resource] = frozenset()
        self._woken = asyncio.Event()
        self._begun = asyncio.Event()
        self._missed = asyncio.Event()
        self._owed = False
        self._silent: dict[Resource, float] = {}  # since when which kinds of webhooks have not come
        self._unregistered = False
        self._listening_since = 0.0
        self._excused: dict[Resource, float] = {}
        self._complained_at = 0.0

    def wake(self) -> None:
        """Something is due: look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Work, whatever goes wrong, until cancelled."""
        while True:
            try:
                async with self._wiring.attend(self.name, self._say, self._ears) as line:
                    self._line, self.trouble = line, ""
                    self._stuck = self._busy = False
                    self._hindered = dict.fromkeys(self._hindered, "")
                    self._barred = frozenset()
                    await self._work(line)
            except Exception as error:
                wait = self._stopped(gravest(error))
            finally:
                self._line = None
            await self._clock.sleep(wait)

    async def sync(
        self,
        *,
        full: bool,
        resources: frozenset[Resource] | None,
        believe_losses: bool,
        watch: Watch | None,
    ) -> Account:
        """Sweep now, because somebody asks for it. Raises `Mend`, and `Busy` while a sweep is under way."""
        line = self._at_leisure()
        async with self._sweeps:
            if watch:
                watch(line)
            return await line.connector.sync(full=full, resources=resources, believe_losses=believe_losses)

    async def replay(self, keys: Sequence[Key], *, watch: Watch | None) -> Account:
        """Try these failures again. Raises `Mend`, and `Busy` while a sweep is under way."""
        line = self._at_leisure()
        async with self._sweeps:
            if watch:
                watch(line)
            return await line.connector.replay(keys)

    @property
    def standing(self) -> Standing:
        """How it stands."""
        line, seen, expected = self._line, 0, 0
        barred = line.connector.barred if line else {}
        if line and self._sweeps.locked():
            for tally in line.account.resources.values():
                seen += tally.seen
                expected += max(tally.seen, 0 if tally.done else tally.total or 0)
        store, brevo = line.apis if line else (None, None)
        limits = {("bigcommerce", "store"): store.limits.used} if store else {}
        if brevo:
            limits |= {("brevo", row): share for row, share in brevo.limits.used.items()}
        return Standing(
            working=line is not None,
            busy=self._busy,
            stuck=self._stuck or bool(barred),
            trouble=self.trouble or next((_left_out(*one) for one in barred.items()), ""),
            silent=self._polling,
            cut_short=self._cut_short,
            hindered=next((words for words in self._hindered.values() if words), ""),
            seen=seen,
            expected=expected,
            limits=limits,
        )

    def _at_leisure(self) -> Line:
        if self._line is None:
            raise Busy(
                f"{self.name} is not at work: {self.trouble or 'it has not begun yet'}", "try again soon."
            )
        if self._sweeps.locked():  # it may go on for hours, and whoever asks would wait for that long
            raise Busy(f"a sync of {self.name} is under way", "see how far it is, and try again after it.")
        return self._line

    def _stopped(self, error: BaseException) -> float:
        """Say why; returns in how many seconds it is worth trying again."""
        match error:
            case Later():
                wait, words = error.seconds, str(error)
            case Busy():
                wait, words = TAKEN, error.problem
            case Mend():
                wait, words = MENDED, str(error)
            case _:  # its text may hold anything
                wait, words = BROKEN, f"{type(error).__name__}, in the database or in Tajo itself"
        self.trouble = words
        self._busy = isinstance(error, Busy)
        self._stuck = isinstance(error, Mend) and not self._busy
        level = "error" if self._stuck else "warning"
        self._say(f"stopped, and will try again in {wait:.0f} s: {words}", level=level)
        return wait

    async def _work(self, line: Line) -> None:
        self._say("at work")
        self._met(line.connector.store)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(line))
            group.create_task(self._lead(line))
            group.create_task(self._sweep(line))
            if self._wiring.settings.server.public_url:
                group.create_task(self._every(HOURLY, lambda: self._hear_brevo(line)))
            if self._settings.sync_mode == "batch":
                group.create_task(self._unregister(line))
            elif self._wiring.settings.server.public_url:
                group.create_task(self._every(HOURLY, lambda: self._register(line)))
                group.create_task(self._every(CANARY, lambda: self._listen(line)))

    async def _follow(self, line: Line) -> None:
        """Live changes, before any history: as soon as somebody calls, or something is due."""
        connector = line.connector
        while True:
            self._woken.clear()
            try:
                await connector.send_due()
                if await connector.follow():
                    self._begun.set()  # what happened may have begun something
                self._complain(line)
                await self._hand_on(line)
                await unsubscribes.write_back(
                    self._wiring.ledger,
                    self.name,
                    line.source,
                    line.destination,
                    self._say,
                    self._clock.now,
                )
                due = await connector.next_due()
                pause = IDLE if due is None else min(max(due - self._clock.now(), GATHERED), IDLE)
                self._hindered["follow"] = ""
            except Later as error:
                self._hindered["follow"] = str(error)
                self._say(f"not now: {error}", level="warning")
                pause = min(error.seconds, IDLE)
            if await self._called(pause):
                await self._gather(line)

    def _complain(self, line: Line) -> None:
        """Say once what may not be read, and once that it may be again."""
        barred = line.connector.barred
        for resource in sorted(barred.keys() - self._barred):
            self._say(_left_out(resource, barred[resource]), level="error")
        for resource in sorted(self._barred - barred.keys()):
            self._say(f"{resource} are followed again")
        self._barred = frozenset(barred)

    @property
    def _sells_out(self) -> bool:
        """Whether stock is followed, so that somebody may wait for it."""
        return self._settings.sync.inventory and self._settings.sync.products

    async def _hand_on(self, line: Line) -> None:
        """Who waits for what is sold out stands on Brevo's list, too."""
        if self._sells_out:
            alerts = Alerts(line.apis[1], self._wiring.rules(self.name).id_prefix)
            await waiting.hand_on(self._wiring.ledger, self.name, alerts, self._say, self._clock.now())

    async def _lead(self, line: Line) -> None:
        """Automations, step by step, each when it is due."""
        sequences = line.sequences
        while True:
            self._begun.clear()
            try:
                await sequences.lead()
                due = await sequences.next_due()
                pause = IDLE if due is None else min(max(due - self._clock.now(), 0.0), IDLE)
            except* Later as errors:
                later = gravest(errors)
                self._say(f"not now: {later}", level="warning")
                pause = min(later.seconds, IDLE) if isinstance(later, Later) else IDLE
            await self._either(self._begun, pause)

    async def _gather(self, line: Line) -> None:
        """Let a burst of notices become one look at each thing."""
        began = self._clock.now()
        while self._clock.now() - began < MOST_GATHERED:
            self._woken.clear()
            await self._clock.sleep(GATHERED)
            if not self._woken.is_set() or await line.connector.count_due() <= FEW:
                return

    async def _called(self, seconds: float) -> bool:
        """Wait so long, or until somebody calls; whether somebody did."""
        await self._either(self._woken, seconds)
        return self._woken.is_set()

    async def _either(self, event: asyncio.Event, seconds: float) -> None:
        """Wait so long, or until this happens."""
        tasks = [asyncio.create_task(event.wait()), asyncio.create_task(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    # --- sweeps

    async def _sweep(self, line: Line) -> None:
        """All of it at first and once a day, and in between what changed and no webhook told."""
        while True:
            first, full = await self._what_is_due()
            missed = self._owed or self._missed.is_set() or self._polling
            if first or full or missed or not self._by_webhooks_alone():
                self._owed = True  # until it has come to its end, whatever stops it
                self._missed.clear()
                self._owed = not await self._reconcile(line, full=full, first=first)
            self._woken.set()
            await self._rest()

    async def _rest(self) -> None:
        """Wait for the next sweep: its hour comes, or webhooks have missed something, or do not come."""
        began, rest = self._clock.now(), self._settings.reconcile_every.total_seconds()
        while (left := began + rest - self._clock.now()) > 0:
            if self._missed.is_set() or (self._polling and self._clock.now() - began >= POLLING):
                return
            await self._either(self._missed, min(left, POLLING))
            if (await self._what_is_due())[1]:
                return

    @property
    def _polling(self) -> bool:
        """Whether nobody tells us what happens, so that the store is looked at by the minute."""
        return bool(self._silent) or self._unregistered

    def _by_webhooks_alone(self) -> bool:
        return self._settings.sync_mode == "realtime" and bool(self._wiring.settings.server.public_url)

    async def _what_is_due(self) -> tuple[bool, bool]:
        """Whether nothing was ever swept to the end, and whether the daily look at everything is due."""
        async with self._wiring.ledger.begin() as tx:
            swept = await runs.last_run(tx, self.name, "done")
            full = await runs.last_run(tx, self.name, "done", mode="full")
        if swept is None or full is None:
            return swept is None, swept is not None
        now = moment(self._clock.now())
        return False, last_at(now, self._settings.full_sync_at) > moment(full.started_at)

    async def _reconcile(self, line: Line, *, full: bool, first: bool) -> bool:
        """One sweep; whether it came to its end."""
        try:
            seen = await self._newest(line)
            if full:  # storefronts, groups, lists and attributes may be others by now
                await line.connector.open()
            async with self._sweeps:
                account = await line.connector.sync(full=full)
        except Later as error:
            self._say(f"the sweep ends early: {error}", level="warning")
            self._hindered["sweep"] = str(error)
            if full or first:
                self._cut_short = str(error)
            return False
        self._hindered["sweep"] = next(iter(account.troubles), "")
        if full or first:
            self._cut_short = "; ".join(account.troubles)
        self._begun.set()
        written, healed = sum(tally.written for tally in account.resources.values()), account.unannounced
        if first:
            self._say(f"the history is told: {written:,} records in {account.seconds:.0f} s")
        elif healed:
            self._say(f"healed {healed:,} records that no webhook announced")
            async with self._wiring.ledger.begin() as tx:
                await counts.add(tx, self.name, "healed", healed, self._clock.now())
        if not healed or first:  # whatever changed last needs no webhook any more
            self._excused = seen
        for trouble in account.troubles:
            self._say(trouble, level="warning")
        return not account.troubles

    # --- webhooks

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except Later as error:
                self._say(f"not now: {error}", level="warning")
                await self._clock.sleep(min(error.seconds, seconds))
            else:
                await self._clock.sleep(seconds)

    async def _register(self, line: Line) -> None:
        """See that the store calls us. Where it refuses, it is looked at by the minute.

        What a webhook that had to be made or mended would have told is looked for at once.
        """
        store, _ = line.apis
        try:
            report = await webhooks.register_at_store(self._wiring, self.name, store)
        except Mend as error:
            self._say(f"no webhooks, so the store is looked at every {POLLING:.0f} s: {error}", level="error")
            self._unregistered = True
            return
        self._unregistered = False
        for what, scopes in (("made", report.made), ("mended", report.mended), ("removed", report.removed)):
            if scopes:
                self._say(f"webhooks {what}: {', '.join(scopes)}")
        for scope, why in report.refused.items():
            self._say(f"no webhook for {scope}: {why}")
        self._listening_since = self._listening_since or self._clock.now()
        if (report.made or report.mended) and not (await self._what_is_due())[0]:
            self._missed.set()
        try:
            fared = await webhooks.health(self._wiring, self.name, store)
        except Mend as error:
            self._say(f"the store does not tell how the webhooks fare: {error}", level="warning")
            return
        for host, seconds in fared.blocked.items():
            self._say(f"BigCommerce sends nothing to {host} for {seconds} s: it had too many failures")

    async def _hear_brevo(self, line: Line) -> None:
        """See that Brevo tells us who unsubscribes."""
        try:
            await webhooks.register_at_brevo(self._wiring, line.apis[1])
        except Mend as error:
            self._say(f"Brevo does not tell who unsubscribes: {error}", level="error")

    async def _unregister(self, line: Line) -> None:
        """In mode `batch` nobody calls: what an earlier mode has registered goes."""
        try:
            report = await webhooks.remove_at_store(self._wiring, self.name, line.apis[0])
        except (Later, Mend) as error:
            self._say(f"webhooks of an earlier mode may be left: {error}", level="warning")
            return
        if report.removed:
            self._say(f"webhooks removed: {', '.join(report.removed)}")

    async def _listen(self, line: Line) -> None:
        """A canary: did the webhook of the newest change of each kind come?"""
        if not self._listening_since or self._unregistered:  # nobody was asked to tell us
            return
        newest = await self._newest(line)
        async with self._wiring.ledger.begin() as tx:
            heard = await counts.heard(tx, self.name)
        complained = max((one.heard_at for scope, one in heard.items() if scope == EXCEPTIONS), default=0.0)
        if complained > max(self._complained_at, self._listening_since):
            self._complained_at = complained
            self._say("BigCommerce could not deliver some webhooks: looking now for what they told")
            self._missed.set()
            await self._register(line)
        told = {scope: one.happened_at for scope, one in heard.items()}
        excused = {group: max(self._excused.get(group, 0.0), self._listening_since) for group in newest}
        missed = unheard(newest, told, excused, self._clock.now())
        if missed and not self._silent:
            words = f"webhooks are silent ({', '.join(missed)}): looking every {POLLING:.0f} s instead"
            self._say(words, level="warning")
        # That a sweep has found what they should have told excuses them of that. It gives no sign of life.
        came = {group: _newest_of(group, {s: one.heard_at for s, one in heard.items()}) for group in newest}
        still = {group: at for group, at in self._silent.items() if group in newest and came[group] <= at}
        if self._silent and not still and not missed:
            self._say("webhooks speak again")
        self._silent = dict.fromkeys(missed, self._clock.now()) | still

    async def _newest(self, line: Line) -> dict[Resource, float]:
        newest = await line.connector.newest() if self._listening_since else {}
        self._complain(line)
        return newest


def _left_out(resource: Resource, why: Mend) -> str:
    return f"{resource} are left out: {why}"


def last_at(now: datetime, wanted: time) -> datetime:
    """The last moment before now at that time of day, UTC."""
    today = datetime.combine(now.date(), wanted, tzinfo=now.tzinfo)
    return today if today <= now else today - timedelta(days=1)


def unheard(
    newest: Mapping[Resource, float],
    heard: Mapping[str, float],
    excused: Mapping[Resource, float],
    now: float,
) -> list[Resource]:
    """Of customers, orders and products those whose newest change no webhook told.

    `newest`: when it happened; `heard`: by scope, the newest that a webhook told; `excused`: changes up to
    here need none. Seconds since 1970. A webhook has `QUIET` seconds to come.
    """
    missed = []
    for group, changed in newest.items():
        known = max(_newest_of(group, heard), excused.get(group, 0.0))
        if changed > known + QUIET and now - changed > QUIET:
            missed.append(group)
    return missed


def _newest_of(group: Resource, at: Mapping[str, float]) -> float:
    """The newest of these moments, by scope, of the scopes that tell of such a record; 0: never."""
    return max((when for scope, when in at.items() if scope.startswith(_GROUPS[group])), default=0.0)
