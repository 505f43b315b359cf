"""The test SM2 must pass before its first use in a process: known answers, an own signature, refusals.

What follows from a failure is left to `licence.sm2.keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from licence.sm2 import pure
from licence.sm2.curve import SPKI_PREFIX, read_signature, sm3

if TYPE_CHECKING:
    from collections.abc import Callable

    from licence.sm2.native import Native

# GB/T 32905 Annex A.1 and GB/T 32918.5 Annex A.2 (key, message and signature).
_DIGEST: Final = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
_POINT: Final = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_MESSAGE: Final = b"message digest"
_SIGNATURE: Final = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def fault(native: Native | None) -> str:
    """What fails, in a few words for whoever runs the machine; empty when everything holds."""
    if sm3(b"abc") != _DIGEST:
        return "SM3"
    if not _judges_rightly(_by_pure):
        return "verification in Python"
    if native is not None:
        key = native.public(SPKI_PREFIX + _POINT)
        if not _judges_rightly(lambda _point, signature, data: native.verifies(key, signature, data)):
            return "verification in libcrypto"
        own = native.generate()
        signature = native.sign(own, _MESSAGE)
        point = native.spki(own)[len(SPKI_PREFIX) :]
        if not native.verifies(own, signature, _MESSAGE) or not _by_pure(point, signature, _MESSAGE):
            return "signing in libcrypto"
    return ""


def _by_pure(point: bytes, signature: bytes, data: bytes) -> bool:
    return pure.verifies(point, *read_signature(signature), data)


def _judges_rightly(verifies: Callable[[bytes, bytes, bytes], bool]) -> bool:
    altered = _SIGNATURE[:-1] + bytes([_SIGNATURE[-1] ^ 1])
    return (
        verifies(_POINT, _SIGNATURE, _MESSAGE)
        and not verifies(_POINT, altered, _MESSAGE)
        and not verifies(_POINT, _SIGNATURE, _MESSAGE + b"s")
    )
