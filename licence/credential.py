"""The licence as data: an SD-JWT VC (RFC 9901 and SD-JWT VC), built, parsed strictly and presented in part.

Whether its signer is trusted, and whether it is in force, is left to `licence.verify`; whether who shows it holds the
key it is bound to, to `licence.wallet.binding`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from licence import jose
from licence.errors import FormatError, IssueRefusedError
from licence.model import StatusRef
from licence.profile import CREDENTIAL_TYP
from licence.wallet.binding import KeyBinding
from licence.wallet.jwk import from_jwk, to_jwk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from licence.keys import SigningKey
    from licence.wallet.jwk import HolderKey

# A licence has some twenty fields; a photograph does not belong in it.
MAX_CREDENTIAL_BYTES = 256 * 1024
MAX_DISCLOSURES = 128
MAX_DISCLOSURE_BYTES = 8 * 1024
MAX_STATUS_INDEX = 1 << 32
# RFC 9901 §9.3: 128 bits of salt.
SALT_BYTES = 16
_SALT_CHARACTERS = 22
_DIGEST_CHARACTERS = 43
_DISCLOSURE_PARTS = 3
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_REQUIRED = frozenset({"iss", "jti", "iat", "nbf", "vct", "status", "_sd", "_sd_alg"})
# `cnf` (RFC 7800): the key of the holder.
_OPTIONAL = frozenset({"exp", "cnf"})
_TAKEN = _REQUIRED | _OPTIONAL
# A line with a disclosure as nearly all are: texts alone, without escapes, the salt in base64url.
_PLAIN = re.compile(r'^\["[A-Za-z0-9_-]{22,}", ?"([A-Za-z][A-Za-z0-9_]{0,63})", ?"([^"\\\x00-\x1f]*)"\]$', re.MULTILINE)
_WHAT = "credential"
_DISCLOSURE = "disclosure"
Claim = str | bool


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosed claim; *encoded* is its base64url form, the only thing that is hashed."""

    encoded: str
    name: str
    value: Claim

    @property
    def digest(self) -> str:
        """What ``_sd`` holds for it (RFC 9901 §4.2.3)."""
        return _hashed([self.encoded])[0]

    @classmethod
    def make(cls, name: str, value: Claim, salt: bytes) -> Disclosure:
        """A disclosure ``[salt, name, value]`` (RFC 9901 §4.2.1)."""
        return cls(_encoded([(name, value)], [salt])[0], name, value)

    @classmethod
    def parse(cls, encoded: str) -> Disclosure:
        """Read one disclosure.

        Raises:
            FormatError: not canonical base64url of a three-element array of salt, name and text or truth value.
        """
        return cls.parse_each([encoded])[0]

    @classmethod
    def parse_each(cls, encoded: Sequence[str]) -> tuple[Disclosure, ...]:
        """As `parse`, of several."""
        if max(map(len, encoded), default=0) > MAX_DISCLOSURE_BYTES:
            raise FormatError("too_large", what=_DISCLOSURE, limit=MAX_DISCLOSURE_BYTES)
        decoded = jose.b64url_decode_each(encoded, _DISCLOSURE)
        plain = _read_plain(decoded)
        if plain is not None:
            return tuple([cls(one, name, value) for one, (name, value) in zip(encoded, plain, strict=True)])
        return tuple(map(cls._read, encoded, decoded))

    @classmethod
    def _read(cls, encoded: str, data: bytes) -> Disclosure:
        what = _DISCLOSURE
        parts = jose.strict_json(data, what)
        if not isinstance(parts, list) or len(parts) != _DISCLOSURE_PARTS:
            raise FormatError("bad_disclosure", what=what)
        salt, name, value = parts
        if not isinstance(salt, str) or len(salt) < _SALT_CHARACTERS or not isinstance(value, str | bool):
            raise FormatError("bad_disclosure", what=what)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
            raise FormatError("bad_disclosure", what=what)
        return cls(encoded, name, value)


