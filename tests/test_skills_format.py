"""The files of skills: what may stand in them, and what is said of each mistake."""

# ruff: noqa: E501 - a mistake and its message read best side by side
from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.errors import Usage
from tajo.skills import settled, shelf
from tajo.skills.conditions import Facts, condition
from tajo.skills.cron import cron
from tajo.skills.format import read
from tajo.skills.model import CONNECTOR_SKILLS, Kind
from tajo.skills.templates import render
from tajo.sync.model import Cart, CartLine, Metrics, Order

SHIPPED = shelf()

HEAD = """\
---
name: mine
version: "1.0.0"
description: Does something.
category: integrations
triggers:
  - event: order_placed
actions:
  - brevo/add-to-list: {list: Buyers}
"""


def folder(tmp_path: Path, text: str, name: str = "mine.md") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Usage) as caught:
        shelf(folder(tmp_path, text))
    assert caught.value.exit_code == 2
    return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]


# The shipped ones


def test_ten_skills_are_shipped() -> None:
    assert [*SHIPPED.skills] == [
        "abandoned-cart",
        "back-in-stock",
        "customer-sync",
        "event-tracking",
        "order-notifications",
        "order-sync",
        "post-purchase",
        "product-sync",
        "welcome-series",
        "win-back",
    ]


@pytest.mark.parametrize("skill", SHIPPED.skills.values(), ids=lambda skill: skill.name)
def test_a_shipped_skill_is_off_until_its_templates_are_named(skill) -> None:
    assert skill.enabled == (skill.name in CONNECTOR_SKILLS)
    assert (skill.steps == ()) == skill.enabled
    assert skill.body.startswith("# ")
    assert {*skill.related} <= {*SHIPPED.skills}
    if not skill.enabled:
        _, wrong = settled(SHIPPED, {skill.name: {"enabled": True}})
        assert len(wrong) == len(skill.steps)
        assert all("`template_id` is missing" in text for _, text in wrong)
        ids = list(range(1, len(skill.steps) + 1))
        found, wrong = settled(SHIPPED, {skill.name: {"enabled": True, "templates": ids}})
        assert wrong == []
        assert [step.params["template_id"] for step in found.skills[skill.name].steps] == ids


def test_the_abandoned_cart_is_the_documented_one() -> None:
    skill = SHIPPED.skills["abandoned-cart"]
    assert [(step.delay, step.discount, step.discount_seconds) for step in skill.steps] == [
        (3600, 0, 0),
        (86400, 10, 0),
        (172800, 15, 86400),
    ]
    assert skill.stop_on == {"cart_recovered", "order_placed", "unsubscribe"}
    assert {kind: (one.first, one.threshold) for kind, one in skill.timing.items()} == {
        Kind.VIP: (1800, 0),
        Kind.NEW: (7200, 50),
        Kind.REPEAT: (3600, 100),
    }


# A folder of one's own


