"""Write what a connector read as one deterministic Parquet file: whole, fsynced and in place, or not there at all.

Leaves reading to the connectors; knows nothing of sources.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.errors import LandingFailedError
from connectors.masking import Masks
from connectors.protocol import LINE_COLUMN, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from connectors.cursor import Tracker
    from connectors.protocol import ReadRequest

# DuckDB's own row-group size: the warehouse then scans the file with all cores. The cut is by row count alone, so that
# the bytes do not depend on how the source happened to deliver.
ROWS_PER_GROUP = 122_880
# Held rows are written early once they weigh this much; still a function of the content and the connector's batching.
# Up to three groups are in memory at once: one that grows, one that waits, and one that is being written.
GROUP_BYTES = 64 * 1024 * 1024
# Measured with 620,573 rows of six columns: level 3 and above are slower and no smaller. Ordinals as differences take
# a tenth of the time and a hundredth of the room that a dictionary of them takes.
ZSTD_LEVEL = 1
LINE_ENCODING = "DELTA_BINARY_PACKED"
# Given up early: a dictionary of identifiers and names, begun and dropped at Arrow's 1 MiB, takes a third of the time
# of writing, and leaves more to compress.
DICTIONARY_BYTES = 128 * 1024
BUFFER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Landed:
    """The digest (hex) and row count of the file now at its place."""

    sha256: str
    rows: int


class _Sink:
    """A file for Arrow to write to that hashes as it goes and, once broken, swallows the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.failure: OSError | None = None
        self.closed = False

    def write(self, data: bytes) -> int:
        size = memoryview(data).nbytes
        if self.failure is None:
            try:
                self._file.write(data)
            except OSError as failure:
                self.failure = failure
                raise
            self._digest.update(data)
        return size

    def flush(self) -> None:
        """Arrow flushes freely; `Landing.finish` does it once, with fsync."""

    def close(self) -> None:
        self.closed = True

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class Landing:
    """One file in the making; use as a context manager and call `finish` last.

    Leaving without `finish` (any error) removes the temporary file. A kill leaves it behind, named
    ``.NAME.*.landing``; it holds an flock while its writer lives, and the next landing to the same name removes those
    that nobody holds.
    """

    def __init__(self, into: Path, columns: tuple[str, ...]) -> None:
        self._into = into
        self._schema = pa.schema(
            [pa.field(LINE_COLUMN, pa.int64()), *(pa.field(name, pa.string()) for name in columns)]
        )
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._held_bytes = 0
        self._background = ThreadPoolExecutor(1, thread_name_prefix="landing")
        self._writing: Future[None] | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        folder = self._into.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._sweep(folder)
            handle, name = tempfile.mkstemp(prefix=f".{self._into.name}.", suffix=".landing", dir=folder)
        except OSError as failure:
            raise self._failed(failure) from None
        self._temporary = folder / os.path.basename(name)  # noqa: PTH119  # mkstemp answers text
        self._file = os.fdopen(handle, "wb")
        self._sink = _Sink(self._file)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            # Buffered: a page each time would have Arrow wait for Python, which is busy decoding, hundreds of times.
            self._stream = pa.BufferedOutputStream(pa.PythonFile(self._sink, mode="w"), BUFFER_BYTES)
            self._writer = pq.ParquetWriter(
                self._stream,
                self._schema,
                compression="zstd",
                compression_level=ZSTD_LEVEL,
                use_dictionary=self._schema.names[1:],
                dictionary_pagesize_limit=DICTIONARY_BYTES,
                column_encoding={LINE_COLUMN: LINE_ENCODING},
                store_schema=False,
            )
        except OSError as failure:
            self._discard()
            raise self._failed(self._sink.failure or failure) from None
        return self

    def _sweep(self, folder: Path) -> None:
        """Remove what killed landings to the same name left behind."""
        for stale in folder.glob(f".{glob.escape(self._into.name)}.*.landing"):
            with suppress(OSError), stale.open("rb") as file:
                # BlockingIOError (an OSError): its writer lives, let it be.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stale.unlink()

    def add(self, table: pa.Table) -> None:
        """Add rows in order; *table* has the landed schema."""
        self._held.append(table)
        self._held_rows += table.num_rows
        self._held_bytes += table.nbytes
        while self._held_rows >= ROWS_PER_GROUP:
            whole = pa.concat_tables(self._held)
            self._write(whole.slice(0, ROWS_PER_GROUP))
            rest = whole.slice(ROWS_PER_GROUP)
            self._held, self._held_rows, self._held_bytes = [rest], rest.num_rows, rest.nbytes
        if self._held_bytes >= GROUP_BYTES:
            self._write_held()

    def _write_held(self) -> None:
        if self._held_rows:
            self._write(pa.concat_tables(self._held))
        self._held, self._held_rows, self._held_bytes = [], 0, 0

    def _write(self, table: pa.Table) -> None:
        """Write *table* in the background; Arrow encodes and compresses beside whoever reads the source."""
        self._wait()
        self.rows += table.num_rows
        self._writing = self._background.submit(self._writer.write_table, table, row_group_size=ROWS_PER_GROUP)

    def _wait(self) -> None:
        """Wait until nothing is being written; tell what went wrong with it."""
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                writing.result()
        except OSError as failure:
            raise self._failed(self._sink.failure or failure) from None

    def finish(self) -> Landed:
        """Make the file durable and put it in its place.

        A crash before the rename leaves what stood at the name before; after it, the whole new file.
        """
        self._write_held()
        self._wait()
        try:
            self._writer.close()
            self._stream.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.rename(self._into)
            # Without this the rename itself could be lost with the power, and the caller told of a file not there.
            directory = os.open(self._into.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as failure:
            raise self._failed(self._sink.failure or failure) from None
        return Landed(self._sink.hexdigest(), self.rows)

    def __exit__(self, *_: object) -> None:
        # After finish() the temporary name is gone and all of this is without effect.
        if self._sink.failure is None:
            self._sink.failure = OSError(errno.ECANCELED, "landing given up")
        self._background.shutdown()
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._stream.close()
        self._discard()

    def _discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _failed(self, failure: OSError) -> LandingFailedError:
        if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
            return LandingFailedError(problem="disk_full", where=str(self._into))
        detail = os.strerror(failure.errno) if failure.errno else type(failure).__name__
        return LandingFailedError(problem="cannot_write", where=str(self._into), detail=detail)


def land(request: ReadRequest, tables: Iterable[pa.Table], into: Path, tracker: Tracker) -> Landed:
    """Number the rows of *tables* (the requested columns as text, in order), keep those of the range, write them.

    Columns that are to be masked are, before anything of them is written; the range and the cursor are judged by the
    values as the source holds them.

    Raises:
        LandingFailedError: the disk is full or the folder cannot be written.
        ConnectorError: whatever *tables* raises while being read; nothing stands at *into* then.
    """
    columns = tuple(column.name for column in request.columns)
    masks = Masks(request.columns)
    with Landing(into, columns) as landing:
        ordinal = 0
        for table in tables:
            lines = pa.array(np.arange(ordinal + 1, ordinal + 1 + table.num_rows, dtype=np.int64))
            ordinal += table.num_rows
            taken = tracker.take(table.add_column(0, LINE_COLUMN, lines))
            landing.add(masks.table(taken) if masks else taken)
            if request.progress is not None:
                request.progress(Progress(ordinal))
        return landing.finish()
