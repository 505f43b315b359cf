"""`zhengtong request …`: applications for shared data, from the minimum of a matter to the settled dispute.

Leaves every step to `hub.applications`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.casewords import CASE_STATES
from hub.cli.common import By, Concerning, Json, Page, Revision, Size, action_words, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, NOT_PERMITTED, OK, WAITING, note, out, print_json, table
from hub.cli.terms import Actions, Days, Masks, Matters, OnlyFields, Quota, Rows, less, rules, wishes

if TYPE_CHECKING:
    from catalog.application import Application
    from catalog.model import ResponsibilityList
    from hub.cases import Case
    from hub.office import Office

requests = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("数据共享申请", "Applications for shared data")
)

Id = Annotated[
    str, typer.Argument(metavar=say("申请编号", "APPLICATION"), help=say("申请编号", "its number"), show_default=False)
]
Note = Annotated[str, typer.Option("--note", help=say("说明", "words for the other side"))]
Ground = Annotated[
    str,
    typer.Option(
        "--ground", help=say("依据（法律、法规、规章、职责或清单条目）", "the law, rule, duty or line it rests on")
    ),
]
KIND = "application"
_CODES = {"granted": OK, "waiting": WAITING, "refused": NOT_PERMITTED}


@requests.command("new", help=say("申请使用一个信息资源", "Apply for a resource"))
def new(
    resource: Annotated[
        str, typer.Argument(metavar=say("资源代码", "RESOURCE"), help=say("资源代码", "its code"), show_default=False)
    ],
    *,
    by: By,
    matter: Matters = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar=say("信息项[=理由]", "FIELD[=REASON]"),
            help=say("最小需求之外的信息项及理由，可多次", "a field beyond the minimum, and why; may be repeated"),
        ),
    ] = None,
    statement: Annotated[
        list[str] | None,
        typer.Option(
            "--statement",
            metavar=say("信息项=措施", "FIELD=TEXT"),
            help=say("4 级信息项的保护措施", "how a field of sensitivity grade 4 is protected"),
        ),
    ] = None,
    rows: Rows = None,
    action: Actions = None,
    volume: Annotated[int, typer.Option("--volume", min=0, help=say("每日调用量", "calls a day; 0: no limit"))] = 0,
    days: Annotated[int, typer.Option("--days", help=say("期限（天）", "the term in days"))] = 365,
    ground: Ground = "",
    reason: Annotated[str, typer.Option("--reason", help=say("用途说明", "what it is for, in words"))] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("只显示最小需求和问题", "only show the minimum and the problems"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Exit 0 when granted at once, 8 when it waits for its provider."""
    from catalog.application import draft
    from hub import applications
    from hub.actors import Actor

    actor = Actor.parse(by)
    with opened() as office:
        list_ = office.list_
        application = draft(
            list_,
            applicant=actor.department,
            resource=resource,
            purposes=matter or (),
            fields=wishes(field, statement),
            actions=action or (),
            ground=ground,
            rows=rules(rows),
            volume_per_day=volume,
            term_days=days,
            reason=reason,
        )
        if dry_run:
            return _dry(office, list_, application, as_json=as_json)
        return _told(office, applications.apply(office, application, actor=actor), as_json=as_json)


def _dry(office: Office, list_: ResponsibilityList, application: Application, *, as_json: bool) -> int:
    from catalog.application import check_application, to_plain, unconditional
    from catalog.clock import day_of
    from catalog.terms import minimum_of

    least = minimum_of(list_, application.purposes, application.resource)
    problems = check_application(list_, application, day_of(office.now()))
    at_once = unconditional(list_, application)
    rule = "application.reply." + ("unconditional" if at_once else "conditional")
    due = day_of(office.clocks.due(rule, office.now()).due).isoformat()
    if as_json:
        asked = (
            "applicant",
            "resource",
            "purposes",
            "fields",
            "actions",
            "rows",
            "volume_per_day",
            "term_days",
            "ground",
        )
        plain = to_plain(application)
        print_json(
            {
                "ok": not problems,
                "minimum": {"fields": least.fields, "actions": least.actions, "replaces": least.replaces},
                "application": {name: plain[name] for name in asked},
                "at_once": at_once,
                "answer_by": due,
                "problems": [{"where": p.where, "code": p.code, "message": p.text(LANG)} for p in problems],
            }
        )
    else:
        rows = [
            [w.name, say("最小需求", "minimum") if w.name in least.fields else w.reason] for w in application.fields
        ]
        table("", [say("信息项", "Field"), say("理由", "Reason")], rows)
        for one in problems:
            out.print(f"{one.where}: {one.text(LANG)}", markup=False)
        if not problems:
            note(
                say("可以提交，将当即授权。", "It can be submitted and is granted at once.")
                if at_once
                else say(f"可以提交，预计 {due} 前答复。", f"It can be submitted; an answer is due by {due}.")
            )
    return DATA_INVALID if problems else OK


