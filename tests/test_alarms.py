"""Who should know of it is told once that a connector needs a human, and once that it does not any more."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from tajo import config
from tajo.alarms import CALM, GAP, Alarm, Alarms, Kind
from tajo.messengers import Messengers
from tajo.meters import Answering, Reading
from tajo.sync.ledger.depths import Depth
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.worker import Standing
from tests.virtual_clock import VirtualClock

AT_WORK = Standing(working=True)
STUCK = Standing(stuck=True, trouble="the access token was refused\n  Mend: make another.")
LOOK = 15.0


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, Secret(b"s" * 32))
    yield opened
    await opened.close()


class House:
    """A connector that is looked at every 15 seconds. `told`: what people heard."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = 1_000_000.0
        self.told: list[Alarm] = []
        self.sides = {"bigcommerce": Answering(), "brevo": Answering()}
        self.restart()

    def restart(self) -> None:
        self.alarms = Alarms(self.ledger, self._tell, lambda: self.now)

    async def _tell(self, alarms: Sequence[Alarm]) -> None:
        self.told += alarms

    async def after(
        self, seconds: float, standing: Standing = AT_WORK, depth: Depth | None = None
    ) -> list[str]:
        """It stands so for that long; what people heard meanwhile."""
        self.told.clear()
        until = self.now + seconds
        while self.now < until:
            reading = Reading(self.now, standing, depth or Depth())
            await self.alarms.consider({"shop": reading}, lambda _, side: self.sides[side])
            self.now += LOOK
        return [f"{alarm.kind} {'well' if alarm.well else 'wrong'}" for alarm in self.told]


@pytest.fixture
def house(ledger: Ledger) -> House:
    return House(ledger)


async def test_a_connector_that_stops_is_told_at_once_and_once(house: House) -> None:
    assert await house.after(60) == []
    assert await house.after(86400, STUCK) == ["stopped wrong"]
    assert "Mend: make another." in house.told[0].words
    assert await house.after(CALM - LOOK) == [], "it must be well for a while"
    assert await house.after(60) == ["stopped well"]
    assert await house.after(86400) == []
    assert await house.after(LOOK, STUCK) == ["stopped wrong"]


async def test_one_that_stops_again_and_again_is_told_once(house: House) -> None:
    heard = []
    for _ in range(20):
        heard += await house.after(30)
        heard += await house.after(300, STUCK)
    assert heard == ["stopped wrong"]


async def test_a_restart_says_nothing_twice_and_not_that_all_is_well(house: House) -> None:
    assert await house.after(60, STUCK) == ["stopped wrong"]
    house.restart()
    assert await house.after(3600, Standing()) == [], "nobody knows yet"
    assert await house.after(3600, STUCK) == []
    house.restart()
    assert await house.after(2 * CALM) == ["stopped well"]
    house.restart()
    assert await house.after(2 * CALM) == []


async def test_webhooks_must_be_silent_for_an_hour_and_speak_to_be_well(house: House) -> None:
    silent = replace(AT_WORK, silent=True)
    assert await house.after(3000, silent) == []
    assert await house.after(2 * CALM) == []
    assert await house.after(3600 + LOOK, silent) == ["webhooks wrong"]
    told_at = house.told[0].at
    house.restart()
    assert await house.after(86400, AT_WORK, Depth(heard=told_at - 5)) == [], "a restart is no webhook"
    assert await house.after(2 * CALM, AT_WORK, Depth(heard=told_at + 5)) == ["webhooks well"]


async def test_failures_are_told_when_they_are_many_and_again_when_they_have_doubled(house: House) -> None:
    assert await house.after(3600, depth=Depth(parked=9)) == []
    assert await house.after(3600, depth=Depth(parked=10)) == ["failures wrong"]
    assert await house.after(2 * GAP, depth=Depth(parked=19)) == []
    assert await house.after(60, depth=Depth(parked=20)) == ["failures wrong"]
    assert await house.after(GAP - 120, depth=Depth(parked=80)) == [], "a flood is told by the hour"
    assert await house.after(300, depth=Depth(parked=90)) == ["failures wrong"]
    house.restart()
    assert await house.after(2 * GAP, depth=Depth(parked=150)) == []
    assert await house.after(2 * CALM, depth=Depth(parked=1)) == [], "one is left"
    assert await house.after(2 * CALM) == ["failures well"]


