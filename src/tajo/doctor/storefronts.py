"""The storefronts that a store has, as a block for tajo.yaml: nobody need place an order to learn an id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from tajo.doctor.report import Finding, fine, note
from tajo.doctor.visit import Channel, Visit


async def storefronts(visit: Visit) -> Sequence[Finding]:
    """Which channels could have lists of their own? Of the settings' own ones nothing is proposed."""
    shops = visit.shops
    new = [one for one in shops if one.id not in visit.settings.storefronts]
    if len(shops) < 2 or not new:
        return [fine("Every storefront is accounted for.")]
    urls = {site.channel_id: site.url or "" for site in reversed(visit.sites) if site.channel_id}
    visit.storefronts = block(new, urls)
    ids = ", ".join(str(one.id) for one in new)
    return [
        note(
            f"The store sells through {len(shops)} storefronts; the configuration says nothing of {ids}.",
            "nothing, if their contacts need no lists of their own; else put the proposed `storefronts:` "
            "lines under the connector",
        )
    ]


def block(channels: Iterable[Channel], urls: Mapping[int, str]) -> str:
    """`storefronts:` with a list for each channel, indented to stand under a connector."""
    lines = ["    storefronts:"]
    for channel in channels:
        name = _one_line(channel.name or "") or f"Channel {channel.id}"
        url = _one_line(urls.get(channel.id, ""))
        lines += [
            f"      {channel.id}: # {name}" + (f", {url}" if url else ""),
            f"        lists: [{json.dumps(f'{name} customers', ensure_ascii=False)}]",
        ]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Printable, on one line, and nothing that looks like a variable of the configuration."""
    words = " ".join(text.split()).replace("${", "$ {")
    return "".join(letter for letter in words if letter.isprintable())
