"""What a browser sees of the shop: where links lead, the checkout page, product pages with their scripts.

    GET  /cart.php?action=load|loadInCheckout&id=&token=   a redirect URL: once, then it is used up
    GET  /checkout/?products=SKU-1:2,17:1&coupon=CODE      a fresh cart at each visit (facts, section 5)
    POST /checkout/{id}                                    pay (a form: email, is_email_opt_in)
    GET  /any-product/                                     a product; ?channel_id= chooses the storefront

One address serves every storefront; a page names the one that it belongs to. The real shop's pages are the
theme's: of them, only what scripts go by is here (the add-to-cart form with its `product_id`).
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from . import carts, offers, scripts
from .wire import Answer, Call, Problem, Route, not_found

if TYPE_CHECKING:
    from .carts import Cart
    from .shapes import Record

HTML: Final = {"Content-Type": "text/html; charset=utf-8"}


def redirected(call: Call) -> Answer:
    """GET /cart.php: the cart of a redirect URL."""
    return _cart_page(call, carts.redeem(call, call.query.get("id", ""), call.query.get("token", "")))


def fresh(call: Call) -> Answer:
    """GET /checkout/: a cart of `products`, each an id or a SKU and a quantity, with a coupon if it fits."""
    rows = [_row(call, part) for part in call.query.get("products", "").split(",") if part]
    if not rows:
        raise Problem(404, "Your cart is empty.")
    about = {"line_items": rows, "channel_id": _channel(call)}
    cart = carts.open_cart(call, about, rest=False, strict=True)
    if "coupon" in call.query:
        offers.apply(call, cart, call.query["coupon"])
        carts.changed(call, cart)
    return _cart_page(call, cart)


def _row(call: Call, part: str) -> Record:
    name, _, quantity = part.partition(":")
    if not (quantity or "1").isdigit():
        raise Problem(404, f"{part} is not a product and a quantity.")
    for product in call.store.products if not name.isdigit() else ():
        for variant in product["variants"]:
            if variant["sku"] == name:
                whose = {"product_id": product["id"], "variant_id": variant["id"]}
                return {**whose, "quantity": int(quantity or 1)}
    return {"product_id": int(name) if name.isdigit() else 0, "quantity": int(quantity or 1)}


def product(call: Call) -> Answer:
    """GET of a product's path: name, price, stock, options, and the scripts of the storefront's pages."""
    channel, path = _channel(call), f"/{unquote(call.path['path'])}".rstrip("/")
    found = next((p for p in call.store.products if p["custom_url"]["url"].rstrip("/") == path), None)
    if found is None or not found["is_visible"] or channel not in found["channels"]:
        raise not_found("v3")
    sold_out = found["inventory_tracking"] != "none" and found["inventory_level"] <= 0
    choices = "".join(
        f'<option value="{v["id"]}" data-in-stock="{_in_stock(found, v)}">{escape(_label(v))}</option>'
        for v in found["variants"]
    )
    select = f'<select name="variant_id">{choices}</select>' if len(found["variants"]) > 1 else ""
    body = (
        f'<main class="productView" data-product-id="{found["id"]}">'
        f'<h1 class="productView-title">{escape(found["name"])}</h1>'
        f'<p class="price">{found["calculated_price"]} {call.store.info["currency"]}</p>'
        f'<p class="stock" data-in-stock="{"false" if sold_out else "true"}">'
        f"{'Out of stock' if sold_out else 'In stock'}</p>"
        '<form method="post" action="/cart.php" data-cart-item-add>'
        '<input type="hidden" name="action" value="add">'
        f'<input type="hidden" name="product_id" value="{found["id"]}">{select}</form></main>'
    )
    head, foot = (scripts.tags(call, channel, "storefront", where) for where in ("head", "footer"))
    return _page(call, channel, found["name"], body + foot, head)


def _in_stock(product: Record, variant: Record) -> str:
    """Whether the storefront has some of this variant now, as an attribute's value."""
    owner = variant if product["inventory_tracking"] == "variant" else product
    return "true" if product["inventory_tracking"] == "none" or owner["inventory_level"] > 0 else "false"


