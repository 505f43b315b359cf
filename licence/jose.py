"""JSON Web Signatures in compact form (RFC 7515), read strictly: one spelling of everything, bounds on everything.

What typ, claims and chain must be is left to `licence.credential` and `licence.status`; whether the chain is trusted,
to `licence.chain`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NoReturn

from licence.errors import FormatError
from licence.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from licence.keys import SigningKey

# A chain is leaf, issuing CA and at most two cross certificates; certificates of ours are under 1 KiB.
MAX_CHAIN = 4
MAX_CERTIFICATE_BYTES = 8 * 1024
MAX_HEADER_BYTES = 64 * 1024
# Nested deeper than any claim of ours; keeps recursion far from the interpreter's limit.
MAX_JSON_DEPTH = 16
# 9999-12-31: a NumericDate beyond it cannot be shown as a date.
MAX_NUMERIC_DATE = 253_402_300_799
MAX_INTEGER_DIGITS = 18
# A text up to here is sooner searched for what could be wrong with its value than the value is walked.
_SEARCHED = 4096
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_B64URL = re.compile(r"[A-Za-z0-9_-]*")
_ESCAPED = re.compile(r"\\u")
_LAST_CHARACTERS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
_COMPACT_PARTS = 3
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_HEADER_MEMBERS = {"alg", "typ", "x5c"}


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed, **unverified** compact JWS: *chain* is x5c as DER, leaf first, possibly empty."""

    token: str
    alg: str
    chain: tuple[bytes, ...]
    payload: Mapping[str, Any]
    signing_input: bytes
    signature: bytes


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def b64url_each(parts: Iterable[bytes]) -> list[str]:
    """`b64url` of each of *parts*, at half the price of doing them one by one."""
    # "~" is in no base64 text; so all of them are changed to the other alphabet in one go.
    encoded = [binascii.b2a_base64(part, newline=False) for part in parts]
    return b"~".join(encoded).translate(_URL_SAFE, b"=").decode("ascii").split("~") if encoded else []


def b64url_decode(text: str, what: str) -> bytes:
    """The inverse of `b64url`, accepting its output and nothing else (no padding, no stray trailing bits).

    Raises:
        FormatError: *text* is not canonical.
    """
    if not _B64URL.fullmatch(text) or len(text) % 4 == 1:
        raise FormatError("base64_not_canonical", what=what)
    # Two or three characters over: 4 or 2 bits of the last one carry nothing and must be zero.
    over = len(text) % 4
    if over and text[-1] not in _LAST_CHARACTERS[over]:
        raise FormatError("base64_not_canonical", what=what)
    return binascii.a2b_base64(text.encode("ascii").translate(_STANDARD) + b"==="[: -over % 4])


def b64url_decode_each(texts: Sequence[str], what: str) -> list[bytes]:
    """`b64url_decode` of each of *texts*, at a third of the price of doing them one by one.

    Raises:
        FormatError: one of them is not canonical.
    """
    try:
        padded = ("==~".join(texts) + "==").encode("ascii").translate(_STANDARD)
        decoded = [binascii.a2b_base64(text) for text in padded.split(b"~")]
    except (binascii.Error, UnicodeEncodeError):
        decoded = []
    # Reading is lenient; that what was read is written so and not otherwise is what makes it canonical.
    if b64url_each(decoded) == list(texts):
        return decoded
    return [b64url_decode(text, what) for text in texts]


def b64_decode(text: object, what: str, max_bytes: int) -> bytes:
    """Canonical standard base64 with padding, as in x5c (RFC 7515 §4.1.6).

    Raises:
        FormatError: not text, not canonical, or longer than *max_bytes*.
    """
    if not isinstance(text, str) or len(text) > (max_bytes + 2) // 3 * 4:
        raise FormatError("base64_not_canonical", what=what)
    try:
        data = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        raise FormatError("base64_not_canonical", what=what) from None
    # Reading is lenient; that what was read is written so and not otherwise is what makes it canonical.
    if len(data) > max_bytes or binascii.b2a_base64(data, newline=False).decode("ascii") != text:
        raise FormatError("base64_not_canonical", what=what)
    return data


