"""Ingestion, one resource at a time: extract → check → commit → index (docs/ingestion.md).

The same four steps run as Airflow tasks and from the command line. Reading is `connectors`, keeping is
`warehouse`, when is `dags/`; here they are joined and every run is recorded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update

from catalog.model import FieldKind, Mask
from connectors.errors import ConnectorError
from connectors.parts import read_manifest
from connectors.protocol import Acknowledges, Column, Measures, Progress, ReadRequest
from hub import drifts, lineage, loads, pauses, published, storing, systems
from hub.control import Control, Load
from hub.errors import HubError, ListMissingError, NothingRejectedError, ResourceUnknownError
from hub.evidence import Evidence
from hub.files import replace_file
from hub.loads import FAILED, LOADED, RUNNING, TRIED, UNCHANGED
from hub.orders import LoadOrder, Mode
from hub.registry import STEPS
from hub.settings import Settings
from warehouse.compare import is_complete
from warehouse.drift import DriftReport
from warehouse.errors import WarehouseError
from warehouse.reconcile import TableMeasures, accounted, compare_measures
from warehouse.schema import field_type
from warehouse.staging import Checked, Committed, StagedBatch, StagedPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from catalog.model import InformationResource
    from connectors.protocol import Batch, Connector
    from warehouse.engine import Warehouse

ACTOR = "hub:ingestion"
LANDED = "landed.parquet"
MEASURES = "measures.json"
# Of these kinds an object read without a cursor is all there is now. What a file, a table of batches or a service gives
# may be the newest part of it, and what is absent from that is not gone.
CDC: Final = "postgresql-cdc"
TABLES: Final = frozenset({"postgresql", CDC, "mysql", "sqlalchemy", "sqlite"})
# Errors of a check that has divided the rows already.
STOPPED: Final = frozenset({"ErrorBudgetExceededError", "QualityGateError"})
# How runs of the command line are named.
BY_HAND = "cli-"
# Departments write local time; instants of their records are taken as such.
ZONE = ZoneInfo("Asia/Shanghai")
# How often the record of a run is told how far a read is; more often would only keep the database busy.
PROGRESS_EVERY_S = 2.0


@dataclass
class Ingestion:
    """What one step needs, opened on first use. One instance serves one resource in one process.

    *order* says what is asked for beyond the usual. *secrets* resolves references that only the caller's scheduler
    knows (scheme → resolver); *watching* is told how far a read is.
    """

    settings: Settings
    code: str
    run: str
    order: LoadOrder = field(default_factory=LoadOrder)
    secrets: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    watching: Callable[[Progress], None] | None = None
    _drift: DriftReport | None = None

    @classmethod
    def open(cls, code: str, run: str, settings: Settings | None = None) -> Self:
        """For resource *code* in the scheduler's run *run*, with the settings of the environment by default."""
        return cls(settings or Settings.from_environment(), code, run)

    @cached_property
    def list_version(self) -> str:
        """The digest of the list in force.

        Raises:
            ListMissingError: none was published.
        """
        version = published.current_version(self.control)
        if version is None:
            raise ListMissingError(version="")
        return version

    @cached_property
    def resource(self) -> InformationResource:
        """The resource as the list in force describes it.

        Raises:
            ResourceUnknownError: the list does not hold it.
        """
        resource = published.resource_of(self.settings, self.list_version, self.code)
        if resource is None:
            raise ResourceUnknownError(resource=self.code)
        return resource

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse of this deployment."""
        return storing.open_warehouse(self.settings)

    @cached_property
    def control(self) -> Control:
        """The control database; it was made when the list was published."""
        return Control.attach(self.settings)

    @cached_property
    def connector(self) -> Connector:
        """The door into the resource's source system."""
        return systems.open_system(self.settings.systems_file, self.resource.source.system, self.secrets)

    @property
    def folder(self) -> Path:
        """Where this run's files are staged; a run tried again finds its own, and goes on with a read in parts."""
        name = hashlib.sha256(self.run.encode()).hexdigest()[:16]
        return self.settings.staging / self.code / name

    # --- the four steps ------------------------------------------------------------------------------------------

    def extract(self) -> dict[str, Any]:
        """1. Read from the source since the cursor that the last commit holds, or as ordered, into staged files.

        Raises:
            ConnectorError: the source did not give its records; nothing is staged.
            LoadPausedError: somebody holds the resource's loads back.
            DriftWaitsError: the source has changed its shape in a way that a person has to decide on.
            OrderInvalidError: the order cannot be carried out for this resource.
        """
        # Not a part of the step: what is held back, or cannot be asked for, has not failed, and leaves no record.
        pauses.check(self.control, self.code)
        if self.order.mode is Mode.WINDOW:
            self.order.window_of(self.resource)
        with self.step("extract") as notes:
            self._tell_lineage("START")
            self.warehouse.ensure(self.resource)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / MEASURES).unlink(missing_ok=True)
            if self.order.mode is Mode.REPLAY:
                rejected = self.warehouse.stage_rejected(self.resource, self.folder / LANDED, now=datetime.now(UTC))
                if rejected is None:
                    self._tidy()
                    raise NothingRejectedError(resource=self.code)
                staged = rejected
                notes["read"] = staged.rows
            else:
                staged = self._read(notes)
            notes["bytes"] = sum(path.stat().st_size for path in staged.files())
        return {
            "code": self.code,
            "run": self.run,
            "list": self.list_version,
            "order": self.order.to_json(),
            "staged": staged.to_json(),
            "drift": self._drift.to_json() if self._drift else None,
        }

    def _read(self, notes: dict[str, Any]) -> StagedBatch:
        request = self.request()
        whole = self._is_whole(request)
        over = next((info.snapshot_id for info in self.warehouse.snapshots(self.code)), None) if whole else None
        batch = self.connector.read(request, self.folder / LANDED)
        usual = {(f.name, heading) for f in self.resource.fields for heading in (f.title, *f.aliases[:1])}
        notes |= {
            "read": batch.rows,
            "notes": {
                # The title and the first alias are the usual headings; a further alias is news.
                "renamed": [list(pair) for pair in batch.renamed if pair not in usual],
                "extra": list(batch.extra),
                "absent": list(batch.absent),
                **({"source_rows": batch.measures.rows} if batch.measures else {}),
            },
        }
        self._drift = drifts.judge(self.control, self.resource, batch, now=datetime.now(UTC))
        if batch.measures is not None and request.window is None:
            self._keep(batch.measures, every=request.cursor is None)
        # A connector hands the old cursor on when nothing came; it never moves one backwards.
        return StagedBatch(
            batch.path,
            batch.sha256,
            batch.rows,
            batch.cursor,
            whole=whole,
            window=request.window is not None,
            keys=self._keys_beside(batch),
            over=over,
        )

    def _is_whole(self, request: ReadRequest) -> bool:
        """Whether the read tells of every row of the table whether it still is in the source."""
        if request.cursor is not None or request.window is not None or self.connector.kind not in TABLES:
            return False
        # What is newer than the source's clock allows is left out, and is not gone.
        system = systems.load(self.settings.systems_file)[self.resource.source.system]
        if {**system.settings, **request.options}.get("until"):
            return False
        return self.order.mode is Mode.FULL or self.connector.kind == CDC

    def _keys_beside(self, batch: Batch) -> StagedPart | None:
        """The keys that the source has, where the connector could not tell otherwise what was deleted."""
        if self.connector.kind != CDC:
            return None
        from connectors.cdc import keys_file  # noqa: PLC0415 - its client is worth loading only where it is used

        path = keys_file(batch.path)
        return StagedPart.of(path) if path.exists() else None

    def _keep(self, measures: Measures, *, every: bool) -> None:
        """Stage what the source said of its rows for the comparison after the commit.

        The least and the greatest value of a column are values of rows: they are in a file, like rows, and not among
        what is handed on. Of a column that is masked as it lands the source's own values are kept nowhere.
        """
        masked = {f.name for f in self.resource.fields if f.landing is not Mask.NONE}
        columns = {name: dict(found) for name, found in measures.columns.items() if name not in masked}
        plain = {"rows": measures.rows, "columns": columns, "every": every}
        replace_file(self.folder / MEASURES, json.dumps(plain, ensure_ascii=False).encode())

    def stage_whole(self) -> StagedBatch:
        """The source as it is now, whole, staged for a comparison; nothing is recorded.

        Raises:
            ConnectorError: the source did not give its records; nothing is staged.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        batch = self.connector.read(self.request(), self.folder / LANDED)
        return StagedBatch(batch.path, batch.sha256, batch.rows, None, whole=True)

    @property
    def marks(self) -> frozenset[str]:
        """The fields that are no columns of the source: their values say when, and how, a row was read."""
        if self.connector.kind != CDC:
            return frozenset()
        source = self.resource.source
        return frozenset({source.cursor_field, source.deleted_field} - {""})

    def request(self) -> ReadRequest:
        """What is asked of the connector.

        Raises:
            OrderInvalidError: the resource has no such range.
        """
        source = self.resource.source
        window = self.order.window_of(self.resource)
        incremental = bool(source.cursor_field) and self.order.mode is Mode.USUAL
        ids = self.warehouse.field_ids(self.resource)
        columns = tuple(
            Column(
                f.name,
                (f.title, *f.aliases),
                # What may be empty may be missing; what must be filled, or is key, must be there.
                required=not f.nullable or f.key,
                type="" if f.landing is not Mask.NONE else field_type(f),
                field_id=ids.get(f.name, 0),
                mask="" if f.landing is Mask.NONE else f.landing.value,
            )
            for f in self.resource.fields
        )
        return ReadRequest(
            resource=self.code,
            object=source.object,
            columns=columns,
            cursor=self.warehouse.cursor(self.code) if incremental else None,
            cursor_column=source.cursor_field,
            options=dict(source.options),
            key=tuple(f.name for f in self.resource.key),
            window=window,
            progress=self._progress(),
        )

    def check(self, staged: dict[str, Any]) -> dict[str, Any]:
        """2. Divide the staged rows by the contract into good ones and rejected ones with their reasons.

        Raises:
            ErrorBudgetExceededError: too many were rejected; nothing is committed and the quarantine can be read.
            QualityGateError: the batch as a whole is not what the list promises; nothing is committed.
        """
        with self.step("check") as notes:
            checked = self.warehouse.check(
                self.resource,
                StagedBatch.from_json(staged["staged"]),
                self.folder,
                now=datetime.now(UTC),
                accepted=self.order.accept,
            )
            notes |= {
                "batch_id": checked.batch_id,
                "read": checked.read,
                "accepted": checked.accepted,
                "rejected": checked.rejected_rows,
                "superseded": checked.superseded,
                "reasons": dict(checked.reasons),
                # An entry that an earlier try of this run wrote for another batch is not this one's.
                "log_index": self._entry_of(checked.batch_id),
            }
            if staged["drift"]:
                report = DriftReport.from_json(staged["drift"])
                drifts.confirm(self.control, self.resource, report, checked.reasons, now=datetime.now(UTC))
        return {**staged, "checked": checked.to_json()}

    def commit(self, checked: dict[str, Any]) -> dict[str, Any]:
        """3. One snapshot holds the rows, the cursor and the counts; then the log has it, then the source is told.

        A crash between the first two leaves a committed batch without its entry; the next try finds the batch there
        already and writes the entry. A crash before the source is told makes it deliver the same rows again, which the
        table takes once. A dry run ends here with nothing done.
        """
        staged = StagedBatch.from_json(checked["staged"])
        done = Checked.from_json(checked["checked"])
        if self.order.dry_run:
            return {**checked, "committed": None}
        with self.step("commit") as notes:
            before = self.warehouse.current_snapshot(self.code)
            result = self.warehouse.commit(self.resource, staged, done)
            logged = self._logged_by(done.batch_id, result.snapshot_id)
            if result.already and logged not in {None, self.run}:
                # An earlier run brought this very batch in and told its counts; this one changed nothing.
                result = replace(result, inserted=0, updated=0, deleted=0, unchanged=done.accepted)
            notes.update(self._counted(result))
            # A load that found nothing new made no snapshot, and there is nothing to log.
            if (result.already or result.snapshot_id != before) and logged is None:
                # Noted at once: what comes now may fail, and the next try is not to log the batch again.
                self._note({"log_index": self._log(done, result), "snapshot": result.snapshot_id})
            notes["lag_s"] = self._lag_s(result)
            if self.order.mode in {Mode.USUAL, Mode.FULL} and isinstance(self.connector, Acknowledges):
                source = self.resource.source
                self.connector.acknowledge(source.object, dict(source.options), staged.cursor)
            unequal = self._compare_measures(done, result, first=before is None)
            if unequal is not None:
                notes["notes"] = {"unequal": unequal}
            self._tell_lineage("COMPLETE", {"accepted": done.accepted})
        return {**checked, "committed": result.to_json()}

    def index(self, committed: dict[str, Any]) -> dict[str, Any]:
        """4. Build the look-up index of the table's newest snapshot and swap it in under the readers."""
        with self.step("index", last=True) as notes:
            if self.order.dry_run:
                notes["outcome"], snapshot, changed = TRIED, None, 0
            else:
                snapshot = self.warehouse.current_snapshot(self.code)
                if snapshot is not None and self.resource.lookup_fields:
                    self.warehouse.build_index(self.resource, snapshot)
                changed = Committed.from_json(committed["committed"]).changed
                notes["outcome"] = LOADED if changed else UNCHANGED
        self._tidy()
        return {"code": self.code, "snapshot": snapshot, "changed": changed}

    def _compare_measures(self, checked: Checked, result: Committed, *, first: bool) -> list[dict[str, Any]] | None:
        """In what the source's own measures differ from what came of them; None where nothing can be said.

        The table can only be compared where it holds what was read and nothing else.
        """
        try:
            plain = json.loads((self.folder / MEASURES).read_bytes())
        except FileNotFoundError:
            return None
        resource = self.resource
        every = plain["every"] and (is_complete(resource) or first) and not resource.source.deleted_field
        held = TableMeasures(0)
        try:
            if every and result.snapshot_id is not None:
                held = self.warehouse.measures(resource, result.snapshot_id, columns=bool(plain["columns"]))
        except WarehouseError:
            # The batch is in. What could not be counted this time is counted after the next load.
            return None
        measures = Measures(plain["rows"], plain["columns"])
        found = compare_measures(resource, measures, held, **accounted(checked), whole=every)
        # Of a range the number of rows alone is compared; that it is right says nothing of the table.
        return [one.to_json() for one in found] if found or every else None

    def close(self) -> None:
        """Give back what was opened."""
        for name in ("warehouse", "control"):
            if (opened := self.__dict__.pop(name, None)) is not None:
                opened.close()

    def _tell_lineage(self, kind: str, counts: Mapping[str, int] | None = None, error: str = "") -> None:
        """Send an OpenLineage event, where the deployment wants them. A load never fails for it."""
        if not self.settings.openlineage:
            return
        try:
            resource = self.resource
            system = systems.load(self.settings.systems_file).get(resource.source.system)
        except HubError:
            # A run that fails before its resource is known has no lineage to tell.
            return
        told = lineage.event(
            kind,
            resource=resource,
            system=system or systems.SourceSystem(resource.source.system, ""),
            run=self.run,
            at=datetime.now(UTC),
            table=storing.table_dataset(self.settings, self.code),
            counts=counts,
            error=error,
        )
        lineage.emit(self.settings, told)

    def _progress(self) -> Callable[[Progress], None]:
        """A receiver of progress that now and then writes it into the run's record, and hands it on."""
        told = time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal told
            if self.watching is not None:
                self.watching(progress)
            if time.monotonic() - told < PROGRESS_EVERY_S:
                return
            told = time.monotonic()
            self._note({"read": progress.rows, "about": progress.about})

        return tell

    def _lag_s(self, result: Committed) -> float | None:
        """How old the newest record is, where the cursor is an instant: what a caller may be behind the source."""
        cursor_field = self.resource.field(self.resource.source.cursor_field)
        if cursor_field is None or cursor_field.type.kind is not FieldKind.DATETIME or not result.cursor:
            return None
        try:
            newest = datetime.fromisoformat(result.cursor.strip())
        except ValueError:
            return None
        newest = newest if newest.tzinfo else newest.replace(tzinfo=ZONE)
        return round(max(0.0, (datetime.now(UTC) - newest).total_seconds()), 3)

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
        except NothingRejectedError:
            # Nobody has to look at it: there was nothing to do.
            self._record(name, begun, {"outcome": UNCHANGED}, ended=True)
            raise
        except (ConnectorError, WarehouseError, HubError) as error:
            self._tell_lineage("FAIL", error=error.text("en"))
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
        resource = published.resource_of(self.settings, self.list_version, self.code)
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
                        mode=self.order.mode.value,
                        department=resource.provider if resource else "",
                        list_version=self.list_version,
                    )
                )

    def _record(self, name: str, begun: float, values: dict[str, Any], *, ended: bool) -> None:
        with self.control.writing() as connection:
            seconds, known = connection.execute(select(Load.seconds, Load.notes).where(*self._mine())).one()
            # What an earlier step noted stays; why an earlier try failed does not.
            noted = {} if name == STEPS[0] else {w: value for w, value in known.items() if w not in {"error", "step"}}
            values["notes"] = {**noted, **values.get("notes", {})}
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

    def _note(self, values: dict[str, Any]) -> None:
        with self.control.writing() as connection:
            connection.execute(update(Load).where(*self._mine()).values(**values))

    def _entry_of(self, batch_id: str) -> int | None:
        """The entry that this run wrote for the batch."""
        query = select(Load.log_index).where(*self._mine(), Load.batch_id == batch_id)
        with self.control.reading() as connection:
            index: int | None = connection.execute(query).scalar_one_or_none()
            return index

    def _logged_by(self, batch_id: str, snapshot: int | None) -> str | None:
        """The run that wrote the log's entry of the batch in this *snapshot*.

        Of both: a source that returns to what it held before brings the same batch into another snapshot.
        """
        query = select(Load.run).where(
            Load.resource == self.code,
            Load.batch_id == batch_id,
            Load.snapshot == snapshot,
            Load.log_index.is_not(None),
        )
        with self.control.reading() as connection:
            run: str | None = connection.execute(query.order_by(Load.id).limit(1)).scalar_one_or_none()
            return run

    def _log(self, checked: Checked, result: Committed) -> int:
        facts = {
            "batch": checked.batch_id,
            "list_version": self.list_version,
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
        evidence = Evidence.open(self.settings)
        if result.already:
            # A run that was killed between its entry and its record has logged what nobody remembers.
            same = {name: facts[name] for name in ("batch", "snapshot")}
            found = evidence.look_back("load.committed", resource=self.code, facts=same)
            if found is not None:
                return found
        return evidence.append("load.committed", actor=ACTOR, resource=self.code, facts=facts).index

    def _tidy(self) -> None:
        """Remove this run's staged files: all they held is committed. A crash here leaves files nobody reads."""
        shutil.rmtree(self.folder, ignore_errors=True)


def extract(
    code: str,
    run: str,
    order: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Callable[[str], str | None]] | None = None,
) -> dict[str, Any]:
    """Step 1 as an Airflow task: returns references, never rows. *order* is `LoadOrder.to_json`'s."""
    ingestion = Ingestion.open(code, run)
    ingestion.order = LoadOrder.from_json(order) if order else LoadOrder()
    ingestion.secrets = secrets or {}
    with closing(ingestion):
        return ingestion.extract()


