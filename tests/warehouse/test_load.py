from __future__ import annotations

import json
from dataclasses import replace

import duckdb
import pytest

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import FIELDS, NOW, PAIR, Loader, field, make_resource, pairs, stamped
from warehouse.errors import (
    CommitConflictError,
    ErrorBudgetExceededError,
    SchemaIncompatibleError,
    SnapshotMissingError,
    SourceEmptiedError,
    StagedFileDamagedError,
    TableMissingError,
)
from warehouse.staging import Checked, Committed, StagedBatch

# Published in a licence identifier (GB/T 36904).
USCC = "11330105002500287C"
ROW = ("A1", "张三", "1.5", "7", "2024-01-05", "2024-01-05 08:00:00", "1", USCC)


def test_first_load_holds_rows_cursor_counts_and_quarantine_in_one_snapshot(loader):
    resource = make_resource()
    done = loader.load(resource, [ROW, ("A2", None, None, None, None, None, None, None)])
    assert (done.inserted, done.updated, done.deleted, done.unchanged, done.already) == (1, 0, 0, 0, False)
    (info,) = loader.house.snapshots(resource.code)
    assert info.snapshot_id == done.snapshot_id == loader.house.current_snapshot(resource.code)
    assert (info.read, info.accepted, info.rejected, info.inserted, info.total) == (2, 1, 1, 1, 1)
    assert loader.house.scan(resource.code) == [
        {
            "code": "A1",
            "name": "张三",
            "amount": "1.50",
            "count": 7,
            "day": "2024-01-05",
            "seen": "2024-01-05T08:00:00",
            "active": True,
            "holder": USCC,
        }
    ]
    path = loader.house.quarantine_file(resource.code, info.snapshot_id)
    assert path.is_relative_to(loader.house.root)
    (rejected,) = loader.house.rejected(resource)
    assert (rejected.line, [str(r) for r in rejected.reasons]) == (2, ["null_not_allowed:name"])
    assert rejected.values["code"] == "A2"
    assert rejected.batch_id == info.batch_id


def test_the_same_batch_twice_is_once(loader):
    resource = pairs(Disposition.MERGE)
    staged = loader.stage(["code", "value"], [("a", "1"), ("b", "2")])
    loader.house.ensure(resource)
    checked = loader.check(resource, staged)
    first = loader.house.commit(resource, staged, checked)
    again = loader.house.commit(resource, staged, checked)
    assert again == replace(first, already=True)
    assert len(loader.house.snapshots(resource.code)) == 1


def test_a_full_pull_without_a_change_makes_no_snapshot(loader):
    resource = pairs(Disposition.REPLACE)
    first = loader.load(resource, [("a", "1"), ("b", "2")])
    again = loader.load(resource, [("b", "2"), ("a", " 1 ")])
    assert (again.snapshot_id, again.unchanged, again.changed) == (first.snapshot_id, 2, 0)
    assert len(loader.house.snapshots(resource.code)) == 1
    assert len(list((loader.house.root / "quarantine").rglob("*.parquet"))) == 1


def test_an_empty_first_load_makes_a_snapshot_that_can_be_indexed(loader):
    resource = pairs(Disposition.REPLACE)
    done = loader.load(resource, [])
    assert done.snapshot_id is not None
    assert loader.house.count(resource.code) == 0
    assert loader.rows(resource) == []
    loader.house.build_index(resource, done.snapshot_id)
    assert loader.house.lookup(resource.code).find("code", "a") == []


def test_only_the_cursor_moving_makes_an_empty_snapshot(loader):
    resource = stamped()
    first = loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-01")
    files = [f.path for f in loader.files(resource)]
    second = loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-02")
    assert second.changed == 0
    assert second.snapshot_id != first.snapshot_id
    assert loader.house.cursor(resource.code) == "2024-01-02"
    assert [f.path for f in loader.files(resource)] == files


def test_a_load_without_a_cursor_keeps_the_cursor_in_force(loader):
    resource = stamped()
    loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-01")
    loader.load(resource, [("b", "1", "2024-01-01")])
    assert loader.house.cursor(resource.code) == "2024-01-01"


