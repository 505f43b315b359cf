"""Verify a licence offline: eight numbered steps modelled on ETSI EN 319 102-1, from pinned trust to a verdict.

It fetches nothing and keeps nothing; getting bundles, status lists and trust to it is the caller's part. Issuers'
certificates are not checked against revocation lists: an issuer is withdrawn by taking it out of the trust store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from audit.entry import Entry
from audit.errors import AuditError, CheckpointInvalidError
from audit.proof import LogProof
from audit.tree import leaf_hash, verify_inclusion
from audit.verifiers import Trust
from licence import chain, credential, jose, status
from licence.bundle import LicenceBundle
from licence.errors import FormatError, IdentifierError
from licence.identifiers import LicenceIdentifier
from licence.profile import LICENCE_ENTRY, LICENCE_SIGNING, STATUS_ENTRY, STATUS_SIGNING, VCT_PREFIX
from licence.report import STEPS, Note, Outcome, Params, Step, Verdict, VerificationReport
from licence.status import Status
from licence.suites import suite_of_key
from licence.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.checkpoint import Checkpoint
    from audit.verifiers import PublicKey
    from licence.trust import TrustStore

__all__ = ["Outcome", "Step", "Verdict", "VerificationReport", "verify"]

# Two offices' clocks differ by less; a status list from further in the future says nothing about `at`.
SKEW = timedelta(minutes=5)
# The status lists of a city's departments; a list of a million licences takes 250 KB expanded.
STATUS_CACHE = 16
CHECKPOINT_CACHE = 64
_OUT_OF_TIME = "OUT_OF_BOUNDS_NO_POE"
_LOG_INVALID = "LOG_PROOF_INVALID"
# The claims that repeat parts of the identifier (GB/T 36903).
_MIRRORED = (("ZZBS", str), ("ZZLXDM", lambda i: i.type_code), ("ZZBFJGDM", lambda i: i.issuer))


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a step found, before it is numbered."""

    outcome: Outcome
    code: str
    params: Params = ()
    sub_indication: str = ""
    notes: tuple[Note, ...] = ()


def verify(
    subject: LicenceBundle | str | bytes,
    trust: TrustStore,
    at: datetime,
    status_tokens: Sequence[str] = (),
) -> VerificationReport:
    """Judge *subject* (a bundle, its JSON text, or a bare SD-JWT) by *trust* at the aware time *at*.

    *status_tokens* are further status list tokens; the newest usable one of these and the bundle's decides. Hostile
    input is a verdict, never an exception. Safe to call from many threads.

    Raises:
        ValueError: *at* is naive: an error of the calling program.
    """
    if at.tzinfo is None:
        raise ValueError("verify: `at` must carry its time zone")
    try:
        bundle, found = _open(subject)
    except FormatError as fault:
        return _finish([_failed(fault)], at)
    # Step 1: format.
    shown = _params(shown=len(found.disclosures), withheld=found.withheld)
    findings = [_Finding(Outcome.PASSED, "format_ok", shown)]
    # Step 2: chain. Step 3 is made even if it ends open: altered content is a definite answer.
    path, finding = _check_chain(found, trust)
    findings.append(finding)
    # Step 3: signature.
    findings.append(_check_signature(found, trust))
    # Steps 4 and 5: issuer and identifier.
    identifier, naming = _check_identifier(found)
    if path is None or identifier is None:
        findings.append(_skipped())
    else:
        findings.append(_check_issuer(found, path, identifier, trust))
    findings.append(naming)
    if path is None or any(f.outcome is not Outcome.PASSED for f in findings):
        return _finish(findings, at)
    facts = _facts(found, path, identifier)
    # Step 6: log. Steps 7 and 8 are made even if it fails, so that the report is complete.
    findings.append(_check_log(bundle, found, path, trust, facts))
    # Step 7: status.
    findings.append(_check_status(bundle, found, trust, at, status_tokens=status_tokens, facts=facts))
    # Step 8: validity.
    findings.append(_check_validity(found, at))
    return _finish(findings, at, facts)


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


