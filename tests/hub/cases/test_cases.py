"""The promises of `hub.cases`, on both databases: one winner, whole steps, notices once, one order."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.clock import Clocks
from hub.actors import Actor
from hub.cases import Cases, Turn
from hub.control import CaseEvent, CaseRow, Control, Notice, row_dict
from hub.errors import CaseConflictError, CaseUnknownError
from hub.evidence import Evidence
from tests.hub.world import NOW, Clock

ASKER, ANSWERER = Actor("RS", "desk"), Actor("GA", "desk")
WAITING = Turn("waiting", open=True, answerer="GA", rule="correction.reply")
ASKED = Turn("asked", open=True, answerer="RS", rule="application.supplement")
DONE = Turn("done", open=False)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cases(settings, control, clock):
    evidence = Evidence.open(settings, clock=clock)
    yield Cases(control, evidence, Clocks.default)
    evidence.log.close()


def opened(cases, turn=WAITING, **changes):
    values = {"opener": "RS", "resource": "r", "actor": ASKER, "step": "submit", **changes}
    with cases.begin() as work:
        return work.open("demand", "D", value=lambda id_: {"id": id_, "words": "需要"}, turn=turn, **values)


def act(cases, id_, turn, *, revision=None, value=None, step="answer"):
    with cases.begin() as work:
        case = work.get(id_, "demand", revision)
        return work.act(case, value=value or case.value, turn=turn, actor=ANSWERER, step=step)


def kinds(cases):
    return [Entry.decode(data).kind for data in cases.evidence.log.entries(0, cases.evidence.log.size)]


def together(*work):
    """Run all of *work* at the same time; what each returned or raised, in no order."""
    ready = threading.Barrier(len(work))
    found = []

    def run(one):
        ready.wait()
        try:
            found.append(one())
        except Exception as error:  # noqa: BLE001 - handed to the test
            found.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_case_is_what_was_opened(cases, clock):
    case = opened(cases, note="第一步")
    again = cases.get(case.id, "demand")
    assert again == case
    assert (again.revision, again.told, again.value) == (1, 0, {"id": case.id, "words": "需要"})
    due = Clocks.default().due("correction.reply", NOW)
    assert (again.started_at, again.remind_at, again.due_at) == (NOW, due.remind, due.due)
    (step,) = cases.history(case.id)
    assert (step.revision, step.actor, step.step, step.note) == (1, "RS:desk", "submit", "第一步")
    entry = Entry.decode(cases.evidence.log.entry(step.log_index))
    assert (entry.kind, entry.facts["case"], entry.actor) == ("demand.submit", case.id, "RS:desk")
    assert "需要" not in cases.evidence.log.entry(step.log_index).decode()


def test_a_case_of_another_kind_is_none(cases):
    id_ = opened(cases).id
    with pytest.raises(CaseUnknownError):
        cases.get(id_, "correction")
    with pytest.raises(CaseUnknownError), cases.begin() as work:
        work.get(id_, "correction")


def test_a_clock_goes_on_in_a_state_and_starts_anew_in_the_next(cases, clock):
    case = opened(cases)
    with cases.begin() as work:
        work.connection.execute(sa.update(CaseRow).values(told=1))
    clock.now = NOW + timedelta(days=2)
    same = act(cases, case.id, WAITING)
    assert (same.started_at, same.due_at, same.told) == (NOW, case.due_at, 1)
    asked = act(cases, case.id, ASKED)
    assert (asked.started_at, asked.told, asked.rule) == (clock.now, 0, "application.supplement")
    done = act(cases, case.id, DONE)
    assert (done.rule, done.started_at, done.remind_at, done.due_at) == ("", None, None, None)
    assert cases.get(case.id, "demand") == done


@pytest.mark.parametrize("seen", [None, 1], ids=["stale-case", "stale-revision"])
def test_of_two_who_act_on_one_revision_one_wins(cases, seen):
    case = opened(cases)

    def stale():
        with cases.begin() as work:
            return work.act(case, value={"by": "me"}, turn=DONE, actor=ANSWERER, step="answer")

    for _ in range(5):
        case = opened(cases)
        work = stale if seen is None else (lambda id_=case.id: act(cases, id_, DONE, revision=1))
        found = together(work, work, work)
        lost = [one for one in found if isinstance(one, Exception)]
        assert [type(one) for one in lost] == [CaseConflictError] * 2, found
        assert all(one.params["revision"] == 2 for one in lost)
        assert [step.revision for step in cases.history(case.id)] == [1, 2]
    # Who lost left no entry about a step that never was.
    assert kinds(cases).count("demand.answer") == 5


def test_steps_of_different_cases_at_once_all_take_effect(cases):
    ids = [opened(cases).id for _ in range(4)]
    found = together(*(lambda id_=id_: act(cases, id_, DONE) for id_ in ids))
    assert [one.state for one in found] == ["done"] * 4
    assert cases.count("demand", open_=False) == 4


def test_cases_are_found_in_one_order_on_every_database(cases, clock):
    """By when the clock ends, those without one last; ties by opening, then by identifier."""
    turns = [WAITING, DONE, ASKED, WAITING, DONE, WAITING, ASKED]
    for number, turn in enumerate(turns):
        clock.now = NOW + timedelta(days=(number * 5) % 3)
        opened(cases, turn)
    found = cases.find("demand")
    assert len(found) == len(turns)
    assert list(found) == sorted(found, key=lambda c: (c.due_at is None, c.due_at or NOW, c.opened_at, c.id))
    assert cases.find("demand", limit=2, offset=2) == found[2:4]
    assert cases.find("demand", limit=10**6) == found
    assert [c.state for c in cases.find(None, open_=False)] == ["done", "done"]
    assert cases.count("demand", answerer="GA", open_=True) == 3
    assert cases.find("demand", resource="other") == ()


class CrashError(Exception):
    """Stands for a process that ends here."""


def crash(*_, **__):
    raise CrashError


# At which statement, or before which function, the process ends.
STATEMENTS = ("UPDATE cases", "INSERT INTO case_events", "INSERT INTO notices")


@contextmanager
def crashing(cases, monkeypatch, place):
    """Let the process end at *place*."""

    def before(connection, cursor, statement, *_):
        if statement.startswith(place):
            crash()

    sa.event.listen(cases.control.engine, "before_cursor_execute", before)
    try:
        with monkeypatch.context() as patch:
            if place == "entry":
                patch.setattr(Evidence, "append", crash)
            yield
    finally:
        sa.event.remove(cases.control.engine, "before_cursor_execute", before)


@pytest.mark.parametrize("place", [*STATEMENTS, "entry", "commit"])
def test_a_crash_at_any_write_leaves_the_step_untaken(cases, monkeypatch, place):
    case = opened(cases)
    before = len(kinds(cases))

    def step(ending=""):
        with cases.begin() as work:
            held = work.get(case.id, "demand")
            work.act(held, value={"new": True}, turn=DONE, actor=ANSWERER, step="answer")
            work.tell("RS", "demand_answered", key="k", case=case.id, params={"case": case.id, "note": ""})
            if ending == "commit":
                crash()

    with crashing(cases, monkeypatch, place), pytest.raises(CrashError):
        step(place)
    assert cases.get(case.id, "demand") == case
    assert len(cases.history(case.id)) == 1
    assert notices(cases) == []
    # The log may say more than happened, never less.
    assert len(kinds(cases)) == before + (place not in ("UPDATE cases", "entry"))
    # The step can be taken again, notice and all.
    step()
    assert cases.get(case.id, "demand").state == "done"
    assert notices(cases) == ["k"]


def notices(cases):
    with cases.control.reading() as connection:
        return connection.execute(sa.select(Notice.key)).scalars().all()


@pytest.mark.parametrize("place", ["entry", "INSERT INTO cases", "INSERT INTO case_events"])
def test_a_crash_while_opening_leaves_no_case(cases, monkeypatch, place):
    with crashing(cases, monkeypatch, place), pytest.raises(CrashError):
        opened(cases)
    assert cases.count(None) == 0


def test_a_notice_is_given_once_however_many_give_it(cases):
    def tell():
        with cases.begin() as work:
            return work.tell("RS", "case_reminder", key="k", params={})

    assert sorted(together(*[tell] * 4)) == [False, False, False, True]
    assert tell() is False
    with cases.control.reading() as connection:
        rows = connection.execute(sa.select(Notice.department, Notice.at)).all()
    assert [tuple(row) for row in rows] == [("RS", NOW)]


def test_of_two_who_tell_in_one_step_the_second_waits_and_tells_if_the_first_fails(cases):
    """A notice of a step that never was is no notice; the other's is then given."""
    inside, go_on = threading.Event(), threading.Event()

    def first():
        with cases.begin() as work:
            work.tell("RS", "case_reminder", key="k", params={"by": "first"})
            inside.set()
            go_on.wait(30)
            crash()

    def second():
        inside.wait(30)
        go_on.set()
        with cases.begin() as work:
            return work.tell("RS", "case_reminder", key="k", params={"by": "second"})

    found = together(first, second)
    assert True in found
    with cases.control.reading() as connection:
        assert connection.execute(sa.select(Notice.params)).scalars().all() == [{"by": "second"}]


def test_what_is_stored_comes_back_as_it_was(cases):
    """Text of any script, deep values, instants to the microsecond: alike on either database."""
    value = {"text": "㛃䶮𬱖 \u2028 'x' \" \\ %", "list": [1, None, True, {"深": []}], "big": 2**53}
    with cases.begin() as work:
        case = work.open(
            "demand", "D", value=lambda _: value, turn=WAITING, opener="民政局", resource="r", actor=ASKER,
            step="submit", note="％ 𠅤",
        )  # fmt: skip
    assert cases.get(case.id, "demand").value == value
    assert cases.history(case.id)[0].note == "％ 𠅤"
    with cases.control.reading() as connection:
        row = row_dict(connection.execute(sa.select(CaseEvent.__table__)).one())
    assert row["at"] == NOW


def test_another_process_sees_a_step_at_once(cases, settings):
    case = opened(cases)
    other = Control.attach(settings)
    act(cases, case.id, DONE)
    with other.reading() as connection:
        assert connection.execute(sa.select(CaseRow.state)).scalar_one() == "done"
    other.close()
