"""An invented shop whose pages look, to a script, like those of BigCommerce's Stencil themes.

What a script may read there: the form for the cart and its button, the options of a product, `BCData`, which
the platform puts on the page of each product, and the structured data. `/remote/v1/product-attributes/`
answers as the platform does to the themes' own scripts (stencil-utils); it is documented nowhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FILES = Path(__file__).parent / "theme"
TOKEN = "of this visit"
NONCE = "n0nce"


class Product(Struct, frozen=True, kw_only=True):
    """`variants`: by their colour the id and whether there is any; `hidden`: only who signs in may buy."""

    id: int
    name: str
    in_stock: bool = True
    hidden: bool = False
    variants: dict[str, tuple[int, bool]] = {}


KETTLE = Product(id=17, name="Copper kettle")
LAMP = Product(id=18, name="Paper lamp", in_stock=False)
SCARF = Product(
    id=19, name="Felt scarf", variants={"Red": (191, True), "Blue": (192, False), "Grey": (193, False)}
)
ROPE = Product(id=20, name="Hemp rope", in_stock=False, variants={"Thin": (201, False), "Thick": (202, True)})
VASE = Product(id=21, name="Vase for members", hidden=True)

_PRODUCTS = {str(one.id): one for one in (KETTLE, LAMP, SCARF, ROPE, VASE)}


class Look(Struct, frozen=True, kw_only=True):
    """How a page is made.

    `theme`: `stencil`, or `bare`, which knows nothing of Stencil; `strict`: it forbids all that a policy can;
    `place`: an element for the form, `inside` or `outside` the form for the cart; `script`: with ours on it,
    `consented`: put there by the cookie banner when the shopper agrees.
    """

    theme: str = "stencil"
    strict: bool = False
    place: str = ""
    script: str = "yes"


class Shop:
    """The ASGI application. Who drives a page sets `look` first. `tajo`: where the script comes from."""

    def __init__(self, tajo: str) -> None:
        self.tajo = tajo
        self.look = Look()
        self.added: list[dict[str, str]] = []
        self.broken = False
        self.app = Starlette(
            routes=[
                Route("/product/{id}", self._page),
                Route("/remote/v1/product-attributes/{id}", self._attributes, methods=["POST"]),
                Route("/remote/v1/cart/add", self._add, methods=["POST"]),
                Mount("/theme", StaticFiles(directory=FILES)),
            ]
        )

    async def _page(self, request: Request) -> Response:
        product, look = _PRODUCTS[request.path_params["id"]], self.look
        headers = {"content-security-policy": _policy(self.tajo)} if look.strict else {}
        html = Template((FILES / f"{look.theme}.html").read_text(encoding="utf-8")).substitute(
            id=product.id,
            name=product.name,
            nonce=NONCE,
            data=json.dumps({"product_attributes": _said(product, product.in_stock), "csrf_token": TOKEN}),
            availability="InStock" if _purchasable(product) else "OutOfStock",
            options=_options(product),
            wrapper=""
            if _purchasable(product)
            else ('class="is-hidden"' if look.strict else 'style="display: none"'),
            inside=_PLACE if look.place == "inside" else "",
            outside=_PLACE if look.place == "outside" else "",
            script=Template(_SCRIPTS[look.script]).substitute(src=f"{self.tajo}/storefront.js", nonce=NONCE),
        )
        return HTMLResponse(html, headers=headers)

    async def _attributes(self, request: Request) -> Response:
        product, form = _PRODUCTS[request.path_params["id"]], await _form(request)
        if self.broken:
            raise HTTPException(500)
        variant, in_stock = product.variants[form["attribute[5]"]]
        return JSONResponse(
            {"data": {**_said(product, in_stock), "purchasable": True, "v3_variant_id": variant}}
        )

    async def _add(self, request: Request) -> Response:
        self.added.append(await _form(request))
        return JSONResponse({"quantity": len(self.added)})


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("x-xsrf-token") != TOKEN:
        raise HTTPException(403)
    return dict(parse_qsl((await request.body()).decode()))


def _purchasable(product: Product) -> bool:
    return product.in_stock and not product.hidden


def _said(product: Product, in_stock: bool) -> dict[str, Any]:
    return {
        "instock": in_stock,
        "purchasable": _purchasable(product),
        "stock_message": "" if in_stock else "Sold out",
    }


def _options(product: Product) -> str:
    if not product.variants:
        return ""
    radios = "".join(
        f'<label><input type="radio" name="attribute[5]" value="{name}"> {name}</label> '
        for name in product.variants
    )
    return f'<fieldset class="form-field"><legend class="form-label">Kind</legend>{radios}</fieldset>'


def _policy(tajo: str) -> str:
    """No style and no script but from files, and no markup made of strings."""
    return (
        f"default-src 'none'; img-src data:; script-src 'nonce-{NONCE}' {tajo}; style-src 'self'; "
        f"connect-src 'self' {tajo}; "
        "base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


_PLACE = (
    '<div data-tajo-back-in-stock data-label="Sagt mir, wenn es wieder da ist" data-button="Bitte" '
    'data-thanks="Danke." data-wrong="Stimmt das?" data-failed="Leider nein."></div>'
)
_SCRIPTS = {
    "yes": '<script src="$src" defer></script>',
    "no": "",
    "consented": """<script nonce="$nonce">
        const agreed = document.createElement('script');
        agreed.src = '$src';
        document.body.append(agreed);
    </script>""",
}
