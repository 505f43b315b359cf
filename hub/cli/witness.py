"""`zhengtong witness list|ask|keygen|serve`: who cosigns our log, and a witness of one's own for others' logs.

Asking is `hub.witnesses.asking`'s, cosigning `audit.witness`'s; `keygen` and `serve` need nothing of the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.common import Json, opened
from hub.cli.language import say
from hub.cli.output import FINDINGS, OK, note, out, print_json, table
from hub.errors import QueryInvalidError
from hub.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.verifiers import PublicKey
    from hub.witnesses.asking import Standing

witness = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("日志见证方", "Witnesses of the log"))

DEFAULT_PORT = 8090
WORDS = {
    "": ("—", "—"),
    "cosigned": ("已联署", "cosigned"),
    "unreachable": ("无法连接", "unreachable"),
    "too_slow": ("超时", "too slow"),
    "bad_answer": ("答复无效", "its answer is no cosignature"),
    "overtaken": ("下次再询问", "asked again next time"),
    "not_consistent": ("称日志已被改写", "says the log was rewritten"),
    "another_root": ("称日志已被改写", "says the log was rewritten"),
    "longer_elsewhere": ("称见过更长的日志", "says it saw a longer log"),
    "http_403": ("不信任本日志的公钥", "does not trust the log's key"),
    "http_404": ("未登记本日志", "does not know this log"),
}


@witness.command("list", help=say("列出见证方及其最近的联署", "List the witnesses and what each cosigned last"))
def listed(*, as_json: Json = False) -> int:
    """By what is kept here; nobody is asked."""
    from hub.witnesses.asking import standings, witnessed

    settings = Settings.from_environment()
    return _tell(standings(settings), witnessed(settings), as_json=as_json)


@witness.command("ask", help=say("立即请各见证方联署一次", "Ask every witness once, now"))
def ask(*, as_json: Json = False) -> int:
    """20 when one of them did not cosign. A serving hub asks by itself, and is left to it."""
    from hub.witnesses.asking import Asker, witnessed

    with opened() as office:
        asker = Asker.over(office.settings, office.evidence, office.control)
        if asker is None:
            raise QueryInvalidError(
                where="ZHENGTONG_WITNESSES", why="it names no file of witnesses", why_zh="未指定见证方配置文件"
            )
        office.evidence.publish()
        if not asker.lead():
            note(say("服务进程正在自行询问。", "The serving hub asks by itself."))
            return listed(as_json=as_json)
        try:
            found = asker.round()
        finally:
            asker.release()
        _tell(found, witnessed(office.settings), as_json=as_json)
    return OK if all(one.outcome == "cosigned" for one in found) else FINDINGS


@witness.command("keygen", help=say("生成见证方密钥（不连接平台）", "Make a witness's key; needs nothing of the hub"))
def keygen(
    name: Annotated[
        str,
        typer.Argument(
            metavar=say("名称", "NAME"),
            help=say("见证方名称，如 w1.example.gov.cn", "e.g. w1.example"),
            show_default=False,
        ),
    ],
    *,
    to: Annotated[
        Path,
        typer.Option(
            "--out", help=say("私钥文件（权限 0600）；公钥写入同名 .vkey", "private key (0600); .vkey beside it")
        ),
    ],
    as_json: Json = False,
) -> int:
    """Hand the .vkey file to the logs that are to be witnessed, and to whoever checks them."""
    from audit.keys import WitnessSignerKey
    from hub.signing.keyfiles import write_private

    key = WitnessSignerKey.generate(name)
    public = to.with_name(f"{to.name}.vkey")
    try:
        write_private(to, f"{key.to_text()}\n")
    except FileExistsError as error:
        raise QueryInvalidError(
            where="--out", why=f"`{to}` is there already; name another file", why_zh=f"`{to}` 已存在，请改用其他文件"
        ) from error
    public.write_text(f"{key.verifier.to_text()}\n", encoding="utf-8")
    if as_json:
        print_json({"name": name, "key": key.verifier.to_text(), "file": str(to), "public_file": str(public)})
        return OK
    out.print(key.verifier.to_text(), markup=False)
    note(say(f"私钥 {to} 请勿外传；公钥在 {public}。", f"Keep {to} to yourself; the public key is in {public}."))
    return OK


@witness.command(
    "serve", help=say("运行见证方：为其他日志联署检查点", "Be a witness: cosign the checkpoints of others")
)
def serve(
    *,
    key: Annotated[Path, typer.Option("--key", help=say("见证方私钥文件", "the witness's private key"))],
    log_keys: Annotated[
        list[Path],
        typer.Option(
            "--log-key", help=say("所见证日志的公钥文件，可多次", "public key of a log that is witnessed; may repeat")
        ),
    ],
    state: Annotated[
        Path,
        typer.Option("--state", help=say("记录所见的目录；丢失后须换新密钥", "what was seen; lost, take a new key")),
    ],
    port: Annotated[int, typer.Option(help=say("端口", "port"))] = DEFAULT_PORT,
) -> int:
    """Serve on 127.0.0.1 until Ctrl-C; a proxy with TLS stands in front. Two keys of a log: both must have signed."""
    from audit.keys import WitnessSignerKey
    from audit.witness import Witness
    from hub.cli.serve import check_port
    from hub.evidence import utc_now
    from hub.witnesses.door import Door, run

    signer = WitnessSignerKey.from_text(read_file(key, say("见证方私钥", "the witness's key")))
    logs = _logs(log_keys)
    check_port(port)
    note(
        say(
            f"见证方 {signer.name}：http://{LOOPBACK}:{port} ，见证 {', '.join(sorted(logs))}（Ctrl-C 停止）",
            f"Witness {signer.name}: http://{LOOPBACK}:{port}, of {', '.join(sorted(logs))} (Ctrl-C stops)",
        )
    )
    run(Door(Witness(state, signer, logs, utc_now), signer.verifier.to_text()), LOOPBACK, port)
    return OK


def _logs(files: Sequence[Path]) -> dict[str, list[PublicKey]]:
    """The keys by the log that they are of: a key has the name of its log's origin."""
    from audit.errors import KeyTextError
    from audit.keys import WitnessVerifierKey
    from audit.verifiers import read_verifiers

    found: dict[str, list[PublicKey]] = {}
    for path in files:
        for one in read_verifiers(read_file(path, say("日志公钥", "a log's public key"))):
            if isinstance(one, WitnessVerifierKey):
                raise KeyTextError(problem="it is a witness's key, and a log's is wanted")
            found.setdefault(one.name, []).append(one)
    return found


def _tell(found: Sequence[Standing], checkpoint: str | None, *, as_json: bool) -> int:
    from audit.checkpoint import parse_unverified

    size = parse_unverified(checkpoint).size if checkpoint else None
    if as_json:
        rows = [{name: getattr(one, name) for name in one.__slots__} for one in found]
        print_json({"witnesses": rows, "witnessed_size": size})
        return OK
    headings = [say("见证方", "Witness"), say("条目数", "Entries"), say("时间", "At"), say("结果", "Outcome"), "URL"]
    rows_ = [
        [one.name, one.size, one.at.isoformat(timespec="seconds") if one.at else "—", _word(one.outcome), one.url]
        for one in found
    ]
    table("", headings, rows_, right=(1,))
    if size is not None:
        note(
            say(f"满足法定见证数的最新检查点：{size} 个条目。", f"The newest checkpoint with a quorum: {size} entries.")
        )
    return OK


def _word(outcome: str) -> str:
    return say(*WORDS.get(outcome, (outcome, outcome)))


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(witness, name="witness")
