"""The simulated Brevo, live: what happens to its webhooks on the way, and who may see it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tajo.sandbox.brevo import Faults

from .test_sandbox_brevo import Brevo

HOOK = {"url": "http://shop.test/hook", "type": "marketing"}


class Receiver:
    """Keeps the events that arrive, one by one or in batches."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.transport = httpx.MockTransport(self._take)

    def _take(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.events += body if isinstance(body, list) else [body]
        return httpx.Response(200)


async def edited(brevo: Brevo, times: int) -> None:
    """One contact whose name changes so many times."""
    await brevo("POST", "/webhooks", {**HOOK, "events": ["contactUpdated"]})
    await brevo("POST", "/contacts", {"email": "ada@example.com"})
    for number in range(times):
        await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": f"Ada {number}"}})
    await brevo.clock.advance(60)


def names(receiver: Receiver) -> list[str]:
    return [event["content"][0]["attributes"]["FIRSTNAME"] for event in receiver.events]


@pytest.mark.parametrize(("fault", "arrive"), [("hook_lost", 0), ("hook_doubled", 6), ("hook_delayed", 3)])
async def test_events_may_be_lost_doubled_or_late(fault: str, arrive: int) -> None:
    receiver = Receiver()
    brevo = Brevo(outgoing=receiver.transport)
    assert (await brevo.control("POST", "faults", {fault: 1.0})).status_code == 200
    await edited(brevo, 3)
    assert len(receiver.events) == arrive


async def test_late_events_come_out_of_order() -> None:
    receiver = Receiver()
    brevo = Brevo(faults=Faults(seed=1, hook_delayed=0.5), outgoing=receiver.transport)
    await edited(brevo, 40)
    assert names(receiver) != [f"Ada {number}" for number in range(40)]
    assert len(set(names(receiver))) == 40


async def test_an_unsubscription_may_come_with_its_batch() -> None:
    receiver = Receiver()
    brevo = Brevo(outgoing=receiver.transport)
    events = ["unsubscribed", "contactUpdated"]
    await brevo("POST", "/webhooks", {**HOOK, "events": events, "batched": True})
    for name in ("ada", "bob"):
        await brevo("POST", "/contacts", {"email": f"{name}@example.com"})
        await brevo.control("POST", "unsubscribe", {"email": f"{name}@example.com"})
    await brevo.clock.advance(299)
    assert receiver.events == []
    await brevo.clock.advance(1)
    assert [event["event"] for event in receiver.events] == ["unsubscribe", "contact_updated"] * 2
    (sent,) = (await brevo.control("GET", "deliveries")).text.splitlines()
    assert json.loads(sent) == {
        "webhook": 1,
        "events": ["unsubscribe", "contact_updated"] * 2,
        "attempt": 0,
        "status": 200,
    }


async def test_a_blocklisting_by_an_unsubscribe_link_names_no_api_key() -> None:
    receiver = Receiver()
    brevo = Brevo(outgoing=receiver.transport)
    await brevo("POST", "/webhooks", {**HOOK, "events": ["contactUpdated"]})
    await brevo("POST", "/contacts", {"email": "ada@example.com"})
    await brevo.control("POST", "unsubscribe", {"email": "ada@example.com"})
    await brevo("PUT", "/contacts/1", {"emailBlacklisted": True})
    await brevo.clock.advance(0)
    theirs, ours = receiver.events
    assert theirs["content"] == [{"email": "ada@example.com", "emailBlacklist": True}]
    assert (theirs["api_key_name"], ours["api_key_name"]) == ("", "sandbox")


async def test_nobody_unsubscribes_whom_brevo_does_not_know() -> None:
    assert (await Brevo().control("POST", "unsubscribe", {"email": "x@example.com"})).status_code == 404


async def test_good_events_of_a_batch_are_kept_and_bad_ones_are_named() -> None:
    brevo = Brevo()
    good = {"event_name": "cart_updated", "identifiers": {"email_id": "ada@example.com"}}
    batch = [good, {"event_name": "cart updated", "identifiers": {}}, good, {"event_name": "x"}]
    answer = await brevo("POST", "/events/batch", {"events": batch})
    assert answer.status_code == 207
    body = answer.json()
    assert (body["successful_events"], body["failed_events"]) == (2, 2)
    assert sorted(at for error in body["errors"] for at in error["eventIndex"]) == [1, 3]
    assert (await brevo("GET", "/events")).json()["count"] == 2
    kept = (await brevo.control("GET", "events")).text.splitlines()
    assert [json.loads(line)["event_name"] for line in kept] == ["cart_updated", "cart_updated"]
