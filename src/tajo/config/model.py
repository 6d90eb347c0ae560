"""The settings: every key of `tajo.yaml` with its type, default, meaning and an example.

`docs/configuration.md` is made from this page; `keys()` is its table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from tajo.config import values as v
from tajo.errors import Usage
from tajo.skills import Shelf, settled, shelf
from tajo.skills import values as words
from tajo.sync.mapping import Rule, rule


class Block(BaseModel):
    """Some keys that belong together; it knows no others and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, data: Any) -> Any:
        """A key without a value, all of it commented out perhaps, is a key left out."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


class Sync(Block):
    """What of the store is kept in Brevo."""

    customers: v.Flag = Field(default=True, description="Customers, guests and subscribers become contacts.")
    orders: v.Flag = Field(default=True, description="Orders, and with them the metrics of contacts.")
    products: v.Flag = Field(default=True, description="Products, variants and categories.")
    carts: v.Flag = Field(default=True, description="Carts, for cart events and abandoned carts.")
    inventory: v.Flag = Field(default=False, description="Stock levels, for back-in-stock messages.")


class Lists(Block):
    """Brevo lists, by number or by name. A named list that is missing is created."""

    all_customers: v.ListName = Field(
        default="BigCommerce customers", description="Every customer, guest and subscriber.", examples=[40]
    )
    buyers: v.ListName | None = Field(
        default="BigCommerce buyers",
        description="Who has ordered at least once; `null`: no list.",
        examples=[41],
    )
    abandoned_cart: v.ListName | None = Field(
        default=None, description="Who left a cart behind.", examples=[42]
    )
    subscribers: v.ListName | None = Field(
        default=None, description="Who agreed to the newsletter.", examples=["Newsletter"]
    )


class Storefront(Block):
    """How the contacts and links of one sales channel differ from the others."""

    lists: Annotated[tuple[v.ListName, ...], Field(title="list of list numbers or names")] = Field(
        default=(),
        description="Lists that contacts of this channel join besides the common ones.",
        examples=[[43]],
    )
    url: v.Url | None = Field(
        default=None,
        description="Where its shop is, if BigCommerce does not know it.",
        examples=["https://shop.example.nl"],
    )


class OrderStatuses(Block):
    """Which of BigCommerce's order statuses mean what."""

    counted: Annotated[frozenset[v.Status], Field(title="list of status numbers")] = Field(
        default=frozenset({2, 3, 7, 8, 9, 10, 11, 12, 13, 14}),
        description="An order in one of them counts in the metrics of its buyer.",
    )
    placed: Annotated[frozenset[v.Status], Field(title="list of status numbers")] = Field(
        default=frozenset({2, 3, 7, 8, 9, 10, 11, 12}),
        description="An order first seen in one of them has been placed.",
    )


class Cart(Block):
    """When a cart is abandoned."""

    abandoned_after: v.Duration = Field(
        default=timedelta(hours=1), description="How long a cart must be left alone."
    )
    min_value: v.Amount = Field(default=Decimal(0), description="Carts worth less are passed over.")
    brevo_events: Annotated[
        Literal["none", "flat", "nested"],
        PlainValidator(v.one_of("none", "flat", "nested")),
        Field(title="`none`, `flat` or `nested`"),
    ] = Field(
        default="flat",
        description="How the events `cart_updated`, `cart_deleted` and `order_completed` look, to which "
        "Brevo's own cart automations listen, beside those of `webhooks`.",
    )


class Messages(Block):
    """How people are written to, whatever the skill."""

    daily_cap: Annotated[int, PlainValidator(v.whole(1, 100)), Field(title="whole number")] = Field(
        default=3, description="Marketing messages to one person in 24 hours, of all skills together."
    )
    quiet_hours: Annotated[
        words.Quiet | None, PlainValidator(words.quiet_hours), Field(title="two times of day")
    ] = Field(
        default=None,
        description="When no marketing is sent, by the clock of whoever would get it: the attribute "
        "`TIMEZONE` of the contact, else `timezone`.",
        examples=['"21:00-08:00"'],
    )
    timezone: Annotated[str | None, PlainValidator(words.zone), Field(title="time zone")] = Field(
        default=None, description="Left out: the store's.", examples=["Europe/Berlin"]
    )
    sms_sender: v.Text | None = Field(
        default=None, description="Who text messages come from.", examples=["MyShop"]
    )
    whatsapp_sender: v.Text | None = Field(
        default=None, description="The number that messages on WhatsApp come from.", examples=["+49301234567"]
    )


