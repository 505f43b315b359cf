"""A source that changes its columns: what the list says happens then, and that nothing else does."""

import json
from dataclasses import replace

import pytest

from catalog.model import Drift, DriftPolicy, FieldKind
from tests.warehouse.conftest import field, make_resource
from warehouse import drift
from warehouse.drift import DriftReport, Outcome
from warehouse.errors import DriftWaitsError

FIELDS = (
    field("id", key=True),
    field("name", nullable=False),
    field("code"),
    field("n", FieldKind.INTEGER),
    field("day", FieldKind.DATE),
)
TYPES = {"id": "varchar(20)", "name": "text", "code": "varchar(12)", "n": "bigint", "day": "date"}


def resource(**policies):
    return replace(make_resource(fields=FIELDS), drift=tuple((Drift(d), DriftPolicy(p)) for d, p in policies.items()))


def observe(**more):
    return drift.observe(resource(), **{"types": TYPES, **more})


def test_a_source_as_it_was_has_not_drifted():
    report = drift.judge(resource(), observe(before=observe()))
    assert (report.outcome, report.findings, report.told, report.blocks) == (Outcome.SAME, (), False, False)
    report.enforce()


@pytest.mark.parametrize(
    ("change", "policies", "outcome", "told", "blocks"),
    [
        ({"extra": ["new"]}, {}, "accepted", True, False),
        ({"extra": ["new"]}, {"new": "freeze"}, "waits", True, True),
        ({"extra": ["new"]}, {"new": "discard"}, "recorded", False, False),
        ({"absent": ["code"]}, {}, "accepted", True, False),
        ({"absent": ["code"]}, {"missing": "freeze"}, "waits", True, True),
        ({"absent": ["code"]}, {"missing": "discard"}, "recorded", False, False),
        # What must be filled stops the load whatever the policy.
        ({"absent": ["name"]}, {"missing": "discard"}, "stops", True, True),
        ({"absent": ["id"]}, {}, "stops", True, True),
        ({"types": {**TYPES, "code": "int"}}, {}, "accepted", True, False),
        ({"types": {**TYPES, "code": "int"}}, {"retyped": "freeze"}, "waits", True, True),
        ({"types": {**TYPES, "code": "int"}}, {"retyped": "discard"}, "recorded", False, False),
        ({"extra": ["new"], "absent": ["code"]}, {"missing": "freeze"}, "waits", True, True),
    ],
)
def test_each_way_to_drift_ends_as_the_list_says(change, policies, outcome, told, blocks):
    for before in (None, observe()):
        report = drift.judge(resource(**policies), observe(**change, before=before))
        assert (report.outcome, report.told, report.blocks) == (Outcome(outcome), told, blocks)
        assert bool(report.lines("zh")) == bool(report.lines("en")) == told


def test_what_waits_goes_on_once_a_person_approved_just_that():
    strict = resource(new="freeze")
    report = drift.judge(strict, observe(extra=["new"]))
    with pytest.raises(DriftWaitsError) as caught:
        report.enforce()
    assert "`new`" in caught.value.text("zh")
    assert "须人工批准" in caught.value.text("zh")
    assert report.digest in caught.value.text("en")
    assert caught.value.report is report
    approved = drift.judge(strict, observe(extra=["new"]), {report.digest})
    assert approved.outcome is Outcome.APPROVED
    approved.enforce()
    # Another column more is another state.
    assert drift.judge(strict, observe(extra=["new", "newer"]), {report.digest}).blocks
    # An approval is for one resource, and nobody can approve of rows that would all be rejected.
    assert drift.judge(replace(strict, code="r_other"), observe(extra=["new"]), {report.digest}).blocks
    gone = drift.judge(strict, observe(absent=["name"]))
    assert drift.judge(strict, observe(absent=["name"]), {gone.digest}).outcome is Outcome.STOPS


def test_a_digest_rests_on_what_drifted_alone():
    one = drift.judge(resource(), observe(extra=["b", "a"]))
    wider = {**TYPES, "code": "varchar(20)"}
    assert one.digest == drift.judge(resource(), observe(extra=["a", "b"], types=wider)).digest
    assert one.digest != drift.judge(resource(), observe(extra=["a"])).digest


