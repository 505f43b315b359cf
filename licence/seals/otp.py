"""One-time passwords by time (TOTP, RFC 6238): made and checked, each accepted once.

Keeping the secret and the last step used is the caller's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from licence.errors import SealProofError

if TYPE_CHECKING:
    from datetime import datetime

STEP_S: Final = 30
DIGITS: Final = 6
# RFC 4226 §4 R6 asks for 128 bits and recommends 160.
SECRET_BYTES: Final = 20
# RFC 6238 §5.2: at most one step of delay; one ahead for a telephone whose clock is fast.
WINDOW: Final = (-1, 0, 1)


def step_at(at: datetime) -> int:
    """The time step that *at* lies in."""
    return int(at.timestamp()) // STEP_S


def password(secret: bytes, step: int) -> str:
    """The password of a time step (RFC 4226 §5.3 with HMAC-SHA-1, as authenticators have it)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def check(secret: bytes, given: str, *, at: datetime, last_step: int) -> int:
    """The step whose password *given* is; keep it, so that no password of it or of an earlier one is taken again.

    Every step of the window is looked at, in constant time.

    Raises:
        SealProofError: it is none of now, or was used.
    """
    found = -1
    text = given.encode("utf-8", "surrogatepass")
    for offset in WINDOW:
        step = step_at(at) + offset
        fits = hmac.compare_digest(password(secret, step).encode(), text)
        found = step if fits and step > last_step and found < 0 else found
    if found < 0:
        raise SealProofError
    return found


def enrolment_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """The ``otpauth`` address by which an authenticator takes the secret in; to be shown once, to its owner."""
    label = quote(f"{issuer}:{account}", safe=":")
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer)}&digits={DIGITS}&period={STEP_S}"
