"""`zhengtong ingest …`: load resources without Airflow's pages, through the same use case, and see what loads did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, OK, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.model import ResponsibilityList
    from hub.loads import LoadReport

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
    as_json: Json = False,
) -> int:
    """Run the four steps in this process; exit 5 when any resource failed, after trying all of them."""
    from catalog.errors import CatalogError
    from connectors.errors import ConnectorError
    from hub.control import Control
    from hub.errors import HubError
    from hub.ingestion import run_here
    from hub.loads import of_run
    from hub.published import current_list
    from warehouse.errors import WarehouseError

    settings = Settings.from_environment()
    names = resource_names(current_list(settings))
    wanted = list(names) if every else list(codes or ())
    if not wanted:
        raise typer.BadParameter(say("请给出资源代码或 --all", "name a resource or give --all"), param_hint="CODE")
    name = f"cli-{time.time_ns()}"
    failed = 0
    for code in wanted:
        try:
            run_here(settings, code, name)
        except (HubError, CatalogError, ConnectorError, WarehouseError) as error:
            failed += 1
            note(f"{code}: {error.text(LANG)}")
        else:
            note(f"{code} ✓")
    reports = of_run(Control.open(settings), name)
    print_reports(reports, {code: names.get(code, "") for code in wanted}, as_json=as_json)
    return DATA_INVALID if failed else OK


@ingest.command("status", help=say("每个资源最近一次归集的结果", "The latest load of every resource"))
def status(codes: Codes = None, *, as_json: Json = False) -> int:
    """The newest run record of each resource."""
    from hub.control import Control
    from hub.loads import latest
    from hub.published import current_list

    settings = Settings.from_environment()
    control = Control.open(settings)
    names = resource_names(current_list(settings, control))
    reports = [r for r in latest(control) if not codes or r.resource in codes]
    print_reports(reports, names, as_json=as_json)
    return OK


@ingest.command(
    "rejects", help=say("被拒绝的记录：位置与原因（不显示内容）", "Rejected rows: where and why (never their values)")
)
def rejects(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    *,
    limit: Annotated[int, typer.Option(help=say("最多显示条数", "rows to show"))] = 20,
    as_json: Json = False,
) -> int:
    """What lies in quarantine for one resource."""
    from hub.errors import ResourceUnknownError
    from hub.published import current_list
    from warehouse.engine import Warehouse

    settings = Settings.from_environment()
    resource = current_list(settings).by_code.get(code)
    if resource is None:
        raise ResourceUnknownError(resource=code)
    titles = {f.name: f.title if LANG == "zh" else f.name for f in resource.fields}
    rejected = Warehouse(settings.warehouse, catalog_uri=settings.catalog_url).quarantine(code, limit=limit)
    if as_json:
        print_json([{"line": r.line, "reasons": [str(x) for x in r.reasons], "batch": r.batch_id} for r in rejected])
        return OK
    table(
        "",
        [say("记录", "Record"), say("原因", "Why"), say("批次", "Batch")],
        (
            [r.line, "; ".join(x.text(LANG, titles.get(x.field, x.field)) for x in r.reasons), r.batch_id[:12]]
            for r in rejected
        ),
        right=(0,),
    )
    note(
        say(
            f"显示 {len(rejected):,} 条（最多 {limit:,} 条）。原文保存在隔离区；修正来源后重新归集即可。",
            f"{len(rejected):,} shown (at most {limit:,}). Their text is in quarantine; mend the source, load again.",
        )
    )
    return OK


def resource_names(list_: ResponsibilityList) -> dict[str, str]:
    """Resource code → its name in the language of the run, in the order of the list."""
    return {r.code: r.name if LANG == "zh" else r.name_en for r in list_.resources}


def print_reports(reports: Iterable[LoadReport], known: Mapping[str, str], *, as_json: bool = False) -> None:
    """A table of loads, one line each, in the order of *known* (resource code → name)."""
    place = {code: at for at, code in enumerate(known)}
    reports = sorted(reports, key=lambda r: (place.get(r.resource, len(place)), r.resource))
    if as_json:
        print_json([{name: getattr(r, name) for name in r.__slots__} for r in reports])
        return
    words = {
        "loaded": say("已入库", "loaded"),
        "unchanged": say("无变化", "unchanged"),
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
    app.add_typer(ingest, name="ingest")
