"""Rows of licences and of status lists: read, write, take a slot; and the values of `licence.lifecycle` in them.

Which row may be written when is the business of the rooms that call this.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hub.control import LicenceRow, StatusListRow, insert_once, row_dict
from hub.control.licence_models import STANDING
from hub.errors import LicenceUnknownError
from licence.lifecycle import Change, Licence, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from licence.model import LicenceKind

PENDING = "pending"


def licence_row(connection: Connection, identifier: str, *, held: bool = False) -> dict[str, Any]:
    """The row of the licence *identifier*; *held*: until the transaction ends, so that nobody else changes it.

    Raises:
        LicenceUnknownError: no licence has this identifier.
    """
    query = sa.select(LicenceRow.__table__).where(LicenceRow.identifier == identifier)
    row = connection.execute(query.with_for_update() if held else query).first()
    if row is None:
        raise LicenceUnknownError(identifier=identifier)
    return row_dict(row)


def standing_licence(connection: Connection, kind: str, holder_hash: str) -> tuple[str, str] | None:
    """Identifier and state of the holder's licence of *kind* that is pending, in force or suspended, if any."""
    query = sa.select(LicenceRow.identifier, LicenceRow.state).where(
        LicenceRow.kind == kind, LicenceRow.holder_hash == holder_hash, STANDING
    )
    found = connection.execute(query).first()
    return None if found is None else (found.identifier, found.state)


def holders_of(connection: Connection, kind: str, hashes: Sequence[str]) -> set[str]:
    """Which of *hashes* are of holders with a licence of *kind* that is pending, in force or suspended."""
    query = sa.select(LicenceRow.holder_hash).where(
        LicenceRow.kind == kind, LicenceRow.holder_hash.in_(hashes), STANDING
    )
    return set(connection.execute(query).scalars())


def insert_standing(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Insert *rows* but those whose holder has a licence of the kind by now; the identifiers of those inserted.

    Who inserts the same holders at once waits for the other and then finds them there.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(LicenceRow).on_conflict_do_nothing(index_elements=["kind", "holder_hash"], index_where=STANDING)
    # In one order for all, so that two groups never wait for each other.
    connection.execute(statement, sorted((dict(row) for row in rows), key=lambda row: str(row["holder_hash"])))
    there = sa.select(LicenceRow.identifier).where(LicenceRow.identifier.in_([row["identifier"] for row in rows]))
    return set(connection.execute(there).scalars())


def make_valid(connection: Connection, indexes: Mapping[str, int]) -> None:
    """The licences of *indexes* hold from now on, by the log entries named."""
    statement = (
        sa.update(LicenceRow)
        .where(LicenceRow.identifier == sa.bindparam("wanted"))
        .values(state=State.VALID.value, log_index=sa.bindparam("entry"))
    )
    connection.execute(statement, [{"wanted": one, "entry": index} for one, index in indexes.items()])


def update_licence(connection: Connection, identifier: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of the licence *identifier*."""
    connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == identifier).values(**values))


def states_in(connection: Connection, name: str) -> dict[int, State]:
    """The states of the licences of status list *name* that are not in force, by slot; a pending one is none yet."""
    query = sa.select(LicenceRow.status_index, LicenceRow.state).where(
        LicenceRow.status_list == name, LicenceRow.state.not_in([PENDING, State.VALID.value])
    )
    return {row.status_index: State(row.state) for row in connection.execute(query)}


def status_list_row(connection: Connection, name: str, *, held: bool = True) -> dict[str, Any]:
    """The row of status list *name*, *held* until the transaction ends: each list has one writer at a time."""
    query = sa.select(StatusListRow.__table__).where(StatusListRow.name == name)
    return row_dict(connection.execute(query.with_for_update() if held else query).one())


def update_status_list(connection: Connection, name: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of status list *name*."""
    connection.execute(sa.update(StatusListRow).where(StatusListRow.name == name).values(**values))


def take_slots(connection: Connection, slots: int, count: int) -> list[tuple[str, int, int]]:
    """*count* free slots: name of the status list, index in it, and how many slots have been given with it.

    Slots are never given twice, so the last of these is a running number. Who takes slots at once waits for the other.
    """
    lists = _lists(connection)
    if not lists:
        insert_once(connection, StatusListRow, {"name": "1", "issuer": "hub", "size": slots, "next_index": 0})
    connection.execute(sa.select(StatusListRow.name).order_by(StatusListRow.name).with_for_update()).all()
    # Read again: whoever was first may have opened the next list meanwhile.
    lists = _lists(connection)
    given = sum(lists.values())
    shard = max(lists)
    taken = []
    for _ in range(count):
        if lists[shard] >= slots:
            shard += 1
            lists[shard] = 0
            connection.execute(sa.insert(StatusListRow).values(name=str(shard), issuer="hub", size=slots, next_index=0))
        given += 1
        taken.append((str(shard), lists[shard], given))
        lists[shard] += 1
    for name in {name for name, _, _ in taken}:
        update_status_list(connection, name, next_index=lists[int(name)])
    return taken


def _lists(connection: Connection) -> dict[int, int]:
    query = sa.select(StatusListRow.name, StatusListRow.next_index)
    return {int(row.name): int(row.next_index) for row in connection.execute(query)}


def change_plain(change: Change, *, officer: str, second: str = "") -> dict[str, str]:
    """A change of state as the row's history keeps it; *second* is who decided beside the officer."""
    return {
        "action": change.action,
        "state": change.state.value,
        "by": change.by,
        "officer": officer,
        "at": change.at.isoformat(),
        "reason": change.reason,
        "ground": change.ground,
        **({"second": second} if second else {}),
    }


def licence_of(row: Mapping[str, Any], kinds: Mapping[str, LicenceKind]) -> Licence:
    """The licence that *row* keeps."""
    history = tuple(
        Change(h["action"], State(h["state"]), h["by"], datetime.fromisoformat(h["at"]), h["reason"], h["ground"])
        for h in row["history"]
    )
    return Licence(row["identifier"], row["kind"], kinds[row["kind"]].issuer, history)
