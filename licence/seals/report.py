"""The report on a seal or a seal signature: numbered steps after GM/T 0031-2025, in JSON and for people.

Reaching the findings is `licence.seals.verify`; outcome, step and verdict are those of `licence.report`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from licence.report import Outcome, Step, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FORMAT = "zhengtong-seal-report/1"


class Subject(StrEnum):
    """What was verified."""

    SEAL = "seal"
    SIGNATURE = "signature"


_SEAL_STEPS: tuple[tuple[str, str, str], ...] = (
    ("maker_signature", "制章者签名", "Maker's signature"),
    ("created", "制作时间", "Date of making"),
    ("maker", "制章者证书", "Maker's certificate"),
    ("validity", "印章有效期", "Validity of the seal"),
    ("seal_time_stamp", "印章时间戳", "Time stamp of the seal"),
)
# The steps by number, from 1: they are referred to by these numbers in code, reports and documentation.
STEPS: Mapping[Subject, tuple[tuple[str, str, str], ...]] = {
    Subject.SEAL: (("format", "格式", "Format"), *_SEAL_STEPS),
    Subject.SIGNATURE: (
        ("format", "格式", "Format"),
        ("signature", "签章者签名", "Custodian's signature"),
        ("custodian", "签章者与印章匹配", "Custodian of the seal"),
        *_SEAL_STEPS,
        ("signer", "签章者证书", "Custodian's certificate"),
        ("time_stamp", "签章时间戳", "Time stamp of the signature"),
        ("document", "原文杂凑值", "Document digest"),
    ),
}
_OUTCOMES = {
    Outcome.PASSED: ("通过", "passed"),
    Outcome.FAILED: ("不通过", "failed"),
    Outcome.INDETERMINATE: ("无法判定", "indeterminate"),
    Outcome.SKIPPED: ("未检查", "skipped"),
}
_SENTENCES: Mapping[tuple[Subject, Verdict], tuple[str, str]] = {
    (Subject.SEAL, Verdict.PASSED): ("电子印章有效。", "The electronic seal is valid."),
    (Subject.SEAL, Verdict.INDETERMINATE): (
        "无法判定电子印章是否有效。",
        "It cannot be decided whether the electronic seal is valid.",
    ),
    (Subject.SEAL, Verdict.FAILED): ("电子印章无效。", "The electronic seal is not valid."),
    (Subject.SIGNATURE, Verdict.PASSED): ("电子签章有效。", "The seal was validly applied to this document."),
    (Subject.SIGNATURE, Verdict.INDETERMINATE): (
        "无法判定电子签章是否有效。",
        "It cannot be decided whether the seal was validly applied to this document.",
    ),
    (Subject.SIGNATURE, Verdict.FAILED): (
        "电子签章无效。",
        "The seal was not validly applied to this document.",
    ),
}


@dataclass(frozen=True, slots=True)
class SealReport:
    """The answer to: is this seal good, or was it validly applied to this document?

    *facts* holds what the seal says, and only when the signatures and the maker were found good.
    """

    subject: Subject
    steps: tuple[Step, ...]
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deciding(self) -> Step | None:
        """The step that decided: the first failed one, else the first indeterminate one, else None."""
        for outcome in (Outcome.FAILED, Outcome.INDETERMINATE):
            for step in self.steps:
                if step.outcome is outcome:
                    return step
        return None

    @property
    def verdict(self) -> Verdict:
        """TOTAL-PASSED only when every one of the subject's steps was made and passed."""
        deciding = self.deciding
        if deciding is not None and deciding.outcome is Outcome.FAILED:
            return Verdict.FAILED
        if len(self.steps) == len(STEPS[self.subject]) and all(s.outcome is Outcome.PASSED for s in self.steps):
            return Verdict.PASSED
        return Verdict.INDETERMINATE

    @property
    def sub_indication(self) -> str:
        """The ETSI EN 319 102-1 sub-indication of the deciding step, "" for TOTAL-PASSED."""
        return self.deciding.sub_indication if self.deciding else ""

    def step(self, name: str) -> Step:
        """The step called *name*.

        Raises:
            KeyError: the subject has no such step.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def to_json(self) -> str:
        """The report as JSON text."""
        document = {
            "format": FORMAT,
            "subject": self.subject.value,
            "verdict": self.verdict.value,
            "sub_indication": self.sub_indication,
            "at": self.at.isoformat(),
            "steps": [
                {
                    "number": s.number,
                    "name": s.name,
                    "outcome": s.outcome.value,
                    "code": s.code,
                    "params": dict(s.params),
                    "sub_indication": s.sub_indication,
                    "text": {"zh": s.text("zh"), "en": s.text("en")},
                    "notes": [
                        {"code": n.code, "params": dict(n.params), "text": {"zh": n.text("zh"), "en": n.text("en")}}
                        for n in s.notes
                    ],
                }
                for s in self.steps
            ],
            "seal": self.facts,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def text(self, lang: str) -> str:
        """For people: the verdict in a sentence, the reason, which seal if that is proven, then the steps by number."""
        column = 0 if lang == "zh" else 1
        lines = [_SENTENCES[self.subject, self.verdict][column]]
        if self.deciding is not None:
            lines.append(f"{self.deciding.text(lang)} [{self.sub_indication}]")
        lines.append(self.verdict.value)
        if self.facts:
            named = ("印章：{name}（{seal_id}）", "Seal: {name} ({seal_id})")[column]
            lines.append(named.format(**self.facts))
        for step in self.steps:
            name = STEPS[self.subject][step.number - 1][1 + column]
            lines.append(f" {step.number}. {name} — {_OUTCOMES[step.outcome][column]} — {step.text(lang)}")
            lines.extend(f"    · {note.text(lang)}" for note in step.notes)
        return "\n".join(lines) + "\n"
