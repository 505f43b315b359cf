from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
from datetime import UTC, datetime, timedelta

import pytest
from pyiceberg.exceptions import CommitStateUnknownException
from sqlalchemy.exc import OperationalError

from catalog.model import Disposition
from tests.warehouse.conftest import NOW, Loader, bucket_of, pairs
from warehouse import bucket as buckets
from warehouse import storage as storages
from warehouse import table as tables
from warehouse.bucket import Bucket
from warehouse.engine import Warehouse
from warehouse.errors import (
    CatalogueUnavailableError,
    CommitConflictError,
    CommitUnknownError,
    StorageDamagedError,
    StorageUnavailableError,
)
from warehouse.maintain import Policy
from warehouse.storage import Folder
from warehouse.table import Move, TableChange

LATER = datetime.now(UTC) + timedelta(days=10)
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["warehouse.engine", "tests.warehouse.conftest"])


@pytest.fixture(
    params=["folder", pytest.param("bucket", marks=[pytest.mark.service("minio")])],
)
def storage(request, tmp_path):
    if request.param == "folder":
        return Folder(tmp_path / "kept").on(tmp_path / "desk")
    return bucket_of(request.getfixturevalue("minio")).on(tmp_path / "desk")


def put(storage, name, data=b"data"):
    path = storage.desk(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    location = storage.location(name)
    storage.publish(path, location)
    return location


class TestStorage:
    def test_a_file_is_there_whole_after_publishing_and_not_before(self, storage, tmp_path):
        local = tmp_path / "elsewhere"
        local.write_bytes(b"0123456789")
        location = storage.location("data/city/a/data/1/part.parquet")
        assert storage.stat(location) is None
        with pytest.raises(FileNotFoundError):
            storage.open_read(location)
        storage.publish(local, location)
        assert local.read_bytes() == b"0123456789"
        found = storage.stat(location)
        assert (found.location, found.size_bytes) == (location, 10)
        assert abs(found.modified - datetime.now(UTC)) < timedelta(minutes=5)
        with storage.open_read(location) as stream:
            stream.seek(4)
            assert stream.read(3) == b"456"

    def test_names_and_locations_belong_together(self, storage):
        name = "data/city/r_1/data/part-00000.parquet"
        assert storage.name(storage.location(name)) == name
        assert storages.relative(storage, storage.desk(name)) == name
        theirs = storage.location(name).replace("file://", "file:").replace("s3:", "s3a:")
        assert storage.known(theirs) == storage.known(storage.location(name)) == storage.location(name)

    def test_what_is_published_from_its_desk_stays_if_the_desk_is_the_place(self, storage):
        location = put(storage, "quarantine/a/1.parquet")
        assert storage.desk("quarantine/a/1.parquet").exists() == isinstance(storage, Folder)
        with storage.open_read(location) as stream:
            assert stream.read() == b"data"

    def test_lists_what_lies_below_a_folder_and_not_its_neighbours(self, storage):
        wanted = {put(storage, "data/a/1"), put(storage, "data/a/b/2")}
        put(storage, "data/ab/3")
        assert {s.location for s in storage.list("data/a")} == wanted
        assert [s.size_bytes for s in storage.list("data/ab")] == [4]
        assert not list(storage.list("nothing"))

    def test_deletes_what_is_there_and_does_not_mind_what_is_not(self, storage):
        one, other = put(storage, "data/t/data/1/x"), put(storage, "data/t/data/2/x")
        storage.delete([one, storage.location("data/t/data/none")])
        storage.delete([])
        assert storage.stat(one) is None
        assert storage.stat(other) is not None

    def test_a_file_of_another_size_than_was_written_is_not_settled(self, storage):
        location = put(storage, "data/t/1")
        storage.settle(location, 4)
        with pytest.raises(StorageDamagedError):
            storage.settle(location, 5)


def test_a_linked_file_is_as_old_as_its_place(tmp_path):
    storage = Folder(tmp_path)
    landed = tmp_path / "landed"
    landed.write_bytes(b"x")
    os.utime(landed, (0, 0))
    location = storage.location("data/t/data/1/part")
    storage.publish(landed, location)
    assert storage.stat(location).modified > datetime.now(UTC) - timedelta(minutes=5)


def test_the_last_file_of_an_attempt_takes_its_folder_along(tmp_path):
    storage = Folder(tmp_path)
    one, two = put(storage, "data/t/data/1/a"), put(storage, "data/t/data/1/b")
    storage.delete([one])
    assert (tmp_path / "data/t/data/1").exists()
    storage.delete([two])
    assert not (tmp_path / "data/t/data/1").exists()
    assert (tmp_path / "data/t/data").exists()


@pytest.mark.service("minio")
class TestBucket:
    def test_a_large_file_goes_in_parts_and_its_digest_is_compared(self, minio, tmp_path, monkeypatch):
        monkeypatch.setattr(buckets, "PART_BYTES", 5 << 20)
        storage = bucket_of(minio).on(tmp_path)
        data = os.urandom((11 << 20) + 7)
        location = put(storage, "data/big", data)
        with storage.open_read(location) as stream:
            assert stream.read() == data
        assert storage.stat(location).size_bytes == len(data)

    def test_what_arrives_otherwise_than_it_was_sent_is_told(self, minio, tmp_path, monkeypatch):
        storage = bucket_of(minio).on(tmp_path)
        real = storage._client.put_object

        def altered(bucket, key, data, size, **more):
            import io

            return real(bucket, key, io.BytesIO(b"!" * size), size, **more)

        monkeypatch.setattr(storage._client, "put_object", altered)
        with pytest.raises(StorageDamagedError):
            put(storage, "data/x")
        assert (tmp_path / "data/x").exists()

    def test_nobody_tells_the_keys(self, minio, tmp_path):
        good = bucket_of(minio).on(tmp_path)
        wrong = bucket_of(minio, secret_key="not-the-secret-word").on(tmp_path)
        assert minio.secret_key not in repr(good)
        told = []
        for attempt in (
            lambda: put(wrong, "data/x"),
            lambda: list(wrong.list("data")),
            lambda: wrong.open_read(wrong.location("data/x")),
            lambda: wrong.delete([wrong.location("data/x")]),
        ):
            with pytest.raises(StorageUnavailableError) as caught:
                attempt()
            told += [str(caught.value), caught.value.text("zh"), repr(caught.value)]
        assert not any("not-the-secret-word" in t or minio.secret_key in t for t in told)

    def test_a_store_that_is_not_there_is_told_as_such(self, tmp_path, monkeypatch):
        monkeypatch.setattr(buckets, "_TRIES", 1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = f"127.0.0.1:{probe.getsockname()[1]}"
            storage = Bucket(nobody, "bucket", access_key="a", secret_key="secret-word", secure=False).on(tmp_path)
            with pytest.raises(StorageUnavailableError, match="run again") as caught:
                put(storage, "data/x")
        assert "secret-word" not in str(caught.value)

    @pytest.mark.slow
    @pytest.mark.parametrize("moment", ["upload", "lists", "metadata"])
    def test_a_store_that_goes_between_file_and_commit_leaves_the_table_as_it_was(
        self, minio, tmp_path, monkeypatch, moment
    ):
        monkeypatch.setattr(buckets, "_TRIES", 1)
        loader = Loader(tmp_path, storage=bucket_of(minio))
        resource = pairs(Disposition.REPLACE)
        loader.load(resource, [("a", "1")])
        staged = loader.stage(["code", "value"], [("a", "2"), (None, "x")])
        checked = loader.check(resource, staged)
        owner, seam = {
            "upload": (Bucket, "publish"),
            "lists": (tables.NewSnapshot, "write"),
            "metadata": (tables.DurableSqlCatalog, "_write_metadata"),
        }[moment]
        real = getattr(owner, seam)

        def gone(*args, **more):
            minio.stop()
            return real(*args, **more)

        with monkeypatch.context() as patched:
            patched.setattr(owner, seam, gone)
            with pytest.raises(StorageUnavailableError):
                loader.house.commit(resource, staged, checked)
        minio.start()
        assert loader.rows(resource) == [("a", "1")]
        assert loader.house.commit(resource, staged, checked).updated == 1
        assert loader.rows(resource) == [("a", "2")]
        report = loader.house.maintain(resource.code, Policy(), LATER)
        assert (report.orphans > 0) == (moment != "upload")
        assert loader.house.fsck(now=LATER) == []
        loader.house.close()


class TestCommit:
    def test_the_answer_that_never_came_is_found_out_by_the_next_try(self, loader, monkeypatch):
        resource = pairs(Disposition.REPLACE)
        loader.load(resource, [("a", "1")])
        staged = loader.stage(["code", "value"], [("a", "2"), ("b", "2")])
        checked = loader.check(resource, staged)

        def answered_as_failed(session):
            session.commit()
            raise CommitStateUnknownException("the line was cut")

        with monkeypatch.context() as patched:
            patched.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(answered_as_failed))
            with pytest.raises(CommitUnknownError):
                loader.house.commit(resource, staged, checked)
        done = loader.house.commit(resource, staged, checked)
        assert (done.already, done.inserted, done.updated) == (True, 1, 1)
        assert loader.rows(resource) == [("a", "2"), ("b", "2")]
        assert loader.house.fsck(deep=True, now=LATER) == []

    def test_an_interrupt_while_the_pointer_moves_deletes_nothing(self, loader, monkeypatch):
        resource = pairs(Disposition.REPLACE)
        loader.load(resource, [("a", "1")])
        staged = loader.stage(["code", "value"], [("a", "2")])
        checked = loader.check(resource, staged)

        def interrupted(session):
            session.commit()
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(interrupted))
            with pytest.raises(CommitUnknownError):
                loader.house.commit(resource, staged, checked)
        assert loader.rows(resource) == [("a", "2")]
        assert loader.house.fsck(deep=True, now=LATER) == []

    def test_tables_move_together_or_not_at_all(self, loader):
        first, second = pairs(Disposition.MERGE), pairs(Disposition.MERGE, code="r_other")
        for resource in (first, second):
            loader.load(resource, [("a", "1"), ("b", "1")])
        stale = [loader.table(r) for r in (first, second)]
        files = [loader.files(r) for r in (first, second)]
        loader.load(second, [("c", "1")])
        before = loader.stored("data")

        def changes():
            return [
                TableChange(table, deletes=(loader.delete_file(r, [(found[0], 0)]),))
                for table, r, found in zip(stale, (first, second), files, strict=True)
            ]

        with pytest.raises(CommitConflictError):
            tables.commit(loader.house._room, changes(), code="r_test", facts={})
        assert loader.rows(first) == [("a", "1"), ("b", "1")]
        assert loader.stored("data") == before
        stale[1].refresh()
        ids = tables.commit(loader.house._room, changes(), code="r_test", facts={"by": "both"})
        assert [loader.table(r).metadata.current_snapshot_id for r in (first, second)] == ids
        assert loader.rows(first) == [("b", "1")]
        assert loader.rows(second) == [("b", "1"), ("c", "1")]

    def test_an_attempt_that_took_a_day_gives_up(self, loader, monkeypatch):
        resource = pairs(Disposition.REPLACE)
        loader.load(resource, [("a", "1")])
        staged = loader.stage(["code", "value"], [("a", "2")])
        checked = loader.check(resource, staged)
        real = tables.DurableSqlCatalog._write_ahead
        import time

        now = time.time

        def asleep(self, move, written):
            monkeypatch.setattr(tables.time, "time", lambda: now() + tables.ATTEMPT_S + 1)
            return real(self, move, written)

        with monkeypatch.context() as patched:
            patched.setattr(tables.DurableSqlCatalog, "_write_ahead", asleep)
            with pytest.raises(CommitConflictError):
                loader.house.commit(resource, staged, checked)
        monkeypatch.undo()
        assert loader.rows(resource) == [("a", "1")]
        assert loader.house.commit(resource, staged, checked).updated == 1


