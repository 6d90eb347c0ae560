"""What the verbs answer: the same objects in the terminal (`--json`), over HTTP and in the SDK.

Moments are in UTC, amounts of time in seconds unless a name says otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct


class Progress(Struct, frozen=True, kw_only=True):
    """How far a sync is: records seen and expected; `seconds_left` at the pace so far, None while unknown."""

    seen: int
    expected: int
    seconds_left: int | None = None


class Status(Struct, frozen=True, kw_only=True):
    """How far a connector is, and what waits.

    `connected`: it was synced once, or is at it. `queued_count`: to be looked at again; `outgoing_count`:
    ready, and waiting to be told; `healed_count`: records that a sweep found and no webhook had told.
    `dismissed_count`: records that could not be delivered and were dismissed, which are no failures.
    `sequences`, `deeds`: by skill, how many wait for their next step, and how many steps were done.
    """

    connector: str
    connected: bool
    last_sync: datetime | None
    syncing: bool
    progress: Progress | None
    customers_count: int
    orders_count: int
    products_count: int
    contacts_count: int
    failures_count: int
    dismissed_count: int = 0
    queued_count: int
    outgoing_count: int
    webhooks_count: int
    last_webhook: datetime | None
    healed_count: int
    sequences: dict[str, int]
    deeds: dict[str, int]


class Connectors(Struct, frozen=True):
    """All connectors, by the order of their names."""

    connectors: list[Status]


class Connected(Struct, frozen=True, kw_only=True):
    """A store that was connected. `store`, `currency`: its own words. `notes`: what is good to know."""

    connector: str
    store: str
    currency: str
    notes: list[str]


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the records of one resource in a run.

    `skipped`: deliberately not told, such as a failure that was dismissed; `failed`: will be tried again by
    itself; `parked`: kept with its reason.
    """

    seen: int = 0
    written: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    parked: int = 0


class Run(Struct, frozen=True, kw_only=True):
    """A run and its account, so far or in the end.

    `run`: its id; empty for a replay, which leaves no record. `state`: `running` also where it was cut off
    and waits for the next sync to go on with it. `mode`: `full` or `incremental`. `expected`: how many
    records there are, where known. `notes`: what is worth telling, with how often; `troubles`: what was cut
    short. `floor_seconds`: the least time that the limits of both sides allow. `calls`: by side.
    """

    connector: str
    run: str
    state: Literal["running", "done", "abandoned"]
    mode: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    resources: dict[str, Counts] = {}
    expected: dict[str, int | None] = {}
    notes: dict[str, int] = {}
    troubles: list[str] = []
    seconds: float = 0.0
    floor_seconds: float = 0.0
    calls: dict[str, int] = {}

    @property
    def clean(self) -> bool:
        """Nothing failed, nothing is parked that was not dismissed, nothing was cut short."""
        return not self.troubles and not any(one.failed or one.parked for one in self.resources.values())


class Runs(Struct, frozen=True, kw_only=True):
    """Runs, the newest first. `next`: what to ask for `after` to get the older ones; None at the end."""

    runs: list[Run]
    next: str | None = None


class Changed(Struct, frozen=True):
    """One field, as Brevo holds it (None: not at all) and as it would be told."""

    field: str
    now: Any
    then: Any


class Difference(Struct, frozen=True):
    """What a sync would change of one record."""

    key: str
    summary: str
    fields: list[Changed]


class Rehearsal(Run, frozen=True, kw_only=True):
    """What a sync would do. Nothing was written anywhere."""

    dry_run: bool = True
    differences: list[Difference]


class Load(Struct, frozen=True):
    """Of one resource: records, and calls to read and to write them."""

    records: int
    reads: int
    writes: int


class Plan(Struct, frozen=True, kw_only=True):
    """What a sync would take at the most: `calls` by side, and the least time that the limits allow.

    `sentences`: the same for people.
    """

    mode: str
    resources: dict[str, Load]
    calls: dict[str, int]
    seconds: float
    sentences: list[str]


