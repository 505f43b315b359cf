"""The hub's log is signed with two keys: published with it, ruled by a setting, demanded by whoever pins both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.checkpoint import open_checkpoint, parse_unverified
from audit.errors import CheckpointInvalidError
from audit.keys import MlDsaVerifierKey
from audit.notes import VerifierKey
from audit.verifiers import as_trust
from hub.auditing import verify_log
from hub.evidence import Evidence, log_verifier, log_verifiers
from hub.settings import Settings


@pytest.fixture
def without(settings):
    return replace(settings, second_signature=False)


def grow(evidence, count):
    for number in range(count):
        evidence.append("caller.admitted", facts={"number": number})
    evidence.publish()


def opened(settings, count):
    evidence = Evidence.open(settings)
    grow(evidence, count)
    evidence.log.close()
    return (settings.log / "checkpoint").read_text("utf-8")


def test_both_keys_are_published_each_in_its_file(settings, evidence):
    grow(evidence, 2)
    first = VerifierKey.from_text((settings.public / "log.vkey").read_text())
    second = MlDsaVerifierKey.from_text((settings.public / "log-mldsa.vkey").read_text())
    assert (first, second) == log_verifiers(settings) == (evidence.verifier, evidence.second)
    assert open_checkpoint(evidence.log.checkpoint, [first], evidence.origin, also=[second]).size == 2
    assert verify_log(settings).faults == ()


def test_the_setting_is_read():
    assert Settings.from_environment({}).second_signature
    for word in ("off", "OFF", "0", "no", "false"):
        assert not Settings.from_environment({"ZHENGTONG_LOG_SECOND_SIGNATURE": word}).second_signature
    assert Settings.from_environment({"ZHENGTONG_LOG_SECOND_SIGNATURE": "on"}).second_signature


def test_an_old_log_goes_on_and_is_signed_twice_from_then_on(settings, without):
    old = opened(without, 3)
    assert log_verifiers(settings) == (log_verifier(settings),)
    assert not (settings.public / "log-mldsa.vkey").exists()
    assert verify_log(settings).faults == ()
    evidence = Evidence.open(settings)
    now = evidence.log.checkpoint
    assert now.startswith(old)
    assert as_trust(log_verifiers(settings)).open(now).size == 3
    grow(evidence, 1)
    assert verify_log(settings).size == 4
    with pytest.raises(CheckpointInvalidError):
        as_trust(log_verifiers(settings)).open(old)
    assert as_trust([log_verifier(settings)]).open(old).size == 3
    evidence.log.close()


def test_turned_off_and_on_again(settings, without):
    opened(settings, 1)
    note = opened(without, 1)
    assert len(note.partition("\n\n")[2].splitlines()) == 1
    assert verify_log(without).faults == ()
    # Who pins both is told.
    assert [f.code for f in verify_log(settings).faults] == ["checkpoint_invalid"]
    again = opened(settings, 1)
    assert parse_unverified(again).size == 3
    assert verify_log(settings).faults == ()


def test_a_missing_second_signature_is_noticed_at_the_hub(settings, evidence):
    grow(evidence, 2)
    path = settings.log / "checkpoint"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    assert [f.code for f in verify_log(settings).faults] == ["checkpoint_invalid"]
