"""BigCommerce's rows into our records. Pure.

Each function takes one row and what it must be joined with, and raises `Unreadable` when the row cannot
be understood; `changes` turns a page of rows into changes, so that a flaw stays with its own record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from tajo.bigcommerce import wire
from tajo.bigcommerce.values import Unreadable, at_rate, moment, money, plain_text
from tajo.sync.model import (
    ZERO,
    Address,
    Cart,
    CartLine,
    Category,
    Change,
    Choice,
    Customer,
    FieldValue,
    Key,
    Line,
    Order,
    Product,
    Record,
    Refund,
    Resource,
    Store,
    Storefront,
    Subscriber,
    Variant,
    cart_key,
)

ONE = Decimal(1)
MIGRATED = "M-MIG"  # history brought from another platform (orders.v2: external_source)
SOLD = frozenset({"available", "preorder"})  # what a shopper can buy (products_catalog.v3: availability)

Row = TypeVar("Row", wire.Customer, wire.Subscriber, wire.Order, wire.Refund, wire.Category, wire.Product)


def changes(
    resource: Resource, rows: Iterable[Row | wire.Flaw], record: Callable[[Row], Record]
) -> list[Change]:
    """Each row as a change: its record, or why it cannot be understood. Never raises, never drops one."""
    found = []
    for row in rows:
        key = Key(resource, row.id)
        if isinstance(row, wire.Flaw):
            found.append(Change(key, None, row.why))
        elif not row.id:
            found.append(Change(key, None, "id: expected a number"))
        else:
            try:
                found.append(Change(key, record(row)))
            except Unreadable as flaw:
                found.append(Change(key, None, str(flaw)))
    return found


def store(
    row: wire.Store, channels: Iterable[wire.Named], sites: Iterable[wire.Site], groups: Iterable[wire.Named]
) -> Store:
    """The store, with every channel (sold through or not, since old orders name old channels).

    A channel's URL is that of its first site; the default channel falls back to the store's own.
    """
    default = row.default_channel_id or 1
    urls = {default: row.secure_url or ""}
    urls |= {site.channel_id: site.url for site in reversed(list(sites)) if site.channel_id and site.url}
    names = {default: row.name or ""} | {channel.id: channel.name or "" for channel in channels}
    return Store(
        name=row.name or "",
        currency=row.currency or "",
        timezone=(row.timezone.name if isinstance(row.timezone, wire.Timezone) else None) or "UTC",
        plan=row.plan_level or "",
        default_storefront=default,
        storefronts={
            channel: Storefront(channel, name, urls.get(channel, "").rstrip("/"))
            for channel, name in names.items()
        },
        groups={group.id: group.name or "" for group in groups},
    )


def address(row: wire.Address) -> Address:
    """A customer's address."""
    return Address(
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        company=row.company or "",
        address1=row.address1 or "",
        address2=row.address2 or "",
        city=row.city or "",
        state_or_province=row.state_or_province or "",
        postal_code=row.postal_code or "",
        country=row.country or "",
        country_code=(row.country_code or "").upper(),
        phone=row.phone or "",
    )


def customer(row: wire.Customer, of: Store, attributes: Mapping[int, str]) -> Customer:
    """An account. `attributes`: the names of the customer attributes by id.

    An attribute hides a form field of the same name: it is the one that a program keeps up to date.
    """
    fields: dict[str, FieldValue] = {
        field.name: field.value for field in row.form_fields or () if field.name and field.value is not None
    }
    for attribute in row.attributes or ():
        name = attributes.get(attribute.attribute_id)
        if name and attribute.attribute_value is not None:
            fields[name] = attribute.attribute_value
    group = row.customer_group_id or 0
    return Customer(
        id=row.id,
        email=_email(row.email),
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        company=row.company or "",
        phone=row.phone or "",
        notes=row.notes or "",
        group_id=group,
        group=of.groups.get(group, ""),
        created=moment(row.date_created, "date_created"),
        modified=moment(row.date_modified, "date_modified"),
        storefront=row.origin_channel_id or of.default_storefront,
        storefronts=None if row.channel_ids is None else tuple(row.channel_ids),
        store_credit=sum(
            (money(c.amount, "store_credit_amounts") for c in row.store_credit_amounts or ()), ZERO
        ),
        addresses=tuple(map(address, row.addresses or ())),
        fields=fields,
    )


