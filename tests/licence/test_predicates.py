from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential, predicates
from licence.errors import IssueRefusedError
from licence.issue import salts_needed
from licence.model import FaceField, FieldType
from licence.predicates import Answer, read, state
from tests.licence import world as w

BIRTH = FaceField("KZ_CSRQ", "出生日期", "born", required=False, type=FieldType.DATE)
EXAM = FaceField("KZ_TJYXQ", "体检有效期", "exam_until", required=False, type=FieldType.DATE)


def kind(*names, **changes):
    return replace(w.KIND, predicates=names, face=(*w.KIND.face, BIRTH, EXAM), holder_type="999", **changes)


def born(text):
    return w.FACTS | {"born": text, "citizen_id": "X"}


def noon(day):
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


BORN = "2007-03-02"


@pytest.mark.parametrize(
    ("day", "claims"),
    [
        ("2025-03-03", {"age_over_18": True}),
        ("2025-03-02", {"age_not_over_18_until": "2025-03-02"}),
        ("2025-03-01", {"age_not_over_18_until": "2025-03-02"}),
        ("2025-02-27", {"age_not_over_18_until": "2025-03-01"}),
        ("2024-03-03", {"age_not_over_18_until": "2025-03-01"}),
        ("2024-03-02", {"age_not_over_18_until": "2025-03-02"}),
        ("2020-01-01", {"age_not_over_18_until": "2020-12-31"}),
    ],
)
def test_over_18(day, claims):
    assert state(kind("age_over_18"), born(BORN), date.fromisoformat(day)) == claims


@pytest.mark.parametrize(
    ("day", "over"), [("2022-02-27", None), ("2022-02-28", None), ("2022-03-01", None), ("2022-03-02", True)]
)
def test_born_on_a_leap_day(day, over):
    claims = state(kind("age_over_18"), born("2004-02-29"), date.fromisoformat(day))
    assert claims.get("age_over_18") is over
    assert claims.get("age_not_over_18_until", "") <= "2022-02-28"


DAYS = st.dates(date(1960, 1, 1), date(2020, 12, 31))


@settings(max_examples=25, deadline=None)
@given(
    born_on=DAYS, after=st.integers(0, 20000), later=st.integers(-400, 9000), years=st.sampled_from([14, 16, 18, 60])
)
def test_what_is_said_later_is_never_wrong(born_on, after, later, years):
    day = born_on + timedelta(days=after)
    on = day + timedelta(days=later)
    name = f"age_over_{years}"
    claims = state(kind(name), born(born_on.isoformat()), day)
    said = read(name, claims, issued_at=noon(day), on=on)
    age = on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))
    assert len(claims) == 1
    assert said is not (Answer.YES if age < years else Answer.NO)
    if on >= day and name in claims:
        assert said is Answer.YES


def test_a_minor_is_not_told_apart_by_more_than_a_year_ahead():
    day = date(2020, 1, 1)
    same = [state(kind("age_over_18"), born(d), day) for d in ("2007-03-02", "2010-12-31", "2019-06-01")]
    assert same[0] == same[1] == same[2]


def test_reading_before_issue_and_unshown():
    day = date(2025, 6, 1)
    claims = state(kind("age_over_18"), born(BORN), day)
    assert read("age_over_18", claims, issued_at=noon(day), on=day) is Answer.YES
    assert read("age_over_18", claims, issued_at=noon(day), on=day - timedelta(days=1)) is Answer.UNKNOWN
    assert read("age_over_18", {}, issued_at=noon(day), on=day) is Answer.UNKNOWN
    assert read("age_over_16", claims, issued_at=noon(day), on=day) is Answer.UNKNOWN
    assert read("no_predicate", {"no_predicate": True}, issued_at=noon(day), on=day) is Answer.UNKNOWN


@pytest.mark.parametrize("value", [False, "true", "2030-01-01", "yes"])
def test_other_values_say_nothing_of_age(value):
    day = date(2025, 6, 1)
    assert read("age_over_18", {"age_over_18": value}, issued_at=noon(day), on=day) is Answer.UNKNOWN


NAME = "valid_on_KZ_TJYXQ"


