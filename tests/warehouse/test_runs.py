from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyiceberg.exceptions import CommitStateUnknownException

from warehouse import runs
from warehouse import table as tables
from warehouse.errors import CommitUnknownError
from warehouse.maintain import Policy
from warehouse.runs import Run

AT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def run(number, **more):
    given = {"resource": "r_test", "department": "D1", "run": f"run-{number}", "started": AT + timedelta(hours=number)}
    return Run(number, **{**given, **more})


def test_a_record_reads_back_as_it_was(loader):
    one = run(
        1,
        finished=AT + timedelta(hours=2),
        reasons={"bad_type:amount": 3, "空值:code": 1},
        read=10,
        seconds_extract=1.25,
        lag_s=0.5,
        snapshot=2**62,
        outcome="loaded",
    )
    assert loader.house.record_runs([one, run(2)]) == 2
    assert loader.house.runs() == [one, run(2)]
    assert loader.house.runs()[0].started.utcoffset() is not None


def test_each_comes_in_once(loader):
    rows = [run(1), run(2)]
    assert loader.house.record_runs(rows) == 2
    assert loader.house.record_runs(rows) == 0
    assert loader.house.record_runs([run(3), *rows, run(3)]) == 1
    assert [r.id for r in loader.house.runs()] == [1, 2, 3]
    assert loader.house.runs_recorded() == 3
    assert loader.house.record_runs([]) == 0


def test_an_unknown_outcome_is_cleared_up_by_calling_again(loader, monkeypatch):
    def answered_as_failed(session):
        session.commit()
        raise CommitStateUnknownException("gone")

    runs.ensure(loader.house._catalog)
    with monkeypatch.context() as patched:
        patched.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(answered_as_failed))
        with pytest.raises(CommitUnknownError):
            loader.house.record_runs([run(1)])
    assert loader.house.record_runs([run(1), run(2)]) == 1
    assert [r.id for r in loader.house.runs()] == [1, 2]


def test_of_two_writers_both_records_are_there(loader, monkeypatch):
    commit = tables.commit

    def overtaken(*args, **more):
        monkeypatch.setattr(tables, "commit", commit)
        loader.house.record_runs([run(1)])
        return commit(*args, **more)

    loader.house.record_runs([])
    monkeypatch.setattr(tables, "commit", overtaken)
    assert loader.house.record_runs([run(1), run(2)]) == 1
    assert [r.id for r in loader.house.runs()] == [1, 2]


def test_they_are_asked_by_id_time_and_resource(loader):
    loader.house.record_runs([run(i, resource="r_a" if i % 2 else "r_b") for i in range(1, 7)])
    ask = loader.house.runs
    assert [r.id for r in ask(after=4)] == [5, 6]
    assert [r.id for r in ask(since=AT + timedelta(hours=5))] == [5, 6]
    assert [r.id for r in ask(resource="r_a", limit=2)] == [1, 3]


def test_upkeep_keeps_the_mark(loader):
    for i in range(1, 10):
        loader.house.record_runs([run(i)])
    policy = Policy(keep_days=0)
    report = loader.house.maintain(runs.CODE, policy, datetime.now(UTC) + timedelta(days=9))
    assert (report.rewritten, report.written) == (9, 1)
    loader.house.maintain(runs.CODE, policy, datetime.now(UTC) + timedelta(days=9))
    assert loader.house.runs_recorded() == 9
    assert loader.house.record_runs([run(9), run(10)]) == 1
    assert [r.id for r in loader.house.runs()] == list(range(1, 11))
    assert loader.house.fsck(deep=True) == []


def test_a_row_of_the_control_database_is_taken_as_it_is(loader):
    row = {
        "id": 7,
        "resource": "r_test",
        "department": "D1",
        "run": "x",
        "batch_id": "b",
        "started": AT,
        "finished": None,
        "reasons": {"a:b": 1},
        "seconds": {"extract": 1.5, "commit": 0.25},
        "error_code": "storage_full",
        "cursor": "2026",
        "notes": {},
        "log_index": None,
        "lag_s": None,
    }
    loader.house.record_runs([row])
    (found,) = loader.house.runs()
    assert (found.batch, found.error, found.seconds_extract, found.seconds_commit) == ("b", "storage_full", 1.5, 0.25)
    assert found.finished is None
