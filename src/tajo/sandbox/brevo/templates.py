"""Templates of transactional e-mails: `/smtp/templates` (SDK 5.1.0).

A new template is inactive unless it says otherwise, and only active ones can be sent. As long as an account
has no template at all, any `templateId` may be sent (our leniency, for tests that do not care).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .wire import Answer, integer, invalid, iso, missing, not_found, page_of

if TYPE_CHECKING:
    from .account import Account
    from .wire import Call

_SHORTEST_HTML = 10
_NAMES = {
    "templateName": "name",
    "subject": "subject",
    "htmlContent": "html",
    "replyTo": "reply_to",
    "tag": "tag",
}


class Template(msgspec.Struct):
    """One template; `created` and `modified` in milliseconds since 1970."""

    id: int
    name: str
    subject: str
    sender: dict[str, Any]
    html: str
    active: bool
    created: int
    modified: int
    reply_to: str = ""
    tag: str = ""

    def shown(self) -> dict[str, Any]:
        """Give the template as GET does."""
        return {
            "id": self.id,
            "name": self.name,
            "subject": self.subject,
            "isActive": self.active,
            "testSent": False,
            "sender": {name: str(value) for name, value in self.sender.items()},
            "replyTo": self.reply_to,
            "toField": "",
            "tag": self.tag,
            "htmlContent": self.html,
            "createdAt": iso(self.created),
            "modifiedAt": iso(self.modified),
        }


def index(account: Account, call: Call) -> Answer:
    """GET /smtp/templates: at most 1000 a page, newest first by default."""
    limit, offset = call.page(default=50, most=1000)
    status = call.one("templateStatus")
    if status not in {None, "true", "false"}:
        raise invalid("templateStatus should be true or false")
    found = [t for t in account.templates.values() if status is None or t.active == (status == "true")]
    page = page_of(found, limit, offset, ascending=call.ascending())
    return Answer(200, {"count": len(found), "templates": [template.shown() for template in page]})


def create(account: Account, call: Call) -> Answer:
    """POST /smtp/templates: 201 with its id."""
    body = call.json()
    for name in ("sender", "subject", "templateName"):
        if not body.get(name):
            raise missing(f"{name} is missing")
    if not body.get("htmlContent") and not body.get("htmlUrl"):
        raise missing("Either of htmlContent or htmlUrl is missing")
    number, now = max(account.templates, default=0) + 1, account.now()
    made = Template(number, "", "", {}, "", False, now, now)
    _fill(made, {"htmlContent": f"<p>{body.get('htmlUrl')}</p>", **body})
    account.templates[number] = made
    return Answer(201, {"id": number})


def read(account: Account, call: Call) -> Answer:
    """GET /smtp/templates/{templateId}: also says whether it is one for double opt-in."""
    found = _template(account, call)
    return Answer(200, {**found.shown(), "doiTemplate": "doubleoptin" in found.html.lower()})


def update(account: Account, call: Call) -> Answer:
    """PUT /smtp/templates/{templateId}: 204."""
    found = _template(account, call)
    _fill(found, call.json())
    found.modified = account.now()
    return Answer(204)


def delete(account: Account, call: Call) -> Answer:
    """DELETE /smtp/templates/{templateId}: 204; an active template stays (SDK: only inactive ones)."""
    found = _template(account, call)
    if found.active:
        raise invalid("Active templates can not be deleted")
    del account.templates[found.id]
    return Answer(204)


def to_send(account: Account, number: object) -> Template | None:
    """The template of a message; None where the account has none at all, 400 when it can not be sent."""
    if type(number) is not int or number < 1:
        raise invalid("templateId is not valid")
    if not account.templates:
        return None
    found = account.templates.get(number)
    if found is None:
        raise invalid("templateId does not exist")
    if not found.active:
        raise invalid("Template is not active")
    return found


def _template(account: Account, call: Call) -> Template:
    found = account.templates.get(integer(call.params["templateId"], "templateId"))
    if found is None:
        raise not_found("Template ID does not exist")
    return found


def _fill(template: Template, body: dict[str, Any]) -> None:
    """Check the given fields, all of them, then take them over."""
    sender, active = body.get("sender", template.sender), body.get("isActive", template.active)
    if not isinstance(sender, dict) or not (sender.get("email") or sender.get("id")):
        raise invalid("sender should have an email or an id")
    if not isinstance(active, bool):
        raise invalid("isActive should be a boolean")
    given = {own: body[name] for name, own in _NAMES.items() if body.get(name) is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise invalid("templateName, subject, htmlContent, replyTo and tag should be strings")
    if len(given.get("html", template.html)) < _SHORTEST_HTML:
        raise invalid(f"htmlContent should have more than {_SHORTEST_HTML} characters")
    template.sender, template.active = sender, active
    for own, value in given.items():
        setattr(template, own, value)
