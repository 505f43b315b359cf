"""Whom a provider of single sign-on means by a subject: bound to one person, until somebody ends it.

A subject is never given to another person by its issuer (OpenID Connect Core §5.7); logins, names and mail are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.control import SessionRow, SubjectRow
from hub.people.errors import OwnDutiesError, PersonInvalidError
from hub.people.register import is_own

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.people.register import People, Person


@dataclass(frozen=True, slots=True)
class Binding:
    """That a subject of *issuer* means a person, *since* when; which subject is kept as a digest alone."""

    issuer: str
    since: datetime


class Subjects:
    """The subjects of one deployment. Safe for many threads and processes."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.control = people.control
        self.evidence = people.evidence

    def bind(self, who: str, issuer: str, subject: str, *, by: Actor) -> None:
        """Let *subject* of *issuer* in as this person, instead of the one who was before.

        Raises:
            PersonUnknownError: nobody is registered so.
            PersonInvalidError: there is no subject, or it is bound to somebody else.
            OwnDutiesError: whoever does it has the person's own post.
        """
        if not subject or not issuer:
            raise PersonInvalidError(where="subject", why="a subject is needed", why_zh="请填写用户标识")
        person = self.people.get(who)
        _need_another(person, by)
        with self.control.writing() as connection:
            bound = self.person_of(connection, issuer, subject)
            if bound == person.id:
                return
            if bound is not None:
                raise PersonInvalidError(where="subject", why="it is bound to somebody else", why_zh="已绑定其他用户")
            self._forget(connection, person.id)
            self.put(connection, person.id, issuer, subject, by=str(by))

    def unbind(self, who: str, *, by: Actor) -> bool:
        """Let no subject in as this person any more, and end all sessions; whether one was bound.

        Raises:
            PersonUnknownError: nobody is registered so.
            OwnDutiesError: whoever does it has the person's own post.
        """
        person = self.people.get(who)
        _need_another(person, by)
        with self.control.writing() as connection:
            if not self.is_bound(connection, person.id):
                return False
            facts = {"person": person.id, "post": str(person.actor)}
            self.evidence.append("person.unbound", actor=str(by), facts=facts)
            self._forget(connection, person.id)
            return True

    def binding(self, person: str) -> Binding | None:
        """What binds the person of this number; None: nothing does."""
        query = sa.select(SubjectRow.issuer, SubjectRow.bound_at).where(SubjectRow.person == person)
        with self.control.reading() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else Binding(found.issuer, found.bound_at)

    def person_of(self, connection: Connection, issuer: str, subject: str) -> str | None:
        """The number of the person whom *subject* of *issuer* means."""
        query = sa.select(SubjectRow.person).where(SubjectRow.digest == _digest(issuer, subject))
        return connection.execute(query).scalar_one_or_none()

    def is_bound(self, connection: Connection, person: str) -> bool:
        """Whether a subject is bound to this person."""
        return connection.execute(sa.select(SubjectRow.digest).where(SubjectRow.person == person)).first() is not None

    def put(self, connection: Connection, person: str, issuer: str, subject: str, *, by: str) -> None:
        """Bind within a transaction of whoever knows that both are free."""
        row = {
            "digest": _digest(issuer, subject),
            "issuer": issuer,
            "person": person,
            "bound_at": self.evidence.clock(),
        }
        known = self.people.person_of(connection, person)
        post = str(known.actor) if known is not None else ""
        # The entry first, as with every change of a person.
        self.evidence.append("person.bound", actor=by, facts={"person": person, "post": post, "issuer": issuer})
        connection.execute(sa.insert(SubjectRow).values(row))

    def _forget(self, connection: Connection, person: str) -> None:
        connection.execute(sa.delete(SubjectRow).where(SubjectRow.person == person))
        connection.execute(sa.delete(SessionRow).where(SessionRow.person == person))


def _need_another(person: Person, by: Actor) -> None:
    # Whoever is let in as a person has the person's duties: a binding of the own post is as good as a duty given to it.
    if is_own(by, person.department, person.post):
        raise OwnDutiesError


def _digest(issuer: str, subject: str) -> str:
    return hashlib.sha256(f"{issuer}\n{subject}".encode("utf-8", "surrogatepass")).hexdigest()
