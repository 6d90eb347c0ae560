"""Listen, until somebody says stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from h11 import LocalProtocolError
from starlette.types import ASGIApp

from tajo.errors import Mend

KEEP = 75  # seconds that an idle connection is kept: longer than proxies keep theirs to us
GRACE = 10  # seconds for requests that are under way when it stops
WAITING = 2048  # connections that may wait to be accepted


class _Server(uvicorn.Server):
    """Signals belong to whoever owns the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    listening: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve within the running loop until `stop` is set; what is under way then is finished.

    `port` 0 takes any free one; `listening` gets the URL as soon as the port is open. Raises `Mend` when
    it cannot be opened.
    """
    logging.getLogger("uvicorn.error").addFilter(_ours)
    with _listen(host, port) as listener, _settled():
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP,
            timeout_graceful_shutdown=GRACE,
            backlog=WAITING,
        )
        server = _Server(config)
        place = f"[{host}]" if ":" in host else host
        listening(f"http://{place}:{listener.getsockname()[1]}")
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(_stop(server, stop))
            await server.serve(sockets=[listener])
            stopping.cancel()


def _ours(record: logging.LogRecord) -> bool:
    """Whether a line tells of a mistake of ours: whoever sends garbage cannot fill the log.

    A `LocalProtocolError` is no mistake: the body was garbage, and has been answered 400 before we were done.
    """
    error = record.exc_info[1] if record.exc_info else None
    return record.levelno >= logging.ERROR and not isinstance(error, LocalProtocolError)


@contextmanager
def _settled() -> Iterator[None]:
    """The garbage collector leaves alone what is there already: looking through it halts all for 60 ms."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named so that asyncio knows TCP and sends small packets at once
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        raise Mend(
            f"cannot listen on {host}:{port}: {error.strerror}",
            "choose another `server.host` or `server.port`, or stop what listens there.",
        ) from None
    return listener
