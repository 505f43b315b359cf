"""SM2 through the libcrypto of the system or of the interpreter (OpenSSL 3), by ctypes: keys, signing, verifying.

It trusts its arguments: encodings, ranges and points are checked by `licence.sm2.curve`, answers are put to the test by
`licence.sm2.selftest`. Thread-safe: a key is only read once made, and each call has contexts of its own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

from licence.sm2.curve import MAX_SIGNATURE_BYTES, USER_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OPENSSL_3: Final = 0x30000000
# scrypt of RFC 7914 as OpenSSL's own `pkcs8 -scrypt` sets it: 16 MiB and some 50 ms for each guess at a passphrase.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 16384, 8, 1
_OK = 1

_pointer = ctypes.c_void_p
_bytes = ctypes.c_char_p
_int = ctypes.c_int
_long = ctypes.c_long
_size = ctypes.c_size_t
_u64 = ctypes.c_uint64
# name → (result, arguments) of every function used, none of them variadic.
_FUNCTIONS: Final[dict[str, tuple[Any, list[Any]]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, []),
    "ERR_clear_error": (None, []),
    "EVP_sm3": (_pointer, []),
    "EVP_aes_256_cbc": (_pointer, []),
    "EVP_PKEY_CTX_new_from_name": (_pointer, [_pointer, _bytes, _bytes]),
    "EVP_PKEY_CTX_new_from_pkey": (_pointer, [_pointer, _pointer, _bytes]),
    "EVP_PKEY_CTX_free": (None, [_pointer]),
    "EVP_PKEY_CTX_set1_id": (_int, [_pointer, _bytes, _int]),
    "EVP_PKEY_keygen_init": (_int, [_pointer]),
    "EVP_PKEY_generate": (_int, [_pointer, ctypes.POINTER(_pointer)]),
    "EVP_PKEY_is_a": (_int, [_pointer, _bytes]),
    "EVP_PKEY_free": (None, [_pointer]),
    "EVP_MD_CTX_new": (_pointer, []),
    "EVP_MD_CTX_free": (None, [_pointer]),
    "EVP_MD_CTX_set_pkey_ctx": (None, [_pointer, _pointer]),
    "EVP_DigestSignInit": (_int, [_pointer, _pointer, _pointer, _pointer, _pointer]),
    "EVP_DigestSign": (_int, [_pointer, _pointer, ctypes.POINTER(_size), _bytes, _size]),
    "EVP_DigestVerifyInit": (_int, [_pointer, _pointer, _pointer, _pointer, _pointer]),
    "EVP_DigestVerify": (_int, [_pointer, _bytes, _size, _bytes, _size]),
    "d2i_PUBKEY": (_pointer, [_pointer, ctypes.POINTER(_bytes), _long]),
    "i2d_PUBKEY": (_int, [_pointer, ctypes.POINTER(_pointer)]),
    "d2i_PKCS8_PRIV_KEY_INFO": (_pointer, [_pointer, ctypes.POINTER(_bytes), _long]),
    "PKCS8_PRIV_KEY_INFO_free": (None, [_pointer]),
    "EVP_PKCS82PKEY": (_pointer, [_pointer]),
    "EVP_PKEY2PKCS8": (_pointer, [_pointer]),
    "PKCS5_pbe2_set_scrypt": (_pointer, [_pointer, _pointer, _int, _pointer, _u64, _u64, _u64]),
    "PKCS8_set0_pbe": (_pointer, [_bytes, _int, _pointer, _pointer]),
    "X509_ALGOR_free": (None, [_pointer]),
    "d2i_X509_SIG": (_pointer, [_pointer, ctypes.POINTER(_bytes), _long]),
    "i2d_X509_SIG": (_int, [_pointer, ctypes.POINTER(_pointer)]),
    "X509_SIG_free": (None, [_pointer]),
    "PKCS8_decrypt": (_pointer, [_pointer, _bytes, _int]),
}


class NativeError(Exception):
    """libcrypto refused. Internal to `licence.sm2`, which says to the caller what was refused."""


class Key:
    """A key inside libcrypto, private or public; freed with this object. It can be neither copied nor pickled."""

    __slots__ = ("_native", "pointer")

    def __init__(self, native: Native, pointer: int) -> None:
        self._native = native
        self.pointer = pointer

    def __del__(self) -> None:
        self._native.call["EVP_PKEY_free"](self.pointer)

    def __reduce__(self) -> NoReturn:
        # A copy would free the same key a second time.
        message = "an SM2 key handle cannot be copied or pickled"
        raise TypeError(message)


class Native:
    """One libcrypto that knows SM2."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Bind *library*.

        Raises:
            NativeError: it is no OpenSSL 3 with SM2.
        """
        self.call: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in _FUNCTIONS.items():
            try:
                function = library[name]
            except AttributeError:
                raise NativeError(name) from None
            function.restype, function.argtypes = result, arguments
            self.call[name] = function
        if self.call["OpenSSL_version_num"]() < _OPENSSL_3:
            raise NativeError
        context = self.call["EVP_PKEY_CTX_new_from_name"](None, b"SM2", None)
        digest = self.call["EVP_sm3"]()
        self.call["EVP_PKEY_CTX_free"](context)
        if not context or not digest:
            self._refuse()
        self._sm3 = digest

    def generate(self) -> Key:
        """A new private key from libcrypto's randomness."""
        context = self.call["EVP_PKEY_CTX_new_from_name"](None, b"SM2", None)
        made = _pointer()
        try:
            if (
                not context
                or self.call["EVP_PKEY_keygen_init"](context) != _OK
                or self.call["EVP_PKEY_generate"](context, ctypes.byref(made)) != _OK
            ):
                self._refuse()
        finally:
            self.call["EVP_PKEY_CTX_free"](context)
        return self._key(made.value)

    def public(self, spki_der: bytes) -> Key:
        """The public key of a SubjectPublicKeyInfo."""
        return self._key(self._parse("d2i_PUBKEY", spki_der))

    def private(self, pkcs8_der: bytes) -> Key:
        """The private key of an unencrypted PKCS#8 PrivateKeyInfo."""
        info = self._parse("d2i_PKCS8_PRIV_KEY_INFO", pkcs8_der)
        try:
            return self._key(self.call["EVP_PKCS82PKEY"](info))
        finally:
            self.call["PKCS8_PRIV_KEY_INFO_free"](info)

    def spki(self, key: Key) -> bytes:
        """The SubjectPublicKeyInfo of *key*."""
        return self._write("i2d_PUBKEY", key.pointer)

    def encrypted(self, key: Key, passphrase: bytes) -> bytes:
        """PKCS#8 EncryptedPrivateKeyInfo: PBES2 with scrypt and AES-256-CBC."""
        cipher = self.call["EVP_aes_256_cbc"]()
        scheme = self.call["PKCS5_pbe2_set_scrypt"](cipher, None, 0, None, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
        info = self.call["EVP_PKEY2PKCS8"](key.pointer)
        sealed = None
        try:
            if scheme and info:
                sealed = self.call["PKCS8_set0_pbe"](passphrase, len(passphrase), info, scheme)
            if not sealed:
                self.call["X509_ALGOR_free"](scheme)
                self._refuse()
            # From here on the scheme belongs to `sealed`.
            return self._write("i2d_X509_SIG", sealed)
        finally:
            self.call["X509_SIG_free"](sealed)
            self.call["PKCS8_PRIV_KEY_INFO_free"](info)

    def decrypted(self, encrypted_der: bytes, passphrase: bytes) -> Key | None:
        """The private key of a PKCS#8 EncryptedPrivateKeyInfo; None when it does not open with *passphrase*."""
        sealed = self._parse("d2i_X509_SIG", encrypted_der)
        info = None
        try:
            info = self.call["PKCS8_decrypt"](sealed, passphrase, len(passphrase))
            if not info:
                self.call["ERR_clear_error"]()
                return None
            return self._key(self.call["EVP_PKCS82PKEY"](info))
        finally:
            self.call["PKCS8_PRIV_KEY_INFO_free"](info)
            self.call["X509_SIG_free"](sealed)

    def sign(self, key: Key, data: bytes) -> bytes:
        """The DER signature over *data*, with a fresh nonce."""
        room = ctypes.create_string_buffer(MAX_SIGNATURE_BYTES)
        size = _size(MAX_SIGNATURE_BYTES)
        with self._context(key, "EVP_DigestSignInit") as context:
            if self.call["EVP_DigestSign"](context, room, ctypes.byref(size), data, len(data)) != _OK:
                self._refuse()
        return room.raw[: size.value]

    def verifies(self, key: Key, signature: bytes, data: bytes) -> bool:
        """Whether *signature* (DER) is of *key* over *data*."""
        with self._context(key, "EVP_DigestVerifyInit") as context:
            answer = self.call["EVP_DigestVerify"](context, signature, len(signature), data, len(data))
        if answer != _OK:
            self.call["ERR_clear_error"]()
        return bool(answer == _OK)

    @contextmanager
    def _context(self, key: Key, start: str) -> Iterator[int]:
        """A digest context for *key* with the user id set."""
        call = self.call
        context = call["EVP_MD_CTX_new"]()
        of_key = call["EVP_PKEY_CTX_new_from_pkey"](None, key.pointer, None)
        try:
            if not context or not of_key or call["EVP_PKEY_CTX_set1_id"](of_key, USER_ID, len(USER_ID)) != _OK:
                self._refuse()
            call["EVP_MD_CTX_set_pkey_ctx"](context, of_key)
            if call[start](context, None, self._sm3, None, key.pointer) != _OK:
                self._refuse()
            yield context
        finally:
            # The digest context does not own the key context it was given.
            call["EVP_MD_CTX_free"](context)
            call["EVP_PKEY_CTX_free"](of_key)

    def _key(self, pointer: int | None) -> Key:
        if not pointer:
            self._refuse()
        key = Key(self, pointer)
        if self.call["EVP_PKEY_is_a"](pointer, b"SM2") != _OK:
            raise NativeError
        return key

    def _parse(self, function: str, der: bytes) -> int:
        start = _bytes(der)
        before = ctypes.cast(start, _pointer).value or 0
        made: int | None = self.call[function](None, ctypes.byref(start), len(der))
        if not made:
            self._refuse()
        if (ctypes.cast(start, _pointer).value or 0) - before != len(der):
            self.call[_FREES[function]](made)
            raise NativeError
        return made

    def _write(self, function: str, pointer: int) -> bytes:
        size = self.call[function](pointer, None)
        if size <= 0:
            self._refuse()
        room = ctypes.create_string_buffer(size)
        target = ctypes.cast(room, _pointer)
        if self.call[function](pointer, ctypes.byref(target)) != size:
            self._refuse()
        return room.raw

    def _refuse(self) -> NoReturn:
        # The queue of errors belongs to the thread and would speak up in somebody else's call.
        self.call["ERR_clear_error"]()
        raise NativeError


_FREES: Final = {
    "d2i_PUBKEY": "EVP_PKEY_free",
    "d2i_PKCS8_PRIV_KEY_INFO": "PKCS8_PRIV_KEY_INFO_free",
    "d2i_X509_SIG": "X509_SIG_free",
}
_lock = threading.Lock()
_found: list[Native | None] = []


def load() -> Native | None:
    """The first libcrypto with SM2: the one the interpreter itself uses, or the system's. None when neither has it."""
    if not _found:
        with _lock:
            if not _found:
                _found.append(next(_candidates(), None))
    return _found[0]


def _candidates() -> Iterator[Native]:
    for name in _names():
        try:
            yield Native(ctypes.CDLL(name))
        except (OSError, NativeError):
            continue


def _names() -> Iterator[str | None]:
    # Looking a symbol up in the extension finds the libcrypto it is linked to; a built-in one lies in the program.
    with suppress(ImportError):
        yield getattr(importlib.import_module("_ssl"), "__file__", None)
    system = ctypes.util.find_library("crypto")
    if system:
        yield system
