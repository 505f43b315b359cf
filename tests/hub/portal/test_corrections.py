"""Corrections and recalls in the portal: reported by one side, settled by the other, its words covered until asked."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import timedelta

import pytest

from audit.entry import Entry
from catalog.model import Check, Mask
from hub.answered import ANSWERED
from hub.people import Duty
from hub.portal.rooms.corrections import masked
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of

PERSON = worlds.IDS[0]
RIGHT = "北京市西城区某街 3 号"


def claim(**changes):
    return {
        "resource": worlds.CODE,
        "fault": "wrong_value",
        "key_citizen_id": PERSON,
        "field": "name",
        "wrong": "<script>地址</script>",
        "right": RIGHT,
        "evidence": "户口簿",
    } | changes


@pytest.fixture
def reported(signed_in):
    """One that was just reported."""
    answer = signed_in(Duty.STAFF).send("/corrections/new", **claim())
    assert answer.status_code == 303, text_of(answer.text)[:400]
    return answer.headers["location"]


def newest(service):
    log = service.evidence.log
    return Entry.decode(log.entry(log.size - 1))


def step(visitor, address, name, **fields):
    """Take a step from the page as it is."""
    revision = visitor.json(f"{address}.json")["revision"]
    return visitor.send(f"{address}/{name}", revision=revision, **fields)


def test_what_was_written_is_covered_until_it_is_asked_for_and_that_is_recorded(
    reported, of_department, signed_in, service
):
    reviewer = of_department("GA", Duty.REVIEWER)
    for visitor in (reviewer, signed_in(Duty.STAFF)):
        page = visitor.see(reported).text
        assert PERSON not in page
        assert f"{PERSON[:6]}********{PERSON[-4:]}" in page
        assert RIGHT not in page
        data = visitor.see(f"{reported}.json").text
        assert PERSON not in data
        assert RIGHT not in data
    size = service.evidence.log.size
    whole = reviewer.send(f"{reported}/read")
    assert whole.status_code == 200
    assert PERSON in whole.text
    assert RIGHT in whole.text
    assert "&lt;script&gt;地址" in whole.text
    assert "<script>地址" not in whole.text
    assert service.evidence.log.size == size + 1
    entry = newest(service)
    assert (entry.kind, entry.actor, entry.facts["case"]) == (
        "correction.read",
        "GA:reviewer-9",
        reported.rpartition("/")[2],
    )


def test_the_provider_owns_the_fault_and_says_when_it_will_be_put_right(reported, of_department, signed_in, world):
    reviewer, staff = of_department("GA", Duty.REVIEWER), signed_in(Duty.STAFF)
    (card,) = [one for one in reviewer.json("/corrections.json")["items"] if reported.endswith(one["id"])]
    assert card["clock"]["left"] > 0
    assert PERSON not in str(card)
    day = (world.clock() + timedelta(days=10)).date().isoformat()
    assert step(reviewer, reported, "accept", mend_by=day, answer="将更正").status_code == 303
    after = staff.json(f"{reported}.json")
    assert (after["state"], after["mend_by"], after["steps"]) == ("accepted", day, [])
    assert reviewer.json(f"{reported}.json")["may_recall"]
    # The snapshot that is disputed is no mended one.
    assert step(reviewer, reported, "mended", where="1").status_code == 422


def test_a_rejection_wants_a_ground_and_its_words(reported, of_department, signed_in):
    reviewer, staff = of_department("GA", Duty.REVIEWER), signed_in(Duty.STAFF)
    refused = step(reviewer, reported, "reject", ground="because", answer="x")
    assert refused.status_code == 422
    refused = step(reviewer, reported, "reject", ground="correct", answer="")
    assert refused.status_code == 422
    assert step(reviewer, reported, "reject", ground="correct", answer="经核实无误").status_code == 303
    words = staff.read(reported)
    assert "经核实数据无误" in words
    assert "appeal" in staff.json(f"{reported}.json")["steps"]


def test_more_is_asked_for_and_given_and_what_is_old_is_refused(reported, of_department, signed_in):
    reviewer, staff = of_department("GA", Duty.REVIEWER), signed_in(Duty.STAFF)
    revision = reviewer.json(f"{reported}.json")["revision"]
    assert reviewer.send(f"{reported}/ask", revision=revision, question="哪一年？").status_code == 303
    assert reviewer.send(f"{reported}/ask", revision=revision, question="哪一年？").status_code == 409
    assert staff.json(f"{reported}.json")["steps"] == ["supply", "withdraw"]
    assert step(staff, reported, "supply", reply="2024 年").status_code == 303
    assert step(staff, reported, "withdraw").status_code == 303
    assert staff.json(f"{reported}.json")["state"] == "withdrawn"


def test_nobody_else_sees_it_or_takes_a_step(reported, of_department, signed_in):
    stranger = of_department("MZ", Duty.STAFF)
    assert stranger.see(reported).status_code == 403
    assert stranger.send(f"{reported}/read").status_code == 403
    assert reported.rpartition("/")[2] not in stranger.see("/corrections?side=all").text
    # The consumer's people do not answer, and a reviewer of the consumer does not supply.
    assert signed_in(Duty.STAFF).send(f"{reported}/accept", mend_by="2026-04-01").status_code == 403
    assert signed_in(Duty.REVIEWER).send(f"{reported}/withdraw").status_code == 403
    assert signed_in(Duty.STAFF).send(f"{reported}/no-such").status_code == 404


def test_what_cannot_be_taken_up_is_said_and_what_was_typed_stays(signed_in):
    staff = signed_in(Duty.STAFF)
    answer = staff.send("/corrections/new", **claim(right="", fault="wrong_value"))
    assert answer.status_code == 422
    assert "户口簿" in answer.text
    assert staff.send("/corrections/new", **claim(fault="nonsense")).status_code == 422
    assert staff.send("/corrections/new", **claim(resource="000000/000000")).status_code == 404
    # An entry that is no answer to this department is not told from one that there is not.
    texts = [text_of(staff.send("/corrections/new", **claim(key_citizen_id="", entry=n)).text) for n in (0, 10**9)]
    assert "不是贵单位从该资源取得的应答" in texts[0]
    assert "不是贵单位从该资源取得的应答" in texts[1]


def test_an_answer_that_a_person_got_at_the_try_out_is_its_departments_own(signed_in, service):
    for actor, status in (("RS:staff-1", 303), ("RSX:staff-1", 422), ("GA:staff-1", 422)):
        done = service.evidence.append(ANSWERED, actor=actor, resource=worlds.CODE, facts={"snapshot": "1"})
        answer = signed_in(Duty.STAFF).send("/corrections/new", **claim(entry=done.index))
        assert answer.status_code == status, actor


def test_the_form_names_the_resource_and_never_takes_a_key_from_its_address(signed_in):
    page = signed_in(Duty.STAFF).see(f"/corrections/new?resource={worlds.CODE}&entry=7&key_citizen_id={PERSON}").text
    assert 'value="7"' in page
    main = page.partition("<main")[2]
    assert PERSON not in main


def test_the_pages_are_whole_in_english(reported, of_department, signed_in):
    staff = signed_in(Duty.STAFF, **{"accept-language": "en"})
    for path in ("/corrections?side=ours", f"/corrections/new?resource={worlds.CODE}", reported, "/recalls"):
        words = re.sub("示例市|中文|公民身份号码|测试部门经办", "", staff.read(path))
        for title in ("姓名", "出生日期", "住址", "是否已婚", "收入", "户号"):
            words = words.replace(title, "")
        assert not HAN.findall(words), (path, HAN.findall(words))


def test_wrong_data_is_recalled_told_and_acknowledged(reported, of_department, signed_in, service, world):
    reviewer, staff = of_department("GA", Duty.REVIEWER), signed_in(Duty.STAFF)
    service.invocation.query(world.key, worlds.CODE, json.dumps(worlds.body()).encode())
    id_ = reported.rpartition("/")[2]
    # On a mere claim nobody is alarmed.
    assert reviewer.send("/recalls/new", correction=id_).status_code == 409
    day = (world.clock() + timedelta(days=10)).date().isoformat()
    assert step(reviewer, reported, "accept", mend_by=day).status_code == 303
    looked = reviewer.send("/recalls/recipients", correction=id_)
    assert looked.status_code == 200
    assert "人力资源和社会保障局" in text_of(looked.text)
    assert PERSON not in looked.text
    issued = reviewer.send("/recalls/new", correction=id_)
    assert issued.status_code == 303
    where = issued.headers["location"]
    assert reviewer.send("/recalls/new", correction=id_).headers["location"] == where
    # The recipient sees its own part, says what it did, and the provider sees that.
    assert staff.see(where).status_code == 200
    page = staff.see(where).text
    assert PERSON not in page
    assert staff.send(f"{where}/acknowledge", done="").status_code == 422
    assert staff.send(f"{where}/acknowledge", done="<b>已重新核对</b>").status_code == 303
    assert "&lt;b&gt;已重新核对" in reviewer.see(where).text
    assert reviewer.json(f"{where}.json")["answered"] == 1
    assert staff.send(f"{where}/acknowledge", done="再次").status_code == 409


def test_only_its_provider_recalls_and_only_whom_it_concerns_sees_it(of_department, signed_in):
    assert signed_in(Duty.REVIEWER).send("/recalls/new", resource=worlds.CODE).status_code == 403
    assert signed_in(Duty.REVIEWER).send("/recalls/recipients", resource=worlds.CODE).status_code == 403
    assert signed_in(Duty.REVIEWER).see(f"/recalls/new?resource={worlds.CODE}").status_code == 403
    reviewer = of_department("GA", Duty.REVIEWER)
    assert reviewer.see(f"/recalls/new?resource={worlds.CODE}").status_code == 200
    bad = reviewer.send("/recalls/new", resource=worlds.CODE, since="yesterday")
    assert bad.status_code == 422
    issued = reviewer.send("/recalls/new", resource=worlds.EMPTY_CODE)
    where = issued.headers["location"]
    assert "没有部门取得过" in reviewer.read(where)
    assert of_department("MZ", Duty.REVIEWER).see(where).status_code == 403


def test_a_key_that_is_a_person_is_masked_where_the_list_masks_nothing(service):
    found = service.standing.now().list.by_code[worlds.CODE]

    def shown(**terms):
        (field,) = (one for one in found.fields if one.name == "citizen_id")
        bare = dataclasses.replace(field, mask=Mask.NONE, **terms)
        return masked(dataclasses.replace(found, fields=(bare,)), "citizen_id", PERSON)

    assert shown(check=Check.CITIZEN_ID, grade=3) == f"{PERSON[:6]}********{PERSON[-4:]}"
    assert PERSON[-4:] not in shown(check=None, grade=3)
    assert shown(check=None, grade=1) == PERSON
    assert PERSON[-4:] not in masked(found, "unknown", PERSON)
