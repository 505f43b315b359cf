"""The door: recognise a file by its content, have it judged, and let no exception out.

Judging is left to the modules beside this one.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from licence.report import STEPS, Outcome, Step, VerificationReport
from licence.verifying import codes, licences, pdf, seals
from licence.verifying.case import Case, params_of, part, undecided
from licence.verifying.report import DocumentReport, Form, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from licence.trust import TrustStore
    from licence.verifying.report import Report

_ZIP = b"PK\x03\x04"
_DER_SEQUENCE = b"\x30"
_SECTION = {
    Form.PDF: Section.PDF,
    Form.OFD: Section.OFD,
    Form.SEAL: Section.SEAL,
    Form.SEAL_SIGNATURE: Section.SEAL_SIGNATURE,
    Form.QR: Section.QR,
}


def recognise(data: bytes) -> Form:
    """What *data* is by its first bytes; what is nothing else is judged as a licence, which says what is wrong."""
    if data.startswith(b"%PDF-"):
        return Form.PDF
    if data.startswith(_ZIP):
        return Form.OFD
    if data.startswith(_DER_SEQUENCE):
        return Form.SEAL_SIGNATURE if seals.is_signature(data) else Form.SEAL
    if data[:64].lstrip(b" \r\n\t").startswith(b"ZT1:"):
        return Form.QR
    return Form.LICENCE


def judge(
    data: bytes,
    trust: TrustStore,
    at: datetime,
    *,
    status_tokens: Sequence[str | bytes] = (),
    crls: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    histories: Sequence[str | bytes] = (),
) -> Report:
    """Judge *data*, whatever it is, by *trust* at the aware time *at*.

    *status_tokens*: status lists, for licences and their QR codes. *crls* (revocation lists) and *certificates*, DER
    both, come beside those of *trust*. Certificates only help to find a path, and signers that a QR code names; they
    are trusted if they lead to a pinned anchor.
    *histories*: texts of `licence.status.history`, of which the list in force at *at* counts.
    Hostile input is a verdict, never an exception, and so is any fault of a reader (code ``internal``). Safe to call
    from many threads.

    Raises:
        ValueError: *at* is naive: an error of the calling program.
    """
    if at.tzinfo is None:
        raise ValueError("judge: `at` must carry its time zone")
    lists = tuple(dict.fromkeys((*crls, *trust.crls)))
    helpers = tuple(dict.fromkeys((*certificates, *trust.certificates)))
    case = Case(data, trust, at.astimezone(UTC), tuple(status_tokens), lists, helpers, tuple(histories))
    form = Form.LICENCE
    try:
        form = recognise(data)
        return _judged(form, case)
    except Exception as error:  # noqa: BLE001 - whatever a reader did not foresee is a verdict, not a traceback
        return _internal(form, error, case)
    except BaseException as error:
        # A panic of the Rust code below `cryptography` is no Exception, but hostile input all the same.
        if type(error).__name__ != "PanicException":
            raise
        return _internal(form, error, case)


def _judged(form: Form, subject: Case) -> Report:
    match form:
        case Form.PDF:
            return pdf.judge_pdf(subject)
        case Form.OFD:
            return seals.judge_ofd(subject)
        case Form.SEAL:
            return seals.judge_seal(subject)
        case Form.SEAL_SIGNATURE:
            return seals.judge_seal_signature(subject)
        case Form.QR:
            return codes.judge_code(subject)
        case Form.LICENCE:
            return licences.judge_licence(subject)


def _internal(form: Form, error: BaseException, case: Case) -> Report:
    # Not its message: that may hold what the document says.
    detail = type(error).__name__
    if form is not Form.LICENCE:
        finding = undecided("internal", "GENERIC", detail=detail)
        return DocumentReport(form, (part(_SECTION[form], [finding], first=1),), case.at)
    first = Step(1, STEPS[0][0], Outcome.INDETERMINATE, "internal", params_of(detail=detail), "GENERIC")
    rest = (Step(n, name, Outcome.SKIPPED, "skipped") for n, (name, _, _) in enumerate(STEPS[1:], start=2))
    return VerificationReport((first, *rest), case.at)
