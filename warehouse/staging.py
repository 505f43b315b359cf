"""What is handed from task to task between extract and commit: references with digests, never rows.

Writing these files is `connectors` (the staged ones) and `warehouse.checks` (the checked ones). Proving that their
bytes are still those that were handed on is `warehouse.checks` too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from warehouse.errors import StagedFileDamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping


MANIFEST = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StagedPart:
    """One landed Parquet file: its digest (hex, with or without ``sha256:``) and its number of rows."""

    path: Path
    sha256: str
    rows: int

    @classmethod
    def of(cls, path: Path) -> StagedPart:
        """The Parquet file at *path* as it is now. Raises: OSError."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, digest, int(pq.read_metadata(path).num_rows))


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """What a read landed: a Parquet file of text as the source held it, or a folder of typed parts with a manifest.

    *sha256* is the digest of the file, or of the list of parts in the manifest (`connectors.parts`). *cursor* is None
    for a full pull, and for what was read by a *window* (a range of the cursor's values), which moves no cursor.
    *whole* says that it is everything the source has, though the resource is usually read since a cursor. *keys* is a
    file of every key that the source has, as text, beside a batch that holds only what changed. Of a resource that is
    merged or versioned, keys that are in neither are gone, and go with the same commit.

    *over* is the newest load (its snapshot; None: not known) before a *whole* read began. As long as no other has come,
    the read's cursor is the truth, be it before the one in force: a source may be restored, or mend a date to come.

    *replay_of* is the snapshot after which rejected rows were staged again (`warehouse.replay`): what the batch does
    not hold stays as it is, and once another load has come the batch is refused.
    """

    path: Path
    sha256: str
    rows: int
    cursor: str | None = None
    whole: bool = False
    window: bool = False
    replay_of: int | None = None
    keys: StagedPart | None = None
    over: int | None = None

    def parts(self) -> tuple[StagedPart, ...]:
        """The landed files in the order of the read. Their bytes are not looked at; see `checks.verify_staged`.

        Raises:
            StagedFileDamagedError: there is no manifest, or it is not the one that was handed on, or not finished.
        """
        if not self.path.is_dir():
            return (StagedPart(self.path, self.sha256, self.rows),)
        try:
            manifest = json.loads((self.path / MANIFEST).read_bytes())
            said = [{key: part[key] for key in ("file", "rows", "sha256")} for part in manifest["parts"]]
            whole = manifest["format"] == _FORMAT and manifest["done"] is True
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged("no manifest") from error
        if not whole:
            raise self._damaged("its manifest is of an unfinished read")
        canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(canonical.encode()).hexdigest() != self.sha256.removeprefix("sha256:").lower():
            raise self._damaged("its manifest differs")
        if any(Path(part["file"]).name != part["file"] for part in said):
            raise self._damaged("its manifest names files elsewhere")
        return tuple(StagedPart(self.path / part["file"], part["sha256"], int(part["rows"])) for part in said)

    def files(self) -> tuple[Path, ...]:
        """The paths of `parts`. Raises: as `parts`."""
        return tuple(part.path for part in self.parts())

    def present(self) -> tuple[Path, ...]:
        """The files that between them name every key that the source has; none where the batch does not tell.

        Raises: as `parts`.
        """
        if self.keys is not None:
            return (self.keys.path,)
        return self.files() if self.whole else ()

    @property
    def empties(self) -> bool:
        """Whether it says that the source has no row at all."""
        return not (self.keys.rows if self.keys is not None else self.rows)

    def _damaged(self, detail: str) -> StagedFileDamagedError:
        return StagedFileDamagedError(resource=self.path.parent.name, path=self.path, detail=detail)

    def batch_id(self, resource_code: str, contract_digest: str) -> str:
        """64 hex digits naming this content under this contract; the same pull twice has the same id."""
        parts = [resource_code, contract_digest, self.sha256.removeprefix("sha256:").lower(), self.cursor]
        # The same rows are another batch where they also tell which are gone.
        parts += ["whole"] if self.whole else []
        parts += [self.keys.sha256.removeprefix("sha256:").lower()] if self.keys is not None else []
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        plain = {"path": str(self.path), "sha256": self.sha256, "rows": self.rows, "cursor": self.cursor}
        keys = self.keys and {"path": str(self.keys.path), "sha256": self.keys.sha256, "rows": self.keys.rows}
        more = {"whole": self.whole, "window": self.window, "replay_of": self.replay_of}
        return {**plain, **more, "keys": keys, "over": self.over}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> StagedBatch:
        """Inverse of `to_json`."""
        keys = plain.get("keys")
        return cls(
            path=Path(plain["path"]),
            sha256=plain["sha256"],
            rows=int(plain["rows"]),
            cursor=plain["cursor"],
            whole=bool(plain.get("whole", False)),
            window=bool(plain.get("window", False)),
            replay_of=plain.get("replay_of"),
            keys=StagedPart(Path(keys["path"]), keys["sha256"], int(keys["rows"])) if keys else None,
            over=plain.get("over"),
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of the contract over one batch.

    ``read == accepted + rejected_rows + superseded``. *good* are files (one at least) that hold the rows to keep: the
    list's fields under the table's field ids, typed, each file sorted by key and of no more rows than a data file may
    have. They are fit to become data files as they are; a landed part in which nothing had to be left out or mended is
    one of them. *rejected* holds the text of the rejected rows with their reasons; *deleted* (merge and scd2 only) the
    keys marked deleted, which count as accepted. *superseded* counts rows that a newer row of the same batch replaced.
    *reasons* are (``code:field``, rows) with the most frequent first. *normalised* are (field, rows) whose text was
    normalised (trimmed, half-width, written as ISO date): recorded, not a fault.
    *digests* are (file name, ``sha256:…``) of the files that the check wrote, which lie beside *rejected*; those of
    landed parts stand in the landing's own manifest.
    """

    good: tuple[Path, ...]
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
            "good": [str(path) for path in self.good],
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
            good=tuple(Path(path) for path in plain["good"]),
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
