"""Status list tokens as CBOR Web Tokens (RFC 8392, draft-ietf-oauth-status-list §5.2): half the bytes of the JWT.

What a token's claims mean is left to `licence.status.lists`, whose token counts to `licence.status.authentic`.

The signature names its certificate by digest (``x5t``, RFC 9360); the chain stands beside it, unsigned, and may be left
out where a verifier has it already: `with_chain` puts it back. No byte of the chain can be changed unnoticed: its leaf
has the digest that is signed, and what stands above is signed from the anchor down.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from licence import jose
from licence.errors import FormatError, IssueRefusedError
from licence.qr import cbor, cose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from licence.keys import SigningKey

TYP: Final = "application/statuslist+cwt"
# The bytes of the largest list that does not compress, with chain and claims around it.
MAX_CWT_BYTES: Final = 17 * 1024 * 1024
_TAG: Final = b"\xd2"
# Header parameters of RFC 9052 §3.1, RFC 9596 (typ) and RFC 9360.
_ALG, _KID, _TYP, _CHAIN, _X5T = 1, 4, 16, 33, 34
_SHA256: Final = -16
_CLAIMS: Final[Mapping[int, str]] = {1: "iss", 2: "sub", 4: "exp", 6: "iat", 65534: "ttl", 65533: "status_list"}
_KEYS: Final = {name: key for key, name in _CLAIMS.items()}
_PARTS, _X5T_PARTS = 4, 2
_WHAT: Final = "status list token"


@dataclass(frozen=True, slots=True)
class SignedCwt:
    """A parsed, **unverified** COSE_Sign1: *chain* is DER, leaf first, possibly empty; *x5t* b"" where none stands."""

    chain: tuple[bytes, ...]
    x5t: bytes
    message: cose.Sign1

    def verify(self, public_key: object, allowed: Iterable[str]) -> None:
        """Check the signature, and that it names the leaf of the chain.

        Raises:
            FormatError: sub-indication ``SIG_CRYPTO_FAILURE``, or the leaf is another than was signed.
        """
        leaf = hashlib.sha256(self.chain[0]).digest() if self.chain else b""
        if not hmac.compare_digest(self.x5t, leaf):
            raise FormatError("cose_invalid", sub_indication="SIG_CONSTRAINTS_FAILURE", problem="x5t")
        cose.verify(self.message, public_key, allowed)


def sign(key: SigningKey, claims: Mapping[str, Any]) -> bytes:
    """The tagged token with *claims* by name, its chain beside the signature; `status_list` holds ``bits``, ``lst``.

    Raises:
        IssueRefusedError: COSE has no number for the key's suite.
    """
    algorithm = cose.ALGORITHMS.get(key.suite)
    if algorithm is None:
        raise IssueRefusedError("cose_no_algorithm", suite=key.suite)
    x5t = hashlib.sha256(key.chain_der[0]).digest()
    protected = cbor.encode({_ALG: algorithm, _TYP: TYP, _X5T: [_SHA256, x5t]})
    payload = cbor.encode({_KEYS[name]: value for name, value in claims.items()})
    signature = key.sign(_structure(protected, payload))
    return _TAG + cbor.encode([protected, _beside(key.chain_der), payload, signature])


def with_chain(token: bytes, chain: Sequence[bytes]) -> bytes:
    """The token with *chain* (DER, leaf first) beside its signature, in place of any; none: the bare token.

    Raises:
        FormatError: not such a token.
    """
    protected, _, payload, signature = _parts(token)
    return _TAG + cbor.encode([protected, _beside(chain), payload, signature])


def parse(token: bytes) -> tuple[SignedCwt, dict[str, Any]]:
    """The signature and the claims by name, without verifying. The order of members is the signer's own.

    Raises:
        FormatError: not such a token; a header parameter or claim that is not of our profile.
    """
    protected, unprotected, payload, signature = _parts(token)
    header = _map(protected, "protected header")
    if not {_ALG, _TYP} <= set(header) <= {_ALG, _TYP, _X5T, _KID} or header[_TYP] != TYP:
        raise FormatError("cose_invalid", problem="protected header")
    algorithm = header[_ALG]
    if not isinstance(algorithm, int) or algorithm not in cose.ALGORITHMS.values():
        raise FormatError("alg_not_allowed", what=_WHAT)
    # Nothing in here is signed: a chain, which proves itself, or the key id by which others find theirs; not both.
    if not set(unprotected) < {_CHAIN, _KID}:
        raise FormatError("cose_invalid", problem="unprotected header")
    if not all(isinstance(part.get(_KID, b""), bytes) for part in (header, unprotected)):
        raise FormatError("cose_invalid", problem="key id")
    claims = _map(payload, "claims")
    if not set(claims) <= set(_CLAIMS):
        raise FormatError("unknown_member", what=_WHAT)
    message = cose.Sign1(algorithm, b"", payload, _structure(protected, payload), signature)
    found = SignedCwt(_chain(unprotected.get(_CHAIN)), _x5t(header.get(_X5T)), message)
    return found, {_CLAIMS[key]: value for key, value in claims.items() if isinstance(key, int)}


def _parts(token: bytes) -> tuple[bytes, dict[Any, Any], bytes, bytes]:
    if token[:1] != _TAG:
        raise FormatError("cose_invalid", problem="not a tagged COSE_Sign1")
    parts = cbor.decode(token[1:], max_bytes=MAX_CWT_BYTES, ordered=False)
    if not isinstance(parts, tuple) or len(parts) != _PARTS:
        raise FormatError("cose_invalid", problem="not four parts")
    protected, unprotected, payload, signature = parts
    if not isinstance(unprotected, dict) or not isinstance(protected, bytes):
        raise FormatError("cose_invalid", problem="headers")
    if not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise FormatError("cose_invalid", problem="parts")
    return protected, unprotected, payload, signature


def _map(data: bytes, problem: str) -> dict[Any, Any]:
    found = cbor.decode(data, max_bytes=MAX_CWT_BYTES, ordered=False)
    if not isinstance(found, dict):
        raise FormatError("cose_invalid", problem=problem)
    return found


def _beside(chain: Sequence[bytes]) -> dict[int, Any]:
    # RFC 9360 §2: one certificate is a byte string, several are an array of them.
    if not chain:
        return {}
    return {_CHAIN: chain[0] if len(chain) == 1 else list(chain)}


def _chain(value: object) -> tuple[bytes, ...]:
    if value is None:
        return ()
    # RFC 9360 §2: an array holds two certificates at least.
    if isinstance(value, tuple) and not 1 < len(value) <= jose.MAX_CHAIN:
        raise FormatError("cose_invalid", problem="x5chain")
    listed = (value,) if isinstance(value, bytes) else value
    if not isinstance(listed, tuple):
        raise FormatError("cose_invalid", problem="x5chain")
    if not all(isinstance(one, bytes) and 0 < len(one) <= jose.MAX_CERTIFICATE_BYTES for one in listed):
        raise FormatError("cose_invalid", problem="x5chain")
    return listed


def _x5t(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, tuple) or len(value) != _X5T_PARTS or value[0] != _SHA256:
        raise FormatError("cose_invalid", problem="x5t")
    if not isinstance(value[1], bytes) or len(value[1]) != hashlib.sha256().digest_size:
        raise FormatError("cose_invalid", problem="x5t")
    return value[1]


def _structure(protected: bytes, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, b"", payload])
