"""What a skill would do for somebody who exists is what it does, and looking changes nothing."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tajo.cli import run
from tajo.errors import Usage
from tajo.skill_trial import EARLIER, FORGOTTEN, NEVER, REFUSED, Answer, Question, try_skill
from tajo.skills.tryout import Moment
from tajo.sync.automation import Act
from tajo.sync.ledger import erasure
from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.tables import metadata, sequences
from tajo.wiring import Wiring
from tests.journeys.town import DAY, HOUR, MINUTE, Town
from tests.storms.live_world import NAME, Fuse, Wired

EMAIL = "ada@example.com"
CART = """
skills:
  abandoned-cart: {enabled: true, templates: [101, 102, 103], timing: {}}
"""
CLOCK = """
skills:
  win-back:
    enabled: true
    templates: [151, 152]
    triggers: [{schedule: "0 9 * * *", conditions: [{days_since_order: ">= 3"}]}]
"""


@asynccontextmanager
async def town_with(folder: Path, options: str) -> AsyncIterator[Town]:
    town = Town(folder, options)
    await town.begin()
    await town.clock.sleep(60)
    await town.agree(EMAIL)
    yield town
    await town.end()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with town_with(tmp_path, CART) as made:
        yield made


@asynccontextmanager
async def wiring_in(town: Town) -> AsyncIterator[Wiring]:
    ledger = await open_ledger(f"sqlite:///{town.folder}/tajo.db", Secret(b"of a storm"))
    assert town._settings
    try:
        yield Wired(town._settings, ledger, town, Fuse())
    finally:
        await ledger.close()


async def ask(town: Town, skill: str = "abandoned-cart", **question: Any) -> Answer:
    async with wiring_in(town) as wiring:
        return await try_skill(wiring, NAME, wiring.settings.skills.skills[skill], Question(**question))


def acts(answer: Answer) -> list[tuple[int, float]]:
    """Template and moment of each mail."""
    return [
        (one.decision.params["templateId"], one.at)
        for one in answer.trial.moments
        if isinstance(one.decision, Act)
    ]


def why(moment: Moment) -> str:
    assert not isinstance(moment.decision, Act)
    return moment.decision.why


async def everything(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    async with ledger.begin() as tx:
        return {
            table.name: [*map(tuple, await tx.execute(select(table)))] for table in metadata.sorted_tables
        }


async def test_what_is_foretold_of_a_cart_is_what_happens(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(70 * MINUTE)
    foretold = await ask(town, cart=uuid)
    assert foretold.trial.waits is not None
    assert (foretold.trial.event, foretold.trial.waits.step) == ("cart_abandoned", 0)
    assert [template for template, _ in acts(foretold)] == [101, 102, 103]
    for number, (template, at) in enumerate(acts(foretold)):
        await town.pass_by(at - town.clock.now() - MINUTE, step=HOUR)
        assert len(await town.mails(EMAIL)) == number
        await town.pass_by(40 * MINUTE)  # it looks every ten minutes, and the next delay counts from then
        assert (await town.mails(EMAIL))[-1]["template"] == template


async def test_a_cart_that_nobody_was_told_of_is_foretold_from_now_on(town: Town) -> None:
    await town.pass_by(10 * MINUTE)
    uuid = await town.fill_cart(EMAIL)
    now = town.clock.now()
    answer = await ask(town, cart=uuid)
    assert answer.trial.waits is None
    assert [round((at - now) / HOUR) for _, at in acts(answer)] == [1, 25, 73]
    params = answer.trial.moments[0].decision.params["params"]  # type: ignore[union-attr]
    assert params["recovery_url"].startswith("https://tajo.example/r/")
    assert answer.cart == uuid


async def test_a_sequence_goes_on_from_where_it_stands(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(3 * HOUR)
    by_cart, by_contact = await ask(town, cart=uuid), await ask(town, email=EMAIL.upper())
    assert by_cart.trial.waits == by_contact.trial.waits
    assert by_cart.trial.waits is not None
    assert by_cart.trial.waits.step == 1
    assert [template for template, _ in acts(by_cart)] == [102, 103]
    assert acts(by_cart)[0][1] == by_cart.trial.waits.due
    assert by_cart.seen is not None
    assert by_cart.seen.sent_today == 1


async def test_a_sequence_whose_cart_was_bought_is_over(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(70 * MINUTE)
    await town.buy(uuid)
    answer = await ask(town, cart=uuid)
    assert [why(one) for one in answer.trial.moments] == ["it is gone, or was bought"]


async def test_a_refused_step_is_said_to_wait(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(3 * HOUR)
    async with wiring_in(town) as wiring, wiring.ledger.begin() as tx:
        await tx.execute(sequences.update().values(due=PARKED))
    answer = await ask(town, cart=uuid)
    assert answer.notes == (REFUSED,)
    assert [template for template, _ in acts(answer)] == [102, 103]
    assert abs(acts(answer)[0][1] - town.clock.now()) < 1


async def test_who_did_not_agree_or_has_unsubscribed_is_left_out(town: Town) -> None:
    uuid = await town.fill_cart("eve@example.com")
    answer = await ask(town, cart=uuid)
    assert [why(one) for one in answer.trial.moments] == ["they have not agreed to marketing"] * 3
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(10 * MINUTE)
    await town.brevo("PUT", f"/contacts/{EMAIL.replace('@', '%40')}", {"emailBlacklisted": True})
    answer = await ask(town, cart=uuid)
    assert [why(one) for one in answer.trial.moments] == ["they have unsubscribed"]


async def test_what_was_sent_counts_towards_the_cap(tmp_path: Path) -> None:
    async with town_with(tmp_path, CART + "messages: {daily_cap: 1}\n") as town:
        await town.fill_cart(EMAIL)
        await town.pass_by(3 * HOUR)
        uuid = await town.fill_cart(EMAIL, quantity=1)
        wait, *_ = (await ask(town, cart=uuid)).trial.moments
        assert why(wait) == "1 messages in 24 hours are enough"
        assert 22 * HOUR < wait.decision.until - wait.at < 24 * HOUR  # type: ignore[union-attr]


async def test_quiet_hours_are_kept_by_the_clock_of_the_merchant(tmp_path: Path) -> None:
    manners = 'messages: {quiet_hours: "12:00-11:59", timezone: Europe/Berlin}\n'
    async with town_with(tmp_path, CART + manners) as town:
        await town.pass_by(10 * MINUTE)
        answer = await ask(town, cart=await town.fill_cart(EMAIL), at=datetime(2026, 3, 28, 20))
        assert answer.zone.key == "Europe/Berlin"
        assert answer.trial.at == datetime(2026, 3, 28, 19, tzinfo=UTC).timestamp()
        wait, sent, *_ = answer.trial.moments
        assert why(wait) == "quiet hours, 12:00-11:59 in Europe/Berlin"
        assert sent.at == datetime(2026, 3, 29, 9, 59, tzinfo=UTC).timestamp()  # in summer by then


async def test_a_contact_alone_is_asked_about_by_their_newest_cart(town: Town) -> None:
    await town.fill_cart(EMAIL)
    await town.pass_by(20 * MINUTE)
    newest = await town.fill_cart(EMAIL, quantity=1)
    await town.pass_by(10 * MINUTE)
    assert (await ask(town, email=f" {EMAIL}\n")).cart == newest


async def test_an_order_is_asked_about_by_its_number_or_its_buyer(tmp_path: Path) -> None:
    skill = "skills: {post-purchase: {enabled: true, templates: [111, 112]}}\n"
    async with town_with(tmp_path, skill) as town:
        await town.buy(await town.fill_cart(EMAIL))
        await town.pass_by(20 * MINUTE)
        by_contact = await ask(town, "post-purchase", email=EMAIL)
        assert by_contact.trial.waits is not None
        assert by_contact.subject is not None
        by_order = await ask(town, "post-purchase", order=by_contact.subject.id)
        assert acts(by_order) == acts(by_contact)
        other = await ask(town, "order-notifications", order=by_contact.subject.id)
        assert (other.trial.event, other.trial.why, other.trial.waits) == ("order_placed", "", None)
        assert other.notes == ("order-notifications is off: so it would be if it were on",)
        changed = await ask(
            town, "order-notifications", order=by_contact.subject.id, event="order_status_changed"
        )
        assert changed.trial.why == "not so: status: shipped, cancelled"


async def test_a_product_is_asked_about_for_a_contact(town: Town) -> None:
    product = next(p["id"] for p in town.shop.store.products if town._sold(p))
    await town.pass_by(10 * MINUTE)
    answer = await ask(town, "back-in-stock", product=product, email=EMAIL)
    assert (answer.trial.event, answer.trial.why, len(answer.trial.moments)) == ("back_in_stock", "", 1)


async def test_the_clock_is_foretold_to_the_minute(tmp_path: Path) -> None:
    async with town_with(tmp_path, CLOCK) as town:
        await town.pass_by(20 * MINUTE)
        assert (await ask(town, "win-back", email=EMAIL)).trial.why == NEVER
        await town.buy(await town.fill_cart(EMAIL))
        await town.pass_by(20 * MINUTE)
        answer = await ask(town, "win-back", email=EMAIL)
        assert (answer.trial.event, answer.trial.why) == ("", "")
        assert [template for template, _ in acts(answer)] == [151, 152]
        assert 3 * DAY - HOUR < answer.trial.at - town.clock.now() < 4 * DAY
        await town.pass_by(answer.trial.at - town.clock.now() - MINUTE, step=HOUR)
        assert await town.mails(EMAIL) == []
        await town.pass_by(10 * MINUTE)
        assert [mail["template"] for mail in await town.mails(EMAIL)] == [151]
        await town.pass_by(8 * DAY, step=HOUR)
        assert (await ask(town, "win-back", email=EMAIL)).trial.why == EARLIER


async def test_what_the_machine_would_not_hear_of_begins_nothing(tmp_path: Path) -> None:
    async with town_with(tmp_path, CART + "cart: {min_value: 100000}\n") as town:
        uuid = await town.fill_cart(EMAIL)
        assert (
            await ask(town, cart=uuid)
        ).trial.why == "the cart is worth less than `cart.min_value`, 100000"
        answer = await ask(town, cart=uuid, event="cart_recovered")
        assert answer.trial.why == "`cart_recovered` ends it"


async def test_who_asked_to_be_forgotten_is_left_alone(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    async with wiring_in(town) as wiring, wiring.ledger.begin() as tx:
        await erasure.remember_wish(tx, [NAME], wiring.ledger.secret.person(EMAIL), 1.0)
    answer = await ask(town, cart=uuid)
    assert (answer.trial.why, answer.trial.moments) == (FORGOTTEN, ())


async def test_a_guest_without_an_address_is_tried_as_if_they_gave_one(town: Town) -> None:
    await town.pass_by(10 * MINUTE)
    uuid = await town.fill_cart("")
    with pytest.raises(Usage, match="nobody knows whose cart that is"):
        await ask(town, cart=uuid)
    assert len(acts(await ask(town, cart=uuid, email=EMAIL))) == 3


GONE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("skill", "question", "said"),
    [
        ("abandoned-cart", {}, "nobody was named"),
        ("abandoned-cart", {"cart": GONE}, "there is no such cart in the store"),
        ("abandoned-cart", {"cart": "mine"}, "--cart is no UUID"),
        ("abandoned-cart", {"cart": GONE, "order": 1}, "one thing at a time"),
        ("abandoned-cart", {"order": 1}, "there is no such order in the store"),
        ("abandoned-cart", {"email": "nobody@example.com"}, "neither Tajo nor Brevo knows that contact"),
        ("abandoned-cart", {"email": "no address"}, "that is no e-mail address"),
        ("abandoned-cart", {"email": EMAIL}, "`cart_abandoned` is about a cart, and none of theirs is known"),
        ("post-purchase", {"email": EMAIL}, "name it: --order ID"),
        ("back-in-stock", {"email": EMAIL}, "name it: --product ID"),
        ("welcome-series", {"email": EMAIL}, "`customer_created` is about an account"),
    ],
)
async def test_what_cannot_be_asked_is_said_without_personal_data(
    town: Town, skill: str, question: dict[str, Any], said: str
) -> None:
    await town.pass_by(10 * MINUTE)
    with pytest.raises(Usage) as caught:
        await ask(town, skill, **question)
    assert said in str(caught.value)
    assert "@" not in str(caught.value).replace("name@example.com", "")


async def test_what_contradicts_itself_is_refused(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    with pytest.raises(Usage, match="somebody else's than --contact") as caught:
        await ask(town, cart=uuid, email="eve@example.com")
    assert "@" not in str(caught.value)
    with pytest.raises(Usage, match="nothing that happens to the cart begins post-purchase"):
        await ask(town, "post-purchase", cart=uuid)
    with pytest.raises(Usage, match="`order_placed` happens to no cart"):
        await ask(town, "order-notifications", cart=uuid, event="order_placed")


async def test_looking_changes_nothing(town: Town) -> None:
    running, fresh = await town.fill_cart(EMAIL), ""
    await town.pass_by(3 * HOUR)
    fresh = await town.fill_cart("eve@example.com")
    contacts = (await town.brevo.client.get("http://brevo.test/_sandbox/contacts")).text
    async with wiring_in(town) as wiring:
        before = await everything(wiring.ledger)
        for uuid in (running, fresh):
            await try_skill(
                wiring, NAME, wiring.settings.skills.skills["abandoned-cart"], Question(cart=uuid)
            )
        assert await everything(wiring.ledger) == before
        assert "post-purchase" not in [
            skill.name for skill in wiring.settings.skills.skills.values() if skill.enabled
        ]
    assert (await town.brevo.client.get("http://brevo.test/_sandbox/contacts")).text == contacts
    assert len(await town.mails(EMAIL)) == 1


# --- the command


@pytest.fixture
def in_town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The commands meet a town where one cart was left behind; its UUID is told."""
    told: dict[str, str] = {}
    monkeypatch.chdir(tmp_path)

    def with_wiring(_: Path | None, verb: Callable[[Wiring], Awaitable[int]]) -> int:
        async def inside() -> int:
            async with town_with(tmp_path, CART) as town:
                told["cart"] = await town.fill_cart(EMAIL)
                await town.pass_by(3 * HOUR)
                async with wiring_in(town) as wiring:
                    return await verb(wiring)

        return asyncio.run(inside())

    monkeypatch.setattr(sys.modules["tajo.cli.skills"], "with_wiring", with_wiring)
    (tmp_path / "tajo.yaml").write_text(
        "brevo: {api_key: k}\nconnectors: {bigcommerce: {store_hash: a, access_token: t}}\n"
    )
    return told


