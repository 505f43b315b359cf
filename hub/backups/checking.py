"""Compares a backup with what it says of itself, file by file, and checks the log in it from its entries.

A backup that was changed together with its summary shows only by the summary's digest, which the log of the hub keeps.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audit.errors import AuditError
from audit.fsck import check_log
from audit.keys import MlDsaVerifierKey
from audit.notes import VerifierKey
from hub.backups import databases
from hub.backups.copying import digest_of, walk
from hub.backups.errors import BackupUnknownError
from hub.backups.manifest import CONTENT, FILES, NAME, Summary, listed, read_summary
from hub.evidence import LOG_KEY_FILE, SECOND_KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Past this many somebody takes another backup rather than reads on.
MAX_FAULTS: Final = 100
# code: (English, Chinese).
FAULTS: Final[dict[str, tuple[str, str]]] = {
    "summary": ("the summary is not as it was written", "备份说明已被改动"),
    "digest": ("this is another backup than the one whose digest you gave", "与给定摘要的备份不是同一份"),
    "list": ("the list of files was changed", "文件清单已被改动"),
    "altered": ("the file was changed", "文件已被改动"),
    "missing": ("the file is missing", "文件缺失"),
    "extra": ("the file is none of the backup", "文件不属于该备份"),
    "unreadable": ("the file cannot be read", "文件无法读取"),
    "control": ("the pages of the database do not fit together", "数据库页面不一致"),
    "log": ("the log does not hold", "日志校验不通过"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: *where* is a file of the backup; *more* what the log's own check says, in both languages."""

    code: str
    where: str
    more: tuple[str, str] = ("", "")

    def text(self, lang: str) -> str:
        """``where: sentence`` in *lang*."""
        more = self.more[lang == "zh"]
        return f"{self.where}: {FAULTS[self.code][lang == 'zh']}" + (f" ({more})" if more else "")


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found; no faults means all is well. *summary* is None where it cannot be read."""

    summary: Summary | None
    faults: tuple[Fault, ...]
    files: int = 0


def find(folder: Path, name: str) -> Path:
    """The backup called *name* in *folder*.

    Raises:
        BackupUnknownError: there is none that is whole.
    """
    if not NAME.fullmatch(name) or not (folder / name).is_dir():
        raise BackupUnknownError(name=name[:80], folder=folder)
    return folder / name


def check(backup: Path, *, digest: str = "") -> Report:
    """Check every file of *backup*, and, with *digest*, that it is the backup whose digest that is.

    Never raises for what is in the files. Memory grows with the number of faults alone, unless files are too many.
    """
    try:
        summary = read_summary(backup)
    except (OSError, ValueError):
        return Report(None, (Fault("summary", "backup.json"),))
    faults: list[Fault] = []
    if digest and not hmac.compare_digest(summary.digest, digest.strip().lower()):
        faults.append(Fault("digest", "backup.json"))
    files = 0
    for fault in _files(backup, summary):
        if fault is None:
            files += 1
        elif len(faults) < MAX_FAULTS:
            faults.append(fault)
    if not faults:
        # Of files that were changed this would only say so again.
        faults += _content(backup / CONTENT, summary)
    return Report(summary, tuple(faults), files)


def _files(backup: Path, summary: Summary) -> Iterator[Fault | None]:
    """A fault, or None, for each file that is listed; then for those that are not."""
    if _list_digest(backup) != summary.files:
        yield Fault("list", FILES)
        return
    count = 0
    for name, expected in listed(backup):
        count += 1
        try:
            found = digest_of(backup / name)[1]
        except FileNotFoundError:
            yield Fault("missing", name)
        except OSError:
            yield Fault("unreadable", name)
        else:
            yield None if found == expected else Fault("altered", name)
    if count != sum(1 for _ in walk(backup / CONTENT)):
        known = {name for name, _ in listed(backup)}
        yield from (
            Fault("extra", f"{CONTENT}/{name}")
            for name, _ in walk(backup / CONTENT)
            if f"{CONTENT}/{name}" not in known
        )


def _list_digest(backup: Path) -> str:
    try:
        return digest_of(backup / FILES)[1]
    except OSError:
        return ""


def _content(content: Path, summary: Summary) -> Iterator[Fault]:
    if summary.database == databases.SQLITE:
        path = content / databases.FILES[databases.SQLITE]
        try:
            sound = databases.check_sqlite(path)
        except sqlite3.Error:
            sound = False
        if not sound:
            yield Fault("control", f"{CONTENT}/{path.name}")
    yield from check_copied_log(content, CONTENT)


def check_copied_log(home: Path, where: str) -> Iterator[Fault]:
    """Check the log below *home* from its entries, by the keys that are public beside it."""
    try:
        keys: list[VerifierKey | MlDsaVerifierKey] = [
            VerifierKey.from_text((home / "public" / LOG_KEY_FILE).read_text().strip())
        ]
        if (home / "public" / SECOND_KEY_FILE).exists():
            keys.append(MlDsaVerifierKey.from_text((home / "public" / SECOND_KEY_FILE).read_text()))
    except (OSError, AuditError, ValueError):
        yield Fault("unreadable", f"{where}/public/{LOG_KEY_FILE}")
        return
    for fault in check_log(home / "log", keys).faults:
        yield Fault("log", f"{where}/log", (fault.text("en"), fault.text("zh")))