class Failure(Struct, frozen=True, kw_only=True):
    """A record that could not be delivered, and why. `key`: such as `orders/17`.

    `dismissed_at`: when somebody dismissed it; None: it waits for a human.
    """

    connector: str
    key: str
    reason: str
    since: datetime
    attempts: int
    dismissed_at: datetime | None = None


class Failures(Struct, frozen=True, kw_only=True):
    """Failures, the oldest first. `next`: what to ask for `after` to get the following; None at the end.

    `dismissed_count`: how many were dismissed, and are in the list of these instead.
    """

    failures: list[Failure]
    next: str | None = None
    dismissed_count: int = 0


class Dismissed(Struct, frozen=True, kw_only=True):
    """Failures that are left as they are, by their `keys`; and how many others, and dismissed, there are."""

    connector: str
    keys: list[str]
    failures_count: int
    dismissed_count: int


class Hook(Struct, frozen=True, kw_only=True):
    """A webhook of the store's API account. `ours`: it was made by this installation."""

    connector: str
    id: int
    scope: str
    destination: str
    active: bool
    ours: bool


class Hooks(Struct, frozen=True):
    """All webhooks of the store's API account."""

    hooks: list[Hook]


class HookChanges(Struct, frozen=True, kw_only=True):
    """What was done to our webhooks, by scope. `refused`: scopes that are not to be had, and why."""

    made: list[str] = []
    mended: list[str] = []
    removed: list[str] = []
    kept: list[str] = []
    refused: dict[str, str] = {}


class Value(Struct, frozen=True):
    """A value of a payload, and where it came from."""

    field: str
    value: Any
    origin: str


class Payload(Struct, frozen=True):
    """One request to Brevo, such as `POST /v3/contacts`, with its exact body."""

    request: str
    body: Any
    values: list[Value]


class Preview(Struct, frozen=True, kw_only=True):
    """What Brevo would be told of one record. `notes`: sentences, such as why nothing would be sent."""

    kind: str
    id: int
    payloads: list[Payload]
    notes: list[str]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that the doctor saw. `grade`: `mend` where a human must act, and `mend` says how."""

    check: str
    grade: Literal["fine", "note", "mend"]
    words: str
    mend: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All findings, the worst last. `left_out`: checks that need a door which was found closed.

    `storefronts`: lines proposed for tajo.yaml.
    """

    healthy: bool
    findings: list[Finding]
    left_out: list[str]
    storefronts: str


class Forgotten(Struct, frozen=True, kw_only=True):
    """What was done to forget somebody. `person`: a keyed hash. `remains`: what others must do.

    `sentences`: the same for people.
    """

    date: str
    person: str
    contact_deleted: bool
    erased: dict[str, dict[str, int]]
    orders: list[str]
    remains: list[str]
    sentences: list[str]


