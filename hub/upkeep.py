"""Keeps the warehouse in shape and honest: maintenance, damage found, tables compared with their sources, run records.

How each is done is `warehouse`'s affair; when, `dags/`'s. Every function may be run again after any failure.
"""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.model import Disposition
from connectors.errors import ConnectorError
from hub import alerts, loads, pauses, storing
from hub.batches.desk import Batches
from hub.control import Load, ReconciliationRow, row_dict
from hub.ingestion import ACTOR, Ingestion
from hub.keeping.expiring import expire
from hub.office import Office
from hub.orders import LoadOrder, Mode
from hub.registry import pool_of
from hub.service import answer_signer
from hub.settings import Settings
from hub.standing import Standing
from warehouse import runs
from warehouse.errors import TableMissingError, WarehouseError
from warehouse.maintain import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from warehouse.fsck import Finding

# So many resources a night give each of a city's 1,227 its turn within a month.
RECONCILED_A_NIGHT: Final = 45
RUNS_AT_ONCE: Final = 5_000
# A failed load is tried again for some hours; a load that was killed may be gone on with for as long as its files lie.
RETRIED_FOR: Final = timedelta(days=1)
STAGED_FOR: Final = timedelta(days=14)
_STAGED: Final = re.compile(r"[0-9a-f]{16}")
FSCK_KEY: Final = "warehouse_damaged"


def departments() -> list[str]:
    """The departments that provide resources, each once, in the list's order."""
    with Office.open(Settings.from_environment()) as office:
        return list(dict.fromkeys(resource.provider for resource in office.list_.resources))


def policy_of(settings: Settings) -> Policy:
    """What is kept for how long: snapshots as long as an audit may ask for them."""
    return Policy(keep_days=settings.audit_days)


def maintain_department(department: str) -> dict[str, Any]:
    """Maintain every table of one department; the table of run records with the first of all."""
    settings = Settings.from_environment()
    with Office.open(settings) as office:
        codes = [r.code for r in office.list_.resources if r.provider == department]
        return maintain(office, codes)


def maintain(office: Office, codes: Sequence[str]) -> dict[str, Any]:
    """Maintain the tables of *codes* and bring the run records into theirs; what was done, by resource.

    What loads that came to nothing left staged goes after a while: no more than they need do rows lie about.
    """
    done: dict[str, Any] = {}
    with storing.open_warehouse(office.settings) as house:
        for code in codes:
            try:
                done[code] = asdict(house.maintain(code, policy_of(office.settings), office.now()))
            except TableMissingError:
                # A resource that was never loaded has nothing to maintain.
                continue
        # Each time that records were brought in left a small file.
        done[runs.CODE] = asdict(house.maintain(runs.CODE, policy_of(office.settings), office.now()))
    done["runs"] = record_runs(office)
    done["staged"] = clear_staged(office)
    return done


def sweep_batches_once() -> dict[str, int]:
    """Sweep the batch orders of the deployment that the environment describes."""
    with Office.open(Settings.from_environment()) as office:
        return {"expired": sweep_batches(office)}


def sweep_batches(office: Office) -> int:
    """Expire batch orders that have had their time, and remove their files; how many expired.

    Whoever makes batches does so, too; here it is done wherever nobody does for the time being.
    """
    settings = office.settings
    standing = Standing(settings, office.control)
    batches = Batches.over(settings, office.control, office.evidence, standing, answer_signer(settings))
    try:
        return batches.sweep()
    finally:
        batches.close()


def expire_bodies_once() -> dict[str, Any]:
    """Let go the bodies whose time is over, of the deployment that the environment describes."""
    with Office.open(Settings.from_environment()) as office:
        return expire(office).to_plain()


def clear_staged(office: Office) -> int:
    """Remove what runs left staged that nobody has gone on with for `STAGED_FOR`; how many folders there were."""
    before = (office.now() - STAGED_FOR).timestamp()
    removed = 0
    for folder in [path for path in office.settings.staging.rglob("*") if _STAGED.fullmatch(path.name)]:
        with suppress(FileNotFoundError):
            touched = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
            if folder.is_dir() and touched < before:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def record_runs(office: Office) -> int:
    """Bring the records of ended loads into the Iceberg table of runs, each once; how many were new.

    A load that is tried again keeps its record: one that failed is brought in once that is no longer to be expected,
    and so is one whose process was killed. What was brought in is known by the table itself, so that a crash at any
    moment brings nothing in twice.
    """
    now = office.now()
    going_on = sa.or_(
        sa.and_(Load.outcome == loads.RUNNING, Load.started > now - STAGED_FOR),
        sa.and_(Load.outcome == loads.FAILED, Load.finished > now - RETRIED_FOR),
    )
    with storing.open_warehouse(office.settings) as house:
        after = house.runs_recorded()
        query = sa.select(Load.__table__).where(Load.id > after).order_by(Load.id).limit(RUNS_AT_ONCE)
        with office.control.reading() as connection:
            # Only up to the first that may still change: ids are brought in in order, and none is left behind.
            first = connection.execute(sa.select(sa.func.min(Load.id)).where(Load.id > after, going_on)).scalar()
            query = query.where(Load.id < first) if first is not None else query
            rows = [row_dict(row) for row in connection.execute(query)]
        return house.record_runs(rows) if rows else 0


def fsck_once() -> dict[str, Any]:
    """Look for damage in the whole warehouse; findings open an alert, none clears it."""
    with Office.open(Settings.from_environment()) as office:
        found = fsck(office)
        return {"findings": len(found)}


