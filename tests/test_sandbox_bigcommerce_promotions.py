"""Promotions and their codes in the simulated store: what the API takes, what a checkout makes of it."""

from __future__ import annotations

import pytest

from tests.sandbox_shop import Shop

GOOD = {"product_id": 103, "quantity": 2}  # no options, no stock tracking, on channel 1
DAY = 86400


def percent(amount="10", **rule):
    return {"action": {"cart_value": {"discount": {"percentage_amount": amount}}}, **rule}


def amount(amount, **part):
    return {"action": {"cart_items": {"discount": {"fixed_amount": amount}, **part}}}


def draft(*rules, **about):
    kind = {"redemption_type": "COUPON", "coupon_type": "BULK"}
    return {"name": "Come back", **kind, "rules": list(rules or [percent()]), **about}


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


async def made(shop, *rules, **about):
    answer = await shop.send("POST", "/v3/promotions", draft(*rules, **about))
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def coded(shop, *codes, rules=(), **about):
    """A promotion that has these codes."""
    promotion = await made(shop, *rules, **about)
    for code in codes:
        answer = await shop.send("POST", f"/v3/promotions/{promotion['id']}/codes", {"code": code})
        assert answer.status_code == 201, answer.text
    return promotion


async def refused(shop, method, path, body=None, *, status=422, query=None):
    """The title of a refusal, which is in a list of one here."""
    answer = await shop.send(method, path, body, **(query or {}))
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert (set(answer.json()), set(error), error["status"]) == ({"errors"}, {"status", "title"}, status)
    return error["title"]


async def applied(shop, code, *, status=200, lines=(), **about):
    """The checkout of a fresh cart that was given a code."""
    answer = await shop.send("POST", "/v3/carts", {"line_items": list(lines or [GOOD]), **about})
    cart = answer.json()["data"]
    answer = await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": code})
    assert answer.status_code == status, answer.text
    return answer.json()["data"] if status == 200 else answer.json()["title"]


async def bought(shop, checkout, email="s@example.com"):
    billing = {"billing_address": {"email": email}}
    return await shop.control("POST", f"carts/{checkout['id']}/checkout", billing)


def off(checkout):
    return round(checkout["subtotal_inc_tax"] - checkout["grand_total"], 2)


# -- promotions


async def test_a_promotion_has_the_defaults_that_are_written_down(shop):
    promotion = await made(shop)
    assert promotion["rules"] == [{**percent(), "apply_once": True, "stop": False}]
    assert (promotion["status"], promotion["created_from"]) == ("ENABLED", "api")
    assert (promotion["currency_code"], promotion["channels"]) == ("USD", [])
    assert (promotion["current_uses"], promotion["max_uses"], promotion["end_date"]) == (0, None, None)
    assert promotion["start_date"] == "2026-11-18T11:06:40+00:00"
    assert "codes" not in promotion
    assert promotion == await shop.data(f"/v3/promotions/{promotion['id']}")


async def test_a_promotion_is_for_single_codes_unless_it_says_otherwise(shop):
    body = draft()
    del body["coupon_type"]
    promotion = (await shop.send("POST", "/v3/promotions", body)).json()["data"]
    assert promotion["coupon_type"] == "SINGLE"


@pytest.mark.parametrize("name", ["name", "rules", "redemption_type"])
async def test_what_a_promotion_needs_is_named_when_it_lacks(shop, name):
    body = {k: v for k, v in draft().items() if k != name}
    assert name in await refused(shop, "POST", "/v3/promotions", body)
    assert await shop.data("/v3/promotions") == []


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"name": ""}, "$.name"),
        ({"rules": []}, "$.rules"),
        ({"rules": [{"condition": {"cart": {"minimum_spend": "5"}}}]}, "`action` - at `$.rules[0]`"),
        ({"rules": [{"action": {}}]}, "exactly one of cart_value, cart_items"),
        ({"rules": [{"action": {"cart_value": {"discount": {}}}}]}, "exactly one of percentage_amount"),
        ({"rules": [percent(10)]}, "percentage_amount"),
        ({"rules": [percent("110")]}, "at most 100"),
        ({"rules": [percent(condition={"cart": {"items": {"products": [1]}}})]}, "minimum_quantity"),
        ({"rules": [amount("5", strategy="CHEAPEST")]}, "strategy"),
        ({"rules": [amount("5", items={"brands": [1], "products": [2]})]}, "exactly one of brands"),
        ({"redemption_type": "MANUAL"}, "$.redemption_type"),
        ({"coupon_type": "MANY"}, "$.coupon_type"),
        ({"status": "INVALID"}, "$.status"),
        ({"max_uses": "10"}, "$.max_uses"),
        ({"start_date": "tomorrow"}, "start_date"),
        ({"end_date": "2026-01-01T00:00:00Z"}, "end_date: must be after start_date"),
        ({"currency_code": "usd"}, "$.currency_code"),
        ({"currency_code": "JPY"}, "currency_code: is not a transactional currency"),
        ({"channels": [1]}, "$.channels[0]"),
        ({"channels": [{"id": 99}]}, "channels: not all are channels"),
        ({"customer": {"group_ids": [1], "excluded_group_ids": [2]}}, "not both"),
        ({"coupon_overrides_other_promotions": True}, "cannot be used with other promotions"),
        ({"notifications": [{"content": "!", "type": "UPSELL"}]}, "locations"),
    ],
)
async def test_what_a_promotion_cannot_be_is_refused(shop, about, told):
    assert told in await refused(shop, "POST", "/v3/promotions", draft(**about))
    kept = await made(shop)
    path = f"/v3/promotions/{kept['id']}"
    assert told in await refused(shop, "PUT", path, about)
    assert await shop.data(path) == kept


