"""The published list of the demo fits its systems, its sources and its licences."""

from __future__ import annotations

import io
import zipfile
from xml.etree.ElementTree import canonicalize

import pytest

from catalog import export
from catalog.load import load_report
from catalog.model import Deletion, Disposition, Domain, Drift, DriftPolicy, Mask, QualityKind, ShareType
from connectors.registry import KINDS
from hub import systems
from hub.demo import faults, sources
from licence import kinds
from tests.hub.demo import plain

# Kinds that need a server beside them; and one that differs from `csv` by a character.
ELSEWHERE = {"mysql", "postgresql", "postgresql-cdc", "tsv"}


def parts(workbook):
    """The files of a workbook; openpyxl spells the same XML otherwise where lxml is installed."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return {name: canonicalize(archive.read(name).decode()) for name in archive.namelist()}


def test_yaml_and_excel_are_the_same_list_without_a_warning(demo_data):
    text = load_report(demo_data / "responsibilities.yaml")
    sheet = load_report(demo_data / "responsibilities.xlsx")
    assert text.faults == ()
    assert sheet.faults == ()
    assert text.list_.version == sheet.list_.version
    assert parts(export.to_xlsx(text.list_)) == parts((demo_data / "responsibilities.xlsx").read_bytes()), (
        "export responsibilities.xlsx anew after a change to the YAML"
    )


def test_the_city_is_as_large_and_as_mixed_as_promised(demo_list, demo_data):
    assert len(demo_list.departments) >= 12
    assert len(demo_list.resources) == 33
    assert len(demo_list.matters) >= 8
    dispositions = [r.disposition for r in demo_list.resources]
    assert dispositions.count(Disposition.APPEND) >= 2
    assert dispositions.count(Disposition.MERGE) >= 4
    assert dispositions.count(Disposition.SCD2) == 1
    used = {s.kind for s in systems.load(demo_data / "systems.yaml").values()}
    assert set(KINDS) - used == ELSEWHERE
    assert {r.domain for r in demo_list.responsibilities} == set(Domain)
    assert {r.share_type for r in demo_list.resources} == set(ShareType)
    (withheld,) = [r for r in demo_list.resources if r.share_type is ShareType.NOT_SHARED]
    assert withheld.share_ground
    assert not demo_list.responsibilities_for(withheld.code)


def test_the_list_uses_what_a_list_can_say_of_ingestion(demo_list):
    assert [r.code for r in demo_list.resources if r.deletion is Deletion.SOFT] == ["3100020001"]
    assert [r.code for r in demo_list.resources if r.error_limit] == ["3020010003"]
    assert demo_list.by_code["3070010002"].drift_policy(Drift.RETYPED) is DriftPolicy.FREEZE
    masked = [(r.code, f.name) for r in demo_list.resources for f in r.fields if f.landing is not Mask.NONE]
    assert masked == [("3140010002", "phone")]
    rules = [(r.code, rule) for r in demo_list.resources for rule in r.quality]
    assert {rule.kind for _, rule in rules} == set(QualityKind)
    every = {kind: [c for c, rule in rules if rule.kind is kind and rule.threshold == 1] for kind in QualityKind}
    assert every[QualityKind.REFERENCE] == list(faults.REFERENCES)
    assert "3140010002" in every[QualityKind.CONSISTENCY]


def test_every_shared_resource_is_owed_to_somebody_by_a_day_and_on_a_ground(demo_list):
    for resource in demo_list.resources:
        lines = demo_list.responsibilities_for(resource.code)
        assert bool(lines) == (resource.share_type is not ShareType.NOT_SHARED), resource.code
        assert all(line.ground and line.deadline.year == 2026 for line in lines)
        assert resource.lookup_fields


def test_systems_and_list_name_one_another(demo_list, demo_data):
    described = systems.load(demo_data / "systems.yaml")
    assert {r.source.system for r in demo_list.resources} == set(described)
    assert described["sj-market"].settings["token"].startswith("file:")


def test_licence_kinds_draw_on_unmasked_fields_of_their_issuers_resources(demo_list, demo_data):
    loaded = kinds.load(demo_data / "licence-kinds.yaml")
    names = {kind.name for kind in loaded}
    assert names >= {
        "防空地下室建设意见书", "联合收割机驾驶证", "木材运输证", "植物检疫证书", "老年人优待证", "老年公交优待卡",
        "营业执照",
    }  # fmt: skip
    for kind in loaded:
        resource = demo_list.by_code[kind.resource]
        assert resource.provider == kind.issuer
        for name in kind.source_fields:
            field = resource.field(name)
            assert field is not None, (kind.name, name)
            assert field.mask is Mask.NONE
        assert resource.field(kind.holder_field).lookup
        lines = demo_list.responsibilities_for(kind.resource)
        assert any("SZJ" in line.consumers and "341200-SZJ-0001" in line.purposes for line in lines), kind.name


def test_fault_plans_name_fields_of_the_list_that_give_these_reasons(demo_list):
    resources = demo_list.by_code
    for code, plan in faults.PLANS.items():
        for fault, name in plan:
            field = resources[code].field(name) if name else None
            assert field is not None or fault == "duplicate_key", (code, name)
            if fault == "cross_field":
                assert any(q.kind is QualityKind.CONSISTENCY and q.field == name for q in resources[code].quality)
            if fault in ("duplicate_key", "conflicting_key"):
                assert resources[code].disposition is Disposition.REPLACE
            if fault.startswith("null"):
                assert not field.nullable
            if fault.startswith("bad_c") and fault != "bad_code":
                assert field.check == "citizen_id"
            assert name != resources[code].source.cursor_field or not name
    cursors = {r.code: r.source.cursor_field for r in demo_list.resources if r.source.cursor_field}
    assert cursors == faults.CURSORS


def test_layouts_and_headings_of_the_sources_are_those_of_the_list(demo_list, city):
    folder, manifest = city
    for resource in demo_list.resources:
        source = resource.source
        options = dict(source.options)
        if "layout" in options:
            start, parts = 0, []
            for name, width in sources.LAYOUTS[resource.code]:
                parts.append(f"{name}:{start}:{width}")
                start += width
            assert options["layout"] == ",".join(parts)
        if resource.code in sources.DBF:
            assert [f.aliases for f in resource.fields] == [(name,) for name, *_ in sources.DBF[resource.code]]
        if resource.code == "3020010003":
            with (folder / "tj/cunji-2023.csv").open(encoding="gb18030") as file:
                headings = file.readline().strip().split(",")
        else:
            headings, _ = plain.read(folder, source.system, source.object, options)
        for field in resource.fields:
            assert {field.name, *field.aliases} & set(headings), (resource.code, field.name)
        for name, heading in manifest.resources[resource.code].renamed:
            assert heading in headings
            assert heading in resource.field(name).aliases[1:], "the first alias is the usual heading"


@pytest.mark.parametrize(
    ("code", "cursor"),
    [
        ("3010010001", "updated_at"),
        ("3040010001", "updated_at"),
        ("3120020001", "updated_at"),
        ("3140010002", "batch_no"),
    ],
)
def test_merged_resources_have_a_cursor(demo_list, code, cursor):
    assert demo_list.by_code[code].source.cursor_field == cursor


def test_what_refers_to_another_resource_comes_after_it(demo_list):
    places = [resource.code for resource in demo_list.resources]
    for code, (field, target, name) in faults.REFERENCES.items():
        assert demo_list.by_code[code].field(field)
        assert demo_list.by_code[target].field(name).key
        assert places.index(target) < places.index(code)
