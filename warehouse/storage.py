"""Where a warehouse's files lie for good; this module has the promises, and keeps them below a folder.

What the files are is for `warehouse.table` and its neighbours; an object store as the place is `warehouse.bucket`.
Look-up indexes, staging and scratch are no part of it; they stay on the machine that works.

A file of the storage has a *name*, relative and with ``/`` (``data/city/r_1/data/…``), the same in every storage, and
a *location*, the URI under which Iceberg metadata names it (``file:///…``, ``s3://bucket/prefix/…``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self
from urllib.parse import urlparse

from warehouse import sql
from warehouse.errors import StorageDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the storage. *modified* is when it came to lie there (UTC), whatever the age of its content."""

    location: str
    size_bytes: int
    modified: datetime


class Storage(Protocol):
    """What the warehouse asks of a place for files. Any number of threads and processes may use one.

    A file is written locally at its `desk` and becomes part of the storage by `publish`. After `publish` returns it
    is whole under its location and survives a power cut; before, whatever happens, nobody sees a part of it under
    that location. Nothing is ever written again under a location.
    """

    def on(self, desk: Path) -> Self:
        """This storage, with files written below the local folder *desk* first, where it needs such a folder."""
        ...

    def location(self, name: str) -> str:
        """The location of the file or folder called *name*."""
        ...

    def name(self, location: str) -> str:
        """Inverse of `location`."""
        ...

    def known(self, location: str) -> str:
        """*location* in this storage's own spelling; Spark writes ``file:/…`` or ``s3a://…`` for the same file."""
        ...

    def desk(self, name: str) -> Path:
        """The local path at which the file or folder called *name* is to be written."""
        ...

    def publish(self, local: Path, location: str) -> None:
        """Make the file *local*, which need not lie at its desk, durable under *location*.

        A file at its desk may be gone from there afterwards.

        Raises:
            StorageUnavailableError: the store did not take it, or not in time; call again.
            StorageDamagedError: what arrived is not what was sent.
        """
        ...

    def settle(self, location: str, size_bytes: int | None = None) -> None:
        """Make sure that a file that was written to *location* directly is durable, and of this size where given.

        Raises:
            StorageUnavailableError, StorageDamagedError
        """
        ...

    def stat(self, location: str) -> Stored | None:
        """The file under *location*, None if there is none. Raises: StorageUnavailableError."""
        ...

    def open_read(self, location: str) -> BinaryIO:
        """The content of a file, to read and to seek in.

        Raises:
            FileNotFoundError: there is none.
            StorageUnavailableError
        """
        ...

    def delete(self, locations: Sequence[str]) -> None:
        """Delete files; those that are not there are no fault. Raises: StorageUnavailableError."""
        ...

    def list(self, name: str) -> Iterator[Stored]:
        """Every file below the folder called *name*, in no particular order. Raises: StorageUnavailableError."""
        ...

    def source(self, location: str) -> str:
        """What DuckDB's ``read_parquet`` takes for *location*, and answers as ``filename``."""
        ...

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make a session able to read the storage's sources."""
        ...

    def properties(self) -> dict[str, str]:
        """What pyiceberg's own files need to know. It may hold secrets: not for logs."""
        ...


class Folder:
    """Files below *root* on a disk; machines may share it if it keeps POSIX's promises on rename and sync."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def __repr__(self) -> str:
        return f"Folder({str(self.root)!r})"

    def on(self, desk: Path) -> Self:  # noqa: D102 - see Storage
        del desk
        return self

    def location(self, name: str) -> str:  # noqa: D102 - see Storage
        # pyiceberg opens the path of a location as it stands, so locations are written without percent-encoding.
        return f"file://{self.root / name}"

    def name(self, location: str) -> str:  # noqa: D102 - see Storage
        return self._path(location).relative_to(self.root).as_posix()

    def known(self, location: str) -> str:  # noqa: D102 - see Storage
        return f"file://{self._path(location)}"

    def desk(self, name: str) -> Path:  # noqa: D102 - see Storage
        # In place: nothing names the file before the pointer does, so nobody reads it while it grows.
        return self.root / name

    def publish(self, local: Path, location: str) -> None:  # noqa: D102 - see Storage
        path = self._path(location)
        if local.absolute() != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".tmp")
            part.unlink(missing_ok=True)
            try:
                # A file that nobody writes again can be in two places for the price of one.
                os.link(local, part)
            except OSError:
                shutil.copyfile(local, part)
            part.replace(path)
        sql.sync_file(path)
        sql.sync_folder(path.parent)

    def settle(self, location: str, size_bytes: int | None = None) -> None:  # noqa: D102 - see Storage
        path = self._path(location)
        sql.sync_file(path)
        sql.sync_folder(path.parent)
        found = path.stat().st_size
        if size_bytes is not None and found != size_bytes:
            raise StorageDamagedError(location=location, detail=f"{found} bytes, {size_bytes} were written")

    def stat(self, location: str) -> Stored | None:  # noqa: D102 - see Storage
        try:
            state = self._path(location).stat()
        except FileNotFoundError:
            return None
        # The change of the inode and not of the content: a linked file is as old as its place here.
        moved = datetime.fromtimestamp(max(state.st_ctime, state.st_mtime), UTC)
        return Stored(location, state.st_size, moved)

    def open_read(self, location: str) -> BinaryIO:  # noqa: D102 - see Storage
        return self._path(location).open("rb")

    def delete(self, locations: Sequence[str]) -> None:  # noqa: D102 - see Storage
        for location in locations:
            path = self._path(location)
            path.unlink(missing_ok=True)
            # Below `data` a folder is made for the files of one attempt; the last of them to go takes it along.
            if path.parent.parent.name == "data":
                with contextlib.suppress(OSError):
                    path.parent.rmdir()

    def list(self, name: str) -> Iterator[Stored]:  # noqa: D102 - see Storage
        for path in (self.root / name).rglob("*"):
            found = self.stat(f"file://{path}") if path.is_file() else None
            if found is not None:
                yield found

    def source(self, location: str) -> str:  # noqa: D102 - see Storage
        return str(self._path(location))

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:  # noqa: D102 - see Storage
        del con  # It reads local files as it is.

    def properties(self) -> dict[str, str]:  # noqa: D102 - see Storage
        return {}

    @staticmethod
    def _path(location: str) -> Path:
        return Path(urlparse(location).path) if location.startswith("file:") else Path(location)


def relative(storage: Storage, local: Path) -> str:
    """The name of the file that was written at its desk *local*."""
    return local.absolute().relative_to(storage.desk("").absolute()).as_posix()
