"""Somebody attacks the two doors that are open to everybody, while the store goes on talking to us.

`tajo serve` as a process of its own beside both simulators; each attacker writes bytes to a socket.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from tajo.server import back_in_stock
from tajo.server.back_in_stock import origins_of
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.wishes import Wish, WishBox
from tajo.sync.recovery import link, read
from tajo.sync.weigh.desk import plausible
from tests.served import PLAIN, control, environment, served

VICTIM = "victim.of.it@private.example"
ATTACKERS = 64
REQUESTS = 10_000
PATIENCE = 0.3  # seconds that an attacker waits
PROMPT = 5.0  # seconds in which a webhook must be answered meanwhile


@dataclass
class House:
    """A `tajo serve` that runs. `log`: what it says."""

    env: dict[str, str]
    port: int
    log: Path

    def ask_store(self, path: str) -> list[dict[str, Any]]:
        """The rows of a list of the store's API."""
        url = f"{self.env['TAJO_BIGCOMMERCE_API_URL']}/stores/{self.env['BC_STORE_HASH']}{path}"
        answer = httpx.get(url, headers={"x-auth-token": self.env["BC_ACCESS_TOKEN"]}, verify=PLAIN)
        rows: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return rows

    def origin(self) -> bytes:
        """Where the pages of the store are, as a browser says it."""
        (origin,) = origins_of([self.ask_store("/v3/sites")[0]["url"]])
        return origin.encode()

    def link(self, connector: str = "bigcommerce", cart: int = 7, *, age: float = 0.0) -> str:
        """The path of a link that we might have made, to a cart that never was."""
        secret = Secret(self.env["TAJO_SECRET_KEY"].encode())
        return link(secret, "", connector, cart, time.time() - age)

    async def send(self, request: bytes, source: int = 0) -> bytes:
        """All that is answered to these bytes, sent from one of many addresses."""
        address = (f"127.0.{source // 200}.{source % 200 + 2}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=address)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        except (ConnectionError, TimeoutError):  # hung up on, or waited for because it broke off
            return b""
        finally:
            writer.close()


@dataclass
class Tally:
    """What the attackers were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    leaks: list[bytes] = field(default_factory=list)

    def note(self, answer: bytes) -> None:
        found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
        self.statuses[int(found[1]) if found else 0] += 1
        if VICTIM.encode() in answer or b"Traceback" in answer:
            self.leaks.append(answer)


@contextmanager
def serving(folder: Path) -> Iterator[House]:
    store = ("--customers", "3", "--orders", "3", "--products", "3", "--plan", "unlimited")
    with served("bigcommerce", *store) as shop, served("brevo", "--tier", "unlimited") as brevo:
        env = environment(shop, brevo, f"sqlite:///{folder}/tajo.db")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = f"server: {{public_url: http://127.0.0.1:{port}}}\nsync: {{inventory: true}}\n"
        (folder / "tajo.yaml").write_text(settings)
        command = [sys.executable, "-m", "tajo", "serve", "--port", str(port)]
        log = folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out)
        try:
            yield House(env, port, log)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("house")) as made:
        end = time.monotonic() + 60
        while (
            "the history is told" not in made.log.read_text()
            or not control(made.env, "bigcommerce", "hooks").text
        ):
            assert time.monotonic() < end, made.log.read_text()
            time.sleep(0.1)
        yield made


# -- what is thrown at the doors


def request(method: str, path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Bytes as a browser sends them; the path and the headers as they are given."""
    head = [
        method.encode() + b" " + path + b" HTTP/1.1",
        b"host: tajo.example",
        b"connection: close",
        *headers,
    ]
    if body and not any(one.lower().startswith((b"content-length", b"transfer-encoding")) for one in headers):
        head.append(b"content-length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


PATHS = [
    b"/r/", b"/r", b"/r//", b"/r/a/b", b"/r/../v1/back-in-stock", b"/r/..%2f..%2fetc%2fpasswd",
    b"/r/%2e%2e/%2e%2e/etc/passwd", b"/r/%00", b"/r/%0d%0aset-cookie:%20x=1", b"/r/%ff%fe", b"/r/%",
    b"/r/%zz", b"/r/\xff\xfe", b"/r/" + b"A" * 401, b"/r/" + b"A" * 60_000, b"/r/" + b"%41" * 133,
    b"/r/====", b"/r/-_-_", b"/r/\xe2\x80\xae", b"/r/x?token=y#z", b"/r/x;y=1", b"//r/x",
    b"http://evil.example/r/x", b"*", b"/R/x", b"/v1/back-in-stock/", b"/v1//back-in-stock",
    b"/v1/back-in-stock%00", b"/v1/../r/x", b"/v1/back-in-stock?x=%ff",
]  # fmt: skip
METHODS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "G\x01T",
]  # fmt: skip
HEADERS: list[list[bytes]] = [
    [], [b"x-forwarded-for: 1.2.3.4, ::1, nonsense"], [b"x-forwarded-for: ,,,"],
    [b"x-forwarded-for: \xff\xfe"], [b"x-forwarded-proto: javascript"], [b"host: evil.example"],
    [b"origin: null"], [b"origin: \xff\xff"], [b"origin: https://shop.example\x00.evil.example"],
    [b"sec-purpose: \xff"], [b"content-length: -1"], [b"content-length: 1e9"],
    [b"content-length: 99999999999999999999"], [b"content-length: 5", b"content-length: 6"],
    [b"transfer-encoding: chunked", b"content-length: 4"], [b"transfer-encoding: gzip, chunked"],
    [b"expect: 100-continue"], [b"upgrade: websocket", b"connection: upgrade"],
    [b"cookie: " + b"a" * 30_000], [b"a: b"] * 300, [b"content-type: multipart/form-data"],
    [b"accept-encoding: zstd;q=nan"], [b" folded: x"], [b"x: y\r\n\tz"], [b"no colon"], [b": no name"],
    [b"if-none-match: *", b"range: bytes=0-0,9-"],
]  # fmt: skip
WRONG = [
    b"", b"null", b"[]", b"{}", b'"x"', b"1", b"NaN", b"{", b"[" * 1_500, b'{"a":' * 300, b"\xff\xfe\x00",
    b"\x00" * 1_999, b"x" * 2_001, b"x" * 200_000, b"product_id=1&email=a%40b.example", b"\xef\xbb\xbf{}",
    b"{}{}", b'{"product_id":1}',
]  # fmt: skip
FIELDS: dict[str, list[object]] = {
    "product_id": [
        101, 0, -1, 2**63, 2**63 - 1, 10**400, 1.5, 1e300, "101", "1e3", True, None, [1], {}, "' OR 1=1",
    ],
    "variant_id": [None, 0, 1, -1, 2**63 - 1, "1", [], 0.5],
    "email": [
        VICTIM, "", "@", "a@b", "a@@b.example", "a@b.example\r\nbcc: c@d.example", "\x00@b.example",
        "\ud800@b.example", "é@b.example", "a" * 250 + "@b.example", "a@" + "b" * 240, "<script>@b.example",
        None, 5, [VICTIM], {"a": VICTIM}, "a@\u202eb.example", "a b@c.example",
        "'; drop table wishes; --@b.example",
    ],
    "connector": ["bigcommerce", "", "other", "../x", "\x00", None, 5, "a" * 900],
    "website": ["", "https://spam.example", None, 1],
    "more": [None, {"deep": [[[[]]]]}],
}  # fmt: skip


class Attack:
    """Requests without end, drawn from a seed."""

    def __init__(self, house: House, seed: int) -> None:
        self._house = house
        self._dice = random.Random(seed)
        self._origin = b"origin: " + house.origin()

    def next(self) -> bytes:
        return self._dice.choice([self._link, self._path, self._wish, self._wish, self._wrong, self._noise])()

    def _link(self) -> bytes:
        """A token of ours that leads nowhere, and what is nearly one."""
        dice = self._dice
        token = self._house.link(dice.choice(("bigcommerce", "other")), dice.randrange(1, 2**40))
        if dice.random() < 0.3:
            token = self._house.link(age=40 * 86400)
        if dice.random() < 0.5:
            place = dice.randrange(3, len(token))
            token = token[:place] + dice.choice("A-_=%/é") + token[place + 1 :]
        return request(dice.choice(("GET", "HEAD")), token.encode(), *dice.choice(HEADERS))

    def _path(self) -> bytes:
        return request(self._dice.choice(METHODS), self._dice.choice(PATHS), *self._dice.choice(HEADERS))

    def _wish(self) -> bytes:
        dice = self._dice
        fields = {name: dice.choice(values) for name, values in FIELDS.items() if dice.random() < 0.7}
        body = json.dumps({"product_id": 101, "email": VICTIM} | fields).encode()
        more = dice.choice(HEADERS) if dice.random() < 0.2 else []
        return request("POST", b"/v1/back-in-stock", self._origin, *more, body=body)

    def _wrong(self) -> bytes:
        body = self._dice.choice(WRONG)
        if self._dice.random() < 0.2:
            body = b"%x\r\n%b\r\n" % (len(body), body) + self._dice.choice(
                (b"0\r\n\r\n", b"-1\r\n", b"zz\r\n")
            )
            return request(
                "POST", b"/v1/back-in-stock", self._origin, b"transfer-encoding: chunked", body=body
            )
        return request("POST", b"/v1/back-in-stock", self._origin, *self._dice.choice(HEADERS), body=body)

    def _noise(self) -> bytes:
        """What is no HTTP at all, and what breaks off."""
        dice = self._dice
        whole = self._wish()
        noise = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 400)))
        return dice.choice(
            [noise, b"\r\n\r\n", b"\x16\x03\x01" + noise, b"GET /r/x HTTP/9.9\r\n\r\n", whole + whole]
        )


