"""How a long list is read page by page while it changes. Pure.

A cursor is a word that says where to go on; empty is the start, and after a page, the end. It outlives the
process, so everything that a paging needs to know of the past is in it. BigCommerce offers three ways:
cursors (customers), key sets (products, orders), page numbers (the rest). The first two never drift.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from tajo.bigcommerce.wire import Page
from tajo.errors import Mend

Params = dict[str, str | int]


class Paging(Protocol):
    """One way of reading on."""

    def ask(self, cursor: str) -> Params:
        """The parameters of the call for the page at `cursor`. Raises `ValueError` if it is not ours."""
        ...

    def after(self, cursor: str, page: Page[Any], limit: int) -> str:
        """The cursor of the page after this one; empty if it was the last."""
        ...


class ByCursor(Struct, frozen=True):
    """BigCommerce's own cursor, opaque (customers.v3: `after`).

    `end_cursor` is told on page one and in cursor mode, so each page leads to the next.
    """

    def ask(self, cursor: str) -> Params:
        """`after` is left out for the first page."""
        return {"after": cursor} if cursor else {}

    def after(self, cursor: str, page: Page[Any], limit: int) -> str:
        """The end: a page that is not full, or without a cursor.

        `links.next` could tell it one call earlier when the last page is full, but where it is left out
        is documented nowhere, and a wrong guess would lose customers.
        """
        size = page.cursor.per_page or page.pagination.per_page or limit
        return (page.cursor.end_cursor or "") if len(page.rows) >= size else ""


class ByKey(Struct, frozen=True):
    """All rows with a higher id than the last one met, in the order of ids; the cursor is that id.

    `filter` takes the id plus `step`: 0 for "greater than", 1 for "at least".
    """

    filter: str
    step: int

    def ask(self, cursor: str) -> Params:
        """Everything from id 1 on, at the start."""
        return {self.filter: int(cursor or 0) + self.step}

    def after(self, cursor: str, page: Page[Any], limit: int) -> str:
        """The end: a page that is not full. A filter that is ignored, as has been seen, is a `Mend`."""
        if len(page.rows) < (page.pagination.per_page or limit):
            return ""
        ids = [row.id for row in page.rows if row.id]
        if not ids or ids[0] <= int(cursor or 0) or ids != sorted(ids):
            raise Mend(
                f"BigCommerce did not keep to the filter {self.filter} and the order of ids, "
                "so the list cannot be read without gaps",
                "try again; if it persists, ask BigCommerce's support whether filter or order were withdrawn",
            )
        return str(ids[-1])


class ByNumber(Struct, frozen=True):
    """Numbered pages, for lists that offer nothing better. The cursor is `<page> of <rows in all>`.

    A deleted row moves all later ones forward, over the edge of the page we read next. So when the list
    has shrunk since the page before, we go back by as many pages as can have moved: rows may be met
    twice, none is skipped. (A row added and another deleted between two calls hide each other; the next
    full sweep meets what was missed.)
    """

    def ask(self, cursor: str) -> Params:
        """`page` is counted from 1, and left out for the first."""
        number = _read(cursor)[0]
        return {"page": number} if number > 1 else {}

    def after(self, cursor: str, page: Page[Any], limit: int) -> str:
        """The end: the last page by BigCommerce's own count; without one (V2), a page that is not full."""
        number, before = _read(cursor)
        said = page.pagination
        size = said.per_page or limit
        total = said.total or 0
        if before > total and number > 1:
            moved = -((total - before) // size)  # pages, rounded up
            return _write(max(1, number - moved), total)
        more = len(page.rows) >= size if said.total_pages is None else number < said.total_pages
        return _write(number + 1, total) if more else ""


def _read(cursor: str) -> tuple[int, int]:
    number, _, total = (cursor or "1 of 0").partition(" of ")
    if int(number) < 1:
        raise ValueError("pages are counted from 1")
    return int(number), int(total or 0)


def _write(number: int, total: int) -> str:
    return f"{number} of {total}"
