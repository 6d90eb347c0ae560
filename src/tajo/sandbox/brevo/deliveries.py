"""Requests the simulator makes itself: webhooks with their retries, notifyUrl calls, files of imports.

A webhook is tried again after 10 minutes, 1, 2 and 8 hours on a timeout or a 429; any other 4xx or a 5xx ends
it for good (developers.brevo.com/docs/retry-mechanism). Batched webhooks wait 5 minutes from their first
event and carry up to 500 events as a JSON array (developers.brevo.com/docs/batch-webhooks; the array is our
reading).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import Agenda
    from .faults import Weather
    from .webhooks import Webhook

RETRY_SECONDS: Final = (600, 3_600, 7_200, 28_800)
BATCH_SECONDS: Final = 300
MOST_BATCHED: Final = 500
_TIMEOUT_SECONDS = 5.0
_KEPT = 100_000


class Deliveries:
    """The way out; `weather` is asked anew for each event, `transport` is the seam of tests."""

    def __init__(
        self, agenda: Agenda, weather: Callable[[], Weather], transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.attempts: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        """The webhook requests sent: webhook id, events in it, attempt from 0, status (null: no answer)."""
        self._agenda = agenda
        self._weather = weather
        self._transport = transport
        self._waiting: dict[int, list[dict[str, Any]]] = {}

    def hand_over(self, webhook: Webhook, payload: dict[str, Any]) -> None:
        """Send one event to a webhook, now or with its batch, unless the weather is against it."""
        for seconds in self._weather().arrivals():
            if webhook.batched:
                self._agenda.after(seconds, lambda: self._gather(webhook, payload))
            else:
                self._agenda.after(seconds, lambda: self._deliver(webhook, payload))

    async def _gather(self, webhook: Webhook, payload: dict[str, Any]) -> None:
        """Put an event into the batch that waits, or begin one."""
        waiting = self._waiting.setdefault(webhook.id, [])
        waiting.append(payload)
        if len(waiting) == 1:
            self._agenda.after(BATCH_SECONDS, lambda: self._deliver_batches(webhook))

    def call_back(self, url: str, payload: dict[str, Any]) -> None:
        """POST to a notifyUrl, once; what Brevo sends there is not documented, so it is only the id."""

        async def post() -> None:
            await self._post(url, payload, {})

        self._agenda.after(0, post)

    async def fetch(self, url: str) -> str | None:
        """Get the text behind a fileUrl, or None."""
        try:
            async with httpx.AsyncClient(
                transport=self._transport, timeout=60, follow_redirects=True
            ) as client:
                response = await client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return response.text if response.is_success else None

    async def _deliver_batches(self, webhook: Webhook) -> None:
        waiting = self._waiting.pop(webhook.id, [])
        for start in range(0, len(waiting), MOST_BATCHED):
            await self._deliver(webhook, waiting[start : start + MOST_BATCHED])

    async def _deliver(self, webhook: Webhook, payload: Any, attempt: int = 0) -> None:
        headers = dict(webhook.headers)
        if webhook.token is not None:
            headers["authorization"] = f"Bearer {webhook.token}"
        status = await self._post(webhook.url, payload, headers)
        events = [item["event"] for item in (payload if isinstance(payload, list) else [payload])]
        self.attempts.append({"webhook": webhook.id, "events": events, "attempt": attempt, "status": status})
        if status in {None, 429} and attempt < len(RETRY_SECONDS):
            self._agenda.after(RETRY_SECONDS[attempt], lambda: self._deliver(webhook, payload, attempt + 1))

    async def _post(self, url: str, payload: Any, headers: dict[str, str]) -> int | None:
        """POST JSON; gives the status, or None when no answer came."""
        try:
            async with httpx.AsyncClient(transport=self._transport, timeout=_TIMEOUT_SECONDS) as client:
                response = await client.post(
                    url,
                    content=msgspec.json.encode(payload),
                    headers={"content-type": "application/json", **headers},
                )
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return response.status_code
