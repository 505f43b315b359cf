"""Signs requests and checks signed ones (RFC 9421, RFC 9530): made by a client system, taken by the hub.

Which keys are registered, and who remembers nonces, comes in as arguments; who may do what is decided elsewhere. What
the hub asks of a signature is little and strict: it covers the method, the authority, the path, the query where there
is one, and the body by its digest and its type; it states its key, its time and a nonce; its tag says that it is meant
for us. More may be covered. Labels, orders and spellings are whatever the client's library makes of them.

A check, by number:

    1. read the fields               4. its time                     7. the signature
    2. find the signature for us     5. the key                      8. the nonce, last of all: only what is
    3. it states and covers enough   6. the digest of the body          authentic may fill the memory
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hub.signatures import content_digest
from hub.signing.algorithms import key_id
from hub.signing.errors import (
    FieldMalformedError,
    SignatureIncompleteError,
    SignatureKeyError,
    SignatureMissingError,
    SignatureTimeError,
    SignatureWrongError,
)
from hub.signing.fields import (
    InnerList,
    Item,
    parse_dictionary,
    parse_inner_lists,
    parse_signatures,
    write,
    write_dictionary,
)
from hub.signing.nonces import LIFETIME_S, SKEW_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hub.signing.algorithms import PrivateKey, PublicKey
    from hub.signing.fields import Bare
    from hub.signing.nonces import Nonces

TAG: Final = "zhengtong-call"
LABEL: Final = "call"
MIN_NONCE_CHARS: Final = 16
MAX_NONCE_CHARS: Final = 128
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_KNOWN: Final = frozenset({"created", "expires", "nonce", "keyid", "alg", "tag"})
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(slots=True)  # one for each call: see ADR 0024
class Message:
    """A request as it was sent. *target* is path and query, percent-encoded; *fields* are its lines in order."""

    method: str
    scheme: str
    authority: str
    target: str
    fields: Sequence[tuple[str, str]]
    body: bytes = b""


@dataclass(slots=True)  # one for each call: see ADR 0024
class Signed:
    """Whose request it was, and when it was signed; and what shows it: the *signature* by *key* over *base*."""

    key_id: str
    created: datetime
    nonce: str
    covered: tuple[str, ...]
    base: bytes
    signature: bytes
    key: PublicKey


def sign(
    message: Message,
    key: PrivateKey,
    *,
    created: datetime,
    nonce: str = "",
    also: Iterable[str] = (),
) -> dict[str, str]:
    """The fields to be added to *message*: its digest and its signature, which covers the fields *also*, too.

    Raises:
        FieldMalformedError: a value that cannot be signed: not ASCII, or with a line break.
        SignatureIncompleteError: the message does not have what is to be covered.
    """
    added: dict[str, str] = {}
    fields = list(message.fields)
    names = {name.lower() for name, _ in fields}
    if message.body and "content-digest" not in names:
        added["Content-Digest"] = content_digest(message.body)
        fields.append(("content-digest", added["Content-Digest"]))
    whole = Message(message.method, message.scheme, message.authority, message.target, fields, message.body)
    components = [*_needed(whole), *(name for name in also if name not in _needed(whole))]
    parameters: dict[str, Bare] = {
        "created": int(created.timestamp()),
        "nonce": nonce or secrets.token_urlsafe(24),
        "keyid": key_id(key.public),
        "alg": key.public.algorithm,
        "tag": TAG,
    }
    said = InnerList(tuple(Item(name) for name in components), parameters)
    signature = key.sign(_base(whole, _combined(whole.fields), said, write(said)))
    added["Signature-Input"] = write_dictionary({LABEL: said})
    added["Signature"] = write_dictionary({LABEL: Item(signature)})
    return added


def verify(
    message: Message,
    *,
    keys: Callable[[str], PublicKey | None],
    nonces: Nonces,
    now: datetime,
) -> Signed:
    """Check that *message* was signed for us by a key in force, lately, and was not taken before.

    *keys* answers the key in force with an id. A caller that takes the answer has the request's word for its body, too.

    Raises:
        SignatureMissingError, FieldMalformedError, SignatureIncompleteError: nothing was checked.
        SignatureTimeError, SignatureKeyError, SignatureWrongError, SignatureReplayedError: do not trust it.
        NoncesFullError: try again later.
    """
    fields = _combined(message.fields)  # step 1
    said, signature = _ours(fields)  # step 2
    parameters = said.parameters
    created, nonce = _stated(message, said)  # step 3
    at = now.timestamp()
    expires = parameters.get("expires", created + LIFETIME_S)
    if type(expires) is not int:
        raise FieldMalformedError
    if not at - LIFETIME_S < created <= at + SKEW_S or at >= expires:  # step 4
        raise SignatureTimeError(now=now.astimezone(UTC).isoformat(timespec="seconds"))
    key_name = str(parameters["keyid"])
    key = keys(key_name)  # step 5
    # A key is of one algorithm. What the message says of it may only agree.
    if key is None or parameters.get("alg", key.algorithm) != key.algorithm:
        raise SignatureKeyError
    check_digest(fields.get("content-digest"), message.body)  # step 6
    base = _base(message, fields, said, said.text)
    key.verify(signature, base)  # step 7
    nonces.take(key_name, nonce, until=created + LIFETIME_S, now=at)  # step 8
    covered = tuple(str(item.value) for item in said.items)
    return Signed(key_name, datetime.fromtimestamp(created, UTC), nonce, covered, base, signature, key)


def is_signed(message: Message) -> bool:
    """Whether the message says that it is signed, by anybody for anybody."""
    return any(name.lower() == "signature-input" for name, _ in message.fields)


def _ours(fields: Mapping[str, str]) -> tuple[InnerList, bytes]:
    """The one signature that is tagged for us."""
    inputs = parse_inner_lists(fields.get("signature-input", ""))
    signatures = parse_signatures(fields.get("signature", ""))
    ours = [
        (label, member)
        for label, member in inputs.items()
        if isinstance(member, InnerList) and member.parameters.get("tag") == TAG
    ]
    if not ours:
        raise SignatureMissingError(tag=TAG)
    if len(ours) > 1:
        # Which of two counts would be the reader's choice.
        raise FieldMalformedError
    label, said = ours[0]
    found = signatures.get(label)
    if not isinstance(found, Item) or not isinstance(found.value, bytes):
        raise SignatureMissingError(tag=TAG)
    return said, found.value


def _stated(message: Message, said: InnerList) -> tuple[int, str]:
    """When it was signed, and its nonce, once it states and covers all that it must."""
    parameters = said.parameters
    if parameters.keys() - _KNOWN:
        # What a parameter that we do not know would change, we do not know either.
        raise FieldMalformedError
    missing = [f"`{name}`" for name in ("created", "nonce", "keyid") if name not in parameters]
    covered: list[str] = []
    for item in said.items:
        if type(item.value) is not str or item.parameters or item.value in covered:
            raise FieldMalformedError
        covered.append(item.value)
    needed = _needed(message)
    if "@target-uri" in covered:
        needed = [name for name in needed if name not in {"@authority", "@path", "@query"}]
    missing += [f'"{name}"' for name in needed if name not in covered]
    if missing:
        raise SignatureIncompleteError(missing=", ".join(missing))
    created, nonce, key = (parameters[name] for name in ("created", "nonce", "keyid"))
    if type(created) is not int or type(nonce) is not str or type(key) is not str:
        raise FieldMalformedError
    if not MIN_NONCE_CHARS <= len(nonce) <= MAX_NONCE_CHARS:
        raise SignatureIncompleteError(missing=f"`nonce` ({MIN_NONCE_CHARS}–{MAX_NONCE_CHARS})")
    return created, nonce


def _needed(message: Message) -> list[str]:
    needed = ["@method", "@authority", "@path"]
    if "?" in message.target:
        needed.append("@query")
    if message.body:
        needed += ["content-digest", "content-type"]
    return needed


def check_digest(field: str | None, body: bytes) -> None:
    """Check that the Content-Digest *field* (RFC 9530) is of *body*.

    Raises:
        SignatureWrongError, SignatureIncompleteError, FieldMalformedError
    """
    # Without a body nothing has to be covered; whether there must be one is for whoever reads it.
    if field is None or hmac.compare_digest(field.encode(), content_digest(body).encode()):
        return
    digests = parse_dictionary(field)
    known = [(digests[name], make) for name, make in _DIGESTS.items() if name in digests]
    if not known:
        raise SignatureIncompleteError(missing='"content-digest" (sha-256)')
    for given, make in known:
        if not isinstance(given, Item) or not isinstance(given.value, bytes):
            raise FieldMalformedError
        if not hmac.compare_digest(given.value, make(body).digest()):
            raise SignatureWrongError


def _base(message: Message, fields: Mapping[str, str], said: InnerList, parameters: str) -> bytes:
    """The signature base (RFC 9421 §2.5); *fields* are the combined ones of *message*."""
    lines = []
    for item in said.items:
        name = str(item.value)
        value = _derived(message, name) if name[:1] == "@" else fields.get(name)
        if value is None:
            raise SignatureIncompleteError(missing=f'"{name}"' if name[:1] == "@" or name in _NAMED else "a field")
        if "\n" in value or "\r" in value:
            # A line break would let a value pose as a further component.
            raise FieldMalformedError
        lines.append(f'"{name}": {value}' if '"' not in name and "\\" not in name else f"{write(Item(name))}: {value}")
    lines.append(f'"@signature-params": {parameters}')
    base = "\n".join(lines)
    if not base.isascii():
        raise FieldMalformedError
    return base.encode()


_NAMED: Final = frozenset({"content-digest", "content-type"})


def _combined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each field's lines, combined (RFC 9421 §2.1), by its lower-case name."""
    combined: dict[str, str] = {}
    for name, value in fields:
        key, plain = name.lower(), value.strip(" \t")
        combined[key] = f"{combined[key]}, {plain}" if key in combined else plain
    return combined


def _derived(message: Message, name: str) -> str | None:
    """A derived component (RFC 9421 §2.2); None for one that we do not know."""
    path, mark, query = message.target.partition("?")
    if name == "@path":
        return path or "/"
    if name == "@query":
        return f"?{query}"
    if name == "@authority":
        return _authority(message)
    if name == "@target-uri":
        return f"{message.scheme}://{_authority(message)}{path or '/'}{mark}{query}"
    whole = {"@method": message.method, "@scheme": message.scheme, "@request-target": message.target}
    return whole.get(name)


def _authority(message: Message) -> str:
    return message.authority.lower().removesuffix(_DEFAULT_PORTS.get(message.scheme, "\n"))


def message_to(method: str, url: str, fields: Sequence[tuple[str, str]], body: bytes = b"") -> Message:
    """The message that a client is about to send to *url*."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Message(method.upper(), parts.scheme, parts.netloc.rpartition("@")[2], target, fields, body)
