"""From an application to its grant: steps, clocks, notices, what the list forbids meanwhile, and crashes."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.application import FieldWish
from catalog.clock import day_of
from catalog.model import Mask, Prohibition, ShareType
from catalog.steps import CaseInvalidError, NotYoursError, SameHandsError, StepNotAllowedError
from catalog.terms import Less
from hub import applications, grants
from hub.control import CaseRow, GrantRow
from hub.errors import CaseConflictError, CaseUnknownError, ControlUnavailableError, ListSupersededError
from hub.notices import tray
from hub.office import Office
from tests.hub.applications.conftest import (
    CHIEF,
    CODE,
    FREE,
    KEEPER,
    MAYOR,
    REVIEWER,
    SECOND,
    WINDOW,
    city_list,
    publish,
    wish,
)
from tests.hub.world import MATTER, NOW


def entries(city):
    return [Entry.decode(leaf) for leaf in city.evidence.log.entries(0, city.evidence.log.size)]


def kinds(city):
    return [entry.kind for entry in entries(city)]


def told(city, department):
    return [notice.kind for notice in tray(city.control, department)]


def rows_of(city, model):
    with city.control.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(model)).scalar_one()


def codes(caught):
    return {p.code for p in caught.value.problems}


def test_what_has_no_condition_is_granted_at_once_with_its_entries(city):
    case = applications.apply(city, wish(city, FREE, volume_per_day=40), actor=WINDOW)
    assert (case.state, case.open, applications.outcome(case)) == ("granted", False, "granted")
    record = grants.get(city.control, case.value["grant"])
    assert record.given_by == "hub:rule"
    grant = record.grant
    assert (grant.consumer, grant.fields, grant.quota_per_day, grant.application) == ("RS", ("name",), 40, case.id)
    assert (grant.starts, grant.expires) == (NOW, NOW + timedelta(days=365))
    assert grant.list_version == city.list_.version
    assert kinds(city)[-3:] == ["application.submit", "application.approve", "grant.given"]
    given = Entry.decode(city.evidence.log.entry(record.log_index))
    assert given.facts["grant"]["fields"] == ["name"]
    assert [s.step for s in city.cases.history(case.id)] == ["submit", "approve"]
    assert told(city, "RS") == ["application_approved"]
    assert applications.my_state(city, "RS", FREE).calls_left == 40


def test_what_has_one_waits_with_a_clock_and_the_provider_knows(city, clock):
    assert applications.my_state(city, "RS", CODE).state == "apply"
    case = applications.apply(city, wish(city), actor=WINDOW)
    assert (case.state, case.answerer, case.rule) == ("submitted", "GA", "application.reply.conditional")
    assert told(city, "GA") == ["application_submitted"]
    assert day_of(case.due_at).isoformat() in tray(city.control, "GA")[0].text("zh")
    clock.now += timedelta(days=4)
    progress = applications.progress(city, case)
    assert (progress.day, progress.of, progress.left) == (4, 10, 6)
    state = applications.my_state(city, "RS", CODE)
    assert (state.state, state.case, state.progress) == ("waiting", case.id, progress)
    approved = applications.approve(city, case.id, actor=REVIEWER)
    mine = applications.my_state(city, "RS", CODE)
    assert (mine.state, mine.grant, mine.calls_left) == ("granted", approved.value["grant"], None)
    assert applications.progress(city, approved) is None
    assert applications.my_state(city, "MZ", CODE).state == "not_on_list"


def test_what_is_not_shared_says_why(city):
    ban = Prohibition(CODE, ("RS",), ("*",), "《个保法》第二十八条")
    publish(city, prohibitions=(ban,))
    assert applications.my_state(city, "RS", CODE).ground == "《个保法》第二十八条"
    closed = replace(city_list().resources[0], share_type=ShareType.NOT_SHARED, share_ground="《档案法》")
    publish(city, resources=(closed, city_list().resources[1]))
    state = applications.my_state(city, "RS", CODE)
    assert (state.state, state.ground) == ("not_shared", "《档案法》")


def test_asked_supplied_and_agreed_to_less(city):
    case = applications.apply(city, wish(city, fields=(FieldWish("income", "核算待遇"),)), actor=WINDOW)
    asked = applications.ask(city, case.id, "用于哪些人？", actor=REVIEWER)
    assert (asked.state, asked.answerer, asked.rule) == ("asked", "RS", "application.supplement")
    amended = wish(city, fields=(FieldWish("income", "核算退休待遇"),), volume_per_day=20)
    again = applications.supply(city, case.id, "本市参保人员", actor=CHIEF, amended=amended)
    assert (again.state, again.revision, again.value["volume_per_day"]) == ("submitted", 3, 20)
    less = Less(fields=("name", "birth"), masks=(("name", Mask.SURNAME),), quota_per_day=5, term_days=30)
    done = applications.approve(city, case.id, actor=REVIEWER, less=less, revision=3)
    grant = grants.get(city.control, done.value["grant"]).grant
    assert (grant.fields, grant.masks, grant.quota_per_day) == (("name", "birth"), (("name", Mask.SURNAME),), 5)
    assert grant.expires - grant.starts == timedelta(days=30)
    assert [s.step for s in city.cases.history(case.id)] == ["submit", "ask", "supply", "approve"]
    shown = applications.plain(city, done)
    assert [s["actor"] for s in shown["history"]] == ["RS:window", "GA:reviewer", "RS:chief", "GA:reviewer"]
    assert shown["terms"]["fields"] == ["name", "birth"]


def test_more_than_was_asked_is_never_given(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    with pytest.raises(CaseInvalidError) as caught:
        applications.approve(city, case.id, actor=REVIEWER, less=Less(fields=("name", "income")))
    assert codes(caught) == {"terms_more"}
    assert rows_of(city, GrantRow) == 0
    assert applications.get(city, case.id).state == "submitted"


def test_a_refusal_is_disputed_through_three_tiers(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    refused = applications.refuse(city, case.id, ground="《办法》第五条", note="超出职责", actor=REVIEWER)
    assert (refused.state, refused.open, applications.outcome(refused)) == ("refused", False, "refused")
    assert "《办法》第五条" in tray(city.control, "RS")[0].text("en")
    assert entries(city)[-1].facts["ground"] == "《办法》第五条"
    one = applications.dispute(city, case.id, "属于法定职责", actor=WINDOW)
    assert (one.state, one.answerer, one.rule) == ("consulting", "GA", "dispute.consult")
    two = applications.settle(city, case.id, actor=REVIEWER, give=False, ground="《办法》第五条")
    assert (two.state, two.open) == ("upheld", False)
    three = applications.dispute(city, case.id, "仍不同意", actor=WINDOW)
    assert (three.state, three.answerer, three.rule) == ("mediating", "SJ", "dispute.office")
    assert told(city, "SJ") == ["application_disputed"]
    applications.settle(city, case.id, actor=KEEPER, give=False, ground="《办法》第五条")
    applications.dispute(city, case.id, "报请决定", actor=WINDOW)
    last = applications.settle(
        city, case.id, actor=MAYOR, give=True, less=Less(fields=("name",)), document="市政府〔2026〕8号"
    )
    assert (last.state, last.value["document"]) == ("granted", "市政府〔2026〕8号")
    assert grants.get(city.control, last.value["grant"]).grant.fields == ("name",)
    steps = [s.step for s in city.cases.history(case.id)]
    assert steps == ["submit", "refuse", "dispute", "settle", "appeal", "settle", "appeal", "settle"]
    assert entries(city)[-2].facts["document"] == "市政府〔2026〕8号"
    assert "application_settled" in told(city, "GA")


def test_a_dispute_comes_in_time_and_an_overdue_tier_is_passed_over(city, clock):
    case = applications.apply(city, wish(city), actor=WINDOW)
    applications.refuse(city, case.id, ground="《办法》第五条", actor=REVIEWER)
    clock.now += timedelta(days=40)
    with pytest.raises(CaseInvalidError) as caught:
        applications.dispute(city, case.id, "不同意", actor=WINDOW)
    assert codes(caught) == {"dispute_late"}
    clock.now = NOW + timedelta(days=2)
    applications.dispute(city, case.id, "不同意", actor=WINDOW)
    with pytest.raises(StepNotAllowedError):
        applications.dispute(city, case.id, "不同意", actor=WINDOW)
    clock.now += timedelta(days=40)
    assert applications.dispute(city, case.id, "超期未答复", actor=WINDOW).state == "mediating"


def test_whose_step_it_is_and_whose_it_is_not(city):
    with pytest.raises(NotYoursError):
        applications.apply(city, wish(city), actor=REVIEWER)
    case = applications.apply(city, wish(city), actor=WINDOW)
    for act in (
        lambda: applications.approve(city, case.id, actor=WINDOW),
        lambda: applications.approve(city, case.id, actor=KEEPER),
        lambda: applications.refuse(city, case.id, ground="《办法》", actor=CHIEF),
        lambda: applications.ask(city, case.id, "？", actor=WINDOW),
        lambda: applications.withdraw(city, case.id, actor=REVIEWER),
    ):
        with pytest.raises(NotYoursError):
            act()
    assert applications.withdraw(city, case.id, actor=CHIEF).state == "withdrawn"
    with pytest.raises(StepNotAllowedError):
        applications.approve(city, case.id, actor=REVIEWER)
    with pytest.raises(CaseUnknownError):
        applications.approve(city, "A404", actor=REVIEWER)


def test_a_department_that_asks_itself_lets_another_post_decide(city):
    matters = (*city_list().matters, replace(city_list().matters[0], code="GA1", department="GA"))
    publish(city, matters=matters)
    own = wish(city, applicant="GA", purposes=("GA1",), fields=(FieldWish("name", "签发"),))
    case = applications.apply(city, own, actor=REVIEWER)
    with pytest.raises(SameHandsError):
        applications.approve(city, case.id, actor=REVIEWER)
    assert applications.approve(city, case.id, actor=SECOND).state == "granted"


def test_the_same_is_not_applied_for_twice(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    with pytest.raises(CaseInvalidError) as caught:
        applications.apply(city, wish(city), actor=CHIEF)
    assert codes(caught) == {"already_waiting"}
    assert case.id in str(caught.value)
    assert applications.apply(city, wish(city, volume_per_day=3), actor=WINDOW).open


# The list moves on.


def test_a_draft_against_an_older_list_is_refused(city):
    old = wish(city)
    publish(city)
    with pytest.raises(ListSupersededError):
        applications.apply(city, old, actor=WINDOW)
    assert rows_of(city, CaseRow) == 0


def test_a_newer_list_that_changes_nothing_about_it_does_not_stop_it(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    newer = publish(city)
    done = applications.approve(city, case.id, actor=REVIEWER)
    assert grants.get(city.control, done.value["grant"]).grant.list_version == newer.version


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prohibitions": (Prohibition(CODE, ("RS",), ("*",), "《保密法》第九条", ("name",)),)}, "《保密法》第九条"),
        ({"responsibilities": ()}, "no line"),
        ({"resources": city_list().resources[1:]}, "no resource of the list"),
        (
            {
                "resources": (
                    replace(
                        city_list().resources[0],
                        fields=tuple(
                            replace(f, share_type=ShareType.NOT_SHARED) if f.name == "birth" else f
                            for f in city_list().resources[0].fields
                        ),
                    ),
                    city_list().resources[1],
                )
            },
            "`birth`",
        ),
    ],
)
def test_a_list_superseded_meanwhile_stops_the_approval_and_says_what_changed(city, changes, word):
    case = applications.apply(city, wish(city), actor=WINDOW)
    publish(city, **changes)
    size = city.evidence.log.size
    with pytest.raises(ListSupersededError) as caught:
        applications.approve(city, case.id, actor=REVIEWER)
    assert word in caught.value.text("en")
    assert caught.value.text("zh") != caught.value.text("en")
    assert (rows_of(city, GrantRow), city.evidence.log.size) == (0, size)
    assert applications.get(city, case.id) == case


def test_what_was_asked_under_an_older_list_can_be_supplied_anew(city):
    case = applications.apply(city, wish(city, fields=(FieldWish("income", "核算"),)), actor=WINDOW)
    resource = city_list().resources[0]
    fields = tuple(f for f in resource.fields if f.name != "income")
    newer = publish(city, resources=(replace(resource, fields=fields), city_list().resources[1]))
    applications.ask(city, case.id, "清单已调整，请确认", actor=REVIEWER)
    with pytest.raises(CaseInvalidError) as caught:
        applications.supply(city, case.id, "照旧", actor=WINDOW)
    assert codes(caught) == {"wish_field_unknown"}
    applications.supply(city, case.id, "不再需要收入", actor=WINDOW, amended=wish(city))
    done = applications.approve(city, case.id, actor=REVIEWER)
    assert grants.get(city.control, done.value["grant"]).grant.list_version == newer.version


# Several at once, and crashes.


def test_of_two_who_agree_at_once_one_gives_a_grant(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    ready = threading.Barrier(4)
    outcomes = []

    def approve(actor):
        ready.wait()
        try:
            outcomes.append(applications.approve(city, case.id, actor=actor, revision=1).state)
        except (CaseConflictError, StepNotAllowedError) as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=approve, args=(actor,)) for actor in (REVIEWER, SECOND) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["case_conflict"] * 3 + ["granted"]
    assert rows_of(city, GrantRow) == 1


def test_an_older_revision_is_told_so(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    applications.ask(city, case.id, "何用？", actor=REVIEWER)
    with pytest.raises(CaseConflictError, match="revision 2"):
        applications.refuse(city, case.id, ground="《办法》", actor=REVIEWER, revision=case.revision)


def steps_of_a_renewal(city):
    """Every kind of write: a submission, an approval with its grant, a renewal that replaces it."""
    free = applications.apply(city, wish(city, FREE), actor=WINDOW)
    case = applications.apply(city, wish(city), actor=WINDOW)
    done = applications.approve(city, case.id, actor=REVIEWER)
    again = applications.renew(city, done.value["grant"], actor=WINDOW)
    last = applications.approve(city, again.id, actor=REVIEWER)
    return free, done, last


class CrashedError(Exception):
    """What a test lets fail."""


@pytest.mark.parametrize(("position", "written"), [(p, p % 2 == 0) for p in range(11)] + [(4, False), (5, True)])
def test_a_crash_at_any_entry_leaves_nothing_half_applied(city, monkeypatch, position, written):
    """The entry is not written, or it is and the answer is lost: either way the whole step is not taken."""
    calls = iter(range(1_000))
    append = city.evidence.append

    def crashing(kind, **rest):
        last = next(calls) == position
        if last and not written:
            raise CrashedError
        recorded = append(kind, **rest)
        if last:
            raise CrashedError
        return recorded

    monkeypatch.setattr(city.evidence, "append", crashing)
    try:
        steps_of_a_renewal(city)
        raised = False
    except CrashedError:
        raised = True
    assert raised == (position < 10)
    check_whole(city)
    monkeypatch.undo()
    resume_renewal(city)


@pytest.mark.parametrize("position", range(6))
def test_a_commit_that_fails_leaves_nothing_half_applied(city, monkeypatch, position):
    calls = iter(range(1_000))

    def failing(connection):
        if next(calls) == position:
            raise sa.exc.OperationalError("COMMIT", {}, OSError(5, "I/O error"))

    engine = city.control.engine
    sa.event.listen(engine, "commit", failing)
    with nullcontext() if position == 5 else pytest.raises(ControlUnavailableError):
        steps_of_a_renewal(city)
    sa.event.remove(engine, "commit", failing)
    check_whole(city)
    resume_renewal(city)


def check_whole(city):
    """Each grant has the step that gave it, each granted case its grant; no grant is replaced by none."""
    for case in applications.find(city):
        history = city.cases.history(case.id)
        assert [s.revision for s in history] == list(range(1, case.revision + 1))
        assert history[-1].state == case.state
        if case.state == "granted":
            assert grants.get(city.control, case.value["grant"]).grant.application == case.id
    for record in grants.find(city):
        case = applications.get(city, record.grant.application)
        assert case.value["grant"] == record.grant.id
        if record.ended == "replaced":
            assert any(other.grant.predecessor == record.grant.id for other in grants.find(city))
        if record.grant.predecessor:
            assert grants.get(city.control, record.grant.predecessor).ended == "replaced"


def resume_renewal(city):
    """Everything can be done again from where it stands."""
    for case in applications.find(city):
        if case.open:
            applications.approve(city, case.id, actor=REVIEWER)
    held = grants.find(city, resource=CODE, ended=False)
    if not held:
        case = applications.apply(city, wish(city), actor=WINDOW)
        held = [grants.get(city.control, applications.approve(city, case.id, actor=REVIEWER).value["grant"])]
    again = applications.renew(city, held[0].grant.id, actor=WINDOW)
    applications.approve(city, again.id, actor=REVIEWER)
    check_whole(city)
    assert len(grants.find(city, resource=CODE, ended=False)) == 1


def test_another_process_sees_the_same(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    with Office.open(city.settings, clock=city.evidence.clock) as other:
        assert applications.get(other, case.id) == case
        applications.approve(other, case.id, actor=REVIEWER)
    assert applications.get(city, case.id).state == "granted"


# Looking.


def test_a_department_finds_what_concerns_it(city):
    free = applications.apply(city, wish(city, FREE), actor=WINDOW)
    waits = applications.apply(city, wish(city), actor=WINDOW)
    ids = [case.id for case in applications.find(city, concerning="GA")]
    assert ids == [waits.id, free.id]
    assert applications.count(city, concerning="GA") == 2
    assert [c.id for c in applications.find(city, waiting_for="GA")] == [waits.id]
    assert applications.find(city, concerning="MZ") == ()
    assert [c.id for c in applications.find(city, state="granted", resource=FREE)] == [free.id]
    assert [c.id for c in applications.find(city, limit=1, offset=1)] == [free.id]


def test_the_minimum_is_asked_for_by_itself(city):
    case = applications.apply(city, wish(city), actor=WINDOW)
    assert [f["name"] for f in case.value["fields"]] == ["name", "birth"]
    assert case.value["purposes"] == [MATTER]
