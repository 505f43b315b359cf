"""E-materials (电子材料库): papers that are no licences, kept once: where they came from, and who may reuse them.

They are verified as licences are: by a digest in a log entry, and the proof that the entry is in the log. Keeping the
file itself, and asking the holder for consent, is left to `hub`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.errors import AuditError, CheckpointInvalidError
from audit.proof import LogProof
from licence.errors import FormatError, MaterialRefusedError
from licence.model import Category

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.notes import Verifier
    from audit.verifiers import Trust

MATERIAL_ENTRY: Final = "material.kept"
# A scanned plan of a building is the largest paper that counters take in.
MAX_BYTES: Final = 200 * 1024 * 1024
MAX_TEXT: Final = 200
MAX_REUSERS: Final = 500
# Every department, or every matter.
ANY: Final = "*"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")
_IDENTIFIER: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


class Origin(StrEnum):
    """Where a material came from."""

    HANDED_IN = "handed-in"
    MADE = "made"

    @property
    def zh(self) -> str:
        """The official term."""
        return {"handed-in": "申请人提交", "made": "部门生成"}[self.value]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a material came from: handed in under *matter* and taken in by *unit*, or made by *unit* for it.

    *checked_against_original*: an officer compared it with the original paper.
    """

    origin: Origin
    unit: str
    matter: str
    at: datetime
    checked_against_original: bool = False


@dataclass(frozen=True, slots=True)
class ReuseRules:
    """Who may reuse a material, by code, for which matters; ``*`` stands for every one, an empty tuple for none."""

    units: tuple[str, ...]
    matters: tuple[str, ...]
    needs_consent: bool = True


@dataclass(frozen=True, slots=True)
class Material:
    """A paper that may be reused, class 材料; an instance is always well-formed.

    *digest* is ``sha256:`` + hex SHA-256 of the file. *holder* is a keyed hash in hex, never an identifier in clear.
    *valid_until* None: no end. *invalidated_at*: declared void then (作废), by whoever took it in.
    """

    identifier: str
    name: str
    digest: str
    media_type: str
    size_bytes: int
    holder: str
    provenance: Provenance
    reuse: ReuseRules
    valid_from: datetime
    valid_until: datetime | None = None
    invalidated_at: datetime | None = None

    def __post_init__(self) -> None:
        p = self.provenance
        times = (p.at, self.valid_from, self.valid_until, self.invalidated_at)
        for good, en, zh in (
            (_IDENTIFIER.fullmatch(self.identifier), "identifier", "编号"),
            (_is_text(self.name), "name", "名称"),
            (_DIGEST.fullmatch(self.digest), "digest", "摘要"),
            (_MEDIA_TYPE.fullmatch(self.media_type), "media type", "文件类型"),
            (0 < self.size_bytes <= MAX_BYTES, "size", "大小"),
            (re.fullmatch(r"[0-9a-f]{32,128}", self.holder), "holder (a keyed hash)", "持有人（加密散列）"),
            (_is_text(p.unit) and _is_text(p.matter), "provenance", "来源"),
            (all(t is None or t.utcoffset() is not None for t in times), "time (it must be aware)", "时间（须带时区）"),
            (self.valid_until is None or _before(self.valid_from, self.valid_until), "validity", "有效期"),
            (_are_codes(self.reuse.units) and _are_codes(self.reuse.matters), "reuse rules", "复用规则"),
        ):
            if not good:
                raise MaterialRefusedError("material_bad", name=en, name_zh=zh)

    @property
    def category(self) -> Category:
        """材料, beside 证照, 批文 and 证明."""
        return Category.MATERIAL

    def check_reuse(self, *, unit: str, matter: str, at: datetime, consent: bool) -> None:
        """Allow *unit* to reuse this material for *matter* at time *at*; *consent*: the holder agreed to this use.

        The unit that took it in may use it for the matter it was taken in for without being named in the rules.

        Raises:
            MaterialRefusedError: it ended, was declared void, or the rules do not allow it.
        """
        if self.invalidated_at is not None and at >= self.invalidated_at:
            raise MaterialRefusedError("material_invalidated", at=_iso(self.invalidated_at))
        if at < self.valid_from or (self.valid_until is not None and at >= self.valid_until):
            ends = "-" if self.valid_until is None else _iso(self.valid_until)
            raise MaterialRefusedError("material_not_valid", starts=_iso(self.valid_from), ends=ends)
        if (unit, matter) == (self.provenance.unit, self.provenance.matter):
            return
        if unit != self.provenance.unit and unit not in self.reuse.units and ANY not in self.reuse.units:
            raise MaterialRefusedError("material_other_unit", unit=unit)
        if matter not in self.reuse.matters and ANY not in self.reuse.matters:
            raise MaterialRefusedError("material_other_matter", matter=matter)
        if self.reuse.needs_consent and not consent:
            raise MaterialRefusedError("material_no_consent")

    def log_facts(self) -> dict[str, object]:
        """The facts of its ``material.kept`` log entry: nothing of its holder, and no name that may tell of one."""
        return {
            "category": self.category.value,
            "checked_against_original": self.provenance.checked_against_original,
            "digest": self.digest,
            "material": self.identifier,
            "matter": self.provenance.matter,
            "media_type": self.media_type,
            "origin": self.provenance.origin.value,
            "reuse": {
                "matters": list(self.reuse.matters),
                "needs_consent": self.reuse.needs_consent,
                "units": list(self.reuse.units),
            },
            "size_bytes": self.size_bytes,
            "taken_at": _iso(self.provenance.at),
            "unit": self.provenance.unit,
            "valid_from": _iso(self.valid_from),
            "valid_until": None if self.valid_until is None else _iso(self.valid_until),
        }


