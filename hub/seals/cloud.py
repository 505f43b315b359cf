"""Cloud signatures (云签): a person is asked for one signature, approves it with PIN and one-time password, and signs.

The steps, by number, each durable before the next:

    1. the request, for one person, one seal and one document's digest; open for ten minutes
    2. the proof: approved, or one more failure, which is kept whatever happens then
    3. the approval is spent and the use written down, in one transaction
    4. the signature, with the person's own key, which only the PIN that was just given opens

What an approval allows is `licence.seals.cloud`'s. A crash after 2 leaves an approval that ends by itself, since the
key is gone with the process; after 3 a use of which no signature is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.actors import PERSONAL, Actor
from hub.control import SealApprovalRow, row_dict
from hub.seals import store
from hub.seals.desk import of_department
from hub.seals.errors import (
    ProofRefusedError,
    SealNotYoursError,
    SealOrderError,
    SealStateRefusedError,
    SignerLockedError,
    told,
)
from hub.seals.signers import Signers
from hub.seals.using import (
    PLAIN_DIGEST,
    DocumentSigner,
    Place,
    Recording,
    Stamped,
    form_of,
    pdf_place,
    require_usable,
    seal_ofd,
)
from hub.seals.words import DIGEST, OFD, PDF
from licence.keys import SigningKey
from licence.ofd.seal import SIGNATURE_PATH
from licence.pdf.sign import seal_pdf
from licence.seals import cloud, make, otp
from licence.seals.algorithms import sm3
from licence.seals.cloud import MAX_ATTEMPTS
from licence.suites import SM2_SM3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.control import Control
    from licence.seals.structure import SESSignature
    from licence.sm2 import Sm2PrivateKey

MAX_OTP: Final = 16
MAX_TITLE: Final = 100
ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Opened:
    """An approval that was given in this process, with the person's key, which it alone holds."""

    approval: str
    person: str
    key: Sm2PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)


