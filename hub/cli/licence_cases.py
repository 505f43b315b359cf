"""`zhengtong licence case …`: applications for licences, from the counter to the licence.

The holder's code and what the applicant states are personal data: they come from files, standard input or a prompt.
Leaves every step to `hub.licensing.dossiers`, and decisions on licences to `hub.cli.licence_decisions`.
"""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.casewords import CASE_STATES
from hub.cli.arguments import pair, read_file
from hub.cli.common import By, Json, Page, Revision, Size, state_word
from hub.cli.language import LANG, say
from hub.cli.licence_case_common import (
    All,
    Department,
    Ground,
    Id,
    Licence,
    Reason,
    clock_words,
    kind_word,
    list_cases,
    opened,
    say_case,
    show_case,
)
from hub.cli.licence_decisions import add_decisions_to
from hub.cli.output import NOT_PERMITTED, OK, WAITING, note, print_json, table
from hub.errors import QueryInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.licensing.dossiers import Order
    from hub.licensing.dossiers.prefill import Prefilled

cases = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=say("证照申请与处理决定", "Applications for licences, and decisions on them"),
)

Kind = Annotated[
    str,
    typer.Argument(
        metavar=say("证照类型", "KIND"), help=say("证照名称或类型代码", "kind, by name or code"), show_default=False
    ),
]
HolderFile = Annotated[
    Path | None,
    typer.Option(
        "--holder-file",
        help=say("存放持证主体代码的文件（- 为标准输入）", "file with the holder's identifier (- is standard input)"),
    ),
]
Record = Annotated[
    list[str] | None,
    typer.Option(
        "--record",
        metavar="FIELD=@FILE",
        help=say("持证主体有多条记录时指明其一；可重复", "which record, when the holder has several; may repeat"),
    ),
]
StatedFile = Annotated[
    Path | None,
    typer.Option(
        "--stated-file",
        help=say(
            "申请人陈述的证面项（JSON 对象），用于与权威数据比对",
            "what the applicant states of the face (a JSON object), to be compared with the record",
        ),
    ),
]
OwnGround = Annotated[
    str, typer.Option("--ground", help=say("法律依据（默认同申请）", "legal ground (default: the application's)"))
]
OwnReason = Annotated[
    str, typer.Option("--reason", help=say("意见（默认：同意）", "opinion (default: that of the step)"))
]
Matter = Annotated[str, typer.Option("--matter", help=say("关联事项代码", "the matter's code"))]
Material = Annotated[
    list[str] | None, typer.Option("--material", help=say("电子材料编号，可重复", "an e-material; may repeat"))
]
Channel = Annotated[
    str,
    typer.Option("--channel", help=say("渠道：window 窗口，online 网上，mobile，terminal，post", "how it came in")),
]


@cases.command("preview", help=say("预填并试算：可否签发、与陈述有何不同", "What is known, and could it be issued?"))
def preview(
    kind: Kind,
    *,
    by: By,
    holder_file: HolderFile = None,
    record: Record = None,
    stated_file: StatedFile = None,
    as_json: Json = False,
) -> int:
    """Opens nothing; the look-up is recorded. Exit 0 if it could be issued, 4 if not."""
    from hub.actors import Actor

    words = say("试算", "preview")
    order = _order(kind, holder_file, record, stated_file, reason=words, ground=words)
    with opened() as (_, dossiers):
        found = dossiers.preview(order, actor=Actor.parse(by))
    return _foretold(found, as_json=as_json)


@cases.command("apply", help=say("受理证照申请", "Take in an application"))
def apply(
    kind: Kind,
    *,
    by: By,
    reason: Reason,
    ground: Ground,
    holder_file: HolderFile = None,
    record: Record = None,
    stated_file: StatedFile = None,
    matter: Matter = "",
    material: Material = None,
    channel: Channel = "window",
    as_json: Json = False,
) -> int:
    """Exit 8: it waits for review."""
    order = _order(
        kind, holder_file, record, stated_file,
        reason=reason, ground=ground, matter=matter, materials=tuple(material or ()), channel=channel,
    )  # fmt: skip
    return _handed_in(order, by, as_json=as_json)


@cases.command("renew", help=say("受理延续申请", "Take in an application to renew a licence"))
def renew(
    identifier: Licence,
    *,
    by: By,
    reason: Reason,
    ground: Ground,
    change: Annotated[
        bool, typer.Option("--change", help=say("变更，不是延续", "it is to be changed, not renewed"))
    ] = False,
    holder_file: HolderFile = None,
    record: Record = None,
    stated_file: StatedFile = None,
    matter: Matter = "",
    material: Material = None,
    channel: Channel = "window",
    as_json: Json = False,
) -> int:
    """It ends in the next version of the same identifier. Exit 8: it waits for review."""
    with opened() as (_, dossiers):
        kind = dossiers.counter.licence(identifier)["kind"]
    order = _order(
        kind, holder_file, record, stated_file,
        reason=reason, ground=ground, matter=matter, materials=tuple(material or ()), channel=channel,
        predecessor=identifier, change=change,
    )  # fmt: skip
    return _handed_in(order, by, as_json=as_json)


