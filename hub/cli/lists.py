"""`zhengtong list …`: check, compare, show and export sharing-responsibility lists.

Their way into force, from draft over review to publication, is `hub.cli.drafts`.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import drafts as draft_commands
from hub.cli.common import Json, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, NOT_FOUND, OK, note, out, print_json, table, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.changes import Change
    from catalog.diff import ListDiff
    from catalog.faults import Fault
    from catalog.impact import Break
    from catalog.model import ResponsibilityList
    from hub.office import Office

lists = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("数据共享责任清单", "The sharing-responsibility list")
)

File = Annotated[
    Path,
    typer.Argument(
        help=say("清单文件（.xlsx、.yaml、CSV 的 .zip）", "the list (.xlsx, .yaml or a .zip of CSV)"),
        show_default=False,
    ),
]
_REFERENCE = say(
    "current、previous、版本号前 8 位以上、草案编号或清单文件",
    "current, previous, 8 or more digits of a version, the number of a draft, or a file",
)
VersionOption = Annotated[str, typer.Option("--version", help=_REFERENCE)]
All = Annotated[
    bool, typer.Option("--all", help=say("逐条列出全部提示", "print every warning, however many there are of a kind"))
]
WARNINGS_SHOWN = 3
FORMATS = ("dcat", "core", "xlsx", "yaml", "csv")
SUFFIXES = (".xlsx", ".yaml", ".yml", ".zip")


def is_file(reference: str) -> bool:
    """Whether *reference* means a file rather than a version or a draft."""
    return Path(reference).suffix.lower() in SUFFIXES or Path(reference).exists()


def list_meant(office: Office, reference: str) -> ResponsibilityList:
    """The list that *reference* means: a file, or what `hub.drafts.resolve` finds."""
    from hub import drafts

    if is_file(reference):
        return drafts.read(office, Path(reference))[0]
    return drafts.resolve(office, reference)


def _print_faults(faults: Sequence[Fault], *, everything: bool) -> None:
    """Every error, and of each kind of warning the first few unless *everything* is wanted."""
    seen: Counter[str] = Counter()
    for fault in faults:
        if fault.severity == "warning":
            seen[fault.code] += 1
        if everything or fault.severity != "warning" or seen[fault.code] <= WARNINGS_SHOWN:
            out.print(f"{fault.where}: {fault.text(LANG)}", markup=False)
    hidden = sum(count - WARNINGS_SHOWN for count in seen.values() if count > WARNINGS_SHOWN)
    if hidden and not everything:
        note(
            say(
                f"另有 {hidden} 条同类提示；--all 全部列出。",
                f"{hidden} more warnings of the same kinds; --all prints them.",
            )
        )


@lists.command("check", help=say("检查清单文件，一次列出所有问题", "Check a list file; every fault in one pass"))
def check(file: File, *, everything: All = False, as_json: Json = False) -> int:
    """Load without publishing; exit 5 when it cannot be loaded."""
    from catalog.clock import day_of
    from catalog.load import load_report
    from hub.evidence import utc_now

    report = load_report(file, today=day_of(utc_now()))
    list_ = report.list_
    if as_json:
        print_json(
            {
                "ok": list_ is not None,
                "version": list_.version if list_ else None,
                "faults": [
                    {"where": f.where, "code": f.code, "severity": str(f.severity), "message": f.text(LANG)}
                    for f in report.faults
                ],
            }
        )
    else:
        _print_faults(report.faults, everything=everything)
        if list_ is None:
            note(
                say(
                    "清单未通过检查。请按提示修改后重新检查。",
                    "The list does not load. Mend what is named and check again.",
                )
            )
        else:
            note(
                say(
                    f"通过：{len(list_.departments)} 个部门，{len(list_.resources)} 个资源，"
                    f"{len(list_.responsibilities)} 条责任。版本 {list_.version}",
                    f"Loads: {len(list_.departments)} departments, {len(list_.resources)} resources, "
                    f"{len(list_.responsibilities)} responsibilities. Version {list_.version}",
                )
            )
    return OK if list_ is not None else DATA_INVALID


@lists.command("show", help=say("查看清单的资源", "Show the resources of a list"))
def show(*, version: VersionOption = "current", as_json: Json = False) -> int:
    """A list, one line per resource."""
    with opened() as office:
        list_ = list_meant(office, version)
    rows = [
        {
            "code": r.code,
            "name": r.name,
            "provider": list_.departments_by_code[r.provider].name,
            "share_type": r.share_type.value,
            "cadence": r.cadence.value,
            "fields": len(r.fields),
            "lookup": [f.name for f in r.lookup_fields],
        }
        for r in list_.resources
    ]
    if as_json:
        print_json({"version": list_.version, "city": list_.city, "title": list_.title, "resources": rows})
        return OK
    table(
        f"{list_.title}  {list_.version[:19]}…",
        [
            say("代码", "Code"),
            say("资源", "Resource"),
            say("提供方", "Provider"),
            say("信息项", "Fields"),
            say("查询条件", "Look-up"),
        ],
        (
            [
                r.code,
                r.name if LANG == "zh" else r.name_en,
                list_.departments_by_code[r.provider].name if LANG == "zh" else r.provider,
                len(r.fields),
                ", ".join(f.name for f in r.lookup_fields),
            ]
            for r in list_.resources
        ),
        right=(3,),
    )
    return OK


@lists.command(
    "versions", help=say("查看清单各版本与在审草案", "Show the versions of the list and the drafts under review")
)
def versions(*, as_json: Json = False) -> int:
    """Drafts first, then versions, the one that came into force last before the others."""
    from hub import drafts
    from hub.published import versions as published

    with opened() as office:
        known = published(office.control)
        waiting = drafts.find(office, open_=True)
    if as_json:
        print_json(
            {
                "drafts": [draft_commands.plain(case) for case in waiting],
                "versions": [
                    {
                        "version": v.version,
                        "status": v.status,
                        "published_at": v.published_at.isoformat(),
                        "published_by": v.published_by,
                        "entry": v.log_index,
                    }
                    for v in known
                ],
            }
        )
        return OK
    words = {"current": say("现行", "current"), "superseded": say("已替代", "superseded")}
    rows: list[list[object]] = [
        [c.value["version"][7:19], state_word("list", c.state), c.id, c.value["drawn_by"][-1], ""] for c in waiting
    ]
    rows += [[v.version[7:19], words[v.status], day(v.published_at), v.published_by, v.log_index] for v in known]
    headings = [
        say("版本", "Version"),
        say("状态", "Status"),
        say("发布日期/草案", "In force since / draft"),
        say("办理人", "By"),
        say("日志条目", "Log entry"),
    ]
    table("", headings, rows, right=(4,))
    return OK


@lists.command("diff", help=say("比较两个版本", "Compare two versions, in words"))
def diff(
    old: Annotated[str, typer.Argument(metavar=say("旧", "OLD"), help=_REFERENCE, show_default=False)],
    new: Annotated[str, typer.Argument(metavar=say("新", "NEW"), help=_REFERENCE, show_default=False)],
    *,
    as_json: Json = False,
) -> int:
    """Every change, the heaviest first."""
    from catalog.diff import compare

    with opened() as office:
        compared = compare(list_meant(office, old), list_meant(office, new))
    if as_json:
        print_json(diff_plain(compared))
    else:
        _tell_changes(compared, ())
    return OK


@lists.command(
    "impact",
    help=say(
        "发布前查看影响：哪些授权、归集、证照受影响", "What a change would take from whom, before it is published"
    ),
)
def impact(
    new: Annotated[str, typer.Argument(metavar=say("文件或草案", "FILE|DRAFT"), help=_REFERENCE, show_default=False)],
    *,
    as_json: Json = False,
) -> int:
    """Compare with the list in force, and name every grant, pipeline, licence kind, need and application it hits."""
    from catalog.diff import compare
    from catalog.impact import impact as breaks_of
    from catalog.impact import summary
    from hub.dependents import gather

    with opened() as office:
        current, list_ = office.list_, list_meant(office, new)
        compared = compare(current, list_)
        breaks = breaks_of(compared, list_, gather(office, current), old=current)
    if as_json:
        plain = {
            **diff_plain(compared),
            "breaks": [item.to_plain() for item in breaks],
            "summary": summary(breaks, LANG),
        }
        print_json(plain)
        return OK
    _tell_changes(compared, breaks)
    note(summary(breaks, LANG) or say("没有授权、归集、证照、事项或申请受影响。", "Nobody loses anything by it."))
    return OK


@lists.command("export", help=say("导出清单", "Write a list to a file"))
def export(
    *,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help=say("格式", "the form"))] = "xlsx",
    output: Annotated[
        str,
        typer.Option("-o", "--output", help=say("输出文件；- 为标准输出", "the file to write; - for standard output")),
    ] = "-",
    version: VersionOption = "current",
    server_url: Annotated[
        str, typer.Option("--server-url", help=say("平台对外地址，写入 DCAT", "where the hub is reached, for DCAT"))
    ] = "",
    as_json: Json = False,
) -> int:
    """The same version in the same form gives the same bytes."""
    from hub import exports
    from hub.files import replace_file
    from hub.settings import LOOPBACK

    if form not in FORMATS:
        allowed = ", ".join(FORMATS)
        return usage(
            say(f"`--format` 应为下列之一：{allowed}。", f"`--format` must be one of {allowed}."), as_json=as_json
        )
    with opened() as office:
        list_ = list_meant(office, version)
        base = server_url or f"http://{LOOPBACK}:{office.settings.api_port}"
        data = exports.export(office, list_, form, server_url=base)
    if output == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return OK
    path = Path(output)
    if not path.parent.is_dir():
        note(say(f"没有目录 {path.parent}。", f"There is no folder {path.parent}."))
        return NOT_FOUND
    replace_file(path, data)
    if as_json:
        print_json({"ok": True, "version": list_.version, "format": form, "file": str(path), "bytes": len(data)})
    else:
        note(say(f"已写入 {path}（{len(data):,} 字节）", f"Written: {path} ({len(data):,} bytes)"))
    return OK


def diff_plain(compared: ListDiff) -> dict[str, Any]:
    """A comparison as JSON."""
    return {
        "old": compared.old_version,
        "new": compared.new_version,
        "counts": compared.counts(),
        "digest": compared.digest(),
        "changes": [change.to_plain() for change in compared.changes],
    }


def _tell_changes(compared: ListDiff, breaks: tuple[Break, ...]) -> None:
    """The changes by weight, each with what it takes from whom."""
    from catalog.changes import WEIGHTS, Weight
    from catalog.impact import summary

    by_change: dict[Change, list[Break]] = {}
    for item in breaks:
        by_change.setdefault(item.change, []).append(item)
    for weight in Weight:
        for change in compared.changes:
            if change.weight is weight:
                en, zh = WEIGHTS[weight]
                lost = summary(by_change.get(change, ()), LANG)
                gap = say("；", "; ")
                out.print(f"{say(f'【{zh}】', f'{en}: ')}{change.text(LANG)}{gap + lost if lost else ''}", markup=False)
                for item in by_change.get(change, ()):
                    out.print(f"    {item.told(LANG)}", markup=False)
    if not compared.changes:
        note(say("两个版本相同。", "The two are the same."))


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    draft_commands.add_to(lists)
    app.add_typer(lists, name="list")
