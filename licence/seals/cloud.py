"""Cloud signatures (云签): one person's approval of one use of a seal, from asking to spending it; pure.

Storing approvals, sending one-time passwords and holding the person's key in a signing server belong to `hub`. What
this guarantees: an approval is for one document digest, one person and one seal, ends by itself, and is spent once.
There is no key that several persons share: the signer that `spend` leads to is the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from licence.errors import SealProofError, SealRefusedError

if TYPE_CHECKING:
    from datetime import datetime

DIGEST_BYTES = 32
MIN_ID_BYTES = 16
# Long enough to fetch a telephone, short enough that the person remembers what was asked.
MAX_VALID_FOR = timedelta(minutes=10)
# A six-digit password guessed five times is found with a probability of 1 in 200,000.
MAX_ATTEMPTS = 5


class State(StrEnum):
    """States of an approval; all but the first two are final."""

    ASKED = "asked"
    APPROVED = "approved"
    SPENT = "spent"
    DECLINED = "declined"
    LOCKED = "locked"


class ProofCheck(Protocol):
    """Checks what a person proves an approval with: a PIN, a one-time password, a passkey."""

    def __call__(self, person: str, challenge: bytes, proof: bytes) -> None:
        """Check that *proof* is *person*'s over *challenge* (`Approval.challenge`), in constant time.

        The challenge holds document, seal and person, so that a proof for one document is none for another.

        Raises:
            SealProofError: it is not.
        """


@dataclass(frozen=True, slots=True)
class Approval:
    """One request for one signature. *id* is unpredictable; *failures* counts wrong proofs."""

    id: bytes
    person: str
    seal: str
    document_digest: bytes
    purpose: str
    asked_at: datetime
    ends_at: datetime
    state: State = State.ASKED
    failures: int = 0

    @property
    def challenge(self) -> bytes:
        """What the proof is about: each part with its length, so that no two requests have the same."""
        parts = (self.id, self.person.encode(), self.seal.encode(), self.document_digest, self.purpose.encode())
        return b"zhengtong-cloud-signature/1" + b"".join(len(p).to_bytes(4, "big") + p for p in parts)


def ask(
    *,
    request_id: bytes,
    person: str,
    seal: str,
    document_digest: bytes,
    purpose: str,
    at: datetime,
    valid_for: timedelta = MAX_VALID_FOR,
) -> Approval:
    """A request to *person*; *request_id* is at least 16 fresh random bytes.

    Raises:
        SealRefusedError: something is missing, or the time given is empty or longer than ten minutes.
    """
    for name, value in (("person", person), ("seal", seal), ("purpose", purpose)):
        if not value.strip():
            raise SealRefusedError("seal_entry_blank", name=name, limit="")
    if len(request_id) < MIN_ID_BYTES:
        raise SealRefusedError("seal_approval_id_short", minimum=MIN_ID_BYTES)
    if len(document_digest) != DIGEST_BYTES:
        raise SealRefusedError("seal_digest_bad", expected=DIGEST_BYTES, found=len(document_digest))
    if not timedelta() < valid_for <= MAX_VALID_FOR:
        raise SealRefusedError("seal_approval_time_bad", minutes=int(MAX_VALID_FOR.total_seconds()) // 60)
    return Approval(request_id, person, seal, document_digest, purpose, at, at + valid_for)


def approve(approval: Approval, *, by: str, proof: bytes, check: ProofCheck, at: datetime) -> Approval:
    """The approval after *by* gave *proof*: APPROVED, or still open with a failure counted, or LOCKED by too many.

    Look at ``state``: a wrong proof is an outcome that must be stored, not an error that could be lost.

    Raises:
        SealRefusedError: *by* is not the person asked, or the request has ended or is no longer open.
    """
    _require_open(approval, State.ASKED, by, at)
    try:
        check(approval.person, approval.challenge, proof)
    except SealProofError:
        failures = approval.failures + 1
        return replace(approval, failures=failures, state=State.LOCKED if failures >= MAX_ATTEMPTS else State.ASKED)
    return replace(approval, state=State.APPROVED)


def decline(approval: Approval, *, by: str, at: datetime) -> Approval:
    """The approval after *by* said no (see `approve` for what it raises)."""
    _require_open(approval, State.ASKED, by, at)
    return replace(approval, state=State.DECLINED)


def spend(approval: Approval, *, by: str, seal: str, document_digest: bytes, at: datetime) -> Approval:
    """The approval once used for its document. Store it before signing: a crash then costs a request, not a rule.

    Raises:
        SealRefusedError: it is not approved, was spent, has ended, or is for another document, seal or person.
    """
    _require_open(approval, State.APPROVED, by, at)
    if seal != approval.seal or document_digest != approval.document_digest:
        raise SealRefusedError("seal_approval_other_document")
    return replace(approval, state=State.SPENT)


def _require_open(approval: Approval, state: State, by: str, at: datetime) -> None:
    if by != approval.person:
        raise SealRefusedError("seal_approval_other_person")
    if approval.state is not state:
        raise SealRefusedError("seal_approval_not_open")
    if not approval.asked_at <= at < approval.ends_at:
        raise SealRefusedError("seal_approval_ended", ends=approval.ends_at.isoformat())
