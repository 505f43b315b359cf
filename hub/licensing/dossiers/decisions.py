"""Decisions on licences (暂扣、恢复、转出、撤销、注销、吊销): put forward, confirmed by a second officer, carried out.

By number:

    1. propose: an officer of the issuing unit, with reason and legal ground; where one person decides, it is agreed
    2. confirm: another officer, where the kind asks for two persons; from here on it can no longer be dropped
    3. change: the state of the licence, by the licence office, which publishes the status list
    4. close: the case says that it took effect, or why it could not

A crash between any two is mended by confirming again: a change that was made is found in the licence's history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from catalog.clock import day_of
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError, problem
from hub.control import CaseRow, hold_generation
from hub.licensing.dossiers.content import (
    CONFIRMED,
    DECISION,
    DECISION_MARK,
    DECISIONS,
    DONE,
    DROPPED,
    PROPOSED,
    VOID,
    Decision,
)
from hub.licensing.dossiers.errors import refusal
from hub.licensing.dossiers.orders import need_words
from hub.licensing.dossiers.relying import Relied, Use, relied_on, used_lately
from licence.errors import EventRefusedError, LicenceError, SignerError
from licence.lifecycle import Action, State
from licence.lifecycle.dossier import Dossier, Event, advance

if TYPE_CHECKING:
    from datetime import datetime

    from catalog.clock import Clocks
    from hub.actors import Actor
    from hub.cases import Case, Cases, Transaction, Wanted
    from hub.control import Control
    from hub.licensing.dossiers.counter import Counter
    from hub.licensing.dossiers.holders import Holders
    from licence.model import LicenceKind


@dataclass(frozen=True)
class Decisions:
    """What every room of the dossiers shares, and the decisions on licences. Promises: as `Dossiers`."""

    control: Control
    cases: Cases
    counter: Counter
    holders: Holders
    mask_key: bytes

    @property
    def clocks(self) -> Clocks:
        """The clocks in force."""
        return self.cases.clocks()

    def now(self) -> datetime:
        """The instant, by the clock that the evidence goes by."""
        return self.cases.evidence.clock()

    def relied_on(self, identifier: str) -> Relied:
        """Who has something in hand that rests on the licence: to be seen before a decision is taken.

        Raises:
            LicenceUnknownError: no licence has this identifier.
        """
        self.counter.licence(identifier)
        return relied_on(self.control, identifier, self.now())

    def used_lately(self, identifier: str, *, actor: Actor) -> tuple[Use, ...]:
        """Who did something with the licence in the last 30 days, by the log; that it was asked is on record.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            NotYoursError: the actor is not of the department that issued it.
            EvidenceUnavailableError: the log cannot be asked.
        """
        row = self.counter.licence(identifier)
        issuer = self.counter.kind(row["kind"]).issuer
        if actor.department != issuer:
            raise NotYoursError(actor=str(actor), needed=issuer)
        return used_lately(self.counter.desk(actor), identifier, row["owner_hash"], self.now())

    # --- steps ------------------------------------------------------------------------------------------------------

    def propose(self, identifier: str, action: str, *, actor: Actor, reason: str, ground: str) -> Case:
        """Put a decision forward; where the kind is decided by one person, it is carried out at once.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            DossierUnitError, DossierStepError: not by this unit, or not in this state of the licence.
            CaseInvalidError: reason or ground is missing, or another decision on it is not finished.
        """
        if action not in DECISIONS:
            raise CaseInvalidError([problem("action", "decision_action", known=", ".join(DECISIONS))])
        row = self.counter.licence(identifier)
        kind = self.counter.kind(row["kind"])
        self._need_unit(action, kind, actor)
        need_words({"reason": reason, "ground": ground})
        decision = Decision(
            licence=identifier,
            kind=kind.code,
            issuer=kind.issuer,
            persons=kind.approvals,
            action=action,
            reason=reason,
            ground=ground,
            first=actor.post,
            stands=row["state"],
        )
        with self.cases.begin() as transaction:
            self._check(decision, row, transaction.at, unit=actor.department)
            self._need_no_other(transaction, identifier)
            if not decision.by_two:
                decision = replace(decision, state=CONFIRMED, confirmed_at=transaction.at.isoformat())
            case = transaction.open(
                DECISION,
                DECISION_MARK,
                value=lambda _: decision.to_plain(),
                turn=decision.turn,
                opener=kind.issuer,
                resource=row["resource"],
                actor=actor,
                step="propose",
                note=reason,
                facts=_facts(decision),
                subject=row["holder_hash"],
            )
            if decision.by_two:
                self._tell(transaction, case, "decision_to_confirm")
                return case
        return self._carry_out(case, decision, row, actor)

    def confirm(self, id_: str, *, actor: Actor, revision: int | None = None) -> Case:
        """Agree to a decision as a second officer, and carry it out. Safe to repeat after a crash.

        Raises:
            DossierHandsError: the actor put it forward.
            DossierRefusedError, DossierStepError: the licence does not allow it any more; the case is closed as void.
        """
        with self.cases.begin() as transaction:
            case, decision = self._decision(transaction, id_, actor, revision)
            row = self.counter.licence(decision.licence)
            if decision.state == PROPOSED:
                self._check(decision, row, transaction.at, unit=actor.department, second=actor.post)
                decision = replace(
                    decision, state=CONFIRMED, second=actor.post, confirmed_at=transaction.at.isoformat()
                )
                case = self._decided(transaction, case, decision, row, actor=actor, step="confirm", note="")
            elif decision.state != CONFIRMED:
                raise self._closed(decision)
        return self._carry_out(case, decision, row, actor)

    def drop(self, id_: str, *, actor: Actor, reason: str, revision: int | None = None) -> Case:
        """Give a decision up that was not confirmed."""
        need_words({"reason": reason})
        with self.cases.begin() as transaction:
            case, decision = self._decision(transaction, id_, actor, revision)
            if decision.state != PROPOSED:
                raise self._closed(decision)
            row = self.counter.licence(decision.licence)
            after = replace(decision, state=DROPPED, why=reason)
            return self._decided(transaction, case, after, row, actor=actor, step="drop", note=reason)

    # --- finding ----------------------------------------------------------------------------------------------------

    def decision(self, id_: str) -> Case:
        """The decision called *id_*. Who may see it is the door's affair. Raises: CaseUnknownError."""
        return self.cases.get(id_, DECISION)

    def decisions(
        self,
        *,
        department: str | None = None,
        licence: str | None = None,
        open_: bool | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[int, tuple[Case, ...]]:
        """How many decisions fit, and those of one page."""
        wanted: Wanted = {"opener": department, "open_": open_, "value": {"licence": licence}}
        found = self.cases.find(DECISION, **wanted, newest=True, limit=limit, offset=offset)
        return self.cases.count(DECISION, **wanted), found

    # --- inside -----------------------------------------------------------------------------------------------------

    def _carry_out(self, case: Case, decision: Decision, row: dict[str, Any], actor: Actor) -> Case:
        """Steps 3 and 4. A crash before 4 leaves a licence that was changed; doing it again closes the case."""
        why = ""
        failed: LicenceError | None = None
        if not _made(decision, self.counter.licence(decision.licence)):
            try:
                self.counter.change(
                    decision.licence,
                    Action(decision.action),
                    by=decision.issuer,
                    reason=decision.reason,
                    ground=decision.ground,
                    officer=decision.first,
                    second=decision.second,
                )
            except SignerError:
                # The licence may have been changed and its list not signed yet: confirming again closes the case.
                raise
            except LicenceError as error:
                failed, why = error, error.text("zh")
        with self.cases.begin() as transaction:
            held, _ = self._decision(transaction, case.id, actor, case.revision)
            after = replace(decision, state=VOID if failed else DONE, why=why)
            step = "void" if failed else "take_effect"
            closed = self._decided(transaction, held, after, row, actor=actor, step=step, note=why)
            if not failed:
                self._tell(transaction, closed, "decision_done")
        if failed:
            raise refusal(failed) from failed
        return closed

    def _check(self, decision: Decision, row: dict[str, Any], at: datetime, *, unit: str, second: str = "") -> None:
        """What the machine says of the step as the licence stands now; before a second has confirmed, of one alone."""
        state = State(row["state"]) if row["state"] in tuple(State) else State.OTHER
        dossier = decision.dossier(state)
        if not second:
            dossier = replace(dossier, persons=1)
        self._advanced(dossier, replace(decision.event(at, second=second), unit=unit))

    def _need_unit(self, action: str, kind: LicenceKind, actor: Actor) -> None:
        # Before the licence's state is looked at: whose it is not is told nothing of how it stands.
        if actor.department != kind.issuer:
            step = DECISIONS[action]
            raise refusal(
                EventRefusedError(
                    "event_other_unit", by=actor.department, step=step.value, step_zh=step.zh, issuer=kind.issuer
                )
            )

    def _advanced(self, dossier: Dossier, event: Event) -> Dossier:
        """*dossier* after *event*; what the machine refuses, as an error of a case."""
        try:
            return advance(dossier, event)
        except LicenceError as error:
            raise refusal(error) from error

    def _need_no_other(self, transaction: Transaction, identifier: str) -> None:
        # Of two who decide at once, one waits here for the other, and finds its case.
        hold_generation(transaction.connection)
        query = sa.select(CaseRow.id).where(
            CaseRow.kind == DECISION, CaseRow.open, CaseRow.value["licence"].as_string() == identifier
        )
        known = transaction.connection.execute(query).scalar()
        if known is not None:
            raise CaseInvalidError([problem("licence", "decision_waiting", case=known)])

    def _decision(
        self, transaction: Transaction, id_: str, actor: Actor, revision: int | None
    ) -> tuple[Case, Decision]:
        case = transaction.get(id_, DECISION)
        if case.opener != actor.department:
            raise NotYoursError(actor=str(actor), needed=case.opener)
        case = transaction.get(id_, DECISION, revision)
        return case, Decision.from_plain(case.value)

    def _decided(
        self,
        transaction: Transaction,
        case: Case,
        after: Decision,
        row: dict[str, Any],
        *,
        actor: Actor,
        step: str,
        note: str,
    ) -> Case:
        return transaction.act(
            case,
            value=after.to_plain(),
            turn=after.turn,
            actor=actor,
            step=step,
            note=note,
            facts=_facts(after),
            subject=row["holder_hash"],
        )

    def _closed(self, decision: Decision) -> Exception:

        return StepNotAllowedError(step="confirm", state=decision.state, allowed=decision.possible)

    def _tell(self, transaction: Transaction, case: Case, notice: str) -> None:
        """Tell the issuing department: other officers of it act, or know. No words of a case stand in a notice."""
        kind = self.counter.kind_of(case.value["kind"])
        params = {
            "case": case.id,
            "kind": case.value["kind"] if kind is None else kind.name_en,
            "kind_zh": case.value["kind"] if kind is None else kind.name,
            "due": day_of(case.due_at).isoformat() if case.due_at else "-",
        }
        key = f"{case.id}/{case.revision}/{notice}"
        transaction.tell(case.opener, notice, key=key, case=case.id, resource=case.resource, params=params)


def _made(decision: Decision, row: dict[str, Any]) -> bool:
    """Whether the change that *decision* orders is in the licence's history."""
    ordered = (decision.action, decision.reason, decision.ground)
    return any(
        (one["action"], one["reason"], one["ground"]) == ordered and one["at"] >= decision.confirmed_at
        for one in row["history"]
    )


def _facts(decision: Decision) -> dict[str, Any]:
    """What the public entry says: no words, nobody."""
    return {
        "licence": decision.licence,
        "kind": decision.kind,
        "action": decision.action,
        "persons": decision.persons,
        "first": decision.first,
        "second": decision.second,
    }
