"""Second signatures and witnesses: both demanded where both are pinned, and never two histories of one log."""

import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import tree
from audit.checkpoint import Checkpoint, open_checkpoint
from audit.errors import CheckpointInvalidError, KeyTextError, LogDamagedError, NoteInvalidError, ProofInvalidError
from audit.keys import MlDsaSignerKey, MlDsaVerifierKey, WitnessSignerKey, WitnessVerifierKey
from audit.notes import SignerKey, open_note, sign_note
from audit.witness import SIZE_TYPE, Witness, add_cosignatures, request_body

ORIGIN = "hub.example/log"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
LOG = SignerKey(ORIGIN, bytes(range(32)))
SECOND = MlDsaSignerKey(ORIGIN, bytes(32))
WITNESS = WitnessSignerKey("witness.example/w1", b"w" * 32)
LEAVES = [tree.leaf_hash(b"%d" % n) for n in range(70)]
OTHERS = [tree.leaf_hash(b"other %d" % n) for n in range(70)]


def checkpoint(size, leaves=LEAVES, origin=ORIGIN):
    return Checkpoint(origin, size, tree.root(leaves[:size]))


def path(old, new, leaves=LEAVES):
    return tree.consistency_path(old, new, tree.subtrees(leaves[:new]))


def ask(witness, old, new, *, leaves=LEAVES, signer=LOG, proof=None):
    note = checkpoint(new, leaves).sign([signer])
    steps = proof if proof is not None else (path(old, new, leaves) if 0 < old < new else ())
    return witness.add_checkpoint(request_body(old, steps, note))


@pytest.fixture
def witness(tmp_path):
    return Witness(tmp_path / "w", WITNESS, {ORIGIN: [LOG.verifier]}, lambda: NOW)


class TestSecondSignature:
    NOTE = checkpoint(5).sign([LOG, SECOND])

    def test_who_knows_one_goes_on_and_who_pins_both_demands_both(self):
        text = checkpoint(5).text()
        assert open_note(self.NOTE, [LOG.verifier]) == open_note(self.NOTE, [SECOND.verifier]) == text
        assert open_checkpoint(self.NOTE, [LOG.verifier], also=[SECOND.verifier]) == checkpoint(5)
        alone = checkpoint(5).sign([LOG])
        with pytest.raises(CheckpointInvalidError, match="second signature"):
            open_checkpoint(alone, [LOG.verifier], also=[SECOND.verifier])
        with pytest.raises(NoteInvalidError):
            open_note(checkpoint(5).sign([SECOND]), [LOG.verifier], also=[SECOND.verifier])
        with pytest.raises(NoteInvalidError):
            open_note(self.NOTE, [], also=[SECOND.verifier])

    def test_both_are_over_every_byte(self):
        for at in range(len(checkpoint(5).text()) - 1):
            if self.NOTE[at] == "\n":
                continue
            broken = self.NOTE[:at] + ("A" if self.NOTE[at] != "A" else "B") + self.NOTE[at + 1 :]
            for keys in ([LOG.verifier], [SECOND.verifier]):
                with pytest.raises(CheckpointInvalidError):
                    open_checkpoint(broken, keys)

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_every_byte_of_the_signature_counts(self, data):
        line = self.NOTE.splitlines()[-1]
        at = data.draw(st.integers(line.rindex(" ") + 1, len(line) - 1))
        other = data.draw(st.sampled_from("AZaz09+/=").filter(lambda c: c != line[at]))
        broken = self.NOTE.replace(line, line[:at] + other + line[at + 1 :])
        with pytest.raises(NoteInvalidError):
            open_note(broken, [SECOND.verifier])
        with pytest.raises(NoteInvalidError):
            open_note(broken, [LOG.verifier], also=[SECOND.verifier])

    def test_keys_go_to_text_and_back(self):
        assert MlDsaSignerKey.from_text(SECOND.to_text()) == SECOND
        assert MlDsaVerifierKey.from_text(f"{SECOND.verifier.to_text()}\n") == SECOND.verifier
        assert WitnessVerifierKey.from_text(WITNESS.verifier.to_text()) == WITNESS.verifier
        assert MlDsaSignerKey.generate("a").seed != MlDsaSignerKey.generate("a").seed
        assert SECOND.seed.hex() not in repr(SECOND)
        assert repr(WITNESS.seed) not in repr(WITNESS)

    @pytest.mark.parametrize("key", [SECOND.verifier, WITNESS.verifier, SECOND], ids=["ml-dsa", "witness", "private"])
    def test_other_text_is_no_key(self, key):
        text = key.to_text()
        wrong = [
            text[1:],
            text[:-1],
            text.replace("+", "-", 1),
            LOG.verifier.to_text(),
            LOG.to_text(),
            "",
            "a+b+c",
            "é+00+AA==",
        ]
        wrong += [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(0, len(text), 97)]
        for one in wrong:
            with pytest.raises(KeyTextError):
                type(key).from_text(one)

    @pytest.mark.parametrize("make", [MlDsaSignerKey, MlDsaVerifierKey, WitnessSignerKey, WitnessVerifierKey])
    @pytest.mark.parametrize("name", ["", "a b", "a+b", "ok"])
    def test_names_and_lengths(self, make, name):
        with pytest.raises(KeyTextError):
            make(name, b"short")
        if name != "ok":
            with pytest.raises(KeyTextError):
                make(name, bytes(1952 if make is MlDsaVerifierKey else 32))