def _label(variant: Record) -> str:
    return ", ".join(value["label"] for value in variant["option_values"]) or variant["sku"]


def bought(call: Call, order: Record) -> Answer:
    """The page after the payment, with the scripts of the order confirmation."""
    channel = call.store.orders[order["order_id"]]["channel_id"]
    text = (
        f'<main data-order="{order["order_id"]}"><p>Thank you. Your order number is {order["order_id"]}.</p>'
    )
    foot = scripts.tags(call, channel, "order_confirmation", "footer")
    return _page(call, channel, "Thank you", f"{text}</main>{foot}")


def _cart_page(call: Call, cart: Cart) -> Answer:
    """The checkout: every line, the coupon, the total, and a form to pay with."""
    record = cart.record
    currency = record["currency"]["code"]
    lines = [
        f'<li data-product="{i["product_id"]}" data-variant="{i["variant_id"]}" '
        f'data-quantity="{i["quantity"]}">{i["quantity"]} of {escape(_named(i))} — '
        f"{i['extended_sale_price']:.2f} {currency}</li>"
        for i in cart.items
    ]
    lines += [
        f'<li data-quantity="{i["quantity"]}">{i["quantity"]} of {escape(i["name"])} — '
        f"{i['extended_list_price']:.2f} {currency}</li>"
        for i in record["line_items"]["custom_items"]
    ]
    coupon = "".join(
        f'<p class="coupon" data-code="{escape(c["code"])}">{escape(c["code"])}: '
        f"-{c['discounted_amount']:.2f} {currency}</p>"
        for c in record["coupons"]
    )
    body = (
        f'<main data-cart="{record["id"]}"><h1>Checkout</h1><ul>{"".join(lines)}</ul>{coupon}'
        f'<p class="total" data-total="{record["cart_amount"]:.2f}">Total {record["cart_amount"]:.2f} '
        f'{currency}</p><form method="post" action="/checkout/{record["id"]}">'
        f'<label>E-mail <input type="email" name="email" value="{escape(record["email"])}"></label>'
        '<button type="submit">Pay</button></form></main>'
    )
    scripted = scripts.tags(call, record["channel_id"], "checkout", "footer")
    return _page(call, record["channel_id"], "Checkout", body + scripted)


def _named(item: Record) -> str:
    chosen = ", ".join(option["value"] for option in item["options"])
    return f"{item['name']} ({chosen})" if chosen else item["name"]


def _channel(call: Call) -> int:
    """The storefront of a request: `channel_id`, or the store's first."""
    text = call.query.get("channel_id", "1")
    if not text.isdigit() or call.store.channel(int(text)) is None:
        raise not_found("v3")
    return int(text)


def _page(call: Call, channel: int, title: str, body: str, head: str = "", status: int = 200) -> Answer:
    found = call.store.channel(channel) or {"name": "", "site_url": ""}
    top = f'<header data-channel="{channel}" data-site="{escape(found["site_url"])}">{escape(found["name"])}'
    text = (
        f'<!doctype html><html lang="{call.store.info["language"]}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>{head}</head><body>{top}</header>{body}</body></html>"
    )
    return Answer(status, text.encode(), HTML)


def problem(call: Call, what: Problem) -> Answer:
    """The page of something that cannot be shown."""
    text = f'<main class="problem"><p>{escape(what.title)}</p></main>'
    return _page(call, 1, what.title, text, status=what.status)


def paying(call: Call) -> Call:
    """The form of the checkout page as the body of the shopper's checkout."""
    form = call.fields()
    billing = {"billing_address": {"email": form["email"]}} if form.get("email") else {}
    return replace(call, body={**billing, "is_email_opt_in": form.get("is_email_opt_in") in {"on", "true"}})


PRODUCT: Final = Route("GET", "/{path}", product, "")
ROUTES = (
    Route("GET", "/cart.php", redirected, ""),
    Route("GET", "/checkout", fresh, ""),
    Route("GET", "/checkout/", fresh, ""),
)
