"""Resources as Apache Iceberg tables: create, grow, list a snapshot's files, commit one snapshot with all in it.

Which rows change and what the new files hold is `warehouse.merge`. A snapshot's summary carries, beside the data, the
cursor, the batch, the counts and the quarantine file with its digest, so there is no moment at which one is in and
another is not.

Tables are sorted by their key and not partitioned. A load's rows lie anywhere in a keyed table, and a partition for
each day of an append-only one would be thousands of files where hundreds do; a reader finds its files by the bounds of
the columns, which every manifest has, and a day's appended rows came in files of their own.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlparse

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.table.update import AssertTableUUID
from pyiceberg.transforms import IdentityTransform
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from warehouse import sql
from warehouse.errors import (
    CatalogueUnavailableError,
    CommitConflictError,
    CommitUnknownError,
    SchemaIncompatibleError,
    SnapshotMissingError,
    StorageDamagedError,
    StorageFullError,
    StorageUnavailableError,
    TableMissingError,
    WarehouseError,
)
from warehouse.evolve import Evolution, evolution
from warehouse.history import PREFIX, SnapshotInfo, infos, lineage
from warehouse.schema import new_schema, table_name
from warehouse.snapshot import NewSnapshot, data_file_of, delete_file_of, deleted_in
from warehouse.storage import Folder, Storage, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableRequirement, TableUpdate
    from pyiceberg.typedef import Identifier

    from catalog.model import InformationResource
    from warehouse.commit import Room

__all__ = ["PREFIX", "SnapshotInfo", "infos", "lineage"]

NAMESPACE = "city"
_LOCK_WAIT_S = 30  # SQLite's writers queue; a commit holds the lock for milliseconds.
# From writing its first file to moving the pointer, a commit has this long. `warehouse.maintain` deletes what nobody
# names only when it is older, so that a process that was stopped in between can do no harm when it wakes.
ATTEMPT_S = 24 * 3600
_COUNTED = 4096  # Delete files whose counts are remembered, at some hundred bytes each.
_PROPERTIES = {
    # A retried commit would put rows that were planned on one snapshot on top of another. We plan again instead.
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
    # Bounds of every column, long text cut; without them a reader would open every file.
    "write.metadata.metrics.default": "truncate(16)",
    # Every commit writes the metadata anew. The last few are kept for a person who looks back.
    "write.metadata.previous-versions-max": "20",
    "write.delete.mode": "merge-on-read",
    # Landed parts become data files as they are, and DuckDB writes them with the delta encodings of Parquet 2, which
    # Iceberg's vectorised reader for Spark knows from 1.11 on; `spark.sql.iceberg.vectorization.enabled` overrides it.
    "read.parquet.vectorization.enabled": "false",
    "format-version": "2",
}


@dataclass(frozen=True, slots=True)
class FileOfRows:
    """A data file of a snapshot and the position deletes that apply to it.

    *location* is the URI in the table's metadata, *source* what DuckDB's ``read_parquet`` takes for it. *rows* is the
    number of rows that are left, *records* of those the file holds. *deletes* are the sources of the delete files;
    they may name rows of other files too.
    """

    location: str
    source: str
    rows: int
    records: int
    deletes: tuple[str, ...]
    data_file: DataFile
    delete_files: tuple[DataFile, ...] = ()

    @property
    def path(self) -> Path:
        """The local path of a file in a folder."""
        return local_path(self.location)


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a commit does to one table: local files *added*, files *removed*, local position-delete files *deletes*.

    All local files lie at their desks (`Storage.desk`), below the table's ``data`` folder. A delete file has the
    columns ``file_path`` (field id 2147483546) and ``pos`` (2147483545), sorted by both. *facts* go into this table's
    snapshot beside those of the whole commit. *operation* is told to readers; by default it follows from the files.
    """

    table: Table
    added: tuple[Path, ...] = ()
    removed: tuple[FileOfRows, ...] = ()
    deletes: tuple[Path, ...] = ()
    facts: Mapping[str, str | int] = field(default_factory=dict)
    upkeep: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one table's metadata, and what must be true of the table for it."""

    table: Table
    updates: tuple[TableUpdate, ...]
    requirements: tuple[TableRequirement, ...]


