"""`tajo audit`: both sides are read, and each difference is shown, or there is none.

The store is read as a full sync reads it, on a copy of the ledger of which nothing counts as told. So
whatever Brevo should hold is rendered by the sync's own way, from the ledger's own facts. It is not sent, but
compared with what Brevo's lists show. What differs is looked at once more, on both sides, before it is called
a difference: neither of them stands still meanwhile.
"""

from tajo.audit.auditor import audit

__all__ = ["audit"]
