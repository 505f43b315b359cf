"""The change feed: numbers without gaps, digests that can be recomputed, one transaction with the data."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal

import pytest

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import PAIR, field, make_resource, pairs, stamped
from tests.warehouse.test_load import ROW
from warehouse import feed
from warehouse import table as tables
from warehouse.errors import CommitConflictError, TableMissingError


def told(loader, resource, after=None, limit=1000):
    found = loader.house.changes(resource.code, after, limit)
    return [(c.seq, str(c.kind), c.key.get("code")) for c in found]


def digest(*values):
    """The rule as its documentation states it, written down once more."""
    text = "".join(f"{i}:{len(v.encode())}:{v}," for i, v in enumerate(values, 1) if v is not None)
    return hashlib.sha256(text.encode()).hexdigest()


def test_it_begins_with_a_baseline_and_then_tells_each_change(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1"), ("b", "2")])
    loader.load(resource, [("a", "1"), ("b", "3"), ("c", "4")])
    loader.load(resource, [("b", "3"), ("c", "4")])
    found = loader.house.changes(resource.code, None, 100)
    assert [(c.seq, str(c.kind), c.key, c.rows) for c in found] == [
        (1, "baseline", {}, 2),
        (2, "update", {"code": "b"}, None),
        (3, "insert", {"code": "c"}, None),
        (4, "delete", {"code": "a"}, None),
    ]
    assert (found[1].before, found[1].after) == (digest("b", "2"), digest("b", "3"))
    assert (found[2].before, found[2].after) == (None, digest("c", "4"))
    assert (found[3].before, found[3].after) == (digest("a", "1"), None)
    history = loader.house.snapshots(resource.code)
    assert [c.batch_id for c in found] == [history[2].batch_id, *[history[1].batch_id] * 2, history[0].batch_id]
    assert found[0].at.isoformat() == "2026-03-01T10:00:00"
    assert [info.facts["feed-last"] for info in history] == ["4", "3", "1"]


def test_it_is_read_in_pieces(small_files):
    resource = pairs(Disposition.APPEND)
    for load in range(3):
        small_files.load(resource, [(f"{load}-{i:03d}", "1") for i in range(150)])
    assert told(small_files, resource, None, 2) == [(1, "baseline", None), (2, "insert", "1-000")]
    assert told(small_files, resource, 149, 4)[0] == (150, "insert", "1-148")
    assert [seq for seq, *_ in told(small_files, resource, 149, 4)] == [150, 151, 152, 153]
    assert told(small_files, resource, 300) == [(301, "insert", "2-149")]
    assert told(small_files, resource, 301) == []


def test_a_load_that_changes_nothing_is_not_told(loader):
    resource = stamped()
    loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-01")
    loader.load(resource, [("a", "1", "2024-01-01")], cursor="2024-01-02")
    assert told(loader, resource) == [(1, "baseline", None)]
    loader.load(resource, [("a", "2", "2024-01-03")], cursor="2024-01-03")
    assert told(loader, resource, 1) == [(2, "update", "a")]


def test_digests_of_every_type_can_be_recomputed(loader):
    resource = make_resource()
    loader.load(resource, [("Z", *ROW[1:])])
    loader.load(
        resource,
        [
            ROW,
            ("B", "李 🀄", "-0.07", "-1", "1949-10-01", "1949-10-01T08:00:00.25", "否", None),
            ("C", "王", None, None, None, None, None, None),
        ],
    )
    after = {c.key["code"]: c.after for c in loader.house.changes(resource.code, 1, 10) if c.after}
    seen = "1949-10-01T08:00:00.25"
    assert after["A1"] == digest("A1", "张三", "1.50", "7", "2024-01-05", "2024-01-05T08:00:00", "true", ROW[7])
    assert after["B"] == digest("B", "李 🀄", "-0.07", "-1", "1949-10-01", seen, "false")
    values = {
        1: "B",
        2: "李 🀄",
        3: Decimal("-0.07"),
        4: -1,
        5: date(1949, 10, 1),
        6: datetime.fromisoformat(seen),
        7: False,
        8: None,
    }
    assert after["B"] == feed.digest_of(values)
    assert after["C"] == feed.digest_of({1: "C", 2: "王"})


def test_a_digest_stays_when_the_table_gains_a_column(loader):
    old = pairs(Disposition.MERGE)
    loader.load(old, [("a", "1")])
    loader.load(old, [("a", "2")])
    new = make_resource(Disposition.MERGE, (*PAIR, field("extra", FieldKind.INTEGER)))
    loader.load(new, [("a", "2", "5")])
    first, second = loader.house.changes(new.code, 1, 10)
    assert first.after == second.before != second.after
    assert second.after == digest("a", "2", "5")


def test_keys_are_wire_values_and_fields_may_have_any_name(loader):
    fields = (
        field("kind", FieldKind.BOOLEAN, key=True),
        field("since", FieldKind.DECIMAL, 8, 2, key=True),
        field("seq", FieldKind.DATE, key=True),
        field("before"),
    )
    plain = make_resource(Disposition.REPLACE, fields)
    loader.load(plain, [("1", "1.5", "2024-01-01", "x")])
    loader.load(plain, [("1", "1.5", "2024-01-01", "y"), ("0", "2", "2024-01-02", None)])
    keys = [c.key for c in loader.house.changes(plain.code, 1, 10)]
    assert keys == [
        {"kind": False, "since": "2.00", "seq": "2024-01-02"},
        {"kind": True, "since": "1.50", "seq": "2024-01-01"},
    ]


def test_a_resource_called_like_a_feed_is_its_own(loader):
    one, other = pairs(Disposition.MERGE, code="r"), pairs(Disposition.MERGE, code="r_changes")
    loader.load(one, [("a", "1")])
    loader.load(other, [("x", "1"), ("y", "1")])
    assert [r["code"] for r in loader.house.scan("r_changes")] == ["x", "y"]
    assert [c.rows for c in loader.house.changes("r", None, 5)] == [1]
    assert [c.rows for c in loader.house.changes("r_changes", None, 5)] == [2]


def test_before_the_first_load_there_is_none(loader):
    resource = pairs(Disposition.MERGE)
    with pytest.raises(TableMissingError):
        loader.house.changes(resource.code, None, 5)
    loader.house.ensure(resource)
    assert loader.house.changes(resource.code, None, 5) == []


def test_a_table_that_had_rows_before_it_had_a_feed_gets_its_baseline_late(loader):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1"), ("b", "1")])
    loader.house._catalog.drop_table(feed.identifier(resource.code))
    loader.load(resource, [("b", "2"), ("c", "1")])
    (change,) = loader.house.changes(resource.code, None, 5)
    assert (change.kind, change.rows) == ("baseline", 3)


def test_other_engines_read_it(loader):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    loader.load(resource, [("b", "1")])
    rows = feed.find(loader.house._catalog, resource.code).scan().to_arrow().sort_by("_seq").to_pylist()
    assert [(r["_seq"], r["_kind"], r["code"]) for r in rows] == [(1, "baseline", None), (2, "insert", "b")]


def test_when_the_feed_moved_on_nothing_of_the_load_is_in(loader, monkeypatch):
    resource = pairs(Disposition.MERGE)
    loader.load(resource, [("a", "1")])
    staged = loader.stage(["code", "value"], [("b", "1")])
    checked = loader.check(resource, staged)
    commit = tables.commit

    def overtaken(room, changes, **more):
        monkeypatch.setattr(tables, "commit", commit)
        stale = feed.find(room.catalog, resource.code)
        tables.commit(room, [tables.TableChange(stale)], code=resource.code, facts={feed.LAST: 1})
        return commit(room, changes, **more)

    before = loader.house.current_snapshot(resource.code)
    monkeypatch.setattr(tables, "commit", overtaken)
    with pytest.raises(CommitConflictError):
        loader.house.commit(resource, staged, checked)
    assert loader.house.current_snapshot(resource.code) == before
    assert told(loader, resource) == [(1, "baseline", None)]
    assert not [name for name in loader.stored() if checked.batch_id[:24] in name]
    assert loader.house.commit(resource, staged, checked).inserted == 1
    assert told(loader, resource, 1) == [(2, "insert", "b")]
