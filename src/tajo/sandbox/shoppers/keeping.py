"""Accounts, newsletters and the catalogue: what customers and staff change (facts, sections 4, 6 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tajo.sandbox.bigcommerce import people

from .deed import Deed, Doing, new_email, pick, someone
from .town import Record, Town

if TYPE_CHECKING:
    from random import Random

CUSTOMERS, ADDRESSES = "/v3/customers", "/v3/customers/addresses"
SUBSCRIBERS, PRODUCTS = "/v3/customers/subscribers", "/v3/catalog/products"
NEWSLETTER = "marketing_newsletter"


# -- accounts


def sign_up(town: Town, dice: Random) -> Deed | None:
    """A new account with an address."""
    who, h = someone(dice), dice.getrandbits(40)
    first, last, place = who
    body: Record = {"email": new_email(dice), "first_name": first, "last_name": last}
    body |= {"phone": people.phone(place, h), "addresses": [people.address(who, h)]}
    return Deed(
        *("Somebody signs up", "panel", "POST", CUSTOMERS, [body]),
        then=lambda answer: town.meet_customer(answer["data"][0]),
    )


def change_email(town: Town, dice: Random) -> Deed | None:
    """A customer has a new e-mail; the old one may still get newsletters."""
    key, email = pick(dice, list(town.people)), new_email(dice)
    if key is None:
        return None

    def then(_answer: Any) -> None:
        town.people[key].email = email
        town.hear_of(email)

    told, body = f"Customer {key} has a new e-mail", [{"id": key, "email": email}]
    return Deed(told, "panel", "PUT", CUSTOMERS, body, (town.people, key), then=then)


def change_name(town: Town, dice: Random) -> Deed | None:
    """A customer marries."""
    key, (_, last, _) = pick(dice, list(town.people)), someone(dice)
    if key is None:
        return None
    told, body = f"Customer {key} has a new name", [{"id": key, "last_name": last}]
    return Deed(told, "panel", "PUT", CUSTOMERS, body, (town.people, key))


def change_address(town: Town, dice: Random) -> Deed | None:
    """A customer moves; one without an address gets the first."""
    key, address = pick(dice, list(town.people)), people.address(someone(dice), dice.getrandbits(40))
    if key is None:
        return None
    known = town.people[key].address

    def then(answer: Record) -> None:
        town.people[key].address = answer["data"][0]["id"]

    method, whose = ("PUT", {"id": known}) if known else ("POST", {"customer_id": key})
    body, of = [{**address, **whose}], (town.people, key)
    return Deed(f"Customer {key} moves", "panel", method, ADDRESSES, body, of, then=then)


def delete_customer(town: Town, dice: Random) -> Deed | None:
    """Staff delete an account."""
    key = pick(dice, list(town.people))
    if key is None:
        return None
    told, path = f"Staff delete customer {key}", f"{CUSTOMERS}?id:in={key}"
    return Deed(told, "panel", "DELETE", path, None, (town.people, key), ends=True)


# -- newsletters


def opt_in(town: Town, dice: Random) -> Deed | None:
    """Somebody comes back to the newsletter, or is new: a customer, or an e-mail of nobody known."""
    back, customer = (
        pick(dice, [k for k, on in town.consents.items() if not on]),
        pick(dice, list(town.people)),
    )
    email = town.people[customer].email if customer and dice.random() < 1 / 2 else new_email(dice)
    if email.lower() in town.subscribers:
        email = new_email(dice)
    if back and dice.random() < 1 / 2:
        return _consent(town, back, "Somebody comes back to the newsletter", [NEWSLETTER])
    body = {"email": email, "channel_id": 1, "consents": [NEWSLETTER]}
    return Deed(
        *("Somebody subscribes to the newsletter", "panel", "POST", SUBSCRIBERS, body),
        then=lambda answer: town.meet_subscriber(answer["data"]),
    )


def opt_out(town: Town, dice: Random) -> Deed | None:
    """Somebody leaves the newsletter in the store."""
    key = pick(dice, [key for key, on in town.consents.items() if on])
    return _consent(town, key, "Somebody leaves the newsletter in the store", []) if key else None


def _consent(town: Town, key: int, told: str, consents: list[str]) -> Deed:
    def then(answer: Record) -> None:
        town.meet_subscriber(answer["data"])

    body = {"consents": consents}
    return Deed(told, "panel", "PUT", f"{SUBSCRIBERS}/{key}", body, (town.consents, key), then=then)


def unsubscribe(town: Town, dice: Random) -> Deed | None:
    """Somebody clicks the link at the end of a newsletter that Brevo sent."""
    email = pick(dice, town.mail)
    return (
        Deed("Somebody unsubscribes in Brevo", "brevo", "POST", "/unsubscribe", {"email": email})
        if email
        else None
    )


# -- the catalogue


def add_product(town: Town, dice: Random) -> Deed | None:
    """A simple product with some stock."""
    number = f"{dice.getrandbits(32):08x}"
    body = {
        "name": f"Novelty {number}",
        "sku": f"NOV-{number}",
        "type": "physical",
        "weight": 1,
        "price": dice.randint(500, 20000) / 100,
        "inventory_tracking": "product",
        "inventory_level": dice.randint(0, 20),
    }
    return Deed(
        *("Staff add a product", "panel", "POST", PRODUCTS, body),
        then=lambda answer: town.meet_product(answer["data"]),
    )


def stock(told: str, least: int, most: int) -> Doing:
    """Set the stock of a tracked product, or of one variant where variants are tracked."""

    def doing(town: Town, dice: Random) -> Deed | None:
        key = pick(dice, [key for key, goods in town.goods.items() if goods.tracking != "none"])
        if key is None:
            return None
        goods = town.goods[key]
        item: Record = {"location_id": 1, "quantity": dice.randint(least, most), "product_id": key}
        if goods.tracking == "variant":
            item["variant_id"] = dice.choice(goods.variants)
            del item["product_id"]
        path = "/v3/inventory/adjustments/absolute"
        return Deed(f"{told} product {key}", "panel", "PUT", path, {"items": [item]}, (town.goods, key))

    return doing


def reprice(town: Town, dice: Random) -> Deed | None:
    """A product costs something else."""
    return _edit(town, dice, "Staff reprice", {"price": dice.randint(500, 20000) / 100})


def rename_product(town: Town, dice: Random) -> Deed | None:
    """A product is called something else."""
    return _edit(town, dice, "Staff rename", {"name": f"Renamed {dice.getrandbits(32):08x}"})


def _edit(town: Town, dice: Random, told: str, body: Record) -> Deed | None:
    key = pick(dice, list(town.goods))
    if key is None:
        return None
    return Deed(f"{told} product {key}", "panel", "PUT", f"{PRODUCTS}/{key}", body, (town.goods, key))


def hide_or_show(town: Town, dice: Random) -> Deed | None:
    """A product leaves the storefront, or comes back."""
    key = pick(dice, list(town.goods))
    if key is None:
        return None
    visible = not town.goods[key].visible

    def then(_answer: Any) -> None:
        town.goods[key].visible = visible

    told, body = f"Staff {'show' if visible else 'hide'} product {key}", {"is_visible": visible}
    return Deed(told, "panel", "PUT", f"{PRODUCTS}/{key}", body, (town.goods, key), then=then)


def delete_product(town: Town, dice: Random) -> Deed | None:
    """A product is sold no more."""
    key = pick(dice, list(town.goods))
    if key is None:
        return None
    told, path = f"Staff delete product {key}", f"{PRODUCTS}/{key}"
    return Deed(told, "panel", "DELETE", path, None, (town.goods, key), ends=True)


def rename_category(town: Town, dice: Random) -> Deed | None:
    """A category is called something else."""
    key, name = pick(dice, town.categories), f"Renamed {dice.getrandbits(32):08x}"
    if key is None:
        return None
    body = [{"category_id": key, "name": name}]
    return Deed(f"Staff rename category {key}", "panel", "PUT", "/v3/catalog/trees/categories", body)
