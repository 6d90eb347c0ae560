"""Every request that the product sends, against the official OpenAPI files of both vendors.

A store and an account are served, and the product's verbs are played through twice: a full sync, changes
through the store's own API, an incremental sync, and the looking verbs (dry run, plan, preview, doctor,
export) in between; then what a server does, from registering its webhooks to removing them. Whatever arrived
at either simulator is then judged: path, query, body; a parameter or a property that a file does not know is
a finding. What differs on purpose is in `DEVIATIONS`, with its reason.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tajo import config, webhooks
from tajo.bigcommerce.promotions import Promotions
from tajo.doctor import examine
from tajo.errors import Mend
from tajo.export import export
from tajo.forget import forget
from tajo.http import Clock
from tajo.plan import make_plan
from tajo.preview import preview
from tajo.sync import unsubscribes
from tajo.sync.account import Account
from tajo.webhooks import handle_webhook
from tajo.wiring import Wiring, open_wiring
from tests.served import ONLINE_RETAIL, both, control

from .openapi import Api, load, validate

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=f"the official OpenAPI files are not at {SPECS}")

BIGCOMMERCE = {  # the official file of a path, the longest prefix counts
    "/v2/store": "store_information.v2.yml",
    "/v2/customer_groups": "customers.v2.yml",
    "/v2/orders": "orders.v2.oas2.yml",
    "/v2/time": "store_information.v2.yml",
    "/v3/customers": "customers.v3.yml",
    "/v3/customers/subscribers": "subscribers.v3.yml",
    "/v3/orders": "orders.v3.yml",
    "/v3/catalog/products": "catalog/products_catalog.v3.yml",
    "/v3/catalog/trees": "catalog/category-trees_catalog.v3.yml",
    "/v3/catalog/brands": "catalog/brands_catalog.v3.yml",
    "/v3/channels": "channels.v3.yml",
    "/v3/sites": "sites.v3.yml",
    "/v3/hooks": "webhooks.v3.yml",
    "/v3/inventory": "inventory.v3.yml",
    "/v3/carts": "carts.v3.yml",
    "/v3/promotions": "promotions.v3.yml",
    "/v3/abandoned-carts": "abandoned_carts.v3.yml",
}
BREVO = (
    "brevo_v3_swagger_definition_2025-08-10.yml",
    "brevo_v3_derived_from_python_sdk_5.1.0.json",
)


class Request(NamedTuple):
    """What arrived at a simulator; `path` as sent, percent-encoded."""

    method: str
    path: str
    query: str
    body: Any

    @property
    def place(self) -> str:
        """The path without the store's name."""
        return re.sub(r"^/stores/[^/]+", "", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.place}" + (f"?{self.query}" if self.query else "")


class Deviation(NamedTuple):
    """Parts of a file's name and a request, a pattern of a finding, and why we send it all the same."""

    file: str
    request: str
    finding: str
    reason: str


OFFICIAL = "swagger_definition_2025-08-10"
NEWER = "the file is of August 2025; SDK 5.1.0 has it (facts/brevo.md, 3.2)"
SORTED = "its text says so: add :asc or :desc (facts/bigcommerce.md, 2)"
DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(OFFICIAL, "/products", "unknown property 'alternativePrice'", NEWER),
    Deviation(OFFICIAL, "/products", "unknown property 'brand'", NEWER),
    Deviation(OFFICIAL, "/products", "unknown property 'description'", NEWER),
    Deviation(
        "brevo_v3",
        "/products",
        "'name' is a required property",
        "only a new product needs one, says the text; one that is gone keeps its name (facts/brevo.md, 3.2)",
    ),
    Deviation(
        "brevo_v3",
        "POST /v3/events",
        r"event_properties\.\w+: \d+\.\d+ is not of type 'string'",
        "its text lets a property be a number, and its type whole numbers only (facts/brevo.md, 4.1)",
    ),
    Deviation(
        OFFICIAL,
        "POST /v3/events",
        r"event_properties\.coupons\[\]: '\w+' is not of type 'object'",
        "its text lets a property be a list, and SDK 5.1.0 one of texts (facts/brevo.md, 4.1)",
    ),
    Deviation(
        OFFICIAL,
        "POST /v3/events/batch",
        "is not in",
        "the file is of August 2025; the route came in March 2026 (facts/brevo.md, 1)",
    ),
    Deviation("orders.v2", "GET /v2/orders?", "'id:asc' is not one of", SORTED),
    Deviation("orders.v2", "GET /v2/orders?", "'id:desc' is not one of", SORTED),
    Deviation("orders.v2", "GET /v2/orders?", "'date_modified:desc' is not one of", SORTED),
    Deviation(
        "subscribers.v3",
        "GET /v3/customers/subscribers",
        "missing parameter 'id'",
        "the file calls the filter required and shows calls without (facts/bigcommerce.md, 2)",
    ),
)

