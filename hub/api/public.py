"""What the API shows to anyone: the catalogue's public metadata, and files of the log and of the status lists.

Where a resource is read, and every other inside of the list, stays inside.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from catalog.reasons import remedy
from hub.api.problems import unnamed
from hub.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.model import InformationResource, ResponsibilityList

DEFAULT_PAGE_SIZE = 50
# The newest one, and the newest that witnesses have signed as well.
CHECKPOINTS = frozenset({"checkpoint", "checkpoint.witnessed"})
MAX_PAGE_SIZE = 500

# C2SP tlog-tiles: level 0–63, index in groups of three digits, all but the last with an x, partial widths 1–255.
_INDEX = r"(?:x[0-9]{3}/){0,8}[0-9]{3}(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
_TILE = re.compile(rf"tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/{_INDEX}", re.ASCII)
_STATUS_LIST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}", re.ASCII)


def summary(resource: InformationResource, list_: ResponsibilityList) -> dict[str, Any]:
    """The core metadata of a resource (GB/T 21063), without its fields."""
    provider = list_.departments_by_code.get(resource.provider)
    return {
        "code": resource.code,
        "name": resource.name,
        "name_en": resource.name_en,
        "provider": resource.provider,
        "provider_name": provider.name if provider else "",
        "abstract": resource.abstract,
        "format": str(resource.format),
        "share_type": str(resource.share_type),
        "share_condition": resource.share_condition,
        "share_ground": resource.share_ground,
        "share_method": str(resource.share_method),
        "cadence": str(resource.cadence),
        "open": resource.open,
        "published_on": resource.published_on.isoformat(),
        "related": list(resource.related),
    }


def detail(resource: InformationResource, list_: ResponsibilityList) -> dict[str, Any]:
    """The metadata of a resource with its fields, those it is looked up by, and who is on the list for it."""
    fields = [
        {
            "name": field.name,
            "title": field.title,
            "type": str(field.type),
            "key": field.key,
            "lookup": field.lookup,
            "nullable": field.nullable,
            "share_type": str(field.share_type),
            "share_condition": field.share_condition,
            "cadence": str(field.cadence) if field.cadence else None,
        }
        for field in resource.fields
    ]
    lines = [
        {
            "provider": line.provider,
            "consumers": list(line.consumers),
            "purposes": list(line.purposes),
            "ground": line.ground,
            "deadline": line.deadline.isoformat(),
        }
        for line in list_.responsibilities_for(resource.code)
    ]
    return {
        "list_version": list_.version,
        **summary(resource, list_),
        "fields": fields,
        "lookup_fields": [field.name for field in resource.lookup_fields],
        "responsibilities": lines,
    }


def catalogue(list_: ResponsibilityList, page: int, size: int) -> dict[str, Any]:
    """One page of the catalogue, by code; *total* counts all."""
    ordered = sorted(list_.resources, key=lambda resource: resource.code)
    shown = ordered[(page - 1) * size : page * size]
    return {
        "list_version": list_.version,
        "city": list_.city,
        "title": list_.title,
        "total": len(ordered),
        "page": page,
        "size": size,
        "items": [summary(resource, list_) for resource in shown],
    }


def explained(plain: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """What `hub.invocation.Invocation.explain` found, its reasons in *lang*."""
    return {
        **plain,
        "reasons": [
            {"code": one.code, "text": unnamed(one.text(lang)), "remedy": remedy(one.code)} for one in plain["reasons"]
        ],
        "quotas": [
            {"grant": one.grant, "limit": one.limit, "used": one.used, "resets": one.resets.isoformat()}
            for one in plain["quotas"]
        ],
    }


def log_file(folder: Path, path: str) -> Path:
    """The published file of the log at *path*: the checkpoint or a tile, and nothing else of the folder.

    Raises:
        NotFoundError: no such file, or none that is published.
    """
    if path not in CHECKPOINTS and _TILE.fullmatch(path) is None:
        raise NotFoundError
    return _existing(folder / path)


def status_file(folder: Path, name: str) -> Path:
    """The published status list token called *name*.

    Raises:
        NotFoundError: there is none.
    """
    if _STATUS_LIST.fullmatch(name) is None:
        raise NotFoundError
    return _existing(folder / f"{name}.jwt", folder / name)


def _existing(*candidates: Path) -> Path:
    for path in candidates:
        if path.is_file():
            return path
    raise NotFoundError
