"""What `licence.verifying.judge` answers: one protocol for every report, and the report on documents, seals and codes.

Reaching the findings is left to the modules beside this one; outcome, step and verdict are those of `licence.report`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from licence import report as base
from licence.report import Outcome, Step, Verdict
from licence.seals.report import STEPS as SEAL_STEPS
from licence.seals.report import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FORMAT = "zhengtong-document-report/1"


class Form(StrEnum):
    """What a file was recognised as."""

    LICENCE = "licence"
    PDF = "pdf"
    OFD = "ofd"
    SEAL = "seal"
    SEAL_SIGNATURE = "seal-signature"
    QR = "qr"


class Report(Protocol):
    """What every report has, whatever was judged; `licence.report.VerificationReport` is one too."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The numbered steps, from 1."""

    @property
    def at(self) -> datetime:
        """The time asked about, in UTC."""

    @property
    def deciding(self) -> Step | None:
        """The step that decided, None for TOTAL-PASSED."""

    @property
    def verdict(self) -> Verdict:
        """The main indication."""

    @property
    def sub_indication(self) -> str:
        """The ETSI EN 319 102-1 sub-indication, "" for TOTAL-PASSED."""

    @property
    def exit_code(self) -> int:
        """0, 10, 11, 12 or 13, as in `licence.report`."""

    def text(self, lang: str) -> str:
        """For people, in *lang*; the first line is the verdict in a sentence."""

    def to_json(self) -> str:
        """The whole report as JSON text."""


class Section(StrEnum):
    """What a group of steps is about."""

    PDF = "pdf"
    PDF_SIGNATURE = "pdf-signature"
    PDF_TIME_STAMP = "pdf-time-stamp"
    OFD = "ofd"
    OFD_SIGNATURE = "ofd-signature"
    SEAL = "seal"
    SEAL_SIGNATURE = "seal-signature"
    QR = "qr"
    COPY = "copy"