def check(staged: dict[str, Any]) -> dict[str, Any]:
    """Step 2 as an Airflow task."""
    with closing(_going_on(staged)) as ingestion:
        return ingestion.check(staged)


def commit(checked: dict[str, Any], secrets: Mapping[str, Callable[[str], str | None]] | None = None) -> dict[str, Any]:
    """Step 3 as an Airflow task; the source may wait to be told, hence the *secrets*."""
    with closing(_going_on(checked)) as ingestion:
        ingestion.secrets = secrets or {}
        return ingestion.commit(checked)


def index(committed: dict[str, Any]) -> dict[str, Any]:
    """Step 4 as an Airflow task."""
    with closing(_going_on(committed)) as ingestion:
        return ingestion.index(committed)


def _going_on(handed: Mapping[str, Any]) -> Ingestion:
    ingestion = Ingestion.open(handed["code"], handed["run"])
    ingestion.order = LoadOrder.from_json(handed["order"])
    return ingestion


def ordered(params: Mapping[str, Any]) -> dict[str, Any]:
    """A form's order, judged before a run is started for it: ``resource``, and the ``order`` its DAG is given.

    Raises:
        ResourceUnknownError, OrderInvalidError: it cannot be carried out; the message says why.
    """
    order = LoadOrder.from_params(params)
    with closing(Ingestion.open(str(params.get("resource", "")).strip(), "")) as ingestion:
        order.window_of(ingestion.resource)
    names = ("full", "since", "until", "replay", "dry_run", "accept")
    return {"resource": ingestion.code, "order": {name: params.get(name) for name in names}}


