"""One thing that somebody does: a request and what it means. And what all deeds draw their details from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tajo.sandbox.bigcommerce import people

if TYPE_CHECKING:
    from random import Random

    from .town import Town

T = TypeVar("T")
Place = Literal["shop", "panel", "brevo"]
"""Who is asked: the storefront (`/_sandbox`), the control panel (the API), or Brevo's unsubscribe page."""


@dataclass(frozen=True)
class Deed:
    """A request to make.

    `told` is a sentence without personal data and without its full stop. `of` is where the town remembers the
    thing: forgotten when it turns out not to be there, and after a deed that `ends` it. `then` remembers what
    else a success means, by its answer.
    """

    told: str
    place: Place
    method: str
    path: str
    body: Any = None
    of: tuple[dict[Any, Any], Any] | None = None
    ends: bool = False
    then: Callable[[Any], None] = lambda _answer: None


Doing = Callable[["Town", "Random"], Deed | None]
"""Gives the deed with its details, or None when there is nothing in the town to do it with."""


def pick(dice: Random, found: list[T]) -> T | None:
    """One of them, if there is any."""
    return dice.choice(found) if found else None


def someone(dice: Random) -> tuple[str, str, people.Place]:
    """A first name, a last name, a town."""
    return dice.choice(people.FIRST), dice.choice(people.LAST), dice.choice(people.PLACES)


def new_email(dice: Random) -> str:
    """An address that nobody has."""
    return f"shopper.{dice.getrandbits(40):010x}@example.org"
