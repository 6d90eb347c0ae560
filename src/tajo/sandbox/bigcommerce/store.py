"""The data of the simulated store: what was there at the start, and what was written since.

A `Collection` is an unchanging `Base` (computed or loaded) under an overlay of writes. Records are
replaced, never mutated: `put({**old, **changes})`. Selections are lists of ids; the indexes they need are
built on first use.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, overload

from .descriptions import LOCATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shapes import Record

Read = Callable[["Record"], Any]


class Base(Protocol):
    """Records that never change: ascending ids, a record by id, quick columns for filtered fields."""

    @property
    def ids(self) -> Sequence[int]:
        """Every id, ascending."""

    def record(self, key: int) -> Record:
        """The record of an id that is in `ids`."""

    def column(self, name: str) -> Callable[[int], Any] | None:
        """The value of one field by id, without building the record; None when there is no quicker way."""

    @property
    def lags(self) -> Mapping[str, tuple[str, int]]:
        """Fields that stay close to one that rises with the id: its name, and how far they may exceed it."""


@dataclass(frozen=True)
class Computed:
    """A base whose records are a function of the id."""

    ids: Sequence[int]
    record: Callable[[int], Record]
    columns: Mapping[str, Callable[[int], Any]] = field(default_factory=dict)
    lags: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def column(self, name: str) -> Callable[[int], Any] | None:
        """The computed column, if there is one."""
        return self.columns.get(name)


@dataclass(frozen=True)
class Condition:
    """One filter. `test` is a key of TESTS; `any` and `all` are for fields with several values."""

    field: str
    test: str
    value: Any

    def holds(self, found: Any) -> bool:
        """Whether a field's value passes."""
        return TESTS[self.test](found, self.value)


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "in": lambda found, wanted: found in wanted,
    "not_in": lambda found, wanted: found not in wanted,
    "min": lambda found, wanted: found >= wanted,
    "max": lambda found, wanted: found <= wanted,
    "greater": lambda found, wanted: found > wanted,
    "less": lambda found, wanted: found < wanted,
    "like": lambda found, wanted: any(part in str(found).lower() for part in wanted),
    "any": lambda found, wanted: not wanted.isdisjoint(found),
    "all": lambda found, wanted: wanted.issubset(found),
}
FEW = 100_000  # ids that are looked at one by one rather than indexed
RANGES = frozenset({"min", "max", "greater", "less"})


