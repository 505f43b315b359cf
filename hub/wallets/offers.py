"""Offers a licence that was issued to its holder's wallet, and delivers it there, bound to its key (OpenID4VCI).

The steps from offer to delivery, by number:

    1. an officer of the issuing department, or a channel that knows who the citizen is, asks for an offer; it is logged
    2. the wallet redeems the offer's code, with the transaction code that went to the holder by another way
    3. it proves that it holds a key, once, over a fresh nonce
    4. the licence as it stands in the store is sealed again for that key: same identifier, fields and status entry
    5. the digest of what was sealed becomes a log entry, while the licence is still in force, and then it is handed out

A crash after step 3 uses up the offer and delivers nothing: the officer makes another. What the messages look like is
`licence.wallet.vci`'s; how wallets reach this, `hub.api.wallets`'s.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import sqlalchemy as sa

from hub.control import LicenceRow, WalletCredentialRow, row_dict
from hub.errors import LicenceUnknownError
from hub.licensing.lookups import licence_row
from hub.wallets.errors import WalletIssuerError, WalletLicenceUnknownError, WalletNotInForceError
from licence import credential
from licence.credential import SALT_BYTES
from licence.errors import WalletRefusedError
from licence.lifecycle import State
from licence.model import SealedLicence
from licence.profile import BOUND_ENTRY, VCT_PREFIX
from licence.suites import ECDSA_P256_SHA256, SUITES
from licence.wallet import vci

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hub.actors import Actor
    from hub.control import Control
    from hub.evidence import Evidence
    from licence.keys import SigningKey
    from licence.model import LicenceKind
    from licence.wallet.jwk import HolderKey
    from licence.wallet.store import WalletStore

TX_DIGITS: Final = 6
OFFER_ENTRY: Final = "licence.offered"
_DESCRIPTION: Final = "办理窗口或短信告知的六位数字 / the six digits you were given apart from this code"


class Keys(Protocol):
    """The keys by which departments sign licences for wallets; see `hub.authority.KeyStore`."""

    def wallets(self, code: str) -> SigningKey:
        """The one in force, of P-256 whatever the policy."""


class Licences(Protocol):
    """What is used of the licence office; see `hub.licensing.Licensing`."""

    @property
    def control(self) -> Control:
        """The control database."""

    @property
    def evidence(self) -> Evidence:
        """The log."""

    @property
    def keys(self) -> Keys:
        """The keys."""

    @property
    def kinds(self) -> Mapping[str, LicenceKind]:
        """The city's kinds by code."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The clock of the office."""

    def sealed(self, identifier: str) -> SealedLicence:
        """The sealed credential from the store."""

    def owner(self, holder_type: str, holder: str) -> str:
        """The keyed hash of a holder."""


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer as a *link* that opens a wallet; *tx_code* goes to the holder by another way than the link."""

    link: str
    tx_code: str
    kind: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WalletOffers:
    """Issuing to wallets. Safe for many threads and processes: what is done once is done once by *store*."""

    licences: Licences
    store: WalletStore
    issuer: vci.Issuer
    random: Callable[[int], bytes] = secrets.token_bytes

    def metadata(self) -> dict[str, Any]:
        """The Credential Issuer Metadata: every kind that the city issues."""
        kinds = [kind for _, kind in sorted(self.licences.kinds.items()) if kind.sourced]
        return self.issuer.metadata(kinds, (SUITES[ECDSA_P256_SHA256].jose_alg,))

    def offer(self, identifier: str, *, by: Actor) -> Offered:
        """Offer a licence to a wallet at the counter of the department that issued it (step 1).

        Raises:
            WalletLicenceUnknownError: there is none.
            WalletIssuerError: another department issued it.
            WalletNotInForceError: it is not in force.
        """
        row = self._row(identifier)
        issuer = self.licences.kinds[row["kind"]].issuer
        if issuer != by.department:
            raise WalletIssuerError(issuer=issuer)
        return self._offer(row, by=by)

    def offer_to_holder(self, identifier: str, holder: str, *, by: Actor) -> Offered:
        """Offer a licence to the wallet of the *holder*, whom the channel *by* has identified (step 1).

        Raises:
            WalletLicenceUnknownError: there is none, or it is somebody else's; the same for both.
            WalletNotInForceError: it is not in force.
        """
        row = self._row(identifier)
        owner = self.licences.owner(self.licences.kinds[row["kind"]].holder_type, holder)
        if not row["owner_hash"] or not secrets.compare_digest(str(row["owner_hash"]), owner):
            raise WalletLicenceUnknownError
        return self._offer(row, by=by)

    def token(self, body: bytes) -> dict[str, Any]:
        """The token response to a token request (step 2).

        Raises:
            WalletRefusedError: the code or the transaction code will not do.
        """
        return vci.redeem(self.store, body, now=self.licences.clock(), random=self.random(vci.RANDOM_BYTES))

    def nonce(self) -> dict[str, str]:
        """A fresh nonce for a key proof."""
        return vci.nonce(self.store, now=self.licences.clock(), random=self.random(vci.RANDOM_BYTES))

    def credential(self, authorization: str, body: bytes) -> dict[str, Any]:
        """The credential response to a credential request (steps 3 to 5).

        Raises:
            WalletRefusedError: token, request, proof or nonce will not do, or the licence is no longer in force.
        """
        order = vci.order(
            self.store, self.issuer, authorization=authorization, body=body, now=self.licences.clock()
        )  # step 3
        return vci.credential_response(self._deliver(order.subject, order.holder))

    def _offer(self, row: Mapping[str, Any], *, by: Actor) -> Offered:
        _check_in_force(row)
        now = self.licences.clock()
        self.store.forget(now)
        tx_code = f"{int.from_bytes(self.random(8), 'big') % 10**TX_DIGITS:0{TX_DIGITS}d}"
        made = vci.offer(
            self.store,
            self.issuer,
            subject=row["identifier"],
            kinds=[row["kind"]],
            now=now,
            random=self.random(vci.RANDOM_BYTES),
            tx_code=tx_code,
            tx_description=_DESCRIPTION,
        )
        self.licences.evidence.append(
            OFFER_ENTRY,
            actor=str(by),
            subject=row["holder_hash"],
            resource=row["resource"],
            facts={"licence": row["identifier"], "kind": row["kind"]},
        )
        return Offered(made.uri(), tx_code, row["kind"], made.expires_at)

    def _deliver(self, identifier: str, holder: HolderKey) -> str:
        row = self._row(identifier)
        sealed = self._sealed_for(row, holder)  # step 4
        with self.licences.control.writing() as connection:  # step 5
            # Held until the entry is there: nobody revokes the licence in between.
            held = connection.execute(
                sa.select(LicenceRow.__table__).where(LicenceRow.identifier == identifier).with_for_update()
            ).one()
            try:
                _check_in_force(row_dict(held))
            except WalletNotInForceError:
                raise WalletRefusedError("credential_request_denied", "vci_not_in_force") from None
            now = self.licences.clock()
            # The entry goes before the row: a crash between them leaves a credential that nobody was given.
            entry = self.licences.evidence.append(
                BOUND_ENTRY,
                actor="hub:wallets",
                subject=held.holder_hash,
                resource=held.resource,
                facts=sealed.log_facts(),
            )
            connection.execute(
                sa.insert(WalletCredentialRow).values(
                    digest=sealed.digest, licence=identifier, log_index=entry.index, bound_at=now
                )
            )
        return sealed.credential

    def _sealed_for(self, row: Mapping[str, Any], holder: HolderKey) -> SealedLicence:
        stored = self.licences.sealed(row["identifier"])
        found = credential.parse(stored.credential)
        claims = list(found.claims.items())
        text = credential.seal(
            self.licences.keys.wallets(self.licences.kinds[row["kind"]].issuer),
            jti=found.jti,
            vct=VCT_PREFIX + row["kind"],
            # Sealed today, perhaps by a key that there was not at issue; it is in force since the same day.
            issued_at=int(self.licences.clock().timestamp()),
            not_before=found.not_before,
            expires_at=found.expires_at,
            status=found.status,
            claims=claims,
            salts=[self.random(SALT_BYTES) for _ in claims],
            holder=holder,
        )
        digest = credential.digest_of(text.partition("~")[0])
        return SealedLicence(text, row["identifier"], digest, row["kind"], found.status)

    def _row(self, identifier: str) -> dict[str, Any]:
        try:
            with self.licences.control.reading() as connection:
                row = licence_row(connection, identifier)
        except LicenceUnknownError:
            raise WalletLicenceUnknownError from None
        # A kind that the city no longer has: nobody signs for it.
        if row["kind"] not in self.licences.kinds:
            raise WalletLicenceUnknownError
        return row


def _check_in_force(row: Mapping[str, Any]) -> None:
    if row["state"] != State.VALID.value:
        raise WalletNotInForceError(state=row["state"])
