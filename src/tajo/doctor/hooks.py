"""Checks of the webhooks that the store sends us. They only look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tajo.bigcommerce import wire
from tajo.bigcommerce.resources import every
from tajo.doctor.report import Finding, fine, many, mend, note, some
from tajo.doctor.store import readable
from tajo.doctor.visit import Visit, sound


class Hook(Struct, frozen=True):
    """webhooks.v3: webhook_Full."""

    id: int = 0
    scope: str | None = None
    destination: str | None = None
    is_active: bool | None = None


class Blocked(Struct, frozen=True):
    """webhooks.v3: one of the blocked_domains."""

    destination: str | None = None
    time_left: int | None = None


class HooksAdmin(Struct, frozen=True):
    """webhooks.v3: GET /hooks/admin."""

    blocked_domains: list[Blocked] | None = None


class Enveloped(Struct, frozen=True):
    """V3's single: `{"data": {...}}`."""

    data: HooksAdmin = HooksAdmin()


HOOKS = wire.pages_of(Hook)
ADMIN = msgspec.json.Decoder(Enveloped, strict=False).decode
HOOKS_PER_SCOPE = 10  # webhooks overview: limits


async def webhooks(visit: Visit) -> Sequence[Finding]:
    """The webhooks of this API account; those of others cannot be seen."""
    rows = await every(visit.store, "/v3/hooks", HOOKS)
    hooks = sound(rows)
    per_scope = Counter(hook.scope or "?" for hook in hooks)
    off = [hook for hook in hooks if hook.is_active is False]
    full = [name for name, count in per_scope.items() if count >= HOOKS_PER_SCOPE]
    findings = []
    if off:
        findings.append(
            mend(
                f"{len(off):,} of {many(len(hooks), 'webhook')} are switched off "
                f"({some(hook.scope or '?' for hook in off)}; to {some(map(_host, off))}): "
                "BigCommerce does that after 48 hours of failed deliveries, or 90 days without an event.",
                "see that the server there answers over https with a valid certificate, then switch them on "
                "again (PUT /v3/hooks/{id} with is_active: true)",
            )
        )
    if full:
        findings.append(
            note(
                f"There are {HOOKS_PER_SCOPE} webhooks, the most that BigCommerce allows an API account, "
                f"for {some(full)}.",
                "delete those of servers that are gone (DELETE /v3/hooks/{id})",
            )
        )
    return findings or [fine(f"{many(len(hooks), 'webhook')} of this API account, none switched off.")]


async def blocked(visit: Visit) -> Sequence[Finding]:
    """Domains to which BigCommerce sends nothing for the moment."""
    answer = await readable(visit.store.get("/v3/hooks/admin", ADMIN), None)
    domains = (answer.data.blocked_domains if answer else None) or []
    if not domains:
        return []
    return [
        mend(
            f"BigCommerce sends no webhooks to {some(map(_host, domains))} for some minutes, because fewer "
            "than 90 % of them were answered well.",
            "see why the server there is slow or fails; what was held back comes later, and a sync brings "
            "the rest",
        )
    ]


def _host(of: Hook | Blocked) -> str:
    """Only the host: a path may hold a secret."""
    address = of.destination or ""
    return urlsplit(address if "//" in address else f"//{address}").hostname or "?"
