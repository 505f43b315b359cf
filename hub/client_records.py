"""What is kept of client systems (客户端系统) and their credentials, as people read it.

Registering and ending them is left to `hub.clients`, recognising them in requests to `hub.authentication`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hub.control import Caller, ClientCredential, ClientRow, row_dict
from hub.credentials import BEARER
from hub.errors import CallerUnknownError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.control import Control

BEARER_ALGORITHM = "bearer-sha256"
IN_FORCE, WAITING, EXPIRED, REVOKED = "in_force", "waiting", "expired", "revoked"


class ClientUnknownError(CallerUnknownError):
    """No client system, or none that goes on, has this identifier."""

    code = "client_unknown"
    en = "There is no client system `{client}`, or it was ended. `zhengtong clients list` shows them."
    zh = "没有客户端系统 `{client}`，或其已停用。可用 `zhengtong clients list` 查看。"


class CredentialUnknownError(CallerUnknownError):
    """No credential has this identifier."""

    code = "credential_unknown"
    en = "There is no credential `{credential}`. `zhengtong clients show CLIENT` lists those of a system."
    zh = "没有凭据 `{credential}`。可用 `zhengtong clients show 系统编号` 查看。"


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """A credential as it stands. *thumbprint* tells it apart; of a bearer key it is the key's beginning."""

    id: str
    client: str
    kind: str
    algorithm: str
    handle: str
    thumbprint: str
    created: datetime
    not_before: datetime | None
    expires: datetime | None
    revoked_at: datetime | None
    last_used: str
    replaces: str

    def state(self, now: datetime) -> str:
        """`IN_FORCE`, `WAITING`, `EXPIRED` or `REVOKED`."""
        if self.revoked_at is not None:
            return REVOKED
        if self.not_before is not None and now < self.not_before:
            return WAITING
        return EXPIRED if self.expires is not None and now >= self.expires else IN_FORCE


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client system as it stands; *caller* is whom it acts as."""

    id: str
    department: str
    name: str
    contact: str
    environment: str
    caller: str
    roles: tuple[str, ...]
    signed_only: bool
    created: datetime
    ended_at: datetime | None


def find(control: Control, *, department: str | None = None) -> tuple[ClientRecord, ...]:
    """The client systems, ended ones too, by department and age."""
    query = sa.select(*_COLUMNS).order_by(ClientRow.department, ClientRow.created, ClientRow.id)
    if department is not None:
        query = query.where(ClientRow.department == department)
    with control.reading() as connection:
        return tuple(_record(row) for row in connection.execute(query))


def get(control: Control, client: str) -> ClientRecord:
    """One client system, ended or not. Raises: ClientUnknownError."""
    with control.reading() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(ClientRow.id == client)).one_or_none()
    if row is None:
        raise ClientUnknownError(client=client)
    return _record(row)


def credentials(control: Control, client: str) -> tuple[CredentialRecord, ...]:
    """The credentials of *client* by age, those that ended, too."""
    with control.reading() as connection:
        return read_all(connection, client)


def credential(control: Control, identifier: str) -> CredentialRecord:
    """One credential, of whatever system. Raises: CredentialUnknownError."""
    with control.reading() as connection:
        client = connection.execute(
            sa.select(ClientCredential.client)
            .where(ClientCredential.id == identifier)
            .union_all(sa.select(Caller.client).where(Caller.id == identifier, Caller.client != ""))
        ).scalar_one_or_none()
        for one in read_all(connection, client) if client else ():
            if one.id == identifier:
                return one
    raise CredentialUnknownError(credential=identifier)


def read_all(connection: Connection, client: str) -> tuple[CredentialRecord, ...]:
    """As `credentials`, within a transaction."""
    kept = sa.select(*(getattr(ClientCredential, name) for name in CredentialRecord.__slots__)).where(
        ClientCredential.client == client
    )
    found = [CredentialRecord(**row_dict(row)) for row in connection.execute(kept)]
    names = ("id", "client", "key_prefix", "created", "not_before", "expires", "revoked_at", "last_used")
    keys = sa.select(*(getattr(Caller, name) for name in names)).where(Caller.client == client)
    for row in connection.execute(keys):
        values: dict[str, Any] = row_dict(row)
        prefix = values.pop("key_prefix")
        found.append(
            CredentialRecord(
                **values, kind=BEARER, algorithm=BEARER_ALGORITHM, handle="", thumbprint=prefix, replaces=""
            )
        )
    return tuple(sorted(found, key=lambda one: (one.created, one.id)))


_COLUMNS = tuple(getattr(ClientRow, name) for name in ClientRecord.__slots__)


def _record(row: Any) -> ClientRecord:  # noqa: ANN401 - a row of `_COLUMNS`
    return ClientRecord(**{**row_dict(row), "roles": tuple(row.roles)})
