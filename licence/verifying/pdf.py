"""Judge a signed PDF: structure and signatures as read, then each signer's chain, time stamps and purpose.

Reading is `licence.pdf.read`. Of a licence shown on the page it says nothing but who signed it; what a copy is for and
until when, by `licence.verifying.copies`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from licence.errors import FormatError
from licence.lifecycle.copies import from_keywords
from licence.pdf.read import PdfFacts, PdfSignature, read_signatures
from licence.profile import LICENCE_SIGNING
from licence.report import Note, Outcome
from licence.trust import fingerprint
from licence.verifying import case as c
from licence.verifying.copies import with_copy
from licence.verifying.report import DocumentReport, Form, Part, Section

if TYPE_CHECKING:
    from datetime import datetime

    from licence import chain

# A certificate for one of these, or for nothing in particular, may sign documents. One for status lists, time stamps
# or web servers may not, whoever issued it.
_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
PURPOSES = frozenset(
    {
        LICENCE_SIGNING,
        _DOCUMENT_SIGNING,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }
)


def judge_pdf(case: c.Case) -> DocumentReport:
    """Judge the PDF of *case*: every signature and every time stamp in it must hold."""
    try:
        found = read_signatures(case.data, sorted(case.trust.suites))
    except FormatError as fault:
        return DocumentReport(Form.PDF, (c.part(Section.PDF, [c.finding_of(fault)], first=1),), case.at)
    if not found.signatures:
        # Time stamps alone say when, and nobody says who.
        finding = c.failed("pdf_not_signed", "FORMAT_FAILURE")
        return DocumentReport(Form.PDF, (c.part(Section.PDF, [finding], first=1),), case.at)
    case = case.with_material(found.certificates, found.crls)
    loose = [Note(code, c.params_of(**params)) for code, params in _unauthenticated(found, len(case.data))]
    counts = {"signatures": len(found.signatures), "stamps": len(found.stamps)}
    good = c.passed("judge_pdf_ok", loose, level=found.level.value, **counts)
    parts = [c.part(Section.PDF, [good], first=1)]
    stamped, existed = _document_stamps(found, case)
    facts = []
    for signature in found.signatures:
        findings, signer, proven = _signature(signature, case, existed)
        parts.append(c.part(Section.PDF_SIGNATURE, findings, first=_next(parts), label=signature.field))
        facts.append(_facts(signature, signer, proven))
    for one, finding in zip(found.stamps, stamped, strict=True):
        parts.append(c.part(Section.PDF_TIME_STAMP, [finding], first=_next(parts), label=one.field))
    observed = _observed(found)
    unauthenticated = sorted({note.code for one in parts for step in one.steps for note in step.notes} & _LOOSE)
    said: dict[str, Any] = {"signatures": facts, "level": found.level.value, "keywords": c.shown(found.keywords)}
    said["unauthenticated"] = unauthenticated
    whole = DocumentReport(Form.PDF, tuple(parts), case.at, said, observed)
    return with_copy(whole, lambda: from_keywords(found.keywords), case)


# The notes that tell of bytes nobody vouches for.
_LOOSE = frozenset({"judge_pdf_material_loose", "judge_pdf_attributes_loose", "judge_certificates_loose"})


def _unauthenticated(found: PdfFacts, size_bytes: int) -> list[tuple[str, dict[str, object]]]:
    """What of the file no signature and no time stamp covers, as notes: code and params."""
    loose: list[tuple[str, dict[str, object]]] = []
    if found.loose_from < size_bytes:
        loose.append(("judge_pdf_material_loose", {"size": size_bytes - found.loose_from}))
    loose += [("judge_pdf_attributes_loose", {"field": s.field}) for s in found.signatures if s.unsigned]
    return loose


def _used(finding: c.Finding, brought: tuple[bytes, ...], path: chain.Path) -> c.Finding:
    """*finding*, and a note on certificates beside the signature that lead elsewhere than to the anchor it led to."""
    if finding.outcome is not Outcome.PASSED or set(brought) <= set(path.certificates):
        return finding
    return replace(finding, notes=(*finding.notes, Note("judge_certificates_loose")))


def _next(parts: list[Part]) -> int:
    return sum(len(p.steps) for p in parts) + 1


def _document_stamps(found: PdfFacts, case: c.Case) -> tuple[list[c.Finding], datetime | None]:
    """A finding for each document time stamp, and the earliest time they prove.

    From the last to the first: each later one, if good, proves when those before it existed at the latest. All of them
    come after every signature, or `read_signatures` would have refused the file.
    """
    findings: list[c.Finding] = []
    existed: datetime | None = None
    for one in reversed(found.stamps):
        finding = c.check_stamp(one.stamp, case, claimed=None, existed=existed)
        findings.insert(0, finding)
        if finding.outcome is Outcome.PASSED:
            existed = one.stamp.time
    return findings, existed


def _signature(
    signature: PdfSignature, case: c.Case, existed: datetime | None
) -> tuple[list[c.Finding], chain.Path | None, datetime | None]:
    # Step 1: the signature, which reading has checked. Step 2: its time stamps.
    findings = [c.passed("judge_pdf_signature_ok", suite=signature.suite)]
    stamp, proven = _time_stamps(signature, case, existed)
    findings.append(stamp)
    # Step 3: the signer's chain, at the time that is proven.
    try:
        path = c.lead(signature.chain, case)
    except FormatError as fault:
        return [*findings, c.finding_of(fault)], None, proven
    judged = c.check_path(path, case, claimed=signature.claimed_at, proven=proven)
    findings.append(_used(judged, signature.chain, path))
    # Step 4: the signer.
    findings.append(_check_signer(path, case))
    return findings, path, proven


def _time_stamps(signature: PdfSignature, case: c.Case, existed: datetime | None) -> tuple[c.Finding, datetime | None]:
    """The finding on the stamps inside the signature, and the earliest time that these or the document's prove."""
    proven = existed
    finding = c.passed("judge_no_time_stamp")
    for token in signature.stamps:
        try:
            stamp = c.read_stamp(token, signature.signature, case)
        except FormatError as fault:
            return c.finding_of(fault), existed
        finding = c.check_stamp(stamp, case, claimed=signature.claimed_at, existed=existed)
        if finding.outcome is not Outcome.PASSED:
            return finding, existed
        proven = min(proven or stamp.time, stamp.time)
    return finding, proven


