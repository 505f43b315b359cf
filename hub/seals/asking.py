"""Asking for a remote signature (云签), step 1 of `hub.seals.cloud`: a person is asked, for one seal and one document.

What an approval allows is `licence.seals.cloud`'s; how one is given and used, `hub.seals.cloud`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.actors import PERSONAL, Actor
from hub.control import SealApprovalRow, row_dict
from hub.errors import HubError
from hub.seals import store
from hub.seals.desk import of_department
from hub.seals.errors import SealOrderError, SealStateRefusedError, SignerLockedError, told
from hub.seals.registering import MAX_LISTED
from hub.seals.signers import Signers
from hub.seals.using import DocumentSigner, Place, form_of, pdf_place, require_usable, seal_ofd
from hub.seals.words import DIGEST, PDF
from licence.pdf.sign import seal_pdf
from licence.seals import cloud
from licence.seals.algorithms import sm3
from licence.seals.cloud import MAX_ATTEMPTS
from licence.seals.register import State
from licence.suites import SM2_SM3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.control import Control

MAX_TITLE: Final = 100
ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whoever keeps the seal of this *code* with a key of their own; *trouble*: why they can be asked nothing now."""

    code: str
    person: str
    trouble: HubError | None


class Asking(Signers):
    """The room of requests for a signature."""

    def keepers(self, department: str) -> list[Keeper]:
        """Who keeps a seal of a *department* that is in use, by its code, and whether `ask` would take them."""
        found = []
        for row in self.find(department=department, state=State.IN_USE.value, limit=MAX_LISTED):
            if self.keeps_own_key(row["custodian"]):
                trouble: HubError | None = None
                try:
                    self._askable(row["code"])
                except HubError as error:
                    trouble = error
                found.append(Keeper(row["code"], row["custodian"], trouble))
        return found

    def ask(
        self, code: str, document: bytes, *, purpose: str, by: Actor | str, title: str = "", office: bool = False
    ) -> dict[str, Any]:
        """Ask the keeper of seal *code* to sign *document* (a PDF, an OFD, or 32 bytes of an SM3 digest); the request.

        *title* is what the keeper knows the document by; it stands in lists, so it names no person.

        Raises:
            SealOrderError: the seal's keeper has no key of their own, or the document cannot be signed so.
            SealStateRefusedError: the seal is not in use or not within its validity, or its keeper is locked.
        """
        with self.control.reading() as connection:
            department = store.seal_row(connection, code)["department"]
        actor = of_department(by, department, office=office)
        _require_title(title)
        row, signer = self._askable(code)
        now = self.clock()
        form, digest = self.digest_of(row, signer, document, now)
        with told():
            asked = cloud.ask(
                request_id=self.random(ID_BYTES),
                person=row["custodian"],
                seal=code,
                document_digest=digest,
                purpose=purpose,
                at=now,
            )
        with self.control.writing() as connection:
            recorded = self.evidence.append(
                "seal.approval",
                actor=actor,
                resource=code,
                facts={"approval": asked.id.hex(), "seal": code, "state": asked.state.value},
                body={"purpose": purpose, "title": title, "digest": digest.hex()},
                at=now,
            )
            values = {
                "id": asked.id.hex(),
                "person": asked.person,
                "seal": code,
                "form": form,
                "document_digest": digest.hex(),
                "title": title,
                "purpose": purpose,
                "asked_by": actor,
                "asked_at": now,
                "ends_at": asked.ends_at,
                "state": asked.state.value,
                "failures": 0,
                "log_index": recorded.index,
            }
            connection.execute(sa.insert(SealApprovalRow).values(**values))
        return self.approval(asked.id.hex())

    def _askable(self, code: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The rows of a seal and of its keeper's key. Raises: as `ask`, and SealUnknownError: the key has ended."""
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
            if not store.is_signer(connection, row["custodian"]):
                why = "The keeper of this seal has no key of their own; its custodian uses it directly."
                raise SealOrderError(why=why, why_zh="该印章的保管人没有个人密钥，由保管人直接用印。")
            signer = store.signer_row(connection, row["custodian"])
        require_usable(row)
        # The machine that seals looks again; nobody shall be asked for what it would refuse.
        if not row["valid_from"] <= self.clock() <= row["valid_until"]:
            why = "The seal is not within its validity. Ask for its next version."
            raise SealStateRefusedError(why=why, why_zh="该印章不在有效期内，请申请新版印章。")
        if signer["failures"] >= MAX_ATTEMPTS:
            raise SignerLockedError
        return row, signer

    def approval(self, id_: str) -> dict[str, Any]:
        """A request and what came of it. Raises: SealUnknownError."""
        with self.control.reading() as connection:
            return _plain(store.approval_row(connection, id_))

    def approvals(
        self, person: str = "", *, asked_by: str = "", state: str = "", limit: int = 50, offset: int = 0
    ) -> list[dict[str, Any]]:
        """The requests to a *person*, or those *asked_by* somebody, the newest first."""
        table = SealApprovalRow.__table__
        wanted = self._wanted(person, asked_by, state)
        query = sa.select(table).where(*wanted).order_by(table.c.asked_at.desc(), table.c.id)
        with self.control.reading() as connection:
            return [_plain(row_dict(row)) for row in connection.execute(query.limit(min(limit, 500)).offset(offset))]

    def approval_count(self, person: str = "", *, asked_by: str = "", state: str = "") -> int:
        """How many requests `approvals` would give in all."""
        return _count(self.control, self._wanted(person, asked_by, state))

    def _wanted(self, person: str, asked_by: str, state: str) -> list[sa.ColumnElement[bool]]:
        """Conditions on requests. One that nobody answered is open for its ten minutes and no longer."""
        table = SealApprovalRow.__table__
        given = {"person": person, "asked_by": asked_by, "state": state}
        found = [table.c[name] == value for name, value in given.items() if value]
        return [*found, table.c.ends_at > self.clock()] if state == cloud.State.ASKED else found

    def digest_of(
        self, row: dict[str, Any], signer: dict[str, Any], document: bytes, at: datetime
    ) -> tuple[str, bytes]:
        """The form of a document, and the digest that is approved: of a PDF, of the file as it was handed in.

        That it can be signed is tried here, without a key: nobody shall be asked for what cannot be done.
        """
        form = form_of(document)
        if form == DIGEST:
            return form, document
        if form == PDF:
            chain = tuple(one.public_bytes(Encoding.DER) for one in chain_of(signer))
            with told():
                unsigned = DocumentSigner(SM2_SM3, chain, lambda _: bytes(64))
                sealed_pdf(row, document, unsigned, at=at, reason="-", place=None)
            return form, sm3(document)
        seen: list[bytes] = []

        def look(digest: bytes) -> bytes:
            seen.append(digest)
            return b""

        with told():
            seal_ofd(document, row, second_of(at), None, look)
        return form, seen[0]


def waiting_for(control: Control, person: str, at: datetime) -> int:
    """How many requests *person* may still answer at *at*; to be asked often, without opening the office of seals."""
    table = SealApprovalRow.__table__
    return _count(control, [table.c.person == person, table.c.state == cloud.State.ASKED.value, table.c.ends_at > at])


def _count(control: Control, wanted: Sequence[sa.ColumnElement[bool]]) -> int:
    query = sa.select(sa.func.count()).select_from(SealApprovalRow.__table__).where(*wanted)
    with control.reading() as connection:
        return int(connection.execute(query).scalar_one())


def sealed_pdf(
    row: dict[str, Any], document: bytes, signer: DocumentSigner, *, at: datetime, reason: str, place: Place | None
) -> bytes:
    """A PDF signed by *signer* with the picture of the seal of *row*."""
    return seal_pdf(
        document,
        signer,
        signed_at=second_of(at),
        seal_png=bytes(row["picture"]),
        place=pdf_place(row, place),
        name=row["name"],
        reason=reason,
    )


def chain_of(signer: dict[str, Any]) -> tuple[x509.Certificate, ...]:
    """The certificates of a person's key, its own first."""
    return tuple(x509.load_der_x509_certificate(bytes.fromhex(one)) for one in signer["certificates"])


def _require_title(title: str) -> None:
    if len(title) > MAX_TITLE or not (title.isprintable() or not title) or PERSONAL.search(title):
        why = f"A title has at most {MAX_TITLE} characters, and no number of seven digits or more."
        raise SealOrderError(why=why, why_zh=f"文件标题不超过 {MAX_TITLE} 个字符，且不得含有七位以上的号码。")


def second_of(at: datetime) -> datetime:
    """The whole second: what is written into a signature has no smaller one."""
    return at.replace(microsecond=0)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "asked_at": row["asked_at"].isoformat(), "ends_at": row["ends_at"].isoformat()}
