"""Three acts: the history goes over; the store lives, a cart comes back; what no webhook told is healed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from tajo import config
from tajo.app import Tajo
from tajo.cli import tell
from tajo.cli.progress import watching
from tajo.demo import cart
from tajo.demo.samples import show_samples
from tajo.demo.wires import latencies, share, stretched
from tajo.errors import Mend
from tajo.live import serve
from tajo.sandbox.shoppers import Action, Shoppers
from tajo.sync.ledger import runs
from tajo.wiring import Wiring, open_wiring

SHOP = {"customers": 3000, "orders": 5000, "products": 150, "plan": "pro"}
NAME = "bigcommerce"

LIVING, SETTLING = 30.0, 5.0
"""Seconds of shoppers and staff at work, and from then until a look at what no webhook told."""

PACE = 2.0
"""Deeds a second."""

LOST = 0.1
"""The share of the webhooks that never arrive, while shoppers and staff are busy."""

#: What happens, and how often; nothing that leaves no trace in Brevo.
DEEDS = {
    Action.FILL_CART: 12,
    Action.ADD_ITEM: 5,
    Action.TYPE_EMAIL: 6,
    Action.PAY: 16,
    Action.SHIP: 8,
    Action.REFUND_PART: 5,
    Action.REFUND_ALL: 2,
    Action.SIGN_UP: 5,
    Action.CHANGE_ADDRESS: 3,
    Action.CHANGE_EMAIL: 2,
    Action.OPT_IN: 4,
    Action.OPT_OUT: 2,
    Action.UNSUBSCRIBE: 8,
    Action.REPRICE: 3,
    Action.RENAME_PRODUCT: 2,
}


async def play(seed: int) -> int:
    """All three acts; returns the exit code."""
    console = Console(highlight=False)
    store = [f"--{name}={value}" for name, value in {**SHOP, "seed": seed}.items()]
    with tempfile.TemporaryDirectory(prefix="tajo-demo-") as folder:
        async with _served("bigcommerce", store) as shop, _served("brevo", ["--time-scale=0.01"]) as brevo:
            console.print(
                "An invented store with two storefronts, guests, refunds and consents, in a simulated "
                "BigCommerce (Pro plan), goes into an empty simulated Brevo account (General limits; "
                "what it does in the background takes a hundredth of the time).\n"
            )
            env = _environment(shop, brevo, Path(folder))
            await _tell_history(console, env)
            await show_samples(console, shop, brevo)
            await _live(console, shop, brevo, Path(folder), env, seed)
    console.print("\nYour own store, in three steps: README.md")
    return 0


async def _tell_history(console: Console, env: Mapping[str, str]) -> None:
    async with open_wiring(config.load(None, env), env) as wiring:
        tajo = Tajo(wiring)
        with watching(quiet=False) as watch:
            run = await tajo.sync(NAME, watch=watch)
        tell.run(run, "What was read and written")
        reasons = sorted({one.reason for one in (await tajo.all_failures(NAME)).failures})
    if reasons:
        console.print("Dirt in the store, kept with its reason: " + "; ".join(reasons))


async def _live(
    console: Console,
    shop: Mapping[str, Any],
    brevo: Mapping[str, Any],
    folder: Path,
    env: Mapping[str, str],
    seed: int,
) -> None:
    """Shoppers and staff at work, and `tajo serve` beside them; then what came of it."""
    console.print(
        "\n[bold]Now the store lives[/bold] for half a minute, and [bold]tajo serve[/bold] follows. "
        f"{LOST:.0%} of the webhooks get lost.\n"
    )
    port = int(httpx.URL(brevo["url"]).port or 0)
    async with stretched() as (hooks, hooks_url), stretched(port) as (calls, calls_url):
        file = folder / "tajo.yaml"
        every = f"{LIVING + SETTLING:.0f}s"
        skills = cart.skill(await cart.make_template(brevo))
        file.write_text(f"server: {{public_url: {hooks_url}}}\nreconcile_every: {every}\n{skills}", "utf-8")
        env = {**env, "TAJO_BREVO_API_URL": f"{calls_url}/v3"}

        def listening(url: str) -> None:
            hooks.to = int(httpx.URL(url).port or 0)

        def say(words: str) -> None:
            console.print(f"[dim]    {escape(words)}[/dim]", soft_wrap=True)

        async with open_wiring(config.load(file, env), env) as wiring:
            last = await _swept(wiring)
            async with _serving(wiring, say, listening):
                last = await _next_sweep(wiring, last)
                await cart.fill(shop)
                async with asyncio.TaskGroup() as acts:
                    busy = acts.create_task(_busy(console, shop, brevo, seed))
                    back = acts.create_task(cart.come_back(shop, brevo))
                deeds, story = busy.result(), back.result()
                last = await _next_sweep(wiring, last)
        seconds = latencies(hooks.exchanges, calls.exchanges)
    sent = await _deliveries(shop)
    healed = last.account["unannounced"] if last else 0
    console.print(
        f"\n[bold]Half a minute in numbers[/bold]\n{deeds} deeds raised {sum(sent.values()):,} webhooks; "
        f"{sent['lost']} of them were lost on purpose."
    )
    if seconds:
        console.print(
            f"From the webhook of an order or product until Brevo had taken it ({len(seconds)} times): "
            f"half within {share(seconds, 0.5):.2f} s, 95 % within {share(seconds, 0.95):.2f} s."
        )
    console.print(f"Then one reconciliation healed {healed} records that no webhook announced.")
    console.print("\n[bold]One cart's story[/bold]")
    for line in story:
        console.print(escape(line), soft_wrap=True)


@asynccontextmanager
async def _serving(
    wiring: Wiring, say: Callable[[str], None], listening: Callable[[str], None]
) -> AsyncIterator[None]:
    """`tajo serve`, while this lasts."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(wiring, host="127.0.0.1", port=0, stop=stop, say=say, listening=listening))
        yield
        stop.set()


