"""The warehouse kept in shape: run records brought in once each, and whose turn it is to be compared."""

import os
from datetime import timedelta

import pytest
import sqlalchemy as sa

from catalog.model import Disposition, SourceRef
from connectors.errors import SourceDeniedError, SourceUnavailableError
from hub import alerts, loads, pauses, storing, upkeep
from hub.actors import Actor
from hub.control import BatchRow, Load, ReconciliationRow
from hub.office import Office
from hub.upkeep import FSCK_KEY, RETRIED_FOR, STAGED_FOR
from tests.hub.loads.records import record
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, NOW, make_list, resource
from warehouse.fsck import KINDS, Finding, Severity


@pytest.fixture
def office(world):
    # The world's tables are everybody's, and these tests write some.
    world.settings.warehouse.unlink()
    with Office.open(world.settings, clock=world.clock) as office:
        yield office


def recorded(office):
    with storing.open_warehouse(office.settings) as house:
        return [(run.id, run.outcome) for run in house.runs()]


def change(office, run, **values):
    with office.control.writing() as connection:
        connection.execute(sa.update(Load).where(Load.id == run).values(**values))


class TestRunRecords:
    def test_each_comes_in_once(self, office):
        record(office, read=5, accepted=4, rejected=1, reasons={"bad_type:name": 1}, mode="full", bytes=99, lag_s=3.5)
        assert upkeep.record_runs(office) == 1
        assert upkeep.record_runs(office) == 0
        with storing.open_warehouse(office.settings) as house:
            (run,) = house.runs()
        assert (run.read, run.rejected, dict(run.reasons), run.mode) == (5, 1, {"bad_type:name": 1}, "full")
        assert (run.bytes, run.lag_s, run.seconds_extract, run.started) == (99, 3.5, 1.5, NOW)

    def test_one_under_way_holds_those_after_it_up_and_loses_none(self, office):
        first, second, third = record(office), record(office, outcome=loads.RUNNING), record(office)
        assert upkeep.record_runs(office) == 1
        assert recorded(office) == [(first, "loaded")]
        change(office, second, outcome="unchanged", finished=NOW)
        assert upkeep.record_runs(office) == 2
        assert recorded(office) == [(first, "loaded"), (second, "unchanged"), (third, "loaded")]

    def test_one_that_failed_is_given_time_to_be_tried_again(self, office, world):
        run = record(office, outcome=loads.FAILED, error_code="SourceUnavailableError")
        record(office)
        assert upkeep.record_runs(office) == 0
        change(office, run, outcome="loaded", error_code=None)
        assert upkeep.record_runs(office) == 2
        lasting = record(office, outcome=loads.FAILED, error_code="SourceShapeError")
        world.clock.now = NOW + RETRIED_FOR + timedelta(minutes=1)
        assert upkeep.record_runs(office) == 1
        assert recorded(office)[-1] == (lasting, "failed")

    def test_one_that_was_killed_holds_nobody_up_for_ever(self, office, world):
        killed = record(office, outcome=loads.RUNNING)
        record(office)
        world.clock.now = NOW + STAGED_FOR - timedelta(minutes=1)
        assert upkeep.record_runs(office) == 0
        world.clock.now = NOW + STAGED_FOR
        assert upkeep.record_runs(office) == 2
        assert recorded(office)[0] == (killed, "running")

    def test_more_than_a_night_s_come_in_over_several(self, office, monkeypatch):
        monkeypatch.setattr(upkeep, "RUNS_AT_ONCE", 3)
        runs = [record(office) for _ in range(7)]
        assert [upkeep.record_runs(office) for _ in range(4)] == [3, 3, 1, 0]
        assert [run for run, _ in recorded(office)] == runs


def compared(office, code, days):
    counts = dict.fromkeys(("missing", "extra", "changed", "rejected", "source_rows", "table_rows"), 0)
    row = counts | {"resource": code, "at": NOW - timedelta(days=days), "snapshot": None, "seconds": 1.0, "report": ""}
    with office.control.writing() as connection:
        connection.execute(sa.insert(ReconciliationRow).values(log_index=1, **row))