async def test_a_look_at_everything_that_does_not_come_to_its_end_is_told_until_one_does(
    house: House,
) -> None:
    cut = replace(AT_WORK, cut_short="orders: 40 of 50 are missing in the store's list")
    assert await house.after(3600, cut) == [], "it is tried again by itself"
    assert await house.after(60, cut) == ["sync wrong"]
    told_at = house.told[0].at
    house.restart()
    assert await house.after(3600, depth=Depth(looked=told_at - 9)) == []
    assert await house.after(2 * CALM, depth=Depth(looked=told_at + 9)) == ["sync well"]


@pytest.mark.parametrize("side", ["bigcommerce", "brevo"])
async def test_a_side_that_does_not_answer_for_a_quarter_of_an_hour_is_told(house: House, side: str) -> None:
    away = Standing(trouble="nobody answers")
    house.sides[side] = Answering(answered=house.now - 1, silent_since=house.now)
    assert await house.after(900, away) == []
    assert await house.after(60, away) == [f"{side} wrong"]
    house.restart()
    house.sides[side] = Answering()
    assert await house.after(3600, away) == [], "nobody has asked it yet"
    house.sides[side] = Answering(answered=house.now)
    assert await house.after(2 * CALM) == [f"{side} well"]


async def test_who_works_on_a_connector_tells_and_nobody_else(house: House) -> None:
    assert await house.after(3600, Standing(busy=True), Depth(parked=500)) == []


# --- how it is told

ALARMS = [
    Alarm(
        "shop", Kind.STOPPED, "it has stopped: the token was refused\n  Mend: make another.", 1_700_000_000.5
    ),
    Alarm("other", Kind.BREVO, "Brevo answers again", 1_700_000_001, well=True),
]


def alerts(**keys: Any) -> config.Alerts:
    return config.Alerts.model_validate(keys)


