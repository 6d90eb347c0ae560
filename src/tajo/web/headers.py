"""What browsers are told with every answer, and under which names this server may be reached."""

from __future__ import annotations

from collections.abc import Collection

from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.datastructures import ResponseHeader

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

CAREFUL = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

HEADERS = [ResponseHeader(name=name, value=value) for name, value in CAREFUL.items()]


def known_as(hosts: Collection[str]) -> AllowedHostsConfig:
    """Requests for other hosts are refused: a name of somebody else's that points here is not ours."""
    return AllowedHostsConfig(allowed_hosts=sorted(hosts), www_redirect=False)
