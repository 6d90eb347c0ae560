"""Carts made anew from how they were last seen, as far as the store still sells what was in them.

A cart that a shopper made cannot be handed to another browser, one that was made by the API can, with an
address that works once (carts.v3: createCartRedirectURL). What can still be bought is asked first, and
whatever the store refuses all the same is found by halves, in one and the same cart.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.inventory import Inventory, Locations
from tajo.bigcommerce.resources import FULL, Products, chunks, every, heeded, joined, read, three_at_once
from tajo.bigcommerce.values import Unreadable
from tajo.errors import Later
from tajo.sync.model import Cart, CartLine
from tajo.sync.ports import urgent
from tajo.sync.recovery import LeftOut, Restored, Why

_log = logging.getLogger(__name__)

CARTS, ITEMS = "/v3/carts", "/v3/carts/{id}/items"
REDIRECTS, COUPONS = "/v3/carts/{id}/redirect_urls", "/v3/checkouts/{id}/coupons"
CATALOGUE = "/v3/catalog/products"
FORBIDDEN, GONE = 403, 404
REFUSALS = frozenset({400, GONE, 409, 422})  # of what was asked for, not of us

_products = wire.pages_of(wire.Product)
_sites = wire.pages_of(wire.Site)
_made = wire.enclosed(wire.MadeCart)
_urls = wire.enclosed(wire.RedirectUrls)


class Wanted(Struct, frozen=True):
    """A line of which `quantity` pieces can be bought. `modified`: more was chosen than its variant says."""

    line: CartLine
    quantity: int
    modified: bool


class CartRecovery:
    """Makes carts of one store. Implements `tajo.sync.recovery.Till`.

    `locations`: those whose stock counts; None: stock is what the catalogue says.
    """

    def __init__(self, api: Api, *, locations: Locations | None = None) -> None:
        self._api = api
        self._restock = Inventory(api, locations).restock if locations else None

    async def recreate(self, cart: Cart, made: Callable[[str], Awaitable[None]]) -> Restored:
        """See `Till.recreate`. A token that may not write leads to an address at which the store does it.

        Without anything left to buy, there is no cart.
        """
        urgent.set(True)  # a shopper waits
        wanted, left_out = sort(cart, await self._products(cart))
        basket = _Basket(self._api, cart, cart.customer_id, made)
        try:
            await basket.put(wanted)
            if wanted and not basket.uuid and cart.customer_id:  # whose account may be gone
                basket = _Basket(self._api, cart, 0, made)
                await basket.put(wanted)
        except Declined as no:
            url = await self._storefront(cart.storefront) if no.status == FORBIDDEN else ""
            if not url:
                raise
            return shortcut(url, cart, wanted, left_out)
        return Restored(
            uuid=basket.uuid,
            left_out=(*left_out, *short(wanted, basket.refused)),
            coupons=await self._redeem(basket.uuid, cart.coupons) if basket.uuid else (),
        )

    async def entrance(self, uuid: str) -> str | None:
        """See `Till.entrance`."""
        urgent.set(True)
        try:
            urls = await self._api.post(_of(REDIRECTS, uuid), {}, _urls, route=REDIRECTS)
        except Declined as no:
            if no.status != GONE:
                raise
            return None
        if not isinstance(urls, wire.RedirectUrls):
            raise Later(f"POST {REDIRECTS} was answered without an address")
        return urls.checkout_url

    async def _products(self, cart: Cart) -> dict[int, wire.Product | None]:
        """What the catalogue says of what is in the cart; None: it cannot be understood."""
        ids = sorted({line.product_id for line in cart.lines if line.product_id})
        rows: Products = [row for part in await three_at_once(self._look, chunks(ids)) for row in part]
        if self._restock:
            rows = await self._restock(rows)
        return {row.id: row if isinstance(row, wire.Product) else None for row in rows}

    async def _look(self, ids: Sequence[int]) -> Products:
        params = {"id:in": joined(ids), "include": "variants,channels", "limit": FULL}
        rows = (await read(self._api, CATALOGUE, _products, params)).rows
        heeded(CATALOGUE, "id:in", ids, (row.id for row in rows))
        return rows

    async def _redeem(self, uuid: str, coupons: Sequence[str]) -> tuple[str, ...]:
        """Put coupons into a cart, whose checkout has the same id; returns those that are not taken."""
        path, dead = _of(COUPONS, uuid), []
        for code in coupons:
            try:
                await self._api.send("POST", path, {"coupon_code": code}, route=COUPONS)
            except Declined as no:
                if no.status not in REFUSALS | {FORBIDDEN}:
                    raise
                if no.status == FORBIDDEN:  # not the coupon's fault, but nothing that a shopper could mend
                    _log.warning("coupons do not come back with carts: %s", no)
                dead.append(code)
        return tuple(dead)

    async def _storefront(self, channel: int) -> str:
        """Where this channel sells, without a trailing slash; empty if it has no site."""
        sites = await every(self._api, "/v3/sites", _sites)
        urls = (site.url for site in sites if isinstance(site, wire.Site) and site.channel_id == channel)
        return next(filter(None, urls), "").rstrip("/")


class _Basket:
    """A cart that is being filled. `uuid`: empty until there is one; `refused`: what does not go into it."""

    def __init__(self, api: Api, cart: Cart, account: int, made: Callable[[str], Awaitable[None]]) -> None:
        self._api = api
        self._made = made
        self._head = {"channel_id": cart.storefront, "customer_id": account} | (
            {"currency": {"code": cart.currency}} if cart.currency else {}
        )
        self.uuid = ""
        self.refused: list[Wanted] = []

    async def put(self, wanted: Sequence[Wanted]) -> None:
        """Put lines into the cart, all at once or, if they are refused, in halves."""
        if not wanted:
            return
        try:
            await self._put({"line_items": [item(one) for one in wanted]})
        except Declined as no:
            if no.status not in REFUSALS:
                raise
            if len(wanted) == 1:
                self.refused.extend(wanted)
                return
            half = len(wanted) // 2
            await self.put(wanted[:half])
            await self.put(wanted[half:])

    async def _put(self, lines: dict[str, Any]) -> None:
        if self.uuid:
            await self._api.send("POST", _of(ITEMS, self.uuid), lines, route=ITEMS)
            return
        made = await self._api.post(CARTS, self._head | lines, _made)
        if not isinstance(made, wire.MadeCart):
            raise Later(f"POST {CARTS} was answered without the id of a cart")
        self.uuid = made.id
        await self._made(made.id)


def sort(cart: Cart, products: Mapping[int, wire.Product | None]) -> tuple[list[Wanted], list[LeftOut]]:
    """What of a cart can still be bought, and what cannot, by the catalogue.

    What the store put into it by itself, it will put there again. Of a product that cannot be understood
    (None) the store itself must say.
    """
    wanted, left_out = [], []
    for line in cart.lines:
        if line.added:
            continue
        verdict: Wanted | Why
        if not line.product_id:
            verdict = Why.NOT_REPEATABLE  # a gift certificate, or something that the merchant made up
        elif line.product_id not in products:
            verdict = Why.NO_LONGER_SOLD
        else:
            verdict = _judge(line, products[line.product_id], cart.storefront)
        if isinstance(verdict, Why):
            left_out.append(LeftOut(_title(line), verdict))
        else:
            wanted.append(verdict)
    return wanted, left_out


def _judge(line: CartLine, row: wire.Product | None, channel: int) -> Wanted | Why:
    try:
        product = records.product(row, {}) if row else None
    except Unreadable:
        product = None
    if row is None or product is None:
        return Wanted(line, line.quantity, bool(line.choices))
    variants = {variant.id: variant for variant in product.variants}
    variant = variants.get(line.variant_id)
    sold = product.visible and (not product.storefronts or channel in product.storefronts)
    if not sold or (variants and line.variant_id and not (variant and variant.purchasable)):
        return Why.NO_LONGER_SOLD
    stock = product.stock if variant is None or variant.stock is None else variant.stock
    if stock is not None and stock <= 0:
        return Why.SOLD_OUT
    quantity = line.quantity if stock is None else min(line.quantity, stock)
    own = {value.option_id for form in row.variants or () for value in form.option_values or ()}
    return Wanted(line, quantity, any(choice.option not in own for choice in line.choices))


def short(wanted: Sequence[Wanted], refused: Sequence[Wanted]) -> list[LeftOut]:
    """What is not there as it was, although the catalogue had it."""
    found = []
    for one in wanted:
        if one in refused:
            found.append(LeftOut(_title(one.line), Why.REFUSED))
        elif one.quantity < one.line.quantity:
            found.append(LeftOut(_title(one.line), Why.FEWER, one.quantity))
    return found


def item(one: Wanted) -> dict[str, Any]:
    """A line as a cart takes it.

    A variant is named by its id; with modifiers by all that was chosen instead (carts.v3:
    updateCartLineItem). Prices are those of today.
    """
    line = one.line
    found: dict[str, Any] = {"product_id": line.product_id, "quantity": one.quantity}
    if one.modified:
        chosen = [{"option_id": choice.option, "option_value": choice.value} for choice in line.choices]
        return found | {"option_selections": chosen}
    return found | ({"variant_id": line.variant_id} if line.variant_id else {})


def shortcut(storefront: str, cart: Cart, wanted: Sequence[Wanted], left_out: Sequence[LeftOut]) -> Restored:
    """The address at which a storefront makes a cart and shows its checkout (facts, section 5).

    It takes one coupon, and no modifiers; a variant is named by its SKU.
    """
    names = [(one, _name(one)) for one in wanted]
    refused = [LeftOut(_title(one.line), Why.NOT_REPEATABLE) for one, name in names if not name]
    told = [(one, name) for one, name in names if name]
    products = ",".join(f"{name}:{one.quantity}" for one, name in told)
    coupon = f"&coupon={quote(cart.coupons[0], safe='')}" if cart.coupons else ""
    return Restored(
        url=f"{storefront}/checkout/?products={products}{coupon}" if told else "",
        left_out=(*left_out, *refused, *short([one for one, _ in told], ())),
        coupons=cart.coupons[1:],
    )


def _name(one: Wanted) -> str:
    """What a line is called in an address; empty if it cannot be named."""
    line = one.line
    if one.modified:
        return ""
    if not (line.options or line.choices):
        return str(line.product_id)
    # of digits only, it would be the id of a product
    return "" if line.sku.isdecimal() else quote(line.sku, safe="")


def _of(route: str, uuid: str) -> str:
    return route.replace("{id}", uuid)


def _title(line: CartLine) -> str:
    return f"{line.name} ({line.options})" if line.options else line.name
