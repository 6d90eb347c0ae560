"""What the simulated Brevo does with orders, products, categories, coupons, events and messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from .test_sandbox_brevo import Brevo, refused


@pytest.fixture
async def brevo() -> AsyncIterator[Brevo]:
    made = Brevo()
    yield made
    await made.client.aclose()
    await made.app.state.account.agenda.close()


def order(number: str = "1", **changes: Any) -> dict[str, Any]:
    """A sound order, with changes; a change to None takes the field away."""
    made = {
        "id": number,
        "createdAt": "2026-01-01T10:00:00Z",
        "updatedAt": "2026-01-02T10:00:00.250Z",
        "status": "completed",
        "amount": 20.5,
        "products": [{"productId": "p1", "price": 10.25, "quantity": 2}],
        "identifiers": {"email_id": "ada@example.com"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


class TestActivation:
    async def test_until_ecommerce_is_activated_its_routes_are_forbidden(self) -> None:
        brevo = Brevo(commerce_active=False)
        for method, path, body in [
            ("POST", "/orders/status", order()),
            ("GET", "/products", None),
            ("POST", "/categories", {"id": "c", "name": "C"}),
            ("GET", "/ecommerce/config/displayCurrency", None),
        ]:
            refused(await brevo(method, path, body), 403, "permission_denied")
        assert (await brevo("POST", "/ecommerce/activate")).status_code == 200
        refused(await brevo("GET", "/products"), 403, "permission_denied")
        await brevo.clock.advance(2)
        assert (await brevo("GET", "/products")).status_code == 200

    async def test_the_account_has_one_currency(self, brevo: Brevo) -> None:
        path = "/ecommerce/config/displayCurrency"
        refused(await brevo("POST", path, {"code": "XXX"}), 422, "unprocessable_entity")
        assert (await brevo("POST", path, {"code": "USD"})).json() == {"code": "USD"}
        assert (await brevo("GET", path)).json() == {"code": "USD"}


class TestOrders:
    async def test_one_order_is_created_then_updated_by_its_id(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        for status in ("pending", "completed"):
            answer = await brevo("POST", "/orders/status", order(status=status))
            assert (answer.status_code, answer.content) == (204, b"")
        listed = (await brevo("GET", "/orders")).json()
        assert listed["count"] == 1
        assert listed["orders"][0]["status"] == "completed"
        assert listed["orders"][0]["contact_id"] == 1

    async def test_an_order_creates_no_contact(self, brevo: Brevo) -> None:
        await brevo("POST", "/orders/status", order())
        assert (await brevo("GET", "/contacts")).json()["count"] == 0
        assert "contact_id" not in (await brevo("GET", "/orders")).json()["orders"][0]

    @pytest.mark.parametrize(
        "changes",
        [
            {"identifiers": None},
            {"identifiers": {}},
            {"identifiers": {"email_id": "nobody"}},
            {"identifiers": {"phone_id": "0612345678"}},
            {"createdAt": "Thu, 01 Jan 2026 10:00:00 +0000"},
            {"updatedAt": "2026-01-01"},
            {"amount": "20.5"},
            {"amount": None},
            {"products": [{"productId": 1, "price": 1, "quantity": 1}]},
            {"products": [{"productId": "1", "price": "1", "quantity": 1}]},
            {"products": [{"productId": "1", "price": 1}]},
            {"products": [{"productId": "1", "price": 1, "quantity": 1, "quantityFloat": 1.5}]},
            {"metaInfo": {"weight": 1.5}},
        ],
    )
    async def test_what_a_single_order_may_not_say(self, brevo: Brevo, changes: dict[str, Any]) -> None:
        answer = await brevo("POST", "/orders/status", order(**changes))
        assert answer.status_code == 400, answer.text

    async def test_a_batch_is_applied_later_and_drops_senseless_orders_silently(self, brevo: Brevo) -> None:
        orders = [order("1"), order("2", identifiers=None), order("3", createdAt="yesterday"), order("4")]
        answer = await brevo("POST", "/orders/status/batch", {"orders": orders})
        assert (answer.status_code, answer.json()) == (202, {"batchId": 1, "count": 4})
        assert (await brevo("GET", "/orders")).json()["count"] == 0
        await brevo.clock.advance(1)
        assert [item["id"] for item in (await brevo("GET", "/orders")).json()["orders"]] == ["4", "1"]

    async def test_a_batch_of_the_wrong_shape_is_refused_whole(self, brevo: Brevo) -> None:
        batch = {"orders": [order("1"), order("2", amount="1")]}
        body = refused(await brevo("POST", "/orders/status/batch", batch), 400, "invalid_parameter")
        assert "$.orders[1].amount" in body["message"]
        for size in (0, 1001):
            many = {"orders": [order(str(number)) for number in range(size)]}
            refused(await brevo("POST", "/orders/status/batch", many), 400, "out_of_range")
        large = {"orders": [order(metaInfo={"note": "x" * 5_300_000})]}
        refused(await brevo("POST", "/orders/status/batch", large), 400, "out_of_range")

    async def test_historical_is_the_default(self, brevo: Brevo) -> None:
        await brevo("POST", "/orders/status", order())
        await brevo("POST", "/orders/status/batch", {"orders": [order("2"), order("3")]})
        await brevo("POST", "/orders/status/batch", {"orders": [order("4")], "historical": False})
        await brevo.clock.advance(1)
        counts = (await brevo.control("GET", "counts")).json()
        assert counts["orders"] == {"live": 2, "historical": 2}

    async def test_pages_and_filters(self, brevo: Brevo) -> None:
        for number in range(3):
            await brevo(
                "POST", "/orders/status", order(str(number), updatedAt=f"2026-02-0{number + 1}T00:00:00Z")
            )
        page = (await brevo("GET", "/orders", limit=1, offset=1, sort="asc")).json()
        assert [item["id"] for item in page["orders"]] == ["1"]
        recent = (await brevo("GET", "/orders", modifiedSince="2026-02-02T00:00:00.000Z")).json()
        assert [item["id"] for item in recent["orders"]] == ["2"]
        refused(await brevo("GET", "/orders", limit=101), 400, "out_of_range")


class TestProducts:
    async def test_create_then_upsert(self, brevo: Brevo) -> None:
        lamp = {"id": "p1", "name": "Lamp", "price": 9.5}
        assert (await brevo("POST", "/products", lamp)).json() == {"id": "p1"}
        refused(await brevo("POST", "/products", lamp), 400, "duplicate_parameter")
        stock = {"id": "p1", "stock": 4, "updateEnabled": True}
        assert (await brevo("POST", "/products", stock)).status_code == 204
        found = (await brevo("GET", "/products/p1")).json()
        assert (found["name"], found["price"], found["stock"]) == ("Lamp", 9.5, 4)
        refused(await brevo("GET", "/products/p2"), 404, "document_not_found")

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": None},
            {"price": "9.5"},
            {"imageUrl": "/lamp.png"},
            {"metaInfo": {"on": True}},
            {"metaInfo": {"weight": 1.5}},
            {"metaInfo": {str(number): "x" for number in range(21)}},
            {"metaInfo": {"text": "x" * 20_000}},
            {"categories": [1]},
            {"deletedAt": "today"},
        ],
    )
    async def test_what_a_product_may_not_be(self, brevo: Brevo, changes: dict[str, Any]) -> None:
        body = {"id": "p1", "name": "Lamp", **changes}
        assert (await brevo("POST", "/products", body)).status_code == 400

    async def test_a_batch_is_all_or_nothing(self, brevo: Brevo) -> None:
        await brevo("POST", "/products", {"id": "1", "name": "One"})
        lamps = [{"id": str(number), "name": "Lamp"} for number in range(1, 4)]
        refused(await brevo("POST", "/products/batch", {"products": lamps}), 400, "duplicate_parameter")
        twice = {"products": [lamps[1], lamps[1]], "updateEnabled": True}
        refused(await brevo("POST", "/products/batch", twice), 400, "duplicate_parameter")
        nameless = {"products": [*lamps, {"id": "9"}], "updateEnabled": True}
        refused(await brevo("POST", "/products/batch", nameless), 400, "missing_parameter")
        assert (await brevo("GET", "/products")).json()["count"] == 1
        answer = await brevo("POST", "/products/batch", {"products": lamps, "updateEnabled": True})
        assert answer.json() == {"createdCount": 2, "updatedCount": 1}
        many = {"products": [{"id": str(number), "name": "x"} for number in range(101)]}
        refused(await brevo("POST", "/products/batch", many), 400, "out_of_range")

    async def test_deleting_is_a_mark(self, brevo: Brevo) -> None:
        await brevo("POST", "/products", {"id": "1", "name": "One"})
        await brevo("POST", "/products", {"id": "1", "isDeleted": True, "updateEnabled": True})
        assert (await brevo("GET", "/products", isDeleted="false")).json()["count"] == 0
        assert (await brevo("GET", "/products")).json()["products"][0]["isDeleted"] is True

    async def test_categories_follow_the_same_rules(self, brevo: Brevo) -> None:
        body = {"categories": [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]}
        assert (await brevo("POST", "/categories/batch", body)).json() == {
            "createdCount": 2,
            "updatedCount": 0,
        }
        refused(await brevo("POST", "/categories/batch", body), 400, "duplicate_parameter")
        update = {"id": "2", "name": "Bee", "updateEnabled": True}
        assert (await brevo("POST", "/categories", update)).status_code == 204
        assert (await brevo("GET", "/categories/2")).json()["name"] == "Bee"

    async def test_a_wish_is_answered_when_stock_rises(self, brevo: Brevo) -> None:
        await brevo("POST", "/products", {"id": "1", "name": "One", "stock": 0})
        wish = {"contactIdentifiers": {"sms": "33612345678", "email": "ada@example.com"}}
        assert (await brevo("POST", "/products/1/alerts/back_in_stock", wish)).status_code == 204
        refused(await brevo("POST", "/products/2/alerts/back_in_stock", wish), 404, "document_not_found")
        await brevo("POST", "/products", {"id": "1", "stock": 5, "updateEnabled": True})
        messages = (await brevo.control("GET", "messages")).text
        assert '"back_in_stock"' in messages
        assert "ada@example.com" in messages

    async def test_wishes_need_the_feature(self) -> None:
        brevo = Brevo(product_alerts=False)
        await brevo("POST", "/products", {"id": "1", "name": "One"})
        wish = {"contactIdentifiers": {"ext_id": "1"}}
        answer = await brevo("POST", "/products/1/alerts/back_in_stock", wish)
        refused(answer, 403, "permission_denied")


class TestCoupons:
    async def test_codes_arrive_in_a_collection_a_moment_later(self, brevo: Brevo) -> None:
        number = (await brevo("POST", "/couponCollections", {"name": "S", "defaultCoupon": "X"})).json()["id"]
        body = {"collectionId": number, "coupons": ["A", "B"]}
        assert (await brevo("POST", "/coupons", body)).status_code == 204
        await brevo.clock.advance(1)
        assert (await brevo("GET", f"/couponCollections/{number}")).json()["totalCoupons"] == 2
        refused(await brevo("POST", "/coupons", {**body, "coupons": ["A", "A"]}), 400, "duplicate_parameter")
        refused(await brevo("POST", "/coupons", {**body, "collectionId": "?"}), 404, "document_not_found")


def event(**changes: Any) -> dict[str, Any]:
    return {"event_name": "cart_updated", "identifiers": {"email_id": "ada@example.com"}, **changes}


class TestEvents:
    async def test_events_are_kept_in_order_each_time_they_come(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        for total in (1, 1):
            assert (
                await brevo("POST", "/events", event(event_properties={"total": total}))
            ).status_code == 204
        listed = (await brevo("GET", "/events", event_name="cart_updated")).json()
        assert listed["count"] == 2
        assert listed["events"][0]["contact_id"] == 1

    async def test_an_unknown_contact_is_marked_not_created(self, brevo: Brevo) -> None:
        await brevo("POST", "/events", event())
        assert (await brevo("GET", "/contacts")).json()["count"] == 0
        assert '"unknown_contact":true' in (await brevo.control("GET", "events")).text

    async def test_contact_properties_update_the_contact(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        await brevo("POST", "/events", event(contact_properties={"FIRSTNAME": "Ada", "UNKNOWN": 1}))
        assert (await brevo.contact("ada@example.com"))["attributes"] == {"FIRSTNAME": "Ada"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"event_name": None},
            {"event_name": "cart updated"},
            {"event_name": "x" * 256},
            {"identifiers": {}},
            {"identifiers": {"email": "ada@example.com"}},
            {"identifiers": {"email_id": "nobody"}},
            {"event_date": "24/01/2026"},
            {"event_properties": {"bad key": 1}},
            {"event_properties": {"items": [{"bad key": 1}]}},
            {"event_properties": {"text": "x" * 51_300}},
            {"contact_properties": {"ORDERS": 1.5}},
        ],
    )
    async def test_what_an_event_may_not_be(self, brevo: Brevo, changes: dict[str, Any]) -> None:
        assert (await brevo("POST", "/events", event(**changes))).status_code == 400

    async def test_a_batch_may_fail_in_part(self, brevo: Brevo) -> None:
        bad = event(event_name="no spaces")
        assert (await brevo("POST", "/events/batch", {"events": [event(), event()]})).json()["count"] == 2
        partial = await brevo("POST", "/events/batch", {"events": [bad, event(), bad]})
        assert partial.status_code == 207
        assert partial.json()["successful_events"] == 1
        assert partial.json()["errors"][0]["eventIndex"] == [0, 2]
        failed = await brevo("POST", "/events/batch", {"events": [bad]})
        assert (failed.status_code, failed.json()["failed_events"]) == (400, 1)
        refused(await brevo.client.post("/events/batch", json=[event()]), 400, "bad_request")
        assert (await brevo("GET", "/events")).json()["count"] == 3


class TestMessages:
    async def test_accepted_messages_are_kept(self, brevo: Brevo) -> None:
        email = {
            "sender": {"email": "shop@example.com"},
            "to": [{"email": "ada@example.com"}],
            "subject": "Hi",
            "htmlContent": "<p>Hi</p>",
        }
        assert (await brevo("POST", "/smtp/email", email)).status_code == 201
        assert (
            await brevo("POST", "/smtp/email", {**email, "scheduledAt": "2026-12-01T00:00:00Z"})
        ).status_code == 202
        refused(await brevo("POST", "/smtp/email", {"to": email["to"]}), 400, "missing_parameter")
        sms = {"sender": "Shop", "recipient": "33612345678", "content": "Hi"}
        assert (await brevo("POST", "/transactionalSMS/sms", sms)).status_code == 201
        kinds = [line.split('"')[5] for line in (await brevo.control("GET", "messages")).text.splitlines()]
        assert kinds == ["email", "email", "sms"]
