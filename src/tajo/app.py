"""Everything that Tajo can do, one method a verb. Command line, SDK and HTTP are its faces.

A verb takes plain words and answers with an object of `tajo.answers`; what it cannot do it says with an
error of `tajo.errors`, in words for a person. So all faces say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

import msgspec

from tajo import answers, webhooks
from tajo.access import Doorkeeper, Scope
from tajo.audit import audit
from tajo.bigcommerce import BigCommerceSource
from tajo.config import Credentials, joined
from tajo.doctor import Heed, examine, unheeded
from tajo.errors import Mend, Unknown, Usage
from tajo.forget import forget
from tajo.http import Patience
from tajo.plan import make_plan
from tajo.preview import KINDS, preview
from tajo.skill_list import at_work, described
from tajo.sync.account import Account
from tajo.sync.ledger import connections, queue, runs
from tajo.sync.ledger.queue import Parked
from tajo.sync.ledger.runs import RunRecord
from tajo.sync.model import Key, Resource
from tajo.sync.moments import moment
from tajo.webhooks import handle_webhook
from tajo.wiring import Watch, Wiring, parts

T = TypeVar("T")

DOORS = ("store-token", "scope-", "brevo-key")
"""Without what these checks of the doctor look at, a store cannot be connected."""


DONE, FAILED, REFUSED = "done", "failed", "refused"
"""Outcomes, in the words of the audit log."""

DIGITS = 19
"""Of the largest number that the ledger can hold: fewer always fit."""

SOON = Patience(attempts=3, longest=5.0)
"""Somebody waits for a store to be connected."""


class Runner(Protocol):
    """Who runs syncs: this process by itself, or the server that follows the connector already."""

    async def sync(
        self,
        name: str,
        *,
        full: bool,
        resources: frozenset[Resource] | None,
        believe_losses: bool,
        watch: Watch | None,
    ) -> Account:
        """Bring Brevo up to date with the store. Raises `Mend`, and `Busy` where somebody else is at it."""
        ...

    async def replay(self, name: str, keys: Sequence[Key] | None, *, watch: Watch | None) -> Account:
        """Try failures again."""
        ...

    async def settings_changed(self) -> None:
        """A store was connected or disconnected."""
        ...

    def wake(self, name: str) -> None:
        """There is something to look at."""
        ...


class Alone:
    """Runs syncs in this process, whose connectors nobody follows."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.sync = wiring.sync
        self.replay = wiring.replay

    async def settings_changed(self) -> None:
        """Nobody needs to know."""

    def wake(self, name: str) -> None:
        """Nobody waits: the next sync looks at it."""


