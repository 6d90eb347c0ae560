"""The polite client: what it tries again, how long it waits, and what it leaves to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.errors import Later
from tajo.http import USER_AGENT, Client, Lost, Patience
from tests.virtual_clock import VirtualClock

ROUTE = "GET /things"
Reply = httpx.Response | Exception


class OpenDoor:
    """Limits that let everyone in, and pass on a 429's time."""

    def __init__(self) -> None:
        self.admitted: list[str] = []
        self.learned: list[tuple[str, int]] = []

    async def admit(self, route: str) -> None:
        self.admitted.append(route)

    def learn(self, route: str, status: int, headers: Mapping[str, str]) -> float | None:
        self.learned.append((route, status))
        return float(headers["x-wait"]) if "x-wait" in headers else None


class Server:
    """Answers with one reply after the other, the last one for ever; an exception is a lost connection."""

    def __init__(self, *replies: Reply) -> None:
        self.replies: Iterator[Reply] = iter(replies)
        self.last: Reply = replies[-1]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = next(self.replies, self.last)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


class Desk:
    """A client with a virtual clock, open limits and a server."""

    def __init__(self, *replies: Reply, patience: Patience | None = None) -> None:
        self.server, self.clock, self.limits = Server(*replies), VirtualClock(), OpenDoor()
        self.client = Client(
            "https://api.example.com/v9/",
            {"x-secret": "s3cret"},
            self.limits,
            clock=self.clock,
            patience=patience,
            transport=httpx.MockTransport(self.server),
        )


GOOD = httpx.Response(200, content=b'{"a": 1}')
BUSY = httpx.Response(503, content=b"<html>")


async def test_a_success_comes_decoded() -> None:
    desk = Desk(GOOD)
    answer = await desk.client.request("GET", "/things", route=ROUTE, params={"id:in": "1,2"})
    assert answer.ok
    assert answer.value == {"a": 1}
    assert str(desk.server.requests[0].url) == "https://api.example.com/v9/things?id%3Ain=1%2C2"


async def test_each_request_says_who_we_are_and_what_we_want() -> None:
    desk = Desk(GOOD)
    await desk.client.request("GET", "/things", route=ROUTE)
    await desk.client.request("POST", "/things", route="POST /things", body=b"{}")
    read, write = desk.server.requests
    assert read.headers["user-agent"] == USER_AGENT
    assert read.headers["accept"] == "application/json"
    assert read.headers["x-secret"] == "s3cret"
    assert "content-type" not in read.headers
    assert write.headers["content-type"] == "application/json"


async def test_an_empty_success_has_no_value() -> None:
    assert (await Desk(httpx.Response(204)).client.request("GET", "/things", route=ROUTE)).value is None


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 413, 422, 507])
async def test_a_refusal_is_returned_at_once_and_not_decoded(status: int) -> None:
    desk = Desk(httpx.Response(status, content=b"<html>no"))
    answer = await desk.client.request("GET", "/things", route=ROUTE)
    assert (answer.status, answer.ok, answer.body) == (status, False, b"<html>no")
    assert len(desk.server.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        *(httpx.Response(status) for status in (408, 425, 429, 500, 502, 503, 504, 520, 524)),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(200, content=b'{"a": 1'),
        httpx.Response(200, content=b"<html>maintenance</html>"),
    ],
    ids=lambda reply: getattr(reply, "status_code", type(reply).__name__),
)
async def test_what_may_heal_is_tried_again(trouble: Reply) -> None:
    desk = Desk(trouble, trouble, GOOD)
    assert (await desk.client.request("GET", "/things", route=ROUTE)).value == {"a": 1}
    assert len(desk.server.requests) == 3