@pytest.mark.parametrize(
    ("until", "ends", "value"),
    [
        ("2025-09-30", None, "2025-06-01/2025-09-30"),
        ("2025-09-30", date(2025, 7, 1), "2025-06-01/2025-07-01"),
        ("2099-09-30", None, "2025-06-01/2026-06-01"),
        ("2025-06-01", None, "2025-06-01/2025-06-01"),
        ("2025-05-31", None, False),
        ("", None, False),
    ],
)
def test_valid_on(until, ends, value):
    day = date(2025, 6, 1)
    claims = state(kind(NAME), w.FACTS | {"exam_until": until}, day, ends)
    assert claims == {NAME: value}
    for days in (0, 29, 30, 121, 122, 365, 366):
        on = day + timedelta(days=days)
        said = read(NAME, claims, issued_at=noon(day), on=on)
        last = min(filter(None, (until, ends and ends.isoformat())), default="")
        if on.isoformat() > last:
            assert said is not Answer.YES
        elif value is not False and days < 365:
            assert said is Answer.YES


@pytest.mark.parametrize("value", ["2025-06-01", "2025-06-01/", "x/y", "2025-06-01/2025-13-01", "a/b/c", True])
def test_other_values_say_nothing_of_validity(value):
    day = date(2025, 6, 1)
    assert read(NAME, {NAME: value}, issued_at=noon(day), on=day) is Answer.UNKNOWN


@pytest.mark.parametrize(
    "name", ["age_over_0", "age_over_018", "age_over_151", "age_under_18", "valid_on", "valid_on_KZ_ZJCX", "x", ""]
)
def test_unknown_names(name):
    with pytest.raises(IssueRefusedError) as caught:
        state(kind(name), born(BORN), date(2025, 1, 1))
    assert caught.value.code == "predicate_unknown"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"born": ""}, "predicate_no_birth_date"),
        ({"born": "2007-02-30"}, "predicate_no_birth_date"),
        ({"born": "1949-12-30", "citizen_id": "11010519491231002X"}, "predicate_birth_dates_differ"),
    ],
)
def test_birth_date_missing_or_contradictory(changes, code):
    facts = born("") | changes
    with pytest.raises(IssueRefusedError) as caught:
        state(replace(kind("age_over_18"), holder_type="111"), facts, date(2025, 1, 1))
    assert caught.value.code == code
    assert "1949" not in caught.value.text("zh") + str(caught.value)


def test_age_of_an_organisation_is_refused():
    with pytest.raises(IssueRefusedError):
        state(replace(w.KIND, predicates=("age_over_18",), holder_type="001"), w.FACTS, date(2025, 1, 1))


def test_issued_and_shown_alone(world):
    with_two = replace(w.KIND, predicates=("age_over_18", "age_over_80"))
    sealed = w.seal(world.agriculture, kind=with_two)
    whole = credential.parse(sealed.credential)
    part = credential.parse(whole.present(["age_over_18"]))
    assert part.claims == {"age_over_18": True}
    assert whole.claims["age_not_over_80_until"] == "2026-03-01"
    issued_at = datetime.fromtimestamp(part.issued_at, UTC)
    assert read("age_over_18", part.claims, issued_at=issued_at, on=date(2027, 1, 1)) is Answer.YES
    assert salts_needed(with_two) == salts_needed(w.KIND) + 2


def test_the_issuer_computes_it_again(world):
    with_one = replace(w.KIND, predicates=("age_over_18",))
    claims = credential.parse(w.seal(world.agriculture, kind=with_one).credential).claims
    again = state(with_one, w.FACTS, w.ISSUED.date(), w.UNTIL.date())
    assert {n: claims[n] for n in again} == again


def test_other_kinds_keep_their_bytes(world, sealed):
    plain = credential.parse(sealed.credential)
    with_one = credential.parse(w.seal(world.agriculture, kind=replace(w.KIND, predicates=("age_over_18",))).credential)
    assert with_one.disclosures[: len(plain.disclosures)] == plain.disclosures
    assert predicates.state(w.KIND, w.FACTS, date(2025, 1, 1)) == {}
