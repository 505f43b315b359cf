"""Keeps what would name a holder sealed: the code, which record, and what the applicant stated.

The control database and the bodies behind the log hold it in this form alone. It is let go when the case ends.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.keyring import Keyring

SECRET: Final = "dossiers"  # noqa: S105 - a name, not a secret
NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2


class Holders:
    """Seals and opens; safe for many threads. A sealed text belongs to one case and opens for no other."""

    def __init__(self, ring: Keyring, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._cipher = AESGCM(ring.secret(SECRET))
        self._random = random

    def seal(self, case: str, content: Mapping[str, Any]) -> str:
        """*content*, for the case called *case*, as text."""
        nonce = self._random(NONCE_BYTES)
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, data, case.encode())).decode()

    def open(self, case: str, sealed: str) -> dict[str, Any]:
        """What was sealed for *case*.

        Raises:
            KeyFileError: it was let go, sealed for another case, or under another key.
        """
        try:
            data = base64.b64decode(sealed, validate=True)
            found: dict[str, Any] = json.loads(
                self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], case.encode())
            )
        except (InvalidTag, ValueError) as error:
            raise KeyFileError(name=SECRET, why=f"the holder of {case} cannot be read / 无法读取其持证主体") from error
        return found
