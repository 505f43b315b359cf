"""Which steps of an application, a demand or a grant a post would be let take now, for doors that offer them to people.

The steps themselves decide again when they are taken (`hub.applications`, `hub.demands`, `hub.grants`); what a
person's duties let them do is each door's affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.application import GOVERNMENT_TIER, REFUSALS, State, from_plain
from catalog.demand import STEPS, Demand
from hub.applications import DISPUTE_WINDOW
from hub.grants import overseers_of

if TYPE_CHECKING:
    from hub.actors import Actor
    from hub.cases import Case
    from hub.grants import GrantRecord
    from hub.office import Office


def of_application(office: Office, case: Case, actor: Actor) -> tuple[str, ...]:
    """The steps of an application that *actor* would be let take, in the order of its machine."""
    application, by = from_plain(case.value), str(actor)
    # Who put it forward does not decide on it, nor does who decided settle the dispute about it before the office.
    decides = by not in application.applied_by
    settles = decides and (application.state is State.CONSULTING or by not in application.decided_by)
    mine = {
        "ask": actor.department == application.provider and decides,
        "supply": actor.department == application.applicant,
        "approve": actor.department == application.provider and decides,
        "refuse": actor.department == application.provider and decides,
        "withdraw": actor.department == application.applicant,
        "dispute": actor.department == application.applicant and _disputable(office, case),
        "settle": actor.department == application.answerer and settles,
    }
    return tuple(step for step in application.possible if mine[step])


def _disputable(office: Office, case: Case) -> bool:
    """Whether there is a next tier, and the time for it has come and not gone."""
    application, now = from_plain(case.value), office.now()
    if application.tier >= GOVERNMENT_TIER:
        return False
    if application.state in REFUSALS:
        return now <= office.clocks.due(DISPUTE_WINDOW, case.updated_at).due
    return case.due_at is not None and now > case.due_at


def of_demand(office: Office, case: Case, actor: Actor) -> tuple[str, ...]:
    """The steps of a demand that *actor* would be let take."""
    demand, department = Demand.from_plain(case.value), actor.department
    mine = {
        "claim": department != demand.consumer,
        "assign": department == office.list_.office,
        "answer": department == demand.holder,
        "withdraw": department == demand.consumer,
    }
    return tuple(step for step in STEPS[demand.state] if mine[step])


def of_grant(office: Office, record: GrantRecord, actor: Actor) -> tuple[str, ...]:
    """The steps of a grant that *actor* would be let take."""
    grant, department = record.grant, actor.department
    holds = department == grant.consumer
    oversees = department in overseers_of(office, grant)
    by_office = bool(record.suspended_by) and record.suspended_by == office.list_.office
    mine = {
        "renew": holds,
        "shrink": holds or oversees,
        "suspend": oversees,
        "resume": oversees and (not by_office or department == record.suspended_by),
        "hand-back": holds,
        "revoke": oversees,
    }
    return tuple(step for step in record.possible(office.now()) if mine[step])
