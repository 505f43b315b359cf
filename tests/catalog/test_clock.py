"""Working days and clocks: the calendar of China as data, and deadlines counted on it."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.clock import (
    MAX_DAYS,
    RULE_CODES,
    SHANGHAI,
    Calendar,
    Clocks,
    day_of,
    due,
    load_calendar,
    load_profile,
)
from catalog.datafile import DATA_FAULTS, DataFault, DataFileInvalidError

CALENDAR = load_calendar()
NATIONAL = load_profile()
YEARS = (2024, 2025, 2026)
DAYS = st.dates(date(2023, 1, 1), date(2028, 12, 31))
NUMBERS = st.integers(0, 400)


def every_day(year):
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


@pytest.mark.parametrize("year", YEARS)
def test_the_packaged_years_agree_day_by_day_with_an_independent_calendar(year):
    wrong = [day for day in every_day(year) if CALENDAR.is_working(day) != chinese_calendar.is_workday(day)]
    assert wrong == []
    assert str(year) in CALENDAR.sources[year]


def test_the_product_itself_never_loads_the_independent_calendar_nor_yaml_for_a_calendar():
    script = (
        "import sys, catalog.clock; catalog.clock.load_calendar(); "
        "print(sorted({'chinese_calendar', 'yaml'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_shifted_weekends_are_worked_and_holidays_are_not():
    assert CALENDAR.is_working(date(2026, 2, 14))  # Saturday before the Spring Festival
    assert CALENDAR.is_working(date(2026, 9, 20))  # Sunday before the National Day
    assert not CALENDAR.is_working(date(2026, 10, 1))
    assert not CALENDAR.is_working(date(2026, 9, 19))
    assert CALENDAR.add(date(2026, 2, 13), 1) == date(2026, 2, 14)
    assert CALENDAR.add(date(2026, 2, 14), 1) == date(2026, 2, 24)
    assert CALENDAR.between(date(2026, 2, 13), date(2026, 2, 24)) == 2


def test_leap_days_and_turns_of_the_year():
    assert CALENDAR.add(date(2024, 2, 28), 1) == date(2024, 2, 29)
    assert CALENDAR.add(date(2024, 2, 29), 1) == date(2024, 3, 1)
    assert CALENDAR.add(date(2025, 2, 28), 1) == date(2025, 3, 3)
    assert CALENDAR.add(date(2024, 12, 31), 1) == date(2025, 1, 2)
    assert CALENDAR.add(date(2025, 12, 31), 1) == date(2026, 1, 4)  # 1 to 3 January off, Sunday the 4th worked


@given(DAYS, st.integers(-400, 400))
def test_between_is_the_inverse_of_add(day, number):
    assert CALENDAR.between(day, CALENDAR.add(day, number)) == number


@given(DAYS, NUMBERS.filter(bool))
def test_a_counted_day_is_a_working_day_and_going_back_returns(day, number):
    forward, back = CALENDAR.add(day, number), CALENDAR.add(day, -number)
    assert CALENDAR.is_working(forward)
    assert CALENDAR.is_working(back)
    if CALENDAR.is_working(day):
        assert CALENDAR.add(forward, -number) == day == CALENDAR.add(back, number)


@given(DAYS, DAYS, DAYS, NUMBERS)
def test_adding_is_monotone_and_counting_adds_up(a, b, c, number):
    a, b, c = sorted((a, b, c))
    assert CALENDAR.add(a, number) <= CALENDAR.add(b, number) < CALENDAR.add(b, number + 1)
    assert CALENDAR.between(a, c) == CALENDAR.between(a, b) + CALENDAR.between(b, c)


@given(DAYS, DAYS)
def test_counting_agrees_with_counting_on_fingers(a, b):
    a, b = sorted((a, b))
    days = [a + timedelta(days=n) for n in range(1, (b - a).days + 1)]
    assert CALENDAR.between(a, b) == sum(map(CALENDAR.is_working, days))


@given(DAYS, st.lists(DAYS), st.lists(DAYS))
def test_the_rules_hold_for_any_city_calendar(day, off, worked):
    worked = {d for d in worked if d.weekday() >= 5}
    calendar = Calendar(frozenset(off) - worked, frozenset(worked))
    assert calendar.between(day, calendar.add(day, 25)) == 25


def test_a_slip_of_the_pen_is_refused_rather_than_counted_for_ever():
    with pytest.raises(ValueError, match=str(MAX_DAYS)):
        CALENDAR.add(date(2026, 1, 1), MAX_DAYS + 1)


# Clocks.


def at(*parts, zone=SHANGHAI):
    return datetime(*parts, tzinfo=zone)


def test_the_day_of_the_event_is_not_counted_and_the_last_day_counts_whole():
    clock = due(NATIONAL, "application.reply.conditional", at(2026, 3, 2, 9, 30), CALENDAR)
    assert clock.due == at(2026, 3, 16, 23, 59, 59)
    assert clock.remind == at(2026, 3, 12)
    assert clock.verified
    one = due(NATIONAL, "application.reply.unconditional", at(2026, 3, 6, 23, 59), CALENDAR)
    assert (one.remind, one.due) == (at(2026, 3, 9), at(2026, 3, 9, 23, 59, 59))


def test_holidays_stop_the_clock():
    clock = due(NATIONAL, "application.reply.conditional", at(2026, 9, 24, 12), CALENDAR)
    # 28, 29, 30 September, 8, 9, 10 (a worked Saturday), 12, 13, 14, 15 October.
    assert clock.due.date() == date(2026, 10, 15)


def test_the_day_is_that_of_shanghai_whatever_the_zone_of_the_instant():
    before, after = datetime(2026, 3, 2, 15, 59, tzinfo=UTC), datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    assert (day_of(before), day_of(after)) == (date(2026, 3, 2), date(2026, 3, 3))
    rule = "application.reply.unconditional"
    assert due(NATIONAL, rule, before, CALENDAR).due.date() == date(2026, 3, 3)
    assert due(NATIONAL, rule, after, CALENDAR).due.date() == date(2026, 3, 4)
    elsewhere = after.astimezone(timezone(timedelta(hours=-11)))
    assert due(NATIONAL, rule, elsewhere, CALENDAR).due == due(NATIONAL, rule, after, CALENDAR).due
    with pytest.raises(ValueError, match="zone"):
        due(NATIONAL, rule, datetime(2026, 3, 2), CALENDAR)  # noqa: DTZ001 - that is the point


@given(st.integers(0, 3 * 365 * 86_400), st.sampled_from(RULE_CODES))
def test_a_reminder_lies_between_the_event_and_the_end(second, code):
    clock = due(NATIONAL, code, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second), CALENDAR)
    assert clock.started <= clock.remind < clock.due
    if NATIONAL.rule(code).unit == "working":
        assert CALENDAR.is_working(clock.due.date())
        assert CALENDAR.between(day_of(clock.started), clock.due.date()) == NATIONAL.rule(code).days


def test_a_year_of_which_only_weekends_are_known_makes_no_verified_deadline():
    rule = "application.reply.conditional"
    assert due(NATIONAL, rule, at(2026, 12, 10, 9), CALENDAR).verified
    assert not due(NATIONAL, rule, at(2026, 12, 25, 9), CALENDAR).verified
    assert not CALENDAR.knows(2027)
    assert not due(NATIONAL, "correction.reply", at(2026, 3, 2), CALENDAR).verified, "the rule itself is not verified"


def test_calendar_days_run_through_holidays():
    clock = due(NATIONAL, "grant.unused", at(2026, 9, 1), CALENDAR)
    assert clock.due.date() == date(2026, 11, 30)


def test_how_many_working_days_are_left():
    clocks = Clocks.default()
    ends = at(2026, 3, 16, 23, 59, 59)
    assert clocks.left(ends, at(2026, 3, 12, 8)) == 2
    assert clocks.left(ends, at(2026, 3, 16, 23)) == 0
    assert clocks.left(ends, at(2026, 3, 18, 1)) == -2
    assert clocks.due("demand.claim", ends) == due(NATIONAL, "demand.claim", ends, CALENDAR)


def test_every_profile_has_every_clock_and_says_where_its_numbers_are_from():
    for name in ("national", "local-2-5-10"):
        profile = load_profile(None, name)
        assert {rule.code for rule in profile.rules} == set(RULE_CODES)
        assert all(rule.source for rule in profile.rules)
    local = load_profile(None, "local-2-5-10")
    quick = ("application.reply.unconditional", "application.reply.conditional", "application.share")
    assert [local.rule(code).days for code in quick] == [2, 5, 10]
    assert [NATIONAL.rule(code).days for code in quick] == [1, 10, 20]
    assert local.rule("correction.reply") == NATIONAL.rule("correction.reply")
    with pytest.raises(KeyError):
        local.rule("coffee.break")


# A city's own files.


def faults_of(load, path):
    with pytest.raises(DataFileInvalidError) as caught:
        load(path)
    return [(fault.where, fault.code) for fault in caught.value.faults]


def test_a_city_calendar_is_read_in_the_same_form(tmp_path):
    path = tmp_path / "city.csv"
    path.write_text(
        "\ufeff# remark\r\n#year,2027,市政府办公厅通知，第 3 号\r\ndate,kind,name\r\n\r\n2027-03-03,holiday,三月三\r\n"
        "2027-03-06,workday,三月三\r\n2027-05-01,holiday,劳动节\r\n",
        encoding="utf-8",
    )
    calendar = load_calendar(path)
    assert calendar.knows(2027)
    assert not calendar.is_working(date(2027, 3, 3))
    assert calendar.is_working(date(2027, 3, 6))
    assert calendar.add(date(2027, 3, 2), 3) == date(2027, 3, 6)
    assert calendar.between(date(2027, 4, 30), date(2027, 5, 3)) == 1, "a holiday on a Saturday changes nothing"


def test_every_fault_of_a_calendar_is_told_with_its_line_in_one_pass(tmp_path):
    path = tmp_path / "city.csv"
    path.write_text(
        "date;kind;name\n#year,27,x\n#year,2026,\n2026-13-01,holiday,x\n2026-10-01,feast,x\n2026-05-11,workday,x\n"
        "2026-10-02,holiday,\n2026-10-02,holiday,x\n2026-10-03,holiday\n",
        encoding="utf-8",
    )
    assert faults_of(load_calendar, path) == [
        ("city.csv:1", "headings"),
        ("city.csv:2", "year_line"),
        ("city.csv:3", "year_line"),
        ("city.csv:4", "date"),
        ("city.csv:5", "kind"),
        ("city.csv:6", "worked_anyway"),
        ("city.csv:7", "name"),
        ("city.csv:8", "duplicate"),
        ("city.csv:9", "cells"),
        ("city.csv:5", "year_without_source"),
    ]


@pytest.mark.parametrize(
    ("data", "code"), [(b"date,kind,name\n\xc4\xfa", "encoding"), (b"#" * 1_000_001, "too_big"), (None, "unreadable")]
)
def test_a_file_that_cannot_be_read_says_so(tmp_path, data, code):
    path = tmp_path / "x.csv"
    if data is not None:
        path.write_bytes(data)
    assert faults_of(load_calendar, path) == [("x.csv", code)]


RULE = (
    "{code: demand.claim, days: 3, unit: working, starts: demand.submit, remind_before: 1, "
    'law: "", source: city, verified: false}'
)


def test_a_city_profile_is_read_and_its_faults_are_told(tmp_path):
    path = tmp_path / "clocks.yaml"
    rules = ", ".join(RULE.replace("demand.claim", code) for code in RULE_CODES)
    path.write_text(
        f'profiles:\n  city: {{version: "1", rules: [{rules}]}}\n'
        f'  fast: {{version: "2", extends: city, rules: [{RULE.replace("3", "1")}]}}\n',
        encoding="utf-8",
    )
    assert load_profile(path, "city").rule("demand.claim").days == 3
    assert load_profile(path, "fast").rule("demand.claim").days == 1
    assert load_profile(path, "fast").rule("demand.answer").days == 3
    assert faults_of(load_profile, path) == [("clocks.yaml", "profile_unknown")]  # it has no `national`


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("profiles: [", ["syntax"]),
        ("[" * 5_000, ["syntax"]),
        ("a: 1", ["shape"]),
        ("profiles: {national: 7}", ["shape"]),
        ("profiles: {national: {version: 1, rules: x, more: y}}", ["unknown", "shape", "shape"]),
        ('profiles: {national: {version: "1", extends: other, rules: []}}', ["extends"]),
        (f'profiles: {{national: {{version: "1", rules: [{RULE}]}}}}', ["rule_missing"] * (len(RULE_CODES) - 1)),
        (f'profiles: {{national: {{version: "1", rules: [{RULE}, {RULE}]}}}}', ["rule_twice"]),
        ('profiles: {national: {version: "1", rules: [{code: x}, 3]}}', ["missing"] * 7 + ["unknown", "shape"]),
        (
            'profiles: {national: {version: "1", rules: ['
            + RULE.replace("days: 3", "days: 0")
            .replace("unit: working", "unit: week")
            .replace("verified: false", "verified: maybe")
            .replace("remind_before: 1", "remind_before: true")
            .replace("source: city", "source: 5")
            + "]}}",
            ["shape"] * 5,
        ),
    ],
)
def test_a_profile_with_faults_is_refused_whole(tmp_path, text, codes):
    path = tmp_path / "clocks.yaml"
    path.write_text(text, encoding="utf-8")
    assert [code for _, code in faults_of(load_profile, path)] == codes


def test_every_fault_has_words_in_both_languages(tmp_path):
    words = {"detail", "limit", "expected", "expected_zh", "found", "value", "first", "member", "allowed"}
    params = tuple((name, "7") for name in (*words, "profile", "rule", "standard"))
    for code in DATA_FAULTS:
        fault = DataFault("f:1", code, params)
        assert fault.text("zh") != fault.text("en")
        assert "{" not in fault.text("zh") + fault.text("en")
    with pytest.raises(DataFileInvalidError) as caught:
        load_calendar(tmp_path / "none.csv")
    assert "none.csv" in str(caught.value)
    assert "无法读取" in caught.value.text("zh")
