"""Background processes: `/processes`, and the CSV reports of finished imports (brevo.md section 2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from .wire import Answer, Refusal, page_of

if TYPE_CHECKING:
    from .account import Account
    from .wire import Call

Status = Literal["queued", "processing", "completed", "failed", "cancelled"]
Report = Literal[
    "invalid_emails",
    "duplicate_contact_id",
    "duplicate_ext_id",
    "duplicate_email_id",
    "duplicate_phone_id",
    "duplicate_whatsapp_id",
    "duplicate_landline_number_id",
]

REPORTS: Final[tuple[Report, ...]] = (
    "invalid_emails",
    "duplicate_contact_id",
    "duplicate_ext_id",
    "duplicate_email_id",
    "duplicate_phone_id",
    "duplicate_whatsapp_id",
    "duplicate_landline_number_id",
)


class Process(msgspec.Struct):
    """One process; `reports` holds the lines of each CSV, headers apart."""

    id: int
    name: str
    created: int
    status: Status = "queued"
    reports: dict[Report, list[str]] = {}

    def shown(self, origin: str) -> dict[str, Any]:
        """Give the process as SDK 5.1.0 types it: CSV URLs or null (WM 4.0.10 showed integers there)."""
        item: dict[str, Any] = {"id": self.id, "name": self.name, "status": self.status}
        if self.name == "IMPORTUSER" and self.status == "completed":
            links = {
                report: f"{origin}/_sandbox/exports/{self.id}-{report}.csv"
                if report in self.reports
                else None
                for report in REPORTS
            }
            item["info"] = {"import": links}
        return item

    def report(self, kind: Report, line: str) -> None:
        """Add a line to one of the CSVs."""
        self.reports.setdefault(kind, []).append(line)


class Processes:
    """All processes of the account, in order of creation."""

    def __init__(self) -> None:
        self.items: dict[int, Process] = {}

    def add(self, name: str, now: int) -> Process:
        """Queue a process."""
        process = Process(len(self.items) + 1, name, now)
        self.items[process.id] = process
        return process


def index(account: Account, call: Call) -> Answer:
    """GET /processes: at most 50 a page."""
    limit, offset = call.page(default=10, most=50)
    page = page_of(list(account.processes.items.values()), limit, offset, ascending=call.ascending())
    shown = [process.shown(call.origin) for process in page]
    return Answer(200, {"processes": shown, "count": len(account.processes.items)})


def read(account: Account, call: Call) -> Answer:
    """GET /processes/{processId}; an unknown id is 404 with code `invalid_parameter` (OAS25's example)."""
    process = account.processes.items.get(call.number("processId"))
    if process is None:
        raise Refusal(404, "invalid_parameter", "processId is invalid")
    return Answer(200, process.shown(call.origin))
