"""What the body of a promotion may say (promotions.v3: PromotionBase, Rule and what it is made of).

A body is read strictly: a wrong type, a value outside an enumeration, a missing part of a rule is refused.
What no type here names is dropped without a word, as the real one does (the guide's own examples put a
`currency_code` into a rule, and its answers do not have it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from . import dates

if TYPE_CHECKING:
    from .shapes import Record

Money = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$")]
Most = Annotated[str, Meta(pattern=r"^(?!0+(\.0+)?$)[0-9]+(\.[0-9]+)?$")]
Uses = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([0-1][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$")]
Strategy = Literal["LEAST_EXPENSIVE", "LEAST_EXPENSIVE_ONLY", "MOST_EXPENSIVE", "MOST_EXPENSIVE_ONLY"]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WORDS: Final = {"and_": "and", "or_": "or", "not_": "not"}


def _only_one(struct: msgspec.Struct) -> None:
    """Refuse an object of alternatives (`oneOf`) that has none of them, or several."""
    names = struct.__struct_encode_fields__
    values = (getattr(struct, name) for name in struct.__struct_fields__)
    if sum(value is not UNSET for value in values) != 1:
        raise ValueError(f"Expected exactly one of {', '.join(names)}")


class Option(msgspec.Struct, frozen=True):
    """Items whose option has one of some values."""

    type: str
    name: str
    values: list[str]


class CustomField(msgspec.Struct, frozen=True):
    """Items of products whose custom field has one of some values."""

    name: str
    values: list[str]


class Items(msgspec.Struct, frozen=True, rename=WORDS):
    """Which items of a cart are meant (ItemMatcher)."""

    brands: list[int] | UnsetType = UNSET
    categories: list[int] | UnsetType = UNSET
    products: list[int] | UnsetType = UNSET
    variants: list[int] | UnsetType = UNSET
    product_option: Option | UnsetType = UNSET
    product_custom_field: CustomField | UnsetType = UNSET
    and_: list[Items] | UnsetType = UNSET
    or_: list[Items] | UnsetType = UNSET
    not_: Items | UnsetType = UNSET

    def __post_init__(self) -> None:
        _only_one(self)


class InCart(msgspec.Struct, frozen=True):
    """What a cart must have; items without a least number or worth mean nothing."""

    items: Items | UnsetType = UNSET
    minimum_spend: Money | UnsetType = UNSET
    minimum_quantity: Uses | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.items is not UNSET and self.minimum_spend is UNSET and self.minimum_quantity is UNSET:
            raise ValueError("Expected minimum_quantity or minimum_spend along with items")


class CartCondition(msgspec.Struct, frozen=True):
    """A condition on the cart, as one of several."""

    cart: InCart


class Condition(msgspec.Struct, frozen=True, rename=WORDS):
    """When a rule applies."""

    cart: InCart | UnsetType = UNSET
    and_: list[CartCondition] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _only_one(self)


class Discount(msgspec.Struct, frozen=True):
    """A percentage or an amount."""

    percentage_amount: Money | UnsetType = UNSET
    fixed_amount: Money | UnsetType = UNSET

    def __post_init__(self) -> None:
        _only_one(self)
        if isinstance(self.percentage_amount, str) and float(self.percentage_amount) > 100:
            raise ValueError("Expected a percentage_amount of at most 100")


class CartValue(msgspec.Struct, frozen=True):
    """A discount on the whole cart."""

    discount: Discount
    maximum_allowed_discount_amount: Most | UnsetType | None = UNSET


class CartItems(msgspec.Struct, frozen=True):
    """A discount on items: each piece, or `as_total` all of them together."""

    discount: Discount
    maximum_allowed_discount_amount: Most | UnsetType | None = UNSET
    as_total: bool = False
    items: Items | UnsetType = UNSET
    include_items_considered_by_condition: bool = False
    exclude_items_on_sale: bool = False
    strategy: Strategy = "LEAST_EXPENSIVE"
    quantity: Uses | UnsetType = UNSET
    add_free_item: bool = True


class GiftItem(msgspec.Struct, frozen=True):
    """Something for free."""

    quantity: Count
    product_id: int | UnsetType = UNSET
    variant_id: int | UnsetType = UNSET


class FixedPriceSet(msgspec.Struct, frozen=True):
    """Several items for one price."""

    quantity: Count
    fixed_price: Money
    items: Items | UnsetType = UNSET
    strategy: Strategy = "LEAST_EXPENSIVE"
    exclude_items_on_sale: bool = False
    include_items_considered_by_condition: bool = True


class Shipping(msgspec.Struct, frozen=True):
    """Free shipping to some zones or all of them."""

    zone_ids: Literal["*"] | list[Count]
    free_shipping: bool = True


class Action(msgspec.Struct, frozen=True):
    """What a rule gives."""

    cart_value: CartValue | UnsetType = UNSET
    cart_items: CartItems | UnsetType = UNSET
    gift_item: GiftItem | UnsetType = UNSET
    fixed_price_set: FixedPriceSet | UnsetType = UNSET
    shipping: Shipping | UnsetType = UNSET

    def __post_init__(self) -> None:
        _only_one(self)


class Rule(msgspec.Struct, frozen=True):
    """One rule: it gives something, at all times or under a condition."""

    action: Action
    apply_once: bool = True
    stop: bool = False
    condition: Condition | UnsetType = UNSET


class Channel(msgspec.Struct, frozen=True):
    """A channel by its id."""

    id: int


class Customer(msgspec.Struct, frozen=True):
    """Whom a promotion is for; group 0 are guests and customers without a group."""

    group_ids: list[int] = []
    minimum_order_count: Uses = 0
    excluded_group_ids: list[int] = []
    segments: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.group_ids and self.excluded_group_ids:
            raise ValueError("Expected group_ids or excluded_group_ids, not both")


class Notification(msgspec.Struct, frozen=True):
    """A banner."""

    content: str
    type: Literal["UPSELL", "ELIGIBLE", "APPLIED"]
    locations: list[str]


class Country(msgspec.Struct, frozen=True):
    """A country by its code."""

    iso2_country_code: str


class Countries(msgspec.Struct, frozen=True):
    """Some countries."""

    countries: list[Country]


class Address(msgspec.Struct, frozen=True, rename=WORDS):
    """Where an order goes: to some countries, or not to them."""

    countries: list[Country] | UnsetType = UNSET
    not_: Countries | UnsetType = UNSET

    def __post_init__(self) -> None:
        _only_one(self)


class Schedule(msgspec.Struct, frozen=True):
    """The days of the week and the hours of a promotion."""

    week_frequency: Count
    week_days: list[Day]
    daily_start_time: TimeOfDay
    daily_end_time: TimeOfDay


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT /v3/promotions/{id}: what it does not name stays as it is.

    `redemption_type` and `coupon_type` are for the ease of drafting: they cannot be changed.
    """

    name: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    channels: list[Channel] | UnsetType = UNSET
    customer: Customer | UnsetType = UNSET
    rules: Annotated[list[Rule], Meta(min_length=1)] | UnsetType = UNSET
    max_uses: Count | UnsetType | None = UNSET
    status: Literal["ENABLED", "DISABLED"] | UnsetType = UNSET  # INVALID is read-only
    start_date: str | UnsetType = UNSET
    end_date: str | UnsetType | None = UNSET
    stop: bool | UnsetType = UNSET
    can_be_used_with_other_promotions: bool | UnsetType = UNSET
    coupon_overrides_other_promotions: bool | UnsetType = UNSET
    coupon_overrides_automatic_when_offering_higher_discounts: bool | UnsetType = UNSET
    currency_code: Annotated[str, Meta(pattern=r"^(\*|[A-Z]{3})$")] | UnsetType = UNSET
    notifications: list[Notification] | UnsetType = UNSET
    shipping_address: Address | UnsetType | None = UNSET
    schedule: Schedule | UnsetType | None = UNSET
    redemption_type: Literal["AUTOMATIC", "COUPON"] | UnsetType = UNSET
    coupon_type: Literal["SINGLE", "BULK"] | UnsetType = UNSET

    def __post_init__(self) -> None:
        for name in ("start_date", "end_date"):
            text = getattr(self, name)
            if isinstance(text, str) and not dates.or_zero(text):
                raise ValueError(f"Expected {name} to be a date and time")


