"""`zhengtong demo --scale city`: the catalogue of the reference city, drawn up, checked, published, searched, used.

What happens is `hub.demo.reference.story`; here it is told.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hub.cli.common import day, state_word
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, OK, note, out, table
from hub.cli.progress import chapter
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.demo.reference.story import Applied, Checked, CityStory, Drawn

HOME = "reference-city"
SHOWN_FAULTS = 5
SHOWN_FACETS = 4


def demo_city(seed: int) -> int:
    """Tell the story in a home of its own, so that the small city beside it stays as it is."""
    from hub.demo.reference.story import CityStory

    home = Settings.from_environment().home / HOME
    settings = Settings.from_environment({**os.environ, "ZHENGTONG_HOME": str(home)})
    story = CityStory(settings, seed=seed)
    begun = time.monotonic()
    try:
        code = _tell(story)
    finally:
        story.close()
    note(say(f"用时 {time.monotonic() - begun:.0f} 秒。", f"Took {time.monotonic() - begun:.0f} s."))
    if code == OK:
        _what_next(settings)
    return code


def _tell(story: CityStory) -> int:
    note(
        say(
            "参照城市规模的目录：只有清单、检索、申请与授权，不归集数据（1,227 个资源的来源系统未模拟）。",
            "The catalogue at the size of the reference city: list, search, applications and grants. "
            "Nothing is ingested: the sources of 1,227 resources are not simulated.",
        )
    )
    with chapter(say("编制责任清单工作簿", "Drawing up the workbook of the list")):
        drawn = story.draw_up()
    _say_drawn(drawn)
    with chapter(say("读取并逐条校验", "Reading it back and judging it by every rule")):
        checked = story.check()
    _say_checked(checked)
    if any(fault.severity == "error" for fault in checked.faults):
        return DATA_INVALID
    with chapter(say("报送、由第二人审核、发布", "Handing it in, reviewed by a second person, published")):
        published = story.publish()
    already = say("（此前已发布）", " (published before)") if published.already else ""
    note(say(f"  版本 {published.version[:19]}…{already}", f"  version {published.version[:19]}…{already}"))
    with chapter(say("建立检索索引", "Building the search index")):
        story.index  # noqa: B018 - made on first use, which is what this chapter is about
    with chapter(say("检索", "Searching")):
        found = list(story.search())
    table(
        "",
        (say("输入", "Typed"), say("命中", "Found"), say("前几个", "The first"), say("毫秒", "ms")),
        ([s.query, s.total, "、".join(name for _, name in s.first), f"{s.milliseconds:.0f}"] for s in found),
        right=(1, 3),
    )
    _say_facets(story)
    with chapter(say("申请：即时授权、同意、待办", "Applying: granted at once, agreed to, waiting")):
        applied = list(story.apply())
    _say_applied(applied)
    return OK


def _say_drawn(drawn: Drawn) -> None:
    note(
        say(
            f"  {drawn.departments} 个部门，{drawn.resources:,} 个资源，{drawn.fields:,} 个信息项，"
            f"{drawn.lines:,} 条责任，{drawn.matters} 个事项，{drawn.prohibitions} 条不予共享；"
            f"{drawn.path}（{drawn.size_bytes / 1e6:.1f} MB）",
            f"  {drawn.departments} departments, {drawn.resources:,} resources, {drawn.fields:,} fields, "
            f"{drawn.lines:,} lines, {drawn.matters} matters, {drawn.prohibitions} prohibitions; "
            f"{drawn.path} ({drawn.size_bytes / 1e6:.1f} MB)",
        )
    )


def _say_checked(checked: Checked) -> None:
    note(
        say(
            f"  {checked.seconds:.1f} 秒，{len(checked.faults)} 条提示或错误",
            f"  {checked.seconds:.1f} s, {len(checked.faults)} warnings or errors",
        )
    )
    for fault in checked.faults[:SHOWN_FAULTS]:
        out.print(f"  {fault.where}: {fault.text(LANG)}", markup=False)


def _say_facets(story: CityStory) -> None:
    from hub.search.words import FACETS, label

    list_ = story.office.list_
    rows = (
        [
            FACETS[facet][LANG == "zh"],
            "、".join(f"{label(list_, facet, value, LANG)} {count:,}" for value, count in counts[:SHOWN_FACETS]),
        ]
        for facet, counts in story.facets().items()
    )
    table("", (say("分面", "Facet"), say("数量最多的", "The largest")), rows)


def _say_applied(applied: list[Applied]) -> None:
    table(
        "",
        (
            say("申请", "Application"),
            say("部门", "Department"),
            say("资源", "Resource"),
            say("事项", "Matter"),
            say("状态", "State"),
            say("时限", "Due"),
        ),
        (
            [
                a.case.id,
                a.applicant,
                a.resource,
                a.matter,
                state_word(a.case.kind, a.case.state),
                day(a.case.due_at),
            ]
            for a in applied
        ),
    )


def _what_next(settings: Settings) -> None:
    out.print(say("接下来可以试试：", "What to type next:"), style="bold")
    out.print(f"  export ZHENGTONG_HOME={settings.home}", markup=False)
    for command, what in (
        ("zhengtong search 驾照 --explain", say("检索，并说明排序", "search, with the ranking explained")),
        ("zhengtong list versions", say("清单各版本", "the versions of the list")),
        ("zhengtong request list", say("申请", "the applications")),
        ("zhengtong inbox --by SZJ:list-reviewer", say("待办", "what waits")),
        ("zhengtong serve", say("启动服务", "serve the API")),
    ):
        out.print(f"  .venv/bin/{command}    # {what}", markup=False)