def subscriber(row: wire.Subscriber, of: Store) -> Subscriber:
    """A newsletter record with the consents it stands for, perhaps none."""
    return Subscriber(
        id=row.id,
        email=_email(row.email),
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        consents=frozenset(row.consents or ()),
        storefront=row.channel_id or row.origin_channel_id or of.default_storefront,
        created=moment(row.date_created, "date_created"),
        modified=moment(row.date_modified, "date_modified"),
    )


def embedded_lines(row: wire.Order) -> list[wire.Line] | None:
    """The lines that came inside an order's consignments; None if some are missing.

    They are cut at 50 per consignment, with a `__warning__` (bigcommerce/docs#960), and sometimes left
    out altogether (bigcommerce/dev-docs#2052), so they must add up to `items_total`. Whether that counts
    the parts of a bundle is said nowhere: with or without them will do.
    """
    if not isinstance(row.consignments, wire.Consignments):
        return None
    parcels = _parcels(row.consignments)
    if any(parcel.warning is not None for parcel in parcels):
        return None
    lines = [line for parcel in parcels for line in _listed(parcel.line_items)]
    if not all(line.id for line in lines):
        return None
    every = sum(line.quantity or 0 for line in lines)
    if row.items_total in (None, every):
        return lines
    whole = sum(line.quantity or 0 for line in lines if not line.parent_order_product_id)
    return lines if row.items_total == whole else None


def order(row: wire.Order, lines: Sequence[wire.Line], of: Store) -> Order:
    """An order with its lines, all amounts in the store's default currency.

    `default_currency_code` is the currency that was paid in; one unit of the store's own is
    `store_default_to_transactional_exchange_rate` units of it (orders.v2). Coupons are the codes that the
    lines' discounts name (orders.v2: orderProductAppliedDiscounts).
    """
    created = moment(row.date_created, "date_created")
    if created is None:
        raise Unreadable("date_created: expected a date")
    if row.status_id is None:
        raise Unreadable("status_id: expected a number")
    own = row.store_default_currency_code or of.currency
    paid = row.default_currency_code or own
    rate = ONE if paid == own else _rate(row)
    billing = row.billing_address if isinstance(row.billing_address, wire.BillingAddress) else None
    return Order(
        id=row.id,
        customer_id=row.customer_id or 0,
        email=((billing.email if billing else None) or "").strip(),
        status_id=row.status_id,
        status=row.status or "",
        created=created,
        modified=moment(row.date_modified, "date_modified"),
        total=at_rate(money(row.total_inc_tax, "total_inc_tax"), rate),
        currency=paid,
        rate=rate,
        storefront=row.channel_id or of.default_storefront,
        payment_method=row.payment_method or "",
        coupons=_coupons(lines),
        billing=_billing(billing) if billing else Address(),
        lines=tuple(_line(line, rate) for line in sorted(lines, key=lambda line: line.id)),
        cart_id=row.cart_id or "",
        archived=bool(row.is_deleted),
        migrated=row.external_source == MIGRATED,
    )


def refund(row: wire.Refund) -> Refund:
    """Money given back, without the payments that the provider declined (orders.v3: is_declined)."""
    if not row.order_id:
        raise Unreadable("order_id: expected a number")
    payments = row.payments or []
    declined = [payment for payment in payments if payment.is_declined]
    amount = money(row.total_amount, "total_amount")
    if declined:
        lost = sum((money(payment.amount, "payments.amount") for payment in declined), ZERO)
        amount = ZERO if len(declined) == len(payments) else max(amount - lost, ZERO)
    return Refund(id=row.id, order_id=row.order_id, amount=amount, created=moment(row.created, "created"))


