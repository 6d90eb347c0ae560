"""Tajo as a server: what comes in over HTTP.

`ingestion` takes callbacks and thanks for them once they are on disk, `bodies` reads no more than is
reasonable, `problems` are the answers that are no success, `counting` counts callbacks by what came of them,
`app` puts it all together and `serve` listens.
"""

from tajo.server.app import make_app
from tajo.server.back_in_stock import origins_of
from tajo.server.counting import Counted
from tajo.server.ingestion import BrevoDoor, Door
from tajo.server.recovery import Recovery
from tajo.server.serve import serve

__all__ = ["BrevoDoor", "Counted", "Door", "Recovery", "make_app", "origins_of", "serve"]
