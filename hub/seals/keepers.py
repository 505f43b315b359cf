"""Whose key signs for a seal's keeper, and whether the seal was made for it; and time stamps on what is made.

Each keeper has a key of their own. A seal that was made while all keepers of a department had one together names that
one, and goes on with it until its next version.

A seal names the certificates that may use it (GM/T 0031 certList). When the keeper's key is changed, the seal needs a
next version; one that is made while the next key is planned already names both, and nothing has to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.authority.names import CUSTODIAN, custodian_key
from hub.control import SealSignerRow
from hub.seals import store
from hub.seals.desk import Desk
from hub.seals.errors import SealOutdatedError
from hub.seals.words import ACTIVE
from licence.seals import make
from licence.seals.algorithms import sm3
from licence.seals.register import State
from licence.seals.structure import V5
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from licence.timestamping import TimeStampingAuthority, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from licence.keys import SigningKey
    from licence.seals.structure import SESeal, SESSignature

SERIAL_BYTES: Final = 16


class Keepers(Desk):
    """The room that knows the keys of keepers. Safe for many processes."""

    def keeps_own_key(self, custodian: str) -> bool:
        """Whether *custodian* is a person who signs remotely with a key of their own (`hub.seals.signers`)."""
        with self.control.reading() as connection:
            return store.is_signer(connection, custodian)

    def keeper_certificates(self, row: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The certificates that a seal of *row* made now names: of the key that signs, then of one that is planned.

        The first asking of a keeper makes their key, in a transaction of its own: ask before you open one.

        Raises:
            SealUnknownError: the keeper is a signer whose key has ended.
        """
        with self.control.reading() as connection:
            if store.is_signer(connection, row["custodian"]):
                return (bytes.fromhex(store.signer_row(connection, row["custodian"])["certificates"][0]),)
        first = self.keys.custodian(row["custodian"]).chain_der[0]
        planned = self._of_custodians().get(self.keys.custodian_name(row["custodian"]), ())
        return (first, *(one for one in planned if one != first))

    def keeper_key(self, row: Mapping[str, Any]) -> SigningKey:
        """The key that signs for the keeper of a seal of *row*, a post.

        Raises:
            SealOutdatedError: the seal does not name it, since the key was changed.
            SigningKeyMissingError: all keys of the keeper are revoked.
        """
        name, wanted = self._key_of(row, self._of_custodians())
        if wanted is None or (wanted and not _names(row, wanted[0])):
            raise SealOutdatedError(seal=row["code"], custodian=row["custodian"])
        return self.keys.signing(name, SM2_SM3)

    def outdated(self, rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """The codes of those seals in use that need a next version: a key of their keeper is not named in them.

        Raises: nothing for a keeper without a key; its seal cannot be used whatever is made.
        """
        rows = [row for row in rows if row["made"] is not None and row["state"] == State.IN_USE.value]
        if not rows:
            return frozenset()
        custodians, table = self._of_custodians(), SealSignerRow.__table__
        with self.control.reading() as connection:
            query = sa.select(table.c.person, table.c.certificates).where(table.c.state == ACTIVE)
            persons = {one.person: (bytes.fromhex(one.certificates[0]),) for one in connection.execute(query)}
        found = set()
        for row in rows:
            wanted = persons.get(row["custodian"]) or self._key_of(row, custodians)[1]
            if wanted is None or not all(_names(row, one) for one in wanted):
                found.add(str(row["code"]))
        return frozenset(found)

    def stamped_seal(self, seal: SESeal) -> SESeal:
        """The seal with a time stamp of the hub's own authority, where its version has a place for one (V5).

        Raises:
            IssueRefusedError, FormatError: the authority gave none.
        """
        return make.stamp_seal(seal, self._token(seal.signature)) if seal.structure == V5 else seal

    def stamped_signature(self, signature: SESSignature) -> SESSignature:
        """The signature with a time stamp, as `stamped_seal`."""
        if signature.signed.version != V5:
            return signature
        return make.stamp_signature(signature, self._token(signature.signature))

    def _token(self, data: bytes) -> bytes:
        # Of 128 random bits none come twice, not after a restart either.
        serials = iter([int.from_bytes(self.random(SERIAL_BYTES)) | 1])
        authority = TimeStampingAuthority(self.keys.time_stamps(), self.clock, serials)
        return stamp(authority, data, suites=(ECDSA_P256_SHA256,))

    def _key_of(
        self, row: Mapping[str, Any], certificates: Mapping[str, tuple[bytes, ...]]
    ) -> tuple[str, tuple[bytes, ...] | None]:
        """The key that a made seal is used with, and of *certificates* its own; None: that key was never made."""
        own, shared = self.keys.custodian_name(row["custodian"]), custodian_key(row["department"])
        named = {name for name in (own, shared) if any(_names(row, one) for one in certificates.get(name, ()))}
        name = shared if named == {shared} else own
        return name, certificates.get(name)

    def _of_custodians(self) -> dict[str, tuple[bytes, ...]]:
        """Certificates by name of a custodian's key: of the one that signs now, then of planned ones."""
        kept, now = self.keys.kept(), self.clock()
        found = {}
        for name in {k.name for k in kept if k.name.startswith(CUSTODIAN) and k.suite == SM2_SM3}:
            one = self.keys.chosen(kept, name, SM2_SM3, now)
            planned = [
                k for k in kept if k.name == name and k.suite == SM2_SM3 and k.signs_from > now and k.revoked_at is None
            ]
            signs = () if one is None else (one.der, *(k.der for k in planned if k.key_id != one.key_id))
            found[name] = signs
        return found


def _names(row: Mapping[str, Any], certificate: bytes) -> bool:
    info = store.parsed(bytes(row["made"])).info
    return certificate in info.certificates or sm3(certificate) in {d.value for d in info.digests}
