"""An application (数据共享申请) for a resource, from submission over review and dispute to its end: values and steps.

What the list lets a department ask for is `catalog.eligibility`; keeping cases, running their clocks and giving the
grant is left to `hub`. A post that acts is a text ``DEPARTMENT:POST``.

    submitted ──ask──▶ asked ──supply──▶ submitted
    submitted, asked ──approve──▶ granted;  ──refuse──▶ refused
    refused ──dispute──▶ consulting (with the provider) ──settle──▶ granted or upheld
    consulting, upheld ──appeal──▶ mediating (the office) ──settle──▶ granted or upheld
    mediating, upheld ──appeal──▶ deciding (the government, recorded by the office) ──settle──▶ granted or final
    submitted, asked, consulting, mediating, deciding ──withdraw──▶ withdrawn
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.eligibility import check_application, check_text, covering, lines_of, need_text, unconditional
from catalog.rows import rules_from_plain, rules_to_plain
from catalog.steps import (
    CaseInvalidError,
    NotYoursError,
    SameHandsError,
    StepNotAllowedError,
    problem,
    register_problems,
)
from catalog.terms import (
    FieldWish,
    Less,
    Terms,
    excess,
    lessened,
    minimum,
    minimum_of,
    terms_from_plain,
    terms_to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from catalog.model import InformationResource, ResponsibilityList
    from catalog.rows import RowRule

__all__ = ["Application", "FieldWish", "Less", "Terms", "check_application", "draft", "minimum", "unconditional"]

KIND: Final = "application"
DEFAULT_TERM_DAYS: Final = 365
REPLY_UNCONDITIONAL: Final = "application.reply.unconditional"
REPLY_CONDITIONAL: Final = "application.reply.conditional"
GOVERNMENT_TIER: Final = 3
MAX_EXCHANGES: Final = 20  # an application that needs more questions is withdrawn and drawn up anew

register_problems(
    {
        "citation_missing": (
            "a refusal must cite its ground; name the law, rule or line of the list",
            "不予同意须注明依据，请写明所依据的法律、法规、规章或清单条目",
        ),
        "office_missing": (
            "the list names no office that settles disputes; add one to the list",
            "清单未指定处理争议的数据主管部门，请在清单中补充",
        ),
        "document_missing": (
            "a decision of the government has a document number; give it",
            "政府的决定应有文号，请填写",
        ),
        "dispute_late": (
            "the time to dispute this ended on {due}; make a new application",
            "提出争议的期限已于 {due} 届满，请重新申请",
        ),
        "exchanges_too_many": (
            "{limit} questions were asked already; decide, or refuse with what is missing",
            "已补正 {limit} 次，请作出决定，或以材料不足为由不予同意",
        ),
    }
)


class State(StrEnum):
    """Where an application stands."""

    SUBMITTED = "submitted"
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    CONSULTING = "consulting"
    MEDIATING = "mediating"
    DECIDING = "deciding"
    UPHELD = "upheld"
    FINAL = "final"
    WITHDRAWN = "withdrawn"


OPEN: Final = (State.SUBMITTED, State.ASKED, State.CONSULTING, State.MEDIATING, State.DECIDING)
REFUSALS: Final = (State.REFUSED, State.UPHELD, State.FINAL)
# In the order of the tiers: the state of each and its clock.
TIERS: Final = (
    (State.CONSULTING, "dispute.consult"),
    (State.MEDIATING, "dispute.office"),
    (State.DECIDING, "dispute.government"),
)
_IN_DISPUTE: Final = tuple(state for state, _ in TIERS)
_STEPS: Final[dict[str, tuple[State, ...]]] = {
    "ask": (State.SUBMITTED,),
    "supply": (State.ASKED,),
    "approve": (State.SUBMITTED, State.ASKED),
    "refuse": (State.SUBMITTED, State.ASKED),
    "withdraw": OPEN,
    "dispute": (State.REFUSED, State.UPHELD, State.CONSULTING, State.MEDIATING),
    "settle": _IN_DISPUTE,
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question of the provider and its *answer* ("" while it is open)."""

    question: str
    asked_by: str
    answer: str = ""
    answered_by: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: the *ground* it cites, *note* in words, *tier* 0 by the provider's review, 1 to 3 in dispute."""

    ground: str
    note: str
    by: str
    tier: int = 0
    document: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """An application. Up to *renews* it is what the applicant asks; the rest is what became of it.

    *purposes* are matters; *rows* and *volume_per_day* limit what is asked (0: no limit is named). *renews* is the
    grant it is to take the place of. *list_version* is the list it was last checked against.

    *rule* is the clock of the reply. *applied_by* are the posts that wrote it, *decided_by* those that decided on it:
    none may be among both. *terms* and *grant* are what was given.
    """

    applicant: str
    resource: str
    purposes: tuple[str, ...]
    fields: tuple[FieldWish, ...]
    reason: str = ""
    actions: tuple[str, ...] = ("query",)
    rows: tuple[RowRule, ...] = ()
    volume_per_day: int = 0
    term_days: int = DEFAULT_TERM_DAYS
    ground: str = ""
    list_version: str = ""
    renews: str = ""
    state: State = State.SUBMITTED
    provider: str = ""
    office: str = ""
    rule: str = ""
    applied_by: tuple[str, ...] = ()
    decided_by: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    disputes: tuple[str, ...] = ()
    document: str = ""
    terms: Terms | None = None
    grant: str = ""

    @property
    def tier(self) -> int:
        """The tier a dispute has reached; 0 without one."""
        return len(self.disputes)

    @property
    def asked(self) -> Terms:
        """The terms as they were asked for."""
        return Terms(
            fields=tuple(wish.name for wish in self.fields),
            actions=self.actions,
            purposes=self.purposes,
            term_days=self.term_days,
            rows=self.rows,
            quota_per_day=self.volume_per_day,
        )

    @property
    def open(self) -> bool:
        """Whether somebody still has to act."""
        return self.state in OPEN

    @property
    def answerer(self) -> str:
        """The department whose turn it is; "" when the application has ended."""
        if self.state in (State.SUBMITTED, State.CONSULTING):
            return self.provider
        if self.state is State.ASKED:
            return self.applicant
        return self.office if self.open else ""

    @property
    def clock(self) -> str:
        """The rule of the clock that runs; "" when none does."""
        if self.state is State.SUBMITTED:
            return self.rule
        if self.state is State.ASKED:
            return "application.supplement"
        return dict(TIERS).get(self.state, "")

    @property
    def possible(self) -> tuple[str, ...]:
        """The steps that may be taken now, by whoever they belong to."""
        return tuple(step for step, states in _STEPS.items() if self.state in states)


