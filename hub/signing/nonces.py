"""Remembers the signed requests of the last minutes, so that none is taken twice.

What a request must be like is `hub.signing.requests`' affair. The store holds digests, for as long as their requests
could be taken again, and no longer: its size is the rate times the window.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Protocol

from hub.signing.errors import NoncesForgottenError, NoncesFullError, SignatureReplayedError

LIFETIME_S = 300
"""How long after it was signed a request is taken."""

SKEW_S = 30
"""How far ahead of ours a client's clock may be."""

MOST = 2_000_000
_SPAN_S = 16
_DIGEST_BYTES = 16


class Nonces(Protocol):
    """Promise: of equal (key, nonce) at most one call of `take` returns, whoever calls, until *until* has passed."""

    def take(self, key_id: str, nonce: str, *, until: float, now: float) -> None:
        """Remember *nonce* of *key_id* up to *until* (POSIX seconds).

        Raises:
            SignatureReplayedError: it was taken before.
            NoncesForgottenError: it may have been.
            NoncesFullError: it could not be remembered, so it must not be taken.
        """


class MemoryNonces:
    """For one process.

    What an earlier one had taken is not known, so what it could have taken is refused: what was signed before
    *started*, by a clock that may have been ahead.
    """

    def __init__(self, *, started: float, most: int = MOST) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._count = 0
        # By the span of time in which they end: forgetting is dropping a whole set.
        self._spans: dict[int, set[bytes]] = {}
        self._forgotten = started + SKEW_S + LIFETIME_S

    def take(self, key_id: str, nonce: str, *, until: float, now: float) -> None:
        """See `Nonces`."""
        digest = hashlib.blake2b(f"{key_id}\n{nonce}".encode(), digest_size=_DIGEST_BYTES).digest()
        with self._lock:
            self._forget(now)
            # A clock that was set back would let in again what is forgotten by now.
            if until <= self._forgotten:
                raise NoncesForgottenError
            if any(digest in span for span in self._spans.values()):
                raise SignatureReplayedError
            if self._count >= self._most:
                raise NoncesFullError
            self._spans.setdefault(int(until // _SPAN_S), set()).add(digest)
            self._count += 1

    @property
    def held(self) -> int:
        """How many are remembered."""
        return self._count

    def _forget(self, now: float) -> None:
        for span in [span for span in self._spans if (span + 1) * _SPAN_S <= now]:
            self._count -= len(self._spans.pop(span))
            self._forgotten = max(self._forgotten, float((span + 1) * _SPAN_S))
