"""What can be read of a store, one entry each: the table by which `source` reads.

A `Listing` says where rows are, how their pages follow each other, how single ids are looked at, and how
rows become changes, which takes further calls where BigCommerce cuts sub-resources short.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.paging import ByCursor, ByKey, ByNumber, Paging
from tajo.bigcommerce.values import Unreadable
from tajo.errors import Mend
from tajo.sync.model import Change, Customer, Resource, Store, cart_key

T = TypeVar("T")
R = TypeVar("R")
Owned = TypeVar("Owned", wire.Address, wire.AttributeValue)
Decode = Callable[[bytes], wire.Page[T]]

FULL = 250  # rows a page: the maximum, or where none is documented, safe (common-query-params)
IN = 100  # ids in one filter: no maximum is documented, but URLs must stay short (facts, section 2)
CUT = 10  # addresses, and attributes, that come with a customer (customers.v3: maxItems)
AT_ONCE = 3  # calls at a time for one store (facts, section 8)


class Names:
    """Names by id of a small list, read when one is needed that is not known yet."""

    def __init__(self, api: Api, path: str) -> None:
        self._api = api
        self._path = path
        self._known: dict[int, str] = {}

    async def of(self, ids: Iterable[int]) -> Mapping[int, str]:
        """Names for at least these ids; those that exist nowhere are empty."""
        unknown = set(ids) - self._known.keys()
        if unknown:
            rows = await every(self._api, self._path, NAMED)
            self._known = dict.fromkeys(unknown, "") | {
                row.id: row.name or "" for row in rows if isinstance(row, wire.Named)
            }
        return self._known

    def forget(self) -> None:
        """Read again when next asked: names change."""
        self._known = {}


Products = Sequence[wire.Product | wire.Flaw]
Restock = Callable[[Products], Awaitable[Products]]


class Desk:
    """What rows are joined with while they become records.

    `restock` gives products the stock that counts; None: that of the catalogue.
    """

    def __init__(self, api: Api, store: Store, restock: Restock | None = None) -> None:
        self.api = api
        self.store = store
        self.restock = restock
        self.attributes = Names(api, "/v3/customers/attributes")
        self.brands = Names(api, "/v3/catalog/brands")

    def forget(self) -> None:
        """Read all names again when next needed."""
        self.attributes.forget()
        self.brands.forget()


class Listing(Struct, frozen=True, kw_only=True):
    """How one resource is read.

    `since`: the filter for the date of change, empty where there is none. `smallest`: a page that the
    server does not manage may be halved down to this. `counter`: where the number is asked, if not at
    `path`. `whole`: rows can only be understood all together. `look` finds rows by id, `read` turns rows
    into changes.
    """

    path: str
    decode: Decode[Any]
    paging: Paging
    read: Callable[[Desk, Sequence[Any]], Awaitable[list[Change]]]
    look: Callable[[Desk, Listing, Sequence[int]], Awaitable[list[Any]]]
    params: Mapping[str, Any] = {}
    since: str = ""
    size: int = FULL
    smallest: int = FULL
    counter: str = ""
    whole: bool = False


async def read(
    api: Api,
    path: str,
    decode: Callable[[bytes], T],
    params: Mapping[str, Any],
    *,
    route: str = "",
    final: frozenset[int] = frozenset(),
) -> T:
    """What must exist: a list that is not there (404) is not an empty one but `Declined`."""
    found = await api.get(path, decode, params=params, route=route, final=final)
    if found is None:
        raise Declined(
            404, f"Store {api.store_hash} has no {route or path} (404)", "check store hash and API address"
        )
    return found


async def every(
    api: Api,
    path: str,
    decode: Decode[T],
    params: Mapping[str, Any] | None = None,
    *,
    limit: int | None = FULL,
    route: str = "",
) -> list[T | wire.Flaw]:
    """All rows of a list with numbered pages; a row may come twice. `limit` None: the list takes none."""
    paging, cursor = ByNumber(), ""
    fixed = dict(params or {}) | ({} if limit is None else {"limit": limit})
    rows: list[T | wire.Flaw] = []
    while True:
        found = await read(api, path, decode, fixed | paging.ask(cursor), route=route)
        rows += found.rows
        cursor = paging.after(cursor, found, limit or FULL)
        if not cursor:
            return rows


async def groups(api: Api, decode: Decode[T]) -> list[T | wire.Flaw]:
    """The customer groups. They exist only on some plans: without them (204, 403, 404), nobody is in one."""
    try:
        return await every(api, "/v2/customer_groups", decode)
    except Declined as no:
        if no.status not in (403, 404):
            raise
        return []


async def three_at_once(do: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
    """`do` for each item, in the order given. The first error passes, after its neighbours have ended."""
    done: list[R] = []
    for start in range(0, len(items), AT_ONCE):
        trio = await asyncio.gather(*map(do, items[start : start + AT_ONCE]), return_exceptions=True)
        for result in trio:
            if isinstance(result, BaseException):
                raise result
            done.append(result)
    return done


def chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    """Ids in portions that fit into one filter."""
    return [ids[start : start + IN] for start in range(0, len(ids), IN)]


def joined(ids: Iterable[int]) -> str:
    """A filter's list: one parameter, separated by commas (`style: form, explode: false`)."""
    return ",".join(map(str, ids))


