"""The secret: what it seals can be opened again, also after it was changed, and by nobody else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tajo.errors import Mend
from tajo.sync.ledger import carts, connections, rotation
from tajo.sync.ledger.secret import Secret, add_secret, find_secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.tables import metadata, outgoing, sequences

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=20))
def test_what_is_sealed_opens_under_its_name_alone(record: bytes, name: bytes) -> None:
    secret = Secret(OLD)
    sealed = secret.seal(record, name)
    assert secret.unseal(sealed, name, bytes) == record
    for stranger, called in ((secret, name + b"x"), (Secret(NEW), name)):
        with pytest.raises(Mend, match="another secret key"):
            stranger.unseal(sealed, called, bytes)


def test_a_newer_secret_seals_and_the_older_ones_open() -> None:
    sealed = Secret(OLD).seal("x", b"n")
    both = Secret(NEW, OLD)
    assert both.unseal(sealed, b"n", str) == "x"
    anew = both.resealed(sealed, b"n")
    assert anew is not None
    assert Secret(NEW).unseal(anew, b"n", str) == "x"
    assert both.resealed(anew, b"n") is None


def test_the_oldest_draws_hashes_and_tokens_as_before() -> None:
    old, both = Secret(OLD), Secret(NEW, OLD)
    assert both.person("A@x.test") == old.person("a@x.test")
    assert (both.proof, both.token("t"), both.phone("+491")) == (old.proof, old.token("t"), old.phone("+491"))


def test_a_key_file_is_made_for_its_owner_alone_and_takes_another_secret(tmp_path: Path) -> None:
    file = tmp_path / "tajo.key"
    first = find_secret(None, file)
    sealed = first.seal("x", b"n")
    assert file.stat().st_mode & 0o777 == 0o600
    add_secret(file)
    assert file.stat().st_mode & 0o777 == 0o600
    both = find_secret(None, file)
    assert both.unseal(sealed, b"n", str) == "x"
    assert both.resealed(sealed, b"n") is not None
    assert both.proof == first.proof
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_file_stays_where_it_is_and_its_owners(tmp_path: Path) -> None:
    there, link = tmp_path / "safe" / "tajo.key", tmp_path / "tajo.key"
    there.parent.mkdir()
    find_secret(None, there)
    link.symlink_to(there)
    owner = (12345, 12345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(there, *owner)
    add_secret(link)
    assert link.is_symlink()
    assert len(there.read_text().split()) == 2
    assert (there.stat().st_uid, there.stat().st_gid) == owner


def test_a_key_file_that_cannot_be_written_is_told_and_left_alone(tmp_path: Path) -> None:
    find_secret(None, tmp_path / "tajo.key")
    before = (tmp_path / "tajo.key").read_text()
    (tmp_path / "tajo.new").mkdir()
    with pytest.raises(Mend, match="cannot write the key file"):
        add_secret(tmp_path / "tajo.key")
    assert (tmp_path / "tajo.key").read_text() == before


def test_a_variable_may_hold_several_lines() -> None:
    sealed = find_secret("old, and full of words", Path("nowhere")).seal("x", b"n")
    assert find_secret("new\nold, and full of words\n", Path("nowhere")).unseal(sealed, b"n", str) == "x"


@pytest.mark.parametrize("text", ["", "short", "x" * 40 + "\nshort"])
def test_a_key_file_that_is_cut_short_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tajo.key").write_text(text)
    with pytest.raises(Mend, match="cut short"):
        find_secret(None, tmp_path / "tajo.key")


class TestRotation:
    COUNT = 2500

    @pytest.fixture
    async def ledger(self, database_url: str) -> AsyncIterator[Ledger]:
        """Full of what an older secret sealed, opened with a newer one before it."""
        old = await open_ledger(database_url, Secret(OLD))
        async with old.begin() as tx:
            await connections.put(tx, old.secret, "shop", {"access_token": "t"}, 0.0)
            await tx.execute(outgoing.insert(), [self.waiting(old, n) for n in range(self.COUNT)])
            await tx.execute(sequences.insert(), [self.running(old, n) for n in range(3)])
            open_, ended = (
                {"id": n, "uuid": "u", "person": b"p", "state": "open", "amount": 1} for n in (1, 2)
            )
            sealed = old.secret.seal("cart", b"cart:1")
            later = {"updated_at": 0.0, "read_at": 0.0}
            await carts.remember(
                tx, "shop", [open_ | later | {"sealed": sealed}, ended | later | {"sealed": None}]
            )
        await old.close()
        ledger = await open_ledger(database_url, Secret(NEW, OLD))
        yield ledger
        await ledger.close()

    @staticmethod
    def waiting(ledger: Ledger, number: int) -> dict[str, Any]:
        name = number.to_bytes(16)
        row = {"connector": "shop", "resource": "contacts", "name": name, "lane": "l", "size": 1, "at": 0.0}
        return row | {"fingerprint": b"f", "sealed": ledger.secret.seal(number, name)}

    @staticmethod
    def running(ledger: Ledger, number: int) -> dict[str, Any]:
        row = {
            "connector": "shop",
            "skill": "s",
            "resource": "carts",
            "id": number,
            "person": b"p",
            "step": 0,
        }
        moments = {"step": 0, "began": 0.0, "due": 0.0, "event": "e", "occasion": ""}
        return row | moments | {"sealed": ledger.secret.seal(number, b"p")}

    async def test_everything_opens_with_the_newer_secret_alone(self, ledger: Ledger) -> None:
        assert await rotation.rotate(ledger) == self.COUNT + 3 + 1 + 1
        assert await rotation.rotate(ledger) == 0
        new = Secret(NEW)
        async with ledger.begin() as tx:
            assert await connections.all_of(tx, new) == {"shop": {"access_token": "t"}}
            for row in await tx.execute(select(outgoing.c.name, outgoing.c.sealed)):
                assert new.unseal(row.sealed, row.name, int) == int.from_bytes(row.name)
            kept = await carts.recall(tx, "shop", [1, 2])
        assert kept[1].sealed is not None
        assert new.unseal(kept[1].sealed, b"cart:1", str) == "cart"
        assert kept[2].sealed is None

    @pytest.mark.parametrize("looks", [1, 1000, 1001, 1700, COUNT, COUNT + 1, COUNT + 2, COUNT + 5])
    async def test_one_that_was_cut_off_goes_on(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, looks: int
    ) -> None:
        sealing = ledger.secret.resealed
        count = 0

        def die(sealed: bytes, name: bytes) -> bytes | None:
            nonlocal count
            count += 1
            if count == looks:
                raise KeyboardInterrupt
            return sealing(sealed, name)

        monkeypatch.setattr(ledger.secret, "resealed", die)
        with pytest.raises(KeyboardInterrupt):
            await rotation.rotate(ledger)
        monkeypatch.undo()
        async with ledger.begin() as tx:  # whatever is sealed by which: all of it opens
            for row in await tx.execute(select(outgoing.c.name, outgoing.c.sealed)):
                assert ledger.secret.unseal(row.sealed, row.name, int) == int.from_bytes(row.name)
        ends = [1000, 2000, self.COUNT, self.COUNT + 1, self.COUNT + 4, self.COUNT + 5]
        whole = max((end for end in ends if end < looks), default=0)  # transactions that were
        assert await rotation.rotate(ledger) == self.COUNT + 5 - whole
        assert await rotation.rotate(ledger) == 0

    def test_no_table_with_something_sealed_is_forgotten(self) -> None:
        sealed = {name for name, table in metadata.tables.items() if "sealed" in table.c}
        assert {table.name for table, _ in rotation.SEALED} == sealed
