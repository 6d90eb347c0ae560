"""`/hooks`: whether the store and Brevo call us, and a button that puts it right."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import get, post
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from tajo.answers import HookChanges
from tajo.sync.ledger import counts
from tajo.web.dashboard.errands import sentences
from tajo.web.dashboard.frame import Asked, Page, act, page
from tajo.web.dashboard.house import Flash, InHouse
from tajo.web.dashboard.overview import Named
from tajo.web.dashboard.words import many

FRESH = 30.0
"""Seconds for which what the store said of its webhooks is shown again without asking."""


@get("/hooks")
async def hooks(request: Asked, house: InHouse, connector: FromQuery[str] = "") -> Page:
    """What was heard, and which webhooks the store has."""
    name = house.pick(connector)
    heard, errand = {}, None
    if name:
        async with house.wiring.ledger.begin() as tx:
            heard = await counts.heard(tx, name)
        errand = await house.errands.run("hooks", name, lambda _: house.tajo.hooks(name), fresh=FRESH)
    listed = errand.result.hooks if errand and errand.result else []
    ours = [hook for hook in listed if hook.ours]
    return page(
        request,
        house,
        "hooks.html",
        connector=name,
        heard=sorted(heard.items(), key=lambda one: -one[1].heard_at),
        errand=errand,
        ours=ours,
        off=[hook for hook in ours if not hook.active],
        others=len(listed) - len(ours),
        standing=house.standing().get(name),
        public=house.wiring.settings.server.public_url,
        mode=house.wiring.settings.connectors[name].sync_mode if name else "",
        repair=house.errands.last("repair", name),
    )


@post("/hooks/repair", status_code=303)
async def repair(request: Asked, house: InHouse, data: URLEncodedBody[Named]) -> Redirect:
    """See that store and Brevo call this server; what is missing or broken is made right."""
    name = house.pick(data.connector)

    async def work() -> Flash:
        errand = await house.errands.run("repair", name, lambda _: house.tajo.register_hooks(name))
        house.errands.forget("hooks", name)
        if errand.runs:
            return Flash("The webhooks are being repaired; this page shows when it is over.")
        if errand.words:
            return Flash(sentences("not repaired", errand.why), bad=True)
        return Flash(told(errand.result))

    to = f"/hooks?{urlencode({'connector': name})}"
    return await act(request, house, work(), verb="repair webhooks", about=name, to=to)


HANDLERS = [hooks, repair]


def told(changes: HookChanges) -> str:
    """What was done, in a sentence."""
    done = [
        f"{word} {many(len(scopes), 'webhook')}"
        for word, scopes in (("made", changes.made), ("mended", changes.mended), ("removed", changes.removed))
        if scopes
    ]
    refused = f" Not to be had: {', '.join(changes.refused)}." if changes.refused else ""
    if not done:
        return f"All {many(len(changes.kept), 'webhook')} were well as they were.{refused}"
    return f"{', '.join(done).capitalize()}; {len(changes.kept)} were well.{refused}"
