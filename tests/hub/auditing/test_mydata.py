from __future__ import annotations

from dataclasses import replace

import pytest

from audit.entry import Entry
from audit.searching import Query
from hub import mydata
from hub.errors import EvidenceUnavailableError, QueryInvalidError
from licence.kinds import load
from tests.hub.licensing.test_batches import KINDS
from tests.hub.publishing import publish_list
from tests.hub.world import ABSENT, CODE, EMPTY_CODE, IDS, MATTER, make_list


@pytest.fixture
def show(service, desk):
    def show(number=IDS[0], **span):
        return mydata.show(service.office, desk(), {"citizen_id": number}, **span)

    return show


def entries(found):
    return [use.entry for use in found.uses]


def test_a_person_sees_who_used_their_data_when_and_for_what(show, calls, service):
    one = calls(fields=["name", "birth"])
    found = show()
    assert (entries(found), found.total, found.hidden, found.refused, found.undecided) == ([one], 1, 0, 0, 0)
    assert found.uses[0].text("zh") == (
        "2026-03-02 09:30，人力资源和社会保障局，为办理“退休审批”，查询了您的数据（人口基础信息1）："
        "姓名（已脱敏）、出生日期。"
    )
    assert found.uses[0].text("en") == (
        "2026-03-02 09:30: Human Resources looked up your data (Population) for: Retirement. "
        "Shown: name (masked), birth."
    )
    plain = found.to_plain("en")["uses"][0]
    assert (plain["logtime"], plain["receiver"], plain["receiver_system"]) == (
        "2026-03-02T01:30:00+00:00",
        "Human Resources",
        "window",
    )


def test_a_verification_told_nothing(show, calls):
    calls("verify", claims={"name": "张三"})
    text = show().text("zh")
    assert "核验了您的信息（未取得内容）" in text
    assert "姓名" not in text


def test_other_peoples_uses_are_not_shown(show, calls):
    calls(keys={"citizen_id": IDS[1]})
    assert "没有查到" in show().text("zh")
    assert show(ABSENT).uses == ()


def test_a_look_up_by_the_household_is_found_for_each_of_its_people_and_nobody_else(show, calls):
    shared = calls(keys={"household": "H1"})
    narrow = calls(keys={"household": "H1", "birth": "1990-01-02"})
    assert entries(show(IDS[0])) == [shared]
    assert entries(show(IDS[1])) == [narrow, shared]
    assert entries(show(IDS[2])) == []


def test_of_what_was_erased_it_is_said_that_it_cannot_be_told(show, calls, service):
    shared = calls(keys={"household": "H1"})
    service.evidence.bodies.erase(Entry.decode(service.evidence.log.entry(shared)).body_digest)
    found = show()
    assert (found.uses, found.undecided) == ((), 1)
    own = calls()
    service.evidence.bodies.erase(Entry.decode(service.evidence.log.entry(own)).body_digest)
    # What was looked up by the person's own number needs no body to be told of.
    assert entries(show())[0] == own


def test_calls_for_many_are_found_for_each(show, calls):
    many = calls(keys=[{"citizen_id": IDS[0]}, {"citizen_id": IDS[3]}])
    assert entries(show(IDS[3])) == [many]
    assert entries(show(IDS[1])) == []


def test_refused_calls_are_counted(show, calls):
    calls(purpose={"matter": "SX002"})
    found = show()
    assert (found.uses, found.refused) == ((), 1)
    assert "被拒绝" in found.text("zh")


@pytest.fixture
def publish(service):
    """Puts in force a list in which the matter of the calls is hidden by law, or is not."""

    def publish(batch, *, hidden):
        base = make_list()
        ground = "《某法》第七条" if hidden else ""
        matters = (replace(base.matters[0], hidden=hidden, hidden_ground=ground), *base.matters[1:])
        list_ = replace(base, batch=batch, matters=matters)
        publish_list(service.settings, service.control, service.evidence, list_, by="office")
        return list_

    return publish


