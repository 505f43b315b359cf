"""One-time codes (动态码): an opaque handle that a holder shows and one reader redeems, once, within a minute.

Who may mint and redeem, and what the redeemer is then shown, is the caller's part.
"""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from licence.errors import FormatError, IssueRefusedError
from licence.qr import base45

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

PREFIX = "ZT1D:"
HANDLE_BYTES = 16
LIFETIME = timedelta(seconds=60)
# A clock that was set back further than this since minting is no reason to take a code that ran out long ago.
SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept of a code: for which *licence*, until when (excluded), and when it was redeemed, None while not."""

    licence: str
    minted_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """What the holder shows: the *text* of the QR code, and when it runs out. It is kept nowhere."""

    text: str
    expires_at: datetime


class OnceStore(Protocol):
    """Where codes are kept, by keyed digests of their handles: who reads the store can redeem nothing.

    Promises, to be kept between processes as well: `put` never replaces; of several calls of `spend` for one digest,
    exactly one gets a record whose ``spent_at`` is None; a code that was put is found until `forget` is called for a
    time past its end. A store that lost what it held refuses codes, which is harmless; one that forgot a spending
    would redeem twice, hence `spend` is durable when it returns.
    """

    def put(self, digest: bytes, held: Held) -> bool:
        """Keep *held*; False, and nothing done, when there is a record for *digest*."""

    def spend(self, digest: bytes, at: datetime) -> Held | None:
        """Mark as spent at *at* and return the record as it was before; None when there is none."""

    def forget(self, before: datetime) -> int:
        """Remove the records that expired before *before*; how many."""


class InMemoryOnce:
    """`OnceStore` for one process: the reference, lost when the process ends. Safe for many threads."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}
        self._mutex = threading.Lock()

    def put(self, digest: bytes, held: Held) -> bool:
        """See `OnceStore.put`."""
        with self._mutex:
            return self._held.setdefault(digest, held) is held

    def spend(self, digest: bytes, at: datetime) -> Held | None:
        """See `OnceStore.spend`."""
        with self._mutex:
            held = self._held.get(digest)
            if held is not None and held.spent_at is None:
                self._held[digest] = replace(held, spent_at=at)
            return held

    def forget(self, before: datetime) -> int:
        """See `OnceStore.forget`."""
        with self._mutex:
            old = [digest for digest, held in self._held.items() if held.expires_at < before]
            for digest in old:
                del self._held[digest]
            return len(old)


def mint(store: OnceStore, key: bytes, licence: str, *, now: datetime, random: bytes) -> OneTimeCode:
    """A code for *licence* that runs out in 60 s; *random*: 16 bytes never used before, *key*: the store's secret.

    Raises:
        IssueRefusedError: *random* has another length, or was used before.
    """
    if len(random) != HANDLE_BYTES:
        raise IssueRefusedError("once_randomness", size=HANDLE_BYTES)
    expires_at = now + LIFETIME
    if not store.put(_digest(key, random), Held(licence, now, expires_at)):
        raise IssueRefusedError("once_repeated")
    return OneTimeCode(PREFIX + base45.encode(random), expires_at)


def redeem(store: OnceStore, keys: Sequence[bytes], text: str, *, now: datetime) -> Held:
    """What the code stands for, this one time; *keys*: the store's secrets, the present one and those before it.

    A code that ran out is spent by the attempt as well.

    Raises:
        FormatError: ``once_malformed``, ``once_unknown``, ``once_spent`` or ``once_expired``.
    """
    handle = _handle(text)
    for key in keys:
        held = store.spend(_digest(key, handle), now)
        if held is None:
            continue
        if held.spent_at is not None:
            raise FormatError("once_spent")
        if not held.minted_at - SKEW <= now < held.expires_at:
            raise FormatError("once_expired", sub_indication="EXPIRED", limit=held.expires_at.isoformat())
        return replace(held, spent_at=now)
    raise FormatError("once_unknown")


def _handle(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise FormatError("once_malformed")
    try:
        handle = base45.decode(text[len(PREFIX) :], max_bytes=HANDLE_BYTES)
    except FormatError:
        raise FormatError("once_malformed") from None
    if len(handle) != HANDLE_BYTES:
        raise FormatError("once_malformed")
    return handle


def _digest(key: bytes, handle: bytes) -> bytes:
    return hmac.digest(key, handle, "sha256")
