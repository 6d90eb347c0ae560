"""Which handler answers which route of API v3.

Matching works on the raw path, so that a percent-encoded slash stays inside its identifier; a literal segment
beats a parameter. A known path with the wrong method is as unknown as any other: Brevo answers 404 to both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from . import (
    account,
    attributes,
    catalogue,
    commerce,
    contacts,
    coupons,
    events,
    imports,
    lists,
    messages,
    orders,
    processes,
    templates,
    webhooks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Answer, Call

    Handler = Callable[[Any, Call], Answer]

_ROUTES: Final[dict[str, dict[str, Handler]]] = {
    "/account": {"GET": account.read},
    "/contacts": {"GET": contacts.index, "POST": contacts.create},
    "/contacts/batch": {"POST": contacts.batch},
    "/contacts/doubleOptinConfirmation": {"POST": contacts.confirm_opt_in},
    "/contacts/import": {"POST": imports.create},
    "/contacts/segments": {"GET": contacts.segments},
    "/contacts/attributes": {"GET": attributes.index},
    "/contacts/attributes/{category}/{name}": {
        "POST": attributes.create,
        "PUT": attributes.update,
        "DELETE": attributes.delete,
    },
    "/contacts/attributes/multiple-choice/{name}/{option}": {"DELETE": attributes.delete_option},
    "/contacts/folders": {"GET": lists.folders, "POST": lists.create_folder},
    "/contacts/folders/{folderId}": {
        "GET": lists.folder,
        "PUT": lists.update_folder,
        "DELETE": lists.delete_folder,
    },
    "/contacts/folders/{folderId}/lists": {"GET": lists.folder_lists},
    "/contacts/lists": {"GET": lists.index, "POST": lists.create},
    "/contacts/lists/{listId}": {"GET": lists.read, "PUT": lists.update, "DELETE": lists.delete},
    "/contacts/lists/{listId}/contacts": {"GET": lists.members},
    "/contacts/lists/{listId}/contacts/add": {"POST": lists.add_members},
    "/contacts/lists/{listId}/contacts/remove": {"POST": lists.remove_members},
    "/contacts/{identifier}": {"GET": contacts.read, "PUT": contacts.update, "DELETE": contacts.delete},
    "/processes": {"GET": processes.index},
    "/processes/{processId}": {"GET": processes.read},
    "/ecommerce/activate": {"POST": commerce.activate},
    "/ecommerce/config/displayCurrency": {"GET": commerce.currency, "POST": commerce.set_currency},
    "/orders": {"GET": orders.index},
    "/orders/status": {"POST": orders.save},
    "/orders/status/batch": {"POST": orders.save_batch},
    "/products": {"GET": catalogue.products, "POST": catalogue.save_product},
    "/products/batch": {"POST": catalogue.save_products},
    "/products/{id}": {"GET": catalogue.product},
    "/products/{id}/alerts/{type}": {"POST": commerce.back_in_stock},
    "/categories": {"GET": catalogue.categories, "POST": catalogue.save_category},
    "/categories/batch": {"POST": catalogue.save_categories},
    "/categories/{id}": {"GET": catalogue.category},
    "/couponCollections": {"GET": coupons.index, "POST": coupons.create},
    "/couponCollections/{id}": {"GET": coupons.read, "PATCH": coupons.update},
    "/coupons": {"POST": coupons.add},
    "/events": {"GET": events.index, "POST": events.create},
    "/events/batch": {"POST": events.create_batch},
    "/smtp/email": {"POST": messages.send_email},
    "/smtp/emails": {"GET": messages.emails},
    "/smtp/statistics/events": {"GET": messages.email_events},
    "/smtp/blockedContacts": {"GET": messages.blocked_contacts},
    "/smtp/blockedContacts/{email}": {"DELETE": messages.unblock},
    "/smtp/templates": {"GET": templates.index, "POST": templates.create},
    "/smtp/templates/{templateId}": {
        "GET": templates.read,
        "PUT": templates.update,
        "DELETE": templates.delete,
    },
    "/transactionalSMS/sms": {"POST": messages.send_sms},
    "/transactionalSMS/send": {"POST": messages.send_plain_sms},
    "/whatsapp/sendMessage": {"POST": messages.send_whatsapp},
    "/webhooks": {"GET": webhooks.index, "POST": webhooks.create},
    "/webhooks/{webhookId}": {"GET": webhooks.read, "PUT": webhooks.update, "DELETE": webhooks.delete},
}


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: tuple[str, _Node] | None = None
    template: str = ""
    handlers: dict[str, Handler] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A route found: its template, its handler and the decoded path parameters."""

    template: str
    handler: Handler
    params: dict[str, str]


class Routes:
    """The route table as a tree of path segments."""

    def __init__(self) -> None:
        self._root = _Node()
        for template, handlers in _ROUTES.items():
            node = self._root
            for segment in template.strip("/").split("/"):
                if segment.startswith("{"):
                    if node.parameter is None:
                        node.parameter = (segment.strip("{}"), _Node())
                    node = node.parameter[1]
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.template, node.handlers = template, handlers

    def match(self, method: str, raw_path: str) -> Match | None:
        """Find the route of a request; `raw_path` is what follows `/v3`, still percent-encoded."""
        node, params = self._root, {}
        for segment in raw_path.strip("/").split("/"):
            literal = node.literals.get(segment)
            if literal is not None:
                node = literal
            elif node.parameter is not None and segment:
                params[node.parameter[0]] = unquote(segment)
                node = node.parameter[1]
            else:
                return None
        handler = node.handlers.get(method)
        return Match(node.template, handler, params) if handler else None