def _handed_in(order: Order, by: str, *, as_json: bool) -> int:
    from hub.actors import Actor
    from hub.licensing.dossiers.views import dossier_plain

    with opened() as (office, dossiers):
        handed = dossiers.apply(order, actor=Actor.parse(by))
        plain = dossier_plain(office, dossiers, handed.case)
    return _taken_in(plain, handed.prefilled, as_json=as_json)


@cases.command("complete", help=say("补正后重新受理", "Take it in again after completion"))
def complete(
    id_: Id,
    *,
    by: By,
    reason: Reason,
    stated_file: StatedFile = None,
    material: Material = None,
    revision: Revision = None,
    as_json: Json = False,
) -> int:
    """Exit 8: it waits for review."""
    from hub.actors import Actor
    from hub.licensing.dossiers.views import dossier_plain

    stated = None if stated_file is None else _stated(stated_file)
    with opened() as (office, dossiers):
        handed = dossiers.complete(
            id_, actor=Actor.parse(by), reason=reason, stated=stated, materials=material or (), revision=revision
        )
        plain = dossier_plain(office, dossiers, handed.case)
    return _taken_in(plain, handed.prefilled, as_json=as_json)


@cases.command("return", help=say("退回补正，一次告知全部内容", "Return for completion: tell all that is missing"))
def return_(
    id_: Id, *, by: By, reason: Reason, ground: OwnGround = "", revision: Revision = None, as_json: Json = False
) -> int:
    """Possible within the days that the law gives."""
    return _take("ask", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("review", help=say("审查通过", "Find it in order"))
def review(
    id_: Id, *, by: By, reason: OwnReason = "", ground: OwnGround = "", revision: Revision = None, as_json: Json = False
) -> int:
    """Where two persons decide: not by who took it in."""
    return _take("review", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("approve", help=say("批准（须两人审批的证照）", "Approve, where two persons decide"))
def approve(
    id_: Id, *, by: By, reason: OwnReason = "", ground: OwnGround = "", revision: Revision = None, as_json: Json = False
) -> int:
    """By another officer than who reviewed it."""
    return _take("approve", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("refuse", help=say("不予许可，须写明理由和依据", "Refuse, with reason and ground"))
def refuse(id_: Id, *, by: By, reason: Reason, ground: Ground, revision: Revision = None, as_json: Json = False) -> int:
    """It ends the application."""
    return _take("refuse", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("withdraw", help=say("申请人撤回申请", "The applicant takes the application back"))
def withdraw(
    id_: Id, *, by: By, reason: Reason, ground: OwnGround = "", revision: Revision = None, as_json: Json = False
) -> int:
    """It ends the application."""
    return _take("withdraw", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("hand-out", help=say("签发证照；中断后再次执行即可", "Issue the licence; repeat it after a crash"))
def hand_out(
    id_: Id, *, by: By, reason: OwnReason = "", ground: OwnGround = "", revision: Revision = None, as_json: Json = False
) -> int:
    """The licence of a decided application; never two."""
    return _take("hand_out", id_, by, as_json=as_json, reason=reason, ground=ground, revision=revision)


@cases.command("look", help=say("再次查询权威数据并与陈述比对", "Look the record up again, and compare"))
def look(id_: Id, *, by: By, as_json: Json = False) -> int:
    """For officers of the issuing department; the look-up is recorded. Exit 0 if it could be issued, 4 if not."""
    from hub.actors import Actor

    with opened() as (_, dossiers):
        found = dossiers.look(id_, actor=Actor.parse(by))
    return _foretold(found, as_json=as_json)


@cases.command("list", help=say("查看证照申请", "List applications for licences"))
def list_applications(
    *,
    department: Department = None,
    state: Annotated[str | None, typer.Option("--state", help=say("状态", "only in this state"))] = None,
    all_: All = False,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The one whose clock ends first stands first."""
    from hub.licensing.dossiers.views import dossier_plain

    _need_known(state)
    columns = (
        (say("案卷", "Case"), itemgetter("id")),
        (say("证照", "Kind"), kind_word),
        (say("状态", "State"), lambda shown: state_word("dossier", shown["state"])),
        (say("部门", "Issuer"), itemgetter("issuer")),
        (say("时限", "Clock"), lambda shown: clock_words(shown["clock"])),
        (say("证照标识", "Licence"), itemgetter("licence")),
    )
    return list_cases(
        lambda dossiers: dossiers.find(
            department=department,
            state=state,
            open_=None if all_ or state else True,
            limit=size,
            offset=(page - 1) * size,
        ),
        dossier_plain,
        columns,
        none=say("没有证照申请。", "There are no applications."),
        as_json=as_json,
    )


@cases.command("show", help=say("查看一份案卷及其经过", "Show an application or a decision, and its history"))
def show(id_: Id, *, as_json: Json = False) -> int:
    """What the office keeps; nothing of the holder."""
    from hub.errors import CaseUnknownError
    from hub.licensing.dossiers.views import decision_plain, dossier_plain

    with opened() as (office, dossiers):
        try:
            plain, kind = dossier_plain(office, dossiers, dossiers.get(id_)), "dossier"
        except CaseUnknownError:
            plain, kind = decision_plain(office, dossiers, dossiers.decision(id_)), "decision"
    if as_json:
        print_json(plain)
        return OK
    show_case(plain, kind)
    return OK


add_decisions_to(cases)


# --- inside ---


def _take(step: str, id_: str, by: str, *, as_json: bool, **given: Any) -> int:  # noqa: ANN401 - as the step takes it
    from hub.actors import Actor
    from hub.licensing.dossiers.views import dossier_plain

    with opened() as (office, dossiers):
        case = getattr(dossiers, step)(id_, actor=Actor.parse(by), **given)
        plain = dossier_plain(office, dossiers, case)
    if as_json:
        how = "issued" if plain["licence"] else "waiting" if plain["open"] else "ended"
        print_json({"outcome": how, **plain})
    else:
        say_case(plain, "dossier")
    return OK


def _order(
    kind: str,
    holder_file: Path | None,
    record: list[str] | None,
    stated_file: Path | None,
    **given: Any,  # noqa: ANN401 - as the order takes it
) -> Order:
    from hub.licensing.dossiers import Order

    if holder_file is None and given.get("predecessor"):
        holder = ""
    elif holder_file is None:
        holder = str(typer.prompt(say("持证主体代码", "Holder's identifier"), hide_input=True)).strip()
    elif str(holder_file) == "-":
        holder = typer.get_text_stream("stdin").readline().strip()
    else:
        holder = read_file(holder_file, say("持证主体代码", "the holder's identifier"))
    named = dict(pair(text, "--record") for text in record or ())
    return Order(kind, holder, record=named, stated=_stated(stated_file) if stated_file else {}, **given)


def _stated(path: Path) -> Mapping[str, str]:
    what = say("申请人陈述", "what the applicant states")
    try:
        plain = json.loads(read_file(path, what))
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict) or not all(isinstance(value, str) for value in plain.values()):
        raise QueryInvalidError(
            where="--stated-file",
            why="a JSON object of fields and texts is wanted",
            why_zh="应为由证面项和文本组成的 JSON 对象",
        )
    return plain


def _need_known(state: str | None) -> None:
    if state is not None and state not in CASE_STATES["dossier"]:
        known = ", ".join(CASE_STATES["dossier"])
        raise QueryInvalidError(where="--state", why=f"use one of {known}", why_zh=f"应为 {known} 之一")


def _taken_in(plain: Mapping[str, Any], found: Prefilled, *, as_json: bool) -> int:
    if as_json:
        print_json({"outcome": "waiting", **plain, "known": found.plain()})
    else:
        say_case(plain, "dossier")
        _face(found)
    return WAITING


def _foretold(found: Prefilled, *, as_json: bool) -> int:
    from hub.licensing.planning import OK as ISSUABLE

    if as_json:
        print_json(found.plain())
    else:
        _face(found)
    return OK if found.outcome == ISSUABLE else NOT_PERMITTED


def _face(found: Prefilled) -> None:
    plain = found.plain()
    told = plain[f"outcome_{LANG}"] + (f" ({plain['field']})" if plain["field"] else "")
    note(say(f"试算：{told}", f"Could it be issued? {told}"))
    same = {
        "match": say("一致", "the same"),
        "mismatch": say("不一致", "differs"),
        "unknown": say("无法比对", "cannot be told"),
        "": "",
    }
    headings = (say("证面项", "Field"), "", say("权威数据", "On record"), say("与陈述", "As stated"))
    table(
        "",
        headings,
        (
            [line.field, line.title if LANG == "zh" else line.title_en or line.title, line.known, same[line.same]]
            for line in found.lines
        ),
    )
