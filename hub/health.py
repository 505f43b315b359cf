"""How each component of a deployment stands: its light, since when, and what clears it.

For people and monitors alike, without a call being made and without anybody's data. Whether calls can be answered at
all is `hub.api.health`'s, numbers over time are `hub.api.metrics`'s; what went wrong with loads, their alerts tell.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from audit.entry import Entry
from audit.errors import AuditError
from hub import alerts
from hub.alertwords import ALERTS, Severity
from hub.backups.recent import standing as standing_of_backups
from hub.control import Load
from hub.errors import HubError
from hub.machine import clock_error_s, process_start, siblings
from hub.mergedelay import merge_delay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.alerts import Alert
    from hub.office import Office

GOOD, WARN, BAD, CALM = "good", "warn", "bad", "calm"
_WORST: Final = {GOOD: 0, CALM: 0, WARN: 1, BAD: 2}
LEAST_FREE: Final = 0.05
LOW_FREE: Final = 0.15
SLOW_DATABASE_S: Final = 0.5
# The kernel's own estimate; receipts and deadlines are by the second, signed requests are taken within minutes.
MOST_CLOCK_ERROR_S: Final = 1.0
# An entry of another process may be a little ahead.
MOST_AHEAD: Final = timedelta(seconds=5)
# Airflow's components say every few seconds that they live.
AIRFLOW_SILENT: Final = timedelta(minutes=2)
_SCHEDULER: Final = "SchedulerJob"
_JOBS: Final = (_SCHEDULER, "DagProcessorJob", "TriggererJob")
_START: Final = (
    "Start it with `zhengtong demo`. Where an Airflow of your own runs the DAGs, remove the folder `airflow`.",
    "请以 `zhengtong demo` 启动；由自有 Airflow 运行 DAG 的，请删除目录 `airflow`。",
)
PUBLISHER: Final = "log-publisher"
THREADS: Final = (PUBLISHER, "hooks", "batch-runner", "witnesses", "credentials-used", "journal")
# Which alerts tell of which component.
ALERTS_OF: Final = {
    "log": ("log_unpublished", "log_forked"),
    "witnesses": ("witness_silent",),
    "warehouse": ("warehouse_damaged", "commit_unknown", "storage_full"),
    "certificates": ("key_due", "crl_ends"),
    "loads": (
        "load_failed",
        "source_closed",
        "rows_rejected",
        "drift_waits",
        "late",
        "slow",
        "differs",
        "slot_lagging",
    ),
    "hooks": ("hook_paused",),
}
# code: (English, Chinese), in the order in which they are shown.
NAMES: Final[dict[str, tuple[str, str]]] = {
    "api": ("API", "接口服务"),
    "workers": ("Processes and threads", "工作进程与线程"),
    "database": ("Control database", "控制库"),
    "log": ("Log and its publisher", "日志与发布"),
    "witnesses": ("Witnesses", "见证方"),
    "warehouse": ("Warehouse", "数据仓"),
    "lookups": ("Look-up files", "查询索引文件"),
    "loads": ("Loads", "数据归集"),
    "airflow": ("Scheduler (Airflow)", "调度（Airflow）"),
    "disks": ("Disks", "磁盘空间"),
    "time": ("Time-keeping", "时间同步"),
    "certificates": ("Keys and certificates", "密钥与证书"),
    "hooks": ("Web hooks", "消息推送"),
    "backups": ("Backups", "备份"),
}


@dataclass(frozen=True, slots=True)
class Component:
    """A component: *tone* is ``good``, ``warn``, ``bad`` or ``calm`` (not there, which is nobody's fault).

    *says* and *clears* are (English, Chinese); *clears* is empty where nothing is to be cleared. *since* is None where
    that is not known.
    """

    code: str
    tone: str
    says: tuple[str, str]
    clears: tuple[str, str] = ("", "")
    since: datetime | None = None


def components(office: Office) -> tuple[Component, ...]:
    """Every component as it stands now. What cannot be looked at is bad, and stops no other."""
    looks: dict[str, Callable[[Office], Component]] = {
        "api": _api,
        "workers": _workers,
        "database": _database,
        "log": _log,
        "witnesses": _witnesses,
        "warehouse": _warehouse,
        "lookups": _lookups,
        "loads": _of_alerts("loads"),
        "airflow": _airflow,
        "disks": _disks,
        "time": _time,
        "certificates": _of_alerts("certificates"),
        "hooks": _of_alerts("hooks"),
        "backups": _backups,
    }
    found = []
    for code, look in looks.items():
        try:
            found.append(look(office))
        except (HubError, AuditError, OSError, sqlite3.Error) as error:
            says = (f"cannot be looked at ({type(error).__name__})", f"无法检查（{type(error).__name__}）")
            clears = ("See what the program reports.", "请查看程序输出的日志。")
            found.append(Component(code, BAD, says, clears))
    return tuple(found)


def worst(found: tuple[Component, ...]) -> str:
    """The gravest light of all."""
    return max((one.tone for one in found), key=_WORST.__getitem__, default=GOOD)


def _api(office: Office) -> Component:
    from hub.api.health import check_writable  # noqa: PLC0415 - only the server's extra has it

    check_writable(office.settings)
    version = office.list_.version
    says = (f"answers; list {version[:19]}", f"正常应答；清单 {version[:19]}")
    return Component("api", GOOD, says, since=process_start(os.getpid()))


def _workers(office: Office) -> Component:
    del office
    alive = [one.name for one in threading.enumerate()]
    names = [name for name in THREADS if any(one == name or one.startswith(f"{name}-") for one in alive)]
    workers = len(siblings())
    says = (f"processes: {workers}; threads here: {', '.join(names) or 'none'}",
            f"{workers} 个进程；本进程线程：{'、'.join(names) or '无'}")  # fmt: skip
    if PUBLISHER not in names:
        # A command line looks, which serves nobody.
        return Component("workers", CALM, says)
    return Component("workers", GOOD, says, since=process_start(os.getppid() if workers > 1 else os.getpid()))


def _database(office: Office) -> Component:
    began = time.monotonic()
    office.control.generation()
    took_s = time.monotonic() - began
    kind = office.control.engine.dialect.name
    says = (f"{kind}, answered in {took_s * 1000:.0f} ms", f"{kind}，{took_s * 1000:.0f} 毫秒应答")
    if took_s > SLOW_DATABASE_S:
        clears = ("Look for long transactions and a slow disk.", "请检查长事务与磁盘性能。")
        return Component("database", WARN, says, clears)
    return Component("database", GOOD, says)


def _log(office: Office) -> Component:
    delay = merge_delay(office.evidence.log, office.now())
    waiting = delay.size - delay.published
    says = (f"entries: {delay.size:,}; waiting for a checkpoint: {waiting:,} ({delay.waits_s:.0f} s)",
            f"{delay.size:,} 个条目，{waiting:,} 个待发布（{delay.waits_s:.0f} 秒）")  # fmt: skip
    if delay.broken:
        kind = ALERTS["log_unpublished"]
        since = office.now() - timedelta(seconds=delay.waits_s)
        return Component("log", BAD, says, (kind.do_en, kind.do_zh), since)
    return _unless_alerted("log", office, says)


def _witnesses(office: Office) -> Component:
    if office.settings.witnesses_file is None:
        return Component(
            "witnesses", CALM, ("none is set up (`ZHENGTONG_WITNESSES`)", "未配置（`ZHENGTONG_WITNESSES`）")
        )
    return _unless_alerted("witnesses", office, ("cosign the log", "正常联署"))


def _warehouse(office: Office) -> Component:
    settings = office.settings
    where = settings.storage or str(settings.warehouse.name)
    if not settings.storage and not settings.warehouse.is_dir():
        return Component("warehouse", CALM, ("nothing was loaded yet", "尚未归集数据"))
    return _unless_alerted("warehouse", office, (f"in `{where}`, no damage known", f"位于 `{where}`，未发现损坏"))


def _lookups(office: Office) -> Component:
    folder = office.settings.warehouse / "index"
    ready = sum(1 for one in folder.iterdir() if one.is_dir() and any(one.iterdir())) if folder.is_dir() else 0
    query = sa.select(sa.func.count(sa.distinct(Load.resource))).where(Load.snapshot.is_not(None))
    with office.control.reading() as connection:
        loaded = connection.execute(query).scalar_one()
    says = (
        f"resources that have them: {ready:,}; loaded: {loaded:,}",
        f"{ready:,} 个资源已建；{loaded:,} 个资源已归集",
    )
    if ready < loaded:
        clears = ("Run the loads of the missing ones again.", "请重新归集缺少索引的资源。")
        return Component("lookups", WARN, says, clears)
    return Component("lookups", GOOD if ready else CALM, says)


def _airflow(office: Office) -> Component:
    """The embedded Airflow, by the newest job of each kind: one that ended says so itself, one that died is silent."""
    path = office.settings.airflow / "airflow.db"
    if not path.is_file():
        return Component("airflow", CALM, ("is not run by this hub, or never was", "不由本平台运行，或从未启动"))
    query = (
        "SELECT job_type, state, start_date, coalesce(end_date, latest_heartbeat), latest_heartbeat FROM job "
        f"WHERE id IN (SELECT max(id) FROM job WHERE job_type IN {_JOBS} GROUP BY job_type) "
        "AND start_date IS NOT NULL AND latest_heartbeat IS NOT NULL ORDER BY job_type"
    )
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
        jobs = {kind: _Job(state, *map(_utc, times)) for kind, state, *times in connection.execute(query)}
    scheduler = jobs.get(_SCHEDULER)
    if scheduler is None:
        return Component("airflow", WARN, ("was set up and never started", "已配置，从未启动"), _START)
    if scheduler.state == "success":
        says = (
            "was stopped on purpose; nothing is loaded or reminded on schedule meanwhile",
            "已正常停止；停止期间不按计划归集和提醒",
        )
        return Component("airflow", WARN, says, _START, scheduler.ended)
    # What belongs to an earlier start says nothing of this one: a triggerer that is ended leaves its job as it was.
    own = {kind: one for kind, one in jobs.items() if one.beat >= scheduler.began}
    now = datetime.now(UTC)
    dead = {kind: one.beat for kind, one in own.items() if one.state != "running" or now - one.beat > AIRFLOW_SILENT}
    if dead:
        names = ", ".join(dead)
        says = (f"died without having been stopped: {names}", f"异常终止（非人为停止）：{names}")
        clears = (
            f"Read `airflow/logs` for why, then: {_START[0]}",
            f"请先查看 `airflow/logs` 中的原因，再处理：{_START[1]}",
        )
        return Component("airflow", BAD, says, clears, min(dead.values()))
    return Component(
        "airflow", GOOD, (f"lives: {', '.join(own)}", f"心跳正常：{'、'.join(own)}"), since=scheduler.began
    )


class _Job(NamedTuple):
    """A component of Airflow as it wrote itself down; *ended* is the last beat of what has not said that it did."""

    state: str
    began: datetime
    ended: datetime
    beat: datetime


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _disks(office: Office) -> Component:
    settings = office.settings
    folders = (settings.home, settings.log, settings.bodies, settings.warehouse, settings.backups)
    disks: dict[int, tuple[float, int, Path]] = {}
    for folder in folders:
        if folder.is_dir():
            found = os.statvfs(folder)
            part = found.f_bavail / max(1, found.f_blocks)
            disks.setdefault(folder.stat().st_dev, (part, found.f_bavail * found.f_frsize, folder))
    part, free, folder = min(disks.values())
    gb = free / 1024**3
    says = (f"disks: {len(disks)}; least free: {part:.0%}, {gb:.1f} GB (`{folder.name}`)",
            f"{len(disks)} 个磁盘；最少可用 {part:.0%}，{gb:.1f} GB（`{folder.name}`）")  # fmt: skip
    clears = ("Make room, or move the folder to a larger disk.", "请清理空间，或将目录迁移至更大的磁盘。")
    tone = BAD if part < LEAST_FREE else WARN if part < LOW_FREE else GOOD
    return Component("disks", tone, says, clears if tone != GOOD else ("", ""))


def _time(office: Office) -> Component:
    clears = ("Let the machine follow a time server (chrony), then look again.", "请启用时间同步（chrony），再行查看。")
    size = office.evidence.log.size
    if size:
        ahead = Entry.decode(office.evidence.log.entry(size - 1)).at - office.now()
        if ahead > MOST_AHEAD:
            seconds = int(ahead.total_seconds())
            says = (
                f"the newest entry of the log is {seconds} s ahead of this machine",
                f"最新日志条目比本机快 {seconds} 秒",
            )
            return Component("time", BAD, says, clears)
    error_s = clock_error_s()
    if error_s is None:
        says = ("no time server is followed, as the kernel says", "内核报告未与时间源同步")
        return Component("time", WARN, says, clears)
    says = (f"synchronised, off by {error_s * 1000:.0f} ms at most", f"已同步，最大误差 {error_s * 1000:.0f} 毫秒")
    return Component("time", GOOD if error_s < MOST_CLOCK_ERROR_S else WARN, says, clears if error_s >= 1 else ("", ""))


def _backups(office: Office) -> Component:
    found = standing_of_backups(office.settings.backups, office.settings.home, office.now())
    clears = ("Make one: `zhengtong backup make`.", "请备份：`zhengtong backup make`。")
    if found.newest is None or found.age is None:
        return Component("backups", BAD, ("there is none", "尚无备份"), clears)
    hours = int(found.age.total_seconds() // 3600)
    says = (f"the newest was made {hours} h ago", f"最近一次在 {hours} 小时前")
    return Component("backups", found.light, says, clears if found.light != GOOD else ("", ""), found.newest.made_at)


class _of_alerts:  # noqa: N801 - used as a function that is made
    """A component of which all is known by its alerts."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __call__(self, office: Office) -> Component:
        return _unless_alerted(self._code, office, ("nothing is open", "无未处理告警"))


def _unless_alerted(code: str, office: Office, says: tuple[str, str]) -> Component:
    """Good, unless an alert of this component stands open: then the gravest says what, since when, what to do."""
    opened = [one for one in alerts.open_alerts(office.control) if one.kind in ALERTS_OF[code]]
    if not opened:
        return Component(code, GOOD, says)
    first = min(opened, key=_gravity)
    kind, count = ALERTS[first.kind], len(opened)
    more = ("", "") if count == 1 else (f" (and {count - 1} more)", f"（另有 {count - 1} 项）")
    told = (f"{first.text('en')}{more[0]}", f"{first.text('zh')}{more[1]}")
    tone = BAD if kind.severity is Severity.PAGE else WARN
    return Component(code, tone, told, (kind.do_en, kind.do_zh), min(one.at for one in opened))


def _gravity(alert: Alert) -> tuple[bool, datetime]:
    return ALERTS[alert.kind].severity is not Severity.PAGE, alert.at
