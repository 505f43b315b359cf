"""The table of what departments edit in their parts of the list before they send it for review.

Only the shape; what is done with it is `hub.parts`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class PartRow(Base):
    """The part of one *department* as it is being edited: its *rows* of texts by table, begun from version *base*.

    *revision* counts the edits, so that two who edit at once are told apart.
    """

    __tablename__ = "list_parts"
    department: Mapped[str] = mapped_column(String(100), primary_key=True)
    base: Mapped[str] = mapped_column(String(80))
    rows: Mapped[dict[str, Any]] = mapped_column(JSON)
    revision: Mapped[int]
    edited_by: Mapped[str] = mapped_column(String(200))
    edited_at: Mapped[datetime]
