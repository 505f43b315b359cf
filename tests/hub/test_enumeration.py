from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.api.problems import headers_of, status_of
from hub.control import Control, VerifyMiss
from hub.enumeration import (
    Budget,
    ControlMisses,
    GuessesExhaustedError,
    Miss,
    MissesFullError,
    Windows,
    subjects_of,
)
from hub.errors import ControlUnavailableError
from tests.hub.databases import database
from tests.hub.world import make_list

__all__ = ["database"]

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def refused(budget, grant, subject, when):
    try:
        budget.check(grant, subject, when)
    except GuessesExhaustedError as error:
        return error.retry_after_s
    return 0


def test_after_the_last_miss_nothing_is_answered_until_the_first_is_an_hour_old():
    budget = Budget(3)
    for second in (0, 10, 20):
        budget.check("G1", "s", at(second))
        budget.missed("G1", "s", at(second))
    assert refused(budget, "G1", "s", at(20)) == 3580
    assert refused(budget, "G1", "s", at(3599)) == 1
    assert refused(budget, "G1", "s", at(3600)) == 0
    budget.missed("G1", "s", at(3600))
    assert refused(budget, "G1", "s", at(3600)) == 10


def test_other_grants_and_records_have_budgets_of_their_own():
    budget = Budget(1)
    budget.missed("G1", "s", T0)
    assert refused(budget, "G1", "s", T0)
    assert not refused(budget, "G2", "s", T0)
    assert not refused(budget, "G1", "t", T0)


def test_grants_put_together_in_other_ways_share_what_is_used_up():
    budget = Budget(2)
    budget.missed("G1,G2", "s", T0)
    budget.missed("G2,G3", "s", T0)
    assert refused(budget, "G2", "s", T0)
    assert refused(budget, "G3,G2", "s", T0)
    assert not refused(budget, "G1,G3", "s", T0)


def test_several_claims_of_one_call_count_each_and_none_counts_nothing():
    budget = Budget(5)
    budget.missed("G1", "s", T0, 0)
    budget.missed("G1", "s", T0, 4)
    assert not refused(budget, "G1", "s", T0)
    budget.missed("G1", "s", T0, 1)
    assert refused(budget, "G1", "s", T0)


def test_without_a_limit_nothing_is_refused():
    budget = Budget(0, most=1)
    for _ in range(9):
        budget.missed("G1", "s", T0)
        budget.check("G1", "s", T0)
        with budget.turn("G1", ["s"], T0) as missed:
            missed("s", 1)


def test_a_refusal_says_when_to_come_back():
    error = GuessesExhaustedError(12.2)
    assert (status_of(error), headers_of(error)) == (429, {"retry-after": "13"})
    assert "13" in error.text("zh")
    assert status_of(MissesFullError()) == 503


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 3)), max_size=30))
@settings(max_examples=25, deadline=None)
def test_no_hour_holds_more_than_the_limit_and_the_call_that_reached_it(steps):
    budget, told = Budget(5), []
    for second, count in sorted(steps):
        if not refused(budget, "G", "s", at(second)):
            budget.missed("G", "s", at(second), count)
            told.append((second, count))
        recent = [n for when, n in told if when + 3600 > second]
        assert sum(recent) - recent[-1] < 5 if recent else True


def test_when_full_what_has_ended_goes_and_else_everything_is_refused():
    budget = Budget(5, most=20)
    for second in range(18):
        budget.missed("G1", str(second), at(second))
    with pytest.raises(MissesFullError):
        budget.check("G1", "someone else", at(18))
    budget.missed("G1", "under way", at(18))
    budget.missed("G1", "under way too", at(18))
    with pytest.raises(MissesFullError):
        budget.missed("G1", "one too many", at(18))
    assert budget._windows.held == 20
    budget.check("G1", "someone else", at(3610))
    assert budget._windows.held == 9


def test_what_is_added_twice_counts_once_and_old_misses_not_at_all():
    windows = Windows(100, 10)
    for _ in range(2):
        assert windows.add(Miss(7, b"k", 50.0, 2), 60.0)
    assert windows.add(Miss(6, b"k", 0.0, 9), 100.0)
    assert windows.held == 1
    assert windows.wait_s(b"k", 3, 60.0) == 0
    assert windows.wait_s(b"k", 2, 60.0) == 90


