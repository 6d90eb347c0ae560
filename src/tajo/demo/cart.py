"""One cart's story: left behind, written about, brought back by the link in the mail, and bought.

Everything is done as the merchant, the shopper and her browser would do it, over HTTP.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import httpx
import msgspec

from tajo.errors import Mend

WHO = "ada.lovelace@post.example"

LEFT_BEHIND, MAIL_AFTER = "5s", "2s"
"""In a real shop these are hours."""

PATIENCE = 25.0
"""Seconds within which the mail must have come."""

MAIL = (
    "<h1>Forgot something?</h1><ul>{% for item in params.items %}<li>{{ item.quantity }} of "
    '{{ item.name }}</li>{% endfor %}</ul><a href="{{ params.recovery_url }}">Back to your cart</a>'
)

_LINE = re.compile(r"<li data-[^>]*>(.*?)</li>", re.S)
_CART = re.compile(r'data-cart="([^"]+)"')
_TOTAL = re.compile(r'data-total="([^"]+)">([^<]*)<')


def skill(template: int) -> str:
    """The lines of `tajo.yaml` that make a mail of a cart that is left behind."""
    return (
        f"cart: {{abandoned_after: {LEFT_BEHIND}}}\n"
        "skills:\n  abandoned-cart:\n    enabled: true\n    timing: {}\n"
        f"    sequence: [{{delay: {MAIL_AFTER}, template_id: {template}}}]\n"
    )


async def make_template(brevo: Mapping[str, Any]) -> int:
    """The merchant writes the mail, in Brevo; its number."""
    body = {
        "templateName": "Left behind",
        "subject": "Forgot something?",
        "sender": {"name": "The shop", "email": "shop@example.com"},
        "htmlContent": MAIL,
        "isActive": True,
    }
    async with _browser({"api-key": brevo["api_key"]}) as client:
        return int((await _done(client, "POST", f"{brevo['url']}/smtp/templates", body))["id"])


async def fill(shop: Mapping[str, Any]) -> None:
    """Ada agrees to the newsletter, fills a cart, types her address, and is gone."""
    panel = f"{shop['url']}/_sandbox/panel/stores/{shop['store_hash']}/v3"
    wish = {"email": WHO, "channel_id": 1, "consents": ["marketing_newsletter"]}
    async with _browser({"X-Auth-Token": shop["access_token"]}) as client:
        await _done(client, "POST", f"{panel}/customers/subscribers", wish)
        fields = {"include": "variants", "availability": "available", "is_visible": "true", "limit": "2"}
        store = f"{shop['url']}/stores/{shop['store_hash']}/v3"
        rows = (await _done(client, "GET", f"{store}/catalog/products", query=fields))["data"]
        items = [
            {"product_id": row["id"], "variant_id": row["variants"][0]["id"], "quantity": place}
            for place, row in enumerate(rows, 1)
        ]
        await _done(client, "POST", f"{shop['url']}/_sandbox/carts", {"line_items": items, "email": WHO})


async def come_back(shop: Mapping[str, Any], brevo: Mapping[str, Any]) -> list[str]:
    """Ada opens her mail, follows the link and buys; what she saw, in sentences."""
    async with _browser({}) as client:
        mail = await _mail(client, brevo)
        link = str(mail["params"]["recovery_url"])
        answer = await client.get(link)
        page = await client.get(answer.headers["location"]) if answer.is_redirect else answer
        cart, total = _CART.search(page.text), _TOTAL.search(page.text)
        if cart is None or total is None:
            raise Mend("the recovery link did not lead to a checkout", "report this: the demo must work.")
        paid = await client.post(f"{shop['url']}/checkout/{cart[1]}", data={"email": WHO})
        paid.raise_for_status()
    lines = [unescape(re.sub(r"<[^>]+>", "", line)).strip() for line in _LINE.findall(page.text)]
    return [
        f"Ada left a cart behind. {LEFT_BEHIND} later it counted as abandoned, {MAIL_AFTER} after that she "
        f"had a mail: {mail['subject']}",
        f"Its link, {link[:40]}…, made the cart anew in the store and led her to the checkout:",
        *(f"   {line}" for line in lines),
        f"   {total[2].strip()}",
        "She paid, so there will be no second mail.",
    ]


async def _mail(client: httpx.AsyncClient, brevo: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mail about the cart, once it is there."""
    outbox = str(httpx.URL(brevo["url"]).join("/_sandbox/messages"))
    for _ in range(int(PATIENCE / 0.25)):
        found = (await client.get(outbox, params={"to": WHO})).text.splitlines()
        if found:
            mail: Mapping[str, Any] = msgspec.json.decode(found[0])
            return mail
        await asyncio.sleep(0.25)
    raise Mend("the mail about the cart did not come in time", "run the demo again when the machine is idle.")


def _browser(headers: Mapping[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=30, headers=headers)


async def _done(
    client: httpx.AsyncClient, method: str, url: str, body: Any = None, query: Mapping[str, str] | None = None
) -> Any:
    answer = await client.request(method, url, json=body, params=query)
    answer.raise_for_status()
    return answer.json()
