"""Makes the keys that are missing: for each suite a hierarchy of root, issuing CA and leaves by role.

A key and its certificate are one file, so neither is ever without the other. The file goes before the row, and only
rows say what signs: a crash between leaves a file that nobody uses, and that the next to make the same one takes up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509

from hub.authority import register, signers
from hub.authority.errors import RootApartError, SigningKeyMissingError
from hub.authority.keeping import Keeping, sm2_signs
from hub.authority.names import (
    BASE_URI,
    ISSUING,
    ROOT,
    SEAL_MAKER,
    STATUS,
    TIME_STAMPS,
    WALLET_STATUS,
    department_key,
)
from hub.authority.register import ISSUING_ROLE, ROOT_ROLE
from licence.authority import Role, certify_authority, certify_leaf, create_root
from licence.keys import generate_private_key, read_key, write_key
from licence.suites import ECDSA_P256_SHA256, ED25519, SM2_SM3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from catalog.model import Department
    from hub.authority.register import Kept
    from licence.keys import SigningKey

ROOT_DAYS, ISSUING_DAYS, LEAF_DAYS = 3650, 1825, 1095
# Certificates begin a little in the past, so that a verifier whose clock is behind still finds them valid.
BACKDATE: Final = timedelta(minutes=10)
SUITE_IN_NAME: Final = {ECDSA_P256_SHA256: "", SM2_SM3: " SM2", ED25519: " Ed25519"}


@dataclass(frozen=True, slots=True)
class Wish:
    """A leaf that there should be: its name, what it may sign, whose it is, and of which suite."""

    name: str
    role: Role
    department: Department
    suite: str


class Making(Keeping):
    """The room where keys are made. Safe for many processes: one at a time makes them."""

    def prepare(self, issuers: Iterable[Department], operator: Department, now: datetime) -> None:
        """Make what is missing: hierarchies, a leaf per issuing department, the operator's leaves.

        A crash leaves the keys made so far; the next call makes the rest under the same roots.

        Raises:
            RootApartError: an issuing CA is missing, and the root that would certify it is kept apart.
        """
        policy = self.policy
        wanted = [Wish(department_key(d.code), Role.LICENCES, d, policy) for d in issuers]
        wanted.append(Wish(STATUS, Role.STATUS, operator, policy))
        wanted.append(Wish(TIME_STAMPS, Role.TIME_STAMPS, operator, ECDSA_P256_SHA256))
        if sm2_signs():
            wanted.append(Wish(SEAL_MAKER, Role.SEAL_MAKING, operator, SM2_SM3))
        kept, named = self.kept(), self.named()
        # Whose status key others keep names to us that for wallets, too: one of ours beside it is not what was meant.
        if policy != ECDSA_P256_SHA256 and STATUS not in named:
            wanted.append(Wish(WALLET_STATUS, Role.STATUS, operator, ECDSA_P256_SHA256))
        known = {(k.name, k.suite) for k in kept}
        entered = {k.key_id for k in kept}
        if all(one.key_id in entered for one in named.values()) and all((w.name, w.suite) in known for w in wanted):
            return
        with self.changing() as connection:
            for one in named.values():
                signers.enter(connection, one, now)
            for wish in wanted:
                self.first_leaf(connection, wish, now)

    def first_leaf(self, connection: Connection, wish: Wish, now: datetime) -> None:
        """Make the first leaf of a name, if it has none. Within `changing`."""
        if any(k.name == wish.name and k.suite == wish.suite for k in register.all_kept(connection)):
            return
        if wish.name in self.named():
            # Its keeper has it with a key of another suite; a key of ours beside it would not be what was meant.
            raise SigningKeyMissingError(name=wish.name, suite=wish.suite)
        self.leaf(connection, wish, now)

    def leaf(self, connection: Connection, wish: Wish, now: datetime, *, signs_from: datetime | None = None) -> Kept:
        """Make the next leaf of a name, which signs from *signs_from* (default: *now*). Within `changing`."""
        issuing = self.issuing(connection, wish.suite, now)
        starts = now - BACKDATE

        def make() -> SigningKey:
            return certify_leaf(
                issuing,
                generate_private_key(wish.suite),
                role=wish.role,
                name=wish.department.name,
                uscc=wish.department.uscc,
                uri=f"{BASE_URI}/{wish.department.code}",
                starts=max(starts, issuing.certificate.not_valid_before_utc),
                ends=min(starts + timedelta(days=LEAF_DAYS), issuing.certificate.not_valid_after_utc),
                serial=x509.random_serial_number(),
            )

        return self._made(
            connection,
            make,
            name=wish.name,
            role=wish.role.value,
            suite=wish.suite,
            department=wish.department.code,
            signs_from=signs_from or now,
            issuer=issuing,
        )

    def issuing(self, connection: Connection, suite: str, now: datetime) -> SigningKey:
        """The issuing CA of *suite* in force; made under its root when there is none. Within `changing`."""
        found = register.in_force(_ours(connection), ISSUING, suite, now)
        if found is not None:
            return self.open(found)
        return self.open(self.next_issuing(connection, self.root_key(connection, suite, now), suite, now))

    def root_key(self, connection: Connection, suite: str, now: datetime) -> SigningKey:
        """The root of *suite* with its key; made when there is none. Within `changing`.

        Raises:
            RootApartError: its key is kept apart.
        """
        roots = [k for k in register.all_kept(connection) if k.name == ROOT and k.suite == suite]
        found = register.in_force(roots, ROOT, suite, now)
        if found is not None:
            return self.open(found)
        if roots:
            raise RootApartError(name=ROOT)
        starts, name = now - BACKDATE, f"Zhengtong Root CA{SUITE_IN_NAME[suite]}"

        def make() -> SigningKey:
            return create_root(
                generate_private_key(suite),
                name=name,
                starts=starts,
                ends=starts + timedelta(days=ROOT_DAYS),
                serial=x509.random_serial_number(),
            )

        return self.open(
            self._made(connection, make, name=ROOT, role=ROOT_ROLE, suite=suite, signs_from=now, issuer=None)
        )

    def next_issuing(
        self, connection: Connection, root: SigningKey, suite: str, now: datetime, signs_from: datetime | None = None
    ) -> Kept:
        """Make the next issuing CA under *root*. Within `changing`."""
        number = register.next_number(register.all_kept(connection), ISSUING, suite)
        name = f"Zhengtong Issuing CA{SUITE_IN_NAME[suite]}{'' if number == 1 else f' G{number}'}"
        starts = max(now - BACKDATE, root.certificate.not_valid_before_utc)

        def make() -> SigningKey:
            return certify_authority(
                root,
                generate_private_key(suite),
                name=name,
                starts=starts,
                ends=min(starts + timedelta(days=ISSUING_DAYS), root.certificate.not_valid_after_utc),
                serial=x509.random_serial_number(),
            )

        return self._made(
            connection, make, name=ISSUING, role=ISSUING_ROLE, suite=suite, signs_from=signs_from or now, issuer=root
        )

    def _made(
        self,
        connection: Connection,
        make: Callable[[], SigningKey],
        *,
        name: str,
        role: str,
        suite: str,
        signs_from: datetime,
        issuer: SigningKey | None,
        department: str = "",
    ) -> Kept:
        number = register.next_number(register.all_kept(connection), name, suite)
        path = self.path(name, suite, number)
        key = read_key(path, self.passphrase) if path.exists() else None
        if key is None or (issuer is not None and key.chain[1:2] != issuer.chain[:1]):
            # Only rows say what signs, so a file without one may be written over.
            key = make()
            write_key(path, key, self.passphrase)
        one = register.entry(
            key.certificate,
            None if issuer is None else issuer.certificate,
            name=name,
            role=role,
            suite=suite,
            number=number,
            signs_from=signs_from,
            department=department,
        )
        # A crash before the commit leaves the file, which the next to come here takes up.
        register.insert(connection, one)
        return one


def _ours(connection: Connection) -> list[Kept]:
    """The certificates whose keys are files of ours."""
    return [k for k in register.all_kept(connection) if not k.keeper]
