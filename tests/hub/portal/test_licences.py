"""Licences in the portal: kinds and stock, finding, deciding by two, applications by two, and who sees none of it."""

from __future__ import annotations

import re
from types import SimpleNamespace

import httpx
import pytest

from catalog.model import Matter
from hub.evidence import utc_now
from hub.licensing import Licensing
from hub.licensing.stock import stock
from hub.people import Duty
from hub.portal.rooms import licences
from hub.settings import Settings
from tests.hub.licensing.dossiers.conftest import LAW, NAMES, ONE, TWO, WHY, make_city
from tests.hub.portal.browsing import OFFICE, PASSWORD, Browser, text_of
from tests.hub.world import IDS, MATTER

TWO_CODE, ONE_CODE = "11100000000013338W011", "11100000000013338W012"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = Settings.at(tmp_path_factory.mktemp("licences") / "var")
    list_ = make_city(settings)
    office = Licensing.open(settings)
    kind, words = office.kind(ONE), {"reason": f"申领{SCRIPT}", "ground": LAW, "by": "RS:window-2"}
    issued = [office.issue(kind, holder, **words).identifier for holder in (IDS[0], IDS[1], IDS[3])]
    office.evidence.log.close()
    office.control.close()
    return SimpleNamespace(settings=settings, clock=utc_now, list=list_, issued=issued)


@pytest.fixture(scope="module")
def enter(url, app, people, service, members):
    """Somebody of a department with a duty, by login; the same each time."""
    clients = {}

    def entered(login, department, duty, lang="zh"):
        if login not in clients:
            list_ = service.standing.now().list
            people.add(
                list_,
                login=login,
                name=f"测试{login}",
                department=department,
                post=login,
                duties=[duty],
                by=OFFICE,
                password=PASSWORD,
            )
            people.set_password(login, PASSWORD, by=OFFICE, change=False)
            session = app.state.portal_sessions(people.get(login).id)
            client = httpx.Client(base_url=url, trust_env=False, timeout=60)
            client.cookies.set("zhengtong", session.cookie)
            clients[login] = Browser(client, session.token)
        clients[login].client.headers["accept-language"] = lang
        return clients[login]

    yield entered
    for one in clients.values():
        one.client.close()


@pytest.fixture
def first(enter):
    return enter("counter", "RS", Duty.LICENCES)


@pytest.fixture
def second(enter):
    return enter("chief", "RS", Duty.LICENCES)


@pytest.fixture
def stranger(enter):
    return enter("other", "MZ", Duty.LICENCES)


@pytest.fixture
def window(enter):
    return enter("hall", "GA", Duty.WINDOW)


@pytest.fixture
def office_person(enter):
    return enter("hub", "GA", Duty.OFFICE)


def went(answer):
    assert answer.status_code == 303, text_of(answer.text)[:600]
    return answer.headers["location"]


def test_kinds_are_listed_with_their_stock(first, window, service):
    plain = first.json("/licences.json")
    assert {one["code"]: one["stock"]["issued"] for one in plain["items"]} == {TWO_CODE: 0, ONE_CODE: 3}
    assert plain["stock"]["in_force"] == 3
    page = window.read("/licences")
    assert "居住证" in page
    assert "有效 3 / 累计 3" in page
    assert [one["code"] for one in first.json("/licences.json?q=service+card")["items"]] == [ONE_CODE]
    assert first.json("/licences.json?q=nothing")["items"] == []
    assert "没有符合的证照类型" in first.read("/licences?q=nothing")
    counted = stock(service.control, utc_now())[ONE_CODE]
    assert (counted.issued, counted.in_force, counted.over) == (3, 3, 0)


def test_a_kind_shows_its_licences_to_its_issuer_and_the_office_alone(first, stranger, window, office_person, world):
    for who in (first, office_person):
        assert len(who.json(f"/licences/kinds/{ONE_CODE}.json")["licences"]) == 3
    for who in (stranger, window):
        plain = who.json(f"/licences/kinds/{ONE_CODE}.json")
        assert (plain["licences"], plain["own"], plain["can_act"]) == ([], False, False)
    page = first.see(f"/licences/kinds/{ONE_CODE}").text
    assert "姓名" in page
    assert not [name for name in (*NAMES, *IDS) if name in page]
    assert first.see("/licences/kinds/no-such").status_code == 404


def test_what_was_made_is_compared_with_who_is_eligible(first, stranger):
    answer = first.send(f"/licences/kinds/{ONE_CODE}/compare")
    assert answer.status_code == 200, text_of(answer.text)[:500]
    page = text_of(answer.text)
    assert "记录 5 条，证照 3 份" in page
    assert not [name for name in (*NAMES, *IDS) if name in page]
    assert stranger.send(f"/licences/kinds/{ONE_CODE}/compare").status_code == 403


