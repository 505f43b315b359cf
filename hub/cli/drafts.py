"""`zhengtong list submit|approve|…|publish`: a list's way from draft over review into force.

Which step is possible when is `catalog.review`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import By, Json, Revision, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import OK, WAITING, note, out, print_json

if TYPE_CHECKING:
    from hub.cases import Case
    from hub.office import Office
    from hub.published import Published

File = Annotated[
    Path,
    typer.Argument(
        help=say("清单文件（.xlsx、.yaml、CSV 的 .zip）", "the list (.xlsx, .yaml or a .zip of CSV)"),
        show_default=False,
    ),
]
Id = Annotated[
    str, typer.Argument(metavar=say("草案编号", "DRAFT"), help=say("草案编号", "the draft"), show_default=False)
]
Note = Annotated[str, typer.Option("--note", help=say("说明", "a note"))]
Reason = Annotated[str, typer.Option("--note", help=say("理由", "the reason"), show_default=False)]


def plain(case: Case) -> dict[str, Any]:
    """A draft as JSON."""
    return {
        "case": case.id,
        "revision": case.revision,
        "answerer": case.answerer,
        "due": day(case.due_at),
        **case.value,
    }


def submit(file: File, *, by: By, as_json: Json = False) -> int:
    """Check the file and hand it in; exit 5 with every fault, 8 when it waits for review."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        list_, findings = drafts.read(office, file)
        case = drafts.submit(office, list_, actor=Actor.parse(by), file=file.name, findings=findings)
        return _told(office, case, as_json=as_json, code=WAITING)


