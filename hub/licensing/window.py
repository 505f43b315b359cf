"""What a clerk at a window is shown of a licence that somebody holds up, and the proof that it was looked at.

A one-time code is `hub.licensing.codes`'s. Here are the fixed code that a licence bears, which anybody may have
photographed, and the receipt of a look at either.

1. The code is verified as by anybody (`hub.licensing.judging`); what it says is looked at only once it holds.
2. Of its holder is shown what the decision opens to the department for the matter (`hub.licensing.copies.who_may`);
   the holder's number stands in the code masked, and stays so.
3. That it was looked at is on record before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audit.entry import Entry
from audit.errors import EntryMissingError
from hub import receipts
from hub.errors import LicenceUnknownError, NotFoundError
from hub.licensing.codes import REDEEMED
from hub.licensing.copies import allowed_to
from hub.licensing.judging import judged
from licence.qr.code import parse_code
from licence.report import Verdict

if TYPE_CHECKING:
    from hub.actors import Actor
    from hub.licensing.judging import Judgement
    from hub.licensing.office import Licensing
    from hub.receipts import Receipt
    from hub.service import Service

CHECKED: Final = "licence.checked"


@dataclass(frozen=True, slots=True)
class Checked:
    """A fixed code that was judged. Unless it is of a licence of this hub that holds, *kind* and the rest are empty.

    *name* and *code*: of the holder, as far as they are open; the code is masked.
    """

    judgement: Judgement
    kind: str = ""
    name: str = ""
    code: str = ""
    log_index: int | None = None


def check_code(service: Service, office: Licensing, text: str, *, matter: str, by: Actor, reason: str = "") -> Checked:
    """Judge the fixed code *text* now, and say what of it *by*'s department may be shown for *matter*.

    Raises:
        DeniedError: the department may be shown nothing of licences of this kind; that is on record, too.
        TrustEmptyError, TrustUnreadableError: the hub has published no trust folder.
    """
    found = judged(service, text.encode(), service.evidence.clock())  # Step 1.
    if found.verdict is not Verdict.PASSED:
        return Checked(found)
    face = parse_code(text).face
    identifier = str(face.identifier)
    try:
        row = office.show(identifier)
    except LicenceUnknownError:
        # Of another city, whose signer is trusted: whether it holds is all that this hub can answer for.
        return Checked(found)
    kind = office.kind(row["kind"])
    basis = allowed_to(office, kind, identifier, by, matter)  # Step 2.
    seen = [name for name in (kind.holder_name_field, kind.holder_field) if name in basis.fields]
    recorded = office.evidence.append(  # Step 3.
        CHECKED,
        actor=str(by),
        resource=kind.resource,
        purpose=matter,
        facts={"licence": identifier, "state": row["state"], "fields": seen, "by": list(basis.determined)},
        body={"reason": reason} if reason else None,
    )
    return Checked(
        found,
        kind.code,
        face.holder_name if kind.holder_name_field in seen else "",
        face.holder_code if kind.holder_field in seen else "",
        recorded.index,
    )


def proof_of(service: Service, index: int, by: Actor) -> Receipt:
    """The hub's signed receipt of entry *index*, by which *by* looked at a licence.

    Raises:
        NotFoundError: there is no such entry, or it is of something else or of somebody else.
    """
    try:
        leaf = service.evidence.log.entry(index)
    except EntryMissingError as error:
        raise NotFoundError from error
    entry = Entry.decode(leaf)
    if entry.kind not in {REDEEMED, CHECKED} or entry.actor != str(by):
        raise NotFoundError
    return receipts.issue(service.signer, service.evidence.origin, index, leaf)