async def _busy(console: Console, shop: Mapping[str, Any], brevo: Mapping[str, Any], seed: int) -> int:
    """Half a minute with shoppers and staff, in which webhooks get lost; how many deeds it were."""
    shoppers = Shoppers(
        *(shop["url"], shop["store_hash"], shop["access_token"]),
        *(brevo["url"], brevo["api_key"], seed),
        weights=DEEDS,
    )
    faults = f"{shop['url']}/_sandbox/faults"
    async with httpx.AsyncClient(timeout=30) as client:
        (await client.post(faults, json={"hook_lost": LOST})).raise_for_status()
        try:
            return await shoppers.live(LIVING, PACE, lambda told: console.print(escape(told)))
        finally:
            await shoppers.close()
            await client.post(faults, json={"on": False})


async def _swept(wiring: Wiring) -> runs.RunRecord | None:
    """The last run that came to its end."""
    async with wiring.ledger.begin() as tx:
        return await runs.last_run(tx, NAME, "done")


async def _next_sweep(wiring: Wiring, before: runs.RunRecord | None) -> runs.RunRecord | None:
    """Wait until another run has come to its end, for a minute at the most."""
    for _ in range(300):
        run = await _swept(wiring)
        if run != before:
            return run
        await asyncio.sleep(0.2)
    raise Mend(
        "the simulated store was not swept in time", "run the demo again when the machine is less busy."
    )


async def _deliveries(shop: Mapping[str, Any]) -> Counter[str]:
    """How many webhooks the store sent, by what became of them."""
    async with httpx.AsyncClient(timeout=30) as client:
        lines = (await client.get(f"{shop['url']}/_sandbox/deliveries")).text.splitlines()
    return Counter(msgspec.json.decode(line)["why"] for line in lines)


@asynccontextmanager
async def _served(kind: str, flags: list[str]) -> AsyncIterator[dict[str, Any]]:
    """One simulator as a process; what it announces. Ctrl-C does not reach it: it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tajo.sandbox", kind, *flags),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        line = await process.stdout.readline()
        if not line:
            raise Mend(f"the simulated {kind} did not start", "see what it said above.")
        yield msgspec.json.decode(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _environment(shop: Mapping[str, Any], brevo: Mapping[str, Any], folder: Path) -> dict[str, str]:
    return {
        "BC_STORE_HASH": shop["store_hash"],
        "BC_ACCESS_TOKEN": shop["access_token"],
        "BC_CLIENT_ID": shop["client_id"],
        "BC_CLIENT_SECRET": shop["client_secret"],
        "TAJO_BIGCOMMERCE_API_URL": shop["url"],
        "BREVO_API_KEY": brevo["api_key"],
        "TAJO_BREVO_API_URL": brevo["url"],
        "TAJO_DATABASE_URL": f"sqlite:///{folder}/demo.db",
    }
