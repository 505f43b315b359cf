"""`zhengtong seal signer …` and `zhengtong seal sign …`: persons who sign remotely, and what they are asked to sign.

A PIN or one-time password comes from a prompt or a file, never from the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.common import By, Concerning, Json  # noqa: TC001 - Typer reads the annotations
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table
from hub.cli.seal_common import Code, File, Purpose, To, document, opened, written

signer = typer.Typer(no_args_is_help=True, help=say("云签签名人", "Persons who sign remotely"))
sign = typer.Typer(no_args_is_help=True, help=say("云签：申请、批准、谢绝", "Remote signatures"))

Person = Annotated[
    str,
    typer.Argument(
        metavar=say("部门代码:代号", "DEPARTMENT:PSEUDONYM"),
        help=say("签名人，不填姓名，如 MZJ:deputy-2", "the signer, not by name, e.g. MZJ:deputy-2"),
        show_default=False,
    ),
]
PinFile = Annotated[
    Path | None, typer.Option("--pin-file", help=say("存放 PIN 码的文件", "file with the PIN"), show_default=False)
]
OtpFile = Annotated[
    Path | None,
    typer.Option("--otp-file", help=say("存放一次性口令的文件", "file with the one-time password"), show_default=False),
]
Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help=say("申请编号", "the request's number"), show_default=False)
]


@signer.command("add", help=say("登记签名人", "Register a person who signs remotely"))
def signer_add(
    person: Person,
    *,
    by: By,
    pin_file: PinFile = None,
    renew: Annotated[
        bool, typer.Option("--renew", help=say("遗失 PIN 码：换新密钥并撤销旧证书", "a lost PIN: another key"))
    ] = False,
    ground: Annotated[str, typer.Option("--ground", help=say("换新的依据", "why, with --renew"))] = "",
    as_json: Json = False,
) -> int:
    """The address for the authenticator is shown once."""
    pin = _secret(pin_file, say("PIN 码", "PIN"), confirm=True)
    with opened() as office:
        if renew:
            done = office.renew_signer(person, pin, by=by, ground=ground)
        else:
            done = office.add_signer(person, pin, by=by)
    if as_json:
        print_json({"ok": True, "person": done.person, "number": done.number, "otp_uri": done.otp_uri})
        return OK
    note(
        say(
            f"{done.person} 已登记（第 {done.number} 个密钥）。请将下列地址录入口令器，仅显示一次：",
            f"{done.person} is registered (key {done.number}). Take this into an authenticator; it is shown once:",
        )
    )
    print(done.otp_uri)
    return OK


@signer.command("list", help=say("列出签名人", "List persons who sign remotely"))
def signer_list(*, department: Concerning = None, as_json: Json = False) -> int:
    """Ended keys, too."""
    with opened() as office:
        rows = office.signers(department)
    if as_json:
        print_json(rows)
        return OK
    headings = [say("签名人", "Signer"), say("密钥", "Key"), say("状态", "State"), say("证书序列号", "Certificate")]
    words = {"active": say("有效", "active"), "ended": say("已终止", "ended")}
    table("", headings, ([r["person"], r["number"], words[r["state"]], r["serial"]] for r in rows))
    return OK


@sign.command("ask", help=say("申请云签", "Ask a seal's keeper for a signature"))
def ask(
    code: Code,
    file: File,
    *,
    purpose: Purpose,
    title: Annotated[
        str,
        typer.Option("--title", help=say("文件标题，不含个人信息", "what the document is called; nothing personal")),
    ] = "",
    by: By,
    as_json: Json = False,
) -> int:
    """Open for ten minutes."""
    with opened() as office:
        asked = office.ask(code, document(file), purpose=purpose, title=title, by=by)
    if as_json:
        print_json(asked)
    else:
        note(say(f"请 {asked['person']} 在 10 分钟内批准。", f"{asked['person']} has ten minutes to approve."))
        print(asked["id"])
    return OK


@sign.command(
    "approve", help=say("以 PIN 码和一次性口令批准并签章", "Approve with PIN and one-time password, and sign")
)
def approve(
    request_: Request,
    file: File,
    *,
    to: To,
    by: By,
    pin_file: PinFile = None,
    otp_file: OtpFile = None,
    as_json: Json = False,
) -> int:
    """The file is the one that was asked about; five wrong proofs lock the signer."""
    data = document(file)
    pin = _secret(pin_file, say("PIN 码", "PIN"))
    password = _secret(otp_file, say("一次性口令", "One-time password"))
    with opened() as office:
        done = office.approve_and_sign(request_, data, by=by, pin=pin, password=password)
    return written(to, done.data, {"use": done.use, "form": done.form}, as_json=as_json)


@sign.command("decline", help=say("谢绝云签", "Decline a request"))
def decline(request_: Request, *, by: By, as_json: Json = False) -> int:
    """It is closed for good."""
    with opened() as office:
        done = office.decline(request_, by=by)
    if as_json:
        print_json(done)
    else:
        note(say(f"申请 {request_} 已谢绝。", f"Request {request_} is declined."))
    return OK


@sign.command("list", help=say("列出致某人的云签申请", "List the requests to a person"))
def requests(person: Person, *, as_json: Json = False) -> int:
    """The newest first."""
    from hub.seals.words import APPROVAL_STATES

    with opened() as office:
        rows = office.approvals(person)
    if as_json:
        print_json(rows)
        return OK
    headings = [
        say("申请", "Request"),
        say("印章", "Seal"),
        say("文件", "Document"),
        say("用途", "Purpose"),
        say("状态", "State"),
        say("截止", "Until"),
    ]
    table(
        "",
        headings,
        (
            [r["id"], r["seal"], r["title"], r["purpose"], say(*APPROVAL_STATES[r["state"]]), r["ends_at"][:19]]
            for r in rows
        ),
    )
    return OK


def _secret(file: Path | None, what: str, *, confirm: bool = False) -> str:
    if file is not None:
        return read_file(file, what)
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=confirm)).strip()
