"""`zhengtong material …`: papers that are no licences, taken in once, reused in later cases, verified by anybody.

Leaves every step to `hub.materials`. Whose paper it is, is personal data: it comes from a file, standard input or a
prompt, never from the command line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.common import By, Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, NOT_FOUND, OK, fail, note, out, print_json, table

materials = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=say("电子材料库：可复用的非证照材料", "E-materials: papers that are no licences and may be reused"),
)

Id = Annotated[
    str,
    typer.Argument(metavar=say("材料编号", "MATERIAL"), help=say("材料编号", "its number"), show_default=False),
]
Holder = Annotated[
    Path | None,
    typer.Option(
        "--holder-file",
        help=say("存放持有人代码的文件（- 为标准输入）", "file with the holder's identifier (- is standard input)"),
        show_default=False,
    ),
]
Matter = Annotated[str, typer.Option("--matter", help=say("事项代码或名称", "the matter"), show_default=False)]
Case = Annotated[str, typer.Option("--case", help=say("办件编号", "the case's number"))]
Purpose = Annotated[str, typer.Option("--purpose", help=say("复用用途", "what it is reused for"), show_default=False)]
Consent = Annotated[bool, typer.Option("--consent", help=say("持有人已同意", "the holder agreed to this use"))]


@materials.command("add", help=say("收取一份材料入库", "Take a paper in"))
def add(
    file: Annotated[
        Path,
        typer.Argument(
            metavar=say("文件", "FILE"), help=say("PDF、OFD、PNG 或 JPEG", "PDF, OFD, PNG or JPEG"), show_default=False
        ),
    ],
    *,
    by: By,
    name: Annotated[str, typer.Option("--name", help=say("材料名称", "what the paper is"), show_default=False)],
    matter: Matter,
    case: Case = "",
    holder_file: Holder = None,
    made: Annotated[
        bool, typer.Option("--made", help=say("部门生成，并非申请人提交", "made by the department, not handed in"))
    ] = False,
    original_seen: Annotated[
        bool, typer.Option("--original-seen", help=say("已核对原件", "compared with the original paper"))
    ] = False,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            "--unit",
            help=say("可复用的部门，可多次；* 为全部", "department that may reuse it; may repeat, * is every one"),
        ),
    ] = None,
    for_matter: Annotated[
        list[str] | None,
        typer.Option(
            "--for-matter",
            help=say("可复用的事项，可多次；* 为全部", "matter it may be reused for; may repeat, * is any"),
        ),
    ] = None,
    without_consent: Annotated[
        bool, typer.Option("--without-consent", help=say("复用无须持有人同意", "reuse needs no consent of the holder"))
    ] = False,
    until: Annotated[
        str | None,
        typer.Option("--until", help=say("有效期至（ISO 8601）", "valid until (ISO 8601)"), show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """The file is recognised by its content; exit 5 with the reason when it is not taken in, 6 when it is there."""
    from hub.actors import Actor
    from hub.materials import Materials, Paper
    from hub.materials.content import MAX_CONTENT_BYTES
    from licence.materials import Origin

    actor = Actor.parse(by)
    try:
        # One byte more than is taken: the store says that it is too large.
        with file.open("rb") as opened_file:
            content = opened_file.read(MAX_CONTENT_BYTES + 1)
    except OSError as error:
        fail(error, as_json=as_json)
        return NOT_FOUND
    paper = Paper(
        name=name,
        matter=matter,
        case=case,
        origin=Origin.MADE if made else Origin.HANDED_IN,
        original_seen=original_seen,
        units=tuple(unit or ()),
        matters=tuple(for_matter or ()),
        needs_consent=not without_consent,
        valid_until=None if until is None else _moment(until, "--until"),
    )
    holder = _holder(holder_file)
    with opened() as office:
        taken = Materials(office).add(content, paper, holder=holder, actor=actor)
    if as_json:
        print_json(taken)
    else:
        note(
            say(
                f"已入库（{taken['media_type']}），日志条目 {taken['entry']}",
                f"Taken in ({taken['media_type']}), log entry {taken['entry']}",
            )
        )
        print(taken["identifier"])
    return OK


@materials.command(
    "list", help=say("查看本部门材料，或某持有人的材料", "A department's materials, or those of a holder")
)
def list_materials(
    *,
    by: By,
    of_holder: Annotated[
        bool, typer.Option("--of-holder", help=say("按持有人查找（将记录）", "of one holder; this is recorded"))
    ] = False,
    holder_file: Holder = None,
    matter: Annotated[str, typer.Option("--matter", help=say("为何事项查找", "for which matter"))] = "",
    as_json: Json = False,
) -> int:
    """Others' materials are found only by their holder, and only those that the department may reuse."""
    from hub.actors import Actor
    from hub.materials import Materials

    holder = _holder(holder_file) if of_holder or holder_file is not None else ""
    with opened() as office:
        found = Materials(office).find(actor=Actor.parse(by), holder=holder, matter=matter)
    if as_json:
        print_json(found)
        return OK
    if not found:
        note(say("没有材料。", "None."))
        return OK
    headings = [
        say("编号", "Material"),
        say("名称", "Name"),
        say("收取部门", "Taken in by"),
        say("收取日期", "On"),
        say("状态", "State"),
    ]
    table("", headings, ([m["identifier"], m["name"], m["unit"], m["taken_at"][:10], _state(m)] for m in found))
    return OK


