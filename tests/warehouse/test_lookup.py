from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.types import DecimalType

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import FIELDS, Loader, field, make_resource, pairs
from warehouse import lookup as lookups
from warehouse import sharding, swaps
from warehouse.errors import (
    FieldMissingError,
    FieldNotIndexedError,
    IndexDamagedError,
    IndexMissingError,
    SnapshotMissingError,
)
from warehouse.lookup import Lookup
from warehouse.reading import stretches
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
    folder = loader.house.root / "index" / "r_test"
    folder.mkdir(parents=True)
    (folder / "1-former.sqlite").touch()
    for i in range(4):
        indexed(loader, resource, [("a", str(i))])
        assert loader.house.lookup(resource.code).find("code", "a")[0]["value"] == str(i)
    names = [p.suffix for p in (loader.house.root / "index" / "r_test").iterdir()]
    assert sorted(names) == ["", ".json", ".shard", ".shard"]


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
    stale = json.loads((folder / "current.json").read_text()) | {"file": "gone.shard"}
    real, answers = lookups._read_pointer, [stale]
    monkeypatch.setattr(lookups, "_read_pointer", lambda f: answers.pop() if answers else real(f))
    assert Lookup(resource.code, folder).find("code", "a") == [{"code": "a", "value": "1"}]
    assert answers == []


