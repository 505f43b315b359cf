"""Rows that change or go are kept as they were, with the time until which they held."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import PAIR, STAMPED, field, make_resource, pairs, stamped
from warehouse import reading
from warehouse.errors import SourceEmptiedError

COLUMNS = ["code", "value", "changed", "gone"]


def timed(**more):
    return make_resource(
        Disposition.SCD2, STAMPED, cursor_field="changed", deleted_field="gone", deleted_value="1", **more
    )


def load(loader, resource, rows, day, columns=COLUMNS, cursor=None):  # noqa: PLR0917 - read as a sentence
    """One load, checked at 02:00 local time of that day of March 2026."""
    staged = loader.stage(columns, rows, cursor)
    loader.house.ensure(resource)
    now = datetime(2026, 3, day - 1, 18, tzinfo=UTC)
    return loader.house.commit(resource, staged, loader.house.check(resource, staged, loader.root / "s", now=now))


def versions(loader, resource):
    """(key, value, from, to) of every version, times as day and hour of March 2026."""
    table, files = loader.table(resource), loader.files(resource)
    with loader.house._session(loader.root / "tmp") as con:
        return con.execute(
            f"SELECT code, value, strftime(_valid_from, '%d %H'), strftime(_valid_to, '%d %H') "
            f"FROM {reading.read_files(table.schema(), files)} ORDER BY code, _valid_from NULLS FIRST"
        ).fetchall()


def test_a_change_closes_the_version_at_the_cursors_time_and_opens_the_next(loader):
    resource = timed()
    load(loader, resource, [("a", "1", "2026-03-01 09:00:00", "0"), ("b", "1", None, "0")], 2, cursor="1")
    done = load(loader, resource, [("a", "2", "2026-03-02 10:00:00", "0")], 3, cursor="2")
    assert (done.inserted, done.updated, done.deleted) == (0, 1, 0)
    assert versions(loader, resource) == [
        ("a", "1", "01 09", "02 10"),
        ("a", "2", "02 10", None),
        ("b", "1", "02 02", None),
    ]
    assert loader.rows(resource, fields=["code", "value"]) == [("a", "2"), ("b", "1")]
    loader.house.build_index(resource, done.snapshot_id)
    assert [r["value"] for r in loader.house.lookup(resource.code).find("code", "a")] == ["2"]


def test_a_deletion_closes_and_a_return_opens_again(loader):
    resource = timed()
    load(loader, resource, [("a", "1", "2026-03-01 09:00:00", "0")], 2, cursor="1")
    assert load(loader, resource, [("a", None, "2026-03-02 09:00:00", "1")], 3, cursor="2").deleted == 1
    assert versions(loader, resource) == [("a", "1", "01 09", "03 02")]
    assert loader.rows(resource) == []
    assert loader.house.count(resource.code) == 0
    # It came back at nine, before the load that closed it; what its source says now holds, from that end on.
    load(loader, resource, [("a", "1", "2026-03-02 23:00:00", "0")], 4, cursor="3")
    assert versions(loader, resource) == [("a", "1", "01 09", "03 02"), ("a", "1", "03 02", None)]


def test_the_same_row_again_changes_nothing(loader):
    resource = timed()
    row = ("a", "1", "2026-03-01 09:00:00", "0")
    load(loader, resource, [row], 2, cursor="1")
    done = load(loader, resource, [row], 3, cursor="2")
    assert (done.changed, done.unchanged) == (0, 1)
    assert versions(loader, resource) == [("a", "1", "01 09", None)]


def test_a_late_row_becomes_a_version_of_the_past(loader):
    resource = timed()
    for day in (1, 5, 9):
        row = ("a", f"v{day}", f"2026-03-0{day} 00:00:00", "0")
        load(loader, resource, [row], day + 1, cursor=str(day))
    done = load(loader, resource, [("a", "late", "2026-03-03 00:00:00", "0")], 11)
    assert (done.inserted, done.updated, done.deleted, done.cursor) == (0, 1, 0, "9")
    assert versions(loader, resource) == [
        ("a", "v1", "01 00", "03 00"),
        ("a", "late", "03 00", "05 00"),
        ("a", "v5", "05 00", "09 00"),
        ("a", "v9", "09 00", None),
    ]
    assert [str(c.kind) for c in loader.house.changes(resource.code, None, 9)][-1] == "correction"
    load(loader, resource, [("a", "first", "2026-02-27 00:00:00", "0")], 12)
    assert versions(loader, resource)[:2] == [("a", "first", "27 00", "01 00"), ("a", "v1", "01 00", "03 00")]
    assert loader.rows(resource, fields=["value"]) == [("v9",)]


def test_a_late_row_that_contradicts_a_version_of_its_moment_is_quarantined(loader):
    resource = timed()
    load(loader, resource, [("a", "v1", "2026-03-01 00:00:00", "0")], 2, cursor="1")
    load(loader, resource, [("a", "v2", "2026-03-02 00:00:00", "0")], 3, cursor="2")
    rows = [("a", "other", "2026-03-01 00:00:00", "0"), ("b", "1", "2026-03-01 00:00:00", "0")]
    done = load(loader, resource, rows, 4)
    assert (done.inserted, done.updated, done.quarantined) == (1, 0, 1)
    assert [v[1] for v in versions(loader, resource)] == ["v1", "v2", "1"]
    (rejected,) = loader.house.rejected(resource)
    assert [str(r) for r in rejected.reasons] == ["version_conflict:code"]
    assert rejected.values["value"] == "other"
    assert "同一时刻" in rejected.reasons[0].text("zh")


def test_a_late_row_that_is_known_tells_nothing(loader):
    resource = timed()
    first = ("a", "v1", "2026-03-01 00:00:00", "0")
    load(loader, resource, [first], 2, cursor="1")
    load(loader, resource, [("a", "v2", "2026-03-02 00:00:00", "0")], 3, cursor="2")
    assert load(loader, resource, [first], 4).changed == 0
    assert len(versions(loader, resource)) == 2


def test_in_a_window_a_key_that_has_gone_stays_gone(loader):
    resource = timed()
    load(loader, resource, [("a", "v1", "2026-03-01 00:00:00", "0")], 2, cursor="1")
    load(loader, resource, [("a", None, "2026-03-03 00:00:00", "1")], 4, cursor="2")
    load(loader, resource, [("a", "late", "2026-03-02 00:00:00", "0")], 5)
    assert versions(loader, resource) == [("a", "v1", "01 00", "02 00"), ("a", "late", "02 00", "04 02")]
    assert loader.rows(resource) == []


def test_full_pulls_close_what_is_absent_and_keep_what_was_rejected(loader):
    fields = (PAIR[0], field("value", nullable=False))
    resource = make_resource(Disposition.SCD2, fields)
    load(loader, resource, [("a", "1"), ("b", "1"), ("c", "1")], 2, columns=["code", "value"])
    done = load(loader, resource, [("a", "2"), ("b", None)], 3, columns=["code", "value"])
    assert (done.updated, done.deleted, done.unchanged) == (1, 1, 0)
    assert versions(loader, resource) == [
        ("a", "1", "02 02", "03 02"),
        ("a", "2", "03 02", None),
        ("b", "1", "02 02", None),
        ("c", "1", "02 02", "03 02"),
    ]
    with pytest.raises(SourceEmptiedError, match="holds 2"):
        load(loader, resource, [], 4, columns=["code", "value"])


def test_a_table_that_was_emptied_takes_rows_again(loader):
    resource = timed()
    load(loader, resource, [("a", None, "2026-03-01 00:00:00", "1")], 2, cursor="1")
    load(loader, resource, [("a", "1", "2026-03-02 00:00:00", "0")], 3, cursor="2")
    assert [str(c.kind) for c in loader.house.changes(resource.code, None, 9)] == ["baseline", "insert"]


def test_a_table_that_begins_to_keep_versions_keeps_those_it_has(loader):
    loader.load(stamped(), [("a", "1", "2026-03-01 00:00:00"), ("b", "1", "2026-03-01 00:00:00")], "1")
    resource = timed()
    load(loader, resource, [("a", "2", "2026-03-02 00:00:00", "0")], 3, cursor="2")
    assert versions(loader, resource) == [("a", "1", None, "02 00"), ("a", "2", "02 00", None), ("b", "1", None, None)]
    loader.load(stamped(), [("a", "3", "2026-03-03 00:00:00")], "3")
    assert loader.rows(resource, fields=["code", "value"]) == [("a", "3"), ("b", "1")]
    assert ("a", "1", None, "02 00") in versions(loader, resource)


def test_a_cursor_that_is_no_time_leaves_it_to_the_load(loader):
    fields = (*PAIR, field("no", FieldKind.INTEGER))
    resource = make_resource(Disposition.SCD2, fields, cursor_field="no")
    columns = ["code", "value", "no"]
    load(loader, resource, [("a", "1", "1")], 2, columns, "1")
    load(loader, resource, [("a", "2", "2")], 3, columns, "2")
    assert versions(loader, resource) == [("a", "1", "02 02", "03 02"), ("a", "2", "03 02", None)]


def test_own_columns_come_last(loader):
    resource = pairs(Disposition.SCD2)
    loader.load(resource, [("a", "1")])
    assert [f.name for f in loader.table(resource).schema().fields] == ["code", "value", "_valid_from", "_valid_to"]
    assert loader.house.changes(resource.code, None, 1)[0].rows == 1
