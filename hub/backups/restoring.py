"""Puts a backup into a home that is not there yet.

By number:

    1. the backup is checked, every file of it
    2. its files are copied beside the new home, under a name that nobody takes for a home
    3. the keys are opened, where they are in it and the passphrase is given
    4. the copied log is checked from its entries
    5. the folder becomes the home, in one rename

A crash before 5 leaves no home, and a folder that the next try removes. Putting a dump into PostgreSQL, and tables into
the warehouse, is told and not done.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.backups import databases, sealing
from hub.backups.checking import check, check_copied_log
from hub.backups.copying import copy_file, sync_tree, walk
from hub.backups.errors import BackupDamagedError, BackupRefusedError
from hub.backups.manifest import CONTENT, KEYS, SEALED, Summary
from hub.files import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

UNFINISHED: Final = ".restoring"


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was put back; *left* says what is still to do, as (English, Chinese)."""

    home: Path
    summary: Summary
    left: tuple[tuple[str, str], ...]


def restore(backup: Path, home: Path, *, passphrase: bytes | None = None, digest: str = "") -> Restored:
    """Put *backup* into *home*, which must not hold anything; *passphrase* opens its keys, *digest* names it.

    Raises:
        BackupRefusedError: *home* holds something; or the keys do not open.
        BackupDamagedError: the backup is not what was made, or its log does not hold.
        OSError: it cannot be written; there is no home then.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise BackupRefusedError(
            why=f"`{home}` holds something. A backup is restored into a new home, never over one that has worked.",
            why_zh=f"`{home}` 非空。备份只能恢复到新目录，不得覆盖使用过的目录。",
        )
    report = check(backup, digest=digest)  # Step 1.
    if report.faults or report.summary is None:
        raise BackupDamagedError(name=backup.name, count=len(report.faults))
    begun = home.with_name(f"{UNFINISHED}-{home.name}")
    shutil.rmtree(begun, ignore_errors=True)
    try:
        _fill(backup / CONTENT, begun)  # Step 2.
        if passphrase is not None and report.summary.keys == SEALED:
            sealing.open_folder(backup / CONTENT / KEYS, begun / "keys", passphrase)  # Step 3.
        _need_log(begun, backup.name)  # Step 4.
        sync_tree(begun)
        if home.exists():
            home.rmdir()
        begun.rename(home)  # Step 5.
    except BaseException:
        shutil.rmtree(begun, ignore_errors=True)
        raise
    sync_folder(home.parent)
    return Restored(home, report.summary, tuple(_left(report.summary, opened=passphrase is not None)))


def _fill(content: Path, begun: Path) -> None:
    begun.mkdir(mode=0o700, parents=True)
    for name, path in walk(content):
        if name != KEYS:
            copy_file(path, begun / name, name)


def _need_log(begun: Path, name: str) -> None:
    faults = tuple(check_copied_log(begun, begun.name))
    if faults:
        raise BackupDamagedError(name=name, count=len(faults))


def _left(summary: Summary, *, opened: bool) -> list[tuple[str, str]]:
    left = []
    if summary.database == databases.POSTGRESQL:
        command = databases.restore_command()
        left.append((f"Put the control tables into an empty database: {command}", f"将控制库导入空数据库：{command}"))
    if summary.keys != SEALED or not opened:
        left.append(("Put the folder keys/ back from where it is kept.", "请从其保存处恢复 keys/ 目录。"))
    left += [
        (
            "Put the warehouse back to its former path, or load the tables again.",
            "请将数据仓恢复到原路径，或重新归集各表。",
        ),
        (
            "Compare the log with the newest checkpoint that a witness holds, before calls are answered.",
            "应答调用前，请与见证方保存的最新检查点比对。",
        ),
    ]
    return left
