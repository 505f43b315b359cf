"""The curve SM2 recommends (GB/T 32918.5), its encodings, and the value Z that binds signer and message.

Doing anything with points is left to `licence.sm2.native` and `licence.sm2.pure`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash

from licence.errors import FormatError

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX: Final = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY: Final = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

# The user id of GB/T 35275 and GM/T 0009 §10, used wherever parties agree on no other.
USER_ID: Final = b"1234567812345678"
FIELD_BYTES: Final = 32
POINT_BYTES: Final = 1 + 2 * FIELD_BYTES
# SEQUENCE of two INTEGERs of at most 33 bytes.
MAX_SIGNATURE_BYTES: Final = 72
_UNCOMPRESSED: Final = b"\x04"
# SubjectPublicKeyInfo up to the point: id-ecPublicKey with the named curve 1.2.156.10197.1.301.
SPKI_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")


def sm3(data: bytes) -> bytes:
    """The 32 bytes of the SM3 digest (GB/T 32905) of *data*."""
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def is_point(point: bytes) -> bool:
    """Whether *point* is the uncompressed form of a point of the curve; the cofactor is 1, so of the group."""
    if len(point) != POINT_BYTES or point[:1] != _UNCOMPRESSED:
        return False
    x, y = coordinates(point)
    return x < P and y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def coordinates(point: bytes) -> tuple[int, int]:
    """The coordinates of an uncompressed point."""
    return int.from_bytes(point[1 : 1 + FIELD_BYTES], "big"), int.from_bytes(point[1 + FIELD_BYTES :], "big")


@lru_cache(maxsize=256)
def user_digest(point: bytes) -> bytes:
    """Z of GB/T 32918.2 §5.5 for the key *point* and the usual user id."""
    parameters = b"".join(v.to_bytes(FIELD_BYTES, "big") for v in (A, B, GX, GY))
    return sm3((len(USER_ID) * 8).to_bytes(2, "big") + USER_ID + parameters + point[1:])


def read_signature(signature: bytes) -> tuple[int, int]:
    """The integers r and s of a DER signature (GM/T 0009 §7.3), strictly: one spelling, both from 1 to n - 1.

    Raises:
        FormatError: sub-indication ``SIG_CRYPTO_FAILURE``.
    """
    if len(signature) <= MAX_SIGNATURE_BYTES:
        try:
            r, s = decode_dss_signature(signature)
        except ValueError:
            pass
        else:
            if 0 < r < N and 0 < s < N and encode_dss_signature(r, s) == signature:
                return r, s
    raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")
