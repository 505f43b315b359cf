"""The compiled registry: everything the DAG file needs to draw, in one small JSON file.

Importing this module costs nothing but the standard library, because the DAG processor imports it on every
parse; compiling needs a loaded list and is done when a list is published.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from catalog.model import InformationResource, ResponsibilityList

FORMAT = 1
# The tasks of every DAG, in order; `hub.ingestion` has a function for each.
STEPS = ("extract", "check", "commit", "index")
# Pulls are spread over the small hours so that 1,227 resources do not knock on 53 doors at once.
WINDOW_START_HOUR = 1
WINDOW_MINUTES = 240
# GB/T 21063 更新周期 → the cron fields after minute and hour (day of month, month, day of week).
_CRON_TAIL = {"1": "* * *", "2": "* * *", "3": "* * 1", "4": "1 * *", "5": "1 1,4,7,10 *", "6": "1 1 *"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one resource looks like to the scheduler. *error* is set instead when its row could not be compiled."""

    code: str
    title: str
    doc: str
    department: str
    department_name: str
    pool: str
    cron: str
    outlet: str
    disposition: str
    error: str = ""


def cron_of(resource: InformationResource) -> str:
    """The cron expression of a resource's cadence, its minute and hour fixed by a hash of its code.

    A real-time resource (更新周期 1) is pulled hourly, which is as often as a batch pull makes sense.
    """
    slot = int.from_bytes(hashlib.sha256(resource.code.encode()).digest()[:4], "big")
    minute_of_window = slot % WINDOW_MINUTES
    hour, minute = divmod(WINDOW_START_HOUR * 60 + minute_of_window, 60)
    if resource.cadence == "1":
        return f"{slot % 60} * * * *"
    tail = _CRON_TAIL[resource.cadence]
    days = tail if tail.count(" ") == 2 else f"{tail} *"  # noqa: PLR2004 - day, month, weekday
    return f"{minute} {hour} {days}"


def pool_of(system: str) -> str:
    """The Airflow pool that bounds the connections to one source system."""
    return f"source.{system}"


def compile_list(list_: ResponsibilityList, *, outlet_root: str, connections: Mapping[str, int]) -> dict[str, Any]:
    """The registry of *list_*: plain data, the same bytes for the same list.

    One resource that does not compile becomes a row with its error, never the loss of all others.

    Args:
        list_: the published list.
        outlet_root: URI under which tables are announced as assets (``file:///…/warehouse``).
        connections: source system → connections it allows at once (default 1).
    """
    rows = []
    for resource in list_.resources:
        department = list_.departments_by_code.get(resource.provider)
        try:
            row = Compiled(
                code=resource.code,
                title=resource.name,
                doc=_doc(resource),
                department=resource.provider,
                department_name=department.name if department else resource.provider,
                pool=pool_of(resource.source.system),
                cron=cron_of(resource),
                outlet=f"{outlet_root}/{resource.code}",
                disposition=resource.disposition.value,
            )
        except (KeyError, ValueError) as error:
            row = Compiled(resource.code, resource.name, "", resource.provider, "", "", "", "", "", error=repr(error))
        rows.append({name: getattr(row, name) for name in Compiled.__slots__})
    systems = sorted({r.source.system for r in list_.resources})
    return {
        "format": FORMAT,
        "list_version": list_.version,
        "city": list_.city,
        "pools": {pool_of(s): connections.get(s, 1) for s in systems},
        "resources": rows,
    }


def _doc(resource: InformationResource) -> str:
    """The DAG's page: what the resource is and on what terms it is shared, in Markdown."""
    lines = [
        f"**{resource.name}** · {resource.name_en}",
        "",
        resource.abstract,
        "",
        "| 信息项 | 名称 | 类型 |",
        "|---|---|---|",
        *(f"| `{f.name}` | {f.title} | {f.type} |" for f in resource.fields),
    ]
    return "\n".join(lines)


def write(registry: Mapping[str, Any], path: Path) -> None:
    """Write the registry atomically: a reader sees the old one or the new one, a crash leaves the old one."""
    replace_file(path, json.dumps(registry, ensure_ascii=False, indent=1, sort_keys=True).encode())


def read(path: Path) -> dict[str, Any]:
    """Read a registry; an absent one is an empty registry, because nothing has been published yet."""
    try:
        registry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"format": FORMAT, "list_version": "", "pools": {}, "resources": []}
    return registry
