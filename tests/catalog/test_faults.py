"""Every kind of fault is found, in its place, with its mend; and the two forms agree."""

from __future__ import annotations

import pytest

from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.export import to_yaml
from catalog.faults import FAULTS
from catalog.load import load_bytes, load_report_bytes
from catalog.model import ShareType

from .conftest import make_list

GOOD = to_yaml(make_list())


def report(text):
    return load_report_bytes(text.encode(), ".yaml", "l.yaml")


def changed(*changes):
    """The good list with pieces of text replaced; each must stand there."""
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text, piece):
    return next(n for n, line in enumerate(text.split("\n"), start=1) if piece in line)


# What is changed, the code expected, a piece of the line it stands on, and a piece of the Chinese message.
CASES = [
    ("missing_value", [("    abstract: 登记的企业和个体工商户\n", "")], "code: R1", "`abstract` 为空"),
    ("missing_value", [("consumers: [D2]", "consumers: []")], "consumers: []", "`consumers` 为空"),
    ("missing_value", [("matters:\n", "responsibilites: []\nmatters:\n"), ("\nresponsibilities:", "\nxs:")],
     "city", "为空"),
    ("unknown_value", [("share_type: 有条件共享", "share_type: 部分共享")], "部分共享", "`2 有条件共享`"),
    ("unknown_department", [("provider: D1", "provider: D9")], "provider: D9", "部门表中没有 `D9`"),
    ("unknown_department", [("consumers: [D2]", "consumers:\n      - D2\n      - D8")], "- D8", "`D8`"),
    ("unknown_resource", [("resource: R1", "resource: R9")], "resource: R9", "资源表中没有 `R9`"),
    ("unknown_matter", [("purposes: [M1]", "purposes: [M9]")], "purposes: [M9]", "事项表中没有 `M9`"),
    ("duplicate_code", [("code: R2", "code: R1")], None, "代码 `R1`"),
    ("duplicate_code", [("code: D2", "code: D1"), ("parent: D1", "parent:")], None, "代码 `D1`"),
    ("duplicate_field", [("{name: phone", "{name: NAME")], "{name: NAME", "`NAME`"),
    ("no_key", [("key: true, ", "")], "fields:", "没有主键"),
    ("not_shared_without_ground", [('    share_ground: "《某法》第八条"\n', "")], "code: R2", "未列明依据"),
    ("hidden_without_ground", [("  - code: M1\n", "  - code: M1\n    hidden: 是\n")], "code: M1", "未列明依据"),
    ("bad_uscc", [("11430000006122244L", "11430000006122245L")], "11430000006122245L", "统一社会信用代码"),
    ("bad_date", [("published_on: 2020-06-30", "published_on: 2020-06-31")], "2020-06-31", "`2020-06-31`"),
    ("bad_type", [('"decimal(18,2)"', '"decimal(2,18)"')], "decimal(2,18)", "`decimal(2,18)`"),
    ("bad_type", [('"decimal(18,2)"', "text")], "type: text", "花括号内须加引号"),
    ("bad_code", [("code: M1", "code: M 1")], "code: M 1", "不是有效代码"),
    ("bad_field_name", [("{name: phone", "{name: _phone")], "_phone", "不是有效字段名"),
    ("bad_number", [("year: 2020", "year: 20200")], "20200", "1949 至 2999"),
    ("bad_boolean", [("key: true", "key: maybe")], "maybe", "`maybe`"),
    ("bad_pattern", [("{name: phone,", '{name: phone, pattern: "[0-9",')], "[0-9", "正则表达式"),
    ("bad_options", [("options: {encoding: gb18030}", "options: gb18030")], "gb18030", "读取选项"),
    ("wrong_shape", [("name: 就业补贴申领", "name: [就业]")], "[就业]", "应为单个值"),
    ("wrong_shape", [("consumers: [D2]", "consumers: {a: b}")], "{a: b}", "应为序列"),
    ("wrong_shape", [("purposes: [M1]", "purposes: [[M1]]")], "[[M1]]", "文本序列"),
    ("wrong_shape", [("    source: {", "    source: [a]\n    related: []\n    x: {")], "source: [a]", "应为映射"),
    ("wrong_shape", [("options: {encoding: gb18030}", "options: [a]")], "options: [a]", "映射"),
    ("cyclic_parent", [("    aliases: [市监局]\n", "    parent: D2\n")],
     "parent: D2", "循环"),
    ("unknown_attribute", [("city: ", "country: 中国\ncity: ")], "country", "`country`"),
    ("unknown_attribute", [("{name: phone,", "{name: phone, colour: red,")], "colour", "`colour`"),
    ("unknown_attribute", [("source: {system", "source: {sistem: x, system")], "sistem", "`sistem`"),
    ("duplicate_attribute", [("year: 2020\n", "year: 2020\nyear: 2021\n")], "2021", "重复"),
    ("tag_not_allowed", [("city: ", "city: !!python/name:os.system ")], "os.system", "YAML 标签"),
    ("not_a_field", [("cursor_field: changed", "cursor_field: gone")], "gone", "`gone`"),
    ("not_a_field", [("cursor_field: changed", "cursor_field: changed, deleted_field: gone, deleted_value: x")],
     "gone", ""),
    ("merge_without_cursor", [(", cursor_field: changed", "")], "source:", "增量字段"),
    ("deleted_value_missing", [("cursor_field: changed", "cursor_field: changed, deleted_field: name")],
     "source:", ""),
    ("method_format_mismatch", [("format: 数据库", "format: 服务接口"),
                                ("share_method: 服务接口", "share_method: 数据库")],
     "share_method: 数据库", "`3 服务接口`"),
    ("method_format_mismatch", [("method: 服务接口\n    cadence: 每日\n    dead",
                                 "method: 数据库\n    cadence: 每日\n    dead"),
                                ("format: 数据库", "format: 流媒体")], None, "`2 文件下载`"),
    ("system_as_name", [("name: 市场主体登记信息R1", "name: 市场主体登记系统")], "登记系统", "按信息内容命名"),
    ("alias_clash", [("{name: phone,", "{name: phone, aliases: [name],")], "aliases: [name]", "`name`"),
    ("alias_clash", [("{name: phone,", "{name: phone, aliases: [tyshxydm],")], "{name: phone", "`tyshxydm`"),
    ("check_needs_string", [("{name: changed", "{name: changed, check: uscc")], "{name: changed", "string(18)"),
    ("control_character", [("city: 示例市", 'city: "示例\\x07市"')], "city", "U+0007"),
    ("too_long", [("city: 示例市", "city: " + "市" * 9000)], "city", "9000"),
    ("ambiguous_department", [("人力资源和社会保障局", "市场监督管理局"), ("provider: D1", "provider: 市场监督管理局")],
     "provider: 市场", "部门代码"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes", "piece", "words"), CASES, ids=[f"{n}-{c[0]}" for n, c in enumerate(CASES)])
def test_each_fault_is_found_where_it_stands(code, changes, piece, words):
    text = changed(*changes)
    found = report(text)
    assert found.list_ is None
    hits = [fault for fault in found.faults if fault.code == code]
    assert hits, [(fault.where, fault.code) for fault in found.faults]
    assert any(words in fault.text("zh") for fault in hits), [fault.text("zh") for fault in hits]
    if piece is not None:
        assert f"l.yaml:{line_of(text, piece)}" in [fault.where for fault in hits]
    for fault in hits:
        assert fault.severity == "error"
        assert "{" not in fault.text("en").replace("{a", "").replace("{ ", "")


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("similar_names", [("name: 市场主体登记信息R2", "name: 市场主体，登记信息 Ｒ1")]),
        ("condition_missing", [("    share_condition: 因办理事项需要\n", "")]),
        ("provider_mismatch", [("resource: R1\n    provider: D1", "resource: R1\n    provider: D2")]),
        ("not_shared_on_list", [("resource: R1", "resource: R2")]),
    ],
)
def test_a_warning_does_not_stop_the_load(code, changes):
    found = report(changed(*changes))
    assert found.list_ is not None
    assert [fault.code for fault in found.faults] == [code]
    assert found.faults[0].text("zh").startswith("（提示）")
    assert found.faults[0].text("en").startswith("(warning)")


