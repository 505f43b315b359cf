"""`zhengtong demand …` and `zhengtong form check`: what departments need and miss, and what they need not collect.

Leaves steps and checks to `hub.demands` and `hub.forms`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import By, Json, Page, Revision, Size, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import FINDINGS, OK, WAITING, note, out, print_json, table
from hub.cli.reminders import left_words

if TYPE_CHECKING:
    from catalog.collect import FormLine, FormReport, Match
    from hub.cases import Case
    from hub.office import Office

demand = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=say("数据需求清单：清单中没有的数据", "The demand list: data that the responsibility list does not offer"),
)
form = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("表单与共享清单对照", "Forms, compared with the list")
)

Id = Annotated[
    str, typer.Argument(metavar=say("需求编号", "DEMAND"), help=say("需求编号", "the demand"), show_default=False)
]
STATES = ("submitted", "claimed", "planned", "met", "refused", "withdrawn")


@demand.command("new", help=say("提出数据需求", "Ask for data that the list does not offer"))
def new(
    words: Annotated[
        str,
        typer.Argument(
            metavar=say("数据", "DATA"), help=say("需要什么数据", "which data, in words"), show_default=False
        ),
    ],
    *,
    purpose: Annotated[str, typer.Option("--for", help=say("用途", "what they are needed for"), show_default=False)],
    matter: Annotated[str, typer.Option("--matter", help=say("事项代码", "the matter, by its code"))] = "",
    suspected: Annotated[
        str, typer.Option("--from", help=say("可能持有数据的部门代码", "the department that may have them"))
    ] = "",
    by: By,
    as_json: Json = False,
) -> int:
    """Submit; the office, or the department named, is told."""
    from hub import demands
    from hub.actors import Actor

    with opened() as office:
        case = demands.submit(office, Actor.parse(by), words=words, purpose=purpose, matter=matter, suspected=suspected)
        _told(office, case, as_json=as_json)
    return WAITING


@demand.command("list", help=say("查看需求清单", "Show the demand list"))
def list_(
    *,
    state: Annotated[
        str | None,
        typer.Option(
            "--state", metavar="|".join(STATES), help=say("只看此状态", "only this state"), show_default=False
        ),
    ] = None,
    consumer: Annotated[
        str | None, typer.Option("--consumer", help=say("提出部门", "who asks"), show_default=False)
    ] = None,
    answerer: Annotated[
        str | None, typer.Option("--answerer", help=say("待办部门", "whose turn it is"), show_default=False)
    ] = None,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The one whose clock ends first before the others."""
    from hub import demands

    if state is not None and state not in STATES:
        raise typer.BadParameter(
            say(f"应为 {'、'.join(STATES)} 之一", f"one of {', '.join(STATES)}"), param_hint="--state"
        )
    with opened() as office:
        cases = office.cases.find(
            demands.KIND, state=state, opener=consumer, answerer=answerer, limit=size, offset=(page - 1) * size
        )
        total = office.cases.count(demands.KIND, state=state, opener=consumer, answerer=answerer)
        now = office.now()
        left = {c.id: office.clocks.left(c.due_at, now) if c.due_at else None for c in cases}
    if as_json:
        print_json([demands.case_plain(case) for case in cases])
        return OK
    table(
        "",
        [
            say("编号", "Demand"),
            say("状态", "State"),
            say("提出部门", "Asked by"),
            say("需要的数据", "Data"),
            say("待办", "Turn of"),
            say("剩余", "Left"),
        ],
        (
            [
                c.id,
                state_word("demand", c.state),
                c.opener,
                c.value["words"],
                c.answerer,
                left_words(left[c.id]) if c.open else "",
            ]
            for c in cases
        ),
    )
    if total > len(cases):
        note(say(f"共 {total} 条，用 --page 翻页。", f"{total} in all; --page shows more."))
    return OK


@demand.command("show", help=say("查看一条需求及其经过", "Show a demand and what became of it"))
def show(id_: Id, *, as_json: Json = False) -> int:
    """With its history and, while it is open, resources that may meet it."""
    with opened() as office:
        from hub import demands

        return _told(office, office.cases.get(id_, demands.KIND), as_json=as_json, history=True)


@demand.command("claim", help=say("认领：本部门有此数据", "Claim it: your department has the data and will answer"))
def claim(id_: Id, *, by: By, revision: Revision = None, as_json: Json = False) -> int:
    """The first to claim holds the demand."""
    from hub import demands
    from hub.actors import Actor

    with opened() as office:
        return _told(office, demands.claim(office, Actor.parse(by), id_, revision=revision), as_json=as_json)


