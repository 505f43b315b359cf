"""`zhengtong warehouse …`: look for damage, keep tables in shape, see what they held when and what changed.

The work itself is `hub.upkeep` and `warehouse`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Final

import typer

from hub.cli.common import Code, Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import FINDINGS, OK, note, print_json, table

warehouse = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("数据仓库", "The warehouse"))

DIGEST_SHOWN: Final = 19  # the algorithm's name and twelve digits

Codes = Annotated[
    list[str] | None, typer.Argument(metavar="CODE…", help=say("资源代码", "resource codes"), show_default=False)
]


@warehouse.command(
    "fsck", help=say("检查库表、文件、游标与隔离区", "Look for damage in tables, files, cursors, quarantine")
)
def fsck(
    codes: Codes = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help=say("重读每个文件的内容", "read every file again"))] = False,
    as_json: Json = False,
) -> int:
    """Exit 20 when anything was found that upkeep does not see to by itself. Reads only."""
    from hub import upkeep

    with opened() as office:
        found = upkeep.fsck(office, codes or (), deep=deep)
    # What upkeep will see to by itself is told, and is no damage.
    grave = [one for one in found if one.severity != "note"]
    if as_json:
        print_json([one.to_json() for one in found])
        return FINDINGS if grave else OK
    words = {"error": say("损坏", "error"), "warning": say("提醒", "warning"), "note": say("说明", "note")}
    for one in found:
        note(f"{words[one.severity]}: {one.text(LANG)} {one.remedy(LANG)}")
    note(
        say(f"发现 {len(grave)} 处问题。", f"{len(grave)} found.")
        if grave
        else say("未发现问题。", "Everything is in order.")
    )
    return FINDINGS if grave else OK


@warehouse.command(
    "maintain", help=say("压缩文件、清理过期快照与孤立文件", "Compact files, expire snapshots, remove orphans")
)
def maintain(codes: Codes = None, *, as_json: Json = False) -> int:
    """Without codes: every resource of the list in force."""
    from hub import upkeep
    from hub.errors import ResourceUnknownError

    with opened() as office:
        known = office.list_.by_code
        for code in codes or ():
            if code not in known:
                raise ResourceUnknownError(resource=code)
        done = upkeep.maintain(office, codes or list(known))
    if as_json:
        print_json(done)
        return OK
    runs, staged = done.pop("runs"), done.pop("staged")
    table(
        "",
        [
            *(say("资源", "Resource"), say("重写文件", "Files rewritten"), say("写成", "into")),
            *(say("过期快照", "Snapshots expired"), say("无主文件", "Orphans"), say("释放字节", "Bytes freed")),
        ],
        [
            (
                *(code, report["rewritten"], report["written"], report["expired_snapshots"], report["orphans"]),
                report["expired_bytes"] + report["orphan_bytes"],
            )
            for code, report in done.items()
        ],
        right=(1, 2, 3, 4, 5),
    )
    note(
        say(
            f"已归档 {runs} 条归集记录，清理 {staged} 个过期暂存目录。",
            f"{runs} run records brought into their table; {staged} old staging folders removed.",
        )
    )
    return OK


@warehouse.command("snapshots", help=say("一个资源的历次快照", "The snapshots of a resource"))
def snapshots(code: Code, *, as_json: Json = False) -> int:
    """Newest first: when, how many rows, what the load did."""
    from hub.storing import open_warehouse

    with opened() as office, open_warehouse(office.settings) as house:
        found = house.snapshots(code)
    if as_json:
        print_json([{name: getattr(one, name) for name in one.__slots__ if name != "facts"} for one in found])
        return OK
    table(
        "",
        [
            *(say("快照", "Snapshot"), say("时间", "At"), say("行数", "Rows"), say("新增", "New")),
            *(say("变更", "Updated"), say("删除", "Deleted"), say("拒绝", "Rejected"), say("游标", "Cursor")),
        ],
        [
            (
                *(str(one.snapshot_id), f"{one.at:%Y-%m-%d %H:%M:%S} UTC", one.total, one.inserted),
                *(one.updated, one.deleted, one.rejected, one.cursor or ""),
            )
            for one in found
        ],
        right=(2, 3, 4, 5, 6),
    )
    return OK


@warehouse.command("count", help=say("某一时刻的行数（时间旅行）", "Rows at a moment (time travel)"))
def count(
    code: Code,
    *,
    at: Annotated[str, typer.Option("--at", help=say("日期或时间", "a day or a time"), show_default=False)] = "",
    as_json: Json = False,
) -> int:
    """How many rows the table held at the end of a day, or at an instant; without --at, now."""
    from hub.storing import open_warehouse

    with opened() as office, open_warehouse(office.settings) as house:
        snapshot = house.snapshot_at(code, moment(at)) if at else house.current_snapshot(code)
        rows = house.count(code, snapshot)
    if as_json:
        print_json({"resource": code, "snapshot": str(snapshot), "rows": rows})
        return OK
    note(say(f"{code}：快照 {snapshot}，{rows:,} 行", f"{code}: snapshot {snapshot}, {rows:,} rows"))
    return OK


def moment(text: str) -> datetime:
    """An instant: as written, or the end of a day; without an offset it is Shanghai time.

    Raises:
        BadParameter: it is neither.
    """
    from catalog.clock import SHANGHAI

    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime.combine(day, time.max, SHANGHAI).astimezone(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            say("应为 YYYY-MM-DD 或 YYYY-MM-DDTHH:MM:SS", "write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS"), param_hint="--at"
        ) from None
    return found.replace(tzinfo=found.tzinfo or SHANGHAI).astimezone(UTC)


@warehouse.command("changes", help=say("变更流：新增、变更、删除", "The change feed: inserts, updates, deletes"))
def changes(
    code: Code,
    *,
    after: Annotated[int, typer.Option("--after", help=say("此序号之后", "after this sequence number"))] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help=say("最多条数", "rows at most"))] = 100,
    as_json: Json = False,
) -> int:
    """Sequence number, kind, digests before and after; never a value of a row, nor its key."""
    from hub.storing import open_warehouse

    with opened() as office, open_warehouse(office.settings) as house:
        found = house.changes(code, after, limit)
    plain = [{"sequence": c.seq, "kind": c.kind.value, "at": c.at, "before": c.before, "after": c.after} for c in found]
    if as_json:
        print_json(plain)
        return OK
    table(
        "",
        [
            say("序号", "Sequence"),
            say("类型", "Kind"),
            # As in the feed itself: local time, like the departments' own.
            say("时间（北京）", "At (Shanghai)"),
            say("变更前", "Before"),
            say("变更后", "After"),
        ],
        [[c.seq, c.kind.value, c.at, (c.before or "")[:DIGEST_SHOWN], (c.after or "")[:DIGEST_SHOWN]] for c in found],
        right=(0,),
    )
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(warehouse, name="warehouse")