def test_a_line_said_twice_is_a_warning():
    line = GOOD[GOOD.index("\n  - resource: R1") :]
    found = report(GOOD + line.lstrip("\n"))
    assert [fault.code for fault in found.faults] == ["duplicate_line"]
    assert found.list_ is not None


def test_all_faults_come_in_one_pass_in_the_order_of_the_file():
    text = changed(
        ("year: 2020", "year: x"),
        ("11430000006122244L", "1143"),
        ("published_on: 2020-06-30", "published_on: 31.6.2020"),
        ("purposes: [M1]", "purposes: [M9]"),
    )
    with pytest.raises(ListInvalidError) as caught:
        load_bytes(text.encode(), ".yaml", "l.yaml")
    codes = [fault.code for fault in caught.value.faults]
    assert codes == ["bad_number", "bad_uscc", "bad_date", "unknown_matter"]
    for lang in ("zh", "en"):
        lines = caught.value.text(lang).split("\n")
        assert len(lines) == 5
        assert "4" in lines[0]
        assert f"l.yaml:{line_of(text, '31.6.2020')}" in lines[3]
        assert "`31.6.2020`" in lines[3]


def test_one_mistake_is_reported_once():
    # The department's name is missing, not its code: nobody who refers to it is told that it is unknown.
    found = report(changed(("name: 市场监督管理局\n", "name:\n")))
    assert [fault.code for fault in found.faults] == ["missing_value"]
    found = report(changed(("{name: id,", "{name: 1d,")))
    assert [fault.code for fault in found.faults] == ["bad_field_name"]


