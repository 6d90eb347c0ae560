"""Checks of the Brevo account: its door, eCommerce, attributes, lists, what is left of the hour's calls."""

from __future__ import annotations

from collections.abc import Sequence

from tajo.brevo import SwitchedOff
from tajo.brevo.account import find_lists, plan_words
from tajo.brevo.attributes import TYPE_OF_KIND, Attributes
from tajo.doctor.report import Finding, fine, many, mend, note, some
from tajo.doctor.visit import Visit, knock
from tajo.sync.mapping import NAMED, Rule

CHOICES = frozenset({"category", "multiple-choice"})
ANY = frozenset({"text", "float", "date", "boolean"}) | CHOICES

# The types whose attributes take every value of that kind, and those that take it, but bluntly.
FITS = {
    "text": (frozenset({"text"}) | CHOICES, frozenset[str]()),
    "number": (frozenset({"float"}), frozenset({"text"})),
    "date": (frozenset({"date"}), frozenset({"text"})),
    "phone": (frozenset({"text"}), frozenset[str]()),
}
OWN_FIELD = (ANY, frozenset[str]())  # the merchant's own fields are text that may well be a date or a number

# The names that an account made in another language has for FIRSTNAME and LASTNAME.
NAMES = (("PRENOM", "NOM"), ("VORNAME", "NACHNAME"), ("NOMBRE", "APELLIDOS"), ("NOME", "COGNOME"))

FEW = 20  # calls: a sync takes a handful, and one for each of its imports, batches and polls


async def key(visit: Visit) -> Sequence[Finding]:
    """Who are we? Also one of the hundred calls an hour."""
    plan = await knock(
        "Brevo", visit.whole.brevo.api_url, "https://status.brevo.com", plan_words(visit.brevo)
    )
    return [fine("Brevo accepts the API key" + (f" (plan: {plan})." if plan else "."))]


async def ecommerce(visit: Visit) -> Sequence[Finding]:
    """Orders and products need it, and amounts are shown in its one currency. It is not switched on here."""
    try:
        shown = await visit.brevo.display_currency()
    except SwitchedOff:
        return [
            mend(
                "eCommerce is not activated in Brevo: orders and products would be refused.",
                "activate it in Brevo, or run `tajo sync`, which does; either takes Brevo about 5 minutes",
            )
        ]
    own = visit.shop.currency
    if shown and own and shown != own:
        return [
            note(
                f"Brevo shows all amounts in {shown}, but those of the store are in {own}.",
                f"choose {own} as the currency of eCommerce in Brevo; amounts are sent as they are, in {own}",
            )
        ]
    return [fine(f"eCommerce is activated in Brevo, with amounts in {shown or 'its own currency'}.")]


async def attributes(visit: Visit) -> Sequence[Finding]:
    """Are they there, and of a type that takes what the mapping sends?"""
    items = await visit.brevo.attributes()
    known, mapping = Attributes.read(items), visit.rules.mapping
    visit.attribute_names = frozenset(str(item.get("name", "")).upper() for item in items)
    findings = [finding for rule in mapping if (finding := _misfit(rule, known.of(rule).type))]
    if missing := known.missing(mapping):
        told = ", ".join(f"{name} ({kind})" for name, kind in missing.items())
        findings.append(
            note(f"Brevo lacks the contact attributes {told}.", "nothing; the first sync creates them")
        )
    return findings or [fine(f"All {many(len(mapping), 'contact attribute')} of the mapping are in Brevo.")]


def _misfit(rule: Rule, found: str) -> Finding | None:
    """What is wrong with filling an attribute of the type `found` by this rule; None: nothing."""
    fits, bluntly = OWN_FIELD if rule.path.startswith(NAMED) else FITS[rule.kind]
    if found in fits:
        return None
    name, wanted = rule.attribute, TYPE_OF_KIND[rule.kind]
    anew = f"Brevo cannot change a type: delete {name} there and let a sync create it as {wanted}"
    if found in bluntly:
        return note(
            f"The attribute {name} is {found} in Brevo, but `{rule.path}` is a {rule.kind}: it is written, "
            "but segments cannot compare or sort it.",
            f"{anew}, or leave it as it is",
        )
    return mend(
        f"The attribute {name} is {found} in Brevo, but `{rule.path}` needs {wanted}: it would stay empty.",
        f"{anew}, or map `{rule.path}` to another attribute in `customer_mapping`",
    )


async def names(visit: Visit) -> Sequence[Finding]:
    """In which language was the account made? Templates greet by its own attributes."""
    have = visit.attribute_names
    wanted = {rule.path: rule.attribute for rule in visit.rules.mapping}
    for first, last in NAMES:
        own = {"first_name": first, "last_name": last}
        usual = {"first_name": "FIRSTNAME", "last_name": "LASTNAME"}
        lines = [
            f"{path}: {name}"
            for path, name in own.items()
            if wanted.get(path) == usual[path] and usual[path] not in have
        ]
        if lines and {first, last} <= have:
            return [
                note(
                    f"This Brevo account has {first} and {last} for names, not FIRSTNAME and LASTNAME.",
                    f"write in `customer_mapping`: {' and '.join(f'`{line}`' for line in lines)}; otherwise "
                    "a sync creates FIRSTNAME and LASTNAME beside them",
                )
            ]
    return []


async def lists(visit: Visit) -> Sequence[Finding]:
    """A list by number must exist; one by name is created."""
    wanted = visit.rules.every_list()
    found, met = await find_lists(visit.brevo, wanted)
    numbers = [want for want in wanted if isinstance(want, int) and want not in found]
    words = [want for want in wanted if isinstance(want, str) and want not in found]
    findings = []
    if numbers:
        there = ", ".join(met[:20]) + (", …" if len(met) > 20 else "") if met else "none at all"
        findings.append(
            mend(
                f"Brevo has no list with the number {', '.join(map(str, numbers))}; it has {there}.",
                "correct `lists` in the configuration, or write a name instead: such a list is created",
            )
        )
    if words:
        findings.append(note(f"Brevo lacks the lists {some(words)}.", "nothing; the first sync creates them"))
    return findings or [fine(f"All {many(len(wanted), 'list')} of the configuration are in Brevo.")]


async def limits(visit: Visit) -> Sequence[Finding]:
    """What is left of the smallest limit, which imports, batches and their results share?"""
    left = visit.brevo.limits.headroom("GET /account")
    if left >= FEW:
        return []
    return [
        note(
            f"Brevo takes only {many(left, 'more call')} this hour on the routes of its smallest limit.",
            "nothing: a sync waits for the next hour. If it is always so, another program uses the account: "
            "give Tajo more room, or ask Brevo for higher limits",
        )
    ]
