"""What a resource's page shows to whom: everybody its terms, holders its sample rows, its provider where it is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from catalog.model import Mask
from hub.control import Load
from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.publishing import publish_list

PAGE = f"/r/{worlds.CODE}"
TABS = ("about", "fields", "samples", "quality", "lineage", "grants", "versions")
NAMES = {"示例市", "中文", "人口基础信息", "户籍人口", "办法", "第三条", "办理事项", "测试部门经办", "测试数据主管部门"}
TITLES = {"公民身份号码", "姓名", "出生日期", "住址", "是否已婚", "收入", "户号"}


@pytest.fixture(scope="module", autouse=True)
def loads(service):
    """Two loads: one that went well and one that failed."""
    at = service.evidence.clock() - timedelta(hours=3)
    common = {
        "resource": worlds.CODE,
        "department": "GA",
        "list_version": service.standing.now().list.version,
        "seconds": {},
        "mode": "usual",
        "batch_id": "b",
    }
    with service.control.writing() as connection:
        for number, (outcome, notes) in enumerate(
            (("loaded", {}), ("failed", {"error": {"en": "secret-host is down", "zh": "secret-host 不可用"}}))
        ):
            connection.execute(
                Load.__table__.insert().values(
                    run=f"run-{number}",
                    started=at + timedelta(hours=number),
                    finished=at + timedelta(hours=number, minutes=1),
                    outcome=outcome,
                    read=12_345,
                    accepted=12_340,
                    rejected=5,
                    reasons={"bad_type:birth": 5},
                    notes=notes,
                    **common,
                )
            )


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_tab_is_shown_in_both_languages(tab, lang, signed_in):
    answer = signed_in(Duty.STAFF, **{"accept-language": lang}).see(f"{PAGE}?tab={tab}")
    assert answer.status_code == 200, text_of(answer.text)[:400]
    assert f"?tab={tab}" in answer.text
    if lang == "en" and tab != "samples":
        words = text_of(answer.text)
        for name in sorted(NAMES | TITLES, key=len, reverse=True):
            words = words.replace(name, "")
        assert not HAN.findall(words), HAN.findall(words)


def test_a_stranger_sees_terms_but_neither_rows_nor_where_it_is_read(browser):
    words = browser.read(PAGE)
    assert "人口基础信息1" in words
    assert "《办法》第三条" in words
    assert "登录后申请" in words
    assert "样例" not in words
    assert "ga-secret-system" not in browser.see(f"{PAGE}?tab=lineage").text
    assert "ga-secret-system" not in browser.see(f"{PAGE}.json").text
    # A tab that is not theirs is the first one instead.
    assert browser.json(f"{PAGE}.json?tab=samples")["tab"] == "about"
    assert browser.json(f"{PAGE}.json?tab=grants")["listed"] == []


def test_the_page_has_one_action_by_where_the_department_stands(signed_in, of_department):
    assert signed_in(Duty.STAFF).json(f"{PAGE}.json")["act"]["to"] == "/grants/G1"
    waiting = signed_in(Duty.STAFF).json(f"/r/{worlds.EMPTY_CODE}.json")
    assert (waiting["state"], waiting["act"]["to"]) == ("apply", f"/apply/{worlds.EMPTY_CODE}")
    # Who may not apply is told who may.
    assert signed_in(Duty.REVIEWER).json(f"/r/{worlds.EMPTY_CODE}.json")["act"] is None
    assert of_department("GA", Duty.STAFF).json(f"{PAGE}.json")["state"] == "own"
    other = of_department("MZ", Duty.STAFF).json(f"{PAGE}.json")
    assert other["state"] == "not_on_list"
    assert other["act"]["to"].startswith("/demands/new?q=%E4")


def test_masks_are_those_that_i_would_see(signed_in, of_department):
    mine = {one["name"]: one["mask"] for one in signed_in(Duty.STAFF).json(f"{PAGE}.json?tab=fields")["fields"]}
    assert mine["name"] == "保留姓氏"  # by the grant
    assert mine["citizen_id"] == "身份号码保留前六后四"  # by the list
    assert mine["address"] is None  # not granted
    listed = {
        one["name"]: one["mask"] for one in of_department("MZ", Duty.STAFF).json(f"{PAGE}.json?tab=fields")["fields"]
    }
    assert (listed["name"], listed["address"]) == ("不脱敏", "不脱敏")


def test_sample_rows_are_made_up_masked_and_for_holders_and_the_provider_alone(signed_in, of_department):
    found = signed_in(Duty.STAFF).json(f"{PAGE}.json?tab=samples")
    names = [one["name"] for one in found["columns"]]
    assert "address" not in names
    assert 0 < len(found["samples"]) <= 10
    numbers = {row[names.index("citizen_id")] for row in found["samples"]}
    assert all("********" in one for one in numbers)
    assert all("**" in row[names.index("name")] or not row[names.index("name")] for row in found["samples"])
    people = {value for person in worlds.PEOPLE for value in person[:2]}
    assert not people & {value for row in found["samples"] for value in row}
    assert of_department("MZ", Duty.STAFF).json(f"{PAGE}.json?tab=samples")["tab"] == "about"
    assert len(of_department("GA", Duty.STAFF).json(f"{PAGE}.json?tab=samples")["columns"]) == len(worlds.COLUMNS)


def test_loads_are_a_strip_with_words_and_a_table_and_tell_no_secret(browser):
    page = browser.see(f"{PAGE}?tab=quality").text
    words = text_of(page)
    assert page.count('<li><span class="zt-light') == 2
    assert "最近 2 次归集中 1 次成功" in words
    assert "出生日期与声明的数据类型不符" in words
    assert 'title="12,340"' in page
    assert "secret-host" not in page
    assert "最近一次失败" in words


def test_where_it_is_read_is_for_its_provider_and_the_office(signed_in, of_department):
    assert "ga-secret-system" in of_department("GA", Duty.STAFF).read(f"{PAGE}?tab=lineage")
    assert "ga-secret-system" in signed_in(Duty.OFFICE).read(f"{PAGE}?tab=lineage")
    assert "ga-secret-system" not in signed_in(Duty.STAFF).read(f"{PAGE}?tab=lineage")


def test_grants_are_listed_for_those_they_concern(signed_in, of_department):
    assert [one["id"] for one in signed_in(Duty.STAFF).json(f"{PAGE}.json?tab=grants")["listed"]] == ["G1"]
    assert [one["id"] for one in of_department("GA", Duty.STAFF).json(f"{PAGE}.json?tab=grants")["listed"]] == ["G1"]
    other = of_department("MZ", Duty.STAFF).json(f"{PAGE}.json?tab=grants")
    assert (other["listed"], other["holders"][0]["grants"]) == ([], 1)


def test_an_unknown_code_names_those_near_it(browser):
    answer = browser.see("/r/306010/000009")
    assert answer.status_code == 404
    assert worlds.CODE in answer.text


def test_versions_tell_what_changed_and_texts_of_departments_run_nothing(world, service, browser, of_department):
    # Last, for it puts another list in force.
    hostile = "<script>alert(1)</script>"
    fields = tuple(
        replace(one, mask=Mask.REDACT, title=hostile) if one.name == "address" else one
        for one in worlds.resource().fields
    )
    changed = worlds.resource(fields=fields, abstract=hostile, source=replace(worlds.resource().source, system="ga-2"))
    list_ = worlds.make_list(resources=(changed, worlds.resource(worlds.EMPTY_CODE)))
    publish_list(world.settings, service.control, service.evidence, list_, by="office")
    page = browser.see(f"{PAGE}?tab=versions").text
    assert "的脱敏加严：由不脱敏改为遮蔽" in page
    assert "ga-2" not in page
    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert "ga-2" in of_department("GA", Duty.STAFF).see(f"{PAGE}?tab=versions").text
    for tab in TABS:
        assert hostile not in of_department("GA", Duty.STAFF).see(f"{PAGE}?tab={tab}").text
