"""Judge the QR code of a licence: its signer among the certificates at hand, its signature, status and validity.

The code is read by `licence.qr.code`. It holds no certificate: the signer's must be at hand, pinned or not, and lead to
a pinned anchor.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from licence.errors import FormatError
from licence.qr import cose
from licence.qr.code import ShortFace, parse_code, verify_code
from licence.report import Note, Outcome
from licence.status import Status, StatusToken, parse_status_token
from licence.status.authentic import SIGNER_UNKNOWN, authentic_token
from licence.trust import fingerprint
from licence.verifying import case as c
from licence.verifying.report import SECTIONS, DocumentReport, Form, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from licence import chain

# Which step a fault of `verify_code` belongs to; what is not named belongs to the signature.
_STEP_OF = {
    "certificate_expired_at_signing": "chain",
    "certificate_not_yet_valid_at_signing": "chain",
    "issuer_purpose": "issuer",
    "issuer_code_differs": "issuer",
    "licence_not_yet_valid": "validity",
    "licence_expired": "validity",
}


def judge_code(case: c.Case) -> DocumentReport:
    """Judge the text of a code, as a scanner gives it."""
    text = case.data.decode("ascii", "replace").strip(" \r\n\t")
    # Step 1: format.
    try:
        parsed = parse_code(text)
    except FormatError as fault:
        return _report(case, [c.finding_of(fault)])
    face = parsed.face
    findings = [c.passed("judge_code_ok", identifier=face.identifier)]
    # Steps 2 to 4 and 6: `verify_code` makes them and stops at the first that does not hold.
    path, found = _signer(parsed.message.kid, case)
    if path is None:
        return _report(case, [*findings, found])
    steps = _verified(text, path, case)
    # A revocation is asked of the lists at the verifier's; the time of issue is the signer's own word.
    if steps["chain"].outcome is Outcome.PASSED:
        steps["chain"] = c.check_revocation(path, case, steps["chain"], proven=None, made_after=face.issued_at)
    facts = _facts(face, path)
    # Step 5: the status, of a code whose signature holds.
    if steps["signature"].outcome is Outcome.PASSED:
        steps["status"] = _check_status(face, path, case, facts)
    findings += [steps.get(name, c.SKIPPED) for name in SECTIONS[Section.QR][1:]]
    good = all(f.outcome is Outcome.PASSED for f in findings[:4])
    return _report(case, findings, facts if good else {})


def _signer(kid: bytes, case: c.Case) -> tuple[chain.Path | None, c.Finding]:
    """The path of the certificate that the key id names; of several that share it, of the first that is trusted."""
    found = c.undecided("code_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND", kid=kid.hex())
    for der in case.certificates:
        if cose.key_id(der) != kid:
            continue
        try:
            return c.lead((der,), case), found
        except FormatError as fault:
            found = c.finding_of(fault)
    return None, found


def _verified(text: str, path: chain.Path, case: c.Case) -> dict[str, c.Finding]:
    """The steps that `verify_code` makes, by name; those behind the one that does not hold are missing."""
    good = {
        "signature": c.passed("signature_ok", suite="COSE"),
        "issuer": c.passed("issuer_ok", issuer=path.organisation_code),
        "chain": c.passed("chain_ok_demonstration" if path.demonstration else "chain_ok", subject=path.subject),
    }
    pinned = case.trust.licence_signers
    if pinned and fingerprint(path.leaf) not in pinned:
        good["issuer"] = c.undecided("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")
    try:
        face = verify_code(text, [path], suites=case.trust.suites, at=case.at).face
    except FormatError as fault:
        name = _STEP_OF.get(fault.code, "signature")
        order = [*good, "validity"]
        made = {n: f for n, f in good.items() if order.index(n) < order.index(name)}
        return {"chain": good["chain"]} | made | {name: c.finding_of(fault)}
    starts = c.iso(max(face.valid_from, face.issued_at))
    if face.valid_until is None:
        return good | {"validity": c.passed("validity_ok", starts=starts)}
    return good | {"validity": c.passed("validity_until_ok", starts=starts, ends=c.iso(face.valid_until))}


def _check_status(face: ShortFace, path: chain.Path, case: c.Case, facts: dict[str, Any]) -> c.Finding:
    """The newest list at hand with the number the code names decides.

    The code says no address, only a number: a list counts if it is signed under the anchor of the code's signer, and if
    several addresses have that number, none of them decides.
    """
    number, notes = str(face.list_number), list[Note]()
    usable: list[StatusToken] = []
    helpers, unknown = (*case.certificates, *path.certificates, *_chains(case)), None
    for place, text in enumerate(case.status_tokens, start=1):
        try:
            if parse_status_token(text).uri.rpartition("/")[2] != number:
                continue
            token = authentic_token(text, case.trust, helpers)
            signer = c.lead(token.chain, case)
        except FormatError as fault:
            unknown = fault if fault.code == SIGNER_UNKNOWN else unknown
            params = {"claim": "", **fault.finding_params, "source": f"given {place}", "why": fault.code}
            notes.append(Note("status_token_ignored", c.params_of(**params)))
            continue
        if signer.certificates[-1] != path.certificates[-1]:
            continue
        if _time(token.issued_at) - case.at > c.SKEW:
            as_of = c.iso(_time(token.issued_at))
            notes.append(Note("status_token_newer", c.params_of(source=f"given {place}", as_of=as_of)))
            continue
        usable.append(token)
    if not usable and unknown is not None:
        return c.undecided(unknown.code, unknown.sub_indication, notes, **unknown.finding_params)
    if not usable:
        return c.undecided("judge_status_missing", "TRY_LATER", notes, number=number)
    addresses = {token.uri for token in usable}
    if len(addresses) > 1:
        return c.undecided("judge_status_ambiguous", "TRY_LATER", notes, count=len(addresses), number=number)
    newest = max(token.issued_at for token in usable)
    try:
        said = [(token, token.states().value(face.idx)) for token in usable if token.issued_at == newest]
    except FormatError as fault:
        return c.undecided(fault.code, "TRY_LATER", notes, **fault.finding_params)
    # Of two lists of the same second, the one that speaks against the licence.
    token, value = max(said, key=lambda pair: pair[1] != Status.VALID)
    as_of, until = c.iso(_time(token.issued_at)), c.iso(_time(token.expires_at))
    facts["status"] = {"value": value, "uri": c.shown(token.uri), "as_of": as_of, "until": until}
    return _judge_status(token, value, face, case, notes)


def _chains(case: c.Case) -> Iterator[bytes]:
    """The certificates that came with the lists, which help where one came without its signer's."""
    if not any(isinstance(text, bytes) for text in case.status_tokens):
        return
    for text in case.status_tokens:
        with suppress(FormatError):
            yield from parse_status_token(text).chain


