"""Keys that others keep: the file ``signers.yaml`` names who signs for a name, and with which certificates.

    department-NY:
      key: pkcs11:token=city;object=ny?module-path=/usr/lib/softhsm/libsofthsm2.so
      secret: file:/run/secrets/hsm-pin
      chain: department-NY.pem

*key* is what `licence.keys.open_signer` opens, *secret* a reference (``env:NAME`` or ``file:PATH``), *chain* PEM
certificates from the leaf up to the root, beside the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.authority import register
from hub.authority.errors import SignersFileError
from hub.authority.names import (
    CUSTODIAN,
    DEPARTMENT,
    DOCUMENTS,
    SEAL_MAKER,
    STATUS,
    TIME_STAMPS,
    WALLET_STATUS,
    WALLETS,
    department_of,
)
from hub.authority.register import APART, ISSUING_ROLE, ROOT_ROLE
from licence import chain
from licence.authority import Role
from licence.certificates import public_key_of
from licence.errors import FormatError
from licence.keys import SigningKey, open_signer
from licence.suites import SUITES, suite_of_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.authority.register import Kept

FILE: Final = "signers.yaml"
# One entry is some two hundred bytes; a city has some hundred departments.
MAX_FILE_BYTES: Final = 256 * 1024
MAX_CHAIN_BYTES: Final = 64 * 1024
_ROLES: Final = {
    DEPARTMENT: Role.LICENCES,
    CUSTODIAN: Role.SEALS,
    DOCUMENTS: Role.DOCUMENTS,
    WALLETS: Role.LICENCES,
    STATUS: Role.STATUS,
    WALLET_STATUS: Role.STATUS,
    SEAL_MAKER: Role.SEAL_MAKING,
    TIME_STAMPS: Role.TIME_STAMPS,
}
_MEMBERS: Final = frozenset({"key", "secret", "chain"})


@dataclass(frozen=True, slots=True)
class Named:
    """Who keeps the key of *name*, and the certificates from its own up to the root."""

    name: str
    key: str
    secret: str = field(repr=False)
    chain: tuple[x509.Certificate, ...]

    @property
    def key_id(self) -> str:
        """What the register calls it."""
        return register.key_id_of(self.chain[0])


def read(path: Path) -> Mapping[str, Named]:
    """The entries of the file at *path*, by name; none when there is no file.

    Raises:
        SignersFileError: it is not in order, or a chain does not lead to its root.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return {}
    return _read(path, (stat.st_mtime_ns, stat.st_ino))


def enter(connection: Connection, named: Named, now: datetime) -> None:
    """Enter the certificates of *named* into the register; those that are there stay as they are."""
    kept = register.all_kept(connection)
    known = {k.key_id for k in kept}
    pairs = [*zip(named.chain, (*named.chain[1:], None), strict=True)]
    # From the root down, so that no row names an issuer that is not there.
    for position, (certificate, issuer) in reversed([*enumerate(pairs)]):
        key_id = register.key_id_of(certificate)
        if key_id in known:
            continue
        suite = _suite(certificate)
        name, role = named.name, _role(named.name).value
        if position:
            role = ROOT_ROLE if issuer is None else ISSUING_ROLE
            name = f"outside-{role}"
        number = register.next_number(register.all_kept(connection), name, suite)
        department = department_of(named.name)
        register.insert(
            connection,
            register.entry(
                certificate,
                issuer,
                name=name,
                role=role,
                suite=suite,
                number=number,
                signs_from=max(now, certificate.not_valid_before_utc),
                department="" if position else department,
                keeper=APART if position else named.key,
            ),
        )


def open_kept(named: Mapping[str, Named], one: Kept) -> SigningKey:
    """The key of *one*, which somebody else keeps; opened once in a process.

    Raises:
        SignersFileError: the file no longer names it, or its secret cannot be had.
        SignerError: it does not open; ``code`` says whether to try again.
    """
    entry = named.get(one.name)
    if entry is None or entry.key_id != one.key_id:
        raise SignersFileError(path=FILE, why_en=f"it no longer names `{one.name}`", why_zh=f"已不再包含 `{one.name}`")
    return _open(entry.key, _secret(entry.secret), entry.chain, os.getpid())


