"""eCommerce itself: `/ecommerce/activate`, the display currency, and back-in-stock wishes.

Until the account activates eCommerce its other routes answer 403 (SDK); activation takes "about 5 minutes" in
Brevo and a scaled second here. What rings an alert is our inference: a product's stock rising above zero.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .wire import Answer, Refusal, invalid, missing, not_found

if TYPE_CHECKING:
    from .account import Account
    from .wire import Call

_ACTIVATION_SECONDS = 1.0
_IDENTIFIERS: Final = ("ext_id", "email", "sms")
"""Contact identifiers of an alert, by priority (SDK)."""

CURRENCIES: Final = frozenset(
    re.findall(
        "[A-Z]{3}",
        """
        AED ALL AMD ARS AUD AZN BAM BDT BGN BHD BND BOB BRL BWP BYN BZD CAD CHF CLP CNY COP CRC CZK DKK DOP
        DZD EGP ETB EUR GBP GEL GHS GTQ HKD HNL HUF IDR ILS INR ISK JMD JOD JPY KES KRW KWD KZT LBP LKR MAD
        MDL MKD MUR MXN MYR NGN NIO NOK NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB SAR SEK SGD THB
        TND TRY TTD TWD TZS UAH UGX USD UYU UZS VND XAF XOF ZAR
        """,
    )
)
"""The currencies of ISO 4217 that shops use."""


class Alerts:
    """Who wants to hear when which product is back, by product id."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[dict[str, str]]] = {}

    def wait(self, product: str, who: dict[str, str]) -> None:
        """Register one contact's wish, once."""
        waiting = self._waiting.setdefault(product, [])
        if who not in waiting:
            waiting.append(who)

    def ring(self, account: Account, product: str) -> None:
        """Write to everybody who waits, and forget them."""
        for who in self._waiting.pop(product, ()):
            account.messages.add(account, "back_in_stock", list(who.values()), {"product": product})


def activate(account: Account, _call: Call) -> Answer:
    """POST /ecommerce/activate: 200, in effect a moment later."""

    async def done() -> None:
        account.commerce_active = True

    account.agenda.after(_ACTIVATION_SECONDS, done)
    return Answer(200, {"message": "eCommerce activation is in process, please wait for 5 minutes."})


def currency(account: Account, _call: Call) -> Answer:
    """GET /ecommerce/config/displayCurrency."""
    account.require_commerce()
    return Answer(200, {"code": account.currency})


def set_currency(account: Account, call: Call) -> Answer:
    """POST /ecommerce/config/displayCurrency: 422 for what ISO 4217 does not know."""
    account.require_commerce()
    code = call.json().get("code")
    if code is None:
        raise missing("code is missing")
    if not isinstance(code, str) or code not in CURRENCIES:
        raise Refusal(422, "unprocessable_entity", "Invalid currency code")
    account.currency = code
    return Answer(200, {"code": code})


def back_in_stock(account: Account, call: Call) -> Answer:
    """POST /products/{id}/alerts/back_in_stock: 204; 403 when product alerts are off, 404 unknown."""
    account.require_commerce()
    if call.params["type"] != "back_in_stock":
        raise invalid("Alert type is not valid")
    if not account.product_alerts:
        raise Refusal(403, "permission_denied", "Product alerts are not enabled for this account")
    if call.params["id"] not in account.products:
        raise not_found("Product not found")
    given: Any = call.json().get("contactIdentifiers")
    if not isinstance(given, dict):
        raise missing("contactIdentifiers is missing")
    name = next((name for name in _IDENTIFIERS if given.get(name)), None)
    if name is None:
        raise missing("At least one of ext_id, email or sms is required")
    account.alerts.wait(call.params["id"], {name: str(given[name])})
    return Answer(204)
