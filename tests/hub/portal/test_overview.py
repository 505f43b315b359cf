"""The leaders' page: each number is counted from what there is, adds up, and opens its rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from catalog.model import Domain, Need
from hub import figures, owed
from hub.control import CaseRow, GrantUsage, LicenceRow, Notice
from hub.figures import Figure
from hub.figurewords import FIGURES, PARTS, SENTENCES
from hub.people import Duty
from licence.lifecycle.states import State
from tests.hub.loads.records import record
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, MATTER, NOW, make_list

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def office(service):
    """A list whose matters need data, one load, some cases, licences and calls."""
    office = service.office
    lines = office.list_.responsibilities
    needs = (
        Need(MATTER, CODE, ("citizen_id", "name"), replaces="户口簿"),
        Need(MATTER, EMPTY_CODE, ("name",), replaces="户籍证明"),
        Need("SX002", CODE, ("citizen_id",), replaces=HOSTILE),
        Need("SX002", CODE, ("citizen_id",)),
    )
    changed = make_list(
        batch=2, needs=needs, responsibilities=(lines[0], replace(lines[1], domain=Domain.ECONOMIC_SOCIAL))
    )
    publish_list(office.settings, office.control, office.evidence, changed, by="office")
    record(office, hours=-1, read=5)
    record(office, hours=-2, outcome="failed", resource=EMPTY_CODE)
    with office.control.writing() as connection:
        for number, (open_, days_left, overdue) in enumerate(
            [(False, None, False), (False, None, True), (True, 3, False), (True, -1, False)]
        ):
            case(connection, f"C{number}", open_=open_, days_left=days_left, overdue=overdue)
        for number, (state, ends) in enumerate([("01", 9), ("01", -9), ("03", 9), ("pending", 9)]):
            licence(connection, number, state, ends)
        for day, calls, grant in (("2026-03-02", 4, "G1"), ("2026-02-20", 2, "GONE"), ("2026-01-01", 50, "G1")):
            connection.execute(sa.insert(GrantUsage).values(grant=grant, day=day, calls=calls, last_at=NOW))
    return office


def case(connection, id_, *, open_, days_left, overdue):
    due = None if days_left is None else NOW + timedelta(days=days_left)
    row = {"id": id_, "kind": "demand", "state": "claimed" if open_ else "met", "open": open_, "opener": "RS"}
    row |= {"answerer": "GA", "resource": CODE, "rule": "", "started_at": due and NOW, "remind_at": due, "due_at": due}
    times = dict.fromkeys(("opened_at", "updated_at"), NOW - timedelta(days=2))
    connection.execute(sa.insert(CaseRow).values(**row, **times, told=0, revision=1, value={}))
    if overdue:
        notice = {"key": f"case_overdue:{id_}", "at": NOW, "department": "GA", "kind": "case_overdue", "case_id": id_}
        connection.execute(sa.insert(Notice).values(**notice, resource=CODE, params={}))


def licence(connection, number, state, ends):
    row = {"identifier": f"L{number}", "kind": "marriage", "holder_hash": f"h{number}", "resource": CODE}
    row |= {"status_list": "S", "status_index": number, "state": state, "issued_at": NOW - timedelta(days=1)}
    row |= {"valid_until": NOW + timedelta(days=ends), "credential_digest": "x"}
    connection.execute(sa.insert(LicenceRow).values(**row))


@pytest.fixture(scope="module")
def found(office):
    return {one.key: one for one in figures.overview(office).figures}


def test_collected_is_counted_over_lines_and_by_domain(found):
    one = found["collected"]
    assert (one.numerator, one.denominator) == (1, 2)
    assert one.parts == {
        "government": 1,
        "government_not": 0,
        "economic_social": 0,
        "economic_social_not": 1,
    }


def test_in_time_is_counted_over_resources_by_their_standing(found):
    one = found["kept"]
    assert (one.numerator, one.denominator) == (1, 2)
    assert (one.parts["kept"], one.parts["ahead"]) == (1, 1)


def test_a_paper_is_needless_when_all_it_stands_for_is_granted_and_collected(found, office):
    one = found["papers"]
    # The need that replaces nothing is no paper; the second matter has no grant; the other resource was not loaded.
    assert (one.numerator, one.denominator) == (1, 3)
    assert one.parts == {"replaced": 1, "not_collected": 0, "not_granted": 2}
    states = {row[2]: row[3] for row in figures.rows_of(office, "papers").rows}
    assert states == {"户口簿": "replaced", "户籍证明": "not_granted", HOSTILE: "not_granted"}


def test_calls_are_those_of_thirty_days_and_what_no_grant_explains_is_left_over(found, office):
    one = found["calls"]
    assert (one.numerator, one.denominator, one.whole) == (6, 30, 6)
    # Two calls are of a grant that the table does not hold: they are told, not hidden.
    assert (one.parts["in_force"], one.parts["ended"], one.rest) == (4, 0, 2)
    days = figures.calls_by_day(office, NOW)
    assert (len(days), sum(days.values()), days["2026-03-02"]) == (30, 6, 4)
    assert list(days) == sorted(days)


def test_licences_past_their_term_are_not_in_force_whatever_their_state(found):
    one = found["licences"]
    assert (one.numerator, one.denominator) == (1, 3)
    assert (one.parts["past"], one.parts[State.REVOKED.value]) == (1, 1)


def test_answers_in_time_leave_out_what_still_has_time(found):
    one = found["answers"]
    # The application that the world's grant came of was answered at once.
    assert (one.numerator, one.denominator) == (2, 4)
    assert one.parts == {"in_time": 2, "late": 1, "open": 1}


def test_parts_make_up_the_whole_or_say_what_is_left(found):
    for key, one in found.items():
        assert set(one.parts) == set(PARTS[key])
        assert sum(one.parts.values()) + one.rest == one.whole
        if key != "calls":
            assert one.rest == 0
    assert Figure("kept", 1, 5, 5, {"kept": 1, "late": 2}, NOW).rest == 2


def test_every_figure_opens_rows_that_are_as_many_as_it_says(office, found):
    assert list(found) == list(FIGURES)
    for key in ("collected", "kept", "papers", "answers"):
        assert len(figures.rows_of(office, key).rows) == found[key].denominator
    assert sum(row[-1] for row in figures.rows_of(office, "calls").rows) == found["calls"].whole
    assert sum(row[-1] for row in figures.rows_of(office, "licences").rows) == found["licences"].denominator


def test_the_week_is_told_in_sentences_and_nothing_is_said_of_what_did_not_happen(office):
    told = figures.overview(office)
    by_key = {one.key: one for one in told.changes}
    assert by_key["loads"].zh == "完成归集 2 次，其中失败 1 次。"
    assert by_key["first"].en == "1 resource was collected for the first time."
    assert by_key["opened"].zh == "新提出事项 5 件。"
    assert by_key["issued"].zh == "签发证照 3 份。"
    assert "fell" not in by_key
    assert set(by_key) <= set(SENTENCES)


def test_departments_are_behind_or_caught_up_by_their_share(office):
    told = figures.overview(office)
    (worst,), (improved,) = told.worst, told.improved
    assert worst == improved
    assert (worst.department, worst.then, worst.now, worst.kept, worst.total) == ("GA", 0.0, 0.5, 1, 2)
    assert told.lights[owed.Standing.KEPT] == (0, 1)


def test_the_page_shows_each_number_with_its_definition_and_rows(signed_in, office):
    leader = signed_in(Duty.LEADER)
    page = leader.read("/overview")
    for words in FIGURES.values():
        assert words.name_zh in page
        assert words.defines_zh in page
    assert "未归入以上各项" in page
    html = leader.see("/overview").text
    assert "<svg" in html
    assert "style=" not in html
    for key in FIGURES:
        assert f'href="/overview/{key}"' in html
        rows = leader.see(f"/overview/{key}")
        assert rows.status_code == 200
        assert HOSTILE not in rows.text
        assert leader.json(f"/overview/{key}.json")["total"] > 0
    assert leader.see("/overview/no-such").status_code == 404


def test_in_english_it_is_english(signed_in, office):
    leader = signed_in(Duty.LEADER, **{"accept-language": "en"})
    page = leader.read("/overview")
    for words in FIGURES.values():
        assert words.defines in page
    assert "Collected in" not in page
    assert "Answered in time" in leader.read("/overview/answers")


def test_on_a_wall_there_is_nothing_around_it(signed_in, office):
    wall = signed_in(Duty.LEADER).see("/overview?wall=1").text
    assert "zt-wall" in wall
    assert "<nav" not in wall
    assert "zt-header" not in wall
    assert "<script" not in wall
    assert "归集率" in wall


def test_it_is_for_leaders_and_the_office(signed_in, office):
    for duty in Duty:
        expected = 200 if duty in {Duty.LEADER, Duty.OFFICE} else 403
        assert signed_in(duty).see("/overview/papers").status_code == expected
