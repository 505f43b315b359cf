"""The chapters of `zhengtong demo` in which people look after the loads: what was found, what is done, all is well.

What happens is `hub.demo.attention`; here it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.cli.ingest_office import drift_status, drift_text
from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hub.alerts import Alert
    from hub.demo.story import Story

    Ingest = Callable[[list[str], str, Mapping[str, Mapping[str, bool]]], bool]


def attend(story: Story, touched: Collection[str], ingest: Ingest) -> bool:
    """Find what needs a person, decide, load again by *ingest*, look again; whether nothing is left.

    *touched* are the resources whose sources changed today. A demonstration that was interrupted goes on here.
    """
    from hub.demo.attention import CHANGED_UNSEEN, HISTORY, differs
    from hub.demo.story import OFFICE

    office = story.attention
    with chapter(
        say("发现：来源结构变化、与来源对账、告警", "Found: changed columns, a comparison with the source, alerts")
    ):
        office.change_unseen()
        compared = [office.compare(code) for code in (HISTORY, CHANGED_UNSEEN)]
        alerts = office.sweep()
        shapes = office.shapes(touched)
    if shapes:
        table(
            "",
            [say("资源", "Resource"), say("来源的变化", "What changed at the source"), say("状态", "Status")],
            ([_name(story, one.resource), drift_text(one), drift_status(one)] for one in shapes),
        )
    _say_compared(story, compared)
    _say_alerts(story, alerts)
    whole = True
    orders = office.orders(compared, OFFICE)
    if orders:
        whole = ingest(
            sorted(orders),
            say(
                "处理：批准结构、重放被拒记录、全量重载", "Done: a shape approved, rows judged again, a table reloaded"
            ),
            orders,
        )
    with chapter(
        say("收尾：再对账、变更流、检查仓库、巡检告警", "Afterwards: compared again, changes, damage, alerts")
    ):
        compared = [office.compare(code) for code in ((HISTORY, CHANGED_UNSEEN) if orders else ())]
        changes = office.changes(HISTORY)
        damage = office.damage()
        alerts = office.sweep()
    _say_compared(story, compared)
    kinds = say("，", ", ").join(f"{_kind(kind)} {count:,}" for kind, count in changes.items())
    note(say(f"  {_name(story, HISTORY)}的变更流：{kinds}", f"  Change feed of {_name(story, HISTORY)}: {kinds}"))
    note(
        say(
            f"  仓库检查：{len(damage)} 处问题；未消除的告警：{len(alerts)} 条",
            f"  Damage found in the warehouse: {len(damage)}; alerts that stand: {len(alerts)}",
        )
    )
    for finding in damage:
        note(f"  {finding.severity}: {finding.text(LANG)}")
    _say_alerts(story, alerts)
    return whole and not damage and not alerts and not any(map(differs, compared))


def _name(story: Story, code: str) -> str:
    resource = story.list_.by_code[code]
    return resource.name if LANG == "zh" else resource.name_en


def _kind(kind: str) -> str:
    words = {
        "baseline": say("基线", "baseline"),
        "insert": say("新增", "inserts"),
        "update": say("变更", "updates"),
        "delete": say("删除", "deletes"),
    }
    return words.get(kind, kind)


def _say_compared(story: Story, compared: Sequence[Mapping[str, Any]]) -> None:
    if not compared:
        return
    headings = [
        *(say("与来源对账", "Compared with its source"), say("来源行数", "Source rows"), say("不合格", "Rejected")),
        *(say("库表行数", "Table rows"), say("缺失", "Missing"), say("多余", "Too many"), say("不同", "Changed")),
    ]
    counts = ("source_rows", "rejected", "table_rows", "missing", "extra", "changed")
    rows = ([_name(story, one["resource"]), *(one[name] for name in counts)] for one in compared)
    table("", headings, rows, right=(1, 2, 3, 4, 5, 6))


def _say_alerts(story: Story, alerts: Sequence[Alert]) -> None:
    if not alerts:
        return
    rows = ([one.kind, _name(story, one.resource), one.text(LANG)] for one in alerts)
    table("", [say("告警", "Alert"), say("资源", "Resource"), say("说明", "What happened")], rows)
