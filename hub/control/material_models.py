"""The tables of e-materials (电子材料): what was taken in, and each use of it since.

Only the shape; who may take in, reuse and declare void is `hub.materials`' affair. The files lie beside the database.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class MaterialRow(Base):
    """A paper that may be reused. *standing* is one for each holder, department and file, and NULL once it is void.

    *digest* names its file; *erased_at* is when that was let go of. *holder_hash* is keyed: no holder is named here.
    """

    __tablename__ = "materials"
    identifier: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(String(80), index=True)
    media_type: Mapped[str] = mapped_column(String(130))
    size_bytes: Mapped[int]
    holder_hash: Mapped[str] = mapped_column(String(80), index=True)
    origin: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str] = mapped_column(String(100), index=True)
    matter: Mapped[str]
    case_number: Mapped[str] = mapped_column(String(200), default="")
    taken_by: Mapped[str]
    taken_at: Mapped[datetime]
    original_seen: Mapped[bool]
    reuse_units: Mapped[list[Any]] = mapped_column(JSON)
    reuse_matters: Mapped[list[Any]] = mapped_column(JSON)
    needs_consent: Mapped[bool]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[str] = mapped_column(String(200), default="")
    void_reason: Mapped[str] = mapped_column(Text, default="")
    log_index: Mapped[int]
    void_log_index: Mapped[int | None]
    erased_at: Mapped[datetime | None]
    standing: Mapped[str | None] = mapped_column(String(64), unique=True)


class MaterialUseRow(Base):
    """One use of a material in a later case: who, for which matter, by whose consent, and the entry that tells it."""

    __tablename__ = "material_uses"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    material: Mapped[str] = mapped_column(String(64), index=True)
    unit: Mapped[str] = mapped_column(String(100))
    used_by: Mapped[str]
    matter: Mapped[str]
    case_number: Mapped[str]
    purpose: Mapped[str] = mapped_column(Text)
    consent: Mapped[bool]
    used_at: Mapped[datetime]
    log_index: Mapped[int]