class Live(Sequence[int]):
    """The ids of a base without the removed ones, and the added ones after them."""

    def __init__(self, base: Sequence[int], removed: Sequence[int], added: Sequence[int]) -> None:
        self._base, self._removed, self._added = base, removed, added  # `removed` holds positions, ascending
        self._kept = len(base) - len(removed)

    def __len__(self) -> int:
        return self._kept + len(self._added)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """An id, or the ids of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index >= self._kept:
            return self._added[index - self._kept]
        for gap in self._removed:
            if gap > index:
                break
            index += 1
        return self._base[index]


class Span(Sequence[int]):
    """A stretch of another sequence, without copying it."""

    def __init__(self, rows: Sequence[int], low: int, high: int) -> None:
        self._rows, self._places = rows, range(low, max(low, high))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """An id, or the ids of a slice."""
        found = self._places[index]
        return self._rows[found] if isinstance(found, int) else [self._rows[at] for at in found]


def _bounds(conditions: Sequence[Condition], keys: Sequence[int]) -> tuple[int, int]:
    """The stretch of ascending keys that meets every range condition."""
    low, high = 0, len(keys)
    for c in conditions:
        match c.test:
            case "min":
                low = max(low, bisect_left(keys, c.value))
            case "greater":
                low = max(low, bisect_right(keys, c.value))
            case "max":
                high = min(high, bisect_right(keys, c.value))
            case _:
                high = min(high, bisect_left(keys, c.value))
    return low, high


class Collection:
    """One kind of record by id. `reads` says how a filtered field is read, where it is not a plain key."""

    def __init__(self, base: Base, reads: Mapping[str, Read] | None = None) -> None:
        self.base = base
        self._reads = reads or {}
        self._written: dict[int, Record] = {}
        self._removed: list[int] = []  # positions in base.ids, ascending
        self._gone: set[int] = set()
        self._added: list[int] = []
        self._next = (base.ids[-1] if base.ids else 0) + 1
        self._hashes: dict[str, array[int]] = {}
        self._orders: dict[str, tuple[array[int], array[int]]] = {}
        self._tallies: dict[str, Counter[Any]] = {}
        self._selections: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Record]:
        return (self[key] for key in self.ids)

    def __contains__(self, key: int) -> bool:
        return key not in self._gone and (key in self._written or self._position(key) >= 0)

    def __getitem__(self, key: int) -> Record:
        return self._written[key] if key in self._written else self.base.record(key)

    def get(self, key: int) -> Record | None:
        """The record, or None."""
        if key not in self:
            return None
        return self[key]

    @property
    def ids(self) -> Sequence[int]:
        """Every living id, ascending."""
        return Live(self.base.ids, self._removed, self._added)

    def new_id(self) -> int:
        """The id of the next record; never given twice."""
        self._next += 1
        return self._next - 1

    def put(self, key: int, record: Record) -> Record:
        """Add or replace a record."""
        if key not in self:
            insort(self._added, key)
            self._next = max(self._next, key + 1)
        self._written[key] = record
        self._selections.clear()
        return record

    def remove(self, key: int) -> Record:
        """Take a record out and return it."""
        record = self[key]
        position = self._position(key)
        if position >= 0:
            insort(self._removed, position)
            self._gone.add(key)
        else:
            self._added.remove(key)
        self._written.pop(key, None)
        self._selections.clear()
        return record

    def value(self, key: int, name: str) -> Any:
        """One field of one record, by the quickest way."""
        if name == "id":
            return key
        if key not in self._written:
            column = self.base.column(name)
            if column is not None:
                return column(key)
        read = self._reads.get(name)
        record = self[key]
        return read(record) if read else record.get(name)

    def tally(self, name: str) -> Counter[Any]:
        """How many records have each value of a field."""
        if name not in self._tallies:
            self._tallies[name] = Counter(map(self._base_value(name), self.base.ids))
        found = self._tallies[name].copy()
        touched = {key for key in (*self._written, *self._gone) if self._position(key) >= 0}
        found.subtract(map(self._base_value(name), touched))
        found.update(self.value(key, name) for key in self._written)
        return +found

    def select(
        self, conditions: Sequence[Condition], sort: str = "id", *, descending: bool = False
    ) -> Sequence[int]:
        """The ids that meet every condition, sorted by a field (then by id)."""
        by_id = [c for c in conditions if c.field == "id" and c.test in RANGES]
        if len(by_id) == len(conditions) and sort == "id" and not descending:
            low, high = _bounds(by_id, self.ids)
            return Span(self.ids, low, high)
        key = (tuple(conditions), sort, descending)
        found: Sequence[int] = self.remember(key, lambda: self._select(conditions, sort, descending))
        return found

    def remember(self, key: Any, work: Callable[[], Any]) -> Any:
        """The result of some work on this collection, kept until the next write (a list has many pages)."""
        if key not in self._selections:
            if len(self._selections) > 32:
                self._selections.clear()
            self._selections[key] = work()
        return self._selections[key]

    def _select(self, conditions: Sequence[Condition], sort: str, descending: bool) -> Sequence[int]:
        candidates, met = self._candidates(conditions)
        left = [c for c in conditions if c not in met]
        old = [
            k for k in candidates if k not in self._written and k not in self._gone and self._meets(k, left)
        ]
        new = [k for k in self._written if k not in self._gone and self._meets(k, conditions)]
        ids = sorted(old + new)
        if sort != "id":
            ids.sort(key=lambda k: self.value(k, sort), reverse=descending)
        elif descending:
            ids.reverse()
        return array("q", ids)

    def _meets(self, key: int, conditions: Sequence[Condition]) -> bool:
        return all(c.holds(self.value(key, c.field)) for c in conditions)

    def _candidates(self, conditions: Sequence[Condition]) -> tuple[Iterable[int], Sequence[Condition]]:
        """Ids of the base that an index finds, and the conditions that the index has settled already."""
        for c in conditions:
            if c.field == "id" and c.test == "in":
                return [k for k in c.value if self._position(k) >= 0], [c]
            if c.test == "in" and len(c.value) <= 1000:
                return self._with_values(c.field, c.value), []
        ranges = [c for c in conditions if c.test in RANGES]
        if not ranges:
            return self.base.ids, []
        name = next((c.field for c in ranges if c.field != "id"), "id")
        same = [c for c in ranges if c.field == name]
        near = self._near(name, same)
        if near is not None:
            return near, []
        keys, ids = (self.base.ids, self.base.ids) if name == "id" else self._order(name)
        low, high = _bounds(same, keys)
        return ids[low:high], same

    def _near(self, name: str, conditions: Sequence[Condition]) -> Sequence[int] | None:
        """The few ids whose rising field allows the conditions; None when that is no help."""
        rising, lag = self.base.lags.get(name, ("", 0))
        read = self.base.column(rising)
        if read is None:
            return None
        low = max((c.value for c in conditions if c.test in {"min", "greater"}), default=0)
        high = min((c.value for c in conditions if c.test in {"max", "less"}), default=1 << 62)
        ids = self.base.ids
        start, end = bisect_left(ids, low - lag, key=read), bisect_right(ids, high, key=read)
        return ids[start:end] if end - start < FEW else None

    def _position(self, key: int) -> int:
        """Where the base has this id; -1 when it does not."""
        ids = self.base.ids
        at = bisect_left(ids, key)
        return at if at < len(ids) and ids[at] == key else -1

    def _base_value(self, name: str) -> Callable[[int], Any]:
        read = self._reads.get(name) or (lambda record: record.get(name))
        return self.base.column(name) or (lambda key: read(self.base.record(key)))

    def _with_values(self, name: str, values: Iterable[Any]) -> list[int]:
        """Ids of the base whose field hashes like one of the values (the caller checks the field itself)."""
        if name not in self._hashes:
            read = self._base_value(name)
            pairs = ((hash(read(k)) & 0x7FFFFFFF) << 32 | at for at, k in enumerate(self.base.ids))
            self._hashes[name] = array("Q", sorted(pairs))
        table, found = self._hashes[name], []
        for value in values:
            h = (hash(value) & 0x7FFFFFFF) << 32
            hits = table[bisect_left(table, h) : bisect_left(table, h + (1 << 32))]
            found += [self.base.ids[hit & 0xFFFFFFFF] for hit in hits]
        return found

    def _order(self, name: str) -> tuple[array[int], array[int]]:
        """The base by a whole-number field: its values ascending, and the ids beside them."""
        if name not in self._orders:
            read = self._base_value(name)
            values = array("q", (int(read(k)) for k in self.base.ids))
            places = sorted(range(len(values)), key=values.__getitem__)
            ids = array("q", (self.base.ids[at] for at in places))
            self._orders[name] = (array("q", (values[at] for at in places)), ids)
        return self._orders[name]


class Parts(Sequence[Any]):
    """All rows of one list field of some records, in their order; read only where they are looked at."""

    def __init__(self, owners: Collection, name: str, keys: Sequence[int]) -> None:
        self._records, self._name = owners, name
        counts = ((key, owners.value(key, f"{name}_count")) for key in keys)
        self._owners = array("q", (key for key, n in counts for _ in range(n)))

    def __len__(self) -> int:
        return len(self._owners)

    def __getitem__(self, index: Any) -> Any:
        """One row, or the rows of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        owner = self._owners[index]
        return self._records[owner][self._name][index - bisect_left(self._owners, owner)]