def test_the_command_tells_it_in_lines(
    in_town: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{EMAIL}\n"))
    assert run(["skills", "test", "abandoned-cart", "--contact", "-"]) == 0
    out, err = capsys.readouterr()
    head, seen, stands, *steps = out.splitlines()
    assert head == f"bigcommerce, cart {in_town['cart']}"
    assert (
        seen == "a contact in Brevo, consent granted, 0 orders worth 0.00, 1 marketing messages in 24 hours"
    )
    assert "runs since" in stands
    assert "step 2 is due" in stands
    assert [step.partition("  ")[2] for step in steps] == [
        "step 2: send-email, template 102, “Your cart is waiting”, 10 % off",
        "step 3: send-email, template 103, “Last chance - items selling fast”, 15 % off",
    ]
    assert err == "Nothing was sent.\n"
    assert EMAIL not in out


def test_the_command_tells_it_as_one_object(
    in_town: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["skills", "test", "abandoned-cart", "--contact", EMAIL, "--connector", NAME, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["connector"], told["cart"], told["begins"]) == (NAME, in_town["cart"], False)
    assert told["waiting"]["step"] == 2
    assert [step["decision"] for step in told["steps"]] == ["act", "act"]
    assert told["seen"] == {
        "exists": True,
        "unsubscribed": False,
        "consent": "granted",
        "orders_count": 0,
        "total_spent": 0.0,
        "sent_today": 1,
    }


@pytest.mark.usefixtures("in_town")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cart", GONE], "there is no such cart in the store"),
        (["--contact", EMAIL, "--connector", "other"], "there is no connector `other`"),
        (["--cart", GONE, "--guest"], "--guest is of the sample, --cart of the store"),
        (["--contact", EMAIL, "--cart-total", "5"], "--cart-total is of the sample, --contact of the store"),
        (["--cart", GONE, "--event", "order_placed"], "`order_placed` does not begin abandoned-cart"),
        (["--connector", "other"], "there is no connector `other`"),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "test", "abandoned-cart", *words]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, EMAIL in err) == ("", False)
