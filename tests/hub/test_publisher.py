"""The log is published by whoever is there to: beside the serving processes, or by them when nobody else does."""

import os
import signal
import threading
import time

from hub.api import publishing
from hub.evidence import Evidence, Publisher
from hub.settings import Settings
from tests.hub.world import NOW


class Counted:
    """Stands for the evidence of a log that grows, and that others may publish."""

    def __init__(self, *, others):
        self.log = self
        self.others = others
        self.size = 1
        self.ours = []
        self.rounds = threading.Semaphore(0)

    @property
    def published_size(self):
        self.size += 1
        self.rounds.release()
        return self.size - 1 if self.others else 0

    def publish_through(self, index):
        self.ours.append(index)


def rounds(evidence, number, patience):
    publisher = Publisher(evidence, 0.001, patience=patience)
    publisher.start()
    for _ in range(number):
        assert evidence.rounds.acquire(timeout=60)
    before = len(evidence.ours)
    publisher.stop()
    return before


def test_it_leaves_to_others_what_others_do_and_publishes_the_rest_at_the_end():
    evidence = Counted(others=True)
    assert rounds(evidence, 20, patience=3) == 0
    assert len(evidence.ours) == 1


def test_it_publishes_when_nobody_else_has_for_some_time():
    evidence = Counted(others=False)
    assert rounds(evidence, 20, patience=3) >= 10


def test_without_patience_it_publishes_every_time():
    assert rounds(Counted(others=True), 20, patience=0) >= 19


def test_the_process_publishes_what_others_append_and_ends_when_told(tmp_path, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    evidence = Evidence.open(Settings.from_environment(), clock=lambda: NOW)
    process = publishing.start()
    try:
        index = evidence.append("demo.noted", facts={}).index
        until = time.monotonic() + 120
        while evidence.log.published_size <= index and time.monotonic() < until:
            time.sleep(0.05)
        assert evidence.log.published_size > index
        os.kill(process.pid, signal.SIGTERM)
        process.join(60)
        assert process.exitcode == 0
    finally:
        process.kill()
        evidence.log.close()
