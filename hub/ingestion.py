"""Ingestion, one resource at a time: extract → check → commit → index (docs/ingestion.md).

The same four steps run as Airflow tasks and from the command line. Reading is `connectors`, keeping is
`warehouse`, when is `dags/`; here they are joined and every run is recorded.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import insert, select, update

from connectors.errors import ConnectorError
from connectors.protocol import Column, ReadRequest
from hub import published, systems
from hub.control import Control, Load
from hub.errors import HubError, ResourceUnknownError
from hub.evidence import Evidence
from hub.settings import Settings
from warehouse.engine import Warehouse
from warehouse.errors import WarehouseError
from warehouse.staging import Checked, Committed, StagedBatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog.model import InformationResource, ResponsibilityList

ACTOR = "hub:ingestion"
RUNNING, LOADED, UNCHANGED, FAILED = "running", "loaded", "unchanged", "failed"


@dataclass
class Ingestion:
    """What one step needs, opened on first use. One instance serves one resource in one process."""

    settings: Settings
    code: str
    run: str

    @classmethod
    def open(cls, code: str, run: str, settings: Settings | None = None) -> Self:
        """For resource *code* in the scheduler's run *run*, with the settings of the environment by default."""
        return cls(settings or Settings.from_environment(), code, run)

    @cached_property
    def list_(self) -> ResponsibilityList:
        """The list in force."""
        return published.current_list(self.settings, self.control)

    @cached_property
    def resource(self) -> InformationResource:
        """The resource as the list in force describes it.

        Raises:
            ResourceUnknownError: the list does not hold it.
        """
        resource = self.list_.by_code.get(self.code)
        if resource is None:
            raise ResourceUnknownError(resource=self.code)
        return resource

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse of this deployment."""
        return Warehouse(self.settings.warehouse, catalog_uri=self.settings.catalog_url)

    @cached_property
    def control(self) -> Control:
        """The control database; it was made when the list was published."""
        return Control.attach(self.settings)

    @property
    def folder(self) -> Path:
        """Where this run's files are staged; a run tried again finds and replaces its own."""
        name = hashlib.sha256(self.run.encode()).hexdigest()[:16]
        return self.settings.staging / self.code / name

    # --- the four steps ------------------------------------------------------------------------------------------

    def extract(self) -> dict[str, Any]:
        """1. Read from the source since the cursor that the last commit holds, into one staged file.

        Raises:
            ConnectorError: the source did not give its records; nothing is staged.
        """
        with self.step("extract") as notes:
            source = self.resource.source
            self.warehouse.ensure(self.resource)
            cursor = self.warehouse.cursor(self.code) if source.cursor_field else None
            columns = tuple(
                # What may be empty may be missing; what must be filled, or is key, must be there.
                Column(f.name, (f.title, *f.aliases), required=not f.nullable or f.key)
                for f in self.resource.fields
            )
            request = ReadRequest(
                resource=self.code,
                object=source.object,
                columns=columns,
                cursor=cursor,
                cursor_column=source.cursor_field,
                options=dict(source.options),
            )
            self.folder.mkdir(parents=True, exist_ok=True)
            connector = systems.open_system(self.settings.systems_file, source.system)
            batch = connector.read(request, self.folder / "landed.parquet")
            usual = {(f.name, heading) for f in self.resource.fields for heading in (f.title, *f.aliases[:1])}
            notes |= {
                "read": batch.rows,
                "notes": {
                    # The title and the first alias are the usual headings; a further alias is news.
                    "renamed": [list(pair) for pair in batch.renamed if pair not in usual],
                    "extra": list(batch.extra),
                },
            }
            # A connector hands the old cursor on when nothing came; it never moves one backwards.
            staged = StagedBatch(batch.path, batch.sha256, batch.rows, batch.cursor)
        return {"code": self.code, "run": self.run, "list": self.list_.version, "staged": staged.to_json()}

    def check(self, staged: dict[str, Any]) -> dict[str, Any]:
        """2. Divide the staged rows by the contract into good ones and rejected ones with their reasons.

        Raises:
            ErrorBudgetExceededError: too many were rejected; nothing is committed and the quarantine can be read.
        """
        with self.step("check") as notes:
            checked = self.warehouse.check(
                self.resource,
                StagedBatch.from_json(staged["staged"]),
                self.folder,
                now=datetime.now(UTC),
            )
            notes |= {
                "batch_id": checked.batch_id,
                "read": checked.read,
                "accepted": checked.accepted,
                "rejected": checked.rejected_rows,
                "reasons": dict(checked.reasons),
            }
        return {**staged, "checked": checked.to_json()}

    def commit(self, checked: dict[str, Any]) -> dict[str, Any]:
        """3. One snapshot holds the rows, the cursor and the counts; then the load is an entry of the log.

        A crash between the two leaves a committed batch without its entry; the next try finds the batch there
        already and writes the entry.
        """
        staged = StagedBatch.from_json(checked["staged"])
        done = Checked.from_json(checked["checked"])
        with self.step("commit") as notes:
            before = self.warehouse.current_snapshot(self.code)
            result = self.warehouse.commit(self.resource, staged, done)
            logged = self._entry_of(done.batch_id) is not None
            if result.already and logged:
                # An earlier run brought this very batch in and told its counts; this one changed nothing.
                result = replace(result, inserted=0, updated=0, deleted=0, unchanged=done.accepted)
            notes.update(self._counted(result))
            # A load that found nothing new made no snapshot, and there is nothing to log.
            if (result.already or result.snapshot_id != before) and not logged:
                notes["log_index"] = self._log(done, result)
        return {**checked, "committed": result.to_json()}

    def index(self, committed: dict[str, Any]) -> dict[str, Any]:
        """4. Build the look-up index of the table's newest snapshot and swap it in under the readers."""
        with self.step("index", last=True) as notes:
            snapshot = self.warehouse.current_snapshot(self.code)
            if snapshot is not None and self.resource.lookup_fields:
                self.warehouse.build_index(self.resource, snapshot)
            result = Committed.from_json(committed["committed"])
            changed = result.inserted + result.updated + result.deleted
            notes["outcome"] = LOADED if changed else UNCHANGED
        self._tidy()
        return {"code": self.code, "snapshot": snapshot, "changed": changed}

    # --- the record of the run -----------------------------------------------------------------------------------

    @contextmanager
    def step(self, name: str, *, last: bool = False) -> Iterator[dict[str, Any]]:
        """Time a step and write what it noted, or how it failed, into the run's record.

        The record is for people; what is true of the table is in its snapshots.
        """
        self._open_record()
        begun = time.monotonic()
        notes: dict[str, Any] = {}
        try:
            yield notes
        except (ConnectorError, WarehouseError, HubError) as error:
            told = {"error": {"en": error.text("en"), "zh": error.text("zh")}, "step": name}
            self._record(
                name, begun, {"outcome": FAILED, "error_code": type(error).__name__, "notes": told}, ended=True
            )
            raise
        except BaseException as error:
            # An unforeseen error may carry a row in its text, so only its kind is kept; the task's log has the rest.
            told = {"error": {"en": type(error).__name__, "zh": type(error).__name__}, "step": name}
            self._record(
                name, begun, {"outcome": FAILED, "error_code": type(error).__name__, "notes": told}, ended=True
            )
            raise
        self._record(name, begun, notes, ended=last)

    def _open_record(self) -> None:
        with self.control.writing() as connection:
            if connection.execute(select(Load.id).where(*self._mine())).first() is None:
                connection.execute(
                    insert(Load).values(
                        resource=self.code,
                        run=self.run,
                        batch_id="",
                        started=datetime.now(UTC),
                        outcome=RUNNING,
                        read=0,
                        accepted=0,
                        inserted=0,
                        updated=0,
                        deleted=0,
                        unchanged=0,
                        rejected=0,
                        reasons={},
                        seconds={},
                        notes={},
                    )
                )

    def _record(self, name: str, begun: float, values: dict[str, Any], *, ended: bool) -> None:
        with self.control.writing() as connection:
            seconds = connection.execute(select(Load.seconds).where(*self._mine())).scalar_one()
            values.setdefault("outcome", RUNNING)
            if values["outcome"] != FAILED:
                values.setdefault("error_code", None)
            connection.execute(
                update(Load)
                .where(*self._mine())
                .values(
                    seconds={**seconds, name: round(time.monotonic() - begun, 3)},
                    finished=datetime.now(UTC) if ended else None,
                    **values,
                )
            )

    def _mine(self) -> tuple[Any, Any]:
        return Load.resource == self.code, Load.run == self.run

    @staticmethod
    def _counted(result: Committed) -> dict[str, Any]:
        return {
            "inserted": result.inserted,
            "updated": result.updated,
            "deleted": result.deleted,
            "unchanged": result.unchanged,
            "cursor": result.cursor,
            "snapshot": result.snapshot_id,
        }

    def _entry_of(self, batch_id: str) -> int | None:
        query = select(Load.log_index).where(
            Load.resource == self.code, Load.batch_id == batch_id, Load.log_index.is_not(None)
        )
        with self.control.reading() as connection:
            index: int | None = connection.execute(query.limit(1)).scalar_one_or_none()
            return index

    def _log(self, checked: Checked, result: Committed) -> int:
        facts = {
            "batch": checked.batch_id,
            "list_version": self.list_.version,
            "snapshot": str(result.snapshot_id),
            "read": checked.read,
            "accepted": checked.accepted,
            "rejected": checked.rejected_rows,
            "reasons": dict(checked.reasons),
            "inserted": result.inserted,
            "updated": result.updated,
            "deleted": result.deleted,
            "unchanged": result.unchanged,
        }
        recorded = Evidence.open(self.settings).append("load.committed", actor=ACTOR, resource=self.code, facts=facts)
        return recorded.index

    def _tidy(self) -> None:
        """Remove this run's staged files: all they held is committed. A crash here leaves files nobody reads."""
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def extract(code: str, run: str) -> dict[str, Any]:
    """Step 1 as an Airflow task: returns references, never rows."""
    return Ingestion.open(code, run).extract()


def check(staged: dict[str, Any]) -> dict[str, Any]:
    """Step 2 as an Airflow task."""
    return Ingestion.open(staged["code"], staged["run"]).check(staged)


def commit(checked: dict[str, Any]) -> dict[str, Any]:
    """Step 3 as an Airflow task."""
    return Ingestion.open(checked["code"], checked["run"]).commit(checked)


def index(committed: dict[str, Any]) -> dict[str, Any]:
    """Step 4 as an Airflow task."""
    return Ingestion.open(committed["code"], committed["run"]).index(committed)


def run_here(settings: Settings, code: str, run: str) -> dict[str, Any]:
    """All four steps in this process, for the command line and for tests; the same record as under Airflow."""
    ingestion = Ingestion.open(code, run, settings)
    return ingestion.index(ingestion.commit(ingestion.check(ingestion.extract())))
