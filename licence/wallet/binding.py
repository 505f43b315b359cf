"""Key binding (RFC 9901 §4.3, §7.3): proof that who shows a licence holds the key it was issued to.

It says nothing about the licence: the holder's key counts only once `licence.verify` found the issuer's signature
good. That a nonce is answered once is the caller's part.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from licence import jose
from licence.errors import FormatError
from licence.wallet import jwt

if TYPE_CHECKING:
    from datetime import datetime

    from licence.credential import Presentation
    from licence.wallet.jwt import HolderJwt

TYP = "kb+jwt"
# A person reads a consent screen and enters a PIN within this time.
MAX_AGE = timedelta(minutes=10)
# Telephones' clocks are set by the network.
SKEW = timedelta(minutes=2)
_WHAT = "key binding"
_CONSTRAINT = "SIG_CONSTRAINTS_FAILURE"


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """A parsed, **unverified** key binding JWT; other claims than these may stand in it and are not looked at."""

    jwt: HolderJwt
    nonce: str
    audience: str
    sd_hash: str

    @classmethod
    def parse(cls, token: str) -> KeyBinding:
        """Read the part after the last ``~``.

        Raises:
            FormatError: not a key binding JWT with ``iat``, one ``aud``, ``nonce`` and ``sd_hash``.
        """
        found = jwt.parse(token, typ=TYP, what=_WHAT, with_key=False)
        jose.numeric_date(found.payload, "iat", _WHAT)
        return cls(
            jwt=found,
            nonce=jose.text_claim(found.payload, "nonce", _WHAT),
            audience=jose.text_claim(found.payload, "aud", _WHAT, 2048),
            sd_hash=jose.text_claim(found.payload, "sd_hash", _WHAT),
        )


def sd_hash(sd_jwt: str) -> str:
    """What ``sd_hash`` holds (RFC 9901 §4.3.1): the digest over *sd_jwt*, its last ``~`` included."""
    return jose.b64url(hashlib.sha256(sd_jwt.encode("ascii")).digest())


def verify_binding(
    presentation: Presentation,
    *,
    nonce: str,
    audience: str,
    at: datetime,
    max_age: timedelta = MAX_AGE,
) -> None:
    """Check that the holder's key answered this *nonce* of this *audience*, for these disclosures, just before *at*.

    Raises:
        FormatError: there is no key binding, the licence is bound to no key, or it answers something else.
    """
    binding, holder = presentation.binding, presentation.credential.holder
    if binding is None:
        raise FormatError("binding_missing", sub_indication=_CONSTRAINT)
    if holder is None:
        raise FormatError("binding_no_key", sub_indication=_CONSTRAINT)
    binding.jwt.verify(holder)
    if not _same(binding.audience, audience):
        raise FormatError("binding_other_verifier", sub_indication=_CONSTRAINT)
    if not _same(binding.nonce, nonce):
        raise FormatError("binding_other_request", sub_indication=_CONSTRAINT)
    if not _same(binding.sd_hash, sd_hash(presentation.credential.compact())):
        raise FormatError("binding_other_content", sub_indication="HASH_FAILURE")
    jwt.check_fresh(binding.jwt.payload, at, max_age=max_age, skew=SKEW, what=_WHAT)


def _same(found: str, expected: str) -> bool:
    return hmac.compare_digest(found.encode(), expected.encode())
