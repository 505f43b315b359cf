"""Faults of what the list gained: code lists, needs, prohibitions, quality rules, contacts, alike names and codes."""

from __future__ import annotations

from datetime import date

import pytest

from catalog import domains, likeness
from catalog.decide import ACTIONS
from catalog.export import to_csv_zip, to_xlsx, to_yaml
from catalog.load import load, load_bytes, load_report, load_report_bytes
from catalog.model import (
    CodeList,
    DepartmentKind,
    Duty,
    Field,
    FieldKind,
    FieldType,
    Need,
    Prohibition,
    QualityKind,
    QualityRule,
    Theme,
)

from .conftest import make_list, make_resource

TEXT = FieldType(FieldKind.STRING, 18)


def rich_list():
    """A list that uses everything, without a fault."""
    base = make_list()
    sex = Field("sex", "性别代码", TEXT, codes=("1", "2"), code_list="GB/T2261.1")
    county = Field("county", "区划代码", TEXT)
    secret = make_resource().fields[3]
    first = make_resource(
        fields=(*make_resource().fields, sex, county),
        classification=("部门信息资源", "市场监管"),
        theme=Theme.LEGAL_PERSON,
        aliases=("营业执照",),
        region_field="county",
        quality=(
            QualityRule(QualityKind.COMPLETENESS, "name", 0.95),
            QualityRule(QualityKind.REFERENCE, "phone", 0.5, "R1.id"),
            QualityRule(QualityKind.TIMELINESS, "changed", 3.0),
            QualityRule(QualityKind.VOLUME, "", 100.0),
        ),
    )
    departments = (
        base.departments[0],
        type(base.departments[1])(
            "D2", "人力资源和社会保障局", "", "11430000006122244L", "D1", (), "", DepartmentKind.GOVERNMENT,
            ((Duty.REVIEW, "信息中心"), (Duty.TECHNICAL, "信息中心")),
        ),
    )  # fmt: skip
    return make_list(
        departments=departments,
        resources=(first, base.resources[1]),
        office="D1",
        code_lists=(CodeList("GB/T2261.1", "人的性别代码", (("1", "男"), ("2", "女"))),),
        needs=(Need("M1", "R1", ("name", "capital"), ("query", "verify"), "营业执照复印件"),),
        prohibitions=(Prohibition("R1", ("*",), ("*",), "《某法》第九条", (secret.name,)),),
    )


GOOD = to_yaml(rich_list())


def report(*changes, text=GOOD, **options):
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return load_report_bytes(text.encode(), ".yaml", "l.yaml", **options)


def test_everything_is_read_back_from_each_form_without_a_warning():
    for suffix, data in ((".yaml", GOOD.encode()), (".xlsx", to_xlsx(rich_list())), (".zip", to_csv_zip(rich_list()))):
        found = load_report_bytes(data, suffix, f"l{suffix}")
        assert found.faults == ()
        assert found.list_ == rich_list()


def test_the_values_of_a_code_list_are_written_once():
    assert GOOD.count('"1"') == 1
    assert "code_list: GB/T2261.1" in GOOD or 'code_list: "GB/T2261.1"' in GOOD


TWICE = "  - {matter: M1, resource: R1, fields: [name, capital], actions: [query, verify], replaces: 营业执照复印件}\n"

SEXES = '      - {value: "1", title: 男}\n      - {value: "2", title: 女}\n'

ERRORS = [
    ("unknown_department", [("office: D1", "office: D9")], "office", "`D9`"),
    ("unknown_value", [("kind: government", "kind: 企业")], "kind: 企业", "事业单位"),
    ("unknown_value", [("theme: legal_person", "theme: 天气")], "theme", "人口"),
    ("bad_contact", [('"共享审核=信息中心"', "信息中心")], "contacts", "职责=岗位"),
    ("unknown_code_list", [("code_list: GB/T2261.1", "code_list: GB2260")], "GB2260", "`GB/T2261.1`"),
    ("empty_code_list", [(SEXES, "")], "items:", "没有代码值"),
    ("duplicate_code_value", [('value: "2"', 'value: "1"')], "title: 女", "重复"),
    ("codes_and_code_list", [("code_list: GB/T2261.1", 'code_list: GB/T2261.1, codes: ["9"]')], "codes:", "不一致"),
    ("not_a_field", [("region_field: county", "region_field: street")], "region_field", "`street`"),
    ("not_a_field", [("kind: completeness, field: name", "kind: completeness, field: ghost")], "ghost", "`ghost`"),
    ("not_a_field", [("target: R1.id", "target: R1.ghost")], "R1.ghost", "`ghost`"),
    ("not_a_field", [("fields: [name, capital]", "fields: [name, ghost]")], "[name, ghost]", "`ghost`"),
    ("not_a_field", [("fields: [secret]", "fields: [ghost]")], "[ghost]", "`ghost`"),
    ("unknown_resource", [("target: R1.id", "target: R9.id")], "R9.id", "`R9`"),
    ("unknown_resource", [("matter: M1\n    resource: R1", "matter: M1\n    resource: R9")], "resource: R9", "`R9`"),
    ("unknown_matter", [("matter: M1", "matter: M9")], "matter: M9", "`M9`"),
    ("unknown_value", [("actions: [查询, 核验]", "actions: [打印]")], "打印", "`query 查询`"),
    ("bad_number", [("threshold: 0.95", "threshold: 95")], "threshold: 95", "0 至 1"),
    ("bad_number", [("threshold: 0.95", "threshold: -1")], "threshold: -1", "非负数"),
    ("quality_needs_field", [("kind: completeness, field: name", "kind: completeness")], "completeness", "字段"),
    ("quality_field_needless", [("kind: volume", "kind: volume, field: name")], "kind: volume", "请删除"),
    ("quality_needs_target", [(", target: R1.id", "")], "kind: reference", "引用目标"),
    ("quality_target_needless", [("threshold: 3.0", "threshold: 3.0, target: R1.id")], "timeliness", "请删除"),
    ("missing_value", [('    ground: "《某法》第九条"\n', "")], None, "`ground` 为空"),
]  # fmt: skip