class DurableSqlCatalog(SqlCatalog):
    """A SQL catalogue that points to a metadata file only once that file and all it names survive a power cut."""

    def __init__(self, name: str, storage: Storage, **properties: str) -> None:
        self.storage = storage
        super().__init__(name, **properties)

    def _write_metadata(self, metadata: TableMetadata, io: FileIO, metadata_path: str) -> None:  # type: ignore[override]
        SqlCatalog._write_metadata(metadata, io, metadata_path)  # noqa: SLF001 - the one seam before the pointer moves
        snapshot = metadata.current_snapshot()
        if snapshot is not None:
            self.storage.settle(snapshot.manifest_list)
            for manifest in snapshot.manifests(io):
                if manifest.added_snapshot_id == snapshot.snapshot_id:
                    self.storage.settle(manifest.manifest_path, manifest.manifest_length)
        self.storage.settle(metadata_path)

    def commit_together(self, moves: Sequence[Move], *, until: float | None = None) -> None:
        """Move the pointers of several tables in one transaction of the catalogue's database: all or none.

        *until* is the moment (seconds since the epoch) after which it must not be done any more.

        Raises:
            CommitFailedException: a table moved on, or it is too late; nothing moved, and no file of it is left.
            CommitStateUnknownException: the database did not say whether it did it.
            Exception: whatever writing the metadata raised; nothing moved.
        """
        written: list[str] = []
        asked = False
        try:
            steps = [self._write_ahead(move, written) for move in moves]
            _in_time(until)
            with Session(self.engine) as session:
                # In one order everywhere, so that two commits that share two tables cannot wait for each other.
                for step in sorted(steps):
                    self._point(session, *step)
                # From here on whatever happens, an interrupt too, leaves it open whether the pointers moved.
                asked = True
                self._finish(session)
        except BaseException:
            if not asked:
                with contextlib.suppress(StorageUnavailableError, OSError):
                    self.storage.delete(written)
            raise

    def _write_ahead(self, move: Move, written: list[str]) -> tuple[Identifier, str, str]:
        """Write the metadata that a pointer shall move to; return which table's, from where, and to where."""
        identifier = move.table.name()
        current = self.load_table(identifier)
        staged = self._update_and_stage_table(current, identifier, move.requirements, move.updates)
        written.append(staged.metadata_location)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        return identifier, current.metadata_location, staged.metadata_location

    def _point(self, session: Session, identifier: Identifier, old: str, new: str) -> None:
        done = session.execute(
            update(IcebergTables)
            .where(
                IcebergTables.catalog_name == self.name,
                IcebergTables.table_namespace == ".".join(identifier[:-1]),
                IcebergTables.table_name == identifier[-1],
                IcebergTables.metadata_location == old,
            )
            .values(metadata_location=new, previous_metadata_location=old)
        )
        if cast("Any", done).rowcount < 1:
            # Leaving the session without a commit rolls back the tables before this one.
            raise CommitFailedException(f"{identifier[-1]} was committed to meanwhile")

    @staticmethod
    def _finish(session: Session) -> None:
        try:
            session.commit()
        except Exception as error:
            if sql.is_full(error):
                raise
            raise CommitStateUnknownException(type(error).__name__) from error


def _in_time(until: float | None) -> None:
    if until is not None and time.time() > until:
        raise CommitFailedException("the attempt is too old")


