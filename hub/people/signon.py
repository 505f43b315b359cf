"""Single sign-on: lets in who the provider says it is, if that is a registered person who may sign in.

By number:

    1. begin: the browser gets a cookie and is sent to the provider; what we keep opens nothing by itself
    2. take: the state that comes back is of this browser, is young, and is used up, whatever comes next
    3. redeem: the provider's answer and token are checked (`hub.people.provider`)
    4. know: the subject is bound to a person, or is bound now, by login, where the deployment lets it
    5. enter: a session, for which codes are still to be shown unless the provider asked for a second factor

Nobody is registered here. Once bound, the subject alone counts: logins at the provider may be given to somebody else.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hub.control import PersonRow, SignOnRow
from hub.people.errors import SignOnStaleError, SignOnUnknownError
from hub.people.provider import Asked
from hub.people.subjects import Subjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.people.provider import Provider, Vouched
    from hub.people.sessions import Session, Sessions

# Long enough to find a telephone, too short to lie about.
ATTEMPT: Final = timedelta(minutes=10)
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what its cookie holds meanwhile."""

    address: str
    cookie: str


class SignOn:
    """Single sign-on of one deployment, by one provider. Safe for many threads and processes."""

    def __init__(self, sessions: Sessions, provider: Provider) -> None:
        self.sessions = sessions
        self.control = sessions.control
        self.evidence = sessions.evidence
        self.provider = provider
        self.subjects = Subjects(sessions.people)

    def begin(self, to: str, lang: str) -> Begun:
        """Step 1; *to* is the page of ours that comes afterwards. Raises: SignOnUnreachableError."""
        cookie, state, now = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES), self.evidence.clock()
        address = self.provider.address(Asked.of(cookie), state, lang)
        row = {"digest": _digest(state), "browser": _digest(cookie), "next": to, "begun_at": now}
        with self.control.writing() as connection:
            connection.execute(sa.delete(SignOnRow).where(SignOnRow.begun_at < now - ATTEMPT))
            connection.execute(sa.insert(SignOnRow).values(row))
        return Begun(address, cookie)

    def finish(self, answer: Mapping[str, str], cookie: str) -> tuple[Session, str]:
        """Steps 2 to 5 for what the browser brought back: its session, and the page that comes now.

        Raises:
            SignOnStaleError: the state is not of this browser, is old, or was used.
            SignOnForgedError: answer or token cannot be believed.
            SignOnDeclinedError: the person or the provider said no.
            SignOnUnknownError: nobody who may sign in is meant.
            SignOnUnreachableError: the provider does not answer.
        """
        to = self._taken(answer.get("state", ""), cookie)
        code = self.provider.check_answer(answer)
        vouched = self.provider.redeem(code, Asked.of(cookie))
        person = self._known(vouched)
        strong = bool(vouched.means & self.provider.settings.spares_codes)
        return self.sessions.enter(person, vouched=strong), to

    def _taken(self, state: str, cookie: str) -> str:
        """Step 2."""
        if not state or not cookie:
            raise SignOnStaleError
        with self.control.writing() as connection:
            query = sa.select(SignOnRow.__table__).where(SignOnRow.digest == _digest(state))
            row = connection.execute(query).one_or_none()
            # Of two who bring the same state at once, one finds it gone.
            gone = sa.delete(SignOnRow).where(SignOnRow.digest == _digest(state))
            if connection.execute(gone).rowcount != 1 or row is None:
                raise SignOnStaleError
        # Outside the block: a state that another browser brought is used up all the same.
        if row.browser != _digest(cookie) or row.begun_at < self.evidence.clock() - ATTEMPT:
            raise SignOnStaleError
        return str(row.next)

    def _known(self, vouched: Vouched) -> str:
        """Step 4: the number of the person who is meant."""
        people, subjects = self.sessions.people, self.subjects
        with self.control.writing() as connection:
            bound = subjects.person_of(connection, vouched.issuer, vouched.subject)
            if bound is None and self.provider.settings.first_use and vouched.login:
                query = sa.select(PersonRow.id).where(PersonRow.login == vouched.login, PersonRow.disabled_at.is_(None))
                found = connection.execute(query).scalar_one_or_none()
                # A login of somebody who is bound already may have been given to another at the provider.
                if found is not None and not subjects.is_bound(connection, found):
                    subjects.put(connection, found, vouched.issuer, vouched.subject, by="hub:portal")
                    bound = found
            if bound is None or people.person_of(connection, bound) is None:
                raise SignOnUnknownError
            return bound


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
