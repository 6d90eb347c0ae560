"""Tajo as a server: what comes in over HTTP.

`ingestion` takes callbacks and thanks for them once they are on disk, `bodies` reads no more than is
reasonable, `problems` are the answers that are no success, `app` puts them together and `serve` listens.
"""

from tajo.server.app import make_app
from tajo.server.ingestion import BrevoDoor, Door
from tajo.server.serve import serve

__all__ = ["BrevoDoor", "Door", "make_app", "serve"]
