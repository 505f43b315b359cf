"""Looks over all loads now and then: what failed, is late, waits or differs becomes an alert; what is well clears it.

Sending alerts is `hub.alerts`' affair. Any number of sweeps, at once or after another, raises each alert once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.errors import AuditError
from connectors.errors import ConnectorError
from hub import alerts, drifts, freshness, loads, pauses, systems
from hub.authority import KeyStore, register
from hub.authority.watching import about_keys
from hub.control import ReconciliationRow
from hub.errors import HubError
from hub.freshness import Light
from hub.mergedelay import merge_delay
from hub.office import Office
from hub.receipts import MERGE_DELAY_S
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from catalog.model import InformationResource
    from connectors.slots import SlotHealth
    from hub.alerts import Alert
    from hub.freshness import Freshness
    from hub.loads import LoadReport

# Errors whose load is tried again by itself: an alert only when that has not helped within the time it takes.
RETRIED: Final = frozenset(
    {
        "SourceUnavailableError",
        "SourceIncompleteError",
        "CommitConflictError",
        "StorageUnavailableError",
        "CatalogueUnavailableError",
    }
)
RETRY_GRACE: Final = timedelta(minutes=30)
KIND_OF: Final[dict[str, str]] = {
    "SourceDeniedError": "source_closed",
    "SourceHostileError": "source_closed",
    "ErrorBudgetExceededError": "rows_rejected",
    "QualityGateError": "rows_rejected",
    "SourceEmptiedError": "rows_rejected",
    "DriftWaitsError": "drift_waits",
    "StorageFullError": "storage_full",
    "LandingFailedError": "storage_full",
    "CommitUnknownError": "commit_unknown",
}
# A slot that holds back more of its source's log than this fills the department's disk before anybody looks.
MOST_LAG_BYTES: Final = 2**30
SLOTTED: Final = "postgresql-cdc"
GIVEN_UP: Final = frozenset({"unreserved", "lost"})
_MB: Final = 2**20
LOAD_KINDS: Final = ("load_failed", *sorted(set(KIND_OF.values())))


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: alerts raised and cleared, and those sent by channel."""

    raised: int
    cleared: int
    sent: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {"raised": self.raised, "cleared": self.cleared, "sent": self.sent}


def sweep_once(secrets: Mapping[str, Callable[[str], str | None]] | None = None) -> dict[str, Any]:
    """Sweep the deployment of the environment, as the scheduler does. *secrets*: see `hub.systems.open_system`."""
    with Office.open(Settings.from_environment()) as office:
        return sweep(office, secrets=secrets).plain()


def sum_up(department: str) -> dict[str, Any]:
    """A department's day: its resources by light, and the newest loads' rows. Run records go into their table."""
    # Not at the head: a sweep every ten minutes needs no engine.
    from hub import upkeep  # noqa: PLC0415

    with Office.open(Settings.from_environment()) as office:
        mine = {r.code for r in office.list_.resources if r.provider == department}
        found = [one for one in board(office) if one.resource in mine]
        newest = [one.newest for one in found if one.newest is not None]
        upkeep.record_runs(office)
    return {
        "department": department,
        "resources": len(found),
        "lights": {light.value: sum(one.light is light for one in found) for light in Light},
        "read": sum(report.read for report in newest),
        "accepted": sum(report.accepted for report in newest),
        "rejected": sum(report.rejected for report in newest),
        "changed": sum(report.changed for report in newest),
    }


def slow(code: str) -> None:
    """A run of *code* has not ended in time. A later sweep clears what is well again."""
    with Office.open(Settings.from_environment()) as office:
        resource = office.list_.by_code.get(code)
        alerts.raise_alert(
            office.control,
            "slow",
            key=f"slow:{code}",
            at=office.now(),
            resource=code,
            department=resource.provider if resource else "",
        )


def board(office: Office, *, at: datetime | None = None) -> list[Freshness]:
    """The light of every resource of the list in force."""
    newest = {report.resource: report for report in loads.latest(office.control)}
    return freshness.board(
        office.list_,
        newest,
        loads.successes(office.control),
        at=at or office.now(),
        paused={found.resource for found in pauses.paused(office.control)},
        waiting={found.resource for found in drifts.waiting(office.control)},
    )


def lights_of(
    office: Office, resources: Collection[InformationResource], *, at: datetime | None = None
) -> dict[str, Freshness]:
    """The lights of *resources* by code, as `board` has them, without reading the loads of all others."""
    codes, at = [one.code for one in resources], at or office.now()
    newest = {report.resource: report for report in loads.latest(office.control, among=codes)}
    successes = loads.successes(office.control, among=codes)
    paused = {found.resource for found in pauses.paused(office.control)}
    waiting = {found.resource for found in drifts.waiting(office.control)}
    return {
        one.code: freshness.judge(
            one,
            newest.get(one.code),
            successes.get(one.code),
            at=at,
            paused=one.code in paused,
            waiting=one.code in waiting,
        )
        for one in resources
    }


