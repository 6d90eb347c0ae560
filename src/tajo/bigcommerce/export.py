"""A store as a folder of files: one JSON object a line, gzip, each as the API returns it.

Two things are put together, as the simulated BigCommerce expects them: an order carries its `line_items`
(as `/v2/orders/{id}/products` returns them) instead of its consignments and of links to further calls, a
channel the `site_url` of its site. What comes cut short is completed. `store.json` holds the few rows that
belong to the whole store, with the names of customer attributes, which are nowhere else. The files hold
personal data: nobody but the owner may read them.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.api import Api
from tajo.bigcommerce.resources import (
    LISTINGS,
    Decode,
    Listing,
    chunks,
    cut_short,
    every,
    groups,
    joined,
    order_lines,
    read,
    three_at_once,
)
from tajo.bigcommerce.walk import walk
from tajo.errors import Usage
from tajo.sync.model import Resource

Content = dict[str, Any]

CONTENT = msgspec.json.Decoder(Content, float_hook=Decimal).decode  # 8.10 stays 8.10
ORDER = msgspec.json.Decoder(wire.Order, strict=False).decode
ENCODE = msgspec.json.Encoder(decimal_format="number").encode


class Row(Struct, frozen=True):
    """A row as it came. `id`: by which pages are followed."""

    id: int
    raw: Raw
    content: Content


def rows_of(pages: Decode[Raw]) -> Decode[Row]:
    """A decoder of lists whose rows are kept as they are."""

    def decode(body: bytes) -> wire.Page[Row]:
        found = pages(body)
        rows = [Row(wire.identity(raw), raw, CONTENT(raw)) for raw in found.rows if isinstance(raw, Raw)]
        return wire.Page(list(rows), found.pagination, found.cursor)

    return decode


V2, V3 = rows_of(wire.lists_of(Raw)), rows_of(wire.pages_of(Raw))


class Table(Struct, frozen=True):
    """One file: how its rows are read, and what completes a page of them."""

    listing: Listing
    complete: Callable[[Api, Sequence[Row]], Awaitable[None]]


async def export_store(api: Api, folder: Path) -> dict[str, int]:
    """Write everything into the folder, page by page; returns how many rows each file has.

    Raises `Usage` for a folder that holds an export already or cannot be written.
    """
    counts = {}
    with Files(folder, [*(f"{name}.jsonl.gz" for name in TABLES), "store.json"]) as files:
        for name, table in TABLES.items():
            with files.zipped(f"{name}.jsonl.gz") as file:
                counts[name] = 0
                async for step in walk(api, table.listing, {}, "", api.clock):
                    await table.complete(api, step.rows)
                    file.writelines(ENCODE(row.content) + b"\n" for row in step.rows)
                    counts[name] += len(step.rows)
        with files.plain("store.json") as file:
            file.write(msgspec.json.format(ENCODE(await _store(api)), indent=1) + b"\n")
    return counts


async def _store(api: Api) -> Content:
    """What is true of the whole store. A channel's site is its first one."""
    store = await read(api, "/v2/store", CONTENT, {})
    channels = await _every(api, "/v3/channels")
    sites = await _every(api, "/v3/sites")
    urls = {site.get("channel_id"): site.get("url") for site in reversed(sites)}
    for channel in channels:
        if url := urls.get(channel["id"]):
            channel["site_url"] = url
    known = await groups(api, V2)
    attributes = await _every(api, "/v3/customers/attributes")
    return {
        "store": store,
        "channels": channels,
        "customer_groups": _contents(known),
        "attributes": attributes,
    }


async def _every(api: Api, path: str, **params: str) -> list[Content]:
    rows = await every(api, path, V3, params)
    return _contents(rows)


def _contents(rows: Iterable[Row | wire.Flaw]) -> list[Content]:
    return [row.content for row in rows if isinstance(row, Row)]


# -- what completes a page


async def _as_it_is(_: Api, __: Sequence[Row]) -> None:
    """Nothing is missing."""


