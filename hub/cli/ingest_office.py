"""The part of `zhengtong ingest` by which people decide: rejected rows, changed shapes, pauses, comparisons, alerts.

The decisions themselves are `hub.drifts`, `hub.pauses`, `hub.upkeep` and `hub.watching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.common import By, Code, Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import FINDINGS, OK, note, print_json, table

if TYPE_CHECKING:
    from hub.alerts import Alert
    from hub.drifts import Drift

OneOrAll = Annotated[
    str | None, typer.Argument(metavar="[CODE]", help=say("资源代码", "resource code"), show_default=False)
]


def rejects(
    code: Code,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help=say("最多显示条数", "rows to show"))] = 20,
    as_json: Json = False,
) -> int:
    """The rows of one resource that are rejected now: where and why, never the values.

    Where the newest load was stopped for its rejected rows it is those; none of them is in the table.
    """
    from hub import loadboard
    from hub.errors import ResourceUnknownError
    from warehouse.errors import TableMissingError

    with opened() as office:
        resource = office.list_.by_code.get(code)
        if resource is None:
            raise ResourceUnknownError(resource=code)
        found = loadboard.rejected_now(office, resource, limit=limit)
    if not found.loaded:
        raise TableMissingError(resource=code)
    if as_json:
        print_json(
            [
                {
                    "line": r.line,
                    "reasons": [str(x) for x in r.reasons],
                    "batch": r.batch_id,
                    "committed": not found.stopped,
                }
                for r in found.rows
            ]
        )
        return OK
    if found.stopped:
        note(
            say(
                "最近一次归集因不合格记录过多而停止，未入库任何数据；以下为其不合格记录。",
                "The newest load was stopped, and nothing of it is in the table; these are the rows it rejected.",
            )
        )
    titles = {f.name: f.title if LANG == "zh" else f.name for f in resource.fields}
    table(
        "",
        [say("记录", "Record"), say("原因", "Why"), say("批次", "Batch")],
        (
            [r.line, "; ".join(x.text(LANG, titles.get(x.field, x.field)) for x in r.reasons), r.batch_id[:12]]
            for r in found.rows
        ),
        right=(0,),
    )
    note(
        say(
            f"显示 {len(found.rows):,} 条（最多 {limit:,} 条），原文保存在隔离区。来源修正后重新归集；清单修正后执行 "
            f"`zhengtong ingest replay {code}`。",
            f"{len(found.rows):,} shown (at most {limit:,}); their text is in quarantine. After the source was mended, "
            f"load again; after the list was, run `zhengtong ingest replay {code}`.",
        )
    )
    return OK


def drift(
    code: OneOrAll = None,
    *,
    approve: Annotated[bool, typer.Option("--approve", help=say("批准新的结构", "approve the new shape"))] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help=say("不予批准", "refuse it"))] = False,
    by: Annotated[
        str,
        typer.Option(
            "--by", envvar="ZHENGTONG_ACTOR", metavar=say("部门代码:岗位", "DEPARTMENT:POST"), show_default=False
        ),
    ] = "",
    as_json: Json = False,
) -> int:
    """Sources that have changed their shape; with --approve or --refuse, decide on the one that waits."""
    from hub import drifts
    from hub.actors import Actor
    from hub.errors import ResourceUnknownError

    with opened() as office:
        if code is not None and code not in office.list_.by_code:
            raise ResourceUnknownError(resource=code)
        if approve or refuse:
            if (approve and refuse) or code is None:
                raise typer.BadParameter(
                    say("请给出一个资源代码，并只选其一", "name one resource, and give one of the two"),
                    param_hint="--approve",
                )
            found = [drifts.decide(office, code, Actor.parse(by), approve=approve)]
        else:
            found = drifts.drifts_of(office.control, code) if code else drifts.waiting(office.control)
    if as_json:
        print_json([{name: getattr(one, name) for name in one.__slots__} for one in found])
        return OK
    table(
        "",
        [say("资源", "Resource"), say("结构", "Shape"), say("状态", "Status"), say("变化", "What changed")],
        [(one.resource, one.digest[-12:], drift_status(one), drift_text(one)) for one in found],
    )
    if not found:
        note(say("没有待审批的结构变化。", "No changed shape waits for a decision."))
    return OK


def drift_status(found: Drift) -> str:
    """The word for what became of a shape."""
    words = {
        "accepted": say("已接受", "accepted"),
        "waiting": say("待审批", "waits"),
        "approved": say("已批准", "approved"),
        "refused": say("未批准", "refused"),
    }
    return words[found.status]


def drift_text(found: Drift) -> str:
    """What changed, in the language of the run."""
    return "; ".join(found.report[LANG])


def pause(
    code: Code,
    *,
    by: By,
    why: Annotated[str, typer.Option("--why", help=say("原因", "the reason"), show_default=False)],
) -> int:
    """Hold the resource's loads back, whoever would run them, until `resume`."""
    from hub import pauses
    from hub.actors import Actor

    with opened() as office:
        found = pauses.pause(office, code, Actor.parse(by), why)
    note(say(f"{code} 已由 {found.by} 暂停归集。", f"Loads of {code} are paused by {found.by}."))
    return OK


