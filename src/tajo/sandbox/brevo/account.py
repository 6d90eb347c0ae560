"""The account: everything the simulated Brevo knows, and `GET /account`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from .attributes import Catalogue
from .book import Book
from .clock import Agenda
from .commerce import Alerts
from .deliveries import Deliveries
from .faults import Weather
from .journal import Journal
from .limits import Limits, Tier
from .lists import Shelf
from .messages import Messages
from .orders import Orders
from .processes import Process, Processes
from .webhooks import Hooks
from .wire import Answer, Refusal

if TYPE_CHECKING:
    import httpx

    from .catalogue import Category, Product
    from .clock import Clock
    from .coupons import Collection
    from .events import Event
    from .faults import Faults
    from .imports import ImportOrder
    from .templates import Template
    from .wire import Call

API_KEY: Final = "xkeysib-" + "5a" * 32 + "-SandboxSandbox00"
"""The key of every simulated account; it opens nothing else."""

_PLANS: Final = {Tier.GENERAL: "free", Tier.ADVANCED: "subscription", Tier.EXTENDED: "subscription"}


class Account:
    """The state of one Brevo account; `now()` is in milliseconds since 1970."""

    email = "owner@sandbox.example"

    def __init__(
        self,
        *,
        api_key: str,
        tier: Tier,
        language: str,
        commerce_active: bool,
        product_alerts: bool,
        faults: Faults,
        clock: Clock,
        time_scale: float,
        outgoing: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.api_key = api_key
        self.key_valid = True
        self.clock = clock
        self.agenda = Agenda(clock, time_scale)
        self.deliveries = Deliveries(self.agenda, lambda: self.weather, outgoing)
        self.limits = Limits(tier)
        self.weather = Weather(faults)
        self.journal = Journal()
        self.attributes = Catalogue(language)
        self.book = Book()
        self.lists = Shelf(self.now())
        self.processes = Processes()
        self.imports: deque[tuple[Process, ImportOrder]] = deque()
        self.commerce_active = commerce_active
        self.product_alerts = product_alerts
        self.currency = "EUR"
        self.orders = Orders()
        self.products: dict[str, Product] = {}
        self.categories: dict[str, Category] = {}
        self.alerts = Alerts()
        self.coupons: dict[str, Collection] = {}
        self.events: list[Event] = []
        self.messages = Messages()
        self.templates: dict[int, Template] = {}
        self.hooks = Hooks(self.deliveries)

    def now(self) -> int:
        """Give the time in milliseconds since 1970."""
        return int(self.clock.now() * 1000)

    async def breathe(self) -> None:
        """Let other requests have the loop for a moment."""
        await asyncio.sleep(0)

    def require_commerce(self) -> None:
        """Refuse with 403 until eCommerce is activated."""
        if not self.commerce_active:
            raise Refusal(403, "permission_denied", "eCommerce is not activated on this account")


def read(account: Account, _call: Call) -> Answer:
    """GET /account: shape of SDK 5.1.0 `get_account`; the plan hints at the rate tier."""
    plan = _PLANS.get(account.limits.tier, "subscription")
    return Answer(
        200,
        {
            "organization_id": "5a5a5a5a5a5a5a5a5a5a5a5a",
            "user_id": 1,
            "enterprise": account.limits.tier is Tier.EXTENDED,
            "companyName": "Sandbox",
            "email": account.email,
            "firstName": "Sandra",
            "lastName": "Box",
            "address": {
                "city": "Paris",
                "country": "France",
                "street": "7 rue de Madrid",
                "zipCode": "75008",
            },
            "dateTimePreferences": {
                "timezone": "Europe/Paris",
                "timeFormat": "24",
                "dateFormat": "dd-mm-yyyy",
            },
            "marketingAutomation": {"enabled": True, "key": "sandboxtracker0000000000"},
            "plan": [{"type": plan, "credits": 300, "creditsType": "sendLimit"}],
            "planVerticals": [
                {
                    "planCategory": "Marketing",
                    "planType": plan,
                    "name": plan.title(),
                    "status": "active",
                    "users": {"purchasedSeats": "1", "usedSeats": "1"},
                    "credits": "300",
                }
            ],
            "relay": {
                "enabled": True,
                "data": {"port": 587, "relay": "smtp-relay.brevo.com", "userName": account.email},
            },
        },
    )
