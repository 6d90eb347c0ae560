"""One store's REST API: where it is, how we sign in, and what each refusal means to a person.

An `Answer` that is no success becomes an error of `tajo.errors`. Bodies of refusals come in many shapes
(V2: an array; V3: an object; 429, 504 and proxies: empty or HTML), so they are read tolerantly, and only
their title or message is repeated, never `errors`, which may quote a shopper's data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from tajo.bigcommerce.limits import StoreLimits
from tajo.errors import Later, Mend
from tajo.http import Answer, Client, Clock, Heard, Patience

T = TypeVar("T")

ACCOUNTS = "Settings > Store-level API accounts"
NEW_ACCOUNT = (
    f"in the store's control panel, {ACCOUNTS}, create a new account and put its access token, client id "
    "and client secret into the configuration (an old account's token and scopes cannot be changed; "
    "webhooks belong to the account and are made again)"
)

SCOPES = {  # path prefix -> the OAuth scope that reading it needs (api-accounts: OAuth scopes)
    "/v2/store": "store_v2_information_read_only (Information & Settings)",
    "/v3/channels": "store_channel_settings_read_only (Channel Settings)",
    "/v3/sites": "store_sites_read_only (Sites & Routes)",
    "/v2/customer_groups": "store_v2_customers_read_only (Customers)",
    "/v3/customers": "store_v2_customers_read_only (Customers)",
    "/v2/orders": "store_v2_orders_read_only (Orders)",
    "/v3/orders": "store_v2_orders_read_only (Orders)",
    "/v3/catalog": "store_v2_products_read_only (Products)",
    "/v3/carts": "store_cart_read_only (Carts)",
    "/v3/checkouts": "store_checkout_read_only (Checkouts)",
    "/v3/promotions": "store_v2_marketing_read_only (Marketing)",
    "/v3/inventory": "store_inventory_read_only (Store Inventory)",
    "/v3/content/scripts": "store_v2_content (Content)",
}


class Declined(Mend):
    """BigCommerce says no, with this `status`, and will again until something changes."""

    def __init__(self, status: int, problem: str, mend: str = "") -> None:
        super().__init__(problem, mend)
        self.status = status


class Api:
    """Calls to one store. `client_id` names the API account in messages; no call needs it any more.

    `store_hash` is the word in `https://api.bigcommerce.com/stores/<hash>/v3/`; it is no secret.
    `heard` hears of each call.
    """

    def __init__(
        self,
        store_hash: str,
        access_token: str,
        *,
        api_url: str = "https://api.bigcommerce.com",
        client_id: str = "",
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        left_to_others: float = 0.0,
        heard: Heard = lambda _: None,
    ) -> None:
        self.store_hash = store_hash
        self.client_id = client_id
        self.clock = clock or Clock()
        self.limits = StoreLimits(self.clock, left_to_others=left_to_others)
        self._client = Client(
            f"{api_url.rstrip('/')}/stores/{store_hash}",
            {"x-auth-token": access_token},
            self.limits,
            clock=self.clock,
            patience=patience,
            transport=transport,
            heard=heard,
        )

    @property
    def calls(self) -> int:
        """Calls made so far, failed ones included."""
        return self._client.calls.total()

    async def get(
        self,
        path: str,
        decode: Callable[[bytes], T],
        *,
        params: Mapping[str, Any] | None = None,
        route: str = "",
        final: frozenset[int] = frozenset(),
    ) -> T | None:
        """Read `path` (e.g. `/v3/customers`) and decode it; None if it does not exist (404).

        `decode` gets `b""` where there is nothing to list (204: V2 lists without rows). `route` is the
        template by which calls are counted, where `path` holds an id; `final` statuses are not tried
        again. Raises `Mend` where a person must act (`Declined` with the status, if that is what
        BigCommerce said) and `Later` when patience ends.
        """
        route = f"GET {route or path}"
        answer = await self._ask("GET", path, route, params=params, decode=decode, final=final)
        if answer.status == 404:
            return None
        if answer.body:
            value: T = answer.value
            return value
        if answer.status == 204:
            return decode(b"")
        raise Later(f"{route} was answered without a body", seconds=60)  # an empty list would mean deletions

    async def post(self, path: str, body: Any, decode: Callable[[bytes], T], *, route: str = "") -> T:
        """Make something of `body`, as JSON, and decode the answer; said once, as `send` says a POST.

        Raises as `get` does, and `Declined` with status 404 where there is no such place.
        """
        content = msgspec.json.encode(body)
        answer = await self._ask(
            "POST", path, f"POST {route or path}", body=content, decode=decode, once=True
        )
        value: T = answer.value
        return value

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        route: str = "",
    ) -> bool:
        """Write `body`, as JSON, to `path`, or delete what is there; False if it does not exist (404).

        PUT and DELETE do the same when they are said twice, so they are tried again like a reading. A POST
        makes a second thing: it is only tried again where it certainly was not taken, else it raises `Lost`.
        Raises as `get` does.
        """
        route = f"{method} {route or path}"
        content = None if body is None else msgspec.json.encode(body)
        once = method == "POST"
        answer = await self._ask(method, path, route, params=params, body=content, decode=_unread, once=once)
        return answer.status != 404

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    async def _ask(self, method: str, path: str, route: str, **how: Any) -> Answer:
        """The answer to a call: a success, or the 404 of what does not exist; a POST must find a place."""
        try:
            answer = await self._client.request(method, path, route=route, **how)
        except msgspec.ValidationError as error:
            raise Mend(
                f"BigCommerce answered {route} in a shape that Tajo does not know: {error}",
                "report it with this sentence, which holds no data of yours",
            ) from None
        except Later as error:
            # the one status that patience may not heal: a shop that does not pay stays away for good
            raise (self._suspended() if str(error).endswith("HTTP 503") else error) from None
        if not answer.ok and (answer.status != 404 or method == "POST"):
            raise self._declined(answer, path, route)
        return answer

    def _declined(self, answer: Answer, path: str, route: str) -> Declined:
        status, words = answer.status, vendor_words(answer.body)
        said = f"{route}: {words}" if words else route
        if status == 401:
            account = f" of API account {self.client_id}" if self.client_id else ""
            return Declined(
                status,
                f"BigCommerce refused the access token{account} for store {self.store_hash} (401) at {said}",
                f"check store hash and token; if they are right, the account was deleted: {NEW_ACCOUNT}",
            )
        if status == 403:
            needed = scope(path) if route.startswith("GET ") else scope(path).replace("_read_only", "")
            return Declined(
                status,
                f"BigCommerce does not allow {said} (403); it needs the scope {needed}",
                "the token lacks that scope, the store's owner or plan has lapsed, or the API address is "
                f"wrong. For a scope: {NEW_ACCOUNT}",
            )
        return Declined(status, f"BigCommerce refused {said} ({status})")

    def _suspended(self) -> Mend:
        return Mend(
            f"Store {self.store_hash} keeps answering 503: it is in maintenance, being upgraded or suspended",
            "see in the control panel whether the store is open and paid for, then start again",
        )


def _unread(body: bytes) -> None:
    """What an answer to a writing says is of no use: what counts is that it was taken."""


def scope(path: str) -> str:
    """The read scope that a path needs, for people."""
    return next((name for prefix, name in SCOPES.items() if path.startswith(prefix)), "of that resource")


def vendor_words(body: bytes) -> str:
    """What a refusal's body says for people, at most 200 characters; empty where it says nothing."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return ""
    words = next((value[name] for name in ("title", "message", "error", "detail") if value.get(name)), "")
    text = " ".join(words.split()) if isinstance(words, str) else ""
    return re.sub(r"\S+@\S+", "(e-mail)", text)[:200]
