"""The two dialects on the wire: V2 (bare arrays, 204 when empty) and V3 (`data`, `meta`); paging, errors.

Sources: facts sections 1 and 2; 404_Resp in orders.v2; ErrorResponse and the cursor pagination of
customers.v3.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from . import dates
from .store import Condition

if TYPE_CHECKING:
    from .deliveries import Account
    from .shapes import Record
    from .store import Collection, Store
    from .world import World

TYPE_URL: Final = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
PAGING: Final = frozenset({"page", "limit"})


class Problem(Exception):
    """An error answer. `errors` is V3's map of field to message, `details` V2's."""

    def __init__(
        self, status: int, title: str, errors: Mapping[str, str] | None = None, **details: Any
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.errors, self.details = status, title, errors, details

    def body(self, version: str) -> Any:
        """The JSON of the error in the dialect of `v2` or `v3`."""
        if version == "v2":
            extra = {"details": self.details} if self.details else {}
            return [{"status": self.status, "message": self.title, **extra}]
        extra = {"errors": dict(self.errors)} if self.errors else {}
        return {"status": self.status, "title": self.title, "type": TYPE_URL, **extra}


@dataclass
class Answer:
    """An answer to encode: `body` is any JSON value, or None for no body at all; bytes go out as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One request on its way through a handler."""

    world: World
    method: str
    version: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    root: str  # scheme://host:port of the simulator
    account: Account  # whose token it carries

    @property
    def store(self) -> Store:
        """The store's data."""
        return self.world.store

    def key(self, name: str = "id") -> int:
        """A numeric id of the path; anything else is not found."""
        text = self.path[name]
        if not text.isdigit():
            raise not_found(self.version)
        return int(text)

    def includes(self, allowed: Iterable[str]) -> frozenset[str]:
        """The `include` parameter; 422 for a word that the endpoint does not know."""
        words = frozenset(w for w in self.query.get("include", "").split(",") if w)
        unknown = words - frozenset(allowed)
        if unknown:
            status = 400 if self.version == "v2" else 422
            raise Problem(status, "Invalid include.", {"include": f"Unknown: {', '.join(sorted(unknown))}"})
        return words

    def items(self, most: int = 10) -> list[Record]:
        """The body of a batch write: an array of objects, not too long (413) and not anything else (422)."""
        if not isinstance(self.body, list) or not all(isinstance(x, dict) for x in self.body):
            raise Problem(422, "The request body must be an array of objects.", {"": "must be an array"})
        if len(self.body) > most:
            raise Problem(413, f"The maximum number of items allowed in the array is {most}.")
        return self.body

    def fields(self) -> Record:
        """The body of a single write: an object."""
        if not isinstance(self.body, dict):
            raise Problem(400 if self.version == "v2" else 422, "The request body must be an object.")
        return self.body

    def numbers(self, name: str) -> list[int]:
        """A comma list of ids, empty when absent; 422 when it is not one."""
        text = self.query.get(name, "")
        try:
            return [int(part) for part in text.split(",") if part]
        except ValueError:
            raise Problem(422, "Invalid filter.", {name: "must be a list of integers"}) from None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One endpoint; `scope` is the family that may call it (`store_v2_orders`), `params` what it knows."""

    method: str
    template: str
    handler: Handler
    scope: str
    params: frozenset[str] = frozenset()

    @property
    def pattern(self) -> re.Pattern[str]:
        """The template as a pattern with a named group for each `{name}`."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))


def not_found(version: str) -> Problem:
    """404 in the words of either dialect."""
    return Problem(
        404, "The requested resource was not found." if version == "v2" else "The resource was not found."
    )


def one(body: Any, status: int = 200) -> Answer:
    """A V3 answer about one thing, or about a short list without paging."""
    return Answer(status, {"data": body, "meta": {}})


# -- filters


@dataclass(frozen=True)
class Filter:
    """How a query parameter becomes a condition."""

    field: str
    test: str
    parse: Callable[[str], Any]


