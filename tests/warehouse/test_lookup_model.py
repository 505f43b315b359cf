"""Look-ups beside a dict: whatever is in the records, what is found is what a search of all of them finds."""

from __future__ import annotations

import json
import tempfile
import threading
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)

from warehouse import lookup as lookups
from warehouse import shard as shards
from warehouse import sharding, sql
from warehouse.errors import IndexDamagedError
from warehouse.lookup import Layout, Lookup
from warehouse.shard import Shard, hash_of
from warehouse.table import FileOfRows

TYPES = {
    "k": StringType(),
    "t": StringType(),
    "n": LongType(),
    "d": DecimalType(12, 2),
    "day": DateType(),
    "at": TimestampType(),
    "yes": BooleanType(),
}
SCHEMA = Schema(*(NestedField(i + 1, n, t, required=False) for i, (n, t) in enumerate(TYPES.items())))
LAYOUT = Layout("r", 1, 1, SCHEMA, ("k", "t"), tuple(TYPES))
LAYOUT_SMALL = Layout("r", 1, 1, SCHEMA, ("k",), ("k", "n"))
TEXT = st.one_of(
    st.sampled_from(["a", "aa", "a\x1e", "\x1f", "\x1e\x1f", "", "0", "00", "null", '["a"]', "é", "e\u0301", "𬱖"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
ROW = st.tuples(
    TEXT,
    st.none() | TEXT,
    st.none() | st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]) | st.integers(-9, 9),
    st.none() | st.decimals(-99, 99, places=2),
    st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
    st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001 - local
    st.none() | st.booleans(),
)


def wire(value):
    if isinstance(value, Decimal):
        return str(value or abs(value))
    return value.isoformat() if isinstance(value, date) else value


def written(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def build(folder, rows, layout=LAYOUT):
    table = pa.table([list(c) for c in zip(*rows, strict=True)] or [[]] * 7, schema=schema_to_pyarrow(SCHEMA))
    path = folder / f"{layout.snapshot_id}.parquet"
    pq.write_table(table, path)
    known = SimpleNamespace(lower_bounds=None, upper_bounds=None)
    with sql.session(folder / "scratch", memory_mb=200, threads=1) as con:
        files = [FileOfRows(str(path), str(path), len(rows), len(rows), (), known)]
        return lookups.build(con, layout, files, folder / "index" / "r")


def keyed(rows):
    return sorted(rows, key=lambda r: (r[0].encode(), r[1] is None, (r[1] or "").encode()))


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, max_size=40, unique_by=lambda r: r[:2]), st.integers(1, 3), st.sampled_from([3, 126]))
def test_what_is_found_is_what_a_dict_holds(rows, limit, per_page):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        pages_of(patched, per_page)
        build(Path(folder), rows)
        lookup = Lookup("r", Path(folder) / "index" / "r")
        held = {name: {} for name in TYPES}
        for row in keyed(rows):
            record = dict(zip(TYPES, map(wire, row), strict=True))
            for name, value in record.items():
                held[name].setdefault(value, []).append(record)
        for name, found in held.items():
            # What the contract strips can be in no table, nor be asked for.
            values = [v for v in found if v is not None and (not isinstance(v, str) or (v and v == v.strip()))]
            for value in values:
                assert lookup.look(name, written(value), limit).rows == found[value][:limit]
                assert lookup.find(name, written(value), 100) == found[value]
            many = [*map(written, values), "no such", *map(written, values)]
            expected = [found[v][:limit] for v in values]
            assert lookup.look_many(name, many, limit).rows == [*expected, [], *expected]
        assert lookup.find("k", "\ud800") == lookup.look_many("k", ["\ud800"]).rows[0] == []
        assert lookup.look_many("k", [], 1).rows == []
        assert lookup.look_many("k", ["a"], 0).rows == [lookup.find("k", "a", 0)] == [[]]


def pages_of(patched, entries):
    for module in (shards, sharding):
        patched.setattr(module, "ENTRIES_PER_PAGE", entries)
        patched.setattr(module, "PAGE_WORDS", entries + 2)
        patched.setattr(module, "PAGE_BYTES", 8 * (entries + 2))


