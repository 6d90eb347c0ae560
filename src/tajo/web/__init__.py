"""The verbs over HTTP, for programs and for people: `/v1`, and the dashboard.

`api` are the routes for programs, `jobs` the syncs that run behind them, `callers` says who calls and what
they may do, `refusals` turns errors into problem details, `app` puts it all together.
"""

from tajo.web.app import open_faces
from tajo.web.dashboard import Outlook

__all__ = ["Outlook", "open_faces"]