def heeded(path: str, name: str, asked: Iterable[int], met: Iterable[int]) -> None:
    """Raise `Mend` if what was met was not asked for; 0 is what could not be read.

    A filter that is ignored, as has been seen (bigcommerce-api-ruby#60), would make all "gone".
    """
    if not set(met) <= {0, *asked}:
        raise Mend(
            f"BigCommerce ignored the filter {name} of {path}",
            "try again; if it persists, ask BigCommerce's support whether the filter was withdrawn",
        )


# -- how single ids are looked at


def among(name: str) -> Callable[[Desk, Listing, Sequence[int]], Awaitable[list[Any]]]:
    """By the filter `name`, which takes many ids, 100 a call."""

    async def look(desk: Desk, listing: Listing, ids: Sequence[int]) -> list[Any]:
        rows: list[Any] = []
        for part in chunks(ids):
            params = {**listing.params, name: joined(part), "limit": listing.size}
            found = (await read(desk.api, listing.path, listing.decode, params)).rows
            heeded(listing.path, name, part, (row.id for row in found))
            rows += found
        return rows

    return look


def singly(
    decode: Callable[[bytes], Any], params: Mapping[str, str]
) -> Callable[[Desk, Listing, Sequence[int]], Awaitable[list[Any]]]:
    """One call each, three at a time: V2 orders have no filter for many ids."""

    async def look(desk: Desk, listing: Listing, ids: Sequence[int]) -> list[Any]:
        async def one(wanted: int) -> Any:
            path, route = f"{listing.path}/{wanted}", f"{listing.path}/{{id}}"
            row = await desk.api.get(path, decode, params=params, route=route)
            return replace(row, id=wanted) if isinstance(row, wire.Flaw) else row

        return [row for row in await three_at_once(one, ids) if row is not None]

    return look


async def among_all(desk: Desk, listing: Listing, ids: Sequence[int]) -> list[Any]:
    """By reading everything: few rows, and each needs its relatives."""
    return await every(desk.api, listing.path, listing.decode, listing.params)


# -- how rows become changes


async def customers(desk: Desk, rows: Sequence[wire.Customer | wire.Flaw]) -> list[Change]:
    """Customers with all of their addresses and attributes, of which a listing brings ten each."""
    known = [row for row in rows if isinstance(row, wire.Customer)]
    addresses = await cut_off(
        desk,
        "/v3/customers/addresses",
        ADDRESSES,
        [c for c in known if cut_short(c.address_count, c.addresses)],
    )
    values = await cut_off(
        desk,
        "/v3/customers/attribute-values",
        ATTRIBUTE_VALUES,
        [c for c in known if cut_short(c.attribute_count, c.attributes)],
    )
    names = await desk.attributes.of(
        value.attribute_id for value in chain(*(c.attributes or () for c in known), *values.values())
    )

    def record(row: wire.Customer) -> Customer:
        if row.id in addresses or row.id in values:
            row = replace(
                row,
                # what was embedded stays first, so that the first address does not depend on the count
                addresses=list(
                    {a.id: a for a in [*(row.addresses or ()), *addresses.get(row.id, ())]}.values()
                ),
                attributes=[*(row.attributes or ()), *values.get(row.id, ())],
            )
        return records.customer(row, desk.store, names)

    return records.changes(Resource.CUSTOMERS, rows, record)


