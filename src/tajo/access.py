"""Who may do what: programs by their keys, people by their passwords, and what they did.

Of a key, a session and a setup link the ledger has the SHA-256 alone: they are 256 random bits, which nobody
can guess from it. Passwords are people's own, so they are hashed with argon2id.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from msgspec import Struct

from tajo.answers import ApiKey
from tajo.errors import Later, Unknown, Usage
from tajo.sync.ledger import callers
from tajo.sync.ledger.callers import Doing, Session
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.moments import moment

IDLE, LONGEST = 12 * 3600.0, 7 * 86400.0
"""Seconds without a request after which a session is over, and after which it is over anyway."""

FRESH = 60.0
"""Seconds within which the use of a key or a session is noted once."""

ID = 12
"""Digits of a session's digest by which its owner names it."""

SETUP_LASTS = 86400.0
"""Seconds for which the link works that lets the first person in."""

SHORTEST = 12
"""Characters of a password."""

FAILURES, WITHIN = 5, 15 * 60.0
"""So many failed sign-ins for a name, or from an address, in so many seconds, and it must wait."""

REMEMBERED = 10_000
"""Names and addresses whose failures are remembered."""

NAME = re.compile(r"[\w.@+-]{1,64}")


class Scope(StrEnum):
    """What a caller may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, wanted: Scope) -> bool:
        """Each allows the ones before it."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


class Caller(Struct, frozen=True):
    """Somebody who may do something. `who`: in the words of the audit log; `user`: empty for a program."""

    who: str
    scope: Scope
    user: str = ""


class SignedIn(Struct, frozen=True):
    """A session, for those whose it is. Moments in seconds since 1970; `here`: it is the one that asks."""

    id: str
    began_at: float
    seen_at: float
    here: bool