def test_a_crash_while_building_leaves_the_pointer_and_the_next_build_mends(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    first = indexed(loader, resource, [("a", "1")])
    second = loader.load(resource, [("a", "2")])
    write = sharding.write

    def crash(*given):
        write(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(sharding, "write", crash)
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
    before, times = path.read_bytes(), path.stat()
    path.chmod(0o400)
    assert Lookup(resource.code, path.parent).find("code", "a")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, times.st_mtime_ns)


def test_a_file_that_is_being_searched_stays_readable_after_it_is_gone(loader):
    resource = pairs(Disposition.REPLACE)
    done = indexed(loader, resource, [(f"{i:03d}", "x") for i in range(100)])
    path = loader.house.build_index(resource, done.snapshot_id)
    opened = loader.house.lookup(resource.code)._current()
    path.unlink()
    assert opened.look("code", "042", 1).rows == [{"code": "042", "value": "x"}]


ODD = [
    "plain", 'quo"te', "back\\slash", "new\nline", "tab\tin", "\x01\x1f", "emoji😀👨‍👩‍👧", "㛃䶮𬱖", "null", "[1]",
    "'", "é", "\u2028",
]  # fmt: skip


def test_every_text_and_number_comes_back_as_it_was(loader):
    fields = (field("code", key=True, lookup=True), field("n", FieldKind.INTEGER, lookup=True), field("text"))
    resource = make_resource(Disposition.REPLACE, fields)
    numbers = [2**63 - 1, -(2**63), 2**53 + 1, 0, None]
    rows = [(odd, None if n is None else str(n), odd) for odd, n in zip(ODD, numbers * 3, strict=False)]
    indexed(loader, resource, rows)
    lookup = loader.house.lookup(resource.code)
    scanned = loader.house.scan(resource.code)
    assert [lookup.find("code", odd) for odd in sorted(ODD)] == [[row] for row in scanned]
    assert {row["text"] for row in scanned} == set(ODD)
    for n in numbers[:-1]:
        assert lookup.find("n", str(n)) == [row for row in scanned if row["n"] == n]


@pytest.mark.parametrize("size", [2048, 2049])
def test_values_that_run_over_several_pages_are_all_found_in_order(loader, monkeypatch, size):
    monkeypatch.setattr(sharding, "ROWS_PER_BATCH", size)
    fields = (field("a", FieldKind.INTEGER, key=True), field("b", key=True), field("v", lookup=True))
    resource = make_resource(Disposition.REPLACE, fields)
    rows = [(str(i // 3000), f"{i:05d}", "few" if i in (0, 4095, 4096, 8999) else "many") for i in range(9000)]
    indexed(loader, resource, rows)
    lookup = loader.house.lookup(resource.code)
    assert [r["b"] for r in lookup.find("a", "1", 5000)] == [r[1] for r in rows[3000:6000]]
    assert [r["b"] for r in lookup.find("v", "few")] == ["00000", "04095", "04096", "08999"]
    assert [r["b"] for r in lookup.find("v", "many", 9000)] == [r[1] for r in rows if r[2] == "many"]
    many = lookup.look_many("v", ["few", "none", "many"], 200).rows
    assert [[r["b"] for r in found] for found in many] == [
        ["00000", "04095", "04096", "08999"],
        [],
        [r[1] for r in rows if r[2] == "many"][:200],
    ]
    assert lookup.find("v", "aa") == lookup.find("v", "zz") == lookup.find("a", "3") == lookup.find("a", "-1") == []


def test_decimals_are_searched_by_number_and_not_as_text(loader):
    fields = (field("a", FieldKind.DECIMAL, 6, 2, key=True), field("b", FieldKind.DECIMAL, 6, 2, lookup=True))
    resource = make_resource(Disposition.REPLACE, fields)
    numbers = ["-10.00", "-9.50", "0.00", "2.00", "10.00", "100.00"]
    indexed(loader, resource, [(n, m) for n, m in zip(numbers, reversed(numbers), strict=True)])
    lookup = loader.house.lookup(resource.code)
    for n, m in zip(numbers, reversed(numbers), strict=True):
        assert lookup.find("a", n) == lookup.find("b", m.removesuffix("0")) == [{"a": n, "b": m}]


def test_a_damaged_file_answers_nothing_and_never_with_the_record_of_another(loader):
    resource = pairs(Disposition.REPLACE)
    done = indexed(loader, resource, [("aaaaaaaaaaaaaaaa", "1"), ("bbbbbbbbbbbbbbbb", "2")])
    path = loader.house.build_index(resource, done.snapshot_id)
    whole = path.read_bytes()
    for damaged in (whole[:-100], b"?" + whole[1:], b"", whole.replace(b"\x1f1\x1e", b"\x1f2\x1e")):
        assert damaged != whole
        path.unlink()
        path.write_bytes(damaged)
        lookup = Lookup(resource.code, path.parent)
        for ask, value in ((lookup.look, "a" * 16), (lookup.look_many, ["a" * 16])):
            with pytest.raises(IndexDamagedError, match="damaged") as caught:
                ask("code", value)
            assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize(
    "pointer", ["", "{", "[]", '{"file": "x"}', '{"file": "x", "snapshot_id": "y", "sequence": 1}']
)
def test_a_damaged_pointer_is_an_error_and_the_next_build_mends_it(loader, pointer):
    resource = pairs(Disposition.REPLACE)
    done = indexed(loader, resource, [("a", "1")])
    folder = loader.house.root / "index" / "r_test"
    (folder / "current.json").write_text(pointer)
    with pytest.raises(IndexDamagedError):
        Lookup(resource.code, folder).find("code", "a")
    loader.house.build_index(resource, done.snapshot_id)
    assert Lookup(resource.code, folder).find("code", "a")


def test_a_pointer_to_the_file_of_another_snapshot_is_an_error(loader):
    resource = pairs(Disposition.REPLACE)
    indexed(loader, resource, [("a", "1")])
    indexed(loader, resource, [("a", "2")])
    folder = loader.house.root / "index" / "r_test"
    plain = json.loads((folder / "current.json").read_text())
    other = next(p.name for p in folder.glob("*.shard") if p.name != plain["file"])
    (folder / "current.json").write_text(json.dumps(plain | {"file": other}))
    with pytest.raises(IndexDamagedError):
        Lookup(resource.code, folder).find("code", "a")


def test_a_file_of_the_format_before_this_one_is_built_anew_and_not_misread(loader):
    resource = pairs(Disposition.REPLACE)
    done = indexed(loader, resource, [("a", "1")])
    folder = loader.house.root / "index" / "r_test"
    plain = json.loads((folder / "current.json").read_text())
    former = folder / f"{done.snapshot_id}-former.shard"
    former.write_bytes(b"ZTSHARD1" + b"\0" * 100 + b"ZTSHARD1")
    del plain["format"]
    later = plain | {"file": former.name, "sequence": plain["sequence"] + 9}
    (folder / "current.json").write_text(json.dumps(later))
    with pytest.raises(IndexMissingError):
        Lookup(resource.code, folder).find("code", "a")
    loader.house.build_index(resource, done.snapshot_id)
    assert Lookup(resource.code, folder).find("code", "a") == [{"code": "a", "value": "1"}]


def test_a_swap_that_left_no_mark_is_seen_after_the_time_that_marks_are_trusted(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)
    indexed(loader, resource, [("a", "1")])
    lookup = loader.house.lookup(resource.code)
    assert lookup.find("code", "a")[0]["value"] == "1"
    done = loader.load(resource, [("a", "2")])
    monkeypatch.setattr(swaps, "mark", lambda folder: None)
    loader.house.build_index(resource, done.snapshot_id)
    later = monotonic() + swaps.TRUSTED_S
    monkeypatch.setattr(lookups, "monotonic", lambda: later)
    assert lookup.find("code", "a")[0]["value"] == "2"


def test_without_marks_every_question_asks_the_pointer(loader, monkeypatch):
    resource = pairs(Disposition.REPLACE)

    def absent(folder):
        raise OSError

    monkeypatch.setattr(swaps, "watch", absent)
    for value in ("1", "2"):
        indexed(loader, resource, [("a", value)])
        assert loader.house.lookup(resource.code).find("code", "a")[0]["value"] == value


def test_only_rows_in_force_are_indexed(loader):
    fields = (field("code", key=True, lookup=True), field("value", lookup=True))
    resource = make_resource(Disposition.SCD2, fields)
    loader.load(resource, [("a", "1"), ("b", "1")])
    indexed(loader, resource, [("a", "2"), ("b", "1")])
    lookup = loader.house.lookup(resource.code)
    assert [row["value"] for row in lookup.find("code", "a")] == ["2"]
    assert [row["code"] for row in lookup.find("value", "1")] == ["b"]
    assert lookup.find("code", "a") == loader.house.scan(resource.code, None, {"code": "a"})


@pytest.mark.parametrize("kind", [FieldKind.INTEGER, FieldKind.STRING, FieldKind.DATE, FieldKind.DECIMAL])
@pytest.mark.parametrize("together", [1, 120, 10_000])
def test_files_that_follow_each_other_or_overlap_are_one_order(small_files, monkeypatch, kind, together):
    monkeypatch.setattr(lookups, "_ROWS_TOGETHER", together)
    size = {FieldKind.DECIMAL: (8, 2)}.get(kind, ())
    written = {
        FieldKind.DATE: lambda n: str(date(2000, 1, 1) + timedelta(n)),
        FieldKind.STRING: lambda n: f"{n:05d}",
        FieldKind.DECIMAL: lambda n: f"{n - 400}.25",
    }.get(kind, lambda n: str(n - 400))
    fields = (field("k", kind, *size, key=True), field("v", lookup=True))
    resource = make_resource(Disposition.MERGE, fields)
    random = Random(7)
    held = {}
    # Whole stretches of their own, some beside them, and some over all of them.
    for batch in (range(500), range(700, 900), random.sample(range(180), 60), range(650, 720)):
        rows = {written(n): f"v{random.randrange(40)}" for n in batch}
        held |= rows
        done = indexed(small_files, resource, list(rows.items()))
    files = small_files.files(resource)
    groups = stretches(small_files.table(resource).schema(), files, "k", together)
    assert sorted(f.location for group in groups for f in group) == sorted(f.location for f in files)
    assert len(groups) > 3 if together == 1 else len(groups) < 8
    lookup = small_files.house.lookup(resource.code)
    scanned = small_files.house.scan(resource.code)
    assert lookup.snapshot_id == done.snapshot_id
    assert len(scanned) == len(held)
    for row in scanned:
        assert lookup.find("k", row["k"] if isinstance(row["k"], str) else str(row["k"])) == [row]
    for value in set(held.values()):
        assert lookup.find("v", value, 1000) == [row for row in scanned if row["v"] == value]


def test_closing_gives_up_files_and_the_next_question_opens_them(tmp_path):
    loader = Loader(tmp_path)
    resource = pairs(Disposition.REPLACE)
    indexed(loader, resource, [("a", "1")])
    lookup = loader.house.lookup(resource.code)
    assert lookup.find("code", "a")
    loader.house.close()
    assert lookup.find("code", "a") == loader.house.scan(resource.code)
    loader.house.close()
