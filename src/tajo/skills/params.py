"""What a message gets to know: flat, as Brevo's templates address it (`{{ params.total }}`). Pure.

The names are those of the properties of events. All is as it is now; only what no later look would tell is as
it was when the sequence began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tajo.skills.model import Skill, Step, Variant
from tajo.skills.templates import render
from tajo.sync.automation import Running, Situation, Subject
from tajo.sync.model import Cart, CartLine, Customer, Line, Order, Product
from tajo.sync.moments import moment


class Shop(Struct, frozen=True, kw_only=True):
    """What amounts and links need: the store's default currency, and the address of each storefront."""

    currency: str = ""
    urls: Mapping[int, str] = {}

    def url(self, path: str, *storefronts: int) -> str:
        """The address of a path in the first of these storefronts that has one; empty without a path."""
        homes = (self.urls[one] for one in (*storefronts, *self.urls) if self.urls.get(one))
        home = next(homes, "")
        return f"{home}{path}" if home and path else ""


def rendered(
    step: Step,
    skill: Skill,
    running: Running,
    situation: Situation,
    shop: Shop,
    *,
    discount: int,
    variant: Variant | None,
) -> dict[str, Any]:
    """The params of a step in the words of the destination.

    send-email: `templateId`, `subject`, `params`, `tags`. send-sms: `content`, `sender`, `type`, `tag`.
    send-whatsapp: `templateId`, `senderNumber`, `params`. track-event: `event_name`, `event_properties`.
    create-contact, update-contact: `attributes`. add-to-list, remove-from-list: `list`, by number or name.

    `variant`: the subject and the template that go before the step's own.
    """
    known = _known(running, situation, shop, _offer(step, situation, discount))
    chosen = _given(subject=variant.subject, template_id=variant.template_id or None) if variant else {}
    own = render({**step.params, **chosen}, _roots(known, running, situation))
    params = known | own.get("params", {})
    match step.verb:
        case "send-email":
            return _given(
                templateId=own.get("template_id"),
                subject=own.get("subject"),
                params=params,
                tags=[skill.name, *([f"{skill.name}:{variant.name}"] if variant else [])],
            )
        case "send-sms":
            kind = "marketing" if skill.marketing else "transactional"
            return _given(content=own.get("content"), sender=own.get("sender"), type=kind, tag=skill.name)
        case "send-whatsapp":
            return _given(templateId=own.get("template_id"), senderNumber=own.get("sender"), params=params)
        case "track-event":
            return {"event_name": own.get("event"), "event_properties": own.get("params", {})}
        case "create-contact" | "update-contact":
            return {"attributes": own.get("attributes", {})}
        case _:
            return dict(own)


def _offer(step: Step, situation: Situation, discount: int) -> dict[str, Any]:
    """A discount, if there is one. `discount_expires`: the last day of a code that ends, in UTC."""
    if not discount:
        return {}
    offer: dict[str, Any] = {"discount_percent": discount, "discount_code": situation.code}
    if step.discount_seconds:
        offer["discount_expires"] = moment(situation.now + step.discount_seconds).date().isoformat()
    return offer


def _known(running: Running, situation: Situation, shop: Shop, offer: Mapping[str, Any]) -> dict[str, Any]:
    about = _about(situation.subject, shop, running.data.get("variant_id"))
    return {**running.data, **about, **_given(recovery_url=situation.link), **offer}


def _roots(known: Mapping[str, Any], running: Running, situation: Situation) -> dict[str, Any]:
    """What templates may name."""
    kind = type(situation.subject).__name__.lower()  # cart, order, product, customer
    offers = ("recovery_url", "discount_code", "discount_percent", "discount_expires")
    return {
        "contact": dict(situation.standing.attributes) | {"email": running.email},
        "event": running.data,
        kind: known,
        **{name: known[name] for name in offers if name in known},
    }


def _about(subject: Subject | None, shop: Shop, variant_id: Any) -> dict[str, Any]:
    """What a subject says of itself; a product for one of its variants, if it is about that."""
    match subject:
        case Cart():
            return _given(
                cart_id=subject.uuid,
                total=_money(subject.total),
                currency=subject.currency,
                coupons=list(subject.coupons),
                **_lines(subject.lines, shop, subject.storefront),
            )
        case Order():
            return _given(
                order_id=str(subject.id),
                total=_money(subject.total),
                currency=shop.currency,
                status=subject.status,
                coupons=list(subject.coupons),
                **_lines(subject.lines, shop, subject.storefront),
            )
        case Product():
            variant = next((one for one in subject.variants if one.id == variant_id), None)
            return _given(
                product_id=str(subject.id),
                name=subject.name,
                variant_name=variant.options if variant else "",
                sku=variant.sku if variant else subject.sku,
                price=_money(variant.price if variant else subject.price),
                stock=variant.stock if variant else subject.stock,
                image=(variant.image if variant else "") or subject.image,
                url=shop.url(subject.path, *subject.storefronts),
                currency=shop.currency,
            )
        case Customer():
            return _given(first_name=subject.first_name, last_name=subject.last_name, group=subject.group)
        case _:
            return {}


def _lines(lines: Iterable[CartLine | Line], shop: Shop, storefront: int) -> dict[str, Any]:
    items = [
        _given(
            product_id=str(line.product_id) if line.product_id else "",
            name=line.name,
            variant_name=line.options if isinstance(line, CartLine) else "",
            sku=line.sku,
            quantity=line.quantity,
            price=_money(line.price),
            total=_money(line.total),
            url=line.url if isinstance(line, CartLine) else shop.url(line.path, storefront),
            image=line.image,
        )
        for line in lines
    ]
    return {"items": items, "items_count": sum(item["quantity"] for item in items)}


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in (None, "", [])}


def _money(value: Decimal) -> float:
    return float(round(value, 2))
