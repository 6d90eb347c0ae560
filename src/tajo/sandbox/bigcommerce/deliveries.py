"""Webhooks on their way out: envelope, signature, retries, blocklist, deactivation (facts, section 7).

Times are those of the real service divided by `time_scale`. Nothing here blocks a request: `emit` only
starts tasks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .faults import Stream
    from .shapes import Record

RETRIES: Final = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
TIMEOUT: Final = 10.0  # not published; third parties claim 5 or 10 seconds
SLIDING, ENOUGH, HEALTHY, BLOCKED_FOR = 120, 100, 0.90, 180
IDLE: Final = 90 * 86400
EXCEPTIONS: Final = "store/hook/deliveryException"
KEPT = 100_000  # events and attempts that the control surface can still tell of


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: the HMAC key is the raw client secret, the text `{id}.{timestamp}.{body}`."""
    text = f"{key}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Account:
    """An API account of the store: hooks belong to one, and are signed with its secret."""

    client_id: str
    client_secret: str
    scopes: frozenset[str]


@dataclass
class Domain:
    """How one account's receivers of a domain answered lately: (time, success) of each request sent."""

    sent: deque[tuple[float, bool]] = field(default_factory=deque)
    blocked_until: float = 0.0
    blocked_at: float = 0.0
    failures: int = 0


@dataclass
class Hook:
    """A registered webhook; `state` is what GET /v3/hooks/admin calls its status."""

    id: int
    account: Account
    scope: str
    destination: str
    headers: dict[str, str]
    state: str
    created_at: int
    updated_at: int
    last_event: float

    def hears(self, scope: str) -> bool:
        """Whether an event of this scope goes to this hook; a wildcard covers everything below it.

        That `store/customer/*` covers address events is not documented; here it does not.
        """
        if self.state != "active":
            return False
        if not self.scope.endswith("/*"):
            return scope == self.scope
        addresses = self.scope == "store/customer/*" and scope.startswith("store/customer/address/")
        return scope.startswith(self.scope[:-1]) and not addresses


@dataclass(frozen=True)
class Message:
    """One event on its way to one hook; a repetition keeps the key."""

    key: str
    scope: str
    body: bytes


