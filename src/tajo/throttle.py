"""How often somebody may come: for doors that are open to strangers, and for callers who are in a hurry."""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address, ip_network

STRANGERS = 10_000
"""Callers that are remembered."""


class Throttle:
    """Lets so many through at once, and from then on one every `seconds`; each caller for themselves."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._ahead = (burst - 1) * seconds
        self._seconds = seconds
        self._paid: dict[Hashable, float] = {}

    def admits(self, who: Hashable, now: float) -> bool:
        """Whether they may pass; who may not is not counted."""
        paid = max(self._paid.get(who, 0.0), now)
        if paid - now > self._ahead:
            return False
        if len(self._paid) >= STRANGERS and who not in self._paid:
            self._paid = {one: until for one, until in self._paid.items() if until > now}
            if len(self._paid) >= STRANGERS:  # an attack from everywhere: the limit for all must do
                self._paid.clear()
        self._paid[who] = paid + self._seconds
        return True


def household(host: str) -> str:
    """Whom an address stands for; of IPv6 the network, which is one household's."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network(f"{address}/64", strict=False)) if isinstance(address, IPv6Address) else host
