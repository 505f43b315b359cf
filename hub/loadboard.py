"""What pages on loads show: whose resources, the last runs of many resources beside each other, what needs a person.

Lights are `hub.freshness`'s; pausing, deciding and ordering are `hub.pauses`', `hub.drifts`' and `hub.ordering`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from catalog.steps import NotYoursError
from hub import loads
from hub.control import DriftRow, Load
from hub.errors import ResourceUnknownError
from hub.freshness import Light
from hub.ingestion import stopped_rejects
from hub.storing import open_warehouse
from warehouse.errors import TableMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from catalog.model import InformationResource, ResponsibilityList
    from hub.actors import Actor
    from hub.control import Control
    from hub.freshness import Freshness
    from hub.office import Office
    from warehouse.reasons import Rejected

# How many of its last runs a resource is judged by: four weeks of a daily one.
RUNS: Final = 28
CHANGED_WITHIN: Final = timedelta(days=28)


class Concern(StrEnum):
    """Why somebody looks at a resource's loads. A resource may have several of them at once.

    ``failed``: its newest load failed. ``late``: the list's cycle was not kept, whatever the cause. ``changed``: its
    source was found in another shape within `CHANGED_WITHIN`, whatever became of it. ``paused``: loads are held back.
    ``waiting``: a changed shape waits for a decision. ``never``: no load has succeeded yet.
    """

    FAILED = "failed"
    LATE = "late"
    CHANGED = "changed"
    PAUSED = "paused"
    WAITING = "waiting"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a resource's load, as small as a grid of many needs it."""

    id: int
    resource: str
    started: datetime
    outcome: str
    mode: str
    rejected: int


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rows rejected now.

    *stopped*: of a load that was stopped for them, so that nothing of it is in the table. *loaded*: there is a table,
    or at least such a load; without either nothing can have been rejected.
    """

    rows: Sequence[Rejected]
    stopped: bool = False
    loaded: bool = True


def scope_of(list_: ResponsibilityList, department: str, *, all_seeing: bool) -> frozenset[str] | None:
    """The resources whose loads *department* sees: its own; None, all, for the office of the list and its engineers.

    *all_seeing*: who looks is of those who see all wherever they are, as the role of the office is.
    """
    if all_seeing or (list_.office and department == list_.office):
        return None
    return frozenset(resource.code for resource in list_.resources if resource.provider == department)


def need_seen(list_: ResponsibilityList, code: str, scope: frozenset[str] | None, actor: Actor) -> InformationResource:
    """The resource *code*, for who sees *scope*.

    Raises:
        ResourceUnknownError: the list in force does not hold it.
        NotYoursError: it is another department's.
    """
    resource = list_.by_code.get(code)
    if resource is None:
        raise ResourceUnknownError(resource=code[:100])
    if scope is not None and code not in scope:
        raise NotYoursError(actor=str(actor), needed=resource.provider)
    return resource


def recent(control: Control, codes: Collection[str], most: int = RUNS) -> dict[str, list[Run]]:
    """The last *most* runs of each of *codes*, oldest first; a resource that was never loaded has no entry."""
    place = sa.func.row_number().over(partition_by=Load.resource, order_by=Load.id.desc()).label("place")
    ranked = sa.select(Load.id, place).where(Load.resource.in_(codes)).subquery()
    columns = (Load.id, Load.resource, Load.started, Load.outcome, Load.mode, Load.rejected)
    query = sa.select(*columns).join(ranked, ranked.c.id == Load.id).where(ranked.c.place <= most).order_by(Load.id)
    found: dict[str, list[Run]] = {}
    with control.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.resource, []).append(Run(*row))
    return found


def failed_lately(control: Control, codes: Collection[str], most: int = RUNS) -> frozenset[str]:
    """Those of *codes* of whose last *most* runs any failed."""
    failed, other = aliased(Load), aliased(Load)
    # Of each failure it is asked whether so many began after it: failures are few, and a resource's loads indexed.
    later = (
        sa.select(sa.func.count())
        .where(other.resource == failed.resource, other.started > failed.started)
        .scalar_subquery()
    )
    query = sa.select(failed.resource).where(failed.outcome == loads.FAILED, later < most).distinct()
    with control.reading() as connection:
        return frozenset(connection.execute(query).scalars()) & frozenset(codes)


def concerns(control: Control, board: Collection[Freshness], at: datetime) -> Mapping[Concern, frozenset[str]]:
    """Of the resources of *board*, those of each concern at *at*."""
    changed = _changed(control, at - CHANGED_WITHIN)
    lights = {
        Concern.LATE: Light.LATE,
        Concern.PAUSED: Light.PAUSED,
        Concern.WAITING: Light.WAITING,
        Concern.NEVER: Light.NEVER,
    }
    found = {
        concern: frozenset(one.resource for one in board if one.light is light) for concern, light in lights.items()
    }
    failed = (one.resource for one in board if one.newest is not None and one.newest.outcome == loads.FAILED)
    return {
        **found,
        Concern.FAILED: frozenset(failed),
        Concern.CHANGED: frozenset(one.resource for one in board if one.resource in changed),
    }


def _changed(control: Control, since: datetime) -> frozenset[str]:
    query = sa.select(DriftRow.resource, DriftRow.report).where(DriftRow.first_seen >= since)
    with control.reading() as connection:
        # The first shape of a source, and one that only changed in what nobody is told of, have no sentences.
        return frozenset(row.resource for row in connection.execute(query) if row.report["zh"])


def rejected_now(office: Office, resource: InformationResource, *, limit: int = 100) -> Rejects:
    """At most *limit* rows of *resource* that are rejected now, the newest load's first. None before the first load.

    Where the newest load was stopped for its rejected rows it is those. The rows' values are personal data as likely
    as not, and for no page.

    Raises:
        StagedFileDamagedError: a quarantine file was lost or altered.
    """
    stopped = stopped_rejects(office.settings, office.control, resource.code)
    with open_warehouse(office.settings) as house:
        found = house.rejected_in(stopped, limit=limit) if stopped else []
        if found:
            return Rejects(found, stopped=True)
        try:
            return Rejects(house.rejected(resource, limit=limit))
        except TableMissingError:
            return Rejects((), loaded=False)


def rows_now(office: Office, code: str) -> int | None:
    """How many rows the table of *code* holds; None before its first load."""
    with open_warehouse(office.settings) as house:
        try:
            return house.count(code)
        except TableMissingError:
            return None
