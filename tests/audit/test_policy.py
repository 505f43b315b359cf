"""Trust policies: who must have signed, in C2SP tlog-policy files and in what a reader pins."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint
from audit.errors import CheckpointInvalidError, NoteInvalidError, PolicyInvalidError
from audit.keys import MlDsaSignerKey, WitnessSignerKey
from audit.notes import SignerKey, signature_of, signed_by, with_signatures, without_signatures
from audit.policy import Quorum, read_policy
from audit.verifiers import Trust, as_trust, read_verifiers

ORIGIN = "hub.example/log"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
LOG, SECOND = SignerKey(ORIGIN, b"l" * 32), MlDsaSignerKey(ORIGIN, b"m" * 32)
OTHER = SignerKey("other.example/log", b"o" * 32)
W = [WitnessSignerKey(f"w{n}.example", bytes([n]) * 32) for n in range(1, 7)]
KEYS = [w.verifier for w in W]
CHECKPOINT = Checkpoint(ORIGIN, 7, b"r" * 32)
BOTH = CHECKPOINT.sign([LOG, SECOND])
ONE = CHECKPOINT.sign([LOG])


def cosigned(*numbers, note=BOTH, at=NOW):
    return note + "".join(W[n - 1].cosignature_line(CHECKPOINT.text(), at) for n in numbers)


def policy(*lines):
    return read_policy("\n".join((*(f"witness W{n} {k.to_text()}" for n, k in enumerate(KEYS, 1)), *lines)) + "\n")


class TestBothSignatures:
    def test_whoever_pins_both_demands_both(self):
        both = [LOG.verifier, SECOND.verifier]
        assert as_trust(both).open(BOTH, ORIGIN) == CHECKPOINT
        for note in (ONE, CHECKPOINT.sign([SECOND])):
            with pytest.raises(CheckpointInvalidError, match="second signature"):
                as_trust(both).open(note)

    def test_whoever_pins_one_goes_on(self):
        for keys in ([LOG.verifier], [SECOND.verifier], [LOG.verifier, OTHER.verifier]):
            assert as_trust(keys).open(BOTH) == CHECKPOINT
        assert as_trust([LOG.verifier]).open(ONE) == CHECKPOINT

    def test_the_second_key_of_another_log_is_not_asked_of_this_one(self):
        keys = [LOG.verifier, OTHER.verifier, MlDsaSignerKey(OTHER.name, b"x" * 32).verifier]
        assert as_trust(keys).open(ONE) == CHECKPOINT
        with pytest.raises(CheckpointInvalidError):
            as_trust(keys).open(Checkpoint(OTHER.name, 7, b"r" * 32).sign([OTHER]))

    def test_of_several_keys_of_one_type_one_is_enough(self):
        older = SignerKey(ORIGIN, b"z" * 32)
        assert as_trust([older.verifier, LOG.verifier, SECOND.verifier]).open(BOTH) == CHECKPOINT
        with pytest.raises(CheckpointInvalidError):
            as_trust([older.verifier, SECOND.verifier]).open(BOTH)

    def test_empty_trust_trusts_nothing(self):
        for trust in (Trust(()), Trust((), [LOG.verifier]), Trust([KEYS[0]]), Trust((), (), Quorum(1, (KEYS[0],)))):
            with pytest.raises(CheckpointInvalidError, match="no trusted key"):
                trust.open(cosigned(1))

    def test_a_pinned_witness_is_no_log_and_is_demanded(self):
        assert as_trust([LOG.verifier, KEYS[0]]).open(cosigned(1)) == CHECKPOINT
        with pytest.raises(CheckpointInvalidError, match="w1"):
            as_trust([LOG.verifier, KEYS[0]]).open(BOTH)

    def test_both_keys_in_one_file_are_both_demanded(self):
        text = f"{LOG.verifier.to_text()}\n{SECOND.verifier.to_text()}\n"
        assert Trust(read_verifiers(text)).open(BOTH) == CHECKPOINT
        with pytest.raises(CheckpointInvalidError):
            Trust(read_verifiers(text)).open(ONE)

    @pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
    def test_every_byte_of_a_doubly_signed_checkpoint_counts(self, step):
        trust, note = as_trust([LOG.verifier, SECOND.verifier]), BOTH.encode()
        first = len(ONE.encode()) + len(f"— {ORIGIN} AAAAAAAA".encode())
        # The text, the first signature, name and key id of the second one by one; of its 4,400 bytes these.
        for at in (*range(first), *range(first, len(note), step), len(note) - 1):
            flipped = bytearray(note)
            flipped[at] ^= 1
            with pytest.raises((CheckpointInvalidError, UnicodeDecodeError)):
                trust.open(bytes(flipped).decode(), ORIGIN)


class TestQuorum:
    @pytest.mark.parametrize("least", [1, 2, 3])
    def test_as_many_as_are_asked_for(self, least):
        trust = Trust([LOG.verifier], (), Quorum(least, tuple(KEYS[:3])))
        for count in range(4):
            for some in combinations((1, 2, 3), count):
                if count >= least:
                    assert trust.open(cosigned(*some)) == CHECKPOINT
                else:
                    with pytest.raises(CheckpointInvalidError, match="witnesses"):
                        trust.open(cosigned(*some, 4, 5, 6))

    def test_a_cosignature_of_another_checkpoint_rejects_the_note(self):
        false = W[0].cosignature_line(Checkpoint(ORIGIN, 8, b"s" * 32).text(), NOW)
        with pytest.raises(NoteInvalidError):
            Trust([LOG.verifier], (), Quorum(1, tuple(KEYS[:2]))).open(cosigned(2) + false)

    def test_groups_of_groups(self):
        found = policy("group X 2 W1 W2 W3", "group Y any W4 W5 W6", "group all-of-it all X Y", "quorum all-of-it")
        trust = Trust([LOG.verifier], (), found.quorum)
        for some, enough in (((1, 2, 4), True), ((1, 2, 3), False), ((1, 4, 5, 6), False), ((2, 3, 6), True)):
            if enough:
                assert trust.open(cosigned(*some)) == CHECKPOINT
            else:
                with pytest.raises(CheckpointInvalidError):
                    trust.open(cosigned(*some))

    @pytest.mark.parametrize(("least", "members"), [(0, (KEYS[0],)), (2, (KEYS[0],)), (1, ()), (2, (KEYS[0],) * 2)])
    def test_what_can_never_be_and_what_asks_for_nothing_is_refused(self, least, members):
        with pytest.raises(PolicyInvalidError):
            Quorum(least, members)

    def test_one_witness_under_two_names_does_not_count_twice(self):
        twin = WitnessSignerKey("twin.example", W[0].seed).verifier
        with pytest.raises(PolicyInvalidError):
            Quorum(2, (KEYS[0], twin))


class TestFile:
    def test_it_is_read(self):
        found = read_policy(
            f"# a comment\n\n log {LOG.verifier.to_text()}\t https://log.example\n"
            f"log {SECOND.verifier.to_text()}\nwitness A {KEYS[0].to_text()} https://w.example/x\nquorum A"
        )
        assert found.logs == (LOG.verifier, SECOND.verifier)
        assert [(w.name, w.key, w.url) for w in found.witnesses] == [("A", KEYS[0], "https://w.example/x")]
        assert found.quorum == Quorum(1, (KEYS[0],))

    def test_no_witness_may_be_asked_for(self):
        assert policy("quorum none").quorum is None

    @pytest.mark.parametrize(
        "lines",
        [
            (), ("quorum X",), ("quorum W1", "quorum W1"), ("quorum",), ("quorum W1 W2",), ("nonsense",), ("group",),
            ("group X 2 W1", "quorum X"), ("group X 0 W1", "quorum X"), ("group X 01 W1", "quorum X"),
            ("group X any W9", "quorum X"), ("group W1 any W2", "quorum W1"), ("group none any W1", "quorum none"),
            ("group X any W1", "group Y any W1", "quorum Y"), ("group X any X", "quorum X"),
            (f"witness twin {KEYS[0].to_text()}", "quorum twin"), (f"log {KEYS[0].to_text()}", "quorum none"),
            (f"witness A {LOG.verifier.to_text()}", "quorum A"), ("log x", "quorum none"), ("quorum W1\x07",),
            (f"log {LOG.verifier.to_text()}",) * 2 + ("quorum none",), ("#",) * 300 + ("quorum W1",),
        ],
    )  # fmt: skip
    def test_what_is_no_policy_is_refused(self, lines):
        with pytest.raises(PolicyInvalidError):
            policy(*lines)

    def test_the_line_is_named(self):
        with pytest.raises(PolicyInvalidError, match="line 7"):
            policy("what")

    @settings(max_examples=25, deadline=None)
    @given(st.text(max_size=200))
    def test_nothing_else_is_raised(self, text):
        with contextlib.suppress(PolicyInvalidError):
            read_policy(text)


class TestSignatures:
    def test_lines_are_put_together_and_the_newer_of_one_key_stands(self):
        later = datetime(2026, 3, 2, tzinfo=UTC)
        whole = with_signatures(cosigned(1), cosigned(1, 2, note=ONE, at=later))
        assert signed_by(whole, [LOG.verifier, SECOND.verifier, *KEYS])[1] == {
            (k.name, k.key_id) for k in (LOG.verifier, SECOND.verifier, *KEYS[:2])
        }
        assert KEYS[0].cosigned_at(whole) == KEYS[1].cosigned_at(whole) == later
        assert KEYS[2].cosigned_at(whole) is signature_of(whole, KEYS[2]) is None
        assert with_signatures(whole, whole) == whole
        assert without_signatures(whole, KEYS) == BOTH

    def test_not_of_another_text_and_not_too_many(self):
        with pytest.raises(NoteInvalidError, match="another text"):
            with_signatures(ONE, Checkpoint(ORIGIN, 8, b"r" * 32).sign([LOG]))
        strangers = [WitnessSignerKey(f"s{n}", bytes([n]) * 32) for n in range(70)]
        with pytest.raises(NoteInvalidError):
            with_signatures(ONE, ONE + "".join(s.cosignature_line(CHECKPOINT.text(), NOW) for s in strangers[:64]))
        with pytest.raises(NoteInvalidError):
            without_signatures(ONE, [LOG.verifier])

    def test_a_false_signature_has_no_time(self):
        false = W[0].cosignature_line(Checkpoint(ORIGIN, 8, b"s" * 32).text(), NOW)
        with pytest.raises(NoteInvalidError):
            KEYS[0].cosigned_at(ONE + false)

    def test_a_time_that_no_calendar_holds_is_none(self):
        class Far:
            @staticmethod
            def timestamp():
                return 2**64 - 1

        with pytest.raises(NoteInvalidError, match="no time"):
            KEYS[0].cosigned_at(ONE + W[0].cosignature_line(CHECKPOINT.text(), Far))
