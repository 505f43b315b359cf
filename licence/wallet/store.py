"""What an issuer to wallets remembers between requests: codes, access tokens, nonces, each by its digest.

Who reads the store can redeem nothing. What the records mean is `licence.wallet.vci`'s part.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Code:
    """A pre-authorised code: for what *subject* (the caller's own reference) it yields which *kinds*, until when.

    *tx_code* is the digest of the transaction code that must come with it, None: none. *tries*: how often it was tried.
    """

    subject: str
    kinds: tuple[str, ...]
    expires_at: datetime
    tx_code: bytes | None = None
    tries: int = 0
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token permits: *kinds* for *subject*, each once, until *expires_at*."""

    subject: str
    kinds: tuple[str, ...]
    expires_at: datetime


class WalletStore(Protocol):
    """Where codes, tokens and nonces are kept.

    Promises, to be kept between processes as well, and durable on return: the `put` functions never replace, and
    return False when there is a record; of several calls of `spend_code` for one digest exactly one gets True, and so
    for `spend_nonce`, and for `deliver` with one digest and kind; `try_code` counts every call. A store that lost a
    record refuses a wallet, which asks again; one that forgot a spending would issue twice. A record is found until
    `forget` is called for a time past its end.
    """

    def put_code(self, digest: bytes, code: Code) -> bool:
        """Keep a code."""

    def try_code(self, digest: bytes) -> Code | None:
        """Count a try and return the record as it was before it; None when there is none."""

    def spend_code(self, digest: bytes) -> bool:
        """Mark a code as used; True for the first call only."""

    def put_access(self, digest: bytes, access: Access) -> bool:
        """Keep an access token."""

    def access(self, digest: bytes) -> Access | None:
        """The record of an access token."""

    def deliver(self, digest: bytes, kind: str) -> bool:
        """Mark *kind* as issued under the token; True for the first call only."""

    def put_nonce(self, digest: bytes, expires_at: datetime) -> bool:
        """Keep a nonce."""

    def spend_nonce(self, digest: bytes, at: datetime) -> bool:
        """Use up a nonce: True when it was there, unused and not expired at *at*."""

    def forget(self, before: datetime) -> int:
        """Remove the records that expired before *before*; how many."""


class InMemoryWalletStore:
    """`WalletStore` for one process: the reference, lost when the process ends. Safe for many threads."""

    def __init__(self) -> None:
        self._codes: dict[bytes, Code] = {}
        self._access: dict[bytes, Access] = {}
        self._delivered: set[tuple[bytes, str]] = set()
        self._nonces: dict[bytes, datetime] = {}
        self._mutex = threading.Lock()

    def put_code(self, digest: bytes, code: Code) -> bool:
        """See `WalletStore.put_code`."""
        with self._mutex:
            return self._codes.setdefault(digest, code) is code

    def try_code(self, digest: bytes) -> Code | None:
        """See `WalletStore.try_code`."""
        with self._mutex:
            code = self._codes.get(digest)
            if code is not None:
                self._codes[digest] = replace(code, tries=code.tries + 1)
            return code

    def spend_code(self, digest: bytes) -> bool:
        """See `WalletStore.spend_code`."""
        with self._mutex:
            code = self._codes.get(digest)
            if code is None or code.spent:
                return False
            self._codes[digest] = replace(code, spent=True)
            return True

    def put_access(self, digest: bytes, access: Access) -> bool:
        """See `WalletStore.put_access`."""
        with self._mutex:
            return self._access.setdefault(digest, access) is access

    def access(self, digest: bytes) -> Access | None:
        """See `WalletStore.access`."""
        with self._mutex:
            return self._access.get(digest)

    def deliver(self, digest: bytes, kind: str) -> bool:
        """See `WalletStore.deliver`."""
        with self._mutex:
            if digest not in self._access or (digest, kind) in self._delivered:
                return False
            self._delivered.add((digest, kind))
            return True

    def put_nonce(self, digest: bytes, expires_at: datetime) -> bool:
        """See `WalletStore.put_nonce`."""
        with self._mutex:
            if digest in self._nonces:
                return False
            self._nonces[digest] = expires_at
            return True

    def spend_nonce(self, digest: bytes, at: datetime) -> bool:
        """See `WalletStore.spend_nonce`."""
        with self._mutex:
            # A nonce that ran out is gone as well: nobody will ask for it again.
            expires_at = self._nonces.pop(digest, None)
            return expires_at is not None and at < expires_at

    def forget(self, before: datetime) -> int:
        """See `WalletStore.forget`."""
        with self._mutex:
            codes = [d for d, code in self._codes.items() if code.expires_at < before]
            tokens = {d for d, access in self._access.items() if access.expires_at < before}
            nonces = [d for d, expires_at in self._nonces.items() if expires_at < before]
            for digest in codes:
                del self._codes[digest]
            for digest in tokens:
                del self._access[digest]
            for digest in nonces:
                del self._nonces[digest]
            self._delivered = {(d, kind) for d, kind in self._delivered if d not in tokens}
            return len(codes) + len(tokens) + len(nonces)