def test_a_clock_set_back_forgets_nothing():
    budget = Budget(1)
    budget.missed("G1", "s", at(1000))
    assert refused(budget, "G1", "s", at(0)) == 4600


def test_calls_at_once_find_out_no_more_than_one_by_one():
    budget, started, told = Budget(5), threading.Barrier(12), []

    def guess():
        started.wait()
        try:
            with budget.turn("G1", ["s"], T0) as missed:
                missed("s", 1)
                told.append(1)
        except GuessesExhaustedError:
            pass

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(told) <= 5


def test_a_call_under_way_holds_its_place_and_gives_it_back():
    budget = Budget(2)
    budget.missed("G1", "s", T0)
    with budget.turn("G1", ["s"], T0):
        assert refused(budget, "G1", "s", T0) == 1
    assert not refused(budget, "G1", "s", T0)
    assert not budget._under_way


def test_a_record_is_the_same_however_it_was_asked_for():
    resource = make_list().resources[0]
    key = resource.key[0].name
    row = {f.name: "x" for f in resource.fields} | {key: "11010519491231002X"}
    seen = []
    subjects_of(resource, [row], lambda values: seen.append(values) or "hash")
    assert seen == [{"": resource.code, key: "11010519491231002X"}]


@pytest.fixture
def two(control):
    made = []

    def budget(limit=3, **more):
        made.append(Control(control.engine))
        return Budget(limit, misses=ControlMisses(made[-1]), **more)

    return budget


def test_another_process_sees_a_miss_at_its_next_reading(two):
    here, there = two(), two()
    assert not refused(there, "G1", "s", T0)
    here.missed("G1", "s", at(0), 3)
    assert not refused(there, "G1", "s", at(1))
    assert refused(there, "G1", "s", at(2)) == 3598
    assert refused(two(), "G1", "s", at(2)) == 3598


def test_misses_of_all_processes_add_up_and_each_counts_once(two):
    here, there = two(3), two(3)
    here.missed("G1", "s", at(0))
    there.missed("G1", "s", at(1))
    for second in (3, 6, 40, 80, 120):
        assert not refused(here, "G1", "s", at(second))
        assert not refused(there, "G1", "s", at(second))
    here.missed("G1", "s", at(121))
    assert refused(here, "G1", "s", at(121))
    assert refused(there, "G1", "s", at(123))


def test_a_miss_that_was_committed_late_is_still_found(control):
    late, there = ControlMisses(control), Budget(1, misses=ControlMisses(control))
    late.append(b"k" * 16, at(0), 1)
    with control.writing() as connection:
        connection.execute(sa.update(VerifyMiss).values(id=10))
    assert not refused(there, "G1", "s", at(1))
    here = Budget(1, misses=late)
    here.missed("G1", "s", at(2))
    with control.writing() as connection:
        connection.execute(sa.update(VerifyMiss).where(VerifyMiss.id != 10).values(id=5))
    assert refused(there, "G1", "s", at(4))


def test_an_ordinary_call_asks_the_database_nothing(control):
    asked = []
    sa.event.listen(control.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    budget = Budget(5, misses=ControlMisses(control))
    for tenth in range(20):
        budget.check("G1", "s", at(tenth / 10))
    assert len([text for text in asked if "verify_misses" in text]) == 1


def test_what_ended_is_deleted_now_and_then(control):
    misses = ControlMisses(control)
    for number in range(1, 101):
        misses.append(b"k" * 16, at(0 if number < 99 else 3 * 3600), 1)
    with control.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(VerifyMiss)).scalar_one() == 2


def test_what_others_cannot_be_told_counts_here_and_is_not_answered(settings, tmp_path):
    class Broken:
        def since(self, number, after, most):
            return []

        def append(self, key, at, count):
            raise ControlUnavailableError

    budget = Budget(1, misses=Broken())
    with pytest.raises(ControlUnavailableError):
        budget.missed("G1", "s", T0)
    assert refused(budget, "G1", "s", T0)


def test_what_others_counted_must_be_readable():
    class Broken:
        def since(self, number, after, most):
            raise ControlUnavailableError

    with pytest.raises(ControlUnavailableError):
        Budget(1, misses=Broken()).check("G1", "s", T0)
