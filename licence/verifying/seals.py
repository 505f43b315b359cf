"""Judge GM/T 0031 seals, seal signatures and the OFD they are on.

Seals are judged by `licence.seals.verify`, the container is read by `licence.ofd.read`; here the two are held together:
the signature's place, the seal the container shows, and what no signature covers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from licence.errors import FormatError
from licence.ofd.read import OWN, SHA256, SM3, Document, Policy, Signature, read_ofd
from licence.report import Outcome
from licence.seals import der
from licence.seals.structure import parse_signature
from licence.seals.verify import MIN_DIGEST_BYTES, verify_seal, verify_signature
from licence.trust import fingerprint
from licence.verifying import case as c
from licence.verifying.copies import with_copy
from licence.verifying.report import SECTIONS, DocumentReport, Form, Part, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from licence.report import Step
    from licence.seals.report import SealReport
    from licence.seals.trust import SealTrust

STRANGERS = Policy(digests=frozenset({SM3, SHA256}))
_STAMPS = frozenset({"time_stamp", "seal_time_stamp"})
_NAMES_SHOWN = 10


def is_signature(data: bytes) -> bool:
    """Whether the DER *data* has the outline of a SES_Signature: its signed part begins with a version number."""
    try:
        (signed, *_) = der.children(der.whole(data, "SES_Signature"), der.SEQUENCE, "SES_Signature", 8)
        (first, *_) = der.children(signed, der.SEQUENCE, "TBS_Sign", 8)
    except (FormatError, ValueError):
        return False
    return first.tag == der.INTEGER


def judge_seal(case: c.Case) -> DocumentReport:
    """Judge the SESeal of *case*."""
    trust = c.seal_trust(case)
    if trust is None:
        return _no_suite(Form.SEAL, Section.SEAL, case)
    report = verify_seal(case.data, trust, case.at, time_stamps=_Stamps(case))
    part = _part(Section.SEAL, report.steps, [], first=1)
    return DocumentReport(Form.SEAL, (part,), case.at, report.facts)


def judge_seal_signature(case: c.Case) -> DocumentReport:
    """Judge the SES_Signature of *case*, whose document is not at hand: the last step stays open."""
    trust = c.seal_trust(case)
    if trust is None:
        return _no_suite(Form.SEAL_SIGNATURE, Section.SEAL_SIGNATURE, case)
    # Compared with itself, and that comparison then counts for nothing.
    digest = _digest_in(case.data)
    report = verify_signature(case.data, digest, trust, case.at, time_stamps=_Stamps(case))
    steps = tuple(
        _as(s, c.undecided("judge_document_absent", "SIGNED_DATA_NOT_FOUND"))
        if s.name == "document" and s.outcome is not Outcome.SKIPPED
        else s
        for s in report.steps
    )
    part = _part(Section.SEAL_SIGNATURE, steps, [], first=1)
    observed = {"document_digest": digest.hex(), "claims": dict(report.facts)}
    return DocumentReport(Form.SEAL_SIGNATURE, (part,), case.at, {}, observed)


def judge_ofd(case: c.Case) -> DocumentReport:
    """Judge the OFD of *case*: every signature in it must hold, for only together they cover it."""
    try:
        document = _read(case.data)
    except FormatError as fault:
        return DocumentReport(Form.OFD, (c.part(Section.OFD, [c.finding_of(fault)], first=1),), case.at)
    good = c.passed("judge_ofd_ok", files=len(document.files), signatures=len(document.signatures))
    parts = [c.part(Section.OFD, [good, _coverage(document)], first=1)]
    trust = c.seal_trust(case)
    seals = []
    for signature in document.signatures:
        first = sum(len(p.steps) for p in parts) + 1
        part, facts = _judge_one(signature, trust, case, first)
        parts.append(part)
        seals.append(facts)
    facts = {
        "identifier": c.shown(document.identifier),
        "title": c.shown(document.title),
        "custom": {c.shown(name): c.shown(value) for name, value in document.custom.items()},
        "seals": seals,
        "unauthenticated": [c.shown(name) for name in document.unauthenticated],
    }
    observed = _observed(document)
    whole = DocumentReport(Form.OFD, tuple(parts), case.at, facts, observed)
    return with_copy(whole, lambda: document.custom, case)


def _read(data: bytes) -> Document:
    """By the rules for our own documents, in which every byte is authenticated; then by those for strangers'."""
    try:
        return read_ofd(data, OWN)
    except FormatError:
        return read_ofd(data, STRANGERS)


