"""From applying over review and dispute to the grant, by pages: each side sees its own, and takes its own steps."""

from __future__ import annotations

import re

import pytest

from catalog.model import Department, Need
from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.publishing import publish_list

APPLY = f"/apply/{worlds.EMPTY_CODE}"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def needs(world, service):
    """The list names a minimum for one of the two matters."""
    need = Need("SX001", worlds.EMPTY_CODE, ("citizen_id", "name"), ("query",), "户口簿")
    statistics = Department("TJ", "统计局", "Statistics", "11100000000013338W")
    departments = (*worlds.make_list().departments, statistics)
    list_ = worlds.make_list(needs=(need,), office="MZ", departments=departments)
    publish_list(world.settings, service.control, service.evidence, list_, by="office")


@pytest.fixture
def staff(signed_in):
    return signed_in(Duty.STAFF)


@pytest.fixture
def reviewer(of_department):
    return of_department("GA", Duty.REVIEWER)


def submit(staff, matter="SX002", **more):
    """Apply for the resource; the number of the application."""
    form = {
        "at": "check",
        "to": "submit",
        "purpose": matter,
        "field": ["name", "birth"],
        "common_reason": "办理事项所需",
        "termed": "1",
        "action": "query",
        "volume": "100",
        "days": "200",
        "ground": "《办法》第三条",
    }
    answer = staff.send(APPLY, **{**form, **more})
    assert answer.status_code == 303, text_of(answer.text)[:500]
    return answer.headers["location"].rpartition("/")[2]


@pytest.fixture
def case(staff):
    """An application that waits for its provider; taken back at the end if it still waits."""
    id_ = submit(staff)
    yield id_
    if "withdraw" in staff.json(f"/requests/{id_}.json")["steps"]:
        staff.send(f"/requests/{id_}/withdraw")


# --- Applying ------------------------------------------------------------------------------------------------------


def test_applying_goes_over_four_pages_and_what_was_entered_travels_with_them(staff, reviewer):
    page = staff.see(APPLY).text
    assert "第 1 步，共 4 步" in page
    assert "退休审批" in page
    assert "最小需求：公民身份号码、姓名" in page
    assert "《办法》第三条" in page
    page = staff.send(APPLY, at="purpose", to="fields", purpose="SX001").text
    assert "第 2 步" in page
    # The minimum is ticked and cannot be unticked; nothing else is.
    assert len(re.findall(r'name="field" value="[a-z_]+" checked disabled', page)) == 2
    assert len(re.findall(r'name="field" value="[a-z_]+" checked', page)) == 2
    assert 'type="hidden" name="purpose" value="SX001"' in page
    entered = {"purpose": "SX001", "field": ["birth"], "reason_birth": "核对年龄"}
    page = staff.send(APPLY, at="fields", to="terms", **entered).text
    assert "第 3 步" in page
    assert 'type="hidden" name="reason_birth" value="核对年龄"' in page
    entered |= {"termed": "1", "action": "query", "volume": "500", "days": "90", "ground": "《办法》第三条"}
    words = text_of(staff.send(APPLY, at="terms", to="check", **entered).text)
    assert "第 4 步" in words
    assert "公民身份号码：最小需求" in words
    assert "出生日期：核对年龄" in words
    assert "户口簿" in words
    assert "90 天" in words
    answer = staff.send(APPLY, at="check", to="submit", **entered)
    assert answer.status_code == 303
    shown = staff.json(answer.headers["location"] + ".json")
    assert (shown["state"], shown["application"]["volume_per_day"]) == ("submitted", 500)
    assert [one["name"] for one in shown["fields_asked"]] == ["citizen_id", "name", "birth"]
    # The button of the resource now says so.
    found = staff.json(f"/r/{worlds.EMPTY_CODE}.json")
    assert (found["state"], found["act"]["to"]) == ("waiting", answer.headers["location"])
    staff.send(answer.headers["location"] + "/withdraw")


def test_what_is_wrong_is_said_on_the_page_where_it_is_mended_and_what_was_typed_stays(staff):
    answer = staff.send(APPLY, at="purpose", to="fields")
    assert answer.status_code == 422
    assert "请至少填写一个使用数据的事项" in answer.text
    assert "purposes:" not in answer.text
    answer = staff.send(APPLY, at="purpose", to="fields", others="SX999，SX001")
    assert answer.status_code == 422
    assert "没有事项 “SX999”" in answer.text
    assert 'value="SX999"' in answer.text
    answer = staff.send(APPLY, at="fields", to="terms", purpose="SX001", field=["income", "birth"], reason_birth="核对")
    assert answer.status_code == 422
    assert "信息项 “income” 超出该事项的最小需求" in answer.text
    assert 'name="reason_birth" maxlength="300" value="核对"' in answer.text
    assert "第 2 步" in answer.text
    answer = staff.send(
        APPLY, at="terms", to="check", purpose="SX001", termed="1", days="9999", volume="many", ground="x"
    )
    assert answer.status_code == 422
    assert "应为整数" in answer.text
    assert 'value="many"' in answer.text
    answer = staff.send(APPLY, at="terms", to="check", purpose="SX001", termed="1", days="9999", ground="x")
    assert "最长期限" in answer.text
    answer = staff.send(
        APPLY, at="terms", to="check", purpose="SX001", termed="1", days="9", ground="x", rows="no rule"
    )
    assert answer.status_code == 422
    assert "不是行范围规则" in answer.text
    # Going back needs nothing to be right.
    assert staff.send(APPLY, at="fields", to="purpose", purpose="SX001", field=["income"]).status_code == 200
    assert staff.send(APPLY, at="nowhere", to="fields").status_code == 422


