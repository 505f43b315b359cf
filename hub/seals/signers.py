"""Persons who sign remotely, each with a key of their own, and the second thing they prove a wish with.

A key opens with the person's PIN and a secret of the hub *together*: who has the hub's disk and keyring lacks the PIN,
who has the PIN lacks the hub. The one-time passwords (`licence.seals.otp`) open nothing; they show that the person who
has the telephone wants this now. A lost PIN is not recovered: the person gets another key, and the old certificate is
revoked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hub.actors import Actor
from hub.authority import BASE_URI, register, revocations
from hub.control import SealRow, SealSignerRow, row_dict
from hub.seals import store
from hub.seals.automatic import Automating
from hub.seals.desk import of_department
from hub.seals.errors import SealNotYoursError, SealOrderError, SealStateRefusedError
from hub.seals.words import ACTIVE, ENDED
from licence.authority import Role, certify_leaf
from licence.crl import Reason
from licence.errors import SealProofError
from licence.seals import otp
from licence.seals.cloud import MAX_ATTEMPTS
from licence.seals.register import State
from licence.sm2 import Sm2PrivateKey
from licence.suites import SM2_SM3

if TYPE_CHECKING:
    from datetime import datetime

    from catalog.model import Department
    from licence.keys import SigningKey

# RFC 7914 with 32 MiB and some 100 ms: guessing a PIN needs the hub's secret first, and is slow even then.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
MIN_PIN, MAX_PIN = 6, 64
SALT_BYTES, NONCE_BYTES = 16, 12
SIGNER_DAYS: Final = 730
SECRET: Final = "seal-signers"  # noqa: S105 - the name of a secret
KEY_NAME: Final = "signer-"
# In the register of certificates: the key is not one of the key store's files.
KEEPER: Final = "seals"
BACKDATE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new key of a person. *otp_uri* is for the person's authenticator, is told once and kept nowhere readable."""

    person: str
    number: int
    certificate: bytes
    otp_uri: str = field(repr=False)