@materials.command(
    "show", help=say("查看一份材料的来源、有效期和复用记录", "Provenance, validity and uses of a material")
)
def show(identifier: Id, *, by: By, as_json: Json = False) -> int:
    """Nothing of the holder is told; other departments' cases only to the one that took the paper in."""
    from hub.actors import Actor
    from hub.materials import Materials

    with opened() as office:
        found = Materials(office).show(identifier, department=Actor.parse(by).department)
    if as_json:
        print_json(found)
        return OK
    for zh, en, value in (
        ("名称", "Name", found["name"]),
        ("状态", "State", _state(found)),
        ("来源", "Taken in by", f"{found['unit']} · {found['matter']} · {found['taken_at'][:19]}"),
        ("核对原件", "Original seen", "✓" if found["original_seen"] else "✗"),
        ("有效期", "Valid", f"{found['valid_from'][:10]} – {(found['valid_until'] or '')[:10]}"),
        ("摘要", "Digest", found["digest"]),
        ("日志条目", "Log entry", found["entry"]),
    ):
        out.print(f"{say(zh, en)}: {value}", markup=False)
    headings = [
        say("时间", "When"),
        say("部门", "By"),
        say("事项", "Matter"),
        say("用途", "Purpose"),
        say("条目", "Entry"),
    ]
    table(
        say("复用", "Uses"),
        headings,
        ([u["at"][:19], u["by"], u["matter"], u["purpose"], u["entry"]] for u in found["uses"]),
    )
    return OK


@materials.command(
    "reuse", help=say("在新办件中复用材料（记录后取出文件）", "Reuse a material in a case: recorded, then the file")
)
def reuse(
    identifier: Id,
    *,
    by: By,
    matter: Matter,
    case: Annotated[str, typer.Option("--case", help=say("办件编号", "the case's number"), show_default=False)],
    purpose: Purpose,
    consent: Consent = False,
    to: Annotated[Path | None, typer.Option("--out", help=say("文件存放处", "where the file goes"))] = None,
    as_json: Json = False,
) -> int:
    """Who reused what for what is in the public log, the case and the purpose in the body behind it."""
    from hub.actors import Actor
    from hub.materials import Materials, Use

    actor = Actor.parse(by)
    with opened() as office:
        desk = Materials(office)
        done = desk.reuse(identifier, Use(matter, case, purpose, consent), actor=actor)
        if to is not None:
            content, _ = desk.fetch(identifier, done["use"], department=actor.department)
            _write(to, content)
    if as_json:
        print_json(done)
    else:
        note(
            say(
                f"已记录第 {done['use']} 次复用（日志条目 {done['entry']}）",
                f"Use {done['use']} recorded (log entry {done['entry']})",
            )
        )
    return OK


@materials.command("void", help=say("作废材料（仅收取部门）", "Declare a material void; only who took it in"))
def void(
    identifier: Id,
    *,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help=say("作废事由", "why"), show_default=False)],
    as_json: Json = False,
) -> int:
    """For good: it cannot be reused any more, and its record says so from now on."""
    from hub.actors import Actor
    from hub.materials import Materials

    with opened() as office:
        done = Materials(office).void(identifier, reason=reason, actor=Actor.parse(by))
    if as_json:
        print_json(done)
    else:
        note(say(f"材料 {identifier} 已作废。", f"Material {identifier} is void."))
    return OK


