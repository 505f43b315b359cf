"""Opens the licence office of a deployment.

What it does is left to its rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from hub.auditing import MASK_KEY
from hub.authority import KeyStore
from hub.authority.revocations import renew_lists
from hub.control import Control
from hub.evidence import Evidence
from hub.invocation import Invocation
from hub.keyring import Keyring
from hub.licensing.errors import NoKindsError
from hub.licensing.reconcile import Reconciling
from hub.licensing.renewing import Renewing
from hub.seals import Seals
from hub.service import answer_signer
from hub.settings import Settings
from hub.standing import Standing
from hub.storing import open_warehouse
from hub.usage import Usage
from licence.errors import LicenceError
from licence.kinds import load as load_kinds

if TYPE_CHECKING:
    from hub.service import Service


class Licensing(Reconciling, Renewing):
    """The licence office of one deployment. Safe for many processes: slots and states change in transactions."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the office: kinds of ``var/kinds.yaml``, keys made if there are none, trust published.

        Raises:
            ListMissingError: no responsibility list is published yet.
            CatalogueInvalidError: the catalogue of kinds does not load.
        """
        control, evidence, ring = Control.open(settings), Evidence.open(settings), Keyring(settings.keys)
        standing = Standing(settings, control)
        parts = (standing, evidence, open_warehouse(settings), Usage(control, evidence.log))
        invocation = Invocation(*parts, mask_key=ring.secret(MASK_KEY), signer=answer_signer(settings, ring))
        office = cls.over(settings, control, evidence, standing, invocation)
        office.refresh()
        return office

    @classmethod
    def over(
        cls, settings: Settings, control: Control, evidence: Evidence, standing: Standing, invocation: Invocation
    ) -> Self:
        """The office over parts that are open already; its clock is the evidence's. Raises: as `open`."""
        office = cls(
            settings=settings,
            control=control,
            evidence=evidence,
            keys=KeyStore(settings, control, evidence.clock),
            kinds={kind.code: kind for kind in load_kinds(settings.kinds)},
            standing=standing,
            invocation=invocation,
            clock=evidence.clock,
        )
        office.prepare(standing.now().list)
        return office

    @classmethod
    def beside(cls, service: Service) -> Self:
        """The office over the open parts of a serving process, with the catalogue of kinds as it is now.

        Raises:
            NoKindsError: there is no catalogue of kinds that can be read; the city issues no licences.
        """
        try:
            return cls.over(service.settings, service.control, service.evidence, service.standing, service.invocation)
        except LicenceError as error:
            raise NoKindsError from error


def refresh_status_lists() -> None:
    """Publish what is stale, as an Airflow task: opening the office does it for status lists."""
    office = Licensing.open(Settings.from_environment())
    renew_lists(office.keys, office.evidence)
    # Opening the office of seals publishes their register where it is past half its validity.
    Seals.over(office.settings, office.control, office.evidence)
