"""`zhengtong backup …`: make a backup while the hub works, check one, put one back into a new home.

Leaves all of it to `hub.backups`. Passphrases come from files or standard input, never from the command line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.common import By, Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, FINDINGS, OK, note, out, print_json, table, usage
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.backups.manifest import Summary

backup = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("备份", "Backups"))

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("备份名称", "the backup's name"), show_default=False)]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help=say("备份所在目录（默认：ZHENGTONG_BACKUPS）", "where backups lie (default: ZHENGTONG_BACKUPS)"),
        show_default=False,
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help=say("密钥的备份口令所在文件，- 为标准输入", "the passphrase of the keys in it; - for stdin"),
        show_default=False,
    ),
]
Digest = Annotated[
    str,
    typer.Option(
        "--digest",
        metavar="SHA256",
        help=say("日志条目 backup.made 中的摘要", "its digest, as the log's entry backup.made has it"),
        show_default=False,
    ),
]


@backup.command("make", help=say("备份，平台可继续运行", "Make a backup while the hub works"))
def make(
    *,
    by: By,
    passphrase_file: PassphraseFile = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help=say("不含密钥（另行保管）", "leave the keys out"))
    ] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """The keys are sealed under the passphrase, or left out by choice: one of the two has to be said."""
    from hub.actors import Actor
    from hub.backups.making import make as make_backup

    if (passphrase_file is None) == (not without_keys):
        words = say(
            "请在 --passphrase-file 与 --without-keys 中择一。", "Give either --passphrase-file or --without-keys."
        )
        return usage(words, as_json=as_json)
    actor = Actor.parse(by)
    with opened() as office:
        made = make_backup(office, folder or office.settings.backups, by=actor, passphrase=_passphrase(passphrase_file))
    if as_json:
        print_json(
            {"name": made.path.name, "path": str(made.path), **_plain(made.summary), "log_index": made.log_index}
        )
        return OK
    table("", [say("内容", "Part"), say("文件", "Files"), say("字节", "Bytes")], _parts(made.summary), right=(1, 2))
    note(
        say(
            f"已备份：{made.path}；摘要 {made.summary.digest}，日志条目 {made.log_index}",
            f"Made: {made.path}; digest {made.summary.digest}, log entry {made.log_index}",
        )
    )
    return OK


@backup.command("list", help=say("列出备份", "Which backups there are"))
def list_(*, folder: Folder = None, as_json: Json = False) -> int:
    """Exit 20 where the newest is older than it should be, or there is none."""
    from hub.backups.recent import GOOD, standing
    from hub.evidence import utc_now

    settings = Settings.from_environment()
    found = standing(folder or settings.backups, settings.home, utc_now())
    if as_json:
        print_json(
            {
                "light": found.light,
                "age_s": None if found.age is None else int(found.age.total_seconds()),
                "unfinished": found.unfinished,
                "backups": [
                    {"name": one.name, **({"readable": False} if one.summary is None else _plain(one.summary))}
                    for one in found.known
                ],
            }
        )
    else:
        rows = [
            (one.name, one.summary.count, one.summary.size_bytes, one.summary.log_size, one.summary.keys)
            if one.summary is not None
            else (one.name, None, None, None, say("说明不可读", "its summary cannot be read"))
            for one in found.known
        ]
        heads = [say("名称", "Name"), say("文件", "Files"), say("字节", "Bytes"), say("日志条目", "Log entries")]
        table("", [*heads, say("密钥", "Keys")], rows, right=(1, 2, 3))
    return OK if found.light == GOOD else FINDINGS


@backup.command("check", help=say("逐个文件核对备份", "Compare a backup with what it says, file by file"))
def check(name: Name, *, digest: Digest = "", folder: Folder = None, as_json: Json = False) -> int:
    """Every file and the log in it; exit 5 when anything is not as it was."""
    from hub.backups.checking import check as check_backup
    from hub.backups.checking import find

    report = check_backup(find(folder or Settings.from_environment().backups, name), digest=digest)
    if as_json:
        plain = {} if report.summary is None else _plain(report.summary)
        faults = [{"code": one.code, "where": one.where, "message": one.text(LANG)} for one in report.faults]
        print_json({"ok": not report.faults, "name": name, **plain, "faults": faults})
    else:
        for fault in report.faults:
            out.print(fault.text(LANG), markup=False)
        if report.faults:
            note(say(f"备份已损坏：{len(report.faults)} 处。", f"The backup is damaged: {len(report.faults)} faults."))
        else:
            note(say(f"备份完好：{report.files} 个文件。", f"The backup is in order: {report.files} files."))
    return DATA_INVALID if report.faults else OK


@backup.command("restore", help=say("恢复到新目录", "Put a backup into a new home"))
def restore(
    name: Name,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help=say("新目录", "the new home"), show_default=False)],
    *,
    passphrase_file: PassphraseFile = None,
    digest: Digest = "",
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """The log is checked from its entries before the new home gets its name."""
    from hub.backups.checking import find
    from hub.backups.restoring import restore as restore_backup

    path = find(folder or Settings.from_environment().backups, name)
    done = restore_backup(path, to.absolute(), passphrase=_passphrase(passphrase_file), digest=digest)
    left = [en if LANG == "en" else zh for en, zh in done.left]
    if as_json:
        print_json({"home": str(done.home), "left": left, **_plain(done.summary)})
        return OK
    entries = done.summary.log_size
    note(say(f"已恢复：{done.home}，日志 {entries} 个条目", f"Restored: {done.home}, {entries} log entries"))
    for text in left:
        note(say(f"待办：{text}", f"To do: {text}"))
    return OK


def _passphrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    if str(path) == "-":
        return sys.stdin.readline().strip().encode()
    return read_file(path, say("口令", "passphrase")).encode()


def _plain(summary: Summary) -> dict[str, object]:
    return {
        "made_at": summary.made_at.isoformat(),
        "digest": summary.digest,
        "origin": summary.origin,
        "list_version": summary.list_version,
        "log_size": summary.log_size,
        "log_published": summary.log_published,
        "database": summary.database,
        "keys": summary.keys,
        "files": summary.count,
        "bytes": summary.size_bytes,
        "parts": [{"name": one.name, "files": one.files, "bytes": one.size_bytes} for one in summary.parts],
    }


def _parts(summary: Summary) -> list[tuple[str, int, int]]:
    return [(one.name, one.files, one.size_bytes) for one in summary.parts]


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(backup, name="backup")
