"""Which files a load writes: adopted, rewritten, or left with positions deleted."""

from __future__ import annotations

import errno
import os

import duckdb
import pyarrow.parquet as pq
import pytest

from bench import kills
from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import PAIR, Loader, field, make_resource, pairs, stamped
from warehouse import merge, reading

ROWS = [(f"{i:04d}", "1") for i in range(1000)]


def changed(every, value="2"):
    return [(k, value if i % every == 0 else v) for i, (k, v) in enumerate(ROWS)]


def shape(loader, resource):
    """For each file: rows left, records in it."""
    return [(f.rows, f.records) for f in loader.files(resource)]


@pytest.mark.parametrize("disposition", [Disposition.REPLACE, Disposition.MERGE])
def test_scattered_changes_delete_by_position_and_rewrite_nothing(small_files, disposition):
    resource = pairs(disposition)
    small_files.load(resource, ROWS)
    before = {f.location for f in small_files.files(resource)}
    wanted = changed(50)
    rows = wanted if disposition is Disposition.REPLACE else [r for r in wanted if r[1] == "2"]
    done = small_files.load(resource, rows)
    assert (done.updated, done.inserted, done.deleted) == (20, 0, 0)
    files = small_files.files(resource)
    assert before < {f.location for f in files}
    assert sorted(shape(small_files, resource)) == [(20, 20), *[(98, 100)] * 10]
    assert len({d for f in files for d in f.deletes}) == 1
    assert small_files.rows(resource) == wanted
    assert small_files.house.count(resource.code) == 1000
    small_files.house.build_index(resource, done.snapshot_id)
    assert small_files.house.lookup(resource.code).find("code", "0050") == [{"code": "0050", "value": "2"}]
    again = small_files.load(resource, changed(25, "3"))
    assert small_files.rows(resource) == changed(25, "3")
    assert again.updated == 40


def test_delete_files_are_what_the_spec_says(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, ROWS)
    small_files.load(resource, [r for r in changed(50) if r[1] == "2"])
    (source,) = {d for f in small_files.files(resource) for d in f.deletes}
    schema = pq.read_schema(source)
    ids = {f.name: int(f.metadata[b"PARQUET:field_id"]) for f in schema}
    assert ids == {"file_path": 2147483546, "pos": 2147483545}
    rows = duckdb.execute("SELECT file_path, pos FROM read_parquet(?)", [source]).fetchall()
    assert rows == sorted(rows)
    known = {f.location for f in small_files.files(resource)}
    assert {path for path, _ in rows} < known
    assert {pos for _, pos in rows} == {0, 50}
    read = small_files.table(resource).scan().to_arrow().sort_by("code").to_pylist()
    assert [(r["code"], r["value"]) for r in read] == changed(50)


def test_a_file_hit_thickly_is_rewritten_and_the_others_are_not(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, ROWS)
    hit = [(k, "2") for i, (k, _) in enumerate(ROWS) if i < 40 or i % 100 == 0]
    small_files.load(resource, hit)
    held = sorted(shape(small_files, resource))
    assert held.count((99, 100)) == 9
    assert sum(rows for rows, _ in held) == 1000
    assert small_files.house.count(resource.code) == 1000


def test_deletes_that_add_up_end_in_a_rewrite(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, ROWS)
    for turn in range(6):
        small_files.load(resource, [(k, str(turn + 2)) for i, (k, _) in enumerate(ROWS) if i % 20 == turn])
    assert all(rows > (1 - merge.REWRITE_SHARE) * records for rows, records in shape(small_files, resource))
    assert [r[1] for r in small_files.rows(resource)][:8] == ["2", "3", "4", "5", "6", "7", "1", "1"]


def test_few_files_are_simply_rewritten(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, ROWS)
    small_files.load(resource, [("0001", "2"), ("0101", "2")])
    assert all(not f.deletes for f in small_files.files(resource))
    assert sum(rows for rows, _ in shape(small_files, resource)) == 1000


def test_rows_deleted_at_scattered_places_leave_no_new_file(small_files):
    resource = make_resource(Disposition.MERGE, PAIR, deleted_field="gone", deleted_value="1")
    columns = ["code", "value", "gone"]
    small_files.load(resource, [(*r, "0") for r in ROWS], columns=columns)
    done = small_files.load(resource, [(k, None, "1") for k, _ in ROWS[::100]], columns=columns)
    assert done.deleted == 10
    assert shape(small_files, resource) == [(99, 100)] * 10
    assert small_files.house.snapshots(resource.code)[0].total == 990