def _check_chain(found: credential.Credential, trust: TrustStore) -> tuple[chain.Path | None, _Finding]:
    if not found.jws.chain:
        return None, _open_question("no_signing_certificate", "NO_SIGNING_CERTIFICATE_FOUND")
    try:
        path = chain.validate(found.jws.chain, trust.anchors_der, trust.suites)
    except FormatError as fault:
        outcome = Outcome.FAILED if fault.sub_indication == "FORMAT_FAILURE" else Outcome.INDETERMINATE
        return None, _Finding(outcome, fault.code, _params(**fault.finding_params), fault.sub_indication)
    signed = _time(found.issued_at)
    if signed > path.ends:
        params = _params(signed=_iso(signed), limit=_iso(path.ends))
        return None, _Finding(Outcome.FAILED, "certificate_expired_at_signing", params, "EXPIRED")
    if signed < path.starts:
        params = _params(signed=_iso(signed), limit=_iso(path.starts))
        return None, _Finding(Outcome.FAILED, "certificate_not_yet_valid_at_signing", params, "NOT_YET_VALID")
    code = "chain_ok_demonstration" if path.demonstration else "chain_ok"
    return path, _Finding(Outcome.PASSED, code, _params(subject=path.subject))


def _check_signature(found: credential.Credential, trust: TrustStore) -> _Finding:
    if not found.jws.chain:
        return _skipped()
    try:
        key = chain.public_key(found.jws.chain[0])
        jose.verify(found.jws, key, trust.suites)
    except FormatError as fault:
        return _failed(fault)
    suite = suite_of_key(key)
    return _Finding(Outcome.PASSED, "signature_ok", _params(suite=suite.name if suite else ""))


def _check_identifier(found: credential.Credential) -> tuple[LicenceIdentifier | None, _Finding]:
    try:
        identifier = LicenceIdentifier.parse(found.jti)
    except IdentifierError as fault:
        return None, _Finding(Outcome.FAILED, fault.code, _params(**fault.finding_params), "FORMAT_FAILURE")
    if found.vct != VCT_PREFIX + identifier.type_code:
        return identifier, _Finding(Outcome.FAILED, "kind_differs", (), "SIG_CONSTRAINTS_FAILURE")
    claims = found.claims
    for name, part in _MIRRORED:
        if name in claims and claims[name] != part(identifier):
            return identifier, _Finding(Outcome.FAILED, "claim_differs", _params(claim=name), "SIG_CONSTRAINTS_FAILURE")
    return identifier, _Finding(Outcome.PASSED, "identifier_ok", _params(identifier=identifier))


def _check_issuer(
    found: credential.Credential, path: chain.Path, identifier: LicenceIdentifier, trust: TrustStore
) -> _Finding:
    constraint = "SIG_CONSTRAINTS_FAILURE"
    if LICENCE_SIGNING not in path.purposes:
        return _Finding(Outcome.FAILED, "issuer_purpose", (), constraint)
    if trust.licence_signers and fingerprint(path.leaf) not in trust.licence_signers:
        return _open_question("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")
    if found.issuer not in path.uris:
        return _Finding(Outcome.FAILED, "issuer_uri_differs", (), constraint)
    if path.organisation_code != identifier.issuer:
        params = _params(claimed=identifier.issuer, certified=path.organisation_code or "?")
        return _Finding(Outcome.FAILED, "issuer_code_differs", params, constraint)
    return _Finding(Outcome.PASSED, "issuer_ok", _params(issuer=identifier.issuer))


def _check_log(
    bundle: LicenceBundle | None,
    found: credential.Credential,
    path: chain.Path,
    trust: TrustStore,
    facts: dict[str, Any],
) -> _Finding:
    if bundle is None:
        return _open_question("log_proof_missing", "LOG_PROOF_MISSING")
    try:
        entry = _entry(bundle.entry, LICENCE_ENTRY)
        _compare_entry(entry, found)
        proof, checkpoint = _prove(bundle.entry, bundle.proof, trust)
        _check_status_entry(bundle, found, trust)
    except FormatError as fault:
        return _failed(fault)
    signed = _time(found.issued_at)
    if entry.at < signed - SKEW:
        params = _params(logged=_iso(entry.at), signed=_iso(signed))
        return _Finding(Outcome.FAILED, "log_entry_before_issue", params, _LOG_INVALID)
    if entry.at > path.ends:
        # The signature may have been backdated with a key whose certificate had ended.
        return _open_question("logged_after_certificate", _OUT_OF_TIME, logged=_iso(entry.at), limit=_iso(path.ends))
    facts["log"] = {"origin": checkpoint.origin, "index": proof.index, "size": checkpoint.size, "at": _iso(entry.at)}
    return _Finding(
        Outcome.PASSED, "log_ok", _params(index=proof.index, origin=checkpoint.origin, size=checkpoint.size)
    )


