from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, open_checkpoint, parse, parse_unverified
from audit.errors import CheckpointInvalidError, KeyTextError, NoteInvalidError
from audit.notes import SignerKey, VerifierKey, open_note, sign_note

# The examples in the documentation and tests of golang.org/x/mod/sumdb/note, the reference implementation.
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"  # Neumann
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
NOTE = TEXT + "\n" + PETER_LINE


def test_the_reference_note_is_signed_byte_for_byte():
    key = SignerKey.from_text(SIGNER)
    assert key.to_text() == SIGNER
    assert key.verifier.to_text() == VERIFIER
    assert sign_note(TEXT, [key]) == NOTE


def test_the_reference_notes_open():
    peter, enoch = VerifierKey.from_text(VERIFIER), VerifierKey.from_text(ENOCH)
    both = NOTE + ENOCH_LINE
    assert open_note(NOTE, [peter]) == TEXT
    assert open_note(both, [peter]) == open_note(both, [enoch]) == open_note(both, [enoch, peter]) == TEXT


@pytest.mark.parametrize("at", range(len(VERIFIER)))
def test_a_verifier_key_with_one_character_changed_is_refused(at):
    mangled = VERIFIER[:at] + chr(ord(VERIFIER[at]) + 1) + VERIFIER[at + 1 :]
    with pytest.raises(KeyTextError):
        VerifierKey.from_text(mangled)


@pytest.mark.parametrize("length", range(len(SIGNER)))
def test_a_cut_signer_key_is_refused(length):
    with pytest.raises(KeyTextError):
        SignerKey.from_text(SIGNER[:length])
    with pytest.raises(KeyTextError):
        SignerKey.from_text(SIGNER[length + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        # From the same tests: wrong length, unknown algorithm, both with their hashes adjusted.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
        "++",
    ],
)
def test_other_keys_are_refused(text):
    with pytest.raises(KeyTextError):
        VerifierKey.from_text(text)


def test_a_private_key_is_not_shown():
    key = SignerKey.from_text(SIGNER)
    assert key.seed.hex() not in repr(key)
    assert "seed" not in repr(key)


def test_a_new_key_signs_for_itself_alone():
    one, other = SignerKey.generate("a.example/log"), SignerKey.generate("a.example/log")
    note = sign_note("hello\n", [one])
    assert open_note(note, [one.verifier]) == "hello\n"
    with pytest.raises(NoteInvalidError):
        open_note(note, [other.verifier])


@pytest.mark.parametrize("verifiers", [[], [VerifierKey.from_text(ENOCH)]])
def test_nobody_trusted_is_a_failure(verifiers):
    with pytest.raises(NoteInvalidError):
        open_note(NOTE, verifiers)


def test_one_false_signature_of_a_known_key_rejects_the_note():
    peter, enoch = VerifierKey.from_text(VERIFIER), VerifierKey.from_text(ENOCH)
    forged = NOTE + ENOCH_LINE.replace("5n2ti", "5n3ti")
    assert open_note(forged, [peter]) == TEXT
    with pytest.raises(NoteInvalidError):
        open_note(forged, [peter, enoch])


@pytest.mark.parametrize("at", range(len(NOTE.encode())))
def test_no_byte_of_a_note_may_change(at):
    data = bytearray(NOTE.encode())
    data[at] ^= 1
    try:
        changed = data.decode()
    except UnicodeDecodeError:
        return  # No text, so no note: the file reader refuses it.
    with pytest.raises(NoteInvalidError):
        open_note(changed, [VerifierKey.from_text(VERIFIER)])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("— ", "- "),
        NOTE + "— x\n",
        NOTE + "— x AAAA\n",
        "\x01" + NOTE,
    ],
)
def test_malformed_notes_are_refused(note):
    with pytest.raises(NoteInvalidError):
        open_note(note, [VerifierKey.from_text(VERIFIER)])


def test_sixteen_strangers_do_no_harm():
    strangers = "".join(SignerKey.generate(f"w{n}.example").signature_line(TEXT) for n in range(16))
    assert open_note(NOTE + strangers, [VerifierKey.from_text(VERIFIER)]) == TEXT


@pytest.mark.parametrize("text", ["no newline", "control\x07\n", "lone \ud800\n"])
def test_what_may_not_stand_in_a_note_is_not_signed(text):
    with pytest.raises(NoteInvalidError):
        sign_note(text, [SignerKey.from_text(SIGNER)])


def test_a_note_needs_a_signer():
    with pytest.raises(NoteInvalidError):
        sign_note(TEXT, [])


# The example of c2sp.org/tlog-checkpoint.
SPEC = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_checkpoint_of_the_specification():
    found = parse(SPEC)
    assert (found.origin, found.size, found.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert found.text() == SPEC


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), max_size=3),
)
def test_checkpoints_read_back(origin, size, root, extensions):
    key = SignerKey.from_text(SIGNER)
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    note = checkpoint.sign([key])
    assert open_checkpoint(note, [key.verifier]) == open_checkpoint(note, [key.verifier], origin) == checkpoint
    assert parse_unverified(note) == checkpoint
    with pytest.raises(CheckpointInvalidError):
        open_checkpoint(note, [key.verifier], origin + "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        SPEC[:-1],
        SPEC + "\n",
        SPEC.replace("20852163", "020852163"),
        SPEC.replace("20852163", "-1"),
        SPEC.replace("20852163", "٣"),
        SPEC.replace("q2I=", "q2J="),
        SPEC.replace("q2I=", "q2I"),
        "\n" + SPEC.split("\n", 1)[1],
    ],
)
def test_malformed_checkpoints_are_refused(text):
    with pytest.raises(CheckpointInvalidError):
        parse(text)
