"""Receipts (回执): what a caller keeps of a call, and can prove with it years later, without asking the hub.

A receipt is the log's entry about the call, its place in the log, the salts that open the digests of the caller's own
request and answer, and the hub's signature over origin, place and leaf hash: a promise that the log holds this entry
there. The log publishes within `MERGE_DELAY_S`; a log that does not hold what was promised is shown to cheat by the
receipt and one of its own checkpoints.

Needs `audit` and `cryptography` alone, so that whoever has a receipt and the pinned keys can check it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature

from audit.canonical import encode_json
from audit.entry import Entry, seal_body
from audit.errors import AuditError
from audit.tree import leaf_hash
from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.signatures import AnswerSigner, AnswerVerifier

HEADER: Final = "zhengtong-receipt/v1"
# From an acknowledgement to the checkpoint that covers it. The hub publishes every second; the rest is for a bad day.
MERGE_DELAY_S: Final = 60
MEMBERS: Final = frozenset({"entry", "log", "leaf", "key", "signature"})
OPTIONAL: Final = frozenset({"request_salt", "answer_salt"})


class ReceiptInvalidError(HubError):
    """The receipt does not hold; *why* names the check that failed."""

    code: ClassVar[str] = "receipt_invalid"
    en: ClassVar[str] = "The receipt does not hold: {why}."
    zh: ClassVar[str] = "回执无效：{why_zh}。"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt. *index*: the place of *leaf*, the encoded entry, in the log *origin*. Salts are hex, "" for none."""

    origin: str
    index: int
    leaf: bytes
    key: str
    signature: bytes
    request_salt: str = ""
    answer_salt: str = ""

    @property
    def entry(self) -> Entry:
        """What the log says of the call."""
        return Entry.decode(self.leaf)

    def facts(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """One of the entry's public facts; "" where it has none of that name."""
        return json.loads(self.leaf)["facts"].get(name, "")

    def encode(self) -> bytes:
        """JSON, as it stands in an answer; `read` is the inverse."""
        salts = "".join(
            f',"{name}":"{salt}"'
            for name, salt in (("answer_salt", self.answer_salt), ("request_salt", self.request_salt))
            if salt
        )
        signature = base64.b64encode(self.signature).decode()
        return (
            f'{{"entry":{self.index},"key":"{self.key}","log":{json.dumps(self.origin)}{salts}'
            f',"signature":"{signature}","leaf":'
        ).encode() + b"%b}" % self.leaf

    def plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        plain: dict[str, Any] = json.loads(self.encode())
        return plain


def signed_text(origin: str, index: int, leaf: bytes) -> bytes:
    """What the signature of a receipt is over: four lines, the last the leaf hash (RFC 6962 §2.1) in base64."""
    return f"{HEADER}\n{origin}\n{index}\n".encode() + base64.b64encode(leaf_hash(leaf)) + b"\n"


def issue(
    signer: AnswerSigner, origin: str, index: int, leaf: bytes, *, request_salt: str = "", answer_salt: str = ""
) -> Receipt:
    """The receipt for the entry *leaf*, which is durable as number *index* of the log *origin*."""
    signature = signer.sign_bytes(signed_text(origin, index, leaf))
    return Receipt(origin, index, leaf, signer.verifier.key_id, signature, request_salt, answer_salt)


def read(plain: object) -> Receipt:
    """The receipt that the JSON value *plain* holds. Its signature is not looked at: see `check`.

    Raises:
        ReceiptInvalidError: it is none.
    """
    if not isinstance(plain, dict) or not plain.keys() >= MEMBERS or not plain.keys() <= MEMBERS | OPTIONAL:
        raise ReceiptInvalidError(why="a member is missing or unknown", why_zh="成员缺失或未知")
    if not all(_SALT.fullmatch(str(plain[name])) for name in plain.keys() & OPTIONAL):
        raise ReceiptInvalidError(why="a salt is not hexadecimal", why_zh="盐值格式有误")
    texts = [plain[name] for name in ("log", "key", "signature", *(plain.keys() & OPTIONAL))]
    index = plain["entry"]
    if not all(isinstance(text, str) for text in texts) or not isinstance(index, int) or isinstance(index, bool):
        raise ReceiptInvalidError(why="a member is of the wrong type", why_zh="成员类型有误")
    try:
        "".join(texts).encode()  # half a surrogate pair is no text that anything could have been signed with
        leaf = encode_json(plain["leaf"])
        Entry.decode(leaf)
        signature = base64.b64decode(plain["signature"], validate=True)
        if base64.b64encode(signature).decode() != plain["signature"]:
            raise ReceiptInvalidError(why="the signature is not in canonical base64", why_zh="签名编码有误")
    except (AuditError, binascii.Error, ValueError) as error:
        raise ReceiptInvalidError(why="its entry or signature cannot be read", why_zh="条目或签名无法解析") from error
    return Receipt(
        origin=plain["log"],
        index=index,
        leaf=leaf,
        key=plain["key"],
        signature=signature,
        request_salt=plain.get("request_salt", ""),
        answer_salt=plain.get("answer_salt", ""),
    )


def check(
    receipt: Receipt,
    verifiers: Sequence[AnswerVerifier],
    *,
    request: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Check the signature of *receipt* and, of those given, that *request* and *answer* are what it is about.

    *request* is a call as `hub.requests.Call.plain` has it, *answer* the content of an answer without its receipt.

    Raises:
        ReceiptInvalidError: it does not hold.
    """
    verifier = next((v for v in verifiers if v.key_id == receipt.key), None)
    if verifier is None:
        raise ReceiptInvalidError(why="it was signed by a key that is not pinned", why_zh="签名密钥不在信任之列")
    try:
        verifier.key.verify(receipt.signature, signed_text(receipt.origin, receipt.index, receipt.leaf))
    except InvalidSignature as error:
        raise ReceiptInvalidError(why="its signature does not fit", why_zh="签名不符") from error
    for part, value, salt in (
        ("request", request, receipt.request_salt),
        ("answer", answer, receipt.answer_salt),
    ):
        if value is None:
            continue
        try:
            digest = seal_body(value, bytes.fromhex(salt))
        except (AuditError, ValueError) as error:
            raise ReceiptInvalidError(
                why=f"it does not open the {part}'s digest", why_zh=f"无法打开{_PARTS[part]}摘要"
            ) from error
        if digest != receipt.facts(f"{part}_digest"):
            raise ReceiptInvalidError(why=f"it is about another {part}", why_zh=f"与该{_PARTS[part]}不符")


_SALT: Final = re.compile("[0-9a-f]{32,128}")
_PARTS: Final = {"request": "请求", "answer": "应答"}