# -- and what comes of it


async def hear(house: House, over: asyncio.Event) -> tuple[Counter[int], float]:
    """The store's own webhooks meanwhile: how they are answered, and how long the slowest took."""
    (hook, *_) = house.ask_store("/v3/hooks")
    body: dict[str, Any] = {"scope": "store/order/updated", "data": {"type": "order", "id": 1}}
    body |= {"producer": f"stores/{house.env['BC_STORE_HASH']}", "created_at": int(time.time())}
    url, statuses, slowest = (
        f"http://127.0.0.1:{house.port}/webhooks/bigcommerce/bigcommerce",
        Counter[int](),
        0.0,
    )
    async with httpx.AsyncClient(timeout=20, verify=PLAIN) as store:
        while not over.is_set():
            began = time.monotonic()
            statuses[(await store.post(url, json=body, headers=hook["headers"])).status_code] += 1
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.02)
    return statuses, slowest


async def test_garbage_meets_no_mistake_of_ours_and_the_store_is_heard_all_the_while(house: House) -> None:
    attack, tally, over, left = Attack(house, 1), Tally(), asyncio.Event(), iter(range(REQUESTS))

    async def attacker(number: int) -> None:
        for count in left:
            tally.note(await house.send(attack.next(), (number * 31 + count) % 5_000))

    hearing = asyncio.create_task(hear(house, over))
    await asyncio.gather(*(attacker(number) for number in range(ATTACKERS)))
    over.set()
    heard, slowest = await hearing
    assert tally.leaks == []
    assert [status for status in tally.statuses if status >= 500] == []
    assert tally.statuses.keys() >= {202, 400, 403, 404, 405, 410, 413, 429}, "every door was tried"
    assert heard.keys() == {200}
    assert slowest < PROMPT
    log = house.log.read_text()
    assert "Traceback" not in log
    assert "@" not in log
    assert len(log.splitlines()) < 100, "whoever sends garbage does not fill the log"


