"""`/v1`: every verb over HTTP. `tajo.answers` says what each answers, `tajo.web.refusals` what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Response, ServerSentEvent, ServerSentEventMessage
from msgspec import Struct

from tajo import answers
from tajo.access import Scope
from tajo.app import Tajo
from tajo.config import Credentials
from tajo.errors import TajoError, Usage
from tajo.journal import Journal
from tajo.web.activity import as_it_happens, said
from tajo.web.audit_log import Noted
from tajo.web.callers import Watched, may
from tajo.web.jobs import Audits, Jobs
from tajo.web.refusals import MEDIA_TYPE as PROBLEM
from tajo.web.refusals import Problem, problem_of

PULSE = 1.0
"""Seconds between two events of a run or an audit that goes on."""

Doing = NamedDependency[Tajo]
Running = NamedDependency[Jobs]
Auditing = NamedDependency[Audits]
Heard = NamedDependency[Journal | None]
MayCall = NamedDependency[Callable[[str], bool]]
Id = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Resource = Literal["customers", "orders", "products"]


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sync. `dry_run`: say what it would do, and do nothing. `believe_losses`: what is missing in the
    store's lists is gone, however much it is. Products always come with their variants and images.
    """

    type: Literal["full", "incremental"] = "incremental"
    resources: list[Resource] = []
    dry_run: bool = False
    believe_losses: bool = False
    include_variants: Literal[True] = True
    include_images: Literal[True] = True


class Keys(Struct, frozen=True, forbid_unknown_fields=True):
    """Failures by their keys, such as `orders/17`; none: all of them, but for what was dismissed."""

    keys: list[str] = []


class Chosen(Struct, frozen=True, forbid_unknown_fields=True):
    """Failures by their keys, such as `orders/17`: one at least."""

    keys: list[str]


