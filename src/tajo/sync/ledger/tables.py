"""What is remembered, table by table. Every row belongs to one connector, but for those of our own people.

Ids, keyed hashes, amounts and moments only: no shopper's name, address or e-mail in clear, and no token.
Amounts are whole ten-thousandths of the currency, moments are seconds since 1970, `person` is the keyed hash
of a lower-case e-mail, `phone` of an E.164 number.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)


class Octets(LargeBinary):
    """Bytes as the drivers take and give them: both know `bytes`, and converting costs time per value."""

    cache_ok = True

    def bind_processor(self, dialect: object) -> None:
        """None: the value goes as it is."""

    def result_processor(self, dialect: object, coltype: object) -> None:
        """None: the value comes as it is."""


metadata = MetaData()

#: In SQLite the rows lie in the order of their key, instead of beside an index of it.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


def _table(name: str, *columns: Column[Any], index: tuple[str, ...] = ()) -> Table:
    """A table whose rows belong to a connector, with one index per named column."""
    return Table(
        name,
        metadata,
        Column("connector", String(64), primary_key=True),
        *columns,
        *(Index(f"{name}_by_{column}", "connector", column) for column in index),
        **_CLUSTERED,
    )


def _id(name: str = "id") -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _resource() -> Column[str]:
    return Column("resource", String(16), primary_key=True)


#: One row per connector: since when it is live, and by which rules it last wrote everything.
connectors = _table(
    "connectors",
    Column("live_since", Double, nullable=False),
    Column("rules", String(64), nullable=False),
)

#: What Brevo was told of a category, product, variant or order. `parent`: a variant's product.
#: `fingerprint` is empty while nobody knows what Brevo holds; `unsettled_at`: when a write left that may
#: still take effect.
known = _table(
    "known",
    _resource(),
    _id(),
    Column("fingerprint", Octets, nullable=False),
    Column("read_at", Double, nullable=False),
    Column("parent", BigInteger),
    Column("unsettled_at", Double),
)

#: The little that is worth remembering of an order. `amount` and `refunded` in the default currency.
#: `placed`: it has been in a status that means so; `archived`: no list need show it any more (both null:
#: written by a version that did not ask).
orders = _table(
    "orders",
    _id(),
    Column("customer_id", BigInteger, nullable=False),
    Column("person", Octets, nullable=False),
    Column("storefront", Integer, nullable=False),
    Column("status_id", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("placed_at", Double, nullable=False),
    Column("read_at", Double, nullable=False),
    Column("modified_at", Double),
    Column("placed", Boolean),
    Column("archived", Boolean),
    index=("customer_id", "person"),
)

#: Money given back; `amount` in the currency in which the order was paid.
refunds = _table(
    "refunds",
    _id(),
    Column("order_id", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    index=("order_id",),
)

#: Which accounts are which person.
customers = _table(
    "customers",
    _id(),
    Column("person", Octets, nullable=False),
    Column("storefront", Integer, nullable=False),
    Column("modified_at", Double, nullable=False),
    Column("read_at", Double, nullable=False),
    index=("person",),
)

#: What the shop knows of a person's wish, per newsletter record. `withheld_at`: when it was last known not to
#: hold a consent to marketing mail.
subscribers = _table(
    "subscribers",
    _id(),
    Column("person", Octets, nullable=False),
    Column("storefront", Integer, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("carts_granted", Boolean),
    Column("read_at", Double, nullable=False),
    Column("withheld_at", Double),
    index=("person",),
)

#: What Brevo was told of a person. `contact_id`: Brevo's id, when known. `present`: it is there.
#: `left_at`: when the store was known to hold no consent of theirs, after they had left in Brevo.
contacts = Table(
    "contacts",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("person", Octets, primary_key=True),
    Column("contact_id", BigInteger),
    Column("fingerprint", Octets),
    Column("told", String(16)),
    Column("blocked_by_us", Boolean, nullable=False),
    Column("present", Boolean, nullable=False),
    Column("met_at", Double),
    Column("abandoned", Boolean),
    Column("left_at", Double),
    **_CLUSTERED,
)

#: Who holds a phone number: it may stand on one contact only, or Brevo fuses the two.
phones = Table(
    "phones",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("phone", Octets, primary_key=True),
    Column("person", Octets, nullable=False),
    Index("phones_by_person", "connector", "person"),
    **_CLUSTERED,
)

#: People without an account whose contact is still to be written, sealed until it is delivered.
guests = Table(
    "guests",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("person", Octets, primary_key=True),
    Column("resource", String(16), nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("sealed", Octets, nullable=False),
    Column("read_at", Double, nullable=False),
    Index("guests_by_key", "connector", "resource", "id"),
    **_CLUSTERED,
)

#: What is rendered and waits to be told, sealed: contacts (`name`: the person) and events (`name`: which).
#: It goes when the destination has answered, and not before `at`. `lane`: what may travel together,
#: null: each alone. `blocked`, `granted`: by this write of a contact, or one whose place it took, it may be
#: blocklisted by us, or told as one who agreed. `leaves`: the person whose contact it renames.
#: `abandoned`: by it, or one whose place it took, the contact may be on the list of carts left behind.
outgoing = Table(
    "outgoing",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("resource", String(16), primary_key=True),
    Column("name", Octets, primary_key=True),
    Column("lane", Text),
    Column("size", Integer, nullable=False),
    Column("fingerprint", Octets, nullable=False),
    Column("sealed", Octets, nullable=False),
    Column("at", Double, nullable=False),
    Column("blocked", Boolean),
    Column("granted", Boolean),
    Column("leaves", Octets),
    Column("abandoned", Boolean),
    Index("outgoing_by_lane", "connector", "resource", "lane"),
    Index(
        "outgoing_leaving",
        "connector",
        "leaves",
        sqlite_where=text("leaves IS NOT NULL"),
        postgresql_where=text("leaves IS NOT NULL"),
    ),
    **_CLUSTERED,
)

#: The stock of products and variants as it was last seen; null: not tracked.
stocks = _table(
    "stocks",
    _resource(),
    _id(),
    Column("stock", Integer),
    Column("read_at", Double, nullable=False),
)

#: Where a product is shown, for events that name it: the path of its page, and a picture.
goods = _table(
    "goods",
    _id(),
    Column("path", Text, nullable=False),
    Column("image", Text, nullable=False),
)

#: Carts, which can only be looked at by a UUID that somebody told us. `sealed`: as it was last seen.
#: `state`: open, abandoned, vanished (nobody knows yet why), bought or gone; returned and missing are open
#: and vanished of what had been abandoned.
carts = _table(
    "carts",
    _id(),
    Column("uuid", String(36), nullable=False),
    Column("person", Octets, nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("updated_at", Double),
    Column("read_at", Double, nullable=False),
    Column("sealed", Octets),
    index=("person",),
)

#: Which products lie in carts that may still be bought, and in which form (0: in its only one).
cart_lines = _table(
    "cart_lines",
    _id("cart"),
    _id("product"),
    _id("variant"),
    index=("product",),
)

#: Carts that were made anew when somebody followed a recovery link. `origin`: the cart that the link is of;
#: with the same id: a click after which the store itself made one that we do not know.
recoveries = _table(
    "recoveries",
    _id(),
    Column("origin", BigInteger, nullable=False),
    Column("clicked_at", Double, nullable=False),
    index=("origin",),
)

#: The price of products and variants as it was last seen.
prices = _table(
    "prices",
    _resource(),
    _id(),
    Column("price", BigInteger, nullable=False),
    Column("read_at", Double, nullable=False),
)

#: Who wishes to be told when a product, or one variant of it (0: any), is back in stock. `sealed`: the
#: e-mail; `handed_on`: the destination was told of the wish, whatever it answered.
wishes = Table(
    "wishes",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("person", Octets, primary_key=True),
    _id("product"),
    _id("variant"),
    Column("sealed", Octets, nullable=False),
    Column("at", Double, nullable=False),
    Column("handed_on", Boolean, nullable=False),
    *(Index(f"wishes_by_{column}", "connector", column) for column in ("product", "at", "handed_on")),
    **_CLUSTERED,
)

#: People whose account or newsletter record was deleted in the store, and who have no other.
departed = Table(
    "departed",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("person", Octets, primary_key=True),
    Column("at", Double, nullable=False),
    **_CLUSTERED,
)

#: Per scope of webhooks: how many came, the newest moment at which one happened, and when it came.
heard = _table(
    "heard",
    Column("scope", String(128), primary_key=True),
    Column("notices", BigInteger, nullable=False),
    Column("happened_at", Double, nullable=False),
    Column("heard_at", Double, nullable=False),
)

#: Under this name a wish to be forgotten stands for every connector that is still to come.
OTHERS = "*"

#: People who asked to be forgotten. No sync brings them back.
forgotten = Table(
    "forgotten",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("person", Octets, primary_key=True),
    Column("at", Double, nullable=False),
    **_CLUSTERED,
)

#: What is worth counting over the days, such as records healed that no webhook announced.
tallies = _table(
    "tallies",
    Column("name", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last", Double, nullable=False),
)

#: What is to be looked at (again), and not before `at`. `denied_at`: when a look did not find it that was not
#: believed, for too much was missing with it.
due = _table(
    "due",
    _resource(),
    _id(),
    Column("queued_at", Double, nullable=False),
    Column("at", Double, nullable=False),
    Column("denied_at", Double),
)

#: What could not be delivered, and why. `fingerprint`: the payload that was refused; null: it came to none.
#: `dismissed_at`: when a human saw it and left it as it is.
parked = _table(
    "parked",
    _resource(),
    _id(),
    Column("reason", Text, nullable=False),
    Column("fingerprint", Octets),
    Column("since", Double, nullable=False),
    Column("last", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("dismissed_at", Double),
)

#: How far each resource has been read. `since`: from when the next incremental sweep must read.
cursors = _table(
    "cursors",
    Column("resource", String(16), primary_key=True),
    Column("since", Double),
    Column("run", String(32)),
    Column("started_at", Double),
    Column("position", Text, nullable=False),
    Column("done", Boolean, nullable=False),
)

#: The account of each sync. `state`: running, done or abandoned; `scope`: its resources;
#: `rules`: the fingerprint of what it mapped by; `account`: JSON.
runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("connector", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("scope", Text, nullable=False),
    Column("rules", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("account", Text, nullable=False),
    Index("runs_by_connector", "connector", "started_at"),
    **_CLUSTERED,
)

#: Facts of the ledger itself, such as the proof that the secret key is the one it was made with.
facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Octets, nullable=False),
    **_CLUSTERED,
)

#: Sequences of skills that wait for their next step. `sealed`: whose they are, and what began them.
sequences = Table(
    "sequences",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("skill", String(64), primary_key=True),
    Column("resource", String(16), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Octets, primary_key=True),
    Column("occasion", String(64), primary_key=True),
    Column("step", Integer, nullable=False),
    Column("began", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("event", String(64), nullable=False),
    Column("sealed", Octets, nullable=False),
    Index("sequences_due", "connector", "due"),
    Index("sequences_by_person", "connector", "person"),
    **_CLUSTERED,
)

#: When a skill that goes by the clock last selected people.
rounds = Table(
    "rounds",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("skill", String(64), primary_key=True),
    Column("at", Double, nullable=False),
    **_CLUSTERED,
)

#: What was done in them. `name`: which step of which; `state`: begun, or done.
deeds = Table(
    "deeds",
    metadata,
    Column("name", Octets, primary_key=True),
    Column("connector", String(64), nullable=False),
    Column("skill", String(64), nullable=False),
    Column("resource", String(16), nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("person", Octets, nullable=False),
    Column("step", Integer, nullable=False),
    Column("verb", String(32), nullable=False),
    Column("variant", String(64), nullable=False),
    Column("marketing", Boolean, nullable=False),
    Column("at", Double, nullable=False),
    Column("state", String(8), nullable=False),
    Index("deeds_by_person", "person", "at"),
    **_CLUSTERED,
)

#: Stores that were connected at run time, with their credentials sealed.
connections = Table(
    "connections",
    metadata,
    Column("connector", String(64), primary_key=True),
    Column("sealed", Octets, nullable=False),
    Column("at", Double, nullable=False),
    **_CLUSTERED,
)

#: Keys of programs. `id`: for people; `digest`: SHA-256 of the key itself, which is not kept.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("digest", Octets, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("used_at", Double),
    Column("revoked_at", Double),
    Index("api_keys_by_digest", "digest", unique=True),
    **_CLUSTERED,
)

#: People who may sign in. `password`: its argon2id hash with all parameters.
users = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("password", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    **_CLUSTERED,
)

#: Who is signed in. `digest`: SHA-256 of what their cookie holds.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Octets, primary_key=True),
    Column("user", String(64), nullable=False),
    Column("began_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    **_CLUSTERED,
)

#: What people and programs did, without personal data.
doings = Table(
    "doings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("who", String(128), nullable=False),
    Column("verb", String(64), nullable=False),
    Column("about", String(128), nullable=False),
    Column("outcome", String(128), nullable=False),
)