async def _all_addresses_and_attributes(api: Api, rows: Sequence[Row]) -> None:
    """A listing brings ten of each. What was embedded stays first, as in a sync."""
    for name, count, path, key in (
        ("addresses", "address_count", "/v3/customers/addresses", "id"),
        ("attributes", "attribute_count", "/v3/customers/attribute-values", "attribute_id"),
    ):
        cut = {
            row.id: row.content for row in rows if cut_short(row.content.get(count), row.content.get(name))
        }
        for part in chunks(list(cut)):
            for more in await _every(api, path, **{"customer_id:in": joined(part)}):
                had = cut[more["customer_id"]].setdefault(name, [])
                if all(one[key] != more[key] for one in had):
                    had.append(more)


async def _lines(api: Api, rows: Sequence[Row]) -> None:
    """The lines that came with the orders, or where they are not complete, those that are asked for."""
    embedded = {row.id: _embedded(row) for row in rows}
    cut = [order for order, lines in embedded.items() if lines is None]
    asked = await three_at_once(lambda order: order_lines(api, order, V2), cut)
    rest = {order: _contents(lines) for order, lines in zip(cut, asked, strict=True)}
    for row in rows:
        lines = embedded[row.id] or rest.get(row.id, [])
        for name in [name for name, value in row.content.items() if name == "consignments" or _link(value)]:
            del row.content[name]
        row.content["line_items"] = sorted(lines, key=lambda line: int(line["id"]))


def _embedded(row: Row) -> list[Content] | None:
    """The lines inside an order's consignments; None if some are missing."""
    try:
        whole = records.embedded_lines(ORDER(row.raw))
    except msgspec.ValidationError:
        return None
    return None if whole is None else list(_items(row.content["consignments"]))


def _items(consignments: Any) -> Iterator[Content]:
    """All `line_items`, wherever they are; one line may stand without a list around it."""
    if isinstance(consignments, list):
        for one in consignments:
            yield from _items(one)
    elif isinstance(consignments, dict):
        for name, value in consignments.items():
            if name == "line_items":
                yield from value if isinstance(value, list) else [value]
            else:
                yield from _items(value)


def _link(value: Any) -> bool:
    """A link to a further call: of no use in a file, and different on each host."""
    return isinstance(value, dict) and value.keys() == {"url", "resource"}


# -- the table

_IMAGES = {"include": "variants,images,custom_fields,channels"}  # all of them, where a sync needs one


def _listing(resource: Resource, decode: Decode[Row], **other: Any) -> Listing:
    return replace(LISTINGS[resource], decode=decode, **other)


TABLES: dict[str, Table] = {
    "customers": Table(_listing(Resource.CUSTOMERS, V3), _all_addresses_and_attributes),
    "subscribers": Table(_listing(Resource.SUBSCRIBERS, V3), _as_it_is),
    "orders": Table(_listing(Resource.ORDERS, V2), _lines),
    "products": Table(
        _listing(Resource.PRODUCTS, V3, params={**LISTINGS[Resource.PRODUCTS].params, **_IMAGES}), _as_it_is
    ),
    "categories": Table(_listing(Resource.CATEGORIES, V3), _as_it_is),
    "refunds": Table(_listing(Resource.REFUNDS, V3), _as_it_is),
    # paged as categories are
    "brands": Table(_listing(Resource.CATEGORIES, V3, path="/v3/catalog/brands"), _as_it_is),
}


# -- files


class Files:
    """Files that appear in a folder together, at the end, or not at all; only their owner may read them."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names

    def __enter__(self) -> Self:
        if any((self._folder / name).exists() for name in self._names):
            raise Usage(f"{self._folder} holds an export already", "name a new or empty folder.")
        with self._complaining():
            self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in self._names:
            part = self._part(name)
            if error is None:
                part.rename(self._folder / name)
            else:
                part.unlink(missing_ok=True)

    @contextmanager
    def plain(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file as it is."""
        with self._complaining(), os.fdopen(self._open(name), "wb") as file:
            yield file

    @contextmanager
    def zipped(self, name: str) -> Iterator[gzip.GzipFile]:
        """Write a gzip file that depends on nothing but its content: it has neither name nor time."""
        with (
            self.plain(name) as plain,
            gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as file,
        ):
            yield file

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}.part"

    def _open(self, name: str) -> int:
        """A part that was left behind may be readable by others: it is made anew."""
        part = self._part(name)
        part.unlink(missing_ok=True)
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Usage(
                f"cannot write into {self._folder}: {error.strerror}", "name a folder with room, of your own."
            ) from None
