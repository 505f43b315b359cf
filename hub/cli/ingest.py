"""`zhengtong ingest …`: load resources without Airflow's pages, through the same use case, and see what loads did."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub.cli import ingest_office
from hub.cli.common import opened
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, OK, note, print_json, table
from hub.cli.progress import reading_bar, step_names
from hub.registry import STEPS
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.model import ResponsibilityList
    from hub.loads import LoadReport
    from hub.orders import LoadOrder

WATCH_EVERY_S: Final = 2.0

ingest = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("数据归集", "Ingestion"))

Codes = Annotated[
    list[str] | None, typer.Argument(metavar="CODE…", help=say("资源代码", "resource codes"), show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]


@ingest.command("run", help=say("归集指定资源（或 --all 全部）", "Load the resources named, or --all"))
def run(
    codes: Codes = None,
    *,
    every: Annotated[bool, typer.Option("--all", help=say("清单中的全部资源", "every resource of the list"))] = False,
    full: Annotated[
        bool, typer.Option("--full", help=say("全量重新归集，不看游标", "read the whole resource, whatever the cursor"))
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help=say("只读取与校验，不入库", "read and check, commit nothing"))
    ] = False,
    accept: Annotated[
        str,
        typer.Option(
            "--accept",
            metavar=say("标记", "MARK"),
            help=say("核实后按现状接受被暂缓的一批", "take a batch that was held back, once it was found right"),
            show_default=False,
        ),
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help=say("不接续上次中断的读取", "do not go on with a read that was stopped"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Run the four steps in this process; exit 5 when any resource failed, after trying all of them.

    A read that was stopped (Ctrl-C, a killed process) goes on where its staged parts end.
    """
    from hub.orders import LoadOrder

    wanted = None if every else list(codes or ())
    if wanted == []:
        raise typer.BadParameter(say("请给出资源代码或 --all", "name a resource or give --all"), param_hint="CODE")
    order = LoadOrder.from_params({"full": full, "dry_run": dry, "accept": accept})
    return _load(wanted, order, going_on=not fresh, as_json=as_json)


