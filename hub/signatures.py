"""HTTP message signatures (RFC 9421) with Content-Digest (RFC 9530), Ed25519 only: signs answers and checks them.

A strict subset: one signature labelled ``zt``, created by one algorithm, over whole field lines and the derived
components @status, @method and @path, the latter also of the request a response answers (``;req``, RFC 9421 §2.4).
What does not parse back to the same bytes is refused. Keys are kept by `hub.keyring`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

LABEL = "zt"
ALGORITHM = "ed25519"
TAG = "zhengtong-answer"

_COMPONENT = re.compile(r'"(@[a-z-]+|[a-z0-9][a-z0-9-]*)"(;req)?')
_INPUT = re.compile(
    LABEL + r'=\((?P<components>(?:"[@a-z0-9-]+"(?:;req)?)(?: "[@a-z0-9-]+"(?:;req)?)*)\)'
    r';created=(?P<created>[1-9][0-9]{0,14});keyid="(?P<keyid>[A-Za-z0-9_.:-]{1,100})";alg="' + ALGORITHM + '"'
    r';tag="' + TAG + '"'
)
# The last letter of base64 may have bits to spare; only one of its writings is read.
_SIGNATURE = re.compile(LABEL + r"=:([A-Za-z0-9+/]{85}[AQgw]==):")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_PUBLIC = re.compile(r"ed25519:([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])")


class SignatureInvalidError(HubError):
    """The signature does not hold, or does not say enough; *why* names the check that failed."""

    code: ClassVar[str] = "signature_invalid"
    en: ClassVar[str] = "The message's signature does not hold: {why}. Do not use the message."
    zh: ClassVar[str] = "消息签名无效：{why}。请勿采用该消息。"


@dataclass(frozen=True, slots=True)
class Component:
    """One covered component (RFC 9421 §2): a lower-case field name or a derived one, *req* = of the request."""

    name: str
    req: bool = False

    def __str__(self) -> str:
        return f'"{self.name}"' + (";req" if self.req else "")


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature may cover of a request. *path* is as it was sent, percent-encoded, without the query.

    *fields* maps lower-case names to combined values (RFC 9110 §5.3).
    """

    method: str
    path: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What a signature may cover of a response, and the request it answers."""

    status: int
    fields: Mapping[str, str]
    request: Request


class AnswerVerifier:
    """The public half of an answer key; *key_id* is its RFC 7638 thumbprint."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key = key
        self._raw = key.public_bytes_raw()
        canonical = json.dumps(self._members(), separators=(",", ":"), sort_keys=True)
        self.key_id = _b64url(hashlib.sha256(canonical.encode()).digest())

    @classmethod
    def from_text(cls, text: str) -> AnswerVerifier:
        """Read ``ed25519:`` + base64url of the 32 raw bytes.

        Raises:
            SignatureInvalidError: *text* is no such key.
        """
        match = _PUBLIC.fullmatch(text.strip())
        if match is None:
            raise SignatureInvalidError(why="the verifier key is not of the form `ed25519:…`")
        return cls(Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(match[1] + "=")))

    def to_text(self) -> str:
        """The form that `from_text` reads."""
        return f"ed25519:{_b64url(self._raw)}"

    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key (RFC 8037)."""
        return {**self._members(), "kid": self.key_id, "alg": "EdDSA", "use": "sig"}

    def _members(self) -> dict[str, str]:
        return {"crv": "Ed25519", "kty": "OKP", "x": _b64url(self._raw)}


class AnswerSigner:
    """The private half of an answer key. Safe for many threads."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = AnswerVerifier(key.public_key())

    @classmethod
    def from_seed(cls, seed: bytes) -> AnswerSigner:
        """The signer of a 32-byte Ed25519 *seed* (RFC 8032 §5.1.5)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign_bytes(self, data: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over *data*, which must begin in a way that no other use has."""
        return self._key.sign(data)

    def sign(self, message: Response | Request, components: Sequence[Component], created: datetime) -> dict[str, str]:
        """The two header fields that sign *components* of *message*.

        Raises:
            SignatureInvalidError: a component is missing from the message or named twice.
        """
        parameters = (
            f"({' '.join(map(str, components))})"
            f';created={int(created.timestamp())};keyid="{self.verifier.key_id}";alg="{ALGORITHM}";tag="{TAG}"'
        )
        signature = self._key.sign(_base(message, components, parameters))
        return {
            "signature-input": f"{LABEL}={parameters}",
            "signature": f"{LABEL}=:{base64.b64encode(signature).decode()}:",
        }


