"""`zhengtong search`: finds resources by the words people use, by pinyin, codes or English.

What matches and how it ranks is `catalog.search`; the same ranking answers the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.common import Json, Page, Size, opened
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.model import ResponsibilityList
    from hub.search.index import Hit, Results

Departments = Annotated[
    list[str] | None,
    typer.Option("--department", help=say("部门代码或名称", "department, by code or name"), show_default=False),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", help=say("共享类型：1 无条件、2 有条件、3 不予共享", "share type: 1, 2 or 3"), show_default=False
    ),
]
Themes = Annotated[
    list[str] | None,
    typer.Option("--theme", help=say("主题，如 人口", "theme, e.g. population"), show_default=False),
]
Order = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="relevance|code|name|updated",
        help=say("排序：相关度、代码、名称、更新", "order of the results"),
    ),
]


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=say("词语", "WORDS"),
            help=say("要找的词语；不填则浏览全部", "what to look for; none browses all"),
            show_default=False,
        ),
    ] = None,
    *,
    departments: Departments = None,
    types: Types = None,
    themes: Themes = None,
    explain: Annotated[
        bool, typer.Option("--explain", help=say("说明如何查找和排序", "tell how it was found and ranked"))
    ] = False,
    sort: Order = "relevance",
    page: Page = 1,
    size: Size = 20,
    as_json: Json = False,
) -> int:
    """Search the list in force; what finds nothing is counted for the demand list, without who asked."""
    from hub.search.index import Facet, Sort, find_or_record, search_of
    from hub.search.words import filters_of, plain_results

    if sort not in list(Sort):
        raise typer.BadParameter(say(f"应为 {'、'.join(Sort)} 之一", f"one of {', '.join(Sort)}"), param_hint="--sort")
    with opened() as office:
        list_ = office.list_
        chosen = {Facet.DEPARTMENT: departments or (), Facet.SHARE_TYPE: types or (), Facet.THEME: themes or ()}
        results = find_or_record(
            search_of(office.settings, list_),
            office.control,
            office.now(),
            " ".join(words or ()),
            filters=filters_of(list_, chosen),
            page=page,
            size=size,
            explain=explain,
            sort=Sort(sort),
        )
    if as_json:
        print_json(plain_results(results, list_))
    else:
        show_results(results, list_, explain=explain)
    return OK


def show_results(results: Results, list_: ResponsibilityList, *, explain: bool) -> None:
    """Results at a terminal: the table to standard output, what is said about them beside it."""
    if explain:
        _explain(results)
    for told in results.notes:
        note(told.text(LANG))
    hits = results.hits or results.nearest
    if hits:
        _table(hits, list_)
    if explain:
        for hit in hits:
            out.print(f"{hit.resource.code}  {hit.score}", markup=False)
            for part in hit.parts:
                out.print(f"  {part.points:>4}  {part.words(LANG)}", markup=False)
    shown = (results.page - 1) * results.size + len(results.hits)
    many = "" if results.total == 1 else "s"
    note(say(f"共 {results.total} 个资源。", f"{results.total} resource{many}."))
    if results.hits and shown < results.total:
        note(say(f"下一页：--page {results.page + 1}", f"Next page: --page {results.page + 1}"))


def _table(hits: Sequence[Hit], list_: ResponsibilityList) -> None:
    from hub.search.index import Facet
    from hub.search.words import label

    table(
        "",
        [say("代码", "Code"), say("资源", "Resource"), say("提供方", "Provider"), say("共享类型", "Share type")],
        (
            [
                hit.resource.code,
                hit.resource.name if LANG == "zh" else hit.resource.name_en or hit.resource.name,
                label(list_, Facet.DEPARTMENT, hit.resource.provider, LANG),
                label(list_, Facet.SHARE_TYPE, hit.resource.share_type.value, LANG),
            ]
            for hit in hits
        ),
    )


def _explain(results: Results) -> None:
    if results.tokens:
        out.print(say("词元：", "Tokens: ") + " ".join(results.tokens), markup=False)
    for step in results.steps:
        out.print(f"· {step.text(LANG)}", markup=False)


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command(
        "search",
        help=say(
            "查找资源：词语、简称、拼音（gjj）、代码、英文均可",
            "Find resources by words, short names, pinyin (gjj), codes or English",
        ),
    )(search)
