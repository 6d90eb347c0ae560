"""The few pages that a shopper may see: plain, whole in themselves, and kept by nobody."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape

from starlette.responses import Response

_STYLE = """
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
li { margin: .4rem 0; overflow-wrap: anywhere }
a.button { display: inline-block; margin-top: 1rem; padding: .7rem 1.4rem; border-radius: .5rem;
  background: #1f4bd8; color: #fff; text-decoration: none; font-weight: 600 }
a.button:focus-visible { outline: 3px solid; outline-offset: 3px }
"""

#: Nothing is loaded, sent or framed; the one style is known by its hash.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PRIVATE = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
"""Headers of every answer to somebody who followed a link that is theirs alone."""


def page(
    title: str,
    text: str,
    *,
    status: int = 200,
    items: Sequence[str] = (),
    button: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page that says one thing. `button`: what stands on it, and where it leads (empty: here again)."""
    listed = "".join(f"<li>{escape(item)}</li>" for item in items)
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex, nofollow">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p>"
        + (f"<ul>{listed}</ul>" if listed else "")
        + (f'<a class="button" href="{escape(button[1])}">{escape(button[0])}</a>' if button else "")
        + "</main></body></html>\n"
    )
    return Response(body, status, {**PRIVATE, **(headers or {})}, "text/html")