@ingest.command("backfill", help=say("按日期区间补归集", "Load a range of days again"))
def backfill(
    codes: Annotated[
        list[str], typer.Argument(metavar="CODE…", help=say("资源代码", "resource codes"), show_default=False)
    ],
    *,
    since: Annotated[
        str, typer.Option("--from", help=say("起始（含），YYYY-MM-DD", "first day, YYYY-MM-DD"), show_default=False)
    ] = "",
    until: Annotated[
        str, typer.Option("--to", help=say("截止（含），YYYY-MM-DD", "last day, YYYY-MM-DD"), show_default=False)
    ] = "",
    dry: Annotated[
        bool, typer.Option("--dry-run", help=say("只读取与校验，不入库", "read and check, commit nothing"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Load the rows of a range of the cursor field. The cursor stays; a newer row is never replaced by an older one."""
    from hub.orders import LoadOrder

    if not (since or until):
        raise typer.BadParameter(say("请给出 --from 或 --to", "give --from or --to"), param_hint="--from")
    order = LoadOrder.from_params({"since": since, "until": until, "dry_run": dry})
    return _load(codes, order, going_on=False, as_json=as_json)


@ingest.command("replay", help=say("来源或清单修正后，重放被拒记录", "Judge rejected rows again, after the mend"))
def replay(
    codes: Annotated[
        list[str], typer.Argument(metavar="CODE…", help=say("资源代码", "resource codes"), show_default=False)
    ],
    *,
    dry: Annotated[bool, typer.Option("--dry-run", help=say("只校验，不入库", "judge only, commit nothing"))] = False,
    as_json: Json = False,
) -> int:
    """Put what lies in quarantine through the contract in force; what passes is committed and no longer rejected."""
    from hub.orders import LoadOrder, Mode

    return _load(codes, LoadOrder(Mode.REPLAY, dry_run=dry), going_on=False, as_json=as_json)


def _load(codes: list[str] | None, order: LoadOrder, *, going_on: bool, as_json: bool) -> int:
    from catalog.errors import CatalogError
    from connectors.errors import ConnectorError
    from hub.control import Control
    from hub.errors import HubError, ResourceUnknownError
    from hub.ingestion import BY_HAND, resumable, run_here
    from hub.loads import newest_of
    from hub.published import current_list
    from warehouse.errors import WarehouseError

    settings = Settings.from_environment()
    control = Control.open(settings)
    names = resource_names(current_list(settings, control))
    wanted = list(names) if codes is None else codes
    # Before the first is loaded: a mistyped code is no load that failed, and leaves no record of one.
    for code in wanted:
        if code not in names:
            raise ResourceUnknownError(resource=code)
    name = f"{BY_HAND}{time.time_ns()}"
    failed, reports = 0, []
    with reading_bar() as bar:
        for code in wanted:
            before = resumable(settings, control, code, order) if going_on else None
            if before is not None:
                note(say(f"{code}：接续上次中断的读取", f"{code}: going on with the read that was stopped"))
            try:
                run_here(settings, code, before or name, order, watching=bar(f"{code} {names.get(code, '')}"))
            except (HubError, CatalogError, ConnectorError, WarehouseError) as error:
                failed += 1
                note(f"{code}: {error.text(LANG)}")
            except KeyboardInterrupt:
                note(
                    say(
                        f"{code}：已中断；再次执行同一命令即可接续",
                        f"{code}: stopped; the same command goes on from here",
                    )
                )
                raise
            else:
                note(f"{code} ✓")
            reports += [found for found in newest_of(control, code, 1) if found.run in {before, name}]
    print_reports(reports, {code: names.get(code, "") for code in wanted}, as_json=as_json)
    return DATA_INVALID if failed else OK


@ingest.command("plan", help=say("将会归集什么：方式、游标、时间", "What a load would do: how, since when, when"))
def plan(codes: Codes = None, *, as_json: Json = False) -> int:
    """Nothing is read: the list, the cursor in the table, pauses and waiting decisions say what the next load does."""
    from hub.loadplan import plans

    with opened() as office:
        found = plans(office, codes or ())
    if as_json:
        print_json([one.plain() for one in found])
        return OK
    headings = (
        *(say("资源", "Resource"), say("名称", "Name"), say("方式", "Disposition"), say("来源", "Source")),
        *(
            say("自", "Since"),
            say("上次行数", "Last rows"),
            say("下次", "Next"),
            say("状态", "Light"),
            say("说明", "Note"),
        ),
    )
    rows = [
        (
            *(one.resource, one.name if LANG == "zh" else one.name_en, one.disposition, f"{one.kind} {one.object}"),
            *(one.cursor or say("全量", "whole"), one.last_rows, one.next_run, one.light_text(LANG), one.note(LANG)),
        )
        for one in found
    ]
    table("", headings, rows, right=(5,))
    return OK


@ingest.command("watch", help=say("正在进行的归集：行数、速度、预计", "Loads under way: rows, rate, time left"))
def watch(
    *,
    once: Annotated[bool, typer.Option("--once", help=say("只显示一次", "show once and end"))] = False,
    as_json: Json = False,
) -> int:
    """Whoever runs them, the scheduler or another terminal; ends when none is left."""
    from hub.control import Control
    from hub.loads import running

    control = Control.open(Settings.from_environment())
    if as_json:
        print_json([plain_report(report) for report in running(control)])
        return OK
    while found := running(control):
        table(
            "",
            [
                say("资源", "Resource"),
                say("批次", "Run"),
                say("步骤", "Step"),
                say("已读", "Read"),
                say("约共", "Of about"),
                say("行/秒", "Rows/s"),
            ],
            [watch_row(report) for report in found],
            right=(3, 4, 5),
        )
        if once:
            return OK
        time.sleep(WATCH_EVERY_S)
    note(say("没有正在进行的归集。", "No load is under way."))
    return OK


def watch_row(report: LoadReport) -> tuple[object, ...]:
    """One load under way: the step it is in, rows read, rows expected, rows a second."""
    seconds = max(1.0, (datetime.now(UTC) - report.started).total_seconds())
    step = next((name for name in STEPS if name not in report.seconds), STEPS[-1])
    rate = int(report.read / seconds) if step == STEPS[0] else None
    return report.resource, report.run, step_names()[step], report.read, report.about, rate


@ingest.command("status", help=say("每个资源最近一次归集的结果", "The latest load of every resource"))
def status(codes: Codes = None, *, as_json: Json = False) -> int:
    """The newest run record of each resource."""
    from hub.control import Control
    from hub.errors import ResourceUnknownError
    from hub.loads import latest
    from hub.published import current_list

    settings = Settings.from_environment()
    control = Control.open(settings)
    names = resource_names(current_list(settings, control))
    for code in codes or ():
        if code not in names:
            raise ResourceUnknownError(resource=code)
    reports = [r for r in latest(control) if not codes or r.resource in codes]
    print_reports(reports, names, as_json=as_json)
    return OK


def resource_names(list_: ResponsibilityList) -> dict[str, str]:
    """Resource code → its name in the language of the run, in the order of the list."""
    return {r.code: r.name if LANG == "zh" else r.name_en for r in list_.resources}


def plain_report(report: LoadReport) -> dict[str, object]:
    """A load as a JSON-able dict."""
    return {name: getattr(report, name) for name in report.__slots__}


def print_reports(reports: Iterable[LoadReport], known: Mapping[str, str], *, as_json: bool = False) -> None:
    """A table of loads, one line each, in the order of *known* (resource code → name)."""
    place = {code: at for at, code in enumerate(known)}
    reports = sorted(reports, key=lambda r: (place.get(r.resource, len(place)), r.resource))
    if as_json:
        print_json([plain_report(report) for report in reports])
        return
    words = {
        "loaded": say("已入库", "loaded"),
        "unchanged": say("无变化", "unchanged"),
        "tried": say("试运行", "tried"),
        "failed": say("失败", "failed"),
        "running": say("进行中", "running"),
    }
    headings = (
        *(say("资源", "Resource"), say("名称", "Name"), say("读取", "Read"), say("接受", "Accepted")),
        *(say("新增", "New"), say("变更", "Updated"), say("删除", "Deleted"), say("拒绝", "Rejected")),
        *(say("秒", "Seconds"), say("结果", "Outcome")),
    )
    rows = [
        (
            *(r.resource, known.get(r.resource, ""), r.read, r.accepted, r.inserted, r.updated, r.deleted, r.rejected),
            f"{r.total_seconds:.1f}",
            words.get(r.outcome, r.outcome) + (f": {r.error(LANG)}" if r.error_code else ""),
        )
        for r in reports
    ]
    table("", headings, rows, right=tuple(range(2, 9)))


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    ingest_office.add_to(ingest)
    app.add_typer(ingest, name="ingest")
