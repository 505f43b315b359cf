"""Which signature suites seals use, and their signatures: by policy and key, the message only has to agree.

The mathematics is left to `licence.suites`; seals carry signatures as DER SEQUENCE {r, s}, not in the form of JWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash

from licence import chain
from licence.certificates import public_key_of
from licence.errors import FormatError
from licence.seals import der
from licence.suites import ECDSA_P256_SHA256, SM2_SM3, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Mapping

SM2_WITH_SM3_OID: Final = "1.2.156.10197.1.501"
ECDSA_WITH_SHA256_OID: Final = "1.2.840.10045.4.3.2"
# The standards know SM2 alone; ECDSA over P-256 is for demonstrations where no SM2 is at hand.
SUITE_OF_OID: Final[Mapping[str, str]] = {SM2_WITH_SM3_OID: SM2_SM3, ECDSA_WITH_SHA256_OID: ECDSA_P256_SHA256}
OID_OF_SUITE: Final[Mapping[str, str]] = {suite: oid for oid, suite in SUITE_OF_OID.items()}
SM3_BYTES: Final = 32
_PLAIN_BYTES: Final = 64


def sm3(data: bytes) -> bytes:
    """The SM3 digest (GB/T 32905): document digests and digests of custodians' certificates."""
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def verify(certificate: bytes, algorithm: str, signature: bytes, data: bytes, suites: frozenset[str]) -> str:
    """Check *signature* over *data* by the key of *certificate* (DER); the name of the suite.

    Raises:
        FormatError: ``seal_algorithm_not_allowed``, ``seal_algorithm_not_of_key`` (``SIG_CONSTRAINTS_FAILURE``),
            ``signature_wrong`` (``SIG_CRYPTO_FAILURE``), or the certificate does not parse.
    """
    name = SUITE_OF_OID.get(algorithm)
    if name is None or name not in suites:
        raise FormatError("seal_algorithm_not_allowed", sub_indication="SIG_CONSTRAINTS_FAILURE", oid=algorithm)
    _require_whole_octets(certificate)
    key = public_key_of(chain.load(certificate))
    suite = suite_of_key(key)
    if suite is None or suite.name != name:
        raise FormatError("seal_algorithm_not_of_key", sub_indication="SIG_CONSTRAINTS_FAILURE", oid=algorithm)
    suite.verify_der(key, _der_of(signature), data)
    return name


def _require_whole_octets(certificate: bytes) -> None:
    """The issuer's signature in *certificate* is a BIT STRING of whole octets.

    X.509 parsers let its count of unused bits be anything that fits, and nothing signs that octet: in a seal of version
    4 or 5 the maker's certificate is not under the maker's signature.
    """
    parts = der.children(der.whole(certificate, "Certificate"), der.SEQUENCE, "Certificate", 3)
    if not parts:
        der.fail("Certificate")
    der.bits(parts[-1], "Certificate")


def _der_of(signature: bytes) -> bytes:
    """Some vendors write r ‖ s in 64 bytes instead of a SEQUENCE; a SEQUENCE of that size says so itself."""
    if len(signature) != _PLAIN_BYTES or signature[:2] == bytes((der.SEQUENCE, _PLAIN_BYTES - 2)):
        return signature
    half = _PLAIN_BYTES // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
