"""Gives and revokes grants (授权) and caller keys, each with its log entry.

Whether an application deserves a grant is decided by people before this; what a grant allows, by `catalog.decide`.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import sqlalchemy as sa

from catalog.decide import Grant, grant_to_plain
from hub.control import Caller, Control, GrantRow, raise_generation
from hub.errors import CallerUnknownError, GrantInvalidError, GrantUnknownError
from hub.standing import hash_key, read_grants

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import ResponsibilityList
    from hub.evidence import Evidence

KEY_BYTES = 32
KEY_MARK = "zt_"  # lets a secret scanner recognise a key that was left lying about
PREFIX_CHARS = 8  # enough to tell keys apart in a list, 30 bits of 256
_ID_BYTES = 5


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A caller and its key. *key* exists here alone: show it once, it cannot be shown again."""

    caller: str
    department: str
    key: str = field(repr=False)
    log_index: int


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A grant that holds; *already* when the same one had been given before."""

    grant: Grant
    log_index: int
    already: bool


def new_identifier(mark: str, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh identifier, e.g. ``G7XK2M4QA``: *mark* and eight letters A–Z or digits 2–7 (RFC 4648 §6)."""
    return mark + base64.b32encode(random(_ID_BYTES)).decode()


def issue_key(
    control: Control,
    evidence: Evidence,
    list_: ResponsibilityList,
    *,
    department: str,
    name: str,
    by: str,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> IssuedKey:
    """Let a system called *name* of *department* call, and return its key.

    The entry goes first: a crash before the row leaves an entry about a key that never opened anything.

    Raises:
        GrantInvalidError: the list knows no such department.
    """
    _check_department(list_, department, "-")
    key = KEY_MARK + base64.urlsafe_b64encode(random(KEY_BYTES)).rstrip(b"=").decode()
    caller = new_identifier("C", random)
    with control.writing() as connection:
        recorded = evidence.append(
            "caller.admitted", actor=by, facts={"caller": caller, "department": department, "name": name}
        )
        connection.execute(
            sa.insert(Caller).values(
                id=caller,
                department=department,
                name=name,
                key_hash=hash_key(key),
                key_prefix=key[: len(KEY_MARK) + PREFIX_CHARS],
                created=recorded.entry.at,
                log_index=recorded.index,
            )
        )
        raise_generation(connection)
    return IssuedKey(caller=caller, department=department, key=key, log_index=recorded.index)


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


def give_grant(control: Control, evidence: Evidence, list_: ResponsibilityList, grant: Grant, *, by: str) -> GivenGrant:
    """Give *grant*, checked against *list_*. The same grant again gives nothing anew.

    The entry goes first: a crash before the row leaves an entry about a grant that never opened anything.

    Raises:
        GrantInvalidError: it names what the list does not know, allows nothing, or its identifier is taken.
    """
    plain = grant_to_plain(grant)
    with control.writing() as connection:
        known = read_grants(connection, id=grant.id)
        if known:
            if replace(known[0], revoked_at=None) != grant:
                _refuse(grant.id, "another grant has this identifier", "该编号已被另一授权占用")
            if known[0].revoked_at is not None:
                _refuse(grant.id, "it was revoked; give a new one", "该授权已撤销，请另行授权")
            index = connection.execute(sa.select(GrantRow.log_index).where(GrantRow.id == grant.id)).scalar_one()
            return GivenGrant(grant, int(index), already=True)
        _check_grant(list_, grant)
        # The terms of a grant are public: who may see which fields of what, for which purpose, on what ground.
        recorded = evidence.append("grant.given", actor=by, resource=grant.resource, facts={"grant": plain})
        connection.execute(
            sa.insert(GrantRow).values(
                {
                    **plain,
                    "starts": grant.starts,
                    "expires": grant.expires,
                    "revoked_at": None,
                    "given_by": by,
                    "given_at": recorded.entry.at,
                    "log_index": recorded.index,
                }
            )
        )
        raise_generation(connection)
    return GivenGrant(grant, recorded.index, already=False)


def revoke_grant(control: Control, evidence: Evidence, grant: str, *, by: str) -> int:
    """End *grant* now; return the log index. Safe to repeat. Bites on the next call, in every process.

    The row goes first, so that the grant is dead even when the log cannot be written; a repeat adds a missing entry.

    Raises:
        GrantUnknownError: no such grant.
        EvidenceUnavailableError: the grant is dead, its entry is not written: repeat.
    """
    at = evidence.clock()
    with control.writing() as connection:
        row = connection.execute(
            sa.select(GrantRow.resource, GrantRow.consumer, GrantRow.revoked_at, GrantRow.revoked_log_index).where(
                GrantRow.id == grant
            )
        ).one_or_none()
        if row is None:
            raise GrantUnknownError(grant=grant)
        if row.revoked_at is None:
            connection.execute(sa.update(GrantRow).where(GrantRow.id == grant).values(revoked_at=at, revoked_by=by))
            raise_generation(connection)
    if row.revoked_log_index is not None:
        return int(row.revoked_log_index)
    recorded = evidence.append(
        "grant.revoked", actor=by, resource=row.resource, facts={"grant": grant, "consumer": row.consumer}
    )
    with control.writing() as connection:
        connection.execute(sa.update(GrantRow).where(GrantRow.id == grant).values(revoked_log_index=recorded.index))
    return recorded.index


def _check_grant(list_: ResponsibilityList, grant: Grant) -> None:
    _check_department(list_, grant.consumer, grant.id)
    resource = list_.by_code.get(grant.resource)
    if resource is None:
        _refuse(grant.id, f"the list holds no resource `{grant.resource}`", f"清单中没有资源 `{grant.resource}`")
    unknown = [name for name in grant.fields if resource.field(name) is None]
    if unknown:
        _refuse(grant.id, f"the resource has no field `{', '.join(unknown)}`", f"资源没有信息项 `{'、'.join(unknown)}`")
    matters = {matter.code for matter in list_.matters} | {"*"}
    strange = [code for code in grant.purposes if code not in matters]
    if strange:
        _refuse(grant.id, f"the list knows no matter `{', '.join(strange)}`", f"清单中没有事项 `{'、'.join(strange)}`")
    if not (grant.fields and grant.purposes and grant.actions):
        _refuse(grant.id, "a grant needs fields, purposes and actions", "授权须有信息项、事项和操作")
    if grant.expires <= grant.starts:
        _refuse(grant.id, "it ends before it begins", "截止时间早于起始时间")
    if grant.list_version != list_.version:
        _refuse(grant.id, "it was drawn up against another list version", "所依据的清单版本不是现行版本")
    if grant.revoked_at is not None:
        _refuse(grant.id, "it is revoked already", "该授权已撤销")


def _check_department(list_: ResponsibilityList, department: str, grant: str) -> None:
    if department not in list_.departments_by_code:
        _refuse(grant, f"the list knows no department `{department}`", f"清单中没有部门 `{department}`")


def _refuse(grant: str, why: str, why_zh: str) -> NoReturn:
    raise GrantInvalidError(grant=grant, why=why, why_zh=why_zh)