def cart(row: wire.Cart, of: Store, emails: Mapping[int, str]) -> Cart:
    """A cart. `emails`: those of accounts by id, for carts in whose checkout no e-mail was typed yet.

    Prices are those after discounts (carts.v3: sale_price); custom items and gift certificates have none.
    """
    try:
        key = cart_key(row.id)
    except ValueError:
        raise Unreadable("id: expected a UUID") from None
    account = row.customer_id or 0
    currency = row.currency.code if isinstance(row.currency, wire.Currency) else None
    items = row.line_items if isinstance(row.line_items, wire.CartItems) else wire.CartItems()
    sorts = (items.physical_items, items.digital_items, items.custom_items, items.gift_certificates)
    return Cart(
        id=key.id,
        uuid=row.id,
        customer_id=account,
        email=(row.email or "").strip() or emails.get(account, ""),
        storefront=row.channel_id or of.default_storefront,
        currency=(currency or "").upper(),
        total=money(row.cart_amount, "cart_amount"),
        lines=tuple(_cart_line(item) for sort in sorts for item in sort or ()),
        coupons=tuple(dict.fromkeys(coupon.code for coupon in row.coupons or () if coupon.code)),
        created=moment(row.created_time, "created_time"),
        updated=moment(row.updated_time, "updated_time"),
    )


def category(row: wire.Category, paths: Mapping[int, str], channels: Mapping[int, int]) -> Category:
    """A category. `paths`: from `category_paths`; `channels`: the channel that shows each tree."""
    return Category(
        id=row.id,
        name=paths[row.id],
        path=(row.url.path if isinstance(row.url, wire.Path) else None) or "",
        storefront=channels.get(row.tree_id or 0),
        visible=row.is_visible is not False,
    )


def category_paths(rows: Iterable[wire.Category]) -> dict[int, str]:
    """`Garden > Tools > Spades` for each category; it starts where a parent is unknown or comes twice."""
    known = {row.id: row for row in rows}
    paths = {}
    for leaf in known:
        names: list[str] = []
        met = set()
        at = leaf
        while at in known and at not in met:
            met.add(at)
            names.append((known[at].name or "").strip())
            at = known[at].parent_id or 0
        paths[leaf] = " > ".join(reversed(names))
    return paths


def product(row: wire.Product, brands: Mapping[int, str]) -> Product:
    """A product. `brands`: names by id.

    Price: what the storefront shows (`calculated_price`), `was`: the price that a sale replaces.
    Stock: None without tracking, where the level means nothing; the sum of the variants where these are
    tracked. A shopper sees a product that is visible, available (or to be pre-ordered) and assigned to
    some channel (MSF guide).
    """
    shown, full = _price(row, ZERO), money(row.price, "price")
    image = (row.primary_image.url_standard if isinstance(row.primary_image, wire.Image) else None) or ""
    by_variant = row.inventory_tracking == "variant"
    variants = row.variants or []
    stock = None
    if by_variant and variants:
        stock = sum(variant.inventory_level or 0 for variant in variants)
    elif by_variant or row.inventory_tracking == "product":
        stock = row.inventory_level or 0
    return Product(
        id=row.id,
        name=row.name or "",
        sku=row.sku or "",
        brand=brands.get(row.brand_id or 0, ""),
        description=plain_text(row.description),
        categories=tuple(row.categories or ()),
        price=shown,
        was=full if full > shown else None,
        stock=stock,
        low_stock=row.inventory_warning_level or 0,
        image=image,
        path=(row.custom_url.url if isinstance(row.custom_url, wire.CustomUrl) else None) or "",
        storefronts=tuple(row.channels or ()),
        visible=row.is_visible is not False
        and (row.availability or "available") in SOLD
        and row.channels != [],
        custom_fields=_custom_fields(row.custom_fields or ()),
        variants=() if _simple(row) else tuple(_variant(v, shown, image, by_variant) for v in variants),
        modified=moment(row.date_modified, "date_modified"),
    )


def _simple(row: wire.Product) -> bool:
    """Has no variants but the base one, which every product has (products_catalog.v3: base_variant_id)."""
    return row.base_variant_id is not None or all(not variant.option_values for variant in row.variants or ())


def _variant(row: wire.Variant, price: Decimal, image: str, tracked: bool) -> Variant:
    """A variant inherits its product's price and image. Its stock is its own only if tracked by variant."""
    return Variant(
        id=row.id,
        sku=row.sku or "",
        options=" / ".join(value.label for value in row.option_values or () if value.label),
        price=_price(row, price),
        stock=(row.inventory_level or 0) if tracked else None,
        low_stock=row.inventory_warning_level or 0,
        image=row.image_url or image,
        purchasable=not row.purchasing_disabled,
    )


