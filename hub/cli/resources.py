"""`zhengtong resource …`: what is shared, by whom, on what terms, and whether your department may have it.

Finding by words is `zhengtong search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import Json, Page, Size, opened
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, out, print_json, table
from hub.cli.search import Departments, Order, Themes, Types  # noqa: TC001 - Typer reads them

if TYPE_CHECKING:
    from catalog.model import InformationResource, ResponsibilityList

resource = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("共享的信息资源", "The information resources that are shared")
)

MaybeBy = Annotated[
    str | None,
    typer.Option(
        "--by",
        envvar="ZHENGTONG_ACTOR",
        metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
        help=say("查看本部门能否使用", "tell whether this department may have it"),
        show_default=False,
    ),
]


@resource.command("list", help=say("浏览资源，可按部门、类型、主题筛选", "Browse the resources, narrowed by filters"))
def list_(
    *,
    departments: Departments = None,
    types: Types = None,
    themes: Themes = None,
    sort: Order = "code",
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The same as a search without words."""
    from hub.cli.search import search

    return search(
        None, departments=departments, types=types, themes=themes, sort=sort, page=page, size=size, as_json=as_json
    )


@resource.command("show", help=say("查看一个资源的全部情况", "Show everything about one resource"))
def show(
    code: Annotated[
        str, typer.Argument(metavar=say("资源代码", "CODE"), help=say("资源代码", "its code"), show_default=False)
    ],
    *,
    by: MaybeBy = None,
    history: Annotated[
        bool, typer.Option("--history", help=say("列出其变更过的清单版本", "the list versions in which it changed"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Its terms, fields, lines, needs, last load and who holds grants; exit 3 for an unknown code."""
    from hub.actors import Actor
    from hub.search.resources import changes, page_of, resource_of

    department = Actor.parse(by).department if by else ""
    with opened() as office:
        current = office.list_
        found = resource_of(office, current, code)
        plain = page_of(office, current, found, office.now(), department=department)
        if history:
            plain["changes"] = changes(office, found.code)
    if as_json:
        print_json(plain)
        return OK
    _show(plain, found, current)
    return OK


def _show(plain: dict[str, Any], found: InformationResource, current: ResponsibilityList) -> None:
    from catalog.domains import MASK
    from hub.search.index import Facet
    from hub.search.words import label

    def word(facet: Facet, value: str) -> str:
        return label(current, facet, value, LANG)

    owner = filter(None, (word(Facet.DEPARTMENT, found.provider), plain["contact"]))
    rows = [
        (say("名称", "Name"), found.name if LANG == "zh" else f"{found.name_en} ({found.name})"),
        (say("别名", "Aliases"), "、".join(found.aliases)),
        (
            say("提供方", "Provider"),
            " · ".join(owner),
        ),
        (say("摘要", "Abstract"), found.abstract),
        (say("共享类型", "Share type"), word(Facet.SHARE_TYPE, found.share_type.value)),
        (say("共享条件", "Condition"), found.share_condition),
        (say("不予共享依据", "Ground"), found.share_ground),
        (say("更新周期", "Cadence"), word(Facet.CADENCE, found.cadence.value)),
        (say("主题", "Theme"), word(Facet.THEME, found.theme.value) if found.theme else ""),
        (say("分类", "Classification"), " / ".join(found.classification)),
        (say("相关资源", "Related"), "、".join(f"{c} {n}" for c, n in plain["related_names"].items())),
        (say("授权", "Grants"), _grants(plain)),
        (say("最近归集", "Last load"), _load(plain)),
    ]
    if "access" in plain:
        rows.append((say("本部门", "Your department"), plain["access"]["zh" if LANG == "zh" else "en"]))
    table(found.code, ["", ""], (row for row in rows if row[1]))
    out.print()
    table(
        say("信息项", "Fields"),
        [
            say("名称", "Name"),
            say("标题", "Title"),
            say("类型", "Type"),
            say("敏感级", "Grade"),
            say("脱敏", "Mask"),
            say("共享类型", "Share type"),
            say("查询条件", "Look-up"),
        ],
        (
            [
                field.name + (say("（主键）", " (key)") if field.key else ""),
                field.title,
                field.type,
                field.grade,
                MASK.word(field.mask) if LANG == "zh" else field.mask.value,
                word(Facet.SHARE_TYPE, field.share_type.value),
                "✓" if field.lookup else "",
            ]
            for field in found.fields
        ),
        right=(3,),
    )
    _show_rest(plain)


def _show_rest(plain: dict[str, Any]) -> None:
    from catalog.domains import QUALITY_KIND

    if plain["responsibilities"]:
        out.print()
        table(
            say("责任", "Lines of the list"),
            [say("使用方", "Consumers"), say("事项", "Purposes"), say("期限", "Deadline"), say("依据", "Ground")],
            (
                ["、".join(one["consumers"]), "、".join(one["purposes"]), one["deadline"], one["ground"]]
                for one in plain["responsibilities"]
            ),
        )
    if plain["needs"]:
        out.print()
        table(
            say("用数事项", "Matters that need it"),
            [say("事项", "Matter"), say("信息项", "Fields"), say("替代材料", "Replaces")],
            ([f"{n['matter']} {n['matter_name']}", "、".join(n["fields"]), n["replaces"]] for n in plain["needs"]),
        )
    for rule in plain.get("quality", ()):
        kind = QUALITY_KIND.find(rule["kind"])
        words = [
            QUALITY_KIND.word(kind) if kind is not None and LANG == "zh" else rule["kind"],
            rule["field"],
            f"{rule['threshold']:g}",
        ]
        out.print(f"{say('质量规则：', 'Quality: ')}{' '.join(filter(None, words))}", markup=False)
    for change in plain.get("changes", ()):
        out.print(
            f"{change['published_at'][:10]}  {_CHANGES[change['change']]}  {change['version'][:19]}…", markup=False
        )
    if plain.get("changes") == []:
        note(say("没有变更记录。", "No changes are on record."))


_CHANGES = {"added": say("新增", "added"), "changed": say("变更", "changed"), "removed": say("移除", "removed")}


def _grants(plain: dict[str, Any]) -> str:
    grants = plain["grants"]
    by = ", ".join(f"{department} {count}" for department, count in grants["by_department"].items())
    return f"{grants['total']} ({by})" if by else "0"


def _load(plain: dict[str, Any]) -> str:
    load = plain["last_load"]
    if load is None:
        return say("尚未归集", "none yet")
    return say(
        f"{load['started'][:16]} {load['outcome']}，入库 {load['accepted']:,} 行，拒绝 {load['rejected']:,} 行",
        f"{load['started'][:16]} {load['outcome']}, {load['accepted']:,} rows accepted, {load['rejected']:,} rejected",
    )


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(resource, name="resource")
