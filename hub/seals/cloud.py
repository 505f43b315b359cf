"""Cloud signatures (云签): a person is asked for one signature, approves it with PIN and one-time password, and signs.

The steps, by number, each durable before the next:

    1. the request, for one person, one seal and one document's digest; open for ten minutes
    2. the proof: approved, or one more failure, which is kept whatever happens then
    3. the approval is spent and the use written down, in one transaction
    4. the signature, with the person's own key, which only the PIN that was just given opens

Step 1 is `hub.seals.asking`'s; what an approval allows, `licence.seals.cloud`'s. A crash after 2 leaves an approval
that ends by itself, since the key is gone with the process; after 3 a use of which no signature is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hub.actors import Actor
from hub.seals import store
from hub.seals.asking import Asking, chain_of, sealed_pdf, second_of
from hub.seals.errors import (
    ProofRefusedError,
    SealNotYoursError,
    SealOrderError,
    SealStateRefusedError,
    SignerLockedError,
    told,
)
from hub.seals.using import (
    PLAIN_DIGEST,
    DocumentSigner,
    Place,
    Recording,
    Stamped,
    require_usable,
    seal_ofd,
)
from hub.seals.words import DIGEST, OFD, PDF
from licence.keys import SigningKey
from licence.ofd.seal import SIGNATURE_PATH
from licence.seals import cloud, make, otp
from licence.seals.algorithms import sm3
from licence.seals.cloud import MAX_ATTEMPTS
from licence.suites import SM2_SM3

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from licence.seals.structure import SESSignature
    from licence.sm2 import Sm2PrivateKey

MAX_OTP: Final = 16


@dataclass(frozen=True, slots=True)
class Opened:
    """An approval that was given in this process, with the person's key, which it alone holds."""

    approval: str
    person: str
    key: Sm2PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)


class Cloud(Asking):
    """The room of remote signatures."""

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
                made, signer, document_digest=digest, at=second_of(asked["asked_at"]), property_info=path
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

            sealed = seal_ofd(document, row, second_of(asked["asked_at"]), place, sign_file)
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
        if self.digest_of(row, signer, document, asked["asked_at"])[1].hex() != asked["document_digest"]:
            why = "This is another document than the one the request is about."
            raise SealOrderError(why=why, why_zh="该文件不是申请签署的文件。")
        return self.sign(self.approve(id_, by=by, pin=pin, password=password), document)

    def _sign_pdf(
        self, opened: Opened, asked: dict[str, Any], row: dict[str, Any], document: bytes, place: Place | None
    ) -> Stamped:
        """A PDF by PAdES (B-B) with the person's own certificate; the picture of the seal is what readers show."""
        with self.control.reading() as connection:
            key = SigningKey(SM2_SM3, opened.key, chain_of(store.signer_row(connection, opened.person)))
        recording = Recording(lambda: self._spend(opened, asked, sm3(document)), key.sign)
        signer = DocumentSigner(key.suite, key.chain_der, recording.sign)
        sealed = sealed_pdf(row, document, signer, at=self.clock(), reason=asked["purpose"], place=place)
        self.mark(recording.uses[0], sealed)
        return Stamped(PDF, sealed, recording.uses[0])

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
