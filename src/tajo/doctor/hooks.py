"""Checks of the webhooks that the store sends us. They only look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tajo.bigcommerce import wire
from tajo.bigcommerce.hooks import ADMIN, HOOK, HOOKS, PER_SCOPE, hook, host
from tajo.bigcommerce.resources import every
from tajo.doctor.report import Finding, fine, many, mend, note, some
from tajo.doctor.store import readable
from tajo.doctor.visit import Visit, sound


async def webhooks(visit: Visit) -> Sequence[Finding]:
    """The webhooks of this API account; those of others cannot be seen."""
    rows = await every(visit.store, HOOK, HOOKS)
    hooks = [hook(row) for row in sound(rows)]
    per_scope = Counter(one.scope or "?" for one in hooks)
    off = [one for one in hooks if not one.active]
    hosts = some(host(one.destination) for one in off)
    full = [name for name, count in per_scope.items() if count >= PER_SCOPE]
    findings = []
    if off:
        findings.append(
            mend(
                f"{len(off):,} of {many(len(hooks), 'webhook')} are switched off "
                f"({some(one.scope or '?' for one in off)}; to {hosts}): "
                "BigCommerce does that after 48 hours of failed deliveries, or 90 days without an event.",
                "see that the server there answers over https with a valid certificate, then run "
                "`tajo hooks repair`; those of others: PUT /v3/hooks/{id} with is_active: true",
            )
        )
    if full:
        findings.append(
            note(
                f"There are {PER_SCOPE} webhooks, the most that BigCommerce allows an API account, "
                f"for {some(full)}.",
                "delete those of servers that are gone (DELETE /v3/hooks/{id})",
            )
        )
    return findings or [fine(f"{many(len(hooks), 'webhook')} of this API account, none switched off.")]


async def blocked(visit: Visit) -> Sequence[Finding]:
    """Domains to which BigCommerce sends nothing for the moment."""
    answer = await readable(visit.store.get(f"{HOOK}/admin", ADMIN), None)
    domains = [] if answer is None or isinstance(answer, wire.Flaw) else answer.blocked_domains or []
    if not domains:
        return []
    hosts = some(host(one.destination or "") for one in domains)
    return [
        mend(
            f"BigCommerce sends no webhooks to {hosts} for some minutes, because fewer "
            "than 90 % of them were answered well.",
            "see why the server there is slow or fails; what was held back comes later, and a sync brings "
            "the rest",
        )
    ]
