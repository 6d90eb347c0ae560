"""Getting an account ready: its attributes, its lists, its eCommerce. Called once per `open`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from tajo.brevo.api import LIST_PAGE, Api, Rejected, SwitchedOff
from tajo.brevo.attributes import Attributes
from tajo.brevo.rules import ListName, Rules
from tajo.errors import Mend
from tajo.http import Lost

FOLDER = "Tajo"
TRIES = 8


async def plan_words(api: Api) -> str:
    """The plans of the account, e.g. `free, sms`; also the test of the API key."""
    plans = (await api.account()).get("plan")
    types = [str(plan.get("type", "")) for plan in plans or () if isinstance(plan, dict)]
    return ", ".join(dict.fromkeys(filter(None, types)))


async def ready_attributes(api: Api, rules: Rules, *, create: bool) -> tuple[Attributes, list[str]]:
    """The account's attributes, those that the mapping needs created first.

    An import drops unknown attributes without a word (SDK). Raises `Mend` if one cannot be created.
    """
    attributes = Attributes.read(await api.attributes())
    missing = attributes.missing(rules.mapping)
    if missing and not create:
        return attributes, [f"Brevo lacks the contact attributes {', '.join(missing)}; a sync creates them"]
    for name, kind in missing.items():
        try:
            await api.create_attribute(name, kind)
        except Rejected as error:
            if name not in Attributes.read(await api.attributes()).missing(rules.mapping):
                continue  # it is there after all: an answer got lost, or somebody else was faster
            raise Mend(
                f"the contact attribute {name} cannot be created in Brevo ({error})",
                "create it there (Contacts > Settings > Contact attributes) or change `customer_mapping`",
            ) from None
    made = ", ".join(f"{name} ({kind})" for name, kind in missing.items())
    return attributes, [f"created the contact attributes {made}"] if made else []


async def find_lists(api: Api, wanted: Sequence[ListName]) -> tuple[dict[ListName, int], list[str]]:
    """The ids of those lists that exist, and all lists that were met on the way as `<id> <name>`."""
    ids: dict[ListName, int] = {}
    names: list[str] = []
    async for item in _all(api.lists):
        number, name = int(item["id"]), str(item.get("name", ""))
        names.append(f"{number} {name}")
        for want in wanted:
            if want == number or (isinstance(want, str) and want.casefold() == name.casefold()):
                ids.setdefault(want, number)
        if len(ids) == len(wanted):
            break
    return ids, names


async def ready_lists(api: Api, rules: Rules, *, create: bool) -> tuple[dict[ListName, int], list[str]]:
    """The id of every list that the rules name; missing ones are created in the folder `Tajo`.

    Raises `Mend` for an id that does not exist.
    """
    wanted = rules.every_list()
    ids, names = await find_lists(api, wanted)
    for want in wanted:
        if isinstance(want, int) and want not in ids:
            raise Mend(
                f"there is no list with the id {want} in Brevo (there is: {', '.join(names[:20]) or 'none'})",
                "correct `lists` in the configuration, or use a name instead: such a list is created",
            )
    missing = [want for want in wanted if isinstance(want, str) and want not in ids]
    if not missing:
        return ids, []
    told = ", ".join(missing)
    if not create:
        return ids, [f"Brevo lacks the lists {told}; a sync creates them"]
    folder = await _folder(api)
    for want in missing:
        ids[want] = await _made(partial(api.create_list, want, folder), partial(_find_list, api, want))
    return ids, [f"created the lists {told} in the folder {FOLDER}"]


async def _folder(api: Api) -> int:
    return await _find_folder(api) or await _made(
        partial(api.create_folder, FOLDER), partial(_find_folder, api)
    )


async def _find_folder(api: Api) -> int | None:
    async for item in _all(api.folders):
        if item.get("name") == FOLDER:
            return int(item["id"])
    return None


async def _find_list(api: Api, name: str) -> int | None:
    return (await find_lists(api, [name]))[0].get(name)


async def _made(make: Callable[[], Awaitable[int]], find: Callable[[], Awaitable[int | None]]) -> int:
    """The id of what is made; after a lost answer it is looked for before it is made again."""
    for _ in range(TRIES):
        try:
            return await make()
        except Lost:
            if found := await find():
                return found
    return await make()


async def ready_ecommerce(api: Api, currency: str, *, create: bool) -> list[str]:
    """See that eCommerce is on, else activate it; say so if Brevo shows another currency than we send."""
    try:
        shown = await api.display_currency()
    except SwitchedOff:
        if not create:
            return ["eCommerce is not activated in Brevo; a sync activates it"]
        await api.activate_ecommerce()
        return ["activated eCommerce in Brevo; until that is done, in about 5 minutes, orders may be refused"]
    if shown and currency and shown != currency:
        return [f"Brevo shows all amounts in {shown}, but those of the store are in {currency}"]
    return []


async def _all(read: Callable[[int], Awaitable[list[dict[str, Any]]]]) -> AsyncIterator[dict[str, Any]]:
    """The items of all pages."""
    offset = 0
    while page := await read(offset):
        for item in page:
            yield item
        if len(page) < LIST_PAGE:
            return
        offset += LIST_PAGE
