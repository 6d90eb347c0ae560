"""Our webhook at Brevo, by which we hear of unsubscribes.

An account takes 40 (help.brevo.com 360007666479), and each call here is one of the hundred an hour. Other
webhooks, those of another Tajo included, are never touched: ours has our address, or our description and
our token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tajo.brevo.api import Api, Rejected
from tajo.brevo.tracing import encode
from tajo.errors import Mend

EVENTS = ("unsubscribed", "spam", "contactUpdated")
"""The last for whoever is blocklisted by hand; each contact that we write comes back with it, too."""

DESCRIPTION = "Tajo: unsubscribes go back to the store"
MOST = 40
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Hook(Struct, frozen=True):
    """A marketing webhook of the account. `token`: the bearer token that it sends; empty if none is shown."""

    id: int
    url: str = ""
    description: str = ""
    events: frozenset[str] = frozenset()
    batched: bool = False
    token: str = ""

    def __repr__(self) -> str:
        return f"Hook({self.id})"


class BrevoHooks:
    """Registers our webhook, and removes it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def register(self, url: str, token: str) -> int:
        """See that Brevo calls `url` with this bearer token, by one webhook of ours; its id.

        One call if all is well, two if it must be made or changed; doubles of ours are removed. Events
        come in batches, each five minutes (docs/batch-webhooks): every contact that we write is one of them.
        Raises `Mend` for an address that Brevo cannot call, and where it takes no more webhooks.
        """
        _check(url)
        hooks = await self._all()
        ours = sorted((hook for hook in hooks if _is_ours(hook, url, token)), key=lambda hook: hook.id)
        for double in ours[1:]:
            await self._api.delete_webhook(double.id)
        if ours and _is_right(ours[0], url, token):
            return ours[0].id
        wanted = {
            "url": url,
            "description": DESCRIPTION,
            "events": EVENTS,
            "batched": True,
            "auth": {"type": "bearer", "token": token},
        }
        try:
            if ours and await self._change(ours[0].id, wanted):
                return ours[0].id
            return await self._api.create_webhook(encode({**wanted, "type": "marketing"}))
        except Rejected as error:
            raise Mend(
                f"Brevo does not take our webhook ({error}); it has {len(hooks)} for marketing",
                f"check `server.public_url`; an account takes {MOST} webhooks of all kinds, so delete some "
                "in Brevo (Settings > Webhooks) if there are as many",
            ) from None

    async def listed(self) -> list[Hook]:
        """The webhooks that some Tajo made, at whatever address."""
        return [hook for hook in await self._all() if hook.description == DESCRIPTION]

    async def remove(self, url: str, token: str) -> int:
        """Remove our webhooks: those at this address, and those with our token at any other; how many."""
        ours = [hook for hook in await self._all() if _is_ours(hook, url, token)]
        return sum([await self._api.delete_webhook(hook.id) for hook in ours])

    async def _all(self) -> list[Hook]:
        try:
            rows = await self._api.webhooks()
        except Rejected as error:
            raise Mend(
                f"Brevo does not list its webhooks ({error})", "see in Brevo what the API key may do"
            ) from None
        return [_hook(row) for row in rows if isinstance(row.get("id"), int)]

    async def _change(self, hook: int, wanted: Mapping[str, Any]) -> bool:
        """Change a webhook; False if it is gone."""
        try:
            await self._api.update_webhook(hook, encode(wanted))
        except Rejected as error:
            if error.status != 404:
                raise
            return False
        return True


def _hook(row: Mapping[str, Any]) -> Hook:
    auth, events = row.get("auth"), row.get("events")
    return Hook(
        id=row["id"],
        url=str(row.get("url") or ""),
        description=str(row.get("description") or ""),
        events=frozenset(map(str, events)) if isinstance(events, list) else frozenset(),
        batched=row.get("batched") is True,
        token=str(auth.get("token") or "") if isinstance(auth, dict) else "",
    )


def _is_ours(hook: Hook, url: str, token: str) -> bool:
    return hook.url == url or (hook.description == DESCRIPTION and hook.token == token != "")


def _is_right(hook: Hook, url: str, token: str) -> bool:
    return hook.url == url and hook.events == set(EVENTS) and hook.batched and hook.token == token


def _check(url: str) -> None:
    """Raises `Mend` unless Brevo can call it: https, as Brevo's helpers ask for, or this very machine."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise Mend("the address of our webhook holds credentials", "write `server.public_url` without them")
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not (safe and host) or parts.fragment:
        raise Mend(
            f"Brevo cannot call us at {parts.scheme or '?'}://{host or '?'}",
            "set `server.public_url` to the address at which the internet reaches `tajo serve`, with https://",
        )
