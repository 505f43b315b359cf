"""A department orders many rows at once, fetches the files, checks them, and reads them with pandas.

Making them is the API's worker's; ordering and fetching go over `hub.batches.client`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.batches.manifest import check
from hub.client import BatchNotReadyError
from hub.demo.calls import CALLED, MATTER
from hub.demo.systems import WINDOW
from hub.signatures import AnswerVerifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from hub.batches.manifest import Checked
    from hub.demo.systems import Systems

# Everybody of sixty and more, to be told of the card at home; the street they live in is not needed for that.
BORN: Final = "birth_date <= 1966-03-02"
FIELDS: Final = ("name", "birth_date", "county_code", "address")
LIVE: Final = frozenset({"ordered", "running", "ready"})
WAIT_S: Final = 60.0
_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Fetched:
    """An order whose files lie in *folder*: what the hub says of it, the check of the files, and the rows in them.

    *new*: ordered just now, and not by an earlier demonstration.
    """

    order: Mapping[str, Any]
    folder: Path
    checked: Checked
    rows: pd.DataFrame
    new: bool

    @property
    def whole(self) -> bool:
        """Whether the files are what the hub signed, and as many rows as it said."""
        return self.checked.holds and len(self.rows) == self.order["rows_total"]


def fetch(systems: Systems, folder: Path) -> Fetched | None:
    """Order the rows, or find an order of them whose files are still there; None: they were not made in time."""
    with systems.client(WINDOW) as client:
        known = [one for one in client.batches.list() if _same(one)]
        order = known[0] if known else client.batches.order(CALLED, matter=MATTER, rows=[BORN], fields=FIELDS)
        id_ = str(order["id"])
        try:
            order = client.batches.wait(id_, within_s=WAIT_S, every_s=_EVERY_S)
        except BatchNotReadyError:
            return None
        # What is there already is not fetched again.
        files = client.batches.fetch(id_, folder / id_)
    checked = check(files.folder, [AnswerVerifier.from_text(systems.pinned)])
    return Fetched(order, files.folder, checked, files.to_pandas(), new=not known)


def _same(order: Mapping[str, Any]) -> bool:
    return order["resource"] == CALLED and tuple(order["fields"]) == FIELDS and order["state"] in LIVE
