"""Simulated shoppers and staff: what they do, that it is repeatable, and that they tell no names."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tajo.sandbox.bigcommerce import TOKEN, Store, generate, people
from tajo.sandbox.brevo.account import API_KEY
from tajo.sandbox.cli import simulate
from tajo.sandbox.shoppers import WEIGHTS, Action, Shoppers
from tajo.sandbox.shoppers.choice import decide
from tajo.sandbox.shoppers.town import Goods, Person, Town
from tests.sandbox_shop import Shop

from .test_sandbox_brevo import Brevo


class Street:
    """A shop, a Brevo, and the crowd between them: `async with Street() as street`."""

    def __init__(self, store: Store | None = None, *, seed: int = 1, **options: Any) -> None:
        self.shop = Shop(store or generate(customers=40, orders=60, products=20), **options)
        self.brevo = Brevo()
        self.shoppers = Shoppers(
            *("http://sandbox", self.shop.store.hash, TOKEN, "http://brevo.test/v3", API_KEY, seed),
            store=self.shop.http,
            brevo=self.brevo.client,
        )

    async def __aenter__(self) -> Street:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shoppers.close()
        await self.shop.__aexit__()
        await self.brevo.client.aclose()

    @property
    def raised(self) -> Counter[str]:
        """The events that the store raised, heard or not."""
        return Counter(event["scope"] for event in self.shop.world.deliveries.events)


async def test_the_seed_decides_what_happens():
    async def story(seed):
        async with Street(seed=seed) as street:
            return [await street.shoppers.step() for _ in range(150)]

    assert await story(3) == await story(3)
    assert await story(3) != await story(4)


async def test_what_happens_keeps_every_kind_of_webhook_busy():
    async with Street() as street:
        told = [await street.shoppers.step() for _ in range(700)]
        assert street.raised.keys() >= {
            *(f"store/cart/{what}" for what in ("created", "updated", "deleted", "converted")),
            *(f"store/order/{what}" for what in ("created", "updated", "statusUpdated", "archived")),
            *("store/order/refund/created", "store/customer/address/updated"),
            *(f"store/customer/{what}" for what in ("created", "updated", "deleted")),
            *(f"store/subscriber/{what}" for what in ("created", "updated")),
            *(f"store/product/{what}" for what in ("created", "updated", "deleted")),
            *("store/product/inventory/updated", "store/product/inventory/order/updated"),
            *("store/sku/inventory/updated", "store/category/updated"),
        }
        assert [sentence for sentence in told if "the store says" in sentence] == []


async def test_the_store_meets_no_request_of_the_public_api():
    async with Street() as street:
        for _ in range(50):
            await street.shoppers.step()
        assert (await street.shop.control("GET", "counts"))["total"] == 0


@pytest.mark.parametrize("action", list(Action))
async def test_every_action_can_be_asked_for(action):
    async with Street(generate(customers=20, orders=40, products=20)) as street:
        await street.shoppers.act(Action.FILL_CART)
        await street.shoppers.act(Action.OPT_IN)
        for before in (Action.TYPE_EMAIL, Action.PAY_LATER):
            for _ in range(8):
                await street.shoppers.act(Action.FILL_CART)
            await street.shoppers.act(before)
        told = await street.shoppers.act(action)
        assert re.fullmatch(r"(Somebody|Staff|Customer \d+|The customer|The bank) [a-z].*\.", told)
        assert "the store says" not in told


async def test_what_cannot_be_is_said():
    async with Street(generate(customers=5, orders=0, products=5)) as street:
        with pytest.raises(LookupError, match="ship"):
            await street.shoppers.act(Action.SHIP)


async def test_sentences_name_nobody():
    async with Street() as street:
        told = " ".join([await street.shoppers.step() for _ in range(300)])
        emails = {row["email"] for row in street.shop.store.customers if row["email"]}
    assert "@" not in told
    assert not [email for email in emails if email in told]
    words = set(re.findall(r"\w+", told))
    assert not words & {*people.FIRST, *people.LAST}


async def test_who_unsubscribes_is_blocklisted_in_brevo_and_only_once():
    async with Street(generate(customers=1, orders=0, products=3)) as street:
        key = next(iter(street.shop.store.customers))["email"]
        await street.brevo("POST", "/contacts", {"email": key})
        told = {await street.shoppers.act(Action.UNSUBSCRIBE) for _ in range(20)}
        assert (await street.brevo.contact(key))["emailBlacklisted"] is True
    assert told >= {
        "Somebody unsubscribes in Brevo.",
        "Somebody unsubscribes in Brevo, but had done so before.",
    }


async def test_what_others_removed_is_forgotten():
    async with Street(generate(customers=0, orders=0, products=1)) as street:
        told = await street.shoppers.act(Action.REPRICE)
        await street.shop.send("DELETE", "/v3/catalog/products/101")
        assert (await street.shoppers.act(Action.REPRICE)) == f"{told[:-1]}, but the store says 404."
        with pytest.raises(LookupError):
            await street.shoppers.act(Action.REPRICE)


async def test_they_live_at_a_pace():
    told: list[str] = []
    async with Street() as street:
        done = await street.shoppers.live(0.05, 1e6, told.append)
        assert done == len(told) > 0
        assert await street.shoppers.live(0, 1) == 0


EMPTY = {Action.SIGN_UP, Action.ADD_PRODUCT, Action.OPT_IN}  # possible where there is nothing yet


@given(seed=st.integers(), others=st.sets(st.sampled_from(sorted(set(Action) - EMPTY))))
def test_what_is_impossible_gives_way_to_what_is_possible(seed, others):
    weights = {**dict.fromkeys(sorted(others), 1000), Action.SIGN_UP: 1, Action.OPT_IN: 0}
    assert decide(Town(), random.Random(seed), weights).told == "Somebody signs up"


@given(seed=st.integers())
def test_a_decision_follows_from_the_town_and_the_dice(seed):
    town = Town(goods={101: Goods([1, 2], "variant")}, people={7: Person("a@example.com", 0)})
    one, two = (decide(town, random.Random(seed), WEIGHTS) for _ in range(2))
    assert (one.told, one.method, one.path, one.body) == (two.told, two.method, two.path, two.body)


def test_the_command_lets_them_loose_on_two_running_simulators():
    started = [
        subprocess.Popen([sys.executable, "-m", f"tajo.sandbox.{name}"], stdout=subprocess.PIPE, text=True)
        for name in ("bigcommerce", "brevo")
    ]
    try:
        store, brevo = (json.loads(process.stdout.readline()) for process in started)
        options = [
            "--store-url",
            store["url"],
            "--brevo-url",
            brevo["url"],
            "--seconds",
            "2",
            "--pace",
            "50",
        ]
        done = CliRunner().invoke(simulate, ["shoppers", *options])
        assert (done.exit_code, done.output.count(".\n") > 1) == (0, True)
        carts = httpx.get(f"{store['url']}/_sandbox/events").text
        assert "store/" in carts
    finally:
        for process in started:
            process.terminate()
            process.communicate(timeout=10)
    done = CliRunner().invoke(simulate, ["shoppers", *options])
    assert done.exit_code == 1
    assert store["url"] in done.output
