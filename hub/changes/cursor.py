"""The cursors and identifiers of change feeds: sealed texts that tell their holder nothing and that nobody else makes.

What a cursor's position means is `hub.changes.feed`'s; nothing here reads a table or decides anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from audit.canonical import encode
from hub.changes.errors import CursorInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BYTES = 64  # AES-256-SIV takes two keys of 32 (RFC 5297 §2.2)
NOW = "now"  # where a follower begins that has taken everything by a batch
MAX_CURSOR_CHARS = 1_000
_FORMAT = b"zhengtong changes cursor 1"
_ID_BYTES = 15  # 24 letters; of a million events a second for a century none meet by chance


@dataclass(frozen=True, slots=True)
class Position:
    """How far a follower has come: the last change *seq* of the feed of *table*, the last log entry of a *case*.

    *grant* is whose rows it sees, *view* a digest of the fields, masks and rows that it was shown.
    """

    table: str
    seq: int
    case: int
    grant: str
    view: str


class Sealer:
    """Seals positions into cursors, and makes the identifiers of events and records. Safe for many threads.

    A cursor is AES-SIV (RFC 5297) over the position, bound to department and resource: the same position gives the
    same text, a text that was changed anywhere opens nowhere, and what lies between two of them cannot be told.
    """

    def __init__(self, key: bytes) -> None:
        self._siv = AESSIV(key)
        self._ids = hmac.digest(key, b"identifiers", hashlib.sha256)

    def seal(self, position: Position, *, department: str, resource: str) -> str:
        """The cursor of *position*."""
        plain = [position.table, position.seq, position.case, position.grant, position.view]
        sealed = self._siv.encrypt(json.dumps(plain).encode(), [_FORMAT, department.encode(), resource.encode()])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, cursor: str, *, department: str, resource: str) -> Position:
        """The position of which *cursor* is the seal.

        Raises:
            CursorInvalidError: it is not one of this department and resource.
        """
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            # The last letter of the text has bits to spare; only one of its writings is the cursor.
            if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
                raise CursorInvalidError(resource=resource)
            plain = self._siv.decrypt(sealed, [_FORMAT, department.encode(), resource.encode()])
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise CursorInvalidError(resource=resource) from error
        return Position(*json.loads(plain))

    def event_id(self, department: str, resource: str, *place: str | int) -> str:
        """The identifier of what happened at *place*: the same in every delivery to *department*, and to no other."""
        return self._id("event", department, resource, list(place))

    def record_id(self, department: str, resource: str, key: Mapping[str, Any]) -> str:
        """What *department* may call the record with this whole *key*, whichever fields of it the grant shows."""
        return self._id("record", department, resource, {name: str(value) for name, value in key.items()})

    def _id(self, *what: Any) -> str:  # noqa: ANN401 - JSON values
        digest = hmac.digest(self._ids, encode(list(what)), hashlib.sha256)
        return base64.b32encode(digest[:_ID_BYTES]).decode()
