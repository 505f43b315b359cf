"""Keys of departments' second signatures (ML-DSA-65) and the signatures they make; judging them is `licence.second`'s.

Such a key has no certificate: verifiers pin it. It is a secret of the keyring, one for each organisation, named by its
unified social credit code; the log tells of it before it is there.

A second signature is made when a bundle is handed out, not when the licence is issued. It covers what the store holds
under the digest that its row and the log name, so it says the same of that credential at any later time; kept from the
day of issue it would add 3.3 KB to each record and 2 ms to each issue, and a later key could not renew it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from hub.authority.errors import SecondSuiteUnknownError
from hub.authority.made import MADE
from hub.keyring import Keyring
from licence import second
from licence.second import SecondKey
from licence.suites import SECOND_SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hub.authority.store import KeyStore
    from hub.evidence import Evidence
    from hub.settings import Settings
    from licence.second import SecondSignature

NAME: Final = "second-"
_SUFFIX: Final = ".key"


def chosen(settings: Settings) -> str:
    """The suite that signs second, or "" where licences have one signature.

    Raises:
        SecondSuiteUnknownError: it is none.
    """
    if settings.licence_second and settings.licence_second not in SECOND_SUITES:
        raise SecondSuiteUnknownError(suite=settings.licence_second, known=", ".join(SECOND_SUITES))
    return settings.licence_second


def prepare(store: KeyStore, evidence: Evidence, organisations: Iterable[str]) -> bool:
    """Make the keys that *organisations* lack, if licences are signed twice here; whether any was made.

    Publish what verifiers pin afterwards. Safe for many processes. A crash leaves an entry of the log about a key that
    nobody has; the next call makes another, with an entry of its own.
    """
    suite = chosen(store.settings)
    missing = [one for one in sorted(set(organisations)) if not _path(store.settings, one).exists()]
    if not suite or not missing:
        return False
    ring = Keyring(store.settings.keys)
    with store.changing():
        for one in missing:
            if _path(store.settings, one).exists():
                # Another process made it while this one waited.
                continue
            key = MLDSA65PrivateKey.generate()
            pin = SecondKey.of(one, key.public_key())
            facts = {"name": f"{NAME}{one}", "role": "second", "suite": suite, "key": pin.fingerprint}
            evidence.append(MADE, actor="hub:licensing", facts=facts)
            ring.secret(f"{NAME}{one}", key.private_bytes_raw)
    return True


def pins(settings: Settings) -> frozenset[SecondKey]:
    """What verifiers pin: the keys of all organisations that have one, whether licences are signed twice now or not."""
    paths = sorted(settings.keys.glob(f"{NAME}*{_SUFFIX}"))
    if not paths:
        return frozenset()
    ring, codes = Keyring(settings.keys), [p.name.removeprefix(NAME).removesuffix(_SUFFIX) for p in paths]
    return frozenset(SecondKey.of(code, _key(ring, code).public_key()) for code in codes)


def sign(store: KeyStore, evidence: Evidence, jwt: str, organisation: str) -> SecondSignature | None:
    """The second signature of *organisation* over *jwt*, or None where licences have one signature.

    A key that is not there yet is made, and published before anything bears a signature of it.
    """
    if not chosen(store.settings):
        return None
    if prepare(store, evidence, [organisation]):
        store.publish((evidence.verifier,))
    return second.sign(_key(Keyring(store.settings.keys), organisation), jwt)


def _path(settings: Settings, organisation: str) -> Path:
    return settings.keys / f"{NAME}{organisation}{_SUFFIX}"


def _key(ring: Keyring, organisation: str) -> MLDSA65PrivateKey:
    return MLDSA65PrivateKey.from_seed_bytes(ring.secret(f"{NAME}{organisation}"))
