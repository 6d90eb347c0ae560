"""The command that lets shoppers and staff loose on two running simulators."""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx
import typer

from tajo.sandbox.bigcommerce import TOKEN
from tajo.sandbox.brevo.account import API_KEY

from .crowd import Shoppers


def shoppers(
    *,
    store_url: Annotated[str, typer.Option(help="Where the simulated BigCommerce listens.")],
    brevo_url: Annotated[str, typer.Option(help="Where the simulated Brevo listens, with its /v3.")],
    store_hash: Annotated[str, typer.Option(help="The store's hash.")] = "sandbox1",
    access_token: Annotated[
        str, typer.Option(help="The store's access token; else the sandbox's.", show_default=False)
    ] = TOKEN,
    brevo_key: Annotated[
        str, typer.Option(help="Brevo's API key; else the sandbox's.", show_default=False)
    ] = API_KEY,
    seed: Annotated[int, typer.Option(help="What happens, repeatable by its number.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.0, help="How long.")] = 60.0,
    pace: Annotated[float, typer.Option(min=0.001, help="How many deeds a second.")] = 1.0,
) -> None:
    """Let simulated shoppers and staff loose on a simulated store and a simulated Brevo; tells each deed."""
    crowd = Shoppers(store_url, store_hash, access_token, brevo_url, brevo_key, seed)

    async def live() -> None:
        try:
            await crowd.live(seconds, pace, typer.echo)
        finally:
            await crowd.close()

    try:
        asyncio.run(live())
    except (httpx.TransportError, httpx.HTTPStatusError) as error:
        typer.echo(f"No simulators with these keys at {store_url} and {brevo_url}: {error}", err=True)
        raise typer.Exit(1) from None