def listed(kind: Callable[[str], Any]) -> Callable[[str], frozenset[Any]]:
    """A parser of comma lists."""
    return lambda text: frozenset(kind(part.strip()) for part in text.split(",") if part.strip())


def lower(text: str) -> str:
    """Text compared without case, as BigCommerce's database does."""
    return text.lower()


def truth(text: str) -> bool:
    """`true`, `1`, `false` or `0`."""
    if text.lower() not in {"true", "1", "false", "0"}:
        raise ValueError(text)
    return text.lower() in {"true", "1"}


def ids(name: str, kind: Callable[[str], Any] = int, *, negated: bool = False) -> dict[str, Filter]:
    """`name:in`, and `name:not_in` where it exists."""
    found = {f"{name}:in": Filter(name, "in", listed(kind))}
    return found | ({f"{name}:not_in": Filter(name, "not_in", listed(kind))} if negated else {})


def equal(name: str, kind: Callable[[str], Any] = int) -> dict[str, Filter]:
    """`name=value`."""
    return {name: Filter(name, "in", lambda text: frozenset({kind(text)}))}


def between(name: str, kind: Callable[[str], Any] = int) -> dict[str, Filter]:
    """`name:min`, `:max`, `:greater`, `:less`."""
    return {f"{name}:{test}": Filter(name, test, kind) for test in ("min", "max", "greater", "less")}


def dated(name: str) -> dict[str, Filter]:
    """`name` (equality, not "since": bigcommerce/api#105), `name:min` and `name:max`."""
    return equal(name, dates.parse) | {f"{name}:{t}": Filter(name, t, dates.parse) for t in ("min", "max")}


@dataclass(frozen=True)
class Listing:
    """A list endpoint: its filters, its sorts, and what else it understands.

    `ceiling` says what a limit above `most` meets in V3: `lower` (silently lowered) or `refuse` (422, where
    the official file states a maximum).
    """

    filters: Mapping[str, Filter] = field(default_factory=dict)
    sorts: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()
    most: int = 250
    ceiling: str = "lower"

    @property
    def params(self) -> frozenset[str]:
        """Every query parameter that the endpoint knows."""
        sorting = frozenset({"sort", "direction"}) if self.sorts else frozenset()
        return frozenset(self.filters) | PAGING | sorting | self.other

    def select(self, call: Call, rows: Collection, *extra: Condition) -> Sequence[int]:
        """The ids that the request asks for, in its order."""
        sort, _, direction = call.query.get("sort", "id").partition(":")
        if "sort" in call.query and sort not in self.sorts:
            raise Problem(
                400 if call.version == "v2" else 422, "Invalid sort.", {"sort": f"cannot sort by {sort}"}
            )
        descending = (direction or call.query.get("direction", "asc")) == "desc"
        return rows.select([*self.conditions(call), *extra], sort, descending=descending)

    def conditions(self, call: Call) -> list[Condition]:
        """The request's filters. V3 refuses a malformed value, V2 ignores it (bigcommerce-api-ruby#60)."""
        found = []
        for name, text in call.query.items():
            if name not in self.filters:
                continue
            f = self.filters[name]
            try:
                found.append(Condition(f.field, f.test, f.parse(text)))
            except (ValueError, TypeError):
                if call.version == "v3":
                    raise Problem(422, "Invalid filter.", {name: f"{text!r} is not valid"}) from None
                call.world.suspect(f"malformed value ignored: {name}={text}")
        return found


# -- pages


def window(call: Call, most: int, ceiling: str = "lower") -> tuple[int, int]:
    """(page, limit) of a request. V2 answers 413 above its maximum, V3 lowers or refuses."""
    v2 = call.version == "v2"
    try:
        page, limit = int(call.query.get("page") or 1), int(call.query.get("limit") or 50)
        if page < 1 or limit < 1:
            raise ValueError
    except ValueError:
        bad = {"page": "must be a positive integer", "limit": "must be a positive integer"}
        raise Problem(400 if v2 else 422, "Invalid page or limit.", bad) from None
    if limit > most and v2:
        raise Problem(413, "The specified limit exceeds the maximum allowed.", max_limit=most)
    if limit > most and ceiling == "refuse":
        raise Problem(422, "Invalid limit.", {"limit": f"must be at most {most}"})
    return page, min(limit, most)


