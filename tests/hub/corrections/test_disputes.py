from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import encode
from catalog.model import Field, FieldKind, FieldType
from hub.disputes import (
    MISSING,
    Mark,
    answer_marks,
    disputed,
    marks_from_plain,
    marks_to_plain,
    record_of,
    subject_by,
)
from hub.keyring import Keyring
from tests.hub.world import ABSENT, IDS, PEOPLE, resource

KEY = b"k" * 32
SINCE = datetime(2026, 3, 2, tzinfo=UTC)
LATER = SINCE + timedelta(hours=1)
RESOURCE = resource()
subject = subject_by(KEY)


def row(number=0):
    names = ("citizen_id", "name", "birth", "address", "married", "income", "household")
    return dict(zip(names, PEOPLE[number], strict=True))


def record(number=0):
    return subject({"citizen_id": IDS[number]})


def told(rows, *marks, shown=("name", "address"), positions=True, values=None):
    found = answer_marks(
        RESOURCE, rows, [shown] * len(rows), marks, subject, values=values or {"household": "H1"}, positions=positions
    )
    said = json.dumps(found, ensure_ascii=False)
    assert not [value for person in PEOPLE for value in person[:4] if value and len(value) > 1 and value in said]
    return found


def test_the_keyed_hash_is_the_one_the_log_uses(scene):
    key = Keyring(scene.world.settings.keys).secret("subject")
    assert subject_by(key)({"a": "1"}) == scene.office.evidence.subject({"a": "1"})
    assert subject_by(key)({"a": "1"}) == hmac.digest(key, encode({"a": "1"}), hashlib.sha256).hex()


def test_a_record_is_disputed_whole_or_by_fields_or_not_at_all():
    whole, part = Mark("K2", record(), (), LATER), Mark("K1", record(), ("address",), SINCE)
    assert disputed(RESOURCE, row(), [], subject) is None
    assert disputed(RESOURCE, row(1), [whole, part], subject) is None
    assert disputed(RESOURCE, row(), [part], subject) == {
        "fields": ["address"],
        "since": SINCE.isoformat(),
        "case": "K1",
    }
    assert disputed(RESOURCE, row(), [part, whole], subject) == {
        "record": True,
        "since": LATER.isoformat(),
        "case": "K2",
    }


def test_a_mark_on_the_resource_is_on_every_record():
    everything = Mark("K1", "", (), SINCE)
    for number in range(len(PEOPLE)):
        assert disputed(RESOURCE, row(number), [everything], subject)["record"] is True


def test_no_hash_is_computed_where_no_mark_asks_for_one():
    def refuse(values):
        raise AssertionError(values)

    assert disputed(RESOURCE, row(), [], refuse) is None
    assert disputed(RESOURCE, row(), [Mark("K1", "", ("name",), SINCE)], refuse)["fields"] == ["name"]


def test_an_answer_names_positions_and_visible_fields():
    found = (Mark("K1", record(1), ("address", "income"), SINCE), Mark("K2", record(), (), LATER))
    assert told([row(), row(1), row(2)], *found) == [
        {"position": 0, "record": True, "since": LATER.isoformat(), "case": "K2"},
        {"position": 1, "fields": ["address"], "since": SINCE.isoformat(), "case": "K1"},
    ]


def test_what_a_reader_does_not_see_is_not_told_to_be_disputed():
    assert told([row()], Mark("K1", record(), ("income",), SINCE)) == []


def test_a_verification_does_not_say_how_many_records_there_are():
    found = (Mark("K2", record(1), ("name",), LATER), Mark("K1", record(), ("address",), SINCE))
    expected = [{"fields": ["address", "name"], "since": SINCE.isoformat(), "case": "K1"}]
    assert told([row(), row(1)], *found, positions=False) == expected
    whole = Mark("K3", record(1), (), LATER)
    assert told([row(), row(1)], *found, whole, positions=False) == [
        {"record": True, "since": LATER.isoformat(), "case": "K3"}
    ]


def test_that_a_record_is_said_to_be_missing_is_told_to_who_looks_it_up():
    missing = Mark("K1", MISSING + subject({"citizen_id": ABSENT}), (), SINCE)
    said = [{"missing": True, "since": SINCE.isoformat(), "case": "K1"}]
    assert told([], missing, values={"citizen_id": ABSENT}) == said
    assert told([], missing, values={"citizen_id": IDS[0]}) == []
    assert told([], missing, values={"household": "H9"}) == []


def test_a_record_out_of_sight_is_not_told_of_as_missing():
    """It is disputed, but not said to be missing: who may not see it learns nothing."""
    assert told([], Mark("K1", record(), (), SINCE), values={"citizen_id": IDS[0]}) == []
    assert told([row()], Mark("K1", MISSING + record(), (), SINCE), values={"citizen_id": IDS[0]}) == []


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (FieldKind.INTEGER, 7, "7"),
        (FieldKind.BOOLEAN, True, "true"),
        (FieldKind.DECIMAL, "1.50", "1.50"),
        (FieldKind.DATE, "2026-01-01", "2026-01-01"),
    ],
)
def test_keys_of_every_type_are_hashed_in_stored_form(kind, value, text):
    keyed = resource(fields=(Field("k", "主键", FieldType(kind, 12, 2), key=True, nullable=False),))
    assert record_of(keyed, {"k": value}) == {"k": text}


@given(
    st.lists(
        st.builds(
            Mark,
            case=st.text(max_size=5),
            record=st.sampled_from(["", record(), record(1)]),
            fields=st.lists(st.sampled_from(["name", "address", "income"]), unique=True).map(tuple),
            since=st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - of its form
        ),
        max_size=4,
    )
)
def test_marks_from_the_evidence_give_the_same_answer(found):
    """What a replay reads back says the same, byte for byte, as the marks that the answer went by."""
    again = marks_from_plain(json.loads(json.dumps(marks_to_plain(found))))
    assert again == tuple(found)
    rows = [row(), row(1), row(2)]
    assert encode({"d": told(rows, *again)}) == encode({"d": told(rows, *found)})
