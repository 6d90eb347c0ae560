"""Lists and folders: `/contacts/lists`, `/contacts/folders` (brevo.md section 2.8).

`totalSubscribers` and `totalBlacklisted` are being dropped and are always 0 (OAS26). A fresh account has one
folder and one list, as Brevo sets them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .changes import Outcome
from .contacts import contacts_page
from .wire import Answer, Refusal, invalid, iso, missing, not_found, page_of

if TYPE_CHECKING:
    from .account import Account
    from .book import Contact, Identifier
    from .wire import Call

_MOST_MEMBERS = 150


class Folder(msgspec.Struct):
    """A folder of lists."""

    id: int
    name: str


class ContactList(msgspec.Struct):
    """A list; its members are kept in the contacts. `created` in milliseconds since 1970."""

    id: int
    name: str
    folder: int
    created: int


class Shelf:
    """All folders and lists; ids are drawn from one counter each."""

    def __init__(self, now: int) -> None:
        self.folders: dict[int, Folder] = {}
        self.lists: dict[int, ContactList] = {}
        self._last_folder = 0
        self._last_list = 1
        self.add_list("Your first list", self.add_folder("Your first folder").id, now)

    def add_folder(self, name: str) -> Folder:
        """Open a folder."""
        self._last_folder += 1
        folder = self.folders[self._last_folder] = Folder(self._last_folder, name)
        return folder

    def add_list(self, name: str, folder: int, now: int) -> ContactList:
        """Open a list in a folder that exists."""
        self._last_list += 1
        made = self.lists[self._last_list] = ContactList(self._last_list, name, folder, now)
        return made


def folders(account: Account, call: Call) -> Answer:
    """GET /contacts/folders: at most 50 a page."""
    limit, offset = call.page(default=10, most=50)
    page = page_of(list(account.lists.folders.values()), limit, offset, ascending=call.ascending())
    return Answer(
        200,
        {"folders": [_folder_shown(account, folder) for folder in page], "count": len(account.lists.folders)},
    )


def create_folder(account: Account, call: Call) -> Answer:
    """POST /contacts/folders: 201 with its id."""
    return Answer(201, {"id": account.lists.add_folder(_name(call.json())).id})


def folder(account: Account, call: Call) -> Answer:
    """GET /contacts/folders/{folderId}."""
    return Answer(200, _folder_shown(account, _folder(account, call)))


def update_folder(account: Account, call: Call) -> Answer:
    """PUT /contacts/folders/{folderId}: a new name, 204."""
    _folder(account, call).name = _name(call.json())
    return Answer(204)


def delete_folder(account: Account, call: Call) -> Answer:
    """DELETE /contacts/folders/{folderId}: its lists go with it (SDK)."""
    folder = _folder(account, call)
    for found in [item for item in account.lists.lists.values() if item.folder == folder.id]:
        _drop_list(account, found)
    del account.lists.folders[folder.id]
    return Answer(204)


def folder_lists(account: Account, call: Call) -> Answer:
    """GET /contacts/folders/{folderId}/lists: as all lists, without the folder's id."""
    folder = _folder(account, call)
    found = [item for item in account.lists.lists.values() if item.folder == folder.id]
    answer = _lists_page(account, call, found)
    for item in answer.body["lists"]:
        del item["folderId"]
    return answer


def index(account: Account, call: Call) -> Answer:
    """GET /contacts/lists: at most 50 a page."""
    return _lists_page(account, call, list(account.lists.lists.values()))


def create(account: Account, call: Call) -> Answer:
    """POST /contacts/lists: needs `name` and `folderId`, 201 with its id."""
    body = call.json()
    name = _name(body)
    if body.get("folderId") is None:
        raise missing("folderId is missing")
    made = account.lists.add_list(name, folder_id(account, body["folderId"]), account.now())
    return Answer(201, {"id": made.id})


def read(account: Account, call: Call) -> Answer:
    """GET /contacts/lists/{listId}."""
    found = _list(account, call)
    return Answer(
        200,
        {
            **_list_shown(account, found),
            "createdAt": iso(found.created),
            "dynamicList": False,
            "campaignStats": [],
        },
    )


def update(account: Account, call: Call) -> Answer:
    """PUT /contacts/lists/{listId}: a new name or another folder, 204."""
    found, body = _list(account, call), call.json()
    if body.get("name") is None and body.get("folderId") is None:
        raise missing("Either name or folderId is required")
    if body.get("name") is not None:
        found.name = _name(body)
    if body.get("folderId") is not None:
        found.folder = folder_id(account, body["folderId"])
    return Answer(204)


def delete(account: Account, call: Call) -> Answer:
    """DELETE /contacts/lists/{listId}: the contacts stay."""
    _drop_list(account, _list(account, call))
    return Answer(204)


