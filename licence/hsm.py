"""Keys kept by a PKCS#11 token (密码机, a smart card): a `licence.keys.Signer` for ECDSA over P-256 with SHA-256.

It needs the extra ``hsm``. Putting keys onto the token is left to the token's own tools; certificates to an authority.
SM2 is not here: PKCS#11 has no mechanism for it, each vendor has one of its own, which comes as a signer of its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, Self, cast
from urllib.parse import parse_qsl, unquote

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import exceptions
from pkcs11.util.ec import encode_ec_public_key

from licence.errors import KeyFileError, SignerError
from licence.suites import ECDSA_P256_SHA256, SUITES

if TYPE_CHECKING:
    from pkcs11 import PublicKey, Session

SCHEME: Final = "pkcs11:"
_COORDINATE_BYTES: Final = 32
_PIN_ERRORS: Final = (
    exceptions.PinIncorrect,
    exceptions.PinLocked,
    exceptions.PinExpired,
    exceptions.PinInvalid,
    exceptions.PinLenRange,
)


class _TokenKey(Protocol):
    """What the library's private key objects can do, which its types leave out."""

    def sign(self, data: bytes, *, mechanism: pkcs11.Mechanism) -> bytes:
        """A raw signature."""


class TokenSigner:
    """One key of one token through one session, which is opened at need and opened again after it was lost.

    Threads share the session and take turns. A process that forks opens a signer in each child: a session does not
    cross a fork.
    """

    def __init__(self, module: str, token: str, label: str, pin: str) -> None:
        """Open the session and read the public key.

        Raises:
            SignerError: ``signer_gone``: the token is not there; try again when it is. ``signer_pin``: the PIN is wrong
                or locked; do not try again. ``signer_no_key``: no such P-256 key on the token.
        """
        self._module, self._token, self._label, self._pin = module, token, label, pin
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._session: Session | None = None
        self._private: _TokenKey | None = None
        with self._lock:
            self._public = self._open()

    def __repr__(self) -> str:
        """The token and the key, without the PIN."""
        return f"TokenSigner(token={self._token!r}, label={self._label!r})"

    @classmethod
    def from_uri(cls, uri: str, pin: str) -> Self:
        """The signer of a PKCS#11 URI (RFC 7512): ``pkcs11:token=…;object=…?module-path=…``.

        Raises:
            KeyFileError: one of the three is missing.
            SignerError: see `TokenSigner`.
        """
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        given = {name: unquote(value) for name, _, value in (part.partition("=") for part in path.split(";"))}
        module = dict(parse_qsl(query)).get("module-path", "")
        token, label = given.get("token", ""), given.get("object", "")
        if not uri.startswith(SCHEME) or not (module and token and label):
            raise KeyFileError("signer_uri_wrong")
        return cls(module, token, label, pin)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half, as read when the signer was opened."""
        return self._public

    def sign_der(self, data: bytes) -> bytes:
        """The DER form of a signature over *data* (see `licence.keys.Signer`).

        Raises:
            SignerError: ``signer_gone``: nothing was signed that counts; try again, the session is opened anew.
        """
        if os.getpid() != self._process:
            raise SignerError("signer_forked")
        with self._lock:
            if self._private is None and self._open() != self._public:
                self._close()
                raise SignerError("signer_no_key")
            try:
                # For type checkers: an open session has its key.
                raw = b"" if self._private is None else self._sign(self._private, data)
            except exceptions.PKCS11Error as error:
                self._close()
                raise SignerError("signer_gone", detail=type(error).__name__) from None
        if len(raw) != 2 * _COORDINATE_BYTES:
            raise SignerError("signer_wrong")
        r, s = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]))
        return encode_dss_signature(r, s)

    def close(self) -> None:
        """End the session; the next signature opens another."""
        with self._lock:
            self._close()

    @staticmethod
    def _sign(key: _TokenKey, data: bytes) -> bytes:
        # Tokens that hash by themselves are few; all of them sign a digest.
        return bytes(key.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))

    def _open(self) -> ec.EllipticCurvePublicKey:
        try:
            token = pkcs11.lib(self._module).get_token(token_label=self._token)
            try:
                self._session = token.open(user_pin=self._pin)
            except exceptions.UserAlreadyLoggedIn:
                # A token counts logins by process, not by session: another key of it is open already.
                self._session = token.open()
            kind = pkcs11.KeyType.EC
            private = self._session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, kind, label=self._label)
            public = self._session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, kind, label=self._label)
            found = load_der_public_key(encode_ec_public_key(cast("PublicKey", public)))
        except _PIN_ERRORS:
            self._close()
            raise SignerError("signer_pin") from None
        except (exceptions.NoSuchKey, exceptions.MultipleObjectsReturned, ValueError):
            self._close()
            raise SignerError("signer_no_key") from None
        except (exceptions.PKCS11Error, OSError, RuntimeError) as error:
            self._close()
            raise SignerError("signer_gone", detail=type(error).__name__) from None
        if not isinstance(found, ec.EllipticCurvePublicKey) or not SUITES[ECDSA_P256_SHA256].owns(found):
            self._close()
            raise SignerError("signer_no_key")
        self._private = cast("_TokenKey", private)
        return found

    def _close(self) -> None:
        session, self._session, self._private = self._session, None, None
        if session is not None:
            # The token may be gone, and the session with it.
            with suppress(exceptions.PKCS11Error):
                session.close()
