"""Moments: aware datetimes in records, seconds since 1970 in the ledger."""

from datetime import UTC, datetime


def seconds(moment: datetime | None) -> float:
    """Seconds since 1970; 0.0 for none."""
    return 0.0 if moment is None else moment.timestamp()


def moment(seconds: float) -> datetime:
    """The moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
