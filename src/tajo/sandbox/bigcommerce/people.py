"""Invented people and places: the word lists of the generated store, and how people write a phone number.

Every e-mail domain is reserved (RFC 2606): nothing sent to a generated address can reach anybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple

from .shapes import Record


class Place(NamedTuple):
    """A town; `postal` is a pattern, `dial` the dialling code, `digits` the length of a number."""

    city: str
    state: str
    country: str
    iso2: str
    postal: str
    dial: str
    digits: int
    locale: str


PLACES: Final = (
    Place("Austin", "Texas", "United States", "US", "787##", "1", 10, "en"),
    Place("Portland", "Oregon", "United States", "US", "972##", "1", 10, "en"),
    Place("Brooklyn", "New York", "United States", "US", "112##", "1", 10, "en-US"),
    Place("Toronto", "Ontario", "Canada", "CA", "M5V #A#", "1", 10, "en"),
    Place("Montréal", "Québec", "Canada", "CA", "H2X #B#", "1", 10, "fr-CA"),
    Place("Leeds", "West Yorkshire", "United Kingdom", "GB", "LS# #AB", "44", 10, "en-GB"),
    Place("Berlin", "Berlin", "Germany", "DE", "104##", "49", 11, "de"),
    Place("Köln", "Nordrhein-Westfalen", "Germany", "DE", "506##", "49", 11, "de"),
    Place("Lyon", "Auvergne-Rhône-Alpes", "France", "FR", "6900#", "33", 9, "fr"),
    Place("Kraków", "Małopolskie", "Poland", "PL", "31-0##", "48", 9, "pl"),
    Place("Madrid", "Madrid", "Spain", "ES", "280##", "34", 9, "es"),
    Place("Sydney", "New South Wales", "Australia", "AU", "20##", "61", 9, "en-AU"),
    Place("大阪市", "大阪府", "Japan", "JP", "530-00##", "81", 10, "ja"),
    Place("Cork", "County Cork", "Ireland", "IE", "T12 ##A#", "353", 9, "en"),
)

FIRST: Final = (
    *(
        "Anna",
        "Ben",
        "Chloë",
        "David",
        "Elif",
        "Frédéric",
        "Grace",
        "Hiroshi",
        "Inés",
        "Jürgen",
        "Katarzyna",
        "Liam",
    ),
    *(
        "Mei",
        "Noah",
        "Olga",
        "Pierre",
        "Quinn",
        "Rosa",
        "Siân",
        "Tomás",
        "Uma",
        "Victor",
        "Wanda",
        "Xavier",
        "Yusuf",
    ),
    *(
        "Zoë",
        "Aoife",
        "Björn",
        "Carmen",
        "Dmitri",
        "Emma",
        "Fatima",
        "George",
        "Hannah",
        "Ivan",
        "José",
        "Kevin",
    ),
    *(
        "Łucja",
        "Maria",
        "Nils",
        "Oliver",
        "Priya",
        "Ravi",
        "Sofia",
        "Thérèse",
        "Ursula",
        "Vera",
        "William",
        "さくら",
    ),
)
LAST: Final = (
    *(
        "Smith",
        "Müller",
        "García",
        "O'Brien",
        "Nowak",
        "Dubois",
        "Tanaka",
        "Jones",
        "Kowalska",
        "Schäfer",
        "Martin",
    ),
    *(
        "Taylor",
        "Hughes",
        "López",
        "van der Berg",
        "Johansson",
        "Rossi",
        "Brown",
        "Wilson",
        "Novák",
        "Silva",
        "Kim",
    ),
    *(
        "Patel",
        "Chen",
        "Nguyễn",
        "Walker",
        "Núñez",
        "Fischer",
        "Lefèvre",
        "Murphy",
        "Clark",
        "Żak",
        "Øster",
        "Weber",
    ),
    *(
        "Sánchez",
        "Evans",
        "Bianchi",
        "Petrov",
        "Öztürk",
        "Hall",
        "Moreau",
        "Keller",
        "Santos",
        "Green",
        "山本",
        "Scott",
    ),
)
STREETS: Final = (
    "High Street",
    "Main Street",
    "Mill Lane",
    "Station Road",
    "Park Avenue",
    "Church Lane",
    "Rua Nova",
)
COMPANIES: Final = (
    "",
    "",
    "",
    "",
    "",
    "",
    "Laser Ltd",
    "Blue & Sons",
    "Ümlaut GmbH",
    "ACME <Retail>",
    'The "Shop"',
)
DOMAINS: Final = (
    "example.com",
    "example.org",
    "example.net",
    "mail.example",
    "post.example",
    "shop.example.org",
)
BAD_EMAILS: Final = (
    "",
    "not-an-email",
    "someone@",
    "@example.com",
    "a b@example.com",
    "x@@example.org",
    "n/a",
    "a@b",
)


def slug(name: str) -> str:
    """The ASCII letters of a name in lower case: `Frédéric` -> `frederic`; `x` when nothing is left."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(c for c in folded if c.isalnum()) or "x"


