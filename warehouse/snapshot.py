"""The lists that Iceberg keeps of a snapshot's files: data files with their bounds, delete files, manifests, a summary.

pyiceberg writes snapshots that add and replace data files; this adds position deletes (Iceberg spec, "Position Delete
Files") and merges manifests as they grow many. Which files and when is `warehouse.table`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import to_bytes
from pyiceberg.exceptions import ValidationException
from pyiceberg.io.pyarrow import compute_statistics_plan, data_file_statistics_from_parquet_metadata
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _SnapshotProducer
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, StringType

from warehouse.errors import StagedFileDamagedError
from warehouse.history import UPKEEP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pyiceberg.manifest import ManifestFile, ManifestWriter
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableRequirement, TableUpdate

PATH_ID, POS_ID = 2147483546, 2147483545  # Iceberg spec, "Reserved Field IDs".
POSITION_DELETES = Schema(
    NestedField(PATH_ID, "file_path", StringType(), required=True),
    NestedField(POS_ID, "pos", LongType(), required=True),
)
# Every commit adds a manifest. Beyond so many small ones they become one; a reader opens all of them.
MAX_MANIFESTS = 32
_SMALL_ENTRIES = 2000
_LOCATIONS_READ = 65_536


def data_file_of(metadata: TableMetadata, path: Path, location: str) -> DataFile:
    """The entry for the data file *path*, which is or will be at *location*: counts, sizes and bounds of its columns.

    Raises:
        StagedFileDamagedError: its columns are not the table's.
    """
    parquet = pq.read_metadata(path)
    ids = {f.name: f.field_id for f in metadata.schema().fields}
    if any(ids.get(name) != marked for name, marked in field_ids(parquet).items()):
        # Every reader finds columns by their ids; without the right ones it would find nothing, or something else.
        raise StagedFileDamagedError(resource=location, path=path, detail="its columns are not the table's")
    return entry_of(metadata, parquet, location, path.stat().st_size)


def field_ids(parquet: pq.FileMetaData) -> dict[str, int | None]:
    """The Iceberg field id of each column of a Parquet file, None where it has none."""
    marked = ((c.name, (c.metadata or {}).get(b"PARQUET:field_id")) for c in parquet.schema.to_arrow_schema())
    return {name: None if found is None else int(found) for name, found in marked}


def entry_of(metadata: TableMetadata, parquet: pq.FileMetaData, location: str, size_bytes: int) -> DataFile:
    """The entry for a data file of the table as its footer tells it."""
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=parquet,
        stats_columns=compute_statistics_plan(metadata.schema(), metadata.properties),
        parquet_column_mapping={name: marked or 0 for name, marked in field_ids(parquet).items()},
    )
    made = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=size_bytes,
        # Whoever writes our files sorts them by key.
        sort_order_id=metadata.default_sort_order_id or None,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
    made.spec_id = metadata.default_spec_id
    return made


def delete_file_of(metadata: TableMetadata, path: Path, location: str) -> DataFile:
    """The entry for a position-delete file, with the whole paths it names as its bounds: by them readers find it."""
    counts = deleted_in(pq.ParquetFile(path))
    rows = sum(counts.values())
    names = sorted(counts)
    columns = pq.read_table(path, columns=["pos"]).column("pos")
    least, most = pc.min_max(columns).values()
    path_bounds = [to_bytes(StringType(), name) for name in (names[0], names[-1])]
    made = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows,
        file_size_in_bytes=path.stat().st_size,
        column_sizes={},
        value_counts={PATH_ID: rows, POS_ID: rows},
        null_value_counts={PATH_ID: 0, POS_ID: 0},
        nan_value_counts={},
        lower_bounds={PATH_ID: path_bounds[0], POS_ID: to_bytes(LongType(), least.as_py())},
        upper_bounds={PATH_ID: path_bounds[1], POS_ID: to_bytes(LongType(), most.as_py())},
        split_offsets=None,
        equality_ids=None,
        key_metadata=None,
        sort_order_id=None,
    )
    made.spec_id = metadata.default_spec_id
    return made


def deleted_in(parquet: pq.ParquetFile) -> Mapping[str, int]:
    """How many positions of each data file a delete file names."""
    found = Counter[str]()
    with parquet:
        for batch in parquet.iter_batches(_LOCATIONS_READ, columns=["file_path"]):
            for entry in pc.value_counts(batch.column(0)):
                found[str(entry["values"].as_py())] += int(entry["counts"].as_py())
    return found


class _DeletesWriter(ManifestWriterV2):
    """Writes a manifest of delete files."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _AsItIs(Transaction):
    """A transaction that holds no change yet, and so need not copy the metadata whenever it is asked for them.

    With the snapshots of three years that would be a second or two of every commit.
    """

    @property
    def table_metadata(self) -> TableMetadata:
        return self._table.metadata


