"""What differs between two lists: nothing is missed, nothing is invented, and both languages say it."""

from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.attributes import ATTRIBUTES
from catalog.changes import SENTENCES, Weight
from catalog.diff import compare
from catalog.model import (
    EVERYONE,
    Cadence,
    Check,
    CodeList,
    Deletion,
    Department,
    DepartmentKind,
    Drift,
    DriftPolicy,
    Duty,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    Need,
    Prohibition,
    QualityKind,
    QualityRule,
    Responsibility,
    ResponsibilityList,
    ShareType,
    SourceRef,
    Theme,
)
from tests.catalog.conftest import make_list, make_resource
from tests.catalog.strategies import lists


def rich_list():
    """A list in which no attribute is at its default."""
    base = make_list()
    resource = make_resource()
    more = {
        "related": ("R2",),
        "classification": ("3", "07"),
        "theme": Theme.LEGAL_PERSON,
        "aliases": ("企业登记",),
        "region_field": "name",
        "deletion": Deletion.SOFT,
        "error_limit": 100,
        "drift": ((Drift.NEW, DriftPolicy.FREEZE), (Drift.MISSING, DriftPolicy.DISCARD)),
        "quality": (
            QualityRule(QualityKind.COMPLETENESS, "name", 0.9),
            QualityRule(QualityKind.VOLUME, "", 10.0),
            QualityRule(QualityKind.CONSISTENCY, "name", 1.0, "name is not null"),
        ),
    }
    first, *rest = resource.fields
    first = replace(first, codes=("a",), pattern="x", cadence=Cadence.WEEKLY, code_list="CL", share_condition="凭证")
    rest = [replace(rest[0], landing=Mask.SURNAME), *rest[1:]]
    return replace(
        base,
        departments=tuple(
            replace(
                d, parent="D1", contact_role="科", kind=DepartmentKind.GOVERNMENT, contacts=((Duty.REVIEW, "审核岗"),)
            )
            for d in base.departments
        ),
        resources=(replace(resource, fields=(first, *rest), **more), *base.resources[1:]),
        responsibilities=(replace(base.responsibilities[0], year=2020, batch=1),),
        matters=tuple(replace(matter, hidden=True, hidden_ground="《某法》") for matter in base.matters),
        office="D1",
        needs=(Need("M1", "R1", ("id", "name"), ("query",), "营业执照"),),
        prohibitions=(Prohibition("R1", ("D2",), ("M2",), "《某法》", ("phone",)),),
        code_lists=(CodeList("CL", "状态", (("1", "在业"), ("2", "注销"))),),
    )


RICH = rich_list()
MODEL = (
    ResponsibilityList,
    Department,
    InformationResource,
    SourceRef,
    Field,
    FieldType,
    QualityRule,
    CodeList,
    Responsibility,
    Matter,
    Need,
    Prohibition,
)


def other_values(value, name=""):
    """Values of the same kind as *value* that are not it."""
    if isinstance(value, StrEnum):
        return [member for member in type(value) if member is not value][:3]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value + 0.01, value - 0.01]
    if isinstance(value, str):
        return [value + "x", ""] if value else ["x"]
    if isinstance(value, date):
        return [value + timedelta(days=1), value - timedelta(days=1)]
    if value is None:
        return [Check.USCC if name == "check" else Cadence.YEARLY]
    raise AssertionError(type(value))


def variants(value):
    """(path, changed value) for every attribute below *value*, each changed by itself."""
    for slot in fields(value):
        found = getattr(value, slot.name)
        for path, changed in attribute_variants(found, slot.name):
            yield f"{type(value).__name__}.{path}", replace(value, **{slot.name: changed})


def attribute_variants(found, name):
    if is_dataclass(found):
        for path, changed in variants(found):
            yield f"{name}>{path}", changed
    elif isinstance(found, tuple):
        for index, item in enumerate(found):
            yield f"{name} without {index}", found[:index] + found[index + 1 :]
            if is_dataclass(item):
                for path, changed in variants(item):
                    yield f"{name}>{path}", (*found[:index], changed, *found[index + 1 :])
            elif isinstance(item, str):
                yield f"{name}[{index}]", (*found[:index], item + "x", *found[index + 1 :])
        if len(found) > 1:
            yield f"{name} reversed", found[::-1]
    else:
        for changed in other_values(found, name):
            yield f"{name}={changed}", changed


VARIANTS = list(variants(RICH))


def test_the_variants_reach_every_attribute_of_the_model():
    touched = {part.split(">")[-1] for path, _ in VARIANTS for part in [path]}
    for kind in MODEL:
        for slot in fields(kind):
            assert any(f"{kind.__name__}.{slot.name}" in path for path, _ in VARIANTS), (kind, slot.name, len(touched))


def test_each_changed_attribute_is_told_in_both_languages_and_backwards():
    for path, changed in VARIANTS:
        diff, back = compare(RICH, changed), compare(changed, RICH)
        # The scale of what is no decimal is no part of a list's content.
        assert diff.changes or (changed.version == RICH.version and "FieldType.scale" in path), path
        assert len(diff.changes) == len(back.changes), path
        for change in (*diff.changes, *back.changes):
            assert change.text("en") != change.text("zh") != "", path
            assert "{" not in change.text("zh") + change.text("en"), path
            assert change.to_plain()["weight"] == change.weight