def members(account: Account, call: Call) -> Answer:
    """GET /contacts/lists/{listId}/contacts: at most 500 a page."""
    found = _list(account, call)
    limit, offset = call.page(default=50, most=500)
    return contacts_page(account, call, limit, offset, lists=frozenset((found.id,)))


def add_members(account: Account, call: Call) -> Answer:
    """POST /contacts/lists/{listId}/contacts/add: 201, or 400 when nobody could be added."""
    found, (kind, values) = _list(account, call), _members(call.json())
    success: list[Any] = []
    failure: list[Any] = []
    for value in values:
        contact = _member(account, kind, value)
        joined = account.book.join(contact, (found.id,)) if contact else ()
        (success if joined else failure).append(value)
        if contact and joined:
            account.book.touch(contact, account.now())
            account.hooks.contact_updated(Outcome(contact, {}, joined, (), None))
    if not success:
        raise invalid("Contact already in list and/or does not exist")
    return Answer(201, {"contacts": {"success": success, "failure": failure}})


def remove_members(account: Account, call: Call) -> Answer:
    """POST /contacts/lists/{listId}/contacts/remove: as `add`, or `all` with a process of its own."""
    found, body = _list(account, call), call.json()
    if body.get("all") is True:
        leaving = [contact for contact in account.book if found.id in contact.lists]
        for contact in leaving:
            account.book.leave(contact, (found.id,))
        process = account.processes.add("LIST_EXPORT", account.now())
        process.status = "completed"
        return Answer(201, {"contacts": {"processId": process.id, "total": len(leaving)}})
    kind, values = _members(body)
    success: list[Any] = []
    failure: list[Any] = []
    for value in values:
        member = _member(account, kind, value)
        inside = member is not None and found.id in member.lists
        (success if inside else failure).append(value)
        if member and inside:
            account.book.leave(member, (found.id,))
            account.book.touch(member, account.now())
            account.hooks.contact_updated(Outcome(member, {}, (), (found.id,), None))
    if not success:
        raise invalid("Contact already removed from list and/or does not exist")
    return Answer(201, {"contacts": {"success": success, "failure": failure}})


def _members(body: dict[str, Any]) -> tuple[str, list[Any]]:
    given = [name for name in ("emails", "ids", "extIds") if body.get(name)]
    if len(given) != 1:
        raise invalid("Exactly one of emails, ids or extIds should be passed")
    values = body[given[0]]
    wanted = int if given[0] == "ids" else str
    if not isinstance(values, list) or not all(type(value) is wanted for value in values):
        raise invalid(f"{given[0]} should be a list of {wanted.__name__}")
    if len(values) > _MOST_MEMBERS:
        raise Refusal(400, "out_of_range", f"You can pass a maximum of {_MOST_MEMBERS} contacts")
    return given[0], values


def _member(account: Account, kind: str, value: Any) -> Contact | None:
    if kind == "ids":
        return account.book.by_id(value)
    identifier: Identifier = "email" if kind == "emails" else "ext_id"
    return account.book.find(identifier, value.lower() if kind == "emails" else value)


def _name(body: dict[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise missing("name is missing")
    return name


def folder_id(account: Account, number: object) -> int:
    """Read the id of a folder that must exist."""
    if type(number) is not int or number not in account.lists.folders:
        raise invalid("Folder ID does not exist")
    return number


def _folder(account: Account, call: Call) -> Folder:
    folder = account.lists.folders.get(call.number("folderId"))
    if folder is None:
        raise not_found("Folder ID does not exist")
    return folder


def _list(account: Account, call: Call) -> ContactList:
    found = account.lists.lists.get(call.number("listId"))
    if found is None:
        raise not_found("List ID does not exist")
    return found


def _drop_list(account: Account, found: ContactList) -> None:
    for contact in account.book:
        if found.id in contact.lists:
            account.book.leave(contact, (found.id,))
    del account.lists.lists[found.id]


def _folder_shown(account: Account, folder: Folder) -> dict[str, Any]:
    inside = {item.id for item in account.lists.lists.values() if item.folder == folder.id}
    return {
        "id": folder.id,
        "name": folder.name,
        "totalBlacklisted": 0,
        "totalSubscribers": 0,
        "uniqueSubscribers": sum(account.book.sizes[number] for number in inside),
    }


def _list_shown(account: Account, found: ContactList) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "totalBlacklisted": 0,
        "totalSubscribers": 0,
        "uniqueSubscribers": account.book.sizes[found.id],
        "folderId": found.folder,
    }


def _lists_page(account: Account, call: Call, found: list[ContactList]) -> Answer:
    limit, offset = call.page(default=10, most=50)
    page = page_of(found, limit, offset, ascending=call.ascending())
    return Answer(200, {"lists": [_list_shown(account, item) for item in page], "count": len(found)})