def test_what_cannot_be_applied_for_says_why_instead_of_a_form(of_department, signed_in):
    other = of_department("MZ", Duty.STAFF)
    page = other.see(APPLY).text
    assert "清单未将 `MZ` 列为" in page
    assert 'name="to"' not in page
    assert other.send(APPLY, at="check", to="submit", purpose="SX001").status_code == 422
    assert other.see("/apply/306010/000009").status_code == 404
    assert signed_in(Duty.REVIEWER).see(APPLY).status_code == 403


def test_a_list_that_came_meanwhile_is_told(staff):
    answer = staff.send(
        APPLY, at="check", to="submit", purpose="SX001", termed="1", days="9", ground="x", list_version="sha256:old"
    )
    assert answer.status_code == 409


@pytest.mark.parametrize("at", ["purpose", "fields", "terms", "check"])
def test_the_pages_of_applying_speak_english(at, signed_in):
    staff = signed_in(Duty.STAFF, **{"accept-language": "en"})
    words = text_of(staff.send(APPLY, at=at, to=at, purpose="SX002", field="name", reason_name="needed").text)
    assert f"step {1 + ['purpose', 'fields', 'terms', 'check'].index(at)} of 4" in words
    for name in (
        "示例市",
        "中文",
        "测试部门经办",
        "公民身份号码",
        "姓名",
        "出生日期",
        "住址",
        "是否已婚",
        "收入",
        "户号",
    ):
        words = words.replace(name, "")
    for name in ("户口簿", "《办法》第三条"):
        words = words.replace(name, "")
    assert not HAN.findall(words), words


# --- Review --------------------------------------------------------------------------------------------------------


def test_each_side_finds_it_where_it_looks(case, staff, reviewer, signed_in, of_department):
    assert case in [one["id"] for one in staff.json("/requests.json?side=ours")["items"]]
    assert staff.json("/requests.json?side=answer")["items"] == []
    waiting = reviewer.json("/requests.json")
    assert (waiting["side"], [one["id"] for one in waiting["items"]]) == ("answer", [case])
    assert waiting["items"][0]["clock"]["left"] > 0
    assert "个工作日" in reviewer.read("/requests")
    assert "没有申请" in reviewer.read("/requests?side=ours")
    assert reviewer.json("/requests.json?side=answer&state=refused")["total"] == 0
    assert case not in [one["id"] for one in of_department("TJ", Duty.STAFF).json("/requests.json?side=all")["items"]]
    everything = signed_in(Duty.AUDITOR).json("/requests.json?side=all&state=submitted")
    assert case in [one["id"] for one in everything["items"]]
    assert everything["total"] == len(everything["items"])


def test_a_request_stands_beside_the_policy_with_the_steps_that_are_ones_own(
    case, staff, reviewer, signed_in, of_department
):
    shown = reviewer.json(f"/requests/{case}.json")
    assert shown["steps"] == ["ask", "approve", "refuse"]
    assert shown["policy"]["lines"][0]["ground"] == "《办法》第三条"
    assert {one["name"]: one["mask"] for one in shown["fields_asked"]}["name"] == "不脱敏"
    page = reviewer.read(f"/requests/{case}")
    for words in ("申请内容", "清单规定", "同意", "不予同意", "要求补充", "办理事项所需"):
        assert words in page
    assert staff.json(f"/requests/{case}.json")["steps"] == ["withdraw"]
    assert signed_in(Duty.AUDITOR).json(f"/requests/{case}.json")["steps"] == []
    # A reviewer of the applicant decides nothing, and a person of the provider without the duty does neither.
    assert signed_in(Duty.REVIEWER).json(f"/requests/{case}.json")["steps"] == []
    assert of_department("GA", Duty.STAFF).json(f"/requests/{case}.json")["steps"] == []
    assert of_department("GA", Duty.STAFF).send(f"/requests/{case}/approve").status_code == 403
    assert signed_in(Duty.REVIEWER).send(f"/requests/{case}/approve").status_code == 403
    # The office sees what it may have to settle one day, and takes no step before.
    assert of_department("MZ", Duty.OFFICE).json(f"/requests/{case}.json")["steps"] == []
    other = of_department("TJ", Duty.REVIEWER)
    assert other.see(f"/requests/{case}").status_code == 403
    assert other.send(f"/requests/{case}/refuse", ground="x").status_code == 403
    assert other.see("/requests/A0000000000").status_code == 404
    assert reviewer.send(f"/requests/{case}/burn").status_code == 404