def open_catalog(root: Path, uri: str | None, storage: Storage | None = None) -> DurableSqlCatalog:
    """Open (at first use create) the catalogue: SQLite below *root*, or the database at *uri*.

    Raises:
        CatalogueUnavailableError: the database does not answer.
    """
    root.mkdir(parents=True, exist_ok=True)
    storage = storage or Folder(root)
    properties = {
        "uri": uri or f"sqlite:///{quote(str(root / 'catalog.sqlite'))}?timeout={_LOCK_WAIT_S}",
        "warehouse": storage.location("data"),
        # A database that was restarted is no reason to fail.
        "pool_pre_ping": "true",
        **storage.properties(),
    }
    with _answering():
        try:
            catalog = DurableSqlCatalog("zhengtong", storage, **properties)
        except (OperationalError, ProgrammingError, IntegrityError):
            # Two processes met at the very first use, and the other has created the tables by now.
            catalog = DurableSqlCatalog("zhengtong", storage, **properties)
        ensure_namespace(catalog, NAMESPACE)
    return catalog


def ensure_namespace(catalog: SqlCatalog, namespace: str) -> None:
    """Create a namespace, if it is not there."""
    if not catalog.namespace_exists(namespace):
        # Where another process is first, the namespace is there, and that is all that was wanted.
        with contextlib.suppress(NamespaceAlreadyExistsError, IntegrityError):
            catalog.create_namespace(namespace)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if sql.is_full(error):
            raise
        raise CatalogueUnavailableError(detail=type(error.orig).__name__) from error


def local_path(location: str) -> Path:
    """The path of a ``file:`` location (or a bare path) as kept in Iceberg metadata."""
    return Path(urlparse(location).path) if location.startswith("file:") else Path(location)


def ensure(catalog: DurableSqlCatalog, resource: InformationResource) -> Table:
    """The resource's table: created, or grown by the columns that the list added, renamed or widened.

    Raises:
        SchemaIncompatibleError: a field changed its type, or the key changed under rows.
        CommitConflictError: another process grew it at the same moment; call again.
    """
    identifier = (NAMESPACE, table_name(resource.code))
    key = tuple(f.name for f in resource.key)
    facts = {
        PREFIX + "resource": resource.code,
        PREFIX + "key": ",".join(key),
        PREFIX + "disposition": resource.disposition.value,
    }
    with _answering():
        table = ensure_table(catalog, identifier, new_schema(resource), sorted_by=key, properties=facts)
    grown = evolution(resource, table.schema())
    names = dict(grown.renamed)
    was = tuple(names.get(k, k) for k in table.properties.get(PREFIX + "key", ",".join(key)).split(","))
    if was != key and table.current_snapshot() is not None:
        raise SchemaIncompatibleError(
            resource=resource.code, field="(primary key)", was=",".join(was), now=",".join(key)
        )
    unsorted = table.sort_order().is_unsorted or was != key
    # The version of the format is no property once the table is there.
    facts |= {name: value for name, value in _PROPERTIES.items() if name != "format-version"}
    if grown or unsorted or any(table.properties.get(name) != value for name, value in facts.items()):
        try:
            with _answering():
                _grow(table, grown, facts, key if unsorted else ())
        except CommitFailedException as error:
            raise CommitConflictError(resource=resource.code, detail="the table was changed") from error
    return table


def _grow(table: Table, grown: Evolution, facts: Mapping[str, str], sort_by: Sequence[str]) -> None:
    with table.transaction() as change:
        change.set_properties(dict(facts))
        if grown:
            with change.update_schema() as schema:
                for before, after in grown.renamed:
                    schema.rename_column(before, after)
            # A column that was renamed is known under its new name only from here on.
            with change.update_schema() as schema:
                for name, type_ in grown.widened:
                    schema.update_column(name, field_type=type_)
                for column in grown.added:
                    schema.add_column(column.name, column.field_type, doc=column.doc)
        if sort_by:
            with change.update_sort_order() as order:
                for name in sort_by:
                    order.asc(name, IdentityTransform())


