"""What a verifier pins before looking at any licence: certificate anchors, log keys, suites, signers.

Getting the folder to the verifier by a way it trusts is left to people; using it is `licence.verify`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit.errors import AuditError
from audit.verifiers import PublicKey, read_verifier
from licence import crl, jose
from licence import second as second_signatures
from licence.errors import FormatError, TrustEmptyError, TrustUnreadableError
from licence.keys import atomic_write, pem_bundle
from licence.suites import ECDSA_P256_SHA256, SUITES

if TYPE_CHECKING:
    from pathlib import Path

    from licence.second import SecondKey

ANCHORS_FILE = "anchors.pem"
LOG_KEYS_FILE = "log-keys.txt"
POLICY_FILE = "policy.json"
# Only where keys of second signatures are pinned; signed by nothing, as all of the folder: it is the verifier's own.
SECOND_KEYS_FILE = "second-keys.json"
# Beside what is pinned, and trusted for nothing by itself: what helps to find a chain and to ask about revocation.
CERTIFICATES_FILE = "certificates.pem"
LISTS_FOLDER = "crls"
LISTS_SUFFIX = ".crl"
MAX_LISTS = 64
FORMAT = "zhengtong-trust/1"
MAX_TRUST_FILE_BYTES = 4 * 1024 * 1024
PUBLIC_MODE = 0o644
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_POLICY = frozenset({"format", "suites", "licence_signers", "status_signers"})
_POLICY_MAY = frozenset({"require_second"})


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Pinned trust; never empty.

    *anchors*: root or issuing certificates. *log_verifiers*: keys of logs; of a log with two signatures that is pinned
    with both its keys, both are demanded. *suites*: names of the suites allowed.
    *licence_signers*, *status_signers*: SHA-256 fingerprints (hex) of the leaf certificates that may sign licences or
    status lists; empty means every leaf under an anchor whose extended key usage says so.
    *second_keys*: by which organisations sign second; *require_second*: what has no second signature is not decided.
    *certificates* (of authorities) and *crls*, both DER, are not pinned: they help to find a chain and to ask about
    revocation, and are believed only as far as an anchor leads.

    Raises:
        TrustEmptyError: no anchor, no log key or no suite; or a second signature required and no key of one pinned.
    """

    anchors: tuple[x509.Certificate, ...]
    log_verifiers: tuple[PublicKey, ...]
    suites: frozenset[str] = frozenset({ECDSA_P256_SHA256})
    licence_signers: frozenset[str] = frozenset()
    status_signers: frozenset[str] = frozenset()
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    second_keys: frozenset[SecondKey] = frozenset()
    require_second: bool = False
    anchors_der: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.anchors:
            raise TrustEmptyError(what="certificate anchor", what_zh="证书信任锚")
        if not self.log_verifiers:
            raise TrustEmptyError(what="log key", what_zh="日志公钥")
        if not self.suites or not self.suites <= set(SUITES):
            raise TrustEmptyError(what="known signature suite", what_zh="可用的签名套件")
        if self.require_second and not self.second_keys:
            raise TrustEmptyError(what="key of second signatures", what_zh="第二签名公钥")
        object.__setattr__(self, "anchors_der", frozenset(a.public_bytes(Encoding.DER) for a in self.anchors))

    def save(self, folder: Path) -> None:
        """Write ``anchors.pem``, ``log-keys.txt`` and ``policy.json`` into *folder*, made when missing.

        Each file is replaced whole. A crash between files leaves each of them whole, old or new: save again.
        """
        folder.mkdir(parents=True, exist_ok=True)
        policy: dict[str, object] = {
            "format": FORMAT,
            "suites": sorted(self.suites),
            "licence_signers": sorted(self.licence_signers),
            "status_signers": sorted(self.status_signers),
        }
        if self.require_second:
            # A verifier of before refuses the whole folder then, rather than not to require it.
            policy["require_second"] = True
        keys = "".join(f"{v.to_text()}\n" for v in self.log_verifiers)
        atomic_write(folder / ANCHORS_FILE, pem_bundle(self.anchors), mode=PUBLIC_MODE)
        atomic_write(folder / LOG_KEYS_FILE, keys.encode(), mode=PUBLIC_MODE)
        atomic_write(folder / POLICY_FILE, (json.dumps(policy, indent=1) + "\n").encode(), mode=PUBLIC_MODE)
        if self.second_keys:
            atomic_write(folder / SECOND_KEYS_FILE, second_signatures.write_keys(self.second_keys), mode=PUBLIC_MODE)
        else:
            # What is pinned no longer must not stay behind.
            (folder / SECOND_KEYS_FILE).unlink(missing_ok=True)
        if self.certificates:
            bundle = pem_bundle([x509.load_der_x509_certificate(der) for der in self.certificates])
            atomic_write(folder / CERTIFICATES_FILE, bundle, mode=PUBLIC_MODE)
        for der in self.crls:
            (folder / LISTS_FOLDER).mkdir(exist_ok=True)
            # One file for each authority, so that its next list takes the place of the last.
            atomic_write(folder / LISTS_FOLDER / f"{crl.authority_of(der)}{LISTS_SUFFIX}", der, mode=PUBLIC_MODE)

    @classmethod
    def load(cls, folder: Path) -> TrustStore:
        """Read what `save` wrote, or a person put together in the same form.

        Raises:
            TrustEmptyError: it pins nothing.
            TrustUnreadableError: a file is missing or damaged.
        """
        anchors = _read(folder / ANCHORS_FILE)
        keys = _read(folder / LOG_KEYS_FILE)
        try:
            policy = jose.strict_json(_read(folder / POLICY_FILE), POLICY_FILE)
        except FormatError as fault:
            raise TrustUnreadableError(path=folder, detail=str(fault)) from None
        known = isinstance(policy, dict) and _POLICY <= set(policy) <= _POLICY | _POLICY_MAY
        if not known or policy["format"] != FORMAT or not isinstance(policy.get("require_second", False), bool):
            raise TrustUnreadableError(path=folder / POLICY_FILE, detail="not a trust policy of the known format")
        return cls(
            anchors=_anchors(anchors, folder),
            log_verifiers=_log_keys(keys, folder),
            suites=frozenset(_texts(policy["suites"], folder)),
            licence_signers=_fingerprints(policy["licence_signers"], folder),
            status_signers=_fingerprints(policy["status_signers"], folder),
            certificates=_certificates(folder / CERTIFICATES_FILE),
            crls=_lists(folder / LISTS_FOLDER),
            second_keys=_second_keys(folder / SECOND_KEYS_FILE),
            require_second=policy.get("require_second", False),
        )