class Doorkeeper:
    """Knows callers by what they show. `master`: a key that opens every door, if there is one.

    `called`: whoever shows that, in the words of the audit log.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], float],
        *,
        master: str | None,
        called: str = "TAJO_API_KEY",
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._master = _digest(master) if master else None
        self._called = called
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Lock()  # each takes 64 MB: many at once would take the machine
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._failures = Failures(now)

    # --- programs

    async def by_key(self, text: str) -> Caller | None:
        """Whose key this is; None if it is nobody's."""
        digest = _digest(text)
        if self._master and hmac.compare_digest(digest, self._master):
            return Caller(self._called, Scope.ADMIN)
        async with self._ledger.begin() as tx:
            key = await callers.key_of(tx, digest)
            if key is None:
                return None
            if self._now() - (key.used_at or 0.0) > FRESH:
                await callers.note_use(tx, key.id, self._now())
        return Caller(f"key {key.id} ({key.name})", Scope(key.scope))

    async def make_key(self, name: str, scope: Scope) -> tuple[ApiKey, str]:
        """A new key, and its text, which nobody can see again. Raises `Usage` for an empty name."""
        if not 0 < len(name.strip()) <= 64 or not name.isprintable():
            raise Usage("a key needs a name of 1 to 64 characters", "call it after the program that uses it.")
        text = f"tajo_{secrets.token_urlsafe(32)}"
        key = callers.Key(
            id=secrets.token_hex(4),
            name=name.strip(),
            scope=scope,
            made_at=self._now(),
            used_at=None,
            revoked_at=None,
        )
        async with self._ledger.begin() as tx:
            await callers.put_key(tx, key, _digest(text))
        return _told(key), text

    async def keys(self) -> list[ApiKey]:
        """All keys, those that were revoked included; the oldest first."""
        async with self._ledger.begin() as tx:
            return [_told(key) for key in await callers.keys(tx)]

    async def revoke(self, id_: str) -> ApiKey:
        """The key opens nothing any more. Raises `Unknown` where there is no such key that does."""
        async with self._ledger.begin() as tx:
            if not (id_.isalnum() and await callers.revoke(tx, id_, self._now())):
                raise Unknown(f"there is no key `{id_[:64]}` that works", "see `tajo keys list`.")
            return next(_told(key) for key in await callers.keys(tx) if key.id == id_)

    # --- people

    async def setup_token(self) -> str | None:
        """What lets the first person in, once, instead of the one before; None if somebody is in already."""
        async with self._ledger.begin() as tx:
            return None if await callers.count_users(tx) else await self._new_link(tx)

    async def reset(self) -> str:
        """Nobody may sign in any more; returns what lets the first person in."""
        async with self._ledger.begin() as tx:
            await callers.remove_everybody(tx)
            return await self._new_link(tx)

    async def _new_link(self, tx: Tx) -> str:
        text = secrets.token_urlsafe(32)
        await callers.put_setup(tx, _digest(text) + f"{self._now():.0f}".encode())
        return text

    async def link(self, token: str) -> bytes:
        """What the ledger has of the link that lets the first person in. Raises `Usage` if it does not."""
        async with self._ledger.begin() as tx:
            kept = await callers.setup(tx)
        if kept is None or not hmac.compare_digest(kept[:32], _digest(token)):
            raise _spent_link()
        if self._now() - float(kept[32:]) > SETUP_LASTS:
            raise Usage("this link is older than a day", "start `tajo serve` anew: it prints another.")
        return kept

    async def set_up(self, token: str, name: str, password: str) -> str:
        """Let the first person in; returns their session. Raises `Usage`."""
        kept = await self.link(token)
        _check(name, password)
        hashed = await self._hash(password)
        async with self._ledger.begin() as tx:
            if not await callers.take_setup(tx, kept) or await callers.count_users(tx):
                raise _spent_link()
            await callers.put_user(tx, name, hashed, self._now())
            return await self._begin(tx, name)

    async def sign_in(self, name: str, password: str, address: str = "") -> str | None:
        """The session of somebody who knows their password; None for anybody else.

        It takes as long for a name that does not exist. Raises `Later` after too many failures for this
        name, or from this address.
        """
        whose, whence = f"name {name[:64]}", f"address {address}"
        self._failures.expect(whose, whence)
        kept = await self._password_of(name)
        if not await self._fits(kept or self._nobody, password) or kept is None:
            return None
        self._failures.forgive(whose)
        self._failures.take_back(whence)
        fresh = await self._hash(password) if self._hasher.check_needs_rehash(kept) else kept
        async with self._ledger.begin() as tx:
            if await callers.change_password(tx, name, kept, fresh):  # by now it may be another one
                return await self._begin(tx, name)
        return None

    async def by_session(self, text: str) -> Caller | None:
        """Who is signed in by this; None if the session is over."""
        digest, now = _digest(text), self._now()
        async with self._ledger.begin() as tx:
            session = await callers.session_of(tx, digest)
            if session is None:
                return None
            if _is_over(session, now):
                await callers.end_session(tx, digest)
                return None
            if now - session.seen_at > FRESH:
                await callers.note_seen(tx, digest, now)
        return Caller(f"user {session.user}", Scope.ADMIN, session.user)

    async def sign_out(self, text: str) -> None:
        """This session is over."""
        async with self._ledger.begin() as tx:
            await callers.end_session(tx, _digest(text))

    async def sessions(self, user: str, here: str) -> list[SignedIn]:
        """Where somebody is signed in, the place that was used last first. `here`: the session that asks."""
        now = self._now()
        async with self._ledger.begin() as tx:
            found = await callers.sessions_of(tx, user)
        return [
            SignedIn(digest.hex()[:ID], one.began_at, one.seen_at, here=digest == _digest(here))
            for digest, one in found
            if not _is_over(one, now)
        ]

    async def sign_out_elsewhere(self, user: str, here: str, id_: str = "") -> int:
        """End this session of theirs, or all but the one that asks; returns how many those were."""
        kept = _digest(here)
        async with self._ledger.begin() as tx:
            found = [digest for digest, _ in await callers.sessions_of(tx, user) if digest != kept]
            over = [digest for digest in found if not id_ or digest.hex()[:ID] == id_]
            for digest in over:
                await callers.end_session(tx, digest)
        return len(over)

    async def change_password(self, user: str, old: str, new: str, session: str = "") -> None:
        """Another password; all sessions but this one are over. Raises `Usage`; `Later` as `sign_in` does.

        Failures at the door do not count: whoever guesses there keeps nobody inside from choosing another.
        """
        whose = f"inside {user[:64]}"
        self._failures.expect(whose)
        kept = await self._password_of(user)
        if kept is None or not await self._fits(kept, old):
            raise _not_theirs()
        self._failures.forgive(whose)
        _check(user, new)
        hashed = await self._hash(new)
        async with self._ledger.begin() as tx:
            if not await callers.change_password(tx, user, kept, hashed):
                raise _not_theirs()
            await callers.end_sessions(tx, user, but=_digest(session))

    async def _password_of(self, name: str) -> str | None:
        if not NAME.fullmatch(name):
            return None
        async with self._ledger.begin() as tx:
            return await callers.password_of(tx, name)

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _fits(self, hashed: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self._hasher.verify, hashed, password)
            except (Argon2Error, InvalidHashError):
                return False

    async def _begin(self, tx: Tx, user: str) -> str:
        text, now = secrets.token_urlsafe(32), self._now()
        await callers.put_session(tx, _digest(text), Session(user=user, began_at=now, seen_at=now))
        return text

    # --- what they did

    async def note(self, who: str, verb: str, about: str = "", outcome: str = "done") -> None:
        """Write down what somebody did: never about whom."""
        async with self._ledger.begin() as tx:
            await callers.note(tx, at=self._now(), who=who, verb=verb, about=about, outcome=outcome)

    async def doings(self, before: int | None = None, limit: int = 100) -> list[Doing]:
        """What was done, the newest first: before the one of that number."""
        async with self._ledger.begin() as tx:
            return await callers.newest(tx, before=before, limit=limit)


