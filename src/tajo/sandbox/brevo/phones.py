"""Phone numbers as Brevo takes them: `91xxxxxxxxxx`, `+91xxxxxxxxxx`, `0091xxxxxxxxxx` (SDK notes).

The country code is required and no separator is allowed. The check is a plain one: an assigned calling code
and a plausible length, with the stricter shape of North American numbers. Numbers are kept, and given back,
as digits without a plus, as in the webhook samples and in `33058407248@mailin-sms.com` of the contact
examples (WM).
"""

from __future__ import annotations

import re

_CALLING_CODE = (
    r"1[2-9]\d{2}[2-9]\d{6}"
    r"|7[3-9]\d{9}"
    r"|(?:2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])\d{7,12}"
    r"|(?:21[12368]|2[2-6]\d|29[0179]|3[578]\d|42[013]|50\d|59\d|67[02-9]|68\d|69[0-2]|80[08]|85[02356]|88[06]"
    r"|96\d|97[0-79]|99[2-68])\d{5,11}"
)
_PHONE = re.compile(rf"(?:\+|00)?({_CALLING_CODE})")


def phone_number(value: object) -> str | None:
    """Give the number as digits with its country code, at most 15 of them, or None when it is not one."""
    if isinstance(value, str) and (match := _PHONE.fullmatch(value)) and len(match[1]) <= 15:
        return match[1]
    return None
