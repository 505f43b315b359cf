"""`zhengtong correct …`: dispute data, answer, put it right.

Leaves every step to `hub.corrections`, and recalls to `hub.cli.recalls`. What is written about a person may come from
a file or from standard input, so that it stays out of the shell's history.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import pair, read_file
from hub.cli.common import By, Json, Page, Revision, Size, day, opened, state_word
from hub.cli.language import LANG, say
from hub.cli.output import OK, WAITING, note, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from hub.actors import Actor
    from hub.cases import Case
    from hub.office import Office

correct = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=say("校核纠错与数据召回", "Dispute wrong data, have it put right, recall it"),
)

FAULTS = (
    "wrong_value",
    "outdated",
    "missing_record",
    "duplicate_record",
    "not_this_person",
    "other",
    "late",
    "structure",
)
GROUNDS = ("correct", "not_ours", "not_shown", "not_found")
_FROM_FILE = say("；可写作 @文件 或 -（标准输入）", "; may be @FILE or - (standard input)")
_KEEPS_OUT = say(
    "；值写作 @文件 或 - 时从文件或标准输入读取，避免个人信息留在命令历史中",
    "; the value may be @FILE or - (standard input), which keeps personal data out of the shell's history",
)


def text_option(zh: str, en: str) -> Any:  # noqa: ANN401 - the library's own type
    """An option for words about a record: told to be readable from a file."""
    return typer.Option(help=say(zh, en) + _FROM_FILE, show_default=False)


Id = Annotated[
    str,
    typer.Argument(metavar=say("校核编号", "CORRECTION"), help=say("校核编号", "the correction"), show_default=False),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE…", help=say("记录主键", "the record's key") + _KEEPS_OUT, show_default=False),
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar=say("信息项", "NAME"), help=say("信息项；可重复", "a field; may repeat")),
]
MendBy = Annotated[
    datetime | None,
    typer.Option("--mend-by", formats=["%Y-%m-%d"], help=say("更正完成日期", "the day by which it will be put right")),
]


@correct.command(
    "new", help=say("提出校核：指明有误的记录、信息项或资源", "Dispute a record, fields of it, or a resource")
)
def new(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    keys: Keys = None,
    *,
    fault: Annotated[
        str,
        typer.Option(
            "--fault", metavar="|".join(FAULTS), help=say("问题类型", "what kind of fault"), show_default=False
        ),
    ],
    wrong: Annotated[str, text_option("哪里有误", "what is wrong")],
    right: Annotated[str, text_option("应为什么", "what it should be")] = "",
    evidence: Annotated[str, text_option("依据", "what shows it")] = "",
    fields: Fields = None,
    entry: Annotated[
        int | None,
        typer.Option("--entry", min=0, help=say("所得应答的日志条目序号（见回执）", "log entry of the answer")),
    ] = None,
    by: By,
    as_json: Json = False,
) -> int:
    """Open a correction; the provider is told, and answers say that the data is disputed."""
    from catalog.correction import Fault
    from hub import corrections

    claim = corrections.Claim(
        resource=code,
        fault=Fault(_one_of(fault, FAULTS, "--fault")),
        wrong=read_text(wrong),
        right=read_text(right),
        evidence=read_text(evidence),
        key=pairs(keys),
        fields=tuple(fields or ()),
        entry=corrections.NO_ENTRY if entry is None else entry,
    )
    return _take(
        by, lambda office, actor: corrections.submit(office, claim, actor=actor), as_json=as_json, code=WAITING
    )


@correct.command("list", help=say("查看本部门提出的和待办的校核", "The corrections of the actor's department"))
def list_(
    *,
    state: Annotated[str | None, typer.Option("--state", help=say("只看此状态", "only this state"))] = None,
    resource: Annotated[str | None, typer.Option("--resource", help=say("只看此资源", "only this resource"))] = None,
    by: By,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The one whose clock ends first before the others; nothing about a person."""
    from catalog.correction import FAULTS as WORDS
    from hub import corrections
    from hub.actors import Actor

    with opened() as office:
        _total, cases = corrections.find(
            office,
            Actor.parse(by).department,
            state=state,
            resource=resource,
            limit=size,
            offset=(page - 1) * size,
        )
    if as_json:
        print_json([corrections.line(case) for case in cases])
        return OK
    table(
        "",
        [
            say("编号", "Correction"),
            say("状态", "State"),
            say("资源", "Resource"),
            say("问题", "Fault"),
            say("提出部门", "Opened by"),
            say("待办", "Turn of"),
            say("时限", "Due"),
        ],
        (
            [
                case.id,
                state_word("correction", case.state),
                case.resource,
                WORDS[corrections.content(case).disputed.fault][LANG == "zh"],
                case.opener,
                case.answerer,
                day(case.due_at),
            ]
            for case in cases
        ),
    )
    return OK


