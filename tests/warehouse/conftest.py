"""A small resource, batches landed the way connectors land them, and a warehouse below the test's own folder."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
from warehouse.engine import Warehouse
from warehouse.staging import StagedBatch

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

    def files(self, resource):
        from warehouse import table

        loaded = table.load(self.house._catalog, resource.code)
        return table.files_of(loaded, resource.code, loaded.metadata.current_snapshot_id)


@pytest.fixture
def loader(tmp_path):
    made = Loader(tmp_path)
    yield made
    made.house.close()


@pytest.fixture
def small_files(tmp_path):
    """A loader whose data files hold at most 100 rows."""
    made = Loader(tmp_path, rows_per_file=100)
    yield made
    made.house.close()


PAIR = (field("code", key=True, lookup=True), field("value"))
STAMPED = (*PAIR, field("changed", FieldKind.DATETIME))


def pairs(disposition, **more):
    return make_resource(disposition, PAIR, **more)


def stamped(**more):
    return make_resource(Disposition.MERGE, STAMPED, cursor_field="changed", **more)