class Signers(Automating):
    """The room where persons get keys."""

    def add_signer(self, person: Actor | str, pin: str, *, by: Actor | str, office: bool = False) -> Enrolled:
        """Register *person* (a post's pseudonym, never a name) with a key of their own under *pin*.

        Raises:
            SealStateRefusedError: the person has a key in force.
            SealOrderError: the PIN is too short or too plain.
        """
        with self.control.reading() as connection:
            if store.is_signer(connection, str(person)):
                why = "This signer is registered. For a lost PIN ask for a new key."
                raise SealStateRefusedError(why=why, why_zh="该签名人已登记。如遗失 PIN 码，请申请新密钥。")
        return self._enrol(person, pin, by=by, office=office, ground="")

    def renew_signer(
        self, person: Actor | str, pin: str, *, by: Actor | str, ground: str, office: bool = False
    ) -> Enrolled:
        """Give *person* another key, for a lost PIN or telephone: the old certificate is revoked, its seals disabled.

        The seals get new versions by `transfer` to the same person.

        Raises:
            SealUnknownError: no such signer. SealOrderError: as `add_signer`, or no ground.
        """
        if not ground.strip():
            why = "Say why: a ground is wanted."
            raise SealOrderError(why=why, why_zh="请说明依据。")
        with self.control.reading() as connection:
            store.signer_row(connection, str(person))
        if str(by) == str(person):
            why = "Another person of the department must do this: a certificate is revoked by two."
            raise SealNotYoursError(why=why, why_zh="须由本部门另一人办理：撤销证书须两人。")
        return self._enrol(person, pin, by=by, office=office, ground=ground)

    def signers(self, department: str | None = None) -> list[dict[str, Any]]:
        """The keys of persons, ended ones too; nothing that opens them."""
        table = SealSignerRow.__table__
        query = sa.select(table).order_by(table.c.person, table.c.number)
        if department is not None:
            query = query.where(table.c.department == department)
        with self.control.reading() as connection:
            rows = [row_dict(row) for row in connection.execute(query)]
        return [
            {
                "person": row["person"],
                "number": row["number"],
                "department": row["department"],
                "state": row["state"],
                "serial": row["serial"],
                "created_at": row["created_at"].isoformat(),
                "ended_at": row["ended_at"].isoformat() if row["ended_at"] else None,
                "locked": row["state"] == ACTIVE and row["failures"] >= MAX_ATTEMPTS,
                "log_index": row["log_index"],
            }
            for row in rows
        ]

    def _enrol(self, person: Actor | str, pin: str, *, by: Actor | str, office: bool, ground: str) -> Enrolled:
        who = person if isinstance(person, Actor) else Actor.parse(person)
        actor = of_department(by, who.department, office=office)
        _require_pin(pin)
        department, name, now = self.department(who.department), str(who), self.clock()
        private = Sm2PrivateKey.generate()
        salt, secret = self.random(SALT_BYTES), self.random(otp.SECRET_BYTES)
        locks = self.locks(name, pin, salt)
        gone = self._revoke_former(name, actor, ground) if ground else frozenset()
        key = self._certified(private, department, now)
        # From here on the certificate is in the register of certificates; a crash leaves one whose key nobody has.
        with self.control.writing() as connection:
            query = sa.select(SealSignerRow.__table__).where(SealSignerRow.person == name)
            former = [row_dict(row) for row in connection.execute(query.with_for_update())]
            number = max((row["number"] for row in former), default=0) + 1
            revoked = [row for row in former if row["state"] == ACTIVE]
            if revoked and not ground:
                # Two who register the same person at once: the second is told so.
                why = "This signer is registered."
                raise SealStateRefusedError(why=why, why_zh="该签名人已登记。")
            if any(row["number"] not in gone for row in revoked):
                # Two who renew the same person at once: what the second would end was made since it looked.
                why = "This signer got another key meanwhile."
                raise SealStateRefusedError(why=why, why_zh="该签名人的密钥刚被更换。")
            for row in revoked:
                store.change_signer(connection, name, row["number"], state=ENDED, ended_at=now)
                self.evidence.append(
                    "seal.signer.ended",
                    actor=actor,
                    facts={
                        "signer": name,
                        "number": row["number"],
                        "serial": row["serial"],
                        "reason": Reason.SUPERSEDED.value,
                    },
                    body={"ground": ground},
                    at=now,
                )
            certificates = [der.hex() for der in key.chain_der]
            serial = f"{key.certificate.serial_number:x}"
            recorded = self.evidence.append(
                "seal.signer.added", actor=actor, facts={"signer": name, "number": number, "serial": serial}, at=now
            )
            nonces = self.random(NONCE_BYTES), self.random(NONCE_BYTES)
            values = {
                "person": name,
                "number": number,
                "department": department.code,
                "state": ACTIVE,
                "certificates": certificates,
                "serial": serial,
                "salt": salt,
                "key": nonces[0] + AESGCM(locks[0]).encrypt(nonces[0], private.to_pem(locks[1]), salt),
                "otp": nonces[1] + AESGCM(self._otp_key()).encrypt(nonces[1], secret, salt),
                "otp_step": 0,
                "failures": 0,
                "created_at": now,
                "ended_at": None,
                "log_index": recorded.index,
            }
            connection.execute(sa.insert(SealSignerRow).values(**values))
            if revoked:
                held = sa.select(SealRow.code).where(SealRow.custodian == name, SealRow.state == State.IN_USE.value)
                for code in connection.execute(held).scalars().all():
                    self._disable(connection, code, actor, ground, now)
        if revoked:
            self.publish()
        uri = otp.enrolment_uri(secret, account=name, issuer="Zhengtong")
        return Enrolled(name, number, key.chain_der[0], uri)

    def locks(self, person: str, pin: str, salt: bytes) -> tuple[bytes, bytes]:
        """The two keys of a person's key file: both come of PIN and hub secret, so neither opens it alone. Slow."""
        stretched = Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(pin.encode())
        made = HKDF(SHA256(), 64, salt=stretched, info=b"seal-signer/1\0" + person.encode()).derive(
            self.keyring.secret(SECRET)
        )
        return made[:32], made[32:].hex().encode()

    def open_key(self, row: dict[str, Any], locks: tuple[bytes, bytes]) -> Sm2PrivateKey:
        """The person's key.

        Raises:
            SealProofError: the PIN is wrong.
        """
        try:
            pem = AESGCM(locks[0]).decrypt(row["key"][:NONCE_BYTES], row["key"][NONCE_BYTES:], row["salt"])
        except InvalidTag:
            raise SealProofError from None
        return Sm2PrivateKey.from_pem(pem, locks[1])

    def otp_secret(self, row: dict[str, Any]) -> bytes:
        """What the person's one-time passwords are made of."""
        return AESGCM(self._otp_key()).decrypt(row["otp"][:NONCE_BYTES], row["otp"][NONCE_BYTES:], row["salt"])

    def _otp_key(self) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"seal-signer-otp/1").derive(self.keyring.secret(SECRET))

    def _certified(self, private: Sm2PrivateKey, department: Department, now: datetime) -> SigningKey:
        """A certificate under the SM2 authority, entered where the others are, so that its revocation lists know it."""
        with self.keys.changing() as connection:
            issuing = self.keys.issuing(connection, SM2_SM3, now)
            starts = max(now - BACKDATE, issuing.certificate.not_valid_before_utc)
            serial = x509.random_serial_number()
            key = certify_leaf(
                issuing,
                private,
                role=Role.SEALS,
                # A certificate is in every signature: it names the department, and the person by its number alone.
                name=department.name,
                uscc=department.uscc,
                uri=f"{BASE_URI}/{department.code}/signers/{serial:x}",
                starts=starts,
                ends=min(starts + timedelta(days=SIGNER_DAYS), issuing.certificate.not_valid_after_utc),
                serial=serial,
            )
            entry = register.entry(
                key.certificate,
                issuing.certificate,
                name=f"{KEY_NAME}{serial:x}",
                role=Role.SEALS.value,
                suite=SM2_SM3,
                number=1,
                signs_from=now,
                department=department.code,
                keeper=KEEPER,
            )
            register.insert(connection, entry)
        return key

    def _revoke_former(self, person: str, actor: str, ground: str) -> frozenset[int]:
        """Revoke the certificates of a person's keys in force, before they are ended; their numbers.

        It goes first: a crash after it leaves a key whose signatures nobody accepts, and asking for the new key again
        goes on from there. The other way round a key would be ended here and good to everybody else.
        """
        query = sa.select(SealSignerRow.__table__).where(SealSignerRow.person == person, SealSignerRow.state == ACTIVE)
        with self.control.reading() as connection:
            rows = [row_dict(row) for row in connection.execute(query)]
        for row in rows:
            self._revoke(row, actor, ground)
        return frozenset(row["number"] for row in rows)

    def _revoke(self, row: dict[str, Any], actor: str, ground: str) -> None:
        """Put the certificate of an ended key on its authority's list. The person and who acts for them are the two."""
        certificate = x509.load_der_x509_certificate(bytes.fromhex(row["certificates"][0]))
        order = revocations.Order(reason=Reason.SUPERSEDED, ground=ground, by=actor, second=row["person"])
        revocations.revoke(self.keys, self.evidence, register.key_id_of(certificate), order)


def _require_pin(pin: str) -> None:
    plain = len(set(pin)) < 3 or pin in "01234567890" or pin in "09876543210"  # noqa: PLR2004 - 111111, 121212
    if not MIN_PIN <= len(pin) <= MAX_PIN or not pin.isascii() or not pin.isprintable() or plain:
        why = f"A PIN has {MIN_PIN} to {MAX_PIN} characters and is no plain row of digits."
        raise SealOrderError(
            why=why, why_zh=f"PIN 码应为 {MIN_PIN} 至 {MAX_PIN} 个字符，且不能是简单的重复或顺序数字。"
        )
