"""Publishes versions of the responsibility list and finds them again, current or past.

Reading a list from the office's file is `catalog.load`'s affair, compiling it for the scheduler `hub.registry`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from catalog.errors import CatalogError
from catalog.load import from_plain
from catalog.model import ResponsibilityList, to_plain
from hub.control import Control, ListVersion, raise_generation
from hub.errors import ListDamagedError, ListMissingError
from hub.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from hub.evidence import Evidence
    from hub.settings import Settings

CURRENT, SUPERSEDED = "current", "superseded"


@dataclass(frozen=True, slots=True)
class Published:
    """A list version that holds: *log_index* of its entry; *already* when nothing had to be done."""

    version: str
    log_index: int
    already: bool


def publish_list(
    settings: Settings, control: Control, evidence: Evidence, list_: ResponsibilityList, *, by: str
) -> Published:
    """Make *list_* the current version: its file, its log entry, its row, in this order.

    The same version again publishes nothing. A crash before the row leaves the old version current; publishing again
    then adds a second, identical entry, which says nothing untrue.
    """
    plain = to_plain(list_)
    replace_file(list_path(settings, list_.version), json.dumps(plain, ensure_ascii=False, indent=1).encode())
    # The entry is appended inside the write transaction so that two publishers cannot both find the list new.
    with control.writing() as connection:
        query = sa.select(ListVersion.log_index, ListVersion.status).where(ListVersion.version == list_.version)
        known = connection.execute(query).one_or_none()
        if known is not None and known.status == CURRENT:
            return Published(list_.version, known.log_index, already=True)
        recorded = evidence.append(
            "list.published",
            actor=by,
            facts={
                "list_version": list_.version,
                "city": list_.city,
                "year": list_.year,
                "batch": list_.batch,
                "resources": len(list_.resources),
                "responsibilities": len(list_.responsibilities),
            },
        )
        row = {
            "status": CURRENT,
            "published_at": recorded.entry.at,
            "published_by": by,
            "log_index": recorded.index,
            "plain": plain,
        }
        connection.execute(sa.update(ListVersion).values(status=SUPERSEDED))
        if known is None:
            connection.execute(sa.insert(ListVersion).values(version=list_.version, **row))
        else:
            connection.execute(sa.update(ListVersion).where(ListVersion.version == list_.version).values(**row))
        raise_generation(connection)
    return Published(list_.version, recorded.index, already=False)


def current_version(control: Control) -> str | None:
    """The version that holds now, or None before the first was published."""
    with control.reading() as connection:
        return connection.execute(sa.select(ListVersion.version).where(ListVersion.status == CURRENT)).scalar()


def current_list(settings: Settings, control: Control | None = None) -> ResponsibilityList:
    """The list that holds now. Give *control* where it is open already.

    Raises:
        ListMissingError: none was published.
        ListDamagedError: its file was changed.
    """
    opened = control or Control.open(settings)
    try:
        version = current_version(opened)
    finally:
        if control is None:
            opened.close()
    if version is None:
        raise ListMissingError(version="")
    return list_version(settings, version)


def list_version(settings: Settings, version: str) -> ResponsibilityList:
    """The list with this digest, checked against it.

    Raises:
        ListMissingError: no such version is stored.
        ListDamagedError: what is stored is not that version.
    """
    try:
        text = list_path(settings, version).read_bytes()
    except FileNotFoundError as error:
        raise ListMissingError(version=version) from error
    try:
        list_ = from_plain(json.loads(text))
    except (ValueError, KeyError, TypeError, CatalogError) as error:
        raise ListDamagedError(version=version) from error
    if list_.version != version:
        raise ListDamagedError(version=version)
    return list_


def list_path(settings: Settings, version: str) -> Path:
    """Where the list with this digest is stored."""
    return settings.lists / f"{version.removeprefix('sha256:')}.json"