def test_a_holder_is_searched_for_by_form_alone_and_on_record(first, window, stranger, service, world):
    size = service.evidence.log.size
    answer = first.send("/licences/find", holder=IDS[0], purpose=MATTER)
    assert answer.status_code == 200
    assert world.issued[0] in answer.text
    assert IDS[0] not in str(answer.url)
    assert service.evidence.log.size > size
    # No grant opens anything of these kinds to them; that is on record, too.
    for who in (window, stranger):
        refused = who.send("/licences/find", holder=IDS[0], purpose=MATTER)
        assert refused.status_code == 403
        assert world.issued[0] not in refused.text
    assert first.send("/licences/find", holder="", purpose=MATTER).status_code == 422
    assert first.see(f"/licences/find?holder={IDS[0]}").text.count(IDS[0]) <= 2  # the links that lead back here


def test_a_form_asks_for_the_list_once_however_many_matters_it_has():
    asked = []

    class Visited:
        lang = "zh"

        @property
        def list_(self):
            asked.append(1)
            return SimpleNamespace(matters=[Matter(f"SX{n:03}", f"事项{n}", "", "RS") for n in range(600)])

        def say(self, zh, en):
            return (zh, en)[0]

    offered = licences.matters(Visited())
    assert (len(offered), offered[1], len(asked)) == (601, ("SX000", "事项0 (SX000)"), 1)


def test_the_hub_office_may_not_search_by_holder(office_person):
    assert office_person.send("/licences/find", holder=IDS[0], purpose=MATTER).status_code == 403
    assert "证照管理和窗口人员" in office_person.read("/licences/find")


def test_an_identifier_leads_to_the_licence(window, world):
    assert went(window.send("/licences/number", number=world.issued[0])) == f"/licences/{world.issued[0]}"
    missing = window.send("/licences/number", number="1.2.3")
    assert missing.status_code == 404
    assert "请核对证照标识" in missing.text


def test_why_a_licence_stands_so_is_for_its_issuer(first, window, stranger, world):
    mine = first.see(f"/licences/{world.issued[0]}").text
    assert "&lt;script&gt;alert(1)" in mine
    assert SCRIPT not in mine
    assert "处理这份证照" in mine
    for who in (window, stranger):
        page = who.read(f"/licences/{world.issued[0]}")
        assert "有效" in page
        assert "申领" not in page
        assert "处理这份证照" not in page
        assert who.json(f"/licences/{world.issued[0]}.json")["history"] == []


def test_one_person_decides_where_the_kind_asks_for_one(first, window, world):
    path = f"/licences/{world.issued[1]}"
    done = went(first.send(f"{path}/decide", action="suspend", reason="核查", ground=LAW))
    assert done == path
    assert "暂扣" in first.read(path)
    assert first.json(f"{path}.json")["actions"][0][0] == "resume"
    bare = first.send(f"{path}/decide", action="revoke", reason="违法取得", ground=LAW)
    assert bare.status_code == 422
    assert "违法取得" in bare.text  # what was typed stays
    other = world.issued[2].split(".")[-3][-6:]
    assert first.send(f"{path}/decide", action="revoke", reason="错", ground=LAW, typed=other).status_code == 422
    assert (
        went(
            first.send(f"{path}/decide", action="revoke", reason="违法取得", ground=LAW, typed=path.split(".")[-3][-6:])
        )
        == path
    )
    page = first.json(f"{path}.json")
    assert (page["state"], page["actions"]) == ("03", [])
    assert [one["action"] for one in page["history"]][-2:] == ["暂扣", "撤销"]


def test_another_department_decides_nothing(stranger, window, office_person, world):
    path = f"/licences/{world.issued[2]}/decide"
    words = {"action": "suspend", "reason": "核查", "ground": LAW}
    assert stranger.send(path, **words).status_code == 403
    assert window.send(path, **words).status_code == 403
    assert office_person.send(path, **words).status_code == 403


@pytest.mark.parametrize("missing", ["action", "reason", "ground"])
def test_what_is_missing_is_said(missing, first, world):
    words = {"action": "suspend", "reason": "核查", "ground": LAW, missing: ""}
    assert first.send(f"/licences/{world.issued[2]}/decide", **words).status_code == 422


def test_an_unknown_licence_is_a_page_that_says_so(first):
    assert first.see("/licences/1.2.156.3005.2.X").status_code == 404


def apply(browser, number, **fields):
    words = {"kind": TWO_CODE, "holder": IDS[number], "reason": WHY, "ground": LAW, "act": "apply", **fields}
    return browser.send("/licences/apply", **words)


def test_what_the_register_says_is_shown_beside_what_is_stated(first):
    answer = apply(first, 0, act="look", **{"stated-KZ_XM": "李四", "stated-KZ_ZZ": ""})
    assert answer.status_code == 200, text_of(answer.text)[:600]
    assert "zt-differs" in answer.text
    assert "不一致" in answer.text
    assert 'value="李四"' in answer.text
    assert first.json("/licences/cases.json")["total"] == 0


