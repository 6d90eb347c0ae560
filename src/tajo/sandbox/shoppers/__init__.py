"""Simulated shoppers and staff, who make a simulated store live.

    shoppers = Shoppers(store_url, store_hash, access_token, brevo_url, brevo_key, seed=1)
    await shoppers.step()  # "Somebody pays an order (202)."

What they do next follows from the seed and from what the store answered before (`choice`, `town`); only
`crowd` speaks HTTP.
"""

from .choice import WEIGHTS, Action
from .crowd import Shoppers

__all__ = ["WEIGHTS", "Action", "Shoppers"]