_OF_SEAL, _OF_SIGNATURE = (tuple(name for name, _, _ in SEAL_STEPS[s]) for s in (Subject.SEAL, Subject.SIGNATURE))
# The steps of each section, in their order: a section without all of them never passes.
SECTIONS: Mapping[Section, tuple[str, ...]] = {
    Section.PDF: ("format",),
    Section.PDF_SIGNATURE: ("signature", "time_stamp", "chain", "issuer"),
    Section.PDF_TIME_STAMP: ("time_stamp",),
    Section.OFD: ("format", "coverage"),
    Section.OFD_SIGNATURE: (*_OF_SIGNATURE, "place", "container_seal"),
    Section.SEAL: _OF_SEAL,
    Section.SEAL_SIGNATURE: _OF_SIGNATURE,
    Section.QR: ("format", "chain", "signature", "issuer", "status", "validity"),
    Section.COPY: ("annotation", "validity"),
}
# The sections without which a file of this form is not wholly judged.
_NEEDED: Mapping[Form, tuple[Section, ...]] = {
    Form.PDF: (Section.PDF, Section.PDF_SIGNATURE),
    Form.OFD: (Section.OFD, Section.OFD_SIGNATURE),
    Form.SEAL: (Section.SEAL,),
    Form.SEAL_SIGNATURE: (Section.SEAL_SIGNATURE,),
    Form.QR: (Section.QR,),
}
_NOT_IN_FORCE = frozenset(
    {(Section.QR, "status"), (Section.QR, "validity"), (Section.SEAL, "validity"), (Section.COPY, "validity")}
)
_TITLES: Mapping[Section, tuple[str, str]] = {
    Section.PDF: ("PDF 文件", "PDF file"),
    Section.PDF_SIGNATURE: ("PDF 签名", "PDF signature"),
    Section.PDF_TIME_STAMP: ("文档时间戳", "Document time stamp"),
    Section.OFD: ("OFD 文件", "OFD file"),
    Section.OFD_SIGNATURE: ("电子签章", "Seal signature"),
    Section.SEAL: ("电子印章", "Electronic seal"),
    Section.SEAL_SIGNATURE: ("电子签章", "Seal signature"),
    Section.QR: ("证照二维码", "QR code of a licence"),
    Section.COPY: ("加注件", "Annotated copy"),
}
_NAMES: Mapping[str, tuple[str, str]] = {
    **{name: (zh, en) for name, zh, en in (*base.STEPS, *SEAL_STEPS[Subject.SIGNATURE])},
    # These stand in sections of other forms too, where the word of seals would mislead.
    "signature": ("签名", "Signature"),
    "validity": ("有效期", "Validity"),
    "time_stamp": ("时间戳", "Time stamp"),
    "coverage": ("签名覆盖范围", "Coverage"),
    "place": ("签名位置", "Place of the signature"),
    "container_seal": ("容器中的印章", "Seal in the container"),
    "annotation": ("加注信息", "Annotation"),
}
_OUTCOMES = {
    Outcome.PASSED: ("通过", "passed"),
    Outcome.FAILED: ("不通过", "failed"),
    Outcome.INDETERMINATE: ("无法判定", "indeterminate"),
    Outcome.SKIPPED: ("未检查", "skipped"),
}
_SUBJECTS: Mapping[Form, tuple[str, str]] = {
    Form.LICENCE: ("该证照", "the licence"),
    Form.PDF: ("该 PDF 文件", "the PDF"),
    Form.OFD: ("该 OFD 文件", "the OFD"),
    Form.SEAL: ("该电子印章", "the electronic seal"),
    Form.SEAL_SIGNATURE: ("该电子签章", "the seal signature"),
    Form.QR: ("该二维码所示证照", "the licence in the QR code"),
}
_DOCUMENT_PASSED = (
    "有效：{subject}真实、完整，签署者可信。所载证照目前是否有效不由本文件说明，请验证其数据包或二维码。",
    "Valid: {subject} is genuine and whole. Its bundle or QR code, not this, tells if a licence is in force.",
)
_COPY_PASSED = (
    "有效：{subject}是真实的加注件，仅限“{purpose}”使用，有效期至 {until}。证照目前是否有效，请验证其数据包或二维码。",
    "Valid: {subject} is a genuine copy for “{purpose}” only, until {until}. The bundle tells if a licence is valid.",
)
_PASSED: Mapping[Form, tuple[str, str]] = {
    Form.PDF: _DOCUMENT_PASSED,
    Form.OFD: _DOCUMENT_PASSED,
    Form.QR: ("有效：{subject}真实，在 {at} 有效。", "Valid: {subject} is genuine and in force at {at}."),
}
_SENTENCES: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PASSED: ("有效：{subject}在 {at} 有效。", "Valid: {subject} is good at {at}."),
    Verdict.INDETERMINATE: (
        "无法判定：缺少判定{subject}在 {at} 是否有效所需的材料。",
        "Cannot be decided: what is at hand does not settle whether {subject} is valid at {at}.",
    ),
    Verdict.FAILED: ("无效：不得接受{subject}（{at}）。", "Not valid: do not accept {subject} ({at})."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """The steps about one thing: the file, one of its signatures, one of its time stamps. *label* tells them apart."""

    section: Section
    steps: tuple[Step, ...]
    label: str = ""

    @property
    def complete(self) -> bool:
        """Whether every step of the section is there; whether it passed is another matter."""
        return tuple(s.name for s in self.steps) == SECTIONS[self.section]


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """The answer to: is this document, seal or code genuine, and at time *at* to be relied on?

    Steps are numbered through all *parts*. *facts* holds what the file says, and only when everything was found good;
    *observed* what was seen on the way, proven or not, for people who look for the reason.
    """

    form: Form
    parts: tuple[Part, ...]
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all parts, by number."""
        return tuple(step for part in self.parts for step in part.steps)

    @property
    def deciding(self) -> Step | None:
        """The step that decided: the first failed one, else the first indeterminate one, else None."""
        found = self._deciding()
        return found[1] if found else None

    def _deciding(self) -> tuple[Part, Step] | None:
        for outcome in (Outcome.FAILED, Outcome.INDETERMINATE):
            for part in self.parts:
                for step in part.steps:
                    if step.outcome is outcome:
                        return part, step
        return None

    @property
    def verdict(self) -> Verdict:
        """TOTAL-PASSED only when every section that must be there is, and every step of each was made and passed."""
        found = self.deciding
        if found is not None and found.outcome is Outcome.FAILED:
            return Verdict.FAILED
        needed = _NEEDED.get(self.form, ())
        whole = bool(needed) and set(needed) <= {p.section for p in self.parts} and all(p.complete for p in self.parts)
        if whole and all(s.outcome is Outcome.PASSED for s in self.steps):
            return Verdict.PASSED
        return Verdict.INDETERMINATE

    @property
    def sub_indication(self) -> str:
        """The sub-indication of the deciding step, "" for TOTAL-PASSED."""
        found = self.deciding
        return found.sub_indication if found else ""

    @property
    def exit_code(self) -> int:
        """0 valid · 10 signature or content invalid · 11 cannot decide · 12 not in force."""
        if self.verdict is Verdict.PASSED:
            return base.EXIT_VALID
        found = self._deciding()
        if found is None or self.verdict is Verdict.INDETERMINATE:
            return base.EXIT_CANNOT_DECIDE
        part, step = found
        return base.EXIT_NOT_IN_FORCE if (part.section, step.name) in _NOT_IN_FORCE else base.EXIT_INVALID

    def to_json(self) -> str:
        """The report as JSON text; it holds what the document says."""
        document = {
            "format": FORMAT,
            "form": self.form.value,
            "verdict": self.verdict.value,
            "sub_indication": self.sub_indication,
            "exit_code": self.exit_code,
            "at": self.at.isoformat(),
            "parts": [
                {"section": p.section.value, "label": p.label, "steps": [_plain(s) for s in p.steps]}
                for p in self.parts
            ],
            "facts": self.facts,
            "observed": self.observed,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def text(self, lang: str) -> str:
        """For people: the verdict in a sentence, the reason, then the steps by number under what they are about."""
        column = 0 if lang == "zh" else 1
        at = self.at.isoformat(timespec="seconds").replace("+00:00", "Z")
        sentence = _SENTENCES[self.verdict]
        copy = self.facts.get("copy", {"purpose": "", "valid_until": ""})
        if self.verdict is Verdict.PASSED:
            sentence = _COPY_PASSED if "copy" in self.facts else _PASSED.get(self.form, sentence)
        words = {"subject": _SUBJECTS[self.form][column], "at": at}
        lines = [sentence[column].format(**words, purpose=copy["purpose"], until=copy["valid_until"])]
        found = self.deciding
        if found is not None:
            lines.append(f"{found.text(lang)} [{self.sub_indication}]")
        lines.append(self.verdict.value)
        for part in self.parts:
            lines.append(" ".join(filter(None, (_TITLES[part.section][column], part.label))))
            for step in part.steps:
                name, outcome = _NAMES[step.name][column], _OUTCOMES[step.outcome][column]
                lines.append(f" {step.number}. {name} — {outcome} — {step.text(lang)}")
                lines.extend(f"    · {note.text(lang)}" for note in step.notes)
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class ToldStep:
    """A step in the words of one language: what `Report.text` says of it, apart."""

    number: int
    name: str
    outcome: Outcome
    outcome_name: str
    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToldPart:
    """Steps under what they are about; *title* is "" where the whole report is about one thing."""

    title: str
    steps: tuple[ToldStep, ...]


def told(report: Report, lang: str) -> tuple[ToldPart, ...]:
    """The steps of *report* in *lang*, for those who lay them out by themselves."""
    column = 0 if lang == "zh" else 1

    def of(step: Step, name: str) -> ToldStep:
        outcome = _OUTCOMES[step.outcome][column]
        notes = tuple(note.text(lang) for note in step.notes)
        return ToldStep(step.number, name, step.outcome, outcome, step.text(lang), notes)

    if isinstance(report, DocumentReport):
        return tuple(
            ToldPart(
                " ".join(filter(None, (_TITLES[part.section][column], part.label))),
                tuple(of(step, _NAMES[step.name][column]) for step in part.steps),
            )
            for part in report.parts
        )
    names = {name: words for name, *words in (*base.STEPS, base.DOCUMENTS)}
    return (ToldPart("", tuple(of(step, names[step.name][column]) for step in report.steps)),)


def simple(report: Report, lang: str) -> str:
    """The verdict and one sentence."""
    return f"{report.verdict.value}\n{report.text(lang).partition(chr(10))[0]}\n"


def _plain(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "name": step.name,
        "outcome": step.outcome.value,
        "code": step.code,
        "params": dict(step.params),
        "sub_indication": step.sub_indication,
        "text": {"zh": step.text("zh"), "en": step.text("en")},
        "notes": [
            {"code": n.code, "params": dict(n.params), "text": {"zh": n.text("zh"), "en": n.text("en")}}
            for n in step.notes
        ],
    }