def v2_page(
    call: Call, rows: Sequence[Any], render: Callable[[Any], Any] = lambda row: row, most: int = 250
) -> Answer:
    """A bare array; 204 without a body past the end."""
    page, limit = window(call, most)
    part = rows[(page - 1) * limit : page * limit]
    return Answer(200, [render(row) for row in part]) if len(part) else Answer(204)


def v3_page(
    call: Call,
    rows: Sequence[Any],
    render: Callable[[Any], Any] = lambda row: row,
    most: int = 250,
    ceiling: str = "lower",
) -> Answer:
    """`data` and `meta.pagination`, with links that repeat the request's filters."""
    page, limit = window(call, most, ceiling)
    data = [render(row) for row in rows[(page - 1) * limit : page * limit]]
    return Answer(
        200, {"data": data, "meta": {"pagination": _pagination(call, len(rows), len(data), page, limit)}}
    )


def _pagination(call: Call, total: int, got: int, page: int, limit: int) -> Record:
    pages = max(1, -(-total // limit))

    def link(number: int) -> str:
        return "?" + urlencode({**call.query, "page": number, "limit": limit})

    links = {"current": link(page)}
    if page > 1:
        links["previous"] = link(page - 1)
    if page < pages:
        links["next"] = link(page + 1)
    return {
        "total": total,
        "count": got,
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }


def cursor(key: int) -> str:
    """The opaque cursor of an id, as the real one looks: base64 of `id:7`."""
    return base64.b64encode(f"id:{key}".encode()).decode()


def cursor_page(call: Call, rows: Sequence[int], render: Callable[[int], Any]) -> Answer:
    """A page of a list that has cursors: customers.v3, `after` and `before`.

    The first page carries both kinds of paging, later numbered pages only `pagination`, a cursor's page only
    `cursor_pagination`.
    """
    after, before = call.query.get("after"), call.query.get("before")
    page, limit = window(call, 250)
    if after is None and before is None:
        answer = v3_page(call, rows, render)
        if page == 1:
            part = rows[:limit]
            answer.body["meta"]["cursor_pagination"] = _cursors(part, limit, len(rows) > limit, before=False)
        return answer
    if after is not None:
        start = _place(call, rows, after, after=True)
        part = rows[start : start + limit]
        more, earlier = start + limit < len(rows), start > 0
    else:
        end = _place(call, rows, before or "", after=False)
        part = rows[max(0, end - limit) : end]
        more, earlier = end < len(rows), end - limit > 0
    meta = {"cursor_pagination": _cursors(part, limit, more, before=earlier)}
    return Answer(200, {"data": [render(key) for key in part], "meta": meta})


def _place(call: Call, rows: Sequence[int], text: str, *, after: bool) -> int:
    """Where a cursor points: in the order of ids, or, in a list sorted otherwise, at the row itself."""
    try:
        key = int(base64.b64decode(text, validate=True).decode().removeprefix("id:"))
        if "sort" in call.query:
            return list(rows).index(key) + after
    except ValueError:
        raise Problem(422, "Invalid cursor.", {"after" if after else "before": "not a cursor"}) from None
    return bisect_right(rows, key) if after else bisect_left(rows, key)


def _cursors(part: Sequence[int], limit: int, more: bool, *, before: bool) -> Record:
    links: Record = {}
    if not len(part):
        return {"count": 0, "per_page": limit, "start_cursor": None, "end_cursor": None, "links": links}
    start, end = cursor(part[0]), cursor(part[-1])
    if before:
        links["previous"] = "?" + urlencode({"before": start, "limit": limit})
    if more:
        links["next"] = "?" + urlencode({"after": end, "limit": limit})
    return {"count": len(part), "per_page": limit, "start_cursor": start, "end_cursor": end, "links": links}
