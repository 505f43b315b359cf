"""`zhengtong seal …`: the register of electronic seals, and their use by those who keep them.

Leaves each step to `hub.seals`, remote signatures to `hub.cli.seal_signers`.
"""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.common import By, Concerning, Json, Page, Size  # noqa: TC001 - Typer reads the annotations
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, print_json, table
from hub.cli.seal_common import Code, File, Purpose, To, document, opened, written
from hub.cli.seal_signers import sign, signer

seal = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("电子印章", "Electronic seals"))


class Kind(StrEnum):
    """Kinds of seal, as `hub.seals.words.Sort` has them."""

    OFFICIAL = "official"
    SPECIAL = "special"
    LICENCE = "licence"
    NAME = "name"
    SIGNATURE = "signature"


Ground = Annotated[str, typer.Option("--ground", help=say("依据", "on what ground"), show_default=False)]


@seal.command("request", help=say("申请制章", "Ask for a seal"))
def request(
    kind: Annotated[Kind, typer.Argument(help=say("印章类型", "kind of seal"), show_default=False)],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=say("印章名称", "what the seal says"), show_default=False)
    ],
    *,
    by: By,
    custodian: Annotated[
        str,
        typer.Option(
            "--custodian",
            metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
            help=say("保管人", "who keeps it"),
            show_default=False,
        ),
    ],
    until: Annotated[
        str, typer.Option("--until", help=say("有效期至（日期）", "valid until (date)"), show_default=False)
    ],
    since: Annotated[
        str | None, typer.Option("--from", help=say("有效期起（默认今天）", "valid from (today)"), show_default=False)
    ] = None,
    ground: Ground,
    line: Annotated[
        str, typer.Option("--line", help=say("五角星下方的文字", "what stands below the star"), show_default=False)
    ] = "",
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help=say("印章图像（PNG）", "its picture (PNG)"), exists=True, show_default=False),
    ] = None,
    width: Annotated[int, typer.Option("--width", help=say("宽（毫米）", "width in mm"))] = 42,
    height: Annotated[int, typer.Option("--height", help=say("高（毫米）", "height in mm"))] = 42,
    four: Annotated[bool, typer.Option("--v4", help=say("按 GB/T 38540-2020 制作", "after GB/T 38540-2020"))] = False,
    as_json: Json = False,
) -> int:
    """Another person approves it, and then it is made."""
    from hub.seals.registering import SealOrder
    from hub.seals.words import Sort

    with opened() as office:
        order = SealOrder(
            Sort(kind.value),
            name,
            by.partition(":")[0],
            custodian,
            _day(since, time.min) if since else office.clock(),
            _day(until, time.max.replace(microsecond=0)),
            line=line,
            png=picture.read_bytes() if picture else b"",
            width_mm=width,
            height_mm=height,
            structure=4 if four else 5,
        )
        return _told(office.request(order, by=by, ground=ground), as_json=as_json)


def _add_step(step: str, zh: str, en: str) -> None:
    def take(code: Code, *, by: By, ground: Ground, as_json: Json = False) -> int:
        from licence.seals.register import Action

        with opened() as office:
            if step == "destroy":
                return _told(office.destroy(code, by=by, ground=ground), as_json=as_json)
            return _told(office.decide(code, Action(step), by=by, ground=ground), as_json=as_json)

    seal.command(step, help=say(zh, en))(take)


for _step in (
    ("approve", "核准制章（须为另一人）", "Approve a request, by another person; the seal is made"),
    ("reject", "驳回制章申请", "Refuse a request"),
    ("disable", "停用印章", "Disable a seal"),
    ("enable", "启用印章", "Enable a seal again"),
    ("destroy", "申请销毁；由另一人核准销毁", "Ask for a seal's destruction, or, by another person, decide so"),
    ("keep", "撤回销毁申请", "Keep a seal that was up for destruction"),
):
    _add_step(*_step)


@seal.command("transfer", help=say("移交给新的保管人", "Hand a seal to a new custodian"))
def transfer(
    code: Code,
    custodian: Annotated[
        str,
        typer.Argument(
            metavar=say("部门代码:岗位", "DEPARTMENT:POST"), help=say("新保管人", "who keeps it"), show_default=False
        ),
    ],
    *,
    by: By,
    ground: Ground,
    as_json: Json = False,
) -> int:
    """A new version is asked for; when it is approved, the old one is disabled."""
    with opened() as office:
        return _told(office.transfer(code, custodian, by=by, ground=ground), as_json=as_json)


