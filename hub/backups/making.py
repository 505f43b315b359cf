"""Makes a backup while the hub goes on working.

By number; what is copied later may hold more than what is copied earlier, and never less than it refers to:

    1. folder   one maker at a time; what a killed one left is removed; a folder whose name is none of a backup
    2. control  the control database, as of one instant
    3. log      after the database, so that every entry that a row names is there; writers wait for the last piece only
    4. bodies   after the log: a body is kept before its entry
    5. files    lists, licences, what is public, catalogue of kinds, systems, calendar: written before rows name them
    6. keys     sealed under a passphrase, or left out: last, since a key is made before anything is signed with it
    7. summary  the list of files with their SHA-256, and the summary that holds the list's
    8. name     the folder gets the name of a backup, in one rename

A crash up to 7 leaves a folder that no command takes for a backup, and that the next maker removes. Steps that are
taken between 2 and 3 are in the log and not in the tables, as after a crash in the midst of them (`hub.cases.Cases`).
The log then gets ``backup.made``: a backup is whole without that entry, by which a change of it is found out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audit import checkpoints
from audit.errors import LogLockedError
from audit.files import locked, write_all
from audit.log import Log
from hub.backups import databases, sealing
from hub.backups.copying import Copied, copy_file, copy_folder, digest_of
from hub.backups.errors import BackupRefusedError, BackupUnderWayError
from hub.backups.manifest import CONTENT, FILES, KEYS, LEFT_OUT, SEALED, SUMMARY, Part, Summary, line
from hub.errors import ControlUnavailableError, EvidenceUnavailableError, StorageFullHubError
from hub.files import sync_folder
from hub.published import current_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.actors import Actor
    from hub.office import Office
    from hub.settings import Settings

MADE: Final = "backup.made"
UNFINISHED: Final = ".making-"
LOCK: Final = ".lock"
FOLDERS: Final = ("lists", "licences", "public")
SINGLE: Final = ("kinds.yaml", "systems.yaml", "calendar.csv")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Made:
    """A whole backup at *path*; *log_index* is that of its entry."""

    path: Path
    summary: Summary
    log_index: int


def make(office: Office, folder: Path, *, by: Actor, passphrase: bytes | None) -> Made:
    """Make a backup in *folder*, which is created; without *passphrase* the keys are left out.

    Any number of processes may serve meanwhile. Memory does not grow with what is copied.

    Raises:
        BackupRefusedError: the passphrase is too short; or a file has a name that cannot be listed.
        BackupUnderWayError: somebody else makes one here.
        StorageFullHubError, EvidenceUnavailableError, ControlUnavailableError, DumpFailedError: none was made.
    """
    with _failing(), ExitStack() as stack:
        begun = _begin(folder, office, stack)  # Step 1.
        content = begun / CONTENT
        content.mkdir(mode=0o700)
        made = _copy(office.settings, content, passphrase)
        summary = _summarise(office, begun, made, SEALED if passphrase is not None else LEFT_OUT)  # Step 7.
        whole = folder / begun.name.removeprefix(UNFINISHED)
        begun.rename(whole)  # Step 8.
        sync_folder(folder)
    recorded = office.evidence.append(
        MADE,
        actor=str(by),
        facts={
            "backup": whole.name,
            "digest": summary.digest,
            "files": summary.count,
            "bytes": summary.size_bytes,
            "log_size": summary.log_size,
            "keys": summary.keys,
        },
    )
    return Made(whole, summary, recorded.index)


def _begin(folder: Path, office: Office, stack: ExitStack) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        stack.enter_context(locked(folder / LOCK, timeout_s=0.0))
    except LogLockedError as error:
        raise BackupUnderWayError(folder=folder) from error
    for left in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left)
    name = f"{office.now():%Y%m%dT%H%M%SZ}"
    if (folder / name).exists():
        raise BackupUnderWayError(folder=folder)
    begun = folder / f"{UNFINISHED}{name}"
    begun.mkdir(mode=0o700)
    # What does not end whole goes at once: it would hold the very space that may be missing.
    stack.callback(shutil.rmtree, begun, ignore_errors=True)
    return begun


def _copy(settings: Settings, content: Path, passphrase: bytes | None) -> dict[str, list[Copied]]:
    """Steps 2 to 6: what was copied, by part."""
    made = {"control": [databases.copy_control(settings.control_url, content)]}
    made["log"] = copy_folder(settings.log, content / "log", "log", still=lambda: _log_still(settings), wanted=_of_log)
    made["bodies"] = copy_folder(
        settings.bodies, content / "bodies", "bodies", still=lambda: _bodies_still(settings), wanted=_of_bodies
    )
    for name in FOLDERS:
        made[name] = copy_folder(settings.home / name, content / name, name, wanted=_whole)
    made["files"] = [
        copy_file(settings.home / name, content / name, name) for name in SINGLE if (settings.home / name).is_file()
    ]
    if passphrase is not None:
        sealing.seal_folder(settings.keys, content / KEYS, passphrase)
        made["keys"] = [Copied(KEYS, *digest_of(content / KEYS))]
    sync_folder(content)
    return made


def _summarise(office: Office, begun: Path, made: dict[str, list[Copied]], keys: str) -> Summary:
    digest = hashlib.sha256()
    with _written(begun / FILES) as fd:
        offset = 0
        for copied in (one for part in made.values() for one in part):
            try:
                data = line(copied)
            except ValueError as error:
                raise BackupRefusedError(
                    why=f"A file has a name that cannot be listed: {copied.path!r}. Rename it.",
                    why_zh=f"文件名无法列入清单：{copied.path!r}。请改名。",
                ) from error
            write_all(fd, data, offset)
            offset += len(data)
            digest.update(data)
    with Log.open(begun / CONTENT / "log") as log:
        size, published, origin = log.size, log.published_size, log.origin
    summary = Summary(
        made_at=office.now(),
        origin=origin,
        list_version=current_version(office.control) or "",
        log_size=size,
        log_published=published,
        database=databases.kind_of(office.settings.control_url),
        keys=keys,
        parts=tuple(Part(name, len(found), sum(one.size_bytes for one in found)) for name, found in made.items()),
        files=digest.hexdigest(),
    )
    with _written(begun / SUMMARY) as fd:
        write_all(fd, summary.encode(), 0)
    sync_folder(begun)
    return summary


@contextmanager
def _written(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _log_still(settings: Settings) -> Iterator[None]:
    """Nobody publishes, nobody appends: in the order in which the log itself takes its two locks."""
    with (
        locked(settings.log / f"{checkpoints.FILE}.lock"),
        locked(settings.log / "publish.lock"),
        locked(settings.log / "journal.lock"),
    ):
        yield


@contextmanager
def _bodies_still(settings: Settings) -> Iterator[None]:
    """Nobody puts, nobody erases."""
    if not settings.bodies.is_dir():
        yield
        return
    with locked(settings.bodies / "lock"):
        yield


def _whole(name: str) -> bool:
    return not name.endswith((".tmp", ".lock")) and name != "lock"


def _of_log(name: str) -> bool:
    return _whole(name) and not name.startswith(".")


def _of_bodies(name: str) -> bool:
    # Indexes are made again from the segments, and may be newer than those that were copied.
    return _whole(name) and not name.endswith(".index")


@contextmanager
def _failing() -> Iterator[None]:
    """Says of what went wrong what to do next."""
    try:
        yield
    except sqlite3.Error as error:
        raise ControlUnavailableError from error
    except LogLockedError as error:
        raise EvidenceUnavailableError from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullHubError from error
        raise BackupRefusedError(
            why=f"A file cannot be read or written: {error.filename} ({error.strerror}).",
            why_zh=f"文件无法读写：{error.filename}（{error.strerror}）。",
        ) from error
