"""Keeps the deployment's secrets in var/keys, each sealed under the deployment's passphrase.

What a secret is used for is its user's affair; the keys that sign licences are files of `licence.keys`, which take
the same passphrase.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hub.errors import KeyFileError
from hub.files import create_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSPHRASE_VARIABLE = "ZHENGTONG_KEYS_PASSPHRASE"  # noqa: S105 - a name, not a secret
PASSPHRASE_FILE = "passphrase"  # noqa: S105 - a name, not a secret
# RFC 7914 §2's interactive cost: 16 MiB and some 80 ms, paid once per start.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
SALT_FILE = "salt"
SEED_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16


class Keyring:
    """The secrets under *folder* (mode 0700). Safe for many processes: the first to make a secret wins.

    The passphrase is ``ZHENGTONG_KEYS_PASSPHRASE``; without it one is drawn and kept beside the keys, which guards
    against a copied key file and not against a copied folder.
    """

    def __init__(self, folder: Path, passphrase: bytes | None = None) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.passphrase = passphrase or self._own_passphrase()

    def _own_passphrase(self) -> bytes:
        given = os.environ.get(PASSPHRASE_VARIABLE)
        if given:
            return given.encode()
        path = self._folder / PASSPHRASE_FILE
        return create_once(path, lambda: secrets.token_urlsafe(SEED_BYTES).encode(), mode=0o600)

    def secret(self, name: str, make: Callable[[], bytes] = lambda: secrets.token_bytes(SEED_BYTES)) -> bytes:
        """The secret called *name*, made by *make* (default: 32 random bytes) if there is none yet.

        Raises:
            KeyFileError: the file is damaged or sealed under another passphrase.
        """
        sealed = create_once(self._folder / f"{name}.key", lambda: self._seal(name, make()), mode=0o600)
        return self._open(name, sealed)

    def _seal(self, name: str, secret: bytes) -> bytes:
        # One salt for the folder, so that opening all its files costs one derivation; each file repeats it.
        salt = create_once(self._folder / SALT_FILE, lambda: secrets.token_bytes(SALT_BYTES), mode=0o600)
        nonce = secrets.token_bytes(NONCE_BYTES)
        # The name is bound in, so that one key file cannot stand in for another.
        sealed = AESGCM(_stretched(self.passphrase, salt)).encrypt(nonce, secret, name.encode())
        parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
        return json.dumps({"kdf": "scrypt", **{n: base64.b64encode(p).decode() for n, p in parts.items()}}).encode()

    def _open(self, name: str, sealed: bytes) -> bytes:
        try:
            parts = json.loads(sealed)
            salt, nonce, data = (base64.b64decode(parts[part], validate=True) for part in ("salt", "nonce", "sealed"))
            return AESGCM(_stretched(self.passphrase, salt)).decrypt(nonce, data, name.encode())
        except InvalidTag as error:
            raise KeyFileError(name=name, why="wrong passphrase or damaged file / 口令错误或文件损坏") from error
        except (ValueError, KeyError, TypeError) as error:
            raise KeyFileError(name=name, why="not a key file / 不是密钥文件") from error


@functools.lru_cache(maxsize=4)
def _stretched(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase)
