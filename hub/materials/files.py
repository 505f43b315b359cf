"""Keeps the files of materials by their digests: each content once, whole, encrypted, for its owner alone to read.

Which file belongs to which material is the table's affair (`hub.control.material_models`), keeping the secret
`hub.keyring`'s.

A file is `SEALED`, a nonce, and the content under AES-256-GCM with a key of its own, derived from the secret and the
digest, which is bound in: one file cannot stand in for another. Names stay the digests of the plain contents, so that
the same paper is kept once; who has the disk alone can thus tell that a paper *he has* is kept, and nothing else.
Files of earlier versions lie open; they are read, and sealed when they are met again (`keep`, `seal`).

Promises. *Durability*: when `keep` returns, the file and its name are on disk. *Atomicity*: a reader meets a whole file
or none. *Order*: the file goes before the row; a crash between leaves a file that no row names, and never a row without
a file. *Concurrency*: `taking` is held from before `keep` to after the commit, by any number at once; `sweeping` waits
for all of them, so that a file somebody is about to name is never swept.
"""

from __future__ import annotations

import fcntl
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.files import create_once, replace_file, sync_folder
from licence.materials import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = "sha256:"
MODE, FOLDER_MODE = 0o600, 0o700
# No PDF, OFD, PNG or JPEG begins with it.
SEALED: Final = b"zhengtong-material/1\n"
_NONCE_BYTES, _KEY_BYTES = 12, 32


class DamagedFileError(Exception):
    """The file is missing, or its content has another digest; the store's caller says whose it is."""


class MaterialFiles:
    """The folder of one deployment. Safe for many threads and processes.

    *secret* is asked for when the first content is sealed or opened; what it raises passes through.
    """

    def __init__(self, folder: Path, secret: Callable[[], bytes]) -> None:
        self._folder = folder
        self._secret = secret

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Hold the store while a file is kept and its row committed."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Hold the store alone, while files are taken away."""
        with self._locked(fcntl.LOCK_EX):
            yield

    def keep(self, content: bytes) -> str:
        """Make *content* durable under its digest, which is returned. Keeping it again changes nothing.

        A file of that name with another content, as a damaged disk leaves it, is replaced.
        """
        digest = digest_of(content)
        path = self._path(digest)
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        there = create_once(path, lambda: self._sealed(digest, content), mode=MODE)
        if not there.startswith(SEALED) or self._opened(digest, there) != content:
            replace_file(path, self._sealed(digest, content), mode=MODE)
        sync_folder(self._folder)
        return digest

    def read(self, digest: str) -> bytes:
        """The content with *digest*, which is computed anew.

        Raises:
            DamagedFileError: there is none, or another.
        """
        try:
            stored = self._path(digest).read_bytes()
        except OSError as error:
            raise DamagedFileError from error
        content = self._opened(digest, stored)
        if content is None or digest_of(content) != digest:
            raise DamagedFileError
        return content

    def is_open(self, digest: str) -> bool:
        """Whether the file lies there unencrypted, as earlier versions left it; False also where there is none."""
        try:
            with self._path(digest).open("rb") as file:
                return file.read(len(SEALED)) != SEALED
        except OSError:
            return False

    def seal(self, digest: str) -> None:
        """Encrypt a file that lies open. A crash leaves it open or sealed, whole.

        Raises:
            DamagedFileError: its content is not what its name says; it is left as it is.
        """
        self.keep(self.read(digest))

    def remove(self, digest: str) -> None:
        """Let go of a file; call within `sweeping`. Durable on return; one that is not there is no error."""
        path = self._path(digest)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_folder(path.parent)

    def digests(self) -> Iterator[str]:
        """The digests of all files that are there, by their names."""
        for path in sorted(self._folder.glob("??/*")):
            if _NAME.fullmatch(path.name):
                yield _PREFIX + path.name

    def strays(self) -> list[Path]:
        """What a crash left half-written; call within `sweeping`."""
        return [path for path in sorted(self._folder.glob("??/*")) if not _NAME.fullmatch(path.name)]

    def _sealed(self, digest: str, content: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return SEALED + nonce + self._cipher(digest).encrypt(nonce, content, SEALED + digest.encode())

    def _opened(self, digest: str, stored: bytes) -> bytes | None:
        """The content of a file; of one that lies open itself; None: it was sealed otherwise or altered since."""
        if not stored.startswith(SEALED):
            return stored
        nonce = stored[len(SEALED) :][:_NONCE_BYTES]
        try:
            return self._cipher(digest).decrypt(nonce, stored[len(SEALED) + _NONCE_BYTES :], SEALED + digest.encode())
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, digest: str) -> AESGCM:
        # A key for each digest: a nonce drawn at random then never meets another content under the same key.
        key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=SEALED + digest.encode()).derive(self._secret())
        return AESGCM(key)

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix(_PREFIX)
        if not _NAME.fullmatch(name):
            raise DamagedFileError
        return self._folder / name[:2] / name

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, how)
            yield
