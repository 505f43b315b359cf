"""SM2 signatures with SM3 (GB/T 32918.2, GM/T 0009), made and checked by the system's libcrypto.

What is signed, and who trusts which key, is left to the callers. `cryptography` reads SM2 certificates and cannot sign;
OpenSSL 3, which it brings in a form of its own, can, and most systems have it beside Python. It is reached by ctypes:
every object it hands out is freed with the Python object that holds it, and no call keeps the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from .errors import KeyTextError, Sm2MissingError, Sm2SignatureInvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

USER_ID: Final = b"1234567812345678"
"""The signer's distinguishing identifier where nothing else was agreed (GM/T 0009, clause 10)."""

ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""n of the recommended curve (GB/T 32918.5)."""

_COORDINATE_BYTES: Final = 32
_UNCOMPRESSED: Final = 0x04
# SubjectPublicKeyInfo of id-ecPublicKey on the curve 1.2.156.10197.1.301, up to the point; and the private key's shell.
_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_PKCS8: Final = bytes.fromhex("3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420")
_OPENSSL_3: Final = 0x30000000
_MAX_SIGNATURE_BYTES: Final = 72


class Sm2PublicKey:
    """A public key. Safe for many threads."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    @classmethod
    def from_spki(cls, der: bytes) -> Sm2PublicKey:
        """Read a SubjectPublicKeyInfo (DER).

        Raises:
            KeyTextError: it is none of a point on the SM2 curve.
            Sm2MissingError: see `missing`.
        """
        if len(der) != len(_SPKI) + 1 + 2 * _COORDINATE_BYTES or not der.startswith(_SPKI):
            raise KeyTextError(problem="it is no public key on the SM2 curve")
        return cls.from_point(der[len(_SPKI) :])

    @classmethod
    def from_point(cls, point: bytes) -> Sm2PublicKey:
        """Read an uncompressed point: 0x04, x, y (65 bytes). Raises: as `from_spki`."""
        if len(point) != 1 + 2 * _COORDINATE_BYTES or point[0] != _UNCOMPRESSED:
            raise KeyTextError(problem="a public key on the SM2 curve is 0x04 and two coordinates")
        handle = _crypto().read(_SPKI + point, private=False)
        if handle is None:
            raise KeyTextError(problem="the point is not on the SM2 curve")
        return cls(handle)

    def to_spki(self) -> bytes:
        """The key as SubjectPublicKeyInfo (DER)."""
        return _crypto().write(self._handle, private=False)

    def to_point(self) -> bytes:
        """The key as an uncompressed point."""
        return self.to_spki()[len(_SPKI) :]

    def verify(self, signature: bytes, data: bytes, user_id: bytes = USER_ID) -> None:
        """Check a *signature* (DER, ``SEQUENCE { r, s }``) of *data* by the signer *user_id*.

        Raises:
            Sm2SignatureInvalidError: it does not hold, or is not in its only form.
        """
        # OpenSSL is lenient with DER; a second spelling of one signature is a second signature to whoever counts them.
        _numbers(signature)
        if not _crypto().verify(self._handle, signature, data, user_id):
            raise Sm2SignatureInvalidError(problem="it does not fit the data")


