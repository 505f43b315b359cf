"""A licence as the text of a QR code: ``ZT1:`` and at most 400 characters that verify with no network.

The short face is a CWT (RFC 8392) with one claim of ours, signed as COSE_Sign1. The signer's certificate is not in it:
the verifier finds it by key id among those it pins. What a status list says of the licence, and leading certificates
to an anchor, is the caller's part. Nothing is compressed: of 250 bytes, 100 are signature, key id and packed
identifier, and what DEFLATE gains on the rest is less than its own frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from licence import chain
from licence.errors import FormatError, IdentifierError, IssueRefusedError
from licence.identifiers import ALPHABET, ISSUER_LENGTH, TYPE_LENGTH, VERSION_LENGTH
from licence.identifiers import LicenceIdentifier as Identifier
from licence.jose import MAX_NUMERIC_DATE
from licence.model import StatusRef
from licence.profile import LICENCE_SIGNING
from licence.qr import base45, cbor, cose
from licence.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from licence.keys import SigningKey
    from licence.trust import TrustStore

PREFIX = "ZT1:"
MAX_CHARACTERS = 400
MAX_BYTES = (MAX_CHARACTERS - len(PREFIX)) * 2 // 3
# RFC 8392 §4: expiration, not before, issued at. The face has a number from the private range (RFC 8392 §9.1).
_EXP, _NBF, _IAT, _FACE = 4, 5, 6, -70001
_VERSION = 1
_FACE_PARTS = 7
MAX_LIST_NUMBER = 1 << 32
_FIXED = TYPE_LENGTH + ISSUER_LENGTH + VERSION_LENGTH
_SHOWN = 4
# Holder types whose code is public (统一社会信用代码).
_PUBLIC_CODES = frozenset({"001"})
_SHORTENED = "…"


@dataclass(frozen=True, slots=True)
class ShortFace:
    """What the code says. Times are whole seconds in UTC; *valid_until* None: no end.

    *kind_name* may be "" (the kind's code is part of the identifier) and *holder_name* may end in "…": what did not
    fit. *holder_code* is masked (see `mask_code`). *list_number* and *idx* say where the status is found.
    """

    identifier: Identifier
    kind_name: str
    holder_name: str
    holder_code: str
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    list_number: int
    idx: int

    def status_ref(self, base_uri: str) -> StatusRef:
        """Where the status is found, the issuer's lists being at *base_uri* ``/`` number."""
        return StatusRef(f"{base_uri}/{self.list_number}", self.idx)


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """A parsed, **unverified** code."""

    face: ShortFace
    message: cose.Sign1


@dataclass(frozen=True, slots=True)
class VerifiedCode:
    """A face whose signature holds; *signer* is the path of the certificate it was found to be signed with."""

    face: ShortFace
    signer: chain.Path


def mask_code(code: str, holder_type: str) -> str:
    """The holder's code as a code in public places may show it: an organisation's whole, others' last four signs."""
    if holder_type in _PUBLIC_CODES:
        return code
    hidden = max(len(code) - _SHOWN, (len(code) + 1) // 2)
    return "*" * hidden + code[hidden:]


def make_code(face: ShortFace, key: SigningKey) -> str:
    """The text of the code.

    Where it would be longer than `MAX_CHARACTERS`, the name of the kind is left out, then the holder's name shortened.

    Raises:
        IssueRefusedError: times, numbers or key contradict each other, or it does not fit even so.
    """
    if key.organisation_code != face.identifier.issuer:
        raise IssueRefusedError("identifier_of_other_issuer", issuer=face.identifier.issuer, key=key.organisation_code)
    times = (face.issued_at, face.valid_from, face.valid_until)
    if any(t is not None and t.tzinfo is None for t in times):
        raise IssueRefusedError("time_not_aware")
    if face.valid_until is not None and face.valid_until <= face.valid_from:
        raise IssueRefusedError("licence_validity_empty")
    if not 0 < face.list_number < MAX_LIST_NUMBER or not 0 <= face.idx < MAX_LIST_NUMBER:
        raise IssueRefusedError("status_does_not_fit", idx=face.idx, value=face.list_number)
    if not face.holder_name or not face.holder_code:
        raise IssueRefusedError("code_holder_missing")
    for shorter in _shorter(face):
        payload = cbor.encode(_plain(shorter))
        # A signature has the same length whatever is signed: one is made only for what may fit.
        if len(payload) < MAX_BYTES:
            data = cose.sign(key, payload)
            if len(data) <= MAX_BYTES:
                return PREFIX + base45.encode(data)
    raise IssueRefusedError("code_too_long", limit=MAX_CHARACTERS)


def parse_code(text: str) -> ParsedCode:
    """Parse without verifying.

    Raises:
        FormatError: not a code of ours, or not of its one spelling.
    """
    if not text.startswith(PREFIX):
        raise FormatError("code_not_ours")
    message = cose.parse(base45.decode(text[len(PREFIX) :], max_bytes=MAX_BYTES), max_bytes=MAX_BYTES)
    claims = cbor.decode(message.payload, max_bytes=MAX_BYTES)
    if not isinstance(claims, dict) or not {_NBF, _IAT, _FACE} <= set(claims) <= {_EXP, _NBF, _IAT, _FACE}:
        raise FormatError("code_face_invalid", part="claims")
    parts = claims[_FACE]
    if not isinstance(parts, tuple) or len(parts) != _FACE_PARTS or parts[0] != _VERSION:
        raise FormatError("code_face_invalid", part="version")
    _, packed, kind_name, holder_name, holder_code, list_number, idx = parts
    face = ShortFace(
        identifier=_unpack(packed),
        kind_name=_text(kind_name, "kind"),
        holder_name=_text(holder_name, "holder"),
        holder_code=_text(holder_code, "holder code"),
        issued_at=_time(claims[_IAT]),
        valid_from=_time(claims[_NBF]),
        valid_until=_time(claims[_EXP]) if _EXP in claims else None,
        list_number=_number(list_number, "status list"),
        idx=_number(idx, "status index"),
    )
    return ParsedCode(face, message)


def trusted_signers(chains: Iterable[tuple[bytes, ...]], trust: TrustStore) -> tuple[chain.Path, ...]:
    """The signers that `verify_code` takes: *chains* (DER, leaf first), each led to an anchor that *trust* pins.

    Raises:
        FormatError: a chain leads to none (see `chain.validate`), or its leaf is not among the signers *trust* names.
    """
    paths = tuple(chain.validate(tuple(one), trust.anchors_der, trust.suites) for one in chains)
    for path in paths:
        if trust.licence_signers and fingerprint(path.leaf) not in trust.licence_signers:
            raise FormatError("issuer_not_pinned", sub_indication="NO_SIGNING_CERTIFICATE_FOUND")
    return paths


def verify_code(text: str, signers: Sequence[chain.Path], *, suites: Iterable[str], at: datetime) -> VerifiedCode:
    """Judge a code at the aware time *at* by *signers* (see `trusted_signers`) and the allowed *suites*.

    1. the form; 2. the signer by its key id; 3. the signature; 4. the signer is of the issuer and may sign licences;
    5. its chain was valid at the time of issue; 6. the licence is within its validity. The status is not looked at: a
    licence that was revoked passes here.

    Raises:
        FormatError: a step failed; sub-indications ``NO_SIGNING_CERTIFICATE_FOUND``, ``SIG_CRYPTO_FAILURE``,
            ``SIG_CONSTRAINTS_FAILURE``, ``EXPIRED``, ``NOT_YET_VALID`` or ``FORMAT_FAILURE``.
        ValueError: *at* is naive: an error of the calling program.
    """
    if at.tzinfo is None:
        raise ValueError("verify_code: `at` must carry its time zone")
    parsed = parse_code(text)
    face = parsed.face
    signer = _signer(parsed.message, signers, frozenset(suites))
    _check_signer(signer, face)
    starts = max(face.valid_from, face.issued_at)
    if at < starts:
        raise FormatError("licence_not_yet_valid", sub_indication="NOT_YET_VALID", limit=_iso(starts))
    if face.valid_until is not None and at >= face.valid_until:
        raise FormatError("licence_expired", sub_indication="EXPIRED", limit=_iso(face.valid_until))
    return VerifiedCode(face, signer)


def _signer(message: cose.Sign1, signers: Sequence[chain.Path], suites: frozenset[str]) -> chain.Path:
    """Steps 2 and 3. Eight bytes may name two certificates: the signature tells which."""
    named = [path for path in signers if cose.key_id(path.leaf) == message.kid]
    if not named:
        raise FormatError("code_signer_unknown", sub_indication="NO_SIGNING_CERTIFICATE_FOUND", kid=message.kid.hex())
    for path in named[:-1]:
        try:
            cose.verify(message, chain.public_key(path.leaf), suites)
        except FormatError:
            continue
        return path
    cose.verify(message, chain.public_key(named[-1].leaf), suites)
    return named[-1]


def _check_signer(signer: chain.Path, face: ShortFace) -> None:
    """Steps 4 and 5."""
    if LICENCE_SIGNING not in signer.purposes:
        raise FormatError("issuer_purpose", sub_indication="SIG_CONSTRAINTS_FAILURE")
    if signer.organisation_code != face.identifier.issuer:
        raise FormatError(
            "issuer_code_differs",
            sub_indication="SIG_CONSTRAINTS_FAILURE",
            claimed=face.identifier.issuer,
            certified=signer.organisation_code or "?",
        )
    signed = _iso(face.issued_at)
    if face.issued_at > signer.ends:
        limit = _iso(signer.ends)
        raise FormatError("certificate_expired_at_signing", sub_indication="EXPIRED", signed=signed, limit=limit)
    if face.issued_at < signer.starts:
        limit = _iso(signer.starts)
        raise FormatError(
            "certificate_not_yet_valid_at_signing", sub_indication="NOT_YET_VALID", signed=signed, limit=limit
        )


def _shorter(face: ShortFace) -> Iterator[ShortFace]:
    yield face
    without = replace(face, kind_name="")
    yield without
    for length in range(len(face.holder_name) - 1, 0, -1):
        yield replace(without, holder_name=face.holder_name[:length] + _SHORTENED)


def _plain(face: ShortFace) -> dict[int, Any]:
    claims: dict[int, Any] = {
        _NBF: int(face.valid_from.timestamp()),
        _IAT: int(face.issued_at.timestamp()),
        _FACE: [
            _VERSION,
            _pack(face.identifier),
            face.kind_name,
            face.holder_name,
            face.holder_code,
            face.list_number,
            face.idx,
        ],
    }
    if face.valid_until is not None:
        claims[_EXP] = int(face.valid_until.timestamp())
    return claims


def _pack(identifier: Identifier) -> bytes:
    """The identifier without root and check, as one number in base 36; a leading 1 keeps leading zeros."""
    number = 1
    for character in f"{identifier.type_code}{identifier.issuer}{identifier.version:03d}{identifier.serial}":
        number = number * len(ALPHABET) + ALPHABET.index(character)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _unpack(packed: object) -> Identifier:
    bad = FormatError("code_face_invalid", part="identifier")
    if not isinstance(packed, bytes):
        raise bad
    # No longer than the code itself: some four hundred digits.
    number = int.from_bytes(packed, "big")
    digits: list[str] = []
    while number > 1:
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    text = "".join(reversed(digits))
    version = text[_FIXED - VERSION_LENGTH : _FIXED]
    if not version.isdecimal():
        raise bad
    try:
        found = Identifier(text[:TYPE_LENGTH], text[TYPE_LENGTH:][:ISSUER_LENGTH], text[_FIXED:], int(version))
    except IdentifierError:
        raise bad from None
    # The one spelling: nothing before the leading 1, and no other number in its place.
    if _pack(found) != packed:
        raise bad
    return found


def _text(value: object, part: str) -> str:
    if not isinstance(value, str):
        raise FormatError("code_face_invalid", part=part)
    return value


def _number(value: object, part: str) -> int:
    if not isinstance(value, int) or not 0 <= value < MAX_LIST_NUMBER:
        raise FormatError("code_face_invalid", part=part)
    return value


def _time(value: object) -> datetime:
    if not isinstance(value, int) or not 0 <= value <= MAX_NUMERIC_DATE:
        raise FormatError("code_face_invalid", part="time")
    return datetime.fromtimestamp(value, UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
