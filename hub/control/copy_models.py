"""The tables of copies of licences for one purpose, of signatures on documents, and of one-time codes.

Only the shape; what a row means is `hub.licensing.downloads`', `hub.licensing.documents`' and `hub.licensing.codes`'
affair. No row holds a name or number of a holder.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class LicenceCopyRow(Base):
    """A copy of a licence that was handed out: to whom, for which matter and why, until when, and its log entry.

    *form* is the file's (pdf, ofd, …), *template* the version it was drawn with, *made_by* the department's name as it
    stands on it, *reason* the 使用事由.
    """

    __tablename__ = "licence_copies"
    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    licence: Mapped[str] = mapped_column(String(200), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    form: Mapped[str] = mapped_column(String(20))
    template: Mapped[str] = mapped_column(String(80))
    department: Mapped[str] = mapped_column(String(100), index=True)
    requester: Mapped[str]
    made_by: Mapped[str]
    matter: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    valid_until: Mapped[datetime]
    log_index: Mapped[int]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str] = mapped_column(default="")
    withdrawn_why: Mapped[str] = mapped_column(Text, default="")


class DocumentSignatureRow(Base):
    """The one signature on a document of a licence; the document itself is drawn again whenever it is asked for.

    *copy_id* is a copy's id, "" for the licence's own document. *chain* (digests, one after another) and *seal* name
    `DocumentPartRow`s. *value* is the signature as DER, or for a seal the value within the SES_Signature.
    """

    __tablename__ = "document_signatures"
    licence: Mapped[str] = mapped_column(String(200), primary_key=True)
    form: Mapped[str] = mapped_column(String(20), primary_key=True)
    template: Mapped[str] = mapped_column(String(80), primary_key=True)
    copy_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    signed_at: Mapped[datetime]
    suite: Mapped[str] = mapped_column(String(40))
    chain: Mapped[str] = mapped_column(Text)
    seal: Mapped[str] = mapped_column(String(64))
    value: Mapped[bytes] = mapped_column(LargeBinary)


class DocumentPartRow(Base):
    """What many documents share: a certificate or a seal, by the SHA-256 of its DER."""

    __tablename__ = "document_parts"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class OneTimeCodeRow(Base):
    """A one-time code (动态码) by the keyed digest of its handle: who reads this can redeem nothing."""

    __tablename__ = "one_time_codes"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    licence: Mapped[str] = mapped_column(String(200))
    minted_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    spent_at: Mapped[datetime | None]
