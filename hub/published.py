"""Stores versions of the responsibility list, puts one in force, and finds them again, current or past.

The review that comes before is `hub.drafts`; reading a list from the office's file is `catalog.load`'s affair,
compiling it for the scheduler `hub.registry`'s.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from catalog.errors import CatalogError
from catalog.load import from_plain
from catalog.model import ResponsibilityList, to_plain
from hub.control import Control, ListVersion, hold_generation, raise_generation, row_dict
from hub.errors import ListDamagedError, ListMissingError
from hub.files import replace_file

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from catalog.model import InformationResource
    from hub.settings import Settings

CURRENT, SUPERSEDED = "current", "superseded"
_SINGLE = ".resources"


@dataclass(frozen=True, slots=True)
class Published:
    """A list version that holds: *log_index* of its entry; *already* when nothing had to be done."""

    version: str
    log_index: int
    already: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the list that is or was in force: *status* ``current`` or ``superseded``."""

    version: str
    status: str
    published_at: datetime
    published_by: str
    log_index: int


def store(settings: Settings, list_: ResponsibilityList) -> None:
    """Keep *list_* under its digest, durable on return. A crash leaves at most a version that nothing names."""
    plain = to_plain(list_)
    # The single resources first: a list that stands without them would be read whole by every task.
    replace_file(list_path(settings, list_.version).with_suffix(_SINGLE), _single(plain))
    replace_file(list_path(settings, list_.version), json.dumps(plain, ensure_ascii=False, indent=1).encode())


def facts_of(list_: ResponsibilityList, predecessor: str | None) -> dict[str, Any]:
    """What the entry of a publication says of the list."""
    return {
        "list_version": list_.version,
        "predecessor": predecessor or "",
        "city": list_.city,
        "year": list_.year,
        "batch": list_.batch,
        "resources": len(list_.resources),
        "responsibilities": len(list_.responsibilities),
    }


def current_held(connection: Connection) -> str | None:
    """The version that holds, held until the write transaction of *connection* ends: publishers come one by one."""
    hold_generation(connection)
    return connection.execute(sa.select(ListVersion.version).where(ListVersion.status == CURRENT)).scalar()


def put_in_force(connection: Connection, list_: ResponsibilityList, *, at: datetime, by: str, log_index: int) -> None:
    """Make *list_* current and the one before it superseded, with the transaction of *connection*.

    Grants keep the version under which they were given; decisions are taken under the version in force.
    """
    row = {"status": CURRENT, "published_at": at, "published_by": by, "log_index": log_index, "plain": to_plain(list_)}
    connection.execute(sa.update(ListVersion).where(ListVersion.status == CURRENT).values(status=SUPERSEDED))
    known = sa.select(ListVersion.version).where(ListVersion.version == list_.version)
    if connection.execute(known).one_or_none() is None:
        connection.execute(sa.insert(ListVersion).values(version=list_.version, **row))
    else:
        # An earlier version comes back into force; when it did so first, the log still says.
        connection.execute(sa.update(ListVersion).where(ListVersion.version == list_.version).values(**row))
    raise_generation(connection)


def versions(control: Control) -> tuple[Version, ...]:
    """Every version that is or was in force, the one that came into force last first."""
    columns = (getattr(ListVersion, name) for name in Version.__slots__)
    query = sa.select(*columns).order_by(ListVersion.published_at.desc(), ListVersion.log_index.desc())
    with control.reading() as connection:
        return tuple(Version(**row_dict(row)) for row in connection.execute(query))


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


def resource_of(settings: Settings, version: str, code: str) -> InformationResource | None:
    """One resource of the list with this digest, or None: what a task among thousands needs, in a millisecond.

    A city's list takes a second to read; a task reads one resource of it. What is read is checked against a digest of
    its own, and where it cannot be had the whole list is read.

    Raises:
        ListMissingError, ListDamagedError: see `list_version`.
    """
    try:
        with list_path(settings, version).with_suffix(_SINGLE).open("rb") as file:
            index = json.loads(file.readline())
            base = file.tell()
            if code not in index:
                # Rare, and then the whole list says whether it is so or the index is damaged.
                if code in list_version(settings, version).by_code:
                    raise ListDamagedError(version=version)
                return None
            offset, length, digest = index[code]
            file.seek(base + offset)
            data = file.read(length)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ListDamagedError(version=version)
        return from_plain(json.loads(data)).by_code[code]
    except FileNotFoundError:
        return list_version(settings, version).by_code.get(code)
    except (ValueError, KeyError, TypeError, CatalogError) as error:
        raise ListDamagedError(version=version) from error


def _single(plain: dict[str, Any]) -> bytes:
    """A line that says where each resource is (offset, bytes, SHA-256), and after it each as a list of its own."""
    index: dict[str, tuple[int, int, str]] = {}
    parts: list[bytes] = []
    offset = 0
    left_out = ("responsibilities", "matters", "needs", "prohibitions", "departments", "code_lists")
    for resource in plain["resources"]:
        one = {name: [] if name in left_out else value for name, value in plain.items()}
        data = json.dumps(one | {"resources": [resource]}, ensure_ascii=False).encode()
        index[resource["code"]] = (offset, len(data), hashlib.sha256(data).hexdigest())
        parts.append(data)
        offset += len(data)
    return json.dumps(index).encode() + b"\n" + b"".join(parts)


def list_path(settings: Settings, version: str) -> Path:
    """Where the list with this digest is stored."""
    return settings.lists / f"{version.removeprefix('sha256:')}.json"
