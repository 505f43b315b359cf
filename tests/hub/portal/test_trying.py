"""The try-out console: the form of a call, what came, and the code that makes it again."""

from __future__ import annotations

import html
import json
import re

import pytest

from audit.entry import Entry
from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.world import CODE, IDS, MATTER

PAGE = f"/try/{CODE}"
REAL = {"at": "production", "matter": MATTER, "case": "BJ-2026-7", "key_citizen_id": IDS[0]}


@pytest.fixture
def staff(signed_in):
    return signed_in(Duty.STAFF)


@pytest.fixture
def sample(service):
    list_ = service.standing.now().list
    return service.trial.rows(list_).sample_keys(list_.by_code[CODE])["citizen_id"][0]


def entries(service):
    log = service.evidence.log
    return [Entry.decode(leaf) for leaf in log.entries(0, log.size)]


def calls(service):
    return [entry for entry in entries(service) if entry.kind.startswith("invocation.")]


def test_the_sandbox_is_one_press_away(staff, sample):
    page = staff.see(PAGE).text
    assert f'name="key_citizen_id" type="text" maxlength="200" value="{sample}"' in page
    assert "在沙箱中调用" in page
    shown = staff.json(f"{PAGE}.json")
    assert (shown["place"], shown["action"], shown["matter"]) == ("sandbox", "query", MATTER)
    assert {one["name"] for one in shown["fields"]} >= {"name", "birth"}


def test_the_sandbox_answers_with_nobody_and_records_nothing(staff, service, sample):
    before = len(calls(service))
    answer = staff.send(PAGE, at="sandbox", matter=MATTER, key_citizen_id=sample, field=["name", "citizen_id"])
    assert answer.status_code == 200, text_of(answer.text)[:600]
    words = text_of(answer.text)
    for text in ("找到 1 条记录", "均为虚构", "沙箱调用不存证", "身份号码保留前六后四", "责任清单规定", "已脱敏"):
        assert text in words
    assert len(calls(service)) == before
    assert f"ADDRESS=/v1/sandbox/resources/{CODE}:query" in words
    assert "sandbox=True" in words


def test_real_data_are_masked_as_the_grant_says_and_recorded_as_the_persons(staff, service, people, members):
    answer = staff.send(PAGE, **REAL, once="form-1", field=["name", "birth"])
    assert answer.status_code == 200, text_of(answer.text)[:600]
    words = text_of(answer.text)
    for text in ("找到 1 条记录", "张**", "1990-01-01", "保留姓氏", "授权规定", "取得包含证明"):
        assert text in words
    assert "张三" not in words
    entry = calls(service)[-1]
    assert (entry.actor, entry.kind) == ("RS:staff-1", "invocation.answered")
    assert entry.facts["caller"] == members[Duty.STAFF].id
    (index,) = {int(one) for one in re.findall(r"存证日志第 (\d+) 条", words)}
    assert Entry.decode(service.evidence.log.entry(index)) == entry
    assert staff.see(f"/v1/log/proof/{index}").status_code == 200


def test_the_same_form_sent_again_counts_once(staff, service):
    first = staff.send(PAGE, **REAL, once="form-2", field="name")
    before = len(calls(service))
    again = staff.send(PAGE, **REAL, once="form-2", field="name")
    assert again.status_code == 200
    assert len(calls(service)) == before
    place = re.compile(r"存证日志第 (\d+) 条")
    assert place.search(text_of(again.text))[1] == place.search(text_of(first.text))[1]
    other = staff.send(PAGE, **{**REAL, "key_citizen_id": IDS[1]}, once="form-2", field="name")
    assert other.status_code == 422
    assert IDS[1] in other.text  # what was typed stays


def test_no_value_stands_in_an_address_a_title_or_the_log(staff, service):
    answer = staff.send(PAGE, **REAL, once="form-3", field="name")
    for address in re.findall(r'(?:href|action|src)="([^"]*)"', answer.text):
        assert IDS[0] not in address
        assert "BJ-2026-7" not in address
    assert IDS[0] not in re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)[1]
    log = service.evidence.log
    assert not any(IDS[0].encode() in leaf or b"BJ-2026-7" in leaf for leaf in log.entries(0, log.size))
    assert answer.headers["cache-control"] == "no-store"


def test_the_request_and_the_code_are_those_of_this_call(staff):
    page = staff.send(PAGE, **REAL, once="form-4", field=["name"]).text
    words = html.unescape(re.sub(r"<[^>]*>", "", page))
    said = {"keys": {"citizen_id": IDS[0]}, "fields": ["name"]}
    said["purpose"] = {"matter": MATTER, "case": "BJ-2026-7", "operator": "staff-1"}
    assert f"cat > call.json <<'END'\n{json.dumps(said, ensure_ascii=False, indent=2)}\nEND" in words
    assert f"ADDRESS=/v1/resources/{CODE}:query" in words
    assert "client.query(RESOURCE" in words
    assert "public class Call" in words
    assert "-inkey window.key" in words
    assert "PRIVATE" not in page
    assert "echo ed25519:" in words


