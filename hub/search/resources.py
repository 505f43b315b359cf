"""One resource as a department sees it: what it is, who holds it, how far it has come, and may we have it.

What a call would be answered is `catalog.decide`'s; this tells a person what to do next.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.diff import compare
from catalog.model import EVERYONE, ShareType, to_plain
from hub.control import GrantRow, ListVersion, Load
from hub.errors import ActorInvalidError, ListMissingError, ResourceUnknownError
from hub.published import list_path
from hub.published import resource_of as version_resource
from hub.search.index import search_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from catalog.changes import Change
    from catalog.model import InformationResource, ResponsibilityList
    from hub.cases import Case
    from hub.office import Office

APPLICATION: Final = "application"  # the kind of case by which data is applied for
NEAR: Final = 3  # suggestions for a code that is not known


class ResourceNotFoundError(ResourceUnknownError):
    """The published list holds no such resource; those that may have been meant are named."""

    en = "The published list holds no resource `{resource}`. {near}"
    zh = "已发布的责任清单中没有资源 `{resource}`。{near_zh}"


class Access(StrEnum):
    """Where a department stands with a resource."""

    OWN = "own"
    GRANTED = "granted"
    WAITING = "waiting"
    APPLY = "apply"
    NOT_ON_LIST = "not_on_list"
    NOT_SHARED = "not_shared"


# What it means, by state: (English, Chinese).
ACCESS: Final[dict[Access, tuple[str, str]]] = {
    Access.OWN: ("your department provides it", "本部门提供"),
    Access.GRANTED: ("granted, {detail}", "已授权，{detail}"),
    Access.WAITING: ("application under way, {detail}", "申请办理中，{detail}"),
    Access.APPLY: ("apply for it", "可申请"),
    Access.NOT_ON_LIST: (
        "no line of the list shares it with your department; register a demand",
        "责任清单未列明向本部门共享，可登记数据需求",
    ),
    Access.NOT_SHARED: ("not shared: {detail}", "不予共享：{detail}"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where *department* stands: *detail* is the ground, the grant or the case, in both languages the same."""

    department: str
    access: Access
    detail: str = ""

    def text(self, lang: str) -> str:
        """What it means in *lang* (``zh``, else English)."""
        return ACCESS[self.access][lang == "zh"].format(detail=self.detail)


@dataclass(frozen=True, slots=True)
class LastLoad:
    """How the newest load of a resource ended, and how many rows it accepted."""

    outcome: str
    started: datetime
    accepted: int
    rejected: int


def resource_of(office: Office, list_: ResponsibilityList, code: str) -> InformationResource:
    """The resource with this *code*.

    Raises:
        ResourceNotFoundError: there is none; the message names those near it by code or by words.
    """
    found = list_.by_code.get(code)
    if found is not None:
        return found
    codes = difflib.get_close_matches(code, list_.by_code, n=NEAR, cutoff=0.75)
    if not codes and code.strip():
        codes = [hit.resource.code for hit in search_of(office.settings, list_).find(code[:100], size=NEAR).hits]
    near = ", ".join(f"`{one}` {list_.by_code[one].name}" for one in codes)
    raise ResourceNotFoundError(
        resource=code[:100],
        near=f"Did you mean {near}?" if near else "Find it in the catalogue (`zhengtong search`).",
        near_zh=f"是否指 {near}？" if near else "请在目录中查找（`zhengtong search`）。",
    )


def standing_of(
    office: Office, list_: ResponsibilityList, resource: InformationResource, department: str, at: datetime
) -> Standing:
    """Where *department* stands with *resource* at that instant; what it has counts before what it lacks.

    Raises:
        ActorInvalidError: the list knows no such department.
    """
    return standings_of(office, list_, (resource,), department, at)[resource.code]


def standings_of(
    office: Office,
    list_: ResponsibilityList,
    resources: Sequence[InformationResource],
    department: str,
    at: datetime,
) -> dict[str, Standing]:
    """As `standing_of`, of several resources by code, with as many queries as for one."""
    if department not in list_.departments_by_code:
        raise ActorInvalidError(value=department)
    asked = [one.code for one in resources]
    query = (
        sa.select(GrantRow.resource, GrantRow.id, GrantRow.expires)
        .where(_holds(at), GrantRow.consumer == department, GrantRow.resource.in_(asked))
        .order_by(GrantRow.expires.desc(), GrantRow.id)
    )
    grants: dict[str, list[str]] = {}
    with office.control.reading() as connection:
        for code, id_, expires in connection.execute(query):
            grants.setdefault(code, []).append(f"{id_} → {expires.date().isoformat()}")
    waiting: dict[str, Case] = {}
    for case in office.cases.find(APPLICATION, opener=department, resources=asked, open_=True):
        waiting.setdefault(case.resource, case)
    return {
        one.code: _standing(list_, one, department, grants.get(one.code, []), waiting.get(one.code))
        for one in resources
    }


def _standing(
    list_: ResponsibilityList,
    resource: InformationResource,
    department: str,
    grants: Sequence[str],
    waiting: Case | None,
) -> Standing:
    ground = _withheld(list_, resource, department)
    if resource.provider == department:
        return Standing(department, Access.OWN)
    if ground is not None:
        return Standing(department, Access.NOT_SHARED, ground)
    if grants:
        return Standing(department, Access.GRANTED, "; ".join(grants))
    if waiting is not None:
        return Standing(department, Access.WAITING, f"{waiting.id} ({waiting.state})")
    lines = list_.responsibilities_for(resource.code)
    listed = any(EVERYONE in line.consumers or department in line.consumers for line in lines)
    return Standing(department, Access.APPLY if listed else Access.NOT_ON_LIST)