FIRST_SLUGS: Final = tuple(slug(name) for name in FIRST)
LAST_SLUGS: Final = tuple(slug(name) for name in LAST)


def postal_code(place: Place, h: int) -> str:
    """A postal code of the place: each `#` of its pattern becomes a digit."""
    text = place.postal
    while "#" in text:
        h, digit = divmod(h, 10)
        text = text.replace("#", str(digit), 1)
    return text


JUNK: Final = ("-", "n/a", "12345", "please e-mail", "0000000000", "+")
STYLES: Final[tuple[Callable[[str, str], str], ...]] = (  # of (dialling code, national number)
    lambda dial, n: "",
    lambda dial, n: "",
    lambda dial, n: f"+{dial}{n}",
    lambda dial, n: f"+{dial}{n}",
    lambda dial, n: f"+{dial} {n[:3]} {n[3:6]} {n[6:]}",
    lambda dial, n: f"00{dial} {n}",
    lambda dial, n: f"({n[:3]}) {n[3:6]}-{n[6:]}",
    lambda dial, n: f"{n[:3]}.{n[3:6]}.{n[6:]} ext. {n[:2]}",
    lambda dial, n: f"+{dial} (0){n}",
    lambda dial, n: n if dial == "1" else f"0{n}",
    lambda dial, n: JUNK[int(n[-1]) % len(JUNK)],
    lambda dial, n: f"0{n[:4]}/{n[4:]}",
)


def phone(place: Place, h: int) -> str:
    """A phone number as this person would type it, or none (one in six)."""
    h, style = divmod(h, len(STYLES))
    number = str(h % 10**place.digits).rjust(place.digits, "2")
    if number[0] in "01":
        number = "2" + number[1:]
    return STYLES[style](place.dial, number)


def address(person: tuple[str, str, Place], h: int) -> Record:
    """The fields of a V3 customer address that follow from who lives there."""
    first, last, place = person
    h, number = divmod(h, 240)
    h, street = divmod(h, len(STREETS))
    h, company = divmod(h, len(COMPANIES))
    return {
        "first_name": first,
        "last_name": last,
        "company": COMPANIES[company],
        "address1": f"{number + 1} {STREETS[street]}",
        "address2": "" if h % 4 else f"Apt. {h % 97}",
        "city": place.city,
        "state_or_province": place.state,
        "postal_code": postal_code(place, h),
        "country": place.country,
        "country_code": place.iso2,
        "address_type": "commercial" if COMPANIES[company] else "residential",
    }


def billing(person: tuple[str, str, Place], h: int, email: str, number: str) -> Record:
    """The same person as the billing address of a V2 order."""
    a = address(person, h)
    return {
        "first_name": a["first_name"],
        "last_name": a["last_name"],
        "company": a["company"],
        "street_1": a["address1"],
        "street_2": a["address2"],
        "city": a["city"],
        "state": a["state_or_province"],
        "zip": a["postal_code"],
        "country": a["country"],
        "country_iso2": a["country_code"],
        "phone": number,
        "email": email,
        "form_fields": [],
    }
