"""Having checkpoints cosigned: what is kept, who is told when it cannot be done, and that nothing else waits for it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from multiprocessing import get_context

import httpx
import pytest

from audit.checkpoint import open_checkpoint, parse_unverified
from audit.errors import CheckpointInvalidError
from audit.fsck import check_log
from audit.verifiers import Trust
from hub import alerts
from hub.errors import WitnessesFileError
from hub.evidence import Evidence, log_verifiers
from hub.witnesses import asking as witnesses
from hub.witnesses.asking import Asker, load, standings, witnessed

from .conftest import Net, known, policy, signer


def outcomes(asker):
    return [one.outcome for one in asker.round()]


def standing(control):
    return sorted(one.key for one in alerts.open_alerts(control))


def trust(settings, count, least):
    return Trust(log_verifiers(settings), (), policy(count, least).quorum)


def test_a_published_checkpoint_is_cosigned_and_kept(settings, evidence, append, asker, control):
    size = append(5)
    assert outcomes(asker(2, 2)) == ["cosigned", "cosigned"]
    note = evidence.log.checkpoint
    found = open_checkpoint(note, [evidence.verifier], also=[evidence.second, known(1).key, known(2).key])
    assert found.size == size
    assert trust(settings, 2, 2).open(witnessed(settings)).size == size
    assert check_log(settings.log, trust(settings, 2, 2)).witnessed == size
    # What is appended next has a checkpoint of its own, and the one that is witnessed stands.
    later = append(3)
    report = check_log(settings.log, trust(settings, 2, 2))
    assert (report.faults, report.size, report.witnessed) == ((), later, size)
    with pytest.raises(CheckpointInvalidError):
        trust(settings, 2, 2).open(evidence.log.checkpoint)
    assert standing(control) == []


def test_each_time_the_proof_is_from_what_was_cosigned_last(append, asker, net, evidence):
    one = asker()
    for count in (1, 255, 1, 300):
        size = append(count)
        assert outcomes(one) == ["cosigned"]
        assert net.witnesses["w1.example"].seen(evidence.origin).size == size
    assert len(net.asked) == 4
    # Nothing new, nothing asked.
    one.round()
    assert len(net.asked) == 4


def test_an_idle_log_is_cosigned_anew_after_a_while(settings, append, asker, clock, monkeypatch):
    append(1)
    one = asker()
    one.round()
    clock.now += timedelta(minutes=9)
    monkeypatch.setattr(witnesses, "FRESH_S", 0.0)
    assert outcomes(one) == ["cosigned"]
    assert known(1).key.cosigned_at(witnessed(settings)) == clock.now
    assert witnessed(settings).count("w1.example") == 1


def test_who_forgot_what_was_cosigned_is_told_by_the_witness(settings, append, asker, net):
    append(5)
    asker().round()
    shutil.rmtree(settings.log / witnesses.FOLDER)
    append(5)
    one = asker()
    assert outcomes(one) == ["cosigned"]
    assert len(net.asked) == 3


def test_a_witness_that_lost_its_state_begins_anew(append, asker, net, tmp_path):
    append(5)
    one = asker()
    one.round()
    append(5)
    shutil.rmtree(tmp_path / "witnesses")
    assert outcomes(one) == ["cosigned"]


def test_enough_of_them_are_enough(settings, append, asker, net):
    size = append(5)
    one = asker(3, 2)
    net.down = {"w2.example", "w3.example"}
    assert outcomes(one) == ["cosigned", "unreachable", "unreachable"]
    assert witnessed(settings) is None
    net.down = {"w3.example"}
    for state in one._states:
        state.turn = 0.0
    assert outcomes(one) == ["cosigned", "cosigned", "unreachable"]
    assert trust(settings, 3, 2).open(witnessed(settings)).size == size
    with pytest.raises(CheckpointInvalidError):
        trust(settings, 3, 3).open(witnessed(settings))


def test_a_checkpoint_with_fewer_cosignatures_does_not_take_the_place_of_one_with_enough(settings, append, asker, net):
    size = append(5)
    one = asker(2, 2)
    one.round()
    append(5)
    net.down = {"w2.example"}
    one.round()
    assert parse_unverified(witnessed(settings)).size == size
    assert [(s.name, s.size) for s in standings(replace(settings, witnesses_file=None))] == []


class TestForks:
    @pytest.fixture
    def forked(self, settings, append, clock, tmp_path):
        """The same log with another history: its keys, and a tree that parts from ours after entry 4."""
        append(5)
        other = replace(settings, home=tmp_path / "other")
        shutil.copytree(settings.home, other.home)
        found = Evidence.open(other, clock=clock)
        yield found
        found.log.close()

    @pytest.mark.parametrize("case", [(3, 3, "another_root"), (2, 3, "not_consistent"), (3, 2, "longer_elsewhere")])
    def test_the_witness_refuses_and_somebody_is_called(self, append, asker, forked, control, case):
        ours, theirs, why = case
        append(ours)
        asker().round()
        append(theirs, forked)
        other = asker(evidence=forked)
        assert outcomes(other) == [why]
        (alert,) = alerts.open_alerts(control)
        assert (alert.key, alert.kind) == ("log_forked:W1", "log_forked")
        assert why in alert.text("en")
        assert why in alert.text("zh")
        assert known(1).key.cosigned_at(forked.log.checkpoint) is None

    def test_once_it_is_the_log_again_the_alert_is_cleared(self, append, asker, forked, control):
        append(3)
        ours = asker()
        ours.round()
        append(3, forked)
        asker(evidence=forked).round()
        assert standing(control) == ["log_forked:W1"]
        ours.release()
        append(1)
        assert ours.lead()
        assert outcomes(ours) == ["cosigned"]
        assert standing(control) == []


def test_a_silent_witness_becomes_an_alert_and_holds_nobody_up(append, asker, net, clock, control):
    append(1)
    one = asker(2)
    net.down = {"w1.example"}
    assert outcomes(one) == ["unreachable", "cosigned"]
    assert standing(control) == []
    clock.now += timedelta(minutes=31)
    one._states[0].turn = 0.0
    one.round()
    (alert,) = alerts.open_alerts(control)
    assert alert.key == "witness_silent:W1"
    assert "31 minutes" in alert.text("en")
    net.down = set()
    one._states[0].turn = 0.0
    assert outcomes(one) == ["cosigned", "cosigned"]
    assert standing(control) == []


def test_who_does_not_answer_is_asked_less_and_less_often(append, asker, net, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(witnesses.time, "monotonic", lambda: now[0])
    append(1)
    one = asker()
    net.down = {"w1.example"}
    asked = []
    for second in range(2000):
        now[0] = 1000.0 + second
        before = len(net.asked)
        one.round()
        if len(net.asked) > before:
            asked.append(second)
    pauses = [b - a for a, b in pairwise(asked)]
    assert pauses[:6] == [10, 20, 40, 80, 160, 300]
    assert set(pauses[6:]) == {300}


def test_a_slow_witness_is_waited_for_by_nobody(settings, append, asker, net, monkeypatch):
    size = append(1)
    monkeypatch.setattr(witnesses, "ROUND_TAKES_S", 0.2)
    go, real = threading.Event(), net.witnesses["w1.example"]

    def slowly(request):
        go.wait(20)
        answer = real.add_checkpoint(request.read())
        return httpx.Response(answer.status, text=answer.body)

    net.instead["w1.example"] = slowly
    one = asker(2)
    assert outcomes(one) == ["", "cosigned"]
    # The log goes on, and so does the other one; who is being asked is not asked twice.
    append(2)
    assert outcomes(one) == ["", "cosigned"]
    assert net.asked.count("w1.example") == 1
    go.set()
    deadline = time.monotonic() + 20
    while one._states[0].busy and time.monotonic() < deadline:
        time.sleep(0.01)
    # Its answer was of the older checkpoint, and does not take the newer one's place.
    assert one._states[0].size == size
    assert parse_unverified(witnessed(settings)).size == size + 2
    assert known(1).key.cosigned_at(witnessed(settings)) is None


def text_of(status, body, **headers):
    return lambda request: httpx.Response(status, content=body, headers=headers)


def of_another(request):
    text = request.read().decode().partition("\n\n")[2].partition("\n\n")[0]
    return httpx.Response(200, text=signer(1).cosignature_line(f"{text}x\n", witnesses.datetime(2026, 1, 1)))


@pytest.mark.parametrize(
    "case",
    [
        (text_of(200, b""), "bad_answer"),
        (text_of(200, b"\xff\xfe"), "bad_answer"),
        (text_of(200, b"x" * 100_000), "bad_answer"),
        (text_of(200, "— w1.example AAAA\n".encode()), "bad_answer"),
        (of_another, "bad_answer"),
        (text_of(302, b"", location="https://w2.example"), "http_302"),
        (text_of(403, b"no\n"), "http_403"),
        (text_of(404, b"no\n"), "http_404"),
        (text_of(500, b"no\n"), "http_500"),
        (text_of(409, b"x\n"), "bad_answer"),
        (text_of(409, b"-1\n"), "bad_answer"),
        (text_of(409, b"1\n"), "changing"),
        (text_of(422, b"no\n"), "not_consistent"),
    ],
)
def test_what_a_witness_may_answer(settings, append, asker, net, case):
    answer, why = case
    append(5)
    net.instead["w1.example"] = answer
    assert outcomes(asker()) == [why]
    assert witnessed(settings) is None
    assert "w1.example" not in (settings.log / "checkpoint").read_text("utf-8")


def test_what_cannot_be_kept_is_asked_for_again(settings, append, asker, monkeypatch):
    append(5)
    one = asker()

    def full(folder, note):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(witnesses, "keep_witnessed", full)
    assert outcomes(one) == ["not_kept"]
    monkeypatch.undo()
    one._states[0].turn = 0.0
    assert outcomes(one) == ["cosigned"]
    assert witnessed(settings)


def test_without_the_database_witnesses_are_asked_all_the_same(append, asker, monkeypatch, caplog):
    append(5)

    def broken(*_, **__):
        raise OSError("no database")

    monkeypatch.setattr(alerts, "clear", broken)
    assert outcomes(asker()) == ["cosigned"]
    assert "alert about a witness was not kept" in caplog.text


class Dying(Net):
    """The process ends when the witness has answered and before anybody has read it."""

    def handle_request(self, request):
        super().handle_request(request)
        os._exit(9)


def ask_and_die(settings, folder):
    from hub.control import Control

    evidence = Evidence.open(settings)
    net = Dying(folder, {evidence.origin: [evidence.verifier]}, evidence.clock)
    asker = Asker(policy(1, 1), evidence, Control.open(settings), silent_after=timedelta(minutes=30), transport=net)
    assert asker.lead()
    asker.round()


def test_killed_between_asking_and_keeping_it_is_asked_for_again(settings, append, asker, net, tmp_path):
    size = append(5)
    child = get_context("spawn").Process(target=ask_and_die, args=(settings, tmp_path / "witnesses"))
    child.start()
    child.join(60)
    assert child.exitcode == 9
    assert net.witnesses["w1.example"].seen("zhengtong.local/log").size == size
    assert witnessed(settings) is None
    one = asker()
    assert outcomes(one) == ["cosigned"]
    assert trust(settings, 1, 1).open(witnessed(settings)).size == size


def test_one_process_asks_at_a_time(evidence, control, net):
    one, other = (Asker(policy(1, 1), evidence, control, silent_after=timedelta(1), transport=net) for _ in range(2))
    assert one.lead()
    assert one.lead()
    assert not other.lead()
    one.release()
    assert other.lead()
    other.release()


def test_the_thread_asks_by_itself(settings, append, asker, monkeypatch):
    monkeypatch.setattr(witnesses, "LOOK_EVERY_S", 0.01)
    one = asker()
    size = append(5)
    one.start()
    deadline = time.monotonic() + 30
    while witnessed(settings) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    one.stop()
    assert parse_unverified(witnessed(settings)).size == size
    assert one.lead()
    one.release()


def test_a_busy_log_is_not_asked_about_all_the_time(append, asker, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(witnesses.time, "monotonic", lambda: now[0])
    one = asker()
    rounds = []
    for second in range(40):
        append(1)
        now[0] = 1000.0 + second
        if one._due():
            rounds.append(second)
            one.round()
    assert rounds == [0, 10, 20, 30]


class TestFile:
    def test_none_is_none(self, settings, evidence, control):
        assert load(None) is None
        assert Asker.over(settings, evidence, control) is None

    def test_it_names_them(self, tmp_path):
        path = tmp_path / "witnesses"
        path.write_text(f"witness a {known(1).key.to_text()} https://w1.example\nquorum a\n")
        (found,) = load(path).witnesses
        assert (found.name, found.url) == ("a", "https://w1.example")

    @pytest.mark.parametrize(
        "text", ["", "quorum none\n", "witness a KEY\nquorum a\n", "witness a KEY ftp://x\nquorum a\n", "\udcff"]
    )
    def test_what_cannot_be_used_is_told(self, tmp_path, text):
        path = tmp_path / "witnesses"
        path.write_bytes(text.replace("KEY", known(1).key.to_text()).encode(errors="surrogateescape"))
        with pytest.raises(WitnessesFileError):
            load(path)
        with pytest.raises(WitnessesFileError):
            load(tmp_path / "nothing")
