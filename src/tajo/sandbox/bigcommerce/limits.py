"""The request quota of a store: 30-second windows, shared by all apps (facts, section 8).

Every answer carries the `X-Rate-Limit-*` headers; a request beyond the quota gets 429 and the milliseconds
to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

PLANS: Final = {"standard": 150, "plus": 150, "pro": 450, "unlimited": 16_101_495}
WINDOW: Final = 30.0


@dataclass
class Quota:
    """The quota of one store; other apps use up `others` requests of each window, evenly over its time."""

    plan: str
    clock: Callable[[], float]
    others: int = 0
    _window: int = field(default=-1, init=False)
    _used: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.plan not in PLANS:
            raise ValueError(f"unknown plan {self.plan!r}: one of {', '.join(PLANS)}")

    @property
    def limit(self) -> int:
        """Requests per window."""
        return PLANS[self.plan]

    def take(self) -> bool:
        """Use one request; False when none is left."""
        window, _, left = self._state()
        if window != self._window:
            self._window, self._used = window, 0
            left = self._state()[2]
        if left <= 0:
            return False
        self._used += 1
        return True

    def headers(self) -> dict[str, str]:
        """The headers that tell a client where it stands."""
        _, wait, left = self._state()
        return {
            "X-Rate-Limit-Time-Window-Ms": str(int(WINDOW * 1000)),
            "X-Rate-Limit-Time-Reset-Ms": str(wait),
            "X-Rate-Limit-Requests-Quota": str(self.limit),
            "X-Rate-Limit-Requests-Left": str(max(0, left)),
        }

    def _state(self) -> tuple[int, int, int]:
        """(window number, milliseconds until the next one, requests left in this one)."""
        window, spent = divmod(self.clock(), WINDOW)
        used = self._used if window == self._window else 0
        left = self.limit - used - int(self.others * spent / WINDOW)
        return int(window), max(1, int((WINDOW - spent) * 1000)), left
