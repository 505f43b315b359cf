"""The tables of people who use the portal, of their sessions, and of what they hand to each other for a time.

Only the shape; who may be what is `hub.people.duties`, signing in is `hub.people.sessions`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class PersonRow(Base):
    """A person who may sign in: *login* in lower case; *post* is what stands in the log instead of the *name*.

    *password* is an Argon2id hash, "" where another system signs the person in; *code_secret* the sealed secret of
    one-time codes, "" before there is one; *code_step* the last step whose code was taken, −1: never confirmed.
    *failures* in a row, since which nothing is tried before *waits_until*.
    """

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    login: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    department: Mapped[str] = mapped_column(String(100), index=True)
    post: Mapped[str] = mapped_column(String(80))
    duties: Mapped[list[Any]] = mapped_column(JSON, default=list)
    password: Mapped[str] = mapped_column(String(200), default="")
    must_change: Mapped[bool] = mapped_column(default=False)
    code_secret: Mapped[str] = mapped_column(String(200), default="")
    code_step: Mapped[int] = mapped_column(default=-1)
    failures: Mapped[int] = mapped_column(default=0)
    waits_until: Mapped[datetime | None]
    added_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    wishes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    __table_args__ = (Index(None, "department", "post"),)


class SessionRow(Base):
    """A browser that somebody signed in with; *digest* is SHA-256 of what its cookie holds.

    *proved*: everything that was due was shown; before that the session opens the page of the code and no other.
    *provided*: single sign-on let the person in, and nobody asks for a password that was never used; *vouched*: the
    provider says that it asked for a second factor.
    """

    __tablename__ = "people_sessions"
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    person: Mapped[str] = mapped_column(String(40), index=True)
    token: Mapped[str] = mapped_column(String(60))  # of forms, against requests that other sites make
    proved: Mapped[bool]
    provided: Mapped[bool] = mapped_column(default=False)
    vouched: Mapped[bool] = mapped_column(default=False)
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class DelegationRow(Base):
    """What one person hands to another of the same department for a time (委托授权)."""

    __tablename__ = "people_delegations"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    giver: Mapped[str] = mapped_column(String(40), index=True)
    taker: Mapped[str] = mapped_column(String(40), index=True)
    duties: Mapped[list[Any]] = mapped_column(JSON, default=list)
    reason: Mapped[str] = mapped_column(Text)
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class SubjectRow(Base):
    """Whom a provider of single sign-on means: *digest* is SHA-256 of issuer and subject, which never name another."""

    __tablename__ = "people_subjects"
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(500))
    person: Mapped[str] = mapped_column(String(40), unique=True)
    bound_at: Mapped[datetime]


class SignOnRow(Base):
    """A browser that was sent to the provider; *digest* is SHA-256 of the state, *browser* of what its cookie holds."""

    __tablename__ = "people_sign_ons"
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    browser: Mapped[str] = mapped_column(String(80))
    next: Mapped[str] = mapped_column(Text)
    begun_at: Mapped[datetime] = mapped_column(index=True)
