"""Contacts on their way in one call: each comes back as it boarded, and they are no objects meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tajo.sync.flight import Flight
from tajo.sync.model import Consent, Key, Resource, Write
from tajo.sync.weigh import Ticket

LANE = "[[1,2],null,[]]"

#: With blocks of three tickets, a few tickets fill several and begin another.
small_blocks = patch("tajo.sync.flight.BLOCK", 3)

names = st.binary(min_size=16, max_size=16)
keys = st.builds(Key, st.sampled_from([Resource.CUSTOMERS, Resource.GUESTS]), st.integers(1, 2**40))
flags = st.booleans()


@st.composite
def tickets(draw: st.DrawFn) -> list[Ticket]:
    """As they wait in a lane: by person."""
    return [
        Ticket(
            write=Write(
                key=draw(keys),
                body=draw(st.binary(max_size=20)),
                fingerprint=draw(names),
                lane=LANE,
                person=person,
                consent=draw(st.sampled_from([None, *Consent])),
                blocks=draw(flags),
            ),
            about=draw(keys),
            blocked=draw(flags),
            was_granted=draw(flags),
            abandoned=draw(flags),
        )
        for person in sorted(draw(st.sets(names, max_size=9)))
    ]


def boarded(some: Sequence[Ticket]) -> Flight:
    flight = Flight()
    for ticket in some:
        flight.board(ticket)
    return flight


@given(tickets(), st.integers(1, 4))
def test_every_ticket_comes_back_as_it_boarded(some: list[Ticket], most: int) -> None:
    with small_blocks:
        parts = list(boarded(some).parts(range(len(some)), most))
    assert all(len(part) == most for part in parts[:-1])
    back = [ticket for part in parts for ticket in part.values()]
    assert [(t.write, t.about, t.blocked, t.was_granted, t.abandoned) for t in back] == [
        (t.write, t.about, t.blocked, t.was_granted, t.abandoned) for t in some
    ]


@given(tickets(), st.data())
def test_who_has_boarded_is_on_the_way_until_they_land(some: list[Ticket], data: st.DataObject) -> None:
    landed = data.draw(st.sets(st.sampled_from(range(len(some))) if some else st.nothing()))
    stranger = data.draw(names)
    with small_blocks:
        flight = boarded(some)
        flight.land(landed)
        here = {ticket.write.person for ticket in some if ticket.write.person in flight}
        assert stranger in here or stranger not in flight
    assert here == {ticket.write.person for place, ticket in enumerate(some) if place not in landed}


def test_a_thousand_aboard_are_not_a_thousand_objects() -> None:
    flight = boarded([])
    before = sys.getallocatedblocks()
    for n in range(1000):
        write = Write(
            key=Key(Resource.CUSTOMERS, n), body=b"{}", fingerprint=b"f" * 16, person=n.to_bytes(16)
        )
        flight.board(Ticket(write=write, about=write.key))
    del write
    assert len(flight) == 1000
    assert sys.getallocatedblocks() - before < 100
