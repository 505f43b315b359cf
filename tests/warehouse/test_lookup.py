from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.types import DecimalType

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import FIELDS, Loader, field, make_resource, pairs
from warehouse import lookup as lookups
from warehouse.errors import FieldMissingError, FieldNotIndexedError, IndexMissingError, SnapshotMissingError
from warehouse.lookup import Lookup
from warehouse.wire import wanted

HOLDER = "11330105002500287C"
ROWS = [
    ("A1", "张三", "1.5", "7", "2024-01-05", "2024-01-05 08:00:00", "1", HOLDER),
    ("A2", "李四", "-0.07", "-9007199254740993", "1949年10月1日", "20240105123456", "否", HOLDER),
    ("A3", "㛃䶮𬱖", None, None, None, None, None, None),
    ("A4", "x", "9999999999.99", "0", "0999-12-31", "2024-01-05 08:00:00.250", None, None),
]


def indexed(loader, resource, rows):
    done = loader.load(resource, rows)
    loader.house.build_index(resource, done.snapshot_id)
    return done


def test_scan_and_lookup_answer_the_same_wire_values(loader):
    resource = make_resource()
    done = indexed(loader, resource, ROWS)
    lookup = loader.house.lookup(resource.code)
    scanned = loader.house.scan(resource.code)
    assert [lookup.find("code", row[0])[0] for row in ROWS] == scanned
    assert lookup.find("holder", HOLDER) == loader.house.scan(resource.code, None, {"holder": HOLDER}) == scanned[:2]
    assert {type(v) for row in scanned for v in row.values()} == {str, int, bool, type(None)}
    assert scanned[1] == {
        "code": "A2",
        "name": "李四",
        "amount": "-0.07",
        "count": -9007199254740993,
        "day": "1949-10-01",
        "seen": "2024-01-05T12:34:56",
        "active": False,
        "holder": HOLDER,
    }
    assert scanned[3]["day"] == "0999-12-31"
    assert lookup.look("code", "A1").snapshot_id == lookup.snapshot_id == done.snapshot_id


def test_records_are_found_by_every_kind_of_lookup_field(loader):
    fields = tuple(replace(f, lookup=True) for f in FIELDS)
    resource = make_resource(fields=fields)
    indexed(loader, resource, ROWS)
    lookup = loader.house.lookup(resource.code)
    for f in fields:
        for row in loader.house.scan(resource.code):
            value = row[f.name]
            if value is None:
                continue
            asked = str(value).lower() if isinstance(value, bool) else str(value)
            found = lookup.find(f.name, asked)
            assert row in found
            assert found == loader.house.scan(resource.code, None, {f.name: asked})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("count", "seven"),
        ("count", "9" * 30),
        ("day", "soon"),
        ("amount", "1.501"),
        ("amount", "1e1"),
        ("active", "?"),
        ("code", ""),
    ],
)
def test_a_value_that_no_record_can_have_finds_none(loader, column, value):
    resource = make_resource(fields=tuple(replace(f, lookup=True) for f in FIELDS))
    indexed(loader, resource, ROWS[:1])
    assert loader.house.lookup(resource.code).find(column, value) == []
    assert loader.house.scan(resource.code, None, {column: value}) == []


@given(st.decimals(-99999, 99999, places=3))
def test_a_decimal_that_is_asked_for_is_written_as_it_is_answered(number):
    type_ = DecimalType(9, 3)
    text = wanted(type_, str(number))
    assert text is not None
    assert text.lstrip("-").partition(".")[2] == str(abs(number)).partition(".")[2]
    assert wanted(type_, text) == text


def test_composite_keys_limits_and_order(loader):
    fields = (field("a", key=True), field("b", FieldKind.INTEGER, key=True), field("v", lookup=True))
    resource = make_resource(Disposition.REPLACE, fields)
    indexed(loader, resource, [("x", str(i), "same") for i in range(20, 0, -1)])
    lookup = loader.house.lookup(resource.code)
    assert [r["b"] for r in lookup.find("v", "same", 3)] == [1, 2, 3]
    assert [r["b"] for r in lookup.find("a", "x", 2)] == [1, 2]
    assert [r["b"] for r in loader.house.scan(resource.code, None, {"v": "same"}, ["b"], limit=2)] == [1, 2]


