from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime, timedelta

import pytest
from pyiceberg.exceptions import CommitStateUnknownException

from catalog.model import Disposition
from tests.warehouse.conftest import NOW, Loader, pairs, stamped
from warehouse import history, storage
from warehouse import table as tables
from warehouse.engine import Warehouse
from warehouse.errors import CommitUnknownError, TableMissingError
from warehouse.maintain import Policy

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["warehouse.engine", "tests.warehouse.conftest"])
LATER = datetime.now(UTC) + timedelta(days=10)
COMPACT = Policy(expire=False, clean=False, small_files=3)


def small_loads(loader, resource, count=5):
    for i in range(count):
        loader.load(resource, [(f"{i}{j}", str(i)) for j in range(8)])


class TestCompaction:
    def test_small_files_become_full_ones_and_no_row_changes(self, small_files):
        resource = pairs(Disposition.APPEND)
        small_loads(small_files, resource)
        before, loads = small_files.rows(resource), small_files.house.snapshots(resource.code)
        report = small_files.house.maintain(resource.code, COMPACT, LATER)
        # Its feed is a table of small files too.
        assert (report.rewritten, report.written) == (10, 2)
        (file,) = small_files.files(resource)
        assert file.rows == 40
        assert small_files.rows(resource) == before
        assert small_files.house.snapshots(resource.code) == loads
        snapshot = small_files.table(resource).current_snapshot()
        assert snapshot.summary.operation.value == "replace"
        assert snapshot.snapshot_id in report.snapshots
        assert small_files.house.fsck(deep=True) == []
        again = small_files.house.maintain(resource.code, COMPACT, LATER)
        assert (again.rewritten, again.snapshots) == (0, [])

    def test_holed_files_are_made_whole(self, small_files):
        resource = pairs(Disposition.MERGE)
        small_files.load(resource, [(f"{i:04d}", "1") for i in range(300)])
        files = small_files.files(resource)
        small_files.delete(resource, [(files[1], p) for p in range(30)])
        before = small_files.rows(resource)
        small_files.house.maintain(resource.code, COMPACT, LATER)
        assert sorted((f.rows, f.deletes) for f in small_files.files(resource)) == [(70, ()), (100, ()), (100, ())]
        assert small_files.rows(resource) == before
        summary = small_files.table(resource).current_snapshot().summary
        assert (summary["total-delete-files"], summary["total-position-deletes"]) == ("0", "0")
        assert small_files.house.fsck(deep=True) == []

    def test_the_cursor_and_the_batch_are_still_known(self, loader):
        resource = stamped()
        for i in range(4):
            batch = loader.stage(
                ["code", "value", "changed"], [(f"{i}", "1", f"2024-01-0{i + 1}")], f"2024-01-0{i + 1}"
            )
            loader.house.ensure(resource)
            checked = loader.check(resource, batch)
            loader.house.commit(resource, batch, checked)
        loader.house.maintain(resource.code, COMPACT, LATER)
        assert loader.house.cursor(resource.code) == "2024-01-04"
        assert loader.house.commit(resource, batch, checked).already
        assert [c.seq for c in loader.house.changes(resource.code)] == [1, 2, 3, 4]

    def test_a_load_that_comes_between_wins(self, small_files, monkeypatch):
        resource = pairs(Disposition.APPEND)
        small_loads(small_files, resource)
        commit = tables.commit

        def overtaken(*args, **more):
            monkeypatch.setattr(tables, "commit", commit)
            small_files.load(resource, [("new", "1")])
            return commit(*args, **more)

        monkeypatch.setattr(tables, "commit", overtaken)
        report = small_files.house.maintain(resource.code, COMPACT, LATER)
        assert report.overtaken == ["compact"]
        assert small_files.house.count(resource.code) == 41
        assert not [n for n in small_files.stored("data/city") if "upkeep-" in n]

    def test_nothing_is_lost_where_the_answer_is(self, small_files, monkeypatch):
        resource = pairs(Disposition.APPEND)
        small_loads(small_files, resource)
        before = small_files.rows(resource)

        def answered_as_failed(session):
            session.commit()
            raise CommitStateUnknownException("gone")

        with monkeypatch.context() as patched:
            patched.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(answered_as_failed))
            with pytest.raises(CommitUnknownError):
                small_files.house.maintain(resource.code, COMPACT, LATER)
        assert small_files.rows(resource) == before
        small_files.house.maintain(resource.code, Policy(), LATER)
        assert small_files.rows(resource) == before
        assert small_files.house.fsck(deep=True, now=LATER) == []


def aged(monkeypatch, loader, resource, rows, at):
    """Load *rows* at a moment of the past."""
    from pyiceberg.table import snapshots as made

    at = int(at.timestamp() * 1000)
    with monkeypatch.context() as patched:
        real = made.Snapshot.__init__

        def dated(self, **data):
            real(self, **{"timestamp_ms": at, **data})

        patched.setattr(made.Snapshot, "__init__", dated)
        return loader.load(resource, rows).snapshot_id