async def test_a_body_that_is_no_object_is_refused(shop):
    assert "object" in await refused(shop, "POST", "/v3/promotions", [draft()])


async def test_what_no_promotion_has_is_dropped_and_noted(shop):
    rule = percent() | {"currency_code": "AUD"}  # as in the guide's own example
    promotion = await made(shop, rule, discount="10%", current_uses=7)
    assert promotion["rules"] == [{**percent(), "apply_once": True, "stop": False}]
    assert promotion["current_uses"] == 0
    assert "discount" not in promotion
    (asked,) = (await shop.control("GET", "outbox"))["requests"]
    assert asked["suspicious"] == [
        "dropped from the body: rules.currency_code",
        "dropped from the body: discount",
    ]


async def test_a_promotion_is_changed_in_what_the_body_names(shop):
    old = await made(shop, display_name="Ten off")
    path = f"/v3/promotions/{old['id']}"
    change = {"status": "DISABLED", "end_date": "2027-01-01T01:00:00+01:00"}
    new = (await shop.send("PUT", path, change)).json()["data"]
    assert new == old | {"status": "DISABLED", "end_date": "2027-01-01T00:00:00+00:00"}
    assert (await shop.send("PUT", path, new)).json()["data"] == new


async def test_the_kind_of_a_promotion_cannot_be_changed(shop):
    path = f"/v3/promotions/{(await made(shop))['id']}"
    for change in ({"coupon_type": "SINGLE"}, {"redemption_type": "AUTOMATIC"}):
        assert "cannot be changed" in await refused(shop, "PUT", path, change)


async def test_an_automatic_promotion_knows_nothing_of_coupons(shop):
    promotion = await made(shop, redemption_type="AUTOMATIC")
    assert {"coupon_type", "coupon_overrides_other_promotions"}.isdisjoint(promotion)
    path = f"/v3/promotions/{promotion['id']}"
    assert "no codes" in await refused(shop, "POST", f"{path}/codes", {"code": "A"})


async def test_a_promotion_that_is_not_there_is_404_but_deleted_all_the_same(shop):
    for method, path, body in (
        ("GET", "/v3/promotions/7", None),
        ("GET", "/v3/promotions/seven", None),
        ("PUT", "/v3/promotions/7", {}),
        ("GET", "/v3/promotions/7/codes", None),
        ("POST", "/v3/promotions/7/codes", {"code": "A"}),
        ("POST", "/v3/promotions/7/codegen", {"batch_size": 1}),
    ):
        await refused(shop, method, path, body, status=404)
    assert (await shop.send("DELETE", "/v3/promotions/7")).status_code == 204
    assert (await shop.send("DELETE", "/v3/promotions/7/codes/8")).status_code == 204