@correct.command("show", help=say("查看一项校核及其办理过程", "Show a correction and its steps"))
def show(id_: Id, *, by: By, as_json: Json = False) -> int:
    """For its consumer, its provider and the office."""
    from hub import corrections
    from hub.actors import Actor

    department = Actor.parse(by).department
    with opened() as office:
        return _told(corrections.get(office, id_, department), office, department, as_json=as_json)


@correct.command("ask", help=say("提供方要求补充说明", "The provider asks for more"))
def ask(
    id_: Id,
    *,
    question: Annotated[str, text_option("要补充什么", "what is wanted")],
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The consumer is told, and its clock runs."""
    from hub import corrections

    words = read_text(question)
    return _take(
        by,
        lambda office, actor: corrections.ask(office, id_, actor=actor, question=words, revision=revision),
        as_json=as_json,
    )


@correct.command("supply", help=say("提出方补充说明", "The consumer replies"))
def supply(
    id_: Id,
    *,
    reply: Annotated[str, text_option("补充内容", "the reply")],
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The provider's clock starts anew."""
    from hub import corrections

    words = read_text(reply)
    return _take(
        by,
        lambda office, actor: corrections.supply(office, id_, actor=actor, reply=words, revision=revision),
        as_json=as_json,
        code=WAITING,
    )


@correct.command("accept", help=say("提供方确认有误，承诺更正日期", "The provider owns the fault and names a day"))
def accept(
    id_: Id,
    *,
    mend_by: MendBy,
    answer: Annotated[str, text_option("答复", "the answer")] = "",
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The data stays marked until it is put right."""
    from hub import corrections

    words, last = read_text(answer), _date(mend_by)
    return _take(
        by,
        lambda office, actor: corrections.accept(
            office, id_, actor=actor, mend_by=last, answer=words, revision=revision
        ),
        as_json=as_json,
    )


@correct.command("reject", help=say("提供方认为数据无误", "The provider stands by its data"))
def reject(
    id_: Id,
    *,
    ground: Annotated[
        str, typer.Option("--ground", metavar="|".join(GROUNDS), help=say("理由", "the ground"), show_default=False)
    ],
    answer: Annotated[str, text_option("说明", "the explanation")],
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """The consumer may dispute this once, to the office."""
    from catalog.correction import Ground
    from hub import corrections

    why, words = Ground(_one_of(ground, GROUNDS, "--ground")), read_text(answer)
    return _take(
        by,
        lambda office, actor: corrections.reject(office, id_, actor=actor, ground=why, answer=words, revision=revision),
        as_json=as_json,
    )


@correct.command(
    "mended", help=say("提供方报告已更正，与库表核对", "The provider has put it right; compared with the table")
)
def mended(
    id_: Id,
    where: Annotated[
        str,
        typer.Argument(
            metavar=say("快照|归集批次", "SNAPSHOT|LOAD"),
            help=say("更正所在的快照编号或归集批次", "the snapshot, or the run of the load, in which it was put right"),
            show_default=False,
        ),
    ],
    *,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Refused when what was disputed is there as it was."""
    from hub import corrections

    return _take(
        by,
        lambda office, actor: corrections.mended(office, id_, actor=actor, where=where, revision=revision),
        as_json=as_json,
    )


@correct.command("withdraw", help=say("提出方撤回", "The consumer takes it back"))
def withdraw(id_: Id, *, by: By, revision: Revision = None, as_json: Json = False) -> int:
    """The mark is removed."""
    from hub import corrections

    return _take(
        by,
        lambda office, actor: corrections.withdraw(office, id_, actor=actor, revision=revision),
        as_json=as_json,
    )


@correct.command("appeal", help=say("提出方提请数据主管部门处理", "The consumer disputes the answer to the hub office"))
def appeal(
    id_: Id,
    *,
    why: Annotated[str, text_option("理由", "why")],
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Possible once, after a rejection or when it was not put right."""
    from hub import corrections

    words = read_text(why)
    return _take(
        by,
        lambda office, actor: corrections.appeal(office, id_, actor=actor, why=words, revision=revision),
        as_json=as_json,
        code=WAITING,
    )


@correct.command("settle", help=say("数据主管部门作出处理", "The hub office settles it"))
def settle(
    id_: Id,
    *,
    upheld: Annotated[
        bool, typer.Option("--uphold/--dismiss", help=say("应更正／数据无误", "to be put right / the data stands"))
    ],
    verdict: Annotated[str, text_option("处理意见", "the verdict")],
    mend_by: MendBy = None,
    by: By,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Upheld, the provider has to put it right by --mend-by."""
    from hub import corrections

    words, last = read_text(verdict), None if mend_by is None else _date(mend_by)
    return _take(
        by,
        lambda office, actor: corrections.settle(
            office, id_, actor=actor, upheld=upheld, verdict=words, mend_by=last, revision=revision
        ),
        as_json=as_json,
    )


def _take(by: str, step: Callable[[Office, Actor], Case], *, as_json: bool, code: int = OK) -> int:
    """Take *step* and tell how the case stands; *code* is the exit code of having taken it."""
    from hub.actors import Actor

    actor = Actor.parse(by)
    with opened() as office:
        _told(step(office, actor), office, actor.department, as_json=as_json)
    return code


def _told(case: Case, office: Office, department: str, *, as_json: bool) -> int:
    from catalog.correction import FAULTS as WORDS
    from hub import corrections

    plain = corrections.view(case, department)
    history = office.cases.history(case.id)
    if as_json:
        plain["history"] = [
            {"at": s.at.isoformat(), "actor": s.actor, "step": s.step, "state": s.state, "entry": s.log_index}
            for s in history
        ]
        print_json(plain)
        return OK
    about = corrections.content(case).disputed
    lines: list[tuple[str, str]] = [
        (
            say("校核", "Correction"),
            f"{case.id}  {state_word('correction', case.state)}  {say('修订', 'revision')} {case.revision}",
        ),
        (say("资源", "Resource"), f"{case.resource}  {case.value['provider']}"),
        (say("问题", "Fault"), WORDS[about.fault][LANG == "zh"]),
        (say("记录", "Record"), ", ".join(f"{name}={value}" for name, value in about.key)),
        (say("信息项", "Fields"), ", ".join(about.fields)),
        (say("提出部门", "Opened by"), case.opener),
        (say("哪里有误", "Wrong"), plain["wrong"]),
        (say("应为", "Right"), plain["right"]),
        (say("依据", "Evidence"), plain["evidence"]),
        (say("要求补充", "Asked"), plain["asked"]),
        (say("补充说明", "Reply"), plain["supplied"]),
        (say("答复", "Answer"), " ".join(filter(None, (plain["ground"], plain["answer"])))),
        (say("更正日期", "Mend by"), plain["mend_by"]),
        (say("更正于", "Put right in"), " ".join(filter(None, (plain["mended"], plain["checked"])))),
        (say("争议理由", "Disputed"), plain["appealed"]),
        (say("处理意见", "Verdict"), plain["verdict"]),
        (say("待办", "Turn of"), f"{case.answerer}  {day(case.due_at)}" if case.open else ""),
        (say("可办理", "You may"), ", ".join(plain["allowed"])),
    ]
    print_lines(lines)
    for step in history:
        note(f"{step.at.isoformat(timespec='minutes')}  {step.actor}  {step.step}  #{step.log_index}")
    return OK


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    """Headings with their texts, those without a text left out."""
    for heading, text in lines:
        if text:
            out.print(f"{heading}{say('：', ': ')}{text}", markup=False)


def pairs(keys: list[str] | None) -> tuple[tuple[str, str], ...]:
    """A key as it was given, from files where it says so."""
    return tuple(pair(text, "KEY=VALUE") for text in keys or ())


def read_text(text: str) -> str:
    """A text that may stand in a file (``@FILE``) or come from standard input (``-``)."""
    if text == "-":
        return sys.stdin.read().strip()
    if text.startswith("@"):
        return read_file(Path(os.path.expanduser(text[1:])), text)  # noqa: PTH111 - the shell leaves ~ after @
    return text


def _one_of(text: str, known: tuple[str, ...], hint: str) -> str:
    if text not in known:
        raise typer.BadParameter(say(f"应为 {'、'.join(known)} 之一", f"one of {', '.join(known)}"), param_hint=hint)
    return text


def _date(at: datetime | None) -> date:
    if at is None:
        raise typer.BadParameter(say("请填写日期", "give a date"), param_hint="--mend-by")
    return at.date()


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree, those on recalls with them."""
    from hub.cli import recalls  # hangs its own into ours

    del recalls
    app.add_typer(correct, name="correct")
