"""Predicates at their borders: which names there are, which day decides, and what a claim says of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from licence.errors import IssueRefusedError
from licence.model import FaceField, FieldType
from licence.predicates import Answer, check_name, read, state
from tests.licence import world as w

BIRTH = FaceField("KZ_CSRQ", "出生日期", "born", required=False, type=FieldType.DATE)
EXAM = FaceField("KZ_TJYXQ", "体检有效期", "exam_until", required=False, type=FieldType.DATE)
TEXT = FaceField("KZ_BZ", "备注", "remark", required=False)
DAY = date(2025, 6, 1)
CITIZEN = "11010519491231002X"
NOON = datetime(2025, 6, 1, 4, tzinfo=UTC)
YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
VALID = "valid_on_KZ_TJYXQ"


def kind(*names, face=(BIRTH, EXAM, TEXT), holder_type="999"):
    return replace(w.KIND, predicates=names, face=face, holder_type=holder_type)


def refused(call, *arguments):
    with pytest.raises(IssueRefusedError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.finding_params


def over(born, day, years=18, **more):
    return state(kind(f"age_over_{years}", **more), {"born": born}, date.fromisoformat(day))


class TestNames:
    @pytest.mark.parametrize("name", ["age_over_1", "age_over_150", "age_over_99", VALID])
    def test_that_there_are(self, name):
        check_name(kind(), name)

    @pytest.mark.parametrize(
        "name", ["age_over_0", "age_over_01", "age_over_151", "age_over_1000", "age_over_18x", "xage_over_18",
                 "valid_on_KZ_BZ", "valid_on_KZ_X", "valid_on_", f"x{VALID}", f"{VALID}x", "", "age_over_"],
    )  # fmt: skip
    def test_that_there_are_not(self, name):
        assert refused(check_name, kind(), name) == ("predicate_unknown", {"name": name})
        assert refused(state, kind(name), {"born": "2000-01-01"}, DAY) == ("predicate_unknown", {"name": name})

    def test_an_age_needs_a_birth_date_of_the_face_or_of_a_citizen(self):
        check_name(kind(face=(), holder_type="111"), "age_over_18")
        check_name(kind(face=(BIRTH,), holder_type="001"), "age_over_18")
        told = ("predicate_no_birth_date", {"name": "age_over_18"})
        assert refused(check_name, kind(face=(EXAM,), holder_type="001"), "age_over_18") == told

    def test_each_takes_one_claim(self):
        claims = state(kind("age_over_18", "age_over_60", VALID), {"born": "2000-01-01"}, DAY)
        assert claims == {"age_over_18": True, "age_not_over_60_until": "2026-06-01", VALID: False}


class TestAge:
    @pytest.mark.parametrize(
        ("born", "day", "claims"),
        [
            ("2007-06-01", "2025-06-02", {"age_over_18": True}),
            ("2007-06-01", "2025-06-01", {"age_not_over_18_until": "2025-06-01"}),
            ("2007-06-02", "2025-06-01", {"age_not_over_18_until": "2025-06-02"}),
            ("2007-07-01", "2025-06-01", {"age_not_over_18_until": "2025-07-01"}),
            ("2007-07-02", "2025-06-30", {"age_not_over_18_until": "2025-07-01"}),
            ("2007-07-02", "2025-07-01", {"age_not_over_18_until": "2025-07-02"}),
            # A year from then is the birthday, or the day before it, or the day after.
            ("2008-06-01", "2025-06-01", {"age_not_over_18_until": "2026-06-01"}),
            ("2008-06-02", "2025-06-01", {"age_not_over_18_until": "2026-06-01"}),
            ("2008-05-31", "2025-06-01", {"age_not_over_18_until": "2026-05-01"}),
            ("2025-06-01", "2025-06-01", {"age_not_over_18_until": "2026-06-01"}),
            # Who was born a year later is told the same.
            ("2008-06-15", "2025-06-15", {"age_not_over_18_until": "2026-06-15"}),
            ("2009-06-15", "2025-06-15", {"age_not_over_18_until": "2026-06-15"}),
            # 29 February, in a year without.
            ("2004-02-29", "2022-02-28", {"age_not_over_18_until": "2022-02-28"}),
            ("2004-02-29", "2022-03-01", {"age_not_over_18_until": "2022-02-28"}),
            ("2004-02-29", "2022-03-02", {"age_over_18": True}),
            ("2004-02-29", "2022-02-27", {"age_not_over_18_until": "2022-02-28"}),
            ("2004-02-29", "2022-01-31", {"age_not_over_18_until": "2022-02-01"}),
        ],
    )
    def test_is_said_by_the_day_of_issue(self, born, day, claims):
        assert over(born, day) == claims

    def test_of_who_is_not_born_yet_is_none(self):
        told = ("predicate_no_birth_date", {"name": "age_over_18"})
        assert refused(over, "2025-06-02", "2025-06-01") == told

    def test_a_citizens_code_says_it_and_the_face_the_same(self):
        one = kind("age_over_18", holder_type="111")

        def of(**facts):
            return state(one, facts, DAY)

        assert of(citizen_id=f" {CITIZEN} ") == {"age_over_18": True}
        assert of(citizen_id=CITIZEN, born=" 1949-12-31 ") == {"age_over_18": True}
        assert of(citizen_id="x", born="2007-05-31") == {"age_over_18": True}
        assert of(citizen_id=CITIZEN, born="") == of(citizen_id=CITIZEN, born=None) == {"age_over_18": True}
        assert of(citizen_id=CITIZEN, born="1949-13-31") == {"age_over_18": True}
        differ = {"citizen_id": CITIZEN, "born": "1949-12-30"}
        assert refused(state, one, differ, DAY) == ("predicate_birth_dates_differ", {})
        told = ("predicate_no_birth_date", {"name": "age_over_18"})
        for facts in ({}, {"citizen_id": None}, {"citizen_id": "x"}, {"born": "1949-1-1"}, {"born": "19491231"}):
            assert refused(state, one, facts, DAY) == told
        bare = kind("age_over_18", face=(), holder_type="111")
        assert state(bare, {"citizen_id": CITIZEN}, DAY) == {"age_over_18": True}
        # The very day, from the code.
        day = date(1967, 12, 31)
        assert state(one, {"citizen_id": CITIZEN}, day) == {"age_not_over_18_until": "1967-12-31"}
        assert state(one, {"citizen_id": CITIZEN}, day + timedelta(days=1)) == {"age_over_18": True}
        # A holder of another kind has no such code.
        assert refused(state, kind("age_over_18"), {"citizen_id": CITIZEN}, DAY) == told


class TestReadAge:
    def read(self, claims, on, name="age_over_18"):
        return read(name, claims, issued_at=NOON, on=date.fromisoformat(on))

    def test_over_holds_for_ever_from_the_day_of_issue(self):
        for on, said in (("2025-05-31", UNKNOWN), ("2025-06-01", YES), ("2099-01-01", YES)):
            assert self.read({"age_over_18": True}, on) is said

    def test_not_over_holds_until_the_day(self):
        claims = {"age_not_over_18_until": "2025-06-03"}
        for on, said in (
            ("2025-05-31", UNKNOWN),
            ("2025-06-01", NO),
            ("2025-06-02", NO),
            ("2025-06-03", UNKNOWN),
            ("2025-06-04", UNKNOWN),
        ):
            assert self.read(claims, on) is said
        assert self.read(claims, "2025-06-01", "age_over_16") is UNKNOWN

    @pytest.mark.parametrize("value", [False, 1, "true", "yes", ""])
    def test_other_values_say_nothing(self, value):
        assert self.read({"age_over_18": value}, "2025-06-01") is UNKNOWN

    @pytest.mark.parametrize("value", [True, False, 1, "", "x2026-01-01", "2026-1-1", "2026-13-01", "20260101"])
    def test_other_days_say_nothing(self, value):
        assert self.read({"age_not_over_18_until": value}, "2025-06-01") is UNKNOWN

    def test_both_at_once_say_nothing(self):
        for first in (True, False):
            both = {"age_over_18": first, "age_not_over_18_until": "2026-01-01"}
            assert self.read(both, "2025-06-01") is UNKNOWN

    def test_the_day_of_issue_is_that_in_china(self):
        late = datetime(2025, 6, 1, 16, tzinfo=UTC)
        claims = {"age_over_18": True}
        assert read("age_over_18", claims, issued_at=late, on=date(2025, 6, 1)) is UNKNOWN
        assert read("age_over_18", claims, issued_at=late, on=date(2025, 6, 2)) is YES
        before = late - timedelta(seconds=1)
        assert read("age_over_18", claims, issued_at=before, on=date(2025, 6, 1)) is YES

    def test_what_is_no_predicate_says_nothing(self):
        for name in ("x", "age_over_0", "valid_on_x", "age_over_18x", "valid_on_KZ_AxB"):
            assert self.read({name: True}, "2025-06-01", name) is UNKNOWN
            assert self.read({name: False}, "2025-06-01", name) is UNKNOWN


class TestValid:
    @pytest.mark.parametrize(
        ("until", "ends", "value"),
        [
            ("2025-09-30", None, "2025-06-01/2025-09-30"),
            (" 2025-09-30 ", date(2025, 7, 1), "2025-06-01/2025-07-01"),
            ("2025-09-30", date(2026, 7, 1), "2025-06-01/2025-09-30"),
            ("2026-06-01", None, "2025-06-01/2026-06-01"),
            ("2026-06-02", date(2030, 1, 1), "2025-06-01/2026-06-01"),
            ("2025-06-01", None, "2025-06-01/2025-06-01"),
            ("2025-05-31", None, False),
            ("2025-09-30", date(2025, 5, 31), False),
            ("soon", None, False),
            ("", None, False),
            (None, None, False),
        ],
    )
    def test_is_said_by_the_earliest_of_its_ends(self, until, ends, value):
        assert state(kind(VALID), {"exam_until": until}, DAY, ends) == {VALID: value}

    def test_a_record_without_the_field_gives_none(self):
        assert state(kind(VALID), {}, DAY) == {VALID: False}

    @pytest.mark.parametrize(
        ("on", "said"),
        [
            ("2025-06-01", UNKNOWN),
            ("2025-06-02", YES),
            ("2025-06-03", YES),
            ("2025-06-04", YES),
            ("2025-06-05", UNKNOWN),
            ("2025-05-31", UNKNOWN),
        ],
    )
    def test_holds_from_its_first_day_to_its_last(self, on, said):
        assert read(VALID, {VALID: "2025-06-02/2025-06-04"}, issued_at=NOON, on=date.fromisoformat(on)) is said

    def test_false_stays_false(self):
        assert read(VALID, {VALID: False}, issued_at=NOON, on=DAY) is NO
        assert read(VALID, {VALID: False}, issued_at=NOON, on=DAY - timedelta(days=1)) is UNKNOWN

    @pytest.mark.parametrize(
        "value",
        ["2025-06-01", "2025-06-01/", "/2025-06-01", "x/2025-06-01", "2025-06-01/x", "2025-06-01/2025-06-01/2025-06-01",
         "2025-06-01 2025-06-30", True, 0, "", None],
    )  # fmt: skip
    def test_other_values_say_nothing(self, value):
        assert read(VALID, {VALID: value}, issued_at=NOON, on=DAY) is UNKNOWN
