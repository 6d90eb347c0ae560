"""A payload as a list of who-told-what, so that a preview and the payload cannot disagree."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec


class Traced(NamedTuple):
    """One field of a payload. `field`: `price` or `billing.city`; `source`: where its value came from.

    A `value` of None or "" is not sent; `source` may then say why.
    """

    field: str
    value: Any
    source: str


encode = msgspec.json.Encoder().encode
"""The one way in which bodies are written, since fingerprints are taken of them."""


def assemble(traced: Iterable[Traced]) -> dict[str, Any]:
    """The payload: `a.b` goes into an object `a`, empty values go nowhere."""
    payload: dict[str, Any] = {}
    for field, value, _ in traced:
        if value is None or value == "":
            continue
        head, dot, tail = field.partition(".")
        if dot:
            payload.setdefault(head, {})[tail] = value
        else:
            payload[head] = value
    return payload


def digest(body: bytes) -> bytes:
    """The fingerprint of a body, 16 bytes."""
    return blake2b(body, digest_size=16).digest()


def money(amount: Decimal) -> float:
    """An amount as Brevo takes it: a JSON number to the cent."""
    return float(round(amount, 2))


def stamp(moment: datetime) -> str:
    """A moment as orders have it: `YYYY-MM-DDTHH:MM:SSZ`, UTC."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat()[:19] + "Z"
