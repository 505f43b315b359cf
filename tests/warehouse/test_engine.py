"""The facade hands on what the parts need of each other; what they do with it is tested where they are."""

from __future__ import annotations

import dataclasses

import pytest

from catalog.model import Disposition, QualityKind, QualityRule
from tests.warehouse.conftest import NOW, field, make_resource, pairs
from warehouse.errors import QualityGateError


def test_rules_over_the_batch_hold_it_back_until_a_person_accepts_it(loader):
    resource = dataclasses.replace(
        pairs(Disposition.REPLACE), quality=(QualityRule(QualityKind.COMPLETENESS, "value", 0.9),)
    )
    staged = loader.stage(["code", "value"], [("a", "1"), ("b", None)])
    loader.house.ensure(resource)
    with pytest.raises(QualityGateError) as caught:
        loader.check(resource, staged)
    accepted = [f.digest for f in caught.value.findings]
    folder = loader.root / "staging"
    checked = loader.house.check(resource, staged, folder, now=NOW, accepted=accepted)
    assert loader.house.commit(resource, staged, checked).inserted == 2


def test_a_reference_is_looked_up_in_the_other_table(loader):
    other = make_resource(Disposition.REPLACE, (field("id", key=True), field("x")), code="r_other")
    resource = dataclasses.replace(
        pairs(Disposition.REPLACE), quality=(QualityRule(QualityKind.REFERENCE, "value", 1.0, "r_other.id"),)
    )
    loader.load(other, [("1", "x")])
    loader.load(resource, [("a", "1"), ("b", "2")])
    assert loader.rows(resource) == [("a", "1")]
    (rejected,) = loader.house.rejected(resource)
    assert rejected.values["code"] == "b"


def test_rejected_rows_are_staged_and_come_in_after_the_mend(loader):
    fields = (field("code", key=True), field("value", codes=("1",)))
    resource = make_resource(Disposition.REPLACE, fields)
    loader.load(resource, [("a", "1"), ("b", "2")])
    mended = dataclasses.replace(resource, fields=(fields[0], field("value", codes=("1", "2"))))
    staged = loader.house.stage_rejected(mended, loader.root / "again.parquet", now=NOW)
    assert loader.house.commit(mended, staged, loader.check(mended, staged)).inserted == 1
    assert loader.rows(mended) == [("a", "1"), ("b", "2")]
    assert loader.house.stage_rejected(mended, loader.root / "none.parquet", now=NOW) is None


def test_a_whole_read_is_compared_with_the_table(loader):
    resource = pairs(Disposition.REPLACE)
    loader.load(resource, [("a", "1"), ("b", "1"), ("c", "1")])
    staged = loader.stage(["code", "value"], [("a", "1"), ("b", "2"), ("d", "1")])
    found = loader.house.reconcile(resource, staged, loader.root / "staging")
    assert (found.missing, found.extra, found.changed) == (1, 1, 1)


def test_earlier_versions_are_there_when_asked_for(loader):
    resource = pairs(Disposition.SCD2)
    loader.load(resource, [("a", "1")])
    loader.load(resource, [("a", "2")])
    assert loader.house.count(resource.code) == 1
    assert [r["value"] for r in loader.house.scan(resource.code)] == ["2"]
    assert len(loader.house.scan(resource.code, history=True)) == 2
