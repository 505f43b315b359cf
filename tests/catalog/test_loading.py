"""Rules on how a resource is loaded: deletion, drift, masks at landing, rules between fields, bands of rows."""

from __future__ import annotations

import pytest

from catalog.export import to_csv_zip, to_xlsx, to_yaml
from catalog.load import from_plain, load_report_bytes
from catalog.model import (
    Deletion,
    Disposition,
    Drift,
    DriftPolicy,
    Field,
    FieldKind,
    FieldType,
    Mask,
    QualityKind,
    QualityRule,
    SourceRef,
    to_plain,
)

from .conftest import make_list, make_resource

TEXT = FieldType(FieldKind.STRING, 64)


def full_list():
    """A list that says of its loads all that can be said."""
    fields = (
        Field("id", "证号", TEXT, key=True, nullable=False, landing=Mask.HASH),
        Field("name", "姓名", TEXT, landing=Mask.SURNAME),
        Field("status", "状态", FieldType(FieldKind.STRING, 2), codes=("1", "2")),
        Field("opened", "开业日期", FieldType(FieldKind.DATE)),
        Field("closed", "注销日期", FieldType(FieldKind.DATE)),
        Field("changed", "变更时间", FieldType(FieldKind.DATETIME)),
        Field("phone", "电话", FieldType(FieldKind.INTEGER), landing=Mask.NULL),
    )
    first = make_resource(
        fields=fields,
        disposition=Disposition.REPLACE,
        source=SourceRef("scjg", "ent*.csv"),
        deletion=Deletion.SOFT,
        error_limit=1000,
        drift=((Drift.NEW, DriftPolicy.FREEZE), (Drift.RETYPED, DriftPolicy.DISCARD)),
        quality=(
            QualityRule(QualityKind.CONSISTENCY, "closed", 1.0, "if status = '2' then closed is not null"),
            QualityRule(QualityKind.CONSISTENCY, "opened", 0.99, "opened <= closed"),
            QualityRule(QualityKind.REFERENCE, "status", 1.0, "R1.status"),
            QualityRule(QualityKind.VOLUME_BAND, "", 0.5),
        ),
    )
    return make_list(resources=(first, make_list().resources[1]))


GOOD = to_yaml(full_list())


def report(*changes):
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return load_report_bytes(text.encode(), ".yaml", "l.yaml")


def test_everything_said_of_loads_is_read_back_from_each_form():
    list_ = full_list()
    for suffix, data in ((".yaml", GOOD.encode()), (".xlsx", to_xlsx(list_)), (".zip", to_csv_zip(list_))):
        found = load_report_bytes(data, suffix, f"l{suffix}")
        assert found.faults == ()
        assert found.list_ == list_
        assert found.list_.version == list_.version
    assert from_plain(to_plain(list_)) == list_


def test_a_list_that_says_nothing_of_them_keeps_its_digest_and_has_the_usual():
    resource = make_resource()
    assert not {"deletion", "error_limit", "drift"} & to_plain(resource).keys()
    assert "landing" not in to_plain(resource.fields[0])
    assert {resource.drift_policy(drift) for drift in Drift} == {DriftPolicy.EVOLVE}
    assert full_list().resources[0].drift_policy(Drift.NEW) is DriftPolicy.FREEZE


def test_words_of_the_office_are_understood():
    found = report(
        ("disposition: replace", "disposition: 拉链表"),
        ("deletion: soft", "deletion: 物理删除"),
        ("landing: hash", "landing: 散列"),
        ('drift: ["新增列=冻结待批", "类型变化=忽略"]', "drift: [缺列：待批, new=evolve]"),
        ("error_limit: 1000", 'error_limit: "2,000"'),
        ("kind: consistency", "kind: 逻辑一致性"),
        ("      - {kind: volume_band, threshold: 0.5}\n", ""),
    )
    assert [fault.text("zh") for fault in found.faults] == []
    resource = found.list_.resources[0]
    assert resource.disposition is Disposition.SCD2
    assert resource.deletion is Deletion.HARD
    assert resource.drift == ((Drift.MISSING, DriftPolicy.FREEZE), (Drift.NEW, DriftPolicy.EVOLVE))
    assert resource.error_limit == 2000
    # 一致性 alone has always meant the reference.
    assert report(("kind: reference", "kind: 一致性")).list_ == full_list()


ERRORS = [
    ("deletion_needless", [("disposition: replace", "disposition: append")], "追加"),
    ("bad_drift", [("类型变化=忽略", "类型变化=看情况")], "`discard 忽略`"),
    ("drift_twice", [("类型变化=忽略", "新增列=忽略")], "新增列"),
    ("bad_number", [("error_limit: 1000", "error_limit: -1")], "非负整数"),
    ("landing_key", [("landing: hash", "landing: redact")], "散列"),
    ("landing_length", [("证号, type: string(64)", "证号, type: string(18)")], "64"),
    ("landing_type", [('landing: "null"', "landing: year")], "integer"),
    ("landing_empty", [("type: integer", "type: integer, nullable: false")], "不可为空"),
    ("landing_ruled", [('codes: ["1", "2"]', 'codes: ["1", "2"], landing: redact')], "codes"),
    ("landing_structural", [("变更时间, type: datetime", "变更时间, type: string, landing: redact"),
                            ("object: ent*.csv", "object: ent*.csv, cursor_field: changed")], "cursor_field"),
    ("bad_rule", [("opened <= closed", "opened <= closed;")], "无法识别"),
    ("rule_field_unknown", [("opened <= closed", "opened <= ghost")], "`ghost`"),
    ("rule_code", [("status = '2'", "status = '3'")], "`3`"),
    ("rule_on_masked", [("opened <= closed", "opened <= closed and name = '张'")], "is null"),
    ("quality_field_unsaid", [("field: opened", "field: changed")], "`opened`, `closed`"),
    ("quality_needs_rule", [(', target: "opened <= closed"', "")], "valid_from"),
    ("quality_field_needless", [("kind: volume_band", "kind: volume_band, field: name")], "请删除"),
    ("bad_number", [("threshold: 0.5", "threshold: 0")], "0 至 1"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes", "words"), ERRORS, ids=[f"{n}-{case[0]}" for n, case in enumerate(ERRORS)])
def test_what_cannot_be_is_an_error_with_its_mend(code, changes, words):
    found = report(*changes)
    hits = [fault for fault in found.faults if fault.code == code]
    assert found.list_ is None
    assert hits, [fault.text("zh") for fault in found.faults]
    assert any(words in fault.text("zh") for fault in hits), [fault.text("zh") for fault in hits]
    assert all(fault.text("en") != fault.text("zh") for fault in hits)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("landing_looked_up", [("landing: surname", "landing: surname, lookup: true")]),
        ("quality_no_time", [("kind: volume_band, threshold: 0.5", "kind: timeliness, field: name, threshold: 3")]),
        ("quality_not_whole", [("disposition: replace", "disposition: scd2"), ("    deletion: soft\n", "")]),
    ],
)
def test_what_is_hardly_meant_is_a_warning(code, changes):
    found = report(*changes)
    assert [fault.code for fault in found.faults] == [code]
    assert found.list_ is not None