def fingerprint(der: bytes) -> str:
    """SHA-256 of a DER certificate in hex, as signers are pinned."""
    return hashlib.sha256(der).hexdigest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TRUST_FILE_BYTES + 1)
    except OSError as error:
        raise TrustUnreadableError(path=path, detail=error.strerror or "unreadable") from None
    if len(data) > MAX_TRUST_FILE_BYTES:
        raise TrustUnreadableError(path=path, detail=f"larger than {MAX_TRUST_FILE_BYTES} bytes")
    return data


def _anchors(data: bytes, folder: Path) -> tuple[x509.Certificate, ...]:
    if not data.strip():
        raise TrustEmptyError(what="certificate anchor", what_zh="证书信任锚")
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except ValueError:
        raise TrustUnreadableError(path=folder / ANCHORS_FILE, detail="not PEM certificates") from None


def _certificates(path: Path) -> tuple[bytes, ...]:
    if not path.exists():
        return ()
    try:
        return tuple(c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(_read(path)))
    except ValueError:
        raise TrustUnreadableError(path=path, detail="not PEM certificates") from None


def _second_keys(path: Path) -> frozenset[SecondKey]:
    if not path.exists():
        return frozenset()
    try:
        return second_signatures.read_keys(_read(path))
    except FormatError as fault:
        raise TrustUnreadableError(path=path, detail=str(fault)) from None


def _lists(folder: Path) -> tuple[bytes, ...]:
    paths = sorted(folder.glob(f"*{LISTS_SUFFIX}"))
    if len(paths) > MAX_LISTS:
        raise TrustUnreadableError(path=folder, detail=f"more than {MAX_LISTS} revocation lists")
    return tuple(_read(path) for path in paths)


def _log_keys(data: bytes, folder: Path) -> tuple[PublicKey, ...]:
    try:
        return tuple(read_verifier(line) for line in data.decode("utf-8").splitlines() if line.strip())
    except (AuditError, ValueError):
        raise TrustUnreadableError(path=folder / LOG_KEYS_FILE, detail="not a log verifier key") from None


def _texts(value: object, folder: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise TrustUnreadableError(path=folder / POLICY_FILE, detail="a list of text was expected")
    return value


def _fingerprints(value: object, folder: Path) -> frozenset[str]:
    found = frozenset(_texts(value, folder))
    if not all(_FINGERPRINT.fullmatch(f) for f in found):
        raise TrustUnreadableError(path=folder / POLICY_FILE, detail="a signer is not a SHA-256 fingerprint in hex")
    return found
