"""Reading a request's body, and no more of it than is reasonable."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive

PATIENCE = 10.0  # seconds in which a body must have come


async def read_body(headers: Headers, receive: Receive, *, largest: int) -> bytes:
    """The whole body. Raises `HTTPException`: 413 beyond `largest` bytes, 408 after `PATIENCE` seconds.

    What is announced as too large is not read at all, and what turns out so no further than that.
    """
    if _announced(headers) > largest:
        raise _too_large(largest)
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(PATIENCE):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400, "the body breaks off")  # nobody is left to read it
                body += message.get("body", b"")
                if len(body) > largest:
                    raise _too_large(largest)
                more = message.get("more_body", False)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {PATIENCE:g} seconds") from None
    return bytes(body)


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def _too_large(largest: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {largest:,} bytes")