@demand.command("assign", help=say("主管部门分派", "Assign it to a department (the hub office)"))
def assign(
    id_: Id,
    department: Annotated[
        str, typer.Argument(metavar=say("部门", "DEPARTMENT"), help=say("部门代码", "its code"), show_default=False)
    ],
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The office says who shall answer."""
    from hub import demands
    from hub.actors import Actor

    with opened() as office:
        case = demands.assign(office, Actor.parse(by), id_, department, revision=revision)
        return _told(office, case, as_json=as_json)


@demand.command(
    "answer",
    help=say("答复：--met 资源、--refused 依据 或 --planned 日期", "Answer it: --met, --refused or --planned"),
)
def answer(
    id_: Id,
    *,
    met: Annotated[
        str | None,
        typer.Option(
            "--met",
            metavar=say("资源代码", "RESOURCE"),
            help=say("满足该需求的资源", "the resource that meets it"),
            show_default=False,
        ),
    ] = None,
    refused: Annotated[
        str | None,
        typer.Option(
            "--refused",
            metavar=say("依据", "GROUND"),
            help=say("不予提供的依据", "the law or rule against it"),
            show_default=False,
        ),
    ] = None,
    planned: Annotated[
        datetime | None,
        typer.Option(
            "--planned",
            formats=["%Y-%m-%d"],
            metavar=say("日期", "YYYY-MM-DD"),
            help=say("计划共享日期", "the day by which it will be shared"),
            show_default=False,
        ),
    ] = None,
    remark: Annotated[str, typer.Option("--note", help=say("说明", "a remark"))] = "",
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """One of the three answers."""
    if sum(given is not None for given in (met, refused, planned)) != 1:
        raise typer.BadParameter(
            say("须给出 --met、--refused、--planned 之一", "give one of --met, --refused, --planned"),
            param_hint="--met",
        )
    from catalog.demand import Answer
    from hub import demands
    from hub.actors import Actor

    outcome = "met" if met is not None else "refused" if refused is not None else "planned"
    given = Answer(outcome, met or "", refused or "", planned.date() if planned else None, remark)
    with opened() as office:
        return _told(office, demands.answer(office, Actor.parse(by), id_, given, revision=revision), as_json=as_json)


@demand.command("withdraw", help=say("撤回需求", "Withdraw it: it is no longer needed"))
def withdraw(
    id_: Id,
    *,
    why: Annotated[str, typer.Option("--why", help=say("原因", "why"))] = "",
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Only who asked may."""
    from hub import demands
    from hub.actors import Actor

    with opened() as office:
        case = demands.withdraw(office, Actor.parse(by), id_, why=why, revision=revision)
        return _told(office, case, as_json=as_json)


@demand.command("missed", help=say("查看没有结果的搜索", "Show searches that found nothing"))
def missed(
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3660, help=say("最近多少天", "of the last so many days"))
    ] = 90,
    as_json: Json = False,
) -> int:
    """The most often searched first; who searched is not kept."""
    from dataclasses import asdict

    from hub import demands

    with opened() as office:
        rows = demands.missed(office.control, demands.since_days(office.now(), days))
    if as_json:
        print_json([asdict(row) for row in rows])
        return OK
    table(
        "",
        [say("搜索词", "Searched"), say("次数", "Times"), say("天数", "Days")],
        ([row.query, row.times, row.days] for row in rows),
        right=(1, 2),
    )
    if rows:
        note(say("用 `zhengtong demand new` 将其列为需求。", "`zhengtong demand new` makes a demand of one."))
    return OK


