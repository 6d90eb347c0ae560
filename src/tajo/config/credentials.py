"""Stores that are connected at run time: their credentials, beside the defaults of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from pydantic import ValidationError

from tajo.config.model import Connector
from tajo.config.values import connector_name
from tajo.errors import Usage


class Credentials(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What opens a store, of its API account. `type`: the kind of store, if it is called otherwise."""

    store_hash: str
    access_token: str
    client_id: str = ""
    client_secret: str = ""
    api_url: str = ""
    type: str = ""

    def __repr__(self) -> str:
        return f"Credentials(store_hash={self.store_hash!r})"


def joined(common: Mapping[str, Any], name: str, credentials: Credentials) -> Connector:
    """The connector that these credentials make with the defaults of the file.

    Raises `Usage` that names what is wrong with which of them, and repeats none.
    """
    try:
        connector_name(name)
        return Connector.model_validate({"type": "bigcommerce", **common, **msgspec.to_builtins(credentials)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        raise Usage(f"{'.'.join(map(str, first['loc']))}: {said}") from None
    except ValueError as error:
        raise Usage(f"the connector's name {error}") from None
