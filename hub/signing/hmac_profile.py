"""The older profile of the national platform's gateways: four header fields and an HMAC over three of them.

Kept for systems that cannot be changed yet. It covers neither the method, the path nor the body, so whoever can change
a request on its way can ask for something else in its name: it is for private lines, and a city may turn it off.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.signing.errors import (
    FieldMalformedError,
    SignatureIncompleteError,
    SignatureKeyError,
    SignatureTimeError,
    SignatureWrongError,
)
from hub.signing.nonces import LIFETIME_S, SKEW_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hub.signing.nonces import Nonces

RID: Final = "gjgxjhpt_rid"
SID: Final = "gjgxjhpt_sid"
RTIME: Final = "gjgxjhpt_rtime"
SIGN: Final = "gjgxjhpt_sign"
FIELDS: Final = (RID, SID, RTIME, SIGN)
_MAX_CHARS: Final = 128
_MILLISECOND_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class Told:
    """Who the caller says to be (*rid*, the requester's id), and which service it asks for (*sid*).

    *which* is the position of the key that fits among those of the requester.
    """

    rid: str
    sid: str
    at: datetime
    which: int = 0


def sign(rid: str, sid: str, key: bytes, *, at: datetime) -> dict[str, str]:
    """The four fields of a request."""
    rtime = str(int(at.timestamp() * 1000))
    return {RID: rid, SID: sid, RTIME: rtime, SIGN: _mac(key, sid, rid, rtime)}


def verify(fields: Mapping[str, str], *, keys: Callable[[str], Sequence[bytes]], nonces: Nonces, now: datetime) -> Told:
    """Check the four *fields* (lower-case names); *keys* answers a requester's keys in force, two while they rotate.

    Raises:
        SignatureIncompleteError, FieldMalformedError, SignatureTimeError, SignatureKeyError, SignatureWrongError,
        SignatureReplayedError, NoncesFullError
    """
    missing = [name for name in FIELDS if not fields.get(name)]
    if missing:
        raise SignatureIncompleteError(missing=", ".join(f"`{name}`" for name in missing))
    rid, sid, rtime, given = (fields[name] for name in FIELDS)
    plain = all(len(value) <= _MAX_CHARS and value.isascii() and value.isprintable() for value in (rid, sid, given))
    if not plain or len(rtime) != _MILLISECOND_DIGITS or not (rtime.isascii() and rtime.isdigit()):
        raise FieldMalformedError
    created, at = int(rtime) / 1000, now.timestamp()
    if not at - LIFETIME_S < created <= at + SKEW_S:
        raise SignatureTimeError(now=now.astimezone(UTC).isoformat(timespec="seconds"))
    known = keys(rid)
    if not known:
        raise SignatureKeyError
    fitting = [n for n, key in enumerate(known) if hmac.compare_digest(_mac(key, sid, rid, rtime), given)]
    if not fitting:
        raise SignatureWrongError
    # It has no nonce: two honest requests for one service in one millisecond are one to us.
    nonces.take(f"hmac:{rid}", f"{sid}\n{rtime}", until=created + LIFETIME_S, now=at)
    return Told(rid, sid, datetime.fromtimestamp(created, UTC), fitting[0])


def _mac(key: bytes, sid: str, rid: str, rtime: str) -> str:
    return base64.b64encode(hmac.digest(key, f"{sid}{rid}{rtime}".encode(), hashlib.sha256)).decode()
