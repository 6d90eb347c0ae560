"""The order statuses by id (orders.v2; facts, section 3). Merchants rename them: map by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .shapes import Record

STATUSES: Final[tuple[tuple[str, str], ...]] = (
    ("Incomplete", "The shopper reached the payment page, but did not complete the transaction."),
    ("Pending", "The customer started the checkout process, but did not complete it."),
    ("Shipped", "The order has been shipped, but receipt has not been confirmed."),
    ("Partially Shipped", "Only some items in the order have been shipped."),
    ("Refunded", "The full amount has been refunded."),
    ("Cancelled", "The order was cancelled."),
    ("Declined", "The order was declined by the seller."),
    ("Awaiting Payment", "The customer completed checkout, but payment is to be confirmed."),
    ("Awaiting Pickup", "The order is packed and awaits pickup."),
    ("Awaiting Shipment", "The order is packed and awaits collection by the carrier."),
    ("Completed", "The order has been shipped or picked up and receipt is confirmed."),
    ("Awaiting Fulfillment", "The customer completed checkout and payment is confirmed."),
    ("Manual Verification Required", "The order is on hold while an aspect is reviewed."),
    ("Disputed", "The customer has started a dispute over the transaction."),
    ("Partially Refunded", "A part of the order has been refunded."),
)


def status(status_id: int) -> Record:
    """The three fields of an order that follow from its status id."""
    name = STATUSES[status_id][0]
    return {"status_id": status_id, "status": name, "custom_status": name}
