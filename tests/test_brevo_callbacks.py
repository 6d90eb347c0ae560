"""What Brevo's webhooks say: whom they let in, and who does not want mail any more."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.brevo.callbacks import Forged, Malformed, Trust, Unsubscribe, read

TOKEN = "s3cret-token"
LEFT = {
    "id": 7,
    "event": "unsubscribe",
    "email": "Ann@X.test",
    "camp_id": 3,
    "campaign name": "Spring",
    "date_event": "2020-10-09 00:00:00",
    "ts_sent": 1604933619,
    "ts_event": 1604933737,
    "ts": 1604937337,
    "list_id": [1],
}
ANN = Unsubscribe("ann@x.test", 1604933737.0)
BOB = Unsubscribe("bob@x.test", 10.0, sure=False)


def said(body: Any) -> list[Unsubscribe]:
    return read(json.dumps(body).encode())


def changed(**content: Any) -> dict[str, Any]:
    entry = {"email": "bob@x.test", **content}
    return {"id": 8, "event": "contact_updated", "date": "2021-10-18 05:53:51", "ts": 10, "content": [entry]}


# --- trust


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_who_bears_the_token_is_believed(name: str, scheme: str) -> None:
    Trust(TOKEN).believe({"host": "us.test", name: f"{scheme} {TOKEN}"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer s\xe9cret-token"},
        {"authorization": "Bearer \udc80"},
        {"x-token": f"Bearer {TOKEN}"},
    ],
)
def test_anybody_else_is_a_forger_and_the_error_shows_no_token(headers: dict[str, str]) -> None:
    with pytest.raises(Forged) as caught:
        Trust(TOKEN).believe(headers)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer "])
def test_without_a_token_of_ours_nobody_is_believed(header: str) -> None:
    with pytest.raises(Forged):
        Trust("").believe({"authorization": header})


def test_a_token_is_not_shown_by_accident() -> None:
    assert TOKEN not in repr(Trust(TOKEN))


# --- what is said


@pytest.mark.parametrize("event", ["unsubscribe", "unsubscribed", "spam"])
def test_an_unsubscribe_and_a_complaint_take_consent_at_the_moment_of_the_event(event: str) -> None:
    assert said({**LEFT, "event": event}) == [ANN]


@pytest.mark.parametrize(
    "event", ["hard_bounce", "soft_bounce", "opened", "click", "delivered", "list_addition", "new", None, 3]
)
def test_everything_else_takes_none(event: object) -> None:
    assert said({**LEFT, "event": event}) == []


@pytest.mark.parametrize(
    "content", [{"emailBlacklist": True}, {"emailBlacklisted": True}, {"emailBlacklist": "true", "list": {}}]
)
def test_whoever_is_blocklisted_may_have_left(content: dict[str, Any]) -> None:
    assert said(changed(**content)) == [BOB]


@pytest.mark.parametrize(
    "content", [{}, {"emailBlacklist": False}, {"attributes": {"FIRSTNAME": "B"}}, {"smsBlacklist": True}]
)
def test_any_other_change_of_a_contact_is_none(content: dict[str, Any]) -> None:
    assert said(changed(**content)) == []


def test_a_change_may_be_no_list_and_name_its_contact_outside() -> None:
    body = {"event": "contact_updated", "email": "bob@x.test", "ts": 10, "content": {"emailBlacklist": True}}
    assert said(body) == [BOB]


@pytest.mark.parametrize(
    "wrap", [lambda rows: rows, lambda rows: {"events": rows}, lambda rows: {"content": rows}]
)
def test_a_batch_is_read_however_it_is_wrapped_and_one_odd_entry_spoils_nothing(wrap: Any) -> None:
    rows = [LEFT, {"event": "opened", "email": "c@x.test"}, "odd", None, changed(emailBlacklist=True)]
    assert said(wrap(rows)) == [ANN, BOB]


def flagged(flag: bool, ts: int | None) -> dict[str, Any]:
    return {**changed(emailBlacklist=flag), "ts": ts}


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        ([(True, 1), (False, 2)], False),
        ([(True, 1), (False, 1)], False),
        ([(True, None), (False, None)], False),
        ([(False, 1), (True, 2)], True),
        ([(True, 1), (False, 2), (True, 3)], True),
        ([(True, 2), (False, 1)], True),  # which of them came last is in doubt
        ([(True, 2), (False, None)], True),
        ([(True, 5), (True, 1), (False, 3)], True),
    ],
)
def test_a_block_that_the_same_batch_lifts_again_is_none(
    flags: list[tuple[bool, int | None]], left: bool
) -> None:
    assert [one.email for one in said([flagged(*flag) for flag in flags])] == ["bob@x.test"] * left


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=5), st.data())
def test_a_persons_own_word_counts_wherever_it_stands_and_whoever_left_stands_once(
    flags: list[tuple[bool, int]], data: st.DataObject
) -> None:
    word = {**LEFT, "email": "Bob@X.test"}
    rows = data.draw(st.permutations([*(flagged(*flag) for flag in flags), word]))
    assert said(rows) == [Unsubscribe("bob@x.test", ANN.at)]


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"ts_event": 1604933737, "ts": 1604937337}, 1604933737.0),
        ({"ts_event": "1604933737"}, 1604933737.0),
        ({"ts_event": 1604933737123}, 1604933737.123),
        ({"ts": 1604937337}, 0.0),  # it was seen an hour off, which would make an older consent a newer one
        ({"ts_event": None, "ts": 5}, 0.0),
        ({"ts_event": True}, 0.0),
        ({"ts_event": -5}, 0.0),
        ({"ts_event": 10**400}, 0.0),
        ({"ts_event": "yesterday"}, 0.0),
        ({"date_event": "2020-10-09 00:00:00", "ts_sent": 3}, 0.0),
    ],
)
def test_only_the_timestamp_in_utc_tells_when_somebody_left(times: dict[str, Any], at: float) -> None:
    assert said({"event": "unsubscribe", "email": "ann@x.test", **times}) == [Unsubscribe("ann@x.test", at)]


def test_the_order_of_blocks_is_told_by_the_other_one_too() -> None:
    (one,) = said(
        {"event": "contact_updated", "ts": 5, "content": [{"email": ANN.email, "emailBlacklist": True}]}
    )
    assert one == Unsubscribe(ANN.email, 5.0, sure=False)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_of_several_words_of_one_person_the_last_counts_and_an_unknown_moment_may_be_the_last(
    moments: list[int],
) -> None:
    rows = [{"event": "unsubscribe", "email": ANN.email, "ts_event": at} for at in moments]
    assert said(rows) == [Unsubscribe(ANN.email, float(max(moments) if all(moments) else 0))]


@pytest.mark.parametrize(("later", "told"), [(5, False), (3600, True)])
def test_a_block_by_hand_in_the_batch_of_an_older_click_is_told_of_beside_it(later: int, told: bool) -> None:
    block = {"email": ANN.email, "emailBlacklist": True}
    at = int(ANN.at) + later
    rows = [LEFT, {"event": "contact_updated", "ts": at, "content": [block]}]
    assert said(rows) == [ANN, *[Unsubscribe(ANN.email, float(at), sure=False)] * told]


@pytest.mark.parametrize("email", [None, "", "nobody", 3, ["ann@x.test"], "a b@x.test"])
def test_without_an_address_there_is_nobody_to_unsubscribe(email: object) -> None:
    assert said({**LEFT, "email": email}) == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"3", b"null", b'"text"', b"\xff", b'"\xff"', b"[" * 100_000]
)
def test_what_is_no_callback_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["event", "email", "content", "ts", "ts_event", "emailBlacklist", "x"]), inner
        )
    ),
)


@given(json_values)
def test_whatever_json_comes_it_is_read_or_malformed(value: Any) -> None:
    with suppress(Malformed):
        assert all(one.email and one.at >= 0 for one in said(value))


@given(st.binary())
def test_whatever_bytes_come_they_are_read_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        read(body)
