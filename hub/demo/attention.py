"""What the second day leaves to people: a shape to approve, rows to judge again, a table that differs from its source.

Each is done by the use case that the command line and the DAGs use; loads are `hub.demo.story`'s. Every step may be
taken again, and finds nothing to do where all was done.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub import alerts, drifts, upkeep, watching
from hub.actors import Actor
from hub.demo.faults import REFERENCES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hub.alerts import Alert
    from hub.drifts import Drift
    from hub.office import Office
    from warehouse.engine import Warehouse
    from warehouse.fsck import Finding

# Of the marriage register one record is changed without a word of when: the field by which it is read on stays as it
# is, so that no usual load sees the change.
CHANGED_UNSEEN: Final = "3120020001"
_MARK: Final = "（代）"
# The register whose history is kept, and which nobody changed unseen.
HISTORY: Final = "3120030001"
FEED_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Attention:
    """The city's office looking after its loads. *city* is the folder of the departments' systems."""

    office: Office
    house: Warehouse
    city: Path

    def change_unseen(self) -> None:
        """A clerk writes into the marriage register past its program."""
        rows = self.house.scan(CHANGED_UNSEEN, fields=["registration_no", "updated_at"])
        newest = max(str(row["updated_at"]) for row in rows)
        # What is as new as the newest is read again with every load.
        number = min(str(row["registration_no"]) for row in rows if str(row["updated_at"]) < newest)
        with closing(sqlite3.connect(self.city / "mz/affairs.sqlite")) as db, db:
            db.execute(
                "UPDATE marriage SET authority = authority || ? WHERE registration_no = ? AND authority NOT LIKE ?",
                (_MARK, number, f"%{_MARK}"),
            )

    def shapes(self, codes: Collection[str]) -> list[Drift]:
        """The newest shape of each source of *codes*, where somebody is to be told of it."""
        newest = [next(iter(drifts.drifts_of(self.office.control, code)), None) for code in sorted(codes)]
        return [found for found in newest if found is not None and found.report["zh"]]

    def compare(self, code: str) -> dict[str, Any]:
        """The source of *code*, read whole, beside its table: rows missing, too many, changed."""
        return upkeep.reconcile(self.office, code)

    def sweep(self) -> list[Alert]:
        """The alerts that stand after a look over all loads."""
        watching.sweep(self.office)
        return alerts.open_alerts(self.office.control)

    def orders(self, compared: Collection[Mapping[str, Any]], by: str) -> dict[str, dict[str, bool]]:
        """Approve what waits, and say what is to be loaded again and how: resource → the form of its DAG.

        A shape that was approved is loaded as usual. Rows that waited for what they refer to are judged again. A table
        that is not what its source is, is loaded whole.
        """
        asked: dict[str, dict[str, bool]] = {}
        for found in drifts.waiting(self.office.control):
            drifts.decide(self.office, found.resource, Actor.parse(by), approve=True, digest=found.digest)
            asked[found.resource] = {}
        for code in REFERENCES:
            rejected = self.house.rejected(self.office.list_.by_code[code])
            if any(reason.code == "no_reference" for row in rejected for reason in row.reasons):
                asked[code] = {"replay": True}
        asked |= {found["resource"]: {"full": True} for found in compared if differs(found)}
        return asked

    def changes(self, code: str) -> dict[str, int]:
        """How many changes of each kind the feed of *code* holds."""
        return dict(Counter(str(change.kind) for change in self.house.changes(code, None, FEED_ROWS)))

    def damage(self) -> list[Finding]:
        """What a look over the whole warehouse finds."""
        return upkeep.fsck(self.office)


def differs(compared: Mapping[str, Any]) -> bool:
    """Whether a comparison found a row."""
    return any(compared[name] for name in ("missing", "extra", "changed"))