class Webhook(Block):
    """One line of `webhooks`: the event that a scope of BigCommerce raises."""

    scope: v.Scope = Field(
        description="BigCommerce's name of what happened.", examples=["store/order/created"]
    )
    destination: v.EventName = Field(description="The event's name in Brevo.", examples=["order_placed"])
    contact: v.Text | None = Field(
        default=None,
        description="Whose event it is, where it is about no person (stock): an e-mail in Brevo.",
        examples=["stock@shop.example"],
    )


DEFAULT_MAPPING = {
    "email": "EMAIL",
    "first_name": "FIRSTNAME",
    "last_name": "LASTNAME",
    "phone": "SMS",
    "company": "COMPANY",
    "addresses[0].city": "CITY",
    "addresses[0].state": "STATE",
    "addresses[0].country": "COUNTRY",
    "addresses[0].zip": "ZIP",
    "orders_count": "ORDER_COUNT",
    "total_spent": "TOTAL_SPENT",
    "first_order_date": "FIRST_ORDER_DATE",
    "last_order_date": "LAST_ORDER_DATE",
    "average_order_value": "AVERAGE_ORDER_VALUE",
    "date_created": "SIGNUP_DATE",
    "customer_group_id": "CUSTOMER_GROUP",
}

CONSENTS: tuple[str, ...] = ("blocklist", "skip", "ignore")
SIGNATURES: tuple[str, ...] = ("auto", "strict")
MODES: tuple[str, ...] = ("realtime", "batch", "hybrid")
DELETIONS: tuple[str, ...] = ("soft", "hard")
PLANS: tuple[str, ...] = ("general", "advanced", "extended")


class Options(Block):
    """The keys of a connector that may also stand at top level, as the default of all connectors."""

    type: v.ConnectorType = Field(
        default="bigcommerce", description="The kind of store. Left out: the connector's name."
    )
    enabled: v.Flag = Field(default=True, description="Whether this connector runs.")
    api_url: v.Url = Field(default="https://api.bigcommerce.com", description="Where BigCommerce's API is.")
    sync: Sync = Field(default=Sync(), description="What of the store is kept in Brevo.")
    lists: Lists = Field(default=Lists(), description="Which Brevo lists contacts join.")
    storefronts: Annotated[Mapping[v.Channel, Storefront], Field(title="block by channel number")] = Field(
        default={}, description="What differs between sales channels. `tajo doctor` proposes this block."
    )
    consent: Annotated[
        Literal["blocklist", "skip", "ignore"],
        PlainValidator(v.one_of(*CONSENTS)),
        Field(title=" or ".join(CONSENTS)),
    ] = Field(
        default="blocklist",
        description="What becomes of a person who did not agree to marketing: created but blocklisted, "
        "left out, or treated like the others.",
    )
    order_statuses: OrderStatuses = Field(
        default=OrderStatuses(), description="Which order statuses mean what."
    )
    cart: Cart = Field(default=Cart(), description="When a cart is abandoned.")
    inventory: v.Stock = Field(
        default="default_location",
        description="Whose stock counts: `default_location` is what the catalogue tells; `all_locations`, or "
        "some by code or id, need the scope Store Inventory.",
        examples=[["BC-LOCATION-1", 2]],
    )
    messages: Messages = Field(default=Messages(), description="How people are written to by skills.")
    customer_mapping: Annotated[Mapping[v.Path, v.Attribute], Field(title="path: ATTRIBUTE")] = Field(
        default=DEFAULT_MAPPING,
        description="Which attribute of a contact is filled from where, instead of the default. "
        "`field_mapping` is another name for it.",
        examples=[{"addresses[0].city": "CITY"}],
    )
    custom_fields: Annotated[Mapping[v.Text, v.Attribute], Field(title="name: ATTRIBUTE")] = Field(
        default={},
        description="The shop's own form fields and attributes, by name, on top of `customer_mapping`.",
        examples=[{"VAT number": "VAT_NUMBER"}],
    )
    webhooks: Annotated[tuple[Webhook, ...], Field(title="list")] = Field(
        default=(),
        description="Which events are told, and their names in Brevo; without it all, under Tajo's names.",
    )
    signatures: Annotated[
        Literal["auto", "strict"], PlainValidator(v.one_of(*SIGNATURES)), Field(title=" or ".join(SIGNATURES))
    ] = Field(
        default="auto",
        description="Webhooks without a signature are believed by their secret header alone, or not at all.",
    )
    reconcile_every: v.Duration = Field(
        default=timedelta(minutes=15), description="How often `tajo serve` looks for what no webhook told."
    )
    full_sync_at: v.TimeOfDay = Field(
        default=time(3), description="When `tajo serve` looks at everything again, every day, UTC."
    )
    left_to_others: v.Percent = Field(
        default=20,
        description="Percent of the store's quota that `tajo serve` leaves to the store's other apps.",
    )
    sync_mode: Annotated[
        Literal["realtime", "batch", "hybrid"],
        PlainValidator(v.one_of(*MODES)),
        Field(title=" or ".join(MODES)),
    ] = Field(default="hybrid", description="Follow webhooks, sweep by the clock, or both.")
    delete_behavior: Annotated[
        Literal["soft", "hard"], PlainValidator(v.one_of(*DELETIONS)), Field(title=" or ".join(DELETIONS))
    ] = Field(
        default="soft",
        description="Whether a customer deleted in the store leaves Brevo's lists, or Brevo itself.",
    )


