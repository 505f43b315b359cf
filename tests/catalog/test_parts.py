"""A department's part of the list: taken out, put back, checked, and told from what is others'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from catalog import parts
from catalog.diff import compare
from catalog.load import load_report
from tests.hub.world import CODE, EMPTY_CODE, make_list, resource

OTHER = "306010/000003"
DEMO = Path(__file__).parents[2] / "demo" / "responsibilities.yaml"


@pytest.fixture
def list_():
    made = make_list()
    other = resource(OTHER, provider="MZ")
    line = replace(made.responsibilities[0], resource=OTHER, provider="MZ")
    # Another's resource stands between two of its own.
    first, second = made.resources
    return replace(
        made,
        resources=(first, replace(other, name="婚姻登记信息"), second),
        responsibilities=(made.responsibilities[0], line, made.responsibilities[1]),
    )


def put(list_, rows, department="GA", **options):
    return parts.put_in(list_, department, rows, **options)


def errors(found):
    return [(one.table, one.row, one.fault.code) for one in found if one.fault.severity == "error"]


def test_what_was_not_edited_gives_the_same_list(list_):
    for department in ("GA", "MZ", "RS"):
        built, found = put(list_, parts.part_of(list_, department), department)
        assert errors(found) == []
        assert built.version == list_.version


def test_a_part_holds_what_the_department_keeps_and_nothing_else(list_):
    rows = parts.part_of(list_, "GA")
    assert [row["code"] for row in rows["resources"]] == [CODE, EMPTY_CODE]
    assert {row["resource"] for row in rows["fields"]} == {CODE, EMPTY_CODE}
    assert {row["resource"] for row in rows["responsibilities"]} == {CODE, EMPTY_CODE}
    assert parts.part_of(list_, "RS") == {table.key: [] for table in parts.EDITED}


def test_an_edit_changes_what_it_says_and_leaves_the_rest_in_its_place(list_):
    rows = parts.part_of(list_, "GA")
    rows["resources"][0]["cadence"] = "每周"
    built, found = put(list_, rows)
    assert errors(found) == []
    assert [one.code for one in built.resources] == [CODE, OTHER, EMPTY_CODE]
    (change,) = compare(list_, built).changes
    assert (change.resource, change.attribute) == (CODE, "cadence")
    assert parts.only_of(list_, built, "GA")
    assert not parts.only_of(list_, built, "MZ")


def test_a_resource_is_added_and_withdrawn(list_):
    rows = parts.part_of(list_, "GA")
    new = rows["resources"][1] | {"code": "306010/000009", "name": "流动人口信息"}
    key = rows["fields"][0] | {"resource": "306010/000009"}
    rows["resources"].append(new)
    rows["fields"].append(key)
    rows["responsibilities"].append(rows["responsibilities"][0] | {"resource": "306010/000009"})
    built, found = put(list_, rows)
    assert errors(found) == []
    assert [one.code for one in built.resources][-1] == "306010/000009"
    assert built.resources[-1].provider == "GA"
    gone = {table: [row for row in kept if CODE not in row.values()] for table, kept in rows.items()}
    built, found = put(list_, gone)
    assert CODE not in built.by_code
    assert parts.only_of(list_, built, "GA")


def test_every_fault_is_told_with_its_row(list_):
    rows = parts.part_of(list_, "GA")
    rows["resources"][1]["cadence"] = "有空时"
    rows["fields"][2]["type"] = ""
    rows["responsibilities"][0]["deadline"] = "soon"
    built, found = put(list_, rows)
    assert built is None
    assert {(table, row) for table, row, _ in errors(found)} >= {
        ("resources", 1),
        ("fields", 2),
        ("responsibilities", 0),
    }
    assert "更新周期" in " ".join(one.text("zh") for one in found)
    english = " ".join(one.text("en") for one in found)
    assert "`cadence`" in english
    assert "更新周期" not in english
    named = " ".join(one.text("en", lambda table, column: f"{table.key} {column.title}") for one in found)
    assert "`resources 更新周期`" in named


def test_nobody_writes_in_anothers_name(list_):
    rows = parts.part_of(list_, "GA")
    rows["resources"][0]["provider"] = "MZ"
    built, _ = put(list_, rows)
    assert built.by_code[CODE].provider == "GA"
    # Nor does a row that names another's resource change it: the code is there twice.
    rows = parts.part_of(list_, "GA")
    rows["resources"].append(rows["resources"][0] | {"code": OTHER})
    assert put(list_, rows)[0] is None


def test_a_field_of_anothers_resource_is_not_passed_off_as_ones_own(list_):
    rows = parts.part_of(list_, "GA")
    rows["fields"].append(rows["fields"][1] | {"resource": OTHER, "name": "smuggled"})
    built, _ = put(list_, rows)
    assert built is None or not parts.only_of(list_, built, "GA")


def test_what_is_others_is_told_apart(list_):
    assert parts.only_of(list_, list_, "GA")
    assert not parts.only_of(list_, replace(list_, title="另一份"), "GA")
    assert not parts.only_of(list_, replace(list_, resources=list_.resources[::2]), "GA")
    assert parts.only_of(list_, replace(list_, resources=list_.resources[:2]), "GA")


def test_what_others_keep_is_judged_as_in_a_file():
    report = load_report(DEMO)
    whole = report.list_
    for department in {one.provider for one in whole.resources}:
        built, found = put(whole, parts.part_of(whole, department), department)
        assert built == whole
        assert sorted(one.fault.code for one in found) == sorted(fault.code for fault in report.faults)
