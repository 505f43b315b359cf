"""Manifests of batches: what their files are, how many rows each has, under what they were made, signed by the hub.

Whoever has the folder and the pinned answer key checks both, years later, without the hub. A manifest is one line of
canonical JSON (RFC 8785); its signature is Ed25519 over `DOMAIN` and the canonical form of the rest.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature

from audit.canonical import encode
from audit.errors import AuditError
from hub.batches.errors import ManifestInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hub.signatures import AnswerSigner, AnswerVerifier

NAME: Final = "manifest.json"
TYPE: Final = "zhengtong-batch/v1"
# Before what is signed: no other use of the answer key begins so.
DOMAIN: Final = b"zhengtong-batch/v1\n"
MAX_BYTES: Final = 16 << 20  # some 80,000 parts
MAX_CELL_CHARS: Final = 1 << 24
_SIGNATURE = re.compile("[0-9a-f]{128}")
PART_NAME: Final = re.compile(r"part-[0-9]{4,9}\.(?:parquet|csv|csv\.gz)")
_READ_BYTES = 1 << 20

# code → (English, Chinese) over the finding's words.
FINDINGS: Final[dict[str, tuple[str, str]]] = {
    "part_missing": ("`{name}` is not there.", "缺少 `{name}`。"),
    "part_differs": (
        "`{name}` is not the file that was made: its digest differs.",
        "`{name}` 与生成时不一致：摘要不符。",
    ),
    "part_rows": ("`{name}` has {found} rows, not {rows}.", "`{name}` 有 {found} 行，应为 {rows} 行。"),
    "rows_unread": ("`{name}`: its rows cannot be counted here.", "`{name}`：此处无法清点行数。"),
    "file_unknown": ("`{name}` is no part of the batch.", "`{name}` 不属于该批量任务。"),
}
_HARMLESS: Final = frozenset({"file_unknown", "rows_unread"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not hold, or is worth knowing, of one file."""

    code: str
    words: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        """Whether the batch must not be used for it."""
        return self.code not in _HARMLESS

    def text(self, lang: str) -> str:
        """The sentence in *lang* (``zh``, else English)."""
        return FINDINGS[self.code][lang == "zh"].format(**dict(self.words))


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest that the hub signed, and what was found of its files."""

    manifest: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether every part is there and is what was made."""
        return not any(finding.failed for finding in self.findings)


def digest(manifest: Mapping[str, Any]) -> str:
    """The digest of *manifest* that the log names, ``sha256:`` and hex; its signature is no part of it."""
    rest = {name: value for name, value in manifest.items() if name != "signature"}
    return "sha256:" + hashlib.sha256(DOMAIN + encode(rest)).hexdigest()


def sign(manifest: Mapping[str, Any], signer: AnswerSigner) -> bytes:
    """The manifest's file."""
    named = {**manifest, "type": TYPE, "key": signer.verifier.key_id}
    return encode({**named, "signature": signer.sign_bytes(DOMAIN + encode(named)).hex()})


def read(data: bytes, verifiers: Sequence[AnswerVerifier]) -> dict[str, Any]:
    """The manifest that the file *data* holds, if one of *verifiers* signed it.

    Raises:
        ManifestInvalidError: it holds none, not in the one form there is, or its signature does not fit.
    """
    try:
        plain = json.loads(data) if len(data) <= MAX_BYTES else None
        if not isinstance(plain, dict) or encode(plain) != data:
            raise _invalid("it is not in canonical form", "不是规范形式")
    except (ValueError, AuditError, RecursionError) as error:
        raise _invalid("it cannot be read", "无法解析") from error
    signature = plain.pop("signature", None)
    verifier = next((one for one in verifiers if one.key_id == plain.get("key")), None)
    if plain.get("type") != TYPE or not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        raise _invalid("it is of another kind, or not signed", "类型不符，或未签名")
    if verifier is None:
        raise _invalid("it was signed by a key that is not pinned", "签名密钥不在信任之列")
    try:
        verifier.key.verify(bytes.fromhex(signature), DOMAIN + encode(plain))
    except InvalidSignature as error:
        raise _invalid("its signature does not fit", "签名不符") from error
    return plain


def _invalid(why: str, why_zh: str) -> ManifestInvalidError:
    return ManifestInvalidError(why=why, why_zh=why_zh)


def check(folder: Path, verifiers: Sequence[AnswerVerifier]) -> Checked:
    """Check the manifest in *folder*, and that every part it names is there as it was made.

    Raises:
        ManifestInvalidError: there is no manifest of the hub's, so nothing can be said of the files.
    """
    try:
        data = (folder / NAME).read_bytes()
    except FileNotFoundError as error:
        raise _invalid(f"there is no {NAME}", f"缺少 {NAME}") from error
    manifest = read(data, verifiers)
    found: list[Finding] = []
    for part in manifest["parts"]:
        found += _check_part(folder, part)
    known = {NAME, *(part["name"] for part in manifest["parts"])}
    found += [_finding("file_unknown", name=path.name) for path in sorted(folder.iterdir()) if path.name not in known]
    return Checked(manifest, tuple(found))


def _finding(code: str, **words: object) -> Finding:
    return Finding(code, tuple((name, str(value)) for name, value in words.items()))


def _check_part(folder: Path, part: Mapping[str, Any]) -> list[Finding]:
    name = part["name"]
    path = folder / name
    # The hub makes no other names; one that led elsewhere is not followed, whoever signed it.
    if PART_NAME.fullmatch(name) is None or not path.is_file():
        return [_finding("part_missing", name=name)]
    if file_digest(path) != part["digest"]:
        return [_finding("part_differs", name=name)]
    rows = count_rows(path)
    if rows is None:
        return [_finding("rows_unread", name=name)]
    return [] if rows == part["rows"] else [_finding("part_rows", name=name, found=rows, rows=part["rows"])]


def file_digest(path: Path) -> str:
    """``sha256:`` and the hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def count_rows(path: Path) -> int | None:
    """How many rows a part has; None where Parquet cannot be read for want of its library."""
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet as pq  # noqa: PLC0415 - a verifier may do without
        except ImportError:
            return None
        return int(pq.read_metadata(path).num_rows)
    csv.field_size_limit(MAX_CELL_CHARS)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as stream:
        # The first row has the names.
        return sum(1 for _ in csv.reader(stream)) - 1