class TestExpiry:
    @pytest.fixture
    def old(self, loader, monkeypatch):
        """A resource with loads 2000, 1500, 900 and 100 days ago, each of which changes its one row."""
        resource = pairs(Disposition.REPLACE)
        now = datetime.now(UTC)
        ids = [
            aged(monkeypatch, loader, resource, [("a", str(age)), (None, f"bad {age}")], now - timedelta(days=age))
            for age in (2000, 1500, 900, 100)
        ]
        return resource, ids, now

    def test_what_was_in_force_in_the_audit_period_stays(self, loader, old):
        resource, ids, now = old
        report = loader.house.maintain(resource.code, Policy(keep_days=1095), now)
        kept = [s.snapshot_id for s in loader.house.snapshots(resource.code)]
        # The load of 1,500 days ago was in force until 900 days ago.
        assert kept == [ids[3], ids[2], ids[1]]
        assert loader.rows(resource, ids[1]) == [("a", "1500")]
        assert report.expired_snapshots >= 1
        assert report.expired_bytes > 0
        assert loader.house.snapshot_at(resource.code, now - timedelta(days=1000)) == ids[1]
        assert loader.house.fsck(deep=True, now=now) == []

    def test_what_only_the_expired_had_is_deleted_with_its_rejected_rows(self, loader, old):
        resource, ids, now = old
        path = loader.house.quarantine_file(resource.code, ids[0])
        before = loader.stored()
        loader.house.maintain(resource.code, Policy(keep_days=1), now)
        gone = before - loader.stored()
        assert {n.split("/")[0] for n in gone} == {"data", "quarantine"}
        assert len([n for n in gone if n.startswith("quarantine")]) == 3
        assert not path.exists()
        assert [s.snapshot_id for s in loader.house.snapshots(resource.code)] == [ids[3]]
        assert loader.house.fsck(deep=True, now=now) == []

    def test_named_snapshots_stay_whatever_their_age(self, loader, old):
        resource, ids, now = old
        asked = []

        def keep(code):
            asked.append(code)
            return [ids[0]]

        loader.house.maintain(resource.code, Policy(keep_days=0, keep=keep), now)
        assert set(asked) == {resource.code}
        assert [s.snapshot_id for s in loader.house.snapshots(resource.code)] == [ids[3], ids[0]]
        assert loader.rows(resource, ids[0]) == [("a", "2000")]
        assert loader.rows(resource) == [("a", "100")]

    def test_the_head_and_the_newest_load_stay_in_any_case(self, loader, old):
        resource, ids, _ = old
        far = datetime.now(UTC) + timedelta(days=5000)
        loader.house.maintain(resource.code, Policy(keep_days=0), far)
        assert [s.snapshot_id for s in loader.house.snapshots(resource.code)] == [ids[3]]
        assert loader.house.rejected(resource)[0].values["value"] == "bad 100"
        loader.load(resource, [("a", "now")])
        assert loader.rows(resource) == [("a", "now")]

    def test_a_feed_keeps_its_numbers(self, loader, old):
        resource, _, now = old
        before = loader.house.changes(resource.code)
        loader.house.maintain(resource.code, Policy(keep_days=0, small_files=2), now)
        assert loader.house.changes(resource.code) == before
        loader.load(resource, [("b", "1")])
        numbers = [c.seq for c in loader.house.changes(resource.code)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert loader.house.fsck(deep=True, now=now) == []

    def test_a_load_that_comes_between_is_not_disturbed(self, loader, old, monkeypatch):
        resource, ids, now = old
        real = tables.DurableSqlCatalog._write_ahead

        def overtaken(self, move, written):
            done = real(self, move, written)
            monkeypatch.undo()
            loader.load(resource, [("a", "between")])
            return done

        monkeypatch.setattr(tables.DurableSqlCatalog, "_write_ahead", overtaken)
        report = loader.house.maintain(resource.code, Policy(compact=False, clean=False), now)
        assert "expire" in report.overtaken
        assert loader.rows(resource) == [("a", "between")]
        assert loader.rows(resource, ids[0]) == [("a", "2000")]


def load_and_die(root, resource, staged, checked, number):
    """Commit in a process that ends itself before the write of this number, the last of which is no write any more."""
    left = [number]

    def count():
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)

    def dying(real):
        def wrapped(*args, **more):
            count()
            return real(*args, **more)

        return wrapped

    from pyiceberg.io import pyarrow as files

    from warehouse import sql

    sql.write_parquet = dying(sql.write_parquet)
    storage.Folder.publish = dying(storage.Folder.publish)
    files.PyArrowFile.create = dying(files.PyArrowFile.create)
    tables.DurableSqlCatalog._finish = staticmethod(dying(tables.DurableSqlCatalog._finish))
    house = Warehouse(root / "warehouse", threads=1, rows_per_file=100)
    house.commit(resource, staged, checked)
    count()
    os._exit(0)


