"""Issues, rotates and revokes caller keys (调用密钥): which systems of which departments come through which doors.

What a department may then see is for its grants to say (`hub.grants`); whose key a call carries, `hub.standing`. A key
may be one of several credentials of a client system (`hub.clients`), and acts as that system then.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa

from hub.actors import Actor, Role
from hub.control import Caller, Control, raise_generation, row_dict
from hub.errors import CallerUnknownError, GrantInvalidError
from hub.identifiers import new_identifier
from hub.standing import hash_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from hub.evidence import Evidence

KEY_BYTES = 32
KEY_MARK = "zt_"  # lets a secret scanner recognise a key that was left lying about
PREFIX_CHARS = 8  # enough to tell keys apart in a list, 30 bits of 256


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A caller and its key. *key* exists here alone: show it once, it cannot be shown again."""

    caller: str
    department: str
    key: str = field(repr=False)
    log_index: int


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A caller as it stands; *key_prefix* is the beginning of its key, by which people tell keys apart."""

    id: str
    department: str
    name: str
    roles: tuple[str, ...]
    key_prefix: str
    created: datetime
    revoked_at: datetime | None


def issue_key(
    control: Control,
    evidence: Evidence,
    list_: ResponsibilityList,
    *,
    department: str,
    name: str,
    by: str,
    roles: Sequence[str] = (Role.CALL,),
    replaces: str = "",
    client: str = "",
    not_before: datetime | None = None,
    expires: datetime | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> IssuedKey:
    """Let a system called *name* of *department* in through the doors of *roles*, and return its key.

    The entry goes first: a crash before the row leaves an entry about a key that never opened anything. Who issues a
    key of a *client* checks that there is one.

    Raises:
        GrantInvalidError: the list knows no such department, or there is no such role.
        ActorInvalidError: *name* cannot be a post, as which it stands in the log.
    """
    check_caller(list_, department, name, roles)
    key = KEY_MARK + base64.urlsafe_b64encode(random(KEY_BYTES)).rstrip(b"=").decode()
    caller = new_identifier("C", random)
    facts: dict[str, Any] = {"caller": caller, "department": department, "name": name}
    given = sorted({str(role) for role in roles})
    if given != [Role.CALL]:
        facts["roles"] = given
    if replaces:
        facts["replaces"] = replaces
    if client:
        facts["client"] = client
    if expires is not None:
        facts["expires"] = expires.isoformat()
    with control.writing() as connection:
        recorded = evidence.append("caller.admitted", actor=by, facts=facts)
        connection.execute(
            sa.insert(Caller).values(
                id=caller,
                department=department,
                name=name,
                key_hash=hash_key(key),
                key_prefix=key[: len(KEY_MARK) + PREFIX_CHARS],
                created=recorded.entry.at,
                log_index=recorded.index,
                roles=given,
                client=client,
                not_before=not_before,
                expires=expires,
            )
        )
        raise_generation(connection)
    return IssuedKey(caller=caller, department=department, key=key, log_index=recorded.index)


def check_caller(list_: ResponsibilityList, department: str, name: str, roles: Sequence[str]) -> None:
    """Check that a system called *name* of *department* can be let in through the doors of *roles*.

    Raises: as `issue_key`.
    """
    if department not in list_.departments_by_code:
        _refuse("-", f"the list knows no department `{department}`", f"清单中没有部门 `{department}`")
    unknown = [role for role in roles if role not in tuple(Role)]
    if unknown or not roles:
        known = ", ".join(Role)
        _refuse(
            "-",
            f"there is no role `{', '.join(unknown)}`, use {known}",
            f"没有权限 `{'、'.join(unknown)}`，请使用 {known}",
        )
    Actor.parse(f"{department}:{name}")


def rotate_key(
    control: Control,
    evidence: Evidence,
    list_: ResponsibilityList,
    caller: str,
    *,
    by: str,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> IssuedKey:
    """A second key with the department, name and roles of *caller*; both open until `revoke_key` ends the old one.

    Raises:
        CallerUnknownError: no such caller.
        GrantInvalidError: it is revoked; issue a new one.
    """
    with control.reading() as connection:
        row = connection.execute(
            sa.select(Caller.department, Caller.name, Caller.roles, Caller.revoked_at, Caller.client).where(
                Caller.id == caller
            )
        ).one_or_none()
    if row is None:
        raise CallerUnknownError(caller=caller)
    if row.revoked_at is not None:
        _refuse(caller, "its key is revoked, issue a new one", "其密钥已吊销，请另行签发")
    return issue_key(
        control,
        evidence,
        list_,
        department=row.department,
        name=row.name,
        by=by,
        roles=tuple(row.roles),
        replaces=caller,
        client=row.client,
        random=random,
    )


def revoke_key(control: Control, evidence: Evidence, caller: str, *, by: str) -> int:
    """Refuse *caller* from the next call on; return the log index. Safe to repeat.

    The row goes first, so that the key is dead even when the log cannot be written; a repeat adds a missing entry.

    Raises:
        CallerUnknownError: no such caller.
        EvidenceUnavailableError: the key is dead, its entry is not written: repeat.
    """
    at = evidence.clock()
    with control.writing() as connection:
        row = connection.execute(
            sa.select(Caller.department, Caller.revoked_at, Caller.revoked_log_index).where(Caller.id == caller)
        ).one_or_none()
        if row is None:
            raise CallerUnknownError(caller=caller)
        if row.revoked_at is None:
            connection.execute(sa.update(Caller).where(Caller.id == caller).values(revoked_at=at))
            raise_generation(connection)
    if row.revoked_log_index is not None:
        return int(row.revoked_log_index)
    recorded = evidence.append("caller.revoked", actor=by, facts={"caller": caller, "department": row.department})
    with control.writing() as connection:
        connection.execute(sa.update(Caller).where(Caller.id == caller).values(revoked_log_index=recorded.index))
    return recorded.index


def find_keys(control: Control, *, department: str | None = None) -> tuple[KeyRecord, ...]:
    """The callers, revoked ones too, by department and age."""
    query = sa.select(*(getattr(Caller, name) for name in KeyRecord.__slots__))
    if department is not None:
        query = query.where(Caller.department == department)
    with control.reading() as connection:
        rows = connection.execute(query.order_by(Caller.department, Caller.created, Caller.id))
        return tuple(KeyRecord(**{**row_dict(row), "roles": tuple(row.roles)}) for row in rows)


def _refuse(grant: str, why: str, why_zh: str) -> NoReturn:
    raise GrantInvalidError(grant=grant, why=why, why_zh=why_zh)