class TestWitness:
    def test_it_cosigns_what_grows(self, witness):
        for old, new in ((0, 0), (0, 5), (5, 5), (5, 8), (8, 9), (9, 70)):
            answer = ask(witness, old, new)
            assert answer.status == 200, answer
            note = checkpoint(new).sign([LOG])
            whole = add_cosignatures(note, answer.body, [WITNESS.verifier])
            assert open_checkpoint(whole, [LOG.verifier], ORIGIN, also=[WITNESS.verifier]) == checkpoint(new)
            assert witness.seen(ORIGIN) == checkpoint(new)

    def test_the_line_says_when(self, witness):
        line = ask(witness, 0, 5).body
        assert re.fullmatch(r"— witness\.example/w1 [A-Za-z0-9+/=]+\n", line)
        import base64

        blob = base64.b64decode(line.split(" ")[2])
        assert blob[:4] == WITNESS.verifier.key_id
        assert int.from_bytes(blob[4:12], "big") == int(NOW.timestamp())

    def test_never_a_second_history(self, witness):
        assert ask(witness, 0, 8).status == 200
        assert (ask(witness, 8, 8, leaves=OTHERS).status, ask(witness, 8, 8, leaves=OTHERS).body) == (409, "8\n")
        assert ask(witness, 8, 20, leaves=OTHERS).status == 422
        assert ask(witness, 8, 20, proof=path(7, 20)).status == 422
        assert ask(witness, 8, 20, proof=()).status == 422
        assert ask(witness, 8, 8, proof=path(7, 20)).status == 422
        assert witness.seen(ORIGIN) == checkpoint(8)
        assert ask(witness, 8, 20).status == 200

    def test_whoever_does_not_know_how_far_it_is_is_told(self, witness):
        ask(witness, 0, 8)
        for old in (0, 5, 9):
            answer = ask(witness, old, 20)
            assert (answer.status, answer.body, answer.media_type) == (409, "8\n", SIZE_TYPE)

    def test_only_the_log_s_own_key(self, witness):
        assert ask(witness, 0, 5, signer=SignerKey(ORIGIN, b"x" * 32)).status == 403
        stranger = checkpoint(5, origin="other.example").sign([LOG])
        assert witness.add_checkpoint(request_body(0, (), stranger)).status == 404
        assert witness.seen(ORIGIN) is None

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"old 0", b"old 0\n", b"old 0\n\n", b"old 00\n\nx", b"old -1\n\nx", b"new 0\n\nx", b"\xff",
            b"old 0\nAAAA\n\n" + checkpoint(5).sign([LOG]).encode(),
            b"old 0\n!\n\n" + checkpoint(5).sign([LOG]).encode(),
            b"old 9\n\n" + checkpoint(5).sign([LOG]).encode(),
            b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + checkpoint(5).sign([LOG]).encode(),
            b"old 0\n\n" + b"x" * 600_000,
        ],
    )  # fmt: skip
    def test_what_is_no_request_is_refused(self, witness, body):
        assert witness.add_checkpoint(body).status == 400
        assert witness.seen(ORIGIN) is None

    def test_of_nothing_there_is_no_proof(self, witness):
        assert ask(witness, 0, 5, proof=path(3, 5)).status == 422

    def test_many_at_once_end_with_one_history(self, witness, tmp_path):
        def attempt(n):
            own = Witness(tmp_path / "w", WITNESS, {ORIGIN: [LOG.verifier]}, lambda: NOW)
            leaves = LEAVES if n % 2 else OTHERS
            return leaves is LEAVES, ask(own, 0, 10 + n, leaves=leaves).status

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(attempt, range(32)))
        assert sorted(status for _, status in found) == [200] + [409] * 31

    def test_a_record_that_is_not_its_own_is_told(self, witness, tmp_path):
        ask(witness, 0, 5)
        (record,) = (tmp_path / "w").glob("*.checkpoint")
        for text in ("", "x", checkpoint(5, origin="other.example").text(), "\udcff"):
            record.write_bytes(text.encode(errors="surrogateescape"))
            with pytest.raises(LogDamagedError):
                ask(witness, 5, 8)