async def cut_off(
    desk: Desk, path: str, decode: Decode[Owned], of: Sequence[wire.Customer]
) -> dict[int, list[Owned]]:
    """The sub-resources of these customers, by customer, read together (customers.v3: customer_id:in).

    One that cannot be understood does not even tell whose it is: it is left out.
    """
    found: dict[int, list[Owned]] = defaultdict(list)
    for part in chunks([customer.id for customer in of]):
        for row in await every(desk.api, path, decode, {"customer_id:in": joined(part)}):
            if not isinstance(row, wire.Flaw):
                found[row.customer_id].append(row)
    return found


def cut_short(count: int | None, came: list[Any] | None) -> bool:
    """Were some of a customer's addresses or attributes cut off? Without a count, ten may be all or not."""
    had = len(came or ())
    return had == CUT if count is None else had < count


async def subscribers(desk: Desk, rows: Sequence[wire.Subscriber | wire.Flaw]) -> list[Change]:
    """Subscribers are whole as they come."""
    return records.changes(Resource.SUBSCRIBERS, rows, lambda row: records.subscriber(row, desk.store))


async def orders(desk: Desk, rows: Sequence[wire.Order | wire.Flaw]) -> list[Change]:
    """Orders with all of their lines, asked for one by one where the embedded ones are not complete."""
    known = [row for row in rows if isinstance(row, wire.Order) and row.id]
    lines = {row.id: records.embedded_lines(row) for row in known}
    cut = [order for order, came in lines.items() if came is None]
    flaws: dict[int, wire.Flaw] = {}
    asked = await three_at_once(lambda order: order_lines(desk.api, order, LINES), cut)
    for order, rest in zip(cut, asked, strict=True):
        lines[order] = [line for line in rest if isinstance(line, wire.Line)]
        broken = [line.why for line in rest if isinstance(line, wire.Flaw)]
        if broken:
            flaws[order] = wire.Flaw(order, f"line: {broken[0]}")
    return records.changes(
        Resource.ORDERS,
        [flaws.get(row.id, row) for row in rows],
        lambda row: records.order(row, lines[row.id] or (), desk.store),
    )


async def order_lines(api: Api, order: int, decode: Decode[T]) -> list[T | wire.Flaw]:
    """All lines of one order, 250 a call (orders.v2: /orders/{id}/products); none if it has just gone."""
    try:
        return await every(api, f"/v2/orders/{order}/products", decode, route="/v2/orders/{id}/products")
    except Declined as no:
        if no.status != 404:
            raise
        return []


async def refunds(desk: Desk, rows: Sequence[wire.Refund | wire.Flaw]) -> list[Change]:
    """Refunds are whole as they come."""
    return records.changes(Resource.REFUNDS, rows, records.refund)


async def refunds_of(desk: Desk, orders: Sequence[int]) -> list[Change]:
    """All refunds of these orders (orders.v3: order_id:in)."""
    listing = LISTINGS[Resource.REFUNDS]
    found: list[Change] = []
    for part in chunks(orders):
        rows = await every(desk.api, listing.path, listing.decode, {"order_id:in": joined(part)})
        heeded(
            listing.path, "order_id:in", part, (row.order_id for row in rows if isinstance(row, wire.Refund))
        )
        found += await refunds(desk, rows)
    return list({change.key: change for change in found}.values())


async def carts(desk: Desk, uuids: Sequence[str]) -> list[Change]:
    """Carts, of which there is no list: one call each, and one for the e-mails that only accounts have.

    A cart that is not there was bought, emptied or forgotten (30 days after its last change).
    """

    async def look(uuid: str) -> wire.Cart | wire.Flaw | None:
        return await desk.api.get(f"/v3/carts/{uuid}", CART, params=INCLUDE_OPTIONS, route="/v3/carts/{id}")

    rows = await three_at_once(look, uuids)
    silent = {row.customer_id for row in rows if isinstance(row, wire.Cart) and not (row.email or "").strip()}
    emails = await emails_of(desk.api, [account for account in silent if account])

    def change(uuid: str, row: wire.Cart | wire.Flaw | None) -> Change:
        key = cart_key(uuid)
        if isinstance(row, wire.Flaw):
            return Change(key, None, row.why)
        try:
            return Change(key, records.cart(row, desk.store, emails) if row else None)
        except Unreadable as flaw:
            return Change(key, None, str(flaw))

    return list(map(change, uuids, rows))


