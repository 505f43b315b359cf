"""When a file says it was signed, for those who ask whether it was good then.

It is the signer's word, and reading it judges nothing: `judge` at that time does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from licence import credential
from licence.bundle import LicenceBundle
from licence.errors import FormatError
from licence.ofd.read import read_ofd
from licence.pdf.read import read_signatures
from licence.qr.code import parse_code
from licence.seals.structure import parse_signature
from licence.verifying.door import recognise
from licence.verifying.report import Form
from licence.verifying.seals import STRANGERS

if TYPE_CHECKING:
    from licence.trust import TrustStore


def signing_time(data: bytes, trust: TrustStore) -> datetime:
    """When *data* was signed by its own word, UTC; of several signatures, when the last was made.

    Raises:
        FormatError: ``judge_no_signing_time``: it does not say; or it cannot be read, which `judge` explains.
    """
    try:
        at = _claimed(data, trust)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a reader did not foresee is a coded error, not a traceback
        raise FormatError("internal", detail=type(error).__name__) from None
    if at is None:
        raise FormatError("judge_no_signing_time")
    return at.astimezone(UTC)


def _claimed(data: bytes, trust: TrustStore) -> datetime | None:
    match recognise(data):
        case Form.PDF:
            signatures = read_signatures(data, sorted(trust.suites)).signatures
            return max((s.claimed_at for s in signatures if s.claimed_at is not None), default=None)
        case Form.OFD:
            values = [s.value for s in read_ofd(data, STRANGERS).signatures if s.kind == "Seal"]
            times = [parse_signature(v).signed.time for v in values]
            return max((t for t in times if t is not None), default=None)
        case Form.SEAL_SIGNATURE:
            return parse_signature(data).signed.time
        case Form.QR:
            return parse_code(data.decode("ascii", "replace").strip(" \r\n\t")).face.issued_at
        case Form.LICENCE:
            text = data.decode("utf-8", "replace").strip()
            bare = LicenceBundle.from_json(text).credential if text.startswith("{") else text
            return datetime.fromtimestamp(credential.parse(bare).issued_at, UTC)
        case Form.SEAL:
            return None
