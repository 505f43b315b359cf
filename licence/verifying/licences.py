"""Judge a licence bundle or bare SD-JWT by `licence.verify`, and the documents in the bundle by what they are.

A document must hold by itself and name the licence that the credential is of. Being of the same licence does not make
its face the credential's: whoever relies on a field reads it from the credential.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from licence.bundle import LicenceBundle
from licence.report import EXIT_NOT_IN_FORCE, STEPS, Note, Outcome, Step, Verdict, VerificationReport
from licence.verify import verify
from licence.verifying import case as c
from licence.verifying import pdf, seals
from licence.verifying.report import DocumentReport, Form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JUDGES: Mapping[str, tuple[Callable[[c.Case], DocumentReport], bytes]] = {
    "pdf": (pdf.judge_pdf, b"%PDF-"),
    "ofd": (seals.judge_ofd, b"PK\x03\x04"),
}
_IDENTIFIER = re.compile(r"1\.2\.156\.3005\.2(?:\.[0-9A-Z]{1,64}){5}")
_CONSTRAINT = "SIG_CONSTRAINTS_FAILURE"


def judge_licence(case: c.Case) -> VerificationReport:
    """Judge the licence of *case*; without documents exactly as `licence.verify.verify` does, in eight steps."""
    report = verify(
        case.data,
        case.trust,
        case.at,
        case.status_tokens,
        crls=case.crls,
        certificates=case.certificates,
        histories=case.histories,
    )
    if not any(note.code == "document_not_judged" for step in report.steps for note in step.notes):
        # No document, or a bundle that is not good enough to look at them.
        return report
    bundle = LicenceBundle.from_json(case.data)
    findings = [_document(form, data, bundle, case) for form, data in bundle.documents.items()]
    # The first that speaks against the bundle, or leaves it open, stands for all.
    ranked = sorted((f for f in findings if f.outcome is not Outcome.PASSED), key=_severity)
    notes = tuple(note for f in findings for note in f.notes)
    found = ranked[0] if ranked else c.passed("document_agrees", count=len(findings))
    name = "documents"
    step = Step(len(STEPS) + 1, name, found.outcome, found.code, found.params, found.sub_indication, notes)
    first = replace(report.steps[0], notes=())
    return replace(report, steps=(first, *report.steps[1:], step))


def _document(form: str, data: bytes, bundle: LicenceBundle, case: c.Case) -> c.Finding:
    judge, magic = _JUDGES[form]
    if not data.startswith(magic):
        return c.failed("document_form_differs", "FORMAT_FAILURE", form=form)
    inner = replace(case.with_material((), bundle.crls), data=data, status_tokens=(), histories=())
    report = judge(inner)
    deciding = report.deciding
    if report.verdict is not Verdict.PASSED:
        step = report.steps[0] if deciding is None else deciding
        outcome, code = Outcome.INDETERMINATE, "document_open"
        if report.verdict is Verdict.FAILED:
            outcome = Outcome.FAILED
            code = "document_ended" if report.exit_code == EXIT_NOT_IN_FORCE else "document_refused"
        params = c.params_of(**{**dict(step.params), "why": step.code, "form": form})
        return c.Finding(outcome, code, params, report.sub_indication)
    named = _named(report)
    if named is None:
        return c.undecided("document_names_none", "SIGNED_DATA_NOT_FOUND", form=form)
    if named != bundle.identifier:
        return c.failed("document_differs", _CONSTRAINT, form=form, named=named)
    notes = [Note("document_loose", (("form", form),))] if report.facts.get("unauthenticated") else []
    copy = report.facts.get("copy")
    if copy is not None:
        said = {"form": form, "purpose": copy["purpose"], "until": copy["valid_until"]}
        notes.append(Note("document_is_copy", c.params_of(**said)))
    return c.passed("document_agrees", notes)


def _severity(finding: c.Finding) -> tuple[bool, bool]:
    """What is wrong comes before a copy whose term has ended, and that before what is missing."""
    return finding.outcome is not Outcome.FAILED, finding.code == "document_ended"


def _named(report: DocumentReport) -> str | None:
    """The identifier that the document states in its signed metadata: ZZBS of an OFD, the keywords of a PDF."""
    if report.form is Form.OFD:
        stated = str(report.facts["custom"].get("ZZBS", ""))
        return stated or None
    found = set(_IDENTIFIER.findall(str(report.facts["keywords"])))
    return next(iter(found)) if len(found) == 1 else None
