"""The table of what people follow (关注): resources, departments, demands.

Only the shape; what is told of them is `hub.following`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class FollowRow(Base):
    """One thing that *person* follows: of this *kind*, with this *code*, *since* then."""

    __tablename__ = "people_follows"
    person: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    code: Mapped[str] = mapped_column(String(100), primary_key=True)
    since: Mapped[datetime]