#: What the product calls. A route that is missing here was not played, and so not judged.
ROUTES = """
GET /v2/store
GET /v2/time
GET /v2/customer_groups
GET /v2/orders
GET /v2/orders/count
GET /v2/orders/{order_id}
GET /v2/orders/{order_id}/products
GET /v3/channels
GET /v3/sites
GET /v3/customers
GET /v3/customers/addresses
GET /v3/customers/attributes
GET /v3/customers/attribute-values
GET /v3/customers/subscribers
PUT /v3/customers/subscribers/{subscriber_id}
GET /v3/orders/payment_actions/refunds
GET /v3/catalog/products
GET /v3/catalog/brands
GET /v3/catalog/trees
GET /v3/catalog/trees/categories
GET /v3/carts/{cartId}
POST /v3/carts/{cartId}/redirect_urls
GET /v3/abandoned-carts/settings
GET /v3/abandoned-carts/settings/channels/{channel_id}
GET /v3/promotions
POST /v3/promotions
GET /v3/promotions/{promotion_id}/codes
POST /v3/promotions/{promotion_id}/codes
DELETE /v3/promotions/codes
DELETE /v3/promotions/{promotion_id}/codes/{code_id}
GET /v3/hooks
POST /v3/hooks
PUT /v3/hooks/{webhook_id}
DELETE /v3/hooks/{webhook_id}
GET /v3/hooks/admin
GET /account
GET /ecommerce/config/displayCurrency
POST /ecommerce/activate
GET /contacts/attributes
POST /contacts/attributes/{attributeCategory}/{attributeName}
GET /contacts/lists
POST /contacts/lists
GET /contacts/folders
POST /contacts/folders
GET /contacts
GET /contacts/{identifier}
POST /contacts
PUT /contacts/{identifier}
DELETE /contacts/{identifier}
POST /contacts/import
GET /processes/{processId}
POST /orders/status
POST /orders/status/batch
GET /products/{id}
POST /products
POST /products/batch
POST /categories/batch
POST /events
POST /events/batch
GET /webhooks
POST /webhooks
PUT /webhooks/{webhookId}
DELETE /webhooks/{webhookId}
"""

# --- the session

NAME = "bigcommerce"
MERCHANT = """
brevo: {}
connectors:
  bigcommerce:
    client_id: contract
server: {public_url: "http://127.0.0.1:9/"}
lists: {all_customers: Everybody, buyers: Buyers, subscribers: Newsletter}
storefronts:
  1: {lists: [Main shop]}
  1002: {lists: [Second shop], url: https://second.example.com}
custom_fields:
  VAT number: VAT_NUMBER
  Birthday: BIRTHDAY
  Interests: INTERESTS
  Loyalty points: LOYALTY_POINTS
skills:
  abandoned-cart: {enabled: true, templates: [1, 2, 3]}
"""


