"""Opens the office of seals of a deployment. What it does is left to its rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from hub.authority import KeyStore
from hub.control import Control
from hub.evidence import Evidence
from hub.keyring import Keyring
from hub.published import current_list
from hub.seals.cloud import Cloud
from licence.errors import TrustUnreadableError
from licence.trust import TrustStore

if TYPE_CHECKING:
    from hub.settings import Settings


class Seals(Cloud):
    """The office of seals of one deployment. Safe for many threads and processes."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the office: keys made if there are none, the register published if it is behind.

        Raises:
            ListMissingError: no responsibility list is published yet.
        """
        control = Control.open(settings)
        return cls.over(settings, control, Evidence.open(settings))

    @classmethod
    def over(cls, settings: Settings, control: Control, evidence: Evidence) -> Self:
        """The office over what is open already; its clock is the evidence's. Raises: as `open`."""
        keys = KeyStore(settings, control, evidence.clock)
        office = cls(settings, control, evidence, keys, Keyring(settings.keys), evidence.clock)
        # The department that runs the hub: by convention of the list, its first.
        keys.prepare((), current_list(settings, control).departments[0], office.clock())
        if not _pinned(settings, keys):
            # Seals are of SM2: a verifier pins that root, too.
            keys.publish((evidence.verifier,))
        office.refresh()
        return office


def _pinned(settings: Settings, keys: KeyStore) -> bool:
    """Whether what verifiers pin holds all our roots."""
    try:
        known = TrustStore.load(settings.trust).anchors
    except TrustUnreadableError:
        return False
    return set(keys.roots()) <= set(known)