def test_the_first_load_adopts_the_checked_files(small_files, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    staged = small_files.stage(["code", "value"], ROWS[:150])
    small_files.house.ensure(resource)
    checked = small_files.check(resource, staged)
    small_files.house.commit(resource, staged, checked)
    files = small_files.files(resource)
    assert [f.path.stat().st_ino for f in files] == [path.stat().st_ino for path in checked.good]
    for path in checked.good:
        path.unlink()
    assert small_files.rows(resource) == ROWS[:150]


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EMLINK])
def test_where_a_file_cannot_be_linked_it_is_copied(small_files, monkeypatch, error):
    resource = pairs(Disposition.APPEND)
    small_files.load(resource, ROWS[:150])

    def refused(*_args):
        raise OSError(error, "refused")

    monkeypatch.setattr(os, "link", refused)
    small_files.load(resource, ROWS[150:300])
    assert small_files.rows(resource) == ROWS[:300]
    monkeypatch.undo()
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        small_files.load(resource, ROWS[300:450])
    assert small_files.rows(resource) == ROWS[:300]


def test_new_rows_alone_are_adopted_and_known_ones_are_not_taken_twice(small_files):
    resource = stamped()
    rows = [(k, v, "2024-01-01 00:00:00") for k, v in ROWS]
    small_files.load(resource, rows[:100], cursor="1")
    before = small_files.files(resource)
    small_files.load(resource, rows[100:200], cursor="2")
    after = small_files.files(resource)
    assert {f.location for f in before} < {f.location for f in after}
    small_files.load(resource, rows[199:300], cursor="3")
    assert small_files.house.count(resource.code) == 300
    assert len({r[0] for r in small_files.rows(resource)}) == 300


def test_files_are_not_adopted_by_a_table_with_other_ids(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, ROWS[:50])
    grown = make_resource(Disposition.MERGE, (PAIR[0], field("extra", FieldKind.INTEGER), PAIR[1]))
    small_files.load(grown, [("new", "7", "1")])
    ids = {f.name: f.field_id for f in small_files.table(grown).schema().fields}
    assert ids == {"code": 1, "value": 2, "extra": 3}
    assert small_files.rows(grown, fields=["code", "value", "extra"])[-1] == ("new", "1", 7)
    with small_files.house._session(small_files.root / "tmp") as con:
        rows = reading.read_files(small_files.table(grown).schema(), small_files.files(grown), filename=True)
        places = con.execute(f"SELECT filename, file_row_number FROM {rows}").fetchall()
    assert {name for name, _ in places} == {f.source for f in small_files.files(grown)}
    assert sorted(n for _, n in places) == sorted([*range(50), 0])


def test_a_field_may_be_called_like_a_column_of_the_reader(tmp_path):
    fields = (field("code", key=True), field("filename"), field("position"))
    resource = make_resource(Disposition.MERGE, fields)
    loader = Loader(tmp_path)
    loader.load(resource, [("a", "x", "y")])
    loader.load(resource, [("a", "z", "y"), ("b", "x", "y")])
    assert loader.rows(resource) == [("a", "z", "y"), ("b", "x", "y")]


def test_a_window_never_puts_an_older_row_over_a_newer_one(loader):
    resource = stamped()
    loader.load(resource, [("a", "new", "2024-01-05"), ("b", "old", "2024-01-01")], cursor="2024-01-05")
    rows = [("a", "older", "2024-01-03"), ("b", "newer", "2024-01-02"), ("c", "1", "2023-01-01")]
    done = loader.load(resource, rows)
    assert (done.inserted, done.updated, done.unchanged, done.cursor) == (1, 1, 0, "2024-01-05")
    assert loader.rows(resource, fields=["code", "value"]) == [("a", "new"), ("b", "newer"), ("c", "1")]
    facts = loader.house.snapshots(resource.code)[0].facts
    assert (facts["window"], facts["superseded"]) == ("true", "1")
    assert int(facts["bytes"]) > 0
    loader.load(resource, [("a", "restored", "2024-01-04")], cursor="2024-01-06")
    assert loader.rows(resource, fields=["value"])[0] == ("restored",)
    assert "window" not in loader.house.snapshots(resource.code)[0].facts


def test_landed_parts_that_are_clean_become_data_files(tmp_path):
    (drill,) = (d for d in kills.DRILLS if d.name == "parts")
    resource = kills.resource(drill)
    loader = Loader(tmp_path, rows_per_file=kills.ROWS_PER_FILE)
    loader.house.ensure(resource)
    staged = kills.land_parts(tmp_path / "landed", range(10_000), "2026-01-02 00:00:00")
    checked = loader.check(resource, staged)
    assert checked.good == staged.files()
    loader.house.commit(resource, staged, checked)
    assert {f.path.stat().st_ino for f in loader.files(resource)} == {p.stat().st_ino for p in staged.files()}
    assert loader.house.count(resource.code) == 10_000
    assert loader.rows(resource)[7] == ("000007", 14, "2026-01-02T00:00:00")