@dataclass(frozen=True, slots=True)
class MaterialReport:
    """What verifying found: the entry's place in the log, and when it was written."""

    material: str
    origin: str
    index: int
    size: int
    logged_at: datetime


def digest_of(content: bytes) -> str:
    """``sha256:`` + hex SHA-256 of a file."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def verify_material(
    material: Material, content: bytes, *, entry: bytes, proof: str, log_verifiers: Trust | Sequence[Verifier]
) -> MaterialReport:
    """Verify *content* as the file of *material*. The log keys are the caller's own; nothing else is trusted.

    Steps: 1 the file has the digest and size; 2 the entry is in the log; 3 the entry says what *material* says.
    Whether it may be reused is `Material.check_reuse`; that it was declared void since is not in this entry.

    Raises:
        FormatError: a step failed; its code says which.
    """
    if len(content) != material.size_bytes or digest_of(content) != material.digest:  # step 1
        raise FormatError("material_digest_differs", sub_indication="HASH_FAILURE")
    try:  # step 2
        parsed = LogProof.from_text(proof)
        # `extra` is authenticated by nothing; we write none.
        if parsed.extra or parsed.to_text() != proof:
            raise FormatError("log_proof_invalid", sub_indication="LOG_PROOF_INVALID")
        checkpoint = parsed.verify(entry, log_verifiers)
    except CheckpointInvalidError:
        raise FormatError("log_key_untrusted", sub_indication="LOG_PROOF_INVALID") from None
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_proof_invalid", sub_indication="LOG_PROOF_INVALID") from None
    try:
        found = Entry.decode(entry)
    except AuditError:
        raise FormatError("log_entry_unreadable", sub_indication="LOG_PROOF_INVALID") from None
    _compare(found, material)  # step 3
    return MaterialReport(material.identifier, checkpoint.origin, parsed.index, checkpoint.size, found.at)


def _compare(entry: Entry, material: Material) -> None:
    if entry.kind != MATERIAL_ENTRY:
        raise FormatError("log_entry_wrong_kind", sub_indication="LOG_PROOF_INVALID", expected=MATERIAL_ENTRY)
    expected: dict[str, Any] = material.log_facts()
    for name, value in expected.items():
        if name not in entry.facts or entry.facts[name] != value:
            raise FormatError("material_entry_differs", sub_indication="HASH_FAILURE", fact=name)
    if entry.subject != material.holder:
        raise FormatError("material_entry_differs", sub_indication="HASH_FAILURE", fact="subject")


def _is_text(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MAX_TEXT and text.isprintable()


def _are_codes(codes: tuple[str, ...]) -> bool:
    return len(codes) <= MAX_REUSERS and len(set(codes)) == len(codes) and all(_is_text(c) for c in codes)


def _before(starts: datetime, ends: datetime) -> bool:
    # Compared only where both are aware: the fault of a naive time is told by its own line.
    return starts.utcoffset() is None or ends.utcoffset() is None or starts < ends


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"
