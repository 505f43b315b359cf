"""`zhengtong audit checkpoints|consistency`: what the log was on a day, and that it has only grown since.

Works on the public files alone, the deployment's or copied ones. Nothing is recorded: nothing is told of anyone.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.audit import Json, audit
from hub.cli.audit_options import TIME, TIMES, KeyFile, LogFolder, moment, pinned
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table
from hub.errors import NotFoundError
from hub.settings import Settings

if TYPE_CHECKING:
    from audit.checkpoints import Kept
    from audit.verifiers import PublicKey


class NoCheckpointError(NotFoundError):
    """No checkpoint was kept so early."""

    code = "checkpoint_missing"
    en = "No checkpoint of {day} or before it was kept; the first is of {first}."
    zh = "没有保存 {day} 或之前的检查点；最早的为 {first}。"


@audit.command("checkpoints", help=say("按日期列出已发布的检查点", "List the checkpoints that were published, by day"))
def checkpoints(
    *,
    log: LogFolder = None,
    every: Annotated[
        bool, typer.Option("--all", help=say("列出全部（默认每天最后一个）", "all (default: a day's last)"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Their times are the publisher's word; their signatures are checked when something is proven by them."""
    from audit.checkpoints import kept
    from catalog.clock import day_of

    folder = log or Settings.from_environment().log
    found: dict[object, Kept] = {}
    for number, one in enumerate(kept(folder)):
        found[number if every else day_of(one.at)] = one
    if as_json:
        print_json(
            [{"at": one.at, "size": one.checkpoint.size, "root": one.checkpoint.root.hex()} for one in found.values()]
        )
        return OK
    rows = [(_shown(one.at), one.checkpoint.size, one.checkpoint.root.hex()) for one in found.values()]
    table("", [say("发布时间", "Published"), say("条目数", "Entries"), say("根", "Root")], rows, right=(1,))
    return OK


@audit.command(
    "consistency", help=say("证明日志在两个日期之间只增不改", "Prove that the log only grew between two days")
)
def consistency(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help=say("核验此一致性证明文件（不给则生成）", "check this consistency file (default: make one)"),
            show_default=False,
        ),
    ] = None,
    *,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=TIMES, metavar=TIME, help=say("旧检查点的日期", "day of the old checkpoint")),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            formats=TIMES,
            metavar=TIME,
            help=say("新检查点的日期（默认：最新）", "day of the new one (default: newest)"),
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=say("写入文件", "write it to this file"))
    ] = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> int:
    """13 when the log was rewritten, or a checkpoint is not by the log's key."""
    from audit.checkpoints import ConsistencyProof, prove_growth
    from audit.pinned import PinnedLog

    settings = Settings.from_environment()
    if file is not None:
        proof = ConsistencyProof.from_text(read_file(file, say("一致性证明", "consistency file")) + "\n")
        old, new = proof.verify(_keys(settings, key_file))
    else:
        if since is None:
            raise typer.BadParameter(
                say("请给出旧检查点的日期", "the day of the old checkpoint is wanted"), param_hint="--from"
            )
        folder = log or settings.log
        verifiers = pinned(key_file) if log is not None else _keys(settings, key_file)
        first = checkpoint_on(folder, since)
        last = None if until is None else checkpoint_on(folder, until).note
        proof = prove_growth(PinnedLog(folder, verifiers), first.note, last)
        old, new = proof.verify(verifiers)
        if output is not None:
            output.write_text(proof.to_text(), encoding="utf-8")
    if as_json:
        print_json({"ok": True, "log": new.origin, "old": old.size, "new": new.size, "root": new.root.hex()})
    else:
        note(
            say(
                f"一致：日志 {new.origin} 由 {old.size} 条增至 {new.size} 条，原有条目未变。",
                f"Consistent: the log {new.origin} grew from {old.size} to {new.size} entries; none of them changed.",
            )
        )
    return OK


def checkpoint_on(folder: Path, at: datetime) -> Kept:
    """The newest checkpoint of the day *at*, or up to that minute where it has one.

    Raises:
        NoCheckpointError: none is so old.
        LogDamagedError: the file of checkpoints is not what was written.
    """
    from audit.checkpoints import kept, kept_at

    wanted = moment(at, end=True)
    found = kept_at(folder, wanted) if wanted is not None else None
    if found is None:
        first = next(iter(kept(folder)), None)
        raise NoCheckpointError(day=at.isoformat(" ", "minutes"), first=_shown(first.at) if first else "-")
    return found


def _keys(settings: Settings, key_file: Path | None) -> tuple[PublicKey, ...]:
    from hub.evidence import log_verifier

    # The old checkpoint may be older than the log's second key.
    return (log_verifier(settings),) if key_file is None else pinned(key_file)


def _shown(at: datetime) -> str:
    from catalog.clock import SHANGHAI

    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
