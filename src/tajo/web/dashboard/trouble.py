"""What went wrong: a page for people, problem details for programs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.response import Redirect

from tajo.web.dashboard.frame import HTML, drawn
from tajo.web.refusals import problem_of, refused

PROGRAMS = ("/v1/", "/metrics", "/openapi.json", "/static/")

TITLES = {
    400: "That was not understood",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "There is nothing here",
    408: "That took too long",
    409: "Somebody else is at work there",
    413: "That was too large",
    422: "That does not work",
    424: "Something needs a human",
    429: "Too often",
    500: "Something is wrong in Tajo itself",
    503: "Not now",
}


def answered(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A page where a browser shows it to somebody; who is not signed in may do so first."""
    if not _shown(request):
        return refused(request, error)
    problem, headers = problem_of(error)
    if problem.status == 401:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = request.method == "GET" and wanted != "/"
        return Redirect(f"/signin?{urlencode({'next': wanted})}" if asked else "/signin", status_code=303)
    text = drawn(
        "trouble.html",
        status=problem.status,
        title=TITLES.get(problem.status, problem.title),
        detail=problem.detail,
        mend=problem.mend,
        wait=headers.get("retry-after", ""),
    )
    return Response(text, status_code=problem.status, media_type=HTML, headers=headers)


def _shown(request: Request[Any, Any, Any]) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(PROGRAMS)
