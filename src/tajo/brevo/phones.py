"""Phone numbers as Brevo takes them: E.164, valid for their country, or not at all.

An invalid phone makes Brevo refuse the whole contact (betagouv/mon-service-securise#2788), and
BigCommerce's phones are free text, so only what the numbering plan knows is let through.
"""

from __future__ import annotations

from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse


def e164(text: str, country: str) -> str:
    """`text` as `+...`, read in `country` (ISO 3166 alpha-2 or empty); empty if it is no valid number."""
    digits = sum(map(str.isdigit, text))
    if not 6 <= digits <= 20 or len(text) > 40:
        return ""
    text = text.strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    elif not country and not text.startswith("+"):
        return ""
    try:
        number = parse(text, country or None)
    except NumberParseException:
        return ""
    return format_number(number, PhoneNumberFormat.E164) if is_valid_number(number) else ""
