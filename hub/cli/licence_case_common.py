"""What the commands for applications and those for decisions share: options, wiring, and how a case is shown.

Leaves what is done to a case to the commands, and what is told of one to `hub.licensing.dossiers.views`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import state_word
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hub.cases import Case
    from hub.licensing.dossiers import Dossiers
    from hub.office import Office

Id = Annotated[
    str, typer.Argument(metavar=say("案卷编号", "CASE"), help=say("案卷编号", "its number"), show_default=False)
]
Licence = Annotated[
    str,
    typer.Argument(
        metavar=say("证照标识", "IDENTIFIER"), help=say("证照标识", "licence identifier"), show_default=False
    ),
]
Reason = Annotated[str, typer.Option("--reason", help=say("事由", "why"))]
Ground = Annotated[str, typer.Option("--ground", help=say("法律依据", "legal ground"))]
Department = Annotated[
    str | None, typer.Option("--department", help=say("颁发部门", "of this issuing department"), show_default=False)
]
All = Annotated[bool, typer.Option("--all", help=say("包括已办结的", "those that ended, too"))]


@contextmanager
def opened() -> Iterator[tuple[Office, Dossiers]]:
    """The office and its dossiers, closed again at the end of the block."""
    from hub.licensing.dossiers.opening import opened as dossiers_opened
    from hub.settings import Settings

    with dossiers_opened(Settings.from_environment()) as parts:
        yield parts


def list_cases(
    find: Callable[[Dossiers], tuple[int, Sequence[Case]]],
    view: Callable[..., Mapping[str, Any]],
    columns: Sequence[tuple[str, Callable[[Mapping[str, Any]], object]]],
    *,
    none: str,
    as_json: bool,
) -> int:
    """List what *find* finds, each as *view* tells it, in *columns* of heading and cell; *none* where there is none."""
    with opened() as (office, dossiers):
        total, found = find(dossiers)
        shown = [view(office, dossiers, case, whole=False) for case in found]
    if as_json:
        print_json({"total": total, "items": shown})
        return OK
    if not shown:
        note(none)
        return OK
    table("", [heading for heading, _ in columns], ([cell(plain) for _, cell in columns] for plain in shown))
    return OK


def say_case(plain: Mapping[str, Any], kind: str) -> None:
    """Its number and state to standard output; to the person, who has to act until when."""
    out.print(f"{plain['id']}  {state_word(kind, plain['state'])}", markup=False)
    if plain["clock"]:
        due = plain["clock"]["due"][:10]
        note(say(f"待 {plain['answerer']} 于 {due} 前办理。", f"Waits for {plain['answerer']} until {due}."))
    elif plain["licence"] and not plain["open"]:
        note(say(f"证照 {plain['licence']}", f"Licence {plain['licence']}"))


def show_case(plain: Mapping[str, Any], kind: str) -> None:
    """Everything the office keeps of it, and its history."""
    rows = [
        [say("状态", "State"), f"{state_word(kind, plain['state'])}  {clock_words(plain['clock'])}"],
        [say("证照", "Kind"), kind_word(plain)],
        [say("证照标识", "Licence"), plain["licence"]],
        [say("颁发部门", "Issuer"), plain["issuer"]],
        [say("事由", "Why"), plain["reason"]],
        [say("依据", "Ground"), plain["ground"]],
    ]
    if kind == "decision":
        copies = ", ".join(f"{one['department']} {one['in_force']}" for one in plain["relied_on"]["copies"])
        rows += [
            [say("决定", "Decision"), action_word(plain["action"])],
            [say("有效加注件", "Copies in force"), copies],
        ]
    else:
        rows += [
            [say("前一版本", "Predecessor"), plain["predecessor"]],
            [say("试算", "Could it be issued?"), plain[f"planned_{LANG}"]],
            [say("与陈述不一致", "Stated otherwise"), ", ".join(plain["differs"])],
            [say("材料", "Materials"), ", ".join(plain["materials"])],
        ]
    rows.append([say("可办理", "Possible now"), ", ".join(plain["possible"])])
    table(f"{plain['id']}  ({say('修订', 'revision')} {plain['revision']})", ["", ""], rows)
    headings = [
        say("时间", "At"),
        say("办理人", "By"),
        say("步骤", "Step"),
        say("状态", "State"),
        say("说明", "Note"),
        "",
    ]
    table(
        "",
        headings,
        (
            [s["at"][:16], s["actor"], s["step"], state_word(kind, s["state"]), s["note"], f"#{s['log_index']}"]
            for s in plain["history"]
        ),
    )


def kind_word(plain: Mapping[str, Any]) -> str:
    """What the kind of licence is called."""
    return str((plain["kind_name"] if LANG == "zh" else plain["kind_name_en"]) or plain["kind"])


def action_word(action: str) -> str:
    """What a decision is called."""
    from licence.lifecycle import Action

    return Action(action).zh if LANG == "zh" else action


def clock_words(clock: Mapping[str, Any] | None) -> str:
    """How far the clock of a case has run, "" where none runs."""
    if clock is None:
        return ""
    if clock["left"] < 0:
        return say(f"已超期 {-clock['left']} 个工作日", f"{-clock['left']} working days overdue")
    return say(
        f"第 {clock['day']} 天，剩 {clock['left']} 个工作日",
        f"day {clock['day']} of {clock['of']}, {clock['left']} left",
    )