class TestOrphans:
    @pytest.mark.slow
    def test_killed_at_each_write_nothing_that_counts_is_ever_deleted(self, tmp_path):
        """Cleaning ten days later, after a kill at every write of a commit; then the load runs again."""
        resource = pairs(Disposition.MERGE)
        loader = Loader(tmp_path, rows_per_file=100)
        loader.load(resource, [(f"{i:04d}", "0") for i in range(300)])
        landed = orphans = number = 0
        while True:
            number += 1
            rows = [(f"{number:04d}", f"n{number}"), (f"x{number:03d}", "new"), (None, "bad")]
            staged = loader.stage(["code", "value"], rows)
            checked = loader.check(resource, staged)
            before = loader.rows(resource)
            child = SPAWN.Process(target=load_and_die, args=(tmp_path, resource, staged, checked, number))
            child.start()
            child.join()
            after = loader.rows(resource)
            landed += after != before
            old = loader.house.maintain(resource.code, Policy(compact=False), LATER)
            orphans += old.orphans
            assert loader.rows(resource) == after
            assert [f for f in loader.house.fsck(now=LATER) if f.severity != "note"] == []
            done = loader.house.commit(resource, staged, checked)
            assert done.already == (after != before)
            assert loader.house.count(resource.code) == 300 + number
            if child.exitcode == 0:
                break
            assert child.exitcode == 9
        assert number > 10
        assert landed == 2
        assert orphans > 20
        # Whatever was left of attempts goes once the table has moved on.
        loader.house.maintain(resource.code, Policy(compact=False), LATER)
        assert loader.house.fsck(deep=True, now=LATER) == []
        loader.house.close()

    def test_an_attempt_that_may_still_land_is_kept_until_the_table_moved_on(self, loader, monkeypatch):
        resource = pairs(Disposition.MERGE)
        loader.load(resource, [("a", "1")])
        staged = loader.stage(["code", "value"], [("b", "2"), (None, "bad")])
        checked = loader.check(resource, staged)
        finish = tables.DurableSqlCatalog._finish
        reports = []

        def stopped_for_days(session):
            # SQLite lets nobody write meanwhile, and cleaning only reads.
            reports.append(loader.house.maintain(resource.code, Policy(compact=False, expire=False), LATER))
            finish(session)

        with monkeypatch.context() as patched:
            patched.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(stopped_for_days))
            loader.house.commit(resource, staged, checked)
        assert reports[0].orphans == 0
        assert loader.rows(resource) == [("a", "1"), ("b", "2")]
        assert loader.house.fsck(deep=True, now=LATER) == []

    def test_young_files_and_named_ones_are_left_and_others_go(self, loader):
        resource = pairs(Disposition.MERGE)
        loader.load(resource, [("a", "1")])
        before = loader.stored()
        stray = {f"data/city/{resource.code}/data/dead-0/part.parquet", f"quarantine/{resource.code}/dead-0.parquet"}
        for name in stray:
            path = loader.house.storage.desk(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"stray")
            loader.house.storage.publish(path, loader.house.storage.location(name))
        young = loader.house.maintain(resource.code, Policy(), datetime.now(UTC))
        assert (young.orphans, young.spared) == (0, 2)
        assert loader.stored() == before | stray
        old = loader.house.maintain(resource.code, Policy(), LATER)
        assert (old.orphans, old.orphan_bytes) == (2, 10)
        assert loader.stored() == before

    def test_a_part_landed_long_ago_is_as_young_as_its_place(self, loader):
        resource = pairs(Disposition.MERGE)
        loader.load(resource, [("a", "1")])
        landed = loader.root / "landed.parquet"
        landed.write_bytes(b"x")
        os.utime(landed, (0, 0))
        name = f"data/city/{resource.code}/data/under-way/part.parquet"
        loader.house.storage.publish(landed, loader.house.storage.location(name))
        assert loader.house.maintain(resource.code, Policy(), datetime.now(UTC)).orphans == 0
        assert name in loader.stored()

    def test_old_metadata_goes_and_the_last_versions_stay(self, loader):
        resource = pairs(Disposition.APPEND)
        for i in range(25):
            loader.load(resource, [(str(i), "1")])
        metadata = f"data/city/{resource.code}/metadata"
        loader.house.maintain(resource.code, Policy(compact=False), LATER)
        versions = [n for n in loader.stored(metadata) if n.endswith(".metadata.json")]
        assert len(versions) == 21
        assert loader.house.count(resource.code) == 25


def test_less_than_a_commit_may_take_is_no_policy():
    with pytest.raises(ValueError, match="orphan_days"):
        Policy(orphan_days=1)


def test_without_a_table_there_is_nothing_to_keep_in_order(loader):
    with pytest.raises(TableMissingError):
        loader.house.maintain("none", Policy(), NOW)


def test_what_killed_processes_left_on_the_machine_goes(loader):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    left = loader.house.root / "tmp" / "spill-dead" / "block"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    loader.house.maintain(resource.code, Policy(), datetime.now(UTC))
    assert left.exists()
    loader.house.maintain(resource.code, Policy(), LATER)
    assert not left.parent.exists()
    assert next(history.infos(loader.table(resource))).total == 1
