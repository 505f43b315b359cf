"""`zhengtong changes`: what changes in a resource, a line of JSON for each event, from a cursor in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.client_access import Access, AnswerKey, KeyFile, ProfileName, Server
from hub.cli.language import say
from hub.cli.output import OK, note
from hub.files import replace_file

NOW = "now"


def changes(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    *,
    purpose: Annotated[
        str | None, typer.Option("--purpose", help=say("事项编码（必填用途）", "matter code: what it is for"))
    ] = None,
    case: Annotated[str, typer.Option("--case", help=say("办件号", "case number"))] = "",
    fields: Annotated[str, typer.Option("--fields", help=say("信息项，逗号分隔", "fields, comma-separated"))] = "",
    since: Annotated[
        str,
        typer.Option("--since", metavar="CURSOR", help=say("起始游标", "from this cursor")),
    ] = NOW,
    cursor_file: Annotated[
        Path | None,
        typer.Option(
            "--cursor-file",
            metavar="FILE",
            help=say("游标文件：存在则由此继续，每页之后更新", "goes on from the cursor in it, keeps the next there"),
        ),
    ] = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
) -> int:
    """Print what happened since; ends where nothing more is there now."""
    kept = cursor_file is not None and cursor_file.exists()
    cursor = cursor_file.read_text(encoding="utf-8").strip() if cursor_file is not None and kept else since
    asked = [name.strip() for name in fields.split(",") if name.strip()]
    optional: dict[str, Any] = {"case": case} if case else {}
    events = 0
    with Access(profile, key_file, server, answer_key).client() as client:
        followed = client.changes(code, matter=purpose or "", cursor=cursor, fields=asked or None, **optional)
        for change in followed:
            sys.stdout.write(json.dumps(change.event, ensure_ascii=False) + "\n")
            events += 1
            if cursor_file is not None and change.cursor != cursor:
                # What was printed must have left before it is not asked for again: told twice, if need be, never lost.
                sys.stdout.flush()
                cursor = change.cursor
                _keep(cursor_file, cursor)
        cursor = followed.cursor
    sys.stdout.flush()
    if cursor_file is not None:
        _keep(cursor_file, cursor)
    note(say(f"变更 {events} 项。下一游标：{cursor}", f"Changes: {events}. Next cursor: {cursor}"))
    return OK


def _keep(path: Path, cursor: str) -> None:
    replace_file(path, f"{cursor}\n".encode(), mode=0o600)


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("changes", help=say("追踪资源的变更（逐行输出 JSON）", "Follow a resource's changes, as JSON lines"))(
        changes
    )