@given(lists(), lists())
@settings(max_examples=30, deadline=None)
def test_any_two_lists_compare_the_same_way_each_time_and_backwards(old, new):
    diff = compare(old, new)
    assert bool(diff.changes) == (old != new)
    assert compare(old, new) == diff
    assert len(compare(new, old).changes) == len(diff.changes)
    assert sum(diff.counts().values()) == len(diff.changes)
    assert compare(old, old).changes == ()
    assert (diff.digest() == compare(new, old).digest()) == (old == new)


@given(lists(), st.data())
@settings(max_examples=30, deadline=None)
def test_one_changed_attribute_of_any_list_is_told(old, data):
    changes = list(variants(old))
    changed = data.draw(st.sampled_from(changes))[1]
    assert bool(compare(old, changed).changes) == (old.version != changed.version)


def test_a_first_list_takes_nothing_from_anybody():
    diff = compare(None, RICH)
    assert (diff.old_version, diff.new_version, diff.changes) == ("", RICH.version, ())


def change_resource(**changes):
    return replace(RICH, resources=(replace(RICH.resources[0], **changes), *RICH.resources[1:]))


def change_field(name, **changes):
    found = RICH.resources[0].fields
    return change_resource(fields=tuple(replace(f, **changes) if f.name == name else f for f in found))


def only(diff):
    (change,) = diff.changes
    return change


R1 = "市场主体登记信息R1（R1）"


@pytest.mark.parametrize(
    ("changed", "code", "weight", "zh", "en"),
    [
        (
            change_resource(fields=RICH.resources[0].fields[:-1]),
            "field_dropped",
            "breaking",
            f"市场监督管理局（D1）不再提供{R1}的信息项“变更时间”（changed）",
            "Market Supervision (D1) no longer owes field changed (变更时间) of Registered market entities (R1)",
        ),
        (
            change_resource(share_type=ShareType.NOT_SHARED, share_ground=""),
            "share_type_changed",
            "breaking",
            f"{R1}的共享类型由有条件共享改为不予共享（依据：（无））",
            "share type changed from conditional to not shared (ground: nothing)",
        ),
        (
            change_resource(cadence=Cadence.YEARLY),
            "cadence_slower",
            "narrowing",
            "更新周期放慢：由每日改为每年",
            "updated less often: daily became yearly",
        ),
        (change_resource(cadence=Cadence.REALTIME), "cadence_faster", "widening", "加快", "more often"),
        (change_resource(provider="D2"), "provider_changed", "narrowing", "由市场监督管理局（D1）改为人力", "provider"),
        (
            change_resource(share_type=ShareType.UNCONDITIONAL),
            "share_type_changed",
            "widening",
            "无条件",
            "unconditional",
        ),
        (
            change_field("name", type=FieldType(FieldKind.STRING, 5)),
            "type_narrowed",
            "narrowing",
            "由string收窄为string(5)",
            "narrowed from string to string(5)",
        ),
        (change_field("name", type=FieldType(FieldKind.DATE)), "type_changed", "breaking", "数据类型", "type changed"),
        (
            change_field("capital", type=FieldType(FieldKind.DECIMAL, 19, 2)),
            "type_widened",
            "widening",
            "放宽",
            "widened",
        ),
        (
            # As many digits in all, but fewer before the point.
            change_field("capital", type=FieldType(FieldKind.DECIMAL, 18, 3)),
            "type_narrowed",
            "narrowing",
            "收窄",
            "narrowed",
        ),
        (change_field("phone", mask=Mask.REDACT), "mask_stricter", "narrowing", "脱敏加严", "masked more"),
        (change_field("phone", mask=Mask.NONE), "mask_looser", "widening", "脱敏放宽", "masked less"),
        # Two partial masks: what was shown is hidden now, too.
        (
            change_resource(error_limit=0),
            "changed",
            "narrowing",
            "容错行数由100改为0",
            "may be rejected changed from 100",
        ),
        (change_resource(error_limit=50), "changed", "widening", "由100改为50", "to 50"),
        (change_field("name", landing=Mask.NONE), "changed", "widening", "入库脱敏由保留姓氏改为不脱敏", "at landing"),
        (change_resource(deletion=Deletion.HARD), "changed", "neutral", "由逻辑删除改为物理删除", "from soft to hard"),
        (
            change_resource(drift=((Drift.NEW, DriftPolicy.FREEZE),)),
            "changed",
            "neutral",
            "结构变化处理由新增列、冻结待批、缺失列、忽略改为新增列、冻结待批",
            "new, freeze, missing, discard to new, freeze",
        ),
        (change_field("phone", mask=Mask.SURNAME), "changed", "narrowing", "脱敏方式", "mask changed"),
        (change_field("phone", grade=4), "grade_raised", "narrowing", "由3级提高到4级", "raised from 3 to 4"),
        (
            change_field("id", lookup=False),
            "lookup_dropped",
            "breaking",
            "不再作为查询条件",
            "no longer be looked up by",
        ),
        (change_field("name", nullable=False), "changed", "widening", "可为空由是改为否", "may be empty"),
        (change_field("id", cadence=None), "cadence_faster", "widening", "由每周改为（无）", "weekly became nothing"),
        (
            replace(RICH, prohibitions=()),
            "prohibition_lifted",
            "widening",
            "解除对人力资源和社会保障局（D2）共享",
            "may be shared again",
        ),
        (
            replace(RICH, departments=(replace(RICH.departments[0], name="市监委"), RICH.departments[1])),
            "renamed",
            "neutral",
            "市场监督管理局更名为市监委",
            "is now called 市监委",
        ),
        (
            replace(RICH, code_lists=(replace(RICH.code_lists[0], items=RICH.code_lists[0].items[:1]),)),
            "code_dropped",
            "narrowing",
            "取消2 注销",
            "lost 2 注销",
        ),
        (
            replace(RICH, needs=(replace(RICH.needs[0], fields=("id",)),)),
            "need_field_dropped",
            "narrowing",
            "不再需用",
            "no longer needs field name",
        ),
        (
            change_resource(
                quality=(replace(RICH.resources[0].quality[0], threshold=0.5), *RICH.resources[0].quality[1:])
            ),
            "quality_looser",
            "narrowing",
            "由0.9放宽为0.5",
            "loosened from 0.9 to 0.5",
        ),
    ],
)
def test_single_changes_say_what_an_auditor_would(changed, code, weight, zh, en):
    change = only(compare(RICH, changed))
    assert (change.code, change.weight) == (code, weight)
    assert zh in change.text("zh")
    assert en in change.text("en")


