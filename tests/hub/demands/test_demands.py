"""Demands as cases: steps with their log entries and notices, conflicts, and searches that found nothing."""

import json
import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest

from catalog.demand import Answer
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from hub import demands
from hub.errors import CaseConflictError, CaseUnknownError
from hub.notices import tray
from tests.hub.demands.conftest import CIVIL, DEMO, HEALTH, KEEPER, NOW, POLICE
from tests.hub.publishing import publish_list

WORDS = "殡葬火化信息"


def submit(office, **changes):
    return demands.submit(office, CIVIL, **{"words": WORDS, "purpose": "停发待遇前核对", **changes})


def kinds(office):
    return [json.loads(leaf)["kind"] for leaf in office.evidence.log.entries(0, office.evidence.log.size)]


def told(office, department):
    return [notice.kind for notice in tray(office.control, department)]


def test_a_demand_goes_from_hand_to_hand_with_its_clock_and_its_entries(office, clock):
    case = submit(office)
    assert (case.state, case.answerer, case.rule, case.opener) == ("submitted", "SZJ", "demand.claim", "MZJ")
    assert told(office, "SZJ") == ["demand_opened"]
    clock.now = NOW + timedelta(days=1)
    case = demands.assign(office, KEEPER, case.id, "WJW", revision=1)
    assert (case.state, case.answerer, case.rule) == ("claimed", "WJW", "demand.answer")
    assert told(office, "WJW") == ["demand_assigned"]
    case = demands.answer(office, HEALTH, case.id, Answer("planned", planned_on=date(2026, 9, 1)))
    assert (case.state, case.open, case.rule, case.due_at) == ("planned", True, "", None)
    case = demands.answer(office, HEALTH, case.id, Answer("met", resource="3090020001", note="已列入清单"))
    assert (case.state, case.open) == ("met", False)
    assert told(office, "MZJ") == ["demand_answered"] * 2
    assert "3090020001 已列入清单" in tray(office.control, "MZJ")[0].text("zh")
    steps = [(step.step, step.state, step.actor) for step in office.cases.history(case.id)]
    assert steps == [
        ("submit", "submitted", "MZJ:desk"),
        ("assign", "claimed", "SZJ:desk"),
        ("answer", "planned", "WJW:desk"),
        ("answer", "met", "WJW:desk"),
    ]
    assert kinds(office)[-4:] == ["demand.submit", "demand.assign", "demand.answer", "demand.answer"]


def test_what_is_needed_stays_out_of_the_public_log(office):
    submit(office)
    leaves = b"".join(office.evidence.log.entries(0, office.evidence.log.size)).decode()
    assert WORDS not in leaves
    assert "停发" not in leaves


def test_the_department_thought_to_have_it_is_asked_and_told(office):
    case = submit(office, suspected="WJW")
    assert case.answerer == "WJW"
    assert told(office, "WJW") == told(office, "SZJ") == ["demand_opened"]
    assert demands.claim(office, HEALTH, case.id).answerer == "WJW"


def test_passing_it_on_does_not_make_who_asked_wait_longer(office, clock):
    case = demands.claim(office, HEALTH, submit(office).id)
    clock.now = NOW + timedelta(days=3)
    passed = demands.assign(office, KEEPER, case.id, "GAJ")
    assert (passed.answerer, passed.due_at) == ("GAJ", case.due_at)


def test_of_two_who_claim_at_once_one_does(office):
    case = submit(office)
    outcomes = []

    def claim(actor):
        try:
            outcomes.append(demands.claim(office, actor, case.id).answerer)
        except StepNotAllowedError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=claim, args=(actor,)) for actor in (HEALTH, POLICE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder = office.cases.get(case.id, "demand").answerer
    assert sorted(map(str, outcomes)) == sorted(map(str, [holder, StepNotAllowedError]))
    assert len(office.cases.history(case.id)) == 2


def test_a_step_on_what_has_changed_is_refused_and_leaves_no_trace(office):
    case = submit(office)
    demands.claim(office, HEALTH, case.id, revision=1)
    before = kinds(office)
    with pytest.raises(CaseConflictError):
        demands.assign(office, KEEPER, case.id, "GAJ", revision=1)
    with pytest.raises(NotYoursError):
        demands.answer(office, POLICE, case.id, Answer("refused", ground="《某法》"))
    with pytest.raises(CaseInvalidError):
        demands.answer(office, HEALTH, case.id, Answer("met", resource="none"))
    with pytest.raises(CaseUnknownError):
        demands.withdraw(office, CIVIL, "D0")
    assert kinds(office) == before
    assert demands.withdraw(office, CIVIL, case.id, why="不再需要").state == "withdrawn"


def test_what_may_meet_a_demand_is_found_when_a_newer_list_is_published(office):
    case = submit(office)
    assert demands.suggestions(office) == {}
    resource = replace(DEMO.by_code["3120010001"], code="3120030001", name=WORDS)
    newer = replace(DEMO, batch=2, resources=(*DEMO.resources, resource))
    publish_list(office.settings, office.control, office.evidence, newer, by="office")
    found = demands.suggestions(office)
    assert [one.resource for one in found[case.id]] == ["3120030001"]
    plain = demands.case_plain(case, found[case.id])
    assert plain["suggestions"][0]["provider"] == "MZJ"
    json.dumps(plain)


# Searches that found nothing.


def test_misses_are_counted_by_day_without_who_searched(office):
    for day, query in ((0, "殡葬"), (0, " 殡葬 "), (1, "殡葬"), (1, "火化证")):
        assert demands.record_miss(office.control, query, NOW + timedelta(days=day))
    rows = demands.missed(office.control, NOW.date())
    assert [(row.query, row.times, row.days) for row in rows] == [("殡葬", 3, 2), ("火化证", 1, 1)]
    later = demands.missed(office.control, NOW.date() + timedelta(days=1))
    assert [(row.query, row.times) for row in later] == [("殡葬", 1), ("火化证", 1)]
    assert len(demands.missed(office.control, NOW.date(), limit=1)) == 1


def test_the_day_is_that_of_shanghai(office):
    demands.record_miss(office.control, "殡葬", NOW.replace(hour=15, minute=59))
    demands.record_miss(office.control, "殡葬", NOW.replace(hour=16, minute=0))
    assert demands.missed(office.control, NOW.date())[0].days == 2


def test_what_may_name_a_person_is_not_kept(office):
    for query in ("11010519491231002X", "138 0013 8000", "皖K12345", "", "?"):
        assert not demands.record_miss(office.control, query, NOW)
    assert demands.missed(office.control, NOW.date()) == ()


def test_a_flood_of_words_is_bounded(office, monkeypatch):
    monkeypatch.setattr(demands, "MAX_MISSED_PER_DAY", 2)
    kept = [demands.record_miss(office.control, word, NOW) for word in ("甲乙", "丙丁", "戊己", "甲乙")]
    assert kept == [True, True, False, True]


def test_misses_at_once_are_all_counted(office):
    threads = [threading.Thread(target=demands.record_miss, args=(office.control, "殡葬", NOW)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert demands.missed(office.control, NOW.date())[0].times == 8
