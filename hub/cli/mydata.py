"""`zhengtong mydata`: what a service hall's clerk shows a person of the use of their data. Recorded in the log."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.arguments import pair
from hub.cli.audit_options import Since, Until, covered, moment
from hub.cli.common import By, Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, out, print_json


def mydata(
    keys: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help=say(
                "本人的号码，如 citizen_id=@文件 或 citizen_id=-（标准输入），避免留在命令历史中",
                "the person's own number, e.g. citizen_id=@FILE or citizen_id=- (standard input): not in the history",
            ),
            show_default=False,
        ),
    ],
    *,
    since: Since = None,
    until: Until = None,
    by: By,
    as_json: Json = False,
) -> int:
    """For the person who stands at the counter and has shown who they are."""
    from hub.actors import Actor
    from hub.auditsearch import Desk
    from hub.cli.audit_options import Opened
    from hub.mydata import show

    actor = Actor.parse(by)
    named = dict(pair(text, "KEY=VALUE") for text in keys)
    with opened() as office:
        desk = Desk.here(office.settings, office.evidence, actor)
        covered(Opened(desk, office), reading=False)
        found = show(office, desk, named, since=moment(since), until=moment(until, end=True))
    if as_json:
        print_json(found.to_plain(LANG))
    else:
        out.print(found.text(LANG), markup=False)
        note(say("本次查看已记入日志。", "That this was looked at is recorded in the log."))
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("mydata", help=say("查看本人数据被谁使用过", "Who used a person's data, when, for what"))(mydata)