@requests.command("list", help=say("查看申请", "List applications"))
def list_applications(
    *,
    department: Concerning = None,
    waiting_for: Annotated[
        str | None,
        typer.Option("--waiting-for", help=say("待此部门办理的", "those that wait for this department")),
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help=say("状态", "only in this state"), show_default=False)
    ] = None,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The one whose clock ends first stands first."""
    from hub import applications
    from hub.errors import QueryInvalidError

    if state is not None and state not in CASE_STATES[KIND]:
        known = ", ".join(CASE_STATES[KIND])
        raise QueryInvalidError(where="--state", why=f"use one of {known}", why_zh=f"应为 {known} 之一")
    with opened() as office:
        found = applications.find(
            office,
            concerning=department,
            waiting_for=waiting_for,
            state=state,
            limit=size,
            offset=(page - 1) * size,
        )
        shown = [applications.plain(office, case, whole=False) for case in found]
    if as_json:
        print_json(shown)
        return OK
    if not shown:
        note(say("没有申请。使用 zhengtong request new 提出申请。", "None. Apply with: zhengtong request new"))
        return OK
    table(
        "",
        [
            say("申请", "Application"),
            say("状态", "State"),
            say("申请方", "Applicant"),
            say("资源", "Resource"),
            say("待办部门", "Waits for"),
            say("时限", "Clock"),
        ],
        (
            [s["id"], _state(s["state"]), s["applicant"], s["resource"], s["answerer"], _clock(s["clock"])]
            for s in shown
        ),
    )
    return OK


@requests.command("show", help=say("查看一项申请及其办理过程", "Show an application and its history"))
def show(id_: Id, *, as_json: Json = False) -> int:
    """With its clock: day n of m in working days."""
    from hub import applications

    with opened() as office:
        plain = applications.plain(office, applications.get(office, id_))
    if as_json:
        print_json(plain)
        return OK
    _show(plain)
    return OK


@requests.command(
    "check",
    help=say("申请是否已授权（退出码 0 已授权，8 待办，4 未获同意）", "Is it granted? exit 0 yes, 8 waits, 4 no"),
)
def check(id_: Id, *, as_json: Json = False) -> int:
    """For scripts."""
    from hub import applications

    with opened() as office:
        case = applications.get(office, id_)
        plain = applications.plain(office, case, whole=False)
    how = applications.outcome(case)
    if as_json:
        print_json({"outcome": how, **plain})
    else:
        out.print(
            " ".join(filter(None, (_state(plain["state"]), plain["grant"], _clock(plain["clock"])))), markup=False
        )
    return _CODES[how]


@requests.command("ask", help=say("要求申请人补充", "Ask the applicant to complete it"))
def ask(
    id_: Id,
    question: Annotated[str, typer.Argument(help=say("需补充的内容", "what is missing"), show_default=False)],
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """For the provider."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.ask(office, id_, question, actor=Actor.parse(by), revision=revision)
        _told(office, case, as_json=as_json)
    return OK


