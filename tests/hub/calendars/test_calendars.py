"""Calendars put in force: what moves is shown first, and just that moves."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from audit.entry import Entry
from catalog.application import Application, FieldWish
from catalog.clock import Calendar, day_of
from catalog.clockfiles import parse_calendar, render_calendar
from catalog.datafile import DataFileInvalidError
from hub import applications
from hub.actors import Actor
from hub.calendars import CalendarRefusedError, adopt, preview
from hub.control import hold_generation
from hub.errors import CaseConflictError
from hub.notices import tray
from hub.office import Office
from tests.hub.world import CODE, MATTER

BY = Actor("GA", "administrator")
HEAD = "#year,2027,国务院办公厅关于2027年部分节假日安排的通知\ndate,kind,name\n"
NEXT = (HEAD + "2027-01-01,holiday,元旦\n2027-01-04,holiday,元旦\n2027-01-09,workday,元旦\n").encode()


@pytest.fixture
def office(world):
    world.clock.now = datetime(2026, 12, 25, 2, tzinfo=UTC)
    with Office.open(world.settings, clock=world.clock) as opened:
        yield opened


@pytest.fixture
def case(office):
    """An application of 25 December: ten working days run into the next year."""
    wish = FieldWish("name", "办理事项所需", "专人专用，用后即删")
    application = Application(
        applicant="RS",
        resource=CODE,
        purposes=(MATTER,),
        fields=(wish,),
        actions=("query",),
        rows=(),
        volume_per_day=10,
        term_days=30,
        ground="《办法》第三条",
    )
    return applications.apply(office, application, actor=Actor("RS", "data-officer"))


def due(office, case):
    return day_of(office.cases.get(case.id, case.kind).due_at)


def test_a_preview_says_what_moves_and_changes_nothing(office, case):
    before, size = due(office, case), office.evidence.log.size
    found = preview(office, NEXT)
    (move,) = found.moves
    # 1 and 4 January are off, 9 January is worked: by the weekends alone the clock ended on the eighth.
    assert (move.case, move.was, move.becomes) == (case.id, date(2027, 1, 8), date(2027, 1, 11))
    assert (move.answerer, move.kind) == ("GA", "application")
    assert [(y.year, y.holidays, y.workdays, y.known) for y in found.years] == [(2027, 2, 1, False)]
    assert due(office, case) == before == date(2027, 1, 8)
    assert office.evidence.log.size == size
    assert not office.clocks.calendar.knows(2027)


def test_what_was_shown_moves_and_the_log_and_who_answers_are_told(office, case, world):
    shown, index = adopt(office, NEXT, by=BY, seen=preview(office, NEXT).seen)
    assert due(office, case) == date(2027, 1, 11)
    assert len(shown.moves) == 1
    entry = Entry.decode(office.evidence.log.entry(index))
    assert (entry.kind, entry.actor, entry.facts["moved"]) == ("calendar.adopted", "GA:administrator", 1)
    assert entry.facts["years"] == [{"year": 2027, "source": "国务院办公厅关于2027年部分节假日安排的通知"}]
    body = office.evidence.bodies.get(entry.body_digest)[1]
    assert body["moves"] == [shown.moves[0].plain()]
    notices = [one for one in tray(office.control, "GA") if one.kind == "clock_moved"]
    assert [one.params["due"] for one in notices] == ["2027-01-11"]
    assert office.cases.get(case.id, case.kind).revision == case.revision
    # Years that the file does not name stay, with their days and sources.
    assert office.clocks.calendar.knows(2026)
    assert not office.clocks.calendar.is_working(date(2026, 10, 1))
    # Another process learns of it without being started again.
    with Office.open(world.settings, clock=world.clock) as other:
        assert other.clocks.due("application.reply.conditional", office.now()).verified


def test_an_office_that_is_open_learns_of_a_calendar_of_another_process(office, world):
    with Office.open(world.settings, clock=world.clock) as other:
        assert not office.clocks.calendar.knows(2027)
        adopt(other, NEXT, by=BY, seen=preview(other, NEXT).seen)
    assert office.clocks.calendar.knows(2027)
    assert office.cases.clocks().calendar.knows(2027)


def test_what_changed_since_it_was_looked_at_is_refused(office, case):
    seen = preview(office, NEXT).seen
    other = NEXT.replace(b"2027-01-09", b"2027-01-10")
    for data, mark in ((other, seen), (NEXT, ""), (NEXT, "0" * 64)):
        with pytest.raises(CaseConflictError):
            adopt(office, data, by=BY, seen=mark)
    assert due(office, case) == date(2027, 1, 8)
    assert not office.settings.own_calendar.exists()


def test_a_clock_that_ran_out_and_a_day_that_was_promised_stay(office, case, world):
    import sqlalchemy as sa

    from hub.control import CaseRow

    promised = datetime(2027, 1, 7, 15, 59, 59, tzinfo=UTC)
    with office.control.writing() as connection:
        connection.execute(sa.update(CaseRow).where(CaseRow.id == case.id).values(due_at=promised))
    assert preview(office, NEXT).moves == ()
    with office.control.writing() as connection:
        connection.execute(sa.update(CaseRow).where(CaseRow.id == case.id).values(due_at=case.due_at))
    assert len(preview(office, NEXT).moves) == 1
    world.clock.now = datetime(2027, 1, 20, tzinfo=UTC)
    assert preview(office, NEXT).moves == ()


def test_a_crash_before_the_file_is_mended_by_doing_it_again(office, case, monkeypatch):
    def dies(*_):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("hub.calendars.replace_file", dies)
        with pytest.raises(OSError, match="killed"):
            adopt(office, NEXT, by=BY, seen=preview(office, NEXT).seen)
    assert due(office, case) == date(2027, 1, 11)
    again = preview(office, NEXT)
    assert again.moves == ()
    adopt(office, NEXT, by=BY, seen=again.seen)
    assert office.clocks.calendar.knows(2027)
    assert due(office, case) == date(2027, 1, 11)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"date,kind,name\n",
        b"#year,2020,x\ndate,kind,name\n2020-01-01,holiday,x\n",
        HEAD.encode() + b"x" * 200_000,
    ],
)
def test_what_is_no_calendar_of_years_to_come_is_refused(office, data):
    with pytest.raises(CalendarRefusedError) as refused:
        preview(office, data)
    assert refused.value.text("zh")


def test_each_fault_of_a_file_is_named(office):
    with pytest.raises(DataFileInvalidError) as found:
        preview(office, b"date,kind,name\n2027-13-01,holiday,x\n2027-01-04,workday,x\n")
    assert len(found.value.faults) >= 2


def test_the_same_calendar_again_is_refused_and_so_is_one_that_a_setting_names(office, monkeypatch, tmp_path):
    from dataclasses import replace

    adopt(office, NEXT, by=BY, seen=preview(office, NEXT).seen)
    with pytest.raises(CalendarRefusedError):
        preview(office, NEXT)
    named = Office(
        replace(office.settings, calendar_file=tmp_path / "x.csv"), office.control, office.evidence, office.cases
    )
    with pytest.raises(CalendarRefusedError) as refused:
        preview(named, NEXT.replace(b"2027-01-09", b"2027-01-10"))
    assert "ZHENGTONG_CALENDAR" in str(refused.value)


def test_a_calendar_is_read_as_it_was_written(office):
    calendar = office.clocks.calendar
    assert parse_calendar(render_calendar(calendar), "x") == calendar
    odd = Calendar(frozenset({date(2027, 1, 1)}), frozenset(), {2027: 'a, "b"，c'}, {date(2027, 1, 1): '元"旦", x'})
    assert parse_calendar(render_calendar(odd), "x").names == odd.names
    assert calendar.names[date(2026, 1, 1)] == "元旦"


def test_nobody_is_held_up_for_good(office):
    with office.control.writing() as connection:
        hold_generation(connection)
    assert preview(office, NEXT).seen


def test_the_commands(world, monkeypatch, capsys, tmp_path):
    from hub.cli import main

    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    file = tmp_path / "next.csv"
    year = datetime.now(UTC).year + 1
    file.write_text(f"#year,{year},通知\ndate,kind,name\n{year}-01-01,holiday,元旦\n")

    def run(*words, code=0):
        assert main([*words, "--json", "--lang", "en"]) == code
        return json.loads(capsys.readouterr().out)

    seen = run("calendar", "check", str(file))["seen"]
    assert run("calendar", "add", str(file), "--by", "GA:x", "--seen", "other", code=6)["code"] == "case_conflict"
    assert run("calendar", "add", str(file), "--by", "GA:x", "--seen", seen)["log_index"] > 0
    assert run("calendar", "show")[-1]["year"] == year
    assert run("calendar", "check", str(file), code=2)["code"] == "calendar_refused"
