"""Who may have a licence shown, and the copies (加注件) that were handed out: listed, looked up, withdrawn.

Making one is `hub.licensing.downloads`'s. The rule of who may, in the one place where it stands (`who_may`):

1. The department that issued the licence may, for any matter.
2. Another department may where the decision about its grants on the licence's resource says so, for the matter it
   names (`catalog.decide`, action ``query``). What it may then see are the fields that the decision shows, unmasked and
   in every row; a field that is masked or shown in some rows only is not for it, since a seal cannot be masked.
3. A document or bundle shows everything: for it the decision must show every field that the kind draws on.
4. Nobody else may. What is said of a licence without its holder (state, kind, times) is for every caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.decide import AccessRequest
from catalog.model import Mask
from hub.control import LicenceCopyRow, row_dict
from hub.errors import DeniedError
from hub.licensing.document_errors import CopyEndedError, CopyUnknownError, CopyWidensError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.licensing.office import Licensing
    from hub.standing import View
    from licence.model import LicenceKind

QUERY: Final = "query"
DENIED: Final = "licence.denied"
WITHDRAWN: Final = "licence.withdrawn"
MAX_FOUND: Final = 500
# The sentence that stands in a row; a page of reasons is a file, not a reason.
MAX_WHY: Final = 500


@dataclass(frozen=True, slots=True)
class Basis:
    """What a department may be shown of licences of a kind: *fields* of the resource, by what *determined*."""

    fields: tuple[str, ...]
    determined: tuple[str, ...]


def who_may(view: View, kind: LicenceKind, department: str, matter: str, at: datetime, *, whole: bool = False) -> Basis:
    """What *department* may be shown of licences of *kind* for *matter*; with *whole*, that it is everything.

    Raises:
        DeniedError: nothing; the reasons say what to apply for.
        CopyWidensError: not everything.
    """
    if department == kind.issuer:
        return Basis(kind.source_fields, (f"issuer:{kind.issuer}",))
    request = AccessRequest(department, kind.resource, QUERY, (), (kind.holder_field,), matter)
    decision = view.decide(request, at)
    if not decision.allowed:
        raise DeniedError(decision)
    clear = {name for name, mask in decision.masks if mask is Mask.NONE}
    for scope in decision.scopes:
        # Of a row rule nothing is known here: what was sealed has no other columns.
        clear -= {name for name, _ in scope.masks} if scope.rows else set()
    fields = tuple(name for name in kind.source_fields if name in clear)
    missing = [name for name in kind.source_fields if name not in clear]
    if whole and missing:
        raise CopyWidensError(department=department, resource=kind.resource, matter=matter, fields=", ".join(missing))
    return Basis(fields, decision.determined_by)


def allowed_to(
    office: Licensing, kind: LicenceKind, licence: str, actor: Actor, matter: str, *, whole: bool = False
) -> Basis:
    """`who_may` for *actor* at this moment; a no is on record before it is said. Raises: as `who_may`."""
    try:
        return who_may(office.standing.now(), kind, actor.department, matter, office.evidence.clock(), whole=whole)
    except (DeniedError, CopyWidensError) as error:
        reasons = [r.code for r in error.reasons] if isinstance(error, DeniedError) else [error.code]
        facts = {"licence": licence, "reasons": reasons}
        # A matter that nobody knows may be anything, a person's number too: the log names it where the list does.
        known = {one.code for one in office.standing.now().list.matters}
        office.evidence.append(
            DENIED,
            actor=str(actor),
            resource=kind.resource,
            purpose=matter if matter in known else "",
            facts=facts,
        )
        raise


class Copies:
    """The copies that were handed out. Safe for many threads and processes."""

    def __init__(self, control: Control, evidence: Evidence) -> None:
        self._control = control
        self._evidence = evidence

    def get(self, number: str) -> dict[str, Any]:
        """The copy of this number.

        Raises:
            CopyUnknownError: there is none.
        """
        with self._control.reading() as connection:
            return _row(connection, number)

    def find(
        self, *, licence: str = "", department: str = "", limit: int = 100, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Copies of a licence, or in the hands of a department, the newest first."""
        table = LicenceCopyRow.__table__
        query = sa.select(table).where(*_whose(licence, department)).order_by(table.c.made_at.desc(), table.c.id)
        with self._control.reading() as connection:
            rows = connection.execute(query.limit(min(limit, MAX_FOUND)).offset(offset))
            return [row_dict(row) for row in rows]

    def count(self, *, licence: str = "", department: str = "") -> int:
        """How many there are of those that `find` would tell without a limit."""
        query = sa.select(sa.func.count()).select_from(LicenceCopyRow).where(*_whose(licence, department))
        with self._control.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def withdraw(self, number: str, *, by: str, reason: str) -> dict[str, Any]:
        """Withdraw a copy: who asks the hub about it is told from now on. Who took it offline sees its end alone.

        Raises:
            CopyUnknownError: there is none.
            CopyEndedError: it was withdrawn before.
        """
        table = LicenceCopyRow.__table__
        with self._control.writing() as connection:
            row = _row(connection, number)
            if row["withdrawn_at"] is not None:
                raise CopyEndedError(copy=number, day=row["withdrawn_at"].date().isoformat())
            # The entry goes first: a crash after it leaves an entry of a withdrawal that nobody was told of.
            recorded = self._evidence.append(
                WITHDRAWN, actor=by, facts={"copy": number, "licence": row["licence"]}, body={"reason": reason}
            )
            values = {"withdrawn_at": recorded.entry.at, "withdrawn_by": by, "withdrawn_why": reason}
            connection.execute(sa.update(LicenceCopyRow).where(table.c.id == number).values(**values))
        return {**row, **values}


def _whose(licence: str, department: str) -> list[sa.ColumnElement[bool]]:
    table = LicenceCopyRow.__table__
    return [
        column == value for column, value in ((table.c.licence, licence), (table.c.department, department)) if value
    ]


def state_of(row: dict[str, Any], at: datetime) -> str:
    """How a copy stands: ``valid``, ``expired`` or ``withdrawn``."""
    if row["withdrawn_at"] is not None:
        return "withdrawn"
    return "valid" if at < row["valid_until"] else "expired"


def _row(connection: Connection, number: str) -> dict[str, Any]:
    table = LicenceCopyRow.__table__
    row = connection.execute(sa.select(table).where(table.c.id == number)).first()
    if row is None:
        raise CopyUnknownError(copy=number[:20])
    return row_dict(row)
