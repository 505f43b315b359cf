"""The people of the demonstration, who use the portal: one of each duty, with one password that is drawn and told.

A deployment's own people are added by `zhengtong people add`, each with a password of their own.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.actors import Actor
from hub.files import create_once
from hub.people import Duty, People, Person
from hub.people.errors import PersonUnknownError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import ResponsibilityList
    from hub.office import Office

ADMINISTRATOR: Final = Actor("SZJ", "demonstration")
PASSWORD_FILE: Final = "portal-password"  # noqa: S105 - the name of a file
# Login, name, department, post, duties.
PEOPLE: Final[tuple[tuple[str, str, str, str, tuple[Duty, ...]], ...]] = (
    ("wang", "王秀兰", "MZJ", "data-officer", (Duty.STAFF, Duty.REVIEWER)),
    ("li", "李建国", "GAJ", "data-officer", (Duty.STAFF, Duty.REVIEWER)),
    ("zhao", "赵敏", "SJJ", "licence-officer", (Duty.STAFF, Duty.LICENCES)),
    ("qian", "钱伟", "SJJ", "licence-head", (Duty.LICENCES,)),
    ("he", "何平", "SJJ", "seal-keeper", (Duty.LICENCES,)),
    ("sun", "孙丽", "MZJ", "window-1", (Duty.WINDOW,)),
    ("zhou", "周强", "SZJ", "data-engineer", (Duty.ENGINEER,)),
    ("wu", "吴静", "SZJ", "hub-office", (Duty.OFFICE,)),
    ("zheng", "郑局长", "SZJ", "head", (Duty.LEADER,)),
    ("feng", "冯审计", "SZJ", "auditor", (Duty.AUDITOR,)),
    ("chen", "陈管理", "SZJ", "administrator", (Duty.ADMINISTRATOR,)),
)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The people, and the *password* of all of them, which lies in *file*."""

    people: tuple[Person, ...]
    password: str
    file: Path


def give_people(office: Office, list_: ResponsibilityList) -> Entrance:
    """Register those who are not registered yet."""
    people = People(office.settings, office.control, office.evidence)
    file = office.settings.home / PASSWORD_FILE
    # Four words would be easier to type; this one is copied from the screen.
    password = create_once(file, lambda: secrets.token_urlsafe(12).encode(), mode=0o600).decode()
    found = []
    for login, name, department, post, duties in PEOPLE:
        try:
            person = people.get(login)
        except PersonUnknownError:
            person = people.add(
                list_,
                login=login,
                name=name,
                department=department,
                post=post,
                duties=duties,
                by=ADMINISTRATOR,
                password=password,
            )
            # Nobody of a demonstration is made to choose another one.
            people.set_password(login, password, by=ADMINISTRATOR, change=False)
        found.append(person)
    return Entrance(tuple(found), password, file)