def stopped_rejects(settings: Settings, control: Control, code: str) -> Path | None:
    """The file of rows rejected by the newest load of *code*, where that was stopped for them; else None.

    Nothing of such a load is in the table, nor is what it rejected in its quarantine.
    """
    newest = next(iter(loads.newest_of(control, code, 1)), None)
    if newest is None or newest.error_code not in STOPPED:
        return None
    found = sorted(
        Ingestion(settings, code, newest.run).folder.glob("*.rejected.parquet"), key=lambda path: path.stat().st_mtime
    )
    return found[-1] if found else None


def resumable(settings: Settings, control: Control, code: str, order: LoadOrder) -> str | None:
    """The run of the command line that was stopped while it read *code* under the same order, or None.

    What it had read lies staged in parts; running it again under its name goes on from there.
    """
    if order.mode not in {Mode.USUAL, Mode.FULL}:
        return None
    newest = next(iter(loads.newest_of(control, code, 1)), None)
    if newest is None or newest.outcome not in {RUNNING, FAILED} or newest.mode != order.mode.value:
        return None
    if not newest.run.startswith(BY_HAND):
        return None
    landed = read_manifest(Ingestion(settings, code, newest.run).folder / LANDED)
    # One that was read to its end was stopped by something else, and is read anew.
    return newest.run if landed is not None and not landed.done and landed.parts else None


def run_here(
    settings: Settings,
    code: str,
    run: str,
    order: LoadOrder | None = None,
    watching: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """All four steps in this process, for the command line and for tests; the same record as under Airflow."""
    ingestion = Ingestion(settings, code, run, order or LoadOrder(), watching=watching)
    with closing(ingestion):
        return ingestion.index(ingestion.commit(ingestion.check(ingestion.extract())))
