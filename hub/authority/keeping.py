"""Where the keys of the licence side lie, and how one is found and opened; making them is `hub.authority.making`'s."""

from __future__ import annotations

import fcntl
import weakref
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hub.authority import register, signers
from hub.authority.errors import RootApartError, SigningKeyEndedError, SigningKeyMissingError, SuiteNotSignedError
from hub.authority.register import APART, ROOT_ROLE
from hub.control import Control
from hub.keyring import Keyring
from licence.errors import KeyFileError, Sm2UnavailableError
from licence.keys import read_key
from licence.sm2 import Sm2PrivateKey
from licence.suites import ECDSA_P256_SHA256, SM2_SM3, SUITES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.authority.register import Kept
    from hub.authority.signers import Named
    from hub.settings import Settings
    from licence.keys import SigningKey

LOCK: Final = "lock"
# Opened keys that a process remembers: a few for each department.
OPENED: Final = 512


class Keeping:
    """The folder of keys and the register of their certificates. Safe for many threads and processes."""

    def __init__(
        self,
        settings: Settings,
        control: Control | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self.folder = settings.keys / "licence"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.passphrase = Keyring(settings.keys).passphrase
        self.clock = clock
        self._control = control

    @property
    def control(self) -> Control:
        """The control database, where the register of certificates is."""
        if self._control is None:
            self._control = Control.attach(self.settings)
            weakref.finalize(self, self._control.close)
        return self._control

    @property
    def policy(self) -> str:
        """The suite that signs new licences and status lists.

        Raises:
            SuiteNotSignedError: it is none, or this machine cannot sign with it.
        """
        chosen = self.settings.licence_suite
        if chosen not in SUITES or (chosen == SM2_SM3 and not sm2_signs()):
            known = ", ".join(s for s in SUITES if s != SM2_SM3 or sm2_signs())
            raise SuiteNotSignedError(suite=chosen, known=known)
        return chosen

    def kept(self) -> tuple[Kept, ...]:
        """Every certificate of the register."""
        with self.control.reading() as connection:
            return register.all_kept(connection)

    def signing(self, name: str, suite: str) -> SigningKey:
        """The key that signs for *name* now.

        Raises:
            SigningKeyMissingError: there is none, or all are revoked.
            SigningKeyEndedError: its certificate has ended.
            SignerError, KeyFileError, PassphraseWrongError: it does not open.
        """
        now = self.clock()
        found = self.chosen(self.kept(), name, suite, now)
        if found is None:
            raise SigningKeyMissingError(name=name, suite=suite)
        if found.ends < now:
            raise SigningKeyEndedError(name=name, ends=found.ends.date())
        return self.open(found)

    def chosen(self, kept: Iterable[Kept], name: str, suite: str, now: datetime) -> Kept | None:
        """The certificate whose key signs for *name* at *now*: what the file of signers says, or the register."""
        named = self.named().get(name)
        if named is not None:
            return next((k for k in kept if k.key_id == named.key_id and k.suite == suite), None)
        return register.in_force([k for k in kept if not k.keeper], name, suite, now)

    def open(self, one: Kept) -> SigningKey:
        """The key of a certificate, wherever it is kept.

        Raises: as `signing`; and RootApartError.
        """
        if one.keeper == APART:
            raise RootApartError(name=one.name)
        if one.keeper:
            return signers.open_kept(self.named(), one)
        path = self.path(one.name, one.suite, one.number)
        try:
            stat = path.stat()
        except FileNotFoundError:
            if one.role == ROOT_ROLE:
                raise RootApartError(name=one.name) from None
            raise KeyFileError("key_file_unreadable", path=path, detail="missing") from None
        return _opened(path, self.passphrase, (stat.st_mtime_ns, stat.st_ino, stat.st_mode))

    def path(self, name: str, suite: str, number: int) -> Path:
        """Where the key file of the certificate with this name, suite and number lies."""
        whose = name if suite == ECDSA_P256_SHA256 else f"{name}@{suite}"
        return self.folder / (f"{whose}.pem" if number == 1 else f"{whose}.{number}.pem")

    def named(self) -> Mapping[str, Named]:
        """The keys that others keep, by name."""
        return signers.read(self.settings.signers_file or self.folder / signers.FILE)

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """One at a time makes or revokes keys: a write transaction under the folder's lock."""
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.control.writing() as connection:
                yield connection


def sm2_signs() -> bool:
    """Whether this machine can sign SM2."""
    try:
        Sm2PrivateKey.derive(1)
    except Sm2UnavailableError:
        return False
    return True


@lru_cache(maxsize=OPENED)
def _opened(path: Path, passphrase: bytes, version: tuple[int, int, int]) -> SigningKey:
    """A key file, opened once: stretching the passphrase takes as long as a hundred signatures."""
    del version
    return read_key(path, passphrase)
