"""Token Status Lists (draft-ietf-oauth-status-list): packed states, their compressed form and the signed token.

Which licences are in which state is `licence.lifecycle`; whether a token's signer is trusted and whether it is fresh
enough is `licence.verify`; publishing belongs to `hub`.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from licence import jose
from licence.errors import FormatError, IssueRefusedError
from licence.profile import STATUS_TYP
from licence.status import cwt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from licence.keys import SigningKey

# 64 million licences at two bits; hostile compressed input never expands beyond it.
MAX_LIST_BYTES = 16 * 1024 * 1024
# Incompressible worst case of the above in base64url, with header and payload around it.
MAX_TOKEN_BYTES = 24 * 1024 * 1024
BITS = (1, 2, 4, 8)
DEFAULT_BITS = 2
# Entries of one list: 256 KiB before compression, 15 KB after it with one licence in a hundred revoked.
SHARD_SLOTS = 2**20
_BYTE = 8
_WHAT = "status list token"
_CLAIMS = frozenset({"iss", "sub", "iat", "exp", "ttl", "status_list"})


class Status(IntEnum):
    """Status types of the draft, §7.1. INVALID is irreversible."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True)
class StatusList:
    """Packed states, *bits* each, index 0 in the least significant bits of the first byte (draft §4.1)."""

    bits: int = DEFAULT_BITS
    packed: bytes = b""

    def __post_init__(self) -> None:
        if self.bits not in BITS or len(self.packed) > MAX_LIST_BYTES:
            raise FormatError("bad_claim", what=_WHAT, claim="status_list")

    def __len__(self) -> int:
        return len(self.packed) * _BYTE // self.bits

    @classmethod
    def build(cls, size: int, states: Mapping[int, int], *, bits: int = DEFAULT_BITS) -> StatusList:
        """A list of at least *size* entries, VALID but for *states* (index → value).

        Raises:
            IssueRefusedError: an index or a value does not fit.
        """
        if bits not in BITS:
            raise IssueRefusedError("status_does_not_fit", idx="-", value=bits)
        packed = bytearray((size * bits + _BYTE - 1) // _BYTE)
        limit = len(packed) * _BYTE // bits
        for idx, value in states.items():
            if not 0 <= idx < limit or not 0 <= value < 1 << bits:
                raise IssueRefusedError("status_does_not_fit", idx=idx, value=value)
            packed[idx * bits // _BYTE] |= value << (idx * bits % _BYTE)
        return cls(bits, bytes(packed))

    def value(self, idx: int) -> int | None:
        """The value at *idx*, or None outside the list."""
        if not 0 <= idx < len(self):
            return None
        return (self.packed[idx * self.bits // _BYTE] >> (idx * self.bits % _BYTE)) & ((1 << self.bits) - 1)

    def to_claim(self) -> dict[str, Any]:
        """The ``status_list`` claim (draft §4.2): zlib at its highest level, base64url."""
        return {"bits": self.bits, "lst": jose.b64url(zlib.compress(self.packed, 9))}

    @classmethod
    def parse(cls, claim: object) -> StatusList:
        """Read a ``status_list`` claim, expanding at most `MAX_LIST_BYTES`.

        Raises:
            FormatError: not such a claim, or too large.
        """
        bad = FormatError("bad_claim", what=_WHAT, claim="status_list")
        if not isinstance(claim, dict) or not {"bits", "lst"} <= set(claim) <= {"bits", "lst", "aggregation_uri"}:
            raise bad
        bits, lst = claim["bits"], claim["lst"]
        # Bytes as they are come from CBOR alone.
        if not isinstance(bits, int) or isinstance(bits, bool) or bits not in BITS or not isinstance(lst, str | bytes):
            raise bad
        inflater = zlib.decompressobj()
        try:
            compressed = lst if isinstance(lst, bytes) else jose.b64url_decode(lst, _WHAT)
            packed = inflater.decompress(compressed, MAX_LIST_BYTES + 1)
        except zlib.error:
            raise bad from None
        if len(packed) > MAX_LIST_BYTES or not inflater.eof or inflater.unused_data:
            raise bad
        return cls(bits, packed)


@dataclass(frozen=True, slots=True)
class StatusToken:
    """A parsed, **unverified** status list token. Times are NumericDates; *ttl* in seconds or None.

    *claim* is expanded (`states`) only after the signature was checked. *signed* is a JWT or a CWT.
    """

    signed: jose.Jws | cwt.SignedCwt
    uri: str
    issued_at: int
    expires_at: int
    ttl: int | None
    claim: Mapping[str, Any]

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The signer's certificates as DER, leaf first, possibly none."""
        return self.signed.chain

    def verify(self, public_key: object, allowed: Iterable[str]) -> None:
        """Check the signature by the suite that *public_key* belongs to, which must be *allowed*.

        Raises:
            FormatError: it does not hold.
        """
        if isinstance(self.signed, cwt.SignedCwt):
            self.signed.verify(public_key, allowed)
        else:
            jose.verify(self.signed, public_key, allowed)

    def states(self) -> StatusList:
        """Expand the list.

        Raises:
            FormatError: the claim is not of its form.
        """
        return StatusList.parse(self.claim)


def sign_status_list(
    statuses: StatusList,
    *,
    key: SigningKey,
    uri: str,
    issued_at: datetime,
    expires_at: datetime,
    ttl_s: int,
) -> str:
    """The signed token (``statuslist+jwt``) to publish at *uri*; whole seconds count.

    Raises:
        IssueRefusedError: it would be expired when issued, or *ttl_s* is not positive.
    """
    starts, ends = int(issued_at.timestamp()), int(expires_at.timestamp())
    if ends <= starts or ttl_s <= 0:
        raise IssueRefusedError("status_validity_empty")
    payload = {
        "iss": key.issuer_uri,
        "sub": uri,
        "iat": starts,
        "exp": ends,
        "ttl": ttl_s,
        "status_list": statuses.to_claim(),
    }
    return jose.sign(key, STATUS_TYP, payload)


def to_cwt(token: str, *, key: SigningKey) -> bytes:
    """The same version in CBOR (``statuslist+cwt``), signed anew: same list, address and times as the JWT *token*.

    Raises:
        FormatError: not such a token.
        IssueRefusedError: COSE has no number for the key's suite.
    """
    found = parse_status_token(token)
    claims: dict[str, Any] = {"iss": key.issuer_uri, "sub": found.uri, "iat": found.issued_at, "exp": found.expires_at}
    if found.ttl is not None:
        claims["ttl"] = found.ttl
    compressed = jose.b64url_decode(str(found.claim["lst"]), _WHAT)
    return cwt.sign(key, claims | {"status_list": {**found.claim, "lst": compressed}})


def parse_status_token(token: str | bytes) -> StatusToken:
    """Parse without verifying: a JWT as text, a CWT as bytes.

    Our profile requires ``exp``: without it no verifier knows when the list is too old.

    Raises:
        FormatError: not such a token.
    """
    signed: jose.Jws | cwt.SignedCwt
    if isinstance(token, bytes):
        signed, payload = cwt.parse(token)
    else:
        signed = jose.parse_compact(token, typ=STATUS_TYP, max_bytes=MAX_TOKEN_BYTES, what=_WHAT)
        payload = dict(signed.payload)
    if not set(payload) <= _CLAIMS or not isinstance(payload.get("status_list"), dict):
        raise FormatError("unknown_member", what=_WHAT)
    if "iss" in payload:
        jose.text_claim(payload, "iss", _WHAT)
    ttl = jose.numeric_date(payload, "ttl", _WHAT) if "ttl" in payload else None
    return StatusToken(
        signed=signed,
        uri=jose.text_claim(payload, "sub", _WHAT),
        issued_at=jose.numeric_date(payload, "iat", _WHAT),
        expires_at=jose.numeric_date(payload, "exp", _WHAT),
        ttl=ttl,
        claim=payload["status_list"],
    )


def token_digest(token: str | bytes) -> str:
    """``sha256:`` + hex over the token's bytes: what the ``status.published`` log entry carries as ``token``."""
    return "sha256:" + hashlib.sha256(token.encode() if isinstance(token, str) else token).hexdigest()