async def test_the_doors_are_open_afterwards(house: House) -> None:
    body = json.dumps({"product_id": 101, "email": VICTIM}).encode()
    wish = request("POST", b"/v1/back-in-stock", b"origin: " + house.origin(), body=body)
    answers = Tally()
    for source in range(6_000, 6_100):  # the limit for all lets one through every twentieth of a second
        answers.note(await house.send(wish, source))
        if answers.statuses[202]:
            break
    answers.note(await house.send(request("GET", house.link().encode())))
    assert answers.statuses.keys() - {429} == {202, 410}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(FIELDS["email"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
asked = st.dictionaries(st.sampled_from(sorted(FIELDS)), anything).map(lambda said: json.dumps(said).encode())


class Taken(WishBox):
    """A box that has room for everything."""

    def __init__(self) -> None:
        self.secret = Secret(b"s" * 32)

    async def take(self, connector: str, wish: Wish) -> None:
        assert (0 < wish.product < 2**63, 0 <= wish.variant < 2**63) == (True, True)
        assert plausible(wish.email(self.secret))


@given(st.binary(max_size=3_000) | asked, st.text(max_size=60))
def test_any_body_of_any_caller_is_a_wish_or_refused(body: bytes, caller: str) -> None:
    app = Starlette(routes=back_in_stock.routes({"shop": {"https://shop.example"}}, Taken(), lambda: 0.0))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(caller, 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://tajo.example") as client:
            origin = {"origin": "https://shop.example"}
            return await client.post("/v1/back-in-stock", content=body, headers=origin)

    assert asyncio.run(ask()).status_code in {202, 400, 403, 413}


@given(st.text(max_size=500) | st.from_regex(r"[A-Za-z0-9_-]{0,420}={0,3}", fullmatch=True))
def test_any_token_that_is_not_ours_is_none(token: str) -> None:
    assert read(Secret(b"s" * 32), token) is None
