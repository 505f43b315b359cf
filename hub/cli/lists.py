"""`zhengtong list …`: check, publish and show sharing-responsibility lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, OK, note, out, print_json, table
from hub.settings import Settings

lists = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("数据共享责任清单", "The sharing-responsibility list")
)

File = Annotated[
    Path, typer.Argument(help=say("清单文件（.xlsx、.yaml）", "the list (.xlsx or .yaml)"), show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]


@lists.command("check", help=say("检查清单文件，一次列出所有问题", "Check a list file; every fault in one pass"))
def check(file: File, *, as_json: Json = False) -> int:
    """Load without publishing; exit 5 when it cannot be loaded."""
    from catalog.load import load_report

    report = load_report(file)
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
        for fault in report.faults:
            out.print(f"{fault.where}: {fault.text(LANG)}", markup=False)
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


@lists.command(
    "publish",
    help=say("发布清单，并编译供调度使用的登记表", "Publish a list and compile the registry for the scheduler"),
)
def publish(
    file: File,
    *,
    by: Annotated[str, typer.Option(help=say("发布人（岗位）", "who publishes (a role, not a name)"))] = "hub-office",
    as_json: Json = False,
) -> int:
    """Publish; the same version again changes nothing and says so."""
    from catalog.load import load
    from hub.publishing import publish as publish_list

    done = publish_list(Settings.from_environment(), load(file), by=by)
    if as_json:
        print_json({"ok": True, "version": done.version, "entry": done.log_index, "already": done.already})
    elif done.already:
        note(say(f"此版本已发布，无变化：{done.version}", f"Already published, nothing changed: {done.version}"))
    else:
        note(
            say(
                f"已发布：{done.version}（日志条目 {done.log_index}）",
                f"Published: {done.version} (log entry {done.log_index})",
            )
        )
    return OK


@lists.command("show", help=say("查看现行清单的资源", "Show the resources of the list in force"))
def show(*, as_json: Json = False) -> int:
    """The list in force, one line per resource."""
    from hub.published import current_list

    list_ = current_list(Settings.from_environment())
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


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(lists, name="list")
