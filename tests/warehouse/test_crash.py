from __future__ import annotations

import multiprocessing
import os
import random
import resource as limits
import shutil
import signal

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bench import kills
from catalog.model import Disposition
from tests.warehouse.conftest import NOW, Loader, pairs, stamped
from warehouse import table as tables
from warehouse.engine import Warehouse
from warehouse.errors import CommitConflictError, CommitUnknownError, StorageFullError

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["warehouse.engine", "tests.warehouse.conftest"])


def load_once(root, resource, staged, index=True):
    """One whole load in a process of its own, as a task would run it."""
    house = Warehouse(root / "warehouse", threads=1, rows_per_file=200)
    house.ensure(resource)
    checked = house.check(resource, staged, root / "staging", now=NOW)
    done = house.commit(resource, staged, checked)
    if index:
        house.build_index(resource, done.snapshot_id)


def load_and_tell(root, resource, staged, answers):
    try:
        load_once(root, resource, staged, index=False)
    except CommitConflictError:
        answers.put("conflict")
    else:
        answers.put("done")


def load_with_small_disk(root, resource, staged, size_bytes, answers):
    limits.setrlimit(limits.RLIMIT_FSIZE, (size_bytes, size_bytes))
    try:
        load_once(root, resource, staged, index=False)
    except StorageFullError:
        answers.put("full")
    except BaseException as error:
        answers.put(repr(error))
        raise
    else:
        answers.put("done")


def state(house, resource):
    index = house.lookup(resource.code)
    rows = house.scan(resource.code)
    return rows, house.cursor(resource.code), [index.find("code", r["code"]) for r in rows[:5]]


@pytest.mark.parametrize("kind", ["replace", "merge"])
def test_killed_at_random_moments_and_run_again_it_is_as_if_undisturbed(tmp_path, kind):
    resource = stamped() if kind == "merge" else pairs(Disposition.REPLACE)
    columns = [f.name for f in resource.fields]
    first = [(f"{i:04d}", "1", "2024-01-01")[: len(columns)] for i in range(600)]
    second = [(f"{i:04d}", "2", "2024-01-02")[: len(columns)] for i in range(150, 800, 3)]
    cursors = ("2024-01-01", "2024-01-02") if kind == "merge" else (None, None)

    def prepare(name):
        loader = Loader(tmp_path / name, rows_per_file=200)
        loader.load(resource, first, cursors[0])
        return loader, loader.stage(columns, second, cursors[1])

    calm, staged = prepare("calm")
    load_once(calm.root, resource, staged)
    expected = state(calm.house, resource)
    chance = random.Random(20260301)
    hurt, staged = prepare("hurt")
    killed = 0
    for _ in range(5):
        child = SPAWN.Process(target=load_once, args=(hurt.root, resource, staged))
        child.start()
        child.join(chance.uniform(0.02, 0.6))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            killed += 1
        child.join()
    load_once(hurt.root, resource, staged)
    assert state(hurt.house, resource) == expected
    assert len(hurt.house.snapshots(resource.code)) == 2
    assert killed > 0


