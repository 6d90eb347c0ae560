"""Who gets in: keys that are shown once, passwords, sessions that end, and guesses that must wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select
from sqlalchemy import text as sql

from tajo.access import Doorkeeper, Scope
from tajo.errors import Later, Unknown, Usage
from tajo.sync.ledger import callers, keeping
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.tables import doings, sessions
from tests.memory import Ticking

PASSWORD = "violet ladder harbour"
HOUR = 3600.0


@dataclass
class House:
    ledger: Ledger
    clock: Ticking
    keeper: Doorkeeper

    async def enter(self) -> str:
        """The first person comes in; their session."""
        token = await self.keeper.setup_token()
        assert token is not None
        return await self.keeper.set_up(token, "ada", PASSWORD)

    async def session(
        self, password: str = PASSWORD, name: str = "ada", address: str = "1.2.3.4"
    ) -> str | None:
        return await self.keeper.sign_in(name, password, address)


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield House(ledger, clock, Doorkeeper(ledger, clock, master="the master key"))
    await ledger.close()


def test_each_scope_allows_the_ones_before_it() -> None:
    allowed = {(one, other) for one in Scope for other in Scope if one.allows(other)}
    assert allowed == {
        (Scope.READ, Scope.READ),
        (Scope.WRITE, Scope.READ),
        (Scope.WRITE, Scope.WRITE),
        *((Scope.ADMIN, other) for other in Scope),
    }


class TestKeys:
    async def test_a_key_opens_what_it_was_made_for_until_it_is_revoked(self, house: House) -> None:
        key, text = await house.keeper.make_key("reports", Scope.READ)
        caller = await house.keeper.by_key(text)
        assert caller is not None
        assert (caller.who, caller.scope) == (f"key {key.id} (reports)", Scope.READ)
        await house.keeper.revoke(key.id)
        assert await house.keeper.by_key(text) is None
        with pytest.raises(Unknown):
            await house.keeper.revoke(key.id)

    async def test_nobody_else_has_one(self, house: House) -> None:
        await house.keeper.make_key("reports", Scope.READ)
        for text in ("", "tajo_", "nonsense", "the master key "):
            assert await house.keeper.by_key(text) is None

    async def test_the_configured_one_opens_every_door(self, house: House) -> None:
        caller = await house.keeper.by_key("the master key")
        assert caller is not None
        assert caller.scope is Scope.ADMIN

    async def test_it_is_known_when_one_was_last_used(self, house: House) -> None:
        _, text = await house.keeper.make_key("reports", Scope.READ)
        assert (await house.keeper.keys())[0].used_at is None
        await house.keeper.by_key(text)
        (key,) = await house.keeper.keys()
        assert key.used_at is not None
        assert key.used_at >= key.made_at

    @pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb"])
    async def test_one_without_a_proper_name_is_refused(self, house: House, name: str) -> None:
        with pytest.raises(Usage):
            await house.keeper.make_key(name, Scope.READ)


class TestComingIn:
    async def test_the_first_person_comes_in_by_a_link_that_works_once(self, house: House) -> None:
        token = await house.keeper.setup_token()
        assert token is not None
        session = await house.keeper.set_up(token, "ada", PASSWORD)
        caller = await house.keeper.by_session(session)
        assert caller is not None
        assert (caller.who, caller.user, caller.scope) == ("user ada", "ada", Scope.ADMIN)
        with pytest.raises(Usage, match="does not work any more"):
            await house.keeper.set_up(token, "eve", PASSWORD)
        assert await house.keeper.setup_token() is None

    async def test_a_newer_link_takes_the_place_of_an_older_one(self, house: House) -> None:
        old, new = await house.keeper.setup_token(), await house.keeper.setup_token()
        assert old is not None
        assert new is not None
        with pytest.raises(Usage):
            await house.keeper.set_up(old, "ada", PASSWORD)
        assert await house.keeper.set_up(new, "ada", PASSWORD)

    async def test_after_a_day_it_does_not_work(self, house: House) -> None:
        token = await house.keeper.setup_token()
        house.clock.seconds += 25 * HOUR
        assert token is not None
        with pytest.raises(Usage, match="older than a day"):
            await house.keeper.set_up(token, "ada", PASSWORD)

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            ("ada", "short"),
            ("", PASSWORD),
            ("a b", PASSWORD),
            ("<b>", PASSWORD),
            ("adalovelace1", "adalovelace1!"),
            ("ada", "ada ADA ada ada"),
            ("ada", " " * 20),
        ],
    )
    async def test_poor_names_and_passwords_are_refused(self, house: House, name: str, password: str) -> None:
        token = await house.keeper.setup_token()
        assert token is not None
        with pytest.raises(Usage):
            await house.keeper.set_up(token, name, password)

    async def test_a_reset_sends_everybody_away(self, house: House) -> None:
        session = await house.enter()
        token = await house.keeper.reset()
        assert await house.keeper.by_session(session) is None
        assert await house.session() is None
        assert await house.keeper.set_up(token, "eve", PASSWORD)

    async def test_of_two_who_follow_it_at_once_one_comes_in(self, house: House) -> None:
        token = await house.keeper.setup_token()
        assert token is not None
        both = [house.keeper.set_up(token, name, PASSWORD) for name in ("ada", "eve")]
        came = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in came) == ["Usage", "str"]

    async def test_a_link_that_somebody_made_too_late_lets_nobody_in(self, house: House) -> None:
        await house.enter()
        late = "somebody else asked for it before ada came in"
        async with house.ledger.begin() as tx:
            await callers.put_setup(tx, sha256(late.encode()).digest() + b"%d" % house.clock())
        with pytest.raises(Usage, match="does not work any more"):
            await house.keeper.set_up(late, "eve", PASSWORD)


class TestSessions:
    async def test_only_the_right_password_begins_one(self, house: House) -> None:
        await house.enter()
        assert await house.session("another password") is None
        assert await house.session(name="eve") is None
        session = await house.session()
        assert session is not None
        assert await house.keeper.by_session(session) is not None
        assert await house.keeper.by_session(session + "x") is None

    async def test_it_ends_when_one_signs_out(self, house: House) -> None:
        session = await house.enter()
        await house.keeper.sign_out(session)
        assert await house.keeper.by_session(session) is None

    async def test_one_that_was_ended_while_it_was_used_stays_ended(self, house: House) -> None:
        digest = sha256((await house.enter()).encode()).digest()
        async with house.ledger.begin() as tx:
            await callers.end_session(tx, digest)
            await callers.note_seen(tx, digest, house.clock())
            assert await callers.session_of(tx, digest) is None

    async def test_none_begins_by_a_password_that_is_changed_meanwhile(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await house.enter()
        fits = house.keeper._fits

        async def slowly(hashed: str, password: str) -> bool:
            fit = await fits(hashed, password)
            monkeypatch.undo()
            await house.keeper.change_password("ada", PASSWORD, "five or six words")
            return fit

        monkeypatch.setattr(house.keeper, "_fits", slowly)
        assert await house.session() is None

    async def test_a_password_is_hashed_anew_when_that_has_become_harder(self, house: House) -> None:
        await house.enter()
        async with house.ledger.begin() as tx:
            kept = await callers.password_of(tx, "ada")
            easy = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
            assert kept is not None
            assert await callers.change_password(tx, "ada", kept, easy)
        assert await house.session() is not None
        async with house.ledger.begin() as tx:
            fresh = await callers.password_of(tx, "ada")
        assert fresh is not None
        assert not PasswordHasher().check_needs_rehash(fresh)
        assert await house.session() is not None

    async def test_it_ends_when_nobody_uses_it(self, house: House) -> None:
        session = await house.enter()
        for _ in range(3):
            house.clock.seconds += 11 * HOUR
            assert await house.keeper.by_session(session) is not None
        house.clock.seconds += 13 * HOUR
        assert await house.keeper.by_session(session) is None

    async def test_it_ends_after_a_week_anyway(self, house: House) -> None:
        session = await house.enter()
        for _ in range(17):
            house.clock.seconds += 10 * HOUR
            await house.keeper.by_session(session)
        assert await house.keeper.by_session(session) is None

    async def test_another_password_ends_the_others(self, house: House) -> None:
        here, elsewhere = await house.enter(), await house.session()
        assert elsewhere is not None
        with pytest.raises(Usage, match="not your password"):
            await house.keeper.change_password("ada", "wrong", "five or six words", here)
        await house.keeper.change_password("ada", PASSWORD, "five or six words", here)
        assert await house.keeper.by_session(here) is not None
        assert await house.keeper.by_session(elsewhere) is None
        assert await house.session() is None
        assert await house.session("five or six words") is not None


class TestGuessing:
    async def test_after_five_failures_a_name_must_wait(self, house: House) -> None:
        await house.enter()
        for number in range(5):
            assert await house.session("wrong", address=f"1.1.1.{number}") is None
        with pytest.raises(Later) as wait:
            await house.session(address="9.9.9.9")
        house.clock.seconds += wait.value.seconds + 1
        assert await house.session() is not None

    async def test_so_must_an_address_whatever_names_it_tries(self, house: House) -> None:
        for number in range(5):
            assert await house.session("wrong", name=f"name{number}") is None
        with pytest.raises(Later):
            await house.session("wrong", name="another")

    async def test_guesses_made_at_once_are_counted_too(self, house: House) -> None:
        await house.enter()
        guesses = [house.session(f"guess {number}", address=f"1.1.1.{number}") for number in range(20)]
        answers = await asyncio.gather(*guesses, return_exceptions=True)
        assert answers.count(None) == 5
        assert sum(isinstance(one, Later) for one in answers) == 15

    async def test_who_signs_in_often_need_not_wait(self, house: House) -> None:
        await house.enter()
        for _ in range(7):
            assert await house.session() is not None

    @pytest.mark.parametrize("name", ["", "a\0b", "x" * 100_000, "' OR 1=1 --", "Ada"])
    async def test_a_name_that_nobody_can_have_is_nobody(self, house: House, name: str) -> None:
        await house.enter()
        assert await house.session(name=name) is None

    async def test_who_knows_the_password_starts_anew(self, house: House) -> None:
        await house.enter()
        for number in range(12):
            assert await house.session("wrong", address=f"1.1.1.{number}") is None
            if number % 3 == 2:
                assert await house.session(address=f"2.2.2.{number}") is not None

    async def test_strangers_keep_nobody_inside_from_choosing_another_password(self, house: House) -> None:
        here = await house.enter()
        for number in range(5):
            assert await house.session("wrong", address=f"1.1.1.{number}") is None
        await house.keeper.change_password("ada", PASSWORD, "five or six words", here)
        assert await house.keeper.by_session(here) is not None

    async def test_inside_too_guesses_must_wait(self, house: House) -> None:
        here = await house.enter()
        for _ in range(5):
            with pytest.raises(Usage):
                await house.keeper.change_password("ada", "wrong", "five or six words", here)
        with pytest.raises(Later):
            await house.keeper.change_password("ada", PASSWORD, "five or six words", here)


async def test_what_was_done_is_written_down_the_newest_first(house: House) -> None:
    for number in range(5):
        await house.keeper.note("user ada", "replay", f"shop{number}")
    newest = await house.keeper.doings(limit=2)
    assert [one.about for one in newest] == ["shop4", "shop3"]
    older = await house.keeper.doings(before=newest[-1].id)
    assert [one.about for one in older] == ["shop2", "shop1", "shop0"]


async def test_whatever_is_named_can_be_written_down(house: House) -> None:
    await house.keeper.note("user\nada", "v" * 100, "a\0b" * 100, "o" * 200)
    (done,) = await house.keeper.doings()
    assert (done.who, len(done.verb), len(done.about), len(done.outcome)) == ("userada", 64, 128, 128)
    with pytest.raises(Unknown):
        await house.keeper.revoke("a\0b")


async def test_sessions_that_are_over_and_old_doings_are_forgotten(house: House) -> None:
    await house.enter()
    await house.keeper.note("user ada", "replay")
    for days, kept in ((6, (1, 1)), (3, (0, 1)), (400, (0, 0))):
        house.clock.seconds += days * 24 * HOUR
        async with house.ledger.begin() as tx:
            await keeping.tidy(tx, "shop", house.clock())
            counts = [await tx.scalar(select(func.count()).select_from(one)) for one in (sessions, doings)]
        assert tuple(counts) == kept


async def test_nothing_that_opens_a_door_is_in_the_ledger(house: House) -> None:
    _, key = await house.keeper.make_key("reports", Scope.READ)
    token = await house.keeper.setup_token()
    assert token is not None
    session = await house.keeper.set_up(token, "ada", PASSWORD)
    async with house.ledger.begin() as tx:
        rows = []
        for table in ("api_keys", "users", "sessions", "facts", "doings"):
            rows += (await tx.execute(sql(f"SELECT * FROM {table}"))).all()  # noqa: S608
    for secret in (key, token, session, PASSWORD):
        assert secret not in repr(rows)
