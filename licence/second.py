"""A second signature beside an issuer's, of a suite that withstands quantum computers: made, read and judged.

It is detached. It covers `PREFIX` and the whole issuer-signed JWT, the first signature included, so that a holder may
still withhold fields; and it never stands alone: what the first one lacks, it does not mend. Where it travels is
left to `licence.bundle`, whose keys are believed to `licence.trust`, and keeping the private ones to whoever signs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from licence import jose
from licence.errors import FormatError
from licence.report import Note, Outcome
from licence.steps import failed, open_question, params_of
from licence.suites import SECOND_SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from licence.steps import Finding
    from licence.suites import PrivateKey, PublicKey, Suite
    from licence.trust import TrustStore

# A JWT has no line break, so nothing else that is signed can read like this one.
PREFIX: Final = b"zhengtong-licence-second-signature/1\n"
KEYS_FORMAT: Final = "zhengtong-second-keys/1"
# Of ML-DSA-65 3,309 bytes; ML-DSA-87, the largest of FIPS 204, has 4,627.
MAX_SIGNATURE_BYTES: Final = 8 * 1024
MAX_KEY_BYTES: Final = 4 * 1024
_MEMBERS: Final = frozenset({"suite", "key", "signature"})
_KEY_MEMBERS: Final = frozenset({"organisation", "suite", "key"})
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_ORGANISATION: Final = re.compile(r"[0-9A-Z]{18}")
_WHAT: Final = "second signature"
_WHAT_KEYS: Final = "second-keys.json"
_UNKNOWN_KEY: Final = "NO_SIGNING_CERTIFICATE_FOUND"
_CONSTRAINTS: Final = "SIG_CONSTRAINTS_FAILURE"


@dataclass(frozen=True, slots=True)
class SecondSignature:
    """A parsed, **unverified** second signature; *key* is the fingerprint of the public key it says it is of."""

    suite: str
    key: str
    signature: bytes = field(repr=False)

    def plain(self) -> dict[str, str]:
        """As a JSON value, the inverse of `read`."""
        signature = base64.b64encode(self.signature).decode("ascii")
        return {"suite": self.suite, "key": self.key, "signature": signature}


@dataclass(frozen=True, slots=True, order=True)
class SecondKey:
    """A public key (DER SubjectPublicKeyInfo) by which an organisation (unified social credit code) signs second.

    Raises:
        FormatError: the code is of no organisation's form, or the key of no second suite.
    """

    organisation: str
    public: bytes = field(repr=False)
    suite: str = field(init=False)
    # SHA-256 of *public* in hex, as `SecondSignature.key`.
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        if not _ORGANISATION.fullmatch(self.organisation):
            raise FormatError("bad_claim", what=_WHAT_KEYS, claim="organisation")
        object.__setattr__(self, "suite", _suite_of(self.public_key()).name)
        object.__setattr__(self, "fingerprint", hashlib.sha256(self.public).hexdigest())

    @classmethod
    def of(cls, organisation: str, key: PublicKey) -> SecondKey:
        """The pin of *key*."""
        return cls(organisation, _spki(key))

    def public_key(self) -> object:
        """The key itself."""
        try:
            key = load_der_public_key(self.public)
        except (ValueError, UnsupportedAlgorithm):
            raise FormatError("bad_claim", what=_WHAT_KEYS, claim="key") from None
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != self.public:
            raise FormatError("bad_claim", what=_WHAT_KEYS, claim="key")
        return key


def sign(key: PrivateKey, jwt: str) -> SecondSignature:
    """The second signature of *key* over the issuer-signed *jwt*, the part of a credential before its first ``~``.

    Raises:
        FormatError: *key* is of no second suite.
    """
    suite = _suite_of(key)
    fingerprint = hashlib.sha256(_spki(key.public_key())).hexdigest()
    return SecondSignature(suite.name, fingerprint, suite.sign(key, PREFIX + jwt.encode("ascii")))


def read(value: object) -> SecondSignature:
    """Read the member of a bundle from an untrusted JSON value, without verifying.

    Raises:
        FormatError: not of this form, or of a suite that is not of the closed list.
    """
    if not isinstance(value, dict) or set(value) != _MEMBERS:
        raise FormatError("unknown_member", what=_WHAT)
    if value["suite"] not in list(SECOND_SUITES):
        raise FormatError("bad_claim", what=_WHAT, claim="suite")
    if not isinstance(value["key"], str) or not _FINGERPRINT.fullmatch(value["key"]):
        raise FormatError("bad_claim", what=_WHAT, claim="key")
    signature = jose.b64_decode(value["signature"], _WHAT, MAX_SIGNATURE_BYTES)
    return SecondSignature(value["suite"], value["key"], signature)


def check(second: SecondSignature, jwt: str, organisation: str, keys: Iterable[SecondKey]) -> None:
    """Check *second* over *jwt* by the one of *keys* that it names; that must be of *organisation*.

    Raises:
        FormatError: sub-indication ``NO_SIGNING_CERTIFICATE_FOUND`` where the key is not among *keys*, otherwise
            definitely wrong.
    """
    named = [k for k in keys if k.fingerprint == second.key]
    if not named:
        raise FormatError("second_key_unknown", sub_indication=_UNKNOWN_KEY, organisation=organisation)
    mine = next((k for k in named if k.organisation == organisation), None)
    if mine is None:
        raise FormatError("second_of_other", sub_indication=_CONSTRAINTS, organisation=organisation)
    try:
        SECOND_SUITES[second.suite].verify(mine.public_key(), second.signature, PREFIX + jwt.encode("ascii"))
    except FormatError as fault:
        raise FormatError("second_wrong", sub_indication=fault.sub_indication, suite=second.suite) from None


def judge(
    good: Finding, second: SecondSignature | None, credential: str, organisation: str, trust: TrustStore
) -> Finding:
    """*good*, what was found of the issuer's signature, with what the second one adds to it or takes from it.

    Only a signature that holds is looked at. Whoever pins no key of *organisation* and requires nothing is told that
    it was not judged. Whoever pins some cannot tell a key exchanged since from a stranger's: that stays open.
    """
    if good.outcome is not Outcome.PASSED:
        return good
    if second is None:
        return open_question("second_missing", _CONSTRAINTS) if trust.require_second else good
    try:
        check(second, credential.partition("~")[0], organisation, trust.second_keys)
    except FormatError as fault:
        if fault.sub_indication != _UNKNOWN_KEY:
            return failed(fault)
        if trust.require_second or any(k.organisation == organisation for k in trust.second_keys):
            return open_question(fault.code, fault.sub_indication, organisation=organisation)
        return _noted(good, Note("second_not_judged", params_of(suite=second.suite)))
    return _noted(good, Note("second_ok", params_of(suite=second.suite)))


def write_keys(keys: Iterable[SecondKey]) -> bytes:
    """The text of ``second-keys.json``; deterministic, the inverse of `read_keys`."""
    rows = [
        {"organisation": k.organisation, "suite": k.suite, "key": base64.b64encode(k.public).decode("ascii")}
        for k in sorted(keys)
    ]
    return (json.dumps({"format": KEYS_FORMAT, "keys": rows}, indent=1) + "\n").encode("ascii")


def read_keys(data: bytes | str) -> frozenset[SecondKey]:
    """Read ``second-keys.json``. The caller bounds the size.

    Raises:
        FormatError: not such a text, a key unreadable, or the same one twice.
    """
    document = jose.strict_json(data, _WHAT_KEYS)
    if not isinstance(document, dict) or set(document) != {"format", "keys"} or document["format"] != KEYS_FORMAT:
        raise FormatError("unknown_member", what=_WHAT_KEYS)
    rows = document["keys"]
    if not isinstance(rows, list):
        raise FormatError("bad_claim", what=_WHAT_KEYS, claim="keys")
    found = [_key(row) for row in rows]
    if len(set(found)) != len(found):
        raise FormatError("bad_claim", what=_WHAT_KEYS, claim="keys")
    return frozenset(found)


def _key(value: object) -> SecondKey:
    if not isinstance(value, dict) or set(value) != _KEY_MEMBERS:
        raise FormatError("unknown_member", what=_WHAT_KEYS)
    row: Mapping[str, Any] = value
    if not isinstance(row["organisation"], str):
        raise FormatError("bad_claim", what=_WHAT_KEYS, claim="organisation")
    found = SecondKey(row["organisation"], jose.b64_decode(row["key"], _WHAT_KEYS, MAX_KEY_BYTES))
    if found.suite != row["suite"]:
        raise FormatError("bad_claim", what=_WHAT_KEYS, claim="suite")
    return found


def _noted(good: Finding, note: Note) -> Finding:
    return replace(good, notes=(*good.notes, note))


def _suite_of(key: object) -> Suite:
    found = next((s for s in SECOND_SUITES.values() if s.owns(key)), None)
    if found is None:
        raise FormatError("bad_claim", what=_WHAT_KEYS, claim="suite")
    return found


def _spki(key: object) -> bytes:
    _suite_of(key)
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded
