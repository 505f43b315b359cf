"""Verify a seal (验章) or a seal signature (验签章) offline: the numbered steps of GM/T 0031-2025, for V1, V4 and V5.

Trust is an argument (`licence.seals.trust`), reading is `licence.seals.structure`, the chain `licence.chain`. What is
left to whoever reads the container: computing the document digest, and that every file of the container but the
signature's own is covered by it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from licence import chain
from licence.errors import FormatError
from licence.profile import SEAL_MAKING
from licence.report import Note, Outcome, Params, Step, Verdict
from licence.seals import algorithms
from licence.seals.report import STEPS, SealReport, Subject
from licence.seals.structure import V1, V4, V5, SESeal, SESSignature, parse_seal, parse_signature
from licence.seals.trust import SealTrust, TimeStampJudge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from licence.seals.structure import Extension

__all__ = ["Outcome", "SealReport", "SealTrust", "TimeStampJudge", "Verdict", "verify_seal", "verify_signature"]

# Two offices' clocks differ by less. Compared with differences: a time at the end of the calendar plus this is none.
SKEW = timedelta(minutes=5)
# Leaf, two or three issuing authorities, and some slack.
MAX_CHAIN = 6
# Paths tried for one leaf: the verifier's own intermediates may hold an authority under several keys.
MAX_PATHS = 32
# The same few makers and custodians come back all day; finding a path is a pure function.
PATH_CACHE = 256
MIN_DIGEST_BYTES = 32
STANDARDS = {V1: "GM/T 0031-2014", V4: "GB/T 38540-2020", V5: "GM/T 0031-2025"}
_CONSTRAINT = "SIG_CONSTRAINTS_FAILURE"
_NOT_CHECKED = frozenset({"revocation_unknown", "revocation_stale"})
_NO_POE = "OUT_OF_BOUNDS_NO_POE"


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a step found, before it is numbered."""

    outcome: Outcome
    code: str
    params: Params = ()
    sub_indication: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """What every step judges by. *signed* is the time the seal was applied, None where it is not known."""

    trust: SealTrust
    at: datetime
    time_stamps: TimeStampJudge | None
    subject: Subject
    signed: datetime | None = None


def verify_seal(
    data: bytes, trust: SealTrust, at: datetime, *, time_stamps: TimeStampJudge | None = None
) -> SealReport:
    """Judge the SESeal *data* by *trust* at the aware time *at*.

    Hostile input is a verdict, never an exception. Safe to call from many threads.

    Raises:
        ValueError: *at* is naive: an error of the calling program.
    """
    _require_aware(at)
    case = _Case(trust, at, time_stamps, Subject.SEAL, at)
    try:
        seal = parse_seal(data)
        _check_extensions(seal.info.extensions, trust)
    except FormatError as fault:
        return _finish(case, [_failed(fault)])
    # Step 1: format. Every other step is made even if one fails, so that the report is complete.
    findings = [_format_ok(seal), *_seal_steps(seal, case)]
    return _finish(case, findings, lambda: _seal_facts(seal))


def verify_signature(
    data: bytes,
    document_digest: bytes,
    trust: SealTrust,
    at: datetime,
    *,
    time_stamps: TimeStampJudge | None = None,
) -> SealReport:
    """Judge the SES_Signature *data* over a document of *document_digest* by *trust* at the aware time *at*.

    The seal must have been valid when it was applied; that it ended since does not matter. Hostile input is a verdict,
    never an exception. Safe to call from many threads.

    Raises:
        ValueError: *at* is naive or *document_digest* is no digest: an error of the calling program.
    """
    _require_aware(at)
    if len(document_digest) < MIN_DIGEST_BYTES:
        raise ValueError("verify_signature: `document_digest` must be the digest of the document")
    try:
        signature = parse_signature(data)
        _check_extensions((*signature.signed.extensions, *signature.signed.seal.info.extensions), trust)
    except FormatError as fault:
        return _finish(_Case(trust, at, time_stamps, Subject.SIGNATURE), [_failed(fault)])
    signed, seal = signature.signed, signature.signed.seal
    case = _Case(trust, at, time_stamps, Subject.SIGNATURE, signed.time)
    # Step 1: format. Every other step is made even if one fails, so that the report is complete.
    findings = [_format_ok(seal)]
    # Step 2: the custodian's signature. Step 3: the custodian is one of the seal's.
    findings.append(_check_signature(signature, case))
    findings.append(_check_custodian(signature))
    # Steps 4 to 8: the seal.
    findings.extend(_seal_steps(seal, case))
    # Step 10 goes before step 9: what a time stamp proves decides what a revocation means.
    stamped, stamp = _check_time_stamp(signature.time_stamp, signature.signature, signed.time, case)
    # Step 9: the custodian's certificate at the time of signing. Step 10: the time stamp.
    findings.append(_check_signer(signature, stamped, case))
    findings.append(stamp)
    # Step 11: the document.
    findings.append(_check_document(signed.document_digest, document_digest))
    return _finish(case, findings, lambda: _seal_facts(seal) | _signing_facts(signature))


def _seal_steps(seal: SESeal, case: _Case) -> list[_Finding]:
    """The maker's signature, the date of making, the maker's certificate, the validity and the seal's time stamp."""
    return [
        _check_maker_signature(seal, case),
        _check_created(seal, case),
        _check_maker(seal, case),
        _check_validity(seal, case),
        _check_time_stamp(seal.time_stamp, seal.signature, seal.info.created, case)[1],
    ]


def _check_extensions(extensions: Sequence[Extension], trust: SealTrust) -> None:
    for extension in extensions:
        if extension.critical and extension.oid not in trust.extensions:
            raise FormatError("seal_extension_not_understood", oid=extension.oid)


def _format_ok(seal: SESeal) -> _Finding:
    params = _params(standard=STANDARDS[seal.structure], seal_id=seal.info.seal_id)
    return _Finding(Outcome.PASSED, "seal_format_ok", params)


def _check_signature(signature: SESSignature, case: _Case) -> _Finding:
    def check() -> str:
        return algorithms.verify(
            signature.certificate, signature.algorithm, signature.signature, signature.tbs, case.trust.suites
        )

    return _signature(check, "seal_signature_ok", "seal_signature_wrong")


def _check_maker_signature(seal: SESeal, case: _Case) -> _Finding:
    def check() -> str:
        return algorithms.verify(seal.certificate, seal.algorithm, seal.signature, seal.tbs, case.trust.suites)

    return _signature(check, "seal_maker_signature_ok", "seal_maker_signature_wrong")


def _signature(check: Callable[[], str], good: str, wrong: str) -> _Finding:
    try:
        return _Finding(Outcome.PASSED, good, _params(suite=check()))
    except FormatError as fault:
        if fault.code == "signature_wrong":
            return _Finding(Outcome.FAILED, wrong, (), fault.sub_indication)
        return _failed(fault)


def _check_custodian(signature: SESSignature) -> _Finding:
    info, certificate = signature.signed.seal.info, signature.certificate
    # The kind of a digest is free text by the standard; only SM3 is judged, whatever it is called.
    listed = certificate in info.certificates or (
        bool(info.digests) and any(d.value == algorithms.sm3(certificate) for d in info.digests)
    )
    if not listed:
        return _Finding(Outcome.FAILED, "seal_custodian_not_listed", (), _CONSTRAINT)
    return _Finding(Outcome.PASSED, "seal_custodian_ok")


def _check_created(seal: SESeal, case: _Case) -> _Finding:
    info = seal.info
    if info.created - case.at > SKEW:
        return _Finding(Outcome.FAILED, "seal_made_in_future", _params(created=_iso(info.created)), "NOT_YET_VALID")
    if info.valid_from > info.valid_until or info.created > info.valid_until:
        params = _params(created=_iso(info.created), starts=_iso(info.valid_from), ends=_iso(info.valid_until))
        return _Finding(Outcome.FAILED, "seal_dates_contradict", params, _CONSTRAINT)
    return _Finding(Outcome.PASSED, "seal_created_ok", _params(created=_iso(info.created)))


def _check_maker(seal: SESeal, case: _Case) -> _Finding:
    created = seal.info.created
    try:
        path = _lead(seal.certificate, case.trust)
    except FormatError as fault:
        return _no_path(fault)
    if _fingerprint(path.leaf) not in case.trust.makers and SEAL_MAKING not in path.purposes:
        return _open_question("seal_maker_not_known", "NO_SIGNING_CERTIFICATE_FOUND", subject=path.subject)
    if not path.starts <= created <= path.ends:
        params = _params(starts=_iso(path.starts), ends=_iso(path.ends), created=_iso(created))
        return _Finding(Outcome.FAILED, "seal_maker_not_valid_when_made", params, "EXPIRED")
    notes: list[Note] = []
    if case.at > path.ends:
        notes.append(Note("seal_maker_expired_since", _params(limit=_iso(path.ends))))
    # The standard takes createDate at its word: what was revoked after it is a warning, before it a failure.
    good = _Finding(Outcome.PASSED, "seal_maker_ok", _params(subject=path.subject), "", tuple(notes))
    return _revocation(path, case, good, proven_at=created, made_after=created)


def _check_validity(seal: SESeal, case: _Case) -> _Finding:
    info, when = seal.info, case.signed
    if when is None:
        return _open_question("seal_time_unknown", _NO_POE)
    if case.subject is Subject.SIGNATURE:
        if when - case.at > SKEW:
            return _Finding(Outcome.FAILED, "seal_applied_in_future", _params(signed=_iso(when)), "NOT_YET_VALID")
        if info.created - when > SKEW:
            params = _params(signed=_iso(when), created=_iso(info.created))
            return _Finding(Outcome.FAILED, "seal_applied_before_made", params, _CONSTRAINT)
    if when < info.valid_from:
        params = _params(starts=_iso(info.valid_from), when=_iso(when))
        return _Finding(Outcome.FAILED, "seal_not_yet_valid", params, "NOT_YET_VALID")
    if when > info.valid_until:
        params = _params(ends=_iso(info.valid_until), when=_iso(when))
        return _Finding(Outcome.FAILED, "seal_expired", params, "EXPIRED")
    params = _params(starts=_iso(info.valid_from), ends=_iso(info.valid_until), when=_iso(when))
    return _Finding(Outcome.PASSED, "seal_validity_ok", params)


def _check_time_stamp(
    token: bytes | None, stamped: bytes, claimed: datetime | None, case: _Case
) -> tuple[datetime | None, _Finding]:
    """The time proven, if any, and the finding. A stamp is made after what it stamps."""
    if token is None:
        return None, _Finding(Outcome.PASSED, "seal_no_time_stamp")
    if case.time_stamps is None:
        return None, _open_question("seal_time_stamp_not_examined", _NO_POE)
    try:
        proven = case.time_stamps(token, stamped)
    except FormatError as fault:
        return None, _failed(fault)
    if proven - case.at > SKEW or (claimed is not None and claimed - proven > SKEW):
        params = _params(stamped=_iso(proven), claimed="?" if claimed is None else _iso(claimed))
        return None, _Finding(Outcome.FAILED, "seal_time_stamp_contradicts", params, "TIMESTAMP_ORDER_FAILURE")
    return proven, _Finding(Outcome.PASSED, "seal_time_stamp_ok", _params(stamped=_iso(proven)))


def _check_signer(signature: SESSignature, stamped: datetime | None, case: _Case) -> _Finding:
    signed = case.signed
    try:
        path = _lead(signature.certificate, case.trust)
    except FormatError as fault:
        return _no_path(fault)
    if signed is None:
        return _open_question("seal_time_unknown", _NO_POE)
    if not path.starts <= signed <= path.ends:
        params = _params(starts=_iso(path.starts), ends=_iso(path.ends), signed=_iso(signed))
        sub_indication = "EXPIRED" if signed > path.ends else "NOT_YET_VALID"
        return _Finding(Outcome.FAILED, "seal_custodian_not_valid_when_signed", params, sub_indication)
    notes: list[Note] = []
    if case.at > path.ends:
        notes.append(Note("seal_custodian_expired_since", _params(limit=_iso(path.ends))))
    good = _Finding(Outcome.PASSED, "seal_signer_ok", _params(subject=path.subject), "", tuple(notes))
    # timeInfo is the signer's own word: against a revocation it proves nothing, a time stamp does.
    return _revocation(path, case, good, proven_at=stamped, made_after=signed)


def _revocation(
    path: chain.Path, case: _Case, good: _Finding, *, proven_at: datetime | None, made_after: datetime
) -> _Finding:
    """*good* with what the revocation lists add to it, or the finding that takes its place."""
    trust = case.trust
    try:
        notes = chain.check_revocation(path, trust.crls, at=case.at, proven_at=proven_at, made_after=made_after)
    except FormatError as fault:
        outcome = Outcome.FAILED if fault.sub_indication == "REVOKED" else Outcome.INDETERMINATE
        return _Finding(outcome, fault.code, _params(**fault.finding_params), fault.sub_indication)
    if path.demonstration:
        notes = (*notes, Note("seal_demonstration"))
    if trust.revocation_required and any(n.code in _NOT_CHECKED for n in notes):
        return _Finding(
            Outcome.INDETERMINATE, "seal_revocation_not_checked", _params(subject=path.subject), "TRY_LATER", notes
        )
    return replace(good, notes=(*good.notes, *notes))