@materials.command("export", help=say("导出材料文件和凭据（将记录）", "Hand out file and record; this is recorded"))
def export(
    identifier: Id,
    folder: Annotated[
        Path, typer.Argument(metavar=say("目录", "DIR"), help=say("存放目录", "where to"), show_default=False)
    ],
    *,
    by: By,
    matter: Matter,
    case: Annotated[str, typer.Option("--case", help=say("办件编号", "the case's number"), show_default=False)],
    purpose: Purpose,
    consent: Consent = False,
    as_json: Json = False,
) -> int:
    """Two files: the paper, and the record by which anybody verifies it with `zhengtong material verify`."""
    from hub.actors import Actor
    from hub.materials import Materials, Use
    from hub.materials.content import SUFFIXES
    from licence.material_bundle import SUFFIX

    with opened() as office:
        content, bundle, media_type = Materials(office).export(
            identifier, Use(matter, case, purpose, consent), actor=Actor.parse(by)
        )
    folder.mkdir(parents=True, exist_ok=True)
    paper, record = folder / f"{identifier}{SUFFIXES[media_type]}", folder / f"{identifier}{SUFFIX}"
    _write(paper, content)
    _write(record, bundle.to_json().encode())
    if as_json:
        print_json({"ok": True, "file": str(paper), "record": str(record)})
    else:
        print(paper)
        print(record)
    return OK


@materials.command("verify", help=say("离线验证材料文件", "Verify a material's file offline"))
def verify(
    file: Annotated[
        Path, typer.Argument(metavar=say("文件", "FILE"), help=say("材料文件", "the paper's file"), show_default=False)
    ],
    record: Annotated[
        Path,
        typer.Argument(
            metavar=say("凭据", "RECORD"), help=say("材料凭据（.material.json）", "its record"), show_default=False
        ),
    ],
    *,
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", help=say("信任目录（默认为本平台发布的）", "trust folder (default: what this hub published)")
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help=say("以此时刻判断（ISO 8601）", "judge as of this time (ISO 8601)"))
    ] = None,
    as_json: Json = False,
) -> int:
    """Reads these files and the trust folder, nothing else; exit 0, 10, 11, 12 or 13, as `zhengtong verify`."""
    from hub.settings import Settings
    from licence.material_bundle import MaterialBundle, judge_material
    from licence.trust import TrustStore

    try:
        content, text = file.read_bytes(), record.read_bytes()
    except OSError as error:
        fail(error, as_json=as_json)
        return NOT_FOUND
    pinned = TrustStore.load(trust or Settings.from_environment().trust)
    moment = datetime.now(UTC) if at is None else _moment(at, "--at")
    report = judge_material(content, MaterialBundle.from_json(text), pinned, moment)
    print(report.to_json() if as_json else report.text(LANG), end="")
    return report.exit_code


@materials.command("check", help=say("核对材料库：文件与登记", "Check the store: files against rows"))
def check(
    *,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help=say("清除无登记的文件，加密未加密的", "take away files that no row names, encrypt open ones"),
        ),
    ] = False,
    expire: Annotated[
        bool,
        typer.Option("--expire", help=say("清除已过保存期限的文件", "let go of files whose time of keeping is over")),
    ] = False,
    as_json: Json = False,
) -> int:
    """Hashes every file anew; exit 5 when one is missing or altered. Files are kept ZHENGTONG_BODY_RETENTION_DAYS."""
    from hub.materials import Materials

    with opened() as office:
        desk = Materials(office)
        erased = desk.expire(office.settings.body_days) if expire else []
        found = desk.check(clean=clean)
    if as_json:
        plain = {name: getattr(found, name) for name in found.__slots__}
        print_json({"ok": found.sound, **plain, "erased": erased})
    else:
        note(
            say(
                f"材料 {found.materials}，文件 {found.files}，缺失 {len(found.missing)}，被改动 {len(found.altered)}，"
                f"无登记 {len(found.orphans)}，残留 {found.strays}，未加密 {found.lying_open}，"
                f"到期清除 {len(erased)}",
                f"materials {found.materials}, files {found.files}, missing {len(found.missing)}, "
                f"altered {len(found.altered)}, without a row {len(found.orphans)}, half-written {found.strays}, "
                f"unencrypted {found.lying_open}, let go {len(erased)}",
            )
        )
        for one in (*found.missing, *found.altered):
            print(one)
    return OK if found.sound else DATA_INVALID


def _state(found: dict[str, Any]) -> str:
    from hub.materials.words import STANDINGS, standing_of

    en, zh = STANDINGS[standing_of(found, datetime.now(UTC))]
    return say(zh, en)


def _holder(path: Path | None) -> str:
    if path is None:
        return str(typer.prompt(say("持有人代码", "Holder's identifier"), hide_input=True)).strip()
    text = typer.get_text_stream("stdin").readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    return text.strip()


def _moment(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = say("应为 ISO 8601 时间，如 2026-11-22", "an ISO 8601 time is wanted, e.g. 2026-11-22")
        raise typer.BadParameter(message, param_hint=where) from error
    return at if at.tzinfo else at.astimezone()


def _write(path: Path, content: bytes) -> None:
    from hub.files import replace_file

    # What is personal in it is for whoever fetched it alone.
    replace_file(path, content, mode=0o600)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(materials, name="material")
