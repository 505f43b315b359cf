from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence.errors import CopyRefusedError
from licence.lifecycle import copies
from licence.lifecycle.copies import FIELDS, AnnotatedCopy, annotate
from licence.lifecycle.states import State

AT = datetime(2025, 3, 1, 8, 0, 0, tzinfo=UTC)
UNTIL = AT + timedelta(days=7)
COPY = AnnotatedCopy("L1", AT, "市不动产登记中心", "办理不动产抵押登记", UNTIL)


def refused(call, *args, **kwargs):
    with pytest.raises(CopyRefusedError) as caught:
        call(*args, **kwargs)
    for lang in ("en", "zh"):
        assert "<" not in caught.value.text(lang)
    return caught.value.code


def make(**changes):
    values = {
        "state": State.VALID, "licence_ends": None, "made_by": COPY.made_by, "purpose": COPY.purpose, "at": AT,
        "valid_until": UNTIL,
    }  # fmt: skip
    return annotate("L1", **(values | changes))


def test_the_four_fields():
    assert make() == COPY
    assert COPY.claims() == {
        "JZJZZSJ": "2025-03-01T16:00:00+08:00",
        "JZJZZZ": "市不动产登记中心",
        "JZJZZSY": "办理不动产抵押登记",
        "JZJYXQJZSJ": "2025-03-08T16:00:00+08:00",
    }


def test_the_watermark_says_what_for_and_until_when():
    text = COPY.watermark()
    assert text.startswith("仅限办理不动产抵押登记使用，有效期至 2025-03-08 16:00，市不动产登记中心加注")
    assert "only, until 2025-03-08 16:00" in text


def test_it_serves_its_purpose_its_licence_and_its_time_only():
    good = {"licence": "L1", "purpose": COPY.purpose, "at": AT}
    COPY.check(**good)
    COPY.check(**(good | {"at": UNTIL - timedelta(seconds=1)}))
    assert refused(COPY.check, **(good | {"licence": "L2"})) == "copy_other_licence"
    assert refused(COPY.check, **(good | {"purpose": "贷款"})) == "copy_other_purpose"
    assert refused(COPY.check, **(good | {"at": AT - timedelta(seconds=1)})) == "copy_not_yet"
    assert refused(COPY.check, **(good | {"at": UNTIL})) == "copy_expired"


@pytest.mark.parametrize("state", [s for s in State if s is not State.VALID])
def test_only_of_a_licence_in_force(state):
    assert refused(make, state=state) == "copy_of_ended"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": " "}, "copy_text_missing"),
        ({"purpose": "x" * 101}, "copy_text_missing"),
        ({"made_by": ""}, "copy_text_missing"),
        ({"purpose": "a\nb"}, "copy_text_hidden"),
        ({"purpose": "贷款\u202e用"}, "copy_text_hidden"),
        ({"valid_until": AT}, "copy_validity"),
        ({"valid_until": AT + timedelta(days=180, seconds=1)}, "copy_validity"),
        ({"valid_until": UNTIL.replace(tzinfo=None)}, "copy_validity"),
        ({"licence_ends": UNTIL - timedelta(seconds=1)}, "copy_outlives_licence"),
    ],
)
def test_what_may_not_be_annotated(changes, code):
    assert refused(make, **changes) == code
    assert make(licence_ends=UNTIL)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**9), st.integers(1, 180 * 86400), st.text("贷款ab 12", min_size=1).filter(str.strip))
def test_what_is_written_reads_back(start, seconds, purpose):
    at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    copy = AnnotatedCopy("L1", at, "x", purpose[:100].strip() or "x", at + timedelta(seconds=seconds))
    again = AnnotatedCopy.parse("L1", copy.claims())
    assert again == copy
    assert again.claims() == copy.claims()


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [None, 5, "", "2025-03-01", "2025-13-01T00:00:00+08:00", "2025-03-01T00:00:00Z"])
def test_hostile_annotations(name, value):
    claims = COPY.claims()
    if name in {"JZJZZZ", "JZJZZSY"} and isinstance(value, str) and value:
        return
    assert refused(AnnotatedCopy.parse, "L1", claims | {name: value}).startswith("copy_")
    assert refused(AnnotatedCopy.parse, "L1", {k: v for k, v in claims.items() if k != name}) == "copy_unreadable"
    assert refused(AnnotatedCopy.parse, "L1", claims | {"KZ_X": "x"}) == "copy_unreadable"


def test_a_changed_copy_is_another():
    assert replace(COPY, purpose="x").claims() != COPY.claims()


@given(st.dictionaries(st.sampled_from(copies.FIELDS), st.text(max_size=20), max_size=4))
@settings(max_examples=25)
def test_keywords_come_back_as_they_were(facts):
    clean = {name: " ".join(value.split()) for name, value in facts.items()}
    assert copies.from_keywords(", ".join(copies.to_keywords(clean))) == clean


def test_a_name_that_stands_twice_is_refused_and_rubbish_passed_over():
    assert copies.from_keywords("x, a=1,, b") == {"a": "1"}
    for name in (*FIELDS, copies.NUMBER, copies.IDENTIFIER, copies.CREDENTIAL):
        with pytest.raises(CopyRefusedError):
            copies.from_keywords(f"{name}=1, {name}=1")


def test_of_a_stranger_s_names_that_stand_twice_the_first_counts():
    assert copies.from_keywords("a=1, a=2") == {"a": "1"}


def test_a_copy_is_found_among_what_a_document_says():
    made = AnnotatedCopy("L1", AT, "某局", "贷款,抵押%", AT + timedelta(days=3))
    facts = copies.from_keywords(", ".join(copies.to_keywords({"ZZBS": "L1", **made.claims(), copies.NUMBER: "K1"})))
    assert copies.find_copy("L1", facts) == made
    assert copies.find_copy("L1", {"ZZBS": "L1"}) is None
    with pytest.raises(CopyRefusedError):
        copies.find_copy("L1", {"ZZBS": "L1", copies.NUMBER: "K1"})
    with pytest.raises(CopyRefusedError):
        copies.find_copy("L1", {name: value for name, value in facts.items() if name != "JZJYXQJZSJ"})
    made.check_time(AT + timedelta(days=2))
    for moment in (AT - timedelta(seconds=1), AT + timedelta(days=3)):
        with pytest.raises(CopyRefusedError):
            made.check_time(moment)
