"""How people are told of alarms: a POST that chats understand, and e-mail.

Neither holds more than connectors, what is wrong with them and how to mend it: no person, no record.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import msgspec

from tajo import config
from tajo.alarms import Alarm
from tajo.errors import Later
from tajo.http import Client, Clock, Patience
from tajo.sync.moments import moment

TRIES = Patience(attempts=6, first=2.0, longest=60.0)
"""A receiver may be away for two minutes."""

ANSWER = 30.0
"""Seconds within which a receiver must answer."""

TLS = 465
"""The port on which TLS begins at once (RFC 8314)."""


class Messengers:
    """Tells alarms in every way that the settings name. `address`: where people find this server."""

    def __init__(
        self,
        alerts: config.Alerts,
        address: str,
        clock: Clock,
        say: Callable[[str], None],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._alerts = alerts
        self._address = address
        self._clock = clock
        self._say = say
        self._transport = transport
        self._tls = tls

    async def tell(self, alarms: Sequence[Alarm]) -> None:
        """Tell them. What cannot be told, after some tries, is said in the log."""
        await asyncio.gather(
            *([self._post(alarms)] if self._alerts.webhook else []),
            *([self._mail(alarms)] if self._alerts.email else []),
        )

    async def _post(self, alarms: Sequence[Alarm]) -> None:
        url = self._alerts.webhook.get_secret_value() if self._alerts.webhook else ""
        parts = urlsplit(url)
        client = Client(
            f"{parts.scheme}://{parts.netloc}",
            {},
            _AtOnce(),
            clock=self._clock,
            patience=TRIES,
            transport=self._transport,
            timeout=ANSWER,
        )
        body = msgspec.json.encode(document(alarms, self._address))
        try:
            answer = await client.request("POST", url, route="POST alerts", body=body, decode=lambda _: None)
        except Later as error:
            self._say(f"alerts.webhook cannot be told: {error}")
        else:
            if not answer.ok:
                self._say(f"alerts.webhook does not take what is told: HTTP {answer.status}")
        finally:
            await client.close()

    async def _mail(self, alarms: Sequence[Alarm]) -> None:
        letter = self._letter(alarms)
        for attempt in range(1, TRIES.attempts + 1):
            try:
                await asyncio.to_thread(self._hand_over, letter)
            except (OSError, smtplib.SMTPException) as error:
                if attempt == TRIES.attempts:
                    self._say(f"alerts.email cannot be told: {_why(error)}")
                else:
                    await self._clock.sleep(TRIES.pause(attempt))
            else:
                return

    def _letter(self, alarms: Sequence[Alarm]) -> EmailMessage:
        letter, to = EmailMessage(), self._alerts.email or ""
        sender = self._alerts.smtp.sender or to
        letter["Subject"] = f"Tajo: {title(alarms)}"
        letter["From"], letter["To"] = sender, to
        letter["Date"] = formatdate(self._clock.now())
        letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(words(alarms, self._address) + "\n")
        return letter

    def _hand_over(self, letter: EmailMessage) -> None:
        smtp, tls = self._alerts.smtp, self._tls or ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=ANSWER, context=tls)
            if smtp.port == TLS
            else smtplib.SMTP(smtp.host, smtp.port, timeout=ANSWER)
        ) as server:
            server.ehlo()
            if smtp.port != TLS and (server.has_extn("starttls") or not _here(smtp.host)):
                server.starttls(context=tls)
            if smtp.user and smtp.password:
                server.login(smtp.user, smtp.password.get_secret_value())
            server.send_message(letter)


class _AtOnce:
    """No limits."""

    async def admit(self, route: str) -> None:
        """At once."""

    def learn(self, route: str, status: int, headers: object) -> float | None:
        """Nothing."""


def document(alarms: Sequence[Alarm], address: str) -> dict[str, object]:
    """What is posted: `text` and `content` are for chats (which read one of them), the rest for programs."""
    text = words(alarms, address)
    rows = [
        {
            "connector": alarm.connector,
            "kind": str(alarm.kind),
            "state": "well" if alarm.well else "wrong",
            "words": alarm.words,
            "at": moment(int(alarm.at)),
        }
        for alarm in alarms
    ]
    return {"text": text, "content": text, "server": address, "alarms": rows}


def title(alarms: Sequence[Alarm]) -> str:
    """One line."""
    if len(alarms) > 1:
        return f"{len(alarms)} news of connectors"
    [alarm] = alarms
    return f"{alarm.connector} is well again" if alarm.well else f"{alarm.connector} needs a human"


def words(alarms: Sequence[Alarm], address: str) -> str:
    """All of it, a paragraph each."""
    told = [f"{'✓' if alarm.well else '✗'} {alarm.connector}: {alarm.words}" for alarm in alarms]
    return "\n".join([f"Tajo: {title(alarms)}", *told, address])


def _here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _why(error: Exception) -> str:
    """Why the mail server did not take it; its own words may repeat an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
