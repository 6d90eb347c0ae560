"""Contacts on their way to Brevo: many by import, few or special ones singly.

An import answers long after it was taken, and its reports name only some of the rows it dropped
(facts of `GET /processes/{id}`), so what arrived is read back from `GET /contacts?modifiedSince`;
what is not there is told singly, which yields the precise reason.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tajo.brevo.api import PAGE, PROCESS, Api, Rejected
from tajo.brevo.contact_payload import Lane, bulk, email_of, renaming, single, without_phone
from tajo.brevo.crew import Crew
from tajo.brevo.tracing import encode
from tajo.errors import Later
from tajo.http import Clock
from tajo.sync.model import Outcome, Verdict, Write

IMPORT_BYTES = 5_000_000
"""Of all rows that are held, and so of one import at the most: 10 MB are the limit, 8 MB Brevo's
advice (SDK). What is held weighs three times its bodies, and memory shall stay flat."""

FEW = 20
"""So many contacts are told singly: an import would cost more calls, and answers later."""

SINGLES = 4
LONGEST_PAUSE = 30.0
LISTING_LAG = 10.0
LONGEST_IMPORT = 3600.0
SKEW = 60.0
"""Seconds by which Brevo's clock may be behind ours."""

EMAILS = re.compile(r"[^\s\"';,<>]+@[^\s\"';,<>]+")


