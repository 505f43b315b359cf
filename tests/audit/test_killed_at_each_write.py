"""Killed before and amid each write of log and bodies: nothing acknowledged is lost, and both go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit import checkpoints
from audit.fsck import check_log
from audit.log import Log
from audit.store import BodyStore

from .conftest import ORIGIN, entry_bytes
from .dying import deaths
from .putter import sealed

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def batch(start, end):
    return [entry_bytes(n) for n in range(start, end)]


def bodies_of(start, end):
    return [sealed("k", number) for number in range(start, end)]


def kept(bodies, item):
    return (bodies.get(item[0]) or (b"",))[0] == item[1]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr("audit.bodywriter.SEGMENT_BODIES", 4)
    monkeypatch.setattr("audit.bodyindex.MERGED_AT_ONCE", 2)
    monkeypatch.setattr("audit.bodyindex._WIDEST", 4)


def test_appending(tmp_path, key):
    start, scene = tmp_path / "start", tmp_path / "scene"
    with Log.create(start, ORIGIN, key) as log:
        log.append(batch(0, 3))
        log.publish()
        log.append(batch(3, 5))

    def act(folder):
        with Log.open(folder, key) as log:
            log.append(batch(5, 8))

    sizes = set()
    for moment in deaths(start, scene, act):
        with Log.open(scene) as reader:
            sizes.add(reader.size)
            assert list(reader.entries(0, 5)) == batch(0, 5), moment
        with Log.open(scene, key) as log:
            # All of what one call appends, or nothing of it.
            assert list(log.entries(0, log.size)) in (batch(0, 5), batch(0, 8)), moment
            assert log.append([b"next"]) == range(log.size - 1, log.size), moment
            log.publish()
        assert check_log(scene, [key.verifier]).faults == (), moment
    assert sizes == {5, 8}
    assert moment == ""


def test_publishing_dropping_the_journal_and_keeping_the_checkpoint(tmp_path, key, monkeypatch):
    start, scene = tmp_path / "start", tmp_path / "scene"
    with Log.create(start, ORIGIN, key) as log:
        log.append(batch(0, 250))
        checkpoints.keep(start, log.publish(), NOW)
        log.append(batch(250, 260))
    monkeypatch.setattr("audit.log.ROTATE_BYTES", 0)

    def act(folder):
        with Log.open(folder, key) as log:
            checkpoints.keep(folder, log.publish(), NOW + timedelta(minutes=2))

    sizes, moments = set(), []
    for moment in deaths(start, scene, act):
        moments.append(moment)
        report = check_log(scene, [key.verifier])
        assert report.faults == (), moment
        sizes.add(report.size)
        assert [one.checkpoint.size for one in checkpoints.kept(scene)] in ([250], [250, 260]), moment
        with Log.open(scene, key) as log:
            assert list(log.entries(0, log.size)) == batch(0, 260), moment
            log.append(batch(260, 262))
            assert checkpoints.keep(scene, log.publish(), NOW + timedelta(minutes=5)), moment
            log.prove(255).verify(entry_bytes(255), [key.verifier])
        assert [one.checkpoint.size for one in checkpoints.kept(scene)] in ([250, 262], [250, 260, 262]), moment
        assert check_log(scene, [key.verifier]).faults == (), moment
    assert sizes == {250, 260}
    assert moments[-1] == ""
    assert len(moments) > 20


@pytest.mark.usefixtures("small")
def test_putting_sealing_and_indexing(tmp_path):
    start, scene = tmp_path / "start", tmp_path / "scene"
    items, new = bodies_of(0, 15), bodies_of(15, 18)
    bodies = BodyStore(start)
    for item in items:
        bodies.put_many([item])
    bodies.close()

    def act(folder):
        with BodyStore(folder) as bodies:
            for item in new:
                bodies.put_many([item])

    seen = set()
    for moment in deaths(start, scene, act):
        bodies = BodyStore(scene)
        assert all(kept(bodies, item) for item in items), moment
        # In order: of those put one after another no later one is there without the earlier ones.
        there = [kept(bodies, item) for item in new]
        assert there == sorted(there, reverse=True), moment
        seen.add(sum(there))
        with BodyStore(scene) as bodies:
            bodies.put_many([*new, *bodies_of(18, 24)])
            assert all(kept(bodies, item) for item in bodies_of(0, 24)), moment
    assert seen == {0, 1, 2, 3}
    assert moment == ""


@pytest.mark.usefixtures("small")
def test_erasing_and_dropping_what_is_due(tmp_path):
    start, scene = tmp_path / "start", tmp_path / "scene"
    items = bodies_of(0, 9)
    BodyStore(start, clock=lambda: NOW).put_many(items[:4])
    BodyStore(start, clock=lambda: NOW + timedelta(days=40)).put_many(items[4:])

    def act(folder):
        with BodyStore(folder) as bodies:
            bodies.erase(items[6][0])
            bodies.expire(NOW + timedelta(days=1))

    for moment in deaths(start, scene, act):
        bodies = BodyStore(scene)
        assert all(kept(bodies, item) for item in items[4:] if item != items[6]), moment
        bodies.erase(items[6][0])
        bodies.expire(NOW + timedelta(days=1))
        assert not any(kept(bodies, item) for item in (*items[:4], items[6])), moment
        assert not any(items[6][1] in path.read_bytes() for path in scene.glob("*.bodies")), moment
        assert all(kept(BodyStore(scene), item) for item in items[4:] if item != items[6]), moment
    assert moment == ""