@seal.command("authorise", help=say("授权平台自动用印", "Let the hub use a licence-issuing seal by itself"))
def authorise(
    code: Code,
    *,
    by: By,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help=say("证照类型代码，可重复；不填即终止授权", "kind of licence, may repeat; none ends it")
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help=say("授权至（日期）", "until (date)"), show_default=False)
    ] = None,
    ground: Ground,
    as_json: Json = False,
) -> int:
    """By its custodian; for some kinds of licence, and a year at most."""
    with opened() as office:
        ends = _day(until, time.max.replace(microsecond=0)) if until else office.clock()
        return _told(office.authorise(code, kinds or (), ends, by=by, ground=ground), as_json=as_json)


@seal.command("list", help=say("列出印章", "List seals"))
def listed(
    *,
    department: Concerning = None,
    state: Annotated[
        str | None, typer.Option("--state", help=say("此状态的", "those in this state"), show_default=False)
    ] = None,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """By code."""
    with opened() as office:
        rows = office.find(department=department, state=state, limit=size, offset=(page - 1) * size)
    if as_json:
        print_json(rows)
        return OK
    headings = [
        say("编码", "Seal"),
        say("类型", "Kind"),
        say("名称", "Name"),
        say("状态", "State"),
        say("保管人", "Custodian"),
        say("有效期至", "Until"),
        say("需换版", "Next version"),
    ]
    table(
        "",
        headings,
        (
            [
                r["code"],
                _sort(r["sort"]),
                r["name"],
                _state(r["state"]),
                r["custodian"],
                r["valid_until"][:10],
                _outdated(r),
            ]
            for r in rows
        ),
    )
    return OK


@seal.command("show", help=say("查看一枚印章", "Show a seal and its history"))
def show(code: Code, *, as_json: Json = False) -> int:
    """State, custodian, validity, and each step."""
    with opened() as office:
        found, used = office.show(code), office.used(code)
    if as_json:
        print_json({**found, "used": used})
        return OK
    auto = found["automatic"]
    rows = [
        [say("类型", "Kind"), _sort(found["sort"])],
        [say("名称", "Name"), found["name"]],
        [say("状态", "State"), _state(found["state"])],
        [say("部门", "Department"), found["department"]],
        [say("保管人", "Custodian"), found["custodian"]],
        [say("有效期", "Valid"), f"{found['valid_from'][:10]} – {found['valid_until'][:10]}"],
        [say("需换版", "Next version"), _outdated(found)],
        [say("格式", "Format"), f"SESeal V{found['structure']}"],
        [say("摘要", "Digest"), found["digest"]],
        [say("自动用印", "Used by the hub"), f"{', '.join(auto['kinds'])} → {auto['until'][:10]}" if auto else ""],
        [say("用印次数", "Times used"), used],
    ]
    table(code, ["", ""], rows)
    headings = [
        say("时间", "At"),
        say("办理人", "By"),
        say("步骤", "Step"),
        say("状态", "State"),
        say("依据", "Ground"),
    ]
    table(
        "", headings, ([h["at"][:19], h["by"], h["action"], _state(h["state"]), h["ground"]] for h in found["history"])
    )
    return OK


@seal.command("image", help=say("导出印章图像", "Write a seal's picture to a file"))
def image(
    code: Code,
    *,
    to: To,
    whole: Annotated[
        bool, typer.Option("--seal", help=say("导出印章本身（SESeal，DER）", "the seal itself (SESeal, DER)"))
    ] = False,
    as_json: Json = False,
) -> int:
    """PNG; to look at before approving, too."""
    with opened() as office:
        data = office.seal_file(code) if whole else office.picture(code)
    return written(to, data, {}, as_json=as_json)


@seal.command("stamp", help=say("用印", "Use a seal on a file"))
def stamp(
    code: Code,
    file: File,
    *,
    to: To,
    purpose: Purpose,
    by: By,
    x: Annotated[float, typer.Option("--x", help=say("距左边（毫米）", "mm from the left"))] = 130.0,
    y: Annotated[
        float | None,
        typer.Option("--y", help=say("距上边（OFD）或下边（PDF）（毫米）", "mm from the top (OFD) or bottom (PDF)")),
    ] = None,
    as_json: Json = False,
) -> int:
    """By its custodian alone; the use is recorded first."""
    from hub.seals.using import Place

    data = document(file)
    if y is None:
        y = 45.0 if data.startswith(b"%PDF") else 215.0
    with opened() as office:
        done = office.stamp(code, data, by=by, purpose=purpose, place=Place(x, y))
    return written(to, done.data, {"use": done.use, "form": done.form}, as_json=as_json)


@seal.command("uses", help=say("用印记录", "The uses of a seal"))
def uses(code: Code, *, page: Page = 1, size: Size = 50, as_json: Json = False) -> int:
    """The newest first. One that is only recorded has no signature that anybody was given."""
    from hub.seals.words import USE_STATES

    with opened() as office:
        rows = office.uses(code, limit=size, offset=(page - 1) * size)
    if as_json:
        print_json(rows)
        return OK
    headings = [
        say("时间", "At"),
        say("用印人", "By"),
        say("用途", "Purpose"),
        say("份数", "Documents"),
        say("文件摘要", "Digest"),
        say("结果", "Outcome"),
        say("日志", "Entry"),
    ]
    table(
        code,
        headings,
        (
            [
                r["at"][:19],
                r["by"],
                r["purpose"],
                r["count"],
                r["document_digest"][:16],
                say(*USE_STATES[r["state"]]),
                f"#{r['log_index']}",
            ]
            for r in rows
        ),
        right=(3,),
    )
    return OK


@seal.command("verify", help=say("据已公布的登记册查验印章", "Look a seal up in the published register, offline"))
def verify(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=say("电子印章（SESeal）", "a seal (SESeal)"), exists=True, dir_okay=False),
    ],
    *,
    register: Annotated[
        Path | None,
        typer.Option("--register", help=say("登记册文件（默认为本平台公布的）", "the register (default: this hub's)")),
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help=say("信任目录", "trust folder"), show_default=False)
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help=say("以此时刻判断（ISO 8601）", "as of this time"), show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Whether it was in force; whether it is genuine is `zhengtong verify`'s."""
    from datetime import UTC

    from hub.settings import Settings
    from licence.seals.published import read_register
    from licence.trust import TrustStore

    settings = Settings.from_environment()
    token = (register or settings.public / "seals" / "register.jwt").read_text(encoding="ascii", errors="replace")
    read = read_register(token.strip(), TrustStore.load(trust or settings.trust))
    found = read.require_in_force(file.read_bytes(), _moment(at) if at else datetime.now(UTC))
    if as_json:
        print_json({"ok": True, "version": read.version, **found.plain()})
    else:
        note(
            say(
                f"{found.code} 在用（登记册第 {read.version} 版）。",
                f"{found.code} is in use (register version {read.version}).",
            )
        )
    return OK


def _told(found: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print_json(found)
    else:
        note(
            say(
                f"{found['code']} 现为：{_state(found['state'])}。", f"{found['code']} is now {_state(found['state'])}."
            )
        )
        print(found["code"])
    return OK


def _sort(text: str) -> str:
    from hub.seals.words import Sort

    return str(getattr(Sort(text), LANG))


def _outdated(found: dict[str, Any]) -> str:
    return say("保管人密钥已更换", "needed: its keeper's key was changed") if found["outdated"] else ""


def _state(text: str) -> str:
    from licence.seals.register import State

    return str(getattr(State(text), LANG))


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        why = say("应为 ISO 8601 日期或时间，如 2028-12-31", "an ISO 8601 date or time is wanted, e.g. 2028-12-31")
        raise typer.BadParameter(why, param_hint=text[:40]) from error
    return at if at.tzinfo else at.astimezone()


def _day(text: str, clock: time) -> datetime:
    from catalog.clock import SHANGHAI

    return datetime.combine(_moment(text).date(), clock, SHANGHAI)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    seal.add_typer(signer, name="signer")
    seal.add_typer(sign, name="sign")
    app.add_typer(seal, name="seal")
