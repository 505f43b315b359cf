"""`zhengtong correct recipients|recall|recalls|acknowledge`: who got wrong data, and calling it back from them.

Leaves every step to `hub.recall`; the other commands on corrections are in `hub.cli.corrections`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import By, Json, Page, Revision, Size, opened, state_word
from hub.cli.corrections import Fields, Keys, correct, pairs, print_lines, read_text, text_option
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from hub.actors import Actor
    from hub.cases import Case
    from hub.office import Office
    from hub.recall import Wrong

Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help=say("起始日期（默认：日志起点）", "first day (default: all)")),
]
Until = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help=say("截止日期（默认：今天）", "last day (default: today)"))
]
Target = Annotated[
    str,
    typer.Argument(
        metavar=say("校核编号|资源代码", "CORRECTION|CODE"),
        help=say("校核编号；未经校核时为资源代码", "a correction, or a resource's code where there is none"),
        show_default=False,
    ),
]


@correct.command("recipients", help=say("由日志查明谁取得过有误的数据", "Find from the log who got the wrong data"))
def recipients(
    target: Target,
    keys: Keys = None,
    *,
    fields: Fields = None,
    since: Since = None,
    until: Until = None,
    by: By,
    as_json: Json = False,
) -> int:
    """For the provider and the office; reads the whole log."""
    from hub import recall
    from hub.actors import Actor

    actor = Actor.parse(by)
    with opened() as office:
        wrong, _ = _wrong(office, target, keys, fields, actor)
        recall.may_recall(office, wrong.resource, actor)
        bounds = recall.period(_maybe(since), _maybe(until), office.now())
        found = [one.to_plain() for one in recall.recipients(office, wrong, *bounds)]
    if as_json:
        print_json(found)
        return OK
    if not found:
        note(say("没有部门取得过该数据。", "No department got this data."))
        return OK
    _print_recipients(found)
    return OK


@correct.command("recall", help=say("召回有误的数据，通知所有取得方", "Recall wrong data: tell everyone who got it"))
def recall_(
    target: Target,
    keys: Keys = None,
    *,
    fields: Fields = None,
    since: Since = None,
    until: Until = None,
    text: Annotated[str, text_option("内部说明，不通知他人", "a note for the file; nobody is told")] = "",
    by: By,
    as_json: Json = False,
) -> int:
    """Issued once: the same recall again shows the first."""
    from hub import recall
    from hub.actors import Actor

    actor = Actor.parse(by)
    words = read_text(text)
    with opened() as office:
        wrong, correction = _wrong(office, target, keys, fields, actor)
        first, last = recall.period(_maybe(since), _maybe(until), office.now())
        case = recall.issue(office, wrong, actor=actor, since=first, until=last, correction=correction, note=words)
        return _recalled(case, office, actor.department, as_json=as_json)


@correct.command("recalls", help=say("查看与本部门有关的召回", "The recalls that concern the actor's department"))
def recalls(
    id_: Annotated[
        str | None,
        typer.Argument(metavar=say("召回编号", "RECALL"), help=say("只看这一项", "this one alone"), show_default=False),
    ] = None,
    *,
    by: By,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """Those it issued or was sent, the newest first; one of them whole."""
    from hub import recall
    from hub.actors import Actor

    department = Actor.parse(by).department
    with opened() as office:
        if id_ is not None:
            return _recalled(office.cases.get(id_, recall.KIND), office, department, as_json=as_json)
        _total, rows = recall.find(office, department, limit=size, offset=(page - 1) * size)
    if as_json:
        print_json(list(rows))
        return OK
    headings = [say("编号", "Recall"), say("状态", "State"), say("资源", "Resource"), say("部门数", "Departments")]
    table(
        "",
        headings,
        ([r["id"], state_word("recall", r["state"]), r["resource"], len(r["recipients"])] for r in rows),
        right=(3,),
    )
    return OK


@correct.command("acknowledge", help=say("取得方报告对召回的处置", "A recipient says what it did about a recall"))
def acknowledge(
    id_: Annotated[str, typer.Argument(metavar=say("召回编号", "RECALL"), show_default=False)],
    *,
    done: Annotated[str, text_option("作了什么处置", "what was done")],
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The provider sees it; the notice counts as read."""
    from hub import recall
    from hub.actors import Actor

    actor, words = Actor.parse(by), read_text(done)
    with opened() as office:
        case = recall.acknowledge(office, id_, actor=actor, done=words, revision=revision)
        return _recalled(case, office, actor.department, as_json=as_json)


def _recalled(case: Case, office: Office, department: str, *, as_json: bool) -> int:
    from hub import recall

    plain = recall.view(case, office.list_.office, department)
    if as_json:
        print_json(plain)
        return OK
    print_lines(
        [
            (say("召回", "Recall"), f"{case.id}  {state_word('recall', case.state)}"),
            (say("资源", "Resource"), case.resource),
            (say("信息项", "Fields"), ", ".join(plain["fields"])),
            (say("期间", "Period"), f"{plain['since'][:10]} – {plain['until'][:10]}"),
            (say("校核", "Correction"), plain["correction"]),
        ]
    )
    if plain["recipients"]:
        _print_recipients(plain["recipients"], plain["acknowledged"])
    else:
        note(say("没有部门取得过有误的数据，无须通知。", "No department got the wrong data; nobody had to be told."))
    return OK


def _print_recipients(
    found: Sequence[Mapping[str, Any]], acknowledged: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    done = acknowledged or {}
    table(
        "",
        [
            say("部门", "Department"),
            say("调用", "Calls"),
            say("日志条目", "Log entries"),
            say("无法判定", "Undecided"),
            say("订阅", "Subscribes"),
            say("处置", "Done"),
        ],
        (
            [
                one["department"],
                one["calls"],
                ", ".join(map(str, one["entries"])),
                ", ".join(map(str, one["undecided"])),
                say("是", "yes") if one["subscriber"] else "",
                done.get(one["department"], {}).get("done", ""),
            ]
            for one in found
        ),
        right=(1,),
    )


def _wrong(
    office: Office, target: str, keys: list[str] | None, fields: list[str] | None, actor: Actor
) -> tuple[Wrong, str]:
    """What is to be recalled, and the correction that says so ("" for none)."""
    from hub import corrections, recall

    if keys or fields or target in office.list_.by_code:
        return corrections.wrong_of(office, target, pairs(keys), tuple(fields or ())), ""
    case = corrections.get(office, target, actor.department)
    return recall.of_correction(corrections.content(case)), target


def _maybe(at: datetime | None) -> date | None:
    return None if at is None else at.date()
