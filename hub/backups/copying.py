"""Copies files with their SHA-256, a piece at a time, and folders that others write to meanwhile.

Which folders, and which lock keeps a folder still, is `hub.backups.making`'s.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audit.files import write_all
from hub.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PIECE_BYTES: Final = 1024 * 1024
# A file written to this shortly before it was looked at may change again without its time saying so: file systems count
# in ticks of some milliseconds, and some in seconds.
_FRESH_NS: Final = 2_000_000_000
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Copied:
    """A file of a backup: *path* as the backup names it, with its size and its SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str


def copy_file(source: Path, target: Path, path: str) -> Copied:
    """Copy *source* to *target*, durable on return and readable by its owner alone; *path* is what it is called.

    Raises:
        OSError: some of it may be written.
    """
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as file:
        written = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        try:
            while piece := file.read(PIECE_BYTES):
                write_all(written, piece, size)
                digest.update(piece)
                size += len(piece)
            os.fsync(written)
        finally:
            os.close(written)
    return Copied(path, size, digest.hexdigest())


def copy_folder(
    source: Path,
    target: Path,
    path: str,
    *,
    still: Callable[[], AbstractContextManager[object]] = nullcontext,
    wanted: Callable[[str], bool] = lambda _: True,
) -> list[Copied]:
    """Copy the files below *source* whose names are *wanted*, as they are together at one instant.

    First they are copied while others go on writing; then, while *still* keeps the writers out, those that changed are
    copied again, new ones too, and what is gone goes. So writers wait for what changed meanwhile, not for the whole.
    """
    began_ns = time.time_ns()
    marks: dict[str, tuple[int, ...]] = {}
    made: dict[str, Copied] = {}
    for name, file, mark in _files(source, wanted):
        try:
            made[name] = copy_file(file, target / name, f"{path}/{name}")
            marks[name] = mark
        except FileNotFoundError:
            continue  # Removed since it was listed; if not, the second turn finds it.
    with still():
        there = set()
        for name, file, mark in _files(source, wanted):
            there.add(name)
            if marks.get(name) != mark or mark[1] > began_ns - _FRESH_NS:
                made[name] = copy_file(file, target / name, f"{path}/{name}")
    for name in set(made) - there:
        del made[name]
        (target / name).unlink()
    sync_tree(target)
    return [made[name] for name in sorted(made)]


def digest_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """The regular files below *folder* with their names from there, in order; links are none."""
    waiting = [("", folder)]
    while waiting:
        before, at = waiting.pop()
        try:
            entries = sorted(os.scandir(at), key=lambda one: one.name, reverse=True)
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{before}{entry.name}/", at / entry.name))
            elif entry.is_file(follow_symlinks=False):
                yield f"{before}{entry.name}", at / entry.name


def sync_tree(folder: Path) -> None:
    """Make the names in *folder*, and in every folder below it, durable."""
    for at, _, _ in os.walk(folder):
        sync_folder(folder / at)


def _files(folder: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path, tuple[int, ...]]]:
    """Each file with what tells a change of it: size, time, number on its disk."""
    for name, path in walk(folder):
        if not wanted(name.rpartition("/")[2]):
            continue
        try:
            found = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield name, path, (found.st_size, found.st_mtime_ns, found.st_ino)
