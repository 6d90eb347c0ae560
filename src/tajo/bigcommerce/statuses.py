"""What the numbers of order statuses mean (orders.v2, `GET /order_statuses`)."""

UNFINISHED = frozenset({0})
"""Incomplete: the shopper reached the payment page and went no further."""

UNSOLD = UNFINISHED | {1, 6}
"""Pending and Declined are not paid either."""

REFUNDED = frozenset({4, 14})
"""Money was given back: Refunded, Partially Refunded."""
