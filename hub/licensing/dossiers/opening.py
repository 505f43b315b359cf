"""Opens the dossiers of a deployment: over parts that are open already, or with parts of their own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.auditing import MASK_KEY
from hub.keyring import Keyring
from hub.licensing import Licensing
from hub.licensing.dossiers.counter import Counter
from hub.licensing.dossiers.holders import Holders
from hub.licensing.dossiers.steps import Dossiers
from hub.office import Office

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.settings import Settings


def over(office: Office, licensing: Licensing) -> Dossiers:
    """The dossiers over an *office* and the licence office beside it."""
    ring = Keyring(office.settings.keys)
    return Dossiers(office.control, office.cases, Counter(licensing), Holders(ring), ring.secret(MASK_KEY))


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Office, Dossiers]]:
    """The dossiers of *settings* and the office they are cases of, closed again at the end of the block.

    Raises:
        SetupError, TryAgainError, KindsUnreadableError: the deployment cannot be opened; the message says what to do.
    """
    licensing = Licensing.open(settings)
    with Office.over(settings, licensing.control, licensing.evidence) as office:
        yield office, over(office, licensing)