def grow(folder, sizes):
    witness = Witness(folder, WITNESS, {ORIGIN: [LOG.verifier]}, lambda: NOW)
    for old, new in sizes:
        print(ask(witness, old, new).status, flush=True)


@pytest.mark.parametrize("step", [1, 7])
def test_killed_while_cosigning_it_goes_on_with_what_it_kept(tmp_path, step):
    sizes = [(n, n + step) for n in range(0, 63, step)]
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=grow, args=(tmp_path / "w", sizes))
    child.start()
    child.join(0.35)
    child.kill()
    child.join()
    witness = Witness(tmp_path / "w", WITNESS, {ORIGIN: [LOG.verifier]}, lambda: NOW)
    seen = witness.seen(ORIGIN)
    size = seen.size if seen else 0
    assert seen in {None, checkpoint(size)}
    assert ask(witness, size, 70).status == 200


def test_lines_of_others_are_left_out_and_false_ones_refused():
    note = checkpoint(5).sign([LOG])
    line = WITNESS.cosignature_line(checkpoint(5).text(), NOW)
    stranger = WitnessSignerKey("witness.example/w2", b"s" * 32).cosignature_line(checkpoint(5).text(), NOW)
    assert add_cosignatures(note, stranger + line, [WITNESS.verifier]) == note + line
    false = WITNESS.cosignature_line(checkpoint(6).text(), NOW)
    for answer in ("", stranger, false, line + false, "nonsense\n"):
        with pytest.raises(CheckpointInvalidError):
            add_cosignatures(note, answer, [WITNESS.verifier])
    short = WITNESS.verifier
    with pytest.raises(NoteInvalidError):
        short.verify(checkpoint(5).text(), b"x" * 64)


def test_a_cosignature_is_of_one_checkpoint_and_one_moment():
    text = checkpoint(5).text()
    note = sign_note(text, [LOG])
    line = WITNESS.cosignature_line(text, NOW)
    import base64

    blob = bytearray(base64.b64decode(line.split(" ")[2]))
    for at in range(4, len(blob)):
        broken = blob.copy()
        broken[at] ^= 1
        whole = f"{note}— {WITNESS.name} {base64.b64encode(broken).decode()}\n"
        with pytest.raises(NoteInvalidError):
            open_note(whole, [WITNESS.verifier])
    assert ProofInvalidError in NoteInvalidError.__mro__
