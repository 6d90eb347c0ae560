"""What the simulator remembers of the requests it received, for tests and people.

Everything is bounded: the last 10,000 requests, and the last 1,000 bodies up to 64 MB in total.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

_REQUESTS = 10_000
_BODIES = 1_000
_BODY_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: its number since the start, and what came of it (status 0: the connection was cut)."""

    n: int
    method: str
    path: str
    query: str
    status: int
    bytes: int
    ms: float


@dataclass(frozen=True, slots=True)
class Body:
    """A request body, with the request line it came under."""

    method: str
    path: str
    query: str
    body: bytes


class Journal:
    """The outbox, the counts and the last bodies."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_REQUESTS)
        self._bodies: deque[Body] = deque()
        self._body_bytes = 0
        self._received = 0
        self._routes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self.imports: dict[int, int] = {}
        """Rows of each import, by process id."""
        self.orders: Counter[str] = Counter()
        """Orders written as `live` (they start automations) and as `historical`."""

    def note(self, body: Body, *, route: str, status: int, ms: float) -> None:
        """Record one request under its route template."""
        self._received += 1
        self._entries.append(
            Entry(self._received, body.method, body.path, body.query, status, len(body.body), round(ms, 2))
        )
        self._routes[route] += 1
        self._statuses[status] += 1
        self._bodies.append(body)
        self._body_bytes += len(body.body)
        while len(self._bodies) > _BODIES or self._body_bytes > _BODY_BYTES:
            self._body_bytes -= len(self._bodies.popleft().body)

    def since(self, n: int) -> list[Entry]:
        """Give the remembered requests after number `n`."""
        return [entry for entry in self._entries if entry.n > n]

    def bodies(self, last: int) -> list[Body]:
        """Give the last so many bodies, oldest first."""
        return list(self._bodies)[-last:] if last else []

    def counts(self) -> dict[str, Any]:
        """Give requests by route and by status, and the rows of each import."""
        return {
            "requests": self._received,
            "routes": dict(sorted(self._routes.items())),
            "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "imports": {str(process): rows for process, rows in self.imports.items()},
            "orders": dict(self.orders),
        }