class Tajo:
    """The verbs, on one ledger. `runner`: None: this process runs syncs by itself."""

    def __init__(self, wiring: Wiring, runner: Runner | None = None) -> None:
        self._wiring = wiring
        self._runner: Runner = runner or Alone(wiring)

    def names(self, wanted: str | None = None) -> list[str]:
        """The connectors that run, or the one that is wanted. Raises `Unknown` where there is none."""
        return self._wiring.names(wanted)

    # --- connectors

    async def connectors(self) -> answers.Connectors:
        """How far all connectors are."""
        names = sorted(self._wiring.settings.connectors)
        return answers.Connectors([await self.status(name) for name in names])

    async def connect(self, name: str, credentials: Credentials) -> answers.Connected:
        """Connect a store, once its credentials have been seen to open what is needed; again is once.

        They are kept in the ledger, encrypted. Raises `Mend` where the store or Brevo refuses them, and
        `Usage` where the configuration file says already which store has this name.
        """
        wiring = self._wiring
        connector = joined(wiring.settings.common, name, credentials)
        written = name in wiring.written
        if written and wiring.settings.connectors[name] != connector:
            raise Usage(
                f"the connector `{name}` is described in the configuration", "change it there instead."
            )
        if connector.signatures == "strict" and not connector.client_secret:
            raise Usage(
                "`signatures: strict` believes signed webhooks alone", "give the store's client secret, too."
            )
        trial = wiring.with_settings(wiring.settings)
        trial.join({name: connector})
        report = await examine(trial, name)
        closed = [one for one in report.findings if one.grade == "mend" and one.check.startswith(DOORS)]
        if closed:
            raise Mend(closed[0].words, closed[0].mend)
        async with trial.accounts(name, patience=SOON) as (store, _):
            shop = await BigCommerceSource(store).open()
        if not written:
            async with wiring.ledger.begin() as tx:
                kept = msgspec.to_builtins(credentials)
                await connections.put(tx, wiring.ledger.secret, name, kept, wiring.now())
            wiring.join({name: connector})
            await self._runner.settings_changed()
        notes = [f"{one.words} {one.mend}".strip() for one in report.findings if one.grade != "fine"]
        return answers.Connected(connector=name, store=shop.name, currency=shop.currency, notes=notes)

    async def disconnect(self, name: str) -> answers.HookChanges:
        """Remove our webhooks at the store and forget the credentials; what was synced stays where it is.

        Brevo's one webhook serves all connectors, and stays.

        Raises `Usage` for a connector of the configuration file.
        """
        self._named(name)
        if name in self._wiring.written:
            raise Usage(f"the connector `{name}` is described in the configuration", "remove it there.")
        try:
            removed = await self._change_hooks(
                name, lambda w, n, store, _: webhooks.remove_at_store(w, n, store)
            )
        except Mend:  # whoever took the token away has closed the door behind them
            removed = answers.HookChanges()
        async with self._wiring.ledger.begin() as tx:
            await connections.remove(tx, name)
        self._wiring.leave(name)
        await self._runner.settings_changed()
        return removed

    async def status(self, name: str) -> answers.Status:
        """How far a connector is, and what waits."""
        return msgspec.convert(await self._wiring.status(self._named(name)), answers.Status, strict=False)

    # --- syncs

    async def sync(
        self,
        name: str,
        *,
        full: bool = False,
        resources: Sequence[str] = (),
        believe_losses: bool = False,
        watch: Watch | None = None,
    ) -> answers.Run:
        """Bring Brevo up to date with the store, to the end. `resources`: of customers, orders, products."""
        wanted = parts(list(resources))
        account = await self._runner.sync(
            self._named(name), full=full, resources=wanted, believe_losses=believe_losses, watch=watch
        )
        return await self._ended(name, account)

    async def rehearse(
        self, name: str, *, full: bool = False, resources: Sequence[str] = (), watch: Watch | None = None
    ) -> answers.Rehearsal:
        """What a sync would do; nothing is written anywhere."""
        account, differences = await self._wiring.rehearse(
            self._named(name), full=full, resources=parts(list(resources)), watch=watch
        )
        run = told(name, account)
        fields = {field: getattr(run, field) for field in run.__struct_fields__}
        found = msgspec.convert(differences, list[answers.Difference])
        return answers.Rehearsal(**fields, differences=found)

    async def plan(self, name: str, *, full: bool = False, resources: Sequence[str] = ()) -> answers.Plan:
        """How many calls a sync would take, and how long at least."""
        plan = await make_plan(self._wiring, self._named(name), full=full, resources=parts(list(resources)))
        return msgspec.convert({**plan.summary(), "sentences": plan.sentences()}, answers.Plan)

    async def runs(self, name: str | None = None, *, after: str = "", limit: int = 50) -> answers.Runs:
        """Runs, the newest first."""
        names = [self._named(name)] if name else list(self._wiring.settings.connectors)
        async with self._wiring.ledger.begin() as tx:
            found = await runs.newest(tx, names, before=_number(after), limit=limit + 1)
        page = found[:limit]
        more = repr(page[-1][1].started_at) if len(found) > limit else None
        return answers.Runs(runs=[recorded(*one) for one in page], next=more)

    async def run(self, run: str) -> answers.Run:
        """One run, by its id."""
        async with self._wiring.ledger.begin() as tx:
            found = await runs.find(tx, run)
        if found is None or found[0] not in self._wiring.settings.connectors:
            raise Unknown(f"there is no run `{run}`", "ask for the runs of the connector.")
        return recorded(*found)

    # --- failures

    async def failures(
        self, name: str, *, after: str = "", limit: int = 100, dismissed: bool = False
    ) -> answers.Failures:
        """What could not be delivered, and why; or what of that was `dismissed`."""
        async with self._wiring.ledger.begin() as tx:
            last = _place(after) if after else None
            found = await queue.parked_after(
                tx, self._named(name), last, limit=limit + 1, dismissed=dismissed
            )
            left = await queue.count_parked(tx, name, dismissed=True)
        page = found[:limit]
        more = f"{page[-1].since!r}/{page[-1].key}" if len(found) > limit else None
        return answers.Failures(
            failures=[_failure(name, one) for one in page], next=more, dismissed_count=left
        )

    async def all_failures(self, name: str, *, dismissed: bool = False) -> answers.Failures:
        """All of them, read page by page."""
        found, page = [], await self.failures(name, dismissed=dismissed)
        while page.next is not None:
            found += page.failures
            page = await self.failures(name, after=page.next, dismissed=dismissed)
        return msgspec.structs.replace(page, failures=found + page.failures)

    async def dismiss(self, name: str, keys: Sequence[str]) -> answers.Dismissed:
        """Leave failures as they are: they do not count any more, and are kept. Replaying brings them back.

        So does the connector, once one is refused with another payload or for another reason. Raises `Usage`
        where none is named, because whoever dismisses has looked, and `Unknown` for what is no failure.
        """
        wanted = [as_key(word) for word in keys]
        if not wanted:
            raise Usage("no failure is named", "name those that you have seen, e.g. orders/17.")
        await self._wiring.dismiss(self._named(name), wanted)
        async with self._wiring.ledger.begin() as tx:
            left = await queue.count_parked(tx, name)
            dismissed = await queue.count_parked(tx, name, dismissed=True)
        return answers.Dismissed(
            connector=name,
            keys=[str(key) for key in dict.fromkeys(wanted)],
            failures_count=left,
            dismissed_count=dismissed,
        )

    async def replay(self, name: str, keys: Sequence[str] = (), *, watch: Watch | None = None) -> answers.Run:
        """Look at failed records again and deliver them; none named: all that were not dismissed."""
        wanted = [as_key(word) for word in keys] or None
        return told(name, await self._runner.replay(self._named(name), wanted, watch=watch))

    # --- webhooks

    async def hooks(self, name: str) -> answers.Hooks:
        """All webhooks of the store's API account, ours and others."""
        async with self._wiring.accounts(self._named(name)) as (store, _):
            rows = await webhooks.listed(self._wiring, name, store)
        return answers.Hooks([answers.Hook(connector=name, **row) for row in rows])

    async def register_hooks(self, name: str) -> answers.HookChanges:
        """See that store and Brevo call this server; what is missing or broken is made right."""
        return await self._change_hooks(name, webhooks.register)

    async def remove_hooks(self, name: str) -> answers.HookChanges:
        """Remove our webhooks; those of others stay."""
        return await self._change_hooks(name, webhooks.remove)

    async def _change_hooks(self, name: str, change: Callable[..., Any]) -> answers.HookChanges:
        async with self._wiring.accounts(self._named(name)) as (store, brevo):
            report = await change(self._wiring, name, store, brevo)
        return msgspec.convert(webhooks.summary(report), answers.HookChanges)

    async def handle_webhook(self, name: str, *, topic: str, payload: Mapping[str, Any]) -> answers.Noted:
        """Note a webhook that somebody received in an application of their own, who knows it to be genuine.

        `topic`: its scope. `payload`: the whole body, or just its `data`. It is on disk before this returns.
        """
        names_something = await handle_webhook(
            self._wiring, self._named(name), topic, payload, self._runner.wake
        )
        return answers.Noted(connector=name, noted=names_something)

    # --- looking closer

    async def preview(self, name: str, kind: str, record: int) -> answers.Preview:
        """The exact payload of a record, and where each value came from. `kind`: customer, order, product."""
        return msgspec.convert(
            await preview(self._wiring, self._named(name), as_kind(kind), record), answers.Preview
        )

    async def doctor(self, name: str, heed: Heed = unheeded) -> answers.Diagnosis:
        """Examine everything that the connector stands on; each finding comes with its mend."""
        report = await examine(self._wiring, self._named(name), heed)
        return msgspec.convert(report.summary(), answers.Diagnosis)

    async def audit(
        self, name: str, *, repair: bool = False, values: bool = False, watch: Watch | None = None
    ) -> answers.Audit:
        """Compare all that Brevo should hold with what it holds; takes as long as a full sync reads.

        `repair`: tell anew what differs. `values`: show what the fields are, which is personal data.
        """
        return await audit(self._wiring, self._named(name), repair=repair, values=values, watch=watch)

    async def forget(self, email: str) -> answers.Forgotten:
        """Delete a person from Brevo and from the ledger for good, and write down that it was done."""
        record = await forget(self._wiring, email)
        known = msgspec.to_builtins(record)
        return msgspec.convert({**known, "sentences": record.sentences()}, answers.Forgotten)

    # --- skills

    async def skills(self) -> answers.Skills:
        """What skills there are, on or off."""
        settings = self._wiring.settings
        return answers.Skills([described(skill, settings) for skill in settings.skills.skills.values()])

    async def skills_at_work(self, name: str) -> answers.SkillsAtWork:
        """Who waits in which skill of a connector. Nobody is named."""
        shelf = self._wiring.settings.skills.skills.values()
        async with self._wiring.ledger.begin() as tx:
            return await at_work(tx, self._named(name), shelf, self._wiring.now())

    # --- who comes in, and what they do

    async def keys(self) -> answers.ApiKeys:
        """The keys of programs, without the keys themselves."""
        return answers.ApiKeys(await self._keeper.keys())

    async def create_key(self, name: str, scope: Scope) -> answers.NewKey:
        """A key for a program. Its text is told now and never again. Raises `Usage` for an empty name."""
        key, text = await self._keeper.make_key(name, scope)
        return answers.NewKey(key.id, text)

    async def revoke_key(self, key: str) -> answers.ApiKey:
        """End a key, by its id: it opens nothing any more. Raises `Unknown` where there is none."""
        return await self._keeper.revoke(key)

    async def audit_log(self, *, after: str = "", limit: int = 100) -> answers.AuditLog:
        """What people and programs did, the newest first."""
        found = await self._keeper.doings(_count(after) if after else None, limit + 1)
        page = found[:limit]
        deeds = [
            answers.Deed(
                at=moment(int(one.at)), who=one.who, verb=one.verb, about=one.about, outcome=one.outcome
            )
            for one in page
        ]
        return answers.AuditLog(deeds=deeds, next=str(page[-1].id) if len(found) > limit else None)

    async def note(self, who: str, verb: str, about: str, outcome: str) -> None:
        """Write into the audit log what somebody did: never about whom."""
        about = about if about in self._wiring.settings.connectors or outcome == DONE else ""
        await self._keeper.note(who, verb, about, outcome)

    @cached_property
    def _keeper(self) -> Doorkeeper:
        return Doorkeeper(self._wiring.ledger, self._wiring.now, master=None)

    # --- in common

    def _named(self, name: str) -> str:
        return self._wiring.names(name)[0]

    async def _ended(self, name: str, account: Account) -> answers.Run:
        async with self._wiring.ledger.begin() as tx:
            found = await runs.find(tx, account.run)
        run = told(name, account)
        if found is None:
            return run
        kept = recorded(*found)
        moments = {"started_at": kept.started_at, "finished_at": kept.finished_at, "state": kept.state}
        return msgspec.structs.replace(run, **moments)