class Receiver:
    """Answers with one status after the other, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not status:
            raise httpx.ConnectError("hooks.example")
        return httpx.Response(status, content=b"ok")


async def post(receiver: Receiver) -> list[str]:
    said: list[str] = []
    settings = alerts(webhook="https://hooks.example/services/T0/s3cret?sig=s3cret2")
    transport = httpx.MockTransport(receiver)
    messengers = Messengers(
        settings, "https://tajo.example", VirtualClock(), said.append, transport=transport
    )
    await messengers.tell(ALARMS)
    assert "s3cret" not in repr(said) + repr(settings)
    return said


async def test_a_chat_reads_the_text_and_a_program_the_rest() -> None:
    receiver = Receiver(200)
    assert await post(receiver) == []
    [request] = receiver.requests
    assert str(request.url) == "https://hooks.example/services/T0/s3cret?sig=s3cret2"
    body = json.loads(request.content)
    assert body["text"] == body["content"]
    assert body["text"].splitlines() == [
        "Tajo: 2 news of connectors",
        "✗ shop: it has stopped: the token was refused",
        "  Mend: make another.",
        "✓ other: Brevo answers again",
        "https://tajo.example",
    ]
    assert body["alarms"][1] == {
        "connector": "other",
        "kind": "brevo",
        "state": "well",
        "words": "Brevo answers again",
        "at": "2023-11-14T22:13:21Z",
    }
    assert body["server"] == "https://tajo.example"


async def test_a_receiver_that_is_away_is_tried_again_and_one_that_refuses_is_not() -> None:
    assert await post(away := Receiver(503, 0, 429, 200)) == []
    assert len(away.requests) == 4
    assert await post(Receiver(410)) == ["alerts.webhook does not take what is told: HTTP 410"]
    [said] = await post(Receiver(0))
    assert said.startswith("alerts.webhook cannot be told: POST alerts failed 6 times")


class MailServer:
    """The least of SMTP. `letters`: what it took; `secure`: whether what came then came by TLS."""

    def __init__(self, tls: ssl.SSLContext | None, *, ill: int = 0) -> None:
        self.tls = tls
        self.ill = ill
        self.letters: list[str] = []
        self.secure: list[bool] = []
        self.signed_in: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = False
        writer.write(b"220 mail.example ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.upper().partition(" ")[0]
            answer = "250 fine"
            if word == "EHLO":
                extra = "250-STARTTLS\r\n" if self.tls and not secure else ""
                answer = f"250-mail.example\r\n{extra}250 AUTH PLAIN"
            elif word == "STARTTLS":
                writer.write(b"220 go on\r\n")
                await writer.drain()
                await writer.start_tls(self.tls)  # type: ignore[arg-type]
                secure, answer = True, ""
            elif word == "AUTH":
                self.signed_in.append(line)
                answer = "235 welcome"
            elif word == "MAIL" and self.ill:
                self.ill -= 1
                answer = "451 not now, ops@shop.example"
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                letter = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.letters.append(letter.removesuffix("\r\n.\r\n"))
                self.secure.append(secure)
            elif word == "QUIT":
                answer = "221 bye"
            writer.write(f"{answer}\r\n".encode() if answer else b"")
            await writer.drain()
            if word == "QUIT":
                break
        writer.close()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side of TLS, who trust each other as `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "mail.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(pem).decode())


async def mail(server: MailServer, tls: ssl.SSLContext | None = None, **smtp: Any) -> list[str]:
    said: list[str] = []
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        settings = alerts(
            email="ops@shop.example",
            smtp={"host": "localhost", "port": port, "sender": "tajo@x.example", **smtp},
        )
        messengers = Messengers(settings, "https://tajo.example", VirtualClock(), said.append, tls=tls)
        await messengers.tell(ALARMS[:1])
    return said


async def test_a_letter_goes_by_tls_and_signs_in(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server = MailServer(tls[0])
    assert await mail(server, tls[1], user="tajo", password="s3cret") == []
    assert server.secure == [True]
    assert len(server.signed_in) == 1
    letter = message_from_string(server.letters[0], policy=policy.default)
    assert (letter["from"], letter["to"]) == ("tajo@x.example", "ops@shop.example")
    assert letter["subject"] == "Tajo: shop needs a human"
    assert "Mend: make another." in letter.get_content()


async def test_a_certificate_that_is_not_trusted_gets_no_letter(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server = MailServer(tls[0])
    assert await mail(server, password="s3cret", user="tajo") == [
        "alerts.email cannot be told: SSLCertVerificationError"
    ]
    assert (server.letters, server.signed_in) == ([], [])


async def test_only_a_mail_server_on_this_machine_may_do_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = MailServer(None), MailServer(None)
    assert await mail(near) == []
    assert len(near.letters) == 1
    monkeypatch.setattr("tajo.messengers._here", lambda _host: False)
    assert await mail(far) == ["alerts.email cannot be told: SMTPNotSupportedError"]
    assert far.letters == []


async def test_a_mail_server_that_is_ill_is_tried_again_and_never_quoted() -> None:
    assert await mail(server := MailServer(None, ill=2)) == []
    assert len(server.letters) == 1
    [said] = await mail(MailServer(None, ill=99))
    assert said == "alerts.email cannot be told: SMTPSenderRefused 451"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"webhook": "ftp://hooks.example/s3cret"}, "must be an address such as"),
        ({"webhook": "hooks.example/s3cret"}, "must be an address such as"),
        ({"webhook": "https://hooks.example/s3 cret"}, "holds a blank"),
        ({"email": "Ops <ops@shop.example>"}, "must be one e-mail address"),
        ({"email": "ops@shop.example\nBcc: x@y.example"}, "must be one e-mail address"),
    ],
)
def test_whom_to_tell_is_judged_when_the_configuration_is_read(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        alerts(**keys)
    [error] = caught.value.errors(include_input=False)  # type: ignore[attr-defined]
    assert "s3" not in str(error)
