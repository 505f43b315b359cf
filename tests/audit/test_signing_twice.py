"""A log with a second key, logs from before it, and what witnesses cosigned of a log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit import tree
from audit.checkpoint import Checkpoint, parse_unverified
from audit.errors import (
    CheckpointInvalidError,
    KeyTextError,
    LogDamagedError,
    LogReadOnlyError,
    NoteInvalidError,
    ProofInvalidError,
)
from audit.fsck import check_log
from audit.keys import MlDsaSignerKey, WitnessSignerKey
from audit.log import Log
from audit.pinned import PinnedLog
from audit.policy import Quorum
from audit.verifiers import Trust, as_trust
from audit.witness import Witness, request_body
from audit.witnessed import FILE, check_witnessed, find_witnessed, keep_witnessed

from .conftest import ORIGIN, entry_bytes

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND = MlDsaSignerKey(ORIGIN, b"m" * 32)
WITNESS = WitnessSignerKey("w.example", b"w" * 32)


def batch(start, end):
    return [entry_bytes(n) for n in range(start, end)]


@pytest.fixture
def both(key):
    return [key.verifier, SECOND.verifier]


@pytest.fixture
def trust(both):
    return Trust(both, (), Quorum(1, (WITNESS.verifier,)))


def cosign(note):
    return note + WITNESS.cosignature_line(parse_unverified(note).text(), NOW)


def test_every_checkpoint_is_signed_twice(tmp_path, key, both):
    with Log.create(tmp_path / "log", ORIGIN, key, second=SECOND) as log:
        assert as_trust(both).open(log.checkpoint, ORIGIN).size == 0
        log.append(batch(0, 300))
        assert as_trust(both).open(log.publish(), ORIGIN).size == 300
        assert log.prove(7).verify(entry_bytes(7), both).size == 300
        assert check_log(log.folder, both).faults == ()
        pinned = PinnedLog(log.folder, both)
        assert pinned.prove(299).verify(entry_bytes(299), both).size == 300


def test_whoever_pins_both_refuses_one(log, key, both):
    log.append(batch(0, 3))
    log.publish()
    assert [f.code for f in check_log(log.folder, both).faults] == ["checkpoint_invalid"]
    assert check_log(log.folder, [key.verifier]).faults == ()
    with pytest.raises(CheckpointInvalidError, match="second signature"):
        log.prove(0).verify(entry_bytes(0), both)
    with pytest.raises(CheckpointInvalidError, match="second signature"):
        PinnedLog(log.folder, both)


def test_a_log_from_before_the_second_key_goes_on(log, key, both):
    log.append(batch(0, 3))
    old = log.publish()
    with Log.open(log.folder, key, second=SECOND) as newer:
        # At once, though nothing was appended.
        assert as_trust(both).open(newer.checkpoint).size == 3
        assert newer.checkpoint.startswith(old)
        assert newer.append(batch(3, 5)) == range(3, 5)
        # The one opened without goes on beside it, and back.
        assert as_trust([key.verifier]).open(log.publish()).size == 5
        newer.append(batch(5, 6))
        assert as_trust(both).open(newer.publish()).size == 6
    with Log.open(log.folder, key) as again:
        again.append(batch(6, 7))
        again.publish()
    assert check_log(log.folder, [key.verifier]).faults == ()


def test_what_is_damaged_is_not_signed_anew(log, key):
    log.append(batch(0, 3))
    log.publish()
    (log.folder / "tile/0/000.p/3").write_bytes(bytes(96))
    with pytest.raises(LogDamagedError):
        Log.open(log.folder, key, second=SECOND)
    assert len((log.folder / "checkpoint").read_text().splitlines()) == 5


def test_a_false_second_signature_is_not_passed_over(log, key):
    log.append(batch(0, 3))
    note = log.publish()
    false = Checkpoint(ORIGIN, 4, bytes(32)).sign([SECOND]).splitlines(keepends=True)[-1]
    (log.folder / "checkpoint").write_text(note + false)
    with pytest.raises(NoteInvalidError):
        Log.open(log.folder, key, second=SECOND)


def test_cosignatures_are_taken_while_the_checkpoint_is_the_same(log, key, trust):
    log.append(batch(0, 3))
    note = log.publish()
    assert log.add_signatures(cosign(note))
    assert log.checkpoint == cosign(note)
    assert log.add_signatures(cosign(note))
    assert log.publish() == cosign(note)
    log.append(batch(3, 4))
    later = log.publish()
    assert not log.add_signatures(cosign(note))
    assert log.checkpoint == later
    with Log.open(log.folder) as reader, pytest.raises(LogReadOnlyError):
        reader.add_signatures(cosign(later))
    with pytest.raises(CheckpointInvalidError):
        log.add_signatures("nonsense")
    assert log.prove(3, cosign(later)).verify(entry_bytes(3), Trust([key.verifier], (), trust.quorum)).size == 4


def test_the_witnessed_one_may_be_older(tmp_path, key, trust, both):
    with Log.create(tmp_path / "log", ORIGIN, key, second=SECOND) as log:
        log.append(batch(0, 300))
        note = log.publish()
        assert [f.code for f in check_log(log.folder, trust).faults] == ["witnesses_missing"]
        keep_witnessed(log.folder, cosign(note))
        assert check_log(log.folder, trust).witnessed == 300
        log.append(batch(300, 700))
        log.publish()
        report = check_log(log.folder, trust)
        assert (report.faults, report.size, report.witnessed) == ((), 700, 300)
        assert check_log(log.folder, both).witnessed is None
        assert PinnedLog(log.folder, trust).size == 300
        assert find_witnessed(log.folder, trust)[1].size == 300
        log.add_signatures(cosign(log.checkpoint))
        assert check_log(log.folder, trust).witnessed == 700


@pytest.mark.parametrize("size", [2, 9])
def test_what_witnesses_saw_of_another_history_is_told(log, key, size):
    trust = Trust([key.verifier], (), Quorum(1, (WITNESS.verifier,)))
    log.append(batch(0, 3))
    log.publish()
    other = Checkpoint(ORIGIN, size, tree.root([tree.leaf_hash(b"%d" % n) for n in range(size)])).sign([key])
    keep_witnessed(log.folder, cosign(other))
    assert [f.code for f in check_log(log.folder, trust).faults] == ["witnesses_differ"]
    with pytest.raises(ProofInvalidError):
        check_witnessed(log.folder, parse_unverified(log.checkpoint), trust)
    (log.folder / FILE).write_bytes(b"\xff")
    assert [f.code for f in check_log(log.folder, trust).faults] == ["witnesses_missing"]


def test_a_witness_that_pins_both_keys_demands_both(tmp_path, key, both):
    witness = Witness(tmp_path / "w", WITNESS, {ORIGIN: both}, lambda: NOW)
    empty = Checkpoint(ORIGIN, 0, tree.EMPTY_ROOT)
    assert witness.add_checkpoint(request_body(0, (), empty.sign([key]))).status == 403
    assert witness.add_checkpoint(request_body(0, (), empty.sign([key, SECOND]))).status == 200


def test_a_witness_key_goes_to_text_and_back():
    assert WitnessSignerKey.from_text(WITNESS.to_text() + "\n") == WITNESS
    for text in (SECOND.to_text(), WITNESS.to_text()[:-3], WITNESS.verifier.to_text(), ""):
        with pytest.raises(KeyTextError):
            WitnessSignerKey.from_text(text)