class Session:
    """The product at work between two simulators, with everything that they received of it."""

    def __init__(self, env: dict[str, str], wiring: Wiring, folder: Path) -> None:
        self.env = env
        self.wiring = wiring
        self._folder = folder
        self._shop = httpx.AsyncClient(
            base_url=f"{env['TAJO_BIGCOMMERCE_API_URL']}/stores/{env['BC_STORE_HASH']}",
            headers={"x-auth-token": env["BC_ACCESS_TOKEN"], "accept": "application/json"},
        )
        self._merchants: set[int] = set()
        self.suspicions: list[str] = []

    async def close(self) -> None:
        await self._shop.aclose()

    async def sync(self, *, full: bool = False) -> Account:
        return await self.wiring.sync(NAME, full=full)

    async def look(self, ids: dict[str, int]) -> None:
        """All verbs that change nothing in Brevo."""
        await self.wiring.rehearse(NAME, full=True)
        await make_plan(self.wiring, NAME, full=True, resources=None)
        await make_plan(self.wiring, NAME, full=False, resources=None)
        await examine(self.wiring, NAME)
        for kind, number in ids.items():
            await preview(self.wiring, NAME, kind, number)
        await export(self.wiring, NAME, self._folder)

    async def shop(self, method: str, path: str, body: Any = None) -> Any:
        """The merchant does something in the store: not a request of the product."""
        before = self._received()
        answer = await self._shop.request(method, path, json=body)
        assert answer.is_success, answer.text
        self._merchants |= set(range(before + 1, self._received() + 1))
        value = answer.json() if answer.content else None
        return value["data"] if isinstance(value, dict) and "data" in value else value

    def _received(self) -> int:
        return int(control(self.env, "bigcommerce", "counts").json()["total"])

    def to_bigcommerce(self) -> list[Request]:
        """All that the product asked of the store."""
        outbox = control(self.env, "bigcommerce", "outbox").json()["requests"]
        counted = control(self.env, "bigcommerce", "counts").json()["total"]
        assert len(outbox) == counted, "the outbox has forgotten some requests"
        sent = [entry for entry in outbox if entry["n"] not in self._merchants]
        self.suspicions = [f"{entry['path']}: {word}" for entry in sent for word in entry["suspicious"]]
        return [Request(entry["method"], entry["path"], entry["query"], entry["body"]) for entry in sent]

    def to_brevo(self) -> list[Request]:
        """All that the product told Brevo, or asked of it."""
        bodies = control(self.env, "brevo", "bodies?last=1000").json()["bodies"]
        assert len(bodies) == control(self.env, "brevo", "counts").json()["requests"], (
            "too many for its memory"
        )
        return [Request(item["method"], item["path"], item["query"], item["body"]) for item in bodies]


@asynccontextmanager
async def session(tmp_path: Path, store: Sequence[str], account: Sequence[str]) -> AsyncIterator[Session]:
    (tmp_path / "tajo.yaml").write_text(MERCHANT)
    fast = ("--tier", "unlimited", "--time-scale", "0")
    with both((*store, "--plan", "unlimited"), (*fast, *account), f"sqlite:///{tmp_path}/t.db") as env:
        async with open_wiring(config.load(tmp_path / "tajo.yaml", env), env) as wiring:
            playing = Session(env, wiring, tmp_path / "export")
            try:
                yield playing
            finally:
                await playing.close()


async def play(merchant: Session) -> None:
    """Two full syncs with everything that may change between them, and all looking verbs."""
    try:
        await merchant.sync()
    except Mend:  # eCommerce was off: it has been activated, and that takes Brevo a moment
        await merchant.sync()
    orders = await merchant.shop("GET", "/v2/orders?limit=80&sort=id:desc")
    products = await merchant.shop("GET", "/v3/catalog/products?limit=5")
    people = await merchant.shop("GET", "/v3/customers?limit=10&sort=last_name:asc")
    readers = await merchant.shop("GET", "/v3/customers/subscribers?limit=6")
    tree = (await merchant.shop("GET", "/v3/catalog/trees/categories?limit=1"))[0]
    await change(merchant, orders, products, people, readers, tree)
    shown = {"customer": people[0]["id"], "order": orders[0]["id"], "product": products[0]["id"]}
    await merchant.look(shown)
    account = await merchant.sync()
    told = {resource: tally.written for resource, tally in account.resources.items()}
    assert all(told[what] for what in ("customers", "orders", "products", "categories")), told  # type: ignore[index]
    # More of it than is told singly.
    await pack(merchant, orders[4:20])
    await merchant.sync(full=True)
    await promise(merchant)
    await serve(merchant, orders[20:], products, people, tree)


async def promise(merchant: Session) -> None:
    """A skill gives discounts: one code twice, and once more when another day has come."""
    async with merchant.wiring.accounts(NAME) as (store, _):
        for ahead in (0.0, 0.0, 86400.0):
            promotions = Promotions(store, Ahead(ahead))
            await promotions.add(10, 86400.0, "CONTRACT")


