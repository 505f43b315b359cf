"""`zhengtong licence …` and `zhengtong verify`: issue, change, show; verify anywhere, offline."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import pair
from hub.cli.kinds import kinds
from hub.cli.language import LANG, say
from hub.cli.licence_archive import add_archive_to
from hub.cli.licence_audit import audit
from hub.cli.licence_batches import batch
from hub.cli.licence_cases import cases
from hub.cli.licence_documents import add_documents_to
from hub.cli.licence_keys import keys
from hub.cli.output import NOT_FOUND, OK, fail, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.trust import TrustStore

licence = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("电子证照", "Electronic licences"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Reason = Annotated[str, typer.Option("--reason", help=say("事由", "why"))]
Ground = Annotated[str, typer.Option("--ground", help=say("法律依据", "legal ground"))]
Officer = Annotated[str, typer.Option("--officer", help=say("经办岗位", "the deciding role, not a name"))]
Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help=say("证照标识", "licence identifier"), show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help=say(
            "证照数据包写入此文件（默认写入证照目录）", "write the bundle there (default: the folder of licences)"
        ),
    ),
]
Second = Annotated[
    str,
    typer.Option(
        "--second", help=say("第二名审批岗位（须两人审批的类型）", "second deciding role, for kinds decided by two")
    ),
]
SIGNING = "signing"
CHANGES = ("suspend", "resume", "revoke", "cancel", "expire", "withdraw", "transfer")


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
    out: Out = None,
    as_json: Json = False,
) -> int:
    """The holder's identifier is personal data, so it comes from a file or a prompt, never from the command line."""
    from hub.licensing import Licensing

    holder = _holder(holder_file)
    office = Licensing.open(Settings.from_environment())
    found = office.kind(kind)
    named = dict(pair(text, "--record") for text in record or ())
    done = office.issue(found, holder, record=named, reason=reason, ground=ground, by=f"{found.issuer}:{officer}")
    path = office.save_bundle(done.identifier, out)
    if as_json:
        print_json({"ok": True, "identifier": done.identifier, "bundle": str(path), "entry": done.log_index})
    else:
        note(
            say(
                f"已签发 {found.name} {done.identifier}（日志条目 {done.log_index}）",
                f"Issued {found.name_en} {done.identifier} (log entry {done.log_index})",
            )
        )
        print(path)
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
        second: Second = "",
        as_json: Json = False,
    ) -> int:
        from hub.licensing import Licensing

        office = Licensing.open(Settings.from_environment())
        shown = office.show(identifier)
        department = office.kinds[shown["kind"]].issuer
        state = office.change(
            identifier, chosen, by=department, reason=reason, ground=ground, officer=officer, second=second
        )
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