class TestWhoseTurn:
    @pytest.fixture(autouse=True)
    def environment(self, world, monkeypatch):
        monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
        monkeypatch.setenv("ZHENGTONG_CONTROL_URL", world.settings.control_url)

    def codes(self, office, *dispositions):
        found = [
            resource(f"30601{number}/000001", disposition=disposition, source=SourceRef("s", "o"))
            for number, disposition in enumerate(dispositions)
        ]
        list_ = make_list(resources=tuple(found), responsibilities=(), matters=())
        publish_list(office.settings, office.control, office.evidence, list_, by="office")
        for one in found:
            record(office, resource=one.code)
        return [one.code for one in found]

    def test_the_longest_uncompared_comes_first_and_never_compared_before_all(self, office):
        new, old, newer = self.codes(office, *[Disposition.MERGE] * 3)
        compared(office, old, 30)
        compared(office, old, 9)
        compared(office, newer, 2)
        assert upkeep.due_for_reconciling() == {"source.s": [new, old, newer]}

    def test_what_was_never_loaded_or_is_only_appended_is_left_out(self, office):
        kept, appended = self.codes(office, Disposition.REPLACE, Disposition.APPEND)
        assert upkeep.due_for_reconciling() == {"source.s": [kept]}
        with office.control.writing() as connection:
            connection.execute(sa.delete(Load))
        assert upkeep.due_for_reconciling() == {}
        assert appended not in str(upkeep.due_for_reconciling())

    def test_the_source_of_what_is_held_back_is_not_read(self, office):
        held, other = self.codes(office, Disposition.REPLACE, Disposition.REPLACE)
        pauses.pause(office, held, Actor("GA", "data-engineer"), "检修")
        assert upkeep.due_for_reconciling() == {"source.s": [other]}

    def test_a_night_has_an_end(self, office, monkeypatch):
        monkeypatch.setattr(upkeep, "RECONCILED_A_NIGHT", 2)
        codes = self.codes(office, *[Disposition.REPLACE] * 3)
        assert upkeep.due_for_reconciling() == {"source.s": codes[:2]}

    def test_one_source_that_fails_keeps_none_waiting_and_a_second_try_does_what_is_left(self, office, monkeypatch):
        denied, down, one, two = self.codes(office, *[Disposition.REPLACE] * 4)
        since = office.now()
        compared(office, two, 0)
        failing = {
            denied: SourceDeniedError(problem="login_refused", where=denied),
            down: SourceUnavailableError(problem="cannot_connect", where=down),
        }
        asked = []

        def read(office, code, secrets):
            asked.append(code)
            if code in failing:
                raise failing[code]
            compared(office, code, 0)
            return {"resource": code}

        monkeypatch.setattr(upkeep, "reconcile", read)
        with pytest.raises(SourceUnavailableError):
            upkeep.reconcile_in_turn([denied, down, one, two], since)
        assert asked == [denied, down, one]
        del failing[down]
        with pytest.raises(SourceDeniedError):
            upkeep.reconcile_in_turn([denied, down, one, two], since)
        assert asked == [denied, down, one, denied, down]
        failing.clear()
        assert upkeep.reconcile_in_turn([denied, down, one, two], since) == [{"resource": denied}]


class TestFsck:
    def find(self, monkeypatch, *severities):
        codes = {kind.severity: code for code, kind in KINDS.items()}
        found = [Finding(codes[Severity(severity)], CODE) for severity in severities]
        monkeypatch.setattr("warehouse.engine.Warehouse.fsck", lambda *_, **__: found)

    def test_damage_opens_an_alert_and_a_sound_look_closes_it(self, office, monkeypatch):
        self.find(monkeypatch, "warning", "error")
        upkeep.fsck(office)
        (one,) = alerts.open_alerts(office.control)
        assert (one.key, one.resource, one.params["findings"]) == (FSCK_KEY, CODE, "1")
        self.find(monkeypatch, "warning")
        upkeep.fsck(office)
        assert alerts.open_alerts(office.control) == []

    def test_a_look_at_one_table_closes_nothing(self, office, monkeypatch):
        self.find(monkeypatch, "error")
        upkeep.fsck(office)
        self.find(monkeypatch)
        upkeep.fsck(office, [CODE])
        assert alerts.open_alerts(office.control)


def test_what_lies_staged_for_nobody_goes(office, world):
    staging = office.settings.staging
    old, young, other = (staging / code / name for code, name in ((CODE, "0" * 16), (CODE, "1" * 16), ("R", "named")))
    for folder in (old, young, other):
        (folder / "landed.parquet").mkdir(parents=True)
        (folder / "landed.parquet" / "part").write_text("x", encoding="utf-8")
    long_ago = (NOW - STAGED_FOR - timedelta(minutes=1)).timestamp()
    for folder in (old, other):
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (long_ago, long_ago))
    # One part that was just written, in a folder that was not.
    os.utime(young, (long_ago, long_ago))
    world.clock.now = NOW
    assert upkeep.clear_staged(office) == 1
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


def test_a_resource_that_was_never_loaded_has_nothing_to_maintain(office):
    done = upkeep.maintain(office, [CODE, EMPTY_CODE])
    assert set(done) == {"system.loads", "runs", "staged"}


def test_batches_that_have_had_their_time_are_swept_where_nobody_makes_any(office, world, monkeypatch):
    folder = world.settings.batches / "BOLD"
    folder.mkdir(parents=True)
    (folder / "part-0001.parquet").write_bytes(b"rows")
    row = dict.fromkeys(("department", "resource", "grant", "list_version", "form"), "x")
    row |= {"id": "BOLD", "state": "ready", "snapshot": 1, "plan": {}, "ordered_at": NOW - timedelta(days=4)}
    row |= {"log_index": 0, "rows_total": 1, "expires": NOW - timedelta(days=1)}
    with office.control.writing() as connection:
        connection.execute(sa.insert(BatchRow).values(**row))
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    assert upkeep.sweep_batches_once() == {"expired": 1}
    assert not folder.exists()
    assert upkeep.sweep_batches(office) == 0