def test_values_whose_hashes_meet_are_told_apart(tmp_path, monkeypatch):
    most = 2**39  # As if there were so many records that 24 bits are left of a hash.
    seen = {}
    one = other = ""
    while not one:
        other = f"v{len(seen)}"
        one = seen.get(hash_of(other) >> 40, "")
        seen[hash_of(other) >> 40] = other
    write = sharding.write
    monkeypatch.setattr(sharding, "write", lambda p, h, s: write(p, h, sharding.Source(s.names, s.batches, most)))
    rows = [(f"{i:02}", (one, other)[i % 3 == 0], None, None, None, None, None) for i in range(12)]
    build(tmp_path, rows)
    lookup = Lookup("r", tmp_path / "index" / "r")
    for limit in (1, 3, 4, 8, 100):
        for value in (one, other):
            keys = [r[0] for r in rows if r[1] == value][:limit]
            assert [r["k"] for r in lookup.find("t", value, limit)] == keys
        found = lookup.look_many("t", [other, one], limit).rows
        assert found == [lookup.find("t", other, limit), lookup.find("t", one, limit)]


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 6, 7, 4000])
@pytest.mark.parametrize("run", [1, 1000, 10**6])
def test_pages_blocks_and_runs_of_every_fill(tmp_path, monkeypatch, rows, run):
    pages_of(monkeypatch, 3)
    monkeypatch.setattr(sharding, "ROWS_PER_BATCH", 2048)
    monkeypatch.setattr(sharding, "_ENTRIES_PER_RUN", run)
    monkeypatch.setattr(sharding, "_SAMPLED", 16)
    monkeypatch.setattr(sharding, "_SAMPLES_PER_READ", 7)
    build(tmp_path, [(f"{i:05}", None, i // 5, None, None, None, i % 2 == 0) for i in range(rows)])
    lookup = Lookup("r", tmp_path / "index" / "r")
    for i in range(0, rows, max(rows // 50, 1)):
        assert [r["n"] for r in lookup.find("k", f"{i:05}")] == [i // 5]
        assert [r["k"] for r in lookup.find("n", str(i // 5))] == [
            f"{j:05}" for j in range(i // 5 * 5, min(i // 5 * 5 + 5, rows))
        ]
    assert [r["k"] for r in lookup.find("yes", "true", rows + 1)] == [f"{i:05}" for i in range(0, rows, 2)]
    assert lookup.find("k", "absent") == lookup.find("n", str(rows)) == []
    many = lookup.look_many("k", [f"{i:05}" for i in range(-1, rows + 1)]).rows
    assert [len(found) for found in many] == [0, *[1] * rows, 0]


def test_a_field_of_few_values_is_searched_as_well_as_one_of_many(tmp_path, monkeypatch):
    pages_of(monkeypatch, 3)
    build(tmp_path, [(f"{i:05}", "x", 7 if i < 3000 else i, None, None, None, i == 1234) for i in range(3500)])
    lookup = Lookup("r", tmp_path / "index" / "r")
    assert [r["k"] for r in lookup.find("yes", "true")] == ["01234"]
    assert len(lookup.find("n", "7", 5000)) == 3000
    assert [r["k"] for n in range(3000, 3500) for r in lookup.find("n", str(n))] == [
        f"{i:05}" for i in range(3000, 3500)
    ]
    assert lookup.find("t", "x", 2) == lookup.look_many("t", ["x"], 2).rows[0]


def test_whatever_byte_is_flipped_no_answer_is_another_one(tmp_path, monkeypatch):
    pages_of(monkeypatch, 3)
    build(tmp_path, [(f"{i:02}", None, i % 4, None, None, None, None) for i in range(20)], LAYOUT_SMALL)
    path = next((tmp_path / "index" / "r").glob("*.shard"))
    whole, asked = path.read_bytes(), [("k", f"{i:02}") for i in range(21)] + [("n", n) for n in range(5)]

    def answers():
        shard = Shard.open(path)
        for name, value in asked:
            try:
                yield shard.records.texts(shard.sections[name].find(hash_of(value), 99))
            except lookups._DAMAGES:
                yield None
            try:
                several = shard.sections[name].find_many([hash_of(value)], 99)[0]
                yield shard.records.texts([number for number, _ in several])
            except lookups._DAMAGES:
                yield None

    truth = list(answers())
    assert None not in truth
    unnoticed = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.unlink()
        path.write_bytes(damaged)
        try:
            found = list(answers())
        except IndexDamagedError:
            continue
        assert all(f is None or f == t for f, t in zip(found, truth, strict=True)), place
        if None not in found:
            unnoticed.append(place)
    # Only a fence can be damaged without a trace: then every search still came to the page it should come to.
    shard = json.loads(shards._contents(memoryview(whole)))
    fences = [range(s["place"] + s["pages"] * 40, s["place"] + s["pages"] * 48) for s in shard["sections"]]
    assert all(any(place in fence for fence in fences) for place in unnoticed)


def test_threads_that_read_through_swaps_see_one_snapshot_at_a_time(tmp_path):
    layouts = [Layout("r", n, n, SCHEMA, ("k",), ("k", "n")) for n in range(1, 6)]

    def rows(n):
        return [(f"{i:03}", None, i % 10, Decimal(n), None, None, None) for i in range(300)]

    build(tmp_path, rows(1), layouts[0])
    lookup, stop, wrong = Lookup("r", tmp_path / "index" / "r"), threading.Event(), []

    def read(seed):
        n = seed
        while not stop.is_set():
            n += 1
            one = lookup.look("k", f"{n % 300:03}")
            many = lookup.look_many("n", [str(n % 10), "3"], 50)
            said = {r["d"] for r in one.rows}, {r["d"] for rows in many.rows for r in rows}
            if said != ({f"{one.snapshot_id}.00"}, {f"{many.snapshot_id}.00"}) or list(map(len, many.rows)) != [30, 30]:
                wrong.append((one, many))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for layout in layouts[1:]:
        build(tmp_path, rows(layout.snapshot_id), layout)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert lookup.snapshot_id == 5


def test_a_build_with_more_rows_than_the_table_said_is_stopped(tmp_path, monkeypatch):
    write = sharding.write
    monkeypatch.setattr(sharding, "write", lambda p, h, s: write(p, h, sharding.Source(s.names, s.batches, 3)))
    with pytest.raises(ValueError, match="more rows"):
        build(tmp_path, [(str(i), None, i, None, None, None, None) for i in range(4)])
    assert not (tmp_path / "index" / "r" / "current.json").exists()