def ensure_table(
    catalog: DurableSqlCatalog,
    identifier: tuple[str, str],
    schema: Schema,
    *,
    sorted_by: Sequence[str],
    properties: Mapping[str, str],
) -> Table:
    """A table of ours: as it is, or created with this schema, order and these properties."""
    with contextlib.suppress(NoSuchTableError):
        return catalog.load_table(identifier)
    order = SortOrder(*(SortField(schema.find_field(name).field_id, IdentityTransform()) for name in sorted_by))
    try:
        return catalog.create_table(
            identifier,
            schema,
            location=catalog.storage.location(f"data/{identifier[0]}/{identifier[1]}"),
            sort_order=order,
            properties={**_PROPERTIES, **properties},
        )
    except TableAlreadyExistsError:
        return catalog.load_table(identifier)


def load(catalog: SqlCatalog, code: str, namespace: str = NAMESPACE) -> Table:
    """The resource's table as it is now.

    Raises:
        TableMissingError: there is none.
        CatalogueUnavailableError, StorageUnavailableError
    """
    try:
        with _answering():
            return catalog.load_table((namespace, table_name(code)))
    except NoSuchTableError as error:
        raise TableMissingError(resource=code) from error
    except OSError as error:
        if sql.is_away(error):
            raise StorageUnavailableError(place="S3", detail=type(error).__name__) from error
        raise


def files_of(table: Table, code: str, snapshot_id: int | None) -> list[FileOfRows]:
    """The data files of a snapshot (None: of an empty table, no files), by location.

    Raises:
        SnapshotMissingError: the table has no such snapshot.
    """
    if snapshot_id is None:
        return []
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise SnapshotMissingError(resource=code, snapshot=snapshot_id)
    source = _source_of(table)
    try:
        tasks = list(table.scan(snapshot_id=snapshot_id).plan_files())
    except ValueError as error:
        # We write no equality deletes, and pyiceberg cannot apply those of another engine.
        raise WarehouseError(
            detail=f"`{code}` holds deletes of another engine; compact the table there first"
        ) from error
    found = []
    for task in tasks:
        deletes = sorted(task.delete_files, key=lambda d: d.file_path)
        dead = sum(_deleted_from(table.io, d, task.file.file_path) for d in deletes)
        found.append(
            FileOfRows(
                location=task.file.file_path,
                source=source(task.file.file_path),
                rows=task.file.record_count - dead,
                records=task.file.record_count,
                deletes=tuple(source(d.file_path) for d in deletes),
                data_file=task.file,
                delete_files=tuple(deletes),
            )
        )
    # A delete file applies by the bounds of what it names; that it names a file within them is for its content to say.
    return sorted(found, key=lambda f: f.location)


def _source_of(table: Table) -> Callable[[str], str]:
    catalog = table.catalog
    return catalog.storage.source if isinstance(catalog, DurableSqlCatalog) else str


def _deleted_from(io: FileIO, delete_file: DataFile, location: str) -> int:
    return _deleted_counts(delete_file.file_path, _Opener(io)).get(location, 0)


@dataclass(frozen=True)
class _Opener:
    """A FileIO as an argument that is the same whichever it is: a location names one content."""

    io: FileIO = field(compare=False)


@lru_cache(maxsize=_COUNTED)
def _deleted_counts(location: str, opener: _Opener) -> Mapping[str, int]:
    with opener.io.new_input(location).open() as stream:
        return deleted_in(pq.ParquetFile(stream))