class Connector(Options):
    """One store. Its name is its key under `connectors`."""

    store_hash: v.StoreHash = Field(description="BigCommerce's name of the store.", examples=["abc123"])
    access_token: v.Secret = Field(description="The API account's token.", examples=["${BC_ACCESS_TOKEN}"])
    client_id: v.Credential | None = Field(
        default=None, description="The API account's client id.", examples=["${BC_CLIENT_ID}"]
    )
    client_secret: v.Secret | None = Field(
        default=None,
        description="The API account's client secret, with which BigCommerce signs webhooks.",
        examples=["${BC_CLIENT_SECRET}"],
    )

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """`customer_mapping` and `custom_fields`, compiled. The e-mail is no attribute: it has no rule."""
        fields = {f"custom_fields.{name}": target for name, target in self.custom_fields.items()}
        lines = {**self.customer_mapping, **fields}
        return tuple(rule(path, target) for path, target in lines.items() if target != "EMAIL")


class Brevo(Block):
    """The account that is kept in agreement with the stores."""

    api_key: v.Secret = Field(description="A key of Brevo's API v3.", examples=["${BREVO_API_KEY}"])
    api_url: v.Url = Field(default="https://api.brevo.com/v3", description="Where Brevo's API is.")
    plan: Annotated[
        Literal["general", "advanced", "extended"],
        PlainValidator(v.one_of(*PLANS)),
        Field(title=" or ".join(PLANS)),
    ] = Field(default="general", description="The rate limits of the account, until its answers tell them.")


class Server(Block):
    """How `tajo serve` is reached."""

    public_url: v.Url | None = Field(
        default=None,
        description="Where BigCommerce and shoppers reach this server; webhooks and cart links need it.",
        examples=["https://tajo.example.com"],
    )
    host: v.Text = Field(default="127.0.0.1", description="The address to listen on.")
    port: v.Port = Field(default=8000, description="The port to listen on.")


class Smtp(Block):
    """The mail server that takes alerts. Without TLS only one on this machine is spoken to."""

    host: v.Text = Field(default="localhost", description="The mail server.", examples=["smtp.example.com"])
    port: v.Port = Field(
        default=25, description="Its port: 587 as a rule, 465 where TLS begins at once, 25 on this machine."
    )
    user: v.Text | None = Field(default=None, description="Who signs in there.", examples=["tajo"])
    password: v.Secret | None = Field(
        default=None, description="Their password.", examples=["${SMTP_PASSWORD}"]
    )
    sender: v.Mailbox | None = Field(
        default=None, description="Who the mail is from. Left out: `email`.", examples=["tajo@shop.example"]
    )


class Alerts(Block):
    """Who is told when a connector needs a human, and when it is well again."""

    webhook: v.Receiver | None = Field(
        default=None,
        description="Gets a POST with JSON, as chats understand it.",
        examples=["${ALERTS_URL}"],
    )
    email: v.Mailbox | None = Field(
        default=None, description="Gets an e-mail, by way of `smtp`.", examples=["ops@shop.example"]
    )
    smtp: Smtp = Field(default=Smtp(), description="The mail server that takes it.")