async def test_the_list_is_filtered_and_sorted(shop):
    await coded(shop, "SPRING-1", name="Spring", start_date="2026-03-01T00:00:00Z", currency_code="*")
    await coded(shop, "AUTUMN-1", name="Autumn", channels=[{"id": 1}], status="DISABLED")
    await made(shop, name="Always", redemption_type="AUTOMATIC")

    async def found(**query):
        return [row["name"] for row in await shop.data("/v3/promotions", **query)]

    assert await found() == ["Spring", "Autumn", "Always"]
    assert await found(sort="name") == ["Always", "Autumn", "Spring"]
    assert await found(sort="start_date", direction="desc", limit=2) == ["Autumn", "Always"]
    assert await found(name="autumn") == ["Autumn"]
    assert await found(code="spring-1") == ["Spring"]
    assert await found(code="SPRING") == []
    assert await found(query="mn-1") == await found(query="aut") == ["Autumn"]
    assert await found(redemption_type="coupon") == ["Spring", "Autumn"]
    assert await found(redemption_type="") == await found()
    assert await found(status="disabled") == ["Autumn"]
    assert await found(currency_code="*") == ["Spring"]
    assert await found(channels="2,3") == ["Spring", "Always"]
    assert await found(channels=1, page=2, limit=2) == ["Always"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 251},
        {"limit": 0},
        {"page": 0},
        {"id": "one"},
        {"sort": "status"},
        {"direction": "up"},
        {"status": "ON"},
        {"redemption_type": "COUPON"},
        {"channels": "all"},
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(shop, query):
    await refused(shop, "GET", "/v3/promotions", query=query)


async def test_many_promotions_are_deleted_but_for_those_with_codes(shop):
    bare, held = await made(shop), await coded(shop, "HELD")
    answer = await shop.send("DELETE", "/v3/promotions", id__in=f"{bare['id']},{held['id']}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["status"]) == (422, 422)
    assert error["errors"] == {
        "1.code": f"Failed for id={held['id']}. Error: some relating codes are still present."
    }
    assert answer.json()["meta"] == {"total": 2, "success": 1, "failed": 1}
    assert [row["id"] for row in await shop.data("/v3/promotions")] == [held["id"]]


@pytest.mark.parametrize(
    ("path", "most"),
    [("/v3/promotions", 50), ("/v3/promotions/{id}/codes", 250)],
    ids=["promotions", "codes"],
)
async def test_a_bulk_deletion_names_its_ids_and_not_too_many(shop, path, most):
    path = path.format(id=(await coded(shop, "KEPT"))["id"])
    many = ",".join(str(n) for n in range(1, most + 2))
    for query, title in (
        ({}, "Parameter id:in is required"),
        ({"id__in": "a"}, "Invalid filter."),
        ({"id__in": many}, f"Batches are limited to {most}."),
    ):
        answer = await shop.send("DELETE", path, **query)
        assert (answer.status_code, answer.json()["errors"][0]["title"]) == (422, title)
        assert answer.json()["meta"] == {"total": 0, "success": 0, "failed": 0}
    assert len(await shop.data("/v3/promotions")) == 1


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"), [("", 403, 403), ("_read_only", 200, 403), (None, 200, 201)]
)
async def test_promotions_belong_to_marketing(scopes, reads, writes):
    granted = ["store_v2_orders"]
    if scopes != "":
        granted.append(f"store_v2_marketing{scopes or ''}")
    async with Shop(scopes=granted) as shop:
        assert (await shop.get("/v3/promotions")).status_code == reads
        assert (await shop.send("POST", "/v3/promotions", draft())).status_code == writes


# -- their codes


async def test_a_code_is_unlimited_unless_it_says_otherwise(shop):
    path = f"/v3/promotions/{(await made(shop))['id']}/codes"
    plain = (await shop.send("POST", path, {"code": "a b_c-1"})).json()["data"]
    assert (plain["code"], plain["current_uses"]) == ("a b_c-1", 0)
    assert (plain["max_uses"], plain["max_uses_per_customer"]) == (0, 0)
    assert plain["created"] == "2026-11-18T11:06:40+00:00"
    limits = {"max_uses": 10, "max_uses_per_customer": 5}
    limited = (await shop.send("POST", path, {"code": "B", **limits})).json()["data"]
    assert limits.items() <= limited.items()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": ""},
        {"code": "A" * 51},
        {"code": "ÜBER"},
        {"code": "A\n"},
        {"code": 7},
        {"code": "A", "max_uses": -1},
        {"code": "A", "max_uses_per_customer": "1"},
    ],
)
async def test_a_code_that_cannot_be_is_refused(shop, body):
    await refused(shop, "POST", f"/v3/promotions/{(await made(shop))['id']}/codes", body)


async def test_a_code_is_there_once_in_the_whole_store_in_whatever_case(shop):
    await coded(shop, "ONCE")
    path = f"/v3/promotions/{(await made(shop))['id']}/codes"
    for taken in ("ONCE", "once", "welcome10"):
        assert "in use already" in await refused(shop, "POST", path, {"code": taken})


