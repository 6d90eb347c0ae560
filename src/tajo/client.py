"""`TajoClient`: the verbs of Tajo for programs of your own, against a server or within the program itself.

    client = TajoClient(api_key=…, brevo_api_key=…)                  # in this process
    client = TajoClient(api_key=…, base_url="https://tajo.example")  # a server that runs somewhere

Both speak the same HTTP. Every method raises the errors of `tajo.errors`, in words for a person.
`AsyncTajoClient` is the same with `await`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar, cast

import httpx
import msgspec

from tajo import answers, config
from tajo.access import Doorkeeper
from tajo.app import Tajo
from tajo.config import Credentials
from tajo.errors import Busy, Later, Mend, Refused, TajoError, Unknown, Usage
from tajo.wiring import open_wiring

T = TypeVar("T")
A = TypeVar("A")
P = ParamSpec("P")

Resource = Literal["customers", "orders", "products"]
SyncType = Literal["full", "incremental"]

PATIENCE = httpx.Timeout(300.0, connect=10.0)
"""Seconds: a verb may have to ask the store and Brevo many things before it answers."""

GLANCE = 0.5
"""Seconds between two looks at a run that goes on."""

OURSELVES = "this program"
"""Who does it where no server is, in the words of the audit log."""

ERRORS: Mapping[str, type[Mend]] = {"unknown": Unknown, "usage": Usage, "busy": Busy, "mend": Mend}


class _Problem(msgspec.Struct, frozen=True):
    """A refusal of the server (RFC 9457)."""

    title: str = ""
    status: int = 0
    detail: str = ""
    kind: str = ""
    mend: str = ""


class AsyncTajoClient:
    """The verbs, to be awaited. To be closed, or used as an async context.

    `base_url`: of a server, to which `api_key` opens the door. Without it Tajo runs in this process, with
    `config_file`, else `$TAJO_CONFIG`, `./tajo.yaml` and the environment; `brevo_api_key` goes before those.
    Raises `Usage` for a wrong configuration as soon as something is asked.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        brevo_api_key: str | None = None,
        base_url: str | None = None,
        config_file: Path | None = None,
    ) -> None:
        self._api_key = api_key or os.environ.get("TAJO_API_KEY", "")
        self._base_url = base_url
        self._config_file = config_file
        self._env = {**os.environ, **({"BREVO_API_KEY": brevo_api_key} if brevo_api_key else {})}
        self._stack = AsyncExitStack()
        self._http: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self.connectors = AsyncConnectors(self)
        self.keys = AsyncKeys(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections and, if Tajo runs in this process, its database."""
        self._http = None
        await self._stack.aclose()

    async def runs(self, connector: str | None = None, *, after: str = "", limit: int = 50) -> answers.Runs:
        """Runs, the newest first; `after`: the `next` of the page before."""
        query = {"after": after, "limit": limit} | ({"connector": connector} if connector else {})
        return await self._ask(answers.Runs, "GET", "/v1/runs", query=query)

    async def run(self, run: str) -> answers.Run:
        """How far a run is."""
        return await self._ask(answers.Run, "GET", f"/v1/runs/{run}")

    async def forget(self, email: str) -> answers.Forgotten:
        """Delete a person from Brevo and from Tajo's memory for good."""
        return await self._ask(answers.Forgotten, "POST", "/v1/forget", {"email": email})

    async def skills(self) -> answers.Skills:
        """What skills there are, on or off."""
        return await self._ask(answers.Skills, "GET", "/v1/skills")

    async def activity(self, *, after: int = 0) -> answers.Activity:
        """What just happened on the server, in words; `after`: the `next` of the answer before."""
        return await self._ask(answers.Activity, "GET", "/v1/activity", query={"after": after})

    async def follow_activity(self, *, after: int = 0) -> AsyncGenerator[answers.Said, None]:
        """What happens on the server, line by line, without end: first the newest, then as it is said.

        `after`: only what follows this line. In this process there is no server that could say anything.
        """
        while self._base_url:
            async for line in self._lines("/v1/activity/events", {"after": after}):
                said = msgspec.json.decode(line, type=answers.Said)
                after = said.number
                yield said
            await asyncio.sleep(GLANCE)  # the server lets go of whoever listens, from time to time

    async def audit_log(self, *, after: str = "", limit: int = 100) -> answers.AuditLog:
        """What people and programs did, the newest first; `after`: the `next` of the page before."""
        query = {"after": after, "limit": limit}
        return await self._ask(answers.AuditLog, "GET", "/v1/audit-log", query=query)

    async def _ask(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> T:
        """The answer of one request. Raises the error that the verb raised."""
        http = await self._opened()
        try:
            answer = await http.request(
                method, path, params=query, content=None if body is None else msgspec.json.encode(body)
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if answer.is_success:
            try:
                return msgspec.json.decode(answer.content, type=kind)
            except msgspec.DecodeError:
                raise Usage(
                    "what answers there is no Tajo of this version", "check `base_url`, and both versions."
                ) from None
        raise _error(answer)

    async def _lines(self, path: str, query: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        """The data of server-sent events, until the server ends them. Raises what `_ask` raises."""
        http = await self._opened()
        try:
            async with http.stream("GET", path, params=query) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _error(answer)
                async for line in answer.aiter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data:  # what only keeps the connection open has none
                        yield data
        except httpx.HTTPError as error:
            raise _unreachable(error) from None

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._http is None:
                self._http = await self._stack.enter_async_context(await self._open())
            return self._http

    async def _open(self) -> httpx.AsyncClient:
        headers = {"content-type": "application/json"}
        if self._base_url:
            headers["authorization"] = f"Bearer {self._api_key}"
            return httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=PATIENCE)
        from tajo.web import open_faces  # noqa: PLC0415 - whoever asks a server needs none

        wiring = await self._stack.enter_async_context(
            open_wiring(config.load(self._config_file, self._env), self._env)
        )
        key = secrets.token_urlsafe()
        faces = await self._stack.enter_async_context(
            open_faces(Tajo(wiring), Doorkeeper(wiring.ledger, wiring.now, master=key, called=OURSELVES))
        )
        headers["authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(cast(Any, faces))  # Litestar has types of ASGI of its own
        return httpx.AsyncClient(
            base_url="http://in-process", transport=transport, headers=headers, timeout=httpx.Timeout(None)
        )


class AsyncConnectors:
    """What can be done with the connectors, by name."""

    def __init__(self, client: AsyncTajoClient) -> None:
        self._client = client

    async def list(self) -> answers.Connectors:
        """How far all connectors are."""
        return await self._client._ask(answers.Connectors, "GET", "/v1/connectors")

    async def connect(
        self,
        name: str,
        *,
        store_hash: str,
        access_token: str,
        client_id: str = "",
        client_secret: str = "",
        api_url: str = "",
        type: str = "",  # noqa: A002 - the word of the documentation
    ) -> answers.Connected:
        """Connect a store, once its credentials have been seen to open what is needed; again is once.

        They are kept encrypted. Raises `Mend` where the store or Brevo refuses them.
        """
        credentials = Credentials(
            store_hash=store_hash,
            access_token=access_token,
            client_id=client_id,
            client_secret=client_secret,
            api_url=api_url,
            type=type,
        )
        body = msgspec.to_builtins(credentials)
        return await self._client._ask(answers.Connected, "POST", f"/v1/connectors/{name}/connect", body)

    async def disconnect(self, name: str) -> answers.HookChanges:
        """Remove our webhooks and forget the credentials; what was synced stays in Brevo."""
        return await self._client._ask(answers.HookChanges, "DELETE", f"/v1/connectors/{name}")

    async def status(self, name: str) -> answers.Status:
        """How far the connector is: `connected, last_sync, customers_count, orders_count, …`."""
        return await self._client._ask(answers.Status, "GET", f"/v1/connectors/{name}/status")

    async def sync(
        self,
        name: str,
        *,
        type: SyncType = "incremental",  # noqa: A002 - the word of the documentation
        resources: Iterable[Resource] = (),
        include_variants: Literal[True] = True,
        include_images: Literal[True] = True,
        believe_losses: bool = False,
        wait: bool = True,
    ) -> answers.Run:
        """Bring Brevo up to date with the store. `wait` False: return as soon as it has begun.

        Products always come with their variants and images.
        """
        body = {
            "type": type,
            "resources": [*resources],
            "include_variants": include_variants,
            "include_images": include_images,
            "believe_losses": believe_losses,
        }
        run = await self._client._ask(answers.Run, "POST", f"/v1/connectors/{name}/sync", body)
        while wait and run.state == "running" and not run.troubles:
            await asyncio.sleep(GLANCE)
            run = await self._client.run(run.run)
        return run

    async def rehearse(
        self,
        name: str,
        *,
        type: SyncType = "incremental",  # noqa: A002 - the word of the documentation
        resources: Iterable[Resource] = (),
    ) -> answers.Rehearsal:
        """What a sync would do; nothing is written anywhere."""
        body = {"type": type, "resources": [*resources], "dry_run": True}
        return await self._client._ask(answers.Rehearsal, "POST", f"/v1/connectors/{name}/sync", body)

    async def plan(
        self, name: str, *, full: bool = False, resources: Iterable[Resource] = ()
    ) -> answers.Plan:
        """How many calls a sync would take, and how long at least."""
        query = {"full": full, "resources": [*resources]}
        return await self._client._ask(answers.Plan, "GET", f"/v1/connectors/{name}/plan", query=query)

    async def failures(
        self, name: str, *, after: str = "", limit: int = 100, dismissed: bool = False
    ) -> answers.Failures:
        """What could not be delivered, and why; `after`: the `next` of the page before.

        `dismissed`: only what was dismissed.
        """
        query = {"after": after, "limit": limit, "dismissed": dismissed}
        path = f"/v1/connectors/{name}/failures"
        return await self._client._ask(answers.Failures, "GET", path, query=query)

    async def replay(self, name: str, keys: Iterable[str] = ()) -> answers.Run:
        """Try failures again: those of these keys (`orders/17`), or all that were not dismissed."""
        path = f"/v1/connectors/{name}/failures/replay"
        return await self._client._ask(answers.Run, "POST", path, {"keys": [*keys]})

    async def dismiss(self, name: str, keys: Iterable[str]) -> answers.Dismissed:
        """Leave the failures of these keys (`orders/17`) as they are: they do not count as such any more.

        They are kept; `replay` brings them back, and so does a refusal for something else.
        """
        path = f"/v1/connectors/{name}/failures/dismiss"
        return await self._client._ask(answers.Dismissed, "POST", path, {"keys": [*keys]})

    async def hooks(self, name: str) -> answers.Hooks:
        """All webhooks of the store's API account."""
        return await self._client._ask(answers.Hooks, "GET", f"/v1/connectors/{name}/webhooks")

    async def register_hooks(self, name: str) -> answers.HookChanges:
        """See that store and Brevo call the server."""
        return await self._client._ask(answers.HookChanges, "POST", f"/v1/connectors/{name}/webhooks")

    async def remove_hooks(self, name: str) -> answers.HookChanges:
        """Remove our webhooks; those of others stay."""
        return await self._client._ask(answers.HookChanges, "DELETE", f"/v1/connectors/{name}/webhooks")

    async def handle_webhook(self, name: str, *, topic: str, payload: Mapping[str, Any]) -> answers.Noted:
        """Note a webhook that BigCommerce sent to your own application, which knows it to be genuine.

        `topic`: its scope. `payload`: the whole body that came, or just its `data`. On return it is on disk.
        """
        path = f"/v1/connectors/{name}/webhooks/received"
        return await self._client._ask(answers.Noted, "POST", path, {"topic": topic, "payload": payload})

    async def preview(
        self, name: str, kind: Literal["customer", "order", "product"], record: int
    ) -> answers.Preview:
        """The exact payload of a record, and where each value came from."""
        path = f"/v1/connectors/{name}/preview/{kind}/{record}"
        return await self._client._ask(answers.Preview, "GET", path)

    async def audit(self, name: str, *, repair: bool = False, values: bool = False) -> answers.Audit:
        """Compare all that Brevo should hold with what it holds. It takes as long as a full sync reads.

        `repair`: tell anew what differs. `values`: show what the fields are, which is personal data.
        """
        body = {"repair": repair, "values": values}
        run = await self._client._ask(answers.AuditRun, "POST", f"/v1/connectors/{name}/audit", body)
        while run.found is None:
            await asyncio.sleep(GLANCE)
            run = await self._client._ask(answers.AuditRun, "GET", f"/v1/audits/{run.audit}")
        return run.found

    async def skills(self, name: str) -> answers.SkillsAtWork:
        """Who waits in which skill of the connector. Nobody is named."""
        return await self._client._ask(answers.SkillsAtWork, "GET", f"/v1/connectors/{name}/skills")

    async def doctor(self, name: str) -> answers.Diagnosis:
        """Examine everything that the connector stands on."""
        return await self._client._ask(answers.Diagnosis, "GET", f"/v1/connectors/{name}/doctor")


class AsyncKeys:
    """Keys with which programs come in."""

    def __init__(self, client: AsyncTajoClient) -> None:
        self._client = client

    async def list(self) -> answers.ApiKeys:
        """All keys, without the keys themselves."""
        return await self._client._ask(answers.ApiKeys, "GET", "/v1/keys")

    async def create(self, name: str, *, scope: Literal["read", "write", "admin"] = "read") -> answers.NewKey:
        """Make a key. Its text is told now and never again."""
        return await self._client._ask(answers.NewKey, "POST", "/v1/keys", {"name": name, "scope": scope})

    async def revoke(self, key: str) -> answers.ApiKey:
        """End a key, by its id: it opens nothing any more."""
        return await self._client._ask(answers.ApiKey, "DELETE", f"/v1/keys/{key}")


def plainly(
    method: Callable[Concatenate[A, P], Awaitable[T]],
) -> Callable[Concatenate[Plain[A], P], T]:
    """The same method, to be called without `await`."""

    @wraps(method)
    def call(plain: Plain[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return plain._client._run(method(plain._real, *args, **kwargs))

    return call


class TajoClient:
    """`AsyncTajoClient` without `await`, for programs that know no event loop: its own has its own thread.

    To be closed, or used as a context.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        brevo_api_key: str | None = None,
        base_url: str | None = None,
        config_file: Path | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tajo", daemon=True)
        self._thread.start()
        self._real = AsyncTajoClient(
            api_key=api_key, brevo_api_key=brevo_api_key, base_url=base_url, config_file=config_file
        )
        self.connectors = Connectors(self, self._real.connectors)
        self.keys = Keys(self, self._real.keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and, if Tajo runs in this process, its database."""
        if self._thread.is_alive():
            self._run(self._real.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def runs(self, connector: str | None = None, *, after: str = "", limit: int = 50) -> answers.Runs:
        """Runs, the newest first; `after`: the `next` of the page before."""
        return self._run(self._real.runs(connector, after=after, limit=limit))

    def run(self, run: str) -> answers.Run:
        """How far a run is."""
        return self._run(self._real.run(run))

    def forget(self, email: str) -> answers.Forgotten:
        """Delete a person from Brevo and from Tajo's memory for good."""
        return self._run(self._real.forget(email))

    def skills(self) -> answers.Skills:
        """What skills there are, on or off."""
        return self._run(self._real.skills())

    def activity(self, *, after: int = 0) -> answers.Activity:
        """What just happened on the server, in words; `after`: the `next` of the answer before."""
        return self._run(self._real.activity(after=after))

    def follow_activity(self, *, after: int = 0) -> Iterator[answers.Said]:
        """What happens on the server, line by line, without end: first the newest, then as it is said.

        `after`: only what follows this line. In this process there is no server that could say anything.
        """
        lines = self._real.follow_activity(after=after)
        try:
            while (line := self._run(anext(lines, None))) is not None:
                yield line
        finally:
            if self._thread.is_alive():
                self._run(lines.aclose())

    def audit_log(self, *, after: str = "", limit: int = 100) -> answers.AuditLog:
        """What people and programs did, the newest first; `after`: the `next` of the page before."""
        return self._run(self._real.audit_log(after=after, limit=limit))

    def _run(self, work: Awaitable[T]) -> T:
        future = asyncio.run_coroutine_threadsafe(cast(Coroutine[Any, Any, T], work), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


class Plain(Generic[A]):
    """A part of the client, to be called without `await`."""

    def __init__(self, client: TajoClient, real: A) -> None:
        self._client = client
        self._real = real


class Connectors(Plain[AsyncConnectors]):
    """What can be done with the connectors, by name: `AsyncConnectors` without `await`."""

    list = plainly(AsyncConnectors.list)
    connect = plainly(AsyncConnectors.connect)
    disconnect = plainly(AsyncConnectors.disconnect)
    status = plainly(AsyncConnectors.status)
    sync = plainly(AsyncConnectors.sync)
    rehearse = plainly(AsyncConnectors.rehearse)
    plan = plainly(AsyncConnectors.plan)
    failures = plainly(AsyncConnectors.failures)
    replay = plainly(AsyncConnectors.replay)
    dismiss = plainly(AsyncConnectors.dismiss)
    hooks = plainly(AsyncConnectors.hooks)
    register_hooks = plainly(AsyncConnectors.register_hooks)
    remove_hooks = plainly(AsyncConnectors.remove_hooks)
    handle_webhook = plainly(AsyncConnectors.handle_webhook)
    preview = plainly(AsyncConnectors.preview)
    doctor = plainly(AsyncConnectors.doctor)
    audit = plainly(AsyncConnectors.audit)
    skills = plainly(AsyncConnectors.skills)


class Keys(Plain[AsyncKeys]):
    """Keys with which programs come in: `AsyncKeys` without `await`."""

    list = plainly(AsyncKeys.list)
    create = plainly(AsyncKeys.create)
    revoke = plainly(AsyncKeys.revoke)


def _unreachable(error: httpx.HTTPError) -> Later:
    return Later(f"the server cannot be reached: {type(error).__name__}", seconds=10.0)


def _error(answer: httpx.Response) -> TajoError:
    """The error that the verb raised, from its problem details."""
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    words = problem.detail or problem.title or f"the server answers {answer.status_code}"
    if problem.kind in ERRORS:
        return ERRORS[problem.kind](words, problem.mend)
    if problem.kind == "later" or answer.status_code in (429, 503):
        seconds = answer.headers.get("retry-after", "")
        return Later(words, seconds=float(seconds) if seconds.isdecimal() else 60.0)
    if problem.kind == "refused":
        return Refused(words)
    if answer.status_code in (401, 403):
        return Mend(words, "check `api_key`, and what its scope allows.")
    return Mend(words, "see the log of the server.")
