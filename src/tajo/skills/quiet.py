"""Hours in which nobody is written to, by the clock on the wall of whoever would get it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tajo.skills.values import Quiet


def is_quiet(hours: Quiet, moment: float, zone: ZoneInfo) -> bool:
    """Whether it is quiet there at this moment."""
    wall = datetime.fromtimestamp(moment, zone).time()
    if hours.start < hours.end:
        return hours.start <= wall < hours.end
    return wall >= hours.start or wall < hours.end


def quiet_until(hours: Quiet, moment: float, zone: ZoneInfo) -> float | None:
    """When it is quiet no more; None if it is not quiet now.

    Where a change of the clock leaves the end out, or repeats it, this is the first minute after it.
    """
    if not is_quiet(hours, moment, zone):
        return None
    wall = datetime.fromtimestamp(moment, zone)
    ahead = timedelta(days=0 if wall.time() < hours.end else 1)
    day = wall.date() + ahead
    ends = [datetime.combine(day, hours.end, zone).replace(fold=fold).timestamp() for fold in (0, 1)]
    until = min(ends)
    while until <= moment or is_quiet(hours, until, zone):
        until += 60
    return until