def _check_signer(path: chain.Path, case: c.Case) -> c.Finding:
    if path.purposes and not path.purposes & PURPOSES:
        return c.failed("judge_signer_purpose", "SIG_CONSTRAINTS_FAILURE", subject=path.subject)
    pinned = case.trust.licence_signers
    if pinned and fingerprint(path.leaf) not in pinned:
        return c.undecided("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")
    return c.passed("judge_signer_ok", subject=path.subject, ends=c.iso(path.ends))


def _facts(signature: PdfSignature, signer: chain.Path | None, proven: datetime | None) -> dict[str, Any]:
    return {
        "signer": signer.subject if signer else "",
        "organisation_code": signer.organisation_code if signer else "",
        "demonstration": bool(signer and signer.demonstration),
        "signed_at": c.iso(signature.claimed_at) if signature.claimed_at else None,
        "proven_at": c.iso(proven) if proven else None,
        "certification": signature.certification,
        "reason": c.shown(signature.reason),
    }


def _observed(found: PdfFacts) -> dict[str, Any]:
    return {
        "level": found.level.value,
        "signatures": [
            {
                "field": c.shown(s.field),
                "chain": [fingerprint(der) for der in s.chain],
                "suite": s.suite,
                "coverage": s.coverage.value,
                "certification": s.certification,
                "claimed_at": c.iso(s.claimed_at) if s.claimed_at else None,
                "claimed_name": c.shown(s.name),
                "claimed_reason": c.shown(s.reason),
                "time_stamps": len(s.stamps),
            }
            for s in found.signatures
        ],
        "document_time_stamps": [
            {
                "field": c.shown(s.field),
                "time": c.iso(s.stamp.time),
                "chain": [fingerprint(der) for der in s.stamp.chain],
                "coverage": s.coverage.value,
            }
            for s in found.stamps
        ],
        "material": {"certificates": len(found.certificates), "crls": len(found.crls), "ocsps": len(found.ocsps)},
    }
