"""What a verifier of seals pins before looking at one; never read from a seal.

Getting anchors and revocation lists to the verifier by a way it trusts is left to people; using them is
`licence.seals.verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from licence.errors import TrustEmptyError
from licence.seals.algorithms import OID_OF_SUITE

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class SealTrust:
    """Pinned trust; never empty.

    *anchors*: root or issuing certificates (DER) of makers and custodians. *suites*: names of the suites allowed.
    *makers*: SHA-256 fingerprints (hex) of the certificates that may make seals, besides those whose extended key usage
    says so: a custodian's certificate alone must never do. *intermediates* (DER) only help to find a path: a seal holds
    leaf certificates and no more. *crls* (DER) are revocation lists; with *revocation_required* nothing passes without
    a current one for every certificate. *extensions*: OIDs of critical vendor extensions that the caller looks at
    itself.

    Raises:
        TrustEmptyError: no anchor, or no suite that seals can use.
    """

    anchors: frozenset[bytes]
    suites: frozenset[str]
    makers: frozenset[str] = frozenset()
    intermediates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    revocation_required: bool = False
    extensions: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.anchors:
            raise TrustEmptyError(what="certificate anchor", what_zh="证书信任锚")
        if not self.suites or not self.suites <= set(OID_OF_SUITE):
            raise TrustEmptyError(what="signature suite for seals", what_zh="电子印章可用的签名套件")


class TimeStampJudge(Protocol):
    """Judges time stamp tokens by a trust of its own; given to the verifier as an argument."""

    def __call__(self, token: bytes, stamped: bytes) -> datetime:
        """The aware time at which *stamped* (a signature value) existed, as *token* proves.

        Raises:
            FormatError: *token* proves nothing.
        """
