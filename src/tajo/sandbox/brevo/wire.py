"""What crosses the wire: one request in, one answer out, and the refusals of Brevo's error model.

Error bodies are `{"code": str, "message": str}`, contact routes may add `metadata` (OAS25 `errorModel`,
`contactErrorModel`). Instants are ISO 8601 in UTC with milliseconds; inside the simulator they are integers,
milliseconds since 1970.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)")
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\"\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}")


class Refusal(Exception):
    """An error answer: HTTP status, Brevo's `code` (an open string) and `message`, optional `metadata`."""

    def __init__(self, status: int, code: str, message: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.metadata = metadata

    def answer(self) -> Answer:
        """Turn the refusal into the answer that is sent."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.metadata:
            body["metadata"] = self.metadata
        return Answer(self.status, body)


def invalid(message: str) -> Refusal:
    """Make the commonest refusal: 400 `invalid_parameter`."""
    return Refusal(400, "invalid_parameter", message)


def missing(message: str) -> Refusal:
    """Make a 400 `missing_parameter`."""
    return Refusal(400, "missing_parameter", message)


def not_found(message: str) -> Refusal:
    """Make a 404 `document_not_found`."""
    return Refusal(404, "document_not_found", message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; `None` sends no body at all (204, and 201 of attributes)."""

    status: int
    body: Any = None

    def encoded(self) -> bytes:
        """Give the body as it is sent."""
        return b"" if self.body is None else msgspec.json.encode(self.body)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the gateway: path parameters are percent-decoded, the body is raw."""

    method: str
    path: str
    query_string: str
    body: bytes
    origin: str
    params: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Decode the body, which must be a JSON object."""
        try:
            value = msgspec.json.decode(self.body or b"{}")
        except msgspec.DecodeError:
            value = None
        except UnicodeDecodeError:
            value = None
        if not isinstance(value, dict):
            raise Refusal(400, "bad_request", "Input must be a valid JSON object")
        return value

    def read(self, shape: type[T]) -> T:
        """Decode the body into `shape`; any mismatch is a 400 that names the field."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=shape)
        except msgspec.ValidationError as error:
            raise shape_refusal(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refusal(400, "bad_request", "Input must be a valid JSON object") from None

    @property
    def query(self) -> dict[str, list[str]]:
        """Give the query parameters, each with every value it was passed with."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def one(self, name: str) -> str | None:
        """Give the last value of a query parameter, or None."""
        values = self.query.get(name)
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        """Give all values of a repeatable query parameter (`a=1&a=2` and `a=1,2` alike)."""
        return [part for value in self.query.get(name, []) for part in value.split(",") if part]

    def integers(self, name: str) -> list[int]:
        """Give all values of a repeatable integer query parameter."""
        return [integer(value, name) for value in self.many(name)]

    def number(self, name: str) -> int:
        """Give a path parameter that must be an integer."""
        return integer(self.params[name], name)

    def page(self, *, default: int, most: int) -> tuple[int, int]:
        """Give (limit, offset); a limit over the route's maximum is refused, not clipped."""
        limit = integer(self.one("limit") or str(default), "limit")
        offset = integer(self.one("offset") or "0", "offset")
        if not 0 <= limit <= most:
            raise Refusal(400, "out_of_range", f"Limit exceeds max value, limit should be at most {most}")
        if offset < 0:
            raise Refusal(400, "out_of_range", "Offset should be positive")
        return limit, offset

    def ascending(self) -> bool:
        """Read `sort`; the default is descending order of creation."""
        sort = self.one("sort") or "desc"
        if sort not in {"asc", "desc"}:
            raise invalid("sort should be asc or desc")
        return sort == "asc"

    def since(self, name: str) -> int | None:
        """Read an instant from the query (milliseconds), or None."""
        text = self.one(name)
        if text is None:
            return None
        # A '+' of the zone arrives as a blank when the caller forgot to encode it.
        return instant(text.replace(" ", "+"), name)


def shape_refusal(error: msgspec.ValidationError) -> Refusal:
    """Word a schema violation as Brevo's refusal: missing field or wrong type."""
    text = str(error)
    code = "missing_parameter" if "missing required field" in text else "invalid_parameter"
    return Refusal(400, code, text)


def integer(text: str, name: str) -> int:
    """Read an integer written in decimal."""
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise invalid(f"{name} should be an integer")
    return int(text)


def instant(text: object, name: str) -> int:
    """Read an ISO 8601 date-time with its zone into milliseconds; anything else is a 400."""
    if isinstance(text, str) and _INSTANT.fullmatch(text):
        try:
            return round(datetime.fromisoformat(text).timestamp() * 1000)
        except ValueError:
            pass
    raise invalid(f"{name} should be a valid date-time (YYYY-MM-DDTHH:mm:ss.SSSZ)")


def iso(milliseconds: int) -> str:
    """Write an instant the way Brevo does: `2022-06-30T10:29:16.078Z`."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def email_address(value: object) -> str | None:
    """Give the address in lower case, as Brevo compares it, or None when it is not one."""
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(text := value.strip()):
        return text.lower()
    return None


def page_of(items: Sequence[T], limit: int, offset: int, *, ascending: bool) -> list[T]:
    """Cut one page out of items kept in order of creation."""
    if ascending:
        return list(items[offset : offset + limit])
    end = max(len(items) - offset, 0)
    return list(items[max(end - limit, 0) : end][::-1])
