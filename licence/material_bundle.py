"""The record that goes with an e-material (材料凭据): what was taken in, and the proof; and judging a file by it.

The file lies beside it and is not in it: it may be large. Keeping both is left to `hub.materials`. Trust never comes
from the record: the keys of the log are pinned by whoever verifies, as for licences.

1. the file is the one whose digest the record names; 2. the entry of its taking in is in a pinned log; 3. the entry
says what the record says; 4. it was not declared void, as far as the record tells; 5. it is valid at the time asked
about; 6. what signatures the file bears hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.errors import AuditError
from audit.proof import LogProof
from licence import jose
from licence.errors import FormatError, MaterialRefusedError
from licence.materials import MAX_REUSERS, Material, Origin, Provenance, ReuseRules, digest_of, verify_material
from licence.report import (
    EXIT_CANNOT_DECIDE,
    EXIT_INVALID,
    EXIT_LOG_INVALID,
    EXIT_NOT_IN_FORCE,
    EXIT_VALID,
    Outcome,
    Step,
    Stepwise,
    Verdict,
)

if TYPE_CHECKING:
    from licence.trust import TrustStore

FORMAT: Final = "zhengtong-material/1"
REPORT_FORMAT: Final = "zhengtong-material-report/1"
SUFFIX: Final = ".material.json"
VOID_ENTRY: Final = "material.voided"
MAX_BUNDLE_BYTES: Final = 1024 * 1024
_WHAT: Final = "material record"
_MATERIAL: Final = frozenset({
    "identifier", "name", "digest", "media_type", "size_bytes", "holder", "origin", "unit", "matter", "taken_at",
    "checked_against_original", "reuse", "valid_from", "valid_until",
})  # fmt: skip
_REUSE: Final = frozenset({"units", "matters", "needs_consent"})
_PROVEN: Final = frozenset({"entry", "proof"})
_SIGNED: Final = frozenset({"application/pdf", "application/ofd"})
_NOT_IN_LOG: Final = frozenset({"log_proof_invalid", "log_key_untrusted", "log_entry_unreadable"})
_UNSIGNED: Final = frozenset({"pdf_not_signed", "ofd_unsigned"})

# The steps by number, from 1.
STEPS: Final = (
    ("file", "文件", "File"),
    ("log", "日志证明", "Log proof"),
    ("record", "来源记录", "Provenance"),
    ("void", "作废", "Void"),
    ("validity", "有效期", "Validity"),
    ("signatures", "文件签名", "Signatures"),
)
_EXITS: Final = {"log": EXIT_LOG_INVALID, "void": EXIT_NOT_IN_FORCE, "validity": EXIT_NOT_IN_FORCE}
_SENTENCES: Final = {
    Verdict.PASSED: (
        "有效：该文件即入库的材料，在 {at} 可以使用。",
        "Valid: the file is the material that was taken in, and may be used at {at}.",
    ),
    Verdict.INDETERMINATE: (
        "无法判定：现有信息不足以判定该材料在 {at} 是否可用。",
        "Cannot be decided: what is at hand does not settle whether the material may be used at {at}.",
    ),
    Verdict.FAILED: ("无效：该材料在 {at} 不得使用。", "Not valid: do not use the material at {at}."),
}


@dataclass(frozen=True, slots=True)
class MaterialBundle:
    """A material with its evidence. *entry*: the log leaf of its taking in. *proof*: C2SP tlog-proof text.

    *void_entry*, *void_proof*: the same of its being declared void, or None.
    """

    material: Material
    entry: bytes
    proof: str
    void_entry: bytes | None = None
    void_proof: str | None = None

    def to_json(self) -> str:
        """The text of the ``.material.json`` file; deterministic, ends in a newline."""
        m, p = self.material, self.material.provenance
        document: dict[str, Any] = {
            "format": FORMAT,
            "material": {
                "identifier": m.identifier,
                "name": m.name,
                "digest": m.digest,
                "media_type": m.media_type,
                "size_bytes": m.size_bytes,
                "holder": m.holder,
                "origin": p.origin.value,
                "unit": p.unit,
                "matter": p.matter,
                "taken_at": p.at.isoformat(),
                "checked_against_original": p.checked_against_original,
                "reuse": {
                    "units": list(m.reuse.units),
                    "matters": list(m.reuse.matters),
                    "needs_consent": m.reuse.needs_consent,
                },
                "valid_from": m.valid_from.isoformat(),
                "valid_until": None if m.valid_until is None else m.valid_until.isoformat(),
            },
            "log": {"entry": self.entry.decode("utf-8"), "proof": self.proof},
        }
        if self.void_entry is not None and self.void_proof is not None:
            document["void"] = {"entry": self.void_entry.decode("utf-8"), "proof": self.void_proof}
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> MaterialBundle:
        """Read a record from untrusted text. That it is void is not read out of it; `judge_material` finds that.

        Raises:
            FormatError: too large, not the JSON of a record, a member missing, repeated, unknown or malformed.
        """
        if len(text) > MAX_BUNDLE_BYTES:
            raise FormatError("too_large", what=_WHAT, limit=MAX_BUNDLE_BYTES)
        document = jose.strict_json(text, _WHAT)
        if not isinstance(document, dict) or not {"format", "material", "log"} <= set(document) <= {
            "format", "material", "log", "void",
        }:  # fmt: skip
            raise _bad("members")
        if document["format"] != FORMAT:
            raise _bad("format")
        entry, proof = _proven(document["log"], "log")
        void = _proven(document["void"], "void") if "void" in document else (None, None)
        return cls(_material(document["material"]), entry, proof, *void)


@dataclass(frozen=True, slots=True)
class MaterialJudgement(Stepwise):
    """The answer to: is this file what was taken in, and may it be used at time *at*?"""

    steps: tuple[Step, ...]
    at: datetime
    material: str

    @property
    def names(self) -> tuple[tuple[str, str, str], ...]:
        """The six steps."""
        return STEPS

    @property
    def exit_code(self) -> int:
        """0 valid · 10 another file or record · 11 cannot decide · 12 void or out of time · 13 log proof invalid."""
        if self.verdict is Verdict.PASSED:
            return EXIT_VALID
        if self.deciding is None or self.verdict is Verdict.INDETERMINATE:
            return EXIT_CANNOT_DECIDE
        return _EXITS.get(self.deciding.name, EXIT_INVALID)

    def to_json(self) -> str:
        """The report as JSON text; nothing of the holder, and not the material's name."""
        document = {
            "format": REPORT_FORMAT,
            "verdict": self.verdict.value,
            "sub_indication": self.sub_indication,
            "exit_code": self.exit_code,
            "at": self.at.isoformat(),
            "material": self.material,
            "steps": self.plain_steps(),
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def text(self, lang: str) -> str:
        """For people: the verdict in a sentence, the reason, then the steps by number."""
        sentence = _SENTENCES[self.verdict][0 if lang == "zh" else 1].format(at=_shown(self.at))
        return "\n".join([*self.verdict_lines(sentence, lang), *self.step_lines(lang)]) + "\n"


def judge_material(content: bytes, bundle: MaterialBundle, trust: TrustStore, at: datetime) -> MaterialJudgement:
    """Judge *content* by its record at the aware time *at*; hostile input is a verdict, never an exception.

    Raises:
        ValueError: *at* is naive: an error of the calling program.
    """
    if at.tzinfo is None:
        raise ValueError("judge_material: `at` must carry its time zone")
    found = _Steps([])
    material = bundle.material
    if digest_of(content) != material.digest or len(content) != material.size_bytes:
        found.add(Outcome.FAILED, "material_digest_differs", "HASH_FAILURE")
        found.add(Outcome.SKIPPED, "skipped")
        found.add(Outcome.SKIPPED, "skipped")
    else:
        found.add(Outcome.PASSED, "material_file_same")
        _judge_entry(content, bundle, trust, found)
    _judge_void(bundle, trust, found)
    _judge_time(material, at, found)
    _judge_signatures(content, material.media_type, trust, at, found)
    return MaterialJudgement(tuple(found.steps), at.astimezone(UTC), material.identifier)


@dataclass(frozen=True, slots=True)
class _Steps:
    steps: list[Step]

    def add(self, outcome: Outcome, code: str, sub: str = "", /, **params: object) -> None:
        told = tuple((k, str(v)) for k, v in params.items())
        self.steps.append(Step(len(self.steps) + 1, STEPS[len(self.steps)][0], outcome, code, told, sub))


def _judge_entry(content: bytes, bundle: MaterialBundle, trust: TrustStore, found: _Steps) -> None:
    """Steps 2 and 3."""
    material = bundle.material
    try:
        report = verify_material(
            material, content, entry=bundle.entry, proof=bundle.proof, log_verifiers=trust.log_verifiers
        )
    except FormatError as fault:
        if fault.code in _NOT_IN_LOG:
            found.add(Outcome.FAILED, fault.code, fault.sub_indication, **fault.finding_params)
            found.add(Outcome.SKIPPED, "skipped")
        else:
            found.add(Outcome.PASSED, "material_entry_in_log")
            found.add(Outcome.FAILED, fault.code, fault.sub_indication, **fault.finding_params)
        return
    told: dict[str, object] = {"origin": report.origin, "index": report.index, "at": _shown(report.logged_at)}
    found.add(Outcome.PASSED, "material_logged", **told)
    p = material.provenance
    seen = "✓" if p.checked_against_original else "✗"
    found.add(Outcome.PASSED, "material_record_same", unit=p.unit, matter=p.matter, seen=seen)


def _judge_void(bundle: MaterialBundle, trust: TrustStore, found: _Steps) -> None:
    """Step 4."""
    if bundle.void_entry is None or bundle.void_proof is None:
        found.add(Outcome.PASSED, "material_standing")
        return
    # A declaration that proves nothing is no reason to use the material: whoever added it altered the record.
    try:
        LogProof.from_text(bundle.void_proof).verify(bundle.void_entry, trust.log_verifiers)
        entry = Entry.decode(bundle.void_entry)
    except (AuditError, ValueError, TypeError):
        found.add(Outcome.FAILED, "log_proof_invalid", "LOG_PROOF_INVALID")
        return
    if entry.kind != VOID_ENTRY or entry.facts.get("material") != bundle.material.identifier:
        found.add(Outcome.FAILED, "log_entry_wrong_kind", "LOG_PROOF_INVALID", expected=VOID_ENTRY)
        return
    found.add(Outcome.FAILED, "material_void_logged", "REVOKED", at=_shown(entry.at))


def _judge_time(material: Material, at: datetime, found: _Steps) -> None:
    """Step 5."""
    starts, ends = material.valid_from, material.valid_until
    told = {"starts": _shown(starts), "ends": "-" if ends is None else _shown(ends)}
    if starts <= at and (ends is None or at < ends):
        found.add(Outcome.PASSED, "material_in_time", **told)
    else:
        found.add(Outcome.FAILED, "material_not_valid", "EXPIRED", **told)


def _judge_signatures(content: bytes, media_type: str, trust: TrustStore, at: datetime, found: _Steps) -> None:
    """Step 6. The paper counts because it was taken in: that its signer is unknown is told, and decides nothing."""
    if media_type not in _SIGNED:
        found.add(Outcome.PASSED, "material_unsigned")
        return
    from licence.verifying import judge  # noqa: PLC0415 - readers of PDF and OFD are loaded where one is read

    report = judge(content, trust, at)
    code = report.deciding.code if report.deciding else ""
    if report.verdict is Verdict.PASSED:
        found.add(Outcome.PASSED, "material_signed")
    elif code in _UNSIGNED:
        found.add(Outcome.PASSED, "material_unsigned")
    elif report.verdict is Verdict.FAILED:
        found.add(Outcome.FAILED, "material_signatures_wrong", report.sub_indication, code=code)
    else:
        found.add(Outcome.PASSED, "material_signatures_unknown", code=code)


def _material(plain: object) -> Material:
    if not isinstance(plain, dict) or set(plain) != _MATERIAL:
        raise _bad("material")
    reuse = plain["reuse"]
    if not isinstance(reuse, dict) or set(reuse) != _REUSE:
        raise _bad("reuse")
    size = plain["size_bytes"]
    if not isinstance(size, int) or isinstance(size, bool):
        raise _bad("size_bytes")
    until = plain["valid_until"]
    try:
        return Material(
            identifier=_text(plain, "identifier"),
            name=_text(plain, "name"),
            digest=_text(plain, "digest"),
            media_type=_text(plain, "media_type"),
            size_bytes=size,
            holder=_text(plain, "holder"),
            provenance=Provenance(
                Origin(_text(plain, "origin")),
                _text(plain, "unit"),
                _text(plain, "matter"),
                _time(plain, "taken_at"),
                _flag(plain, "checked_against_original"),
            ),
            reuse=ReuseRules(_texts(reuse, "units"), _texts(reuse, "matters"), _flag(reuse, "needs_consent")),
            valid_from=_time(plain, "valid_from"),
            valid_until=None if until is None else _time(plain, "valid_until"),
        )
    except MaterialRefusedError as fault:
        raise _bad(fault.finding_params.get("name", "material")) from None
    except ValueError:
        raise _bad("origin") from None


def _proven(plain: object, part: str) -> tuple[bytes, str]:
    if not isinstance(plain, dict) or set(plain) != _PROVEN:
        raise _bad(part)
    try:
        return _text(plain, "entry").encode(), _text(plain, "proof")
    except UnicodeEncodeError:
        raise _bad(part) from None


def _text(plain: dict[str, Any], name: str) -> str:
    value = plain[name]
    if not isinstance(value, str):
        raise _bad(name)
    return value


def _flag(plain: dict[str, Any], name: str) -> bool:
    value = plain[name]
    if not isinstance(value, bool):
        raise _bad(name)
    return value


def _texts(plain: dict[str, Any], name: str) -> tuple[str, ...]:
    value = plain[name]
    if not isinstance(value, list) or len(value) > MAX_REUSERS or not all(isinstance(v, str) for v in value):
        raise _bad(name)
    return tuple(value)


def _time(plain: dict[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(_text(plain, name))
        # What is compared in UTC must have a place there: the first and the last day of the calendar have none.
        return found.astimezone(UTC) if found.utcoffset() is not None else found
    except (ValueError, OverflowError):
        raise _bad(name) from None


def _bad(part: str) -> FormatError:
    return FormatError("material_bundle_malformed", part=part)


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
