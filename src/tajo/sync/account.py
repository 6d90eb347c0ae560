"""The account of a run: what was seen, and what became of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, field

from tajo.sync.model import Resource


class Tally(Struct):
    """What became of the records of one resource.

    A product counts once, however many variants were written of it. `skipped`: deliberately not told
    (an incomplete order, somebody without consent in mode `skip`, a failure that was dismissed);
    `failed`: will be tried again by itself; `parked`: kept with its reason until it changes or is
    replayed. `total`: how many are expected, None while unknown.
    """

    seen: int = 0
    written: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    parked: int = 0
    total: int | None = None
    done: bool = False


class Account(Struct):
    """One run, as it goes. `notes`: things worth telling, with how often; `troubles`: what was cut short.

    `unannounced`: how many records it found changed that nobody had queued: no webhook had told of them.
    """

    run: str = ""
    mode: str = ""
    resources: dict[Resource, Tally] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    unannounced: int = 0
    source_calls: int = 0
    destination_calls: int = 0
    seconds: float = 0.0
    floor_seconds: float = 0.0

    def tally(self, resource: Resource) -> Tally:
        """The tally of one resource."""
        return self.resources.setdefault(resource, Tally())

    @property
    def clean(self) -> bool:
        """Nothing failed, nothing is parked that was not dismissed, nothing was cut short."""
        return not self.troubles and not any(
            tally.failed or tally.parked for tally in self.resources.values()
        )

    def progress(self) -> dict[str, Any]:
        """The summary so far, with `expected`: how many records there are of each resource, where known."""
        expected = {str(r): t.seen if t.done else t.total for r, t in self.resources.items()}
        return {**self.summary(), "expected": expected}

    def summary(self) -> dict[str, Any]:
        """What is kept of a run."""
        kinds = ("seen", "written", "unchanged", "skipped", "failed", "parked")
        return {
            "run": self.run,
            "mode": self.mode,
            "resources": {
                str(resource): {kind: getattr(tally, kind) for kind in kinds}
                for resource, tally in self.resources.items()
            },
            "notes": dict(self.notes),
            "troubles": self.troubles,
            "unannounced": self.unannounced,
            "seconds": round(self.seconds, 3),
            "floor_seconds": round(self.floor_seconds, 3),
            "source_calls": self.source_calls,
            "destination_calls": self.destination_calls,
        }