class Ahead(Clock):
    """So many seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


async def pack(merchant: Session, orders: list[Any]) -> None:
    for order in orders:
        await merchant.shop("PUT", f"/v2/orders/{order['id']}", {"status_id": 10, "staff_notes": "packed"})


async def change(
    merchant: Session,
    orders: list[Any],
    products: list[Any],
    people: list[Any],
    readers: list[Any],
    tree: Any,
) -> None:
    """A day in the store."""
    written = [person for person in people if "@" in person["email"]]
    await merchant.shop("PUT", "/v3/customers", [{"id": written[0]["id"], "company": "Contract & Sons"}])
    await merchant.shop("PUT", "/v3/customers", [{"id": written[1]["id"], "email": "new+name/a@example.com"}])
    await merchant.shop(
        "POST", "/v3/customers", [{"email": "eve@example.com", "first_name": "Eve", "last_name": "É"}]
    )
    await merchant.shop("PUT", f"/v2/orders/{orders[0]['id']}", {"status_id": 5})
    await merchant.shop("PUT", f"/v2/orders/{orders[1]['id']}", {"status_id": 2})
    paid = next(o for o in orders[2:] if o["status_id"] in {2, 10, 11} and float(o["total_inc_tax"]) > 2)
    refund = {
        "items": [{"item_type": "ORDER", "item_id": paid["id"], "amount": 1.5}],
        "payments": [{"provider_id": "custom", "amount": 1.5, "offline": True}],
    }
    await merchant.shop("POST", f"/v3/orders/{paid['id']}/payment_actions/refunds", refund)
    await merchant.shop("PUT", f"/v3/catalog/products/{products[0]['id']}", {"price": 12.34})
    await merchant.shop("PUT", f"/v3/catalog/products/{products[1]['id']}", {"is_visible": False})
    await merchant.shop(
        "PUT",
        "/v3/catalog/trees/categories",
        [{"category_id": tree["category_id"], "name": "Attic & Æther"}],
    )
    for reader in readers[:3]:
        wish = [] if "marketing_newsletter" in reader["consents"] else ["marketing_newsletter"]
        await merchant.shop("PUT", f"/v3/customers/subscribers/{reader['id']}", {"consents": wish})
    await merchant.shop(
        "POST",
        "/v3/customers/subscribers",
        {"email": "reader@example.com", "consents": ["marketing_newsletter"], "first_name": "Rea"},
    )


async def serve(
    merchant: Session, orders: list[Any], products: list[Any], people: list[Any], tree: Any
) -> None:
    """An hour of a server: its webhooks, what they tell of, and who leaves."""
    wiring, settings = merchant.wiring, merchant.wiring.settings
    async with wiring.attend(NAME, lambda _: None) as line:
        store, brevo = line.apis
        await webhooks.register(wiring, NAME, store, brevo)
        moved = settings.server.model_copy(update={"public_url": "http://127.0.0.1:9/moved"})
        wiring.settings = settings.model_copy(update={"server": moved})
        await webhooks.register(wiring, NAME, store, brevo)
        await webhooks.health(wiring, NAME, store)
        await line.connector.newest()
        for topic, id_ in await happen(merchant, orders, products, people, tree):
            await handle_webhook(wiring, NAME, topic, {"id": id_}, lambda _: None)
        await line.connector.follow()
        wish = {"email": "leaver@example.com", "consents": ["marketing_newsletter"]}
        await merchant.shop("POST", "/v3/customers/subscribers", wish)
        for said, blocked in (({wish["email"]: 0.0}, []), ({}, [wish["email"]])):
            await unsubscribes.note(wiring.ledger, [NAME], said, blocked)
            await unsubscribes.write_back(
                *(wiring.ledger, NAME, line.source, line.destination),
                *(lambda _: None, store.clock.now),
            )
        await line.connector.sync()
        await webhooks.remove(wiring, NAME, store, brevo)
    await forget(wiring, next(person["email"] for person in people if "@" in person["email"]))


async def happen(
    merchant: Session, orders: list[Any], products: list[Any], people: list[Any], tree: Any
) -> list[tuple[str, Any]]:
    """What webhooks tell of, as scopes with an id: a cart, more orders than are told singly, deletions."""
    row = {"product_id": products[0]["id"], "variant_id": products[0]["id"] * 100, "quantity": 2}
    buyer, gone = people[0], people[-1]
    cart = await merchant.shop("POST", "/v3/carts", {"customer_id": buyer["id"], "line_items": [row]})
    await pack(merchant, orders)
    await merchant.shop("DELETE", f"/v3/catalog/products/{products[-1]['id']}")
    await merchant.shop("DELETE", f"/v3/catalog/trees/categories?category_id:in={tree['category_id']}")
    await merchant.shop("DELETE", f"/v3/customers?id:in={gone['id']}")
    readers = await merchant.shop("GET", "/v3/customers/subscribers?limit=250")
    fans = [reader["id"] for reader in readers if reader["email"].lower() == gone["email"].lower()]
    for fan in fans:
        await merchant.shop("DELETE", f"/v3/customers/subscribers/{fan}")
    return [
        ("store/cart/created", cart["id"]),
        *(("store/order/statusUpdated", order["id"]) for order in orders),
        ("store/product/deleted", products[-1]["id"]),
        ("store/category/deleted", tree["category_id"]),
        ("store/customer/deleted", gone["id"]),
        *(("store/subscriber/deleted", fan) for fan in fans),
    ]


def slice_of(data: Path, folder: Path, orders: int) -> Path:
    """The first so many orders of an export folder, with their buyers, and all the rest."""
    folder.mkdir()
    (folder / "store.json").write_bytes((data / "store.json").read_bytes())
    rows: dict[str, list[Any]] = {}
    for file in data.glob("*.jsonl.gz"):
        with gzip.open(file, "rt") as lines:
            rows[file.name] = [json.loads(line) for line in lines]
    rows["orders.jsonl.gz"] = rows["orders.jsonl.gz"][:orders]
    buyers = {order["customer_id"] for order in rows["orders.jsonl.gz"]}
    rows["customers.jsonl.gz"] = [row for row in rows["customers.jsonl.gz"] if row["id"] in buyers]
    rows["subscribers.jsonl.gz"] = rows["subscribers.jsonl.gz"][:200]
    for name, content in rows.items():
        with gzip.open(folder / name, "wt", compresslevel=1) as file:
            file.writelines(json.dumps(row) + "\n" for row in content)
    return folder


# --- the judgement


def of_bigcommerce(request: Request) -> Api:
    """The official file that a request falls under."""
    prefix = max((known for known in BIGCOMMERCE if request.place.startswith(known)), key=len, default="")
    assert prefix, f"no official file is named for {request}"
    return load(SPECS / "bigcommerce" / BIGCOMMERCE[prefix])


def of_brevo() -> list[Api]:
    """Both of Brevo's files. The SDK lets any further key pass, which says nothing about Brevo."""
    return [load(SPECS / "brevo" / name, extras=False) for name in BREVO]


