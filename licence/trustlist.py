"""A signed list of other cities' issuers with dates, so that a licence of one city verifies in another.

Modelled on The Update Framework (TUF): a root names the keys and how many of them must sign; it is replaced version by
version, each signed by the old threshold and its own; the targets name issuers. Fetching the two texts, and handing
the first root to the verifier by a way it trusts, is left to people.

1. form and canonical bytes (RFC 8785); 2. root: version, signed by its own threshold; 3. a root that follows another:
the next version, signed by the old threshold as well; 4. targets: of this root, signed by the root's threshold for
targets; 5. versions never go back, and one version has one content; 6. neither has run out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import canonical
from audit.errors import AuditError
from audit.verifiers import PublicKey, read_verifier
from licence import chain, jose
from licence.errors import FormatError
from licence.suites import SUITES
from licence.trust import TrustStore, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT_FORMAT = "zhengtong-trust-root/1"
TARGETS_FORMAT = "zhengtong-trust-targets/1"
# A country's provinces and cities with a few certificates each: under a megabyte.
MAX_TEXT_BYTES = 8 * 1024 * 1024
MAX_KEYS = 32
MAX_ISSUERS = 10_000
MAX_PER_ISSUER = 64
MAX_VERSION = 2**31
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_ROOT = frozenset({"format", "version", "expires", "keys", "root_threshold", "targets_keys", "targets_threshold"})
_TARGETS = frozenset({"format", "version", "root", "expires", "issuers"})
_ISSUER = frozenset({"name", "uscc", "from", "until", "authorities", "log_keys", "suites", "signers", "status_signers"})
_USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Root:
    """Who may change the list: public Ed25519 keys (32 bytes each) and how many of them must sign.

    *keys* sign roots, *targets_keys* targets; a key counts once, however often it is named.
    """

    version: int
    expires: datetime
    keys: tuple[bytes, ...]
    root_threshold: int
    targets_keys: tuple[bytes, ...]
    targets_threshold: int

    def plain(self) -> dict[str, Any]:
        """The JSON value that is signed."""
        return {
            "format": ROOT_FORMAT,
            "version": self.version,
            "expires": _iso(self.expires),
            "keys": [_b64(k) for k in self.keys],
            "root_threshold": self.root_threshold,
            "targets_keys": [_b64(k) for k in self.targets_keys],
            "targets_threshold": self.targets_threshold,
        }


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer and from when until when (excluded; None: no end) it is trusted.

    *authorities*: DER certificates of its CA. *log_keys*: of its logs, ``name+hash+base64``. *suites*: what it signs
    with. *signers*, *status_signers*: fingerprints of leaf certificates, none: all that its CA says are such.
    """

    name: str
    uscc: str
    starts: datetime
    ends: datetime | None
    authorities: tuple[bytes, ...]
    log_keys: tuple[str, ...]
    suites: tuple[str, ...]
    signers: tuple[str, ...] = ()
    status_signers: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The JSON value that is signed."""
        return {
            "name": self.name,
            "uscc": self.uscc,
            "from": _iso(self.starts),
            "until": None if self.ends is None else _iso(self.ends),
            "authorities": [_b64(a) for a in self.authorities],
            "log_keys": list(self.log_keys),
            "suites": list(self.suites),
            "signers": list(self.signers),
            "status_signers": list(self.status_signers),
        }


@dataclass(frozen=True, slots=True)
class Targets:
    """The issuers, as of *version*; *root* is the version of the root these belong to."""

    version: int
    root: int
    expires: datetime
    issuers: tuple[TrustedIssuer, ...]

    def plain(self) -> dict[str, Any]:
        """The JSON value that is signed."""
        return {
            "format": TARGETS_FORMAT,
            "version": self.version,
            "root": self.root,
            "expires": _iso(self.expires),
            "issuers": [i.plain() for i in self.issuers],
        }


@dataclass(frozen=True, slots=True)
class _Signed:
    body: bytes
    plain: Mapping[str, Any]
    signatures: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class TrustList:
    """A verified list, made by `pin` and `verify_update` alone; whoever keeps it keeps its two texts."""

    root: Root
    targets: Targets
    root_text: str
    targets_text: str

    def issuers_at(self, at: datetime) -> tuple[TrustedIssuer, ...]:
        """Who was trusted at the aware time *at*."""
        return tuple(i for i in self.targets.issuers if i.starts <= at and (i.ends is None or at < i.ends))

    def trust_store_at(self, uscc: str, at: datetime) -> TrustStore:
        """What to verify by, at the aware time *at*, a licence that the issuer with code *uscc* issued.

        *uscc* is the issuer's part of the licence's own identifier: verification compares that with the signer's
        certificate, so that the CA of one issuer cannot speak for another. One issuer's alone: a city's log key
        vouches for nothing of another city's. Several entries of one issuer that overlap, as when its keys change, are
        taken together.

        Raises:
            FormatError: ``trustlist_no_issuer``.
        """
        found = [i for i in self.issuers_at(at) if i.uscc == uscc]
        if not found:
            raise FormatError(
                "trustlist_no_issuer", sub_indication="NO_CERTIFICATE_CHAIN_FOUND", issuer=uscc, at=_iso(at)
            )
        # No signers named by one entry means all of its CA's: the others' names must not narrow that.
        return TrustStore(
            anchors=tuple(chain.load(a) for a in dict.fromkeys(a for i in found for a in i.authorities)),
            log_verifiers=tuple(read_verifier(k) for k in dict.fromkeys(k for i in found for k in i.log_keys)),
            suites=frozenset(s for i in found for s in i.suites),
            licence_signers=_union([i.signers for i in found]),
            status_signers=_union([i.status_signers for i in found]),
        )


def sign(role: Root | Targets, keys: Sequence[Ed25519PrivateKey]) -> str:
    """The text of *role* signed with *keys*: canonical JSON, ends in a newline (see `add_signatures`)."""
    body = canonical.encode_json(role.plain())
    return _text(role.plain(), [(_public(k), k.sign(body)) for k in keys])


def read(text: str) -> tuple[Root | Targets, tuple[bytes, ...]]:
    """What *text* says, and the keys whose signatures on it hold. Whether any of them may sign it is not asked.

    Raises:
        FormatError: it is neither a root nor targets.
    """
    signed = _open(text, "text")
    role = _root(signed) if signed.plain.get("format") == ROOT_FORMAT else _targets(signed)
    return role, tuple(key for key, signature in signed.signatures if _holds(key, signature, signed.body))


def digest_of(text: str) -> str:
    """The hex SHA-256 of a text, by which a first root is pinned (see `pin`)."""
    return fingerprint(text.encode("utf-8", "surrogatepass"))


def add_signatures(text: str, others: Sequence[str]) -> str:
    """*text* with the signatures of *others*, the same content signed elsewhere: officers need not meet.

    Raises:
        FormatError: malformed, or another content.
    """
    mine = _open(text, "text")
    signatures = dict(mine.signatures)
    for other in others:
        theirs = _open(other, "text")
        if theirs.body != mine.body:
            raise FormatError("trustlist_malformed", what="text", part="content")
        signatures |= dict(theirs.signatures)
    return _text(mine.plain, list(signatures.items()))


def pin(root_text: str, targets_text: str, *, root_digest: str, now: datetime) -> TrustList:
    """The list to begin with: *root_digest* (hex SHA-256 of the root's text) came by a way that is trusted.

    Raises:
        FormatError: steps 1, 2, 4 or 6.
    """
    if fingerprint(root_text.encode("utf-8", "surrogatepass")) != root_digest:
        raise FormatError("trustlist_malformed", what="root", part="digest")
    signed = _open(root_text, "root")
    root = _root(signed)
    _must_have_signed(signed, root.keys, root.root_threshold, "root")
    return _with_targets(root, root_text, targets_text, None, now)


def verify_chain(first: str, later: Sequence[str], targets_text: str, now: datetime) -> TrustList:
    """The list to begin with where *first*, whose digest came by a way that is trusted, was replaced since.

    Raises:
        FormatError: steps 1 to 4 or 6.
    """
    signed = _open(first, "root")
    root = _root(signed)
    _must_have_signed(signed, root.keys, root.root_threshold, "root")
    root, text = _follow(root, first, later)
    return _with_targets(root, text, targets_text, None, now)


def verify_update(old: TrustList, root_texts: Sequence[str], targets_text: str, now: datetime) -> TrustList:
    """The list after *old*: *root_texts* are the roots that followed its own, in order, none when there is no new one.

    *old* may have run out: what it signed still tells who may go on.

    Raises:
        FormatError: a step of the head of this module; *old* stays what is trusted.
    """
    root, text = _follow(old.root, old.root_text, root_texts)
    return _with_targets(root, text, targets_text, old, now)


def _follow(root: Root, text: str, root_texts: Sequence[str]) -> tuple[Root, str]:
    """Steps 2 and 3 for each root that followed."""
    for one in root_texts:
        signed = _open(one, "root")
        following = _root(signed)
        if following.version <= root.version:
            raise FormatError("trustlist_rollback", what="root", found=following.version, known=root.version)
        if following.version != root.version + 1:
            raise FormatError("trustlist_root_skipped", found=following.version, known=root.version)
        _must_have_signed(signed, root.keys, root.root_threshold, "root")
        _must_have_signed(signed, following.keys, following.root_threshold, "root")
        root, text = following, one
    return root, text


def _with_targets(root: Root, root_text: str, targets_text: str, old: TrustList | None, now: datetime) -> TrustList:
    signed = _open(targets_text, "targets")
    _must_have_signed(signed, root.targets_keys, root.targets_threshold, "targets")
    targets = _targets(signed)
    if targets.root != root.version:
        raise FormatError("trustlist_other_root", found=targets.root, known=root.version)
    if old is not None:
        known = old.targets.version
        if targets.version < known:
            raise FormatError("trustlist_rollback", what="targets", found=targets.version, known=known)
        if targets.version == known and targets != old.targets:
            raise FormatError("trustlist_same_version", what="targets", found=targets.version)
    for what, expires in (("root", root.expires), ("targets", targets.expires)):
        if now >= expires:
            raise FormatError("trustlist_expired", sub_indication="TRY_LATER", what=what, limit=_iso(expires))
    return TrustList(root, targets, root_text, targets_text)


def _must_have_signed(signed: _Signed, keys: Sequence[bytes], threshold: int, what: str) -> None:
    good: set[bytes] = set()
    trusted = frozenset(keys)
    for key, signature in signed.signatures:
        if key not in trusted or key in good:
            continue
        if _holds(key, signature, signed.body):
            good.add(key)
    if len(good) < threshold:
        raise FormatError(
            "trustlist_threshold", sub_indication="SIG_CRYPTO_FAILURE", what=what, found=len(good), needed=threshold
        )


def _holds(key: bytes, signature: bytes, body: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True


def _open(text: str, what: str) -> _Signed:
    """Step 1. A text has one spelling: the canonical one."""
    if len(text) > MAX_TEXT_BYTES:
        raise FormatError("too_large", what="trust list", limit=MAX_TEXT_BYTES)
    document = jose.strict_json(text, "trust list")
    if not isinstance(document, dict) or set(document) != {"signed", "signatures"}:
        raise _bad(what, "members")
    plain, listed = document["signed"], document["signatures"]
    if not isinstance(plain, dict) or not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
        raise _bad(what, "signatures")
    signatures: list[tuple[bytes, bytes]] = []
    for one in listed:
        if not isinstance(one, dict) or set(one) != {"key", "signature"}:
            raise _bad(what, "signatures")
        key = jose.b64_decode(one["key"], what, _KEY_BYTES)
        signatures.append((key, jose.b64_decode(one["signature"], what, _SIGNATURE_BYTES)))
    try:
        same = text == _text(plain, signatures)
        body = canonical.encode_json(plain)
    except (AuditError, ValueError):
        raise _bad(what, "JSON") from None
    if not same:
        raise _bad(what, "not canonical")
    return _Signed(body, plain, tuple(signatures))


def _text(plain: Mapping[str, Any], signatures: Sequence[tuple[bytes, bytes]]) -> str:
    listed = [{"key": _b64(k), "signature": _b64(s)} for k, s in sorted(signatures)]
    return canonical.encode_json({"signed": plain, "signatures": listed}).decode() + "\n"


def _root(signed: _Signed) -> Root:
    plain, what = signed.plain, "root"
    if set(plain) != _ROOT or plain["format"] != ROOT_FORMAT:
        raise _bad(what, "members")
    keys, targets_keys = _keys(plain["keys"], what), _keys(plain["targets_keys"], what)
    return Root(
        version=_count(plain["version"], MAX_VERSION, what, "version"),
        expires=_time(plain["expires"], what),
        keys=keys,
        root_threshold=_count(plain["root_threshold"], len(keys), what, "threshold"),
        targets_keys=targets_keys,
        targets_threshold=_count(plain["targets_threshold"], len(targets_keys), what, "threshold"),
    )


def _targets(signed: _Signed) -> Targets:
    plain, what = signed.plain, "targets"
    if set(plain) != _TARGETS or plain["format"] != TARGETS_FORMAT:
        raise _bad(what, "members")
    issuers = plain["issuers"]
    if not isinstance(issuers, list) or len(issuers) > MAX_ISSUERS:
        raise _bad(what, "issuers")
    return Targets(
        version=_count(plain["version"], MAX_VERSION, what, "version"),
        root=_count(plain["root"], MAX_VERSION, what, "root"),
        expires=_time(plain["expires"], what),
        issuers=tuple(_issuer(i) for i in issuers),
    )


def _issuer(plain: object) -> TrustedIssuer:
    what = "targets"
    if not isinstance(plain, dict) or set(plain) != _ISSUER:
        raise _bad(what, "issuer")
    name, uscc = plain["name"], plain["uscc"]
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not isinstance(uscc, str):  # noqa: PLR2004 - a name
        raise _bad(what, "issuer")
    starts = _time(plain["from"], what)
    ends = None if plain["until"] is None else _time(plain["until"], what)
    if not _USCC.fullmatch(uscc) or (ends is not None and ends <= starts):
        raise _bad(what, f"issuer {uscc[:18]}")
    authorities = tuple(
        jose.b64_decode(a, what, jose.MAX_CERTIFICATE_BYTES) for a in _texts(plain["authorities"], "authorities")
    )
    for one in authorities:
        _must_be_authority(one, uscc)
    found = TrustedIssuer(
        name=name,
        uscc=uscc,
        starts=starts,
        ends=ends,
        authorities=authorities,
        log_keys=_texts(plain["log_keys"], "log keys"),
        suites=_texts(plain["suites"], "suites"),
        signers=_texts(plain["signers"], "signers"),
        status_signers=_texts(plain["status_signers"], "status signers"),
    )
    if not found.authorities or not found.log_keys or not found.suites or not set(found.suites) <= set(SUITES):
        raise _bad(what, f"issuer {uscc}")
    if not all(_FINGERPRINT.fullmatch(s) for s in (*found.signers, *found.status_signers)):
        raise _bad(what, f"signers of {uscc}")
    for key in found.log_keys:
        _log_key(key, uscc)
    return found


def _must_be_authority(der: bytes, uscc: str) -> None:
    try:
        constraints = chain.load(der).extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise _bad("targets", f"certificate of {uscc}") from None
    if not constraints.ca:
        raise _bad("targets", f"certificate of {uscc}")


def _log_key(text: str, uscc: str) -> PublicKey:
    try:
        key = read_verifier(text)
    except (AuditError, ValueError):
        raise _bad("targets", f"log key of {uscc}") from None
    if key.to_text() != text:
        raise _bad("targets", f"log key of {uscc}")
    return key


def _keys(value: object, what: str) -> tuple[bytes, ...]:
    keys = tuple(jose.b64_decode(k, what, _KEY_BYTES) for k in _texts(value, "keys"))
    # One key named twice would be two of a threshold.
    if not 0 < len(keys) <= MAX_KEYS or len(set(keys)) != len(keys) or any(len(k) != _KEY_BYTES for k in keys):
        raise _bad(what, "keys")
    return keys


def _texts(value: object, part: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_PER_ISSUER or not all(isinstance(v, str) for v in value):
        raise _bad("text", part)
    return tuple(value)


def _count(value: object, most: int, what: str, part: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise _bad(what, part)
    return value


def _time(value: object, what: str) -> datetime:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _bad(what, "time")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _bad(what, "time") from None


def _union(signers: Sequence[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(s for one in signers for s in one) if all(signers) else frozenset()


def _bad(what: str, part: str) -> FormatError:
    return FormatError("trustlist_malformed", what=what, part=part)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
