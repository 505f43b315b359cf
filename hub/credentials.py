"""What a request may show to say who sends it: public keys, certificates, shared keys, bearer keys, as they are kept.

Leaves giving and taking them to `hub.clients` and `hub.callers`, recognising requests to `hub.authentication`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.control import Caller, ClientCredential, ClientRow
from hub.errors import KeyFileError
from hub.keyring import Keyring
from hub.signing.algorithms import PublicKey, public_key

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.signing.requests import Signed

BEARER: Final = "bearer"
KEY: Final = "key"
CERTIFICATE: Final = "certificate"
HMAC: Final = "hmac"
KINDS: Final = (KEY, CERTIFICATE, HMAC, BEARER)

SIGNATURE: Final = "signature"
MTLS: Final = "mtls"
PROOFS: Final = {KEY: SIGNATURE, CERTIFICATE: MTLS, HMAC: HMAC, BEARER: BEARER}
"""What a request proves by a credential of each kind."""
SESSION: Final = "session"
"""What a person proves who is signed in at the portal: there is no credential of a system behind it."""

PRODUCTION: Final = "production"
SANDBOX: Final = "sandbox"
ENVIRONMENTS: Final = (PRODUCTION, SANDBOX)

MAX_HANDLE_CHARS: Final = 200
_SEALING_KEY: Final = "client-keys"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """A caller that was recognised: by which *proof*, with which *credential*.

    *sandbox*: it may have made-up rows and nothing else, whatever its grants say. *signed* is what shows that it was
    this caller, where the request was signed.
    """

    id: str
    department: str
    name: str = ""
    roles: tuple[str, ...] = ("call",)
    proof: str = BEARER
    credential: str = ""
    sandbox: bool = False
    signed: Signed | None = field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """Whom the log names: of a system its department, of a person department and post, which is *name*."""
        return f"{self.department}:{self.name}" if self.proof == SESSION else self.department


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that nobody revoked, who shows it, and what it is checked with: a public key, or shared bytes."""

    caller: KnownCaller
    starts: float  # POSIX seconds
    ends: float
    key: PublicKey | bytes | None = None

    def in_force(self, at: float) -> bool:
        """Whether it holds at POSIX time *at*."""
        return self.starts <= at < self.ends


class Sealing:
    """Keeps shared keys readable to this deployment alone: AES-GCM under a key of the keyring in *folder*.

    The keyring is opened when the first shared key is met, for it costs a tenth of a second.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _key(self) -> bytes:
        return Keyring(self._folder).secret(_SEALING_KEY)

    def seal(self, name: str, secret: bytes) -> str:
        """*secret*, sealed for the credential *name* and no other."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + AESGCM(self._key).encrypt(nonce, secret, name.encode())).decode()

    def open(self, name: str, sealed: str) -> bytes:
        """What was sealed for *name*. Raises: KeyFileError: it was sealed under another key, or for another name."""
        raw = base64.b64decode(sealed)
        try:
            return AESGCM(self._key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
        except InvalidTag as error:
            raise KeyFileError(name=_SEALING_KEY, why="another key sealed it / 由其他密钥加密") from error

    def thumbprint(self, secret: bytes) -> str:
        """What tells shared keys apart in public; keyed, because one that was chosen by people could be guessed."""
        return hmac.digest(self._key, b"thumbprint\n" + secret, hashlib.sha256).hex()


def read_credentials(connection: Connection, kind: str, handle: str, sealing: Sealing) -> tuple[Credential, ...]:
    """The credentials of *kind* that requests call by *handle*, unrevoked, of clients that go on, whatever their terms.

    At most one; of shared keys two, while they rotate.
    """
    if kind == BEARER:
        return _read_bearer(connection, handle)
    table = ClientCredential
    query = (
        sa.select(table.id, table.public, table.sealed, table.not_before, table.expires, *_CLIENT)
        .join(ClientRow, ClientRow.id == table.client)
        .where(table.kind == kind, table.handle == handle, table.revoked_at.is_(None), ClientRow.ended_at.is_(None))
        .order_by(table.created, table.id)
    )
    found = []
    for row in connection.execute(query):
        key: PublicKey | bytes | None = public_key(row.public) if kind == KEY else None
        if kind == HMAC:
            key = sealing.open(row.id, row.sealed)
        found.append(Credential(_known(row, kind), *_term(row.not_before, row.expires), key))
    return tuple(found)


_CLIENT = (
    ClientRow.caller,
    ClientRow.department,
    ClientRow.name,
    ClientRow.roles,
    ClientRow.environment,
    ClientRow.signed_only,
)


def _read_bearer(connection: Connection, handle: str) -> tuple[Credential, ...]:
    own = (Caller.id, Caller.not_before, Caller.expires, Caller.client)
    query = sa.select(*own, Caller.department, Caller.name, Caller.roles).where(
        Caller.key_hash == handle, Caller.revoked_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return ()
    if not row.client:
        known = KnownCaller(row.id, row.department, row.name, tuple(row.roles), credential=row.id)
        return (Credential(known, *_term(row.not_before, row.expires)),)
    client = connection.execute(
        sa.select(sa.literal(row.id).label("id"), *_CLIENT).where(
            ClientRow.id == row.client, ClientRow.ended_at.is_(None)
        )
    ).one_or_none()
    return () if client is None else (Credential(_known(client, BEARER), *_term(row.not_before, row.expires)),)


def _known(row: Any, kind: str) -> KnownCaller:  # noqa: ANN401 - a row of a client and the id of its credential
    return KnownCaller(
        id=row.caller,
        department=row.department,
        name=row.name,
        roles=tuple(row.roles),
        proof=PROOFS[kind],
        credential=row.id,
        # Only a signature covers what is asked for: where a client signs, anything less reaches made-up rows alone.
        sandbox=row.environment == SANDBOX or (row.signed_only and kind != KEY),
    )


def _term(not_before: datetime | None, expires: datetime | None) -> tuple[float, float]:
    starts = -math.inf if not_before is None else not_before.timestamp()
    return starts, math.inf if expires is None else expires.timestamp()
