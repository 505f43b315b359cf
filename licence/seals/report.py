"""The report on a seal or a seal signature: numbered steps after GM/T 0031-2025, in JSON and for people.

Reaching the findings is `licence.seals.verify`; outcome, step and verdict are those of `licence.report`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from licence.report import Step, Stepwise, Verdict

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
class SealReport(Stepwise):
    """The answer to: is this seal good, or was it validly applied to this document?

    *facts* holds what the seal says, and only when the signatures and the maker were found good.
    """

    subject: Subject
    steps: tuple[Step, ...]
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[tuple[str, str, str], ...]:
        """The steps of what was verified."""
        return STEPS[self.subject]

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
            "steps": self.plain_steps(),
            "seal": self.facts,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def text(self, lang: str) -> str:
        """For people: the verdict in a sentence, the reason, which seal if that is proven, then the steps by number."""
        column = 0 if lang == "zh" else 1
        lines = self.verdict_lines(_SENTENCES[self.subject, self.verdict][column], lang)
        if self.facts:
            named = ("印章：{name}（{seal_id}）", "Seal: {name} ({seal_id})")[column]
            lines.append(named.format(**self.facts))
        return "\n".join([*lines, *self.step_lines(lang)]) + "\n"
