"""`zhengtong licence bundle | find | renew | reconcile | fsck`: what was issued, found, compared and renewed.

A holder's identifier comes from a file or a prompt, never from the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import pair
from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.licensing.reconcile import Reconciliation

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help=say("证照标识", "licence identifier"), show_default=False)
]
Officer = Annotated[str, typer.Option("--officer", help=say("经办岗位", "the deciding role, not a name"))]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help=say(
            "证照数据包写入此文件（默认写入证照目录）", "write the bundle there (default: the folder of licences)"
        ),
    ),
]
ROWS_SHOWN = 20
# A store that does not hold what its rows name is a matter for a person: the exit code of a negative answer.
FAULTY = 1


def bundle(identifier: Identifier, *, out: Out = None, as_json: Json = False) -> int:
    """Made anew each time, with the newest status list; readable by you alone."""
    from hub.licensing import Licensing

    path = Licensing.open(Settings.from_environment()).save_bundle(identifier, out)
    if as_json:
        print_json({"ok": True, "identifier": identifier, "bundle": str(path)})
    else:
        print(path)
    return OK


def find(
    *,
    holder_file: Annotated[
        Path | None,
        typer.Option(
            "--holder-file",
            help=say(
                "存放持证主体代码的文件（- 为标准输入）", "file with the holder's identifier (- is standard input)"
            ),
        ),
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help=say("证照名称或类型代码", "kind, by name or code"))] = "",
    state: Annotated[str, typer.Option("--state", help=say("状态代码，如 01", "state code, as 01"))] = "",
    after: Annotated[str, typer.Option("--after", help=say("从此标识之后继续", "go on after this identifier"))] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help=say("最多份数", "how many at most"))] = 100,
    officer: Officer = "licence-officer",
    as_json: Json = False,
) -> int:
    """Licences by holder, kind and state; nothing of a holder is shown. That it was asked is recorded."""
    from hub.licensing import Licensing
    from licence.lifecycle import State

    office = Licensing.open(Settings.from_environment())
    holder = "" if holder_file is None else _first_line(holder_file)
    code = office.kind(kind).code if kind else ""
    rows = office.find(holder=holder, kind=code, state=state, after=after, limit=limit)
    facts = {"kind": code, "state": state, "by_holder": bool(holder), "found": len(rows)}
    office.evidence.append("licence.found", actor=f"hub:{officer}", facts=facts)
    if as_json:
        print_json({"ok": True, "licences": rows, "next": rows[-1]["identifier"] if len(rows) == limit else None})
        return OK if rows else NOT_FOUND
    headings = (say("证照标识", "Identifier"), say("类型", "Kind"), say("状态", "State"), say("签发", "Issued"))

    def named(row: dict[str, object]) -> str:
        known = office.kinds.get(str(row["kind"]))
        return str(row["kind"]) if known is None else (known.name if LANG == "zh" else known.name_en)

    table(
        "",
        headings,
        ([r["identifier"], named(r), getattr(State(r["state"]), LANG), f"{r['issued_at']:%Y-%m-%d}"] for r in rows),
    )
    if len(rows) == limit:
        note(
            say(
                f"可能还有；加 --after {rows[-1]['identifier']}。", f"Maybe more: add --after {rows[-1]['identifier']}."
            )
        )
    return OK if rows else NOT_FOUND


def renew(
    identifier: Identifier,
    *,
    reason: Annotated[str, typer.Option("--reason", help=say("事由", "why"))],
    ground: Annotated[str, typer.Option("--ground", help=say("法律依据", "legal ground"))],
    changed: Annotated[
        bool, typer.Option("--changed", help=say("属于变更而非延续", "it is a change, not a renewal"))
    ] = False,
    record: Annotated[
        list[str] | None,
        typer.Option(
            "--record",
            metavar="FIELD=VALUE",
            help=say("持证主体有多条记录时指明其一；可重复", "which record, when the holder has several; may repeat"),
        ),
    ] = None,
    officer: Officer = "licence-officer",
    out: Out = None,
    as_json: Json = False,
) -> int:
    """The next version of the same identifier, to the same holder, from the record of today; the old one lapses."""
    from hub.licensing import Licensing
    from hub.licensing.renewing import CHANGE, RENEW

    office = Licensing.open(Settings.from_environment())
    issuer = office.kinds[office.show(identifier)["kind"]].issuer
    done = office.renew(
        identifier,
        reason=reason,
        ground=ground,
        by=f"{issuer}:{officer}",
        action=CHANGE if changed else RENEW,
        record=dict(pair(text, "--record") for text in record or ()),
    )
    path = office.save_bundle(done.identifier, out)
    if as_json:
        print_json(
            {
                "ok": True,
                "identifier": done.identifier,
                "predecessor": identifier,
                "bundle": str(path),
                "entry": done.log_index,
            }
        )
        return OK
    note(
        say(
            f"新版本 {done.identifier} 已签发，{identifier} 已失效（日志条目 {done.log_index}）",
            f"Version {done.identifier} is issued, {identifier} lapsed (log entry {done.log_index})",
        )
    )
    print(path)
    return OK


def reconcile(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help=say("证照名称或类型代码", "kind, by name or code"), show_default=False)
    ],
    *,
    officer: Officer = "licence-officer",
    as_json: Json = False,
) -> int:
    """Records without a licence, licences without a record, faces that differ; told by row and key digest."""
    from hub.licensing import Licensing

    office = Licensing.open(Settings.from_environment())
    found = office.kind(kind)
    done = office.reconcile(found, by=f"{found.issuer}:{officer}")
    if as_json:
        print_json(
            {
                "ok": not done.residual,
                "kind": done.kind,
                "snapshot": str(done.snapshot),
                "entry": done.log_index,
                "records": done.records,
                "licences": done.licences,
                "residual": done.residual,
                "counts": dict(done.counts),
                "differences": [one.plain() for one in done.differences],
            }
        )
        return OK
    _tell(done)
    return OK


def _tell(done: Reconciliation) -> None:
    from hub.licensing.reconcile import FINDINGS

    def words(finding: str) -> str:
        return FINDINGS[finding][LANG == "zh"]

    table(
        "",
        (say("结果", "Finding"), say("数量", "Count")),
        ([words(finding), count] for finding, count in done.counts.items() if count),
        right=(1,),
    )
    if done.differences:
        headings = (
            say("行号", "Row"),
            say("主键摘要", "Key digest"),
            say("证照标识", "Licence"),
            say("结果", "Finding"),
            say("信息项", "Fields"),
        )
        shown = done.differences[:ROWS_SHOWN]
        table(
            "", headings, ([d.row, d.key, d.licence, words(d.finding), ", ".join(d.fields)] for d in shown), right=(0,)
        )
    note(
        say(
            f"记录 {done.records:,} 条，证照 {done.licences:,} 份，不一致 {done.residual:,} 项"
            f"（日志条目 {done.log_index}）",
            f"{done.records:,} records, {done.licences:,} licences, {done.residual:,} differences "
            f"(log entry {done.log_index})",
        )
    )


def fsck(*, as_json: Json = False) -> int:
    """Reads every licence in the store and compares it with its row; changes nothing."""
    from hub.licensing import Licensing

    done = Licensing.open(Settings.from_environment()).check_store()
    if as_json:
        print_json(
            {
                "ok": not done.faults,
                "segments": done.segments,
                "records": done.records,
                "licences": done.named,
                "before_the_store": done.before,
                "unnamed": done.unnamed,
                "torn": list(done.torn),
                "faults": [{"licence": f.identifier, "where": f.where} for f in done.faults],
            }
        )
        return FAULTY if done.faults else OK
    note(
        say(
            f"{done.segments} 个分段文件，{done.records:,} 条记录；核对证照 {done.named:,} 份，"
            f"未被引用的记录 {done.unnamed:,} 条（无害）",
            f"{done.segments} segments, {done.records:,} records; {done.named:,} licences compared, "
            f"{done.unnamed:,} records that no licence names (harmless)",
        )
    )
    if done.faults:
        headings = (say("证照标识", "Licence"), say("位置", "Where"))
        table(say("损坏", "Damaged"), headings, ([f.identifier, f.where] for f in done.faults))
    return FAULTY if done.faults else OK


def add_archive_to(licence: typer.Typer) -> None:
    """Hang the commands beside those that issue."""
    for name, command, zh, en in (
        ("bundle", bundle, "生成证照数据包（含最新状态列表）", "Make the bundle of a licence, with the newest status"),
        ("find", find, "按持证主体、类型、状态查找证照", "Find licences by holder, kind, state"),
        ("renew", renew, "延续或变更证照，签发新版本", "Renew or change a licence: issue its next version"),
        ("reconcile", reconcile, "核对权威资源与已签发证照", "Compare the resource with what was issued"),
        ("fsck", fsck, "核对证照存储", "Check the store of licences against its rows"),
    ):
        licence.command(name, help=say(zh, en))(command)


def _first_line(path: Path) -> str:
    text = typer.get_text_stream("stdin").readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    return text.strip()
