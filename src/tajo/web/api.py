"""`/v1`: every verb over HTTP. `tajo.answers` says what each answers, `tajo.web.refusals` what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, delete, get, post
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
from tajo.web.callers import may
from tajo.web.jobs import Jobs
from tajo.web.refusals import MEDIA_TYPE as PROBLEM
from tajo.web.refusals import Problem, problem_of

PULSE = 1.0
"""Seconds between two events of a run that goes on."""

Doing = NamedDependency[Tajo]
Running = NamedDependency[Jobs]
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
    """Failures by their keys, such as `orders/17`; none: all of them."""

    keys: list[str] = []


class Received(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that your own application received: its scope, and its body or the `data` of it."""

    topic: str
    payload: dict[str, Any]


class AuditWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`repair`: tell Brevo anew whatever differs. `values`: show what the fields are: personal data."""

    repair: bool = False
    values: bool = False


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


@post("/connectors/{name:str}/connect", guards=ADMIN, status_code=200, operation_id="connect")
async def connect(
    tajo: Doing, may_call: MayCall, name: FromPath[str], data: JSONBody[Credentials]
) -> answers.Connected:
    """Connect a store, once its credentials have been seen to open what is needed. Again is once."""
    if data.api_url and not may_call(data.api_url):
        raise Usage("api_url: this server calls no such host", "name it as `api_url` in its configuration.")
    return await tajo.connect(name, data)


@delete("/connectors/{name:str}", guards=ADMIN, status_code=200, operation_id="disconnect")
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
    status_code=202,
)
async def sync(
    tajo: Doing, jobs: Running, name: FromPath[str], data: JSONBody[Wish]
) -> Response[answers.Run | answers.Rehearsal]:
    """Start a sync: 202 with the run, to be followed at `/v1/runs/{run}`; 200 if it is over, or a dry run."""
    full = data.type == "full"
    if data.dry_run:
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


@get("/runs/{run:str}/events", guards=READ, operation_id="runEvents", media_type="text/event-stream")
async def run_events(jobs: Running, run: FromPath[str]) -> ServerSentEvent:
    """How far a run is, again and again until it is over: `progress`, and then `end` or `problem`."""
    await jobs.run(run)  # one that does not exist is told before anything is sent
    return ServerSentEvent(_progress(jobs, run))


async def _progress(jobs: Jobs, run: str) -> AsyncIterator[ServerSentEventMessage]:
    while True:
        goes_on = jobs.is_running(run)
        try:
            now = await jobs.run(run)
        except TajoError as error:
            problem, _ = problem_of(error)
            yield ServerSentEventMessage(msgspec.json.encode(problem).decode(), event="problem")
            return
        kind = "progress" if goes_on else "end"
        yield ServerSentEventMessage(msgspec.json.encode(now).decode(), event=kind)
        if not goes_on:
            return
        await asyncio.sleep(PULSE)


@get("/connectors/{name:str}/failures", guards=READ, operation_id="failures")
async def failures(
    tajo: Doing, name: FromPath[str], after: FromQuery[str] = "", limit: Limit = 100
) -> answers.Failures:
    """What could not be delivered, and why; the oldest first."""
    return await tajo.failures(name, after=after, limit=limit)


@post("/connectors/{name:str}/failures/replay", guards=WRITE, status_code=200, operation_id="replay")
async def replay(tajo: Doing, name: FromPath[str], data: JSONBody[Keys]) -> answers.Run:
    """Look at failed records again and deliver them."""
    return await tajo.replay(name, data.keys)


@get("/connectors/{name:str}/webhooks", guards=READ, operation_id="hooks")
async def hooks(tajo: Doing, name: FromPath[str]) -> answers.Hooks:
    """All webhooks of the store's API account, ours and others."""
    return await tajo.hooks(name)


@post("/connectors/{name:str}/webhooks", guards=WRITE, status_code=200, operation_id="registerHooks")
async def register_hooks(tajo: Doing, name: FromPath[str]) -> answers.HookChanges:
    """See that store and Brevo call this server; what is missing or broken is made right."""
    return await tajo.register_hooks(name)


@delete("/connectors/{name:str}/webhooks", guards=WRITE, status_code=200, operation_id="removeHooks")
async def remove_hooks(tajo: Doing, name: FromPath[str]) -> answers.HookChanges:
    """Remove our webhooks; those of others stay."""
    return await tajo.remove_hooks(name)


@post("/connectors/{name:str}/webhooks/received", guards=WRITE, status_code=202, operation_id="handleWebhook")
async def handle_webhook(tajo: Doing, name: FromPath[str], data: JSONBody[Received]) -> answers.Noted:
    """Note a webhook that your own application received, and knows to be genuine."""
    return await tajo.handle_webhook(name, topic=data.topic, payload=data.payload)


@get("/connectors/{name:str}/preview/{kind:str}/{record:int}", guards=WRITE, operation_id="preview")
async def preview(tajo: Doing, name: FromPath[str], kind: FromPath[str], record: Id) -> answers.Preview:
    """The exact payload of a record, and where each value came from. It holds personal data."""
    return await tajo.preview(name, kind, record)


@get("/connectors/{name:str}/doctor", guards=READ, operation_id="doctor")
async def doctor(tajo: Doing, name: FromPath[str]) -> answers.Diagnosis:
    """Examine everything that the connector stands on; each finding comes with its mend."""
    return await tajo.doctor(name)


@post("/connectors/{name:str}/audit", guards=WRITE, status_code=200, operation_id="audit")
async def audit(tajo: Doing, name: FromPath[str], data: JSONBody[AuditWish]) -> answers.Audit:
    """Compare all that Brevo should hold with what it holds. It takes as long as a full sync reads."""
    return await tajo.audit(name, repair=data.repair, values=data.values)


@post("/forget", guards=ADMIN, status_code=200, operation_id="forget")
async def forget(tajo: Doing, data: JSONBody[Whom]) -> answers.Forgotten:
    """Delete a person from Brevo and from the ledger for good, and write down that it was done."""
    return await tajo.forget(data.email)


HANDLERS = [
    *(connectors, connect, disconnect, status, sync, plan, runs, run, run_events),
    *(failures, replay, hooks, register_hooks, remove_hooks, handle_webhook, preview, doctor, audit, forget),
]


def v1() -> Router:
    """The routes. Each may be refused in the same ways."""
    for handler in HANDLERS:
        handler.responses = PROBLEMS
    return Router("/v1", route_handlers=HANDLERS, tags=["v1"])


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
