"""`zhengtong inbox`, `zhengtong remind`: what waits for a department, and telling everyone in time.

Who is told what is `hub.deadlines`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from hub.casewords import CASE_KINDS
from hub.cli.common import By, Json, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, note, print_json, table


def inbox(
    *,
    by: By,
    read: Annotated[
        int | None,
        typer.Option(
            "--read", help=say("将此编号的通知标为已读", "take this notice out of the tray"), show_default=False
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help=say("已读通知也列出", "read notices, too"))] = False,
    as_json: Json = False,
) -> int:
    """What waits for the actor's department, oldest clock first, and what it was told."""
    from hub.actors import Actor
    from hub.deadlines import case_plain, tray_of
    from hub.notices import mark_read, tray

    actor = Actor.parse(by)
    with opened() as office:
        if read is not None:
            return _read(mark_read(office.control, read, actor=actor, at=office.now()), read, as_json=as_json)
        waiting = tray_of(office, actor.department)
        told = tray(office.control, actor.department, unread_only=not everything)
    if as_json:
        print_json(
            {
                "department": actor.department,
                "waiting": [case_plain(case, left) for case, left in waiting],
                "notices": [
                    {
                        "id": one.id,
                        "at": one.at.isoformat(),
                        "kind": one.kind,
                        "case": one.case_id,
                        "resource": one.resource,
                        "text": one.text(LANG),
                        "read": one.read_at is not None,
                    }
                    for one in told
                ],
            }
        )
        return OK
    table(
        say("待办", "Waiting for you"),
        [
            say("事项", "Case"),
            say("类别", "Kind"),
            say("状态", "State"),
            say("资源", "Resource"),
            say("时限", "Due"),
            say("剩余", "Left"),
        ],
        (
            [
                case.id,
                say(*reversed(CASE_KINDS[case.kind])),
                state_word(case.kind, case.state),
                case.resource,
                day(case.due_at),
                left_words(left),
            ]
            for case, left in waiting
        ),
    )
    table(
        say("通知", "Notices"),
        [say("编号", "No."), say("日期", "Day"), say("内容", "Text")],
        ([str(one.id), day(one.at), one.text(LANG)] for one in told),
    )
    if not waiting and not told:
        note(say("没有待办事项和未读通知。", "Nothing waits for you, and there is no unread notice."))
    return OK


def _read(done: bool, number: int, *, as_json: bool) -> int:  # noqa: FBT001 - what `mark_read` said
    if as_json:
        print_json({"ok": done, "id": number, "read": done})
    elif done:
        note(say(f"通知 {number} 已标为已读。", f"Notice {number} is marked as read."))
    else:
        note(
            say(
                f"没有编号为 {number} 的未读通知。用 `zhengtong inbox` 查看。",
                f"No unread notice has number {number}. `zhengtong inbox` lists them.",
            )
        )
    return OK if done else NOT_FOUND


def left_words(left: int | None) -> str:
    """How long there is left, as people say it."""
    if left is None:
        return say("无时限", "no clock")
    if left < 0:
        return say(f"已超期 {-left} 个工作日", f"{-left} working day{_s(-left)} overdue")
    if left == 0:
        return say("今天到期", "due today")
    return say(f"剩 {left} 个工作日", f"{left} working day{_s(left)} left")


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def remind(*, as_json: Json = False) -> int:
    """Tell everyone once; safe to repeat."""
    from hub.deadlines import sweep

    with opened() as office:
        swept = sweep(office)
    if as_json:
        print_json({"ok": True, **swept.plain()})
        return OK
    note(
        say(
            f"已提醒 {swept.reminded} 件，超期上报 {swept.escalated} 件，计划逾期 {swept.planned} 件；"
            f"授权将到期 {swept.expiring} 件，长期未用 {swept.unused} 件。",
            f"Reminded of {swept.reminded} cases, escalated {swept.escalated}, {swept.planned} plans past their day; "
            f"{swept.expiring} grants end soon, {swept.unused} lie idle.",
        )
    )
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.command("inbox", help=say("本部门待办事项和通知", "What waits for your department, and what it was told"))(
        inbox
    )
    app.command(
        "remind",
        help=say("检查时限并发送提醒，可重复执行", "Check every clock and tell who must be told; safe to repeat"),
    )(remind)
