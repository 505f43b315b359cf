"""What is handed from task to task between extract and commit: references with digests, never rows.

Writing these files is `connectors` (the staged one) and `warehouse.checks` (the checked ones).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """A landed Parquet file of text as the source held it: its digest, its rows, and the cursor after it.

    *cursor* is None for a full pull.
    """

    path: Path
    sha256: str
    rows: int
    cursor: str | None = None

    def batch_id(self, resource_code: str, contract_digest: str) -> str:
        """64 hex digits naming this content under this contract; the same pull twice has the same id."""
        parts = [resource_code, contract_digest, self.sha256.removeprefix("sha256:").lower(), self.cursor]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        return {"path": str(self.path), "sha256": self.sha256, "rows": self.rows, "cursor": self.cursor}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> StagedBatch:
        """Inverse of `to_json`."""
        return cls(Path(plain["path"]), plain["sha256"], int(plain["rows"]), plain["cursor"])


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of the contract over one batch.

    ``read == accepted + rejected_rows + superseded``. *good* holds the rows to keep, typed and sorted by key;
    *rejected* the text of the rejected rows with their reasons; *deleted* (merge only) the keys marked deleted, which
    count as accepted. *superseded* counts rows of a merge batch that a newer row of the same batch replaced.
    *reasons* are (``code:field``, rows) with the most frequent first. *normalised* are (field, rows) whose text was
    normalised (trimmed, half-width, written as ISO date): recorded, not a fault.
    *digests* are (file name, ``sha256:…``) of the files named here.
    """

    good: Path
    rejected: Path
    read: int
    accepted: int
    rejected_rows: int
    reasons: tuple[tuple[str, int], ...]
    batch_id: str
    superseded: int = 0
    deleted: Path | None = None
    normalised: tuple[tuple[str, int], ...] = ()
    checked_at: datetime | None = None
    digests: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        return {
            "good": str(self.good),
            "rejected": str(self.rejected),
            "read": self.read,
            "accepted": self.accepted,
            "rejected_rows": self.rejected_rows,
            "reasons": [list(r) for r in self.reasons],
            "batch_id": self.batch_id,
            "superseded": self.superseded,
            "deleted": str(self.deleted) if self.deleted else None,
            "normalised": [list(n) for n in self.normalised],
            "checked_at": self.checked_at.isoformat() if self.checked_at else None,
            "digests": [list(d) for d in self.digests],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Checked:
        """Inverse of `to_json`."""
        return cls(
            good=Path(plain["good"]),
            rejected=Path(plain["rejected"]),
            read=int(plain["read"]),
            accepted=int(plain["accepted"]),
            rejected_rows=int(plain["rejected_rows"]),
            reasons=tuple((str(r), int(n)) for r, n in plain["reasons"]),
            batch_id=plain["batch_id"],
            superseded=int(plain["superseded"]),
            deleted=Path(plain["deleted"]) if plain["deleted"] else None,
            normalised=tuple((str(f), int(n)) for f, n in plain["normalised"]),
            checked_at=datetime.fromisoformat(plain["checked_at"]) if plain["checked_at"] else None,
            digests=tuple((str(n), str(d)) for n, d in plain["digests"]),
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did. *snapshot_id* is the snapshot that now holds the batch's outcome (None: table still empty).

    *already*: the table held this batch before the call; the counts are then those of the first time.
    *quarantined*: rows rejected only now, because an append resource already keeps other content under their key.
    """

    snapshot_id: int | None
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    cursor: str | None
    already: bool
    quarantined: int = 0

    @property
    def changed(self) -> int:
        """Rows inserted, updated and deleted."""
        return self.inserted + self.updated + self.deleted

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        return {
            "snapshot_id": self.snapshot_id,
            "inserted": self.inserted,
            "updated": self.updated,
            "deleted": self.deleted,
            "unchanged": self.unchanged,
            "cursor": self.cursor,
            "already": self.already,
            "quarantined": self.quarantined,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Committed:
        """Inverse of `to_json`."""
        return cls(**plain)
