"""The dashboard: pages for people, drawn on the server. They work without a script; with one they stay fresh.

`house` is what the pages stand on, `frame` how one is drawn and how something is done from it; `verdict` says
whether a connector is in agreement and what a human is to do, `words` and `charts` how things are put. The
pages themselves: `overview`, `activity`, `runs`, `failures`, `hooks`, `preview`, `skills`, `doctor`,
`settings`, and `door` for who comes in. `trouble` says what went wrong.
"""

from tajo.web.dashboard.house import Outlook, open_house
from tajo.web.dashboard.routes import routes
from tajo.web.dashboard.trouble import answered

__all__ = ["Outlook", "answered", "open_house", "routes"]