def test_replace_updates_corrections_and_deletes_by_absence(loader):
    resource = pairs(Disposition.REPLACE)
    before = loader.load(resource, [("a", "1"), ("b", "2"), ("c", "3")])
    done = loader.load(resource, [("a", "1"), ("b", "22"), ("d", "4")])
    assert (done.inserted, done.updated, done.deleted, done.unchanged) == (1, 1, 1, 1)
    assert loader.rows(resource) == [("a", "1"), ("b", "22"), ("d", "4")]
    assert loader.rows(resource, before.snapshot_id) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_replace_returning_to_an_earlier_content_is_applied_again(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1")])
    loader.load(resource, [("a", "2")])
    done = loader.load(resource, [("a", "1")])
    assert (done.updated, done.already) == (1, False)
    assert loader.rows(resource) == [("a", "1")]


def test_a_rejected_row_is_not_a_deleted_row(loader):
    fields = (PAIR[0], replace(PAIR[1], nullable=False))
    resource = make_resource(Disposition.REPLACE, fields)
    loader.load(resource, [("a", "1"), ("b", "2"), ("c", "3")])
    done = loader.load(resource, [("a", "1"), ("ｂ ", "")])
    assert (done.deleted, done.unchanged) == (1, 1)
    assert loader.rows(resource) == [("a", "1"), ("b", "2")]


def test_conflicting_rows_are_all_quarantined_and_the_table_keeps_what_it_had(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1"), ("b", "2")])
    done = loader.load(resource, [("a", "8"), ("a", "9"), ("b", "2"), ("b", "2")])
    assert done.changed == 0
    assert loader.rows(resource) == [("a", "1"), ("b", "2")]
    found = {(r.line, str(r.reasons[0])) for r in loader.house.rejected(resource)}
    # A repeat needs nobody's attention: the row that it repeats was taken. The file has it all the same.
    assert found == {(1, "conflicting_key:code"), (2, "conflicting_key:code")}
    path = loader.house.quarantine_file(resource.code, done.snapshot_id)
    assert {(r.line, str(r.reasons[0])) for r in loader.house.rejected_in(path)} == found | {(4, "duplicate_key:code")}


def test_a_clean_full_pull_clears_the_quarantine_that_is_in_force(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1"), (None, "2")])
    assert len(loader.house.rejected(resource)) == 1
    done = loader.load(resource, [("a", "1")])
    assert done.changed == 0
    assert loader.house.rejected(resource) == []


def test_merge_takes_the_newest_row_of_a_key_whatever_their_order(loader):
    resource = stamped()
    rows = [("a", "old", "2024-01-01"), ("a", "new", "2024-01-03"), ("a", "mid", "2024-01-02")]
    staged = loader.stage(["code", "value", "changed"], rows, "2024-01-03")
    loader.house.ensure(resource)
    checked = loader.check(resource, staged)
    assert (checked.accepted, checked.superseded, checked.rejected_rows) == (1, 2, 0)
    loader.house.commit(resource, staged, checked)
    assert loader.rows(resource, fields=["value"]) == [("new",)]


def test_merge_quarantines_different_rows_of_the_same_moment(loader):
    resource = stamped()
    loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-01")
    rows = [("a", "8", "2024-01-02"), ("a", "9", "2024-01-02"), ("b", "1", "2024-01-02")]
    done = loader.load(resource, rows, "2024-01-02")
    assert (done.inserted, done.updated) == (1, 0)
    assert loader.rows(resource, fields=["value"]) == [("1",), ("1",)]
    assert {str(r) for row in loader.house.rejected(resource) for r in row.reasons} == {"conflicting_key:code"}


def test_merge_upserts_deletes_by_flag_and_nothing_by_absence(loader):
    resource = stamped(deleted_field="gone", deleted_value="1")
    columns = ["code", "value", "changed", "gone"]
    loader.load(resource, [(k, "1", "2024-01-01", "0") for k in "abc"], "2024-01-01", columns)
    rows = [("a", "2", "2024-01-02", "0"), ("b", "", "2024-01-02", "1"), ("z", None, "2024-01-02", "1")]
    done = loader.load(resource, rows, "2024-01-02", columns)
    assert (done.inserted, done.updated, done.deleted) == (0, 1, 1)
    assert loader.rows(resource, fields=["code", "value"]) == [("a", "2"), ("c", "1")]
    assert loader.house.cursor(resource.code) == "2024-01-02"


def test_merge_a_tombstone_needs_its_key_alone(loader):
    fields = (PAIR[0], replace(PAIR[1], nullable=False), field("gone", FieldKind.BOOLEAN))
    resource = make_resource(Disposition.MERGE, fields, deleted_field="gone", deleted_value="true")
    loader.load(resource, [("a", "1", "0"), ("b", "1", "否")])
    staged = loader.stage(["code", "value", "gone"], [("a", None, "是"), (None, None, "1")])
    checked = loader.check(resource, staged)
    assert checked.reasons == (("null_key:code", 1),)
    assert loader.house.commit(resource, staged, checked).deleted == 1
    assert loader.rows(resource, fields=["code"]) == [("b",)]


def test_merge_everything_deleted_leaves_an_empty_table(loader):
    resource = make_resource(Disposition.MERGE, PAIR, deleted_field="gone", deleted_value="1")
    loader.load(resource, [("a", "1", "0")], columns=["code", "value", "gone"])
    done = loader.load(resource, [("a", None, "1")], columns=["code", "value", "gone"])
    assert done.deleted == 1
    assert loader.rows(resource) == []
    assert loader.house.count(resource.code) == 0
    assert loader.load(resource, [("b", "1", "0")], columns=["code", "value", "gone"]).inserted == 1


def test_append_keeps_what_it_has_and_quarantines_a_record_that_changed(loader):
    resource = pairs(Disposition.APPEND)
    loader.load(resource, [("a", "1"), ("b", "2")])
    done = loader.load(resource, [("b", "2"), ("a", "9"), ("c", "3"), ("", "4")])
    assert (done.inserted, done.updated, done.unchanged, done.quarantined) == (1, 0, 1, 1)
    assert loader.rows(resource) == [("a", "1"), ("b", "2"), ("c", "3")]
    found = [(r.line, str(r.reasons[0]), r.values["value"]) for r in loader.house.rejected(resource)]
    assert found == [(2, "appended_key_changed:code", "9"), (4, "null_key:code", "4")]
    assert loader.house.snapshots(resource.code)[0].rejected == 2


def test_append_recognises_a_batch_that_later_loads_followed(loader):
    resource = pairs(Disposition.APPEND)
    first = loader.load(resource, [("a", "1")])
    loader.load(resource, [("b", "2")])
    again = loader.load(resource, [("a", "1")])
    assert (again.already, again.snapshot_id) == (True, first.snapshot_id)


def test_a_batch_read_before_the_cursor_in_force_is_refused(loader):
    resource = make_resource(Disposition.MERGE, (*PAIR, field("no", FieldKind.INTEGER)), cursor_field="no")
    loader.load(resource, [("a", "1", "9")], cursor="9")
    loader.load(resource, [("a", "2", "10")], cursor="10")
    with pytest.raises(CommitConflictError, match="before the cursor"):
        loader.load(resource, [("a", "0", "8")], cursor="8")
    old = loader.load(resource, [("a", "1", "9")], cursor="9")
    assert old.already
    assert loader.rows(resource, fields=["value"]) == [("2",)]


def test_the_error_budget_stops_a_load_and_leaves_its_quarantine_file(loader):
    resource = pairs(Disposition.REPLACE, budget=0.25)
    loader.load(resource, [("a", "1")])
    with pytest.raises(ErrorBudgetExceededError, match="2 of 4 rows") as caught:
        loader.load(resource, [("a", "1"), ("b", "1"), (None, "1"), (" ", "1")])
    assert "null_key:code × 2" in caught.value.text("zh")
    kept = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(caught.value.checked.rejected)]).fetchone()
    assert kept == (2,)
    assert loader.rows(resource) == [("a", "1")]
    assert loader.load(resource, [("a", "2"), ("b", "1"), ("c", "1"), (" ", "1")]).inserted == 2


def test_a_delta_of_a_few_rows_is_not_stopped_by_one_bad_one(loader):
    resource = pairs(Disposition.APPEND, budget=0.05)
    assert loader.load(resource, [("a", "1"), (None, "1"), ("b", "1")]).inserted == 2
    with pytest.raises(ErrorBudgetExceededError):
        loader.load(resource, [("c", "1"), *[(None, str(i)) for i in range(4)]])


def test_a_full_pull_without_a_row_deletes_nothing(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1"), ("b", "1")])
    with pytest.raises(SourceEmptiedError, match="holds 2"):
        loader.load(resource, [])
    assert loader.rows(resource) == [("a", "1"), ("b", "1")]


def test_checking_again_overwrites_the_same_files_with_the_same_bytes(loader):
    resource = make_resource()
    rows = [ROW, ("B", None, *ROW[2:]), *[(f"C{i}", *ROW[1:]) for i in range(500)]]
    staged = loader.stage([f.name for f in FIELDS], rows)
    first = loader.check(resource, staged)
    before = {p: p.read_bytes() for p in (*first.good, first.rejected)}
    second = loader.check(resource, staged)
    assert second == first
    assert {p: p.read_bytes() for p in (*second.good, second.rejected)} == before
    assert sorted(p.name for p in first.rejected.parent.iterdir() if p.suffix == ".tmp") == []


@pytest.mark.parametrize("step", ["check", "commit", "commit-good", "gone", "rows"])
def test_a_file_that_is_not_the_one_handed_on_stops_the_load(loader, step):
    resource = pairs(Disposition.REPLACE)
    loader.house.ensure(resource)
    staged = loader.stage(["code", "value"], [("a", "1")])
    if step == "rows":
        staged = replace(staged, rows=2)
    checked = loader.check(resource, staged) if step.startswith("commit") else None
    if step == "gone":
        staged.path.unlink()
    elif step != "rows":
        target = checked.good[0] if step == "commit-good" else staged.path
        target.write_bytes(target.read_bytes()[:-1] + b"!")
    run, arguments = (loader.house.commit, [checked]) if checked else (loader.check, [])
    with pytest.raises(StagedFileDamagedError):
        run(resource, staged, *arguments)
    assert loader.house.current_snapshot(resource.code) is None


def test_checked_under_another_list_is_not_committed(loader):
    resource = pairs(Disposition.REPLACE)
    loader.house.ensure(resource)
    staged = loader.stage(["code", "value"], [("a", "1")])
    checked = loader.check(resource, staged)
    stricter = make_resource(Disposition.REPLACE, (PAIR[0], replace(PAIR[1], pattern="[2-9]")))
    with pytest.raises(StagedFileDamagedError, match="another list"):
        loader.house.commit(stricter, staged, checked)


def test_what_is_handed_between_tasks_survives_json(loader):
    resource = make_resource(Disposition.MERGE, PAIR, deleted_field="gone", deleted_value="1")
    staged = loader.stage(["code", "value", "gone"], [("a", " 1", "0"), (None, "1", "0")], "7")
    loader.house.ensure(resource)
    checked = loader.check(resource, staged)
    assert checked.normalised == (("value", 1),)
    done = loader.house.commit(resource, staged, checked)
    for value, type_ in ((staged, StagedBatch), (checked, Checked), (done, Committed)):
        assert type_.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_a_new_column_grows_the_table_and_old_snapshots_stay_readable(loader):
    old = pairs(Disposition.MERGE)
    first = loader.load(old, [("a", "1"), ("b", "2")])
    new = make_resource(Disposition.MERGE, (*PAIR, field("extra", FieldKind.INTEGER)))
    loader.house.ensure(new)
    loader.house.ensure(new)
    done = loader.load(new, [("b", "2", "5"), ("c", "3", None)])
    assert (done.inserted, done.updated) == (1, 1)
    assert loader.rows(new) == [("a", "1", None), ("b", "2", 5), ("c", "3", None)]
    assert loader.rows(new, first.snapshot_id) == [("a", "1", None), ("b", "2", None)]
    dropped = loader.load(old, [("c", "4")])
    assert dropped.updated == 1
    assert loader.rows(new) == [("a", "1", None), ("b", "2", 5), ("c", "4", None)]


def test_a_changed_type_and_a_changed_key_are_for_a_person(loader):
    loader.load(pairs(Disposition.MERGE), [("a", "1")])
    with pytest.raises(SchemaIncompatibleError, match="`value` was string"):
        loader.house.ensure(make_resource(Disposition.MERGE, (PAIR[0], field("value", FieldKind.INTEGER))))
    with pytest.raises(SchemaIncompatibleError, match="primary key"):
        loader.house.ensure(make_resource(Disposition.MERGE, (PAIR[0], replace(PAIR[1], key=True))))


def test_a_resource_without_a_table_is_said_to_have_none(loader):
    with pytest.raises(TableMissingError, match="`nothing`"):
        loader.house.scan("nothing")
    resource = pairs(Disposition.REPLACE)
    staged = loader.stage(["code", "value"], [("a", "1")])
    with pytest.raises(TableMissingError):
        loader.house.commit(resource, staged, loader.check(resource, staged))
    loader.load(resource, [("a", "1")])
    with pytest.raises(SnapshotMissingError, match="`12`"):
        loader.house.scan(resource.code, 12)


def test_a_lost_quarantine_file_is_noticed(loader):
    resource = pairs(Disposition.REPLACE)
    done = loader.load(resource, [("a", "1"), (None, "1")])
    path = loader.house.quarantine_file(resource.code, done.snapshot_id)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StagedFileDamagedError):
        loader.house.rejected(resource)


def test_an_initial_load_is_sorted_in_files_of_bounded_size(small_files):
    resource = pairs(Disposition.REPLACE)
    keys = [f"{i:04d}" for i in range(350)]
    small_files.load(resource, [(k, "1") for k in reversed(keys)])
    files = small_files.files(resource)
    read = [[r[0] for r in duckdb.execute("SELECT code FROM read_parquet(?)", [f.source]).fetchall()] for f in files]
    assert [len(part) for part in read] == [100, 100, 100, 50]
    assert all(part == sorted(part) for part in read)
    assert sorted(key for part in read for key in part) == keys


@pytest.mark.parametrize("disposition", [Disposition.REPLACE, Disposition.MERGE])
def test_a_small_change_rewrites_only_the_files_that_hold_it(small_files, disposition):
    resource = pairs(disposition)
    rows = [(f"{i:04d}", "1") for i in range(400)]
    small_files.load(resource, rows)
    before = {f.path for f in small_files.files(resource)}
    changed = [(k, "2") if k in {"0101", "0150"} else (k, v) for k, v in rows]
    done = small_files.load(resource, changed)
    after = {f.path for f in small_files.files(resource)}
    assert (done.updated, done.unchanged) == (2, 398)
    assert (len(before - after), len(after - before)) == (1, 1)
    assert small_files.rows(resource) == changed


def test_small_files_are_taken_along_before_they_become_many(small_files):
    resource = pairs(Disposition.APPEND)
    for i in range(14):
        small_files.load(resource, [(f"{i:04d}", "1")])
    assert len(small_files.files(resource)) <= 9
    assert small_files.house.count(resource.code) == 14
    assert len(small_files.rows(resource)) == 14


def test_files_carry_the_fields_ids_and_other_engines_read_them(loader):
    from warehouse import table

    resource = make_resource()
    loader.load(resource, [ROW, ("B", "李", "-0.07", "-1", "1949年10月1日", "1949-10-01T00:00:00Z", "否", None)])
    read = table.load(loader.house._catalog, resource.code).scan().to_arrow().sort_by("code").to_pylist()
    assert [str(r["amount"]) for r in read] == ["1.50", "-0.07"]
    assert read[1]["day"].isoformat() == "1949-10-01"
    assert read[1]["active"] is False
    assert read[0]["count"] == 7
    summary = table.load(loader.house._catalog, resource.code).current_snapshot().summary.additional_properties
    assert summary["zhengtong.checked-at"] == NOW.isoformat()


def test_the_warehouse_may_lie_in_a_folder_with_any_ordinary_name(tmp_path):
    loader = Loader(tmp_path / "数据 仓库 100%25")
    resource = pairs(Disposition.REPLACE, code="310000/民政:0001")
    loader.load(resource, [("a", "1")])
    done = loader.load(resource, [("a", "2"), ("b", "1")])
    loader.house.build_index(resource, done.snapshot_id)
    assert loader.rows(resource) == [("a", "2"), ("b", "1")]
    assert loader.house.lookup(resource.code).find("code", "b") == [{"code": "b", "value": "1"}]
    loader.house.close()