WARNINGS = [
    ("personal_contact", [("技术支撑=信息中心", "技术支撑=张三 13800001234")]),
    ("ground_cites_nothing", [('share_ground: "《某法》第八条"', "share_ground: 内部数据")]),
    ("ground_cites_nothing", [('ground: "《某法》第九条"', "ground: 领导要求")]),
    ("ground_cites_nothing", [("- code: M1\n", "- code: M1\n    hidden: 是\n    hidden_ground: 工作秘密\n")]),
    ("hidden_ground_idle", [("- code: M1\n", "- code: M1\n    hidden_ground: 《某法》第八条\n")]),
    ("abstract_says_nothing", [("abstract: 登记的企业和个体工商户", "abstract: 暂无。")]),
    ("abstract_says_nothing", [("abstract: 登记的企业和个体工商户", "abstract: 市场主体登记信息 R1")]),
    ("format_source_mismatch", [("format: 数据库", "format: 图形图像"), ("object: ent*.csv", "object: ent.pdf")]),
    ("need_prohibited promise_prohibited", [("    fields: [secret]\n", "")]),
    ("promise_prohibited", [('    consumers: ["*"]\n', "    consumers: [D2]\n")]),
    ("need_not_shared", [("[name, capital]", "[name, secret]"), ("fields: [secret]", "fields: [phone]")]),
    ("need_prohibited", [("fields: [secret]", "fields: [capital]")]),
    ("need_without_line", [("matter: M1\n", "matter: M2\n")]),
    ("duplicate_line", [("needs:\n", "needs:\n" + TWICE)]),
    ("short_code", [("code: R2", 'code: "30102"')]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "changes", "piece", "words"), ERRORS, ids=[f"{n}-{c[0]}" for n, c in enumerate(ERRORS)]
)
def test_each_error_is_found_where_it_stands(code, changes, piece, words):
    found = report(*changes)
    assert found.list_ is None
    hits = [fault for fault in found.faults if fault.code == code]
    assert hits, [(fault.where, fault.code) for fault in found.faults]
    assert all(fault.severity == "error" for fault in hits)
    assert any(words in fault.text("zh") for fault in hits), [fault.text("zh") for fault in hits]
    assert [fault.code for fault in found.faults if fault.code != code] == []
    if piece is not None:
        text = GOOD
        for old, new in changes:
            text = text.replace(old, new, 1)
        lines = [n for n, line in enumerate(text.split("\n"), start=1) if piece in line]
        assert {fault.where for fault in hits} <= {f"l.yaml:{n}" for n in lines}


@pytest.mark.parametrize(("code", "changes"), WARNINGS, ids=[f"{n}-{c[0]}" for n, c in enumerate(WARNINGS)])
def test_each_warning_is_given_alone_and_stops_nothing(code, changes):
    found = report(*changes)
    assert [fault.code for fault in found.faults] == code.split(), [fault.text("zh") for fault in found.faults]
    assert found.list_ is not None
    assert found.faults[0].text("zh").startswith("（提示）")


def test_a_number_of_a_person_is_not_repeated():
    (fault,) = report(("技术支撑=信息中心", "技术支撑=张三 13800001234")).faults
    assert "13800001234" not in fault.text("zh") + fault.text("en") + repr(fault)


def test_a_prohibition_names_the_line_it_contradicts():
    fault = report(("    fields: [secret]\n", "")).faults[-1]
    line = next(n for n, text in enumerate(GOOD.split("\n"), 1) if text == "  - resource: R1")
    assert f"l.yaml:{line}" in fault.text("zh")


