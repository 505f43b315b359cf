"""Options and wiring that the office's commands share.

Leaves what is done to the use cases and what is said to each command.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hub.casewords import state_text
from hub.cli.language import LANG, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from hub.office import Office

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
By = Annotated[
    str,
    typer.Option(
        "--by",
        envvar="ZHENGTONG_ACTOR",
        metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
        help=say("办理人，如 MZJ:data-officer", "who acts, e.g. MZJ:data-officer"),
        show_default=False,
    ),
]
Revision = Annotated[
    int | None,
    typer.Option(
        "--revision",
        help=say("您所看到的修订号；已变动则不办理", "the revision you have seen; refuse if it has changed"),
        show_default=False,
    ),
]
Concerning = Annotated[
    str | None,
    typer.Option("--department", help=say("与此部门有关的", "those that concern this department"), show_default=False),
]
Code = Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)]
Page = Annotated[int, typer.Option("--page", min=1, help=say("页码", "the page"))]
Size = Annotated[int, typer.Option("--size", min=1, max=500, help=say("每页条数", "rows a page"))]


@contextmanager
def opened() -> Iterator[Office]:
    """The office of this deployment, closed again at the end of the block."""
    from hub.office import Office
    from hub.settings import Settings

    with Office.open(Settings.from_environment()) as office:
        yield office


def day(at: datetime | None) -> str:
    """The Shanghai date of an instant, as people write it; "" for none."""
    from catalog.clock import SHANGHAI

    return "" if at is None else at.astimezone(SHANGHAI).date().isoformat()


def action_words(actions: Iterable[str]) -> str:
    """Actions as people call them; their codes in English, which are English words."""
    from catalog.domains import ACTION

    if LANG != "zh":
        return ", ".join(actions)
    found = ((ACTION.find(action), action) for action in actions)
    return "、".join(action if member is None else ACTION.word(member) for member, action in found)


def state_word(kind: str, state: str) -> str:
    """What a state of a kind of case is called in the language of the run."""
    return state_text(kind, state, LANG)
