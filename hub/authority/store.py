"""The licence side's keys as issuing, seals, documents and verifiers ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.authority import register, second
from hub.authority.errors import SigningKeyMissingError
from hub.authority.making import Making, Wish
from hub.authority.names import (
    SEAL_MAKER,
    STATUS,
    TIME_STAMPS,
    WALLET_STATUS,
    custodian_key,
    department_key,
    documents_key,
    wallets_key,
)
from hub.authority.register import ROOT_ROLE
from hub.published import current_list
from licence.authority import Role
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from licence.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography import x509

    from audit.verifiers import PublicKey
    from catalog.model import Department
    from licence.keys import SigningKey


class KeyStore(Making):
    """The licence keys of one deployment. Safe for many threads and processes.

    What is not there yet (the first `custodian` of a department) is made on asking, in a transaction of its own: ask
    before you open one.
    """

    def prepare(self, issuers: Iterable[Department], operator: Department, now: datetime) -> None:
        """Make what is missing (see `Making.prepare`), and remember who the departments are."""
        issuers = tuple(issuers)
        self._known = {d.code: d for d in (*issuers, operator)}
        super().prepare(issuers, operator, now)

    def root(self) -> x509.Certificate:
        """The first of `roots`."""
        return self.roots()[0]

    def roots(self) -> tuple[x509.Certificate, ...]:
        """The roots a verifier pins, former ones too, the one for P-256 first."""
        found = [k for k in self.kept() if k.role == ROOT_ROLE and k.revoked_at is None]
        return tuple(k.certificate for k in sorted(found, key=lambda k: (k.suite != ECDSA_P256_SHA256, k.suite)))

    def certificates(self) -> tuple[bytes, ...]:
        """The certificates of all authorities, former ones too, DER: by them a verifier finds a chain."""
        return tuple(k.der for k in self.kept() if k.authority)

    def signers(self) -> tuple[bytes, ...]:
        """The certificates by which licences and status lists are signed, former ones too, DER.

        A QR code and a status list as CWT only name theirs.
        """
        return tuple(k.der for k in self.kept() if k.role in {Role.LICENCES, Role.STATUS})

    def crls(self) -> tuple[bytes, ...]:
        """The newest revocation list of each authority, DER."""
        with self.control.reading() as connection:
            return tuple(row["der"] for row in register.newest_lists(connection))

    def suites(self) -> frozenset[str]:
        """The suites that verifiers of this hub's licences allow: those of its certificates."""
        return frozenset(k.suite for k in self.kept())

    def publish(self, log_verifiers: Iterable[PublicKey]) -> None:
        """Write what a verifier pins, and beside it what helps it: certificates of authorities, revocation lists."""
        TrustStore(
            anchors=self.roots(),
            log_verifiers=tuple(log_verifiers),
            suites=self.suites(),
            certificates=(*self.certificates(), *self.signers()),
            crls=self.crls(),
            second_keys=second.pins(self.settings),
        ).save(self.settings.trust)

    def department(self, code: str) -> SigningKey:
        """The key with which a department signs licences; its certificate carries the department's USCC."""
        return self.signing(department_key(code), self.policy)

    def status(self) -> SigningKey:
        """The key with which the hub's operator signs status lists."""
        return self.signing(STATUS, self.policy)

    def wallets(self, code: str) -> SigningKey:
        """The key with which a department signs licences for wallets, which read P-256; made on first asking.

        Raises:
            SigningKeyMissingError: others keep the department's key, and none of P-256 for wallets beside it.
        """
        if self.policy == ECDSA_P256_SHA256:
            return self.department(code)
        name, named = wallets_key(code), self.named()
        if department_key(code) in named and name not in named:
            raise SigningKeyMissingError(name=name, suite=ECDSA_P256_SHA256)
        return self._on_asking(name, Role.LICENCES, code, ECDSA_P256_SHA256)

    def wallet_status(self) -> SigningKey:
        """The key with which the hub's operator signs status lists for wallets (P-256).

        Raises:
            SigningKeyMissingError: others keep the operator's key, and none of P-256 for wallets beside it.
        """
        if self.policy == ECDSA_P256_SHA256:
            return self.status()
        return self.signing(WALLET_STATUS, ECDSA_P256_SHA256)

    def seal_maker(self) -> SigningKey:
        """The key with which electronic seals are made (SM2)."""
        return self.signing(SEAL_MAKER, SM2_SM3)

    def time_stamps(self) -> SigningKey:
        """The key of the hub's own time stamps."""
        return self.signing(TIME_STAMPS, ECDSA_P256_SHA256)

    def custodian(self, custodian: str) -> SigningKey:
        """The key with which a keeper of seals (``DEPARTMENT:POST``) signs (SM2); made on first asking."""
        return self._on_asking(self.custodian_name(custodian), Role.SEALS, custodian.partition(":")[0], SM2_SM3)

    def custodian_name(self, custodian: str) -> str:
        """What the key of a keeper of seals is called: each has one of their own.

        Others may keep one for all keepers of a department (``signers.yaml``): that one, unless they name the keeper's.
        """
        own, shared, named = custodian_key(custodian), custodian_key(custodian.partition(":")[0]), self.named()
        return shared if shared in named and own not in named else own

    def documents(self, code: str) -> SigningKey:
        """The key with which a department signs PDF documents (P-256); made on first asking."""
        return self._on_asking(documents_key(code), Role.DOCUMENTS, code, ECDSA_P256_SHA256)

    def _on_asking(self, name: str, role: Role, code: str, suite: str) -> SigningKey:
        if not any(k.name == name and k.suite == suite for k in self.kept()):
            department = self.known_department(code)
            with self.changing() as connection:
                self.first_leaf(connection, Wish(name, role, department, suite), self.clock())
        return self.signing(name, suite)

    def known_department(self, code: str) -> Department:
        """The department with this code: one that keys were prepared for, or one of the list in force.

        Raises:
            KeyError: there is none.
        """
        known: dict[str, Department] = getattr(self, "_known", {})
        return known[code] if code in known else current_list(self.settings, self.control).departments_by_code[code]
