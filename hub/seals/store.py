"""The rows of seals, read into the values of `licence.seals.register` and `licence.seals.cloud`, and written back."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import SealApprovalRow, SealRegisterRow, SealRow, SealSignerRow, SealUseRow, insert_once, row_dict
from hub.seals.errors import SealUnknownError
from hub.seals.words import ACTIVE, Sort
from licence.seals import cloud, register
from licence.seals.structure import parse_seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from licence.seals.structure import SESeal

REGISTER: Final = "seals"


def seal_row(connection: Connection, code: str, *, hold: bool = False) -> dict[str, Any]:
    """The row of a seal; with *hold* nobody else changes it until the transaction ends.

    Raises:
        SealUnknownError: there is none.
    """
    return _one(connection, sa.select(SealRow.__table__).where(SealRow.code == code), code, hold=hold)


def approval_row(connection: Connection, id_: str, *, hold: bool = False) -> dict[str, Any]:
    """The row of an approval. Raises: as `seal_row`."""
    return _one(connection, sa.select(SealApprovalRow.__table__).where(SealApprovalRow.id == id_), id_, hold=hold)


def signer_row(connection: Connection, person: str, *, hold: bool = False) -> dict[str, Any]:
    """The row of a person's key in force. Raises: as `seal_row`."""
    query = sa.select(SealSignerRow.__table__).where(SealSignerRow.person == person, SealSignerRow.state == ACTIVE)
    return _one(connection, query, person, hold=hold)


def is_signer(connection: Connection, person: str) -> bool:
    """Whether *person* was ever registered with a key of their own."""
    query = sa.select(SealSignerRow.number).where(SealSignerRow.person == person).limit(1)
    return connection.execute(query).first() is not None


def register_row(connection: Connection) -> dict[str, Any]:
    """The row of the published register, held; made when there is none."""
    first = {"name": REGISTER, "version": 0, "digest": "", "dirty": True}
    insert_once(connection, SealRegisterRow, {**first, "published_at": None, "valid_until": None, "log_index": None})
    query = sa.select(SealRegisterRow.__table__).where(SealRegisterRow.name == REGISTER)
    return _one(connection, query, REGISTER, hold=True)


def change_seal(connection: Connection, code: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of a seal; the published register is behind from now on."""
    connection.execute(sa.update(SealRow).where(SealRow.code == code).values(**values))
    register_row(connection)
    connection.execute(sa.update(SealRegisterRow).values(dirty=True))


def change_use(connection: Connection, id_: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of a use."""
    connection.execute(sa.update(SealUseRow).where(SealUseRow.id == id_).values(**values))


def change_approval(connection: Connection, id_: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of an approval."""
    connection.execute(sa.update(SealApprovalRow).where(SealApprovalRow.id == id_).values(**values))


def change_signer(connection: Connection, person: str, number: int, **values: Any) -> None:  # noqa: ANN401 - values
    """Set columns of a person's key."""
    same = (SealSignerRow.person == person, SealSignerRow.number == number)
    connection.execute(sa.update(SealSignerRow).where(*same).values(**values))


def seal_of(row: dict[str, Any]) -> register.Seal:
    """The seal as the register's machine knows it."""
    return register.Seal(
        code=row["code"],
        name=row["name"],
        kind=Sort(row["sort"]).number,
        image_digest=bytes.fromhex(row["picture_digest"]),
        department=row["department"],
        custodian=row["custodian"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        history=tuple(
            register.Change(
                h["action"], register.State(h["state"]), h["by"], datetime.fromisoformat(h["at"]), h["ground"]
            )
            for h in row["history"]
        ),
    )


def history_plain(changes: Sequence[register.Change]) -> list[dict[str, str]]:
    """A seal's history as its row keeps it."""
    return [
        {"action": c.action, "state": c.state.value, "by": c.by, "at": c.at.isoformat(), "ground": c.ground}
        for c in changes
    ]


def approval_of(row: dict[str, Any]) -> cloud.Approval:
    """The approval as its machine knows it."""
    return cloud.Approval(
        bytes.fromhex(row["id"]),
        row["person"],
        row["seal"],
        bytes.fromhex(row["document_digest"]),
        row["purpose"],
        row["asked_at"],
        row["ends_at"],
        cloud.State(row["state"]),
        row["failures"],
    )


@lru_cache(maxsize=256)
def parsed(made: bytes) -> SESeal:
    """The seal of these bytes, read once: a city uses some hundred seals over and over."""
    return parse_seal(made)


def _one(connection: Connection, query: Any, what: str, *, hold: bool) -> dict[str, Any]:  # noqa: ANN401 - a select
    found = connection.execute(query.with_for_update() if hold else query).first()
    if found is None:
        raise SealUnknownError(what=what[:80])
    return row_dict(found)
