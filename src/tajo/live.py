"""`tajo serve`: the server that takes webhooks, and a worker for each connector."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from tajo import config, webhooks
from tajo.access import Doorkeeper
from tajo.alarms import Alarms
from tajo.app import Tajo
from tajo.brevo import callbacks as marketing
from tajo.fleet import Fleet
from tajo.http import Clock
from tajo.journal import Journal
from tajo.lookout import Lookout
from tajo.messengers import Messengers
from tajo.meters import Meters
from tajo.server import BrevoDoor, Counted, Recovery, make_app
from tajo.server import serve as listen
from tajo.sync import unsubscribes
from tajo.sync.ledger.inbox import open_inbox
from tajo.sync.ledger.wishes import open_wishes
from tajo.web import Outlook, open_faces
from tajo.wiring import Wiring

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


async def serve(
    wiring: Wiring,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    say: Callable[[str], None],
    clock: Clock | None = None,
    listening: Callable[[str], None] = lambda _: None,
) -> None:
    """Take webhooks and follow every connector until `stop` is set. Raises `Mend` if it cannot listen."""
    clock = clock or Clock()
    key = wiring.settings.api_key
    keeper = Doorkeeper(wiring.ledger, clock.now, master=key.get_secret_value() if key else None)
    meters, journal = Meters(clock.now), Journal(say, clock.now)
    fleet = Fleet(wiring, journal, clock, meters.ears)
    warn = partial(journal.tell, level="warning")
    lookout = Lookout(fleet, meters, alarms_of(wiring, clock, warn), clock, warn)

    async def unsubscribed(people: Sequence[marketing.Unsubscribe]) -> None:
        said = {person.email: person.at for person in people if person.sure}
        blocked = [person.email for person in people if not person.sure]
        await unsubscribes.note(wiring.ledger, fleet.names, said, blocked)
        for name in fleet.names:
            fleet.wake(name)

    async with (
        open_inbox(wiring.ledger, fleet.wake) as inbox,
        open_wishes(wiring.ledger, fleet.wake) as wishes,
        fleet.at_work(),
        lookout.kept(wiring.ledger),
        open_faces(
            Tajo(wiring, fleet),
            keeper,
            may_call=lambda url: may_call(wiring.settings, host, url),
            hosts=names(wiring.settings, host),
            meters=meters,
            outlook=Outlook(
                wiring=wiring, keeper=keeper, journal=journal, standing=fleet.standing, minutes=meters.minutes
            ),
        ) as faces,
    ):
        app = make_app(
            fleet.doors,
            BrevoDoor(marketing.Trust(webhooks.brevo_token(wiring)), unsubscribed),
            inbox,
            wiring.ready,
            origins=fleet.origins,
            wishes=wishes,
            links=Recovery(fleet.tills, wiring.ledger, clock.now),
            faces=cast(ASGIApp, faces),  # Litestar has types of ASGI of its own
        )
        token = await keeper.setup_token()

        def begun(url: str) -> None:
            listening(url)
            if token:
                place = f"{wiring.settings.server.public_url or url}/setup?token={token}"
                say(f"the dashboard has nobody yet; this link lets the first person in, for a day: {place}")

        counted = Counted(app, fleet.doors, meters.noticed)
        await listen(counted, host, port, stop=stop, listening=begun)


def alarms_of(wiring: Wiring, clock: Clock, warn: Callable[[str], None]) -> Alarms | None:
    """The alarms, if the settings say who is to be told of them."""
    alerts = wiring.settings.alerts
    if not (alerts.webhook or alerts.email):
        return None
    return Alarms(wiring.ledger, Messengers(alerts, wiring.address, clock, warn).tell, clock.now)


def names(settings: config.Settings, host: str) -> frozenset[str]:
    """The host names under which people and programs reach this server; any, where it listens everywhere."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - whoever says so decides by name, or not at all
        public = urlsplit(settings.server.public_url or "").hostname
        return frozenset({public, *LOOPBACK} if public else {"*"})
    return frozenset({urlsplit(settings.server.public_url or "").hostname or host, host, *LOOPBACK})


def may_call(settings: config.Settings, host: str, url: str) -> bool:
    """Whether a store may be looked for at this address because a caller of the server says so.

    BigCommerce's own, and what the configuration names. A server that is itself reached at this machine alone
    is somebody's experiment, and may look for simulated stores there.
    """
    usual = config.Options.model_fields["api_url"].default
    named = [one.api_url for one in settings.connectors.values()] + [str(settings.common.get("api_url", ""))]
    public = settings.server.public_url
    alone = host in LOOPBACK and (not public or urlsplit(public).hostname in LOOPBACK)
    return url in {usual, *named} or (alone and urlsplit(url).hostname in LOOPBACK)