def department_of(actor: str) -> str:
    """The department of a post."""
    return actor.partition(":")[0]


def draft(
    list_: ResponsibilityList,
    *,
    applicant: str,
    resource: str,
    purposes: Sequence[str],
    fields: Sequence[FieldWish] = (),
    actions: Sequence[str] = (),
    ground: str = "",
    **asked: Any,  # noqa: ANN401 - the other members of `Application`, as they are
) -> Application:
    """An application that asks for the minimum of its matters and, beyond it, for *fields*.

    The minimum is taken from the list; what a wish says of a field of it is kept. Without *ground* that of the line
    is cited; without *actions* those of the minimum, or ``query``.
    """
    least = minimum_of(list_, purposes, resource)
    wished = {wish.name: wish for wish in fields}
    first = tuple(wished.get(name, FieldWish(name)) for name in least.fields)
    own = lines_of(list_, applicant, resource)
    grounds = [line.ground for matter in purposes for line in covering(list_, own, applicant, matter)]
    return Application(
        applicant=applicant,
        resource=resource,
        purposes=tuple(purposes),
        # A field that is named twice stays so, for the check to say it.
        fields=(*first, *(wish for wish in fields if wish.name not in least.fields)),
        actions=tuple(actions) or least.actions or ("query",),
        ground=ground or "；".join(dict.fromkeys(grounds)),
        list_version=list_.version,
        **asked,
    )


# The steps. Each returns the application after it, or raises what speaks against it: StepNotAllowedError in this
# state, NotYoursError for this department, SameHandsError for this post, CaseInvalidError for what was handed in.


def submit(application: Application, list_: ResponsibilityList, *, by: str, on: date) -> Application:
    """Submit *application* on the day *on*."""
    _belongs(by, application.applicant)
    checked = _checked(application, list_, on)
    return replace(checked, state=State.SUBMITTED, applied_by=(by,))


