"""Batches that officers run: tried, ordered, confirmed by a second, issued once whatever is killed, compared."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from hub.actors import Actor
from hub.control import LicenceRow, LicenceRunLineRow, LicenceRunRow
from hub.errors import NotFoundError, TryAgainError
from hub.evidence import Evidence
from hub.licensing import Licensing, batches, running
from hub.licensing.errors import SecondOfficerError
from hub.licensing.running import LEASE, MAX_TRIES, Runner, Worker
from hub.licensing.runs import QUIET, Runs
from hub.settings import Settings
from tests.hub.licensing.dossiers.conftest import LAW, NAMES, ONE, TWO, make_city
from tests.hub.licensing.test_batches import DiedError, killed, logged
from tests.hub.world import IDS

FIRST, SECOND, STRANGER = Actor("RS", "counter"), Actor("RS", "chief"), Actor("MZ", "counter")
WORDS = {"reason": "年度批量核发", "ground": LAW}


@pytest.fixture
def office(tmp_path):
    settings = Settings.at(tmp_path / "var")
    make_city(settings)
    return Licensing.open(settings)


@pytest.fixture
def runs(office):
    return Runs(office.control, office.evidence)


@pytest.fixture
def worker(office, runs):
    return Worker(runs, lambda: office)


def tried(runs, worker, kind):
    run = runs.open(kind, actor=FIRST)
    assert worker.run_once() == run.id
    return runs.get(run.id)


def test_a_run_is_tried_ordered_issued_and_compared(office, runs, worker):
    kind = office.kind(ONE)
    run = tried(runs, worker, kind)
    assert (run.state, run.planned["rows"], run.planned["counts"]["ok"], run.total) == ("planned", 5, 4, 4)
    assert office.find(kind=kind.code) == []
    assert runs.order(run.id, kind, actor=FIRST, **WORDS).state == "issuing"
    assert worker.run_once() == run.id
    done = runs.get(run.id)
    assert (done.state, done.done, done.total, done.open) == ("done", 4, 4, False)
    assert done.compared["residual"] == done.compared["counts"]["field_empty"] == 1
    assert (done.compared["records"], done.compared["licences"]) == (5, 4)
    total, issued = runs.issued(run.id)
    assert (total, len(issued)) == (4, 4)
    assert worker.run_once() is None
    _, again = runs.find(department="RS")
    assert again == (done,)
    assert runs.find(department="MZ") == (0, ())


def test_rows_are_told_without_names_and_numbers(office, runs, worker):
    run = tried(runs, worker, office.kind(ONE))
    total, (failing,) = runs.lines(run.id, "plan", "field_empty")
    assert (total, failing.row, failing.fields) == (1, 3, ("address",))
    assert failing.holder.endswith(IDS[2][-4:])
    assert set(failing.holder[:-4]) == {"*"}
    assert runs.lines(run.id, "plan", "ok")[0] == 4
    assert len(runs.lines(run.id, "plan", "ok", limit=3, offset=3)[1]) == 1
    with office.control.reading() as connection:
        kept = str(connection.execute(sa.select(LicenceRunLineRow.__table__)).all())
        kept += str(connection.execute(sa.select(LicenceRunRow.__table__)).all())
    assert not [secret for secret in (*IDS, *NAMES) if secret in kept]


def test_of_each_outcome_a_bounded_number_of_rows_is_kept(office, runs, worker, monkeypatch):
    monkeypatch.setattr(running, "LINES_KEPT", 2)
    run = tried(runs, worker, office.kind(ONE))
    assert runs.lines(run.id, "plan", "ok")[0] == 2
    assert run.planned["counts"]["ok"] == 4


def test_a_kind_has_one_open_run(office, runs, worker):
    kind = office.kind(ONE)
    run = runs.open(kind, actor=FIRST)
    assert runs.open(kind, actor=SECOND) == run
    runs.drop(run.id, actor=SECOND)
    assert runs.open(kind, actor=FIRST).id != run.id


def test_what_two_decide_waits_for_another_person(office, runs, worker):
    kind = office.kind(TWO)
    run = tried(runs, worker, kind)
    assert runs.order(run.id, kind, actor=FIRST, **WORDS).state == "proposed"
    assert worker.run_once() is None
    for same in (FIRST, Actor("RS", "COUNTER")):
        with pytest.raises(SecondOfficerError):
            runs.confirm(run.id, kind, actor=same)
    assert runs.confirm(run.id, kind, actor=SECOND).state == "issuing"
    worker.run_once()
    row = office.find(kind=kind.code)[0]
    assert (row["history"][0]["officer"], row["history"][0]["second"]) == ("RS:counter", "chief")
    assert row["dossier"] == run.id


def test_steps_are_those_of_the_issuing_department_and_in_order(office, runs, worker):
    kind = office.kind(ONE)
    with pytest.raises(NotYoursError):
        runs.open(kind, actor=STRANGER)
    run = runs.open(kind, actor=FIRST)
    with pytest.raises(StepNotAllowedError):
        runs.order(run.id, kind, actor=FIRST, **WORDS)
    worker.run_once()
    with pytest.raises(NotYoursError):
        runs.order(run.id, kind, actor=STRANGER, **WORDS)
    with pytest.raises(NotYoursError):
        runs.drop(run.id, actor=STRANGER)
    with pytest.raises(CaseInvalidError):
        runs.order(run.id, kind, actor=FIRST, reason=f"为 {IDS[0]} 办理", ground=LAW)
    with pytest.raises(CaseInvalidError):
        runs.order(run.id, kind, actor=FIRST, reason="", ground=LAW)
    with pytest.raises(NotFoundError):
        runs.get("P7777777A")
    assert runs.again(run.id, actor=FIRST).state == "planning"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_that_is_killed_is_gone_on_after_and_each_record_gets_one(office, runs, worker, monkeypatch, after):
    monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
    kind = office.kind(ONE)
    run = tried(runs, worker, kind)
    runs.order(run.id, kind, actor=FIRST, **WORDS)
    with monkeypatch.context() as patch:
        killed(patch, Evidence, "keep", after=after)
        with pytest.raises(DiedError):
            worker.run_once()
    stuck = runs.get(run.id)
    assert (stuck.state, stuck.claimed_by) == ("issuing", worker.name)
    heir = Worker(runs, lambda: Licensing.open(office.settings))
    # Its claim holds; who is impatient may take it up once nothing is heard of it.
    assert heir.claim() is None
    assert stuck.possible(stuck.heard_at + QUIET) == ["drop"]
    assert stuck.possible(stuck.heard_at + QUIET + timedelta(seconds=1)) == ["resume", "drop"]
    with office.control.writing() as connection:
        ago = stuck.heard_at - QUIET - timedelta(minutes=1)
        connection.execute(sa.update(LicenceRunRow).values(heard_at=ago))
    runs.resume(run.id, actor=SECOND)
    assert heir.run_once() == run.id
    done = runs.get(run.id)
    assert (done.state, done.done) == ("done", 4)
    entries = logged(office, "licence.issued")
    assert len(entries) == len({entry.subject for entry in entries}) == 4
    assert runs.issued(run.id)[0] == 4


def test_a_claim_that_lapsed_is_taken_over_by_itself(office, runs, worker):
    run = runs.open(office.kind(ONE), actor=FIRST)
    claimed = worker.claim()
    heir = Worker(runs, lambda: office)
    assert heir.claim() is None
    with office.control.writing() as connection:
        connection.execute(sa.update(LicenceRunRow).values(lease_until=claimed.lease_until - 2 * LEASE))
    assert heir.run_once() == run.id
    # The one that was slow changes nothing any more.
    worker.work(claimed)
    assert runs.get(run.id).state == "planned"
    assert len(logged(office, "licence.batch")) == 2


def test_who_gives_up_stops_it_between_two_groups(office, runs, worker, monkeypatch):
    monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
    kind = office.kind(ONE)
    run = tried(runs, worker, kind)
    runs.order(run.id, kind, actor=FIRST, **WORDS)
    issue = Licensing._issue_group

    def given_up(*arguments):
        issued = issue(*arguments)
        runs.drop(run.id, actor=SECOND)
        return issued

    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "_issue_group", given_up)
        worker.run_once()
    assert runs.get(run.id).state == "dropped"
    total, _ = runs.issued(run.id)
    assert 0 < total < 4


def test_a_worker_that_shall_end_gives_back_what_it_has(office, runs, monkeypatch):
    monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
    kind = office.kind(ONE)
    run = tried(runs, Worker(runs, lambda: office), kind)
    runs.order(run.id, kind, actor=FIRST, **WORDS)
    Worker(runs, lambda: office, stop=lambda: True).run_once()
    left = runs.get(run.id)
    assert (left.state, left.claimed_by, left.tries) == ("issuing", "", 0)
    assert left.done > 0
    Worker(runs, lambda: office).run_once()
    assert (runs.get(run.id).state, runs.get(run.id).done) == ("done", 4)


def test_what_a_person_must_mend_is_said_and_gone_on_from(office, runs, worker, monkeypatch):
    kind = office.kind(ONE)
    run = tried(runs, worker, kind)
    runs.order(run.id, kind, actor=FIRST, **WORDS)
    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "reconcile", lambda *_, **__: office.kind("no-such-kind"))
        worker.run_once()
    failed = runs.get(run.id)
    assert (failed.state, failed.behind, failed.error["code"]) == ("failed", "comparing", "kind_unknown")
    assert failed.error["zh"]
    assert failed.error["en"]
    assert runs.resume(run.id, actor=SECOND).state == "comparing"
    worker.run_once()
    assert runs.get(run.id).state == "done"
    assert len(logged(office, "licence.issued")) == 4


@pytest.mark.parametrize("fault", [TryAgainError(), OSError("張三"), ZeroDivisionError("張三")], ids=repr)
def test_what_may_pass_is_tried_again_and_not_for_ever(office, runs, monkeypatch, fault, caplog):
    worker = Worker(runs, lambda: office)
    run = runs.open(office.kind(ONE), actor=FIRST)

    def broken():
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_office", broken)
        for number in range(1, MAX_TRIES + 1):
            assert worker.run_once() == run.id
            left = runs.get(run.id)
            if number < MAX_TRIES:
                assert (left.state, left.tries) == ("planning", number)
                assert left.lease_until > left.heard_at
                assert worker.claim() is None
            with office.control.writing() as connection:
                connection.execute(sa.update(LicenceRunRow).values(lease_until=None))
    assert (left.state, left.behind) == ("failed", "planning")
    assert "張三" not in caplog.text + str(left.error)
    runs.resume(run.id, actor=FIRST)
    worker.run_once()
    assert runs.get(run.id).state == "planned"


def test_a_runner_works_until_it_is_stopped(office, runs):
    runner = Runner(runs, lambda: office, poll_s=0.05)
    runner.start()
    run = runs.open(office.kind(ONE), actor=FIRST)
    runner.wake()
    try:
        for _ in range(400):
            if runs.get(run.id).state == "planned":
                break
            runner._wake.wait(0.05)
    finally:
        runner.stop()
    assert runs.get(run.id).state == "planned"
    assert not runner._thread.is_alive()


def test_licences_of_a_run_are_found_by_an_index(office):
    query = sa.select(LicenceRow.identifier).where(LicenceRow.dossier == "P")
    text = str(query.compile(office.control.engine, compile_kwargs={"literal_binds": True}))
    with office.control.reading() as connection:
        plan = str(connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all())
    assert "ix_licences_dossier" in plan