class _Producer(_SnapshotProducer["_Producer"]):
    """A snapshot that adds and removes data files and delete files as it is told, on top of the current one."""

    def __init__(self, new: NewSnapshot, operation: Operation) -> None:
        properties = {**new.properties, **({UPKEEP: new.upkeep} if new.upkeep else {})}
        super().__init__(operation, _AsItIs(new.table), new.table.io, snapshot_properties=properties)
        self._new = new
        # What the summary counts.
        self._added_data_files = [*new.added, *new.deletes]
        self._deleted_data_files = set(new.removed)

    @property
    def written(self) -> list[str]:
        """The manifests and the list that were begun."""
        return [*self._written_manifests, *self._written_manifest_lists]

    def _existing_manifests(self) -> list[ManifestFile]:
        return []

    def _deleted_entries(self) -> list[ManifestEntry]:
        return []

    def _manifests(self) -> list[ManifestFile]:
        fresh = []
        for files, content in ((self._new.added, ManifestContent.DATA), (self._new.deletes, ManifestContent.DELETES)):
            if files:
                entries = [self._entry(ManifestEntryStatus.ADDED, file) for file in files]
                # Without a sequence number of its own an entry has the snapshot's, whatever that becomes.
                fresh.append(self._write(entries, content, self._transaction.table_metadata.spec()))
        return fresh + self._merged(self._kept())

    def _kept(self) -> list[ManifestFile]:
        """The manifests of the parent snapshot, without the files that go."""
        if self._parent_snapshot_id is None:
            parent = None
        else:
            parent = self._transaction.table_metadata.snapshot_by_id(self._parent_snapshot_id)
        removed = {file.file_path for file in self._new.removed}
        kept = []
        for manifest in parent.manifests(self._io) if parent else []:
            if not (manifest.has_added_files() or manifest.has_existing_files()):
                continue
            entries = self.fetch_manifest_entry(manifest) if removed else []
            gone = {e.data_file.file_path for e in entries} & removed
            if not gone:
                kept.append(manifest)
                continue
            removed -= gone
            again = [
                self._entry(
                    ManifestEntryStatus.DELETED if e.data_file.file_path in gone else ManifestEntryStatus.EXISTING,
                    e.data_file,
                    e,
                )
                for e in entries
            ]
            kept.append(self._write(again, manifest.content, self.spec(manifest.partition_spec_id)))
        if removed:
            msg = f"{len(removed)} files to remove are not in the current snapshot"
            raise ValidationException(msg)
        return kept

    def _merged(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        small = [
            m
            for m in manifests
            if m.content == ManifestContent.DATA
            and m.partition_spec_id == self._transaction.table_metadata.default_spec_id
            and (m.added_files_count or 0) + (m.existing_files_count or 0) < _SMALL_ENTRIES
            # One that was just rewritten tells which files went; it is for the next commit to merge.
            and m.added_snapshot_id != self._snapshot_id
        ]
        if len(small) <= MAX_MANIFESTS:
            return manifests
        entries = [
            self._entry(ManifestEntryStatus.EXISTING, e.data_file, e)
            for m in small
            for e in self.fetch_manifest_entry(m)
        ]
        one = self._write(entries, ManifestContent.DATA, self._transaction.table_metadata.spec())
        return [one, *(m for m in manifests if m not in small)]

    def _entry(self, status: ManifestEntryStatus, file: DataFile, was: ManifestEntry | None = None) -> ManifestEntry:
        ours = was is None or status == ManifestEntryStatus.DELETED
        return ManifestEntry.from_args(
            status=status,
            snapshot_id=self._snapshot_id if ours or was is None else was.snapshot_id,
            sequence_number=None if was is None else was.sequence_number,
            file_sequence_number=None if was is None else was.file_sequence_number,
            data_file=file,
        )

    def _write(self, entries: Sequence[ManifestEntry], content: ManifestContent, spec: PartitionSpec) -> ManifestFile:
        writer: ManifestWriter
        if content == ManifestContent.DELETES:
            writer = _DeletesWriter(
                spec, self.schema(), self.new_manifest_output(), self._snapshot_id, self._compression
            )
        else:
            writer = self.new_manifest_writer(spec)
        with writer:
            for entry in entries:
                writer.add_entry(entry)
        return writer.to_manifest_file()

    def _summary(self, snapshot_properties: dict[str, str] | None = None) -> Summary:
        if self._operation is not Operation.REPLACE:
            return super()._summary(snapshot_properties or {})
        # pyiceberg counts for other operations only; the counting is the same.
        self._operation = Operation.OVERWRITE
        counted = super()._summary(snapshot_properties or {})
        self._operation = Operation.REPLACE
        return Summary(Operation.REPLACE, **counted.additional_properties)


@dataclass(slots=True)
class NewSnapshot:
    """A snapshot to be: files to add and remove, entries of its summary. *upkeep* says that no row changes, and why."""

    table: Table
    added: tuple[DataFile, ...]
    deletes: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    properties: Mapping[str, str]
    upkeep: str = ""
    _producer: _Producer | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(
        cls,
        table: Table,
        *,
        added: Sequence[DataFile] = (),
        deletes: Sequence[DataFile] = (),
        removed: Sequence[DataFile] = (),
        properties: Mapping[str, str],
        upkeep: str = "",
    ) -> Self:
        """As the constructor."""
        return cls(table, tuple(added), tuple(deletes), tuple(removed), properties, upkeep)

    @property
    def operation(self) -> Operation:
        """What it does in the words of the spec ("Snapshots", operation)."""
        if self.upkeep:
            return Operation.REPLACE
        if self.removed:
            return Operation.OVERWRITE
        if self.deletes:
            return Operation.OVERWRITE if self.added else Operation.DELETE
        return Operation.APPEND

    @property
    def snapshot_id(self) -> int:
        """Its id, once written."""
        return self._producer.snapshot_id if self._producer else 0

    @property
    def written(self) -> list[str]:
        """The locations of the lists that `write` has begun to write."""
        return self._producer.written if self._producer else []

    def write(self) -> tuple[tuple[TableUpdate, ...], tuple[TableRequirement, ...]]:
        """Write the manifests and their list; return what the table's metadata must take over, and on which condition.

        Raises:
            ValidationException: a file to remove is not in the current snapshot.
        """
        self._producer = _Producer(self, self.operation)
        updates, requirements = self._producer._commit()  # noqa: SLF001 - what its transaction would call
        return updates, requirements
