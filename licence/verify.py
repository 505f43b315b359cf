"""Verify a licence offline: eight numbered steps modelled on ETSI EN 319 102-1, from pinned trust to a verdict.

It fetches nothing and keeps nothing; getting bundles, status lists and trust to it is the caller's part. Issuers'
certificates are checked against the revocation lists handed in and enclosed, if any (`licence.enclosed`); an issuer can
also be withdrawn by taking it out of the trust store. Step 7 is made by `licence.verify_status`; documents in a bundle
are judged by `licence.verifying`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from audit.entry import Entry
from audit.errors import AuditError, CheckpointInvalidError
from audit.proof import LogProof
from audit.tree import leaf_hash, verify_inclusion
from audit.verifiers import Trust
from licence import chain, credential, enclosed, jose, second, status
from licence.bundle import LicenceBundle
from licence.errors import FormatError, IdentifierError
from licence.identifiers import LicenceIdentifier
from licence.past import past_tokens
from licence.profile import BOUND_ENTRY, LICENCE_ENTRY, LICENCE_SIGNING, STATUS_ENTRY, VCT_PREFIX
from licence.report import STEPS, Note, Outcome, Step, Verdict, VerificationReport
from licence.steps import SKEW, Finding, failed, iso, iso_of, open_question, params_of, skipped, time_of
from licence.suites import suite_of_key
from licence.trust import fingerprint
from licence.verify_status import STATUS_CACHE, check_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.checkpoint import Checkpoint
    from audit.verifiers import PublicKey
    from licence.trust import TrustStore

__all__ = ["Outcome", "Step", "Verdict", "VerificationReport", "verify"]

CHECKPOINT_CACHE = 64
_OUT_OF_TIME = "OUT_OF_BOUNDS_NO_POE"
_LOG_INVALID = "LOG_PROOF_INVALID"
# The claims that repeat parts of the identifier (GB/T 36903).
_MIRRORED = (("ZZBS", str), ("ZZLXDM", lambda i: i.type_code), ("ZZBFJGDM", lambda i: i.issuer))


def verify(
    subject: LicenceBundle | str | bytes,
    trust: TrustStore,
    at: datetime,
    status_tokens: Sequence[str | bytes] = (),
    *,
    crls: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    histories: Sequence[str | bytes] = (),
) -> VerificationReport:
    """Judge *subject* (a bundle, its JSON text, or a bare SD-JWT) by *trust* at the aware time *at*.

    *status_tokens* are further status list tokens, JWTs as text and CWTs as bytes; *histories* are texts of
    `licence.status.history`, of which each gives the token in force at *at*. The newest usable one of these and the
    bundle's decides. *crls* (revocation lists) and *certificates*, DER both, come beside those of *trust*; the latter
    help where a CWT came without its signer's. Hostile input is a verdict, never an exception. Safe to call from many
    threads.

    Raises:
        ValueError: *at* is naive: an error of the calling program.
    """
    if at.tzinfo is None:
        raise ValueError("verify: `at` must carry its time zone")
    try:
        bundle, found = _open(subject)
    except FormatError as fault:
        return _finish([failed(fault)], at)
    # Step 1: format.
    shown = params_of(shown=len(found.disclosures), withheld=found.withheld)
    findings = [Finding(Outcome.PASSED, "format_ok", shown)]
    # Step 2: chain. Step 3 is made even if it ends open: altered content is a definite answer.
    path, finding = _check_chain(found, trust)
    findings.append(finding)
    # Step 3: signature.
    findings.append(_check_signature(found, trust))
    # Steps 4 and 5: issuer and identifier.
    identifier, naming = _check_identifier(found)
    if path is None or identifier is None:
        findings.append(skipped())
    else:
        findings.append(_check_issuer(found, path, identifier, trust))
    findings.append(naming)
    passed = all(f.outcome is Outcome.PASSED for f in findings)
    # Step 3 once more, now that it is known whose second signature is due. The steps after it are made all the same.
    if identifier is not None:
        beside = None if bundle is None else bundle.second
        findings[2] = second.judge(findings[2], beside, found.jws.token, identifier.issuer, trust)
    if path is None or not passed:
        return _finish(findings, at)
    facts = _facts(found, path, identifier)
    lists = enclosed.all_lists(bundle, (*crls, *trust.crls))
    try:
        proven = enclosed.prove(bundle, trust, at, claimed=time_of(found.issued_at), lists=lists)
    except FormatError as fault:
        # A stamp that is none of this credential: the bundle was altered or put together wrongly.
        findings[0] = failed(fault)
        return _finish(findings, at)
    # Step 6: log. Steps 7 and 8 are made even if it fails, so that the report is complete.
    findings.append(_check_log(bundle, found, path, trust, facts, proven=proven))
    # Step 2 once more, now that it is known when the signature existed.
    findings[1] = _check_revocation(findings[1], found, path, at, lists=lists, proven=proven, facts=facts)
    if bundle is not None:
        loose = enclosed.unused_lists(bundle.crls, (path, proven.path))
        unread = tuple(Note("document_not_judged", (("form", form),)) for form in bundle.documents)
        findings[1] = replace(findings[1], notes=(*findings[1].notes, *proven.notes, *loose))
        findings[0] = replace(findings[0], notes=unread)
    # Step 7: status.
    tokens, notes = past_tokens(histories, found.status, trust, at)
    offered = [*((f"given {n}", token) for n, token in enumerate(status_tokens, start=1)), *tokens]
    findings.append(
        check_status(bundle, found, trust, at, offered=offered, notes=notes, facts=facts, certificates=certificates)
    )
    # Step 8: validity.
    findings.append(_check_validity(found, at))
    # What the licence says is worth repeating only where who says so is known.
    known = all(f.outcome is Outcome.PASSED for f in findings[1:3])
    return _finish(findings, at, facts if known else {})


def _check_revocation(
    good: Finding,
    found: credential.Credential,
    path: chain.Path,
    at: datetime,
    *,
    lists: tuple[bytes, ...],
    proven: enclosed.Proven,
    facts: dict[str, Any],
) -> Finding:
    """*good* with what the lists add: a log that recorded the licence proves, as a time stamp, that it existed."""
    if proven.time is not None:
        facts["time_stamp"] = iso(proven.time)
    if not lists:
        return good
    times = [datetime.fromisoformat(facts["log"]["at"])] if "log" in facts else []
    times += [proven.time] if proven.time is not None else []
    existed, signed = min(times, default=None), time_of(found.issued_at)
    try:
        notes = chain.check_revocation(path, lists, at=at, proven_at=existed, made_after=signed)
    except FormatError as fault:
        outcome = Outcome.FAILED if fault.sub_indication == "REVOKED" else Outcome.INDETERMINATE
        return Finding(outcome, fault.code, params_of(**fault.finding_params), fault.sub_indication)
    return replace(good, notes=(*good.notes, *notes))


def _open(subject: LicenceBundle | str | bytes) -> tuple[LicenceBundle | None, credential.Credential]:
    if isinstance(subject, bytes):
        try:
            subject = subject.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("json_invalid", what="bundle") from None
    if isinstance(subject, str):
        if not subject.lstrip().startswith("{"):
            return None, credential.parse(subject.strip())
        subject = LicenceBundle.from_json(subject)
    found = credential.parse(subject.credential)
    if subject.chain != found.jws.chain:
        raise FormatError("bundle_chain_differs")
    if subject.identifier != found.jti:
        raise FormatError("bundle_identifier_differs")
    return subject, found


def _check_chain(found: credential.Credential, trust: TrustStore) -> tuple[chain.Path | None, Finding]:
    if not found.jws.chain:
        return None, open_question("no_signing_certificate", "NO_SIGNING_CERTIFICATE_FOUND")
    try:
        path = chain.validate(found.jws.chain, trust.anchors_der, trust.suites)
    except FormatError as fault:
        outcome = Outcome.FAILED if fault.sub_indication == "FORMAT_FAILURE" else Outcome.INDETERMINATE
        return None, Finding(outcome, fault.code, params_of(**fault.finding_params), fault.sub_indication)
    signed = time_of(found.issued_at)
    if signed > path.ends:
        params = params_of(signed=iso(signed), limit=iso(path.ends))
        return None, Finding(Outcome.FAILED, "certificate_expired_at_signing", params, "EXPIRED")
    if signed < path.starts:
        params = params_of(signed=iso(signed), limit=iso(path.starts))
        return None, Finding(Outcome.FAILED, "certificate_not_yet_valid_at_signing", params, "NOT_YET_VALID")
    code = "chain_ok_demonstration" if path.demonstration else "chain_ok"
    return path, Finding(Outcome.PASSED, code, params_of(subject=path.subject))


def _check_signature(found: credential.Credential, trust: TrustStore) -> Finding:
    if not found.jws.chain:
        return skipped()
    try:
        key = chain.public_key(found.jws.chain[0])
        jose.verify(found.jws, key, trust.suites)
    except FormatError as fault:
        return failed(fault)
    suite = suite_of_key(key)
    return Finding(Outcome.PASSED, "signature_ok", params_of(suite=suite.name if suite else ""))


def _check_identifier(found: credential.Credential) -> tuple[LicenceIdentifier | None, Finding]:
    try:
        identifier = LicenceIdentifier.parse(found.jti)
    except IdentifierError as fault:
        return None, Finding(Outcome.FAILED, fault.code, params_of(**fault.finding_params), "FORMAT_FAILURE")
    if found.vct != VCT_PREFIX + identifier.type_code:
        return identifier, Finding(Outcome.FAILED, "kind_differs", (), "SIG_CONSTRAINTS_FAILURE")
    claims = found.claims
    for name, part in _MIRRORED:
        if name in claims and claims[name] != part(identifier):
            return identifier, Finding(
                Outcome.FAILED, "claim_differs", params_of(claim=name), "SIG_CONSTRAINTS_FAILURE"
            )
    return identifier, Finding(Outcome.PASSED, "identifier_ok", params_of(identifier=identifier))


def _check_issuer(
    found: credential.Credential, path: chain.Path, identifier: LicenceIdentifier, trust: TrustStore
) -> Finding:
    constraint = "SIG_CONSTRAINTS_FAILURE"
    if LICENCE_SIGNING not in path.purposes:
        return Finding(Outcome.FAILED, "issuer_purpose", (), constraint)
    if trust.licence_signers and fingerprint(path.leaf) not in trust.licence_signers:
        return open_question("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")
    if found.issuer not in path.uris:
        return Finding(Outcome.FAILED, "issuer_uri_differs", (), constraint)
    if path.organisation_code != identifier.issuer:
        params = params_of(claimed=identifier.issuer, certified=path.organisation_code or "?")
        return Finding(Outcome.FAILED, "issuer_code_differs", params, constraint)
    return Finding(Outcome.PASSED, "issuer_ok", params_of(issuer=identifier.issuer))


def _check_log(
    bundle: LicenceBundle | None,
    found: credential.Credential,
    path: chain.Path,
    trust: TrustStore,
    facts: dict[str, Any],
    *,
    proven: enclosed.Proven,
) -> Finding:
    if bundle is None:
        return open_question("log_proof_missing", "LOG_PROOF_MISSING")
    try:
        # A wallet holds the licence as it was sealed for its key, which is an entry of its own.
        entry = _entry(bundle.entry, LICENCE_ENTRY, *([] if found.holder is None else [BOUND_ENTRY]))
        _compare_entry(entry, found)
        proof, checkpoint = _prove(bundle.entry, bundle.proof, trust.log_verifiers)
        _check_status_entry(bundle, found, trust)
    except FormatError as fault:
        return failed(fault)
    signed = time_of(found.issued_at)
    if entry.at < signed - SKEW:
        params = params_of(logged=iso(entry.at), signed=iso(signed))
        return Finding(Outcome.FAILED, "log_entry_before_issue", params, _LOG_INVALID)
    if entry.at > path.ends and (proven.time is None or proven.time > path.ends):
        # The signature may have been backdated with a key whose certificate had ended.
        return open_question("logged_after_certificate", _OUT_OF_TIME, logged=iso(entry.at), limit=iso(path.ends))
    facts["log"] = {"origin": checkpoint.origin, "index": proof.index, "size": checkpoint.size, "at": iso(entry.at)}
    return Finding(
        Outcome.PASSED, "log_ok", params_of(index=proof.index, origin=checkpoint.origin, size=checkpoint.size)
    )


def _entry(data: bytes, *kinds: str) -> Entry:
    try:
        entry = Entry.decode(data)
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_entry_unreadable", sub_indication=_LOG_INVALID) from None
    if entry.kind not in kinds:
        raise FormatError("log_entry_wrong_kind", sub_indication=_LOG_INVALID, expected=kinds[0])
    return entry


def _compare_entry(entry: Entry, found: credential.Credential) -> None:
    if entry.facts.get("licence") != found.jti:
        raise FormatError("log_entry_other_licence", sub_indication="HASH_FAILURE")
    if entry.facts.get("credential") != found.digest:
        raise FormatError("log_entry_digest_differs", sub_indication="HASH_FAILURE")
    expected = {
        "kind": found.vct.removeprefix(VCT_PREFIX),
        "status": {"uri": found.status.uri, "idx": found.status.idx},
    }
    for name, value in expected.items():
        if entry.facts.get(name) != value:
            raise FormatError("log_entry_differs", sub_indication=_LOG_INVALID, fact=name)


def _prove(entry: bytes, text: str, verifiers: tuple[PublicKey, ...]) -> tuple[LogProof, Checkpoint]:
    try:
        # `extra` is not authenticated by anything; we write none, so any was added by someone else.
        if "\nextra " in text.partition("\n\n")[0]:
            raise FormatError("log_proof_invalid", sub_indication=_LOG_INVALID)
        proof = LogProof.from_text(text)  # takes one form of each proof alone
        checkpoint = _checkpoint(proof.checkpoint, verifiers)
        verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    except CheckpointInvalidError:
        raise FormatError("log_key_untrusted", sub_indication=_LOG_INVALID) from None
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_proof_invalid", sub_indication=_LOG_INVALID) from None
    return proof, checkpoint


@lru_cache(maxsize=CHECKPOINT_CACHE)
def _checkpoint(note: str, verifiers: tuple[PublicKey, ...]) -> Checkpoint:
    """A signed checkpoint once opened; a pure function, hence the cache: one checkpoint covers many licences."""
    return Trust(verifiers).open(note)


def _check_status_entry(bundle: LicenceBundle, found: credential.Credential, trust: TrustStore) -> None:
    if bundle.status_entry is None and bundle.status_proof is None:
        return
    if bundle.status_entry is None or bundle.status_proof is None or bundle.status_token is None:
        raise FormatError("status_entry_incomplete", sub_indication=_LOG_INVALID)
    uri, digest = _published(bundle.status_entry, bundle.status_proof, trust.log_verifiers)
    if uri != found.status.uri or digest != status.token_digest(bundle.status_token):
        raise FormatError("status_entry_differs", sub_indication="HASH_FAILURE")


@lru_cache(maxsize=STATUS_CACHE)
def _published(entry: bytes, proof: str, verifiers: tuple[PublicKey, ...]) -> tuple[object, object]:
    """The address and token digest of a list that the log proves was published; cached, as one covers many licences."""
    facts = _entry(entry, STATUS_ENTRY).facts
    _prove(entry, proof, verifiers)
    return facts.get("uri"), facts.get("token")


def _check_validity(found: credential.Credential, at: datetime) -> Finding:
    first = max(found.issued_at, found.not_before)
    starts = iso_of(first)
    if at < time_of(first):
        return Finding(Outcome.FAILED, "licence_not_yet_valid", params_of(limit=starts), "NOT_YET_VALID")
    if found.expires_at is None:
        return Finding(Outcome.PASSED, "validity_ok", params_of(starts=starts))
    ends = iso_of(found.expires_at)
    if at >= time_of(found.expires_at):
        return Finding(Outcome.FAILED, "licence_expired", params_of(limit=ends), "EXPIRED")
    return Finding(Outcome.PASSED, "validity_until_ok", params_of(starts=starts, ends=ends))


def _facts(found: credential.Credential, path: chain.Path, identifier: LicenceIdentifier | None) -> dict[str, Any]:
    return {
        "identifier": found.jti,
        "kind": identifier.type_code if identifier else "",
        "issuer": identifier.issuer if identifier else "",
        "issuer_name": path.subject,
        "demonstration": path.demonstration,
        "issued_at": iso_of(found.issued_at),
        "valid_from": iso_of(found.not_before),
        "valid_until": None if found.expires_at is None else iso_of(found.expires_at),
        "claims": dict(found.claims),
        "withheld": found.withheld,
        "status_uri": found.status.uri,
        "status_idx": found.status.idx,
    }


def _finish(findings: Sequence[Finding], at: datetime, facts: dict[str, Any] | None = None) -> VerificationReport:
    padded = [*findings, *(skipped() for _ in range(len(STEPS) - len(findings)))]
    steps = tuple(
        Step(number, name, f.outcome, f.code, f.params, f.sub_indication, f.notes)
        for number, ((name, _, _), f) in enumerate(zip(STEPS, padded, strict=True), start=1)
    )
    return VerificationReport(steps, at.astimezone(UTC), facts or {})
