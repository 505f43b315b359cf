"""Gathers who depends on the resources of the list: grants, open applications, needs, pipelines, licence kinds.

What a change would take from them is `catalog.impact`'s to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from catalog import application, decide
from catalog.impact import APPLICATION, GRANT, LICENCE_KIND, NEED, PIPELINE, Dependent
from hub import registry
from hub.control import CaseRow, GrantRow
from hub.standing import read_grants
from licence import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from catalog.model import ResponsibilityList
    from hub.office import Office
    from hub.settings import Settings


def gather(office: Office, list_: ResponsibilityList) -> tuple[Dependent, ...]:
    """Everyone who depends on the resources of *list_*, the list in force.

    Raises:
        KindsInvalidError, KindsUnreadableError: the catalogue of licence kinds must be mended first.
    """
    with office.control.reading() as connection:
        found = [*readers(connection, list_, office.now())]
    return (*found, *_pipelines(office.settings, list_), *_kinds(office.settings, list_))


def readers(connection: Connection, list_: ResponsibilityList, at: datetime) -> Iterator[Dependent]:
    """Those who depend on it by law: grants that have not ended at *at*, open applications, needs of matters."""
    departments = {department.code: department.name for department in list_.departments}
    ended = set(
        connection.execute(
            sa.select(GrantRow.id).where((GrantRow.revoked_at <= at) | (GrantRow.expires <= at))
        ).scalars()
    )
    for grant in read_grants(connection):
        if grant.id not in ended:
            yield of_grant(grant, departments.get(grant.consumer, ""))
    waiting = sa.select(CaseRow.id, CaseRow.value).where(CaseRow.kind == application.KIND, CaseRow.open.is_(True))
    for row in connection.execute(waiting.order_by(CaseRow.id)):
        asked = application.from_plain(row.value)
        yield Dependent(
            APPLICATION,
            row.id,
            asked.applicant,
            asked.resource,
            tuple(wish.name for wish in asked.fields),
            asked.purposes,
            departments.get(asked.applicant, ""),
            vital=tuple(dict.fromkeys(rule.field for rule in asked.rows)),
        )
    for need in list_.needs:
        matter = list_.matters_by_code[need.matter]
        yield Dependent(
            NEED,
            f"{need.matter}/{need.resource}",
            matter.department,
            need.resource,
            need.fields,
            (need.matter,),
            matter.name,
        )


def of_grant(grant: decide.Grant, label: str = "") -> Dependent:
    """The use that *grant* gives."""
    return Dependent(
        GRANT,
        grant.id,
        grant.consumer,
        grant.resource,
        grant.fields,
        grant.purposes,
        label,
        vital=tuple(dict.fromkeys(rule.field for rule in grant.rows)),
        masks=grant.masks,
    )


def _pipelines(settings: Settings, list_: ResponsibilityList) -> Iterator[Dependent]:
    """What the scheduler draws, as the list that it was compiled from has it."""
    for row in registry.read(settings.registry)["resources"]:
        resource = list_.by_code.get(row["code"])
        if resource is not None:
            marks = (resource.source.cursor_field, resource.source.deleted_field)
            vital = (*(f.name for f in resource.key), *(name for name in marks if name))
            names = tuple(f.name for f in resource.fields)
            yield Dependent(PIPELINE, resource.code, "", resource.code, names, (), resource.name, vital=vital)


def _kinds(settings: Settings, list_: ResponsibilityList) -> Iterator[Dependent]:
    if not settings.kinds.exists():
        return
    for kind in kinds.load(settings.kinds):
        required = (kind.holder_field, kind.holder_name_field, *(f.field for f in kind.face if f.required))
        if kind.resource in list_.by_code:
            yield Dependent(
                LICENCE_KIND,
                kind.code,
                kind.issuer,
                kind.resource,
                kind.source_fields,
                ("*",),
                kind.name,
                vital=tuple(dict.fromkeys(required)),
                lookup=(kind.holder_field,),
            )
