"""Which rows are rejected now, after loads, mends and replays; and those of a load that was stopped."""

import csv
from shutil import rmtree

import pytest

from catalog.model import Disposition, FieldKind, FieldType
from hub.control import Control
from hub.ingestion import stopped_rejects
from tests.hub.ingestion.city import REPLAY, City, counts, resource, with_field
from warehouse.errors import ErrorBudgetExceededError

CODE = "R-Q"


@pytest.fixture
def drop(tmp_path):
    path = tmp_path / "drop" / "people.csv"
    path.parent.mkdir()

    def write(*rows):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("no", "name", "amount", "updated_at"), *rows])

    write(("N1", "甲", "1", "2026-01-01"), ("N2", "太长的名字", "2", "2026-01-02"), ("N3", "丙", "x", "2026-01-03"))
    return write


@pytest.fixture(params=[Disposition.REPLACE, Disposition.MERGE])
def city(tmp_path, drop, request):
    systems = {"drop": {"kind": "csv", "settings": {"folder": str(tmp_path / "drop")}}}
    cursor = {"cursor_field": "updated_at"} if request.param is Disposition.MERGE else {}
    with City(tmp_path / "var", systems, resource(CODE, request.param, "drop", "people.csv", **cursor)) as city:
        city.publish(resource(CODE, request.param, "drop", "people.csv", error_budget=0.9, **cursor))
        yield city


def now(city):
    with city.house() as house:
        return sorted(reason.code for row in house.rejected(city.resources[CODE]) for reason in row.reasons)


def stopped(city):
    control = Control.attach(city.settings)
    try:
        path = stopped_rejects(city.settings, control, CODE)
    finally:
        control.close()
    with city.house() as house:
        return None if path is None else sorted(str(r.reasons[0].code) for r in house.rejected_in(path))


def test_a_row_that_came_right_is_rejected_no_longer(city, drop):
    assert counts(city.load())[3] == 2
    assert now(city) == ["bad_type", "too_long"]
    drop(("N1", "甲", "1", "2026-01-01"), ("N2", "短", "2", "2026-01-04"), ("N3", "丙", "x", "2026-01-03"))
    city.load()
    assert now(city) == ["bad_type"]


def test_what_a_list_learnt_to_take_comes_in_by_a_replay_and_settles(city):
    city.load()
    city.publish(with_field(city.resources[CODE], "name", type=FieldType(FieldKind.STRING, 20)))
    told = city.load(order=REPLAY)
    assert (told.mode, told.read, told.inserted, told.rejected) == ("replay", 2, 1, 1)
    assert now(city) == ["bad_type"]
    assert city.rows("", "no") == [("N1",), ("N2",)]


def test_a_replay_never_puts_an_old_row_over_a_newer_one(city, drop):
    city.load()
    drop(("N1", "甲", "1", "2026-01-01"), ("N2", "新", "22", "2026-01-09"), ("N3", "丙", "x", "2026-01-03"))
    city.load()
    city.publish(with_field(city.resources[CODE], "name", type=FieldType(FieldKind.STRING, 20)))
    assert city.load(order=REPLAY).changed == 0
    assert ("N2", "新") in city.rows("", "no", "name")


def test_the_rows_of_a_load_that_was_stopped_can_be_read(city, drop):
    city.load()
    assert stopped(city) is None
    drop(*((f"N{n}", "太长的名字", "1", "2026-01-28") for n in range(1, 29)))
    with pytest.raises(ErrorBudgetExceededError):
        city.load(run="stopped")
    assert stopped(city) == ["too_long"] * 28
    # Nothing of it is in the table, nor in its quarantine.
    assert now(city) == ["bad_type", "too_long"]
    rmtree(city.begin(run="stopped").folder)
    assert stopped(city) is None
