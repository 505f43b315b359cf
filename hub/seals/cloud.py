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

from hub.actors import Actor
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
from hub.seals.using import PLAIN_DIGEST, Place, Stamped, form_of, require_usable, seal_ofd
from hub.seals.words import DIGEST, OFD, PDF
from licence.ofd.seal import SIGNATURE_PATH
from licence.seals import cloud, make, otp
from licence.seals.cloud import MAX_ATTEMPTS
from licence.suites import SM2_SM3

if TYPE_CHECKING:
    from datetime import datetime

    from licence.seals.structure import SESSignature
    from licence.sm2 import Sm2PrivateKey

MAX_OTP: Final = 16
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

    def ask(self, code: str, document: bytes, *, purpose: str, by: Actor | str, office: bool = False) -> dict[str, Any]:
        """Ask the keeper of seal *code* to sign *document* (an OFD, or 32 bytes of an SM3 digest); the request.

        Raises:
            SealOrderError: the seal's keeper has no key of their own, or the document cannot be signed so.
            SealStateRefusedError: the seal is not in use, or its keeper is locked.
        """
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
            personal = store.is_signer(connection, row["custodian"])
            signer = store.signer_row(connection, row["custodian"]) if personal else None
        actor = of_department(by, row["department"], office=office)
        if signer is None:
            why = "The keeper of this seal has no key of their own; its custodian uses it directly."
            raise SealOrderError(why=why, why_zh="该印章的保管人没有个人密钥，由保管人直接用印。")
        require_usable(row)
        if signer["failures"] >= MAX_ATTEMPTS:
            raise SignerLockedError
        now = self.clock()
        form, digest = self._digest(row, document, now)
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
                body={"purpose": purpose, "digest": digest.hex()},
                at=now,
            )
            values = {
                "id": asked.id.hex(),
                "person": asked.person,
                "seal": code,
                "form": form,
                "document_digest": digest.hex(),
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

    def approvals(self, person: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """The requests to a person, the newest first."""
        table = SealApprovalRow.__table__
        query = sa.select(table).where(table.c.person == person).order_by(table.c.asked_at.desc(), table.c.id)
        with self.control.reading() as connection:
            return [_plain(row_dict(row)) for row in connection.execute(query.limit(min(limit, 500)))]

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
        if self._digest(row, document, asked["asked_at"])[1].hex() != asked["document_digest"]:
            why = "This is another document than the one the request is about."
            raise SealOrderError(why=why, why_zh="该文件不是申请签署的文件。")
        return self.sign(self.approve(id_, by=by, pin=pin, password=password), document)

    def _digest(self, row: dict[str, Any], document: bytes, at: datetime) -> tuple[str, bytes]:
        """The form of a document, and the digest that a signature over it will be of."""
        form = form_of(document)
        if form == PDF:
            why = "A PDF is signed by the department's document key, not by a person's seal; give an OFD or a digest."
            raise SealOrderError(why=why, why_zh="PDF 由部门文件密钥签署，不使用个人印章；请提供 OFD 或摘要。")
        if form == DIGEST:
            return form, document
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


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "asked_at": row["asked_at"].isoformat(), "ends_at": row["ends_at"].isoformat()}
