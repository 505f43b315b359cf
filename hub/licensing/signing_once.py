"""Signatures on documents that are made once and kept, so that the documents themselves need not be.

Some 100 bytes a document, whatever the suite: an SM2 signature is another one each time, and a key that was exchanged
signs no more (`docs/adr/0027`). What is drawn is `hub.licensing.documents`'s affair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa
from cryptography import x509

from hub.control import DocumentPartRow, DocumentSignatureRow, insert_once
from licence.certificates import public_key_of
from licence.keys import SigningKey

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from licence.suites import PublicKey


class Name(NamedTuple):
    """Which document: *copy_id* is "" for a licence's own, *template* holds the versions of all that it is drawn by."""

    licence: str
    form: str
    template: str
    copy_id: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A signature: by the certificates *chain* (DER, leaf first), *seal* in DER or b"", *value* as DER."""

    signed_at: datetime
    suite: str
    chain: tuple[bytes, ...]
    seal: bytes
    value: bytes

    def key(self) -> SigningKey:
        """A key that signs what was signed, and nothing else: `SignerError` otherwise."""
        certificates = tuple(map(x509.load_der_x509_certificate, self.chain))
        return SigningKey(
            self.suite, _Replayed(cast("PublicKey", public_key_of(certificates[0])), self.value), certificates
        )


@dataclass(frozen=True, slots=True)
class _Replayed:
    """Whoever signs with it checks the value against the bytes (`licence.keys.sign_der`)."""

    key: PublicKey
    value: bytes

    def public_key(self) -> PublicKey:
        return self.key

    def sign_der(self, data: bytes) -> bytes:
        del data
        return self.value


class Recorder:
    """A key that remembers what it signed last, to be kept. For one thread, and one signature."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._value = b""

    def public_key(self) -> PublicKey:
        """The public half."""
        return self._key.public_key

    def sign_der(self, data: bytes) -> bytes:
        """See `licence.keys.Signer.sign_der`."""
        self._value = self._key.sign_der(data)
        return self._value

    def signing_key(self) -> SigningKey:
        """The key as those who sign want it."""
        return replace(self._key, private_key=self)

    def kept(self, signed_at: datetime, seal: bytes = b"") -> Kept:
        """What it signed."""
        return Kept(signed_at, self._key.suite, self._key.chain_der, seal, self._value)


def read(connection: Connection, name: Name) -> Kept | None:
    """The signature that is kept of document *name*, None before it was first signed."""
    table = DocumentSignatureRow.__table__
    row: Any = connection.execute(
        sa.select(table).where(*(table.c[column] == value for column, value in name._asdict().items()))
    ).first()
    if row is None:
        return None
    named = [*row.chain.split(), *([row.seal] if row.seal else [])]
    found = connection.execute(
        sa.select(DocumentPartRow.digest, DocumentPartRow.data).where(DocumentPartRow.digest.in_(named))
    )
    parts = {one.digest: bytes(one.data) for one in found}
    chain = tuple(parts[digest] for digest in row.chain.split())
    return Kept(row.signed_at, row.suite, chain, parts[row.seal] if row.seal else b"", bytes(row.value))


def write(connection: Connection, name: Name, kept: Kept) -> bool:
    """Keep *kept* for *name* unless there is one already; whether it was new. Of several who try at once, one is."""
    parts = [*kept.chain, *([kept.seal] if kept.seal else [])]
    for part in parts:
        insert_once(connection, DocumentPartRow, {"digest": _digest(part), "data": part})
    return insert_once(
        connection,
        DocumentSignatureRow,
        {
            **name._asdict(),
            "signed_at": kept.signed_at,
            "suite": kept.suite,
            "chain": " ".join(map(_digest, kept.chain)),
            "seal": _digest(kept.seal) if kept.seal else "",
            "value": kept.value,
        },
    )


def _digest(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()