def test_a_file_of_ones_own_is_a_skill_among_the_others(tmp_path: Path) -> None:
    found = shelf(folder(tmp_path, HEAD + "enabled: true\n---\n\nWords.\n"))
    mine = found.skills["mine"]
    assert len(found.skills) == 11
    assert (mine.enabled, mine.actions, mine.body) == (True, ("add-to-list",), "Words.\n")
    assert [(step.verb, step.params) for step in mine.steps] == [("add-to-list", {"list": "Buyers"})]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("triggerz: []", "10: triggerz: unknown key; did you mean `triggers`?"),
        ("status: stabel", "10: status: is unknown; did you mean `stable`?"),
        ("featured: maybe", "10: featured: must be `true` or `false`"),
        ("permissions: contacts:write", "10: permissions: must be a list, each item behind a `-`"),
        ("brevoEndpoints: [/v3/contacts]", "10: brevoEndpoints[0]: must be such as `POST /v3/contacts`"),
        ("sequence:\n  - delay: 1w", "11: sequence[0].delay: must be a time span such as `30m`, `1h` or `2d`"),
        ("sequence:\n  - action: brevo/send-mail", "11: sequence[0].action: is no action; did you mean `brevo/send-email`?"),
        ("sequence:\n  - condition: x", "11: sequence[0].condition: unknown key; did you mean `conditions`?"),
        ("sequence: [{include_discount: true}]", "10: sequence[0]: `include_discount` needs `discount_percent`; add it"),
        ("sequence: [{discount_percent: 0}]", "10: sequence[0].discount_percent: must be a whole number from 1 to 100"),
        ("sequence: [{params: {a: ['{{ user.name }}']}}]", "10: sequence[0].params: `{{ user.name }}` is never known; did you mean `customer`?"),
        ("sequence: [{subject: '{{ 1 + 1 }}'}]", "10: sequence[0].subject: holds a `{{` that is no name; write `{{ contact.FIRSTNAME }}`"),
        ("enabled: true\nsequence: [{subject: x}]", "11: sequence[0]: `template_id` is missing; create it in Brevo, then `templates: [101, …]` names one for each message"),
        ("templates: [1]", "10: templates: names 1 templates for 0 messages; name one for each"),
        ("stop_on: [order_plced]", "10: stop_on[0]: is unknown; did you mean `order_placed`?"),
        ("stop_on: [order_placed, customer_deleted]", "10: stop_on[1]: skills never hear of it: the connector lets such people go (`delete_behavior`); leave it out"),
        ("quiet_hours: 21-8", '10: quiet_hours: must be two times of day in quotes, such as `"21:00-08:00"`'),
        ('quiet_hours: "21:00-21:00"', '10: quiet_hours: must be two times of day in quotes, such as `"21:00-08:00"`'),
        ("timezone: Europe/Atlantis", "10: timezone: must be a time zone such as `Europe/Berlin`"),
        ("timing: {vips: {first_email: 1h}}", "10: timing.vips: unknown key; known here: `vip_customers`, `new_customers`, `repeat_customers`"),
        ('vip: {total_spent: "> lots"}', "10: vip.total_spent: must be a number such as `25` or `25.50`"),
        ("ab_testing: {variants: [{name: a}]}", "10: ab_testing.variants[0].weight: is missing; add it"),
        ("ab_testing: {variants: [{name: a, weight: 1}, {name: a, weight: 2}]}", "10: ab_testing.variants: two of them have one name; give each its own"),
        ("detection: {min_cart_value: 25}", "10: detection.min_cart_value: is another spelling of the connector's `cart.min_value`; keep one of the two"),
        ("name: mine", "10: bad YAML: while constructing a mapping; look at quotes, colons and indentation"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_told_with_its_line_and_its_mend(tmp_path: Path, more: str, said: str) -> None:
    found = mistakes(tmp_path, f"{HEAD}{more}\n---\n")
    assert len(found) == 1
    if "bad YAML" in said:
        assert found[0].startswith("mine.md:10: bad YAML: ")
    else:
        assert found == [f"mine.md:{said}"]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ("{event: order_place}", "7: triggers[0].event: is unknown; did you mean `order_placed`?"),
        ("{event: order_placed, schedule: '0 9 * * *'}", "7: triggers[0]: needs one of `event` and `schedule`, and not both"),
        ("{event: customer_deleted}", "7: triggers[0].event: skills never hear of it: the connector lets such people go (`delete_behavior`); leave it out"),
        ("{debounce: 5m}", "7: triggers[0]: needs one of `event` and `schedule`, and not both"),
        ("{schedule: '0 9 * * *'}", '6: triggers: a schedule selects people by their last order; add a condition `days_since_order: ">= 90"`'),
        ("{schedule: '0 9 * *'}", '7: triggers[0].schedule: must be a cron expression of five fields, such as `"0 9 * * *"`'),
        ("{schedule: '0 9 31 2 *'}", "7: triggers[0].schedule: never comes: none of these months has such a day"),
        ("{event: order_placed, conditions: [{order_totel: '> 5'}]}", "7: triggers[0].conditions[0].order_totel: unknown condition; did you mean `order_total`?"),
        ("{event: order_placed, conditions: [{time_since_activity: '> 30'}]}", "7: triggers[0].conditions[0].time_since_activity: must be a time span such as `30m`, `1h` or `2d`"),
        ("{event: order_placed, conditions: [{status: '> shipped'}]}", "7: triggers[0].conditions[0].status: cannot be compared with `>`; write a value, a list of values, or `!=`"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_trigger(tmp_path: Path, trigger: str, said: str) -> None:
    text = HEAD.replace("- event: order_placed", f"- {trigger}") + "---\n"
    assert mistakes(tmp_path, text) == [f"mine.md:{said}"]


def test_the_skill_that_lets_people_go_names_their_deletion() -> None:
    assert "customer_deleted" in [trigger.event for trigger in SHIPPED.skills["customer-sync"].triggers]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    folder(tmp_path, "no frontmatter", "a.md")
    folder(tmp_path, "---\nname: Mine\n---\n", "b.md")
    folder(tmp_path, HEAD.replace("name: mine", "name: win-back") + "---\n", "c.md")
    assert mistakes(tmp_path, HEAD.replace("mine", "x y").replace("add-to-list: {list: Buyers}", "send-fax") + "---\n") == [
        "a.md:1: must begin with `---`, the frontmatter and another `---`",
        "b.md:2: actions: is missing; add it",
        "b.md:2: category: is missing; add it",
        "b.md:2: description: is missing; add it",
        "b.md:2: name: must be a name of small letters, digits and hyphens",
        "b.md:2: triggers: is missing; add it",
        "b.md:2: version: is missing; add it",
        "c.md: name: `win-back` is the skill of win-back.md too; choose another",
        "mine.md:2: name: must be a name of small letters, digits and hyphens",
        "mine.md:9: actions[0]: is no action; did you mean `brevo/send-email`?",
    ]  # fmt: skip


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1h", "> 5", "brevo/send-email"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["name", "triggers", "actions", "sequence", "timing", "ab_testing", "variants", "vip", "event", "conditions", "templates", "detection", "options"]),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(TREES)
def test_whatever_stands_there_is_read_or_told(tree: object) -> None:
    skill, wrong = read(tree)
    assert (skill is None) == bool(wrong)


# Conditions, templates, schedules


CART = Cart(id=1, uuid="u", total=Decimal(60), lines=(CartLine(name="a", quantity=2, price=Decimal(30)),))
ORDER = Order(
    id=1,
    customer_id=5,
    status_id=2,
    status="Shipped",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    total=Decimal(9),
)


@pytest.mark.parametrize(
    ("field", "value", "holds"),
    [
        ("cart_value", "> 50", True),
        ("cart_value", ">60", False),
        ("cart_value", "60", True),
        ("cart_value", "!= 60.00", False),
        ("items_count", ">= 2", True),
        ("guest", "yes", True),
        ("guest", False, False),
        ("orders_count", 3, True),
        ("total_spent", "<= 100", True),
        ("days_since_order", ">= 90", True),
        ("days_since_order", "> 91", False),
        ("order_total", "> 0", False),
        ("order_total", "!= 5", True),
        ("event", "cart_abandoned", True),
        ("storefront", [1, 2], True),
    ],
)
def test_a_condition_holds_or_not(field: str, value: object, holds: bool) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    bought = Metrics(
        orders_count=3, total_spent=Decimal(100), last_order_date=datetime(2026, 3, 3, tzinfo=UTC)
    )
    facts = Facts(now=now.timestamp(), event="cart_abandoned", subject=CART, metrics=bought)
    assert condition(field, value).holds(facts) is holds


@pytest.mark.parametrize("status", ["shipped", "Shipped", "2", 2, ["completed", "shipped"], "!= completed"])
def test_a_status_answers_to_its_name_and_its_number(status: object) -> None:
    assert condition("status", status).holds(Facts(now=0.0, subject=ORDER))


def test_a_template_fills_names_in_and_keeps_the_type_of_one_alone() -> None:
    data = {"contact": {"FIRSTNAME": "Ada"}, "cart": {"total": 60.0, "items": [{"name": "Mug"}]}}
    assert (
        render("{{ contact.FIRSTNAME }}: {{cart.total}} {{ cart.items.0.name }}{{ contact.NOBODY }}", data)
        == "Ada: 60.00 Mug"
    )
    assert render({"a": ["{{ cart.total }}", 3]}, data) == {"a": [60.0, 3]}


@pytest.mark.parametrize(
    ("written", "zone", "after", "comes"),
    [
        ("0 9 * * *", "UTC", "2026-01-01T09:00", "2026-01-02T09:00"),
        ("*/15 * * * *", "UTC", "2026-01-01T09:01", "2026-01-01T09:15"),
        ("30 8 * * mon-fri", "UTC", "2026-01-02T09:00", "2026-01-05T08:30"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 13 * 5", "UTC", "2026-02-14T00:00", "2026-02-20T00:00"),
        ("0 0 1 jan,jul 7", "UTC", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T03:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T02:30"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T02:30", "2026-10-26T02:30"),
    ],
)
def test_a_schedule_comes_when_the_wall_says_so(written: str, zone: str, after: str, comes: str) -> None:
    there = ZoneInfo(zone)
    moment = datetime.fromisoformat(after).replace(tzinfo=there).timestamp()
    found = datetime.fromtimestamp(cron(written).after(moment, there), there)
    assert f"{found:%Y-%m-%dT%H:%M}" == comes


@given(st.integers(1_700_000_000, 1_900_000_000))
def test_a_schedule_comes_every_day_once_whatever_the_clock_does(start: int) -> None:
    zone, nightly = ZoneInfo("America/New_York"), cron("30 2 * * *")
    first = nightly.after(start, zone)
    second = nightly.after(first, zone)
    days = [datetime.fromtimestamp(at, zone).date().toordinal() for at in (first, second)]
    assert start < first < second
    assert days[1] == days[0] + 1