class Depth(StrEnum):
    """How much `verify` tells."""

    SIMPLE = "simple"
    DETAILED = "detailed"
    DIAGNOSTIC = "diagnostic"


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=say(
                "证照数据包、PDF、OFD、电子印章、签章或二维码文本",
                "licence bundle, PDF, OFD, seal, seal signature or QR text",
            ),
            show_default=False,
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
    crl: Annotated[
        list[Path] | None,
        typer.Option("--crl", help=say("证书撤销列表文件，可重复", "certificate revocation list, may repeat")),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option(
            "--history",
            metavar="FILE|DIR",
            help=say(
                "状态列表历史文件或目录，用于判断过去的时刻，可重复",
                "history of a status list, file or folder, for past times, may repeat",
            ),
        ),
    ] = None,
    certificates: Annotated[
        list[Path] | None,
        typer.Option(
            "--cert",
            help=say("寻找证书链所用的证书，可重复", "certificates that help to find the chain, may repeat"),
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME|signing",
            help=say(
                "以此时刻判断（ISO 8601）；signing 为文件自称的签署时刻",
                "judge as of this time (ISO 8601); signing: when the file says it was signed",
            ),
        ),
    ] = None,
    depth: Annotated[
        Depth,
        typer.Option("--depth", help=say("报告的详细程度", "how much is told")),
    ] = Depth.DETAILED,
    as_json: Json = False,
) -> int:
    """Offline: reads the file, the trust folder and the lists given, nothing else; exit 0, 10, 11, 12 or 13."""
    from licence.trust import TrustStore
    from licence.trustlist_folder import judge_with_lists
    from licence.verifying import diagnostic, simple

    settings = Settings.from_environment()
    try:
        data = file.read_bytes()
        crls = [der for path in crl or () for der in _ders(path.read_bytes())]
        pool = [der for path in certificates or () for der in _ders(path.read_bytes())]
        pinned = TrustStore.load(trust or settings.trust)
        lists = [settings.status] if status is None and trust is None else list(status or ())
        tokens = [_token(f) for f in _files(lists, "*.jwt", "*.cwt")]
        histories = [f.read_bytes() for f in _files(history or (), "*.json")]
    except OSError as error:
        fail(error, as_json=as_json)
        return NOT_FOUND
    moment = _signed_at(data, pinned) if at == SIGNING else _moment(at)
    report, chosen = judge_with_lists(
        trust or settings.trust,
        data,
        pinned,
        moment,
        now=datetime.now(UTC),
        status_tokens=tokens,
        crls=crls,
        certificates=pool,
        histories=histories,
    )
    pinned = chosen.trust
    if chosen.name:
        note(say(f"依据信任列表 {chosen.name} 验证。", f"Judged by trust list {chosen.name}."))
    elif chosen.fault is not None:
        note(chosen.fault.text(LANG))
    if depth is Depth.DIAGNOSTIC:
        given = {"crls": crls, "certificates": pool, "histories": histories}
        print(diagnostic(report, data, pinned, moment, status_tokens=tokens, **given))
    elif depth is Depth.SIMPLE and as_json:
        sentence = simple(report, LANG).splitlines()[1]
        print_json({"verdict": report.verdict.value, "exit_code": report.exit_code, "text": sentence})
    elif depth is Depth.SIMPLE:
        print(simple(report, LANG), end="")
    elif as_json:
        print(report.to_json())
    else:
        print(report.text(LANG))
    return report.exit_code


_PEM = re.compile(rb"-----BEGIN (X509 CRL|CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)


def _ders(data: bytes) -> list[bytes]:
    """Certificates or lists in PEM, or the one that *data* is in DER; what is neither is named by the report."""
    found = [m[2] for m in _PEM.finditer(data)]
    try:
        return [base64.b64decode(b"".join(text.split()), validate=True) for text in found] or [data]
    except ValueError:
        return [data]


def _files(paths: Sequence[Path], *patterns: str) -> list[Path]:
    """Each of *paths*; of a folder, the files in it whose names fit a pattern, by name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(f for p in patterns for f in path.glob(p)) if path.is_dir() else [path]
    return found


def _token(path: Path) -> str | bytes:
    """A JWT is ASCII text; what is none is a CWT, which begins with a byte above 127 (RFC 9052 §4.2)."""
    data = path.read_bytes()
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        return data


def _signed_at(data: bytes, pinned: TrustStore) -> datetime:
    """When the file says it was signed; of one that cannot be read the report says why, as of now."""
    from licence.errors import FormatError
    from licence.verifying import signing_time

    try:
        at = signing_time(data, pinned)
    except FormatError as fault:
        if fault.code == "judge_no_signing_time":
            raise typer.BadParameter(fault.text(LANG), param_hint="--at") from fault
        return datetime.now(UTC)
    told = at.isoformat(timespec="seconds")
    note(say(f"以文件自称的签署时刻 {told} 判断。", f"Judged as of {told}, when the file says it was signed."))
    return at


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = say(
            "应为 ISO 8601 时间（如 2026-11-22T08:00:00+08:00）或 signing",
            "an ISO 8601 time (e.g. 2026-11-22T08:00:00+08:00) or `signing` is wanted",
        )
        raise typer.BadParameter(message, param_hint="--at") from error
    return at if at.tzinfo else at.astimezone()


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    licence.add_typer(kinds, name="kinds")
    licence.add_typer(batch, name="batch")
    add_documents_to(licence)
    licence.add_typer(keys, name="keys")
    licence.add_typer(cases, name="case")
    licence.add_typer(audit, name="audit")
    add_archive_to(licence)
    app.add_typer(licence, name="licence")
    app.command(
        "verify", help=say("离线验证证照、文件、印章和二维码", "Verify a licence, document, seal or QR code offline")
    )(verify)