def _check_document(signed: bytes, given: bytes) -> _Finding:
    if signed != given:
        return _Finding(Outcome.FAILED, "seal_document_differs", (), "HASH_FAILURE")
    return _Finding(Outcome.PASSED, "seal_document_ok")


@lru_cache(maxsize=PATH_CACHE)
def _lead(leaf: bytes, trust: SealTrust) -> chain.Path:
    """The path from *leaf* to an anchor, over the verifier's own intermediates where it needs them."""
    waiting: list[tuple[bytes, ...]] = [(leaf,)]
    first: FormatError | None = None
    for _ in range(MAX_PATHS):
        if not waiting:
            break
        candidate = waiting.pop()
        try:
            return chain.validate(candidate, trust.anchors, trust.suites)
        except FormatError as fault:
            first = first or fault
            if fault.sub_indication != "NO_CERTIFICATE_CHAIN_FOUND":
                raise
        if len(candidate) < MAX_CHAIN:
            issuer = chain.load(candidate[-1]).issuer
            waiting += [
                (*candidate, c) for c in trust.intermediates if c not in candidate and chain.load(c).subject == issuer
            ]
    raise first or FormatError("chain_broken", sub_indication="NO_CERTIFICATE_CHAIN_FOUND", position=0)


def _no_path(fault: FormatError) -> _Finding:
    outcome = Outcome.FAILED if fault.sub_indication == "FORMAT_FAILURE" else Outcome.INDETERMINATE
    return _Finding(outcome, fault.code, _params(**fault.finding_params), fault.sub_indication)


def _seal_facts(seal: SESeal) -> dict[str, Any]:
    info = seal.info
    return {
        "standard": STANDARDS[seal.structure],
        "seal_id": _shown(info.seal_id),
        "vendor": _shown(info.vendor),
        "kind": info.kind,
        "name": _shown(info.name),
        "created_at": _iso(info.created),
        "valid_from": _iso(info.valid_from),
        "valid_until": _iso(info.valid_until),
        "picture": {
            "kind": _shown(info.picture.kind),
            "sm3": algorithms.sm3(info.picture.data).hex(),
            "width_mm": info.picture.width_mm,
            "height_mm": info.picture.height_mm,
        },
    }


def _signing_facts(signature: SESSignature) -> dict[str, Any]:
    signed = signature.signed
    return {
        "signed_at": None if signed.time is None else _iso(signed.time),
        "signer": _fingerprint(signature.certificate),
        "property_info": _shown(signed.property_info),
    }


def _finish(case: _Case, findings: Sequence[_Finding], facts: Callable[[], dict[str, Any]] | None = None) -> SealReport:
    names = STEPS[case.subject]
    padded = [*findings, *(_Finding(Outcome.SKIPPED, "skipped") for _ in range(len(names) - len(findings)))]
    steps = tuple(
        Step(number, name, f.outcome, f.code, f.params, f.sub_indication, f.notes)
        for number, ((name, _, _), f) in enumerate(zip(names, padded, strict=True), start=1)
    )
    # What the seal says is worth repeating only where who says so is known.
    proven = {s.name for s in steps if s.outcome is Outcome.PASSED}
    known = {"maker_signature", "maker"} | (
        {"signature", "custodian", "signer"} if case.subject is Subject.SIGNATURE else set()
    )
    return SealReport(case.subject, steps, case.at.astimezone(UTC), facts() if facts and known <= proven else {})


def _failed(fault: FormatError) -> _Finding:
    return _Finding(Outcome.FAILED, fault.code, _params(**fault.finding_params), fault.sub_indication)


def _open_question(code: str, sub_indication: str, **params: object) -> _Finding:
    return _Finding(Outcome.INDETERMINATE, code, _params(**params), sub_indication)


def _params(**params: object) -> Params:
    return tuple((name, _shown(str(value))) for name, value in params.items())


def _shown(text: str) -> str:
    """A stranger's text for the report: line breaks or bidirectional marks in it could pretend to be lines of ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _require_aware(at: datetime) -> None:
    if at.tzinfo is None:
        raise ValueError("verify: `at` must carry its time zone")


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
