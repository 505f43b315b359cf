from __future__ import annotations

import threading

import pytest

from audit.groups import GroupCommit


class Writer:
    """Notes each group; the first call waits until it is let go, or is told what to raise."""

    def __init__(self):
        self.groups = []
        self.go = threading.Event()
        self.raises = []

    def __call__(self, requests):
        self.groups.append(sorted(requests))
        if len(self.groups) == 1:
            assert self.go.wait(20)
        if self.raises:
            raise self.raises.pop(0)


def submit_all(group, numbers):
    outcomes = {}

    def work(number):
        try:
            group.submit(number)
            outcomes[number] = None
        except BaseException as error:  # noqa: BLE001 - it is what is looked at
            outcomes[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    return threads, outcomes


def run(writer, count):
    """One thread that writes and *count* - 1 that wait for it; what became of each."""
    group = GroupCommit(writer)
    first, outcomes = submit_all(group, [0])
    while not writer.groups:
        pass
    rest, others = submit_all(group, range(1, count))
    while group.waiting < count - 1:
        pass
    writer.go.set()
    for thread in first + rest:
        thread.join(20)
        assert not thread.is_alive()
    return group, {**outcomes, **others}


def test_those_who_wait_are_written_together():
    writer = Writer()
    group, outcomes = run(writer, 20)
    assert writer.groups == [[0], list(range(1, 20))]
    assert outcomes == dict.fromkeys(range(20))
    group.submit(20)
    assert writer.groups[2:] == [[20]]


def test_an_error_is_everybodys_of_its_group_and_nobody_elses():
    writer = Writer()
    writer.raises = [ValueError("the first"), OSError("the second")]
    group, outcomes = run(writer, 5)
    assert isinstance(outcomes.pop(0), ValueError)
    assert [type(error) for error in outcomes.values()] == [OSError] * 4
    group.submit(5)
    assert writer.groups[-1] == [5]


def test_a_writer_that_is_stopped_tells_the_others_and_the_next_goes_on():
    writer = Writer()
    writer.raises = [KeyboardInterrupt()]
    _, outcomes = run(writer, 5)
    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert [outcomes[number] for number in range(1, 5)] == [None] * 4


def test_those_in_the_group_of_a_stopped_writer_may_try_again():
    writer = Writer()
    writer.raises = [ValueError(), KeyboardInterrupt()]
    _, outcomes = run(writer, 4)
    found = sorted(type(error).__name__ for error in outcomes.values())
    assert found == ["KeyboardInterrupt", "LogUnavailableError", "LogUnavailableError", "ValueError"]


@pytest.mark.parametrize("leads", [False, True])
def test_a_waiter_that_is_stopped_leaves_the_queue_and_hands_the_lead_on(leads):
    writer = Writer()
    group = GroupCommit(writer)
    first, _ = submit_all(group, [0])
    while not writer.groups:
        pass

    class Interrupted:
        """Stands for a lock at which a signal stops whoever waits, before it is released or after."""

        def acquire(self):
            if leads:
                writer.go.set()
                while not waiting.leads:
                    pass
            raise KeyboardInterrupt

        def release(self):
            return

    waiting = None
    queue = group._queue

    class Watched(type(queue)):
        def append(self, one):
            nonlocal waiting
            if waiting is None:
                waiting = one
                one.woken = Interrupted()
            super().append(one)

    group._queue = Watched(queue)
    with pytest.raises(KeyboardInterrupt):
        group.submit(1)
    second, outcomes = submit_all(group, [2])
    writer.go.set()
    for thread in first + second:
        thread.join(20)
        assert not thread.is_alive()
    assert outcomes == {2: None}
    assert writer.groups == [[0], [2]]


def test_a_renewed_group_writes_though_nobody_finished():
    writer = Writer()
    group = GroupCommit(writer)
    group._led = True  # As in a child forked while a thread of its parent wrote.
    group.renew()
    writer.go.set()
    group.submit(1)
    assert writer.groups == [[1]]
