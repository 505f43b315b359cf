"""`zhengtong call`: call the data-invocation API as a department does, and check the answer's signature."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.arguments import pair
from hub.cli.client_access import Access, AnswerKey, KeyFile, ProfileName, Server
from hub.cli.common import Json  # noqa: TC001 - typer reads annotations when it runs
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table


def call(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    keys: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE…",
            help=say(
                "查询条件；VALUE 写作 @文件 或 - 时从文件或标准输入读取，避免个人信息留在命令历史中",
                "look-up keys; VALUE may be @FILE or - (standard input), which keeps personal data out of the "
                "shell's history",
            ),
            show_default=False,
        ),
    ],
    *,
    purpose: Annotated[
        str | None, typer.Option("--purpose", help=say("事项编码（必填用途）", "matter code: what it is for"))
    ] = None,
    case: Annotated[str, typer.Option("--case", help=say("办件号", "case number"))] = "",
    fields: Annotated[str, typer.Option("--fields", help=say("信息项，逗号分隔", "fields, comma-separated"))] = "",
    claim: Annotated[
        list[str] | None,
        typer.Option(
            "--verify", metavar="FIELD=VALUE", help=say("只核验，不取数；可重复", "verify only, no values; may repeat")
        ),
    ] = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """One call; prints the answer only when its signature holds."""
    matter, optional = purpose or "", {"case": case} if case else {}
    pairs = dict(pair(text, "KEY=VALUE") for text in keys)
    claims = dict(pair(text, "--verify") for text in claim or ())
    asked = [name.strip() for name in fields.split(",") if name.strip()]
    with Access(profile, key_file, server, answer_key).client() as client:
        if claims:
            called = client.verify(code, pairs, claims, matter=matter, **optional)
        else:
            called = client.query(code, pairs, matter=matter, fields=asked or None, **optional)
    if as_json:
        print_json(called.plain)
    elif claims:
        words = {
            "match": say("一致", "match"),
            "mismatch": say("不一致", "mismatch"),
            "unknown": say("无法核验", "unknown"),
        }
        table("", [say("信息项", "Field"), say("结果", "Result")], ([n, words[r]] for n, r in called.results.items()))
    elif not called.records:
        note(say("没有符合条件的记录。", "No record fits."))
    else:
        for record in called.records:
            masked = called.plain["masked"]
            rows = ([name, value, say("已脱敏", "masked") if name in masked else ""] for name, value in record.items())
            table("", [say("信息项", "Field"), say("值", "Value"), ""], rows)
    if not as_json:
        entry, log = called.receipt["entry"], called.receipt["log"]
        note(
            say(
                f"应答签名有效。存证：日志 {log} 第 {entry} 条。重放：zhengtong audit replay {entry}",
                f"The answer's signature holds. Evidence: entry {entry} of log {log}. "
                f"Replay: zhengtong audit replay {entry}",
            )
        )
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("call", help=say("调用数据（须说明用途）", "Call data, saying what for"))(call)