def commit(room: Room, changes: Sequence[TableChange], *, code: str, facts: Mapping[str, str | int]) -> list[int]:
    """Make one snapshot of each table named, all at one moment, with *facts* in their summaries; return their ids.

    Nothing is visible before the catalogue's pointers move, and everything is after it: a crash before leaves files
    that no table names, a crash after leaves a finished load.

    Raises:
        CommitConflictError: a table moved on since it was loaded; nothing landed.
        StorageFullError, StorageUnavailableError, StorageDamagedError: nothing landed.
        CommitUnknownError: it may have landed; delete nothing.
    """
    storage: Storage = room.storage
    until = time.time() + ATTEMPT_S
    made: list[str] = []
    snapshots: list[NewSnapshot] = []
    try:
        # 1. Every file becomes durable under its location.
        with sql.full_storage(code, room.root):
            snapshots.extend(_stage(storage, change, facts, made) for change in changes)
            # 2. So do the lists that name them; they are written in the order in which readers will open them.
            moves = [_move(new) for new in snapshots]
    except (CommitFailedException, ValidationException) as error:
        _forget(storage, made, snapshots)
        raise CommitConflictError(resource=code, detail="its table moved on") from error
    except BaseException:
        _forget(storage, made, snapshots)
        raise
    try:
        # 3. The pointers.
        room.catalog.commit_together(moves, until=until)
    except (CommitFailedException, ValidationException) as error:
        _forget(storage, made, snapshots)
        raise CommitConflictError(resource=code, detail="its table moved on") from error
    except (StorageUnavailableError, StorageDamagedError):
        # The store is asked for the last time before the pointer moves.
        _forget(storage, made, snapshots)
        raise
    except Exception as error:
        # The pointer is the last thing written, so a full disk before it means that it did not move, and a full
        # disk in the catalogue's own database means that its transaction was rolled back.
        if sql.is_full(error):
            _forget(storage, made, snapshots)
            raise StorageFullError(resource=code, folder=room.root) from error
        if sql.is_away(error):
            _forget(storage, made, snapshots)
            raise StorageUnavailableError(place="S3", detail=type(error).__name__) from error
        raise CommitUnknownError(resource=code, detail=type(error).__name__) from error
    except BaseException as error:
        # Interrupted: the pointer may have moved, and whoever cleans up behind an interrupt must not.
        raise CommitUnknownError(resource=code, detail="interrupted") from error
    return [new.snapshot_id for new in snapshots]


def _stage(storage: Storage, change: TableChange, facts: Mapping[str, str | int], made: list[str]) -> NewSnapshot:
    table = change.table
    added, deletes = [], []
    oldest = time.time() - ATTEMPT_S
    for path in change.added:
        if path.stat().st_ctime < oldest:
            raise CommitFailedException("the attempt is too old")
        location = storage.location(relative(storage, path))
        added.append(data_file_of(table.metadata, path, location))
        made.append(location)
        storage.publish(path, location)
    for path in change.deletes:
        location = storage.location(relative(storage, path))
        deletes.append(delete_file_of(table.metadata, path, location))
        made.append(location)
        storage.publish(path, location)
    removed = [f.data_file for f in change.removed]
    gone = {f.location for f in change.removed}
    current = table.metadata.current_snapshot_id
    files = files_of(table, table.name()[-1], current)
    stays = {d.file_path for f in files if f.location not in gone for d in f.delete_files}
    # A delete file goes with the last data file that it speaks of.
    dangling = {d.file_path: d for f in change.removed for d in f.delete_files if d.file_path not in stays}
    total = (
        sum(f.rows for f in files if f.location not in gone)
        + sum(f.record_count for f in added)
        - sum(f.record_count for f in deletes)
    )
    own = {**facts, **change.facts, "total": total}
    return NewSnapshot.of(
        table,
        added=added,
        deletes=deletes,
        removed=[*removed, *dangling.values()],
        properties={PREFIX + k: str(v) for k, v in own.items()},
        upkeep=change.upkeep,
    )


def _move(new: NewSnapshot) -> Move:
    updates, requirements = new.write()
    return Move(new.table, updates, (*requirements, AssertTableUUID(uuid=new.table.metadata.table_uuid)))


def _forget(storage: Storage, made: Sequence[str], snapshots: Sequence[NewSnapshot]) -> None:
    """Delete what an attempt wrote that surely did not land; what cannot be deleted now is an orphan, found later."""
    with contextlib.suppress(StorageUnavailableError, OSError):
        storage.delete([*made, *(path for new in snapshots for path in new.written)])