class Sm2PrivateKey:
    """A private key. Safe for many threads."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    @classmethod
    def generate(cls) -> Sm2PrivateKey:
        """A new key. Raises: Sm2MissingError: see `missing`."""
        return cls(_crypto().generate())

    @classmethod
    def from_number(cls, number: int) -> Sm2PrivateKey:
        """The key with private number *number*, from 1 to n − 2 (GB/T 32918.1, clause 6.1).

        Raises:
            KeyTextError: another number.
        """
        if not 1 <= number <= ORDER - 2:
            raise KeyTextError(problem="the private number of an SM2 key is from 1 to n - 2")
        handle = _crypto().read(_PKCS8 + number.to_bytes(_COORDINATE_BYTES, "big"), private=True)
        if handle is None:
            raise KeyTextError(problem="the private key on the SM2 curve cannot be read")
        return cls(handle)

    @classmethod
    def from_pkcs8(cls, der: bytes) -> Sm2PrivateKey:
        """Read a private key (PKCS#8, DER, not encrypted).

        Raises:
            KeyTextError: it is none on the SM2 curve.
        """
        handle = _crypto().read(der, private=True)
        if handle is None:
            raise KeyTextError(problem="it is no private key on the SM2 curve")
        return cls(handle)

    def to_pkcs8(self) -> bytes:
        """The key as PKCS#8 (DER, not encrypted): a secret."""
        return _crypto().write(self._handle, private=True)

    @property
    def public_key(self) -> Sm2PublicKey:
        """Its public half."""
        return Sm2PublicKey.from_spki(_crypto().write(self._handle, private=False))

    def sign(self, data: bytes, user_id: bytes = USER_ID) -> bytes:
        """A signature of *data* (DER) by the signer *user_id*; another one each time."""
        return _crypto().sign(self._handle, data, user_id)


def missing() -> str | None:
    """Why SM2 cannot be used on this machine; None where it can."""
    try:
        _crypto()
    except Sm2MissingError as error:
        return error.text("en")
    return None


def to_fixed(signature: bytes) -> bytes:
    """The DER *signature* as r and s of 32 bytes each. Raises: Sm2SignatureInvalidError: it is none."""
    return b"".join(number.to_bytes(_COORDINATE_BYTES, "big") for number in _numbers(signature))


def from_fixed(signature: bytes) -> bytes:
    """Inverse of `to_fixed`. Raises: Sm2SignatureInvalidError: not 64 bytes, or a number out of its range."""
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise Sm2SignatureInvalidError(problem="it has not 64 bytes")
    r, s = (int.from_bytes(signature[at : at + _COORDINATE_BYTES], "big") for at in (0, _COORDINATE_BYTES))
    return encode_dss_signature(*_in_range(r, s))


def _numbers(signature: bytes) -> tuple[int, int]:
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise Sm2SignatureInvalidError(problem="it is not DER") from error
    if encode_dss_signature(r, s) != signature:
        raise Sm2SignatureInvalidError(problem="it is not in its only form")
    return _in_range(r, s)


def _in_range(r: int, s: int) -> tuple[int, int]:
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise Sm2SignatureInvalidError(problem="a number is out of its range")
    return r, s


# --- libcrypto -------------------------------------------------------------------------------------------------------


class _Handle:
    """An EVP_PKEY that is ours."""

    def __init__(self, pointer: int, free: Callable[[int], None]) -> None:
        self.pointer = pointer
        weakref.finalize(self, free, pointer)


class _Crypto:
    """The few calls that are needed of libcrypto 3, with their types: a wrong one would crash instead of fail."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        pointer, size, number, data = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p
        address = ctypes.POINTER(pointer)

        def call(name: str, result: Any, *arguments: Any) -> Any:  # noqa: ANN401 - what ctypes calls types are values
            function = getattr(library, name)
            function.restype, function.argtypes = result, list(arguments)
            return function

        if call("OpenSSL_version_num", ctypes.c_ulong)() < _OPENSSL_3:
            raise AttributeError
        # The name is followed by arguments that depend on it; for SM2 there are none.
        self._generate = call("EVP_PKEY_Q_keygen", pointer, pointer, data, data)
        self._free = call("EVP_PKEY_free", None, pointer)
        self._is_a = call("EVP_PKEY_is_a", number, pointer, data)
        self._check = call("EVP_PKEY_public_check", number, pointer)
        self._read_public = call("d2i_PUBKEY", pointer, address, address, ctypes.c_long)
        self._read_private = call("d2i_AutoPrivateKey", pointer, address, address, ctypes.c_long)
        self._write_public = call("i2d_PUBKEY", number, pointer, address)
        self._to_shell = call("EVP_PKEY2PKCS8", pointer, pointer)
        self._write_shell = call("i2d_PKCS8_PRIV_KEY_INFO", number, pointer, address)
        self._free_shell = call("PKCS8_PRIV_KEY_INFO_free", None, pointer)
        self._context = call("EVP_PKEY_CTX_new", pointer, pointer, pointer)
        self._free_context = call("EVP_PKEY_CTX_free", None, pointer)
        self._name_signer = call("EVP_PKEY_CTX_set1_id", number, pointer, pointer, number)
        self._digest = call("EVP_MD_CTX_new", pointer)
        self._free_digest = call("EVP_MD_CTX_free", None, pointer)
        self._tie = call("EVP_MD_CTX_set_pkey_ctx", None, pointer, pointer)
        self._begin_signing = call("EVP_DigestSignInit", number, pointer, address, pointer, pointer, pointer)
        self._sign = call("EVP_DigestSign", number, pointer, pointer, ctypes.POINTER(size), data, size)
        self._begin_checking = call("EVP_DigestVerifyInit", number, pointer, address, pointer, pointer, pointer)
        self._verify = call("EVP_DigestVerify", number, pointer, data, size, data, size)
        self._forget_errors = call("ERR_clear_error", None)
        # Kept for as long as the process lives, as the library itself is.
        self._sm3 = call("EVP_MD_fetch", pointer, pointer, data, data)(None, b"SM3", None)
        key = self._generate(None, None, b"SM2")
        if not self._sm3 or not key:
            raise AttributeError
        self._free(key)

    def generate(self) -> _Handle:
        pointer = self._generate(None, None, b"SM2")
        if not pointer:
            raise Sm2MissingError(problem="libcrypto made no SM2 key")
        return _Handle(pointer, self._free)

    def read(self, der: bytes, *, private: bool) -> _Handle | None:
        """The key in *der*, which has to be whole and on the SM2 curve."""
        held = ctypes.create_string_buffer(der, len(der))
        at = ctypes.c_void_p(ctypes.addressof(held))
        pointer = (self._read_private if private else self._read_public)(None, ctypes.byref(at), len(der))
        self._forget_errors()
        if not pointer:
            return None
        handle = _Handle(pointer, self._free)
        whole = at.value == ctypes.addressof(held) + len(der)
        if not whole or self._is_a(pointer, b"SM2") != 1:
            return None
        context = self._context(pointer, None)
        try:
            sound = self._check(context) == 1
        finally:
            self._free_context(context)
            self._forget_errors()
        return handle if sound else None

    def write(self, handle: _Handle, *, private: bool) -> bytes:
        if not private:
            return self._written(self._write_public, handle.pointer)
        shell = self._to_shell(handle.pointer)
        try:
            return self._written(self._write_shell, shell)
        finally:
            self._free_shell(shell)

    @staticmethod
    def _written(write: Any, pointer: int) -> bytes:  # noqa: ANN401 - a function of the library
        length = write(pointer, None)
        if length <= 0:
            raise Sm2MissingError(problem="libcrypto did not write the key")
        held = ctypes.create_string_buffer(length)
        at = ctypes.c_void_p(ctypes.addressof(held))
        write(pointer, ctypes.byref(at))
        return held.raw

    def sign(self, handle: _Handle, data: bytes, user_id: bytes) -> bytes:
        def make(digest: int) -> bytes:
            held = ctypes.create_string_buffer(_MAX_SIGNATURE_BYTES)
            length = ctypes.c_size_t(_MAX_SIGNATURE_BYTES)
            done = self._sign(digest, ctypes.addressof(held), ctypes.byref(length), data, len(data))
            return held.raw[: length.value] if done == 1 else b""

        made = self._with_digest(handle, user_id, self._begin_signing, make)
        if not made:
            raise Sm2MissingError(problem="libcrypto did not sign")
        return made

    def verify(self, handle: _Handle, signature: bytes, data: bytes, user_id: bytes) -> bool:
        def look(digest: int) -> bytes:
            return b"1" if self._verify(digest, signature, len(signature), data, len(data)) == 1 else b""

        return self._with_digest(handle, user_id, self._begin_checking, look) == b"1"

    def _with_digest(self, handle: _Handle, user_id: bytes, begin: Any, do: Callable[[int], bytes]) -> bytes:  # noqa: ANN401
        """Do something with a digest context for *handle*; b"" where the library refused to make one."""
        context = self._context(handle.pointer, None)
        digest = self._digest()
        try:
            if not context or not digest or self._name_signer(context, user_id, len(user_id)) <= 0:
                return b""
            # The signer's name has to be known before the digest begins with it.
            self._tie(digest, context)
            if begin(digest, None, self._sm3, None, handle.pointer) != 1:
                return b""
            return do(digest)
        finally:
            self._free_digest(digest)
            self._free_context(context)
            self._forget_errors()


@cache
def _crypto() -> _Crypto:
    path = ctypes.util.find_library("crypto")
    if path is None:
        raise Sm2MissingError(problem="the system has no libcrypto")
    try:
        return _Crypto(path)
    except (OSError, AttributeError) as error:
        raise Sm2MissingError(problem="the system's libcrypto is older than OpenSSL 3 or has no SM2") from error
