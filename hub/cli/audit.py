"""`zhengtong audit …`: check the log from its entries, decide a call again, show an entry with its proof.

Searching and drawing are in `hub.cli.audit_search`, what the log was on a day in `hub.cli.audit_growth`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from hub.cli.audit_options import KeyFile, LogFolder, pinned
from hub.cli.audit_trust import Least, PolicyFile, Witnesses, trust_in
from hub.cli.language import LANG, say
from hub.cli.output import LOG_INVALID, OK, UNDECIDED, note, out, print_json, table
from hub.settings import Settings

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("审计", "Audit"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Index = Annotated[int, typer.Argument(metavar="N", min=0, help=say("日志条目序号", "log entry"), show_default=False)]


@audit.command("verify", help=say("由条目重算整个日志", "Recompute the whole log from its entries"))
def verify(
    *,
    witnesses: Witnesses = None,
    quorum: Least = None,
    policy: PolicyFile = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> int:
    """Every hash, tile, root and signature; exit 13 when anything does not hold."""
    from audit.fsck import check_log
    from hub.evidence import log_verifiers

    settings = Settings.from_environment()
    keys = pinned(key_file) if key_file or log else log_verifiers(settings)
    report = check_log(log or settings.log, trust_in(keys, (), witnesses, quorum, policy))
    if as_json:
        print_json(
            {
                "ok": not report.faults,
                "size": report.size,
                "root": report.root.hex(),
                "unpublished": report.unpublished,
                "witnessed": report.witnessed,
                "entries_by_kind": dict(report.entries_by_kind),
                "faults": [{"where": f.where, "code": f.code, "message": f.text(LANG)} for f in report.faults],
            }
        )
        return LOG_INVALID if report.faults else OK
    for fault in report.faults:
        out.print(fault.text(LANG), markup=False)
    table(
        "", [say("条目类型", "Kind of entry"), say("数量", "Count")], sorted(report.entries_by_kind.items()), right=(1,)
    )
    waiting = ""
    if report.unpublished:
        waiting = say(
            f"；另有 {report.unpublished} 个条目尚未纳入检查点",
            f"; {report.unpublished} more are not in a checkpoint yet",
        )
    if report.witnessed is not None:
        waiting += say(f"；见证方联署至 {report.witnessed} 个条目", f"; witnesses cosigned {report.witnessed} of them")
    verdict = say("日志有误", "The log is NOT in order") if report.faults else say("日志完好", "The log is in order")
    note(
        say(
            f"{verdict}：{report.size} 个条目，根 {report.root.hex()}{waiting}",
            f"{verdict}: {report.size} entries, root {report.root.hex()}{waiting}",
        )
    )
    return LOG_INVALID if report.faults else OK


@audit.command(
    "replay", help=say("重新裁决并重新扫描一次调用，与当时比对", "Decide and scan a call again, and compare")
)
def replay(index: Index, *, as_json: Json = False) -> int:
    """The same list, grants, snapshot: the same answer; exit 13 when not, 11 when something is gone."""
    from hub.auditing import replay as replay_entry

    report = replay_entry(Settings.from_environment(), index)
    if as_json:
        print_json(report.to_plain())
    else:
        out.print(report.text(LANG), markup=False)
    return {"same": OK, "different": LOG_INVALID}.get(report.verdict, UNDECIDED)


@audit.command("show", help=say("查看一个条目及其包含证明", "Show an entry and its inclusion proof"))
def show(
    index: Index,
    *,
    on: Annotated[
        datetime | None,
        typer.Option(
            "--on",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            metavar=say("日期", "DAY"),
            help=say("以该日期（北京时间）的检查点证明", "prove it by the checkpoint of that day (Shanghai time)"),
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """The public entry; what stands behind its body digest stays in the protected store."""
    from audit.log import Log
    from hub.cli.audit_growth import checkpoint_on

    folder = Settings.from_environment().log
    old = None if on is None else checkpoint_on(folder, on).note
    with Log.open(folder) as log:
        entry, proof = log.entry(index), log.prove(index, old)
    if as_json:
        print_json({"index": index, "entry": json.loads(entry), "proof": proof.to_text()})
        return OK
    print(json.dumps(json.loads(entry), ensure_ascii=False, indent=2))
    note(say("包含证明（C2SP tlog-proof）：", "Inclusion proof (C2SP tlog-proof):"))
    print(proof.to_text())
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    from hub.cli import audit_bodies, audit_growth, audit_search

    # Each of them hangs its commands under `audit`.
    del audit_bodies, audit_growth, audit_search
    app.add_typer(audit, name="audit")
