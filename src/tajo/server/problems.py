"""Answers that are no success, as problem details (RFC 9457). They quote nothing that was received."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


async def problem(_request: Request, error: Exception) -> Response:
    """What an `HTTPException` says; of any other error only that there was one."""
    refusal = error if isinstance(error, HTTPException) else HTTPException(500)
    status = HTTPStatus(refusal.status_code)
    said = {"type": "about:blank", "title": status.phrase, "status": status.value}
    if refusal.detail != status.phrase:
        said["detail"] = refusal.detail
    return Response(msgspec.json.encode(said), status, refusal.headers, "application/problem+json")
