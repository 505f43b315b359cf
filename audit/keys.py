"""Keys that sign notes beside Ed25519: ML-DSA-65 as a second signature, and a witness's dated cosignature.

Both stand in a signed note as `audit.notes` has it: a verifier has a name, a key id and a `verify`, a signer writes a
signature line. Whether both signatures are demanded is for whoever pins keys to say.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from .errors import KeyTextError, NoteInvalidError
from .notes import check_name, key_id_of, signature_line, signature_of, split_key

# signed-note leaves 0xff to types without a number of their own, followed by a name that nobody else would take.
ML_DSA_65: Final = b"\xffzhengtong.cn/note/ml-dsa-65\n"
COSIGNATURE: Final = b"\x04"  # tlog-cosignature, "Format"
CONTEXT: Final = b"c2sp.org/signed-note"
"""The context string of every ML-DSA signature over a note (FIPS 204, algorithm 2)."""

_HEADER: Final = "cosignature/v1"
_TIME_BYTES: Final = 8
_ED25519_BYTES: Final = 32
_COSIGNATURE_BYTES: Final = _TIME_BYTES + 64
_ML_DSA_BYTES: Final = 1952
_SEED_BYTES: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class MlDsaVerifierKey:
    """The public half of an ML-DSA-65 key (FIPS 204) and the name it signs under."""

    name: str
    public: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != _ML_DSA_BYTES:
            raise KeyTextError(problem=f"an ML-DSA-65 key has {_ML_DSA_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ `ML_DSA_65` ‖ public key)[:4]."""
        return key_id_of(self.name, ML_DSA_65 + self.public)

    def to_text(self) -> str:
        """``name+hash+base64``, the form that is pinned and handed around."""
        return _key_text(self.name, ML_DSA_65 + self.public)

    @classmethod
    def from_text(cls, text: str) -> MlDsaVerifierKey:
        """The key written by `to_text`. Raises: KeyTextError."""
        return cls(*_read_key(text, ML_DSA_65))

    def verify(self, text: str, signature: bytes) -> None:
        """Check *signature* over the UTF-8 *text*. Raises: NoteInvalidError."""
        try:
            MLDSA65PublicKey.from_public_bytes(self.public).verify(signature, text.encode(), CONTEXT)
        except (InvalidSignature, ValueError) as error:
            raise NoteInvalidError(problem=f"the ML-DSA signature of `{self.name}` does not match the text") from error


@dataclass(frozen=True, slots=True)
class MlDsaSignerKey:
    """An ML-DSA-65 key by its seed, which is never shown by `repr`."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != _SEED_BYTES:
            raise KeyTextError(problem=f"an ML-DSA-65 seed has {_SEED_BYTES} bytes")

    @classmethod
    def generate(cls, name: str) -> MlDsaSignerKey:
        """A new key from the system's randomness."""
        return cls(name, MLDSA65PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> MlDsaVerifierKey:
        """The public half."""
        return MlDsaVerifierKey(self.name, self._key().public_key().public_bytes_raw())

    def to_text(self) -> str:
        """``PRIVATE+KEY+name+hash+base64``. Keep it secret."""
        return _private_text(self.name, self.verifier.key_id, ML_DSA_65 + self.seed)

    @classmethod
    def from_text(cls, text: str) -> MlDsaSignerKey:
        """The key written by `to_text`. Raises: KeyTextError."""
        name, key_id, seed = _read_private(text, ML_DSA_65)
        key = cls(name, seed)
        _must_be(key.verifier.key_id, key_id)
        return key

    def signature_line(self, text: str) -> str:
        """``— name base64(key id ‖ signature)`` and a newline."""
        signature = self._key().sign(text.encode(), CONTEXT)
        return signature_line(self.name, self.verifier.key_id, signature)

    def _key(self) -> MLDSA65PrivateKey:
        return MLDSA65PrivateKey.from_seed_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class WitnessVerifierKey:
    """The public half of a witness's Ed25519 key (tlog-cosignature)."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != _ED25519_BYTES:
            raise KeyTextError(problem=f"an Ed25519 key has {_ED25519_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public key)[:4]."""
        return key_id_of(self.name, COSIGNATURE + self.public)

    def to_text(self) -> str:
        """``name+hash+base64``, the form that is pinned and handed around."""
        return _key_text(self.name, COSIGNATURE + self.public)

    @classmethod
    def from_text(cls, text: str) -> WitnessVerifierKey:
        """The key written by `to_text`. Raises: KeyTextError."""
        return cls(*_read_key(text, COSIGNATURE))

    def cosigned_at(self, note: str) -> datetime | None:
        """When this witness cosigned the signed *note*, as it says; None if it did not. Raises: NoteInvalidError."""
        signature = signature_of(note, self)
        if signature is None:
            return None
        seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
        # A witness may write any 64-bit number; what no calendar holds is no time.
        if seconds > _LAST_SECOND:
            raise NoteInvalidError(problem=f"the cosignature of `{self.name}` is of no time")
        return datetime.fromtimestamp(seconds, UTC)

    def verify(self, text: str, signature: bytes) -> None:
        """Check a cosignature of the note with this *text*. Raises: NoteInvalidError."""
        if len(signature) != _COSIGNATURE_BYTES:
            raise NoteInvalidError(problem=f"the cosignature of `{self.name}` has not {_COSIGNATURE_BYTES} bytes")
        at = int.from_bytes(signature[:_TIME_BYTES], "big")
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public)
            key.verify(signature[_TIME_BYTES:], _cosigned(text, at))
        except (InvalidSignature, ValueError) as error:
            raise NoteInvalidError(problem=f"the cosignature of `{self.name}` does not match the text") from error