def test_uses_hidden_by_law_are_counted_and_not_shown(show, calls, publish):
    calls()
    assert show().hidden == 0
    list_ = publish(2, hidden=True)
    assert mydata.hidden_matters(list_) == {MATTER}
    calls()
    found = show()
    assert (found.hidden, [use.action for use in found.uses]) == (2, ["mydata.shown"])
    assert "退休审批" not in found.text("zh")
    assert "另有 2 次使用依法不予显示" in found.text("zh")
    assert "2 further uses may not be shown by law" in found.text("en")
    plain = found.to_plain("zh")
    assert (plain["hidden"], plain["total"]) == (2, 1)
    assert "退休审批" not in str(plain)


def test_what_was_hidden_when_it_was_used_stays_so_and_what_is_used_afterwards_is_shown(show, calls, publish):
    publish(2, hidden=True)
    calls()
    assert publish(3, hidden=False).matters_by_code[MATTER].hidden_ground == ""
    shown = calls()
    found = show()
    assert (entries(found), found.hidden) == ([shown], 1)


def test_what_was_shown_is_recorded_and_seen_the_next_time(show, calls, service, desk):
    calls()
    show()
    entry = Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))
    person = service.evidence.subject({"citizen_id": IDS[0]})
    assert (entry.kind, entry.actor, entry.subject) == ("mydata.shown", "RS:auditor", person)
    assert IDS[0] not in entry.encode().decode()
    list(desk().search(Query(subjects=(person,))))
    assert [use.action for use in show().uses] == ["audit.searched", "mydata.shown", "query"]


def test_nothing_is_shown_that_cannot_be_recorded(show, calls, service, monkeypatch, desk):
    calls()
    given = desk()

    def unavailable(*args, **kwargs):
        raise EvidenceUnavailableError

    monkeypatch.setattr(service.evidence, "append", unavailable)
    with pytest.raises(EvidenceUnavailableError):
        mydata.show(service.office, given, {"citizen_id": IDS[0]})


@pytest.mark.parametrize("keys", [{}, {"household": "H1"}, {"nothing": "x"}, {"citizen_id": "x", "household": "H1"}])
def test_a_person_is_named_by_what_is_theirs_alone(service, desk, keys):
    with pytest.raises(QueryInvalidError):
        mydata.show(service.office, desk(), keys)


def test_a_number_is_looked_for_under_every_name_that_it_has(service, world, calls, show):
    """Another resource calls the number otherwise; it is checked as the same kind of number."""
    from tests.hub.world import make_list, resource

    fields = resource().fields
    other = resource(EMPTY_CODE, fields=(replace(fields[0], name="sfzh"), *fields[1:]))
    list_ = make_list(resources=(resource(), other))
    forms = mydata._Person.of(service.office, service.invocation._warehouse, list_, {"citizen_id": IDS[0]}).forms
    assert forms[service.evidence.subject({"sfzh": IDS[0]})] is True
    assert forms[service.evidence.subject({"household": "H1"})] is False


def test_how_it_is_said_is_there_in_both_languages():
    for english, chinese in (*mydata.ACTIONS.values(), *mydata.LIMITS):
        assert english.isascii()
        assert not chinese.isascii()


def test_what_the_wallet_showed_is_among_it_and_nobody_elses(show, service, world):
    world.settings.kinds.write_text(KINDS, "utf-8")
    (kind, *_) = load(world.settings.kinds)
    assert (kind.resource, kind.holder_field) == (CODE, "citizen_id")
    subject = service.evidence.subject

    def shown(**keys):
        return service.evidence.append(
            mydata.PRESENTED,
            actor="RS:window",
            subject=subject({"kind": kind.code, **keys}),
            resource=CODE,
            purpose=MATTER,
            facts={"fields": ["ZZMC", "birth"], "verdict": "TOTAL-PASSED", "kind": kind.code},
        ).index

    own, further = shown(citizen_id=IDS[0]), shown(citizen_id=IDS[0], household="H1")
    other = shown(citizen_id=IDS[1])
    found = show()
    assert set(entries(found)) == {own, further}
    assert entries(show(IDS[1])) == [other]
    text = next(use for use in found.uses if use.entry == own).text("zh")
    assert "人力资源和社会保障局" in text
    assert "经您本人出示，查验了您的电子证照" in text
