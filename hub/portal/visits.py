"""What a page is given and what it gives back: one visit of one person, and the answers there are.

How a visit comes about is `hub.portal.answering`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from hub.portal.errors import SignInFirstError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request

    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.office import Office
    from hub.people import Duty, People, Person, Session, Sessions
    from hub.people.signon import SignOn
    from hub.portal.forms import Form
    from hub.service import Service


@dataclass(slots=True)
class Visit:
    """One request. *lang* is ``zh`` or ``en``; *problem* what went wrong with the form that is shown again.

    *sign_on*: single sign-on, where it is set up; *on_the_way*: the cookie of a browser that was sent to its provider.

    *turned_to*: the page of a list that is wanted, whatever its address says, where all of them are written down.
    """

    request: Request
    service: Service
    people: People
    sessions: Sessions
    sign_on: SignOn | None
    lang: str
    elder: bool
    session: Session | None
    form: Form
    path: Mapping[str, str]
    problem: str = ""
    problem_field: str = ""
    said: str = ""
    turned_to: int | None = None
    on_the_way: str = ""
    _list: ResponsibilityList | None = field(default=None, init=False, repr=False)

    def say(self, zh: str, en: str) -> str:
        """The words of this visit's language."""
        return zh if self.lang == "zh" else en

    def words(self, pair: tuple[str, str]) -> str:
        """Of (English, Chinese), as the tables of words have them."""
        return pair[self.lang == "zh"]

    @property
    def entered(self) -> Session:
        """The session of who is signed in. Raises: SignInFirstError: nobody is."""
        if self.session is None or not self.session.proved:
            raise SignInFirstError
        return self.session

    @property
    def person(self) -> Person:
        """Who is signed in. Raises: SignInFirstError: nobody."""
        return self.entered.person

    @property
    def known(self) -> Person | None:
        """Who is signed in, if anybody."""
        return self.session.person if self.session is not None and self.session.proved else None

    @property
    def actor(self) -> Actor:
        """Whom the person acts as."""
        return self.person.actor

    @property
    def office(self) -> Office:
        """The use cases' wiring."""
        return self.service.office

    @property
    def list_(self) -> ResponsibilityList:
        """The list that was in force when this visit first asked: a page names things hundreds of times."""
        if self._list is None:
            self._list = self.service.standing.now().list
        return self._list

    @property
    def now(self) -> datetime:
        """The instant of the evidence's clock."""
        return self.service.evidence.clock()

    def has(self, *duties: Duty) -> bool:
        """Whether somebody is signed in who has one of *duties*."""
        return self.known is not None and self.known.has(*duties)

    def query(self, name: str, default: str = "", *, most: int = 200) -> str:
        """A parameter of the address, cut to *most* characters."""
        return self.request.query_params.get(name, default)[:most]

    def queries(self, name: str) -> list[str]:
        """All values of a parameter of the address."""
        return [value[:200] for value in self.request.query_params.getlist(name)[:50]]

    def number(self, name: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        """A parameter of the address that is a whole number; *default* where it is none of *least* to *most*."""
        if name == "page" and self.turned_to is not None:
            return self.turned_to
        text = self.query(name)
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else default
        return value if least <= value <= most else default


@dataclass(frozen=True, slots=True)
class Go:
    """See another page next (303), which says *said* once."""

    to: str
    said: str = ""
    cookies: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download:
    """A file."""

    data: bytes
    media_type: str
    name: str
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A page by another template, or another status, than its own; *cookies* by name, None: forget it."""

    plain: Mapping[str, Any]
    template: str = ""
    status: int = 200
    cookies: Mapping[str, str | None] = field(default_factory=dict)


Answer: TypeAlias = "Mapping[str, Any] | Shown | Go | Download"
