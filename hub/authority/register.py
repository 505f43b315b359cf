"""Rows of certificates: what is known of each key, and which of a name signs at a time.

Only certificates are here; keys are files of `hub.authority.store`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.control import CertificateRow, RevocationListRow, row_dict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

ROOT_ROLE, ISSUING_ROLE = "root", "issuing"
AUTHORITIES = frozenset({ROOT_ROLE, ISSUING_ROLE})
# The private key is not on this machine.
APART = "apart"
ORGANISATION = x509.NameOID.ORGANIZATION_IDENTIFIER


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate as the register keeps it; see `hub.control.CertificateRow`."""

    key_id: str
    serial: str
    name: str
    role: str
    department: str
    suite: str
    number: int
    keeper: str
    issuer: str
    der: bytes
    starts: datetime
    ends: datetime
    signs_from: datetime
    revoked_at: datetime | None = None
    invalid_since: datetime | None = None
    revoked_for: str = ""
    ground: str = ""
    log_index: int | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_der_x509_certificate(self.der)

    @property
    def authority(self) -> bool:
        """Whether it certifies others."""
        return self.role in AUTHORITIES


def key_id_of(certificate: x509.Certificate) -> str:
    """The SHA-256 of the certificate's DER in hex: what licences are found by when a key was lost."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def all_kept(connection: Connection) -> tuple[Kept, ...]:
    """Every certificate, in order of name, suite and number."""
    table = CertificateRow.__table__
    query = sa.select(table).order_by(table.c.name, table.c.suite, table.c.number)
    return tuple(Kept(**row_dict(row)) for row in connection.execute(query))


def insert(connection: Connection, one: Kept) -> None:
    """Enter a certificate; one that is there already stays as it is."""
    known = connection.execute(sa.select(CertificateRow.key_id).where(CertificateRow.key_id == one.key_id)).scalar()
    if known is None:
        values = {name: getattr(one, name) for name in Kept.__slots__}
        connection.execute(sa.insert(CertificateRow).values(**values))


def update(connection: Connection, key_id: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of one certificate."""
    connection.execute(sa.update(CertificateRow).where(CertificateRow.key_id == key_id).values(**values))


def in_force(kept: Iterable[Kept], name: str, suite: str, now: datetime) -> Kept | None:
    """The certificate whose key signs for *name* at *now*: the last that has begun, or None if it was revoked.

    The one before does not sign again in its stead; one revoked before it began never counted. Before any has begun it
    is the first: a clock that runs a little behind stops nobody.
    """
    mine = [k for k in kept if k.name == name and k.suite == suite]
    # Revocations count whole seconds.
    mine = [k for k in mine if k.revoked_at is None or k.revoked_at >= k.signs_from.replace(microsecond=0)]
    begun = [k for k in mine if k.signs_from <= now] or sorted(mine, key=_number)[:1]
    last = max(begun, key=lambda k: (k.signs_from, k.number), default=None)
    return None if last is None or last.revoked_at is not None else last


def next_number(kept: Iterable[Kept], name: str, suite: str) -> int:
    """The number that the next certificate of *name* gets."""
    return max((k.number for k in kept if k.name == name and k.suite == suite), default=0) + 1


def newest_lists(connection: Connection) -> tuple[dict[str, Any], ...]:
    """The newest revocation list of each authority."""
    query = sa.select(RevocationListRow.__table__).order_by(RevocationListRow.authority)
    return tuple(row_dict(row) for row in connection.execute(query))


def keep_list(connection: Connection, authority: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Put the next list of *authority* in the place of its last."""
    connection.execute(sa.delete(RevocationListRow).where(RevocationListRow.authority == authority))
    connection.execute(sa.insert(RevocationListRow).values(authority=authority, **values))


def _number(one: Kept) -> int:
    return one.number


def entry(
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    *,
    name: str,
    role: str,
    suite: str,
    number: int,
    signs_from: datetime,
    department: str = "",
    keeper: str = "",
) -> Kept:
    """What the register keeps of *certificate*, which *issuer* certified (None: a root)."""
    return Kept(
        key_id=key_id_of(certificate),
        serial=f"{certificate.serial_number:x}",
        name=name,
        role=role,
        department=department,
        suite=suite,
        number=number,
        keeper=keeper,
        issuer="" if issuer is None else key_id_of(issuer),
        der=certificate.public_bytes(Encoding.DER),
        starts=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        signs_from=signs_from,
    )
