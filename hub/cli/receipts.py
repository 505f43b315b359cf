"""`zhengtong receipt`: check what a caller keeps of a call, offline, years later, without asking the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import read_file
from hub.cli.language import say
from hub.cli.output import LOG_INVALID, OK, SIGNATURE_INVALID, fail, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.receipts import Receipt
    from hub.signatures import AnswerVerifier

receipts = typer.Typer(
    name="receipt", no_args_is_help=True, help=say("回执：离线检查调用凭证", "Receipts: check offline what a call left")
)


@receipts.command("check", help=say("检查回执或应答文件", "Check a receipt, or the answer that holds it"))
def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=say(
                "保存的应答（含 receipt）或回执本身；- 为标准输入", "the answer as saved, or its receipt; - for stdin"
            ),
            show_default=False,
            allow_dash=True,
        ),
    ],
    *,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", help=say("应答公钥 ed25519:… 或其文件；可重复", "answer key ed25519:… or its file; may repeat")
        ),
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option("--request", help=say("当时发送的请求体", "the body of the request, as it was sent")),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", help=say("日志包含证明（.tlog-proof）", "inclusion proof of the log (.tlog-proof)")),
    ] = None,
    log_key: Annotated[
        str | None, typer.Option("--log-key", help=say("日志公钥或其文件", "the log's key, or its file"))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))] = False,
) -> int:
    """Say what holds, step by step; the exit code is 0 only if everything that was given does."""
    from audit.errors import AuditError
    from hub.receipts import ReceiptInvalidError, read

    plain = _json(file)
    answer: Mapping[str, Any] | None = None
    if isinstance(plain, dict) and "receipt" in plain:
        answer = {name: value for name, value in plain.items() if name != "receipt"}
        # A problem (RFC 9457) is told in the reader's language and is no digested answer.
        answer = None if "status" in answer else answer
        plain = plain["receipt"]
    try:
        receipt = read(plain)
        steps = _checked(receipt, _verifiers(key or ()), answer=answer, request=request)
        if proof is not None:
            steps.append(_proved(receipt, proof, log_key))
    except ReceiptInvalidError as error:
        fail(error, as_json=as_json)
        return SIGNATURE_INVALID
    except AuditError as error:
        fail(error, as_json=as_json)
        return LOG_INVALID
    _tell(receipt, steps, as_json=as_json)
    return OK


def _checked(
    receipt: Receipt, verifiers: Sequence[AnswerVerifier], *, answer: Mapping[str, Any] | None, request: Path | None
) -> list[str]:
    from hub.receipts import check as check_receipt
    from hub.requests import parse_call, read_json

    steps = [
        say(
            f"签名有效：平台承诺该条目是日志 {receipt.origin} 的第 {receipt.index} 条。",
            f"The signature holds: the hub promised that this is entry {receipt.index} of log {receipt.origin}.",
        )
    ]
    check_receipt(receipt, verifiers)
    if answer is not None:
        check_receipt(receipt, verifiers, answer=answer)
        steps.append(say("应答与条目中的摘要一致。", "The answer is the one of which the entry has the digest."))
    if request is not None:
        action = str(receipt.facts("action"))
        asked = parse_call(action, read_json(request.read_bytes())).plain()
        check_receipt(receipt, verifiers, request=asked)
        steps.append(say("请求与条目中的摘要一致。", "The request is the one of which the entry has the digest."))
    if receipt.origin.endswith("/sandbox"):
        steps.append(
            say("沙箱回执：没有日志，不证明任何事。", "A sandbox receipt: there is no log, it proves nothing.")
        )
    return steps


def _proved(receipt: Receipt, proof: Path, log_key: str | None) -> str:
    from audit.errors import ProofInvalidError
    from audit.proof import LogProof
    from audit.verifiers import read_verifiers

    text = log_key or str(Settings.from_environment().public / "log.vkey")
    pinned = read_verifiers(_text_or_file(text))
    found = LogProof.from_text(proof.read_text(encoding="utf-8"))
    if found.index != receipt.index:
        raise ProofInvalidError(problem=f"it is about entry {found.index}, the receipt about {receipt.index}")
    checkpoint = found.verify(receipt.leaf, pinned, receipt.origin)
    return say(
        f"日志已兑现承诺：大小为 {checkpoint.size:,} 的检查点包含该条目。",
        f"The log kept the promise: its checkpoint of size {checkpoint.size:,} holds the entry.",
    )


def _verifiers(given: Sequence[str]) -> list[AnswerVerifier]:
    from hub.signatures import AnswerVerifier

    texts = [_text_or_file(text) for text in given]
    if not texts:
        texts = [read_file(Settings.from_environment().answer_key, say("平台应答公钥", "the hub's answer key"))]
    return [AnswerVerifier.from_text(line) for text in texts for line in text.splitlines() if line.strip()]


def _text_or_file(text: str) -> str:
    path = Path(text)
    return path.read_text(encoding="utf-8").strip() if path.exists() else text


def _json(file: Path) -> Any:  # noqa: ANN401 - any JSON value
    text = typer.get_text_stream("stdin").read() if str(file) == "-" else read_file(file, say("应答", "answer"))
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(say("不是 JSON 文件", "it is no JSON"), param_hint="FILE") from error


def _tell(receipt: Receipt, steps: Sequence[str], *, as_json: bool) -> None:
    entry = receipt.entry
    if as_json:
        print_json({"ok": True, "entry": receipt.index, "log": receipt.origin, "leaf": entry.plain(), "steps": steps})
        return
    for number, step in enumerate(steps, 1):
        note(f"{number}. {step}")
    facts = entry.facts
    rows = [
        (say("时间", "At"), entry.at.isoformat()),
        (say("调用方", "Caller"), entry.actor),
        (say("资源", "Resource"), entry.resource),
        (say("操作", "Action"), facts.get("action", "")),
        (say("结果", "Outcome"), facts.get("outcome", "")),
        (say("用途", "Purpose"), entry.purpose),
        (say("授权", "Grant"), facts.get("grant", "")),
        (say("信息项", "Fields"), ", ".join(facts.get("fields", ()))),
        (say("脱敏", "Masks"), ", ".join(f"{name}: {mask}" for name, mask in facts.get("masks", {}).items())),
        (say("清单版本", "List version"), facts.get("list_version", "")),
        (say("快照", "Snapshot"), facts.get("snapshot", "")),
    ]
    table("", ("", ""), [row for row in rows if row[1]])


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(receipts)
