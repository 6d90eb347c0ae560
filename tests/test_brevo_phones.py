"""Phones: E.164 and valid for their country, or not at all."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.brevo.phones import e164


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+33612345678", "", "+33612345678"),
        ("+33 6 12 34 56 78", "US", "+33612345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("(512) 555-0199", "US", "+15125550199"),
        ("0033612345678", "US", "+33612345678"),
        ("0033612345678", "", "+33612345678"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("512-555-0199 ext. 12", "US", "+15125550199"),
        ("06 12 34 56 78", "", ""),  # whose national number?
        ("06 12 34 56 78", "ZZ", ""),
        ("555-0199", "US", ""),  # no area code
        ("+33 6 12", "FR", ""),
        ("call me", "FR", ""),
        ("", "FR", ""),
        ("1" * 60, "US", ""),
        ("\u0660\u0661\u0662", "EG", ""),
    ],
)
def test_a_phone_is_read_in_the_country_of_its_address(text: str, country: str, number: str) -> None:
    assert e164(text, country) == number


@given(
    text=st.text("0123456789+-() x.", max_size=45),
    country=st.sampled_from(["", "US", "FR", "GB", "ZZ", "BR"]),
)
def test_whatever_comes_out_is_valid_and_stays_as_it_is(text: str, country: str) -> None:
    number = e164(text, country)
    if number:
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert e164(number, "") == number
