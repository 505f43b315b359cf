"""Reminding in time: each clock, each grant, once, whoever sweeps."""

import json
import threading
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from catalog.demand import Answer
from hub import deadlines, demands
from hub.control import Control, GrantRow, GrantUsage, Notice
from hub.deadlines import Swept, sweep, tray_of
from hub.evidence import Evidence
from hub.notices import NOTICES, tray
from hub.office import Office
from tests.hub.demands.conftest import CIVIL, HEALTH, NOW

DAY = timedelta(days=1)


def notices(office):
    query = sa.select(Notice.department, Notice.kind).order_by(Notice.id)
    with office.control.reading() as connection:
        return [tuple(row) for row in connection.execute(query) if row.kind != "demand_opened"]


def overdue_entries(office):
    leaves = office.evidence.log.entries(0, office.evidence.log.size)
    return [entry for entry in map(json.loads, leaves) if entry["kind"] == "case.overdue"]


def give(office, id_="G1", *, given=NOW - 200 * DAY, expires=NOW + 200 * DAY, **changes):
    values = {
        "id": id_,
        "consumer": "MZJ",
        "resource": "3010010001",
        "fields": ["name"],
        "masks": [],
        "purposes": ["*"],
        "actions": ["query"],
        "starts": given,
        "expires": expires,
        "list_version": "x",
        "ground": "x",
        "given_by": "office",
        "given_at": given,
        "log_index": 0,
        **changes,
    }
    with office.control.writing() as connection:
        connection.execute(sa.insert(GrantRow).values(values))


def test_who_has_to_answer_is_reminded_then_the_office_is_told(office):
    case = demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对", suspected="WJW")
    # Five working days from Monday 2 March: due on Monday 9 March, a reminder one working day before.
    assert sweep(office, at=NOW) == Swept()
    assert sweep(office, at=NOW + 4 * DAY) == Swept(reminded=1)
    assert sweep(office, at=NOW + 4 * DAY) == Swept()
    assert notices(office) == [("WJW", "case_reminder")]
    assert sweep(office, at=NOW + 7 * DAY) == Swept(), "the last day counts whole"
    assert sweep(office, at=NOW + 8 * DAY) == Swept(escalated=1)
    assert sweep(office, at=NOW + 9 * DAY) == Swept()
    assert notices(office)[1:] == [("SZJ", "case_overdue"), ("WJW", "case_overdue")]
    (entry,) = overdue_entries(office)
    assert (entry["facts"]["case"], entry["facts"]["answerer"]) == (case.id, "WJW")
    assert office.cases.get(case.id, "demand").revision == case.revision, "being told is no step"
    assert "2026-03-09" in tray(office.control, "WJW")[0].text("zh")


def test_a_step_starts_the_telling_anew(office, clock):
    case = demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对", suspected="WJW")
    assert sweep(office, at=NOW + 8 * DAY).escalated == 1
    clock.now = NOW + 8 * DAY
    demands.claim(office, HEALTH, case.id)
    assert sweep(office, at=NOW + 8 * DAY) == Swept()
    # Ten working days from Tuesday 10 March.
    assert sweep(office, at=NOW + 21 * DAY) == Swept(reminded=1)
    demands.answer(office, HEALTH, case.id, Answer("met", resource="3090020001"))
    assert sweep(office, at=NOW + 60 * DAY) == Swept(), "a closed case has no clock"


def test_where_the_office_itself_has_to_answer_it_is_told_once(office):
    demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对")
    assert sweep(office, at=NOW + 30 * DAY) == Swept(escalated=1)
    assert notices(office) == [("SZJ", "case_overdue")]


def test_a_plan_whose_day_has_passed_is_told(office):
    case = demands.claim(office, HEALTH, demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对").id)
    demands.answer(office, HEALTH, case.id, Answer("planned", planned_on=date(2026, 4, 1)))
    assert sweep(office, at=NOW + 30 * DAY) == Swept()
    assert sweep(office, at=NOW + 31 * DAY) == Swept(planned=2)
    assert sweep(office, at=NOW + 32 * DAY) == Swept()


def test_two_sweeps_at_once_tell_once(office, settings, clock):
    for number in range(6):
        demands.submit(office, CIVIL, words=f"殡葬火化信息{number}", purpose="核对", suspected="WJW")
    give(office)
    swept, at = [], NOW + 30 * DAY
    start = threading.Barrier(2)

    def run():
        start.wait()
        swept.append(sweep(office, at=at))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.escalated for one in swept) == 6
    assert sum(one.unused for one in swept) == 1
    assert len(overdue_entries(office)) == 6
    assert len(notices(office)) == 13


