"""Writes whole files so that a reader, or a crash, meets the old content or the new and nothing between.

What is written, and when, is the use cases' affair.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write *data* at *path*, durable on return. A crash leaves the old file, or none, and at most a stray ``.tmp``."""
    temporary = _write_aside(path, data, mode)
    temporary.replace(path)
    sync_folder(path.parent)


def create_once(path: Path, make: Callable[[], bytes], *, mode: int = 0o644) -> bytes:
    """The content of *path*, which is written from *make* if it does not exist; of several creators the first wins."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        temporary = _write_aside(path, make(), mode)
    try:
        # A hard link fails when the name is taken, where a rename would replace the winner's file.
        os.link(temporary, path)
    except FileExistsError:
        pass  # Another process was first; its content is what holds.
    finally:
        temporary.unlink()
    sync_folder(path.parent)
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_aside(path: Path, data: bytes, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
