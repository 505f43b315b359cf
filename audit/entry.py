"""What one log entry holds: who did what to which resource, for which purpose, and the digest of its body.

The body itself, which may hold personal data, is left to `audit.store`; only its salted digest enters the log,
so that erasing the body leaves every proof valid.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import canonical
from .errors import CanonicalError, EntryInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ENTRY_BYTES = 65_535  # C2SP tlog-tiles: an entry bundle prefixes each entry with a uint16.
MIN_SALT_BYTES = 16

_FIELDS = frozenset({"actor", "at", "body_digest", "facts", "kind", "purpose", "resource", "subject"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. *kind* is dotted lower case (``licence.issued``); *at* is aware and is kept in UTC, microseconds.

    *subject* is "" or a keyed hash in hex, never an identifier in clear. *facts* holds JSON values and nothing
    personal. *body_digest* is "" or what `seal_body` returned.
    """

    kind: str
    at: datetime
    actor: str
    subject: str
    resource: str
    purpose: str
    facts: Mapping[str, Any]
    body_digest: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.at.utcoffset() != timedelta(0):
            raise EntryInvalidError(problem="the time must be aware and in UTC")
        if not _KIND.fullmatch(self.kind):
            raise EntryInvalidError(problem=f"kind `{self.kind}` is not dotted lower case")
        if self.body_digest and not _DIGEST.fullmatch(self.body_digest):
            raise EntryInvalidError(problem="the body digest is not sha256: and 64 hex digits")

    def encode(self) -> bytes:
        """Canonical JSON, the data that is hashed as a leaf.

        Raises:
            CanonicalError: *facts* hold something that is no JSON value.
        """
        return canonical.encode_json(self.plain())

    def plain(self) -> dict[str, Any]:
        """The JSON value whose canonical form is the leaf's data."""
        return {
            "actor": self.actor,
            "at": f"{self.at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z",
            "body_digest": self.body_digest,
            "facts": self.facts,
            "kind": self.kind,
            "purpose": self.purpose,
            "resource": self.resource,
            "subject": self.subject,
        }

    @classmethod
    def decode(cls, data: bytes) -> Entry:
        """The entry with this canonical form.

        Raises:
            EntryInvalidError: no JSON object, not exactly the fields of an entry, or not in canonical form
                (two forms of one entry would be two leaves).
        """
        try:
            plain = _DECODER.decode(data.decode())
        except (ValueError, RecursionError) as error:
            raise EntryInvalidError(problem="no UTF-8 JSON") from error
        if not isinstance(plain, dict) or plain.keys() != _FIELDS:
            raise EntryInvalidError(problem="not the fields of an entry")
        facts, at = plain.pop("facts"), plain.pop("at")
        if not isinstance(facts, dict) or not all(isinstance(v, str) for v in (at, *plain.values())):
            raise EntryInvalidError(problem="a field has another type than an entry's")
        if not _AT.fullmatch(at):
            raise EntryInvalidError(problem="the time is not YYYY-MM-DDTHH:MM:SS.ffffffZ")
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise EntryInvalidError(problem="the time is not a time") from error
        entry = cls(at=moment.astimezone(UTC), facts=facts, **plain)
        try:
            same = entry.encode() == data
        except CanonicalError as error:
            raise EntryInvalidError(problem="not in canonical form") from error
        if not same:
            raise EntryInvalidError(problem="not in canonical form")
        return entry


def _integer(text: str) -> float:
    """A whole double from 2^53 to 10^21 is written without a point (RFC 8785); it comes back as the double it was."""
    number = int(text)
    return number if abs(number) <= canonical.MAX_INTEGER else float(text)


_DECODER = json.JSONDecoder(parse_int=_integer)


def seal_body(body: Mapping[str, Any], salt: bytes) -> str:
    """``sha256:`` + hex SHA-256 over *salt* ‖ canonical *body*.

    The salt (16 random bytes or more) keeps the digest of a short body from being guessed; it is erased with it.

    Raises:
        EntryInvalidError: the salt is shorter.
        CanonicalError: *body* holds something that is no JSON value.
    """
    return sealed(canonical.encode_json(body), salt)


def sealed(content: bytes, salt: bytes) -> str:
    """As `seal_body`, of a body's canonical form. Raises: EntryInvalidError: the salt is shorter."""
    if len(salt) < MIN_SALT_BYTES:
        raise EntryInvalidError(problem=f"a salt needs {MIN_SALT_BYTES} bytes, this has {len(salt)}")
    return "sha256:" + hashlib.sha256(salt + content).hexdigest()
