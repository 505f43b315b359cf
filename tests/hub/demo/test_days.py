"""A day happens once, whole, and changes exactly what it says."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from contextlib import closing

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.demo import manifest
from hub.demo.city import advance
from hub.demo.errors import CityMissingError, DayOrderError
from tests.hub.demo import plain
from tests.hub.demo.test_city import digests


def population(folder):
    with closing(sqlite3.connect(folder / "ga/population.sqlite")) as db:
        return {
            row[0]: row[1:] for row in db.execute("SELECT citizen_id, address, updated_at, deleted FROM population")
        }


def records(folder, name, key):
    return {r[key]: r for r in json.loads((folder / f"sj/{name}.json").read_text(encoding="utf-8"))}


def test_the_day_changes_what_it_says(own_city):
    people, companies = population(own_city), records(own_city, "companies", "uscc")
    reports, clinics = records(own_city, "annual-reports", "report_no"), (own_city / "wj/yljg.txt").read_bytes()
    changes = advance(own_city, day=2).resources

    after = population(own_city)
    changed = {number for number in people if after[number] != people[number]}
    deleted = {number for number in changed if after[number][2] == "1"}
    assert after.keys() == people.keys()
    assert (len(changed - deleted), len(deleted)) == (changes["3010010001"].updated, changes["3010010001"].deleted)
    assert len(deleted) >= 1
    assert all(after[number][1] > max(row[1] for row in people.values()) for number in changed)

    moved = [code for code, record in records(own_city, "companies", "uscc").items() if record != companies[code]]
    assert len(moved) == changes["3040010001"].updated >= 2
    new = records(own_city, "annual-reports", "report_no").keys() - reports.keys()
    assert len(new) == changes["3040010002"].inserted >= 5
    (batch,) = [p for p in (own_city / "gj").glob("contributions-*") if "2026-03-03" in p.name]
    assert len(batch.read_text().splitlines()) == changes["3060010002"].inserted >= 5
    left = (own_city / "wj/yljg.txt").read_bytes()
    assert clinics.count(b"\n") - left.count(b"\n") == changes["3090010001"].deleted == 1


def test_the_housing_bureau_mends_and_hands_over_its_next_batch(own_city):
    made = manifest.read(own_city).resources
    changes = advance(own_city, day=2).resources
    assert changes["3140010001"].inserted == dict(made["3140010001"].rejects)["impossible_date"] >= 1
    assert changes["3140010002"].replayed == dict(made["3140010002"].rejects)["no_reference"] >= 1
    with closing(sqlite3.connect(own_city / "zj/front-end.sqlite")) as db:
        batches = dict(db.execute("SELECT batch_no, row_count FROM tenancy_batch"))
        counted = {batch: str(rows) for batch, rows in db.execute("SELECT batch_no, count(*) FROM tenancy GROUP BY 1")}
    assert batches == counted
    assert len(batches) == 3
    assert int(batches["20260303"]) == changes["3140010002"].inserted + changes["3140010002"].updated >= 4


def test_sources_change_their_columns(own_city):
    with gzip.open(own_city / "jt/xianlu.json.gz") as file:
        before = json.load(file)["data"]["lines"]
    assert pq.read_schema(own_city / "ny/machines.parquet").field("registered_on").type == pa.string()
    changes = advance(own_city, day=2).resources
    with gzip.open(own_city / "jt/xianlu.json.gz") as file:
        after = json.load(file)["data"]["lines"]
    assert set(after[0]) - set(before[0]) == {"air_conditioned"}
    assert sum(a["fare"] != b["fare"] for a, b in zip(after, before, strict=True)) == changes["3130020001"].updated
    assert pq.read_schema(own_city / "ny/machines.parquet").field("registered_on").type == pa.date32()
    assert changes["3070010002"].inserted >= 1


def test_a_tree_falls_and_organisations_change(own_city):
    def organisations():
        (path,) = (own_city / "mz").glob("*.zip")
        _, rows = plain.read(own_city, "mz-organisations", f"{path.name}#*.xml", {})
        return {row[0]: row for row in rows}

    trees, before = plain.read(own_city, "ly-trees", "gushu.dbf", {})[1], organisations()
    changes = advance(own_city, day=2).resources
    left, after = plain.read(own_city, "ly-trees", "gushu.dbf", {})[1], organisations()
    assert len(trees) - len(left) == changes["3100020001"].deleted == 1
    assert len(before) - len(after) == changes["3120030001"].deleted >= 1
    assert sum(after[code] != before[code] for code in after) == changes["3120030001"].updated >= 3


def test_a_day_happens_once(own_city):
    first = advance(own_city, day=2)
    before = digests(own_city)
    assert advance(own_city, day=2) == first
    assert digests(own_city) == before
    assert manifest.read(own_city).day == 2
    assert not list(own_city.glob(".day-*"))


def test_days_follow_one_another(own_city, tmp_path):
    with pytest.raises(DayOrderError):
        advance(own_city, day=3)
    second = advance(own_city, day=2)
    third = advance(own_city, day=3)
    assert third.resources["3010010001"].updated == second.resources["3010010001"].updated
    city = manifest.read(own_city)
    deleted = 2 * second.resources["3010010001"].deleted
    assert city.table_rows("3010010001") == city.resources["3010010001"].table_rows - deleted
    assert [c.day for c in city.changes] == [2, 3]
    with pytest.raises(CityMissingError):
        advance(tmp_path / "nowhere", day=2)


@pytest.mark.parametrize("moves", [0, 1, 5, 10, 11])
def test_a_day_that_was_interrupted_is_completed(own_city, tmp_path, monkeypatch, moves):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(own_city, undisturbed)
    expected = advance(undisturbed, day=2)

    replace, done = type(own_city).replace, []

    def crash(self, target):
        if self.parent.parent.name == ".day-2":
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(self)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(own_city), "replace", crash)
        if moves < 11:
            with pytest.raises(KeyboardInterrupt):
                advance(own_city, day=2)
            assert manifest.read(own_city).day == 1
    assert advance(own_city, day=2) == expected
    assert digests(own_city) == digests(undisturbed)


def test_a_day_that_was_not_ready_is_prepared_anew(own_city):
    (own_city / ".day-2/ga").mkdir(parents=True)
    (own_city / ".day-2/ga/population.sqlite").write_bytes(b"half")
    changes = advance(own_city, day=2)
    assert len(population(own_city)) > 100
    assert changes.resources["3010010001"].updated >= 3


def test_what_a_day_changes_names_no_one(own_city):
    assert not [c for c in str(advance(own_city, day=2)) if c > "\u3000"]
