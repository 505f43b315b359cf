"""Durable writes and locks: the few file operations on which the log's promises rest.

What is written, and in which order, is left to the callers.
"""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import LogLockedError, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_TIMEOUT_S = 30.0
# Waiting for a lock begins with naps shorter than an fsync and grows to these.
_FIRST_NAP_S = 0.0002
_LONGEST_NAP_S = 0.005
# A file system commits concurrent fsyncs together; more than a few threads gain nothing.
_SYNC_THREADS = 8


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write the whole of *data* at *offset*; a short write (a full disk begins with one) goes on until it raises.

    Raises:
        OSError: some of it may be written.
    """
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable.

    Raises:
        OSError: they may not be.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Create *folder* and those above it, each durable in the one above.

    Raises:
        OSError: some may exist.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def replace_files(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write each file whole under its name, durably; a reader sees the old one or the new one, never a part.

    A crash, or an error, leaves any subset of the files replaced and perhaps a ``.NAME.tmp`` beside them, which
    the next call for that name overwrites. One writer per folder at a time.

    Raises:
        StorageFullError, StorageFailedError: some files may not have been replaced.
    """
    if not files:
        return
    where = str(files[0][0])
    folders = list(dict.fromkeys(path.parent for path, _ in files))
    try:
        for folder in folders:
            make_folder(folder)
        pairs = [(path.with_name(f".{path.name}.tmp"), path, data) for path, data in files]
        if len(pairs) == 1:
            _write_temporary(*pairs[0])
        else:
            with ThreadPoolExecutor(_SYNC_THREADS) as pool:
                for _ in pool.map(lambda p: _write_temporary(*p), pairs):
                    pass
        # Every content is durable before any gets its name: a name never stands for a half-written file.
        for temporary, path, _ in pairs:
            temporary.replace(path)
        for folder in folders:
            sync_folder(folder)
    except OSError as error:
        raise storage_error(error, error.filename or where) from error


def _write_temporary(temporary: Path, path: Path, data: bytes) -> None:
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(fd, data, 0)
        os.fsync(fd)
    except OSError as error:
        # The temporary file would hold the very space that is missing.
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the exclusive flock of *path* (created if missing), against other processes and other threads.

    The kernel drops it when the holder dies. Each call opens the file anew, so threads exclude each other too.

    Raises:
        LogLockedError: not obtained within *timeout_s*.
        StorageFullError, StorageFailedError: the lock file cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error(error, str(path)) from error
    try:
        _lock(fd, path, timeout_s)
        try:
            yield
        finally:
            # Unlocked by word, not by closing alone: a child forked meanwhile holds a copy of the descriptor.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    nap_s = _FIRST_NAP_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise LogLockedError(where=str(path), timeout_s=timeout_s) from error
            time.sleep(nap_s)
            nap_s = min(2 * nap_s, _LONGEST_NAP_S)
        else:
            return
