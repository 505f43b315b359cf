"""What becomes of a grant: every change has its reason and entry, and bites on the next call."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.model import Mask
from catalog.rows import parse_rule
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from catalog.terms import Less
from hub import applications, grants, usage
from hub.actors import Actor
from hub.control import Control, GrantRow
from hub.errors import EvidenceUnavailableError, GrantUnknownError
from hub.invocation import RefusedError
from hub.notices import tray
from hub.office import Office
from tests.hub.applications.conftest import CODE, FREE, KEEPER, REVIEWER, WINDOW, wish
from tests.hub.world import body


@pytest.fixture
def other(service, world):
    """The same deployment as another process has it open."""
    control = Control.open(world.settings)
    yield Office.over(world.settings, control, service.evidence)
    control.close()


def query(service, world, **changes):
    return service.invocation.query(world.key, CODE, json.dumps(body(**changes)).encode())


def refused(service, world, **changes):
    with pytest.raises(RefusedError) as caught:
        query(service, world, **changes)
    return [reason.code for reason in caught.value.cause.reasons]


def last(service):
    return Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))


def test_a_suspended_grant_rests_until_it_is_resumed(service, world, other):
    assert query(service, world).content["records"]
    grants.suspend(other, "G1", actor=REVIEWER, reason="核查调用异常")
    assert refused(service, world) == ["grant_suspended"]
    assert grants.get(other.control, "G1").state(world.clock.now) == "suspended"
    with pytest.raises(StepNotAllowedError, match="resume"):
        grants.suspend(other, "G1", actor=REVIEWER, reason="再次")
    grants.resume(other, "G1", actor=REVIEWER, reason="核查完毕")
    entry = last(service)
    assert (entry.kind, entry.actor, entry.facts) == (
        "grant.resumed",
        "GA:reviewer",
        {"grant": "G1", "consumer": "RS"},
    )
    assert query(service, world).content["records"]
    changes = [n for n in tray(other.control, "RS") if n.kind == "grant_changed"]
    assert ["核查完毕" in changes[0].text("zh"), "suspended" in changes[1].text("en")] == [True, True]


@pytest.mark.parametrize(
    "how",
    [(grants.revoke, REVIEWER, "revoked"), (grants.hand_back, WINDOW, "handed_back")],
    ids=["revoked", "handed_back"],
)
def test_an_ended_grant_is_dead_on_the_next_call_also_when_the_log_is_full(service, world, other, monkeypatch, how):
    step, actor, ended = how

    def full(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service.evidence.log, "append", full)
    with pytest.raises(EvidenceUnavailableError):
        step(other, "G1", actor=actor, reason="不再需要")
    monkeypatch.undo()
    assert refused(service, world) == ["grant_revoked"]
    record = step(other, "G1", actor=actor, reason="再次")
    assert (record.ended, record.ended_why, record.state(world.clock.now)) == (ended, "不再需要", ended)
    assert Entry.decode(service.evidence.log.entry(record.ended_log_index)).kind == f"grant.{ended}"
    size = service.evidence.log.size
    assert step(other, "G1", actor=actor, reason="三次").ended_log_index == record.ended_log_index
    assert service.evidence.log.size == size


def test_whose_change_it_is(service, world, other):
    for act, actor in (
        (grants.suspend, WINDOW),
        (grants.revoke, WINDOW),
        (grants.hand_back, REVIEWER),
        (grants.revoke, Actor("MZ", "x")),
    ):
        with pytest.raises(NotYoursError):
            act(other, "G1", actor=actor, reason="试试")
    with pytest.raises(CaseInvalidError):
        grants.revoke(other, "G1", actor=REVIEWER, reason=" ")
    with pytest.raises(GrantUnknownError):
        grants.suspend(other, "G404", actor=REVIEWER, reason="没有")
    assert query(service, world).content["records"]


def test_a_lessened_grant_has_a_successor_and_no_moment_without(service, world, other):
    less = Less(
        fields=("name", "birth"),
        masks=(("birth", Mask.YEAR),),
        actions=("query",),
        rows=(parse_rule("household in H1"),),
        quota_per_day=2,
        term_days=10,
    )
    record = grants.shrink(other, "G1", less, actor=WINDOW, reason="只需核对年龄")
    new = record.grant
    assert (new.predecessor, new.application, new.list_version) == (
        "G1",
        world.grant.application,
        world.grant.list_version,
    )
    assert new.expires == world.clock.now + timedelta(days=10)
    old = grants.get(other.control, "G1")
    assert (old.state(world.clock.now), old.grant.revoked_at) == ("replaced", new.starts)
    answer = query(service, world)
    assert answer.content["grant"] == new.id
    assert answer.content["records"][0] == {"name": "张**", "birth": "1990"}
    assert "field_not_granted" in refused(service, world, fields=["income"])
    with pytest.raises(StepNotAllowedError):
        grants.revoke(other, "G1", actor=REVIEWER, reason="已替代")
    kinds = [Entry.decode(service.evidence.log.entry(i)).kind for i in (record.log_index, old.ended_log_index)]
    assert kinds == ["grant.given", "grant.replaced"]


@pytest.mark.parametrize(
    "less",
    [
        Less(),
        Less(fields=("name", "address")),
        Less(actions=("query", "batch")),
        Less(purposes=("SX002",)),
        Less(term_days=400),
        Less(fields=()),
    ],
)
def test_lessening_never_adds_and_never_does_nothing(service, world, other, less):
    size = service.evidence.log.size
    with pytest.raises(CaseInvalidError):
        grants.shrink(other, "G1", less, actor=WINDOW, reason="缩小")
    assert service.evidence.log.size == size
    assert grants.get(other.control, "G1").ended == ""


def test_what_rests_still_rests_when_it_is_lessened(service, world, other):
    grants.suspend(other, "G1", actor=REVIEWER, reason="核查")
    grants.shrink(other, "G1", Less(fields=("name",)), actor=WINDOW, reason="缩小")
    assert "grant_suspended" in refused(service, world)


def test_a_renewal_takes_the_place_of_the_old_grant(service, world, other):
    case = applications.renew(other, "G1", actor=WINDOW, term_days=60)
    assert case.open
    assert query(service, world).content["grant"] == "G1"
    done = applications.approve(other, case.id, actor=REVIEWER)
    new = grants.get(other.control, done.value["grant"]).grant
    assert (new.predecessor, set(new.fields)) == ("G1", set(world.grant.fields))
    assert new.expires - new.starts == timedelta(days=60)
    assert query(service, world).content["grant"] == new.id
    assert grants.get(other.control, "G1").ended == "replaced"
    with pytest.raises(CaseInvalidError):
        applications.renew(other, "G1", actor=WINDOW)
    with pytest.raises(CaseInvalidError):
        applications.renew(other, new.id, actor=Actor("MZ", "x"))


def test_an_expired_grant_can_be_renewed_and_nothing_else(service, world, other):
    world.clock.now = world.grant.expires
    record = grants.get(other.control, "G1")
    assert (record.state(world.clock.now), record.possible(world.clock.now)) == ("expired", ("renew",))
    with pytest.raises(StepNotAllowedError):
        grants.suspend(other, "G1", actor=REVIEWER, reason="到期")
    case = applications.renew(other, "G1", actor=WINDOW)
    done = applications.approve(other, case.id, actor=REVIEWER)
    assert query(service, world).content["grant"] == done.value["grant"]


def test_how_a_grant_was_used(service, world, other):
    assert grants.use_of(other.control, "G1", on=world.clock.now).days_unused == 1
    query(service, world)
    query(service, world)
    usage.count(other.control, service.evidence.log)
    use = grants.use_of(other.control, "G1", on=world.clock.now)
    assert (use.calls, use.today, use.last_used, use.days_unused) == (2, 2, world.clock.now, 0)
    later = grants.use_of(other.control, "G1", on=world.clock.now + timedelta(days=90))
    assert (later.calls, later.today, later.days_unused) == (2, 0, 90)


def test_who_was_suspended_or_revoked_is_not_granted_by_rule_again(city):
    first = applications.apply(city, wish(city, FREE), actor=WINDOW)
    grants.suspend(city, first.value["grant"], actor=KEEPER, reason="违规使用")
    second = applications.apply(city, wish(city, FREE, volume_per_day=9), actor=WINDOW)
    assert (second.state, second.answerer) == ("submitted", "GA")
    renewed = applications.renew(city, first.value["grant"], actor=WINDOW)
    assert renewed.open
    grants.revoke(city, first.value["grant"], actor=KEEPER, reason="违规使用")
    assert applications.apply(city, wish(city, FREE, volume_per_day=8), actor=WINDOW).open


def test_grants_are_found_by_whom_they_concern(city):
    given = applications.apply(city, wish(city, FREE), actor=WINDOW).value["grant"]
    for department in ("RS", "GA"):
        assert [r.grant.id for r in grants.find(city, concerning=department)] == [given]
    assert grants.find(city, concerning="MZ") == ()
    assert (grants.count(city, ended=False), grants.count(city, ended=True)) == (1, 0)


def test_a_grant_whose_resource_left_the_list_can_still_be_ended(city):
    from tests.hub.applications.conftest import city_list, publish

    given = applications.apply(city, wish(city, FREE), actor=WINDOW).value["grant"]
    publish(city, resources=city_list().resources[:1], responsibilities=city_list().responsibilities[:1])
    assert grants.revoke(city, given, actor=REVIEWER, reason="资源已撤下").ended == "revoked"


def test_a_grant_from_before_applications_were_kept_can_be_read_and_ended(city):
    given = applications.apply(city, wish(city, FREE), actor=WINDOW).value["grant"]
    with city.control.writing() as connection:
        connection.execute(sa.update(GrantRow).values(application="", purposes=["*"]))
    record = grants.shrink(city, given, Less(purposes=("SX001",)), actor=WINDOW, reason="限定事项")
    assert record.grant.purposes == ("SX001",)
    with pytest.raises(CaseInvalidError, match="beyond the minimum"):
        applications.renew(city, record.grant.id, actor=WINDOW)
    assert applications.renew(city, record.grant.id, actor=WINDOW, reason="业务继续").state == "granted"


def test_what_the_office_suspended_only_the_office_lets_go_on(city):
    given = applications.apply(city, wish(city, FREE), actor=WINDOW).value["grant"]
    grants.suspend(city, given, actor=KEEPER, reason="违规使用")
    with pytest.raises(NotYoursError, match="SJ"):
        grants.resume(city, given, actor=REVIEWER, reason="本部门同意")
    lessened = grants.shrink(city, given, Less(quota_per_day=5), actor=WINDOW, reason="少用")
    with pytest.raises(NotYoursError, match="SJ"):
        grants.resume(city, lessened.grant.id, actor=REVIEWER, reason="本部门同意")
    assert grants.resume(city, lessened.grant.id, actor=KEEPER, reason="已整改").state(city.now()) == "in_force"
    grants.suspend(city, lessened.grant.id, actor=REVIEWER, reason="系统检修")
    assert grants.resume(city, lessened.grant.id, actor=KEEPER, reason="检修结束").suspended_by == ""
