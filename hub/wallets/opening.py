"""Opens what wallets reach: issuing to them and asking them, over one licence office."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hub.keyring import Keyring
from hub.wallets.errors import WalletsClosedError
from hub.wallets.offers import WalletOffers
from hub.wallets.requests import WalletRequests
from hub.wallets.store import KEY, ControlWalletStore
from licence.wallet.vci import Issuer

if TYPE_CHECKING:
    from hub.licensing import Licensing
    from hub.settings import Settings

DOORS = "/wallet"


@dataclass(frozen=True, slots=True)
class Wallets:
    """Both sides of wallets, for one serving process."""

    offers: WalletOffers
    requests: WalletRequests

    @classmethod
    def over(cls, licences: Licensing) -> Self:
        """Over the licence office *licences*.

        Raises:
            WalletsClosedError: the settings do not say how wallets reach the hub.
        """
        settings = licences.settings
        base, key = base_of(settings), Keyring(settings.keys).secret(KEY)
        city = licences.standing.now().list.city
        return cls(
            WalletOffers(
                licences,
                ControlWalletStore(licences.control, key),
                Issuer(base, f"{city}电子证照", "Electronic licences", DOORS),
            ),
            WalletRequests(licences, base, key),
        )


def base_of(settings: Settings) -> str:
    """The https address by which wallets reach the hub: that of the first name by which clients call it.

    Raises:
        WalletsClosedError: none is set.
    """
    hosts = [host.strip() for host in settings.api_hosts.split(",") if host.strip()]
    if not hosts:
        raise WalletsClosedError
    return f"https://{hosts[0].lower()}"
