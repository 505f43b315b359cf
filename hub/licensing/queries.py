"""Which licences a holder has, and what a file that somebody was given is worth: asked of the hub by departments.

Finding is recorded before it is answered; verifying keeps nothing of the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.errors import DeniedError, KindUnknownError
from hub.licensing.copies import DENIED, who_may
from hub.licensing.statuses import COMPACT, SUFFIX
from licence.errors import CopyRefusedError, FormatError, PersonCodeError
from licence.lifecycle.copies import NUMBER, find_copy, from_keywords
from licence.ofd.read import Policy, read_ofd
from licence.pdf.read import read_signatures
from licence.persons import check_uscc
from licence.report import EXIT_NOT_IN_FORCE
from licence.suites import SUITES
from licence.trust import TrustStore
from licence.verifying import judge

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from hub.actors import Actor
    from hub.licensing.downloads import Downloads
    from hub.licensing.office import Licensing
    from licence.model import LicenceKind

FOUND: Final = "licence.found"
FAILED: Final = "TOTAL-FAILED"
USCC, CITIZEN_ID = "001", "111"
_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Found:
    """The licences of one holder that the asking department may know of, by rows; *log_index*: that it asked."""

    rows: tuple[dict[str, Any], ...]
    log_index: int


def licences_of(
    office: Licensing, holder: str, matter: str, *, by: Actor, holder_type: str = "", kind: str = ""
) -> Found:
    """The licences of *holder* (a code) of the kinds that *by*'s department may be shown something of, for *matter*.

    Raises:
        DeniedError: of no kind, or not of the *kind* that it names; that is on record.
        KindUnknownError: there is no such kind.
    """
    wanted = [office.kind(kind)] if kind else [k for k in office.kinds.values() if k.sourced]
    open_to = _open_to(office, wanted, matter, by)
    rows: list[dict[str, Any]] = []
    for one in open_to:
        rows += office.find(holder=holder, holder_type=holder_type, kind=one.code)
    recorded = office.evidence.append(
        FOUND,
        actor=str(by),
        subject=office.owner(holder_type or _type_of(holder), holder),
        purpose=matter,
        facts={"found": len(rows), "kinds": [one.code for one in open_to], "licences": [r["identifier"] for r in rows]},
    )
    return Found(tuple(sorted(rows, key=lambda row: str(row["identifier"]))), recorded.index)


def checked(downloads: Downloads, data: bytes) -> dict[str, Any]:
    """What the hub's own verifier says of *data*, and how the copy stands that it is, if it is one.

    A copy whose term has ended, or that was withdrawn, is said to be so beside the verdict on its signatures.
    """
    office = downloads.office
    tokens = status_tokens_in(office.settings.status)
    now = office.evidence.clock()
    report = judge(data, TrustStore.load(office.settings.trust), now, status_tokens=tokens)
    verdict = report.verdict.value
    # What an altered file says of itself is not looked up; one that is genuine and over is.
    genuine = verdict != FAILED or report.exit_code == EXIT_NOT_IN_FORCE
    facts = _marks(data) if genuine else {}
    copy = downloads.standing_of(facts)
    if copy is None and genuine:
        copy = _by_itself(facts, now)
    return {"verdict": verdict, "copy": copy, "report": json.loads(report.to_json())}


def status_tokens_in(folder: Path) -> list[str | bytes]:
    """The newest token of each status list: as a JWT, or as a CWT where that is all there is."""
    tokens: list[str | bytes] = [path.read_text("utf-8") for path in sorted(folder.glob(f"*{SUFFIX}"))]
    compact = sorted(folder.glob(f"*{COMPACT}"))
    return tokens + [path.read_bytes() for path in compact if not path.with_suffix(SUFFIX).exists()]


def _open_to(office: Licensing, kinds: list[LicenceKind], matter: str, by: Actor) -> list[LicenceKind]:
    view, now = office.standing.now(), office.evidence.clock()
    found, refused = [], None
    for kind in kinds:
        try:
            who_may(view, kind, by.department, matter, now)
        except DeniedError as error:
            refused = error
        else:
            found.append(kind)
    if not found:
        if refused is None:
            raise KindUnknownError(kind="-")
        known = matter in {one.code for one in view.list.matters}
        office.evidence.append(
            DENIED,
            actor=str(by),
            purpose=matter if known else "",
            facts={"licence": "", "reasons": [reason.code for reason in refused.reasons]},
        )
        raise refused
    return found


def _type_of(holder: str) -> str:
    try:
        check_uscc(holder)
    except PersonCodeError:
        return CITIZEN_ID
    return USCC


def _marks(data: bytes) -> dict[str, str]:
    try:
        if data.startswith(_PDF):
            return from_keywords(read_signatures(data, SUITES).keywords)
        if data.startswith(_ZIP):
            return dict(read_ofd(data, Policy()).custom)
    except (FormatError, CopyRefusedError):
        return {}
    return {}


def _by_itself(facts: dict[str, str], at: datetime) -> dict[str, Any] | None:
    """A copy of another hub: its own words alone."""
    try:
        copy = find_copy(facts.get("ZZBS", ""), facts)
    except CopyRefusedError:
        return None
    if copy is None:
        return None
    state = "valid" if copy.made_at <= at < copy.valid_until else "expired"
    return {"copy": facts.get(NUMBER, ""), "state": state, "valid_until": copy.valid_until.isoformat()}