def test_errors_name_what_can_be_asked(loader):
    resource = make_resource()
    with pytest.raises(IndexMissingError):
        loader.house.lookup(resource.code).find("code", "A1")
    indexed(loader, resource, ROWS)
    with pytest.raises(FieldNotIndexedError, match="code, holder"):
        loader.house.lookup(resource.code).find("name", "张三")
    with pytest.raises(FieldMissingError, match="`nope`"):
        loader.house.scan(resource.code, None, {"nope": "1"})
    with pytest.raises(SnapshotMissingError):
        loader.house.build_index(resource, 1)


def test_a_late_build_of_an_older_snapshot_does_not_turn_readers_back(loader):
    resource = pairs(Disposition.MERGE)
    first = loader.load(resource, [("a", "1")])
    second = indexed(loader, resource, [("a", "2")])
    loader.house.build_index(resource, first.snapshot_id)
    found = loader.house.lookup(resource.code).look("code", "a")
    assert (found.snapshot_id, found.rows[0]["value"]) == (second.snapshot_id, "2")
    loader.house.build_index(resource, second.snapshot_id)
    assert loader.house.lookup(resource.code).look("code", "a") == found


def test_old_files_go_and_two_stay(loader):
    resource = pairs(Disposition.MERGE)
    for i in range(4):
        indexed(loader, resource, [("a", str(i))])
        assert loader.house.lookup(resource.code).find("code", "a")[0]["value"] == str(i)
    names = [p.suffix for p in (loader.house.root / "index" / "r_test").iterdir()]
    assert sorted(names) == ["", ".json", ".sqlite", ".sqlite"]


def test_readers_in_threads_see_one_whole_snapshot_or_the_next(loader):
    resource = pairs(Disposition.REPLACE)
    keys = [f"{i:03d}" for i in range(50)]
    snapshots = [loader.load(resource, [(k, str(n)) for k in keys]).snapshot_id for n in range(6)]
    loader.house.build_index(resource, snapshots[0])
    lookup, stop, wrong, asked = loader.house.lookup(resource.code), threading.Event(), [], []

    def read():
        n = 0
        while not stop.is_set() or n < 50:
            found = lookup.look("code", keys[n % 50])
            if [r["value"] for r in found.rows] != [str(snapshots.index(found.snapshot_id))]:
                wrong.append(found)
            n += 1
        asked.append(n)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for snapshot in snapshots[1:]:
        loader.house.build_index(resource, snapshot)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(asked) == 4
    assert lookup.snapshot_id == snapshots[-1]


def test_a_reader_whose_file_is_gone_before_it_opens_it_reads_the_pointer_again(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    indexed(loader, resource, [("a", "1")])
    folder = loader.house.root / "index" / "r_test"
    stale = json.loads((folder / "current.json").read_text()) | {"file": "gone.sqlite"}
    real, answers = lookups._read_pointer, [stale]
    monkeypatch.setattr(lookups, "_read_pointer", lambda f: answers.pop() if answers else real(f))
    assert Lookup(resource.code, folder).find("code", "a") == [{"code": "a", "value": "1"}]
    assert answers == []


def test_a_crash_while_building_leaves_the_pointer_and_the_next_build_mends(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    first = indexed(loader, resource, [("a", "1")])
    second = loader.load(resource, [("a", "2")])
    fill = lookups._fill

    def crash(con, layout, files, path):
        fill(con, layout, files, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(lookups, "_fill", crash)
    with pytest.raises(KeyboardInterrupt):
        loader.house.build_index(resource, second.snapshot_id)
    lookup = loader.house.lookup(resource.code)
    assert lookup.look("code", "a").snapshot_id == first.snapshot_id
    monkeypatch.undo()
    path = loader.house.build_index(resource, second.snapshot_id)
    assert lookup.look("code", "a").rows == [{"code": "a", "value": "2"}]
    assert [p.name for p in path.parent.glob("*.tmp")] == []


def test_a_lookup_file_is_never_written_by_readers(loader):
    resource = pairs(Disposition.REPLACE)
    done = indexed(loader, resource, [("a", "1")])
    path = loader.house.build_index(resource, done.snapshot_id)
    before = path.read_bytes()
    con = lookups._connect(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        con.execute("DELETE FROM rows")
    con.close()
    assert path.read_bytes() == before


def test_closing_gives_up_files_and_the_next_question_opens_them(tmp_path):
    loader = Loader(tmp_path)
    resource = pairs(Disposition.REPLACE)
    indexed(loader, resource, [("a", "1")])
    lookup = loader.house.lookup(resource.code)
    assert lookup.find("code", "a")
    loader.house.close()
    assert lookup.find("code", "a") == loader.house.scan(resource.code)
    loader.house.close()