class Noted(Struct, frozen=True, kw_only=True):
    """A webhook that was handed over is on disk. `noted`: it names something that will be looked at; else it
    is of a scope that tells Tajo nothing, and was only counted.
    """

    connector: str
    noted: bool = True


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing. `state`: missing, different, gone, waiting or parked. `key`: `customers/17`, its name in the
    store. `fields`: those that differ, and `values`, if asked for, what they are and should be. `reason`: why
    it is parked.
    """

    key: str
    state: str
    fields: tuple[str, ...] = ()
    values: tuple[Changed, ...] = ()
    reason: str = ""

    def sentence(self) -> str:
        """For people, without any value."""
        match self.state:
            case "missing":
                return f"{self.key} is missing in Brevo"
            case "gone":
                return f"{self.key} is gone in the store, and still there in Brevo"
            case "waiting":
                return f"{self.key} is on its way"
            case "parked":
                return f"{self.key} is among the failures: {self.reason}"
            case _:
                verb = "is not what it" if len(self.fields) == 1 else "are not what they"
                return f"{self.key}: {', '.join(self.fields)} {verb} should be"


class Part(Struct, frozen=True, kw_only=True):
    """One resource: how many things were checked, and what came of them.

    `missing`: in Brevo; `gone`: in the store, and still among what Brevo was told; `waiting`: to be told,
    which is no difference yet; `parked`: known failures. `fields`: how often each field differs. `examples`:
    a few of each state but `agreed`.
    """

    checked: int = 0
    agreed: int = 0
    missing: int = 0
    different: int = 0
    gone: int = 0
    waiting: int = 0
    parked: int = 0
    fields: dict[str, int] = {}
    examples: tuple[Example, ...] = ()


class Audit(Struct, frozen=True, kw_only=True):
    """What an audit found; after a repair, what is still so.

    `not_compared`: what could not be, in sentences. `troubles`: what was cut short, so that the rest may be
    wrong. `agrees`: both sides were read to the end, and nothing is missing, different or gone (the
    `differences`). `repaired`: how many of those are gone by what was told anew.
    """

    connector: str
    agrees: bool
    differences: int
    resources: dict[str, Part]
    not_compared: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    repaired: int = 0
    calls: dict[str, int] = {}
    seconds: float = 0.0


class AuditRun(Struct, frozen=True, kw_only=True):
    """An audit that a server makes. `audit`: its id; `seen`: records read so far; `found`: in the end."""

    connector: str
    audit: str
    state: Literal["running", "done"]
    seen: int = 0
    found: Audit | None = None


class Trigger(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What begins a skill: an event of the store, or the clock. `debounce` in seconds."""

    event: str = ""
    schedule: str = ""
    timezone: str = ""
    conditions: list[str] = []
    debounce: float = 0


class Skill(Struct, frozen=True, kw_only=True):
    """An automation. `steps`: each with its `delay` in seconds, its `action`, and what that needs."""

    name: str
    version: str
    description: str
    category: str
    status: str
    featured: bool
    enabled: bool
    marketing: bool
    triggers: list[Trigger]
    actions: list[str]
    steps: list[dict[str, Any]]
    stop_on: list[str]
    permissions: list[str]
    brevo_endpoints: list[str]
    related_skills: list[str]


class Skills(Struct, frozen=True):
    """All skills: the shipped ones, and those of your own folder."""

    skills: list[Skill]


class Waiting(Struct, frozen=True, kw_only=True):
    """Who waits in a skill: how many sequences, when the next of them goes on, how many a refusal stopped.

    `steps`: how many of them wait for each step, counted from 1. `done`: how many steps were done within the
    last ninety days; `done_last_day`: within the last 24 hours.
    """

    skill: str
    enabled: bool
    waiting: int = 0
    steps: dict[int, int] = {}
    next: datetime | None = None
    stopped: int = 0
    done: int = 0
    done_last_day: int = 0


class SkillsAtWork(Struct, frozen=True, kw_only=True):
    """The skills of a connector that are on, or in which somebody waits still."""

    connector: str
    skills: list[Waiting]


class Said(Struct, frozen=True, kw_only=True):
    """A line of a server's log. `level`: info, warning or error. `number`: counts them."""

    number: int
    at: datetime
    connector: str
    level: str
    words: str


class Activity(Struct, frozen=True, kw_only=True):
    """What just happened, the oldest first. `next`: what to ask for `after` to get what follows."""

    lines: list[Said]
    next: int


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key of a program, without the key itself."""

    id: str
    name: str
    scope: Literal["read", "write", "admin"]
    made_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class ApiKeys(Struct, frozen=True):
    """All keys, those that were revoked included; the oldest first."""

    keys: list[ApiKey]


class NewKey(Struct, frozen=True):
    """A key that was made, and its text, which nobody can see again."""

    id: str
    key: str


class Deed(Struct, frozen=True, kw_only=True):
    """What somebody did. `about`: a connector or key, never a person. `outcome`: done, failed, refused."""

    at: datetime
    who: str
    verb: str
    about: str
    outcome: str


class AuditLog(Struct, frozen=True, kw_only=True):
    """What people and programs did, the newest first. `next`: what to ask for `after` to get the older."""

    deeds: list[Deed]
    next: str | None = None
