"""Calls that a person makes by hand at the portal: decided, masked, counted and recorded like those of any system.

Who calls is the person, which the session proves. No system's credential is borrowed for it: the log names department
and post as the actor, the person's number as the caller, and ``session`` as the proof. Which page leads here is the
portal's affair, what is decided `hub.invocation`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub.actors import Role
from hub.answers import QUERY, VERIFY
from hub.credentials import SESSION, KnownCaller
from hub.errors import RequestError
from hub.people import Duty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hub.invocation import Answer
    from hub.people import Person
    from hub.service import Service
    from hub.standing import View


class CaseMissingError(RequestError):
    """A person asked about somebody without saying for which case."""

    code = "case_missing"
    en = "A call by hand names its case: put in the number of the case that you are working on."
    zh = "人工调用须注明办件号：请填写正在办理的办件编号。"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as a form says it; with *claims* they are to be verified, else *fields* to be shown (none: all granted).

    *keys* and *claims* are personal data: they are in no text of it.
    """

    code: str
    matter: str
    keys: Mapping[str, str] = field(repr=False)
    case: str = ""
    fields: tuple[str, ...] = ()
    claims: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def action(self) -> str:
        """What is wanted of the resource."""
        return QUERY if self.claims is None else VERIFY

    def plain(self, operator: str) -> dict[str, Any]:
        """The body of the call; *operator* is the post of whoever makes it."""
        purpose = {"matter": self.matter, "case": self.case, "operator": operator}
        body: dict[str, Any] = {"keys": dict(self.keys)}
        if self.claims is not None:
            body["claims"] = dict(self.claims)
        elif self.fields:
            body["fields"] = list(self.fields)
        return {**body, "purpose": {name: value for name, value in purpose.items() if value}}


def call(service: Service, person: Person, asked: Asked, *, name: str) -> Answer:
    """Answer *asked* for *person* out of the real data: it counts against the grant, and stands in the log.

    *name* is of this form: sent again within a day, it is the same call with the same answer (`hub.once`).

    Raises:
        CaseMissingError: no case is named; nothing was asked, and nothing is recorded.
        RefusedError: it was not answered, and evidence of that is kept; to a person who is no department staff, too.
        HubError: as `hub.again.NamedCalls.call`.
    """
    if not asked.case:
        raise CaseMissingError
    roles = (Role.CALL,) if person.has(Duty.STAFF) else ()
    return service.named.call(asked.action, _opens(person, roles), asked.code, _body(person, asked), name)


def rehearse(service: Service, person: Person, asked: Asked) -> Answer:
    """Answer *asked* out of made-up rows: it counts against nothing, and is recorded nowhere. Raises: as `call`."""
    return service.trial.call(asked.action, _opens(person, (Role.CALL,)), asked.code, _body(person, asked))


def _opens(person: Person, roles: tuple[str, ...]) -> Callable[[View, datetime], KnownCaller]:
    # The session was looked up with the request, of those who may sign in at this moment.
    known = KnownCaller(person.id, person.department, person.post, roles, SESSION)
    return lambda _view, _at: known


def _body(person: Person, asked: Asked) -> bytes:
    return json.dumps(asked.plain(person.post), ensure_ascii=False).encode()