def test_of_two_processes_one_wins_and_the_other_runs_again_with_nothing_twice(tmp_path):
    resource = pairs(Disposition.MERGE)
    loader = Loader(tmp_path)
    loader.load(resource, [("start", "0")])
    batches = [loader.stage(["code", "value"], [(f"{n}-{i}", "1") for i in range(50)]) for n in range(2)]
    answers = SPAWN.Queue()
    children = [SPAWN.Process(target=load_and_tell, args=(tmp_path, resource, b, answers)) for b in batches]
    for child in children:
        child.start()
    told = [answers.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert "done" in told
    for staged in batches:
        load_once(tmp_path, resource, staged, index=False)
    assert loader.house.count(resource.code) == 101
    assert len({r["code"] for r in loader.house.scan(resource.code)}) == 101


def test_a_writer_that_was_overtaken_gets_a_conflict_and_leaves_no_file(loader, monkeypatch):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    slow = loader.stage(["code", "value"], [("a", "2"), ("b", "2"), (None, "x")])
    checked = loader.check(resource, slow)
    commit = tables.commit

    def overtaken(*args, **kwargs):
        monkeypatch.setattr(tables, "commit", commit)
        loader.load(resource, [("a", "3"), ("c", "3")])
        return commit(*args, **kwargs)

    monkeypatch.setattr(tables, "commit", overtaken)
    with pytest.raises(CommitConflictError):
        loader.house.commit(resource, slow, checked)
    assert loader.rows(resource) == [("a", "3"), ("c", "3")]
    assert not list(loader.house.root.rglob(f"{checked.batch_id[:24]}-*"))
    done = loader.house.commit(resource, slow, checked)
    assert (done.inserted, done.updated, done.already) == (1, 1, False)
    assert loader.rows(resource) == [("a", "2"), ("b", "2"), ("c", "3")]


def test_two_first_loads_at_once_one_wins(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    loader.house.ensure(resource)
    staged = loader.stage(["code", "value"], [("a", "1")])
    checked = loader.check(resource, staged)
    commit = tables.commit

    def overtaken(*args, **kwargs):
        monkeypatch.setattr(tables, "commit", commit)
        loader.load(resource, [("b", "1")])
        return commit(*args, **kwargs)

    monkeypatch.setattr(tables, "commit", overtaken)
    with pytest.raises(CommitConflictError):
        loader.house.commit(resource, staged, checked)
    assert loader.house.commit(resource, staged, checked).inserted == 1
    assert loader.rows(resource) == [("a", "1")]


@pytest.mark.parametrize("landed", [True, False])
def test_a_commit_that_was_reported_failed_is_unknown_and_a_rerun_finds_out(loader, monkeypatch, landed):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1")])
    staged = loader.stage(["code", "value"], [("a", "2"), ("b", "2")])
    checked = loader.check(resource, staged)
    real = tables.DurableSqlCatalog.commit_together

    def failing(self, *args, **kwargs):
        if landed:
            real(self, *args, **kwargs)
        raise ConnectionError("the catalogue went away")

    monkeypatch.setattr(tables.DurableSqlCatalog, "commit_together", failing)
    with pytest.raises(CommitUnknownError, match="delete nothing"):
        loader.house.commit(resource, staged, checked)
    monkeypatch.undo()
    assert loader.house.count(resource.code) == (2 if landed else 1)
    done = loader.house.commit(resource, staged, checked)
    assert (done.inserted, done.updated, done.already) == (1, 1, landed)
    assert loader.rows(resource) == [("a", "2"), ("b", "2")]
    assert len(loader.house.snapshots(resource.code)) == 2


@pytest.mark.parametrize("size_bytes", [300, 1500, 6000])
def test_a_full_disk_applies_nothing_and_a_rerun_succeeds(tmp_path, size_bytes):
    resource = pairs(Disposition.REPLACE)
    loader = Loader(tmp_path)
    chance = random.Random(7)
    loader.load(resource, [("a", "1")])
    before = loader.house.current_snapshot(resource.code)
    rows = [(f"{i:05d}", f"{chance.getrandbits(64):x}") for i in range(2000)]
    staged = loader.stage(["code", "value"], rows)
    answers = SPAWN.Queue()
    child = SPAWN.Process(target=load_with_small_disk, args=(tmp_path, resource, staged, size_bytes, answers))
    child.start()
    assert answers.get(timeout=120) == "full"
    child.join()
    assert loader.house.current_snapshot(resource.code) == before
    assert loader.rows(resource) == [("a", "1")]
    load_once(tmp_path, resource, staged)
    assert loader.rows(resource) == rows


@pytest.mark.parametrize("place", ["metadata", "catalogue"])
def test_a_disk_that_fills_up_while_committing_leaves_the_table_and_no_files(loader, monkeypatch, place):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1")])
    staged = loader.stage(["code", "value"], [("a", "2")])
    checked = loader.check(resource, staged)

    def full(*_args, **_kwargs):
        if place == "metadata":
            raise OSError(28, "No space left on device")
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    seam = "_write_metadata" if place == "metadata" else "commit_together"
    monkeypatch.setattr(tables.DurableSqlCatalog, seam, full)
    with pytest.raises(StorageFullError, match="free space"):
        loader.house.commit(resource, staged, checked)
    monkeypatch.undo()
    assert loader.rows(resource) == [("a", "1")]
    assert not list(loader.house.root.rglob(f"{checked.batch_id[:24]}-*"))
    assert loader.house.commit(resource, staged, checked).updated == 1


def test_other_failures_while_preparing_leave_no_files_either(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    loader.house.ensure(resource)
    staged = loader.stage(["code", "value"], [("a", "2")])
    checked = loader.check(resource, staged)
    from warehouse import merge

    def broken(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(merge.Merge, "write_quarantine", broken)
    with pytest.raises(KeyboardInterrupt):
        loader.house.commit(resource, staged, checked)
    assert not list(loader.house.root.rglob(f"{checked.batch_id[:24]}-*"))
    assert loader.house.current_snapshot(resource.code) is None


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_while_the_pointer_moves_deletes_nothing(loader, monkeypatch, after):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1")])
    staged = loader.stage(["code", "value"], [("a", "2"), ("b", "2")])
    checked = loader.check(resource, staged)
    real = Session.commit

    def interrupted(session):
        if after:
            real(session)
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "commit", interrupted)
    with pytest.raises(CommitUnknownError):
        loader.house.commit(resource, staged, checked)
    monkeypatch.undo()
    assert loader.rows(resource) == ([("a", "2"), ("b", "2")] if after else [("a", "1")])
    assert loader.house.commit(resource, staged, checked).already is after
    assert loader.rows(resource) == [("a", "2"), ("b", "2")]


def test_the_pointer_moves_only_after_its_files_are_synced(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    loader.house.ensure(resource)
    staged = loader.stage(["code", "value"], [("a", "2")])
    checked = loader.check(resource, staged)
    from warehouse import sql

    synced = set()
    real = sql.sync_file
    monkeypatch.setattr(sql, "sync_file", lambda path: (synced.add(path.resolve()), real(path)))
    done = loader.house.commit(resource, staged, checked)
    table = tables.load(loader.house._catalog, resource.code)
    snapshot = table.snapshot_by_id(done.snapshot_id)
    named = [table.metadata_location, snapshot.manifest_list, *(m.manifest_path for m in snapshot.manifests(table.io))]
    assert {tables.local_path(n).resolve() for n in named} <= synced
    parts = {p.name.removesuffix(".tmp") for p in synced}
    assert {f.path.name for f in loader.files(resource)} <= parts


def test_memory_is_bounded_by_spilling(tmp_path):
    loader = Loader(tmp_path, memory_mb=100)
    resource = pairs(Disposition.REPLACE)
    with loader.house._session(tmp_path / "spill") as con:
        assert con.execute("SELECT current_setting('memory_limit')").fetchone()[0] in {"95.3 MiB", "100.0 MB"}
        folder = con.execute("SELECT current_setting('temp_directory')").fetchone()[0]
        assert folder.startswith(str(tmp_path / "spill"))
    assert not any((tmp_path / "spill").iterdir())
    assert loader.load(resource, [(str(i), "x" * 50) for i in range(20_000)]).inserted == 20_000


def die_at(number, counting=None):
    """End this process, as a power cut does, right before its *number*-th write (0: only count them)."""
    seen = 0

    def watched(real):
        def call(*args, **kwargs):
            nonlocal seen
            seen += 1
            if counting is not None:
                counting.value = seen
            if seen == number:
                os._exit(9)
            return real(*args, **kwargs)

        return call

    os.fsync, os.replace, os.link = watched(os.fsync), watched(os.replace), watched(os.link)
    Session.commit = watched(Session.commit)


def commit_and_die(root, batch, number, counting):
    die_at(number, counting)
    house = Warehouse(root / "warehouse", threads=1, rows_per_file=100)
    house.commit(*batch)
    os._exit(0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scattered", "adopted"])
def test_killed_before_each_write_it_is_the_old_table_or_the_new_one(tmp_path, kind):
    resource = stamped()
    columns = [f.name for f in resource.fields]
    first = [(f"{i:04d}", "1", "2024-01-01") for i in range(500)]
    numbers = range(0, 500, 50) if kind == "scattered" else range(500, 600)
    second = [(f"{i:04d}", "2", "2024-01-02") for i in numbers]
    loader = Loader(tmp_path / "here", rows_per_file=100)
    loader.load(resource, first, "2024-01-01")
    staged = loader.stage(columns, second, "2024-01-02")
    checked = loader.check(resource, staged)
    old = loader.rows(resource), loader.house.changes(resource.code, None, 99)
    loader.house.close()
    shutil.copytree(loader.root, tmp_path / "pristine")
    count = SPAWN.Value("i", 0)

    def attempt(number):
        shutil.rmtree(loader.root)
        shutil.copytree(tmp_path / "pristine", loader.root)
        child = SPAWN.Process(target=commit_and_die, args=(loader.root, (resource, staged, checked), number, count))
        child.start()
        child.join()
        loader.house.close()
        return child.exitcode

    assert attempt(0) == 0
    new = loader.rows(resource), loader.house.changes(resource.code, None, 99)
    writes, landed = count.value, []
    assert writes > 15
    for number in range(1, writes + 1):
        assert attempt(number) == 9
        now = loader.rows(resource), loader.house.changes(resource.code, None, 99)
        assert now in (old, new)
        landed.append(now == new)
        done = loader.house.commit(resource, staged, checked)
        assert done.already is (now == new)
        assert (loader.rows(resource), loader.house.changes(resource.code, None, 99)) == new
        assert len(loader.house.snapshots(resource.code)) == 2
    # It lands at one moment and stays.
    assert landed == sorted(landed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", kills.DRILLS, ids=lambda d: d.name)
def test_every_kind_of_load_survives_being_killed(tmp_path, kind):
    tally = kills.run(tmp_path / "drill", kind, 2, random.Random(1))
    assert tally["killed"] == 2
    assert tally["DIFFERENT"] == 0


def commit_and_tell(root, batch, answers):
    try:
        with Warehouse(root / "warehouse", threads=1, rows_per_file=200) as house:
            house.commit(*batch)
    except CommitConflictError:
        answers.put("conflict")
    except BaseException as error:
        answers.put(repr(error))
        raise
    else:
        answers.put("done")


def test_of_two_processes_with_the_same_batch_it_is_in_once(tmp_path):
    resource = stamped()
    loader = Loader(tmp_path)
    loader.load(resource, [("start", "0", "2024-01-01")], "2024-01-01")
    staged = loader.stage(["code", "value", "changed"], [(f"{i}", "1", "2024-01-02") for i in range(50)], "2024-01-02")
    batch = resource, staged, loader.check(resource, staged)
    answers = SPAWN.Queue()
    children = [SPAWN.Process(target=commit_and_tell, args=(tmp_path, batch, answers)) for _ in range(3)]
    for child in children:
        child.start()
    told = {answers.get(timeout=120) for _ in children}
    for child in children:
        child.join()
    assert "done" in told <= {"done", "conflict"}
    assert loader.house.count(resource.code) == 51
    assert len(loader.house.snapshots(resource.code)) == 2
    assert [c.seq for c in loader.house.changes(resource.code, None, 99)] == list(range(1, 52))
