"""Why does it not work? Looks at a connector's two accounts and says what a human should mend.

`examine` makes the `CHECKS` one after another. A check whose door is closed says so once, and those that
need it are left out. Nothing is changed on either side, and no finding holds a secret, an e-mail address or
any other personal datum. docs/troubleshooting.md tells each check's symptom, cause and mend.

`report` is what comes out, `visit` what goes in; the checks are in `store`, `scopes`, `hooks`,
`carts`, `discounts`, `account`, `data` and `storefronts`, their table in `checks`.
"""

from tajo.doctor.checks import CHECKS, Heed, examine, unheeded
from tajo.doctor.report import Finding, Report

__all__ = ["CHECKS", "Finding", "Heed", "Report", "examine", "unheeded"]
