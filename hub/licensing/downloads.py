"""Hands out a licence as a file: for a reason, a matter and a term, and only after it is on record.

The steps of handing out, by number:

    1. the licence, which must be in force (its bundle is handed out in every state: it proves the state)
    2. who may (`hub.licensing.copies.who_may`, for everything)
    3. the annotation of GB/T 36903 (加注): made when, by whom, what for, until when
    4. draw (`hub.licensing.documents`)
    5. record: the entry, then in the same transaction the copy's row and its signature
    6. hand out

A crash before 5 hands out nothing and leaves nothing; between 5 and 6 it leaves a copy on record that nobody has.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import LicenceCopyRow
from hub.errors import InvalidRequestError
from hub.identifiers import new_identifier
from hub.licensing.copies import Copies, allowed_to, state_of
from hub.licensing.document_errors import CopyUnknownError, NotInForceError, said
from hub.licensing.documents import Drawn
from hub.licensing.papers import Copy, Form, Paper
from licence.lifecycle import State
from licence.lifecycle.copies import MAX_DAYS, MAX_TEXT, NUMBER, annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hub.actors import Actor
    from hub.licensing.documents import Documents
    from hub.licensing.office import Licensing

DOWNLOADED: Final = "licence.downloaded"
BUNDLE_TEMPLATE: Final = "bundle-1"
_COPY_MARK: Final = "K"


@dataclass(frozen=True, slots=True)
class Order:
    """What a download is for: *reason* (使用事由) is printed across the copy, *matter* is looked up in the grants."""

    matter: str
    reason: str
    days: int

    def __post_init__(self) -> None:
        if not self.matter.strip():
            raise InvalidRequestError(where="purpose", why="a matter's code is wanted", why_zh="应为事项编码")
        if not self.reason.strip() or len(self.reason) > MAX_TEXT:
            why = f"say what it is for, in at most {MAX_TEXT} characters"
            raise InvalidRequestError(where="reason", why=why, why_zh=f"请填写使用事由，不超过 {MAX_TEXT} 字")
        if not 1 <= self.days <= MAX_DAYS:
            why = f"a copy is for 1 to {MAX_DAYS} days"
            raise InvalidRequestError(where="days", why=why, why_zh=f"期限应为 1 至 {MAX_DAYS} 天")


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A file that may be handed out: it is on record as *copy*, entry *log_index* of the log."""

    copy: str
    form: Form
    file_name: str
    data: bytes = field(repr=False)
    valid_until: datetime
    log_index: int


