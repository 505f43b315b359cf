"""Which keys a reader trusts for checkpoints: read from texts and files of any of the types that notes are signed with.

Whom to trust is left to the reader; the types are those of `audit.notes` and `audit.keys`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .checkpoint import parse
from .errors import CheckpointInvalidError, KeyTextError, NoteInvalidError
from .keys import COSIGNATURE, ML_DSA_65, MlDsaVerifierKey, WitnessVerifierKey
from .notes import Verifier, VerifierKey, signed_by, split_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .checkpoint import Checkpoint
    from .policy import Quorum


class PublicKey(Verifier, Protocol):
    """A key that can be written down."""

    def to_text(self) -> str:
        """``name+hash+base64``, the form that is pinned and handed around."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a reader pins: one log of *verifiers* must have signed, every one of *also*, and *quorum* of witnesses.

    Keys of one name are one log's: pinned with an Ed25519 key and an ML-DSA key, a log must have signed with both;
    among several of one type, one is enough. A witness's key among *verifiers* stands for no log and must have signed.
    """

    verifiers: Sequence[Verifier]
    also: Sequence[Verifier] = ()
    quorum: Quorum | None = None

    def open(self, note: str, origin: str | None = None) -> Checkpoint:
        """The checkpoint in the signed *note*; of *origin*, if that is given. Raises: CheckpointInvalidError."""
        witnesses = self.quorum.keys if self.quorum else ()
        text, signed = signed_by(note, (*self.verifiers, *self.also, *witnesses))
        self._must_have_signed(signed)
        found = parse(text)
        if origin is not None and found.origin != origin:
            raise CheckpointInvalidError(problem=f"it is of the log `{found.origin}`, not of `{origin}`")
        return found

    def without_witnesses(self) -> Trust:
        """The same logs, whoever cosigned."""
        return Trust(self.verifiers, self.also)

    def _must_have_signed(self, signed: frozenset[tuple[str, bytes]]) -> None:
        demanded = [*self.also, *(v for v in self.verifiers if isinstance(v, WitnessVerifierKey))]
        logs: dict[str, dict[type, bool]] = {}
        for one in self.verifiers:
            if not isinstance(one, WitnessVerifierKey):
                kinds = logs.setdefault(one.name, {})
                kinds[type(one)] = kinds.get(type(one), False) or (one.name, one.key_id) in signed
        if not any(any(kinds.values()) for kinds in logs.values()):
            raise NoteInvalidError(problem="no trusted key signed it")
        if not any(all(kinds.values()) for kinds in logs.values()):
            raise NoteInvalidError(problem="the second signature, by a key that is pinned as well, is missing")
        for one in demanded:
            if (one.name, one.key_id) not in signed:
                raise NoteInvalidError(problem=f"the second signature, of `{one.name}`, is missing")
        if self.quorum is not None and not self.quorum.met(signed):
            count = sum((key.name, key.key_id) in signed for key in self.quorum.keys)
            raise NoteInvalidError(problem=f"not enough witnesses cosigned it: {count} did")


def as_trust(given: Trust | Sequence[Verifier]) -> Trust:
    """*given*, or the trust in keys that are pinned without more being asked for."""
    return given if isinstance(given, Trust) else Trust(given)


def read_verifier(text: str) -> PublicKey:
    """The public key written as ``name+hash+base64``, of whichever type it is.

    Raises:
        KeyTextError: no key, or of a type that is not known.
    """
    stripped = text.strip()
    blob = split_key(stripped)[2]
    if blob.startswith(ML_DSA_65):
        return MlDsaVerifierKey.from_text(stripped)
    if blob.startswith(COSIGNATURE):
        return WitnessVerifierKey.from_text(stripped)
    return VerifierKey.from_text(stripped)


def read_verifiers(text: str) -> tuple[PublicKey, ...]:
    """The keys of *text*, a line for each.

    Raises:
        KeyTextError: a line is none, or there is none at all.
    """
    found = tuple(read_verifier(line) for line in text.splitlines() if line.strip())
    if not found:
        raise KeyTextError(problem="there is no key")
    return found