def _told(office: Office, case: Case, *, as_json: bool, history: bool = False) -> int:
    """Show a demand as it stands now."""
    from catalog.demand import Demand, met_by
    from hub import demands

    suggested = met_by(Demand.from_plain(case.value), office.list_) if case.open else ()
    steps = office.cases.history(case.id) if history else ()
    if as_json:
        plain = demands.case_plain(case, suggested)
        if history:
            plain["history"] = [
                {
                    "at": s.at.isoformat(),
                    "actor": s.actor,
                    "step": s.step,
                    "state": s.state,
                    "note": s.note,
                    "entry": s.log_index,
                }
                for s in steps
            ]
        print_json(plain)
        return OK
    value = case.value
    left = office.clocks.left(case.due_at, office.now()) if case.due_at else None
    rows = [
        (
            say("需求", "Demand"),
            f"{case.id}  {state_word('demand', case.state)}  {say('修订', 'revision')} {case.revision}",
        ),
        (say("数据", "Data"), value["words"]),
        (say("用途", "For"), " ".join(filter(None, (value["purpose"], value["matter"])))),
        (say("提出部门", "Asked by"), case.opener),
        (say("待办部门", "Turn of"), case.answerer if case.open else ""),
        (say("时限", "Due"), f"{day(case.due_at)}  {left_words(left)}" if case.due_at else ""),
        (say("满足资源", "Met by"), value["resource"]),
        (say("依据", "Ground"), value["ground"]),
        (say("计划日期", "Planned for"), value["planned_on"] or ""),
        (say("说明", "Note"), value["note"] or value["withdrawn_why"]),
    ]
    for heading, text in rows:
        if text:
            out.print(f"{heading}: {text}", markup=False)
    for one in suggested:
        out.print(say(f"或可满足：{one.resource} {one.name}", f"May meet it: {one.resource} {one.name}"), markup=False)
    for s in steps:
        out.print(
            f"  {s.revision}. {day(s.at)}  {s.actor}  {s.step} → {state_word('demand', s.state)}  {s.note}".rstrip(),
            markup=False,
        )
    return OK


# Forms.


@form.command(
    "check", help=say("检查表单：哪些信息项不必再采集", "Check a form: which items need not be collected again")
)
def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar=say("文件", "FILE"),
            help=say(
                "表单：.xlsx、.csv（表头）、.yaml（列表）或每行一项的文本；- 为标准输入",
                "the form: .xlsx or .csv (headings), .yaml (a list), or text with an item a line; - for standard input",
            ),
            show_default=False,
        ),
    ],
    *,
    department: Annotated[
        str, typer.Option("--department", help=say("采集部门代码", "the department that collects"), show_default=False)
    ],
    matter: Annotated[str, typer.Option("--matter", help=say("事项代码", "the matter, by its code"))] = "",
    fail: Annotated[
        bool,
        typer.Option(
            "--fail", help=say("有不必采集的信息项时退出码为 20", "exit 20 when an item need not be collected")
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Exit 0; with --fail 20 when there is something to drop or to apply for."""
    import sys

    from hub import forms

    fields = (
        forms.read_form_bytes(sys.stdin.buffer.read(forms.MAX_FORM_BYTES + 1), "stdin.txt")
        if str(file) == forms.STDIN
        else forms.read_form(file)
    )
    with opened() as office:
        report = forms.check(
            office.control, office.list_, fields, department=department, matter=matter, on=office.now()
        )
    if as_json:
        print_json(report.plain())
    else:
        _show_report(report)
    return FINDINGS if fail and report.findings else OK


def _show_report(report: FormReport) -> None:
    from catalog.collect import VERDICTS

    table(
        "",
        [say("表单项", "Item"), say("结论", "Verdict"), say("来源", "From"), say("条件", "Terms")],
        (
            [
                line.label,
                say(VERDICTS[line.verdict][1], VERDICTS[line.verdict][0]),
                _source(line),
                _terms(line.matches[0]) if line.matches else "",
            ]
            for line in report.lines
        ),
    )
    note(
        say(
            f"{len(report.lines)} 项中有 {len(report.findings)} 项不必再采集。",
            f"{len(report.findings)} of {len(report.lines)} items need not be collected.",
        )
    )


def _source(line: FormLine) -> str:
    if line.too_general:
        return say("名称过于笼统，请写明所指", "too general a label; say of what")
    if not line.matches:
        return ""
    first = line.matches[0]
    more = len(line.matches) - 1
    provider = first.provider_name if LANG == "zh" else first.provider
    text = f"{provider} {first.resource} {first.resource_name}·{first.title}"
    return text + (say(f"（另有 {more} 处）", f" (and {more} more)") if more else "")


def _terms(match: Match) -> str:
    parts: list[Any] = [match.ground, match.condition]
    if match.own:
        parts.append(say("本部门数据", "your own data"))
    if match.grant:
        parts.append(say(f"授权 {match.grant}", f"grant {match.grant}"))
    if match.mask != "none":
        parts.append(say(f"脱敏 {match.mask}", f"masked {match.mask}"))
    if match.condition and not match.on_list:
        parts.append(say("须先列入责任清单", "to be put on the list first"))
    return say("；", "; ").join(filter(None, parts))


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(demand, name="demand")
    app.add_typer(form, name="form")
