"""Renews or changes a licence: the next version of the same identifier, to the same holder, with the facts of today.

The steps, by number; those of `hub.licensing.course` up to naming, then all in one control transaction:

    1. facts, slot, seal, keep and name: the new version waits, *replacing*, beside the one that holds
    2. both entries, in one append: the predecessor lapses, the new version is issued
    3. the predecessor is 失效, the new version 有效
    4. the status list of the predecessor is published

A kill before 3 leaves the new version waiting: renewing again goes on with it, and writes no entry twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import LicenceRow, row_dict
from hub.licensing.course import Order, Wanted, key_id
from hub.licensing.errors import ApprovalMissingError, KindNotSourcedError, OtherHolderError
from hub.licensing.issuing import Issued, Issuing
from hub.licensing.lookups import (
    PENDING,
    change_plain,
    licence_of,
    licence_row,
    make_valid,
    update_licence,
    update_status_list,
)
from hub.licensing.states import States
from licence import credential, lifecycle
from licence.errors import EventRefusedError, TransitionRefusedError
from licence.lifecycle import Action, State
from licence.lifecycle.dossier import TWO_PERSONS, Step, next_version
from licence.status import events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from licence.lifecycle import Licence
    from licence.model import LicenceKind
    from licence.wallet.jwk import HolderKey

RENEW: Final = Step.RENEW
CHANGE: Final = Step.CHANGE


class Renewing(Issuing, States):
    """The room that makes new versions. Safe for many processes."""

    def renew(
        self,
        identifier: str,
        *,
        reason: str,
        ground: str,
        by: str,
        action: Step = RENEW,
        record: Mapping[str, str] | None = None,
        approved: str | None = None,
        second: str = "",
        holder_key: HolderKey | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        ex_officio: bool = False,
    ) -> Issued:
        """Issue the next version of a licence that holds, for its holder; this one lapses in the same transaction.

        *action* is `RENEW` (延续) or `CHANGE` (变更), *by* department and officer (``RS:licence-officer``). *record*
        names the holder's record where there are several, as at the first issue; the rest as `Issuing.issue`.
        *ex_officio* (依职权): nobody applied, so that no case is named; where two decide, *second* is the other one.

        Raises:
            LicenceUnknownError, StoreDamagedError: there is nothing to renew.
            KindUnknownError, KindNotSourcedError: its kind is not in the catalogue any more, or not issued here.
            EventRefusedError: the licence does not hold, or two persons are asked for and this is one.
            NotIssuingDepartmentError, GroundMissingError: another department, or no reason.
            OtherHolderError: what was found is not the record that the licence is about.
            ApprovalMissingError, HolderNotFoundError and others: as `Issuing.issue`.
        """
        with self.control.reading() as connection:
            row = licence_row(connection, identifier)
        kind = self.kind(row["kind"])
        if not kind.sourced:
            raise KindNotSourcedError(kind=kind.name)
        if kind.approvals >= TWO_PERSONS and not approved and not ex_officio:
            raise ApprovalMissingError(kind=kind.name)
        sealed = self.sealed(identifier)
        successor = next_version(identifier)
        self._lapsed(row, action, by=by, reason=reason, ground=ground, second=second, successor=str(successor))
        holder = str(credential.parse(sealed.credential).claims["CZZTDM"])
        keys = {kind.holder_field: holder, **(record or {})}
        facts = self._facts(kind, keys)
        if row["holder_hash"] not in {
            self._holder_hash(kind, keys),
            self._holder_hash(kind, {kind.holder_field: holder}),
        }:
            raise OtherHolderError(identifier=identifier)
        order = Order(kind, by, reason, ground, second=second, dossier=approved or "")
        wanted = Wanted(
            row["holder_hash"], facts, holder_key, valid_from, valid_until, identifier=successor, predecessor=identifier
        )
        with self._alone():
            waiting = self._waiting(identifier)
            if waiting is not None and self._of_an_earlier_key(waiting, kind):
                with self.control.writing() as connection:
                    connection.execute(sa.delete(LicenceRow).where(LicenceRow.identifier == waiting["identifier"]))
                waiting = None
            if waiting is None:
                (waiting,), texts = self._seal_group(order, [wanted])
                self._name([waiting], texts)
                with self.control.writing() as connection:  # step 1
                    connection.execute(sa.insert(LicenceRow).values(**waiting))
            index = self._replace(row["identifier"], waiting, order, action)
        self.publish_status(row["status_list"])  # step 4
        return Issued(str(successor), kind.code, index)

    def _waiting(self, predecessor: str) -> dict[str, Any] | None:
        query = sa.select(LicenceRow.__table__).where(
            LicenceRow.predecessor == predecessor, LicenceRow.replacing, LicenceRow.state == PENDING
        )
        with self.control.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else row_dict(row)

    def _of_an_earlier_key(self, waiting: Mapping[str, Any], kind: LicenceKind) -> bool:
        """Whether a key that signs no more, and may be lost, sealed what waits; nobody ever saw what no entry names."""
        return waiting["key_id"] != key_id(self.keys.department(kind.issuer)) and not self._logged([waiting])

    def _replace(self, predecessor: str, waiting: Mapping[str, Any], order: Order, action: Step) -> int:
        identifier = waiting["identifier"]
        department, _, officer = order.by.partition(":")
        known = self._logged([waiting])
        refused: EventRefusedError | TransitionRefusedError | None = None
        with self.control.writing() as connection:
            row = licence_row(connection, predecessor, held=True)
            try:
                lapsed = self._lapsed(
                    row,
                    action,
                    by=order.by,
                    reason=order.reason,
                    ground=order.ground,
                    second=order.second,
                    successor=identifier,
                )
            except (EventRefusedError, TransitionRefusedError) as error:
                # It was revoked or suspended in the meantime; the new version was never logged, and is given up.
                if identifier in known:
                    raise
                connection.execute(sa.delete(LicenceRow).where(LicenceRow.identifier == identifier))
                refused = error
            else:
                index = known.get(identifier)
                drafts = []
                if index is None or not self._lapse_logged(predecessor, index):
                    drafts.append(self._changed(row, Action.EXPIRE, State.LAPSED, by=department, officer=officer))
                if index is None:
                    drafts.append(self._entry(waiting, self.standing.now().list.version))
                if drafts:
                    indexes = self.evidence.keep(drafts)  # step 2
                    index = indexes[-1] if index is None else index
                # The one that holds goes first: for a holder there is never a moment with two.
                update_status_list(connection, row["status_list"], token_digest=None)
                change = change_plain(lapsed.history[-1], officer=officer, second=order.second)
                update_licence(
                    connection,
                    predecessor,
                    state=State.LAPSED.value,
                    history=[*row["history"], {**change, "step": action.value, "successor": identifier}],
                )
                update_licence(connection, identifier, replacing=False)
                make_valid(connection, {identifier: int(index or 0)})  # step 3
        if refused is not None:
            raise refused
        return int(index or 0)

    def _lapsed(
        self, row: Mapping[str, Any], action: Step, *, by: str, reason: str, ground: str, second: str, successor: str
    ) -> Licence:
        """The predecessor as it will be, if the rules allow it."""
        department, _, officer = by.partition(":")
        licence = licence_of(row, self.kinds)
        lapsed = lifecycle.change(licence, Action.EXPIRE, by=department, at=self.clock(), reason=reason, ground=ground)
        self._persons(row, action, lapsed, officer=officer, second=second, successor=successor)
        return lapsed

    def _lapse_logged(self, predecessor: str, index: int) -> bool:
        """Whether the entry beside that of the new version says so: both are written in one append."""
        if index == 0:
            return False
        event = events.read_event(self.evidence.log.entry(index - 1), index - 1)
        return isinstance(event, events.Changed) and event.licence == predecessor and event.state is State.LAPSED
