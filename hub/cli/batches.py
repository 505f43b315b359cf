"""`zhengtong batch …`: order rows by the million, follow, fetch and check them as a department does; and make them.

A department's commands go over the API (`hub.cli.client_access`); `run` works on the hub's machine, `check` on any.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import read_file
from hub.cli.client_access import Access, AnswerKey, KeyFile, ProfileName, Server
from hub.cli.common import Json  # noqa: TC001 - typer reads annotations when it runs
from hub.cli.language import LANG, say
from hub.cli.output import (
    CONFLICT,
    OK,
    SIGNATURE_INVALID,
    WAITING,
    fail,
    note,
    print_json,
    table,
)
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

batch = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("批量数据", "Rows by the million"))

Id = Annotated[
    str, typer.Argument(metavar=say("批量编号", "BATCH"), help=say("批量任务编号", "its number"), show_default=False)
]
_STATES = {
    "ordered": say("等待生成", "ordered"),
    "running": say("正在生成", "running"),
    "ready": say("可下载", "ready"),
    "expired": say("已过期", "expired"),
    "failed": say("失败", "failed"),
    "cancelled": say("已取消", "cancelled"),
}


def _told(plain: Mapping[str, Any], *, as_json: bool) -> int:
    """Print one order; 8 while its files are still to come, 6 where they never will."""
    if as_json:
        print_json(plain)
    else:
        rows = [
            (say("编号", "Batch"), plain["id"]),
            (say("状态", "State"), _STATES[plain["state"]]),
            (say("资源", "Resource"), plain["resource"]),
            (say("授权", "Grant"), plain["grant"]),
            (say("信息项", "Fields"), ", ".join(plain["fields"])),
            (say("行数", "Rows"), f"{plain['rows_done']:,} / {plain['rows_total']:,}"),
            (say("保留至", "Kept until"), plain["expires"] or ""),
            (say("日志条目", "Log entry"), str(plain["log_index"])),
        ]
        table("", ["", ""], rows)
        if plain["error"]:
            note(plain["error"]["text"])
    if plain["state"] in ("ordered", "running"):
        return WAITING
    return OK if plain["state"] == "ready" else CONFLICT


@batch.command("order", help=say("订购一个资源的多行数据", "Order many rows of a resource"))
def order(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help=say("事项编码（必填用途）", "matter code: what it is for"))],
    case: Annotated[str, typer.Option("--case", help=say("办件号", "case number"))] = "",
    fields: Annotated[str, typer.Option("--fields", help=say("信息项，逗号分隔", "fields, comma-separated"))] = "",
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows", metavar="RULE", help=say("行范围，如 county in 341202；可重复", "a row rule; may repeat")
        ),
    ] = None,
    grant: Annotated[str, typer.Option("--grant", help=say("授权编号", "the grant to use"))] = "",
    form: Annotated[str, typer.Option("--format", help=say("格式", "parquet, csv, csv.gz"))] = "parquet",
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """Exit 8: taken, and made by and by."""
    chosen = [name.strip() for name in fields.split(",") if name.strip()]
    wish: dict[str, Any] = {"fields": chosen, "rows": rows, "grant": grant, "format": form}
    wish |= {"case": case} if case else {}
    with Access(profile, key_file, server, answer_key).client() as client:
        plain = client.batches.order(code, matter=purpose, **wish)
    code_ = _told(plain, as_json=as_json)
    if not as_json:
        note(
            say(
                f"已受理。查看进度：zhengtong batch show {plain['id']}",
                f"Taken. See how far it is: zhengtong batch show {plain['id']}",
            )
        )
    return code_


@batch.command("list", help=say("本部门的批量任务", "The department's orders"))
def list_(
    *,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """Newest first."""
    with Access(profile, key_file, server, answer_key).client() as client:
        found = client.batches.list()
    if as_json:
        print_json(found)
        return OK
    headings = [say("编号", "Batch"), say("状态", "State"), say("资源", "Resource"), say("行数", "Rows")]
    headings += [say("订购时间", "Ordered"), say("保留至", "Kept until")]
    table(
        "",
        headings,
        (
            [
                *(one["id"], _STATES[one["state"]], one["resource"], f"{one['rows_done']:,} / {one['rows_total']:,}"),
                *(one["ordered_at"][:16], (one["expires"] or "")[:16]),
            ]
            for one in found
        ),
        right=(3,),
    )
    return OK


@batch.command("show", help=say("查看一个批量任务", "One order: its state, and how far it is"))
def show(
    id_: Id,
    *,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """Exit 0: ready; 8: still to come; 6: failed, cancelled or expired."""
    with Access(profile, key_file, server, answer_key).client() as client:
        return _told(client.batches.show(id_), as_json=as_json)


@batch.command("cancel", help=say("取消一个批量任务，删除其文件", "Give an order up; its files go"))
def cancel(
    id_: Id,
    *,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """Before or after it was made."""
    with Access(profile, key_file, server, answer_key).client() as client:
        plain = client.batches.cancel(id_)
    _told(plain, as_json=as_json)
    return OK


@batch.command("fetch", help=say("下载全部文件，可断点续传", "Fetch every file; goes on where it stopped"))
def fetch(
    id_: Id,
    *,
    into: Annotated[
        Path | None, typer.Option("--into", help=say("目标文件夹（默认 ./编号）", "folder (default ./BATCH)"))
    ] = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """Every part is checked against the signed manifest; run again after any failure."""
    folder = into or Path(id_)

    def told(name: str, rows: int, of: int) -> None:
        if not as_json:
            note(say(f"{name}：{rows:,} 行，共 {of:,} 行", f"{name}: {rows:,} rows of {of:,}"))

    with Access(profile, key_file, server, answer_key).client() as client:
        fetched = client.batches.fetch(id_, folder, told)
    if as_json:
        print_json({"folder": str(folder), "rows": fetched.rows, "parts": len(fetched.paths)})
    else:
        note(
            say(
                f"已下载至 {folder}，签名与摘要均有效。再次核对：zhengtong batch check {folder}",
                f"Fetched into {folder}; signature and digests hold. Check again: zhengtong batch check {folder}",
            )
        )
    return OK


@batch.command(
    "check", help=say("离线核对文件夹：签名、摘要、行数", "Check a folder offline: signature, digests, counts")
)
def check(
    folder: Annotated[Path, typer.Argument(metavar=say("文件夹", "FOLDER"), show_default=False)],
    *,
    key: Annotated[
        Path | None, typer.Option("--key", help=say("平台应答公钥文件", "file with the hub's answer key"))
    ] = None,
    as_json: Json = False,
) -> int:
    """Exit 10 when anything does not hold. Needs no hub."""
    from hub.batches.errors import ManifestInvalidError
    from hub.batches.manifest import check as check_folder
    from hub.signatures import AnswerVerifier

    text = read_file(key or Settings.from_environment().answer_key, say("平台应答公钥", "the hub's answer key"))
    try:
        checked = check_folder(folder, [AnswerVerifier.from_text(text)])
    except ManifestInvalidError as error:
        fail(error, as_json=as_json)
        return SIGNATURE_INVALID
    if as_json:
        findings = [{"code": one.code, "message": one.text(LANG), "failed": one.failed} for one in checked.findings]
        print_json({"ok": checked.holds, "manifest": dict(checked.manifest), "findings": findings})
        return OK if checked.holds else SIGNATURE_INVALID
    for one in checked.findings:
        note(one.text(LANG))
    rows, parts = checked.manifest["rows"], len(checked.manifest["parts"])
    if checked.holds:
        note(say(f"有效：{parts} 个文件，{rows:,} 行。", f"It holds: {parts} files, {rows:,} rows."))
        return OK
    note(say("无效，请勿使用。", "It does not hold; do not use it."))
    return SIGNATURE_INVALID


@batch.command("run", help=say("生成等待中的批量任务（平台侧）", "Make the orders that wait (on the hub)"))
def run(
    *,
    once: Annotated[bool, typer.Option("--once", help=say("没有等待的任务即结束", "end when none waits"))] = False,
) -> int:
    """One at a time until Ctrl-C; as many of these as there are machines. Without it the API makes them itself.

    Batches of licences that officers order in the portal are worked on beside them.
    """
    import threading

    from hub import licensing
    from hub.batches.desk import Batches
    from hub.batches.making import Runner, Worker
    from hub.licensing import running
    from hub.licensing.runs import Runs
    from hub.office import Office
    from hub.service import answer_signer
    from hub.standing import Standing

    settings = Settings.from_environment()
    with Office.open(settings) as office:
        standing = Standing(settings, office.control)
        signer = answer_signer(settings)
        batches = Batches.over(settings, office.control, office.evidence, standing, signer, threads=None)
        runs = Runs(office.control, office.evidence)

        def counter() -> licensing.Licensing:
            return licensing.Licensing.open(settings)

        try:
            if once:
                batches.sweep()
                made = 0
                for worker in (Worker(batches), running.Worker(runs, counter)):
                    while worker.run_once() is not None:
                        made += 1
                note(say(f"处理了 {made} 个批量任务。", f"{made} orders were worked on."))
                return OK
            runners = (Runner(batches), running.Runner(runs, counter))
            for runner in runners:
                runner.start()
            note(say("等待批量任务（Ctrl-C 停止）", "Waiting for orders (Ctrl-C stops)"))
            try:
                threading.Event().wait()
            finally:
                for runner in runners:
                    runner.stop()
        finally:
            batches.close()
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(batch, name="batch")
