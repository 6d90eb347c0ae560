"""What lies in a cart: catalogue items, custom items, gift certificates; and what the store refuses to sell.

A refusal is a title without `errors`: the one that was seen in the open ("You can only purchase a maximum
of 2 of the ... per order.", vercel/commerce#628) names the product and neither line nor id. The other
wordings are ours. Stock is that of the default location, as the native storefront sells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from .wire import Call, Problem

if TYPE_CHECKING:
    from .carts import Cart
    from .shapes import Record

KINDS: Final = {"physical": "physical_items", "digital": "digital_items"}
SOLD: Final = frozenset({"available", "preorder"})


def add(call: Call, cart: Cart, fields: Record, *, strict: bool) -> list[Record]:
    """Put `line_items`, `custom_items` and `gift_certificates` into a cart, all or nothing; the new lines.

    `strict` refuses what is not for sale; without it only the product and the variant must exist.
    """
    lines, customs = fields.get("line_items") or [], fields.get("custom_items") or []
    certificates = fields.get("gift_certificates") or []
    if not lines and not customs and not certificates:
        raise Problem(422, "Invalid cart.", {"line_items": "at least one item is required"})
    before = {kind: list(rows) for kind, rows in cart.record["line_items"].items()}
    rows = cart.record["line_items"]
    added: list[Record] = []
    try:
        for line in lines:
            kind, item = _catalogue_item(call, cart, line, strict=strict)
            rows[kind].append(item)
            added.append(item)
        for custom in customs:
            rows["custom_items"].append(_custom_item(custom))
            added.append(rows["custom_items"][-1])
        for certificate in certificates:
            rows["gift_certificates"].append(_certificate(certificate))
            added.append(rows["gift_certificates"][-1])
    except Problem:
        cart.record["line_items"] = before
        raise
    return added


def worth(cart: Cart) -> float:
    """What everything in a cart costs before coupons."""
    rows = cart.record["line_items"]
    total: float = sum(item["extended_sale_price"] for item in cart.items)
    total += sum(item["extended_list_price"] for item in rows["custom_items"])
    total += sum(row["amount"] for row in rows["gift_certificates"])
    return round(total, 2)


def amounts(quantity: int, price: float, sale: float) -> Record:
    """Quantity and prices of a line."""
    return {
        "quantity": quantity,
        "list_price": price,
        "sale_price": sale,
        "extended_list_price": round(price * quantity, 2),
        "extended_sale_price": round(sale * quantity, 2),
    }


def check_quantity(call: Call, cart: Cart, item: Record, quantity: int) -> None:
    """Refuse another quantity of a line that the stock or the product's limits do not allow."""
    product = call.store.products.get(item["product_id"])
    variants = product["variants"] if product else []
    variant = next((v for v in variants if v["id"] == item["variant_id"]), None)
    if product is None or variant is None:
        raise Problem(404, f"Product {item['product_id']} was not found.")
    _check_quantity(cart, product, variant, quantity - item["quantity"])


def _catalogue_item(call: Call, cart: Cart, row: Record, *, strict: bool) -> tuple[str, Record]:
    product = call.store.products.get(row.get("product_id", 0))
    if product is None:
        raise Problem(404, f"Product {row.get('product_id')} was not found.")
    variant = _variant(product, row, strict=strict)
    quantity = row.get("quantity", 1)
    if not isinstance(quantity, int) or quantity < 1:
        raise Problem(422, "Invalid cart.", {"line_items": "quantity must be a positive integer"})
    if strict:
        _check_for_sale(product, variant, cart.record["channel_id"])
        _check_quantity(cart, product, variant, quantity)
    price: Any = variant["price"] or product["price"]
    sale: Any = row.get("list_price", variant["calculated_price"])
    image = next((i["url_standard"] for i in product["images"] if i["is_thumbnail"]), "")
    options = [
        {"name": v["option_display_name"], "nameId": v["option_id"], "value": v["label"], "valueId": v["id"]}
        for v in variant["option_values"]
    ]
    item = {
        "id": str(uuid4()),
        "parent_id": None,
        "variant_id": variant["id"],
        "product_id": product["id"],
        "sku": variant["sku"],
        "name": product["name"],
        "url": call.store.info["secure_url"] + product["custom_url"]["url"],
        "taxable": True,
        "image_url": variant["image_url"] or image,
        "discounts": [],
        "coupons": [],
        "discount_amount": 0,
        "coupon_amount": 0,
        "original_price": price,
        "is_require_shipping": product["type"] == "physical",
        "is_mutable": True,
        "added_by_promotion": False,
        **amounts(quantity, row.get("list_price", price), sale),
        "options": options,
    }
    return KINDS[product["type"]], item


