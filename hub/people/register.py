"""The register of people: added, given duties, disabled; and duties handed over for a time (委托授权).

Each change leaves an entry in the log that names the person by number and post. Names and logins stay out of it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor
from hub.control import DelegationRow, PersonRow, SessionRow, row_dict
from hub.credentials import Sealing
from hub.identifiers import new_identifier
from hub.people import passwords
from hub.people.duties import Duty, need_apart
from hub.people.errors import LastAdministratorError, OwnDutiesError, PersonInvalidError, PersonUnknownError
from licence.seals import otp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from catalog.model import ResponsibilityList
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.settings import Settings

MARK: Final = "P"
DELEGATION_MARK: Final = "W"
MAX_DELEGATION: Final = timedelta(days=180)
MAX_FOUND: Final = 500
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_MAX_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the portal knows one. *duties* are the own ones and those handed over that hold now (*lent*)."""

    id: str
    login: str
    name: str
    department: str
    post: str
    duties: frozenset[Duty]
    lent: frozenset[Duty] = frozenset()
    must_change: bool = False
    coded: bool = False
    disabled: bool = False
    with_password: bool = True

    @property
    def actor(self) -> Actor:
        """Whom the person acts as, as the log has it."""
        return Actor(self.department, self.post)

    def has(self, *duties: Duty) -> bool:
        """Whether the person has one of *duties*."""
        return bool(self.duties & set(duties))


@dataclass(frozen=True, slots=True)
class Delegation:
    """Duties handed from one person to another, as `DelegationRow` has them."""

    id: str
    giver: str
    taker: str
    duties: tuple[Duty, ...]
    reason: str
    starts: datetime
    ends: datetime
    withdrawn_at: datetime | None


def is_own(by: Actor, department: str, post: str) -> bool:
    """Whether *by* has this very post: two of one post are the same to the log, and could help each other unseen."""
    return by == Actor(department, post)


