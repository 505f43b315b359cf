"""Resources as Apache Iceberg tables: create, grow, list a snapshot's files, commit one snapshot with all in it.

Which rows change and what the new files hold is `warehouse.merge`. A snapshot's summary carries, beside the data, the
cursor, the batch, the counts and the quarantine file with its digest, so there is no moment at which one is in and
another is not.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlparse

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from warehouse import sql
from warehouse.errors import (
    CommitConflictError,
    CommitUnknownError,
    SchemaIncompatibleError,
    SnapshotMissingError,
    StorageFullError,
    TableMissingError,
    WarehouseError,
)
from warehouse.schema import added_fields, iceberg_type, new_schema, table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

    from catalog.model import InformationResource

NAMESPACE = "city"
PREFIX = "zhengtong."
_LOCK_WAIT_S = 30  # SQLite's writers queue; a commit holds the lock for milliseconds.
_PROPERTIES = {
    # A retried commit would put rows that were planned on one snapshot on top of another. We plan again instead.
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
    "format-version": "2",
}


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A snapshot of a resource's table, as its summary tells it. *at* is when it was made (UTC).

    *quarantine* is the path of the file of rejected rows below the warehouse's root, or "". *cursor* is the one in
    force after it.
    """

    snapshot_id: int
    parent_id: int | None
    sequence: int
    at: datetime
    batch_id: str
    cursor: str | None
    read: int
    accepted: int
    rejected: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    total: int
    quarantine: str
    quarantine_digest: str
    quarantine_content: str


@dataclass(frozen=True, slots=True)
class FileOfRows:
    """A data file of a snapshot: where it is and how many rows it holds."""

    path: Path
    rows: int
    data_file: DataFile


class DurableSqlCatalog(SqlCatalog):
    """A SQL catalogue that points to a metadata file only once that file and all it names survive a power cut."""

    @staticmethod
    def _write_metadata(metadata: TableMetadata, io: FileIO, metadata_path: str) -> None:
        SqlCatalog._write_metadata(metadata, io, metadata_path)  # noqa: SLF001 - the one seam before the pointer moves
        location = local_path(metadata_path)
        snapshot = metadata.current_snapshot()
        if snapshot is not None:
            sql.sync_file(local_path(snapshot.manifest_list))
            for manifest in snapshot.manifests(io):
                if manifest.added_snapshot_id == snapshot.snapshot_id:
                    sql.sync_file(local_path(manifest.manifest_path))
        sql.sync_file(location)
        sql.sync_folder(location.parent)


def open_catalog(root: Path, uri: str | None) -> SqlCatalog:
    """Open (at first use create) the catalogue: SQLite below *root*, or the database at *uri*."""
    root.mkdir(parents=True, exist_ok=True)
    properties = {
        "uri": uri or f"sqlite:///{quote(str(root / 'catalog.sqlite'))}?timeout={_LOCK_WAIT_S}",
        "warehouse": (root / "data").as_uri(),
    }
    try:
        catalog = DurableSqlCatalog("zhengtong", **properties)
    except (OperationalError, ProgrammingError):
        # Two processes met at the very first use, and the other has created the tables by now.
        catalog = DurableSqlCatalog("zhengtong", **properties)
    if not catalog.namespace_exists(NAMESPACE):
        # Where another process is first, the namespace is there, and that is all that was wanted.
        with contextlib.suppress(NamespaceAlreadyExistsError, IntegrityError):
            catalog.create_namespace(NAMESPACE)
    return catalog


def local_path(location: str) -> Path:
    """The path of a ``file:`` location (or a bare path) as kept in Iceberg metadata."""
    # pyiceberg opens the path of a location as it stands, so locations are written without percent-encoding.
    return Path(urlparse(location).path) if location.startswith("file:") else Path(location)


def ensure(catalog: SqlCatalog, root: Path, resource: InformationResource) -> Table:
    """The resource's table: created, or grown by the columns that the list added.

    Raises:
        SchemaIncompatibleError: a field changed its type, or the key changed under rows.
        CommitConflictError: another process grew it at the same moment; call again.
    """
    identifier = (NAMESPACE, table_name(resource.code))
    key = ",".join(f.name for f in resource.key)
    facts = {
        PREFIX + "resource": resource.code,
        PREFIX + "key": key,
        PREFIX + "disposition": resource.disposition.value,
    }
    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        try:
            return catalog.create_table(
                identifier,
                new_schema(resource),
                location=location_of(root, resource.code),
                properties={**_PROPERTIES, **facts},
            )
        except TableAlreadyExistsError:
            table = catalog.load_table(identifier)
    was = table.properties.get(PREFIX + "key", key)
    if was != key and table.current_snapshot() is not None:
        raise SchemaIncompatibleError(resource=resource.code, field="(primary key)", was=was, now=key)
    added = added_fields(resource, table.schema())
    if added or any(table.properties.get(name) != value for name, value in facts.items()):
        try:
            with table.transaction() as change:
                change.set_properties(facts)
                if added:
                    with change.update_schema() as update:
                        for field in added:
                            update.add_column(field.name, iceberg_type(field.type), doc=field.title)
        except CommitFailedException as error:
            raise CommitConflictError(resource=resource.code, detail="the table was changed") from error
    return table