def _judge_status(token: StatusToken, value: int | None, face: ShortFace, case: c.Case, notes: list[Note]) -> c.Finding:
    as_of, until = c.iso(_time(token.issued_at)), c.iso(_time(token.expires_at))
    if value is None:
        return c.undecided("status_index_outside", "TRY_LATER", notes, idx=face.idx)
    if value == Status.INVALID:
        # Irreversible: a list that is too old for anything else still shows it.
        return c.failed("status_revoked", "REVOKED", as_of=as_of)
    if case.at >= _time(token.expires_at):
        return c.undecided("status_too_old", "TRY_LATER", notes, as_of=as_of, until=until, uri=token.uri)
    if value == Status.SUSPENDED:
        return c.failed("status_suspended", "SUSPENDED", as_of=as_of)
    if value != Status.VALID:
        return c.undecided("status_unknown", "TRY_LATER", notes, value=value)
    return c.passed("status_ok", notes, as_of=as_of)


def _facts(face: ShortFace, path: chain.Path) -> dict[str, Any]:
    return {
        "identifier": str(face.identifier),
        "kind_name": c.shown(face.kind_name),
        "holder_name": c.shown(face.holder_name),
        "holder_code": c.shown(face.holder_code),
        "issuer_name": path.subject,
        "demonstration": path.demonstration,
        "issued_at": c.iso(face.issued_at),
        "valid_from": c.iso(face.valid_from),
        "valid_until": c.iso(face.valid_until) if face.valid_until else None,
        "status_list": face.list_number,
        "status_idx": face.idx,
    }


def _time(numeric_date: int) -> datetime:
    return datetime.fromtimestamp(numeric_date, UTC)


def _report(case: c.Case, findings: list[c.Finding], facts: dict[str, Any] | None = None) -> DocumentReport:
    return DocumentReport(Form.QR, (c.part(Section.QR, findings, first=1),), case.at, facts or {})
