"""What Brevo holds, read in whole lists, in the form in which it is told.

The lists may lag behind what was told a moment ago, and lack fields that can be told (of orders, the OpenAPI
of 2025-08 shows no `metaInfo`): `Shown` remembers which were ever there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tajo.brevo.api import GOODS_PAGE, Api, WholeRow
from tajo.brevo.differences import Change, flat
from tajo.sync.model import Existing, Resource

#: Under which list each resource is found: a variant is a product.
LISTS = {
    Resource.ORDERS: "orders",
    Resource.PRODUCTS: "products",
    Resource.VARIANTS: "products",
    Resource.CATEGORIES: "categories",
}

#: Objects with fields that come and go: they are shown whole or not at all.
_WHOLE = ("billing", "metaInfo")


async def contacts(api: Api) -> AsyncIterator[Sequence[WholeRow]]:
    """All contacts, a thousand at a time."""
    offset, count = 0, 1
    while offset < count:
        rows, count = await api.whole_contacts(offset)
        yield rows
        offset += len(rows)
        if not rows:
            return


async def contact(api: Api, who: str | int) -> WholeRow | None:
    """One contact, by e-mail or id; None if there is none."""
    found = await api.contact_details(who)
    return msgspec.convert(found, WholeRow, strict=False) if found else None


async def goods(api: Api, kind: str, *, since: datetime | None = None) -> AsyncIterator[Sequence[Any]]:
    """All orders, products or categories, page by page; `since`: those that were modified since."""
    offset, count = 0, 1
    while offset < count:
        rows, count = await api.goods(kind, offset, since=since)
        yield [_as_told(kind, row) for row in rows]
        offset += len(rows)
        if not rows:
            return


def pages(kind: str, count: int) -> int:
    """How many calls so many orders, products or categories take."""
    return -(-count // GOODS_PAGE[kind])


def existing(number: int, email: str | None, phone: Any, *, blocked: bool) -> Existing:
    """A contact as the machine meets it. `phone` as Brevo writes it: digits without `+`, or nothing."""
    digits = str(phone or "").lstrip("+")
    return Existing(
        id=number,
        email=(email or "").lower(),
        phone=f"+{digits}" if digits.isdecimal() else "",
        blocked=blocked,
    )


def _as_told(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row without what Brevo adds to it. Whose an order is stands outside its `identifiers`."""
    told = {name: value for name, value in row.items() if not name.startswith("s3")}
    if kind == "orders" and "email" in row:
        told["identifiers"] = {"email_id": row["email"]} | dict(row.get("identifiers") or {})
    return told


class Shown:
    """Which fields Brevo's lists show at all: what no row has cannot be compared.

    But for `isDeleted`, which may be left out of whatever is not.
    """

    def __init__(self) -> None:
        self._fields: dict[str, set[str]] = {kind: {"isDeleted"} for kind in GOODS_PAGE}
        self.hidden: dict[str, set[str]] = {}

    def note(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """These rows were listed."""
        for row in rows:
            self._fields[kind].update(row, (name for name, _ in flat(row)))

    def comparable(self, kind: str, changes: Iterable[Change]) -> list[Change]:
        """Those of the changes that can be seen in the lists; `hidden` remembers the fields of the others."""
        fields = self._fields[kind]
        seen = []
        for change in changes:
            head = change.field.partition(".")[0]
            if change.field in fields or (head in _WHOLE and head in fields):
                seen.append(change)
            else:
                self.hidden.setdefault(kind, set()).add(head)
        return seen