def sweep(
    office: Office,
    *,
    at: datetime | None = None,
    secrets: Mapping[str, Callable[[str], str | None]] | None = None,
) -> Swept:
    """Raise, clear and send alerts as of *at* (aware; default: now).

    1. Of each resource, its newest load and its light.
    2. Of each resource, whether it was found to differ from its source: by a reconciliation, by what its load measured.
    3. Of each resource that follows a log, its replication slot.
    4. Of the log, whether its entries come into checkpoints as receipts promise.
    5. Of the keys of licences, whether one ends soon, or a revocation list was not renewed.
    6. What is open and was not sent yet goes out.
    """
    at = at or office.now()
    departments = {r.code: r.provider for r in office.list_.resources}
    raised = cleared = 0
    standing = {alert.key: alert for alert in alerts.open_alerts(office.control)}
    told = (
        *_about_loads(office, at),
        *_about_differences(office, standing),
        *_about_slots(office, secrets or {}),
        *_about_log(office, at),
        *_about_keys(office, at),
    )
    for key, kind, resource, params in told:
        if kind:
            raised += alerts.raise_alert(
                office.control,
                kind,
                key=key,
                at=at,
                resource=resource,
                department=departments.get(resource, ""),
                params=params,
            )
        elif key in standing:
            cleared += alerts.clear(office.control, key, at=at)
    sent = alerts.deliver(office.control, alerts.channels(office.settings.alerts_file), at=at)
    return Swept(raised, cleared, sent.plain())


def _about_loads(office: Office, at: datetime) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """(key, kind or "" to clear, resource, parameters)."""
    for found in board(office, at=at):
        code, kind = found.resource, _failure(found.newest, at)
        for possible in LOAD_KINDS:
            told = {
                "error_en": found.newest.error("en") if found.newest else "",
                "error_zh": found.newest.error("zh") if found.newest else "",
            }
            yield f"{possible}:{code}", possible if possible == kind else "", code, told
        if found.newest is not None and found.newest.finished is not None:
            yield f"slow:{code}", "", code, {}
        late = found.light is Light.LATE
        yield f"late:{code}", "late" if late else "", code, {"success": _day(found.success), "due": _day(found.due)}


def _failure(newest: LoadReport | None, at: datetime) -> str:
    if newest is None or newest.outcome != loads.FAILED:
        return ""
    if newest.error_code in RETRIED and at - (newest.finished or newest.started) < RETRY_GRACE:
        return ""
    return KIND_OF.get(newest.error_code or "", "load_failed")


def _about_differences(office: Office, standing: Mapping[str, Alert]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """As `_about_loads`. A reconciliation looked at every row, so that it outweighs what a load before it measured."""
    newest = sa.select(sa.func.max(ReconciliationRow.id)).group_by(ReconciliationRow.resource)
    with office.control.reading() as connection:
        rows = connection.execute(sa.select(ReconciliationRow).where(ReconciliationRow.id.in_(newest))).all()
    compared = {row.resource: row for row in rows}
    measured = {one.resource: one for one in loads.latest(office.control, well=True) if "unequal" in one.notes}
    for code in sorted({*compared, *measured}):
        row, load, key = compared.get(code), measured.get(code), f"differs:{code}"
        counts = (row.missing, row.extra, row.changed) if row is not None else (0, 0, 0)
        finished = load.finished if load is not None else None
        outweighed = row is not None and finished is not None and row.at >= finished
        unequal = load.notes["unequal"] if load is not None and not outweighed else []
        if any(counts):
            en = "{} rows missing, {} too many, {} changed".format(*counts)
            zh = "缺 {} 行，多 {} 行，不同 {} 行".format(*counts)
            yield key, "differs", code, {"what_en": en, "what_zh": zh}
        elif unequal:
            en, zh = "; ".join(one["en"] for one in unequal), "；".join(one["zh"] for one in unequal)
            yield key, "differs", code, {"what_en": en, "what_zh": zh}
        elif key in standing and any(
            at is not None and at >= standing[key].at for at in (row.at if row is not None else None, finished)
        ):
            # Only what was looked at since can be said to be well.
            yield key, "", code, {}


def _about_slots(
    office: Office, secrets: Mapping[str, Callable[[str], str | None]]
) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """As `_about_loads`, of resources that read a replication slot. A source that does not answer says nothing."""
    try:
        known = systems.load(office.settings.systems_file)
    except HubError:
        return  # Whoever loads is told.
    loaded = loads.successes(office.control)
    silent: set[str] = set()
    for resource in office.list_.resources:
        name = resource.source.system
        if name in silent or name not in known or known[name].kind != SLOTTED:
            continue
        try:
            connector: Any = systems.open_system(office.settings.systems_file, name, secrets)
            health: SlotHealth = connector.watch(resource.source.object, dict(resource.source.options))
        except (ConnectorError, HubError):
            # The others of this system would only be waited for one by one.
            silent.add(name)
            continue
        state = health.wal_status if health.exists else "missing"
        # Before the first load there is none.
        gone = health.lost or (not health.exists and resource.code in loaded)
        grave = gone or state in GIVEN_UP or health.lag_bytes > MOST_LAG_BYTES
        told = {"lag_mb": f"{max(health.lag_bytes, health.kept_bytes) / _MB:,.0f}", "state": state}
        yield f"slot_lagging:{resource.code}", "slot_lagging" if grave else "", resource.code, told


def _about_log(office: Office, at: datetime) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """As `_about_loads`, without a resource. A log that cannot be read says nothing here: its users are told."""
    try:
        delay = merge_delay(office.evidence.log, at)
    except (AuditError, OSError):
        return
    told = {"seconds": f"{delay.waits_s:,.0f}", "promised": str(MERGE_DELAY_S)}
    yield "log_unpublished", "log_unpublished" if delay.broken else "", "", told


def _about_keys(office: Office, at: datetime) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """As `_about_loads`, without a resource. What a file of signers hides by being wrong, whoever signs is told."""
    with office.control.reading() as connection:
        if not register.all_kept(connection):
            return  # A hub that issues no licences has no folder of their keys either.
    try:
        yield from about_keys(KeyStore(office.settings, office.control, office.now), at)
    except HubError:
        return


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "—"
