"""The city is the same for the same seed, whole or absent, and holds exactly the faults it says it holds."""

from __future__ import annotations

import hashlib
import re
from datetime import date

import pytest

from catalog.errors import IdentifierError
from catalog.identifiers import check_citizen_id, check_uscc
from catalog.model import Check
from hub.demo import city as city_module
from hub.demo import faults, manifest
from hub.demo.city import build, clean_tables
from hub.demo.errors import CityFolderOccupiedError
from hub.demo.people import COUNTIES
from tests.hub.demo import plain
from tests.hub.demo.conftest import SCALE, SEED

CHECKS = {Check.CITIZEN_ID: check_citizen_id, Check.USCC: check_uscc}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def invalid(check, value):
    try:
        check(value)
    except IdentifierError:
        return True
    return False


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(small_data, tmp_path):
    build(tmp_path / "a", seed=1, scale=SCALE, demo_data=small_data)
    build(tmp_path / "b", seed=1, scale=SCALE, demo_data=small_data)
    build(tmp_path / "c", seed=2, scale=SCALE, demo_data=small_data)
    first, second, third = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert first["ga/population.sqlite"] != third["ga/population.sqlite"]
    assert len(first) == 34


def test_a_complete_city_is_returned_untouched_and_another_replaced(small_data, tmp_path):
    folder = tmp_path / "city"
    made = build(folder, seed=1, scale=SCALE, demo_data=small_data)
    stamp = (folder / "ga/population.sqlite").stat().st_mtime_ns
    assert build(folder, seed=1, scale=SCALE, demo_data=small_data) == made
    assert (folder / "ga/population.sqlite").stat().st_mtime_ns == stamp
    other = build(folder, seed=2, scale=SCALE, demo_data=small_data)
    assert other.seed == 2
    assert manifest.read(folder) == other
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city"]


def test_a_crash_leaves_no_half_city(small_data, tmp_path, monkeypatch):
    def crash(*_):
        raise OSError("no space left on device")

    folder = tmp_path / "city"
    with monkeypatch.context() as patch:
        patch.setattr(city_module.sources, "write_divisions", crash)
        with pytest.raises(OSError, match="no space"):
            build(folder, seed=1, scale=SCALE, demo_data=small_data)
    assert not folder.exists()
    build(folder, seed=1, scale=SCALE, demo_data=small_data)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city"]


def test_a_folder_of_something_else_is_never_overwritten(small_data, tmp_path):
    (tmp_path / "thesis.txt").write_text("unsaved")
    with pytest.raises(CityFolderOccupiedError) as raised:
        build(tmp_path, seed=1, scale=SCALE, demo_data=small_data)
    assert str(tmp_path) in raised.value.text("zh")
    assert (tmp_path / "thesis.txt").read_text() == "unsaved"


def test_the_divisions_are_whole(city):
    folder, made = city
    assert made.resources["3020010001"].rows == 31 + 342 + 2978
    assert made.resources["3020010002"].rows == 41_352
    assert made.resources["3020010003"].rows == 620_573
    data = (folder / "tj/cunji-2023.csv").read_bytes()
    assert data.count(b"\n") == 620_573 + 1
    last = data[-200:].decode("gb18030", "ignore").splitlines()[-1].split(",")
    assert len(last) == 6
    assert re.fullmatch("[0-9]{12}", last[0])
    assert (folder / "tj/cunji.ok").exists()


def test_every_source_holds_the_rows_and_invalid_codes_it_says(city, demo_list):
    folder, made = city
    checked = 0
    for resource in demo_list.resources:
        if resource.code.startswith("302"):
            continue
        source = resource.source
        headings, rows = plain.read(folder, source.system, source.object, dict(source.options))
        expected = made.resources[resource.code]
        assert len(rows) == expected.rows, resource.code
        for check, valid in CHECKS.items():
            places = [
                next(i for i, heading in enumerate(headings) if heading in (field.name, *field.aliases))
                for field in resource.fields
                if field.check is check
            ]
            bad = sum(1 for row in rows for at in places if row[at] and invalid(valid, row[at]))
            assert bad == dict(expected.rejects).get(f"bad_{check}", 0), (resource.code, check)
            checked += len(rows) * len(places)
    assert checked > 1500


def test_citizen_ids_belong_to_real_counties_of_the_city_and_to_their_birthdays(demo_data):
    people = clean_tables(SEED, SCALE, demo_data / "divisions")["3010010001"]
    seen = set()
    for row in people.rows:
        number, sex, born = row[0], row[2], date.fromisoformat(row[3])
        assert check_citizen_id(number) == number
        assert number[:6] in COUNTIES
        assert number[:6] == row[people.index("county_code")]
        assert number[6:14] == f"{born:%Y%m%d}"
        assert int(number[16]) % 2 == int(sex) % 2
        assert not re.match("1[3-9]", row[people.index("phone")])
        seen.add(number)
    assert len(seen) == len(people.rows)


def test_names_hold_rare_characters(demo_data):
    people = clean_tables(SEED, 0.2, demo_data / "divisions")["3010010001"]
    names = "".join(row[1] for row in people.rows)
    assert all(char in names for char in "㛃䶮𬱖")


def test_rejects_stay_well_below_the_error_budget_at_any_scale(demo_data, demo_list):
    for scale in (0.001, 0.05, 0.3):
        for code, table in clean_tables(3, scale, demo_data / "divisions").items():
            sown = faults.sow(table, 3)
            rejected = sum(count for _, count in sown.rejects)
            assert rejected == len(sown.rejected), code
            assert rejected <= 0.03 * len(table.rows) < demo_list.by_code[code].error_budget * len(table.rows)


def test_records_that_the_next_delta_reads_again_are_clean(demo_data):
    for code, table in clean_tables(SEED, 0.05, demo_data / "divisions").items():
        sown = faults.sow(table, SEED)
        if code in faults.CURSORS:
            column = table.index(faults.CURSORS[code])
            newest = max(row[column] for row in table.rows)
            again = {at for at, row in enumerate(table.rows) if row[column] == newest}
            assert not again & sown.rejected or len(again) == len(table.rows)


def test_records_marked_deleted_are_clean(demo_data):
    table = clean_tables(SEED, 0.2, demo_data / "divisions")["3010010001"]
    column = table.index("deleted")
    struck = {at for at, row in enumerate(table.rows) if row[column] == "1"}
    assert len(struck) > 10
    before = [table.rows[at].copy() for at in sorted(struck)]
    sown = faults.sow(table, SEED)
    assert not struck & sown.rejected
    assert [table.rows[at] for at in sorted(struck)] == before


def test_all_kinds_of_fault_occur_in_a_small_city(city):
    _, made = city
    reasons = {reason for expected in made.resources.values() for reason, _ in expected.rejects}
    noted = {fault for expected in made.resources.values() for fault, _ in expected.noted}
    assert reasons >= {
        "bad_citizen_id", "bad_uscc", "duplicate_key", "conflicting_key", "impossible_date", "null_not_allowed",
        "null_key", "bad_type", "bad_code", "bad_pattern", "cross_field", "no_reference",
    }  # fmt: skip
    assert noted == {"full_width_digits", "other_date_form"}
    assert sum(len(expected.renamed) for expected in made.resources.values()) == 2


def test_the_manifest_names_no_one(city):
    text = (city[0] / "manifest.json").read_text(encoding="utf-8")
    assert not re.search(r"[0-9]{17}[0-9X]", text)
