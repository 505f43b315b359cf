"""The licence side's keys: the demonstration CA, a signing key per issuing department, one for status lists.

Made once and kept encrypted under var/keys/licence; what is trusted is published to var/public/trust. Certificates
themselves are `licence.authority`; a production deployment puts its own key files there and only reads them here.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509

from hub.keyring import Keyring
from licence.authority import Role, certify_authority, certify_leaf, create_root
from licence.keys import SigningKey, generate_private_key, read_key, write_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from catalog.model import Department
    from hub.settings import Settings

ROOT, ISSUING, STATUS = "root", "issuing", "status"
ROOT_DAYS, ISSUING_DAYS, LEAF_DAYS = 3650, 1825, 1095
# Certificates begin a little in the past, so that a verifier whose clock is behind still finds them valid.
BACKDATE = timedelta(minutes=10)
BASE_URI = "https://licence.zhengtong.invalid"


class KeyStore:
    """The licence keys of one deployment. Safe for many processes: keys are made under a lock, then only read."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.keys / "licence"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._passphrase = Keyring(settings.keys).passphrase

    def prepare(self, issuers: Iterable[Department], operator: Department, now: datetime) -> None:
        """Make what is missing: root, issuing CA, a leaf per issuing department, the operator's status leaf.

        A crash leaves the keys made so far; the next call makes the rest under the same root.
        """
        starts = now - BACKDATE
        with self._locked():
            root = self._made(
                ROOT,
                lambda: create_root(
                    generate_private_key(),
                    name="Zhengtong Root CA",
                    starts=starts,
                    ends=starts + timedelta(days=ROOT_DAYS),
                    serial=x509.random_serial_number(),
                ),
            )
            issuing = self._made(
                ISSUING,
                lambda: certify_authority(
                    root,
                    generate_private_key(),
                    name="Zhengtong Issuing CA",
                    starts=starts,
                    ends=starts + timedelta(days=ISSUING_DAYS),
                    serial=x509.random_serial_number(),
                ),
            )
            for department in issuers:
                self._leaf(issuing, _department_key(department.code), department, Role.LICENCES, starts)
            self._leaf(issuing, STATUS, operator, Role.STATUS, starts)

    def root(self) -> SigningKey:
        """The demonstration root, whose certificate a verifier pins."""
        return self._read(ROOT)

    def department(self, code: str) -> SigningKey:
        """The key with which a department signs licences; its certificate carries the department's USCC."""
        return self._read(_department_key(code))

    def status(self) -> SigningKey:
        """The key with which the hub's operator signs status lists."""
        return self._read(STATUS)

    def _leaf(self, issuing: SigningKey, name: str, department: Department, role: Role, starts: datetime) -> None:
        self._made(
            name,
            lambda: certify_leaf(
                issuing,
                generate_private_key(),
                role=role,
                name=department.name,
                uscc=department.uscc,
                uri=f"{BASE_URI}/{department.code}",
                starts=starts,
                ends=starts + timedelta(days=LEAF_DAYS),
                serial=x509.random_serial_number(),
            ),
        )

    def _made(self, name: str, make: Callable[[], SigningKey]) -> SigningKey:
        if not self._path(name).exists():
            write_key(self._path(name), make(), self._passphrase)
        return self._read(name)

    def _read(self, name: str) -> SigningKey:
        return read_key(self._path(name), self._passphrase)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _department_key(code: str) -> str:
    return f"department-{code}"
