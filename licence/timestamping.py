"""Issue time stamps (RFC 3161): a demonstration authority, and asking any authority for a checked token.

Tokens are made and verified by `licence.timestamps`. Clock, key and serial numbers are arguments; reaching an authority
over a network is left to whoever hands in a `TimeStamper`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from licence import der, timestamps
from licence.errors import FormatError, IssueRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from licence.pdf import cms

_REJECTION = 2
_BIT_STRING = 0x03
# PKIFailureInfo (§2.4.2), as the bit string of that one bit: badRequest (2) and unacceptedPolicy (15).
_BAD_REQUEST = b"\x05\x20"
_UNACCEPTED_POLICY = b"\x00\x00\x01"


class TimeStamper(Protocol):
    """A time-stamping authority, near or far.

    Promises: it answers a TimeStampReq (DER) with a TimeStampResp (DER), granted or refused. What it answers is
    checked by who asked.
    """

    def __call__(self, request: bytes, /) -> bytes:
        """The answer to *request*."""


@dataclass(frozen=True, slots=True)
class TimeStampingAuthority:
    """The demonstration authority (演示时间戳机构): *key* certified for time stamps alone, *clock* aware.

    *serials* are positive and never come twice, not after a restart either (§2.4.2): whoever keeps the key keeps them.
    Safe to call at once from as many threads as *serials* is.
    """

    key: cms.Signer
    clock: Callable[[], datetime]
    serials: Iterator[int]

    def __call__(self, request: bytes, /) -> bytes:
        """The answer to *request*, a rejection where it cannot be read or asks for a policy not offered here.

        Raises:
            IssueRefusedError: the authority itself cannot stamp: its key, its clock or its serial numbers are unfit.
        """
        try:
            asked = timestamps.parse_request(request)
        except FormatError:
            return _rejected(_BAD_REQUEST)
        if asked.policy not in {b"", der.write_oid(timestamps.DEMONSTRATION_TSA_POLICY)}:
            return _rejected(_UNACCEPTED_POLICY)
        serial = next(self.serials, 0)
        return timestamps.respond(asked, self.key, at=self.clock(), serial=serial)


def stamp(stamper: TimeStamper, data: bytes, *, suites: Sequence[str], nonce: int | None = None) -> bytes:
    """A token of *data*, hashed as the first of *suites* hashes; checked, its chain aside.

    *nonce* is fresh randomness, for an authority that others may answer for; None asks without.

    Raises:
        IssueRefusedError: no suite, or one that has no form in CMS.
        FormatError: the authority refused, or what it answered is no token of *data* by one of *suites*.
    """
    if not suites:
        raise IssueRefusedError("cms_suite_without_form", suite="")
    response = stamper(timestamps.request(data, suite=suites[0], nonce=nonce))
    token = timestamps.token_of(response)
    timestamps.verify(token, (data,), suites=suites, nonce=nonce)
    return token


def _rejected(failure: bytes) -> bytes:
    status = der.write(der.SEQUENCE, der.write_integer(_REJECTION), der.write(_BIT_STRING, failure))
    return der.write(der.SEQUENCE, status)