def test_a_column_of_another_type_is_taken_only_as_long_as_its_values_keep_the_contract():
    state = observe(types={**TYPES, "n": "varchar(10)"}, before=observe())
    report = drift.judge(resource(), state)
    assert report.outcome is Outcome.ACCEPTED
    assert drift.confirm(report, [("bad_type:name", 3), ("bad_type:n", 0)]) == report
    waits = drift.confirm(report, [("bad_type:n", 1)])
    assert waits.outcome is Outcome.WAITS
    assert drift.confirm(report, [("conflicting_key:id,n", 1)]).blocks
    assert drift.confirm(report, [("bad_type:n", 1)], {report.digest}) == report
    # What is not told is not asked about.
    silent = drift.judge(resource(retyped="discard"), state)
    assert drift.confirm(silent, [("bad_type:n", 1)]) == silent


def test_types_are_compared_with_those_before_and_without_them_with_the_list():
    longer = {**TYPES, "code": "varchar(30)"}
    assert drift.judge(resource(), observe(types=longer)).findings == ()
    (found,) = drift.judge(resource(), observe(types=longer, before=observe())).findings
    assert (found.was, found.now) == ("varchar(12)", "varchar(30)")
    # A source that declares nothing drifts in no type.
    assert drift.judge(resource(), observe(types={}, before=observe())).findings == ()
    # Columns of the source that are no fields are no concern of the list's.
    assert drift.judge(resource(), observe(types={**TYPES, "other": "int"}, before=observe())).findings == ()


@pytest.mark.parametrize(
    ("kind", "fit", "unfit"),
    [
        (FieldKind.STRING, ["varchar(3)", "NVARCHAR2(10)", "text", "char", "mediumtext", "uuid", "geometry"],
         ["int", "NUMBER(10)", "date", "timestamp", "boolean"]),
        (FieldKind.INTEGER, ["int4", "BIGINT", "integer", "int unsigned", "number(10,0)", "numeric", "text"],
         ["date", "bool", "timestamptz"]),
        (FieldKind.DECIMAL, ["numeric(12,2)", "double precision", "money", "int", "varchar"], ["date", "bit"]),
        (FieldKind.DATE, ["date", "datetime", "timestamp without time zone", "char(8)"], ["int", "boolean", "numeric"]),
        (FieldKind.DATETIME, ["timestamp", "date", "varchar(19)"], ["bigint"]),
        (FieldKind.BOOLEAN, ["bool", "bit(1)", "tinyint(1)", "smallint", "char(1)"], ["date", "numeric(5,2)"]),
    ],
)  # fmt: skip
def test_families_of_types_are_told_apart_by_the_words_of_databases(kind, fit, unfit):
    assert [t for t in fit if not drift.fits(kind, t)] == []
    assert [t for t in unfit if drift.fits(kind, t)] == []
    assert drift.fits(kind, "interval")


def test_a_report_is_kept_as_plain_values_and_read_back():
    report = drift.judge(resource(new="freeze"), observe(extra=["x" * 500], absent=["code"], renamed=[("n", "数量")]))
    plain = json.loads(json.dumps(report.to_json()))
    assert DriftReport.from_json(plain) == report
    assert all(f["en"] != f["zh"] for f in plain["findings"])
    assert len(plain["findings"][0]["column"]) < 210


def test_a_source_of_a_thousand_new_columns_is_told_in_few_words():
    report = drift.judge(resource(), observe(extra=[f"c{i:04d}" for i in range(1000)]))
    assert len(report.lines("en")) == 6
    assert "more columns" in report.lines("en")[-1]
    assert len(report.findings) == drift.MAX_NAMED


def test_every_outcome_that_can_be_has_a_sentence():
    for policy in DriftPolicy:
        for change in ({"extra": ["x"]}, {"absent": ["code"]}, {"absent": ["id"]}, {"types": {"code": "int"}}):
            policies = {d.value: policy.value for d in Drift}
            report = drift.judge(resource(**policies), observe(**{"types": {}, **change}))
            approved = drift.judge(resource(**policies), observe(**{"types": {}, **change}), {report.digest})
            for found in (*report.findings, *approved.findings):
                assert found.column in found.text("en")
                assert found.text("en") != found.text("zh")