async def test_a_promotion_of_single_codes_has_one(shop):
    promotion = await coded(shop, "FIRST", coupon_type="SINGLE")
    path = f"/v3/promotions/{promotion['id']}/codes"
    assert "SINGLE" in await refused(shop, "POST", path, {"code": "SECOND"})
    (code,) = await shop.data(path)
    assert (await shop.send("DELETE", f"{path}/{code['id']}")).status_code == 204
    assert (await shop.send("POST", path, {"code": "SECOND"})).status_code == 201


async def test_codes_come_in_pages_by_cursor(shop):
    promotion = await coded(shop, *"ABCDE")
    path = f"/v3/promotions/{promotion['id']}/codes"
    first = (await shop.get(path, limit=2)).json()
    assert set(first["meta"]) == {"pagination", "cursor_pagination"}
    assert set((await shop.get(path, page=1)).json()["meta"]) == {"pagination"}
    cursors, seen = first["meta"]["cursor_pagination"], [row["code"] for row in first["data"]]
    assert set(cursors["links"]) == {"next"}
    while "next" in cursors["links"]:
        page = (await shop.http.get(path + cursors["links"]["next"])).json()
        assert set(page["meta"]) == {"cursor_pagination"}
        cursors, seen = page["meta"]["cursor_pagination"], seen + [row["code"] for row in page["data"]]
    assert seen == list("ABCDE")
    assert cursors == {"count": 0, "per_page": 2, "links": {}}
    back = await shop.data(path, before=first["meta"]["cursor_pagination"]["end_cursor"])
    assert [row["code"] for row in back] == ["A"]
    for query in ({"page": 1, "after": "x"}, {"before": "x", "after": "x"}, {"after": "x"}, {"limit": 251}):
        await refused(shop, "GET", path, query=query)


async def test_a_code_is_found_by_its_name(shop):
    promotion = await coded(shop, "A", "B")
    await coded(shop, "C")
    path = f"/v3/promotions/{promotion['id']}/codes"
    assert [row["code"] for row in await shop.data(path, code="b")] == ["B"]
    assert [row["code"] for row in await shop.data("/v3/promotions/codes", code="c")] == ["C"]
    assert await shop.data("/v3/promotions/codes", code="D") == await shop.data(path, code="C") == []
    assert "required" in await refused(shop, "GET", "/v3/promotions/codes")


async def test_codes_are_deleted_by_name_by_id_and_many_at_once(shop):
    promotion = await coded(shop, *"ABCDE")
    path = f"/v3/promotions/{promotion['id']}/codes"
    keys = {row["code"]: row["id"] for row in await shop.data(path)}
    assert (await shop.send("DELETE", f"{path}/{keys['A']}")).status_code == 204
    assert (await shop.send("DELETE", "/v3/promotions/codes", code="b")).status_code == 204
    assert (await shop.send("DELETE", "/v3/promotions/codes", code="b")).status_code == 204
    both = f"{keys['C']},{keys['D']},{keys['A']}"
    assert (await shop.send("DELETE", path, id__in=both, code="C")).status_code == 204
    assert [row["code"] for row in await shop.data(path)] == ["D", "E"]
    assert (await shop.send("DELETE", path, id__in=both)).status_code == 204
    assert [row["code"] for row in await shop.data(path)] == ["E"]
    assert (await shop.send("DELETE", f"/v3/promotions/{promotion['id']}")).status_code == 204
    assert await shop.data("/v3/promotions/codes", code="E") == []


async def test_generated_codes_are_of_the_shape_that_was_asked_for(shop):
    path = f"/v3/promotions/{(await made(shop))['id']}"
    shape = {"prefix": "BACK", "suffix": "26", "delimiter": "_", "code_length": 6}
    asked = {"batch_size": 250, **shape, "exclude_characters": list("0O1I")}
    answer = (await shop.send("POST", f"{path}/codegen", asked)).json()["data"]
    assert (answer["batch_size"], answer["max_uses"], answer["max_uses_per_customer"]) == (250, 1, 1)
    codes = {row["code"] for row in answer["codes"]}
    assert len(codes) == 250
    for code in codes:
        prefix, middle, suffix = code.split("_")
        assert (prefix, len(middle), suffix) == ("BACK", 6, "26")
        assert set("0O1I").isdisjoint(middle)
    assert {row["code"] for row in await shop.data(f"{path}/codes", limit=250)} == codes


