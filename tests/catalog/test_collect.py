"""Do not collect again: what a form need not ask, judged on the demonstration list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.collect import (
    MAX_FIELDS,
    VERDICTS,
    FieldIndex,
    FormField,
    Verdict,
    check_form,
    load_synonyms,
    normal,
    packaged_synonyms,
)
from catalog.datafile import DataFileInvalidError
from catalog.decide import Grant
from catalog.load import load
from catalog.model import CodeList, Field, FieldKind, FieldType, Mask, Prohibition, Theme

LIST = load(Path(__file__).parents[2] / "demo" / "responsibilities.yaml")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
MATTER = "341200-MZJ-0001"
POPULATION = "3010010001"
STRING = FieldType(FieldKind.STRING)


def grant(**changes):
    values = {
        "id": "G1",
        "consumer": "MZJ",
        "resource": POPULATION,
        "fields": ("citizen_id", "name", "birth_date"),
        "masks": (("name", Mask.SURNAME),),
        "purposes": (MATTER,),
        "actions": ("query",),
        "starts": NOW - timedelta(days=1),
        "expires": NOW + timedelta(days=1),
        "list_version": LIST.version,
        "ground": "x",
    }
    return Grant(**{**values, **changes})


def check(*labels, list_=LIST, grants=(), department="MZJ", matter=MATTER, on=NOW):
    fields = [label if isinstance(label, FormField) else FormField(label) for label in labels]
    return check_form(
        list_, grants, department=department, matter=matter, fields=fields, synonyms=packaged_synonyms(), on=on
    )


def line(label, **options):
    return check(label, **options).lines[0]


def source(found):
    return (found.matches[0].resource, found.matches[0].field)


@pytest.mark.parametrize(
    ("label", "resource", "field"),
    [
        ("姓名", POPULATION, "name"),
        (" 姓　名*：", POPULATION, "name"),
        ("申请人姓名", POPULATION, "name"),
        ("申请人的配偶姓名", POPULATION, "name"),
        ("身份证号", POPULATION, "citizen_id"),
        ("身份证号码（18位）", POPULATION, "citizen_id"),
        ("sfzh", POPULATION, "citizen_id"),
        ("ＣＩＴＩＺＥＮ＿ＩＤ", POPULATION, "citizen_id"),
        ("出生年月", POPULATION, "birth_date"),
        ("性别", POPULATION, "sex"),
        ("手机号", POPULATION, "phone"),
        ("现住址", POPULATION, "address"),
        ("社会信用代码", "3040010001", "uscc"),
        ("单位名称", "3040010001", "name"),
        ("法定代表人姓名", "3040010001", "legal_representative"),
        ("法定代表人身份证号", "3040010001", "legal_representative_id"),
        ("注册资金（万元）", "3040010001", "registered_capital"),
        ("车牌号", "3010020001", "plate"),
        ("房产证号", "3050010001", "certificate_no"),
        ("户主姓名", "3010010002", "head_name"),
    ],
)
def test_what_forms_call_an_item_leads_to_its_source(label, resource, field):
    assert source(line(label)) == (resource, field)


def test_the_verdict_follows_the_terms():
    verdicts = {found.label: found.verdict for found in check("姓名", "学校名称", "学籍号", "血型").lines}
    assert verdicts == {
        "姓名": Verdict.CONDITIONAL,
        "学校名称": Verdict.COLLECTED_ALREADY_SHAREABLE,
        "学籍号": Verdict.NOT_SHARED,
        "血型": Verdict.UNKNOWN,
    }
    match = line("姓名").matches[0]
    assert (match.provider, match.provider_name, match.on_list) == ("GAJ", "阜阳市公安局", True)
    assert match.condition
    assert line("学籍号").matches[0].ground
    assert not line("车牌号").matches[0].on_list
    assert line("手机号").matches[0].mask is Mask.KEEP_LAST_4


def test_a_grant_in_force_for_the_matter_means_drop_it():
    found = line("姓名", grants=[grant()])
    assert (found.verdict, found.matches[0].grant) == (Verdict.GRANTED_ALREADY, "G1")
    assert found.matches[0].mask is Mask.SURNAME
    assert line("姓名", grants=[grant()], matter="").verdict is Verdict.GRANTED_ALREADY
    assert line("手机号", grants=[grant()]).verdict is Verdict.CONDITIONAL, "not one of its fields"


@pytest.mark.parametrize(
    "changes",
    [
        {"consumer": "JTJ"},
        {"purposes": ("341200-SZJ-0001",)},
        {"expires": NOW},
        {"starts": NOW + timedelta(seconds=1)},
        {"revoked_at": NOW},
        {"suspended_at": NOW - timedelta(days=1)},
    ],
)
def test_a_grant_that_does_not_hold_gives_nothing(changes):
    assert line("姓名", grants=[grant(**changes)]).verdict is Verdict.CONDITIONAL


def test_of_two_grants_the_less_masked_is_named():
    found = line("姓名", grants=[grant(), grant(id="G2", masks=())])
    assert (found.matches[0].grant, found.matches[0].mask) == ("G2", Mask.NONE)


def test_a_prohibition_wins_over_a_grant_and_is_cited():
    list_ = replace(LIST, prohibitions=(Prohibition(POPULATION, ("MZJ",), ("*",), "《某法》第三条", ("address",)),))
    found = line("住址", list_=list_, grants=[grant(fields=("address",))])
    assert (found.verdict, found.matches[0].ground) == (Verdict.NOT_SHARED, "《某法》第三条")
    assert line("住址", list_=list_, department="JTJ").verdict is Verdict.CONDITIONAL
    assert line("姓名", list_=list_).verdict is Verdict.CONDITIONAL


def test_the_source_comes_before_copies_and_the_departments_own_register():
    matches = line("姓名").matches
    assert matches[0].resource == POPULATION
    own = [match for match in matches if match.own]
    assert all(match.verdict is Verdict.COLLECTED_ALREADY_SHAREABLE for match in own)
    assert line("优待证号").verdict is Verdict.COLLECTED_ALREADY_SHAREABLE, "its own key: nobody else has it"
    social = tuple(
        replace(resource, theme=Theme.POPULATION if resource.code == "3030010001" else None)
        for resource in LIST.resources
    )
    assert source(line("姓名", list_=replace(LIST, resources=social)))[0] == "3030010001", "a basic library"


def test_labels_that_say_nothing_match_nothing_and_say_so():
    for label in ("备注", "名称", "编号", "申请人签名", "地址"):
        found = line(label)
        assert (found.verdict, found.too_general, found.matches) == (Verdict.UNKNOWN, True, ())
    assert not line("血型").too_general
    assert source(line(FormField("名称", "uscc"))) == ("3040010001", "uscc"), "its column name says what it is"


def test_a_code_list_names_its_fields():
    resource = LIST.by_code[POPULATION]
    added = replace(resource, fields=(*resource.fields, Field("zjlx", "ZJLX", STRING, code_list="C1")))
    list_ = replace(
        LIST,
        resources=tuple(added if r.code == POPULATION else r for r in LIST.resources),
        code_lists=(CodeList("C1", "常用证件类型", (("1", "身份证"),)),),
    )
    found = line("常用证件类型", list_=list_)
    assert (source(found), found.matches[0].found_by) == ((POPULATION, "zjlx"), "code_list")


def test_the_report_counts_what_need_not_be_collected_and_is_json():
    report = check("姓名", "学籍号", "血型", grants=[grant()])
    plain = report.plain()
    assert (len(report.findings), plain["findings"], plain["list_version"]) == (1, 1, LIST.version)
    assert plain["lines"][0]["matches"][0]["verdict"] == "granted_already"
    assert set(VERDICTS) == set(Verdict)


def test_bounds_and_a_ready_index():
    with pytest.raises(ValueError, match=str(MAX_FIELDS)):
        check(*["x"] * (MAX_FIELDS + 1))
    with pytest.raises(ValueError, match="zone"):
        check("姓名", on=datetime(2026, 3, 2))  # noqa: DTZ001 - that is the point
    index = FieldIndex(LIST, packaged_synonyms())
    again = check_form(
        LIST,
        (),
        department="MZJ",
        matter=MATTER,
        fields=[FormField("姓名")],
        synonyms=packaged_synonyms(),
        on=NOW,
        index=index,
    )
    assert again == check("姓名")


@given(st.text(max_size=300))
def test_any_label_is_answered(label):
    assert line(label).verdict in Verdict
    assert not normal(label) or normal(label).isalnum()


def test_the_packaged_synonyms_lead_to_names_and_not_further():
    synonyms = packaged_synonyms()
    assert len(synonyms.standard) >= 60
    assert all(synonyms.of(standard) == standard for standard in synonyms.standard.values())
    assert synonyms.of("手机号") == synonyms.of("联系电话") == "联系电话"


def test_a_city_table_is_checked_line_by_line(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("label,standard\n# 说明\n驾照号,驾驶证号\n", encoding="utf-8")
    assert load_synonyms(path).of("驾照号") == "驾驶证号"
    path.write_text("a,b\n甲,乙\n甲,丙\n丁\n乙,戊\n", encoding="utf-8")
    with pytest.raises(DataFileInvalidError) as caught:
        load_synonyms(path)
    assert [(f.where, f.code) for f in caught.value.faults] == [
        ("words.csv:1", "headings"),
        ("words.csv:3", "synonym_twice"),
        ("words.csv:4", "synonym"),
        ("words.csv:2", "synonym_chain"),
    ]