def test_a_verification_tells_no_value(staff):
    form = {**REAL, "action": "verify", "claim_birth": "1990-01-02", "claim_married": "true"}
    page = staff.send(PAGE, **form, once="form-5").text
    words = text_of(page)
    assert "已核验 2 项" in words
    assert "出生日期 birth不一致" in words
    assert "是否已婚 married一致" in words
    assert "1990-01-01" not in words
    assert f"{CODE}:verify" in words


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"case": ""}, "办件号"),
        ({"key_citizen_id": ""}, "请至少填写一项"),
        ({"action": "verify"}, "核验内容"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_asked(changes, said, staff, service):
    before = len(entries(service))
    answer = staff.send(PAGE, **{**REAL, **changes}, once="form-6")
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert len(entries(service)) == before


def test_a_refused_call_shows_the_problem_and_its_next_step(staff, service):
    answer = staff.send(PAGE, **REAL, once="form-7", field=["address"])
    assert answer.status_code == 403
    words = text_of(answer.text)
    for text in ("403", "denied", "field_not_granted", "申请涵盖该内容的授权"):
        assert text in words
    assert f'href="/apply/{CODE}"' in answer.text
    assert calls(service)[-1].kind == "invocation.denied"
    answer = staff.send(PAGE, **{**REAL, "matter": "SX002"}, once="form-8")
    assert "purpose_not_granted" in answer.text


def test_real_data_are_for_staff_whose_department_holds_a_grant(signed_in, of_department, service):
    reviewer = signed_in(Duty.REVIEWER)
    assert reviewer.json(f"{PAGE}.json?at=production")["closed"] == "duty"
    answer = reviewer.send(PAGE, **REAL, once="form-9")
    assert answer.status_code == 403
    assert "role_missing" in answer.text
    other = of_department("MZ", Duty.STAFF)
    assert other.json(f"{PAGE}.json?at=production")["closed"] == "grant"
    answer = other.send(PAGE, **REAL, once="form-10")
    assert answer.status_code == 403
    assert "张" not in text_of(answer.text)
    assert calls(service)[-1].actor == "MZ:staff-9"


@pytest.mark.parametrize("duty", [Duty.AUDITOR, Duty.ADMINISTRATOR, Duty.WINDOW, Duty.LEADER, Duty.LICENCES])
def test_others_do_not_come_here(duty, signed_in):
    visitor = signed_in(duty)
    assert visitor.see(PAGE).status_code == 403
    assert visitor.send(PAGE, **REAL).status_code == 403


def test_hostile_words_stay_words(staff):
    hostile = '"><script>alert(1)</script>'
    for form in (
        {**REAL, "case": hostile},
        {**REAL, "key_household": hostile, "at": "sandbox"},
        {**REAL, "matter": hostile},
    ):
        answer = staff.send(PAGE, **form, once=hostile)
        assert "<script>alert" not in answer.text
    assert staff.see("/try/no-such").status_code == 404
    assert staff.see(f"{PAGE}?at={hostile}&action={hostile}").status_code == 200


def test_it_speaks_english(signed_in, sample):
    visitor = signed_in(Duty.STAFF, **{"accept-language": "en"})
    pages = [visitor.see(PAGE), visitor.see(f"{PAGE}?at=production&action=verify")]
    pages.append(visitor.send(PAGE, at="sandbox", matter=MATTER, key_citizen_id=sample, field="citizen_id"))
    pages.append(visitor.send(PAGE, **REAL, once="form-11", field=["address"]))
    for page in pages:
        words = text_of(page.text)
        for name in ("示例市", "中文", "测试部门经办", *(field.title for field in worlds.resource().fields)):
            words = words.replace(name, "")
        assert not HAN.findall(words), HAN.findall(words)


def test_pages_lead_here_those_who_may(staff, signed_in, of_department):
    to = f'href="/try/{CODE}"'
    for path in ("/grants", "/grants/G1", f"/r/{CODE}"):
        assert to in staff.see(path).text, path
    assert 'href="/systems"' in staff.see("/grants/G1").text
    assert to not in signed_in(Duty.AUDITOR).see("/grants/G1").text
    assert to not in of_department("GA", Duty.REVIEWER).see("/grants/G1").text  # the provider's own is no grant of it
    assert to in signed_in(Duty.ENGINEER).see(f"/r/{CODE}").text
    assert to not in signed_in(Duty.LEADER).see(f"/r/{CODE}").text


def test_the_office_may_follow_the_receipt_into_the_log(service, people, app, url, members):
    import httpx

    from tests.hub.portal.browsing import OFFICE, Browser

    person = members[Duty.OFFICE]
    people.give(person.id, [Duty.OFFICE, Duty.STAFF], by=OFFICE)
    try:
        with httpx.Client(base_url=url, trust_env=False) as client:
            session = app.state.portal_sessions(person.id)
            client.cookies.set("zhengtong", session.cookie)
            page = Browser(client, session.token).send(PAGE, **REAL, once="form-12", field="name").text
    finally:
        people.give(person.id, [Duty.OFFICE], by=OFFICE)
    index = service.evidence.log.size - 2  # behind it stands the change of duties
    assert f'href="/audit/entries/{index}"' in page