@pytest.mark.parametrize(
    "about",
    [
        {"batch_size": 251},
        {"batch_size": 0},
        {"batch_size": "5"},
        {"code_length": 5},
        {"code_length": 17},
        {"prefix": "back"},
        {"delimiter": "--"},
        {"exclude_characters": ["AB"]},
        {"max_uses": 100_001},
        {"prefix": "A" * 20, "suffix": "B" * 20},
    ],
)
async def test_codes_that_cannot_be_generated_are_refused(shop, about):
    path = f"/v3/promotions/{(await made(shop))['id']}"
    await refused(shop, "POST", f"{path}/codegen", {"batch_size": 5, **about})
    assert await shop.data(f"{path}/codes") == []


@pytest.mark.parametrize("about", [{"coupon_type": "SINGLE"}, {"redemption_type": "AUTOMATIC"}])
async def test_only_a_promotion_of_bulk_codes_generates_them(shop, about):
    path = f"/v3/promotions/{(await made(shop, **about))['id']}/codegen"
    answer = await shop.send("POST", path, {"batch_size": 1})
    assert (answer.status_code, set(answer.json())) == (405, {"status", "title", "error"})


# -- at the checkout


async def test_a_percentage_goes_off_checkout_cart_and_order(shop):
    promotion = await coded(shop, "TEN", display_name="Ten off")
    checkout = await applied(shop, "ten")
    share = round(checkout["subtotal_inc_tax"] / 10, 2)
    (coupon,) = checkout["coupons"]
    assert (coupon["code"], coupon["coupon_type"]) == ("TEN", "promotion")
    assert (coupon["display_name"], coupon["discounted_amount"]) == ("Ten off", share)
    assert off(checkout) == share
    assert (await shop.data(f"/v3/carts/{checkout['id']}"))["cart_amount"] == checkout["grand_total"]
    paid = await bought(shop, checkout)
    order = await shop.data(f"/v2/orders/{paid['order_id']}")
    assert float(order["total_inc_tax"]) == checkout["grand_total"]
    (used,) = await shop.data(f"/v2/orders/{paid['order_id']}/coupons")
    assert (used["code"], used["type"], used["coupon_id"]) == ("TEN", 5, promotion["id"])


async def test_an_order_counts_a_use_of_the_code_and_of_its_promotion(shop):
    promotion = await coded(shop, "TEN")
    checkout = await applied(shop, "TEN")
    path = f"/v3/promotions/{promotion['id']}"
    assert (await shop.data(path))["current_uses"] == 0
    await bought(shop, checkout)
    assert (await shop.data(path))["current_uses"] == 1
    assert [row["current_uses"] for row in await shop.data(f"{path}/codes")] == [1]


async def test_only_codes_of_enabled_promotions_that_have_begun_and_not_ended_are_valid(shop):
    invalid = "Coupon code 'TEN' is invalid."
    assert await applied(shop, "TEN", status=400) == invalid
    promotion = await coded(
        shop, "TEN", start_date="2026-11-19T00:00:00Z", end_date="2026-11-21T00:00:00Z", status="DISABLED"
    )
    path = f"/v3/promotions/{promotion['id']}"
    shop.now += 1 * DAY
    assert await applied(shop, "TEN", status=400) == invalid
    await shop.send("PUT", path, {"status": "ENABLED"})
    assert off(await applied(shop, "TEN")) > 0
    shop.now -= 1 * DAY
    assert await applied(shop, "TEN", status=400) == invalid
    shop.now += 3 * DAY
    assert await applied(shop, "TEN", status=400) == invalid
    assert (await shop.data(path))["status"] == "ENABLED"
    await shop.send("PUT", path, {"end_date": None})
    assert off(await applied(shop, "TEN")) > 0


async def test_a_code_has_so_many_uses_and_so_many_for_each_customer(shop):
    path = f"/v3/promotions/{(await made(shop))['id']}/codes"
    await shop.send("POST", path, {"code": "TWICE", "max_uses": 2})
    await shop.send("POST", path, {"code": "MINE", "max_uses_per_customer": 1})
    for _ in range(2):
        await bought(shop, await applied(shop, "TWICE"))
    not_eligible = "Coupon code 'TWICE' is not eligible for this checkout."
    assert await applied(shop, "TWICE", status=400) == not_eligible
    await bought(shop, await applied(shop, "MINE", customer_id=7))
    await applied(shop, "MINE", status=400, customer_id=7)
    await applied(shop, "MINE", customer_id=8)


