"""`zhengtong licence batch …`: what issuing to every record of a resource would do, and doing it.

Rows are told by number and keyed digest; who they are about goes into a file, if asked for, and never on the screen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.licensing.planning import Plan, Planned

batch = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("批量签发", "Issue to every record"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Officer = Annotated[str, typer.Option("--officer", help=say("经办岗位", "the deciding role, not a name"))]
Kind = Annotated[
    str, typer.Argument(metavar="KIND", help=say("证照名称或类型代码", "kind, by name or code"), show_default=False)
]
ROWS_SHOWN = 20


@batch.command(
    "plan", help=say("试算：逐行说明可否签发，不签发", "Dry run: what would come of each row; issues nothing")
)
def plan(
    kind: Kind,
    *,
    keys_file: Annotated[
        Path | None,
        typer.Option(
            "--keys-file",
            help=say(
                "将不予签发的行连同持证主体代码写入此文件（仅本人可读）",
                "write the rows that get none, with their holders' identifiers, to this file (readable by you alone)",
            ),
        ),
    ] = None,
    officer: Officer = "licence-officer",
    as_json: Json = False,
) -> int:
    """Reads the resource under the issuing department's grant, which is recorded."""
    from hub.files import replace_file
    from hub.licensing import Licensing
    from hub.licensing.planning import OK as ISSUABLE

    if keys_file is not None and not keys_file.absolute().parent.is_dir():
        note(say(f"没有目录 {keys_file.parent}。", f"There is no folder {keys_file.parent}."))
        return NOT_FOUND
    office = Licensing.open(Settings.from_environment())
    found = office.kind(kind)
    lines: list[str] = []

    def each(row: Planned) -> None:
        if row.outcome != ISSUABLE:
            lines.append(json.dumps({**row.plain(), "keys": dict(row.candidate.keys)}, ensure_ascii=False))

    planned = office.plan_batch(found, by=f"{found.issuer}:{officer}", each=None if keys_file is None else each)
    if keys_file is not None:
        replace_file(keys_file, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    if as_json:
        print_json({"ok": True, **_plain(planned), "not_issued": [row.plain() for row in planned.rows]})
    else:
        _tell(planned)
    return OK


@batch.command(
    "issue", help=say("批量签发；中断后重新运行即可继续", "Issue to every row that can have one; may be run again")
)
def issue(
    kind: Kind,
    *,
    reason: Annotated[str, typer.Option("--reason", help=say("事由", "why"))],
    ground: Annotated[str, typer.Option("--ground", help=say("法律依据", "legal ground"))],
    officer: Officer = "licence-officer",
    second: Annotated[
        str,
        typer.Option(
            "--second", help=say("第二名审批岗位（须两人审批的类型）", "second deciding role, for kinds decided by two")
        ),
    ] = "",
    as_json: Json = False,
) -> int:
    """Each record gets one licence, however often this is run and wherever it is killed."""
    from hub.licensing import Licensing

    def told(done: int, total: int) -> None:
        note(say(f"已完成 {done:,}/{total:,}", f"{done:,} of {total:,} done"))

    office = Licensing.open(Settings.from_environment())
    found = office.kind(kind)
    done = office.issue_batch(
        found, reason=reason, ground=ground, by=f"{found.issuer}:{officer}", second=second, told=told
    )
    if as_json:
        print_json({"ok": True, **_plain(done.plan), "issued": done.issued})
        return OK
    _tell(done.plan)
    note(
        say(
            f"已签发 {found.name} {done.issued:,} 份（读取记录：日志条目 {done.plan.log_index}）",
            f"Issued {done.issued:,} × {found.name_en} (the reading is log entry {done.plan.log_index})",
        )
    )
    return OK


def _plain(planned: Plan) -> dict[str, object]:
    return {
        "kind": planned.kind,
        "grant": planned.grant,
        "snapshot": str(planned.snapshot),
        "entry": planned.log_index,
        "rows": planned.total,
        "counts": dict(planned.counts),
    }


def _tell(planned: Plan) -> None:
    from hub.licensing.planning import DUPLICATE, OUTCOMES

    def words(outcome: str) -> str:
        return OUTCOMES[outcome][LANG == "zh"]

    counts = [[words(outcome), count] for outcome, count in planned.counts.items() if count]
    table("", (say("结果", "Outcome"), say("行数", "Rows")), counts, right=(1,))
    failing = [row for row in planned.rows if row.outcome != DUPLICATE]
    if failing:
        headings = (say("行号", "Row"), say("主键摘要", "Key digest"), say("原因", "Why"), say("信息项", "Field"))
        shown = [row.plain() for row in failing[:ROWS_SHOWN]]
        table("", headings, ([r["row"], r["key"], words(r["outcome"]), r["field"]] for r in shown), right=(0,))
    if len(failing) > ROWS_SHOWN:
        rest = len(failing) - ROWS_SHOWN
        note(say(f"另有 {rest:,} 行；加 --json 查看全部。", f"And {rest:,} more; --json prints them all."))
