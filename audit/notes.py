"""C2SP signed notes with Ed25519 (c2sp.org/signed-note): keys, signing, opening.

What the text says is left to `audit.checkpoint`; which keys are trusted, to the caller.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .errors import KeyTextError, NoteInvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ED25519 = b"\x01"  # signed-note, "Signature types"
_KEY_ID_BYTES = 4
_KEY_BYTES = 32
_PRIVATE = "PRIVATE+KEY+"
_DASH = "\u2014 "
# The specification asks for at least 16; post-quantum cosignatures of nearly 5 kB each set the size.
MAX_SIGNATURES = 64
MAX_NOTE_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under; the pair (name, key id) says which signature is its own."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != _KEY_BYTES:
            raise KeyTextError(problem=f"an Ed25519 key has {_KEY_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]."""
        return key_id_of(self.name, _ED25519 + self.public)

    def to_text(self) -> str:
        """``name+hash+base64``, the form that is pinned and handed around."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(_ED25519 + self.public)}"

    @classmethod
    def from_text(cls, text: str) -> VerifierKey:
        """The key written by `to_text`.

        Raises:
            KeyTextError: another form, another algorithm, or a hash that is not this key's.
        """
        name, key_id, public = _split_key(text.strip())
        key = cls(name, public)
        if key.key_id.hex() != key_id:
            raise KeyTextError(problem="the hash does not belong to the key")
        return key

    def verify(self, text: str, signature: bytes) -> None:
        """Check *signature* over the UTF-8 *text*.

        Raises:
            NoteInvalidError: it is not this key's.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError) as error:
            raise NoteInvalidError(problem=f"the signature of `{self.name}` does not match the text") from error


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key and the name it signs under. The seed is never shown by `repr`."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != _KEY_BYTES:
            raise KeyTextError(problem=f"an Ed25519 seed has {_KEY_BYTES} bytes")
        VerifierKey(self.name, self.seed)  # The same rule for names; raises KeyTextError.

    @classmethod
    def generate(cls, name: str) -> SignerKey:
        """A new key from the system's randomness."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def to_text(self) -> str:
        """``PRIVATE+KEY+name+hash+base64``. Keep it secret."""
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{_b64(_ED25519 + self.seed)}"

    @classmethod
    def from_text(cls, text: str) -> SignerKey:
        """The key written by `to_text`.

        Raises:
            KeyTextError: another form, another algorithm, or a hash that is not this key's.
        """
        stripped = text.strip()
        if not stripped.startswith(_PRIVATE):
            raise KeyTextError(problem="a private key begins with PRIVATE+KEY+")
        name, key_id, seed = _split_key(stripped.removeprefix(_PRIVATE))
        key = cls(name, seed)
        if key.verifier.key_id.hex() != key_id:
            raise KeyTextError(problem="the hash does not belong to the key")
        return key

    def signature_line(self, text: str) -> str:
        """``— name base64(key id ‖ signature)`` and a newline."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return signature_line(self.name, self.verifier.key_id, signature)


class Verifier(Protocol):
    """A key that a note may be signed with: this module's, or one of `audit.keys`."""

    @property
    def name(self) -> str:
        """The name it signs under."""

    @property
    def key_id(self) -> bytes:
        """Four bytes; with the name they say which signature is its own."""

    def verify(self, text: str, signature: bytes) -> None:
        """Check *signature* over *text*. Raises: NoteInvalidError."""


class Signer(Protocol):
    """Whoever can write a signature line."""

    def signature_line(self, text: str) -> str:
        """``— name base64(key id ‖ signature)`` and a newline."""


def signature_line(name: str, key_id: bytes, signature: bytes) -> str:
    """The line of a signature in a note, with its newline."""
    return f"{_DASH}{name} {_b64(key_id + signature)}\n"


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The signed note over *text*, which ends in a newline and holds no other control characters.

    Raises:
        NoteInvalidError: the text may not stand in a note, or nobody signs.
    """
    _check_text(text)
    if not text.endswith("\n"):
        raise NoteInvalidError(problem="the text does not end in a newline")
    if not signers:
        raise NoteInvalidError(problem="nobody signs it")
    return text + "\n" + "".join(signer.signature_line(text) for signer in signers)


def open_note(note: str, verifiers: Sequence[Verifier], *, also: Sequence[Verifier] = ()) -> str:
    """The text of *note*, once at least one of *verifiers*, and every one of *also*, is found to have signed it.

    Signatures of unknown keys are ignored. A signature that claims a known key and fails rejects the whole note.

    Raises:
        NoteInvalidError: malformed, no signature of a trusted key, a false one, or *verifiers* is empty.
    """
    text, signed = signed_by(note, (*verifiers, *also))
    if not any((v.name, v.key_id) in signed for v in verifiers):
        raise NoteInvalidError(problem="no trusted key signed it")
    for one in also:
        if (one.name, one.key_id) not in signed:
            raise NoteInvalidError(problem=f"the second signature, of `{one.name}`, is missing")
    return text


def signed_by(note: str, keys: Sequence[Verifier]) -> tuple[str, frozenset[tuple[str, bytes]]]:
    """The text of *note*, and which of *keys* signed it, by name and key id. Whether that is enough is not looked at.

    Raises:
        NoteInvalidError: malformed, or a signature that claims one of *keys* and fails.
    """
    text, lines = _split_note(note)
    known = {(v.name, v.key_id): v for v in keys}
    signed = set()
    for line in lines:
        name, blob = _split_signature(line)
        key = known.get((name, blob[:_KEY_ID_BYTES]))
        if key is not None:
            key.verify(text, blob[_KEY_ID_BYTES:])
            signed.add((name, key.key_id))
    return text, frozenset(signed)


def signature_of(note: str, key: Verifier) -> bytes | None:
    """The bytes of *key*'s signature in *note*, verified; None where it has not signed. Raises: NoteInvalidError."""
    text, lines = _split_note(note)
    for line in lines:
        name, blob = _split_signature(line)
        if (name, blob[:_KEY_ID_BYTES]) == (key.name, key.key_id):
            key.verify(text, blob[_KEY_ID_BYTES:])
            return blob[_KEY_ID_BYTES:]
    return None


