"""What of the store may not be read. A human must act; all else goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tajo.errors import Later, Mend
from tajo.sync.model import Resource

#: Seconds after which what needs a human is tried again.
MENDED = 300.0


class Barred(Later):
    """What may not be read comes later."""


class Bars:
    """Which resources rest because they may not be read, and why."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._shut: dict[Resource, tuple[Mend, float]] = {}

    @property
    def why(self) -> Mapping[Resource, Mend]:
        """The reasons, also of those that are tried again by now."""
        return {resource: why for resource, (why, _) in self._shut.items()}

    def shut(self, resource: Resource, why: Mend) -> None:
        """Do without this for a while."""
        self._shut[resource] = why, self._now() + MENDED

    def lift(self, resource: Resource) -> None:
        """It was read."""
        self._shut.pop(resource, None)

    def rests(self, resource: Resource) -> bool:
        """Whether it is not worth trying to read this now."""
        _, until = self._shut.get(resource, (None, 0.0))
        return self._now() < until
