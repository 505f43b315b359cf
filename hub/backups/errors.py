"""What can go wrong with backups, named by what the caller does next."""

from __future__ import annotations

from hub.errors import NotFoundError, SetupError, TryAgainError, WorkError


class BackupRefusedError(WorkError):
    """The order cannot be carried out as it stands; mend it."""

    code = "backup_refused"
    en = "{why}"
    zh = "{why_zh}"


class BackupUnknownError(NotFoundError):
    """There is no whole backup of this name."""

    code = "backup_unknown"
    en = "There is no whole backup `{name}` in `{folder}`. List them: `zhengtong backup list`."
    zh = "`{folder}` 中没有完整的备份 `{name}`。可查看：`zhengtong backup list`。"


class BackupUnderWayError(TryAgainError):
    """Another process makes a backup into the same folder."""

    code = "backup_under_way"
    en = "Another process is making a backup in `{folder}`. Wait until it has ended."
    zh = "另一进程正在向 `{folder}` 备份，请待其结束。"


class BackupDamagedError(SetupError):
    """The backup is not what was made; take another one. *faults* are told apart by `hub.backups.checking`."""

    code = "backup_damaged"
    en = "The backup `{name}` is damaged ({count} faults), nothing was restored. See `zhengtong backup check {name}`."
    zh = "备份 `{name}` 已损坏（{count} 处），未恢复任何内容。详见 `zhengtong backup check {name}`。"


class DumpFailedError(SetupError):
    """The database's own tool did not make a copy of the control tables."""

    code = "backup_dump_failed"
    en = "`{tool}` could not copy the control database ({why}). Nothing was kept. Run it by hand to see why."
    zh = "`{tool}` 未能导出控制库（{why}）。未保留任何内容。请手工运行以查明原因。"