@dataclass
class Store:
    """Everything that belongs to one store."""

    info: Record
    channels: list[Record]
    groups: list[Record]
    attributes: list[Record]
    customers: Collection
    subscribers: Collection
    orders: Collection
    refunds: Collection
    products: Collection
    categories: Collection
    brands: Collection
    archived: dict[int, Record] = field(default_factory=dict)  # orders that were "deleted"
    coupons: list[Record] = field(default_factory=list)
    promotions: list[Record] = field(default_factory=list)  # V3, each with its `codes` by their lower case
    locations: list[Record] = field(default_factory=lambda: [dict(LOCATION)])
    shelves: dict[tuple[int, int], Record] = field(default_factory=dict)  # by variant and location: inventory
    currencies: list[Record] = field(default_factory=list)
    address_owner: Callable[[int], int] = (
        int  # customer of an address that was there at the start; 0 for none
    )
    new_addresses: dict[int, int] = field(default_factory=dict)  # address -> customer, of those made since
    serial: Iterator[int] = field(default_factory=lambda: count(10**12))  # ids of new sub-records

    @property
    def hash(self) -> str:
        """The store hash: the `id` of GET /v2/store."""
        return str(self.info["id"])

    def channel(self, key: int) -> Record | None:
        """A channel by id."""
        return next((c for c in self.channels if c["id"] == key), None)
