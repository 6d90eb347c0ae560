"""What a webhook of Brevo says, and whether to believe it. Pure.

Brevo signs nothing; it sends back the bearer token that was given with the webhook (docs/secured-webhooks).
What it says is read leniently: real bodies differ from the documented ones
(sendinblue/APIv3-php-library#175), and how a batch is wrapped is not documented at all (docs/batch-webhooks).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tajo.errors import TajoError

DOOR = "/webhooks/brevo"
"""Where Brevo calls us."""

LEAVING = frozenset({"unsubscribe", "unsubscribed", "spam"})
"""What takes consent: both are the person's own word. A bounce is none (docs/marketing-webhooks)."""

CHANGED = frozenset({"contact_updated", "contactupdated"})
BLOCKED = ("emailBlacklist", "emailBlacklisted")
SURELY, PERHAPS = ("ts_event",), ("ts_event", "ts")
"""What says when; `ts` was seen an hour off, which is no harm where only the order of a batch counts."""

AT_ONCE = 60.0
"""Seconds within which Brevo blocklists whoever has clicked."""

SECONDS, MILLISECONDS = 1e11, 1e15
"""Below these a number can be a time of so and so many since 1970."""


class Forged(TajoError):
    """A callback that did not come from our account: answer 401."""


class Malformed(TajoError):
    """A callback that is no callback of Brevo: answer 400."""


class Unsubscribe(Struct, frozen=True):
    """Somebody does not want marketing mail any more. `email` in lower case.

    `at`: when, seconds since 1970; 0 where Brevo does not say. `sure`: it is their own word. Otherwise the
    contact was blocklisted at that moment, by somebody's hand or by our own writing, and may be free by now.
    """

    email: str
    at: float = 0.0
    sure: bool = True


class Trust(Struct, frozen=True):
    """What must be true of a callback before anybody looks at what it says. Without a token nothing is."""

    token: str

    def __repr__(self) -> str:
        return "Trust(...)"

    def believe(self, headers: Mapping[str, str]) -> None:
        """Return if the callback bears our token. Raises `Forged`."""
        said = next((text for name, text in headers.items() if name.lower() == "authorization"), "")
        scheme, _, token = said.strip().partition(" ")
        right = hmac.compare_digest(token.strip().encode(errors="backslashreplace"), self.token.encode())
        if not (self.token and scheme.lower() == "bearer" and right):
            raise Forged("the bearer token is missing or wrong")


def read(body: bytes) -> list[Unsubscribe]:
    """Who unsubscribed or complained, each once, and who was blocklisted otherwise, each once.

    Whose block is lifted again by a later entry, which bears no earlier date, is not told of. A block that
    comes of a person's own word is not told of beside it.

    Raises `Malformed` where the body is neither a JSON object nor a list.
    """
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("the body is no JSON") from None
    if not isinstance(said, dict | list):
        raise Malformed("a callback is an object or a list of them")
    words: dict[str, Unsubscribe] = {}
    blocks: dict[str, Unsubscribe] = {}
    for one, gone in (told for event in _events(said) for told in _told(event)):
        if one.sure:
            words[one.email] = _last(words.get(one.email, one), one)
            continue
        before = blocks.get(one.email)
        if gone and (before is None or one.at >= before.at):
            blocks[one.email] = one
        elif before and not gone and one.at >= before.at:
            del blocks[one.email]
    return [*words.values(), *(one for one in blocks.values() if not _comes_of(one, words.get(one.email)))]


def _last(one: Unsubscribe, other: Unsubscribe) -> Unsubscribe:
    """The later one; an unknown moment may be later than any."""
    return other if one.at and not 0 < other.at < one.at else one


def _comes_of(block: Unsubscribe, word: Unsubscribe | None) -> bool:
    """Whether a click made this block: it was set at that moment, or before the last one that is told of."""
    return word is not None and (not word.at or 0 < block.at <= word.at + AT_ONCE)


def _events(said: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """One event, or those of a batch: a list, or a list within an object that is no event itself."""
    if isinstance(said, dict) and "event" in said:
        yield said
        return
    for part in [said] if isinstance(said, list) else said.values():
        if isinstance(part, list):
            yield from (event for event in part if isinstance(event, dict))


def _told(event: dict[str, Any]) -> Iterator[tuple[Unsubscribe, bool]]:
    """Of whom an event tells that they have left, or (False) that they are not blocklisted any more."""
    word = str(event.get("event")).lower()
    at = _moment(event, SURELY if word in LEAVING else PERHAPS)
    content = event.get("content") if word in CHANGED else event if word in LEAVING else None
    for entry in content if isinstance(content, list) else [content]:
        if not isinstance(entry, dict):
            continue
        gone = word in LEAVING or _blocked(entry)
        email = _email(entry.get("email")) or _email(event.get("email"))
        if email and gone is not None:
            yield Unsubscribe(email, at, word in LEAVING), gone


def _blocked(entry: Mapping[str, Any]) -> bool | None:
    """Whether the contact is blocklisted now; None where the change was another one."""
    said = [entry.get(name) for name in BLOCKED]
    if any(flag in (True, "true") for flag in said):
        return True
    return False if any(flag in (False, "false") for flag in said) else None


def _email(value: Any) -> str:
    email = value.strip().lower() if isinstance(value, str) else ""
    return email if re.fullmatch(r"[^\s@]+@[^\s@]+", email) else ""


def _moment(event: Mapping[str, Any], names: Iterable[str]) -> float:
    """Under the first of these names that says it. `date*` are local to nobody knows where."""
    for name in names:
        value = event.get(name)
        if isinstance(value, str) and re.fullmatch(r"\d{1,15}(\.\d{1,9})?", value):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MILLISECONDS:
            return float(value) if value < SECONDS else value / 1000
    return 0.0