async def emails_of(api: Api, accounts: Sequence[int]) -> Mapping[int, str]:
    """The e-mail of each of these accounts that is still there."""
    emails: dict[int, str] = {}
    for part in chunks(accounts):
        rows = (await read(api, "/v3/customers", ACCOUNTS, {"id:in": joined(part), "limit": FULL})).rows
        emails |= {row.id: (row.email or "").strip() for row in rows if isinstance(row, wire.Customer)}
    return emails


async def products(desk: Desk, rows: Products) -> list[Change]:
    """Products carry their brand's id only, and the stock that the catalogue tells."""
    if desk.restock:
        rows = await desk.restock(rows)
    brands = await desk.brands.of(
        row.brand_id for row in rows if isinstance(row, wire.Product) and row.brand_id
    )
    return records.changes(Resource.PRODUCTS, rows, lambda row: records.product(row, brands))


async def categories(desk: Desk, rows: Sequence[wire.Category | wire.Flaw]) -> list[Change]:
    """Categories with their path from the root and the channel of their tree."""
    trees = await every(desk.api, "/v3/catalog/trees", TREES, limit=None)  # takes no limit
    channels = {tree.id: tree.channels[0] for tree in trees if isinstance(tree, wire.Tree) and tree.channels}
    paths = records.category_paths(row for row in rows if isinstance(row, wire.Category))
    return records.changes(Resource.CATEGORIES, rows, lambda row: records.category(row, paths, channels))


# -- the table

NAMED = wire.pages_of(wire.Named)
TREES = wire.pages_of(wire.Tree)
ADDRESSES = wire.pages_of(wire.Address)
ATTRIBUTE_VALUES = wire.pages_of(wire.AttributeValue)
LINES = wire.lists_of(wire.Line)
ACCOUNTS = wire.pages_of(wire.Customer)
CART = wire.enclosed(wire.Cart)

INCLUDE_LINES = {"include": "consignments.line_items", "consignment_structure": "object"}
INCLUDE_OPTIONS = {"include": "line_items.physical_items.options,line_items.digital_items.options"}

LISTINGS: dict[Resource, Listing] = {
    Resource.CATEGORIES: Listing(
        path="/v3/catalog/trees/categories",
        decode=wire.pages_of(wire.Category),
        paging=ByNumber(),
        look=among_all,
        read=categories,
        whole=True,
    ),
    Resource.PRODUCTS: Listing(
        path="/v3/catalog/products",
        decode=wire.pages_of(wire.Product),
        paging=ByKey("id:greater", step=0),
        # primary_image, not images: we show one, a product may have a thousand; options and modifiers
        # would cut the page to 10 (products_catalog.v3: include)
        params={"include": "variants,primary_image,custom_fields,channels", "sort": "id", "direction": "asc"},
        since="date_modified:min",
        smallest=10,
        look=among("id:in"),
        read=products,
    ),
    Resource.REFUNDS: Listing(
        path="/v3/orders/payment_actions/refunds",
        decode=wire.pages_of(wire.Refund),
        paging=ByNumber(),
        since="created:min",
        look=among("id:in"),
        read=refunds,
    ),
    Resource.ORDERS: Listing(
        path="/v2/orders",
        decode=wire.lists_of(wire.Order),
        paging=ByKey("min_id", step=1),
        params={**INCLUDE_LINES, "sort": "id:asc"},
        since="min_date_modified",
        counter="/v2/orders/count",
        look=singly(wire.single_of(wire.Order), INCLUDE_LINES),
        read=orders,
    ),
    Resource.SUBSCRIBERS: Listing(
        path="/v3/customers/subscribers",
        decode=wire.pages_of(wire.Subscriber),
        paging=ByNumber(),
        since="date_modified:min",
        look=among("id:in"),
        read=subscribers,
    ),
    Resource.CUSTOMERS: Listing(
        path="/v3/customers",
        decode=ACCOUNTS,
        paging=ByCursor(),
        params={"include": "addresses,attributes,formfields,storecredit"},
        since="date_modified:min",
        look=among("id:in"),
        read=customers,
    ),
}

#: How each of these lists is asked for its latest change (section 2 of the facts: sort).
LATEST_FIRST: dict[Resource, Mapping[str, str]] = {
    Resource.CUSTOMERS: {"sort": "date_modified:desc"},
    Resource.ORDERS: {"sort": "date_modified:desc"},
    Resource.PRODUCTS: {"sort": "date_modified", "direction": "desc"},
}