def _price(row: wire.Product | wire.Variant, inherited: Decimal) -> Decimal:
    """What the storefront shows, before price lists. A sale price of 0 is none."""
    sale = money(row.sale_price, "sale_price")
    if row.calculated_price is not None:
        return money(row.calculated_price, "calculated_price")
    return sale or (inherited if row.price is None else money(row.price, "price"))


def _custom_fields(rows: Iterable[wire.CustomField]) -> dict[str, str]:
    """Names may repeat (`Colour: red`, `Colour: blue`): their values are joined."""
    found: dict[str, str] = {}
    for row in rows:
        if row.name and row.value is not None:
            found[row.name] = f"{found[row.name]}, {row.value}" if row.name in found else row.value
    return found


def _email(text: str | None) -> str:
    email = (text or "").strip()
    if not email:
        raise Unreadable("email: expected an e-mail address")
    return email


def _rate(row: wire.Order) -> Decimal:
    rate = money(
        row.store_default_to_transactional_exchange_rate, "store_default_to_transactional_exchange_rate"
    )
    return rate if rate > 0 else ONE


def _parcels(found: wire.Consignments) -> list[wire.Consignment]:
    """An order's lines lie in four places (orders.v2: orderConsignment_Get)."""
    email = found.email.gift_certificates if isinstance(found.email, wire.EmailConsignments) else None
    return [*(found.shipping or ()), *(found.pickups or ()), *(found.downloads or ()), *(email or ())]


def _listed(lines: list[wire.Line] | wire.Line | None) -> list[wire.Line]:
    """A digital consignment's example shows one object instead of an array (orders.v2)."""
    return [lines] if isinstance(lines, wire.Line) else lines or []


def _coupons(lines: Iterable[wire.Line]) -> tuple[str, ...]:
    codes = {
        discount.code: None for line in lines for discount in line.applied_discounts or () if discount.code
    }
    return tuple(sorted(codes))


def _line(row: wire.Line, rate: Decimal) -> Line:
    """`discounted_total_inc_tax` is what was paid for the line (orders.v2); older answers lack it."""
    paid = row.total_inc_tax if row.discounted_total_inc_tax is None else row.discounted_total_inc_tax
    return Line(
        product_id=row.product_id or 0,
        variant_id=row.variant_id or 0,
        name=row.name or "",
        sku=row.sku or "",
        quantity=row.quantity or 0,
        price=at_rate(money(row.price_inc_tax, "price_inc_tax"), rate),
        total=at_rate(money(paid, "total_inc_tax"), rate),
    )


def _cart_line(row: wire.CartItem) -> CartLine:
    quantity = 1 if row.quantity is None else row.quantity
    price = money(_first(row.sale_price, row.list_price, row.amount), "price")
    whole = _first(row.extended_sale_price, row.extended_list_price, price * quantity)
    return CartLine(
        product_id=row.product_id or 0,
        variant_id=row.variant_id or 0,
        name=row.name or "",
        sku=row.sku or "",
        options=" / ".join(str(option.value) for option in row.options or () if option.value is not None),
        quantity=quantity,
        price=price,
        total=money(whole, "extended price"),
        url=row.url or "",
        image=row.image_url or "",
        choices=tuple(_choices(row.options or ())),
        added=bool(row.parent_id or row.added_by_promotion),
    )


def _choices(options: Iterable[wire.Choice]) -> Iterator[Choice]:
    """What was chosen, without what nobody filled in."""
    for option in options:
        value = option.value_id or option.value
        if option.option_id and value is not None:
            yield Choice(option.option_id, value if isinstance(value, int | str) else str(value))


def _first(*amounts: Decimal | None) -> Decimal | None:
    """The first that is told; an amount of 0 is."""
    return next((amount for amount in amounts if amount is not None), None)


def _billing(row: wire.BillingAddress) -> Address:
    return Address(
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        company=row.company or "",
        address1=row.street_1 or "",
        address2=row.street_2 or "",
        city=row.city or "",
        state_or_province=row.state or "",
        postal_code=row.zip or "",
        country=row.country or "",
        country_code=(row.country_iso2 or "").upper(),
        phone=row.phone or "",
    )
