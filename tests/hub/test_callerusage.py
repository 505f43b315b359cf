"""Calls by caller and day, from the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.callerusage import DAYS, CallerUsage
from hub.evidence import Evidence
from hub.settings import Settings

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00 in Shanghai
DAY = timedelta(days=1)


@pytest.fixture
def evidence(tmp_path):
    evidence = Evidence.open(Settings.at(tmp_path))
    yield evidence
    evidence.log.close()


def call(evidence, caller, at=NOON, kind="invocation.answered", **facts):
    evidence.append(kind, at=at, facts={"caller": caller, **facts}, actor="RS")


def counted(evidence, caller, now=NOON):
    usage = CallerUsage(evidence.log)
    assert usage.read_on(now) == 0
    return {day: calls for day, calls in usage.by_day(caller, now) if calls}


def test_answered_calls_are_counted_by_caller_and_shanghai_day(evidence):
    call(evidence, "S1")
    call(evidence, "S1", count=3)
    call(evidence, "S2")
    call(evidence, "S1", kind="invocation.denied")
    call(evidence, "S1", kind="caller.admitted", name='"kind":"invocation.answered"')
    call(evidence, "S1", NOON + timedelta(hours=12))  # 00:00 of the next day in Shanghai
    assert counted(evidence, "S1", NOON + DAY) == {"2026-03-02": 4, "2026-03-03": 1}
    assert counted(evidence, "S2") == {"2026-03-02": 1}
    assert counted(evidence, "S3") == {}


def test_every_day_is_there_oldest_first(evidence):
    days = CallerUsage(evidence.log).by_day("S1", NOON)
    assert [days[0][0], days[-1][0], len(days)] == ["2026-02-03", "2026-03-02", DAYS]


@pytest.mark.parametrize("older", [0, 1, 5, 60])
def test_what_is_older_is_not_read_and_nothing_newer_is_missed(evidence, older):
    for back in range(older):
        call(evidence, "S1", NOON - timedelta(days=100) + timedelta(hours=back))
    call(evidence, "S1", NOON - timedelta(days=DAYS - 1))
    call(evidence, "S1", NOON)
    assert counted(evidence, "S1") == {"2026-02-03": 1, "2026-03-02": 1}


def test_a_look_reads_a_stretch_and_the_next_goes_on(evidence):
    for _ in range(5):
        call(evidence, "S1")
    usage = CallerUsage(evidence.log)
    assert [usage.read_on(NOON, most=2) for _ in range(4)] == [3, 1, 0, 0]
    assert usage.by_day("S1", NOON)[-1][1] == 5
    call(evidence, "S1")
    assert usage.read_on(NOON) == 0
    assert usage.by_day("S1", NOON)[-1][1] == 6


def test_days_that_are_over_are_forgotten(evidence):
    call(evidence, "S1")
    usage = CallerUsage(evidence.log)
    usage.read_on(NOON)
    usage.read_on(NOON + 60 * DAY)
    assert usage.by_day("S1", NOON)[-1][1] == 0
