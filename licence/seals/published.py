"""The published register of seals: which seal is in what state, signed and counted, so that others look it up offline.

A version is a compact JWS of type ``seal-register+jwt``, signed by whom the verifier trusts for status lists. It names
its number and the digest of the version before; the log holds an entry for each (``seal.register``), so a version left
out, or one that only somebody was shown, can be found. It tells no names: seals by code and digest alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from licence import chain, jose
from licence.errors import FormatError, IssueRefusedError
from licence.profile import STATUS_SIGNING
from licence.seals.algorithms import sm3
from licence.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from licence.keys import SigningKey
    from licence.trust import TrustStore

TYP: Final = "seal-register+jwt"
ENTRY: Final = "seal.register"
# A seal takes some 250 bytes: a city of 8,000 has 2 MB, base64 makes it 2.7.
MAX_REGISTER_BYTES: Final = 64 * 1024 * 1024
MAX_SEALS: Final = 200_000
IN_USE: Final = "in_use"
STATES: Final = frozenset({IN_USE, "disabled", "destruction_requested", "destroyed"})
_WHAT: Final = "seal register"
_DIGEST = re.compile(r"sm3:[0-9a-f]{64}")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,80}")
_CLAIMS: Final = frozenset({"iss", "sub", "iat", "exp", "version", "previous", "seals"})
_MEMBERS: Final = frozenset({"code", "seal", "department", "state", "since", "from", "until"})
_PREVIOUS = re.compile(r"|sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PublishedSeal:
    """One seal: *digest* is ``sm3:`` and that of its SESeal; in *state* since *since*; valid between the last two."""

    code: str
    digest: str
    department: str
    state: str
    since: datetime
    valid_from: datetime
    valid_until: datetime

    def plain(self) -> dict[str, object]:
        """As the register has it."""
        return {
            "code": self.code,
            "seal": self.digest,
            "department": self.department,
            "state": self.state,
            "since": int(self.since.timestamp()),
            "from": int(self.valid_from.timestamp()),
            "until": int(self.valid_until.timestamp()),
        }


@dataclass(frozen=True, slots=True)
class Register:
    """A version of the register that was found authentic; *issued_at* and *expires_at* bound when it is to be used."""

    uri: str
    version: int
    previous: str
    issued_at: datetime
    expires_at: datetime
    seals: Mapping[str, PublishedSeal]

    def require_in_force(self, seal: bytes, at: datetime) -> PublishedSeal:
        """The entry of *seal* (SESeal, DER), which was in force at *at* as far as this version can say.

        It can say so between the state's beginning and its own expiry.

        Raises:
            FormatError: ``seal_register_unknown``, ``seal_register_state``, ``seal_register_time``: *at* lies before
                what this version tells or after it ends; ``seal_register_validity``.
        """
        found = self.seals.get(seal_digest(seal))
        if found is None:
            raise FormatError("seal_register_unknown")
        if not found.since <= at <= self.expires_at:
            raise FormatError("seal_register_time", when=at.isoformat())
        if found.state != IN_USE:
            raise FormatError("seal_register_state", state=found.state, since=found.since.isoformat())
        if not found.valid_from <= at <= found.valid_until:
            raise FormatError("seal_register_validity", ends=found.valid_until.isoformat())
        return found


def seal_digest(seal: bytes) -> str:
    """How the register names an SESeal (DER)."""
    return f"sm3:{sm3(seal).hex()}"


def register_digest(token: str) -> str:
    """How the log and the next version name a version."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def sign_register(
    seals: Iterable[PublishedSeal],
    *,
    key: SigningKey,
    uri: str,
    version: int,
    previous: str,
    issued_at: datetime,
    expires_at: datetime,
) -> str:
    """Version *version* of the register; *previous* is the digest of the one before, "" for the first.

    Raises:
        IssueRefusedError: it would be expired when issued.
    """
    starts, ends = int(issued_at.timestamp()), int(expires_at.timestamp())
    if ends <= starts:
        raise IssueRefusedError("status_validity_empty")
    payload = {
        "iss": key.issuer_uri,
        "sub": uri,
        "iat": starts,
        "exp": ends,
        "version": version,
        "previous": previous,
        "seals": [seal.plain() for seal in seals],
    }
    return jose.sign(key, TYP, payload)


def read_register(token: str, trust: TrustStore) -> Register:
    """The register, once signed by whom *trust* allows to sign status lists. Whether it is fresh is the caller's.

    Raises:
        FormatError: malformed, altered, or signed by someone else.
    """
    jws = jose.parse_compact(token, typ=TYP, max_bytes=MAX_REGISTER_BYTES, what=_WHAT)
    if not jws.chain:
        raise FormatError("no_signing_certificate", sub_indication="NO_SIGNING_CERTIFICATE_FOUND")
    path = chain.validate(jws.chain, trust.anchors_der, trust.suites)
    jose.verify(jws, chain.public_key(path.leaf), trust.suites)
    if STATUS_SIGNING not in path.purposes:
        raise FormatError("status_signer_purpose")
    if trust.status_signers and fingerprint(path.leaf) not in trust.status_signers:
        raise FormatError("status_signer_not_pinned")
    register = _register(jws.payload)
    if not path.starts <= register.issued_at <= path.ends:
        raise FormatError("status_signer_out_of_time")
    return register


def _register(payload: Mapping[str, Any]) -> Register:
    version, previous, seals = payload.get("version"), payload.get("previous"), payload.get("seals")
    if set(payload) != _CLAIMS or not isinstance(seals, list) or len(seals) > MAX_SEALS:
        _refuse()
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        _refuse()
    if not isinstance(previous, str) or not _PREVIOUS.fullmatch(previous):
        _refuse()
    listed = [_seal(plain) for plain in seals]
    by_digest = {seal.digest: seal for seal in listed}
    if len(by_digest) != len(listed) or (version == 1) != (previous == ""):
        _refuse()
    jose.text_claim(payload, "iss", _WHAT)
    return Register(
        uri=jose.text_claim(payload, "sub", _WHAT),
        version=version,
        previous=previous,
        issued_at=_instant(payload, "iat"),
        expires_at=_instant(payload, "exp"),
        seals=by_digest,
    )


def _seal(plain: object) -> PublishedSeal:
    if not isinstance(plain, dict) or set(plain) != _MEMBERS:
        _refuse()
    if not all(isinstance(plain[name], str) for name in ("code", "seal", "department", "state")):
        _refuse()
    if not _CODE.fullmatch(plain["code"]) or not _DIGEST.fullmatch(plain["seal"]) or plain["state"] not in STATES:
        _refuse()
    return PublishedSeal(
        plain["code"],
        plain["seal"],
        jose.text_claim(plain, "department", _WHAT),
        plain["state"],
        *(_instant(plain, name) for name in ("since", "from", "until")),
    )


def _instant(plain: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromtimestamp(jose.numeric_date(plain, name, _WHAT), UTC)


def _refuse() -> NoReturn:
    raise FormatError("seal_register_form")
