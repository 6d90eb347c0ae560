"""What a single value of `tajo.yaml` may be. Each type carries the word by which the reference calls it.

A reader takes what YAML or an environment variable gave and returns the value, or raises a
`ValueError` that says what it should be. No text of an error repeats the value, except where it is
an attribute or a path of the mapping.
"""

import difflib
import re
from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, SecretStr

from tajo.sync.mapping import rule


def nearest(word: Any, known: list[str]) -> str:
    """` did you mean …?`, to be put behind a sentence; empty if nothing is near."""
    near = difflib.get_close_matches(str(word).lower(), known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def text(value: Any) -> str:
    """Text that is not empty, without the blanks around it."""
    if not isinstance(value, str):
        raise ValueError("must be text; put it in quotes")
    if not value.strip():
        raise ValueError("is empty; give it a value or leave the key out")
    return value.strip()


def credential(value: Any) -> str:
    """One word of visible ASCII: all that an HTTP header can carry."""
    word = text(value)
    if not re.fullmatch(r"[!-~]+", word):
        raise ValueError("holds a blank or another character that no key has; copy it again")
    return word


def store_hash(value: Any) -> str:
    """BigCommerce's name of a store, as it stands in its API path."""
    word = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", word):
        raise ValueError("is no store hash; take what follows `/stores/` in the API path, nothing else")
    return word


def flag(value: Any) -> bool:
    """True or false, also as text, as an environment variable gives it."""
    answer = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(answer, bool):
        raise ValueError("must be `true` or `false`")
    return answer


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A reader of whole numbers from `low` to `high`."""

    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def amount(value: Any) -> Decimal:
    """Money, not negative."""
    try:
        money = Decimal(str(value).strip())
    except InvalidOperation:
        money = Decimal("NaN")
    if isinstance(value, bool) or not money.is_finite() or money < 0:
        raise ValueError("must be an amount such as `25` or `25.50`")
    return money


def duration(value: Any) -> timedelta:
    """A time span: a number and `s`, `m`, `h` or `d`."""
    found = re.fullmatch(r"([0-9]{1,5}) ?([smhd])", value.strip()) if isinstance(value, str) else None
    if not found or not int(found[1]):
        raise ValueError("must be a time span such as `90s`, `30m`, `1h` or `2d`")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def time_of_day(value: Any) -> time:
    """A time of day, `03:00`."""
    found = (
        re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", value.strip()) if isinstance(value, str) else None
    )
    if not found:
        raise ValueError('must be a time of day in quotes, such as `"03:00"`')
    return time(int(found[1]), int(found[2]))


def list_name(value: Any) -> int | str:
    """A list of Brevo, by number or by name."""
    if isinstance(value, str) and value.strip() and not value.strip().isdigit():
        return value.strip()
    try:
        return whole(1, MAX_ID)(value)
    except ValueError:
        raise ValueError("must be the number of a Brevo list, or its name") from None


def url(value: Any) -> str:
    """An `https` address without a slash at its end; `http` only to this machine."""
    address = text(value).rstrip("/")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"https?://[!-~]+", address) or "@" in parts.netloc:
        raise ValueError("must be an address such as `https://api.example.com`")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path; leave out what follows `?` or `#`")
    if parts.scheme == "http" and not _loopback(host):
        raise ValueError("is `http://`, which would send the keys readably; write `https://`")
    return address


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def database_url(value: Any) -> str:
    """Where the ledger is: a file of SQLite or a database of PostgreSQL."""
    address = text(value)
    if not re.match(r"(sqlite:///|postgresql://).", address):
        raise ValueError("must be `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`")
    return address


def attribute(value: Any) -> str:
    """An attribute of Brevo's contacts; `email`, which is none, is understood in any case."""
    name = text(value)
    if name.lower() == "email":
        return "EMAIL"
    if not re.fullmatch(r"[A-Z0-9_]+", name):
        proposal = re.sub(r"[^A-Z0-9_]+", "_", name.upper()).strip("_")
        raise ValueError(
            f"`{name}` is no attribute of Brevo (upper-case letters, digits and _)"
            + (f"; write `{proposal}`" if proposal else "")
        )
    return name


def path(value: Any) -> str:
    """A path of the mapping language."""
    return rule(text(value), "X").path


def connector_name(value: Any) -> str:
    """The name of a connector; it stands in addresses."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
        raise ValueError("is no name for a connector; use letters, digits, - and _")
    return value


def connector_type(value: Any) -> str:
    """The kind of store."""
    if value != "bigcommerce":
        raise ValueError("only `bigcommerce` is known; write `type: bigcommerce`")
    return "bigcommerce"


def scope(value: Any) -> str:
    """A webhook scope of BigCommerce."""
    if not isinstance(value, str) or not re.fullmatch(r"store(/[A-Za-z0-9_*]+)+", value):
        raise ValueError("must be a scope such as `store/order/created`")
    return value


def event_name(value: Any) -> str:
    """The name of an event in Brevo."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", value):
        raise ValueError("must be an event name: letters, digits, - and _")
    return value