def strict_json(data: bytes | str, what: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON: UTF-8, no duplicate keys, no floats or NaN, no lone surrogates, integers ≤ 18 digits, depth ≤ 16.

    The caller bounds the size.

    Raises:
        FormatError: the text is not such JSON.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        short = len(text) <= _SEARCHED
        if short and not text.isascii():
            text.encode("utf-8")
        value = _DECODER.decode(text)
    except FormatError as fault:
        raise FormatError(fault.code, what=what) from None
    except (ValueError, RecursionError):
        raise FormatError("json_invalid", what=what) from None
    # Only escapes can still bring in lone surrogates, and only as many brackets can nest too deep.
    if not short or _ESCAPED.search(text) or text.count("[") + text.count("{") >= MAX_JSON_DEPTH:
        _walk(value, what, MAX_JSON_DEPTH)
    return value


def compact_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """JSON with members in the order given, no spaces, UTF-8."""
    return _ENCODER.encode(value).encode()


def json_text(text: str) -> str:
    """*text* as `compact_json` writes it, quotes and all."""
    return encode_basestring(text)


def sign(key: SigningKey, typ: str, payload: Mapping[str, Any]) -> str:
    """A compact JWS over *payload* with the key's certificate chain (the root left out) in x5c."""
    return sign_json(key, typ, compact_json(payload))


def sign_json(key: SigningKey, typ: str, payload: bytes) -> str:
    """As `sign`, over a payload that is written already: *payload* is one JSON object."""
    header = _header(SUITES[key.suite].jose_alg, typ, key.chain_der)
    signing_input = f"{header}.{b64url(payload)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode('ascii')))}"


@lru_cache(maxsize=256)
def _header(alg: str, typ: str, chain: tuple[bytes, ...]) -> str:
    x5c = [base64.b64encode(c).decode("ascii") for c in chain]
    return b64url(compact_json({"alg": alg, "typ": typ, "x5c": x5c}))


def parse_compact(token: str, *, typ: str, max_bytes: int, what: str) -> Jws:
    """Parse without verifying.

    The header must hold exactly ``alg``, ``typ`` and (for anything to be verified) ``x5c``; so no ``crit``, ``jwk``,
    ``jku`` or ``kid`` can steer a verifier. ``alg`` must be of the closed list of suites.

    Raises:
        FormatError: not of this form.
    """
    if len(token) > max_bytes:
        raise FormatError("too_large", what=what, limit=max_bytes)
    parts = token.split(".")
    if len(parts) != _COMPACT_PARTS or not token.isascii():
        raise FormatError("not_compact", what=what)
    if len(parts[0]) > MAX_HEADER_BYTES:
        raise FormatError("too_large", what=f"{what} header", limit=MAX_HEADER_BYTES)
    alg, chain = _read_header(parts[0], typ, what)
    payload = strict_json(b64url_decode(parts[1], f"{what} payload"), f"{what} payload")
    if not isinstance(payload, dict):
        raise FormatError("json_invalid", what=what)
    return Jws(
        token=token,
        alg=alg,
        chain=chain,
        payload=payload,
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=b64url_decode(parts[2], f"{what} signature"),
    )


# A pure function of what was signed; few keys sign whatever comes in a day.
@lru_cache(maxsize=256)
def _read_header(text: str, typ: str, what: str) -> tuple[str, tuple[bytes, ...]]:
    header = strict_json(b64url_decode(text, f"{what} header"), f"{what} header")
    if not isinstance(header, dict):
        raise FormatError("json_invalid", what=what)
    if header.get("typ") != typ:
        raise FormatError("wrong_typ", what=what, expected=typ)
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in {s.jose_alg for s in SUITES.values()}:
        raise FormatError("alg_not_allowed", what=what)
    if not set(header) <= _HEADER_MEMBERS:
        raise FormatError("unknown_member", what=f"{what} header")
    return alg, _chain(header.get("x5c"), what)


def verify(jws: Jws, public_key: object, allowed: Iterable[str]) -> None:
    """Check the signature with the suite the *key* belongs to; that suite must be *allowed* and match ``alg``.

    Raises:
        FormatError: sub-indication ``SIG_CRYPTO_FAILURE``.
    """
    for name in allowed:
        suite = SUITES[name]
        if suite.owns(public_key) and suite.jose_alg == jws.alg:
            suite.verify(public_key, jws.signature, jws.signing_input)
            return
    raise FormatError("alg_not_of_key", sub_indication="SIG_CRYPTO_FAILURE")


def numeric_date(payload: Mapping[str, Any], name: str, what: str) -> int:
    """A required NumericDate claim in whole seconds.

    Raises:
        FormatError: missing, not an integer, or no representable time.
    """
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMERIC_DATE:
        raise FormatError("bad_claim", what=what, claim=name)
    return value


def text_claim(payload: Mapping[str, Any], name: str, what: str, max_length: int = 512) -> str:
    """A required claim of non-empty text.

    Raises:
        FormatError: missing, empty, too long or not text.
    """
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= max_length:
        raise FormatError("bad_claim", what=what, claim=name)
    return value


def _chain(x5c: object, what: str) -> tuple[bytes, ...]:
    if x5c is None:
        return ()
    if not isinstance(x5c, list) or not 0 < len(x5c) <= MAX_CHAIN:
        raise FormatError("bad_claim", what=what, claim="x5c")
    return tuple(b64_decode(c, f"{what} x5c", MAX_CERTIFICATE_BYTES) for c in x5c)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise FormatError("json_duplicate_member", what="")
    return members


def _refuse_number(_text: str) -> NoReturn:
    raise FormatError("json_number", what="")


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        _refuse_number(text)
    # "-0" would be a second spelling of 0.
    return int(text) if text != "-0" else _refuse_number(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_refuse_number, parse_int=_integer, parse_constant=_refuse_number
)


def _walk(value: object, what: str, depth: int) -> None:
    if depth == 0:
        raise FormatError("json_invalid", what=what)
    if isinstance(value, str):
        if value.isascii():
            return
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise FormatError("json_invalid", what=what) from None
    elif isinstance(value, dict):
        for name, member in value.items():
            _walk(name, what, depth)
            _walk(member, what, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, what, depth - 1)
