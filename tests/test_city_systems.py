"""docs/city-systems.csv: no system of the reference cities is forgotten, and no row claims what is not there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hub.cli import main

ROOT = Path(__file__).parents[1]
COLUMNS = [
    "id", "city", "year", "name_zh", "name_en", "what", "figures", "roles", "how", "status", "evidence",
]  # fmt: skip
COUNTS = {"F": 47, "P": 19, "M": 22, "X": 35}
CITIES = {"F": ("阜阳", "2020"), "P": ("攀枝花", "2020"), "M": ("马鞍山", "2018"), "X": ("宣城", "2018")}
ROLES = {"CORE", "SRC", "USE", "KPI", "OUT"}
STATUSES = {"existing", "planned", "outside"}
COMMAND = "zhengtong "


@pytest.fixture(scope="module")
def rows():
    with (ROOT / "docs/city-systems.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return {row["id"]: row for row in reader}


def test_every_system_stands_there_once(rows):
    text = (ROOT / "docs/city-systems.csv").read_text(encoding="utf-8")
    assert sum(1 for _ in csv.reader(text.splitlines())) == 1 + len(rows) == 124
    assert list(rows) == [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
    for row in rows.values():
        city, year = CITIES[row["id"][0]]
        assert row["city"].startswith(city)
        assert row["year"] == year


def test_every_row_says_what_it_is_and_how_it_is_served(rows):
    for row in rows.values():
        assert row["name_zh"], row["id"]
        assert row["name_en"], row["id"]
        assert row["how"], row["id"]
        roles = row["roles"].split()
        assert roles, row["id"]
        assert set(roles) <= ROLES
        assert row["status"] in STATUSES
        assert (row["status"] == "outside") == (roles == ["OUT"]), row["id"]


def test_a_core_row_is_planned_or_names_what_exists(rows):
    commands = set()
    for row in rows.values():
        evidence = row["evidence"]
        assert bool(evidence) == (row["status"] == "existing"), row["id"]
        if row["status"] == "existing":
            assert "CORE" in row["roles"].split(), row["id"]
        if evidence.startswith(COMMAND):
            commands.add(evidence)
        elif evidence:
            assert (ROOT / evidence).is_file(), row["id"]
    assert commands
    for command in commands:
        assert main([*command.split()[1:], "--help"]) == 0, command


def test_numbers_missing_in_the_public_text_stay_missing(rows):
    gaps = {row["id"] for row in rows.values() if "[gap]" in row["figures"]}
    assert gaps == {"F14", "F40", "F44"}


def test_figures_are_those_of_the_reports(rows):
    assert "53 departments, 1,227 classes" in rows["F2"]["figures"]
    assert "2617万次" in rows["F4"]["figures"]
    assert "231 kinds" in rows["F5"]["figures"]
    assert "52,353 items" in rows["M13"]["figures"]
    assert "58 kinds, 5.2 million made" in rows["X8"]["figures"]


def test_contradictions_stay_visible(rows):
    parts = [241.5, 20.8, 54, 70, 47, 62, 17.6]
    assert round(sum(parts), 1) == 512.9
    composition = " ".join((rows["X9"]["what"], rows["X9"]["figures"]))
    assert all(str(part).removesuffix(".0") in composition for part in parts)
    assert "512.9" in composition
    assert "520" in composition
    assert "47 units in one speech, 44 in the other" in " ".join((rows["X18"]["what"], rows["X18"]["figures"]))
    assert 1066 + 808 + 2702 + 249 + 370 + 234 + 56 == 5485
    assert "=5,485" in " ".join((rows["X20"]["what"], rows["X20"]["figures"]))