@dataclass(frozen=True, slots=True)
class WitnessSignerKey:
    """A witness's key by its seed, which is never shown by `repr`."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != _SEED_BYTES:
            raise KeyTextError(problem=f"an Ed25519 seed has {_SEED_BYTES} bytes")

    @classmethod
    def generate(cls, name: str) -> WitnessSignerKey:
        """A new key from the system's randomness."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def verifier(self) -> WitnessVerifierKey:
        """The public half."""
        return WitnessVerifierKey(self.name, self._key().public_key().public_bytes_raw())

    def to_text(self) -> str:
        """``PRIVATE+KEY+name+hash+base64``. Keep it secret."""
        return _private_text(self.name, self.verifier.key_id, COSIGNATURE + self.seed)

    @classmethod
    def from_text(cls, text: str) -> WitnessSignerKey:
        """The key written by `to_text`. Raises: KeyTextError."""
        name, key_id, seed = _read_private(text, COSIGNATURE)
        key = cls(name, seed)
        _must_be(key.verifier.key_id, key_id)
        return key

    def cosignature_line(self, text: str, at: datetime) -> str:
        """The line that says that this witness saw the checkpoint *text* at the moment *at*."""
        seconds = int(at.timestamp())
        signature = seconds.to_bytes(_TIME_BYTES, "big") + self._key().sign(_cosigned(text, seconds))
        return signature_line(self.name, self.verifier.key_id, signature)

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def _cosigned(text: str, seconds: int) -> bytes:
    return f"{_HEADER}\ntime {seconds}\n{text}".encode()


def _key_text(name: str, blob: bytes) -> str:
    return f"{name}+{key_id_of(name, blob).hex()}+{base64.b64encode(blob).decode()}"


def _read_key(text: str, type_: bytes) -> tuple[str, bytes]:
    name, key_id, blob = split_key(text.strip())
    if key_id_of(name, blob).hex() != key_id:
        raise KeyTextError(problem="the hash does not belong to the key")
    return name, _without(blob, type_)


def _private_text(name: str, key_id: bytes, blob: bytes) -> str:
    return f"{_PRIVATE}{name}+{key_id.hex()}+{base64.b64encode(blob).decode()}"


def _read_private(text: str, type_: bytes) -> tuple[str, str, bytes]:
    stripped = text.strip()
    if not stripped.startswith(_PRIVATE):
        raise KeyTextError(problem="a private key begins with PRIVATE+KEY+")
    name, key_id, blob = split_key(stripped.removeprefix(_PRIVATE))
    return name, key_id, _without(blob, type_)


def _must_be(found: bytes, key_id: str) -> None:
    if found.hex() != key_id:
        raise KeyTextError(problem="the hash does not belong to the key")


def _without(blob: bytes, type_: bytes) -> bytes:
    if not blob.startswith(type_):
        raise KeyTextError(problem="it is a key of another type")
    return blob.removeprefix(type_)
