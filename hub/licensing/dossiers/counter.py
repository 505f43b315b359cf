"""What dossiers ask of the licence office: kinds, facts under the issuing department's grant, issuing, changing.

The one place that knows the office's rooms from within; everything else goes by `Counter`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from hub.auditsearch import Desk
from hub.control import LicenceRow
from hub.licensing.lookups import PENDING, licence_row
from hub.licensing.planning import OK, Candidate, Planned, plan_rows
from licence import credential
from licence.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from catalog.model import InformationResource
    from hub.actors import Actor
    from hub.licensing import Licensing
    from licence.lifecycle import Action
    from licence.lifecycle.dossier import Step
    from licence.model import LicenceKind


class IssuedLicence(Protocol):
    """What issuing gives back."""

    @property
    def identifier(self) -> str:
        """The licence that may be handed out."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A *case* that was decided, as issuing is told of it: why, on what ground, by whom, and who was second."""

    case: str
    reason: str
    ground: str
    by: str
    second: str

    def words(self) -> dict[str, Any]:
        """As the office's rooms take them."""
        names = ("reason", "ground", "by", "second")
        return {"approved": self.case, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class Known:
    """What the authoritative resource says of a holder, and what would come of issuing: an outcome, and its field."""

    kind: LicenceKind
    resource: InformationResource
    facts: Mapping[str, Any]
    planned: Planned
    holder_hash: str

    @property
    def possible(self) -> bool:
        """Whether it could be issued now."""
        return self.planned.outcome == OK


class Counter:
    """The licence office as dossiers use it."""

    def __init__(self, office: Licensing) -> None:
        self._office = office

    def kind(self, name: str) -> LicenceKind:
        """The kind with this code or name. Raises: as `Licensing.kind`."""
        return self._office.kind(name)

    def kind_of(self, code: str) -> LicenceKind | None:
        """The kind with this code, None where the catalogue has it no more."""
        return self._office.kinds.get(code)

    def resource(self, kind: LicenceKind) -> InformationResource:
        """The authoritative resource of *kind*, as the list in force has it."""
        return self._office.standing.now().list.by_code[kind.resource]

    def holder_hash(self, kind: LicenceKind, keys: Mapping[str, str]) -> str:
        """The keyed hash of what a licence is about, as the office's rows have it."""
        return self._office._holder_hash(kind, keys)  # noqa: SLF001 - see the module

    def look_up(self, kind: LicenceKind, keys: Mapping[str, str], at: datetime, *, replacing: str = "") -> Known:
        """A recorded call to the authoritative resource, and what could be issued from it.

        *replacing*: the licence that the new one takes the place of, which is no duplicate.

        Raises:
            HolderNotFoundError, SeveralRecordsError, NoIssuingGrantError, DeniedError: as `Licensing.issue`.
        """
        facts = self._office._facts(kind, keys)  # noqa: SLF001 - see the module
        hash_ = self.holder_hash(kind, keys)
        # At the counter a holder with several records is asked for by holder alone where one is enough.
        alone = self.holder_hash(kind, {kind.holder_field: keys[kind.holder_field]})
        candidate = Candidate(1, dict(keys), hash_, hash_, facts)
        standing = self._standing(kind, {hash_, alone}) - {replacing}
        (planned,) = plan_rows(kind, [candidate], {hash_} if standing else set(), at)
        return Known(kind, self.resource(kind), facts, planned, hash_)

    def licence(self, identifier: str) -> dict[str, Any]:
        """The row of a licence. Raises: LicenceUnknownError."""
        with self._office.control.reading() as connection:
            return licence_row(connection, identifier)

    def holder_of(self, identifier: str) -> str:
        """The holder's code as it stands on the licence. Raises: as `claims_of`."""
        return str(self.claims_of(identifier).get("CZZTDM") or "")

    def claims_of(self, identifier: str) -> Mapping[str, Any]:
        """What stands on the licence. Raises: StoreDamagedError, LicencePendingError."""
        return credential.parse(self._office.sealed(identifier).credential).claims

    def issuer_name(self, kind: LicenceKind) -> str:
        """What the issuing department of *kind* is called, as licences have it."""
        return self._office.standing.now().list.departments_by_code[kind.issuer].name

    def issue(self, kind: LicenceKind, holder: str, record: Mapping[str, str], decided: Decided) -> str:
        """Issue for a decided case; the identifier. Raises: as `Licensing.issue`."""
        issued: IssuedLicence = self._office.issue(kind, holder, record=dict(record), **decided.words())
        return issued.identifier

    def renew(self, identifier: str, step: Step, record: Mapping[str, str], decided: Decided) -> str:
        """Issue the next version for a decided case, which ends the one before; its identifier.

        *step* is `RENEW` or `CHANGE`. Raises: as `Licensing.renew`.
        """
        issued: IssuedLicence = self._office.renew(identifier, action=step, record=dict(record), **decided.words())
        return issued.identifier

    def change(
        self, identifier: str, action: Action, *, by: str, reason: str, ground: str, officer: str, second: str
    ) -> State:
        """Move a licence to another state. Raises: as `Licensing.change`."""
        return self._office.change(
            identifier, action, by=by, reason=reason, ground=ground, officer=officer, second=second
        )

    def desk(self, actor: Actor) -> Desk:
        """The log of the deployment, for *actor* to search. Raises: EvidenceUnavailableError."""
        return Desk.here(self._office.settings, self._office.evidence, actor)

    def issued_for(self, case: str) -> str:
        """The licence that was issued for *case*, "" where none was: issuing may have outlived who ordered it."""
        query = sa.select(LicenceRow.identifier).where(LicenceRow.dossier == case, LicenceRow.state != PENDING)
        with self._office.control.reading() as connection:
            found: str | None = connection.execute(query).scalar()
        return found or ""

    def _standing(self, kind: LicenceKind, hashes: set[str]) -> set[str]:
        """Licences of *kind* that hold or are suspended; a pending one is gone on with, and is no duplicate."""
        query = sa.select(LicenceRow.identifier).where(
            LicenceRow.kind == kind.code,
            LicenceRow.holder_hash.in_(hashes),
            LicenceRow.state.in_([State.VALID.value, State.SUSPENDED.value]),
        )
        with self._office.control.reading() as connection:
            return set(connection.execute(query).scalars())