class Downloads:
    """The counter at which licences are handed out. Safe for many threads and processes."""

    def __init__(
        self, office: Licensing, documents: Documents, *, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self.office = office
        self.documents = documents
        self.copies = Copies(office.control, office.evidence)
        self._random = random

    def download(self, identifier: str, form: Form, order: Order, *, by: Actor) -> HandedOut:
        """Steps 1 to 6, for the department of *by*.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            NotInForceError: it does not hold, and it is not its bundle that is asked for.
            DeniedError, CopyWidensError: the department may not.
            DocumentRefusedError: the annotation is not well formed, would outlive the licence, or a glyph is missing.
        """
        office = self.office
        row = office.show(identifier)  # step 1
        state = _state(row)
        if form is not Form.BUNDLE and state is not State.VALID:
            raise NotInForceError(identifier=identifier, state=state.en, state_zh=state.zh)
        kind = office.kind(row["kind"])
        basis = allowed_to(office, kind, identifier, by, order.matter, whole=True)  # step 2
        now = office.evidence.clock().replace(microsecond=0)
        number = new_identifier(_COPY_MARK, self._random)
        ends = row["valid_until"] if form.drawn else None
        sealed = office.sealed(identifier)
        with said():
            annotation = annotate(  # step 3
                identifier,
                state=State.VALID,
                licence_ends=ends,
                made_by=office.standing.now().list.departments_by_code[by.department].name,
                purpose=order.reason,
                at=now,
                valid_until=_until(now, order.days, ends),
            )
            paper = Paper.of(kind, sealed)
        drawn = self._drawn(paper, form, Copy(number, annotation))  # step 4
        values: dict[str, Any] = {
            "id": number,
            "licence": identifier,
            "kind": kind.code,
            "form": form.value,
            "template": drawn.template,
            "department": by.department,
            "requester": str(by),
            "made_by": annotation.made_by,
            "matter": order.matter,
            "reason": order.reason,
            "made_at": annotation.made_at,
            "valid_until": annotation.valid_until,
        }
        with office.control.writing() as connection:  # step 5
            recorded = office.evidence.append(
                DOWNLOADED,
                actor=str(by),
                subject=_owner_hash(office, paper),
                resource=kind.resource,
                purpose=order.matter,
                facts={
                    "licence": identifier,
                    "copy": number,
                    "form": form.value,
                    "until": annotation.valid_until.isoformat(),
                    "by": list(basis.determined),
                    "file": "sha256:" + hashlib.sha256(drawn.data).hexdigest(),
                },
                body={"reason": order.reason},
            )
            connection.execute(sa.insert(LicenceCopyRow).values(**values, log_index=recorded.index))
            self.documents.keep(connection, drawn)
        return HandedOut(  # step 6
            number, form, f"{number}{form.suffix}", drawn.data, annotation.valid_until, recorded.index
        )

    def again(self, number: str, *, by: Actor) -> bytes:
        """The page of a copy once more, the same bytes; for the department that has it and the one that issued it.

        Raises:
            CopyUnknownError: there is none, it is another department's, or no page (a bundle, a code).
            DocumentDriftedError: it would not be the same.
        """
        row = self.copies.get(number)
        kind = self.office.kind(row["kind"])
        form = Form(row["form"])
        if by.department not in {row["department"], kind.issuer} or form not in {Form.PDF, Form.OFD}:
            raise CopyUnknownError(copy=number[:20])
        with said():
            annotation = annotate(
                row["licence"],
                state=State.VALID,
                licence_ends=None,
                made_by=row["made_by"],
                purpose=row["reason"],
                at=row["made_at"],
                valid_until=row["valid_until"],
            )
            paper = Paper.of(kind, self.office.sealed(row["licence"]))
        drawn = self.documents.draw(paper, form, Copy(number, annotation))
        if drawn.template != row["template"]:
            self.documents.gone(row["licence"], row["template"])
        return drawn.data

    def withdraw(self, number: str, *, by: Actor, reason: str) -> dict[str, Any]:
        """Withdraw a copy, by the department that has it or the one that issued the licence.

        Raises:
            CopyUnknownError: there is none, or it is another department's.
            CopyEndedError: it was withdrawn before.
        """
        row = self.copies.get(number)
        if by.department not in {row["department"], self.office.kind(row["kind"]).issuer}:
            raise CopyUnknownError(copy=number[:20])
        return self.copies.withdraw(number, by=str(by), reason=reason)

    def standing_of(self, facts: Mapping[str, str]) -> dict[str, Any] | None:
        """How the copy stands that a verified document says it is, by the marks in it; None where it is no copy."""
        number = facts.get(NUMBER)
        if number is None:
            return None
        try:
            row = self.copies.get(number)
        except CopyUnknownError:
            return {"copy": number[:20], "state": "unknown", "valid_until": None}
        now = self.office.evidence.clock()
        return {"copy": row["id"], "state": state_of(row, now), "valid_until": row["valid_until"].isoformat()}

    def _drawn(self, paper: Paper, form: Form, copy: Copy) -> Drawn:
        if form in {Form.BUNDLE, Form.WHOLE}:
            papers = (Form.PDF, Form.OFD) if form is Form.WHOLE else ()
            parts = tuple(self.documents.draw(paper, one, copy) for one in papers)
            files = {one.value: part.data for one, part in zip(papers, parts, strict=True)}
            bundle = self.office.bundle(paper.sealed.identifier, files)
            return Drawn(bundle.to_json().encode(), BUNDLE_TEMPLATE, parts=parts)
        return self.documents.draw(paper, form, copy if form.drawn else None)


def _until(now: datetime, days: int, ends: datetime | None) -> datetime:
    """The end of the term, or of the licence where that comes first."""
    until = now + timedelta(days=days)
    return until if ends is None else min(until, ends)


def _state(row: Mapping[str, Any]) -> State:
    return State(row["state"])


def _owner_hash(office: Licensing, paper: Paper) -> str:
    return office.owner(paper.text("CZZTDMLXDM"), paper.text("CZZTDM"))