def resubmit(
    id_: Id,
    file: Annotated[
        Path | None,
        typer.Argument(
            help=say("修改后的清单；不填则原样重审", "the mended list; the same again if left out"), show_default=False
        ),
    ] = None,
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Hand it in again, to be reviewed against the list in force now."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        actor = Actor.parse(by)
        if file is None:
            case = drafts.resubmit(office, id_, actor=actor, revision=revision)
        else:
            list_, findings = drafts.read(office, file)
            case = drafts.resubmit(
                office, id_, list_, actor=actor, file=file.name, findings=findings, revision=revision
            )
        return _told(office, case, as_json=as_json, code=WAITING)


def approve(id_: Id, *, by: By, text: Note = "", revision: Revision = None, as_json: Json = False) -> int:
    """As another person of the office than who handed it in."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        case = drafts.approve(office, id_, actor=Actor.parse(by), note=text, revision=revision)
        return _told(office, case, as_json=as_json)


def send_back(id_: Id, *, text: Reason, by: By, revision: Revision = None, as_json: Json = False) -> int:
    """Say what to mend."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        case = drafts.send_back(office, id_, actor=Actor.parse(by), note=text, revision=revision)
        return _told(office, case, as_json=as_json)


def object_to(id_: Id, *, text: Reason, by: By, revision: Revision = None, as_json: Json = False) -> int:
    """As a department that the draft touches."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        case = drafts.object_to(office, id_, actor=Actor.parse(by), note=text, revision=revision)
        return _told(office, case, as_json=as_json)


def withdraw(id_: Id, *, by: By, text: Note = "", revision: Revision = None, as_json: Json = False) -> int:
    """Take it back."""
    from hub import drafts
    from hub.actors import Actor

    with opened() as office:
        case = drafts.withdraw(office, id_, actor=Actor.parse(by), note=text, revision=revision)
        return _told(office, case, as_json=as_json)


def draft(id_: Id, *, as_json: Json = False) -> int:
    """The draft, its changes by number, its warnings, objections and history."""
    with opened() as office:
        return _told(office, office.cases.get(id_, "list"), as_json=as_json, history=True)


def publish(
    what: Annotated[
        str,
        typer.Argument(
            metavar=say("文件或草案", "FILE|DRAFT"),
            help=say(
                "已同意的草案编号，或清单文件（一步办理全部步骤）",
                "an approved draft, or a file to take through all steps at once",
            ),
            show_default=False,
        ),
    ],
    *,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            envvar="ZHENGTONG_ACTOR",
            metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
            help=say("办理人；办理文件时为报送岗位", "who acts; with a file, who hands it in"),
        ),
    ] = "",
    approved_by: Annotated[
        str,
        typer.Option(
            "--approved-by",
            metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
            help=say("办理文件时的审核岗位，须另有其人", "with a file, who approves it: another post"),
        ),
    ] = "",
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Publish; the same version again changes nothing and says so."""
    from hub import drafts
    from hub.actors import Actor
    from hub.publishing import publish_draft, publish_in

    with opened() as office:
        if drafts.CASE.fullmatch(what):
            done = publish_draft(office, what, actor=Actor.parse(by), revision=revision)
        else:
            path = Path(what)
            list_, findings = drafts.read(office, path)
            done = publish_in(office, list_, by=by, approved_by=approved_by, file=path.name, findings=findings)
    return _published(done, as_json=as_json)


def _published(done: Published, *, as_json: bool) -> int:
    if as_json:
        print_json({"ok": True, "version": done.version, "entry": done.log_index, "already": done.already})
    elif done.already:
        note(say(f"此版本已发布，无变化：{done.version}", f"Already published, nothing changed: {done.version}"))
    else:
        note(
            say(
                f"已发布：{done.version}（日志条目 {done.log_index}）",
                f"Published: {done.version} (log entry {done.log_index})",
            )
        )
    return OK


def _told(office: Office, case: Case, *, as_json: bool, code: int = OK, history: bool = False) -> int:
    """Show a draft after a step of it."""
    steps = office.cases.history(case.id) if history else ()
    if as_json:
        told = plain(case)
        if history:
            told["history"] = [
                {
                    "at": s.at.isoformat(),
                    "by": s.actor,
                    "step": s.step,
                    "state": s.state,
                    "note": s.note,
                    "entry": s.log_index,
                }
                for s in steps
            ]
        print_json(told)
        return code
    value = case.value
    counts = say("，", ", ").join(f"{_weight(name)} {count}" for name, count in value["counts"].items() if count)
    lines = [
        f"{case.id}  {state_word('list', case.state)}  {value['title']}  {value['version']}",
        say(f"对照版本：{value['predecessor'] or '（无）'}", f"Against: {value['predecessor'] or 'no list'}"),
        say(f"变化：{counts or '无'}", f"Changes: {counts or 'none'}"),
    ]
    if case.due_at is not None:
        lines.append(
            say(f"请 {case.answerer} 于 {day(case.due_at)} 前审核", f"{case.answerer} reviews it by {day(case.due_at)}")
        )
    lines += [f"{o['department']}: {o['note']}" for o in value["objections"]]
    lines += [f"{day(s.at)}  {s.actor}  {s.step}  {s.note}" for s in steps]
    for line in lines:
        out.print(line, markup=False)
    if value["warning_count"]:
        shown = value["warnings"] if history else []
        for warning in shown:
            out.print(f"{warning['where']}: {warning[LANG]}", markup=False)
        note(say(f"{value['warning_count']} 处提示", f"{value['warning_count']} warnings"))
    return code


def _weight(name: str) -> str:
    from catalog.changes import WEIGHTS, Weight

    en, zh = WEIGHTS[Weight(name)]
    return say(zh, en)


def add_to(lists: typer.Typer) -> None:
    """Hang the commands into `zhengtong list`."""
    for name, function, text in (
        ("submit", submit, say("报送清单草案，待审核", "Hand a draft in for review")),
        (
            "resubmit",
            resubmit,
            say("重新报送（修改后，或现行清单已变动）", "Hand it in again: mended, or against the list in force now"),
        ),
        ("approve", approve, say("审核通过草案", "Find a draft right, as a second person")),
        ("return", send_back, say("退回草案修改", "Send a draft back for mending")),
        ("object", object_to, say("相关部门提出异议", "Object, as a department that the draft touches")),
        ("withdraw", withdraw, say("撤回草案", "Take a draft back")),
        ("draft", draft, say("查看草案及办理经过", "Show a draft and what became of it")),
        (
            "publish",
            publish,
            say("发布清单，并编译供调度使用的登记表", "Publish a list and compile the registry for the scheduler"),
        ),
    ):
        lists.command(name, help=text)(function)