def _variant(product: Record, row: Record, *, strict: bool) -> Record:
    """The variant that a line names: by its id, by its options, or the only one there is."""
    wanted, chosen = row.get("variant_id"), row.get("option_selections") or []
    variants: list[Record] = product["variants"]
    if wanted is not None:
        found = next((v for v in variants if v["id"] == wanted), None)
        if found is None:
            raise Problem(404, f"Variant {wanted} of {product['name']} was not found.")
        return found
    if chosen:
        pairs = {(c.get("option_id"), str(c.get("option_value"))) for c in chosen}
        found = next((v for v in variants if _options(v) <= pairs), None)
        if found is None:
            raise Problem(422, f"The selected options of {product['name']} are not valid.")
        return found
    if not variants or (strict and len(variants) > 1):
        raise Problem(422, f"Please choose the options of {product['name']}.")
    return variants[0]


def _options(variant: Record) -> set[tuple[Any, str]]:
    return {(value["option_id"], str(value["id"])) for value in variant["option_values"]}


def _check_for_sale(product: Record, variant: Record, channel: int) -> None:
    """Visible, available and on the channel (facts, section 6: unassigned products are not sellable)."""
    name = product["name"]
    if not product["is_visible"] or channel not in product["channels"]:
        raise Problem(422, f"{name} is not available on this storefront.")
    if product["availability"] not in SOLD or variant["purchasing_disabled"] or product["is_price_hidden"]:
        raise Problem(422, variant["purchasing_disabled_message"] or f"{name} cannot be purchased.")


def _check_quantity(cart: Cart, product: Record, variant: Record, more: int) -> None:
    """Refuse `more` pieces than stock or the limits per order leave, counting what the cart has already."""
    name, tracking = product["name"], product["inventory_tracking"]
    lines = [item for item in cart.items if item["product_id"] == product["id"]]
    whole = sum(item["quantity"] for item in lines) + more
    least, most = product["order_quantity_minimum"], product["order_quantity_maximum"]
    if most and whole > most:
        raise Problem(422, f"You can only purchase a maximum of {most} of the {name} per order.")
    if least and whole < least:
        raise Problem(422, f"You must purchase at least {least} of the {name} per order.")
    same = [item for item in lines if item["variant_id"] == variant["id"]]
    wanted = sum(item["quantity"] for item in same) + more if tracking == "variant" else whole
    level = (variant if tracking == "variant" else product)["inventory_level"]
    if tracking != "none" and more > 0 and wanted > level:
        raise Problem(
            422, f"We don't have enough {name} stock on hand for the quantity you selected. Please try again."
        )


def _custom_item(row: Record) -> Record:
    name, price, quantity = row.get("name"), row.get("list_price"), row.get("quantity")
    if not name or not isinstance(price, int | float) or not isinstance(quantity, int) or quantity < 1:
        raise Problem(422, "Invalid cart.", {"custom_items": "name, quantity and list_price are required"})
    text = {"sku": row.get("sku", ""), "name": name, "image_url": row.get("image_url", "")}
    total = round(price * quantity, 2)
    return {
        "id": str(uuid4()),
        **text,
        "quantity": quantity,
        "list_price": price,
        "extended_list_price": total,
    }


def _certificate(row: Record) -> Record:
    needed = ("name", "theme", "amount", "quantity", "sender", "recipient")
    missing = {f"gift_certificates.{name}": "is required" for name in needed if name not in row}
    if missing or not 1 <= row["amount"] <= 1000:
        raise Problem(422, "Invalid cart.", missing or {"gift_certificates.amount": "must be from 1 to 1000"})
    kept = {name: row[name] for name in ("name", "theme", "amount", "sender", "recipient")}
    return {"id": str(uuid4()), **kept, "taxable": False, "message": row.get("message", "")}
