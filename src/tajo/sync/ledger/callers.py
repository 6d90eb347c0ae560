"""Keys of programs, people and their sessions, and what they did."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import api_keys, doings, facts, sessions, users

SETUP = "setup"
"""The fact that holds the digest of the link by which the first person comes in."""


class Key(Struct, frozen=True, kw_only=True):
    """A key of a program, without the key itself. Moments in seconds since 1970; None: never."""

    id: str
    name: str
    scope: str
    made_at: float
    used_at: float | None
    revoked_at: float | None


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who is signed in. Moments in seconds since 1970."""

    user: str
    began_at: float
    seen_at: float


class Doing(Struct, frozen=True, kw_only=True):
    """What somebody did. `about`: a connector, a key; never a person."""

    id: int
    at: float
    who: str
    verb: str
    about: str
    outcome: str


# --- keys

_KEY = [api_keys.c[name] for name in Key.__struct_fields__]


async def put_key(tx: Tx, key: Key, digest: bytes) -> None:
    """Keep a new key."""
    row = {name: getattr(key, name) for name in Key.__struct_fields__}
    await upsert(tx, api_keys, [{**row, "digest": digest}])


async def key_of(tx: Tx, digest: bytes) -> Key | None:
    """The key with this digest, if it was not revoked."""
    k = api_keys.c
    row = (await tx.execute(select(*_KEY).where(k.digest == digest, k.revoked_at.is_(None)))).first()
    return None if row is None else Key(**row._mapping)


async def keys(tx: Tx) -> list[Key]:
    """All keys, the oldest first."""
    rows = await tx.execute(select(*_KEY).order_by(api_keys.c.made_at, api_keys.c.id))
    return [Key(**row._mapping) for row in rows]


async def note_use(tx: Tx, id_: str, now: float) -> None:
    """The key was used."""
    await tx.execute(update(api_keys).where(api_keys.c.id == id_).values(used_at=now))


async def revoke(tx: Tx, id_: str, now: float) -> bool:
    """The key opens nothing any more; whether there was such a key that did."""
    k = api_keys.c
    done = await tx.execute(
        update(api_keys).where(k.id == id_, k.revoked_at.is_(None)).values(revoked_at=now)
    )
    return done.rowcount > 0


# --- people


async def count_users(tx: Tx) -> int:
    """How many people may sign in."""
    return await tx.scalar(select(func.count()).select_from(users)) or 0


async def password_of(tx: Tx, name: str) -> str | None:
    """The hash of somebody's password; None for nobody."""
    found: str | None = await tx.scalar(select(users.c.password).where(users.c.name == name))
    return found


async def put_user(tx: Tx, name: str, password: str, now: float) -> None:
    """Let somebody sign in with this password (its hash)."""
    await upsert(tx, users, [{"name": name, "password": password, "made_at": now}])


async def change_password(tx: Tx, name: str, old: str, new: str) -> bool:
    """Another hash instead of this one; whether it was still this one.

    Until the transaction ends nobody else changes it, so that what is decided by it holds.
    """
    u = users.c
    done = await tx.execute(update(users).where(u.name == name, u.password == old).values(password=new))
    return done.rowcount > 0


async def remove_everybody(tx: Tx) -> None:
    """Nobody may sign in, and nobody is: whoever just signs in is waited for."""
    await tx.execute(delete(users))
    await tx.execute(delete(sessions))


async def setup(tx: Tx) -> bytes | None:
    """What is kept of the link by which the first person comes in."""
    found: bytes | None = await tx.scalar(select(facts.c.value).where(facts.c.name == SETUP))
    return found


async def put_setup(tx: Tx, kept: bytes) -> None:
    """Keep this of the link, instead of the one before."""
    await upsert(tx, facts, [{"name": SETUP, "value": kept}])


async def take_setup(tx: Tx, kept: bytes) -> bool:
    """The link works no more; whether it was still this one."""
    done = await tx.execute(delete(facts).where(facts.c.name == SETUP, facts.c.value == kept))
    return done.rowcount > 0


# --- sessions


async def put_session(tx: Tx, digest: bytes, session: Session) -> None:
    """Somebody has signed in."""
    row = {name: getattr(session, name) for name in Session.__struct_fields__}
    await upsert(tx, sessions, [{**row, "digest": digest}])


async def session_of(tx: Tx, digest: bytes) -> Session | None:
    """The session with this digest."""
    s = sessions.c
    row = (await tx.execute(select(s.user, s.began_at, s.seen_at).where(s.digest == digest))).first()
    return None if row is None else Session(**row._mapping)


async def sessions_of(tx: Tx, user: str) -> list[tuple[bytes, Session]]:
    """Somebody's sessions by their digests, the one that was used last first."""
    s = sessions.c
    rows = await tx.execute(
        select(s.digest, s.user, s.began_at, s.seen_at).where(s.user == user).order_by(s.seen_at.desc())
    )
    return [(digest, Session(user=user, began_at=began, seen_at=seen)) for digest, user, began, seen in rows]


async def note_seen(tx: Tx, digest: bytes, now: float) -> None:
    """The session was used, if it is still one."""
    await tx.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now))


async def end_session(tx: Tx, digest: bytes) -> None:
    """They have signed out."""
    await tx.execute(delete(sessions).where(sessions.c.digest == digest))


async def end_sessions(tx: Tx, user: str, *, but: bytes = b"") -> None:
    """They are signed out everywhere, `but` in one session."""
    await tx.execute(delete(sessions).where(sessions.c.user == user, sessions.c.digest != but))


# --- what they did


async def note(tx: Tx, *, at: float, who: str, verb: str, about: str, outcome: str) -> None:
    """Write down what somebody did; what cannot be printed, or is too long, is left out."""
    who, verb, about, outcome = (
        "".join(filter(str.isprintable, words)) for words in (who, verb, about, outcome)
    )
    row = {"who": who[:128], "verb": verb[:64], "about": about[:128], "outcome": outcome[:128]}
    await tx.execute(insert(doings).values(at=at, **row))


async def newest(tx: Tx, *, before: int | None, limit: int) -> list[Doing]:
    """What was done last, the newest first: of those before a number."""
    query = select(*(doings.c[name] for name in Doing.__struct_fields__))
    if before is not None:
        query = query.where(doings.c.id < before)
    rows = await tx.execute(query.order_by(doings.c.id.desc()).limit(limit))
    return [Doing(**row._mapping) for row in rows]
