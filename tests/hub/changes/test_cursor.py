"""Cursors: opaque, the same for the same position, and of no use once a letter of them was changed."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.changes.cursor import Position, Sealer
from hub.changes.errors import CursorInvalidError
from tests.hub.changes.parts import CODE, SEALER

POSITION = Position("6f1c4f7e-0d0b-4d4e-9f0a-6d8f7f1a2b3c", 41, 7, "G1", "0123456789abcdef")
LETTERS = string.ascii_letters + string.digits + "-_"
WHERE = {"department": "RS", "resource": CODE}


def refused(cursor, **where):
    with pytest.raises(CursorInvalidError) as caught:
        SEALER.open(cursor, **{**WHERE, **where})
    return caught.value


def test_a_cursor_opens_to_its_position_and_is_always_written_alike():
    cursor = SEALER.seal(POSITION, **WHERE)
    assert SEALER.open(cursor, **WHERE) == POSITION
    assert Sealer(bytes(range(64))).seal(POSITION, **WHERE) == cursor
    assert not {"G1", "41"} & set(base64.urlsafe_b64decode(cursor + "===").decode("latin-1").split('"'))


def test_every_letter_changed_in_every_way_is_refused():
    cursor = SEALER.seal(POSITION, **WHERE)
    for place in range(len(cursor)):
        for letter in LETTERS.replace(cursor[place], ""):
            refused(cursor[:place] + letter + cursor[place + 1 :])


def test_longer_shorter_padded_and_foreign_texts_are_refused():
    cursor = SEALER.seal(POSITION, **WHERE)
    for text in (cursor[:-1], cursor + "A", cursor + "=", cursor + "\n", " " + cursor, cursor[::-1], "A", "", "游标"):
        refused(text)


def test_it_opens_for_one_department_and_one_resource():
    cursor = SEALER.seal(POSITION, **WHERE)
    refused(cursor, department="MZ")
    refused(cursor, resource="306010/000008")
    with pytest.raises(CursorInvalidError):
        Sealer(bytes(64)).open(cursor, **WHERE)


def test_what_is_refused_is_not_quoted():
    assert "11010519491231002X" not in refused("11010519491231002X").text("zh")


@settings(max_examples=25)
@given(st.text(max_size=60))
def test_no_text_is_a_cursor_by_chance(text):
    refused(text)


def test_names_of_records_and_events_tell_nothing_across_departments():
    own = SEALER.record_id("RS", CODE, {"number": "a"})
    assert own == SEALER.record_id("RS", CODE, {"number": "a"})
    others = {
        SEALER.record_id("MZ", CODE, {"number": "a"}),
        SEALER.record_id("RS", "306010/000008", {"number": "a"}),
        SEALER.record_id("RS", CODE, {"number": "b"}),
        SEALER.event_id("RS", CODE, "a"),
    }
    assert len(others | {own}) == 5
    assert own.isalnum()
    assert len(own) == 24
