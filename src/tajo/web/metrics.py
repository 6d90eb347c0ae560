"""`GET /metrics`: how this server does, for Prometheus, who shows a key with the scope `read`."""

from __future__ import annotations

import asyncio

from litestar import get
from litestar.datastructures import State
from litestar.response import Response

from tajo.access import Scope
from tajo.meters import CONTENT_TYPE, Meters
from tajo.web.callers import may


@get("/metrics", guards=[may(Scope.READ)], include_in_schema=False)
async def metrics(state: State) -> Response[bytes]:
    """All metrics, written in a thread: with a hundred connectors they are thousands of lines."""
    meters: Meters = state.meters
    return Response(await asyncio.to_thread(meters.exposition), media_type=CONTENT_TYPE)