def test_a_grant_that_ends_soon_is_told_once(office):
    give(office, expires=NOW + 30 * DAY, given=NOW)
    give(office, "G2", expires=NOW + 31 * DAY, given=NOW)
    give(office, "G3", expires=NOW + 3 * DAY, given=NOW, revoked_at=NOW)
    give(office, "G4", expires=NOW, given=NOW - DAY)
    assert sweep(office, at=NOW) == Swept(expiring=1)
    assert sweep(office, at=NOW + DAY) == Swept(expiring=1), "G2's day has come, G1 was told"
    assert sweep(office, at=NOW + DAY) == Swept()
    assert {notice.params["grant"] for notice in tray(office.control, "MZJ")} == {"G1", "G2"}


def test_a_grant_that_nobody_uses_is_proposed_to_be_handed_back(office):
    give(office, "G1", given=NOW - 90 * DAY)
    give(office, "G2", given=NOW - 89 * DAY)
    give(office, "G3", suspended_at=NOW - DAY)
    give(office, "G4", revoked_at=NOW - DAY)
    give(office, "G5", starts=NOW - DAY)
    give(office, "G6")
    with office.control.writing() as connection:
        connection.execute(sa.insert(GrantUsage).values(grant="G6", day="2026-02-01", calls=3, last_at=NOW - 29 * DAY))
    assert sweep(office, at=NOW) == Swept(unused=1)
    (notice,) = tray(office.control, "MZJ")
    assert (notice.params["grant"], notice.params["days"]) == ("G1", "90")
    assert sweep(office, at=NOW + DAY) == Swept(unused=1)  # G2
    assert sweep(office, at=NOW + 61 * DAY).unused == 1  # G6, 90 days after its last use
    assert sweep(office, at=NOW + 62 * DAY).unused == 0


def test_every_notice_of_a_sweep_has_its_words(office):
    demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对", suspected="WJW")
    give(office)
    give(office, "G2", expires=NOW + 20 * DAY, given=NOW)
    sweep(office, at=NOW + 4 * DAY)
    sweep(office, at=NOW + 8 * DAY)
    seen = set()
    for department in ("WJW", "SZJ", "MZJ"):
        for notice in tray(office.control, department):
            seen.add(notice.kind)
            assert "{" not in notice.text("zh") + notice.text("en")
    assert seen >= {"case_reminder", "case_overdue", "grant_expiring", "grant_unused"}
    assert seen <= set(NOTICES)


def test_what_waits_stands_in_the_order_of_its_clocks(office, clock):
    first = demands.submit(office, CIVIL, words="殡葬火化信息", purpose="核对", suspected="WJW")
    clock.now = NOW + 2 * DAY
    second = demands.submit(office, CIVIL, words="出生缺陷信息", purpose="核对", suspected="WJW")
    planned = demands.claim(office, HEALTH, demands.submit(office, CIVIL, words="疫苗接种", purpose="核对").id)
    demands.answer(office, HEALTH, planned.id, Answer("planned", planned_on=date(2026, 9, 1)))
    waiting = tray_of(office, "WJW", at=NOW + 2 * DAY)
    assert [(case.id, left) for case, left in waiting] == [(first.id, 3), (second.id, 5), (planned.id, None)]
    assert tray_of(office, "WJW", at=NOW + 8 * DAY)[0][1] == -1
    assert tray_of(office, "MZJ") == ()


def test_before_a_list_is_published_a_sweep_still_tells_of_grants(settings, clock):
    with Office.over(settings, Control.open(settings), Evidence.open(settings, clock=clock)) as office:
        give(office)
        assert sweep(office) == Swept(unused=1)


def test_the_scheduler_sweeps_the_deployment_of_the_environment(office, settings, monkeypatch):
    office.close()
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    assert deadlines.sweep_once() == Swept().plain()


@pytest.mark.parametrize("kind", ["application", "correction", "demand", "list"])
def test_every_kind_of_case_has_its_word(kind):
    assert deadlines.CASE_KINDS[kind][0] != deadlines.CASE_KINDS[kind][1]
