"""A small resource, batches landed the way connectors land them, and a warehouse below the test's own folder."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow

from catalog.model import (
    Cadence,
    Check,
    Disposition,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    ResourceFormat,
    ShareMethod,
    ShareType,
    SourceRef,
)
from tests.services.minio import minio
from tests.services.postgres import postgres, postgres_url
from warehouse import table as tables
from warehouse.bucket import Bucket
from warehouse.engine import Warehouse
from warehouse.snapshot import POSITION_DELETES
from warehouse.staging import StagedBatch
from warehouse.table import TableChange

__all__ = ["minio", "postgres", "postgres_url"]

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def field(name, kind=FieldKind.STRING, length=0, scale=0, **more):
    return Field(name, f"信息项{name}", FieldType(kind, length, scale), **more)


FIELDS = (
    field("code", length=12, key=True, lookup=True, nullable=False),
    field("name", length=20, nullable=False),
    field("amount", FieldKind.DECIMAL, 12, 2),
    field("count", FieldKind.INTEGER),
    field("day", FieldKind.DATE),
    field("seen", FieldKind.DATETIME),
    field("active", FieldKind.BOOLEAN),
    field("holder", check=Check.USCC, lookup=True),
)


def make_resource(disposition=Disposition.REPLACE, fields=FIELDS, code="r_test", budget=0.9, **source):
    return InformationResource(
        code=code,
        name="测试资源",
        name_en="Test resource",
        provider="D1",
        abstract="用于测试",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=disposition,
        source=SourceRef("s", "o", **source),
        fields=fields,
        error_budget=budget,
    )


def land(path, columns, rows, cursor=None):
    """Write *rows* (tuples of text or None in the order of *columns*) as a connector would; the staged batch."""
    arrays = {"_line": pa.array(range(1, len(rows) + 1), pa.int64())}
    for i, column in enumerate(columns):
        arrays[column] = pa.array([row[i] for row in rows], pa.string())
    pq.write_table(pa.table(arrays), path, compression="zstd")
    return StagedBatch(path, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(), len(rows), cursor)


class Loader:
    """Runs whole loads against one warehouse, each batch in a file of its own."""

    def __init__(self, root, **options):
        self.root = root
        self.house = Warehouse(root / "warehouse", threads=1, **options)
        self.numbers = iter(range(1_000_000))

    def stage(self, columns, rows, cursor=None):
        folder = self.root / "staging"
        folder.mkdir(parents=True, exist_ok=True)
        return land(folder / f"landed-{next(self.numbers)}.parquet", columns, rows, cursor)

    def check(self, resource, staged):
        return self.house.check(resource, staged, self.root / "staging", now=NOW)

    def load(self, resource, rows, cursor=None, columns=None):
        names = columns or [f.name for f in resource.fields]
        staged = self.stage(names, rows, cursor)
        self.house.ensure(resource)
        return self.house.commit(resource, staged, self.check(resource, staged))

    def rows(self, resource, snapshot_id=None, fields=()):
        return [tuple(r.values()) for r in self.house.scan(resource.code, snapshot_id, None, fields)]

    def table(self, resource):
        return tables.load(self.house._catalog, resource.code)

    def files(self, resource):
        loaded = self.table(resource)
        return tables.files_of(loaded, resource.code, loaded.metadata.current_snapshot_id)

    def delete_file(self, resource, places, name=None):
        """A local file of position deletes for *places*: pairs of a file of `files` and a position."""
        storage = self.house.storage
        folder = f"data/city/{resource.code}/data/{name or f'deletes-{next(self.numbers)}'}"
        path = storage.desk(f"{folder}/deletes.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = sorted((f.location, p) for f, p in places)
        schema = schema_to_pyarrow(POSITION_DELETES)
        pq.write_table(pa.table({"file_path": [r[0] for r in rows], "pos": [r[1] for r in rows]}, schema=schema), path)
        return path

    def delete(self, resource, places):
        """Commit a snapshot that deletes *places* by position; its id."""
        change = TableChange(self.table(resource), deletes=(self.delete_file(resource, places),))
        return tables.commit(self.house._room, [change], code=resource.code, facts={})[0]

    def stored(self, name=""):
        """The names of all files in the storage below *name*."""
        storage = self.house.storage
        return {storage.name(s.location) for s in storage.list(name)}


# What runs in both places, below a folder and on PostgreSQL and MinIO. There each takes seconds, so it is not all.
BOTH = {
    "test_first_load_holds_rows_cursor_counts_and_quarantine_in_one_snapshot",
    "test_the_same_batch_twice_is_once",
    "test_replace_updates_corrections_and_deletes_by_absence",
    "test_merge_upserts_deletes_by_flag_and_nothing_by_absence",
    "test_append_keeps_what_it_has_and_quarantines_a_record_that_changed",
    "test_a_new_column_grows_the_table_and_old_snapshots_stay_readable",
    "test_a_commit_that_was_reported_failed_is_unknown_and_a_rerun_finds_out",
    "test_a_writer_that_was_overtaken_gets_a_conflict_and_leaves_no_file",
    "test_the_answer_that_never_came_is_found_out_by_the_next_try",
    "test_tables_move_together_or_not_at_all",
    "test_every_reader_applies_them",
    "test_small_files_become_full_ones_and_no_row_changes",
    "test_what_only_the_expired_had_is_deleted_with_its_rejected_rows",
    "test_an_attempt_that_may_still_land_is_kept_until_the_table_moved_on",
    "test_young_files_and_named_ones_are_left_and_others_go",
    "test_a_sound_warehouse_has_no_findings",
    "test_data_file",
    "test_rejected_rows",
    "test_each_comes_in_once",
    "test_writers_of_one_table_at_once_lose_nothing_and_do_nothing_twice",
}
SERVED = pytest.param(
    "served", marks=[pytest.mark.slow, pytest.mark.service("postgresql"), pytest.mark.service("minio")]
)


def pytest_generate_tests(metafunc):
    if "home" in metafunc.fixturenames and metafunc.function.__name__ in BOTH:
        metafunc.parametrize("home", ["local", SERVED], indirect=True)


def bucket_of(minio, **more):
    """A new bucket as a warehouse's storage."""
    given = {"access_key": minio.access_key, "secret_key": minio.secret_key, "prefix": "city", "secure": False}
    return Bucket(minio.endpoint, minio.bucket(), **{**given, **more})


@pytest.fixture
def home(request):
    """Where a warehouse is kept, as options of `Warehouse`."""
    if getattr(request, "param", "local") == "local":
        return {}
    url, server = request.getfixturevalue("postgres_url"), request.getfixturevalue("minio")
    return {"catalog_uri": url, "storage": bucket_of(server)}


@pytest.fixture
def loader(tmp_path, home):
    made = Loader(tmp_path, **home)
    yield made
    made.house.close()


@pytest.fixture
def small_files(tmp_path, home):
    """A loader whose data files hold at most 100 rows."""
    made = Loader(tmp_path, rows_per_file=100, **home)
    yield made
    made.house.close()


PAIR = (field("code", key=True, lookup=True), field("value"))
STAMPED = (*PAIR, field("changed", FieldKind.DATETIME))


def pairs(disposition, **more):
    return make_resource(disposition, PAIR, **more)


def stamped(**more):
    return make_resource(Disposition.MERGE, STAMPED, cursor_field="changed", **more)
