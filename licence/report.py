"""The verification report: verdict, sub-indication, numbered steps, in JSON and as a page in Chinese or English.

Verdicts follow ETSI EN 319 102-1 §5.1.3; reaching them is left to `licence.verify`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from licence.findings import finding_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FORMAT = "zhengtong-verification-report/1"
EXIT_VALID = 0
EXIT_INVALID = 10
EXIT_CANNOT_DECIDE = 11
EXIT_NOT_IN_FORCE = 12
EXIT_LOG_INVALID = 13


class Verdict(StrEnum):
    """The three main indications."""

    PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "TOTAL-FAILED"


class Outcome(StrEnum):
    """How one step ended."""

    PASSED = "passed"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"
    SKIPPED = "skipped"


# The steps by number, from 1: they are referred to by these numbers in code, reports and documentation.
STEPS: tuple[tuple[str, str, str], ...] = (
    ("format", "格式", "Format"),
    ("chain", "证书链", "Certificate chain"),
    ("signature", "签名", "Signature"),
    ("issuer", "颁发机构", "Issuer"),
    ("identifier", "证照标识", "Identifier"),
    ("log", "日志证明", "Log proof"),
    ("status", "状态", "Status"),
    ("validity", "有效期", "Validity"),
)
# Made where a bundle holds documents, and only by `licence.verifying`, which reads them.
DOCUMENTS = ("documents", "所附文档", "Documents")
_EXIT_BY_STEP = {"log": EXIT_LOG_INVALID, "status": EXIT_NOT_IN_FORCE, "validity": EXIT_NOT_IN_FORCE}
_OUTCOMES = {
    Outcome.PASSED: ("通过", "passed"),
    Outcome.FAILED: ("不通过", "failed"),
    Outcome.INDETERMINATE: ("无法判定", "indeterminate"),
    Outcome.SKIPPED: ("未检查", "skipped"),
}
_SENTENCES = {
    Verdict.PASSED: ("有效：证照真实，在 {at} 有效。", "Valid: the licence is genuine and in force at {at}."),
    Verdict.INDETERMINATE: (
        "无法判定：缺少判定证照在 {at} 是否有效所需的材料。",
        "Cannot be decided: what is at hand does not settle whether the licence is valid at {at}.",
    ),
    Verdict.FAILED: ("无效：证照在 {at} 不能作为有效证照使用。", "Not valid: do not accept the licence at {at}."),
}

Params = tuple[tuple[str, str], ...]


def _sentence(code: str, pairs: Params, lang: str) -> str:
    params = dict(pairs)
    if lang == "zh":
        params |= {name.removesuffix("_zh"): value for name, value in pairs if name.endswith("_zh")}
    if "why" in params:
        params["why"] = finding_text(params["why"], params, lang)
    return finding_text(code, params, lang)


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know that decides nothing. *params* may nest one finding code as ``why``."""

    code: str
    params: Params = ()

    def text(self, lang: str) -> str:
        """The sentence in *lang*."""
        return _sentence(self.code, self.params, lang)


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step with its finding; *sub_indication* is "" when it passed. *params* may nest a code, ``why``."""

    number: int
    name: str
    outcome: Outcome
    code: str
    params: Params = ()
    sub_indication: str = ""
    notes: tuple[Note, ...] = ()

    def text(self, lang: str) -> str:
        """The finding in *lang*."""
        return _sentence(self.code, self.params, lang)


class Stepwise(ABC):
    """What every report of numbered steps shares; *steps* are in their order."""

    __slots__ = ()
    steps: tuple[Step, ...]

    @property
    @abstractmethod
    def names(self) -> tuple[tuple[str, str, str], ...]:
        """Each step that must be made: its name, its title in Chinese and in English."""

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
        """TOTAL-PASSED only when every one of the steps was made and passed."""
        deciding = self.deciding
        if deciding is not None and deciding.outcome is Outcome.FAILED:
            return Verdict.FAILED
        if len(self.steps) == len(self.names) and all(s.outcome is Outcome.PASSED for s in self.steps):
            return Verdict.PASSED
        return Verdict.INDETERMINATE

    @property
    def sub_indication(self) -> str:
        """The sub-indication of the deciding step, "" for TOTAL-PASSED."""
        return self.deciding.sub_indication if self.deciding else ""

    def plain_steps(self) -> list[dict[str, Any]]:
        """The steps as JSON values."""
        return [
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
        ]

    def verdict_lines(self, sentence: str, lang: str) -> list[str]:
        """*sentence*, the reason, and the verdict."""
        deciding = self.deciding
        reason = [] if deciding is None else [f"{deciding.text(lang)} [{self.sub_indication}]"]
        return [sentence, *reason, self.verdict.value]

    def step_lines(self, lang: str) -> list[str]:
        """The steps by number, each with its notes."""
        column = 0 if lang == "zh" else 1
        lines = []
        for step in self.steps:
            name = self.names[step.number - 1][1 + column]
            lines.append(f" {step.number}. {name} — {_OUTCOMES[step.outcome][column]} — {step.text(lang)}")
            lines.extend(f"    · {note.text(lang)}" for note in step.notes)
        return lines


@dataclass(frozen=True, slots=True)
class VerificationReport(Stepwise):
    """The answer to: was this licence genuine and in force at time *at*?

    *licence* holds what the licence says, and only when its signature and issuer were found good.
    """

    steps: tuple[Step, ...]
    at: datetime
    licence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[tuple[str, str, str], ...]:
        """The eight steps, and the ninth where it was made."""
        return (*STEPS, DOCUMENTS) if len(self.steps) > len(STEPS) else STEPS

    @property
    def exit_code(self) -> int:
        """0 valid · 10 signature or content invalid · 11 cannot decide · 12 not in force · 13 log proof invalid."""
        if self.verdict is Verdict.PASSED:
            return EXIT_VALID
        if self.deciding is None or self.verdict is Verdict.INDETERMINATE:
            return EXIT_CANNOT_DECIDE
        if self.deciding.code == "document_ended":
            return EXIT_NOT_IN_FORCE
        return _EXIT_BY_STEP.get(self.deciding.name, EXIT_INVALID)

    def to_json(self) -> str:
        """The report as JSON text; it holds what the licence discloses."""
        document = {
            "format": FORMAT,
            "verdict": self.verdict.value,
            "sub_indication": self.sub_indication,
            "exit_code": self.exit_code,
            "at": self.at.isoformat(),
            "steps": self.plain_steps(),
            "licence": self.licence,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def text(self, lang: str) -> str:
        """For people: the verdict in a sentence, the reason, then the steps by number."""
        column = 0 if lang == "zh" else 1
        at = self.at.isoformat(timespec="seconds").replace("+00:00", "Z")
        sentence = _SENTENCES[self.verdict][column].format(at=at)
        return "\n".join([*self.verdict_lines(sentence, lang), *self.step_lines(lang)]) + "\n"
