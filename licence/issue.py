"""Issuing as a pure function: the facts of an authoritative record in, a sealed licence out.

Reading the record, drawing salts and serials, logging and storing belong to `hub`; a sealed licence is handed out only
after its log entry is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from licence.credential import Claim, digest_of, seal
from licence.errors import FactsIncompleteError, IssueRefusedError
from licence.model import CHINA_TIME, HOLDER_TYPES, LicenceKind, SealedLicence, StatusRef
from licence.profile import VCT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from licence.identifiers import LicenceIdentifier
    from licence.keys import SigningKey

METADATA_CLAIMS = 13


def salts_needed(kind: LicenceKind) -> int:
    """How many salts of 16 bytes `issue` may use for a licence of this kind."""
    return METADATA_CLAIMS + len(kind.face)


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
) -> SealedLicence:
    """Seal a licence of *kind* from *facts* (resource field → value; None and "" count as empty).

    Times must be aware; whole seconds count. *number* is the printed number (ZZBH), by default the serial.
    *issuer_name* is ZZBFJG, by default the name of the defining authority.

    Raises:
        FactsIncompleteError: required fields of the face, or the holder, are empty.
        FaceValueError: a field's value is not of its type.
        IssueRefusedError: identifier, key, validity or salts contradict each other.
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
    claims = _metadata(kind, facts, identifier, issuer_name or kind.authority, number or identifier.serial)
    claims["ZZBFRQ"] = _date(issued_at)
    claims["ZZYXQQSRQ"] = _date(starts)
    if valid_until is not None:
        claims["ZZYXQJZRQ"] = _date(valid_until)
    claims |= _face(kind, facts)
    credential = seal(
        key,
        jti=str(identifier),
        vct=VCT_PREFIX + kind.code,
        issued_at=int(issued_at.timestamp()),
        not_before=int(starts.timestamp()),
        expires_at=None if valid_until is None else int(valid_until.timestamp()),
        status=status_ref,
        claims=list(claims.items()),
        salts=salts,
    )
    return SealedLicence(
        credential=credential,
        identifier=str(identifier),
        digest=digest_of(credential.partition("~")[0]),
        kind=kind.code,
        status_ref=status_ref,
    )


def _metadata(
    kind: LicenceKind,
    facts: Mapping[str, str | int | bool | None],
    identifier: LicenceIdentifier,
    issuer_name: str,
    number: str,
) -> dict[str, Claim]:
    # GB/T 36903 metadata as inferred from public implementations; dates as YYYY-MM-DD, China time.
    return {
        "ZZMC": kind.name,
        "ZZLXDM": kind.code,
        "ZZBH": number,
        "ZZBS": str(identifier),
        "ZZBFJG": issuer_name,
        "ZZBFJGDM": identifier.issuer,
        "CZZT": _text(facts.get(kind.holder_name_field)),
        "CZZTDM": _text(facts.get(kind.holder_field)),
        "CZZTDMLX": HOLDER_TYPES[kind.holder_type],
        "CZZTDMLXDM": kind.holder_type,
    }


def _face(kind: LicenceKind, facts: Mapping[str, str | int | bool | None]) -> dict[str, Claim]:
    needed = [kind.holder_field, kind.holder_name_field, *(f.field for f in kind.face if f.required)]
    empty = [name for name in dict.fromkeys(needed) if not _text(facts.get(name))]
    if empty:
        raise FactsIncompleteError(kind=kind.code, fields=", ".join(f"`{n}`" for n in empty))
    return {f.name: f.accept(value) for f in kind.face if (value := _text(facts.get(f.field)))}


def _text(value: str | int | bool | None) -> str:  # noqa: FBT001 - a wire value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value).strip()


def _date(at: datetime) -> str:
    return at.astimezone(CHINA_TIME).date().isoformat()
