"""What happens next: one of the possible actions, by weight. Pure, and repeatable by its dice."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from . import buying, keeping
from .town import AWAITING_PAYMENT, PAID

if TYPE_CHECKING:
    from random import Random

    from .deed import Deed, Doing
    from .town import Town


class Action(StrEnum):
    """What can happen; each one is a deed of `buying` or `keeping`."""

    FILL_CART = "fill cart"
    ADD_ITEM = "add item"
    REMOVE_ITEM = "remove item"
    TYPE_EMAIL = "type e-mail"
    LEAVE_AT_PAYMENT = "leave at payment"
    PAY = "pay"
    PAY_LATER = "pay later"
    SETTLE = "settle"
    SHIP = "ship"
    REFUND_PART = "refund part"
    REFUND_ALL = "refund all"
    CANCEL = "cancel"
    ANNOTATE = "annotate"
    ARCHIVE = "archive"
    SIGN_UP = "sign up"
    CHANGE_EMAIL = "change e-mail"
    CHANGE_NAME = "change name"
    CHANGE_ADDRESS = "change address"
    DELETE_CUSTOMER = "delete customer"
    OPT_IN = "opt in"
    OPT_OUT = "opt out"
    UNSUBSCRIBE = "unsubscribe"
    ADD_PRODUCT = "add product"
    RESTOCK = "restock"
    SELL_OUT = "sell out"
    REPRICE = "reprice"
    RENAME_PRODUCT = "rename product"
    HIDE_OR_SHOW = "hide or show"
    DELETE_PRODUCT = "delete product"
    RENAME_CATEGORY = "rename category"


DOINGS: Final[Mapping[Action, tuple[int, Doing]]] = {
    Action.FILL_CART: (20, buying.fill_cart),
    Action.ADD_ITEM: (12, buying.add_item),
    Action.REMOVE_ITEM: (5, buying.remove_item),
    Action.TYPE_EMAIL: (8, buying.type_email),
    Action.LEAVE_AT_PAYMENT: (4, buying.check_out("Somebody leaves at the payment page", 0)),
    Action.PAY: (14, buying.check_out("Somebody buys a cart", PAID)),
    Action.PAY_LATER: (3, buying.check_out("Somebody buys a cart and will pay later", AWAITING_PAYMENT)),
    Action.SETTLE: (3, buying.settle),
    Action.SHIP: (10, buying.ship),
    Action.REFUND_PART: (2, buying.refund_part),
    Action.REFUND_ALL: (2, buying.refund_all),
    Action.CANCEL: (1, buying.cancel),
    Action.ANNOTATE: (2, buying.annotate),
    Action.ARCHIVE: (1, buying.archive),
    Action.SIGN_UP: (6, keeping.sign_up),
    Action.CHANGE_EMAIL: (2, keeping.change_email),
    Action.CHANGE_NAME: (3, keeping.change_name),
    Action.CHANGE_ADDRESS: (3, keeping.change_address),
    Action.DELETE_CUSTOMER: (1, keeping.delete_customer),
    Action.OPT_IN: (4, keeping.opt_in),
    Action.OPT_OUT: (2, keeping.opt_out),
    Action.UNSUBSCRIBE: (2, keeping.unsubscribe),
    Action.ADD_PRODUCT: (1, keeping.add_product),
    Action.RESTOCK: (3, keeping.stock("Staff restock", 5, 50)),
    Action.SELL_OUT: (2, keeping.stock("Staff find no more of", 0, 0)),
    Action.REPRICE: (2, keeping.reprice),
    Action.RENAME_PRODUCT: (1, keeping.rename_product),
    Action.HIDE_OR_SHOW: (1, keeping.hide_or_show),
    Action.DELETE_PRODUCT: (1, keeping.delete_product),
    Action.RENAME_CATEGORY: (1, keeping.rename_category),
}
WEIGHTS: Final[Mapping[Action, int]] = {action: weight for action, (weight, _) in DOINGS.items()}


def decide(town: Town, dice: Random, weights: Mapping[Action, int]) -> Deed:
    """The next deed. LookupError when nothing that has a weight is possible in this town."""
    left = {action: weight for action, weight in weights.items() if weight}
    while left:
        action = dice.choices(list(left), list(left.values()))[0]
        deed = DOINGS[action][1](town, dice)
        if deed is not None:
            return deed
        del left[action]
    raise LookupError(f"nothing of this is possible in the store now: {', '.join(weights)}")
