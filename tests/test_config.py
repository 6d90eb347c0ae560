"""Settings: what may be written, what the environment fills in, and one message for each mistake."""

# ruff: noqa: E501 - a mistake and its message read best side by side
import re
import textwrap
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tajo.config import EXAMPLE, Settings, load
from tajo.config.model import DEFAULT_MAPPING
from tajo.errors import Usage

ROOT = Path(__file__).parents[1]
TOKEN = "sekret-7f3a"
ENV = {
    "BREVO_API_KEY": "brevo-key",
    "BC_STORE_HASH": "abc",
    "BC_ACCESS_TOKEN": TOKEN,
    "BC_CLIENT_ID": "client",
}
STORE = "connectors: {bigcommerce: {store_hash: abc, access_token: t}}\nbrevo: {api_key: k}\n"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, env: Mapping[str, str] | None = None) -> Settings:
    Path("tajo.yaml").write_text(text, encoding="utf-8")
    return load(None, env or {})


def mistakes(text: str, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(Usage) as caught:
        read(text, env)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


# What may be written


def test_three_lines_are_enough() -> None:
    shop = read(STORE).connectors["bigcommerce"]
    assert (shop.type, shop.enabled, shop.store_hash) == ("bigcommerce", True, "abc")
    assert shop.access_token.get_secret_value() == "t"
    assert shop.api_url == "https://api.bigcommerce.com"
    assert (shop.sync.carts, shop.sync.inventory, shop.consent) == (True, False, "blocklist")
    assert shop.order_statuses.counted == {2, 3, 7, 8, 9, 10, 11, 12, 13, 14}
    assert shop.order_statuses.placed == {2, 3, 7, 8, 9, 10, 11, 12}
    assert (shop.cart.abandoned_after, shop.cart.min_value) == (timedelta(hours=1), 0)
    assert (shop.sync_mode, shop.delete_behavior, shop.webhooks) == ("hybrid", "soft", ())
    assert (shop.reconcile_every, shop.full_sync_at) == (timedelta(minutes=15), time(3))
    assert (shop.left_to_others, shop.signatures) == (20, "auto")


SEED = """\
connectors:
  bigcommerce:
    enabled: true
    store_hash: "your-store-hash"
    access_token: "your-access-token"
    client_id: "your-client-id"

    # Data sync options
    sync:
      customers: true
      orders: true
      products: true
      carts: true
      inventory: false

    # Brevo list assignment
    lists:
      all_customers: 40
      buyers: 41
      abandoned_cart: 42

customer_mapping:
  email: email
  first_name: FIRSTNAME
  phone: SMS
  addresses[0].state: STATE
  customer_group_id: CUSTOMER_GROUP

webhooks:
  - scope: "store/cart/abandoned"
    destination: "cart_abandoned"
  - scope: "store/inventory/updated"
    destination: "inventory_changed"
"""


def test_the_blocks_of_the_documentation_work_as_they_stand() -> None:
    shop = read(SEED, {"BREVO_API_KEY": "k"}).connectors["bigcommerce"]
    assert (shop.lists.all_customers, shop.lists.buyers, shop.lists.subscribers) == (40, 41, None)
    assert [(rule.path, rule.attribute, rule.kind) for rule in shop.rules] == [
        ("first_name", "FIRSTNAME", "text"),
        ("phone", "SMS", "phone"),
        ("addresses[0].state", "STATE", "text"),
        ("customer_group_id", "CUSTOMER_GROUP", "text"),
    ]
    assert [hook.destination for hook in shop.webhooks] == ["cart_abandoned", "inventory_changed"]


def test_everything_at_once() -> None:
    text = """\
    brevo: {api_key: k, api_url: http://localhost:9/v3/, plan: extended}
    api_key: mine
    database_url: postgresql://tajo:pw@db/tajo
    server: {public_url: https://tajo.example.com/, host: 0.0.0.0, port: 80}
    skills: {abandoned-cart: {enabled: true, templates: [1, "2", 3], timezone: "${ZONE}", vip: ~}}
    connectors:
      eu:
        type: bigcommerce
        store_hash: abc
        access_token: t
        client_secret: s
        api_url: http://127.0.0.1:8
        lists: {all_customers: Everyone, buyers: "41"}
        storefronts: {1: {lists: [3, Dutch], url: https://nl.example.com}}
        consent: skip
        order_statuses: {counted: [10, 2], placed: [2]}
        cart: {abandoned_after: 30m, min_value: 25.50}
        messages: {daily_cap: 1, quiet_hours: "21:00-8:00", timezone: Europe/Berlin, sms_sender: Shop}
        custom_fields: {VAT number: VAT, Birthday: BIRTHDAY}
        sync_mode: batch
        delete_behavior: hard
        signatures: strict
        reconcile_every: 90s
        full_sync_at: "4:30"
        left_to_others: 0
        webhooks: [{scope: store/inventory/updated, destination: stock, contact: stock@shop.example}]
    """
    found = read(text, {"ZONE": "Europe/Berlin"})
    assert (found.brevo.api_url, found.brevo.plan) == ("http://localhost:9/v3", "extended")
    assert found.server.public_url == "https://tajo.example.com"
    cart = found.skills.skills["abandoned-cart"]
    assert (cart.enabled, cart.timezone, len(cart.vip)) == (True, "Europe/Berlin", 1)
    assert [step.params["template_id"] for step in cart.steps] == [1, 2, 3]
    shop = found.connectors["eu"]
    assert (shop.lists.all_customers, shop.lists.buyers) == ("Everyone", 41)
    assert shop.storefronts[1].lists == (3, "Dutch")
    assert shop.order_statuses.counted == {2, 10}
    assert shop.cart.min_value == Decimal("25.50")
    assert (shop.messages.daily_cap, str(shop.messages.quiet_hours)) == (1, "21:00-08:00")
    assert (shop.messages.timezone, shop.messages.sms_sender) == ("Europe/Berlin", "Shop")
    assert (shop.signatures, shop.left_to_others) == ("strict", 0)
    assert (shop.reconcile_every, shop.full_sync_at) == (timedelta(seconds=90), time(4, 30))
    assert [hook.contact for hook in shop.webhooks] == ["stock@shop.example"]
    assert [(rule.path, rule.attribute) for rule in shop.rules][-2:] == [
        ("custom_fields.VAT number", "VAT"),
        ("custom_fields.Birthday", "BIRTHDAY"),
    ]


def test_options_of_skills_are_other_spellings_of_settings() -> None:
    text = """\
    skills:
      customer-sync:
        enabled: true
        source: bigcommerce
        field_mapping: {email: email, firstName: VORNAME}
        options: {sync_mode: realtime, delete_behavior: hard, list_id: 5}
      order-sync: {enabled: false}
      abandoned-cart:
        detection: {inactivity_threshold: 30m, min_cart_value: 25, exclude_logged_out: true}
    sync: {customers: true}
    """
    found = read(STORE + textwrap.dedent(text))
    shop = found.connectors["bigcommerce"]
    assert (shop.sync_mode, shop.delete_behavior, shop.lists.all_customers) == ("realtime", "hard", 5)
    assert (shop.sync.customers, shop.sync.orders) == (True, False)
    assert (shop.cart.abandoned_after, shop.cart.min_value) == (timedelta(minutes=30), 25)
    assert [rule.attribute for rule in shop.rules] == ["VORNAME"]
    assert found.skills.skills["abandoned-cart"].guests is False


def test_a_mistake_in_a_moved_option_is_told_where_it_was_written() -> None:
    text = STORE + "skills:\n  customer-sync:\n    options:\n      sync_mode: sometimes\n"
    assert mistakes(text) == [
        "tajo.yaml:6: skills.customer-sync.options.sync_mode: must be one of `realtime`, `batch`, `hybrid`"
    ]


def test_a_folder_of_ones_own_adds_skills() -> None:
    Path("mine").mkdir()
    skill = (
        "---\nname: thanks\nversion: 1.0.0\ndescription: Says thanks.\ncategory: integrations\n"
        "triggers: [{event: order_placed}]\nactions: [{brevo/add-to-list: {list: 7}}]\n---\nWords.\n"
    )
    Path("mine/thanks.md").write_text(skill)
    found = read(STORE + "skills_folder: mine\nskills: {thanks: {enabled: true}}").skills.skills
    assert found["thanks"].enabled
    assert len(found) == 11
    broken = skill.replace("order_placed", "order_plced").replace("1.0.0", "one")
    Path("mine/thanks.md").write_text(broken)
    assert mistakes(STORE + "skills_folder: mine\nskills: {thanks: {enabled: true}, win-back: 3}\n") == [
        'tajo.yaml:3: skills_folder: mine/thanks.md:3: version: must be a version in quotes, such as `"1.0.0"`',
        "tajo.yaml:3: skills_folder: mine/thanks.md:6: triggers[0].event: is unknown; did you mean `order_placed`?",
        "tajo.yaml:4: skills.win-back: must be a block of keys, such as `enabled: true`",
    ]


def test_the_default_mapping_is_the_documented_one_and_more_metrics() -> None:
    rules = {rule.path: rule.attribute for rule in read(STORE).connectors["bigcommerce"].rules}
    assert rules == {path: name for path, name in DEFAULT_MAPPING.items() if path != "email"}
    assert {"FIRST_ORDER_DATE", "LAST_ORDER_DATE", "AVERAGE_ORDER_VALUE", "ORDER_COUNT"} <= {*rules.values()}


def test_top_level_keys_are_the_defaults_of_every_connector() -> None:
    text = """\
    type: bigcommerce
    brevo: {api_key: k}
    sync: {carts: false, orders: false}
    consent: ignore
    lists: {buyers: 41}
    customer_mapping: {first_name: NAME, company: FIRM}
    connectors:
      eu: {store_hash: a, access_token: t}
      us: {store_hash: b, access_token: t, consent: skip, sync: {orders: true}, customer_mapping: {phone: SMS}}
    """
    eu, us = read(text).connectors.values()
    assert (eu.consent, eu.sync.carts, eu.sync.orders, eu.lists.buyers) == ("ignore", False, False, 41)
    assert (us.consent, us.sync.carts, us.sync.orders, us.lists.buyers) == ("skip", False, True, 41)
    assert [rule.attribute for rule in eu.rules] == ["NAME", "FIRM"]
    assert [rule.attribute for rule in us.rules] == ["SMS"]


@pytest.mark.parametrize("where", ["", "connectors: {bigcommerce: {field_mapping: {lastName: LAST}}}\n"])
def test_the_other_spelling_of_the_mapping(where: str) -> None:
    shop = read(where + "field_mapping: {email: email, firstName: FIRST}", ENV).connectors["bigcommerce"]
    assert [(rule.path, rule.attribute) for rule in shop.rules] == (
        [("last_name", "LAST")] if where else [("first_name", "FIRST")]
    )


def test_a_key_without_a_value_is_left_out() -> None:
    shop = read("connectors:\n  bigcommerce:\nlists:\nconsent:\nbrevo:\n", ENV).connectors["bigcommerce"]
    assert shop.consent == "blocklist"
    assert len(shop.rules) == len(DEFAULT_MAPPING) - 1


def test_settings_are_frozen_and_show_no_secret() -> None:
    found = read(STORE + "api_key: mine-77\ndatabase_url: postgresql://u:hidden-1@h/d", ENV)
    for words in (repr(found), str(found), f"{found.connectors}"):
        assert not any(secret in words for secret in ("mine-77", "hidden-1", "'k'", "'t'"))
    with pytest.raises(ValidationError):
        found.brevo = found.brevo


# The file and the environment


def test_the_file_named_goes_before_the_variable_before_the_usual_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(STORE.replace("abc", name), encoding="utf-8")
    Path("tajo.yaml").write_text(STORE, encoding="utf-8")
    env = {"TAJO_CONFIG": str(tmp_path / "two.yaml")}
    assert load(Path("one.yaml"), env).connectors["bigcommerce"].store_hash == "one"
    assert load(None, env).connectors["bigcommerce"].store_hash == "two"
    assert load(None, {}).connectors["bigcommerce"].store_hash == "abc"


def test_no_file_is_fine_when_the_environment_gives_enough() -> None:
    env = ENV | {
        "BC_CLIENT_SECRET": "s",
        "TAJO_API_KEY": "mine",
        "TAJO_BIGCOMMERCE_API_URL": "http://127.0.0.1:1",
        "TAJO_BREVO_API_URL": "http://[::1]:2/v3",
        "TAJO_DATABASE_URL": "sqlite:////tmp/x.db",
    }
    found = load(None, env)
    shop = found.connectors["bigcommerce"]
    assert found.api_key and found.api_key.get_secret_value() == "mine"
    assert (found.brevo.api_url, found.database_url) == ("http://[::1]:2/v3", "sqlite:////tmp/x.db")
    assert (shop.store_hash, shop.client_id, shop.api_url) == ("abc", "client", "http://127.0.0.1:1")
    assert shop.client_secret and shop.client_secret.get_secret_value() == "s"


def test_the_environment_fills_only_what_the_file_leaves_out() -> None:
    found = read("brevo: {api_key: of-file}\nconnectors: {bigcommerce: {store_hash: of-file}}", ENV)
    assert found.brevo.api_key.get_secret_value() == "of-file"
    shop = found.connectors["bigcommerce"]
    assert (shop.store_hash, shop.access_token.get_secret_value()) == ("of-file", TOKEN)


def test_the_environment_fills_the_only_connector_whatever_its_name() -> None:
    assert read("connectors: {shop: {type: bigcommerce}}", ENV).connectors["shop"].store_hash == "abc"


def test_of_several_connectors_the_environment_fills_the_one_named_bigcommerce() -> None:
    other = "us: {type: bigcommerce, store_hash: us, access_token: own}"
    found = read(f"connectors: {{{other}, bigcommerce: {{}}}}", ENV)
    assert [shop.store_hash for shop in found.connectors.values()] == ["us", "abc"]


def test_variables_are_put_into_text() -> None:
    text = (
        "brevo: {api_key: '${KEY}'}\nconsent: ${EMPTY:-skip}\nserver: {port: '${PORT}', host: '1.${TWO}.$3'}"
    )
    found = read(text, {"KEY": "k", "EMPTY": "", "PORT": "81", "TWO": "2"})
    assert (found.server.port, found.server.host) == (81, "1.2.$3")


# Mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lits: {}", "1: lits: unknown key; did you mean `lists`?"),
        ("store_hash: x", "1: store_hash: unknown key; it belongs to a connector: `connectors.bigcommerce.store_hash`"),
        ("sync:\n  order: true", "2: sync.order: unknown key; did you mean `orders`?"),
        (
            "connectors:\n  bigcommerce:\n    sync:\n      order: true",
            "4: connectors.bigcommerce.sync.order: unknown key; did you mean `orders`?",
        ),
        ("cart: {xyz: 1}", "1: cart.xyz: unknown key; known here: `abandoned_after`, `min_value`, `brevo_events`"),
        ("cart: {min_value:25}", "1: cart.min_value: unknown key; put a blank after the colon"),
        ("storefronts: {1: {urll: x}}", "1: storefronts.1.urll: unknown key; did you mean `url`?"),
        ("storefronts: {nl: {}}", f"1: storefronts.nl: must be a whole number from 1 to {2**53}"),
        ("\nsync: true", "2: sync: must be a block of keys, each on a line of its own and indented below it"),
        ("sync: {carts: 1}", "1: sync.carts: must be `true` or `false`"),
        ("sync: {carts: yes}", "1: sync.carts: must be `true` or `false`"),
        ("lists: {buyers: true}", "1: lists.buyers: must be the number of a Brevo list, or its name"),
        ("lists: {buyers: 0}", "1: lists.buyers: must be the number of a Brevo list, or its name"),
        ("server: {port: 99999}", "1: server.port: must be a whole number from 1 to 65535"),
        ("server: {host: 1}", "1: server.host: must be text; put it in quotes"),
        ("consent: skipp", "1: consent: must be one of `blocklist`, `skip`, `ignore`; did you mean `skip`?"),
        ("order_statuses: {counted: 2}", "1: order_statuses.counted: must be a list, such as `[1, 2]`"),
        ("order_statuses:\n  placed:\n  - 2\n  - 15", "4: order_statuses.placed[1]: must be a whole number from 0 to 14"),
        ("cart: {abandoned_after: 60}", "1: cart.abandoned_after: must be a time span such as `90s`, `30m`, `1h` or `2d`"),
        ("reconcile_every: 15", "1: reconcile_every: must be a time span such as `90s`, `30m`, `1h` or `2d`"),
        ("full_sync_at: 24:00", '1: full_sync_at: must be a time of day in quotes, such as `"03:00"`'),
        ("full_sync_at: 3", '1: full_sync_at: must be a time of day in quotes, such as `"03:00"`'),
        ("left_to_others: 91", "1: left_to_others: must be a whole number from 0 to 90"),
        ("signatures: strickt", "1: signatures: must be one of `auto`, `strict`; did you mean `strict`?"),
        ("webhooks: [{scope: store/x, destination: y, contact: 7}]", "1: webhooks[0].contact: must be text; put it in quotes"),
        ("cart: {min_value: .nan}", "1: cart.min_value: must be an amount such as `25` or `25.50`"),
        ("cart: {min_value: -1}", "1: cart.min_value: must be an amount such as `25` or `25.50`"),
        ("webhooks: [{scope: store/x}]", "1: webhooks[0].destination: is missing; add it"),
        ("webhooks: [{scope: x, destination: y}]", "1: webhooks[0].scope: must be a scope such as `store/order/created`"),
        ("webhooks: [{scope: store/x, destination: a b}]", "1: webhooks[0].destination: must be an event name: letters, digits, - and _"),
        (
            "customer_mapping:\n  adresses[0].city: CITY",
            "2: customer_mapping.adresses[0].city: unknown path `adresses[0].city`; did you mean `addresses[0].city`?",
        ),
        (
            "field_mapping:\n  first_name: First name",
            "2: field_mapping.first_name: `First name` is no attribute of Brevo (upper-case letters, digits and _); write `FIRST_NAME`",
        ),
        ("field_mapping: {firstName: ~}", "1: field_mapping.firstName: must be text; put it in quotes"),
        ("field_mapping: {}\ncustomer_mapping: {}", "1: field_mapping: is another name of `customer_mapping`; keep one of them"),
        ("custom_fields: {Phone: SMS}", "1: custom_fields.Phone: fills `SMS`, as `phone` does; keep one of them"),
        ("customer_mapping: {notes: EMAIL}", "1: customer_mapping.notes: would change the contact's e-mail; map it to another attribute"),
        (
            "customer_mapping: {total_spent: SMS}",
            "1: customer_mapping.total_spent: `total_spent` is no phone number; map it to another attribute than `SMS`",
        ),
        ("api_url: http://api.bigcommerce.com", "1: api_url: is `http://`, which would send the keys readably; write `https://`"),
        ("api_url: http://localhost.evil.com", "1: api_url: is `http://`, which would send the keys readably; write `https://`"),
        ("api_url: http://127.0.0.1@evil.com", "1: api_url: must be an address such as `https://api.example.com`"),
        ("api_url: ftp://x", "1: api_url: must be an address such as `https://api.example.com`"),
        ("api_url: https://[", "1: api_url: must be an address such as `https://api.example.com`"),
        ("api_url: https://x?y", "1: api_url: must end with the path; leave out what follows `?` or `#`"),
        ("database_url: mysql://x", "1: database_url: must be `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`"),
        ("consent: skip\nconsent: skip", "2: consent: stands here twice, first on line 1; keep one"),
        ("skills:\n  x: ${NOPE}", "2: skills.x: the variable NOPE is not set; set it, or write `${NOPE:-default}`"),
        ("skills:\n  x: ${NO PE}", "2: skills.x: has a `${` that is neither `${NAME}` nor `${NAME:-default}`"),
        ("skills: {x: !env y}", "1: skills.x: has a YAML tag that is not known here; leave `!…` out"),
        ("skills: []", "1: skills: must be a block of keys, each on a line of its own and indented below it"),
        ("skills: {abandoned-card: {}}", "1: skills.abandoned-card: unknown skill; did you mean `abandoned-cart`?"),
        ("skills: {win-back: true}", "1: skills.win-back: must be a block of keys, such as `enabled: true`"),
        ("skills:\n  win-back:\n    name: x", "3: skills.win-back.name: says which skill this is; leave it as it is"),
        (
            "skills:\n  win-back:\n    triggers:\n    - schedule: 0 9 * * *\n      conditions:\n      - days_since_orders: '> 5'",
            "6: skills.win-back.triggers[0].conditions[0].days_since_orders: unknown condition; did you mean `days_since_order`?",
        ),
        (
            "sync_mode: batch\nskills:\n  customer-sync: {options: {sync_mode: realtime}}",
            "3: skills.customer-sync.options.sync_mode: is another spelling of the connector's `sync_mode`; keep one of the two",
        ),
        (
            "cart: {abandoned_after: 1h}\nskills:\n  abandoned-cart: {detection: {inactivity_threshold: 30m}}",
            "3: skills.abandoned-cart.detection.inactivity_threshold: is another spelling of the connector's `cart.abandoned_after`; keep one of the two",
        ),
        ("skills: {order-sync: {enabled: maybe}}", "1: skills.order-sync.enabled: must be `true` or `false`"),
        ("skills: {event-tracking: {enabled: false}}", "1: skills.event-tracking.enabled: is another spelling of the connector's `webhooks`; keep one of the two"),
        ("skills: {customer-sync: {source: shopify}}", "1: skills.customer-sync.source: is unknown; known here: `bigcommerce`"),
        ("skills_folder: nowhere", "1: skills_folder: nowhere: there is no such folder; create it, or leave `skills_folder` out"),
        ("messages: {daily_cap: 0}", "1: messages.daily_cap: must be a whole number from 1 to 100"),
        ('messages: {quiet_hours: "21-8"}', '1: messages.quiet_hours: must be two times of day in quotes, such as `"21:00-08:00"`'),
        ("messages: {timezone: Berlin}", "1: messages.timezone: must be a time zone such as `Europe/Berlin`"),
        ("skills: {order-notifications: {enabled: true, sequence: [{action: brevo/send-sms, content: Hi}]}}\nmessages: {daily_cap: 2}", "2: messages.sms_sender: is missing, and `order-notifications` would send text messages; add it, or `sender` to the steps"),
        ("skills: {post-purchase: {enabled: true, sequence: [{action: brevo/send-whatsapp, template_id: 5}]}}\nconnectors:\n  bigcommerce: {}", "3: connectors.bigcommerce.messages.whatsapp_sender: is missing, and `post-purchase` would send messages on WhatsApp; add it, or `sender` to the steps"),
        ("storefronts: {1: {language: nl}}", "1: storefronts.1.language: never had an effect; leave it out, and tell contacts of this channel apart by its `lists`"),
        ("skills:\n  ? [a]\n  : b", "2: skills: a key must be one word; write `key: value`"),
        ("connectors: []", "1: connectors: must be a block of keys, each on a line of its own and indented below it"),
        ("connectors: {a b: {store_hash: x, access_token: t, type: bigcommerce}}", "1: connectors.a b: is no name for a connector; use letters, digits, - and _"),
        ("connectors: {shopify: {store_hash: x, access_token: t}}", "1: connectors.shopify.type: only `bigcommerce` is known; write `type: bigcommerce`"),
        ("connectors:\n  bigcommerce: {access_token: ''}", "2: connectors.bigcommerce.access_token: is empty; give it a value or leave the key out"),
        ("connectors: {bigcommerce: {client_id: a b}}", "1: connectors.bigcommerce.client_id: holds a blank or another character that no key has; copy it again"),
        ("connectors: {bigcommerce: {store_hash: 12345}}", "1: connectors.bigcommerce.store_hash: must be text; put it in quotes"),
        ("connectors: {bigcommerce: {store_hash: stores/x}}", "1: connectors.bigcommerce.store_hash: is no store hash; take what follows `/stores/` in the API path, nothing else"),
        ("connectors: {a: {type: bigcommerce, store_hash: x, access_token: t},\n b: {type: bigcommerce, store_hash: x, access_token: t}}", "2: connectors.b.store_hash: is the store of `a` too; keep one of the two"),
        ("- a", "1: must be keys and values, such as `brevo:` and `connectors:`"),
        ("a: 1\nb: [", "2: bad YAML: expected the node content, but found something else; look at quotes, colons and indentation here and just above"),
        ("cart: {min_value: ${X}}", "1: bad YAML: expected ',' or '}', but got '{'; look at quotes, colons and indentation here and just above"),
        ("a: &a [*a]", "1: bad YAML: an anchor holds itself; write it out"),
        ("a: 1\n\nb: \x07", "3: bad YAML: an invisible control character; type the line again"),
        ('a: "\\UFFFFFFFF"', "1: bad YAML: a directive or an escape that cannot be read; look for % and \\"),
        ("[" * 3000, "1: bad YAML: nested too deeply"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_its_mend(text: str, expected: str) -> None:
    assert mistakes(text, ENV) == [f"tajo.yaml:{expected}"]


@pytest.mark.parametrize(
    "rest",
    [
        "messages: {sms_sender: Shop}",
        "connectors: {bigcommerce: {messages: {sms_sender: Shop}}, b: {type: bigcommerce, enabled: false, "
        "store_hash: x, access_token: t}}",
    ],
)
def test_text_messages_are_sent_where_somebody_sends_them(rest: str) -> None:
    step = "{action: brevo/send-sms, content: Hi}"
    text = f"skills: {{order-notifications: {{enabled: true, sequence: [{step}]}}}}\n{rest}"
    assert read(text, ENV).skills.skills["order-notifications"].enabled
    named = "skills: {post-purchase: {enabled: true, sequence: [{action: brevo/send-sms, content: Hi, sender: Me}]}}"
    assert read(named, ENV).skills.skills["post-purchase"].enabled


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
brevo: {api_urll: x}
sync:
  order: true
connectors:
  a: {type: bigcommerce, store_hash: x, access_token: t, lists: 3}
  b: {type: bigcommerce, store_hash: x, consent: maybe}
skills: {x: '${NOPE}'}
"""
    assert mistakes(text) == [
        "tajo.yaml:1: brevo.api_key: is missing; set BREVO_API_KEY in the environment, "
        "or write `api_key: ${BREVO_API_KEY}`",
        "tajo.yaml:1: brevo.api_urll: unknown key; did you mean `api_url`?",
        "tajo.yaml:3: sync.order: unknown key; did you mean `orders`?",
        "tajo.yaml:5: connectors.a.lists: must be a block of keys, each on a line of its own and indented below it",
        "tajo.yaml:6: connectors.b.access_token: is missing; set BC_ACCESS_TOKEN in the environment, "
        "or write `access_token: ${BC_ACCESS_TOKEN}`",
        "tajo.yaml:6: connectors.b.consent: must be one of `blocklist`, `skip`, `ignore`",
        "tajo.yaml:6: connectors.b.store_hash: is the store of `a` too; keep one of the two",
        "tajo.yaml:7: skills.x: the variable NOPE is not set; set it, or write `${NOPE:-default}`",
    ]


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(Usage) as caught:
        load(None, {"TAJO_BREVO_API_URL": "http://evil.example", "BC_STORE_HASH": "abc"})
    assert str(caught.value).splitlines() == [
        "environment: brevo.api_key: is missing; set BREVO_API_KEY in the environment, "
        "or write `api_key: ${BREVO_API_KEY}`",
        "environment: connectors.bigcommerce.access_token: is missing; set BC_ACCESS_TOKEN in the environment, "
        "or write `access_token: ${BC_ACCESS_TOKEN}`",
        "TAJO_BREVO_API_URL: brevo.api_url: is `http://`, which would send the keys readably; write `https://`",
    ]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda file: None, "there is no such file; `tajo init` writes one"),
        (lambda file: file.mkdir(), "cannot be read (Is a directory); check the path and its permissions"),
        (lambda file: file.write_bytes(b"\xff\xfe\xff"), "is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(make, problem: str) -> None:
    file = Path("other.yaml")
    make(file)
    with pytest.raises(Usage) as caught:
        load(file, ENV)
    assert str(caught.value) == f"other.yaml: {problem}"


@pytest.mark.parametrize(
    "text",
    [
        f"brevo: {{api_key:{TOKEN}}}",
        f"brevo: {{api_key: [{TOKEN}]}}",
        f"brevo:\n  api_key:{TOKEN}",
        f"brevo: {{api_key: '{TOKEN} x'}}",
        f"brevo: {{api_key: !{TOKEN} x}}",
        f"brevo: {{api_key: *{TOKEN}}}",
        f"brevo: {{api_key: {TOKEN}, api_key: {TOKEN}}}",
        f"brevo: {{api_key: '{TOKEN}}}",
        f"brevo: {{api_key: @{TOKEN}}}",
        f"brevo: {{api_kee: {TOKEN}, plan: {TOKEN}}}",
        f"brevo: {{api_key: x, api_url: http://{TOKEN}}}",
        f"access_token: {TOKEN}",
        f"database_url: mysql://user:{TOKEN}@host/db",
        f"connectors: {{bigcommerce: {{store_hash: /{TOKEN}, access_token: '{TOKEN}\n'}}}}",
        f"brevo: ${{BREVO_API_KEY}}{TOKEN}${{",
        TOKEN,
    ],
)
def test_no_secret_is_repeated(text: str) -> None:
    try:
        read(text, ENV)
    except Usage as error:
        assert TOKEN not in str(error) + repr(error)


KEYS = (
    "brevo", "connectors", "bigcommerce", "api_key", "sync", "orders", "lists", "customer_mapping", "webhooks",
    "field_mapping", "storefronts", "1", "skills", "cart", "email", "firstName", "store_hash", "type", "scope",
)  # fmt: skip
SCALARS = st.sampled_from(
    [
        "",
        "~",
        "true",
        "1",
        "-1",
        "1.5",
        ".inf",
        "0x1f",
        "0o7",
        "1e999",
        "x",
        "'a b'",
        "'${A}'",
        "'${A:-b}'",
        "'${'",
        "!x y",
        "&a b",
        "*a",
        "2024-01-01",
        "bigcommerce",
        "https://x",
        "1h",
        "EMAIL",
        "<<",
        "\t",
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(KEYS) | SCALARS, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)
FILES = st.lists(st.tuples(st.sampled_from(KEYS), TREES), max_size=6).map(
    lambda pairs: "\n".join(f"{key}: {value}" for key, value in pairs)
)


@given(st.text() | st.text("{}[]:-?&*!|>'\"%@`# \n\tab1$~<=", max_size=60) | FILES)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_loads_or_is_a_usage_error(text: str) -> None:
    Path("tajo.yaml").write_bytes(text.encode("utf-8", "replace"))
    try:
        load(None, ENV)
    except Usage as error:
        for line in str(error).splitlines():
            assert line.startswith(("tajo.yaml:", "BC_", "BREVO_")), line


# The example


def test_the_example_loads_and_is_the_same_in_both_places() -> None:
    shop = read(EXAMPLE, ENV).connectors["bigcommerce"]
    assert {rule.path: rule.attribute for rule in shop.rules}.items() <= DEFAULT_MAPPING.items()
    assert len(shop.rules) == len(DEFAULT_MAPPING) - 1
    assert (ROOT / "tajo.example.yaml").read_text(encoding="utf-8") == EXAMPLE


def test_what_the_example_comments_out_may_be_written_as_it_stands() -> None:
    found = read(re.sub(r"(?m)^( *)# (?=[a-z_]+:|  )", r"\1", EXAMPLE), ENV | {"BC_CLIENT_SECRET": "s"})
    shop = found.connectors["bigcommerce"]
    assert (shop.signatures, shop.reconcile_every) == ("auto", timedelta(minutes=15))
    assert (shop.full_sync_at, shop.left_to_others) == (time(3), 20)
    assert shop.webhooks[-1].contact == "stock@shop.example.com"
    assert shop.custom_fields == {"VAT number": "VAT_NUMBER", "Birthday": "BIRTHDAY"}
    assert shop.storefronts[1].url == "https://shop.example.com"
    assert found.server.public_url == "https://tajo.example.com"


# What the settings name


def test_a_database_url_is_one_that_the_settings_take(database_url: str) -> None:
    assert read(f"{STORE}database_url: {database_url}").database_url == database_url


def test_only_a_store_whose_secret_we_have_can_be_asked_to_sign(tmp_path: Path) -> None:
    file = tmp_path / "tajo.yaml"
    text = "brevo: {{api_key: k}}\nconnectors:\n  shop:\n    type: bigcommerce\n    store_hash: a\n    access_token: t\n{}"
    file.write_text(text.format("    signatures: strict\n"))
    with pytest.raises(Usage) as told:
        load(file, {})
    assert f"{file}:7: connectors.shop.signatures: `strict` needs `client_secret`" in str(told.value)
    file.write_text(text.format("    signatures: strict\n    client_secret: s\n"))
    assert load(file, {}).connectors["shop"].signatures == "strict"