def ask(application: Application, question: str, *, by: str) -> Application:
    """Ask the applicant to complete it."""
    _require(application, "ask")
    _decider(application, by, application.provider)
    need_text("question", question)
    if len(application.exchanges) >= MAX_EXCHANGES:
        raise CaseInvalidError([problem("question", "exchanges_too_many", limit=str(MAX_EXCHANGES))])
    exchanges = (*application.exchanges, Exchange(question, by))
    return replace(application, state=State.ASKED, exchanges=exchanges)


def supply(
    application: Application,
    answer: str,
    list_: ResponsibilityList,
    *,
    by: str,
    on: date,
    amended: Application | None = None,
) -> Application:
    """Answer the question, changing what is asked for where *amended* is given; checked anew against *list_*."""
    _require(application, "supply")
    _belongs(by, application.applicant)
    need_text("answer", answer)
    *before, last = application.exchanges
    content = application
    if amended is not None:
        wanted = {name: getattr(amended, name) for name in _AMENDABLE}
        content = replace(application, **wanted)
    checked = _checked(replace(content, list_version=list_.version), list_, on)
    return replace(
        checked,
        state=State.SUBMITTED,
        exchanges=(*before, replace(last, answer=answer, answered_by=by)),
        applied_by=tuple(dict.fromkeys((*application.applied_by, by))),
    )


_AMENDABLE: Final = (
    "purposes",
    "fields",
    "reason",
    "actions",
    "rows",
    "volume_per_day",
    "term_days",
    "ground",
)


def approve(
    application: Application, list_: ResponsibilityList, *, by: str, grant: str, less: Less | None = None
) -> Application:
    """Agree, as asked or to *less* of it; *grant* is the grant that is given with this step."""
    _require(application, "approve")
    _decider(application, by, application.provider)
    return _granted(application, list_, by=by, grant=grant, less=less)


def approve_by_rule(application: Application, list_: ResponsibilityList, *, by: str, grant: str) -> Application:
    """Agree to what is shared without condition; no post decides, so none can be both.

    Raises:
        NotYoursError: a condition holds for something of it.
    """
    _require(application, "approve")
    if not unconditional(list_, application):
        raise NotYoursError(actor=by, needed=application.provider)
    return _granted(application, list_, by=by, grant=grant, less=None)


def refuse(application: Application, *, by: str, ground: str, note: str = "") -> Application:
    """Refuse, citing *ground*."""
    _require(application, "refuse")
    _decider(application, by, application.provider)
    refusal = _refusal(application, by=by, ground=ground, note=note)
    return replace(application, state=State.REFUSED, refusals=(refusal,), decided_by=(*application.decided_by, by))


def withdraw(application: Application, *, by: str) -> Application:
    """Take it back."""
    _require(application, "withdraw")
    _belongs(by, application.applicant)
    return replace(application, state=State.WITHDRAWN)


def dispute(application: Application, text: str, *, by: str, overdue: bool = False) -> Application:
    """Take a refusal to the next tier: consultation, mediation by the office, decision of the government.

    A tier that has not settled it in time (*overdue*) may be passed over, but for the last.
    """
    _require(application, "dispute")
    waiting = application.state in _IN_DISPUTE
    if application.tier >= GOVERNMENT_TIER or (waiting and not overdue):
        raise StepNotAllowedError(
            step="dispute",
            state=application.state,
            allowed=[step for step in application.possible if step != "dispute"],
        )
    _belongs(by, application.applicant)
    need_text("reason", text)
    state, _ = TIERS[application.tier]
    if state is not State.CONSULTING and not application.office:
        raise CaseInvalidError([problem("office", "office_missing")])
    return replace(application, state=state, disputes=(*application.disputes, text))


def settle(
    application: Application,
    list_: ResponsibilityList,
    *,
    by: str,
    grant: str = "",
    less: Less | None = None,
    ground: str = "",
    note: str = "",
    document: str = "",
) -> Application:
    """Settle the dispute at its tier: with *grant* for what was asked or *less*; without it the refusal stands.

    A refusal cites its *ground*; the government's decision, which the office records, names its *document*.
    """
    _require(application, "settle")
    _decider(application, by, application.answerer)
    if application.state is not State.CONSULTING and by in application.decided_by:
        raise SameHandsError(actor=by)
    if application.state is State.DECIDING and not document.strip():
        raise CaseInvalidError([problem("document", "document_missing")])
    if grant:
        return replace(_granted(application, list_, by=by, grant=grant, less=less), document=document)
    refusal = _refusal(application, by=by, ground=ground, note=note, document=document)
    return replace(
        application,
        state=State.FINAL if application.state is State.DECIDING else State.UPHELD,
        refusals=(*application.refusals, refusal),
        decided_by=(*application.decided_by, by),
        document=document,
    )