def with_signatures(note: str, other: str) -> str:
    """*note* with the signature lines of *other*, a note over the same text; of one key that of *other* stands.

    Nothing is verified.

    Raises:
        NoteInvalidError: one is malformed, they have two texts, or there are too many signatures for one note.
    """
    text, lines = _split_note(note)
    if _split_note(other)[0] != text:
        raise NoteInvalidError(problem="the signatures are of another text")
    merged = {}
    for line in (*lines, *_split_note(other)[1]):
        name, blob = _split_signature(line)
        merged[name, blob[:_KEY_ID_BYTES]] = line
    whole = text + "\n" + "".join(f"{line}\n" for line in merged.values())
    _split_note(whole)
    return whole


def without_signatures(note: str, keys: Sequence[Verifier]) -> str:
    """*note* without the lines that claim to be by one of *keys*. Raises: NoteInvalidError: none other is there."""
    text, lines = _split_note(note)
    left_out = {(key.name, key.key_id) for key in keys}
    kept = []
    for line in lines:
        name, blob = _split_signature(line)
        if (name, blob[:_KEY_ID_BYTES]) not in left_out:
            kept.append(f"{line}\n")
    whole = text + "\n" + "".join(kept)
    _split_note(whole)
    return whole


def _split_note(note: str) -> tuple[str, list[str]]:
    """Text and signature lines. Raises: NoteInvalidError."""
    _check_text(note)
    if len(note.encode()) > MAX_NOTE_BYTES:
        raise NoteInvalidError(problem=f"longer than {MAX_NOTE_BYTES} bytes")
    cut = note.rfind("\n\n")
    if cut < 0 or not note.endswith("\n"):
        raise NoteInvalidError(problem="no blank line between text and signatures, or no final newline")
    text, lines = note[: cut + 1], note[cut + 2 :].split("\n")[:-1]
    if not lines or len(lines) > MAX_SIGNATURES:
        raise NoteInvalidError(problem=f"no signature, or more than {MAX_SIGNATURES}")
    return text, lines


def _split_signature(line: str) -> tuple[str, bytes]:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2 or not parts[0]:  # noqa: PLR2004 - a name and a signature
        raise NoteInvalidError(problem="a signature line has another form")
    try:
        blob = _from_b64(parts[1])
    except ValueError as error:
        raise NoteInvalidError(problem="a signature is not base64") from error
    if len(blob) <= _KEY_ID_BYTES:
        raise NoteInvalidError(problem="a signature is too short")
    return parts[0], blob


def _split_key(text: str) -> tuple[str, str, bytes]:
    name, key_id, blob = split_key(text)
    if not blob.startswith(_ED25519):
        raise KeyTextError(problem="only Ed25519 keys (type 0x01) are known")
    return name, key_id, blob.removeprefix(_ED25519)


def split_key(text: str) -> tuple[str, str, bytes]:
    """Name, hash (hex) and type with key of the text of a key of any type. Raises: KeyTextError."""
    # The base64 part may hold plus signs of its own; the name and the hash may not.
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        return name, key_id, _from_b64(encoded)
    except ValueError as error:
        raise KeyTextError(problem="the key is not base64") from error


def key_id_of(name: str, blob: bytes) -> bytes:
    """The id of a key whose type and public bytes are *blob*: SHA-256(name ‖ 0x0A ‖ *blob*)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + blob).digest()[:_KEY_ID_BYTES]


def check_name(name: str) -> None:
    """Raises: KeyTextError: it may not stand in a note."""
    if not name or "+" in name or any(c.isspace() for c in name):
        raise KeyTextError(problem="the name is empty, or holds a space or a plus sign")
    if not name.isascii() and any("\ud800" <= c <= "\udfff" for c in name):
        raise KeyTextError(problem="the name is no valid Unicode")


def _check_text(text: str) -> None:
    if any(c < " " and c != "\n" for c in text):
        raise NoteInvalidError(problem="a control character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteInvalidError(problem="no valid Unicode") from error


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_b64(text: str) -> bytes:
    """Strict RFC 4648 §4.

    Raises:
        ValueError: anything else, among it unused bits that are not zero (two texts for one value).
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if _b64(data) != text:
        raise ValueError("not the canonical base64")
    return data
