"""`tajo export`: a store as files, as the API returns it, complete, always the same, for nobody else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tajo.bigcommerce import export_store
from tajo.errors import Later, Mend, Usage
from tajo.export import export
from tests.staged import NAME, staged
from tests.test_bigcommerce_source import Shop, by_cursor, by_key, customer, listed, numbered, v2_orders

TABLES = ["customers", "subscribers", "orders", "products", "categories", "refunds", "brands"]
FILES = {*(f"{name}.jsonl.gz" for name in TABLES), "store.json"}


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def order(number: int, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A V2 order with its lines embedded, and with the links that come with each order."""
    links = {
        name: {"url": f"https://api.test/v2/orders/{number}/{name}", "resource": f"/orders/{number}/{name}"}
        for name in ("products", "coupons", "shipping_addresses")
    }
    parcel = {"id": 1, "line_items": list(lines)}
    consignments = {"shipping": [parcel], "pickups": [], "downloads": [], "email": []}
    return {"id": number, "items_total": len(lines), "consignments": consignments} | links | more


def store() -> Shop:
    """A store without orders, unless one is told some."""
    return Shop().on("/v2/orders", httpx.Response(204))


def line(number: int) -> dict[str, Any]:
    return {"id": number, "quantity": 1, "price_inc_tax": "1.5000"}


# -- the layout