class Draft(Patch, frozen=True, kw_only=True):
    """The body of POST /v3/promotions."""

    name: Annotated[str, Meta(min_length=1)]
    rules: Annotated[list[Rule], Meta(min_length=1)]
    redemption_type: Literal["AUTOMATIC", "COUPON"]


class Code(msgspec.Struct, frozen=True):
    """The body of POST /v3/promotions/{id}/codes; 0 uses are no limit."""

    code: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_ -]+\Z", max_length=50)]
    max_uses: Uses = 0
    max_uses_per_customer: Uses = 0


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v3/promotions/{id}/codegen; a code of more than 50 characters is too long."""

    batch_size: Annotated[int, Meta(ge=1, le=250)]
    max_uses: Annotated[int, Meta(ge=0, le=100_000)] = 1
    max_uses_per_customer: Annotated[int, Meta(ge=0, le=100_000)] = 1
    prefix: Annotated[str, Meta(pattern=r"^[A-Z0-9_-]*$", max_length=20)] = ""
    suffix: Annotated[str, Meta(pattern=r"^[A-Z0-9_-]*$", max_length=20)] = ""
    delimiter: Annotated[str, Meta(pattern=r"^[_-]?$")] = ""
    exclude_characters: list[Annotated[str, Meta(pattern=r"^[A-Z0-9]$")]] = []
    code_length: Annotated[int, Meta(ge=6, le=16)] = 16

    def __post_init__(self) -> None:
        fixed = [part for part in (self.prefix, self.suffix) if part]
        if self.code_length + sum(len(part) + len(self.delimiter) for part in fixed) > 50:
            raise ValueError("Expected codes of at most 50 characters in all")


def dropped(body: Any, kept: Any, path: str = "") -> Iterator[str]:
    """The names in a body that no type knows, as paths; `kept` is what its types made of it."""
    if isinstance(body, dict) and isinstance(kept, dict):
        for name, value in body.items():
            if name in kept:
                yield from dropped(value, kept[name], f"{path}{name}.")
            else:
                yield f"{path}{name}"
    elif isinstance(body, list) and isinstance(kept, list):
        for row, made in zip(body, kept, strict=True):
            yield from dropped(row, made, path)


def plain(struct: msgspec.Struct) -> Record:
    """A body as JSON values, its defaults filled in."""
    made: Record = msgspec.to_builtins(struct)
    return made
