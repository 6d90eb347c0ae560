"""Contacts on their way to Brevo: many by import, few or special ones singly.

An import answers long after it was taken, and its reports name only some of the rows it dropped
(facts of `GET /processes/{id}`), so what arrived is read back from `GET /contacts?modifiedSince`;
what is not there is told singly, which yields the precise reason.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from tajo.brevo.api import PAGE, PROCESS, Api, Rejected
from tajo.brevo.contact_payload import Lane, bulk, email_of, lane_of, renaming, single, without_phone
from tajo.brevo.tracing import encode
from tajo.errors import Later
from tajo.http import Clock, Stream
from tajo.sync.model import Farewell, Outcome, Verdict, Write
from tajo.sync.ports import Writes

IMPORT_BYTES = 8_000_000
"""Of one import: 10 MB are the limit, 8 MB Brevo's advice (SDK)."""

FEW = 20
"""So many contacts are told singly: an import would cost more calls, and answers later."""

SINGLES = 4
LONGEST_PAUSE = 30.0
LISTING_LAG = 10.0
LONGEST_IMPORT = 3600.0
SKEW = 60.0
"""Seconds by which Brevo's clock may be behind ours."""

Wanted = dict[str, int]
"""The places of an import's rows, by e-mail. At twenty thousand rows each object counts."""

EMAILS = re.compile(r"[^\s\"';,<>]+@[^\s\"';,<>]+")


class Ended(Later):
    """An import is over, and has failed."""


