"""The tables of licences, of their status lists and of batches that officers run.

Only the shape; what a row means for a licence is `hub.licensing`'s affair.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base

# A holder has one licence about one thing at a time; while it is renewed, the new version waits beside it.
STANDING = text("state IN ('pending', '01', '02') AND NOT replacing")


class LicenceRow(Base):
    """An electronic licence (电子证照) that was issued, its state and the history of its states.

    *holder_hash* is the keyed hash of what the licence is about, *owner_hash* that of its holder alone, whatever the
    kind. *segment*, *segment_offset* and *sealed_bytes* say where its credential lies in the store; a row of before
    there was one has *bundle_path*. *key_id* is the SHA-256 of the certificate it was signed with. *replacing*: the
    version after *predecessor*, which still holds. *dossier* is the case, or the run of a batch, that decided it.
    """

    __tablename__ = "licences"
    identifier: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    holder_hash: Mapped[str] = mapped_column(String(80), index=True)
    owner_hash: Mapped[str] = mapped_column(String(80), default="", index=True)
    resource: Mapped[str] = mapped_column(String(100))
    status_list: Mapped[str]
    status_index: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    issued_at: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    credential_digest: Mapped[str] = mapped_column(String(80))
    log_index: Mapped[int | None]
    bundle_path: Mapped[str | None] = mapped_column(Text)
    segment: Mapped[int | None]
    segment_offset: Mapped[int | None]
    sealed_bytes: Mapped[int | None]
    key_id: Mapped[str] = mapped_column(String(64), default="")
    predecessor: Mapped[str] = mapped_column(String(200), default="")
    dossier: Mapped[str] = mapped_column(String(100), default="", index=True)
    replacing: Mapped[bool] = mapped_column(default=False)
    history: Mapped[list[Any]] = mapped_column(JSON, default=list)
    __table_args__ = (
        # Two licences in one slot of a status list would be revoked together.
        UniqueConstraint("status_list", "status_index"),
        # What did this key sign since then?
        Index(None, "key_id", "issued_at"),
        Index(
            "uq_licences_standing", "kind", "holder_hash", unique=True, sqlite_where=STANDING, postgresql_where=STANDING
        ),
    )


class StatusListRow(Base):
    """A licence status list: how many of its slots are taken, and the last token that was published.

    *token_digest* is NULL while a change waits to be published; *version* counts the tokens, and *last_digest* is the
    newest one's. A list of before tokens were counted has version 0.
    """

    __tablename__ = "status_lists"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]  # slots
    next_index: Mapped[int]
    published_at: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    token_digest: Mapped[str | None] = mapped_column(String(80))
    log_index: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=0)
    last_digest: Mapped[str] = mapped_column(String(80), default="")


class LicenceRunRow(Base):
    """A batch of licences as an officer runs it (批量签发): how far it is, and what it came to.

    *behind* is the state that it failed in. *first* and *second* are the officers. *planned* and *compared* are the
    counts of the dry run and of the comparison, with their log entries. *claimed_by* has it until *lease_until*.
    """

    __tablename__ = "licence_runs"
    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    department: Mapped[str] = mapped_column(String(100), index=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    behind: Mapped[str] = mapped_column(String(20), default="")
    first: Mapped[str] = mapped_column(String(200))
    second: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    ground: Mapped[str] = mapped_column(Text, default="")
    planned: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    compared: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    total: Mapped[int] = mapped_column(default=0)  # licences
    done: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    claimed_by: Mapped[str] = mapped_column(String(60), default="")
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class LicenceRunLineRow(Base):
    """A row that a run tells of: of its dry run (*part* ``plan``) or comparison (``compare``), without personal data.

    *key* is the short keyed digest of what it is about, *holder* the holder's code as public places may show it.
    """

    __tablename__ = "licence_run_lines"
    run: Mapped[str] = mapped_column(String(20), primary_key=True)
    part: Mapped[str] = mapped_column(String(10), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(60), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    row: Mapped[int] = mapped_column(default=0)
    key: Mapped[str] = mapped_column(String(32), default="")
    holder: Mapped[str] = mapped_column(String(200), default="")
    licence: Mapped[str] = mapped_column(String(200), default="")
    fields: Mapped[list[str]] = mapped_column(JSON, default=list)
