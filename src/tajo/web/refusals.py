"""What could not be done, as problem details (RFC 9457).

Besides `type`, `title`, `status` and `detail` they have `mend`, what a human can do about it, and `kind`: the
consequence as in `tajo.errors`, so that the SDK raises what the verb raised. Nothing that was received is
quoted, but for words that a verb itself found worth naming.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from tajo.errors import Busy, Later, Mend, Refused, TajoError, Unknown, Usage, gravest

MEDIA_TYPE = "application/problem+json"

STATUSES: tuple[tuple[type[TajoError], str, int], ...] = (
    (Unknown, "unknown", 404),
    (Usage, "usage", 422),
    (Busy, "busy", 409),
    (Mend, "mend", 424),
    (Later, "later", 503),
    (Refused, "refused", 422),
)
"""Kind and status of each error; the first that fits. 424: something that it depends on fails."""

_log = logging.getLogger(__name__)


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something could not be done. `kind`: unknown, usage, busy, mend, later or refused."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    kind: str = ""
    mend: str = ""


def problem_of(error: BaseException) -> tuple[Problem, dict[str, str]]:
    """The problem, and the headers that go with it."""
    error = gravest(error)
    if isinstance(error, TajoError):
        kind, status = next((kind, status) for of, kind, status in STATUSES if isinstance(error, of))
        detail = error.problem if isinstance(error, Mend) else str(error)
        mend = error.mend if isinstance(error, Mend) else ""
        headers = {"retry-after": f"{max(1, error.seconds):.0f}"} if isinstance(error, Later) else {}
        return Problem(title=_title(status), status=status, detail=detail, kind=kind, mend=mend), headers
    if isinstance(error, RecursionError):
        return Problem(title=_title(400), status=400, detail="the body is nested too deeply"), {}
    if isinstance(error, ValidationException):
        return Problem(title=_title(422), status=422, detail=_wrong(error), kind="usage"), {}
    if isinstance(error, HTTPException):
        detail = "" if error.detail == _title(error.status_code) else error.detail
        headers = dict(error.headers or {})
        return Problem(title=_title(error.status_code), status=error.status_code, detail=detail), headers
    _log.error("a request failed: %s", type(error).__name__)
    return Problem(title=_title(500), status=500, detail="something is wrong in Tajo itself"), {}


def refused(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer."""
    problem, headers = problem_of(error)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def _wrong(error: ValidationException) -> str:
    """Which part of the request is wrong and how; never its value."""
    found = error.extra if isinstance(error.extra, list) else []
    words = [
        f"{one.get('key') or one.get('source') or 'body'}: {one.get('message')}"
        for one in found
        if isinstance(one, dict)
    ]
    return "; ".join(words) or "the request is not as it should be"