def objections(api: Api, request: Request) -> Iterator[str]:
    """What an official file has against a request; of the answer, which others judge, nothing is said.

    Unknown properties are told one by one, and rows of a list are all the same.
    """
    found = validate(
        api, request.method, request.path, request.query, request.body, 200, None, closed_request=True
    )
    for finding in found:
        if finding.startswith("response:"):
            continue
        where, _, unknown = re.sub(r"\[\d+\]", "[]", finding).partition(": Unevaluated properties ")
        names = re.findall(r"'(\w+)'", unknown)
        yield from (f"{where}: unknown property {name!r}" for name in names) if names else [where]
    operation = api.operation(request.method, request.path)
    if operation and operation.request.get("required") and request.body is None:
        yield "request: a body is required"


def judged(pairs: Sequence[tuple[Api, Request]]) -> tuple[set[str], set[Deviation]]:
    """Findings that nothing explains, and the deviations that were met."""
    unexplained, met = set(), set()
    for api, request in pairs:
        for finding in objections(api, request):
            reasons = {
                one
                for one in DEVIATIONS
                if one.file in api.name and one.request in str(request) and re.search(one.finding, finding)
            }
            met |= reasons
            if not reasons:
                unexplained.add(f"{api.name}: {request.method} {request.place}: {finding}")
    return unexplained, met