def test_less_can_be_agreed_to(case, staff, reviewer):
    page = reviewer.see(f"/requests/{case}").text
    assert 'name="mask_name"' in page
    more = {"amend": "1", "purpose": "SX002", "action": "query", "days": "200", "note": "够用"}
    refused = reviewer.send(f"/requests/{case}/approve", **more, field=["name"], quota="1000")
    assert refused.status_code == 422
    assert 'value="1000"' in refused.text
    assert "每日 1000 次超过原有的 100 次" in refused.text
    answer = reviewer.send(
        f"/requests/{case}/approve", **more | {"days": "30"}, field=["name"], mask_name="surname", quota="50"
    )
    assert answer.status_code == 303, text_of(answer.text)[:400]
    shown = staff.json(f"/requests/{case}.json")
    given = shown["given"]
    assert (shown["state"], given["quota_per_day"], given["term_days"]) == ("granted", 50, 30)
    assert [(one["name"], one["mask"]) for one in given["fields"]] == [("name", "保留姓氏")]
    assert shown["history"][-1]["note"] == "够用"
    staff.send(f"/grants/{shown['application']['grant']}/hand-back", reason="试毕")


def test_a_refusal_cites_its_ground_and_can_be_disputed_up_to_the_office(case, staff, reviewer, of_department):
    answer = reviewer.send(f"/requests/{case}/refuse", note="不妥")
    assert answer.status_code == 422
    assert "不予同意须注明依据" in answer.text
    assert ">不妥</textarea>" in answer.text
    assert reviewer.send(f"/requests/{case}/refuse", ground="《条例》第九条").status_code == 303
    assert staff.json(f"/requests/{case}.json")["steps"] == ["dispute"]
    assert "《条例》第九条" in staff.read(f"/requests/{case}")
    assert staff.send(f"/requests/{case}/dispute", reason="条例并不适用").status_code == 303
    assert reviewer.json(f"/requests/{case}.json")["steps"] == ["settle"]
    assert reviewer.send(f"/requests/{case}/settle", ground="《条例》第九条").status_code == 422
    assert reviewer.send(f"/requests/{case}/settle", give="no", ground="《条例》第九条").status_code == 303
    assert staff.send(f"/requests/{case}/dispute", reason="请主管部门协调").status_code == 303
    office = of_department("MZ", Duty.OFFICE)
    assert office.json(f"/requests/{case}.json")["steps"] == ["settle"]
    assert office.send(f"/requests/{case}/settle", give="yes", note="应予提供").status_code == 303
    grant = staff.json(f"/requests/{case}.json")["application"]["grant"]
    assert grant
    staff.send(f"/grants/{grant}/hand-back", reason="试毕")


def test_what_was_asked_is_supplied_with_less_and_texts_run_nothing(case, staff, reviewer):
    assert reviewer.send(f"/requests/{case}/ask", question=HOSTILE).status_code == 303
    page = staff.see(f"/requests/{case}").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    # The clock of the answer stands; the applicant's runs.
    assert [one["id"] for one in staff.json("/requests.json?side=answer")["items"]] == [case]
    answer = staff.send(
        f"/requests/{case}/supply",
        answer="少要一项",
        amend="1",
        field="name",
        purpose="SX002",
        action="query",
        days="200",
    )
    assert answer.status_code == 303, text_of(answer.text)[:400]
    assert [one["name"] for one in reviewer.json(f"/requests/{case}.json")["fields_asked"]] == ["name"]


def test_a_step_on_what_changed_meanwhile_is_refused(case, staff, reviewer):
    revision = reviewer.json(f"/requests/{case}.json")["revision"]
    assert staff.send(f"/requests/{case}/withdraw").status_code == 303
    assert reviewer.send(f"/requests/{case}/approve", revision=str(revision)).status_code == 409
    assert reviewer.json(f"/requests/{case}.json")["steps"] == []


def test_the_same_is_not_applied_for_twice(case, staff):
    answer = staff.send(
        APPLY,
        at="check",
        to="submit",
        purpose="SX002",
        field=["name", "birth"],
        common_reason="又一次",
        termed="1",
        action="query",
        volume="100",
        days="200",
        ground="《办法》第三条",
    )
    assert answer.status_code == 422
    assert case in answer.text


def test_pages_speak_english(case, signed_in, of_department):
    english = {"accept-language": "en"}
    for visitor in (signed_in(Duty.STAFF, **english), of_department("GA", Duty.REVIEWER, **english)):
        for path in ("/requests?side=all", f"/requests/{case}"):
            words = text_of(visitor.see(path).text)
            for name in (
                "示例市",
                "中文",
                "另一人",
                "测试部门经办",
                "姓名",
                "出生日期",
                "《办法》第三条",
                "办理事项所需",
            ):
                words = words.replace(name, "")
            words = words.replace("办理事项", "")
            assert not HAN.findall(words), words