def _checked(application: Application, list_: ResponsibilityList, on: date) -> Application:
    problems = check_application(list_, application, on)
    if problems:
        raise CaseInvalidError(problems)
    return replace(
        application,
        provider=list_.by_code[application.resource].provider,
        office=list_.office,
        rule=REPLY_UNCONDITIONAL if unconditional(list_, application) else REPLY_CONDITIONAL,
        list_version=list_.version,
    )


def _granted(
    application: Application, list_: ResponsibilityList, *, by: str, grant: str, less: Less | None
) -> Application:
    resource: InformationResource | None = list_.by_code.get(application.resource)
    problems = excess(less or Less(), application.asked, resource)
    if problems:
        raise CaseInvalidError(problems)
    return replace(
        application,
        state=State.GRANTED,
        terms=lessened(application.asked, less or Less()),
        grant=grant,
        list_version=list_.version,
        decided_by=(*application.decided_by, by),
    )


def _refusal(application: Application, *, by: str, ground: str, note: str, document: str = "") -> Refusal:
    problems = [*check_text("ground", ground), *check_text("note", note)]
    if not ground.strip():
        problems.append(problem("ground", "citation_missing"))
    if problems:
        raise CaseInvalidError(problems)
    return Refusal(ground=ground, note=note, by=by, tier=application.tier, document=document)


def _require(application: Application, step: str) -> None:
    if application.state not in _STEPS[step]:
        raise StepNotAllowedError(step=step, state=application.state, allowed=application.possible)


def _belongs(by: str, department: str) -> None:
    if department_of(by) != department:
        raise NotYoursError(actor=by, needed=department)


def _decider(application: Application, by: str, department: str) -> None:
    """Who decides belongs to *department* and had no hand in the application."""
    _belongs(by, department)
    if by in application.applied_by:
        raise SameHandsError(actor=by)


# The form in which it is stored with its case.


def to_plain(application: Application) -> dict[str, Any]:
    """A JSON-able dict; `from_plain` is its inverse."""
    plain: dict[str, Any] = {name: getattr(application, name) for name in _AS_THEY_ARE}
    plain |= {name: list(getattr(application, name)) for name in _LISTS}
    plain["state"] = application.state.value
    plain["fields"] = [{"name": w.name, "reason": w.reason, "statement": w.statement} for w in application.fields]
    plain["rows"] = rules_to_plain(application.rows)
    plain["exchanges"] = [
        {"question": e.question, "asked_by": e.asked_by, "answer": e.answer, "answered_by": e.answered_by}
        for e in application.exchanges
    ]
    plain["refusals"] = [
        {"ground": r.ground, "note": r.note, "by": r.by, "tier": r.tier, "document": r.document}
        for r in application.refusals
    ]
    plain["terms"] = None if application.terms is None else terms_to_plain(application.terms)
    return plain


def from_plain(plain: Mapping[str, Any]) -> Application:
    """The application of which *plain* is `to_plain`."""
    return Application(
        **{name: plain[name] for name in _AS_THEY_ARE},
        purposes=tuple(plain["purposes"]),
        actions=tuple(plain["actions"]),
        applied_by=tuple(plain["applied_by"]),
        decided_by=tuple(plain["decided_by"]),
        disputes=tuple(plain["disputes"]),
        state=State(plain["state"]),
        fields=tuple(FieldWish(**wish) for wish in plain["fields"]),
        rows=rules_from_plain(plain["rows"]),
        exchanges=tuple(Exchange(**entry) for entry in plain["exchanges"]),
        refusals=tuple(Refusal(**entry) for entry in plain["refusals"]),
        terms=None if plain["terms"] is None else terms_from_plain(plain["terms"]),
    )


_AS_THEY_ARE: Final = (
    "applicant",
    "resource",
    "reason",
    "volume_per_day",
    "term_days",
    "ground",
    "list_version",
    "renews",
    "provider",
    "office",
    "rule",
    "document",
    "grant",
)
_LISTS: Final = ("purposes", "actions", "applied_by", "decided_by", "disputes")
