"""Opens what documents, copies and one-time codes of licences need, over a licence office and an office of seals.

Nothing here decides anything; each part is described where it is defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hub.licensing.codes import Codes
from hub.licensing.documents import Documents
from hub.licensing.downloads import Downloads
from hub.licensing.office import Licensing
from hub.seals import Seals

if TYPE_CHECKING:
    from hub.licensing.documents import Stamping
    from hub.settings import Settings


@dataclass(frozen=True, slots=True)
class PaperOffice:
    """The counter of a deployment where licences are handed out. Safe for many threads and processes."""

    licensing: Licensing
    documents: Documents
    downloads: Downloads
    codes: Codes

    @classmethod
    def over(cls, licensing: Licensing, seals: Stamping) -> Self:
        """Over offices that are open already; its clock is that of the evidence."""
        documents = Documents(licensing.control, licensing.keys, seals, clock=licensing.evidence.clock)
        return cls(licensing, documents, Downloads(licensing, documents), Codes(licensing))

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open it for a command.

        Raises:
            ListMissingError: no responsibility list is published yet.
        """
        licensing = Licensing.open(settings)
        return cls.over(licensing, Seals.over(settings, licensing.control, licensing.evidence))