def load_until_done(root, home, resource, staged):
    """A load in a process of its own that runs again when another was first."""
    with Warehouse(root / "warehouse", threads=1, **home) as house:
        checked = house.check(resource, staged, root / f"staging-{os.getpid()}", now=NOW)
        for _ in range(20):
            with contextlib.suppress(CommitConflictError):
                house.commit(resource, staged, checked)
                return
    os._exit(1)


@pytest.mark.slow
def test_writers_of_one_table_at_once_lose_nothing_and_do_nothing_twice(loader, tmp_path, home):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("start", "0")])
    batches = [loader.stage(["code", "value"], [(f"{n}-{i}", "1") for i in range(20)]) for n in range(3)]
    # Two of them bring the same batch.
    children = [
        SPAWN.Process(target=load_until_done, args=(tmp_path, home, resource, b)) for b in (*batches, batches[0])
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [c.exitcode for c in children] == [0] * 4
    assert loader.house.count(resource.code) == 61
    assert [c.seq for c in loader.house.changes(resource.code)] == list(range(1, 62))
    assert loader.house.fsck(deep=True) == []


def test_a_catalogue_that_does_not_answer_is_told_as_such(tmp_path):
    url = "postgresql+psycopg://somebody:secret-word@127.0.0.1:1/none?connect_timeout=2"
    with Warehouse(tmp_path, catalog_uri=url) as house, pytest.raises(CatalogueUnavailableError) as caught:
        house.ensure(pairs(Disposition.REPLACE))
    assert "secret-word" not in str(caught.value)
    assert "secret-word" not in caught.value.text("zh")


def test_a_catalogue_that_goes_is_told_as_such(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1")])

    def gone(*_args, **_more):
        raise OperationalError("SELECT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(tables.DurableSqlCatalog, "load_table", gone)
    with pytest.raises(CatalogueUnavailableError):
        loader.house.cursor(resource.code)


class TestDeletes:
    def test_every_reader_applies_them(self, small_files):
        resource = pairs(Disposition.MERGE)
        small_files.load(resource, [(f"{i:04d}", "长" * 30) for i in range(250)])
        files = small_files.files(resource)
        small_files.delete(resource, [(files[0], 0), (files[0], 5), (files[1], 7)])
        second = small_files.delete(resource, [(files[2], 3)])
        table = small_files.table(resource)
        summary = table.snapshot_by_id(second).summary
        assert (summary["added-position-deletes"], summary["total-position-deletes"]) == ("1", "4")
        assert (summary["total-delete-files"], summary["total-records"], summary["zhengtong.total"]) == (
            "2",
            "250",
            "246",
        )
        kept = {r[0] for r in small_files.rows(resource)}
        gone = {f"{i:04d}" for i in range(250)} - kept
        assert len(gone) == 4
        assert "0000" in gone
        assert {r["code"] for r in table.scan().to_arrow().to_pylist()} == kept
        assert small_files.house.count(resource.code) == 246
        assert [f.records - f.rows for f in small_files.files(resource)] == [2, 1, 1]
        assert small_files.house.fsck(deep=True) == []

    def test_a_delete_file_goes_with_the_last_file_it_speaks_of(self, small_files):
        resource = pairs(Disposition.MERGE)
        small_files.load(resource, [(f"{i:04d}", "1") for i in range(250)])
        one, two, _ = small_files.files(resource)
        small_files.delete(resource, [(one, 0), (two, 0)])
        small_files.delete(resource, [(one, 1)])

        def remove(*gone):
            paths = {g.location for g in gone}
            removed = tuple(f for f in small_files.files(resource) if f.location in paths)
            change = TableChange(small_files.table(resource), removed=removed)
            tables.commit(small_files.house._room, [change], code=resource.code, facts={})
            return small_files.table(resource).current_snapshot().summary

        summary = remove(one)
        assert (summary["removed-delete-files"], summary["total-delete-files"]) == ("1", "1")
        assert summary["zhengtong.total"] == str(small_files.house.count(resource.code)) == str(250 - len_of(one) - 1)
        summary = remove(two)
        assert summary["total-delete-files"] == "0"
        assert small_files.house.fsck(deep=True) == []

    def test_manifests_are_merged_before_they_are_many(self, loader, monkeypatch):
        from warehouse import snapshot

        monkeypatch.setattr(snapshot, "MAX_MANIFESTS", 3)
        resource = pairs(Disposition.APPEND)
        for i in range(9):
            loader.load(resource, [(f"{i}", "1")])
        table = loader.table(resource)
        assert len(table.current_snapshot().manifests(table.io)) <= 5
        assert loader.house.count(resource.code) == 9
        first = next(s for s in table.metadata.snapshots if s.parent_snapshot_id is None)
        assert loader.house.count(resource.code, first.snapshot_id) == 1
        assert table.scan().to_arrow().num_rows == 9
        assert loader.house.fsck(deep=True) == []


def len_of(file):
    return file.records


def test_bounds_of_every_column_are_kept_and_long_text_is_cut(loader):
    from tests.warehouse.conftest import make_resource

    resource = make_resource()
    holder = "91110108551385082Q"
    row = ("a1", "名" * 20, "12.50", "7", "2024-01-05", "2024-01-05 08:00:00", "是", holder)
    loader.load(resource, [row, ("b1", "名" * 20, "-3.00", None, None, None, None, None)])
    (file,) = loader.files(resource)
    entry, schema = file.data_file, loader.table(resource).schema()
    assert set(entry.lower_bounds) == {f.field_id for f in schema.fields}
    assert entry.lower_bounds[1] == b"a1"
    assert entry.lower_bounds[2].decode() == "名" * 16
    assert entry.upper_bounds[2].decode() > "名" * 16
    assert entry.null_value_counts[4] == 1
    assert entry.sort_order_id == loader.table(resource).sort_order().order_id == 1


def test_a_file_without_the_tables_ids_is_not_taken(loader):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from warehouse.errors import StagedFileDamagedError

    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    path = loader.house.storage.desk(f"data/city/{resource.code}/data/foreign/x.parquet")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"code": ["b"], "value": ["1"]}), path)
    with pytest.raises(StagedFileDamagedError), contextlib.suppress(FileNotFoundError):
        tables.commit(loader.house._room, [TableChange(loader.table(resource), (path,))], code=resource.code, facts={})
    assert loader.rows(resource) == [("a", "1")]


def test_a_move_of_a_table_that_moved_on_leaves_no_metadata(loader):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    catalog, table = loader.house._catalog, loader.table(resource)
    from pyiceberg.exceptions import CommitFailedException
    from pyiceberg.table.update import AssertRefSnapshotId, SetPropertiesUpdate

    loader.load(resource, [("b", "1")])
    before = loader.stored("data")
    requirement = AssertRefSnapshotId(ref="main", snapshot_id=table.metadata.current_snapshot_id)
    with pytest.raises(CommitFailedException):
        catalog.commit_together([Move(table, (SetPropertiesUpdate(updates={"a": "b"}),), (requirement,))])
    assert loader.stored("data") == before