async def test_a_final_status_is_not_tried_again() -> None:
    desk = Desk(BUSY)
    answer = await desk.client.request("GET", "/things", route=ROUTE, final=frozenset({503}))
    assert answer.status == 503
    assert len(desk.server.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [BUSY, httpx.ReadError("cut"), httpx.ReadTimeout("slow"), httpx.Response(201, content=b'{"id')],
    ids=lambda reply: getattr(reply, "status_code", type(reply).__name__),
)
async def test_what_must_not_be_said_twice_is_lost_with_its_answer(trouble: Reply) -> None:
    desk = Desk(httpx.Response(429), httpx.ConnectError("refused"), trouble, GOOD)
    with pytest.raises(Lost, match=r"^GET /things: its answer got lost"):
        await desk.client.request("GET", "/things", route=ROUTE, once=True)
    assert len(desk.server.requests) == 3  # what certainly was not taken was tried again


async def test_a_body_of_another_shape_is_not_asked_for_again() -> None:
    def decode(body: bytes) -> dict[str, str]:
        return msgspec.json.decode(body, type=dict[str, str])

    desk = Desk(GOOD)
    with pytest.raises(msgspec.ValidationError):
        await desk.client.request("GET", "/things", route=ROUTE, decode=decode)
    assert len(desk.server.requests) == 1


async def test_it_waits_twice_as_long_each_time_up_to_a_limit() -> None:
    desk = Desk(BUSY, patience=Patience(attempts=7, first=1, longest=8))
    with suppress(Later):
        await desk.client.request("GET", "/things", route=ROUTE)
    steps = [1, 2, 4, 8, 8, 8]  # none after the last attempt
    assert len(desk.clock.slept) == len(steps)
    assert all(step / 2 <= pause <= step for step, pause in zip(steps, desk.clock.slept, strict=True))


async def test_a_429_that_tells_its_time_is_believed() -> None:
    desk = Desk(httpx.Response(429, headers={"x-wait": "17.5"}), GOOD)
    await desk.client.request("GET", "/things", route=ROUTE)
    assert desk.clock.slept == [17.5]


async def test_a_429_that_tells_no_time_is_backed_off_from() -> None:
    desk = Desk(httpx.Response(429), httpx.Response(429), GOOD, patience=Patience(first=4))
    await desk.client.request("GET", "/things", route=ROUTE)
    first, second = desk.clock.slept
    assert 2 <= first <= 4 <= second <= 8


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (BUSY, "HTTP 503"),
        (httpx.ConnectTimeout("x"), "ConnectTimeout, nobody answers at api.example.com"),
        (httpx.ReadTimeout("x"), "ReadTimeout"),
        (httpx.Response(200, content=b"["), "a body that breaks off"),
    ],
)
async def test_when_patience_ends_it_says_later_and_why(trouble: Reply, word: str) -> None:
    desk = Desk(trouble, patience=Patience(attempts=3))
    with pytest.raises(Later, match=rf"^GET /things failed 3 times, lastly: {word}$") as caught:
        await desk.client.request("GET", "/things?email=jane@example.com", route=ROUTE)
    assert caught.value.seconds > 0
    assert len(desk.server.requests) == 3


async def test_every_attempt_is_admitted_and_counted_by_route() -> None:
    desk = Desk(BUSY, httpx.ReadError("x"), GOOD)
    await desk.client.request("GET", "/things", route=ROUTE)
    await desk.client.request("GET", "/others", route="GET /others")
    assert desk.limits.admitted == [ROUTE] * 3 + ["GET /others"]
    assert desk.client.calls == {ROUTE: 3, "GET /others": 1}
    assert desk.limits.learned == [(ROUTE, 503), (ROUTE, 200), ("GET /others", 200)]
    await desk.client.close()


@given(st.integers(1, 500), st.floats(0.001, 100), st.floats(0.001, 1000))
def test_no_pause_is_ever_longer_than_the_longest(attempt: int, first: float, longest: float) -> None:
    pause: Callable[[int], float] = Patience(first=first, longest=longest).pause
    assert 0 < pause(attempt) <= longest
