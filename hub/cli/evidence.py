"""`zhengtong evidence pack|check`: hand entries on with all that proves them, and check what was handed on.

Packing is `hub.packing`'s and recorded in the log; checking is `audit.pack`'s and needs nothing of the hub: on a
machine without it, ``python -m audit PACK.zip --key log.vkey`` does the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.audit_options import (
    By,
    IndexFile,
    KeyFile,
    Keys,
    LogFolder,
    Since,
    Subjects,
    Until,
    at_desk,
    covered,
    pinned,
    query_of,
)
from hub.cli.audit_trust import Least, PolicyFile, Witnesses, trust_in
from hub.cli.common import Json  # noqa: TC001 - Typer reads annotations
from hub.cli.language import LANG, say
from hub.cli.output import LOG_INVALID, OK, UNDECIDED, note, out, print_json

if TYPE_CHECKING:
    from audit.verifiers import PublicKey
    from hub.cli.audit_options import Opened

evidence = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("证据包", "Evidence packs"))


@evidence.command("pack", help=say("将条目及其证明制成一个文件", "Put entries and their proofs into one file"))
def pack(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help=say("写入的文件", "the file to write"))],
    entries: Annotated[
        str | None,
        typer.Option("--entries", metavar="1,5,9-12", help=say("条目序号", "numbers of entries"), show_default=False),
    ] = None,
    persons: Keys = None,
    subjects: Subjects = None,
    since: Since = None,
    until: Until = None,
    bodies: Annotated[
        bool, typer.Option(help=say("附受保护的正文（含个人信息）", "with the protected bodies (personal data)"))
    ] = True,
    receipts: Annotated[
        list[Path] | None, typer.Option("--receipt", help=say("附回执文件，可多次", "a receipt's file; may repeat"))
    ] = None,
    by: By = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    index: IndexFile = None,
    as_json: Json = False,
) -> int:
    """Entries by number, or those of a person in a span of time."""
    from audit.pack import check_pack
    from audit.verifiers import Trust
    from hub.packing import names_of, places_of
    from hub.packing import pack as make

    if (entries is None) == (not persons and not subjects):
        raise typer.BadParameter(
            say("请给出条目序号，或当事人", "give either numbers of entries or a person"), param_hint="--entries"
        )
    with at_desk(by, log, key_file, index) as given:
        query = query_of(given, persons=persons, subjects=subjects, since=since, until=until)
        if entries is not None:
            places = places_of(entries)
        else:
            reading = covered(given, reading=False)
            places = [hit.index for hit in given.desk.find(query, reading=reading)]
        settings = given.office.settings if given.office is not None else None
        data = make(
            given.desk,
            settings,
            places,
            query=query,
            bodies=bodies,
            receipts=[path.read_bytes() for path in receipts or ()],
            keys=names_of(_verifiers(given, key_file)),
        )
        trust = Trust(_verifiers(given, key_file))
    report = check_pack(data, trust)
    if report.verdict == "holds":
        output.write_bytes(data)
    if as_json:
        print_json({"file": str(output), "size_bytes": len(data), **report.to_plain()})
    else:
        out.print(report.text(LANG), markup=False)
        if report.verdict == "holds":
            note(say(f"已写入 {output}（{len(data)} 字节）。", f"Written to {output} ({len(data)} bytes)."))
    return OK if report.verdict == "holds" else LOG_INVALID


@evidence.command("check", help=say("核验证据包", "Check an evidence pack"))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("证据包", "the pack"), show_default=False)],
    *,
    key_file: KeyFile = None,
    also: Annotated[
        Path | None,
        typer.Option(
            "--also",
            help=say(
                "也须签名的公钥文件（第二签名、见证方）", "keys that must have signed, too: a second one, witnesses"
            ),
        ),
    ] = None,
    witnesses: Witnesses = None,
    quorum: Least = None,
    policy: PolicyFile = None,
    as_json: Json = False,
) -> int:
    """0: it holds. 11: it holds if the key in it is the log's. 13: it does not hold."""
    from audit.pack import check_pack

    demands = {"--also": also, "--witness": witnesses, "--quorum": quorum, "--policy": policy}
    given = [name for name, value in demands.items() if value]
    if key_file is None and given:
        raise typer.BadParameter(
            say(f"{given[0]} 须与 --key-file 一起使用", f"{given[0]} needs --key-file"), param_hint=given[0]
        )
    trust = None
    if key_file is not None:
        trust = trust_in(pinned(key_file), pinned(also) if also is not None else (), witnesses, quorum, policy)
    report = check_pack(file.read_bytes(), trust)
    if as_json:
        print_json(report.to_plain())
    else:
        out.print(report.text(LANG), markup=False)
    return {"holds": OK, "unpinned": UNDECIDED}.get(report.verdict, LOG_INVALID)


def _verifiers(given: Opened, key_file: Path | None) -> tuple[PublicKey, ...]:
    from hub.evidence import log_verifiers

    return pinned(key_file) if given.office is None else log_verifiers(given.office.settings)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(evidence, name="evidence")