def fsck(office: Office, codes: Sequence[str] = (), *, deep: bool = False) -> list[Finding]:
    """Look for damage in the tables of *codes* (none: all)."""
    with storing.open_warehouse(office.settings) as house:
        found = house.fsck(codes, deep=deep)
    grave = [finding for finding in found if finding.severity == "error"]
    if not codes:
        if grave:
            alerts.raise_alert(
                office.control,
                FSCK_KEY,
                key=FSCK_KEY,
                at=office.now(),
                resource=grave[0].resource,
                params={"findings": str(len(grave))},
            )
        else:
            alerts.clear(office.control, FSCK_KEY, at=office.now())
    return found


def due_for_reconciling() -> dict[str, list[str]]:
    """The resources whose last comparison with their source is longest ago, as many as a night has time for.

    By the pool of their system, for their sources are read as any load reads them.
    """
    with Office.open(Settings.from_environment()) as office:
        chosen: dict[str, list[str]] = {}
        for code in _longest_ago(office)[:RECONCILED_A_NIGHT]:
            chosen.setdefault(pool_of(office.list_.by_code[code].source.system), []).append(code)
        return chosen


def _longest_ago(office: Office) -> list[str]:
    query = sa.select(ReconciliationRow.resource, sa.func.max(ReconciliationRow.at).label("at")).group_by(
        ReconciliationRow.resource
    )
    with office.control.reading() as connection:
        last = {row.resource: row.at for row in connection.execute(query)}
    loaded = loads.successes(office.control)
    never = office.now() - timedelta(days=36_500)
    # What is appended has no state of its own to compare: its source may forget what we keep. And where loads are
    # held back, the source is not to be read.
    held = {found.resource for found in pauses.paused(office.control)}
    there = [r for r in office.list_.resources if r.code in loaded and r.code not in held]
    codes = [r.code for r in there if r.disposition is not Disposition.APPEND]
    return sorted(codes, key=lambda code: (last.get(code, never), code))


def reconcile_in_turn(
    codes: Sequence[str], since: datetime, secrets: Mapping[str, Callable[[str], str | None]] | None = None
) -> list[dict[str, Any]]:
    """Compare each of *codes* with its source, as the scheduler does; *secrets* as in `hub.ingestion.Ingestion`.

    What was compared *since* is not read again, so a second try does what the first one left. One source that fails
    keeps none of the others waiting.

    Raises:
        ConnectorError, WarehouseError: the first that was met and is worth another try, else the first, at the end.
    """
    done: list[dict[str, Any]] = []
    failures: list[ConnectorError | WarehouseError] = []
    with Office.open(Settings.from_environment()) as office:
        for code in codes:
            last = last_comparison(office, code)
            if last is not None and last >= since:
                continue
            try:
                done.append(reconcile(office, code, secrets))
            except (ConnectorError, WarehouseError) as failure:
                failures.append(failure)
    if failures:
        raise next((failure for failure in failures if getattr(failure, "retryable", False)), failures[0])
    return done


def reconcile(
    office: Office, code: str, secrets: Mapping[str, Callable[[str], str | None]] | None = None
) -> dict[str, Any]:
    """Read the source of *code* whole, compare it row by row with the table, and record what differs.

    Nothing of the table is changed. The comparison is an entry of the log; which rows differ is said in a protected
    file, by salted digests of their keys.

    Raises:
        ResourceUnknownError, TableMissingError: there is nothing to compare.
        ConnectorError: the source did not give its records.
    """
    begun = time.monotonic()
    at = office.now()
    run = f"reconcile-{at:%Y%m%dT%H%M%S}"
    ingestion = Ingestion(office.settings, code, run, LoadOrder(Mode.FULL), secrets or {})
    try:
        house, of = ingestion.warehouse, ingestion.resource
        # Without a table nothing is asked of the source.
        house.current_snapshot(of.code)
        staged, marks = ingestion.stage_whole(), ingestion.marks
        found = house.reconcile(of, staged, ingestion.folder, without=marks)
    finally:
        shutil.rmtree(ingestion.folder, ignore_errors=True)
        ingestion.close()
    counts = {
        name: int(getattr(found, name))
        for name in ("source_rows", "table_rows", "missing", "extra", "changed", "rejected")
    }
    entry = office.evidence.append(
        "load.reconciled", actor=ACTOR, resource=code, facts={"snapshot": str(found.snapshot_id), **counts}
    )
    row = {
        "resource": code,
        "at": at,
        "snapshot": found.snapshot_id,
        **counts,
        "seconds": round(time.monotonic() - begun, 3),
        "report": str(found.report or ""),
        "log_index": entry.index,
    }
    with office.control.writing() as connection:
        connection.execute(sa.insert(ReconciliationRow).values(**row))
    return {"resource": code, **counts, "seconds": row["seconds"], "report": row["report"]}


def reconciliations(
    office: Office, *, resource: str = "", among: Collection[str] | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The newest comparisons, newest first; *among*: of these resources only (None: of all)."""
    query = sa.select(ReconciliationRow.__table__).order_by(ReconciliationRow.id.desc()).limit(limit)
    query = query.where(ReconciliationRow.resource == resource) if resource else query
    query = query if among is None else query.where(ReconciliationRow.resource.in_(among))
    with office.control.reading() as connection:
        return [row_dict(row) for row in connection.execute(query)]


def last_comparison(office: Office, code: str) -> datetime | None:
    """When *code* was last compared with its source."""
    rows = reconciliations(office, resource=code, limit=1)
    return rows[0]["at"] if rows else None
