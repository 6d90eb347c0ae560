"""What a store says of itself when nobody said otherwise: information, channel, group, coupon and the like.

Sources: store_information.v2, channels.v3, customers.v2, currencies.v2, marketing.v2, locations.v3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .shapes import Record

INFO: Final[Record] = {
    "id": "sandbox1",
    "account_uuid": "00000000-0000-4000-8000-000000000000",
    "domain": "shop.example.com",
    "secure_url": "https://shop.example.com",
    "control_panel_base_url": "https://store-sandbox1.mybigcommerce.com",
    "status": "live",
    "name": "Sandbox",
    "first_name": "Jane",
    "last_name": "Doe",
    "address": "1 High Street",
    "country": "United States",
    "country_code": "US",
    "infrastructure_region": "us-central1",
    "phone": "",
    "admin_email": "owner@example.com",
    "order_email": "orders@example.com",
    "favicon_url": "",
    "timezone": {
        "name": "America/Chicago",
        "raw_offset": -21600,
        "dst_offset": -18000,
        "dst_correction": True,
        "date_format": {"display": "M jS Y", "export": "M jS Y", "extended_display": "M jS Y @ g:i A"},
    },
    "language": "en",
    "currency": "USD",
    "currency_symbol": "$",
    "decimal_separator": ".",
    "thousands_separator": ",",
    "decimal_places": 2,
    "currency_symbol_location": "left",
    "weight_units": "KGS",
    "dimension_units": "Centimeters",
    "dimension_decimal_places": 2,
    "dimension_decimal_token": ".",
    "dimension_thousands_token": ",",
    "plan_name": "Standard",
    "plan_level": "Standard",
    "plan_is_trial": False,
    "industry": "Home",
    "logo": [],
    "is_price_entered_with_tax": False,
    "store_id": 1025646,
    "default_channel_id": 1,
    "default_site_id": 1000,
    "active_comparison_modules": [],
    "features": {
        "stencil_enabled": True,
        "sitewidehttps_enabled": True,
        "facebook_catalog_id": "",
        "checkout_type": "optimized",
        "wishlists_enabled": False,
        "graphql_storefront_api_enabled": True,
        "shopper_consent_tracking_enabled": True,
        "multi_storefront_enabled": True,
        "storefront_limits": {"active": 3, "total_including_inactive": 15},
    },
}
CHANNEL: Final[Record] = {
    "id": 1,
    "external_id": "",
    "is_listable_from_ui": True,
    "is_enabled": True,
    "is_visible": True,
    "status": "active",
    "name": "Shop",
    "type": "storefront",
    "platform": "bigcommerce",
    "date_created": "2020-01-01T00:00:00Z",
    "date_modified": "2020-01-01T00:00:00Z",
    "icon_url": "",
    "site_url": "",
}
GROUP: Final[Record] = {
    "id": 0,
    "name": "",
    "is_default": False,
    "category_access": {"type": "all"},
    "discount_rules": [],
    "date_created": "2020-01-01 00:00:00",
    "date_modified": "2020-01-01 00:00:00",
    "is_group_for_guests": False,
}
COUPON: Final[Record] = {
    "id": 0,
    "name": "",
    "code": "",
    "type": "percentage_discount",
    "amount": "0.0000",
    "min_purchase": "0.0000",
    "expires": "",
    "enabled": True,
    "applies_to": {"entity": "categories", "ids": [0]},
    "num_uses": 0,
    "max_uses": 0,
    "max_uses_per_customer": 0,
    "restricted_to": {},
    "shipping_methods": None,
    "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
}
LOCATION: Final[Record] = {
    "id": 1,
    "code": "BC-LOCATION-1",
    "label": "Default location",
    "description": "",
    "managed_by_external_source": False,
    "type_id": "PHYSICAL",
    "enabled": True,
    "operating_hours": {},
    "time_zone": "Etc/UTC",
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
    "address": {},
    "storefront_visibility": True,
    "special_hours": [],
}
COUPON_TYPES: Final = ("per_item_discount", "percentage_discount", "per_total_discount")


def currency(key: int, code: str, rate: str) -> Record:
    """A transactional currency; the first is the store's own."""
    return {
        "id": key,
        "is_default": key == 1,
        "last_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
        "country_iso2": "US" if code == "USD" else "",
        "default_for_country_codes": [],
        "currency_code": code,
        "currency_exchange_rate": rate,
        "auto_update": False,
        "token_location": "left",
        "token": {"USD": "$", "EUR": "€", "GBP": "£"}.get(code, code),
        "decimal_token": ".",
        "thousands_token": ",",
        "decimal_places": 2,
        "name": code,
        "enabled": True,
        "is_transactional": True,
        "use_default_name": False,
    }


def coupon(key: int, code: str, kind: int) -> Record:
    """A coupon of ten off; `kind` is its V2 number."""
    return {**COUPON, "id": key, "name": code, "code": code, "type": COUPON_TYPES[kind], "amount": "10.0000"}