async def test_a_promotion_that_is_used_up_is_disabled(shop):
    promotion = await coded(shop, "A", "B", max_uses=2)
    for code in ("A", "B"):
        await bought(shop, await applied(shop, code))
    await applied(shop, "A", status=400)
    assert (await shop.data(f"/v3/promotions/{promotion['id']}"))["status"] == "DISABLED"


async def test_the_last_use_goes_to_the_first_who_pays(shop):
    path = f"/v3/promotions/{(await made(shop))['id']}/codes"
    await shop.send("POST", path, {"code": "LAST", "max_uses": 1})
    quick, slow = await applied(shop, "LAST"), await applied(shop, "LAST")
    await bought(shop, quick, "quick@example.com")
    paid = await bought(shop, slow, "slow@example.com")
    assert float(paid["total_inc_tax"]) == slow["subtotal_inc_tax"]
    assert [row["current_uses"] for row in await shop.data(path)] == [1]


@pytest.mark.parametrize("end", ["disabled", "deleted", "over"])
async def test_a_code_leaves_the_cart_with_its_promotion(shop, end):
    promotion = await coded(shop, "TEN", end_date="2026-11-19T00:00:00Z")
    path, checkout = f"/v3/promotions/{promotion['id']}", await applied(shop, "TEN")
    match end:
        case "disabled":
            await shop.send("PUT", path, {"status": "DISABLED"})
        case "deleted":
            await shop.send("DELETE", path)
        case "over":
            shop.now += 1 * DAY
    cart = (await shop.send("PUT", f"/v3/carts/{checkout['id']}", {"customer_id": 7})).json()["data"]
    assert (cart["coupons"], cart["cart_amount"]) == ([], cart["base_amount"])


@pytest.mark.parametrize(
    "about",
    [
        {"channels": [{"id": 1002}]},
        {"currency_code": "EUR"},
        {"customer": {"group_ids": [99]}},
        {"customer": {"excluded_group_ids": [0]}},
        {"rules": [percent(condition={"cart": {"minimum_spend": "9999"}})]},
        {"rules": [percent(condition={"and": [{"cart": {"minimum_spend": "9999"}}]})]},
        {"rules": [percent(condition={"cart": {"items": {"products": [103]}, "minimum_quantity": 3}})]},
        {"rules": [amount("1", items={"products": [104]})]},
        {"rules": [amount("1", items={"not": {"products": [103]}})]},
        {"rules": [amount("1", items={"and": [{"products": [103]}, {"variants": [1]}]})]},
        {"rules": [amount("1", items={"or": [{"brands": [999]}, {"categories": [999]}]})]},
    ],
)
async def test_a_code_that_is_not_for_this_cart_is_refused(shop, about):
    await coded(shop, "TEN", **about)
    title = await applied(shop, "TEN", status=400)
    assert title == "Coupon code 'TEN' is not eligible for this checkout."


async def test_a_code_for_one_currency_is_not_for_others(shop):
    await coded(shop, "DOLLARS")
    await coded(shop, "ANY", currency_code="*")
    await coded(shop, "EUROS", currency_code="EUR")
    euros = {"currency": {"code": "EUR"}}
    assert await applied(shop, "DOLLARS", status=400, **euros) == "Coupons only apply to default currency."
    for code in ("ANY", "EUROS"):
        assert off(await applied(shop, code, **euros)) > 0


async def test_an_amount_goes_off_each_piece_or_all_of_them_together(shop):
    await coded(shop, "EACH", rules=[amount("1.50")])
    await coded(shop, "TOTAL", rules=[amount("1.50", as_total=True)])
    await coded(shop, "FREE", rules=[amount("9999")])
    await coded(shop, "CAPPED", rules=[amount("9999", maximum_allowed_discount_amount="2.5")])
    other = {"product_id": 106, "variant_id": 10600, "quantity": 1}
    await coded(shop, "SOME", rules=[amount("1.50", items={"products": [106]})])
    assert off(await applied(shop, "EACH")) == 3
    assert off(await applied(shop, "TOTAL")) == 1.5
    assert (await applied(shop, "FREE"))["grand_total"] == 0
    assert off(await applied(shop, "CAPPED")) == 2.5
    assert off(await applied(shop, "SOME", lines=[GOOD, other])) == 1.5


async def test_a_link_to_the_checkout_takes_a_code_of_a_promotion(shop):
    await coded(shop, "TEN")
    page = await shop.http.get("http://sandbox/checkout/?products=103:2&coupon=TEN")
    assert (page.status_code, 'data-code="TEN"' in page.text) == (200, True)
