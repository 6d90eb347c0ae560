"""Contacts on their way in one call, tens of thousands of them: not an object each, but packed in blocks."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from tajo.sync.model import Write
from tajo.sync.weigh import Ticket

#: So many tickets are packed together, and are objects at a time.
BLOCK = 250

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Ticket]).decode


class Flight:
    """Tickets by place, in the order of their persons. As a row of writes it is what a destination is told.

    Packed, a ticket takes a tenth of what it takes as objects, which would scatter over the whole memory.
    """

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._first: list[bytes] = []  # the persons that the blocks begin with
        self._boarding: list[Ticket] = []
        self._unpacked: tuple[int, list[Ticket]] = (-1, [])
        self._landed = bytearray()  # 1 for each that is settled

    def board(self, ticket: Ticket) -> None:
        """Take one more along."""
        if not self._boarding:
            self._first.append(ticket.write.person)
        self._boarding.append(ticket)
        self._landed.append(0)
        if len(self._boarding) == BLOCK:
            self._blocks.append(zlib.compress(_encode(self._boarding), 1))
            self._boarding = []

    def land(self, places: Iterable[int]) -> None:
        """The tickets at these places are settled: something newer of these persons may go."""
        for place in places:
            self._landed[place] = 1

    def __len__(self) -> int:
        return len(self._landed)

    def __getitem__(self, place: int) -> Write:
        return self._ticket(place).write

    def __contains__(self, person: bytes) -> bool:
        """Whether this person has boarded and not landed."""
        number = bisect_right(self._first, person) - 1
        aboard = enumerate(self._block(number) if number >= 0 else (), number * BLOCK)
        return any(ticket.write.person == person and not self._landed[place] for place, ticket in aboard)

    def parts(self, places: Iterable[int], most: int) -> Iterator[dict[int, Ticket]]:
        """The tickets at these places, so many at a time."""
        part: dict[int, Ticket] = {}
        for place in places:
            part[place] = self._ticket(place)
            if len(part) == most:
                yield part
                part = {}
        if part:
            yield part

    def _ticket(self, place: int) -> Ticket:
        return self._block(place // BLOCK)[place % BLOCK]

    def _block(self, number: int) -> list[Ticket]:
        if number == len(self._blocks):
            return self._boarding
        if self._unpacked[0] != number:
            self._unpacked = (number, _decode(zlib.decompress(self._blocks[number])))
        return self._unpacked[1]
