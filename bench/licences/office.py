"""A licence office of the bench's city: the hub's own, with its store, log and control database in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bench.licences.city import ISSUER, KIND
from hub.authority.errors import SigningKeyMissingError
from hub.control import Control
from hub.evidence import Evidence
from hub.licensing import Licensing
from hub.settings import Settings
from licence.suites import ECDSA_P256_SHA256

if TYPE_CHECKING:
    from pathlib import Path

    from bench.licences.city import City
    from licence.keys import SigningKey


@dataclass(frozen=True)
class Keys:
    """The city's keys, as the hub asks for them."""

    city: City

    def department(self, _code: str) -> SigningKey:
        """The one that signs licences."""
        return self.city.licences

    def status(self) -> SigningKey:
        """The one that signs status lists."""
        return self.city.status

    @property
    def policy(self) -> str:
        """The suite of all of them."""
        return self.city.status.suite

    def wallet_status(self) -> SigningKey:
        """The one for the forms that wallets read.

        Raises:
            SigningKeyMissingError: the city has none of P-256.
        """
        if self.policy != ECDSA_P256_SHA256:
            raise SigningKeyMissingError(name="wallet-status", suite=ECDSA_P256_SHA256)
        return self.city.status


def make_office(city: City, folder: Path) -> Licensing:
    """An office that issues `KIND`; it reads no records, whoever calls it brings the facts."""
    settings = Settings.at(folder)
    departments = {KIND.issuer: SimpleNamespace(code=KIND.issuer, uscc=ISSUER, name="农业农村局")}
    list_ = SimpleNamespace(departments_by_code=departments, version="sha256:" + "0" * 64)
    standing: Any = SimpleNamespace(now=lambda: SimpleNamespace(list=list_))
    keys: Any = Keys(city)
    invocation: Any = None
    return Licensing(
        settings=settings,
        control=Control.open(settings),
        evidence=Evidence.open(settings),
        keys=keys,
        kinds={KIND.code: KIND},
        standing=standing,
        invocation=invocation,
    )