@lru_cache(maxsize=128)
def _open(uri: str, secret: str, certificates: tuple[x509.Certificate, ...], process: int) -> SigningKey:
    # A session with a token does not cross a fork, so the process is part of the question.
    del process
    return SigningKey(_suite(certificates[0]), open_signer(uri, secret), certificates)


@lru_cache(maxsize=8)
def _read(path: Path, version: tuple[int, int]) -> Mapping[str, Named]:
    del version
    try:
        with path.open("rb") as file:
            found = yaml.safe_load(file.read(MAX_FILE_BYTES))
    except (OSError, ValueError, yaml.YAMLError):
        raise SignersFileError(path=path, why_en="it is not YAML", why_zh="不是 YAML") from None
    if not isinstance(found, dict):
        raise SignersFileError(path=path, why_en="it is not a table of names", why_zh="不是以名称为键的表")
    return {str(name): _entry(path, str(name), value) for name, value in found.items()}


def _entry(path: Path, name: str, value: Any) -> Named:  # noqa: ANN401 - any YAML
    _role(name, path)
    if not isinstance(value, dict) or set(value) != _MEMBERS or not all(isinstance(v, str) for v in value.values()):
        raise SignersFileError(
            path=path, why_en=f"`{name}` needs key, secret and chain", why_zh=f"`{name}` 须有 key、secret 和 chain"
        )
    if not value["secret"].startswith(("env:", "file:")):
        raise SignersFileError(
            path=path,
            why_en=f"the secret of `{name}` must be env:NAME or file:PATH",
            why_zh=f"`{name}` 的 secret 须为 env:NAME 或 file:PATH",
        )
    return Named(name, value["key"], value["secret"], _chain(path, name, path.parent / value["chain"]))


def _chain(path: Path, name: str, file: Path) -> tuple[x509.Certificate, ...]:
    try:
        with file.open("rb") as opened:
            certificates = tuple(x509.load_pem_x509_certificates(opened.read(MAX_CHAIN_BYTES)))
        ders = tuple(c.public_bytes(Encoding.DER) for c in certificates)
        chain.validate(ders, frozenset(ders[-1:]), frozenset(SUITES))
    except (OSError, ValueError, FormatError, IndexError):
        raise SignersFileError(
            path=path,
            why_en=f"the certificates of `{name}` do not lead from a leaf to a root",
            why_zh=f"`{name}` 的证书不能构成由签名证书至根证书的证书链",
        ) from None
    if certificates[-1].issuer != certificates[-1].subject:
        raise SignersFileError(
            path=path, why_en=f"the chain of `{name}` lacks its root", why_zh=f"`{name}` 的证书链缺少根证书"
        )
    return certificates


def _role(name: str, path: Path | str = FILE) -> Role:
    found = next(
        (r for begin, r in _ROLES.items() if name == begin or (begin.endswith("-") and name.startswith(begin))), None
    )
    if found is None:
        raise SignersFileError(path=path, why_en=f"`{name}` is the name of no key", why_zh=f"`{name}` 不是密钥名称")
    return found


def _suite(certificate: x509.Certificate) -> str:
    suite = suite_of_key(public_key_of(certificate))
    if suite is None:
        raise SignersFileError(path=FILE, why_en="a key of no known suite", why_zh="密钥不属于任何签名套件")
    return suite.name


def _secret(reference: str) -> str:
    kind, _, where = reference.partition(":")
    if kind == "env" and where in os.environ:
        return os.environ[where]
    try:
        if kind == "file":
            return Path(where).read_text(encoding="utf-8").strip()
    except OSError:
        pass
    raise SignersFileError(path=FILE, why_en=f"secret `{reference}` cannot be had", why_zh=f"无法取得 `{reference}`")