def test_what_nobody_owes_is_told_where_it_is_relied_on():
    text = GOOD[: GOOD.index("\nresponsibilities:")] + "\nresponsibilities: []\n"
    found = report(("    quality:\n", "    related: [R1, R2]\n    quality:\n"), text=text)
    # R2 is not to be shared: nobody is expected to owe it.
    assert [(fault.code, dict(fault.params)["value"]) for fault in found.faults] == [("nobody_owes", "R1")] * 2
    assert found.list_ is not None


def test_deadlines_are_compared_with_the_day_that_is_given(tmp_path):
    assert report().faults == ()
    assert report(today=date(2020, 12, 31)).faults == ()
    (fault,) = report(today=date(2021, 1, 1)).faults
    assert (fault.code, fault.severity) == ("deadline_past", "warning")
    assert "2020-12-31" in fault.text("zh")
    (tmp_path / "l.yaml").write_text(GOOD, encoding="utf-8")
    assert load(tmp_path / "l.yaml", today=date(2021, 1, 1)) == rich_list()
    assert len(load_report(tmp_path / "l.yaml", today=date(2021, 1, 1)).faults) == 1
    assert load_bytes(GOOD.encode(), ".yaml", "l", today=date(2021, 1, 1)) == rich_list()


def test_a_code_unlike_nearly_all_others_is_told():
    resources = tuple(make_resource(f"3010010{n:03d}") for n in range(9))
    named = tuple(
        type(r)(**{**_attributes(r), "name": f"{'甲乙丙丁戊己庚辛壬'[n] * 7}"}) for n, r in enumerate(resources)
    )
    odd = type(named[0])(**{**_attributes(named[0]), "code": "30100100X10", "name": "癸" * 7})
    text = to_yaml(make_list(resources=(*named, odd), responsibilities=()))
    found = load_report_bytes(text.encode(), ".yaml", "l.yaml")
    assert [(fault.code, dict(fault.params)["value"]) for fault in found.faults] == [("odd_code", "30100100X10")]


def _attributes(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("常住人口基本信息", "常住人口信息表", True),
        ("企业年度报告公示数据", "企业年度报告公示信息", True),
        ("建设工程规划许可证核发信息", "建设工程规划许可核发信息", True),
        ("乡级行政区划代码", "村级行政区划代码", False),
        ("机动车登记信息", "非机动车登记信息", False),
        ("2023年度低保对象名单信息", "2024年度低保对象名单信息", False),
        ("医疗机构执业登记信息", "出生医学证明信息", False),
    ],
)
def test_names_that_differ_by_fillers_are_near_and_by_what_tells_are_not(one, other, near):
    assert bool(likeness.alike([likeness.bare(one), likeness.bare(other)])) is near


def test_near_names_are_a_warning_at_the_later_one():
    found = report(("name: 市场主体登记信息R2", "name: 市场主体登记数据R1"))
    (fault,) = found.faults
    assert (fault.code, fault.severity) == ("near_names", "warning")


@pytest.mark.parametrize("name", ["企业登记管理系统", "政务服务平台（二期）", "人口信息系统 V2.0"])
def test_the_name_of_a_system_is_no_name_of_a_resource(name):
    found = report(("name: 市场主体登记信息R1", f'name: "{name}"'))
    assert [fault.code for fault in found.faults] == ["system_as_name"]


def test_one_code_list_under_two_names_is_told():
    data = to_csv_zip(rich_list())
    rows = "代码表代码,代码表名称,代码值,代码名称\nGB/T 2261.1,人的性别代码,1,男\nGB/T 2261.1,性别,2,女\n"
    found = load_report_bytes(_with_file(data, "代码表.csv", rows.encode()), ".zip", "l.zip")
    assert [(fault.where, fault.code) for fault in found.faults] == [("代码表.csv:3", "code_list_renamed")]


def test_a_repeated_name_of_a_code_list_may_be_left_to_merged_cells():
    rows = "标准号,标准名称,代码,含义\nGB/T 2261.1,人的性别代码,1,男\nGB/T 2261.1,人的性别代码,2,女\n"
    found = load_report_bytes(_with_file(to_csv_zip(rich_list()), "字典.csv", b""), ".zip", "l.zip")
    assert [fault.code for fault in found.faults] == ["unknown_sheet"]
    data = _with_file(to_csv_zip(rich_list()), "代码表.csv", rows.encode())
    assert load_bytes(data, ".zip", "l.zip") == rich_list()


def _with_file(data, name, content):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for part in source.namelist():
            if part != name:
                target.writestr(part, source.read(part))
        target.writestr(name, content)
    return buffer.getvalue()


def test_the_words_for_actions_are_those_of_decisions():
    assert tuple(action.value for action in domains.ACTION.words) == ACTIONS
