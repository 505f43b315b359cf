"""Grants by pages: held and given, with what is left of today, and ended or lessened by those they belong to."""

from __future__ import annotations

import pytest

from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of

GRANT = "/grants/G1"
KEPT = {"purpose": "SX001", "action": ["query", "verify"]}
FIELDS = ["citizen_id", "name", "birth", "married", "income", "household"]


@pytest.fixture
def staff(signed_in):
    return signed_in(Duty.STAFF)


@pytest.fixture
def reviewer(of_department):
    return of_department("GA", Duty.REVIEWER)


@pytest.fixture(scope="module", autouse=True)
def calls(service, url):
    """Three calls under the grant, as the log has them."""
    del url
    for _ in range(3):
        facts = {"grant": "G1", "count": 1}
        service.evidence.append("invocation.answered", actor="RS:window", resource=worlds.CODE, facts=facts)


def test_each_side_lists_its_own(staff, reviewer, of_department, signed_in):
    found = staff.json("/grants.json")
    assert [one["id"] for one in found["items"]] == ["G1"]
    assert (found["items"][0]["today"], found["items"][0]["left_today"]) == (3, None)
    assert staff.json("/grants.json?side=given")["total"] == 0
    assert [one["id"] for one in reviewer.json("/grants.json?side=given")["items"]] == ["G1"]
    assert reviewer.json("/grants.json?side=held")["total"] == 0
    other = of_department("MZ", Duty.STAFF)
    assert other.json("/grants.json?side=all")["side"] == "held"  # all is for the office and auditors
    assert "没有授权" in other.read("/grants")
    assert signed_in(Duty.AUDITOR).json("/grants.json?side=all")["total"] == 1


def test_a_grant_shows_what_it_allows_and_how_it_was_used(staff):
    words = staff.read(GRANT)
    for text in ("人口基础信息1", "保留姓氏", "身份号码保留前六后四", "退休审批", "有效", "公安局"):
        assert text in words
    shown = staff.json(f"{GRANT}.json")
    assert (shown["calls"], shown["days"][-1]["calls"], len(shown["days"])) == (3, 3, 28)
    assert '<rect x="271" y="4.0" width="8" height="56.0">' in staff.see(GRANT).text


def test_steps_are_offered_to_those_they_belong_to(staff, reviewer, of_department, signed_in):
    assert staff.json(f"{GRANT}.json")["steps"] == ["renew", "shrink", "hand-back"]
    assert reviewer.json(f"{GRANT}.json")["steps"] == ["shrink", "suspend", "revoke"]
    assert signed_in(Duty.AUDITOR).json(f"{GRANT}.json")["steps"] == []
    assert signed_in(Duty.REVIEWER).json(f"{GRANT}.json")["steps"] == ["shrink"]
    other = of_department("MZ", Duty.REVIEWER)
    assert other.see(GRANT).status_code == 403
    assert other.send(f"{GRANT}/revoke", reason="x").status_code == 403
    # The holder cannot revoke, the provider cannot hand back, and a step there is none of is a page there is none of.
    assert staff.send(f"{GRANT}/revoke", reason="x").status_code == 403
    assert signed_in(Duty.REVIEWER).send(f"{GRANT}/revoke", reason="x").status_code == 403
    assert of_department("GA", Duty.STAFF).send(f"{GRANT}/hand-back", reason="x").status_code == 403
    assert staff.send(f"{GRANT}/burn", reason="x").status_code == 404
    assert staff.see("/grants/G404").status_code == 404


def test_a_step_without_a_reason_is_refused(reviewer):
    answer = reviewer.send(f"{GRANT}/suspend")
    assert answer.status_code == 422
    assert '<details class="govuk-details zt-step" id="suspend" open>' in answer.text
    assert reviewer.json(f"{GRANT}.json")["state"] == "in_force"


def test_suspending_and_resuming(reviewer, staff):
    assert reviewer.send(f"{GRANT}/suspend", reason="<script>核查</script>").status_code == 303
    assert "已暂停" in staff.read(GRANT)
    assert "<script>核查" not in staff.see("/inbox").text
    assert reviewer.json(f"{GRANT}.json")["steps"] == ["shrink", "resume", "revoke"]
    assert reviewer.send(f"{GRANT}/resume", reason="核查完毕").status_code == 303
    assert staff.json(f"{GRANT}.json")["state"] == "in_force"


def test_renewing_is_an_application(staff):
    answer = staff.send(f"{GRANT}/renew", days="60", reason="仍在办理")
    assert answer.status_code == 303, text_of(answer.text)[:400]
    case = staff.json(answer.headers["location"] + ".json")
    assert (case["application"]["renews"], case["application"]["term_days"]) == ("G1", 60)
    assert staff.send(answer.headers["location"] + "/withdraw").status_code == 303


@pytest.mark.parametrize("lang", ["en"])
def test_pages_speak_english(lang, signed_in):
    visitor = signed_in(Duty.STAFF, **{"accept-language": lang})
    for path in ("/grants", GRANT):
        words = text_of(visitor.see(path).text)
        for name in ("示例市", "中文", "测试部门经办", "《办法》第三条", *worlds_titles()):
            words = words.replace(name, "")
        assert not HAN.findall(words), words


def worlds_titles():
    return [field.title for field in worlds.resource().fields]


def test_lessening_gives_a_successor_and_more_is_refused(staff):
    # Last but one, for the grant ends with it.
    answer = staff.send(f"{GRANT}/shrink", **KEPT, field=FIELDS, reason="不变")
    assert answer.status_code == 422
    assert "没有任何缩减" in answer.text
    answer = staff.send(f"{GRANT}/shrink", **KEPT, field=[*FIELDS, "address"], reason="多要")
    assert answer.status_code == 422
    answer = staff.send(f"{GRANT}/shrink", **KEPT, field=FIELDS[:2], quota="9", mask_name="redact", reason="少用")
    assert answer.status_code == 303, text_of(answer.text)[:400]
    successor = staff.json(answer.headers["location"] + ".json")
    assert (successor["quota_per_day"], successor["left_today"]) == (9, 9)
    assert [(one["name"], one["mask"]) for one in successor["terms"]["fields"]] == [
        ("citizen_id", ""),
        ("name", "遮蔽"),
    ]
    assert (staff.json(f"{GRANT}.json")["state"], staff.json("/grants.json?ended=1")["total"]) == ("replaced", 1)


def test_handing_back_ends_it(staff, reviewer):
    (held,) = staff.json("/grants.json")["items"]
    assert staff.send(f"/grants/{held['id']}/hand-back", reason="不再需要").status_code == 303
    assert "不再需要" in reviewer.read(f"/grants/{held['id']}")
    assert staff.json(f"/grants/{held['id']}.json")["steps"] == []