def location_of(root: Path, code: str) -> str:
    """Where the table's files lie."""
    return f"file://{root / 'data' / NAMESPACE / table_name(code)}"


def load(catalog: SqlCatalog, code: str) -> Table:
    """The resource's table as it is now.

    Raises:
        TableMissingError: there is none.
    """
    try:
        return catalog.load_table((NAMESPACE, table_name(code)))
    except NoSuchTableError as error:
        raise TableMissingError(resource=code) from error


def files_of(table: Table, code: str, snapshot_id: int | None) -> list[FileOfRows]:
    """The data files of a snapshot (None: of an empty table, no files), by path.

    Raises:
        SnapshotMissingError: the table has no such snapshot.
    """
    if snapshot_id is None:
        return []
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise SnapshotMissingError(resource=code, snapshot=snapshot_id)
    tasks = list(table.scan(snapshot_id=snapshot_id).plan_files())
    if any(task.delete_files for task in tasks):
        raise WarehouseError(detail=f"`{code}` holds delete files of another engine; compact the table there first")
    found = [FileOfRows(local_path(t.file.file_path), t.file.record_count, t.file) for t in tasks]
    return sorted(found, key=lambda f: str(f.path))


def lineage(table: Table) -> Iterator[Snapshot]:
    """Snapshots from the current one back to the first that is still kept."""
    snapshot = table.current_snapshot()
    while snapshot is not None:
        yield snapshot
        snapshot = table.snapshot_by_id(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id else None


def infos(table: Table) -> Iterator[SnapshotInfo]:
    """Our loads, newest first. Snapshots of other engines (a compaction by Spark) hold no load and are passed over."""
    for snapshot in lineage(table):
        info = _info(snapshot)
        if info is not None:
            yield info


def _info(snapshot: Snapshot) -> SnapshotInfo | None:
    summary: Mapping[str, str] = snapshot.summary.additional_properties if snapshot.summary else {}
    if PREFIX + "batch" not in summary:
        return None

    def number(key: str) -> int:
        return int(summary.get(PREFIX + key, "0"))

    return SnapshotInfo(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_snapshot_id,
        sequence=snapshot.sequence_number or 0,
        at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        batch_id=summary[PREFIX + "batch"],
        cursor=summary.get(PREFIX + "cursor"),
        read=number("read"),
        accepted=number("accepted"),
        rejected=number("rejected"),
        inserted=number("inserted"),
        updated=number("updated"),
        deleted=number("deleted"),
        unchanged=number("unchanged"),
        total=int(summary.get("total-records", "0")),
        quarantine=summary.get(PREFIX + "quarantine", ""),
        quarantine_digest=summary.get(PREFIX + "quarantine-digest", ""),
        quarantine_content=summary.get(PREFIX + "quarantine-content", ""),
    )


def commit(
    table: Table,
    root: Path,
    code: str,
    *,
    added: Sequence[Path],
    removed: Sequence[FileOfRows],
    facts: Mapping[str, str | int],
) -> int:
    """Make one snapshot: *added* files in, *removed* out, *facts* in its summary. Return its id.

    Nothing is visible before the catalogue's pointer moves, and everything is after it: a crash before leaves files
    that no table names, a crash after leaves a finished load.

    Raises:
        CommitConflictError: the table moved on since *table* was loaded; nothing landed, *added* may be deleted.
        StorageFullError: nothing landed, *added* may be deleted.
        CommitUnknownError: it may have landed; delete nothing.
    """
    properties: dict[str, Any] = {PREFIX + k: str(v) for k, v in facts.items()}
    try:
        transaction = table.transaction()
        update = transaction.update_snapshot(snapshot_properties=properties)
        producer = update.overwrite() if removed else update.fast_append()
        with producer:
            for path in added:
                producer.append_data_file(parquet_file_to_data_file(table.io, table.metadata, f"file://{path}"))
            for file in removed:
                producer.delete_data_file(file.data_file)
        snapshot_id = producer.snapshot_id
    except Exception as error:
        if sql.is_full(error):
            raise StorageFullError(resource=code, folder=root) from error
        raise
    try:
        transaction.commit_transaction()
    except (CommitFailedException, ValidationException) as error:
        raise CommitConflictError(resource=code, detail="its table moved on") from error
    except Exception as error:
        # The pointer is the last thing written, so a full disk before it means that it did not move, and a full
        # disk in the catalogue's own database means that its transaction was rolled back.
        if sql.is_full(error):
            raise StorageFullError(resource=code, folder=root) from error
        raise CommitUnknownError(resource=code, detail=type(error).__name__) from error
    return snapshot_id
