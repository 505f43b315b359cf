"""`zhengtong licence case decide | confirm | drop | decisions`: decisions on licences that were issued.

Leaves every step to `hub.licensing.dossiers`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.common import By, Json, Page, Revision, Size, state_word
from hub.cli.language import say
from hub.cli.licence_case_common import (
    All,
    Department,
    Ground,
    Id,
    Licence,
    Reason,
    action_word,
    clock_words,
    list_cases,
    opened,
    say_case,
)
from hub.cli.output import OK, WAITING, note, print_json

if TYPE_CHECKING:
    from hub.cases import Case
    from hub.licensing.dossiers import Dossiers
    from hub.office import Office


def decide(
    identifier: Licence,
    action: Annotated[
        str,
        typer.Argument(
            metavar=say("决定", "DECISION"),
            help=say(
                "suspend 暂扣，resume 恢复，transfer 转出，revoke 撤销，cancel 注销，withdraw 吊销",
                "suspend, resume, transfer, revoke, cancel, withdraw",
            ),
            show_default=False,
        ),
    ],
    *,
    by: By,
    reason: Reason,
    ground: Ground,
    as_json: Json = False,
) -> int:
    """Exit 8 where a second officer has to confirm it, 0 where it took effect."""
    from hub.actors import Actor

    with opened() as (office, dossiers):
        case = dossiers.propose(identifier, action, actor=Actor.parse(by), reason=reason, ground=ground)
        return _told(office, dossiers, case, as_json=as_json)


def confirm(id_: Id, *, by: By, revision: Revision = None, as_json: Json = False) -> int:
    """Another officer than who put it forward; repeat it after a crash."""
    from hub.actors import Actor

    with opened() as (office, dossiers):
        case = dossiers.confirm(id_, actor=Actor.parse(by), revision=revision)
        return _told(office, dossiers, case, as_json=as_json)


def drop(id_: Id, *, by: By, reason: Reason, revision: Revision = None, as_json: Json = False) -> int:
    """The licence stays as it is."""
    from hub.actors import Actor

    with opened() as (office, dossiers):
        case = dossiers.drop(id_, actor=Actor.parse(by), reason=reason, revision=revision)
        _told(office, dossiers, case, as_json=as_json)
    return OK


def decisions(
    *,
    department: Department = None,
    identifier: Annotated[str | None, typer.Option("--licence", help=say("证照标识", "on this licence"))] = None,
    all_: All = False,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The one whose clock ends first stands first."""
    from hub.licensing.dossiers.views import decision_plain

    columns = (
        (say("案卷", "Case"), itemgetter("id")),
        (say("决定", "Decision"), lambda shown: action_word(shown["action"])),
        (say("状态", "State"), lambda shown: state_word("decision", shown["state"])),
        (say("证照", "Licence"), itemgetter("licence")),
        ("", lambda shown: clock_words(shown["clock"])),
    )
    return list_cases(
        lambda dossiers: dossiers.decisions(
            department=department,
            licence=identifier,
            open_=None if all_ else True,
            limit=size,
            offset=(page - 1) * size,
        ),
        decision_plain,
        columns,
        none=say("没有处理决定。", "There are no decisions."),
        as_json=as_json,
    )


def add_decisions_to(cases: typer.Typer) -> None:
    """Hang the commands beside those for applications."""
    for name, command, zh, en in (
        ("decide", decide, "对证照作出处理决定", "Put a decision on a licence forward"),
        ("confirm", confirm, "第二人确认处理决定并执行", "Confirm a decision as second officer; it takes effect"),
        ("drop", drop, "放弃尚未确认的处理决定", "Give up a decision that was not confirmed"),
        ("decisions", decisions, "查看处理决定", "List decisions on licences"),
    ):
        cases.command(name, help=say(zh, en))(command)


def _told(office: Office, dossiers: Dossiers, case: Case, *, as_json: bool) -> int:
    from hub.licensing.dossiers.views import decision_plain

    plain = decision_plain(office, dossiers, case)
    if as_json:
        print_json({"outcome": "waiting" if plain["open"] else plain["state"], **plain})
    else:
        say_case(plain, "decision")
        copies = plain["relied_on"]["copies_in_force"]
        if copies:
            note(say(f"该证照尚有 {copies} 份用途加注件在有效期内。", f"{copies} copies of the licence are in force."))
    return WAITING if plain["open"] else OK