class Cloud(Signers):
    """The room of remote signatures."""

    def ask(
        self, code: str, document: bytes, *, purpose: str, by: Actor | str, title: str = "", office: bool = False
    ) -> dict[str, Any]:
        """Ask the keeper of seal *code* to sign *document* (a PDF, an OFD, or 32 bytes of an SM3 digest); the request.

        *title* is what the keeper knows the document by; it stands in lists, so it names no person.

        Raises:
            SealOrderError: the seal's keeper has no key of their own, or the document cannot be signed so.
            SealStateRefusedError: the seal is not in use, or its keeper is locked.
        """
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
            personal = store.is_signer(connection, row["custodian"])
            signer = store.signer_row(connection, row["custodian"]) if personal else None
        actor = of_department(by, row["department"], office=office)
        _require_title(title)
        if signer is None:
            why = "The keeper of this seal has no key of their own; its custodian uses it directly."
            raise SealOrderError(why=why, why_zh="该印章的保管人没有个人密钥，由保管人直接用印。")
        require_usable(row)
        if signer["failures"] >= MAX_ATTEMPTS:
            raise SignerLockedError
        now = self.clock()
        form, digest = self._digest(row, signer, document, now)
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

    def approve(self, id_: str, *, by: Actor | str, pin: str, password: str) -> Opened:
        """Step 2: *by* proves the wish with PIN and one-time password; the approval may then be spent.

        Raises:
            ProofRefusedError: one of the two is wrong or was used; the failure is on record.
            SignerLockedError: by too many failures, in this request or in those before.
            SealStateRefusedError: the request has ended or was answered.
            SealNotYoursError: another person was asked.
        """
        actor = str(by if isinstance(by, Actor) else Actor.parse(by))
        with self.control.reading() as connection:
            if store.approval_row(connection, id_)["person"] != actor:
                raise SealNotYoursError(why="Another person was asked.", why_zh="该审批不属于此人。")
            salt = bytes(store.signer_row(connection, actor)["salt"])
        # Before the transaction: it takes a tenth of a second, in which nobody else should wait.
        locks = self.locks(actor, pin[:256], salt)
        opened: list[Sm2PrivateKey] = []
        now = self.clock()
        with self.control.writing() as connection:
            row = store.approval_row(connection, id_, hold=True)
            signer = store.signer_row(connection, actor, hold=True)
            if signer["failures"] >= MAX_ATTEMPTS:
                raise SignerLockedError
            step = int(signer["otp_step"])

            def check(person: str, challenge: bytes, proof: bytes) -> None:
                del person, challenge
                nonlocal step
                step = otp.check(self.otp_secret(signer), proof.decode(), at=now, last_step=step)
                opened.append(self.open_key(signer, locks))

            with told():
                given = password[:MAX_OTP].encode("ascii", "replace")
                approval = cloud.approve(store.approval_of(row), by=actor, proof=given, check=check, at=now)
            failures = 0 if opened else signer["failures"] + 1
            # A password that was right is used up, even where the PIN was wrong: it is good for one guess alone.
            store.change_signer(connection, actor, signer["number"], otp_step=step, failures=failures)
            self._moved(connection, row, approval, actor, now)
        if not opened:
            left = max(0, MAX_ATTEMPTS - max(failures, approval.failures))
            raise SignerLockedError if not left else ProofRefusedError(left=left)
        return Opened(id_, actor, opened[0], bytes.fromhex(signer["certificates"][0]))

    def decline(self, id_: str, *, by: Actor | str) -> dict[str, Any]:
        """The person asked says no. Raises: as `approve`."""
        actor = str(by if isinstance(by, Actor) else Actor.parse(by))
        with self.control.writing() as connection:
            row, now = store.approval_row(connection, id_, hold=True), self.clock()
            with told():
                approval = cloud.decline(store.approval_of(row), by=actor, at=now)
            self._moved(connection, row, approval, actor, now)
        return self.approval(id_)

    def sign(self, opened: Opened, document: bytes, *, place: Place | None = None) -> Stamped:
        """Steps 3 and 4: spend the approval on *document*, the one it was asked for, and sign.

        Raises:
            SealStateRefusedError: it is spent, or has ended, or the seal is not in use any more.
            SealOrderError: it was given for another document.
        """
        with self.control.reading() as connection:
            asked = store.approval_row(connection, opened.approval)
            row = store.seal_row(connection, asked["seal"])
        require_usable(row)
        uses: list[str] = []

        def signature(digest: bytes, path: str) -> SESSignature:
            def sign(data: bytes) -> bytes:
                uses.append(self._spend(opened, asked, digest))
                return opened.key.sign(data)

            signer = make.SealSigner(opened.certificate, SM2_SM3, sign)
            made = store.parsed(bytes(row["made"]))
            # The time of the request: by it the document's digest was made, and it lies within the ten minutes.
            return make.apply_seal(
                made, signer, document_digest=digest, at=_second(asked["asked_at"]), property_info=path
            )

        with told():
            if asked["form"] == PDF:
                return self._sign_pdf(opened, asked, row, document, place)
            if asked["form"] == DIGEST:
                applied = signature(document, PLAIN_DIGEST)
                self.mark(uses[0], applied.signature)
                return Stamped(DIGEST, applied.raw, uses[0])
            done: list[SESSignature] = []

            def sign_file(digest: bytes) -> bytes:
                done.append(signature(digest, SIGNATURE_PATH))
                return done[0].raw

            sealed = seal_ofd(document, row, _second(asked["asked_at"]), place, sign_file)
        self.mark(uses[0], done[0].signature)
        return Stamped(OFD, sealed, uses[0])

    def approve_and_sign(self, id_: str, document: bytes, *, by: Actor | str, pin: str, password: str) -> Stamped:
        """Steps 2 to 4. That the document is the one asked about is looked at before the proof.

        Raises: as `approve` and `sign`.
        """
        with self.control.reading() as connection:
            asked = store.approval_row(connection, id_)
            row = store.seal_row(connection, asked["seal"])
            signer = store.signer_row(connection, asked["person"])
        if self._digest(row, signer, document, asked["asked_at"])[1].hex() != asked["document_digest"]:
            why = "This is another document than the one the request is about."
            raise SealOrderError(why=why, why_zh="该文件不是申请签署的文件。")
        return self.sign(self.approve(id_, by=by, pin=pin, password=password), document)

    def _sign_pdf(
        self, opened: Opened, asked: dict[str, Any], row: dict[str, Any], document: bytes, place: Place | None
    ) -> Stamped:
        """A PDF by PAdES (B-B) with the person's own certificate; the picture of the seal is what readers show."""
        with self.control.reading() as connection:
            key = SigningKey(SM2_SM3, opened.key, _chain(store.signer_row(connection, opened.person)))
        recording = Recording(lambda: self._spend(opened, asked, sm3(document)), key.sign)
        signer = DocumentSigner(key.suite, key.chain_der, recording.sign)
        sealed = _sealed_pdf(row, document, signer, at=self.clock(), reason=asked["purpose"], place=place)
        self.mark(recording.uses[0], sealed)
        return Stamped(PDF, sealed, recording.uses[0])

    def _digest(self, row: dict[str, Any], signer: dict[str, Any], document: bytes, at: datetime) -> tuple[str, bytes]:
        """The form of a document, and the digest that is approved: of a PDF, of the file as it was handed in.

        That it can be signed is tried here, without a key: nobody shall be asked for what cannot be done.
        """
        form = form_of(document)
        if form == DIGEST:
            return form, document
        if form == PDF:
            chain = tuple(one.public_bytes(Encoding.DER) for one in _chain(signer))
            with told():
                unsigned = DocumentSigner(SM2_SM3, chain, lambda _: bytes(64))
                _sealed_pdf(row, document, unsigned, at=at, reason="-", place=None)
            return form, sm3(document)
        seen: list[bytes] = []

        def look(digest: bytes) -> bytes:
            seen.append(digest)
            return b""

        with told():
            seal_ofd(document, row, _second(at), None, look)
        return form, seen[0]

    def _spend(self, opened: Opened, asked: dict[str, Any], digest: bytes) -> str:
        with self.control.writing() as connection:
            row, now = store.approval_row(connection, opened.approval, hold=True), self.clock()
            approval = cloud.spend(
                store.approval_of(row), by=opened.person, seal=row["seal"], document_digest=digest, at=now
            )
            signer = store.signer_row(connection, opened.person)
            if bytes.fromhex(signer["certificates"][0]) != opened.certificate:
                why = "This key was replaced meanwhile."
                raise SealStateRefusedError(why=why, why_zh="该密钥已被更换。")
            store.change_approval(connection, opened.approval, state=approval.state.value)
            return self.recorded(
                connection,
                row["seal"],
                opened.person,
                form=asked["form"],
                digests=(digest,),
                purpose=row["purpose"],
                approval=opened.approval,
            )

    def _moved(
        self, connection: sa.Connection, row: dict[str, Any], approval: cloud.Approval, actor: str, now: datetime
    ) -> None:
        recorded = self.evidence.append(
            "seal.approval",
            actor=actor,
            resource=row["seal"],
            facts={
                "approval": row["id"],
                "seal": row["seal"],
                "state": approval.state.value,
                "failures": approval.failures,
            },
            at=now,
        )
        store.change_approval(
            connection,
            row["id"],
            state=approval.state.value,
            failures=approval.failures,
            log_index=recorded.index,
        )


