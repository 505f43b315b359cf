"""What a file, a code or a number is worth by what this hub publishes: for anyone who asks, and nothing is kept of it.

Judging is `licence.verifying`'s. A number alone is answered with the state of its licence, and with nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hub.authority.revocations import FOLDER as CRL_FOLDER
from hub.authority.revocations import SUFFIX as CRL_SUFFIX
from hub.errors import LicenceUnknownError
from hub.licensing.copies import Copies
from hub.licensing.document_errors import CopyUnknownError
from hub.licensing.lookups import PENDING, licence_row
from hub.licensing.queries import status_tokens_in
from hub.licensing.statuses import status_uri
from licence import credential
from licence.bundle import LicenceBundle
from licence.errors import FormatError
from licence.lifecycle import State
from licence.qr.code import parse_code
from licence.report import Verdict
from licence.trust import TrustStore
from licence.trustlist_folder import judge_with_lists
from licence.verifying import recognise
from licence.verifying.report import DocumentReport, Form

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.control import Control
    from hub.service import Service
    from hub.settings import Settings
    from licence.verifying.report import Report

# Identifiers have at most 160 characters; numbers on paper are shorter.
MAX_NUMBER_CHARS: Final = 200
_NUMBER: Final = re.compile(rf"[0-9A-Za-z\u3400-\u9fff()（）〔〕\[\]./_-]{{1,{MAX_NUMBER_CHARS}}}")


class Stands(StrEnum):
    """How a licence stands, as a stranger is told: nothing of why."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    ENDED = "ended"

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)."""
        return _STANDS[self]


_STANDS: Final = {
    Stands.VALID: ("in force", "有效"),
    Stands.SUSPENDED: ("suspended", "暂扣"),
    Stands.REVOKED: ("revoked", "已撤销"),
    Stands.ENDED: ("ended", "已失效"),
}
_OF_STATE: Final = {State.VALID: Stands.VALID, State.SUSPENDED: Stands.SUSPENDED, State.LAPSED: Stands.ENDED}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of judging.

    *trust_list* is the list by which the signer was known ("": the hub's own trust), *fault* why one did not help.
    *withdrawn_at*: the document is a copy of this hub that was withdrawn then.
    """

    report: Report
    trust_list: str
    fault: FormatError | None
    withdrawn_at: datetime | None

    @property
    def verdict(self) -> Verdict:
        """That of the report; a copy that was withdrawn is not to be accepted, however well it is signed."""
        return Verdict.FAILED if self.withdrawn_at is not None else self.report.verdict


def judged(
    service: Service,
    data: bytes,
    at: datetime,
    *,
    past_tokens: Sequence[str] = (),
    histories: Sequence[str] = (),
) -> Judgement:
    """Judge *data* as of *at* by the trust folder, the status lists and the revocation lists that the hub publishes.

    *past_tokens* and *histories* prove what a list said at *at*, where that is not now. Hostile input is a verdict.

    Raises:
        TrustEmptyError, TrustUnreadableError: the hub has published no trust folder.
    """
    settings = service.settings
    report, chosen = judge_with_lists(
        settings.trust,
        data,
        TrustStore.load(settings.trust),
        at,
        now=service.evidence.clock(),
        status_tokens=[*past_tokens, *status_tokens_in(settings.status)],
        crls=_revocation_lists(settings),
        histories=histories,
    )
    return Judgement(report, chosen.name, chosen.fault, _withdrawn(service, report, at))


def list_named(data: bytes) -> str:
    """The name of this hub's status list that *data* says tells of it, **unverified**; "" where it names none."""
    try:
        match recognise(data):
            case Form.QR:
                return str(parse_code(data.decode("ascii", "replace").strip()).face.list_number)
            case Form.LICENCE:
                text = data.decode("utf-8", "replace").strip()
                bare = LicenceBundle.from_json(text).credential if text.startswith("{") else text
                uri = credential.parse(bare).status.uri
                name = uri.rpartition("/")[2]
                return name if uri == status_uri(name) else ""
            case _:
                return ""
    except (FormatError, ValueError):
        return ""


def is_number(text: str) -> bool:
    """Whether *text* can be the number of a licence, and is no licence or code by itself."""
    return bool(_NUMBER.fullmatch(text)) and not text.startswith("ZT1:")


def standing_of_number(control: Control, number: str, at: datetime) -> Stands:
    """How the licence with this identifier stands at *at*, from now on the only thing that is told of it.

    Raises:
        LicenceUnknownError: there is none, or it is not issued yet; which of these is not told.
    """
    with control.reading() as connection:
        row = licence_row(connection, number)
    if row["state"] == PENDING:
        raise LicenceUnknownError(identifier=number)
    if row["state"] == State.VALID and row["valid_until"] is not None and row["valid_until"] <= at:
        return Stands.ENDED
    return _OF_STATE.get(State(row["state"]), Stands.REVOKED)


def _withdrawn(service: Service, report: Report, at: datetime) -> datetime | None:
    # What a file says of itself is looked up only once everything in it was found good.
    if not isinstance(report, DocumentReport) or report.verdict is not Verdict.PASSED:
        return None
    number = (report.facts.get("copy") or {}).get("number")
    if not number:
        return None
    try:
        row = Copies(service.control, service.evidence).get(number)
    except CopyUnknownError:
        return None
    when: datetime | None = row["withdrawn_at"]
    return when if when is not None and when <= at else None


def _revocation_lists(settings: Settings) -> list[bytes]:
    return [path.read_bytes() for path in sorted((settings.public / CRL_FOLDER).glob(f"*{CRL_SUFFIX}"))]
