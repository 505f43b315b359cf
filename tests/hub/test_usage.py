from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.control import Control, GrantUsage
from hub.evidence import Evidence
from hub.settings import Settings
from hub.usage import Usage, _add, count, day_of, next_day

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 12:00 in Shanghai


@pytest.fixture
def parts(tmp_path):
    settings = Settings.at(tmp_path)
    control = Control.open(settings)
    evidence = Evidence.open(settings)
    yield control, evidence
    evidence.log.close()
    control.close()


def answered(evidence, grant, at=NOON, kind="invocation.answered"):
    evidence.append(kind, at=at, facts={"grant": grant}, actor="MZ")


def counted(control):
    with control.reading() as connection:
        rows = connection.execute(sa.select(GrantUsage.grant, GrantUsage.day, GrantUsage.calls, GrantUsage.last_at))
        return {(row.grant, row.day): (row.calls, row.last_at) for row in rows}


def test_answered_calls_are_counted_by_grant_and_shanghai_day(parts):
    control, evidence = parts
    answered(evidence, "G1")
    answered(evidence, "G1,G2", NOON + timedelta(hours=1))
    answered(evidence, "G1", NOON + timedelta(hours=12))  # 00:00 of the next day in Shanghai
    answered(evidence, "G1", kind="invocation.denied")
    # Words of another kind that look like the mark of an answered call count for nothing.
    evidence.append("caller.admitted", facts={"name": '"kind":"invocation.answered"', "grant": "G1"})
    assert count(control, evidence.log) == 5
    assert counted(control) == {
        ("G1", "2026-03-02"): (2, NOON + timedelta(hours=1)),
        ("G2", "2026-03-02"): (1, NOON + timedelta(hours=1)),
        ("G1", "2026-03-03"): (1, NOON + timedelta(hours=12)),
    }


def test_counting_again_counts_nothing_twice(parts):
    control, evidence = parts
    answered(evidence, "G1")
    assert (count(control, evidence.log), count(control, evidence.log)) == (1, 0)
    answered(evidence, "G1", NOON - timedelta(hours=1))
    assert count(control, evidence.log) == 1
    assert counted(control) == {("G1", "2026-03-02"): (2, NOON)}


def test_a_crash_while_counting_counts_nothing(parts, monkeypatch):
    control, evidence = parts
    answered(evidence, "G1")
    answered(evidence, "G2")
    with monkeypatch.context() as patch:
        patch.setattr("hub.usage._add", _fail_second())
        with pytest.raises(RuntimeError):
            count(control, evidence.log)
    assert counted(control) == {}
    assert count(control, evidence.log) == 2


def _fail_second():
    seen = []

    def add(*arguments):
        seen.append(1)
        if len(seen) == 2:
            raise RuntimeError
        _add(*arguments)

    return add


def test_today_is_exact_whether_counted_before_or_not(parts):
    control, evidence = parts
    usage = Usage(control, evidence.log)
    assert usage.today("G1", NOON) == 0
    answered(evidence, "G1")
    assert usage.today("G1", NOON) == 1
    count(control, evidence.log)
    answered(evidence, "G1")
    assert usage.today("G1", NOON) == 2
    assert Usage(control, evidence.log).today("G1", NOON) == 2


def test_a_new_day_begins_at_midnight_in_shanghai(parts):
    control, evidence = parts
    usage = Usage(control, evidence.log)
    answered(evidence, "G1")
    late = NOON + timedelta(hours=12)
    assert usage.today("G1", late - timedelta(microseconds=1)) == 1
    assert usage.today("G1", late) == 0
    assert next_day(NOON) == late
    assert (day_of(late - timedelta(seconds=1)), day_of(late)) == ("2026-03-02", "2026-03-03")
