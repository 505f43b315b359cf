"""Workers: killed at each write and gone on after, two at once, a claim that lapsed, an order cancelled meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import threading
from unittest import mock

import pytest

from hub.batches import making
from hub.batches.making import LEASE, Runner, Worker
from hub.batches.manifest import check
from hub.evidence import Evidence
from tests.hub.batches.conftest import Room
from tests.hub.world import PEOPLE, load_people
from warehouse.masking import Masked

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def several(granted, monkeypatch):
    """Each data file is a part of its own: the world's five people lie in three files, so to say."""
    original = Masked.__init__

    def small(self, con, schema, files, selection, **options):
        original(self, con, schema, files, selection, **options)
        # The same file thrice, each time other rows of it: enough to tell parts apart.
        self.parts = self.parts * 3
        self._files = self._files * 3

    monkeypatch.setattr(Masked, "__init__", small)
    return granted


def content(room, batch):
    checked = check(room.batches.folder(batch.id), [room.signer.verifier])
    assert checked.findings == ()
    return [(p["name"], p["rows"], p["digest"]) for p in checked.manifest["parts"]]


class KilledError(BaseException):
    """Ends a worker on the spot: nothing of ours catches it."""


def killed(after, call):
    """*call*, after (or before) whose *after*-th time the worker is no more."""
    times = iter(range(1, 1_000))

    def wrapped(*arguments, **options):
        at = next(times)
        if at == after:
            raise KilledError
        return call(*arguments, **options)

    return wrapped


WRITES = [
    (Masked, "write", 2),
    (making, "file_digest", 2),
    (making, "sync_folder", 1),
    (making, "sync_folder", 3),
    (Worker, "_hold", 2),
    (making, "sign", 1),
    (making, "replace_file", 1),
    (Evidence, "append", 1),
    (making, "end", 1),
]


@pytest.mark.parametrize(("place", "name", "after"), WRITES, ids=lambda v: str(getattr(v, "__name__", v)))
def test_killed_at_a_write_and_gone_on_after_it_is_as_if_undisturbed(several, place, name, after):
    calm = several.made()
    expected = content(several, calm)
    assert len(expected) == 3
    batch = several.order()
    original = getattr(place, name)
    with mock.patch.object(place, name, killed(after, original)), pytest.raises(KilledError):
        several.worker().run_once()
    before = {p.number: p.digest for p in several.batches.parts(batch.id)}
    assert several.batches.get(batch.id).state == "running"
    # Nobody takes it over while the lease holds.
    assert several.worker().run_once() is None
    several.world.clock.now += LEASE
    with mock.patch.object(Masked, "write", autospec=True, side_effect=Masked.write) as write:
        assert several.worker().run_once() == batch.id
    assert write.call_count == 3 - len(before)
    assert several.batches.get(batch.id).state == "ready"
    assert content(several, batch) == expected


def die(world, name, after, told):
    room = Room(world)
    original = getattr(making, name)
    times = iter(range(1, 1_000))

    def wrapped(*arguments, **options):
        if next(times) == after:
            os._exit(9)
        return original(*arguments, **options)

    with mock.patch.object(making, name, wrapped):
        room.worker().run_once()
    told.put("alive")


@pytest.mark.parametrize(("name", "after"), [("sync_folder", 2), ("end", 1)])
def test_a_process_that_is_gone_without_a_word_is_taken_over(several, database, name, after):
    batch = several.order()
    several.control.engine.dispose()
    told = FORK.Queue()
    child = FORK.Process(target=die, args=(several.world, name, after, told))
    child.start()
    child.join(60)
    assert (child.exitcode, told.empty()) == (9, True)
    several.world.clock.now += LEASE
    assert several.worker().run_once() == batch.id
    assert several.batches.get(batch.id).state == "ready"
    assert len(content(several, batch)) == 3


def test_a_file_that_was_damaged_since_is_made_anew(several):
    batch = several.order()
    with mock.patch.object(making, "sign", killed(1, making.sign)), pytest.raises(KilledError):
        several.worker().run_once()
    path = several.batches.folder(batch.id) / several.batches.parts(batch.id)[1].name
    path.write_bytes(path.read_bytes()[:-1])
    several.world.clock.now += LEASE
    several.worker().run_once()
    assert len(content(several, batch)) == 3


def test_of_two_workers_at_once_each_makes_another_order(granted):
    batches = {granted.order().id, granted.order().id}
    claimed = [granted.worker().claim(), granted.worker().claim(), granted.worker().claim()]
    assert {one.id for one in claimed[:2]} == batches
    assert claimed[2] is None


def test_many_workers_make_each_order_once(granted):
    ids = [granted.order().id for _ in range(6)]
    made, gate = [], threading.Barrier(4)

    def work():
        worker = granted.worker()
        gate.wait()
        while (found := worker.run_once()) is not None:
            made.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == sorted(ids)
    assert len(granted.entries("batch.ready")) == 6


def test_who_lost_the_claim_keeps_nothing(several):
    batch = several.order()
    slow, quick = several.worker(), several.worker()
    claimed = slow.claim()
    several.world.clock.now += LEASE
    assert quick.run_once() == batch.id
    expected = content(several, batch)
    with mock.patch("hub.batches.making._whole", return_value=False):
        slow.make(claimed)
    assert content(several, batch) == expected
    assert len(several.entries("batch.ready")) == 1


def test_an_order_that_is_cancelled_while_it_is_made_stays_cancelled(several):
    batch = several.order()

    original, calls = Masked.write, []

    def write(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            several.batches.cancel(batch.id, "RS", by="C1")
            several.batches.folder(batch.id).mkdir()
        return original(self, *arguments)

    with mock.patch.object(Masked, "write", write):
        several.worker().run_once()
    assert several.batches.get(batch.id).state == "cancelled"
    assert several.entries("batch.ready") == several.entries("batch.failed") == []
    several.batches.sweep()
    assert not several.batches.folder(batch.id).exists()


def test_a_worker_that_is_told_to_stop_gives_the_order_back(several):
    batch = several.order()
    answers = iter([False, True])
    several.worker(stop=lambda: next(answers)).run_once()
    given_back = several.batches.get(batch.id)
    assert (given_back.state, given_back.tries, given_back.rows_done) == ("ordered", 0, 5)
    assert several.worker().run_once() == batch.id
    assert len(content(several, batch)) == 3


def test_a_runner_makes_sweeps_and_stops(granted):
    stray = granted.batches.folder("BGONE")
    stray.mkdir(parents=True)
    runner = Runner(granted.batches, poll_s=0.05)
    runner.start()
    try:
        batch = granted.order()
        runner.wake()
        for _ in range(200):
            if granted.batches.get(batch.id).state == "ready":
                break
            threading.Event().wait(0.05)
    finally:
        runner.stop()
    assert granted.batches.get(batch.id).state == "ready"
    assert not stray.exists()


def test_the_order_keeps_its_snapshot_when_the_table_moves_on(tmp_path, room):
    from hub.settings import Settings
    from tests.hub import world as worlds

    own = worlds.build(Settings.at(tmp_path / "own"))
    opened = Room(own)
    try:
        opened.grant()
        batch = opened.order()
        load_people(own.settings, PEOPLE[:2], name="later.parquet")
        opened.worker().run_once()
        assert opened.batches.get(batch.id).rows_done == 5
        assert opened.order().rows_total == 2
    finally:
        opened.close()