async def test_everything_is_there_with_its_number_of_rows(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        folder = tmp_path / "new" / "export"
        counts = await export(tajo, NAME, folder)
        assert {path.name for path in folder.iterdir()} == FILES
        assert counts == {name: len(rows(folder, name)) for name in TABLES}
        assert (counts["customers"], counts["orders"], counts["products"]) == (60, 90, 12)
        assert counts["refunds"] > 0
        assert counts["brands"] > 0


async def test_rows_are_what_the_api_returns(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await export(tajo, NAME, tmp_path / "x")
        shop = tajo.shop
        everything = "variants,images,custom_fields,channels"
        products = await shop.data("/v3/catalog/products", limit=250, include=everything, sort="id")
        assert rows(tmp_path / "x", "products") == products
        assert rows(tmp_path / "x", "refunds") == await shop.data(
            "/v3/orders/payment_actions/refunds", limit=250
        )
        for exported in rows(tmp_path / "x", "orders")[:40]:
            lines = await shop.data(f"/v2/orders/{exported['id']}/products", limit=250)
            assert exported.pop("line_items") == lines
            asked = await shop.data(f"/v2/orders/{exported['id']}")
            assert exported == {name: asked[name] for name in exported}
            assert asked.keys() - exported.keys() <= {
                *("products", "shipping_addresses", "coupons", "consignments", "fees")
            }


async def test_the_store_with_channels_groups_and_the_names_of_attributes(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await export(tajo, NAME, tmp_path / "x")
        text = (tmp_path / "x" / "store.json").read_text(encoding="utf-8")
        found = json.loads(text)
        assert found["store"] == await tajo.shop.data("/v2/store")
        assert {channel["id"]: channel["site_url"] for channel in found["channels"]} == {
            site["channel_id"]: site["url"] for site in await tajo.shop.data("/v3/sites")
        }
        assert found["customer_groups"] == await tajo.shop.data("/v2/customer_groups")
        assert found["attributes"] == await tajo.shop.data("/v3/customers/attributes")
        assert text.startswith('{\n "store": {\n  "id"')


# -- what comes cut short


async def test_addresses_and_attributes_beyond_ten_are_fetched(tmp_path: Path) -> None:
    addresses = [{"id": number, "customer_id": 1, "city": f"C{number}"} for number in range(1, 13)]
    values = [
        {"id": 50 + n, "attribute_id": n, "customer_id": 1, "attribute_value": str(n)} for n in range(1, 12)
    ]
    short = [
        {"attribute_id": one["attribute_id"], "attribute_value": one["attribute_value"]} for one in values
    ]
    ann = customer(
        1, address_count=12, addresses=addresses[:10], attribute_count=11, attributes=short[:10], note="kept"
    )
    bob = customer(2, address_count=1, addresses=addresses[:1], attribute_count=0, attributes=[])
    shop = store().on("/v3/customers", by_cursor([ann, bob]))
    shop.on("/v3/customers/addresses", listed(addresses)).on("/v3/customers/attribute-values", listed(values))
    await export_store(shop.api, tmp_path / "x")
    whole, other = rows(tmp_path / "x", "customers")
    assert whole["addresses"] == addresses
    assert whole["attributes"] == [*short[:10], values[10]]
    assert whole["note"] == "kept"
    assert other == bob
    assert [params["customer_id:in"] for params in shop.calls("/v3/customers/addresses")] == ["1"]


async def test_lines_that_are_missing_are_asked_for_order_by_order(tmp_path: Path) -> None:
    whole, cut = order(1, line(12), line(11)), order(2, line(21), items_total=3)
    warned = order(3, line(31))
    warned["consignments"]["shipping"][0]["__warning__"] = {"message": "cut"}
    shop = store().on("/v2/orders", v2_orders([whole, cut, warned]))
    shop.on("/v2/orders/2/products", [line(21), line(22), line(23)])
    shop.on("/v2/orders/3/products", [line(31), line(32)])
    await export_store(shop.api, tmp_path / "x")
    lines = {row["id"]: [one["id"] for one in row["line_items"]] for row in rows(tmp_path / "x", "orders")}
    assert lines == {1: [11, 12], 2: [21, 22, 23], 3: [31, 32]}
    assert shop.calls("/v2/orders/1/products") == []


async def test_links_to_further_calls_are_left_out(tmp_path: Path) -> None:
    shop = store().on("/v2/orders", v2_orders([order(1, line(11), billing_address={"email": "a@x.test"})]))
    await export_store(shop.api, tmp_path / "x")
    (row,) = rows(tmp_path / "x", "orders")
    assert row.keys() == {"id", "items_total", "billing_address", "line_items"}


async def test_long_lists_are_read_page_by_page(tmp_path: Path) -> None:
    shop = store().on("/v3/customers", by_cursor([customer(n) for n in range(1, 601)]))
    shop.on("/v3/catalog/products", by_key([{"id": n} for n in range(1, 301)]))
    shop.on("/v3/customers/subscribers", numbered([{"id": n} for n in range(1, 252)]))
    counts = await export_store(shop.api, tmp_path / "x")
    assert (counts["customers"], counts["products"], counts["subscribers"]) == (600, 300, 251)
    assert [row["id"] for row in rows(tmp_path / "x", "customers")] == list(range(1, 601))


async def test_amounts_keep_their_digits(tmp_path: Path) -> None:
    body = b'{"data": [{"id": 1, "price": 8.10, "weight": 12345678901234567890.25, "name": "Chlo\\u00eb"}]}'
    shop = store().on("/v3/catalog/products", body)
    await export_store(shop.api, tmp_path / "x")
    text = gzip.decompress((tmp_path / "x" / "products.jsonl.gz").read_bytes()).decode()
    assert text == '{"id":1,"price":8.10,"weight":12345678901234567890.25,"name":"Chloë"}\n'


async def test_a_plan_without_customer_groups_has_none(tmp_path: Path) -> None:
    shop = store().on("/v2/customer_groups", httpx.Response(403, json={"title": "No."}))
    await export_store(shop.api, tmp_path / "x")
    assert json.loads((tmp_path / "x" / "store.json").read_text())["customer_groups"] == []


# -- the files


async def test_two_exports_of_an_unchanged_store_are_the_same_to_the_byte(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await export(tajo, NAME, tmp_path / "x")
        tajo.shop.now += 86_400
        await export(tajo, NAME, tmp_path / "y")
        assert contents(tmp_path / "x") == contents(tmp_path / "y")


async def test_only_their_owner_may_read_them(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    left = tmp_path / "x" / "orders.jsonl.gz.part"  # of an export that was killed
    left.write_bytes(b"half an order")
    left.chmod(0o644)
    await export_store(store().api, tmp_path / "x")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "x").iterdir()} == {0o600}
    assert {path.name for path in (tmp_path / "x").iterdir()} == FILES


@pytest.mark.parametrize("name", ["store.json", "orders.jsonl.gz"])
async def test_an_export_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    shop = store()
    with pytest.raises(Usage, match="holds an export already"):
        await export_store(shop.api, tmp_path)
    assert contents(tmp_path) == {name: b"precious"}
    assert shop.asked == []


async def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    shop = store().on("/v3/customers", by_cursor([customer(1)]))
    shop.on("/v2/orders", httpx.Response(503))
    with pytest.raises((Later, Mend)):
        await export_store(shop.api, tmp_path / "x")
    assert contents(tmp_path / "x") == {}


async def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Usage, match="cannot write into"):
        await export_store(store().api, tmp_path / "file")