class ContactsOutbox:
    """An `Outbox` for contacts. `turn` is held during an import: Brevo wants one at a time per account."""

    def __init__(self, api: Api, crew: Crew, clock: Clock, turn: asyncio.Lock) -> None:
        self._api = api
        self._crew = crew
        self._clock = clock
        self._turn = turn
        self._lanes: dict[Lane, list[Write]] = {}
        self._sizes: dict[Lane, int] = {}
        self._imports: deque[tuple[Lane, Sequence[Write]]] = deque()
        self._importing = False
        self._singles: deque[Write] = deque()
        crew.start(self._send_imports)
        for _ in range(SINGLES):
            crew.start(self._send_singles)

    async def put(self, write: Write) -> None:
        """Take a write; waits while 16 MB are held, or an older write of the same person is under way.

        An older one that has not gone yet is replaced.
        """
        crew = self._crew
        if crew.holds(write):
            crew.answer(Outcome(write=old, verdict=Verdict.REPLACED) for old in self._taken_out(write.person))
            await crew.until(lambda: not crew.holds(write))
        while not self._fits(write):
            if self._idle():
                self._close(max(self._lanes, key=lambda lane: self._sizes[lane]))
            await crew.until(lambda: self._fits(write) or self._idle())
        crew.take(write)
        if write.alone:
            self._singles.append(write)
            crew.moved()
            return
        self._lanes.setdefault(write.lane, []).append(write)
        self._sizes[write.lane] = self._sizes.get(write.lane, 0) + len(write.body)

    async def flush(self) -> None:
        """Send all that is held; returns when every write has been settled."""
        while self._crew.count:
            for lane in list(self._lanes):
                self._close(lane)
            await self._crew.until(lambda: self._lanes or not self._crew.count)

    def _fits(self, write: Write) -> bool:
        return not self._crew.count or self._crew.bytes + len(write.body) <= IMPORT_BYTES

    def _idle(self) -> bool:
        """There is something to import, but no import is under way."""
        return bool(self._lanes) and not self._imports and not self._importing

    def _taken_out(self, person: bytes) -> list[Write]:
        """The write of a person that still lies in a lane, taken out of it."""
        for lane, rows in self._lanes.items():
            for row in rows:
                if row.person == person:
                    rows.remove(row)
                    self._sizes[lane] -= len(row.body)
                    return [row]
        return []

    def _close(self, lane: Lane) -> None:
        """Let what a lane holds go."""
        self._sizes.pop(lane, None)
        self._dispatch(lane, self._lanes.pop(lane, []))

    def _dispatch(self, lane: Lane, rows: Sequence[Write]) -> None:
        if len(rows) > FEW:
            self._imports.append((lane, rows))
        else:
            self._singles.extend(rows)
        self._crew.moved()

    # --- imports

    async def _send_imports(self) -> None:
        while True:
            await self._crew.until(lambda: self._imports)
            self._importing = True
            async with self._turn:
                await self._import(*self._imports.popleft())
            self._importing = False
            self._crew.moved()

    async def _import(self, lane: Lane, rows: Sequence[Write]) -> None:
        since = self._clock.now() - SKEW
        wanted = {email_of(row): row for row in rows}
        try:
            process = await self._api.import_contacts(bulk([row.body for row in rows], lane))
        except Rejected:
            # It does not say which row it means: halves find out, the last few rows singly.
            middle = len(rows) // 2
            self._dispatch(lane, rows[:middle])
            self._dispatch(lane, rows[middle:])
            return
        except Later as error:
            self._crew.answer(_retry(row, error) for row in rows)
            return
        try:
            suspects = await self._await_process(process, wanted, since)
            found = await self._read_back(wanted, since)
            if len(found) < 0.9 * len(rows):  # the listing may lag; thousands of singles would take an hour
                await self._clock.sleep(LISTING_LAG)
                found = await self._read_back(wanted, since)
        except (Rejected, Later) as error:
            self._crew.answer(_retry(row, error) for row in rows)
            return
        arrived = found.keys() - suspects
        self._crew.answer(
            Outcome(write=row, verdict=Verdict.DELIVERED, contact_id=found[email])
            for email, row in wanted.items()
            if email in arrived
        )
        self._singles.extend(row for email, row in wanted.items() if email not in arrived)
        self._crew.moved()

    async def _await_process(self, process: int, wanted: dict[str, Write], since: float) -> set[str]:
        """Wait until an import is done; the e-mails that its reports complain of.

        Asking costs one of the hundred calls an hour. While none is left, reading back tells as
        much: when every row is there, it is done. Raises `Later` if it failed or takes too long.
        """
        pause = 0.5 + 50e-6 * len(wanted)
        deadline = self._clock.now() + LONGEST_IMPORT
        while self._clock.now() < deadline:
            await self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            if not self._api.limits.headroom(PROCESS):
                if len(await self._read_back(wanted, since)) == len(wanted):
                    return set()
                continue
            try:
                told = await self._api.process(process)
            except Rejected:  # a process that cannot be found yet, or any more
                continue
            if told.get("status") == "completed":
                return await self._complaints(told)
            if told.get("status") in ("failed", "cancelled"):
                raise Later(f"Brevo's import process ended as {told['status']}", seconds=300.0)
        raise Later("Brevo's import process does not come to an end", seconds=300.0)

    async def _complaints(self, told: dict[str, Any]) -> set[str]:
        """Every e-mail in the reports; where the SDK documents URLs, its test mappings have numbers."""
        info = told.get("info")
        reports = info.get("import") if isinstance(info, dict) else None
        emails: set[str] = set()
        for url in reports.values() if isinstance(reports, dict) else ():
            if isinstance(url, str) and url.startswith(("https://", "http://")):
                emails.update(EMAILS.findall((await self._api.report(url)).lower()))
        return emails

    async def _read_back(self, wanted: dict[str, Write], since: float) -> dict[str, int]:
        """The ids of those wanted contacts that were made or changed since then, the newest first."""
        found: dict[str, int] = {}
        moment = datetime.fromtimestamp(since, UTC)
        offset = 0
        while len(found) < len(wanted):
            page, _ = await self._api.contacts(offset, since=moment, sort="desc")
            found.update({email: row.id for row in page if (email := (row.email or "").lower()) in wanted})
            offset += PAGE
            if len(page) < PAGE:
                break
        return found

    # --- singles

    async def _send_singles(self) -> None:
        while True:
            await self._crew.until(lambda: self._singles)
            self._crew.answer([await self._tell(self._singles.popleft())])

    async def _tell(self, write: Write) -> Outcome:
        """Tell one person; if the phone may be to blame for a refusal, once more without it."""
        left_out = ""
        try:
            try:
                contact_id = await self._send(write, write.body)
            except Rejected as error:
                row, left_out = without_phone(write.body)
                if not left_out or not _may_mean_the_phone(error):
                    raise
                contact_id = await self._send(write, row)
        except Rejected as error:
            return Outcome(write=write, verdict=Verdict.REFUSED, reason=str(error))
        except Later as error:
            return _retry(write, error)
        return Outcome(write=write, verdict=Verdict.DELIVERED, contact_id=contact_id, left_out=left_out)

    async def _send(self, write: Write, row: bytes) -> int | None:
        if write.rename is not None:
            try:
                return await self._rename(write.rename, row, write.lane)
            except Rejected as error:
                # The contact is gone, or another one has the new address already: that one is the person.
                if error.status != 404 and "email" not in error.duplicates:
                    raise
        return await self._api.upsert_contact(single(row, write.lane))

    async def _rename(self, contact_id: int, row: bytes, lane: Lane) -> int:
        """Give a contact its new address.

        Brevo lifts the blocklisting of a contact whose address changes (SDK, `update_contact`). It is
        said again in the same call, and once more after it, because the order inside is not told.
        """
        blocked = lane[1]
        if blocked is None and (await self._api.contact(contact_id)).emailBlacklisted:
            blocked = True
        await self._api.update_contact(contact_id, renaming(row, (lane[0], blocked)))
        if blocked:
            await self._api.update_contact(contact_id, encode({"emailBlacklisted": True}))
        return contact_id


def _may_mean_the_phone(error: Rejected) -> bool:
    """A refusal for a phone is a 400; its words are not reliable, its duplicates are, if it has any."""
    return error.status == 400 and (not error.duplicates or bool(error.duplicates - {"email", "ext_id"}))


def _retry(write: Write, error: Later | Rejected) -> Outcome:
    seconds = error.seconds if isinstance(error, Later) else 300.0
    return Outcome(write=write, verdict=Verdict.RETRY, reason=str(error), seconds=seconds)
