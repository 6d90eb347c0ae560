"""A write as the one request that tells it alone, for people who want to see it before it goes."""

from __future__ import annotations

from tajo.brevo.batch_outbox import WAYS
from tajo.brevo.contact_payload import lane_of, renaming, single
from tajo.sync.model import Resource, Write


def request(write: Write) -> tuple[str, bytes]:
    """Method and path, and the exact body. Many writes travel together; what is said of each is the same."""
    if write.person:
        if write.rename is not None:
            return f"PUT /v3/contacts/{write.rename}", renaming(write.body, lane_of(write.lane))
        return "POST /v3/contacts", single(write.body, lane_of(write.lane))
    resource = write.key.resource
    way = WAYS[Resource.PRODUCTS if resource is Resource.VARIANTS else resource]
    path = way.single(write.lane)
    if path:
        return f"POST /v3{path}", way.single_body(write.body)
    return f"POST /v3{way.path}", way.batch_body(write.lane, [write.body])