STOCKS = ("default_location", "all_locations")


def stock(value: Any) -> str | tuple[str, ...]:
    """Which stock counts: what the catalogue tells, that of all locations, or of these by code or id."""
    if value in STOCKS:
        return str(value)
    names = list(value) if isinstance(value, list | tuple) else []
    if not names or not all(isinstance(name, str | int) and str(name).strip() for name in names):
        raise ValueError(
            "must be `default_location`, `all_locations`, or a list of the codes or ids of locations"
        )
    return tuple(str(name).strip() for name in names)


def one_of(*words: str) -> Callable[[Any], str]:
    """A reader of one of these words."""

    def read(value: Any) -> str:
        if value not in words:
            known = ", ".join(f"`{word}`" for word in words)
            raise ValueError(f"must be one of {known}{nearest(value, list(words))}")
        return str(value)

    return read


def receiver(value: Any) -> SecretStr:
    """An address that takes messages: whoever knows it may write there, so it is a secret; of any host."""
    address = credential(value)
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host or not re.match(r"https?://", address):
        raise ValueError("must be an address such as `https://chat.example.com/hooks/…`")
    return SecretStr(address)


def mailbox(value: Any) -> str:
    """One e-mail address, and nothing around it."""
    address = text(value)
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", address):
        raise ValueError("must be one e-mail address, such as `ops@shop.example`")
    return address


MAX_ID = 2**53

Text = Annotated[str, PlainValidator(text), Field(title="text")]
Credential = Annotated[str, PlainValidator(credential), Field(title="text")]
Secret = Annotated[
    SecretStr, PlainValidator(lambda value: SecretStr(credential(value))), Field(title="secret")
]
Receiver = Annotated[SecretStr, PlainValidator(receiver), Field(title="secret URL")]
Mailbox = Annotated[str, PlainValidator(mailbox), Field(title="e-mail address")]
StoreHash = Annotated[str, PlainValidator(store_hash), Field(title="text")]
Flag = Annotated[bool, PlainValidator(flag), Field(title="true or false")]
Port = Annotated[int, PlainValidator(whole(1, 65535)), Field(title="whole number")]
Channel = Annotated[int, PlainValidator(whole(1, MAX_ID)), Field(title="number")]
Status = Annotated[int, PlainValidator(whole(0, 14))]
Amount = Annotated[Decimal, PlainValidator(amount), Field(title="amount")]
TimeOfDay = Annotated[time, PlainValidator(time_of_day), Field(title="time of day")]
Percent = Annotated[int, PlainValidator(whole(0, 90)), Field(title="whole number")]
Duration = Annotated[timedelta, PlainValidator(duration), Field(title="time span")]
ListName = Annotated[int | str, PlainValidator(list_name), Field(title="list number or name")]
Url = Annotated[str, PlainValidator(url), Field(title="URL")]
DatabaseUrl = Annotated[str, PlainValidator(database_url), Field(title="URL")]
Attribute = Annotated[str, PlainValidator(attribute)]
Path = Annotated[str, PlainValidator(path)]
ConnectorName = Annotated[str, PlainValidator(connector_name), Field(title="name")]
ConnectorType = Annotated[str, PlainValidator(connector_type), Field(title="`bigcommerce`")]
Scope = Annotated[str, PlainValidator(scope), Field(title="scope")]
Stock = Annotated[
    str | tuple[str, ...], PlainValidator(stock), Field(title="one of the two, or list of locations")
]
EventName = Annotated[str, PlainValidator(event_name), Field(title="event name")]
