"""Brevo, where data goes: an account that is told about a store.

`Rules` say what the merchant wants, `Api` speaks to the account, `BrevoDestination` is the door that
`tajo.sync` knows. Inside: `limits` (when a call may go), `attributes` and `phones` (what a value must
look like), `contact_payload` and `commerce_payloads` (pure rendering), `account` (getting it ready),
`contacts` and `batch_outbox` with its `crew` (sending), `actions` and `coupons` (what automations do). For
people who look before they sync: `requests` (one write as it would go), `differences` (what it would change),
`forecast` (calls).
"""

from tajo.brevo.api import Api, Rejected, SwitchedOff
from tajo.brevo.destination import BrevoDestination
from tajo.brevo.limits import AccountLimits
from tajo.brevo.rules import CartLayout, ConsentMode, Lists, Rules, StorefrontRules
from tajo.brevo.tracing import Traced

__all__ = [
    "AccountLimits",
    "Api",
    "BrevoDestination",
    "CartLayout",
    "ConsentMode",
    "Lists",
    "Rejected",
    "Rules",
    "StorefrontRules",
    "SwitchedOff",
    "Traced",
]
