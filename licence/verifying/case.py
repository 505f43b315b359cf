"""What every form is judged by, the findings before they are numbered, and the questions that forms share.

Those are: which path leads from a signer to a pinned anchor, whether it held in time and is not revoked, and what a
time stamp proves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from licence import chain, timestamps
from licence.errors import FormatError
from licence.report import Note, Outcome, Params, Step
from licence.seals.algorithms import OID_OF_SUITE
from licence.seals.trust import SealTrust
from licence.steps import SKEW as SKEW  # noqa: PLC0414 - the modules beside this one take both from here
from licence.steps import Finding as Finding  # noqa: PLC0414
from licence.verifying.report import SECTIONS, Part, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from licence.timestamps import TimeStamp
    from licence.trust import TrustStore

# As many as any file may bring and a verifier need hand over; each costs a comparison of names.
MAX_CERTIFICATES = 512
# EN 319 102-1 §5.1.3: these say that something is missing, not that something is wrong.
OPEN = frozenset(
    {
        "CHAIN_CONSTRAINTS_FAILURE",
        "CRYPTO_CONSTRAINTS_FAILURE",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "NO_SIGNING_CERTIFICATE_FOUND",
        "OUT_OF_BOUNDS_NO_POE",
        "REVOKED_CA_NO_POE",
        "REVOKED_NO_POE",
        "SIGNED_DATA_NOT_FOUND",
        "TRY_LATER",
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """One file and what it is judged by; *crls* and *certificates* are DER, and nobody vouches for *certificates*."""

    data: bytes
    trust: TrustStore
    at: datetime
    status_tokens: tuple[str | bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()
    histories: tuple[str | bytes, ...] = ()

    def with_material(self, certificates: Iterable[bytes], crls: Iterable[bytes]) -> Case:
        """With what the file itself brings, which only helps: certificates lead nowhere but to pinned anchors."""
        known = dict.fromkeys((*self.certificates, *certificates))
        lists = dict.fromkeys((*self.crls, *crls))
        return replace(self, certificates=tuple(known)[:MAX_CERTIFICATES], crls=tuple(lists)[: chain.MAX_LISTS])


SKIPPED = Finding(Outcome.SKIPPED, "skipped")


def passed(code: str, notes: Sequence[Note] = (), **params: object) -> Finding:
    """The step passed."""
    return Finding(Outcome.PASSED, code, params_of(**params), "", tuple(notes))


def failed(code: str, sub_indication: str, **params: object) -> Finding:
    """The step failed."""
    return Finding(Outcome.FAILED, code, params_of(**params), sub_indication)


def undecided(code: str, sub_indication: str, notes: Sequence[Note] = (), **params: object) -> Finding:
    """Something is missing to decide the step."""
    return Finding(Outcome.INDETERMINATE, code, params_of(**params), sub_indication, tuple(notes))


def finding_of(fault: FormatError) -> Finding:
    """What *fault* means for the step it arose in."""
    make = undecided if fault.sub_indication in OPEN else failed
    return replace(make(fault.code, fault.sub_indication), params=params_of(**fault.finding_params))


def part(section: Section, findings: Sequence[Finding], *, first: int, label: str = "") -> Part:
    """The part of *section*, its steps numbered from *first*; what was not reached is shown as not examined."""
    names = SECTIONS[section]
    padded = [*findings, *(SKIPPED for _ in range(len(names) - len(findings)))]
    steps = tuple(
        Step(number, name, f.outcome, f.code, f.params, f.sub_indication, f.notes)
        for number, (name, f) in enumerate(zip(names, padded, strict=True), start=first)
    )
    return Part(section, steps, shown(label))


def lead(certificates: Sequence[bytes], case: Case) -> chain.Path:
    """The path from the first of *certificates* to an anchor, over the others and over those of *case*.

    Raises:
        FormatError: as `chain.lead`.
    """
    return chain.lead(tuple(certificates), case.certificates, case.trust.anchors_der, case.trust.suites)


def check_path(path: chain.Path, case: Case, *, claimed: datetime | None, proven: datetime | None) -> Finding:
    """Whether *path* held when it was signed, and is not revoked.

    *claimed* is the signer's word, *proven* the time at which the signature is known to have existed. Without the
    latter the time asked about is all there is.
    """
    if claimed is not None:
        limits = {"signed": iso(claimed)}
        if claimed - case.at > SKEW:
            return failed("judge_signed_in_future", "NOT_YET_VALID", **limits)
        if claimed > path.ends:
            return failed("certificate_expired_at_signing", "EXPIRED", **limits, limit=iso(path.ends))
        if claimed < path.starts:
            return failed("certificate_not_yet_valid_at_signing", "NOT_YET_VALID", **limits, limit=iso(path.starts))
    existed = proven or case.at
    if existed < path.starts:
        limits = {"signed": iso(existed), "limit": iso(path.starts)}
        return failed("certificate_not_yet_valid_at_signing", "NOT_YET_VALID", **limits)
    if existed > path.ends:
        return undecided("judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE", limit=iso(path.ends))
    good = passed("chain_ok_demonstration" if path.demonstration else "chain_ok", subject=path.subject)
    return check_revocation(path, case, good, proven=proven, made_after=claimed)


def check_revocation(
    path: chain.Path, case: Case, good: Finding, *, proven: datetime | None, made_after: datetime | None
) -> Finding:
    """*good* with what the revocation lists add to it, or the finding that takes its place."""
    try:
        notes = chain.check_revocation(path, case.crls, at=case.at, proven_at=proven, made_after=made_after)
    except FormatError as fault:
        outcome = Outcome.FAILED if fault.sub_indication == "REVOKED" else Outcome.INDETERMINATE
        return Finding(outcome, fault.code, params_of(**fault.finding_params), fault.sub_indication)
    # Where no list was given at all, a note on each certificate would tell the reader nothing new.
    safe = (Note(n.code, params_of(**dict(n.params))) for n in notes)
    return replace(good, notes=(*good.notes, *safe)) if case.crls else good


def check_stamp(stamp: TimeStamp, case: Case, *, claimed: datetime | None, existed: datetime | None) -> Finding:
    """Whether *stamp* proves its time; *existed* is when the stamp itself is proven to have existed, if it is."""
    try:
        path = lead(stamp.chain, case)
    except FormatError as fault:
        return finding_of(fault)
    if stamp.time - case.at > SKEW or (claimed is not None and claimed - stamp.time > SKEW):
        params = {"stamped": iso(stamp.time), "claimed": iso(claimed) if claimed else "?"}
        return failed("judge_time_stamp_contradicts", "TIMESTAMP_ORDER_FAILURE", **params)
    if not path.starts <= stamp.time <= path.ends:
        params = {"stamped": iso(stamp.time), "starts": iso(path.starts), "ends": iso(path.ends)}
        return failed("judge_time_stamp_expired", "EXPIRED", **params)
    if (existed or case.at) > path.ends:
        return undecided("judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE", limit=iso(path.ends))
    # Beside the token, too, a certificate that leads elsewhere is one that nobody would see altered.
    loose = () if set(stamp.chain) <= set(path.certificates) else (Note("judge_certificates_loose"),)
    good = passed("judge_time_stamp_ok", loose, stamped=iso(stamp.time), subject=path.subject)
    return check_revocation(path, case, good, proven=existed, made_after=stamp.time)


def read_stamp(token: bytes, stamped: bytes, case: Case) -> TimeStamp:
    """The time stamp in *token* over *stamped*, its chain still to be judged.

    Raises:
        FormatError: as `timestamps.verify`.
    """
    return timestamps.verify(token, (stamped,), suites=sorted(case.trust.suites))


def seal_trust(case: Case) -> SealTrust | None:
    """The trust by which seals are judged: the same anchors, and of the suites those that seals use; None for none."""
    suites = case.trust.suites & set(OID_OF_SUITE)
    if not suites:
        return None
    helpers = tuple(chain.readable(case.certificates))
    return SealTrust(case.trust.anchors_der, suites, intermediates=helpers, crls=case.crls)


def params_of(**params: object) -> Params:
    """Params of a finding, each made safe to show."""
    return tuple((name, shown(str(value))) for name, value in params.items())


def shown(text: str) -> str:
    """A stranger's text for the report: line breaks or bidirectional marks in it could pretend to be lines of ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:500]


def iso(at: datetime) -> str:
    """The time in UTC, whole seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