class Failures:
    """Failed sign-ins, in memory: whoever restarts the server has other ways."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def expect(self, *whose: str) -> None:
        """Count a failure of each, until it turns out to be none: so guesses made at once are counted, too.

        Raises `Later`, and counts nothing, if any of these has failed too often.
        """
        for one in whose:
            moments = self._at.get(one, deque())
            while moments and moments[0] <= self._now() - WITHIN:
                moments.popleft()
            if len(moments) >= FAILURES:
                wait = moments[0] + WITHIN - self._now()
                raise Later("too many failed sign-ins: wait before you try again", seconds=wait)
        for one in whose:
            self._at.setdefault(one, deque(maxlen=FAILURES)).append(self._now())
            self._at.move_to_end(one)
        while len(self._at) > REMEMBERED:
            self._at.popitem(last=False)

    def take_back(self, whose: str) -> None:
        """What was expected last was no failure."""
        if self._at.get(whose):
            self._at[whose].pop()

    def forgive(self, whose: str) -> None:
        """They have succeeded."""
        self._at.pop(whose, None)


def _is_over(session: Session, now: float) -> bool:
    return now - session.seen_at > IDLE or now - session.began_at > LONGEST


def _spent_link() -> Usage:
    return Usage("this link does not work any more", "start `tajo serve` anew: it prints another.")


def _not_theirs() -> Usage:
    return Usage("that is not your password", "if you do not know it: `tajo password reset`.")


def _check(name: str, password: str) -> None:
    if not NAME.fullmatch(name):
        raise Usage("a name has 1 to 64 letters, digits and . _ @ + -", "choose another one.")
    if len(password) < SHORTEST:
        raise Usage(f"a password has at least {SHORTEST} characters", "three or four words will do.")
    if len("".join(password.casefold().replace(name.casefold(), "").split())) < SHORTEST // 2:
        raise Usage("a password is more than the name", "choose another one.")


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _told(key: callers.Key) -> ApiKey:
    moments = {name: getattr(key, name) for name in ("made_at", "used_at", "revoked_at")}
    told = {name: None if at is None else moment(int(at)) for name, at in moments.items()}
    return msgspec.convert({"id": key.id, "name": key.name, "scope": key.scope, **told}, ApiKey)