def told(name: str, account: Account, *, state: str = "") -> answers.Run:
    """A run as its account tells it. `state`: left out once it has come to an end, or was cut short."""
    state = state or ("running" if account.troubles else "done")
    return _run(name, account.progress(), run=account.run, mode=account.mode, state=state)


def recorded(name: str, record: RunRecord) -> answers.Run:
    """A run as the ledger keeps it."""
    return _run(
        name,
        record.account,
        run=record.id,
        mode=str(record.account.get("mode") or record.mode),
        state=record.state,
        started_at=moment(record.started_at),
        finished_at=None if record.finished_at is None else moment(record.finished_at),
    )


def _run(name: str, account: Mapping[str, Any], **more: Any) -> answers.Run:
    calls = {
        side: account[key]
        for side, key in (("bigcommerce", "source_calls"), ("brevo", "destination_calls"))
        if key in account
    }
    given = {
        key: account[key]
        for key in ("resources", "expected", "notes", "troubles", "seconds", "floor_seconds")
        if key in account
    }
    return msgspec.convert({**given, **more, "connector": name, "calls": calls}, answers.Run)


def _failure(name: str, entry: Parked) -> answers.Failure:
    return answers.Failure(
        connector=name,
        key=str(entry.key),
        reason=entry.reason,
        since=moment(int(entry.since)),
        attempts=entry.attempts,
        dismissed_at=None if entry.dismissed_at is None else moment(int(entry.dismissed_at)),
    )


def as_kind(word: str) -> str:
    """What can be previewed. Raises `Usage` for anything else."""
    if word not in KINDS:
        raise Usage(f"cannot preview a `{word}`", f"use one of these: {', '.join(KINDS)}.")
    return word


def as_key(word: str) -> Key:
    """`orders/17`. Raises `Usage` for what is none."""
    resource, _, id_ = word.partition("/")
    if resource not in list(Resource) or not is_count(id_):
        raise Usage(
            f"`{word[:64]}` names no record", "write it as the list of failures does, e.g. orders/17."
        )
    return Key(Resource(resource), int(id_))


def _place(after: str) -> Parked:
    """The failure behind which a page begins."""
    since, _, key = after.partition("/")
    return Parked(as_key(key), "", _number(since) or 0.0)


def _number(word: str) -> float | None:
    try:
        return float(word) if word else None
    except ValueError:
        raise _nowhere() from None


def _count(word: str) -> int:
    if not is_count(word):
        raise _nowhere()
    return int(word)


def is_count(word: str) -> bool:
    """Whether it is a whole number that the ledger can hold."""
    return word.isascii() and word.isdecimal() and len(word) < DIGITS


def _nowhere() -> Usage:
    return Usage("`after` is no place in the list", "use `next` of the page before.")