class Contacts:
    """Tells contacts. `turn` is held during an import: Brevo wants one at a time per account."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._turn = asyncio.Lock()
        self._singles = asyncio.Semaphore(SINGLES)
        self._unseen = 0  # the process of an import of which nobody knows whether it has ended

    # --- imports

    async def tell_many(self, writes: Writes) -> array[int]:
        """Tell writes of one lane; the contacts' ids by place, 0 for those that must be told singly.

        Raises `Later`.
        """
        if len(writes) <= FEW:
            return _unknown(len(writes))
        async with self._turn:
            return await self._import(writes, range(len(writes)))

    async def _import(self, writes: Writes, places: range) -> array[int]:
        """The ids of the contacts at these places, in their order; 0 for those that must be told singly."""
        since = self._clock.now() - SKEW
        lane = lane_of(writes[0].lane)
        wanted = {email_of(writes[place]): row for row, place in enumerate(places)}

        def pieces() -> Iterator[bytes]:
            return bulk((writes[place].body for place in places), lane)

        await self._await_unseen()
        try:
            process = await self._api.import_contacts(Stream(sum(map(len, pieces())), pieces))
        except Rejected:
            return await self._halves(writes, places)
        self._unseen = process
        try:
            suspects = await self._await_process(process, wanted, since)
            self._unseen = 0
            found = await self._read_back(wanted, since)
            if sum(map(bool, found)) < 0.9 * len(places):  # it may lag; thousands of singles take an hour
                await self._clock.sleep(LISTING_LAG)
                found = await self._read_back(wanted, since)
        except Rejected as error:
            raise Later(str(error), seconds=300.0) from None
        for email in suspects & wanted.keys():
            found[wanted[email]] = 0
        return found

    async def _halves(self, writes: Writes, places: range) -> array[int]:
        """A refusal does not say which row it means: halves find out, the last few rows singly."""
        if len(places) <= FEW:
            return _unknown(len(places))
        middle = len(places) // 2
        return await self._import(writes, places[:middle]) + await self._import(writes, places[middle:])

    async def _await_unseen(self) -> None:
        """An import that we lost sight of comes to its end first. Raises `Later` if that cannot be learnt."""
        if self._unseen:
            with suppress(Ended, Rejected):
                await self._await_process(self._unseen, {}, self._clock.now())
            self._unseen = 0

    async def _await_process(self, process: int, wanted: Wanted, since: float) -> set[str]:
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
                if all(await self._read_back(wanted, since)):
                    return set()
                continue
            try:
                told = await self._api.process(process)
            except Rejected:  # a process that cannot be found yet, or any more
                continue
            if told.get("status") == "completed":
                return await self._complaints(told)
            if told.get("status") in ("failed", "cancelled"):
                raise Ended(f"Brevo's import process ended as {told['status']}", seconds=300.0)
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

    async def _read_back(self, wanted: Wanted, since: float) -> array[int]:
        """The ids of those wanted contacts that were made or changed since then, by place; 0: not there."""
        found = _unknown(len(wanted))
        moment = datetime.fromtimestamp(since, UTC)
        offset, missing = 0, len(wanted)
        while missing:
            page, _ = await self._api.contacts(offset, since=moment, sort="desc")
            for row in page:
                place = wanted.get((row.email or "").lower())
                if place is not None:
                    missing -= not found[place]
                    found[place] = row.id
            offset += PAGE
            if len(page) < PAGE:
                break
        return found

    # --- singles

    async def tell(self, writes: Sequence[Write]) -> list[Outcome]:
        """Tell each singly, one a person; returns when each is answered."""
        tasks = [asyncio.create_task(self._tell(write)) for write in writes]
        try:
            return await asyncio.gather(*tasks)
        finally:  # the first error ends them all
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, write: Write) -> Outcome:
        """Tell one person; if the phone may be to blame for a refusal, once more without it."""
        left_out = ""
        try:
            async with self._singles:
                try:
                    contact_id = await self._send(write, write.body)
                except Rejected as error:
                    if write.farewell or not _may_mean_the_phone(error):
                        raise
                    row, left_out = without_phone(write.body)
                    if not left_out:
                        raise
                    contact_id = await self._send(write, row)
        except Rejected as error:
            return Outcome(write=write, verdict=Verdict.REFUSED, reason=str(error))
        except Later as error:
            return Outcome(write=write, verdict=Verdict.RETRY, reason=str(error), seconds=error.seconds)
        return Outcome(write=write, verdict=Verdict.DELIVERED, contact_id=contact_id, left_out=left_out)

    async def _send(self, write: Write, row: bytes) -> int | None:
        if write.farewell:
            return await self._let_go(write)
        lane = lane_of(write.lane)
        if write.rename is not None:
            try:
                return await self._rename(write.rename, row, lane)
            except Rejected as error:
                # The contact is gone, or another one has the new address already: that one is the person.
                if error.status != 404 and "email" not in error.duplicates:
                    raise
        contact_id = await self._api.upsert_contact(single(row, lane))
        for list_id in lane.leaves:
            await self._api.leave_list(list_id, email_of(write))
        if contact_id is None and write.new:  # it had been there, so nobody has told us its id
            with suppress(Later, Rejected):
                contact_id = (await self._api.contact_details(email_of(write))).get("id")
        return contact_id

    async def _let_go(self, write: Write) -> int | None:
        """Delete a contact, or take it off our lists; one that is gone already has gone."""
        contact_id = write.rename or 0
        try:
            if write.farewell is Farewell.HARD:
                await self._api.delete_contact(contact_id)
            else:
                await self._api.update_contact(contact_id, write.body)
        except Rejected as error:
            if error.status != 404:
                raise
        return contact_id

    async def _rename(self, contact_id: int, row: bytes, lane: Lane) -> int:
        """Give a contact its new address.

        Brevo lifts the blocklisting of a contact whose address changes (SDK, `update_contact`). It is
        said again in the same call, and once more after it, because the order inside is not told.
        """
        blocked = lane.blocked
        if blocked is None and (await self._api.contact(contact_id)).emailBlacklisted:
            blocked = True
        await self._api.update_contact(contact_id, renaming(row, structs.replace(lane, blocked=blocked)))
        if blocked:
            await self._api.update_contact(contact_id, encode({"emailBlacklisted": True}))
        return contact_id


def _may_mean_the_phone(error: Rejected) -> bool:
    """A refusal for a phone is a 400; its words are not reliable, its duplicates are, if it has any."""
    return error.status == 400 and (not error.duplicates or bool(error.duplicates - {"email", "ext_id"}))


def _unknown(count: int) -> array[int]:
    return array("q", bytes(8 * count))