def waiting_for(control: Control, person: str, at: datetime) -> int:
    """How many requests *person* may still answer at *at*; to be asked often, without opening the office of seals."""
    table = SealApprovalRow.__table__
    return _count(control, [table.c.person == person, table.c.state == cloud.State.ASKED.value, table.c.ends_at > at])


def _count(control: Control, wanted: Sequence[sa.ColumnElement[bool]]) -> int:
    query = sa.select(sa.func.count()).select_from(SealApprovalRow.__table__).where(*wanted)
    with control.reading() as connection:
        return int(connection.execute(query).scalar_one())


def _sealed_pdf(
    row: dict[str, Any], document: bytes, signer: DocumentSigner, *, at: datetime, reason: str, place: Place | None
) -> bytes:
    return seal_pdf(
        document,
        signer,
        signed_at=_second(at),
        seal_png=bytes(row["picture"]),
        place=pdf_place(row, place),
        name=row["name"],
        reason=reason,
    )


def _chain(signer: dict[str, Any]) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_der_x509_certificate(bytes.fromhex(one)) for one in signer["certificates"])


def _require_title(title: str) -> None:
    if len(title) > MAX_TITLE or not (title.isprintable() or not title) or PERSONAL.search(title):
        why = f"A title has at most {MAX_TITLE} characters, and no number of seven digits or more."
        raise SealOrderError(why=why, why_zh=f"文件标题不超过 {MAX_TITLE} 个字符，且不得含有七位以上的号码。")


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "asked_at": row["asked_at"].isoformat(), "ends_at": row["ends_at"].isoformat()}
