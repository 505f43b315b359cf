"""`zhengtong licence …` and `zhengtong verify`: issue, change, show; verify anywhere, offline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.arguments import pair
from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, fail, note, print_json, table
from hub.settings import Settings

licence = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("电子证照", "Electronic licences"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Reason = Annotated[str, typer.Option("--reason", help=say("事由", "why"))]
Ground = Annotated[str, typer.Option("--ground", help=say("法律依据", "legal ground"))]
Officer = Annotated[str, typer.Option("--officer", help=say("经办岗位", "the deciding role, not a name"))]
Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help=say("证照标识", "licence identifier"), show_default=False)
]
CHANGES = ("suspend", "resume", "revoke", "cancel", "expire", "withdraw")


@licence.command("kinds", help=say("证照目录", "The catalogue of kinds"))
def kinds(*, as_json: Json = False) -> int:
    """List the kinds of the catalogue in force."""
    from licence.kinds import load

    found = load(Settings.from_environment().kinds)
    if as_json:
        print_json(
            [
                {"code": k.code, "name": k.name, "name_en": k.name_en, "issuer": k.issuer, "resource": k.resource}
                for k in found
            ]
        )
        return OK
    headings = (
        say("代码", "Code"),
        say("名称", "Name"),
        say("英文", "English"),
        say("颁发部门", "Issuer"),
        say("来源资源", "Resource"),
    )
    table("", headings, ([k.code, k.name, k.name_en, k.issuer, k.resource] for k in found))
    return OK


@licence.command("issue", help=say("依据权威资源签发证照", "Issue from the authoritative resource"))
def issue(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help=say("证照名称或类型代码", "kind, by name or code"), show_default=False)
    ],
    *,
    holder_file: Annotated[
        Path | None,
        typer.Option(
            "--holder-file",
            help=say(
                "存放持证主体代码的文件（- 为标准输入）", "file with the holder's identifier (- is standard input)"
            ),
        ),
    ] = None,
    record: Annotated[
        list[str] | None,
        typer.Option(
            "--record",
            metavar="FIELD=VALUE",
            help=say("持证主体有多条记录时指明其一；可重复", "which record, when the holder has several; may repeat"),
        ),
    ] = None,
    reason: Reason,
    ground: Ground,
    officer: Officer = "licence-officer",
    as_json: Json = False,
) -> int:
    """The holder's identifier is personal data, so it comes from a file or a prompt, never from the command line."""
    from hub.licensing import Licensing

    holder = _holder(holder_file)
    office = Licensing.open(Settings.from_environment())
    found = office.kind(kind)
    named = dict(pair(text, "--record") for text in record or ())
    done = office.issue(found, holder, record=named, reason=reason, ground=ground, by=f"{found.issuer}:{officer}")
    if as_json:
        print_json({"ok": True, "identifier": done.identifier, "bundle": str(done.path), "entry": done.log_index})
    else:
        note(
            say(
                f"已签发 {found.name} {done.identifier}（日志条目 {done.log_index}）",
                f"Issued {found.name_en} {done.identifier} (log entry {done.log_index})",
            )
        )
        print(done.path)
    return OK


def _holder(path: Path | None) -> str:
    if path is None:
        return str(typer.prompt(say("持证主体代码", "Holder's identifier"), hide_input=True)).strip()
    text = typer.get_text_stream("stdin").readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    return text.strip()


def _add_change(action: str) -> None:
    from licence.lifecycle import Action

    chosen = Action(action)

    def change(
        identifier: Identifier,
        *,
        reason: Reason,
        ground: Ground,
        officer: Officer = "licence-officer",
        as_json: Json = False,
    ) -> int:
        from hub.licensing import Licensing

        office = Licensing.open(Settings.from_environment())
        shown = office.show(identifier)
        department = office.kinds[shown["kind"]].issuer
        state = office.change(identifier, chosen, by=department, reason=reason, ground=ground, officer=officer)
        if as_json:
            print_json(
                {
                    "ok": True,
                    "identifier": identifier,
                    "state": state.value,
                    "state_name": state.zh if LANG == "zh" else state.en,
                }
            )
        else:
            note(
                say(
                    f"{identifier} 现为：{state.zh}。状态列表已发布。",
                    f"{identifier} is now {state.en}. The status list is published.",
                )
            )
        return OK

    licence.command(action, help=say(f"{chosen.zh}证照", f"The licence is {chosen.en}"))(change)


for _action in CHANGES:
    _add_change(_action)


@licence.command("show", help=say("查看一份证照的状态与经过", "State and history of a licence"))
def show(identifier: Identifier, *, as_json: Json = False) -> int:
    """What the office keeps; nothing of the holder."""
    from hub.licensing import Licensing
    from licence.lifecycle import State

    row = Licensing.open(Settings.from_environment()).show(identifier)
    if as_json:
        print_json(row)
        return OK
    headings = (
        say("时间", "When"),
        say("操作", "Action"),
        say("状态", "State"),
        say("事由", "Why"),
        say("依据", "Ground"),
    )
    table(
        identifier,
        headings,
        (
            [h["at"][:19], h["action"], getattr(State(h["state"]), LANG), h["reason"], h["ground"]]
            for h in row["history"]
        ),
    )
    return OK


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help=say("证照文件（.licence.json）", "licence file (.licence.json)"), show_default=False
        ),
    ],
    *,
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust", help=say("信任目录（默认为本平台发布的）", "trust folder (default: what this hub published)")
        ),
    ] = None,
    status: Annotated[
        list[Path] | None,
        typer.Option("--status", help=say("状态列表文件或目录，可重复", "status list file or folder, may repeat")),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help=say("以此时刻判断（ISO 8601）", "judge as of this time (ISO 8601)"))
    ] = None,
    as_json: Json = False,
) -> int:
    """Offline: reads the file, the trust folder and status lists, nothing else; exit 0, 10, 11, 12 or 13."""
    from licence.trust import TrustStore
    from licence.verify import verify as judge

    settings = Settings.from_environment()
    try:
        data = file.read_bytes()
    except OSError as error:
        fail(error, as_json=as_json)
        return NOT_FOUND
    lists = [settings.status] if status is None and trust is None else list(status or ())
    report = judge(data, TrustStore.load(trust or settings.trust), _moment(at), _tokens(lists))
    if as_json:
        print(report.to_json())
    else:
        print(report.text(LANG))
    return report.exit_code


def _tokens(paths: list[Path]) -> list[str]:
    files = [f for path in paths for f in (sorted(path.glob("*.jwt")) if path.is_dir() else [path])]
    return [f.read_text(encoding="utf-8") for f in files]


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = say(
            "应为 ISO 8601 时间，如 2026-11-22T08:00:00+08:00",
            "an ISO 8601 time is wanted, e.g. 2026-11-22T08:00:00+08:00",
        )
        raise typer.BadParameter(message, param_hint="--at") from error
    return at if at.tzinfo else at.astimezone()


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(licence, name="licence")
    app.command("verify", help=say("离线验证证照", "Verify a licence offline"))(verify)