def test_codes_words_and_full_width_forms_mean_the_same():
    for written in ("2", '"2"', "有条件", "有条件共享", "conditional", "２"):
        assert report(changed(("share_type: 有条件共享", f"share_type: {written}"))).list_ == make_list()
    folded = changed(
        ("code: R1", "code: Ｒ１"),
        ("published_on: 2020-06-30", "published_on: ２０２０年6月30日"),
        ("year: 2020", "year: ２０２０年"),
        ("batch: 1", "batch: 第一批"),
        ('"decimal(18,2)"', '"数值型（18，2）"'),
        ("provider: D1", "provider: 市监局"),
    )
    assert report(folded).list_ == make_list()


def test_names_are_kept_as_they_are():
    list_ = report(changed(("name: 市场监督管理局", "name: 市场监督管理局（ＡＢ）"))).list_
    assert list_.departments[0].name == "市场监督管理局（ＡＢ）"


def test_yaml_text_is_taken_as_written():
    text = changed(("cursor_field: changed", "cursor_field: changed, deleted_field: name, deleted_value: 007"))
    assert report(text).list_.resources[0].source.deleted_value == "007"


def test_an_anchor_may_stand_for_repeated_values():
    text = changed(("consumers: [D2]", "consumers: &all [D2]"), ("aliases: [市监局]", "aliases: [市监局]"))
    assert report(text).list_ == make_list()


def test_every_fault_has_both_languages_and_a_severity():
    for severity, en, zh in FAULTS.values():
        assert severity in ("error", "warning")
        assert en != zh
        assert any("\u4e00" <= char <= "\u9fff" for char in zh)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (GOOD.encode("gb18030"), "encoding"),
        (GOOD.encode("utf-16"), "encoding"),
        (b"city: [", "syntax"),
        (b"a: 1\n b: 2\n", "syntax"),
        (b"a: \x01\n", "syntax"),
        (b"a: *b\n", "syntax"),
        (b"a: 1\n---\nb: 2\n", "syntax"),
        (b"[" * 300_000, "nesting"),
    ],
)
def test_what_is_no_yaml_is_unreadable(data, why):
    with pytest.raises(ListUnreadableError) as caught:
        load_bytes(data, ".yaml", "l.yaml")
    assert caught.value.why == why
    assert caught.value.text("zh").startswith("l.yaml：")
    assert str(caught.value).startswith("l.yaml: ")


def test_few_bytes_cannot_stand_for_many_rows():
    bomb = "a: &a [" + "x," * 100 + "]\n"
    for name, before in zip("bcde", "abcd", strict=True):
        bomb += f"{name}: &{name} [" + f"*{before}," * 100 + "]\n"
    with pytest.raises(ListUnreadableError) as caught:
        load_bytes(bomb.encode(), ".yaml", "l.yaml")
    assert caught.value.why == "too_many_rows"


def test_a_resource_without_fields_is_told():
    start = GOOD.index("    fields:\n", GOOD.index("code: R2"))
    text = GOOD[:start] + "    fields: []\n" + GOOD[GOOD.index("\nresponsibilities:") :]
    found = report(text)
    assert [(fault.where, fault.code) for fault in found.faults if fault.code != "not_a_field"] == [
        (f"l.yaml:{line_of(text, 'fields: []')}", "no_fields")
    ]


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n", "# nothing\n"])
def test_what_is_no_mapping_is_told(text):
    assert [fault.code for fault in report(text).faults] == ["wrong_shape"]


def test_a_field_that_is_not_shared_needs_a_ground_of_its_own_or_of_the_resource():
    found = report(changed((", share_condition: 依法保密", "")))
    assert [fault.code for fault in found.faults] == ["not_shared_without_ground"]
    closed = [r for r in make_list().resources if r.share_type is ShareType.NOT_SHARED]
    assert closed[0].share_ground