class People:
    """The people of one deployment. Safe for many threads and processes."""

    def __init__(self, settings: Settings, control: Control, evidence: Evidence) -> None:
        self.settings = settings
        self.control = control
        self.evidence = evidence
        self.sealing = Sealing(settings.keys)

    # --- the register -----------------------------------------------------------------------------------------------

    def add(
        self,
        list_: ResponsibilityList,
        *,
        login: str,
        name: str,
        department: str,
        post: str,
        duties: Collection[Duty],
        by: Actor,
        password: str = "",
    ) -> Person:
        """Register a person of a department of *list_*; with a *password*, which is to be changed at first use.

        Raises:
            PersonInvalidError: a field is not as it must be, or the login is taken.
            ActorInvalidError: the post looks like a number of a person.
        """
        login = _login(login)
        need_apart(duties)
        if department not in list_.departments_by_code:
            raise PersonInvalidError(
                where="department", why="the published list names no such department", why_zh="责任清单中没有此部门"
            )
        actor = Actor.parse(f"{department}:{post}")
        if not 0 < len(name.strip()) <= _MAX_NAME_CHARS or not name.isprintable():
            raise PersonInvalidError(where="name", why="a name is needed", why_zh="请填写姓名")
        kept = passwords.hashed(passwords.check(password, login=login)) if password else ""
        now = self.evidence.clock()
        row: dict[str, Any] = {
            "id": new_identifier(MARK),
            "login": login,
            "name": name.strip(),
            "department": department,
            "post": actor.post,
            "duties": sorted(duties),
            "password": kept,
            "must_change": bool(kept),
            "code_secret": "",
            "code_step": -1,
            "failures": 0,
            "added_at": now,
            "wishes": {},
        }
        with self.control.writing() as connection:
            if connection.execute(sa.select(PersonRow.id).where(PersonRow.login == login)).first() is not None:
                raise PersonInvalidError(where="login", why="somebody has it already", why_zh="已被使用")
            # The entry first: a crash before the row leaves an entry about somebody who cannot sign in.
            self._record("person.added", row, by, duties=sorted(duties))
            connection.execute(sa.insert(PersonRow).values(row))
        return self.get(row["id"])

    def get(self, who: str) -> Person:
        """The person of this number or login, with the duties of now. Raises: PersonUnknownError."""
        with self.control.reading() as connection:
            return self._person(connection, self._row(connection, who))

    def find(
        self,
        *,
        department: str | None = None,
        words: str = "",
        disabled: bool = False,
        skip: int = 0,
        limit: int = MAX_FOUND,
    ) -> tuple[Person, ...]:
        """The people whose login, name or post hold *words*, by department and login: *limit* of them after *skip*."""
        wanted = _wanted(department, words, disabled=disabled)
        query = sa.select(PersonRow.__table__).where(*wanted).order_by(PersonRow.department, PersonRow.login)
        query = query.offset(skip).limit(min(limit, MAX_FOUND))
        with self.control.reading() as connection:
            return self._persons(connection, [row_dict(row) for row in connection.execute(query)])

    def count(self, *, department: str | None = None, words: str = "", disabled: bool = False) -> int:
        """How many `find` finds in all."""
        wanted = _wanted(department, words, disabled=disabled)
        with self.control.reading() as connection:
            query = sa.select(sa.func.count()).select_from(PersonRow).where(*wanted)
            return int(connection.execute(query).scalar_one())

    def give(self, who: str, duties: Collection[Duty], *, by: Actor) -> Person:
        """Give a person exactly these *duties*; sessions go on, with the new ones.

        Raises:
            PersonInvalidError, PersonUnknownError: as `add` and `get`.
            OwnDutiesError: whoever does it has the person's own post.
            LastAdministratorError: nobody else would be one.
        """
        need_apart(duties)
        with self.control.writing() as connection:
            row = self._row(connection, who)
            if is_own(by, row["department"], row["post"]):
                raise OwnDutiesError
            if Duty.ADMINISTRATOR not in duties:
                self._need_another(connection, row)
            self._record("person.duties", row, by, duties=sorted(duties), before=sorted(row["duties"]))
            self._set(connection, row, duties=sorted(duties))
        return self.get(row["id"])

    def disable(self, who: str, *, by: Actor, reason: str) -> None:
        """Let a person in no more, and end every session.

        Raises:
            PersonUnknownError: nobody is registered so.
            PersonInvalidError: there is no reason.
            LastAdministratorError: nobody else would be one.
        """
        if not reason.strip():
            raise PersonInvalidError(where="reason", why="a reason is needed", why_zh="请填写理由")
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._need_another(connection, row)
            self._set(connection, row, disabled_at=self.evidence.clock())
            connection.execute(sa.delete(SessionRow).where(SessionRow.person == row["id"]))
            # People write it freely, and may name somebody: it stays in the protected body.
            self._record("person.disabled", row, by, body={"reason": reason.strip()})

    def enable(self, who: str, *, by: Actor) -> None:
        """Let a disabled person in again. Raises: PersonUnknownError."""
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._record("person.enabled", row, by)
            self._set(connection, row, disabled_at=None, failures=0, waits_until=None)

    # --- what a person shows ----------------------------------------------------------------------------------------

    def set_password(self, who: str, password: str, *, by: Actor, change: bool = True) -> None:
        """Give a person another password and end all sessions; with *change* it is to be changed at first use.

        Raises:
            PersonInvalidError: it is not good enough.
        """
        with self.control.reading() as connection:
            login = self._row(connection, who)["login"]
        # Outside the transaction: it takes a tenth of a second, on purpose, and other writers would wait.
        kept = passwords.hashed(passwords.check(password, login=login))
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._record("person.password", row, by, duties=sorted(row["duties"]))
            self._set(connection, row, password=kept, must_change=change, failures=0, waits_until=None)
            connection.execute(sa.delete(SessionRow).where(SessionRow.person == row["id"]))

    def new_code(self, who: str, *, by: Actor, issuer: str = "Zhengtong") -> str:
        """A new secret of one-time codes; the address for the person's authenticator, told this once.

        It counts from the first code on that is shown (`confirm_code`).
        """
        secret = secrets.token_bytes(otp.SECRET_BYTES)
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._record("person.code", row, by)
            self._set(connection, row, code_secret=self.sealing.seal(row["id"], secret), code_step=-1)
        return otp.enrolment_uri(secret, account=row["login"], issuer=issuer)

    def end_codes(self, who: str, *, by: Actor) -> None:
        """Take no more one-time codes of a person, whose telephone is lost, and end all sessions.

        Whose duties need them is asked to set up new ones at the next signing in: nobody else sees their secret.

        Raises:
            PersonUnknownError: nobody is registered so.
        """
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._record("person.code_ended", row, by, duties=sorted(row["duties"]))
            self._set(connection, row, code_secret="", code_step=-1)
            connection.execute(sa.delete(SessionRow).where(SessionRow.person == row["id"]))

    def wish(self, who: str, **wishes: Any) -> None:  # noqa: ANN401 - JSON values
        """Remember how a person wants the portal: language, elder mode, what is followed."""
        with self.control.writing() as connection:
            row = self._row(connection, who)
            self._set(connection, row, wishes={**row["wishes"], **wishes})

    def wishes(self, who: str) -> Mapping[str, Any]:
        """What `wish` remembered."""
        with self.control.reading() as connection:
            found: Mapping[str, Any] = self._row(connection, who)["wishes"]
            return found

    # --- handing over -----------------------------------------------------------------------------------------------

    def hand_over(
        self, giver: Person, taker: str, duties: Collection[Duty], *, starts: datetime, ends: datetime, reason: str
    ) -> Delegation:
        """Hand own duties to somebody of the same department from *starts* to *ends* (委托授权).

        Raises:
            PersonInvalidError: not the giver's own, not of one department, kept apart from what the taker has, too
                long or over already, or no reason.
        """
        now = self.evidence.clock()
        if not reason.strip():
            raise PersonInvalidError(where="reason", why="a reason is needed", why_zh="请填写理由")
        if not starts < ends <= starts + MAX_DELEGATION or ends <= now:
            raise PersonInvalidError(
                where="ends",
                why=f"it ends after it starts, within {MAX_DELEGATION.days} days",
                why_zh=f"截止时间应晚于开始时间，且不超过 {MAX_DELEGATION.days} 天",
            )
        if not duties or not set(duties) <= giver.duties - giver.lent:
            raise PersonInvalidError(
                where="duties", why="only own duties can be handed over", why_zh="只能委托本人的职责"
            )
        with self.control.writing() as connection:
            row = self._row(connection, taker)
            if row["department"] != giver.department or row["id"] == giver.id or row["disabled_at"] is not None:
                raise PersonInvalidError(
                    where="taker", why="somebody else of the same department", why_zh="应为本部门其他在岗人员"
                )
            need_apart({*map(Duty, row["duties"]), *duties})
            made = {
                "id": new_identifier(DELEGATION_MARK),
                "giver": giver.id,
                "taker": row["id"],
                "duties": sorted(duties),
                "reason": reason.strip(),
                "starts": starts,
                "ends": ends,
            }
            self._record(
                "person.handed_over",
                row,
                giver.actor,
                delegation=made["id"],
                giver=giver.id,
                duties=sorted(duties),
                starts=starts.isoformat(),
                ends=ends.isoformat(),
            )
            connection.execute(sa.insert(DelegationRow).values(made))
            return _delegation(made | {"withdrawn_at": None})

    def withdraw(self, delegation: str, *, by: Person) -> None:
        """End a delegation before its time; its giver may, and an administrator. Raises: PersonUnknownError."""
        with self.control.writing() as connection:
            found = connection.execute(
                sa.select(DelegationRow.__table__).where(DelegationRow.id == delegation)
            ).one_or_none()
            if found is None or (found.giver != by.id and not by.has(Duty.ADMINISTRATOR)):
                raise PersonUnknownError
            if found.withdrawn_at is not None:
                return
            connection.execute(
                sa.update(DelegationRow)
                .where(DelegationRow.id == delegation)
                .values(withdrawn_at=self.evidence.clock())
            )
            self._record("person.withdrawn", self._row(connection, found.taker), by.actor, delegation=delegation)

    def delegations(self, person: str) -> tuple[Delegation, ...]:
        """What a person gave or took, the newest first."""
        mine = sa.or_(DelegationRow.giver == person, DelegationRow.taker == person)
        query = sa.select(DelegationRow.__table__).where(mine).order_by(DelegationRow.starts.desc()).limit(MAX_FOUND)
        with self.control.reading() as connection:
            return tuple(_delegation(row_dict(row)) for row in connection.execute(query))

    # --- inside -----------------------------------------------------------------------------------------------------

    def person_of(self, connection: Connection, id_: str) -> Person | None:
        """The person of this number as of now; None where there is none, or none that may sign in."""
        found = connection.execute(sa.select(PersonRow.__table__).where(PersonRow.id == id_)).one_or_none()
        if found is None or found.disabled_at is not None:
            return None
        return self._person(connection, row_dict(found))

    def _person(self, connection: Connection, row: Mapping[str, Any]) -> Person:
        return self._persons(connection, [row])[0]

    def _persons(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> tuple[Person, ...]:
        now = self.evidence.clock()
        lent = connection.execute(
            sa.select(DelegationRow.taker, DelegationRow.duties, PersonRow.duties.label("givers"))
            .join(PersonRow, PersonRow.id == DelegationRow.giver)
            .where(
                DelegationRow.taker.in_([row["id"] for row in rows]),
                DelegationRow.starts <= now,
                DelegationRow.ends > now,
                DelegationRow.withdrawn_at.is_(None),
                PersonRow.disabled_at.is_(None),
            )
        )
        # A duty is lent while its giver has it.
        held: dict[str, set[Duty]] = {}
        for found in lent:
            held.setdefault(found.taker, set()).update(Duty(one) for one in found.duties if one in found.givers)
        return tuple(_person(row, held.get(row["id"], set())) for row in rows)

    def _row(self, connection: Connection, who: str) -> dict[str, Any]:
        query = sa.select(PersonRow.__table__).where(
            sa.or_(PersonRow.id == who, PersonRow.login == who.strip().lower())
        )
        found = connection.execute(query).first()
        if found is None:
            raise PersonUnknownError
        return row_dict(found)

    def _need_another(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """See that there is an administrator beside the one of *row*, if it is one. Writers queue, so it stays so."""
        if Duty.ADMINISTRATOR not in row["duties"] or row["disabled_at"] is not None:
            return
        others = sa.select(PersonRow.duties).where(PersonRow.id != row["id"], PersonRow.disabled_at.is_(None))
        if not any(Duty.ADMINISTRATOR in duties for duties in connection.execute(others).scalars()):
            raise LastAdministratorError

    def _set(self, connection: Connection, row: Mapping[str, Any], **values: Any) -> None:  # noqa: ANN401 - columns
        connection.execute(sa.update(PersonRow).where(PersonRow.id == row["id"]).values(values))

    def _record(
        self,
        kind: str,
        row: Mapping[str, Any],
        by: Actor,
        *,
        body: Mapping[str, Any] | None = None,
        **facts: Any,  # noqa: ANN401 - JSON values
    ) -> None:
        own = {"person": row["id"], "post": f"{row['department']}:{row['post']}"}
        self.evidence.append(kind, actor=str(by), facts={**own, **facts}, body=body)


def _person(row: Mapping[str, Any], held: set[Duty]) -> Person:
    """Of a row, and of the duties that others hand to the person now."""
    own = frozenset(map(Duty, row["duties"]))
    # What was handed over once may be kept apart from what was given since: then it is not lent.
    given = frozenset(one for one in held if _together(own, one)) - own
    return Person(
        id=row["id"],
        login=row["login"],
        name=row["name"],
        department=row["department"],
        post=row["post"],
        duties=own | given,
        lent=given,
        must_change=row["must_change"],
        coded=row["code_step"] >= 0,
        disabled=row["disabled_at"] is not None,
        with_password=bool(row["password"]),
    )


def _wanted(department: str | None, words: str, *, disabled: bool) -> list[sa.ColumnElement[bool]]:
    """The conditions of `People.find`."""
    found: list[sa.ColumnElement[bool]] = []
    if department is not None:
        found.append(PersonRow.department == department)
    if not disabled:
        found.append(PersonRow.disabled_at.is_(None))
    if words.strip():
        columns = (PersonRow.login, PersonRow.name, PersonRow.post)
        text = words.strip().lower()
        found.append(sa.or_(*(sa.func.lower(one).contains(text, autoescape=True) for one in columns)))
    return found


def _login(text: str) -> str:
    login = text.strip().lower()
    # A run of digits would be a phone or identity number, which is personal data and would be typed everywhere.
    if not _LOGIN.fullmatch(login) or re.search(r"\d{7}", login):
        raise PersonInvalidError(
            where="login",
            why="2 to 64 of a–z, 0–9, . _ @ -, and no phone or identity number",
            why_zh="2 至 64 位小写字母、数字或 . _ @ -，不得为手机号或身份证号",
        )
    return login


def _together(own: frozenset[Duty], one: Duty) -> bool:
    try:
        need_apart(own | {one})
    except PersonInvalidError:
        return False
    return True


def _delegation(row: Mapping[str, Any]) -> Delegation:
    return Delegation(**{**row, "duties": tuple(map(Duty, row["duties"]))})
