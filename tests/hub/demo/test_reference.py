"""The reference city's list is as large as promised, the same everywhere, and passes the strict loader."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from catalog import export, likeness
from catalog.identifiers import check_uscc
from catalog.load import from_plain, load_report_bytes
from catalog.model import EVERYONE, Domain, Duty, FieldKind, ShareType, to_plain
from hub.demo.reference import reference_list
from hub.demo.reference.story import CHECKED_ON
from hub.demo.reference.subjects import subjects

# The digest of seed 3412. A change to the stems, blocks or draws changes it: say so in the change log.
VERSION = "sha256:abd7e034e10f2b853f5538178b79cdd08828d560a642b2e90cb9bd619019b18e"


@pytest.fixture(scope="module")
def city():
    return reference_list()


def test_the_same_seed_gives_the_same_list(city):
    assert city.version == VERSION
    few = [reference_list(seed, resources=60).version for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]


def test_hash_order_plays_no_part():
    code = "from hub.demo.reference import reference_list; print(reference_list(resources=120).version)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == reference_list(resources=120).version


def test_it_is_as_large_as_the_reference_city(city):
    assert len(city.departments) == 53
    assert len(city.resources) == 1227
    assert sum(len(resource.fields) for resource in city.resources) >= 40_000
    assert all(20 <= len(resource.fields) <= 60 for resource in city.resources)
    assert len(city.responsibilities) == 1400
    assert 590 <= len(city.matters) <= 600
    assert 780 <= len(city.needs) <= 820
    assert len(city.prohibitions) == 20
    assert (city.city, city.year, city.batch, city.office) == ("阜阳", 2020, 1, "SZJ")


def test_departments_are_whole(city):
    assert len({check_uscc(d.uscc) for d in city.departments}) == 53
    assert all(d.kind and d.aliases and {duty for duty, _ in d.contacts} == set(Duty) for d in city.departments)
    known = city.departments_by_code
    assert {d.code: d.parent for d in city.departments if d.parent}["JJD"] == "GAJ"
    assert all(d.parent in known for d in city.departments if d.parent)
    owing = {r.provider for r in city.resources}
    assert owing == set(known)
    names = Counter(name for d in city.departments for name in {d.name, *d.aliases})
    assert not [name for name, count in names.items() if count > 1]


def test_shares_are_plausible(city):
    types = Counter(resource.share_type for resource in city.resources)
    assert 0.22 <= types[ShareType.UNCONDITIONAL] / 1227 <= 0.28
    assert 0.66 <= types[ShareType.CONDITIONAL] / 1227 <= 0.74
    assert 0.04 <= types[ShareType.NOT_SHARED] / 1227 <= 0.06
    domains = Counter(line.domain for line in city.responsibilities)
    assert 0.75 <= domains[Domain.GOVERNMENT] / 1400 <= 0.85
    assert all(r.share_ground for r in city.resources if r.share_type is ShareType.NOT_SHARED)


def test_what_is_not_shared_is_on_no_line_and_all_else_is(city):
    for resource in city.resources:
        lines = city.responsibilities_for(resource.code)
        assert bool(lines) == (resource.share_type is not ShareType.NOT_SHARED), resource.code
        assert all(line.provider == resource.provider and resource.provider not in line.consumers for line in lines)


def test_records_of_persons_are_never_unconditional(city):
    for resource in city.resources:
        for field in resource.fields:
            if field.grade >= 3:
                assert field.share_type is not ShareType.UNCONDITIONAL, (resource.code, field.name)


def test_codes_masks_and_checks_stand_where_they_belong(city):
    lists = {c.code: tuple(value for value, _ in c.items) for c in city.code_lists}
    used = {field.code_list for resource in city.resources for field in resource.fields}
    assert {"GB/T2261.1", "GB/T3304", "GB/T2260", "GB/T4754"} <= used
    assert used - {""} == set(lists), "every code list is referred to"
    for resource in city.resources:
        assert resource.field(resource.region_field) is not None
        assert resource.key
        for field in resource.fields:
            assert field.codes == lists.get(field.code_list, ())
            assert field.check is None or field.type.kind is FieldKind.STRING


def test_every_need_is_met_by_a_line_and_by_no_prohibition(city):
    for need in city.needs:
        department = city.matters_by_code[need.matter].department
        resource = city.by_code[need.resource]
        assert {f.name for f in resource.fields} >= set(need.fields)
        assert all(resource.field(name).share_type is not ShareType.NOT_SHARED for name in need.fields)
        assert department == resource.provider or any(
            {department, EVERYONE} & set(line.consumers) and {need.matter, EVERYONE} & set(line.purposes)
            for line in city.responsibilities_for(need.resource)
        )
        for prohibition in city.prohibitions_by_resource.get(need.resource, ()):
            assert not ({department, EVERYONE} & set(prohibition.consumers)) or not (
                set(need.fields) & set(prohibition.fields or need.fields)
            )


def test_names_are_told_apart_also_in_english(city):
    assert len({r.name for r in city.resources}) == 1227
    assert len({r.name_en for r in city.resources}) == 1227
    assert len({s.stem for s in subjects()}) == len(subjects()) >= 800
    assert "食品经营许可信息" in {r.name for r in city.resources}


def test_reviewers_find_few_names_alike(city):
    for table in (city.departments, city.resources, city.matters):
        assert len(likeness.alike([likeness.bare(record.name) for record in table])) <= 10


@pytest.mark.parametrize(("write", "suffix"), [(export.to_xlsx, ".xlsx"), (export.to_yaml, ".yaml")])
def test_a_smaller_list_passes_the_strict_loader_too(write, suffix):
    small = reference_list(7, resources=120)
    assert from_plain(to_plain(small)) == small
    data = write(small)
    report = load_report_bytes(data if isinstance(data, bytes) else data.encode(), suffix, "city", today=CHECKED_ON)
    assert {fault.code for fault in report.faults} <= {"near_names"}
    assert report.list_ == small


@pytest.mark.slow
def test_the_workbook_reads_back_as_the_same_list_with_few_notices(city):
    report = load_report_bytes(export.to_xlsx(city), ".xlsx", "city.xlsx", today=CHECKED_ON)
    assert {fault.code for fault in report.faults} <= {"near_names"}
    assert len(report.faults) <= 10
    assert report.list_ == city


def test_larger_lists_tell_counties_apart():
    large = reference_list(resources=4000)
    assert len({r.name for r in large.resources}) == len({r.name_en for r in large.resources}) == 4000
    assert any(r.name.startswith("颍州区") for r in large.resources)
    assert len({r.code for r in large.resources}) == 4000
    with pytest.raises(ValueError, match="at most"):
        reference_list(resources=1_000_000)
