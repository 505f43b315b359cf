"""Writes a version of the list in the form that is asked for: one choice of formats for command line and API.

What each form holds is `catalog.export`'s and `catalog.exports`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog.exports import dcat
from catalog.exports.openapi import grant_openapi
from catalog.steps import NotYoursError
from hub.actors import Role
from hub.grants import get as get_grant
from hub.published import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.office import Office


@dataclass(frozen=True, slots=True)
class Format:
    """A form of export: its media type, the ending of its files, and what writes it."""

    media_type: str
    suffix: str
    write: Callable[[Office, ResponsibilityList, str], bytes]


def dcat_of(office: Office, list_: ResponsibilityList, server_url: str) -> dict[str, Any]:
    """The DCAT document of *list_*, with the version before it where it was in force."""
    known = versions(office.control)
    position = next((index for index, found in enumerate(known) if found.version == list_.version), None)
    issued = None if position is None else known[position].published_at
    previous = "" if position is None or position + 1 >= len(known) else known[position + 1].version
    return dcat.catalogue(list_, server_url=server_url, previous=previous, issued=issued)


def _dcat(office: Office, list_: ResponsibilityList, server_url: str) -> bytes:
    return dcat.to_jsonld(dcat_of(office, list_, server_url))


def _core(office: Office, list_: ResponsibilityList, server_url: str) -> bytes:
    del office, server_url
    from catalog.exports.core_table import to_core_xlsx  # noqa: PLC0415 - each form imports what it alone needs

    return to_core_xlsx(list_)


def _xlsx(office: Office, list_: ResponsibilityList, server_url: str) -> bytes:
    del office, server_url
    from catalog.export import to_xlsx  # noqa: PLC0415 - as in _core

    return to_xlsx(list_)


def _yaml(office: Office, list_: ResponsibilityList, server_url: str) -> bytes:
    del office, server_url
    from catalog.export import to_yaml  # noqa: PLC0415 - as in _core

    return to_yaml(list_).encode()


def _csv(office: Office, list_: ResponsibilityList, server_url: str) -> bytes:
    del office, server_url
    from catalog.export import to_csv_zip  # noqa: PLC0415 - as in _core

    return to_csv_zip(list_)


_EXCEL: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS: Final[dict[str, Format]] = {
    "dcat": Format("application/ld+json", ".jsonld", _dcat),
    "core": Format(_EXCEL, ".xlsx", _core),
    "xlsx": Format(_EXCEL, ".xlsx", _xlsx),
    "yaml": Format("application/yaml", ".yaml", _yaml),
    "csv": Format("application/zip", ".zip", _csv),
}


def export(office: Office, list_: ResponsibilityList, form: str, *, server_url: str) -> bytes:
    """*list_* as *form*, a key of `FORMATS`.

    Raises:
        ListTooLongForExcelError: a text does not fit a cell of a workbook or CSV file; write YAML instead.
    """
    return FORMATS[form].write(office, list_, server_url)


def openapi_of(
    office: Office, grant_id: str, *, server_url: str, actor: Actor | None = None, roles: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a grant allows under the list in force, for the department that holds it or that reviews it.

    *actor* None: whoever runs the deployment asks. *roles* are those of the actor's key.

    Raises:
        GrantUnknownError: there is no such grant.
        NotYoursError: it is neither the actor's own nor one on a resource that its department provides.
    """
    grant = get_grant(office.control, grant_id).grant
    list_ = office.list_
    resource = list_.by_code.get(grant.resource)
    provider = resource.provider if resource else ""
    if actor is not None:
        holds = actor.department == grant.consumer and bool({Role.CALL, Role.APPLY} & set(roles))
        reviews = actor.department in (provider, list_.office) and Role.REVIEW in roles
        if not holds and not reviews:
            raise NotYoursError(actor=str(actor), needed=", ".join(filter(None, (grant.consumer, provider))))
    return grant_openapi(grant, list_, server_url)
