"""The tables of certificates that were made out, of keys that changed, and of revocations.

Only the shape; which key signs when is `hub.authority`'s affair.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class CertificateRow(Base):
    """A certificate of the licence side, of an authority or of a leaf, and when its key signs.

    *key_id* is the SHA-256 of the certificate; *name* says whose it is (``root``, ``department-GA``), *number* which of
    his it is, from 1. *keeper* is empty for a key file, otherwise the address of who keeps the key, or ``apart`` for a
    key that is not on this machine. The key signs from *signs_from* until the next one's.
    """

    __tablename__ = "certificates"
    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), index=True)  # hexadecimal
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    department: Mapped[str] = mapped_column(String(100), default="")
    suite: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    keeper: Mapped[str] = mapped_column(Text, default="")
    issuer: Mapped[str] = mapped_column(String(64), default="")  # key_id of the authority; empty for a root
    der: Mapped[bytes] = mapped_column(LargeBinary)
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    signs_from: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    invalid_since: Mapped[datetime | None]
    revoked_for: Mapped[str] = mapped_column(String(40), default="")  # the reason by RFC 5280's word
    ground: Mapped[str] = mapped_column(Text, default="")
    log_index: Mapped[int | None]
    __table_args__ = (UniqueConstraint("name", "suite", "number"),)


class RevocationListRow(Base):
    """The newest revocation list (证书撤销列表) of one authority."""

    __tablename__ = "revocation_lists"
    authority: Mapped[str] = mapped_column(String(64), primary_key=True)  # key_id of its certificate
    number: Mapped[int]
    this_update: Mapped[datetime]
    next_update: Mapped[datetime]
    der: Mapped[bytes] = mapped_column(LargeBinary)
    log_index: Mapped[int | None]
