"""Batch orders and their files as the control database keeps them.

Which step may be taken when, and what the log says of it, is `hub.batches.desk`'s and `hub.batches.making`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.batches.errors import FAILURES, BatchUnknownError
from hub.control import BatchPart, BatchRow, row_dict
from hub.identifiers import new_identifier
from hub.recording import MAX_CODE_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.standing import KnownCaller

ORDERED, RUNNING, READY, EXPIRED = "ordered", "running", "ready", "expired"
FAILED, CANCELLED = "failed", "cancelled"
# Whose files may lie on the disk.
LIVE: Final = (ORDERED, RUNNING, READY)
MARK: Final = "B"
ACTOR: Final = "hub:batches"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a batch; *fetched_log_index* is the entry of its first download."""

    number: int
    name: str
    rows: int
    bytes: int
    digest: str
    fetched_at: datetime | None = None
    fetched_log_index: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """An order as it stands; *plan* is what was frozen, see `hub.batches.order.frozen`."""

    id: str
    state: str
    department: str
    resource: str
    grant: str
    snapshot: int
    list_version: str
    form: str
    plan: Mapping[str, Any]
    ordered_at: datetime
    log_index: int
    rows_total: int
    rows_done: int
    claimed_by: str
    lease_until: datetime | None
    tries: int
    ended_at: datetime | None
    expires: datetime | None
    manifest_digest: str
    ready_log_index: int | None
    error_code: str
    error: Mapping[str, Any]

    def plain(self, lang: str) -> dict[str, Any]:
        """The order as the department sees it. Snapshot ids are text: they do not fit every reader's numbers."""
        return {
            "id": self.id,
            "state": self.state,
            "resource": self.resource,
            "grant": self.grant,
            "format": self.form,
            "fields": list(self.plan["fields"]),
            "snapshot": str(self.snapshot),
            "list_version": self.list_version,
            "rows_total": self.rows_total,
            "rows_done": self.rows_done,
            "ordered_at": self.ordered_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "expires": self.expires.isoformat() if self.expires else None,
            "log_index": self.log_index,
            "manifest_digest": self.manifest_digest or None,
            "error": {"code": self.error_code, "text": failure_text(self.error_code, self.error, lang)}
            if self.error_code
            else None,
        }


def failure_text(code: str, words: Mapping[str, Any], lang: str) -> str:
    """Why an order failed and what to do, in *lang* (``zh``, else English)."""
    return FAILURES[code][lang == "zh"].format(**words)


def caller_facts(caller: KnownCaller) -> dict[str, str]:
    """Who took something, for the public facts: as those of a call say it."""
    facts = {"caller": caller.id, "proof": caller.proof}
    return {**facts, "credential": caller.credential} if caller.credential else facts


def new_id(connection: Connection) -> str:
    """A fresh identifier; no batch has it."""
    while True:
        drawn = new_identifier(MARK)
        if connection.execute(sa.select(BatchRow.id).where(BatchRow.id == drawn)).first() is None:
            return drawn


def end(connection: Connection, id_: str, state: str, at: datetime, **values: Any) -> None:  # noqa: ANN401 - columns
    """End a batch as *state*, and let its worker, if any, know by taking its claim away."""
    ended = {"state": state, "ended_at": at, "claimed_by": "", "lease_until": None, **values}
    connection.execute(sa.update(BatchRow).where(BatchRow.id == id_).values(**ended))


def read(connection: Connection, id_: str, *, hold: bool = False) -> Batch:
    """The batch called *id_*, held until the transaction ends where *hold*.

    Raises:
        BatchUnknownError: there is none.
    """
    query = sa.select(BatchRow.__table__).where(BatchRow.id == id_)
    row = connection.execute(query.with_for_update() if hold else query).first()
    if row is None:
        raise BatchUnknownError(batch=id_[:MAX_CODE_CHARS])
    return batch_of(row)


def batch_of(row: Any) -> Batch:  # noqa: ANN401 - a row of the table
    """The value of a row."""
    return Batch(**row_dict(row))


def read_parts(connection: Connection, id_: str) -> tuple[Part, ...]:
    """The files of a batch that are whole, in order."""
    query = sa.select(*(getattr(BatchPart, name) for name in Part.__slots__)).where(BatchPart.batch_id == id_)
    return tuple(Part(**row_dict(row)) for row in connection.execute(query.order_by(BatchPart.number)))


def held_part(connection: Connection, id_: str, number: int) -> Part:
    """One of them, held until the transaction ends."""
    query = sa.select(*(getattr(BatchPart, name) for name in Part.__slots__)).where(
        BatchPart.batch_id == id_, BatchPart.number == number
    )
    return Part(**row_dict(connection.execute(query.with_for_update()).one()))