def _folder(value: Any) -> Path:
    """A folder of skills; every mistake of its files is one of this key."""
    folder = Path(v.text(str(value) if isinstance(value, Path) else value))
    try:
        shelf(folder)
    except Usage as error:
        lines = str(error).splitlines()
        raise ValidationError.from_exception_data(
            "skills_folder", [_detail((), line, value) for line in lines]
        ) from None
    return folder


def _skills(options: Any, info: ValidationInfo) -> Shelf:
    """All skills with these options, those of the folder included; every mistake at its place."""
    found = shelf(info.data.get("skills_folder"))
    if isinstance(options, Shelf):
        return found
    if not isinstance(options, dict):
        raise ValueError("must be a block of keys, each on a line of its own and indented below it")
    if "skills_folder" not in info.data:  # it is wrong, and nobody knows what it would have held
        options = {name: given for name, given in options.items() if name in found.files}
    skills, wrong = settled(found, options)
    if wrong:
        details = [_detail(trail, text, _at(options, trail)) for trail, text in wrong]
        raise ValidationError.from_exception_data("skills", details)
    return skills


def _at(tree: Any, trail: tuple[str | int, ...]) -> Any:
    try:
        for part in trail:
            tree = tree[part]
    except (KeyError, IndexError, TypeError):
        return None
    return tree


def _detail(trail: tuple[str | int, ...], text: str, given: Any) -> InitErrorDetails:
    return InitErrorDetails(type="value_error", loc=trail, input=given, ctx={"error": ValueError(text)})


class Settings(Block):
    """Everything that Tajo was told, by connector name. Nothing in it shows a secret when printed."""

    brevo: Brevo = Field(description="The Brevo account.")
    connectors: Annotated[Mapping[v.ConnectorName, Connector], Field(title="block by name")] = Field(
        default={}, description="The stores."
    )
    api_key: v.Secret | None = Field(
        default=None, description="What clients of this server must show.", examples=["${TAJO_API_KEY}"]
    )
    database_url: v.DatabaseUrl = Field(
        default="sqlite:///tajo.db",
        description="Where the ledger is: `sqlite:///…` or `postgresql://…`.",
        repr=False,
    )
    server: Server = Field(default=Server(), description="How `tajo serve` is reached.")
    alerts: Alerts = Field(
        default=Alerts(), description="Who is told when a connector needs a human, and when it is well again."
    )
    skills_folder: Annotated[Path | None, PlainValidator(_folder), Field(title="folder")] = Field(
        default=None,
        description="A folder with skills of your own, one `.md` file each.",
        examples=["skills"],
    )
    skills: Annotated[Shelf, PlainValidator(_skills), Field(title="block by skill")] = Field(
        default=Shelf(),
        validate_default=True,
        description="Options of skills by name: `enabled`, `templates`, or any key of their files.",
        examples=[{"abandoned-cart": {"enabled": True, "templates": [101, 102, 103]}}],
    )
    _common: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    def with_common(self, common: Mapping[str, Any]) -> Settings:
        """The same, with what the file sets for all connectors, those that it does not name included."""
        self._common = common
        return self

    @property
    def common(self) -> Mapping[str, Any]:
        """What the file sets for all connectors, as it was written."""
        return self._common


def keys(block: type[Block] = Settings) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every key with its field, e.g. `("connectors", "<name>", "store_hash")`; a list's item is `[]`."""
    for name, field in block.model_fields.items():
        yield (name,), field
        part, inner = _inside(field.annotation)
        if inner:
            yield from (((name, *part, *path), key) for path, key in keys(inner))


def _inside(annotation: Any) -> tuple[tuple[str, ...], type[Block] | None]:
    """The block that a field holds, and how its keys are reached from the field."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return (), annotation
    inner = next(
        (arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, Block)), None
    )
    if not inner:
        return (), None
    mapping = len(get_args(annotation)) == 2 and get_args(annotation)[1] is inner
    return ((f"<{_title(get_args(annotation)[0])}>" if mapping else "[]"),), inner


def _title(annotated: Any) -> str:
    return next(str(field.title) for field in get_args(annotated) if isinstance(field, FieldInfo))
