"""Loads ordered from a page, over a real source: what is said before, and that a process of its own does it."""

from __future__ import annotations

import sqlite3

import pytest

from catalog.model import Disposition
from catalog.steps import NotYoursError
from hub import loadboard, loads, ordering, pauses, watching
from hub.actors import Actor
from hub.errors import LoadPausedError, OrderInvalidError, ResourceUnknownError
from hub.loadboard import Concern
from hub.office import Office
from hub.orders import LoadOrder, Mode
from tests.hub.ingestion.city import City, resource

WHOLE, DELTA = "R-WHOLE", "R-DELTA"
ENGINEER = Actor("D1", "data-engineer")
FULL = LoadOrder(Mode.FULL)
JANUARY = LoadOrder(Mode.WINDOW, "2026-01-05", "2026-01-06")


@pytest.fixture
def city(tmp_path):
    path = tmp_path / "base.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (no TEXT PRIMARY KEY, name TEXT, amount INTEGER, updated_at TEXT)")
        rows = [("N1", "甲", 1, "2026-01-05T00:00:00"), ("N2", "五个字姓名", 2, "2026-01-06T00:00:00")]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    systems = {"base": {"kind": "sqlite", "settings": {"path": str(path)}}}
    of = [resource(WHOLE), resource(DELTA, Disposition.MERGE, cursor_field="updated_at")]
    with City(tmp_path / "var", systems, *of) as city:
        yield city


@pytest.fixture
def office(city):
    with Office.open(city.settings) as office:
        yield office


def of(office, code):
    return office.list_.by_code[code]


def test_a_preview_reads_nothing_and_says_what_would_be_done(office, city):
    found = ordering.preview(office, of(office, DELTA), FULL)
    assert (found.rows, found.window, found.possible) == (None, None, True)
    city.load(DELTA)
    found = ordering.preview(office, of(office, DELTA), JANUARY)
    assert found.window == ("2026-01-05", "2026-01-06T23:59:59.999999")
    assert (found.days, found.rows, found.plan.last_rows) == (2, 1, 2)
    assert found.plan.cursor == "2026-01-06T00:00:00"
    assert len(loads.newest_of(office.control, DELTA)) == 1
    replay = ordering.preview(office, of(office, DELTA), LoadOrder(Mode.REPLAY))
    assert replay.rejected == 1


def test_rejected_rows_are_found_by_where_and_why(office, city):
    assert loadboard.rejected_now(office, of(office, DELTA)).rows == ()
    city.load(DELTA)
    found = loadboard.rejected_now(office, of(office, DELTA))
    assert ([row.line for row in found.rows], found.stopped) == ([2], False)


def test_what_cannot_be_done_is_refused_before_the_log_has_it(office):
    begun = []
    size = office.evidence.log.size
    with pytest.raises(OrderInvalidError, match="no cursor field"):
        ordering.place(office, of(office, WHOLE), JANUARY, ENGINEER, start=lambda *one: begun.append(one))
    pauses.pause(office, DELTA, ENGINEER, "检修")
    with pytest.raises(LoadPausedError):
        ordering.place(office, of(office, DELTA), FULL, ENGINEER, start=lambda *one: begun.append(one))
    assert not ordering.preview(office, of(office, DELTA), FULL).possible
    assert begun == []
    # The pause alone is in the log.
    assert office.evidence.log.size == size + 1


def test_an_order_is_in_the_log_and_a_process_of_its_own_does_it(office, city, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city.settings.home))
    index = ordering.place(office, of(office, WHOLE), FULL, ENGINEER)
    leaf = next(iter(office.evidence.log.entries(index, index + 1)))
    assert b'"kind":"load.ordered"' in leaf
    assert b"D1:data-engineer" in leaf
    # While it runs another is not begun, here at least.
    with pytest.raises(OrderInvalidError, match="under way"):
        ordering.place(office, of(office, WHOLE), FULL, ENGINEER)
    assert ordering._STARTED._processes[WHOLE].wait(timeout=120) == 0
    (done,) = loads.newest_of(office.control, WHOLE)
    assert (done.outcome, done.mode, done.accepted, done.rejected) == ("loaded", "full", 1, 1)


def test_a_department_sees_its_own_and_the_office_of_the_list_all(office):
    list_ = office.list_
    assert loadboard.scope_of(list_, "D1", all_seeing=False) is None
    assert loadboard.scope_of(list_, "D2", all_seeing=True) is None
    scope = loadboard.scope_of(list_, "D2", all_seeing=False)
    assert scope == frozenset()
    with pytest.raises(NotYoursError):
        loadboard.need_seen(list_, WHOLE, scope, Actor("D2", "engineer"))
    with pytest.raises(ResourceUnknownError):
        loadboard.need_seen(list_, "NO-SUCH", None, ENGINEER)


def test_concerns_say_why_somebody_looks(office, city):
    def codes():
        found = loadboard.concerns(office.control, watching.board(office), office.now())
        return {concern: sorted(members) for concern, members in found.items() if members}

    assert codes() == {Concern.NEVER: [DELTA, WHOLE]}
    city.load(DELTA)
    pauses.pause(office, WHOLE, ENGINEER, "检修")
    assert codes() == {Concern.PAUSED: [WHOLE]}