def test_the_whole_way_takes_two_persons(first, second, stranger, world):
    path = went(apply(first, 0, **{"stated-KZ_XM": "李四"}))
    page = first.read(path)
    assert "申请人所填与登记数据不一致" in page
    assert "姓名" in page
    assert IDS[0] not in page
    looked = second.send(f"{path}/look")
    assert "zt-differs" in looked.text
    # Who took it in does not review it; who reviewed it does not approve it.
    assert first.send(f"{path}/review").status_code == 403
    assert went(second.send(f"{path}/review")) == path
    assert second.send(f"{path}/approve").status_code == 403
    stale = first.send(f"{path}/approve", revision="1")
    assert stale.status_code == 409
    assert went(first.send(f"{path}/approve")) == path
    receipt = went(first.send(f"{path}/hand-out"))
    plain = first.json(f"{path}.json")
    assert (plain["state"], plain["open"], plain["steps"]) == ("issued", False, [])
    licence = plain["licence"]
    assert receipt == f"/licences/{licence}/receipt"
    assert "已签发" in first.read(path)
    # A decision on it takes two as well.
    words = {"action": "revoke", "reason": "核查不符", "ground": LAW, "typed": licence.split(".")[-3][-6:]}
    decision = went(first.send(f"/licences/{licence}/decide", **words))
    assert decision.startswith("/licences/decisions/")
    assert "须由另一人确认" in first.read(decision)
    assert first.send(f"{decision}/confirm").status_code == 403
    assert stranger.see(decision).status_code == 403
    assert stranger.send(f"{decision}/confirm").status_code == 403
    assert "未办结" in first.read(f"/licences/{licence}")
    assert went(second.send(f"{decision}/confirm")) == decision
    assert first.json(f"/licences/{licence}.json")["state"] == "03"
    assert first.json("/licences/decisions.json?waiting=0")["total"] >= 1


def test_a_decision_can_be_given_up(first, second):
    path = went(apply(first, 1))
    for who, step in ((second, "review"), (first, "approve"), (first, "hand-out")):
        went(who.send(f"{path}/{step}"))
    licence = first.json(f"{path}.json")["licence"]
    decision = went(first.send(f"/licences/{licence}/decide", action="suspend", reason="核查", ground=LAW))
    assert first.send(f"{decision}/drop", reason="").status_code == 422
    assert went(first.send(f"{decision}/drop", reason="已查清")) == decision
    assert first.json(f"{decision}.json")["state"] == "dropped"
    assert first.json(f"/licences/{licence}.json")["state"] == "01"


def test_an_application_is_returned_completed_and_refused(first, second):
    path = went(apply(first, 2))
    assert second.send(f"{path}/return", reason="").status_code == 422
    went(second.send(f"{path}/return", reason=f"缺少证明{SCRIPT}"))
    page = first.see(path).text
    assert SCRIPT not in page
    assert "缺少证明" in page
    went(first.send(f"{path}/complete", reason="补正", materials="CL-1，CL-2"))
    assert first.json(f"{path}.json")["materials"] == ["CL-1", "CL-2"]
    assert second.send(f"{path}/refuse", reason="不符合条件", ground="").status_code == 422
    went(second.send(f"{path}/refuse", reason="不符合条件", ground=LAW))
    assert first.json(f"{path}.json")["state"] == "refused"
    assert first.send(f"{path}/no-such-step").status_code == 404


def test_forced_browsing_of_cases_finds_nothing(first, stranger, window, office_person):
    path = went(apply(first, 3))
    assert stranger.see(path).status_code == 403
    assert stranger.see(f"{path}.json").status_code == 403
    assert window.see(path).status_code == 403
    for step in ("look", "review", "withdraw", "hand-out"):
        refused = stranger.send(f"{path}/{step}", reason=WHY, ground=LAW)
        assert refused.status_code == 403
        assert not [secret for secret in (*IDS, *NAMES, LAW) if secret in refused.text]
        assert office_person.send(f"{path}/{step}", reason=WHY, ground=LAW).status_code == 403
    assert stranger.json("/licences/cases.json?waiting=0")["total"] == 0
    assert office_person.json("/licences/cases.json?waiting=0")["total"] >= 1
    assert office_person.json(f"{path}.json")["steps"] == []
    assert apply(stranger, 4).status_code in {403, 422}
    went(first.send(f"{path}/withdraw", reason="申请人撤回"))


def test_a_number_of_a_person_in_a_reason_is_refused(first):
    answer = apply(first, 4, reason=f"为 {IDS[4]} 办理")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/licences",
        f"/licences/kinds/{TWO_CODE}",
        "/licences/find",
        "/licences/cases",
        "/licences/decisions",
        f"/licences/apply?kind={TWO_CODE}",
    ],
)
def test_pages_are_complete_in_english(path, enter):
    english = enter("english", "RS", Duty.LICENCES, "en")
    page = english.read(path)
    found = set(re.findall(r"[\u3400-\u9fff]+", page))
    names = {"中文", "示例市", "测试", "住房和城乡建设部", TWO, ONE}
    assert found <= names, found - names
