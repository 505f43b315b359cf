"""Takes applications for shared data from submission over review and dispute to the grant: the one way to a grant.

What an application may ask for and which step is possible is decided by `catalog.application`; what becomes of a
grant afterwards is `hub.grants`'s. Each step is one transaction: its state, log entry, notices and grant, or nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog import application as machine
from catalog.application import KIND, REFUSALS, Application, Less, from_plain, to_plain
from catalog.clock import day_of
from catalog.decide import Grant
from catalog.eligibility import changed, check_application, need_text
from catalog.steps import CaseInvalidError, problem, register_problems
from catalog.terms import FieldWish
from hub import grants
from hub.actors import Actor
from hub.cases import Case, Turn
from hub.control import CaseRow
from hub.errors import ListMissingError, ListSupersededError
from hub.published import current_held, list_version
from hub.requested import MyState, Progress, concerns, count, find, get, my_state, outcome, plain, progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from catalog.clock import Clocks
    from catalog.model import ResponsibilityList
    from catalog.steps import Problem
    from hub.cases import Transaction
    from hub.office import Office

__all__ = [
    "ApplicationOutdatedError",
    "MyState",
    "Progress",
    "apply",
    "approve",
    "ask",
    "concerns",
    "count",
    "dispute",
    "find",
    "get",
    "my_state",
    "outcome",
    "plain",
    "progress",
    "refuse",
    "renew",
    "renewal",
    "settle",
    "supply",
    "withdraw",
]

RULE: Final = Actor("hub", "rule")
MARK: Final = "A"
DISPUTE_WINDOW: Final = "dispute.consult"  # how long after a refusal it may be disputed: as long as the tier itself

register_problems(
    {
        "already_waiting": (
            "application `{case}` asks for the same and is being handled; see it, or withdraw it first",
            "相同内容的申请 `{case}` 正在办理，请查看该申请，或先撤回",
        ),
        "renews_another": (
            "grant `{grant}` is not your department's for this resource; name the grant that is to be renewed",
            "授权 `{grant}` 不是贵单位对该资源的授权，请填写需续期的授权",
        ),
        "renews_ended": (
            "grant `{grant}` has ended ({state}); apply without naming it",
            "授权 `{grant}` 已终止（{state}），请直接提出新申请",
        ),
    }
)


class ApplicationOutdatedError(ListSupersededError):
    """A newer list changed what the application asks for; *changes* says what."""

    en = (
        "The application rests on list version `{version}`, and the list in force changes it: {changes} "
        "Ask the applicant to supply it anew, or to apply again."
    )
    zh = "申请所依据的清单版本 `{version}` 已被替代，相关变化：{changes_zh}请要求申请人补充确认，或重新申请。"

    def __init__(self, *, version: str, changes: tuple[Problem, ...]) -> None:
        self.changes = changes
        super().__init__(
            version=version,
            changes=" ".join(f"{change.text('en')}." for change in changes),
            changes_zh="".join(f"{change.text('zh')}。" for change in changes),
        )


def turn(application: Application) -> Turn:
    """Where a step left *application*."""
    return Turn(application.state, application.open, application.answerer, application.clock)


# --- Steps ---------------------------------------------------------------------------------------------------------
#
# Each raises what its machine raises (`catalog.steps`), CaseUnknownError, and CaseConflictError when *revision* is not
# the current one. Taken again after a crash or an unanswered write, a step takes effect once: the second time the
# state, or the revision, says that it has.


def apply(office: Office, application: Application, *, actor: Actor) -> Case:
    """Submit *application*; what is shared without condition is granted at once, by rule.

    Who had a grant for the resource suspended or revoked waits for its provider even then.

    Raises:
        CaseInvalidError: every problem of it, named at once.
        ListSupersededError: it names another list than the one in force.
    """
    list_ = office.list_
    if application.list_version and application.list_version != list_.version:
        raise ListSupersededError(version=application.list_version)
    today = day_of(office.now())
    submitted = machine.submit(application, list_, by=str(actor), on=today)
    with office.cases.begin() as transaction:
        _check_standing(transaction, submitted)
        _need_current(transaction, list_)
        case = transaction.open(
            KIND,
            MARK,
            value=lambda _: to_plain(submitted),
            turn=turn(submitted),
            opener=submitted.applicant,
            resource=submitted.resource,
            actor=actor,
            step="submit",
            note=submitted.reason,
            facts={"applicant": submitted.applicant, "list_version": list_.version},
        )
        if machine.unconditional(list_, submitted) and not _in_disgrace(office, submitted):
            return _grant(
                office,
                transaction,
                case,
                lambda _, grant: machine.approve_by_rule(submitted, list_, by=str(RULE), grant=grant),
                list_=list_,
                actor=RULE,
                step="approve",
            )
        _tell(transaction, case, "application_submitted", submitted.provider, consumer=submitted.applicant)
    return case


def ask(office: Office, id_: str, question: str, *, actor: Actor, revision: int | None = None) -> Case:
    """Ask the applicant to complete the application; the clock of the reply stops."""
    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        after = machine.ask(application, question, by=str(actor))
        acted = _act(transaction, case, after, actor=actor, step="ask", note=question)
        _tell(transaction, acted, "application_asked", after.applicant, provider=after.provider, note=question)
    return acted


def supply(
    office: Office,
    id_: str,
    answer: str,
    *,
    actor: Actor,
    amended: Application | None = None,
    revision: int | None = None,
) -> Case:
    """Answer what was asked, with *amended* where it changes what is asked for; the reply's clock starts anew.

    The application then rests on the list in force.
    """
    list_ = office.list_
    today = day_of(office.now())
    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        _need_current(transaction, list_)
        after = machine.supply(application, answer, list_, by=str(actor), on=today, amended=amended)
        acted = _act(transaction, case, after, actor=actor, step="supply", note=answer)
        _tell(transaction, acted, "application_supplied", after.provider, consumer=after.applicant)
    return acted


def approve(
    office: Office, id_: str, *, actor: Actor, less: Less | None = None, note: str = "", revision: int | None = None
) -> Case:
    """Agree, as asked or to *less*, and give the grant with it. Of two who agree at once one gives a grant.

    Raises:
        ApplicationOutdatedError: the list in force changes what is asked for; it names what.
    """
    if note:
        need_text("note", note)
    list_ = office.list_
    with office.cases.begin() as transaction:
        case, _ = _get(transaction, id_, revision)
        return _grant(
            office,
            transaction,
            case,
            lambda current, grant: machine.approve(current, list_, by=str(actor), grant=grant, less=less),
            list_=list_,
            actor=actor,
            step="approve",
            note=note,
        )


def refuse(office: Office, id_: str, *, ground: str, actor: Actor, note: str = "", revision: int | None = None) -> Case:
    """Refuse, citing *ground*."""
    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        after = machine.refuse(application, by=str(actor), ground=ground, note=note)
        # The ground is a citation, and public as those of grants are; what is said beyond it stays with the case.
        acted = _act(
            transaction, case, after, actor=actor, step="refuse", note=note or ground, facts={"ground": ground}
        )
        until = _day(office.clocks, DISPUTE_WINDOW, transaction.at)
        _tell(transaction, acted, "application_refused", after.applicant, note=f"{ground} {note}".strip(), due=until)
    return acted


def withdraw(office: Office, id_: str, *, actor: Actor, note: str = "", revision: int | None = None) -> Case:
    """Take the application back."""
    if note:
        need_text("note", note)
    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        return _act(
            transaction, case, machine.withdraw(application, by=str(actor)), actor=actor, step="withdraw", note=note
        )


def dispute(office: Office, id_: str, text: str, *, actor: Actor, revision: int | None = None) -> Case:
    """Take a refusal to the next tier: with the provider, before the office of the list, before the government.

    A tier whose clock has run out may be passed over.

    Raises:
        CaseInvalidError: the time to dispute is over, or the list names no office.
    """
    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        overdue = case.due_at is not None and transaction.at > case.due_at
        after = machine.dispute(application, text, by=str(actor), overdue=overdue)
        until = office.clocks.due(DISPUTE_WINDOW, case.updated_at).due
        if application.state in REFUSALS and transaction.at > until:
            raise CaseInvalidError([problem("case", "dispute_late", due=day_of(until).isoformat())])
        step = "dispute" if after.tier == 1 else "appeal"
        acted = _act(transaction, case, after, actor=actor, step=step, note=text, facts={"tier": after.tier})
        _tell(transaction, acted, "application_disputed", after.answerer)
    return acted


def settle(
    office: Office,
    id_: str,
    *,
    actor: Actor,
    give: bool,
    less: Less | None = None,
    ground: str = "",
    note: str = "",
    document: str = "",
    revision: int | None = None,
) -> Case:
    """Settle the dispute at its tier: *give* what was asked or *less*, or let the refusal stand, citing *ground*.

    Tier 1 is the provider's, 2 the office's; of tier 3 the office records the government's decision by its *document*.

    Raises:
        ApplicationOutdatedError: as `approve`.
    """
    if note:
        need_text("note", note)
    if document:
        # A citation that is public like a ground, and told to both sides.
        need_text("document", document)
    list_ = office.list_

    def settled(current: Application, grant: str) -> Application:
        return machine.settle(
            current, list_, by=str(actor), grant=grant, less=less, ground=ground, note=note, document=document
        )

    with office.cases.begin() as transaction:
        case, application = _get(transaction, id_, revision)
        if give:
            acted = _grant(
                office,
                transaction,
                case,
                settled,
                list_=list_,
                actor=actor,
                step="settle",
                note=note,
                document=document,
            )
        else:
            after = settled(application, "")
            facts = {"tier": after.tier, "ground": ground} | ({"document": document} if document else {})
            acted = _act(transaction, case, after, actor=actor, step="settle", note=note or ground, facts=facts)
        for department in sorted({application.applicant, application.provider}):
            _tell(transaction, acted, "application_settled", department, note=note or ground or document)
    return acted


def renew(office: Office, grant: str, *, actor: Actor, term_days: int | None = None, reason: str = "") -> Case:
    """Apply for what *grant* allows once more; when it is agreed to, the new grant takes its place.

    Raises:
        GrantUnknownError: there is no such grant.
        CaseInvalidError, ListSupersededError: as `apply`.
    """
    return apply(office, renewal(office, grant, actor=actor, term_days=term_days, reason=reason), actor=actor)


def renewal(office: Office, grant: str, *, actor: Actor, term_days: int | None = None, reason: str = "") -> Application:
    """The application that asks for what *grant* allows once more, with its reasons, or *reason* for those without."""
    known = grants.get(office.control, grant).grant
    wishes: dict[str, FieldWish] = {}
    days = -((known.starts - known.expires) // grants.DAY)
    if known.application:
        before = from_plain(office.cases.get(known.application, KIND).value)
        wishes = {wish.name: wish for wish in before.fields}
        reason = reason or before.reason
        days = before.terms.term_days if before.terms else days
    return Application(
        applicant=actor.department,
        resource=known.resource,
        purposes=known.purposes,
        fields=tuple(wishes.get(name, FieldWish(name, reason)) for name in known.fields),
        reason=reason,
        actions=known.actions,
        rows=known.rows,
        volume_per_day=known.quota_per_day,
        term_days=term_days or days,
        ground=known.ground,
        list_version=office.list_.version,
        renews=grant,
    )


# --- What the steps share ------------------------------------------------------------------------------------------


def _get(transaction: Transaction, id_: str, revision: int | None) -> tuple[Case, Application]:
    case = transaction.get(id_, KIND, revision)
    return case, from_plain(case.value)


def _act(
    transaction: Transaction,
    case: Case,
    after: Application,
    *,
    actor: Actor,
    step: str,
    note: str,
    facts: dict[str, Any] | None = None,
) -> Case:
    return transaction.act(
        case, value=to_plain(after), turn=turn(after), actor=actor, step=step, note=note, facts=facts
    )


def _grant(
    office: Office,
    transaction: Transaction,
    case: Case,
    decide: Callable[[Application, str], Application],
    *,
    list_: ResponsibilityList,
    actor: Actor,
    step: str,
    note: str = "",
    document: str = "",
) -> Case:
    """Take the step that gives a grant, and give it.

    1. The machine says whether the step may be taken, and on which terms.
    2. The list in force still allows what was asked for, as it was when it was asked.
    3. The step; who was second on it stops here.
    4. The grant; one that it renews ends with it.

    A crash anywhere leaves neither step nor grant.
    """
    application = from_plain(case.value)
    identifier = transaction.new_identifier("G")
    after = decide(application, identifier)
    old = _check_renewed(transaction, after) if after.renews else None
    _need_current(transaction, list_)
    _need_unchanged(office, application, list_, transaction.at)
    facts: dict[str, Any] = {"grant": identifier, "list_version": list_.version}
    if document:
        facts |= {"document": document, "tier": application.tier}
    acted = _act(transaction, case, after, actor=actor, step=step, note=note, facts=facts)
    assert after.terms is not None  # noqa: S101 - the machine granted
    grant = Grant(
        id=identifier,
        consumer=after.applicant,
        resource=after.resource,
        fields=after.terms.fields,
        masks=after.terms.masks,
        purposes=after.terms.purposes,
        actions=after.terms.actions,
        starts=transaction.at,
        expires=transaction.at + after.terms.term_days * grants.DAY,
        list_version=list_.version,
        ground=after.ground,
        rows=after.terms.rows,
        quota_per_day=after.terms.quota_per_day,
        application=case.id,
        predecessor=after.renews,
    )
    grants._insert(transaction, grant, by=str(actor))  # noqa: SLF001 - given from here alone; see tests/hub/applications
    if old is not None:
        grants._replace(transaction, old, grant, by=str(actor), why="renewed")
    if step == "approve":
        _tell(transaction, acted, "application_approved", after.applicant, grant=identifier)
    return acted


def _need_current(transaction: Transaction, list_: ResponsibilityList) -> None:
    """A list published since *list_* was read decides; who publishes waits for this transaction, or this for it.

    To be called after case and grant are held: everyone who holds several holds them in this order, so that of two
    none waits for the other.
    """
    if current_held(transaction.connection) != list_.version:
        raise ListSupersededError(version=list_.version)


def _need_unchanged(office: Office, application: Application, list_: ResponsibilityList, at: datetime) -> None:
    """What was asked for under an older list is the same under *list_*."""
    if application.list_version == list_.version:
        return
    changes = list(check_application(list_, replace(application, list_version=list_.version), day_of(at)))
    try:
        changes += changed(list_version(office.settings, application.list_version), list_, application)
    except ListMissingError:
        changes.append(problem("list_version", "list_changed", version=application.list_version))
    if changes:
        raise ApplicationOutdatedError(version=application.list_version, changes=tuple(dict.fromkeys(changes)))


def _check_standing(transaction: Transaction, application: Application) -> None:
    """What speaks against a submission beside the list: the same is being handled, or it renews what it cannot."""
    if application.renews:
        _check_renewed(transaction, application)
    query = sa.select(CaseRow.id, CaseRow.value).where(
        CaseRow.kind == KIND,
        CaseRow.open,
        CaseRow.opener == application.applicant,
        CaseRow.resource == application.resource,
    )
    for row in transaction.connection.execute(query):
        other = from_plain(row.value)
        if (other.asked, other.renews) == (application.asked, application.renews):
            raise CaseInvalidError([problem("resource", "already_waiting", case=row.id)])


def _check_renewed(transaction: Transaction, application: Application) -> Grant:
    """The grant that *application* renews."""
    known = grants._read(transaction.connection, application.renews, hold=True)  # noqa: SLF001 - in this transaction
    if (known.grant.consumer, known.grant.resource) != (application.applicant, application.resource):
        raise CaseInvalidError([problem("renews", "renews_another", grant=application.renews)])
    if "renew" not in known.possible(transaction.at):
        state = known.state(transaction.at)
        raise CaseInvalidError([problem("renews", "renews_ended", grant=application.renews, state=state)])
    return known.grant


def _in_disgrace(office: Office, application: Application) -> bool:
    """Whether a grant of the applicant for the resource rests or was revoked: then a rule alone gives no other."""
    known = grants.find(office, consumer=application.applicant, resource=application.resource)
    return any(one.ended == grants.REVOKED or one.grant.suspended_at is not None for one in known)


def _tell(transaction: Transaction, case: Case, kind: str, department: str, **params: str) -> None:
    due = {"due": day_of(case.due_at).isoformat()} if case.due_at else {}
    transaction.tell(
        department,
        kind,
        key=f"{case.id}/{case.revision}/{kind}/{department}",
        case=case.id,
        resource=case.resource,
        params={"case": case.id, "resource": case.resource, **due, **params},
    )


def _day(clocks: Clocks, rule: str, at: datetime) -> str:
    return day_of(clocks.due(rule, at).due).isoformat()