def line(**changes):
    return replace(RICH, responsibilities=(replace(RICH.responsibilities[0], **changes),))


def test_a_line_is_followed_through_what_changes_in_it():
    later = only(compare(RICH, line(deadline=date(2021, 6, 30))))
    assert later.code == "deadline_later"
    assert "由2020-12-31推迟到2021-06-30" in later.text("zh")
    dropped = compare(RICH, line(consumers=("D1",))).changes
    assert [(c.code, c.weight) for c in dropped] == [
        ("consumer_dropped", Weight.BREAKING),
        ("consumer_added", Weight.WIDENING),
    ]
    # Who is among everybody lost nothing.
    opened = compare(RICH, line(consumers=(EVERYONE,))).changes
    assert [(c.code, c.weight) for c in opened] == [
        ("consumer_dropped", Weight.NEUTRAL),
        ("consumer_added", Weight.WIDENING),
    ]
    assert compare(RICH, line(purposes=("M2",))).changes[0].text("en").endswith("for Employment subsidy (M1)")
    gone = only(compare(RICH, replace(RICH, responsibilities=())))
    assert gone.code == "line_dropped"
    assert set(gone.departments) == {"D1", "D2"}
    # Two lines of one resource keep apart: the other one changed.
    second = replace(RICH.responsibilities[0], consumers=("D1",), purposes=("M2",), ground="另")
    two = replace(RICH, responsibilities=(*RICH.responsibilities, second))
    moved = replace(RICH, responsibilities=(*RICH.responsibilities, replace(second, deadline=date(2030, 1, 1))))
    assert only(compare(two, moved)).code == "deadline_later"


def test_a_resource_with_a_new_code_is_recognised_by_its_name_and_provider():
    recoded = change_resource(code="R9", cadence=Cadence.WEEKLY)
    recoded = replace(
        recoded,
        responsibilities=tuple(replace(line_, resource="R9") for line_ in RICH.responsibilities),
        needs=(),
        prohibitions=(),
    )
    codes = [change.code for change in compare(RICH, recoded).changes]
    assert codes[:2] == ["resource_recoded", "cadence_slower"]
    assert "resource_dropped" not in codes
    # With another provider it is another resource.
    other = replace(recoded, resources=(replace(recoded.resources[0], provider="D2"), *recoded.resources[1:]))
    assert {"resource_dropped", "resource_added"} <= {change.code for change in compare(RICH, other).changes}


def test_departments_that_merge_or_are_recoded_are_recognised():
    merged = replace(
        RICH,
        departments=RICH.departments[1:],
        resources=tuple(replace(r, provider="D2") for r in RICH.resources),
        responsibilities=(replace(RICH.responsibilities[0], provider="D2"),),
        office="D2",
    )
    told = {change.code: change for change in compare(RICH, merged).changes}
    assert "市场监督管理局（D1）并入人力资源和社会保障局（D2）" in told["department_merged"].text("zh")
    recoded = replace(RICH, departments=(replace(RICH.departments[0], code="D9"), RICH.departments[1]))
    assert compare(RICH, recoded).changes[0].code == "department_recoded"


def test_every_sentence_is_said_in_both_languages_with_the_same_words_to_fill():
    import string

    for code, (en, zh) in SENTENCES.items():
        used = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (en, zh)]
        assert used[0] == used[1], code
    for kind, attributes in ATTRIBUTES.items():
        for name, attribute in attributes.items():
            assert attribute.words.en != attribute.words.zh, (kind, name)
