"""What a dossier and a decision hold as cases: the value the database keeps, and where each leaves its case.

Which step is possible is asked of `licence.lifecycle.dossier`, whose events these values carry.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hub.cases import Turn
from licence.lifecycle.dossier import TWO_PERSONS, Dossier, Event, Phase, Step, replay
from licence.lifecycle.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

DOSSIER, DOSSIER_MARK = "dossier", "Z"
DECISION, DECISION_MARK = "decision", "J"
RETURN_RULE, DECIDE_RULE, HAND_OUT_RULE, CONFIRM_RULE = (
    "licence.return",
    "licence.decide",
    "licence.issue",
    "licence.confirm",
)
ISSUED: Final = "issued"
_STATES: Final[Mapping[Phase | State, str]] = {Phase.WITHDRAWN: "withdrawn", State.VALID: ISSUED}
PROPOSED, CONFIRMED, DONE, DROPPED, VOID = "proposed", "confirmed", "done", "dropped", "void"


@dataclass(frozen=True, slots=True)
class Filed:
    """An application for a licence as its case keeps it.

    *holder* is the keyed hash, *sealed* what `hub.licensing.dossiers.holders` sealed ("" once the case ended).
    *outcome* and *field* are what `hub.licensing.planning` said when it was last looked up, *differs* the fields of
    the face in which the applicant says otherwise. *issuing* is when and by whom issuing was begun, "" before.
    """

    purpose: str
    dossier: Dossier
    holder: str
    sealed: str
    reason: str
    ground: str
    matter: str = ""
    materials: tuple[str, ...] = ()
    channel: str = ""
    outcome: str = ""
    field: str = ""
    differs: tuple[str, ...] = ()
    issuing: str = ""

    @property
    def state(self) -> str:
        """The state of the case."""
        return _STATES.get(self.dossier.phase, str(self.dossier.phase))

    @property
    def open(self) -> bool:
        """Whether a step can still be taken."""
        return isinstance(self.dossier.phase, Phase) and bool(self.dossier.possible())

    @property
    def possible(self) -> tuple[str, ...]:
        """The steps that may be taken now, as the doors call them."""
        if not self.open:
            return ()
        steps = (Step.ISSUE,) if self.issuing else self.dossier.possible()
        return tuple(DOORS[step] for step in steps)

    @property
    def applied_at(self) -> datetime:
        """When it was last taken in: from then on the terms of the law count."""
        return next(event.at for event in reversed(self.dossier.events) if event.step is Step.APPLY)

    @property
    def turn(self) -> Turn:
        """Whose turn it is, and the clock that runs: 20 working days to the decision, 10 to hand it out."""
        phase, issuer = self.dossier.phase, self.dossier.issuer
        if not self.open:
            return Turn(self.state, open=False)
        if phase is Phase.RETURNED:
            # What the applicant has to bring has no term in law; the issuing unit takes it in.
            return Turn(self.state, open=True, answerer=issuer)
        rule = HAND_OUT_RULE if phase is Phase.APPROVED else DECIDE_RULE
        return Turn(self.state, open=True, answerer=issuer, rule=rule, keeps=True)

    def to_plain(self) -> dict[str, Any]:
        """As the case stores it."""
        dossier = self.dossier
        return {
            "purpose": self.purpose,
            "kind": dossier.kind,
            "issuer": dossier.issuer,
            "persons": dossier.persons,
            "predecessor": dossier.predecessor,
            "licence": dossier.licence,
            "holder": self.holder,
            "sealed": self.sealed,
            "reason": self.reason,
            "ground": self.ground,
            "matter": self.matter,
            "materials": list(self.materials),
            "channel": self.channel,
            "outcome": self.outcome,
            "field": self.field,
            "differs": list(self.differs),
            "issuing": self.issuing,
            "events": [event_plain(event) for event in dossier.events],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Filed:
        """What a case stores; its dossier is replayed, so that a history that cannot have been is not believed.

        Raises:
            EventRefusedError: the history was changed.
        """
        empty = Dossier(plain["kind"], plain["issuer"], plain["persons"], plain["predecessor"])
        dossier = replay(empty, [event_of(one) for one in plain["events"]])
        return cls(
            purpose=plain["purpose"],
            dossier=dossier,
            **{name: plain[name] for name in ("holder", "sealed", "reason", "ground", "matter", "channel")},
            materials=tuple(plain["materials"]),
            outcome=plain["outcome"],
            field=plain["field"],
            differs=tuple(plain["differs"]),
            issuing=plain["issuing"],
        )


# What the doors call the steps; 撤回申请 of the applicant and 吊销 of the authority are both "withdraw" in English.
DOORS: Final[Mapping[Step, str]] = {
    Step.APPLY: "complete",
    Step.RETURN: "return",
    Step.REVIEW: "review",
    Step.APPROVE: "approve",
    Step.REFUSE: "refuse",
    Step.ABANDON: "withdraw",
    Step.ISSUE: "hand-out",
}
STEPS: Final[Mapping[str, Step]] = {name: step for step, name in DOORS.items()}
# The decisions on a licence, as the doors and `licence.lifecycle.Action` call them, and their steps of the dossier.
DECISIONS: Final[Mapping[str, Step]] = {
    "suspend": Step.SUSPEND,
    "resume": Step.RESUME,
    "transfer": Step.TRANSFER,
    "revoke": Step.REVOKE,
    "cancel": Step.CANCEL,
    "withdraw": Step.WITHDRAW,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a licence as its case keeps it: put forward by *first*, confirmed by *second* where two decide.

    *stands* is the state of the licence when it was put forward; *confirmed_at* is when it was agreed to, "" before.
    """

    licence: str
    kind: str
    issuer: str
    persons: int
    action: str
    reason: str
    ground: str
    first: str
    stands: str
    state: str = PROPOSED
    second: str = ""
    confirmed_at: str = ""
    why: str = ""

    @property
    def open(self) -> bool:
        """Whether it is not finished."""
        return self.state in (PROPOSED, CONFIRMED)

    @property
    def possible(self) -> tuple[str, ...]:
        """The steps that may be taken now."""
        return {PROPOSED: ("confirm", "drop"), CONFIRMED: ("confirm",)}.get(self.state, ())

    @property
    def turn(self) -> Turn:
        """Whose turn it is; how soon a second officer confirms is the product's own default."""
        if not self.open:
            return Turn(self.state, open=False)
        return Turn(self.state, open=True, answerer=self.issuer, rule=CONFIRM_RULE, keeps=True)

    @property
    def by_two(self) -> bool:
        """Whether the kind asks for two persons."""
        return self.persons >= TWO_PERSONS

    def event(self, at: datetime, *, second: str = "") -> Event:
        """The step of the licence's dossier that this decision is."""
        return Event(
            DECISIONS[self.action], self.issuer, self.first, at, self.reason, self.ground, second=second or self.second
        )

    def dossier(self, state: State) -> Dossier:
        """The dossier of the licence as it stands in *state*; a licence issued in a batch has no other."""
        return Dossier(self.kind, self.issuer, self.persons, phase=state, licence=self.licence)

    def to_plain(self) -> dict[str, Any]:
        """As the case stores it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Decision:
        """What a case stores."""
        return cls(**plain)


def event_plain(event: Event) -> dict[str, str]:
    """An event as JSON."""
    return {
        "step": event.step.value,
        "unit": event.unit,
        "officer": event.officer,
        "at": event.at.isoformat(),
        "reason": event.reason,
        "ground": event.ground,
        "second": event.second,
        "licence": event.licence,
    }


def event_of(plain: Mapping[str, str]) -> Event:
    """The event that JSON holds."""
    return Event(**{**plain, "step": Step(plain["step"]), "at": datetime.fromisoformat(plain["at"])})  # type: ignore[arg-type]


def person(officer: str) -> str:
    """One form of an officer's post, as the machine compares them: another width or case is no other person."""
    return unicodedata.normalize("NFKC", officer).strip().casefold()