def _entry(data: bytes, kind: str) -> Entry:
    try:
        entry = Entry.decode(data)
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_entry_unreadable", sub_indication=_LOG_INVALID) from None
    if entry.kind != kind:
        raise FormatError("log_entry_wrong_kind", sub_indication=_LOG_INVALID, expected=kind)
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


def _prove(entry: bytes, text: str, trust: TrustStore) -> tuple[LogProof, Checkpoint]:
    try:
        proof = LogProof.from_text(text)
        # `extra` is not authenticated by anything; we write none, so any was added by someone else.
        if proof.extra or proof.to_text() != text:
            raise FormatError("log_proof_invalid", sub_indication=_LOG_INVALID)
        checkpoint = _checkpoint(proof.checkpoint, trust.log_verifiers)
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
    entry = _entry(bundle.status_entry, STATUS_ENTRY)
    token = bundle.status_token
    if entry.facts.get("uri") != found.status.uri or entry.facts.get("token") != status.token_digest(token):
        raise FormatError("status_entry_differs", sub_indication="HASH_FAILURE")
    _prove(bundle.status_entry, bundle.status_proof, trust)


def _check_status(
    bundle: LicenceBundle | None,
    found: credential.Credential,
    trust: TrustStore,
    at: datetime,
    *,
    status_tokens: Sequence[str],
    facts: dict[str, Any],
) -> _Finding:
    offered = [("bundle", bundle.status_token)] if bundle is not None and bundle.status_token is not None else []
    offered += [(f"given {n}", token) for n, token in enumerate(status_tokens, start=1)]
    usable: list[tuple[status.StatusToken, int | None]] = []
    notes: list[Note] = []
    for source, text in offered:
        try:
            token, states = _authentic_status(text, trust.anchors_der, trust.suites, trust.status_signers)
        except FormatError as fault:
            params = {"claim": "", **fault.finding_params, "source": source, "why": fault.code}
            notes.append(Note("status_token_ignored", _params(**params)))
            continue
        if token.uri != found.status.uri:
            continue  # Another list: callers hand over all they have.
        if _time(token.issued_at) > at + SKEW:
            notes.append(Note("status_token_newer", _params(source=source, as_of=_iso(_time(token.issued_at)))))
            continue
        usable.append((token, states.value(found.status.idx)))
    if not usable:
        return _open_question("status_missing", "TRY_LATER", notes, uri=found.status.uri)
    # The newest decides; of two of the same second, the one that speaks against the licence.
    token, value = max(usable, key=lambda u: (u[0].issued_at, u[1] != Status.VALID))
    as_of = _iso(_time(token.issued_at))
    facts["status"] = {"value": value, "as_of": as_of, "until": _iso(_time(token.expires_at))}
    return _judge_status(token, value, found, at, notes)


def _judge_status(
    token: status.StatusToken, value: int | None, found: credential.Credential, at: datetime, notes: Sequence[Note]
) -> _Finding:
    as_of, until = _iso(_time(token.issued_at)), _iso(_time(token.expires_at))
    if value is None:
        return _open_question("status_index_outside", "TRY_LATER", notes, idx=found.status.idx)
    if value == Status.INVALID:
        # Irreversible by the draft (§7.1): a list that is too old for anything else still shows it.
        return _Finding(Outcome.FAILED, "status_revoked", _params(as_of=as_of), "REVOKED", tuple(notes))
    if at >= _time(token.expires_at):
        return _open_question("status_too_old", "TRY_LATER", notes, as_of=as_of, until=until, uri=found.status.uri)
    if value == Status.SUSPENDED:
        return _Finding(Outcome.FAILED, "status_suspended", _params(as_of=as_of), "SUSPENDED", tuple(notes))
    if value != Status.VALID:
        return _open_question("status_unknown", "TRY_LATER", notes, value=value)
    return _Finding(Outcome.PASSED, "status_ok", _params(as_of=as_of), "", tuple(notes))