@dataclass(frozen=True, slots=True)
class Credential:
    """A parsed, **unverified** credential: every disclosure it carries is referenced by the signed payload.

    Times are NumericDates (seconds). *jti* is the text of the licence identifier, not yet examined. *holder* is the
    key it is bound to, None: to no key.
    """

    jws: jose.Jws
    disclosures: tuple[Disclosure, ...]
    issuer: str
    jti: str
    vct: str
    issued_at: int
    not_before: int
    expires_at: int | None
    status: StatusRef
    holder: HolderKey | None = None

    @property
    def claims(self) -> Mapping[str, Claim]:
        """The disclosed claims by name, in the order presented."""
        return {d.name: d.value for d in self.disclosures}

    @property
    def digest(self) -> str:
        """``sha256:`` + hex over the issuer-signed JWT, whatever is disclosed."""
        return digest_of(self.jws.token)

    @property
    def withheld(self) -> int:
        """How many claims the issuer signed that this presentation does not show."""
        return len(self.jws.payload["_sd"]) - len(self.disclosures)

    def compact(self) -> str:
        """The compact form this was parsed from."""
        return "~".join([self.jws.token, *(d.encoded for d in self.disclosures), ""])

    def present(self, names: Iterable[str]) -> str:
        """The compact form that discloses only the claims called *names* (unknown names disclose nothing)."""
        wanted = set(names)
        return "~".join([self.jws.token, *(d.encoded for d in self.disclosures if d.name in wanted), ""])


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a holder shows: a parsed, **unverified** credential with its key binding, None where there is none."""

    credential: Credential
    binding: KeyBinding | None


def digest_of(issuer_jwt: str) -> str:
    """The digest by which the log knows a credential (see `Credential.digest`)."""
    return "sha256:" + hashlib.sha256(issuer_jwt.encode("ascii")).hexdigest()


def seal(
    key: SigningKey,
    *,
    jti: str,
    vct: str,
    issued_at: int,
    not_before: int,
    expires_at: int | None,
    status: StatusRef,
    claims: Sequence[tuple[str, Claim]],
    salts: Sequence[bytes],
    holder: HolderKey | None = None,
) -> str:
    """Sign a credential with every claim disclosed; one salt for each claim, never used before.

    *holder*: the public key to bind it to, P-256 or Ed25519, whose possession was proved.

    Digests stand in sorted order, so that their place says nothing about what they hide (RFC 9901 §4.2.4.1).

    Raises:
        IssueRefusedError: too few, too short or repeated salts; too many or repeated claims.
        FormatError: the holder's key is of another kind.
    """
    _check_inputs(claims, salts)
    encoded = _encoded(claims, salts)
    digests = jose.b64url_each([hashlib.sha256(one.encode("ascii")).digest() for one in encoded])
    payload = _payload(
        iss=key.issuer_uri,
        jti=jti,
        times=(issued_at, not_before, expires_at),
        vct=vct,
        status=status,
        holder=holder,
        digests=sorted(digests),
    )
    return "~".join([jose.sign_json(key, CREDENTIAL_TYP, payload), *encoded, ""])


def _encoded(claims: Iterable[tuple[str, Claim]], salts: Iterable[bytes]) -> list[str]:
    """The disclosures ``[salt, name, value]`` of *claims*; names need no escapes."""
    return jose.b64url_each(
        [
            f'["{salt}","{name}",{_json(value)}]'.encode()
            for (name, value), salt in zip(claims, jose.b64url_each(salts), strict=False)
        ]
    )


def _json(value: Claim) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode_basestring(value)


def _payload(
    *,
    iss: str,
    jti: str,
    times: tuple[int, int, int | None],
    vct: str,
    status: StatusRef,
    holder: HolderKey | None,
    digests: Sequence[str],
) -> bytes:
    """The signed claims, byte for byte as `jose.compact_json` writes them, which takes three times as long."""
    text = jose.json_text
    issued_at, not_before, expires_at = times
    exp = "" if expires_at is None else f'"exp":{expires_at},'
    cnf = "" if holder is None else f'"cnf":{{"jwk":{jose.compact_json(to_jwk(holder)).decode()}}},'
    listed = ",".join([f'"{digest}"' for digest in digests])
    return (
        f'{{"iss":{text(iss)},"jti":{text(jti)},"iat":{issued_at},"nbf":{not_before},{exp}"vct":{text(vct)},'
        f'"status":{{"status_list":{{"idx":{status.idx},"uri":{text(status.uri)}}}}},{cnf}'
        f'"_sd_alg":"sha-256","_sd":[{listed}]}}'
    ).encode()


def parse(text: str) -> Credential:
    """Parse a compact SD-JWT without key binding; nothing is verified but form and disclosure digests.

    Raises:
        FormatError: the form is wrong; sub-indication ``HASH_FAILURE`` when a disclosure is not one the issuer signed.
    """
    if len(text) > MAX_CREDENTIAL_BYTES:
        raise FormatError("too_large", what=_WHAT, limit=MAX_CREDENTIAL_BYTES)
    token, *encoded = text.split("~")
    if not encoded or encoded.pop() != "" or len(encoded) > MAX_DISCLOSURES:
        raise FormatError("not_sd_jwt", what=_WHAT)
    jws = jose.parse_compact(token, typ=CREDENTIAL_TYP, max_bytes=MAX_CREDENTIAL_BYTES, what=_WHAT)
    payload = jws.payload
    if not set(payload) >= _REQUIRED or not set(payload) <= _REQUIRED | _OPTIONAL:
        raise FormatError("unknown_member", what=f"{_WHAT} payload")
    disclosures = Disclosure.parse_each(encoded)
    _match(disclosures, _digests(payload))
    return Credential(
        jws=jws,
        disclosures=disclosures,
        issuer=jose.text_claim(payload, "iss", _WHAT),
        jti=jose.text_claim(payload, "jti", _WHAT),
        vct=jose.text_claim(payload, "vct", _WHAT),
        issued_at=jose.numeric_date(payload, "iat", _WHAT),
        not_before=jose.numeric_date(payload, "nbf", _WHAT),
        expires_at=jose.numeric_date(payload, "exp", _WHAT) if "exp" in payload else None,
        status=_status(payload["status"]),
        holder=_holder(payload["cnf"]) if "cnf" in payload else None,
    )


def parse_presentation(text: str) -> Presentation:
    """Parse a compact SD-JWT with or without a key binding JWT after the last ``~`` (RFC 9901 §4).

    Like `parse` it verifies nothing but form and disclosure digests.

    Raises:
        FormatError: the form of either part is wrong.
    """
    if len(text) > MAX_CREDENTIAL_BYTES:
        raise FormatError("too_large", what=_WHAT, limit=MAX_CREDENTIAL_BYTES)
    sd_jwt, tilde, token = text.rpartition("~")
    found = parse(sd_jwt + tilde)
    return Presentation(found, KeyBinding.parse(token) if token else None)


def _holder(cnf: object) -> HolderKey:
    if not isinstance(cnf, dict) or set(cnf) != {"jwk"}:
        raise FormatError("bad_claim", what=_WHAT, claim="cnf")
    return from_jwk(cnf["jwk"], f"{_WHAT} cnf")


def _digests(payload: Mapping[str, Any]) -> frozenset[str]:
    if payload["_sd_alg"] != "sha-256":
        raise FormatError("bad_claim", what=_WHAT, claim="_sd_alg")
    listed = payload["_sd"]
    if not isinstance(listed, list) or len(listed) > MAX_DISCLOSURES:
        raise FormatError("bad_claim", what=_WHAT, claim="_sd")
    if not all(isinstance(d, str) and len(d) == _DIGEST_CHARACTERS for d in listed):
        raise FormatError("bad_claim", what=_WHAT, claim="_sd")
    digests = frozenset(listed)
    # RFC 9901 §7.1 step 4: a digest that occurs twice invalidates the whole.
    if len(digests) != len(listed):
        raise FormatError("duplicate_digest", what=_WHAT)
    return digests


def _read_plain(decoded: Sequence[bytes]) -> list[tuple[str, str]] | None:
    """Names and values, read in one go without a JSON parser; None unless each disclosure is of the usual form."""
    try:
        text = b"\n".join(decoded).decode("utf-8")
    except UnicodeDecodeError:
        return None
    found = _PLAIN.findall(text)
    # As many lines as disclosures: none holds a line's end, and every line was found.
    whole = len(found) == len(decoded) == text.count("\n") + 1
    return found if whole and _TAKEN.isdisjoint([name for name, _ in found]) else None


def _match(disclosures: Sequence[Disclosure], digests: frozenset[str]) -> None:
    # RFC 9901 §7.1 steps 3 to 5: no disclosure twice, none unreferenced, no claim name twice.
    if len({d.encoded for d in disclosures}) != len(disclosures):
        raise FormatError("duplicate_disclosure", what=_WHAT)
    if not digests.issuperset(_hashed([d.encoded for d in disclosures])):
        raise FormatError("disclosure_not_signed", sub_indication="HASH_FAILURE")
    if len({d.name for d in disclosures}) != len(disclosures):
        raise FormatError("duplicate_claim", what=_WHAT)


def _hashed(encoded: Iterable[str]) -> list[str]:
    return jose.b64url_each([hashlib.sha256(one.encode("ascii")).digest() for one in encoded])


def _status(status: object) -> StatusRef:
    listed = status.get("status_list") if isinstance(status, dict) and set(status) == {"status_list"} else None
    if not isinstance(listed, dict) or set(listed) != {"idx", "uri"}:
        raise FormatError("bad_claim", what=_WHAT, claim="status")
    idx = listed["idx"]
    if not isinstance(idx, int) or isinstance(idx, bool) or not 0 <= idx < MAX_STATUS_INDEX:
        raise FormatError("bad_claim", what=_WHAT, claim="status.idx")
    return StatusRef(jose.text_claim(listed, "uri", _WHAT), idx)


def _check_inputs(claims: Sequence[tuple[str, Claim]], salts: Sequence[bytes]) -> None:
    names = tuple([name for name, _ in claims])
    if not _are_names(names):
        bad = [n for n in names if not _is_name(n)]
        raise IssueRefusedError("bad_claims", names=", ".join(f"`{n}`" for n in bad or names))
    used = salts[: len(claims)]
    if len(used) < len(claims) or len(set(used)) != len(used) or min(map(len, used), default=SALT_BYTES) < SALT_BYTES:
        raise IssueRefusedError("bad_salts", count=len(claims), size=SALT_BYTES)


# Licences of one kind have the same names, but for those of fields that are empty.
@lru_cache(maxsize=1024)
def _are_names(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names) and len(names) <= MAX_DISCLOSURES and all(map(_is_name, names))


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in _TAKEN
