"""`POST /contacts/import`: the order is checked at once, its rows are applied later, one import at a time.

What Brevo does in silence is done in silence here too: unknown attributes are dropped, booleans of a jsonBody
are not applied (GH:sendinblue/APIv3-python-library#95), a row with an invalid phone or date vanishes, and
rows that tie contacts together fuse them (help.brevo.com 32331116133522). Imports send no webhooks
(undocumented).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from .changes import flag, list_ids
from .lists import folder_id
from .merging import Merger
from .wire import Answer, Refusal, invalid, missing

if TYPE_CHECKING:
    from .account import Account
    from .processes import Process
    from .wire import Call

LARGEST_BODY = 10 * 1024 * 1024
"""10 MB for jsonBody and fileBody (SDK); the status of the refusal is our guess."""

START_SECONDS = 0.3
ROW_SECONDS = 40e-6
_SLICE = 1_000
_SOURCES = ("jsonBody", "fileBody", "fileUrl")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """A checked import: rows (or where to fetch them), lists to join, and its switches."""

    source: str
    content: Any
    lists: tuple[int, ...]
    update_existing: bool
    erase_empty: bool
    email_blocked: bool
    sms_blocked: bool
    notify_url: str | None
    quiet: bool


def create(account: Account, call: Call) -> Answer:
    """POST /contacts/import: 202 with the process id."""
    if len(call.body) > LARGEST_BODY:
        raise Refusal(400, "out_of_range", "Maximum allowed body size is 10MB, please use fileUrl instead")
    order = _read(account, call.json())
    process = account.processes.add("IMPORTUSER", account.now())
    account.imports.append((process, order))
    if len(account.imports) == 1:
        account.agenda.after(0, lambda: _work(account))
    return Answer(202, {"processId": process.id})


def _read(account: Account, body: dict[str, Any]) -> ImportOrder:
    given = [name for name in _SOURCES if body.get(name) not in (None, "")]
    if not given:
        raise missing("One of fileUrl, fileBody or jsonBody is required")
    if len(given) > 1:
        raise invalid("Only one of fileUrl, fileBody or jsonBody can be passed")
    content = body[given[0]]
    if given[0] != "jsonBody" and not isinstance(content, str):
        raise invalid(f"{given[0]} should be a string")
    rows = _rows(content) if given[0] == "jsonBody" else content
    switches = {
        name: flag(body, name)
        for name in (
            "updateExistingContacts",
            "emptyContactsAttributes",
            "emailBlacklist",
            "smsBlacklist",
            "disableNotification",
        )
    }
    notify_url = body.get("notifyUrl")
    if notify_url is not None and not str(notify_url).startswith(("http://", "https://")):
        raise invalid("notifyUrl is not a valid url")
    return ImportOrder(
        source=given[0],
        content=rows,
        lists=_lists(account, body),
        update_existing=switches["updateExistingContacts"] is not False,
        erase_empty=switches["emptyContactsAttributes"] is True,
        email_blocked=switches["emailBlacklist"] is True,
        sms_blocked=switches["smsBlacklist"] is True,
        notify_url=notify_url,
        quiet=switches["disableNotification"] is True,
    )


def _lists(account: Account, body: dict[str, Any]) -> tuple[int, ...]:
    if lists := list_ids(account, body, "listIds"):
        return lists
    new = body.get("newList")
    if not isinstance(new, dict) or not new.get("listName"):
        raise missing("listIds or newList is required")
    folder = folder_id(account, new.get("folderId"))
    return (account.lists.add_list(str(new["listName"]), folder, account.now()).id,)


def _rows(value: object) -> list[Row]:
    if not isinstance(value, list) or not value:
        raise invalid("jsonBody should be a non-empty list of contacts")
    for row in value:
        if not isinstance(row, dict) or not isinstance(row.get("attributes") or {}, dict):
            raise invalid("jsonBody should be a list of contacts")
    return value


def _table(text: str) -> list[Row] | None:
    """Read semicolon separated content whose header names attributes; None when it is no such thing."""
    reader = csv.reader(io.StringIO(text), delimiter=";")
    rows = []
    try:
        header = [name.strip().upper() for name in next(reader, [])]
        for cells in reader:
            values = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            rows.append({"email": values.pop("EMAIL", None), "attributes": values})
    except csv.Error:
        return None
    return rows


async def _work(account: Account) -> None:
    """Work through the queue, first come first served."""
    while account.imports:
        process, order = account.imports[0]
        process.status = "processing"
        try:
            await _apply(account, process, order)
        finally:
            account.imports.popleft()
        if not order.quiet:
            account.messages.add(account, "import_report", [account.email], {"processId": process.id})
        if order.notify_url:
            account.deliveries.call_back(order.notify_url, {"processId": process.id})


async def _apply(account: Account, process: Process, order: ImportOrder) -> None:
    rows, as_json = await _content(account, order)
    if rows is None:
        await account.agenda.pause(START_SECONDS)
        process.status = "failed"
        return
    account.journal.imports[process.id] = len(rows)
    await account.agenda.pause(START_SECONDS + ROW_SECONDS * len(rows))
    failing = account.weather.strikes(account.weather.faults.failed_import)
    merger = Merger(account, process, order, as_json=as_json)
    if failing:
        rows = rows[: len(rows) // 2]
    for start in range(0, len(rows), _SLICE):
        merger.now = account.now()
        for row in rows[start : start + _SLICE]:
            merger.apply(row)
        await account.breathe()
    process.status = "failed" if failing else "completed"


async def _content(account: Account, order: ImportOrder) -> tuple[list[Row] | None, bool]:
    """Give the rows and whether they came as JSON; None when a file can not be had or read."""
    if order.source == "jsonBody":
        return order.content, True
    if order.source == "fileBody":
        return _table(order.content), False
    text = await account.deliveries.fetch(order.content)
    if text is None:
        return None, False
    if not order.content.partition("?")[0].endswith(".json"):
        return _table(text), False
    try:
        return _rows(msgspec.json.decode(text)), True
    except (msgspec.DecodeError, Refusal):
        return None, True
