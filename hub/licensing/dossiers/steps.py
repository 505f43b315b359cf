"""From application to licence: each step with its rule, clock, entry and history, and issuing at the end of it.

Handing out, by number:

    1. begin: the dossier may issue, and from here on nothing else can be done with it
    2. issue: the licence, by the licence office, in the dossier's name
    3. close: the step 签发, with the licence's identifier; the holder's code is let go

A crash between any two is mended by handing out again: the licence that was issued for the dossier is found by its
name, and no second one is made. What a later decision does to a licence is `hub.licensing.dossiers.decisions`'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.clock import day_of
from catalog.steps import CaseInvalidError, NotYoursError, problem
from hub.control import CaseRow, hold_generation
from hub.errors import HubError, TryAgainError
from hub.licensing.dossiers.content import (
    DOSSIER,
    DOSSIER_MARK,
    RETURN_RULE,
    STEPS,
    Filed,
    person,
)
from hub.licensing.dossiers.counter import Decided
from hub.licensing.dossiers.decisions import Decisions
from hub.licensing.dossiers.errors import refusal
from hub.licensing.dossiers.orders import Order, check, check_materials, check_stated, check_words, need_words
from hub.licensing.dossiers.prefill import Prefilled, prefill
from hub.licensing.dossiers.renewing import open_for, predecessor_row
from hub.licensing.papers import Sheet
from licence.errors import LicenceError, SignerError
from licence.lifecycle.dossier import TWO_PERSONS, Dossier, Event, Step, advance, next_version, open_dossier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hub.actors import Actor
    from hub.cases import Case, Transaction, Wanted
    from hub.licensing.dossiers.counter import Known
    from licence.model import LicenceKind

# What an officer did who gave no words of their own; the ground is then the one the application rests on.
_WORDS: Final[Mapping[Step, str]] = {Step.REVIEW: "审查通过", Step.APPROVE: "同意", Step.ISSUE: "签发"}
MAX_WHY_CHARS: Final = 300
# Clocks of two machines differ by seconds; a step that seems to come so little before the last comes with it.
SKEW: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Handed:
    """A case after something was handed in, and the face as the city knows it."""

    case: Case
    prefilled: Prefilled


class Dossiers(Decisions):
    """Applications for licences and decisions on them. Safe for many threads and processes.

    Promises: of two who act on one revision one wins and the other is told; for one application at most one licence
    is issued, and none for one that was refused or withdrawn. Each step raises what its machine refuses
    (`hub.licensing.dossiers.errors`), CaseUnknownError, NotYoursError, and CaseConflictError when *revision* is not
    the current one.
    """

    # --- handing in -------------------------------------------------------------------------------------------------

    def preview(self, order: Order, *, actor: Actor) -> Prefilled:
        """What the city knows and whether it could be issued now; nothing is opened, the look-up is recorded.

        Raises:
            CaseInvalidError: what must be mended; and as `apply`.
        """
        kind, order = self._kind_for(order, actor)
        return self._looked_up(order, kind)[0]

    def apply(self, order: Order, *, actor: Actor) -> Handed:
        """Take in (受理) an application.

        Raises:
            CaseInvalidError: every problem of it at once, or one like it is being handled.
            DossierUnitError: the actor is not of the issuing department; before anything is looked up.
            HolderNotFoundError, SeveralRecordsError, NoIssuingGrantError, DeniedError: nothing can be looked up.
        """
        kind, order = self._kind_for(order, actor)
        found, holder_hash = self._looked_up(order, kind)
        empty = open_for(order, kind, self.counter, self.now())
        with self.cases.begin() as transaction:
            self._need_alone(transaction, kind, holder_hash)
            dossier = self._advanced(
                empty, Event(Step.APPLY, actor.department, actor.post, transaction.at, order.reason, order.ground)
            )
            filed = Filed(
                purpose=order.purpose,
                dossier=dossier,
                holder=holder_hash,
                sealed="",
                reason=order.reason,
                ground=order.ground,
                matter=order.matter,
                materials=order.materials,
                channel=order.channel,
                outcome=found.outcome,
                field=found.field,
                differs=found.differs,
            )
            case = transaction.open(
                DOSSIER,
                DOSSIER_MARK,
                value=lambda id_: replace(filed, sealed=self._sealed(id_, order)).to_plain(),
                turn=filed.turn,
                opener=kind.issuer,
                resource=kind.resource,
                actor=actor,
                step="apply",
                note=order.reason,
                facts=_facts(filed),
                subject=holder_hash,
            )
        return Handed(case, found)

    def complete(
        self,
        id_: str,
        *,
        actor: Actor,
        reason: str,
        stated: Mapping[str, str] | None = None,
        materials: Sequence[str] = (),
        revision: int | None = None,
    ) -> Handed:
        """Take in again what was returned for completion (补正后受理): the terms of the law count anew.

        *stated* takes the place of what was stated before, *materials* are added.
        """
        case, filed = self._read(id_, actor)
        kept = self._content(case, filed)
        kind = self.counter.kind(filed.dossier.kind)
        found = list(check_words("reason", reason, holder=kept["holder"]))
        found += [*check_stated(stated or {}, kind), *check_materials((*filed.materials, *materials))]
        if found:
            raise CaseInvalidError(found)
        # Whether it is possible at all is asked before anything is looked up about anybody.
        self._moved(filed, Step.APPLY, actor, reason=reason, ground=filed.ground)
        if stated is not None:
            kept["stated"] = dict(stated)
        known = self._prefilled(filed, kind, kept)
        with self.cases.begin() as transaction:
            case, filed = self._held(transaction, id_, actor, case.revision if revision is None else revision)
            after = self._moved(filed, Step.APPLY, actor, reason=reason, ground=filed.ground, at=transaction.at)
            after = replace(
                after,
                sealed=self.holders.seal(id_, kept),
                materials=tuple(dict.fromkeys((*filed.materials, *materials))),
                outcome=known.outcome,
                field=known.field,
                differs=known.differs,
            )
            return Handed(self._act(transaction, case, after, actor=actor, step="complete", note=reason), known)

    def look(self, id_: str, *, actor: Actor) -> Prefilled:
        """The face as the city knows it now, beside what was stated, for who handles the case: a recorded look-up.

        Raises:
            DossierStepError: the case has ended and its holder's code was let go.
        """
        case, filed = self._read(id_, actor)
        kept = self._content(case, filed)
        return self._prefilled(filed, self.counter.kind(filed.dossier.kind), kept)

    def draft(self, id_: str, *, actor: Actor) -> Sheet:
        """What would stand on the licence if it were issued now, whole, for its preview: a recorded look-up.

        Raises:
            DossierStepError: the case has ended and its holder's code was let go.
            DossierRefusedError: it could not be issued as things stand.
        """
        case, filed = self._read(id_, actor)
        kept, before = self._content(case, filed), filed.dossier.predecessor
        kind = self.counter.kind(filed.dossier.kind)
        known = self._known(kind, kept["holder"], kept["record"], before)
        identifier = str(next_version(before)) if before else ""
        try:
            return Sheet.draft(
                kind, known.facts, issuer=self.counter.issuer_name(kind), at=self.now(), identifier=identifier
            )
        except LicenceError as error:
            raise refusal(error) from error

    # --- steps ------------------------------------------------------------------------------------------------------

    def ask(self, id_: str, *, actor: Actor, reason: str, ground: str = "", revision: int | None = None) -> Case:
        """Return it for completion (退回补正), telling everything that is missing at once (行政许可法第三十二条).

        Raises:
            CaseInvalidError: the time to do so is over; the application counts as accepted.
        """
        return self._step(id_, "return", actor, reason=reason, ground=ground, revision=revision)

    def review(
        self, id_: str, *, actor: Actor, reason: str = "", ground: str = "", revision: int | None = None
    ) -> Case:
        """Find it in order (审查); where two persons decide, not by who took it in."""
        return self._step(id_, "review", actor, reason=reason, ground=ground, revision=revision)

    def approve(
        self, id_: str, *, actor: Actor, reason: str = "", ground: str = "", revision: int | None = None
    ) -> Case:
        """Approve what was reviewed (批准), where the kind asks for two persons: by another than who reviewed it."""
        return self._step(id_, "approve", actor, reason=reason, ground=ground, revision=revision)

    def refuse(self, id_: str, *, actor: Actor, reason: str, ground: str, revision: int | None = None) -> Case:
        """Refuse the licence (不予许可), with reason and legal ground (行政许可法第三十八条)."""
        need_words({"ground": ground})
        return self._step(id_, "refuse", actor, reason=reason, ground=ground, revision=revision)

    def withdraw(self, id_: str, *, actor: Actor, reason: str, ground: str = "", revision: int | None = None) -> Case:
        """Let the applicant take the application back (撤回申请)."""
        return self._step(id_, "withdraw", actor, reason=reason, ground=ground, revision=revision)

    def hand_out(
        self, id_: str, *, actor: Actor, reason: str = "", ground: str = "", revision: int | None = None
    ) -> Case:
        """Issue the licence (签发); see the module for its three steps. Safe to repeat after a crash.

        Raises:
            DossierRefusedError, HubError: it cannot be issued as things stand; the case says so and stays open.
        """
        # Step 1.
        with self.cases.begin() as transaction:
            case, filed = self._held(transaction, id_, actor, revision)
            reason, ground = reason.strip() or _WORDS[Step.ISSUE], ground.strip() or filed.ground
            kept = self._content(case, filed)
            need_words({"reason": reason, "ground": ground}, holder=kept["holder"])
            self._may_issue(filed, actor, reason, ground)
            if not filed.issuing:
                filed = replace(filed, issuing=transaction.at.isoformat())
                case = self._act(transaction, case, filed, actor=actor, step="begin_issue", note="")
        decided = Decided(id_, reason, ground, str(actor), _second(filed.dossier, actor))
        # Step 2. A crash here leaves a case that nothing else can be done with than this again.
        try:
            identifier = self.counter.issued_for(id_) or self._issue(filed, kept, decided)
        except (HubError, LicenceError) as error:
            identifier = self.counter.issued_for(id_)
            if not identifier:
                # What may be tried again may have been done in part: then this alone stays possible.
                if isinstance(error, TryAgainError | SignerError):
                    raise
                self._failed(case, filed, actor, error)
                if isinstance(error, LicenceError):
                    raise refusal(error) from error
                raise
        # Step 3. A crash before it leaves a licence whose case is closed by doing it again.
        with self.cases.begin() as transaction:
            case, filed = self._held(transaction, id_, actor, case.revision)
            after = self._moved(
                filed, Step.ISSUE, actor, reason=reason, ground=ground, at=transaction.at, licence=identifier
            )
            after = replace(after, sealed="", issuing="")
            return self._act(transaction, case, after, actor=actor, step="issue", note=reason)

    # --- finding ----------------------------------------------------------------------------------------------------

    def get(self, id_: str) -> Case:
        """The application called *id_*. Who may see it is the door's affair. Raises: CaseUnknownError."""
        return self.cases.get(id_, DOSSIER)

    def find(
        self,
        *,
        department: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        open_: bool | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[int, tuple[Case, ...]]:
        """How many applications fit, and those of one page, the clock that ends first before the others."""
        wanted: Wanted = {"state": state, "opener": department, "open_": open_, "value": {"kind": kind}}
        return self.cases.count(DOSSIER, **wanted), self.cases.find(DOSSIER, **wanted, limit=limit, offset=offset)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _kind_for(self, order: Order, actor: Actor) -> tuple[LicenceKind, Order]:
        """The kind, for an officer of its issuer: whoever else asks hears nothing about anybody.

        Of a renewal nobody need type the holder's code: it stands on the licence.
        """
        kind = self.counter.kind(order.kind)
        if actor.department != kind.issuer:
            event = Event(Step.APPLY, actor.department, actor.post, self.now(), "x", "x")
            self._advanced(open_dossier(kind), event)
        if order.predecessor and not order.holder:
            predecessor_row(order, kind, self.counter)
            order = replace(order, holder=self.counter.holder_of(order.predecessor))
        check(order, kind, self.counter.resource(kind))
        return kind, order

    def _looked_up(self, order: Order, kind: LicenceKind) -> tuple[Prefilled, str]:
        open_for(order, kind, self.counter, self.now())
        known = self._known(kind, order.holder, order.record, order.predecessor)
        return self._beside(known, order.stated, order.predecessor), known.holder_hash

    def _prefilled(self, filed: Filed, kind: LicenceKind, kept: Mapping[str, Any]) -> Prefilled:
        known = self._known(kind, kept["holder"], kept["record"], filed.dossier.predecessor)
        return self._beside(known, kept["stated"], filed.dossier.predecessor)

    def _known(self, kind: LicenceKind, holder: str, record: Mapping[str, str], predecessor: str) -> Known:
        keys = {kind.holder_field: holder, **record}
        return self.counter.look_up(kind, keys, self.now(), replacing=predecessor)

    def _beside(self, known: Known, stated: Mapping[str, str], predecessor: str) -> Prefilled:
        """What is known beside what is stated and, where there is a licence before, beside that."""
        before = self.counter.claims_of(predecessor) if predecessor else None
        return prefill(known, stated, mask_key=self.mask_key, before=before)

    def _sealed(self, id_: str, order: Order) -> str:
        content = {"holder": order.holder, "record": dict(order.record), "stated": dict(order.stated)}
        return self.holders.seal(id_, content)

    def _content(self, case: Case, filed: Filed) -> dict[str, Any]:
        if not filed.open:
            raise self._ended(filed)
        return self.holders.open(case.id, filed.sealed)

    def _need_alone(self, transaction: Transaction, kind: LicenceKind, holder_hash: str) -> None:
        # Of two who take the same in at once, one waits here for the other, and finds its case.
        hold_generation(transaction.connection)
        query = sa.select(CaseRow.id).where(
            CaseRow.kind == DOSSIER,
            CaseRow.open,
            CaseRow.resource == kind.resource,
            CaseRow.value["holder"].as_string() == holder_hash,
        )
        known = transaction.connection.execute(query).scalar()
        if known is not None:
            raise CaseInvalidError([problem("holder", "dossier_waiting", case=known)])

    def _read(self, id_: str, actor: Actor) -> tuple[Case, Filed]:
        """A case for an officer of its issuing department."""
        return self._mine(self.get(id_), actor)

    def _held(self, transaction: Transaction, id_: str, actor: Actor, revision: int | None) -> tuple[Case, Filed]:
        # Whose it is comes before whether it has moved on: who has no part in it hears neither.
        self._mine(transaction.get(id_, DOSSIER), actor)
        return self._mine(transaction.get(id_, DOSSIER, revision), actor)

    def _mine(self, case: Case, actor: Actor) -> tuple[Case, Filed]:
        if case.opener != actor.department:
            raise NotYoursError(actor=str(actor), needed=case.opener)
        return case, Filed.from_plain(case.value)

    def _step(self, id_: str, name: str, actor: Actor, *, reason: str, ground: str, revision: int | None) -> Case:
        step = STEPS[name]
        with self.cases.begin() as transaction:
            case, filed = self._held(transaction, id_, actor, revision)
            reason, ground = reason.strip() or _WORDS.get(step, ""), ground.strip() or filed.ground
            after = self._moved(filed, step, actor, reason=reason, ground=ground, at=transaction.at)
            need_words({"reason": reason, "ground": ground}, holder=self._content(case, filed)["holder"])
            if step is Step.RETURN:
                self._need_in_time(filed, transaction)
            if not after.open:
                after = replace(after, sealed="")
            acted = self._act(transaction, case, after, actor=actor, step=name, note=reason)
            if step is Step.REVIEW and after.dossier.persons >= TWO_PERSONS:
                self._tell(transaction, acted, "dossier_to_approve")
            if step in (Step.APPROVE, Step.REFUSE):
                self._tell(transaction, acted, "dossier_decided")
        return acted

    def _need_in_time(self, filed: Filed, transaction: Transaction) -> None:
        until = self.clocks.due(RETURN_RULE, filed.applied_at).due
        if transaction.at > until:
            law = self.clocks.profile.rule(RETURN_RULE).law or RETURN_RULE
            raise CaseInvalidError([problem("case", "dossier_return_late", due=day_of(until).isoformat(), law=law)])

    def _moved(
        self,
        filed: Filed,
        step: Step,
        actor: Actor,
        *,
        reason: str,
        ground: str,
        at: datetime | None = None,
        licence: str = "",
    ) -> Filed:
        """*filed* after *step*, as the machine has it."""
        if filed.issuing and step is not Step.ISSUE:
            raise CaseInvalidError([problem("case", "dossier_being_issued")])
        moment, last = at or self.now(), filed.dossier.events[-1].at
        if last - SKEW <= moment < last:
            moment = last
        event = Event(step, actor.department, actor.post, moment, reason, ground, licence=licence)
        return replace(filed, dossier=self._advanced(filed.dossier, event))

    def _may_issue(self, filed: Filed, actor: Actor, reason: str, ground: str) -> None:
        """Whether the dossier is where it may issue: asked with an identifier that would fit."""
        if Step.ISSUE not in filed.dossier.possible() or actor.department != filed.dossier.issuer:
            self._moved(filed, Step.ISSUE, actor, reason=reason, ground=ground)

    def _issue(self, filed: Filed, kept: Mapping[str, Any], decided: Decided) -> str:
        if filed.dossier.predecessor:
            step = Step.CHANGE if filed.purpose == "change" else Step.RENEW
            return self.counter.renew(filed.dossier.predecessor, step, kept["record"], decided)
        return self.counter.issue(self.counter.kind(filed.dossier.kind), kept["holder"], kept["record"], decided)

    def _failed(self, case: Case, filed: Filed, actor: Actor, error: HubError | LicenceError) -> None:
        """Let go of the case: nothing was issued, and the officers may mend, refuse, or try again."""
        with self.cases.begin() as transaction:
            held, _ = self._held(transaction, case.id, actor, case.revision)
            note = error.text("zh")[:MAX_WHY_CHARS]
            self._act(transaction, held, replace(filed, issuing=""), actor=actor, step="issue_failed", note=note)

    def _ended(self, filed: Filed) -> Exception:
        event = Event(Step.REVIEW, filed.dossier.issuer, "x", self.now(), "x", "x")
        try:
            advance(filed.dossier, event)
        except LicenceError as error:
            return refusal(error)
        return AssertionError("an ended dossier allowed a step")

    def _act(self, transaction: Transaction, case: Case, after: Filed, *, actor: Actor, step: str, note: str) -> Case:
        return transaction.act(
            case,
            value=after.to_plain(),
            turn=after.turn,
            actor=actor,
            step=step,
            note=note,
            facts=_facts(after),
            subject=after.holder,
        )


def _second(dossier: Dossier, actor: Actor) -> str:
    """Who decided beside *actor*, "" where one person does; of approver and reviewer, who are two, one is another."""
    if dossier.persons < TWO_PERSONS:
        return ""
    deciding = [event.officer for event in reversed(dossier.events) if event.step in (Step.APPROVE, Step.REVIEW)]
    return next((one for one in deciding if person(one) != person(actor.post)), "")


def _facts(filed: Filed) -> dict[str, Any]:
    """What the public entry says: no words, nobody."""
    dossier = filed.dossier
    facts = {"kind": dossier.kind, "purpose": filed.purpose, "persons": dossier.persons}
    named = {"predecessor": dossier.predecessor, "licence": dossier.licence}
    return facts | {name: value for name, value in named.items() if value}
