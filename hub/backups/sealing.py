"""Seals a folder of keys into one file under a passphrase, and opens it again; a piece at a time.

The file is a head (magic, salt, prefix of the nonces) and pieces of 64 KiB, each under AES-256-GCM. The nonce of a
piece is the prefix, its number, and whether it is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway
and Vizár, 2015), so that pieces can be neither exchanged nor left out. Inside is a tar.
"""

from __future__ import annotations

import os
import secrets
import tarfile
from typing import TYPE_CHECKING, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from audit.files import write_all
from hub.backups.copying import walk
from hub.backups.errors import BackupRefusedError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

MAGIC: Final = b"zhengtong keys 1\n"
SALT_BYTES: Final = 16
PREFIX_BYTES: Final = 7
PIECE_BYTES: Final = 64 * 1024
TAG_BYTES: Final = 16
# RFC 7914 §2's cost for files that are opened seldom: 256 MiB are not at hand everywhere, 128 MiB are.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**17, 8, 1
LEAST_CHARACTERS: Final = 12


def seal_folder(folder: Path, target: Path, passphrase: bytes) -> None:
    """Write the files of *folder* into *target*, sealed under *passphrase*; durable on return.

    Raises:
        BackupRefusedError: the passphrase is too short.
        OSError: some of it may be written.
    """
    if len(passphrase) < LEAST_CHARACTERS:
        raise BackupRefusedError(
            why=f"The passphrase needs at least {LEAST_CHARACTERS} characters.",
            why_zh=f"口令至少 {LEAST_CHARACTERS} 个字符。",
        )
    writer = _Sealing(target, passphrase)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", writer), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name, path in walk(folder):
                tar.add(path, name, recursive=False)
        writer.finish()
    finally:
        writer.close()


def open_folder(source: Path, target: Path, passphrase: bytes) -> None:
    """Put what `seal_folder` wrote into *target*, a folder of mode 0700.

    Raises:
        BackupRefusedError: the passphrase is another one, or the file was changed; some files may be there.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as file:
        reader = _Opening(file, passphrase)
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
                # The filter lets no name out of the folder, and nothing in but files and folders.
                tar.extractall(target, filter="data")
            reader.drain()
        except (InvalidTag, tarfile.TarError) as error:
            raise wrong_passphrase() from error
    for name, path in walk(target):
        del name
        path.chmod(0o600)


def wrong_passphrase() -> BackupRefusedError:
    """What is said of keys that do not open."""
    return BackupRefusedError(
        why="The keys do not open: the passphrase is another one, or their file was changed.",
        why_zh="密钥无法打开：口令不符，或密钥文件已被改动。",
    )


def _key(passphrase: bytes, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4) + bytes([last])


class _Sealing:
    """A file that tar writes to; a full piece is written once more follows, so that the last one can say it is."""

    def __init__(self, path: Path, passphrase: bytes) -> None:
        salt, self._prefix = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(PREFIX_BYTES)
        self._key = _key(passphrase, salt)
        self._waiting, self._number = bytearray(), 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._offset = 0
        self._put(MAGIC + salt + self._prefix)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > PIECE_BYTES:
            self._piece(bytes(self._waiting[:PIECE_BYTES]), last=False)
            del self._waiting[:PIECE_BYTES]
        return len(data)

    def finish(self) -> None:
        self._piece(bytes(self._waiting), last=True)
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def _piece(self, plain: bytes, *, last: bool) -> None:
        self._put(self._key.encrypt(_nonce(self._prefix, self._number, last=last), plain, MAGIC))
        self._number += 1

    def _put(self, data: bytes) -> None:
        write_all(self._fd, data, self._offset)
        self._offset += len(data)


class _Opening:
    """A file that tar reads from. Raises: InvalidTag: a piece is not what was sealed, or the last one is missing."""

    def __init__(self, file: IO[bytes], passphrase: bytes) -> None:
        head = file.read(len(MAGIC) + SALT_BYTES + PREFIX_BYTES)
        if not head.startswith(MAGIC) or len(head) != len(MAGIC) + SALT_BYTES + PREFIX_BYTES:
            raise wrong_passphrase()
        salt, self._prefix = head[len(MAGIC) : len(MAGIC) + SALT_BYTES], head[len(MAGIC) + SALT_BYTES :]
        self._key = _key(passphrase, salt)
        self._file, self._number, self._ended = file, 0, False
        self._next = file.read(PIECE_BYTES + TAG_BYTES)
        self._plain = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._plain) < size and not self._ended:
            self._more()
        taken = bytes(self._plain[:size])
        del self._plain[:size]
        return taken

    def drain(self) -> None:
        """Read to the end, so that a file that was cut off is noticed."""
        while not self._ended:
            self._more()

    def _more(self) -> None:
        piece, self._next = self._next, self._file.read(PIECE_BYTES + TAG_BYTES)
        last = not self._next
        self._plain += self._key.decrypt(_nonce(self._prefix, self._number, last=last), piece, MAGIC)
        self._number, self._ended = self._number + 1, last
