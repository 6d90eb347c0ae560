"""The check of discounts: whether the codes that skills promise can be made valid in the store."""

from __future__ import annotations

from collections.abc import Sequence

from tajo.bigcommerce import Declined
from tajo.bigcommerce.api import scope
from tajo.doctor.report import Finding, fine, mend, some
from tajo.doctor.scopes import NEW_SCOPE
from tajo.doctor.visit import Visit

NO_CODE = "/v3/promotions/0/codes/0"


async def codes(visit: Visit) -> Sequence[Finding]:
    """May we make codes? One that cannot be there is deleted, which changes nothing (promotions.v3:
    deleteCouponCode).
    """
    promising = [
        f"the skill {name}"
        for name, skill in visit.whole.skills.skills.items()
        if skill.enabled and any(step.discount for step in skill.steps)
    ]
    if not promising:
        return []
    try:
        await visit.store.send("DELETE", NO_CODE, route="/v3/promotions/{promotion_id}/codes/{code_id}")
    except Declined as no:
        if no.status == 401:
            raise
        if no.status == 403:
            needed = scope(NO_CODE).replace("_read_only", "")
            return [
                mend(
                    f"The access token lacks the scope {needed}, to modify: the store would take no discount "
                    f"code, so the steps of {some(promising)} that promise one will wait.",
                    f"leave discounts out (`sequence` under the skill replaces its steps), or {NEW_SCOPE}",
                )
            ]
    return [fine("Discount codes can be made valid in the store.")]
