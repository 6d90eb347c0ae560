"""What describes the store: store, time, currencies, channels, sites, customer groups, coupons.

Sources: store_information.v2, currencies.v2, channels.v3, sites.v3, customers.v2, marketing.v2; facts,
sections 4 and 9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from . import dates
from .wire import (
    Answer,
    Call,
    Filter,
    Listing,
    Route,
    dated,
    equal,
    ids,
    lower,
    not_found,
    one,
    truth,
    v2_page,
    v3_page,
)

if TYPE_CHECKING:
    from .shapes import Record

INFO, CUSTOMERS, CHANNELS_SCOPE = "store_v2_information", "store_v2_customers", "store_channel_settings"
SITE = 999  # a channel's site has its id plus this; the default site is 1000
CHANNELS: Final = Listing(
    {
        "status:in": Filter("status", "in", lambda text: frozenset(text.split(","))),
        "type:in": Filter("type", "in", lambda text: frozenset(text.split(","))),
        "platform:in": Filter("platform", "in", lambda text: frozenset(text.split(","))),
        **dated("date_created"),
        **dated("date_modified"),
    },
    other=frozenset({"include", "available"}),
)
SITES: Final = Listing(ids("channel_id"), other=frozenset({"url_type:in"}))
GROUPS: Final = Listing(
    {
        **equal("name", str),
        "name:like": Filter("name", "like", lambda text: [text.lower()]),
        **equal("is_default", truth),
        **equal("is_group_for_guests", truth),
        **dated("date_created"),
        **dated("date_modified"),
    }
)
COUPONS: Final = Listing(
    {
        **equal("id"),
        **equal("code", str),
        **equal("name", lower),
        **equal("type", str),
        "min_id": Filter("id", "min", int),
        "max_id": Filter("id", "max", int),
        "exclude_type": Filter("type", "not_in", lambda text: frozenset({text})),
    }
)
AVAILABLE: Final = frozenset({"active", "prelaunch", "connected"})


def _chosen(call: Call, rows: list[Record], listing: Listing) -> list[Record]:
    def value(row: Record, name: str) -> Any:
        return dates.or_zero(row[name]) if name.startswith("date_") else row[name]

    conditions = listing.conditions(call)
    return [row for row in rows if all(c.holds(value(row, c.field)) for c in conditions)]


def store(call: Call) -> Answer:
    """GET /v2/store: `id` is the hash, `store_id` the number that webhooks carry."""
    return Answer(200, call.store.info)


def time(call: Call) -> Answer:
    """GET /v2/time."""
    return Answer(200, {"time": call.world.now()})


def currencies(call: Call) -> Answer:
    """GET /v2/currencies."""
    return v2_page(call, call.store.currencies)


def channels(call: Call) -> Answer:
    """GET /v3/channels."""
    found = _chosen(call, call.store.channels, CHANNELS)
    if "available" in call.query and truth(call.query["available"]):
        found = [c for c in found if c["status"] in AVAILABLE]
    return v3_page(call, found, lambda channel: _channel(call, channel))


def channel(call: Call) -> Answer:
    """GET /v3/channels/{id}."""
    found = call.store.channel(call.key())
    if found is None:
        raise not_found("v3")
    return one(_channel(call, found))


def _channel(call: Call, channel: Record) -> Record:
    out = {k: v for k, v in channel.items() if k != "site_url"}
    if "currencies" in call.includes({"currencies"}):
        codes = [c["currency_code"] for c in call.store.currencies]
        out["currencies"] = {
            "channel_id": channel["id"],
            "enabled_currencies": codes,
            "default_currency": call.store.info["currency"],
        }
    return out


def channel_site(call: Call) -> Answer:
    """GET /v3/channels/{id}/site: 404 where a channel has none (POS, marketplaces)."""
    found = call.store.channel(call.key())
    if found is None or not found["site_url"]:
        raise not_found("v3")
    return one(_site(found))


def sites(call: Call) -> Answer:
    """GET /v3/sites: its pagination is like no other (sites.v3)."""
    rows = [_site(c) for c in call.store.channels if c["site_url"]]
    answer = v3_page(call, _chosen(call, rows, SITES))
    page = answer.body["meta"]["pagination"]
    offset = (page["current_page"] - 1) * page["per_page"]
    paging = {"offset": offset, "limit": page["per_page"], "total_items": page["total"]}
    return Answer(200, {"data": answer.body["data"], "meta": {"pagination": paging}})


def site(call: Call) -> Answer:
    """GET /v3/sites/{id}."""
    found = next((c for c in call.store.channels if c["site_url"] and c["id"] + SITE == call.key()), None)
    if found is None:
        raise not_found("v3")
    return one(_site(found))


def _site(channel: Record) -> Record:
    made = {"created_at": channel["date_created"], "updated_at": channel["date_modified"]}
    return {
        "id": channel["id"] + SITE,
        "url": channel["site_url"],
        "channel_id": channel["id"],
        **made,
        "ssl_status": "dedicated",
        "urls": [
            {"url": channel["site_url"], "type": kind, **made}
            for kind in ("primary", "canonical", "checkout")
        ],
        "is_checkout_url_customized": False,
    }


def groups(call: Call) -> Answer:
    """GET /v2/customer_groups."""
    return v2_page(call, _chosen(call, call.store.groups, GROUPS))


def group(call: Call) -> Answer:
    """GET /v2/customer_groups/{id}."""
    return Answer(200, _by_id(call, call.store.groups))


def coupons(call: Call) -> Answer:
    """GET /v2/coupons."""
    return v2_page(call, _chosen(call, call.store.coupons, COUPONS))


def _by_id(call: Call, rows: list[Record]) -> Record:
    found = next((row for row in rows if row["id"] == call.key()), None)
    if found is None:
        raise not_found("v2")
    return found


def _counted(rows: Callable[[Call], list[Record]]) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        return Answer(200, {"count": len(rows(call))})

    return handler


PAGES: Final = frozenset({"page", "limit"})
ROUTES = (
    Route("GET", "/v2/store", store, INFO),
    Route("GET", "/v2/time", time, INFO),
    Route("GET", "/v2/currencies", currencies, INFO, PAGES),
    Route("GET", "/v2/customer_groups", groups, CUSTOMERS, GROUPS.params),
    Route("GET", "/v2/customer_groups/count", _counted(lambda call: call.store.groups), CUSTOMERS),
    Route("GET", "/v2/customer_groups/{id}", group, CUSTOMERS),
    Route("GET", "/v2/coupons", coupons, "store_v2_marketing", COUPONS.params),
    Route("GET", "/v2/coupons/count", _counted(lambda call: call.store.coupons), "store_v2_marketing"),
    Route("GET", "/v3/channels", channels, CHANNELS_SCOPE, CHANNELS.params),
    Route("GET", "/v3/channels/{id}", channel, CHANNELS_SCOPE, frozenset({"include"})),
    Route("GET", "/v3/channels/{id}/site", channel_site, "store_sites"),
    Route("GET", "/v3/sites", sites, "store_sites", SITES.params),
    Route("GET", "/v3/sites/{id}", site, "store_sites"),
)
