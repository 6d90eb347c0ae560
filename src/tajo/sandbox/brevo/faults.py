"""Bad weather: failures a real network and a busy Brevo produce, dealt out by a seeded die.

All rates are chances per request between 0 and 1, except `failed_import` (per import), `lost_row` (per row),
`slow_batch` (per batch) and those of webhooks (per event, one of them at most). The default is fair weather;
`Faults.mild` is a mix that a patient client gets through.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

ODD_ERRORS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (500, b'{"message":"Internal server error"}', "application/json"),
    (500, b"", "application/json"),
    (502, b"<html><head><title>502 Bad Gateway</title></head><body></body></html>", "text/html"),
    (503, b'{"code":"service_unavailable"}', "application/json"),
    (503, b"", "text/plain"),
    (524, b"error code: 524", "text/plain"),
)
"""Server errors with the bodies seen in threads (GH:sendinblue/APIv3-php-library#136 for 524) or guessed."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong."""

    seed: int = 0
    storm: float = 0.0
    """Chance that a 429 storm begins: the next `storm_length` requests are refused too."""
    storm_length: int = 3
    server_error: float = 0.0
    """Chance of a 5xx before anything is applied."""
    late_error: float = 0.0
    """Chance of a 5xx after a write was applied: the outcome is unknown to the caller."""
    dropped: float = 0.0
    """Chance that the connection is cut after a write was applied."""
    slow: float = 0.0
    slow_seconds: float = 2.0
    too_early: float = 0.0
    """Chance that writing a contact is answered 425 `account_in_process`."""
    failed_import: float = 0.0
    lost_row: float = 0.0
    """Chance that an imported row vanishes without a word."""
    slow_batch: float = 0.0
    """Chance that a batch of orders is applied up to `slow_batch_seconds` late: after its successors."""
    slow_batch_seconds: float = 300.0
    hook_lost: float = 0.0
    """Chance that a webhook's event is never sent."""
    hook_doubled: float = 0.0
    hook_delayed: float = 0.0
    """Chance that an event comes up to `hook_delay_seconds` late, and so after its successors."""
    hook_delay_seconds: float = 20.0

    @classmethod
    def mild(cls, seed: int) -> Faults:
        """Give the weather of `--faults SEED`."""
        return cls(
            seed=seed,
            storm=0.005,
            server_error=0.01,
            late_error=0.005,
            dropped=0.01,
            slow=0.01,
            too_early=0.005,
            failed_import=0.05,
            lost_row=0.0005,
            hook_doubled=0.02,
            hook_delayed=0.05,
        )


class Weather:
    """The die, and the storm that may be blowing."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._die = random.Random(faults.seed)  # noqa: S311 - repeatable on purpose
        self._storm_left = 0

    def strikes(self, chance: float) -> bool:
        """Roll once; a chance of 0 never rolls, so that fair weather costs nothing."""
        return chance > 0 and self._die.random() < chance

    def storm(self) -> bool:
        """Say whether a 429 storm swallows this request."""
        if self._storm_left:
            self._storm_left -= 1
            return True
        if self.strikes(self.faults.storm):
            self._storm_left = self.faults.storm_length
            return True
        return False

    def arrivals(self) -> list[float]:
        """Say after how many seconds each copy of a webhook's event is handed over; none when it is lost."""
        faults = self.faults
        if self.strikes(faults.hook_lost):
            return []
        if self.strikes(faults.hook_doubled):
            return [0.0, 0.0]
        if self.strikes(faults.hook_delayed):
            return [faults.hook_delay_seconds * self._die.random()]
        return [0.0]

    def dawdles(self) -> float:
        """Say by how many seconds a batch of orders is applied late."""
        faults = self.faults
        return faults.slow_batch_seconds * self._die.random() if self.strikes(faults.slow_batch) else 0.0

    def odd_error(self) -> tuple[int, bytes, str]:
        """Pick a server error: status, body, content type."""
        return self._die.choice(ODD_ERRORS)
