"""`zhengtong licence download | copies | copy-withdraw | code …`: licences as files, their copies, one-time codes.

A holder's identifier comes from a file or a prompt, never from the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, note, print_json, table
from hub.settings import Settings

code = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("动态码", "One-time codes"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help=say("证照标识", "licence identifier"), show_default=False)
]
By = Annotated[str, typer.Option("--by", metavar="DEPARTMENT:POST", help=say("经办部门和岗位", "who acts"))]
Purpose = Annotated[str, typer.Option("--purpose", metavar="MATTER", help=say("事项编码", "the matter's code"))]
STATES = {"valid": ("有效", "valid"), "expired": ("已到期", "expired"), "withdrawn": ("已撤回", "withdrawn")}
FORMATS = "pdf | ofd | png | bundle | whole | qr | qr-png"


def download(
    identifier: Identifier,
    *,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help=FORMATS)] = "pdf",
    reason: Annotated[
        str, typer.Option("--reason", help=say("使用事由，印在加注件上", "what it is for; printed across the copy"))
    ],
    purpose: Purpose,
    days: Annotated[int, typer.Option("--days", help=say("加注件期限（天）", "term of the copy, in days"))],
    by: By,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=say("写入此文件", "write the file there"))],
    as_json: Json = False,
) -> int:
    """It is on record before the file is written; the file is for its owner's eyes alone."""
    from hub.actors import Actor
    from hub.files import replace_file
    from hub.licensing.downloads import Order
    from hub.licensing.paper_office import PaperOffice
    from hub.licensing.papers import Form

    if form not in set(Form):
        raise typer.BadParameter(say(f"应为 {FORMATS} 之一", f"one of {FORMATS} is wanted"), param_hint="--format")
    if not out.absolute().parent.is_dir():
        note(say(f"没有目录 {out.parent}。", f"There is no folder {out.parent}."))
        return NOT_FOUND
    office = PaperOffice.open(Settings.from_environment())
    done = office.downloads.download(identifier, Form(form), Order(purpose, reason, days), by=Actor.parse(by))
    replace_file(out, done.data, mode=0o600)
    if as_json:
        until = done.valid_until.isoformat()
        print_json({"ok": True, "copy": done.copy, "file": str(out), "until": until, "entry": done.log_index})
    else:
        day = f"{done.valid_until.astimezone():%Y-%m-%d %H:%M}"
        note(say(f"加注件 {done.copy}，有效期至 {day}。", f"Copy {done.copy}, good until {day}."))
        print(out)
    return OK


def copies(
    *,
    licence: Annotated[str, typer.Option("--licence", help=say("只列该证照的", "of this licence only"))] = "",
    department: Annotated[
        str, typer.Option("--department", help=say("只列该部门取得的", "in the hands of this department only"))
    ] = "",
    as_json: Json = False,
) -> int:
    """What was handed out: to which department, for which matter, until when; the newest first."""
    from hub.licensing.copies import state_of
    from hub.licensing.paper_office import PaperOffice

    office = PaperOffice.open(Settings.from_environment())
    rows = office.downloads.copies.find(licence=licence, department=department)
    now = office.licensing.evidence.clock()
    if as_json:
        print_json({"copies": [{**row, "state": state_of(row, now)} for row in rows]})
        return OK
    headings = (
        say("编号", "Copy"),
        say("证照标识", "Licence"),
        say("格式", "Form"),
        say("取得部门", "Department"),
        say("事项", "Matter"),
        say("使用事由", "Reason"),
        say("有效期至", "Until"),
        say("状态", "State"),
    )
    table(
        say("加注件", "Copies"),
        headings,
        (
            [
                row["id"],
                row["licence"],
                row["form"],
                row["department"],
                row["matter"],
                row["reason"],
                row["valid_until"].isoformat()[:16],
                STATES[state_of(row, now)][LANG != "zh"],
            ]
            for row in rows
        ),
    )
    return OK


def withdraw_copy(
    copy: Annotated[str, typer.Argument(metavar="COPY", help=say("加注件编号", "the copy's number"))],
    *,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help=say("事由", "why"))],
    as_json: Json = False,
) -> int:
    """Whoever asks the hub about the copy is told from now on; the department that has it, or the issuing one, may."""
    from hub.actors import Actor
    from hub.licensing.paper_office import PaperOffice

    office = PaperOffice.open(Settings.from_environment())
    row = office.downloads.withdraw(copy, by=Actor.parse(by), reason=reason)
    if as_json:
        print_json({"ok": True, "copy": copy, "withdrawn_at": row["withdrawn_at"].isoformat()})
    else:
        note(say(f"已撤回加注件 {copy}。", f"Copy {copy} is withdrawn."))
    return OK


@code.command("mint", help=say("在颁发部门窗口生成动态码", "Make a one-time code at the issuing department's counter"))
def mint(identifier: Identifier, *, by: By, as_json: Json = False) -> int:
    """Good for a minute, for one reader; it is kept nowhere."""
    from hub.actors import Actor
    from hub.licensing.paper_office import PaperOffice

    made = PaperOffice.open(Settings.from_environment()).codes.mint(identifier, by=Actor.parse(by))
    if as_json:
        print_json({"ok": True, "code": made.text, "expires_at": made.expires_at.isoformat()})
    else:
        print(made.text)
    return OK


@code.command("redeem", help=say("核验动态码，显示状态和可看的信息项", "Redeem a one-time code"))
def redeem(
    *,
    purpose: Purpose,
    by: By,
    code_file: Annotated[
        Path | None,
        typer.Option(
            "--code-file", help=say("存放动态码的文件（- 为标准输入）", "file with the code (- is standard input)")
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """A code opens what the holder shows, so it comes from a file or a prompt. It is spent by the attempt."""
    from hub.actors import Actor
    from hub.licensing.paper_office import PaperOffice

    if code_file is None:
        text = str(typer.prompt(say("动态码", "Code"), hide_input=True))
    elif str(code_file) == "-":
        text = typer.get_text_stream("stdin").readline()
    else:
        text = code_file.read_text(encoding="utf-8")
    office = PaperOffice.open(Settings.from_environment())
    shown = office.codes.redeem(text.strip("\r\n"), matter=purpose, by=Actor.parse(by))
    state = getattr(shown.state, LANG)
    if as_json:
        face = {name: value for name, _, value in shown.face}
        print_json({"ok": True, "identifier": shown.identifier, "state": shown.state.value, "face": face})
        return OK
    rows = [[say("证照标识", "Licence"), shown.identifier], [say("状态", "State"), state]]
    rows += [[title, value] for _, title, value in shown.face]
    table(shown.kind_name, (say("信息项", "Field"), say("内容", "Value")), rows)
    return OK


def add_documents_to(licence: typer.Typer) -> None:
    """Hang the commands into the tree."""
    licence.command("download", help=say("下载证照（加注件）", "A copy of a licence as a file"))(download)
    licence.command("copies", help=say("查看已提供的加注件", "The copies that were handed out"))(copies)
    licence.command("copy-withdraw", help=say("撤回加注件", "Withdraw a copy"))(withdraw_copy)
    licence.add_typer(code, name="code")
