"""Issuing as a pure function: the facts of an authoritative record in, a sealed licence out.

Reading the record, drawing salts and serials, logging and storing belong to `hub`; a sealed licence is handed out only
after its log entry is durable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from licence import predicates
from licence.credential import Claim, digest_of, seal
from licence.errors import FactsIncompleteError, IssueRefusedError
from licence.model import CHINA_TIME, HOLDER_TYPES, LicenceKind, SealedLicence, StatusRef
from licence.profile import VCT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from licence.identifiers import LicenceIdentifier
    from licence.keys import SigningKey
    from licence.wallet.jwk import HolderKey

METADATA_CLAIMS = 13


def salts_needed(kind: LicenceKind) -> int:
    """How many salts of 16 bytes `issue` may use for a licence of this kind."""
    return METADATA_CLAIMS + len(kind.face) + len(kind.predicates)


def issue(
    kind: LicenceKind,
    facts: Mapping[str, str | int | bool | None],
    *,
    identifier: LicenceIdentifier,
    issued_at: datetime,
    valid_until: datetime | None,
    key: SigningKey,
    status_ref: StatusRef,
    salts: Sequence[bytes],
    valid_from: datetime | None = None,
    number: str = "",
    issuer_name: str = "",
    holder: HolderKey | None = None,
) -> SealedLicence:
    """Seal a licence of *kind* from *facts* (resource field → value; None and "" count as empty).

    Times must be aware; whole seconds count. *number* is the printed number (ZZBH), by default the serial.
    *issuer_name* is ZZBFJG, by default the name of the defining authority. *holder*: the key of the holder's wallet to
    bind the licence to (``cnf``), P-256 or Ed25519, whose possession was proved; None: to none.

    Raises:
        FactsIncompleteError: required fields of the face, or the holder, are empty.
        FaceValueError: a field's value is not of its type.
        IssueRefusedError: identifier, key, validity or salts contradict each other, or a predicate cannot be computed.
        FormatError: the holder's key is of another kind.
    """
    starts = valid_from or issued_at
    if any(t is not None and t.tzinfo is None for t in (issued_at, starts, valid_until)):
        raise IssueRefusedError("time_not_aware")
    if valid_until is not None and valid_until <= starts:
        raise IssueRefusedError("licence_validity_empty")
    if identifier.type_code != kind.code:
        raise IssueRefusedError("identifier_of_other_kind", kind=kind.code)
    if key.organisation_code != identifier.issuer:
        raise IssueRefusedError("identifier_of_other_issuer", issuer=identifier.issuer, key=key.organisation_code)
    jti = str(identifier)
    names = Names(number or identifier.serial, jti, issuer_name or kind.authority, identifier.issuer)
    claims = claims_of(kind, facts, names, issued_at=issued_at, valid_from=starts, valid_until=valid_until)
    credential = seal(
        key,
        jti=jti,
        vct=VCT_PREFIX + kind.code,
        issued_at=int(issued_at.timestamp()),
        not_before=int(starts.timestamp()),
        expires_at=None if valid_until is None else int(valid_until.timestamp()),
        status=status_ref,
        claims=list(claims.items()),
        salts=salts,
        holder=holder,
    )
    return SealedLicence(
        credential=credential,
        identifier=jti,
        digest=digest_of(credential.partition("~")[0]),
        kind=kind.code,
        status_ref=status_ref,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """What a licence is called, and who issues it: printed *number*, *identifier*, and the issuer's name and code."""

    number: str
    identifier: str
    issuer_name: str
    issuer: str


def claims_of(
    kind: LicenceKind,
    facts: Mapping[str, str | int | bool | None],
    names: Names,
    *,
    issued_at: datetime,
    valid_from: datetime,
    valid_until: datetime | None,
) -> dict[str, Claim]:
    """What a licence says, in the order in which it is sealed; nothing is signed.

    Raises: FactsIncompleteError, FaceValueError and IssueRefusedError, as `issue`.
    """
    day = _day(issued_at)
    ends = None if valid_until is None else _day(valid_until)
    claims: dict[str, Claim] = {
        # GB/T 36903 metadata as inferred from public implementations; dates as YYYY-MM-DD, China time.
        "ZZMC": kind.name,
        "ZZLXDM": kind.code,
        "ZZBH": names.number,
        "ZZBS": names.identifier,
        "ZZBFJG": names.issuer_name,
        "ZZBFJGDM": names.issuer,
        "CZZT": _text(facts.get(kind.holder_name_field)),
        "CZZTDM": _text(facts.get(kind.holder_field)),
        "CZZTDMLX": HOLDER_TYPES[kind.holder_type],
        "CZZTDMLXDM": kind.holder_type,
        "ZZBFRQ": day.isoformat(),
        "ZZYXQQSRQ": (day if valid_from is issued_at else _day(valid_from)).isoformat(),
    }
    if ends is not None:
        claims["ZZYXQJZRQ"] = ends.isoformat()
    claims |= face(kind, facts)
    if kind.predicates:
        # Last, so that what went before keeps its salts. Days are those of China, as in ZZBFRQ.
        claims |= predicates.state(kind, facts, day, ends)
    return claims


def face(kind: LicenceKind, facts: Mapping[str, str | int | bool | None]) -> dict[str, str]:
    """What the face of a licence of *kind* says of a record: ``KZ_*`` name → text; empty fields are left out.

    Raises: FactsIncompleteError and FaceValueError, as `issue`.
    """
    found, complete = {}, bool(_text(facts.get(kind.holder_field)) and _text(facts.get(kind.holder_name_field)))
    for field in kind.face:
        value = _text(facts.get(field.field))
        if value:
            found[field.name] = field, value
        elif field.required:
            complete = False
    if not complete:
        needed = [kind.holder_field, kind.holder_name_field, *(f.field for f in kind.face if f.required)]
        empty = [name for name in dict.fromkeys(needed) if not _text(facts.get(name))]
        raise FactsIncompleteError(kind=kind.code, fields=", ".join(f"`{n}`" for n in empty))
    return {name: field.accept(value) for name, (field, value) in found.items()}


def _text(value: str | int | bool | None) -> str:  # noqa: FBT001 - a wire value
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value).strip()


def _day(at: datetime) -> date:
    return at.astimezone(CHINA_TIME).date()