def verify(
    message: Response | Request,
    *,
    verifiers: Sequence[AnswerVerifier],
    required: Sequence[Component],
    now: datetime,
    tolerance: timedelta,
) -> datetime:
    """Check the signature of *message* and that it covers at least *required*; return when it was created.

    Does not read the body: check it with `check_digest` against the covered Content-Digest.

    Raises:
        SignatureInvalidError: anything is missing, malformed, by another key, out of time or does not fit.
    """
    if not verifiers or not required:
        raise SignatureInvalidError(why="no key or no component was asked for, so nothing could be verified")
    given = _INPUT.fullmatch(message.fields.get("signature-input", ""))
    value = _SIGNATURE.fullmatch(message.fields.get("signature", ""))
    if given is None or value is None:
        raise SignatureInvalidError(why="the Signature or Signature-Input field is missing or not in the agreed form")
    components = [Component(name, bool(req)) for name, req in _COMPONENT.findall(given["components"])]
    absent = [str(c) for c in required if c not in components]
    if absent:
        raise SignatureInvalidError(why=f"it does not cover {', '.join(absent)}")
    verifier = next((v for v in verifiers if v.key_id == given["keyid"]), None)
    if verifier is None:
        raise SignatureInvalidError(why="it was made by a key that is not pinned")
    parameters = message.fields["signature-input"].removeprefix(f"{LABEL}=")
    try:
        signature = base64.b64decode(value[1], validate=True)
        verifier.key.verify(signature, _base(message, components, parameters))
    except (InvalidSignature, binascii.Error) as error:
        raise SignatureInvalidError(why="the signature does not fit the message") from error
    age = now.timestamp() - int(given["created"])
    if abs(age) > tolerance.total_seconds():
        raise SignatureInvalidError(why="it was created too long ago, or the clocks differ")
    return now.fromtimestamp(int(given["created"]), tz=now.tzinfo)


def content_digest(body: bytes) -> str:
    """The Content-Digest field of *body* (RFC 9530 §2), SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def check_digest(field: str, body: bytes) -> None:
    """Check that *field* is the SHA-256 Content-Digest of *body* and nothing besides.

    Raises:
        SignatureInvalidError: it is not.
    """
    if _DIGEST.fullmatch(field) is None:
        raise SignatureInvalidError(why="the Content-Digest field is not one sha-256 digest")
    if not hmac.compare_digest(field, content_digest(body)):
        raise SignatureInvalidError(why="the Content-Digest field does not fit the body")


def _base(message: Response | Request, components: Sequence[Component], parameters: str) -> bytes:
    """The signature base (RFC 9421 §2.5)."""
    if len(set(components)) != len(components):
        raise SignatureInvalidError(why="a component is named twice")
    lines = [f"{component}: {_value(message, component)}" for component in components]
    lines.append(f'"@signature-params": {parameters}')
    base = "\n".join(lines)
    if not base.isascii():
        raise SignatureInvalidError(why="a covered component is not ASCII")
    return base.encode()


def _value(message: Response | Request, component: Component) -> str:
    source: Response | Request = message
    if component.req:
        if isinstance(message, Request):
            raise SignatureInvalidError(why="a request has no request of its own")
        source = message.request
    value = _derived(source, component.name) if component.name.startswith("@") else source.fields.get(component.name)
    if value is None:
        raise SignatureInvalidError(why=f"the message has no {component}")
    if "\n" in value or "\r" in value:
        # A line break would let a value pose as a further component.
        raise SignatureInvalidError(why=f"{component} holds a line break")
    return value.strip(" \t")


def _derived(source: Response | Request, name: str) -> str | None:
    if isinstance(source, Response):
        return str(source.status) if name == "@status" else None
    return {"@method": source.method, "@path": source.path or "/"}.get(name)


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
