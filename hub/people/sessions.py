"""Signing in and out of the portal.

By number:

    1. begin: login and password; of a person with one-time codes the session then opens nothing but the page of codes
    2. prove: the code; the session gets another cookie, so that what was known before opens nothing
    3. find: on every request, by what the cookie holds; a session ends after `IDLE` without one, and after `LONGEST`
    4. end

Wrong tries are counted by person: after `FREE_TRIES` each makes the next one wait twice as long, up to an hour. Of a
login that there is not, or that is disabled, the same is said, as late, and it waits likewise. What addresses try is
limited at the door.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import PersonRow, SessionRow, row_dict
from hub.people import passwords
from hub.people.duties import CODED
from hub.people.errors import CodeRefusedError, SignInRefusedError, SignInWaitsError
from licence.errors import SealProofError
from licence.seals import otp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.people.register import People, Person

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=10)  # a working day: nobody is asked twice
FREE_TRIES: Final = 5
FIRST_WAIT_S: Final = 30
DOUBLINGS: Final = 7  # up to an hour and four minutes
# A session is written to only so often; minutes are no matter to `IDLE`.
SEEN_EVERY: Final = timedelta(minutes=1)
_TOKEN_BYTES: Final = 32
# Logins that there are not whose tries are remembered; beyond them the oldest is forgotten.
MAX_STRANGERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that somebody signed in with. *cookie* is known where it was just made; *token* goes into forms.

    Unless *proved* it opens the page of codes alone. *provided*: single sign-on let the person in; *vouched*: and it
    asked for a second factor.
    """

    person: Person
    token: str
    proved: bool
    cookie: str = ""
    provided: bool = False
    vouched: bool = False


class Sessions:
    """The sessions of one deployment. Safe for many threads and processes."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.control = people.control
        self.evidence = people.evidence
        self._strangers = _Strangers()

    def begin(self, login: str, password: str) -> Session:
        """Step 1.

        Raises:
            SignInRefusedError: they do not go together, or the person may not sign in.
            SignInWaitsError: it was tried too often.
        """
        name = login.strip().lower()[:120]
        query = sa.select(PersonRow.__table__).where(PersonRow.login == name, PersonRow.disabled_at.is_(None))
        with self.control.reading() as connection:
            found = connection.execute(query).one_or_none()
        row = None if found is None else row_dict(found)
        self._need_patience(self._strangers.of(name) if row is None else row)
        # Outside any transaction: it takes a tenth of a second, on purpose.
        right = passwords.fits("" if row is None else row["password"], password)
        if row is None:
            self._strangers.failed(name, self._now())
            raise SignInRefusedError
        if not right:
            self._failed(row)
            raise SignInRefusedError
        with self.control.writing() as connection:
            coded = row["code_step"] >= 0
            if not coded:
                self._cleared(connection, row)
            return self._made(connection, row["id"], proved=not coded)

    def enter(self, person_id: str, *, vouched: bool = False) -> Session:
        """A session of somebody whom a provider signed in; codes are asked for unless it *vouched* for a second factor.

        Raises:
            SignInRefusedError: the person may not sign in.
        """
        with self.control.writing() as connection:
            person = self.people.person_of(connection, person_id)
            coded = person is not None and person.coded
            return self._made(connection, person_id, proved=vouched or not coded, provided=True, vouched=vouched)

    def renew(self, session: Session) -> Session:
        """Another session of whoever has *session*, which the same was shown for. Raises: SignInRefusedError."""
        with self.control.writing() as connection:
            return self._made(
                connection, session.person.id, proved=True, provided=session.provided, vouched=session.vouched
            )

    def prove(self, session: Session, code: str) -> Session:
        """Step 2; the session before is no more.

        Raises:
            CodeRefusedError: it is none of now, or was used.
            SignInWaitsError: it was tried too often.
        """
        row = self._row(session.person)
        self._need_patience(row)
        self._taken(row, code)
        with self.control.writing() as connection:
            self._cleared(connection, row)
            connection.execute(
                sa.delete(SessionRow).where(SessionRow.person == row["id"], SessionRow.token == session.token)
            )
            return self._made(connection, row["id"], proved=True, provided=session.provided, vouched=session.vouched)

    def check_password(self, person: Person, password: str) -> None:
        """See that whoever is signed in knows the password.

        Raises:
            SignInRefusedError: it is another one.
            SignInWaitsError: it was tried too often.
        """
        row = self._row(person)
        self._need_patience(row)
        if not passwords.fits(row["password"], password):
            self._failed(row)
            raise SignInRefusedError

    def confirm_code(self, person: Person, code: str) -> None:
        """Take the first code of a new secret: from now on one is asked for. Raises: as `prove`."""
        row = self._row(person)
        self._need_patience(row)
        self._taken(row, code)

    def find(self, cookie: str) -> Session | None:
        """Step 3; None: there is no such session, or it ended."""
        now = self.evidence.clock()
        with self.control.reading() as connection:
            query = sa.select(SessionRow.__table__).where(SessionRow.digest == _digest(cookie))
            row = connection.execute(query).one_or_none()
            if row is None or now - row.seen_at > IDLE or now - row.begun_at > LONGEST:
                return None
            person = self.people.person_of(connection, row.person)
        if person is None:
            return None
        if now - row.seen_at > SEEN_EVERY:
            with self.control.writing() as connection:
                connection.execute(sa.update(SessionRow).where(SessionRow.digest == row.digest).values(seen_at=now))
        return Session(person, row.token, proved=row.proved, provided=row.provided, vouched=row.vouched)

    def end(self, cookie: str) -> None:
        """Step 4."""
        with self.control.writing() as connection:
            connection.execute(sa.delete(SessionRow).where(SessionRow.digest == _digest(cookie)))

    def needs_code(self, person: Person) -> bool:
        """Whether the person is to set up one-time codes before anything else."""
        return self.people.settings.portal_codes and bool(person.duties & CODED) and not person.coded

    def settled(self, session: Session) -> bool:
        """Whether nothing is to be done before anything else: another password, one-time codes.

        Whom a provider signed in may never have used the password; whom it asked for a second factor needs no other.
        """
        person = session.person
        password = session.provided or not person.must_change
        return password and (session.vouched or not self.needs_code(person))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _made(
        self, connection: Connection, person_id: str, *, proved: bool, provided: bool = False, vouched: bool = False
    ) -> Session:
        person = self.people.person_of(connection, person_id)
        if person is None:
            raise SignInRefusedError
        self._tidy(connection)
        cookie, token, now = secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_urlsafe(_TOKEN_BYTES), self._now()
        row = {
            "digest": _digest(cookie),
            "person": person_id,
            "token": token,
            "proved": proved,
            "provided": provided,
            "vouched": vouched,
            "begun_at": now,
            "seen_at": now,
        }
        connection.execute(sa.insert(SessionRow).values(row))
        if proved:
            connection.execute(sa.update(PersonRow).where(PersonRow.id == person_id).values(seen_at=now))
            facts = {"person": person_id, "post": str(person.actor), **({"by": "provider"} if provided else {})}
            self.evidence.append("person.signed_in", actor=str(person.actor), facts=facts)
        return Session(person, token, proved, cookie, provided, vouched)

    def _tidy(self, connection: Connection) -> None:
        """Forget the sessions that ended: whoever signs in sweeps."""
        now = self._now()
        over = sa.or_(SessionRow.seen_at < now - IDLE, SessionRow.begun_at < now - LONGEST)
        connection.execute(sa.delete(SessionRow).where(over))

    def _row(self, person: Person) -> dict[str, Any]:
        with self.control.reading() as connection:
            query = sa.select(PersonRow.__table__).where(PersonRow.id == person.id)
            return row_dict(connection.execute(query).one())

    def _taken(self, row: Mapping[str, Any], code: str) -> None:
        """Take *code*, once."""
        if not row["code_secret"]:
            raise CodeRefusedError
        secret = self.people.sealing.open(row["id"], row["code_secret"])
        try:
            step = otp.check(secret, code.replace(" ", ""), at=self._now(), last_step=row["code_step"])
        except SealProofError as error:
            self._failed(row)
            raise CodeRefusedError from error
        with self.control.writing() as connection:
            # Of two who show the same code at once, one is late.
            changed = sa.update(PersonRow).where(PersonRow.id == row["id"], PersonRow.code_step < step)
            if connection.execute(changed.values(code_step=step)).rowcount != 1:
                raise CodeRefusedError

    def _need_patience(self, row: Mapping[str, Any]) -> None:
        until = row["waits_until"]
        if until is not None and until > self._now():
            raise SignInWaitsError(seconds=int((until - self._now()).total_seconds()) + 1)

    def _failed(self, row: Mapping[str, Any]) -> None:
        with self.control.writing() as connection:
            changed = sa.update(PersonRow).where(PersonRow.id == row["id"])
            # Counted by the database, which lets those who try at once pass one after the other.
            connection.execute(changed.values(failures=PersonRow.failures + 1))
            query = sa.select(PersonRow.failures).where(PersonRow.id == row["id"])
            failures = int(connection.execute(query).scalar_one())
            until = _waits_until(failures, self._now())
            connection.execute(changed.values(waits_until=until))
            if until is not None:
                facts = {"person": row["id"], "post": f"{row['department']}:{row['post']}", "failures": failures}
                self.evidence.append("person.refused", actor="hub:portal", facts=facts)

    def _cleared(self, connection: Connection, row: Mapping[str, Any]) -> None:
        connection.execute(sa.update(PersonRow).where(PersonRow.id == row["id"]).values(failures=0, waits_until=None))

    def _now(self) -> datetime:
        return self.evidence.clock()


class _Strangers:
    """Wrong tries of logins that nobody has, so that waiting does not tell which there are.

    Each process remembers its own; safe for many threads.
    """

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, datetime | None]] = {}
        self._lock = Lock()

    def of(self, login: str) -> Mapping[str, Any]:
        """What a person's row would say."""
        with self._lock:
            return {"waits_until": self._tries.get(login, (0, None))[1]}

    def failed(self, login: str, now: datetime) -> None:
        """Count a try."""
        with self._lock:
            failures = self._tries.pop(login, (0, None))[0] + 1
            self._tries[login] = failures, _waits_until(failures, now)
            while len(self._tries) > MAX_STRANGERS:
                del self._tries[next(iter(self._tries))]


def _waits_until(failures: int, now: datetime) -> datetime | None:
    """Until when nothing is tried after so many *failures* in a row; None: the next try is free."""
    doubled = min(failures - FREE_TRIES, DOUBLINGS)
    return now + timedelta(seconds=FIRST_WAIT_S * 2**doubled) if doubled >= 0 else None


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
