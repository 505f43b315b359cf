"""The tables of seals, of those who keep them, and of their use.

Only the shape; `licence.seals.register` and `licence.seals.cloud` say which step is allowed, `hub.seals` takes it.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class SealRow(Base):
    """A seal (电子印章) of the register, from its request on; a new custodian's is a *version* of its own.

    *made* is the SESeal in DER, None until it is made. *auto* says what the hub may use it for by itself, if anything.
    """

    __tablename__ = "seals"
    code: Mapped[str] = mapped_column(String(80), primary_key=True)
    family: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    sort: Mapped[str] = mapped_column(String(20))
    name: Mapped[str]
    department: Mapped[str] = mapped_column(String(100), index=True)
    custodian: Mapped[str]
    state: Mapped[str] = mapped_column(String(30))
    structure: Mapped[int]  # of the SESeal: 5 or 4
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    picture_digest: Mapped[str] = mapped_column(String(80))
    width_mm: Mapped[int]
    height_mm: Mapped[int]
    made: Mapped[bytes | None] = mapped_column(LargeBinary)
    seal_digest: Mapped[str] = mapped_column(String(80), default="", index=True)
    auto: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    changed_at: Mapped[datetime]
    log_index: Mapped[int]
    history: Mapped[list[Any]] = mapped_column(JSON, default=list)
    __table_args__ = (UniqueConstraint("family", "version"),)


class SealUseRow(Base):
    """A use of a seal (用印记录), written before the signature is made; *state* says whether it is known to be made.

    *count* documents were sealed together; *document_digest* is the one's, or that of all their digests in order.
    """

    __tablename__ = "seal_uses"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    seal: Mapped[str] = mapped_column(String(80))
    by: Mapped[str]
    at: Mapped[datetime]
    purpose: Mapped[str]
    form: Mapped[str] = mapped_column(String(20))
    automatic: Mapped[bool]
    count: Mapped[int]
    document_digest: Mapped[str] = mapped_column(String(80))
    approval: Mapped[str] = mapped_column(String(40), default="")
    state: Mapped[str] = mapped_column(String(20))
    signature_digest: Mapped[str] = mapped_column(String(80), default="")
    log_index: Mapped[int]
    __table_args__ = (Index(None, "seal", "at"),)


class SealApprovalRow(Base):
    """A request to one person for one signature (云签), and what came of it."""

    __tablename__ = "seal_approvals"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person: Mapped[str]
    seal: Mapped[str] = mapped_column(String(80))
    form: Mapped[str] = mapped_column(String(20))
    document_digest: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(200), default="")
    purpose: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))
    failures: Mapped[int]
    log_index: Mapped[int]
    __table_args__ = (Index(None, "person", "state"),)


class SealSignerRow(Base):
    """A person's own key for remote signatures; *number* counts the keys of one *person*, one of which is in force.

    *key* opens with the PIN and the hub's secret together, *otp* with the hub's secret; *otp_step* is the last time
    step whose password was used, and *failures* counts wrong proofs since the last right one.
    """

    __tablename__ = "seal_signers"
    person: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    department: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(20))
    certificates: Mapped[list[Any]] = mapped_column(JSON)
    serial: Mapped[str] = mapped_column(String(80))
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    otp: Mapped[bytes] = mapped_column(LargeBinary)
    otp_step: Mapped[int]
    failures: Mapped[int]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    log_index: Mapped[int]


class SealRegisterRow(Base):
    """The published register of seal states: how many versions there are, and the newest one's digest.

    *dirty* while a change waits to be published.
    """

    __tablename__ = "seal_registers"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(80))
    dirty: Mapped[bool]
    published_at: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    log_index: Mapped[int | None]