def _withheld(list_: ResponsibilityList, resource: InformationResource, department: str) -> str | None:
    """The ground on which all of *resource* is kept from *department*, or None."""
    if resource.share_type is ShareType.NOT_SHARED:
        return resource.share_ground
    for prohibition in list_.prohibitions_by_resource.get(resource.code, ()):
        of_all = not prohibition.fields and EVERYONE in prohibition.purposes
        if of_all and (EVERYONE in prohibition.consumers or department in prohibition.consumers):
            return prohibition.ground
    return None


def _holds(at: datetime) -> sa.ColumnElement[bool]:
    """That a grant is in force at that instant."""
    return sa.and_(
        GrantRow.starts <= at, GrantRow.expires > at, GrantRow.revoked_at.is_(None), GrantRow.suspended_at.is_(None)
    )


def holders(office: Office, resource: str, at: datetime) -> dict[str, int]:
    """How many grants on *resource* hold at that instant, by department."""
    query = (
        sa.select(GrantRow.consumer, sa.func.count())
        .where(_holds(at), GrantRow.resource == resource)
        .group_by(GrantRow.consumer)
        .order_by(GrantRow.consumer)
    )
    with office.control.reading() as connection:
        return {consumer: int(count) for consumer, count in connection.execute(query)}


def last_load(office: Office, resource: str) -> LastLoad | None:
    """The newest load of *resource*, or None before the first."""
    query = (
        sa.select(Load.outcome, Load.started, Load.accepted, Load.rejected)
        .where(Load.resource == resource)
        .order_by(Load.id.desc())
        .limit(1)
    )
    with office.control.reading() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else LastLoad(row.outcome, row.started, int(row.accepted), int(row.rejected))


def changes(office: Office, resource: str) -> list[dict[str, str]]:
    """The published versions in which *resource* came, changed or went, oldest first. Reads every version."""
    query = sa.select(ListVersion.version, ListVersion.published_at).order_by(ListVersion.log_index)
    with office.control.reading() as connection:
        versions = connection.execute(query).all()
    found = []
    before: Any = None
    for version, published_at in versions:
        try:
            plain = json.loads(list_path(office.settings, version).read_bytes())
        except FileNotFoundError:
            continue  # an older version whose file was archived away; the row alone says nothing about resources
        now = next((one for one in plain["resources"] if one["code"] == resource), None)
        if now != before:
            what = "added" if before is None else "removed" if now is None else "changed"
            found.append({"version": version, "published_at": published_at.isoformat(), "change": what})
        before = now
    return found


def difference(office: Office, list_: ResponsibilityList, resource: str, old: str, new: str) -> tuple[Change, ...]:
    """What version *new* changed about *resource* in version *old*; *list_* gives the names of departments.

    Only the resource itself is compared, which takes milliseconds; its lines stand in the difference of the lists.
    Nothing where one of the two does not hold it, or was archived away.
    """
    try:
        both = [version_resource(office.settings, version, resource) for version in (old, new)]
    except ListMissingError:
        return ()
    pair = [
        replace(list_, resources=(one,), responsibilities=(), needs=(), prohibitions=())
        for one in both
        if one is not None
    ]
    return compare(pair[0], pair[1]).changes if len(pair) == len(both) else ()


def page_of(
    office: Office, list_: ResponsibilityList, resource: InformationResource, at: datetime, *, department: str = ""
) -> dict[str, Any]:
    """Everything about *resource* that is no one's secret, as JSON; where it is read stays inside.

    Raises:
        ActorInvalidError: the list knows no *department*.
    """
    # What the stored form leaves out at its default is here all the same: readers want one shape.
    plain: dict[str, Any] = {
        "classification": [],
        "theme": None,
        "aliases": [],
        "region_field": "",
        "quality": [],
        **to_plain(resource),
    }
    del plain["source"]
    provider = list_.departments_by_code.get(resource.provider)
    needs = [need for need in list_.needs if need.resource == resource.code]
    load = last_load(office, resource.code)
    held = holders(office, resource.code, at)
    plain |= {
        "list_version": list_.version,
        "provider_name": provider.name if provider else "",
        "contact": provider.contact_role if provider else "",
        "code_lists": {
            code_list.code: {"name": code_list.name, "items": [list(item) for item in code_list.items]}
            for code_list in list_.code_lists
            if code_list.code in {field.code_list for field in resource.fields}
        },
        "responsibilities": [to_plain(line) for line in list_.responsibilities_for(resource.code)],
        "prohibitions": [to_plain(one) for one in list_.prohibitions_by_resource.get(resource.code, ())],
        "needs": [{**to_plain(need), "matter_name": _matter(list_, need.matter)} for need in needs],
        "related_names": {code: list_.by_code[code].name for code in resource.related if code in list_.by_code},
        "grants": {"total": sum(held.values()), "by_department": held},
        "last_load": None
        if load is None
        else {
            "outcome": load.outcome,
            "started": load.started.isoformat(),
            "accepted": load.accepted,
            "rejected": load.rejected,
        },
    }
    if department:
        own = standing_of(office, list_, resource, department, at)
        plain["access"] = {
            "department": own.department,
            "state": own.access.value,
            "detail": own.detail,
            "en": own.text("en"),
            "zh": own.text("zh"),
        }
    return plain


def _matter(list_: ResponsibilityList, code: str) -> str:
    matter = list_.matters_by_code.get(code)
    return matter.name if matter else ""