@requests.command("supply", help=say("补充申请", "Complete the application"))
def supply(
    id_: Id,
    answer: Annotated[str, typer.Argument(help=say("补充说明", "the answer"), show_default=False)],
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """For the applicant; the application then rests on the list in force."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.supply(office, id_, answer, actor=Actor.parse(by), revision=revision)
        return _told(office, case, as_json=as_json)


@requests.command("approve", help=say("同意，或同意其中一部分", "Agree, as asked or to less"))
def approve(
    id_: Id,
    *,
    by: By,
    field: OnlyFields = None,
    mask: Masks = None,
    rows: Rows = None,
    action: Actions = None,
    matter: Matters = None,
    quota: Quota = None,
    days: Days = None,
    note_: Note = "",
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """For the provider; the grant is given with it."""
    from hub import applications
    from hub.actors import Actor

    terms = less(fields=field, masks=mask, rows=rows, actions=action, matters=matter, quota=quota, days=days)
    with opened() as office:
        case = applications.approve(office, id_, actor=Actor.parse(by), less=terms, note=note_, revision=revision)
        _told(office, case, as_json=as_json)
    return OK


@requests.command("refuse", help=say("不予同意，须注明依据", "Refuse, citing the ground"))
def refuse(
    id_: Id, *, by: By, ground: Ground, note_: Note = "", revision: Revision = None, as_json: Json = False
) -> int:
    """For the provider."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.refuse(office, id_, ground=ground, actor=Actor.parse(by), note=note_, revision=revision)
        _told(office, case, as_json=as_json)
        if not as_json:
            until = day(office.clocks.due(applications.DISPUTE_WINDOW, case.updated_at).due)
            note(say(f"申请方可于 {until} 前提出争议。", f"The applicant may dispute this until {until}."))
    return OK


@requests.command("withdraw", help=say("撤回申请", "Take the application back"))
def withdraw(id_: Id, *, by: By, note_: Note = "", revision: Revision = None, as_json: Json = False) -> int:
    """For the applicant."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.withdraw(office, id_, actor=Actor.parse(by), note=note_, revision=revision)
        _told(office, case, as_json=as_json)
    return OK


@requests.command(
    "dispute",
    help=say(
        "对不予同意提出争议，逐级：协商、协调、报请决定", "Dispute a refusal, tier by tier: consult, mediate, decide"
    ),
)
def dispute(
    id_: Id,
    reason: Annotated[str, typer.Argument(help=say("理由", "why"), show_default=False)],
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """For the applicant; exit 8, for the next tier has to answer."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.dispute(office, id_, reason, actor=Actor.parse(by), revision=revision)
        return _told(office, case, as_json=as_json)


@requests.command(
    "settle", help=say("处理争议：授权，或维持不予同意", "Settle the dispute: give the grant, or let it stand")
)
def settle(
    id_: Id,
    *,
    by: By,
    give: Annotated[
        bool,
        typer.Option("--give/--uphold", help=say("授权，或维持不予同意", "give the grant, or let the refusal stand")),
    ],
    field: OnlyFields = None,
    mask: Masks = None,
    rows: Rows = None,
    action: Actions = None,
    matter: Matters = None,
    quota: Quota = None,
    days: Days = None,
    ground: Ground = "",
    document: Annotated[
        str, typer.Option("--document", help=say("政府决定的文号", "the number of the government's decision"))
    ] = "",
    note_: Note = "",
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Tier 1 is the provider's, 2 the office's; of 3 the office records the government's decision."""
    from hub import applications
    from hub.actors import Actor

    terms = less(fields=field, masks=mask, rows=rows, actions=action, matters=matter, quota=quota, days=days)
    with opened() as office:
        case = applications.settle(
            office,
            id_,
            actor=Actor.parse(by),
            give=give,
            less=terms,
            ground=ground,
            note=note_,
            document=document,
            revision=revision,
        )
        _told(office, case, as_json=as_json)
    return OK


def _told(office: Office, case: Case, *, as_json: bool) -> int:
    """Say how the case stands now; the exit code of a case that stands so."""
    from hub import applications

    plain = applications.plain(office, case)
    how = applications.outcome(case)
    if as_json:
        print_json({"outcome": how, **plain})
        return _CODES[how]
    out.print(f"{case.id}  {_state(case.state)}", markup=False)
    if plain["grant"]:
        entry = plain["history"][-1]["log_index"]
        note(say(f"授权 {plain['grant']}，日志条目 {entry}。", f"Grant {plain['grant']}, log entry {entry}."))
    elif plain["clock"]:
        due = plain["clock"]["due"][:10]
        note(say(f"待 {plain['answerer']} 于 {due} 前办理。", f"Waits for {plain['answerer']} until {due}."))
    return _CODES[how]


def _show(plain: dict[str, Any]) -> None:
    from catalog.terms import FieldWish

    rows = [
        [say("状态", "State"), f"{_state(plain['state'])}  {_clock(plain['clock'])}"],
        [say("申请方", "Applicant"), plain["applicant"]],
        [say("资源", "Resource"), f"{plain['resource']} ({plain['provider']})"],
        [say("事项", "Matters"), ", ".join(plain["purposes"])],
        [say("操作", "Actions"), action_words(plain["actions"])],
        [say("行范围", "Rows"), "; ".join(plain["rows"])],
        [say("每日调用量", "Calls a day"), plain["volume_per_day"] or ""],
        [say("期限（天）", "Term in days"), plain["term_days"]],
        [say("依据", "Ground"), plain["ground"]],
        [say("授权", "Grant"), plain["grant"]],
        [say("可办理", "Possible now"), ", ".join(plain["possible"])],
    ]
    table(f"{plain['id']}  ({say('修订', 'revision')} {plain['revision']})", ["", ""], rows)
    wished = [FieldWish(**wish) for wish in plain["fields"]]
    table("", [say("信息项", "Field"), say("理由", "Reason")], ([w.name, w.reason] for w in wished))
    headings = [
        say("时间", "At"),
        say("办理人", "By"),
        say("步骤", "Step"),
        say("状态", "State"),
        say("说明", "Note"),
        "",
    ]
    history = (
        [s["at"][:16], s["actor"], s["step"], _state(s["state"]), s["note"], f"#{s['log_index']}"]
        for s in plain["history"]
    )
    table("", headings, history)


def _state(state: str) -> str:
    return state_word(KIND, state)


def _clock(clock: dict[str, Any] | None) -> str:
    if clock is None:
        return ""
    if clock["left"] < 0:
        return say(f"已超期 {-clock['left']} 个工作日", f"{-clock['left']} working days overdue")
    return say(
        f"第 {clock['day']} 天，剩 {clock['left']} 个工作日",
        f"day {clock['day']} of {clock['of']}, {clock['left']} left",
    )


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(requests, name="request")
