"""A simulated BigCommerce: one store, its REST API and its webhooks, as strict as the real one.

    app = create_app(generate(customers=1000), plan="unlimited")     # an ASGI application
    app = create_app(load(Path("exports/shop")), faults=Faults(seed=7))

`python -m tajo.sandbox.bigcommerce` serves one on a port of this machine.
"""

from .app import CLIENT_ID, CLIENT_SECRET, TOKEN, create_app
from .deliveries import signature
from .faults import Faults
from .limits import PLANS
from .sources import generate, load
from .store import Store

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "PLANS",
    "TOKEN",
    "Faults",
    "Store",
    "create_app",
    "generate",
    "load",
    "signature",
]
