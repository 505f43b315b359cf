"""Which files a table's metadata names, and which versions of the metadata may still come to count.

What is done about the others is `warehouse.maintain`, what is said about them `warehouse.fsck`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.exceptions import ValidationError
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.serializers import FromInputFile

from warehouse.history import info_of, lineage_of
from warehouse.table import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

    from warehouse.storage import Storage, Stored

_METADATA = re.compile(r"/metadata/(\d+)-[^/]+\.metadata\.json$")


@dataclass(slots=True)
class Manifests:
    """Reads each manifest once, however many snapshots have it."""

    io: FileIO
    _read: dict[str, tuple[tuple[DataFile, bool], ...]] = field(default_factory=dict)

    def entries(self, manifest: ManifestFile) -> tuple[tuple[DataFile, bool], ...]:
        """The files of a manifest, each with whether it is still of the snapshot (and not one that went)."""
        if manifest.manifest_path not in self._read:
            found = manifest.fetch_manifest_entry(self.io, discard_deleted=False)
            self._read[manifest.manifest_path] = tuple(
                (e.data_file, e.status != ManifestEntryStatus.DELETED) for e in found
            )
        return self._read[manifest.manifest_path]


def files_named(manifests: Manifests, snapshots: Iterable[Snapshot]) -> dict[str, int]:
    """Every file that these snapshots need, with its size in bytes (0 for a manifest list, which nothing tells)."""
    found: dict[str, int] = {}
    seen: set[str] = set()
    for snapshot in snapshots:
        found[snapshot.manifest_list] = 0
        for manifest in snapshot.manifests(manifests.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            found[manifest.manifest_path] = manifest.manifest_length
            for file, live in manifests.entries(manifest):
                if live:
                    found[file.file_path] = file.file_size_in_bytes
    return found


def quarantine_named(storage: Storage, metadata: TableMetadata) -> set[str]:
    """The locations of the quarantine files that the snapshots of *metadata* name."""
    infos = (info_of(s) for s in metadata.snapshots)
    return {storage.location(i.quarantine) for i in infos if i is not None and i.quarantine}


def folders(table: Table) -> tuple[str, ...]:
    """The names of the folders that hold a table's own files, and its rejected rows."""
    namespace, name = table.name()[-2:]
    own = f"data/{namespace}/{name}"
    return (own, f"quarantine/{name}") if namespace == NAMESPACE else (own,)


def version_of(location: str) -> int | None:
    """The number of a metadata file, None for other files."""
    found = _METADATA.search(location)
    return int(found[1]) if found else None


def may_land(table: Table, listed: Iterable[Stored]) -> Iterator[TableMetadata]:
    """The metadata versions that were written and not pointed to, but still might be.

    An attempt moves the pointer from the version it was built on, and from no other, and each move makes a version one
    higher. So a version that nobody points to can only come to count while the pointer stands one below it; once the
    table has moved on it is dead for good.
    """
    now = version_of(table.metadata_location)
    for one in listed:
        version = version_of(one.location)
        if version is None or now is None or version <= now:
            continue
        try:
            yield FromInputFile.table_metadata(table.io.new_input(one.location))
        except (json.JSONDecodeError, ValidationError, ValueError, FileNotFoundError):
            # Half a file: whoever was writing it had not come to the pointer.
            continue


def counted(storage: Storage, table: Table, listed: Iterable[Stored]) -> set[str]:
    """All locations that the table needs now, or would need if an attempt whose outcome is open had landed."""
    listed = list(listed)
    now = version_of(table.metadata_location) or 0
    # The metadata of an attempt that may land is kept with all that it names.
    found = {one.location for one in listed if (version_of(one.location) or 0) > now}
    found |= {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    manifests = Manifests(table.io)
    for one in (table.metadata, *may_land(table, listed)):
        found |= set(files_named(manifests, one.snapshots))
        found |= quarantine_named(storage, one)
    return {storage.known(location) for location in found}


def loads_of(metadata: TableMetadata) -> Iterator[Snapshot]:
    """The snapshots that hold loads, newest first."""
    return (s for s in lineage_of(metadata) if info_of(s) is not None)