class Received(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that your own application received: its scope, and its body or the `data` of it."""

    topic: str
    payload: dict[str, Any]


class AuditWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`repair`: tell Brevo anew whatever differs. `values`: show what the fields are: personal data."""

    repair: bool = False
    values: bool = False


class KeyWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key: called after the program that uses it, and what it may do."""

    name: str
    scope: Scope = Scope.READ


class Whom(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody by their e-mail."""

    email: str


REFUSALS = {
    400: "The body is no JSON.",
    401: "No key was shown, or one that is not known.",
    403: "The key's scope does not allow this.",
    404: "What is named is not there.",
    409: "Somebody else is at work there.",
    413: "The body is too large.",
    422: "The request is wrong; `detail` says where.",
    424: "The store, Brevo or the configuration needs a human; `mend` says what to do.",
    429: "Too many requests; `retry-after` says when to come again.",
    503: "The store or Brevo cannot be asked now; `retry-after` says when to try again.",
}
PROBLEMS = {
    status: ResponseSpec(Problem, generate_examples=False, description=why, media_type=PROBLEM)
    for status, why in REFUSALS.items()
}
READ, WRITE, ADMIN = ([may(scope)] for scope in (Scope.READ, Scope.WRITE, Scope.ADMIN))


@get("/connectors", guards=READ, operation_id="connectors")
async def connectors(tajo: Doing) -> answers.Connectors:
    """How far all connectors are."""
    return await tajo.connectors()


@post(
    "/connectors/{name:str}/connect", guards=ADMIN, status_code=200, operation_id="connect", noted="connect"
)
async def connect(
    tajo: Doing, may_call: MayCall, name: FromPath[str], data: JSONBody[Credentials]
) -> answers.Connected:
    """Connect a store, once its credentials have been seen to open what is needed. Again is once."""
    if data.api_url and not may_call(data.api_url):
        raise Usage("api_url: this server calls no such host", "name it as `api_url` in its configuration.")
    return await tajo.connect(name, data)


@delete(
    "/connectors/{name:str}", guards=ADMIN, status_code=200, operation_id="disconnect", noted="disconnect"
)
async def disconnect(tajo: Doing, name: FromPath[str]) -> answers.HookChanges:
    """Remove our webhooks and forget the credentials; what was synced stays in Brevo."""
    return await tajo.disconnect(name)


@get("/connectors/{name:str}/status", guards=READ, operation_id="status")
async def status(tajo: Doing, name: FromPath[str]) -> answers.Status:
    """How far a connector is, and what waits."""
    return await tajo.status(name)


@post(
    "/connectors/{name:str}/sync",
    guards=WRITE,
    operation_id="sync",
    noted="sync",
    status_code=202,
)
async def sync(
    request: Request[Any, Any, Any], tajo: Doing, jobs: Running, name: FromPath[str], data: JSONBody[Wish]
) -> Response[answers.Run | answers.Rehearsal]:
    """Start a sync: 202 with the run, to be followed at `/v1/runs/{run}`; 200 if it is over, or a dry run."""
    full = data.type == "full"
    if data.dry_run:
        request.state.noted = False
        rehearsal = await tajo.rehearse(name, full=full, resources=data.resources)
        return Response(rehearsal, status_code=200)
    run = await jobs.start(name, full=full, resources=data.resources, believe_losses=data.believe_losses)
    return Response(run, status_code=202 if jobs.is_running(run.run) else 200)


@get("/connectors/{name:str}/plan", guards=READ, operation_id="plan")
async def plan(
    tajo: Doing,
    name: FromPath[str],
    full: FromQuery[bool] = False,
    resources: FromQuery[list[Resource] | None] = None,
) -> answers.Plan:
    """How many calls a sync would take, and how long at least."""
    return await tajo.plan(name, full=full, resources=resources or [])


@get("/runs", guards=READ, operation_id="runs")
async def runs(
    tajo: Doing, connector: FromQuery[str | None] = None, after: FromQuery[str] = "", limit: Limit = 50
) -> answers.Runs:
    """Runs, the newest first; `after`: the `next` of the page before."""
    return await tajo.runs(connector, after=after, limit=limit)


@get("/runs/{run:str}", guards=READ, operation_id="run")
async def run(jobs: Running, run: FromPath[str]) -> answers.Run:
    """How far a run is."""
    return await jobs.run(run)


@get(
    "/runs/{run:str}/events",
    guards=READ,
    operation_id="runEvents",
    media_type="text/event-stream",
    watched=True,
)
async def run_events(jobs: Running, run: FromPath[str]) -> ServerSentEvent:
    """How far a run is, again and again until it is over: `progress`, and then `end` or `problem`."""
    await jobs.run(run)  # one that does not exist is told before anything is sent
    return ServerSentEvent(_progress(lambda: jobs.is_running(run), lambda: jobs.run(run)))


async def _progress(
    goes_on: Callable[[], bool], look: Callable[[], Awaitable[answers.Run | answers.AuditRun]]
) -> AsyncIterator[ServerSentEventMessage]:
    more = True
    while more:
        more = goes_on()
        try:
            now = await look()
        except TajoError as error:
            problem, _ = problem_of(error)
            yield ServerSentEventMessage(msgspec.json.encode(problem).decode(), event="problem")
            return
        yield ServerSentEventMessage(msgspec.json.encode(now).decode(), event="progress" if more else "end")
        if more:
            await asyncio.sleep(PULSE)


@get("/connectors/{name:str}/failures", guards=READ, operation_id="failures")
async def failures(
    tajo: Doing,
    name: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    dismissed: FromQuery[bool] = False,
) -> answers.Failures:
    """What could not be delivered, and why; the oldest first. `dismissed`: only what was dismissed."""
    return await tajo.failures(name, after=after, limit=limit, dismissed=dismissed)


@post(
    "/connectors/{name:str}/failures/replay",
    guards=WRITE,
    status_code=200,
    operation_id="replay",
    noted="replay",
)
async def replay(tajo: Doing, name: FromPath[str], data: JSONBody[Keys]) -> answers.Run:
    """Look at failed records again and deliver them."""
    return await tajo.replay(name, data.keys)


@post(
    "/connectors/{name:str}/failures/dismiss",
    guards=WRITE,
    status_code=200,
    operation_id="dismiss",
    noted="dismiss",
)
async def dismiss(tajo: Doing, name: FromPath[str], data: JSONBody[Chosen]) -> answers.Dismissed:
    """Leave failed records as they are: they do not count as failures any more. Replay brings them back."""
    return await tajo.dismiss(name, data.keys)


@get("/connectors/{name:str}/webhooks", guards=READ, operation_id="hooks")
async def hooks(tajo: Doing, name: FromPath[str]) -> answers.Hooks:
    """All webhooks of the store's API account, ours and others."""
    return await tajo.hooks(name)


@post(
    "/connectors/{name:str}/webhooks",
    guards=WRITE,
    status_code=200,
    operation_id="registerHooks",
    noted="repair webhooks",
)
async def register_hooks(tajo: Doing, name: FromPath[str]) -> answers.HookChanges:
    """See that store and Brevo call this server; what is missing or broken is made right."""
    return await tajo.register_hooks(name)


@delete(
    "/connectors/{name:str}/webhooks",
    guards=WRITE,
    status_code=200,
    operation_id="removeHooks",
    noted="remove webhooks",
)
async def remove_hooks(tajo: Doing, name: FromPath[str]) -> answers.HookChanges:
    """Remove our webhooks; those of others stay."""
    return await tajo.remove_hooks(name)


@post("/connectors/{name:str}/webhooks/received", guards=WRITE, status_code=202, operation_id="handleWebhook")
async def handle_webhook(tajo: Doing, name: FromPath[str], data: JSONBody[Received]) -> answers.Noted:
    """Note a webhook that your own application received, and knows to be genuine."""
    return await tajo.handle_webhook(name, topic=data.topic, payload=data.payload)


@get(
    "/connectors/{name:str}/preview/{kind:str}/{record:int}",
    guards=WRITE,
    operation_id="preview",
    noted="preview",
)
async def preview(tajo: Doing, name: FromPath[str], kind: FromPath[str], record: Id) -> answers.Preview:
    """The exact payload of a record, and where each value came from. It holds personal data."""
    return await tajo.preview(name, kind, record)


@get("/connectors/{name:str}/doctor", guards=READ, operation_id="doctor")
async def doctor(tajo: Doing, name: FromPath[str]) -> answers.Diagnosis:
    """Examine everything that the connector stands on; each finding comes with its mend."""
    return await tajo.doctor(name)


@post("/connectors/{name:str}/audit", guards=WRITE, status_code=202, operation_id="audit", noted="audit")
async def audit(audits: Auditing, name: FromPath[str], data: JSONBody[AuditWish]) -> answers.AuditRun:
    """Compare all that Brevo should hold with what it holds. It takes as long as a full sync reads: ask
    `/v1/audits/{audit}` what was found.
    """
    return audits.start(name, repair=data.repair, values=data.values)


@get("/audits/{audit:str}", guards=WRITE, operation_id="auditRun")
async def audit_run(audits: Auditing, audit: FromPath[str]) -> answers.AuditRun:
    """How far an audit is, and what it found. The server remembers the last hundred until it is restarted."""
    return audits.audit(audit)


@get(
    "/audits/{audit:str}/events",
    guards=WRITE,
    operation_id="auditEvents",
    media_type="text/event-stream",
    watched=True,
)
async def audit_events(audits: Auditing, audit: FromPath[str]) -> ServerSentEvent:
    """How far an audit is, again and again until it is over: `progress`, and then `end` or `problem`."""
    audits.audit(audit)

    async def look() -> answers.AuditRun:
        return audits.audit(audit)

    return ServerSentEvent(_progress(lambda: audits.is_running(audit), look))


@post("/forget", guards=ADMIN, status_code=200, operation_id="forget", noted="forget")
async def forget(tajo: Doing, data: JSONBody[Whom]) -> answers.Forgotten:
    """Delete a person from Brevo and from the ledger for good, and write down that it was done."""
    return await tajo.forget(data.email)


@get("/skills", guards=READ, operation_id="skills")
async def skills(tajo: Doing) -> answers.Skills:
    """What skills there are, on or off."""
    return await tajo.skills()


@get("/connectors/{name:str}/skills", guards=READ, operation_id="skillsAtWork")
async def skills_at_work(tajo: Doing, name: FromPath[str]) -> answers.SkillsAtWork:
    """Who waits in which skill. Nobody is named."""
    return await tajo.skills_at_work(name)


@get("/activity", guards=READ, operation_id="activity")
async def activity(journal: Heard, after: FromQuery[int] = 0) -> answers.Activity:
    """The newest lines of the server's log; none where a program runs Tajo by itself."""
    if journal is None:
        return answers.Activity(lines=[], next=0)
    return answers.Activity(lines=[said(line) for line in journal.after(after)], next=journal.last)


@get(
    "/activity/events",
    guards=READ,
    operation_id="activityEvents",
    media_type="text/event-stream",
    watched=True,
)
async def activity_events(journal: Heard, after: FromQuery[int] = 0) -> ServerSentEvent:
    """The lines that follow, one event each; it ends after ten minutes, to be asked for again."""
    return ServerSentEvent(as_it_happens(journal, after) if journal else ())


@get("/keys", guards=ADMIN, operation_id="keys")
async def keys(tajo: Doing) -> answers.ApiKeys:
    """The keys of programs, without the keys themselves."""
    return await tajo.keys()


@post("/keys", guards=ADMIN, status_code=201, operation_id="createKey", noted="create key")
async def create_key(request: Request[Any, Any, Any], tajo: Doing, data: JSONBody[KeyWish]) -> answers.NewKey:
    """Make a key. Its text is told now and never again."""
    made = await tajo.create_key(data.name, data.scope)
    request.state.about = made.id
    return made


@delete("/keys/{key:str}", guards=ADMIN, status_code=200, operation_id="revokeKey", noted="revoke key")
async def revoke_key(tajo: Doing, key: FromPath[str]) -> answers.ApiKey:
    """End a key, by its id: it opens nothing any more."""
    return await tajo.revoke_key(key)


@get("/audit-log", guards=ADMIN, operation_id="auditLog")
async def audit_log(tajo: Doing, after: FromQuery[str] = "", limit: Limit = 100) -> answers.AuditLog:
    """What people and programs did, the newest first."""
    return await tajo.audit_log(after=after, limit=limit)


HANDLERS = [
    *(connectors, connect, disconnect, status, sync, plan, runs, run, run_events),
    *(failures, replay, dismiss, hooks, register_hooks, remove_hooks, handle_webhook, preview, doctor),
    *(forget, audit, audit_run, audit_events, skills, skills_at_work, activity, activity_events),
    *(keys, create_key, revoke_key, audit_log),
]


def v1() -> Router:
    """The routes. Each may be refused in the same ways."""
    for handler in HANDLERS:
        handler.responses = PROBLEMS
    return Router("/v1", route_handlers=HANDLERS, tags=["v1"], middleware=[Noted, Watched])


async def provide_tajo(state: State) -> Tajo:
    """What the handlers call."""
    tajo: Tajo = state.tajo
    return tajo


async def provide_may_call(state: State) -> Callable[[str], bool]:
    """Which hosts this server calls because somebody asks it to."""
    may_call: Callable[[str], bool] = state.may_call
    return may_call


async def provide_jobs(state: State) -> Jobs:
    """Where their syncs run."""
    jobs: Jobs = state.jobs
    return jobs


async def provide_audits(state: State) -> Audits:
    """Where their audits run."""
    audits: Audits = state.audits
    return audits


async def provide_journal(state: State) -> Journal | None:
    """What the server says; None where there is none."""
    journal: Journal | None = state.journal
    return journal
