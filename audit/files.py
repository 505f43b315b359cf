"""Durable writes and locks: the few file operations on which the log's promises rest.

What is written, and in which order, is left to the callers.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .errors import LogLockedError, storage_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_TIMEOUT_S = 30.0
_PAUSES_S: Final = (0.0001, 0.0002, 0.0002, 0.0002, 0.0)
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
        with ThreadPoolExecutor(min(_SYNC_THREADS, len(pairs))) as pool:
            list(pool.map(lambda pair: _write_temporary(*pair), pairs))
            # Every content is durable before any gets its name: a name never stands for a half-written file.
            for temporary, path, _ in pairs:
                temporary.replace(path)
            list(pool.map(sync_folder, folders))
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
    _lock(fd, path, timeout_s)
    try:
        yield
    finally:
        _unlock(fd)


def _unlock(fd: int) -> None:
    # Unlocked by word, not by closing alone: a child forked meanwhile holds a copy of the descriptor.
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path, timeout_s: float) -> None:
    """Lock *fd*, or close it and raise LogLockedError."""
    try:
        obtained = _soon(fd)
    except BaseException:
        os.close(fd)
        raise
    if obtained:
        return
    # The kernel wakes whoever sleeps in flock the moment the lock is free. Asking again and again instead would let a
    # busy holder take it back each time, before the next question.
    waiter = _Waiter(fd)
    waiter.start()
    try:
        waiter.join(timeout_s)
    finally:
        locked_in_time = waiter.settle()
    if not locked_in_time:
        raise LogLockedError(where=str(path), timeout_s=timeout_s)


def _soon(fd: int) -> bool:
    """Whether *fd* is locked, at once or within a millisecond: a holder mostly syncs, and a thread costs more."""
    for pause_s in _PAUSES_S:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_s)
        else:
            return True
    return False


class _Waiter(threading.Thread):
    """Sleeps in flock, which knows no timeout; given up, it lets go of the lock when it comes."""

    def __init__(self, fd: int) -> None:
        super().__init__(daemon=True)
        self._fd = fd
        self._mutex = threading.Lock()
        self._locked = self._given_up = False

    def run(self) -> None:
        """Wait for the lock."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        with self._mutex:
            self._locked = True
            if self._given_up:
                _unlock(self._fd)

    def settle(self) -> bool:
        """Whether the lock was obtained; if not, it is given up for good."""
        with self._mutex:
            self._given_up = not self._locked
            return self._locked
