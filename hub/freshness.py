"""How current each resource is against the cycle its list promises: one word for each, and why.

Loads are recorded by `hub.ingestion`; who is told of what is late is `hub.watching`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from catalog.model import Cadence
from hub import loads

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from catalog.model import InformationResource, ResponsibilityList
    from hub.loads import LoadReport

# The longest time between two loads that keeps the promise: the cycle, and what a night's window may shift it.
PROMISED: Final[Mapping[Cadence, timedelta]] = {
    Cadence.REALTIME: timedelta(hours=2),
    Cadence.DAILY: timedelta(hours=36),
    Cadence.WEEKLY: timedelta(days=8),
    Cadence.MONTHLY: timedelta(days=32),
    Cadence.QUARTERLY: timedelta(days=93),
    Cadence.YEARLY: timedelta(days=367),
}


class Light(StrEnum):
    """What a board shows. ``never``: no load has succeeded yet, ``late``: the promise is broken, whatever the cause."""

    FRESH = "fresh"
    FAILING = "failing"
    LATE = "late"
    NEVER = "never"
    WAITING = "waiting"
    PAUSED = "paused"


LIGHTS: Final[Mapping[Light, tuple[str, str]]] = {
    Light.FRESH: ("fresh", "正常"),
    Light.FAILING: ("last load failed", "最近一次失败"),
    Light.LATE: ("late", "逾期未更新"),
    Light.NEVER: ("never loaded", "尚未归集"),
    Light.WAITING: ("waits for a decision on its source's shape", "来源结构变化待审批"),
    Light.PAUSED: ("paused", "已暂停"),
}


@dataclass(frozen=True, slots=True)
class Freshness:
    """One resource: its *light*, its last *success* (UTC), when the promise breaks (*due*), its newest load."""

    resource: str
    light: Light
    success: datetime | None
    due: datetime | None
    newest: LoadReport | None


def judge(
    resource: InformationResource,
    newest: LoadReport | None,
    success: datetime | None,
    *,
    at: datetime,
    paused: bool,
    waiting: bool,
) -> Freshness:
    """The light of one resource at *at*. Pure."""
    cadence = min((resource.cadence, *(f.cadence for f in resource.fields if f.cadence)), key=lambda c: PROMISED[c])
    due = success + PROMISED[cadence] if success else None
    if paused:
        light = Light.PAUSED
    elif waiting:
        light = Light.WAITING
    elif due is not None and at > due:
        light = Light.LATE
    elif newest is not None and newest.outcome == loads.FAILED:
        light = Light.FAILING
    else:
        light = Light.FRESH if success else Light.NEVER
    return Freshness(resource.code, light, success, due, newest)


def board(
    list_: ResponsibilityList,
    newest: Mapping[str, LoadReport],
    successes: Mapping[str, datetime],
    *,
    at: datetime,
    paused: Collection[str] = (),
    waiting: Collection[str] = (),
) -> list[Freshness]:
    """Every resource of the list, in its order."""
    return [
        judge(r, newest.get(r.code), successes.get(r.code), at=at, paused=r.code in paused, waiting=r.code in waiting)
        for r in list_.resources
    ]