def resume(code: Code, *, by: By) -> int:
    """Let the resource's loads go on."""
    from hub import pauses
    from hub.actors import Actor

    with opened() as office:
        was = pauses.resume(office, code, Actor.parse(by))
    note(say(f"{code} 已恢复。", f"{code} goes on.") if was else say(f"{code} 并未暂停。", f"{code} was not paused."))
    return OK


def reconcile(code: Code, *, as_json: Json = False) -> int:
    """Read the source whole and compare it row by row with the table; exit 20 when they differ. Changes nothing."""
    from hub import upkeep

    with opened() as office:
        found = upkeep.reconcile(office, code)
    differs = any(found[name] for name in ("missing", "extra", "changed"))
    if as_json:
        print_json(found)
        return FINDINGS if differs else OK
    table(
        "",
        [
            *(say("来源行数", "Source rows"), say("不合格", "Rejected"), say("库表行数", "Table rows")),
            *(say("缺失", "Missing"), say("多余", "Too many"), say("不同", "Changed"), say("秒", "Seconds")),
        ],
        [[found[n] for n in ("source_rows", "rejected", "table_rows", "missing", "extra", "changed", "seconds")]],
        right=tuple(range(7)),
    )
    if differs:
        note(
            say(
                f"不一致的记录列于受保护文件 {found['report']}（主键以加盐摘要表示）。",
                f"Which rows differ is in the protected file {found['report']} (keys as salted digests).",
            )
        )
    return FINDINGS if differs else OK


def alerts(
    *,
    sweep: Annotated[
        bool, typer.Option("--sweep", help=say("先巡检并发送", "look over all loads and send first"))
    ] = False,
    as_json: Json = False,
) -> int:
    """What stands open and needs a person."""
    from hub import alerts as kept
    from hub import watching

    with opened() as office:
        if sweep:
            done = watching.sweep(office)
            note(say(f"新增 {done.raised}，消除 {done.cleared}。", f"{done.raised} raised, {done.cleared} cleared."))
        found = kept.open_alerts(office.control)
    if as_json:
        print_json([one.plain(LANG) for one in found])
        return OK
    table(
        "",
        [
            say("告警", "Alert"),
            say("资源", "Resource"),
            say("自", "Since"),
            say("次数", "Times"),
            say("说明", "What, and what to do"),
        ],
        [_alert_row(one) for one in found],
        right=(3,),
    )
    return OK


def _alert_row(one: Alert) -> tuple[object, ...]:
    from hub.alertwords import ALERTS

    remedy = ALERTS[one.kind].remedy(LANG)
    return one.kind, one.resource, f"{one.at:%Y-%m-%d %H:%M} UTC", one.times, f"{one.text(LANG)} {remedy}"


def add_to(ingest: typer.Typer) -> None:
    """Hang the commands into `zhengtong ingest`."""
    ingest.command(
        "rejects",
        help=say("被拒绝的记录：位置与原因（不显示内容）", "Rejected rows: where and why (never their values)"),
    )(rejects)
    ingest.command("drift", help=say("来源结构变化：查看与审批", "Changed shapes of sources: see and decide"))(drift)
    ingest.command("pause", help=say("暂停一个资源的归集", "Hold a resource's loads back"))(pause)
    ingest.command("resume", help=say("恢复归集", "Let them go on"))(resume)
    ingest.command("reconcile", help=say("与来源逐行对账", "Compare a table with its source, row by row"))(reconcile)
    ingest.command("alerts", help=say("未消除的告警", "Alerts that stand open"))(alerts)
