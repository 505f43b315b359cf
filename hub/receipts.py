"""Receipts (回执): what a caller keeps of a call, and can prove with it years later, without asking the hub.

A receipt is the log's entry about the call, its place in the log, the salts that open the digests of the caller's own
request and answer, and the hub's signature over origin, place and leaf hash: a promise that the log holds this entry
there. The log publishes within `MERGE_DELAY_S`; a log that does not hold what was promised is shown to cheat by the
receipt and one of its own checkpoints.

Entries that became durable together share one signature, over the root of the tree of their leaf hashes (RFC 6962
§2.1); a receipt then holds the path from its own leaf to that root. A signature costs as much as half a call.

Needs `audit` and `cryptography` alone, so that whoever has a receipt and the pinned keys can check it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature

from audit.canonical import encode_json
from audit.entry import Entry, seal_body
from audit.errors import AuditError, ProofInvalidError
from audit.tree import HASH_BYTES, leaf_hash, leaf_hashes, paths, root_over
from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.signatures import AnswerSigner, AnswerVerifier

HEADER: Final = "zhengtong-receipt/v1"
HEADER_OF_GROUP: Final = "zhengtong-receipt/v2"
# From an acknowledgement to the checkpoint that covers it. The hub publishes every second; the rest is for a bad day.
MERGE_DELAY_S: Final = 60
MEMBERS: Final = frozenset({"entry", "log", "leaf", "key", "signature"})
SALTS: Final = frozenset({"request_salt", "answer_salt"})
OPTIONAL: Final = SALTS | {"group"}


class ReceiptInvalidError(HubError):
    """The receipt does not hold; *why* names the check that failed."""

    code: ClassVar[str] = "receipt_invalid"
    en: ClassVar[str] = "The receipt does not hold: {why}."
    zh: ClassVar[str] = "回执无效：{why_zh}。"


@dataclass(slots=True)  # one for each call: see ADR 0024
class Group:
    """Entries that one signature is over: *size* of them, the *first* of this index; *path*, packed, leads to the root.

    Its JSON form is an object of the three, the path in base64.
    """

    first: int
    size: int
    path: bytes


@dataclass(slots=True)  # one for each call: see ADR 0024
class Promised:
    """That the log holds an entry as number *index*, signed; *group*: together with others."""

    index: int
    signature: bytes
    group: Group | None = None


@dataclass(slots=True)  # one for each call: see ADR 0024
class Receipt:
    """A receipt. *index*: the place of *leaf*, the encoded entry, in the log *origin*. Salts are hex, "" for none."""

    origin: str
    index: int
    leaf: bytes
    key: str
    signature: bytes
    request_salt: str = ""
    answer_salt: str = ""
    group: Group | None = None

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
        group = ""
        if self.group is not None:
            first, size, path = self.group.first, self.group.size, base64.b64encode(self.group.path).decode()
            group = f',"group":{{"first":{first},"path":"{path}","size":{size}}}'
        return (
            f'{{"entry":{self.index}{group},"key":"{self.key}","log":{_quoted(self.origin)}{salts}'
            f',"signature":"{signature}","leaf":'
        ).encode() + b"%b}" % self.leaf

    def plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        plain: dict[str, Any] = json.loads(self.encode())
        return plain


def signed_text(origin: str, index: int, leaf: bytes) -> bytes:
    """What the signature of a receipt is over: four lines, the last the leaf hash (RFC 6962 §2.1) in base64."""
    return f"{HEADER}\n{origin}\n{index}\n".encode() + base64.b64encode(leaf_hash(leaf)) + b"\n"


def signed_text_of_group(origin: str, first: int, size: int, root: bytes) -> bytes:
    """What the signature of *size* receipts is over, the first of number *first*: five lines, the last their root."""
    return f"{HEADER_OF_GROUP}\n{origin}\n{first}\n{size}\n".encode() + base64.b64encode(root) + b"\n"


def promise(signer: AnswerSigner, origin: str, first: int, leaves: Sequence[bytes]) -> list[Promised]:
    """Promise that the log *origin* holds *leaves*, which are durable, from number *first* on, one after the other."""
    if len(leaves) == 1:
        return [Promised(first, signer.sign_bytes(signed_text(origin, first, leaves[0])))]
    size = len(leaves)
    root, ways = paths(leaf_hashes(leaves))
    signature = signer.sign_bytes(signed_text_of_group(origin, first, size, root))
    return [Promised(index, signature, Group(first, size, path)) for index, path in enumerate(ways, first)]


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
    if not all(_SALT.fullmatch(str(plain[name])) for name in plain.keys() & SALTS):
        raise ReceiptInvalidError(why="a salt is not hexadecimal", why_zh="盐值格式有误")
    texts = [plain[name] for name in ("log", "key", "signature", *(plain.keys() & SALTS))]
    index = plain["entry"]
    # A boolean is an integer, too.
    if not all(isinstance(text, str) for text in texts) or type(index) is not int:
        raise ReceiptInvalidError(why="a member is of the wrong type", why_zh="成员类型有误")
    try:
        "".join(texts).encode()  # half a surrogate pair is no text that anything could have been signed with
        leaf = encode_json(plain["leaf"])
        Entry.decode(leaf)
        signature = _canonical_base64(plain["signature"])
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
        group=_group(plain["group"], index) if "group" in plain else None,
    )


def _group(plain: object, index: int) -> Group:
    """Raises: ReceiptInvalidError."""
    if isinstance(plain, dict) and plain.keys() == {"first", "size", "path"}:
        first, size, path = plain["first"], plain["size"], plain["path"]
        # A group of one is no group: there is one way to write each receipt.
        if type(first) is int and type(size) is int and size > 1 and 0 <= first <= index < first + size:
            with suppress(AttributeError, TypeError, ValueError):
                return Group(first, size, _canonical_base64(path))
    raise ReceiptInvalidError(why="its group cannot be read", why_zh="所属批次无法解析")


def _canonical_base64(text: str) -> bytes:
    """Raises: ValueError."""
    found = base64.b64decode(text, validate=True)
    if base64.b64encode(found).decode() != text:
        raise ValueError(text)
    return found


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
        verifier.key.verify(receipt.signature, _signed(receipt))
    except (InvalidSignature, ProofInvalidError) as error:
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


@lru_cache(maxsize=16)
def _quoted(origin: str) -> str:
    return json.dumps(origin)


def _signed(receipt: Receipt) -> bytes:
    """What the signature of *receipt* must be over. Raises: ProofInvalidError: its path fits no group of this size."""
    group = receipt.group
    if group is None:
        return signed_text(receipt.origin, receipt.index, receipt.leaf)
    steps = [group.path[at : at + HASH_BYTES] for at in range(0, len(group.path), HASH_BYTES)]
    root = root_over(leaf_hash(receipt.leaf), receipt.index - group.first, group.size, steps)
    return signed_text_of_group(receipt.origin, group.first, group.size, root)


_SALT: Final = re.compile("[0-9a-f]{32,128}")
_PARTS: Final = {"request": "请求", "answer": "应答"}