@lru_cache(maxsize=STATUS_CACHE)
def _authentic_status(
    text: str, anchors: frozenset[bytes], suites: frozenset[str], signers: frozenset[str]
) -> tuple[status.StatusToken, status.StatusList]:
    """The token and its list, once signed by whom trust allows; a pure function, hence the cache.

    Raises:
        FormatError: malformed, altered, or signed by someone else.
    """
    token = status.parse_status_token(text)
    if not token.jws.chain:
        raise FormatError("no_signing_certificate", sub_indication="NO_SIGNING_CERTIFICATE_FOUND")
    path = chain.validate(token.jws.chain, anchors, suites)
    jose.verify(token.jws, chain.public_key(path.leaf), suites)
    if STATUS_SIGNING not in path.purposes:
        raise FormatError("status_signer_purpose")
    if signers and fingerprint(path.leaf) not in signers:
        raise FormatError("status_signer_not_pinned")
    if not path.starts <= _time(token.issued_at) <= path.ends:
        raise FormatError("status_signer_out_of_time")
    # Expanded only now: a stranger's compressed data is never unpacked.
    return token, token.states()


def _check_validity(found: credential.Credential, at: datetime) -> _Finding:
    starts = _time(max(found.issued_at, found.not_before))
    if at < starts:
        return _Finding(Outcome.FAILED, "licence_not_yet_valid", _params(limit=_iso(starts)), "NOT_YET_VALID")
    if found.expires_at is None:
        return _Finding(Outcome.PASSED, "validity_ok", _params(starts=_iso(starts)))
    ends = _time(found.expires_at)
    if at >= ends:
        return _Finding(Outcome.FAILED, "licence_expired", _params(limit=_iso(ends)), "EXPIRED")
    return _Finding(Outcome.PASSED, "validity_until_ok", _params(starts=_iso(starts), ends=_iso(ends)))


def _facts(found: credential.Credential, path: chain.Path, identifier: LicenceIdentifier | None) -> dict[str, Any]:
    return {
        "identifier": found.jti,
        "kind": identifier.type_code if identifier else "",
        "issuer": identifier.issuer if identifier else "",
        "issuer_name": path.subject,
        "demonstration": path.demonstration,
        "issued_at": _iso(_time(found.issued_at)),
        "valid_from": _iso(_time(found.not_before)),
        "valid_until": None if found.expires_at is None else _iso(_time(found.expires_at)),
        "claims": dict(found.claims),
        "withheld": found.withheld,
        "status_uri": found.status.uri,
        "status_idx": found.status.idx,
    }


def _finish(findings: Sequence[_Finding], at: datetime, facts: dict[str, Any] | None = None) -> VerificationReport:
    padded = [*findings, *(_skipped() for _ in range(len(STEPS) - len(findings)))]
    steps = tuple(
        Step(number, name, f.outcome, f.code, f.params, f.sub_indication, f.notes)
        for number, ((name, _, _), f) in enumerate(zip(STEPS, padded, strict=True), start=1)
    )
    return VerificationReport(steps, at.astimezone(UTC), facts or {})


def _failed(fault: FormatError) -> _Finding:
    return _Finding(Outcome.FAILED, fault.code, _params(**fault.finding_params), fault.sub_indication)


def _skipped() -> _Finding:
    return _Finding(Outcome.SKIPPED, "skipped")


def _open_question(code: str, sub_indication: str, notes: Sequence[Note] = (), **params: object) -> _Finding:
    return _Finding(Outcome.INDETERMINATE, code, _params(**params), sub_indication, tuple(notes))


def _params(**params: object) -> Params:
    return tuple((name, str(value)) for name, value in params.items())


def _time(numeric_date: int) -> datetime:
    return datetime.fromtimestamp(numeric_date, UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