class Deliveries:
    """The sender of one store; `events` and `attempts` remember what happened and what was sent."""

    def __init__(
        self,
        *,
        store_id: str,
        store_hash: str,
        clock: Callable[[], float],
        time_scale: float,
        faults: Stream,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.hooks: dict[int, Hook] = {}
        self.domains: dict[tuple[str, str], Domain] = {}  # by client id and domain
        self.events: deque[Record] = deque(maxlen=KEPT)
        self.attempts: deque[Record] = deque(maxlen=KEPT)
        self._origin = {"store_id": store_id, "producer": f"stores/{store_hash}"}
        self._clock, self._scale, self._faults = clock, time_scale, faults
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting = 0  # tasks that wait for a retry or a delay
        self._idle = asyncio.Event()
        self._idle.set()
        self._numbers = count(1)
        self._complained: dict[tuple[str, str], float] = {}

    def emit(self, scope: str, data: Any, account: Account | None = None) -> None:
        """Send an event to every hook that hears it, or to those of one account only."""
        created = int(self._clock())
        event = {"scope": scope, **self._origin, "data": data, "created_at": created}
        event["hash"] = hashlib.sha1(msgspec.json.encode(event), usedforsecurity=False).hexdigest()
        body = msgspec.json.encode(event)
        self.sweep()
        hearing = [h for h in self.hooks.values() if h.hears(scope) and account in {None, h.account}]
        keys = [hook.id for hook in hearing]
        self.events.append({"scope": scope, "data": data, "created_at": created, "hooks": keys})
        for hook in hearing:
            hook.last_event = self._clock()
            self._send(hook, scope, body)

    def _send(self, hook: Hook, scope: str, body: bytes) -> None:
        fault = self._faults.next_delivery()
        message = Message(f"msg_{next(self._numbers):012d}", scope, body)
        if fault == "hook_lost":
            self._note_attempt(hook, message, 0, "lost")
            return
        wait = 0.0
        if fault == "hook_delayed":
            wait = self._faults.faults.hook_delay_seconds * self._faults.fraction() / self._scale
        for _ in range(2 if fault == "hook_doubled" else 1):
            self.start(self._deliver(hook, message, wait))

    def _note_attempt(self, hook: Hook, message: Message, status: int, why: str = "") -> None:
        """Remember a request that was sent (status 0: no answer came), or why none was."""
        told = {"webhook_id": message.key, "hook": hook.id, "scope": message.scope}
        self.attempts.append({**told, "status": status, "why": why})

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the requests, until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self._note()
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note()

    def _note(self) -> None:
        """Keep `_idle` true to its name."""
        if len(self._tasks) > self._resting:
            self._idle.clear()
        else:
            self._idle.set()

    async def rest(self, seconds: float) -> None:
        """Sleep for so many seconds of the simulated service, unnoticed by `settled`."""
        self._resting += 1
        self._note()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._resting -= 1
            self._note()

    async def settled(self) -> None:
        """Wait until nothing is on its way but what waits for its time."""
        await self._idle.wait()

    async def drained(self) -> None:
        """Wait until nothing is on its way at all: through every retry and every cart's hour."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up everything that is on its way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def sweep(self) -> None:
        """Deactivate hooks that had no event for 90 days."""
        for hook in self.hooks.values():
            if hook.state == "active" and self._clock() - hook.last_event > IDLE / self._scale:
                hook.state = "deactivated"

    async def _deliver(self, hook: Hook, message: Message, wait: float) -> None:
        if wait:
            await self.rest(wait)
        for delay in (*RETRIES, None):
            if await self._attempt(hook, message):
                return
            if delay is None:
                break
            self._complain(hook, 90001, "The webhook could not be delivered; it will be retried.")
            await self.rest(delay / self._scale)
            if self.hooks.get(hook.id) is not hook or hook.state != "active":
                return
        hook.state = "deactivated"
        self._complain(hook, 90002, "The webhook could not be delivered; it was deactivated.")

    async def _attempt(self, hook: Hook, message: Message) -> bool:
        """One request, unless the receiver's domain is blocked."""
        where = (hook.account.client_id, urlsplit(hook.destination).netloc)
        domain = self.domains.setdefault(where, Domain())
        if self._clock() < domain.blocked_until:
            self._note_attempt(hook, message, 0, "blocked")
            return False
        now = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.key,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(hook.account.client_secret, message.key, now, message.body),
            **hook.headers,
        }
        patience = httpx.Timeout(TIMEOUT, pool=None)  # a queue of ours is not the receiver's fault
        self._client = self._client or httpx.AsyncClient(transport=self._transport, timeout=patience)
        try:
            answer = await self._client.post(hook.destination, content=message.body, headers=headers)
            status, success = answer.status_code, answer.is_success
        except httpx.HTTPError:
            status, success = 0, False
        self._note_attempt(hook, message, status)
        self._judge(hook, domain, success)
        return success

    def _judge(self, hook: Hook, domain: Domain, success: bool) -> None:
        """The blocklist: 100 requests in a sliding two minutes, fewer than 90 % successful."""
        now = self._clock()
        domain.sent.append((now, success))
        while domain.sent[0][0] < now - SLIDING / self._scale:
            domain.sent.popleft()
        good = sum(ok for _, ok in domain.sent)
        if len(domain.sent) >= ENOUGH and good / len(domain.sent) < HEALTHY:
            domain.blocked_at, domain.blocked_until = now, now + BLOCKED_FOR / self._scale
            domain.failures = len(domain.sent) - good
            domain.sent.clear()
            self._complain(hook, 90003, "The domain is on the blocklist.")

    def _complain(self, hook: Hook, code: int, message: str) -> None:
        """Tell the `deliveryException` hook; of retries at most once in ten minutes per destination."""
        if hook.scope == EXCEPTIONS:
            return
        now, where = self._clock(), (hook.account.client_id, hook.destination)
        if code == 90001:
            if now - self._complained.get(where, -1e12) < 600 / self._scale:
                return
            self._complained[where] = now
        told = {"type": "webhook", "id": hook.id, "error_code": code, "message": message}
        self.emit(EXCEPTIONS, told, hook.account)