def routes(pairs: Sequence[tuple[Api, Request]]) -> set[str]:
    """The operations that were called, by the templates of the file that people read, else by the SDK's."""
    official, sdk = of_brevo()
    found = set()
    for api, request in pairs:
        operation = api.operation(request.method, request.path)
        if operation and not (api is sdk and official.operation(request.method, request.path)):
            version = "" if "brevo" in api.name else request.place[:3]
            found.add(f"{request.method} {version}{operation.template}")
    return found


@pytest.mark.timeout(180)
async def test_every_request_of_the_product_is_what_the_official_files_say(tmp_path: Path) -> None:
    generated = ("--customers", "150", "--orders", "300", "--products", "40", "--seed", "40")
    stores = [((*generated,), ("--without-ecommerce",))]
    if ONLINE_RETAIL.exists():
        stores.append((("--data", str(slice_of(ONLINE_RETAIL, tmp_path / "slice", orders=200))), ()))
    pairs: list[tuple[Api, Request]] = []
    for number, (store, account) in enumerate(stores):
        (tmp_path / str(number)).mkdir()
        async with session(tmp_path / str(number), store, account) as merchant:
            await play(merchant)
            pairs += [(of_bigcommerce(request), request) for request in merchant.to_bigcommerce()]
            pairs += [(api, request) for api in of_brevo() for request in merchant.to_brevo()]
            assert merchant.suspicions == []
    unexplained, met = judged(pairs)
    assert sorted(unexplained) == []
    assert set(DEVIATIONS) - met == set(), "no longer deviations"
    assert routes(pairs) ^ set(filter(None, ROUTES.splitlines())) == set(), "routes not played, or not listed"


ORDER = {"id": "1", "createdAt": "x", "updatedAt": "x", "status": "s", "amount": 3, "products": []}
LINE = {"productId": "1", "price": 1, "quantity": 1, "variant": "1"}
WRONG = (
    Request("GET", "/v3/contacts", "limit=10&ofset=3", None),
    Request("POST", "/v3/contacts", "", {"email": "a@example.com", "attribute": {}}),
    Request("POST", "/v3/contacts", "", {"email": "a@example.com", "listIds": ["one"]}),
    Request("POST", "/v3/contacts/import", "", {"jsonBody": [{"email": "a", "tags": []}], "listIds": [1]}),
    Request("PUT", "/v3/contacts/1", "identifierType=contact_id", {"ext": "1"}),
    Request("POST", "/v3/contacts/lists", "", {"name": "No folder"}),
    Request("POST", "/v3/orders/status", "", ORDER | {"billing": {"zip": "1"}}),
    Request("POST", "/v3/orders/status", "", ORDER | {"amount": "3.00"}),
    Request("POST", "/v3/orders/status/batch", "", {"orders": [ORDER | {"products": [LINE]}]}),
    Request("POST", "/v3/products/batch", "", {"products": [{"id": "1", "metaInfo": {"a": []}}]}),
    Request("POST", "/v3/categories/batch", "", {"categories": [{"id": "1", "parent": "2"}]}),
    Request("POST", "/v3/product", "", {}),
    Request("POST", "/v3/events", "", {"event_name": "x", "identifiers": {"email": "a@example.com"}}),
    Request("POST", "/v3/events", "", {"event_name": 1.5, "identifiers": {"email_id": "a@example.com"}}),
    Request("POST", "/v3/webhooks", "", {"url": "https://example.com", "event": ["unsubscribed"]}),
    Request("GET", "/stores/s/v2/orders", "min_date_modifed=2026-01-01", None),
    Request("GET", "/stores/s/v2/orders", "sort=newest", None),
    Request("GET", "/stores/s/v3/catalog/products", "include=variant", None),
    Request(
        "POST", "/stores/s/v3/hooks", "", {"scope": "store/order/*", "destinaton": "https://example.com"}
    ),
    Request("PUT", "/stores/s/v3/customers/subscribers/1", "", {"consent": []}),
    Request("GET", "/stores/s/v3/customers", "date_modified:since=2026-01-01T00:00:00Z", None),
)


@pytest.mark.parametrize("request_", WRONG, ids=str)
def test_a_wrong_request_would_be_seen(request_: Request) -> None:
    apis = [of_bigcommerce(request_)] if request_.path.startswith("/stores") else of_brevo()
    unexplained, _ = judged([(api, request_) for api in apis])
    assert len(unexplained) >= len(apis)