def _coverage(document: Document) -> c.Finding:
    loose = document.unauthenticated
    if not loose:
        return c.passed("judge_coverage_ok")
    names = ", ".join(loose[:_NAMES_SHOWN]) + (" …" if len(loose) > _NAMES_SHOWN else "")
    return c.passed("judge_coverage_but", names=names)


def _judge_one(signature: Signature, trust: SealTrust | None, case: c.Case, first: int) -> tuple[Part, dict[str, Any]]:
    section, label = Section.OFD_SIGNATURE, signature.path
    if signature.kind != "Seal":
        finding = c.undecided("judge_signature_kind", "", kind=signature.kind)
        return c.part(section, [finding], first=first, label=label), {}
    if trust is None:
        return c.part(section, [_NO_SUITE], first=first, label=label), {}
    report: SealReport = verify_signature(signature.value, signature.digest, trust, case.at, time_stamps=_Stamps(case))
    return _part(section, report.steps, _in_place(signature), first=first, label=label), dict(report.facts)


def _in_place(signature: Signature) -> list[c.Finding]:
    """The steps that only the container allows: the place the signature names, and the seal beside it."""
    try:
        signed = parse_signature(signature.value).signed
    except FormatError:
        return []
    # Programs write the path from the root with or without the first stroke.
    if signed.property_info.removeprefix("/") == signature.path:
        place = c.passed("judge_place_ok")
    else:
        named = {"named": signed.property_info, "found": signature.path}
        place = c.failed("judge_place_differs", "SIG_CONSTRAINTS_FAILURE", **named)
    if signature.seal is None:
        return [place, c.passed("judge_container_seal_none")]
    if signature.seal != signed.seal.raw:
        return [place, c.failed("judge_container_seal_differs", "SIG_CONSTRAINTS_FAILURE")]
    return [place, c.passed("judge_container_seal_ok")]


def _part(section: Section, steps: Sequence[Step], more: Sequence[c.Finding], *, first: int, label: str = "") -> Part:
    findings = [
        *(c.Finding(s.outcome, s.code, s.params, s.sub_indication, s.notes) for s in map(_softened, steps)),
        *more,
    ]
    assert len(findings) <= len(SECTIONS[section])  # noqa: S101 - the steps of seals are those the section was made of
    return c.part(section, findings, first=first, label=label)


def _softened(step: Step) -> Step:
    """*step* with the question left open by an unknown time-stamping authority, or a suite policy does not list."""
    if step.outcome is not Outcome.FAILED:
        return step
    if step.code == "seal_algorithm_not_allowed":
        return replace(step, outcome=Outcome.INDETERMINATE, sub_indication="CRYPTO_CONSTRAINTS_FAILURE")
    if step.name in _STAMPS and step.sub_indication in c.OPEN:
        return replace(step, outcome=Outcome.INDETERMINATE)
    return step


def _as(step: Step, finding: c.Finding) -> Step:
    return replace(
        step,
        outcome=finding.outcome,
        code=finding.code,
        params=finding.params,
        sub_indication=finding.sub_indication,
    )


_NO_SUITE = c.undecided("judge_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")


def _no_suite(form: Form, section: Section, case: c.Case) -> DocumentReport:
    return DocumentReport(form, (c.part(section, [_NO_SUITE], first=1),), case.at)


def _digest_in(data: bytes) -> bytes:
    try:
        return parse_signature(data).signed.document_digest.ljust(MIN_DIGEST_BYTES, b"\0")
    except FormatError:
        return bytes(MIN_DIGEST_BYTES)


class _Stamps:
    """Judges time stamps of seals by the trust of the case (`licence.seals.trust.TimeStampJudge`)."""

    def __init__(self, case: c.Case) -> None:
        self._case = case

    def __call__(self, token: bytes, stamped: bytes) -> datetime:
        stamp = c.read_stamp(token, stamped, self._case)
        finding = c.check_stamp(stamp, self._case, claimed=None, existed=None)
        if finding.outcome is not Outcome.PASSED:
            raise FormatError(finding.code, sub_indication=finding.sub_indication, **dict(finding.params))
        return stamp.time


def _observed(document: Document) -> dict[str, Any]:
    return {
        "files": len(document.files),
        "unauthenticated": [c.shown(name) for name in document.unauthenticated],
        "signatures": [
            {
                "path": c.shown(s.path),
                "kind": c.shown(s.kind),
                "provider": c.shown(s.provider),
                "signed_at": c.shown(s.signed_at),
                "digest_method": s.method,
                "digest": s.digest.hex(),
                "value_sha256": fingerprint(s.value),
                "covered": len(s.covered),
                "uncovered": [c.shown(name) for name in s.uncovered],
            }
            for s in document.signatures
        ],
    }
